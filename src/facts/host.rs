//! Facts of one host, in one round trip.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::value::{Duration, KubeVersion, Size, Value, escape_quoted};

/// What is true of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// `ID` of /etc/os-release: "debian".
    pub os: String,
    /// `VERSION_ID` of /etc/os-release: "12".
    pub os_version: String,
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub arch: String,
    /// The machine's own name.
    pub hostname: String,
    /// /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
    /// /etc/machine-id.
    pub machine_id: String,
    /// Packages that Rollbook knows (kubeadm, kubelet, kubectl, containerd, …) and every held one, by name.
    pub packages: BTreeMap<String, PackageFacts>,
    /// `dpkg --audit` found half-installed packages.
    pub dpkg_broken: bool,
    /// Version of the kubeadm binary, where there is one. Not the package's.
    pub kubeadm: Option<KubeVersion>,
    /// Version of the kubelet binary, where there is one.
    pub kubelet: Option<KubeVersion>,
    /// Bytes of active swap.
    pub swap_total: u64,
    /// /var/run/reboot-required is there.
    pub reboot_required: bool,
    /// Free and total space where /, /var and /boot lie, by these paths.
    pub disks: BTreeMap<String, Disk>,
    /// kubelet, containerd, etcd and the like, by unit name without suffix.
    pub units: BTreeMap<String, UnitFacts>,
    /// Whether PID 1 is systemd.
    pub systemd: bool,
    /// "v1" or "v2".
    pub cgroup: String,
    /// Seconds since the epoch by the host's own clock.
    pub clock: i64,
}

/// A package of dpkg.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// The installed version; empty where it is not installed, and for a held package that Rollbook does not know.
    pub version: String,
    /// Whether it is held.
    pub held: bool,
}

/// Space of a file system, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// All of it.
    pub total: u64,
    /// What an ordinary user may still write.
    pub free: u64,
}

/// A unit of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// "active", "inactive", "failed", …
    pub active: String,
    /// "enabled", "disabled", "masked", …; empty where there is no such unit.
    pub enabled: String,
    /// When its main process started, in microseconds of the monotonic clock; 0 where it never did.
    pub started: u64,
}

/// Answers that are not what the queries asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read facts from `{command}`: {reason}")]
pub struct FactsError {
    /// The command.
    pub command: String,
    /// What was wrong with its output.
    pub reason: String,
}

/// The names below `facts`, in the order of [`HostFacts`]; a test holds them to [`HostFacts::to_value`].
pub(crate) const HOST_FACTS: [&str; 18] = [
    "os",
    "os_version",
    "kernel",
    "arch",
    "hostname",
    "boot_id",
    "machine_id",
    "packages",
    "dpkg_broken",
    "kubeadm",
    "kubelet",
    "swap_total",
    "reboot_required",
    "disks",
    "units",
    "systemd",
    "cgroup",
    "clock",
];

/// Packages that are always among the facts of a host with dpkg; absent ones have an empty version.
const PACKAGES: [&str; 14] = [
    "containerd",
    "containerd.io",
    "cri-o",
    "cri-tools",
    "docker-ce",
    "docker.io",
    "etcd-server",
    "kubeadm",
    "kubectl",
    "kubelet",
    "kubernetes-cni",
    "linux-image-amd64",
    "runc",
    "systemd",
];

/// Units that are among the facts where they exist.
const UNITS: [&str; 5] =
    ["containerd.service", "crio.service", "docker.service", "etcd.service", "kubelet.service"];

/// The command that [`cgroup_version`] reads.
pub const CGROUP: [&str; 5] = ["stat", "-f", "-c", "%T", "/sys/fs/cgroup"];

/// "v1" or "v2"; empty where the answer to [`CGROUP`] tells neither.
pub fn cgroup_version(answer: &ProbeOutput) -> &'static str {
    match answer.stdout.trim() {
        "cgroup2fs" => "v2",
        // The mount point of the version 1 controllers, also in hybrid mode, is a tmpfs.
        "tmpfs" => "v1",
        _ => "",
    }
}

const REBOOT_REQUIRED: &str = "/var/run/reboot-required";

