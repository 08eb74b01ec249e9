//! `rollbook doctor`: can every host be reached, read and worked on, and does kubectl work where it will run?

use std::fmt::Write;
use std::process::{Command, Stdio};

use crate::app::doctor::{DoctorRequest, HostFinding, examine, verdict};
use crate::cli::args::Doctor as Args;
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::report::ExitKind;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    if args.as_cron {
        return as_cron(args);
    }
    let request = DoctorRequest {
        inventory: args.inventory.clone(),
        selector: args.selector.clone(),
        kubectl: args.kubectl.request(),
        target: args.target.clone(),
    };
    let found = examine(&request, terminal)?;
    let mut out = String::new();
    for (name, findings) in &found {
        let words: Vec<String> = findings.iter().map(HostFinding::to_string).collect();
        let line = if words.is_empty() { "ok".to_owned() } else { words.join("\n      ") };
        writeln!(out, "{name}  {line}").expect("invariant: writing to a string works");
    }
    terminal.data(&out)?;
    let all: Vec<&HostFinding> = found.iter().flat_map(|(_, findings)| findings).collect();
    Ok(verdict(&all))
}

/// The same once more, with what cron gives its jobs and nothing else.
fn as_cron(args: &Args) -> Outcome {
    let variable = |name: &str| std::env::var_os(name).map(|value| (name.to_owned(), value));
    let program = std::env::current_exe().map_err(anyhow::Error::from)?;
    let mut command = Command::new(program);
    command.args(["doctor", "--inventory", args.inventory.as_str()]);
    if let Some(target) = &args.target {
        command.args(["--target", &target.to_string()]);
    }
    command.args(args.kubectl.given().flat_map(|(flag, value)| [flag, value]));
    let status = command
        .args(["--", &args.selector])
        .env_clear()
        .envs(["HOME", "LOGNAME", "USER"].into_iter().filter_map(variable))
        .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh")])
        .stdin(Stdio::null())
        .status()
        .map_err(anyhow::Error::from)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.and_then(ExitKind::of).unwrap_or(ExitKind::Bug))
}
