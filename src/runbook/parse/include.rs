//! `include:`: a fragment's steps in the place of one, with typed arguments of their own.

use std::collections::HashSet;
use std::rc::Rc;

use camino::Utf8PathBuf;
use indexmap::IndexMap;

use super::common::{self, condition, id};
use super::declare::{Declarations, declarations, misfit};
use super::step::{self, StepEntries};
use super::{ParseContext, StepScope, finish, for_each, header, names, tables, take_header};
use crate::runbook::{Frame, FrameId, Step};
use crate::source::codes::{COMMON_KEY, INCLUDE, MISSING_KEY, PARAM_VALUE};
use crate::source::{self, Entry, FromNode, Limits, MapReader, Node, written};
use crate::template::{Arg, ArgKind, Expression, NameType, compile_arg};
use crate::value::{Type, Value};

/// Deeper than anybody can follow.
const DEEPEST: usize = 16;

pub(super) fn include(
    parts: &StepEntries<'_>,
    entry: &Entry,
    place: &mut StepScope,
    cx: &mut ParseContext<'_>,
    out: &mut Vec<Step>,
) {
    let for_each = for_each::open(&parts.common, place, cx);
    let mut own_id = None;
    let mut when = None;
    let mut tags = Vec::new();
    for written in &parts.common {
        match written.key.value.as_str() {
            "id" => own_id = id(written, place, cx),
            "when" => when = condition(&written.value, &place.names, place, cx),
            "for_each" => {}
            "tags" => tags = common::tags(&written.value, cx),
            "name" => drop(written.value.text("a text", &mut cx.errors)),
            key => {
                let message = format!("`{key}` has no meaning for `include`");
                let error = cx.errors.error(COMMON_KEY, written.key.span, message);
                error.hint(
                    "write it at the steps of the fragment; only `id`, `name`, `when`, `for_each` and `tags` stand at an include",
                );
            }
        }
    }
    let is_looped = place.names.roots.contains_key("each");
    let around = Around { when, for_each, tags };
    let steps = fragment(entry, own_id.as_deref(), around, place, cx, out);
    for_each::close(place);
    // Also where the fragment has mistakes: its id is known, and its steps are not.
    if let Some(id) = own_id {
        let steps = steps.unwrap_or(NameType::Open);
        let steps = if is_looped { names::repeated(steps) } else { steps };
        names::steps_of(&mut place.names).insert(id, steps);
    }
}

/// What stands at an include and is meant for every step of the fragment.
struct Around {
    when: Option<Expression>,
    for_each: Option<Arg>,
    tags: Vec<String>,
}

/// Reads the fragment and adds its steps; gives the names of their ids.
fn fragment(
    entry: &Entry,
    id: Option<&str>,
    around: Around,
    place: &mut StepScope,
    cx: &mut ParseContext<'_>,
    out: &mut Vec<Step>,
) -> Option<NameType> {
    let Include { file, with } = written(entry, cx)?;
    let (path, root) = load(&file, place, cx)?;
    let mut reader = MapReader::open_table(&root, &tables::FRAGMENT, &mut cx.errors)?;
    take_header(&mut reader);
    let declared = match reader.take("args") {
        Some(args) => declarations(&args.value, "argument", &mut cx.errors),
        None => Declarations::default(),
    };
    let args = arguments(with.as_ref(), entry, &path, &declared, place, cx);
    let secret_args: HashSet<String> =
        args.iter().filter(|(_, arg)| place.holds_secret(arg)).map(|(name, _)| name.clone()).collect();
    let late_args: HashSet<String> =
        args.iter().filter(|(_, arg)| place.late_name(arg).is_some()).map(|(name, _)| name.clone()).collect();
    let frame = FrameId(cx.frames.len());
    // Steps of an include without an id are named by nobody outside; the hyphen keeps it so.
    let own = id.map_or_else(|| format!("include-{}", frame.0), str::to_owned);
    let prefix = if place.prefix.is_empty() { own } else { format!("{}.{own}", place.prefix) };
    let Around { when, for_each, tags } = around;
    let tags = [place.tags.as_slice(), &tags].concat();
    cx.frames.push(Frame { parent: place.frame, args, when, for_each, prefix: prefix.clone() });
    let mut files = place.files.clone();
    files.push(path);
    let names = names::of_fragment(&declared);
    let mut inner = StepScope { names, frame: Some(frame), prefix, tags, secret_args, late_args, files };
    if let Some(steps) = reader.require("steps", "a fragment", &mut cx.errors) {
        out.extend(step::list(&steps.value, &mut inner, cx));
    }
    finish(reader, "a fragment", super::foreign_keys::FRAGMENT, &mut cx.errors);
    inner.names.roots.swap_remove("steps")
}

