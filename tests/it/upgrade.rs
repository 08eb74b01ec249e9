//! The shipped upgrade over a simulated cluster that stays: what a plan knows beforehand, and what a second one finds.

use rollbook::simulation::Fault;

use super::support::cluster::{Cluster, refusals, shown, story};

#[test]
fn a_plan_shows_exact_versions_across_a_switch_of_the_repository() {
    let cluster = Cluster::new(1, 2, "1.30.2");
    story(async {
        let plan = cluster.plan_of(&accepted(), &[("target", "1.31.4")]).await.unwrap();
        let text = shown(&plan);
        for line in [
            "kubeadm_1.31.4-1.1_amd64.deb not in the cache → in the cache",
            "kubeadm 1.30.2-1.1, held → 1.31.4-1.1, held, kubectl 1.30.2-1.1, held → 1.31.4-1.1, held (predicted)",
            "kubelet 1.30.2-1.1, held → 1.31.4-1.1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(refusals(&plan).is_empty());
    });
    assert_eq!(cluster.simulated.log(), [], "a plan changes nothing");
}

#[test]
fn a_plan_warns_of_the_traps_of_its_hop_and_of_no_other() {
    let cluster = Cluster::new(1, 1, "1.30.2");
    story(async {
        let plan = cluster.plan_of(&accepted(), &[("target", "1.31.4")]).await.unwrap();
        let text = shown(&plan);
        let trap = "warning: since 1.31, a kubelet upgraded in place restarts every container of the node: drain first (kubernetes#129659)";
        assert!(text.contains(trap), "{text}");
        assert!(!text.contains("since 1.30") && !text.contains("since 1.32"), "{text}");
    });
}

#[test]
fn what_was_foreseen_is_what_is_installed() {
    let mut cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        let plan = cluster.plan("1.31.4").await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        assert_eq!(rolled.out_of_service(), ["cp1", "cp2", "cp3", "w1", "w2"]);
        assert!(!rolled.events.is_empty());
        for host in ["cp1", "cp3", "w2"] {
            assert_eq!(cluster.simulated.host(host).unwrap().packages["kubelet"], "1.31.4-1.1");
        }
    });
}

/// What no right explains stands at once: the upgrade in front of the annotation is not repeated for it.
#[test]
fn a_policy_that_refuses_the_note_of_an_upgrade_repeats_no_upgrade() {
    let mut cluster = Cluster::new(3, 1, "1.30.2");
    let policy = "admission webhook \"notes\" denied the request: no such annotation";
    cluster.simulated.inject(Fault::OpFails {
        host: "cp1".to_owned(),
        command: "rollbook.dev/kubeadm-node=".to_owned(),
        code: 1,
        stderr: format!("Error from server (Forbidden): {policy}"),
        times: 100,
    });
    story(async {
        let plan = cluster.plan("1.31.4").await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_ne!(rolled.code, 0, "{}", rolled.told);
        assert!(rolled.told.contains("the API server refuses it: Error from server (Forbidden): admission"));
        assert!(!rolled.told.contains("is starting"), "{}", rolled.told);
        let log = cluster.simulated.log();
        let is_upgrade = |argv: &[String]| argv.windows(2).any(|words| words == ["upgrade", "node"]);
        let upgrades = log.iter().filter(|entry| entry.host == "w1" && is_upgrade(&entry.argv));
        assert_eq!(upgrades.count(), 1, "{}", rolled.told);
    });
}

#[test]
fn a_version_that_no_repository_has_is_refused_with_its_neighbours_before_anything_changes() {
    let cluster = Cluster::new(1, 2, "1.30.2");
    cluster.simulated.inject(Fault::PackageMissing {
        host: "w2".to_owned(),
        package: "kubelet".to_owned(),
        version: "1.31.4".to_owned(),
    });
    story(async {
        let plan = cluster.plan_of(&accepted(), &[("target", "1.31.4")]).await.unwrap();
        let found = refusals(&plan);
        assert!(found.iter().all(|(host, _)| host == "w2"), "{found:?}");
        assert!(
            found.iter().any(|(_, reason)| reason
                == "kubelet=1.31.4-* is in no repository of this host: it has 1.31.7-1.1, 1.31.6-1.1, 1.31.5-1.1, \
                    1.31.3-1.1, 1.31.2-1.1, 1.31.1-1.1 and 8 others"),
            "{found:?}"
        );
    });
    assert_eq!(cluster.simulated.log(), [], "a plan changes nothing");
}

