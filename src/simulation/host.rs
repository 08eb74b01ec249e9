//! A simulated machine: its identity, packages, files and units. Data and small questions; the programs that change it
//! live beside their tools.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::answers::Learnt;
use super::files::FileTree;
use super::obstacle::{LOCK_FILES, SimulatedInhibitor};
use super::package::Packages;
use super::process::Pid;
use super::random::SimulationRandom;
use super::unit::SimulatedUnit;
use super::world::Millis;
use super::{sockets, sources};
use crate::inventory::HostName;
use crate::transport::LaunchId;
use crate::value::{KubeVersion, Minor};

/// Where the simulated community repository stands in sources files.
pub(super) const REPOSITORY: &str = "https://pkgs.k8s.io/core:/stable:/";
/// The sources file of Kubernetes.
pub(super) const SOURCES: &str = "/etc/apt/sources.list.d/kubernetes.list";
/// The community repository's key.
const KEYRING: &str = "/etc/apt/keyrings/kubernetes-apt-keyring.gpg";
/// Machines were last started and set up this long before the simulation begins: thirty days.
pub(super) const LONG_AGO: Millis = -30 * 24 * 3_600_000;

/// A machine to simulate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedHost {
    /// Its name in the inventory.
    pub name: HostName,
    /// What is connected to.
    pub address: String,
    /// Its node's name; `None` for a machine outside the cluster.
    pub node_name: Option<String>,
    /// Its labels. `zone` also becomes the node's `topology.kubernetes.io/zone`.
    pub labels: BTreeMap<String, String>,
    /// Whether its node is a control plane.
    pub control_plane: bool,
}

/// Control groups of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlGroups {
    /// v2.
    V2,
    /// v1.
    V1,
    /// v1, and its kubelet is taken to have been told to start on them all the same.
    V1Accepted,
}

/// Who waits for or holds apt's and dpkg's locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackageLock {
    /// The process, as apt names it.
    pub(super) holder: String,
    /// The simulated process that gives it back when it ends; `None` for somebody else's.
    pub(super) pid: Option<Pid>,
    /// When somebody else gives it back.
    pub(super) until: Millis,
}

/// Ops that fail.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// Text in their command lines.
    pub(super) command: String,
    /// Exit code.
    pub(super) code: i32,
    /// Standard error.
    pub(super) stderr: String,
    /// How many times still.
    pub(super) left: u32,
    /// They do what they are for, all the same.
    pub(super) works: bool,
}

/// Something that is wrong with a host for a while, set by faults.
#[derive(Clone, Debug, Default)]
pub(super) struct ActiveFaults {
    /// From when to when it cannot be reached.
    pub(super) unreachable: Vec<(Millis, Millis)>,
    /// Links to cut: while an op whose command line holds the text runs, this long after its start.
    pub(super) cuts: Vec<(String, Millis)>,
    /// Ops to fail.
    pub(super) failures: Vec<Failing>,
    /// Repositories do not answer.
    pub(super) mirror_dead: bool,
    /// The kubelet dies at once when it is started.
    pub(super) kubelet_dies: bool,
    /// Components that crash after kubeadm replaced them.
    pub(super) crash_loops: Vec<String>,
    /// It has no power before this time, whatever would start it.
    pub(super) dark_until: Millis,
    /// Its API server forbids everything before this time.
    pub(super) forbids_until: Millis,
    /// Rights that the account of its kubectl lacks: verb and resource.
    pub(super) missing_rights: Vec<(String, String)>,
    /// Jumps of its clock: when, and by how much.
    pub(super) jumps: Vec<(Millis, Millis)>,
    /// What asked logind to be told of a shutdown.
    pub(super) inhibitors: Vec<SimulatedInhibitor>,
}

/// A simulated machine.
#[derive(Debug)]
pub(super) struct SimulatedMachine {
    /// Its name in the inventory.
    pub(super) name: HostName,
    /// Its address.
    pub(super) address: String,
    /// Its own name: the node's, or the first label of its name.
    pub(super) hostname: String,
    /// Index of its node.
    pub(super) node: Option<usize>,
    /// Whether it runs a control plane.
    pub(super) control_plane: bool,
    /// /etc/machine-id.
    pub(super) machine_id: String,
    /// /proc/sys/kernel/random/boot_id.
    pub(super) boot_id: String,
    /// When it was started last.
    pub(super) booted_at: Millis,
    /// Restarting; nothing answers.
    pub(super) down: bool,
    /// Packages.
    pub(super) packages: Packages,
    /// Files.
    pub(super) files: FileTree,
    /// Units by name with suffix.
    pub(super) units: BTreeMap<String, SimulatedUnit>,
    /// Counts restarts of its kubelet, so that an answer to an earlier one is known as stale.
    pub(super) kubelet_generation: u64,
    /// The dpkg lock.
    pub(super) lock: Option<PackageLock>,
    /// The lock of apt's lists, which is another one.
    pub(super) lists_lock: Option<PackageLock>,
    /// Its own chance.
    pub(super) random: SimulationRandom,
    /// Ops by the name of their launch.
    pub(super) launches: HashMap<LaunchId, Pid>,
    /// Those of them that have not ended, as far as that was looked at.
    pub(super) running: Vec<LaunchId>,
    /// Runs that may do nothing here any more.
    pub(super) given_up: BTreeSet<String>,
    /// Free bytes of its only file system.
    pub(super) free: u64,
    /// Its control groups.
    pub(super) control_groups: ControlGroups,
    /// What its node was recorded to report as its runtime, where its packages do not say that.
    pub(super) runtime: Option<String>,
    /// What is wrong with it.
    pub(super) active_faults: ActiveFaults,
    /// What commands that the simulation cannot know left behind.
    pub(super) learnt: Learnt,
    /// Ports that are only taken to be open.
    pub(super) assumed_ports: BTreeSet<u16>,
}

