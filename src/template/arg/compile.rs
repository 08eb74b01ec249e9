//! From a node of a file to an argument: every mistake is found here, at its place, before anything runs.

use super::{Arg, ArgKind};
use crate::source::codes::{
    BAD_KEY, CONSTANT_EXPRESSION, MISSING_KEY, SHADOWED_NAME, TEMPLATE_SYNTAX, TYPE_OF_EXPRESSION,
    UNKNOWN_NAME,
};
use crate::source::{
    Diagnostics, Entry, FileId, MapReader, Node, NodeKind, ScalarStyle, Severity, SourceMap, Span, shorten,
};
use crate::template::lexer::{self, Mistake, TemplatePart};
use crate::template::places::Places;
use crate::template::references::TemplateNames;
use crate::template::types::{self, Impossible};
use crate::template::{Expression, Names, Printed, Scope, Template, machine, printed, scalar, tree};
use crate::value::{Field, Type, Value};

/// Checks a node against a type and compiles its templates against the names of its place. Reports everything that
/// is wrong; `None` when anything was.
pub fn compile_arg(node: &Node, ty: &Type, names: &Names, diagnostics: &mut Diagnostics) -> Option<Arg> {
    let before = diagnostics.items().len();
    let arg = Compiler { names, diagnostics }.arg(node, ty);
    let clean = diagnostics.items()[before..].iter().all(|item| item.severity != Severity::Error);
    arg.filter(|_| clean)
}

