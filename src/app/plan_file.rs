//! Saved plans as files: read, written, and never taken for a runbook.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use camino::Utf8Path;

use super::RunbookInput;
use super::load::bytes_of;
use crate::app::AppError;
use crate::plan::show::{Saved, SavedError, open, saved};
use crate::report::ExitKind;

/// A plan saved by `rollbook plan -o`; `None` when the file is a runbook.
pub(crate) fn read(path: &Utf8Path) -> Result<Option<Saved>, AppError> {
    let bytes = bytes_of(path)?;
    // Some editors and mail programs put a byte order mark in front of it, which changes nothing that was reviewed.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    if bytes.first() != Some(&b'{') {
        return Ok(None);
    }
    let saved = open(bytes).map_err(|error| {
        let hint = match error {
            SavedError::Edited { .. } => {
                "what was reviewed is what runs: plan again with what you want to be different"
            }
            SavedError::LaidOut => "use the file as it was saved, or plan again",
            SavedError::NotAPlan(_) => "",
        };
        AppError::new(ExitKind::Invalid, format!("{path} cannot be used: {error}")).hint(hint)
    })?;
    if saved.plan.rehearsal {
        return Err(AppError::new(
            ExitKind::Invalid,
            format!("{path} is the plan of a rehearsal, made over a simulated cluster"),
        )
        .hint("plan again, over the real one"));
    }
    Ok(Some(saved))
}

/// A file that must be a saved plan.
pub(crate) fn read_saved(path: &Utf8Path) -> Result<Saved, AppError> {
    read(path)?.ok_or_else(|| AppError::new(ExitKind::Invalid, format!("{path} is no saved plan")))
}

/// Refuses what only makes sense while a plan is made.
pub(crate) fn refuse_planning(path: &Utf8Path, offline: bool, output: bool) -> Result<(), AppError> {
    let given = [(offline, "--offline"), (output, "--output")];
    let Some((_, flag)) = given.into_iter().find(|(given, _)| *given) else { return Ok(()) };
    Err(AppError::new(ExitKind::Usage, format!("{flag} has no effect: {path} is a plan already"))
        .hint("without it the plan is shown again"))
}

/// A saved plan is what was reviewed: what would change it belongs to planning again.
pub(crate) fn refuse_input(input: &RunbookInput) -> Result<(), AppError> {
    let given = [
        (input.inventory.is_some(), "--inventory"),
        (!input.params.is_empty(), "--param"),
        (!input.params_file.is_empty(), "--params-file"),
        (input.limit.is_some(), "--limit"),
        (!input.only.is_empty(), "--only"),
        (!input.skip.is_empty(), "--skip"),
        (input.max_unavailable.is_some(), "--max-unavailable"),
        (input.parallel.is_some(), "--parallel"),
        (input.accept_control_plane_outage, "--accept-control-plane-outage"),
        (input.accept_controller_reboot, "--accept-controller-reboot"),
        (input.adopt_cordons.is_some(), "--adopt-cordons"),
    ];
    let Some((_, flag)) = given.into_iter().find(|(given, _)| *given) else { return Ok(()) };
    Err(AppError::new(
        ExitKind::Usage,
        format!("{flag} has no effect on a saved plan, which rolls exactly as it was reviewed"),
    )
    .hint(format!("plan again with {flag}, and run that plan")))
}

/// Written beside and renamed: a full disk leaves no half plan behind. Plans name a production's hosts: 0600.
pub(crate) fn write(path: &Utf8Path, body: &[u8]) -> anyhow::Result<()> {
    let part = Utf8Path::new(path.as_str()).with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(&saved(body))?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|error| anyhow::Error::from(error).context(format!("cannot save {path}")))
}
