//! The tables by which runbooks and inventories are read, as JSON Schema. What the value of a key must be is told by the
//! words that complete "expected …" in messages; here stands what each of them means. A test finds words that are new.

use serde_json::{Map, Value as Json, json};

use super::shapes::{self, Templates, documented, mapping, one_of, one_or_many, record};
use crate::lint::RULES;
use crate::runbook::param_types;
use crate::source::{KeyInfo, Need, Table};
use crate::value::Type;

/// The mappings of a file.
pub(super) struct Tables<'t> {
    pub(super) all: &'t [&'t Table],
    /// Keys of `connection`, which has no table of its own.
    pub(super) connection: Vec<KeyInfo>,
}

impl Tables<'_> {
    /// The mapping at this path.
    ///
    /// # Panics
    /// Where the file has none: a table has gone, and who uses it has not.
    pub(super) fn at(&self, what: &str) -> &Table {
        let found = self.all.iter().find(|table| table.what == what);
        found.unwrap_or_else(|| panic!("invariant: there is a table of {what}"))
    }

    /// A mapping with the keys of a table.
    pub(super) fn mapping(&self, table: &Table) -> Json {
        self.of_keys(table.path, table.keys)
    }

    /// The keys of a table by their names.
    pub(super) fn properties(&self, path: &str, keys: &[KeyInfo]) -> Map<String, Json> {
        let property = |key: &KeyInfo| (key.name.to_owned(), self.property(path, key));
        keys.iter().map(property).collect()
    }

    fn of_keys(&self, path: &str, keys: &[KeyInfo]) -> Json {
        let required: Vec<&str> =
            keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
        mapping(self.properties(path, keys), &required)
    }

    fn property(&self, path: &str, key: &KeyInfo) -> Json {
        let mut shape = self.shape(path, key).unwrap_or_else(|| json!({}));
        let need = match key.need {
            Need::Required => " Required.",
            Need::Optional => "",
            Need::Default(value) => {
                shape["default"] = plain(value);
                ""
            }
        };
        documented(shape, &format!("{}{need}", key.doc))
    }

    /// What a key's words mean; `None` where nobody has said so yet.
    pub(super) fn shape(&self, path: &str, key: &KeyInfo) -> Option<Json> {
        if let Some(words) = words(key.expects) {
            return Some(one_of(&words, Templates::No));
        }
        let ty = |ty: &Type| Some(shapes::of(ty, Templates::No));
        let within = |path: &str, what: &str| {
            let members = self.nested(path)?;
            Some(documented(members, what))
        };
        let of_name = |path: &str| {
            self.nested(path).map(|inner| json!({ "type": "object", "additionalProperties": inner }))
        };
        match key.expects {
            words if words == "a mapping" || words.starts_with("a mapping such as") => {
                let inner =
                    if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
                within(&inner, key.doc).or_else(|| within(key.name, key.doc))
            }
            "`true` or `false`" => ty(&Type::Bool),
            "a mapping from names to declarations" => of_name("params.NAME"),
            "a mapping from names to where they are read" => of_name("secrets.NAME"),
            "a mapping from host names to what is known of each" => of_name("hosts.NAME"),
            "a mapping from group names to groups" => of_name("groups.NAME"),
            "a mapping from names to values"
            | "a mapping from arguments to values"
            | "a mapping from variables to values"
            | "a mapping from parameters to values" => ty(&Type::Map(Box::new(Type::Any))),
            "a mapping from environment variables to texts" | "a mapping from labels to values" => {
                ty(&Type::Map(Box::new(Type::Str)))
            }
            "a mapping from rules to reasons" => Some(rules()),
            "a mapping with `allow`, such as `{ allow: { RULE: reason } }`" => {
                let allow = documented(rules(), "Rules by their names, each with the reason.");
                Some(mapping([("allow".to_owned(), allow)].into_iter().collect(), &["allow"]))
            }
            "a list of phases" => {
                self.nested("phases[]").map(|phase| json!({ "type": "array", "minItems": 1, "items": phase }))
            }
            "a list of steps" => {
                Some(json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/definitions/step" } }))
            }
            "a list, a mapping, or one `{{ … }}` that gives one" => {
                let shapes = [Type::List(Box::new(Type::Any)), Type::Map(Box::new(Type::Any))];
                ty(&Type::OneOf(shapes.to_vec()))
            }
            words if words.starts_with("a step that only looks") => {
                Some(json!({ "$ref": "#/definitions/step" }))
            }
            "a list of words" | "a list of hosts" => ty(&Type::List(Box::new(Type::Str))),
            "a word, or a list of them" => ty(&Type::OneOrMany(Box::new(Type::Str))),
            "the name of a type" => Some(type_names()),
            "a constant of the type" => Some(json!({})),
            "a count such as 2, or a percentage such as 25%, or a list of them" => {
                Some(one_or_many(&shapes::of(&Type::Amount, Templates::No)))
            }
            "a count such as 2, or a percentage such as 25%" => ty(&Type::Amount),
            "a count of hosts such as 0" => Some(json!({ "type": "integer", "minimum": 0 })),
            "a count of at least 1" => Some(json!({ "type": "integer", "minimum": 1 })),
            "a count of tries from 2 to 100" => {
                Some(json!({ "type": "integer", "minimum": 2, "maximum": 100 }))
            }
            "a whole number from 1 to 1000" => {
                Some(json!({ "type": "integer", "minimum": 1, "maximum": 1000 }))
            }
            "a factor from 1 to 10, such as 2 or 1.5" => {
                Some(json!({ "type": "number", "minimum": 1, "maximum": 10 }))
            }
            "a port from 1 to 65535" => Some(json!({ "type": "integer", "minimum": 1, "maximum": 65535 })),
            "an expression without braces" => ty(&Type::Expr),
            "the name of an environment variable" => {
                Some(json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))
            }
            "the reason, as a text" => Some(json!({ "type": "string", "minLength": 1 })),
            // A step's values are rendered for each host, the rest is read before there is one.
            words if words.starts_with("a duration") => {
                let templates = if path == "steps[]" { Templates::Yes } else { Templates::No };
                Some(shapes::of(&Type::Duration, templates))
            }
            words if TEXTS.iter().any(|text| words.starts_with(text)) => ty(&Type::Str),
            _ => None,
        }
    }

    fn nested(&self, path: &str) -> Option<Json> {
        if path == "connection" {
            return Some(self.of_keys(path, &self.connection));
        }
        self.all.iter().find(|table| table.path == path && !path.is_empty()).map(|table| self.mapping(table))
    }
}

