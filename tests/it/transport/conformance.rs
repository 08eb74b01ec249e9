//! What every transport to a real host does. One list; each behaviour is tried over each kind of transport.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::rc::Rc;

use rollbook::inventory::Become;
use rollbook::op::{Exit, Op, OpKind};
use rollbook::transport::{Attached, Launch, LaunchId, OUTPUT_LIMIT, OpResult, Session, SessionError};
use rollbook::value::Duration;

use crate::support::disk::Disk;

use super::bench::{Bench, Kind, Seen, exec, launch_id, probe, run, sh};
use super::signals::{signals_change_nothing, signals_leave_the_time_limit};

macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        mod local {
            $(#[test] fn $name() { super::run(async { super::$name(&super::Bench::new(super::Kind::Local).await).await }) })*
        }
        mod ssh {
            $(#[test] fn $name() { super::run(async { super::$name(&super::Bench::new(super::Kind::Ssh).await).await }) })*
        }
    };
}

behaviours![
    arguments_environment_and_input_arrive_as_they_were,
    a_megabyte_of_input_arrives,
    every_way_to_end_is_told_apart,
    the_environment_is_an_allow_list,
    the_time_limit_ends_the_tree,
    a_second_launch_attaches_and_nothing_runs_twice,
    an_op_goes_on_without_its_client,
    the_time_limit_ends_an_op_without_its_client,
    a_daemon_left_behind_does_not_hold_the_op,
    output_comes_while_the_op_runs,
    output_keeps_its_beginning_and_its_end,
    stop_ends_an_op_and_forbids_one_that_has_not_begun,
    an_op_never_started_is_said_to_be_so,
    another_run_is_refused_while_an_op_goes_on,
    a_run_that_was_given_up_is_refused_for_good,
    a_file_is_replaced_whole,
    a_file_that_cannot_be_written_leaves_nothing_behind,
    a_probe_answers_each_question_exactly,
    a_probe_ends_at_its_time_limit,
    root_is_needed_and_not_there,
    records_are_private_and_links_refused,
    old_runs_are_pruned,
    what_an_op_said_is_emptied_and_its_result_stays,
    twenty_launches_at_once,
    a_full_disk_takes_no_result_away,
    signals_change_nothing,
    signals_leave_the_time_limit,
];

async fn arguments_environment_and_input_arrive_as_they_were(bench: &Bench) {
    let odd = [
        "",
        " ",
        "'",
        "\"",
        "\\",
        "\\n",
        "$HOME",
        "`id`",
        "$(id)",
        "%n%s",
        "*",
        "-n",
        "a\nb\n",
        "é\u{1F980}\u{202e}",
        "!!",
        "~",
        "#",
        ";&|<>",
        "\u{1b}[31m",
        "\r",
    ];
    let mut op = sh("for w; do printf '<%s>' \"$w\"; done; printf '[%s]' \"$ODD\" >&2; cat");
    let OpKind::Exec { argv } = &mut op.kind else { unreachable!() };
    argv.push("sh".to_owned());
    argv.extend(odd.map(str::to_owned));
    op.env.insert("ODD".to_owned(), odd.concat());
    op.stdin = odd.join("\0");
    let result = bench.launch(&op).await;
    let words = format!("<{}>", odd.join("><"));
    assert_eq!(result.stdout, format!("{words}{}", op.stdin));
    assert_eq!(result.stderr, format!("[{}]", odd.concat()));
}

async fn a_megabyte_of_input_arrives(bench: &Bench) {
    let mut op = exec(&["sha256sum"]);
    op.stdin = "it's\\ %s\n".repeat(100_000);
    let expected = bench.path("expected");
    fs::write(&expected, &op.stdin).unwrap();
    let sum = Command::new("sha256sum").stdin(fs::File::open(expected).unwrap()).output().unwrap();
    assert_eq!(bench.launch(&op).await.stdout.as_bytes(), sum.stdout);
    // An op need not read what it is given.
    op.kind = exec(&["true"]).kind;
    assert_eq!(bench.try_launch("2", &op, &mut Seen::default()).await.unwrap().exit, Exit::Code(0));
}

