//! Reads a runbook from its tree, with its fragments, and with all mistakes in one go. Reading of files is the caller's;
//! nothing here evaluates anything.

mod allow;
mod common;
mod declare;
mod for_each;
mod foreign_keys;
mod gate;
mod include;
mod names;
mod phase;
mod rescue;
mod step;
pub mod tables;
mod template_file;
mod top;
mod topology;
mod trial;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Frame, FrameId, Runbook};
use crate::source::codes::{HABIT, NOT_A_RUNBOOK};
use crate::source::{
    self, Diagnostics, Entry, FileId, Limits, MapReader, Node, NodeKind, Severity, SourceMap, Span, shorten,
};
use crate::template::{Arg, Names, Reference};

pub use include::Include;
pub use top::Defaults;
pub use topology::TopologySpec;

pub(super) use declare::{constant, misfit};
pub(super) use names::NAMESPACES;

/// Reads the files that a runbook names. The cli gives one that stays below the runbook's directory.
pub trait FileReader {
    /// The text of the file at `path`, which stands relative to the file `from`. The error is a sentence for people.
    fn read(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String>;

    /// The same for a file that may be no text, so that the place can be told where it is none.
    fn bytes(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, Vec<u8>), String> {
        self.read(from, path).map(|(path, text)| (path, text.into_bytes()))
    }
}

/// Reads a runbook that is already in `sources`. `None` when nothing usable came out; the diagnostics say why.
pub fn parse(
    sources: &mut SourceMap,
    file: FileId,
    reader: &dyn FileReader,
    diagnostics: &mut Diagnostics,
) -> Option<Runbook> {
    let before = diagnostics.items().len();
    let runbook = parse_leniently(sources, file, reader, diagnostics);
    let failed = diagnostics.items()[before..].iter().any(|item| item.severity == Severity::Error);
    runbook.filter(|_| !failed)
}

/// Like [`parse`], but gives what could be read also where there are errors: enough to look for further mistakes in
/// selectors and parameters, and good for nothing else.
pub fn parse_leniently(
    sources: &mut SourceMap,
    file: FileId,
    reader: &dyn FileReader,
    diagnostics: &mut Diagnostics,
) -> Option<Runbook> {
    let mut errors = Diagnostics::default();
    let root = source::parse(sources, file, Limits::default(), &mut errors);
    let path = sources.file(file).name.clone();
    let mut cx = ParseContext {
        sources,
        reader,
        errors,
        frames: Vec::new(),
        fragments: HashMap::new(),
        templates: HashMap::new(),
        n_steps: 0,
        defaults: Defaults::default(),
    };
    let runbook = root.and_then(|root| top::runbook(&root, path, &mut cx));
    // A fragment is read once for each include of it, and so are its mistakes.
    let mut seen = HashSet::new();
    for item in cx.errors.items() {
        if seen.insert((item.code, item.span, item.message.clone())) {
            diagnostics.push(item.clone());
        }
    }
    runbook
}

/// What every part of reading needs.
struct ParseContext<'a> {
    sources: &'a mut SourceMap,
    reader: &'a dyn FileReader,
    errors: Diagnostics,
    frames: Vec<Frame>,
    /// Trees of fragments by path; `None` where one is no valid YAML.
    fragments: HashMap<Utf8PathBuf, Option<Rc<Node>>>,
    /// Template files by path; `None` where one is no text.
    templates: HashMap<Utf8PathBuf, Option<FileId>>,
    n_steps: usize,
    defaults: Defaults,
}

/// Where a list of steps stands: in the runbook or in a fragment, and what its expressions may name.
struct StepScope {
    names: Names,
    frame: Option<FrameId>,
    /// Ids of the includes around it, joined by dots; empty in the runbook itself.
    prefix: String,
    /// Tags of the phase and of the includes around it, which every step has.
    tags: Vec<String>,
    /// Arguments of the fragment that hold a secret.
    secret_args: HashSet<String>,
    /// Arguments of the fragment that are known only when earlier steps have run.
    late_args: HashSet<String>,
    /// The files from the runbook to this one.
    files: Vec<Utf8PathBuf>,
}

impl StepScope {
    /// Whether an argument's text would hold a secret once rendered.
    fn holds_secret(&self, arg: &Arg) -> bool {
        arg.references().into_iter().any(|reference| match reference.root.as_str() {
            "secrets" => true,
            "args" => match reference.path.first() {
                Some(name) => self.secret_args.contains(name),
                None => !self.secret_args.is_empty(),
            },
            _ => false,
        })
    }

    /// A name of an argument that is known only when an earlier step has run.
    fn late_name(&self, arg: &Arg) -> Option<String> {
        let is_late = |reference: &&Reference| match reference.root.as_str() {
            "steps" => true,
            "args" => match reference.path.first() {
                Some(name) => self.late_args.contains(name),
                None => !self.late_args.is_empty(),
            },
            _ => false,
        };
        arg.references().into_iter().find(is_late).map(ToString::to_string)
    }

    /// The path of the file that the steps stand in.
    fn file(&self) -> &Utf8Path {
        self.files.last().expect("invariant: a place stands in a file")
    }
}

/// What a file is that is a list: plays, phases or steps of one.
fn of_a_list(items: &[Node]) -> &'static str {
    let has = |item: &Node, wanted: &dyn Fn(&str) -> bool| match &item.kind {
        NodeKind::Map(entries) => entries.iter().any(|entry| wanted(&entry.key.value)),
        _ => false,
    };
    let any = |wanted: &dyn Fn(&str) -> bool| items.iter().any(|item| has(item, wanted));
    let is_step = |key: &str| key == "include" || crate::step::find(key).is_some();
    if any(&|key| key == "steps") && any(&|key| key == "hosts") {
        "this is a list of phases: write it below `phases:` of a runbook"
    } else if !any(&|key| key == "hosts") && any(&is_step) {
        "this is a list of steps: write it below `steps:` of a phase; a file for `include` is `kind: Steps` with `steps:`"
    } else {
        "a list of plays is an Ansible playbook; a runbook has `phases:` with `hosts:` and `steps:`"
    }
}

