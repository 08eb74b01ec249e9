//! What follows when a kubelet starts, stops, or goes silent, and when its machine reboots.

use super::assumed;
use super::cluster::ReadyCondition;
use super::host::ControlGroups;
use super::pod;
use super::static_pod;
use super::unit::SimulatedUnit;
use super::world::{Millis, SimulationEvent, World};
use crate::kubernetes::skew::kubelet_registers;
use crate::kubernetes::traps::{Machine, against};
use crate::op::Exit;

/// The API server calls a node Unknown after this long without a word (`node-monitor-grace-period` up to 1.31).
const SILENT_AFTER: Millis = 40_000;
/// Pods of an unreachable node are given up after this long (the default toleration).
const GIVEN_UP_AFTER: Millis = 300_000;

/// A kubelet says that its node is not ready this long after its container runtime went away.
const RUNTIME_GONE_AFTER: Millis = 30_000;

/// What keeps a kubelet from running, or from making its node Ready; nothing where it comes up.
pub(super) fn held_back_by(world: &World, host: usize) -> Option<String> {
    let machine = &world.hosts[host];
    if machine.active_faults.kubelet_dies {
        return Some("its kubelet dies whenever it starts".to_owned());
    }
    if machine.swap_on() {
        return Some("swap is on, with which its kubelet does not start".to_owned());
    }
    if let Some(unit) = machine.stopped_runtime() {
        return Some(format!("{unit} does not run, and its kubelet needs it"));
    }
    let version = machine.packages.kubernetes_version("kubelet")?;
    let cgroup = match machine.control_groups {
        ControlGroups::V1 => "v1",
        // What its kubelet is told is not known here.
        ControlGroups::V1Accepted => "",
        ControlGroups::V2 => "v2",
    };
    let runtime = machine.runtime();
    let this = Machine { name: machine.name.as_str(), cgroup, runtime: &runtime };
    if let Some(reason) = against(&version.clone().into(), &this).into_iter().next() {
        return Some(format!("kubelet {version} does not start: {reason}"));
    }
    let server = world.api_server()?;
    kubelet_registers(&version, &server).err().map(|error| error.to_string())
}

/// Something changed that may have kept a kubelet from running: systemd has tried it again and again.
pub(super) fn try_again(world: &mut World, host: usize) {
    let is_tried =
        world.hosts[host].units.get("kubelet.service").is_some_and(|unit| unit.active() == "activating");
    if is_tried && held_back_by(world, host).is_none() {
        start(world, host, false);
    }
}

/// The container runtime of a host was started or stopped. Containers go on without it.
pub(super) fn runtime_changed(world: &mut World, host: usize) {
    let machine = &mut world.hosts[host];
    let generation = machine.kubelet_generation;
    if machine.stopped_runtime().is_some() {
        world.after(RUNTIME_GONE_AFTER, SimulationEvent::RuntimeGone { host, generation });
        return;
    }
    let delay = machine.random.secs(4, 8);
    let runs = machine.units.get("kubelet.service").is_some_and(|unit| unit.active() == "active");
    let is_not_ready =
        machine.node.is_some_and(|node| world.cluster.nodes[node].ready == ReadyCondition::False);
    if runs && is_not_ready {
        world.after(delay, SimulationEvent::KubeletReady { host, generation });
    }
    try_again(world, host);
}

/// A machine begins as it was recorded: what did not run then is noticed soon.
pub(super) fn recorded(world: &mut World, host: usize) {
    if world.hosts[host].units.get("kubelet.service").is_some_and(|unit| unit.active() == "inactive") {
        stop(world, host);
    } else if world.hosts[host].stopped_runtime().is_some() {
        runtime_changed(world, host);
    }
}

/// A kubelet notices that its runtime is gone.
pub(super) fn runtime_gone(world: &mut World, host: usize, generation: u64) {
    if world.hosts[host].stopped_runtime().is_some() {
        lost(world, host, generation, ReadyCondition::False);
    }
}

/// Starts a stopped kubelet, or restarts a running one. The node shows NotReady until the new one has reported.
pub(super) fn start(world: &mut World, host: usize, rebooted: bool) {
    let now = world.now;
    let dies = held_back_by(world, host).is_some();
    if world.hosts[host].control_groups == ControlGroups::V1Accepted && !dies {
        assumed::note(
            world,
            host,
            "its kubelet is told to start on control groups v1 (failCgroupV1: false)".to_owned(),
        );
    }
    let machine = &mut world.hosts[host];
    machine.kubelet_generation += 1;
    let generation = machine.kubelet_generation;
    if let Some(unit) = machine.units.get_mut("kubelet.service") {
        if dies {
            unit.fail();
        } else {
            unit.start(now);
        }
    }
    let delay = machine.random.secs(12, 18);
    let Some(node) = machine.node else { return };
    set_ready(world, node, ReadyCondition::False);
    if dies {
        world.after(SILENT_AFTER, SimulationEvent::KubeletSilent { host, generation });
        return;
    }
    super::deleted::register(world, host);
    static_pod::kubelet_restarted(world, host, rebooted);
    world.after(delay, SimulationEvent::KubeletReady { host, generation });
}

