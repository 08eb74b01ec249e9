//! Hosts that stop answering, and answer again. That is told to people and decides nothing: whether a host is out of
//! service the looks for the budget say, and whether it failed its task does.

use crate::engine::rules::Bug;
use crate::engine::slots::Observation;
use crate::engine::{Cause, Failure, State};
use crate::plan::{HostId, Plan};

impl State {
    pub(super) fn host_silent(&mut self, plan: &Plan, host: HostId) {
        if self.rules.broken(Bug::SilenceFails)
            && let Some(phase) = self.current_phase()
            && let Ok(position) = self.active_host(plan, phase, host)
        {
            let failure = Failure { cause: Cause::Unreachable, message: String::new(), hint: String::new() };
            self.phases[usize::from(phase)].hosts[position].fail(None, &failure);
        }
    }

    pub(super) fn host_answers(&mut self, plan: &Plan, host: HostId) {
        if self.rules.broken(Bug::AnswersAreService)
            && let Some(phase) = self.current_phase()
            && let Some(Observation { started, at, mut out, blocked, etcd }) =
                self.phases[usize::from(phase)].slots.look.clone()
        {
            out.retain(|out| out.host != host);
            let look = Observation { started, at, out, blocked, etcd };
            let looking = self.phases[usize::from(phase)].slots.looking;
            self.phases[usize::from(phase)].see(plan.phase(phase), look);
            self.phases[usize::from(phase)].slots.looking = looking;
        }
    }
}
