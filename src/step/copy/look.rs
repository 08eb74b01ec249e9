//! The file as it is on a host, read from the answers of the probe.

use super::{FileSpec, lines, sha256};
use crate::op::ProbeOutput;
use crate::step::build::{change, exactly, refused, unreadable};
use crate::step::{AssessError, Assessment, Change};

pub(super) fn readable_by_all(mode: &str) -> bool {
    u32::from_str_radix(mode, 8).is_ok_and(|bits| bits & 0o004 != 0)
}

/// The file as it is.
#[derive(Default)]
pub(super) struct FileProbe {
    pub(super) there: bool,
    mode: String,
    /// Name and number.
    owner: (String, String),
    group: (String, String),
    pub(super) digest: Option<String>,
    /// All of it, where it may be shown and was fetched whole.
    text: Option<String>,
}

impl FileProbe {
    /// The inner error is a destination that cannot be replaced.
    pub(super) fn read(
        file: &FileSpec<'_>,
        answers: &[ProbeOutput],
    ) -> Result<Result<Self, Assessment>, AssessError> {
        let (stat, digest, text) = match answers {
            [stat] if file.is_secret() => (stat, None, None),
            [stat, digest] if !file.is_secret() && !file.is_public() => (stat, Some(digest), None),
            [stat, digest, text] if file.is_public() => (stat, Some(digest), Some(text)),
            _ => return exactly::<3>(answers).map(|_| Ok(Self::default())),
        };
        if !stat.ok() {
            let absent = stat.stderr.contains("No such file or directory");
            return if absent {
                Ok(Ok(Self::default()))
            } else {
                Err(unreadable("stat", "mode and owner", stat))
            };
        }
        let words: Vec<&str> = stat.stdout.trim_end().splitn(6, ' ').collect();
        let [mode, user, group, uid, gid, kind] = words.as_slice() else {
            return Err(unreadable("stat", "mode, owner and type", stat));
        };
        if !kind.starts_with("regular") {
            let reason = format!("{} is a {kind}, not a file", file.dest);
            return Ok(Err(refused(reason, "name the file itself; what is there stays as it is")));
        }
        let digest = digest
            .map(|answer| read_digest(answer).ok_or_else(|| unreadable("sha256sum", "a digest", answer)));
        let digest: Option<String> = digest.transpose()?;
        // Only the beginning of a long file is fetched, and what is no text or was redacted comes altered. What has not the
        // digest of the file is not the file.
        let is_whole = |text: &String| digest.as_deref() == Some(sha256(text).as_str());
        let text = text.filter(|answer| answer.ok() && readable_by_all(mode));
        let text = text.map(|answer| answer.stdout.clone()).filter(is_whole);
        Ok(Ok(Self {
            there: true,
            mode: (*mode).to_owned(),
            owner: ((*user).to_owned(), (*uid).to_owned()),
            group: ((*group).to_owned(), (*gid).to_owned()),
            digest,
            text,
        }))
    }

    pub(super) fn attribute_changes(&self, file: &FileSpec<'_>) -> Vec<Change> {
        if !self.there {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let octal = |mode: &str| u32::from_str_radix(mode, 8).ok();
        if octal(&self.mode) != octal(&file.mode) {
            changes.push(change("mode", format!("{:0>4}", self.mode), &file.mode));
        }
        let owners = [("owner", file.owner, &self.owner), ("group", file.group, &self.group)];
        for (what, wanted, (name, number)) in owners {
            if let Some(wanted) = wanted
                && wanted != name
                && wanted != number
            {
                changes.push(change(what, name, wanted));
            }
        }
        changes
    }

    /// That the content differs: by its digest, at any length, and by its lines where they may be shown.
    pub(super) fn content_change(&self, file: &FileSpec<'_>, digest: &str) -> Change {
        let short = |digest: &str| format!("sha256 {}", &digest[..12]);
        let diff = self.text.as_deref().and_then(|text| lines::between(text, file.content));
        Change { diff, ..change(file.dest, short(digest), short(&file.digest())) }
    }
}

/// Reads `sha256sum`, which marks lines with an escaped file name by a backslash in front.
fn read_digest(answer: &ProbeOutput) -> Option<String> {
    let word = answer.stdout.split_whitespace().next()?.trim_start_matches('\\');
    let good = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| word.to_owned())
}
