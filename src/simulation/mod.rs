//! Simulated hosts and a simulated cluster, for rehearsals and fast tests: a [`Transport`] that answers the argument
//! vectors that real hosts get. Deterministic by its seed; knows no real time, no network, no files.
//!
//! The world (`world.rs`) is pure data that moves when it is told the time. Sessions (`session.rs`) tell it the time of
//! the runtime, whose clock a rehearsal pauses: waits then cost nothing.

mod answers;
mod apt;
mod assumed;
mod budget;
mod cluster;
mod command;
mod deleted;
mod dpkg;
mod etcd;
mod etcd_host;
mod fault;
mod files;
mod find;
mod host;
mod inspect;
mod kubeadm;
mod kubeadm_says;
mod kubectl;
mod kubelet;
mod log;
mod objects;
mod obstacle;
mod op_fault;
mod os;
mod package;
mod package_version;
mod pod;
mod process;
mod random;
mod record;
mod releases;
mod session;
mod sockets;
mod sources;
mod static_pod;
mod system;
#[cfg(test)]
mod tests;
mod unit;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use async_trait::async_trait;

pub use answers::{Assumption, SimulatedCommand};
pub use budget::Allowance;
pub use fault::Fault;
pub use host::SimulatedHost;
pub use inspect::HostState;
pub use log::LoggedCommand;
pub use op_fault::OpFault;
pub use os::{System, label_of_system};
pub use pod::{SimulatedWorkload, WorkloadKind};
pub use record::{RecordedHost, RecordedNode, SimulatedRecord};

use self::session::{SimulatedSession, SimulationState};
use self::world::World;
use crate::transport::{ConnectError, Session, Target, Transport};
use crate::value::{Duration, Timestamp, Version};

/// Simulated hosts, as a transport.
///
/// Clones share the world: keep one to look at what happened while another is with the executor.
#[derive(Clone)]
pub struct Simulated {
    shared: Rc<SimulationState>,
}

impl Simulated {
    /// The hosts as they stand before an upgrade from `kubernetes`, with a plain cluster's workloads on the nodes.
    /// `epoch` is what their clocks say at the beginning. The same arguments give the same simulation.
    pub fn from_hosts(hosts: &[SimulatedHost], kubernetes: &Version, epoch: Timestamp, seed: u64) -> Self {
        Self::begin(hosts, kubernetes, epoch, seed, None)
    }

    /// The hosts as they were recorded, with the pods that stood on them.
    pub fn from_record(
        hosts: &[SimulatedHost],
        record: &SimulatedRecord,
        kubernetes: &Version,
        epoch: Timestamp,
        seed: u64,
    ) -> Self {
        Self::begin(hosts, kubernetes, epoch, seed, Some(record))
    }

    fn begin(
        hosts: &[SimulatedHost],
        kubernetes: &Version,
        epoch: Timestamp,
        seed: u64,
        record: Option<&SimulatedRecord>,
    ) -> Self {
        // A minor stands for its first release.
        let first = || kubernetes.minor().first_release();
        let kubernetes = kubernetes.release().cloned().unwrap_or_else(first);
        Self { shared: Rc::new(SimulationState::new(World::new(hosts, &kubernetes, epoch, seed, record))) }
    }

    /// Makes something go wrong. `false` where the fault names no host of the simulation, or one that cannot have it.
    pub fn inject(&self, fault: Fault) -> bool {
        self.shared.intervene(|world| fault::inject(world, fault))
    }

    /// Says how a command of the runbook answers, which nobody else can know.
    pub fn tell(&self, command: SimulatedCommand) {
        self.shared.intervene(|world| answers::tell(world, command));
    }

    /// Says what to take as true of a task's command: by the task's phase, its host's number in the plan, its index.
    pub fn assume(&self, task: [u32; 3], assumption: Assumption) {
        self.shared.intervene(|world| answers::assume(world, task, assumption));
    }

    /// Says which looks somebody waits for: what they ask for comes about, where the simulation has never heard of it.
    pub fn assume_comes(&self, looks: Vec<Vec<String>>) {
        self.shared.intervene(|world| answers::await_looks(world, looks));
    }

    /// Takes it that a host's kubelet is told to start on control groups v1.
    pub fn accept_cgroup_v1(&self, host: &str) {
        self.shared.intervene(|world| {
            if let Some(index) = world.host_index(host)
                && world.hosts[index].control_groups == host::ControlGroups::V1
            {
                world.hosts[index].control_groups = host::ControlGroups::V1Accepted;
            }
        });
    }

