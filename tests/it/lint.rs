//! The linter over the shipped runbook: clean as it is, and broken in one way at a time, told by exactly the rule for it.

use std::fs;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use rollbook::inventory::{self, Inventory};
use rollbook::lint::{self, RULES};
use rollbook::runbook::{self, FileReader};
use rollbook::source::codes::code_info;
use rollbook::source::{self, Diagnostics, Limits, SourceMap};
use rollbook::value::{Value, Version};

use super::support::rollbook::Rollbook;

const RUNBOOK: &str = "kubeadm-upgrade.yaml";
const KUBELET: &str = "steps/kubelet.yaml";
const TOOLS: &str = "steps/tools.yaml";

/// What is known when the rules look.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Files,
    All,
}

/// One way to break the shipped runbook.
struct Break {
    rule: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn broken(rule: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Break {
    Break { rule, file, from, to }
}

const APPLY: &str = "      - kubeadm: { upgrade: apply,";
const INSTALL: &str = "  - apt: { install: { kubelet: \"{{ args.version }}-*\" } }\n";
const RESTART: &str = "  - systemctl: { daemon_reload: true, restart: kubelet }\n";
const SNAPSHOT: &str = "      - etcd_snapshot: { to: \"/var/backups/rollbook/{{ run.id }}.db\", keep: 5 }\n        \
                        when: params.etcd_snapshot and facts.kubelet != params.target\n        timeout: 20m\n";
const POLICY: &str = "  deadline: 12h\n";
const WAIT: &str = "  - wait: { node: ready, kubelet: \"{{ args.version }}\", for: 10m, stable_for: 20s }\n    timeout: 15m\n";

/// Every rule, by a change that somebody might make.
const BREAKS: &[Break] = &[
    broken("versions-disagree", KUBELET, "kubelet: \"{{ args.version }}\", for", "kubelet: 1.30.1, for"),
    broken("apply-first", RUNBOOK, "hosts: control_plane[0]", "hosts: control_plane"),
    broken(
        "upgrade-order",
        KUBELET,
        "steps:\n",
        "steps:\n  - apt: { install: { kubelet: \"{{ args.version }}-*\" }, hold: true }\n",
    ),
    broken("unpinned-package", TOOLS, "kubectl: \"{{ args.version }}-*\"", "kubectl: latest"),
    broken(
        "upgrade-with-names",
        KUBELET,
        INSTALL,
        "  - command: [apt-get, upgrade, -y, \"kubelet={{ args.version }}-1.1\"]\n",
    ),
    broken("placeholder", KUBELET, "kubelet: \"{{ args.version }}-*\"", "kubelet: 1.31.x-00"),
    broken(
        "wrong-tool",
        KUBELET,
        RESTART,
        "  - script: { text: \"systemctl daemon-reload && systemctl kubelet restart\" }\n",
    ),
    broken("repository-minor", RUNBOOK, "kubernetes: \"{{ params.target | minor }}\"", "kubernetes: 1.30"),
    broken(
        "skipped-minor",
        RUNBOOK,
        "version: \"{{ params.target }}\" }\n      - include: *kubelet\n",
        "version: \"{{ params.target }}\" }\n      - include: *kubelet\n  - { name: too far, hosts: \"control_plane[0]\", steps: [kubeadm: { upgrade: apply, version: 1.33.1 }] }\n",
    ),
    broken("drain-flags", KUBELET, "  - drain:\n", "  - drain:\n      ignore_daemonsets: false\n"),
    broken(
        "drain-without-timeout",
        KUBELET,
        "  - apt_mark: { unhold: [kubelet] }\n",
        "  - command: [kubectl, drain, \"{{ host.name }}\", --ignore-daemonsets]\n  - apt_mark: { unhold: [kubelet] }\n",
    ),
    broken("no-daemon-reload", KUBELET, RESTART, "  - systemctl: { restart: kubelet }\n"),
    broken("removed-flag", TOOLS, "steps:\n", "steps:\n  - command: [kubectl, version, --short]\n"),
    broken("no-etcd-snapshot", RUNBOOK, SNAPSHOT, ""),
    broken("drain-before-apply", RUNBOOK, APPLY, "      - drain: {}\n      - kubeadm: { upgrade: apply,"),
    broken(
        "kubelet-before-apply",
        RUNBOOK,
        APPLY,
        "      - apt: { install: { kubelet: \"{{ params.target }}-*\" }, hold: true }\n      - kubeadm: { upgrade: apply,",
    ),
    broken("no-verification", KUBELET, WAIT, ""),
    broken(
        "text-as-code",
        TOOLS,
        "steps:\n",
        "steps:\n  - script: \"logger upgraded for {{ host.vars.team }}\"\n    effect: changes\n",
    ),
    broken(
        "shell-in-command",
        TOOLS,
        "steps:\n",
        "steps:\n  - command: [kubectl, version, \">\", /root/version]\n    effect: changes\n",
    ),
    broken("reboot-without-drain", TOOLS, "steps:\n", "steps:\n  - reboot: { when_required: true }\n"),
    broken("all-at-once", RUNBOOK, "max_unavailable: 2\n", "max_unavailable: 100%\n"),
    broken("asks", TOOLS, "steps:\n", "steps:\n  - command: [apt-get, install, jq]\n    effect: changes\n"),
    broken(
        "certificates-not-used",
        RUNBOOK,
        "phases:\n",
        "phases:\n  - { name: certs, hosts: \"control_plane[0]\", steps: [script: kubeadm certs renew all] }\n",
    ),
    broken("etcd-by-hand", TOOLS, "steps:\n", "steps:\n  - script: etcdctl snapshot save /root/a.db\n"),
    broken("excluded-package", TOOLS, "steps:\n", "steps:\n  - script: yum install -y kubectl-1.31.4\n"),
    broken(
        "config-not-read",
        RUNBOOK,
        "phases:\n",
        "phases:\n  - { name: log, hosts: all, steps: [script: echo a >>/etc/containerd/config.toml] }\n",
    ),
    broken(
        "left-open",
        TOOLS,
        "steps:\n",
        "steps:\n  - command: [apt-mark, unhold, jq]\n    effect: changes\n",
    ),
    broken(
        "no-kubeadm-upgrade",
        RUNBOOK,
        "      - kubeadm: { upgrade: node, version: \"{{ params.target }}\" }\n        timeout: 20m\n",
        "",
    ),
    broken("upgrade-without-drain", TOOLS, "steps:\n", "steps:\n  - apt: { upgrade: all }\n"),
    broken(
        "late-condition",
        KUBELET,
        RESTART,
        "  - systemctl: { daemon_reload: true, restart: kubelet }\n    when: facts.kubelet != args.version\n",
    ),
];

/// The shipped files, some of them changed.
#[derive(Default)]
struct Shipped {
    changed: Vec<(&'static str, String)>,
}

impl Shipped {
    fn text(&self, file: &str) -> String {
        let changed = self.changed.iter().find(|(name, _)| *name == file);
        changed.map_or_else(
            || {
                let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
                fs::read_to_string(root.join(file)).expect("a shipped file")
            },
            |(_, text)| text.clone(),
        )
    }

    fn change(&mut self, file: &'static str, from: &str, to: &str) {
        let text = self.text(file);
        assert!(text.contains(from), "{file} has no {from:?}");
        self.changed.retain(|(name, _)| *name != file);
        self.changed.push((file, text.replacen(from, to, 1)));
    }

    /// The name of each finding with its file, and all of it as people read it.
    fn lint(&self, known: Known) -> (Vec<(String, String)>, String) {
        let mut sources = SourceMap::default();
        let mut diagnostics = Diagnostics::default();
        let file = sources.add(RUNBOOK, self.text(RUNBOOK));
        let runbook = runbook::parse(&mut sources, file, self, &mut diagnostics);
        let runbook = runbook.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)));
        let fleet = fleet(&mut sources);
        let params = params();
        let all = known == Known::All;
        let input = lint::LintInput {
            runbook: &runbook,
            sources: &sources,
            params: all.then_some(&params),
            inventory: all.then_some(&fleet),
        };
        lint::check(&input, &mut diagnostics);
        let found = diagnostics.items().iter().map(|item| {
            let name = code_info(item.code).expect("a row").name.to_owned();
            let place = item.span.expect("a place");
            (name, sources.file(place.file).name.to_string())
        });
        (found.collect(), diagnostics.render(&sources, false))
    }

