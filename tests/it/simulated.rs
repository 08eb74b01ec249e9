//! The kinds of steps against simulated hosts: every query that they send is understood, every answer is read, their
//! ops do what they say, and afterwards their goals hold.

use rollbook::kubernetes::KubeCx;
use std::collections::BTreeMap;
use std::rc::Rc;

use rollbook::facts::{cluster_probe, host_probe, parse_cluster, parse_host};
use rollbook::inventory::{Become, Connection, HostName};
use rollbook::op::{Exit, Op, Probe, ProbeOutput, RunWhen, Site, resolve_symbols};
use rollbook::simulation::{Fault, Simulated, SimulatedHost};
use rollbook::step::{Assessment, LowerCx, Lowered, Poll, StepKind, Subject, find};
use rollbook::transport::{Launch, LaunchId, OutputSink, Session, Stream, Target, Transport};
use rollbook::value::{Duration, Field, Timestamp, Type, Value, Version};
use serde_json::{Value as Json, json};

struct Nowhere;

impl OutputSink for Nowhere {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

fn cluster(workers: usize) -> Simulated {
    let host = |name: String, control_plane| SimulatedHost {
        name: HostName::parse(&name).expect("a host name"),
        address: format!("{name}.example"),
        node_name: Some(name),
        labels: BTreeMap::new(),
        control_plane,
    };
    let mut hosts = vec![host("cp1".to_owned(), true)];
    hosts.extend((1..=workers).map(|number| host(format!("w{number}"), false)));
    let from = Version::parse("1.30.2").expect("a version");
    Simulated::from_hosts(&hosts, &from, Timestamp(1_767_650_400_000), 11)
}

/// Runs a story on a paused clock.
fn story<F: Future>(story: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(story)
}

/// Arguments as the reader of runbooks gives them.
fn typed(json: &Json, ty: &Type) -> Option<Value> {
    let text = || json.as_str().map(str::to_owned);
    let list = |ty: &Type| json.as_array()?.iter().map(|item| typed(item, ty)).collect::<Option<Vec<_>>>();
    match ty {
        Type::Bool => json.as_bool().map(Value::Bool),
        Type::Int => json.as_i64().map(Value::Int),
        Type::Str | Type::Host => text().map(Value::Str),
        Type::Enum(words) => text().filter(|word| words.contains(word)).map(Value::Str),
        Type::Version => Version::parse(&text()?).ok().map(Value::Version),
        Type::Duration => Duration::parse(&text()?).map(Value::Duration),
        Type::List(ty) => list(ty).map(Value::List),
        Type::OneOrMany(ty) => list(ty).or_else(|| Some(vec![typed(json, ty)?])).map(Value::List),
        Type::Map(ty) => {
            let entries = json.as_object()?.iter().map(|(key, value)| Some((key.clone(), typed(value, ty)?)));
            entries.collect::<Option<_>>().map(Value::Map)
        }
        Type::Record(fields) => Some(record(fields, json)),
        Type::OneOf(types) => types.iter().find_map(|ty| typed(json, ty)),
        _ => None,
    }
}

fn record(fields: &[Field], args: &Json) -> Value {
    let value = |field: &Field| match args.get(field.name) {
        Some(json) => typed(json, &field.ty),
        None => field.default.clone(),
    };
    Value::Map(fields.iter().filter_map(|field| Some((field.name.to_owned(), value(field)?))).collect())
}

/// What is told of a step that ran.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Changed,
    Failed(String),
}

/// Counts ops of all tests.
static LAUNCHES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Does to one host what an executor does, in its simplest form.
struct Stepper<'a> {
    simulated: &'a Simulated,
    host: &'static str,
}

impl<'a> Stepper<'a> {
    fn on(simulated: &'a Simulated, host: &'static str) -> Self {
        Self { simulated, host }
    }

    async fn session(&self, site: Site) -> Rc<dyn Session> {
        let host = if site == Site::Kube { "cp1" } else { self.host };
        let target = Target {
            host: HostName::parse(host).expect("a host name"),
            address: host.to_owned(),
            connection: Connection::default(),
            r#become: Become::Sudo,
        };
        self.simulated.connect(&target).await.expect("reachable")
    }

