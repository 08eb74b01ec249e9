//! The template engine as we use it: strict, without functions, bounded in steps and depth, and with our values inside
//! of its own. Nothing here knows what a template is about.

use std::fmt;
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Engine, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::{RenderError, compare, filters, rewrite};
use crate::value::{Duration, Percent, Size, Value, Version};

/// Delimiters of symbols inside strings; the `op` module defines what they mean.
pub(super) const SYMBOL_OPEN: char = '\u{F0000}';
pub(super) const SYMBOL_CLOSE: char = '\u{F0001}';

/// Instructions per rendering: far more than any text needs, and over in milliseconds.
const FUEL: u64 = 200_000;

/// The one environment. It holds no templates and no values, so sharing it shares nothing.
pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(build)
}

/// Whether the engine can read an expression. Its own words about one that it cannot read name neither place nor cure.
pub(super) fn is_readable(text: &str) -> bool {
    environment().compile_expression(text).is_ok()
}

fn build() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    env.set_syntax(syntax.expect("invariant: the default delimiters are valid"));
    env.set_formatter(|out, _, value| {
        let text = text_of(value, "a value of this text")?;
        out.write_str(&text).map_err(|_| Error::new(ErrorKind::WriteFailure, "the text is too long"))
    });
    env.add_function(rewrite::BOOLEAN, boolean);
    for (mark, name) in rewrite::COMPARISONS {
        env.add_function(name, move |left: Engine, right: Engine, left_text: &str, right_text: &str| {
            defined(&left, left_text)?;
            defined(&right, right_text)?;
            let result = match mark {
                "==" => compare::equal(&left, &right),
                "!=" => compare::equal(&left, &right).map(|equal| !equal),
                "<" => compare::order(&left, &right).map(std::cmp::Ordering::is_lt),
                "<=" => compare::order(&left, &right).map(std::cmp::Ordering::is_le),
                ">" => compare::order(&left, &right).map(std::cmp::Ordering::is_gt),
                ">=" => compare::order(&left, &right).map(std::cmp::Ordering::is_ge),
                "in" => compare::contains(&left, &right),
                _ => compare::contains(&left, &right).map(|contains| !contains),
            };
            result.map_err(|refusal| raise(format!("`{left_text}` and `{right_text}` {refusal}")))
        });
    }
    filters::register(&mut env);
    env
}

fn boolean(value: &Engine, text: &str) -> Result<bool, Error> {
    defined(value, text)?;
    bool::try_from(value.clone())
        .ok()
        .filter(|_| value.kind() == ValueKind::Bool)
        .ok_or_else(|| raise(format!("`{text}` is {}, where true or false is needed", type_word(value))))
}

fn defined(value: &Engine, text: &str) -> Result<(), Error> {
    if value.is_undefined() { Err(raise(format!("`{text}` is not defined"))) } else { Ok(()) }
}

/// One of our own errors, wrapped for the way through the engine.
pub(super) fn raise(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, "")
        .with_source(RenderError { span: None, message: message.into() })
}

/// An error on its way out, for `what`. The engine's own words are never kept: they could hold a
/// value, and they speak of another language than ours.
pub(super) fn translate(error: &Error, what: &str) -> RenderError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = cause {
        if let Some(ours) = current.downcast_ref::<RenderError>() {
            return ours.clone();
        }
        cause = current.source();
    }
    let detail = error.detail().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UndefinedError => format!("`{what}` uses a name that is not defined"),
        ErrorKind::OutOfFuel => format!("`{what}` takes too many steps"),
        ErrorKind::WriteFailure => format!("`{what}` gives a text that is too long"),
        ErrorKind::TooManyArguments => format!("`{what}` gives a filter or a test more than it takes"),
        ErrorKind::MissingArgument => format!("`{what}` gives a filter or a test less than it needs"),
        ErrorKind::InvalidOperation if detail.starts_with("tried to use ") => {
            format!("`{what}` calculates with what is no number; `~` joins texts")
        }
        ErrorKind::InvalidOperation => {
            format!(
                "`{what}` calculates with what does not fit: numbers are whole, and nothing is divided by 0"
            )
        }
        _ => format!("`{what}` cannot be evaluated: its values do not fit what is done with them"),
    };
    RenderError { span: None, message }
}

/// A scalar with a type that the engine does not have.
#[derive(Clone, Debug)]
pub(super) enum Scalar {
    Version(Version),
    Duration(Duration),
    Size(Size),
    Percent(Percent),
}

impl Scalar {
    pub(super) fn type_word(&self) -> &'static str {
        self.to_value().type_word()
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Version(version) => Value::Version(version.clone()),
            Self::Duration(duration) => Value::Duration(*duration),
            Self::Size(size) => Value::Size(*size),
            Self::Percent(percent) => Value::Percent(*percent),
        }
    }
}

impl Object for Scalar {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_value())
    }
}

/// A mapping that keeps its written order.
#[derive(Debug)]
struct Mapping(IndexMap<String, Engine>);

