//! The controller is killed in the middle of a command with a secret, and again in the middle of a long apt-get. Both run
//! once, apt's whole output is in the record, and the secret stands nowhere on the host. A host without a cluster.

use std::fs;
use std::path::Path;

use super::Level;
use super::rollbook::{Files, Running, call, start_with};
use crate::lab::{Lab, Stage};

/// How many seconds apt-get has run when the controller dies.
const LONG: u64 = 60;

/// What goes to the host on standard input.
const SECRET: &str = "correct-horse-battery-staple";

/// As `printf %s SECRET | sha256sum` has it.
const SUM: &str = "87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590";

/// Finds the secret, and not the process that looks for it.
const LOOK: &str = "correct-horse-batter[y]-staple";

/// What no shell may make something else of.
const HOSTILE: &str = "$$ ${x} %n ; ' `id` !x\nsecond line";

/// Writes down its argument and the sum of its input, says the input aloud, and waits.
const TAKE: &str = "cat >/usr/local/bin/take <<'END'
#!/bin/sh
printf '%s\\n' \"$1\" >>/root/arguments
secret=$(cat)
printf %s \"$secret\" | sha256sum >>/root/sums
echo \"it is $secret\"
: >/run/taken
until [ -e /run/go ]; do sleep 0.1; done
END
chmod 755 /usr/local/bin/take";

const RUNBOOK: &str = r#"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: killed }
defaults: { become: true }
secrets: { token: { file: TOKEN } }
params: { hostile: { type: string, required: true } }
phases:
  - name: work
    hosts: w1
    steps:
      - command: { argv: [take, "{{ params.hostile }}"], stdin: "{{ secrets.token }}" }
        effect: changes
        timeout: 20m
      - apt_repo: { kubernetes: 1.21, base: "http://repo:8081/core:/stable:/" }
      - apt: { install: { kubelet: "1.21.0-*" }, hold: true }
        timeout: 20m
"#;

pub(super) fn a_controller_in_the_middle(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, 1);
    lab.run(&["repo", "break", "hang", "1.21.0"]);
    lab.root("w1", "touch /run/lab-hang");
    lab.root("w1", TAKE);
    let token = lab.kept.join("token");
    fs::write(&token, SECRET).unwrap();
    let runbook = RUNBOOK.replace("TOKEN", token.to_str().expect("UTF-8"));
    let files = Files::written(&lab, "killed", &runbook);
    let hostile = format!("hostile={HOSTILE}");
    let running = start_with(&lab, &files, "killed", "run", &["-p", &hostile, "--yes", "--verbose"]);
    lab.eventually("the secret is there", |lab| lab.root("w1", "ls /run").contains("taken"));
    let record = only_its_own_record_has_it(&lab);
    let kept = running.dir.join("rollbook");
    kill(running);

    let running = resume(&lab);
    lab.root("w1", "touch /run/go");
    lab.eventually("apt-get is in the middle", |lab| lab.root("w1", "ls /run").contains("lab-hung"));
    lab.eventually("apt-get has run for a minute", |lab| {
        let ages = lab.root("w1", "ps -o etimes= -C apt-get");
        ages.split_whitespace().any(|age| age.parse::<u64>().unwrap() >= LONG)
    });
    kill(running);
    // It ends while nobody is there.
    lab.root("w1", "rm /run/lab-hang");
    lab.eventually("apt-get has ended", |lab| lab.root("w1", "pgrep -x apt-get || true").is_empty());
    resume(&lab).wait().exits(0);
    each_ran_once(&lab);
    the_output_of_apt_is_whole(&kept);
    assert_eq!(with_the_secret(&lab), "", "{record} was removed after a good run, and nothing else had it");
    let records = texts(&kept);
    let telling: Vec<_> = records.iter().filter(|(_, text)| text.contains(SECRET)).collect();
    assert!(telling.is_empty(), "{telling:?}");
}

/// While the command that got the secret runs: the launcher keeps what a command says, in a file that is root's alone.
fn only_its_own_record_has_it(lab: &Lab) -> String {
    let found = with_the_secret(lab);
    let [record] = found.lines().collect::<Vec<_>>()[..] else {
        panic!("one file has the secret, not these:\n{found}")
    };
    assert!(record.starts_with("/var/lib/rollbook/") && record.ends_with("/out"), "{record}");
    let way = lab.root("w1", "stat -c '%a %U' /var/lib/rollbook");
    assert_eq!(way, "700 root\n");
    record.to_owned()
}

/// What tells the secret on the host: files, command lines and environments of processes, the journal, properties of units.
fn with_the_secret(lab: &Lab) -> String {
    let look = format!(
        "cd /
         grep -ral -D skip '{LOOK}' /var /run /etc /home /root /tmp /usr/local
         grep -al '{LOOK}' /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
         journalctl --quiet --all --no-pager --output=export | grep -a '{LOOK}'
         systemctl show --all '*' | grep -a '{LOOK}'
         true"
    );
    lab.root("w1", &look)
}

fn resume(lab: &Lab) -> Running {
    call(lab, "killed", &["resume", "--verbose"])
}

/// SIGKILL.
fn kill(running: Running) {
    drop(running);
}

fn each_ran_once(lab: &Lab) {
    assert_eq!(lab.root("w1", "cat /root/arguments"), format!("{HOSTILE}\n"));
    let sums = lab.root("w1", "cat /root/sums");
    assert_eq!(sums.split_whitespace().next(), Some(SUM), "the host got another secret: {sums}");
    assert_eq!(sums.lines().count(), 1);
    let calls = lab.root("w1", "grep '^Commandline: ' /var/log/apt/history.log | grep -c kubelet");
    assert_eq!(calls, "1\n", "{}", lab.root("w1", "cat /var/log/apt/history.log"));
    let configured = lab.root("w1", "grep -c ' status installed kubelet:amd64 1.21.0-1.1' /var/log/dpkg.log");
    assert_eq!(configured, "1\n");
    assert_eq!(lab.root("w1", "apt-mark showhold kubelet"), "kubelet\n");
}

/// What came before the controller died, while it was dead, and after; nothing twice.
fn the_output_of_apt_is_whole(kept: &Path) {
    let outputs: Vec<_> = texts(kept).into_iter().filter(|(path, _)| path.contains("/output/")).collect();
    let of_apt: Vec<_> = outputs.iter().filter(|(_, text)| text.contains("Setting up kubelet")).collect();
    let [(_, said)] = of_apt[..] else { panic!("one output is of apt: {outputs:?}") };
    assert!(said.starts_with("Reading package lists..."), "{said}");
    for line in ["Unpacking kubelet (1.21.0-1.1)", "Setting up kubelet (1.21.0-1.1)"] {
        assert_eq!(said.matches(line).count(), 1, "{line}:\n{said}");
    }
}

/// Every file below a directory, with what it says.
fn texts(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(texts(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            found.push((entry.path().display().to_string(), text));
        }
    }
    found
}
