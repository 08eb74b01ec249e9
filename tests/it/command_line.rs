//! The command line as people and scripts meet it: exit codes, streams, help.

use super::support::rollbook::Rollbook;

const SHIPPED: [&str; 5] =
    ["runbooks/kubeadm-upgrade.yaml", "-i", "inventory.example.yaml", "-p", "target=1.31.4"];

fn with_shipped(verb: &str, more: &[&str]) -> Rollbook {
    Rollbook::new([verb].iter().chain(&SHIPPED).chain(more).copied())
}

#[test]
fn usage_errors_are_64_and_help_is_0() {
    Rollbook::new(["--help"]).run().exits(0).shows("Exit codes:");
    Rollbook::new(["--version"]).run().exits(0).shows("rollbook 0.");
    Rollbook::new(["fly"]).run().exits(64);
    Rollbook::new(["plan"]).run().exits(64);
    Rollbook::new(["plan", "x.yaml", "-i", "y.yaml", "-p", "novalue"]).run().exits(64).says("KEY=VALUE");
}

#[test]
fn an_unattended_run_without_yes_is_refused_before_anything_is_read() {
    with_shipped("run", &[]).run().exits(64).says("--yes");
}

#[test]
fn a_missing_file_is_the_controllers_own_trouble() {
    Rollbook::new(["validate", "nowhere.yaml"]).run().exits(1).says("cannot read nowhere.yaml");
}

#[test]
fn the_shipped_runbook_validates_against_the_shipped_inventory() {
    Rollbook::new([
        "validate",
        "runbooks/kubeadm-upgrade.yaml",
        "inventory.example.yaml",
        "-i",
        "inventory.example.yaml",
    ])
    .run()
    .exits(0)
    .says("no mistakes");
}

#[test]
fn an_offline_plan_touches_nothing_and_goes_to_stdout() {
    let plan = with_shipped("plan", &["--offline"]).run().exits(0);
    for expected in ["Phase 1/", "batch 1:", "max_unavailable 2", "Digest: sha256:"] {
        assert!(plan.stdout.contains(expected), "{expected:?} is missing:\n{}", plan.stdout);
    }
    let again = with_shipped("plan", &["--offline"]).run().exits(0);
    assert_eq!(plan.stdout, again.stdout, "the same input gives the same plan and digest");
}

#[test]
fn a_missing_parameter_is_named_with_an_example() {
    Rollbook::new(["plan", "runbooks/kubeadm-upgrade.yaml", "-i", "inventory.example.yaml", "--offline"])
        .run()
        .exits(65)
        .says("target");
}

#[test]
fn a_limit_that_leaves_no_host_is_65() {
    with_shipped("plan", &["--offline", "--limit", "workers & control_plane"]).run().exits(65);
    with_shipped("plan", &["--offline", "--limit", "nobody"]).run().exits(65).says("--limit");
}

#[test]
fn every_step_kind_has_a_page() {
    let list = Rollbook::new(["steps"]).run().exits(0);
    for line in list.stdout.lines() {
        let kind = line.split_whitespace().next().expect("a name");
        Rollbook::new(["steps", kind]).run().exits(0).shows("## Example");
    }
    Rollbook::new(["steps", "drian"]).run().exits(64).says("did you mean `drain`?");
}

#[test]
fn completions_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        Rollbook::new(["completions", shell]).run().exits(0).shows("rollbook");
    }
    Rollbook::new(["man"]).run().exits(0).shows(".TH rollbook");
}

#[test]
fn without_a_terminal_there_is_no_colour_even_when_things_go_wrong() {
    let outcome = Rollbook::new(["validate", "tests/it/cases/invalid/duplicate_key.yaml"]).run().exits(65);
    assert!(!outcome.stderr.contains('\u{1b}'), "{}", outcome.stderr);
}
