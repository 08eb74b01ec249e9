//! The reference page of scenarios, made from the tables of fields.

use std::fmt::Write;

use super::faults::{FAULTS, FaultTarget};
use super::fields::{COMMON, EXPECT, TOP};
use super::parse::{Command, ExpectedNode, ExpectedStep, File, Package, Port};
use crate::value::{Field, Value};

const HEAD: &str = "\
# Scenarios

A scenario says what goes wrong in a rehearsal, and what must come of it.

    rollbook rehearse runbooks/kubeadm-upgrade.yaml -i inventory.yaml -p target=1.31.4 --scenario FILE
    rollbook rehearse --scenario FILE          # the file names its runbook, inventory and parameters
    rollbook rehearse --check scenarios/*.yaml # a unit test of the runbook: one line for each

`--scenario` shows the run and the state that is left, and exits as the real run would.
`--check` compares what came with `expect`, and exits 0 where everything came as expected, 10 where something did not,
and 65 where a file has mistakes. A fault that never struck is a failure of its scenario: it tested nothing.

The same scenario with the same seed gives the same rehearsal, always.

```yaml
apiVersion: rollbook/v1
kind: Scenario
metadata: { name: mirror-dies }
runbook: ../runbooks/kubeadm-upgrade.yaml
inventory: ../inventory.example.yaml
params: { target: 1.31.4 }
faults:
  - { host: w03.example.com, step: drain, fault: pod_stuck }
  - { host: workers & !w03.example.com, fault: mirror_dies, after: 20m }
  - { fault: controller_killed, after_event: 120 }
expect:
  exit: 11
  hosts: { w03.example.com: failed }
```
";

const FAULT: &str = "\
## Faults

Without `step`, `after_event` and `after` a fault is there before the plan is made.
";

const COMMANDS: &str = "\
## Commands

Nobody but you knows what the runbook's own commands do. Where no item matches, a rehearsal takes it that a command
succeeds after a second and does what its step says: what it `creates` is then there, and its `check` and `unless`
hold. A `check` or `unless` that the simulated host does not know fails before that, and an `only_if` holds.

Every such assumption is listed at the end of a rehearsal and by `--check`: \"Assumed, not simulated\".
";

const GIVEN: &str = "\
## What is on hosts

Simulated hosts are Linux with apt: Debian 12, or the system that a recording or a label such as `os` or `distribution`
names. A host with another system is refused. What the simulation has never heard of is taken to be there and to work: a
package is on offer in the version that is asked for, a unit runs, and a port, a file, a URL, pods or a command that a
`wait` waits for come about. All of that is listed, too. What follows says how it is instead.
";

/// The page, as Markdown; `docs/reference/scenario.md` holds the same text.
pub fn page() -> String {
    let mut out = String::from(HEAD);
    write(&mut out).expect("invariant: writing to a string works");
    out
}

fn write(out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n## Top\n")?;
    fields(out, &TOP)?;
    write!(out, "\n{FAULT}\n")?;
    fields(out, &COMMON)?;
    for fault in FAULTS.iter() {
        let on = match fault.on {
            FaultTarget::Hosts => "",
            FaultTarget::Step => " Needs `step`.",
            FaultTarget::Controller => " Needs `after_event`, `after`, or `host` and `step`.",
        };
        writeln!(out, "\n### `{}`\n\n{}{on}", fault.word, fault.doc)?;
        if !fault.fields.is_empty() {
            writeln!(out)?;
            fields(out, &fault.fields)?;
        }
    }
    write!(out, "\n{COMMANDS}\n")?;
    fields(out, &Command::table().fields)?;
    write!(out, "\n{GIVEN}")?;
    for (key, table) in [("packages", Package::table()), ("files", File::table()), ("ports", Port::table())] {
        writeln!(out, "\nAn item of `{key}`:\n")?;
        fields(out, &table.fields)?;
    }
    writeln!(out, "\n## Expectations\n")?;
    fields(out, &EXPECT)?;
    writeln!(out, "\nAn item of `ran` and `did_not_run`:\n")?;
    fields(out, &ExpectedStep::table().fields)?;
    writeln!(out, "\nA value of `nodes`:\n")?;
    fields(out, &ExpectedNode::table().fields)
}

fn fields(out: &mut String, fields: &[Field]) -> std::fmt::Result {
    for field in fields {
        let need = match (field.required, &field.default) {
            (true, _) => "required".to_owned(),
            (false, Some(Value::Str(text))) if text.is_empty() => "default empty".to_owned(),
            (false, Some(default)) => format!("default {default}"),
            (false, None) => "optional".to_owned(),
        };
        writeln!(out, "- `{}` ({}; {need}): {}", field.name, field.ty.expected(), field.doc)?;
    }
    Ok(())
}