    async fn answers(&self, probe: &Probe) -> Vec<ProbeOutput> {
        let mut answers = Vec::new();
        for query in &probe.queries {
            let session = self.session(query.site.unwrap_or(probe.site)).await;
            let mut query = query.clone();
            query.argv = query.argv.iter().map(|word| resolved(word)).collect();
            let one = Probe { queries: vec![query.clone()], ..probe.clone() };
            let answer = session.probe(&one).await.expect("an answer").remove(0);
            assert!(
                !answer.stderr.contains("simulated"),
                "not understood: {:?}: {}",
                query.argv,
                answer.stderr
            );
            answers.push(answer);
        }
        answers
    }

    async fn op(&self, op: &Op) -> Exit {
        let mut op = op.clone();
        if let rollbook::op::OpKind::Exec { argv } = &mut op.kind {
            *argv = argv.iter().map(|word| resolved(word)).collect();
        }
        // A name of its own for every op, also where ops of several hosts meet.
        let number = LAUNCHES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = LaunchId { run: "r1".to_owned(), op: format!("0-0-1-{number}") };
        let session = self.session(op.site).await;
        session.launch(&Launch { id, op: &op, over: &[] }, &mut Nowhere).await.expect("a result").exit
    }

    /// Looks, changes, verifies.
    async fn step(&self, kind: &str, args: Json) -> Told {
        let kind: &dyn StepKind = find(kind).unwrap_or_else(|| panic!("no kind {kind}"));
        let args = record(kind.fields(), &args);
        let subject = Subject {
            host: self.host.to_owned(),
            node: Some(self.host.to_owned()),
            control_plane: self.host.starts_with("cp"),
        };
        let lowered = lower(kind, &args, &subject);
        if let Some(poll) = lowered.poll {
            let probe = lowered.probe.as_ref().expect("a check has a probe");
            return match self.poll(kind, &args, &subject, probe, poll, false).await {
                Ok(()) => Told::Nothing,
                Err(reason) => Told::Failed(reason),
            };
        }
        match self.look(kind, &args, &subject, lowered.probe.as_ref()).await {
            Some(Assessment::Satisfied { .. }) => return Told::Nothing,
            Some(Assessment::Refused { reason, .. } | Assessment::NotYet { reason }) => {
                return Told::Failed(reason);
            }
            Some(Assessment::WouldChange { .. }) | None => {}
        }
        if let Err(reason) = self.ops(&lowered).await {
            return Told::Failed(reason);
        }
        match &lowered.verify {
            None => Told::Changed,
            Some(verify) => match self.poll(kind, &args, &subject, &verify.probe, verify.poll, true).await {
                Ok(()) => Told::Changed,
                Err(reason) => Told::Failed(reason),
            },
        }
    }

    async fn look(
        &self,
        kind: &dyn StepKind,
        args: &Value,
        subject: &Subject,
        probe: Option<&Probe>,
    ) -> Option<Assessment> {
        let answers = self.answers(probe?).await;
        let assessed = kind.assess(args, subject, &answers);
        Some(assessed.unwrap_or_else(|error| panic!("{}: {error}\n{answers:#?}", kind.name())))
    }

