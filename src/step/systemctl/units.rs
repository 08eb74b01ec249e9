//! Names of units, and what `systemctl show` says of them. Pure.

use jiff::Timestamp;

use crate::op::ProbeOutput;
use crate::step::build::{argv, change, unreadable, wrong};
use crate::step::{AssessError, Change, LowerError};

/// The suffixes that systemd knows; a name without one of them is a service's.
const SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".timer",
    ".target",
    ".mount",
    ".automount",
    ".swap",
    ".path",
    ".slice",
    ".scope",
    ".device",
];

/// The properties that [`parse_units`] reads.
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,MainPID,\
ExecMainStartTimestamp,ActiveEnterTimestamp";

/// `kubelet` to `kubelet.service`. Refuses what systemctl would take for an option, a path or a pattern.
pub(super) fn full_name(name: &str) -> Result<String, LowerError> {
    let known = |c: char| c.is_ascii_alphanumeric() || ":-_.@\\".contains(c);
    if name.is_empty() || name.starts_with('-') || name.len() > 255 || !name.chars().all(known) {
        let message = format!("`{}` is no name of a unit", name.escape_debug());
        return Err(wrong(
            message,
            "write it as systemctl shows it, such as `kubelet` or `fstrim.timer`; patterns do not work here",
        ));
    }
    let complete = SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    Ok(if complete { name.to_owned() } else { format!("{name}.service") })
}

/// `kubelet.service` to `kubelet`, for people.
pub(super) fn short_name(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// The look at units by name. Dated: start times with microseconds, in UTC; without `--timestamp` they are whole
/// seconds in the host's own zone.
pub(super) fn show_argv(dated: bool, units: &[&str]) -> Vec<String> {
    let mut command = argv(&["systemctl", "show"]);
    if dated {
        command.push("--timestamp=us+utc".to_owned());
    }
    command.extend(argv(&["-p", PROPERTIES, "--"]));
    command.extend(argv(units));
    command
}

/// One unit, as `systemctl show` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    /// The name that was asked for; `Id` is another one where that is an alias.
    pub(super) name: String,
    pub(super) load: String,
    pub(super) active: String,
    pub(super) sub: String,
    pub(super) file_state: String,
    pub(super) needs_reload: bool,
    /// 0 where it has none.
    pub(super) main_pid: u32,
    /// When its main process, or else the unit, started.
    pub(super) started: Option<Timestamp>,
}

impl UnitState {
    /// A few words for people: "kubelet active, enabled".
    pub(super) fn state(&self) -> String {
        let mut state = format!("{} {}", short_name(&self.name), self.activity());
        if !self.file_state.is_empty() {
            state.push_str(", ");
            state.push_str(&self.file_state);
        }
        state
    }

    /// "active (running)", or what is to say of a unit that is not there.
    fn activity(&self) -> String {
        match self.load.as_str() {
            "not-found" => "not there".to_owned(),
            _ if self.sub.is_empty() || self.sub == self.active || self.active == "active" => {
                self.active.clone()
            }
            _ => format!("{} ({})", self.active, self.sub),
        }
    }
}

/// Reads the blocks of `systemctl show`, one per name and in the order of the names.
pub(super) fn parse_units(answer: &ProbeOutput, names: &[&str]) -> Result<Vec<UnitState>, AssessError> {
    let blocks: Vec<&str> = answer.stdout.split("\n\n").filter(|block| !block.trim().is_empty()).collect();
    if blocks.len() != names.len() {
        return Err(unreadable("systemctl show", &format!("{} units", names.len()), answer));
    }
    names.iter().zip(blocks).map(|(name, block)| parse_unit(name, block, answer)).collect()
}

fn parse_unit(name: &str, block: &str, answer: &ProbeOutput) -> Result<UnitState, AssessError> {
    let property = |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let text = |key: &str| property(key).unwrap_or_default().to_owned();
    // Every systemd that can show a unit shows this; without it the block is something else.
    if property("ActiveState").is_none() {
        return Err(unreadable("systemctl show", "ActiveState", answer));
    }
    let time = |key: &str| property(key).and_then(parse_time);
    Ok(UnitState {
        name: name.to_owned(),
        load: text("LoadState"),
        active: text("ActiveState"),
        sub: text("SubState"),
        file_state: text("UnitFileState"),
        needs_reload: property("NeedDaemonReload") == Some("yes"),
        main_pid: property("MainPID").and_then(|pid| pid.parse().ok()).unwrap_or(0),
        started: time("ExecMainStartTimestamp").or_else(|| time("ActiveEnterTimestamp")),
    })
}

/// `Fri 2026-11-20 13:17:03.123456 UTC` to a point in time; `None` for `n/a`, nothing, and other zones.
fn parse_time(text: &str) -> Option<Timestamp> {
    let mut words = text.split(' ');
    let (_weekday, date, time, zone) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if zone != "UTC" || words.next().is_some() {
        return None;
    }
    format!("{date}T{time}Z").parse().ok()
}

/// The units of a `systemctl show -p Id,NeedDaemonReload` that need one.
pub(super) fn stale(stdout: &str) -> Vec<String> {
    let needy = |block: &&str| block.lines().any(|line| line == "NeedDaemonReload=yes");
    let id =
        |block: &str| block.lines().find_map(|line| line.strip_prefix("Id=")).unwrap_or("a unit").to_owned();
    stdout.split("\n\n").filter(needy).map(id).collect()
}

/// What differs from what `systemctl WORD UNIT` gives; nothing where it holds already.
pub(super) fn difference(word: &str, unit: &UnitState) -> Option<Change> {
    let file = unit.file_state.as_str();
    let (holds, before, after) = match word {
        "unmask" => (!file.starts_with("masked"), file.to_owned(), "not masked"),
        "mask" => (file.starts_with("masked"), file.to_owned(), "masked"),
        // Static and generated units have nothing to enable: systemctl says so and succeeds.
        "enable" => (
            ["enabled", "static", "alias", "indirect", "generated"].contains(&file),
            if file.is_empty() { unit.activity() } else { file.to_owned() },
            "enabled",
        ),
        "disable" => (!["enabled", "enabled-runtime"].contains(&file), file.to_owned(), "disabled"),
        "stop" => (["inactive", "failed"].contains(&unit.active.as_str()), unit.activity(), "stopped"),
        _ => (["active", "reloading"].contains(&unit.active.as_str()), unit.activity(), "active"),
    };
    (!holds).then(|| change(short_name(&unit.name), before, after))
}