#[test]
fn a_pod_that_a_drain_would_refuse_is_told_before_anything_changes() {
    let cluster = Cluster::new(1, 2, "1.30.2");
    cluster.simulated.inject(Fault::BarePod { host: "w2".to_owned() });
    story(async {
        let plan = cluster.plan_of(&accepted(), &[("target", "1.31.4")]).await.unwrap();
        let [(host, reason)] = refusals(&plan).try_into().unwrap_or_else(|found| panic!("{found:?}"));
        assert_eq!(host, "w2");
        assert!(reason.contains("kubectl would refuse to drain w2: pods without a controller: "), "{reason}");
    });
    assert_eq!(cluster.simulated.log(), [], "a plan changes nothing");
}

#[test]
fn a_repository_that_does_not_answer_is_refused_where_it_would_be_switched() {
    let cluster = Cluster::new(1, 2, "1.30.2");
    cluster.simulated.inject(Fault::MirrorDead { host: "w1".to_owned() });
    story(async {
        let plan = cluster.plan_of(&accepted(), &[("target", "1.31.4")]).await.unwrap();
        let [(host, reason)] = refusals(&plan).try_into().unwrap_or_else(|found| panic!("{found:?}"));
        assert_eq!(host, "w1");
        assert!(
            reason.starts_with("the repository cannot be used from this host: Failed to fetch "),
            "{reason}"
        );
        let text = shown(&plan);
        assert!(
            text.contains("known later, from the package lists of `use the Kubernetes 1.31 repository`"),
            "{text}"
        );
    });
}

#[test]
fn what_a_step_before_may_bring_about_is_known_later() {
    let cluster = Cluster::new(1, 1, "1.30.2");
    cluster.simulated.inject(Fault::MirrorDead { host: "w1".to_owned() });
    let runbook = |steps: &str| {
        format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\ndefaults: {{ become: true }}\n\
             phases:\n  - name: p\n    hosts: w1\n    steps:\n{steps}\
             \x20     - apt_repo: {{ kubernetes: 1.31 }}\n      - apt: {{ download: {{ kubelet: \"1.31.4-*\" }} }}\n"
        )
    };
    story(async {
        let plan = cluster.plan_of(&runbook(""), &[]).await.unwrap();
        assert_eq!(refusals(&plan).len(), 1);
        let proxy = "      - copy: { dest: /etc/apt/apt.conf.d/90proxy, content: \"Acquire::http::Proxy \\\"http://p/\\\";\\n\" }\n";
        let plan = cluster.plan_of(&runbook(proxy), &[]).await.unwrap();
        assert_eq!(refusals(&plan), [], "{}", shown(&plan));
        let elsewhere = "      - copy: { dest: /etc/motd, content: \"soon\\n\" }\n";
        let plan = cluster.plan_of(&runbook(elsewhere), &[]).await.unwrap();
        assert_eq!(refusals(&plan).len(), 1);
    });
}

#[test]
fn a_worker_that_was_upgraded_by_hand_is_left_alone() {
    let mut cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        let plan = cluster.plan("1.31.4").await.unwrap();
        assert_eq!(cluster.roll(plan).await.code, 0);
        // By hand, to the next patch: as the Kubernetes documentation has it, drains left out.
        let kubectl = "kubectl --kubeconfig=/etc/kubernetes/admin.conf";
        for host in ["cp1", "cp2", "cp3", "w1", "w2"] {
            let change = "apt-get install -y --allow-change-held-packages";
            cluster.by_hand(host, &format!("{change} kubeadm=1.31.5-1.1 kubectl=1.31.5-1.1")).await;
            let upgrade = if host == "cp1" { "apply v1.31.5 --yes" } else { "node" };
            cluster.by_hand(host, &format!("kubeadm upgrade {upgrade}")).await;
            cluster.by_hand(host, &format!("{change} kubelet=1.31.5-1.1")).await;
            cluster.by_hand(host, "apt-mark hold kubeadm kubectl kubelet").await;
            cluster.by_hand(host, "systemctl daemon-reload").await;
            cluster.by_hand(host, "systemctl restart kubelet").await;
        }
        cluster.by_hand("cp1", &format!("{kubectl} annotate node w2 rollbook.dev/kubeadm-node-")).await;
        tokio::time::sleep(std::time::Duration::from_mins(2)).await;
        let changes = cluster.simulated.log().len();
        let plan = cluster.plan("1.31.5").await.unwrap();
        let text = shown(&plan);
        assert!(!rollbook::plan::forecast::has_changes(&plan), "{text}");
        assert!(text.contains("no note of kubeadm"), "{text}");
        let rolled = cluster.roll(plan).await;
        assert_eq!((rolled.code, rolled.out_of_service()), (0, Vec::new()), "{}", rolled.told);
        assert_eq!(cluster.simulated.log().len(), changes, "nothing was changed");
    });
}

#[test]
fn a_node_that_is_not_ready_is_waited_for_where_the_runbook_says_so() {
    let mut cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        cluster.by_hand("w2", "systemctl stop kubelet").await;
        tokio::time::sleep(std::time::Duration::from_mins(2)).await;
        let plan = cluster.plan("1.31.4").await.unwrap();
        assert_eq!(refusals(&plan), []);
        let text = shown(&plan);
        assert!(text.contains("waits when its turn comes; now: "), "{text}");
        let rolled = cluster.roll(plan).await;
        assert_eq!((rolled.code, rolled.out_of_service()), (10, Vec::new()), "{}", rolled.told);
        assert!(rolled.told.contains("after 1m"), "{}", rolled.told);

        let plan = cluster.plan("1.31.4").await.unwrap();
        cluster.by_hand("w2", "systemctl start kubelet").await;
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
    });
}

