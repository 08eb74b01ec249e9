//! A state directory on a disk that is full or cannot be written: real file systems, so root is needed.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;

use super::fleet::Fleet;
use crate::support::disk::Disk;

#[test]
fn a_disk_that_fills_up_stops_new_work_and_lets_running_work_end() {
    let fleet = Fleet::of(2);
    let disk = Disk::mounted_at(&fleet.dir.path().join("disk"), "size=1m,mode=0700");
    fleet.fifo("gate");
    fleet.file(
        "wait",
        "#!/bin/sh\n\"$(dirname \"$0\")/work\" \"$1\" a 0\n[ \"$1\" != h1 ] || cat \"$(dirname \"$0\")/gate\"\n\
         \"$(dirname \"$0\")/work\" \"$1\" b 0\n",
    );
    // The last page of the journal has room for some events more: enough steps follow to fill it.
    let mut steps = "- command: { argv: [\"@wait\", \"{{ host.name }}\"] }\n".to_owned();
    for number in 0..40 {
        writeln!(steps, "- command: {{ argv: [\"@work\", \"{{{{ host.name }}}}\", s{number}, \"0\"] }}")
            .unwrap();
    }
    fleet.runbook("", "batches: [1]", &steps);
    let running = fleet.rollbook("run", &["--yes", "--state-dir", "disk/state"]).start();
    fleet.await_lines(1, 2);
    fs::write(disk.0.join("fill"), vec![0; 2 << 20]).expect_err("the disk is smaller");
    fs::write(fleet.path("gate"), "").unwrap();
    let outcome = running.end().exits(11);
    let outcome = outcome.says("the journal cannot be written").says("No space left on device");
    outcome.says("h1  is left out of service");
    let steps = fleet.steps(1);
    assert_eq!(
        steps[..4],
        ["a begin", "a end", "b begin", "b end"],
        "what ran when the disk was full has ended"
    );
    assert!(steps.len() < 84, "work went on without a record");
    assert!(fleet.log(2).is_empty(), "h2 was started without a record");
    // With room again, the run goes on and repeats nothing.
    fs::remove_file(disk.0.join("fill")).unwrap();
    fleet.rollbook_on("resume", "--state-dir=disk/state", &[]).run().exits(0);
    for host in 1..=2 {
        let steps = fleet.steps(host);
        let each: HashSet<&String> = steps.iter().collect();
        assert_eq!((steps.len(), each.len()), (84, 84), "h{host}: {steps:?}");
    }
    drop(disk);
}

#[test]
fn a_disk_that_cannot_be_written_stops_a_run_before_anything_changes() {
    let fleet = Fleet::of(1);
    let _disk = Disk::mounted_at(&fleet.dir.path().join("disk"), "size=1m,mode=0700,ro");
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@work\", h1, a, \"0\"] }");
    let outcome = fleet.rollbook("run", &["--yes", "--state-dir", "disk/state"]).run().exits(1);
    outcome.says("disk/state").says("Read-only file system");
    assert!(fleet.log(1).is_empty());
}
