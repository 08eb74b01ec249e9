//! What must come of a rehearsal, and whether it did. Judged from the journal and from the simulated cluster, never from
//! the engine's own words alone.

use std::collections::{BTreeMap, BTreeSet};

use super::injections::steps;
use crate::engine::{Event, History, HostStatus, Stamped, State};
use crate::inventory::{HostName, Inventory, Selector, SelectorError};
use crate::plan::{HostId, Plan, StepRef, TaskId};
use crate::report::Summary;
use crate::source::{Diagnostics, Spanned, codes};
use crate::value::Version;

/// What must come of it. What is not written may be anything.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The exit code.
    pub exit: Option<u8>,
    /// Text in `stopped_by`; the empty text where it must be absent.
    pub stopped_by: Option<String>,
    /// How hosts end.
    pub hosts: Vec<(Spanned<Selector>, HostEnd)>,
    /// Exactly the hosts that are left, on purpose or not; nothing inside for no host.
    pub left: Option<Option<Spanned<Selector>>>,
    /// Steps that ran.
    pub ran: Vec<StepExpect>,
    /// Steps that did not.
    pub did_not_run: Vec<StepExpect>,
    /// The most slots held at the same time.
    pub slots: Option<usize>,
    /// Texts for people.
    pub says: Vec<String>,
    /// How nodes stand.
    pub nodes: Vec<(Spanned<Selector>, NodeExpect)>,
}

/// How a host ended, over all phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEnd {
    /// It was never started.
    NotStarted,
    /// It ended so.
    Ended(HostStatus),
}

impl HostEnd {
    /// Words that people write.
    pub const WORDS: [&str; 6] = ["ok", "changed", "stopped", "failed", "unknown", "not_started"];

    /// Each word with what it means.
    pub(super) const TABLE: [(&str, Self); 6] = [
        ("ok", Self::Ended(HostStatus::Ok)),
        ("changed", Self::Ended(HostStatus::Changed)),
        ("stopped", Self::Ended(HostStatus::Stopped)),
        ("failed", Self::Ended(HostStatus::Failed)),
        ("unknown", Self::Ended(HostStatus::Unknown)),
        ("not_started", Self::NotStarted),
    ];

    fn word(self) -> &'static str {
        let row = Self::TABLE.iter().find(|(_, end)| *end == self);
        row.map_or("", |(word, _)| *word)
    }
}

/// A step that ran or did not.
#[derive(Clone, Debug)]
pub struct StepExpect {
    /// Its kind, id or name.
    pub step: Spanned<String>,
    /// On these hosts.
    pub hosts: Option<Spanned<Selector>>,
    /// In this phase.
    pub phase: Option<Spanned<String>>,
}

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeExpect {
    /// `spec.unschedulable`.
    pub cordoned: Option<bool>,
    /// The condition Ready.
    pub ready: Option<bool>,
    /// Its kubelet's version.
    pub kubelet: Option<Version>,
    /// Packages on hold.
    pub held: Option<Vec<String>>,
}

/// How a node stands in the simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeNow {
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// The condition Ready.
    pub ready: bool,
    /// Its kubelet's version, as it shows it.
    pub kubelet: String,
    /// Packages on hold.
    pub held: Vec<String>,
}

/// Counts slots while events go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCount {
    /// The most that were held at the same time.
    pub most: usize,
}

impl SlotCount {
    /// An event became true, and `state` has it applied.
    pub fn event(&mut self, plan: &Plan, state: &State, event: &Stamped) {
        if matches!(event.event, Event::SlotTaken { .. }) {
            let hosts = 0..u32::try_from(plan.hosts.len()).unwrap_or(u32::MAX);
            self.most = self.most.max(hosts.filter(|host| state.holds_slot(HostId(*host))).count());
        }
    }
}

/// What came of a rehearsal.
#[derive(Debug)]
pub struct Came<'a> {
    /// The exit code.
    pub exit: u8,
    /// Everything that people were told.
    pub said: &'a str,
    /// The run; nothing where there was none, because the plan was refused.
    pub run: Option<(&'a Plan, &'a History, SlotCount)>,
    /// Nodes at the end.
    pub nodes: BTreeMap<HostName, NodeNow>,
}

