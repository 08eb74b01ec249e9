//! What a value must be, as JSON Schema: one shape for each type. A template is accepted wherever a file may hold one.
//!
//! An editor proposes by `type`, `enum` and `properties` and complains by the deepest schema that does not fit. So
//! alternatives are told by `type` with a `pattern` for the texts among them, not by `anyOf`, wherever that is possible.

use serde_json::{Map, Value as Json, json};

use crate::lint::RULES;
use crate::value::{Field, Table, Type, Value};

/// Whether a value may hold templates, or is read before any value is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Templates {
    Yes,
    No,
}

/// A text that holds a template.
const TEMPLATE: &str = r"\{[{%]";
/// `90s`, `1h30m`.
const DURATION: &str = r"(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?";
const PERCENT: &str = r"0*(100|[0-9]{1,2})%";
const VERSION: &str = r"v?[0-9]+\.[0-9]+(\.[0-9]+(-[0-9A-Za-z.-]+)?)?(\+.*)?";
const SIZE: &str = r"[0-9]+\s*(GiB|MiB|KiB|GB|MB|kB|B)?";

/// The schema of a type.
pub(super) fn of(ty: &Type, templates: Templates) -> Json {
    let words = |types: &[&str], pattern: &str| scalar(ty, types, pattern, templates);
    match ty {
        Type::Any => json!({}),
        // Plain scalars are texts where a text is wanted, whatever YAML makes of them.
        Type::Str | Type::Host => json!({ "type": ["string", "number", "boolean"] }),
        Type::Bool => words(&["boolean"], ""),
        Type::Int => words(&["integer"], ""),
        Type::Version => words(&["string", "number"], VERSION),
        Type::Duration => {
            let mut shape = words(&["string", "integer"], DURATION);
            // `0` alone needs no unit.
            shape["if"] = json!({ "type": "integer" });
            shape["then"] = json!({ "enum": [0], "errorMessage": expected(ty, templates) });
            shape
        }
        Type::Size => words(&["string", "integer"], SIZE),
        Type::Percent => words(&["string"], PERCENT),
        Type::Amount => {
            let mut shape = words(&["string", "integer"], &format!("{PERCENT}|[0-9]+"));
            shape["minimum"] = json!(0);
            shape
        }
        // `{{` is a template, and an expression stands without.
        Type::Expr => json!({
            "type": ["string", "boolean"],
            "pattern": r"^(?!\s*\{\{)",
            "patternErrorMessage": "this is an expression already: write it without braces",
        }),
        Type::Enum(words) => one_of(words, templates),
        Type::List(inner) => collection(ty, "array", "items", of(inner, templates), templates),
        Type::OneOrMany(inner) => one_or_many(&of(inner, templates)),
        Type::Map(inner) => collection(ty, "object", "additionalProperties", of(inner, templates), templates),
        Type::Record(fields) => {
            let mut shape = record(fields, templates);
            if templates == Templates::Yes {
                shape["type"] = json!(["object", "string"]);
                shape["pattern"] = json!(TEMPLATE);
                shape["patternErrorMessage"] = json!(expected(ty, templates));
            }
            shape
        }
        Type::OneOf(types) => {
            let shapes: Vec<Json> = types.iter().map(|ty| of(ty, templates)).collect();
            json!({ "anyOf": shapes })
        }
        Type::Whole { least, most } => bounded("integer", *least, *most),
        Type::Decimal { least, most } => bounded("number", *least, Some(*most)),
        Type::NotEmpty => json!({ "type": "string", "minLength": 1 }),
        Type::Word => json!({ "type": ["string", "number", "boolean"], "pattern": r"^\S+$" }),
        Type::NoFlag => json!({ "type": ["string", "number", "boolean"], "pattern": "^[^-]" }),
        Type::Identifier => json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }),
        Type::Explained(words) => {
            let (words, docs): (Vec<_>, Vec<_>) = words.iter().copied().unzip();
            json!({ "type": "string", "enum": words, "enumDescriptions": docs, "markdownEnumDescriptions": docs })
        }
        Type::LintRules => rules(),
        Type::OneOrMore(inner) => json!({ "type": "array", "minItems": 1, "items": of(inner, templates) }),
        Type::Table(table) => record(&table.fields, templates),
        Type::Step => json!({ "$ref": "#/definitions/step" }),
        Type::Rendered(inner) => of(inner, Templates::Yes),
        Type::Called(inner, _) => of(inner, templates),
    }
}

fn bounded(ty: &str, least: i64, most: Option<i64>) -> Json {
    let mut shape = json!({ "type": ty, "minimum": least });
    if let Some(most) = most {
        shape["maximum"] = json!(most);
    }
    shape
}

/// Opt-outs of the linter, by the names of its rules.
fn rules() -> Json {
    let reason = |rule: &crate::lint::Rule| {
        let shape = of(&Type::NotEmpty, Templates::No);
        (rule.name().to_owned(), documented(shape, &format!("{}. {}", rule.title(), rule.text())))
    };
    mapping(RULES.iter().map(reason).collect(), &[])
}

