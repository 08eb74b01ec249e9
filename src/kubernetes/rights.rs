//! What an API server that forbids something means: that a right is missing, or that the server is starting. Until its
//! RBAC rules are read, which takes a second or two, it forbids everything to every account outside `system:masters`,
//! and kubeadm's admin.conf is such an account since 1.29 (kubernetes/kubernetes#121635). The two are told apart by
//! asking what every authenticated user may.

use serde_json::{Value, json};

use super::kubectl_errors::{KubectlError, causes};

/// A right, as the API server names it where it forbids something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The account.
    pub user: String,
    /// `list`, `patch` and the like.
    pub verb: String,
    /// `nodes`, or with its subresource `pods/eviction`.
    pub resource: String,
    /// API group; empty for the core one.
    pub group: String,
    /// The namespace, unless it is about the whole cluster.
    pub namespace: Option<String>,
}

/// Whether kubectl failed because the API server forbids this to the account. That nobody is logged in is another thing.
pub fn is_forbidden(stderr: &str) -> bool {
    causes(stderr).first() == Some(&KubectlError::Forbidden) && stderr.contains("(Forbidden)")
}

/// Whether a failure may pass by itself because the API server has only just started: it forbids something, or kubectl
/// could not discover the resources because that was forbidden, and takes a type that every server has for unknown.
pub fn may_pass(stderr: &str) -> bool {
    is_forbidden(stderr) || stderr.contains("the server doesn't have a resource type \"")
}

impl Right {
    /// The right that is missing, by the words of a refusal; `None` where it is about something else, such as a quota.
    pub fn refused(text: &str) -> Option<Self> {
        let (user, rest) = between(text, "User \"", "\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let group = between(rest, "in API group \"", "\"").map_or("", |(group, _)| group);
        let namespace = between(rest, "in the namespace \"", "\"").map(|(name, _)| name.to_owned());
        let [user, verb, resource, group] = [user, verb, resource, group].map(str::to_owned);
        Some(Self { user, verb, resource, group, namespace })
    }

    /// For people: `list nodes`, `create leases.coordination.k8s.io in kube-system`.
    pub fn words(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let within = self.namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        format!("{} {}{group}{within}", self.verb, self.resource)
    }
}

/// Rights that a call of kubectl needs beyond a look at nodes, by its words without the program and its global flags.
pub fn needed_by(words: &[&str]) -> Vec<Right> {
    let mut bare = words.iter().filter(|word| !word.starts_with('-'));
    let (verb, object) = (bare.next().copied().unwrap_or_default(), bare.next().copied().unwrap_or_default());
    let kind = object.split('/').next().unwrap_or_default();
    let of_node = matches!(kind, "node" | "nodes" | "no");
    let patch = || right("patch", "nodes", "");
    match verb {
        "cordon" | "uncordon" | "taint" => vec![patch()],
        "patch" | "annotate" | "label" if of_node => vec![patch()],
        "delete" if of_node => vec![right("delete", "nodes", "")],
        "delete" if matches!(kind, "pod" | "pods" | "po") => vec![right("delete", "pods", "")],
        // kubectl cordons by itself, and looks for what keeps each pod.
        "drain" => {
            let deletes =
                words.iter().any(|word| matches!(*word, "--disable-eviction" | "--disable-eviction=true"));
            let leave =
                if deletes { right("delete", "pods", "") } else { right("create", "pods/eviction", "") };
            vec![
                patch(),
                right("list", "pods", ""),
                right("get", "pods", ""),
                leave,
                right("get", "daemonsets", "apps"),
            ]
        }
        _ => Vec::new(),
    }
}

/// What the lock of a cluster needs.
pub fn needed_by_lock() -> Vec<Right> {
    let on_leases = |verb| {
        let namespace = Some(super::lease::NAMESPACE.to_owned());
        Right { namespace, ..right(verb, "leases", "coordination.k8s.io") }
    };
    ["get", "create", "update"].map(on_leases).to_vec()
}

/// Over every object of a kind, in all namespaces.
fn right(verb: &str, resource: &str, group: &str) -> Right {
    let [verb, resource, group] = [verb, resource, group].map(str::to_owned);
    Right { user: String::new(), verb, resource, group, namespace: None }
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<(&'t str, &'t str)> {
    text.split_once(open)?.1.split_once(close)
}

/// What kubectl is asked, behind its global flags: a review of the account's own right, with the manifest on standard
/// input, and the server's version. Each is one request that needs no discovery.
pub const REVIEW: [&[&str]; 2] = [
    &["create", "--raw=/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "-f", "-"],
    &["get", "--raw=/version"],
];

/// The manifest of the review: of this right, or, where a refusal names none, of any.
pub fn review(right: Option<&Right>) -> String {
    let attributes = match right {
        Some(right) => {
            let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
            json!({
                "verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource,
                "namespace": right.namespace.as_deref().unwrap_or_default(),
            })
        }
        None => json!({ "verb": "list", "resource": "nodes" }),
    };
    json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": attributes },
    })
    .to_string()
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightState {
    /// The API server forbids everything: it has not read its rules yet.
    Starting,
    /// It knows its rules, and they do not give this right.
    Missing,
    /// It knows its rules by now, and they give this right.
    Given,
    /// It cannot say.
    Unclear,
}

/// One answer of kubectl.
#[derive(Clone, Copy, Debug)]
pub struct RightAnswer<'a> {
    /// Its exit code.
    pub rc: i32,
    /// What it printed.
    pub stdout: &'a str,
    /// Its errors.
    pub stderr: &'a str,
}

