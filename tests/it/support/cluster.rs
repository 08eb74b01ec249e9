//! A simulated cluster that stays between plans and runs: the shipped runbook is planned, rolled, and planned again over
//! the same hosts. The clock is paused, so hours pass at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::rc::Rc;

use super::announced::unannounced;
use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use rollbook::engine::Stamped;
use rollbook::executor::{
    ApprovalAnswer, Approver, Clock, Depth, InDoubt, Pool, Question, Redactor, Secrets, Setup, forecast_plan,
    gather_facts, roll,
};
use rollbook::inventory::{Become, Connection, HostName, Inventory};
use rollbook::kubernetes::KubeCx;
use rollbook::op::{Exit, Op};
use rollbook::plan::compile::{CompileInput, Knowledge, Overrides, compile, settle_outage};
use rollbook::plan::show::{Detail, PlanStyle, bytes, digest, text};
use rollbook::plan::{Expected, Plan, StepTimes, forecast};
use rollbook::report::{Plain, Summary, Verbosity};
use rollbook::runbook::{FileReader, ParamSources, Runbook, resolve_params};
use rollbook::simulation::{Simulated, SimulatedCommand, SimulatedHost};
use rollbook::source::{Diagnostics, Limits, SourceMap};
use rollbook::transport::{Launch, LaunchId, OutputSink, Stream, Target};
use rollbook::value::{Timestamp, Version};

/// A runbook that drains the workers, one after the other.
pub(crate) const DRAINED: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
defaults: { become: true }
phases:
  - name: workers
    hosts: workers
    rollout: { batches: [1] }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - command: { argv: [systemctl, restart, kubelet] }
      - uncordon: {}
";

/// Hosts `cp1`, `cp2`, …, `w1`, `w2`, …, all nodes of one cluster.
pub(crate) struct Cluster {
    /// The hosts behind it.
    pub(crate) simulated: Simulated,
    pub(crate) inventory: String,
    pub(crate) hosts: Vec<HostName>,
    pub(crate) control_planes: Vec<HostName>,
    epoch: Timestamp,
    runs: u32,
    /// `--adopt-cordons` of the next plans.
    pub(crate) adopt: Option<String>,
}

/// How a roll ended.
pub(crate) struct Rolled {
    pub(crate) code: i32,
    pub(crate) events: Vec<Stamped>,
    /// What an operator sees, and the summary.
    pub(crate) told: String,
}

impl Cluster {
    pub(crate) fn new(control_planes: usize, workers: usize, kubernetes: &str) -> Self {
        let mut hosts: Vec<(String, bool)> = (1..=control_planes).map(|n| (format!("cp{n}"), true)).collect();
        hosts.extend((1..=workers).map(|n| (format!("w{n}"), false)));
        let simulated_hosts: Vec<SimulatedHost> = hosts
            .iter()
            .map(|(name, control_plane)| SimulatedHost {
                name: HostName::parse(name).unwrap(),
                address: format!("{name}.example"),
                node_name: Some(name.clone()),
                labels: BTreeMap::new(),
                control_plane: *control_plane,
            })
            .collect();
        let epoch = Timestamp(1_767_650_400_000);
        let simulated =
            Simulated::from_hosts(&simulated_hosts, &Version::parse(kubernetes).unwrap(), epoch, 11);
        let inventory = format!(
            "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: simulated }}\n\
             hosts:\n  \"cp[1:{control_planes}]\": {{ labels: {{ role: control-plane }} }}\n  \"w[1:{workers}]\": {{ labels: {{ role: worker }} }}\n\
             groups:\n  control_plane: {{ select: \"label(role=control-plane)\" }}\n  workers: {{ select: \"label(role=worker)\" }}\n"
        );
        let all: Vec<HostName> = simulated_hosts.iter().map(|host| host.name.clone()).collect();
        let control_planes = all[..control_planes].to_vec();
        Self { simulated, inventory, hosts: all, control_planes, epoch, runs: 0, adopt: None }
    }

    /// Commands that hold this text fail on this host.
    pub(crate) fn breaks(&self, host: &str, text: &str) {
        self.simulated.tell(SimulatedCommand {
            hosts: vec![host.to_owned()],
            text: text.to_owned(),
            exit: 3,
            stdout: String::new(),
            stderr: "no space left".to_owned(),
            takes: rollbook::value::Duration::from_secs(1),
            creates: None,
            needs: None,
            installs: Vec::new(),
        });
    }