/// Compiles the text of a whole file as a template. Reports everything that is wrong at its place in that file; `None`
/// when anything was.
pub fn compile_file(
    sources: &SourceMap,
    file: FileId,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Option<Arg> {
    let before = diagnostics.items().len();
    let (name, text) = (sources.file(file).name.as_str(), &*sources.file(file).text);
    let span = Span::new(file, 0, text.len());
    // As if it were a plain scalar: what stands where in it stands there in the file.
    let node = Node::new(NodeKind::Scalar { text: text.to_owned(), style: ScalarStyle::Plain }, span);
    if !lexer::is_template(text) {
        return Some(arg(&node, &Type::Str, ArgKind::Const(Value::Str(text.to_owned()))));
    }
    match Template::parse(text) {
        Ok((template, found)) => {
            let mut compiler = Compiler { names, diagnostics };
            compiler.check(&node, 0, &found, None);
            compiler.check_parts(&node, text, &lexer::parts(text).unwrap_or_default());
            let clean = diagnostics.items()[before..].iter().all(|item| item.severity != Severity::Error);
            clean.then(|| arg(&node, &Type::Str, ArgKind::Text(template.of_file(name))))
        }
        Err(mistake) => {
            let at = mistake.at.unwrap_or(mistake.near);
            Compiler { names, diagnostics }.mistake(&node, 0, Mistake { at: Some(at), ..mistake })
        }
    }
}

struct Compiler<'n, 'd> {
    names: &'n Names,
    diagnostics: &'d mut Diagnostics,
}

impl Compiler<'_, '_> {
    fn arg(&mut self, node: &Node, ty: &Type) -> Option<Arg> {
        match (ty, &node.kind) {
            (Type::OneOf(types), _) => self.one_of(node, ty, types),
            (Type::Expr, NodeKind::Scalar { text, .. }) => self.condition(node, text),
            (_, NodeKind::Scalar { text, .. }) if lexer::is_template(text) => self.template(node, ty, text),
            (Type::OneOrMany(inner) | Type::List(inner), NodeKind::Seq(items)) => {
                self.list(node, ty, items, inner)
            }
            (Type::Any, NodeKind::Seq(items)) => self.list(node, ty, items, &Type::Any),
            (Type::OneOrMany(inner), _) => {
                let only = self.arg(node, inner)?;
                Some(folded(node, ty, ArgKind::List(vec![only])))
            }
            (Type::List(_), NodeKind::Scalar { text, .. }) => {
                let hint = list_hint(text);
                self.diagnostics.wrong_type(node, &ty.expected()).hint(hint);
                None
            }
            (Type::Map(inner), NodeKind::Map(entries)) => self.map(node, ty, entries, inner),
            (Type::Any, NodeKind::Map(entries)) => self.map(node, ty, entries, &Type::Any),
            (Type::Record(fields), NodeKind::Map(_)) => self.record(node, ty, fields),
            _ => {
                let value = scalar::constant(node, ty, self.diagnostics)?;
                Some(arg(node, ty, ArgKind::Const(value)))
            }
        }
    }

    fn list(&mut self, node: &Node, ty: &Type, items: &[Node], inner: &Type) -> Option<Arg> {
        let items: Vec<_> = items.iter().map(|item| self.arg(item, inner)).collect();
        let items = items.into_iter().collect::<Option<Vec<_>>>()?;
        Some(folded(node, ty, ArgKind::List(items)))
    }

    fn map(&mut self, node: &Node, ty: &Type, entries: &[Entry], inner: &Type) -> Option<Arg> {
        let mut args = Vec::with_capacity(entries.len());
        let mut complete = true;
        for entry in entries {
            if lexer::is_template(&entry.key.value) {
                let diagnostic =
                    self.diagnostics.error(BAD_KEY, entry.key.span, "a key cannot hold a template");
                diagnostic.hint("write the key out; only values may depend on other values");
                complete = false;
            }
            match self.arg(&entry.value, inner) {
                Some(arg) => args.push((entry.key.value.clone(), arg)),
                None => complete = false,
            }
        }
        complete.then(|| folded(node, ty, ArgKind::Map(args)))
    }

    fn record(&mut self, node: &Node, ty: &Type, fields: &[Field]) -> Option<Arg> {
        let mut reader = MapReader::open(node, "this value", self.diagnostics)?;
        let mut args = Vec::with_capacity(fields.len());
        let mut complete = true;
        for field in fields {
            let arg = match reader.take(field.name) {
                Some(entry) => self.arg(&entry.value, &field.ty),
                None if field.required => {
                    let message = format!("the key `{}` is missing", field.name);
                    self.diagnostics.error(MISSING_KEY, node.span, message).hint(field.doc);
                    None
                }
                None => match &field.default {
                    Some(default) => Some(Arg::constant(default.clone(), field.ty.clone())),
                    None => continue,
                },
            };
            match arg {
                Some(arg) => args.push((field.name.to_owned(), arg)),
                None => complete = false,
            }
        }
        reader.finish("this mapping", self.diagnostics);
        complete.then(|| folded(node, ty, ArgKind::Map(args)))
    }

    /// The first alternative that fits. Where none does, but only one has the shape of what was written, its own
    /// complaint says more than a list of all of them.
    fn one_of(&mut self, node: &Node, ty: &Type, types: &[Type]) -> Option<Arg> {
        if let NodeKind::Scalar { text, .. } = &node.kind
            && lexer::is_template(text)
        {
            return self.template(node, ty, text);
        }
        for alternative in types {
            let mut trial = Diagnostics::default();
            let mut compiler = Compiler { names: self.names, diagnostics: &mut trial };
            let arg = compiler.arg(node, alternative);
            if let Some(arg) = arg.filter(|_| !trial.has_errors()) {
                self.diagnostics.append(trial);
                return Some(arg);
            }
        }
        let mut shaped = types.iter().filter(|ty| has_shape(ty, &node.kind));
        if let (Some(only), None) = (shaped.next(), shaped.next()) {
            return self.arg(node, only);
        }
        self.diagnostics.wrong_type(node, &ty.expected());
        None
    }

    fn condition(&mut self, node: &Node, text: &str) -> Option<Arg> {
        if text.trim_start().starts_with("{{") {
            let diagnostic =
                self.diagnostics.error(CONSTANT_EXPRESSION, node.span, "this is an expression already");
            let bare = text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
            diagnostic.hint(format!("write it without braces: `{}`", shorten(bare)));
            return None;
        }
        match Expression::parse(text) {
            Ok((expression, found)) => {
                let before = self.diagnostics.items().len();
                self.check(node, 0, &found, Some(&Type::Bool));
                self.check_values(node, 0, text, true);
                if self.diagnostics.items().len() > before {
                    return None;
                }
                // What names nothing is the same on every host and at any time: it is known now what it is.
                if expression.references.is_empty()
                    && let Err(error) = expression.eval_bool(&Scope::default())
                {
                    let wrong = self.diagnostics.error(TYPE_OF_EXPRESSION, node.span, error.message);
                    wrong.hint("compare something, as in `facts.swap_total == 0`");
                    return None;
                }
                Some(arg(
                    node,
                    &Type::Expr,
                    ArgKind::Condition(expression.placed(node.span, Places::of(node, 0, &found))),
                ))
            }
            Err(mistake) => self.mistake(node, 0, mistake),
        }
    }

    fn template(&mut self, node: &Node, ty: &Type, text: &str) -> Option<Arg> {
        if let Some((base, inside)) = only_expression(text) {
            return match Expression::parse(inside) {
                Ok((expression, found)) => {
                    self.check(node, base, &found, Some(ty));
                    self.check_values(node, base, inside, *ty == Type::Bool);
                    let gives = lexer::expression(inside)
                        .map_or(expression.gives, |tokens| printed::gives(inside, &tokens, self.names));
                    let placed = expression.giving(gives).placed(node.span, Places::of(node, base, &found));
                    Some(arg(node, ty, ArgKind::Expr(placed)))
                }
                Err(mistake) => self.mistake(node, base, mistake),
            };
        }
        if matches!(ty, Type::List(_) | Type::Map(_) | Type::Record(_)) {
            let diagnostic = self.diagnostics.wrong_type(node, &ty.expected());
            if matches!(ty, Type::List(_)) && text.contains(' ') && !text.trim_start().starts_with("{{") {
                diagnostic.hint(list_hint(text));
            } else {
                diagnostic.hint(
                    "a template with text around it gives text; write exactly one `{{ … }}` to keep the type",
                );
            }
            return None;
        }
        match Template::parse(text) {
            Ok((template, found)) => {
                self.check(node, 0, &found, None);
                let parts = lexer::parts(text).unwrap_or_default();
                self.check_parts(node, text, &parts);
                let printed = printed::pieces(text, &parts, self.names);
                let pieces = printed.iter().filter_map(|piece| match piece {
                    Printed::Expression { range, .. } => {
                        Some((range.start, node.within(range.start, range.len())))
                    }
                    Printed::Text(_) => None,
                });
                let places = Places::of(node, 0, &found).with_pieces(pieces);
                Some(arg(node, ty, ArgKind::Text(template.placed(places).printing(printed))))
            }
            Err(mistake) => self.mistake(node, 0, mistake),
        }
    }

    /// Checks names, and types where they are known. Without `wanted`, names stand inside a text; `base` is where the
    /// compiled source starts in the scalar.
    fn check(&mut self, node: &Node, base: usize, found: &TemplateNames, wanted: Option<&Type>) {
        for (local, range) in &found.locals {
            if self.names.roots.contains_key(local) {
                let span = node.within(base + range.start, range.len());
                let message = format!("the loop variable `{local}` hides the namespace of that name");
                self.diagnostics.error(SHADOWED_NAME, span, message).hint("give the variable another name");
            }
        }
        for name in &found.uses {
            let span = || node.within(base + name.range.start, name.range.len());
            let known = match self.names.check(&name.reference) {
                Ok(known) => known,
                Err(error) => {
                    let text = node.scalar().unwrap_or_default();
                    let is_told = |id: &String| text.contains(&format!("steps.{id}"));
                    if self.names.broken.iter().any(is_told) {
                        continue;
                    }
                    let knows_better = error.knows_better();
                    let diagnostic = self.diagnostics.error(UNKNOWN_NAME, span(), error.message);
                    if !error.hint.is_empty() {
                        diagnostic.hint(error.hint);
                    }
                    if name.reference.path.is_empty() && !name.alone && !knows_better {
                        let (word, quote) = (&name.reference.root, free_quote(node));
                        diagnostic.hint(format!("a text needs quotes: `{quote}{word}{quote}`"));
                    }
                    continue;
                }
            };
            let (Some(known), true) = (known, name.alone) else { continue };
            let message = match wanted {
                Some(wanted) if !may_become(&known, wanted) => {
                    format!(
                        "expected {}, but `{}` is {}",
                        wanted.expected(),
                        name.reference,
                        known.expected()
                    )
                }
                None if !may_become(&known, &Type::Str) => {
                    machine::not_text(&name.reference.to_string(), &known.expected())
                }
                _ => continue,
            };
            self.diagnostics.error(TYPE_OF_EXPRESSION, span(), message);
        }
    }

    /// Reports what fails with any values. The type of a single name is told by [`Self::check`].
    fn check_values(&mut self, node: &Node, base: usize, source: &str, decides: bool) {
        let Ok(tokens) = lexer::expression(source) else { return };
        let Ok(Some(tree)) = tree::parse(source, &tokens) else { return };
        self.impossible(
            node,
            base,
            types::impossible(source, &tree, self.names, decides && tree.reference().is_none()),
        );
    }

    /// The same, of every part of a text.
    fn check_parts(&mut self, node: &Node, source: &str, parts: &[TemplatePart]) {
        for part in parts {
            let decides = matches!(part, TemplatePart::Block(tokens)
                if tokens.first().is_some_and(|word| word.is(source, "if") || word.is(source, "elif")));
            let Ok(Some(tree)) = tree::of_part(source, part) else { continue };
            self.impossible(node, 0, types::impossible(source, &tree, self.names, decides));
        }
    }

    fn impossible(&mut self, node: &Node, base: usize, found: Vec<Impossible>) {
        for wrong in found {
            let span = node.within(base + wrong.range.start, wrong.range.len());
            let diagnostic = self.diagnostics.error(TYPE_OF_EXPRESSION, span, wrong.message);
            if !wrong.hint.is_empty() {
                diagnostic.hint(wrong.hint);
            }
        }
    }

    fn mistake<T>(&mut self, node: &Node, base: usize, mistake: Mistake) -> Option<T> {
        let span = mistake.at.map_or(node.span, |at| node.within(base + at, 1));
        let diagnostic = self.diagnostics.error(TEMPLATE_SYNTAX, span, mistake.message);
        // As in the templates of Go, which another program is to read.
        if node.scalar().is_some_and(|text| text.contains("{{.") || text.contains("{{ .")) {
            diagnostic.hint("to write braces literally: {{ '{{' }}");
        } else if !mistake.hint.is_empty() {
            diagnostic.hint(mistake.hint);
        }
        None
    }
}

/// The quotes that can stand inside of a scalar as it is written.
fn free_quote(node: &Node) -> char {
    match node.kind {
        NodeKind::Scalar { style: ScalarStyle::DoubleQuoted, .. } => '\'',
        _ => '"',
    }
}

fn arg(node: &Node, ty: &Type, kind: ArgKind) -> Arg {
    Arg { kind, ty: ty.clone(), span: Some(node.span) }
}

/// A collection of nothing but constants is a constant.
fn folded(node: &Node, ty: &Type, kind: ArgKind) -> Arg {
    let value = match &kind {
        ArgKind::List(items) => {
            let values: Option<Vec<_>> = items.iter().map(|item| item.as_const().cloned()).collect();
            values.map(Value::List)
        }
        ArgKind::Map(entries) => {
            let values = entries.iter().map(|(key, arg)| Some((key.clone(), arg.as_const()?.clone())));
            values.collect::<Option<_>>().map(Value::Map)
        }
        _ => None,
    };
    arg(node, ty, value.map_or(kind, ArgKind::Const))
}

/// The inside of a scalar that is exactly one `{{ … }}`, and where it starts.
fn only_expression(text: &str) -> Option<(usize, &str)> {
    let parts = lexer::parts(text).ok()?;
    match parts.as_slice() {
        [TemplatePart::Expression(tokens)] if text.starts_with("{{") && text.ends_with("}}") => {
            let (first, last) = (tokens.first()?, tokens.last()?);
            Some((first.range.start, &text[first.range.start..last.range.end]))
        }
        _ => None,
    }
}

/// What to write where a text stands in the place of a list: a command line as its words, or as a `script` where it
/// needs a shell.
fn list_hint(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "write a list, such as `[a, b]`".to_owned();
    }
    if text.contains(['|', '>', '<', '&', ';', '$', '`', '*', '\n']) {
        return "this needs a shell: write the step `script: \"…\"`, or `[sh, -c, \"…\"]`".to_owned();
    }
    match words(text) {
        Some(words) if !words.is_empty() => format!(
            "write a list: `[{}]`",
            words.iter().map(|word| item(word)).collect::<Vec<_>>().join(", ")
        ),
        _ => format!("write a list: `[{}]`", item(text)),
    }
}

