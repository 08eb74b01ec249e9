//! Faults of a scenario.

use super::{duration, list_of, selector, spanned};
use crate::scenario::{FAULTS, Fault, FaultInfo, FaultKind, FaultTarget, Trigger};
use crate::source::codes::BAD_FAULT;
use crate::source::{Diagnostics, Entry, MapReader, Node, Spanned, nearest, shorten};
use crate::value::Duration;

const WHAT: &str = "a fault";

pub(super) fn read(node: &Node, errors: &mut Diagnostics) -> Vec<Fault> {
    list_of(node, "a list of faults", errors, fault)
}

fn fault(node: &Node, errors: &mut Diagnostics) -> Option<Fault> {
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let word = reader.require("fault", WHAT, errors).and_then(|entry| spanned(entry, "a fault", errors));
    let hosts = reader.take("host");
    let step = reader.take("step");
    let phase = reader.take("phase");
    let after_event = reader.take("after_event");
    let after = reader.take("after");
    // Which other keys it has depends on the word.
    let word = word?;
    let info = info(&word, errors)?;
    let kind = FaultKind::read(info.word, &mut reader, errors);
    reader.finish(&format!("a fault `{}`", info.word), errors);
    targets(info, &word, [hosts, step, after_event, after], errors);
    let selected = hosts.and_then(|entry| selector(&entry.value, errors));
    let delay = after.map(|entry| duration(entry, errors));
    let trigger = trigger(info, step, phase, after_event, after, errors);
    Some(Fault {
        kind: kind?,
        hosts: selected,
        trigger: trigger?,
        after: delay.flatten().unwrap_or(Duration::ZERO),
        span: word.span,
    })
}

fn info(word: &Spanned<String>, errors: &mut Diagnostics) -> Option<&'static FaultInfo> {
    let wanted = word.value.replace('-', "_");
    let found = FAULTS.iter().find(|info| info.word == wanted);
    if found.is_none() {
        let message = format!("unknown fault `{}`", shorten(&word.value));
        let error = errors.error(BAD_FAULT, word.span, message);
        let words = || FAULTS.iter().map(|info| info.word);
        match nearest(&word.value, words()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are: {}", words().collect::<Vec<_>>().join(", "))),
        };
    }
    found
}

/// What must be written, and what must not, by whom a fault befalls.
fn targets(
    info: &FaultInfo,
    word: &Spanned<String>,
    [hosts, step, after_event, after]: [Option<&Entry>; 4],
    errors: &mut Diagnostics,
) {
    let name = info.word;
    let mut wrong = |message: String, hint: &str| {
        errors.error(BAD_FAULT, word.span, message).hint(hint);
    };
    if info.on != FaultTarget::Controller && hosts.is_none() {
        wrong(format!("`{name}` needs `host`"), "add `host:` with a selector, such as `host: w1`");
    }
    match info.on {
        FaultTarget::Step if step.is_none() => {
            wrong(
                format!("`{name}` needs `step`"),
                "write the step's kind, id or name, such as `step: drain`",
            );
        }
        FaultTarget::Step if after.is_some() => wrong(
            format!("`{name}` takes effect when the step starts"),
            "leave `after` out; a link or the power can be lost in the middle of a step",
        ),
        FaultTarget::Controller if after_event.is_none() && after.is_none() && step.is_none() => wrong(
            format!("`{name}` needs `after_event`, `after` or `step`"),
            "this fault needs a run in progress",
        ),
        FaultTarget::Controller if hosts.is_some() != step.is_some() => wrong(
            format!("`{name}` takes effect on no host"),
            "write `host` and `step` together, to let it strike when a step of a host begins",
        ),
        _ => {}
    }
}

fn trigger(
    info: &FaultInfo,
    step: Option<&Entry>,
    phase: Option<&Entry>,
    after_event: Option<&Entry>,
    after: Option<&Entry>,
    errors: &mut Diagnostics,
) -> Option<Trigger> {
    if let (Some(_), Some(event)) = (step, after_event) {
        errors.error(BAD_FAULT, event.key.span, "a fault waits for a step or for an event, not for both");
    }
    if let (None, Some(phase)) = (step, phase) {
        let error = errors.error(BAD_FAULT, phase.key.span, "`phase` says which steps are meant");
        error.hint("write `step` beside it");
    }
    let phase = phase.and_then(|entry| spanned(entry, "the name of a phase", errors));
    match (step, after_event) {
        (Some(step), _) => {
            let step = spanned(step, "a step's kind, id or name", errors)?;
            Some(Trigger::Step { step, phase })
        }
        (None, Some(event)) => {
            // Before the run there is no controller.
            let (least, wanted) = match info.on {
                FaultTarget::Controller => (1, "the number of an event, from 1"),
                FaultTarget::Hosts | FaultTarget::Step => {
                    (0, "the number of an event, or 0 for before the first")
                }
            };
            let number = |text: &str| text.parse().ok().filter(|number| *number >= least);
            event.value.parsed(wanted, errors, number).map(Trigger::Event)
        }
        (None, None) if after.is_some() || info.on == FaultTarget::Controller => Some(Trigger::Start),
        (None, None) => Some(Trigger::Before),
    }
}
