//! Scenarios: what goes wrong in a rehearsal, and what must come of it. Pure: files in, data out, events in, strikes
//! out. Knows no simulation; the cli carries out what strikes.

mod expect;
mod fields;
mod injections;
mod page;
mod parse;

use crate::inventory::{Inventory, Selector};
use crate::source::codes::FAULT_MISSES;
use crate::source::{Diagnostics, Node, Span, Spanned};
use crate::value::{Duration, Version};

pub use expect::{Came, Expect, HostEnd, NodeExpect, NodeNow, SlotCount, StepExpect, judge};
pub use fields::{COMMON, EXPECT, FAULTS, FaultInfo, FaultTarget, TOP};
pub use injections::{Injection, Injections};
pub use page::page;
pub use parse::{parse, parse_leniently};

/// A scenario as written.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `metadata.name`.
    pub name: String,
    /// The runbook, relative to the scenario's own directory.
    pub runbook: Option<Spanned<String>>,
    /// The inventory, likewise.
    pub inventory: Option<Spanned<String>>,
    /// Values for the runbook's parameters; a mapping, whose types only the runbook knows.
    pub params: Option<Node>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--only`.
    pub only: Vec<Spanned<String>>,
    /// `--skip`.
    pub skip: Vec<Spanned<String>>,
    /// The seed.
    pub seed: Option<u64>,
    /// What the simulated cluster starts with.
    pub kubernetes: Option<Version>,
    /// What goes wrong, in written order.
    pub faults: Vec<Fault>,
    /// How commands of the runbook answer.
    pub commands: Vec<CommandAnswer>,
    /// What is on hosts from the beginning.
    pub given: Vec<Given>,
    /// What must come of it.
    pub expect: Option<Expect>,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Whom it befalls; nothing where it befalls the controller.
    pub hosts: Option<Spanned<Selector>>,
    /// What it waits for.
    pub trigger: Trigger,
    /// So long after that it strikes.
    pub after: Duration,
    /// Where its kind is written.
    pub span: Span,
}

/// What a fault waits for.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// Nothing: it is so before the plan is made.
    Before,
    /// The beginning of the run.
    Start,
    /// An event of the journal, by its number. Zero: the plan is made, and the run has not begun.
    Event(u64),
    /// The beginning of a step on the host that it affects.
    Step {
        /// The step's kind, id or name.
        step: Spanned<String>,
        /// The name of its phase, where there are several such steps.
        phase: Option<Spanned<String>>,
    },
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The step's commands never end by themselves.
    NeverFinishes,
    /// The step's commands do nothing and fail.
    Fails {
        /// Exit code.
        exit: i32,
        /// Standard error.
        stderr: String,
        /// How many of them, from the first one on.
        times: u32,
    },
    /// A pod's budget never lets it leave the node.
    BudgetBlocks,
    /// A pod of the node never ends.
    PodStuck,
    /// A pod that nothing replaces is on the node.
    BarePod,
    /// No connection can be made or kept.
    LinkLost {
        /// For so long; for ever where it is absent.
        lasting: Option<Duration>,
    },
    /// The machine loses its power.
    PowerLost {
        /// As above.
        lasting: Option<Duration>,
    },
    /// Package repositories do not answer.
    MirrorDies {
        /// As above.
        lasting: Option<Duration>,
    },
    /// Repositories lack versions of a package.
    PackageMissing {
        /// The package.
        package: String,
        /// Beginning of the versions.
        version: String,
    },
    /// Somebody else holds a lock of the package tools.
    LockHeld {
        /// The lock of apt's lists, instead of dpkg's.
        lists: bool,
        /// Who, in apt's words.
        by: String,
        /// As above.
        lasting: Option<Duration>,
    },
    /// Somebody has asked logind to be told of a shutdown.
    ShutdownInhibited {
        /// Who.
        by: String,
        /// It blocks the shutdown, instead of delaying it for some seconds.
        blocks: bool,
        /// As above.
        lasting: Option<Duration>,
    },
    /// The kubelet dies whenever it is started.
    KubeletDoesNotStart,
    /// A component of the control plane crashes again and again once kubeadm has replaced it.
    CrashLoop {
        /// `kube-scheduler` and the like.
        component: String,
    },
    /// The control plane's API server has only just started, and forbids everything for a while.
    ApiServerStarts {
        /// As above.
        lasting: Option<Duration>,
    },
    /// Somebody else cordons the node.
    NodeCordoned {
        /// As above.
        lasting: Option<Duration>,
    },
    /// Somebody else takes the cordon away, whoever set it.
    NodeUncordoned,
    /// Somebody deletes the node's object; its machine goes on.
    NodeDeleted {
        /// So long until its kubelet is restarted and registers anew; for ever where it is absent.
        lasting: Option<Duration>,
    },
    /// The node's kubelet dies.
    NodeNotReady {
        /// As above.
        lasting: Option<Duration>,
    },
    /// The machine's clock jumps.
    ClockJumps {
        /// By so many milliseconds; backwards where it is negative.
        millis: i64,
    },
    /// Swap is on.
    SwapOn,
    /// The machine wants a reboot.
    RebootRequired,
    /// The distribution's packages are as new as its repository has them.
    UpToDate,
    /// The controller is killed, as by `kill -9`.
    ControllerKilled {
        /// Whether another one goes on at once.
        resumes: bool,
    },
    /// Somebody asks the run to stop.
    Stopped {
        /// By SIGTERM, instead of Ctrl-C.
        term: bool,
    },
    /// Somebody who is asked says no.
    ApprovalRefused,
}

/// How a command of the runbook answers.
#[derive(Clone, Debug)]
pub struct CommandAnswer {
    /// Text in the command line or in its standard input.
    pub text: String,
    /// On these hosts; on all where it is absent.
    pub hosts: Option<Spanned<Selector>>,
    /// Exit code.
    pub exit: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it takes.
    pub takes: Duration,
    /// A file that is there afterwards.
    pub creates: Option<String>,
    /// Text of a command that must have ended well before.
    pub needs: Option<String>,
    /// Packages and the versions that they have afterwards.
    pub installs: Vec<(String, String)>,
}

/// What is on hosts from the beginning beyond what the simulation knows.
#[derive(Clone, Debug)]
pub struct Given {
    /// On these hosts; on all where it is absent.
    pub hosts: Option<Spanned<Selector>>,
    /// What.
    pub what: GivenWhat,
}

/// What is given.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenWhat {
    /// Repositories offer these versions of a package.
    Package {
        /// Its name.
        name: String,
        /// Versions with their revisions.
        versions: Vec<String>,
        /// Who offers them.
        repository: String,
        /// The version that is installed from the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        installed: Option<String>,
    },
    /// A file.
    File {
        /// Its absolute path.
        path: String,
        /// What it holds.
        content: String,
    },
    /// A port that is open.
    Port(u16),
}

impl Scenario {
    /// Reports selectors that name no host of an inventory.
    pub fn check(&self, inventory: &Inventory, diagnostics: &mut Diagnostics) {
        let faults = self.faults.iter().filter_map(|fault| fault.hosts.as_ref());
        let commands = self.commands.iter().filter_map(|command| command.hosts.as_ref());
        let given = self.given.iter().filter_map(|given| given.hosts.as_ref());
        for selector in faults.chain(commands).chain(given) {
            if let Err(error) = selector.value.select(inventory) {
                diagnostics.error(FAULT_MISSES, selector.span, error.message).hints.extend(error.hint);
            }
        }
        if let Some(expect) = &self.expect {
            expect.check(inventory, diagnostics);
        }
    }
}

impl Fault {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        self.kind.word()
    }
}