    /// Says that a host has this unit, and that it runs.
    pub fn has_unit(&self, host: &str, unit: &str) {
        self.shared.intervene(|world| unit::add(world, host, unit, false));
    }

    /// Says that the distribution's repository has got a newer version of a package. A host knows it once it has fetched
    /// its lists again.
    pub fn publish(&self, name: &str, version: &str) {
        self.shared.intervene(|world| {
            world.hosts.iter_mut().for_each(|host| host.packages.publish(name, version));
        });
    }

    /// Says that a host's repositories offer this version of a package, beside what the simulation knows.
    pub fn offers(&self, host: &str, package: &str, version: &str, origin: &str) {
        self.shared.intervene(|world| {
            if let Some(index) = world.host_index(host) {
                world.hosts[index].packages.offer(package, version, origin);
            }
        });
    }

    /// Says that a package is installed in this version.
    pub fn has_package(&self, host: &str, package: &str, version: &str) {
        self.shared.intervene(|world| {
            if let Some(index) = world.host_index(host) {
                world.hosts[index].packages.put(package, version, host::LONG_AGO);
            }
        });
    }

    /// Puts a file on a host.
    pub fn put_file(&self, host: &str, path: &str, content: &str) {
        self.shared.intervene(|world| {
            let now = world.now;
            if let Some(index) = world.host_index(host) {
                world.hosts[index].files.put(path, content.to_owned(), "644", now);
            }
        });
    }

    /// Opens a port of a host.
    pub fn opens_port(&self, host: &str, port: u16) {
        self.shared.intervene(|world| sockets::open(world, host, port, false));
    }

    /// Takes it from now on that what the simulation has never heard of is there and works. What is taken to hold stands in
    /// [`Self::assumed`].
    pub fn assume_unheard(&self) {
        self.shared.intervene(|world| world.assumed.is_on = true);
    }

    /// Takes it that a host has this unit, and that it runs, where nobody knows better.
    pub fn assume_unit(&self, host: &str, unit: &str) {
        self.shared.intervene(|world| unit::add(world, host, unit, true));
    }

    /// Takes it that something listens on this port of a host, where nobody knows better.
    pub fn assume_port(&self, host: &str, port: u16) {
        self.shared.intervene(|world| sockets::open(world, host, port, true));
    }

    /// Notes that something is taken to hold on a host.
    pub fn note_assumed(&self, host: &str, what: &str) {
        self.shared.intervene(|world| {
            if let Some(index) = world.host_index(host) {
                assumed::note(world, index, what.to_owned());
            }
        });
    }

    /// What was taken to hold without being simulated, in words, and on which hosts.
    pub fn assumed(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.shared.inspect(|world| world.assumed.all().clone())
    }

    /// Adds pods that are there and Ready from now on.
    pub fn add_workload(&self, workload: &SimulatedWorkload) {
        pod::add(&mut self.shared.world.borrow_mut(), workload);
    }

    /// Every op so far, and whatever else changed anything, in order of time, then of host.
    pub fn log(&self) -> Vec<LoggedCommand> {
        let mut log = self.shared.inspect(|world| world.log.clone());
        log.sort_by(|left, right| (left.at, &left.host).cmp(&(right.at, &right.host)));
        log
    }

    /// How a host stands now.
    pub fn host(&self, name: &str) -> Option<HostState> {
        self.shared.inspect(|world| HostState::of(world, name))
    }

    /// How much simulated time has passed.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.shared.inspect(|world| u64::try_from(world.now).unwrap_or(0)))
    }
}

#[async_trait(?Send)]
impl Transport for Simulated {
    async fn connect(&self, target: &Target) -> Result<Rc<dyn Session>, ConnectError> {
        self.shared.round_trip().await;
        let name = target.host.as_str();
        let reachable = self.shared.now(|world| {
            world.host_index(name).map(|index| (index, world.hosts[index].reachable(world.now)))
        });
        let (index, reachable) = reachable.ok_or_else(|| ConnectError::Unreachable {
            host: target.host.clone(),
            reason: format!("Could not resolve hostname {name}: Name or service not known"),
        })?;
        if !reachable {
            // A dead host shows only when the connection times out.
            tokio::time::sleep(target.connection.connect_timeout.to_std()).await;
            let reason = format!("connect to host {} port 22: Connection timed out", target.address);
            return Err(ConnectError::Unreachable { host: target.host.clone(), reason });
        }
        let user = target.connection.user.as_deref();
        Ok(Rc::new(SimulatedSession::new(Rc::clone(&self.shared), index, target.r#become, user)))
    }

    async fn close(&self) {}
}
