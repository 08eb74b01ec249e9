//! Declarations of parameters and of a fragment's arguments: type, default, bounds.

use indexmap::IndexMap;

use super::foreign_keys::Habit;
use super::tables::DECLARATION;
use super::{check_identifier, finish};
use crate::runbook::ParamSpec;
use crate::source::codes::BAD_PARAM;
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind, Span};
use crate::template::glob_matches;
use crate::template::{Arg, ArgKind, Names, compile_arg};
use crate::value::{Type, Value};

/// Declarations in written order.
#[derive(Default)]
pub(super) struct Declarations {
    pub(super) specs: IndexMap<String, ParamSpec>,
    /// Names whose declaration has a mistake.
    pub(super) broken: Vec<String>,
}

/// A type by its name, and what it is; `None` where the name alone does not say the whole type.
type NamedType = (&'static str, Option<fn() -> Type>, &'static str);

/// Every type of a declaration.
pub(in crate::runbook) const TYPES: [NamedType; 12] = [
    ("string", Some(|| Type::Str), "Text. `1.30` and `no` without quotes are text, too."),
    ("bool", Some(|| Type::Bool), "`true` or `false`, and no other spelling."),
    ("int", Some(|| Type::Int), "A whole number."),
    ("version", Some(|| Type::Version), "`1.31`, `1.31.4`, `v1.31.4-rc.1`; compared as versions."),
    ("duration", Some(|| Type::Duration), "`90s`, `10m`, `1h30m`."),
    ("size", Some(|| Type::Size), "`64KiB`, `2GiB`."),
    ("percent", Some(|| Type::Percent), "`25%`."),
    ("amount", Some(|| Type::Amount), "A count or a percentage: `2`, `25%`."),
    ("host", Some(|| Type::Host), "The name of a host of the inventory."),
    ("enum", None, "One of the words under `values`."),
    ("list", None, "A list; `-p` takes its items separated by commas."),
    ("map", Some(|| Type::Map(Box::new(Type::Any))), "A mapping; only a file can give one."),
];

/// "`string`, `bool`, …".
fn type_names() -> String {
    TYPES.map(|(name, ..)| format!("`{name}`")).join(", ")
}

const NO_HABITS: &[Habit] = &[];

/// Reads `params:` of a runbook or `args:` of a fragment.
pub(super) fn declarations(node: &Node, what: &str, errors: &mut Diagnostics) -> Declarations {
    let mut found = Declarations::default();
    let NodeKind::Map(entries) = &node.kind else {
        errors.wrong_type(node, &format!("a mapping from names of {what}s to their declarations"));
        return found;
    };
    for entry in entries {
        let name = entry.key.value.clone();
        check_identifier(&entry.key, &format!("a {what}"), errors);
        match declaration(entry, what, errors) {
            Some(spec) => drop(found.specs.insert(name, spec)),
            None => found.broken.push(name),
        }
    }
    found
}

fn declaration(entry: &Entry, what: &str, errors: &mut Diagnostics) -> Option<ParamSpec> {
    if !matches!(entry.value.kind, NodeKind::Map(_)) {
        let error = errors.wrong_type(&entry.value, &format!("the declaration of a {what}"));
        error.hint(format!(
            "write `{}: {{ type: string, default: … }}`; a value that never changes belongs to `vars:`",
            entry.key.value
        ));
        return None;
    }
    let mut reader = MapReader::open_table(&entry.value, &DECLARATION, errors)?;
    let ty = self::ty(&mut reader, what, errors);
    let required = reader.take("required").map(|entry| entry.value.boolean(errors));
    let written = |key: &'static str, reader: &mut MapReader<'_>, errors: &mut Diagnostics| {
        let entry = reader.take(key)?;
        Some((constant(&entry.value, ty.as_ref()?, errors), entry.value.span))
    };
    let default = written("default", &mut reader, errors);
    let min = written("min", &mut reader, errors);
    let max = written("max", &mut reader, errors);
    let example = written("example", &mut reader, errors);
    let matches = reader
        .take("matches")
        .map(|entry| (entry.value.text(&DECLARATION.expects("matches"), errors), entry.value.span));
    let description = reader.take("description").and_then(|entry| entry.value.text("a text", errors));
    finish(reader, "a declaration", NO_HABITS, errors);

    let written_well = [&default, &min, &max, &example].iter().all(|value| !matches!(value, Some((None, _))));
    let spans = [&default, &min, &max].map(|value| value.as_ref().map(|(_, span)| *span));
    let matches_span = matches.as_ref().map(|(_, span)| *span);
    let value = |written: Option<(Option<Value>, Span)>| written.and_then(|(value, _)| value);
    let spec = ParamSpec {
        ty: ty?,
        required: required.flatten().unwrap_or(false),
        default: value(default),
        min: value(min),
        max: value(max),
        matches: matches.and_then(|(text, _)| text).map(str::to_owned),
        description: description.unwrap_or_default().to_owned(),
        example: value(example),
        span: entry.key.span,
    };
    (check(&spec, spans, matches_span, errors) && written_well).then_some(spec)
}

