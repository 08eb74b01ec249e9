//! `copy`: a file on the host with given content, mode and owner.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::ahead::{SourcesUse, writes_below};
use super::args::Args;
use super::build::{
    absolute_path, change, exactly, has_symbol, op, probe, query, refused, satisfied, unreadable, wrong,
};
use super::{
    AssessError, Assessment, Change, Doc, Fidelity, LowerCx, LowerError, Lowered, Poll, Role, StepKind,
    Subject, Verify,
};
use crate::op::{Answer, Deed, Effect, Query};
use crate::value::{Duration, Field, Type, Value};

/// The kind `copy`.
pub(crate) struct Copy;

/// How much of a file is fetched to show what differs. Whether it differs is told by its digest, at any length.
const SHOWN_BYTES: &str = "32768";
/// How many lines of a difference a plan shows.
const SHOWN_LINES: usize = 20;

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::required("content", Type::Str, "The file's whole text; may hold templates."),
        Field::required("dest", Type::Str, "Where, as an absolute path. The directory must be there."),
        Field::with_default("mode", Type::Str, Value::Str("0644".to_owned()), "Permission bits, in octal."),
        Field::optional(
            "owner",
            Type::Str,
            "Owning user; left as it is where left out, root for a new file.",
        ),
        Field::optional("group", Type::Str, "Owning group; needs `owner`."),
    ]
});

impl StepKind for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn doc(&self) -> Doc {
        Doc {
            summary: "Puts a file on the host",
            body: "\
The goal holds when the file has exactly this content (by its SHA-256), mode and owner. It is replaced by write, sync and
rename, so a reader sees the old file or the new one and never half of one.

A plan shows the lines that differ, but only of files that everybody may read: where `mode`, or the file on the host, denies
reading to others, it shows digests. A file with a secret in it cannot be compared without the secret, and is written every
time; the plan calls it opaque.

Links and directories are refused as `dest`: a rename would replace the link instead of what it names.",
            example: "- copy: { dest: /etc/sysctl.d/90-rollbook.conf, content: \"vm.panic_on_oom = 0\\n\" }\n",
            shorthand: None,
        }
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let alone = written.contains(&"group") && !written.contains(&"owner");
        if alone { vec!["`group` needs `owner` too".to_owned()] } else { Vec::new() }
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn sources(&self, args: &Value) -> SourcesUse {
        if writes_below(args, "dest", "/etc/apt/") { SourcesUse::MayChange } else { SourcesUse::Nothing }
    }

    fn lower(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let file = File::read(Args(args))?;
        let deed = Deed::Write { path: file.dest.to_owned(), mode: file.mode.clone(), owner: file.owner() };
        let mut write = op(cx, format!("write {}", file.dest), deed, Effect::Changes);
        file.content.clone_into(&mut write.stdin);
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::ZERO,
            within: Duration::from_secs(10),
        };
        let known_path = !has_symbol(file.dest);
        Ok(Lowered {
            title: write.title.clone(),
            role: Role::Goal,
            effect: write.effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: known_path.then(|| probe(cx, file.queries())),
            poll: None,
            verify: known_path.then(|| Verify { probe: probe(cx, file.queries()), poll }),
            ops: vec![write],
            repeatable: true,
        })
    }

    fn assess(&self, args: &Value, _: &Subject, answers: &[Answer]) -> Result<Assessment, AssessError> {
        let file = from_lowered(args)?;
        let look = match Look::read(&file, answers)? {
            Ok(look) => look,
            Err(refusal) => return Ok(refusal),
        };
        let mut changes = Vec::new();
        let mut fidelity = Fidelity::Exact;
        match &look.digest {
            _ if file.is_secret() => {
                let before = if look.there { "present, not compared" } else { "absent" };
                changes.push(change(
                    file.dest,
                    before,
                    "the content of the step, which holds a value known only later",
                ));
                fidelity = Fidelity::Opaque;
            }
            Some(digest) if *digest == file.digest() => {}
            Some(digest) => changes.extend(look.content_changes(&file, digest)),
            None => changes.push(change(file.dest, "absent", format!("{} bytes", file.content.len()))),
        }
        changes.extend(look.attribute_changes(&file));
        Ok(if changes.is_empty() {
            satisfied(format!("{} is as asked", file.dest))
        } else {
            Assessment::WouldChange { changes, effect: None, fidelity }
        })
    }

    fn assess_verify(
        &self,
        args: &Value,
        _: &Subject,
        answers: &[Answer],
    ) -> Result<Assessment, AssessError> {
        let file = from_lowered(args)?;
        let look = match Look::read(&file, answers)? {
            Ok(look) => look,
            Err(refusal) => return Ok(refusal),
        };
        let content =
            look.there && (file.is_secret() || look.digest.as_deref() == Some(file.digest().as_str()));
        let mut waiting = Vec::new();
        if !content {
            waiting.push(format!("{} has another content", file.dest));
        }
        waiting.extend(
            look.attribute_changes(&file)
                .iter()
                .map(|c| format!("{} is {}, not {}", c.what, c.before, c.after)),
        );
        Ok(if waiting.is_empty() {
            satisfied(format!("{} is as asked", file.dest))
        } else {
            Assessment::NotYet { reason: waiting.join("; ") }
        })
    }
}

fn from_lowered(args: &Value) -> Result<File<'_>, AssessError> {
    File::read(Args(args)).map_err(|error| AssessError { command: "stat".to_owned(), reason: error.message })
}

