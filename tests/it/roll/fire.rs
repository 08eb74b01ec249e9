//! The launcher under fire: whatever is lost, and whenever, a command runs once and its end is known exactly.

use std::fs;
use std::path::PathBuf;

use rollbook::engine::Event;
use rollbook::op::Exit;
use rustix::process::Signal;

use super::fleet::{Fleet, eventually};
use crate::support::proxy::Proxy;

/// How far a command is when something is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// It was started, and nobody has heard so.
    BeforeTheAnswer,
    /// It runs, and is being followed.
    WhileItRuns,
    /// It ended, and nobody has heard so.
    BeforeTheStatusIsRead,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The link, which is there again at once.
    Link,
    /// The link, and the host cannot be reached for some seconds.
    LinkForAWhile,
    /// The link, for longer than the run is patient; it is resumed when the host is back.
    LinkForGood,
    /// All of sshd, which is started again some seconds later.
    SshdForAWhile,
    /// What serves the sessions on the host.
    Sshd,
    /// The controller; the run is resumed.
    Controller,
}

const MOMENTS: [Moment; 3] = [Moment::BeforeTheAnswer, Moment::WhileItRuns, Moment::BeforeTheStatusIsRead];

/// One host behind a wire, and a command that says a little, waits at the gate, and ends with 7.
struct Range {
    fleet: Fleet,
    wire: Proxy,
}

impl Range {
    fn new() -> Self {
        let mut fleet = Fleet::of(1);
        let wire = Proxy::before(fleet.hosts[0].port);
        fleet.hosts[0].move_to(wire.port);
        fleet.write_inventory();
        fleet.file(
            "seven",
            "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" h1 seven 0\necho before\ncat \"$here/gate\"\necho after\n\
             echo \"$$ \\${x} %n ; '\" >&2\nexit 7\n",
        );
        fleet.fifo("gate");
        fleet.file(
            "hold",
            "#!/bin/sh\n\"$(dirname \"$0\")/work\" h1 hold 0\ncat \"$(dirname \"$0\")/first\"\n",
        );
        fleet.fifo("first");
        fleet.runbook(
            "",
            "batches: [1]",
            r#"
- command: { argv: ["@hold"] }
- command: { argv: ["@seven"], success: [7] }
- command: { argv: ["@work", "h1", last, "0"] }
"#,
        );
        Self { fleet, wire }
    }

    /// The host's record of the second command.
    fn record(&self, file: &str) -> Option<PathBuf> {
        let runs = fs::read_dir(self.fleet.records(1)).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let ops = runs.filter(|path| path.is_dir()).flat_map(|run| fs::read_dir(run).unwrap());
        let mut files =
            ops.map(|op| op.unwrap().path()).filter(|op| op.ends_with("0-0-1-1-0-0")).map(|op| op.join(file));
        files.find(|path| path.exists())
    }

    fn open(&self, gate: &str) {
        fs::write(self.fleet.path(gate), "").unwrap();
    }

