//! Faults that strike while something runs, and commands that only a scenario can know.

use super::*;

#[test]
fn a_machine_without_power_loses_its_link_at_once_and_leaves_dpkg_interrupted() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let install = op("apt-get install -y jq", 600);
        let cut = async {
            // Past the download, in the middle of unpacking.
            wait(18).await;
            simulated
                .inject(Fault::PowerLost { host: "w1".to_owned(), lasting: Some(Duration::from_secs(300)) })
        };
        let (lost, _) = tokio::join!(host.try_run(&install), cut);
        assert!(matches!(lost, Err(SessionError::Lost(_))), "{lost:?}");
        assert!(simulated.elapsed() < Duration::from_secs(20), "its follower hears of it at once");
        wait(280).await;
        let dark = simulated.connect(&target("w1")).await.err();
        assert!(matches!(dark, Some(ConnectError::Unreachable { .. })), "{dark:?}");
        wait(120).await;
        let again = Trigger::host(&simulated, "w1").await;
        let id = LaunchId { run: "run".to_owned(), op: "0-1".to_owned() };
        let ended = again.session.attach(&id, true, &mut KeptRun::default()).await.expect("an answer");
        assert!(matches!(ended, Attached::Ended(OpResult { exit: Exit::Interrupted, .. })), "{ended:?}");
        wait(60).await;
        let kube = Trigger::host(&simulated, "cp1").await;
        kube.must(&format!("kubectl {ADMIN} wait --for=condition=Ready node/w1 --timeout=60s")).await;
    });
    assert!(simulated.host("w1").expect("a host").dpkg_broken);
}

#[test]
fn a_machine_that_gets_no_power_back_stays_away() {
    let simulated = cluster(1, 1, 1);
    story(async {
        simulated.connect(&target("w1")).await.expect("reachable");
        simulated.inject(Fault::PowerLost { host: "w1".to_owned(), lasting: None });
        wait(86_400).await;
        assert!(simulated.connect(&target("w1")).await.is_err());
    });
    assert_eq!(simulated.host("w1").expect("a host").ready, "Unknown");
}

#[test]
fn a_pod_that_never_ends_holds_a_drain_to_its_time_limit() {
    let simulated = cluster(1, 2, 1);
    simulated.inject(Fault::PodStuck { host: "w1".to_owned() });
    story(async {
        let kube = Trigger::host(&simulated, "cp1").await;
        let drain = kube.run(&format!("kubectl {ADMIN} drain w1 --ignore-daemonsets --timeout=60s")).await;
        assert_eq!(drain.exit, Exit::Code(1));
        let pod = "when waiting for pod \"stuck-w1-";
        assert!(drain.stderr.contains(pod) && drain.stderr.contains("terminat"), "{}", drain.stderr);
    });
}

#[test]
fn what_struck_can_pass() {
    let simulated = cluster(1, 2, 1);
    let of = |host: &str| host.to_owned();
    story(async {
        let kube = Trigger::host(&simulated, "cp1").await;
        for fault in [
            Fault::NodeCordoned { host: of("w1"), at: Duration::ZERO },
            Fault::NodeNotReady { host: of("w2"), at: Duration::ZERO },
            Fault::MirrorDead { host: of("w2") },
        ] {
            assert!(simulated.inject(fault));
        }
        let lists = "apt-get -o APT::Update::Error-Mode=any update";
        let worker = Trigger::host(&simulated, "w2").await;
        assert_eq!(worker.run(lists).await.exit, Exit::Code(100));
        for fault in [
            Fault::NodeUncordoned { host: of("w1") },
            Fault::KubeletRecovers { host: of("w2") },
            Fault::MirrorAnswers { host: of("w2") },
        ] {
            assert!(simulated.inject(fault));
        }
        kube.must(&format!("kubectl {ADMIN} wait --for=condition=Ready node/w2 --timeout=60s")).await;
        worker.must(lists).await;
    });
    assert!(!simulated.host("w1").expect("a host").cordoned);
}

