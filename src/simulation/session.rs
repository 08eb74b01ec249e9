//! Sessions with simulated hosts: the launcher's semantics over the world's processes. Time passes through
//! `tokio::time::sleep`, so that a paused runtime makes hours pass at once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::command::{self, Invocation};
use super::host::SimulatedMachine;
use super::kubelet;
use super::log::LoggedCommand;
use super::op_fault::OpFault;
use super::process::{Pid, ProcessStep};
use super::world::{Millis, World};
use super::{answers, assumed, fault, op_fault};
use crate::inventory::Become;
use crate::op::{Exit, Op, OpKind, Probe, ProbeOutput, Query};
use crate::transport::clip::Clip;
use crate::transport::{Attached, Launch, LaunchId, OpResult, OutputSink, Session, SessionError, Stream};
use crate::value::Duration;

/// One round trip.
const ROUND_TRIP: std::time::Duration = std::time::Duration::from_millis(20);
/// A record of a `OpKind::Reboot` ends when the machine is back; it is looked for this often.
const REBOOT_LOOK: Millis = 1000;

/// What sessions and transport share.
pub(super) struct SimulationState {
    /// The world. Borrowed only between waits.
    pub(super) world: RefCell<World>,
    /// When the simulation began, by the runtime's clock; set by the first look.
    began: Cell<Option<Instant>>,
    /// Told when something ended from outside.
    ended: Notify,
}

impl SimulationState {
    /// Around a world that has not begun.
    pub(super) fn new(world: World) -> Self {
        Self { world: RefCell::new(world), began: Cell::new(None), ended: Notify::new() }
    }

    fn begin(&self) -> Instant {
        let began = self.began.get().unwrap_or_else(Instant::now);
        self.began.set(Some(began));
        began
    }

    /// Looks at the world at the present time.
    pub(super) fn now<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        let passed = self.begin().elapsed().as_millis();
        let mut world = self.world.borrow_mut();
        world.advance(i64::try_from(passed).unwrap_or(Millis::MAX / 4));
        let result = look(&mut world);
        if std::mem::take(&mut world.ended_early) {
            self.ended.notify_waiters();
        }
        result
    }

    /// Changes the world from outside; whoever waits for something looks again.
    pub(super) fn intervene<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let change = |world: &mut World| {
            world.ended_early = true;
            change(world)
        };
        if self.began.get().is_some() { self.now(change) } else { change(&mut self.world.borrow_mut()) }
    }

    /// Looks at the world without beginning the simulation.
    pub(super) fn inspect<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        if self.began.get().is_some() { self.now(|world| look(world)) } else { look(&self.world.borrow()) }
    }

    /// Sleeps until a time of the simulation, or until something ended from outside.
    async fn sleep_until(&self, at: Millis) {
        let at = u64::try_from(at).unwrap_or(0);
        // Far beyond any roll, and far below what a timer can hold.
        let wait = std::time::Duration::from_millis(at.min(100 * 365 * 24 * 3_600_000));
        tokio::select! {
            biased;
            () = self.ended.notified() => {}
            () = tokio::time::sleep_until(self.begin() + wait) => {}
        }
    }

    /// Lets a round trip pass.
    pub(super) async fn round_trip(&self) {
        tokio::time::sleep(ROUND_TRIP).await;
    }
}

/// A session with a simulated host.
pub(super) struct SimulatedSession {
    shared: Rc<SimulationState>,
    host: usize,
    /// Whether what does not ask for root is root all the same.
    always_root: bool,
    lost: Cell<bool>,
}

impl SimulatedSession {
    /// With a host that was reachable a moment ago.
    pub(super) fn new(
        shared: Rc<SimulationState>,
        host: usize,
        r#become: Become,
        user: Option<&str>,
    ) -> Self {
        let always_root = r#become == Become::None || user == Some("root");
        Self { shared, host, always_root, lost: Cell::new(false) }
    }

    /// An error, for good, once the link is gone.
    fn check(&self, host: &SimulatedMachine, now: Millis) -> Result<(), SessionError> {
        if self.lost.get() || !host.reachable(now) {
            return Err(self.lose(&host.address));
        }
        Ok(())
    }

    fn lose(&self, address: &str) -> SessionError {
        self.lost.set(true);
        SessionError::Lost(format!("Connection to {address} closed by remote host."))
    }

    fn checked<R>(&self, look: impl FnOnce(&mut World) -> R) -> Result<R, SessionError> {
        self.shared.now(|world| {
            let now = world.now;
            self.check(&world.hosts[self.host], now)?;
            Ok(look(world))
        })
    }

    fn command(&self, query: &Query, r#become: bool) -> Invocation {
        Invocation {
            host: self.host,
            argv: query.argv.clone(),
            env: std::collections::BTreeMap::new(),
            stdin: query.stdin.clone(),
            root: query.r#become.unwrap_or(r#become) || self.always_root,
            probe: true,
        }
    }

