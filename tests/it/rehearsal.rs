//! The shipped runbook on the simulated cluster, from the command line.

use super::support::rollbook::Rollbook;

fn rehearse(more: &[&str]) -> Rollbook {
    let args =
        ["rehearse", "runbooks/kubeadm-upgrade.yaml", "-i", "inventory.example.yaml", "-p", "target=1.31.4"];
    Rollbook::new(args.iter().chain(more).copied())
}

/// The stamped lines that say which host goes out of service, in order.
fn order(stderr: &str) -> Vec<&str> {
    let out = stderr.lines().filter(|line| line.ends_with("goes out of service"));
    out.filter_map(|line| line.split_whitespace().nth(1)).collect()
}

#[test]
fn the_shipped_upgrade_rolls_over_the_shipped_inventory() {
    let outcome = rehearse(&[]).run().exits(0);
    let order = order(&outcome.stderr);
    let control_planes = order.iter().take_while(|host| host.starts_with("cp")).count();
    assert_eq!(control_planes, 3, "control planes go first: {order:?}");
    assert!(order[control_planes..].iter().all(|host| !host.starts_with("cp")), "{order:?}");
}

#[test]
fn the_same_seed_gives_the_same_rehearsal() {
    // Wall-clock time enters nowhere but in the run's first stamp, from which all others are counted.
    let (first, second) =
        (rehearse(&["--seed", "7"]).run().exits(0), rehearse(&["--seed", "7"]).run().exits(0));
    assert_eq!(first.stderr, second.stderr);
}

#[test]
fn a_skipped_minor_is_refused_before_anything_changes() {
    let outcome = rehearse(&["--kubernetes", "1.29.0"]).run();
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    assert!(order(&outcome.stderr).is_empty(), "{}", outcome.stderr);
}

#[test]
fn a_version_that_no_repository_has_is_found_before_the_first_drain() {
    let args =
        ["rehearse", "runbooks/kubeadm-upgrade.yaml", "-i", "inventory.example.yaml", "-p", "target=1.31.99"];
    let outcome = Rollbook::new(args).run();
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("1.31.99"), "{}", outcome.stderr);
    assert!(order(&outcome.stderr).is_empty(), "{}", outcome.stderr);
}

/// The drain before it touches no package source, so it brings no version about.
#[test]
fn a_version_that_no_repository_has_is_found_before_a_drain_that_comes_first() {
    let kubelet_patch = |target: &str, previous: &str| {
        let (target, previous) = (format!("target={target}"), format!("previous={previous}"));
        let args = ["rehearse", "runbooks/kubelet-patch.yaml", "-i", "inventory.example.yaml"];
        let args = args.into_iter().chain(["--kubernetes", "1.30.0"]);
        Rollbook::new(args.chain(["-p", &target, "-p", &previous])).run()
    };
    let outcome = kubelet_patch("1.30.99", "1.30.0").exits(10).says("1.30.99");
    assert!(order(&outcome.stderr).is_empty() && !outcome.stderr.contains("phase 1/1"), "{}", outcome.stderr);
    // What is there is not refused.
    kubelet_patch("1.30.4", "1.30.0").exits(0);
}

#[test]
fn every_host_that_is_left_out_of_service_has_a_way_back() {
    let mut left = 0;
    for name in
        ["drain-never-finishes", "kubelet-does-not-start", "link-lost-for-good", "power-cut", "stopped"]
    {
        let scenario = format!("scenarios/{name}.yaml");
        let told = Rollbook::new(["rehearse", "--scenario", &scenario, "--quiet"]).run().stderr;
        let mut lines = told.lines();
        while lines.by_ref().any(|line| line.contains("  is left out of service")) {
            left += 1;
            let next = lines.next().unwrap_or_default();
            assert_eq!(next, "    a real run names here what brings it back", "{name}: {told}");
        }
        assert!(!told.contains("kubectl uncordon") && !told.contains("runs undo"), "{name}: {told}");
    }
    assert!(left >= 2, "too few to say anything: {left}");
}
