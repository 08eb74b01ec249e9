//! `kubeadm` and `kubelet --version`: a kubeadm that knows versions and refuses what the real one refuses. Texts and
//! exit codes are those of real runs, and `kubeadm_says.rs` has them.

use super::assumed;
use super::cluster::ReadyCondition;
use super::command::Invocation;
use super::host::ControlGroups;
use super::kubeadm_says::{Age, HINT, cgroup_v1};
use super::process::{Output, ProcessStep};
use super::static_pod::{self, COMPONENTS};
use super::world::World;
use crate::value::{KubeVersion, Minor};

/// `kubelet --version`.
pub(super) fn kubelet(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    match world.hosts[command.host].packages.kubernetes_version("kubelet") {
        Some(version) => {
            out.line(format!("Kubernetes v{version}"));
            ProcessStep::Exit(0)
        }
        None => missing("kubelet", out),
    }
}

/// `kubeadm …`.
pub(super) fn kubeadm(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let Some(version) = world.hosts[command.host].packages.kubernetes_version("kubeadm") else {
        return missing("kubeadm", out);
    };
    let operands = command.operands(&["-o", "--output"]);
    match operands.as_slice() {
        ["version", ..] => print_version(command, &version, out),
        ["upgrade", "apply", target, ..] => apply(world, command, &version, target, out),
        ["upgrade", "apply"] => {
            out.complain(format!("couldn't read the config file: no version given\n{HINT}"));
            ProcessStep::Exit(1)
        }
        ["upgrade", "node", ..] => node(world, command, &version, out),
        ["upgrade", "plan", ..] => {
            out.line(format!("[upgrade/versions] Cluster version: v{}", world.cluster.kubeadm_config));
            out.line(format!("[upgrade/versions] kubeadm version: v{version}"));
            ProcessStep::after(15_000, |_, _| ProcessStep::Exit(0))
        }
        ["config", "images", "pull", ..] => pull(world, command, &version, out),
        ["config", "images", "list", ..] => {
            let target =
                command.option("--kubernetes-version").and_then(|text| KubeVersion::parse(text).ok());
            let target = target.unwrap_or(version);
            for component in COMPONENTS {
                out.line(static_pod::image(component, &target));
            }
            ProcessStep::Exit(0)
        }
        _ if world.assumed.is_on && !command.probe => assumed::beyond(world, command, out, "", 1),
        _ => ProcessStep::Exit(0),
    }
}

fn missing(program: &str, out: &mut Output) -> ProcessStep {
    out.complain(format!("simulated host: no such program: {program}"));
    ProcessStep::Exit(127)
}

fn print_version(command: &Invocation, version: &KubeVersion, out: &mut Output) -> ProcessStep {
    let minor = version.minor().minor;
    match command.option("-o").or_else(|| command.option("--output")) {
        Some("short") => out.line(format!("v{version}")),
        Some("json") => out.line(format!(
            "{{\n  \"clientVersion\": {{\n    \"major\": \"1\",\n    \"minor\": \"{minor}\",\n    \
             \"gitVersion\": \"v{version}\",\n    \"platform\": \"linux/amd64\"\n  }}\n}}"
        )),
        _ => out.line(format!(
            "kubeadm version: &version.Info{{Major:\"1\", Minor:\"{minor}\", GitVersion:\"v{version}\"}}"
        )),
    }
    ProcessStep::Exit(0)
}

fn pull(world: &mut World, command: &Invocation, version: &KubeVersion, out: &mut Output) -> ProcessStep {
    let target = command.option("--kubernetes-version").and_then(|text| KubeVersion::parse(text).ok());
    let target = target.unwrap_or_else(|| version.clone());
    for component in COMPONENTS {
        out.line(format!("[config/images] Pulled {}", static_pod::image(component, &target)));
    }
    let time = world.hosts[command.host].random.secs(15, 40);
    ProcessStep::after(time, |_, _| ProcessStep::Exit(0))
}

/// What `apply` checks before it changes anything.
struct Apply {
    host: usize,
    age: Age,
    target: KubeVersion,
    force: bool,
    ignores_job: bool,
}

