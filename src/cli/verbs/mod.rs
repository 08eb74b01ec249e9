//! Verbs: a request from arguments, the use case, and its outcome in words. None has more than 60 lines.

pub(super) mod doctor;
pub(super) mod exec;
pub(super) mod facts;
pub(super) mod lock;
pub(super) mod plan;
pub(super) mod resume;
pub(super) mod run;
pub(super) mod undo;

use super::args::Roll;
use super::ask;
use super::terminal::Terminal;
use super::watchers::Watchers;
use crate::app::{Consent, RollRequest};

/// `--yes`, a person at the terminal, or nobody.
pub(super) fn consent(yes: bool, no_input: bool, terminal: &Terminal) -> Consent {
    match (yes, terminal.is_interactive() && !no_input) {
        (true, _) => Consent::Given,
        (false, true) => Consent::Ask,
        (false, false) => Consent::Nobody,
    }
}

/// What the flags of a run say of how it rolls.
pub(super) fn rolling<'a>(watchers: &'a Watchers<'a>, no_input: bool) -> RollRequest<'a> {
    let Watchers { roll: Roll { deadline, .. }, terminal } = watchers;
    RollRequest { deadline: *deadline, audience: watchers, approver: ask::approver(no_input, terminal) }
}
