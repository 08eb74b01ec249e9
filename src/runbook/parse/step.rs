//! A step: exactly one kind with its fields. The common keys around it are read in `common`.

use indexmap::IndexMap;

use super::common::{self, CommonKeys, check_secret, common};
use super::{ParseContext, StepScope, for_each, foreign_keys, include, start, template_file, top, trial};
use crate::runbook::{Step, StepOrigin};
use crate::source::codes::{
    MISSING_KEY, NO_STEP_KIND, NOT_A_STEP, SEVERAL_STEP_KINDS, STEP_RULE, TOO_LARGE, UNKNOWN_KEY,
    UNKNOWN_STEP_KIND,
};
use crate::source::{Entry, MapReader, Node, NodeKind, meant_key, nearest, shorten, slip, slip_in_key};
use crate::step::StepKind;
use crate::template::{Arg, ArgKind, compile_arg};
use crate::value::{Field, Type, Value};

/// Fragments that include each other twice, thrice … double with each level; nobody reviews more than this.
const MOST_STEPS: usize = 20_000;

/// Reads a list of steps, fragments included in place.
pub(super) fn list(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let items = node.items("a list of steps", &mut cx.errors).unwrap_or_default();
    if items.is_empty() && matches!(node.kind, NodeKind::Seq(_)) {
        cx.errors.wrong_type(node, "at least one step");
    }
    let ids: Vec<String> = items.iter().filter_map(id_of).collect();
    let around = std::mem::replace(&mut place.names.later, ids);
    for item in items {
        cx.n_steps += 1;
        if cx.n_steps == MOST_STEPS {
            let message =
                format!("the runbook has more than {MOST_STEPS} steps, fragments counted each time");
            cx.errors.error(TOO_LARGE, start(item.span), message);
        }
        if cx.n_steps >= MOST_STEPS {
            break;
        }
        step(item, place, cx, &mut steps);
    }
    place.names.later = around;
    steps
}

/// The id that a step is given.
fn id_of(step: &Node) -> Option<String> {
    let NodeKind::Map(entries) = &step.kind else { return None };
    let id = entries.iter().find(|entry| entry.key.value == "id")?;
    id.value.scalar().map(str::to_owned)
}

/// The entries of a step, sorted by what they are.
pub(super) struct StepEntries<'n> {
    kind: Option<(&'n Entry, Kind)>,
    pub(super) common: Vec<&'n Entry>,
}

