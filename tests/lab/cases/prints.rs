//! Fingerprints: what is on the hosts, told so that any change shows.

use std::collections::BTreeMap;

use crate::lab::Lab;

/// Files of Kubernetes, apt and Rollbook by content, packages, and since when units run.
const SCRIPT: &str = r"
find /etc/kubernetes /etc/apt /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env -type f -exec sha256sum {} +  | sort -k2
find /var/lib/rollbook /var/lib/apt/lists /var/cache/apt/archives ! -name '*lock*' ! -name '*.bin' -printf '%y %p %s %T@\n' 2>/dev/null | sort
sha256sum /var/lib/dpkg/status
dpkg-query -W -f '${db:Status-Want} ${db:Status-Status} ${Package} ${Version}\n'
systemctl show -p Id -p ActiveEnterTimestampMonotonic -p NRestarts kubelet containerd ssh
";

/// Lines by host.
pub(crate) type Prints = BTreeMap<String, Vec<String>>;

/// What is on every host.
pub(crate) fn of_hosts(lab: &Lab) -> Prints {
    let hosts = lab.hosts().iter();
    hosts.map(|host| (host.clone(), lab.root(host, SCRIPT).lines().map(str::to_owned).collect())).collect()
}

/// Fails, and shows the lines that differ, when anything is another than before.
#[track_caller]
pub(crate) fn must_be_equal(before: &Prints, after: &Prints) {
    let mut changes = Vec::new();
    for (host, lines) in before {
        let now = &after[host];
        changes
            .extend(lines.iter().filter(|line| !now.contains(line)).map(|line| format!("{host} - {line}")));
        changes
            .extend(now.iter().filter(|line| !lines.contains(line)).map(|line| format!("{host} + {line}")));
    }
    assert!(changes.is_empty(), "something changed on the hosts:\n{}", changes.join("\n"));
}
