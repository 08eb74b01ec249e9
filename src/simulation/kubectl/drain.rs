//! `kubectl drain`: cordons, sorts the node's pods, evicts as the budgets allow, waits for their end.

use super::super::pod::{self, Pod, PodOwner};
use super::super::process::{Output, ProcessStep};
use super::super::world::{Millis, World};
use super::selector::labels_match;
use super::{KubectlCall, not_found};

/// A blocked eviction is tried again after this long.
const RETRY: Millis = 5000;
/// One that is blocked for long is tried less often than by a real kubectl: after a hundredth of the time that it was.
const PATIENCE: Millis = 100;
/// Evicted pods are looked for this often.
const LOOK: Millis = 2000;

/// A drain under way.
struct DrainRun {
    name: String,
    /// Of pods still to be evicted: number, namespace, name.
    todo: Vec<Named>,
    /// Of pods whose end is waited for.
    ending: Vec<Named>,
    disable_eviction: bool,
    /// `--timeout` as written, and when it ends.
    limit: String,
    began: Millis,
    until: Millis,
    retry_at: Millis,
    /// The texts of clients before 1.22.
    old: bool,
}

#[derive(Clone)]
struct Named {
    number: u32,
    namespace: String,
    name: String,
}

/// `kubectl drain NODE [flags]`.
pub(super) fn drain(world: &mut World, call: &KubectlCall<'_>, out: &mut Output) -> ProcessStep {
    let Some(name) = call.args.first().copied() else {
        out.complain("error: USAGE: drain NODE [flags]");
        return ProcessStep::Exit(1);
    };
    let Some(node) = world.cluster.node_index(name) else {
        out.complain(not_found("nodes", name));
        return ProcessStep::Exit(1);
    };
    if world.cluster.nodes[node].unschedulable {
        out.line(format!("node/{name} already cordoned"));
    } else {
        world.cluster.set_cordon(node, true);
        out.line(format!("node/{name} cordoned"));
    }
    let sorted = Sorted::of(world, call, node);
    if let Some(refusals) = sorted.refusals(call) {
        fail(name, call.old, &refusals, out);
        return ProcessStep::Exit(1);
    }
    sorted.warn(call, out);
    let timeout = call.millis("--timeout");
    let drain = DrainRun {
        name: name.to_owned(),
        todo: sorted.evict,
        ending: Vec::new(),
        disable_eviction: call.has("--disable-eviction"),
        limit: call.option(&["--timeout"]).unwrap_or("0s").to_owned(),
        until: if timeout == 0 { Millis::MAX } else { world.now + timeout },
        began: world.now,
        retry_at: world.now,
        old: call.old,
    };
    step(world, drain, out)
}

/// The pods of a node, by what a drain does with them.
#[derive(Default)]
struct Sorted {
    evict: Vec<Named>,
    daemons: Vec<String>,
    bare: Vec<String>,
    local: Vec<String>,
}

impl Sorted {
    fn of(world: &World, call: &KubectlCall<'_>, node: usize) -> Self {
        let mut sorted = Self::default();
        let selector = call.option(&["--pod-selector"]).unwrap_or_default();
        for (number, pod) in world.cluster.pods_on(node) {
            let path = format!("{}/{}", pod.namespace, pod.name);
            if pod.terminating || !labels_match(selector, &pod.labels) {
                continue;
            }
            match pod.owner {
                PodOwner::DaemonSet(_) => {
                    sorted.daemons.push(path);
                    continue;
                }
                PodOwner::Node(_) => continue,
                PodOwner::Nobody => sorted.bare.push(path.clone()),
                PodOwner::ReplicaSet(_) => {}
            }
            if pod.empty_dir {
                sorted.local.push(path);
            }
            sorted.evict.push(Named { number, namespace: pod.namespace.clone(), name: pod.name.clone() });
        }
        sorted
    }

    /// Why kubectl does not begin.
    fn refusals(&self, call: &KubectlCall<'_>) -> Option<Vec<String>> {
        let mut refusals = Vec::new();
        if !self.daemons.is_empty() && !call.has("--ignore-daemonsets") {
            let pods = self.daemons.join(", ");
            refusals.push(format!(
                "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): {pods}"
            ));
        }
        if !self.bare.is_empty() && !call.has("--force") {
            let pods = self.bare.join(", ");
            refusals.push(if call.old {
                format!("cannot delete Pods not managed by {MANAGERS} (use --force to override): {pods}")
            } else {
                format!("cannot delete cannot delete Pods that declare no controller (use --force to override): {pods}")
            });
        }
        let may_delete_data = call.has("--delete-emptydir-data") || call.has("--delete-local-data");
        if !self.local.is_empty() && !may_delete_data {
            let pods = self.local.join(", ");
            refusals.push(format!(
                "cannot delete Pods with local storage (use --delete-emptydir-data to override): {pods}"
            ));
        }
        (!refusals.is_empty()).then_some(refusals)
    }

    fn warn(&self, call: &KubectlCall<'_>, out: &mut Output) {
        let mut warnings = Vec::new();
        if !self.daemons.is_empty() {
            warnings.push(format!("ignoring DaemonSet-managed Pods: {}", self.daemons.join(", ")));
        }
        if !self.bare.is_empty() {
            let what = if call.old {
                format!("not managed by {MANAGERS}")
            } else {
                "that declare no controller".to_owned()
            };
            warnings.push(format!("deleting Pods {what}: {}", self.bare.join(", ")));
        }
        if !warnings.is_empty() {
            let word = if call.old { "WARNING" } else { "Warning" };
            out.complain(format!("{word}: {}", warnings.join("; ")));
        }
    }
}