/// The look that [`parse_host`] reads: plain commands, none of which needs root or another one's answer. A tool that a
/// host does not have leaves its facts empty.
pub fn host_probe(timeout: Duration) -> Probe {
    let plain: [&[&str]; 12] = [
        &["cat", "/etc/os-release"],
        // Always in this order: node name, release, machine.
        &["uname", "-n", "-r", "-m"],
        &["cat", "/proc/sys/kernel/random/boot_id"],
        &["cat", "/etc/machine-id"],
        &["apt-mark", "showhold"],
        &["dpkg", "--audit"],
        &["kubeadm", "version", "-o", "short"],
        &["kubelet", "--version"],
        &["cat", "/proc/swaps"],
        &["test", "-e", REBOOT_REQUIRED],
        &["df", "-B1", "--output=file,size,avail", "/", "/var", "/boot"],
        &["cat", "/proc/1/comm"],
    ];
    let versions = ["dpkg-query", "-W", "-f=${Package}\\t${Version}\\t${db:Status-Abbrev}\\n", "--"];
    let units = [
        "systemctl",
        "show",
        "-p",
        "Id,LoadState,ActiveState,UnitFileState,ExecMainStartTimestampMonotonic",
        "--",
    ];
    let mut commands: Vec<Vec<&str>> = plain.iter().map(|words| words.to_vec()).collect();
    commands.push(CGROUP.to_vec());
    commands.push(vec!["date", "+%s"]);
    commands.push(versions.into_iter().chain(PACKAGES).collect());
    commands.push(units.into_iter().chain(UNITS).collect());
    let query = |words: Vec<&str>| Query {
        argv: words.into_iter().map(ToOwned::to_owned).collect(),
        ..Query::default()
    };
    Probe {
        site: Site::Subject,
        queries: commands.into_iter().map(query).collect(),
        r#become: false,
        timeout,
    }
}

/// The look at a host of which no fact is asked: which machine it is, and that it answers.
pub fn identity_probe(timeout: Duration) -> Probe {
    let argv = ["cat", "/etc/machine-id"].map(ToOwned::to_owned).to_vec();
    let query = Query { argv, ..Query::default() };
    Probe { site: Site::Subject, queries: vec![query], r#become: false, timeout }
}

/// Reads the answer to [`identity_probe`]; all other facts stay empty.
pub fn parse_identity(answers: &[ProbeOutput]) -> Result<HostFacts, FactsError> {
    let [machine_id] = answers else {
        let reason = format!("1 answer is expected, and {} came", answers.len());
        return Err(FactsError { command: "cat /etc/machine-id".to_owned(), reason });
    };
    Ok(HostFacts { machine_id: machine_id.stdout.trim().to_owned(), ..HostFacts::default() })
}

/// Reads the answers to [`host_probe`], one per query.
pub fn parse_host(answers: &[ProbeOutput]) -> Result<HostFacts, FactsError> {
    let [
        os_release,
        uname,
        boot_id,
        machine_id,
        showhold,
        audit,
        kubeadm,
        kubelet,
        swaps,
        reboot,
        df,
        init,
        cgroup,
        clock,
        versions,
        units,
    ] = answers
    else {
        let reason = format!("16 answers are expected, and {} came", answers.len());
        return Err(FactsError { command: "the facts probe".to_owned(), reason });
    };
    let mut words = uname.stdout.split_whitespace();
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (hostname, kernel, arch) = (word(), word(), word());
    if arch.is_empty() {
        return Err(unreadable("uname -n -r -m", "three words", uname));
    }
    let clock_now = clock.stdout.trim().parse().map_err(|_| unreadable("date +%s", "seconds", clock))?;
    Ok(HostFacts {
        os: os_release_value(&os_release.stdout, "ID"),
        os_version: os_release_value(&os_release.stdout, "VERSION_ID"),
        kernel,
        arch,
        hostname,
        boot_id: boot_id.stdout.trim().to_owned(),
        machine_id: machine_id.stdout.trim().to_owned(),
        packages: packages(versions, showhold)?,
        // It prints what is wrong, and nothing when all is well.
        dpkg_broken: audit.rc != NO_PROGRAM && !audit.stdout.trim().is_empty(),
        kubeadm: binary_version(kubeadm),
        kubelet: binary_version(kubelet),
        swap_total: swap_total(swaps)?,
        reboot_required: reboot.ok(),
        disks: disks(df)?,
        units: unit_facts(&units.stdout),
        systemd: init.stdout.trim() == "systemd",
        cgroup: cgroup_version(cgroup).to_owned(),
        clock: clock_now,
    })
}

/// What a shell gives for a program that is not there.
const NO_PROGRAM: i32 = 127;

fn unreadable(command: &str, expected: &str, answer: &ProbeOutput) -> FactsError {
    let seen = if answer.stdout.trim().is_empty() { &answer.stderr } else { &answer.stdout };
    let seen: String = seen.trim().chars().take(200).collect();
    let reason = format!(
        "{expected} are expected, and exit code {} with \"{}\" came",
        answer.rc,
        escape_quoted(&seen)
    );
    FactsError { command: command.to_owned(), reason }
}

/// A value of os-release(5), without its quotes.
fn os_release_value(text: &str, key: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
}

/// `v1.31.4`, or `Kubernetes v1.31.4`; `None` where the binary is absent or does not run.
fn binary_version(answer: &ProbeOutput) -> Option<KubeVersion> {
    let word = answer.stdout.split_whitespace().last().filter(|_| answer.ok())?;
    KubeVersion::parse(word).ok()
}

fn packages(
    versions: &ProbeOutput,
    showhold: &ProbeOutput,
) -> Result<BTreeMap<String, PackageFacts>, FactsError> {
    if versions.rc == NO_PROGRAM {
        return Ok(BTreeMap::new());
    }
    // 1 says that some of the names are unknown to dpkg.
    if versions.rc > 1 {
        return Err(unreadable("dpkg-query -W", "packages", versions));
    }
    let mut packages: BTreeMap<String, PackageFacts> =
        PACKAGES.iter().map(|name| ((*name).to_owned(), PackageFacts::default())).collect();
    for line in versions.stdout.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(version), Some(status)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(unreadable("dpkg-query -W", "name, version and status", versions));
        };
        // The second letter: n not installed, c only its configuration files are left.
        if !matches!(status.chars().nth(1), None | Some('n' | 'c')) {
            version.clone_into(&mut packages.entry(name.to_owned()).or_default().version);
        }
    }
    for name in showhold.stdout.lines().map(str::trim).filter(|name| !name.is_empty()) {
        packages.entry(name.to_owned()).or_default().held = true;
    }
    Ok(packages)
}

