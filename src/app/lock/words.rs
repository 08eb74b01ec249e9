//! What people are told of the lock: who has it, since when, where its record lies, and what to type.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::app::AppError;
use crate::executor::{LeaseError, LockError, LockRefusal};
use crate::kubernetes::lease::{Lease, NAME, NAMESPACE, Progress, Unfinished};
use crate::report::ExitKind;

/// A run that is in the way of another one.
pub(crate) struct InTheWay {
    pub(crate) what: String,
    pub(crate) hint: String,
    pub(crate) code: ExitKind,
}

impl InTheWay {
    /// One whose controller is alive, or has stopped it in order.
    pub(crate) fn in_order(unfinished: &Unfinished) -> Self {
        let Unfinished { run, since, by, .. } = clean(unfinished);
        let state = standing(unfinished).unwrap_or_else(|| "is going on".to_owned());
        let what = format!("run {run} of {by} {state} on this cluster, since {since}");
        // Whoever left hosts behind is no reason to try later: nothing changes by itself.
        let code = if unfinished.left.is_empty() { ExitKind::Locked } else { ExitKind::CutOff };
        Self { what: what + &aftermath(unfinished), hint: ways_out(unfinished), code }
    }

    /// One whose controller is dead.
    pub(crate) fn cut_off(unfinished: &Unfinished) -> Self {
        let Unfinished { run, since, by, .. } = clean(unfinished);
        let what = format!(
            "run {run} of {by}, which began on this cluster at {since}, was cut off: its controller is dead, and hosts may be \
             half-changed"
        );
        Self { what, hint: ways_out(unfinished), code: ExitKind::CutOff }
    }

    /// One of which nobody has looked whether its controller lives.
    pub(crate) fn unknown(unfinished: &Unfinished) -> Self {
        let Unfinished { run, since, by, .. } = clean(unfinished);
        let what = format!("run {run} of {by} is going on or was cut off on this cluster, since {since}");
        Self { what, hint: ways_out(unfinished), code: ExitKind::Locked }
    }

    /// As what stops a run.
    pub(crate) fn stops(self) -> AppError {
        AppError::new(self.code, self.what).hint(self.hint)
    }
}

/// Of one that has stopped.
fn standing(unfinished: &Unfinished) -> Option<String> {
    (unfinished.state == Progress::Paused).then(|| "has stopped and can go on".to_owned())
}

/// Why one stopped, and what it left; nothing where that is not known.
fn aftermath(unfinished: &Unfinished) -> String {
    let Unfinished { stopped_by, left, .. } = clean(unfinished);
    let left = match left.as_str() {
        "" => "it left no host out of service or half-changed".to_owned(),
        left => format!("left out of service or half-changed: {left}"),
    };
    if unfinished.state != Progress::Paused || stopped_by.is_empty() {
        String::new()
    } else {
        format!("; stopped by: {stopped_by}; {left}")
    }
}

/// Where the record lies, and the commands of which any one ends the run.
fn ways_out(unfinished: &Unfinished) -> String {
    let Unfinished { run, journal, .. } = clean(unfinished);
    let (host, path) = journal.split_once(':').unwrap_or(("its controller", &run));
    format!(
        "its record is {journal}\n  either go on with it, on {host}: rollbook resume {path}\n  \
         or put back what it left, on {host}: rollbook runs undo {path}\n  \
         or give it up: rollbook lock release -i INVENTORY --supersede {run} --reason TEXT"
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
        stopped_by: text(&unfinished.stopped_by),
        left: text(&unfinished.left),
    }
}

/// Why the Lease could not be read or written.
pub(crate) fn lease_error(error: &LeaseError) -> AppError {
    let (kind, hint) = match error {
        LeaseError::Silent(_) | LeaseError::Starting(_) => {
            (ExitKind::Unreachable, "nothing was changed; try again when the API server answers")
        }
        LeaseError::Refused { hint, .. } => (ExitKind::Failed, hint.as_str()),
    };
    AppError::new(kind, error.to_string()).hint(hint)
}

/// Why the lock cannot be acquired.
pub(crate) fn lock_error(error: &LockError) -> AppError {
    let (what, hint) = match error {
        LockError::Lease(error) => return lease_error(error),
        LockError::Refused(LockRefusal::Unfinished(unfinished)) => {
            return InTheWay::in_order(unfinished).stops();
        }
        LockError::Refused(LockRefusal::CutOff(unfinished)) => {
            return InTheWay::cut_off(unfinished).stops();
        }
        LockError::Refused(LockRefusal::Alive { holder }) => (
            format!(
                "the run goes on at this moment: {} renews the lock of the cluster",
                holder.escape_debug()
            ),
            "stop it there with Ctrl-C, or wait for its end".to_owned(),
        ),
        LockError::Refused(LockRefusal::Superseded { why }) => (
            format!("the run was given up by {}", why.escape_debug()),
            "start a new run: it does what is still to be done".to_owned(),
        ),
        LockError::Held { holder } => (
            format!("{} holds the lock of the cluster", holder.escape_debug()),
            "wait for it with --wait-lock DURATION; `rollbook lock release` takes away what a dead one left"
                .to_owned(),
        ),
        LockError::PlanUsed => {
            return AppError::new(
                ExitKind::Approval,
                "the plan was run on this cluster already: a saved plan is good for one run",
            )
            .hint("plan again: what has changed since is then in the new plan");
        }
    };
    AppError::new(ExitKind::Locked, what).hint(hint)
}

/// For `lock show`.
pub(crate) fn shown(lease: Option<&Lease>) -> String {
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
            let Unfinished { run, plan, since, by, stopped_by, left, .. } = clean(unfinished);
            writeln!(out, "run      {run}, {}", unfinished.state.word())?;
            writeln!(out, "by       {by}")?;
            writeln!(out, "since    {since}")?;
            writeln!(out, "plan     {plan}")?;
            if !stopped_by.is_empty() {
                writeln!(out, "stopped  {stopped_by}")?;
            }
            if !left.is_empty() {
                writeln!(out, "left     {left}")?;
            }
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
pub(crate) fn as_json(lease: Option<&Lease>) -> Value {
    let Some(lease) = lease else { return json!({ "free": true }) };
    let unfinished = lease.unfinished.as_ref().map(|unfinished| {
        let Unfinished { run, plan, state, since, by, journal, machine, stopped_by, left } = unfinished;
        json!({
            "run": run, "plan": plan, "state": state.word(), "since": since, "by": by, "record": journal,
            "machine": machine, "stopped_by": stopped_by, "left": left,
        })
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
