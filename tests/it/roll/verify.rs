//! Commands in `verify` on real hosts: they run after every batch, and how they end decides.

use std::fs;

use super::fleet::Fleet;
use super::undo::Nodes;

const WORK: &str = "- command: { argv: [\"@work\", \"{{ host.name }}\", work, \"0\"] }\n";
const DONE: [&str; 2] = ["work begin", "work end"];

/// Two hosts one after the other, with this check between them. `check` notes that it was asked, and ends as `ends` says.
fn checked(check: &str) -> Fleet {
    let fleet = Fleet::of(2);
    fleet.file(
        "check",
        "#!/bin/sh\ndir=$(dirname \"$0\")\necho \"$1 $GREETING $(cat)\" >>\"$dir/asked\"\n\
         echo looked\necho latency is up >&2\nexit \"$(wc -l <\"$dir/asked\" | xargs -I{} sed -n {}p \"$dir/ends\")\"\n",
    );
    fleet.runbook("", &format!("batches: [1], verify: [{check}]"), WORK);
    fleet
}

/// What the check was asked with, one text for each time.
fn asked(fleet: &Fleet) -> Vec<String> {
    let text = fs::read_to_string(fleet.path("asked")).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

const CHECK: &str =
    "{ command: { argv: ['@check', now], stdin: all }, env: { GREETING: hello }, effect: reads }";

#[test]
fn a_command_in_verify_runs_after_every_batch_and_its_exit_code_decides() {
    let fleet = checked(CHECK);
    fleet.file("ends", "0\n0\n");
    fleet.run(&[]).run().exits(0);
    assert_eq!(asked(&fleet), ["now hello all"; 2]);
    assert_eq!((fleet.steps(1).len(), fleet.steps(2).len()), (2, 2));

    let fleet = checked(CHECK);
    fleet.file("ends", "3\n0\n");
    fleet.run(&[]).run().exits(10).says("exit code 3: latency is up");
    assert_eq!(asked(&fleet).len(), 1);
    assert_eq!(fleet.steps(1), DONE);
    assert!(fleet.steps(2).is_empty(), "a red check keeps the next batch from starting");
}

#[test]
fn a_command_in_verify_that_cannot_be_found_is_red() {
    let fleet = checked("{ command: [no-such-program-here], effect: reads }");
    fleet.run(&[]).run().exits(10).says("exit code 127");
    assert!(fleet.steps(2).is_empty());
}

#[test]
fn a_check_is_tried_as_often_as_it_says_and_judged_by_its_own_words() {
    let retried = checked(&CHECK.replace("effect", "retry: { attempts: 3, delay: 1s }, effect"));
    retried.file("ends", "1\n1\n0\n1\n0\n");
    retried.run(&[]).run().exits(0);
    assert_eq!(asked(&retried).len(), 5);

    let judged = checked(&CHECK.replace("effect", "fail_when: \"'up' in result.stderr\", effect"));
    judged.file("ends", "0\n");
    judged.run(&[]).run().exits(10).says("`fail_when: 'up' in result.stderr` holds");

    let script = checked("{ script: \"test -e @never || { echo no such file; exit 4; }\", effect: reads }");
    script.run(&[]).run().exits(10).says("exit code 4: no such file");

    let asked_first = checked(&CHECK.replace("stdin", "unless: ['true'], stdin"));
    asked_first.file("ends", "3\n");
    asked_first.run(&[]).run().exits(0);
    assert!(asked(&asked_first).is_empty(), "`unless` says that it need not run");
    let asked_first = checked(&CHECK.replace("stdin", "unless: ['false'], stdin"));
    asked_first.file("ends", "3\n");
    asked_first.run(&[]).run().exits(10).says("exit code 3");
}

#[test]
fn a_gate_looks_with_a_command_until_it_ends_well() {
    let fleet = checked("");
    fleet.runbook("", &format!("batches: [1], gate: {{ check: {CHECK}, for: 1h }}"), WORK);
    fleet.file("ends", "1\n0\n");
    fleet.run(&[]).run().exits(0).says("exit code 1: latency is up");
    assert_eq!(asked(&fleet).len(), 2);
    assert_eq!(fleet.steps(2), DONE);
}

/// A cluster whose API server would be waited for, and a command beside kubectl that prints what kubectl does when there
/// is none.
fn beside_kubectl(rollout: &str, steps: &str) -> Nodes {
    let nodes = Nodes::of(1);
    nodes.fleet.file(
        "check",
        "#!/bin/sh\necho asked >>\"$(dirname \"$0\")/asked\"\n\
         echo 'dial tcp 10.0.0.9:9090: connect: connection refused' >&2\nexit 1\n",
    );
    let top = "kube: { via: controller, retry_for: 4s }\npolicy: { lock: { scope: none } }";
    nodes.fleet.runbook(top, &format!("batches: [1]{rollout}"), steps);
    nodes
}

#[test]
fn what_a_command_beside_kubectl_prints_says_nothing_of_the_api_server() {
    let check = "command: ['@check'], run_on: kube, effect: reads";
    let retried = format!("{check}, retry: {{ attempts: 2, delay: 1s }}");
    for (rollout, steps, times, code) in [
        (format!(", verify: [{{ {check} }}]"), WORK.to_owned(), 1, 10),
        (format!(", verify: [{{ {retried} }}]"), WORK.to_owned(), 2, 10),
        (String::new(), format!("- {{ {check} }}\n"), 1, 10),
        (String::new(), format!("- {{ {} }}\n", check.replace("reads", "changes")), 1, 11),
    ] {
        let nodes = beside_kubectl(&rollout, &steps);
        let run = nodes.run(&[]).run().exits(code).says("exit code 1: dial tcp 10.0.0.9:9090");
        assert!(!run.stderr.contains("does not answer"), "{}", run.stderr);
        assert_eq!(asked(&nodes.fleet).len(), times, "{rollout} {steps}");
    }
}

#[test]
fn nor_does_what_a_guard_beside_kubectl_prints() {
    for place in ["", ", run_on: kube"] {
        let step = format!("- {{ command: {{ argv: ['@work', h1, a, '0'], unless: ['@check'] }}{place} }}\n");
        let nodes = beside_kubectl("", &step);
        let run = nodes.run(&[]).run().exits(0);
        assert!(!run.stderr.contains("does not answer"), "{}", run.stderr);
        assert_eq!(nodes.fleet.steps(1), ["a begin", "a end"]);
    }
}
