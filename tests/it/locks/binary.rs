//! The binary with the real kubectl, over real sshds: what people are told, and what the hosts write down.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::roll::fleet::Fleet;
use crate::support::apiserver::ApiServer;
use crate::support::rollbook::Rollbook;

/// A fleet whose runbook asks for the lock of a cluster.
struct Locked {
    fleet: Fleet,
    api: ApiServer,
}

impl Locked {
    /// Hosts on which each of two commands works for so many seconds.
    fn of(hosts: usize, seconds: &str) -> Self {
        let (fleet, api) = (Fleet::of(hosts), ApiServer::start());
        api.write_kubeconfig(&fleet.dir.path().join("kubeconfig"));
        let steps = format!(
            "- command: {{ argv: [\"@work\", \"{{{{ host.name }}}}\", \"{{{{ run.id }}}}/one\", \"{seconds}\"] }}\n\
             - command: {{ argv: [\"@work\", \"{{{{ host.name }}}}\", \"{{{{ run.id }}}}/two\", \"{seconds}\"] }}"
        );
        let top = "kube: { via: controller, kubeconfig: @kubeconfig }\npolicy: { lock: { ttl: 1m } }";
        fleet.runbook(top, "batches: [1]", &steps);
        Self { fleet, api }
    }

    /// A run from a state directory of this name.
    fn run(&self, state: &str, more: &[&str]) -> Rollbook {
        self.fleet.rollbook("run", &[&["--yes", "--allow-commands", "--state-dir", state], more].concat())
    }

    fn resume(&self, state: &str, more: &[&str]) -> Rollbook {
        self.fleet.rollbook_on("resume", "--state-dir", &[&[state, "--allow-commands"], more].concat())
    }

    fn lock(&self, verb: &str, more: &[&str]) -> Rollbook {
        let cluster = ["-i", "inventory.yaml", "--via", "controller", "--kubeconfig", "kubeconfig"];
        self.fleet.rollbook_on("lock", verb, &[&cluster, more].concat())
    }

    /// The run that the Lease names.
    fn unfinished(&self) -> Option<String> {
        self.api.annotation("rollbook.dev/run")
    }

    /// Whose commands a host began, in order, each run once.
    fn runs_on(&self, host: usize) -> Vec<String> {
        let steps = self.fleet.steps(host).into_iter().filter(|step| step.ends_with("begin"));
        let mut runs: Vec<String> =
            steps.filter_map(|step| Some(step.split_once('/')?.0.to_owned())).collect();
        runs.dedup();
        runs
    }
}

