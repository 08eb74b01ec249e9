//! The snapshot of etcd on a simulated control plane: the script of the step `etcd_snapshot`, known by its name. etcdctl
//! is that of etcd's own container, as on a host that kubeadm set up.

use super::command::Invocation;
use super::process::{Output, ProcessStep};
use super::static_pod;
use super::world::World;

/// `$1` of the script.
const NAME: &str = "rollbook-etcd-snapshot";
/// What the database takes.
const SIZE: u64 = 52_428_800;
/// How long saving takes. Always the same: what a seed gives must not depend on whether etcd is saved.
const SAVING: i64 = 3000;
/// Where etcd's data lie.
const DATA: &str = "/var/lib/etcd";

/// Whether a command line is the script's.
pub(super) fn is_snapshot(command: &Invocation) -> bool {
    command.program() == "sh" && command.args().get(2).is_some_and(|name| name == NAME)
}

/// Whether it only looks.
pub(super) fn is_look(command: &Invocation) -> bool {
    is_snapshot(command) && command.args().get(3).is_some_and(|verb| verb == "look")
}

/// What is asked.
struct SnapshotRequest {
    host: usize,
    file: String,
    keep: usize,
    elsewhere: bool,
}

/// Looks or saves.
pub(super) fn snapshot(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let arg = |index: usize| command.args().get(index).map_or("", String::as_str);
    let ask = SnapshotRequest {
        host: command.host,
        file: arg(4).to_owned(),
        keep: arg(5).parse().unwrap_or(0),
        elsewhere: !arg(11).is_empty(),
    };
    if is_look(command) {
        look(world, &ask, out);
        return ProcessStep::Exit(0);
    }
    if record(world, &ask).is_none() && !has_tool(world, &ask) {
        out.complain("there is no etcdctl, and no running container of etcd that has one");
        return ProcessStep::Exit(1);
    }
    ProcessStep::after(SAVING, move |world, out| {
        save(world, &ask, out);
        ProcessStep::Exit(0)
    })
}

/// The record beside the file, where both are there.
fn record<'w>(world: &'w World, ask: &SnapshotRequest) -> Option<&'w str> {
    let files = &world.hosts[ask.host].files;
    files.get(&ask.file)?;
    files.read(&format!("{}.json", ask.file))
}

/// An etcd elsewhere answers to an etcdctl of the host; that of this host has one in its container.
fn has_tool(world: &World, ask: &SnapshotRequest) -> bool {
    let host = &world.hosts[ask.host];
    let pod = host.node.and_then(|node| static_pod::find(world, node, "etcd"));
    let runs = pod.and_then(|pod| world.cluster.pods.get(&pod)).is_some_and(|pod| pod.waiting.is_empty());
    ask.elsewhere || runs
}

fn look(world: &World, ask: &SnapshotRequest, out: &mut Output) {
    if let Some(record) = record(world, ask) {
        out.line(format!("snapshot good\nrecord {}", record.trim_end()));
        return;
    }
    let files = &world.hosts[ask.host].files;
    let is_there = files.get(&ask.file).is_some();
    out.line(if is_there { "snapshot nothing tells that it was opened again" } else { "snapshot absent" });
    if !ask.elsewhere && files.get(&static_pod::manifest_path("etcd")).is_none() {
        out.line("etcd elsewhere");
    }
    out.line(if has_tool(world, ask) { "etcdctl crictl" } else { "etcdctl none" });
    let directory = ask.file.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let free = world.hosts[ask.host].free;
    out.line(format!("size {SIZE}\nfree {free} {directory}\nfree {free} {DATA}"));
}

fn save(world: &mut World, ask: &SnapshotRequest, out: &mut Output) {
    if let Some(record) = record(world, ask) {
        out.line(format!("it is saved already\n{}", record.trim_end()));
        return;
    }
    // Any change of the cluster moves etcd's revision; the time stands for them all.
    let (now, file) = (world.now, &ask.file);
    let revision = 100_000 + now / 100;
    let digest = format!("{:064x}", u64::try_from(revision).unwrap_or(0));
    let record = format!(
        "{{\"kind\":\"EtcdSnapshot\",\"file\":\"{file}\",\"hash\":{},\"revision\":{revision},\"keys\":1234,\"size\":{},\
         \"sha256\":\"{digest}\"}}",
        2_654_435_761_i64.wrapping_mul(revision) & 0xffff_ffff,
        SIZE + 32,
    );
    let files = &mut world.hosts[ask.host].files;
    files.put(file, "simulated snapshot\n".to_owned(), "600", now);
    files.put(&format!("{file}.json"), format!("{record}\n"), "600", now);
    drop_old(world, ask, out);
    out.line(record);
}

/// The newest stay; only files with a record beside them are ours.
fn drop_old(world: &mut World, ask: &SnapshotRequest, out: &mut Output) {
    let Some((directory, _)) = ask.file.rsplit_once('/').filter(|_| ask.keep > 0) else { return };
    let files = &mut world.hosts[ask.host].files;
    let below = format!("{directory}/");
    let records = files.below(&below).filter(|(_, file)| file.text.starts_with("{\"kind\":\"EtcdSnapshot\""));
    let mut ours: Vec<(i64, String)> = records
        .filter_map(|(path, file)| Some((file.at, path.strip_suffix(".json")?.to_owned())))
        .filter(|(_, path)| *path != ask.file)
        .collect();
    ours.sort_by(|left, right| right.cmp(left));
    for (_, path) in ours.into_iter().skip(ask.keep - 1) {
        out.line(format!("removed {path}"));
        files.remove(&path);
        files.remove(&format!("{path}.json"));
    }
}