/// A command line as its words; a template stays whole.
fn words(line: &str) -> Option<Vec<String>> {
    let mut templates = Vec::new();
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}")?;
        plain.push_str(before);
        plain.extend(['\0'.to_string(), templates.len().to_string(), '\0'.to_string()]);
        templates.push(format!("{{{{{inside}}}}}"));
        rest = behind;
    }
    plain.push_str(rest);
    let mut words = shlex::split(&plain)?;
    for word in &mut words {
        for (at, template) in templates.iter().enumerate() {
            *word = word.replace(&format!("\u{0}{at}\u{0}"), template);
        }
    }
    Some(words)
}

/// A word as an item of a list in YAML, in quotes where it would mean something else without them.
fn item(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+@%:".contains(c);
    let is_bare =
        word.chars().all(is_plain) && !word.ends_with(':') && word.chars().any(char::is_alphanumeric);
    let is_word = !["true", "false", "null", "yes", "no", "on", "off"].contains(&word);
    if is_bare && is_word && !word.starts_with(['%', '@', '=']) {
        word.to_owned()
    } else {
        format!("{word:?}")
    }
}

fn has_shape(ty: &Type, kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Null => *ty == Type::Any,
        NodeKind::Seq(_) => matches!(ty, Type::List(_) | Type::OneOrMany(_) | Type::Any),
        NodeKind::Map(_) => matches!(ty, Type::Map(_) | Type::Record(_) | Type::Any),
        NodeKind::Scalar { .. } => !matches!(ty, Type::List(_) | Type::Map(_) | Type::Record(_)),
    }
}