impl SimulatedMachine {
    /// A machine as it stands before an upgrade.
    pub(super) fn new(
        spec: &SimulatedHost,
        node: Option<usize>,
        kubernetes: &KubeVersion,
        seed: u64,
    ) -> Self {
        let mut random = SimulationRandom::of(seed, spec.name.as_str());
        let on_node = node.is_some();
        let short = spec.name.as_str().split('.').next().unwrap_or_default();
        let mut host = Self {
            name: spec.name.clone(),
            address: spec.address.clone(),
            hostname: spec.node_name.clone().unwrap_or_else(|| short.to_owned()),
            node,
            control_plane: on_node && spec.control_plane,
            machine_id: random.hex(32),
            boot_id: random.uuid(),
            booted_at: LONG_AGO,
            down: false,
            packages: Packages::new(on_node.then_some(kubernetes), LONG_AGO - 60_000),
            files: FileTree::default(),
            units: SimulatedUnit::usual(on_node, LONG_AGO),
            kubelet_generation: 0,
            lock: None,
            lists_lock: None,
            random,
            launches: HashMap::new(),
            running: Vec::new(),
            given_up: BTreeSet::new(),
            free: super::system::FREE,
            control_groups: ControlGroups::V2,
            runtime: None,
            active_faults: ActiveFaults::default(),
            learnt: Learnt::default(),
            assumed_ports: BTreeSet::new(),
        };
        host.write_usual_files(kubernetes, &spec.labels);
        for (path, _) in LOCK_FILES {
            host.files.put(path, String::new(), "640", LONG_AGO);
        }
        // What its lists hold was fetched from what its sources name.
        let fetched = sources::read(&host.files, None);
        host.packages.fetched(String::new(), fetched);
        host
    }

    fn write_usual_files(&mut self, kubernetes: &KubeVersion, labels: &BTreeMap<String, String>) {
        let at = LONG_AGO - 60_000;
        let machine_id = format!("{}\n", self.machine_id);
        let on_node = self.node.is_some();
        let files = [
            ("/etc/os-release", super::os::release(labels)),
            ("/etc/debian_version", "12.9\n".to_owned()),
            ("/etc/machine-id", machine_id),
            ("/etc/hostname", format!("{}\n", self.hostname)),
            ("/etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main\n".to_owned()),
            ("/proc/1/comm", "systemd\n".to_owned()),
            ("/proc/swaps", NO_SWAP.to_owned()),
            (sockets::TABLE, sockets::table(on_node, self.control_plane)),
            ("/proc/uptime", String::new()),
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n".to_owned()),
            ("/run/systemd/system", String::new()),
        ];
        for (path, content) in files {
            self.files.put(path, content, "644", at);
        }
        if self.node.is_none() {
            return;
        }
        self.files.put(SOURCES, repository(kubernetes), "644", at);
        self.files.put(KEYRING, "simulated key\n".to_owned(), "644", at);
        self.put_kubelet_config(kubernetes, at);
        self.files.put("/etc/kubernetes/kubelet.conf", "simulated kubeconfig\n".to_owned(), "600", at);
        if self.control_plane {
            self.files.put("/etc/kubernetes/admin.conf", "simulated kubeconfig\n".to_owned(), "600", at);
        }
    }

    /// What kubeadm of this version writes for the kubelet. From 1.34 the runtime's socket stands in a file of the host's own,
    /// which is put over the cluster's configuration, instead of in a flag (NodeLocalCRISocket).
    pub(super) fn put_kubelet_config(&mut self, kubeadm: &KubeVersion, at: Millis) {
        let socket = "unix:///run/containerd/containerd.sock";
        let (own, flag) = if kubeadm.minor() >= Minor::new(1, 34) {
            let instance = format!("containerRuntimeEndpoint: \"{socket}\"\n");
            self.files.put("/var/lib/kubelet/instance-config.yaml", instance, "644", at);
            (format!("containerRuntimeEndpoint: {socket}\n"), String::new())
        } else {
            (String::new(), format!("--container-runtime-endpoint={socket}"))
        };
        let flags = format!("KUBELET_KUBEADM_ARGS=\"{flag}\"\n");
        self.files.put("/var/lib/kubelet/kubeadm-flags.env", flags, "644", at);
        self.files.put("/var/lib/kubelet/config.yaml", format!("{KUBELET_CONFIG}{own}"), "644", at);
    }

