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
