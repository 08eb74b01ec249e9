//! `rollbook runs undo`: puts back the cordons and holds that a run left which will not go on. That is a run of its own,
//! with a plan that is shown first and a record; the undone run's journal says that it cannot go on any more.

use std::collections::BTreeMap;
use std::rc::Rc;

use camino::Utf8PathBuf;

use super::Tell;
use super::connections::{Connections, machine, now, run_id, runtime, who};
use super::earlier;
use super::left::LaterRuns;
use super::lock::{self, Begin};
use super::records::{Found, Which, find, lock_state, refuse_rehearsal};
use super::resume::{open, ways};
use super::roll::{ReadyRun, roll_on};
use super::{Consent, RollRequest, UndoRequest};
use crate::app::AppError;
use crate::engine::{Event, Stamped};
use crate::executor::{Nobody, Secrets, Undoing, undoing};
use crate::journal::{Journal, Record, Recorded, RunDir, StateDir};
use crate::plan::show::{bytes, digest};
use crate::plan::{HostId, Plan};
use crate::report::{ExitKind, Summary};
use crate::value::Duration;

/// Puts back what a run left, as a run of its own.
pub(crate) fn undo(args: &UndoRequest<'_>, tell: &dyn Tell) -> Result<ExitKind, AppError> {
    let state_dir = args.state_dir.as_ref();
    let Some(found) = find(state_dir, Some(&args.run), Which::Newest)? else {
        return Err(AppError::told(ExitKind::Usage));
    };
    refuse_rehearsal(&found.dir, "nothing is to be put back; `rollbook rehearse` begins anew")?;
    args.consent.refuse_nobody("look at it with `rollbook runs show`, then undo it with --yes")?;
    let state = lock_state(state_dir, "a run being undone")?;
    // Before it is read, and held to the end: nobody goes on with the run meanwhile.
    let journal = open(&found.dir)?;
    let recorded = found.read()?;
    let record = found.dir.clone();
    let undo = Undo { args, recorded, journal, record, state, state_dir, tell };
    runtime()?.block_on(undo.connected())
}

struct Undo<'a> {
    args: &'a UndoRequest<'a>,
    /// The run that is undone.
    recorded: Recorded,
    journal: Journal,
    record: RunDir,
    state: StateDir,
    state_dir: Option<&'a Utf8PathBuf>,
    tell: &'a dyn Tell,
}

