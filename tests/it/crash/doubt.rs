//! Controllers and links that are lost around a cordon that kubectl sets without an answer. Nobody is told that it was
//! set, and it is taken back all the same: by the resumed run, or by an undo of the dead one.

use rollbook::engine::HostStatus;
use rollbook::report::Summary;
use rollbook::simulation::Fault;
use rollbook::value::Duration;

use super::drill::{Death, Drill, End};
use super::simulated::{deaths, live_on};
use super::undone::look;
use crate::support::cluster::{Cluster, DRAINED, story};

/// The patches that set and release the cordon are carried out, and their answers are lost.
fn deaf() -> Cluster {
    let cluster = Cluster::new(1, 1, "1.30.0");
    for command in ["\"value\":null", "\"value\":false"] {
        let stderr = "Unable to connect to the server: EOF".to_owned();
        let (host, command) = ("cp1".to_owned(), command.to_owned());
        assert!(cluster.simulated.inject(Fault::AnswerLost { host, command, code: 1, stderr, times: 1 }));
    }
    cluster
}

/// Whether the worker is cordoned, or says that it is.
fn is_cordoned(drill: &Drill) -> bool {
    let worker = drill.world().host("w1").unwrap();
    worker.cordoned || worker.annotations.contains_key("rollbook.dev/cordoned-by")
}

/// Puts back what the dead run left; whether there was anything.
async fn undo(drill: &mut Drill) -> bool {
    let found = look(drill).await;
    assert!(found.kept.is_empty(), "{:?}", found.kept);
    let Some(plan) = found.plan else { return false };
    let rolled = drill.cluster().roll(plan).await;
    assert_eq!(rolled.code, 0, "{}", rolled.told);
    true
}

#[test]
fn wherever_the_controller_dies_a_cordon_without_an_answer_is_taken_back() {
    story(async {
        let mut drill = Drill::of(DRAINED, deaf).await;
        assert_eq!(live_on(&drill, std::iter::empty()).await, 1);
        assert!(!is_cordoned(&drill));
        let (mut left, events) = (0, u64::try_from(drill.events().len()).unwrap());
        for death in deaths(events) {
            drill.again();
            if live_on(&drill, [death].into_iter()).await > 1 {
                assert!(!is_cordoned(&drill), "resumed after {death:?}");
            }
            drill.again();
            if matches!(drill.live(Some(death)).await, End::Died) {
                let was_cordoned = is_cordoned(&drill);
                let found = undo(&mut drill).await;
                assert!(found || !was_cordoned, "nothing was found after {death:?}");
                assert!(!is_cordoned(&drill), "undone after {death:?}");
                left += usize::from(was_cordoned);
            }
        }
        assert!(left > 10, "only {left} dead runs left a cordon");
    });
}

/// Lives until it is said that nobody knows whether the worker is cordoned; what the last lines say.
async fn cut_off(drill: &mut Drill) -> String {
    drill.again();
    let seq = {
        assert!(matches!(drill.live(None).await, End::Finished(_)));
        drill.started_ops("w1")[0]
    };
    drill.again();
    assert!(matches!(drill.live(Some(Death::Later(seq, 500))).await, End::Died));
    let at = drill.world().elapsed();
    let lasting = Some(Duration::from_secs(3 * 3600));
    assert!(drill.world().inject(Fault::Unreachable { host: "cp1".to_owned(), at, lasting }));
    let End::Finished(history) = drill.live(None).await else { panic!("nobody killed it") };
    assert_eq!(history.state.counts(drill.plan()).unknown, 1, "{:?}", HostStatus::Unknown);
    tokio::time::sleep(std::time::Duration::from_hours(4)).await;
    Summary::of(drill.plan(), &history).text(drill.plan())
}

#[test]
fn a_cordon_in_doubt_behind_a_lost_link_is_told_of_and_taken_back() {
    story(async {
        let mut drill = Drill::of(DRAINED, deaf).await;
        let told = cut_off(&mut drill).await;
        assert!(told.contains("to bring it back: rollbook runs undo run "), "{told}");
        assert!(is_cordoned(&drill), "{told}");
        assert!(undo(&mut drill).await && !is_cordoned(&drill), "{told}");
        cut_off(&mut drill).await;
        assert_eq!(live_on(&drill, std::iter::empty()).await, 1);
        assert!(!is_cordoned(&drill), "resumed");
    });
}

/// A drain that fails, so that its cordon is taken back.
fn refusing() -> Cluster {
    let cluster = Cluster::new(1, 1, "1.30.0");
    cluster.breaks("cp1", " drain ");
    cluster
}

#[test]
fn a_link_that_is_lost_for_hours_while_a_cordon_is_taken_back_is_a_doubt_and_no_end() {
    story(async {
        let mut drill = Drill::of(DRAINED, refusing).await;
        assert!(matches!(drill.live(None).await, End::Finished(_)));
        assert!(!is_cordoned(&drill), "it is taken back");
        let events = drill.events();
        let restores = *drill.started_ops("w1").last().unwrap();
        let sent = events.iter().position(|event| event.seq == restores).unwrap();
        // Half-way between the two, on the world's clock, which the last event and now are on, too.
        let half = events[sent + 1].at.since(events[sent].at).as_millis() / 2;
        let ago = events.last().unwrap().at.since(events[sent].at).as_millis() - half;
        let at = Duration::from_millis(drill.world().elapsed().as_millis() - ago);
        drill.again();
        let lasting = Some(Duration::from_secs(3 * 3600));
        assert!(drill.world().inject(Fault::Unreachable { host: "cp1".to_owned(), at, lasting }));
        let End::Finished(history) = drill.live(None).await else { panic!("nobody killed it") };
        assert_eq!(history.state.counts(drill.plan()).unknown, 1, "{:?}", history.state.counts(drill.plan()));
        tokio::time::sleep(std::time::Duration::from_hours(4)).await;
        let End::Finished(history) = drill.live(None).await else { panic!("nobody killed it") };
        assert_eq!(history.state.counts(drill.plan()).failed, 1, "{:?}", history.state.counts(drill.plan()));
        assert!(!is_cordoned(&drill), "resumed");
    });
}
