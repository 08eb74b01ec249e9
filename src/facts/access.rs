//! Whether kubectl works where it is called, and whether it may do there what a roll needs.

use super::cluster::{failed, server_version};
use super::host::FactsError;
use crate::kubernetes::KubeCx;
use crate::kubernetes::lease;
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::value::Version;

/// What kubectl said of itself, of the API server and of its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// kubectl's own version.
    pub client: String,
    /// The API server's.
    pub server: String,
    /// What a roll needs and the credentials may not: `patch nodes`.
    pub denied: Vec<String>,
}

/// Verb, resource and more flags of `kubectl auth can-i`, for what a roll does to a cluster: it looks at nodes and pods,
/// cordons, evicts (kubectl looks a pod's controller up, too), and holds the lock.
const NEEDED: [(&str, &str, &[&str]); 11] = [
    ("get", "nodes", &[]),
    ("list", "nodes", &[]),
    ("patch", "nodes", &[]),
    ("get", "pods", &["--all-namespaces"]),
    ("list", "pods", &["--all-namespaces"]),
    ("create", "pods", &["--subresource=eviction", "--all-namespaces"]),
    ("get", "daemonsets.apps", &["--all-namespaces"]),
    ("list", "poddisruptionbudgets.policy", &["--all-namespaces"]),
    ("get", "leases.coordination.k8s.io", &["--namespace", lease::NAMESPACE]),
    ("create", "leases.coordination.k8s.io", &["--namespace", lease::NAMESPACE]),
    ("update", "leases.coordination.k8s.io", &["--namespace", lease::NAMESPACE]),
];

/// The queries.
pub fn access_probe(kube: &KubeCx) -> Probe {
    let query = |words: &[&str]| {
        let mut argv = kube.argv();
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        Query::of_kubectl(argv)
    };
    let rights = NEEDED
        .iter()
        .map(|(verb, resource, more)| query(&[&["auth", "can-i", verb, resource][..], more].concat()));
    Probe {
        site: Site::Kube,
        queries: std::iter::once(query(&["version", "-o", "json"])).chain(rights).collect(),
        r#become: kube.r#become,
        timeout: kube.request_timeout.saturating_mul(4),
    }
}

/// Reads the answers to [`access_probe`].
///
/// # Errors
///
/// There is no kubectl, it cannot use its kubeconfig, or the API server does not answer.
pub fn parse_access(answers: &[ProbeOutput]) -> Result<Access, FactsError> {
    let [version, rights @ ..] = answers else {
        let reason = "nothing was answered".to_owned();
        return Err(FactsError { command: "kubectl version".to_owned(), reason });
    };
    let server = server_version(version)?;
    let json: serde_json::Value = serde_json::from_str(&version.stdout).unwrap_or_default();
    let client = json.pointer("/clientVersion/gitVersion").and_then(serde_json::Value::as_str);
    let mut denied = Vec::new();
    for ((verb, resource, more), answer) in NEEDED.iter().zip(rights) {
        match answer.stdout.trim() {
            "yes" => {}
            // With a reason behind it where the server gives one.
            said if said == "no" || said.starts_with("no -") => {
                let below = if more.contains(&"--subresource=eviction") { "/eviction" } else { "" };
                denied.push(format!("{verb} {resource}{below}"));
            }
            _ => return Err(failed("kubectl auth can-i", answer)),
        }
    }
    Ok(Access { client: client.unwrap_or_default().to_owned(), server, denied })
}

impl Access {
    /// How many minor versions kubectl is away from the API server, where both can be read.
    pub fn minors_apart(&self) -> Option<u64> {
        let minor = |text: &str| Version::parse(text).ok().map(|version| version.minor().minor);
        Some(minor(&self.client)?.abs_diff(minor(&self.server)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> ProbeOutput {
        let rc = i32::from(text.starts_with("no"));
        ProbeOutput { stdout: format!("{text}\n"), rc, ..ProbeOutput::default() }
    }

    fn version(client: &str) -> ProbeOutput {
        said(&format!(
            r#"{{"clientVersion":{{"gitVersion":"{client}"}},"serverVersion":{{"gitVersion":"v1.31.4"}}}}"#
        ))
    }

    #[test]
    fn what_may_not_be_done_is_named() {
        let mut answers = vec![version("v1.29.0")];
        answers.extend(NEEDED.iter().map(|_| said("yes")));
        let access = parse_access(&answers).unwrap();
        assert_eq!((access.denied.as_slice(), access.minors_apart()), (&[][..], Some(2)));
        answers[3] = said("no");
        answers[6] = said("no - no RBAC policy matched");
        assert_eq!(parse_access(&answers).unwrap().denied, ["patch nodes", "create pods/eviction"]);
    }

    #[test]
    fn no_answer_is_no_yes() {
        let mut answers = vec![version("v1.31.4")];
        answers.extend(NEEDED.iter().map(|_| said("yes")));
        answers[3] = ProbeOutput {
            rc: 1,
            stderr: "Unable to connect to the server: EOF\n".to_owned(),
            ..ProbeOutput::default()
        };
        let error = parse_access(&answers).unwrap_err();
        assert_eq!(error.command, "kubectl auth can-i");
        assert!(error.reason.contains("cannot be reached"), "{}", error.reason);
        answers[0] = ProbeOutput { rc: 127, ..ProbeOutput::default() };
        assert_eq!(parse_access(&answers).unwrap_err().command, "kubectl version -o json");
    }
}
