//! What a command opens, something closes again: a cordon, and a package without its hold.

use crate::lint::action::{ActionKind, is_open};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::order::{HostOrder, OrderedStep};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::op::show_symbols;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::LEFT_OPEN,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
A node that `kubectl drain` or `kubectl cordon` took out of service stays out until somebody uncordons it, and a package
without its hold is moved by the next `apt-get upgrade` of anybody. `apt-get install --allow-change-held-packages` takes the
hold off, too (website#30135). The steps `drain`, `cordon` and `apt_mark` are held to this by `open-bracket` (RB0308); this
rule sees what is written as a command, in whatever phase of the same hosts it is closed.",
    bad: "\
- name: tools
  hosts: workers
  steps:
    - command: [apt-mark, unhold, jq]
      effect: changes
",
    good: "\
- name: tools
  hosts: workers
  steps:
    - command: [apt-mark, unhold, jq]
      effect: changes
    - command: [apt-mark, hold, jq]
      effect: changes
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in &cx.phases {
        let way = cx.way(phase);
        cordons(phase, &way, report);
        for (place, turn) in way.of(phase).filter(|(_, turn)| turn.is_by_hand()) {
            if let ActionKind::Unhold(names) = &turn.action.what {
                holds(&way, place, turn, names, report);
            }
        }
    }
}

fn cordons(phase: &PhaseView<'_>, way: &HostOrder<'_, '_>, report: &mut Report) {
    let opens = |what: &ActionKind| matches!(what, ActionKind::Drain | ActionKind::Cordon);
    let closes = |what: &ActionKind| matches!(what, ActionKind::Uncordon | ActionKind::Leave);
    let open = way
        .of(phase)
        .find(|(place, turn)| turn.is_by_hand() && opens(&turn.action.what) && !way.behind(*place, closes));
    if let Some((_, turn)) = open {
        let message = "the node stays cordoned: nothing uncordons it afterwards";
        report.say(turn.step, turn.action.span, message).hint(
            "write the steps `drain` and `uncordon`, or add `kubectl uncordon` behind the work on the node",
        );
    }
}

fn holds(
    way: &HostOrder<'_, '_>,
    place: usize,
    turn: OrderedStep<'_, '_>,
    names: &[String],
    report: &mut Report,
) {
    let is_held = |package: &str| {
        way.behind(place, |what| match what {
            // Nobody knows which packages these are.
            ActionKind::Hold(held) => {
                held.is_empty()
                    || is_open(package)
                    || held.iter().any(|name| name == package || is_open(name))
            }
            _ => false,
        })
    };
    let open = if names.is_empty() {
        (!is_held("")).then_some("")
    } else {
        names.iter().map(String::as_str).find(|name| !is_held(name))
    };
    let Some(name) = open else { return };
    let name = show_symbols(name);
    let (what, package) = if name.is_empty() || is_open(&name) {
        ("packages stay".to_owned(), "…")
    } else {
        (format!("`{name}` stays"), name.as_str())
    };
    let message = format!("{what} without a hold: nothing puts it back");
    report
        .say(turn.step, turn.action.span, message)
        .hint(format!("add `apt-mark hold {package}` behind it, or write the step `apt` with `hold: true`"));
}