async fn every_way_to_end_is_told_apart(bench: &Bench) {
    let rows = [
        ("exit 0", Exit::Code(0)),
        ("exit 1", Exit::Code(1)),
        ("exit 127", Exit::Code(127)),
        ("exit 255", Exit::Code(255)),
        ("exit 143", Exit::Code(143)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -KILL $$", Exit::Signal(9)),
        ("kill -SEGV $$", Exit::Signal(11)),
    ];
    for (number, (script, exit)) in rows.iter().enumerate() {
        let result = bench.try_launch(&number.to_string(), &sh(script), &mut Seen::default()).await.unwrap();
        assert_eq!(result.exit, *exit, "{script}");
    }
    let missing =
        bench.try_launch("missing", &exec(&["no-such-program"]), &mut Seen::default()).await.unwrap();
    assert_eq!(missing.exit, Exit::Code(127));
    assert!(missing.stderr.contains("no-such-program"), "{}", missing.stderr);
}

async fn the_environment_is_an_allow_list(bench: &Bench) {
    let result = bench.launch(&exec(&["env"])).await;
    let allowed = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LC_ALL",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    ];
    let names: Vec<&str> =
        result.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.contains(&"HOME") && names.iter().all(|name| allowed.contains(name)), "{names:?}");
    assert!(result.stdout.contains("LC_ALL=C\n") && result.stdout.contains("/usr/sbin"), "{}", result.stdout);
}

async fn the_time_limit_ends_the_tree(bench: &Bench) {
    let pids = bench.path("pids");
    let p = pids.display();
    let script = format!(
        "setsid sh -c 'trap \"\" TERM; echo $$ >>{p}; sleep 300; sleep 300' & sh -c 'trap \"\" TERM; echo $$ >>{p}; sleep 300; sleep 300' & echo $$ >>{p}; wait"
    );
    let mut op = sh(&script);
    op.timeout = Duration::from_secs(1);
    assert_eq!(bench.launch(&op).await.exit, Exit::TimedOut);
    let pids = fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 3, "{pids}");
    for pid in pids.lines() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }
}

async fn a_second_launch_attaches_and_nothing_runs_twice(bench: &Bench) {
    let log = bench.path("log");
    let op = sh(&format!("echo ran >>{}; echo out; echo err >&2; exit 3", log.display()));
    // Many at once and more than one time: the race that must not be lost is a short one.
    for id in ["1", "2", "3", "4"] {
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (session, op) = (bench.session.clone(), op.clone());
            set.spawn_local(async move {
                let launch = Launch { id: launch_id(id), op: &op, over: &[] };
                session.launch(&launch, &mut Seen::default()).await.unwrap()
            });
        }
        let mut results = set.join_all().await;
        results.push(bench.try_launch(id, &op, &mut Seen::default()).await.unwrap());
        for result in results {
            assert_eq!((result.exit, &*result.stdout, &*result.stderr), (Exit::Code(3), "out\n", "err\n"));
        }
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "ran\n".repeat(4));
}

/// An op that says `begun`, waits for `gate`, says `ended` and exits with 5; and who opens the gate.
pub(super) fn gated(bench: &Bench) -> (Op, impl FnOnce() + use<>) {
    let gate = bench.path("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let op = sh(&format!(
        "echo begun; echo ran >>{}; cat {}; echo ended >&2; exit 5",
        bench.path("log").display(),
        gate.display()
    ));
    (op, move || fs::write(gate, "through\n").unwrap())
}

