//! The shipped runbook that patches hosts, over a simulated cluster that stays.

use super::support::cluster::{Cluster, shown, story};

fn runbook() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/os-patch.yaml");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn packages_go_up_kubernetes_stays_and_a_second_run_has_nothing_to_do() {
    let mut cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        let text = shown(&plan);
        assert!(text.contains("linux-image-amd64 6.1.119-1 → 6.1.140-1"), "{text}");
        assert!(text.contains("[disrupts]"), "containerd and systemd are among them: {text}");
        assert_eq!(cluster.simulated.log(), [], "a plan changes nothing");
        let before = cluster.simulated.host("w1").unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        assert_eq!(rolled.out_of_service().len(), 5, "every host once: {}", rolled.told);
        for host in ["cp1", "cp2", "cp3", "w1", "w2"] {
            let after = cluster.simulated.host(host).unwrap();
            assert_eq!(after.packages["openssl"], "3.0.16-1~deb12u1", "{host}");
            assert_eq!(after.packages["kubelet"], "1.30.2-1.1", "{host} has it on hold");
            assert_eq!(after.held, ["kubeadm", "kubectl", "kubelet"], "{host}");
            assert!(!after.cordoned && after.ready == "True", "{host}: {after:?}");
        }
        assert_ne!(
            cluster.simulated.host("w1").unwrap().boot_id,
            before.boot_id,
            "a new kernel wants a reboot"
        );

        let changes = cluster.simulated.log().len();
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        assert!(!rollbook::plan::forecast::has_changes(&plan), "{}", shown(&plan));
        let rolled = cluster.roll(plan).await;
        assert_eq!((rolled.code, rolled.out_of_service()), (0, vec![]), "{}", rolled.told);
        assert_eq!(cluster.simulated.log().len(), changes, "nothing was changed");
    });
}

#[test]
fn what_is_excepted_stays_and_a_kubelet_without_its_hold_is_refused() {
    let mut cluster = Cluster::new(3, 1, "1.30.2");
    story(async {
        let plan = cluster.plan_of(&runbook(), &[("except", "openssl,linux-image-amd64")]).await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        let after = cluster.simulated.host("w1").unwrap();
        let versions = ["openssl", "linux-image-amd64", "curl"].map(|name| after.packages[name].as_str());
        assert_eq!(versions, ["3.0.15-1~deb12u1", "6.1.119-1", "7.88.1-10+deb12u12"]);

        cluster.by_hand("w1", "apt-mark unhold kubelet").await;
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        let refused = super::support::cluster::refusals(&plan);
        assert!(refused.iter().any(|(_, reason)| reason.contains("kubelet is not on hold")), "{refused:?}");
    });
}

#[test]
fn with_old_lists_the_plan_promises_nothing_that_new_lists_may_change() {
    let mut cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        assert_eq!(cluster.roll(plan).await.code, 0);
        // The lists grow old, and the repository has got something new.
        tokio::time::sleep(std::time::Duration::from_hours(2)).await;
        cluster.simulated.publish("openssl", "3.0.17-1~deb12u2");
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        let text = shown(&plan);
        assert!(!text.contains("nothing to do"), "{text}");
        for line in [
            "~ update package lists older than 1h: ",
            "? upgrade all packages: known later, from what `update package lists older than 1h` changes; now: ",
            "cache by its definition): known later, from whether anything in its bracket is to do; then: ",
            "? reboot if required: known later, from what ",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let rolled = cluster.roll(plan).await;
        assert_eq!((rolled.code, rolled.out_of_service().len()), (0, 5), "{}", rolled.told);
        assert_eq!(cluster.simulated.host("w1").unwrap().packages["openssl"], "3.0.17-1~deb12u2");
        // Old lists without anything new: nobody is drained.
        tokio::time::sleep(std::time::Duration::from_hours(2)).await;
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        assert!(rollbook::plan::forecast::has_changes(&plan), "{}", shown(&plan));
        let rolled = cluster.roll(plan).await;
        assert_eq!((rolled.code, rolled.out_of_service()), (0, vec![]), "{}", rolled.told);
    });
}

#[test]
fn lists_that_were_young_when_the_plan_was_made_are_the_ones_that_it_rolls_with() {
    let mut cluster = Cluster::new(3, 1, "1.30.2");
    story(async {
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        assert_eq!(cluster.roll(plan).await.code, 0);
        let plan = cluster.plan_of(&runbook(), &[]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_hours(2)).await;
        cluster.simulated.publish("openssl", "3.0.17-1~deb12u2");
        let changes = cluster.simulated.log().len();
        let rolled = cluster.roll(plan).await;
        assert_eq!((rolled.code, rolled.out_of_service()), (0, vec![]), "{}", rolled.told);
        assert_eq!(cluster.simulated.log().len(), changes, "nothing was changed");
    });
}

/// Whatever says of itself that it only reads may still change something.
const LIES: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
defaults: { become: true }
phases:
  - name: workers
    hosts: workers
    rollout: { batches: [1] }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - copy: { dest: /etc/motd.d/10-case, content: case }
      - command: { argv: [apt-mark, unhold, kubelet] }
        effect: reads
      - apt_mark: { hold: kubelet }
      - uncordon: {}
";

#[test]
fn inside_a_bracket_what_was_not_announced_is_not_sent_and_the_host_is_told_of() {
    let mut cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        let plan = cluster.plan_of(LIES, &[]).await.unwrap();
        assert!(shown(&plan).contains("= hold kubelet: kubelet held"), "{}", shown(&plan));
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 11, "{}", rolled.told);
        for words in ["kubelet: it is not held and would become held", "plan again", "kubectl uncordon w1"] {
            assert!(rolled.told.contains(words), "{words}: {}", rolled.told);
        }
        assert!(!cluster.simulated.host("w1").unwrap().held.contains(&"kubelet".to_owned()));
        assert!(!cluster.simulated.host("w2").unwrap().cordoned, "{}", rolled.told);
    });
}
