//! `rollbook doctor` on real sshds, and with the real kubectl.

use std::fs;
use std::process::Command;

use super::fleet::Fleet;
use crate::support::apiserver::ApiServer;
use crate::support::rollbook::Outcome;
use crate::support::sshd::User;

fn doctor(fleet: &Fleet, more: &[&str]) -> Outcome {
    fleet.rollbook_on("doctor", "all", &[&["-i", "inventory.yaml"], more].concat()).run()
}

#[test]
fn each_host_is_told_with_what_is_wrong_with_it() {
    let mut fleet = Fleet::of(3);
    // Two with one machine id, and one that nobody can reach.
    fs::copy(fleet.hosts[0].path("machine-id"), fleet.hosts[1].path("machine-id")).unwrap();
    fleet.hosts[2].port = 1;
    fleet.write_inventory();
    let told = doctor(&fleet, &[]).exits(10);
    for words in
        ["h1  ", "has the machine id of h2", "h2  ", "has the machine id of h1", "h3  cannot reach h3"]
    {
        assert!(told.stdout.contains(words), "{words:?} is missing in\n{}", told.stdout);
    }
    let told = fleet.rollbook_on("doctor", "h3", &["-i", "inventory.yaml"]).run().exits(12);
    assert!(!told.stdout.contains("h1"), "{}", told.stdout);
}

#[test]
fn what_works_here_may_not_work_in_cron() {
    let fleet = Fleet::of(1);
    doctor(&fleet, &["--as-cron"]).exits(0);
    // From now on only an agent has the key, and cron has no agent.
    let key = fleet.hosts[0].path("user_key");
    let named = format!("identity_file: {}, ", key.display());
    let inventory = fs::read_to_string(fleet.path("inventory.yaml")).unwrap();
    assert!(inventory.contains(&named), "{inventory}");
    fleet.file("inventory.yaml", &inventory.replace(&named, ""));
    let script = format!(
        "ssh-add -q {key} && cd {dir} || exit 1\n\
         {rollbook} doctor -i inventory.yaml; echo \"by hand: $?\"\n\
         {rollbook} doctor -i inventory.yaml --as-cron; echo \"as cron: $?\"\n",
        key = key.display(),
        dir = fleet.dir.path().display(),
        rollbook = env!("CARGO_BIN_EXE_rollbook"),
    );
    let output = Command::new("ssh-agent").args(["sh", "-c", &script]).output().unwrap();
    Outcome::from(output)
        .exits(0)
        .shows("\nby hand: 0\n")
        .shows("\nh1  h1 does not let us in")
        .shows("as cron: 12\n");
}

#[test]
fn kubectl_is_tried_where_it_will_run() {
    let (fleet, api) = (Fleet::of(2), ApiServer::start());
    let file = fleet.dir.path().join("kubeconfig");
    api.write_kubeconfig(&file);
    for via in ["controller", "h1"] {
        let cluster = ["--via", via, "--kubeconfig", file.to_str().unwrap()];
        let line = if via == "h1" { "h1  " } else { "kubectl on this machine  " };
        doctor(&fleet, &cluster).exits(0).shows(line);
        api.deny(Some(("create", "pods/eviction")));
        let denied = "kubectl may not do what a roll needs: create pods/eviction";
        doctor(&fleet, &cluster).exits(10).shows(line).shows(denied);
        api.deny(None);
    }
    let elsewhere = ["-i", "inventory.yaml", "--via", "h1"];
    fleet
        .rollbook_on("doctor", "h2", &elsewhere)
        .run()
        .exits(0)
        .shows("kubectl  note: not tried: it runs on h1");
    doctor(&fleet, &["--via", "controller", "--kubeconfig", "/nowhere"]).exits(10).shows("kubeconfig");
}

#[test]
fn a_plan_refuses_what_doctor_knows_of_root() {
    let mut fleet = Fleet::of(1);
    let user = User::make("/bin/sh", "dash", false);
    fleet.connection = format!(", connect_timeout: 5s, user: {}", user.name);
    let step = "- command: [date]\n  effect: changes";
    for (r#become, needs_root, code) in [("sudo", true, 12), ("none", true, 12), ("sudo", false, 0)] {
        fleet.r#become = r#become;
        fleet.write_inventory();
        fleet.runbook(&format!("defaults: {{ become: {needs_root} }}"), "max_unavailable: 1", step);
        let outcome = fleet.rollbook("plan", &[]).run().exits(code);
        assert_eq!(outcome.stderr.contains("root"), code != 0, "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("h1: h1"), "a host is named once: {}", outcome.stderr);
        // Doctor knows no runbook, and most steps need root.
        doctor(&fleet, &[]).exits(10).shows("h1  cannot become root: ").shows("hint: ");
    }
}

#[test]
fn a_file_that_a_connection_names_and_nobody_has_is_named() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "batches: [1]", "- command: [date]\n  effect: reads");
    let inventory = fs::read_to_string(fleet.path("inventory.yaml")).unwrap();
    let key = format!("identity_file: {}", fleet.hosts[0].path("user_key").display());
    let known = format!("known_hosts: {}", fleet.hosts[0].path("known_hosts").display());
    for (written, field) in [
        ("ssh_config: /dev/null", "ssh_config"),
        (key.as_str(), "identity_file"),
        (known.as_str(), "known_hosts"),
    ] {
        assert!(inventory.contains(written), "{inventory}");
        fleet.file("inventory.yaml", &inventory.replace(written, &format!("{field}: /nowhere/{field}")));
        let words = format!("`{field}` names /nowhere/{field}, which does not exist");
        doctor(&fleet, &[]).exits(12).shows(&words).shows("hint: correct the path");
        fleet.rollbook("plan", &[]).run().exits(12).says(&words).says("correct the path");
        let check = fleet.rollbook_on("inventory", "check", &["-i", "inventory.yaml"]).run().exits(0);
        let check = check.says(&format!("warning: h1: {words}"));
        assert!(check.stderr.contains("1 file that it names cannot be read here"), "{}", check.stderr);
    }
}
