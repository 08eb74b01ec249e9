//! Controllers that die and are not resumed: what they left is put back, and a new run does the rest.

use std::collections::BTreeMap;

use rollbook::engine::{Event, History};
use rollbook::executor::{Undoing, undoing};
use rollbook::plan::Plan;
use rollbook::simulation::HostState;

use super::drill::{Death, Drill, End};
use super::simulated::comparable;
use crate::support::cluster::{shown, story};

pub(super) const HOSTS: [&str; 5] = ["cp1", "cp2", "cp3", "w1", "w2"];

/// What can be put back now.
pub(super) async fn look(drill: &mut Drill) -> Undoing {
    let history = History::of(drill.plan(), drill.events()).expect("the journal fits the plan");
    let (pool, controller) = drill.cluster().pools();
    undoing(drill.plan(), &history, true, (&pool, &controller), &mut |_| {}).await.expect("it lowers")
}

/// The hosts by name, without what depends on when something happened.
pub(super) fn hosts(drill: &Drill) -> BTreeMap<&'static str, HostState> {
    let host = |name: &'static str| (name, comparable(drill.world().host(name).expect("a host")));
    HOSTS.map(host).into()
}

/// Whose cordons there are.
fn cordons(drill: &Drill) -> Vec<(String, Option<String>)> {
    let cordoned = HOSTS.map(|name| drill.world().host(name).expect("a host")).into_iter();
    let cordoned = cordoned.filter(|host| host.cordoned || host.annotations.contains_key(BY));
    cordoned.map(|host| (host.node, host.annotations.get(BY).cloned())).collect()
}

const BY: &str = "rollbook.dev/cordoned-by";

/// What one worker saw.
#[derive(Debug, Default)]
struct Seen {
    points: usize,
    cordons: usize,
}

async fn try_points(worker: usize, workers: usize) -> Seen {
    let mut drill = Drill::new().await;
    let before = hosts(&drill);
    assert!(before.values().all(|host| !host.held.is_empty()), "the hosts hold their packages");
    assert!(matches!(drill.live(None).await, End::Finished(_)));
    let undisturbed = hosts(&drill);
    let events = u64::try_from(drill.events().len()).expect("not so many");
    let later = (1..=events).step_by(3).map(|seq| Death::Later(seq, 700));
    let mut seen = Seen::default();
    // A sample: each is followed by a whole new run.
    for death in (1..events).map(Death::After).chain(later).step_by(7).skip(worker).step_by(workers) {
        drill.again();
        if matches!(drill.live(Some(death)).await, End::Finished(_)) {
            continue;
        }
        seen.points += 1;
        seen.cordons += cordons(&drill).len();
        let found = look(&mut drill).await;
        assert!(found.kept.is_empty(), "{death:?}: {:?}", found.kept);
        if let Some(plan) = found.plan {
            let told = shown(&plan);
            let rolled = drill.cluster().roll(plan).await;
            assert_eq!(rolled.code, 0, "{death:?}\n{told}\n{}", rolled.told);
        }
        assert_eq!(cordons(&drill), [], "{death:?}");
        let again = look(&mut drill).await;
        assert!(
            again.plan.is_none() && again.kept.is_empty(),
            "{death:?}: {:?}",
            again.plan.as_ref().map(shown)
        );
        // What still ran on hosts that had nothing to put back ends meanwhile.
        tokio::time::sleep(std::time::Duration::from_hours(1)).await;
        for (name, host) in hosts(&drill) {
            assert_eq!(host.held, before[name].held, "{death:?}: {name}");
        }
        let plan = drill.cluster().plan("1.31.4").await.unwrap_or_else(|error| panic!("{death:?}: {error}"));
        let rolled = drill.cluster().roll(plan).await;
        assert_eq!(rolled.code, 0, "{death:?}\n{}", rolled.told);
        assert_eq!(hosts(&drill), undisturbed, "{death:?}\n{}", rolled.told);
    }
    seen
}

