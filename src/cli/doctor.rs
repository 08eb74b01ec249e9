//! `rollbook doctor`: can every host be reached, read and worked on? Changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::rc::Rc;

use super::args::Doctor as Args;
use super::compose::{Connections, now, runtime, targets};
use super::load::{load_inventory, selected};
use super::outcome::{Outcome, Stopped};
use super::terminal::Terminal;
use crate::executor::{Depth, Pool, Survey, survey};
use crate::facts::HostFacts;
use crate::inventory::{Become, HostName, Inventory};
use crate::op::{Answer, Probe, Query, Site};
use crate::report::exit;
use crate::value::Duration;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    if args.as_cron {
        return as_cron(args);
    }
    let inventory = load_inventory(&args.inventory, terminal)?;
    let hosts = selected(&args.selector, "the selector", &inventory, terminal)?;
    let seen = runtime()?.block_on(look(&inventory, &hosts))?;
    let mut out = String::new();
    let mut all = Vec::new();
    for host in &hosts {
        let findings = seen.findings(host);
        let words: Vec<String> = findings.iter().map(Finding::to_string).collect();
        let line = if words.is_empty() { "ok".to_owned() } else { words.join("\n      ") };
        writeln!(out, "{host}  {line}").expect("invariant: writing to a string works");
        all.extend(findings);
    }
    terminal.data(&out)?;
    match verdict(&all) {
        exit::OK => Ok(exit::OK),
        code => Err(Stopped::Told(code)),
    }
}

/// The same once more, with what cron gives its jobs and nothing else.
fn as_cron(args: &Args) -> Outcome {
    let variable = |name: &str| std::env::var_os(name).map(|value| (name.to_owned(), value));
    let program = std::env::current_exe().map_err(anyhow::Error::from)?;
    let status = Command::new(program)
        .args(["doctor", "--inventory", args.inventory.as_str(), "--", &args.selector])
        .env_clear()
        .envs(["HOME", "LOGNAME", "USER"].into_iter().filter_map(variable))
        .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh")])
        .stdin(Stdio::null())
        .status()
        .map_err(anyhow::Error::from)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::BUG);
    if code == exit::OK { Ok(code) } else { Err(Stopped::Told(code)) }
}

/// Something about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    /// It could not be looked at.
    Unreachable(String),
    /// A run would fail.
    Problem(String),
    /// Good to know.
    Note(String),
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Problem(text) => f.write_str(text),
            Self::Note(text) => write!(f, "note: {text}"),
        }
    }
}

/// A problem of one host is worse than a host that nobody can look at; a note is neither.
fn verdict(findings: &[Finding]) -> u8 {
    if findings.iter().any(|finding| matches!(finding, Finding::Problem(_))) {
        exit::FAILED
    } else if findings.iter().any(|finding| matches!(finding, Finding::Unreachable(_))) {
        exit::UNREACHABLE
    } else {
        exit::OK
    }
}

/// Everything that was seen.
struct Seen {
    found: Survey,
    /// What root says, of the hosts where it is asked.
    root: BTreeMap<HostName, Result<Vec<Answer>, String>>,
    /// Seconds since 1970 on this machine, before and after.
    clock: (i64, i64),
}

async fn look(inventory: &Inventory, hosts: &[HostName]) -> anyhow::Result<Seen> {
    let connections = Connections::real(targets(inventory))?;
    let began = now().0 / 1000;
    let found =
        survey(&connections.pool, &connections.controller, hosts, Depth::Facts, None, &mut |_, _| {}).await;
    let ended = now().0 / 1000;
    let mut root = BTreeMap::new();
    for host in hosts.iter().filter(|host| found.hosts.contains_key(*host)) {
        if inventory.hosts[host].r#become == Become::Sudo {
            root.insert(host.clone(), as_root(&connections.pool, host).await);
        }
    }
    connections.close().await;
    Ok(Seen { found, root, clock: (began, ended) })
}

