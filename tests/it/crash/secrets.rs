//! A secret through crashes, on a host whose users have tcsh: it reaches the command, and stands nowhere else.

use std::fs;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rollbook::engine::Event;
use rustix::process::Signal;

use crate::roll::fleet::Fleet;
use crate::roll::resume::crash_points;
use crate::roll::secrets::{CORE, files_with_secret, tells};
use crate::support::rollbook::Rollbook;
use crate::support::sshd::User;

/// Writes down its arguments and a digest of its input, and says the input aloud.
const TAKE: &str = "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" h1 \"$1\" 0\nsecret=$(cat)\n\
    printf %s \"$secret\" | sha256sum >>\"$here/digests\"\nprintf '%s\\n' \"$2\" >>\"$here/arguments\"\n\
    echo \"it is $secret\"\nsleep 0.3\n";

/// What no shell may make something else of.
const HOSTILE: &str = "$$ ${x} %n ; ' `id` !x\nsecond line";

/// Command lines of all processes, looked at again and again until it is told to stop.
fn watch_processes(stop: &AtomicBool, looks: &AtomicUsize) -> Option<String> {
    while !stop.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            if line.contains(CORE) {
                return Some(line.replace('\0', " "));
            }
        }
        looks.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

/// Ends the watch also where the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Vault {
    fleet: Fleet,
    user: User,
    secret: String,
}

impl Vault {
    fn new(secret: &str) -> Self {
        let user = User::make("/usr/bin/tcsh", "tcsh", true);
        let mut fleet = Fleet::of(1);
        fleet.file("take", TAKE);
        fleet.connection.push_str(", user: ");
        fleet.connection.push_str(&user.name);
        fleet.r#become = "sudo";
        fleet.write_inventory();
        let steps = r#"
- command: { argv: ["@take", one, "{{ params.hostile }}"], stdin: "{{ secrets.token }}" }
- command: { argv: ["@take", two, "{{ params.hostile }}"], stdin: "{{ secrets.token }}" }
"#;
        let top =
            "secrets: { token: { env: RB_TOKEN } }\nparams: { hostile: { type: string, required: true } }";
        fleet.runbook(top, "batches: [1]", steps);
        Self { fleet, user, secret: secret.to_owned() }
    }

    fn with_secret(&self, rollbook: Rollbook) -> Rollbook {
        rollbook.env("RB_TOKEN", &self.secret)
    }

    fn run(&self, more: &[&str]) -> Rollbook {
        let hostile = format!("hostile={HOSTILE}");
        self.with_secret(self.fleet.run(&[&["-p", &hostile, "--verbose"], more].concat()))
    }

    /// Everything that was asked for happened once, and the secret is nowhere.
    fn is_kept(&self, said: &str, point: &str) {
        let steps = ["one begin", "one end", "two begin", "two end"];
        assert_eq!(self.fleet.steps(1), steps, "{point}");
        let read = |name: &str| fs::read_to_string(self.fleet.path(name)).unwrap();
        assert_eq!(read("arguments"), format!("{HOSTILE}\n{HOSTILE}\n"), "{point}");
        let sum = rollbook::plan::show::digest(self.secret.as_bytes());
        for line in read("digests").lines() {
            assert!(sum.contains(line.split(' ').next().unwrap()), "{point}: the host got another secret");
        }
        assert!(!tells(said.as_bytes()), "{point}: {said}");
        // Plan, journal, output and reports; and what sudo wrote down of the user's commands. The launcher's own record of
        // what the command said aloud is the host's, and private.
        let sudo = fs::read_to_string(format!("/home/{}/sudo.log", self.user.name)).unwrap();
        assert!(sudo.contains("COMMAND="), "{point}: sudo wrote nothing down");
        assert!(!tells(sudo.as_bytes()), "{point}: {sudo}");
        let output = fs::read_dir(self.fleet.run_dir().join("output")).unwrap();
        let output: String = output.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        assert_eq!(output.matches("it is ‹redacted›").count(), 2, "{point}: {output}");
        let found = files_with_secret(self.fleet.dir.path());
        assert!(found.is_empty(), "{point}: the secret stands in {found:?}");
    }
}

#[test]
fn a_secret_stands_nowhere_whenever_the_controller_is_killed() {
    let secret = format!("pä\"ss\\w\t{CORE}'$x %n`");
    let (stop, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch_processes(&stop, &looks));
        let ends = Ends(&stop);
        let undisturbed = Vault::new(&secret);
        let run = undisturbed.run(&[]).run().exits(0);
        undisturbed.is_kept(&(run.stdout + &run.stderr), "undisturbed");
        let count = undisturbed.fleet.journal().len();
        drop(undisturbed);
        let mut cut_off = 0;
        for victim in crash_points(count, 6) {
            let vault = Vault::new(&secret);
            vault.fleet.fifo("events");
            let running = vault.run(&["--events", "events"]).start();
            let events = BufReader::new(fs::File::open(vault.fleet.path("events")).unwrap()).lines();
            assert_eq!(events.take(victim).count(), victim, "the run was over before it was killed");
            running.signal(Signal::KILL);
            let killed = running.end();
            fs::remove_file(vault.fleet.path("events")).unwrap();
            let mut said = killed.stdout + &killed.stderr;
            // After the last events there may be nothing left to kill.
            let is_over = matches!(vault.fleet.journal().last().unwrap().event, Event::RunEnded);
            if !is_over {
                let resume = vault.fleet.rollbook_on("resume", "--state-dir=state", &["--verbose"]);
                let resumed = vault.with_secret(resume).run().exits(0);
                said += &(resumed.stdout + &resumed.stderr);
                cut_off += 1;
            }
            vault.is_kept(&said, &format!("killed at event {victim} of {count}"));
        }
        assert!(cut_off > 2, "only {cut_off} controllers were killed in time");
        drop(ends);
        let seen = watch.join().unwrap();
        assert_eq!(seen, None, "a command line holds the secret");
    });
    let looks = looks.load(Ordering::Relaxed);
    println!("the processes were looked at {looks} times");
    assert!(looks > 20, "{looks}");
}
