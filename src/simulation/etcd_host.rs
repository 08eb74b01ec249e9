//! An etcd on simulated hosts of its own: one cluster of all hosts that have the unit `etcd.service`, and their etcdctl.

use super::assumed;
use super::command::Invocation;
use super::process::{Output, ProcessStep};
use super::world::World;

/// The unit of a member.
const UNIT: &str = "etcd.service";
/// The id of the cluster.
const CLUSTER: u64 = 0x00e7_cd00;

/// Indices of the hosts that have a member.
fn members(world: &World) -> Vec<usize> {
    (0..world.hosts.len()).filter(|host| world.hosts[*host].units.contains_key(UNIT)).collect()
}

fn is_up(world: &World, host: usize) -> bool {
    let host = &world.hosts[host];
    let is_cut = host.active_faults.unreachable.iter().any(|(from, to)| (*from..*to).contains(&world.now));
    !host.down && !is_cut && host.units.get(UNIT).is_some_and(|unit| unit.active() == "active")
}

fn url(world: &World, host: usize) -> String {
    format!("https://{}:2379", world.hosts[host].address)
}

/// `etcdctl endpoint status | endpoint health --cluster | member list`, as JSON.
pub(super) fn etcdctl(world: &World, command: &Invocation, out: &mut Output) -> ProcessStep {
    if !world.hosts[command.host].units.contains_key(UNIT) {
        return assumed::beyond(world, command, out, "simulated host: no such program: etcdctl", 127);
    }
    if !is_up(world, command.host) {
        out.complain("Error: context deadline exceeded");
        return ProcessStep::Exit(1);
    }
    match command.operands(&["-w"]).as_slice() {
        ["endpoint", "status", ..] => out.line(format!(
            "[{{\"Endpoint\":\"127.0.0.1:2379\",\"Status\":{{\"header\":{{\"cluster_id\":{CLUSTER},\"member_id\":{}}}}}}}]",
            command.host + 1
        )),
        ["member", "list", ..] => {
            let of = |host: usize| {
                let (name, url) = (&world.hosts[host].hostname, url(world, host));
                format!("{{\"ID\":{},\"name\":\"{name}\",\"clientURLs\":[\"{url}\"]}}", host + 1)
            };
            let all: Vec<String> = members(world).into_iter().map(of).collect();
            out.line(format!("{{\"members\":[{}]}}", all.join(",")));
        }
        ["endpoint", "health", ..] => {
            let of = |host: usize| {
                format!("{{\"endpoint\":\"{}\",\"health\":{}}}", url(world, host), is_up(world, host))
            };
            let members = members(world);
            let all: Vec<String> = members.iter().map(|host| of(*host)).collect();
            out.line(format!("[{}]", all.join(",")));
            return ProcessStep::Exit(i32::from(!members.into_iter().all(|host| is_up(world, host))));
        }
        _ => return assumed::beyond(world, command, out, "simulated host: etcdctl does not play this", 1),
    }
    ProcessStep::Exit(0)
}