/// Starts an op, and takes its client away when it has begun to speak; what connects anew.
async fn cut_off(bench: &Bench, op: &Op) -> Rc<dyn Session> {
    let mut seen = Seen::default();
    let came = seen.came.clone();
    tokio::select! {
        ended = bench.try_launch("1", op, &mut seen) => panic!("ended early: {ended:?}"),
        () = came.notified() => {}
    }
    bench.kill_client();
    // A link that is gone is said to be lost, not to be an answer.
    if bench.sshd.is_some() {
        let lost = bench.try_launch("1", op, &mut Seen::default()).await;
        assert!(matches!(lost, Err(SessionError::Lost(_))), "{lost:?}");
    }
    bench.transport.connect(&bench.target).await.unwrap()
}

async fn an_op_goes_on_without_its_client(bench: &Bench) {
    let (op, open) = gated(bench);
    let again = cut_off(bench, &op).await;
    open();
    let mut seen = Seen::default();
    let Attached::Ended(result) = again.attach(&launch_id("1"), false, &mut seen).await.unwrap() else {
        panic!("it was started");
    };
    assert_eq!(
        (result.exit, &*result.stdout, &*result.stderr),
        (Exit::Code(5), "begun\nthrough\n", "ended\n")
    );
    assert_eq!((&*seen.stdout, &*seen.stderr), (&b"begun\nthrough\n"[..], &b"ended\n"[..]));
    assert_eq!(fs::read_to_string(bench.path("log")).unwrap(), "ran\n");
}

async fn the_time_limit_ends_an_op_without_its_client(bench: &Bench) {
    // What it says later finds nobody who reads it.
    let mut op = sh("echo begun; while :; do sleep 0.1; echo more; done");
    op.timeout = Duration::from_secs(3);
    let again = cut_off(bench, &op).await;
    let mut seen = Seen::default();
    let id = launch_id("1");
    let attached = again.attach(&id, false, &mut seen);
    let attached = tokio::time::timeout(std::time::Duration::from_mins(1), attached).await;
    let Attached::Ended(result) = attached.expect("it ends").unwrap() else { panic!("it was started") };
    assert_eq!(result.exit, Exit::TimedOut);
    assert!(result.stdout.starts_with("begun\nmore\n"), "{}", result.stdout);
}

async fn a_daemon_left_behind_does_not_hold_the_op(bench: &Bench) {
    let pid = bench.path("pid");
    let op = sh(&format!("setsid sleep 300 & echo $! >{}; echo done", pid.display()));
    let result =
        tokio::time::timeout(std::time::Duration::from_secs(30), bench.launch(&op)).await.expect("it ends");
    assert_eq!((result.exit, &*result.stdout), (Exit::Code(0), "done\n"));
    let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the daemon lives");
}

async fn output_comes_while_the_op_runs(bench: &Bench) {
    let (op, open) = gated(bench);
    let mut seen = Seen::default();
    let came = seen.came.clone();
    let open_when_it_came = async {
        came.notified().await;
        open();
    };
    let (result, ()) = tokio::join!(bench.try_launch("1", &op, &mut seen), open_when_it_came);
    assert_eq!(result.unwrap().exit, Exit::Code(5));
    assert_eq!((&*seen.stdout, &*seen.stderr), (&b"begun\nthrough\n"[..], &b"ended\n"[..]));
}

