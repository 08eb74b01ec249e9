//! Asks the person at the terminal. One question at a time; a terminal that goes away has nobody in front of it.

use std::io::{BufRead, Write};
use std::rc::Rc;

use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, mpsc};

use super::terminal::Terminal;
use crate::app::connections::who;
use crate::executor::{ApprovalAnswer, Approver, Nobody, Question};

/// Whoever sits at the terminal, or nobody.
pub(super) fn approver(no_input: bool, terminal: &Terminal) -> Rc<dyn Approver> {
    if no_input || !terminal.is_interactive() { Rc::new(Nobody) } else { Rc::new(Person::default()) }
}

/// The person at the terminal.
#[derive(Default)]
struct Person {
    /// Lines that are typed, from a thread that reads them; there is none before the first question.
    lines: Mutex<Option<InputLines>>,
}

type InputLines = mpsc::UnboundedReceiver<String>;

#[async_trait(?Send)]
impl Approver for Person {
    async fn ask(&self, question: &Question) -> ApprovalAnswer {
        let mut lines = self.lines.lock().await;
        let lines = lines.get_or_insert_with(read_lines);
        // What was typed before the question was seen is no answer to it.
        while lines.try_recv().is_ok() {}
        answer(&question.text, lines).await
    }
}

/// Only `yes` is a yes, and only `no` is a no.
async fn answer(text: &str, lines: &mut InputLines) -> ApprovalAnswer {
    let gone = || ApprovalAnswer::No { why: "the terminal is gone".to_owned() };
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return gone() };
    say(&format!("\n{text}\n"));
    loop {
        say("`yes` goes on, `no` pauses the run here: ");
        let line = tokio::select! {
            biased;
            _ = hangup.recv() => None,
            line = lines.recv() => line,
        };
        match line.as_deref().map(str::trim) {
            None => return gone(),
            Some("yes") => return ApprovalAnswer::Yes { by: who() },
            Some("no") => return ApprovalAnswer::No { why: format!("{} said no", who()) },
            Some(_) => {}
        }
    }
}

fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    // Somebody who does not see the question does not answer it.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// A thread of its own: a read cannot be called off, and must not hold up the end of the process.
fn read_lines() -> InputLines {
    let (sender, receiver) = mpsc::unbounded_channel();
    let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    // Without a thread there is nobody to hear, as at the end of the input.
    drop(std::thread::Builder::new().name("terminal".to_owned()).spawn(read));
    receiver
}
