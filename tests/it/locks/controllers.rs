//! Controllers over one simulated cluster, each with connections of its own. A clock that is paused makes minutes pass
//! at once.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use rollbook::engine::{Event, History};
use rollbook::executor::{Claim, LeaseApi, Leave, Lock, LockError, LockRefusal, LockRequest, Setup, roll};
use rollbook::kubernetes::lease::{Progress, Unfinished};
use rollbook::plan::Plan;
use rollbook::report::{ExitKind, Summary};
use rollbook::value::Duration;
use tokio::time::sleep;

use crate::support::cluster::{Cluster, story};

pub(super) const TTL: Duration = Duration::from_secs(60);

/// Two minutes of work on each of two hosts, one after the other; each command says whose it is.
const MARKS: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: marks }
params: { mark: { type: string, required: true } }
kube: { via: control_plane }
phases:
  - name: roll
    hosts: workers
    rollout: { batches: [1], max_unavailable: 1 }
    steps:
      - command: { argv: [sleep, "20", "{{ params.mark }}", one] }
      - command: { argv: [sleep, "20", "{{ params.mark }}", two] }
      - command: { argv: [sleep, "20", "{{ params.mark }}", three] }
"#;

pub(super) async fn marks(cluster: &Cluster, mark: &str) -> Rc<Plan> {
    Rc::new(cluster.plan_of(MARKS, &[("mark", mark)]).await.unwrap())
}

pub(super) fn unfinished(run: &str) -> Unfinished {
    Unfinished {
        run: run.to_owned(),
        plan: "sha256:ab".to_owned(),
        state: Progress::Running,
        since: "2026-01-05T22:00:00Z".to_owned(),
        by: format!("ops@{run}"),
        journal: format!("{run}:/state/runs/{run}"),
        machine: format!("machine of {run}"),
        stopped_by: String::new(),
        left: String::new(),
    }
}

pub(super) fn claim(run: &str, request: LockRequest) -> Claim {
    thread_local!(static PROCESSES: Cell<u32> = const { Cell::new(0) });
    let process = PROCESSES.replace(PROCESSES.get() + 1);
    Claim {
        request,
        holder: format!("ops@{run}, process {process}"),
        ttl: TTL,
        unfinished: Some(unfinished(run)),
        saved_plan: false,
        patience: Duration::ZERO,
        knows: |_| None,
    }
}

pub(super) const BEGIN: LockRequest = LockRequest::Begin { over: None };

pub(super) async fn take(setup: &Setup, claim: &Claim) -> Result<Rc<Lock>, LockError> {
    let kube = setup.plan.kube.as_ref().unwrap();
    let via: Vec<_> = kube.hosts.iter().map(|host| setup.plan.host(*host).name.clone()).collect();
    let api = LeaseApi::new(&setup.pool, &setup.controller, &kube.cx, &via);
    Lock::take(api, claim, setup.clock, &mut |_| {}).await.map(Rc::new)
}

/// What `rollbook run` does: takes the lock, rolls, and leaves the lock.
pub(super) async fn controller(setup: Setup, claim: &Claim) -> Result<History, LockError> {
    let lock = take(&setup, claim).await?;
    let over = lock.superseded();
    let run = claim.unfinished.as_ref().unwrap().run.clone();
    let history = roll(Setup { lock: Some(Rc::clone(&lock)), over, run, ..setup }).await.unwrap();
    let paused = || Leave::Paused { by: "Ctrl-C".to_owned(), left: String::new() };
    let leave = if history.state.can_resume() { paused() } else { Leave::Over };
    lock.leave(leave).await.unwrap();
    Ok(history)
}

/// Commands of the runbook that a host ran, in order: when, host, whose.
fn commands(cluster: &Cluster) -> Vec<(Duration, String, String)> {
    let all = cluster.simulated.log().into_iter().filter(|command| command.argv[0] == "sleep");
    all.map(|command| (command.at, command.host, command.argv[2].clone())).collect()
}

