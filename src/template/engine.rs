//! Compiles and renders single templates and expressions.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Environment, Expression as Compiled};

use super::lexer::{self, Mistake, TemplatePart, Token};
use super::places::Places;
use super::references::{self, TemplateNames};
use super::{Gives, Printed, Reference, RenderError, Scope, machine, rewrite, tree};
use crate::source::Span;
use crate::value::Value;

/// Bytes of a rendered text. What is longer belongs into a file.
const MOST_OUTPUT: usize = 1 << 20;

/// A compiled text with `{{ }}` in it.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text as written.
    pub source: String,
    /// Names it uses.
    pub references: Vec<Reference>,
    /// The file that it is the text of, as people name it; `None` where it stands inside another.
    pub file: Option<Arc<str>>,
    /// What each of its pieces can put into the text; empty where the types of its names are not known.
    pub printed: Arc<[Printed]>,
    places: Places,
    body: Arc<TemplateBody>,
}

#[derive(Debug)]
enum TemplateBody {
    /// Literal text and expressions in turn.
    Pieces(Vec<CompiledPiece>),
    /// With `{% %}`: the engine runs the whole of it, rewritten.
    Blocks(String),
}

#[derive(Debug)]
enum CompiledPiece {
    Text(String),
    Expression { text: Range<usize>, program: Program },
}

/// A compiled expression, without braces.
#[derive(Clone, Debug)]
pub struct Expression {
    /// The text as written.
    pub source: String,
    /// Names it uses.
    pub references: Vec<Reference>,
    /// What it can put into a text; any text where the types of its names are not known.
    pub gives: Gives,
    /// Where it is written, where that is known.
    pub span: Option<Span>,
    places: Places,
    program: Arc<Program>,
}

/// How an expression is evaluated.
enum Program {
    /// A single dotted name, which is most of them: looked up without the engine.
    Name(Reference),
    /// Anything else.
    Compiled(Compiled<'static, 'static>),
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "Name({name})"),
            Self::Compiled(_) => f.write_str("Compiled"),
        }
    }
}

impl Template {
    /// Compiles; the error names what is wrong with the syntax.
    pub fn compile(source: &str) -> Result<Self, RenderError> {
        Ok(Self::parse(source)?.0)
    }

    /// Compiles, and says which names stand where.
    pub(super) fn parse(source: &str) -> Result<(Self, TemplateNames), Mistake> {
        let parts = lexer::parts(source)?;
        let found = references::in_parts(source, &parts)?;
        let body = if parts.iter().any(|part| matches!(part, TemplatePart::Block(_))) {
            TemplateBody::Blocks(compile_blocks(source, &parts)?)
        } else {
            TemplateBody::Pieces(parts.into_iter().map(|part| piece(source, part)).collect::<Result<_, _>>()?)
        };
        let (source, references) = (source.to_owned(), unique(&found));
        Ok((
            Self {
                source,
                references,
                file: None,
                printed: Arc::default(),
                places: Places::default(),
                body: Arc::new(body),
            },
            found,
        ))
    }

    /// The same as the text of a file, which errors then name.
    #[must_use]
    pub fn of_file(self, name: &str) -> Self {
        Self { file: Some(name.into()), ..self }
    }

    /// The same, with what its pieces can put into the text.
    #[must_use]
    pub(super) fn printing(self, printed: Vec<Printed>) -> Self {
        Self { printed: printed.into(), ..self }
    }

