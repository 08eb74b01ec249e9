//! Every crash point of a run that rescues a host.

use rollbook::engine::Event;
use rollbook::plan::Section;

use super::drill::{Drill, cluster};
use super::simulated::{deaths, differences, left, live_on};
use crate::support::cluster::{Cluster, story};

const RUNBOOK: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: rescues }
kube: { via: control_plane }
phases:
  - name: maintain
    hosts: workers
    steps:
      - drain: { timeout: 10m, delete_emptydir_data: true, reason: a cache }
      - command: { argv: [do-maintain] }
        id: maintain
      - uncordon: {}
    rescue:
      steps:
        - command: { argv: [put-back, "{{ failure.step }}"] }
        - apt_mark: { hold: [kubelet] }
      then: ok
    always:
      - command: { argv: [tidy-up] }
        effect: changes
      - uncordon: {}
"#;

/// One on which the first worker cannot be maintained.
fn unlucky() -> Cluster {
    let cluster = cluster();
    cluster.breaks("w1", "do-maintain");
    cluster
}

/// The same with steps that are repeated, and one that asks afterwards what became of each.
const REPEATED: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: rescues }
kube: { via: control_plane }
phases:
  - name: maintain
    hosts: workers
    steps:
      - command: { argv: [do-maintain] }
        id: maintain
        effect: changes
    rescue:
      steps:
        - command: { argv: [put-back, "{{ each }}", "{{ failure.step }}"] }
          id: back
          for_each: [one, two]
          effect: changes
      then: ok
    always:
      - command: { argv: [tidy-up, "{{ each.key }}", "{{ each.value }}"] }
        for_each: { logs: 1, silence: 2 }
        effect: changes
      - command: { argv: [told, "{{ steps.back.each | length }}"] }
        when: steps.back.ran
        effect: changes
"#;

#[test]
fn a_controller_that_dies_during_a_rescue_repeats_nothing_and_loses_nothing() {
    killed_everywhere(RUNBOOK, 50);
}

#[test]
fn nor_does_one_that_dies_between_the_items_of_a_rescue() {
    killed_everywhere(REPEATED, 30);
}

/// Dies after each event of a run, goes on, and leaves what an undisturbed run leaves.
fn killed_everywhere(runbook: &'static str, at_least: usize) {
    story(async move {
        let mut drill = Drill::of(runbook, unlucky).await;
        live_on(&drill, std::iter::empty()).await;
        let undisturbed = left(&drill);
        let events = drill.events();
        let begun = |wanted| {
            let begins =
                |event: &Event| matches!(event, Event::SectionStarted { section, .. } if *section == wanted);
            events.iter().filter(|stamped| begins(&stamped.event)).count()
        };
        assert_eq!((begun(Section::Rescue), begun(Section::Always)), (1, 2));
        let mut points = 0;
        for death in deaths(u64::try_from(events.len()).expect("not so many")) {
            drill.again();
            let lives = live_on(&drill, std::iter::once(death)).await;
            let (commands, hosts) = differences(&left(&drill), &undisturbed);
            assert!(commands.is_empty() && hosts.is_empty(), "{death:?}, {lives} lives\n{commands}\n{hosts}");
            points += usize::from(lives > 1);
        }
        assert!(points > at_least, "{points}");
    });
}