#[test]
fn a_clock_that_jumps_dates_only_what_comes_after() {
    let simulated = cluster(1, 1, 1);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let seconds = async |line| host.ask(line).await.stdout.trim().parse::<i64>().expect("seconds");
        host.write("/etc/before", "").await;
        let (before, written) = (seconds("date +%s").await, seconds("stat -c %Y /etc/before").await);
        simulated.inject(Fault::ClockJumps { host: "w1".to_owned(), millis: -3_600_000 });
        assert_eq!(seconds("stat -c %Y /etc/before").await, written, "what is written stays as it is");
        assert!((3590..=3600).contains(&(before - seconds("date +%s").await)));
        host.write("/etc/after", "").await;
        assert!(seconds("stat -c %Y /etc/after").await < written);
    });
}

#[test]
fn ops_are_singled_out_by_their_launches() {
    let simulated = cluster(1, 1, 1);
    let faulty_ops = |launches: &str, op_fault| Fault::OpsDoomed {
        host: "w1".to_owned(),
        launches: launches.to_owned(),
        op_fault,
        times: 1,
    };
    simulated.inject(faulty_ops("0-1", OpFault::Fails { code: 3, stderr: "out of luck".to_owned() }));
    simulated.inject(faulty_ops("0-2", OpFault::NeverEnds));
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let failed = host.run("apt-get install -y jq").await;
        assert_eq!((failed.exit, failed.stderr.as_str()), (Exit::Code(3), "out of luck\n"));
        let hung = host.try_run(&op("apt-get install -y jq", 900)).await.expect("a result");
        assert_eq!(hung.exit, Exit::TimedOut);
        assert!(simulated.elapsed() >= Duration::from_secs(900));
        host.must("apt-get install -y jq").await;
    });
}

#[test]
fn a_scenario_says_what_commands_answer() {
    let simulated = cluster(1, 2, 1);
    let told = SimulatedCommand {
        hosts: vec!["w1".to_owned()],
        text: "app --install".to_owned(),
        exit: 0,
        stdout: "installed\n".to_owned(),
        stderr: String::new(),
        takes: Duration::from_secs(30),
        creates: Some("/opt/app".to_owned()),
        needs: None,
        installs: vec![("app".to_owned(), "2.0-1".to_owned())],
    };
    let check = SimulatedCommand {
        text: "app --check".to_owned(),
        stdout: "2.0\n".to_owned(),
        takes: Duration::ZERO,
        creates: None,
        needs: Some("--install".to_owned()),
        installs: Vec::new(),
        ..told.clone()
    };
    simulated.tell(told);
    simulated.tell(check);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        assert_eq!(host.ask("app --check").await.rc, 1, "nothing is installed yet");
        assert_eq!(host.must("app --install").await.stdout, "installed\n");
        assert_eq!(host.ask("app --check").await.stdout, "2.0\n");
        assert_eq!(host.ask("test -e /opt/app").await.rc, 0);
        assert_eq!(simulated.host("w1").expect("a host").packages["app"], "2.0-1");
        let other = Trigger::host(&simulated, "w2").await;
        assert_eq!(other.ask("app --check").await.rc, 127, "it is told of w1 only");
    });
}

#[test]
fn what_nobody_tells_is_taken_as_the_step_says() {
    let simulated = cluster(1, 1, 1);
    let assumption = Assumption {
        creates: vec!["/opt/made".to_owned()],
        holds_after: vec![words("made --check"), words("test -e /opt/else")],
        holds: vec![words("made --wanted")],
        looks: Vec::new(),
    };
    simulated.assume([2, 4, 1], assumption);
    story(async {
        let host = Trigger::host(&simulated, "w1").await;
        let asked = async |line: &str| host.ask(line).await.rc;
        assert_eq!(asked("made --wanted").await, 0);
        assert_eq!((asked("made --check").await, asked("test -e /opt/else").await), (1, 1));
        let op = op("make it", 60);
        for (name, expected) in [("2-4-10-1-0-0", 1), ("2-4-1-1-0-0", 0)] {
            let id = LaunchId { run: "run".to_owned(), op: name.to_owned() };
            host.session
                .launch(&Launch { id, op: &op, over: &[] }, &mut KeptRun::default())
                .await
                .expect("a result");
            let all = [
                asked("made --check").await,
                asked("test -e /opt/else").await,
                asked("test -e /opt/made").await,
            ];
            assert_eq!(all, [expected; 3], "{name}");
        }
    });
}
