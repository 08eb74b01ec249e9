//! Hosts that fail and are rescued, and what is done in the end, over real sshds.

use super::fleet::Fleet;

/// A phase over three hosts: `maintain` fails on `h2`.
fn fleet(then: &str, max_failures: u32) -> Fleet {
    let fleet = Fleet::of(3);
    fleet.file(
        "maintain",
        "#!/bin/sh\n\"$(dirname \"$0\")/work\" \"$1\" maintain 0\n\
         [ \"$1\" != h2 ] || { echo 'the disk is full' >&2; exit 3; }\ntouch \"$(dirname \"$0\")/done.$1\"\n",
    );
    // What a rescue is told, as the host got it.
    fleet.file("tell", "#!/bin/sh\nprintf '%s|' \"$@\" >\"$(dirname \"$0\")/told\"\n");
    let text = format!(
        r#"apiVersion: rollbook/v1
kind: Runbook
metadata: {{ name: up }}
phases:
  - name: roll
    hosts: all
    rollout: {{ batches: [1, 2], max_failures: {max_failures}, max_unavailable: 2 }}
    steps:
      - command: {{ argv: ["@maintain", "{{{{ host.name }}}}"], creates: "@done.{{{{ host.name }}}}" }}
        id: maintain
        effect: changes
      - command: {{ argv: ["@work", "{{{{ host.name }}}}", after, "0"], creates: "@done.{{{{ host.name }}}}" }}
        effect: changes
    rescue:
      steps:
        - command: {{ argv: ["@tell", "{{{{ failure.step }}}}", "{{{{ failure.cause }}}}", "{{{{ failure.message }}}}", "{{{{ steps.maintain.rc }}}}"] }}
          effect: changes
        - command: {{ argv: ["@work", "{{{{ host.name }}}}", rescue, "0"] }}
          effect: disrupts
      then: {then}
    always:
      - command: {{ argv: ["@work", "{{{{ host.name }}}}", always, "0"] }}
        effect: changes
"#
    );
    fleet.file("up.yaml", &text.replace('@', &fleet.path("")));
    fleet
}

const GOOD: [&str; 4] = ["maintain begin", "maintain end", "always begin", "always end"];
const RESCUED: [&str; 6] =
    ["maintain begin", "maintain end", "rescue begin", "rescue end", "always begin", "always end"];

#[test]
fn a_host_that_failed_is_rescued_knows_why_and_stays_failed() {
    let fleet = fleet("failed", 1);
    let outcome = fleet.run(&[]).run().exits(11);
    assert_eq!(fleet.steps(1), GOOD);
    assert_eq!(fleet.steps(2), RESCUED);
    assert_eq!(fleet.steps(3), GOOD, "one may fail");
    let told = std::fs::read_to_string(fleet.path("told")).expect("the rescue was told why");
    let told: Vec<&str> = told.split('|').collect();
    assert_eq!((told[0], told[1], told[3]), ("maintain", "command", "3"));
    assert!(told[2].contains("exit code 3") && told[2].contains("the disk is full"), "{told:?}");
    for words in ["h2  rescue begins", "rescue: ", "h2  failed at", "the disk is full", "h2  is left"] {
        assert!(outcome.stderr.contains(words), "{words:?}:\n{}", outcome.stderr);
    }
}

#[test]
fn a_rescued_host_counts_as_done_and_a_second_run_tidies_up_nothing() {
    let fleet = fleet("ok", 0);
    fleet.run(&[]).run().exits(0).says("h2  rescued").says("warning: h2: ").says("and the host was rescued");
    assert_eq!(fleet.steps(2), RESCUED);
    assert_eq!(fleet.steps(3), GOOD, "the roll goes on");
    // The work is done now on all of them.
    fleet.file("done.h2", "");
    fleet.run(&[]).run().exits(0);
    assert_eq!(fleet.steps(1), GOOD);
    assert_eq!(fleet.steps(2), RESCUED);
}
