//! What a failed kubeadm says: the reasons that its own checks give, and whether they kept it from changing anything.

use crate::value::without_colours;

/// What begins each reason of a failed check: `[ERROR SystemVerification]: …`.
const REASON: &str = "[ERROR ";

/// What stands above the reasons of failed checks, behind `[preflight]` or, in an upgrade, `[upgrade/health] FATAL:`.
const HEADING: &str = "Some fatal errors occurred:";

/// Each way in which the checks of `kubeadm upgrade` end that come before its first change: preflight and health since
/// 1.20, and the rules between versions.
const REFUSALS: [&str; 2] =
    ["[preflight] Some fatal errors occurred:", "[upgrade/version] FATAL: the --version argument is invalid"];

/// What kubeadm prints, on either stream, once it begins to change something.
const CHANGES: [&str; 5] = [
    "[upgrade/staticpods]",
    "[upgrade/etcd]",
    "[upload-config]",
    "[kubelet-start]",
    "[upgrade/kubelet-config]",
];

/// The reasons in a text without colours, each with the lines that belong to it: those below kubeadm's own heading, because
/// other programs begin lines of their logs in the same way.
pub fn reasons(text: &str) -> Vec<&str> {
    let mut reasons = Vec::new();
    let (mut is_below, mut is_inside) = (false, false);
    for line in text.lines().map(str::trim) {
        let is_reason = line.starts_with(REASON);
        is_below = line.contains(HEADING) || (is_below && (is_reason || !line.starts_with('[')));
        is_inside = is_below && (is_reason || (is_inside && goes_on(line)));
        if is_inside {
            reasons.push(line);
        }
    }
    reasons
}

/// Whether a line behind a reason still belongs to it: kubeadm's own lines begin with a bracket or say what to do.
fn goes_on(line: &str) -> bool {
    let is_next =
        line.starts_with('[') || line.starts_with("error:") || line.starts_with("To see the stack trace");
    !line.is_empty() && !is_next
}

/// Whether a command that failed is a `kubeadm upgrade` whose own checks refused it, so that nothing of its host changed.
/// Its first word is the program that ran: what another one did before it called kubeadm is not known.
pub fn refused(command: &[&str], stdout: &str, stderr: &str) -> bool {
    let is_upgrade =
        matches!(command, [program, "upgrade", ..] if program.rsplit('/').next() == Some("kubeadm"));
    let says = |phrases: &[&str]| {
        [stdout, stderr].iter().any(|text| phrases.iter().any(|phrase| plain(text).contains(phrase)))
    };
    is_upgrade && says(&REFUSALS) && !says(&CHANGES)
}

fn plain(text: &str) -> String {
    String::from_utf8_lossy(&without_colours(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CGROUPS: &str = "[preflight] Some fatal errors occurred:\n\t[ERROR SystemVerification]: control groups v1\n\
        [preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`\n\
        error: error execution phase preflight: preflight checks failed\n\
        To see the stack trace of this error execute with --v=5 or higher\n";

    #[test]
    fn each_reason_is_told_with_all_of_its_lines() {
        assert_eq!(reasons(CGROUPS), ["[ERROR SystemVerification]: control groups v1"]);
        let several = "[preflight] Some fatal errors occurred:\n\t[ERROR ImagePull]: cannot pull the image: output:\n\
            E1130 rpc error\n, error: exit status 1\n\t[ERROR Port-10250]: Port 10250 is in use\n\n[preflight] If you";
        assert_eq!(
            reasons(several),
            [
                "[ERROR ImagePull]: cannot pull the image: output:",
                "E1130 rpc error",
                ", error: exit status 1",
                "[ERROR Port-10250]: Port 10250 is in use"
            ]
        );
        assert!(reasons("error: something else\n[WARNING Swap]: it is on\n").is_empty());
        assert!(reasons("[ERROR 10:00:01] retrying\n").is_empty(), "not below kubeadm's heading");
        assert_eq!(reasons(&format!("{CGROUPS}[ERROR 10:00:01] retrying\n")).len(), 1, "behind its end");
    }

    #[test]
    fn only_its_checks_keep_kubeadm_from_changing_anything() {
        let argv = |line: &'static str| line.split(' ').collect::<Vec<_>>();
        let apply = "kubeadm upgrade apply v1.36.2 --yes";
        let health =
            "[upgrade/health] FATAL: [preflight] Some fatal errors occurred:\n\t[ERROR CreateJob]: Job\n";
        let version = "[upgrade/version] FATAL: the --version argument is invalid due to these errors:\n";
        let timeout =
            "[upgrade/apply] FATAL: couldn't upgrade control plane. kubeadm has tried to recover everything";
        for (line, stdout, stderr, is_refused) in [
            (apply, "[upgrade/preflight] Running preflight checks\n", CGROUPS, true),
            ("/usr/bin/kubeadm upgrade node", "", CGROUPS, true),
            ("kubeadm upgrade node", CGROUPS, "", true),
            ("/opt/wrap kubeadm upgrade node", "", CGROUPS, false),
            (apply, "", health, true),
            (apply, "", version, true),
            (apply, "[upgrade/staticpods] Preparing for \"etcd\" upgrade\n", CGROUPS, false),
            (apply, "\u{1b}[0;32m[kubelet-start]\u{1b}[0m Writing\n", CGROUPS, false),
            (apply, "[upgrade/staticpods] Waiting\n", timeout, false),
            (apply, "", timeout, false),
            ("kubeadm init", "", CGROUPS, false),
            ("cat /tmp/log", "", CGROUPS, false),
        ] {
            assert_eq!(refused(&argv(line), stdout, stderr), is_refused, "{line}: {stderr}");
        }
    }
}
