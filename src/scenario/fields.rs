//! What may be written in a scenario: the tables from which the reference page is made, and a schema can be.

use std::sync::LazyLock;

use super::FaultKind;
use super::parse::{Command, ExpectedNode, ExpectedStep, File, Metadata, Package, Port};
use crate::source::FromNode;
use crate::value::{Field, Type, Value};

/// A fault as people write it.
#[derive(Clone, Debug)]
pub struct FaultInfo {
    /// Its word.
    pub word: &'static str,
    /// What happens, in a sentence.
    pub doc: &'static str,
    /// Its own fields.
    pub fields: Vec<Field>,
    /// Whom it befalls.
    pub on: FaultTarget,
}

/// Whom a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTarget {
    /// Hosts, whenever it is.
    Hosts,
    /// A step of hosts.
    Step,
    /// The controller, once the run has begun.
    Controller,
}

const A_WHILE: &str = "How long it lasts; for ever where it is left out.";

fn lasting() -> Field {
    Field::optional("for", Type::Duration, A_WHILE)
}

fn words(words: &[&str]) -> Type {
    Type::Enum(words.iter().map(|word| (*word).to_owned()).collect())
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

/// Top of the file.
pub static TOP: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let list = || Type::List(Box::new(Type::Map(Box::new(Type::Any))));
    vec![
        Field::required("apiVersion", words(&["rollbook/v1"]), "The format."),
        Field::required("kind", words(&["Scenario"]), "What the file is."),
        Field::required("metadata", Metadata::ty(), "`name`, and a `description`."),
        Field::optional(
            "runbook",
            Type::Str,
            "The runbook, relative to the scenario's directory; one on the command line is stronger.",
        ),
        Field::optional("inventory", Type::Str, "The inventory, in the same form; `-i` overrides it."),
        Field::optional(
            "params",
            Type::Map(Box::new(Type::Any)),
            "Values for the runbook's parameters; `--params-file` and `-p` are stronger.",
        ),
        Field::optional("limit", Type::Str, "As `--limit`, which is stronger."),
        Field::optional(
            "only",
            Type::List(Box::new(Type::Str)),
            "As `--only`: tags, ids of steps or includes, names of phases. `--only` and `--skip` are stronger than both.",
        ),
        Field::optional("skip", Type::List(Box::new(Type::Str)), "As `--skip`."),
        Field::optional("seed", Type::Int, "As `--seed`, which is stronger; 1 where neither is given."),
        Field::optional("kubernetes", Type::Version, "As `--kubernetes`, which is stronger."),
        Field::optional("faults", list(), "What goes wrong; see below."),
        Field::optional("commands", Command::ty().listed(), "How commands of the runbook answer; see below."),
        Field::optional(
            "packages",
            Package::ty().listed(),
            "Packages that the simulation does not know, by repository; see below.",
        ),
        Field::optional("files", File::ty().listed(), "Files that are there from the beginning; see below."),
        Field::optional("ports", Port::ty().listed(), "Ports that are open from the beginning; see below."),
        Field::optional(
            "expect",
            Type::Map(Box::new(Type::Any)),
            "What must come of it; see below. `rehearse --check` needs it.",
        ),
    ]
});

/// Fields of every fault.
pub static COMMON: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::required("fault", Type::Str, "What goes wrong: one of the words below."),
        Field::optional(
            "host",
            Type::Str,
            "A selector of the inventory: the hosts it affects. Faults of the controller need none.",
        ),
        Field::optional(
            "step",
            Type::Str,
            "It strikes when this step begins on the host, once on each: a step's kind, id or name.",
        ),
        Field::optional("phase", Type::Str, "Only steps of this phase; with `step`."),
        Field::optional(
            "after_event",
            Type::Int,
            "It strikes when the journal holds this many events; with 0, between the plan and the run.",
        ),
        Field::optional(
            "after",
            Type::Duration,
            "It strikes so long after the step began, after the event, or, with neither, after the run began.",
        ),
    ]
});

