//! `rollbook plan`: a dry run. It is not a mode of running: it ends where a run would begin. A plan that was saved is
//! shown again.

use super::args::{Plan as Args, PlanFormat};
use super::connections::{Connections, runtime, targets};
use super::earlier;
use super::load::{load, refuse_commands};
use super::lock;
use super::outcome::Outcome;
use super::plan_file;
use super::stage::{IfMissing, has_rights, live, offline};
use super::terminal::Terminal;
use crate::app::AppError;
use crate::plan::show::{Detail, PlanStyle, Saved, diff, json, markdown, text};
use crate::plan::{Plan, forecast};
use crate::report::ExitKind;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    // Before any host is asked: an old plan that cannot be read is known at once.
    let old = match &args.diff {
        Some(path) => Some(
            plan_file::read(path)?
                .ok_or_else(|| AppError::new(ExitKind::Invalid, format!("{path} is no saved plan")))?,
        ),
        None => None,
    };
    let shown = match plan_file::read(&args.runbook)? {
        Some(saved) => {
            plan_file::refuse_input(&args.input)?;
            refuse_planning(args)?;
            saved
        }
        None => planned(args, terminal)?,
    };
    show(&shown, old.as_ref(), args, terminal)?;
    if !forecast::refusals(&shown.plan).is_empty() {
        return Err(AppError::new(ExitKind::Failed, "the plan cannot succeed: look at the lines marked x"));
    }
    if let Some(path) = &args.output {
        plan_file::write(path, &shown.body)?;
        terminal.say(&format!("saved {path}; run it with: rollbook run {path}"));
    }
    let pending = args.detailed_exitcode && forecast::has_changes(&shown.plan);
    Ok(if pending { ExitKind::Changes } else { ExitKind::Ok })
}

/// A plan of a runbook.
fn planned(args: &Args, terminal: &Terminal) -> Result<Saved, AppError> {
    let loaded = load(&args.runbook, &args.input, terminal)?;
    refuse_commands(&loaded, &args.input, terminal)?;
    let plan: Plan = if args.offline {
        offline(&loaded, &args.input, terminal)?
    } else {
        let runtime = runtime()?;
        runtime.block_on(async {
            let connections = Connections::real(targets(&loaded.inventory))?;
            let plan = live(&loaded, &args.input, IfMissing::Warn, &connections, terminal).await;
            // A run acquires the lock before anything else, and names then what it lacks.
            if let Ok(made) = &plan
                && made.policy.lock_cluster
            {
                let needed = lock::needed_rights(made, &connections).await;
                has_rights(made, &needed, IfMissing::Warn, &connections, terminal).await?;
            }
            if let Ok(plan) = &plan
                && let Some((what, hint)) = lock::note(plan, &connections).await
            {
                terminal.say(&format!("note: {what}"));
                terminal.hint(&hint);
            }
            connections.close().await;
            plan
        })?
    };
    Ok(Saved::of(plan))
}

/// Flags that only make sense while a plan is made.
fn refuse_planning(args: &Args) -> Result<(), AppError> {
    let given = [(args.offline, "--offline"), (args.output.is_some(), "--output")];
    let Some((_, flag)) = given.into_iter().find(|(given, _)| *given) else { return Ok(()) };
    Err(AppError::new(ExitKind::Usage, format!("{flag} has no effect: {} is a plan already", args.runbook))
        .hint("without it the plan is shown again"))
}

fn show(shown: &Saved, old: Option<&Saved>, args: &Args, terminal: &Terminal) -> Outcome {
    let Saved { plan, digest, .. } = shown;
    let detail = if args.verbose { Detail::Verbose } else { Detail::Normal };
    if let Some(old) = old {
        return terminal.data(&diff(&old.plan, plan, detail));
    }
    let expected = earlier::expected(plan, args.state_dir.as_ref(), None);
    match args.format {
        PlanFormat::Text => {
            let style = PlanStyle { detail, color: terminal.colors_data() };
            terminal.data(&text(plan, digest, style, &expected))
        }
        PlanFormat::Markdown => terminal.data(&markdown(plan, digest, detail, &expected)),
        PlanFormat::Json => terminal.data_as_it_is(&String::from_utf8_lossy(&json(shown, &expected))),
    }
}
