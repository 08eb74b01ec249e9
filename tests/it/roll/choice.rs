//! `--only` and `--skip` on real hosts: what is left out is not sent, a saved plan and a resumed run keep to the choice.

use super::fleet::Fleet;

const STEPS: &str = r#"
- command: { argv: ["@work", "{{ host.name }}", first, "0"] }
  id: first
  tags: base
- pause: { manual: look at it }
- command: { argv: ["@work", "{{ host.name }}", "{{ each }}", "0"] }
  tags: [base, loop]
  for_each: [a, b]
- command: { argv: ["@work", "{{ host.name }}", last, "0"] }
  id: last
"#;

fn fleet() -> Fleet {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1]", STEPS);
    fleet
}

fn begun(fleet: &Fleet, host: usize) -> Vec<String> {
    fleet.log(host).into_iter().filter(|line| line.begins).map(|line| line.step).collect()
}

#[test]
fn what_is_left_out_is_not_sent_and_said_to_be_left_out() {
    let fleet = fleet();
    fleet
        .run(&["--only", "last,first", "--skip", "first", "--verbose"])
        .run()
        .exits(15)
        .says("skipped: left out by --skip first");
    assert!(begun(&fleet, 1).is_empty(), "a pause that stands in front stays");
    let fleet = self::fleet();
    fleet.run(&["--only", "first"]).run().exits(0).says("a part of the runbook: --only first");
    assert_eq!((begun(&fleet, 1), begun(&fleet, 2)), (vec!["first".to_owned()], vec!["first".to_owned()]));
}

#[test]
fn a_saved_plan_and_a_resumed_run_keep_to_the_choice() {
    let fleet = fleet();
    fleet.rollbook("plan", &["--only", "loop", "-o", "loop.plan.json"]).run().exits(0);
    let saved = |more: &[&str]| {
        fleet.rollbook_on("run", "loop.plan.json", &[&["--yes", "--state-dir", "state"], more].concat()).run()
    };
    saved(&["--only", "first"]).exits(64);
    saved(&[]).exits(15).says("PAUSED: h1: look at it");
    // What the runbook says by now is nobody's business.
    fleet.runbook("", "", "- command: [rm, -rf, /nowhere]\n");
    let resume = || fleet.rollbook_on("resume", "--state-dir=state", &["--approve"]).run();
    resume().exits(15).says("PAUSED: h2");
    resume().exits(0);
    assert_eq!(
        (begun(&fleet, 1), begun(&fleet, 2)),
        (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned(), "b".to_owned()])
    );
    fleet.rollbook_on("resume", "--state-dir=state", &["--only", "first"]).run().exits(64);
}