impl Expect {
    /// Every selector in it.
    fn selectors(&self) -> impl Iterator<Item = &Spanned<Selector>> {
        let steps = self.ran.iter().chain(&self.did_not_run).filter_map(|step| step.hosts.as_ref());
        let hosts = self.hosts.iter().map(|(selector, _)| selector);
        let nodes = self.nodes.iter().map(|(selector, _)| selector);
        hosts.chain(nodes).chain(self.left.iter().flatten()).chain(steps)
    }

    /// Reports selectors that name no host.
    pub fn check(&self, inventory: &Inventory, diagnostics: &mut Diagnostics) {
        for selector in self.selectors() {
            if let Err(SelectorError { message, hint, .. }) = selector.value.select(inventory) {
                diagnostics.error(codes::BAD_EXPECTATION, selector.span, message).hints.extend(hint);
            }
        }
    }
}

/// What differs from what was expected, a line each.
pub fn judge(expect: &Expect, inventory: &Inventory, came: &Came<'_>) -> Vec<String> {
    let mut judge = Judge { inventory, came, differences: Vec::new() };
    judge.ends(expect);
    judge.hosts(expect);
    judge.left(expect);
    for step in &expect.ran {
        judge.ran(step);
    }
    for step in &expect.did_not_run {
        judge.did_not_run(step);
    }
    for (selector, node) in &expect.nodes {
        judge.nodes(selector, node);
    }
    judge.differences
}

struct Judge<'a> {
    inventory: &'a Inventory,
    came: &'a Came<'a>,
    differences: Vec<String>,
}

