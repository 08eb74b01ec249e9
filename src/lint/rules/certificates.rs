//! Certificates are renewed on every control plane, and take effect when its containers start anew.

use crate::inventory::HostName;
use crate::lint::action::ActionKind;
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::CERTIFICATES,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
`kubeadm certs renew` writes files of the host that it runs on, and each control plane has its own. The API server, the
controller manager, the scheduler and etcd read theirs when they start, so their static pods have to be restarted: move the
manifests away and back, one control plane after another. A restart of kubelet does not restart them; a reboot and
`kubeadm upgrade`, which renews certificates too, do. Source: \"Certificate Management with kubeadm\" in the Kubernetes
documentation.",
    bad: "\
- name: certificates
  hosts: control_plane
  rollout: { batches: [1] }
  steps:
    - command: [kubeadm, certs, renew, all]
      effect: changes
",
    good: "\
- name: certificates
  hosts: control_plane
  rollout: { batches: [1] }
  steps:
    - script: |
        set -e
        kubeadm certs renew all
        mkdir -p /etc/kubernetes/away
        mv /etc/kubernetes/manifests/*.yaml /etc/kubernetes/away/
        sleep 30
        mv /etc/kubernetes/away/*.yaml /etc/kubernetes/manifests/
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let renewing: Vec<&PhaseView<'_>> =
        cx.phases.iter().filter(|phase| phase.does(|what| *what == ActionKind::Renew)).collect();
    let is_partial = leaves_some_out(cx, &renewing);
    for (at, phase) in renewing.iter().enumerate() {
        let way = cx.way(phase);
        let Some((place, turn)) = way.of(phase).find(|(_, turn)| turn.action.what == ActionKind::Renew)
        else {
            continue;
        };
        if is_partial && at == 0 {
            let message = "not every control plane gets new certificates: those of the others run out";
            let warning = report.say(turn.step, turn.action.span, message);
            warning.related(phase.phase.hosts.span, "these hosts only");
            warning.hint("write `hosts: control_plane` with `rollout: { batches: [1] }`: it runs on every control plane");
        }
        let restarts = |what: &ActionKind| {
            matches!(what, ActionKind::StaticPods | ActionKind::Reboot | ActionKind::Upgrade { .. })
                || what.restarts(&["docker", "k3s"])
        };
        if !way.behind(place, restarts) {
            let message =
                "the control plane goes on with the old certificates: nothing restarts its static pods";
            report.say(turn.step, turn.action.span, message).hint(
                "move the files of /etc/kubernetes/manifests away and back behind it, or stop the containers with `crictl`",
            );
        }
    }
}

/// Whether a control plane is in no phase that renews its certificates.
fn leaves_some_out(cx: &LintContext<'_>, renewing: &[&PhaseView<'_>]) -> bool {
    let Some(inventory) = cx.inventory else {
        return matches!(renewing, [only] if only.phase.hosts.value.source.trim_end().ends_with(']'));
    };
    let renewed: Vec<&HostName> =
        renewing.iter().filter_map(|phase| phase.hosts.as_ref()).flatten().collect();
    let groups = renewing.iter().filter_map(|phase| inventory.groups.get(phase.group()));
    let of_groups = groups.flat_map(|group| &group.hosts);
    let mut all = cx.control_planes.iter().flatten().chain(of_groups);
    // Hosts of which none is a control plane would be another mistake.
    let is_about_them =
        cx.control_planes.as_ref().is_none_or(|all| renewed.iter().any(|host| all.contains(host)));
    is_about_them && all.any(|host| !renewed.contains(&host))
}