fn refused(error: LockError) -> Unfinished {
    match error {
        LockError::Refused(LockRefusal::Unfinished(unfinished)) => unfinished,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_controllers_that_start_at_once_exactly_one_runs() {
    for round in 0..50 {
        let cluster = Cluster::new(1, 2, "1.30.0");
        story(async {
            let (plan_a, plan_b) = (marks(&cluster, "a").await, marks(&cluster, "b").await);
            let (claim_a, claim_b) = (claim("a", BEGIN), claim("b", BEGIN));
            let late = async |millis: u64, controller| {
                sleep(std::time::Duration::from_millis(millis)).await;
                Box::pin(controller).await
            };
            // One look and one write take about 100 ms: each round they meet elsewhere.
            let (a, b) = tokio::join!(
                late(round * 5, controller(cluster.setup(&plan_a), &claim_a)),
                late(125, controller(cluster.setup(&plan_b), &claim_b)),
            );
            let (winner, error) = match (a, b) {
                (Ok(_), Err(error)) => ("a", error),
                (Err(error), Ok(_)) => ("b", error),
                other => panic!("round {round}: {other:?}"),
            };
            assert_eq!(refused(error), unfinished(winner), "round {round}");
            let ran = commands(&cluster);
            assert_eq!(ran.len(), 6, "round {round}: {ran:?}");
            assert!(ran.iter().all(|(_, _, mark)| mark == winner), "round {round}: {ran:?}");
            // It left nothing in the way of the next one.
            let next = claim("c", BEGIN);
            let lock = take(&cluster.setup(&plan_a), &next).await.unwrap();
            lock.leave(Leave::Over).await.unwrap();
        });
    }
}

/// A process that can be stopped and continued, as by SIGSTOP and SIGCONT.
#[derive(Default)]
struct Process {
    stopped: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Process {
    async fn run<T>(&self, life: impl Future<Output = T>) -> T {
        let mut life = pin!(life);
        poll_fn(|cx| {
            if self.stopped.get() {
                self.waker.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            life.as_mut().poll(cx)
        })
        .await
    }

    fn stop(&self) {
        self.stopped.set(true);
    }

    fn go_on(&self) {
        self.stopped.set(false);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[test]
fn a_holder_that_was_stopped_past_its_ttl_sends_nothing_to_a_host_where_another_run_works() {
    let mut lost = 0;
    for round in 0..50 {
        let cluster = Cluster::new(1, 2, "1.30.0");
        story(async {
            let (plan_a, plan_b) = (marks(&cluster, "a").await, marks(&cluster, "b").await);
            let process = Process::default();
            let claim_a = claim("a", BEGIN);
            let first = process.run(controller(cluster.setup(&plan_a), &claim_a));
            let second = async {
                sleep(std::time::Duration::from_millis(200 + round * 2_003)).await;
                process.stop();
                let give_up = Claim {
                    unfinished: None,
                    ..claim("b", LockRequest::Clear { run: Some("a".to_owned()), dead: false })
                };
                let lock = take(&cluster.setup(&plan_b), &give_up).await.unwrap();
                lock.clear(&["a".to_owned()], "ops@b: it does not answer").await.unwrap();
                let claim_b = claim("b", BEGIN);
                let roll = controller(cluster.setup(&plan_b), &claim_b);
                let wakes = async {
                    sleep(std::time::Duration::from_millis(round * 2_501)).await;
                    process.go_on();
                };
                tokio::join!(roll, wakes).0.unwrap()
            };
            let (a, b) = tokio::join!(Box::pin(first), Box::pin(second));
            assert!(
                b.state.finished() && b.state.halted().is_none(),
                "round {round}: {:?}",
                b.state.halted()
            );
            let ran = commands(&cluster);
            for host in ["w1", "w2"] {
                let marks: Vec<&str> =
                    ran.iter().filter(|(_, on, _)| on == host).map(|(_, _, mark)| mark.as_str()).collect();
                let first_b = marks.iter().position(|mark| *mark == "b").unwrap();
                assert!(marks[first_b..].iter().all(|mark| *mark == "b"), "round {round}, {host}: {marks:?}");
            }
            let a = a.unwrap();
            if a.events.iter().any(|event| matches!(event.event, Event::LockLost { .. })) {
                lost += 1;
                let summary = Summary::of(&plan_a, &a);
                let text = summary.text(&plan_a);
                assert!(
                    text.contains("the lock of the cluster was lost: the run was given up by ops@b"),
                    "{text}"
                );
                assert!([ExitKind::Locked, ExitKind::LeftOut].contains(&summary.exit()), "{text}");
            }
        });
    }
    assert!(lost > 40, "only {lost} of 50 holders were stopped in the middle");
}

#[test]
fn a_run_that_was_cut_off_is_in_the_way_until_it_goes_on_or_is_given_up() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = marks(&cluster, "a").await;
        let claim_a = claim("a", BEGIN);
        let life = controller(cluster.setup(&plan), &claim_a);
        let killed = tokio::time::timeout(std::time::Duration::from_secs(30), Box::pin(life)).await;
        assert!(killed.is_err(), "it was over before it was killed");
        // Time does not help.
        sleep(TTL.to_std() * 20).await;
        let setup = cluster.setup(&plan);
        let cut_off = Some(LockError::Refused(LockRefusal::CutOff(unfinished("a"))));
        for patience in [Duration::ZERO, Duration::from_secs(600)] {
            // Who waits for others is told as soon as it is known: a dead one never ends.
            let before = cluster.simulated.elapsed();
            let claim = Claim { patience, ..claim("b", BEGIN) };
            assert_eq!(take(&setup, &claim).await.err(), cut_off);
            let waited = cluster.simulated.elapsed().saturating_sub(before).as_secs();
            assert!((60..65).contains(&waited), "{waited} s");
        }
        // Who has its record and its machine goes on at once; elsewhere one ttl is watched.
        let Unfinished { run, journal, machine, .. } = unfinished("a");
        let here = LockRequest::GoOn { run: run.clone(), journal: journal.clone(), machine };
        let elsewhere = LockRequest::GoOn { run: run.clone(), journal, machine: "another".to_owned() };
        for (request, waits) in [(here, 0), (elsewhere.clone(), 60)] {
            let before = cluster.simulated.elapsed();
            take(&setup, &claim("a", request)).await.unwrap();
            let waited = cluster.simulated.elapsed().saturating_sub(before).as_secs();
            assert!((waits..waits + 5).contains(&waited), "{waited} s, not {waits}");
        }
        let give_up = LockRequest::Clear { run: Some(run), dead: true };
        let lock = take(&setup, &Claim { unfinished: None, ..claim("b", give_up) }).await.unwrap();
        lock.clear(&["a".to_owned()], "ops@b: its disk is gone").await.unwrap();
        let gone = take(&setup, &claim("a", elsewhere)).await.err().unwrap();
        let why = "ops@b: its disk is gone".to_owned();
        assert_eq!(gone, LockError::Refused(LockRefusal::Superseded { why }));
        take(&setup, &claim("b", BEGIN)).await.unwrap();
    });
}

#[test]
fn a_lease_that_somebody_deleted_stops_the_run_and_it_can_go_on() {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = marks(&cluster, "a").await;
        let claim_a = claim("a", BEGIN);
        let setup = cluster.setup(&plan);
        let deleted = async {
            sleep(std::time::Duration::from_secs(30)).await;
            let kubectl = "kubectl --kubeconfig=/etc/kubernetes/admin.conf -n kube-system";
            cluster.by_hand("cp1", &format!("{kubectl} delete leases.coordination.k8s.io rollbook")).await;
        };
        let (history, ()) = tokio::join!(Box::pin(controller(setup, &claim_a)), deleted);
        let history = history.unwrap();
        let summary = Summary::of(&plan, &history);
        assert!(summary.text(&plan).contains("the lock of the cluster was lost: somebody deleted its Lease"));
        assert!(history.state.can_resume());
        let ran = commands(&cluster).len();
        assert!((1..6).contains(&ran), "{ran}");
        let Unfinished { run, journal, machine, .. } = unfinished("a");
        let go_on = claim("a", LockRequest::GoOn { run, journal, machine });
        let setup = Setup { past: Some(history), ..cluster.setup(&plan) };
        let history = controller(setup, &go_on).await.unwrap();
        assert_eq!(Summary::of(&plan, &history).exit(), ExitKind::Ok);
        let ran = commands(&cluster);
        assert_eq!(ran.len(), 6, "each once: {ran:?}");
    });
}

#[test]
fn a_saved_plan_is_rolled_once_on_a_cluster() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = marks(&cluster, "a").await;
        let setup = cluster.setup(&plan);
        let saved = |run: &str| Claim { saved_plan: true, ..claim(run, BEGIN) };
        // A check under the lock failed: the plan is still good.
        let lock = take(&setup, &saved("never")).await.unwrap();
        lock.leave(Leave::NeverBegan).await.unwrap();
        let lock = take(&setup, &saved("a")).await.unwrap();
        lock.leave(Leave::Over).await.unwrap();
        assert_eq!(take(&setup, &saved("b")).await.err(), Some(LockError::PlanUsed));
    });
}