/// Stops a kubelet. Containers go on; the API server notices after a while.
pub(super) fn stop(world: &mut World, host: usize) {
    let machine = &mut world.hosts[host];
    machine.kubelet_generation += 1;
    let generation = machine.kubelet_generation;
    if let Some(unit) = machine.units.get_mut("kubelet.service") {
        unit.stop();
    }
    world.after(SILENT_AFTER, SimulationEvent::KubeletSilent { host, generation });
}

fn set_ready(world: &mut World, node: usize, ready: ReadyCondition) {
    if world.cluster.nodes[node].ready != ready {
        world.cluster.nodes[node].ready = ready;
        world.cluster.touch(node);
    }
}

/// A kubelet reports: the node is ready and shows the version of the binary that runs.
pub(super) fn ready(world: &mut World, host: usize, generation: u64) {
    let machine = &world.hosts[host];
    let is_up =
        machine.kubelet_generation == generation && !machine.down && machine.stopped_runtime().is_none();
    let Some(node) = machine.node.filter(|_| is_up) else { return };
    if let Some(version) = machine.packages.kubernetes_version("kubelet") {
        world.cluster.nodes[node].kubelet = version.to_string();
    }
    let (boot_id, runtime) = (machine.boot_id.clone(), machine.runtime());
    world.cluster.nodes[node].boot_id = boot_id;
    world.cluster.nodes[node].runtime = runtime;
    world.cluster.nodes[node].ready = ReadyCondition::True;
    world.cluster.touch(node);
    // What was to be ended meanwhile is ended now; what was only out of sight is back.
    let numbers: Vec<u32> = world.cluster.nodes[node].pods.iter().copied().collect();
    for number in numbers {
        let Some(pod) = world.cluster.pods.get(&number) else { continue };
        if pod.terminating {
            world.after(2000, SimulationEvent::PodGone { pod: number });
        } else if pod.workload().is_some() && !pod.ready && pod.waiting.is_empty() {
            pod::change(world, number, |pod| pod.ready = true);
        }
    }
    pod::schedule_pending(world);
}

/// Nothing was heard of a kubelet for a while.
pub(super) fn silent(world: &mut World, host: usize, generation: u64) {
    lost(world, host, generation, ReadyCondition::Unknown);
}

/// A node is Ready no longer, and its pods no longer count as healthy.
fn lost(world: &mut World, host: usize, generation: u64, condition: ReadyCondition) {
    let machine = &world.hosts[host];
    let Some(node) = machine.node.filter(|_| machine.kubelet_generation == generation) else { return };
    set_ready(world, node, condition);
    let numbers: Vec<u32> = world.cluster.nodes[node].pods.iter().copied().collect();
    for number in numbers {
        pod::change(world, number, |pod| pod.ready = false);
    }
    world.after(GIVEN_UP_AFTER, SimulationEvent::PodsGivenUp { host, generation });
}

/// The node was away for too long: controllers replace its pods elsewhere.
pub(super) fn given_up(world: &mut World, host: usize, generation: u64) {
    let machine = &world.hosts[host];
    let Some(node) = machine.node.filter(|_| machine.kubelet_generation == generation) else { return };
    let lost: Vec<u32> = world
        .cluster
        .pods_on(node)
        .filter(|(_, pod)| pod.workload().is_some() && !pod.terminating)
        .map(|(number, _)| number)
        .collect();
    for number in lost {
        pod::delete(world, number);
    }
}

/// A machine goes down to come back with another boot id.
pub(super) fn reboot(world: &mut World, host: usize) {
    go_down(world, host);
    let away = world.hosts[host].random.secs(45, 75);
    world.after(away, SimulationEvent::Booted { host });
}

/// A machine loses its power in the middle of whatever it does, and has none for a while, or for ever.
pub(super) fn power_lost(world: &mut World, host: usize, lasting: Option<Millis>) {
    go_down(world, host);
    let back = lasting.map_or(Millis::MAX, |lasting| world.now + lasting);
    world.hosts[host].active_faults.dark_until = back;
    if let Some(lasting) = lasting {
        // The machine starts with its power.
        let boot = world.hosts[host].random.secs(45, 75);
        world.after(lasting + boot, SimulationEvent::Booted { host });
    }
}

fn go_down(world: &mut World, host: usize) {
    world.end_all(host, Exit::Interrupted);
    let machine = &mut world.hosts[host];
    machine.down = true;
    machine.kubelet_generation += 1;
    let generation = machine.kubelet_generation;
    world.after(SILENT_AFTER, SimulationEvent::KubeletSilent { host, generation });
}

/// A machine is back.
pub(super) fn booted(world: &mut World, host: usize) {
    let now = world.now;
    let machine = &mut world.hosts[host];
    if now < machine.active_faults.dark_until || !machine.down {
        return;
    }
    machine.down = false;
    machine.booted_at = now;
    machine.boot_id = machine.random.uuid();
    machine.forget_reboot();
    let kubelet_starts = machine.units.get("kubelet.service").is_some_and(SimulatedUnit::starts_at_boot);
    for unit in machine.units.values_mut() {
        unit.boot(now);
    }
    if kubelet_starts {
        start(world, host, true);
        world.start_api_server(host);
    }
}
