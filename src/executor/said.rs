//! What a command that failed said last, for people. Lines that every failure of a tool ends with say nothing of this
//! one and are left out; one table names them.

use crate::kubernetes::kubeadm;
use crate::value::{escape, without_colours};

/// Lines of each stream that are kept.
const LINES: usize = 5;
/// Characters of a line that are shown.
const WIDTH: usize = 300;

/// What stands at the end of a tool's output and says nothing.
enum Idle {
    /// A line that holds this.
    Line(&'static str),
    /// A line that holds this, and the indented ones below it, which name again what was named before.
    Heading(&'static str),
}

const IDLE: &[Idle] = &[
    // kubeadm and other programs with klog
    Idle::Line("To see the stack trace of this error execute with --v="),
    Idle::Line("If you know what you are doing, you can make a check non-fatal with"),
    // apt and dpkg
    Idle::Line("Sub-process /usr/bin/dpkg returned an error code"),
    Idle::Line("Sub-process dpkg returned an error code"),
    Idle::Heading("Errors were encountered while processing:"),
    Idle::Line("Some packages could not be installed. This may mean that you have"),
    Idle::Line("needrestart is being skipped since dpkg has failed"),
    // dnf and yum
    Idle::Line("You can try to add '--skip-broken'"),
    Idle::Line("(try to add '--skip-broken'"),
    Idle::Line("(try to add '--allowerasing'"),
    // systemd: the lines in the unit's journal say it, and the hint is the same for every unit
    Idle::Line("for details."),
    // make, npm and shells that trace
    Idle::Line("A complete log of this run can be found in"),
    Idle::Line("Waiting for unfinished jobs...."),
    Idle::Line("+ exit "),
    // curl
    Idle::Line("More details here: https://curl"),
    // helm and kubectl
    Idle::Line("for more information about a given command"),
    Idle::Line("--help' for usage"),
];

/// What tools say of a disk without room, in lower case: whatever they say after that comes of it.
const FULL: &[&str] = &[
    // The system's own words, and Go's
    "no space left on device",
    "disk quota exceeded",
    // apt, before it fetches anything
    "have enough free space in",
    // dnf and rpm
    "more space needed on the",
    "more space on the",
];

/// The last lines of a command's streams that say something, escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OutputTail {
    pub(super) stderr: Vec<String>,
    pub(super) stdout: Vec<String>,
    /// Each line belongs to a reason that kubeadm's own checks gave.
    is_given: bool,
    /// The line that tells of a disk without room.
    full: Option<String>,
}

impl OutputTail {
    pub(super) fn of(stdout: &str, stderr: &str) -> Self {
        let (stdout, stderr) = (plain(stdout), plain(stderr));
        let given = Self {
            stderr: shown_all(&kubeadm::reasons(&stderr)),
            stdout: shown_all(&kubeadm::reasons(&stdout)),
            is_given: true,
            full: [&stderr, &stdout]
                .iter()
                .find_map(|text| text.lines().rfind(|line| is_full(line)))
                .map(shown),
        };
        if !given.stderr.is_empty() || !given.stdout.is_empty() {
            return given;
        }
        Self { stderr: last_lines(&stderr), stdout: last_lines(&stdout), is_given: false, ..given }
    }

    /// Whether a disk without room is why the command failed.
    pub(super) fn tells_of_a_full_disk(&self) -> bool {
        self.full.is_some()
    }

    /// What tells most: the reasons that a tool itself calls so, or a disk without room, or the last line of stderr, because
    /// that is where reasons go, or else of stdout.
    pub(super) fn reason(&self) -> Option<String> {
        let said = if self.stderr.is_empty() { &self.stdout } else { &self.stderr };
        let last = said.last()?.clone();
        if self.is_given {
            return Some(said.join("; "));
        }
        Some(self.full.clone().unwrap_or(last))
    }
}

fn plain(text: &str) -> String {
    String::from_utf8_lossy(&without_colours(text.as_bytes())).into_owned()
}

fn shown_all(lines: &[&str]) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    let mut all: Vec<String> = lines.iter().take(LINES).map(|line| shown(line)).collect();
    all.extend((more > 0).then(|| format!("and {more} more")));
    all
}

fn is_full(line: &str) -> bool {
    let line = line.to_lowercase();
    FULL.iter().any(|words| line.contains(words))
}

/// The last lines that say something; where none does, the last ones. A line about a full disk is kept wherever it stood.
fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut telling: Vec<&str> = Vec::new();
    let mut below_heading = false;
    for line in &lines {
        below_heading = match idle(line) {
            Some(Idle::Heading(_)) => true,
            Some(Idle::Line(_)) => false,
            None if below_heading && line.starts_with([' ', '\t']) => true,
            None => {
                telling.push(line);
                false
            }
        };
    }
    let mut kept = if telling.is_empty() { lines } else { telling };
    // What a tool says again and again it says once here.
    kept.dedup();
    let (before, last) = kept.split_at(kept.len().saturating_sub(LINES));
    let full =
        before.iter().rev().find(|line| is_full(line)).filter(|_| !last.iter().any(|line| is_full(line)));
    let last = &last[usize::from(full.is_some())..];
    full.into_iter().chain(last).map(|line| shown(line)).collect()
}

fn idle(line: &str) -> Option<&'static Idle> {
    IDLE.iter().find(|idle| match idle {
        Idle::Line(words) | Idle::Heading(words) => line.contains(words),
    })
}

