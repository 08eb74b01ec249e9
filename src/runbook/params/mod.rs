//! Parameter values: default, then the inventory's, then `--params-file`, then `-p`. Pure: the caller reads files and
//! arguments.

use indexmap::IndexMap;

use super::parse::{constant, misfit};
use super::{ParamSpec, Runbook};
use crate::inventory::Inventory;
use crate::source::codes::{PARAM_MISSING, PARAM_UNKNOWN, PARAM_VALUE};
use crate::source::{Diagnostic, Diagnostics, Node, NodeKind, Severity, Span, Spanned, nearest, shorten};
use crate::template::convert;
use crate::value::{Type, Value, Version};

/// Where values come from besides defaults, weakest first.
#[derive(Debug, Default)]
pub struct ParamSources<'a> {
    /// The inventory's `params:`.
    pub inventory: Option<&'a Inventory>,
    /// Trees of `--params-file`, in the order given.
    pub files: Vec<&'a Node>,
    /// `-p key=value`, in the order given.
    pub flags: Vec<(String, String)>,
    /// Whether some source could not be read, so that a value that is missing may stand there.
    pub incomplete: bool,
}

/// Every parameter's value, typed and checked. Missing and ill-typed ones are reported together. A parameter without a
/// value that needs none is [`Value::Null`].
pub fn resolve_params(
    runbook: &Runbook,
    sources: &ParamSources<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<IndexMap<String, Value>> {
    let mut errors = Diagnostics::default();
    let mut values: IndexMap<String, Option<Value>> = IndexMap::new();
    if let Some(inventory) = sources.inventory {
        for (name, node) in &inventory.params {
            // An inventory serves several runbooks, and not each of them has every parameter of the fleet.
            if let Some(spec) = runbook.params.get(&name.value) {
                values.insert(name.value.clone(), from_file(spec, name, node, sources, &mut errors));
            }
        }
    }
    for file in &sources.files {
        let NodeKind::Map(entries) = &file.kind else {
            errors.wrong_type(file, "a mapping from parameters to values");
            continue;
        };
        for entry in entries {
            match runbook.params.get(&entry.key.value) {
                Some(spec) => {
                    let value = from_file(spec, &entry.key, &entry.value, sources, &mut errors);
                    values.insert(entry.key.value.clone(), value);
                }
                None => unknown(runbook, &entry.key.value, Some(entry.key.span), &mut errors),
            }
        }
    }
    for (name, text) in &sources.flags {
        match runbook.params.get(name) {
            Some(spec) => {
                drop(values.insert(name.clone(), from_flag(spec, name, text, sources, &mut errors)));
            }
            None => unknown(runbook, name, None, &mut errors),
        }
    }
    let mut resolved = IndexMap::new();
    for (name, spec) in &runbook.params {
        match values.swap_remove(name) {
            Some(Some(value)) => drop(resolved.insert(name.clone(), value)),
            // Reported above.
            Some(None) => {}
            None if spec.required && sources.incomplete => {}
            None if spec.required => missing(name, spec, &mut errors),
            None => drop(resolved.insert(name.clone(), spec.default.clone().unwrap_or(Value::Null))),
        }
    }
    let failed = errors.has_errors();
    diagnostics.append(errors);
    (!failed).then_some(resolved)
}

fn from_file(
    spec: &ParamSpec,
    name: &Spanned<String>,
    node: &Node,
    sources: &ParamSources<'_>,
    errors: &mut Diagnostics,
) -> Option<Value> {
    let value = constant(node, &spec.ty, errors)?;
    let Some(misfit) = misfit(spec, &value).or_else(|| stranger(spec, &value, sources)) else {
        return Some(value);
    };
    let message = format!("the parameter `{}`: {misfit}", name.value);
    errors.error(PARAM_VALUE, node.span, message).related(spec.span, "declared here");
    None
}

fn from_flag(
    spec: &ParamSpec,
    name: &str,
    text: &str,
    sources: &ParamSources<'_>,
    errors: &mut Diagnostics,
) -> Option<Value> {
    let problem = match read_flag(&spec.ty, text) {
        Ok(value) => match misfit(spec, &value).or_else(|| stranger(spec, &value, sources)) {
            None => return Some(value),
            Some(misfit) => misfit,
        },
        Err(expected) => format!("expected {expected}, found `{}`", shorten(text)),
    };
    let mut error =
        Diagnostic::new(PARAM_VALUE, Severity::Error, format!("the parameter `{name}`: {problem}"));
    error.related(spec.span, "declared here");
    if spec.ty == Type::Version
        && Version::package_revision(text).is_some()
        && let Some((bare, _)) = text.split_once('-')
    {
        error.hint(format!(
            "`{text}` is the version of a package, with its revision: write `-p {name}={bare}`"
        ));
    }
    if let Some(example) = &spec.example {
        error.hint(format!("for example `-p {name}={example}`"));
    }
    errors.push(error);
    None
}

/// Text of a command line to a value: a list is separated by commas, and a boolean is `true` or `false` as in a file.
fn read_flag(ty: &Type, text: &str) -> Result<Value, String> {
    let value = match ty {
        Type::List(item_type) if !text.is_empty() => {
            let items = text.split(',').map(|item| read_flag(item_type, item.trim()));
            return items.collect::<Result<_, _>>().map(Value::List);
        }
        Type::List(_) => Value::List(Vec::new()),
        Type::Map(_) => return Err("a mapping, which only a `--params-file` can give".to_owned()),
        Type::Bool => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err("`true` or `false`".to_owned()),
        },
        Type::Int => match text.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => return Err(ty.expected()),
        },
        _ => Value::Str(text.to_owned()),
    };
    convert(value, ty).map_err(|_| ty.expected())
}

/// A host that the inventory does not have.
fn stranger(spec: &ParamSpec, value: &Value, sources: &ParamSources<'_>) -> Option<String> {
    // Hosts may be missing only because they could not be read.
    let inventory = sources.inventory.filter(|_| spec.ty == Type::Host && !sources.incomplete)?;
    let name = value.as_str().filter(|name| !inventory.hosts.contains_key(*name))?;
    let near = nearest(name, inventory.hosts.keys().map(crate::inventory::HostName::as_str));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(format!("no host is named `{}`{hint}", shorten(name)))
}

fn unknown(runbook: &Runbook, name: &str, span: Option<Span>, errors: &mut Diagnostics) {
    // Its declaration is reported already.
    if runbook.broken_params.iter().any(|broken| broken == name) {
        return;
    }
    let message = format!("the runbook has no parameter `{}`", shorten(name));
    let mut error = Diagnostic::new(PARAM_UNKNOWN, Severity::Error, message);
    error.span = span;
    let known = || runbook.params.keys().map(String::as_str);
    if let Some(near) = nearest(name, known()) {
        error.hint(format!("did you mean `{near}`?"));
    } else if !runbook.params.is_empty() {
        let known: Vec<_> = known().take(12).map(|name| format!("`{name}`")).collect();
        error.hint(format!("its parameters: {}", known.join(", ")));
    }
    errors.push(error);
}

fn missing(name: &str, spec: &ParamSpec, errors: &mut Diagnostics) {
    let mut message = format!("the parameter `{name}` has no value");
    if !spec.description.is_empty() {
        message = format!("{message}: {}", spec.description);
    }
    let error = errors.error(PARAM_MISSING, spec.span, message);
    let example = spec.example.as_ref().map_or_else(|| "VALUE".to_owned(), Value::to_string);
    error.hint(format!("give it with `-p {name}={example}`, where {} is expected", spec.ty.expected()));
}

#[cfg(test)]
mod tests;
