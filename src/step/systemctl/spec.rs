//! What a `systemctl` step asks for, the look that tells whether it holds, and what differs. Pure.

use super::arguments::SystemctlArgs;
use super::sources;
use super::units::{self, UnitState, parse_units};
use crate::op::{Effect, Op, ProbeOutput, Query, Temporary};
use crate::step::build::{
    absolute_path, argv, change, exec, query_of, refused, unreadable, would_change, wrong,
};
use crate::step::{AssessError, Assessment, Change, Fidelity, LowerCx, LowerError, Matter};
use crate::value::Duration;

/// What may be asked of units, in the order in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnitVerb {
    Unmask,
    Mask,
    Enable,
    Disable,
    Stop,
    Start,
    Restart,
}

pub(super) const VERBS: [UnitVerb; 7] = [
    UnitVerb::Unmask,
    UnitVerb::Mask,
    UnitVerb::Enable,
    UnitVerb::Disable,
    UnitVerb::Stop,
    UnitVerb::Start,
    UnitVerb::Restart,
];

impl UnitVerb {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unmask => "unmask",
            Self::Mask => "mask",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
        }
    }

    /// The units that are written for it; none where it is left out.
    pub(super) fn units(self, args: &SystemctlArgs) -> Option<&[String]> {
        let units = match self {
            Self::Unmask => &args.unmask,
            Self::Mask => &args.mask,
            Self::Enable => &args.enable,
            Self::Disable => &args.disable,
            Self::Stop => &args.stop,
            Self::Start => &args.start,
            Self::Restart => &args.restart,
        };
        units.as_deref()
    }

    fn effect(self) -> Effect {
        match self {
            Self::Stop | Self::Restart => Effect::Disrupts,
            _ => Effect::Changes,
        }
    }
}

/// Verbs of which one undoes the other, so that no unit could be as both ask.
const OPPOSITES: [(UnitVerb, UnitVerb); 7] = [
    (UnitVerb::Stop, UnitVerb::Start),
    (UnitVerb::Stop, UnitVerb::Restart),
    (UnitVerb::Enable, UnitVerb::Disable),
    (UnitVerb::Mask, UnitVerb::Unmask),
    (UnitVerb::Mask, UnitVerb::Enable),
    (UnitVerb::Mask, UnitVerb::Start),
    (UnitVerb::Mask, UnitVerb::Restart),
];

fn refuse_opposites(verbs: &[(UnitVerb, Vec<String>)]) -> Result<(), LowerError> {
    let of =
        |wanted: UnitVerb| verbs.iter().filter(move |(verb, _)| *verb == wanted).flat_map(|(_, names)| names);
    for (one, other) in OPPOSITES {
        if let Some(unit) = of(one).find(|unit| of(other).any(|also| also == *unit)) {
            let unit = units::short_name(unit);
            return Err(wrong(
                format!(
                    "`{}` names `{unit}`, and so does `{}`: no unit can be as both ask",
                    other.word(),
                    one.word()
                ),
                "keep one of them; to do one after the other, write two steps",
            ));
        }
    }
    Ok(())
}

/// The units of all services, for a reload that names none. Mounts and scopes are left out: pods make thousands of them.
const ALL_UNITS: [&str; 3] = ["*.service", "*.socket", "*.timer"];

/// What a step asks for, with unit names in full.
pub(super) struct UnitSpec {
    reload: bool,
    verbs: Vec<(UnitVerb, Vec<String>)>,
    newer_than: Vec<String>,
    pub(super) always: bool,
    pub(super) within: Duration,
    pub(super) stable_for: Duration,
}

/// What one look saw.
pub(super) struct UnitProbe {
    /// One per unit asked for, in order.
    units: Vec<UnitState>,
    /// For `restart`: what the processes were started from.
    sources: Option<sources::Sources>,
    /// Units that need a reload, where that was asked for.
    stale: Vec<String>,
}

