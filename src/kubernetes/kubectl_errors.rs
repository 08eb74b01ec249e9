//! Tells kubectl's failures apart. It exits 1 for every one of them, so only the text says which it was, and the text
//! differs between versions: each phrase here was seen from kubectl 1.20.2 or 1.32.4, and a test reads those transcripts.

use super::rights::Right;
use crate::value::escape_quoted;

/// What to do about a right that is missing.
pub(crate) const GRANT: &str =
    "give it that right, or use another account; `rollbook doctor` names every right that is missing";

/// What stands in a refusal that is about no right of the account: that of a quota or an admission plugin, of a webhook or
/// a policy.
const NO_RIGHT: [&str; 2] = [" is forbidden: ", " denied "];

/// Why a kubectl command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KubectlError {
    /// The API server cannot be reached. Nothing is known of the object.
    ApiAway,
    /// The credentials may not do this.
    Forbidden,
    /// The kubeconfig is missing or cannot be read.
    Kubeconfig,
    /// There is no such object.
    NotFound,
    /// Somebody else wrote the object since it was read.
    Conflict,
    /// There is such an object already.
    AlreadyExists,
    /// A test of a JSON patch failed: somebody else changed the object first.
    TestFailed,
    /// A pod is under two budgets, which the eviction endpoint refuses for ever.
    TwoBudgets,
    /// A budget lets no pod go.
    BudgetBlocked,
    /// Pods without a controller need `force`.
    BarePods,
    /// Pods with `emptyDir` data need `delete_emptydir_data`.
    LocalData,
    /// Pods of a DaemonSet need `ignore_daemonsets`.
    DaemonSetPods,
    /// A pod was evicted and does not end: a finalizer, a long grace period, or a dead kubelet.
    StuckTerminating,
    /// The time was up without another cause in sight.
    TimedOut,
    /// kubectl does not know a flag or an argument.
    Usage,
}

/// The phrases by cause, the more telling causes first: the output of a drain that was blocked by a budget also says
/// that it timed out.
const PHRASES: &[(KubectlError, &[&str])] = &[
    (
        KubectlError::ApiAway,
        &[
            "was refused - did you specify the right host or port",
            "Unable to connect to the server",
            "connection refused",
            "i/o timeout",
            "TLS handshake timeout",
            "no route to host",
            "etcdserver: ",
            "the server is currently unable to handle the request",
            "net/http: request canceled",
            "\": context deadline exceeded",
            "http2: client connection lost",
            "unexpected EOF",
        ],
    ),
    (KubectlError::Forbidden, &["(Forbidden)", "(Unauthorized)", "You must be logged in to the server"]),
    (
        KubectlError::Kubeconfig,
        &[
            "error: stat ",
            "error loading config file",
            "no configuration has been provided",
            "context was not found",
            "no context exists with the name",
        ],
    ),
    (KubectlError::NotFound, &["(NotFound)"]),
    (KubectlError::Conflict, &["(Conflict)"]),
    (KubectlError::AlreadyExists, &["(AlreadyExists)"]),
    (
        KubectlError::TestFailed,
        &["the server rejected our request due to an error in our request", "testing value", "test failed"],
    ),
    (KubectlError::TwoBudgets, &["more than one PodDisruptionBudget"]),
    (KubectlError::BudgetBlocked, &["violate the pod's disruption budget"]),
    (
        KubectlError::BarePods,
        &[
            "cannot delete Pods not managed by",
            "cannot delete Pods declare no controller",
            "Pods that declare no controller (use --force",
        ],
    ),
    (KubectlError::LocalData, &["cannot delete Pods with local storage"]),
    (
        KubectlError::DaemonSetPods,
        &["cannot delete DaemonSet-managed Pods", "cannot delete orphaned DaemonSet"],
    ),
    (KubectlError::StuckTerminating, &["when waiting for pod"]),
    (KubectlError::TimedOut, &["timed out waiting for the condition", "global timeout reached"]),
    (
        KubectlError::Usage,
        &["unknown flag", "unknown shorthand flag", "unknown command", "USAGE:", "error: you must specify"],
    ),
];

