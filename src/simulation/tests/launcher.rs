//! The launcher's promises, connections, and what a probe may do.

use super::*;

#[test]
fn the_same_launch_runs_once_and_others_attach() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let op = op("apt-get install -y jq", 600);
        let id = LaunchId { run: "r".to_owned(), op: "0-0-1-0".to_owned() };
        assert_eq!(host.session.attach(&id, true, &mut KeptRun::default()).await, Ok(Attached::NeverStarted));
        let (mut first, mut second) = (KeptRun::default(), KeptRun::default());
        let launch = Launch { id: id.clone(), op: &op, over: &[] };
        let both =
            tokio::join!(host.session.launch(&launch, &mut first), host.session.launch(&launch, &mut second));
        assert_eq!(both.0, both.1);
        assert_eq!(first.0, second.0, "both hear everything");
        let attached = host.session.attach(&id, true, &mut KeptRun::default()).await;
        assert_eq!(attached, Ok(Attached::Ended(both.0.expect("a result"))));
    });
    assert_eq!(simulated.log().len(), 1);
}

#[test]
fn an_op_goes_on_when_the_link_is_lost() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::LinkLost {
        host: "w1".to_owned(),
        command: "install".to_owned(),
        after: Duration::from_secs(2),
    });
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let lost = host.try_run(&op("apt-get install -y jq", 600)).await;
        assert!(matches!(lost, Err(SessionError::Lost(_))), "{lost:?}");
        let dead = host.try_run(&op("true", 60)).await;
        assert!(matches!(dead, Err(SessionError::Lost(_))), "a lost session stays lost");
        let again = Trigger::host(&simulated, "w1").await;
        let id = LaunchId { run: "run".to_owned(), op: "0-1".to_owned() };
        let ended = again.session.attach(&id, true, &mut KeptRun::default()).await.expect("an answer");
        assert!(matches!(ended, Attached::Ended(OpResult { exit: Exit::Code(0), .. })), "{ended:?}");
    });
    assert!(simulated.host("w1").expect("a host").packages.contains_key("jq"));
}

#[test]
fn a_host_that_cannot_be_reached_says_so_and_comes_back() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::Unreachable {
        host: "w1".to_owned(),
        at: Duration::from_secs(5),
        lasting: Some(Duration::from_secs(60)),
    });
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let lost = host.try_run(&op("sleep 30", 60)).await;
        assert!(matches!(lost, Err(SessionError::Lost(_))), "{lost:?}");
        let refused = simulated.connect(&target("w1")).await.err();
        assert!(matches!(refused, Some(ConnectError::Unreachable { .. })), "{refused:?}");
        wait(60).await;
        Trigger::host(&simulated, "w1").await.must("true").await;
        let unknown = simulated.connect(&target("w77")).await.err();
        assert!(matches!(unknown, Some(ConnectError::Unreachable { .. })), "{unknown:?}");
    });
}

#[test]
fn an_op_is_stopped_with_all_it_started() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let op = op("sleep 3000", 6000);
        let id = LaunchId { run: "r".to_owned(), op: "0-0-1-0".to_owned() };
        let launch = Launch { id: id.clone(), op: &op, over: &[] };
        let mut output = KeptRun::default();
        let stop = async {
            wait(10).await;
            host.session.stop(&id, true).await
        };
        let (result, stopped) = tokio::join!(host.session.launch(&launch, &mut output), stop);
        assert_eq!(stopped, Ok(()));
        assert_eq!(result.expect("a result").exit, Exit::Signal(15));
        assert!(simulated.elapsed() < Duration::from_secs(60), "its follower hears of it at once");
    });
}

#[test]
fn a_reboot_gives_another_boot_id_and_interrupts_what_runs() {
    let simulated = cluster(1, 1, 1);
    let before = simulated.host("w1").expect("a host").boot_id;
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let long = op("sleep 3000", 6000);
        // Of the same run: another one would be refused while this op goes on.
        let id = LaunchId { run: "run".to_owned(), op: "1-0".to_owned() };
        let launch = Launch { id: id.clone(), op: &long, over: &[] };
        let mut output = KeptRun::default();
        let mut reboot = op("", 600);
        reboot.kind = OpKind::Reboot;
        let other = Trigger::host(&simulated, "w1").await;
        let (slept, rebooted) =
            tokio::join!(host.session.launch(&launch, &mut output), other.try_run(&reboot));
        assert_eq!(rebooted.expect("back").exit, Exit::Code(0));
        assert!(matches!(slept, Err(SessionError::Lost(_))), "{slept:?}");
        let again = Trigger::host(&simulated, "w1").await;
        let ended = again.session.attach(&id, true, &mut KeptRun::default()).await.expect("an answer");
        assert!(matches!(ended, Attached::Ended(OpResult { exit: Exit::Interrupted, .. })), "{ended:?}");
        wait(30).await;
        let kube = Trigger::host(&simulated, "cp1").await;
        kube.must(&format!("kubectl {ADMIN} wait --for=condition=Ready node/w1 --timeout=60s")).await;
    });
    assert_ne!(simulated.host("w1").expect("a host").boot_id, before);
}

#[test]
fn what_a_probe_does_not_know_is_not_there_and_what_it_changes_is_written_down() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let unknown = host.ask("frobnicate --now").await;
        assert_eq!(
            (unknown.rc, unknown.stderr.as_str()),
            (127, "simulated host: no such program: frobnicate\n")
        );
        assert_eq!(host.must("frobnicate --now").await.stdout, "", "an op of the runbook takes its second");
        let from_worker = host.ask("kubectl get nodes").await;
        assert!(from_worker.stderr.contains("The connection to the server localhost:8080 was refused"));
        host.ask("apt-mark unhold kubelet").await;
    });
    let log = simulated.log();
    assert_eq!(log.iter().filter(|logged| logged.probe).count(), 1, "{log:?}");
}

#[test]
fn ops_fail_as_often_as_they_are_told_to() {
    let simulated = cluster(1, 1, 1);
    simulated.inject(Fault::OpFails {
        host: "w1".to_owned(),
        command: "upgrade node".to_owned(),
        code: 1,
        stderr: "error: out of luck".to_owned(),
        times: 1,
    });
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let failed = host.run("kubeadm upgrade node").await;
        assert_eq!((failed.exit, failed.stderr.as_str()), (Exit::Code(1), "error: out of luck\n"));
        host.must("kubeadm upgrade node").await;
    });
}