/// What a file is that has neither of the two lines, or both of them from another tool.
fn of_another_tool<'e>(root: &Node, find: &dyn Fn(&str) -> Option<&'e Entry>) -> Option<String> {
    let scalar = |key: &str| find(key).and_then(|entry| entry.value.scalar());
    let ours = ["Runbook", "Inventory", "Scenario", "Steps"];
    match (scalar("apiVersion"), scalar("kind")) {
        (Some(version), Some(kind)) if !version.starts_with("rollbook/") && !ours.contains(&kind) => {
            Some(format!("this is a manifest of Kubernetes (`kind: {}`)", shorten(kind)))
        }
        (None, None) if find("services").is_some() => Some("this is a file of Docker Compose".to_owned()),
        (None, None) if ["tasks", "steps", "phases"].iter().all(|key| find(key).is_none()) => {
            let first = match &root.kind {
                NodeKind::Map(entries) => entries.first().map(|entry| shorten(&entry.key.value)),
                _ => None,
            };
            Some(format!("this is a file that begins with `{}`", first?))
        }
        _ => None,
    }
}

/// Checks the two lines that every file begins with. Gives `false` for a file of another kind.
fn header(root: &Node, what: &str, kind: &str, errors: &mut Diagnostics) -> bool {
    let NodeKind::Map(entries) = &root.kind else {
        let error = errors.error(NOT_A_RUNBOOK, start(root.span), format!("{what} is a mapping"));
        match &root.kind {
            NodeKind::Seq(items) => error.hint(of_a_list(items)),
            _ => error.hint(format!("begin with `apiVersion: rollbook/v1` and `kind: {kind}`")),
        };
        return false;
    };
    let find = |key: &str| entries.iter().find(|entry| entry.key.value == key);
    if let Some(other) = of_another_tool(root, &find) {
        errors
            .error(NOT_A_RUNBOOK, start(root.span), format!("{other}, not {what}"))
            .hint(format!("name a file that begins with `apiVersion: rollbook/v1` and `kind: {kind}`"));
        return false;
    }
    for (key, expected) in [("apiVersion", "rollbook/v1"), ("kind", kind)] {
        let Some(entry) = find(key) else {
            let error =
                errors.error(NOT_A_RUNBOOK, start(root.span), format!("{what} needs `{key}: {expected}`"));
            let hint = match key {
                "apiVersion" if find("tasks").is_some() => {
                    "this looks like tasks of Ansible; steps stand in `phases:` of a runbook"
                }
                "apiVersion" if kind == "Runbook" && find("steps").is_some() && find("phases").is_none() => {
                    "this looks like a fragment, which has `kind: Steps` and is included with `include: FILE`; a runbook has \
                     `phases:`"
                }
                _ => continue,
            };
            error.hint(hint);
            continue;
        };
        let found = entry.value.scalar().unwrap_or_default();
        if found == expected {
            continue;
        }
        let error =
            errors.error(NOT_A_RUNBOOK, entry.value.span, format!("`{key}` of {what} is `{expected}`"));
        match found {
            "Inventory" => error.hint("this is an inventory: give it with `-i`"),
            "Scenario" => error.hint("this is a scenario: `rollbook rehearse --scenario FILE` plays it"),
            "Steps" => error.hint("this is a fragment: a runbook includes it with `include: FILE`"),
            "Runbook" => error.hint("this is a runbook: a fragment has `kind: Steps` and no phases"),
            _ => error.hint(format!("{what} begins with `apiVersion: rollbook/v1` and `kind: {kind}`")),
        };
    }
    // What stands in a file of another kind would only be misread.
    find("kind").is_some_and(|entry| entry.value.scalar() == Some(kind))
}

/// Takes the header's keys, which [`header`] has checked, and gives `metadata`.
fn take_header<'n>(reader: &mut MapReader<'n>) -> Option<&'n Node> {
    reader.take("apiVersion");
    reader.take("kind");
    reader.take("metadata").map(|entry| &entry.value)
}

/// Reports the keys nobody took: those of other tools with what to write instead, those of later versions as such.
fn finish(reader: MapReader<'_>, what: &str, foreign_keys: &[foreign_keys::Habit], errors: &mut Diagnostics) {
    reader.finish_with(what, errors, |entry, errors| foreign_keys::answer(foreign_keys, entry, what, errors));
}

/// The first byte of a span; a page of carets says nothing.
fn start(span: Span) -> Span {
    Span { end: span.start + u32::from(span.end > span.start), ..span }
}

/// Whether a name can stand in an expression: `params.target`.
fn is_identifier(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(first) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reports a name that no expression could use.
fn check_identifier(name: &source::Spanned<String>, what: &str, errors: &mut Diagnostics) {
    if !is_identifier(&name.value) {
        let message = format!("`{}` is no name for {what}", source::shorten(&name.value));
        let error = errors.error(source::codes::BAD_NAME, name.span, message);
        let better: String =
            name.value.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if is_identifier(&better) {
            error.hint(format!("write `{better}`, so that expressions can use it"));
        }
    }
}

/// A key of another tool, with what to write instead.
fn foreign_key(span: Span, message: String, instead: &str, errors: &mut Diagnostics) {
    errors.error(HABIT, span, message).hint(instead);
}

#[cfg(test)]
mod tests;