impl RightState {
    /// From the answers to [`REVIEW`]; `named`: the refusal named the right that the review is about.
    pub fn of(review: RightAnswer<'_>, version: RightAnswer<'_>, named: bool) -> Self {
        let forbidden = |said: RightAnswer<'_>| said.rc != 0 && is_forbidden(said.stderr);
        let away = |said: RightAnswer<'_>| {
            said.rc != 0 && causes(said.stderr).first() == Some(&KubectlError::ApiAway)
        };
        if away(review) || away(version) {
            return Self::Unclear;
        }
        match (forbidden(review), forbidden(version)) {
            (true, true) => return Self::Starting,
            // It read its rules between the two, or one of them is kept from everybody.
            (true, false) => return Self::Unclear,
            (false, _) => {}
        }
        let answer = serde_json::from_str::<Value>(review.stdout).ok();
        match answer.as_ref().and_then(|answer| answer.pointer("/status/allowed")?.as_bool()) {
            Some(true) if named => Self::Given,
            Some(false) if named => Self::Missing,
            _ => Self::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "Error from server (Forbidden): nodes is forbidden: User \"kubernetes-admin\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";

    fn fails(stderr: &str) -> RightAnswer<'_> {
        RightAnswer { rc: 1, stdout: "", stderr }
    }

    fn says(stdout: &str) -> RightAnswer<'_> {
        RightAnswer { rc: 0, stdout, stderr: "" }
    }

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let lease = "Error from server (Forbidden): error when replacing \"STDIN\": leases.coordination.k8s.io \"rollbook\" is \
                     forbidden: User \"ops\" cannot get resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"kube-system\"";
        let cases = [
            (NODES, Some("list nodes")),
            (lease, Some("get leases.coordination.k8s.io in kube-system")),
            ("Error from server (Forbidden): pods \"a\" is forbidden: exceeded quota: q", None),
        ];
        for (text, words) in cases {
            assert_eq!(Right::refused(text).map(|right| right.words()).as_deref(), words, "{text}");
            assert!(is_forbidden(text), "{text}");
        }
        assert!(!is_forbidden("error: You must be logged in to the server (Unauthorized)"));
        // Seen from kubectl 1.20.2 a second after the start of an API server.
        assert!(may_pass("error: the server doesn't have a resource type \"leases\""));
        assert!(!may_pass("error: You must be logged in to the server (Unauthorized)"));
    }

    #[test]
    fn a_call_of_kubectl_needs_the_rights_for_what_it_changes() {
        for (line, rights) in [
            ("patch node w1 --type=json -p []", "patch nodes"),
            ("annotate node w1 rollbook.dev/kubeadm-node=1.31.4 --overwrite", "patch nodes"),
            ("patch deployment web -p {}", ""),
            ("--context=a cordon w1", "patch nodes"),
            ("delete nodes/w1", "delete nodes"),
            ("delete pod web-1 -n shop", "delete pods"),
            ("get nodes", ""),
            (
                "drain w1 --timeout=1m",
                "patch nodes, list pods, get pods, create pods/eviction, get daemonsets.apps",
            ),
            (
                "drain w1 --disable-eviction",
                "patch nodes, list pods, get pods, delete pods, get daemonsets.apps",
            ),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let needed: Vec<String> = needed_by(&words).iter().map(Right::words).collect();
            assert_eq!(needed.join(", "), rights, "{line}");
        }
        let lock: Vec<String> = needed_by_lock().iter().map(Right::words).collect();
        assert_eq!(lock[2], "update leases.coordination.k8s.io in kube-system");
    }

    #[test]
    fn a_review_asks_for_the_very_right() {
        let right = Right::refused(&NODES.replace("nodes\" in", "pods/eviction\" in")).expect("a right");
        let asked: Value = serde_json::from_str(&review(Some(&right))).expect("JSON");
        let attributes = &asked["spec"]["resourceAttributes"];
        assert_eq!(
            (&attributes["resource"], &attributes["subresource"]),
            (&json!("pods"), &json!("eviction"))
        );
    }

    /// Only a server that forbids what every authenticated user may is starting, and only one that answers the review is
    /// believed that a right is missing.
    #[test]
    fn a_server_that_starts_is_told_from_a_right_that_is_missing() {
        let review = NODES.replace("nodes", "selfsubjectaccessreviews.authorization.k8s.io");
        let version = "Error from server (Forbidden): forbidden: User \"kubernetes-admin\" cannot get path \"/version\"";
        let (forbidden, no_version) = (fails(&review), fails(version));
        let (yes, no) = (says("{\"status\":{\"allowed\":true}}"), says("{\"status\":{\"allowed\":false}}"));
        let known = says("{\"gitVersion\":\"v1.36.2\"}");
        let away = fails(
            "The connection to the server h:6443 was refused - did you specify the right host or port?",
        );
        let cases = [
            (forbidden, no_version, true, RightState::Starting),
            (forbidden, no_version, false, RightState::Starting),
            (forbidden, known, true, RightState::Unclear),
            (no, known, true, RightState::Missing),
            (no, no_version, true, RightState::Missing),
            (no, known, false, RightState::Unclear),
            (yes, known, true, RightState::Given),
            (yes, known, false, RightState::Unclear),
            (says("yes"), known, true, RightState::Unclear),
            (away, no_version, true, RightState::Unclear),
            (forbidden, away, true, RightState::Unclear),
        ];
        for (review, version, named, expected) in cases {
            assert_eq!(RightState::of(review, version, named), expected, "{review:?} {version:?}");
        }
    }
}