async fn output_keeps_its_beginning_and_its_end(bench: &Bench) {
    let mut seen = Seen::default();
    let op = sh("echo begun; head -c 40000000 /dev/zero | tr '\\0' x; echo; echo the end; echo no >&2");
    let result = bench.try_launch("1", &op, &mut seen).await.unwrap();
    assert_eq!((result.exit, &*result.stderr), (Exit::Code(0), "no\n"));
    for text in [&result.stdout, &String::from_utf8(seen.stdout.clone()).unwrap()] {
        assert!(text.starts_with("begun\nxxx") && text.ends_with("xxx\nthe end\n"), "{}", text.len());
        assert!(text.contains(" bytes left out …]\nx"), "{}", text.len());
    }
    assert!(result.stdout.len() <= OUTPUT_LIMIT, "{}", result.stdout.len());
    // What is missing is told to the byte, and whoever asks later hears the same.
    let attached = bench.session.attach(&launch_id("1"), false, &mut Seen::default()).await.unwrap();
    let Attached::Ended(again) = attached else { panic!("it was started") };
    assert_eq!(again.stdout, result.stdout);
    let text = String::from_utf8(seen.stdout).unwrap();
    let (head, rest) = text.split_once("\n[… ").unwrap();
    let (left_out, end) = rest.split_once(" bytes left out …]\n").unwrap();
    let all = "begun\n".len() + 40_000_000 + "\nthe end\n".len();
    assert_eq!(head.len() + left_out.parse::<usize>().unwrap() + end.len(), all);
    let size = |name: &str| fs::metadata(bench.record("1").join(name)).map_or(0, |file| file.len());
    let kept = size("out") + size("out.end");
    assert!(kept <= 8 << 20, "{kept} bytes are kept");
}

async fn stop_ends_an_op_and_forbids_one_that_has_not_begun(bench: &Bench) {
    let mut seen = Seen::default();
    let came = seen.came.clone();
    let op = sh("echo begun; sleep 300");
    let stop_when_it_came = async {
        came.notified().await;
        bench.session.stop(&launch_id("1"), false).await.unwrap();
    };
    let (result, ()) = tokio::join!(bench.try_launch("1", &op, &mut seen), stop_when_it_came);
    assert_eq!(result.unwrap().exit, Exit::Signal(15));

    bench.session.stop(&launch_id("2"), false).await.unwrap();
    let late = bench.try_launch("2", &op, &mut Seen::default()).await;
    assert!(matches!(late, Err(SessionError::NotBegun(_))), "{late:?}");
    let attached = bench.session.attach(&launch_id("2"), false, &mut Seen::default()).await.unwrap();
    assert_eq!(attached, Attached::NeverStarted);
}

async fn an_op_never_started_is_said_to_be_so(bench: &Bench) {
    let attached = bench.session.attach(&launch_id("1"), false, &mut Seen::default()).await.unwrap();
    assert_eq!(attached, Attached::NeverStarted);
    bench.launch(&exec(&["true"])).await;
    let attached = bench.session.attach(&launch_id("2"), false, &mut Seen::default()).await.unwrap();
    assert_eq!(attached, Attached::NeverStarted);
}

async fn another_run_is_refused_while_an_op_goes_on(bench: &Bench) {
    let (op, open) = gated(bench);
    let other = LaunchId { run: "run-2".to_owned(), op: "1".to_owned() };
    let log = bench.path("other");
    let other_op = sh(&format!("echo ran >>{}", log.display()));
    let mut seen = Seen::default();
    let came = seen.came.clone();
    let meanwhile = async {
        came.notified().await;
        let refused = bench
            .session
            .launch(&Launch { id: other.clone(), op: &other_op, over: &[] }, &mut Seen::default())
            .await;
        assert_eq!(refused, Err(SessionError::Busy("run-1".to_owned())));
        assert!(!log.exists());
        open();
    };
    let (result, ()) = tokio::join!(bench.try_launch("1", &op, &mut seen), meanwhile);
    assert_eq!(result.unwrap().exit, Exit::Code(5));
    // All that run began is over, so its claim is.
    let taken = bench
        .session
        .launch(&Launch { id: other, op: &other_op, over: &[] }, &mut Seen::default())
        .await
        .unwrap();
    assert_eq!((taken.exit, fs::read_to_string(log).unwrap().as_str()), (Exit::Code(0), "ran\n"));
}

