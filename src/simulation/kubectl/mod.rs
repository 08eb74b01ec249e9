//! `kubectl` on a simulated host: how it finds the API server, and its verbs. Texts are those of kubectl 1.20.2 and
//! 1.32.4.

mod access;
mod drain;
mod get;
mod json;
mod jsonpath;
mod node;
mod object;
mod patch;
mod rows;
mod selector;
mod table;
mod wait;

use super::command::Invocation;
use super::objects::ObjectKey;
use super::process::{Output, ProcessStep};
use super::world::World;
use super::{answers, assumed};
use crate::value::Minor;

pub(super) use patch::merge;

/// Options whose value is an argument of its own.
const TAKES_VALUE: [&str; 28] = [
    "--as",
    "--chunk-size",
    "--cluster",
    "--container",
    "--context",
    "--field-manager",
    "--field-selector",
    "--filename",
    "--for",
    "--grace-period",
    "--kubeconfig",
    "--namespace",
    "--output",
    "--patch",
    "--pod-selector",
    "--request-timeout",
    "--selector",
    "--server",
    "--sort-by",
    "--tail",
    "--timeout",
    "--type",
    "-c",
    "-f",
    "-l",
    "-n",
    "-o",
    "-p",
];

/// A call of kubectl, past its global options.
pub(super) struct KubectlCall<'a> {
    command: &'a Invocation,
    /// The verb's arguments.
    args: Vec<&'a str>,
    /// The namespace, where one was named.
    namespace: Option<&'a str>,
    /// Whether this kubectl writes as those before 1.22 do.
    old: bool,
}

impl<'a> KubectlCall<'a> {
    /// The value of an option under any of its names.
    fn option(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.command.option(name)).or_else(|| {
            // `-ojson`, `-nkube-system`.
            let short = names.iter().find(|name| name.len() == 2)?;
            let args = self.command.args().iter();
            args.filter(|arg| !arg.starts_with("--"))
                .find_map(|arg| arg.strip_prefix(*short))
                .filter(|v| !v.is_empty())
        })
    }

    /// The format after `-o`.
    fn output(&self) -> &'a str {
        self.option(&["--output", "-o"]).unwrap_or_default()
    }

    /// Whether a flag was given, alone or as `--flag=true`.
    fn has(&self, flag: &str) -> bool {
        let is_true = format!("{flag}=true");
        self.command.has(flag) || self.command.has(&is_true)
    }

    /// A duration such as `30s` or `2m`, in milliseconds; 0 where there is none.
    fn millis(&self, name: &str) -> i64 {
        let text = self.option(&[name]).unwrap_or("0");
        crate::value::Duration::parse(text)
            .map_or(0, |duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4))
    }
}

/// Whether a call may change anything.
pub(super) fn changes(command: &Invocation) -> bool {
    let operands = command.operands(&TAKES_VALUE);
    let verb = operands.first().copied().unwrap_or_default();
    let reads = [
        "get",
        "describe",
        "version",
        "wait",
        "explain",
        "logs",
        "top",
        "auth",
        "api-resources",
        "cluster-info",
        "config",
        "api-versions",
        "diff",
        "events",
        "options",
    ];
    !reads.contains(&verb)
        && !verb.is_empty()
        && !access::is_review(command)
        && !command.args().iter().any(|arg| arg.starts_with("--dry-run"))
}

/// `kubectl …`.
pub(super) fn kubectl(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let installed = world.hosts[command.host].packages.kubernetes_version("kubectl");
    // On the administrator's own machine a rehearsal takes it to be there, in the cluster's version.
    let is_outside = world.hosts[command.host].is_controller();
    if is_outside {
        out.assume("kubectl is installed, and its account may do everything");
    }
    let Some(version) = installed.or_else(|| is_outside.then(|| world.cluster.kubeadm_config.clone())) else {
        out.complain("simulated host: no such program: kubectl");
        return ProcessStep::Exit(127);
    };
    let operands = command.operands(&TAKES_VALUE);
    let Some((verb, args)) = operands.split_first() else { return ProcessStep::Exit(0) };
    let call = KubectlCall {
        command,
        args: args.to_vec(),
        namespace: command.option("--namespace").or_else(|| command.option("-n")),
        old: version.minor() < Minor::new(1, 22),
    };
    if let Err(text) = access::reach(world, &call, verb) {
        if *verb == "version" {
            node::print_version(&call, &version, None, out);
        }
        out.complain(text);
        return ProcessStep::Exit(1);
    }
    if let Some(answer) = access::raw(world, &call, verb) {
        out.line(answer);
        return ProcessStep::Exit(0);
    }
    if is_foreign(world, &call, verb) {
        out.unheard = true;
        if world.assumed.is_on && !command.probe {
            out.assume(assumed::succeeds(command));
            return ProcessStep::Exit(0);
        }
    }
    match *verb {
        "get" if expects_pods(world, &call) => {
            out.stdout.push_str(ASSUMED_POD);
            out.assume(format!("pods {} are there and Ready", pods_of(&call)));
            ProcessStep::Exit(0)
        }
        "get" => {
            let mut printed = Output::default();
            let code = get::get(world, &call, &mut printed);
            if code != 0 && printed.unheard {
                return assumed::beyond(world, command, out, printed.stderr.trim_end(), code);
            }
            out.stdout.push_str(&printed.stdout);
            out.stderr.push_str(&printed.stderr);
            ProcessStep::Exit(code)
        }
        "version" => {
            let server = world.api_server();
            node::print_version(&call, &version, server.as_ref(), out);
            ProcessStep::Exit(0)
        }
        "cordon" | "uncordon" => ProcessStep::Exit(node::cordon(world, &call, *verb == "cordon", out)),
        "annotate" | "label" => ProcessStep::Exit(node::annotate(world, &call, verb, out)),
        "patch" => ProcessStep::Exit(patch::patch(world, &call, out)),
        "drain" => drain::drain(world, &call, out),
        "wait" => wait::wait(world, &call, out),
        "create" | "replace" | "apply" | "delete" => {
            ProcessStep::Exit(object::write(world, &call, verb, out))
        }
        "auth" => {
            out.line("yes");
            ProcessStep::Exit(0)
        }
        "rollout" | "describe" | "logs" | "top" | "explain" | "api-resources" | "cluster-info" | "config" => {
            out.assume(assumed::succeeds(command));
            ProcessStep::Exit(0)
        }
        "exec" | "scale" | "taint" | "set" | "run" | "expose" => {
            out.assume(assumed::succeeds(command));
            ProcessStep::after(1000, |_, _| ProcessStep::Exit(0))
        }
        // A plugin, or what nobody here plays.
        _ if world.assumed.is_on => {
            out.assume(assumed::succeeds(command));
            ProcessStep::after(assumed::OPAQUE, |_, _| ProcessStep::Exit(0))
        }
        other => {
            out.complain(format!("error: unknown command \"{other}\" for \"kubectl\""));
            ProcessStep::Exit(1)
        }
    }
}

