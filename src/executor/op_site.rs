//! Where an op of a run was sent, by its plan and its event alone: for whoever comes after the run.

use super::look::controller_name;
use crate::engine::SentOp;
use crate::inventory::HostName;
use crate::op::Site;
use crate::plan::{HostId, Plan, StepRef};

/// Where an op ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpSite {
    /// The host; `None` for the machine that ran Rollbook.
    pub(super) host: Option<HostId>,
    /// Whether root keeps its record there.
    pub(super) r#become: bool,
    /// Whether it was given a secret, or may have been.
    pub(super) is_given_a_secret: bool,
}

impl OpSite {
    /// `on` is the host where its kubectl ran. Of a step that was lowered in the run only what was written is known.
    pub(super) fn of(plan: &Plan, sent: SentOp, on: Option<HostId>) -> Self {
        let (site, r#become, is_given_a_secret) = match plan.task(sent.task).step {
            StepRef::Action(action) => {
                let op = plan.action(action).lowered.ops.get(usize::from(sent.op));
                op.map_or((Site::Subject, true, true), |op| (op.site, op.r#become, op.is_given_a_secret()))
            }
            StepRef::Deferred(step) => {
                let step = &plan.deferred[step.0 as usize];
                let site = step.run_on.unwrap_or(if on.is_some() { Site::Kube } else { Site::Subject });
                (site, step.r#become, !plan.secrets.is_empty())
            }
        };
        let host = match site {
            Site::Subject => Some(sent.task.host),
            Site::Kube => on,
            Site::Controller => None,
        };
        Self { host, r#become, is_given_a_secret }
    }

    /// The host, as pools know it.
    pub(super) fn name(self, plan: &Plan) -> HostName {
        self.host.map_or_else(controller_name, |host| plan.host(host).name.clone())
    }
}
