//! What a phase opens it closes: nodes that it cordons are uncordoned, packages that it unholds are held again. Looks
//! only at what is written, before any value is known; packages given by templates are compared by their text.

mod ties;

use std::ops::Range;

use super::{Frame, Phase, Step, Then, each_of};
pub use ties::{OwnCondition, StepTies, own_conditions, ties};

use crate::source::codes::{DISRUPTS_APART, OPEN_BRACKET, RESCUE_LEAVES_OPEN};
use crate::source::{Diagnostics, Span};
use crate::template::{Arg, ArgKind, Scope};
use crate::value::Value;

/// Something open, and under which conditions it was opened.
struct OpenBracket {
    what: BracketKind,
    conditions: Vec<String>,
    span: Span,
}

#[derive(Clone, PartialEq, Eq)]
enum BracketKind {
    Cordon,
    Hold(String),
}

impl BracketKind {
    fn opened(&self) -> String {
        match self {
            Self::Cordon => "the node that this step cordons is not uncordoned in this phase".to_owned(),
            Self::Hold(package) => {
                format!("the package `{package}` is unheld here and not held again in this phase")
            }
        }
    }

    fn not_put_back(&self) -> String {
        let subject = match self {
            Self::Cordon => "the node that this step cordons".to_owned(),
            Self::Hold(package) => format!("the package `{package}`, which this step unholds,"),
        };
        format!("{subject} may stay so on a host that `rescue` calls ok")
    }

    fn hint_for_rescue(&self) -> String {
        let step = match self {
            Self::Cordon => "uncordon: {}".to_owned(),
            Self::Hold(package) => format!("apt_mark: {{ hold: [{package}] }}"),
        };
        format!("add `{step}` to `rescue` or to `always`, without a condition; or leave out `then: ok`")
    }

    fn hint(&self) -> String {
        match self {
            Self::Cordon => {
                "add `uncordon: {}` at the end, or write `leave_cordoned: \"the reason\"` at this step"
                    .to_owned()
            }
            Self::Hold(package) => {
                format!(
                    "add `apt_mark: {{ hold: [{package}] }}`, or install it with `apt: {{ install: …, hold: true }}`"
                )
            }
        }
    }
}

/// Reports every bracket that a phase leaves open, and every one that it may leave open because what closes it has a
/// condition that what opens it has not. What its steps open `always` may close; what a rescue opens, too.
pub(super) fn check(phase: &Phase, frames: &[Frame], errors: &mut Diagnostics) {
    check_path(phase.steps.iter().chain(&phase.always), frames, errors);
    check_disruptions(phase, frames, errors);
    if let Some(rescue) = &phase.rescue {
        check_path(rescue.steps.iter().chain(&phase.always), frames, errors);
        if rescue.then == Then::Ok {
            check_rescued(phase, &rescue.steps, frames, errors);
        }
    }
}

/// A host that counts as done after its rescue may have failed between any two steps: what these open, the rescue or
/// `always` closes.
fn check_rescued(phase: &Phase, rescue: &[Step], frames: &[Frame], errors: &mut Diagnostics) {
    let mut told: Vec<BracketKind> = Vec::new();
    for step in &phase.steps {
        let opening = conditions(step, frames);
        for what in opens(step) {
            let is_closed = rescue.iter().chain(&phase.always).any(|closing| {
                closes(closing).contains(&what) && covers(&conditions(closing, frames), &opening)
            });
            if !is_closed && !told.contains(&what) {
                let error = errors.error(RESCUE_LEAVES_OPEN, step.origin.span, what.not_put_back());
                error.hint(what.hint_for_rescue());
                told.push(what);
            }
        }
    }
}

