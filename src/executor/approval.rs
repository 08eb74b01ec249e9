//! Waiting for a person. Who that is and how they are asked is the caller's; here is when they are asked, and when nobody
//! waits for their answer any more.

use async_trait::async_trait;
use tokio::time::sleep;

use super::context::Shared;
use crate::engine::{Awaited, StopLevel};
use crate::value::Duration;

/// Something that only a person can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the run waits for.
    pub about: Awaited,
    /// For the person: "w01: upgrade the CNI plugin".
    pub text: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalAnswer {
    /// The run goes on.
    Yes {
        /// Who said so.
        by: String,
    },
    /// It pauses.
    No {
        /// Why: "ops said no", "nobody is there to ask".
        why: String,
    },
}

/// Who is asked.
#[async_trait(?Send)]
pub trait Approver {
    /// Asks. Nobody waits for the answer any more where the future is dropped.
    async fn ask(&self, question: &Question) -> ApprovalAnswer;

    /// Who has said yes beforehand.
    fn given(&self, about: Awaited) -> Option<String> {
        let _ = about;
        None
    }
}

/// Nobody: the run is unattended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

#[async_trait(?Send)]
impl Approver for Nobody {
    async fn ask(&self, _: &Question) -> ApprovalAnswer {
        ApprovalAnswer::No { why: "nobody is there to ask".to_owned() }
    }
}

impl Shared {
    /// Asks, for as long as the run is not stopped that hard.
    pub(super) async fn ask(
        &self,
        question: &Question,
        within: Option<Duration>,
        stopped_by: StopLevel,
    ) -> ApprovalAnswer {
        if let Some(by) = self.approver.given(question.about) {
            return ApprovalAnswer::Yes { by };
        }
        let too_late = async {
            match within {
                Some(within) => sleep(within.to_std()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.until_stopped(stopped_by) => ApprovalAnswer::No { why: "the run stopped".to_owned() },
            answer = self.approver.ask(question) => answer,
            () = too_late => {
                let within = within.unwrap_or_default();
                ApprovalAnswer::No { why: format!("nobody answered within {within}") }
            }
        }
    }

    /// Waits until the run is to stop at least that hard.
    pub(super) async fn until_stopped(&self, level: StopLevel) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as this does.
        let _ = stop.wait_for(|now| *now >= Some(level)).await;
    }

    /// Waits until somebody asks for the second time that the run stops.
    pub(super) async fn until_hurried(&self) {
        let mut hurried = self.hurried.subscribe();
        // The sender lives as long as this does.
        let _ = hurried.wait_for(|now| *now).await;
    }
}
