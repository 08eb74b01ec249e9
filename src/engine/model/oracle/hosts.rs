//! Properties of hosts and tasks: order, brackets, retries, ends, and what a stop leaves alone.

use crate::engine::model::ledger::{Ledger, Page, part_of, sets_or_takes_away};
use crate::engine::{Event, HostStatus, SkipReason, Stamped, StopLevel, TaskEnd};
use crate::op::Effect;
use crate::plan::{Bracket, Forecast, HostId, HostTasks, Section, Task, TaskId};

use super::{Violation, must};

pub(super) fn judge(ledger: &Ledger<'_>, stamped: &Stamped) -> Result<(), Violation> {
    match &stamped.event {
        Event::HostStarted { host, .. } => host_started(ledger, *host),
        Event::BracketProbeStarted { host, bracket, .. } => {
            let page = working(ledger, *host)?;
            must(!page.busy, "order", "one work at a time")?;
            let again = page.brackets.contains_key(bracket);
            must(
                !again || (page.slot && looked_too_early(page)),
                "brackets",
                "a bracket is probed once, and again only where its host waited long for the slot",
            )?;
            must(goes_on(ledger, *host, page), "stop", "a stopped host opens no bracket")
        }
        Event::TaskStarted { task, attempt } => task_started(ledger, *task, *attempt),
        Event::OpStarted { task, .. } => {
            let planned = ledger.plan.task(*task);
            let is_silent = matches!(planned.forecast, Forecast::Holds { .. } | Forecast::BracketHolds);
            must(
                !is_silent,
                "announced",
                "no op is sent of which the plan says that there is nothing to do",
            )?;
            let disrupts = planned.effect == Effect::Disrupts;
            must(!ledger.lock_lost, "lock", "no op is sent after the lock was lost")?;
            let slot = working(ledger, task.host)?.slot;
            must(slot || !disrupts, "slot first", "no op disrupts before its host has a slot")?;
            let page = working(ledger, task.host)?;
            let apart = &ledger.plan.task(*task).ties.apart_from;
            let is_cordoned = apart.is_empty() || page.any_ran(apart);
            must(is_cordoned || !disrupts, "apart", "no op disrupts a node whose cordon was skipped")?;
            op_under_cordon(ledger, *task, disrupts)
        }
        Event::ConditionDecided { task, condition, .. } => {
            let is_new = !working(ledger, task.host)?.decided.contains_key(condition);
            must(is_new, "decided once", "a condition is decided once per host and phase")
        }
        Event::TaskEnded { task, end: TaskEnd::Uncordoned { .. }, .. } => {
            let page = working(ledger, task.host)?;
            must(
                !page.set_by.is_empty() && !page.cordoned,
                "cordon",
                "only a cordon that is gone is set again",
            )?;
            must(page.again < 3, "cordon", "a cordon is set again three times at most")
        }
        Event::TaskSkipped { task, why } => task_skipped(ledger, *task, *why),
        Event::SectionStarted { host, section, .. } => section_started(ledger, *host, *section),
        Event::HostEnded { host, status, .. } => host_ended(ledger, *host, *status),
        _ => Ok(()),
    }
}

/// What keeps pods off a node stands whenever something disrupts it between its cordon and its uncordon.
fn op_under_cordon(ledger: &Ledger<'_>, task: TaskId, disrupts: bool) -> Result<(), Violation> {
    let page = working(ledger, task.host)?;
    let relies = disrupts && !page.set_by.is_empty() && !sets_or_takes_away(ledger.plan, task);
    must(page.cordoned || !relies, "cordon", "the cordon stands whenever something disrupts under it")
}