    pub(crate) fn pools(&self) -> (Rc<Pool>, Rc<Pool>) {
        let target = |host: &HostName| Target {
            host: host.clone(),
            address: format!("{host}.example"),
            connection: Connection::default(),
            r#become: Become::Sudo,
        };
        let pool = |hosts: &[HostName]| {
            Rc::new(Pool::new(Rc::new(self.simulated.clone()), hosts.iter().map(target)))
        };
        let controller = HostName::parse("controller").unwrap();
        (pool(&self.hosts), pool(&[controller]))
    }

    /// Plans the shipped upgrade.
    pub(crate) async fn plan(&self, target: &str) -> Result<Plan, String> {
        let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/kubeadm-upgrade.yaml");
        self.plan_of(&std::fs::read_to_string(path).unwrap(), &[("target", target)]).await
    }

    /// Plans a runbook, which may include the shipped fragments.
    pub(crate) async fn plan_of(&self, runbook: &str, params: &[(&str, &str)]) -> Result<Plan, String> {
        let (runbook, inventory, values) = self.read(runbook, params);
        let (pool, controller) = self.pools();
        let cx = KubeCx {
            kubeconfig: "/etc/kubernetes/admin.conf".to_owned(),
            context: String::new(),
            request_timeout: rollbook::value::Duration::from_secs(30),
            r#become: true,
        };
        let kube = Some((&cx, self.control_planes.as_slice()));
        let found = gather_facts(&pool, &controller, &self.hosts, Depth::Facts, kube, &mut |_, _| {}).await;
        let cluster = found.cluster.as_ref().and_then(|cluster| cluster.as_ref().ok());
        let mut diagnostics = Diagnostics::default();
        let input = CompileInput {
            runbook: &runbook,
            inventory: &inventory,
            params: &values,
            limit: None,
            overrides: Overrides { adopt: self.adopt.as_deref(), ..Overrides::default() },
            knowledge: Knowledge::Live { hosts: &found.hosts, cluster },
        };
        let plan = compile(&input, &mut diagnostics);
        let plan = plan.ok_or_else(|| format!("{:?}", diagnostics.items()))?;
        let (mut plan, failed) =
            forecast_plan(plan, &pool, &controller, Redactor::default(), &mut |_, _| {}).await;
        assert!(failed.is_empty(), "{failed:?}");
        settle_outage(&mut plan, cluster, &mut diagnostics);
        if diagnostics.has_errors() {
            Err(diagnostics.render(&SourceMap::default(), false))
        } else {
            Ok(plan)
        }
    }

    fn read(
        &self,
        runbook: &str,
        params: &[(&str, &str)],
    ) -> (Runbook, Inventory, IndexMap<String, rollbook::value::Value>) {
        let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let file = sources.add(root.join("test.yaml"), runbook.to_owned());
        let runbook = rollbook::runbook::parse(&mut sources, file, &Shipped, &mut diagnostics);
        let file = sources.add("inventory.yaml", self.inventory.clone());
        let tree = rollbook::source::parse(&sources, file, Limits::default(), &mut diagnostics);
        let inventory = tree.and_then(|tree| rollbook::inventory::parse(&tree, &mut diagnostics));
        let (Some(runbook), Some(inventory)) = (runbook, inventory) else {
            panic!("{:?}", diagnostics.items());
        };
        let flags = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let from = ParamSources { inventory: Some(&inventory), files: Vec::new(), flags, incomplete: false };
        let values = resolve_params(&runbook, &from, &mut diagnostics);
        let values = values.unwrap_or_else(|| panic!("{:?}", diagnostics.items()));
        (runbook, inventory, values)
    }