    async fn ops(&self, lowered: &Lowered) -> Result<(), String> {
        let mut failed = None;
        for op in &lowered.ops {
            let runs = match op.when {
                RunWhen::InOrder => failed.is_none(),
                RunWhen::Always => true,
                RunWhen::OnFailure => failed.is_some(),
            };
            if !runs {
                continue;
            }
            let exit = self.op(op).await;
            let succeeded = matches!(exit, Exit::Code(code) if op.success.contains(&code));
            if !succeeded && failed.is_none() {
                failed = Some(format!("{}: {exit:?}", op.title));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn poll(
        &self,
        kind: &dyn StepKind,
        args: &Value,
        subject: &Subject,
        probe: &Probe,
        poll: Poll,
        verify: bool,
    ) -> Result<(), String> {
        let (mut waited, mut stable) = (Duration::ZERO, Duration::ZERO);
        loop {
            let answers = self.answers(probe).await;
            let assessed = if verify {
                kind.assess_verify(args, subject, &answers)
            } else {
                kind.assess(args, subject, &answers)
            };
            let seen = format!("{assessed:?}");
            match assessed {
                Ok(Assessment::Satisfied { .. }) if stable >= poll.stable_for => return Ok(()),
                Ok(Assessment::Satisfied { .. }) => stable = stable.saturating_add(poll.interval),
                _ if waited >= poll.within => return Err(seen),
                _ => stable = Duration::ZERO,
            }
            tokio::time::sleep(poll.interval.to_std()).await;
            waited = waited.saturating_add(poll.interval);
        }
    }

    /// Runs and expects a change, then expects that nothing is left to do.
    async fn reaches(&self, kind: &str, args: Json) {
        assert_eq!(self.step(kind, args.clone()).await, Told::Changed, "{}: {kind} {args}", self.host);
        assert_eq!(self.step(kind, args.clone()).await, Told::Nothing, "{}: {kind} {args} again", self.host);
    }

    async fn holds(&self, kind: &str, args: Json) {
        assert_eq!(self.step(kind, args.clone()).await, Told::Nothing, "{}: {kind} {args}", self.host);
    }

    async fn does(&self, kind: &str, args: Json) {
        assert_eq!(self.step(kind, args.clone()).await, Told::Changed, "{}: {kind} {args}", self.host);
    }
}

fn resolved(word: &str) -> String {
    let known = |symbol: &str| match symbol {
        "run:id" => Ok("r1".to_owned()),
        "run:started" => Ok("2026-01-05T22:00:00Z".to_owned()),
        other => Err(format!("no symbol {other}")),
    };
    resolve_symbols(word, known).expect("a known symbol")
}

fn kube() -> KubeCx {
    KubeCx {
        kubeconfig: "/etc/kubernetes/admin.conf".to_owned(),
        context: String::new(),
        request_timeout: Duration::from_secs(30),
        r#become: true,
    }
}

fn lower(kind: &dyn StepKind, args: &Value, subject: &Subject) -> Lowered {
    let (kube, env) = (kube(), BTreeMap::new());
    let cx = LowerCx {
        subject,
        kube: Some(&kube),
        r#become: true,
        timeout: Duration::from_secs(1200),
        env: &env,
        effect: None,
        run_on: None,
    };
    kind.lower(args, &cx).unwrap_or_else(|error| panic!("{}: {error}", kind.name()))
}

const TARGET: &str = "1.31.4";

async fn prepare(host: &Stepper<'_>) {
    host.reaches("apt_repo", json!({"kubernetes": "1.31"})).await;
    let packages = json!({"kubeadm": "1.31.4-*", "kubelet": "1.31.4-*", "kubectl": "1.31.4-*"});
    host.reaches("apt", json!({"download": packages})).await;
}

async fn upgrade(host: &Stepper<'_>, verb: &str) {
    host.holds("version_skew", json!({"target": TARGET})).await;
    host.does("apt_mark", json!({"unhold": ["kubeadm", "kubectl"]})).await;
    host.reaches("apt", json!({"install": {"kubeadm": "1.31.4-*", "kubectl": "1.31.4-*"}, "hold": true}))
        .await;
    host.reaches("kubeadm", json!({"upgrade": verb, "version": TARGET})).await;
    host.does("drain", json!({"timeout": "10m"})).await;
    host.does("apt_mark", json!({"unhold": ["kubelet"]})).await;
    host.does("apt", json!({"install": {"kubelet": "1.31.4-*"}})).await;
    host.reaches("apt_mark", json!({"hold": ["kubelet"]})).await;
    host.reaches("systemctl", json!({"daemon_reload": true, "restart": "kubelet"})).await;
    host.holds("wait", json!({"node": "ready", "kubelet": TARGET, "for": "10m", "stable_for": "20s"})).await;
    host.reaches("uncordon", json!({})).await;
}

#[test]
fn the_kinds_upgrade_a_simulated_cluster_and_find_nothing_left_to_do() {
    let simulated = cluster(3);
    story(async {
        for name in ["cp1", "w1", "w2", "w3"] {
            prepare(&Stepper::on(&simulated, name)).await;
        }
        upgrade(&Stepper::on(&simulated, "cp1"), "apply").await;
        for name in ["w1", "w2", "w3"] {
            upgrade(&Stepper::on(&simulated, name), "node").await;
        }
        Stepper::on(&simulated, "cp1").holds("wait", json!({"nodes": "ready", "for": "5m"})).await;
    });
    for name in ["cp1", "w1", "w2", "w3"] {
        let state = simulated.host(name).expect("a host");
        assert_eq!(
            (state.kubelet.as_str(), state.ready.as_str(), state.cordoned),
            (TARGET, "True", false),
            "{name}"
        );
        assert_eq!(state.held, ["kubeadm", "kubectl", "kubelet"], "{name}");
        assert!(state.annotations.keys().all(|key| !key.contains("cordoned")), "{:?}", state.annotations);
    }
    let probes: Vec<_> = simulated.log().into_iter().filter(|logged| logged.probe).collect();
    assert!(probes.is_empty(), "no probe may change anything: {probes:?}");
}

#[test]
fn other_kinds_are_understood_too() {
    let simulated = cluster(2);
    simulated.inject(Fault::RebootRequired { host: "w1".to_owned() });
    story(async {
        let host = Stepper::on(&simulated, "w1");
        host.reaches(
            "copy",
            json!({"dest": "/etc/sysctl.d/90-x.conf", "content": "a = 1\n", "mode": "0640"}),
        )
        .await;
        host.reaches("apt", json!({"install": ["jq"]})).await;
        host.reaches("systemctl", json!({"stop": "cron"})).await;
        host.reaches("systemctl", json!({"start": "cron", "enable": "cron"})).await;
        host.reaches("systemctl", json!({"mask": "cron"})).await;
        host.does("command", json!({"argv": ["/usr/local/bin/thing", "--all"]})).await;
        host.does("script", json!({"text": "echo hello\n"})).await;
        host.does("cordon", json!({})).await;
        host.does("kubectl", json!({"args": ["label", "node", "w1", "x=y"]})).await;
        host.holds("wait", json!({"pods": {"namespace": "kube-system", "selector": "k8s-app=coredns"}}))
            .await;
        host.holds("wait", json!({"file": "/etc/os-release"})).await;
        host.holds("wait", json!({"port": 22})).await;
        host.holds("wait", json!({"url": "https://127.0.0.1:10250/healthz"})).await;
        host.reaches("reboot", json!({"when_required": true})).await;
        host.holds("wait", json!({"node": "ready", "for": "5m"})).await;
        host.reaches("uncordon", json!({})).await;
    });
}

#[test]
fn facts_of_hosts_and_cluster_are_read() {
    let simulated = cluster(2);
    simulated.inject(Fault::SwapOn { host: "w1".to_owned() });
    simulated.inject(Fault::NodeCordoned { host: "w2".to_owned(), at: Duration::ZERO });
    story(async {
        let host = Stepper::on(&simulated, "w1");
        let probe = host_probe(Duration::from_secs(30));
        let answers = host.session(Site::Subject).await.probe(&probe).await.expect("answers");
        let facts = parse_host(&answers).expect("facts");
        assert_eq!(
            (facts.os.as_str(), facts.os_version.as_str(), facts.hostname.as_str()),
            ("debian", "12", "w1")
        );
        assert_eq!(facts.kubelet.map(|version| version.to_string()).as_deref(), Some("1.30.2"));
        assert!(
            facts.packages["kubelet"].held && facts.swap_total > 0 && facts.systemd && facts.cgroup == "v2"
        );
        assert_eq!(facts.units["kubelet"].active, "active");
        assert!(facts.disks["/var"].free > 0, "{:?}", facts.disks);
        let cluster = parse_cluster(&host.answers(&cluster_probe(&kube())).await).expect("a cluster");
        assert_eq!(cluster.server_version, "v1.30.2");
        assert!(cluster.nodes["cp1"].control_plane && cluster.nodes["w2"].cordoned);
        assert_eq!(cluster.nodes["w1"].machine_id, facts.machine_id, "the node is the machine");
        assert_eq!(cluster.nodes["w1"].boot_id, facts.boot_id);
    });
}

#[test]
fn a_crash_loop_after_success_and_a_blocked_drain_are_seen() {
    let simulated = cluster(2);
    simulated.inject(Fault::StaticPodCrashLoops {
        host: "cp1".to_owned(),
        component: "kube-scheduler".to_owned(),
    });
    simulated.inject(Fault::DrainBlocked { host: "w1".to_owned() });
    story(async {
        let host = Stepper::on(&simulated, "cp1");
        prepare(&host).await;
        host.does("apt_mark", json!({"unhold": ["kubeadm"]})).await;
        host.reaches("apt", json!({"install": {"kubeadm": "1.31.4-*"}})).await;
        let told = host.step("kubeadm", json!({"upgrade": "apply", "version": TARGET})).await;
        assert!(matches!(&told, Told::Failed(reason) if reason.contains("kube-scheduler")), "{told:?}");
        let blocked = Stepper::on(&simulated, "w1").step("drain", json!({"timeout": "1m"})).await;
        assert!(matches!(blocked, Told::Failed(_)), "{blocked:?}");
    });
}