impl Object for Mapping {
    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        self.0.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        self.0.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|key| Engine::from(key.as_str())).collect())
    }
}

/// The names that one rendering sees. There are few, so a list is searched.
#[derive(Debug)]
struct Context(Vec<(String, Engine)>);

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }
}

/// The root of a rendering.
pub(super) fn context(names: Vec<(String, Engine)>) -> Engine {
    Engine::from_object(Context(names))
}

/// The typed scalar behind an engine value.
pub(super) fn scalar_of(value: &Engine) -> Option<&Scalar> {
    value.downcast_object_ref::<Scalar>()
}

/// Wraps a scalar for the engine.
pub(super) fn from_scalar(scalar: Scalar) -> Engine {
    Engine::from_object(scalar)
}

/// The word for a value's type, for messages.
pub(super) fn type_word(value: &Engine) -> &'static str {
    if let Some(scalar) = scalar_of(value) {
        return scalar.type_word();
    }
    match value.kind() {
        ValueKind::Undefined => "not defined",
        ValueKind::None => "nothing",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "a string",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a mapping",
        _ => "something else",
    }
}

/// Our value for the engine.
pub(super) fn to_engine(value: &Value) -> Engine {
    match value {
        Value::Null => Engine::from(()),
        Value::Bool(yes) => Engine::from(*yes),
        Value::Int(number) => Engine::from(*number),
        Value::Str(text) => Engine::from(text.as_str()),
        Value::Version(version) => from_scalar(Scalar::Version(version.clone())),
        Value::Duration(duration) => from_scalar(Scalar::Duration(*duration)),
        Value::Size(size) => from_scalar(Scalar::Size(*size)),
        Value::Percent(percent) => from_scalar(Scalar::Percent(*percent)),
        Value::List(items) => items.iter().map(to_engine).collect(),
        Value::Map(map) => Engine::from_object(Mapping(
            map.iter().map(|(key, value)| (key.clone(), to_engine(value))).collect(),
        )),
    }
}

/// An engine value as ours; `what` names the expression in errors.
pub(super) fn from_engine(value: &Engine, what: &str) -> Result<Value, RenderError> {
    let wrong = |message: String| RenderError { span: None, message };
    if let Some(scalar) = scalar_of(value) {
        return Ok(scalar.to_value());
    }
    match value.kind() {
        ValueKind::Undefined => Err(wrong(format!("`{what}` is not defined"))),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::Number => value.as_i64().filter(|_| value.is_integer()).map(Value::Int).ok_or_else(|| {
            wrong(format!("`{what}` gives a number that is not whole or too large; use `//` to divide"))
        }),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            check_symbols(text, what)?;
            Ok(Value::Str(text.to_owned()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|error| translate(&error, what))?;
            items.map(|item| from_engine(&item, what)).collect::<Result<_, _>>().map(Value::List)
        }
        ValueKind::Map => {
            let object = value.as_object().expect("invariant: a map is an object");
            let pairs = object.try_iter_pairs().into_iter().flatten();
            let pairs = pairs.map(|(key, value)| match key.as_str() {
                Some(key) => Ok((key.to_owned(), from_engine(&value, what)?)),
                None => Err(wrong(format!("`{what}` gives a mapping with a key that is not text"))),
            });
            pairs.collect::<Result<_, _>>().map(Value::Map)
        }
        _ => Err(wrong(format!("`{what}` gives nothing that can be used"))),
    }
}

/// What stands between braces inside a text.
pub(super) fn text_of(value: &Engine, what: &str) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            check_symbols(text, what).map_err(|error| raise(error.message))?;
            Ok(text.to_owned())
        }
        ValueKind::Number if value.is_integer() => Ok(value.to_string()),
        _ if scalar_of(value).is_some() => Ok(value.to_string()),
        ValueKind::Undefined => Err(raise(format!("`{what}` is not defined"))),
        _ => Err(raise(not_text(what, type_word(value)))),
    }
}

/// Why a value of this type cannot stand inside a text.
pub(super) fn not_text(what: &str, word: &str) -> String {
    format!("`{what}` is {word}, which cannot stand inside a text")
}

/// Whether a text holds a symbol or a part of one.
pub(super) fn holds_symbol(text: &str) -> bool {
    text.contains([SYMBOL_OPEN, SYMBOL_CLOSE])
}

/// A symbol is opened and closed once, or it was cut.
fn check_symbols(text: &str, what: &str) -> Result<(), RenderError> {
    let mut open = false;
    for character in text.chars() {
        let expected = match character {
            SYMBOL_OPEN => false,
            SYMBOL_CLOSE => true,
            _ => continue,
        };
        if open != expected {
            return Err(cut(what));
        }
        open = !open;
    }
    if open { Err(cut(what)) } else { Ok(()) }
}

fn cut(what: &str) -> RenderError {
    RenderError {
        span: None,
        message: format!(
            "`{what}` cuts a secret or a property of the run, which is known only while it runs"
        ),
    }
}