    /// Runs, loses, and looks at what came of it.
    fn lose(&mut self, moment: Moment, loss: Loss) {
        if loss == Loss::LinkForGood {
            self.fleet.connection += ", reconnect: { attempts: 2, max_delay: 1s }";
            self.fleet.write_inventory();
        }
        let running = self.fleet.run(&[]).start();
        self.fleet.await_lines(1, 2);
        if moment == Moment::BeforeTheAnswer {
            self.wire.hold_answers_to_a_long_request();
            self.open("first");
            eventually("it begins", || self.record("started").is_some());
        } else {
            self.open("first");
            self.fleet.await_lines(1, 4);
        }
        if moment == Moment::BeforeTheStatusIsRead {
            self.wire.hold_answers();
            self.open("gate");
            eventually("it ends", || self.record("status").is_some());
        }
        match loss {
            Loss::Link => self.wire.cut(),
            Loss::LinkForAWhile | Loss::LinkForGood => {
                self.wire.refuse(true);
                self.wire.cut();
            }
            Loss::SshdForAWhile => {
                self.fleet.hosts[0].stop();
                self.wire.cut();
            }
            Loss::Sshd => {
                self.fleet.hosts[0].signal_sessions(Signal::KILL);
                self.wire.cut();
            }
            Loss::Controller => {
                running.signal(Signal::KILL);
                self.wire.cut();
            }
        }
        if moment != Moment::BeforeTheStatusIsRead {
            self.open("gate");
        }
        if matches!(loss, Loss::LinkForAWhile | Loss::SshdForAWhile) {
            eventually("it ends", || self.record("status").is_some());
        }
        if loss == Loss::SshdForAWhile {
            eventually("it is noticed", || self.is_told("host_silent"));
            self.fleet.hosts[0].go_on();
        }
        if loss == Loss::LinkForAWhile {
            self.wire.refuse(false);
        }
        if loss == Loss::LinkForGood {
            // Half-changed, for all that anybody can know.
            let outcome = running.end().exits(11);
            assert!(outcome.stderr.contains("tried 2 times"), "{moment:?}: {}", outcome.stderr);
            self.wire.refuse(false);
            self.fleet.rollbook_on("resume", "--state-dir=state", &[]).run().exits(0);
        } else if loss == Loss::Controller {
            running.end();
            self.fleet.rollbook_on("resume", "--state-dir=state", &[]).run().exits(0);
        } else {
            running.end().exits(0);
        }
        self.is_exact(moment, loss);
    }

    /// Whether the journal holds an event of this type.
    fn is_told(&self, event: &str) -> bool {
        let text = fs::read_to_string(self.fleet.run_dir().join("journal.jsonl")).unwrap();
        text.contains(&format!("\"type\":\"{event}\""))
    }

    fn is_exact(&self, moment: Moment, loss: Loss) {
        let steps = ["hold begin", "hold end", "seven begin", "seven end", "last begin", "last end"];
        assert_eq!(self.fleet.steps(1), steps, "{moment:?}, {loss:?}");
        let journal = self.fleet.journal();
        let ends = journal.iter().filter_map(|event| match event.event {
            Event::OpEnded { task, exit, .. } if task.index == 1 => Some(exit),
            _ => None,
        });
        assert_eq!(ends.collect::<Vec<_>>(), [Exit::Code(7)], "{moment:?}, {loss:?}");
        let output = self.fleet.run_dir().join("output/h1.0-0-1-1-0-0.log");
        let text = fs::read_to_string(&output).unwrap();
        let times = |word: &str| text.matches(word).count();
        assert_eq!(
            [times("before"), times("after"), times("${x} %n ; '")],
            [1, 1, 1],
            "{moment:?}, {loss:?}: {text}"
        );
    }
}

#[test]
fn a_lost_link_repeats_nothing_and_loses_no_end() {
    for moment in MOMENTS {
        Range::new().lose(moment, Loss::Link);
    }
}

#[test]
fn a_host_that_is_away_for_a_while_repeats_nothing_and_loses_no_end() {
    for moment in MOMENTS {
        Range::new().lose(moment, Loss::LinkForAWhile);
    }
}

#[test]
fn a_host_that_is_away_for_good_is_told_and_a_resumed_run_finds_the_end() {
    for moment in MOMENTS {
        Range::new().lose(moment, Loss::LinkForGood);
    }
}

#[test]
fn an_sshd_that_is_away_for_a_while_repeats_nothing_and_loses_no_end() {
    for moment in MOMENTS {
        Range::new().lose(moment, Loss::SshdForAWhile);
    }
}

#[test]
fn a_killed_sshd_repeats_nothing_and_loses_no_end() {
    for moment in MOMENTS {
        Range::new().lose(moment, Loss::Sshd);
    }
}

#[test]
fn a_killed_controller_repeats_nothing_and_loses_no_end() {
    for moment in MOMENTS {
        Range::new().lose(moment, Loss::Controller);
    }
}
