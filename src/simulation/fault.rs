//! What can go wrong in a simulated roll.

use super::answers;
use super::budget::Allowance;
use super::command::Invocation;
use super::host::{Failing, PackageLock};
use super::obstacle::SimulatedInhibitor;
use super::op_fault::{DoomedOp, OpFault};
use super::pod::{self, SimulatedWorkload, WorkloadKind};
use super::process::{Output, ProcessStep};
use super::world::{Millis, SimulationEvent, World};
use crate::value::Duration;

/// Something to go wrong. Hosts go by their inventory names; times count from the beginning of the simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection can be made or kept for a while, or for ever.
    Unreachable {
        /// The host.
        host: String,
        /// From when.
        at: Duration,
        /// For how long; for ever where it is absent.
        lasting: Option<Duration>,
    },
    /// The link is lost while an op runs; the op goes on.
    LinkLost {
        /// The host.
        host: String,
        /// Text in the op's command line. The first op that holds it is hit, once.
        command: String,
        /// So long after the op's start.
        after: Duration,
    },
    /// An op does nothing and fails after a second.
    OpFails {
        /// The host.
        host: String,
        /// Text in the op's command line.
        command: String,
        /// Exit code.
        code: i32,
        /// Standard error.
        stderr: String,
        /// How many times, from the first one on.
        times: u32,
    },
    /// An op does at once what it is for, and fails after a second, as kubectl does whose answer is lost.
    AnswerLost {
        /// The host.
        host: String,
        /// Text in the op's command line.
        command: String,
        /// Exit code.
        code: i32,
        /// Standard error.
        stderr: String,
        /// How many times, from the first one on.
        times: u32,
    },
    /// A pod that its budget never lets go stands on the host's node.
    DrainBlocked {
        /// The host.
        host: String,
    },
    /// A pod that no controller replaces stands on the host's node.
    BarePod {
        /// The host.
        host: String,
    },
    /// Package repositories do not answer this host.
    MirrorDead {
        /// The host.
        host: String,
    },
    /// This host's repositories lack versions of a package.
    PackageMissing {
        /// The host.
        host: String,
        /// The package.
        package: String,
        /// Beginning of the versions that are missing.
        version: String,
    },
    /// Somebody else holds a lock of the package tools.
    LockHeld {
        /// The host.
        host: String,
        /// Who, in apt's words: `process 4321 (unattended-upgr)`.
        holder: String,
        /// Until when.
        until: Duration,
        /// The lock of apt's lists, instead of dpkg's.
        lists: bool,
    },
    /// Somebody has asked logind to be told of a shutdown.
    ShutdownInhibited {
        /// The host.
        host: String,
        /// Who.
        who: String,
        /// It blocks the shutdown, instead of delaying it for some seconds.
        blocks: bool,
        /// Until when.
        until: Duration,
    },
    /// The kubelet dies whenever it is started, from now on; a running one goes on.
    KubeletDoesNotStart {
        /// The host.
        host: String,
    },
    /// A control plane's component crashes again and again once kubeadm has replaced it, after kubeadm said SUCCESS.
    StaticPodCrashLoops {
        /// The host.
        host: String,
        /// `kube-scheduler` and the like.
        component: String,
    },
    /// The node's kubelet dies.
    NodeNotReady {
        /// The host.
        host: String,
        /// When; zero means that it was so before.
        at: Duration,
    },
    /// Somebody else cordons the node.
    NodeCordoned {
        /// The host.
        host: String,
        /// When; zero means that it was so before.
        at: Duration,
    },
    /// A running node's kubelet works again, whatever ailed it.
    KubeletRecovers {
        /// The host.
        host: String,
    },
    /// The API server of a control plane has only just started, and forbids everything until it has read its rules.
    ApiServerStarts {
        /// The host.
        host: String,
        /// How long that takes; for ever where it is absent.
        lasting: Option<Duration>,
    },
    /// The account that kubectl has on this host lacks a right.
    RightMissing {
        /// The host.
        host: String,
        /// `patch` and the like.
        verb: String,
        /// In the plural: `nodes`.
        resource: String,
    },
    /// Somebody else takes the cordon away, as `kubectl uncordon` does: annotations stay.
    NodeUncordoned {
        /// The host.
        host: String,
    },
    /// Somebody restarts the node's kubelet.
    KubeletRestarted {
        /// The host.
        host: String,
    },
    /// Somebody deletes the node's object; the machine goes on.
    NodeDeleted {
        /// The host.
        host: String,
    },
    /// A pod that never ends stands on the host's node.
    PodStuck {
        /// The host.
        host: String,
    },
    /// Package repositories answer this host again.
    MirrorAnswers {
        /// The host.
        host: String,
    },
    /// The machine loses its power now, in the middle of whatever it does.
    PowerLost {
        /// The host.
        host: String,
        /// For how long; for ever where it is absent.
        lasting: Option<Duration>,
    },
    /// The machine's clock jumps now.
    ClockJumps {
        /// The host.
        host: String,
        /// By so many milliseconds; backwards where it is negative.
        millis: i64,
    },
    /// Ops are singled out by their launches.
    OpsDoomed {
        /// Host of the task.
        host: String,
        /// Beginning of the names of their launches: `PHASE-HOST-INDEX-`.
        launches: String,
        /// What becomes of them.
        op_fault: OpFault,
        /// How many, from the first one on.
        times: u32,
    },
    /// Swap is on: the kubelet does not start.
    SwapOn {
        /// The host.
        host: String,
    },
    /// Nothing of the distribution is left to upgrade.
    UpToDate {
        /// The host.
        host: String,
    },
    /// /var/run/reboot-required is there.
    RebootRequired {
        /// The host.
        host: String,
    },
}