/// Whether a value of a known type can be what its place wants. Only what can never work is refused; text may turn
/// out to be anything that is written in one word.
fn may_become(known: &Type, wanted: &Type) -> bool {
    match (known, wanted) {
        (Type::Any | Type::OneOf(_), _) | (_, Type::Any | Type::OneOf(_)) => true,
        (Type::OneOrMany(known) | Type::List(known), Type::OneOrMany(wanted) | Type::List(wanted))
        | (Type::Map(known), Type::Map(wanted)) => may_become(known, wanted),
        (known, Type::OneOrMany(wanted)) => may_become(known, wanted),
        (Type::Map(_) | Type::Record(_), wanted) => matches!(wanted, Type::Map(_) | Type::Record(_)),
        (Type::List(_) | Type::OneOrMany(_), _) | (_, Type::List(_) | Type::Map(_) | Type::Record(_)) => {
            false
        }
        (Type::Bool | Type::Expr, wanted) => matches!(wanted, Type::Bool | Type::Expr),
        (Type::Str | Type::Host | Type::Enum(_), wanted) => !matches!(wanted, Type::Bool | Type::Expr),
        (known, Type::Str) => !matches!(known, Type::Bool),
        (Type::Int, wanted) => matches!(wanted, Type::Int | Type::Amount | Type::Size),
        (Type::Percent, wanted) => matches!(wanted, Type::Percent | Type::Amount),
        (Type::Amount, wanted) => matches!(wanted, Type::Int | Type::Percent | Type::Amount),
        (known, wanted) => known == wanted,
    }
}