#[derive(Clone, Copy)]
enum Kind {
    Known(&'static dyn StepKind),
    Include,
}

fn step(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>, out: &mut Vec<Step>) {
    let Some(parts) = parts(node, cx) else { return };
    match parts.kind {
        Some((entry, Kind::Include)) => include::include(&parts, entry, place, cx, out),
        Some((entry, Kind::Known(kind))) => {
            let for_each = for_each::open(&parts.common, place, cx);
            let args = arguments(entry, kind, place, cx);
            let common = common(&parts.common, Some(kind), place, cx);
            for_each::close(place);
            if let (Some(args), Some(common)) = (args, common) {
                trial::check(entry, kind, &args, &common, cx);
                let step = Step { for_each, ..assemble(node, kind, args, common, place, cx) };
                out.push(step);
            }
        }
        None => {
            for_each::open(&parts.common, place, cx);
            common(&parts.common, None, place, cx);
            for_each::close(place);
        }
    }
}

fn parts<'n>(node: &'n Node, cx: &mut ParseContext<'_>) -> Option<StepEntries<'n>> {
    let NodeKind::Map(entries) = &node.kind else {
        let error = cx.errors.error(NOT_A_STEP, start(node.span), "a step is a mapping with one kind");
        if let Some(hint) = slip(node, "a mapping") {
            error.hint(hint);
            return None;
        }
        match node.scalar().map(|text| (text, crate::step::find(text))) {
            Some((_, Some(kind))) => error.hint(format!("write `- {}: {{}}`", kind.name())),
            Some((text, None)) if text.contains(' ') => {
                error.hint("write the command as a list: `- command: [systemctl, restart, kubelet]`")
            }
            _ => error.hint("write `- KIND: { … }`; `rollbook steps` lists the kinds"),
        };
        return None;
    };
    let mut parts = StepEntries { kind: None, common: Vec::new() };
    let mut unknown = Vec::new();
    for entry in entries {
        let key = entry.key.value.as_str();
        let kind = match key {
            "include" => Some(Kind::Include),
            _ if common::keys().any(|common| common == key) => {
                parts.common.push(entry);
                continue;
            }
            _ => crate::step::find(key).map(Kind::Known),
        };
        match (kind, &parts.kind) {
            (None, _) => unknown.push(entry),
            (Some(kind), None) => parts.kind = Some((entry, kind)),
            (Some(_), Some((first, _))) => {
                let message = format!("a step has one kind, and this has `{}` and `{key}`", first.key.value);
                let error = cx.errors.error(SEVERAL_STEP_KINDS, entry.key.span, message);
                error.related(first.key.span, "the first kind").hint("write a list item for each");
            }
        }
    }
    let mut blamed = parts.kind.is_some();
    for entry in unknown {
        let below = parts.kind.as_ref().filter(|(kind, known)| is_field_of(entry, kind, known));
        if let Some((kind, _)) = below {
            let (key, kind) = (entry.key.value.as_str(), kind.key.value.as_str());
            let error =
                cx.errors.error(UNKNOWN_KEY, entry.key.span, format!("`{key}` stands beside `{kind}`"));
            error.hint(format!("it belongs to the kind: indent it further, below `{kind}:`"));
            continue;
        }
        blamed |= report_unknown(entry, parts.kind.is_some(), cx);
    }
    if !blamed {
        let error =
            cx.errors.error(NO_STEP_KIND, start(node.span), "a step has no kind, so there is nothing to do");
        error.hint("add one, such as `drain: {}`; `rollbook steps` lists the kinds");
    }
    Some(parts)
}

/// The kind that a key stands for.
fn meant_kind(key: &str) -> Option<&'static str> {
    let kinds = crate::step::all().iter().map(|kind| kind.name()).chain(["include"]);
    // `apt_get` is not `apt`, so only what stuck to the name is taken off.
    if slip_in_key(key).is_some() { meant_key(key, kinds) } else { nearest(key, kinds) }
}

/// Whether a key beside a kind without fields is one of its fields, which only lacks indentation.
fn is_field_of(entry: &Entry, kind: &Entry, known: &Kind) -> bool {
    let Kind::Known(step) = known else { return false };
    let is_bare = matches!(&kind.value.kind, NodeKind::Null | NodeKind::Map(_));
    is_bare && step.fields().iter().any(|field| field.name == entry.key.value)
}

/// Reports a key that is neither a kind nor common. Says whether it was probably meant to be the kind.
fn report_unknown(entry: &Entry, has_kind: bool, cx: &mut ParseContext<'_>) -> bool {
    let key = entry.key.value.as_str();
    let errors = &mut cx.errors;
    if foreign_keys::answer(foreign_keys::STEP, entry, "a step", errors) {
        return false;
    }
    // `ansible.builtin.apt` and `kubernetes.core.k8s_drain`: the last word says what was meant.
    let word = key.rsplit('.').next().unwrap_or(key);
    let short = Entry {
        key: crate::source::Spanned { value: word.replace('-', "_"), span: entry.key.span },
        value: Node::new(NodeKind::Null, entry.value.span),
    };
    if foreign_keys::answer(foreign_keys::KINDS, &short, "a step", errors) {
        return true;
    }
    let kinds = || crate::step::all().iter().map(|kind| kind.name()).chain(["include"]);
    let near_kind = if word == key { meant_kind(key) } else { kinds().find(|kind| *kind == word) };
    let near_common = meant_key(key, common::keys());
    if has_kind || (near_kind.is_none() && near_common.is_some()) {
        let expected: Vec<String> = common::keys().map(str::to_owned).collect();
        let error = errors.unknown_key(&entry.key, "a step", &expected);
        if let Some(kind) = near_kind.filter(|_| near_common.is_none()) {
            error.hints.clear();
            error.hint(format!("`{kind}` is a kind: write it as a step of its own"));
        }
        return false;
    }
    let error =
        errors.error(UNKNOWN_STEP_KIND, entry.key.span, format!("unknown step kind `{}`", shorten(key)));
    if let Some(hint) = slip_in_key(key) {
        error.hint(hint);
        return true;
    }
    match near_kind {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`rollbook steps` lists the kinds; `command` runs anything else"),
    };
    true
}