/// The steps that a host goes through one after the other.
fn check_path<'s>(steps: impl Iterator<Item = &'s Step>, frames: &[Frame], errors: &mut Diagnostics) {
    let mut open: Vec<OpenBracket> = Vec::new();
    for step in steps {
        let conditions = conditions(step, frames);
        for what in closes(step) {
            open.retain(|opened| opened.what != what || !covers(&conditions, &opened.conditions));
            if let Some(index) = open.iter().position(|opened| opened.what == what) {
                let opened = open.remove(index);
                let message = format!("this step may not run although `{}` did", title(&opened.what));
                let error = errors.error(OPEN_BRACKET, step.origin.span, message);
                error
                    .related(opened.span, "opened here")
                    .hint(
                        "close without a condition; or put both and what stands between them into one `include` with this `when`, which is decided once per host",
                    );
            }
        }
        for what in opens(step) {
            if open.iter().all(|opened| opened.what != what) {
                open.push(OpenBracket { what, conditions: conditions.clone(), span: step.origin.span });
            }
        }
    }
    for opened in open {
        errors.error(OPEN_BRACKET, opened.span, opened.what.opened()).hint(opened.what.hint());
    }
}

/// Reports every step that disrupts a node between what cordons it and what uncordons it, and may run where that was
/// skipped.
fn check_disruptions(phase: &Phase, frames: &[Frame], errors: &mut Diagnostics) {
    let steps: Vec<&Step> = phase.host_steps().collect();
    for (step, ties) in steps.iter().zip(ties(phase, frames)) {
        let Some(opener) = ties.apart_from.first().filter(|_| ties::disrupts(step)) else { continue };
        let opener = steps[*opener];
        let (kind, opens) = (step.kind.name(), opener.kind.name());
        let message =
            format!("`{kind}` disrupts the node and may run where the `{opens}` before it was skipped");
        let error = errors.error(DISRUPTS_APART, step.origin.span, message);
        error.related(opener.origin.span, "the node is cordoned here, under another `when`");
        error.hint(format!(
            "give it the same `when` as the `{opens}`, or both, by an `include` around it; where it does not disrupt, write `effect: changes`"
        ));
    }
}

/// The outermost brackets of a phase's steps as they are written: from the first that opens something to the one after
/// which nothing is open. One that is left for `always` to close reaches to the last step.
pub(super) fn outermost(phase: &Phase) -> Vec<Range<usize>> {
    let mut brackets = Vec::new();
    let mut open: Vec<BracketKind> = Vec::new();
    let mut first = None;
    for (at, step) in phase.steps.iter().enumerate() {
        let opened = opens(step);
        if !opened.is_empty() {
            first.get_or_insert(at);
        }
        open.extend(opened);
        let closed = closes(step);
        open.retain(|what| !closed.contains(what));
        if open.is_empty()
            && let Some(first) = first.take()
        {
            brackets.push(first..at + 1);
        }
    }
    brackets.extend(first.map(|first| first..phase.steps.len()));
    brackets
}

/// A step by the index of its phase and its own.
type At = (usize, usize);

/// What takes a node in that an earlier phase left cordoned, by the index of its phase and its own.
pub(super) enum TakesIn {
    /// A step.
    Step(At),
    /// A step of `always`, which runs with any of the phase's steps.
    Always(At),
}

/// Cordons that a phase leaves on purpose, each with what takes them off later.
pub(super) fn across(phases: &[Phase]) -> Vec<(At, TakesIn)> {
    let mut left: Vec<At> = Vec::new();
    let mut pairs = Vec::new();
    for (index, phase) in phases.iter().enumerate() {
        for (at, step) in phase.steps.iter().enumerate() {
            if step.leave_cordoned.is_some() {
                left.push((index, at));
            } else if closes(step).contains(&BracketKind::Cordon) {
                // Also where a drain of its own stands before it: it is what takes the node in again.
                pairs.extend(left.iter().map(|opens| (*opens, TakesIn::Step((index, at)))));
            }
        }
        for (at, step) in phase.always.iter().enumerate() {
            if closes(step).contains(&BracketKind::Cordon) {
                pairs.extend(left.iter().map(|opens| (*opens, TakesIn::Always((index, at)))));
            }
        }
    }
    pairs
}

fn title(what: &BracketKind) -> &'static str {
    match what {
        BracketKind::Cordon => "drain",
        BracketKind::Hold(_) => "unhold",
    }
}

