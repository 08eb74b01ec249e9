//! Nodes that somebody deletes or replaces between a saved plan and its run, with the real kubectl: nothing begins.

use std::fs;

use rustix::process::Signal;

use super::fleet::{Fleet, eventually};
use crate::support::apiserver::ApiServer;
use crate::support::rollbook::Outcome;

const TOP: &str = "kube: { via: controller, kubeconfig: @kubeconfig }\npolicy: { lock: { ttl: 1m } }";

const STEPS: &str = r#"
- cordon: {}
- command: { argv: ["@work", "{{ host.name }}", a, "0"] }
  effect: changes
- uncordon: {}
"#;

struct Planned {
    fleet: Fleet,
    api: ApiServer,
}

impl Planned {
    fn new(top: &str) -> Self {
        let (fleet, api) = (Fleet::of(2), ApiServer::start());
        api.write_kubeconfig(&fleet.dir.path().join("kubeconfig"));
        let planned = Self { fleet, api };
        planned.registers(1, "uid-1");
        planned.registers(2, "uid-2");
        planned.fleet.runbook(top, "batches: [1]", STEPS);
        planned.fleet.rollbook("plan", &["--allow-commands", "-o", "up.plan.json"]).run().exits(0);
        planned
    }

    fn registers(&self, host: usize, uid: &str) {
        let machine = fs::read_to_string(self.fleet.hosts[host - 1].path("machine-id")).unwrap();
        self.api.add_node_of(&format!("h{host}"), &machine, uid);
    }

    fn run(&self) -> Outcome {
        let args = ["--allow-commands", "--yes", "--state-dir", "state"];
        self.fleet.rollbook_on("run", "up.plan.json", &args).run()
    }

    fn resume(&self) -> Outcome {
        let run = self.fleet.run_dir();
        let run = run.file_name().unwrap().to_str().unwrap();
        self.fleet.rollbook_on("resume", run, &["--allow-commands", "--state-dir", "state"]).run()
    }

    fn is_untouched(&self) {
        for host in 1..=2 {
            assert!(self.fleet.log(host).is_empty(), "h{host} was worked on");
        }
        assert_eq!(self.api.cordons(), []);
    }
}

#[test]
fn a_saved_plan_whose_node_is_gone_or_another_changes_nothing() {
    let planned = Planned::new(TOP);
    planned.api.delete_node("h2");
    let gone = planned.run().exits(13).says("host h2: node h2 no longer exists").says("plan again");
    assert!(gone.stderr.contains("UID uid-2"), "{}", gone.stderr);
    planned.is_untouched();
    planned.registers(2, "uid-3");
    let replaced = planned.run().exits(13).says("host h2: node h2 was replaced");
    assert!(
        replaced.stderr.contains("UID uid-2, and the node of that name has UID uid-3 now"),
        "{}",
        replaced.stderr
    );
    planned.is_untouched();
    // The same machine under another name.
    planned.api.delete_node("h2");
    let machine = fs::read_to_string(planned.fleet.hosts[1].path("machine-id")).unwrap();
    planned.api.add_node_of("h2-new", &machine, "uid-4");
    planned.run().exits(13).says("host h2: its node h2 was renamed").says("node h2-new with UID uid-4");
    planned.is_untouched();
    // Another machine has taken the node over: its kubelet goes by that name, and the object stays.
    planned.api.delete_node("h2-new");
    planned.api.add_node_of("h2", "0123456789abcdef0123456789abcdef", "uid-2");
    planned.run().exits(13).says("host h2: node h2 is another machine now");
    planned.is_untouched();
    // It was not used, and is still good where the node is the one that it saw.
    planned.registers(2, "uid-2");
    planned.run().exits(0);
    assert_eq!(planned.fleet.steps(2), ["a begin", "a end"]);
}

#[test]
fn a_new_node_of_no_host_is_told_and_stops_the_run_only_where_the_runbook_says_so() {
    let planned = Planned::new(TOP);
    planned.api.add_node_of("h9", "0123456789abcdef0123456789abcdef", "uid-9");
    planned.run().exits(0).says("warning: the cluster has nodes of no host").says("h9");
    let strict = TOP.replace("via: controller", "via: controller, new_nodes: drift");
    let planned = Planned::new(&strict);
    planned.api.add_node_of("h9", "0123456789abcdef0123456789abcdef", "uid-9");
    planned.run().exits(13).says("the cluster has nodes of no host").says("h9");
    planned.is_untouched();
}

#[test]
fn a_run_that_stood_still_does_not_go_on_over_another_node() {
    let planned = Planned::new(TOP);
    // Works, and waits at the gate the first time.
    planned.fleet.file(
        "gated",
        "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" \"$1\" a 0\n[ -e \"$here/open\" ] || cat \"$here/gate\"\n",
    );
    planned.fleet.fifo("gate");
    planned.fleet.runbook(
        TOP,
        "batches: [1]",
        &STEPS.replace("\"@work\", \"{{ host.name }}\", a, \"0\"", "\"@gated\", \"{{ host.name }}\""),
    );
    let args = ["--allow-commands", "--yes", "--state-dir", "state"];
    let running = planned.fleet.rollbook("run", &args).start();
    planned.fleet.await_lines(1, 2);
    running.signal(Signal::KILL);
    running.end();
    fs::write(planned.fleet.path("open"), "").unwrap();
    fs::write(planned.fleet.path("gate"), "").unwrap();
    eventually("the command has ended", || planned.fleet.steps(1).len() == 2);

    planned.api.delete_node("h2");
    planned.resume().exits(13).says("host h2: node h2 no longer exists");
    planned.registers(2, "uid-3");
    planned.resume().exits(13).says("host h2: node h2 was replaced");
    assert!(planned.fleet.log(2).is_empty(), "h2 was worked on");
    assert_eq!(planned.api.cordons().len(), 1, "h1 stands as it was left");
    planned.registers(2, "uid-2");
    planned.resume().exits(0);
    assert_eq!(planned.fleet.steps(2), ["a begin", "a end"]);
    assert_eq!(planned.api.cordons(), []);
}
