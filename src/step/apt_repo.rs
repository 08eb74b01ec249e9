//! `apt_repo`: a package repository of a host, as one file below /etc/apt/sources.list.d, with its lists fetched.

use super::ahead::{PackageSource, SourcesUse};
use super::apt::{lock_holder, no_apt, update_op};
use super::arguments::arguments;
use super::build::{
    absolute_path, argv, change, exactly, exec, has_symbol, op, probe, query, satisfied, unreadable,
    would_change, wrong,
};
use super::kind::Kind;
use super::{
    AssessError, Assessment, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject,
    Touches, Verify,
};
use crate::op::{Effect, OpKind, ProbeOutput, Query};
use crate::value::{Duration, Type, Version};

/// The kind `apt_repo`.
pub(crate) struct AptRepo;

/// The community's repositories, one per minor (kubernetes.io, "Changing the Kubernetes package repository").
const COMMUNITY: &str = "https://pkgs.k8s.io/core:/stable:/";
const KEYRINGS: &str = "/etc/apt/keyrings";

arguments! {
    /// The repository.
    pub(crate) struct AptRepoArgs {
        /// The minor whose Kubernetes repository to use, such as 1.31.
        kubernetes: Option<Version>,
        /// What stands before `v1.31/deb/` in the address, for mirrors. Only with `kubernetes`.
        base: String = COMMUNITY.to_owned(),
        /// Name of any other repository; the file is named after it.
        name: Option<String>,
        /// Its addresses.
        uris: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Its suites; one that ends in `/` is a path and has no components.
        suites: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Its components.
        components: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// The keyring that its signatures must be from; absolute path.
        signed_by: Option<String>,
        /// The key itself, ASCII-armored; written to `signed_by`, which then ends in `.asc`.
        key: Option<String>,
        /// The file, where it is not the usual one.
        file: Option<String>,
    }
}

impl Kind for AptRepo {
    type Args = AptRepoArgs;

    const NAME: &'static str = "apt_repo";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Points a host's apt at a package repository",
            body: "\
The community publishes one repository per Kubernetes minor, so an upgrade to another minor begins here, on every host,
before the first drain. `kubernetes: 1.31` writes /etc/apt/sources.list.d/kubernetes.list with that minor's line, the file
that the Kubernetes documentation uses, and so replaces the minor before it.

The goal holds when the file has exactly these lines, the key (where one is given) is in place, **and** apt has fetched the
lists of the repository: a run that died between writing and fetching is finished by the next one. Fetching fails when any
mirror of the host does not answer (`APT::Update::Error-Mode=any`); apt alone would go on with old lists and exit 0.

A plan looks at packages as they will be: where the file would change, the host's own apt fetches the lists of the new
repository into a private directory, which is gone afterwards, and the steps behind this one are foreseen with them. Nothing
below /etc/apt, /var/lib/apt and /var/cache/apt changes. A version that is in no repository then, either, is refused with
its neighbours, and so is a repository that cannot be used: in apt's own words, before anything was changed. Where an
earlier step may still bring what is missing (a `command`, a `script`, a `copy` below /etc/apt), it is known later.

Keys are left alone unless `key` is written. Old minors were signed with a key that has expired (kubernetes/release#3818).",
            example: "- apt_repo: { kubernetes: 1.31 }\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let has = |field| written.contains(&field);
        let other = ["name", "uris", "suites", "components"];
        let mut messages = Vec::new();
        if has("kubernetes") {
            let extra = other.into_iter().filter(|field| has(field));
            messages.extend(
                extra.map(|field| format!("`{field}` does not go with `kubernetes`, which says it already")),
            );
        } else {
            let missing = ["name", "uris", "suites"].into_iter().filter(|field| !has(field));
            messages.extend(
                missing.map(|field| format!("`{field}` is missing: write it, or write `kubernetes: MINOR`")),
            );
        }
        messages
    }

