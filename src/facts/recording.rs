//! A fleet and its cluster as they were, in a file: what a rehearsal needs of them, so that it begins there. No secret is
//! among it: facts of hosts, nodes, and of pods their names, places and owners.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ClusterFacts, FactsError, HostFacts};
use crate::kubernetes::KubeCx;
use crate::kubernetes::pdb::{BUDGETS, parse_budgets};
use crate::kubernetes::pod::{OWNED_PODS, OwnedPod, parse_owned_pods};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::value::{Duration, from_yaml, to_yaml};

/// The file. Its format is a promise, as a plan's is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// `rollbook/v1`.
    #[serde(rename = "apiVersion")]
    api_version: String,
    /// `Recording`.
    kind: String,
    /// Facts by the inventory's names of hosts.
    pub hosts: BTreeMap<String, HostFacts>,
    /// The cluster, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<RecordedCluster>,
}

/// The cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCluster {
    /// Version and nodes.
    pub facts: ClusterFacts,
    /// Pods that a drain would have to do with; no finished ones, and no mirrors of static pods.
    pub pods: Vec<RecordedPod>,
    /// PodDisruptionBudgets.
    pub budgets: Vec<RecordedBudget>,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// Its node; empty while it had none.
    pub node: String,
    /// Kind of its controller; empty for a bare pod.
    pub controller: String,
    /// Name of its controller.
    pub owner: String,
    /// Whether it has an `emptyDir` volume.
    pub empty_dir: bool,
    /// Its condition Ready.
    pub ready: bool,
}

/// A PodDisruptionBudget, by what it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedBudget {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `status.desiredHealthy`.
    pub needed: i64,
    /// Names of the pods that it is about, in its namespace.
    pub covers: Vec<String>,
}

const API_VERSION: &str = "rollbook/v1";
const KIND: &str = "Recording";

/// The beginning of a file, whatever it is: read first, so that a file of another kind is told as that.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    kind: Option<String>,
}

impl Recording {
    /// Of what was read.
    pub fn new(hosts: BTreeMap<String, HostFacts>, cluster: Option<RecordedCluster>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: KIND.to_owned(), hosts, cluster }
    }

    /// As the file's text.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("invariant: facts are plain data") + "\n"
    }

    /// As the file's text, with the comment that says what it is.
    pub fn to_yaml(&self) -> String {
        format!("# Hosts and cluster as they were, for `rollbook rehearse --from`.\n{}", to_yaml(self))
    }

    /// From the file's text, JSON or YAML; why not, where it is no recording that this version reads.
    pub fn read(text: &str) -> Result<Self, String> {
        let tree: serde_json::Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?
        } else {
            from_yaml(text).map_err(|error| format!("it is no YAML: {error}"))?
        };
        let head = Head::deserialize(&tree).map_err(|error| error.to_string())?;
        match (head.api_version.as_deref(), head.kind.as_deref()) {
            (Some(API_VERSION), Some(KIND)) => {}
            (Some(API_VERSION), Some(kind)) => return Err(format!("it is a {}", kind.escape_debug())),
            (Some(API_VERSION), None) => return Err("it has no `kind`".to_owned()),
            (Some(version), _) => return Err(format!("its format is {}", version.escape_debug())),
            (None, _) => return Err("it has no `apiVersion`".to_owned()),
        }
        serde_json::from_value(tree).map_err(|error| error.to_string())
    }
}

/// The look that [`parse_workloads`] reads.
pub fn workloads_probe(kube: &KubeCx) -> Probe {
    let query = |resource: &str, template: &str| {
        let mut argv = kube.argv();
        let words = ["get", resource, "--all-namespaces", "--chunk-size=500", "-o", template];
        argv.extend(words.map(str::to_owned));
        Query::of_kubectl(argv)
    };
    Probe {
        site: Site::Kube,
        queries: vec![query("pods", OWNED_PODS), query("poddisruptionbudgets", BUDGETS)],
        r#become: kube.r#become,
        timeout: kube.request_timeout.saturating_mul(4).saturating_add(Duration::from_secs(10)),
    }
}

