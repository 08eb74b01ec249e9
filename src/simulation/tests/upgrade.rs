//! Upgrades by hand: what kubeadm does, refuses, and hides.

use super::*;

/// One host's packages, then kubeadm, as the documentation of kubeadm upgrades says.
async fn upgrade_host(simulated: &Simulated, name: &str, kubeadm: &str) {
    let host = Trigger::host(simulated, name).await;
    let kube = Trigger::host(simulated, "cp1").await;
    host.write("/etc/apt/sources.list.d/kubernetes.list", &sources(31)).await;
    host.must("apt-get update").await;
    host.must("apt-mark unhold kubeadm kubelet kubectl").await;
    host.must("apt-get install -y kubeadm=1.31.4-*").await;
    host.must(kubeadm).await;
    kube.must(&format!("kubectl {ADMIN} drain {name} --ignore-daemonsets --timeout=600s")).await;
    host.must("apt-get install -y kubelet=1.31.4-* kubectl=1.31.4-*").await;
    host.must("systemctl daemon-reload").await;
    host.must("systemctl restart kubelet").await;
    kube.must(&format!("kubectl {ADMIN} wait --for=condition=Ready node/{name} --timeout=120s")).await;
    kube.must(&format!("kubectl {ADMIN} uncordon {name}")).await;
    host.must("apt-mark hold kubeadm kubelet kubectl").await;
}

#[test]
fn an_upgrade_by_the_book_reaches_the_target() {
    let simulated = cluster(1, 3, 1);
    story(async {
        upgrade_host(&simulated, "cp1", "kubeadm upgrade apply v1.31.4 --yes").await;
        for worker in ["w1", "w2", "w3"] {
            upgrade_host(&simulated, worker, "kubeadm upgrade node").await;
        }
        wait(120).await;
        let host = Trigger::host(&simulated, "cp1").await;
        let table = host.ask(&format!("kubectl {ADMIN} get nodes")).await.stdout;
        assert_eq!(table.matches("v1.31.4").count(), 4, "{table}");
        assert!(!table.contains("SchedulingDisabled"), "{table}");
    });
    for name in ["cp1", "w1", "w2", "w3"] {
        let state = simulated.host(name).expect("a host");
        assert_eq!(state.kubelet, "1.31.4");
        assert_eq!(state.held, ["kubeadm", "kubectl", "kubelet"]);
        assert!(!state.cordoned && state.ready == "True", "{state:?}");
    }
    assert_eq!(simulated.host("cp1").expect("a host").static_pods["kube-scheduler"], "v1.31.4");
    assert!(simulated.elapsed() > Duration::from_secs(300), "time passed: {}", simulated.elapsed());
}

fn log_of(seed: u64) -> Vec<LoggedCommand> {
    let simulated = cluster(1, 2, seed);
    story(async {
        upgrade_host(&simulated, "cp1", "kubeadm upgrade apply v1.31.4 --yes").await;
        upgrade_host(&simulated, "w1", "kubeadm upgrade node").await;
    });
    simulated.log()
}

#[test]
fn a_seed_gives_the_same_roll_each_time_and_another_seed_another_one() {
    assert_eq!(log_of(7), log_of(7));
    assert_ne!(log_of(7), log_of(8));
}

#[test]
fn kubeadm_refuses_what_the_real_one_refuses() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "cp1").await;
        // Texts and codes as in the transcripts of kubeadm 1.20 to 1.22.
        let cases = [
            (
                "kubeadm upgrade apply v1.31.0 --yes",
                1,
                "is at least one minor release higher than the kubeadm minor release (31 > 30)",
            ),
            (
                "kubeadm upgrade apply v1.32.0 --yes",
                1,
                "is too high; kubeadm can upgrade only 1 minor version at a time",
            ),
            (
                "kubeadm upgrade apply v1.30.7 --yes",
                1,
                "is higher than the kubeadm version \"v1.30.2\". Upgrade kubeadm first",
            ),
            ("kubeadm upgrade apply v1.30.2", 1, "won't proceed; the user didn't answer (Y|y)"),
            ("kubeadm upgrade apply 1.31 --yes", 1, "doesn't match patterns for neither semantic version"),
        ];
        for (line, code, text) in cases {
            let result = host.run(line).await;
            assert_eq!(result.exit, Exit::Code(code), "{line}");
            assert!(result.stderr.contains(text), "{line}: {}", result.stderr);
        }
        assert_eq!(simulated.host("cp1").expect("a host").static_pods["kube-apiserver"], "v1.30.2");
        let again = host.must("kubeadm upgrade apply v1.30.2 --yes").await;
        assert!(again.stdout.contains("are equal, skipping upgrade"), "a repeated apply is safe");
        let worker = Trigger::host(&simulated, "w1").await;
        assert_eq!(
            worker.run("kubeadm upgrade apply v1.30.2 --yes").await.exit,
            Exit::Code(1),
            "no admin.conf there"
        );
        worker.must("kubeadm upgrade node").await;
    });
}

#[test]
fn a_component_that_crashes_after_success_shows_only_in_its_pod() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::StaticPodCrashLoops {
        host: "cp1".to_owned(),
        component: "kube-scheduler".to_owned(),
    });
    story(async {
        let host = Trigger::host(&simulated, "cp1").await;
        host.write("/etc/apt/sources.list.d/kubernetes.list", &sources(31)).await;
        host.must("apt-get update").await;
        host.must("apt-get install -y --allow-change-held-packages kubeadm=1.31.4-*").await;
        let apply = host.must("kubeadm upgrade apply v1.31.4 --yes").await;
        assert!(apply.stdout.contains("SUCCESS!"), "{}", apply.stdout);
        wait(60).await;
        let pods =
            host.ask(&format!("kubectl {ADMIN} get pods -n kube-system -l component=kube-scheduler")).await;
        assert!(pods.stdout.contains("CrashLoopBackOff"), "{}", pods.stdout);
    });
}

#[test]
fn a_restart_can_be_told_from_one_that_is_due() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let replaced =
            ["find", "/proc", "-maxdepth", "2", "-name", "exe", "-lname", "/* (deleted)", "-printf", "%h\\n"];
        let query = Query { argv: replaced.map(str::to_owned).to_vec(), ..Query::default() };
        let probe = Probe {
            site: Site::Subject,
            queries: vec![query],
            r#become: true,
            timeout: Duration::from_secs(60),
        };
        let due = || async { host.session.probe(&probe).await.expect("answers").remove(0).stdout };
        assert_eq!(due().await, "");
        host.must("apt-get install -y --allow-change-held-packages kubelet=1.30.5-*").await;
        let show = host.ask("systemctl show -p MainPID --value -- kubelet.service").await.stdout;
        assert_eq!(due().await, format!("/proc/{show}"));
        host.must("systemctl restart kubelet").await;
        assert_eq!(due().await, "");
    });
}