fn apply(
    world: &mut World,
    command: &Invocation,
    kubeadm: &KubeVersion,
    target: &str,
    out: &mut Output,
) -> ProcessStep {
    let (host, age) = (command.host, Age::of(kubeadm));
    if let Some(next) = not_root(command, age, out) {
        return next;
    }
    out.line("[upgrade/config] Making sure the configuration is correct:");
    if world.hosts[host].files.get("/etc/kubernetes/admin.conf").is_none() {
        out.complain(format!(
            "couldn't create a Kubernetes client from file \"/etc/kubernetes/admin.conf\": failed to load admin kubeconfig: \
             open /etc/kubernetes/admin.conf: no such file or directory\n{HINT}"
        ));
        return ProcessStep::Exit(1);
    }
    age.reads_config("upgrade/config", out);
    out.line("[preflight] Running pre-flight checks.\n[upgrade] Running cluster health checks");
    if let Some(next) = unfit_machine(world, command, kubeadm, out) {
        return next;
    }
    let parsed = KubeVersion::parse(target).ok();
    let Some(version) = parsed else {
        out.complain(format!(
            "version \"{target}\" doesn't match patterns for neither semantic version nor labels (stable, latest, ...)\n{HINT}"
        ));
        return ProcessStep::Exit(1);
    };
    let call = Apply {
        host,
        age,
        target: version,
        force: command.has("--force") || command.has("-f"),
        ignores_job: ignores(command, "CreateJob"),
    };
    let confirmed = call.force
        || command.has("--yes")
        || command.has("-y")
        || command.has("--dry-run")
        || command.stdin.trim_start().starts_with(['y', 'Y']);
    let dry_run = command.has("--dry-run");
    let kubeadm = kubeadm.clone();
    let health = world.hosts[host].random.secs(12, 20);
    ProcessStep::after(health, move |world, out| {
        if let Some(next) = refused(world, &call, &kubeadm, out) {
            return next;
        }
        if !confirmed {
            out.stdout
                .push_str("[upgrade/confirm] Are you sure you want to proceed with the upgrade? [y/N]: ");
            out.complain(format!("won't proceed; the user didn't answer (Y|y) in order to continue\n{HINT}"));
            return ProcessStep::Exit(1);
        }
        if dry_run {
            out.line("[upgrade/successful] Finished dryrunning successfully!");
            return ProcessStep::Exit(0);
        }
        call.age.begins_apply(&call.target, out);
        let way = Way { host: call.host, age: call.age, version: call.target.clone() };
        replace(world, way, 0, Box::new(move |world, out| finish_apply(world, &call, out)), out)
    })
}

