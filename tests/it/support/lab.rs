//! A lab: real Debian hosts and a real kubeadm cluster on this machine, through `tests/lab/lab`. What it says about
//! hosts and cluster comes from kubectl, dpkg, hashes of files and the API servers' audit log, never from Rollbook.
//! A lab is taken down when it is dropped; after a panic its state is printed first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// The labs that cases run on, as many side by side as there are names. Always the same, so that their saved clusters, which
/// are bound to their addresses, are found again; `ROLLBOOK_LAB_NAMES` gives others to whoever tests beside somebody else.
pub(crate) fn names() -> Vec<String> {
    let given = std::env::var("ROLLBOOK_LAB_NAMES").unwrap_or_default();
    let names: Vec<String> = given.split_whitespace().map(str::to_owned).collect();
    if !names.is_empty() {
        return names;
    }
    ["test", "test2"].into_iter().take(if has_room_for_two() { 2 } else { 1 }).map(str::to_owned).collect()
}

/// A case mostly waits, and takes half a CPU; five hosts with their disks take some 3 GiB.
fn has_room_for_two() -> bool {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib: u64 = available.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0);
    std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1) && kib > 8 << 20
}

/// Where a case takes place.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) case: &'static str,
    /// The lab's name.
    pub(crate) lab: String,
}

impl Stage {
    /// A line for whoever waits for the tests; another case may be speaking, too.
    pub(crate) fn says(&self, text: &str) {
        println!("{}: {text}", self.case);
    }
}

/// How many hosts, and what they run at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) control_planes: usize,
    pub(crate) workers: usize,
    pub(crate) kubernetes: &'static str,
}

/// A lab that is up.
pub(crate) struct Lab {
    /// Its name, by which a command finds it.
    pub(crate) name: String,
    pub(crate) stage: Stage,
    /// Its directory: inventory, kubeconfig, logs.
    pub(crate) dir: PathBuf,
    hosts: Vec<String>,
    /// What is kept of a case: output and record of every run.
    pub(crate) kept: PathBuf,
}

impl Lab {
    /// Brings a lab up with a cluster that all its pods run in, from the cache where this shape was made before.
    pub(crate) fn up(stage: &Stage, shape: Shape) -> Self {
        let began = Instant::now();
        let lab = Self::boot(stage, shape, &[]);
        lab.run(&["wait"]);
        stage.says(&format!("a cluster of {} hosts after {} s", lab.hosts.len(), began.elapsed().as_secs()));
        lab
    }

    /// Brings hosts up without a cluster: `cp1`, and so many workers.
    pub(crate) fn hosts_only(stage: &Stage, workers: usize) -> Self {
        Self::boot(stage, Shape { control_planes: 1, workers, kubernetes: "1.20.2" }, &["--hosts-only"])
    }

