//! `rollbook plan`: a dry run. It is not a mode of running: it ends where a run would begin.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use camino::Utf8Path;

use super::args::{Format, Plan as Args};
use super::compose::{Connections, runtime, targets};
use super::load::{load, refuse_commands};
use super::outcome::{Outcome, Stopped};
use super::stage::{live, offline};
use super::terminal::Terminal;
use crate::plan::show::{Detail, bytes, digest, text};
use crate::plan::{Plan, forecast};
use crate::report::exit;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let loaded = load(&args.runbook, &args.input, terminal)?;
    refuse_commands(&loaded, &args.input, terminal)?;
    let plan = if args.offline {
        offline(&loaded, &args.input, terminal)?
    } else {
        let runtime = runtime()?;
        runtime.block_on(async {
            let connections = Connections::real(targets(&loaded.inventory))?;
            let plan = live(&loaded, &args.input, &connections, terminal).await;
            connections.close().await;
            plan
        })?
    };
    let body = bytes(&plan);
    show(&plan, &body, args, terminal)?;
    if !forecast::refusals(&plan).is_empty() {
        terminal.error("the plan cannot succeed: look at the lines marked x");
        return Err(Stopped::Told(exit::FAILED));
    }
    if let Some(path) = &args.output {
        save(path, &body)?;
        terminal.say(&format!("saved {path}; run it with: rollbook run {path}"));
    }
    let pending = args.detailed_exitcode && forecast::has_changes(&plan);
    Ok(if pending { exit::CHANGES } else { exit::OK })
}

fn show(plan: &Plan, body: &[u8], args: &Args, terminal: &Terminal) -> Outcome {
    match args.format {
        Format::Text => {
            let detail = if args.verbose { Detail::Verbose } else { Detail::Normal };
            terminal.data(&text(plan, &digest(body), detail))
        }
        Format::Json => terminal.data(&format!("{}\n", String::from_utf8_lossy(body))),
    }
}

/// Written beside and renamed: a full disk leaves no half plan behind. Plans name a production's hosts: 0600.
fn save(path: &Utf8Path, body: &[u8]) -> anyhow::Result<()> {
    let part = Utf8Path::new(path.as_str()).with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(body)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|error| anyhow::Error::from(error).context(format!("cannot save {path}")))
}
