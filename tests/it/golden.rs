//! Journals of every released format stay readable for ever. A folder below `cases/journals/v1` is the record of a run as
//! this version of the format writes it, with what it must be read as. Folders are added, and never written again:
//! with `ROLLBOOK_WRITE_JOURNALS=1` those that are missing are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};
use rollbook::engine::{Awaited, Cause, Event, Failure, History, Stamped, StopLevel, TaskEnd};
use rollbook::executor::{Nobody, Setup, StopRequest, roll};
use rollbook::journal::{Journal, Record, RunDir};
use rollbook::op::Exit;
use rollbook::plan::Plan;
use rollbook::plan::show::bytes;
use rollbook::report::Summary;
use rollbook::simulation::Fault;
use rollbook::value::{Duration, Timestamp};
use tokio::sync::mpsc;

use crate::support::cluster::{Cluster, story};

fn folder() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/journals/v1")
}

/// What a record is read as.
fn meaning(dir: &Utf8Path) -> serde_json::Value {
    let recorded = RunDir::at(dir.to_owned()).read().unwrap_or_else(|error| panic!("{dir}: {error}"));
    let (plan, history) = (&recorded.plan, &recorded.history);
    let hosts: BTreeMap<String, String> = (0..)
        .map(rollbook::plan::HostId)
        .zip(&plan.hosts)
        .map(|(id, host)| (host.name.to_string(), format!("{:?}", history.state.overall_status(plan, id))))
        .collect();
    serde_json::json!({
        "run": history.run(),
        "events": history.events.len(),
        "digest": recorded.digest,
        "finished": history.state.finished(),
        "can_resume": history.state.can_resume(),
        "undone_by": history.state.undone_by(),
        "exit_code": Summary::of(plan, history).exit_code(),
        "hosts": hosts,
    })
}

#[test]
fn every_journal_that_was_ever_written_can_be_read() {
    if std::env::var_os("ROLLBOOK_WRITE_JOURNALS").is_some() {
        story(write_missing());
    }
    let mut dirs: Vec<_> =
        folder().read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    dirs.sort();
    let mut seen = BTreeSet::new();
    for dir in &dirs {
        let expected: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(dir.join("means.json")).unwrap()).unwrap();
        assert_eq!(meaning(dir), expected, "{dir}");
        let events = rollbook::journal::read(&dir.join("journal.jsonl")).unwrap();
        seen.extend(events.iter().map(|event| name(&event.event)));
    }
    let missing: Vec<_> = ALL.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "no journal of {} holds {missing:?}", folder());
}

/// Plans that were written before ops said what they change for a while.
#[test]
fn of_the_oldest_records_too_it_is_known_what_their_runs_left() {
    let left = |name: &str| {
        let recorded = RunDir::at(folder().join(name)).read().unwrap();
        let left = recorded.history.state.outstanding();
        // Each once, whatever was sent for it again.
        let left: BTreeSet<_> = left.iter().map(|left| (left.host(), &left.change)).collect();
        left.into_iter().map(|(_, change)| format!("{change:?}")).collect::<Vec<_>>()
    };
    assert_eq!(left("cut-off-undone"), ["Cordon", "Unhold(\"kubelet\")"]);
    assert_eq!(left("op-never-began"), ["Cordon"]);
    assert_eq!(left("condition-decided"), [""; 0]);
}

const ALL: [&str; 43] = [
    "RunStarted",
    "RunResumed",
    "PhaseStarted",
    "BatchStarted",
    "HostStarted",
    "ObservationStarted",
    "Observed",
    "SlotTaken",
    "BudgetWaiting",
    "BracketProbeStarted",
    "BracketProbed",
    "TaskStarted",
    "TaskWaiting",
    "TaskAsks",
    "TaskApproved",
    "ClusterSilent",
    "ClusterAnswers",
    "HostSilent",
    "HostAnswers",
    "TaskProbed",
    "ConditionDecided",
    "OpStarted",
    "OpEnded",
    "OpSaid",
    "OpNotStarted",
    "TaskEnded",
    "TaskSkipped",
    "SectionStarted",
    "HostEnded",
    "SoakStarted",
    "VerifyStarted",
    "Verified",
    "GateReached",
    "GateWaiting",
    "GatePassed",
    "GateRefused",
    "BatchEnded",
    "PhaseEnded",
    "StopRequested",
    "LockLost",
    "Halted",
    "RunEnded",
    "RunUndone",
];

