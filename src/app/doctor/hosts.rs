//! What the facts of a host, its root and its sshd say to a roll.

use super::HostFinding;
use crate::facts::{HostFacts, NodeFacts};
use crate::kubernetes::traps::{Machine, against, first_against};
use crate::op::ProbeOutput;
use crate::value::Version;

/// Free space below which packages and etcd get into trouble.
const LOW_DISK: u64 = 1 << 30;
/// What to do where nobody becomes root; a runbook of which no step needs root rolls all the same.
const ROOT_HINT: &str = "give the user sudo without a password and write `become: { method: sudo }`, or log in as root; \
                         only steps with `become: false` run without";
/// Seconds beyond which certificates and logs get into trouble.
const SKEW: i64 = 30;
/// Sessions that a host's connection may carry at the same time.
const SESSIONS: u32 = 6;
/// Connections that are set up at the same time through a jump host.
const STARTUPS: u32 = 8;

/// Of the facts of a host; `clock` is this machine's before and after it was asked.
pub(super) fn of_facts(facts: &HostFacts, clock: (i64, i64)) -> Vec<HostFinding> {
    let HostFacts { dpkg_broken, systemd, disks, machine_id, swap_total, .. } = facts;
    let mut findings = Vec::new();
    let mut problem = |text: String| findings.push(HostFinding::Problem(text));
    if *dpkg_broken {
        problem("dpkg has half-installed packages; `dpkg --audit` names them".to_owned());
    }
    if machine_id.is_empty() {
        problem("/etc/machine-id is empty: the host cannot be told from others".to_owned());
    }
    for (path, disk) in disks.iter().filter(|(_, disk)| disk.total > 0 && disk.free < LOW_DISK) {
        problem(format!("{path} has only {} MiB free", disk.free >> 20));
    }
    // It was read at some moment between the two.
    let skew = (facts.clock - clock.1).max(0) + (clock.0 - facts.clock).max(0);
    if skew > SKEW {
        problem(format!("its clock differs from this machine's by {skew} s"));
    }
    if !systemd {
        let text = "PID 1 is not systemd: long ops run under setsid instead of a unit";
        findings.push(HostFinding::Note(text.to_owned()));
    }
    if *swap_total > 0 {
        findings.push(HostFinding::Note("swap is on; a kubelet may refuse to start".to_owned()));
    }
    findings
}

/// Of what the host and its node run, for a version of Kubernetes: what keeps it from that, or, where none is chosen, what
/// keeps it from the first one that it cannot run.
pub(super) fn of_support(
    facts: &HostFacts,
    node: Option<&NodeFacts>,
    target: Option<&Version>,
) -> Vec<HostFinding> {
    let runtime = node.map(|node| node.runtime.clone()).filter(|runtime| !runtime.is_empty());
    let runtime = runtime.unwrap_or_else(|| installed_runtime(facts));
    let machine = Machine { name: &facts.hostname, cgroup: &facts.cgroup, runtime: &runtime };
    match target {
        Some(target) => against(target, &machine)
            .into_iter()
            .map(|reason| HostFinding::Problem(format!("cannot run Kubernetes {target}: {reason}")))
            .collect(),
        // A machine without Kubernetes may well be none that is to have it.
        None if facts.kubelet.is_none() && node.is_none() => Vec::new(),
        None => first_against(&machine)
            .map(|(since, why)| HostFinding::Note(format!("cannot run Kubernetes {since} or newer: {why}")))
            .into_iter()
            .collect(),
    }
}

/// What its node would say: containerd, by its package.
fn installed_runtime(facts: &HostFacts) -> String {
    let versions = ["containerd", "containerd.io"].iter().filter_map(|name| facts.packages.get(*name));
    let installed = versions.map(|package| package.version.as_str()).find(|version| !version.is_empty());
    installed.map(|version| format!("containerd://{version}")).unwrap_or_default()
}

/// Of what root says.
pub(super) fn of_root(answers: &Result<Vec<ProbeOutput>, String>) -> Vec<HostFinding> {
    let answers = match answers {
        Ok(answers) => answers,
        Err(reason) => return vec![HostFinding::Problem(format!("{reason} (hint: {ROOT_HINT})"))],
    };
    let uid = answers.first().map_or("?", |answer| answer.stdout.trim());
    if uid != "0" {
        return vec![HostFinding::Problem(format!("`sudo -n` gives uid {uid}"))];
    }
    // A host without sshd in its usual place is reached by something else, and then this says nothing.
    answers.get(1).filter(|answer| answer.ok()).map(|answer| of_sshd(&answer.stdout)).unwrap_or_default()
}