    fn rules(&self, known: Known) -> Vec<String> {
        let mut names: Vec<String> = self.lint(known).0.into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }
}

impl FileReader for Shipped {
    fn read(&self, _: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        Ok((path.into(), self.text(path)))
    }
}

fn fleet(sources: &mut SourceMap) -> Inventory {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventory.example.yaml");
    let file = sources.add("inventory.example.yaml", fs::read_to_string(path).expect("there"));
    let mut diagnostics = Diagnostics::default();
    let tree = source::parse(sources, file, Limits::default(), &mut diagnostics).expect("YAML");
    inventory::parse(&tree, &mut diagnostics).expect("an inventory")
}

fn params() -> IndexMap<String, Value> {
    let text = |text: &str| Value::Str(text.to_owned());
    [
        ("target".to_owned(), Value::Version(Version::parse("1.31.4").expect("a version"))),
        ("repo_base".to_owned(), text("https://pkgs.k8s.io/core:/stable:/")),
    ]
    .into()
}

#[test]
fn the_shipped_runbook_breaks_no_rule() {
    for known in [Known::Files, Known::All] {
        let (found, shown) = Shipped::default().lint(known);
        assert!(found.is_empty(), "{known:?}\n{shown}");
    }
}

#[test]
fn broken_in_one_way_it_is_told_by_exactly_the_rule_for_it() {
    // The shipped inventory has no host that is the machine itself.
    for rule in RULES.iter().filter(|rule| rule.name() != "restarts-controller") {
        assert!(BREAKS.iter().any(|broken| broken.rule == rule.name()), "nothing breaks {}", rule.name());
    }
    for broken in BREAKS {
        let mut shipped = Shipped::default();
        shipped.change(broken.file, broken.from, broken.to);
        let (found, shown) = shipped.lint(Known::All);
        assert!(!found.is_empty(), "{}: silence", broken.rule);
        for (rule, file) in found {
            assert_eq!(rule, broken.rule, "{shown}");
            // A wrong repository shows where packages come from it.
            assert!(
                file == broken.file || broken.rule == "repository-minor" || broken.to.is_empty(),
                "{shown}"
            );
        }
        let before = shipped.rules(Known::Files);
        assert!(before.iter().all(|rule| rule == broken.rule), "without values: {before:?}");
    }
}

