//! Approvals that somebody gave beforehand.

use std::rc::Rc;

use async_trait::async_trait;

use super::connections::who;
use crate::engine::Awaited;
use crate::executor::{ApprovalAnswer, Approver, Question};

/// Somebody has approved beforehand what a run waits for; everything else is asked.
pub(crate) struct GivenApproval {
    pub(crate) about: Vec<Awaited>,
    pub(crate) then: Rc<dyn Approver>,
}

#[async_trait(?Send)]
impl Approver for GivenApproval {
    async fn ask(&self, question: &Question) -> ApprovalAnswer {
        self.then.ask(question).await
    }

    fn given(&self, about: Awaited) -> Option<String> {
        self.about.contains(&about).then(who)
    }
}
