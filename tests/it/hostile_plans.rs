//! Plans that somebody edited and gave a digest that fits: numbers that name nothing are refused where the plan is read,
//! and whatever is read is shown, compared and rolled to an end, without a panic.

use rollbook::plan::show::{Detail, PlanStyle, SavedError, bytes, diff, markdown, open, saved, text};
use rollbook::plan::{Expected, Plan, StepTimes};
use rollbook::value::Duration;
use serde_json::{Value, json};

use super::support::cluster::{Cluster, story};
use super::support::rollbook::Rollbook;

/// A runbook with all that has numbers: brackets, ties, sections, gates, deferred and frozen steps.
const ALL: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
defaults: { become: true }
phases:
  - name: workers
    hosts: workers
    rollout:
      batches: [1]
      gate: { after: each, check: { wait: { node: ready } }, for: 1m }
      topology: { key: role, max_domains: 1 }
      verify:
        - wait: { node: ready }
    steps:
      - id: look
        command: { argv: ["true"] }
        effect: reads
        retry: { attempts: 2, delay: 1s }
      - drain: { delete_emptydir_data: true, reason: caches only }
        when: steps.look.rc == 0
      - command: { argv: [systemctl, restart, kubelet] }
        when: steps.look.rc == 0
      - command: { argv: ["true"] }
        effect: changes
        when: facts.os != 'none'
      - uncordon: {}
        when: steps.look.rc == 0
    rescue:
      steps:
        - command: { argv: ["true"] }
          effect: changes
    always:
      - command: { argv: ["true"] }
        effect: changes
"#;

/// The pointers of every number of a plan.
fn numbers(value: &Value, at: &str, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Number(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            (0..)
                .zip(items)
                .for_each(|(index, item): (usize, _)| numbers(item, &format!("{at}/{index}"), found));
        }
        Value::Object(entries) => {
            entries.iter().for_each(|(key, item)| numbers(item, &format!("{at}/{}", escaped(key)), found));
        }
        _ => {}
    }
}

/// All that is shown of a plan.
fn looked_at(plan: &Plan) -> String {
    let (digest, expected) = ("sha256:test", Expected::of(plan, &StepTimes::default(), None));
    let mut all = diff(plan, plan);
    for detail in [Detail::Normal, Detail::Verbose] {
        all += &text(plan, digest, PlanStyle { detail, color: false }, &expected);
        all += &markdown(plan, digest, detail, &expected);
    }
    all
}

/// The pointers of every text of a plan.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| texts(item, &format!("{at}/{index}"), found));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, item)| {
            texts(item, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
}

#[test]
fn no_difference_of_two_plans_hides_behind_another() {
    let body = serde_json::to_value(planned()).unwrap();
    let mut all = Vec::new();
    numbers(&body, "", &mut all);
    texts(&body, "", &mut all);
    let read = |body: &Value| open(&saved(&serde_json::to_vec(body).unwrap())).map(|read| read.plan);
    let old = read(&body).unwrap();
    // What everybody sees: the first step of every host, and the plan's name.
    let mut seen = body.clone();
    seen["runbook"] = json!("another");
    seen["actions"][0]["title"] = json!("look at it");
    let plainly = diff(&old, &read(&seen).unwrap());
    assert!(plainly.contains("look at it") && plainly.contains("another"), "{plainly}");
    let (mut compared, mut hidden) = (0, Vec::new());
    // The action behind it is the same one, written elsewhere.
    let is_same =
        |pointer: &&String| !pointer.ends_with("/5/step/action") && *pointer != "/phases/0/verify/0";
    for pointer in all.iter().filter(is_same) {
        let mut other = seen.clone();
        let part = other.pointer_mut(pointer).unwrap();
        *part =
            part.as_u64().map_or_else(|| json!(format!("{}x", part.as_str().unwrap())), |is| json!(is + 1));
        let Ok(other) = read(&other) else { continue };
        compared += 1;
        let told = diff(&old, &other);
        assert!(!told.contains("lowered.") && !told.contains("[0]."), "{pointer}: {told}");
        if told == plainly {
            hidden.push(pointer.as_str());
        }
    }
    assert!(compared > 150, "{compared}");
    assert!(hidden.is_empty(), "{hidden:#?}");
}

/// What a terminal obeys, and a line that looks like one of ours.
const OBEYED: &str = "x\nDigest: sha256:forged\u{1b}[2J\u{1b}[31m\r";

