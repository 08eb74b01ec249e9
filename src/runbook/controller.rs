//! Steps that would run on the machine that runs Rollbook: that has to be allowed.

use super::{Phase, Runbook};
use crate::op::Site;
use crate::source::Diagnostics;
use crate::source::codes::CONTROLLER_COMMAND;

impl Runbook {
    /// Reports every step that runs a command on the controller.
    pub fn refuse_controller_commands(&self, diagnostics: &mut Diagnostics) {
        let steps = self.phases.iter().flat_map(Phase::all_steps);
        for step in steps.filter(|step| step.run_on == Some(Site::Controller)) {
            let message = "this step runs a command on the machine that runs Rollbook";
            let error = diagnostics.error(CONTROLLER_COMMAND, step.origin.span, message);
            error.hint("read it, then allow it with `--allow-commands`");
        }
    }
}
