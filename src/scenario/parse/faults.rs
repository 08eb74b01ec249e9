//! Faults of a scenario.

use super::{duration, list_of, number, selector, spanned, text};
use crate::scenario::fields::{COMPONENTS, FAULTS, FaultInfo, FaultTarget, HOLDER, INHIBITOR};
use crate::scenario::{Fault, FaultKind, Trigger};
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
    let kind = kind(info, &mut reader, errors);
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

fn kind(info: &FaultInfo, reader: &mut MapReader<'_>, errors: &mut Diagnostics) -> Option<FaultKind> {
    let lasting = |reader: &mut MapReader<'_>, errors: &mut Diagnostics| {
        reader.take("for").and_then(|entry| duration(entry, errors))
    };
    let words = |key: &str, reader: &mut MapReader<'_>, errors: &mut Diagnostics| {
        reader.take(key).and_then(|entry| text(entry, "a text", errors))
    };
    Some(match info.word {
        "never_finishes" => FaultKind::NeverFinishes,
        "fails" => FaultKind::Fails {
            exit: number(reader.take("exit"), 1..=255, "an exit code from 1 to 255", errors).unwrap_or(1),
            stderr: words("stderr", reader, errors).unwrap_or_default(),
            times: number(reader.take("times"), 1..=1000, "a number from 1 to 1000", errors)
                .map_or(1, i32::unsigned_abs),
        },
        "budget_blocks" => FaultKind::BudgetBlocks,
        "pod_stuck" => FaultKind::PodStuck,
        "bare_pod" => FaultKind::BarePod,
        "link_lost" => FaultKind::LinkLost { lasting: lasting(reader, errors) },
        "power_lost" => FaultKind::PowerLost { lasting: lasting(reader, errors) },
        "mirror_dies" => FaultKind::MirrorDies { lasting: lasting(reader, errors) },
        "package_missing" => {
            let package = reader.require("package", "a fault `package_missing`", errors);
            let package = package.and_then(|entry| text(entry, "a package", errors));
            let version = words("version", reader, errors).unwrap_or_default();
            FaultKind::PackageMissing { package: package?, version }
        }
        "lock_held" => FaultKind::LockHeld {
            lists: reader
                .take("lock")
                .and_then(|entry| entry.value.word(&[("dpkg", false), ("lists", true)], errors))
                .unwrap_or(false),
            by: words("by", reader, errors).unwrap_or_else(|| HOLDER.to_owned()),
            lasting: lasting(reader, errors),
        },
        "shutdown_inhibited" => FaultKind::ShutdownInhibited {
            by: words("by", reader, errors).unwrap_or_else(|| INHIBITOR.to_owned()),
            blocks: reader
                .take("mode")
                .and_then(|entry| entry.value.word(&[("block", true), ("delay", false)], errors))
                .unwrap_or(true),
            lasting: lasting(reader, errors),
        },
        "kubelet_does_not_start" => FaultKind::KubeletDoesNotStart,
        "crash_loop" => {
            let words = COMPONENTS.map(|name| (name, name));
            let component = reader.take("component").and_then(|entry| entry.value.word(&words, errors));
            FaultKind::CrashLoop { component: component.unwrap_or("kube-scheduler").to_owned() }
        }
        "api_server_starts" => FaultKind::ApiServerStarts { lasting: lasting(reader, errors) },
        "node_cordoned" => FaultKind::NodeCordoned { lasting: lasting(reader, errors) },
        "node_uncordoned" => FaultKind::NodeUncordoned,
        "node_deleted" => FaultKind::NodeDeleted { lasting: lasting(reader, errors) },
        "node_not_ready" => FaultKind::NodeNotReady { lasting: lasting(reader, errors) },
        "clock_jumps" => {
            let by = reader.require("by", "a fault `clock_jumps`", errors)?;
            FaultKind::ClockJumps { millis: by.value.parsed("a jump such as 1h or -1h", errors, jump)? }
        }
        "swap_on" => FaultKind::SwapOn,
        "reboot_required" => FaultKind::RebootRequired,
        "up_to_date" => FaultKind::UpToDate,
        "controller_killed" => FaultKind::ControllerKilled {
            resumes: reader
                .take("then")
                .and_then(|entry| entry.value.word(&[("resume", true), ("leave", false)], errors))
                .unwrap_or(true),
        },
        "stopped" => FaultKind::Stopped {
            term: reader
                .take("by")
                .and_then(|entry| entry.value.word(&[("ctrl_c", false), ("sigterm", true)], errors))
                .unwrap_or(false),
        },
        "approval_refused" => FaultKind::ApprovalRefused,
        other => unreachable!("invariant: `{other}` stands in the table of faults and is read"),
    })
}

/// `1h`, `-90s`, in milliseconds.
fn jump(text: &str) -> Option<i64> {
    let (sign, length) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let millis = i64::try_from(Duration::parse(length)?.as_millis()).ok()?;
    (millis != 0).then_some(sign * millis)
}
