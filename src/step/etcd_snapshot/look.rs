//! What the look of `snapshot.sh` prints: the snapshot, the tool, certificates, space. Pure.

use serde::Deserialize;

/// The host, as far as a snapshot is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SnapshotProbe {
    /// "absent", "good", or what is wrong with the file.
    pub(super) state: String,
    /// The snapshot's record, where the snapshot is good.
    pub(super) saved: Option<SnapshotRecord>,
    elsewhere: bool,
    unreadable: Vec<String>,
    /// Whether something on the host can run etcdctl; not asked where the snapshot is there.
    has_tool: bool,
    /// What etcd's database takes; unknown where it was not at hand.
    size: Option<u64>,
    /// Free bytes where something is written.
    free: Vec<(u64, String)>,
}

/// FILE.json.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct SnapshotRecord {
    file: String,
    hash: u64,
    revision: u64,
    keys: u64,
    size: u64,
}

impl SnapshotRecord {
    pub(super) fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// As people compare it with what etcdctl prints: the hash is hexadecimal there.
    pub(super) fn show(&self) -> String {
        let Self { file, hash, revision, keys, size } = self;
        format!("{file}: hash {hash:x}, revision {revision}, {keys} keys, {} MiB", size.div_ceil(1 << 20))
    }
}

impl SnapshotProbe {
    /// `None` where a line is not one of its own.
    pub(super) fn read(stdout: &str) -> Option<Self> {
        let mut look = Self::default();
        for line in stdout.lines() {
            let (word, value) = line.split_once(' ')?;
            match word {
                "snapshot" => value.clone_into(&mut look.state),
                "record" => look.saved = Some(SnapshotRecord::read(value)?),
                "etcd" => look.elsewhere = value == "elsewhere",
                "unreadable" => look.unreadable.push(value.to_owned()),
                "etcdctl" => look.has_tool = value != "none",
                "size" => look.size = value.parse().ok(),
                "free" => {
                    let (bytes, directory) = value.split_once(' ')?;
                    look.free.push((bytes.parse().ok()?, directory.to_owned()));
                }
                _ => return None,
            }
        }
        (!look.state.is_empty()).then_some(look)
    }

    /// Why nothing can be saved here, and what to do about it.
    pub(super) fn obstacle(&self) -> Option<(String, String)> {
        let both = |reason: &str, hint: &str| Some((reason.to_owned(), hint.to_owned()));
        if self.elsewhere {
            return both(
                "etcd does not run on this host: it has no /etc/kubernetes/manifests/etcd.yaml",
                "write `endpoints`, `cacert`, `cert` and `key` for an etcd elsewhere",
            );
        }
        if let Some(file) = self.unreadable.first() {
            return both(
                &format!("{file} is not there, or cannot be read"),
                "write `cacert`, `cert` and `key`, and `become: true` where only root may read them",
            );
        }
        if !self.has_tool {
            return both(
                "there is no etcdctl: neither on the host nor in a running container of etcd",
                "install etcdctl (Debian's package etcd-client), or look why etcd does not run",
            );
        }
        // etcd writes while it is saved, and the host must not be left without a byte.
        let need = self.size?.saturating_add(self.size? / 10);
        let (free, directory) = self.free.iter().find(|(free, _)| *free < need)?;
        Some((
            format!(
                "{directory} has {} MiB free, and a snapshot of etcd takes up to {} MiB",
                free >> 20,
                need.div_ceil(1 << 20)
            ),
            "make room there, or write another directory in `to`".to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABLE: &str = "snapshot absent\netcdctl host\nsize 1000\nfree 1100 /b\n";

    #[test]
    fn what_is_in_the_way_is_named() {
        let rows = [
            (ABLE.to_owned(), None),
            (ABLE.replace("size 1000", "size unknown"), None),
            (ABLE.replace("free 1100", "free 1099"), Some("/b has")),
            (format!("{ABLE}free 7 /var/lib/etcd\n"), Some("/var/lib/etcd has")),
            (ABLE.replace("host", "none"), Some("there is no etcdctl")),
            (format!("{ABLE}unreadable /k\n"), Some("/k is not there")),
            (format!("{ABLE}etcd elsewhere\n"), Some("etcd does not run on this host")),
        ];
        for (text, expected) in rows {
            let obstacle = SnapshotProbe::read(&text).expect("readable").obstacle();
            let fits = match expected {
                Some(words) => obstacle.as_ref().is_some_and(|(reason, _)| reason.starts_with(words)),
                None => obstacle.is_none(),
            };
            assert!(fits, "{text}: {obstacle:?}");
        }
    }

    #[test]
    fn other_words_are_no_look() {
        for text in ["", "sh: 1: Syntax error", "snapshot good\nrecord {}", "free x /b"] {
            assert_eq!(SnapshotProbe::read(text), None, "{text}");
        }
    }
}