async fn a_run_that_was_given_up_is_refused_for_good(bench: &Bench) {
    assert_eq!(bench.launch(&sh("true")).await.exit, Exit::Code(0));
    let id = |run: &str, op: &str| LaunchId { run: run.to_owned(), op: op.to_owned() };
    let over = ["run-0".to_owned(), "run-1".to_owned()];
    let noop = sh("true");
    let next = Launch { id: id("run-2", "1"), op: &noop, over: &over };
    bench.session.launch(&next, &mut Seen::default()).await.unwrap();
    // Whatever it is that comes late, and whoever works on the host by then.
    let after = Launch { id: id("run-3", "1"), op: &noop, over: &[] };
    bench.session.launch(&after, &mut Seen::default()).await.unwrap();
    for run in ["run-0", "run-1"] {
        let ran = bench.path("ran");
        let late = sh(&format!("touch {}", ran.display()));
        let late = Launch { id: id(run, "9"), op: &late, over: &[] };
        let refused = bench.session.launch(&late, &mut Seen::default()).await;
        let Err(SessionError::NotBegun(why)) = refused else { panic!("{run}: {refused:?}") };
        assert!(why.contains("given up") && !ran.exists(), "{run}: {why}");
    }
}

fn write(path: &std::path::Path, mode: &str, owner: &str, content: &str) -> Op {
    let kind = OpKind::Write {
        path: path.to_str().unwrap().to_owned(),
        mode: mode.to_owned(),
        owner: owner.to_owned(),
    };
    Op { kind, stdin: content.to_owned(), ..exec(&[]) }
}

async fn a_file_is_replaced_whole(bench: &Bench) {
    let path = bench.path("a file.conf");
    fs::write(&path, "old").unwrap();
    let old = fs::File::open(&path).unwrap();
    let content = "it's \\n $x\0\n\n";
    let result = bench.launch(&write(&path, "0640", "", content)).await;
    assert_eq!(result.exit, Exit::Code(0), "{}", result.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), content);
    let new = fs::metadata(&path).unwrap();
    assert_eq!(new.permissions().mode() & 0o7777, 0o640);
    // Another inode: whoever had the old file open still reads the old text, whole.
    assert_ne!(new.ino(), old.metadata().unwrap().ino());
    assert_eq!(std::io::read_to_string(old).unwrap(), "old");
    let empty = bench.path("empty");
    bench.try_launch("2", &write(&empty, "600", "", ""), &mut Seen::default()).await.unwrap();
    assert_eq!(fs::read(empty).unwrap(), b"");
}

async fn a_file_that_cannot_be_written_leaves_nothing_behind(bench: &Bench) {
    let dir = bench.path("dir");
    fs::create_dir(&dir).unwrap();
    let nowhere = bench.path("nowhere/file");
    for (id, op) in [
        ("1", write(&dir, "0644", "", "x")),
        ("2", write(&nowhere, "0644", "", "x")),
        ("3", write(&bench.path("f"), "0644", "no-such-user", "x")),
    ] {
        let result = bench.try_launch(id, &op, &mut Seen::default()).await.unwrap();
        assert_eq!(result.exit, Exit::Code(1), "{id}");
        assert!(!result.stderr.is_empty(), "{id}");
    }
    let left: Vec<_> =
        fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the launcher's directory and `dir`: {left:?}");
}

async fn a_probe_answers_each_question_exactly(bench: &Bench) {
    let big = "head -c 100000 /dev/zero | tr '\\0' y; echo last";
    let answers = bench
        .ask(
            &[
                &["printf", "no newline"],
                &["no-such-program", "x"],
                &["sh", "-c", "echo out; echo err >&2; exit 255"],
                &["printf", r"a\000\377\n\n"],
                &["sh", "-c", big],
                &["cat"],
                &["sh", "-c", "kill -KILL $$"],
                &["echo", "-n", "$x `y` 'z'"],
            ],
            Duration::from_secs(20),
        )
        .await;
    let codes: Vec<i32> = answers.iter().map(|answer| answer.rc).collect();
    assert_eq!(codes, [0, 127, 255, 0, 0, 0, 137, 0]);
    assert_eq!(answers[0].stdout, "no newline");
    assert!(answers[1].stderr.contains("no-such-program") && answers[1].stdout.is_empty());
    assert_eq!((&*answers[2].stdout, &*answers[2].stderr), ("out\n", "err\n"));
    assert_eq!(answers[3].stdout, "a\0\u{fffd}\n\n");
    // An answer is parsed: it comes whole where an op's output would be cut.
    assert!(answers[4].stdout.len() > OUTPUT_LIMIT && !answers[4].stdout.contains("bytes left out"));
    assert!(answers[4].stdout.ends_with("last\n"));
    assert_eq!(answers[5].stdout, "");
    assert!(answers[7].stdout.contains("$x `y` 'z'"));
}

