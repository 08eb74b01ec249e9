//! What is known of programs by their names: shells, and those such as sudo that run the command behind them and change
//! nothing by themselves.

const BEFORE: [&str; 12] = [
    "sudo",
    "env",
    "nice",
    "ionice",
    "nohup",
    "setsid",
    "exec",
    "time",
    "timeout",
    "systemd-run",
    "command",
    "doas",
];

/// Whether a program is a shell, with its directory or without.
pub fn is_shell(program: &str) -> bool {
    matches!(base_name(program), "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh")
}

/// Whether a program only runs what stands behind it.
pub fn only_runs_another(program: &str) -> bool {
    BEFORE.contains(&base_name(program))
}

/// A program's name without its directory.
pub fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether kubectl is called in what people wrote, be it by its path, behind `env` or `sudo`, or in a shell line. What other
/// programs print tells nothing of the API server, wherever they run; nor does a package of that name.
pub fn calls_kubectl(argv: &[String], stdin: &str) -> bool {
    let stands_before = |word: &String| {
        matches!(word.as_str(), "env" | "sudo") || word.starts_with('-') || word.contains('=')
    };
    let program = argv.iter().find(|word| !stands_before(word));
    let is_kubectl = program.is_some_and(|word| base_name(word) == "kubectl");
    is_kubectl || argv.iter().map(String::as_str).chain([stdin]).any(|text| text.contains("kubectl "))
}

/// The command that is run in the end: `kubeadm upgrade node` of `sudo -n timeout 30m kubeadm upgrade node`.
pub fn command_behind<'w, 'a>(mut words: &'w [&'a str]) -> &'w [&'a str] {
    while let [first, rest @ ..] = words
        && only_runs_another(first)
    {
        words = behind_options(rest);
    }
    words
}

/// The command behind options, their values, assignments and lengths of time.
fn behind_options<'w, 'a>(mut words: &'w [&'a str]) -> &'w [&'a str] {
    while let Some((first, rest)) = words.split_first() {
        let takes_value = ["-u", "-g", "-k", "-s", "-C", "-p", "-h", "-D"].contains(first);
        let is_before =
            first.starts_with('-') || first.contains('=') || first.starts_with(|c: char| c.is_ascii_digit());
        match rest {
            [_, rest @ ..] if takes_value => words = rest,
            _ if is_before => words = rest,
            _ => break,
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_in_the_end_stands_behind_programs_that_only_run_it() {
        for (line, command) in [
            ("kubeadm upgrade node", "kubeadm upgrade node"),
            ("/usr/bin/sudo -n -u root env A=b nice -n 5 kubeadm upgrade node", "kubeadm upgrade node"),
            ("timeout -k 10s 30m kubeadm upgrade node", "kubeadm upgrade node"),
            ("/opt/wrap kubeadm upgrade node", "/opt/wrap kubeadm upgrade node"),
            ("sudo -n", ""),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(command_behind(&words).join(" "), command, "{line}");
        }
    }

    #[test]
    fn kubectl_is_found_wherever_it_is_called() {
        let asks = |argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            calls_kubectl(&argv, "")
        };
        assert!(asks(&["kubectl", "get", "nodes"]));
        assert!(asks(&[
            "env",
            "--chdir=/",
            "--",
            "KUBECONFIG=/etc/kubernetes/admin.conf",
            "kubectl",
            "get",
            "ns"
        ]));
        assert!(asks(&["/usr/local/bin/kubectl", "version"]));
        assert!(asks(&["sh", "-c", "kubectl get ns team || exit 1"]));
        assert!(asks(&["sudo", "-n", "kubectl", "get", "ns"]));
        assert!(!asks(&["dpkg-query", "-W", "kubeadm", "kubelet", "kubectl"]));
        assert!(!asks(&["curl", "--fail", "http://127.0.0.1:8080/"]));
        assert!(!asks(&[]));
        assert!(calls_kubectl(&["sh".to_owned()], "kubectl get ns"));
    }
}
