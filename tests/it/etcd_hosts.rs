//! An etcd on hosts of its own: three real members (Debian's `etcd-server` and `etcd-client`) behind real sshds, and a
//! simulated one. No two of them are out together, and none while another one is not well.

use std::fs;
use std::process::{Child, Command, Stdio};

use rollbook::facts::{EtcdAccess, EtcdMember, etcd_member_probe, read_etcd_member};
use rollbook::op::ProbeOutput;

use super::roll::fleet::{Fleet, most_at_once};
use super::support::ports::unused_port;
use super::support::rollbook::{Outcome, Rollbook};
use super::support::sshd::Sshd;

/// Three members of one cluster on loopback. They end with the test.
struct Etcd {
    members: Vec<Child>,
    clients: Vec<String>,
    _dir: tempfile::TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

fn url() -> String {
    format!("http://127.0.0.1:{}", unused_port())
}

impl Etcd {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let urls: Vec<(String, String)> = (0..3).map(|_| (url(), url())).collect();
        let cluster: Vec<String> =
            urls.iter().enumerate().map(|(number, (_, peer))| format!("e{number}={peer}")).collect();
        let start = |(number, (client, peer)): (usize, &(String, String))| {
            Command::new("etcd")
                .args(["--name", &format!("e{number}"), "--initial-cluster", &cluster.join(",")])
                .arg("--data-dir")
                .arg(dir.path().join(number.to_string()))
                .args(["--listen-client-urls", client, "--advertise-client-urls", client])
                .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("etcd, of Debian's package etcd-server, is there")
        };
        let members = urls.iter().enumerate().map(start).collect();
        let clients = urls.into_iter().map(|(client, _)| client).collect();
        let mut etcd = Self { members, clients, _dir: dir };
        while (0..3).any(|member| etcd.ask(member).blocked.is_some()) {
            let ended = etcd.members.iter_mut().position(|member| member.try_wait().unwrap().is_some());
            assert!(ended.is_none(), "etcd member {ended:?} ended");
        }
        etcd
    }

    /// What the look of a run makes of a member.
    fn ask(&self, member: usize) -> EtcdMember {
        let access = EtcdAccess::default();
        let probe = etcd_member_probe(&access);
        let answers = probe.queries.iter().map(|query| {
            let output = Command::new(&query.argv[0])
                .args(&query.argv[1..])
                .env("ETCDCTL_ENDPOINTS", &self.clients[member])
                .output()
                .unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            let rc = output.status.code().unwrap();
            ProbeOutput { rc, stdout: text(output.stdout), stderr: text(output.stderr) }
        });
        read_etcd_member(&answers.collect::<Vec<_>>(), &access, false)
    }

    fn kill(&mut self, member: usize) {
        self.members[member].kill().unwrap();
        self.members[member].wait().unwrap();
    }
}

#[test]
fn a_real_etcd_tells_its_cluster_and_which_member_is_not_well() {
    let (mut one, other) = (Etcd::start(), Etcd::start());
    let ids: Vec<EtcdMember> = (0..3).map(|member| one.ask(member)).collect();
    assert!(ids.iter().all(|member| *member == ids[0] && !member.cluster.is_empty()), "{ids:?}");
    assert_ne!(other.ask(0).cluster, ids[0].cluster);
    one.kill(2);
    let left = one.ask(0);
    assert_eq!(left.blocked.as_deref(), Some("etcd member e2 is not healthy"));
    assert_eq!(left.cluster, ids[0].cluster);
    let gone = one.ask(2);
    assert!(gone.cluster.is_empty() && gone.blocked.is_some_and(|why| why.contains("cannot be asked")));
}

/// Three hosts with a member each.
fn fleet(etcd: &Etcd) -> Fleet {
    let mut fleet = Fleet::of(3);
    for (host, client) in fleet.hosts.iter_mut().zip(&etcd.clients) {
        *host = Sshd::start_machine(&format!("MaxStartups 100\nSetEnv ETCDCTL_ENDPOINTS={client}"));
    }
    fleet.write_inventory();
    let inventory = fleet.dir.path().join("inventory.yaml");
    let text = fs::read_to_string(&inventory).unwrap();
    fs::write(&inventory, text + "kube: { etcd: { hosts: all } }\n").unwrap();
    fleet
}

/// Takes every host out of service for a second, three at a time where nothing speaks against it.
fn disturb(fleet: &Fleet) -> Outcome {
    let step = "- command: [\"@work\", \"{{ host.name }}\", restart, \"1\"]\n  effect: disrupts";
    fleet.runbook("", "max_unavailable: 3, wait_for_budget: 1s", step);
    fleet.run(&[]).run()
}

#[test]
fn members_behind_sshd_go_one_at_a_time() {
    let etcd = Etcd::start();
    let fleet = fleet(&etcd);
    disturb(&fleet).exits(0);
    assert_eq!(most_at_once(&[1, 2, 3].map(|host| fleet.span(host))), 1, "two members are out together");
    let effective = "max_unavailable 1 (written: 3; members of etcd go one at a time)";
    fleet.rollbook("plan", &[]).run().exits(0).shows(effective);
}

#[test]
fn members_behind_sshd_stay_up_while_another_one_is_dead() {
    let mut etcd = Etcd::start();
    let fleet = fleet(&etcd);
    etcd.kill(2);
    disturb(&fleet).exits(10).says("etcd member e2 is not healthy");
    assert!((1..=3).all(|host| fleet.log(host).is_empty()));
}

/// Rehearses a roll with two slots over three etcd hosts.
fn rehearse(step: &str, faults: &str, expect: &str) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, kind: &str, text: &str| {
        let head = format!("apiVersion: rollbook/v1\nkind: {kind}\nmetadata: {{ name: t }}\n");
        fs::write(dir.path().join(name), head + text).unwrap();
    };
    let inventory = "hosts: { \"cp[1:3]\": {}, \"db[1:3]\": {} }\ngroups: { control_plane: { select: \"cp*\" } }\n\
                     kube: { etcd: { hosts: \"db*\", cacert: /pki/ca, cert: /pki/crt, key: /pki/key } }\n";
    write("inv.yaml", "Inventory", inventory);
    let phase = "phases:\n  - name: roll\n    hosts: \"db*\"\n    rollout: { max_unavailable: 2, max_failures: 3, wait_for_budget: 2m }\n    steps:\n";
    write("rb.yaml", "Runbook", &format!("kube: {{ via: control_plane }}\n{phase}      - {step}\n"));
    let files = "runbook: rb.yaml\ninventory: inv.yaml\n";
    write("sc.yaml", "Scenario", &format!("{files}{faults}expect: {expect}\n"));
    let file = dir.path().join("sc.yaml");
    Rollbook::new(["rehearse", "--check", file.to_str().unwrap()]).run()
}

#[test]
fn simulated_members_go_one_at_a_time_however_they_are_disturbed() {
    for step in ["systemctl: { restart: etcd, always: true }", "reboot: {}", "command: [work]"] {
        rehearse(step, "", "{ exit: 0, slots: 1 }").exits(0);
    }
}

#[test]
fn a_simulated_member_that_is_lost_keeps_the_others_up() {
    let faults = "faults: [{ host: db1, step: command, fault: power_lost }]\n";
    let expect =
        "{ did_not_run: [{ step: command, host: db2 }, { step: command, host: db3 }], says: [etcd] }";
    rehearse("command: [work]", faults, expect).exits(0);
}
