//! Hosts that failed, for people: what many share is told once.

use std::fmt::{self, Write};

use super::plain::{counted, host_name, names, said_lines, said_of};
use super::summary::Troubled;
use crate::engine::{Cause, HostStatus};
use crate::plan::{HostId, Plan};

/// The end of a failed command's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords {
    /// Lines of standard error.
    pub stderr: Vec<String>,
    /// Lines of standard output.
    pub stdout: Vec<String>,
    /// The file in the run's directory with all of it, or nothing.
    pub file: String,
}

/// Hosts in the same trouble.
struct TroubleGroup<'a> {
    first: &'a Troubled,
    hosts: Vec<HostId>,
}

/// A line for every trouble, and one for all hosts that cannot be reached by the same way.
pub(super) fn write(plan: &Plan, troubled: &[Troubled], record: &str, out: &mut String) -> fmt::Result {
    let mut groups: Vec<TroubleGroup<'_>> = Vec::new();
    for one in troubled.iter().filter(|one| !is_later(troubled, one)) {
        match groups.iter_mut().find(|group| is_same(plan, group.first, one)) {
            Some(group) => group.hosts.push(one.host),
            None => groups.push(TroubleGroup { first: one, hosts: vec![one.host] }),
        }
    }
    for TroubleGroup { first, hosts } in &mut groups {
        hosts.sort_unstable();
        match hosts.as_slice() {
            [host] => one(plan, *host, first, out)?,
            hosts => many(plan, hosts, first, out)?,
        }
        said(&first.said, record, out)?;
        if !first.failure.hint.is_empty() {
            writeln!(out, "    hint: {}", first.failure.hint)?;
        }
        let later = troubled.iter().filter(|one| hosts.contains(&one.host) && is_later(troubled, one));
        // Who cannot be reached cannot be rescued, either.
        for one in later.filter(|one| !is_same(plan, first, one)) {
            let message = said_of(&one.failure.message, host_name(plan, one.host));
            writeln!(out, "    then failed at `{}`: {message}", one.step)?;
            said(&one.said, record, out)?;
        }
    }
    Ok(())
}

/// The end of what the failed command printed, where it is more than the line that the failure tells, and where all of
/// it is.
fn said(said: &LastWords, record: &str, out: &mut String) -> fmt::Result {
    let LastWords { stderr, stdout, file } = said;
    if stderr.len() + stdout.len() > 1 {
        for line in said_lines(stderr, stdout) {
            writeln!(out, "    {line}")?;
        }
    }
    match (file.as_str(), record) {
        ("", _) => Ok(()),
        (file, "") => writeln!(out, "    all of its output: {file} in the run's directory"),
        (file, record) => writeln!(out, "    all of its output: {record}/{file}"),
    }
}

/// Whether it is what went wrong after something else had: with a rescue, or with what is done in the end.
fn is_later(troubled: &[Troubled], one: &Troubled) -> bool {
    let before = |other: &&Troubled| other.host == one.host && other.phase == one.phase;
    troubled.iter().filter(before).any(|other| other.section < one.section)
}

fn is_same(plan: &Plan, one: &Troubled, other: &Troubled) -> bool {
    let unreachable = |troubled: &Troubled| {
        troubled.failure.cause == Cause::Unreachable && troubled.status == HostStatus::Failed
    };
    let hint = one.failure.hint == other.failure.hint;
    unreachable(one) && unreachable(other) && hint && jump(plan, one.host) == jump(plan, other.host)
}

fn jump(plan: &Plan, host: HostId) -> Option<&str> {
    plan.host(host).connection.jump.as_deref()
}

fn one(plan: &Plan, host: HostId, troubled: &Troubled, out: &mut String) -> fmt::Result {
    let word = if troubled.status == HostStatus::Unknown { "unknown" } else { "failed" };
    let step = match troubled.step.as_str() {
        "" => String::new(),
        step => format!(" at `{step}`"),
    };
    // The message of a command begins with the same words.
    let message = said_of(&troubled.failure.message, host_name(plan, host));
    let again = message.strip_prefix(troubled.step.as_str()).and_then(|rest| rest.strip_prefix(": "));
    writeln!(out, "{}  {word}{step}: {}", host_name(plan, host), again.unwrap_or(message))
}

fn many(plan: &Plan, hosts: &[HostId], first: &Troubled, out: &mut String) -> fmt::Result {
    let through = jump(plan, first.host).map(|jump| format!(" through {jump}")).unwrap_or_default();
    let all = counted(hosts.len(), "host");
    writeln!(out, "{all} cannot be reached{through}: {}", names(plan, hosts))?;
    writeln!(out, "    the first: {}", first.failure.message)
}