    /// Runs one query to its end, or to the end of the probe's time.
    async fn answer(
        &self,
        query: &Query,
        r#become: bool,
        until: Millis,
    ) -> Result<ProbeOutput, SessionError> {
        let command = self.command(query, r#become);
        let (pid, ended) = self.checked(|world| {
            // A probe must not change anything; one that may is written down, and tests see it.
            let logged = command::changes(&command).then(|| log(world, self.host, &command.argv, true));
            let left = u64::try_from((until - world.now).max(0)).unwrap_or(0);
            let pid = world.spawn(command, Some(Duration::from_millis(left)), logged);
            // Most looks end at once, and a roll makes a million of them.
            (pid, world.process(pid).exit.map(|exit| (exit, world.take_output(pid))))
        })?;
        let (exit, output) = match ended {
            Some(ended) => ended,
            None => {
                let exit = self.follow(pid, None, &mut |_, _| {}).await?;
                (exit, self.shared.now(|world| world.take_output(pid)))
            }
        };
        let rc = match exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
            Exit::TimedOut => 124,
            Exit::Interrupted => return Err(SessionError::Lost("the machine went down".to_owned())),
        };
        // Whole: rows of nodes are read line by line, and a thousand of them are more than an op's output may be.
        Ok(ProbeOutput { rc, stdout: output.stdout, stderr: output.stderr })
    }

    /// Waits for a process; gives its output as it comes.
    async fn follow(
        &self,
        pid: Pid,
        cut_at: Option<Millis>,
        output: &mut dyn FnMut(Stream, &str),
    ) -> Result<Exit, SessionError> {
        let mut told = (0, 0);
        loop {
            let (exit, wake) = self.shared.now(|world| {
                let now = world.now;
                let process = world.process(pid);
                let rebooting = process.outlives_reboot;
                if !rebooting {
                    self.check(&world.hosts[self.host], now)?;
                }
                if cut_at.is_some_and(|at| at <= now) && process.exit.is_none() {
                    return Err(self.lose(&world.hosts[self.host].address));
                }
                for (stream, text, told) in [
                    (Stream::Stdout, &process.output.stdout, &mut told.0),
                    (Stream::Stderr, &process.output.stderr, &mut told.1),
                ] {
                    if text.len() > *told {
                        output(stream, &text[*told..]);
                        *told = text.len();
                    }
                }
                let wakes = process.sleeping.as_ref().map(|(at, _)| *at);
                let next_cut = world.hosts[self.host].next_cut(now).filter(|_| !rebooting);
                let wake = [wakes, process.limit, cut_at, next_cut]
                    .into_iter()
                    .flatten()
                    .min()
                    .unwrap_or(now + REBOOT_LOOK);
                Ok((process.exit, wake))
            })?;
            if let Some(exit) = exit {
                return Ok(exit);
            }
            self.shared.sleep_until(wake).await;
        }
    }

    /// Follows an op to its end.
    async fn result(
        &self,
        pid: Pid,
        cut_at: Option<Millis>,
        sink: &mut dyn OutputSink,
    ) -> Result<OpResult, SessionError> {
        let mut write = |stream, text: &str| sink.write(stream, text.as_bytes());
        let exit = self.follow(pid, cut_at, &mut write).await?;
        Ok(self.shared.now(|world| {
            let output = &world.process(pid).output;
            OpResult { exit, stdout: clipped(&output.stdout), stderr: clipped(&output.stderr) }
        }))
    }
}

