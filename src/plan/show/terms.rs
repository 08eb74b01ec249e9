//! On which terms a plan works: when a step runs and what counts as its success, how a phase goes on, how hosts are
//! reached. Shown where all is shown: with `-v`, in Markdown, and where two plans are compared.

use std::fmt::{self, Write};

use serde_json::Value as Json;

use super::bodies::Bodies;
use super::rest::Rest;
use super::text::Text;
use crate::inventory::{Become, Connection};
use crate::op::{Op, show_symbols};
use crate::plan::{Action, DeferredStep, Plan, PlannedHost, PlannedPhase, StepRef, Task};
use crate::runbook::Retry;
use crate::step::Poll;
use crate::value::{Duration, reveal};

impl Text<'_> {
    /// When a task runs, and what its end counts as.
    pub(super) fn terms(&mut self, task: &Task) -> fmt::Result {
        let shows = match self.bodies {
            Bodies::First => false,
            Bodies::Folded => task.forecast.announces(),
            Bodies::All | Bodies::Compared => true,
        };
        if !shows {
            return Ok(());
        }
        let plan = self.plan;
        let frozen = task.frozen.map(|frozen| &plan.frozen[frozen.0 as usize]);
        let mut lines: Vec<String> = frozen.into_iter().flat_map(conditions).collect();
        match task.step {
            StepRef::Action(action) => lines.extend(of_action(plan.action(action))),
            StepRef::Deferred(deferred) => {
                let step = &plan.deferred[deferred.0 as usize];
                lines.extend(conditions(step));
                lines.extend(judged(step.changed_when.as_ref(), step.fail_when.as_ref(), step.retry));
                lines.extend(step.leave_cordoned.as_ref().map(|reason| said("leave_cordoned", reason)));
            }
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "        {line}"))
    }
}

/// When a step runs, outermost first.
fn conditions(step: &DeferredStep) -> Vec<String> {
    let outer = step.frames.iter().filter_map(|frame| frame.when.as_ref());
    outer.chain(&step.when).map(|when| said("when", when)).collect()
}

/// What a lowered step's end counts as.
pub(super) fn of_action(action: &Action) -> Vec<String> {
    let mut lines = judged(action.changed_when.as_ref(), action.fail_when.as_ref(), action.retry);
    lines.extend(action.leave_cordoned.as_ref().map(|reason| said("leave_cordoned", reason)));
    if action.kind == "assert" {
        let message = action.args.get("message").map(ToString::to_string);
        lines.extend(message.map(|message| said("message", message.trim())));
    }
    let success = |op: &&Op| op.success != [0];
    lines.extend(action.lowered.ops.iter().find(success).map(|op| {
        let codes: Vec<String> = op.success.iter().map(ToString::to_string).collect();
        format!("success: exit code {}", codes.join(" or "))
    }));
    lines.extend(action.lowered.poll.map(|poll| looks("looks", poll)));
    lines.extend(action.lowered.verify.as_ref().map(|verify| looks("looks afterwards", verify.poll)));
    lines
}

fn judged(changed_when: Option<&String>, fail_when: Option<&String>, retry: Option<Retry>) -> Vec<String> {
    let changed = changed_when.map(|text| said("changed_when", text));
    let failed = fail_when.map(|text| said("fail_when", text));
    let retry = retry.map(|Retry { attempts, delay, backoff_percent }| {
        format!("retry: {attempts} attempts, delay {delay}, which becomes {backoff_percent}% of it each time")
    });
    changed.into_iter().chain(failed).chain(retry).collect()
}

/// "looks every 5s, 5m at most, stable_for 30s".
fn looks(word: &str, Poll { interval, stable_for, within }: Poll) -> String {
    let stable =
        if stable_for == Duration::ZERO { String::new() } else { format!(", stable_for {stable_for}") };
    format!("{word} every {interval}, {within} at most{stable}")
}

fn said(name: &str, text: &str) -> String {
    format!("{name}: {}", show_symbols(&reveal(text)))
}

/// How a phase goes on, where its header does not say it.
fn of_phase(phase: &PlannedPhase) -> Option<String> {
    if phase.batches.is_empty() {
        return None;
    }
    let rollout = &phase.rollout;
    let mut parts = vec![format!("parallel {}", rollout.parallel)];
    parts.push(format!("wait_for_budget {}", rollout.wait_for_budget));
    parts.extend((rollout.soak > Duration::ZERO).then(|| format!("soak {}", rollout.soak)));
    Some(parts.join(" · "))
}

