//! Looks that are the same on behalf of every host: of all who ask at one moment, one looks, and the others hear what it
//! saw. Knows nothing of what is looked at.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::OnceCell;
use tokio::task::yield_now;

/// Looks that were asked for and have not begun, by what they look at. What has begun is nobody else's: it may have
/// missed what whoever asks now has done before.
pub(super) struct SingleFlight<K, T> {
    waiting: RefCell<Vec<(K, Rc<OnceCell<T>>)>>,
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self { waiting: RefCell::default() }
    }
}

impl<K: PartialEq, T: Clone> SingleFlight<K, T> {
    /// What `look` sees, or another look at the same that begins after this call.
    pub(super) async fn see(&self, what: K, look: impl AsyncFnOnce() -> T) -> T {
        let seen = self.join(what);
        let look = async || {
            // Workers that were started together all ask before one of them looks.
            yield_now().await;
            self.waiting.borrow_mut().retain(|(_, other)| !Rc::ptr_eq(other, &seen));
            look().await
        };
        seen.get_or_init(look).await.clone()
    }

    fn join(&self, what: K) -> Rc<OnceCell<T>> {
        let mut waiting = self.waiting.borrow_mut();
        if let Some((_, seen)) = waiting.iter().find(|(other, _)| *other == what) {
            return Rc::clone(seen);
        }
        let seen = Rc::new(OnceCell::new());
        waiting.push((what, Rc::clone(&seen)));
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::task::LocalSet;
    use tokio::time::{Instant, sleep};

    use super::*;

    type Seen = Vec<(&'static str, u128)>;

    /// Each asks for something after so many milliseconds, and a look takes ten. What each was told: what was looked at,
    /// and when that began. And how often somebody looked.
    fn told(asks: &[(u64, &'static str)]) -> (Seen, u32) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let common: Rc<SingleFlight<&str, (&str, u128)>> = Rc::default();
        let looks = Rc::new(Cell::new(0));
        let began = runtime.block_on(async { Instant::now() });
        let ask = |&(after, what): &(u64, &'static str)| {
            let (common, looks) = (Rc::clone(&common), Rc::clone(&looks));
            async move {
                sleep(Duration::from_millis(after)).await;
                let look = async || {
                    looks.set(looks.get() + 1);
                    let at = began.elapsed().as_millis();
                    sleep(Duration::from_millis(10)).await;
                    (what, at)
                };
                common.see(what, look).await
            }
        };
        let told = LocalSet::new().block_on(&runtime, async {
            let asking: Vec<_> = asks.iter().map(ask).map(tokio::task::spawn_local).collect();
            let mut told = Vec::new();
            for one in asking {
                told.push(one.await.expect("no panic"));
            }
            told
        });
        assert!(common.waiting.borrow().is_empty(), "whoever looked has left the list");
        (told, looks.get())
    }

    #[test]
    fn who_asks_the_same_at_one_moment_looks_once() {
        let (told, looks) = told(&[(0, "nodes"), (0, "nodes"), (0, "version"), (0, "nodes")]);
        assert_eq!(told, [("nodes", 0), ("nodes", 0), ("version", 0), ("nodes", 0)]);
        assert_eq!(looks, 2);
    }

    #[test]
    fn a_look_that_has_begun_is_not_told_to_who_asks_now() {
        let (told, looks) = told(&[(0, "nodes"), (5, "nodes"), (20, "nodes")]);
        assert_eq!(told, [("nodes", 0), ("nodes", 5), ("nodes", 20)]);
        assert_eq!(looks, 3);
    }
}
