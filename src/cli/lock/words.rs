//! What people are told of the lock: who has it, since when, where its record lies, and what to type.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::outcome::Stopped;
use crate::cli::terminal::Terminal;
use crate::executor::{LeaseError, LockError, Refusal};
use crate::kubernetes::lease::{Lease, NAME, NAMESPACE, Progress, Unfinished};
use crate::report::exit;

/// What stands in the way, in a sentence, and what to do.
pub(super) fn in_the_way(unfinished: &Unfinished) -> (String, String) {
    let Unfinished { run, since, by, .. } = clean(unfinished);
    let state = match unfinished.state {
        Progress::Running => "is going on or was cut off",
        Progress::Paused => "has stopped and can go on",
    };
    let what = format!("run {run} of {by} {state} on this cluster, since {since}");
    (what, ways_out(unfinished))
}

/// Where the record lies, and the commands that end the run.
fn ways_out(unfinished: &Unfinished) -> String {
    let Unfinished { run, journal, .. } = clean(unfinished);
    let (host, path) = journal.split_once(':').unwrap_or(("its controller", &run));
    format!(
        "its record is {journal}\n  to go on with it, on {host}: rollbook resume {path}\n  \
         to give it up: rollbook lock release -i INVENTORY --supersede {run} --reason TEXT"
    )
}

/// Annotations are anybody's to write.
fn clean(unfinished: &Unfinished) -> Unfinished {
    let text = |text: &str| text.escape_debug().to_string();
    Unfinished {
        run: text(&unfinished.run),
        plan: text(&unfinished.plan),
        state: unfinished.state,
        since: text(&unfinished.since),
        by: text(&unfinished.by),
        journal: text(&unfinished.journal),
        machine: text(&unfinished.machine),
    }
}

/// Tells why the Lease could not be read or written.
pub(super) fn lease_error(error: &LeaseError, terminal: &Terminal) -> Stopped {
    terminal.error(&error.to_string());
    match error {
        LeaseError::Silent(_) => {
            terminal.hint("nothing was changed; try again when the API server answers");
            Stopped::Told(exit::UNREACHABLE)
        }
        LeaseError::Refused { hint, .. } => {
            terminal.hint(hint);
            Stopped::Told(exit::FAILED)
        }
    }
}

/// Tells why the lock cannot be had.
pub(super) fn lock_error(error: &LockError, terminal: &Terminal) -> Stopped {
    let (what, hint) = match error {
        LockError::Lease(error) => return lease_error(error, terminal),
        LockError::Refused(Refusal::Unfinished(unfinished)) => in_the_way(unfinished),
        LockError::Refused(Refusal::Alive { holder }) => (
            format!(
                "the run goes on at this moment: {} renews the lock of the cluster",
                holder.escape_debug()
            ),
            "stop it there with Ctrl-C, or wait for its end".to_owned(),
        ),
        LockError::Refused(Refusal::Superseded { why }) => (
            format!("the run was given up by {}", why.escape_debug()),
            "start a new run: it does what is still to be done".to_owned(),
        ),
        LockError::Held { holder } => (
            format!("{} holds the lock of the cluster", holder.escape_debug()),
            "wait for it with --wait-lock DURATION; `rollbook lock release` takes away what a dead one left"
                .to_owned(),
        ),
        LockError::PlanUsed => {
            terminal.error("the plan was run on this cluster already: a saved plan is good for one run");
            terminal.hint("plan again: what has changed since is then in the new plan");
            return Stopped::Told(exit::APPROVAL);
        }
    };
    terminal.error(&what);
    terminal.hint(&hint);
    Stopped::Told(exit::LOCKED)
}

/// For `lock show`.
pub(super) fn shown(lease: Option<&Lease>) -> String {
    let Some(lease) = lease else {
        return format!("free: there is no Lease {NAMESPACE}/{NAME}, so no run was begun on this cluster\n");
    };
    let mut out = String::new();
    write(lease, &mut out).expect("invariant: writing to a string works");
    out
}

fn write(lease: &Lease, out: &mut String) -> std::fmt::Result {
    match &lease.unfinished {
        Some(unfinished) => {
            let Unfinished { run, plan, since, by, .. } = clean(unfinished);
            writeln!(out, "run      {run}, {}", unfinished.state.word())?;
            writeln!(out, "by       {by}")?;
            writeln!(out, "since    {since}")?;
            writeln!(out, "plan     {plan}")?;
            for line in ways_out(unfinished).lines() {
                writeln!(out, "{}", line.replacen("its record is", "record  ", 1))?;
            }
        }
        None if lease.holder.is_empty() => writeln!(out, "free")?,
        None => {}
    }
    if !lease.holder.is_empty() {
        let (holder, renewed) = (lease.holder.escape_debug(), lease.renewed.escape_debug());
        writeln!(
            out,
            "holder   {holder}, which renewed it at {renewed} by its own clock; ttl {}",
            lease.ttl
        )?;
    }
    if let Some(last) = lease.superseded.last() {
        let (last, why) = (last.escape_debug(), lease.superseded_why.escape_debug());
        writeln!(out, "given up {last}, by {why}")?;
    }
    Ok(())
}

/// The same for programs.
pub(super) fn as_json(lease: Option<&Lease>) -> Value {
    let Some(lease) = lease else { return json!({ "free": true }) };
    let unfinished = lease.unfinished.as_ref().map(|unfinished| {
        let Unfinished { run, plan, state, since, by, journal, machine } = unfinished;
        json!({ "run": run, "plan": plan, "state": state.word(), "since": since, "by": by, "record": journal, "machine": machine })
    });
    json!({
        "free": unfinished.is_none() && lease.holder.is_empty(),
        "unfinished": unfinished,
        "holder": lease.holder,
        "renewed": lease.renewed,
        "ttl_seconds": lease.ttl.as_secs(),
        "superseded": lease.superseded,
        "superseded_why": lease.superseded_why,
    })
}