async fn a_probe_ends_at_its_time_limit(bench: &Bench) {
    let answers = bench
        .ask(
            &[&["echo", "first"], &["sh", "-c", "echo part; sleep 300"], &["echo", "third"]],
            Duration::from_secs(1),
        )
        .await;
    let seen: Vec<(i32, &str)> = answers.iter().map(|answer| (answer.rc, &*answer.stdout)).collect();
    assert_eq!(seen, [(0, "first\n"), (124, "part\n"), (124, "")]);
}

async fn root_is_needed_and_not_there(bench: &Bench) {
    let mut op = exec(&["id", "-u"]);
    op.r#become = true;
    let result = bench.try_launch("1", &op, &mut Seen::default()).await;
    let asked = bench
        .session
        .probe(&rollbook::op::Probe { r#become: true, ..probe(&[&["id", "-u"]], Duration::from_secs(5)) })
        .await;
    assert_eq!(bench.target.r#become, Become::None);
    if rustix::process::geteuid().is_root() {
        assert_eq!(
            (result.unwrap().stdout, asked.unwrap()[0].stdout.clone()),
            ("0\n".to_owned(), "0\n".to_owned())
        );
    } else {
        assert!(matches!(result, Err(SessionError::Privilege(_))), "{result:?}");
        assert!(matches!(asked, Err(SessionError::Privilege(_))), "{asked:?}");
    }
}

async fn records_are_private_and_links_refused(bench: &Bench) {
    bench.launch(&Op { stdin: "secret-in-stdin".to_owned(), ..sh("cat >/dev/null; echo x") }).await;
    for dir in [bench.path("root"), bench.path("root/run-1"), bench.record("1")] {
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, 0o700, "{}", dir.display());
    }
    for entry in fs::read_dir(bench.record("1")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{entry:?}");
        assert!(!fs::read_to_string(entry.path()).unwrap().contains("secret-in-stdin"), "{entry:?}");
    }
    let elsewhere = bench.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for (id, link) in [("2", bench.record("2")), ("3", bench.path("root/run-1")), ("4", bench.path("root"))] {
        let _ = fs::rename(&link, bench.path(&format!("moved-{id}")));
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        let refused = bench.try_launch(id, &exec(&["true"]), &mut Seen::default()).await;
        assert!(matches!(refused, Err(SessionError::Launcher(_))), "{id}: {refused:?}");
    }
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

async fn old_runs_are_pruned(bench: &Bench) {
    for run in ["run-a", "run-b", "run-c"] {
        let id = LaunchId { run: run.to_owned(), op: "1".to_owned() };
        bench
            .session
            .launch(&Launch { id, op: &exec(&["true"]), over: &[] }, &mut Seen::default())
            .await
            .unwrap();
    }
    let (op, open) = gated(bench);
    let mut seen = Seen::default();
    let came = seen.came.clone();
    let meanwhile = async {
        came.notified().await;
        bench.session.prune(&["run-a", "run-c", "run-1", "run-x"], false).await.unwrap();
        open();
    };
    let (result, ()) = tokio::join!(bench.try_launch("1", &op, &mut seen), meanwhile);
    result.unwrap();
    let there = |run: &str| bench.path("root").join(run).exists();
    assert_eq!(["run-a", "run-b", "run-c", "run-1"].map(there), [false, true, false, true]);
}

async fn what_an_op_said_is_emptied_and_its_result_stays(bench: &Bench) {
    let id = launch_id("1");
    bench.session.hush(&id, false).await.unwrap();
    let said = sh("echo said; echo told >&2; exit 3");
    let launch = Launch { id: id.clone(), op: &said, over: &[] };
    bench.session.launch(&launch, &mut Seen::default()).await.unwrap();
    bench.session.hush(&id, false).await.unwrap();
    let found = bench.session.attach(&id, false, &mut Seen::default()).await.unwrap();
    let Attached::Ended(OpResult { exit, stdout, stderr }) = found else { panic!("{found:?}") };
    assert_eq!((exit, stdout.as_str(), stderr.as_str()), (Exit::Code(3), "", ""));
    // Sent again, it is found to have run.
    let again = bench.session.launch(&launch, &mut Seen::default()).await.unwrap();
    assert_eq!((again.exit, again.stdout.as_str()), (Exit::Code(3), ""));
}

async fn twenty_launches_at_once(bench: &Bench) {
    let mut set = tokio::task::JoinSet::new();
    for number in 0..20 {
        let session = bench.session.clone();
        set.spawn_local(async move {
            let op = sh(&format!("echo {number}; exit {number}"));
            let launch = Launch { id: launch_id(&number.to_string()), op: &op, over: &[] };
            (number, session.launch(&launch, &mut Seen::default()).await.unwrap())
        });
    }
    while let Some(ended) = set.join_next().await {
        let (number, result) = ended.unwrap();
        assert_eq!((result.exit, result.stdout), (Exit::Code(number), format!("{number}\n")));
    }
}

async fn a_full_disk_takes_no_result_away(bench: &Bench) {
    let root = bench.path("root");
    let disk = Disk::mounted_at(&root, "size=256k,mode=0700");
    let fill = format!("dd if=/dev/zero of={}/fill bs=4k; exit 7", root.display());
    let filled = bench.launch(&sh(&fill)).await;
    assert_eq!(filled.exit, Exit::Code(7), "it filled the disk and ended so");
    // Its own words did not fit on the disk.
    assert!(filled.stderr.contains("is full: No space left on device"), "{filled:?}");
    // Where there is no room for a result nothing begins; once there is, it does.
    let error = bench.try_launch("2", &sh("exit 3"), &mut Seen::default()).await.unwrap_err();
    assert!(
        matches!(&error, SessionError::Launcher(why) if why.ends_with(": No space left on device")),
        "{error:?}"
    );
    // A single page is not room enough, either: nothing begins that could not be written down.
    let filled = fs::metadata(root.join("fill")).unwrap().len();
    fs::File::options().write(true).open(root.join("fill")).unwrap().set_len(filled - 4096).unwrap();
    let error = bench.try_launch("2", &sh("exit 3"), &mut Seen::default()).await.unwrap_err();
    assert!(matches!(error, SessionError::Launcher(_)), "{error:?}");
    fs::remove_file(root.join("fill")).unwrap();
    let result = bench.try_launch("2", &sh("exit 3"), &mut Seen::default()).await.unwrap();
    assert_eq!(result.exit, Exit::Code(3));
    // Room is kept for what a long op says of it: whoever asks afterwards finds a disk with room, as after dpkg.
    let words = format!(
        "dd if=/dev/zero of={0} bs=4k; echo own words >&2; rm {0}; exit 7",
        root.join("fill").display()
    );
    let long = Op { long: true, ..sh(&words) };
    let told = bench.try_launch("3", &long, &mut Seen::default()).await.unwrap();
    assert_eq!(told.exit, Exit::Code(7));
    assert!(
        told.stderr.contains("No space left on device") && told.stderr.ends_with("own words\n"),
        "{told:?}"
    );
    drop(disk);
}
