//! `copy`: a file on the host with given content, mode and owner.

mod lines;
mod look;

use sha2::{Digest, Sha256};

use super::ahead::SourcesUse;
use super::arguments::arguments;
use super::build::{absolute_path, change, has_symbol, op, probe, query, satisfied, wrong};
use super::kind::Kind;
use super::{
    AssessError, Assessment, Change, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Poll, Role,
    Subject, Touches, Verify,
};
use crate::op::{Effect, OpKind, ProbeOutput, Query};
use crate::value::Duration;
use look::{FileProbe, readable_by_all};

/// The kind `copy`.
pub(crate) struct Copy;

/// How much of a file is fetched to show what differs. Whether it differs is told by its digest, at any length.
const SHOWN_BYTES: usize = 32 << 10;
/// Homes are closed to others as a rule, whatever the mode of a file in them: a kubeconfig of 0644 is no public text.
const PRIVATE: [&str; 2] = ["/root/", "/home/"];

arguments! {
    /// The file as it is to be.
    pub(crate) struct CopyArgs {
        /// The file's whole text; may hold templates.
        content: Option<String>,
        /// A file with the text instead, as a path relative to the file that the step stands in; may hold templates.
        template: Option<String>,
        /// Where, as an absolute path. The directory must be there.
        dest: String,
        /// Permission bits, in octal.
        mode: String = "0644".to_owned(),
        /// Owning user; left as it is where left out, root for a new file.
        owner: Option<String>,
        /// Owning group; needs `owner`.
        group: Option<String>,
    }
}

impl Kind for Copy {
    type Args = CopyArgs;

