//! A drain ends.

use crate::lint::cx::Cx;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::DRAIN_WITHOUT_TIMEOUT,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
`kubectl drain --timeout` is 0 when it is left out, which waits for ever. The step `drain` has ten minutes, cannot be
endless, and takes back its cordon when it fails.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubectl, drain, w1, --ignore-daemonsets]
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - uncordon: {}
",
    check,
};

fn check(cx: &Cx<'_>, report: &mut Report) {
    for (step, command) in cx.commands().filter(|(_, command)| command.drains()) {
        let timeout = command.flag("--timeout");
        let endless = timeout.is_some_and(|word| is_zero(&word.text));
        if timeout.is_none() || endless {
            let word = timeout.unwrap_or(command.first());
            let message = "this drain waits for ever when a PodDisruptionBudget allows nothing";
            let warning = report.say(step, word.span(step, cx.sources), message);
            warning.hint("write the step `drain: { timeout: 10m }`, or add `--timeout=10m`");
        }
    }
}

/// `--timeout=0`, `--timeout=0s`
fn is_zero(word: &str) -> bool {
    let value = word.split_once('=').map(|(_, value)| value.trim_end_matches(['s', 'm', 'h']));
    value.is_some_and(|value| !value.is_empty() && value.bytes().all(|byte| byte == b'0'))
}