/// The fields below the kind, compiled.
fn arguments(
    entry: &Entry,
    kind: &'static dyn StepKind,
    place: &StepScope,
    cx: &mut ParseContext<'_>,
) -> Option<IndexMap<String, Arg>> {
    let what = format!("`{}`", kind.name());
    let errors_before = cx.errors.items().len();
    let mut written: Vec<(&Field, &Node)> = Vec::new();
    let shorthand = kind.doc().shorthand;
    match (&entry.value.kind, shorthand) {
        (NodeKind::Null, _) => {}
        (NodeKind::Scalar { .. } | NodeKind::Seq(_), Some(name)) => {
            let field = kind.fields().iter().find(|field| field.name == name);
            written.push((field.expect("invariant: a shorthand names a field of its kind"), &entry.value));
        }
        _ => {
            let Some(mut reader) =
                MapReader::open(&entry.value, &format!("the fields of {what}"), &mut cx.errors)
            else {
                if let Some(error) = cx.errors.last_mut() {
                    let fields: Vec<_> =
                        kind.fields().iter().map(|field| format!("`{}`", field.name)).collect();
                    error.hint(format!("write `{}: {{ … }}` with {}", kind.name(), fields.join(", ")));
                }
                return None;
            };
            for field in kind.fields() {
                if let Some(entry) = reader.take(field.name) {
                    written.push((field, &entry.value));
                }
            }
            reader.finish(&what, &mut cx.errors);
        }
    }
    // Where a key is misspelt, what is missing is told by that already.
    let is_read = cx.errors.items()[errors_before..].iter().all(|error| error.code != UNKNOWN_KEY);
    let mut args = IndexMap::new();
    for (field, node) in &written {
        if let Some((path, text)) = kind.template_file().filter(|(path, _)| *path == field.name) {
            if let Some(file) = template_file::read(node, place, cx) {
                check_secret(&file.text, text, &what, node, place, cx);
                args.insert(path.to_owned(), file.path);
                args.insert(text.to_owned(), file.text);
            }
            continue;
        }
        if let Some(arg) = compile_arg(node, &field.ty, &place.names, &mut cx.errors) {
            check_secret(&arg, field.name, &what, node, place, cx);
            args.insert(field.name.to_owned(), arg);
        }
    }
    for field in kind.fields() {
        let is_written = written.iter().any(|(other, _)| other.name == field.name);
        match &field.default {
            _ if is_written => {}
            Some(default) => {
                let arg = Arg { kind: ArgKind::Const(default.clone()), ty: field.ty.clone(), span: None };
                args.insert(field.name.to_owned(), arg);
            }
            None if field.required && is_read => {
                cx.errors.error(MISSING_KEY, entry.key.span, format!("{what} needs `{}`", field.name));
            }
            None => {}
        }
    }
    let names: Vec<&str> = written.iter().map(|(field, _)| field.name).collect();
    for message in if is_read { kind.check(&names) } else { Vec::new() } {
        cx.errors.error(STEP_RULE, entry.key.span, format!("{what}: {message}"));
    }
    (cx.errors.items().len() == errors_before).then_some(args)
}

fn assemble(
    node: &Node,
    kind: &'static dyn StepKind,
    args: IndexMap<String, Arg>,
    common: CommonKeys,
    place: &StepScope,
    cx: &ParseContext<'_>,
) -> Step {
    let (line, _) = cx.sources.line_column(node.span);
    let prefixed = |id: String| if place.prefix.is_empty() { id } else { format!("{}.{id}", place.prefix) };
    let default_timeout =
        || Arg { kind: ArgKind::Const(Value::Duration(cx.defaults.timeout)), ty: Type::Duration, span: None };
    Step {
        id: common.id.map(prefixed),
        name: common.name,
        kind,
        args,
        when: common.when,
        for_each: None,
        timeout: Some(common.timeout.unwrap_or_else(default_timeout)),
        retry: common.retry,
        r#become: common.r#become.unwrap_or(cx.defaults.r#become),
        env: common.env,
        tags: [place.tags.as_slice(), &common.tags].concat(),
        run_on: common.run_on,
        effect: common.effect,
        allow_failure: common.allow_failure,
        changed_when: common.changed_when,
        fail_when: common.fail_when,
        leave_cordoned: common.leave_cordoned,
        allow: common.allow,
        frame: place.frame,
        origin: StepOrigin { span: node.span, place: top::place_text(place.file(), line) },
    }
}