#[async_trait(?Send)]
impl Session for SimulatedSession {
    async fn probe(&self, probe: &Probe) -> Result<Vec<ProbeOutput>, SessionError> {
        self.shared.round_trip().await;
        let limit = i64::try_from(probe.timeout.as_millis()).unwrap_or(Millis::MAX / 4);
        let until = self.checked(|world| {
            assumed::before_looks(world, self.host, probe.queries.iter().map(|query| &query.argv));
            world.now
        })? + limit;
        let mut answers = Vec::with_capacity(probe.queries.len());
        for query in &probe.queries {
            answers.push(self.answer(query, probe.r#become, until).await?);
        }
        Ok(answers)
    }

    async fn launch(
        &self,
        launch: &Launch<'_>,
        output: &mut dyn OutputSink,
    ) -> Result<OpResult, SessionError> {
        self.shared.round_trip().await;
        let (pid, cut_at) = self.checked(|world| -> Result<_, SessionError> {
            // The launcher's `mkdir started`: whoever comes second attaches.
            if let Some(pid) = world.hosts[self.host].launches.get(&launch.id) {
                return Ok((*pid, None));
            }
            claim(world, self.host, launch)?;
            let (pid, line) = match op_fault::of(world, &launch.id.op) {
                Some(op_fault) => start_doomed(world, self.host, launch.op, op_fault),
                None => start(world, self.host, launch.op, self.always_root),
            };
            if let Some(leaves) = answers::assumed(world, &launch.id.op) {
                world.on_success(pid, leaves);
            }
            world.hosts[self.host].launches.insert(launch.id.clone(), pid);
            world.hosts[self.host].running.push(launch.id.clone());
            let cut = fault::planned_cut(world, self.host, &line).map(|after| world.now + after);
            Ok((pid, cut))
        })??;
        self.result(pid, cut_at, output).await
    }

    async fn attach(
        &self,
        id: &LaunchId,
        _become: bool,
        output: &mut dyn OutputSink,
    ) -> Result<Attached, SessionError> {
        self.shared.round_trip().await;
        match self.checked(|world| world.hosts[self.host].launches.get(id).copied())? {
            Some(pid) => self.result(pid, None, output).await.map(Attached::Ended),
            None => Ok(Attached::NeverStarted),
        }
    }

    async fn stop(&self, id: &LaunchId, _become: bool) -> Result<(), SessionError> {
        self.shared.round_trip().await;
        self.checked(|world| {
            if let Some(pid) = world.hosts[self.host].launches.get(id).copied() {
                world.end(pid, Exit::Signal(15));
            }
        })
    }
}

/// The launcher's claim: one run at a time, and none that was given up.
fn claim(world: &mut World, host: usize, launch: &Launch<'_>) -> Result<(), SessionError> {
    let refused = |why: String| Err(SessionError::NotBegun(why));
    let run = &launch.id.run;
    if world.hosts[host].given_up.contains(run) {
        return refused("this run was given up, and another one works on this host".to_owned());
    }
    world.hosts[host].given_up.extend(launch.over.iter().cloned());
    // kubectl's host gets thousands: those that ended are not looked at again.
    let mut running = std::mem::take(&mut world.hosts[host].running);
    running.retain(|id| {
        world.hosts[host].launches.get(id).is_some_and(|pid| world.process(*pid).exit.is_none())
    });
    world.hosts[host].running = running;
    match world.hosts[host].running.iter().find(|id| id.run != *run) {
        Some(id) => Err(SessionError::Busy(id.run.clone())),
        None => Ok(()),
    }
}

/// The words of an op, as they stand in the log.
fn words(op: &Op) -> Vec<String> {
    match &op.kind {
        OpKind::Exec { argv } => argv.clone(),
        OpKind::Write { path, .. } => vec!["write".to_owned(), path.clone()],
        OpKind::Reboot => vec!["reboot".to_owned()],
    }
}

/// Starts an op that a fault means; gives its process and its command line.
fn start_doomed(world: &mut World, host: usize, op: &Op, op_fault: OpFault) -> (Pid, String) {
    let words = words(op);
    let logged = log(world, host, &words, false);
    (op_fault::start(world, host, op.timeout, logged, op_fault), words.join(" "))
}

/// Starts an op under the launcher; gives its process and its command line.
fn start(world: &mut World, host: usize, op: &Op, always_root: bool) -> (Pid, String) {
    match &op.kind {
        OpKind::Exec { argv } => {
            let logged = log(world, host, argv, false);
            let command = Invocation {
                host,
                argv: argv.clone(),
                env: op.env.clone(),
                stdin: op.stdin.clone(),
                root: op.r#become || always_root,
                probe: false,
            };
            (world.spawn(command, Some(op.timeout), Some(logged)), argv.join(" "))
        }
        OpKind::Write { path, mode, owner } => {
            let argv = words(op);
            let logged = log(world, host, &argv, false);
            let (path, mode, owner, text) = (path.clone(), mode.clone(), owner.clone(), op.stdin.clone());
            let pid = world.spawn_with(host, Some(op.timeout), Some(logged), move |world, _| {
                let now = world.now;
                let files = &mut world.hosts[host].files;
                files.put(&path, text, &mode, now);
                if !owner.is_empty() {
                    files.chown(&path, &owner);
                }
                ProcessStep::Exit(0)
            });
            (pid, argv.join(" "))
        }
        OpKind::Reboot => {
            let logged = log(world, host, &["reboot".to_owned()], false);
            let pid = world.spawn_with(host, Some(op.timeout), Some(logged), move |_, _| {
                ProcessStep::after(1000, move |world, _| {
                    if let Some(pid) = world.running() {
                        world.outlive_reboot(pid);
                    }
                    kubelet::reboot(world, host);
                    back(host)
                })
            });
            (pid, "reboot".to_owned())
        }
    }
}

/// Ends when the machine is back.
fn back(host: usize) -> ProcessStep {
    ProcessStep::after(
        REBOOT_LOOK,
        move |world, _| if world.hosts[host].down { back(host) } else { ProcessStep::Exit(0) },
    )
}

fn log(world: &mut World, host: usize, argv: &[String], probe: bool) -> usize {
    world.log.push(LoggedCommand {
        at: Duration::from_millis(u64::try_from(world.now).unwrap_or(0)),
        host: world.hosts[host].name.as_str().to_owned(),
        argv: argv.to_vec(),
        probe,
        exit: None,
    });
    world.log.len() - 1
}

/// An op's output as real transports keep it.
fn clipped(text: &str) -> String {
    let mut clip = Clip::for_output();
    clip.push(text.as_bytes());
    clip.into_text()
}