    const NAME: &'static str = "copy";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Puts a file on the host",
            body: "\
The text is written in the step, as `content`, or in a file beside the runbook, as `template`; one of the two. The file is
compiled when the runbook is loaded, so a mistake in it is told with its own line and column, and rendered for each host as
`content` would be: with the same names, `args` of the fragment that the step stands in among them. It is a text in UTF-8 of
at most 256 KiB, below the runbook's directory. A plan holds the text that it came to: what is changed in the file afterwards
does not alter a saved plan, and `rollbook plan --diff OLD.json` shows it.

The goal holds when the file has exactly this content (by its SHA-256), mode and owner. It is replaced by write, sync and
rename, so a reader sees the old file or the new one and never half of one.

A plan shows the lines that differ, at most 40, but only of files that everybody may read: where `mode`, or the file on the
host, denies reading to others, it shows digests, as it does above 32 KiB. A file with a secret in it cannot be compared without the secret, and is written every
time; the plan calls it opaque.

Links and directories are refused as `dest`: a rename would replace the link instead of what it names.",
            example: "- copy: { dest: /etc/sysctl.d/90-rollbook.conf, content: \"vm.panic_on_oom = 0\\n\" }\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let has = |field| written.contains(&field);
        let mut wrong = Vec::new();
        match (has("content"), has("template")) {
            (true, true) => wrong.push("`content` and `template` exclude each other"),
            (false, false) => wrong.push("it needs the text, as `content` or in a `template` file"),
            _ => {}
        }
        if has("group") && !has("owner") {
            wrong.push("`group` needs `owner` too");
        }
        wrong.into_iter().map(str::to_owned).collect()
    }

    fn template_file(&self) -> Option<(&'static str, &'static str)> {
        Some(("template", "content"))
    }

    fn touches(&self, args: Option<&CopyArgs>) -> Touches {
        // What is known only on the host may be any path.
        let known = args.map(|args| args.dest.as_str()).filter(|dest| !has_symbol(dest));
        Touches::both(vec![Matter::file(known.unwrap_or("/"))])
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn sources(&self, args: Option<&CopyArgs>) -> SourcesUse {
        let writes_sources = args.is_some_and(|args| args.dest.starts_with("/etc/apt/"));
        if writes_sources { SourcesUse::MayChange } else { SourcesUse::Nothing }
    }

    fn lower(&self, args: &CopyArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let file = FileSpec::read(args)?;
        let kind = OpKind::Write { path: file.dest.to_owned(), mode: file.mode.clone(), owner: file.owner() };
        let mut write = op(cx, format!("write {}", file.dest), kind, Effect::Changes);
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

    fn assess(
        &self,
        args: &CopyArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let file = from_lowered(args)?;
        let look = match FileProbe::read(&file, answers)? {
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
            Some(digest) => changes.push(look.content_change(&file, digest)),
            None => changes.push(file.creation()),
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
        args: &CopyArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let file = from_lowered(args)?;
        let look = match FileProbe::read(&file, answers)? {
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

fn from_lowered(args: &CopyArgs) -> Result<FileSpec<'_>, AssessError> {
    FileSpec::read(args).map_err(|error| AssessError { command: "stat".to_owned(), reason: error.message })
}

/// Whether the lines of a file may stand in a plan: it is not only its own mode that keeps a file from others.
pub fn may_be_shown(path: &str, mode: &str) -> bool {
    readable_by_all(mode) && !PRIVATE.iter().any(|home| path.starts_with(home))
}

/// The same of a file with this content, which may be known only later.
pub(super) fn is_public(path: &str, mode: &str, content: &str) -> bool {
    may_be_shown(path, mode) && !has_symbol(content)
}

/// The file as asked for.
struct FileSpec<'a> {
    dest: &'a str,
    content: &'a str,
    /// Four octal digits.
    mode: String,
    owner: Option<&'a str>,
    group: Option<&'a str>,
}

impl<'a> FileSpec<'a> {
    fn read(args: &'a CopyArgs) -> Result<Self, LowerError> {
        let dest = absolute_path("dest", &args.dest)?;
        if dest.ends_with('/') || dest.split('/').any(|part| part == "..") {
            return Err(wrong(
                format!("`dest` is `{dest}`, which names no file"),
                if dest.ends_with('/') {
                    "write the name of the file behind the directory, such as `/etc/app/app.conf`"
                } else {
                    "write the path without `..`"
                },
            ));
        }
        let mode = args.mode.as_str();
        let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| mode.len() <= 5 && *bits <= 0o7777);
        let Some(bits) = bits.filter(|_| mode.bytes().all(|byte| byte.is_ascii_digit())) else {
            return Err(wrong(
                format!("`mode` is `{}`, which is no mode of a file", mode.escape_debug()),
                "write octal digits, such as 0644",
            ));
        };
        for (field, name) in [("owner", &args.owner), ("group", &args.group)] {
            let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            if let Some(name) = name
                && (name.is_empty() || name.starts_with('-') || !name.chars().all(known))
            {
                return Err(wrong(
                    format!("`{field}` is `{}`, which can be no name", name.escape_debug()),
                    "write a name or a number",
                ));
            }
        }
        if let (Some(template), None) = (&args.template, &args.content) {
            return Err(wrong(format!("the text of `{template}` was not read"), "load the runbook again"));
        }
        let file = Self {
            dest,
            content: args.content.as_deref().unwrap_or_default(),
            mode: format!("{bits:04o}"),
            owner: args.owner.as_deref(),
            group: args.group.as_deref(),
        };
        if file.group.is_some() && file.owner.is_none() {
            return Err(wrong("`group` is written without `owner`", "write both"));
        }
        Ok(file)
    }

    /// As [`OpKind::Write`] takes it.
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
        sha256(self.content)
    }

    /// That it comes where nothing is.
    fn creation(&self) -> Change {
        let diff = if self.is_public() { lines::between("", self.content) } else { None };
        Change { diff, ..change(self.dest, "absent", format!("{} bytes", self.content.len())) }
    }

    /// Whether its lines may stand in a plan.
    fn is_public(&self) -> bool {
        is_public(self.dest, &self.mode, self.content)
    }

    fn queries(&self) -> Vec<Query> {
        let mut queries = vec![query(&["stat", "-c", "%a %U %G %u %g %F", "--", self.dest])];
        if !self.is_secret() {
            queries.push(query(&["sha256sum", "--", self.dest]));
        }
        if self.is_public() {
            queries.push(query(&["head", "-c", &SHOWN_BYTES.to_string(), "--", self.dest]));
        }
        queries
    }
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        hex
    })
}

#[cfg(test)]
mod tests;
