//! The simulated world: all hosts, the cluster, and a queue of what happens when. Pure: time is told to it, and what
//! was due happens in order of time whether or not anybody looks.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::answers::{Leaves, ScriptedAnswers};
use super::assumed::{self, Assumed};
use super::cluster::Cluster;
use super::command::Invocation;
use super::host::{SimulatedHost, SimulatedMachine};
use super::log::LoggedCommand;
use super::op_fault::DoomedOp;
use super::process::{Output, Pid, Process, ProcessStep};
use super::record::{self, SimulatedRecord};
use super::{answers, kubelet, pod};
use crate::op::Exit;
use crate::value::{Duration, KubeVersion, Timestamp};

/// Milliseconds since the simulation began; what was there before it has negative times.
pub(super) type Millis = i64;

/// Something that happens by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SimulationEvent {
    /// A process wakes.
    Wake(Pid),
    /// A process has used up its time.
    TimeUp(Pid),
    /// A started kubelet reports its node as ready.
    KubeletReady { host: usize, generation: u64 },
    /// The API server has not heard of a kubelet for too long.
    KubeletSilent { host: usize, generation: u64 },
    /// A kubelet has missed its container runtime for too long.
    RuntimeGone { host: usize, generation: u64 },
    /// Pods of a node that is away for long are given up.
    PodsGivenUp { host: usize, generation: u64 },
    /// A pod becomes ready.
    PodReady { pod: u32, generation: u32 },
    /// A static pod that crashes is tried again.
    PodCrashes { pod: u32, generation: u32 },
    /// A terminating pod is gone.
    PodGone { pod: u32 },
    /// A machine is back from a reboot.
    Booted { host: usize },
    /// Somebody else cordons a node.
    Cordoned { node: usize },
    /// A kubelet stops for good.
    KubeletDies { host: usize },
}

struct ScheduledEvent {
    at: Millis,
    sequence: u64,
    event: SimulationEvent,
}

impl Ord for ScheduledEvent {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for ScheduledEvent {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ScheduledEvent {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == std::cmp::Ordering::Equal
    }
}

impl Eq for ScheduledEvent {}

/// Everything that is simulated.
pub(super) struct World {
    /// How far the simulation is.
    pub(super) now: Millis,
    /// What the hosts' clocks said when it began.
    pub(super) epoch: Timestamp,
    /// The machines.
    pub(super) hosts: Vec<SimulatedMachine>,
    /// The Kubernetes cluster.
    pub(super) cluster: Cluster,
    /// Every op, and whatever changed anything.
    pub(super) log: Vec<LoggedCommand>,
    /// Set when a process was ended from outside, until its followers were told.
    pub(super) ended_early: bool,
    /// What is told of commands that the simulation cannot know.
    pub(super) answers: ScriptedAnswers,
    /// What is taken to hold without being simulated.
    pub(super) assumed: Assumed,
    /// Ops that fail or never end, by their launches.
    pub(super) faulty_ops: Vec<DoomedOp>,
    by_name: HashMap<String, usize>,
    queue: BinaryHeap<Reverse<ScheduledEvent>>,
    sequence: u64,
    processes: Vec<Process>,
    /// How many processes there have been.
    spawned: usize,
    /// Processes that have not ended.
    live: BTreeSet<Pid>,
    /// The process that runs now.
    running: Option<Pid>,
}

impl World {
    /// The world as it stands before an upgrade from `kubernetes`.
    pub(super) fn new(
        specs: &[SimulatedHost],
        kubernetes: &KubeVersion,
        epoch: Timestamp,
        seed: u64,
        record: Option<&SimulatedRecord>,
    ) -> Self {
        let mut world = Self {
            now: 0,
            epoch,
            hosts: Vec::with_capacity(specs.len()),
            cluster: Cluster::new(kubernetes.clone(), seed),
            log: Vec::new(),
            ended_early: false,
            answers: ScriptedAnswers::default(),
            assumed: Assumed::default(),
            faulty_ops: Vec::new(),
            by_name: HashMap::with_capacity(specs.len()),
            queue: BinaryHeap::new(),
            sequence: 0,
            processes: Vec::new(),
            spawned: 0,
            live: BTreeSet::new(),
            running: None,
        };
        for spec in specs {
            let index = world.hosts.len();
            let node = spec.node_name.as_ref().map(|name| world.cluster.next_node(name));
            let host = SimulatedMachine::new(spec, node, kubernetes, seed);
            world.by_name.insert(spec.name.as_str().to_owned(), index);
            world.hosts.push(host);
            if let Some(name) = &spec.node_name {
                world.join(index, name, spec);
            }
        }
        match record {
            Some(record) => record::apply(&mut world, record),
            None => pod::usual_workloads(&mut world),
        }
        world
    }

