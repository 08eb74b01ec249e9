//! Sends probes and brings the answers back in order: queries for the same place travel in one round trip, and a
//! cluster that does not answer for a while is asked again.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use tokio::time::{Instant, sleep};

use super::context::Shared;
use super::forbidden::{RefusalVerdict, Refusals, weigh};
use super::reconnect::ask_host;
use super::same_cluster::own_node;
use super::{Pool, PoolError};
use crate::engine::{Cause, Failure};
use crate::facts::FactsError;
use crate::inventory::HostName;
use crate::kubernetes::kubectl_errors::{KubectlError, causes};
use crate::op::{Probe, ProbeOutput, Query, Site, resolve_symbols, symbol_words, unescaped_symbols};
use crate::plan::{HostId, PlannedHost};
use crate::transport::{Session, SessionError};
use crate::value::{Duration, escape};

/// Whether kubectl failed because the API server did not answer. Nothing is wrong with any host then.
pub(super) fn api_is_silent(rc: i32, stderr: &str) -> bool {
    rc != 0 && causes(stderr).first() == Some(&KubectlError::ApiAway)
}

/// What kubectl said of an API server that did not answer, where one of these answers is of that kind.
pub(super) fn api_away<'a>(probe: &Probe, answers: &'a [ProbeOutput]) -> Option<&'a str> {
    let mut asked = probe.queries.iter().zip(answers);
    let is_silent =
        |(query, answer): &(&Query, &ProbeOutput)| query.asks_api && api_is_silent(answer.rc, &answer.stderr);
    asked.find(is_silent).map(|(_, answer)| answer.stderr.as_str())
}

/// Why kubectl cannot be used where one of these answers comes from: it is missing, or cannot use its kubeconfig.
fn lameness(probe: &Probe, answers: &[ProbeOutput]) -> Option<String> {
    let mut asked = probe.queries.iter().zip(answers).filter(|(query, _)| query.asks_api);
    asked.find_map(|(_, answer)| why_lame(answer))
}

/// Likewise, of one answer of kubectl.
pub(super) fn why_lame(answer: &ProbeOutput) -> Option<String> {
    let cannot = answer.rc != 0 && causes(&answer.stderr).first() == Some(&KubectlError::Kubeconfig);
    let said = escape(answer.stderr.trim());
    match answer.rc {
        127 => Some(format!("there is no kubectl: {said}")),
        _ if cannot => Some(format!("kubectl cannot use its kubeconfig: {said}")),
        _ => None,
    }
}

/// Facts that make no sense, as a failure of whoever was asked.
#[expect(clippy::needless_pass_by_value, reason = "stands behind `map_err`")]
pub(super) fn unreadable(error: FactsError) -> Failure {
    Failure { cause: Cause::Output, message: error.to_string(), hint: String::new() }
}

/// The host on whose behalf something is looked at.
pub(super) fn subject_value(host: &PlannedHost, symbol: &str) -> Option<String> {
    match symbol {
        "subject:host" => Some(host.name.as_str().to_owned()),
        "subject:node" => host.subject.node.clone(),
        _ => None,
    }
}

/// Looks at a host and, where queries say so, at the cluster and the controller. One answer per query, in order.
pub(super) async fn look(
    shared: &Shared,
    host: HostId,
    probes: &[&Probe],
) -> Result<Vec<Vec<ProbeOutput>>, Failure> {
    look_knowing(shared, host, probes, &ClusterAnswers::default()).await
}

/// The same, and a cluster that does not answer is asked again for this long.
pub(super) async fn look_within(
    shared: &Shared,
    host: HostId,
    probes: &[&Probe],
    within: Duration,
) -> Result<Vec<Vec<ProbeOutput>>, Failure> {
    look_knowing_within(shared, host, probes, &ClusterAnswers::default(), within).await
}