    /// The same, with the places of what stands in it.
    #[must_use]
    pub(super) fn placed(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// Renders to text; undefined, boolean, null, list and map inside `{{ }}` are errors.
    pub fn render(&self, scope: &Scope) -> Result<String, RenderError> {
        match self.body.as_ref() {
            TemplateBody::Pieces(pieces) => self.render_pieces(pieces, scope),
            TemplateBody::Blocks(rewritten) => self.render_blocks(rewritten, scope),
        }
    }

    fn render_pieces(&self, pieces: &[CompiledPiece], scope: &Scope) -> Result<String, RenderError> {
        let mut out = String::with_capacity(self.source.len());
        for piece in pieces {
            match piece {
                CompiledPiece::Text(text) => out.push_str(text),
                CompiledPiece::Expression { text, program } => {
                    let written = &self.source[text.clone()];
                    program
                        .write(&mut out, scope, &self.references, written)
                        .map_err(|error| self.located(error, Some(text.start)))?;
                }
            }
            if out.len() > MOST_OUTPUT {
                return Err(self.located(RenderError { span: None, message: too_long() }, None));
            }
        }
        Ok(out)
    }

    fn render_blocks(&self, rewritten: &str, scope: &Scope) -> Result<String, RenderError> {
        // The engine's templates borrow their source, so this rare form is compiled again for each rendering.
        let env: &Environment<'_> = machine::environment();
        let fail = |error: &minijinja::Error| {
            let error = undefined_name(&self.references, scope, machine::translate(error, "the text"), error);
            self.located(error, self.undefined_at(scope))
        };
        let template = env.template_from_str(rewritten).map_err(|error| fail(&error))?;
        let mut out = Capped(Vec::new());
        template
            .render_captured_to(context(scope, &self.references), &mut out)
            .map_err(|error| fail(&error))?;
        String::from_utf8(out.0)
            .map_err(|_| self.located(RenderError { span: None, message: too_long() }, None))
    }

    /// Where the first name stands that has no value.
    fn undefined_at(&self, scope: &Scope) -> Option<usize> {
        let missing = self.references.iter().find(|name| lookup(scope, name).is_err())?;
        let found = references::in_parts(&self.source, &lexer::parts(&self.source).ok()?).ok()?;
        found.uses.iter().find(|name| name.reference == *missing).map(|name| name.range.start)
    }

    /// An error with its place in the file, where the template is one: `motd.tmpl:3:9`.
    fn located(&self, error: RenderError, at: Option<usize>) -> RenderError {
        let Some(file) = &self.file else { return self.places.locate(error, at) };
        let place = at.and_then(|at| self.source.get(..at)).map(|before| {
            let line = before.rsplit('\n').next().unwrap_or_default();
            format!(":{}:{}", before.matches('\n').count() + 1, line.chars().count() + 1)
        });
        RenderError { span: None, message: format!("{file}{}: {}", place.unwrap_or_default(), error.message) }
    }
}

fn too_long() -> String {
    format!("the rendered text is longer than {MOST_OUTPUT} bytes")
}

/// Refuses to grow past the limit.
struct Capped(Vec<u8>);

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_OUTPUT {
            return Err(std::io::Error::other("the text is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn piece(source: &str, part: TemplatePart) -> Result<CompiledPiece, Mistake> {
    match part {
        TemplatePart::Text(text) => Ok(CompiledPiece::Text(text)),
        TemplatePart::Expression(tokens) | TemplatePart::Block(tokens) => {
            let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
                return Err(Mistake::near(empty_braces(source), "`{{ }}` is empty"));
            };
            let text = first.range.start..last.range.end;
            Ok(CompiledPiece::Expression { program: compile(source, &tokens)?, text })
        }
    }
}

/// Compiles what was written, for its own mistakes, and gives the rewritten form.
fn compile_blocks(source: &str, parts: &[TemplatePart]) -> Result<String, Mistake> {
    let env: &Environment<'_> = machine::environment();
    for part in parts {
        tree::of_part(source, part)?;
    }
    env.template_from_str(source).map_err(|error| unreadable(line_start(source, error.line())))?;
    let rewritten = rewrite::template(source, parts)?;
    env.template_from_str(&rewritten).map_err(|_| ambiguous(0))?;
    Ok(rewritten)
}

fn compile(source: &str, tokens: &[Token]) -> Result<Program, Mistake> {
    let found = references::in_expression(source, tokens)?;
    tree::parse(source, tokens)?;
    if let [only] = found.uses.as_slice()
        && only.alone
    {
        return Ok(Program::Name(only.reference.clone()));
    }
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Err(Mistake::at(0, "the expression is empty"));
    };
    if !machine::is_readable(&source[first.range.start..last.range.end]) {
        return Err(unreadable(first.range.start));
    }
    let rewritten = rewrite::expression(source, tokens)?;
    let compiled = machine::environment().compile_expression_owned(rewritten);
    compiled.map(Program::Compiled).map_err(|_| ambiguous(first.range.start))
}

fn unreadable(near: usize) -> Mistake {
    let mistake = Mistake::near(near, "an expression here cannot be read");
    mistake.hint("put parentheses around its parts to find the one; `rollbook explain` shows what there is")
}

fn ambiguous(near: usize) -> Mistake {
    let mistake = Mistake::near(near, "the comparison cannot be told apart from what surrounds it");
    mistake.hint("put parentheses around it")
}

/// Where braces stand with nothing between them.
fn empty_braces(source: &str) -> usize {
    let blank = |c: char| c.is_whitespace() || c == '-' || c == '+';
    let mut opening = source.match_indices("{{").map(|(at, _)| at);
    opening.find(|at| source[at + 2..].trim_start_matches(blank).starts_with("}}")).unwrap_or(0)
}

/// The first character of a line that says something; lines count from 1.
fn line_start(source: &str, line: Option<usize>) -> usize {
    let line = line.unwrap_or(1).saturating_sub(1);
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &source[before..];
    before + (rest.len() - rest.trim_start().len())
}

impl Expression {
    /// Compiles; the error names what is wrong with the syntax.
    pub fn compile(source: &str) -> Result<Self, RenderError> {
        Ok(Self::parse(source)?.0)
    }

