//! A directory that stands for a host's, where the real tools of this machine work, and what a step becomes there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use rollbook::op::ProbeOutput;
use rollbook::step::{LowerCx, Lowered, Subject, find};
use rollbook::value::{Duration, Value};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A directory of the test's own.
pub(crate) struct Root {
    pub(crate) dir: TempDir,
}

impl Root {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { dir: tempfile::Builder::new().prefix(prefix).tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Makes the folders that apt and dpkg want, below one of these names.
    pub(crate) fn make_for_apt(&self, below: &str) {
        for folder in [
            "etc/apt/sources.list.d",
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/trusted.gpg.d",
            "var/lib/apt/lists/partial",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers",
            "var/cache/apt/archives/partial",
            "var/log/apt",
        ] {
            fs::create_dir_all(self.path(below).join(folder)).unwrap();
        }
    }
}

/// A step of this kind on a host, without a cluster.
pub(crate) fn lowered(kind: &str, args: &Value, subject: &Subject) -> Lowered {
    let env = BTreeMap::new();
    let cx = LowerCx {
        subject,
        kube: None,
        r#become: true,
        timeout: Duration::from_secs(60),
        env: &env,
        effect: None,
        run_on: None,
    };
    find(kind).unwrap().lower(args, &cx).unwrap()
}

/// A host that is no node of a cluster.
pub(crate) fn worker() -> Subject {
    Subject { host: "w1".to_owned(), node: None, control_plane: false }
}

/// What a command said, as a probe hears it.
pub(crate) fn answer(output: &Output) -> ProbeOutput {
    ProbeOutput {
        rc: output.status.code().unwrap_or(143),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// SHA-256, as lists of packages have it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
