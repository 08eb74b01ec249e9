//! Inside a bracket, a condition is about what was before, or is meant to be about what the bracket does.

use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::runbook::{Frame, Step, own_conditions, ties};
use crate::source::{Severity, codes};
use crate::template::overlaps;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::LATE_CONDITION,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Told of a `when` over a fact that a step between it and the beginning of its bracket changes. Not told where it is the
`when` of the step that opens the bracket, whose decision it takes.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - drain: { timeout: 10m }
    - apt: { install: { kubelet: 1.31.4-1.1 }, hold: true }
    - systemctl: { daemon_reload: true, restart: kubelet }
      when: facts.kubelet != '1.31.4'
    - wait: { node: ready, for: 10m }
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: { timeout: 10m }
      when: facts.kubelet != '1.31.4'
    - apt: { install: { kubelet: 1.31.4-1.1 }, hold: true }
      when: facts.kubelet != '1.31.4'
    - systemctl: { daemon_reload: true, restart: kubelet }
      when: facts.kubelet != '1.31.4'
    - wait: { node: ready, for: 10m }
      when: facts.kubelet != '1.31.4'
    - uncordon: {}
      when: facts.kubelet != '1.31.4'
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in &cx.phases {
        of_phase(phase, &cx.runbook.frames, report);
    }
}

fn of_phase(view: &PhaseView<'_>, frames: &[Frame], report: &mut Report) {
    let steps: Vec<&Step> = view.phase.host_steps().collect();
    let ties = ties(view.phase, frames);
    // What is done on a host that failed sees what the failure left.
    for (at, step) in steps.iter().enumerate().take(view.phase.steps.len()) {
        let is_looked_at = view.steps.iter().any(|looked| std::ptr::eq(looked.step, *step));
        let Some(first) = ties[at].follows.iter().min().filter(|_| is_looked_at) else { continue };
        let openers: Vec<&Step> = ties[at].follows.iter().map(|opener| steps[*opener]).collect();
        for condition in own_conditions(step, &openers, frames) {
            let found = steps[*first..at].iter().find_map(|earlier| {
                let altered = earlier.kind.alters(&earlier.constants());
                let fact =
                    condition.facts.iter().find(|fact| altered.iter().any(|other| overlaps(fact, other)));
                fact.map(|fact| (*earlier, fact))
            });
            let Some((earlier, fact)) = found else { continue };
            let kind = earlier.kind.name();
            let message =
                format!("`when: {}` is asked behind `{kind}`, which changes `facts.{fact}`", condition.text);
            let warning = report.say(step, step.origin.span, message);
            warning.related(earlier.origin.span, "changed here");
            let opener = openers[0].kind.name();
            warning.hint(format!(
                "give it the same `when` as the `{opener}` that begins the bracket, whose decision it then takes; where the fact of that moment is meant, say so with `lint: {{ allow: … }}`"
            ));
        }
    }
}