/// Bytes of swap areas in use; /proc/swaps counts in KiB.
fn swap_total(answer: &ProbeOutput) -> Result<u64, FactsError> {
    let areas = answer.stdout.lines().skip(1).filter(|line| !line.trim().is_empty());
    // The columns before the size are the name, whose spaces are escaped, and the type.
    let size = |line: &str| line.split_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok());
    let sizes = areas.map(|line| size(line).ok_or_else(|| unreadable("cat /proc/swaps", "sizes", answer)));
    Ok(sizes.sum::<Result<u64, _>>()?.saturating_mul(1024))
}

fn disks(answer: &ProbeOutput) -> Result<BTreeMap<String, Disk>, FactsError> {
    let disk = |line: &str| {
        let mut words = line.split_whitespace();
        let (path, total, free) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((path.to_owned(), Disk { total, free }))
    };
    let lines = answer.stdout.lines().skip(1);
    lines
        .map(|line| disk(line).ok_or_else(|| unreadable("df", "path, size and free space", answer)))
        .collect()
}

fn unit_facts(stdout: &str) -> BTreeMap<String, UnitFacts> {
    let unit = |block: &str| {
        let property = |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let text = |key: &str| property(key).unwrap_or_default().to_owned();
        let name = property("Id")?.strip_suffix(".service")?.to_owned();
        let facts = UnitFacts {
            active: text("ActiveState"),
            enabled: text("UnitFileState"),
            started: property("ExecMainStartTimestampMonotonic")
                .and_then(|time| time.parse().ok())
                .unwrap_or(0),
        };
        (property("LoadState") != Some("not-found")).then_some((name, facts))
    };
    stdout.split("\n\n").filter_map(unit).collect()
}

impl HostFacts {
    /// As the namespace `facts` of templates.
    pub fn to_value(&self) -> Value {
        let text = |text: &str| Value::Str(text.to_owned());
        let version = |version: &Option<KubeVersion>| {
            version.as_ref().map_or(Value::Null, |version| Value::Version(version.into()))
        };
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let package = |facts: &PackageFacts| {
            map([("version", text(&facts.version)), ("held", Value::Bool(facts.held))])
        };
        let disk = |disk: &Disk| {
            map([("total", Value::Size(Size(disk.total))), ("free", Value::Size(Size(disk.free)))])
        };
        let unit = |facts: &UnitFacts| {
            let texts = [("active", text(&facts.active)), ("enabled", text(&facts.enabled))];
            map(texts.into_iter().chain([("started", number(facts.started))]))
        };
        map([
            ("os", text(&self.os)),
            ("os_version", text(&self.os_version)),
            ("kernel", text(&self.kernel)),
            ("arch", text(&self.arch)),
            ("hostname", text(&self.hostname)),
            ("boot_id", text(&self.boot_id)),
            ("machine_id", text(&self.machine_id)),
            ("packages", map(self.packages.iter().map(|(name, facts)| (name.as_str(), package(facts))))),
            ("dpkg_broken", Value::Bool(self.dpkg_broken)),
            ("kubeadm", version(&self.kubeadm)),
            ("kubelet", version(&self.kubelet)),
            ("swap_total", number(self.swap_total)),
            ("reboot_required", Value::Bool(self.reboot_required)),
            ("disks", map(self.disks.iter().map(|(path, facts)| (path.as_str(), disk(facts))))),
            ("units", map(self.units.iter().map(|(name, facts)| (name.as_str(), unit(facts))))),
            ("systemd", Value::Bool(self.systemd)),
            ("cgroup", text(&self.cgroup)),
            ("clock", Value::Int(self.clock)),
        ])
    }
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests;
