//! The power of the machine fails while an op runs: what the controller and the launcher had written by then is there. On a
//! disk that keeps nothing which was not synced, as real ones may: a file system in a file, copied in the middle of a run.
//! No cluster and no other host than this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Level;
use super::rollbook::{Files, call};
use crate::lab::{Lab, Stage, succeed};

/// A file system in a file, mounted. It writes nothing by itself before five minutes are over.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    fn new(dir: &Path) -> Self {
        let image = dir.join("disk.img");
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        succeed(Command::new("mkfs.ext4").arg("-q").arg(&image));
        Self::mount(image, dir.join("disk"))
    }

    fn mount(image: PathBuf, mounted: PathBuf) -> Self {
        fs::create_dir(&mounted).unwrap();
        succeed(
            Command::new("mount").args(["-o", "loop,commit=300,noauto_da_alloc"]).args([&image, &mounted]),
        );
        Self { image, mounted }
    }

    /// What a power cut left, as of the moment when this copy was made of the image.
    fn after_the_power_cut(copy: PathBuf) -> Self {
        let mounted = copy.with_extension("d");
        Self::mount(copy, mounted)
    }

    /// The journal of the only run, and the run's directory on the host.
    fn records(&self) -> (String, PathBuf) {
        let run = only(&self.mounted.join("state/runs"));
        let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
        (journal, self.mounted.join("host").join(run.file_name().unwrap()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.mounted).status();
    }
}

const RUNBOOK: &str = "apiVersion: rollbook/v1
kind: Runbook
metadata: { name: durable }
phases:
  - name: work
    hosts: here
    steps:
      - command: { argv: [cp, IMAGE, FIRST] }
      - command: { argv: [cp, IMAGE, SECOND] }
";

pub(super) fn what_is_written_is_there(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, 0);
    // The launcher keeps nothing below /tmp.
    let place = tempfile::Builder::new().prefix("rollbook-lab-").tempdir_in("/var/lib").unwrap();
    let disk = Disk::new(place.path());
    let [first, second] = ["first", "second"].map(|name| place.path().join(name).with_extension("img"));
    let text = [("IMAGE", &disk.image), ("FIRST", &first), ("SECOND", &second)]
        .into_iter()
        .fold(RUNBOOK.to_owned(), |text, (name, path)| text.replace(name, path.to_str().expect("UTF-8")));
    let files = Files::written(&lab, "durable", &text);
    let inventory = lab.kept.join("here.yaml");
    let remote_dir = disk.mounted.join("host");
    let host =
        format!("here: {{ connection: {{ transport: local, remote_dir: {} }} }}", remote_dir.display());
    fs::write(
        &inventory,
        format!(
            "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: here }}\nhosts: {{ {host} }}\n"
        ),
    )
    .unwrap();

    let state_dir = disk.mounted.join("state");
    let [runbook, inventory, state_dir] =
        [&files.runbook, &inventory, &state_dir].map(|path| path.to_str().unwrap());
    let args = ["run", runbook, "-i", inventory, "--state-dir", state_dir, "--yes", "--verbose"];
    call(&lab, "durable", &args).wait().exits(0);

    let (whole, _) = disk.records();
    let first = Disk::after_the_power_cut(first);
    let (journal, host) = first.records();
    assert_eq!(begun(&journal), 1, "the first op ran, and the journal knew of it:\n{journal}");
    assert!(whole.starts_with(&journal), "{journal}");
    let op = only(&host);
    let started = fs::read_to_string(op.join("started")).unwrap_or_default();
    assert_eq!(started.split_whitespace().count(), 5, "the host knows that the op began: {started:?}");
    assert_eq!(fs::metadata(op.join("room")).unwrap().len(), 64, "there is room for its result");

    let second = Disk::after_the_power_cut(second);
    let (journal, host) = second.records();
    assert_eq!(begun(&journal), 2, "{journal}");
    assert!(whole.starts_with(&journal), "{journal}");
    let results = fs::read_dir(host).unwrap().map(|op| result(&op.unwrap().path()));
    assert_eq!(
        results.filter(|result| result == "code 0").count(),
        1,
        "the first op's result is on the disk"
    );
}

fn begun(journal: &str) -> usize {
    journal.matches(r#""type":"op_started""#).count()
}

/// What a launcher wrote down of an op's end, which is synced before it gets its name.
fn result(op: &Path) -> String {
    let read = |name: &str| fs::read_to_string(op.join(name));
    read("status").or_else(|_| read("room")).unwrap_or_default().trim().to_owned()
}

/// The only entry of a directory.
fn only(dir: &Path) -> PathBuf {
    let entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [entry] = entries.as_slice() else { panic!("{} has one entry, not {entries:?}", dir.display()) };
    entry.clone()
}