impl Judge<'_> {
    fn differs(&mut self, what: &str, expected: impl std::fmt::Display, came: impl std::fmt::Display) {
        self.differences.push(format!("{what}: expected {expected}, came {came}"));
    }

    fn select(&self, selector: &Spanned<Selector>) -> Vec<HostName> {
        // Selectors that match nothing were reported before anything ran.
        selector.value.select(self.inventory).unwrap_or_default()
    }

    fn ends(&mut self, expect: &Expect) {
        if let Some(exit) = expect.exit.filter(|exit| *exit != self.came.exit) {
            self.differs("exit", exit, self.came.exit);
        }
        if let Some(wanted) = &expect.stopped_by {
            let run = self.came.run.as_ref();
            let by = run.and_then(|(plan, history, _)| Summary::of(plan, history).stopped_by);
            let by = by.unwrap_or_default();
            let holds = if wanted.is_empty() { by.is_empty() } else { by.contains(wanted) };
            let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
            if !holds {
                self.differs("stopped_by", shown(wanted), shown(&by));
            }
        }
        if let (Some(slots), Some((_, _, held))) = (expect.slots, &self.came.run)
            && held.most > slots
        {
            self.differs("slots", format!("at most {slots}"), held.most);
        }
        for text in expect.says.iter().filter(|text| !self.came.said.contains(text.as_str())) {
            self.differences.push(format!("says: nobody was told `{text}`"));
        }
    }

    fn hosts(&mut self, expect: &Expect) {
        for (selector, end) in &expect.hosts {
            for host in self.select(selector) {
                let came = self.end_of(&host);
                if came != *end {
                    self.differs(&format!("hosts: {host}"), end.word(), came.word());
                }
            }
        }
    }

    fn end_of(&self, host: &HostName) -> HostEnd {
        let Some((plan, history, _)) = &self.came.run else { return HostEnd::NotStarted };
        let id = id(plan, host);
        let ended = id.and_then(|id| history.state.overall_status(plan, id));
        ended.map_or(HostEnd::NotStarted, HostEnd::Ended)
    }

    fn left(&mut self, expect: &Expect) {
        let Some(wanted) = &expect.left else { return };
        let wanted: BTreeSet<HostName> = wanted.iter().flat_map(|selector| self.select(selector)).collect();
        let left = self.came.run.as_ref().map(|(plan, history, _)| {
            let left = Summary::of(plan, history).hosts_left();
            left.iter().map(|left| plan.host(*left).name.clone()).collect::<BTreeSet<HostName>>()
        });
        let left = left.unwrap_or_default();
        if left != wanted {
            self.differs("left", names(&wanted), names(&left));
        }
    }

    fn ran(&mut self, step: &StepExpect) {
        let ran = self.hosts_that_ran(step);
        let name = &step.step.value;
        match &step.hosts {
            None if ran.is_empty() => self.differences.push(format!("ran: `{name}` ran on no host")),
            None => {}
            Some(selector) => {
                let missing: BTreeSet<_> =
                    self.select(selector).into_iter().filter(|host| !ran.contains(host)).collect();
                if !missing.is_empty() {
                    self.differences.push(format!("ran: `{name}` did not run on {}", names(&missing)));
                }
            }
        }
    }

    fn did_not_run(&mut self, step: &StepExpect) {
        let mut ran = self.hosts_that_ran(step);
        if let Some(selector) = &step.hosts {
            let asked = self.select(selector);
            ran.retain(|host| asked.contains(host));
        }
        if !ran.is_empty() {
            self.differences.push(format!("did_not_run: `{}` ran on {}", step.step.value, names(&ran)));
        }
    }

    fn hosts_that_ran(&self, step: &StepExpect) -> BTreeSet<HostName> {
        let Some((plan, history, _)) = &self.came.run else { return BTreeSet::new() };
        let phase = step.phase.as_ref().map(|phase| phase.value.as_str());
        let tasks: BTreeSet<TaskId> = steps(plan, &step.step.value, phase).collect();
        let ran = history.events.iter().filter_map(|event| match event.event {
            Event::OpStarted { task, .. } if tasks.contains(&task) => Some(task.host),
            Event::TaskStarted { task, .. } if tasks.contains(&task) && is_check(plan, task) => {
                Some(task.host)
            }
            _ => None,
        });
        ran.map(|host| plan.host(host).name.clone()).collect()
    }

    fn nodes(&mut self, selector: &Spanned<Selector>, wanted: &NodeExpect) {
        for host in self.select(selector) {
            let Some(now) = self.came.nodes.get(&host).cloned() else {
                self.differences.push(format!("nodes: {host} is no node"));
                continue;
            };
            let what = |field: &str| format!("nodes: {host}: {field}");
            if let Some(cordoned) = wanted.cordoned.filter(|cordoned| *cordoned != now.cordoned) {
                self.differs(&what("cordoned"), cordoned, now.cordoned);
            }
            if let Some(ready) = wanted.ready.filter(|ready| *ready != now.ready) {
                self.differs(&what("ready"), ready, now.ready);
            }
            if let Some(kubelet) =
                wanted.kubelet.as_ref().filter(|kubelet| kubelet.to_string() != now.kubelet)
            {
                self.differs(&what("kubelet"), kubelet, &now.kubelet);
            }
            let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
            if let Some(held) = wanted.held.as_ref().filter(|held| sorted(held) != sorted(&now.held)) {
                self.differs(&what("held"), held.join(", "), now.held.join(", "));
            }
        }
    }
}

/// A step that sends no command ran where it was looked at.
fn is_check(plan: &Plan, task: TaskId) -> bool {
    match plan.task(task).step {
        StepRef::Action(action) => plan.action(action).lowered.ops.is_empty(),
        StepRef::Deferred(_) => false,
    }
}

fn id(plan: &Plan, host: &HostName) -> Option<HostId> {
    let index = plan.hosts.iter().position(|planned| planned.name == *host)?;
    u32::try_from(index).ok().map(HostId)
}

fn names(hosts: &BTreeSet<HostName>) -> String {
    const SHOWN: usize = 5;
    match hosts.len() {
        0 => "no host".to_owned(),
        count => {
            let shown: Vec<&str> = hosts.iter().take(SHOWN).map(HostName::as_str).collect();
            let more = if count > SHOWN { format!(", … ({count} hosts)") } else { String::new() };
            format!("{}{more}", shown.join(", "))
        }
    }
}
