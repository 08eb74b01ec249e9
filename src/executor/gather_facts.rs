//! Looks before a plan is made: facts of every host and of the cluster, then what the plan's probes say. Reads only.

use crate::kubernetes::KubeCx;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::context::Shared;
use super::drift::check_host;
use super::forbidden::{ASK_AGAIN, RefusalVerdict, Refusals, STARTING, refusal, review, reviews, standings};
use super::look::{ClusterAnswers, ask, controller_name, look, look_for_all, look_knowing, told, unreadable};
use super::single_flight::SingleFlight;
use super::{Clock, Pool, Redactor, Secrets};
use crate::engine::Failure;
use crate::facts::{
    ClusterFacts, HostFacts, RecordedBudget, RecordedCluster, RecordedPod, Recording, cluster_probe,
    host_probe, identity_probe, parse_cluster, parse_host, parse_identity, parse_workloads, workloads_probe,
};
use crate::inventory::HostName;
use crate::kubernetes::rights::{Right, RightState};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::plan::forecast::Outlook;
use crate::plan::{ActionId, HostId, Plan, StepRef, TaskId, Warning, forecast, lookahead};
use crate::step::Assessment;
use crate::value::{Duration, Timestamp};

/// Hosts looked at at the same time.
const AT_ONCE: usize = 32;

/// What was read.
#[derive(Debug, Default)]
pub struct Survey {
    /// Facts by host.
    pub hosts: BTreeMap<HostName, HostFacts>,
    /// Hosts that could not be read, and why.
    pub failed: BTreeMap<HostName, Failure>,
    /// The cluster, or why it could not be read; `None` where there is none to ask.
    pub cluster: Option<Result<ClusterFacts, Failure>>,
}

/// How much of a host is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every fact: a dozen programs run on the host.
    Facts,
    /// Which machine it is. The other facts stay empty.
    Identity,
}

/// Called with "so many of so many hosts" while a survey runs.
pub type SurveyProgress<'p> = &'p mut dyn FnMut(usize, usize);

/// Reads these hosts, and of the cluster through the first of `via` that answers.
pub async fn gather_facts(
    pool: &Rc<Pool>,
    controller: &Rc<Pool>,
    hosts: &[HostName],
    depth: Depth,
    kube: Option<(&KubeCx, &[HostName])>,
    progress: SurveyProgress<'_>,
) -> Survey {
    let mut found = Survey::default();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let permits = Rc::new(Semaphore::new(AT_ONCE));
            let mut looks = JoinSet::new();
            for host in hosts.iter().cloned() {
                let (pool, permits) = (Rc::clone(pool), Rc::clone(&permits));
                looks.spawn_local(async move {
                    let _permit = permits.acquire().await.expect("invariant: nobody closes the semaphore");
                    let facts = host_facts(&pool, &host, depth).await;
                    (host, facts)
                });
            }
            while let Some(look) = looks.join_next().await {
                match look.expect("invariant: a look does not panic") {
                    (host, Ok(facts)) => drop(found.hosts.insert(host, facts)),
                    (host, Err(failure)) => drop(found.failed.insert(host, failure)),
                }
                progress(found.hosts.len() + found.failed.len(), hosts.len());
            }
            if let Some((cx, via)) = kube {
                found.cluster = Some(cluster_facts(pool, controller, cx, via).await);
            }
        })
        .await;
    found
}

async fn host_facts(pool: &Pool, host: &HostName, depth: Depth) -> Result<HostFacts, Failure> {
    let limit = Duration::from_secs(60);
    let facts = match depth {
        Depth::Facts => parse_host(&ask(pool, host, &host_probe(limit)).await?),
        Depth::Identity => parse_identity(&ask(pool, host, &identity_probe(limit)).await?),
    };
    facts.map_err(unreadable)
}

pub(super) async fn cluster_facts(
    pool: &Pool,
    controller: &Pool,
    cx: &KubeCx,
    via: &[HostName],
) -> Result<ClusterFacts, Failure> {
    let answers = ask_first(pool, controller, cx, &cluster_probe(cx), via).await?;
    parse_cluster(&answers).map_err(unreadable)
}

/// Asks through the first of `via` that answers well, or on the controller where there are none.
async fn ask_first(
    pool: &Pool,
    controller: &Pool,
    cx: &KubeCx,
    probe: &Probe,
    via: &[HostName],
) -> Result<Vec<ProbeOutput>, Failure> {
    let here = [controller_name()];
    let (pool, via) = if via.is_empty() { (controller, &here[..]) } else { (pool, via) };
    let mut refusals = Refusals::default();
    loop {
        let (host, answers) = ask_each(pool, probe, via).await?;
        let Some(stderr) = refusal(probe, &answers) else { return Ok(answers) };
        let standing = review(cx, stderr, async |probe| ask(pool, host, &probe).await.ok()).await;
        match refusals.weigh(standing, stderr) {
            RefusalVerdict::Stands => return Ok(answers),
            RefusalVerdict::Over(failure) => return Err(failure),
            RefusalVerdict::Again { pause, .. } => tokio::time::sleep(pause.to_std()).await,
        }
    }
}