fn host_started(ledger: &Ledger<'_>, host: HostId) -> Result<(), Violation> {
    let planned = ledger.planned();
    must(ledger.stop().is_none(), "stop", "no host starts after a stop")?;
    must(!ledger.paused, "pauses", "no host starts while a pause is not confirmed")?;
    let (certain, _) = ledger.in_trouble();
    let failed = ledger.failed as usize + certain.len();
    let most = planned.rollout.max_failures as usize;
    must(failed <= most, "limits", "no host starts beyond `max_failures`")?;
    let waits = waits_for_rescue(ledger);
    must(!waits, "limits", "no host starts while a rescue decides whether too many have failed")?;
    must(!ledger.untouchable.contains(&host), "untouched", "a host that failed is not touched again")?;
    let batch = ledger.batch.map(|batch| &planned.batches[usize::from(batch)]);
    must(batch.is_some_and(|batch| batch.contains(&host)), "gates", "hosts start in their batch")?;
    must(!ledger.hosts.contains_key(&host), "order", "a host starts once in a phase")?;
    let early = ledger.hosts.values().filter(|page| page.ended.is_none() && !page.slot).count();
    let most = planned.rollout.parallel.max(1) as usize;
    must(early < most, "parallel", "at most `parallel` hosts are at work without a slot")
}

fn task_started(ledger: &Ledger<'_>, task: TaskId, attempt: u32) -> Result<(), Violation> {
    let page = working(ledger, task.host)?;
    let tasks = tasks_of(ledger, task.host);
    let planned = &tasks.tasks[usize::from(task.index)];
    let in_turn = page.back.is_none() || page.next == task.index;
    must(in_turn, "cordon", "what set the cordon is done again before the task that relies on it")?;
    must(!page.busy && page.fault.is_none(), "order", "a task starts when nothing else runs or failed")?;
    must(page.next == task.index, "order", "no task starts before its predecessor ended")?;
    let (first, end) = part_of(tasks, page.part);
    let is_inside = (first..end).contains(&task.index);
    must(
        is_inside || page.back.is_some(),
        "rescue",
        "a task of `rescue` or `always` runs only once that has begun",
    )?;
    must(page.attempts + 1 == attempt, "order", "attempts are counted without a gap")?;
    must(!planned.forecast.is_left_out(), "order", "an excluded task never starts")?;
    let ties = &planned.ties;
    let may_run = !page.is_false(&ties.conditions) || page.any_ran(&ties.closes);
    must(may_run, "decided once", "a task goes by what was decided of its condition")?;
    must(goes_on(ledger, task.host, page), "stop", "a stopped host starts no task")?;

    if let Some((number, bracket)) = bracket_of(tasks, task.index) {
        let needed = page.brackets.get(&number) == Some(&true);
        must(needed, "brackets", "nothing inside a bracket runs unless it is needed")?;
        let opens = bracket.first == task.index && page.attempts == 0;
        must(!opens || !looked_too_early(page), "brackets", "a bracket is opened on a fresh look")?;
    }
    let needs_slot = needs_slot(ledger, task.host, page);
    must(page.slot || !needs_slot, "slot first", "a slot comes before the first disruption")?;

    if page.failures == 0 {
        return Ok(());
    }
    let retry = ledger.plan.retry(task);
    let Some(retry) = retry.filter(|retry| page.failures < retry.attempts) else {
        return Err(Violation::new("retries", "no more attempts than written"));
    };
    let doublings = i32::try_from(page.failures - 1).expect("few attempts");
    #[expect(clippy::cast_precision_loss, reason = "the model's delays are a few thousand milliseconds")]
    let delay = retry.delay.as_millis() as f64 * (f64::from(retry.backoff_percent) / 100.0).powi(doublings);
    #[expect(clippy::cast_precision_loss, reason = "likewise")]
    let passed = (ledger.time - page.failed_at) as f64;
    must(passed >= delay, "retries", "the delay has passed")
}

/// Whether the hosts that are being rescued are too many, should none of them be saved.
pub(super) fn waits_for_rescue(ledger: &Ledger<'_>) -> bool {
    let (certain, open) = ledger.in_trouble();
    let failed = ledger.failed as usize + certain.len() + open.len();
    !open.is_empty() && failed > ledger.planned().rollout.max_failures as usize
}