/// Words of which one is written.
fn one_of(words: &[impl AsRef<str>], templates: Templates) -> Json {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match templates {
        Templates::No => json!({ "type": "string", "enum": words }),
        // The words stand first: what is proposed, and what is said where neither fits, comes from them.
        Templates::Yes => json!({
            "type": "string",
            "anyOf": [{ "enum": words }, { "pattern": TEMPLATE }],
        }),
    }
}

/// One of these or a list of them.
fn one_or_many(inner: &Json) -> Json {
    let mut shape = json!({ "type": with_type(inner.get("type"), "array") });
    // What says something of lists only, or of scalars only, can stand side by side.
    let flat = ["if", "anyOf", "items"].iter().all(|key| inner.get(key).is_none());
    if flat {
        for (key, value) in inner.as_object().into_iter().flatten().filter(|(key, _)| *key != "type") {
            shape[key] = value.clone();
        }
        shape["items"] = inner.clone();
    } else {
        shape["if"] = json!({ "type": "array" });
        shape["then"] = json!({ "items": inner });
        shape["else"] = inner.clone();
    }
    shape
}

/// A mapping with these fields and no others.
pub(super) fn record(fields: &[Field], templates: Templates) -> Json {
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    mapping(properties(fields, templates), &required)
}

/// A table whose values are read before there is a host, as a part of a whole file.
pub(super) fn table(table: &Table) -> Json {
    record(&table.fields, Templates::No)
}

/// Fields by their names.
pub(super) fn properties(fields: &[Field], templates: Templates) -> Map<String, Json> {
    fields.iter().map(|field| (field.name.to_owned(), self::field(field, templates))).collect()
}

/// A mapping with these members and no others.
pub(super) fn mapping(properties: Map<String, Json>, required: &[&str]) -> Json {
    let mut shape = json!({ "type": "object", "properties": Json::from(properties) });
    if !required.is_empty() {
        shape["required"] = json!(required);
    }
    shape["additionalProperties"] = json!(false);
    shape
}

fn field(field: &Field, templates: Templates) -> Json {
    let mut shape = of(&field.ty, templates);
    if let Some(default) = &field.default {
        shape["default"] = constant(default);
    }
    let need = if field.required { " Required." } else { "" };
    documented(shape, &format!("{}{need}", field.doc))
}

/// With more said; what is said again is overruled.
pub(super) fn extend(schema: &mut Json, more: Json) {
    if let Json::Object(members) = more {
        for (key, value) in members {
            schema[key] = value;
        }
    }
}

/// With a text for whoever hovers over it.
pub(super) fn documented(shape: Json, doc: &str) -> Json {
    let mut with = json!({ "description": doc, "markdownDescription": doc });
    extend(&mut with, shape);
    with
}

fn constant(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(yes) => json!(yes),
        Value::Int(number) => json!(number),
        Value::List(items) => items.iter().map(constant).collect(),
        Value::Map(members) => {
            members.iter().map(|(key, value)| (key.clone(), constant(value))).collect::<Map<_, _>>().into()
        }
        other => json!(other.to_string()),
    }
}

/// A scalar of these JSON types; `pattern` is for the texts among them.
fn scalar(ty: &Type, types: &[&str], pattern: &str, templates: Templates) -> Json {
    let mut types = json!(types);
    let pattern = match (pattern.is_empty(), templates) {
        (false, Templates::No) => format!("^({pattern})$"),
        (false, Templates::Yes) => format!("^({pattern})$|{TEMPLATE}"),
        (true, Templates::Yes) => {
            types = with_type(Some(&types), "string");
            TEMPLATE.to_owned()
        }
        (true, Templates::No) => return json!({ "type": single(types) }),
    };
    json!({ "type": single(types), "pattern": pattern, "patternErrorMessage": expected(ty, templates) })
}

/// A list or a mapping, or one template that gives it.
fn collection(ty: &Type, own: &str, key: &str, inner: Json, templates: Templates) -> Json {
    let mut shape = json!({ "type": own });
    if templates == Templates::Yes {
        shape["type"] = json!([own, "string"]);
        shape["pattern"] = json!(TEMPLATE);
        shape["patternErrorMessage"] = json!(expected(ty, templates));
    }
    shape[key] = inner;
    shape
}

fn expected(ty: &Type, templates: Templates) -> String {
    let or = if templates == Templates::Yes { ", or a template" } else { "" };
    format!("expected {}{or}", ty.expected())
}

/// `types` with one more; what stands first is what an editor begins to write.
pub(super) fn with_type(types: Option<&Json>, more: &str) -> Json {
    let mut all: Vec<Json> = match types {
        Some(Json::Array(types)) => types.clone(),
        Some(only) => vec![only.clone()],
        None => Vec::new(),
    };
    if !all.iter().any(|ty| ty == more) {
        all.push(json!(more));
    }
    single(Json::Array(all))
}

fn single(types: Json) -> Json {
    match types {
        Json::Array(mut types) if types.len() == 1 => types.remove(0),
        types => types,
    }
}
