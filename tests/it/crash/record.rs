//! A journal that cannot be written any more.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use rollbook::engine::{Event, History, Stamped};
use rollbook::executor::{RollError, Setup, roll};
use rollbook::journal::Record;

use crate::support::cluster::{Cluster, story};

/// Fails once, and would work again afterwards, as a disk does that somebody makes room on.
struct FailsOnce {
    at: u64,
    failed: bool,
    written: Rc<RefCell<Vec<Stamped>>>,
}

impl Record for FailsOnce {
    fn append(&mut self, events: &[Stamped], _: bool) -> io::Result<()> {
        if !self.failed && events.iter().any(|event| event.seq >= self.at) {
            self.failed = true;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.written.borrow_mut().extend_from_slice(events);
        Ok(())
    }
}

fn begins(event: &Stamped) -> bool {
    matches!(event.event, Event::OpStarted { .. })
}

#[test]
fn after_a_write_that_failed_nothing_is_written_any_more() {
    story(async {
        let cluster = || Cluster::new(3, 2, "1.30.0");
        let plan = Rc::new(cluster().plan("1.31.4").await.unwrap());
        let undisturbed = cluster();
        let events = roll(undisturbed.setup(&plan)).await.unwrap().events;
        let begun = events.iter().filter(|event| begins(event)).map(|event| event.seq).step_by(9);
        for at in [2, 30, 60, 90, 120].into_iter().chain(begun) {
            let written = Rc::new(RefCell::new(Vec::new()));
            let record = Box::new(FailsOnce { at, failed: false, written: Rc::clone(&written) });
            let cluster = cluster();
            let result = roll(Setup { record, ..cluster.setup(&plan) }).await;
            let Err(RollError::Journal { history, .. }) = result else { panic!("event {at}: it went on") };
            let written = written.take();
            // What is there can be read again: no event is missing in the middle.
            let last = written.last().map_or(0, |last| last.seq);
            assert!(last < at, "event {at}: {last} was written after it");
            let recorded = written.iter().filter(|event| begins(event)).count();
            History::of(&plan, written).unwrap();
            assert!(history.state.seq() >= at);
            // An op is sent once its beginning is in the record, and not before.
            let sent = cluster.simulated.log().iter().filter(|command| !command.probe).count();
            assert_eq!(sent, recorded, "event {at}: commands sent, and recorded");
        }
    });
}
