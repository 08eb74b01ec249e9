//! The launcher under each shell that may stand behind /bin/sh, and a restart with a boot id of our own. Everything
//! that users see is in tests/it/transport.

use tempfile::TempDir;

use super::*;
use crate::op::{Op, Query, Site};
use crate::transport::local::LocalLink;
use crate::value::Duration as Limit;

/// Debian's, Red Hat's and Alpine's.
const SHELLS: [&str; 3] = ["dash", "bash --posix", "busybox sh"];

struct Bench {
    session: HostSession<LocalLink>,
    dir: TempDir,
}

#[derive(Default)]
struct Seen(Vec<u8>, Vec<u8>);

impl OutputSink for Seen {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.0.extend_from_slice(bytes),
            Stream::Stderr => self.1.extend_from_slice(bytes),
        }
    }
}

impl Bench {
    fn new(shell: &str) -> Self {
        // The launcher refuses directories below /tmp.
        let home = std::env::var_os("HOME").expect("HOME is set");
        let base = if rustix::process::geteuid().is_root() { "/var/lib".into() } else { home };
        let dir = tempfile::Builder::new().prefix("rollbook-test-").tempdir_in(base).unwrap();
        // Whoever started the tests in the background has them ignore Ctrl-C, which no shell can take back.
        let fresh = ["env", "--default-signal=INT,QUIT"].into_iter().chain(shell.split(' '));
        let link = LocalLink { shell: fresh.map(str::to_owned).collect() };
        let root = dir.path().join("root").to_str().unwrap().to_owned();
        Self { session: HostSession::new(link, Become::None, Some(root)), dir }
    }

    async fn run(&self, op: &Op) -> OpResult {
        self.session.launch(&Launch { id: id("1"), op, over: &[] }, &mut Seen::default()).await.unwrap()
    }
}

fn id(op: &str) -> LaunchId {
    LaunchId { run: "run-1".to_owned(), op: op.to_owned() }
}