/// The conditions of a step, those of the includes around it included. A list that may be empty is one.
fn conditions(step: &Step, frames: &[Frame]) -> Vec<String> {
    let mut found: Vec<String> = step.when.iter().map(|when| when.source.clone()).collect();
    found.extend(step.for_each.as_ref().and_then(may_be_empty));
    let mut frame = step.frame;
    while let Some(id) = frame {
        let this = &frames[id.0];
        found.extend(this.when.iter().map(|when| when.source.clone()));
        found.extend(this.for_each.as_ref().and_then(may_be_empty));
        frame = this.parent;
    }
    found
}

/// The items of a `for_each` as a condition, unless it is sure that there are some.
fn may_be_empty(items: &Arg) -> Option<String> {
    let are_some = match &items.kind {
        ArgKind::Const(Value::List(items)) => !items.is_empty(),
        ArgKind::Const(Value::Map(map)) => !map.is_empty(),
        ArgKind::List(items) => !items.is_empty(),
        ArgKind::Map(members) => !members.is_empty(),
        _ => false,
    };
    (!are_some).then(|| format!("for_each {}", items.to_source()))
}

/// Whether what closes runs whenever what opened did: it has no condition of its own.
fn covers(closing: &[String], opening: &[String]) -> bool {
    closing.iter().all(|condition| opening.contains(condition))
}

fn opens(step: &Step) -> Vec<BracketKind> {
    match step.kind.name() {
        "drain" | "cordon" if step.leave_cordoned.is_none() => vec![BracketKind::Cordon],
        "apt_mark" => packages(step, "unhold"),
        _ => Vec::new(),
    }
}

fn closes(step: &Step) -> Vec<BracketKind> {
    match step.kind.name() {
        "uncordon" => vec![BracketKind::Cordon],
        "apt_mark" => packages(step, "hold"),
        // `hold: true` beside `install` holds every package that it installs.
        "apt" if is_true(step.args.get("hold")) => packages(step, "install"),
        _ => Vec::new(),
    }
}

fn is_true(arg: Option<&Arg>) -> bool {
    matches!(arg, Some(Arg { kind: ArgKind::Const(Value::Bool(true)), .. }))
}

/// Names of packages: items of a list, keys of a mapping, or one name; templates by their text, or by the items of a
/// `for_each` that are written out.
fn packages(step: &Step, field: &str) -> Vec<BracketKind> {
    let Some(arg) = step.args.get(field) else { return Vec::new() };
    let names = match step.for_each.as_ref().map(|items| (items, items.as_const())) {
        None => names(arg),
        Some((_, Some(items))) => rounds(items).iter().flat_map(|round| names_in(arg, round)).collect(),
        Some((items, None)) => {
            let of = |name: String| {
                if name.contains("each") { format!("{name} of {}", items.to_source()) } else { name }
            };
            names(arg).into_iter().map(of).collect()
        }
    };
    names.into_iter().map(BracketKind::Hold).collect()
}

fn names(arg: &Arg) -> Vec<String> {
    match &arg.kind {
        ArgKind::Const(value) => texts(value),
        ArgKind::Text(template) => vec![template.source.clone()],
        ArgKind::Expr(expression) => vec![expression.source.clone()],
        ArgKind::Condition(_) => Vec::new(),
        ArgKind::List(items) => items.iter().flat_map(names).collect(),
        ArgKind::Map(members) => members.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// The names in one round of a `for_each`, as far as its item says them.
fn names_in(arg: &Arg, round: &Scope) -> Vec<String> {
    match &arg.kind {
        ArgKind::List(items) => items.iter().flat_map(|item| names_in(item, round)).collect(),
        ArgKind::Map(_) => names(arg),
        _ => arg.render(round).map_or_else(|_| names(arg), |value| texts(&value)),
    }
}

/// What `each` is, one after the other.
fn rounds(items: &Value) -> Vec<Scope> {
    let round = |each: Value| {
        let mut scope = Scope::new();
        scope.set("each", each);
        scope
    };
    each_of(items).into_iter().map(|(_, each)| round(each)).collect()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Str(text) => vec![text.clone()],
        Value::List(items) => items.iter().flat_map(texts).collect(),
        Value::Map(map) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}