/// The file as asked for.
struct File<'a> {
    dest: &'a str,
    content: &'a str,
    /// Four octal digits.
    mode: String,
    owner: Option<&'a str>,
    group: Option<&'a str>,
}

impl<'a> File<'a> {
    fn read(args: Args<'a>) -> Result<Self, LowerError> {
        let dest = absolute_path("dest", args.text("dest").unwrap_or_default())?;
        if dest.ends_with('/') || dest.split('/').any(|part| part == "..") {
            return Err(wrong(format!("`dest` is `{dest}`"), "write the path of a file, without `..`"));
        }
        let mode = args.text("mode").unwrap_or("0644");
        let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| mode.len() <= 5 && *bits <= 0o7777);
        let Some(bits) = bits.filter(|_| mode.bytes().all(|byte| byte.is_ascii_digit())) else {
            return Err(wrong(
                format!("`mode` is `{}`", mode.escape_debug()),
                "write octal digits, such as 0644",
            ));
        };
        for field in ["owner", "group"] {
            let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            if let Some(name) = args.text(field)
                && (name.is_empty() || name.starts_with('-') || !name.chars().all(known))
            {
                return Err(wrong(
                    format!("`{field}` is `{}`", name.escape_debug()),
                    "write a name or a number",
                ));
            }
        }
        let file = Self {
            dest,
            content: args.text("content").unwrap_or_default(),
            mode: format!("{bits:04o}"),
            owner: args.text("owner"),
            group: args.text("group"),
        };
        if file.group.is_some() && file.owner.is_none() {
            return Err(wrong("`group` is written without `owner`", "write both"));
        }
        Ok(file)
    }

    /// As [`Deed::Write`] takes it.
    fn owner(&self) -> String {
        match (self.owner, self.group) {
            (Some(owner), Some(group)) => format!("{owner}:{group}"),
            (Some(owner), None) => owner.to_owned(),
            _ => String::new(),
        }
    }

    /// Whether the content is known only where it is sent.
    fn is_secret(&self) -> bool {
        has_symbol(self.content)
    }

    fn digest(&self) -> String {
        let digest = Sha256::digest(self.content.as_bytes());
        digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            hex
        })
    }

    /// Whether its lines may stand in a plan.
    fn is_public(&self) -> bool {
        readable_by_all(&self.mode) && !self.is_secret()
    }

    fn queries(&self) -> Vec<Query> {
        let mut queries = vec![query(&["stat", "-c", "%a %U %G %u %g %F", "--", self.dest])];
        if !self.is_secret() {
            queries.push(query(&["sha256sum", "--", self.dest]));
        }
        if self.is_public() {
            queries.push(query(&["head", "-c", SHOWN_BYTES, "--", self.dest]));
        }
        queries
    }
}

fn readable_by_all(mode: &str) -> bool {
    u32::from_str_radix(mode, 8).is_ok_and(|bits| bits & 0o004 != 0)
}

/// The file as it is.
#[derive(Default)]
struct Look {
    there: bool,
    mode: String,
    /// Name and number.
    owner: (String, String),
    group: (String, String),
    digest: Option<String>,
    /// The beginning, where it may be shown.
    text: Option<String>,
}

impl Look {
    /// The inner error is a destination that cannot be replaced.
    fn read(file: &File<'_>, answers: &[Answer]) -> Result<Result<Self, Assessment>, AssessError> {
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
        let text =
            text.filter(|answer| answer.ok() && readable_by_all(mode)).map(|answer| answer.stdout.clone());
        Ok(Ok(Self {
            there: true,
            mode: (*mode).to_owned(),
            owner: ((*user).to_owned(), (*uid).to_owned()),
            group: ((*group).to_owned(), (*gid).to_owned()),
            digest: digest.transpose()?,
            text,
        }))
    }

    fn attribute_changes(&self, file: &File<'_>) -> Vec<Change> {
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

    /// The lines that differ, or the digests where lines may not be shown or are the same as far as they were fetched.
    fn content_changes(&self, file: &File<'_>, digest: &str) -> Vec<Change> {
        let by_digest = || {
            vec![change(
                file.dest,
                format!("sha256 {}", &digest[..12]),
                format!("sha256 {}", &file.digest()[..12]),
            )]
        };
        let Some(text) = &self.text else { return by_digest() };
        let diff = similar::TextDiff::from_lines(text.as_str(), file.content);
        let mut changes = Vec::new();
        for operation in diff.ops() {
            if operation.tag() == similar::DiffTag::Equal {
                continue;
            }
            if changes.len() == SHOWN_LINES {
                changes.push(change(file.dest, "further lines", "not shown"));
                break;
            }
            let (old, new) = (operation.old_range(), operation.new_range());
            let place = format!("{}:{}", file.dest, old.start + 1);
            let before: String = old.filter_map(|index| diff.old_slice(index)).collect();
            let after: String = new.filter_map(|index| diff.new_slice(index)).collect();
            changes.push(change(place, before.trim_end_matches('\n'), after.trim_end_matches('\n')));
        }
        if changes.is_empty() { by_digest() } else { changes }
    }
}

/// Reads `sha256sum`, which marks lines with an escaped file name by a backslash in front.
fn read_digest(answer: &Answer) -> Option<String> {
    let word = answer.stdout.split_whitespace().next()?.trim_start_matches('\\');
    let good = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| word.to_owned())
}

#[cfg(test)]
mod tests;