/// Asks the cluster through one host, and again while its API server starts.
pub async fn ask_through(
    pool: &Pool,
    host: &HostName,
    cx: &KubeCx,
    probe: &Probe,
) -> Result<Vec<ProbeOutput>, Failure> {
    ask_first(pool, pool, cx, probe, std::slice::from_ref(host)).await
}

/// The first good answers, or the last ones, with the host that gave them.
async fn ask_each<'h>(
    pool: &Pool,
    probe: &Probe,
    via: &'h [HostName],
) -> Result<(&'h HostName, Vec<ProbeOutput>), Failure> {
    let mut outcome = None;
    for host in via {
        let asked = ask(pool, host, probe).await;
        let is_good = asked.as_ref().is_ok_and(|answers| answers.iter().all(ProbeOutput::ok));
        outcome = Some(asked.map(|answers| (host, answers)));
        if is_good {
            break;
        }
    }
    outcome.expect("invariant: one place at least was asked")
}

/// Reads hosts and cluster for a file from which a rehearsal begins. Hosts that could not be read are given back with it.
pub async fn record(
    pool: &Rc<Pool>,
    controller: &Rc<Pool>,
    hosts: &[HostName],
    kube: Option<(&KubeCx, &[HostName])>,
) -> (Result<Recording, Failure>, BTreeMap<HostName, Failure>) {
    let found = gather_facts(pool, controller, hosts, Depth::Facts, kube, &mut |_, _| {}).await;
    let cluster = match (found.cluster, kube) {
        (Some(Ok(facts)), Some((cx, via))) => workloads(pool, controller, cx, via)
            .await
            .map(|(pods, budgets)| Some(RecordedCluster { facts, pods, budgets })),
        (Some(Err(failure)), _) => Err(failure),
        _ => Ok(None),
    };
    let hosts = found.hosts.into_iter().map(|(host, facts)| (host.as_str().to_owned(), facts)).collect();
    (cluster.map(|cluster| Recording::new(hosts, cluster)), found.failed)
}

async fn workloads(
    pool: &Pool,
    controller: &Pool,
    cx: &KubeCx,
    via: &[HostName],
) -> Result<(Vec<RecordedPod>, Vec<RecordedBudget>), Failure> {
    let answers = ask_first(pool, controller, cx, &workloads_probe(cx), via).await?;
    parse_workloads(&answers).map_err(unreadable)
}

/// Which of these rights the account of a plan's kubeconfig has not, by its own reviews. What cannot be asked is not
/// missing: the op that needs it tells.
pub async fn missing_rights(plan: &Plan, rights: &[Right], pool: &Pool, controller: &Pool) -> Vec<Right> {
    let Some(kube) = plan.kube.as_ref().filter(|_| !rights.is_empty()) else { return Vec::new() };
    let here = [controller_name()];
    let names: Vec<HostName> = kube.hosts.iter().map(|host| plan.host(*host).name.clone()).collect();
    let (pool, via) = if names.is_empty() { (controller, &here[..]) } else { (pool, &names[..]) };
    let (probe, began) = (reviews(&kube.cx, rights), Instant::now());
    let mut before = None;
    loop {
        let Ok((_, answers)) = ask_each(pool, &probe, via).await else { return Vec::new() };
        let standings = standings(&answers);
        let is_starting = standings.contains(&RightState::Starting);
        let missing = rights.iter().zip(&standings).filter(|(_, standing)| **standing == RightState::Missing);
        let missing: Vec<Right> = missing.map(|(right, _)| right.clone()).collect();
        // A server that has read a part of its rules may say so, wrongly, once.
        let is_sure = before.as_ref() == Some(&missing) || missing.is_empty();
        if (is_sure && !is_starting) || began.elapsed() >= STARTING.to_std() {
            return missing;
        }
        before = Some(missing);
        tokio::time::sleep(ASK_AGAIN.to_std()).await;
    }
}

