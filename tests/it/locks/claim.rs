//! Two controllers where no cluster has a lock: what keeps them apart is each host's own claim.

use std::fs;

use crate::roll::fleet::Fleet;

#[test]
fn where_there_is_no_lock_the_host_refuses_the_second_run_and_names_the_first() {
    let fleet = Fleet::of(1);
    fleet
        .file("gated", "#!/bin/sh\n\"$(dirname \"$0\")/work\" h1 \"$1\" 0\ncat \"$(dirname \"$0\")/gate\"\n");
    fleet.fifo("gate");
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@gated\", \"{{ run.id }}\"] }");
    let run = |state: &str| fleet.rollbook("run", &["--yes", "--state-dir", state]);
    let first = run("state").start();
    fleet.await_lines(1, 2);
    let holder = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    let second = run("other").run().exits(75);
    second.says(&format!("run `{holder}` is working on this host"));
    assert_eq!(
        fleet.steps(1),
        [format!("{holder} begin"), format!("{holder} end")],
        "nothing of the second ran"
    );
    fs::write(fleet.path("gate"), "").unwrap();
    first.end().exits(0);
    // It is over, and so is its claim.
    let third = run("third").start();
    fleet.await_lines(1, 4);
    fs::write(fleet.path("gate"), "").unwrap();
    third.end().exits(0);
}
