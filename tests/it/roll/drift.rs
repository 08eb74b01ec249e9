//! Hosts that are no longer what the plan saw: before a saved plan rolls, and before each host's first change.

use std::fs;

use rustix::process::Signal;

use super::fleet::Fleet;
use super::links::masters_of;
use crate::support::rollbook::Outcome;

/// A file on every host, which is absent when the plan is made, and a line in its log.
const STEPS: &str = r#"
- copy: { dest: "@{{ host.name }}.conf", content: "as planned\n", mode: "0644" }
- command: { argv: ["@work", "{{ host.name }}", a, "0"] }
  effect: changes
"#;

fn planned(hosts: usize) -> Fleet {
    let fleet = Fleet::of(hosts);
    fleet.runbook("", "batches: [1]", STEPS);
    fleet.rollbook("plan", &["-o", "up.plan.json"]).run().exits(0);
    fleet
}

fn run_plan(fleet: &Fleet) -> Outcome {
    fleet.rollbook_on("run", "up.plan.json", &["--yes", "--state-dir", "state"]).run()
}

#[test]
fn a_saved_plan_whose_host_has_changed_since_changes_nothing() {
    let fleet = planned(3);
    // The last of the order: the others could be changed before anybody looks at it.
    fleet.file("h3.conf", "by somebody else\n");
    let outcome = run_plan(&fleet).exits(13).says("h3: ").says("h3.conf").says("plan again");
    assert!(outcome.stderr.contains("the plan saw absent, now it is sha256 "), "{}", outcome.stderr);
    for host in 1..=3 {
        assert!(fleet.log(host).is_empty(), "h{host} was worked on");
    }
    assert!(!fleet.dir.path().join("h1.conf").exists());
    assert_eq!(fs::read_to_string(fleet.path("h3.conf")).unwrap(), "by somebody else\n");
    // It was not used: made right again, it is still good.
    fs::remove_file(fleet.path("h3.conf")).unwrap();
    run_plan(&fleet).exits(0);
}

#[test]
fn what_somebody_did_as_planned_is_no_drift() {
    let fleet = planned(2);
    fleet.file("h2.conf", "as planned\n");
    fs::set_permissions(fleet.path("h2.conf"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    run_plan(&fleet).exits(0);
    for host in 1..=2 {
        assert_eq!(fleet.steps(host), ["a begin", "a end"], "h{host}");
    }
}

#[test]
fn what_held_when_the_plan_was_made_must_still_hold() {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1]", STEPS);
    fleet.run(&[]).run().exits(0);
    fleet.rollbook("plan", &["-o", "up.plan.json"]).run().exits(0);
    fs::remove_file(fleet.path("h2.conf")).unwrap();
    let outcome = fleet.rollbook_on("run", "up.plan.json", &["--yes", "--state-dir", "other"]).run();
    outcome.exits(13).says("h2: ").says("not in the plan").says("h2.conf");
    assert!(!fleet.dir.path().join("h2.conf").exists());
}

#[test]
fn a_host_that_changes_while_others_are_worked_on_is_left_alone() {
    // Whether its first change is a small one or takes it out of service, and whichever of its tasks it concerns.
    let disrupting = format!("- command: {{ argv: [\"@work\", \"{{{{ host.name }}}}\", d, \"0\"] }}{STEPS}");
    for steps in [STEPS, &disrupting] {
        let fleet = Fleet::of(3);
        // Working on h1 changes h2, after both were looked at.
        fleet.file("meddle", "#!/bin/sh\n[ \"$1\" != h1 ] || echo other >\"$(dirname \"$0\")/h2.conf\"\n");
        let meddle = "- command: { argv: [\"@meddle\", \"{{ host.name }}\"] }\n  effect: changes\n";
        fleet.runbook("", "batches: [1]", &format!("{}\n{meddle}", steps.trim()));
        let outcome = fleet.run(&[]).run().exits(13).says("h2  failed").says("h2.conf");
        assert!(outcome.stderr.contains("the plan saw absent, now it is "), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("all hosts are in service"), "{}", outcome.stderr);
        assert!(!fleet.log(1).is_empty());
        for host in 2..=3 {
            assert!(fleet.log(host).is_empty(), "h{host} was worked on");
        }
        assert_eq!(fs::read_to_string(fleet.path("h2.conf")).unwrap(), "other\n");
    }
}

#[test]
fn what_the_run_itself_changed_on_a_host_is_no_drift() {
    let fleet = Fleet::of(1);
    fleet.file("meddle", "#!/bin/sh\necho other >\"$(dirname \"$0\")/h1.conf\"\n");
    let meddle = "- command: { argv: [\"@meddle\"] }\n  effect: changes\n";
    fleet.runbook("", "batches: [1]", &format!("{meddle}{}", STEPS.trim()));
    fleet.run(&[]).run().exits(0);
    assert_eq!(fs::read_to_string(fleet.path("h1.conf")).unwrap(), "as planned\n");
}

#[test]
fn what_the_plan_called_nothing_to_do_is_not_done_behind_a_change_either() {
    let fleet = Fleet::of(1);
    // It says that it only reads, and does not.
    fleet.file("meddle", "#!/bin/sh\necho other >\"$(dirname \"$0\")/h1.conf\"\n");
    let first = "- copy: { dest: \"@first.conf\", content: new }\n";
    let meddle = "- command: { argv: [\"@meddle\"] }\n  effect: reads\n";
    fleet.file("h1.conf", "as planned\n");
    fs::set_permissions(fleet.path("h1.conf"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fleet.runbook("", "batches: [1]", &format!("{first}{meddle}{}", STEPS.trim()));
    let outcome = fleet.run(&[]).run().exits(11).says("which is not in the plan").says("plan again");
    assert!(outcome.stderr.contains("nothing of this step was sent"), "{}", outcome.stderr);
    assert!(fleet.log(1).is_empty(), "what comes behind it was done");
    assert_eq!(fs::read_to_string(fleet.path("h1.conf")).unwrap(), "other\n");
}

#[test]
fn another_machine_behind_a_planned_name_is_not_touched() {
    let fleet = planned(3);
    let old = fleet.hosts[2].become_another_machine();
    let outcome = run_plan(&fleet).exits(13).says("h3 is another machine than the plan saw");
    assert!(outcome.stderr.contains(&old), "the planned machine id is not named: {}", outcome.stderr);
    for host in 1..=3 {
        assert!(fleet.log(host).is_empty(), "h{host} was worked on");
    }
}

#[test]
fn a_machine_that_was_swapped_under_a_lost_link_is_not_touched() {
    let fleet = Fleet::of(2);
    fleet.file(
        "go",
        "#!/bin/sh\n\"$(dirname \"$0\")/work\" \"$@\"\n[ $1 != h1 ] || cat \"$(dirname \"$0\")/gate\"\n",
    );
    fleet.fifo("gate");
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@go\", \"{{ host.name }}\", a, \"0\"] }");
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 2);
    // h1 is in the middle of its work, h2 was connected to for the plan.
    fleet.hosts[1].become_another_machine();
    for master in masters_of(&fleet) {
        rustix::process::kill_process(master, Signal::KILL).unwrap();
    }
    fs::write(fleet.path("gate"), "").unwrap();
    running.end().exits(13).says("h2 is another machine than the plan saw");
    assert_eq!(fleet.steps(1), ["a begin", "a end"]);
    assert!(fleet.log(2).is_empty());
}

#[test]
fn two_names_of_one_machine_are_refused() {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1]", STEPS);
    fs::copy(fleet.hosts[0].path("machine-id"), fleet.hosts[1].path("machine-id")).unwrap();
    fleet.run(&[]).run().exits(65).says("`h1` and `h2` are one machine");
    for host in 1..=2 {
        assert!(fleet.log(host).is_empty(), "h{host} was worked on");
    }
}