/// What `sshd -T` says of limits that a roll would meet.
fn of_sshd(settings: &str) -> Vec<HostFinding> {
    let setting = |name: &str| {
        let mut lines = settings.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let mut findings = Vec::new();
    if let Some(sessions) = setting("maxsessions").and_then(|text| text.parse::<u32>().ok())
        && sessions < SESSIONS
    {
        let text = format!("sshd allows {sessions} sessions (MaxSessions); a roll uses up to {SESSIONS}");
        findings.push(HostFinding::Problem(text));
    }
    let startups = setting("maxstartups");
    let first = startups.and_then(|text| text.split(':').next()?.parse::<u32>().ok());
    if let (Some(text), Some(first)) = (startups, first)
        && first < STARTUPS
    {
        let text =
            format!("sshd drops connections early (MaxStartups {text}): as a jump host it would be slow");
        findings.push(HostFinding::Note(text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Disk, PackageFacts};

    fn sound() -> HostFacts {
        HostFacts { machine_id: "a".to_owned(), systemd: true, clock: 1000, ..HostFacts::default() }
    }

    #[test]
    fn each_fact_has_its_finding() {
        let with = |change: fn(&mut HostFacts)| {
            let mut facts = sound();
            change(&mut facts);
            of_facts(&facts, (990, 1010)).iter().map(HostFinding::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(with(|_| {}), "");
        assert!(with(|facts| facts.systemd = false).starts_with("note: PID 1"));
        assert!(with(|facts| facts.swap_total = 1).starts_with("note: swap"));
        assert!(with(|facts| facts.machine_id.clear()).contains("machine-id"));
        assert!(with(|facts| facts.dpkg_broken = true).contains("dpkg"));
        assert!(
            with(|facts| {
                facts.disks.insert("/var".to_owned(), Disk { total: 9, free: 1 });
            })
            .contains("/var")
        );
        assert!(with(|facts| facts.clock = 1050).contains("by 40 s"));
        assert!(with(|facts| facts.clock = 940).contains("by 50 s"));
        assert_eq!(with(|facts| facts.clock = 1035), "");
    }

    #[test]
    fn what_a_host_cannot_run_is_a_problem_for_a_target_and_a_note_without_one() {
        let version = |text: &str| Version::parse(text).unwrap();
        let node = |runtime: &str| NodeFacts { runtime: runtime.to_owned(), ..NodeFacts::default() };
        let host = |cgroup: &str, package: &str| {
            let package = PackageFacts { version: package.to_owned(), held: false };
            let packages = [("containerd.io".to_owned(), package)].into();
            HostFacts {
                cgroup: cgroup.to_owned(),
                packages,
                kubelet: version("1.34.1").release().cloned(),
                ..sound()
            }
        };
        let told = |facts: &HostFacts, node: Option<&NodeFacts>, target: Option<&str>| {
            let found = of_support(facts, node, target.map(version).as_ref());
            found.iter().map(HostFinding::to_string).collect::<Vec<_>>().join("; ")
        };
        let v1 = host("v1", "");
        assert!(
            told(&v1, None, Some("1.35.0")).starts_with("cannot run Kubernetes 1.35.0: it has cgroup v1")
        );
        assert!(told(&v1, None, None).starts_with("note: cannot run Kubernetes 1.35 or newer: cgroup v1"));
        assert_eq!(told(&v1, None, Some("1.34.9")), "");
        let old = host("v2", "1.7.24-1");
        assert!(told(&old, None, Some("1.37.0")).contains("containerd://1.7.24-1"), "its package tells");
        assert_eq!(told(&old, Some(&node("containerd://2.1.9")), Some("1.37.0")), "", "its node tells more");
        assert!(told(&old, Some(&node("containerd://1.5.9")), Some("1.26.0")).contains("CRI v1"));
        assert_eq!(told(&HostFacts { cgroup: "v1".to_owned(), ..sound() }, None, None), "");
    }

    #[test]
    fn sshd_is_asked_for_its_limits() {
        assert_eq!(of_sshd("port 22\nmaxsessions 10\nmaxstartups 10:30:100\n"), []);
        assert!(
            matches!(of_sshd("maxsessions 2\n").as_slice(), [HostFinding::Problem(text)] if text.contains("2 sessions"))
        );
        assert!(
            matches!(of_sshd("maxstartups 5:30:60\n").as_slice(), [HostFinding::Note(text)] if text.contains("5:30:60"))
        );
    }
}
