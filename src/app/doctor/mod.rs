//! Can every host be reached, read and worked on, and does kubectl work where it will run? Changes
//! nothing. `hosts` and `cluster` say what is found; here it is asked and told.

mod cluster;
mod hosts;

use camino::Utf8PathBuf;

use super::kube::KubectlChoice;
use super::{AppError, Tell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::connections::{Connections, now, runtime, targets};
use super::load::{load_inventory, selected};
use crate::executor::{Depth, Pool, Survey, ask_through, controller_name, gather_facts};
use crate::facts::{Access, FactsError, NodeFacts, access_probe, parse_access};
use crate::inventory::{HostName, Inventory};
use crate::kubernetes::KubeCx;
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::report::{ExitKind, said_of};
use crate::value::{Duration, Version};

/// What is examined.
#[derive(Clone, Debug)]
pub(crate) struct DoctorRequest {
    pub(crate) inventory: Utf8PathBuf,
    pub(crate) selector: String,
    pub(crate) kubectl: KubectlChoice,
    /// Version of Kubernetes that the hosts are to run.
    pub(crate) target: Option<Version>,
}

/// What was found, each with the host or the place that it is about, in order.
pub(crate) type Findings = Vec<(String, Vec<HostFinding>)>;

/// Examines every host, and kubectl where it will run.
pub(crate) fn examine(request: &DoctorRequest, tell: &dyn Tell) -> Result<Findings, AppError> {
    let inventory = load_inventory(&request.inventory, tell)?;
    let hosts = selected(&request.selector, "the selector", &inventory)?;
    let kube = request.kubectl.call(&inventory)?;
    let seen = runtime()?.block_on(look(&inventory, &hosts, kube.as_ref()))?;
    let of_host =
        |host: &HostName| (host.to_string(), seen.findings(&inventory, host, request.target.as_ref()));
    let mut all: Findings = hosts.iter().map(of_host).collect();
    if let Some((_, via)) = kube.as_ref().filter(|(_, via)| !via.is_empty())
        && !via.iter().any(|host| hosts.contains(host))
    {
        let text = format!("not tried: it runs on {}, and that is none of these hosts", via[0]);
        all.push(("kubectl".to_owned(), vec![HostFinding::Note(text)]));
    }
    if let Some(access) = &seen.here {
        all.push(("kubectl on this machine".to_owned(), cluster::of_access(access)));
    }
    Ok(all)
}

/// Something about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostFinding {
    /// It could not be looked at.
    Unreachable(String),
    /// A run would fail.
    Problem(String),
    /// Good to know.
    Note(String),
}

impl std::fmt::Display for HostFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Problem(text) => f.write_str(text),
            Self::Note(text) => write!(f, "note: {text}"),
        }
    }
}

/// A problem of one host is worse than a host that nobody can look at; a note is neither.
pub(crate) fn verdict(findings: &[&HostFinding]) -> ExitKind {
    if findings.iter().any(|finding| matches!(finding, HostFinding::Problem(_))) {
        ExitKind::Failed
    } else if findings.iter().any(|finding| matches!(finding, HostFinding::Unreachable(_))) {
        ExitKind::Unreachable
    } else {
        ExitKind::Ok
    }
}

/// Everything that was seen.
struct Examined {
    found: Survey,
    /// What root says, where the user is root or becomes root.
    root: BTreeMap<HostName, Result<Vec<ProbeOutput>, String>>,
    /// What kubectl says, on the hosts where it will run.
    access: BTreeMap<HostName, Result<Access, FactsError>>,
    /// The same on this machine.
    here: Option<Result<Access, FactsError>>,
    /// Seconds since 1970 on this machine, before and after.
    clock: (i64, i64),
}