/// All that kubectl 1.20 says where a test of a JSON patch failed; what makes an object invalid follows a colon.
const REJECTED: &str = "The request is invalid";

/// Every cause that the text names, the most telling one first. Warnings of a success are no causes: ask only about
/// a command that failed.
pub fn causes(text: &str) -> Vec<KubectlError> {
    let text = end_of_drain(text).unwrap_or(text);
    let names = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let rejected = |cause: KubectlError| {
        cause == KubectlError::TestFailed && text.lines().any(|line| line.trim() == REJECTED)
    };
    let found = PHRASES.iter().filter(|(cause, phrases)| names(phrases) || rejected(*cause));
    found.map(|(cause, _)| *cause).collect()
}

/// The end of a drain whose time was up while a pod was waited for. Whatever was refused before, such as an eviction that
/// a budget let pass later, is not why it failed.
fn end_of_drain(text: &str) -> Option<&str> {
    let end = &text[text.find("There are pending pods in node")?..];
    (end.contains("when waiting for pod") && !end.contains("when evicting pod")).then_some(end)
}

impl KubectlError {
    /// What it means and what to do, in a sentence each.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::ApiAway => (
                "the API server cannot be reached",
                "look at the kube-apiserver and at the address in the kubeconfig",
            ),
            Self::Forbidden => {
                ("the credentials may not do this", "use an account that may; `kubectl auth can-i` tells")
            }
            Self::Kubeconfig => (
                "kubectl cannot use its kubeconfig",
                "check `kube.kubeconfig` and `kube.context`; workers of kubeadm have no admin.conf",
            ),
            Self::NotFound => (
                "there is no such object",
                "check the node's name: `node_name:` in the inventory may differ from the host's",
            ),
            Self::Conflict => {
                ("somebody else wrote it since it was read", "look at it with `kubectl get -o yaml`")
            }
            Self::AlreadyExists => {
                ("there is such an object already", "look at it with `kubectl get -o yaml`")
            }
            Self::TestFailed => {
                ("somebody else changed the object first", "look at it with `kubectl get -o yaml`")
            }
            Self::TwoBudgets => (
                "a pod is under more than one PodDisruptionBudget, which the API server never evicts",
                "leave one budget for each pod",
            ),
            Self::BudgetBlocked => (
                "a PodDisruptionBudget lets no more pods go",
                "wait for its other pods, add replicas, or change the budget",
            ),
            Self::BarePods => (
                "pods without a controller would be lost for good",
                "delete them by hand, or set `force: true` with a `reason:`",
            ),
            Self::LocalData => (
                "pods have `emptyDir` data that would be deleted",
                "set `delete_emptydir_data: true` with a `reason:`",
            ),
            Self::DaemonSetPods => {
                ("pods of a DaemonSet cannot be drained", "keep `ignore_daemonsets: true`")
            }
            Self::StuckTerminating => (
                "an evicted pod does not end",
                "look for finalizers, for a grace period above the timeout, and at the node's kubelet",
            ),
            Self::TimedOut => ("the time limit ended it", "look at what it waits for, or give it more time"),
            Self::Usage => (
                "kubectl does not know one of the arguments",
                "compare the version of kubectl with the cluster's",
            ),
        }
    }

    /// Whether the same command may succeed later without anybody's help.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::ApiAway | Self::BudgetBlocked | Self::StuckTerminating | Self::TimedOut)
    }
}

