//! `rollbook new`: a runbook to begin with, its inventory, and a check for CI. What is written validates and rehearses as
//! it is, and nothing that exists is touched.

mod files;
mod prompts;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use camino::Utf8Path;

use super::args::New as Args;
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::report::ExitKind;
use files::{NewFile, files};
use prompts::Wishes;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let answers = Wishes::ask(args, terminal)?;
    let files = files(&answers);
    let taken: Vec<String> = files
        .iter()
        .map(|file| args.dir.join(&file.path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.to_string())
        .collect();
    if !taken.is_empty() {
        return Err(AppError::new(
            ExitKind::Usage,
            format!("nothing is written, because there is already {}", taken.join(", ")),
        )
        .hint("choose another directory with --dir, or another --name"));
    }
    for file in &files {
        write(&args.dir, file)?;
        terminal.say(&format!("wrote {}", args.dir.join(&file.path)));
    }
    terminal.say(&next(args, &answers));
    Ok(ExitKind::Ok)
}

fn write(dir: &Utf8Path, file: &NewFile) -> anyhow::Result<()> {
    let path = dir.join(&file.path);
    let create = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mode = if file.is_program { 0o777 } else { 0o666 };
        let mut options = std::fs::OpenOptions::new();
        // Also what came to be there a moment ago is not overwritten.
        options.write(true).create_new(true).mode(mode).open(&path)?.write_all(file.text.as_bytes())
    };
    create().map_err(|error| anyhow::Error::from(error).context(format!("cannot write {path}")))
}

fn next(args: &Args, answers: &Wishes) -> String {
    let runbook = format!("{}.yaml", answers.name);
    let mut lines = vec!["next:".to_owned()];
    if args.dir != "." {
        lines.push(format!("  cd {}", shlex::try_quote(args.dir.as_str()).unwrap_or_default()));
    }
    if answers.is_example {
        lines.push("  $EDITOR inventory.yaml               # its hosts are examples".to_owned());
    }
    lines
        .push("  ./check.sh                           # validates and rehearses; touches no host".to_owned());
    lines.push("  rollbook doctor -i inventory.yaml    # can the hosts be reached and worked on?".to_owned());
    lines.push(format!("  rollbook plan {runbook} -i inventory.yaml"));
    lines.join("\n")
}
