//! Runbooks by example: what they give, and what their mistakes say. Most mistakes are files of their own, under
//! `tests/it/cases/invalid`; here stand those that need several files or a look at the result.

use std::collections::HashMap;
use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::{FileReader, parse};
use crate::runbook::{FrameId, Mode, OnFailure, Runbook};
use crate::source::{Diagnostics, SourceMap};
use crate::value::{Amount, Duration, Value};

/// Files in memory; a path is looked up as it is written.
struct Files(HashMap<&'static str, String>);

impl FileReader for Files {
    fn read(&self, _from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        self.0.get(path).map(|text| (path.into(), text.clone())).ok_or_else(|| "no such file".to_owned())
    }
}

const FRAGMENT_HEAD: &str = "apiVersion: rollbook/v1\nkind: Steps\n";

fn read(text: &str, fragments: &[(&'static str, &str)]) -> Result<Runbook, String> {
    let files = fragments.iter().map(|(path, text)| (*path, format!("{FRAGMENT_HEAD}{text}"))).collect();
    let mut sources = SourceMap::default();
    let file = sources.add("up.yaml", text);
    let mut diagnostics = Diagnostics::default();
    parse(&mut sources, file, &Files(files), &mut diagnostics).ok_or_else(|| shown(&diagnostics, &sources))
}

fn shown(diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let mut out = String::new();
    for item in diagnostics.items() {
        let span = item.span.unwrap();
        let (line, column) = sources.line_column(span);
        let file = &sources.file(span.file).name;
        write!(out, "{} {file}:{line}:{column} {}", item.code, item.message).unwrap();
        for hint in &item.hints {
            write!(out, " ({hint})").unwrap();
        }
        out.push('\n');
    }
    out
}

const HEAD: &str = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\n";

/// Steps, one per line from line 7 on, in one phase.
fn steps(steps: &str, fragments: &[(&'static str, &str)]) -> Result<Runbook, String> {
    let steps = format!("      {}\n", steps.trim_end().replace('\n', "\n      "));
    read(&format!("{HEAD}phases:\n  - {{ name: p, hosts: all,\n    steps: [\n{steps}    ] }}\n"), fragments)
}

#[test]
fn a_runbook_fills_in_what_it_does_not_say() {
    let runbook = read(
        &format!(
            "{HEAD}params: {{ n: {{ type: int, default: 3, min: 1 }} }}
kube: {{ via: control_plane }}
policy: {{ deadline: 6h, control_plane_outage: accept }}
defaults: {{ timeout: 1m }}
phases:
  - name: one
    hosts: workers & !label(zone=a)
    steps: [command: [ls]]
  - name: two
    hosts: all
    mode: read_only
    rollout: {{ batches: [1, 25%], max_unavailable: 2, parallel: 4, on_failure: freeze, soak: 1m }}
    steps:
      - {{ name: look, command: {{ argv: [ls] }}, effect: reads, become: false, timeout: 5s, retry: {{ attempts: 3, backoff: 1.5 }} }}
"
        ),
        &[],
    )
    .unwrap();
    assert_eq!(runbook.params["n"].default, Some(Value::Int(3)));
    assert!(runbook.policy.control_plane_outage && runbook.policy.lock_cluster);
    assert_eq!(
        runbook.kube.as_ref().map(|kube| kube.kubeconfig.as_str()),
        Some("/etc/kubernetes/admin.conf")
    );
    let [one, two] = runbook.phases.as_slice() else { panic!("two phases") };
    assert_eq!((one.mode, one.rollout.max_unavailable), (Mode::ReadWrite, Amount::Count(1)));
    assert_eq!(one.steps[0].origin.place, "up.yaml:11");
    assert!(one.steps[0].r#become);
    assert_eq!(two.rollout.batches, [Amount::Count(1), Amount::parse("25%").unwrap()]);
    assert_eq!((two.mode, two.rollout.on_failure), (Mode::ReadOnly, OnFailure::Freeze));
    assert_eq!((two.rollout.parallel, two.rollout.soak), (4, Duration::from_secs(60)));
    let step = &two.steps[0];
    let retry = step.retry.unwrap();
    assert_eq!((retry.attempts, retry.backoff_percent, retry.delay), (3, 150, Duration::from_secs(10)));
    assert!(!step.r#become);
}

#[test]
fn a_fragment_stands_in_the_place_of_its_include() {
    let runbook = steps(
        "{ include: { file: f.yaml, with: { n: 2 } }, id: a, when: host.name != 'w1' },\n{ include: f.yaml },",
        &[("f.yaml", "args: { n: { type: int, default: 1, max: 5 } }\nsteps:\n  - { id: look, command: [echo, \"{{ args.n }}\"] }\n  - { command: [ls], when: steps.look.changed }\n")],
    )
    .unwrap();
    let ids: Vec<_> = runbook.phases[0].steps.iter().map(|step| step.id.as_deref()).collect();
    assert_eq!(ids, [Some("a.look"), None, Some("include-1.look"), None]);
    let frames: Vec<_> = runbook.phases[0].steps.iter().map(|step| step.frame).collect();
    assert_eq!(frames, [Some(FrameId(0)), Some(FrameId(0)), Some(FrameId(1)), Some(FrameId(1))]);
    assert!(runbook.frames[0].when.is_some() && runbook.frames[1].when.is_none());
    assert_eq!((runbook.frames[0].prefix.as_str(), runbook.frames[1].prefix.as_str()), ("a", "include-1"));
    assert_eq!(runbook.phases[0].steps[0].origin.place, "f.yaml:5");
}

#[test]
fn results_are_named_only_after_their_step_and_inside_its_phase() {
    let fragment = ("f.yaml", "steps: [{ id: look, command: [ls] }]\n");
    steps("{ include: f.yaml, id: a },\n{ command: [ls], when: steps.a.look.changed },", &[fragment])
        .unwrap();
    let found =
        steps("{ command: [ls], when: steps.a.look.changed },\n{ include: f.yaml, id: a },", &[fragment]);
    assert!(found.unwrap_err().starts_with("RB0201 up.yaml:7:30 the step `a` stands later"));
    let found = steps("{ include: f.yaml },\n{ command: [ls], when: steps.look.changed },", &[fragment]);
    assert!(found.unwrap_err().starts_with("RB0201 up.yaml:8:30 unknown name `steps.look`"));
}

#[test]
fn a_fragment_sees_its_arguments_and_nothing_of_the_runbook() {
    let found = steps(
        "{ include: { file: f.yaml, with: { a: x, b: y } } },\n{ include: f.yaml },",
        &[(
            "f.yaml",
            "args: { a: { type: string, required: true } }\nsteps:\n  - command: [echo, \"{{ params.x }}\", \"{{ args.b }}\"]\n",
        )],
    );
    assert_eq!(
        found.unwrap_err(),
        "RB0111 up.yaml:7:48 unknown key `b` in the arguments of `f.yaml` (known keys: `a`)
RB0201 f.yaml:5:25 unknown name `params.x` (names here start with `args`, `run`, `host`, `facts`, `steps`)
RB0201 f.yaml:5:43 unknown name `args.b` (`args` has `a`)
RB0112 up.yaml:8:9 `f.yaml` needs the argument `a` (write `with: { a: … }`)
"
    );
}

#[test]
fn includes_that_never_end_are_found() {
    let f = ("f.yaml", "steps: [include: g.yaml]\n");
    let g = ("g.yaml", "steps: [include: f.yaml]\n");
    assert_eq!(
        steps("{ include: f.yaml },", &[f, g]).unwrap_err(),
        "RB0313 g.yaml:3:18 the file includes itself: `up.yaml` → `f.yaml` → `g.yaml` → `f.yaml`\n"
    );
    // Twice ten times is a thousand; sixteen levels of four would be four thousand million.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    let fragments: Vec<(&'static str, String)> = names
        .windows(2)
        .map(|pair| (pair[0], format!("steps: [{}]\n", format!("include: {}, ", pair[1]).repeat(4))))
        .chain([("n", "steps: [command: [ls]]\n".to_owned())])
        .collect();
    let fragments: Vec<(&'static str, &str)> =
        fragments.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let found = steps("{ include: a },", &fragments).unwrap_err();
    assert!(found.contains("the runbook has more than 20000 steps"), "{found}");
    assert_eq!(found.lines().count(), 1);
}

#[test]
fn secrets_are_followed_through_arguments_of_fragments() {
    let text = format!(
        "{HEAD}secrets: {{ db: {{ env: DB }} }}
phases:
  - name: p
    hosts: all
    steps:
      - command: {{ argv: [cat], stdin: \"{{{{ secrets.db }}}}\" }}
      - copy: {{ dest: /etc/x, content: \"{{{{ secrets.db }}}}\" }}
      - include: {{ file: f.yaml, with: {{ password: \"{{{{ secrets.db }}}}\" }} }}
"
    );
    let found = read(
        &text,
        &[(
            "f.yaml",
            "args: { password: { type: string } }\nsteps:\n  - command: { argv: [cat], stdin: \"{{ args.password }}\" }\n  - command: [login, \"{{ args.password }}\"]\n",
        )],
    );
    assert_eq!(
        found.unwrap_err(),
        "RB0309 f.yaml:6:22 `argv` of `command` would show a secret to every user of the host \
         (pass it as `stdin` of a `command`, or write it to a file with `content` of `copy`)\n"
    );
}

#[test]
fn a_mistake_in_a_fragment_is_reported_once() {
    let found =
        steps("{ include: f.yaml },\n{ include: f.yaml },", &[("f.yaml", "steps: [{ comand: [ls] }]\n")]);
    assert_eq!(
        found.unwrap_err(),
        "RB0301 f.yaml:3:11 unknown step kind `comand` (did you mean `command`?)\n"
    );
}

#[test]
fn what_is_unheld_is_held_again() {
    for (text, expected) in [
        ("{ apt_mark: { unhold: [aa] } },\n{ apt_mark: { hold: [aa] } },", ""),
        ("{ apt_mark: { unhold: [aa] } },\n{ apt: { install: { aa: '1' }, hold: true } },", ""),
        ("{ apt_mark: { unhold: aa }, when: facts.systemd },\n{ apt_mark: { hold: [aa] } },", ""),
        (
            "{ apt_mark: { unhold: aa }, when: facts.systemd },\n{ apt_mark: { hold: [aa] }, when: facts.systemd },",
            "",
        ),
        (
            "{ apt_mark: { unhold: [aa, bb] } },\n{ apt_mark: { hold: [aa] } },",
            "RB0308 up.yaml:7:7 the package `bb` is unheld here and not held again in this phase \
             (add `apt_mark: { hold: [bb] }`, or install it with `apt: { install: …, hold: true }`)\n",
        ),
        (
            "{ apt_mark: { unhold: aa } },\n{ apt_mark: { hold: [aa] }, when: facts.systemd },",
            "RB0308 up.yaml:8:7 this step may not run although `unhold` did \
             (close without a condition; or put both and what stands between them into one `include` with this `when`, \
             which is decided once per host)\n",
        ),
        (
            "{ apt_mark: { unhold: aa } },\n{ apt: { install: { aa: '1' } } },",
            "RB0308 up.yaml:7:7 the package `aa` is unheld here and not held again in this phase \
             (add `apt_mark: { hold: [aa] }`, or install it with `apt: { install: …, hold: true }`)\n",
        ),
    ] {
        assert_eq!(steps(text, &[]).map_or_else(|found| found, |_| String::new()), expected, "{text}");
    }
}

#[test]
fn every_key_of_other_tools_is_answered() {
    use crate::source::codes::{HABIT, NOT_SUPPORTED_YET};
    for key in ["register", "delegate_to", "notify", "with_items", "ignore_errors", "become_user", "loop"] {
        let found = steps(&format!("{{ command: [ls], {key}: x }},"), &[]).unwrap_err();
        assert!(
            found.starts_with(&HABIT.to_string()) || found.starts_with(&NOT_SUPPORTED_YET.to_string()),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    for (kind, expected) in [
        ("ansible.builtin.service", "write `systemctl:`"),
        ("ansible.builtin.apt", "did you mean `apt`?"),
        ("shell", "write `command:`"),
        ("wait_for", "write `wait:`"),
    ] {
        let found = steps(&format!("{{ {kind}: x }},"), &[]).unwrap_err();
        assert!(found.contains(expected) && found.lines().count() == 1, "{found}");
    }
}

/// A default of the reference page is what leaving the key out means.
#[test]
fn defaults_of_the_tables_are_those_of_the_parser() {
    use super::common::RetryKeys;
    use super::tables::PHASE;
    use super::top::{Defaults, Kube, PolicyKeys};
    let written = |value: &str| value.trim_matches(['{', '}', ' ']).to_owned();
    let text = |phase: &str, rollout: &str, kube: &str, retry: &str, top: &str| {
        format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nkube: {{ via: cp, {kube} }}\n{top}phases:\n  \
             - {{ name: p, hosts: all, rollout: {{ {rollout} }}, {phase} steps: [{{ command: [ls], retry: {{ attempts: 2, {retry} }} }}] }}\n"
        )
    };
    let short = read(&text("", "", "", "", ""), &[]).unwrap();
    let top =
        format!("policy: {}\ndefaults: {}\n", PolicyKeys::table().defaults(), Defaults::table().defaults());
    let phase = format!("{}, ", written(&PHASE.defaults()));
    let long = text(
        &phase,
        &written(&super::phase::Rollout::table().defaults()),
        &written(&Kube::table().defaults()),
        &written(&RetryKeys::table().defaults()),
        &top,
    );
    let long = read(&long, &[]).unwrap();
    let shown = |runbook: &Runbook| {
        let kube = runbook.kube.as_ref().unwrap();
        let phase = &runbook.phases[0];
        let rollout = crate::runbook::RolloutSpec { span: None, ..phase.rollout.clone() };
        let step = &phase.steps[0];
        let timeout = &step.timeout.as_ref().unwrap().kind;
        format!(
            "{:?} {:?} {:?} {:?} {rollout:?} {:?} {:?} {timeout:?} {:?}",
            kube.request_timeout,
            kube.retry_for,
            kube.new_nodes,
            phase.mode,
            step.retry,
            step.r#become,
            runbook.policy
        )
    };
    assert_eq!(shown(&short), shown(&long));
}