    fn boot(stage: &Stage, shape: Shape, options: &[&str]) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "the lab makes network namespaces and mounts: run the test as root"
        );
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lab").join(&stage.lab).join(stage.case);
        let _ = fs::remove_dir_all(&kept);
        fs::create_dir_all(&kept).unwrap();
        let _ = lab(&stage.lab, &["down"]).output();
        let hosts = (1..=shape.control_planes).map(|number| format!("cp{number}"));
        let hosts = hosts.chain((1..=shape.workers).map(|number| format!("w{number}"))).collect();
        // From here on it is taken down again, also when it does not come up.
        let mut lab =
            Self { name: stage.lab.clone(), stage: stage.clone(), dir: PathBuf::new(), hosts, kept };
        let (control_planes, workers) = (shape.control_planes.to_string(), shape.workers.to_string());
        let mut args = vec!["up", "--control-planes", &control_planes, "--workers", &workers];
        args.extend_from_slice(&["--kubernetes", shape.kubernetes]);
        args.extend_from_slice(options);
        lab.run(&args);
        lab.dir = PathBuf::from(lab.run(&["path"]).trim());
        lab
    }

    /// All hosts: control planes, then workers.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The hosts whose names start so: `cp` or `w`.
    pub(crate) fn role(&self, prefix: &str) -> Vec<&str> {
        self.hosts.iter().map(String::as_str).filter(|host| host.starts_with(prefix)).collect()
    }

    /// The lab's inventory.
    pub(crate) fn inventory(&self) -> PathBuf {
        self.dir.join("inventory.yaml")
    }

    /// A command of the lab that must succeed; its stdout.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        succeed(&mut lab(&self.name, args))
    }

    /// A shell command on a host as root, which must succeed; its stdout.
    #[track_caller]
    pub(crate) fn root(&self, host: &str, script: &str) -> String {
        succeed(&mut lab(&self.name, &["ssh", "-n", "-l", "root", "-o", "ConnectTimeout=5", host, script]))
    }

    /// kubectl of this machine as the user `lab`, which must succeed; its stdout.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        succeed(&mut self.kubectl_command(args))
    }

    /// kubectl of this machine as the user `lab`.
    pub(crate) fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut words = vec!["kubectl", "--request-timeout=10s"];
        words.extend_from_slice(args);
        lab(&self.name, &words)
    }

    /// All nodes as the API server has them.
    #[track_caller]
    pub(crate) fn nodes(&self) -> Vec<Node> {
        Node::list(&serde_json::from_str(&self.kubectl(&["get", "nodes", "-o", "json"])).unwrap())
    }

    /// The audit log since a time, oldest first.
    #[track_caller]
    pub(crate) fn audit(&self, since: &str) -> Vec<Json> {
        let text = self.run(&["audit"]);
        let events = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        events.filter(|event| text_at(event, "/requestReceivedTimestamp") >= since).collect()
    }

    /// The time as the audit log writes it.
    pub(crate) fn now(&self) -> String {
        self.root("cp1", "date -u +%Y-%m-%dT%H:%M:%S.%6NZ").trim().to_owned()
    }

    /// Waits until something holds, as the cluster needs time to notice.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_mins(10);
        while !holds(self) {
            assert!(Instant::now() < end, "not after ten minutes: {what}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits until every node is Ready.
    #[track_caller]
    pub(crate) fn all_ready(&self) {
        self.eventually("every node is Ready", |lab| lab.nodes().iter().all(|node| node.ready));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- what was run, and its records: {}", self.kept.display());
            for args in
                [&["status"][..], &["kubectl", "--request-timeout=10s", "get", "pods", "-A", "-o", "wide"]]
            {
                eprintln!(
                    "---- lab {}\n{}",
                    args.join(" "),
                    lab(&self.name, args)
                        .output()
                        .map_or_else(|error| error.to_string(), |output| both(&output))
                );
            }
            if let Ok(output) = lab(&self.name, &["audit", "--writes"]).output() {
                let _ = fs::write(self.kept.join("audit-writes.jsonl"), output.stdout);
            }
        }
        if std::env::var_os("ROLLBOOK_LAB_KEEP").is_some() && std::thread::panicking() {
            eprintln!("---- the lab stays up: tests/lab/lab --name {} down", self.name);
            return;
        }
        match lab(&self.name, &["down"]).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!("the lab is not down: {}", both(&output)),
            Err(error) => eprintln!("the lab is not down: {error}"),
        }
    }
}

/// A node as the API server has it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) ready: bool,
    pub(crate) cordoned: bool,
    pub(crate) annotations: Vec<String>,
}

impl Node {
    /// The nodes of a list.
    pub(crate) fn list(json: &Json) -> Vec<Self> {
        let items = json.get("items").and_then(Json::as_array).expect("a list has items");
        items.iter().filter(|item| text_at(item, "/kind") == "Node").map(Self::of).collect()
    }

    fn of(json: &Json) -> Self {
        let conditions = json.pointer("/status/conditions").and_then(Json::as_array);
        let is_ready = |condition: &Json| {
            text_at(condition, "/type") == "Ready" && text_at(condition, "/status") == "True"
        };
        let annotations = json.pointer("/metadata/annotations").and_then(Json::as_object);
        Self {
            name: text_at(json, "/metadata/name").to_owned(),
            version: text_at(json, "/status/nodeInfo/kubeletVersion").to_owned(),
            ready: conditions.is_some_and(|conditions| conditions.iter().any(is_ready)),
            cordoned: json.pointer("/spec/unschedulable").and_then(Json::as_bool).unwrap_or(false),
            annotations: annotations.map_or_else(Vec::new, |map| map.keys().cloned().collect()),
        }
    }
}

/// The text at a JSON pointer; empty where there is none.
pub(crate) fn text_at<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or("")
}

/// After which a silent node is NotReady: Kubernetes' own time, because on a busy machine a healthy node may well be late
/// for the shorter one that the lab has by itself, and would count as out of service.
const GRACE: &str = "40s";

/// A command of the lab of that name.
pub(crate) fn lab(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab"));
    if std::env::var_os("LAB_GRACE").is_none() {
        command.env("LAB_GRACE", GRACE);
    }
    command.args(["--name", name]).args(args).stdin(Stdio::null());
    command
}

/// Both streams of a command that ended.
pub(crate) fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Stdout of a command that must succeed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, both(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}
