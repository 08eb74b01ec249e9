//! What runs leave on hosts: nothing once they are over, whatever became of their links, and no secret while they can go on.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::fleet::{Fleet, eventually};
use super::secrets::{CORE, files_with_secret};

/// Says its input aloud; on h2 it waits at a gate before that.
const SAY: &str = "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" \"$1\" \"$2\" 0\n\
    [ \"$1$2\" != h2said ] || cat \"$here/gate\" >/dev/null\n[ -t 0 ] || cat\n";

fn fleet() -> Fleet {
    let fleet = Fleet::of(2);
    fleet.file("say", SAY);
    fleet.fifo("gate");
    let steps = "- command: { argv: [\"@say\", \"{{ host.name }}\", said], stdin: \"{{ secrets.token }}\" }";
    fleet.runbook("secrets: { token: { env: RB_TOKEN } }", "batches: [1]", steps);
    fleet
}

/// Run directories that a host keeps.
fn kept(fleet: &Fleet, host: usize) -> usize {
    let entries = fs::read_dir(fleet.records(host)).map(|all| all.flatten().collect::<Vec<_>>());
    entries.unwrap_or_default().iter().filter(|entry| entry.path().is_dir()).count()
}

/// Ends every ssh master, as being idle for long does.
fn end_masters(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            end_masters(&entry.path());
        } else if kind.is_socket() {
            Command::new("ssh").arg("-S").arg(entry.path()).args(["-O", "exit", "x"]).output().unwrap();
        }
    }
}

#[test]
fn records_go_over_a_fresh_connection_where_links_were_idle() {
    let fleet = fleet();
    let running = fleet.run(&[]).env("RB_TOKEN", CORE).start();
    // h1 is done, and nobody uses its link any more.
    fleet.await_lines(2, 2);
    end_masters(fleet.dir.path());
    fs::write(fleet.path("gate"), "").unwrap();
    let outcome = running.end().exits(0);
    assert!(!outcome.stderr.contains("could not be removed"), "{}", outcome.stderr);
    assert_eq!([kept(&fleet, 1), kept(&fleet, 2)], [0, 0]);
}

#[test]
fn what_was_said_to_a_secret_leaves_the_host_before_the_run_ends() {
    let fleet = fleet();
    let running = fleet.run(&[]).env("RB_TOKEN", CORE).start();
    fleet.await_lines(2, 2);
    // h1's op has ended, and its result stays for a resume.
    eventually("the output is emptied", || files_with_secret(&fleet.records(1)).is_empty());
    assert_eq!(kept(&fleet, 1), 1);
    running.signal(Signal::KILL);
    running.end();
    fs::write(fleet.path("gate"), "").unwrap();
    let resume = fleet.rollbook_on("resume", "--state-dir=state", &[]);
    resume.env("RB_TOKEN", CORE).run().exits(0);
    assert_eq!([kept(&fleet, 1), kept(&fleet, 2)], [0, 0]);
    assert_eq!(fleet.steps(1).len() + fleet.steps(2).len(), 4, "each once");
    // Nothing of the killed controller is left where it kept its sockets.
    let left = fs::read_dir(fleet.dir.path()).unwrap().flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with("rollbook-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_could_not_be_removed_is_told_and_goes_at_the_next_chance() {
    let fleet = fleet();
    let running = fleet.run(&[]).env("RB_TOKEN", CORE).start();
    fleet.await_lines(2, 2);
    // A directory in which nothing can be removed, whoever tries.
    let records = fleet.records(1);
    let chattr = |flag: &str| Command::new("chattr").arg("-R").arg(flag).arg(&records).status().unwrap();
    assert!(chattr("+i").success());
    fs::write(fleet.path("gate"), "").unwrap();
    let outcome = running.end();
    assert!(chattr("-i").success());
    outcome.exits(0).says("records of this run could not be removed from 1 of the hosts (h1)");
    assert_eq!([kept(&fleet, 1), kept(&fleet, 2)], [1, 0]);
    let next = fleet.run(&[]).env("RB_TOKEN", CORE).start();
    fleet.await_lines(2, 4);
    fs::write(fleet.path("gate"), "").unwrap();
    next.end().exits(0);
    assert_eq!([kept(&fleet, 1), kept(&fleet, 2)], [0, 0]);
}