impl Fault {
    /// The host that it befalls.
    pub fn host(&self) -> &str {
        match self {
            Self::Unreachable { host, .. }
            | Self::LinkLost { host, .. }
            | Self::OpFails { host, .. }
            | Self::AnswerLost { host, .. }
            | Self::DrainBlocked { host }
            | Self::BarePod { host }
            | Self::MirrorDead { host }
            | Self::PackageMissing { host, .. }
            | Self::LockHeld { host, .. }
            | Self::ShutdownInhibited { host, .. }
            | Self::KubeletDoesNotStart { host }
            | Self::StaticPodCrashLoops { host, .. }
            | Self::NodeNotReady { host, .. }
            | Self::NodeCordoned { host, .. }
            | Self::KubeletRecovers { host }
            | Self::NodeUncordoned { host }
            | Self::NodeDeleted { host }
            | Self::KubeletRestarted { host }
            | Self::ApiServerStarts { host, .. }
            | Self::RightMissing { host, .. }
            | Self::PodStuck { host }
            | Self::MirrorAnswers { host }
            | Self::PowerLost { host, .. }
            | Self::ClockJumps { host, .. }
            | Self::OpsDoomed { host, .. }
            | Self::SwapOn { host }
            | Self::UpToDate { host }
            | Self::RebootRequired { host } => host,
        }
    }
}

fn millis(duration: Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 2)
}

/// Makes a fault happen, now or at its time. `false` where there is no such host, or it is no node.
pub(super) fn inject(world: &mut World, fault: Fault) -> bool {
    let Some(index) = world.host_index(fault.host()) else { return false };
    let now = world.now;
    let host = &mut world.hosts[index];
    match fault {
        Fault::Unreachable { at, lasting, .. } => {
            let until = lasting.map_or(Millis::MAX, |lasting| millis(at.saturating_add(lasting)));
            host.active_faults.unreachable.push((millis(at), until));
        }
        Fault::LinkLost { command, after, .. } => host.active_faults.cuts.push((command, millis(after))),
        Fault::OpFails { command, code, stderr, times, .. } => {
            let failing = Failing { command, code, stderr, left: times, works: false };
            host.active_faults.failures.push(failing);
        }
        Fault::AnswerLost { command, code, stderr, times, .. } => {
            host.active_faults.failures.push(Failing { command, code, stderr, left: times, works: true });
        }
        Fault::MirrorDead { .. } => host.active_faults.mirror_dead = true,
        Fault::MirrorAnswers { .. } => host.active_faults.mirror_dead = false,
        Fault::PowerLost { lasting, .. } => super::kubelet::power_lost(world, index, lasting.map(millis)),
        Fault::ClockJumps { millis, .. } => host.active_faults.jumps.push((now, millis)),
        Fault::OpsDoomed { launches, op_fault, times, .. } => {
            world.faulty_ops.push(DoomedOp { launches, op_fault, times });
        }
        Fault::PackageMissing { package, version, .. } => host.packages.missing.push((package, version)),
        Fault::LockHeld { holder, until, lists, .. } => {
            let lock = Some(PackageLock { holder, pid: None, until: millis(until) });
            if lists {
                host.lists_lock = lock;
            } else {
                host.lock = lock;
            }
        }
        Fault::ApiServerStarts { lasting, .. } => {
            host.active_faults.forbids_until =
                lasting.map_or(Millis::MAX, |lasting| now.saturating_add(millis(lasting)));
        }
        Fault::ShutdownInhibited { who, blocks, until, .. } => {
            host.active_faults.inhibitors.push(SimulatedInhibitor { who, blocks, until: millis(until) });
        }
        Fault::RightMissing { verb, resource, .. } => {
            host.active_faults.missing_rights.push((verb, resource));
        }
        Fault::KubeletDoesNotStart { .. } => host.active_faults.kubelet_dies = true,
        Fault::StaticPodCrashLoops { component, .. } => host.active_faults.crash_loops.push(component),
        Fault::SwapOn { .. } => {
            let header = host.files.read("/proc/swaps").unwrap_or_default().to_owned();
            let text =
                format!("{header}/dev/vdb                                partition\t2097148\t\t0\t\t-2\n");
            host.files.put("/proc/swaps", text, "444", now);
        }
        Fault::RebootRequired { .. } => host.want_reboot(&["linux-base"], now),
        Fault::UpToDate { .. } => host.packages.bring_up_to_date(super::host::LONG_AGO - 60_000),
        fault @ (Fault::DrainBlocked { .. }
        | Fault::PodStuck { .. }
        | Fault::KubeletRecovers { .. }
        | Fault::NodeUncordoned { .. }
        | Fault::NodeDeleted { .. }
        | Fault::KubeletRestarted { .. }
        | Fault::BarePod { .. }
        | Fault::NodeNotReady { .. }
        | Fault::NodeCordoned { .. }) => return befall_node(world, index, &fault),
    }
    true
}

