//! What a rehearsal tells beside what comes of it: what people would have been asked, secrets that
//! nobody finds, and where the cluster begins.

use super::support::rollbook::Rollbook;
use super::unknown::rehearse;

const TWO: &str = "phases:\n  - name: own\n    hosts: w1 | w2\n    rollout: { batches: [1], gate: { approve: Is it good? } }\n    \
                   steps:\n      - pause: { manual: look at the dashboards }\n      \
                   - { command: { argv: [foo] }, effect: changes }\n";

#[test]
fn a_fault_that_never_struck_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = "faults: [{ fault: link_lost, host: w1, after: 20h }]\nexpect: { exit: 0 }\n";
    let outcome = rehearse(dir.path(), TWO, Some(scenario), &["--quiet"]);
    outcome.says("faults: `link_lost` at sc.yaml:6:19 never struck");
}

#[test]
fn what_people_would_have_been_asked_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = rehearse(dir.path(), TWO, None, &["--quiet"]).exits(0);
    outcome
        .says("A person would have been asked:\n")
        .says("look at the dashboards: approved by the rehearsal");
}

#[test]
fn a_secret_that_nobody_finds_is_told_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let phases = "secrets: { token: { env: ROLLBOOK_TEST_NO_SUCH_TOKEN } }\nphases:\n  - name: own\n    hosts: w1\n    steps:\n      \
                  - { copy: { content: \"{{ secrets.token }}\", dest: /etc/token, mode: \"0600\" } }\n";
    let why = "the environment variable `ROLLBOOK_TEST_NO_SUCH_TOKEN` is not set, and `";
    rehearse(dir.path(), phases, None, &["--quiet"]).exits(0).says(why);
    let plan = ["plan", "rb.yaml", "-i", "inv.yaml", "--offline"];
    Rollbook::new(plan).dir(dir.path()).run().exits(0).says(&format!("warning: secret `token`: {why}"));
}

#[test]
fn a_rehearsal_of_a_patch_begins_below_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let (runbook, inventory) =
        (format!("{root}/runbooks/kubelet-patch.yaml"), format!("{root}/inventory.example.yaml"));
    let args = ["rehearse", &runbook, "-i", &inventory, "-q", "-p", "target=1.31.4", "-p", "previous=1.31.3"];
    Rollbook::new(args).dir(dir.path()).run().exits(0).says("3 at 1.31.3, 14 at 1.31.4");
}

#[test]
fn a_recording_that_cannot_be_read_is_told_like_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = rehearse(dir.path(), TWO, None, &["--from", "/nonexistent"]);
    outcome.exits(1).says("cannot read /nonexistent");
}

#[test]
fn a_start_that_nobody_stated_is_an_assumption() {
    let dir = tempfile::tempdir().unwrap();
    let phases = format!("kube: {{ via: cp1 }}\n{TWO}");
    let assumed = "the nodes start at Kubernetes 1.30.0: `--kubernetes` says otherwise (on 6 hosts)";
    rehearse(dir.path(), &phases, None, &["--quiet"]).exits(0).says(assumed);
    let stated = rehearse(dir.path(), &phases, None, &["--quiet", "--kubernetes", "1.30.0"]).exits(0);
    assert!(!stated.stderr.contains("the nodes start at"), "{}", stated.stderr);
    let stated = rehearse(dir.path(), &phases, Some("kubernetes: 1.30.0\n"), &["--quiet"]).exits(0);
    assert!(!stated.stderr.contains("the nodes start at"), "{}", stated.stderr);
}

#[test]
fn a_rehearsal_of_long_waits_is_stopped_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let says = "the rehearsal was stopped: it simulates 30d at most, and the run is not over by then";
    let phases =
        |head: &str, steps: &str| format!("{head}phases: [{{ name: p, hosts: w1, steps: [{steps}] }}]\n");
    for step in ["{ pause: { for: 60d } }", "{ wait: { port: 22, for: 300d, stable_for: 200d } }"] {
        rehearse(dir.path(), &phases("", step), None, &["--quiet"]).exits(10).says(says);
    }
    let month = phases("", "{ pause: { for: 29d } }");
    rehearse(dir.path(), &month, None, &["--quiet"]).exits(0);
    // What a scenario expects does not make it an end. With a lock that is renewed, and a drain that tries again.
    let drained = phases("kube: { via: cp1 }\n", "{ drain: { timeout: 300d } }, { uncordon: {} }");
    let blocked = "faults: [{ fault: budget_blocks, host: w1, after_event: 0 }]\nexpect: { exit: 10 }\n";
    rehearse(dir.path(), &drained, Some(blocked), &["--help"]).exits(0);
    let checked = Rollbook::new(["rehearse", "--check", "sc.yaml"]).dir(dir.path()).run().exits(10);
    assert!(checked.stdout.contains(&format!("        {says}")), "{}", checked.stdout);
}
