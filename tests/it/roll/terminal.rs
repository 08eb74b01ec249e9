//! Terminals that go away while a run goes on.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rollbook::engine::Event;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::fleet::{Fleet, eventually};

const STEPS: &str = r#"
- command: { argv: ["@gated", "{{ host.name }}"] }
- command: { argv: ["@work", "{{ host.name }}", after, "0"] }
"#;

/// Two hosts, the first of which waits at a gate.
fn fleet() -> Fleet {
    let fleet = Fleet::of(2);
    let gated = "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" \"$1\" gated 0\n[ \"$1\" != h1 ] || cat \"$here/gate\"\n";
    fleet.file("gated", gated);
    fleet.fifo("gate");
    fleet.runbook("", "batches: [1]", STEPS);
    fleet
}

fn went_to_its_end(fleet: &Fleet) {
    for host in 1..=2 {
        assert_eq!(fleet.steps(host), ["gated begin", "gated end", "after begin", "after end"], "h{host}");
    }
    let events = fleet.journal();
    assert!(matches!(events.last().unwrap().event, Event::RunEnded), "{:?}", events.last());
    assert!(!events.iter().any(|event| matches!(event.event, Event::StopRequested { .. })));
}

/// A terminal: the end that a terminal program holds, and the file of the other one.
pub(super) fn terminal() -> (OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master, name)
}

#[test]
fn a_run_goes_on_when_its_terminal_is_closed() {
    let fleet = fleet();
    let (master, slave) = terminal();
    let open = || Stdio::from(fs::File::options().read(true).write(true).open(&slave).unwrap());
    let rollbook = fleet.run(&[]).command();
    // A session leader with the terminal as its own: what a shell in a terminal window starts.
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(rollbook.get_program()).args(rollbook.get_args());
    command.current_dir(rollbook.get_current_dir().unwrap()).env_clear();
    command.envs(rollbook.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
    drop(command);
    fleet.await_lines(1, 2);
    // The kernel sends SIGHUP, and every later write fails.
    drop(master);
    eventually("the terminal is gone", || fs::metadata(&slave).is_err());
    fs::write(fleet.path("gate"), "").unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    went_to_its_end(&fleet);
}

#[test]
fn a_run_goes_on_when_nobody_reads_what_it_says() {
    let fleet = fleet();
    let mut running = fleet.run(&["--verbose"]).start();
    fleet.await_lines(1, 2);
    running.close_pipes();
    fs::write(fleet.path("gate"), "").unwrap();
    assert_eq!(running.end().code, 0);
    went_to_its_end(&fleet);
}
