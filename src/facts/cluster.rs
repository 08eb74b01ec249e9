//! Facts of the cluster, through kubectl: nodes and what the budget and the identity check need of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FactsError;
use crate::kubernetes::KubeCx;
use crate::kubernetes::kubectl_errors;
use crate::kubernetes::node::{NODES, NodeRow, parse_nodes};
use crate::op::{Probe, ProbeOutput, Query};
use crate::value::Duration;

/// What the API server says of its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// `gitVersion` of the API server that answered.
    pub server_version: String,
    /// By node name.
    pub nodes: BTreeMap<String, NodeFacts>,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// Status of the condition Ready: "True", "False" or "Unknown"; empty where its kubelet never reported.
    pub ready: String,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// Value of the annotation `rollbook.dev/cordoned-by`: the run that owns the cordon; empty where there is none.
    pub cordoned_by: String,
    /// `status.nodeInfo.kubeletVersion`, such as "v1.31.4".
    pub kubelet_version: String,
    /// `status.nodeInfo.machineID`.
    pub machine_id: String,
    /// `status.nodeInfo.bootID`.
    pub boot_id: String,
    /// `status.nodeInfo.containerRuntimeVersion`, such as "containerd://1.7.2".
    pub runtime: String,
    /// Labelled `node-role.kubernetes.io/control-plane`, or `…/master` as up to 1.23.
    pub control_plane: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl From<&NodeRow<'_>> for NodeFacts {
    fn from(row: &NodeRow<'_>) -> Self {
        Self {
            control_plane: row.is_control_plane(),
            uid: row.uid.to_owned(),
            ready: row.ready.to_owned(),
            cordoned: row.cordoned,
            cordoned_by: row.cordoned_by.to_owned(),
            kubelet_version: row.kubelet_version.to_owned(),
            machine_id: row.machine_id.to_owned(),
            boot_id: row.boot_id.to_owned(),
            runtime: row.runtime.to_owned(),
            labels: row.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }
}

/// The nodes of a cluster by name, as slices of the answer: a look before every slot copies none of them.
#[derive(Clone, Debug, Default)]
pub struct NodeTable<'t> {
    /// Sorted by name, and each name once.
    rows: Vec<NodeRow<'t>>,
}

impl<'t> NodeTable<'t> {
    fn of(mut rows: Vec<NodeRow<'t>>) -> Result<Self, FactsError> {
        // An API server gives them sorted; that costs one pass.
        rows.sort_by_key(|row| row.name);
        if let Some([row, _]) = rows.array_windows::<2>().find(|[one, next]| one.name == next.name) {
            let reason = format!("node `{}` stands there twice", row.name);
            return Err(FactsError { command: GET_NODES.to_owned(), reason });
        }
        Ok(Self { rows })
    }

    /// Looks up names that come, for the most part, in the table's own order: then each costs one comparison.
    pub fn finder<'s>(&'s self) -> impl FnMut(&str) -> Option<&'s NodeRow<'t>> {
        let mut next = 0;
        move |name| {
            if self.rows.get(next).is_none_or(|row| row.name != name) {
                next = self.rows.binary_search_by_key(&name, |row| row.name).ok()?;
            }
            next += 1;
            self.rows.get(next - 1)
        }
    }

    /// Every node.
    pub fn iter(&self) -> impl Iterator<Item = &NodeRow<'t>> {
        self.rows.iter()
    }
}

const VERSION: &str = "kubectl version -o json";
const GET_NODES: &str = "kubectl get nodes";

/// The look that [`parse_cluster`] reads: a narrow template in chunks, never whole objects, which are some 30 KiB for
/// a node with many images.
pub fn cluster_probe(kube: &KubeCx) -> Probe {
    let query = |words: &[&str]| {
        let mut argv = kube.argv();
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        Query::of_kubectl(argv)
    };
    Probe {
        site: crate::op::Site::Kube,
        queries: vec![
            query(&["version", "-o", "json"]),
            query(&["get", "nodes", "--chunk-size=500", "-o", NODES]),
        ],
        r#become: kube.r#become,
        // A chunk has the request timeout; thousands of nodes are several.
        timeout: kube.request_timeout.saturating_mul(4).saturating_add(Duration::from_secs(10)),
    }
}

/// Reads the answers to [`cluster_probe`]. An API server that does not answer is an error, never an empty cluster.
pub fn parse_cluster(answers: &[ProbeOutput]) -> Result<ClusterFacts, FactsError> {
    let (server_version, table) = parse(answers)?;
    let nodes = table.iter().map(|row| (row.name.to_owned(), NodeFacts::from(row))).collect();
    Ok(ClusterFacts { server_version, nodes })
}