    /// Runs a command on a host as root, as somebody would who logs in.
    pub(crate) async fn by_hand(&mut self, host: &str, line: &str) {
        self.runs += 1;
        let (pool, _) = self.pools();
        let session = pool.session(&HostName::parse(host).unwrap()).await.unwrap();
        let timeout = rollbook::value::Duration::from_secs(3600);
        let op = Op { r#become: true, timeout, ..Op::exec(line, line.split(' ')) };
        let id = LaunchId { run: format!("by-hand-{}", self.runs), op: "0".to_owned() };
        let result = session.launch(&Launch { id, op: &op, over: &[] }, &mut Unheard).await.unwrap();
        assert_eq!(result.exit, Exit::Code(0), "{line}: {}{}", result.stdout, result.stderr);
    }

    /// What a run of this plan needs: no record, nobody who is told, and nobody who stops it.
    pub(crate) fn setup(&self, plan: &Rc<Plan>) -> Setup {
        let (pool, controller) = self.pools();
        let (_, stops) = tokio::sync::mpsc::unbounded_channel();
        Setup {
            plan: Rc::clone(plan),
            digest: digest(&bytes(plan)),
            run: "run".to_owned(),
            pool,
            controller,
            record: Box::new(()),
            run_dir: None,
            reporters: Vec::new(),
            deadline: None,
            secrets: Secrets::none(),
            past: None,
            machine: String::new(),
            in_doubt: InDoubt::Leave,
            lock: None,
            over: Vec::new(),
            approver: Rc::new(Always),
            clock: Clock::starting_at(Timestamp(
                self.epoch.0 + i64::try_from(self.simulated.elapsed().as_millis()).unwrap(),
            )),
            stops,
        }
    }

    /// Rolls a plan that anybody may have written, to its end or to an event that cannot be.
    pub(crate) async fn rolls(&mut self, plan: Plan) {
        let plan = Rc::new(plan);
        if let Ok(history) = roll(self.setup(&plan)).await {
            drop(Summary::of(&plan, &history).text(&plan));
        }
    }

    /// Rolls a plan to its end.
    pub(crate) async fn roll(&mut self, plan: Plan) -> Rolled {
        self.runs += 1;
        let (plan, told) = (Rc::new(plan), Shared::default());
        let setup = Setup {
            run: format!("run-{}", self.runs),
            reporters: vec![Box::new(Plain::new(told.clone(), Verbosity::Changes))],
            ..self.setup(&plan)
        };
        let history = roll(setup).await.unwrap();
        let summary = Summary::of(&plan, &history);
        let told = String::from_utf8(told.0.take()).unwrap() + &summary.text(&plan);
        let events: Vec<_> =
            history.events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        assert_eq!(unannounced(&serde_json::to_value(&*plan).unwrap(), &events), [""; 0], "{told}");
        Rolled { code: summary.exit_code().into(), events: history.events, told }
    }
}

impl Rolled {
    /// Hosts that were said to go out of service, in order.
    pub(crate) fn out_of_service(&self) -> Vec<&str> {
        let lines = self.told.lines().filter(|line| line.ends_with("goes out of service"));
        lines.filter_map(|line| line.split_whitespace().nth(1)).collect()
    }
}

/// A plan as people see it.
pub(crate) fn shown(plan: &Plan) -> String {
    let expected = Expected::of(plan, &StepTimes::default(), None);
    text(plan, "sha256:test", PlanStyle { detail: Detail::Normal, color: false }, &expected)
}

/// Refusals of a plan: host, reason.
pub(crate) fn refusals(plan: &Plan) -> Vec<(String, String)> {
    let refusals = forecast::refusals(plan).into_iter();
    refusals.map(|(task, reason, _)| (plan.host(task.host).name.to_string(), reason.to_owned())).collect()
}

/// Runs a story on a paused clock.
pub(crate) fn story<F: Future>(story: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(story)
}

struct Shipped;

impl FileReader for Shipped {
    fn read(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        let wanted = from.parent().unwrap().join(path);
        let text = std::fs::read_to_string(&wanted).map_err(|error| error.to_string())?;
        Ok((wanted, text))
    }
}

/// A person who says yes to everything.
pub(crate) struct Always;

#[async_trait(?Send)]
impl Approver for Always {
    async fn ask(&self, _: &Question) -> ApprovalAnswer {
        ApprovalAnswer::Yes { by: "ops".to_owned() }
    }
}

struct Unheard;

impl OutputSink for Unheard {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}

#[derive(Clone, Default)]
pub(crate) struct Shared(Rc<RefCell<Vec<u8>>>);

impl Shared {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