#[test]
fn no_text_of_a_plan_reaches_a_terminal_as_a_command() {
    let body = serde_json::to_value(planned()).unwrap();
    let mut all = Vec::new();
    texts(&body, "", &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let mut shown = 0;
    for pointer in &all {
        let said = match open(&with(&body, pointer, &json!(OBEYED))) {
            Ok(read) => looked_at(&read.plan),
            Err(error) => error.to_string(),
        };
        shown += usize::from(said.contains("\\u{1b}[2J"));
        assert!(!said.contains(['\u{1b}', '\r']), "{pointer}: {said}");
        assert!(!said.contains("\nDigest: sha256:forged"), "{pointer}: {said}");
    }
    assert!(shown > 50, "{shown}");
}

#[test]
fn a_terminal_gets_no_command_from_a_saved_plan() {
    let dir = tempfile::tempdir().unwrap();
    let body = serde_json::to_value(planned()).unwrap();
    let path = dir.path().join("plan.json");
    let path = path.to_str().unwrap();
    for pointer in [
        "/runbook",
        "/inventory",
        "/phases/0/name",
        "/actions/0/title",
        "/hosts/0/machine_id",
        "/hosts/0/address",
    ] {
        std::fs::write(path, with(&body, pointer, &json!(OBEYED))).unwrap();
        for args in
            [&["plan", path][..], &["plan", path, "-v"], &["run", path], &["plan", path, "--diff", path]]
        {
            let outcome = Rollbook::new(args.iter().copied()).run();
            let said = outcome.stdout + &outcome.stderr;
            assert!(!said.contains(['\u{1b}', '\r']), "{pointer}: {args:?}: {said}");
            assert!(!said.contains("\nDigest: sha256:forged"), "{pointer}: {args:?}: {said}");
        }
    }
    for file in ["{\"digest\":\"\\u001b[2J\",\"plan\":{}}", "{\"a\":\u{1b}[2J}"] {
        std::fs::write(path, file).unwrap();
        let outcome = Rollbook::new(["plan", path]).run().exits(65);
        assert!(!outcome.stderr.contains('\u{1b}'), "{}", outcome.stderr);
    }
}

fn with(body: &Value, pointer: &str, number: &Value) -> Vec<u8> {
    let mut body = body.clone();
    body.pointer_mut(pointer).unwrap().clone_from(number);
    saved(&serde_json::to_vec(&body).unwrap())
}

fn planned() -> Plan {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async { cluster.plan_of(ALL, &[]).await.unwrap() })
}

