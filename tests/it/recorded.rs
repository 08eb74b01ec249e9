//! A cluster that is written down, and rehearsals that begin as it was.

use std::fs;
use std::path::{Path, PathBuf};

use rollbook::facts::Recording;
use rollbook::kubernetes::KubeCx;
use rollbook::simulation::{Allowance, Fault, SimulatedWorkload, WorkloadKind};
use rollbook::value::Duration;
use tempfile::TempDir;

use super::roll::fleet::Fleet;
use super::support::cluster::{Cluster, story};
use super::support::rollbook::{Outcome, Rollbook};

/// A recording of a cluster with an inventory beside it.
struct Kept {
    dir: TempDir,
    recording: Recording,
}

impl Kept {
    fn of(cluster: &Cluster) -> Self {
        let cx = KubeCx {
            kubeconfig: "/etc/kubernetes/admin.conf".to_owned(),
            context: String::new(),
            request_timeout: Duration::from_secs(30),
            r#become: true,
        };
        let (recording, failed) = story(async {
            let (pool, controller) = cluster.pools();
            let kube = Some((&cx, cluster.control_planes.as_slice()));
            rollbook::executor::record(&pool, &controller, &cluster.hosts, kube).await
        });
        assert!(failed.is_empty(), "{failed:?}");
        let kept = Self { dir: tempfile::tempdir().unwrap(), recording: recording.unwrap() };
        fs::write(kept.path("cluster.json"), kept.recording.to_json()).unwrap();
        fs::write(kept.path("inventory.yaml"), &cluster.inventory).unwrap();
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn rehearse(&self, runbook: &str, more: &[&str]) -> Outcome {
        let root = env!("CARGO_MANIFEST_DIR");
        let (runbook, inventory, from) =
            (format!("{root}/runbooks/{runbook}"), self.text("inventory.yaml"), self.text("cluster.json"));
        let args = ["rehearse", &runbook, "-i", &inventory, "--from", &from];
        Rollbook::new(args.into_iter().chain(more.iter().copied())).run()
    }

    /// What comes of it, as a scenario expects it.
    fn expects(&self, runbook: &str, lines: &str) {
        let root = env!("CARGO_MANIFEST_DIR");
        let head = format!(
            "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: {{ name: t }}\nrunbook: {root}/runbooks/{runbook}\n\
             inventory: inventory.yaml\n"
        );
        fs::write(self.path("scenario.yaml"), head + lines).unwrap();
        let (scenario, from) = (self.text("scenario.yaml"), self.text("cluster.json"));
        Rollbook::new(["rehearse", "--from", &from, "--check", &scenario]).run().exits(0);
    }
}

fn placed(name: &str, nodes: &[(&str, bool)], budget: Option<Allowance>) -> SimulatedWorkload {
    SimulatedWorkload {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        kind: WorkloadKind::Placed {
            pods: nodes.iter().map(|(node, ready)| ((*node).to_owned(), *ready)).collect(),
        },
        empty_dir: false,
        budget,
    }
}

#[test]
fn a_rehearsal_begins_with_the_versions_cordons_and_holds_that_were_recorded() {
    let cluster = Cluster::new(1, 3, "1.29.3");
    cluster.simulated.inject(Fault::NodeCordoned { host: "w1".to_owned(), at: Duration::ZERO });
    cluster.simulated.inject(Fault::UpToDate { host: "cp1".to_owned() });
    let kept = Kept::of(&cluster);
    let recorded = kept.recording.cluster.as_ref().unwrap();
    assert!(recorded.facts.nodes["w1"].cordoned && recorded.facts.server_version.contains("1.29.3"));
    kept.expects(
        "os-patch.yaml",
        "limit: w1 | w2\n\
         expect:\n  exit: 0\n  ran: [{ step: reboot, host: w2 }]\n  nodes:\n    \
         w1: { cordoned: true, ready: true, kubelet: 1.29.3, held: [kubeadm, kubectl, kubelet] }\n    \
         w2 | w3 | cp1: { cordoned: false, ready: true, kubelet: 1.29.3, held: [kubeadm, kubectl, kubelet] }\n",
    );
}

#[test]
fn what_blocks_a_drain_there_blocks_it_in_the_rehearsal() {
    let cluster = Cluster::new(1, 3, "1.30.2");
    cluster.simulated.add_workload(&placed("cart", &[("w2", true)], Some(Allowance::MinAvailable(1))));
    cluster.simulated.inject(Fault::BarePod { host: "w3".to_owned() });
    let kept = Kept::of(&cluster);
    let outcome = kept.rehearse("os-patch.yaml", &["--limit", "w2"]);
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    outcome.says("pods/\"cart-");
    let outcome = kept.rehearse("os-patch.yaml", &["--limit", "w3"]);
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    outcome.says("bare-w3");
}

#[test]
fn reboots_disks_and_units_are_those_of_the_hosts() {
    let cluster = Cluster::new(3, 2, "1.30.2");
    for host in ["cp1", "cp2", "cp3", "w1", "w2"] {
        cluster.simulated.inject(Fault::UpToDate { host: host.to_owned() });
    }
    cluster.simulated.inject(Fault::RebootRequired { host: "w2".to_owned() });
    let kept = Kept::of(&cluster);
    assert_eq!(kept.recording.hosts["w1"].units["kubelet"].active, "active");
    let text = fs::read_to_string(kept.path("cluster.json")).unwrap();
    // A disk that fills up, as it would stand in a file of tomorrow.
    let full = text.replace("\"free\": 28633115306", "\"free\": 1048576");
    assert_ne!(full, text);
    // Packages that the facts do not name have their simulated updates, none of which asks for a reboot.
    kept.expects(
        "os-patch.yaml",
        "expect:\n  exit: 0\n  ran: [{ step: reboot, host: w2 }]\n  did_not_run: [{ step: reboot, host: cp1 | w1 }]\n",
    );
    fs::write(kept.path("cluster.json"), full).unwrap();
    let outcome = kept.rehearse("os-patch.yaml", &[]);
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    outcome.says("/var has less than");
}

#[test]
fn a_recorded_system_is_that_of_the_simulated_host() {
    let kept = Kept::of(&Cluster::new(1, 2, "1.30.2"));
    let text = fs::read_to_string(kept.path("cluster.json")).unwrap();
    let with = |os: &str| {
        let other = text.replace("\"os\": \"debian\"", &format!("\"os\": \"{os}\""));
        assert_ne!(other, text);
        fs::write(kept.path("cluster.json"), other).unwrap();
        kept.rehearse("os-patch.yaml", &["--limit", "w2"])
    };
    with("rocky").exits(65).says("cannot simulate w2: its recorded system is `rocky`").says("--limit");
    with("ubuntu").exits(0);
    with("ours").exits(0).says("its recorded system is `ours`, which is Linux with apt (on cp1, w1, w2)");
}

#[test]
fn a_recording_that_does_not_fit_is_refused() {
    let kept = Kept::of(&Cluster::new(1, 1, "1.30.2"));
    fs::write(kept.path("inventory.yaml"), &Cluster::new(1, 3, "1.30.2").inventory).unwrap();
    let upgrade = |kept: &Kept| kept.rehearse("os-patch.yaml", &[]).exits(65);
    upgrade(&kept).says("w2 and 1 other hosts are not in").says("record the fleet again");
    fs::write(kept.path("cluster.json"), "{\"apiVersion\":\"rollbook/v1\",\"kind\":\"Plan\"}").unwrap();
    upgrade(&kept).says("is no recording: it is a Plan");
}

#[test]
fn real_hosts_are_recorded_without_their_cluster_and_rehearsed() {
    let fleet = Fleet::of(2);
    let file = fleet.path("fleet.yaml");
    fleet
        .rollbook_on("facts", "all", &["-i", "inventory.yaml", "--record", &file])
        .run()
        .exits(0)
        .says("fleet.yaml has 2 hosts");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\nkind: Recording\n"), "{text}");
    let recording = Recording::read(&text).unwrap();
    assert_eq!(recording.hosts.len(), 2);
    assert!(
        recording.cluster.is_none() && !recording.hosts.values().any(|facts| facts.machine_id.is_empty())
    );
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/os-patch-hosts.yaml");
    let args = ["-i", "inventory.yaml", "--from", &file];
    fleet.rollbook_on("rehearse", runbook.to_str().unwrap(), &args).run().exits(0);
}