/// Who one is with sudo, and how sshd is set up.
async fn as_root(pool: &Rc<Pool>, host: &HostName) -> Result<Vec<Answer>, String> {
    let query = |argv: &[&str]| {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Query { argv, stdin: String::new(), site: None, r#become: None }
    };
    let queries = vec![query(&["id", "-u"]), query(&["/usr/sbin/sshd", "-T"])];
    let probe = Probe { site: Site::Subject, queries, r#become: true, timeout: Duration::from_secs(20) };
    let session = pool.session(host).await.map_err(|failure| failure.to_string())?;
    session.probe(&probe).await.map_err(|error| error.to_string())
}

/// Free space below which packages and etcd get into trouble.
const LOW_DISK: u64 = 1 << 30;
/// Seconds beyond which certificates and logs get into trouble.
const SKEW: i64 = 30;
/// Sessions that a host's connection may carry at the same time.
const SESSIONS: u32 = 6;
/// Connections that are set up at the same time through a jump host.
const STARTUPS: u32 = 8;

impl Seen {
    fn findings(&self, host: &HostName) -> Vec<Finding> {
        if let Some(failure) = self.found.failed.get(host) {
            let hint =
                if failure.hint.is_empty() { String::new() } else { format!(" (hint: {})", failure.hint) };
            return vec![Finding::Unreachable(format!("{}{hint}", failure.message))];
        }
        let Some(facts) = self.found.hosts.get(host) else {
            return vec![Finding::Unreachable("was not looked at".to_owned())];
        };
        let mut findings = self.root.get(host).map(of_root).unwrap_or_default();
        findings.extend(of_facts(facts, self.clock));
        let id = &facts.machine_id;
        let twins =
            self.found.hosts.iter().filter(|(other, facts)| *other != host && facts.machine_id == *id);
        findings.extend(
            twins
                .filter(|_| !id.is_empty())
                .map(|(other, _)| Finding::Problem(format!("has the machine id of {other}"))),
        );
        findings
    }
}

fn of_facts(facts: &HostFacts, clock: (i64, i64)) -> Vec<Finding> {
    let HostFacts { dpkg_broken, systemd, disks, machine_id, swap_total, .. } = facts;
    let mut findings = Vec::new();
    let mut problem = |text: String| findings.push(Finding::Problem(text));
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
        findings.push(Finding::Note(text.to_owned()));
    }
    if *swap_total > 0 {
        findings.push(Finding::Note("swap is on; a kubelet may refuse to start".to_owned()));
    }
    findings
}

fn of_root(answers: &Result<Vec<Answer>, String>) -> Vec<Finding> {
    let answers = match answers {
        Ok(answers) => answers,
        Err(reason) => return vec![Finding::Problem(reason.clone())],
    };
    let uid = answers.first().map_or("?", |answer| answer.stdout.trim());
    if uid != "0" {
        return vec![Finding::Problem(format!("`sudo -n` gives uid {uid}"))];
    }
    // A host without sshd in its usual place is reached by something else, and then this says nothing.
    answers.get(1).filter(|answer| answer.ok()).map(|answer| of_sshd(&answer.stdout)).unwrap_or_default()
}

/// What `sshd -T` says of limits that a roll would meet.
fn of_sshd(settings: &str) -> Vec<Finding> {
    let setting = |name: &str| {
        let mut lines = settings.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let mut findings = Vec::new();
    if let Some(sessions) = setting("maxsessions").and_then(|text| text.parse::<u32>().ok())
        && sessions < SESSIONS
    {
        let text = format!("sshd allows {sessions} sessions (MaxSessions); a roll uses up to {SESSIONS}");
        findings.push(Finding::Problem(text));
    }
    let startups = setting("maxstartups");
    let first = startups.and_then(|text| text.split(':').next()?.parse::<u32>().ok());
    if let (Some(text), Some(first)) = (startups, first)
        && first < STARTUPS
    {
        let text =
            format!("sshd drops connections early (MaxStartups {text}): as a jump host it would be slow");
        findings.push(Finding::Note(text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Disk;

    fn sound() -> HostFacts {
        HostFacts { machine_id: "a".to_owned(), systemd: true, clock: 1000, ..HostFacts::default() }
    }

    #[test]
    fn a_note_is_no_trouble_and_unreachable_hosts_alone_have_a_code_of_their_own() {
        let (lost, bad, note) = (
            Finding::Unreachable(String::new()),
            Finding::Problem(String::new()),
            Finding::Note(String::new()),
        );
        for (findings, code) in [
            (vec![], exit::OK),
            (vec![note.clone()], exit::OK),
            (vec![note.clone(), lost.clone()], exit::UNREACHABLE),
            (vec![lost, bad, note], exit::FAILED),
        ] {
            assert_eq!(verdict(&findings), code, "{findings:?}");
        }
    }

    #[test]
    fn each_fact_has_its_finding() {
        let with = |change: fn(&mut HostFacts)| {
            let mut facts = sound();
            change(&mut facts);
            of_facts(&facts, (990, 1010)).iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
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
    fn sshd_is_asked_for_its_limits() {
        assert_eq!(of_sshd("port 22\nmaxsessions 10\nmaxstartups 10:30:100\n"), []);
        assert!(
            matches!(of_sshd("maxsessions 2\n").as_slice(), [Finding::Problem(text)] if text.contains("2 sessions"))
        );
        assert!(
            matches!(of_sshd("maxstartups 5:30:60\n").as_slice(), [Finding::Note(text)] if text.contains("5:30:60"))
        );
    }
}