/// Faults by their words.
pub static FAULTS: LazyLock<Vec<FaultInfo>> = LazyLock::new(|| {
    let on = |on, word, doc, fields| FaultInfo { word, doc, fields, on };
    let hosts = |word, doc, fields| on(FaultTarget::Hosts, word, doc, fields);
    let step = |word, doc, fields| on(FaultTarget::Step, word, doc, fields);
    let controller = |word, doc, fields| on(FaultTarget::Controller, word, doc, fields);
    vec![
        step(
            "never_finishes",
            "The step's commands do nothing and never end; their time limit ends them.",
            vec![],
        ),
        step(
            "fails",
            "The step's commands do nothing and fail after a second.",
            vec![
                Field::with_default("exit", Type::Int, Value::Int(1), "Their exit code."),
                Field::optional("stderr", Type::Str, "What they say on standard error."),
                Field::with_default(
                    "times",
                    Type::Int,
                    Value::Int(1),
                    "How many of them, from the first one on.",
                ),
            ],
        ),
        hosts(
            "budget_blocks",
            "A pod stands on the node whose PodDisruptionBudget never lets it go.",
            vec![],
        ),
        hosts("pod_stuck", "A pod stands on the node that never ends once it is evicted.", vec![]),
        hosts("bare_pod", "A pod stands on the node that no controller would replace.", vec![]),
        hosts(
            "link_lost",
            "The connection is lost, and none can be made; what runs on the host goes on.",
            vec![lasting()],
        ),
        hosts(
            "power_lost",
            "The machine loses its power in the middle of whatever it does. It boots when the power is back.",
            vec![lasting()],
        ),
        hosts("mirror_dies", "Package repositories do not answer the host.", vec![lasting()]),
        hosts(
            "package_missing",
            "The host's repositories lack versions of a package.",
            vec![
                Field::required("package", Type::Str, "The package."),
                Field::with_default(
                    "version",
                    Type::Str,
                    text(""),
                    "Beginning of the versions that are missing; all where it is left out.",
                ),
            ],
        ),
        hosts(
            "lock_held",
            "Somebody else holds a lock of the package tools.",
            vec![
                Field::with_default(
                    "lock",
                    words(&["dpkg", "lists"]),
                    text("dpkg"),
                    "dpkg's lock, for which apt waits, or that of apt's lists, for which it does not.",
                ),
                Field::with_default("by", Type::Str, text(HOLDER), "Who holds it, as apt names it."),
                lasting(),
            ],
        ),
        hosts(
            "shutdown_inhibited",
            "Somebody has asked logind to be told of a shutdown.",
            vec![
                Field::with_default("by", Type::Str, text(INHIBITOR), "Who."),
                Field::with_default(
                    "mode",
                    words(&["block", "delay"]),
                    text("block"),
                    "Whether it blocks the shutdown or delays it for some seconds.",
                ),
                lasting(),
            ],
        ),
        hosts(
            "kubelet_does_not_start",
            "The kubelet dies whenever it is started; one that runs goes on.",
            vec![],
        ),
        hosts(
            "crash_loop",
            "A component of the control plane crashes again and again once kubeadm has replaced it and said SUCCESS.",
            vec![Field::with_default("component", words(&COMPONENTS), text("kube-scheduler"), "Which.")],
        ),
        hosts(
            "api_server_starts",
            "The control plane's API server has only just started: it forbids everything until it has read its rules. \
             With other control planes whose API server answers, nobody notices.",
            vec![lasting()],
        ),
        hosts("node_cordoned", "Somebody else cordons the node.", vec![lasting()]),
        hosts(
            "node_uncordoned",
            "Somebody else uncordons the node, as `kubectl uncordon` does, regardless of who cordoned it: pods may come back.",
            vec![],
        ),
        hosts(
            "node_deleted",
            "Somebody deletes the node, as `kubectl delete node` does; the machine goes on. Once its kubelet is restarted, \
             by whatever or when the time is over, the node is back under its name, with another UID, and takes pods.",
            vec![lasting()],
        ),
        hosts("node_not_ready", "The node's kubelet dies, and cannot be started.", vec![lasting()]),
        hosts(
            "clock_jumps",
            "The machine's clock jumps; what it dated before keeps its date.",
            vec![Field::required("by", Type::Str, "By how much: `1h`, or `-1h` for backwards.")],
        ),
        hosts("swap_on", "Swap is on, with which a kubelet does not start.", vec![]),
        hosts("reboot_required", "The machine says that it wants a reboot.", vec![]),
        hosts(
            "up_to_date",
            "Its packages of the distribution are as new as the repository has them. Other simulated machines have \
             pending updates, a kernel among them, after which they want a reboot.",
            vec![],
        ),
        controller(
            "controller_killed",
            "Rollbook itself is killed, as by `kill -9`.",
            vec![Field::with_default(
                "then",
                words(&["resume", "leave"]),
                text("resume"),
                "`resume`: another one goes on with the run at once, in the same rehearsal. `leave`: the rehearsal ends there with exit code 137, and `rollbook resume` goes on with it.",
            )],
        ),
        controller(
            "stopped",
            "Somebody asks the run to stop. A second such fault asks it to stop at once.",
            vec![Field::with_default("by", words(&["ctrl_c", "sigterm"]), text("ctrl_c"), "How.")],
        ),
        controller(
            "approval_refused",
            "The next time that the run waits for a person, at a gate or a pause, the answer is no. Without it, a rehearsal approves everything at once.",
            vec![],
        ),
    ]
});

