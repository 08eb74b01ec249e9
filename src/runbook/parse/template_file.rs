//! A field that names a template file: the file is read and compiled here, and its text stands in the place of a field
//! that could hold it inline. So whatever holds for inline text holds for it: names, secrets, and what a plan freezes.

use camino::Utf8PathBuf;

use super::{ParseContext, StepScope};
use crate::source::codes::{NOT_UTF8, TEMPLATE_FILE, TEMPLATE_PATH, TOO_LARGE};
use crate::source::{FileId, Node, Span, refuse_characters, shorten};
use crate::template::{Arg, compile_file};
use crate::value::{Type, Value};

/// What is longer is no configuration; hosts fetch it themselves.
const MOST_BYTES: usize = 256 << 10;

/// Both fields of a step that names a template file.
pub(super) struct TemplateFile {
    /// The path as written.
    pub(super) path: Arg,
    /// The file's text, compiled for the step's place.
    pub(super) text: Arg,
}

/// Reads the file that a step names. What is wrong in it is told there.
pub(super) fn read(node: &Node, place: &StepScope, cx: &mut ParseContext<'_>) -> Option<TemplateFile> {
    let path = path(node, cx)?;
    let file = load(path, node, place, cx)?;
    let text = compile_file(cx.sources, file, &place.names, &mut cx.errors)?;
    let path = Arg { span: Some(node.span), ..Arg::constant(Value::Str(path.to_owned()), Type::Str) };
    Some(TemplateFile { path, text })
}

fn load(path: &str, node: &Node, place: &StepScope, cx: &mut ParseContext<'_>) -> Option<FileId> {
    let read = cx.reader.bytes(place.file(), path);
    let (path, bytes) = match read {
        Ok(found) => found,
        Err(why) => {
            let message = format!("cannot read the template `{}`: {why}", shorten(path));
            let hint = format!("paths stand relative to `{}`", place.file());
            cx.errors.error(TEMPLATE_FILE, node.span, message).hint(hint);
            return None;
        }
    };
    // Read once for all steps that name it, so that each of its mistakes is told once.
    if let Some(known) = cx.templates.get(&path) {
        return *known;
    }
    let file = text(&path, bytes, node, cx);
    cx.templates.insert(path, file);
    file
}

/// The path as written. It names one file: each template is compiled when the runbook is loaded.
fn path<'n>(node: &'n Node, cx: &mut ParseContext<'_>) -> Option<&'n str> {
    let holds_template = |path: &str| ["{{", "{%"].iter().any(|opening| path.contains(opening));
    let (message, hint) = if node.scalar().is_some_and(holds_template) {
        let hint = "write a step for each file, with `when`; or one file with `{% if %}` in it";
        ("the path of a template file depends on nothing", hint)
    } else {
        let path = node.text("the path of a template file", &mut cx.errors)?;
        if !path.is_empty() && !path.starts_with('/') {
            return Some(path);
        }
        let hint = "write a path relative to this file, such as `files/motd.tmpl`";
        ("the path of a template file is relative", hint)
    };
    cx.errors.error(TEMPLATE_PATH, node.span, message).hint(hint);
    None
}

/// The bytes as a source, where they are text.
fn text(path: &Utf8PathBuf, bytes: Vec<u8>, node: &Node, cx: &mut ParseContext<'_>) -> Option<FileId> {
    if bytes.len() > MOST_BYTES {
        let message =
            format!("the template `{path}` has {} bytes, more than the limit of {MOST_BYTES}", bytes.len());
        let error = cx.errors.error(TOO_LARGE, node.span, message);
        error.hint("let the hosts fetch it, by a package or a `command`");
        return None;
    }
    let (file, bad) = match String::from_utf8(bytes) {
        Ok(text) => (cx.sources.add(path, text), None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bad = (at, error.as_bytes()[at]);
            (cx.sources.add(path, String::from_utf8_lossy(error.as_bytes())), Some(bad))
        }
    };
    if let Some((at, byte)) = bad {
        let message = format!("the byte 0x{byte:02x} is no UTF-8");
        let error = cx.errors.error(NOT_UTF8, Span::new(file, at, at + 1), message);
        error.related(node.span, "named here").hint("save the file as UTF-8; a template is text");
        return None;
    }
    (!refuse_characters(cx.sources, file, &mut cx.errors)).then_some(file)
}