#[test]
fn every_number_of_a_plan_may_be_another_and_nothing_panics() {
    let plan = planned();
    let body = serde_json::to_value(&plan).unwrap();
    let mut all = Vec::new();
    numbers(&body, "", &mut all);
    assert!(all.len() > 60, "{}", all.len());
    let mut refused = 0;
    for pointer in &all {
        let is = body.pointer(pointer).unwrap().as_u64().unwrap();
        for number in [
            json!(0),
            json!(is + 1),
            json!(is + 2),
            json!(0xffff),
            json!(u32::MAX),
            json!(u64::MAX),
            json!(-1),
            json!(1.5),
        ] {
            let file = with(&body, pointer, &number);
            match open(&file) {
                Ok(read) => drop(looked_at(&read.plan)),
                Err(SavedError::NotAPlan(why)) => {
                    refused += 1;
                    assert!(!why.is_empty());
                }
                Err(error) => panic!("{pointer}: {number}: {error}"),
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn what_is_read_of_such_a_plan_is_rolled_to_an_end() {
    let body = serde_json::to_value(planned()).unwrap();
    let mut all = Vec::new();
    numbers(&body, "", &mut all);
    for pointer in &all {
        let is = body.pointer(pointer).unwrap().as_u64().unwrap();
        for number in [json!(0), json!(is + 1)] {
            let Ok(read) = open(&with(&body, pointer, &number)) else { continue };
            let mut cluster = Cluster::new(1, 2, "1.30.0");
            println!("{pointer}: {number}");
            story(async { cluster.rolls(read.plan).await });
        }
    }
}

/// Where it stands, what stands there, and what is said of it.
type Row = (&'static str, Value, &'static str);

#[test]
fn a_number_that_names_nothing_is_refused_at_its_place() {
    let plan = planned();
    let body = serde_json::to_value(&plan).unwrap();
    assert!(open(&saved(&bytes(&plan))).is_ok());
    let rows: &[Row] = &[
        ("/phases/0/population/0", json!(9), "phases[0].population: there is no host 9, only 3"),
        ("/phases/0/population/0", json!(2), "phases[0].population: host 2 is named twice"),
        ("/phases/0/batches/0/0", json!(2), "phases[0].batches: host 2 is named twice"),
        ("/phases/0/batches/0", json!([]), "phases[0].batches: [0] has no host"),
        ("/phases/0/batches/0/0", json!(0), "phases[0].batches: the phase has no tasks for host 0"),
        ("/phases/0/hosts/0/host", json!(2), "phases[0].hosts: they are not in order, each once"),
        (
            "/phases/0/hosts/0/tasks/0/step",
            json!({ "action": 99 }),
            "phases[0].hosts[0].tasks[0].step: there is no action 99",
        ),
        ("/phases/0/hosts/0/tasks/0/step", json!({ "deferred": 99 }), "there is no deferred step 99"),
        ("/phases/0/hosts/0/tasks/0/frozen", json!(99), "tasks[0].frozen: there is no frozen step 99"),
        (
            "/phases/0/hosts/0/tasks/0/ties",
            json!({ "closes": [0] }),
            "tasks[0].ties.closes: task 0 does not stand before it",
        ),
        ("/phases/0/hosts/0/tasks/0/ties", json!({ "apart_from": [3] }), "task 3 does not stand before it"),
        (
            "/phases/0/hosts/0/brackets",
            json!([{ "key": "cordon", "first": 3, "last": 1 }]),
            "phases[0].hosts[0].brackets[0]: from task 3 to task 1",
        ),
        (
            "/phases/0/hosts/0/brackets",
            json!([{ "key": "cordon", "first": 0, "last": 65535 }]),
            "from task 0 to task 65535",
        ),
        ("/phases/0/hosts/0/sections/rescue", json!(999), "phases[0].hosts[0].sections: 999 and "),
        ("/phases/0/verify/0", json!(99), "phases[0].verify: there is no action 99"),
        ("/phases/0/topology/domains/worker/0", json!(99), "phases[0].topology: there is no host 99"),
        ("/phases/0/topology/max_domains", json!(0), "phases[0].topology: `max_domains` is 0"),
        ("/phases/0/gate/opens/check/action", json!(99), "phases[0].gate: there is no action 99"),
        ("/phases/0/rollout/parallel", json!(0), "`parallel` is 0, so that no host could begin"),
        ("/kube/hosts/0", json!(99), "kube.hosts: there is no host 99, only 3"),
        ("/actions/0/kind", json!("drian"), "there is no step kind `drian`"),
        ("/hosts/0/name", json!("w1"), "hosts: two hosts are called w1"),
    ];
    for (pointer, value, told) in rows {
        let mut body = body.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(parent).unwrap() {
            Value::Object(entries) => drop(entries.insert(key.to_owned(), value.clone())),
            list => list[key.parse::<usize>().unwrap()] = value.clone(),
        }
        let error = open(&saved(&serde_json::to_vec(&body).unwrap())).expect_err(pointer).to_string();
        assert!(error.contains(told), "{pointer}: {error}");
    }
}

#[test]
fn such_a_plan_is_an_error_of_the_input_for_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let body = serde_json::to_value(planned()).unwrap();
    let path = dir.path().join("plan.json");
    let path = path.to_str().unwrap();
    for (pointer, number) in [("/phases/0/batches/0/0", 77), ("/phases/0/hosts/1/host", 65_536)] {
        std::fs::write(path, with(&body, pointer, &json!(number))).unwrap();
        for args in [&["plan", path][..], &["plan", path, "--diff", path], &["run", path, "--yes"]] {
            let outcome = Rollbook::new(args.iter().copied()).run().exits(65);
            assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn the_longest_times_come_to_a_sum_and_a_rehearsal_to_an_end() {
    let year = Duration::LONGEST;
    assert!(year.saturating_mul(u64::MAX).saturating_add(year) > year);
    let body = serde_json::to_value(planned()).unwrap();
    let mut all = Vec::new();
    numbers(&body, "", &mut all);
    let mut longest = body.clone();
    for pointer in all
        .iter()
        .filter(|pointer| ["/timeout", "/within", "/delay", "/soak"].iter().any(|end| pointer.ends_with(end)))
    {
        *longest.pointer_mut(pointer).unwrap() = json!(u64::MAX);
    }
    let plan = open(&saved(&serde_json::to_vec(&longest).unwrap())).unwrap().plan;
    assert!(
        looked_at(&plan).contains("at most 36500d") || looked_at(&plan).contains("36500d"),
        "{}",
        looked_at(&plan)
    );
}
