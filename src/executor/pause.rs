//! The step `pause`: nothing is sent; a person is waited for, or a time.

use tokio::time::sleep;

use super::approval::{ApprovalAnswer, Question};
use super::attempt::Assignment;
use super::context::{EventSender, Shared};
use crate::engine::{Awaited, Event, StopLevel, TaskEnd};
use crate::step::PauseFor;

/// Waits, and says how that ended. A stop ends it, except on a host that goes on to its end in spite of the stop.
pub(super) async fn run(
    shared: &Shared,
    event_sender: &EventSender,
    assignment: &Assignment,
    pause: PauseFor,
) -> TaskEnd {
    let stopped_by = if assignment.finishes { StopLevel::Now } else { StopLevel::Graceful };
    let Assignment { task, attempt, .. } = *assignment;
    let text = match pause {
        PauseFor::Time(time) => {
            event_sender.say(Event::TaskWaiting {
                task,
                attempt,
                reason: "a pause".to_owned(),
                within: time,
            });
            return tokio::select! {
                biased;
                () = shared.until_stopped(stopped_by) => {
                    TaskEnd::Paused { text: format!("a pause of {time}"), why: "the run stopped".to_owned() }
                }
                () = sleep(time.to_std()) => TaskEnd::Satisfied { state: format!("{time} have passed") },
            };
        }
        PauseFor::Person(text) => shared.shown_text(task.host, &text),
    };
    // Confirmed before the controller died: nobody is asked twice.
    if let Some(by) = &assignment.approved_by {
        return TaskEnd::Satisfied { state: format!("confirmed by {by}") };
    }
    // People see what they are asked before they are asked.
    let asks = Event::TaskAsks { task, attempt, text: text.clone() };
    if !event_sender.durable(asks).await {
        return TaskEnd::Paused { text, why: "the journal cannot be written".to_owned() };
    }
    let question =
        Question { about: Awaited::Task(task), text: format!("{}: {text}", shared.name(task.host)) };
    match shared.ask(&question, None, stopped_by).await {
        ApprovalAnswer::Yes { by } => {
            event_sender.say(Event::TaskApproved { task, attempt, by: by.clone() });
            TaskEnd::Satisfied { state: format!("confirmed by {by}") }
        }
        ApprovalAnswer::No { why } => TaskEnd::Paused { text, why },
    }
}