/// The beginning of a line, escaped.
fn shown(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{}…", escape(&line[..cut])),
        None => escape(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_line_that_says_something() {
        for (stdout, stderr, reason) in [
            (
                "",
                "[upgrade/health] FATAL: [preflight] Some fatal errors occurred:\n\t[ERROR CreateJob]: Job \"x\"\n\
                 [preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`\n\
                 To see the stack trace of this error execute with --v=5 or higher\n",
                "[ERROR CreateJob]: Job \"x\"",
            ),
            (
                "Reading package lists...\n",
                "dpkg: error processing package grub-pc (--configure):\n installed grub-pc package post-installation script\n\
                 Errors were encountered while processing:\n grub-pc\n linux-image\n\
                 E: Sub-process /usr/bin/dpkg returned an error code (1)\n",
                "installed grub-pc package post-installation script",
            ),
            ("no space left\n\n  \n", "", "no space left"),
            // Where nothing else is said, it is better than nothing.
            (
                "",
                "E: Sub-process /usr/bin/dpkg returned an error code (1)\n",
                "E: Sub-process /usr/bin/dpkg returned an error code (1)",
            ),
            ("", "a\u{1b}[2Jb\n", "a\\u{1b}[2Jb"),
        ] {
            assert_eq!(OutputTail::of(stdout, stderr).reason().as_deref(), Some(reason), "{stderr}");
        }
        assert_eq!(OutputTail::of(" \n", "").reason(), None);
    }

    #[test]
    fn a_full_disk_is_the_reason_whatever_is_said_after_it() {
        for (stdout, stderr, reason) in [
            // As dpkg said it on a host whose disk was full.
            (
                "Unpacking lab-large (1) ...\n",
                "dpkg: error processing archive /var/cache/apt/archives/lab-large_1_all.deb (--unpack):\n \
                 cannot copy extracted data for './opt/lab-large' to '/opt/lab-large.dpkg-new': failed to write (No space left on device)\n\
                 dpkg-deb: error: paste subprocess was killed by signal (Broken pipe)\n\
                 Errors were encountered while processing:\n /var/cache/apt/archives/lab-large_1_all.deb\n\
                 E: Sub-process /usr/bin/dpkg returned an error code (1)\n",
                "cannot copy extracted data for './opt/lab-large' to '/opt/lab-large.dpkg-new': failed to write (No space left on device)",
            ),
            (
                "",
                "E: You don't have enough free space in /var/cache/apt/archives/.\nE: it ends\n",
                "E: You don't have enough free space in /var/cache/apt/archives/.",
            ),
            (
                "write /etc/x: no space left on device\n",
                "exit status 1\n",
                "write /etc/x: no space left on device",
            ),
            ("", "tee: /srv/x: Disk quota exceeded\n1\n2\n3\n4\n5\n6\n", "tee: /srv/x: Disk quota exceeded"),
        ] {
            let said = OutputTail::of(stdout, stderr);
            assert_eq!(said.reason().as_deref(), Some(reason), "{stderr}");
            assert!(said.tells_of_a_full_disk());
            let shown = said.stderr.iter().chain(&said.stdout);
            assert_eq!(shown.filter(|line| *line == reason).count(), 1, "{said:?}");
            assert!(said.stderr.len() <= LINES, "{said:?}");
        }
        assert!(!OutputTail::of("", "3 MB more space is used\n").tells_of_a_full_disk());
    }

    #[test]
    fn what_kubeadm_calls_an_error_is_its_reason() {
        let stdout = "[preflight] The system verification failed.\n\u{1b}[0;37mOS\u{1b}[0m: \u{1b}[0;32mLinux\u{1b}[0m\n";
        let stderr = "[preflight] Some fatal errors occurred:\n\t[ERROR SystemVerification]: cgroups v1\n\
                      \t[ERROR Port-10250]: Port 10250 is in use\n\
                      [preflight] If you know what you are doing, you can make a check non-fatal with `…`\n\
                      error: error execution phase preflight: preflight checks failed\n\
                      To see the stack trace of this error execute with --v=5 or higher\n";
        let reason = "[ERROR SystemVerification]: cgroups v1; [ERROR Port-10250]: Port 10250 is in use";
        let said = OutputTail::of(stdout, stderr);
        assert_eq!(said.reason().as_deref(), Some(reason));
        assert_eq!((said.stderr.len(), said.stdout.len()), (2, 0));
        // A script may send both streams to one.
        assert_eq!(OutputTail::of(stderr, "exit status 1\n").reason().as_deref(), Some(reason));
        let coloured = OutputTail::of("", "\u{1b}[31merror\u{1b}[0m: it is gone\n");
        assert_eq!(coloured.reason().as_deref(), Some("error: it is gone"));
    }

    #[test]
    fn a_script_that_marks_its_own_lines_as_errors_is_no_kubeadm() {
        let retries = "[ERROR 10:00:01] retrying\n[ERROR 10:00:02] retrying\nmount: /data: no such device\n";
        let said = OutputTail::of("", retries);
        assert_eq!(said.reason().as_deref(), Some("mount: /data: no such device"));
        assert_eq!(said.stderr.len(), 3);
        let said = OutputTail::of(retries, "E: cannot mount\n");
        assert_eq!(said.reason().as_deref(), Some("E: cannot mount"));
    }

    #[test]
    fn few_lines_and_no_endless_one_are_kept() {
        let many = (0..100).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
        let said = OutputTail::of(&many, &"x".repeat(60_000));
        assert_eq!(said.stdout, ["line 95", "line 96", "line 97", "line 98", "line 99"]);
        assert_eq!(said.stderr, [format!("{}…", "x".repeat(WIDTH))]);
    }
}
