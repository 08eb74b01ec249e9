//! Links that are lost: at every event of a run, all of them at once, on simulated hosts.

use std::time::Duration;

use rollbook::simulation::Fault;

use super::drill::{Drill, End, commands};
use super::undone::{HOSTS, hosts};
use crate::support::cluster::story;

/// How long nobody can be reached: not at all, a switch that restarts, a bastion that does.
const OUTAGES: [u64; 3] = [1, 5_000, 60_000];

/// Loses every link when an event is in the journal; the hosts can be reached again right afterwards, or a while later.
async fn try_points(worker: usize, workers: usize) -> usize {
    let mut drill = Drill::new().await;
    assert!(matches!(drill.live(None).await, End::Finished(_)));
    let (undisturbed, sent) = (hosts(&drill), commands(drill.world()));
    let events = u64::try_from(drill.events().len()).expect("not so many");
    let mut points = 0;
    for seq in (1..events).skip(worker).step_by(workers) {
        drill.again();
        let world = drill.world().clone();
        let outage = OUTAGES[usize::try_from(seq).expect("not so many") % OUTAGES.len()];
        drill.when(seq, move || {
            for host in HOSTS {
                // In the middle of whatever begins now.
                let at = rollbook::value::Duration::from_millis(world.elapsed().as_millis() + 7);
                let lasting = Some(rollbook::value::Duration::from_millis(outage));
                assert!(world.inject(Fault::Unreachable { host: host.to_owned(), at, lasting }));
            }
        });
        let End::Finished(history) = drill.live(None).await else { panic!("nobody kills it") };
        let at = format!("event {seq}, away for {outage} ms");
        assert!(history.state.halted().is_none(), "{at}: {:?}", history.state.halted());
        assert_eq!(hosts(&drill), undisturbed, "{at}");
        assert_eq!(commands(drill.world()), sent, "{at}");
        points += 1;
    }
    points
}

#[test]
fn links_that_are_lost_at_any_event_change_nothing() {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let points: usize = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || story(try_points(worker, workers)))).collect();
        all.into_iter().map(|worker| worker.join().expect("its points hold")).sum()
    });
    println!("all links lost at {points} events: the same hosts, and every command once");
    assert!(points > 200, "{points}");
}

/// Longer than anybody waits for a host: its end is not known, or it failed before its first change.
#[test]
fn a_host_that_is_away_for_hours_is_finished_once_it_is_back() {
    story(async {
        let mut drill = Drill::new().await;
        assert!(matches!(drill.live(None).await, End::Finished(_)));
        let undisturbed = hosts(&drill);
        let sent = commands(drill.world());
        let w1 = drill.started_ops("w1");
        assert!(w1.len() > 5, "{w1:?}");
        let mut resumed = 0;
        for seq in w1 {
            drill.again();
            let world = drill.world().clone();
            drill.when(seq, move || {
                let at = rollbook::value::Duration::from_millis(world.elapsed().as_millis());
                let lasting = Some(rollbook::value::Duration::from_secs(7200));
                assert!(world.inject(Fault::Unreachable { host: "w1".to_owned(), at, lasting }));
            });
            let End::Finished(history) = drill.live(None).await else { panic!("nobody kills it") };
            tokio::time::sleep(Duration::from_hours(3)).await;
            if history.state.can_resume() {
                resumed += 1;
                let End::Finished(again) = drill.live(None).await else { panic!("nobody kills it") };
                assert!(again.state.halted().is_none(), "event {seq}: {:?}", again.state.halted());
                assert_eq!(commands(drill.world()), sent, "event {seq}");
            } else {
                let plan = drill.cluster().plan("1.31.4").await.unwrap();
                let rolled = drill.cluster().roll(plan).await;
                assert_eq!(rolled.code, 0, "event {seq}\n{}", rolled.told);
            }
            assert_eq!(hosts(&drill), undisturbed, "event {seq}");
        }
        assert!(resumed > 2, "{resumed}");
    });
}
