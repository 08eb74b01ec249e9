//! Every crash point of the shipped upgrade.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use rollbook::simulation::HostState;

use super::drill::{Death, Drill, End, commands};
use crate::support::cluster::story;

/// What a run leaves: hosts, and commands with how often each was sent.
#[derive(Debug, PartialEq)]
pub(super) struct Left {
    hosts: BTreeMap<String, HostState>,
    commands: BTreeMap<String, usize>,
}

pub(super) fn left(drill: &Drill) -> Left {
    let names = ["cp1", "cp2", "cp3", "w1", "w2"];
    let hosts = names.map(|name| (name.to_owned(), comparable(drill.world().host(name).expect("a host"))));
    Left { hosts: hosts.into(), commands: commands(drill.world()) }
}

/// What differs between two ends, in words; empty where nothing does.
pub(super) fn differences(now: &Left, expected: &Left) -> (String, String) {
    let mut commands = String::new();
    for line in now.commands.keys().chain(expected.commands.keys()).collect::<BTreeSet<_>>() {
        let (times, due) = (now.commands.get(line), expected.commands.get(line));
        if times != due {
            writeln!(commands, "{times:?} times, not {due:?}: {line}").unwrap();
        }
    }
    let mut hosts = String::new();
    for (name, host) in now.hosts.iter().filter(|(name, host)| expected.hosts[*name] != **host) {
        writeln!(hosts, "{name} is {host:#?}, not {:#?}", expected.hosts[name]).unwrap();
    }
    (commands, hosts)
}

/// Without what depends on when something happened: where evicted pods went.
pub(super) fn comparable(mut host: HostState) -> HostState {
    host.pods.clear();
    host
}

/// Lives until the run is over; gives the number of lives.
pub(super) async fn live_on(drill: &Drill, mut deaths: impl Iterator<Item = Death>) -> usize {
    for lives in 1.. {
        match drill.live(deaths.next()).await {
            End::Died => {}
            End::Finished(history) => {
                assert!(history.state.halted().is_none(), "{:?}", history.state.halted());
                return lives;
            }
        }
    }
    unreachable!()
}

/// Every event, and a while after every third one: in the middle of whatever its hosts then do.
pub(super) fn deaths(events: u64) -> impl Iterator<Item = Death> {
    let later = (1..=events).step_by(3).map(|seq| Death::Later(seq, 700));
    (1..events).map(Death::After).chain(later)
}

/// Tries the crash points of one of several workers; gives how many there were, of how many events.
async fn try_points(worker: usize, workers: usize) -> (usize, u64) {
    let mut drill = Drill::new().await;
    live_on(&drill, std::iter::empty()).await;
    let undisturbed = left(&drill);
    let events = u64::try_from(drill.events().len()).expect("not so many");
    let mut points = 0;
    for death in deaths(events).skip(worker).step_by(workers) {
        drill.again();
        let lives = live_on(&drill, std::iter::once(death)).await;
        let (commands, hosts) = differences(&left(&drill), &undisturbed);
        assert!(commands.is_empty() && hosts.is_empty(), "{death:?}, {lives} lives\n{commands}\n{hosts}");
        points += usize::from(lives > 1);
    }
    (points, events)
}

#[test]
fn a_controller_that_dies_at_any_event_repeats_nothing_and_loses_nothing() {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (points, events) = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || story(try_points(worker, workers)))).collect();
        let tried = all.into_iter().map(|worker| worker.join().expect("its points hold"));
        tried.fold((0, 0), |(points, _), (more, events)| (points + more, events))
    });
    println!("{points} crash points in {events} events: the same hosts, and every command once");
    assert!(points > 300, "{points}");
}

#[test]
fn a_controller_that_dies_again_and_again_still_gets_there() {
    story(async {
        let mut drill = Drill::new().await;
        live_on(&drill, std::iter::empty()).await;
        let undisturbed = left(&drill);
        drill.again();
        // Each life lasts seven events.
        let lives = live_on(&drill, (1..).map(|life| Death::After(life * 7))).await;
        let (commands, hosts) = differences(&left(&drill), &undisturbed);
        assert!(commands.is_empty() && hosts.is_empty(), "{lives} lives\n{commands}\n{hosts}");
        assert!(lives > 30, "{lives}");
    });
}
