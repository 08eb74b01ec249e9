//! Controllers that die where a run waits for people, for a time and for a check.

use rollbook::engine::Event;

use super::drill::{Death, Drill, End, cluster, commands};
use super::undone::hosts;
use crate::support::cluster::story;

/// Every kind of gate and of pause, and a topology.
const RUNBOOK: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: restart }
kube: { via: control_plane }
phases:
  - name: by hand
    hosts: workers
    rollout: { batches: [1], gate: { approve: look at the dashboards } }
    steps:
      - pause: { manual: "look at {{ host.name }}" }
      - pause: { for: 5m }
  - name: workers
    hosts: workers
    rollout:
      batches: [1]
      topology: { key: role, max_domains: 1 }
      soak: 1m
      gate: { check: { wait: { nodes: ready, stable_for: 30s } }, for: 10m }
    steps:
      - drain: { timeout: 5m }
      - systemctl: { restart: kubelet, always: true }
      - pause: { manual: look at the node }
      - uncordon: {}
  - name: later
    hosts: workers
    rollout: { batches: [1], gate: { duration: 30m, after: first } }
    steps:
      - command: { argv: ["true"] }
        effect: changes
"#;

#[test]
fn a_controller_that_dies_at_a_gate_or_a_pause_comes_to_it_again() {
    story(async {
        let mut drill = Drill::of(RUNBOOK, cluster).await;
        assert!(matches!(drill.live(None).await, End::Finished(_)));
        let (undisturbed, sent) = (hosts(&drill), commands(drill.world()));
        let events = drill.events();
        let approvals = |event: &Event| {
            matches!(event, Event::TaskApproved { .. } | Event::GatePassed { by: Some(_), .. })
        };
        assert_eq!(events.iter().filter(|event| approvals(&event.event)).count(), 5);
        let count = u64::try_from(events.len()).expect("not so many");
        assert!(count > 60, "{count}");
        for seq in 1..count {
            drill.again();
            assert!(matches!(drill.live(Some(Death::After(seq))).await, End::Died), "event {seq}");
            let End::Finished(history) = drill.live(None).await else { panic!("nobody kills it") };
            assert!(history.state.halted().is_none(), "event {seq}: {:?}", history.state.halted());
            assert_eq!(hosts(&drill), undisturbed, "event {seq}");
            assert_eq!(commands(drill.world()), sent, "event {seq}");
            // Nobody is asked again what was answered.
            let answered = history.events.iter().filter(|event| approvals(&event.event)).count();
            assert_eq!(answered, 5, "event {seq}");
        }
    });
}
