//! What etcd itself says: the revisions that it went through, each with the key that was written.

use std::collections::BTreeSet;

use crate::lab::Lab;

const ETCDCTL: &str = "ETCDCTL_API=3 etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt \
    --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key";

/// What is written all the time though nobody wants anything: leases of kubelets, leaders and API servers, the status of
/// nodes and pods, what follows from that, and the mark of the last compaction. That nodes and pods changed in nothing but
/// their status is for the audit log to say.
const HEARTBEATS: &[&str] = &[
    "/registry/leases/kube-node-lease/",
    "/registry/leases/kube-system/kube-controller-manager",
    "/registry/leases/kube-system/kube-scheduler",
    "/registry/masterleases/",
    "/registry/events/",
    "/registry/minions/",
    "/registry/pods/",
    "/registry/services/endpoints/",
    "/registry/endpointslices/",
    "compact_rev_key",
];

/// The revision that etcd is at.
pub(crate) fn revision(lab: &Lab) -> u64 {
    let status = lab.root("cp1", &format!("{ETCDCTL} endpoint status -w fields"));
    let revision = status.lines().find_map(|line| line.strip_prefix("\"Revision\" : "));
    revision.and_then(|revision| revision.parse().ok()).expect("etcd names its revision")
}

/// The keys that were written since that revision and that are no heartbeats. Looks at every single revision.
#[track_caller]
pub(crate) fn written_since(lab: &Lab, revision: u64) -> BTreeSet<String> {
    let (first, last) = (revision + 1, self::revision(lab));
    if first > last {
        return BTreeSet::new();
    }
    // The history from there, up to the line that ends it; the next heartbeat ends the watch.
    let history = format!("timeout 60 env {ETCDCTL} watch '' --prefix --rev={first} -w fields");
    let history = lab.root(
        "cp1",
        &format!("{history} | grep -aE '^\"(Key|ModRevision)\" : ' | sed '/^\"ModRevision\" : {last}$/q'"),
    );
    let (mut keys, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for line in history.lines() {
        if let Some(key) = line.strip_prefix("\"Key\" : ") {
            keys.insert(key.trim_matches('"').to_owned());
        } else if let Some(revision) = line.strip_prefix("\"ModRevision\" : ") {
            seen.insert(revision.parse::<u64>().expect("a revision is a number"));
        }
    }
    assert!(seen.iter().copied().eq(first..=last), "revisions {first} to {last}, seen {seen:?}");
    keys.retain(|key| !HEARTBEATS.iter().any(|heartbeat| key.starts_with(heartbeat)));
    keys
}
