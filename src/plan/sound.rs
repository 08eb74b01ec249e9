//! Whether the numbers of a plan that was read name what they should. A file may come from anybody, with a digest that
//! fits: everything behind its reader trusts what it names, and this is the one place that does not.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    ActionId, Bracket, GateOpens, HostId, HostTasks, Plan, PlannedHost, PlannedPhase, StepRef, Task, Topology,
};
use crate::value::reveal;

/// A place in a plan and what is wrong there, such as "phases[0].population: there is no host 7, only 3".
type Check = Result<(), String>;

/// Whether every number of a plan names something, once and in order; otherwise the first that does not.
pub(super) fn check(plan: &Plan) -> Check {
    let sound = Sound { plan };
    at("hosts", sound.names())?;
    let kube = plan.kube.iter().map(|kube| ("kube.hosts", &kube.hosts));
    let etcd = plan.etcd.iter().map(|etcd| ("etcd.hosts", &etcd.hosts));
    for (place, hosts) in kube.chain(etcd) {
        at(place, sound.each_once(hosts))?;
    }
    sound.kinds()?;
    sound.lines()?;
    fits("phases", plan.phases.len(), usize::from(u16::MAX))?;
    let mut phases = plan.phases.iter().enumerate();
    phases.try_for_each(|(index, phase)| at(&format!("phases[{index}]"), sound.phase(phase)))
}

struct Sound<'p> {
    plan: &'p Plan,
}

impl Sound<'_> {
    fn names(&self) -> Check {
        fits("the list", self.plan.hosts.len(), u32::MAX as usize)?;
        let mut seen = BTreeSet::new();
        let twice = self.plan.hosts.iter().find(|host| !seen.insert(&host.name));
        twice.map_or(Ok(()), |host| Err(format!("two hosts are called {}", host.name)))
    }

    fn kinds(&self) -> Check {
        let Plan { actions, deferred, frozen, .. } = self.plan;
        let actions = actions.iter().map(|action| &action.kind);
        let all = actions.chain(deferred.iter().chain(frozen).map(|step| &step.kind));
        let unknown = all.into_iter().find(|kind| crate::step::find(kind).is_none());
        unknown.map_or(Ok(()), |kind| Err(format!("there is no step kind `{kind}`")))
    }

    /// Names, paths and addresses are lines: a run acts on them, so that they are shown as they are.
    fn lines(&self) -> Check {
        let Plan { params, secrets, kube, etcd, hosts, phases, .. } = self.plan;
        at("params", is_lines(&params.keys().collect::<Vec<_>>()))?;
        at("secrets", is_lines(secrets))?;
        at("kube", is_lines(kube))?;
        at("etcd", is_lines(etcd))?;
        let mut phases = phases.iter().enumerate();
        phases.try_for_each(|(index, phase)| {
            at(&format!("phases[{index}].topology"), is_lines(&phase.topology))
        })?;
        let mut hosts = hosts.iter().enumerate();
        hosts.try_for_each(|(index, host)| {
            at(&format!("hosts[{index}]"), is_lines(&PlannedHost { scope: None, ..host.clone() }))
        })
    }

    fn host(&self, host: HostId) -> Check {
        names("host", host.0, self.plan.hosts.len())
    }

    fn action(&self, action: ActionId) -> Check {
        names("action", action.0, self.plan.actions.len())
    }

    fn each_once<'h>(&self, hosts: impl IntoIterator<Item = &'h HostId>) -> Check {
        let mut seen = BTreeSet::new();
        for host in hosts {
            self.host(*host)?;
            if !seen.insert(host) {
                return Err(format!("host {} is named twice", host.0));
            }
        }
        Ok(())
    }

    fn phase(&self, phase: &PlannedPhase) -> Check {
        at("population", self.each_once(&phase.population))?;
        if !phase.hosts.is_sorted_by(|one, next| one.host < next.host) {
            return Err("hosts: they are not in order, each once".to_owned());
        }
        at("batches", self.batches(phase))?;
        for (index, tasks) in phase.hosts.iter().enumerate() {
            at(&format!("hosts[{index}]"), self.tasks(tasks))?;
        }
        phase.topology.iter().try_for_each(|topology| at("topology", self.topology(topology)))?;
        let gate = phase.gate.as_ref().and_then(|gate| match &gate.opens {
            GateOpens::Check { action, .. } => Some(action),
            GateOpens::Approve { .. } | GateOpens::Time(_) => None,
        });
        let looks =
            phase.verify.iter().map(|check| ("verify", check)).chain(gate.map(|check| ("gate", check)));
        looks.into_iter().try_for_each(|(place, check)| at(place, self.look(*check)))
    }

    fn batches(&self, phase: &PlannedPhase) -> Check {
        fits("the list", phase.batches.len(), usize::from(u16::MAX))?;
        self.each_once(phase.batches.iter().flatten())?;
        if let Some(empty) = phase.batches.iter().position(Vec::is_empty) {
            return Err(format!("[{empty}] has no host"));
        }
        let idle = phase.batches.iter().flatten().find(|host| {
            !phase.hosts.iter().any(|tasks| tasks.host == **host) || !phase.population.contains(host)
        });
        if let Some(host) = idle {
            return Err(format!("the phase has no tasks for host {}, or does not count it", host.0));
        }
        // Nobody would ever begin.
        let none = [("parallel", phase.rollout.parallel), ("max_unavailable", phase.rollout.max_unavailable)];
        let none = none.into_iter().find(|(_, number)| *number == 0 && !phase.batches.is_empty());
        none.map_or(Ok(()), |(name, _)| Err(format!("`{name}` is 0, so that no host could begin")))
    }

    fn topology(&self, topology: &Topology) -> Check {
        self.each_once(topology.domains.values().flatten())?;
        if topology.max_domains == 0 {
            return Err("`max_domains` is 0, so that no host could begin".to_owned());
        }
        let unsorted = topology.domains.iter().find(|(_, hosts)| !hosts.is_sorted());
        unsorted.map_or(Ok(()), |(domain, _)| Err(format!("the hosts of {domain} are not in order")))
    }

    /// A check that is made by itself.
    fn look(&self, check: ActionId) -> Check {
        self.action(check)?;
        let is_look = self.plan.action(check).lowered.can_be_looked_at();
        if is_look { Ok(()) } else { Err(format!("action {} is no check", check.0)) }
    }

    fn tasks(&self, tasks: &HostTasks) -> Check {
        self.host(tasks.host)?;
        let count = tasks.tasks.len();
        fits("tasks", count, usize::from(u16::MAX))?;
        if let Some(sections) = tasks.sections
            && !(sections.rescue <= sections.always && usize::from(sections.always) <= count)
        {
            let [rescue, always] = [sections.rescue, sections.always];
            return Err(format!("sections: {rescue} and {always} are no parts of {count} tasks"));
        }
        for (index, task) in (0..).zip(&tasks.tasks) {
            at(&format!("tasks[{index}]"), self.task(index, task))?;
        }
        let mut free = 0;
        for (index, bracket) in tasks.brackets.iter().enumerate() {
            at(&format!("brackets[{index}]"), self::bracket(tasks, bracket, free))?;
            free = bracket.last + 1;
        }
        Ok(())
    }

    fn task(&self, index: u16, task: &Task) -> Check {
        at(
            "step",
            match task.step {
                StepRef::Action(action) => self.action(action),
                StepRef::Deferred(deferred) => names("deferred step", deferred.0, self.plan.deferred.len()),
            },
        )?;
        if let Some(frozen) = task.frozen {
            at("frozen", names("frozen step", frozen.0, self.plan.frozen.len()))?;
        }
        let ties = [("ties.closes", &task.ties.closes), ("ties.apart_from", &task.ties.apart_from)];
        for (place, others) in ties {
            if let Some(other) = others.iter().find(|other| **other >= index) {
                return Err(format!("{place}: task {other} does not stand before it"));
            }
        }
        Ok(())
    }
}

