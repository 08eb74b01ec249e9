//! Drains, budgets, and nodes that go away.

use super::*;

#[test]
fn a_drain_ends_as_kubectl_says() {
    let simulated = cluster(1, 2, 1);
    simulated.inject(Fault::DrainBlocked { host: "w1".to_owned() });
    simulated.inject(Fault::BarePod { host: "w2".to_owned() });
    story(async {
        let kube = Trigger::host(&simulated, "cp1").await;
        let blocked = kube.run(&format!("kubectl {ADMIN} drain w1 --ignore-daemonsets --timeout=60s")).await;
        assert_eq!(blocked.exit, Exit::Code(1));
        assert!(blocked.stderr.contains(
            "(will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget."
        ));
        assert!(blocked.stderr.contains("global timeout reached: 60s"), "{}", blocked.stderr);
        assert!(simulated.host("w1").expect("a host").cordoned, "a failed drain leaves the node cordoned");
        let bare = kube.run(&format!("kubectl {ADMIN} drain w2 --ignore-daemonsets --timeout=60s")).await;
        assert!(
            bare.stderr
                .contains("Pods that declare no controller (use --force to override): default/bare-w2")
        );
        let daemons = kube.run(&format!("kubectl {ADMIN} drain w2 --timeout=60s")).await;
        assert!(
            daemons
                .stderr
                .contains("cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): ")
        );
        let missing = kube.run(&format!("kubectl {ADMIN} drain w9 --ignore-daemonsets")).await;
        assert_eq!(missing.stderr, "Error from server (NotFound): nodes \"w9\" not found\n");
    });
}

#[test]
fn evicted_pods_come_back_elsewhere_and_budgets_slow_the_drain_down() {
    let simulated = cluster(1, 3, 1);
    simulated.add_workload(&SimulatedWorkload {
        namespace: "default".to_owned(),
        name: "db".to_owned(),
        kind: WorkloadKind::Deployment { replicas: 9 },
        empty_dir: false,
        budget: Some(Allowance::MaxUnavailable(1)),
    });
    story(async {
        let kube = Trigger::host(&simulated, "cp1").await;
        let drained =
            kube.must(&format!("kubectl {ADMIN} drain w1 --ignore-daemonsets --timeout=600s")).await;
        assert!(drained.stderr.contains("would violate the pod's disruption budget"), "one at a time");
        assert!(drained.stdout.ends_with("node/w1 drained\n"), "{}", drained.stdout);
        let left = simulated.host("w1").expect("a host").pods;
        assert!(
            left.iter().all(|pod| pod.starts_with("kube-proxy") || pod.starts_with("network")),
            "{left:?}"
        );
        wait(60).await;
        let pods = kube.ask(&format!("kubectl {ADMIN} get pods")).await.stdout;
        let running = pods.lines().filter(|line| line.starts_with("db-") && line.contains("1/1     Running"));
        assert_eq!(running.count(), 9, "{pods}");
    });
}

#[test]
fn a_kubelet_that_does_not_start_leaves_its_node_away() {
    let simulated = cluster(1, 2, 1);
    simulated.inject(Fault::KubeletDoesNotStart { host: "w1".to_owned() });
    simulated.inject(Fault::SwapOn { host: "w2".to_owned() });
    story(async {
        for worker in ["w1", "w2"] {
            Trigger::host(&simulated, worker).await.must("systemctl restart kubelet").await;
        }
        for worker in ["w1", "w2"] {
            assert_eq!(simulated.host(worker).expect("a host").ready, "False", "{worker}");
        }
        wait(60).await;
        let kube = Trigger::host(&simulated, "cp1").await;
        let node = kube.ask(&format!("kubectl {ADMIN} get node w1")).await;
        assert!(node.stdout.contains("NotReady"), "{}", node.stdout);
        for worker in ["w1", "w2"] {
            assert_eq!(simulated.host(worker).expect("a host").ready, "Unknown", "{worker}");
        }
    });
}

#[test]
fn nodes_may_be_out_from_the_start_or_go_out_on_the_way() {
    let simulated = cluster(1, 3, 1);
    let at = |secs| Duration::from_secs(secs);
    assert!(simulated.inject(Fault::NodeNotReady { host: "w1".to_owned(), at: at(0) }));
    assert!(simulated.inject(Fault::NodeCordoned { host: "w2".to_owned(), at: at(0) }));
    assert!(simulated.inject(Fault::NodeCordoned { host: "w3".to_owned(), at: at(30) }));
    assert!(!simulated.inject(Fault::MirrorDead { host: "nosuch".to_owned() }));
    assert_eq!(simulated.host("w1").expect("a host").ready, "Unknown");
    assert!(simulated.host("w2").expect("a host").cordoned);
    assert!(!simulated.host("w3").expect("a host").cordoned);
    story(async {
        let kube = Trigger::host(&simulated, "cp1").await;
        wait(31).await;
        let table = kube.ask(&format!("kubectl {ADMIN} get nodes")).await.stdout;
        assert_eq!(table.matches("SchedulingDisabled").count(), 2, "{table}");
    });
}
