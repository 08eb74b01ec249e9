//! The page of expressions and templates.

use std::fmt::Write;

use super::markdown::{row, yaml};
use crate::runbook::namespaces;
use crate::template::{FILTERS, LanguageWord, OPERATORS, TESTS};

const HEAD: &str = "# Expressions and templates

`when`, `that`, `until`, `changed_when` and `fail_when` are expressions without braces and must give a boolean. Other
texts may hold `{{ expression }}`, and `{% if %}`, `{% elif %}`, `{% else %}` and `{% for %}`. A value that is exactly one
`{{ expression }}` keeps its type. Names are checked when the file is loaded, as deep as the types go. There are no
functions to call, and nothing is undefined silently.

A text that is compared with a version is an error where it is no version itself; `\"1.9\" < \"1.31\"` as text is one, too:
write `| version`.
";

const EXAMPLE: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: names }
params:
  target: { type: version, default: 1.31.4 }
phases:
  - name: look
    hosts: all
    mode: read_only
    steps:
      - command: [uname, -r]
        id: kernel
        effect: reads
        fail_when: result.rc != 0 or result.stdout is not matching("*.*")
      - assert:
          that: params.target | minor >= "1.30" | version
          message: "{{ host.name }} would get {{ params.target }}"
        when: host.labels.role is defined and steps.kernel.ran
      - assert:
          that: facts.kubelet | default(params.target) <= params.target
          message: "the kubelet {{ facts.kubelet | default(\"none\") }} of {% if 'workers' in host.groups %}a worker{% else %}a host{% endif %} is newer"
"#;

const WRITES: &str = "invariant: writing to a string works";

pub(super) fn page() -> String {
    let mut out = format!("{HEAD}{}\n## Names\n", yaml(EXAMPLE));
    for namespace in namespaces() {
        write!(out, "\n### `{}`\n\n{}\n", namespace.name, namespace.doc).expect(WRITES);
        if !namespace.members.is_empty() {
            out.push_str("\n| name | value | |\n|---|---|---|\n");
        }
        for (name, ty, doc) in namespace.members {
            row(&mut out, &[&format!("`{}.{name}`", namespace.name), &ty, doc]);
        }
    }
    for (title, words) in [("Operators", &OPERATORS[..]), ("Filters", &FILTERS), ("Tests", &TESTS)] {
        write!(out, "\n## {title}\n\n| | | example | gives |\n|---|---|---|---|\n").expect(WRITES);
        for LanguageWord { name, doc, example, gives } in words {
            let example = example.replace('|', "\\|");
            row(&mut out, &[&format!("`{name}`"), doc, &format!("`{example}`"), &format!("`{gives}`")]);
        }
    }
    out
}
