//! Looks again and again until something holds for as long as it should, or its time is over.

use tokio::time::{Instant, sleep};

use crate::step::Poll;
use crate::value::Duration;

/// One look, once: no patience at all.
pub(super) const ONCE: Poll =
    Poll { interval: Duration::ZERO, stable_for: Duration::ZERO, within: Duration::ZERO };

/// The shortest pause between two looks, whatever a step asks for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What one look gave.
pub(super) enum PollResult<E> {
    /// It holds; what is, for people.
    Holds(String),
    /// It does not hold yet; why, for people.
    NotYet(String),
    /// It never will.
    Never(E),
}

/// How looking ended without success.
pub(super) enum PollEnd<E> {
    /// Its time is over; the last reason seen.
    TimedOut(String),
    /// It never will hold.
    Never(E),
}

/// Looks until it held without a break for `stable_for`, or `within` has passed.
pub(super) async fn until<E>(
    poll: Poll,
    mut look: impl AsyncFnMut() -> PollResult<E>,
) -> Result<String, PollEnd<E>> {
    let began = Instant::now();
    let end = began + poll.within.to_std();
    let mut calm: Option<(Instant, String)> = None;
    loop {
        match look().await {
            PollResult::Holds(state) => {
                // Another state that holds too, such as one more restart of a pod that is Ready again, is no calm.
                let since = calm
                    .take()
                    .filter(|(_, before)| *before == state)
                    .map_or_else(Instant::now, |(since, _)| since);
                if since.elapsed() >= poll.stable_for.to_std() {
                    return Ok(state);
                }
                calm = Some((since, state));
            }
            PollResult::NotYet(reason) if Instant::now() >= end => return Err(PollEnd::TimedOut(reason)),
            // A single bad look breaks the calm: counting starts again.
            PollResult::NotYet(_) => calm = None,
            PollResult::Never(error) => return Err(PollEnd::Never(error)),
        }
        // After a day nobody minds a minute and a half; a look every second for a year is none that anybody reads.
        let patience = Duration::from_millis((Instant::now() - began).as_secs());
        let pause = poll.interval.max(SHORTEST_PAUSE).max(patience);
        sleep(pause.to_std()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(within: u64, stable_for: u64, looks: &str) -> (Result<String, String>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::from_secs(stable_for),
            within: Duration::from_secs(within),
        };
        let mut count = 0;
        let result = runtime.block_on(until(poll, async || {
            count += 1;
            match looks.as_bytes()[(count - 1).min(looks.len() - 1)] {
                b'+' => PollResult::Holds("up".to_owned()),
                b'*' => PollResult::Holds("up again".to_owned()),
                b'-' => PollResult::NotYet("down".to_owned()),
                _ => PollResult::Never("gone".to_owned()),
            }
        }));
        let result = result.map_err(|ended| match ended {
            PollEnd::TimedOut(reason) => format!("timed out: {reason}"),
            PollEnd::Never(error) => error,
        });
        (result, count)
    }

    #[test]
    fn calm_is_counted_anew_after_every_bad_look() {
        assert_eq!(run(60, 3, "-++-++++++"), (Ok("up".to_owned()), 8));
    }

    #[test]
    fn a_state_that_changes_is_no_calm() {
        assert_eq!(run(60, 3, "++*****"), (Ok("up again".to_owned()), 6));
    }

    #[test]
    fn patience_ends_and_some_things_never_come() {
        assert_eq!(run(2, 0, "-"), (Err("timed out: down".to_owned()), 3));
        assert_eq!(run(60, 0, "--x"), (Err("gone".to_owned()), 3));
        assert_eq!(run(0, 0, "+"), (Ok("up".to_owned()), 1));
    }

    #[test]
    fn a_year_of_waiting_is_some_thousand_looks_and_an_hour_is_as_many_as_were_asked_for() {
        let year = Duration::LONGEST.as_secs();
        for (within, stable_for, looks) in [(year, 0, "-"), (2 * year, year, "+")] {
            let (_, count) = run(within, stable_for, looks);
            assert!((2_000..20_000).contains(&count), "{within} {stable_for}: {count}");
        }
        assert_eq!(run(900, 0, "-").1, 901);
    }
}
