//! What a look of `wait` saw. An API that is away says nothing about the node: the next look may tell.

use super::WaitArgs;
use crate::kubernetes::node::NodeRow;
use crate::kubernetes::pod::parse_pods;
use crate::kubernetes::some_of;
use crate::op::ProbeOutput;
use crate::step::build::{exactly, refused, satisfied};
use crate::step::node_state::{api_away, no_such_node, read_nodes, succeeded, unreadable_rows};
use crate::step::{AssessError, Assessment, Subject};
use crate::value::{KubeVersion, Version, escape_quoted};

/// Reads the answers of the one look that the arguments ask for.
pub(super) fn assess(
    args: &WaitArgs,
    subject: &Subject,
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    if let Some(port) = args.port {
        let [four, six] = exactly::<2>(answers)?;
        return Ok(port_state(port, &[four, six]));
    }
    let [answer] = exactly::<1>(answers)?;
    let asks_the_api = args.node.is_some() || args.nodes.is_some() || args.pods.is_some();
    if let Some(away) = api_away(answer).filter(|_| asks_the_api) {
        return Ok(away);
    }
    if args.node.is_some() {
        let rows = read_nodes(answer)?;
        return Ok(rows
            .first()
            .map_or_else(|| no_such_node(subject), |row| node_state(row, args.kubelet.as_ref())));
    }
    if args.nodes.is_some() {
        return Ok(nodes_state(&read_nodes(answer)?));
    }
    if args.pods.is_some() {
        return pods_state(answer);
    }
    Ok(command_state(args, answer))
}

fn not_yet(reason: String) -> Assessment {
    Assessment::NotYet { reason }
}

fn node_state(row: &NodeRow<'_>, kubelet: Option<&Version>) -> Assessment {
    if !row.is_ready() {
        return not_yet(format!("node {} is {}", row.name, row.condition()));
    }
    let reported = KubeVersion::parse(row.kubelet_version).ok();
    match kubelet {
        Some(wanted) if !reported.is_some_and(|is| wanted.includes(&is)) => not_yet(format!(
            "node {} is Ready, and its kubelet reports {}, not {wanted}",
            row.name, row.kubelet_version
        )),
        _ => satisfied(format!("node {} is Ready with kubelet {}", row.name, row.kubelet_version)),
    }
}

fn nodes_state(rows: &[NodeRow<'_>]) -> Assessment {
    let sick: Vec<_> = rows
        .iter()
        .filter(|row| !row.is_ready())
        .map(|row| format!("{} is {}", row.name, row.condition()))
        .collect();
    match (rows.len(), sick.is_empty()) {
        (0, _) => not_yet("the cluster has no nodes".to_owned()),
        (n, true) => satisfied(format!("all {n} nodes are Ready")),
        (n, false) => not_yet(format!("{} of {n} nodes: {}", sick.len(), some_of(&sick))),
    }
}

fn pods_state(answer: &ProbeOutput) -> Result<Assessment, AssessError> {
    let command = "kubectl get pods";
    succeeded(command, answer)?;
    let pods = parse_pods(&answer.stdout).map_err(|error| unreadable_rows(command, &error))?;
    let living: Vec<_> = pods.iter().filter(|pod| !pod.is_finished() && !pod.deleting).collect();
    let sick: Vec<_> = living.iter().filter(|pod| !pod.ready).map(|pod| pod.path()).collect();
    Ok(match (living.len(), sick.is_empty()) {
        (0, _) => not_yet("no pod is selected".to_owned()),
        (n, true) => satisfied(format!("all {n} pods are Ready")),
        (n, false) => not_yet(format!("{} of {n} pods are not Ready: {}", sick.len(), some_of(&sick))),
    })
}

/// Whether a table of the kernel has a socket that listens on the port. The second column is `address:port` in
/// hexadecimal and the fourth the state, 0A for listening (proc_net_tcp in the kernel's documentation). A host
/// without IPv6 has no second table.
fn port_state(port: i64, tables: &[&ProbeOutput]) -> Assessment {
    let listens = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let local = columns.next().and_then(|address| address.rsplit_once(':'));
        let number = local.and_then(|(_, port)| i64::from_str_radix(port, 16).ok());
        number == Some(port) && columns.nth(1) == Some("0A")
    };
    if tables.iter().any(|table| table.stdout.lines().any(listens)) {
        return satisfied(format!("port {port} is open"));
    }
    not_yet(format!("nothing listens on port {port}"))
}

fn command_state(args: &WaitArgs, answer: &ProbeOutput) -> Assessment {
    if answer.ok() {
        return satisfied("as wanted");
    }
    if answer.rc == 127 {
        let command = args.command.as_ref().and_then(|words| words.first());
        let program = if args.url.is_some() { "curl" } else { command.map_or("test", String::as_str) };
        return refused(
            format!("there is no program `{program}` on the host"),
            "install it, or wait for something else",
        );
    }
    let said = answer.stderr.lines().chain(answer.stdout.lines()).find(|line| !line.trim().is_empty());
    let said: String = said.unwrap_or_default().chars().take(200).collect();
    let what = args.url.as_deref().or(args.file.as_deref()).unwrap_or("the command");
    match (args.file.is_some(), said.is_empty()) {
        (true, true) => not_yet(format!("{what} is not there")),
        (_, true) => not_yet(format!("{what} ends with {}", answer.rc)),
        (_, false) => not_yet(format!("{what} ends with {}: {}", answer.rc, escape_quoted(&said))),
    }
}
