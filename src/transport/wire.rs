//! The constant command lines that start a conversation on a host, and by which right.
//!
//! No value of a user is ever part of them: the line is read by the login shell, which may be bash, fish or tcsh. So
//! it has no backslash outside single quotes, no `!`, no newline, and no single quote inside a quoted word.

use crate::inventory::Become;

/// Directories of programs on a host; what a login shell would add differs from host to host.
const PREAMBLE: &str = "LC_ALL=C; export LC_ALL; \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; rb_verb=; rb_root=; IFS= read -r rb_n; ";

/// Reads a script to its end, then runs it. A script is one `{ … }`: half of one, after a lost link, does not parse.
const RUN: &str = "rb_script=$(cat); eval \"$rb_script\"";

/// Runs the script of a probe under its time limit, inside sudo, and says how that ended on both streams.
const PROBE: &str = "IFS= read -r rb_t; cd /; printf \"\\n%s begin\\n\" \"$rb_n\"; printf \"\\n%s begin\\n\" \"$rb_n\" >&2; \
    timeout -k 5 \"$rb_t\" /bin/sh -c \"$2\" sh \"$rb_n\"; rb_c=$?; \
    printf \"\\n%s end\\n\" \"$rb_n\" >&2; printf \"\\n%s end %s\\n\" \"$rb_n\" \"$rb_c\"";

/// The inner shell of a probe.
const ASK: &str = "rb_n=$1; rb_script=$(cat); eval \"$rb_script\"";

/// Whoever owns `/` is root; asking so needs no process.
const SUDO: &str =
    "if [ -O / ]; then eval \"$1\"; else exec sudo -n -- /bin/sh -c \"$1\" sh \"$1\" \"$2\"; fi";

const MUST_BE_ROOT: &str =
    "if [ -O / ]; then eval \"$1\"; else echo \"the user is not root, and become is none\" >&2; exit 1; fi";

const AS_IT_IS: &str = "eval \"$1\"";

/// By which right a conversation is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// As the user who logs in.
    Login,
    /// As root, through `sudo -n` where the user is not root.
    Sudo,
    /// As root, and the user has to be root already.
    AlreadyRoot,
}

impl Privilege {
    /// For something that needs root or does not, on a host of this kind.
    pub(crate) fn needed(root: bool, method: Become) -> Self {
        match (root, method) {
            (false, _) => Self::Login,
            (true, Become::Sudo) => Self::Sudo,
            (true, Become::None) => Self::AlreadyRoot,
        }
    }
}

/// What is said on standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// A nonce line, then a script.
    Script,
    /// A nonce line, a line with a time limit in seconds, then a script of queries.
    Probe,
}

/// A command line to start: `/bin/sh` and four arguments, each of them constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    /// By which right.
    pub(crate) right: Privilege,
    /// What follows on standard input.
    pub(crate) talk: Talk,
}

impl Wire {
    /// The argument vector.
    pub(crate) fn argv(self) -> [String; 6] {
        let first = match self.right {
            Privilege::Login => AS_IT_IS,
            Privilege::Sudo => SUDO,
            Privilege::AlreadyRoot => MUST_BE_ROOT,
        };
        let body = match self.talk {
            Talk::Script => RUN,
            Talk::Probe => PROBE,
        };
        ["/bin/sh", "-c", first, "sh", &format!("{PREAMBLE}{body}"), ASK].map(str::to_owned)
    }

    /// The same as a line for a login shell.
    pub(crate) fn line(self) -> String {
        let [shell, option, words @ ..] = self.argv();
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        format!("exec {shell} {option} {}", quoted.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Wire> {
        let rights = [Privilege::Login, Privilege::Sudo, Privilege::AlreadyRoot];
        let talks = [Talk::Script, Talk::Probe];
        rights.iter().flat_map(|&right| talks.iter().map(move |&talk| Wire { right, talk })).collect()
    }

    #[test]
    fn every_login_shell_reads_the_line_alike() {
        for wire in all() {
            let argv = wire.argv();
            assert!(argv.iter().all(|word| !word.contains(['\'', '!', '\n'])), "{argv:?}");
            // fish takes a backslash before a quote or a backslash as an escape even inside single quotes.
            assert!(!argv.iter().any(|word| word.contains("\\\\") || word.ends_with('\\')), "{argv:?}");
            assert!(wire.line().len() < 2000, "{}", wire.line().len());
        }
    }

    #[test]
    fn only_a_need_for_root_escalates() {
        for (root, method, right) in [
            (false, Become::Sudo, Privilege::Login),
            (false, Become::None, Privilege::Login),
            (true, Become::Sudo, Privilege::Sudo),
            (true, Become::None, Privilege::AlreadyRoot),
        ] {
            assert_eq!(Privilege::needed(root, method), right);
        }
        assert!(!Wire { right: Privilege::Login, talk: Talk::Script }.line().contains("sudo"));
    }
}
