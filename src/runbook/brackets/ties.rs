//! How the steps of a phase hang together through the brackets that they open, stand in and close. Looks only at what is
//! written, as the check of brackets does.

use super::{BracketKind, closes, conditions, covers, opens};
use crate::op::Effect;
use crate::runbook::{Frame, FrameId, Phase, Step};
use crate::template::Reference;

/// What a step has to do with brackets that others opened; by the places of steps in [`Phase::host_steps`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepTies {
    /// Steps that open what it closes.
    pub closes: Vec<usize>,
    /// Steps that opened the brackets it stands in, or closes.
    pub follows: Vec<usize>,
    /// Steps that cordon the node around it, each under a condition that this step does not have. Empty where one of them
    /// runs whenever this step does, and for a step without any condition.
    pub apart_from: Vec<usize>,
}

/// Of every step of a phase.
pub fn ties(phase: &Phase, frames: &[Frame]) -> Vec<StepTies> {
    let steps: Vec<&Step> = phase.host_steps().collect();
    let mut ties = vec![StepTies::default(); steps.len()];
    let before_rescue = phase.steps.len();
    let before_always = steps.len() - phase.always.len();
    let mut walk = |path: &mut dyn Iterator<Item = usize>| {
        let mut open: Vec<(BracketKind, usize)> = Vec::new();
        for at in path {
            let tie = &mut ties[at];
            add(&mut tie.follows, open.iter().map(|(_, opener)| *opener));
            add(&mut tie.apart_from, apart(steps[at], &open, &steps, frames).into_iter());
            for closed in closes(steps[at]) {
                add(&mut tie.closes, open.extract_if(.., |(what, _)| *what == closed).map(|(_, at)| at));
            }
            open.extend(opens(steps[at]).into_iter().map(|what| (what, at)));
        }
    };
    walk(&mut (0..before_rescue).chain(before_always..steps.len()));
    walk(&mut (before_rescue..steps.len()));
    // A host may fail between any two steps: what is done then closes what these opened.
    for at in before_rescue..steps.len() {
        let (closed, own) = (closes(steps[at]), conditions(steps[at], frames));
        let belongs = |opener: &usize| {
            let opened = opens(steps[*opener]);
            opened.iter().any(|what| closed.contains(what))
                && covers(&own, &conditions(steps[*opener], frames))
        };
        let openers: Vec<usize> = (0..before_rescue).filter(belongs).collect();
        add(&mut ties[at].closes, openers.iter().copied());
        add(&mut ties[at].follows, openers.into_iter());
    }
    ties
}

/// What cordons the node around a step, where none of it is sure to have run when this step does.
fn apart(step: &Step, open: &[(BracketKind, usize)], steps: &[&Step], frames: &[Frame]) -> Vec<usize> {
    let own = conditions(step, frames);
    if own.is_empty() || opens(step).contains(&BracketKind::Cordon) {
        return Vec::new();
    }
    let cordons = open.iter().filter(|(what, _)| *what == BracketKind::Cordon).map(|(_, at)| *at);
    let cordons: Vec<usize> = cordons.collect();
    let is_sure = |opener: &usize| covers(&conditions(steps[*opener], frames), &own);
    if cordons.iter().any(is_sure) { Vec::new() } else { cordons }
}

/// Whether what is written says that the step disrupts its host. Of packages and `kubeadm` only values and hosts say so.
pub(super) fn disrupts(step: &Step) -> bool {
    let has = |field: &str| step.args.contains_key(field);
    match (step.effect, step.kind.name()) {
        (Some(effect), _) => effect == Effect::Disrupts,
        (None, "apt" | "kubeadm") => false,
        (None, "systemctl") => has("restart") || has("stop"),
        (None, _) => step.kind.effect() == Effect::Disrupts,
    }
}

/// A condition of a step inside a bracket that is not one of those under which the bracket was opened.
#[derive(Clone, Debug)]
pub struct OwnCondition {
    /// As written.
    pub text: String,
    /// Facts that it reads, as dotted names below `facts`.
    pub facts: Vec<String>,
}

/// The conditions on a step and around it that none of these openers has.
pub fn own_conditions(step: &Step, openers: &[&Step], frames: &[Frame]) -> Vec<OwnCondition> {
    let opening: Vec<String> = openers.iter().flat_map(|opener| conditions(opener, frames)).collect();
    let around = std::iter::successors(step.frame, |id| frames[id.0].parent)
        .filter_map(|id| Some((frames[id.0].when.as_ref()?, frames[id.0].parent)));
    let own = step.when.iter().map(|when| (when, step.frame));
    own.chain(around)
        .filter(|(when, _)| !opening.contains(&when.source))
        .map(|(when, frame)| {
            let mut facts = Vec::new();
            when.references.iter().for_each(|name| add_facts(name, frame, frames, &mut facts));
            OwnCondition { text: when.source.clone(), facts }
        })
        .collect()
}

/// The facts behind a name: itself, or what the include wrote for an argument.
fn add_facts(name: &Reference, frame: Option<FrameId>, frames: &[Frame], facts: &mut Vec<String>) {
    match (name.root.as_str(), frame) {
        ("facts", _) => facts.push(name.path.join(".")),
        ("args", Some(id)) => {
            let args = frames[id.0].args.iter();
            let named = args.filter(|(key, _)| name.path.first().is_none_or(|name| name == *key));
            for reference in named.flat_map(|(_, arg)| arg.references()) {
                add_facts(reference, frames[id.0].parent, frames, facts);
            }
        }
        _ => {}
    }
}

fn add(list: &mut Vec<usize>, more: impl Iterator<Item = usize>) {
    for at in more {
        if !list.contains(&at) {
            list.push(at);
        }
    }
}
