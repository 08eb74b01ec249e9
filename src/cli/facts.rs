//! `rollbook facts`: what is true of hosts now. Reads only.

use std::collections::BTreeMap;
use std::fmt::Write;

use camino::Utf8Path;

use super::args::{Facts as Args, Format};
use super::connections::{Connections, runtime, targets};
use super::load::{load_inventory, selected};
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::engine::Failure;
use crate::executor::{Depth, Survey, gather_facts};
use crate::facts::HostFacts;
use crate::inventory::{HostName, Inventory};
use crate::report::ExitKind;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let inventory = load_inventory(&args.inventory, terminal)?;
    let hosts = selected(&args.selector, "the selector", &inventory)?;
    if let Some(file) = &args.record {
        return record(args, file, &inventory, &hosts, terminal);
    }
    if let Some((flag, _)) = args.kubectl.given().next() {
        return Err(AppError::new(ExitKind::Usage, format!("{flag} belongs to --record"))
            .hint("facts of hosts are asked without kubectl"));
    }
    let found = runtime()?.block_on(async {
        let connections = Connections::real(targets(&inventory))?;
        let found = gather_facts(
            &connections.pool,
            &connections.controller,
            &hosts,
            Depth::Facts,
            None,
            &mut |_, _| {},
        )
        .await;
        connections.close().await;
        Ok::<Survey, anyhow::Error>(found)
    })?;
    match args.format {
        Format::Text => terminal.data(&text(&found))?,
        Format::Json => {
            let json = serde_json::to_value(&found.hosts).map_err(anyhow::Error::from)?;
            terminal.data(&format!("{json:#}\n"))?
        }
    };
    all_read(&found.failed).map(|()| ExitKind::Ok)
}

fn all_read(failed: &BTreeMap<HostName, Failure>) -> Result<(), AppError> {
    AppError::all(ExitKind::Unreachable, failed.values().map(|failure| (&failure.message, &failure.hint)))
}

/// Writes hosts and cluster down. Where a host could not be read nothing is written: a rehearsal needs them all.
fn record(
    args: &Args,
    file: &Utf8Path,
    inventory: &Inventory,
    hosts: &[HostName],
    terminal: &Terminal,
) -> Outcome {
    let kube = args.kubectl.call(inventory)?;
    let (recording, failed) = runtime()?.block_on(async {
        let connections = Connections::real(targets(inventory))?;
        let kube = kube.as_ref().map(|(cx, via)| (cx, via.as_slice()));
        let found = crate::executor::record(&connections.pool, &connections.controller, hosts, kube).await;
        connections.close().await;
        Ok::<_, anyhow::Error>(found)
    })?;
    all_read(&failed)?;
    let recording = recording.map_err(|failure| {
        AppError::new(ExitKind::Unreachable, &failure.message).hint(
            "name where kubectl runs with `--via SELECTOR`, or record the hosts alone with `--via none`",
        )
    })?;
    let is_json = file.extension() == Some("json");
    let text = if is_json { recording.to_json() } else { recording.to_yaml() };
    std::fs::write(file, text).map_err(|error| anyhow::anyhow!("cannot write {file}: {error}"))?;
    let cluster = recording.cluster.as_ref().map_or_else(String::new, |cluster| {
        format!(", {} nodes and {} pods", cluster.facts.nodes.len(), cluster.pods.len())
    });
    terminal.say(&format!("{file} has {} hosts{cluster}", recording.hosts.len()));
    Ok(ExitKind::Ok)
}

fn text(found: &Survey) -> String {
    let mut out = String::new();
    for (host, facts) in &found.hosts {
        writeln!(out, "{host}")
            .and_then(|()| host_text(facts, &mut out))
            .expect("invariant: writing to a string works");
    }
    out
}

fn host_text(facts: &HostFacts, out: &mut String) -> std::fmt::Result {
    let HostFacts { os, os_version, kernel, arch, machine_id, boot_id, cgroup, .. } = facts;
    writeln!(out, "  system      {os} {os_version}, kernel {kernel} {arch}, cgroup {cgroup}")?;
    writeln!(out, "  machine id  {machine_id}")?;
    writeln!(out, "  boot id     {boot_id}")?;
    let version = |version: &Option<crate::value::KubeVersion>| {
        version.as_ref().map_or("-".to_owned(), ToString::to_string)
    };
    writeln!(out, "  kubeadm     {}   kubelet {}", version(&facts.kubeadm), version(&facts.kubelet))?;
    for (name, package) in &facts.packages {
        let held = if package.held { "  held" } else { "" };
        writeln!(out, "  package     {name} {}{held}", package.version)?;
    }
    for (path, disk) in &facts.disks {
        writeln!(out, "  disk        {path}: {} MiB free of {} MiB", disk.free >> 20, disk.total >> 20)?;
    }
    for (name, unit) in facts.units.iter().filter(|(_, unit)| !unit.enabled.is_empty()) {
        writeln!(out, "  unit        {name} {} {}", unit.active, unit.enabled)?;
    }
    let notes = [
        (facts.swap_total > 0, "swap is on"),
        (facts.reboot_required, "a reboot is required"),
        (facts.dpkg_broken, "dpkg has half-installed packages"),
        (!facts.systemd, "PID 1 is not systemd"),
    ];
    for (_, note) in notes.iter().filter(|(applies, _)| *applies) {
        writeln!(out, "  note        {note}")?;
    }
    Ok(())
}