/// Asks the hosts; and for kubectl, those of them where it will run, or this machine where it runs here.
async fn look(
    inventory: &Inventory,
    hosts: &[HostName],
    kube: Option<&(KubeCx, Vec<HostName>)>,
) -> anyhow::Result<Examined> {
    let connections = Connections::real(targets(inventory))?;
    let began = now().0 / 1000;
    // Hosts that nobody asked about are left alone.
    let there: Vec<HostName> = kube
        .map(|(_, via)| via.iter().filter(|host| hosts.contains(host)).cloned().collect())
        .unwrap_or_default();
    let is_asked = |via: &Vec<HostName>| via.is_empty() || !there.is_empty();
    let cluster = kube.filter(|(_, via)| is_asked(via)).map(|(cx, _)| (cx, there.as_slice()));
    let found = gather_facts(
        &connections.pool,
        &connections.controller,
        hosts,
        Depth::Facts,
        cluster,
        &mut |_, _| {},
    )
    .await;
    let ended = now().0 / 1000;
    let mut root = BTreeMap::new();
    for host in hosts.iter().filter(|host| found.hosts.contains_key(*host)) {
        root.insert(host.clone(), as_root(&connections.pool, host).await);
    }
    let (mut access, mut here) = (BTreeMap::new(), None);
    if let Some((cx, via)) = kube {
        for host in via.iter().filter(|host| found.hosts.contains_key(*host)) {
            access.insert(host.clone(), of_kubectl(&connections.pool, host, cx).await);
        }
        if via.is_empty() {
            here = Some(of_kubectl(&connections.controller, &controller_name(), cx).await);
        }
    }
    connections.close().await;
    Ok(Examined { found, root, access, here, clock: (began, ended) })
}

async fn of_kubectl(pool: &Pool, host: &HostName, cx: &KubeCx) -> Result<Access, FactsError> {
    let unasked = |reason: String| FactsError { command: "kubectl version".to_owned(), reason };
    let answers = ask_through(pool, host, cx, &access_probe(cx)).await;
    parse_access(&answers.map_err(|failure| unasked(failure.message))?)
}

/// Who one is with sudo, and how sshd is set up.
async fn as_root(pool: &Rc<Pool>, host: &HostName) -> Result<Vec<ProbeOutput>, String> {
    let query = |argv: &[&str]| {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Query { argv, ..Query::default() }
    };
    let queries = vec![query(&["id", "-u"]), query(&["/usr/sbin/sshd", "-T"])];
    let probe = Probe { site: Site::Subject, queries, r#become: true, timeout: Duration::from_secs(20) };
    let session = pool.session(host).await.map_err(|failure| failure.to_string())?;
    session.probe(&probe).await.map_err(|error| error.to_string())
}

impl Examined {
    /// The node that is a host: the same machine, or the one of its name. Where kubectl does not work, that is told.
    fn node(&self, name: &str, machine_id: &str) -> Option<&NodeFacts> {
        let Some(Ok(cluster)) = &self.found.cluster else { return None };
        let is_same = |node: &&NodeFacts| !machine_id.is_empty() && node.machine_id == machine_id;
        cluster.nodes.values().find(is_same).or_else(|| cluster.nodes.get(name))
    }

    fn findings(&self, inventory: &Inventory, host: &HostName, target: Option<&Version>) -> Vec<HostFinding> {
        if let Some(failure) = self.found.failed.get(host) {
            // What doctor tells, the reader sees already.
            let hint = failure.hint.split("; `rollbook doctor`").next().unwrap_or_default();
            let hint = if hint.is_empty() { String::new() } else { format!(" (hint: {hint})") };
            let message = said_of(&failure.message, host.as_str());
            return vec![HostFinding::Unreachable(format!("{message}{hint}"))];
        }
        let Some(facts) = self.found.hosts.get(host) else {
            return vec![HostFinding::Unreachable("was not looked at".to_owned())];
        };
        let mut findings = self.root.get(host).map(hosts::of_root).unwrap_or_default();
        findings.extend(hosts::of_facts(facts, self.clock));
        let name = inventory.hosts[host].node_name.as_deref().unwrap_or(host.as_str());
        findings.extend(hosts::of_support(facts, self.node(name, &facts.machine_id), target));
        findings.extend(self.access.get(host).map(cluster::of_access).unwrap_or_default());
        let id = &facts.machine_id;
        let twins =
            self.found.hosts.iter().filter(|(other, facts)| *other != host && facts.machine_id == *id);
        findings.extend(
            twins
                .filter(|_| !id.is_empty())
                .map(|(other, _)| HostFinding::Problem(format!("has the machine id of {other}"))),
        );
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_no_trouble_and_unreachable_hosts_alone_have_a_code_of_their_own() {
        let (lost, bad, note) = (
            HostFinding::Unreachable(String::new()),
            HostFinding::Problem(String::new()),
            HostFinding::Note(String::new()),
        );
        for (findings, code) in [
            (vec![], ExitKind::Ok),
            (vec![note.clone()], ExitKind::Ok),
            (vec![note.clone(), lost.clone()], ExitKind::Unreachable),
            (vec![lost, bad, note], ExitKind::Failed),
        ] {
            assert_eq!(verdict(&findings.iter().collect::<Vec<_>>()), code, "{findings:?}");
        }
    }
}