#[test]
fn of_two_binaries_that_start_at_once_exactly_one_runs_and_the_other_names_it() {
    let rounds = std::env::var("ROLLBOOK_LOCK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let locked = Locked::of(1, "0.5");
    for round in 0..rounds {
        let _ = fs::remove_file(locked.fleet.path("log/h1"));
        let begun = [format!("a{round}"), format!("b{round}")].map(|state| locked.run(&state, &[]).start());
        let [a, b] = begun.map(crate::support::rollbook::Running::end);
        let (winner, loser) = if a.code == 0 { (a, b) } else { (b, a) };
        let (winner, loser) = (winner.exits(0), loser.exits(75));
        let run = winner.stderr.lines().find_map(|line| line.strip_prefix("record: ")).unwrap();
        let run = run.rsplit_once('/').unwrap().1;
        let loser = loser.says(&format!("run {run} of ")).says("either go on with it, on ");
        assert!(!loser.stderr.contains("record: "), "{}", loser.stderr);
        assert_eq!(locked.runs_on(1), [run], "round {round}");
        assert_eq!(locked.unfinished(), None, "round {round}");
    }
    println!("{rounds} pairs of controllers: one ran, the other exited 75");
}

#[test]
fn a_run_that_was_killed_is_in_the_way_everywhere_until_it_goes_on() {
    let locked = Locked::of(2, "1");
    let running = locked.run("state", &[]).start();
    locked.fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    let run = locked.unfinished().unwrap();
    let record = locked.fleet.run_dir().canonicalize().unwrap();
    let resume = format!("rollbook resume {}", record.display());
    // The record lies on this machine, so nothing is watched; waiting for it would be in vain.
    for more in [&[][..], &["--wait-lock", "1h"]] {
        let refused = locked.run("other", more).run().exits(17).says("was cut off: its controller is dead");
        assert!(!refused.stderr.contains("watching for "), "{}", refused.stderr);
    }
    let refused = locked.run("other", &[]).run().exits(17);
    refused.says(&format!("run {run} of ")).says(&resume).says(&format!("--supersede {run} --reason"));
    // The plan says so, and is a plan all the same.
    let plan = locked.fleet.rollbook("plan", &["--allow-commands"]).run().exits(0);
    plan.says(&format!("note: run {run} of ")).says("was cut off").says(&resume);
    locked.lock("show", &[]).run().exits(0).shows(&format!("run      {run}, running")).shows(&resume);
    locked.resume("state", &[]).run().exits(0);
    assert_eq!((locked.runs_on(1), locked.runs_on(2)), (vec![run.clone()], vec![run]));
    assert_eq!(locked.fleet.log(1).len() + locked.fleet.log(2).len(), 8, "each command once");
    locked.lock("show", &[]).run().exits(0).shows("free");
    locked.run("other", &[]).run().exits(0);
}

/// The real kubectl's words while a server forbids everything, and for a right that is missing.
#[test]
fn a_run_waits_for_an_api_server_that_starts_and_names_a_missing_right_at_once() {
    let locked = Locked::of(1, "3");
    locked.api.starts(Duration::from_secs(8));
    let running = locked.run("state", &[]).start();
    locked.fleet.await_lines(1, 1);
    // A renewal is refused, too, and the lock is left a while later.
    locked.api.starts(Duration::from_secs(12));
    running.end().exits(0).says("waiting");
    assert_eq!((locked.fleet.log(1).len(), locked.unfinished()), (4, None));

    let began = Instant::now();
    locked.api.deny(Some(("update", "leases")));
    let refused = locked.run("state", &[]).run();
    refused.exits(10).says("the account \"ops\" may not update leases.coordination.k8s.io in kube-system");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // Another account may run what this one plans.
    let plan = locked.fleet.rollbook("plan", &["--allow-commands"]).run().exits(0);
    plan.says("warning: the account of `kube.kubeconfig` may not update leases.coordination.k8s.io rollbook in kube-system");
    locked.api.lie();
    locked.run("state", &[]).run().exits(10).says("may not update leases.coordination.k8s.io");
    assert_eq!(locked.fleet.log(1).len(), 4, "nothing began");
}

#[test]
fn a_run_that_stopped_keeps_its_record_and_can_be_given_up() {
    let locked = Locked::of(2, "1");
    let running = locked.run("state", &[]).start();
    locked.fleet.await_lines(1, 1);
    running.signal(Signal::INT);
    running.end().exits(130).says("to go on");
    let run = locked.unfinished().unwrap();
    locked
        .lock("show", &[])
        .run()
        .exits(0)
        .shows(&format!("run      {run}, paused"))
        .shows("stopped  Ctrl-C");
    // In order, with every host in service: whoever is next may try later.
    let refused = locked.run("other", &[]).run().exits(75).says("has stopped and can go on");
    refused.says("stopped by: Ctrl-C; it left no host out of service or half-changed");
    // From the same state directory the record beside it is noticed, also where there is no cluster.
    locked.run("state", &["--wait-lock", "1s"]).run().exits(75).says("has not ended");
    locked.lock("release", &["--reason", "x"]).run().exits(75).says(&format!("run {run} of "));
    let give_up = ["--supersede", &run, "--reason", "its window is over", "--state-dir", "state"];
    locked.lock("release", &give_up).run().exits(0).says("is given up");
    locked.resume("state", &[]).run().exits(64).says("no run can go on");
    locked.resume("state", &[&run]).run().exits(64).says("was given up by").says("its window is over");
    locked
        .lock("show", &[])
        .run()
        .exits(0)
        .shows(&format!("given up {run}, by "))
        .shows("its window is over");
    locked.run("state", &[]).run().exits(0);
}

#[test]
fn elsewhere_the_lock_of_a_killed_run_is_watched_for_one_ttl() {
    let locked = Locked::of(2, "1");
    let running = locked.run("state", &[]).start();
    locked.fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    // As another machine sees it: the record is not where the Lease says.
    fs::rename(locked.fleet.path("state"), locked.fleet.path("moved")).unwrap();
    let began = Instant::now();
    let refused =
        locked.run("other", &["--wait-lock", "1s"]).run().exits(17).says("watching for 1m whether ");
    refused.says("was cut off: its controller is dead").says("either go on with it, on ");
    assert!(began.elapsed() >= Duration::from_mins(1), "a holder is watched for one ttl");
}

#[test]
fn cron_goes_on_first_with_what_it_began_and_with_nothing_else() {
    let locked = Locked::of(2, "1");
    let kill = |state: &str, more: &[&str]| {
        let before = locked.fleet.log(1).len();
        let running = locked.run(state, more).start();
        locked.fleet.await_lines(1, before + 1);
        running.signal(Signal::KILL);
        running.end();
    };
    kill("state", &[]);
    let run = locked.unfinished().unwrap();
    // Its record lies elsewhere.
    let refused = locked.run("other", &["--unfinished", "resume"]).run().exits(17);
    refused.says(&format!("run {run} of "));
    // A runbook of another name.
    let text = fs::read_to_string(locked.fleet.path("up.yaml")).unwrap();
    fs::write(locked.fleet.path("up.yaml"), text.replacen("metadata: { name: ", "metadata: { name: not-", 1))
        .unwrap();
    locked.run("state", &["--unfinished", "resume"]).run().exits(17);
    fs::write(locked.fleet.path("up.yaml"), text).unwrap();
    let begun = locked.run("state", &["--unfinished", "resume"]).run().exits(0);
    begun.says(&format!("run {run} has not ended: it goes on first"));
    // The commands of the run that was killed ran once, and those of the new one came after them.
    let runs = locked.runs_on(1);
    assert_eq!((runs.len(), &runs[0]), (2, &run), "{runs:?}");
    assert_eq!(locked.fleet.log(1).len() + locked.fleet.log(2).len(), 16, "each command of both runs once");
    // Nothing is unfinished: the flag changes nothing.
    let next = locked.run("state", &["--unfinished", "resume"]).run().exits(0);
    assert!(!next.stderr.contains("goes on first"), "{}", next.stderr);
}

#[test]
fn a_holder_that_was_stopped_past_its_ttl_touches_no_host_of_the_next_run() {
    let locked = Locked::of(2, "4");
    let first = locked.run("state", &[]).start();
    locked.fleet.await_lines(1, 1);
    let run = locked.unfinished().unwrap();
    first.signal(Signal::STOP);
    let began = Instant::now();
    locked
        .lock("release", &["--supersede", &run, "--reason", "it hangs", "--state-dir", "other"])
        .run()
        .exits(0)
        .says("watching for 1m whether ");
    assert!(began.elapsed() >= Duration::from_mins(1), "a holder is watched for one ttl");
    let second = locked.run("other", &[]).start();
    locked.fleet.await_lines(1, 3);
    first.signal(Signal::CONT);
    first.end().exits(11).says("LOCK LOST: the run was given up by ").says("it hangs");
    second.end().exits(0);
    for host in 1..=2 {
        let runs = locked.runs_on(host);
        let after: Vec<&String> = runs.iter().skip_while(|of| **of == run).collect();
        assert_eq!(after.len(), 1, "h{host}: {runs:?}");
    }
    assert_eq!(locked.fleet.log(1).iter().filter(|line| line.step.starts_with(&run)).count(), 2);
}