    fn transient(&self, stderr: &str) -> Option<String> {
        lock_holder(stderr).map(|holder| format!("the lock of apt or dpkg is held by {holder}"))
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn touches(&self, args: Option<&AptRepoArgs>) -> Touches {
        let own = args.and_then(|args| Repository::read(args).ok());
        let own = own.map_or(Matter::Anything, |own| Matter::file(&own.file));
        let apt = Matter::file("/etc/apt");
        Touches { changes: vec![Matter::Lists, apt.clone(), own.clone()], reads: vec![apt, own] }
    }

    fn sources(&self, args: Option<&AptRepoArgs>) -> SourcesUse {
        let repository = args.and_then(|args| Repository::read(args).ok());
        repository.map_or(SourcesUse::MayChange, |repository| repository.ahead())
    }

    fn lower(&self, args: &AptRepoArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let repository = Repository::read(args)?;
        let mut ops = Vec::new();
        if let Some(key) = &repository.key {
            // Debian has the folder since apt 2.4; older releases do not.
            let folder = argv(&["install", "-d", "-m", "0755", "--", KEYRINGS]);
            ops.push(exec(cx, format!("make {KEYRINGS}"), folder, Effect::Changes));
            ops.push(write(cx, &repository.signed_by, key.clone()));
        }
        ops.push(write(cx, &repository.file, repository.text()));
        ops.push(update_op(cx));
        let look = probe(cx, repository.queries());
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::ZERO,
            within: Duration::from_secs(10),
        };
        Ok(Lowered {
            title: repository.title.clone(),
            role: Role::Goal,
            effect: ops.iter().map(|op| op.effect).max().unwrap_or(Effect::Changes),
            opens: Vec::new(),
            closes: Vec::new(),
            probe: Some(look.clone()),
            poll: None,
            ops,
            verify: Some(Verify { probe: look, poll }),
            repeatable: true,
        })
    }

    fn assess(
        &self,
        args: &AptRepoArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        if let Some(refusal) = no_apt(answers) {
            return Ok(refusal);
        }
        let repository = Repository::read(args)
            .map_err(|error| AssessError { command: "cat".to_owned(), reason: error.message })?;
        let mut changes = Vec::new();
        let (file, targets) = if let Some(key) = &repository.key {
            let [file, targets, present] = exactly(answers)?;
            if present.stdout != *key {
                let before = if present.ok() { "another key" } else { "absent" };
                changes.push(change(&repository.signed_by, before, "the key of the step"));
            }
            (file, targets)
        } else {
            let [file, targets] = exactly(answers)?;
            (file, targets)
        };
        if file.stdout != repository.text() {
            let before = if file.ok() { lines(&file.stdout) } else { "absent".to_owned() };
            changes.push(change(&repository.file, before, lines(&repository.text())));
        }
        if !targets.ok() {
            return Err(unreadable("apt-get indextargets", "addresses of package lists", targets));
        }
        let fetched: Vec<_> = targets.stdout.lines().map(str::trim_end).collect();
        let missing = repository.targets().into_iter().filter(|target| !fetched.contains(&target.as_str()));
        changes.extend(
            missing.map(|target| change("package lists", "not fetched", format!("fetched from {target}"))),
        );
        Ok(if changes.is_empty() {
            satisfied(lines(&repository.text()))
        } else {
            would_change(changes, Fidelity::Exact)
        })
    }
}

/// A repository as a step asks for it.
struct Repository {
    title: String,
    file: String,
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// Empty where apt's own keyrings do.
    signed_by: String,
    key: Option<String>,
}

impl Repository {
    fn read(args: &AptRepoArgs) -> Result<Self, LowerError> {
        let owned = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
        let key = args.key.as_ref().map(|key| format!("{}\n", key.trim_end()));
        let mut repository = if let Some(version) = &args.kubernetes {
            let minor = version.minor();
            let base = args.base.trim_end_matches('/');
            let suffix = if key.is_some() { "asc" } else { "gpg" };
            Self {
                title: format!("use the Kubernetes {minor} repository"),
                file: "/etc/apt/sources.list.d/kubernetes.list".to_owned(),
                uris: vec![format!("{base}/v{minor}/deb/")],
                suites: vec!["/".to_owned()],
                components: Vec::new(),
                signed_by: format!("{KEYRINGS}/kubernetes-apt-keyring.{suffix}"),
                key,
            }
        } else {
            let name = args.name.as_deref().unwrap_or_default();
            Self {
                title: format!("use the repository {name}"),
                file: format!("/etc/apt/sources.list.d/{}.list", file_stem(name)?),
                uris: owned(&args.uris),
                suites: owned(&args.suites),
                components: owned(&args.components),
                signed_by: key.as_ref().map_or(String::new(), |_| format!("{KEYRINGS}/{name}.asc")),
                key,
            }
        };
        if let Some(path) = &args.signed_by {
            absolute_path("signed_by", path)?.clone_into(&mut repository.signed_by);
        }
        if let Some(path) = &args.file {
            absolute_path("file", path)?.clone_into(&mut repository.file);
        }
        repository.validate()?;
        Ok(repository)
    }