/// A new event needs a line here and above, and a journal that holds it.
fn name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "RunStarted",
        Event::RunResumed { .. } => "RunResumed",
        Event::PhaseStarted { .. } => "PhaseStarted",
        Event::BatchStarted { .. } => "BatchStarted",
        Event::HostStarted { .. } => "HostStarted",
        Event::ObservationStarted { .. } => "ObservationStarted",
        Event::Observed { .. } => "Observed",
        Event::SlotTaken { .. } => "SlotTaken",
        Event::BudgetWaiting { .. } => "BudgetWaiting",
        Event::BracketProbeStarted { .. } => "BracketProbeStarted",
        Event::BracketProbed { .. } => "BracketProbed",
        Event::TaskStarted { .. } => "TaskStarted",
        Event::TaskWaiting { .. } => "TaskWaiting",
        Event::TaskAsks { .. } => "TaskAsks",
        Event::TaskApproved { .. } => "TaskApproved",
        Event::ClusterSilent { .. } => "ClusterSilent",
        Event::ClusterAnswers => "ClusterAnswers",
        Event::HostSilent { .. } => "HostSilent",
        Event::HostAnswers { .. } => "HostAnswers",
        Event::TaskProbed { .. } => "TaskProbed",
        Event::ConditionDecided { .. } => "ConditionDecided",
        Event::OpStarted { .. } => "OpStarted",
        Event::OpEnded { .. } => "OpEnded",
        Event::OpSaid { .. } => "OpSaid",
        Event::OpNotStarted { .. } => "OpNotStarted",
        Event::TaskEnded { .. } => "TaskEnded",
        Event::TaskSkipped { .. } => "TaskSkipped",
        Event::SectionStarted { .. } => "SectionStarted",
        Event::HostEnded { .. } => "HostEnded",
        Event::SoakStarted { .. } => "SoakStarted",
        Event::VerifyStarted { .. } => "VerifyStarted",
        Event::Verified { .. } => "Verified",
        Event::GateReached { .. } => "GateReached",
        Event::GateWaiting { .. } => "GateWaiting",
        Event::GatePassed { .. } => "GatePassed",
        Event::GateRefused { .. } => "GateRefused",
        Event::BatchEnded { .. } => "BatchEnded",
        Event::PhaseEnded { .. } => "PhaseEnded",
        Event::StopRequested { .. } => "StopRequested",
        Event::LockLost { .. } => "LockLost",
        Event::Halted { .. } => "Halted",
        Event::RunEnded => "RunEnded",
        Event::RunUndone { .. } => "RunUndone",
    }
}

const RUNBOOK: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: hold }
kube: { via: control_plane }
phases:
  - name: hold
    hosts: workers
    rollout:
      batches: [1]
      soak: 10s
      wait_for_budget: 2m
      verify: [wait: { nodes: ready, for: 1m }]
    steps:
      - command: { argv: ["true"] }
        effect: reads
        when: "false"
      - cordon: {}
      - apt_mark: { unhold: [kubelet] }
      - apt_mark: { hold: [kubelet] }
      - command: { argv: ["true"] }
        effect: changes
        id: said
      - uncordon: {}
"#;

const GATED: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: gated }
phases:
  - name: look
    hosts: workers
    rollout:
      batches: [1]
      topology: { key: role, max_domains: 1 }
      gate: { approve: look at the dashboards, after: first }
    steps:
      - pause: { manual: look at the host }
      - command: { argv: ["true"] }
        effect: changes
"#;

