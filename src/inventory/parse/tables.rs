//! Every mapping of an inventory, key by key: what the parsers read, and what the reference page shows.

use crate::source::{KeyInfo, Table};

const CONNECTION: KeyInfo = KeyInfo::optional(
    "connection",
    "a mapping",
    "How hosts are reached. What `~/.ssh/config` says applies; this is stronger.",
);
const BECOME: KeyInfo = KeyInfo::optional("become", "a mapping", "How root is reached.");
const LABELS: KeyInfo = KeyInfo::optional(
    "labels",
    "a mapping from labels to values",
    "What selectors choose by: `label(zone=a)`.",
);
const VARS: KeyInfo = KeyInfo::optional(
    "vars",
    "a mapping from variables to values",
    "Seen by expressions as `host.vars.NAME`. Plain `true`, `false` and whole numbers are what they look like; the rest is text.",
);

pub(super) const INVENTORY: Table = Table {
    path: "",
    what: "an inventory",
    doc: "The top of the file. What it says of connections and variables holds for every host; what a group says is stronger, and what a host says is strongest.",
    keys: &[
        KeyInfo::required("apiVersion", "`rollbook/v1`", "The format of the file."),
        KeyInfo::required("kind", "`Inventory`", "What the file is."),
        KeyInfo::required("metadata", "a mapping", "Its name."),
        CONNECTION,
        BECOME,
        VARS,
        KeyInfo::required(
            "hosts",
            "a mapping from host names to what is known of each",
            "A name may hold ranges that include both ends and keep their padding: `w[01:12]`.",
        ),
        KeyInfo::optional("groups", "a mapping from group names to groups", "The group `all` always exists."),
        KeyInfo::optional("kube", "a mapping", "What of Kubernetes runs on hosts of its own."),
        KeyInfo::optional(
            "params",
            "a mapping from parameters to values",
            "This fleet's values for parameters of runbooks. Those that a runbook does not declare are not looked at.",
        ),
    ],
};

pub(super) const KUBE: Table = Table {
    path: "kube",
    what: "`kube`",
    doc: "What of Kubernetes runs on hosts of its own.",
    keys: &[KeyInfo::optional("etcd", "a mapping", "An etcd that is not stacked on the control planes.")],
};

pub(super) const ETCD: Table = Table {
    path: "kube.etcd",
    what: "`kube.etcd`",
    doc: "An etcd on hosts of its own. No two of its members are out of service together, and none while another one is not healthy. etcd itself is asked, by etcdctl on the member's host.",
    keys: &[
        KeyInfo::required(
            "hosts",
            "a selector such as `etcd` or `label(role=etcd)`",
            "The hosts of its members.",
        ),
        KeyInfo::optional(
            "cacert",
            "an absolute path",
            "Certificate of etcd's authority on those hosts. Without it etcdctl uses plain HTTP on 127.0.0.1:2379, with it HTTPS.",
        ),
        KeyInfo::optional("cert", "an absolute path", "A client's certificate on those hosts."),
        KeyInfo::optional("key", "an absolute path", "Its key."),
    ],
};

pub(super) const METADATA: Table = Table {
    path: "metadata",
    what: "`metadata`",
    doc: "What people call it.",
    keys: &[
        KeyInfo::required("name", "a name", "Stands in plans and records."),
        KeyInfo::optional("description", "a text", "For readers."),
    ],
};

pub(super) const HOST: Table = Table {
    path: "hosts.NAME",
    what: "a host",
    doc: "A host, or a range of hosts. `w1: {}` says nothing but that it exists.",
    keys: &[
        KeyInfo::optional(
            "address",
            "a text",
            "How ssh reaches it; its name if not written. For a single host only.",
        ),
        KeyInfo::optional(
            "node_name",
            "a text",
            "The name of its Kubernetes node; its name if not written. For a single host only.",
        ),
        CONNECTION,
        BECOME,
        LABELS,
        VARS,
    ],
};

pub(super) const GROUP: Table = Table {
    path: "groups.NAME",
    what: "a group",
    doc: "A set of hosts, by exactly one of `hosts` and `select`. Two groups that say different things of a host are an error, unless the host itself decides.",
    keys: &[
        KeyInfo::optional("hosts", "a list of hosts", "By name, with ranges."),
        KeyInfo::optional(
            "select",
            "a selector such as `label(role=worker)`",
            "Sees the groups that list `hosts`, and the groups above it.",
        ),
        CONNECTION,
        BECOME,
        LABELS,
        VARS,
    ],
};

pub(super) const RECONNECT: Table = Table {
    path: "connection.reconnect",
    what: "`reconnect`, such as `{ attempts: 16, max_delay: 15s }`",
    doc: "How a connection is made again that a run has lost, whatever it was about to do: at once, then after 1 s, 2 s, 4 s and so on. Only then does the host fail as unreachable. A command that was running goes on meanwhile and is found again. The first look at a host, before a run begins, connects once.",
    keys: &[
        KeyInfo::with_default(
            "attempts",
            "a whole number from 1 to 1000",
            "16",
            "So many in a row may fail.",
        ),
        KeyInfo::with_default(
            "max_delay",
            "a duration of 1s or more, such as 15s",
            "15s",
            "The longest pause between two.",
        ),
    ],
};

pub(super) const BECOME_KEYS: Table = Table {
    path: "become",
    what: "`become`, such as `{ method: sudo }`",
    doc: "How root is reached on a host.",
    keys: &[KeyInfo::required(
        "method",
        "`sudo` or `none`",
        "`sudo -n`, which never asks; or nothing, where the user is root. `sudo` if `become` is not written.",
    )],
};
