//! Inventories by example: what they give, and what their mistakes say.

use std::fmt::Write as _;

use crate::inventory::{Become, HostKeyPolicy, Inventory, Reconnect, TransportKind, parse};
use crate::source::{self, Diagnostics, Limits, SourceMap};
use crate::value::{Duration, Value};

fn read(text: &str) -> Result<Inventory, String> {
    let mut sources = SourceMap::default();
    let file = sources.add("inventory.yaml", text);
    let mut diagnostics = Diagnostics::default();
    let tree = source::parse(&sources, file, Limits::default(), &mut diagnostics);
    let inventory = tree.and_then(|tree| parse(&tree, &mut diagnostics));
    inventory.ok_or_else(|| {
        let mut out = String::new();
        for item in diagnostics.items() {
            let (line, column) = item.span.map_or((0, 0), |span| sources.line_column(span));
            write!(out, "{} {line}:{column} {}", item.code, item.message).unwrap();
            for hint in &item.hints {
                write!(out, " ({hint})").unwrap();
            }
            out.push('\n');
        }
        out
    })
}

/// `body` below a good header of three lines.
fn body(body: &str) -> Result<Inventory, String> {
    read(&format!("apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: test }}\n{body}"))
}

#[test]
fn ranges_groups_and_levels_come_together() {
    let inventory = body(
        "connection: { user: ops, connect_timeout: 3s, jump: bastion.example.com, reconnect: { attempts: 5 } }
become: { method: none }
vars: { tier: low, retries: 3 }
hosts:
  cp[1:2].x: { labels: { role: cp, version: 1.30 } }
  w[01:03].x: { labels: { role: worker } }
  w04.x:
    address: 10.0.0.4
    node_name: w4
    become: { method: sudo }
    connection: { user: root, port: 2222, host_key: accept_new, transport: local, remote_dir: /opt/rb }
    labels: { role: worker, zone: c }
    vars: { tier: high, no: no, flag: true, list: [1, 1.30, \"2\"], seven: 007 }
groups:
  workers: { select: \"label(role=worker)\", vars: { retries: 5 } }
  zone_a: { hosts: [\"w[01:02].x\", w03.x], labels: { zone: a }, connection: { user: admin, reconnect: { max_delay: 1m } } }
  in_a: { select: \"label(zone=a) & !w03.x\" }
params: { drain_timeout: 20m }
",
    )
    .unwrap();
    let names: Vec<_> = inventory.hosts.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["cp1.x", "cp2.x", "w01.x", "w02.x", "w03.x", "w04.x"]);
    let members = |group: &str| {
        inventory.groups[group].hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(inventory.groups.keys().collect::<Vec<_>>(), ["all", "workers", "zone_a", "in_a"]);
    assert_eq!(members("all"), "cp1.x cp2.x w01.x w02.x w03.x w04.x");
    assert_eq!(members("workers"), "w01.x w02.x w03.x w04.x");
    assert_eq!(members("in_a"), "w01.x w02.x");

    let host = &inventory.hosts["w01.x"];
    assert_eq!(host.address, "w01.x");
    assert_eq!(host.connection.user.as_deref(), Some("admin"), "group over top");
    assert_eq!(host.connection.jump.as_deref(), Some("bastion.example.com"));
    assert_eq!(host.connection.connect_timeout, Duration::from_secs(3));
    let Reconnect { attempts, max_delay } = host.connection.reconnect;
    assert_eq!((attempts, max_delay), (5, Duration::from_secs(60)), "each by itself");
    assert_eq!(
        (host.connection.transport, host.connection.host_key),
        (TransportKind::Ssh, HostKeyPolicy::Strict)
    );
    assert_eq!(host.r#become, Become::None);
    assert_eq!(host.labels["zone"], "a");
    assert_eq!(host.groups, ["workers", "zone_a", "in_a"]);
    assert_eq!(host.vars["retries"], Value::Int(5), "group over top");
    assert_eq!(host.vars["tier"], Value::Str("low".to_owned()));

    let host = &inventory.hosts["w04.x"];
    assert_eq!((host.address.as_str(), host.node_name.as_deref()), ("10.0.0.4", Some("w4")));
    assert_eq!((host.connection.user.as_deref(), host.connection.port), (Some("root"), Some(2222)));
    assert_eq!(host.connection.remote_dir.as_deref(), Some("/opt/rb"));
    assert_eq!(
        (host.connection.transport, host.connection.host_key, host.r#become),
        (TransportKind::Local, HostKeyPolicy::AcceptNew, Become::Sudo)
    );
    let text = |text: &str| Value::Str(text.to_owned());
    assert_eq!(host.vars["tier"], text("high"), "host over top");
    assert_eq!((&host.vars["no"], &host.vars["flag"]), (&text("no"), &Value::Bool(true)));
    assert_eq!(host.vars["list"], Value::List(vec![Value::Int(1), text("1.30"), text("2")]));
    assert_eq!(host.vars["seven"], text("007"));
    assert_eq!(inventory.hosts["cp1.x"].labels["version"], "1.30");
    assert_eq!(inventory.params[0].0.value, "drain_timeout");
}

#[test]
fn a_host_settles_what_its_groups_disagree_on() {
    let groups =
        "groups:\n  a: { hosts: [w1], vars: { x: 1, y: 1 } }\n  b: { hosts: [w1], vars: { x: 2, y: 1 } }\n";
    assert_eq!(
        body(&format!("hosts: {{ w1: {{}} }}\n{groups}")).unwrap_err(),
        "RB0405 7:32 the groups `a` and `b` disagree on the variable `x` of `w1` \
         (write the value at the host `w1`, or in one of the two groups only)\n"
    );
    let inventory = body(&format!("hosts: {{ w1: {{ vars: {{ x: 3 }} }} }}\n{groups}")).unwrap();
    assert_eq!(inventory.hosts["w1"].vars["x"], Value::Int(3));
}

#[test]
fn disagreement_is_found_for_connections_and_between_three_groups() {
    let text = "hosts: { \"w[1:3]\": {} }
groups:
  a: { hosts: [\"w[1:3]\"], connection: { user: x } }
  b: { select: \"w1 | w2\", connection: { user: y } }
  c: { select: \"w3\", connection: { user: z } }
";
    let found = body(text).unwrap_err();
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.contains("`a` and `b` disagree on `connection.user` of `w1`"), "{found}");
    assert!(found.contains("`a` and `c` disagree on `connection.user` of `w3`"), "{found}");
}

#[test]
fn every_mistake_is_reported_in_one_go() {
    for (text, expected) in [
        ("hosts: {}\n", "RB0110 4:8 expected at least one host, found an empty mapping\n"),
        (
            "hosts: [w1]\n",
            "RB0110 4:8 expected a mapping from host names to what is known of each, found a list \
             (write `hosts: { w1.example.com: {}, w2.example.com: {} }`)\n",
        ),
        ("hosts: { \"w[1:3]\": , w2: }\n", "RB0402 4:22 the host `w2` is defined twice\n"),
        ("hosts: { \"w[3:1]\": {} }\n", "RB0401 4:12 the range `[3:1]` runs backwards\n"),
        (
            "hosts: { \"-oProxyCommand=id\": {} }\n",
            "RB0401 4:10 `-oProxyCommand=id` is no host name: a host name begins with a letter or a digit\n",
        ),
        (
            "hosts: { \"a;b\": {}, \"a b\": {} }\n",
            "RB0401 4:10 `a;b` is no host name: a host name holds only letters, digits, `.`, `-` and `_`\n\
             RB0401 4:21 `a b` is no host name: a host name holds only letters, digits, `.`, `-` and `_`\n",
        ),
        (
            "hosts: { w1: { ansible_host: 10.0.0.1, adress: x } }\n",
            "RB0111 4:16 unknown key `ansible_host` in a host (write `address:`)\n\
             RB0111 4:40 unknown key `adress` in a host (did you mean `address`?)\n",
        ),
        (
            "hosts: { \"w[1:2]\": { address: 10.0.0.1 } }\n",
            "RB0406 4:22 `address` belongs to one host, and this is a range of them (write that host as an entry of its own)\n",
        ),
        (
            "hosts: { w1: { address: ops@w1 }, w2: { address: \"10.0.0.1:22\" }, w3: { address: -x }, w4: { node_name: W4 } }\n",
            "RB0406 4:25 `ops@w1` is no address (write the user as `connection: { user: … }`)\n\
             RB0406 4:50 `10.0.0.1:22` is no address (write the port as `connection: { port: … }`)\n\
             RB0406 4:82 `-x` is no address (write a DNS name, an IPv4 or an IPv6 address)\n\
             RB0406 4:105 `W4` is no node name (write the name that `kubectl get nodes` shows)\n",
        ),
        (
            "connection: { user: -x, port: 0, host_key: off, connect_timeout: 10, remote_dir: /a/../b }\nhosts: { w1: }\n",
            "RB0110 4:21 expected a user name, without spaces and not beginning with `-`, found `-x`\n\
             RB0110 4:31 expected a port from 1 to 65535, found `0`\n\
             RB0110 4:44 expected `strict` or `accept_new`, found `off`\n\
             RB0110 4:66 expected a duration such as 10s, found `10` (a number needs a unit: write `10s` for seconds or `10m` for minutes)\n\
             RB0110 4:82 expected an absolute path without `..`, not below /tmp, /var/tmp or /dev/shm, where anybody may \
             write, found `/a/../b`\n",
        ),
        (
            "connection: { reconnect: { attempts: 0, max_delay: 500ms, delay: 3s } }\nhosts: { w1: }\n",
            "RB0110 4:38 expected a whole number from 1 to 1000, found `0`\n\
             RB0110 4:52 expected a duration of 1s or more, such as 15s, found `500ms`\n\
             RB0111 4:59 unknown key `delay` in `reconnect` (the first pause is 1 s, and each is twice as long; write `max_delay:`)\n",
        ),
        (
            "hosts: { w1: { labels: { zone: \"a b\", \"k k\": v, role: } } }\n",
            "RB0110 4:32 expected a label value of letters, digits, `.`, `_` and `-`, found `a b`\n\
             RB0406 4:39 `k k` is no label (use letters, digits, `.`, `_`, `-` and `/`)\n\
             RB0110 4:49 expected a label value of letters, digits, `.`, `_` and `-`, found nothing\n",
        ),
        (
            "hosts: { w1: { vars: { a: \"{{ params.x }}\" } } }\n",
            "RB0406 4:27 variables of an inventory hold no templates \
             (write the value, or build it in the runbook from `host.name` and other variables)\n",
        ),
        (
            "hosts: { w1: }\ngroups:\n  all: { hosts: [w1] }\n  w1: { hosts: [w1] }\n  \"a b\": { hosts: [w1] }\n  c: {}\n  d: { hosts: [w1], select: w1 }\n",
            "RB0403 6:3 the group `all` always exists and cannot be defined (variables of every host stand in `vars:` at the top)\n\
             RB0403 7:3 `w1` is the name of a host and of a group (a selector could not tell them apart: rename the group)\n\
             RB0403 8:3 `a b` is no group name: a group name holds only letters, digits, `.`, `-` and `_`\n\
             RB0403 9:3 the group `c` has no hosts (write `hosts: [w1, w2]` or `select: \"label(role=worker)\"`)\n\
             RB0403 10:21 the group `d` has both `hosts` and `select` (keep one of them; `select` can name hosts too: `label(role=worker) | w1`)\n",
        ),
        (
            "hosts: { node1: }\ngroups: { a: { hosts: [node2, \"n*\", b] }, b: { children: [a], hosts: [node1] } }\n",
            "RB0111 5:48 unknown key `children` in a group (write `select: \"a | b\"` with the names of the groups)\n\
             RB0404 5:24 the host `node2` is not defined (did you mean `node1`?)\n\
             RB0404 5:31 `n*` is no host (`hosts` lists hosts; write `select: \"n*\"` instead)\n\
             RB0404 5:37 `b` is no host (`hosts` lists hosts; write `select: \"b\"` instead)\n",
        ),
        (
            "hosts: { w1: { labels: { role: worker } } }\ngroups: { a: { select: label(role=wroker) }, b: { select: \"w1:w2\" }, c: { select: d }, d: { select: w1 } }\n",
            "RB0411 5:24 no host has the label `role` with the value `wroker` (values of `role`: `worker`) \
             (a `select` sees the groups that list `hosts`, and the groups above it)\n\
             RB0410 5:62 unexpected `:` (write `w1 | w2`; `|` unites, `&` intersects, `!` excludes)\n\
             RB0411 5:83 no host and no group is named `d` (a `select` sees the groups that list `hosts`, and the groups above it)\n",
        ),
        (
            "all: { hosts: { w1: } }\n",
            "RB0112 1:1 an inventory needs `hosts` (write `hosts: { w1.example.com: {} }`)\n\
             RB0111 4:1 unknown key `all` in an inventory (the group `all` always exists: write `hosts:` and `groups:` at the top)\n",
        ),
    ] {
        assert_eq!(body(text).map(|_| ()).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn the_header_says_what_the_file_is() {
    for (text, expected) in [
        (
            "apiVersion: v1\nkind: Runbook\nhosts: { w1: }\n",
            "RB0400 1:13 `apiVersion` of an inventory is `rollbook/v1`\n\
             RB0400 2:7 `kind` of an inventory is `Inventory` (this is a runbook: it comes first, and the inventory behind `-i`)\n",
        ),
        (
            "[w1, w2]\n",
            "RB0400 1:1 an inventory is a mapping (begin with `apiVersion: rollbook/v1`, `kind: Inventory` and `hosts:`)\n",
        ),
    ] {
        assert_eq!(read(text).map(|_| ()).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn ten_thousand_hosts_are_read_at_once() {
    let inventory = body(
        "hosts: { \"n[00001:10000]\": { labels: { role: w } } }
groups:
  a: { hosts: [\"n[00001:09000]\"], labels: { zone: a } }
  b: { select: \"label(zone=a) & label(role=w)\" }
",
    )
    .unwrap();
    assert_eq!(inventory.groups["b"].hosts.len(), 9000);
}

#[test]
fn records_never_lie_where_anybody_may_write() {
    for (path, good) in [
        ("/var/lib/rollbook", true),
        ("/tmpfiles", true),
        ("/tmp", false),
        ("/tmp/rollbook", false),
        ("/var/tmp/rollbook", false),
        ("/dev/shm/x", false),
        ("relative", false),
        ("~/rollbook", false),
        ("/", false),
    ] {
        assert_eq!(super::settings::remote_dir(path).is_some(), good, "{path}");
    }
}

/// A default of the reference page is what leaving the key out means.
#[test]
fn defaults_of_the_connection_are_those_of_the_parser() {
    let written = super::tables::CONNECTION_KEYS.defaults();
    assert!(written.contains("transport"), "{written}");
    let long = body(&format!("connection: {written}\nhosts: {{ w1: {{}} }}\n")).unwrap();
    let short = body("hosts: { w1: {} }\n").unwrap();
    assert_eq!(long.hosts[0].connection, short.hosts[0].connection);
}
