//! What restarts or stops the machine, and what has to be over before that: locks of apt and dpkg, and whatever has asked
//! logind to block a shutdown. Pure.

use super::arguments::Arguments;
use super::build::{exactly, query, unreadable};
use super::reboot::{LOCK_TIMEOUT, RebootArgs};
use super::{AssessError, Lowered, Poll, Verify};
use crate::op::{Effect, Op, OpKind, Probe, ProbeOutput, Site, base_name, command_behind, is_shell};
use crate::value::{Duration, Value, escape};

/// Files that apt and dpkg lock while they work, and what they call them.
const LOCKS: [(&str, &str); 4] = [
    ("/var/lib/dpkg/lock-frontend", "dpkg's lock"),
    ("/var/lib/dpkg/lock", "dpkg's lock"),
    ("/var/lib/apt/lists/lock", "the lock of apt's lists"),
    ("/var/cache/apt/archives/lock", "the lock of apt's archives"),
];

/// The program that asks logind: it prints the same on every systemd from 221 on, unlike `systemd-inhibit --list`, whose
/// columns are cut to the width of a terminal.
const LIST_INHIBITORS: [&str; 7] = [
    "busctl",
    "--no-pager",
    "call",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "ListInhibitors",
];

/// What stands in the way of a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// What has to be over first, each with its holder.
    pub blocking: Vec<String>,
    /// What is only worth knowing: who delays the shutdown for some seconds, or that nobody could be asked.
    pub notes: Vec<String>,
}

/// Whether an op restarts or stops the machine that it runs on, whichever way it is written.
pub fn power_cycles(op: &Op) -> bool {
    match &op.kind {
        OpKind::Reboot => true,
        OpKind::Exec { .. } if op.effect == Effect::Reads => false,
        OpKind::Exec { argv } => {
            let words: Vec<&str> = argv.iter().map(String::as_str).collect();
            line_power_cycles(&words) || reads_script(&words) && text_power_cycles(&op.stdin)
        }
        OpKind::Write { .. } => false,
    }
}

/// Whether a program with these arguments restarts or stops its machine.
pub fn command_power_cycles(program: &str, args: &[&str]) -> bool {
    let has = |flags: &[&str]| args.iter().any(|arg| flags.contains(arg));
    let asks = has(&["--help", "--version", "--show", "--wtmp-only", "-w", "--dry-run"]);
    let verb = args.iter().find(|arg| !arg.starts_with('-'));
    let verb = verb.copied().unwrap_or_default();
    match base_name(program) {
        _ if asks => false,
        "reboot" | "poweroff" | "halt" => true,
        // `-k` only sends the warning.
        "shutdown" => !has(&["-c", "-k"]) && !args.is_empty(),
        "init" | "telinit" => matches!(verb, "0" | "6"),
        "systemctl" => {
            matches!(verb, "reboot" | "poweroff" | "halt" | "kexec" | "soft-reboot")
                || has(&["reboot.target", "poweroff.target", "halt.target"])
                    && matches!(verb, "start" | "isolate")
        }
        "loginctl" => matches!(verb, "reboot" | "poweroff" | "halt"),
        "kexec" => has(&["-e", "--exec"]),
        _ => false,
    }
}

fn reads_script(words: &[&str]) -> bool {
    words.iter().any(|word| is_shell(word))
}

fn line_power_cycles(words: &[&str]) -> bool {
    let Some((first, rest)) = command_behind(words).split_first() else { return false };
    if is_shell(first) {
        let text = rest.iter().position(|word| word.starts_with('-') && word.ends_with('c'));
        return text.and_then(|at| rest.get(at + 1)).is_some_and(|text| text_power_cycles(text));
    }
    command_power_cycles(first, rest)
}

/// The commands of a shell text, roughly: what only prints such a word between quotes counts, too, and costs a look.
fn text_power_cycles(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let commands = lines.flat_map(|line| line.split([';', '&', '|', '(', ')', '{', '}', '`']));
    commands.into_iter().any(|command| {
        let before = ["if", "then", "else", "elif", "do", "while", "until", "!"];
        let words: Vec<&str> = command
            .split_whitespace()
            .skip_while(|word| before.contains(word) || word.contains('='))
            .collect();
        // Everything from a redirection on is no argument.
        let end = words.iter().position(|word| word.contains(['<', '>'])).unwrap_or(words.len());
        line_power_cycles(&words[..end])
    })
}

