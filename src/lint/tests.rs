//! Every rule by its own examples: the bad one breaks it and no other, the good one breaks none, whether values are known
//! or not.

mod guides;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::{LintInput, RULES, Rule, check};
use crate::inventory::{self, Inventory};
use crate::runbook::{self, FileReader};
use crate::source::codes::code_info;
use crate::source::{self, Diagnostics, Limits, SourceMap};
use crate::value::{Value, Version};

/// No example includes anything.
struct Alone;

impl FileReader for Alone {
    fn read(&self, _: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        Err(format!("{path} is not there"))
    }
}

const HEAD: &str = "\
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: example }
params: { target: { type: version, required: true } }
kube: { via: control_plane }
";

const FLEET: &str = "\
apiVersion: rollbook/v1
kind: Inventory
metadata: { name: fleet }
hosts:
  c[1:3]: { labels: { role: control-plane } }
  w[1:2]: { labels: { role: worker } }
  bastion: { connection: { transport: local } }
groups:
  control_plane: { select: label(role=control-plane) }
  workers: { select: label(role=worker) }
";

/// What is known when the rules look.
#[derive(Clone, Copy, Debug, PartialEq)]
enum KnownNames {
    /// The files only.
    Files,
    /// Values and hosts, as when a plan is made.
    All,
}

/// A runbook with these phases.
pub(super) fn of_phases(phases: &str) -> String {
    format!("{HEAD}phases:\n{}", phases.lines().fold(String::new(), |text, line| text + "  " + line + "\n"))
}

fn found(text: &str, fleet: &str, known: KnownNames) -> (Vec<String>, String) {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let file = sources.add("runbook.yaml", text);
    let runbook = runbook::parse(&mut sources, file, &Alone, &mut diagnostics);
    let runbook = runbook.unwrap_or_else(|| panic!("{}\n{text}", diagnostics.render(&sources, false)));
    let fleet = inventory(&mut sources, fleet);
    let target = Version::parse("1.31.4").expect("a version");
    let params: IndexMap<String, Value> = [("target".to_owned(), Value::Version(target))].into();
    let input = LintInput {
        runbook: &runbook,
        sources: &sources,
        params: (known == KnownNames::All).then_some(&params),
        inventory: (known == KnownNames::All).then_some(&fleet),
    };
    check(&input, &mut diagnostics);
    let name = |code| code_info(code).expect("a row").name.to_owned();
    let names = diagnostics.items().iter().map(|item| name(item.code)).collect();
    (names, diagnostics.render(&sources, false))
}

fn inventory(sources: &mut SourceMap, text: &str) -> Inventory {
    let mut diagnostics = Diagnostics::default();
    let file = sources.add("fleet.yaml", text);
    let tree = source::parse(sources, file, Limits::default(), &mut diagnostics).expect("YAML");
    inventory::parse(&tree, &mut diagnostics).expect("an inventory")
}

/// The names of what the rules say, each once.
fn rules(phases: &str, known: KnownNames) -> Vec<String> {
    let mut names = found(&of_phases(phases), FLEET, known).0;
    names.dedup();
    names
}

#[test]
fn a_bad_example_breaks_its_rule_and_no_other() {
    for rule in RULES {
        assert_eq!(rules(rule.bad, KnownNames::All), [rule.name()], "{}", shown(rule, rule.bad));
    }
}

#[test]
fn before_values_are_known_nothing_else_is_told() {
    for rule in RULES {
        let names = rules(rule.bad, KnownNames::Files);
        assert!(names.iter().all(|name| name == rule.name()), "{}: {names:?}", rule.name());
        assert!(rule.needs_values || names == [rule.name()], "{} says nothing without values", rule.name());
    }
}

#[test]
fn a_good_example_breaks_no_rule() {
    for rule in RULES {
        for known in [KnownNames::Files, KnownNames::All] {
            assert!(rules(rule.good, known).is_empty(), "{known:?} {}", shown(rule, rule.good));
        }
    }
}