#[test]
fn what_a_dead_run_left_is_put_back_and_a_new_run_does_the_rest() {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || story(try_points(worker, workers)))).collect();
        all.into_iter().map(|worker| worker.join().expect("its points hold")).collect()
    });
    let sum = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    println!("{} crash points, {} cordons put back", sum(|seen| seen.points), sum(|seen| seen.cordons));
    assert!(sum(|seen| seen.points) > 40 && sum(|seen| seen.cordons) > 8, "{seen:?}");
}

/// The first event that is so.
fn first(drill: &Drill, wanted: impl Fn(&Event, &Plan) -> bool) -> u64 {
    let events = drill.events();
    let found = events.iter().find(|event| wanted(&event.event, drill.plan()));
    found.expect("the upgrade has such an event").seq
}

/// A worker is drained, has the new kubelet, and the old one still runs; the controller and its record are gone.
#[test]
fn with_the_record_lost_a_new_run_takes_the_cordon_over_and_finishes() {
    story(async {
        let mut drill = Drill::new().await;
        assert!(matches!(drill.live(None).await, End::Finished(_)));
        let undisturbed = hosts(&drill);
        let installed = first(&drill, |event, plan| match event {
            Event::TaskEnded { task, .. } => {
                plan.host(task.host).name.as_str() == "w1" && plan.title(*task).contains("install kubelet")
            }
            _ => false,
        });
        drill.again();
        assert!(matches!(drill.live(Some(Death::After(installed))).await, End::Died));
        assert_eq!(cordons(&drill), [("w1".to_owned(), Some("run".to_owned()))]);
        let before = drill.world().host("w1").unwrap();
        assert!(before.kubelet == "1.30.0" && before.packages["kubelet"].starts_with("1.31.4"), "{before:?}");

        let plan = shown(&drill.cluster().plan("1.31.4").await.unwrap());
        assert!(plan.contains("cordoned by run run, and stays so: w1"), "{plan}");
        assert!(plan.contains("--adopt-cordons run"), "{plan}");
        assert!(plan.contains("restart kubelet"), "{plan}");

        drill.cluster().adopt = Some("run".to_owned());
        let plan = drill.cluster().plan("1.31.4").await.unwrap();
        let told = shown(&plan);
        assert!(!told.contains("and stays so"), "{told}");
        let rolled = drill.cluster().roll(plan).await;
        assert_eq!(rolled.code, 0, "{told}\n{}", rolled.told);
        assert_eq!(cordons(&drill), []);
        assert_eq!(hosts(&drill), undisturbed, "{told}\n{}", rolled.told);
    });
}

/// All that is left of the dead run is its cordon: the bracket around it is not skipped, though every goal inside holds.
#[test]
fn a_cordon_is_taken_over_even_where_nothing_else_is_left_to_do() {
    story(async {
        let mut drill = Drill::new().await;
        assert!(matches!(drill.live(None).await, End::Finished(_)));
        let undisturbed = hosts(&drill);
        let uncordon = first(&drill, |event, plan| match event {
            Event::TaskStarted { task, .. } => {
                plan.host(task.host).name.as_str() == "w2" && plan.title(*task).starts_with("uncordon")
            }
            _ => false,
        });
        drill.again();
        assert!(matches!(drill.live(Some(Death::After(uncordon))).await, End::Died));
        assert_eq!(cordons(&drill), [("w2".to_owned(), Some("run".to_owned()))]);
        drill.cluster().adopt = Some("run".to_owned());
        let plan = drill.cluster().plan("1.31.4").await.unwrap();
        let told = shown(&plan);
        assert!(told.contains("take over the cordon of w2 from run run"), "{told}");
        let rolled = drill.cluster().roll(plan).await;
        assert_eq!(rolled.code, 0, "{told}\n{}", rolled.told);
        assert_eq!(rolled.out_of_service(), ["w2"], "{told}\n{}", rolled.told);
        assert_eq!(cordons(&drill), []);
        assert_eq!(hosts(&drill), undisturbed);
        assert!(drill.cluster().plan("1.31.4").await.is_err(), "there is nothing left to adopt");
    });
}