/// `type:` with `values:` and `items:`.
fn ty(reader: &mut MapReader<'_>, what: &str, errors: &mut Diagnostics) -> Option<Type> {
    let entry = reader.take("type");
    let values = reader.take("values");
    let items = reader.take("items");
    let Some(entry) = entry else {
        let error = errors.error(BAD_PARAM, reader.span(), format!("a {what} needs a `type`"));
        error.hint(format!("one of {}", type_names()));
        return None;
    };
    let word = entry.value.text(&format!("one of {}", type_names()), errors)?;
    if let Some(values) = values.filter(|_| word != "enum") {
        errors.error(BAD_PARAM, values.key.span, "`values` belongs to `type: enum`");
    }
    if let Some(items) = items.filter(|_| word != "list") {
        errors.error(BAD_PARAM, items.key.span, "`items` belongs to `type: list`");
    }
    match word {
        "enum" => {
            if let Some(values) = values {
                return words(&values.value, errors).map(Type::Enum);
            }
            let error = errors.error(BAD_PARAM, entry.value.span, "an enum needs its `values`");
            error.hint("write `{ type: enum, values: [a, b] }`");
            None
        }
        "list" => {
            let item =
                items.map(|items| (items.value.text("the type of the items", errors), items.value.span));
            let ty = match item {
                None => Type::Str,
                Some((text, span)) => named(text?, span, errors)?,
            };
            Some(Type::List(Box::new(ty)))
        }
        _ => named(word, entry.value.span, errors),
    }
}

fn words(node: &Node, errors: &mut Diagnostics) -> Option<Vec<String>> {
    let items = node.items("a list of words", errors)?;
    let words: Vec<String> =
        items.iter().filter_map(|item| item.text("a word", errors)).map(str::to_owned).collect();
    if words.is_empty() {
        errors.error(BAD_PARAM, node.span, "an enum needs at least one value");
        return None;
    }
    Some(words)
}

fn named(word: &str, span: Span, errors: &mut Diagnostics) -> Option<Type> {
    let known = TYPES.iter().find(|(name, ..)| *name == word);
    Some(match known.and_then(|(_, ty, _)| *ty) {
        Some(ty) => ty(),
        None => {
            let error =
                errors.error(BAD_PARAM, span, format!("unknown type `{}`", crate::source::shorten(word)));
            let near = match word {
                "str" | "text" => Some("string"),
                "boolean" => Some("bool"),
                "integer" | "number" => Some("int"),
                "dict" | "object" => Some("map"),
                "choice" => Some("enum"),
                "array" => Some("list"),
                _ => crate::source::nearest(word, TYPES.map(|(name, ..)| name)),
            };
            match near {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("one of {}", type_names())),
            };
            return None;
        }
    })
}

/// Whether the parts of a declaration agree with each other.
fn check(
    spec: &ParamSpec,
    spans: [Option<Span>; 3],
    matches: Option<Span>,
    errors: &mut Diagnostics,
) -> bool {
    let before = errors.items().len();
    let [default, min, max] = spans;
    let ordered = matches!(spec.ty, Type::Int | Type::Version | Type::Duration | Type::Size | Type::Percent);
    for span in [min, max].into_iter().flatten().filter(|_| !ordered) {
        let error = errors.error(BAD_PARAM, span, "`min` and `max` need a type with an order");
        error.hint("they fit `int`, `version`, `duration`, `size` and `percent`");
    }
    if let (Some(low), Some(high), Some(span)) = (&spec.min, &spec.max, max)
        && order(low, high).is_some_and(std::cmp::Ordering::is_gt)
    {
        errors.error(BAD_PARAM, span, format!("`max` {high} is below `min` {low}"));
    }
    if let Some(span) = matches.filter(|_| spec.ty != Type::Str && spec.ty != Type::Host) {
        errors.error(BAD_PARAM, span, "`matches` fits `string` and `host` only");
    }
    if let (Some(value), Some(span)) = (&spec.default, default) {
        if spec.required {
            let error = errors.error(BAD_PARAM, span, "a required value has no default");
            error.hint("remove `required: true`, or the default");
        } else if let Some(misfit) = misfit(spec, value).filter(|_| errors.items().len() == before) {
            errors.error(BAD_PARAM, span, format!("the default {misfit}"));
        }
    }
    errors.items().len() == before
}

/// What is wrong with a value of the right type: "is below the smallest, 1m".
pub(in crate::runbook) fn misfit(spec: &ParamSpec, value: &Value) -> Option<String> {
    if let Some(min) =
        spec.min.as_ref().filter(|min| order(value, min).is_some_and(std::cmp::Ordering::is_lt))
    {
        return Some(format!("`{value}` is below the smallest allowed, {min}"));
    }
    if let Some(max) =
        spec.max.as_ref().filter(|max| order(value, max).is_some_and(std::cmp::Ordering::is_gt))
    {
        return Some(format!("`{value}` is above the largest allowed, {max}"));
    }
    let pattern = spec.matches.as_ref()?;
    let fits = value.as_str().is_none_or(|text| glob_matches(pattern, text));
    (!fits).then(|| format!("`{}` does not match `{pattern}`", crate::source::shorten(&value.to_string())))
}

fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Version(a), Value::Version(b)) => Some(a.cmp_precedence(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Size(a), Value::Size(b)) => Some(a.cmp(b)),
        (Value::Percent(a), Value::Percent(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A value without templates, of a type.
pub(in crate::runbook) fn constant(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Value> {
    let arg = compile_arg(node, ty, &Names::default(), errors)?;
    let value = fold(&arg);
    if value.is_none() {
        errors
            .wrong_type(node, "a constant")
            .hint("this is read before any value is known, so it cannot hold a template");
    }
    value
}

fn fold(arg: &Arg) -> Option<Value> {
    match &arg.kind {
        ArgKind::Const(value) => Some(value.clone()),
        ArgKind::List(items) => items.iter().map(fold).collect::<Option<_>>().map(Value::List),
        ArgKind::Map(members) => {
            let members = members.iter().map(|(key, arg)| Some((key.clone(), fold(arg)?)));
            members.collect::<Option<_>>().map(Value::Map)
        }
        ArgKind::Text(_) | ArgKind::Expr(_) | ArgKind::Condition(_) => None,
    }
}
