//! What a step's arguments depend on, through the arguments of the includes around it. Decides what is rendered once,
//! what once per host, and what only when the host comes to it.

use std::collections::BTreeSet;

use crate::runbook::{FrameId, Runbook, Step};
use crate::template::{Arg, Expression, Reference, overlaps};

/// What a step depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependence {
    /// Something of the host: its name, labels, variables or facts.
    pub(super) host: bool,
    /// Facts, as dotted names below `facts`.
    pub(super) facts: BTreeSet<String>,
    /// Results of earlier steps, as dotted names.
    pub(super) steps: BTreeSet<String>,
}

impl Dependence {
    /// Of all that a step holds: arguments, environment, conditions, time limit.
    pub(super) fn of(runbook: &Runbook, step: &Step) -> Self {
        let mut found = Self::of_values(runbook, step);
        for reference in step.when.iter().flat_map(|when| &when.references) {
            found.add(runbook, step.frame, reference);
        }
        found.add_conditions(runbook, step.frame);
        found
    }

    /// Of what a step does, once it is known that it runs: arguments, environment, time limit.
    pub(super) fn of_values(runbook: &Runbook, step: &Step) -> Self {
        let mut found = Self::default();
        let args = step.args.values().chain(step.env.values()).chain(&step.timeout).chain(&step.for_each);
        for reference in args.flat_map(|arg| arg.references()) {
            found.add(runbook, step.frame, reference);
        }
        found
    }

    /// Of a condition that stands in this frame.
    pub(super) fn of_condition(runbook: &Runbook, when: &Expression, frame: Option<FrameId>) -> Self {
        let mut found = Self::default();
        for reference in &when.references {
            found.add(runbook, frame, reference);
        }
        found
    }

    /// Of the items of a `for_each` that stands in this frame.
    pub(super) fn of_items(runbook: &Runbook, items: &Arg, frame: Option<FrameId>) -> Self {
        let mut found = Self::default();
        for reference in items.references() {
            found.add(runbook, frame, reference);
        }
        found
    }

    /// Of everything that decides whether the steps of a fragment run.
    pub(super) fn of_conditions(runbook: &Runbook, frame: Option<FrameId>) -> Self {
        let mut found = Self::default();
        found.add_conditions(runbook, frame);
        found
    }

    /// Whether it reads a fact, now or when the host comes to it.
    pub(super) fn reads_facts(&self) -> bool {
        !self.facts.is_empty()
    }

    fn add_conditions(&mut self, runbook: &Runbook, mut frame: Option<FrameId>) {
        while let Some(id) = frame {
            let this = &runbook.frames[id.0];
            let items = this.for_each.iter().flat_map(Arg::references);
            for reference in this.when.iter().flat_map(|when| &when.references).chain(items) {
                self.add(runbook, this.parent, reference);
            }
            frame = this.parent;
        }
    }

    fn add(&mut self, runbook: &Runbook, frame: Option<FrameId>, reference: &Reference) {
        match reference.root.as_str() {
            "host" => self.host = true,
            "facts" => {
                self.host = true;
                self.facts.insert(reference.path.join("."));
            }
            "steps" => {
                self.steps.insert(format!("steps.{}", reference.path.join(".")));
            }
            // What failed is known only on the host that it failed on.
            "failure" => {
                self.steps.insert(format!("failure.{}", reference.path.join(".")));
            }
            "args" => self.add_args(runbook, frame, reference.path.first().map(String::as_str)),
            _ => {}
        }
    }

    /// An argument of the fragment depends on what the include wrote for it; `args` as a whole on all of them.
    fn add_args(&mut self, runbook: &Runbook, frame: Option<FrameId>, name: Option<&str>) {
        let Some(id) = frame else { return };
        let frame = &runbook.frames[id.0];
        for (key, arg) in &frame.args {
            if name.is_none_or(|name| name == key) {
                for reference in arg.references() {
                    self.add(runbook, frame.parent, reference);
                }
            }
        }
    }

    /// The names that are not known before this host's earlier tasks have run. `altered` are dotted facts that those
    /// tasks may change; `facts_known` says whether this host's facts were read at all.
    pub(super) fn waits_for(&self, altered: &BTreeSet<String>, facts_known: bool) -> Vec<String> {
        let late = |fact: &&String| !facts_known || altered.iter().any(|altered| overlaps(fact, altered));
        let facts = self.facts.iter().filter(late).map(|fact| format!("facts.{fact}"));
        self.steps.iter().cloned().chain(facts).collect()
    }
}

#[cfg(test)]
mod tests {
    use camino::{Utf8Path, Utf8PathBuf};

    use super::*;
    use crate::plan::compile::reads_facts;
    use crate::runbook::FileReader;
    use crate::source::{Diagnostics, SourceMap};

    /// Every included file is this fragment.
    struct Fragment(&'static str);

    impl FileReader for Fragment {
        fn read(&self, _: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
            Ok((path.into(), self.0.to_owned()))
        }
    }

    #[test]
    fn a_fact_is_found_wherever_it_is_read() {
        let uses = Fragment(
            "apiVersion: rollbook/v1\nkind: Steps\nargs: { word: { type: string, required: true } }\nsteps:\n\
             - command: { argv: [echo, \"{{ args.word }}\"] }\n",
        );
        for (steps, reads) in [
            ("- command: { argv: [echo, \"{{ host.name }}\"] }", false),
            ("- command: { argv: [echo, facts.os] }", false),
            ("- include: { file: f.yaml, with: { word: \"{{ host.name }}\" } }", false),
            ("- command: { argv: [echo, \"{{ facts.os }}\"] }", true),
            ("- command: { argv: [echo] }\n  when: facts.systemd", true),
            ("- command: { argv: [echo] }\n  env: { A: \"{{ facts.kernel }}\" }", true),
            ("- include: { file: f.yaml, with: { word: \"{{ facts.os }}\" } }", true),
            ("- include: { file: f.yaml, with: { word: a } }\n  when: facts.systemd", true),
            ("- command: { argv: [echo, \"{{ each.key }}\"] }\n  for_each: \"{{ facts.disks }}\"", true),
            (
                "- include: { file: f.yaml, with: { word: \"{{ each.key }}\" } }\n  for_each: \"{{ facts.disks }}\"",
                true,
            ),
        ] {
            let text = format!(
                "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nphases:\n\
                 - name: a\n  hosts: all\n  steps:\n  {}\n",
                steps.replace('\n', "\n  ")
            );
            let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
            let file = sources.add("r.yaml", text);
            let runbook = crate::runbook::parse(&mut sources, file, &uses, &mut diagnostics);
            let runbook = runbook.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)));
            assert_eq!(reads_facts(&runbook), reads, "{steps}");
        }
    }

    #[test]
    fn a_fact_waits_for_changes_above_and_below_it_only() {
        let cases = [
            ("kubelet", "kubelet", true),
            ("packages", "packages.kubelet", true),
            ("packages.kubelet.version", "packages.kubelet", true),
            ("kubelet", "kube", false),
            ("units.kubelet", "units.containerd", false),
        ];
        for (fact, altered, late) in cases {
            assert_eq!(overlaps(fact, altered), late, "{fact} after a change of {altered}");
        }
    }
}
