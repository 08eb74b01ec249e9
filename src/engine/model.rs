//! The engine's properties: a hundred thousand small runs of random plans in a random world, with failures, others'
//! outages, stops and crashes. The oracles read the plan and the list of events, and share no code with the engine.
//!
//! A property is worth what it catches: [`BUGS`] lists deliberate bugs and the properties that notice them.

mod ledger;
mod oracle;
pub(super) mod plans;
mod random;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use super::rules::{Bug, Rules};
use oracle::Violation;
use random::Random;

/// Runs that must keep every property.
const RUNS: u64 = 100_000;
/// Runs within which a deliberate bug must be noticed.
const RUNS_PER_BUG: u64 = 20_000;

/// Deliberate bugs, each with the property that is there to notice it.
const BUGS: [(Bug, &str); 55] = [
    (Bug::OneSlotTooMany, "budget"),
    (Bug::FailuresDoNotSpend, "budget"),
    (Bug::WorkDoesNotSpend, "budget"),
    (Bug::OthersDoNotSpend, "budget"),
    (Bug::TrustsReleasedHosts, "budget"),
    (Bug::OneLookForManySlots, "fresh look"),
    (Bug::SlotBeforeLook, "look first"),
    (Bug::StartsWithoutSlot, "legal"),
    (Bug::TrustsOldLooks, "legal"),
    (Bug::IgnoresBlocked, "blocked"),
    (Bug::ControlPlanesTogether, "one control plane"),
    (Bug::StartsHostsWhileStopping, "stop"),
    (Bug::NowLetsHostsFinish, "stop"),
    (Bug::IgnoresMaxFailures, "limits"),
    (Bug::HaltsTooEarly, "halts"),
    (Bug::FreezeLetsHostsFinish, "stop"),
    (Bug::HaltFreezes, "stop"),
    (Bug::GoesOnAfterFailedBatch, "gates"),
    (Bug::LoneFailuresEndThePhase, "gates"),
    (Bug::SkipsSoak, "gates"),
    (Bug::IgnoresRedChecks, "gates"),
    (Bug::RetriesAtOnce, "retries"),
    (Bug::IgnoresParallel, "parallel"),
    (Bug::DecidesPastEvents, "stop"),
    (Bug::DoesNotWaitForOthers, "halts"),
    (Bug::WaitsForFailures, "bounded"),
    (Bug::SkipsGates, "gates"),
    (Bug::PassesRefusedGates, "gates"),
    (Bug::GoesOnAfterPause, "pauses"),
    (Bug::IgnoresTopology, "topology"),
    (Bug::IgnoresEtcd, "etcd"),
    (Bug::TopologyOfOwnWorkOnly, "topology"),
    (Bug::OnlyTheFirstMayGo, "first that fits"),
    (Bug::WaitsForLostDomains, "bounded"),
    (Bug::CountsFailuresAtTheEnd, "limits"),
    (Bug::GoesOnDuringRescue, "limits"),
    (Bug::RescuesDoNotSpend, "budget"),
    (Bug::NowRescues, "stop"),
    (Bug::StopsRescues, "rescue"),
    (Bug::SilenceFails, "silence"),
    (Bug::AnswersAreService, "budget"),
    (Bug::EndsInDoubt, "lost results"),
    (Bug::CountsRefusedOps, "ends"),
    (Bug::TakesEndsTwice, "results twice"),
    (Bug::CordonsDoNotSpend, "budget"),
    (Bug::WaitsForCordons, "halts"),
    (Bug::WaitsIdly, "bounded"),
    (Bug::AsksAgain, "decided once"),
    (Bug::LeavesBracketsOpen, "closed"),
    (Bug::DisruptsApart, "apart"),
    (Bug::TrustsOldCordons, "cordon"),
    (Bug::SkipsDrainingAgain, "cordon"),
    (Bug::CordonsForEver, "cordon"),
    (Bug::SendsWithoutLock, "legal"),
    (Bug::SendsUnannounced, "announced"),
];

/// One run of the world of this seed.
fn run(seed: u64, rules: Rules) -> Result<world::ModelRun, Violation> {
    let mut random = Random::new(seed);
    let plan = plans::plan(&mut random);
    let story = world::play(&plan, &mut random, rules)?;
    oracle::check(&plan, &story.events, &story.lifts)?;
    Ok(story)
}

#[test]
fn random_runs_keep_every_property() {
    let next = AtomicU64::new(0);
    let (events, crashes, halts) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (resumes, again) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= RUNS {
                break;
            }
            match run(seed, Rules::SOUND) {
                Ok(story) => {
                    events.fetch_add(story.events.len() as u64, Ordering::Relaxed);
                    crashes.fetch_add(story.crashes, Ordering::Relaxed);
                    resumes.fetch_add(story.resumes, Ordering::Relaxed);
                    again.fetch_add(story.cordoned_again(), Ordering::Relaxed);
                    halts.fetch_add(u64::from(story.halted), Ordering::Relaxed);
                }
                Err(violation) => panic!("seed {seed}: {violation}"),
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (events, crashes, halts) = (events.into_inner(), crashes.into_inner(), halts.into_inner());
    let (resumes, again) = (resumes.into_inner(), again.into_inner());
    println!(
        "{RUNS} runs, {events} events, {crashes} crashes, {resumes} resumes, {halts} halts, {again} cordons set again: every property holds"
    );
    // A world in which nothing happens proves nothing.
    assert!(
        resumes > RUNS / 10
            && again > RUNS / 100
            && crashes > RUNS / 2
            && halts > RUNS / 10
            && halts < RUNS * 9 / 10
            && events > RUNS * 20
    );
}

#[test]
fn every_deliberate_bug_is_noticed() {
    for (bug, property) in BUGS {
        let rules = Rules { bug: Some(bug) };
        let noticed = (0..RUNS_PER_BUG).find_map(|seed| {
            let violation = run(seed, rules).err().filter(|violation| violation.property == property);
            violation.map(|violation| (seed, violation))
        });
        let Some((seed, violation)) = noticed else {
            panic!("{bug:?}: {RUNS_PER_BUG} runs, and property `{property}` did not notice");
        };
        println!("{bug:?}: noticed after {} runs: {violation}", seed + 1);
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 0..50 {
        let (one, other) = (run(seed, Rules::SOUND), run(seed, Rules::SOUND));
        assert_eq!(one.expect("sound").events, other.expect("sound").events, "seed {seed}");
    }
}
