//! systemd's units on a simulated host.

mod systemctl;

use std::collections::BTreeMap;

use super::command::Invocation;
use super::process::Output;
use super::world::{Millis, World};

pub(super) use systemctl::systemctl;

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SimulatedUnit {
    /// `ActiveState`.
    active: &'static str,
    /// `UnitFileState`.
    enabled: &'static str,
    /// When its main process started; `None` where it never did.
    started: Option<Millis>,
    /// Its main process, while there is one.
    pid: u32,
    /// Nobody said that it is there.
    is_assumed: bool,
}

impl SimulatedUnit {
    fn new(active: bool, at: Millis, pid: u32) -> Self {
        let started = active.then_some(at);
        let active = if active { "active" } else { "inactive" };
        Self { active, enabled: "enabled", started, pid, is_assumed: false }
    }

    /// The services of a usual host.
    pub(super) fn usual(on_node: bool, at: Millis) -> BTreeMap<String, Self> {
        let everywhere = [("ssh.service", 512), ("cron.service", 498), ("systemd-timesyncd.service", 431)];
        let on_nodes = [("containerd.service", 601), ("kubelet.service", 702)];
        let names = everywhere.iter().chain(on_nodes.iter().filter(|_| on_node));
        names.map(|(name, pid)| ((*name).to_owned(), Self::new(true, at + 20_000, *pid))).collect()
    }

    /// As systemd said of it. A word that nothing here depends on becomes the nearest one that does.
    pub(super) fn recorded(active: &str, enabled: &str, at: Millis) -> Self {
        let active = match active {
            "active" | "reloading" => "active",
            "activating" => "activating",
            "failed" => "failed",
            _ => "inactive",
        };
        let enabled = match enabled {
            "enabled" | "enabled-runtime" | "static" | "indirect" | "generated" => "enabled",
            "masked" | "masked-runtime" => "masked",
            _ => "disabled",
        };
        let started = (active == "active").then_some(at + 20_000);
        Self { active, enabled, started, pid: 800, is_assumed: false }
    }

    /// Runs, with a new main process.
    pub(super) fn start(&mut self, at: Millis) {
        self.active = "active";
        self.started = Some(at);
        self.pid += 1;
    }

    /// Does not run.
    pub(super) fn stop(&mut self) {
        self.active = "inactive";
    }

    /// Dies and is started again and again.
    pub(super) fn fail(&mut self) {
        self.active = "activating";
    }

    /// Whether systemd starts it with the machine.
    pub(super) fn starts_at_boot(&self) -> bool {
        self.enabled == "enabled"
    }

    /// The machine starts anew.
    pub(super) fn boot(&mut self, at: Millis) {
        if self.starts_at_boot() {
            self.start(at + 5000);
        } else {
            self.active = "inactive";
            self.started = None;
        }
    }

    /// Its main process and when that started.
    pub(super) fn main_process(&self) -> Option<(u32, Millis)> {
        Some((self.pid, self.started.filter(|_| self.active == "active")?))
    }

    /// `ActiveState`.
    pub(super) fn active(&self) -> &'static str {
        self.active
    }
}

/// Whether a verb of systemctl may change anything.
pub(super) fn changes(verb: &str) -> bool {
    let reads = ["", "cat", "get-default", "help", "show", "show-environment", "status", "whoami"];
    !(reads.contains(&verb) || verb.starts_with("is-") || verb.starts_with("list-"))
}

/// The package that brings a unit's binary.
pub(super) fn package_of(unit: &str) -> &str {
    match unit {
        "ssh.service" => "openssh-server",
        "systemd-timesyncd.service" => "systemd",
        other => other.trim_end_matches(".service"),
    }
}

/// A unit that nobody else knows of, which runs. Where that is only assumed, whoever asks for it hears so.
pub(super) fn add(world: &mut World, host: &str, unit: &str, is_assumed: bool) {
    let Some(index) = world.host_index(host) else { return };
    let name = full_name(unit);
    if !world.hosts[index].units.contains_key(&name) {
        add_to(world, index, name, is_assumed);
    }
}

fn add_to(world: &mut World, host: usize, name: String, is_assumed: bool) {
    let now = world.now;
    let units = &mut world.hosts[host].units;
    let pid = 900 + u32::try_from(units.len()).unwrap_or(0);
    units.insert(name, SimulatedUnit { is_assumed, ..SimulatedUnit::new(true, now, pid) });
}

/// Units that a verb changes or a step asks for, and nobody knows are there, where a rehearsal takes such things to hold.
fn suppose(world: &mut World, command: &Invocation, verb: &str, units: &[String], out: &mut Output) {
    let host = command.host;
    let supposes = world.assumed.is_on && (changes(verb) || !command.probe);
    for name in units {
        if supposes && !world.hosts[host].units.contains_key(name) {
            add_to(world, host, name.clone(), true);
        }
        if world.hosts[host].units.get(name).is_some_and(|unit| unit.is_assumed) {
            out.assume(format!("unit {name} is there and runs"));
        }
    }
}

fn full_name(name: &str) -> String {
    let has_suffix = [".service", ".socket", ".timer", ".mount", ".target", ".slice", ".path"];
    if has_suffix.iter().any(|suffix| name.ends_with(suffix)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}