fn section_started(ledger: &Ledger<'_>, host: HostId, section: Section) -> Result<(), Violation> {
    let page = working(ledger, host)?;
    let tasks = tasks_of(ledger, host);
    must(!page.busy, "rescue", "a part begins when nothing of its host is in flight")?;
    must(page.part < section, "rescue", "each part begins once, in their order")?;
    must(ledger.stop() != Some(StopLevel::Now), "stop", "a stopped host begins nothing")?;
    if page.is_over(tasks) {
        let due = page.then_comes(tasks) == Some(section);
        return must(
            due,
            "rescue",
            "`rescue` follows a failure, and `always` whatever did or broke something",
        );
    }
    let gives_up = page.part == Section::Rescue
        && section == Section::Always
        && ledger.stop().is_some()
        && lacks_slot(ledger, host, page);
    must(gives_up, "rescue", "a part is over, or gets no slot in a run that stops")
}

/// Whether the host cannot go on without a slot.
fn lacks_slot(ledger: &Ledger<'_>, host: HostId, page: &Page) -> bool {
    !page.slot && has_looked(ledger, host, page)
}

/// Whether the host's bracket was looked at long before the look at the cluster that gave the slot.
fn looked_too_early(page: &Page) -> bool {
    page.slot && page.slot_sight_at.saturating_sub(page.bracket_at) > 60_000
}

/// Whether a host may do nothing more without a slot.
pub(super) fn needs_slot(ledger: &Ledger<'_>, host: HostId, page: &Page) -> bool {
    let tasks = tasks_of(ledger, host);
    let Some(next) = tasks.tasks.get(usize::from(page.next)) else { return false };
    let disrupting = bracket_of(tasks, page.next).is_some_and(|(number, bracket)| {
        let inside = &tasks.tasks[usize::from(bracket.first)..=usize::from(bracket.last)];
        let disrupts = |task: &Task| task.effect == Effect::Disrupts && !task.forecast.is_left_out();
        page.brackets.get(&number) == Some(&true) && inside.iter().any(disrupts)
    });
    let blind = next.effect == Effect::Disrupts && !next.looks_first && !next.forecast.is_left_out();
    blind || page.asked_for_slot || disrupting
}

/// What a host may take a slot for: a task that says nothing by a look, one whose look asked for it, a bracket that was
/// found to be needed.
pub(super) fn has_looked(ledger: &Ledger<'_>, host: HostId, page: &Page) -> bool {
    let tasks = tasks_of(ledger, host);
    let Some(next) = tasks.tasks.get(usize::from(page.next)) else { return false };
    let needed =
        bracket_of(tasks, page.next).is_some_and(|(number, _)| page.brackets.get(&number) == Some(&true));
    page.asked_for_slot || needed || (next.effect == Effect::Disrupts && !next.looks_first)
}

fn task_skipped(ledger: &Ledger<'_>, task: TaskId, why: SkipReason) -> Result<(), Violation> {
    let page = working(ledger, task.host)?;
    let tasks = tasks_of(ledger, task.host);
    must(page.next == task.index, "order", "tasks are skipped in their order")?;
    let holds =
        bracket_of(tasks, task.index).is_some_and(|(number, _)| page.brackets.get(&number) == Some(&false));
    match why {
        SkipReason::BracketHolds => must(holds, "brackets", "only a bracket that holds is skipped"),
        SkipReason::When => {
            let planned = &tasks.tasks[usize::from(task.index)];
            let (excluded, ties) = (planned.forecast.is_left_out(), &planned.ties);
            let is_false = page.is_false(&ties.conditions);
            let by_worker = page.busy && (ties.conditions.is_empty() || is_false);
            must(!holds && (by_worker || is_false || excluded), "order", "a task is skipped by its condition")
        }
    }
}

