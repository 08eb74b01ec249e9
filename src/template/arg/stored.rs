//! Arguments in a plan: what is deferred is kept as it was written and compiled again when it is read back.

use serde::Deserialize as _;
use serde_json::{Value as Json, json};

use super::{Arg, ArgKind};
use crate::template::{Expression, RenderError, Template};
use crate::value::{Type, Value};

impl Arg {
    /// The argument as it was written, for a plan. Loses nothing but the place in the file.
    pub fn to_source(&self) -> Json {
        match &self.kind {
            ArgKind::Const(value) => json!({ "const": value }),
            ArgKind::Text(Template { source, file: None, .. }) => json!({ "text": source }),
            ArgKind::Text(Template { source, file: Some(file), .. }) => {
                json!({ "file": [file.as_ref(), source] })
            }
            ArgKind::Expr(expression) => json!({ "expr": expression.source }),
            ArgKind::Condition(expression) => json!({ "when": expression.source }),
            ArgKind::List(items) => json!({ "list": items.iter().map(Self::to_source).collect::<Vec<_>>() }),
            ArgKind::Map(entries) => {
                // Pairs, so that order survives every reader of JSON.
                let entries: Vec<_> =
                    entries.iter().map(|(key, arg)| json!([key, arg.to_source()])).collect();
                json!({ "map": entries })
            }
        }
    }

    /// Reads back what [`Self::to_source`] gave, for an argument of this type.
    pub fn from_source(source: &Json, ty: &Type) -> Result<Self, RenderError> {
        let damaged = || RenderError {
            span: None,
            message: "the plan holds an argument that cannot be read".to_owned(),
        };
        let (form, content) = source
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.iter().next())
            .ok_or_else(damaged)?;
        let text = || content.as_str().ok_or_else(damaged);
        let mut ty = ty.clone();
        let kind = match form.as_str() {
            "const" => ArgKind::Const(Value::deserialize(content).map_err(|_| damaged())?),
            "text" => ArgKind::Text(Template::compile(text()?)?),
            "file" => {
                let (name, text) = pair(content).ok_or_else(damaged)?;
                let text = text.as_str().ok_or_else(damaged)?;
                ArgKind::Text(Template::compile(text)?.of_file(name))
            }
            "expr" => ArgKind::Expr(Expression::compile(text()?)?),
            "when" => ArgKind::Condition(Expression::compile(text()?)?),
            "list" => {
                ty = chosen(&ty, |ty| matches!(ty, Type::List(_) | Type::OneOrMany(_)));
                let inner = item_type(&ty);
                let items = content.as_array().ok_or_else(damaged)?;
                ArgKind::List(
                    items.iter().map(|item| Self::from_source(item, inner)).collect::<Result<_, _>>()?,
                )
            }
            "map" => {
                let pairs = content.as_array().ok_or_else(damaged)?;
                let pairs: Option<Vec<_>> = pairs.iter().map(pair).collect();
                let pairs = pairs.ok_or_else(damaged)?;
                ty = chosen(&ty, |ty| pairs.iter().all(|(key, _)| member_type(ty, key).is_some()));
                let read = |(key, source): &(&str, &Json)| {
                    let member = member_type(&ty, key).ok_or_else(damaged)?;
                    Ok(((*key).to_owned(), Self::from_source(source, &member)?))
                };
                ArgKind::Map(pairs.iter().map(read).collect::<Result<_, RenderError>>()?)
            }
            _ => return Err(damaged()),
        };
        Ok(Self { kind, ty, span: None })
    }
}

/// What [`Arg::to_source`] gave as people write it: texts and values plainly, expressions between braces.
pub fn as_written(source: &Json) -> String {
    let Some((form, content)) = source.as_object().and_then(|map| map.iter().next()) else {
        return source.to_string();
    };
    let text = || content.as_str().unwrap_or_default();
    let all = |each: fn(&Json) -> String| {
        content.as_array().into_iter().flatten().map(each).collect::<Vec<_>>().join(", ")
    };
    match form.as_str() {
        "const" => {
            Value::deserialize(content).map_or_else(|_| content.to_string(), |value| value.to_string())
        }
        "text" | "when" => text().to_owned(),
        "file" => pair(content).and_then(|(_, text)| text.as_str()).unwrap_or_default().to_owned(),
        "expr" => format!("{{{{ {} }}}}", text().trim()),
        "list" => format!("[{}]", all(as_written)),
        "map" => {
            let entry = |entry: &Json| {
                pair(entry).map(|(key, value)| format!("{key}: {}", as_written(value))).unwrap_or_default()
            };
            format!("{{{}}}", all(entry))
        }
        _ => source.to_string(),
    }
}

fn pair(pair: &Json) -> Option<(&str, &Json)> {
    match pair.as_array()?.as_slice() {
        [key, value] => Some((key.as_str()?, value)),
        _ => None,
    }
}

/// The alternative of a `OneOf` that has the shape of what was written; any other type is itself.
fn chosen(ty: &Type, fits: impl Fn(&Type) -> bool) -> Type {
    match ty {
        Type::OneOf(types) => types.iter().find(|ty| fits(ty)).unwrap_or(ty).clone(),
        _ => ty.clone(),
    }
}

fn item_type(ty: &Type) -> &Type {
    match ty {
        Type::List(inner) | Type::OneOrMany(inner) => inner,
        _ => &Type::Any,
    }
}

fn member_type(ty: &Type, key: &str) -> Option<Type> {
    match ty {
        Type::Any => Some(Type::Any),
        Type::Map(inner) => Some((**inner).clone()),
        Type::Record(fields) => fields.iter().find(|field| field.name == key).map(|field| field.ty.clone()),
        _ => None,
    }
}
