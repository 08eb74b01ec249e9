//! A running program as data: what it wrote, and what it does when it wakes. No program here waits for real; the world
//! wakes it when its time has come, whether or not anybody still follows it.

use super::answers::Leaves;
use super::world::{Millis, World};
use crate::op::Exit;

/// What a program wrote so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    /// Standard output.
    pub(super) stdout: String,
    /// Standard error.
    pub(super) stderr: String,
    /// What was taken to hold for it, without being simulated.
    pub(super) assumed: Vec<String>,
    /// It was asked for something that the simulation has never heard of.
    pub(super) unheard: bool,
}

impl Output {
    /// One line on standard output.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.stdout.push_str(text.as_ref());
        self.stdout.push('\n');
    }

    /// Something is taken to hold; people read it at the end of a rehearsal.
    pub(super) fn assume(&mut self, what: impl Into<String>) {
        self.assumed.push(what.into());
    }

    /// One line on standard error.
    pub(super) fn complain(&mut self, text: impl AsRef<str>) {
        self.stderr.push_str(text.as_ref());
        self.stderr.push('\n');
    }
}

/// What a program does after it slept.
pub(super) type Continuation = Box<dyn FnOnce(&mut World, &mut Output) -> ProcessStep>;

/// What a program does next.
pub(super) enum ProcessStep {
    /// Ends with this code.
    Exit(i32),
    /// Sleeps, then goes on.
    After(Millis, Continuation),
}

impl ProcessStep {
    /// Sleeps, then goes on.
    pub(super) fn after(
        millis: Millis,
        then: impl FnOnce(&mut World, &mut Output) -> Self + 'static,
    ) -> Self {
        Self::After(millis, Box::new(then))
    }
}

/// Names a process of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pid(pub(super) usize);

/// A process of a host.
pub(super) struct Process {
    /// How many processes there were before it: what tools call it by.
    pub(super) number: usize,
    /// Index of its host.
    pub(super) host: usize,
    /// What it wrote.
    pub(super) output: Output,
    /// When it wakes; what it does then. `None` while it runs and after its end.
    pub(super) sleeping: Option<(Millis, Continuation)>,
    /// When its time is up.
    pub(super) limit: Option<Millis>,
    /// How it ended.
    pub(super) exit: Option<Exit>,
    /// Its line in the world's log, to note its end there.
    pub(super) logged: Option<usize>,
    /// What it leaves behind when it ends well, as far as somebody said so.
    pub(super) leaves: Option<Leaves>,
    /// Whether it outlives a reboot of its host, as only the launcher's own record of a reboot does.
    pub(super) outlives_reboot: bool,
}
