//! The lab tests: Rollbook against real Debian hosts with sshd, systemd and apt, and a real kubeadm cluster on them.
//! `ROLLBOOK_LAB=core` runs what every change must pass, `full` everything; arguments choose cases by name. What is
//! judged is what hosts and API servers say, never Rollbook's own report. docs/contributing/lab.md tells how.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test with a main of its own: clippy's exceptions for tests do not see it"
)]

#[path = "lab/cases/mod.rs"]
mod cases;
#[path = "it/support/lab.rs"]
mod lab;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use cases::{CASES, Case, Level};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if std::env::args().any(|arg| arg == "--list") {
        for case in CASES {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let level = match std::env::var("ROLLBOOK_LAB").as_deref() {
        Ok("core") => Level::Core,
        Ok("full") => Level::Full,
        Ok("") | Err(_) => {
            eprintln!(
                "the lab was not run: no case of {} (ROLLBOOK_LAB=core or full; scripts/test --lab)",
                CASES.len()
            );
            return ExitCode::SUCCESS;
        }
        Ok(other) => {
            eprintln!("ROLLBOOK_LAB={other} is neither core nor full");
            return ExitCode::from(64);
        }
    };
    let is_asked_for = |case: &Case| wanted.is_empty() || wanted.iter().any(|word| means(word, case.name));
    let chosen = |case: &&Case| case.level <= level && is_asked_for(case);
    let chosen: Vec<&Case> = CASES.iter().filter(chosen).collect();
    let left_out = CASES.len() - chosen.len();
    if chosen.is_empty() {
        eprintln!("no case of that name; --list shows them");
        return ExitCode::from(64);
    }
    let failed: Vec<&str> = chosen.iter().filter(|case| !passes(case)).map(|case| case.name).collect();
    for name in &failed {
        println!("failed: {name}");
    }
    println!("{} passed, {} failed, {left_out} not chosen", chosen.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A case's whole name means that case; a part of names, all that have it.
fn means(word: &str, name: &str) -> bool {
    if CASES.iter().any(|case| case.name == word) { name == word } else { name.contains(word) }
}

fn passes(case: &Case) -> bool {
    println!("case {}: {}", case.name, case.says);
    let began = Instant::now();
    // The panic's own message is printed by the default hook, and the lab's state by its destructor.
    let passed = catch_unwind(case.run).is_ok();
    println!(
        "case {}: {} after {} s",
        case.name,
        if passed { "ok" } else { "FAILED" },
        began.elapsed().as_secs()
    );
    passed
}