/// Who inhibits a shutdown where nobody says.
pub(super) const INHIBITOR: &str = "backup";

/// Who holds a lock where nobody says.
pub(super) const HOLDER: &str = "process 4321 (unattended-upgr)";

/// Components of a control plane.
pub(super) const COMPONENTS: [&str; 4] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// `expect`.
pub static EXPECT: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let steps = || ExpectedStep::ty().listed();
    vec![
        Field::optional("exit", Type::Int, "The exit code."),
        Field::optional(
            "stopped_by",
            Type::Str,
            "Text in the summary's `stopped_by`; `none` where the run must go to its end.",
        ),
        Field::optional(
            "hosts",
            Type::Map(Box::new(words(&super::expect::HostEnd::WORDS))),
            "How hosts end, by selector: the gravest end of each in any phase.",
        ),
        Field::optional(
            "left",
            Type::Str,
            "A selector: exactly these hosts are left out of service or half-changed. `none` for no host.",
        ),
        Field::optional("ran", steps(), "Steps that must have run."),
        Field::optional("did_not_run", steps(), "Steps that must not have run."),
        Field::optional(
            "slots",
            Type::Int,
            "So many hosts at most hold a slot of the budget at the same time.",
        ),
        Field::optional("says", Type::List(Box::new(Type::Str)), "Texts that people must be told."),
        Field::optional("nodes", ExpectedNode::ty().mapped(), "How nodes stand at the end, by selector."),
    ]
});

impl FaultKind {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NeverFinishes => "never_finishes",
            Self::Fails { .. } => "fails",
            Self::BudgetBlocks => "budget_blocks",
            Self::PodStuck => "pod_stuck",
            Self::BarePod => "bare_pod",
            Self::LinkLost { .. } => "link_lost",
            Self::PowerLost { .. } => "power_lost",
            Self::MirrorDies { .. } => "mirror_dies",
            Self::PackageMissing { .. } => "package_missing",
            Self::LockHeld { .. } => "lock_held",
            Self::ShutdownInhibited { .. } => "shutdown_inhibited",
            Self::KubeletDoesNotStart => "kubelet_does_not_start",
            Self::CrashLoop { .. } => "crash_loop",
            Self::ApiServerStarts { .. } => "api_server_starts",
            Self::NodeCordoned { .. } => "node_cordoned",
            Self::NodeUncordoned => "node_uncordoned",
            Self::NodeDeleted { .. } => "node_deleted",
            Self::NodeNotReady { .. } => "node_not_ready",
            Self::ClockJumps { .. } => "clock_jumps",
            Self::SwapOn => "swap_on",
            Self::RebootRequired => "reboot_required",
            Self::UpToDate => "up_to_date",
            Self::ControllerKilled { .. } => "controller_killed",
            Self::Stopped { .. } => "stopped",
            Self::ApprovalRefused => "approval_refused",
        }
    }
}