/// Health of the cluster and the rules between versions; `None` where nothing speaks against it.
fn refused(world: &World, call: &Apply, kubeadm: &KubeVersion, out: &mut Output) -> Option<ProcessStep> {
    let nodes = world.cluster.all_nodes().map(|(_, node)| node);
    let not_ready = nodes.filter(|node| node.control_plane && node.ready != ReadyCondition::True);
    let not_ready: Vec<&str> = not_ready.map(|node| node.name.as_str()).collect();
    if !not_ready.is_empty() {
        let names = not_ready.join(" ");
        let text = format!(
            "\t[ERROR ControlPlaneNodesReady]: there are NotReady control-planes in the cluster: [{names}]"
        );
        return Some(call.age.refuses("[upgrade/health] FATAL: ", 1, &text, out));
    }
    if !call.ignores_job
        && !world.cluster.nodes.iter().any(super::cluster::SimulatedNode::takes_pods)
        && let Some(next) = call.age.without_health_job(out)
    {
        return Some(next);
    }
    let (target, cluster) = (&call.target, &world.cluster.kubeadm_config);
    call.age.chose(target, cluster, kubeadm, out);
    let specified = format!("Specified version to upgrade to \"v{target}\"");
    let mut fatal = Vec::new();
    let mut bypassable = Vec::new();
    if target.minor() > cluster.minor().next() {
        fatal.push(format!("{specified} is too high; kubeadm can upgrade only 1 minor version at a time"));
    }
    if target.minor().next() < cluster.minor() {
        fatal.push(format!("{specified} is too low; kubeadm can downgrade only 1 minor version at a time"));
    }
    if target.minor() > kubeadm.minor() {
        let (theirs, ours) = (target.minor().minor, kubeadm.minor().minor);
        fatal.push(format!(
            "{specified} is at least one minor release higher than the kubeadm minor release ({theirs} > {ours}). \
             Such an upgrade is not supported"
        ));
    } else if kubeadm.is_older_than(target) {
        bypassable.push(format!(
            "{specified} is higher than the kubeadm version \"v{kubeadm}\". Upgrade kubeadm first using the tool you used \
             to install kubeadm"
        ));
    }
    if target.is_older_than(cluster) && target.minor().next() >= cluster.minor() {
        bypassable.push(format!("{specified} is lower than the cluster version \"v{cluster}\""));
    }
    let list =
        |errors: &[String]| errors.iter().fold(String::new(), |list, error| list + "\t- " + error + "\n");
    if !fatal.is_empty() {
        fatal.append(&mut bypassable);
        out.complain(format!(
            "[upgrade/version] FATAL: the --version argument is invalid due to these fatal errors:\n\n{}\n\
             Please fix the misalignments highlighted above and try upgrading again\n{HINT}",
            list(&fatal)
        ));
        return Some(ProcessStep::Exit(1));
    }
    if !bypassable.is_empty() && !call.force {
        out.complain(format!(
            "[upgrade/version] FATAL: the --version argument is invalid due to these errors:\n\n{}\n\
             Can be bypassed if you pass the --force flag\n{HINT}",
            list(&bypassable)
        ));
        return Some(ProcessStep::Exit(1));
    }
    None
}

fn ignores(command: &Invocation, check: &str) -> bool {
    let skipped = command.option("--ignore-preflight-errors").unwrap_or_default();
    skipped.split(',').any(|word| word.eq_ignore_ascii_case(check) || word == "all")
}

fn not_root(command: &Invocation, age: Age, out: &mut Output) -> Option<ProcessStep> {
    let text = "\t[ERROR IsPrivilegedUser]: user is not running as root";
    (!command.root).then(|| age.refuses("", 2, text, out))
}

/// From 1.35 on no machine with control groups v1 passes, whatever its kubelet is told.
fn unfit_machine(
    world: &World,
    command: &Invocation,
    kubeadm: &KubeVersion,
    out: &mut Output,
) -> Option<ProcessStep> {
    let machine = &world.hosts[command.host];
    if kubeadm.minor() < Minor::new(1, 35) || machine.control_groups == ControlGroups::V2 {
        return None;
    }
    let error = cgroup_v1(machine.kernel(), ignores(command, "SystemVerification"), out)?;
    Some(Age::of(kubeadm).refuses("", 1, &error, out))
}

/// What the static pods of a host become, and how that is told.
struct Way {
    host: usize,
    age: Age,
    version: KubeVersion,
}

type Finish = Box<dyn FnOnce(&mut World, &mut Output) -> ProcessStep>;

/// Replaces the static pods of a control plane one after the other.
fn replace(world: &mut World, way: Way, index: usize, finish: Finish, out: &mut Output) -> ProcessStep {
    let Some(component) = COMPONENTS.get(index) else { return finish(world, out) };
    out.line(format!("[upgrade/staticpods] Preparing for \"{component}\" upgrade"));
    if !static_pod::upgrade(world, way.host, component, &way.version) {
        out.line(format!(
            "[upgrade/staticpods] Current and new manifests of {component} are equal, skipping upgrade"
        ));
        return replace(world, way, index + 1, finish, out);
    }
    out.line(format!(
        "[upgrade/staticpods] Moved new manifest to \"{}\" and backed up old manifest",
        static_pod::manifest_path(component)
    ));
    out.line("[upgrade/staticpods] Waiting for the kubelet to restart the component");
    let (least, most) = way.age.component_takes();
    let time = world.hosts[way.host].random.secs(least, most);
    ProcessStep::after(time, move |world, out| {
        out.line(format!("[upgrade/staticpods] Component \"{component}\" upgraded successfully!"));
        replace(world, way, index + 1, finish, out)
    })
}

