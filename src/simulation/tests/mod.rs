//! Whole stories against simulated hosts: an upgrade by hand, refusals, budgets, faults, the launcher's promises.

mod cluster;
mod faults;
mod launcher;
mod packages;
mod upgrade;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{
    Allowance, Assumption, Fault, LoggedCommand, OpFault, Simulated, SimulatedCommand, SimulatedHost,
    SimulatedWorkload, WorkloadKind,
};
use crate::inventory::{Become, Connection, HostName};
use crate::op::{Exit, Op, OpKind, Probe, ProbeOutput, Query, Site};
use crate::transport::{
    Attached, ConnectError, Launch, LaunchId, OpResult, OutputSink, Session, SessionError, Stream, Target,
    Transport,
};
use crate::value::{Duration, Timestamp, Version};

const ADMIN: &str = "--kubeconfig=/etc/kubernetes/admin.conf";

#[derive(Default)]
struct KeptRun(Vec<u8>);

impl OutputSink for KeptRun {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn cluster(control_planes: usize, workers: usize, seed: u64) -> Simulated {
    let host = |name: String, control_plane| SimulatedHost {
        name: HostName::parse(&name).expect("a host name"),
        address: format!("{name}.example"),
        node_name: Some(name),
        labels: BTreeMap::new(),
        control_plane,
    };
    let mut hosts: Vec<SimulatedHost> = (1..=control_planes).map(|n| host(format!("cp{n}"), true)).collect();
    hosts.extend((1..=workers).map(|n| host(format!("w{n}"), false)));
    let from = Version::parse("1.30.2").expect("a version");
    Simulated::from_hosts(&hosts, &from, Timestamp(1_767_650_400_000), seed)
}

fn target(name: &str) -> Target {
    Target {
        host: HostName::parse(name).expect("a host name"),
        address: format!("{name}.example"),
        connection: Connection::default(),
        r#become: Become::Sudo,
    }
}

/// Runs a story on a paused clock.
fn story<F: Future>(story: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(story)
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn op(line: &str, timeout: u64) -> Op {
    Op { r#become: true, timeout: Duration::from_secs(timeout), ..Op::exec(line, words(line)) }
}

/// A session with its launches counted.
struct Trigger {
    session: Rc<dyn Session>,
    launches: std::cell::Cell<u32>,
}

impl Trigger {
    async fn host(simulated: &Simulated, name: &str) -> Self {
        let session = simulated.connect(&target(name)).await.expect("reachable");
        Self { session, launches: std::cell::Cell::new(0) }
    }

    fn next_id(&self) -> LaunchId {
        self.launches.set(self.launches.get() + 1);
        LaunchId { run: "run".to_owned(), op: format!("0-{}", self.launches.get()) }
    }

    async fn try_run(&self, op: &Op) -> Result<OpResult, SessionError> {
        self.session.launch(&Launch { id: self.next_id(), op, over: &[] }, &mut KeptRun::default()).await
    }

    async fn run(&self, line: &str) -> OpResult {
        self.try_run(&op(line, 3600)).await.expect("a result")
    }

    /// Runs and expects success.
    async fn must(&self, line: &str) -> OpResult {
        let result = self.run(line).await;
        assert_eq!(result.exit, Exit::Code(0), "{line}: {}{}", result.stdout, result.stderr);
        result
    }

    async fn write(&self, path: &str, text: &str) {
        let mut write = op("", 60);
        write.kind = OpKind::Write { path: path.to_owned(), mode: "0644".to_owned(), owner: String::new() };
        text.clone_into(&mut write.stdin);
        assert_eq!(self.try_run(&write).await.expect("a result").exit, Exit::Code(0));
    }

    async fn ask(&self, line: &str) -> ProbeOutput {
        let query = Query { argv: words(line), ..Query::default() };
        let probe = Probe {
            site: Site::Subject,
            queries: vec![query],
            r#become: true,
            timeout: Duration::from_secs(60),
        };
        self.session.probe(&probe).await.expect("answers").remove(0)
    }
}

async fn wait(secs: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(secs)).await;
}

fn sources(minor: u32) -> String {
    format!("deb [signed-by=/etc/apt/keyrings/k.gpg] https://pkgs.k8s.io/core:/stable:/v1.{minor}/deb/ /\n")
}