const MANAGERS: &str = "ReplicationController, ReplicaSet, Job, DaemonSet or StatefulSet";

/// What kubectl prints at the end of a drain that failed.
fn fail(node: &str, old: bool, errors: &[String], out: &mut Output) {
    let joined = match errors {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    if old {
        out.complain(format!("error: unable to drain node \"{node}\", aborting command...\n"));
    } else {
        out.complain(format!(
            "error: unable to drain node \"{node}\" due to error: {joined}, continuing command..."
        ));
    }
    out.complain(format!("There are pending nodes to be drained:\n {node}"));
    let prefix = if old && errors.len() == 1 { "error: " } else { "" };
    for error in errors {
        out.complain(format!("{prefix}{error}"));
    }
}

/// Looks for pods that are gone, tries to evict those that are due, and sleeps.
fn step(world: &mut World, mut drain: DrainRun, out: &mut Output) -> ProcessStep {
    let done = if drain.disable_eviction { "deleted" } else { "evicted" };
    drain.ending.retain(|pod| {
        let there = world.cluster.pods.contains_key(&pod.number);
        if !there {
            out.line(format!("pod/{} {done}", pod.name));
        }
        there
    });
    if world.now >= drain.retry_at {
        drain.retry_at = world.now + RETRY.max((world.now - drain.began) / PATIENCE);
        if let Err(errors) = evict(world, &mut drain, out) {
            pending(&drain, &errors, out);
            return ProcessStep::Exit(1);
        }
    }
    if drain.todo.is_empty() && drain.ending.is_empty() {
        let done = if drain.old { done } else { "drained" };
        out.line(format!("node/{} {done}", drain.name));
        return ProcessStep::Exit(0);
    }
    if world.now >= drain.until {
        pending(&drain, &timed_out(&drain), out);
        return ProcessStep::Exit(1);
    }
    let next = if drain.ending.is_empty() { drain.retry_at } else { (world.now + LOOK).min(drain.retry_at) };
    let wait = next.min(drain.until) - world.now;
    ProcessStep::after(wait, move |world, out| step(world, drain, out))
}

/// Tries to evict every pod that is left. An error is one that no later try would mend.
fn evict(world: &mut World, drain: &mut DrainRun, out: &mut Output) -> Result<(), Vec<String>> {
    let mut blocked = Vec::new();
    let mut errors = Vec::new();
    for named in std::mem::take(&mut drain.todo) {
        let Some(pod) = world.cluster.pods.get(&named.number) else { continue };
        if !drain.disable_eviction {
            out.line(format!("evicting pod {}/{}", named.namespace, named.name));
            let about = format!("error when evicting pods/\"{}\" -n \"{}\"", named.name, named.namespace);
            match verdict(world, pod) {
                EvictionVerdict::Goes => {}
                EvictionVerdict::Blocked => {
                    out.complain(format!("{about} (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget."));
                    blocked.push(named);
                    continue;
                }
                EvictionVerdict::TwoBudgets => {
                    errors.push(format!(
                        "{about}: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                    ));
                    blocked.push(named);
                    continue;
                }
            }
        }
        pod::delete(world, named.number);
        drain.ending.push(named);
    }
    drain.todo = blocked;
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

enum EvictionVerdict {
    Goes,
    Blocked,
    TwoBudgets,
}

/// The eviction endpoint's answer: a pod that is not Ready goes while its budget is met without it.
fn verdict(world: &World, pod: &Pod) -> EvictionVerdict {
    let Some(workload) = pod.workload() else { return EvictionVerdict::Goes };
    let over = world.cluster.budgets.iter().filter(|budget| budget.workload == workload);
    let over: Vec<_> = over.collect();
    let [budget] = over.as_slice() else {
        return if over.is_empty() { EvictionVerdict::Goes } else { EvictionVerdict::TwoBudgets };
    };
    let status = world.cluster.status_of(budget);
    let goes = if pod.ready { status.allowed() > 0 } else { status.healthy >= status.desired };
    if goes { EvictionVerdict::Goes } else { EvictionVerdict::Blocked }
}

fn timed_out(drain: &DrainRun) -> Vec<String> {
    let limit = &drain.limit;
    let blocked = drain.todo.iter().map(|pod| {
        format!(
            "error when evicting pods/\"{}\" -n \"{}\": global timeout reached: {limit}",
            pod.name, pod.namespace
        )
    });
    let ending = drain.ending.iter().map(|pod| {
        if drain.old {
            format!("error when waiting for pod \"{}\" terminating: global timeout reached: {limit}", pod.name)
        } else {
            let (name, namespace) = (&pod.name, &pod.namespace);
            format!("error when waiting for pod \"{name}\" in namespace \"{namespace}\" to terminate: context deadline exceeded")
        }
    });
    blocked.chain(ending).collect()
}

fn pending(drain: &DrainRun, errors: &[String], out: &mut Output) {
    let joined = match errors {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    out.complain(format!(
        "There are pending pods in node \"{}\" when an error occurred: {joined}",
        drain.name
    ));
    for pod in drain.todo.iter().chain(&drain.ending) {
        out.complain(format!("pod/{}", pod.name));
    }
    fail(&drain.name, drain.old, errors, out);
}
