//! The steps of one host in a phase, and what the plan foresees of each.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{FrozenId, HostId, StepRef};
use crate::op::Effect;
use crate::runbook::Then;
use crate::step::{BracketKey, Change, Fidelity};

/// A step on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What it runs.
    pub step: StepRef,
    /// The strongest effect it can have here; the budget asks for a slot before a disrupting one.
    pub effect: Effect,
    /// It is a goal with a probe: the host looks before it asks for a slot, which it needs only if there is something
    /// to do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looks_first: bool,
    /// What the plan foresees.
    pub forecast: Forecast,
    /// The step as it was written, where facts decided what became of it: whether it runs, or with which arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FrozenId>,
    /// What other tasks of its host have to do with whether it runs.
    #[serde(default, skip_serializing_if = "Ties::is_empty")]
    pub ties: Ties,
}

/// What other tasks of its host have to do with whether a task runs; by their indices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ties {
    /// Conditions of its host that are known only when a task's turn comes, outermost first: it runs where all of them
    /// hold. The first task that comes to one decides it for all that have it. In a deferred step these are the `when`
    /// that it still has, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<u16>,
    /// Tasks whose bracket it closes although it has a condition: it runs wherever one of them ran, whatever the condition
    /// says by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<u16>,
    /// Tasks that cordon the node around it, under another condition: where all of them were skipped, it must not disrupt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart_from: Vec<u16>,
}

impl Ties {
    /// Whether it depends on no other task.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same after a task was put in at this index, which opens what the one behind it opens.
    pub(in crate::plan) fn make_room(&mut self, index: u16) {
        for list in [&mut self.closes, &mut self.apart_from] {
            let opens = list.contains(&index);
            list.iter_mut().filter(|at| **at >= index).for_each(|at| *at += 1);
            list.extend(opens.then_some(index));
        }
    }
}

/// What the plan foresees of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// Nobody looked (`--offline`).
    NotProbed,
    /// `when` is false; the task will not run.
    Excluded,
    /// The task will not run, whatever is true of its host.
    LeftOut {
        /// Why.
        why: LeftOut,
    },
    /// The goal holds already, or the check passes now.
    Holds {
        /// What is.
        state: String,
    },
    /// The goal does not hold.
    Changes {
        /// What differs.
        changes: Vec<Change>,
        /// How sure that is.
        fidelity: Fidelity,
    },
    /// It runs whatever is: a means inside a needed bracket, or an opaque step.
    Runs {
        /// Means are exact, opaque steps opaque.
        fidelity: Fidelity,
    },
    /// A bracket around it needs nothing.
    BracketHolds,
    /// Known only later; the names it waits for.
    Deferred {
        /// Names.
        waits_for: Vec<String>,
    },
    /// A step of `rescue`: it runs only on a host that failed.
    IfFailed,
    /// A step of `always`, after steps that have nothing to do: it runs only where something goes wrong.
    IfTouched,
    /// A check that cannot pass yet because the roll itself brings it about.
    Later,
    /// A check that does not hold now, and waits for it when its turn comes.
    Waits {
        /// What is missing now.
        now: String,
    },
    /// It cannot succeed; the plan is an error.
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
}

/// Why a task stands in a plan and never runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// `for_each` has no items.
    NoItems,
    /// `--only` names other steps.
    NotNamed,
    /// `--skip` names it by this word.
    Skipped(String),
    /// It answers to steps of which `--only` and `--skip` leave only checks.
    OnlyChecks,
}

impl Forecast {
    /// Whether the plan says that the task's ops may run: as a change, as one that is known later, as one that nobody can
    /// foresee, or in a part that has its own line, such as `rescue`. What nobody has looked at may run, too.
    pub fn announces(&self) -> bool {
        match self {
            Self::NotProbed
            | Self::Changes { .. }
            | Self::Runs { .. }
            | Self::Deferred { .. }
            | Self::IfFailed
            | Self::IfTouched
            | Self::Later
            | Self::Waits { .. } => true,
            Self::Holds { .. }
            | Self::BracketHolds
            | Self::Excluded
            | Self::LeftOut { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// Whether the plan says that the task never runs.
    pub fn is_left_out(&self) -> bool {
        matches!(self, Self::Excluded | Self::LeftOut { .. })
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoItems => f.write_str("`for_each` has no items"),
            Self::NotNamed => f.write_str("not named by --only"),
            Self::Skipped(word) => write!(f, "left out by --skip {word}"),
            Self::OnlyChecks => f.write_str("only checks of this phase are left"),
        }
    }
}

/// From a host's first cordon to its uncordon, or from an unhold to its hold; indices into the host's tasks, both
/// inclusive. Brackets nest or are apart, never cross.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// What it is about.
    pub key: BracketKey,
    /// The task that opens it.
    pub first: u16,
    /// The task that closes it.
    pub last: u16,
}

/// All of one host's tasks in a phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostTasks {
    /// The host.
    pub host: HostId,
    /// Its tasks, in order: the phase's steps, then those of `rescue`, then those of `always`.
    pub tasks: Vec<Task>,
    /// Where `rescue` and `always` begin; `None` where the phase has neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sections: Option<Sections>,
    /// Its outermost brackets, in order; inner ones need no entry of their own, because the outermost decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brackets: Vec<Bracket>,
}

/// A part of a host's tasks in a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The phase's own steps.
    #[default]
    Steps,
    /// What is done on a host that failed.
    Rescue,
    /// What is done in the end.
    Always,
}

/// Where the parts of a host's tasks begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sections {
    /// Index of the first task of `rescue`, or of what follows where it has none.
    pub rescue: u16,
    /// Index of the first task of `always`, or the number of tasks where it has none.
    pub always: u16,
    /// What the host counts as after a rescue that went well.
    #[serde(default, skip_serializing_if = "is_failed")]
    pub then: Then,
}

impl HostTasks {
    /// The indices of a part's tasks.
    pub fn range(&self, section: Section) -> Range<u16> {
        let end = u16::try_from(self.tasks.len())
            .expect("invariant: a host has fewer than 65,536 tasks in a phase");
        let (rescue, always) =
            self.sections.map_or((end, end), |sections| (sections.rescue, sections.always));
        match section {
            Section::Steps => 0..rescue,
            Section::Rescue => rescue..always,
            Section::Always => always..end,
        }
    }

    /// The part that a task belongs to.
    pub fn section_of(&self, index: u16) -> Section {
        let holds = |section: &Section| self.range(*section).contains(&index);
        [Section::Rescue, Section::Always].into_iter().find(holds).unwrap_or_default()
    }

    /// Whether the phase has a part of this kind.
    pub fn has(&self, section: Section) -> bool {
        !self.range(section).is_empty()
    }

    /// Whether a host that was rescued counts as done.
    pub fn then(&self) -> Then {
        self.sections.map(|sections| sections.then).unwrap_or_default()
    }
}

/// Most rescues leave a host failed.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_failed(then: &Then) -> bool {
    *then == Then::Failed
}