/// Sends every probe of a plan, host by host, and fills in its forecasts. Hosts that cannot be read are given back.
pub async fn forecast_plan(
    plan: Plan,
    pool: &Rc<Pool>,
    controller: &Rc<Pool>,
    redactor: Redactor,
    progress: SurveyProgress<'_>,
) -> (Plan, BTreeMap<HostName, Failure>) {
    let shared = without_a_run(Rc::new(plan), pool, controller, redactor);
    let (found, failed) = tokio::task::LocalSet::new().run_until(assess_all(&shared, progress)).await;
    let shared = Rc::into_inner(shared).expect("invariant: every look has ended");
    let mut plan = Rc::into_inner(shared.plan).expect("invariant: every look has ended");
    let lame = shared.lame.into_inner();
    // What a run sends without a look before goes to the others first, too.
    plan.kube.iter_mut().for_each(|kube| kube.hosts.sort_by_key(|host| lame.contains_key(host)));
    for (host, why) in lame {
        let name = &plan.host(host).name;
        let message = format!("kubectl cannot be used on {name}: {why}");
        let hint = format!(
            "other hosts of `kube.via` are asked in its place; mend it on {name}, or leave it out there"
        );
        plan.warnings.push(Warning { message, hint });
    }
    forecast::fill(&mut plan, found.iter().map(|(host, outlooks)| (*host, outlooks.as_slice())));
    (plan, failed)
}

/// Hosts of a saved plan that are not what it saw any more, and those that cannot be read, in the plan's order.
pub async fn changed_since(
    plan: &Plan,
    pool: &Rc<Pool>,
    controller: &Rc<Pool>,
    redactor: Redactor,
) -> Vec<(HostName, Failure)> {
    let shared = without_a_run(Rc::new(plan.clone()), pool, controller, redactor);
    let check = |shared: Rc<Shared>, host| async move { check_host(&shared, host, 0).await };
    let checked = tokio::task::LocalSet::new().run_until(each_host(&shared, check, &mut |_, _| {})).await;
    let failed = checked.into_iter().filter_map(|(host, result)| Some((host, result.err()?)));
    failed.map(|(host, failure)| (shared.name(host).clone(), failure)).collect()
}