fn befall_node(world: &mut World, host: usize, fault: &Fault) -> bool {
    let Some(node) = world.hosts[host].node else { return false };
    match fault {
        Fault::NodeNotReady { at, .. } => {
            world.after(millis(*at) - world.now, SimulationEvent::KubeletDies { host });
        }
        Fault::NodeCordoned { at, .. } => {
            world.after(millis(*at) - world.now, SimulationEvent::Cordoned { node });
        }
        Fault::DrainBlocked { .. } => {
            // Placed by name on this node, kept by a controller, never allowed to go.
            let node_name = world.cluster.nodes[node].name.clone();
            let allowance = Some(Allowance::MinAvailable(1));
            pod::add_pinned(world, node, &format!("guarded-{node_name}"), allowance);
        }
        Fault::PodStuck { .. } => {
            let node_name = world.cluster.nodes[node].name.clone();
            let pod = pod::add_pinned(world, node, &format!("stuck-{node_name}"), None);
            pod::change(world, pod, |pod| pod.stuck = true);
        }
        Fault::KubeletRecovers { .. } => {
            let machine = &mut world.hosts[host];
            machine.active_faults.kubelet_dies = false;
            // Without power it starts with the machine.
            if !machine.down {
                super::kubelet::start(world, host, false);
            }
        }
        Fault::NodeDeleted { .. } => super::deleted::delete(world, node),
        Fault::KubeletRestarted { .. } if !world.hosts[host].down => {
            super::kubelet::start(world, host, false);
        }
        // It starts with the machine.
        Fault::KubeletRestarted { .. } => {}
        Fault::NodeUncordoned { .. } => {
            world.cluster.set_cordon(node, false);
            pod::schedule_pending(world);
        }
        _ => {
            let node = world.cluster.nodes[node].name.clone();
            let bare = SimulatedWorkload {
                namespace: "default".to_owned(),
                name: format!("bare-{node}"),
                kind: WorkloadKind::Bare { node },
                empty_dir: false,
                budget: None,
            };
            pod::add(world, &bare);
        }
    }
    // What was so before the beginning has happened already.
    world.advance(world.now);
    if let Fault::NodeNotReady { at, .. } = fault
        && *at == Duration::ZERO
    {
        world.cluster.nodes[node].ready = super::cluster::ReadyCondition::Unknown;
        world.cluster.touch(node);
    }
    true
}

/// What becomes of an op that a fault makes fail; its words go to `out`.
pub(super) fn planned_failure(
    world: &mut World,
    command: &Invocation,
    out: &mut Output,
) -> Option<ProcessStep> {
    if command.probe || world.hosts[command.host].active_faults.failures.is_empty() {
        return None;
    }
    let line = command.argv.join(" ");
    let failures = &mut world.hosts[command.host].active_faults.failures;
    let failing = failures.iter_mut().find(|failing| failing.left > 0 && line.contains(&failing.command))?;
    failing.left -= 1;
    let Failing { code, works, .. } = *failing;
    out.complain(failing.stderr.as_str());
    if works {
        answers::run(world, command, &mut Output::default());
    }
    Some(ProcessStep::after(1000, move |_, _| ProcessStep::Exit(code)))
}

/// How long after its start an op's link is cut, if at all. Takes the fault away: it strikes once.
pub(super) fn planned_cut(world: &mut World, host: usize, line: &str) -> Option<Millis> {
    let cuts = &mut world.hosts[host].active_faults.cuts;
    let index = cuts.iter().position(|(text, _)| line.contains(text.as_str()))?;
    Some(cuts.remove(index).1)
}