/// What has to be looked at before the ops of a step, and how long it may take; `None` where they restart nothing.
pub fn obstacles_of(args: &Value, lowered: &Lowered) -> Option<Verify> {
    let op = lowered.ops.iter().find(|op| op.site == Site::Subject && power_cycles(op))?;
    let mut stat = vec!["stat", "-c", "%D %i %n", "--"];
    stat.extend(LOCKS.map(|(path, _)| path));
    let queries = vec![
        query(&stat),
        query(&["cat", "/proc/locks"]),
        query(&["ps", "-e", "-o", "pid=,comm="]),
        query(&LIST_INHIBITORS),
    ];
    let probe =
        Probe { site: Site::Subject, queries, r#become: op.r#become, timeout: Duration::from_secs(60) };
    // A command or script has no such field, and waits as long as a `reboot` that says nothing.
    let within = RebootArgs::read(args).map_or(LOCK_TIMEOUT, |reboot| reboot.lock_timeout);
    Some(Verify {
        probe,
        poll: Poll { interval: Duration::from_secs(3), stable_for: Duration::ZERO, within },
    })
}

/// Reads the answers to [`obstacles_of`].
pub fn read_obstacles(answers: &[ProbeOutput]) -> Result<Obstacles, AssessError> {
    let [files, locks, processes, inhibitors] = exactly(answers)?;
    let mut found = Obstacles { blocking: held_locks(files, locks, processes)?, notes: Vec::new() };
    read_inhibitors(inhibitors, &mut found);
    Ok(found)
}

/// Locks that somebody holds, with the holder: a restart in the middle leaves dpkg half-way.
fn held_locks(
    files: &ProbeOutput,
    locks: &ProbeOutput,
    processes: &ProbeOutput,
) -> Result<Vec<String>, AssessError> {
    let known: Vec<_> = files.stdout.lines().filter_map(lock_file).collect();
    if known.is_empty() {
        // A host without apt and dpkg. Files that may not be looked at are another matter.
        if files.stderr.contains("Permission denied") {
            return Err(unreadable("stat", "device and inode of the lock files", files));
        }
        return Ok(Vec::new());
    }
    if !locks.ok() {
        return Err(unreadable("cat /proc/locks", "the locks of the host", locks));
    }
    let mut held = Vec::new();
    for line in locks.stdout.lines() {
        let Some(lock) = held_lock(line) else { continue };
        let Some(file) = known.iter().find(|file| file.is(&lock)) else { continue };
        let text = format!("{} ({}) is held by {}", file.what, file.path, holder(lock.pid, processes));
        if !held.contains(&text) {
            held.push(text);
        }
    }
    Ok(held)
}

struct LockFile<'a> {
    device: u64,
    inode: u64,
    path: &'a str,
    what: &'static str,
}

/// `fe01 131 /var/lib/dpkg/lock`, as `stat -c "%D %i %n"` prints it.
fn lock_file(line: &str) -> Option<LockFile<'_>> {
    let mut words = line.splitn(3, ' ');
    let device = u64::from_str_radix(words.next()?, 16).ok()?;
    let (inode, path) = (words.next()?.parse().ok()?, words.next()?);
    let (_, what) = LOCKS.into_iter().find(|(known, _)| *known == path)?;
    Some(LockFile { device, inode, path, what })
}

struct HeldLock<'a> {
    pid: &'a str,
    major: u64,
    minor: u64,
    inode: u64,
}

/// `1: POSIX  ADVISORY  WRITE 4321 fe:01:131 0 EOF`, see proc(5). What only waits for a lock has an arrow.
fn held_lock(line: &str) -> Option<HeldLock<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "POSIX" | "OFDLCK", _, "WRITE", pid, file, ..] = words.as_slice() else { return None };
    let mut parts = file.split(':');
    let mut hex = || u64::from_str_radix(parts.next()?, 16).ok();
    let (major, minor) = (hex()?, hex()?);
    Some(HeldLock { pid, major, minor, inode: parts.next()?.parse().ok()? })
}

impl LockFile<'_> {
    fn is(&self, lock: &HeldLock<'_>) -> bool {
        let major = self.device >> 8 & 0xfff;
        let minor = self.device & 0xff | self.device >> 12 & 0xf_ff00;
        // File systems without a device of their own, such as btrfs and overlayfs, show two different numbers.
        let has_no_device = major == 0 || lock.major == 0;
        self.inode == lock.inode && (has_no_device || (major, minor) == (lock.major, lock.minor))
    }
}

/// "process 4321 (unattended-upgr)", as apt names it.
fn holder(pid: &str, processes: &ProbeOutput) -> String {
    let name = processes.stdout.lines().find_map(|line| {
        let (known, name) = line.trim().split_once(' ')?;
        (known == pid).then(|| name.trim())
    });
    match name {
        _ if pid.parse::<u32>().is_ok_and(|pid| pid > 0) => {
            name.map_or_else(|| format!("process {pid}"), |name| format!("process {pid} ({})", escape(name)))
        }
        // Of another name space: a container.
        _ => "another process".to_owned(),
    }
}

