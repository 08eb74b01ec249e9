//! apt and dpkg: refusals, mirrors, locks, half-done installations.

use super::*;

#[test]
fn apt_refuses_what_the_real_one_refuses() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::PackageMissing {
        host: "w1".to_owned(),
        package: "kubelet".to_owned(),
        version: "1.30.9".to_owned(),
    });
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let cases = [
            ("apt-get install -y kubeadm=1.30.5-1.1", 100, "Held packages were changed and -y was used"),
            ("apt-get install -y kubeadm=1.31.0-*", 100, "E: Version '1.31.0-*' for 'kubeadm' was not found"),
            ("apt-get install -y kubelet=1.30.9-*", 100, "E: Version '1.30.9-*' for 'kubelet' was not found"),
            ("apt-get install -y nosuch", 100, "E: Unable to locate package nosuch"),
            (
                "apt-get install -y --allow-change-held-packages kubeadm=1.30.1-*",
                100,
                "E: Packages were downgraded",
            ),
            ("apt-mark hold nosuch", 100, "E: No packages found"),
        ];
        for (line, code, text) in cases {
            let result = host.run(line).await;
            assert_eq!(result.exit, Exit::Code(code), "{line}");
            assert!(result.stderr.contains(text), "{line}: {}", result.stderr);
        }
        let simulation = host.ask("apt-get -s install --allow-change-held-packages kubeadm=1.30.5-*").await;
        assert!(
            simulation.stdout.contains("Inst kubeadm [1.30.2-1.1] (1.30.5-1.1 "),
            "{}",
            simulation.stdout
        );
        assert_eq!(simulated.host("w1").expect("a host").packages["kubeadm"], "1.30.2-1.1");
        host.must("apt-get install -y --allow-change-held-packages kubeadm=1.30.5-*").await;
        assert_eq!(simulated.host("w1").expect("a host").held, ["kubectl", "kubelet"], "the hold is lost");
    });
}

#[test]
fn a_dead_mirror_shows_only_to_those_who_ask() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::MirrorDead { host: "w1".to_owned() });
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        assert_eq!(host.run("apt-get update").await.exit, Exit::Code(0), "apt goes on with the old lists");
        assert_eq!(host.run("apt-get update -o APT::Update::Error-Mode=any").await.exit, Exit::Code(100));
        let install = host.run("apt-get install -y --allow-change-held-packages kubeadm=1.30.5-*").await;
        assert_eq!(install.exit, Exit::Code(100));
    });
}

#[test]
fn a_held_lock_is_waited_for_as_long_as_apt_is_told() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::LockHeld {
        host: "w1".to_owned(),
        holder: "process 4321 (unattended-upgr)".to_owned(),
        until: Duration::from_secs(60),
        lists: false,
    });
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let at_once = host.run("apt-get install -y jq").await;
        assert_eq!(at_once.exit, Exit::Code(100));
        assert!(
            at_once.stderr.contains("It is held by process 4321 (unattended-upgr)"),
            "{}",
            at_once.stderr
        );
        host.must("apt-get install -y -o DPkg::Lock::Timeout=120 jq").await;
        assert!(simulated.elapsed() > Duration::from_secs(60));
    });
}

#[test]
fn an_apt_that_was_killed_leaves_a_broken_package_behind() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        host.must("apt-get install -y -d jq").await;
        let killed = host.try_run(&op("apt-get install -y jq", 3)).await.expect("a result");
        assert_eq!(killed.exit, Exit::TimedOut);
        assert!(host.ask("dpkg --audit").await.stdout.contains(" jq "));
        assert_eq!(host.run("apt-get install -y nginx").await.exit, Exit::Code(100));
        host.must("dpkg --configure -a").await;
        host.must("apt-get install -y nginx").await;
    });
}

#[test]
fn an_upgrade_leaves_what_is_held_or_pinned() {
    let simulated = cluster(1, 1, 1);
    simulated.put_file(
        "w1",
        "/etc/apt/preferences.d/openssl",
        "Package: openssl\nPin: version 3.0.15*\nPin-Priority: 1001\n",
    );
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        host.must("apt-get update").await;
        host.must("apt-mark hold runc").await;
        let policy = host.ask("apt-cache policy openssl").await.stdout;
        assert!(policy.contains("Candidate: 3.0.15-1~deb12u1"), "{policy}");
        for line in ["apt-get -y upgrade", "apt-get -y dist-upgrade", "apt-get -y install openssl"] {
            host.must(line).await;
            let state = simulated.host("w1").expect("a host");
            let version = |name: &str| state.packages[name].clone();
            assert_eq!(
                [version("openssl"), version("runc"), version("curl"), version("kubelet")],
                ["3.0.15-1~deb12u1", "1.1.5+ds1-1+b1", "7.88.1-10+deb12u12", "1.30.2-1.1"],
                "{line}"
            );
        }
        // Without its hold a node's kubelet goes to the newest release that is known, as with a real apt.
        host.must("apt-mark unhold kubelet").await;
        host.must("apt-get -y upgrade").await;
        assert_eq!(simulated.host("w1").expect("a host").packages["kubelet"], "1.30.14-1.1");
    });
}