/// A run with a pause and a gate: nobody is there at first, and then somebody is.
async fn write_gated() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    let plan = Rc::new(cluster.plan_of(GATED, &[]).await.unwrap());
    let kept = Kept::default();
    let record = || Box::new(kept.clone());
    let nobody = Rc::new(Nobody);
    let setup = Setup { record: record(), approver: nobody.clone(), ..cluster.setup(&plan) };
    let paused = roll(setup).await.unwrap();
    let [Awaited::Task(task)] = paused.state.awaited(&plan)[..] else { panic!("one pause") };
    // Somebody confirms the pause, and the controller dies right after that.
    let mut past = paused.events;
    push(&mut past, Event::RunResumed { version: "0.1.0".to_owned(), machine: String::new() });
    push(&mut past, Event::TaskApproved { task, attempt: 1, by: "ops@bastion".to_owned() });
    kept.0.borrow_mut().clone_from(&past);
    let past = Some(History::of(&plan, past).unwrap());
    let setup = Setup { record: record(), approver: nobody, past, ..cluster.setup(&plan) };
    let refused = roll(setup).await.unwrap();
    assert!(matches!(refused.state.awaited(&plan)[..], [Awaited::Gate { .. }]));
    let events = kept.0.borrow().clone();
    let gate = events.iter().position(|event| matches!(event.event, Event::GateReached { .. })).unwrap();
    let mut waits = events[..=gate].to_vec();
    push(&mut waits, Event::GateWaiting { phase: 0, batch: 0, reason: "1 of 2 nodes".to_owned() });
    write("cut-off-at-a-gate", &plan, &waits);
    let setup = Setup { record: record(), past: Some(refused), ..cluster.setup(&plan) };
    assert!(roll(setup).await.unwrap().state.halted().is_none());
    write("paused-and-approved", &plan, &kept.0.take());
}

const LATE: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: late }
phases:
  - name: hold
    hosts: workers
    steps:
      - apt_mark: { unhold: [kubelet] }
      - apt_mark: { hold: [kubelet] }
      - apt_mark: { unhold: [kubectl] }
        when: facts.packages.kubectl.held
      - apt_mark: { hold: [kubectl] }
        when: facts.packages.kubectl.held
";

/// A run that decides a condition which its own step makes false.
async fn write_decided() {
    let cluster = Cluster::new(1, 1, "1.30.0");
    let plan = Rc::new(cluster.plan_of(LATE, &[]).await.unwrap());
    let kept = Kept::default();
    roll(Setup { record: Box::new(kept.clone()), ..cluster.setup(&plan) }).await.unwrap();
    write("condition-decided", &plan, &kept.0.take());
}

const RESCUES: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: rescues }
kube: { via: control_plane }
phases:
  - name: hold
    hosts: workers
    steps:
      - cordon: {}
      - command: { argv: [do-maintain] }
        id: maintain
    rescue:
      steps:
        - command: { argv: [put-back, "{{ failure.step }}"] }
          effect: changes
        - uncordon: {}
      then: ok
    always:
      - uncordon: {}
"#;

#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<Stamped>>>);

impl Record for Kept {
    fn append(&mut self, events: &[Stamped], _: bool) -> io::Result<()> {
        self.0.borrow_mut().extend_from_slice(events);
        Ok(())
    }
}

