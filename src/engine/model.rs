//! The engine's properties: a hundred thousand small runs of random plans in a random world, with failures, others'
//! outages, stops and crashes. The oracles read the plan and the list of events, and share no code with the engine.
//!
//! A property is worth what it catches: `tests/mutants/` holds deliberate bugs, each with the property that must catch
//! it, and `scripts/mutants` sees that it does.

mod ledger;
mod oracle;
pub(super) mod plans;
mod random;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use oracle::Violation;
use random::Random;

/// Runs that must keep every property.
const RUNS: u64 = 100_000;
/// `scripts/mutants` names in this variable the one property that must catch a mutant.
const PROPERTY: &str = "ROLLBOOK_MODEL_PROPERTY";

/// One run of the world of this seed.
fn run(seed: u64) -> Result<world::ModelRun, Violation> {
    let mut random = Random::new(seed);
    let plan = plans::plan(&mut random);
    let story = world::play(&plan, &mut random)?;
    oracle::check(&plan, &story.events, &story.lifts)?;
    Ok(story)
}

#[test]
fn random_runs_keep_every_property() {
    let next = AtomicU64::new(0);
    let (events, crashes, halts) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (resumes, again) = (AtomicU64::new(0), AtomicU64::new(0));
    let named = std::env::var(PROPERTY).ok();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= RUNS {
                break;
            }
            match run(seed) {
                Ok(story) => {
                    events.fetch_add(story.events.len() as u64, Ordering::Relaxed);
                    crashes.fetch_add(story.crashes, Ordering::Relaxed);
                    resumes.fetch_add(story.resumes, Ordering::Relaxed);
                    again.fetch_add(story.cordoned_again(), Ordering::Relaxed);
                    halts.fetch_add(u64::from(story.halted), Ordering::Relaxed);
                }
                Err(violation) if named.as_ref().is_none_or(|named| violation.property == named) => {
                    next.store(RUNS, Ordering::Relaxed);
                    panic!("seed {seed}: {violation}");
                }
                // What else a mutant breaks on the way is not what its property is there to catch.
                Err(_) => {}
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
fn the_same_seed_tells_the_same_story() {
    for seed in 0..50 {
        let (one, other) = (run(seed), run(seed));
        assert_eq!(one.expect("sound").events, other.expect("sound").events, "seed {seed}");
    }
}