    /// Compiles, and says which names stand where.
    pub(super) fn parse(source: &str) -> Result<(Self, TemplateNames), Mistake> {
        let tokens = lexer::expression(source)?;
        let found = references::in_expression(source, &tokens)?;
        let program = Arc::new(compile(source, &tokens)?);
        let references = unique(&found);
        Ok((
            Self {
                source: source.to_owned(),
                references,
                gives: Gives::Text,
                span: None,
                places: Places::default(),
                program,
            },
            found,
        ))
    }

    /// The same, with what it can put into a text.
    #[must_use]
    pub(super) fn giving(self, gives: Gives) -> Self {
        Self { gives, ..self }
    }

    /// The same, with its place.
    #[must_use]
    pub(super) fn placed(self, span: Span, places: Places) -> Self {
        Self { span: Some(span), places, ..self }
    }

    /// The value, with its type kept.
    pub fn eval(&self, scope: &Scope) -> Result<Value, RenderError> {
        let value = self.program.eval(scope, &self.references, self.source.trim());
        value.map_err(|error| self.places.locate(error, None).at(self.span))
    }

    /// The value, which must be a boolean.
    pub fn eval_bool(&self, scope: &Scope) -> Result<bool, RenderError> {
        match self.eval(scope)? {
            Value::Bool(yes) => Ok(yes),
            other => Err(RenderError {
                span: self.span,
                message: format!(
                    "`{}` is {}, where true or false is needed",
                    self.source.trim(),
                    other.type_word()
                ),
            }),
        }
    }
}

impl Program {
    fn eval(&self, scope: &Scope, names: &[Reference], text: &str) -> Result<Value, RenderError> {
        match self {
            Self::Name(name) => lookup(scope, name).cloned(),
            Self::Compiled(compiled) => {
                let value = run(compiled, scope, names, text)?;
                machine::from_engine(&value, text)
            }
        }
    }

    fn write(
        &self,
        out: &mut String,
        scope: &Scope,
        names: &[Reference],
        text: &str,
    ) -> Result<(), RenderError> {
        use std::fmt::Write as _;
        match self {
            Self::Name(name) => match lookup(scope, name)? {
                Value::Str(value) => out.push_str(value),
                other @ (Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_)) => {
                    return Err(RenderError {
                        span: None,
                        message: machine::not_text(text, other.type_word()),
                    });
                }
                other => write!(out, "{other}").expect("invariant: writing to a string cannot fail"),
            },
            Self::Compiled(compiled) => {
                let value = run(compiled, scope, names, text)?;
                out.push_str(
                    &machine::text_of(&value, text).map_err(|error| machine::translate(&error, text))?,
                );
            }
        }
        Ok(())
    }
}

fn run(
    compiled: &Compiled<'static, 'static>,
    scope: &Scope,
    names: &[Reference],
    text: &str,
) -> Result<minijinja::Value, RenderError> {
    compiled
        .eval(context(scope, names))
        .map_err(|error| undefined_name(names, scope, machine::translate(&error, text), &error))
}

/// Only the namespaces that are used; each is converted once per scope.
fn context(scope: &Scope, names: &[Reference]) -> minijinja::Value {
    let mut roots: Vec<(String, minijinja::Value)> = Vec::with_capacity(names.len());
    for name in names {
        if roots.iter().all(|(root, _)| *root != name.root)
            && let Some(value) = scope.engine_value(&name.root)
        {
            roots.push((name.root.clone(), value));
        }
    }
    machine::context(roots)
}

fn lookup<'s>(scope: &'s Scope, name: &Reference) -> Result<&'s Value, RenderError> {
    let value = scope.lookup(&name.root, &name.path);
    value.ok_or_else(|| RenderError { span: None, message: format!("`{name}` is not defined") })
}

/// The engine does not say which name is missing; the first that is names the mistake better than the whole text.
fn undefined_name(
    names: &[Reference],
    scope: &Scope,
    fallback: RenderError,
    error: &minijinja::Error,
) -> RenderError {
    if error.kind() != minijinja::ErrorKind::UndefinedError {
        return fallback;
    }
    let missing = names.iter().find_map(|name| lookup(scope, name).err());
    missing.unwrap_or(fallback)
}

fn unique(found: &TemplateNames) -> Vec<Reference> {
    let mut unique: Vec<Reference> = Vec::new();
    for name in &found.uses {
        if !unique.contains(&name.reference) {
            unique.push(name.reference.clone());
        }
    }
    unique
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
