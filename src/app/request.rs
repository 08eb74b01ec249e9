//! What use cases are asked to do.

use std::rc::Rc;

use camino::Utf8PathBuf;

use super::{AppError, Audience};
use crate::executor::{Approver, InDoubt};
use crate::report::ExitKind;
use crate::value::{Amount, Duration};

/// A runbook with its inventory and parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunbookInput {
    /// The inventory file.
    pub(crate) inventory: Option<Utf8PathBuf>,
    /// Parameters with their texts; stronger than those of files.
    pub(crate) params: Vec<(String, String)>,
    /// YAML files of parameters.
    pub(crate) params_file: Vec<Utf8PathBuf>,
    /// The selector of the hosts to work on.
    pub(crate) limit: Option<String>,
    /// Steps to take.
    pub(crate) only: Vec<String>,
    /// Steps to leave out.
    pub(crate) skip: Vec<String>,
    /// Lowers the budget of every phase.
    pub(crate) max_unavailable: Option<Amount>,
    /// Lowers the number of hosts prepared at the same time.
    pub(crate) parallel: Option<u32>,
    /// Steps may run commands on this machine.
    pub(crate) allow_commands: bool,
    /// The Kubernetes API may be unavailable for a while.
    pub(crate) accept_control_plane_outage: bool,
    /// The machine that runs Rollbook may be restarted.
    pub(crate) accept_controller_reboot: bool,
    /// The run whose cordons are adopted.
    pub(crate) adopt_cordons: Option<String>,
}

/// How a run rolls, and who watches it.
#[derive(Clone)]
pub(crate) struct RollRequest<'a> {
    /// No host starts after this long.
    pub(crate) deadline: Option<Duration>,
    /// Who hears of events.
    pub(crate) audience: &'a dyn Audience,
    /// Who is asked at gates and pauses.
    pub(crate) approver: Rc<dyn Approver>,
}

/// Whether a change is approved before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Nobody is asked.
    Given,
    /// Somebody is there who is asked.
    Ask,
    /// Nobody is there.
    Nobody,
}

impl Consent {
    /// Refuses what nobody approved where nobody can be asked.
    pub(crate) fn refuse_nobody(self, hint: &str) -> Result<(), AppError> {
        if self != Self::Nobody {
            return Ok(());
        }
        let message = "confirmation required: there is no terminal to ask on, and `--yes` was not given";
        Err(AppError::new(ExitKind::Usage, message).hint(hint))
    }
}

/// A new run.
#[derive(Clone)]
pub(crate) struct RunRequest<'a> {
    /// A runbook or a saved plan.
    pub(crate) file: Utf8PathBuf,
    pub(crate) input: RunbookInput,
    pub(crate) consent: Consent,
    /// How long another run of the cluster is waited for; nothing where it is not.
    pub(crate) wait_lock: Option<Duration>,
    /// An earlier run of the same runbook and inventory that has not ended goes on first.
    pub(crate) resume_unfinished: bool,
    pub(crate) roll: RollRequest<'a>,
    /// Where runs are recorded, if not in the usual place.
    pub(crate) state_dir: Option<Utf8PathBuf>,
}

/// A run that goes on.
#[derive(Clone)]
pub(crate) struct ResumeRequest<'a> {
    /// The run's id, or a directory with its record; else the newest run that can go on.
    pub(crate) run: Option<String>,
    /// What the run waits for is approved.
    pub(crate) approve: bool,
    pub(crate) in_doubt: InDoubt,
    /// Addresses and connections, in place of the plan's.
    pub(crate) connection: Option<Utf8PathBuf>,
    /// The plan in a named directory may run commands on this machine.
    pub(crate) allow_commands: bool,
    pub(crate) roll: RollRequest<'a>,
    /// Where runs are recorded, if not in the usual place.
    pub(crate) state_dir: Option<Utf8PathBuf>,
}

/// A run that is undone.
#[derive(Clone)]
pub(crate) struct UndoRequest<'a> {
    /// The run's id, or a directory with its record.
    pub(crate) run: String,
    pub(crate) consent: Consent,
    /// Addresses and connections, in place of the plan's.
    pub(crate) connection: Option<Utf8PathBuf>,
    pub(crate) roll: RollRequest<'a>,
    /// Where runs are recorded, if not in the usual place.
    pub(crate) state_dir: Option<Utf8PathBuf>,
}