/// What a failed kubectl command means, for people: the first cause, or kubectl's own last line.
pub fn explain(stdout: &str, stderr: &str) -> (String, String) {
    let text = format!("{stdout}\n{stderr}");
    if let Some(cause) = causes(&text).first() {
        let (what, hint) = cause.explain();
        if *cause != KubectlError::Forbidden {
            return (what.to_owned(), hint.to_owned());
        }
        if let Some(right) = Right::refused(&text) {
            let what = format!("the account \"{}\" may not {}", right.user, right.words());
            return (what.escape_debug().to_string().replace("\\\"", "\""), GRANT.to_owned());
        }
        if NO_RIGHT.iter().any(|words| text.contains(words)) {
            return (
                "the API server refuses it".to_owned(),
                "its words say why, such as a quota, a policy or a webhook".to_owned(),
            );
        }
        return (what.to_owned(), hint.to_owned());
    }
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    let last: String = last.chars().take(200).collect();
    (format!("kubectl says: {}", escape_quoted(&last)), "run the command by hand to see more".to_owned())
}

/// Why a kubectl command gave no answer, with what to do, in one line. `rc` is its exit code, 127 where there is no
/// kubectl and 124 where a time limit ended it.
pub fn reason(rc: i32, stdout: &str, stderr: &str) -> String {
    let (what, hint) = match rc {
        127 => ("there is no such program".to_owned(), "install kubectl where `kube.via` points".to_owned()),
        124 => (
            "it took too long".to_owned(),
            "look at the API server, or raise `kube.request_timeout`".to_owned(),
        ),
        _ => explain(stdout, stderr),
    };
    format!("{what} ({hint})")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    /// The output of a command in a transcript, and its exit code.
    fn transcript(client: &str, name: &str) -> Option<(String, i32)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(client);
        let path = folder.join(format!("{name}.txt"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (output, end) = text.rsplit_once("--- exit ")?;
        let code = end.split_whitespace().next()?.parse().ok()?;
        Some((output.split_once("--- stdout")?.1.to_owned(), code))
    }

    /// The names of a client's transcripts.
    fn transcripts(client: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(client);
        let files = std::fs::read_dir(folder).expect(client).flatten();
        files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".txt")?.to_owned())).collect()
    }

    #[test]
    fn failures_seen_from_an_old_and_a_new_kubectl_are_told_apart() {
        use KubectlError::*;
        let cases: &[(&str, &[KubectlError])] = &[
            ("06-get-node-missing", &[NotFound]),
            ("15-cordon-missing", &[NotFound]),
            ("16-drain-missing", &[NotFound]),
            ("31-drain-blocked", &[BudgetBlocked]),
            ("34-drain-blocked-sigINT", &[BudgetBlocked]),
            ("34-drain-blocked-sigTERM", &[BudgetBlocked]),
            ("38-drain-two-pdbs", &[TwoBudgets]),
            ("40-drain-refused-daemonset", &[DaemonSetPods]),
            ("42-drain-refused-bare", &[BarePods]),
            ("46-drain-refused-emptydir", &[LocalData]),
            ("49-drain-refused-all", &[BarePods, LocalData, DaemonSetPods]),
            ("50-drain-stuck-terminating", &[StuckTerminating]),
            ("52-drain-kubelet-dead", &[StuckTerminating]),
            ("60-drain-forbidden", &[Forbidden]),
            ("61-get-nodes-forbidden", &[Forbidden]),
            ("62-unreachable", &[ApiAway]),
            ("63-drain-unreachable", &[ApiAway]),
            ("64-bad-kubeconfig", &[Kubeconfig]),
            ("65-usage", &[Usage]),
            ("66-bad-flag", &[Usage]),
            ("68-wait-timeout", &[TimedOut]),
        ];
        // What only one of them fails at; the other one has it in its table, or does not fail.
        let of_one: &[(&str, &str, &[KubectlError])] = &[
            ("drain-kubectl-1.20.2", "18-drain-dry-run", &[]),
            ("drain-kubectl-1.32.4", "48-drain-delete-local-data", &[Usage]),
        ];
        for client in ["drain-kubectl-1.20.2", "drain-kubectl-1.32.4"] {
            let of_one =
                of_one.iter().filter(|(of, ..)| *of == client).map(|(_, name, causes)| (*name, *causes));
            let mut expected: BTreeMap<&str, &[KubectlError]> = cases.iter().copied().chain(of_one).collect();
            for name in transcripts(client) {
                let (output, code) = transcript(client, &name).expect(&name);
                let Some(expected) = expected.remove(name.as_str()) else {
                    assert_eq!(code, 0, "{client}/{name} failed, and nobody says why");
                    continue;
                };
                assert_ne!(code, 0, "{client}/{name}");
                let mut found = causes(&output);
                // The client's own clock ends a drain with one more line in some versions.
                found.retain(|cause| *cause != TimedOut || *expected == [TimedOut]);
                assert_eq!(found, *expected, "{client}/{name}");
            }
            assert!(expected.is_empty(), "{client} has no {expected:?}");
        }
    }

    /// As kubectl 1.36 ended two drains, behind refusals of a budget.
    #[test]
    fn the_end_of_a_drain_says_why_it_failed() {
        let refused = "error when evicting pods/\"a-1\" -n \"lab\" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\nevicting pod lab/a-1\n";
        let waited = "There are pending pods in node \"w2\" when an error occurred: error when waiting for pod \"b-1\" in namespace \"lab\" to terminate: context deadline exceeded\npod/b-1\nerror: unable to drain node \"w2\" due to error: error when waiting for pod \"b-1\" in namespace \"lab\" to terminate: context deadline exceeded, continuing command...\n";
        let blocked = "There are pending pods in node \"w2\" when an error occurred: error when evicting pods/\"a-1\" -n \"lab\": global timeout reached: 1m0s\npod/a-1\n";
        let both = "There are pending pods in node \"w2\" when an error occurred: [error when evicting pods/\"a-1\" -n \"lab\": global timeout reached: 1m0s, error when waiting for pod \"b-1\" terminating: global timeout reached: 1m0s]\n";
        for (end, cause) in [
            (waited, KubectlError::StuckTerminating),
            (blocked, KubectlError::BudgetBlocked),
            (both, KubectlError::BudgetBlocked),
        ] {
            assert_eq!(causes(&format!("{refused}{end}")).first(), Some(&cause), "{end}");
        }
    }

    /// Only one failure of a cordon's patch means that somebody else was first.
    #[test]
    fn a_patch_whose_test_failed_is_told_from_one_that_the_api_server_did_not_take() {
        use KubectlError::*;
        let cases: &[(&str, &[KubectlError])] = &[
            ("01-cordoned-by-another", &[TestFailed]),
            ("02-no-such-node", &[NotFound]),
            ("03-forbidden", &[Forbidden]),
            ("04-not-a-node-any-more", &[]),
            ("05-invalid", &[]),
            ("06-wrong-token", &[Forbidden]),
            ("07-not-cordoned", &[TestFailed]),
            ("08-request-timeout", &[ApiAway]),
            ("09-unreachable", &[ApiAway]),
            ("10-etcd-away", &[ApiAway]),
            ("11-uncordon-of-another", &[TestFailed]),
        ];
        for client in ["patch-kubectl-1.20.2", "patch-kubectl-1.32.4"] {
            assert_eq!(transcripts(client).len(), cases.len(), "{client}");
            for (name, expected) in cases {
                let (output, code) = transcript(client, name).expect(name);
                assert_eq!((causes(&output), code), (expected.to_vec(), 1), "{client}/{name}");
            }
        }
    }

    #[test]
    fn every_cause_says_what_to_do() {
        for (cause, phrases) in PHRASES {
            let (what, hint) = cause.explain();
            assert!(!phrases.is_empty() && !what.is_empty() && !hint.is_empty(), "{cause:?}");
        }
    }

    #[test]
    fn a_failure_that_nobody_knows_shows_its_last_line_escaped() {
        let (what, _) = explain("", "first\n\u{1b}]0;x\u{7} boom\n\n");
        assert_eq!(what, "kubectl says: \\u{1b}]0;x\\u{7} boom");
    }
}