/// How words begin that mean a text of some kind.
const TEXTS: [&str; 12] = [
    "a text",
    "a name",
    "a path",
    "a glob",
    "a selector",
    "a user name",
    "an absolute path",
    "jump hosts",
    "the path of a fragment",
    "an address",
    "the name of a label",
    "a time",
];

/// The words of "`a` or `b`", where that is all there is.
fn words(expects: &str) -> Option<Vec<String>> {
    if expects == "`true` or `false`" {
        return None;
    }
    let word = |part: &str| {
        let inner = part.strip_prefix('`')?.strip_suffix('`')?;
        (!inner.is_empty() && !inner.contains([' ', '`', '{'])).then(|| inner.to_owned())
    };
    expects.split(" or ").flat_map(|words| words.split(", ")).map(word).collect()
}

/// A default as it stands in a table.
fn plain(text: &str) -> Json {
    match (text, text.parse::<i64>()) {
        ("true", _) => json!(true),
        ("false", _) => json!(false),
        (_, Ok(number)) => json!(number),
        _ => json!(text),
    }
}

/// Opt-outs of the linter, by the names of its rules.
fn rules() -> Json {
    let reason = |rule: &crate::lint::Rule| {
        let shape = json!({ "type": "string", "minLength": 1 });
        (rule.name().to_owned(), documented(shape, &format!("{}. {}", rule.title(), rule.text())))
    };
    mapping(RULES.iter().map(reason).collect(), &[])
}

fn type_names() -> Json {
    let (names, docs): (Vec<_>, Vec<_>) = param_types().unzip();
    json!({ "type": "string", "enum": names, "enumDescriptions": docs, "markdownEnumDescriptions": docs })
}

/// A mapping with these fields, none of which is a template.
pub(super) fn constants(fields: &[crate::value::Field]) -> Json {
    record(fields, Templates::No)
}
