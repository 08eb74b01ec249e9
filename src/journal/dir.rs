//! The state directory and the directories of runs in it: private, ours, and one run at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};

/// The folder of a run's directory with what its commands printed.
pub const OUTPUT_DIR: &str = "output";

/// A state directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// It cannot be made or read.
    #[error("cannot use the state directory {path}")]
    Io {
        /// The directory or a file in it.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else owns it, or others can write to it.
    #[error("the state directory {path} {reason}")]
    NotPrivate {
        /// The directory.
        path: Utf8PathBuf,
        /// "belongs to uid 1000".
        reason: String,
    },
    /// Another run holds it.
    #[error("another run is going on in {path}: {holder}")]
    Locked {
        /// The directory.
        path: Utf8PathBuf,
        /// Run and process of the holder.
        holder: String,
    },
}

/// Where runs are kept. Holds the lock for as long as it lives.
#[derive(Debug)]
pub struct StateDir {
    path: Utf8PathBuf,
    lock: File,
}

/// Where saved plans that were run are marked, below a state directory.
const USED: &str = "used";

fn mark_of(state: &Utf8Path, digest: &str) -> Utf8PathBuf {
    state.join(USED).join(digest.replace(':', "-"))
}

/// Whether a saved plan was run from this state directory before. Touches nothing.
pub fn plan_was_used(state: &Utf8Path, digest: &str) -> bool {
    mark_of(state, digest).exists()
}

impl StateDir {
    /// Opens the directory, making it where it is missing, and takes its lock for the run `run`.
    pub fn lock(path: &Utf8Path, run: &str) -> Result<Self, StateDirError> {
        let io = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| StateDirError::Io { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))?;
        check_private(path)?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        let open = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = open.open(&lock_path).map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder).map_err(io(&lock_path))?;
                return Err(StateDirError::Locked {
                    path: path.to_owned(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(&lock_path)(source)),
        }
        let holder = format!("run {run}, process {}\n", std::process::id());
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.rewind()?;
            lock.write_all(holder.as_bytes())
        };
        write(&mut lock).map_err(io(&lock_path))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// The directory.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Marks a saved plan as used, durably; `false` when it was used before.
    pub fn use_plan(&self, digest: &str) -> Result<bool, StateDirError> {
        let (dir, path) = (self.path.join(USED), mark_of(&self.path, digest));
        let mark = || -> io::Result<bool> {
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_) => File::open(&dir)?.sync_all().map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        };
        mark().map_err(|source| StateDirError::Io { path: path.clone(), source })
    }

    /// Makes the directory of a new run and puts the plan into it, durably.
    pub fn create_run(&self, run: &str, plan: &[u8]) -> Result<RunDir, StateDirError> {
        let path = self.path.join("runs").join(run);
        let io = |source| StateDirError::Io { path: path.clone(), source };
        let make = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(path.join(OUTPUT_DIR))?;
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join("plan.json"))?;
            file.write_all(plan)?;
            file.sync_all()?;
            File::open(self.path.join("runs"))?.sync_all()
        };
        make().map_err(io)?;
        Ok(RunDir { path })
    }
}

/// The file in a run's directory that says by whom it was given up, and why.
const SUPERSEDED: &str = "superseded";
/// The file that says that nothing of the run is to be put back any more.
const PUT_BACK: &str = "put-back";

/// What the id of a run begins with.
const SECOND: &str = "20261130-215200";

/// The runs recorded in a state directory, oldest first. Takes no lock: a run may go on meanwhile.
pub fn runs(state_dir: &Utf8Path) -> Result<Vec<RunDir>, StateDirError> {
    let path = state_dir.join("runs");
    let io = |source| StateDirError::Io { path: path.clone(), source };
    let entries = match path.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.into_path();
        // One that was killed before its plan was written never began.
        if path.join("plan.json").is_file() {
            runs.push(RunDir { path });
        }
    }
    // A run's id begins with the second in which it was made; within it, its plan was written once and first.
    let written = |run: &RunDir| run.plan().metadata().and_then(|found| found.modified()).ok();
    runs.sort_by_cached_key(|run| {
        // A rehearsal's says nothing of the time.
        let begins_with_time = run.id().starts_with(|first: char| first.is_ascii_digit());
        let second = run.id().chars().take(if begins_with_time { SECOND.len() } else { 0 });
        let second: String = second.collect();
        (second, written(run), run.path.clone())
    });
    Ok(runs)
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // Nobody reads the holder's name once the lock is free; a failure here changes nothing.
        let _ = self.lock.set_len(0);
    }
}