/// A call about things that nobody here plays.
fn is_foreign(world: &World, call: &KubectlCall<'_>, verb: &str) -> bool {
    let asks = ["get", "wait", "delete", "patch", "label", "annotate"].contains(&verb);
    if !asks || call.has("--ignore-not-found") || call.option(&["--raw"]).is_some() {
        return false;
    }
    let (resource, names) = resource_and_names(&call.args);
    let namespace = call.namespace.unwrap_or("default");
    let is_known = |name: &&str| {
        let of_kubeadm = namespace == "kube-system" && json::kubeadm_config_map(world, name).is_some();
        resource == "configmaps" && of_kubeadm || {
            let (resource, name) = (get::singular(resource), (*name).to_owned());
            let key = ObjectKey { resource, namespace: namespace.to_owned(), name };
            world.cluster.objects.get(&key).is_some()
        }
    };
    match resource {
        "nodes" | "namespaces" | "namespace" | "ns" | "leases.coordination.k8s.io" => false,
        // Of a workload that nobody here plays.
        "pods" | "pdb" if verb == "get" => {
            let is_played = |name: &&str| match resource {
                "pods" => world.cluster.pods.values().any(|pod| pod.name == **name),
                _ => world.cluster.budgets.iter().any(|budget| budget.name == **name),
            };
            !call.command.probe && !names.is_empty() && !names.iter().any(is_played)
        }
        "pods" => verb == "wait",
        "pdb" => false,
        _ => !names.iter().any(is_known),
    }
}

/// What a look at pods prints that are only taken to be there: as a drain sees them.
const ASSUMED_POD: &str = "assumed\tassumed\t\"Running\"\t\t\"ReplicaSet\"\t\t\t\"True\"\t\n";

/// Whether somebody waits for pods that nobody here plays.
fn expects_pods(world: &World, call: &KubectlCall<'_>) -> bool {
    let is_look = rows::Rows::of(call.output()) == Some(rows::Rows::Pods);
    let mut printed = Output::default();
    is_look
        && answers::is_awaited(world, call.command)
        && get::get(world, call, &mut printed) == 0
        && printed.stdout.is_empty()
}

/// The pods that a call selects, in words.
fn pods_of(call: &KubectlCall<'_>) -> String {
    let selector = call.option(&["--selector", "-l"]).unwrap_or_default();
    format!("{selector} of {}", call.namespace.unwrap_or("default"))
}

/// `Error from server (NotFound): nodes "w9" not found`.
fn not_found(resource: &str, name: &str) -> String {
    format!("Error from server (NotFound): {resource} \"{name}\" not found")
}

/// The resource's usual name in the plural, of what people type.
fn plural(word: &str) -> &str {
    match word {
        "no" | "node" | "nodes" => "nodes",
        "po" | "pod" | "pods" => "pods",
        "pdb" | "poddisruptionbudget" | "poddisruptionbudgets" | "poddisruptionbudgets.policy" => "pdb",
        "cm" | "configmap" | "configmaps" => "configmaps",
        "lease" | "leases" | "leases.coordination.k8s.io" | "lease.coordination.k8s.io" => {
            "leases.coordination.k8s.io"
        }
        other => other,
    }
}

/// Resource and names of `nodes`, `node w1`, `node/w1 node/w2`.
fn resource_and_names<'a>(args: &[&'a str]) -> (&'a str, Vec<&'a str>) {
    let Some((first, rest)) = args.split_first() else { return ("", Vec::new()) };
    match first.split_once('/') {
        Some((resource, _)) => {
            (plural(resource), args.iter().filter_map(|arg| Some(arg.split_once('/')?.1)).collect())
        }
        None => (plural(first), rest.to_vec()),
    }
}