/// The same, where only the nodes are asked for.
pub fn parse_node_table(answers: &[ProbeOutput]) -> Result<NodeTable<'_>, FactsError> {
    parse(answers).map(|(_, table)| table)
}

fn parse(answers: &[ProbeOutput]) -> Result<(String, NodeTable<'_>), FactsError> {
    let [version, nodes] = answers else {
        let reason = format!("2 answers are expected, and {} came", answers.len());
        return Err(FactsError { command: GET_NODES.to_owned(), reason });
    };
    let server_version = server_version(version)?;
    if !nodes.ok() {
        return Err(failed(GET_NODES, nodes));
    }
    let rows = parse_nodes(&nodes.stdout)
        .map_err(|error| FactsError { command: GET_NODES.to_owned(), reason: error.to_string() })?;
    Ok((server_version, NodeTable::of(rows)?))
}

/// The API server's `gitVersion` in the answer to `kubectl version -o json`, which prints the client's and fails where
/// the server is away, and warns on standard error where the two are far apart.
pub fn server_version(answer: &ProbeOutput) -> Result<String, FactsError> {
    if !answer.ok() {
        return Err(failed(VERSION, answer));
    }
    let wrong = |reason: String| FactsError { command: VERSION.to_owned(), reason };
    let json: serde_json::Value =
        serde_json::from_str(&answer.stdout).map_err(|error| wrong(error.to_string()))?;
    let version = json.pointer("/serverVersion/gitVersion").and_then(serde_json::Value::as_str);
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| wrong("`serverVersion` is missing: the API server did not answer".to_owned()))
}

pub(super) fn failed(command: &str, answer: &ProbeOutput) -> FactsError {
    let reason = kubectl_errors::reason(answer.rc, &answer.stdout, &answer.stderr);
    FactsError { command: command.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn stdout(transcript: &str) -> ProbeOutput {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(transcript);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, rest) = text.split_once("--- stdout\n").expect("a stdout");
        let (stdout, _) = rest.split_once("--- stderr").expect("a stderr");
        ProbeOutput { stdout: stdout.to_owned(), ..ProbeOutput::default() }
    }

    fn answer(stdout: &str) -> ProbeOutput {
        ProbeOutput { stdout: stdout.to_owned(), ..ProbeOutput::default() }
    }

    const ROWS: &str = "cp1\tu1\t\"True\"\t<no value>\t\t\t\"v1.20.2\"\t\"m1\"\t\"b1\"\t\"containerd://1.6\"\tnode-role.kubernetes.io/master=,\n\
                        w1\tu2\t\"Unknown\"\ttrue\t\"R1\"\t\t\"v1.20.2\"\t\"m2\"\t\"b2\"\t\"containerd://1.6\"\tzone=a,\n";

    #[test]
    fn old_and_new_clients_name_the_server() {
        for client in ["drain-kubectl-1.20.2", "drain-kubectl-1.32.4"] {
            let version = stdout(&format!("{client}/70-version-json.txt"));
            assert_eq!(server_version(&version).expect(client), "v1.20.2");
        }
    }

    #[test]
    fn nodes_are_read_with_what_budget_and_identity_need() {
        let version = stdout("drain-kubectl-1.32.4/70-version-json.txt");
        let facts = parse_cluster(&[version, answer(ROWS)]).expect("two nodes");
        assert!(facts.nodes["cp1"].control_plane && !facts.nodes["w1"].control_plane);
        assert!(facts.nodes["w1"].cordoned);
        assert_eq!(
            (facts.nodes["w1"].ready.as_str(), facts.nodes["w1"].cordoned_by.as_str()),
            ("Unknown", "R1")
        );
        assert_eq!(
            (facts.nodes["w1"].machine_id.as_str(), facts.nodes["w1"].labels["zone"].as_str()),
            ("m2", "a")
        );
    }

    #[test]
    fn an_api_server_that_is_away_is_no_empty_cluster() {
        let version = stdout("drain-kubectl-1.20.2/70-version-json.txt");
        let stderr =
            "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?";
        let away = ProbeOutput { rc: 1, stdout: String::new(), stderr: stderr.to_owned() };
        let error = parse_cluster(&[version.clone(), away]).expect_err("no answer");
        assert!(error.reason.starts_with("the API server cannot be reached"), "{error}");
        assert!(parse_cluster(&[answer("{\"clientVersion\":{}}"), answer(ROWS)]).is_err());
        let twice = format!("{ROWS}{ROWS}");
        assert!(
            parse_cluster(&[version, answer(&twice)])
                .expect_err("twice")
                .reason
                .contains("`cp1` stands there twice")
        );
    }
}