fn read_inhibitors(answer: &ProbeOutput, found: &mut Obstacles) {
    let is_absent = |text: &str| {
        ["not provided", "not been booted with systemd", "connect to", "No such file", "not found"]
            .iter()
            .any(|words| text.contains(words))
    };
    if answer.rc == 127 || !answer.ok() && is_absent(&answer.stderr) {
        found.notes.push("no logind, so no inhibitors".to_owned());
        return;
    }
    let Some(inhibitors) = answer.ok().then(|| inhibitors(&answer.stdout)).flatten() else {
        let said = [&answer.stderr, &answer.stdout].into_iter().find_map(|text| text.lines().last());
        found
            .blocking
            .push(format!("logind does not say what inhibits a shutdown: {}", escape(said.unwrap_or(""))));
        return;
    };
    for inhibitor in
        inhibitors.iter().filter(|inhibitor| inhibitor.what.split(':').any(|what| what == "shutdown"))
    {
        let Inhibitor { who, why, pid, .. } = inhibitor;
        let text = format!("{} (process {pid}: {})", escape(who), escape(why));
        match inhibitor.mode.as_str() {
            "delay" => found.notes.push(format!("logind lets {text} delay it")),
            _ => found.blocking.push(format!("shutdown is blocked by {text}")),
        }
    }
}

struct Inhibitor {
    what: String,
    who: String,
    why: String,
    mode: String,
    pid: String,
}

/// `a(ssssuu) 1 "shutdown" "who" "why" "block" 0 812`: the answer to `ListInhibitors` as busctl prints it.
fn inhibitors(text: &str) -> Option<Vec<Inhibitor>> {
    let mut words = quoted_words(text)?.into_iter();
    if words.next()? != "a(ssssuu)" {
        return None;
    }
    let count: usize = words.next()?.parse().ok()?;
    let read = |_| {
        let (what, who, why, mode) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let (_, pid) = (words.next()?, words.next()?);
        Some(Inhibitor { what, who, why, mode, pid })
    };
    (0..count).map(read).collect()
}