fn exec(argv: &[&str]) -> Op {
    Op { timeout: Limit::from_secs(20), ..Op::exec("try", argv.iter().copied()) }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn every_shell_ends_an_op_alike() {
    let rows: [(&[&str], Exit); 8] = [
        (&["true"], Exit::Code(0)),
        (&["sh", "-c", "exit 1"], Exit::Code(1)),
        (&["sh", "-c", "exit 255"], Exit::Code(255)),
        (&["no-such-program"], Exit::Code(127)),
        (&["/etc/passwd"], Exit::Code(126)),
        (&["sh", "-c", "kill -KILL $$"], Exit::Signal(9)),
        (&["sh", "-c", "kill -TERM $$"], Exit::Signal(15)),
        (&["sh", "-c", "kill -INT $$"], Exit::Signal(2)),
    ];
    for shell in SHELLS {
        for (argv, exit) in &rows {
            let result = run(Bench::new(shell).run(&exec(argv)));
            assert_eq!(result.exit, *exit, "{shell}: {argv:?}: {result:?}");
        }
    }
    for shell in ["dash", "busybox sh"] {
        let result = run(Bench::new(shell).run(&exec(&["sh", "-c", "exit 143"])));
        assert_eq!(result.exit, Exit::Code(143), "{shell}");
    }
}

#[test]
fn every_shell_passes_arguments_environment_and_input_on() {
    let odd = [
        "",
        " ",
        "a b",
        "'",
        "\"",
        "\\",
        "$HOME",
        "`id`",
        "%n%s",
        "*",
        "-n",
        "a\nb\n",
        "héé\u{1F980}",
        "!",
        "~",
    ];
    for shell in SHELLS {
        let mut op = exec(&[
            "sh",
            "-c",
            "for w; do printf '<%s>' \"$w\"; done; printf '[%s]' \"$ODD\" >&2; cat",
            "sh",
        ]);
        let OpKind::Exec { argv } = &mut op.kind else { unreachable!() };
        argv.extend(odd.map(str::to_owned));
        op.env.insert("ODD".to_owned(), odd.concat());
        op.stdin = format!("\\n\\c\0{}", odd.concat());
        let result = run(Bench::new(shell).run(&op));
        let words = format!("<{}>", odd.join("><"));
        assert_eq!(result.stdout, format!("{words}{}", op.stdin), "{shell}: {}", result.stderr);
        assert_eq!(result.stderr, format!("[{}]", odd.concat()), "{shell}");
    }
}

#[test]
fn every_shell_ends_the_whole_tree_at_the_time_limit() {
    for shell in SHELLS {
        let bench = Bench::new(shell);
        let mark = bench.dir.path().join("survivor");
        // A child in another session, and one that does not hear TERM.
        let script = format!(
            "setsid sh -c 'sleep 25; touch {0}' & sh -c 'trap \"\" TERM; sleep 25; touch {0}' & echo begun; sleep 30",
            mark.display()
        );
        let mut op = exec(&["sh", "-c", &script]);
        op.timeout = Limit::from_millis(600);
        let result = run(bench.run(&op));
        assert_eq!((result.exit, result.stdout.as_str()), (Exit::TimedOut, "begun\n"), "{shell}");
        let sleepers = std::process::Command::new("sh")
            .args(["-c", "grep -las \"$0\" /proc/[0-9]*/cmdline", mark.to_str().unwrap()])
            .output()
            .unwrap();
        let listed = String::from_utf8_lossy(&sleepers.stdout).into_owned();
        let strangers: Vec<&str> = listed.lines().filter(|line| !line.contains("self")).collect();
        assert!(strangers.len() <= 2, "{shell}: {strangers:?}");
        assert!(!mark.exists(), "{shell}");
    }
}

#[test]
fn every_shell_answers_a_probe_exactly() {
    let rows: [(&[&str], &str, i32, &str, &str); 7] = [
        (&["printf", "no newline"], "", 0, "no newline", ""),
        (&["printf", r"\n\n"], "", 0, "\n\n", ""),
        (&["sh", "-c", "echo out; echo err >&2; exit 3"], "", 3, "out\n", "err\n"),
        (&["cat"], "in\nput", 0, "in\nput", ""),
        (&["test", "-e", "/nowhere"], "", 1, "", ""),
        (&["printf", r"a\000b\377"], "", 0, "a\0b\u{fffd}", ""),
        (&["sh", "-c", "echo $LC_ALL; pwd"], "", 0, "C\n/\n", ""),
    ];
    for shell in SHELLS {
        let bench = Bench::new(shell);
        let queries = rows.iter().map(|(argv, stdin, ..)| Query {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            stdin: (*stdin).to_owned(),
            ..Query::default()
        });
        let probe = Probe {
            site: Site::Subject,
            queries: queries.collect(),
            r#become: false,
            timeout: Limit::from_secs(10),
        };
        let answers = run(bench.session.probe(&probe)).unwrap();
        for ((argv, _, rc, stdout, stderr), answer) in rows.iter().zip(answers) {
            assert_eq!(
                (answer.rc, &*answer.stdout, &*answer.stderr),
                (*rc, *stdout, *stderr),
                "{shell}: {argv:?}"
            );
        }
    }
}

#[test]
fn a_restart_is_done_when_the_boot_id_is_another() {
    let mut bench = Bench::new("/bin/sh");
    let boot = bench.dir.path().join("boot_id");
    std::fs::write(&boot, "first\n").unwrap();
    bench.session.boot_id = Some(boot.to_str().unwrap().to_owned());
    // A restart's bookkeeping around another program: no test restarts this machine.
    let op = exec(&["true"]);
    let script =
        script::launch(&Launch { id: id("1"), op: &op, over: &[] }, &bench.session.place(false)).unwrap();
    let harmless = script.replace("rb_kind=exec", "rb_kind=reboot");
    assert_ne!(harmless, script);
    run(async {
        let asked = bench.session.follow(false, &harmless, &mut Ignore).await.unwrap();
        assert!(matches!(asked.0, OpEndMark::Rebooting));
        let attach = script::attach(&id("1"), &bench.session.place(false)).unwrap();
        assert!(matches!(
            bench.session.follow(false, &attach, &mut Ignore).await.unwrap().0,
            OpEndMark::Rebooting
        ));
        std::fs::write(&boot, "second\n").unwrap();
        let attached = bench.session.attach(&id("1"), false, &mut Ignore).await.unwrap();
        let result = OpResult { exit: Exit::Code(0), stdout: String::new(), stderr: String::new() };
        assert_eq!(attached, Attached::Ended(result));
    });
}

#[test]
fn an_op_that_a_restart_ended_was_interrupted() {
    let mut bench = Bench::new("/bin/sh");
    let boot = bench.dir.path().join("boot_id");
    std::fs::write(&boot, "first\n").unwrap();
    bench.session.boot_id = Some(boot.to_str().unwrap().to_owned());
    run(async {
        bench.run(&exec(&["true"])).await;
        std::fs::remove_file(bench.dir.path().join("root/run-1/1/status")).unwrap();
        std::fs::write(&boot, "second\n").unwrap();
        let Attached::Ended(result) = bench.session.attach(&id("1"), false, &mut Ignore).await.unwrap()
        else {
            panic!("it was started");
        };
        assert_eq!(result.exit, Exit::Interrupted);
    });
}
