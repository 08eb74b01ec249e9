//! From the parser's events to the tree: anchors, aliases and merge keys are resolved, limits are kept, and nothing
//! recurses while the file decides how deep.

use std::collections::HashMap;

use granit_parser::{
    ErrorKind, Event, ScalarStyle as RawStyle, ScanError, Span as RawSpan, StructureStyle, Tag,
};

use super::super::codes::{
    ALIAS, BAD_CHARACTER, BAD_KEY, DUPLICATE_KEY, MERGE_KEY, SEVERAL_DOCUMENTS, SYNTAX, TAG, TOO_LARGE,
};
use super::super::{Diagnostics, Entry, FileId, Node, NodeKind, ScalarStyle, Span, Spanned, nearest, slip};
use super::{Limits, characters, slips, syntax};

/// The file cannot be read further; the reason is already reported.
pub(super) struct Unreadable;

/// A finished node with what the limits need to know of it.
#[derive(Clone)]
struct Built {
    node: Node,
    /// Nodes in it, itself included.
    size: usize,
    /// Levels in it; a scalar is one.
    height: usize,
    /// Whether it is a plain `<<`.
    merge: bool,
}

/// A collection that is still open.
struct OpenCollection {
    contents: Contents,
    start: usize,
    flow: bool,
    anchor: usize,
    size: usize,
    height: usize,
}

enum Contents {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Span>, key: Option<PendingKey>, merges: Vec<Node> },
}

/// A key whose value is still to come.
enum PendingKey {
    Text(Spanned<String>),
    Merge,
    /// Already reported; its value is read and dropped.
    Refused,
    /// Already reported; `{{ … }}` written without quotes, which is what the writer meant the mapping to be.
    Template,
}

pub(super) struct Builder<'t, 'd> {
    text: &'t str,
    file: FileId,
    limits: Limits,
    diagnostics: &'d mut Diagnostics,
    stack: Vec<OpenCollection>,
    anchors: HashMap<usize, Built>,
    names: Vec<String>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    usable: bool,
    /// Where the last `{{ … }}` without quotes starts.
    template: Option<usize>,
}

impl<'t, 'd> Builder<'t, 'd> {
    pub(super) fn new(text: &'t str, file: FileId, limits: Limits, diagnostics: &'d mut Diagnostics) -> Self {
        Self {
            text,
            file,
            limits,
            diagnostics,
            stack: Vec::new(),
            anchors: HashMap::new(),
            names: Vec::new(),
            root: None,
            documents: 0,
            nodes: 0,
            usable: true,
            template: None,
        }
    }

    /// The tree, where the file held one, and whether it may be used.
    pub(super) fn finish(self) -> (Option<Node>, bool) {
        (self.root, self.usable)
    }