impl UnitSpec {
    pub(super) fn read(args: &SystemctlArgs) -> Result<Self, LowerError> {
        let mut verbs = Vec::new();
        for verb in VERBS {
            let names = verb.units(args).unwrap_or_default().iter();
            let names = names.map(|name| units::full_name(name)).collect::<Result<Vec<_>, _>>()?;
            if !names.is_empty() {
                verbs.push((verb, names));
            }
        }
        refuse_opposites(&verbs)?;
        let path = |path: &String| absolute_path("newer_than", path).map(ToOwned::to_owned);
        let newer_than = args.newer_than.iter().flatten().map(path).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            reload: args.daemon_reload,
            verbs,
            newer_than,
            always: args.always,
            within: args.within,
            stable_for: args.stable_for,
        })
    }

    /// The same arguments were lowered before; that they fail now would be a damaged plan.
    pub(super) fn from_lowered(args: &SystemctlArgs) -> Result<Self, AssessError> {
        Self::read(args)
            .map_err(|error| AssessError { command: "systemctl show".to_owned(), reason: error.message })
    }

    pub(super) fn units_of(&self, verbs: &[UnitVerb]) -> impl Iterator<Item = &str> {
        let wanted = self.verbs.iter().filter(move |(verb, _)| verbs.contains(verb));
        wanted.flat_map(|(_, names)| names.iter().map(String::as_str))
    }

    /// Every unit once, in the order in which they are first named.
    fn all_units(&self) -> Vec<&str> {
        let mut units: Vec<&str> = Vec::new();
        for name in self.units_of(&VERBS) {
            if !units.contains(&name) {
                units.push(name);
            }
        }
        units
    }

    fn restarts(&self) -> Vec<&str> {
        self.units_of(&[UnitVerb::Restart]).collect()
    }

    /// The files that the state of its units follows from.
    pub(super) fn started_from(&self) -> Vec<Matter> {
        let units = sources::UNIT_PATH.iter().map(|folder| Matter::file(folder));
        let own = self.restarts().into_iter().flat_map(sources::configuration).map(Matter::file);
        units.chain(own).chain(self.newer_than.iter().map(|path| Matter::file(path))).collect()
    }

    pub(super) fn ops(&self, cx: &LowerCx<'_>) -> Vec<Op> {
        let mut ops = Vec::new();
        if self.reload {
            ops.push(exec(cx, "reload systemd", argv(&["systemctl", "daemon-reload"]), Effect::Changes));
        }
        for (verb, names) in &self.verbs {
            let mut command = argv(&["systemctl", verb.word(), "--"]);
            command.extend(names.iter().cloned());
            let shown: Vec<_> = names.iter().map(|name| units::short_name(name)).collect();
            let mut op = exec(cx, format!("{} {}", verb.word(), shown.join(" ")), command, verb.effect());
            let back = match verb {
                UnitVerb::Stop => "start",
                UnitVerb::Start => "stop",
                UnitVerb::Mask => "unmask",
                UnitVerb::Unmask => "mask",
                UnitVerb::Enable => "disable",
                UnitVerb::Disable => "enable",
                UnitVerb::Restart => "",
            };
            if !back.is_empty() {
                op.undo = format!("systemctl {back} {}", names.join(" "));
                op.makes = vec![Temporary::Undo];
            }
            ops.push(op);
        }
        ops
    }

    /// Whether this look dates processes and files; the one after the ops does not, since systemctl's exit code
    /// already says that the restart happened.
    fn dates(&self, goal: Goal) -> bool {
        goal == Goal::Reached && !self.always && !self.restarts().is_empty()
    }

    /// The look: units by name (or all services, for a bare reload), then what restarts are about.
    pub(super) fn queries(&self, goal: Goal) -> Vec<Query> {
        let units = self.all_units();
        if units.is_empty() {
            let mut command = argv(&["systemctl", "show", "-p", "Id,NeedDaemonReload", "--"]);
            command.extend(argv(&ALL_UNITS));
            return vec![query_of(command)];
        }
        let mut queries = vec![query_of(units::show_argv(self.dates(goal), &units))];
        if self.dates(goal) {
            queries.extend(sources::queries(&self.restarts(), &self.newer_than));
        }
        queries
    }

    /// Reads the answers to [`Self::queries`].
    pub(super) fn look(&self, goal: Goal, answers: &[ProbeOutput]) -> Result<UnitProbe, Blind> {
        let command = "systemctl show";
        let expected = self.queries(goal).len();
        if answers.len() != expected {
            let reason = format!("{expected} answers are expected, and {} came", answers.len());
            return Err(AssessError { command: command.to_owned(), reason }.into());
        }
        let answer = &answers[0];
        if answer.rc == 127 || answer.stderr.contains("has not been booted with systemd") {
            return Err(Blind::NoSystemd);
        }
        if self.dates(goal) && answer.stderr.contains("unrecognized option") {
            return Err(Blind::TooOld);
        }
        if !answer.ok() {
            return Err(unreadable(command, "the properties of units", answer).into());
        }
        let names = self.all_units();
        if names.is_empty() {
            return Ok(UnitProbe { units: Vec::new(), sources: None, stale: units::stale(&answer.stdout) });
        }
        let units = parse_units(answer, &names)?;
        let needy = units.iter().filter(|unit| self.reload && unit.needs_reload);
        let stale = needy.map(|unit| unit.name.clone()).collect();
        let dated = self.dates(goal).then(|| sources::parse(&answers[1], &answers[2])).transpose()?;
        Ok(UnitProbe { units, sources: dated, stale })
    }

    pub(super) fn differences(&self, look: &UnitProbe) -> Vec<Change> {
        let mut changes = Vec::new();
        if !look.stale.is_empty() {
            changes.push(change(
                "systemd",
                format!("unit files changed: {}", look.stale.join(", ")),
                "reloaded",
            ));
        }
        for (verb, names) in &self.verbs {
            for unit in names.iter().filter_map(|name| look.unit(name)) {
                let differs = match (verb, &look.sources) {
                    (UnitVerb::Restart, Some(sources)) => sources.difference(unit, &self.newer_than),
                    _ => units::difference(verb.word(), unit),
                };
                changes.extend(differs);
            }
        }
        changes
    }

    /// What is not yet as it should be after the ops; start times are not looked at.
    pub(super) fn unsettled(&self, look: &UnitProbe) -> Vec<String> {
        let mut waiting: Vec<String> =
            look.stale.iter().map(|name| format!("{name} still needs a daemon-reload")).collect();
        for (verb, names) in &self.verbs {
            let word = if *verb == UnitVerb::Restart { "start" } else { verb.word() };
            let units = names.iter().filter_map(|name| look.unit(name));
            waiting.extend(
                units
                    .filter_map(|unit| units::difference(word, unit))
                    .map(|differs| format!("{} is {}, not {}", differs.what, differs.before, differs.after)),
            );
        }
        waiting
    }

    pub(super) fn state(&self, look: &UnitProbe) -> String {
        let mut parts: Vec<_> = look.units.iter().map(UnitState::state).collect();
        if self.reload {
            parts.push("no reload needed".to_owned());
        }
        parts.join(", ")
    }
}

impl UnitProbe {
    fn unit(&self, name: &str) -> Option<&UnitState> {
        self.units.iter().find(|unit| unit.name == name)
    }
}

/// Which look it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Before the ops: does everything hold already?
    Reached,
    /// After them: has everything settled?
    Settled,
}

/// Why a look saw nothing.
pub(super) enum Blind {
    NoSystemd,
    TooOld,
    Unreadable(AssessError),
}

impl From<AssessError> for Blind {
    fn from(error: AssessError) -> Self {
        Self::Unreadable(error)
    }
}

impl Blind {
    pub(super) fn means(self, spec: &UnitSpec) -> Result<Assessment, AssessError> {
        match self {
            Self::NoSystemd => Ok(refused(
                "the host does not run systemd",
                "leave it out of this phase, or call its own init with `command`",
            )),
            Self::TooOld => {
                let units = spec.restarts().join(", ");
                let before = "started at an unknown time: systemd is older than 247";
                Ok(would_change(vec![change(units, before, "restarted")], Fidelity::Opaque))
            }
            Self::Unreadable(error) => Err(error),
        }
    }
}
