//! A controller dies at every event of a run, somebody uncordons the node that it left, and the run goes on: nothing is
//! disrupted under pods, and nothing that ended is repeated but the drain.

use std::cell::RefCell;
use std::rc::Rc;

use rollbook::engine::{Event, TaskEnd};
use rollbook::op::Effect;
use rollbook::simulation::Fault;

use super::drill::{Death, Drill, End, commands};
use crate::support::cluster::{Cluster, story};

/// Two disruptions under one drain, with a change between them that must happen once.
const RUNBOOK: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
defaults: { become: true }
phases:
  - name: workers
    hosts: workers
    rollout: { batches: [1] }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - command: { argv: [touch, /tmp/begun] }
        effect: changes
      - command: { argv: [systemctl, restart, containerd] }
        id: first
      - reboot: {}
      - wait: { nodes: ready, for: 5m }
      - uncordon: {}
";

fn cluster() -> Cluster {
    Cluster::new(1, 2, "1.30.0")
}

/// Whether the drill saw the node of each task cordoned whenever an op of it disrupted that is no drain.
fn witness(drill: &Drill) -> Rc<RefCell<Vec<String>>> {
    let violations = Rc::<RefCell<Vec<String>>>::default();
    let (plan, world, told) = (drill.plan().clone(), drill.world().clone(), Rc::clone(&violations));
    drill.at_each_op(move |task| {
        let host = plan.host(task.host).name.as_str();
        let is_drain = plan.title(task).contains("drain");
        let now = world.host(host).expect("a host");
        if plan.task(task).effect == Effect::Disrupts && !is_drain && !now.cordoned {
            told.borrow_mut().push(format!("{} on {host}, which is not cordoned", plan.title(task)));
        }
    });
    violations
}

/// Lives until the run is over, and lets somebody uncordon w1 after the first death. Gives how often it was drained again.
async fn live_on(drill: &Drill, death: Death) -> usize {
    let mut death = Some(death);
    loop {
        match drill.live(death.take()).await {
            End::Died => assert!(drill.world().inject(Fault::NodeUncordoned { host: "w1".to_owned() })),
            End::Finished(history) => {
                assert!(history.state.halted().is_none(), "{:?}", history.state.halted());
                let is_again =
                    |event: &Event| matches!(event, Event::TaskEnded { end: TaskEnd::Uncordoned { .. }, .. });
                return history.events.iter().filter(|stamped| is_again(&stamped.event)).count();
            }
        }
    }
}

#[test]
fn a_node_that_is_uncordoned_while_nobody_works_on_it_is_drained_again_before_anything_disrupts_it() {
    story(async {
        let mut drill = Drill::of(RUNBOOK, cluster).await;
        live_on(&drill, Death::After(u64::MAX)).await;
        let undisturbed = commands(drill.world());
        let events = u64::try_from(drill.events().len()).unwrap();
        let drained = ended(&drill, "drain");
        let mut drained_again = 0;
        for seq in drained..events {
            for death in [Death::After(seq), Death::Later(seq, 700)] {
                drill.again();
                let violations = witness(&drill);
                drained_again += live_on(&drill, death).await;
                assert!(violations.borrow().is_empty(), "{death:?}: {:?}", violations.borrow());
                for (line, times) in commands(drill.world()) {
                    let is_of_cordon = line.contains("kubectl");
                    assert!(
                        is_of_cordon || undisturbed.get(&line) == Some(&times),
                        "{death:?}: {times} times {line}"
                    );
                }
                let w1 = drill.world().host("w1").expect("a host");
                assert!(
                    !w1.cordoned && !w1.annotations.contains_key("rollbook.dev/cordoned-by"),
                    "{death:?}: {w1:?}"
                );
            }
        }
        println!("{events} events: drained again {drained_again} times");
        assert!(drained_again > 15, "{drained_again}");
    });
}

#[test]
fn a_controller_that_dies_while_it_drains_again_goes_on_with_that() {
    story(async {
        let mut drill = Drill::of(RUNBOOK, cluster).await;
        live_on(&drill, Death::After(u64::MAX)).await;
        let reboots =
            |drill: &Drill| drill.world().log().iter().filter(|command| command.argv == ["reboot"]).count();
        let before = drill.events().iter().position(is_reboot(&drill)).expect("it reboots") as u64;
        let uncordon = |drill: &Drill| {
            let world = drill.world().clone();
            drill
                .when(before, move || assert!(world.inject(Fault::NodeUncordoned { host: "w1".to_owned() })));
        };
        drill.again();
        uncordon(&drill);
        assert_eq!(live_on_undisturbed(&drill, None).await, 1);
        let events = drill.events().len() as u64;
        for seq in before..events {
            drill.again();
            uncordon(&drill);
            let violations = witness(&drill);
            assert_eq!(live_on_undisturbed(&drill, Some(Death::After(seq))).await, 1, "{seq}");
            assert!(violations.borrow().is_empty(), "{seq}: {:?}", violations.borrow());
            assert_eq!(reboots(&drill), 2, "{seq}: one of each worker");
        }
    });
}

/// Number of the event that ends the first task with this title.
fn ended(drill: &Drill, title: &str) -> u64 {
    let is_end = |event: &Event| matches!(event, Event::TaskEnded { task, .. } if drill.plan().title(*task).contains(title));
    drill.events().iter().find(|stamped| is_end(&stamped.event)).expect("it ends").seq
}

/// Whether an event begins the attempt at the first reboot.
fn is_reboot(drill: &Drill) -> impl FnMut(&rollbook::engine::Stamped) -> bool {
    let plan = drill.plan().clone();
    move |stamped| match stamped.event {
        Event::TaskStarted { task, .. } => plan.title(task).contains("reboot"),
        _ => false,
    }
}

/// Lives until the run is over; gives how often a node was drained again.
async fn live_on_undisturbed(drill: &Drill, mut death: Option<Death>) -> usize {
    loop {
        if let End::Finished(history) = drill.live(death.take()).await {
            assert!(history.state.halted().is_none(), "{:?}", history.state.halted());
            let is_again =
                |event: &Event| matches!(event, Event::TaskEnded { end: TaskEnd::Uncordoned { .. }, .. });
            return history.events.iter().filter(|stamped| is_again(&stamped.event)).count();
        }
    }
}