#[test]
fn an_outage_is_accepted_only_where_there_will_be_one() {
    let mut cluster = Cluster::new(1, 2, "1.30.2");
    story(async {
        let error = cluster.plan("1.31.4").await.unwrap_err();
        let start = "error[RB0605]: the only control plane is upgraded in place: the Kubernetes API will be away for some minutes\nhint: ";
        assert!(error.starts_with(start), "{error}");
        let plan = cluster.plan_of(&accepted(), &[("target", "1.31.4")]).await.unwrap();
        assert!(shown(&plan).contains("warning: the only control plane"), "{}", shown(&plan));
        assert_eq!(cluster.roll(plan).await.code, 0);
        // Nothing is left to do, so there is nothing to accept.
        let plan = cluster.plan("1.31.4").await.unwrap();
        assert!(!rollbook::plan::forecast::has_changes(&plan), "{}", shown(&plan));
    });
}

#[test]
fn one_refusal_of_many_hosts_is_told_once() {
    let cluster = Cluster::new(3, 2, "1.30.2");
    story(async {
        let plan = cluster.plan("1.31.99").await.unwrap();
        let refusals = rollbook::plan::forecast::distinct_refusals(&plan);
        let [tools, kubelet] = refusals.as_slice() else { panic!("{refusals:?}") };
        assert_eq!((tools.hosts.len(), kubelet.hosts.len()), (5, 5));
        assert!(
            tools.reason.starts_with("kubeadm=1.31.99-*") && kubelet.reason.starts_with("kubelet=1.31.99-*")
        );
    });
}

/// The shipped runbook with its outage accepted: the clusters here have one control plane.
fn accepted() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/kubeadm-upgrade.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let accepted = text.replace("policy:\n", "policy:\n  control_plane_outage: accept\n");
    assert_ne!(text, accepted);
    accepted
}

#[test]
fn a_second_run_takes_nobody_out_of_service() {
    // From 1.34 on a host's configuration differs from the cluster's by design.
    for (from, target) in [("1.30.2", "1.31.4"), ("1.33.1", "1.34.2"), ("1.35.4", "1.36.2")] {
        second_run(from, target);
    }
}

fn second_run(from: &str, target: &str) {
    let mut cluster = Cluster::new(3, 2, from);
    story(async {
        let plan = cluster.plan(target).await.unwrap();
        assert_eq!(cluster.roll(plan).await.code, 0, "{target}");
        let changes = cluster.simulated.log().len();
        let plan = cluster.plan(target).await.unwrap();
        assert!(!rollbook::plan::forecast::has_changes(&plan), "{}", shown(&plan));
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        assert_eq!(rolled.out_of_service(), [""; 0], "{}", rolled.told);
        assert_eq!(cluster.simulated.log().len(), changes, "nothing was changed");
    });
}