#[test]
fn two_uses_of_one_name_are_the_same_before_it_has_a_value() {
    let early = BREAKS.iter().find(|broken| broken.rule == "kubelet-before-apply").expect("a break");
    let mut shipped = Shipped::default();
    shipped.change(early.file, early.from, early.to);
    assert_eq!(shipped.rules(Known::Files), ["kubelet-before-apply"]);
    // Another name may turn out to be the same, or not: nothing is certain.
    shipped.change(
        RUNBOOK,
        "kubelet: \"{{ params.target }}-*\" }, hold",
        "kubelet: \"{{ host.vars.kubelet }}-*\" }, hold",
    );
    assert!(shipped.rules(Known::Files).is_empty());
}

#[test]
fn every_rule_can_be_allowed_for_a_runbook() {
    for broken in BREAKS {
        let mut shipped = Shipped::default();
        shipped.change(broken.file, broken.from, broken.to);
        let allow = format!("{POLICY}  allow: {{ {}: on purpose }}\n", broken.rule);
        shipped.change(RUNBOOK, POLICY, &allow);
        let (found, shown) = shipped.lint(Known::All);
        assert!(found.is_empty(), "{}\n{shown}", broken.rule);
    }
}

#[test]
fn an_opt_out_of_a_step_counts_for_that_step_alone() {
    let mut shipped = Shipped::default();
    let step = "  - command: [kubectl, drain, w1, --ignore-daemonsets]\n";
    shipped.change(KUBELET, "  - apt_mark: { unhold", &format!("{step}{step}  - apt_mark: {{ unhold"));
    assert_eq!(shipped.lint(Known::Files).0.len(), 2, "two drains");
    let allow = "    lint: { allow: { drain-without-timeout: \"a budget never refuses here\" } }\n";
    shipped.change(KUBELET, step, &format!("{step}{allow}"));
    assert_eq!(shipped.rules(Known::Files), ["drain-without-timeout"]);
    assert_eq!(shipped.lint(Known::Files).0.len(), 1, "one of two is allowed");
}