/// Asks for root where a step needs it: `sudo` that asks for a password is told by day, not by the run at night.
fn root_probe() -> Probe {
    let argv = ["id", "-u"].map(str::to_owned).to_vec();
    let queries = vec![Query { argv, ..Query::default() }];
    Probe { site: Site::Subject, queries, r#become: true, timeout: Duration::from_secs(20) }
}

fn needs_root(plan: &Plan, host: HostId) -> bool {
    let tasks = plan.phases.iter().filter_map(|phase| phase.tasks_of(host)).flat_map(|tasks| &tasks.tasks);
    let mut lowered = tasks.filter(|task| !task.forecast.is_left_out()).filter_map(|task| match task.step {
        StepRef::Action(id) => Some(&plan.action(id).lowered),
        StepRef::Deferred(_) => None,
    });
    lowered.any(|lowered| lowered.ops.iter().any(|op| op.r#become && op.site == Site::Subject))
}

/// What looks share that belong to no run: whatever carries a run's id in the cluster is somebody else's.
fn without_a_run(plan: Rc<Plan>, pool: &Rc<Pool>, controller: &Rc<Pool>, redactor: Redactor) -> Rc<Shared> {
    Rc::new(Shared {
        plan,
        run: "none".to_owned(),
        started: String::new(),
        pool: Rc::clone(pool),
        controller: Rc::clone(controller),
        redactor: Rc::new(redactor),
        secrets: Rc::new(Secrets::none()),
        output: None,
        listener: None,
        clock: Clock::starting_at(Timestamp::default()),
        approver: Rc::new(super::Nobody),
        stop: tokio::sync::watch::Sender::new(None),
        hurried: tokio::sync::watch::Sender::new(false),
        in_doubt: super::InDoubt::Leave,
        lock: None,
        over: Vec::new(),
        moved: false,
        event_sender: super::context::EventSender::unheard(),
        cluster_is_silent: std::cell::Cell::new(false),
        patient: false,
        silent: RefCell::default(),
        lame: RefCell::default(),
        busy: RefCell::default(),
        membership: RefCell::default(),
        common: SingleFlight::default(),
    })
}

type Assessed = Vec<(HostId, Vec<(TaskId, Outlook)>)>;

async fn assess_all(
    shared: &Rc<Shared>,
    progress: SurveyProgress<'_>,
) -> (Assessed, BTreeMap<HostName, Failure>) {
    // A thousand hosts that each list a thousand nodes would keep a control plane busy for minutes.
    let known = Rc::new(KnownToAll::look(shared).await);
    let assess = |shared: Rc<Shared>, host| {
        let known = Rc::clone(&known);
        async move { assess_host(&shared, host, &known).await }
    };
    let (mut found, mut failed) = (Vec::new(), BTreeMap::new());
    for (host, assessed) in each_host(shared, assess, progress).await {
        match assessed {
            Ok(outlooks) => found.push((host, outlooks)),
            Err(failure) => drop(failed.insert(shared.name(host).clone(), failure)),
        }
    }
    (found, failed)
}

/// Looks at every host of the plan, some at the same time; the results in the plan's order.
async fn each_host<T: 'static, L>(
    shared: &Rc<Shared>,
    look: impl Fn(Rc<Shared>, HostId) -> L,
    progress: SurveyProgress<'_>,
) -> BTreeMap<HostId, Result<T, Failure>>
where
    L: Future<Output = Result<T, Failure>> + 'static,
{
    let permits = Rc::new(Semaphore::new(AT_ONCE));
    let mut looks = JoinSet::new();
    let total = shared.plan.hosts.len();
    for index in 0..total {
        let host = HostId(u32::try_from(index).expect("invariant: fewer than 2^32 hosts"));
        let permits = Rc::clone(&permits);
        let look = look(Rc::clone(shared), host);
        looks.spawn_local(async move {
            let _permit = permits.acquire().await.expect("invariant: nobody closes the semaphore");
            (host, look.await)
        });
    }
    let mut results = BTreeMap::new();
    while let Some(look) = looks.join_next().await {
        let (host, result) = look.expect("invariant: a look does not panic");
        results.insert(host, result);
        progress(results.len(), total);
    }
    results
}

/// Every probe of a plan that is sent for a host at least, each once, with the first task that sends it.
fn distinct_probes(plan: &Plan) -> Vec<(TaskId, &Probe)> {
    let mut seen = HashSet::new();
    let mut probes = Vec::new();
    for host in (0..).map(HostId).take(plan.hosts.len()) {
        // Hosts share actions, and so the very same probe.
        let is_new = |(_, probe): &(TaskId, &Probe)| seen.insert(std::ptr::from_ref(*probe));
        probes.extend(forecast::probes(plan, host).into_iter().filter(is_new));
    }
    probes
}

/// What the cluster says on behalf of whichever host.
struct KnownToAll {
    answers: ClusterAnswers,
    /// What the answers mean to actions that ask nothing else: read once, and not for each of a thousand hosts.
    meanings: HashMap<ActionId, Assessment>,
}

impl KnownToAll {
    async fn look(shared: &Shared) -> Self {
        let plan = &shared.plan;
        let probes = distinct_probes(plan);
        let only: Vec<_> = probes.iter().map(|(_, probe)| *probe).collect();
        let answers = look_for_all(shared, HostId(0), &only).await;
        let meaning = |(task, probe): (TaskId, &Probe)| {
            let answers = probe.is_same_for_every_host().then(|| told(&answers, probe))??;
            Some((action_of(plan, task)?, forecast::assess(plan, task, &answers)))
        };
        let meanings = probes.into_iter().filter_map(meaning).collect();
        Self { answers, meanings }
    }

    fn meaning(&self, plan: &Plan, task: TaskId) -> Option<&Assessment> {
        self.meanings.get(&action_of(plan, task)?)
    }
}

fn action_of(plan: &Plan, task: TaskId) -> Option<ActionId> {
    match plan.task(task).step {
        StepRef::Action(action) => Some(action),
        StepRef::Deferred(_) => None,
    }
}

/// Two round trips at most: the second one only where a repository would be switched.
async fn assess_host(
    shared: &Shared,
    host: HostId,
    known: &KnownToAll,
) -> Result<Vec<(TaskId, Outlook)>, Failure> {
    let plan = &shared.plan;
    let probes = forecast::probes(plan, host);
    let root = needs_root(plan, host).then(root_probe);
    if probes.is_empty() && root.is_none() {
        return Ok(Vec::new());
    }
    let asked = probes.iter().filter(|(task, _)| known.meaning(plan, *task).is_none());
    let asked: Vec<_> = asked.map(|(_, probe)| *probe).chain(&root).collect();
    let mut answers = look_knowing(shared, host, &asked, &known.answers).await?.into_iter();
    let mut refused = Vec::new();
    let assess = |(task, _): &(TaskId, &Probe)| {
        let assessment = known.meaning(plan, *task).cloned().unwrap_or_else(|| {
            let answers = answers.next().expect("invariant: every probe that is asked has its answers");
            let assessment = forecast::assess(plan, *task, &answers);
            if matches!(assessment, Assessment::Refused { .. }) {
                refused.push((*task, answers));
            }
            assessment
        });
        (*task, Outlook::Now(assessment))
    };
    let mut outlooks: Vec<_> = probes.iter().map(assess).collect();
    lookahead::settle(plan, host, &refused, &mut outlooks);
    if let Some(ahead) = lookahead::of(plan, host, &outlooks) {
        let answers = look(shared, host, &[&ahead.probe]).await?;
        ahead.apply(plan, answers.first().map_or(&[][..], Vec::as_slice), &mut outlooks);
    }
    Ok(outlooks)
}