/// Steps that a fact of the host decides.
const BY_FACTS: &str = r#"
- assert: { that: facts.swap_total == 0, message: swap is on }
- command: { argv: ["@work", "{{ host.name }}", a, "0"] }
  effect: changes
"#;

#[test]
fn what_facts_decided_must_still_be_so_when_a_saved_plan_rolls() {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1]", BY_FACTS);
    fleet.rollbook("plan", &["-o", "up.plan.json"]).run().exits(0);
    fleet.hosts[1].swap(true);
    run_plan(&fleet).exits(13).says("h2: ").says("`facts.swap_total == 0` was true").says("plan again");
    for host in 1..=2 {
        assert!(fleet.log(host).is_empty(), "h{host} was worked on");
    }
    // Made right again, the plan is still good.
    fleet.hosts[1].swap(false);
    run_plan(&fleet).exits(0);
    // Whatever has changed since, it was used.
    fleet.hosts[1].swap(true);
    run_plan(&fleet).exits(14).says("was run already");
}

#[test]
fn a_step_that_facts_left_out_is_not_left_out_when_they_are_others() {
    let steps = BY_FACTS.replace("- assert: { that: facts.swap_total == 0, message: swap is on }\n", "");
    let fleet = Fleet::of(1);
    fleet.runbook(
        "",
        "batches: [1]",
        &format!("{}\n  when: facts.swap_total > 0\n{}", steps.trim(), steps.trim()),
    );
    fleet.rollbook("plan", &["-o", "up.plan.json"]).run().exits(0);
    fleet.hosts[0].swap(true);
    run_plan(&fleet).exits(13).says("its `when` was false when the plan was made, and is true now");
    assert!(fleet.log(1).is_empty());
}

#[test]
fn a_host_whose_facts_change_while_others_are_worked_on_is_left_alone() {
    let fleet = Fleet::of(2);
    // Working on h1 gives h2 swap.
    let swaps = fleet.hosts[1].path("swaps");
    fleet.file(
        "meddle",
        &format!("#!/bin/sh\n[ \"$1\" != h1 ] || echo '/swapfile file 1048572 0 -2' >>{}\n", swaps.display()),
    );
    let meddle = "- command: { argv: [\"@meddle\", \"{{ host.name }}\"] }\n  effect: changes\n";
    fleet.runbook("", "batches: [1]", &format!("{}\n{meddle}", BY_FACTS.trim()));
    fleet.run(&[]).run().exits(13).says("h2  failed").says("`facts.swap_total == 0` was true");
    assert!(!fleet.log(1).is_empty());
    assert!(fleet.log(2).is_empty(), "h2 was worked on");
}