    /// Index of a host by its inventory name.
    pub(super) fn host_index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What a host's clock showed at a time of the simulation, in milliseconds since the Unix epoch.
    pub(super) fn clock(&self, host: usize, at: Millis) -> i64 {
        let jumps = self.hosts[host].active_faults.jumps.iter();
        self.epoch.0 + at + jumps.filter(|(when, _)| *when <= at).map(|(_, by)| by).sum::<Millis>()
    }

    /// The same in seconds.
    pub(super) fn unix(&self, host: usize, at: Millis) -> i64 {
        self.clock(host, at).div_euclid(1000)
    }

    /// Arranges for something to happen.
    pub(super) fn after(&mut self, millis: Millis, event: SimulationEvent) {
        self.sequence += 1;
        let due = ScheduledEvent { at: self.now + millis.max(0), sequence: self.sequence, event };
        self.queue.push(Reverse(due));
    }

    /// Lets everything happen that is due until `now`.
    pub(super) fn advance(&mut self, now: Millis) {
        while let Some(Reverse(due)) = self.queue.peek() {
            if due.at > now {
                break;
            }
            let Some(Reverse(due)) = self.queue.pop() else { break };
            self.now = self.now.max(due.at);
            self.happen(&due.event);
        }
        self.now = self.now.max(now);
    }

    fn happen(&mut self, event: &SimulationEvent) {
        match *event {
            SimulationEvent::Wake(pid) => self.wake(pid),
            SimulationEvent::TimeUp(pid) => self.end(pid, Exit::TimedOut),
            SimulationEvent::KubeletReady { host, generation } => kubelet::ready(self, host, generation),
            SimulationEvent::KubeletSilent { host, generation } => kubelet::silent(self, host, generation),
            SimulationEvent::RuntimeGone { host, generation } => {
                kubelet::runtime_gone(self, host, generation);
            }
            SimulationEvent::PodsGivenUp { host, generation } => kubelet::given_up(self, host, generation),
            SimulationEvent::PodReady { pod, generation } => pod::ready(self, pod, generation),
            SimulationEvent::PodCrashes { pod, generation } => pod::crashes(self, pod, generation),
            SimulationEvent::PodGone { pod } => pod::gone(self, pod),
            SimulationEvent::Booted { host } => kubelet::booted(self, host),
            SimulationEvent::Cordoned { node } => self.cluster.set_cordon(node, true),
            SimulationEvent::KubeletDies { host } => {
                self.hosts[host].active_faults.kubelet_dies = true;
                kubelet::stop(self, host);
            }
        }
    }

    /// Starts a process and runs it up to its first sleep.
    pub(super) fn spawn(
        &mut self,
        command: Invocation,
        limit: Option<Duration>,
        logged: Option<usize>,
    ) -> Pid {
        let host = command.host;
        self.spawn_with(host, limit, logged, move |world, out| {
            match super::fault::planned_failure(world, &command, out) {
                Some(failure) => failure,
                None => answers::planned(world, &command, out)
                    .unwrap_or_else(|| answers::run(world, &command, out)),
            }
        })
    }

