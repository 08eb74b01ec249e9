//! `rollbook plan`: a dry run. It is not a mode of running: it ends where a run would begin. A plan that was saved is
//! shown again.

use crate::app::plan::{PlanRequest, planned};
use crate::app::{AppError, earlier, missing_secrets, plan_file};
use crate::cli::args::{Plan as Args, PlanFormat};
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::plan::forecast;
use crate::plan::show::{Detail, PlanStyle, Saved, diff, json, markdown, text};
use crate::report::ExitKind;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    // Before any host is asked: an old plan that cannot be read is known at once.
    let old = match &args.diff {
        Some(path) => Some(plan_file::read_saved(path)?),
        None => None,
    };
    let shown = match plan_file::read(&args.runbook)? {
        Some(saved) => {
            plan_file::refuse_input(&args.input.request())?;
            plan_file::refuse_planning(&args.runbook, args.offline, args.output.is_some())?;
            saved
        }
        None => planned(&request(args), terminal)?,
    };
    show(&shown, old.as_ref(), args, terminal)?;
    missing_secrets::warn(&shown.plan, terminal);
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

fn show(shown: &Saved, old: Option<&Saved>, args: &Args, terminal: &Terminal) -> Outcome {
    let Saved { plan, digest, .. } = shown;
    let detail = if args.verbose { Detail::Verbose } else { Detail::Normal };
    if let Some(old) = old {
        return terminal.data(&diff(&old.plan, plan));
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

fn request(args: &Args) -> PlanRequest {
    PlanRequest { runbook: args.runbook.clone(), input: args.input.request(), offline: args.offline }
}
