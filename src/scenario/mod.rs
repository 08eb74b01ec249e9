//! Scenarios: what goes wrong in a rehearsal, and what must come of it. Pure: files in, data out, events in, strikes
//! out. Knows no simulation; the cli carries out what strikes.

mod expect;
mod faults;
mod fields;
mod injections;
mod page;
mod parse;
mod raw;

use crate::inventory::{Inventory, Selector};
use crate::source::codes::FAULT_MISSES;
use crate::source::{Diagnostics, Node, Span, Spanned};
use crate::value::{Duration, Version};

pub use expect::{Came, Expect, HostEnd, NodeExpect, NodeNow, SlotCount, StepExpect, judge};
pub use faults::{
    AfterKill, ClockJump, Component, FAULTS, FaultInfo, FaultKind, FaultTarget, HeldLock, InhibitorMode,
    StopSignal,
};
pub use fields::{COMMON, EXPECT, TOP};
pub use injections::{Injection, Injections};
pub use page::page;
pub use parse::{parse, parse_leniently};
pub use raw::Raw;

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
