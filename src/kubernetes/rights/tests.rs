//! Rights of calls of kubectl, what reviews mean, and how refusals read.

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
        ("patch node w1 --type=json -p []", "patch nodes w1"),
        ("annotate node w1 rollbook.dev/kubeadm-node=1.31.4 --overwrite", "patch nodes w1"),
        ("label nodes w1 w2 zone- a=b", "patch nodes w1, patch nodes w2"),
        ("taint nodes -l zone=a key=v:NoSchedule", "patch nodes"),
        ("patch deployment web -p {}", ""),
        ("cordon w1", "patch nodes w1"),
        ("cordon", "patch nodes"),
        ("delete nodes/w1", "delete nodes w1"),
        ("delete pod web-1 -n shop", "delete pods web-1 in shop"),
        ("delete -nshop pod/web-1 pod/web-2", "delete pods web-1 in shop, delete pods web-2 in shop"),
        ("delete --namespace shop po -l app=web", "delete pods in shop"),
        ("delete pods -A -l app=web", "delete pods"),
        ("delete pod web-1", ""),
        ("delete pod web-1 -n shop --dry-run=client", ""),
        ("get nodes", ""),
        (
            "drain w1 --timeout=1m",
            "patch nodes w1, list pods, get pods, create pods/eviction, get daemonsets.apps",
        ),
        (
            "drain w1 --disable-eviction",
            "patch nodes w1, list pods, get pods, delete pods, get daemonsets.apps",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let needed: Vec<String> = needed_by(&words).iter().map(Right::words).collect();
        assert_eq!(needed.join(", "), rights, "{line}");
    }
}

#[test]
fn a_call_with_an_account_of_its_own_needs_no_right_of_this_one() {
    for flag in ["--kubeconfig=a", "--context a", "--as bot", "--token=t", "--server https://h:6443", "-s h"]
    {
        let line = format!("delete node w1 {flag}");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(needed_by(&words), [], "{line}");
    }
}

#[test]
fn the_lock_needs_to_make_a_lease_only_where_there_is_none() {
    let needed = |has_lease| {
        let words: Vec<String> = needed_by_lock(has_lease).iter().map(Right::words).collect();
        words.join(", ").replace(".coordination.k8s.io", "")
    };
    let existing = "get leases rollbook in kube-system, update leases rollbook in kube-system";
    assert_eq!([needed(Some(true)), needed(None)], [existing, existing]);
    assert!(needed(Some(false)).contains(", create leases in kube-system, "));
}

#[test]
fn a_review_asks_for_the_very_object() {
    let needed = needed_by(&["delete", "pod", "web-1", "-n", "shop"]);
    let asked: Value = serde_json::from_str(&review(needed.first())).expect("JSON");
    let attributes = &asked["spec"]["resourceAttributes"];
    assert_eq!((&attributes["namespace"], &attributes["name"]), (&json!("shop"), &json!("web-1")));
}

#[test]
fn a_review_asks_for_the_very_right() {
    let right = Right::refused(&NODES.replace("nodes\" in", "pods/eviction\" in")).expect("a right");
    let asked: Value = serde_json::from_str(&review(Some(&right))).expect("JSON");
    let attributes = &asked["spec"]["resourceAttributes"];
    assert_eq!((&attributes["resource"], &attributes["subresource"]), (&json!("pods"), &json!("eviction")));
}

/// Only a server that forbids what every authenticated user may is starting, and only one that answers the review is
/// believed that a right is missing.
#[test]
fn a_server_that_starts_is_told_from_a_right_that_is_missing() {
    let review = NODES.replace("nodes", "selfsubjectaccessreviews.authorization.k8s.io");
    let version =
        "Error from server (Forbidden): forbidden: User \"kubernetes-admin\" cannot get path \"/version\"";
    let (forbidden, no_version) = (fails(&review), fails(version));
    let (yes, no) = (says("{\"status\":{\"allowed\":true}}"), says("{\"status\":{\"allowed\":false}}"));
    let known = says("{\"gitVersion\":\"v1.36.2\"}");
    let away =
        fails("The connection to the server h:6443 was refused - did you specify the right host or port?");
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
