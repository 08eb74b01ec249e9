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
}