/// What holds for the whole plan: the deadline, and how hosts are reached where that is not as usual.
fn of_plan(plan: &Plan) -> Vec<String> {
    let deadline = plan.policy.deadline.map(|deadline| format!("deadline: no host starts after {deadline}"));
    let mut ways: Vec<(String, Vec<String>)> = Vec::new();
    for host in &plan.hosts {
        let way = way(plan, host);
        let is_elsewhere = host.address != host.name.as_str();
        if way.is_empty() && !is_elsewhere {
            continue;
        }
        let name = if is_elsewhere {
            format!("{} at {}", host.name, reveal(&host.address))
        } else {
            host.name.to_string()
        };
        match ways.iter_mut().find(|(other, _)| *other == way) {
            Some((_, names)) => names.push(name),
            None => ways.push((way, vec![name])),
        }
    }
    let ways = ways.into_iter().map(|(way, names)| {
        let colon = if way.is_empty() { "" } else { ": " };
        format!("connection to {}{colon}{way}", names.join(", "))
    });
    deadline.into_iter().chain(ways).collect()
}

/// What is not as usual of the way to a host.
fn way(plan: &Plan, host: &PlannedHost) -> String {
    let rest = Rest { plan, without: &[] };
    let usual = rest.lines("", &Connection::default());
    let mut words: Vec<String> =
        rest.lines("", &host.connection).into_iter().filter(|line| !usual.contains(line)).collect();
    words.extend((host.r#become == Become::None).then(|| "become: none".to_owned()));
    words.join(", ")
}

/// The parts of a step that have lines of their own.
const SHOWN: &[&str] = &[
    "place",
    "title",
    "env",
    "allow_failure",
    "leave_cordoned",
    "changed_when",
    "fail_when",
    "retry",
    "when",
    "frames.when",
    "lowered.ops.deed.exec.argv",
    "lowered.ops.env",
    "lowered.ops.stdin",
    "lowered.ops.timeout",
    "lowered.ops.success",
    "lowered.ops.become",
    "lowered.poll",
    "lowered.verify.poll",
];

impl Text<'_> {
    /// What holds for the whole plan, where all is shown.
    pub(super) fn terms_of_plan(&self) -> Vec<String> {
        if self.bodies == Bodies::First { Vec::new() } else { of_plan(self.plan) }
    }

    /// How a phase goes on, where all is shown.
    pub(super) fn terms_of_phase(&self, phase: &PlannedPhase) -> Option<String> {
        of_phase(phase).filter(|_| self.bodies != Bodies::First)
    }

    /// All else of a task, where two plans are compared.
    pub(super) fn rest_of_task(&mut self, task: &Task) -> fmt::Result {
        if self.bodies != Bodies::Compared {
            return Ok(());
        }
        let plan = self.plan;
        let mut lines = match task.step {
            StepRef::Action(action) => rest_of_action(plan, plan.action(action)),
            StepRef::Deferred(deferred) => {
                let step = &plan.deferred[deferred.0 as usize];
                Rest { plan, without: &[SHOWN, &["args"]].concat() }.lines("", step)
            }
        };
        if let Some(frozen) = task.frozen {
            let without = [SHOWN, &["timeout", "effect", "become"]].concat();
            lines.extend(
                Rest { plan, without: &without }.lines("as written", &plan.frozen[frozen.0 as usize]),
            );
        }
        let own = Rest { plan, without: &["step", "frozen", "forecast.deferred"] };
        lines.extend(own.lines("", task));
        lines.iter().try_for_each(|line| writeln!(self.out, "    {REST}{line}"))
    }
}

/// Begins a line about what no plan shows.
pub(super) const REST: &str = "      ";

/// All else of a lowered step.
pub(super) fn rest_of_action(plan: &Plan, action: &Action) -> Vec<String> {
    let mut value = serde_json::to_value(action).expect("invariant: a step serialises");
    // Texts that stand below their step as lines.
    if let Some(args) = value.pointer_mut("/args/map").and_then(Json::as_object_mut) {
        let shown: Vec<&str> = action.lowered.ops.iter().filter_map(|op| op.body()?.text).collect();
        args.retain(|_, arg| {
            !arg["str"].as_str().is_some_and(|text| !text.is_empty() && shown.contains(&text))
        });
    }
    // The step's own title, again.
    let is_title = |title: &&mut Json| title.as_str() == Some(action.title.as_str());
    value.pointer_mut("/lowered/title").filter(is_title).map(Json::take);
    for op in value.pointer_mut("/lowered/ops").and_then(Json::as_array_mut).into_iter().flatten() {
        op.get_mut("title").filter(is_title).map(Json::take);
    }
    Rest { plan, without: SHOWN }.lines("", &value)
}