    /// Reports where and why the parser gave up.
    pub(super) fn syntax_error(&mut self, error: &ScanError) {
        let offset = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let line_start = self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let offset = if syntax::is_about_a_tab(error.kind()) { self.tab(line_start, offset) } else { offset };
        if self.template.is_some_and(|template| template >= line_start) {
            // What YAML makes of `{{ … }}` without quotes is already explained; the rest of the line follows from it.
            return;
        }
        let width =
            self.text[offset..].chars().next().map_or(0, |c| if c == '\n' { 0 } else { c.len_utf8() });
        let place = self.span(offset, offset + width);
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            let _ = self.check_depth(usize::MAX, place);
            return;
        }
        if self.common_slip(offset, line_start, error.kind()) {
            return;
        }
        let (message, hint) = syntax::explain(error.kind());
        let opened = self.stack.iter().rev().find(|frame| frame.flow).map(|frame| frame.start);
        let opened = opened.filter(|start| *start != offset);
        let hint = match opened {
            _ if template_without_quotes(&self.text[line_start..]) => {
                "put a value that starts with `{{` in quotes: \"{{ … }}…\""
            }
            // The place of the mistake is the bracket, however far down the parser could still make sense of it.
            Some(start) if start < line_start => "is the closing bracket missing?",
            _ => hint,
        };
        let opening = opened.map(|start| self.span(start, start + 1));
        let diagnostic = self.diagnostics.error(SYNTAX, place, message);
        if !hint.is_empty() {
            diagnostic.hint(hint);
        }
        if let Some(opening) = opening {
            diagnostic.related(opening, "inside this bracket, which is still open");
        }
    }

    /// Reports a mistake that YAML's own words hide: a no-break space, no space behind `:` or `-`, a quote that is open.
    fn common_slip(&mut self, offset: usize, line_start: usize, kind: &ErrorKind) -> bool {
        let lines = slips::lines_before(self.text, line_start);
        if let Some((at, character)) = slips::no_break_space(self.text, &lines) {
            let message = format!("U+{:04X} stands where a space belongs", u32::from(character));
            let place = self.span(at, at + character.len_utf8());
            let advice = slip::advice(character).unwrap_or_default();
            self.diagnostics.error(SYNTAX, place, message).hint(advice);
            return true;
        }
        if let Some((at, character, advice)) = slips::look_alike(self.text, &lines) {
            let message = format!("U+{:04X} stands where YAML wants another character", u32::from(character));
            let place = self.span(at, at + character.len_utf8());
            self.diagnostics.error(SYNTAX, place, message).hint(advice);
            return true;
        }
        if syntax::is_about_a_quote(kind)
            && let Some(quote) = slips::open_quote(self.text, offset)
        {
            let (message, hint) = syntax::explain(kind);
            let end =
                self.text[offset..].chars().next().map_or(0, |c| if c == '\n' { 0 } else { c.len_utf8() });
            let (place, opening) = (self.span(offset, offset + end), self.span(quote, quote + 1));
            let error = self.diagnostics.error(SYNTAX, place, message);
            error.hint(hint).related(opening, "the quote that is open begins here");
            return true;
        }
        if let Some((at, mark)) = slips::no_space(self.text, &lines) {
            let place = self.span(at, at + mark.len_utf8());
            let error =
                self.diagnostics.error(SYNTAX, place, format!("a space is missing behind this `{mark}`"));
            error.hint(if mark == ':' { "write `key: value`" } else { "write `- item`" });
            return true;
        }
        false
    }

    /// Where the tab stands that the parser refused: it points behind it, or at the text that the tab interrupts.
    fn tab(&self, line_start: usize, noticed: usize) -> usize {
        let line = self.text[line_start..].split('\n').next().unwrap_or_default();
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let before = &line[..line.ceil_char_boundary(noticed - line_start + 1)];
        let found = line[..indentation].find('\t').or_else(|| before.rfind('\t'));
        let later = || self.text[noticed..].find('\t').map(|at| noticed + at);
        found.map(|at| line_start + at).or_else(later).unwrap_or(noticed)
    }

    /// Takes one event.
    pub(super) fn take(&mut self, event: Event<'_>, raw: RawSpan) -> Result<(), Unreadable> {
        let range = raw.byte_range().unwrap_or(0..0);
        let span = self.span(range.start, range.end);
        match event {
            Event::DocumentStart(..) => self.start_document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &raw, span);
                let built = self.scalar(&text, style, span)?;
                self.add(built, anchor);
                Ok(())
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &raw, span);
                self.open(Contents::Seq(Vec::new()), style, anchor, span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &raw, span);
                let contents = Contents::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.open(contents, style, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span);
                Ok(())
            }
            Event::Anchor(_, name) => {
                self.names.push(name.into_owned());
                Ok(())
            }
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                self.unresolved(&name, span);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    fn start_document(&mut self, span: Span) -> Result<(), Unreadable> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        self.diagnostics
            .error(SEVERAL_DOCUMENTS, span, "a second document starts here")
            .hint("a file holds one document; put the other one into a file of its own");
        Err(Unreadable)
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, raw: &RawSpan, span: Span) {
        let Some(tag) = tag else { return };
        let place = raw.tag_span().and_then(|span| span.byte_range());
        let span = place.map_or(span, |range| self.span(range.start, range.end));
        let written = tag.original();
        let hint = match tag.core_suffix() {
            Some("str") => "put the value in quotes to make it text".to_owned(),
            Some(_) => "remove it: the type of a value is known from its key".to_owned(),
            None => "remove it, or quote text that starts with `!`, such as a selector".to_owned(),
        };
        self.diagnostics.error(TAG, span, format!("the tag `{written}` is not supported")).hint(hint);
    }

    fn scalar(&mut self, text: &str, style: RawStyle, span: Span) -> Result<Built, Unreadable> {
        self.count(1, span)?;
        if let Some(character) = characters::never_allowed(text) {
            let message = format!("an escape gives the character U+{:04X}", u32::from(character));
            self.diagnostics
                .error(BAD_CHARACTER, span, message)
                .hint("no text may hold it; remove the escape");
            self.usable = false;
        }
        let style = match style {
            RawStyle::Plain => ScalarStyle::Plain,
            RawStyle::Literal | RawStyle::Folded => ScalarStyle::Block,
            RawStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
            RawStyle::SingleQuoted => ScalarStyle::Quoted,
        };
        let plain = style == ScalarStyle::Plain;
        let kind = if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            NodeKind::Null
        } else {
            NodeKind::Scalar { text: text.to_owned(), style }
        };
        let written = &self.text[span.start as usize..span.end as usize];
        let quotes = usize::from(matches!(style, ScalarStyle::Quoted | ScalarStyle::DoubleQuoted));
        let is_moved = written.get(quotes..written.len().saturating_sub(quotes).max(quotes)) != Some(text);
        let raw = is_moved.then(|| written.into());
        Ok(Built { node: Node { kind, span, raw }, size: 1, height: 1, merge: plain && text == "<<" })
    }

    fn open(
        &mut self,
        contents: Contents,
        style: StructureStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), Unreadable> {
        self.count(1, span)?;
        self.check_depth(self.stack.len() + 1, span)?;
        let (start, flow) = (span.start as usize, style == StructureStyle::Flow);
        self.stack.push(OpenCollection { contents, start, flow, anchor, size: 1, height: 1 });
        Ok(())
    }

    fn close(&mut self, end: Span) {
        let frame = self.stack.pop().expect("invariant: the parser closes only what it opened");
        let (kind, last, template) = match frame.contents {
            Contents::Seq(items) => {
                let last = items.last().map(|item| item.span.end);
                (NodeKind::Seq(items), last, false)
            }
            Contents::Map { entries, seen, merges, key } => {
                let last = entries.last().map(|entry| entry.value.span.end);
                let entries = self.merge(entries, seen, &merges);
                (NodeKind::Map(entries), last, matches!(key, Some(PendingKey::Template)))
            }
        };
        // The parser ends a block where the next thing starts, which may be pages later.
        let end = if frame.flow { end.end as usize } else { last.map_or(frame.start, |end| end as usize) };
        let span = self.span(frame.start, end.max(frame.start));
        let kind = if template {
            NodeKind::Scalar { text: self.text[frame.start..end].to_owned(), style: ScalarStyle::Quoted }
        } else {
            kind
        };
        let built =
            Built { node: Node::new(kind, span), size: frame.size, height: frame.height, merge: false };
        self.add(built, frame.anchor);
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Unreadable> {
        let Some(target) = self.anchors.get(&id) else {
            // The anchor's own node is still open: the alias stands inside it.
            self.diagnostics.error(ALIAS, span, "an alias inside of what it repeats would never end");
            return Err(Unreadable);
        };
        let (size, height) = (target.size, target.height);
        self.count(size, span)?;
        self.check_depth(self.stack.len() + height, span)?;
        let mut copy = self.anchors[&id].clone();
        copy.node.span = span;
        self.add(copy, 0);
        Ok(())
    }

    fn unresolved(&mut self, name: &str, span: Span) {
        let nearest = nearest(name, self.names.iter().map(String::as_str)).map(str::to_owned);
        let diagnostic = self.diagnostics.error(
            ALIAS,
            span,
            format!("`*{name}` repeats nothing: no `&{name}` stands above it"),
        );
        match nearest {
            Some(nearest) => diagnostic.hint(format!("did you mean `*{nearest}`?")),
            None => diagnostic.hint("quote text that starts with `*`, such as a glob"),
        };
        // Whatever the alias stands for is unknown, so every complaint about its place would be noise.
        self.usable = false;
        self.add(Built { node: Node::new(NodeKind::Null, span), size: 1, height: 1, merge: false }, 0);
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, built: Built, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Some(mut frame) = self.stack.pop() else {
            self.root = Some(built.node);
            return;
        };
        frame.size += built.size;
        frame.height = frame.height.max(built.height + 1);
        match &mut frame.contents {
            Contents::Seq(items) => items.push(built.node),
            Contents::Map { entries, seen, key, merges } => match key.take() {
                None => *key = Some(self.key(built, frame.start, seen)),
                Some(PendingKey::Text(name)) => entries.push(entry(name, built.node)),
                Some(PendingKey::Merge) => merges.push(built.node),
                Some(PendingKey::Refused) => {}
                Some(PendingKey::Template) => *key = Some(PendingKey::Template),
            },
        }
        self.stack.push(frame);
    }

    fn key(&mut self, built: Built, map_start: usize, seen: &mut HashMap<String, Span>) -> PendingKey {
        let span = built.node.span;
        let text = match built.node.kind {
            NodeKind::Scalar { text, .. } if !text.is_empty() => text,
            NodeKind::Map(_) if self.text[map_start..].starts_with("{{") => {
                self.diagnostics
                    .error(
                        BAD_KEY,
                        self.span(map_start, span.end as usize),
                        "`{{` without quotes is a YAML mapping",
                    )
                    .hint("put the whole value in quotes: \"{{ … }}\"");
                self.template = Some(map_start);
                return PendingKey::Template;
            }
            NodeKind::Seq(_) | NodeKind::Map(_) => {
                self.diagnostics
                    .error(BAD_KEY, span, "a key must be text")
                    .hint("write a plain word before the `:`");
                return PendingKey::Refused;
            }
            _ => {
                self.diagnostics
                    .error(BAD_KEY, span, "a key is empty")
                    .hint("write a word before the `:`, in quotes if it must be `null` or `~`");
                return PendingKey::Refused;
            }
        };
        if let Some(first) = seen.get(&text) {
            let message = format!("the key `{}` is written twice", text.escape_debug());
            self.diagnostics.error(DUPLICATE_KEY, span, message).related(*first, "first defined here");
            return PendingKey::Refused;
        }
        seen.insert(text.clone(), span);
        if built.merge { PendingKey::Merge } else { PendingKey::Text(Spanned { value: text, span }) }
    }

    /// Adds what `<<` brings in. Keys that are written out win; of several mappings the first wins.
    fn merge(
        &mut self,
        mut entries: Vec<Entry>,
        mut seen: HashMap<String, Span>,
        merges: &[Node],
    ) -> Vec<Entry> {
        for merged in merges {
            let maps = match &merged.kind {
                NodeKind::Seq(items) => items.as_slice(),
                _ => std::slice::from_ref(merged),
            };
            for map in maps {
                let NodeKind::Map(from) = &map.kind else {
                    self.diagnostics
                        .error(MERGE_KEY, map.span, "`<<` takes a mapping or a list of mappings")
                        .hint("write an alias to a mapping, such as `<<: *defaults`");
                    continue;
                };
                for entry in from {
                    if !seen.contains_key(&entry.key.value) {
                        seen.insert(entry.key.value.clone(), entry.key.span);
                        entries.push(entry.clone());
                    }
                }
            }
        }
        entries
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= self.limits.nodes {
            return Ok(());
        }
        let message = format!("the file has more than {} values", self.limits.nodes);
        self.diagnostics.error(TOO_LARGE, span, message).hint("an alias counts with all that it repeats");
        Err(Unreadable)
    }

    fn check_depth(&mut self, depth: usize, span: Span) -> Result<(), Unreadable> {
        if depth <= self.limits.depth {
            return Ok(());
        }
        let message = format!("the nesting is deeper than {} levels", self.limits.depth);
        self.diagnostics.error(TOO_LARGE, span, message);
        Err(Unreadable)
    }
}

/// A value that was left out has no place of its own; its key is where people look.
fn entry(key: Spanned<String>, mut value: Node) -> Entry {
    if matches!(value.kind, NodeKind::Null) && value.span.start == value.span.end {
        value.span = key.span;
    }
    Entry { key, value }
}

/// Whether a value of this line starts with `{{`, which YAML takes for two mappings.
fn template_without_quotes(text: &str) -> bool {
    let line = text.lines().next().unwrap_or("");
    line.contains(": {{") || line.trim_start().starts_with("- {{")
}