/// How long a cluster that does not answer is asked again.
pub(super) fn retry_for(shared: &Shared) -> Duration {
    shared.plan.kube.as_ref().map_or(Duration::ZERO, |kube| kube.retry_for)
}

/// What the cluster answered to questions that are the same on behalf of every host. Each says itself where it runs
/// and by which right.
pub(super) type ClusterAnswers = HashMap<Query, ProbeOutput>;

/// The same, without asking what is known.
pub(super) async fn look_knowing(
    shared: &Shared,
    host: HostId,
    probes: &[&Probe],
    known: &ClusterAnswers,
) -> Result<Vec<Vec<ProbeOutput>>, Failure> {
    look_knowing_within(shared, host, probes, known, retry_for(shared)).await
}

async fn look_knowing_within(
    shared: &Shared,
    host: HostId,
    probes: &[&Probe],
    known: &ClusterAnswers,
    within: Duration,
) -> Result<Vec<Vec<ProbeOutput>>, Failure> {
    let told_of = |probe: &&Probe| {
        let each = probe.queries.iter().map(|query| told_one(known, probe, query).cloned());
        each.collect::<Vec<_>>()
    };
    let mut answers: Vec<Vec<Option<ProbeOutput>>> = probes.iter().map(told_of).collect();
    let jobs = group(shared, host, probes, |probe, query| answers[probe][query].is_none());
    for job in jobs {
        let got = match job.probe.site {
            Site::Subject => ask_host(shared, shared.name(host), &job.probe).await?,
            Site::Controller => ask(&shared.controller, &controller_name(), &job.probe).await?,
            Site::Kube => ask_cluster(shared, host, &job.probe, within).await?,
        };
        for (((probe, query), answer), asked) in job.places.into_iter().zip(got).zip(&job.probe.queries) {
            own_node(shared, host, asked, &answer)?;
            let ProbeOutput { rc, stdout, stderr } = answer;
            let (stdout, stderr) = (shared.redactor.clipped(stdout), shared.redactor.clipped(stderr));
            answers[probe][query] = Some(ProbeOutput { rc, stdout, stderr });
        }
    }
    // A session gives one answer per query.
    let whole =
        |answers: Vec<Option<ProbeOutput>>| answers.into_iter().map(Option::unwrap_or_default).collect();
    Ok(answers.into_iter().map(whole).collect())
}

/// The answers to every query of a probe, where all are known.
pub(super) fn told(known: &ClusterAnswers, probe: &Probe) -> Option<Vec<ProbeOutput>> {
    probe.queries.iter().map(|query| told_one(known, probe, query).cloned()).collect()
}

fn told_one<'k>(known: &'k ClusterAnswers, probe: &Probe, query: &Query) -> Option<&'k ProbeOutput> {
    if known.is_empty() || query.holds_symbols() { None } else { known.get(&whole(probe, query)) }
}

/// A query that says itself where it runs and by which right.
fn whole(probe: &Probe, query: &Query) -> Query {
    Query {
        site: Some(query.site.unwrap_or(probe.site)),
        r#become: Some(query.r#become.unwrap_or(probe.r#become)),
        ..query.clone()
    }
}

/// Asks the cluster once what these probes ask of it on behalf of whichever host. A cluster that does not answer is
/// left to be asked again: each host then fails in its own words.
pub(super) async fn look_for_all(shared: &Shared, host: HostId, probes: &[&Probe]) -> ClusterAnswers {
    let mut seen = HashSet::new();
    let mut is_common = |query: &Query| {
        query.site == Some(Site::Kube) && !query.holds_symbols() && seen.insert(query.clone())
    };
    let mut common = Vec::new();
    for probe in probes {
        let queries = probe.queries.iter().map(|query| whole(probe, query)).filter(&mut is_common).collect();
        common.push(Probe { queries, ..(*probe).clone() });
    }
    let asked: Vec<&Probe> = common.iter().collect();
    let Ok(answers) = look(shared, host, &asked).await else { return ClusterAnswers::default() };
    let queries = common.iter().flat_map(|probe| probe.queries.iter().cloned());
    queries.zip(answers.into_iter().flatten()).collect()
}

