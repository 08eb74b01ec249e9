//! File systems that are small enough to fill. Root is needed to mount them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own; gone when dropped.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// Mounted at a new directory.
    pub(crate) fn mounted_at(path: &Path, options: &str) -> Self {
        fs::create_dir(path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).status();
        assert!(mount.unwrap().success(), "a tmpfs is mounted: run as root");
        Self(path.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
