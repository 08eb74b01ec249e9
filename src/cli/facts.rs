//! Facts of hosts, for people.

use std::fmt::Write;

use crate::executor::Survey;
use crate::facts::HostFacts;

/// Each host with what is true of it.
pub(super) fn text(found: &Survey) -> String {
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