/// Queries that travel together, and where their answers belong.
struct ProbeGroup {
    probe: Probe,
    places: Vec<(usize, usize)>,
}

fn group(
    shared: &Shared,
    host: HostId,
    probes: &[&Probe],
    wanted: impl Fn(usize, usize) -> bool,
) -> Vec<ProbeGroup> {
    let mut jobs: Vec<ProbeGroup> = Vec::new();
    for (probe_index, probe) in probes.iter().enumerate() {
        for (query_index, query) in probe.queries.iter().enumerate() {
            if !wanted(probe_index, query_index) {
                continue;
            }
            let site = query.site.unwrap_or(probe.site);
            let r#become = query.r#become.unwrap_or(probe.r#become);
            let query = resolved(shared, host, query);
            let place = (probe_index, query_index);
            match jobs.iter_mut().find(|job| job.probe.site == site && job.probe.r#become == r#become) {
                Some(job) => {
                    job.probe.timeout = job.probe.timeout.max(probe.timeout);
                    job.probe.queries.push(query);
                    job.places.push(place);
                }
                None => jobs.push(ProbeGroup {
                    probe: Probe { site, queries: vec![query], r#become, timeout: probe.timeout },
                    places: vec![place],
                }),
            }
        }
    }
    jobs
}

fn resolved(shared: &Shared, host: HostId, query: &Query) -> Query {
    let resolve = |text: &String| shared.public_text(host, text);
    Query {
        argv: query.argv.iter().map(resolve).collect(),
        stdin: resolve(&query.stdin),
        site: None,
        r#become: None,
        asks_api: query.asks_api,
    }
}

impl Shared {
    /// Text with every symbol that is no secret resolved. Secrets have no business in a probe or in argv.
    pub(super) fn public_text(&self, host: HostId, text: &str) -> String {
        let resolve = |symbol: &str| {
            Ok::<_, std::convert::Infallible>(match symbol {
                "run:id" => self.run.clone(),
                "run:started" => self.started.clone(),
                other => subject_value(self.plan.host(host), other).unwrap_or_default(),
            })
        };
        let Ok(text) = resolve_symbols(text, resolve);
        text
    }

    /// Text for people: the host's own names resolved, words for any other symbol.
    pub(super) fn shown_text(&self, host: HostId, text: &str) -> String {
        let resolve = |symbol: &str| {
            let value = subject_value(self.plan.host(host), symbol);
            Ok::<_, std::convert::Infallible>(value.unwrap_or_else(|| symbol_words(symbol)))
        };
        let Ok(text) = resolve_symbols(&unescaped_symbols(text), resolve);
        text
    }
}

/// The controller is a host of its own pool.
pub fn controller_name() -> HostName {
    HostName::parse("controller").expect("invariant: a good host name")
}

/// One round trip, and a second one on a new connection when the link was lost under the first: probes change nothing.
pub(super) async fn ask(pool: &Pool, host: &HostName, probe: &Probe) -> Result<Vec<ProbeOutput>, Failure> {
    let mut last = None;
    for _ in 0..2 {
        let session = pool.session(host).await.map_err(|error| pool_failure(&error))?;
        match session.probe(probe).await {
            Ok(answers) => return Ok(answers),
            Err(error) => {
                if matches!(error, SessionError::Lost(_)) {
                    pool.forget(host, &session).await;
                }
                let failure = session_failure(host, &error);
                if !matches!(error, SessionError::Lost(_)) {
                    return Err(failure);
                }
                last = Some(failure);
            }
        }
    }
    Err(last.expect("invariant: the loop ends early or with a failure"))
}

/// Between two looks at a cluster that does not answer.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Asks the cluster through a host that kubectl may run on, and asks again while the API is silent.
async fn ask_cluster(
    shared: &Shared,
    subject: HostId,
    probe: &Probe,
    within: Duration,
) -> Result<Vec<ProbeOutput>, Failure> {
    let end = Instant::now() + within.to_std();
    let mut told = false;
    let mut refusals = Refusals::default();
    let mut lame = HashSet::new();
    loop {
        let outcome = match kube_session(shared, subject).await {
            Ok((kube_host, host, session)) => match session.probe(probe).await {
                // Nothing is wrong with the cluster: another control plane may have what this one lacks.
                Ok(answers)
                    if shared.is_lame(kube_host, lameness(probe, &answers)) && lame.insert(kube_host) =>
                {
                    continue;
                }
                Ok(answers) if api_away(probe, &answers).is_none() => {
                    match weigh(shared, &mut refusals, probe, &answers, &*session).await {
                        RefusalVerdict::Stands => {}
                        RefusalVerdict::Over(failure) => return Err(failure),
                        RefusalVerdict::Again { pause, .. } => {
                            told = true;
                            sleep(pause.to_std()).await;
                            continue;
                        }
                    }
                    // That another command was answered tells nothing of a silence that kubectl met.
                    if told || probe.queries.iter().any(|query| query.asks_api) {
                        shared.cluster_answers();
                    }
                    return Ok(answers);
                }
                Ok(answers) => {
                    refusals = Refusals::default();
                    Ok(answers)
                }
                // Nobody was asked: that is no silence, and the link is as it was.
                Err(error @ SessionError::Here(_)) if Instant::now() >= end => {
                    return Err(session_failure(&host, &error));
                }
                Err(SessionError::Here(_)) => {
                    sleep(ASK_AGAIN).await;
                    continue;
                }
                Err(error) => {
                    shared.kube_pool().forget(&host, &session).await;
                    Err(session_failure(&host, &error))
                }
            },
            Err(failure) => Err(failure),
        };
        if Instant::now() >= end {
            return outcome;
        }
        told = true;
        shared.cluster_is_silent(why_silent(probe, &outcome), within);
        sleep(ASK_AGAIN).await;
    }
}

/// In the words of whoever said so.
fn why_silent(probe: &Probe, outcome: &Result<Vec<ProbeOutput>, Failure>) -> String {
    match outcome {
        Ok(answers) => escape(api_away(probe, answers).unwrap_or_default().trim()),
        Err(failure) => failure.message.clone(),
    }
}

impl Shared {
    /// Whether kubectl cannot be used on a host, which is noted, while another one is left to be asked.
    fn is_lame(&self, host: Option<HostId>, why: Option<String>) -> bool {
        let (Some(host), Some(why)) = (host, why) else { return false };
        let mut lame = self.lame.borrow_mut();
        lame.insert(host, why);
        lame.len() < self.plan.kube.as_ref().map_or(0, |kube| kube.hosts.len())
    }

    /// The pool of the hosts that kubectl runs on.
    pub(super) fn kube_pool(&self) -> &Pool {
        let on_hosts = self.plan.kube.as_ref().is_some_and(|kube| !kube.hosts.is_empty());
        if on_hosts { &self.pool } else { &self.controller }
    }
}

/// The same, asked for again while no host can be reached that kubectl may run on: nothing is wrong with the host that
/// something is about to be done to.
pub(super) async fn await_kube_session(
    shared: &Shared,
    subject: HostId,
) -> Result<(Option<HostId>, HostName, Rc<dyn Session>), Failure> {
    let retry_for = retry_for(shared);
    let end = Instant::now() + retry_for.to_std();
    loop {
        let failure = match kube_session(shared, subject).await {
            Ok(place) => return Ok(place),
            Err(failure) => failure,
        };
        if !shared.patient || Instant::now() >= end {
            return Err(failure);
        }
        shared.cluster_is_silent(failure.message, retry_for);
        sleep(ASK_AGAIN).await;
    }
}

/// A session where kubectl runs: a control plane that is not being worked on, if one can be reached.
pub(super) async fn kube_session(
    shared: &Shared,
    subject: HostId,
) -> Result<(Option<HostId>, HostName, Rc<dyn Session>), Failure> {
    let Some(kube) = &shared.plan.kube else {
        let message = "the runbook has no `kube:`, so there is no kubectl to ask".to_owned();
        return Err(Failure {
            cause: Cause::Refused,
            message,
            hint: "add `kube: { via: control_plane }`".to_owned(),
        });
    };
    if kube.hosts.is_empty() {
        let name = controller_name();
        let session = shared.controller.session(&name).await.map_err(|error| pool_failure(&error))?;
        return Ok((None, name, session));
    }
    let (busy, lame) = (shared.busy.borrow().clone(), shared.lame.borrow().clone());
    let mut candidates: Vec<HostId> = kube.hosts.clone();
    // A host being worked on may lose its API server, sshd or power at any moment; the subject most of all.
    candidates.sort_by_key(|host| (lame.contains_key(host), busy.contains(host), *host == subject));
    let mut first_failure = None;
    for candidate in candidates {
        match shared.pool.session(shared.name(candidate)).await {
            Ok(session) => return Ok((Some(candidate), shared.name(candidate).clone(), session)),
            Err(error) => {
                first_failure.get_or_insert_with(|| pool_failure(&error));
            }
        }
    }
    Err(first_failure.expect("invariant: kube has at least one host"))
}

/// Why a pool gave no session, as a failure.
pub(super) fn pool_failure(error: &PoolError) -> Failure {
    let (cause, hint) = match error.last() {
        PoolError::Connect(crate::transport::ConnectError::HostKey { .. }) => {
            (Cause::Unreachable, "check the key, then add it with `ssh-keyscan` or log in once by hand")
        }
        PoolError::Connect(crate::transport::ConnectError::File { .. }) => {
            (Cause::Unreachable, "correct the path in the inventory, or put the file there")
        }
        PoolError::Connect(crate::transport::ConnectError::Here { .. }) => (Cause::Command, HERE_HINT),
        PoolError::Connect(_) => {
            (Cause::Unreachable, "try `ssh` by hand with the same user; `rollbook doctor` tells more")
        }
        PoolError::OtherMachine { .. } => {
            (Cause::Identity, "check the addresses in the inventory, then plan again")
        }
        PoolError::Session { error: SessionError::Here(_), .. } => (Cause::Command, HERE_HINT),
        PoolError::Session { error: SessionError::Privilege(_), .. } => (Cause::Privilege, SUDO_HINT),
        PoolError::Session { .. } | PoolError::GaveUp { .. } => (Cause::Unreachable, ""),
    };
    Failure { cause, message: error.to_string(), hint: hint.to_owned() }
}

const HERE_HINT: &str = "give this machine more of what it lacks: `ulimit -n` for open files, or memory";

const SUDO_HINT: &str =
    "give the user sudo without a password, or write `become: { method: none }` for a root login";

/// Why a session could not do its part, as a failure.
pub(super) fn session_failure(host: &HostName, error: &SessionError) -> Failure {
    let (cause, hint) = match error {
        SessionError::Lost(_) => (Cause::Unreachable, ""),
        SessionError::Here(_) => (Cause::Command, HERE_HINT),
        SessionError::Privilege(_) => (Cause::Privilege, SUDO_HINT),
        SessionError::NotBegun(_) => (Cause::Command, ""),
        SessionError::Busy(_) => {
            (Cause::Busy, "`policy: { lock: { scope: cluster } }` would have told before anything was begun")
        }
        SessionError::Launcher(_) => {
            (Cause::Command, "look at the host's disk space and at the launcher's directory")
        }
        SessionError::Protocol(_) => (Cause::Output, "look at what the login shell prints"),
    };
    Failure { cause, message: format!("{host}: {error}"), hint: hint.to_owned() }
}