fn finish_apply(world: &mut World, call: &Apply, out: &mut Output) -> ProcessStep {
    let (host, age, target) = (call.host, call.age, call.target.clone());
    age.ends_control_plane(out);
    out.line("[upload-config] Storing the configuration used in ConfigMap \"kubeadm-config\" in the \"kube-system\" Namespace");
    if world.cluster.kubeadm_config != target {
        world.cluster.kubeadm_config = target.clone();
        world.cluster.kubelet_config = world.cluster.new_revision();
    }
    let time = world.hosts[host].random.secs(5, 10);
    ProcessStep::after(time, move |world, out| {
        write_kubelet_config(world, host, out);
        out.line("[addons] Applied essential addon: CoreDNS\n[addons] Applied essential addon: kube-proxy\n");
        age.ends_apply(&target, out);
        ProcessStep::Exit(0)
    })
}

/// Writes /var/lib/kubelet/config.yaml from the ConfigMap, as kubeadm does also when nothing in it changed.
fn write_kubelet_config(world: &mut World, host: usize, out: &mut Output) {
    out.line("[kubelet-start] Writing kubelet configuration to file \"/var/lib/kubelet/config.yaml\"");
    let now = world.now;
    let machine = &mut world.hosts[host];
    if let Some(kubeadm) = machine.packages.kubernetes_version("kubeadm") {
        machine.put_kubelet_config(&kubeadm, now);
    }
}

fn node(world: &mut World, command: &Invocation, kubeadm: &KubeVersion, out: &mut Output) -> ProcessStep {
    let (host, age) = (command.host, Age::of(kubeadm));
    if let Some(next) = not_root(command, age, out) {
        return next;
    }
    if world.hosts[host].node.is_none() {
        out.complain(format!("couldn't create a Kubernetes client from file \"/etc/kubernetes/kubelet.conf\": no such file or directory\n{HINT}"));
        return ProcessStep::Exit(1);
    }
    let cluster = world.cluster.kubeadm_config.clone();
    age.reads_config("upgrade", out);
    out.line("[preflight] Running pre-flight checks");
    if let Some(next) = unfit_machine(world, command, kubeadm, out) {
        return next;
    }
    if world.api_server().is_none() {
        out.complain(format!(
            "failed to get config map: Get \"https://{}:6443/api\": connect: connection refused\n{HINT}",
            world.hosts[host].address
        ));
        return ProcessStep::after(2000, |_, _| ProcessStep::Exit(1));
    }
    if kubeadm.minor() > cluster.minor().next() {
        let least = kubeadm.minor().previous();
        out.complain(format!(
            "this version of kubeadm only supports deploying clusters with the control plane version >= {least}.0. \
             Current version: v{cluster}\n{HINT}"
        ));
        return ProcessStep::Exit(1);
    }
    if !world.hosts[host].control_plane {
        age.skips_control_plane(out);
        return ProcessStep::after(1000, move |world, out| finish_node(world, host, age, out));
    }
    out.line(format!(
        "[upgrade] Upgrading your Static Pod-hosted control plane instance to version \"v{cluster}\"..."
    ));
    let finish: Finish = Box::new(move |world, out| finish_node(world, host, age, out));
    replace(world, Way { host, age, version: cluster }, 0, finish, out)
}

fn finish_node(world: &mut World, host: usize, age: Age, out: &mut Output) -> ProcessStep {
    let is_control_plane = world.hosts[host].control_plane;
    match age {
        Age::Before if is_control_plane => {
            out.line("[upgrade] The control plane instance for this node was successfully updated!");
        }
        Age::Before => {}
        Age::Phases => age.ends_control_plane(out),
    }
    write_kubelet_config(world, host, out);
    age.ends_node(is_control_plane, out);
    ProcessStep::Exit(0)
}