#[test]
fn wrong_and_needless_opt_outs_are_told() {
    let mut shipped = Shipped::default();
    shipped.change(RUNBOOK, SNAPSHOT, "");
    shipped.change(RUNBOOK, POLICY, &format!("{POLICY}  allow: {{ no-etcd-snapshots: saved }}\n"));
    let (found, shown) = shipped.lint(Known::All);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["unknown-rule", "no-etcd-snapshot"], "{shown}");
    assert!(shown.contains("did you mean `no-etcd-snapshot`?"), "{shown}");

    let mut shipped = Shipped::default();
    let allow = format!("{POLICY}  allow: {{ no-verification: not needed, placeholder: x }}\n");
    shipped.change(RUNBOOK, POLICY, &allow);
    assert_eq!(shipped.rules(Known::Files), ["unused-opt-out"]);
    assert_eq!(
        shipped.lint(Known::Files).0.len(),
        1,
        "a rule of values may need its opt-out with other values"
    );
    assert!(shipped.rules(Known::All).is_empty(), "told where the file is judged, not in every run");
}

#[test]
fn what_a_condition_leaves_out_is_not_there() {
    let mut shipped = Shipped::default();
    let snapshot = "      - command: [etcdctl, --cacert=/c, snapshot, save, /var/backups/etcd.db]\n        when: params.repo_base == 'elsewhere'\n";
    shipped.change(RUNBOOK, SNAPSHOT, snapshot);
    assert!(shipped.rules(Known::Files).is_empty(), "it may run");
    assert_eq!(shipped.rules(Known::All), ["no-etcd-snapshot"], "it will not");
}

#[test]
fn one_control_plane_makes_an_early_drain_an_error() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = Shipped::default().text(RUNBOOK).replace(APPLY, &format!("      - drain: {{}}\n{APPLY}"));
    fs::write(dir.path().join(RUNBOOK), text).expect("written");
    fs::create_dir(dir.path().join("steps")).expect("made");
    for file in [KUBELET, TOOLS] {
        fs::write(dir.path().join(file), Shipped::default().text(file)).expect("written");
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/valid");
    for (fleet, code) in [("single_control_plane.yaml", 65), ("fleet.yaml", 0)] {
        let fleet = cases.join(fleet).display().to_string();
        Rollbook::new(["validate", RUNBOOK, "-i", &fleet]).dir(dir.path()).run().exits(code).says("RB0715");
    }
}

#[test]
fn warnings_count_with_strict_and_carry_their_names() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let rollbook = |args: &[&str]| Rollbook::new(args.iter().copied()).dir(dir.path()).run();
    let write = |steps: &str| {
        let text = format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nphases:\n  - {{ name: p, hosts: all, steps: [{steps}] }}\n"
        );
        fs::write(dir.path().join("r.yaml"), text).expect("written");
    };
    write("command: [kubectl, drain, w1, --ignore-daemonsets], script: kubectl uncordon w1");
    rollbook(&["validate", "r.yaml"]).exits(0).says("no mistakes, 1 warning").says("drain-without-timeout");
    rollbook(&["validate", "--strict", "r.yaml"]).exits(65).says("drain-without-timeout");
    let json = rollbook(&["validate", "--format", "json", "r.yaml"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["name"], "drain-without-timeout");
    assert_eq!(json[0]["severity"], "warning");
    write("command: [systemctl, kubelet, restart]");
    rollbook(&["validate", "r.yaml"]).exits(65).says("wrong-tool");
}

#[test]
fn a_plan_is_not_made_of_what_cannot_work() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\nparams: { v: { type: version, required: true } }\n\
                phases:\n  - name: p\n    hosts: all\n    steps:\n      - apt_repo: { kubernetes: 1.30 }\n      - apt: { download: { kubelet: \"{{ params.v }}-*\" } }\n";
    fs::write(dir.path().join("r.yaml"), text).expect("written");
    let fleet = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: i }\nhosts: { w1: {} }\n";
    fs::write(dir.path().join("i.yaml"), fleet).expect("written");
    let plan = |target: &str| {
        Rollbook::new(["plan", "--offline", "r.yaml", "-i", "i.yaml", "-p", target]).dir(dir.path()).run()
    };
    plan("v=1.31.4").exits(65).says("kubelet 1.31.4 is not in the repository of 1.30");
    plan("v=1.30.4").exits(0);
}
