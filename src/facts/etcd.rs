//! Health of etcd's stacked members, as the API server knows their pods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FactsError;
use crate::kubernetes::KubeCx;
use crate::kubernetes::pod::{PODS, parse_pods};
use crate::op::{Probe, ProbeOutput, Query, Site};

/// Stacked etcd members; none where etcd runs elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdFacts {
    /// Whether each member's pod is Ready, by the pod's name.
    pub members: BTreeMap<String, bool>,
}

/// The look that [`parse_etcd`] reads. kubeadm labels its etcd pods `component=etcd`.
pub fn etcd_probe(kube: &KubeCx) -> Probe {
    let mut argv = kube.argv();
    let words = [
        "get",
        "pods",
        "--namespace=kube-system",
        "--selector=component=etcd",
        "--chunk-size=500",
        "-o",
        PODS,
    ];
    argv.extend(words.map(str::to_owned));
    let query = Query::of_kubectl(argv);
    Probe { site: Site::Kube, queries: vec![query], r#become: kube.r#become, timeout: kube.request_timeout }
}

/// Reads the answer to [`etcd_probe`].
pub fn parse_etcd(answers: &[ProbeOutput]) -> Result<EtcdFacts, FactsError> {
    let wrong = |reason: String| FactsError {
        command: "kubectl get pods --selector=component=etcd".to_owned(),
        reason,
    };
    let answer = answers.first().ok_or_else(|| wrong("there is no answer".to_owned()))?;
    if !answer.ok() {
        return Err(wrong(format!("exit code {}: {}", answer.rc, answer.stderr.trim())));
    }
    let pods = parse_pods(&answer.stdout).map_err(|error| wrong(error.to_string()))?;
    Ok(EtcdFacts { members: pods.into_iter().map(|pod| (pod.name, pod.ready)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rc: i32, stdout: &str) -> Result<Vec<(String, bool)>, FactsError> {
        let answer = ProbeOutput { rc, stdout: stdout.to_owned(), stderr: "refused".to_owned() };
        parse_etcd(&[answer]).map(|facts| facts.members.into_iter().collect())
    }

    /// A line of [`PODS`].
    fn line(name: &str, ready: &str) -> String {
        format!("kube-system\t{name}\t\"Running\"\t\t\"Node\"\tmirror\t\t\"{ready}\"\tcomponent=etcd,\n")
    }

    #[test]
    fn a_member_is_healthy_when_its_pod_is_ready() {
        let healthy = |pod: &str, ready| (pod.to_owned(), ready);
        let answer = line("etcd-cp1", "True") + &line("etcd-cp2", "False");
        assert_eq!(read(0, &answer), Ok(vec![healthy("etcd-cp1", true), healthy("etcd-cp2", false)]));
        assert_eq!(read(0, ""), Ok(vec![]));
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        assert!(read(1, "").is_err());
        assert!(read(0, "etcd-cp1 True\n").is_err());
    }
}
