//! etcdctl reaches the etcd of kubeadm only with certificates, and restores into a directory of its own.

use crate::lint::action::ActionKind;
use crate::lint::command::CommandLine;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::op::base_name;
use crate::runbook::Step;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::ETCD_BY_HAND,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
The etcd of a kubeadm cluster takes only clients with a certificate: without `--cacert`, `--cert` and `--key`, or the variables
`ETCDCTL_CACERT`, `ETCDCTL_CERT` and `ETCDCTL_KEY`, `etcdctl` waits for its time limit and saves nothing. A restore writes a new
data directory. Into the one that a running etcd uses, it fails or destroys what etcd has: restore beside it, stop etcd,
and exchange the directories. Source: \"Operating etcd clusters for Kubernetes\" in the Kubernetes documentation.",
    bad: "\
- name: save
  hosts: control_plane
  steps:
    - command: [etcdctl, snapshot, save, /var/backups/etcd.db]
      effect: changes
",
    good: "\
- name: save
  hosts: control_plane
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
",
    check,
};

/// The directory of kubeadm's etcd.
const LIVE: &str = "/var/lib/etcd";

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (step, command) in cx.commands() {
        let Some(words) = etcd_words(command) else { continue };
        if asks_server(&words) && !may_have_certificates(step, command) {
            let message = "etcd answers only clients with a certificate, and none is named";
            report.say(step, command.first().span(step, cx.sources), message).hint(
                "write the step `etcd_snapshot`, or add `--cacert`, `--cert` and `--key` \
                 (of kubeadm: ca.crt, server.crt and server.key in /etc/kubernetes/pki/etcd)",
            );
        }
    }
    for phase in &cx.phases {
        let way = cx.way(phase);
        for (place, turn) in way.of(phase) {
            let ActionKind::Restore(directory) = &turn.action.what else { continue };
            if is_live(directory) && !way.before(place, stops_etcd) {
                let message = format!("the snapshot is restored into {LIVE}, where etcd is running");
                report.say(turn.step, turn.action.span, message).hint(
                    "restore into another `--data-dir`, stop etcd (move its manifest away), and exchange the directories",
                );
            }
        }
    }
}

fn is_live(directory: &str) -> bool {
    directory.trim_start_matches("--data-dir=").trim_end_matches('/') == LIVE
}

fn stops_etcd(what: &ActionKind) -> bool {
    match what {
        ActionKind::StaticPods | ActionKind::Leave => true,
        ActionKind::Stop(units) => {
            let stop_it = ["etcd", "kubelet", "docker", "containerd", "crio"];
            units.iter().any(|unit| stop_it.contains(&unit.trim_end_matches(".service")))
        }
        _ => false,
    }
}

/// The words behind `etcdctl`, also where it is called in a container.
fn etcd_words(command: &CommandLine) -> Option<Vec<&str>> {
    const RUNNERS: [&str; 7] = ["etcdctl", "kubectl", "crictl", "docker", "nerdctl", "podman", "ctr"];
    if !RUNNERS.contains(&command.program()) {
        return None;
    }
    let words: Vec<&str> = command.words().iter().flat_map(|word| word.text.split_whitespace()).collect();
    let at = words.iter().position(|word| base_name(word) == "etcdctl")?;
    Some(words[at + 1..].to_vec())
}

/// Whether it needs a server; what works on files and what only helps does not.
fn asks_server(words: &[&str]) -> bool {
    const ASKING: [&str; 14] = [
        "get",
        "put",
        "del",
        "endpoint",
        "member",
        "alarm",
        "defrag",
        "compaction",
        "watch",
        "user",
        "role",
        "auth",
        "move-leader",
        "check",
    ];
    let Some(at) = words.iter().position(|word| ASKING.contains(word) || *word == "snapshot") else {
        return false;
    };
    words[at] != "snapshot" || words.get(at + 1) == Some(&"save")
}

/// Whether a certificate is named, or may be: by a variable, a file of variables, or an etcd that asks for none.
fn may_have_certificates(step: &Step, command: &CommandLine) -> bool {
    const NAMES: [&str; 7] =
        ["--cacert", "--cert", "--ca-file", "ETCDCTL_C", "http://", "--insecure-transport", "unix://"];
    let named = |text: &str| NAMES.iter().any(|name| text.contains(name));
    let is_open = |text: &str| text.starts_with('$') || crate::lint::values::is_open(text);
    let before_verb = command.args().iter().take_while(|word| word.text != "snapshot");
    let sourced = |script: &str| {
        script.lines().map(str::trim_start).any(|line| {
            line.starts_with(". ")
                || line.starts_with("source ")
                || line.contains("alias ")
                || line.contains("set -a")
        })
    };
    command.words().iter().any(|word| named(&word.text))
        || command.script.as_deref().is_some_and(|script| named(script) || sourced(script))
        || step.env.keys().any(|name| name.starts_with("ETCDCTL_C"))
        || step.env.contains_key("ETCDCTL_ENDPOINTS")
        || before_verb.into_iter().any(|word| is_open(&word.text))
}
