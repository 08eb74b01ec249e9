//! A secret through crashes, on a host whose users have tcsh: it reaches the command, and stands nowhere else.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;

use rollbook::engine::Event;
use rustix::process::Signal;

use crate::roll::fleet::Fleet;
use crate::roll::resume::crash_points;
use crate::roll::secrets::{CORE, files_with_secret, tells};
use crate::support::rollbook::{Outcome, Rollbook, Running};
use crate::support::sshd::User;

/// Writes down its arguments, a digest of its input and the command lines of all processes, and says the input aloud.
const TAKE: &str = "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" h1 \"$1\" 0\nsecret=$(cat)\n\
    cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >>\"$here/processes\"\n\
    printf %s \"$secret\" | sha256sum >>\"$here/digests\"\nprintf '%s\\n' \"$2\" >>\"$here/arguments\"\n\
    echo \"it is $secret\"\nsleep 0.3\n";

/// What no shell may make something else of.
const HOSTILE: &str = "$$ ${x} %n ; ' `id` !x\nsecond line";

/// No command line of any process holds the secret.
fn look_at_processes(point: &str) {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(!line.contains(CORE), "{point}: {line}");
    }
}

/// What a run tells of itself while it goes on: at each event the processes are looked at.
struct Watched {
    running: Running,
    pipe: String,
    events: Lines<BufReader<fs::File>>,
}

impl Watched {
    fn start(vault: &Vault, run: Rollbook) -> Self {
        let pipe = vault.fleet.path("events");
        vault.fleet.fifo("events");
        let running = run.start();
        let events = BufReader::new(fs::File::open(&pipe).unwrap()).lines();
        Self { running, pipe, events }
    }

    /// Waits for its end, after which nothing is a pipe any more.
    fn end(self) -> Outcome {
        fs::remove_file(self.pipe).unwrap();
        self.running.end()
    }

    /// Looks at so many events, as far as there are that many; gives how many there were.
    fn look(&mut self, most: usize, point: &str) -> usize {
        self.events.by_ref().take(most).inspect(|_| look_at_processes(point)).count()
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

    fn run(&self) -> Watched {
        let hostile = format!("hostile={HOSTILE}");
        let run = self.fleet.run(&["-p", &hostile, "--verbose", "--events", "events"]);
        Watched::start(self, self.with_secret(run))
    }

    fn resume(&self) -> Watched {
        let resume =
            self.fleet.rollbook_on("resume", "--state-dir=state", &["--verbose", "--events", "events"]);
        Watched::start(self, self.with_secret(resume))
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
        let home = PathBuf::from(format!("/home/{}", self.user.name));
        for place in [self.fleet.records(1), home] {
            let found = if place.exists() { files_with_secret(&place) } else { Vec::new() };
            assert!(found.is_empty(), "{point}: the host keeps the secret in {found:?}");
        }
    }
}

#[test]
fn a_secret_stands_nowhere_whenever_the_controller_is_killed() {
    let secret = format!("pä\"ss\\w\t{CORE}'$x %n`");
    let undisturbed = Vault::new(&secret);
    let mut run = undisturbed.run();
    let count = run.look(usize::MAX, "undisturbed");
    let run = run.end().exits(0);
    undisturbed.is_kept(&(run.stdout + &run.stderr), "undisturbed");
    drop(undisturbed);
    let (mut cut_off, mut looks) = (0, count);
    for victim in crash_points(count, 6) {
        let point = format!("killed at event {victim} of {count}");
        let vault = Vault::new(&secret);
        let mut run = vault.run();
        assert_eq!(run.look(victim, &point), victim, "the run was over before it was killed");
        run.running.signal(Signal::KILL);
        let killed = run.end();
        let mut said = killed.stdout + &killed.stderr;
        // After the last events there may be nothing left to kill.
        let is_over = matches!(vault.fleet.journal().last().unwrap().event, Event::RunEnded);
        if !is_over {
            let mut resumed = vault.resume();
            looks += resumed.look(usize::MAX, &point);
            let resumed = resumed.end().exits(0);
            said += &(resumed.stdout + &resumed.stderr);
            cut_off += 1;
        }
        looks += victim;
        vault.is_kept(&said, &point);
    }
    assert!(cut_off > 2, "only {cut_off} controllers were killed in time");
    println!("the processes were looked at {looks} times");
}