impl Undo<'_> {
    async fn connected(mut self) -> Result<ExitKind, AppError> {
        let ways = ways(&self.recorded.plan, self.args.connection.as_deref(), self.tell)?;
        let connections = Connections::real(ways)?;
        let outcome = self.put_back(&connections).await;
        connections.close().await;
        outcome
    }

    async fn put_back(&mut self, connections: &Connections) -> Result<ExitKind, AppError> {
        let Recorded { plan: of, history, .. } = &self.recorded;
        let here = history.machine() == Some(&machine());
        let tell = self.tell;
        let pools = (&connections.pool, &connections.controller);
        let found = undoing(of, history, here, pools, &mut |line| tell.say(line)).await;
        let Undoing { plan, kept, is_unsure } =
            found.map_err(|error| anyhow::anyhow!("{}", error.message))?;
        // What is looked at and not kept is put back below, or stands no more.
        let is_put_back = |host: HostId| !kept.contains_key(&host);
        let mut summary = Summary::of(of, history);
        LaterRuns::after(&self.recorded, self.state.path())?.settle_with(
            &mut summary,
            &self.recorded,
            is_put_back,
        );
        let left = left_as_it_is(of, &summary, &kept);
        if self.args.consent != Consent::Given && !is_unsure {
            // Whoever is asked has to know it.
            say_all(&left, tell);
        }
        let (code, is_back) = match plan {
            Some(plan) => {
                let code = self.roll(plan, connections).await?;
                (code, code == ExitKind::Ok)
            }
            None if is_unsure => (self.not_given_up(), false),
            None => (self.give_up(!left.is_empty(), connections).await?, true),
        };
        if is_back && kept.is_empty() {
            self.record.put_back(&who()).map_err(anyhow::Error::from)?;
        }
        say_all(&left, tell);
        Ok(if kept.is_empty() { code } else { ExitKind::LeftOut })
    }

    /// What is left on a host is not known: its run stays as it is.
    fn not_given_up(&self) -> ExitKind {
        let history = &self.recorded.history;
        let goes_on = history.state.can_resume() && self.record.superseded().is_none();
        if let Some(run) = history.run().filter(|_| goes_on) {
            self.tell.say(&format!("run {run} is not given up: what it left is not known of every host"));
            self.tell.hint(&format!(
                "undo it when they answer, from the machine that it was started on; to give it up as it is: \
                 rollbook lock release --supersede {run} --reason '…'"
            ));
        }
        ExitKind::LeftOut
    }

    /// Nothing is to be put back. A run that could go on is given up all the same: that is what was asked for, and the next
    /// run would find it in its way. `is_left` is whether something stays as it was.
    async fn give_up(&self, is_left: bool, connections: &Connections) -> Result<ExitKind, AppError> {
        let Recorded { plan, history, .. } = &self.recorded;
        let tell = self.tell;
        let what = if is_left {
            "no cordon and no hold of the run stands; what else it changed, a person has to look at"
        } else {
            "nothing of the run stands"
        };
        // Asked again it ends as it did before.
        let ends =
            if is_left && history.state.undone_by().is_none() { ExitKind::LeftOut } else { ExitKind::Ok };
        let Some(run) = history.run().filter(|_| history.state.can_resume()) else {
            tell.say(&format!("nothing to do: {what}"));
            return Ok(ends);
        };
        tell.say(&format!("nothing to do on the hosts: {what}"));
        if let Some(why) = self.record.superseded() {
            tell.say(&format!("run {run} was given up already by {why}"));
            return Ok(ends);
        }
        if self.args.consent != Consent::Given
            && !tell.confirm(&format!("Give run {run} up? It cannot be resumed afterwards."))
        {
            tell.say("nothing was changed");
            return Err(AppError::told(ExitKind::Approval));
        }
        let why = format!("{}: `rollbook runs undo` found nothing to put back", who());
        let here = history.machine() == Some(&machine());
        lock::give_up(plan, (run, here), &why, connections, tell).await?;
        self.record.supersede(&why).map_err(anyhow::Error::from)?;
        tell.say(&format!("run {run} is given up; a new run does what is still to be done"));
        Ok(ends)
    }

    async fn roll(&mut self, plan: Plan, connections: &Connections) -> Result<ExitKind, AppError> {
        let body = bytes(&plan);
        let digest = digest(&body);
        let expected = earlier::expected(&plan, self.state_dir, self.args.roll.deadline);
        self.tell.plan(&plan, &digest, &expected);
        let undone = plan.undoes.as_deref().unwrap_or_default();
        let question = format!("Put this back? Run {undone} cannot be resumed afterwards.");
        if self.args.consent != Consent::Given && !self.tell.confirm(&question) {
            self.tell.say("nothing was changed");
            return Err(AppError::told(ExitKind::Approval));
        }
        let run = run_id();
        let run_dir = self.state.create_run(&run, &body).map_err(anyhow::Error::from)?;
        let journal = Journal::create(&run_dir.journal()).map_err(anyhow::Error::from)?;
        let record = Found::new(run_dir, self.state_dir);
        let begin = Begin {
            plan: &plan,
            digest: &digest,
            run: &run,
            record: Some(&record.dir),
            given_up: plan.undoes.as_deref(),
            goes_on_since: None,
            is_saved: false,
            patience: Duration::ZERO,
        };
        let lock = match lock::take(&begin, connections, self.tell).await {
            Ok(lock) => lock,
            Err(stopped) => {
                // It never began, and nobody needs to hear of it again.
                record.dir.remove().map_err(anyhow::Error::from)?;
                return Err(stopped);
            }
        };
        // Before the first change: a run whose cordon is gone must not go on as if it were there.
        self.mark(run.clone())?;
        let ready =
            ReadyRun { plan: Rc::new(plan), digest, run, secrets: Secrets::none(), record, journal, lock };
        // What puts back asks nobody anything.
        let request = RollRequest { approver: Rc::new(Nobody), ..self.args.roll.clone() };
        let code = roll_on(ready, None, connections, &request, self.tell).await?;
        self.tell.say("what is still to be done, a new run does");
        Ok(code)
    }

    /// The undone run's journal says who undoes it.
    fn mark(&mut self, by: String) -> anyhow::Result<()> {
        let seq = self.recorded.history.state.seq() + 1;
        let event = Stamped { seq, at: now(), event: Event::RunUndone { by } };
        self.journal.append(&[event], true).map_err(|error| {
            anyhow::Error::from(error)
                .context("the journal of the run cannot be written, so nothing was put back")
        })
    }
}

/// What stays as it was, a line each: what only a person can put back, and what the run left beside its brackets.
fn left_as_it_is(plan: &Plan, summary: &Summary, kept: &BTreeMap<HostId, Vec<String>>) -> Vec<String> {
    let name = |host: HostId| &plan.host(host).name;
    let mut lines = Vec::new();
    for (host, reasons) in kept {
        lines.extend(reasons.iter().map(|why| format!("{}  is left as it was: {why}", name(*host))));
    }
    lines.extend(summary.left.iter().map(|left| {
        format!(
            "{}  is left {} by the run: look at it, and let a new run do what is still to be done",
            name(left.host),
            left.what
        )
    }));
    lines
}

fn say_all(lines: &[String], tell: &dyn Tell) {
    for line in lines {
        tell.say(line);
    }
}