/// Reads the answers to [`workloads_probe`].
pub fn parse_workloads(
    answers: &[ProbeOutput],
) -> Result<(Vec<RecordedPod>, Vec<RecordedBudget>), FactsError> {
    let wrong = |command: &str, reason: String| FactsError { command: command.to_owned(), reason };
    let (pods_command, budgets_command) = ("kubectl get pods", "kubectl get poddisruptionbudgets");
    let [pods, budgets] = answers else {
        return Err(wrong(pods_command, format!("2 answers are expected, and {} came", answers.len())));
    };
    for (command, answer) in [(pods_command, pods), (budgets_command, budgets)] {
        if !answer.ok() {
            return Err(wrong(command, format!("exit code {}: {}", answer.rc, answer.stderr.trim())));
        }
    }
    let pods = parse_owned_pods(&pods.stdout).map_err(|error| wrong(pods_command, error.to_string()))?;
    let budgets =
        parse_budgets(&budgets.stdout).map_err(|error| wrong(budgets_command, error.to_string()))?;
    let matters = |owned: &&OwnedPod| !owned.pod.mirror && !owned.pod.is_finished();
    let pods: Vec<&OwnedPod> = pods.iter().filter(matters).collect();
    let budgets = budgets.iter().map(|budget| RecordedBudget {
        namespace: budget.namespace.clone(),
        name: budget.name.clone(),
        needed: budget.needed,
        covers: pods
            .iter()
            .filter(|owned| budget.covers(&owned.pod))
            .map(|owned| owned.pod.name.clone())
            .collect(),
    });
    let budgets = budgets.collect();
    let recorded = |owned: &&OwnedPod| RecordedPod {
        namespace: owned.pod.namespace.clone(),
        name: owned.pod.name.clone(),
        node: owned.node.clone(),
        controller: owned.pod.controller.clone(),
        owner: owned.owner.clone(),
        empty_dir: owned.pod.empty_dir,
        ready: owned.pod.ready,
    };
    Ok((pods.iter().map(recorded).collect(), budgets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_kept_with_owners_and_budgets_with_their_pods() {
        let pods = "\"w1\"\t\"web-5d4f\"\tdefault\tweb-5d4f-1\t\"Running\"\t\t\"ReplicaSet\"\t\temptyDir \t\"True\"\tapp=web,\n\
                    \"w1\"\t\tdefault\tbare\t\"Running\"\t\t\t\t\t\"True\"\tapp=bare,\n\
                    \"w1\"\t\"job\"\tdefault\tjob-1\t\"Succeeded\"\t\t\"Job\"\t\t\t\"False\"\tapp=web,\n\
                    \"cp1\"\t\"cp1\"\tkube-system\tetcd-cp1\t\"Running\"\t\t\"Node\"\tmirror\t\t\"True\"\t\n";
        let budgets = "policy/v1\tdefault\tweb\t0\t1\t1\t\tselector\tapp=web,\t\n";
        let answer = |stdout: &str| ProbeOutput { stdout: stdout.to_owned(), ..ProbeOutput::default() };
        let (pods, budgets) = parse_workloads(&[answer(pods), answer(budgets)]).expect("readable");
        let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
        assert_eq!(names, ["web-5d4f-1", "bare"]);
        assert_eq!(
            (pods[0].owner.as_str(), pods[0].node.as_str(), pods[0].empty_dir),
            ("web-5d4f", "w1", true)
        );
        assert_eq!((budgets[0].needed, budgets[0].covers.as_slice()), (1, &["web-5d4f-1".to_owned()][..]));
    }

    #[test]
    fn a_file_of_another_kind_is_told_as_that() {
        let rows = [
            ("{}", "no `apiVersion`"),
            ("{\"hosts\":", "no JSON"),
            ("apiVersion: [", "no YAML"),
            ("hello", "invalid type: string"),
            ("apiVersion: rollbook/v1", "no `kind`"),
            ("apiVersion: rollbook/v1\nkind: Plan", "it is a Plan"),
            (r#"{"apiVersion":"rollbook/v1","kind":"Plan"}"#, "it is a Plan"),
            (r#"{"apiVersion":"rollbook/v9","kind":"Recording"}"#, "its format is rollbook/v9"),
            (r#"{"apiVersion":"rollbook/v1","kind":"Recording"}"#, "missing field `hosts`"),
        ];
        for (text, expected) in rows {
            let error = Recording::read(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let empty = Recording::new(BTreeMap::new(), None);
        assert_eq!(Recording::read(&empty.to_json()), Ok(empty.clone()));
        assert_eq!(Recording::read(&empty.to_yaml()), Ok(empty));
    }
}
