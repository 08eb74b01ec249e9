//! Ports on which something listens, in the kernel's table of a simulated host.

use super::command::Invocation;
use super::host::SimulatedMachine;
use super::process::Output;
use super::world::World;

/// The table's file.
pub(super) const TABLE: &str = "/proc/net/tcp";

/// The table with what listens: ssh, the kubelet, and on a control plane the API server and etcd.
pub(super) fn table(on_node: bool, control_plane: bool) -> String {
    let ports = [(22, true), (10_250, on_node), (6443, control_plane), (2379, control_plane)];
    let mut table = "  sl  local_address rem_address   st\n".to_owned();
    for (index, (port, _)) in ports.iter().filter(|(_, listens)| *listens).enumerate() {
        table += &row(index, *port);
    }
    table
}

fn row(index: usize, port: u16) -> String {
    format!("{index:>4}: {}\n", columns(port))
}

fn columns(port: u16) -> String {
    format!("00000000:{port:04X} 00000000:0000 0A")
}

/// Lets a port listen from now on. Where that is only assumed, whoever looks for it hears so.
pub(super) fn open(world: &mut World, host: &str, port: u16, is_assumed: bool) {
    let now = world.now;
    let Some(index) = world.host_index(host) else { return };
    let host = &mut world.hosts[index];
    let table = host.files.read(TABLE).unwrap_or_default();
    if !table.contains(&columns(port)) {
        let text = format!("{table}{}", row(table.lines().count(), port));
        host.files.put(TABLE, text, "644", now);
        host.assumed_ports.extend(is_assumed.then_some(port));
    }
}

/// What somebody takes to hold who reads the table.
pub(super) fn heard(host: &SimulatedMachine, command: &Invocation, out: &mut Output) {
    if command.probe && command.args().iter().any(|path| path == TABLE) {
        host.assumed_ports.iter().for_each(|port| out.assume(format!("something listens on port {port}")));
    }
}
