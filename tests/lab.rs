//! The lab tests: Rollbook against real Debian hosts with sshd, systemd and apt, and a real kubeadm cluster on them.
//! `ROLLBOOK_LAB=core` runs what every change must pass, `full` everything; arguments choose cases by name. What is
//! judged is what hosts and API servers say, never Rollbook's own report. docs/contributing/lab.md tells how.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test with a main of its own: clippy's exceptions for tests do not see it"
)]

#[path = "it/support/announced.rs"]
mod announced;
#[path = "lab/cases/mod.rs"]
mod cases;
#[path = "it/support/lab.rs"]
mod lab;

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread::{self, Builder};
use std::time::Instant;

use cases::{CASES, Case, Level};
use lab::Stage;

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
    let chosen: Vec<&Case> = CASES.iter().filter(|case| case.level <= level && is_asked_for(case)).collect();
    let left_out = CASES.len() - chosen.len();
    if chosen.is_empty() {
        eprintln!("no case of that name; --list shows them");
        return ExitCode::from(64);
    }
    let began = Instant::now();
    let failed = run(&chosen, level);
    for name in &failed {
        println!("failed: {name}");
    }
    println!(
        "{} passed, {} failed, {left_out} not chosen, after {} s",
        chosen.len() - failed.len(),
        failed.len(),
        began.elapsed().as_secs()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A case's whole name means that case; a part of names, all that have it.
fn means(word: &str, name: &str) -> bool {
    if CASES.iter().any(|case| case.name == word) { name == word } else { name.contains(word) }
}

/// Runs them side by side, each on the next lab that is free; gives back the names of those that failed.
fn run(chosen: &[&Case], level: Level) -> Vec<&'static str> {
    let waiting = Mutex::new(chosen.iter());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for lab in lab::names() {
            let (waiting, failed) = (&waiting, &failed);
            scope.spawn(move || {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(case) = next else { break };
                    if !passes(case, &Stage { case: case.name, lab: lab.clone() }, level) {
                        failed.lock().unwrap().push(case.name);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

fn passes(case: &Case, stage: &Stage, level: Level) -> bool {
    stage.says(case.says);
    let began = Instant::now();
    let (run, on) = (case.run, stage.clone());
    // A thread of its own, because a panic's message names the thread. The lab's state is printed by its destructor.
    let thread = Builder::new().name(case.name.to_owned()).spawn(move || run(&on, level));
    let passed = thread.expect("the machine has a thread for a case").join().is_ok();
    let verdict = if passed { "ok" } else { "FAILED" };
    stage.says(&format!("{verdict} after {} s", began.elapsed().as_secs()));
    passed
}