async fn write_missing() {
    write_gated().await;
    write_decided().await;
    let mut cluster = Cluster::new(3, 2, "1.30.0");
    let plan = Rc::new(cluster.plan_of(RUNBOOK, &[]).await.unwrap());
    let seconds = |cluster: &Cluster| Duration::from_millis(cluster.simulated.elapsed().as_millis());

    // Somebody else cordons w2 and holds the budget; then a person stops the run, and it goes on to its end.
    let kept = Kept::default();
    let at = seconds(&cluster);
    cluster.simulated.inject(Fault::NodeCordoned { host: "w2".to_owned(), at });
    let halted = roll(Setup { record: Box::new(kept.clone()), ..cluster.setup(&plan) }).await.unwrap();
    assert!(halted.state.halted().is_some());
    cluster.by_hand("cp1", "kubectl uncordon w2").await;
    let (sender, stops) = mpsc::unbounded_channel();
    sender.send(StopRequest { level: StopLevel::Graceful, by: "Ctrl-C".to_owned() }).unwrap();
    let setup = Setup { record: Box::new(kept.clone()), past: Some(halted), stops, ..cluster.setup(&plan) };
    let stopped = roll(setup).await.unwrap();
    let setup = Setup { record: Box::new(kept.clone()), past: Some(stopped), ..cluster.setup(&plan) };
    assert!(roll(setup).await.unwrap().state.halted().is_none());
    write("waited-stopped-resumed", &plan, &kept.0.take());

    // Cut off between two ops, and undone.
    let cluster = Cluster::new(3, 2, "1.30.0");
    let kept = Kept::default();
    roll(Setup { record: Box::new(kept.clone()), ..cluster.setup(&plan) }).await.unwrap();
    let mut events = kept.0.take();
    let third = events.iter().enumerate().filter(|(_, event)| matches!(event.event, Event::OpStarted { .. }));
    let (cut, _) = third.clone().nth(2).unwrap();
    let mut undone = events[..=cut].to_vec();
    push(&mut undone, Event::RunUndone { by: "20260105-230000-0002".to_owned() });
    write("cut-off-undone", &plan, &undone);

    // What is waited for.
    let mut waits = events[..cut].to_vec();
    let Event::OpStarted { task, attempt, .. } = events[cut].event else { unreachable!() };
    let (reason, within) = ("the API does not answer".to_owned(), Duration::from_secs(300));
    push(&mut waits, Event::ClusterSilent { reason: reason.clone(), within, starting: false });
    push(&mut waits, Event::TaskWaiting { task, attempt, reason, within });
    push(&mut waits, Event::ClusterAnswers);
    write("waits", &plan, &waits);

    // A link that was lost and mended.
    let mut mended = events[..cut].to_vec();
    let reason = "cannot reach w1: Connection refused".to_owned();
    push(&mut mended, Event::HostSilent { host: task.host, reason, attempts: 16 });
    push(&mut mended, Event::HostAnswers { host: task.host });
    write("link-mended", &plan, &mended);

    // An op that never began.
    let (cut, _) = third.clone().nth(2).unwrap();
    events.truncate(cut + 1);
    let Event::OpStarted { task, attempt, pass, op, .. } = events[cut].event else { unreachable!() };
    push(&mut events, Event::OpNotStarted { task, attempt, pass, op });
    // Because the lock of the cluster was lost, or because its host cannot be reached.
    let mut lost = events.clone();
    push(&mut lost, Event::LockLost { why: "ops@elsewhere has it".to_owned() });
    let reason = "the lock of the cluster is lost".to_owned();
    push(&mut lost, Event::TaskEnded { task, attempt, end: TaskEnd::Withheld { reason } });
    write("lock-lost", &plan, &lost);
    let failure = Failure {
        cause: Cause::Unreachable,
        message: "cannot reach w1: Connection timed out".to_owned(),
        hint: "look at it".to_owned(),
    };
    push(&mut events, Event::TaskEnded { task, attempt, end: TaskEnd::Failed { failure } });
    write("op-never-began", &plan, &events);

    // An op that failed, and what it said last.
    events.truncate(cut + 1);
    let (exit, last_line, stdout) = (Exit::Code(1), "it is gone".to_owned(), None);
    push(&mut events, Event::OpEnded { task, attempt, pass, op, exit, last_line, stdout, refused: false });
    let stderr = vec!["looking for w1".to_owned(), "it is gone".to_owned()];
    let file = "output/w1.0-0-0-1-0-0.log".to_owned();
    push(&mut events, Event::OpSaid { task, attempt, pass, op, stderr, stdout: Vec::new(), file });
    let message = "cordon w1: exit code 1: it is gone".to_owned();
    let failure = Failure { cause: Cause::Command, message, hint: String::new() };
    push(&mut events, Event::TaskEnded { task, attempt, end: TaskEnd::Failed { failure } });
    write("op-said", &plan, &events);

    // A host that failed and was rescued.
    let cluster = Cluster::new(3, 2, "1.30.0");
    cluster.breaks("w1", "do-maintain");
    let plan = Rc::new(cluster.plan_of(RESCUES, &[]).await.unwrap());
    let kept = Kept::default();
    roll(Setup { record: Box::new(kept.clone()), ..cluster.setup(&plan) }).await.unwrap();
    write("rescued", &plan, &kept.0.take());
}

fn push(events: &mut Vec<Stamped>, event: Event) {
    let last = events.last().unwrap();
    let next = Stamped { seq: last.seq + 1, at: Timestamp(last.at.0 + 1000), event };
    events.push(next);
}

fn write(case: &str, plan: &Plan, events: &[Stamped]) {
    let dir = folder().join(case);
    if dir.exists() {
        return;
    }
    History::of(plan, events.to_vec()).unwrap();
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("plan.json"), bytes(plan)).unwrap();
    Journal::create(&dir.join("journal.jsonl")).unwrap().append(events, true).unwrap();
    let means = serde_json::to_string_pretty(&meaning(&dir)).unwrap();
    fs::write(dir.join("means.json"), means + "\n").unwrap();
}
