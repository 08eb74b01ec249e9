//! Renews the lock while a run goes on, and tells the loop when it is lost.

use std::rc::Rc;

use super::hold::{Lock, Renewal};
use crate::engine::Event;
use crate::executor::context::{EventSender, Shared};

/// Renews until the lock is lost. The loss is said in the same breath in which it becomes known, so that no op can be
/// told to begin after it.
pub(in crate::executor) async fn keep(lock: Rc<Lock>, shared: Rc<Shared>, event_sender: EventSender) {
    let is_busy = |host: &crate::inventory::HostName| {
        shared.busy.borrow().iter().any(|busy| shared.name(*busy) == host)
    };
    let mut last = Renewal::Done;
    loop {
        lock.until_next(&last).await;
        last = lock.renew(&is_busy).await;
        if let Renewal::Lost(why) = last {
            return event_sender.say(Event::LockLost { why });
        }
    }
}