written! {
    /// A fragment's steps in the place of one. `include: FILE` is short for `include: { file: FILE }`. Beside it only `id`,
    /// `name`, `when`, `for_each` and `tags` may stand; `when` holds for every step of the fragment, and with `for_each` all
    /// of the steps run for one item before the next.
    pub struct Include at "include", called "an `include`, such as `{ file: steps/kubelet.yaml }`" {
        /// Relative to the file that includes, and below the runbook's directory.
        file: Node as (Type::Str.called("the path of a fragment")),
        /// Values for the fragment's `args`.
        with: Option<Node> as (Type::Any.mapped().called("a mapping from arguments to values")),
    }
}

/// The file's name and `with:`, from `include: FILE` or `include: { file: FILE, with: { … } }`.
fn written(entry: &Entry, cx: &mut ParseContext<'_>) -> Option<Include> {
    if entry.value.scalar().is_some() {
        return Some(Include { file: entry.value.clone(), with: None });
    }
    Include::from_entry(entry, &Include::ty(), &mut cx.errors)
}

/// The fragment's tree, read once for all its includes.
fn load(file: &Node, place: &StepScope, cx: &mut ParseContext<'_>) -> Option<(Utf8PathBuf, Rc<Node>)> {
    let text = file.text("the path of a fragment", &mut cx.errors)?;
    let (path, content) = match cx.reader.read(place.file(), text) {
        Ok(found) => found,
        Err(message) => {
            let error = cx.errors.error(
                INCLUDE,
                file.span,
                format!("cannot include `{}`: {message}", source::shorten(text)),
            );
            error.hint(format!("paths stand relative to `{}`", place.file()));
            return None;
        }
    };
    if place.files.contains(&path) {
        let chain: Vec<_> = place.files.iter().chain([&path]).map(|path| format!("`{path}`")).collect();
        cx.errors.error(INCLUDE, file.span, format!("the file includes itself: {}", chain.join(" → ")));
        return None;
    }
    if place.files.len() > DEEPEST {
        cx.errors.error(INCLUDE, file.span, format!("more than {DEEPEST} includes inside each other"));
        return None;
    }
    if !cx.fragments.contains_key(&path) {
        let id = cx.sources.add(&path, content);
        let root = source::parse(cx.sources, id, Limits::default(), &mut cx.errors);
        let root = root.filter(|root| header(root, "a fragment", "Steps", &mut cx.errors));
        cx.fragments.insert(path.clone(), root.map(Rc::new));
    }
    let root = cx.fragments[&path].clone()?;
    Some((path, root))
}

/// What the include gives, checked against what the fragment declares.
fn arguments(
    with: Option<&Node>,
    include: &Entry,
    path: &Utf8PathBuf,
    declared: &Declarations,
    place: &StepScope,
    cx: &mut ParseContext<'_>,
) -> IndexMap<String, Arg> {
    let mut args = IndexMap::new();
    let mut reader = with.and_then(|node| MapReader::open(node, "`with`", &mut cx.errors));
    for (name, spec) in &declared.specs {
        let written = reader.as_mut().and_then(|reader| reader.take(name));
        let Some(written) = written else {
            if spec.required {
                let message = format!("`{path}` needs the argument `{name}`");
                let error = cx.errors.error(MISSING_KEY, include.key.span, message);
                error.related(spec.span, "declared here").hint(format!("write `with: {{ {name}: … }}`"));
            }
            let value = spec.default.clone().unwrap_or(Value::Null);
            args.insert(name.clone(), Arg { kind: ArgKind::Const(value), ty: spec.ty.clone(), span: None });
            continue;
        };
        let Some(arg) = compile_arg(&written.value, &spec.ty, &place.names, &mut cx.errors) else { continue };
        if let ArgKind::Const(value) = &arg.kind
            && let Some(misfit) = misfit(spec, value)
        {
            let error =
                cx.errors.error(PARAM_VALUE, written.value.span, format!("the argument `{name}`: {misfit}"));
            error.related(spec.span, "declared here");
        }
        args.insert(name.clone(), arg);
    }
    if let Some(mut reader) = reader {
        for broken in &declared.broken {
            reader.take(broken);
        }
        reader.finish(&format!("the arguments of `{path}`"), &mut cx.errors);
    }
    args
}