/// Brackets are apart and in order, each within one part of its host's tasks.
fn bracket(tasks: &HostTasks, bracket: &Bracket, free: u16) -> Check {
    let Bracket { first, last, .. } = *bracket;
    let is_inside = free <= first && first <= last && usize::from(last) < tasks.tasks.len();
    if is_inside && tasks.section_of(first) == tasks.section_of(last) {
        return Ok(());
    }
    Err(format!("from task {first} to task {last} is no part of {} tasks", tasks.tasks.len()))
}

/// Whether no text in it has a control character, or a mark that hides.
fn is_lines(part: &impl Serialize) -> Check {
    use serde_json::Value as Json;
    fn find(part: &Json) -> Option<&str> {
        let broken = |text: &&str| reveal(text) != **text;
        match part {
            Json::String(text) => Some(text.as_str()).filter(broken),
            Json::Array(items) => items.iter().find_map(find),
            Json::Object(entries) => entries
                .iter()
                .find_map(|(key, item)| Some(key.as_str()).filter(broken).or_else(|| find(item))),
            Json::Null | Json::Bool(_) | Json::Number(_) => None,
        }
    }
    let part = serde_json::to_value(part).expect("invariant: a part of a plan serialises");
    find(&part).map_or(Ok(()), |text| Err(format!("`{}` has control characters", reveal(text))))
}

fn at(place: &str, check: Check) -> Check {
    check.map_err(|wrong| match wrong.split_once(": ") {
        // "phases[0].hosts[1].host: there is …" reads on from the outside in.
        Some((inner, _)) if is_place(inner) => format!("{place}.{wrong}"),
        _ => format!("{place}: {wrong}"),
    })
}

fn is_place(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"[]._".contains(&byte))
}

fn names(what: &str, index: u32, count: usize) -> Check {
    if (index as usize) < count { Ok(()) } else { Err(format!("there is no {what} {index}, only {count}")) }
}

fn fits(what: &str, count: usize, most: usize) -> Check {
    if count <= most { Ok(()) } else { Err(format!("{what}: {count} are more than {most}")) }
}
