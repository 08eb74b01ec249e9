//! Gates: what stands between a batch that ended well and the next one.

use serde::{Deserialize, Serialize};

use super::{ActionId, Plan, PlannedPhase};
use crate::runbook::GateAfter;
use crate::value::Duration;

/// `rollout.gate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Behind which batches it stands; never behind the last one.
    pub after: GateAfter,
    /// What lets the run through.
    pub opens: GateOpens,
}

/// What lets a run through a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOpens {
    /// A person's word.
    Approve {
        /// What the person has to see to.
        text: String,
        /// How long that is waited for where somebody is there to ask; without an end where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Duration>,
    },
    /// Time.
    Time(Duration),
    /// A check that holds.
    Check {
        /// The check.
        action: ActionId,
        /// How long it is looked at.
        within: Duration,
    },
}

impl Gate {
    /// The time after which it opens by itself, or is given up.
    pub fn time(&self) -> Option<Duration> {
        match self.opens {
            GateOpens::Approve { within, .. } => within,
            GateOpens::Time(time) => Some(time),
            GateOpens::Check { within, .. } => Some(within),
        }
    }

    /// Whether somebody has to be asked, or something to be looked at: work that ends with an answer.
    pub fn is_asked(&self) -> bool {
        !matches!(self.opens, GateOpens::Time(_))
    }
}

impl PlannedPhase {
    /// The gate behind a batch.
    pub fn gate_after(&self, batch: u16) -> Option<&Gate> {
        let is_last = usize::from(batch) + 1 >= self.batches.len();
        self.gate.as_ref().filter(|gate| !is_last && (gate.after == GateAfter::Each || batch == 0))
    }
}

impl Plan {
    /// What a gate waits for, in a few words: the text for a person, "30m", the title of the check.
    pub fn gate_words(&self, gate: &Gate) -> String {
        match &gate.opens {
            GateOpens::Approve { text, .. } => text.clone(),
            GateOpens::Time(time) => format!("{time} pass"),
            GateOpens::Check { action, .. } => crate::op::show_symbols(&self.action(*action).title),
        }
    }
}