    /// Whether it stands for the machine that runs Rollbook.
    pub(super) fn is_controller(&self) -> bool {
        self.node.is_none() && self.name.as_str() == "controller"
    }

    /// Its packages come from the repository of that version's minor, whose lists are there.
    pub(super) fn use_repository_of(&mut self, kubernetes: &KubeVersion) {
        self.files.put(SOURCES, repository(kubernetes), "644", LONG_AGO - 60_000);
        let fetched = sources::read(&self.files, None);
        self.packages.fetched(String::new(), fetched);
    }

    /// Whether an ssh connection to it can be made or kept.
    pub(super) fn reachable(&self, now: Millis) -> bool {
        !self.down
            && !self.active_faults.unreachable.iter().any(|(from, until)| (*from..*until).contains(&now))
    }

    /// When its link is cut next.
    pub(super) fn next_cut(&self, now: Millis) -> Option<Millis> {
        self.active_faults.unreachable.iter().map(|(from, _)| *from).filter(|from| *from > now).min()
    }

    /// Packages say that the machine should be rebooted, as Debian's and Ubuntu's do; nothing where there are none.
    pub(super) fn want_reboot(&mut self, packages: &[&str], now: Millis) {
        if packages.is_empty() {
            return;
        }
        let before = self.files.read("/var/run/reboot-required.pkgs").unwrap_or_default();
        let names = format!("{before}{}\n", packages.join("\n"));
        self.files.put("/var/run/reboot-required.pkgs", names, "644", now);
        for path in ["/var/run/reboot-required", "/run/reboot-required"] {
            self.files.put(path, "*** System restart required ***\n".to_owned(), "644", now);
        }
    }

    /// Nothing asks for a reboot any more.
    pub(super) fn forget_reboot(&mut self) {
        for path in ["/run/reboot-required", "/var/run/reboot-required", "/var/run/reboot-required.pkgs"] {
            self.files.remove(path);
        }
    }

    /// `uname -r`: a newer kernel runs once the machine was rebooted after its package came.
    pub(super) fn kernel(&self) -> &'static str {
        let newer = self.packages.installed("linux-image-amd64");
        let runs =
            newer.is_some_and(|image| image.version.starts_with("6.1.140") && image.at < self.booted_at);
        if runs { "6.1.0-37-amd64" } else { "6.1.0-28-amd64" }
    }

    /// `containerd://1.6.20`, by the installed package: the distribution's or the maker's own.
    pub(super) fn runtime(&self) -> String {
        if let Some(recorded) = &self.runtime {
            return recorded.clone();
        }
        let installed = CONTAINERD.iter().find_map(|name| self.packages.installed(name));
        let version = installed.map_or("", |installed| installed.version.as_str());
        format!("containerd://{}", version.split(['~', '-', '+']).next().unwrap_or_default())
    }

    /// The unit of its container runtime.
    pub(super) fn runtime_unit(&self) -> &'static str {
        let runtime = self.runtime();
        match runtime.split("://").next() {
            Some("cri-o") => "crio.service",
            Some("docker") => "docker.service",
            _ => "containerd.service",
        }
    }

    /// The same where it does not run. One that nobody knows of runs.
    pub(super) fn stopped_runtime(&self) -> Option<&'static str> {
        let unit = self.runtime_unit();
        self.units.get(unit).is_some_and(|unit| unit.active() != "active").then_some(unit)
    }

    /// Whether swap is active, by its /proc/swaps.
    pub(super) fn swap_on(&self) -> bool {
        self.files.read("/proc/swaps").is_some_and(|text| text.lines().count() > 1)
    }
}

/// Packages of containerd.
pub(super) const CONTAINERD: [&str; 2] = ["containerd", "containerd.io"];

/// The line of the community's repository for a version's minor.
fn repository(kubernetes: &KubeVersion) -> String {
    format!("deb [signed-by={KEYRING}] {REPOSITORY}v{}/deb/ /\n", kubernetes.minor())
}

const NO_SWAP: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
/// Start of a kubelet's configuration, as kubeadm writes it.
const KUBELET_CONFIG: &str =
    "apiVersion: kubelet.config.k8s.io/v1beta1\ncgroupDriver: systemd\nkind: KubeletConfiguration\n";

/// The kubelet's configuration in the cluster's ConfigMap.
pub(super) fn cluster_kubelet_config(version: &KubeVersion) -> String {
    let unset = if version.minor() >= Minor::new(1, 34) { "containerRuntimeEndpoint: \"\"\n" } else { "" };
    format!("{KUBELET_CONFIG}{unset}")
}