/// Plans hold the names of a production; journals hold what was done to it.
fn check_private(path: &Utf8Path) -> Result<(), StateDirError> {
    let metadata =
        std::fs::metadata(path).map_err(|source| StateDirError::Io { path: path.to_owned(), source })?;
    let not_private = |reason: String| Err(StateDirError::NotPrivate { path: path.to_owned(), reason });
    let ours = rustix::process::geteuid().as_raw();
    if metadata.uid() != ours {
        return not_private(format!(
            "belongs to uid {}, not to us (uid {ours}); name another with --state-dir",
            metadata.uid()
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return not_private(format!("can be written by others; `chmod 700 {path}`"));
    }
    Ok(())
}

/// The directory of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: Utf8PathBuf,
}

impl RunDir {
    /// A directory that may lie anywhere, such as a copy from another machine.
    pub fn at(path: Utf8PathBuf) -> Self {
        Self { path }
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        self.path.file_name().unwrap_or_default()
    }

    /// Whether a process writes its journal at this moment.
    pub fn goes_on(&self) -> bool {
        let journal = File::open(self.journal());
        journal.is_ok_and(|journal| matches!(journal.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The plan, byte for byte as it was rolled.
    pub fn plan(&self) -> Utf8PathBuf {
        self.path.join("plan.json")
    }

    /// The directory.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The journal.
    pub fn journal(&self) -> Utf8PathBuf {
        self.path.join("journal.jsonl")
    }

    /// Who gave the run up, and why, where somebody did: it may not go on.
    pub fn superseded(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.path.join(SUPERSEDED)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Gives the run up for good, durably.
    pub fn supersede(&self, why: &str) -> Result<(), StateDirError> {
        self.write_down(SUPERSEDED, why)
    }

    fn write_down(&self, name: &str, text: &str) -> Result<(), StateDirError> {
        let path = self.path.join(name);
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| StateDirError::Io { path: path.clone(), source })
    }

    /// Whether somebody looked at the hosts of the run, which is over, and no cordon and no hold of it stands there.
    pub fn is_put_back(&self) -> bool {
        self.path.join(PUT_BACK).exists()
    }

    /// Writes down that no cordon and no hold of the run stands.
    pub fn put_back(&self, by: &str) -> Result<(), StateDirError> {
        self.write_down(PUT_BACK, by)
    }

    /// Takes away a run that never began.
    pub fn remove(&self) -> Result<(), StateDirError> {
        let io = |source| StateDirError::Io { path: self.path.clone(), source };
        std::fs::remove_dir_all(&self.path).map_err(io)
    }

    /// Where the output of an op goes.
    pub fn output(&self, name: &str) -> Utf8PathBuf {
        self.path.join(OUTPUT_DIR).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn directory() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = Utf8PathBuf::from_path_buf(dir.path().join("state")).expect("UTF-8");
        (dir, path)
    }

    #[test]
    fn a_second_run_is_told_who_holds_the_directory() {
        let (_guard, path) = directory();
        let held = StateDir::lock(&path, "run-1").expect("free");
        let error = StateDir::lock(&path, "run-2").expect_err("held").to_string();
        assert!(error.contains("run run-1, process "), "{error}");
        drop(held);
        StateDir::lock(&path, "run-2").expect("free again");
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let (_guard, path) = directory();
        std::fs::create_dir(&path).expect("made");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("opened");
        assert!(matches!(StateDir::lock(&path, "run-1"), Err(StateDirError::NotPrivate { .. })));
    }

    #[test]
    fn runs_of_one_second_stand_in_the_order_in_which_they_were_made() {
        let (_guard, path) = directory();
        let state = StateDir::lock(&path, "run-1").expect("free");
        for (id, seconds) in
            [("20260101-000000-ffff", 1), ("20260101-000000-0000", 2), ("20251231-235959-aaaa", 3)]
        {
            let run = state.create_run(id, b"{}").expect("made");
            let plan = File::options().write(true).open(run.plan()).expect("there");
            plan.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).expect("set");
        }
        let ids: Vec<String> = runs(&path).expect("read").iter().map(|run| run.id().to_owned()).collect();
        assert_eq!(ids, ["20251231-235959-aaaa", "20260101-000000-ffff", "20260101-000000-0000"]);
    }

    #[test]
    fn a_plan_is_used_once() {
        let (_guard, path) = directory();
        let state = StateDir::lock(&path, "run-1").expect("free");
        assert!(!plan_was_used(&path, "sha256:ab"));
        assert!(state.use_plan("sha256:ab").expect("marked"));
        assert!(plan_was_used(&path, "sha256:ab"));
        assert!(!state.use_plan("sha256:ab").expect("read"));
        assert!(state.use_plan("sha256:cd").expect("another"));
    }

    #[test]
    fn the_run_directory_is_private_and_never_reused() {
        let (_guard, path) = directory();
        let state = StateDir::lock(&path, "run-1").expect("free");
        let run = state.create_run("run-1", b"{}").expect("made");
        let mode = std::fs::metadata(run.path().join("plan.json")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(state.create_run("run-1", b"{}").is_err());
    }
}
