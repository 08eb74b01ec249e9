//! Arguments as written: constants, templates and lists of them, checked against a type when the file is loaded and
//! converted to it once their values are known.

mod compile;
mod stored;

use super::convert::{condition_value, convert};
use super::{Expression, Reference, RenderError, Scope, Template};
use crate::source::{Span, shorten};
use crate::value::{Type, Value};

pub use compile::{compile_arg, compile_file};
pub use stored::as_written;

/// An argument that may hold templates.
#[derive(Clone, Debug)]
pub struct Arg {
    /// What was written.
    pub kind: ArgKind,
    /// The type it is converted to.
    pub ty: Type,
    /// Where; `None` when it was read back from a plan.
    pub span: Option<Span>,
}

/// The forms of an argument.
#[derive(Clone, Debug)]
pub enum ArgKind {
    /// Known now, already of its type.
    Const(Value),
    /// Text with templates.
    Text(Template),
    /// A scalar that is exactly one `{{ expression }}`: keeps its type.
    Expr(Expression),
    /// An expression without braces ([`Type::Expr`]); renders to a map of `text` and `value`.
    Condition(Expression),
    /// A list.
    List(Vec<Arg>),
    /// A mapping.
    Map(Vec<(String, Arg)>),
}

impl Arg {
    /// A value that is known and already of its type.
    pub fn constant(value: Value, ty: Type) -> Self {
        Self { kind: ArgKind::Const(value), ty, span: None }
    }

    /// The value, where it depends on nothing.
    pub fn as_const(&self) -> Option<&Value> {
        match &self.kind {
            ArgKind::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Every name that it uses, at any depth.
    pub fn references(&self) -> Vec<&Reference> {
        match &self.kind {
            ArgKind::Const(_) => Vec::new(),
            ArgKind::Text(template) => template.references.iter().collect(),
            ArgKind::Expr(expression) | ArgKind::Condition(expression) => {
                expression.references.iter().collect()
            }
            ArgKind::List(items) => items.iter().flat_map(Self::references).collect(),
            ArgKind::Map(entries) => entries.iter().flat_map(|(_, arg)| arg.references()).collect(),
        }
    }

    /// Its value, converted to its type. An error has the argument's place.
    pub fn render(&self, scope: &Scope) -> Result<Value, RenderError> {
        // The text of a file has a place in that file, which the message names.
        let is_file = matches!(&self.kind, ArgKind::Text(template) if template.file.is_some());
        self.rendered(scope).map_err(|error| error.at(self.span.filter(|_| !is_file)))
    }

    fn rendered(&self, scope: &Scope) -> Result<Value, RenderError> {
        match &self.kind {
            ArgKind::Const(value) => Ok(value.clone()),
            ArgKind::Text(template) => {
                let text = Value::Str(template.render(scope)?);
                convert(text, &self.ty).map_err(|expected| mismatch(&template.source, &expected))
            }
            ArgKind::Expr(expression) => {
                let value = expression.eval(scope)?;
                convert(value, &self.ty).map_err(|expected| mismatch(&expression.source, &expected))
            }
            ArgKind::Condition(expression) => {
                expression.eval_bool(scope).map(|value| condition_value(expression.source.trim(), value))
            }
            ArgKind::List(items) => {
                items.iter().map(|item| item.render(scope)).collect::<Result<_, _>>().map(Value::List)
            }
            ArgKind::Map(entries) => entries
                .iter()
                .map(|(key, arg)| Ok((key.clone(), arg.render(scope)?)))
                .collect::<Result<_, _>>()
                .map(Value::Map),
        }
    }
}

fn mismatch(source: &str, expected: &str) -> RenderError {
    RenderError { span: None, message: format!("`{}`: expected {expected}", shorten(source.trim())) }
}

#[cfg(test)]
mod tests;
