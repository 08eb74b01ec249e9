//! Every mapping of an inventory, key by key: what the parsers read, and what the reference page shows.

use std::sync::LazyLock;

use super::etcd::Kube;
use super::root::BecomeKeys;
use crate::source::{FromNode, Metadata};
use crate::value::{Duration, Field, Table, Type, Value};

fn seconds(seconds: u64) -> Value {
    Value::Duration(Duration::from_secs(seconds))
}

fn word(word: &str) -> Value {
    Value::Str(word.to_owned())
}

fn connection() -> Field {
    Field::optional(
        "connection",
        CONNECTION_KEYS.ty(),
        "How hosts are reached. What `~/.ssh/config` says applies; this is stronger.",
    )
}

fn r#become() -> Field {
    Field::optional("become", BecomeKeys::ty(), "How root is reached.")
}

fn labels() -> Field {
    Field::optional(
        "labels",
        Type::Str.mapped().called("a mapping from labels to values"),
        "What selectors choose by: `label(zone=a)`.",
    )
}

fn vars() -> Field {
    Field::optional(
        "vars",
        Type::Any.mapped().called("a mapping from variables to values"),
        "Seen by expressions as `host.vars.NAME`. Plain `true`, `false` and whole numbers are what they look like; the rest is text.",
    )
}

/// An inventory.
pub static INVENTORY: Table = Table {
    path: "",
    what: "an inventory",
    doc: "The top of the file. What it says of connections and variables holds for every host; what a group says is stronger, and what a host says is strongest.",
    fields: LazyLock::new(|| {
        vec![
            Field::required("apiVersion", Type::words(&["rollbook/v1"]), "The format of the file."),
            Field::required("kind", Type::words(&["Inventory"]), "What the file is."),
            Field::required("metadata", Metadata::ty(), "Its name."),
            connection(),
            r#become(),
            vars(),
            Field::required(
                "hosts",
                HOST.ty().mapped().called("a mapping from host names to what is known of each"),
                "A name may hold ranges that include both ends and keep their padding: `w[01:12]`.",
            ),
            Field::optional(
                "groups",
                GROUP.ty().mapped().called("a mapping from group names to groups"),
                "The group `all` always exists.",
            ),
            Field::optional("kube", Kube::ty(), "What of Kubernetes runs on hosts of its own."),
            Field::optional(
                "params",
                Type::Any.mapped().called("a mapping from parameters to values"),
                "This fleet's values for parameters of runbooks. Those that a runbook does not declare are not looked at.",
            ),
        ]
    }),
};

pub(super) static HOST: Table = Table {
    path: "hosts.NAME",
    what: "a host",
    doc: "A host, or a range of hosts. `w1: {}` says nothing but that it exists.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional(
                "address",
                Type::Str,
                "How ssh reaches it; its name if not written. For a single host only.",
            ),
            Field::optional(
                "node_name",
                Type::Str,
                "The name of its Kubernetes node; its name if not written. For a single host only.",
            ),
            connection(),
            r#become(),
            labels(),
            vars(),
        ]
    }),
};

pub(super) static GROUP: Table = Table {
    path: "groups.NAME",
    what: "a group",
    doc: "A set of hosts, by exactly one of `hosts` and `select`. Two groups that say different things of a host are an error, unless the host itself decides.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional("hosts", Type::Str.listed().called("a list of hosts"), "By name, with ranges."),
            Field::optional(
                "select",
                Type::Str.called("a selector such as `label(role=worker)`"),
                "Sees the groups that list `hosts`, and the groups above it.",
            ),
            connection(),
            r#become(),
            labels(),
            vars(),
        ]
    }),
};

pub(super) static CONNECTION_KEYS: Table = Table {
    path: "connection",
    what: "`connection`",
    doc: "How hosts are reached, at the top, at a group or at a host.",
    fields: LazyLock::new(|| {
        vec![
        Field::with_default("transport", Type::either(&["ssh", "local"]), word("ssh"), "`local` is this machine, without ssh."),
        Field::optional("user", Type::Str.called("a user name, without spaces and not beginning with `-`"), "Who logs in; ssh's own choice if not written."),
        Field::optional("port", Type::Whole { least: 1, most: Some(65535) }.called("a port from 1 to 65535"), "ssh's own choice if not written."),
        Field::optional("jump", Type::Str.called("jump hosts such as `ops@bastion.example.com:22`, separated by commas"), "As ssh's `ProxyJump`; `none` overrules a group's."),
        Field::optional("identity_file", Type::Str.called("a path"), "A private key."),
        Field::optional("ssh_config", Type::Str.called("a path"), "Read in place of `~/.ssh/config`; the system's own still applies."),
        Field::optional("known_hosts", Type::Str.called("a path"), "Read in place of `~/.ssh/known_hosts`."),
        Field::with_default("host_key", Type::either(&["strict", "accept_new"]), word("strict"), "`strict` talks to hosts whose key is known; `accept_new` also to those that have none yet."),
        Field::with_default("connect_timeout", Type::Duration.called("a duration such as 10s"), seconds(10), "Of a connection being set up."),
        Field::optional("remote_dir", Type::Str.called("an absolute path without `..`, not below /tmp, /var/tmp or /dev/shm, where anybody may write"), "Where the launcher keeps its records on the host: `/var/lib/rollbook` with `become`, else below the user's home."),
        Field::optional("reconnect", RECONNECT.ty(), "How a connection that a run has lost is made again; see below."),
    ]
    }),
};

pub(super) static RECONNECT: Table = Table {
    path: "connection.reconnect",
    what: "`reconnect`, such as `{ attempts: 16, max_delay: 15s }`",
    doc: "How a connection is made again that a run has lost, whatever it was about to do: at once, then after 1 s, 2 s, 4 s and so on. Only then does the host fail as unreachable. A command that was running goes on meanwhile and is found again. The first look at a host, before a run begins, connects once.",
    fields: LazyLock::new(|| {
        vec![
            Field::with_default(
                "attempts",
                Type::Whole { least: 1, most: Some(1000) },
                Value::Int(16),
                "So many in a row may fail.",
            ),
            Field::with_default(
                "max_delay",
                Type::Duration.called("a duration of 1s or more, such as 15s"),
                seconds(15),
                "The longest pause between two.",
            ),
        ]
    }),
};
