//! `rollbook doctor`: can every host be reached, read and worked on? Changes nothing.

use std::fmt::Write;
use std::rc::Rc;

use super::args::Doctor as Args;
use super::compose::{Connections, runtime, targets};
use super::load::{load_inventory, selected};
use super::outcome::{Outcome, Stopped};
use super::terminal::Terminal;
use crate::executor::{Depth, Pool, Survey, survey};
use crate::facts::HostFacts;
use crate::inventory::{Become, HostName, Inventory};
use crate::op::{Probe, Query, Site};
use crate::report::exit;
use crate::value::Duration;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let inventory = load_inventory(&args.inventory, terminal)?;
    let hosts = selected(&args.selector, "the selector", &inventory, terminal)?;
    let (found, without_root) = runtime()?.block_on(look(&inventory, &hosts))?;
    let mut out = String::new();
    let mut sound = true;
    for host in &hosts {
        let problems = problems(&found, &without_root, host);
        sound &= problems.is_empty();
        let line = if problems.is_empty() { "ok".to_owned() } else { problems.join("\n      ") };
        writeln!(out, "{host}  {line}").expect("invariant: writing to a string works");
    }
    terminal.data(&out)?;
    if sound { Ok(exit::OK) } else { Err(Stopped::Told(exit::FAILED)) }
}

async fn look(
    inventory: &Inventory,
    hosts: &[HostName],
) -> anyhow::Result<(Survey, Vec<(HostName, String)>)> {
    let connections = Connections::real(targets(inventory))?;
    let found =
        survey(&connections.pool, &connections.controller, hosts, Depth::Facts, None, &mut |_, _| {}).await;
    let mut without_root = Vec::new();
    for host in hosts.iter().filter(|host| found.hosts.contains_key(*host)) {
        if inventory.hosts[host].r#become == Become::Sudo
            && let Some(reason) = root_problem(&connections.pool, host).await
        {
            without_root.push((host.clone(), reason));
        }
    }
    connections.close().await;
    Ok((found, without_root))
}

/// Why root cannot be reached on a host, if it cannot.
async fn root_problem(pool: &Rc<Pool>, host: &HostName) -> Option<String> {
    let argv = vec!["id".to_owned(), "-u".to_owned()];
    let query = Query { argv, stdin: String::new(), site: None, r#become: None };
    let probe =
        Probe { site: Site::Subject, queries: vec![query], r#become: true, timeout: Duration::from_secs(20) };
    let session = pool.session(host).await.ok()?;
    match session.probe(&probe).await {
        Ok(answers) if answers.first().is_some_and(|answer| answer.stdout.trim() == "0") => None,
        Ok(answers) => Some(format!(
            "`sudo -n` gives uid {}",
            answers.first().map_or("?", |answer| answer.stdout.trim())
        )),
        Err(error) => Some(error.to_string()),
    }
}

/// Free space below which packages and etcd get into trouble.
const LOW_DISK: u64 = 1 << 30;

fn problems(found: &Survey, without_root: &[(HostName, String)], host: &HostName) -> Vec<String> {
    if let Some(failure) = found.failed.get(host) {
        let hint = if failure.hint.is_empty() { String::new() } else { format!(" (hint: {})", failure.hint) };
        return vec![format!("{}{hint}", failure.message)];
    }
    let Some(facts) = found.hosts.get(host) else { return vec!["was not looked at".to_owned()] };
    let HostFacts { dpkg_broken, systemd, disks, machine_id, .. } = facts;
    let mut problems: Vec<String> =
        without_root.iter().filter(|(name, _)| name == host).map(|(_, reason)| reason.clone()).collect();
    if *dpkg_broken {
        problems.push("dpkg has half-installed packages; `dpkg --audit` names them".to_owned());
    }
    if !systemd {
        problems.push("PID 1 is not systemd: long ops run under setsid instead of a unit".to_owned());
    }
    if machine_id.is_empty() {
        problems.push("/etc/machine-id is empty: the host cannot be told from others".to_owned());
    }
    for (path, disk) in disks.iter().filter(|(_, disk)| disk.total > 0 && disk.free < LOW_DISK) {
        problems.push(format!("{path} has only {} MiB free", disk.free >> 20));
    }
    let twins = found
        .hosts
        .iter()
        .filter(|(other, facts)| *other != host && !machine_id.is_empty() && facts.machine_id == *machine_id);
    problems.extend(twins.map(|(other, _)| format!("has the machine id of {other}")));
    problems
}