fn host_ended(ledger: &Ledger<'_>, host: HostId, status: HostStatus) -> Result<(), Violation> {
    let page = working(ledger, host)?;
    let tasks = tasks_of(ledger, host);
    must(!page.busy, "ends", "a host ends when nothing of it is in flight")?;
    let is_over = page.is_over(tasks);
    let left_out = page.then_comes(tasks).filter(|_| is_over);
    let done = is_over && left_out.is_none();
    let expected = match page.fault {
        Some(HostStatus::Unknown) => HostStatus::Unknown,
        _ if page.counts_as_failed(tasks) => HostStatus::Failed,
        Some(fault) => fault,
        None if done && page.changed => HostStatus::Changed,
        None if done => HostStatus::Ok,
        None if page.failures > 0 => HostStatus::Failed,
        None => HostStatus::Stopped,
    };
    must(status == expected, "ends", &format!("the host ends as {expected:?}"))?;
    if matches!(status, HostStatus::Ok | HostStatus::Changed) {
        let passed = tasks.tasks.iter().enumerate().skip(if page.failed_once {
            usize::from(part_of(tasks, Section::Steps).1)
        } else {
            0
        });
        for (index, task) in passed {
            let is_closed = page.all_ran.contains(&u16::try_from(index).expect("few tasks"));
            let has_opened = |opener: &u16| page.sent.get(opener).is_some_and(|sent| *sent > 0);
            let is_open = task.ties.closes.iter().any(has_opened) && !is_closed;
            must(!is_open, "closed", "a host that ends well has closed what it opened")?;
        }
    }
    if done {
        return Ok(());
    }
    must(ledger.stop().is_some(), "ends", "a host ends before its tasks only when the run stops")?;
    let at_once = ledger.stop() == Some(StopLevel::Now);
    must(
        left_out.is_none() || at_once,
        "rescue",
        "only a run that stops at once leaves out a rescue, or what is done in the end",
    )?;
    if !at_once && page.part != Section::Steps {
        must(lacks_slot(ledger, host, page), "rescue", "it goes on unless it gets no slot")?;
        let always = part_of(tasks, Section::Always);
        let ends_in_it = page.part == Section::Always || always.0 == always.1;
        return must(ends_in_it, "rescue", "a rescue that gets no slot is followed by `always`");
    }
    if ledger.stop() == Some(StopLevel::Graceful) {
        must(!page.slot, "stop", "a host that is out comes back")?;
        let next = &tasks.tasks[usize::from(page.next)];
        let lacks_slot = next.effect == Effect::Disrupts || page.asked_for_slot;
        let closes = inside_bracket(ledger, host, page);
        must(!closes || lacks_slot, "stop", "a host inside a bracket closes it unless it gets no slot")?;
    }
    Ok(())
}

/// The page of a host that started and has not ended.
fn working<'a>(ledger: &'a Ledger<'_>, host: HostId) -> Result<&'a Page, Violation> {
    let page = ledger.hosts.get(&host).filter(|page| page.ended.is_none());
    page.ok_or_else(|| Violation::new("order", "the host has started and has not ended"))
}

/// Whether a stop lets the host go on.
fn goes_on(ledger: &Ledger<'_>, host: HostId, page: &Page) -> bool {
    match ledger.stop() {
        None => true,
        Some(StopLevel::Graceful) => {
            page.slot || page.part != Section::Steps || inside_bracket(ledger, host, page)
        }
        Some(StopLevel::Now) => false,
    }
}

/// Whether the host stands behind the first and not behind the last task of a bracket that is needed.
pub(super) fn inside_bracket(ledger: &Ledger<'_>, host: HostId, page: &Page) -> bool {
    if page.back.is_some() {
        return true;
    }
    bracket_of(tasks_of(ledger, host), page.next).is_some_and(|(number, bracket)| {
        page.next != bracket.first && page.brackets.get(&number) == Some(&true)
    })
}

fn bracket_of(tasks: &HostTasks, index: u16) -> Option<(u16, &Bracket)> {
    let number = tasks.brackets.iter().rposition(|bracket| bracket.first <= index)?;
    let bracket = &tasks.brackets[number];
    (index <= bracket.last).then(|| (u16::try_from(number).expect("few brackets"), bracket))
}

fn tasks_of<'a>(ledger: &Ledger<'a>, host: HostId) -> &'a HostTasks {
    ledger.tasks_of(host)
}