fn shown(rule: &Rule, phases: &str) -> String {
    format!("{}:\n{}", rule.name(), found(&of_phases(phases), FLEET, KnownNames::All).1)
}

/// Phases of one step each way round, and what the rules say of it.
const ONE_STEP: &[(&str, &[&str])] = &[
    // What looks like a mistake and is none.
    ("script: { text: \"[ \\\"$ip\\\" != '<none>' ] || exit 1\" }", &[]),
    ("script: { text: \"kubectl drain w1 --dry-run=server\" }", &[]),
    ("script: { text: \"kubectl -n kube-system get pods; systemctl -H w1 restart x\" }", &[]),
    (
        "script: { text: \"apt-get -s upgrade kubelet; apt-get -y -o A=b upgrade curl\" }",
        &["upgrade-with-names"],
    ),
    ("script: { text: \"apt-get -s upgrade kubelet\" }", &[]),
    ("script: { text: \"apt-get -sy upgrade; apt-get -yd upgrade; yum update -y --assumeno\" }", &[]),
    ("script: { text: \"echo apt-get upgrade kubelet=1.31.x\" }", &[]),
    ("script: { text: \"# systemctl kubelet restart\" }", &[]),
    ("script: { text: \"cat <<E > /tmp/x\\nkubelet uncordon\\nE\" }", &[]),
    ("script: { text: \"V=1.31; curl https://a/$V/x; curl https://a/${W:-1}\" }", &[]),
    ("script: { text: \"print('systemctl kubelet restart')\", interpreter: [python3] }", &[]),
    ("script: { text: \"mkdir -p /etc/systemd/system/a.d; systemctl restart a\" }", &[]),
    ("script: { text: \"cat /lib/systemd/system/a.service > /tmp/x; systemctl restart a\" }", &[]),
    ("command: [helm, upgrade, cilium, cilium/cilium, --version, 1.15.x]", &[]),
    ("apt: { install: [kubelet] }", &[]),
    // The same mistake, however it is written.
    ("command: [sudo, -n, /usr/bin/systemctl, kubelet, restart]", &["wrong-tool"]),
    ("command: [sh, -ec, \"apt-mark kubelet\"]", &["wrong-tool"]),
    ("script: { text: \"if true; then env A=b kubelet drain w1; fi\" }", &["wrong-tool"]),
    ("script: { text: \"x=$(kubectl upgrade)\" }", &["wrong-tool"]),
    ("script: { text: \"apt-get -y -o A=b dist-upgrade kubelet\" }", &["upgrade-with-names"]),
    (
        "script: { text: \"timeout 30s kubectl --context a drain w1 --ignore-daemonsets\" }",
        &["drain-without-timeout", "left-open"],
    ),
    (
        "script: { text: \"kubectl drain <node> --ignore-daemonsets --timeout=9m; kubectl uncordon w1\" }",
        &["placeholder"],
    ),
    ("command: [curl, \"https://pkgs.k8s.io/core:/stable:/v$V/deb/\"]", &["placeholder"]),
    (
        "script: { text: \"tee /etc/systemd/system/a.service </tmp/a; systemctl restart a\" }",
        &["no-daemon-reload"],
    ),
    (
        "script: { text: \"echo x > /etc/systemd/system/a.service; systemctl restart a\" }",
        &["no-daemon-reload"],
    ),
    ("script: { text: \"apt-get install -y kubectl\" }", &["unpinned-package"]),
    ("wait: { command: [kubectl, version, --short] }", &["removed-flag"]),
];

#[test]
fn a_mistake_is_told_however_it_is_written_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for (step, expected) in ONE_STEP {
        // Something known to upgrade to, so that flags can be gone.
        let phases = format!(
            "- name: p\n  hosts: workers\n  steps:\n    - kubeadm: {{ upgrade: node, version: 1.31.4 }}\n    - {step}\n"
        );
        let told = rules(&phases, KnownNames::All);
        if told != *expected {
            wrong.push(format!("{step}: {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