/// Words apart by blanks; those between quotes with the escapes of C.
fn quoted_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
            continue;
        };
        let (mut word, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in quoted.char_indices() {
            match c {
                _ if escaped => {
                    word.push(if c == 'n' { ' ' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                _ => word.push(c),
            }
        }
        words.push(word);
        rest = quoted[end?..].trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(argv: &[&str], stdin: &str) -> Op {
        Op { stdin: stdin.to_owned(), effect: Effect::Disrupts, ..Op::exec("", argv.iter().copied()) }
    }

    #[test]
    fn a_restart_is_known_however_it_is_written() {
        let cases: [(&[&str], &str, bool); 24] = [
            (&["sudo", "-u", "root", "reboot"], "", true),
            (&["sudo", "-n", "echo", "reboot"], "", false),
            (&["reboot"], "", true),
            (&["/sbin/reboot", "-f"], "", true),
            (&["systemctl", "reboot"], "", true),
            (&["systemctl", "--no-wall", "reboot"], "", true),
            (&["systemctl", "isolate", "reboot.target"], "", true),
            (&["systemctl", "restart", "reboot-notifier"], "", false),
            (&["shutdown", "-r", "now"], "", true),
            (&["shutdown", "-h", "+5"], "", true),
            (&["shutdown", "-c"], "", false),
            (&["env", "--chdir=/", "--", "A=b", "reboot"], "", true),
            (&["sudo", "-n", "systemctl", "poweroff"], "", true),
            (&["timeout", "5", "reboot"], "", true),
            (&["sh", "-c", "sync; reboot"], "", true),
            (&["bash", "-ec", "sleep 5 && /sbin/shutdown -r now >/dev/null"], "", true),
            (&["sh", "-c", "echo done"], "reboot\n", true),
            (&["/bin/sh", "-s", "--"], "set -e\n# reboot\nif test -e /x; then reboot; fi\n", true),
            (&["/bin/sh", "-s", "--"], "set -e\n# reboot\ntest -e /var/run/reboot-required\n", false),
            (&["echo", "reboot"], "", false),
            (&["init", "6"], "", true),
            (&["init", "3"], "", false),
            (&["test", "-e", "/var/run/reboot-required"], "", false),
            (&["reboot", "--help"], "", false),
        ];
        for (argv, stdin, expected) in cases {
            assert_eq!(power_cycles(&exec(argv, stdin)), expected, "{argv:?} {stdin:?}");
        }
        let reads = Op { effect: Effect::Reads, ..exec(&["reboot"], "") };
        assert!(!power_cycles(&reads));
    }

    fn answer(stdout: &str) -> ProbeOutput {
        ProbeOutput { rc: 0, stdout: stdout.to_owned(), stderr: String::new() }
    }

    fn failed(rc: i32, stderr: &str) -> ProbeOutput {
        ProbeOutput { rc, stdout: String::new(), stderr: stderr.to_owned() }
    }

    const FILES: &str = "fe01 131 /var/lib/dpkg/lock-frontend\nfe01 132 /var/lib/dpkg/lock\n";

    fn locks(locks: &str, processes: ProbeOutput) -> Vec<String> {
        read_obstacles(&[answer(FILES), answer(locks), processes, answer("a(ssssuu) 0")]).unwrap().blocking
    }

    #[test]
    fn a_held_lock_names_its_holder() {
        let ps = answer("      1 systemd\n   4321 unattended-upgr\n");
        let line = "1: POSIX  ADVISORY  WRITE 4321 fe:01:131 0 EOF\n";
        let by = |who: &str| vec![format!("dpkg's lock (/var/lib/dpkg/lock-frontend) is held by {who}")];
        assert_eq!(locks(line, ps.clone()), by("process 4321 (unattended-upgr)"));
        assert_eq!(locks(line, failed(127, "ps: not found")), by("process 4321"));
        assert_eq!(
            locks("1: OFDLCK ADVISORY  WRITE -1 fe:01:131 0 EOF\n", ps.clone()),
            by("another process")
        );
        // btrfs shows another device in /proc/locks than stat does.
        assert_eq!(
            locks("1: POSIX  ADVISORY  WRITE 4321 00:1f:131 0 EOF\n", ps.clone()),
            by("process 4321 (unattended-upgr)")
        );
        for other in [
            "1: POSIX  ADVISORY  WRITE 4321 fe:02:131 0 EOF\n",
            "1: POSIX  ADVISORY  WRITE 4321 fe:01:99 0 EOF\n",
            "1: -> POSIX  ADVISORY  WRITE 4321 fe:01:131 0 EOF\n",
            "1: POSIX  ADVISORY  READ 4321 fe:01:131 0 EOF\n",
            "1: FLOCK  ADVISORY  WRITE 4321 fe:01:131 0 EOF\n",
            "",
        ] {
            assert_eq!(locks(other, ps.clone()), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn locks_that_cannot_be_read_are_no_free_locks() {
        let none = answer("a(ssssuu) 0");
        let denied = failed(1, "cat: /proc/locks: Permission denied");
        assert!(read_obstacles(&[answer(FILES), denied.clone(), answer(""), none.clone()]).is_err());
        // A host without dpkg has none to hold.
        let absent = failed(1, "stat: cannot statx '/var/lib/dpkg/lock': No such file or directory");
        assert_eq!(read_obstacles(&[absent, denied, answer(""), none]).unwrap(), Obstacles::default());
    }

    fn inhibited(inhibitors: ProbeOutput) -> Obstacles {
        read_obstacles(&[answer(FILES), answer(""), answer(""), inhibitors]).unwrap()
    }

    #[test]
    fn inhibitors_that_block_are_told_from_those_that_delay() {
        let found = inhibited(answer(
            "a(ssssuu) 3 \"shutdown:sleep\" \"backup\" \"writes \\\"the\\\" archive\" \"block\" 0 77 \"sleep\" \"x\" \"y\" \
             \"block\" 0 78 \"shutdown\" \"Unattended Upgrades Shutdown\" \"Stop ongoing upgrades\" \"delay\" 0 79\n",
        ));
        assert_eq!(found.blocking, ["shutdown is blocked by backup (process 77: writes \"the\" archive)"]);
        assert_eq!(
            found.notes,
            ["logind lets Unattended Upgrades Shutdown (process 79: Stop ongoing upgrades) delay it"]
        );
    }

    #[test]
    fn a_host_without_logind_has_no_inhibitors_and_one_that_does_not_answer_may() {
        for gone in [
            failed(127, "busctl: not found"),
            failed(1, "Call failed: The name org.freedesktop.login1 was not provided by any .service files"),
            failed(1, "System has not been booted with systemd as init system (PID 1). Can't operate."),
            failed(1, "Failed to connect to bus: No such file or directory"),
        ] {
            let found = inhibited(gone);
            assert_eq!((found.blocking.len(), found.notes.len()), (0, 1), "{found:?}");
        }
        for silent in [failed(1, "Call failed: Connection timed out"), failed(124, ""), answer("gibberish")] {
            assert_eq!(inhibited(silent).blocking.len(), 1);
        }
    }
}