    /// Nothing may end a word, an option list or a line of the file early.
    fn validate(&self) -> Result<(), LowerError> {
        let fields = [("uris", &self.uris), ("suites", &self.suites), ("components", &self.components)];
        for (field, words) in fields {
            for word in words {
                word_of_a_line(field, word)?;
            }
        }
        word_of_a_line("file", &self.file)?;
        if !self.signed_by.is_empty() {
            word_of_a_line("signed_by", &self.signed_by)?;
        }
        if self.uris.is_empty() || self.suites.is_empty() {
            return Err(wrong("the repository has no address or no suite", "write `uris` and `suites`"));
        }
        // apt ignores files with other names without a word.
        let file = self.file.rsplit('/').next().unwrap_or_default();
        if file.strip_suffix(".list").is_none_or(|stem| file_stem(stem).is_err()) {
            return Err(wrong(
                format!("apt does not read a file named `{file}`"),
                "write a name that ends in `.list`",
            ));
        }
        for suite in &self.suites {
            let flat = suite.ends_with('/');
            if flat != self.components.is_empty() {
                let message = format!(
                    "the suite `{suite}` and {} components do not go together",
                    self.components.len()
                );
                return Err(wrong(
                    message,
                    "a suite that ends in `/` has no `components`, any other has some",
                ));
            }
        }
        if self.key.as_deref().is_some_and(|key| !key.starts_with("-----BEGIN PGP") || has_symbol(key)) {
            return Err(wrong(
                "`key` is no ASCII-armored key",
                "paste the whole block, from `-----BEGIN PGP PUBLIC KEY BLOCK-----`",
            ));
        }
        if self.key.is_some() && self.signed_by.strip_suffix(".asc").is_none() {
            return Err(wrong(
                "apt reads an armored key only from a file ending in `.asc`",
                "let `signed_by` end in `.asc`",
            ));
        }
        Ok(())
    }

    /// The file's text, in the one-line format that every apt reads.
    fn text(&self) -> String {
        self.text_signed_by(&self.signed_by)
    }

    fn text_signed_by(&self, keyring: &str) -> String {
        let mut text = String::new();
        let options = if keyring.is_empty() { String::new() } else { format!("[signed-by={keyring}] ") };
        for uri in &self.uris {
            for suite in &self.suites {
                let mut line = format!("deb {options}{uri} {suite}");
                for component in &self.components {
                    line.push(' ');
                    line.push_str(component);
                }
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    /// The same for a look ahead. A key that the step brings is not in its place yet.
    fn ahead(&self) -> SourcesUse {
        let there =
            if self.key.is_some() { PackageSource::key_path(&self.file) } else { self.signed_by.clone() };
        let lines = self.text_signed_by(&there).lines().map(ToOwned::to_owned).collect();
        SourcesUse::Sets(PackageSource { file: self.file.clone(), lines, key: self.key.clone() })
    }

    /// The lines of `apt-get indextargets` that show that everything was fetched, without the space at the end of those
    /// whose suite is `/`, which apt shows as nothing (measured with apt 2.6.2).
    fn targets(&self) -> Vec<String> {
        let mut targets = Vec::new();
        for uri in &self.uris {
            for suite in &self.suites {
                let release = if suite == "/" { "" } else { suite };
                targets.push(format!("{}/ {release}", uri.trim_end_matches('/')).trim_end().to_owned());
            }
        }
        targets
    }

    fn queries(&self) -> Vec<Query> {
        let format =
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"];
        let mut queries = vec![query(&["cat", "--", &self.file]), query(&format)];
        if self.key.is_some() {
            queries.push(query(&["cat", "--", &self.signed_by]));
        }
        queries
    }
}

fn write(cx: &LowerCx<'_>, path: &str, content: String) -> crate::op::Op {
    let kind =
        OpKind::Write { path: path.to_owned(), mode: "0644".to_owned(), owner: "root:root".to_owned() };
    let mut op = op(cx, format!("write {path}"), kind, Effect::Changes);
    op.stdin = content;
    op
}

/// Names of files that apt reads: letters, digits, `_`, `-`, `.` (sources.list(5)).
fn file_stem(name: &str) -> Result<&str, LowerError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(good) {
        let message = format!("`{}` is no name of a repository", name.escape_debug());
        return Err(wrong(message, "use letters, digits, `_`, `-` and `.`"));
    }
    Ok(name)
}

fn word_of_a_line(field: &str, word: &str) -> Result<(), LowerError> {
    let bad =
        |c: char| c.is_whitespace() || c.is_control() || "[]#\"".contains(c) || has_symbol(&c.to_string());
    if word.is_empty() || word.contains(bad) {
        let message =
            format!("`{field}` has `{}`, which cannot stand in a line of apt's sources", word.escape_debug());
        return Err(wrong(message, "no spaces, brackets, quotes or `#`; write spaces in addresses as %20"));
    }
    Ok(())
}

/// A file's lines on one line, without comments, cut where it gets long.
fn lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join(" ⏎ ");
    if joined.is_empty() { "empty".to_owned() } else { joined.chars().take(300).collect() }
}

#[cfg(test)]
mod tests;