    /// Starts a process that runs `then`.
    pub(super) fn spawn_with(
        &mut self,
        host: usize,
        limit: Option<Duration>,
        logged: Option<usize>,
        then: impl FnOnce(&mut Self, &mut Output) -> ProcessStep + 'static,
    ) -> Pid {
        let pid = Pid(self.processes.len());
        self.processes.push(Process {
            number: self.spawned,
            host,
            output: Output::default(),
            sleeping: Some((self.now, Box::new(then))),
            limit: None,
            exit: None,
            logged,
            leaves: None,
            outlives_reboot: false,
        });
        self.spawned += 1;
        self.live.insert(pid);
        self.wake(pid);
        if let Some(limit) = limit.filter(|_| self.processes[pid.0].exit.is_none()) {
            let limit = i64::try_from(limit.as_millis()).unwrap_or(Millis::MAX / 2);
            self.processes[pid.0].limit = Some(self.now.saturating_add(limit));
            self.after(limit, SimulationEvent::TimeUp(pid));
        }
        pid
    }

    /// Takes what an ended process wrote, for whose end nobody will ask again.
    pub(super) fn take_output(&mut self, pid: Pid) -> Output {
        let output = std::mem::take(&mut self.processes[pid.0].output);
        // Most looks end at once. Of one that slept a happening may still name it.
        let process = &self.processes[pid.0];
        if pid.0 + 1 == self.processes.len() && process.exit.is_some() && process.limit.is_none() {
            self.processes.pop();
        }
        output
    }

    /// A process.
    pub(super) fn process(&self, pid: Pid) -> &Process {
        &self.processes[pid.0]
    }

    /// The process that runs now.
    pub(super) fn running(&self) -> Option<Pid> {
        self.running
    }

    /// Says what else a process leaves behind when it ends well.
    pub(super) fn on_success(&mut self, pid: Pid, leaves: Leaves) {
        if self.processes[pid.0].exit == Some(Exit::Code(0)) {
            answers::leave(self, self.processes[pid.0].host, leaves);
        } else {
            self.processes[pid.0].leaves.get_or_insert_default().add(leaves);
        }
    }

    /// Says that a process goes on while its host reboots.
    pub(super) fn outlive_reboot(&mut self, pid: Pid) {
        self.processes[pid.0].outlives_reboot = true;
    }

    fn wake(&mut self, pid: Pid) {
        let process = &mut self.processes[pid.0];
        let Some((_, then)) = process.sleeping.take() else { return };
        let mut output = std::mem::take(&mut process.output);
        let before = self.running.replace(pid);
        let next = then(self, &mut output);
        self.running = before;
        let (host, taken) = (self.processes[pid.0].host, std::mem::take(&mut output.assumed));
        self.processes[pid.0].output = output;
        for what in taken {
            assumed::note(self, host, what);
        }
        match next {
            ProcessStep::Exit(code) => self.finish(pid, Exit::Code(code)),
            ProcessStep::After(millis, then) => {
                self.processes[pid.0].sleeping = Some((self.now + millis.max(0), then));
                self.after(millis, SimulationEvent::Wake(pid));
            }
        }
    }

    /// Ends a process from outside, unless it has ended.
    pub(super) fn end(&mut self, pid: Pid, exit: Exit) {
        if self.processes[pid.0].exit.is_none() {
            self.processes[pid.0].sleeping = None;
            self.ended_early = true;
            self.finish(pid, exit);
        }
    }

    /// Ends every process of a host, as a reboot does.
    pub(super) fn end_all(&mut self, host: usize, exit: Exit) {
        let of_host = |pid: &Pid| {
            let process = &self.processes[pid.0];
            process.host == host && !process.outlives_reboot
        };
        let pids: Vec<Pid> = self.live.iter().copied().filter(of_host).collect();
        for pid in pids {
            self.end(pid, exit);
        }
    }

    fn finish(&mut self, pid: Pid, exit: Exit) {
        self.live.remove(&pid);
        let process = &mut self.processes[pid.0];
        process.exit = Some(exit);
        if let Some(line) = process.logged {
            self.log[line].exit = Some(exit);
        }
        let (host, leaves) = (process.host, process.leaves.take());
        if let Some(leaves) = leaves.filter(|_| exit == Exit::Code(0)) {
            answers::leave(self, host, leaves);
        }
        if self.hosts[host].lock.as_ref().is_some_and(|lock| lock.pid == Some(pid)) {
            self.hosts[host].lock = None;
        }
    }
}
