//! Diagnostics as people and machines read them. The only file that names the crate that draws source lines.
//!
//! A file's text is hostile until shown otherwise: control characters come out escaped, and a line is cut around the
//! place that matters.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::codes::code_info;
use super::{Diagnostic, Severity, SourceMap, Span};

/// Characters of a source line that are shown; a longer one is cut on both sides of the caret.
const WIDTH: usize = 120;

/// One line of a file, ready to be shown, and the caret in it.
struct Excerpt<'s> {
    path: &'s str,
    line: usize,
    column: usize,
    text: String,
    caret: Range<usize>,
}

/// One diagnostic with its source lines, ending in an empty line.
pub(super) fn text(diagnostic: &Diagnostic, sources: &SourceMap, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let code = diagnostic.code.to_string();
    let message = lines(&diagnostic.message);
    let mut main = Group::with_title(level.primary_title(&*message).id(&*code));
    let mut excerpts = Vec::new();
    if let Some(span) = diagnostic.span {
        let excerpt = excerpt(sources, span);
        main = draw(main, &excerpt, &diagnostic.label);
        excerpts.push(excerpt);
    }
    let mut groups = vec![main];
    for (span, label) in &diagnostic.related {
        let note = Group::with_title(Level::NOTE.secondary_title(lines(label)));
        let excerpt = excerpt(sources, *span);
        groups.push(draw(note, &excerpt, ""));
        excerpts.push(excerpt);
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    if groups.len() == 1 && excerpts.is_empty() {
        // Without a source line there is nothing for a hint to hang from, and the drawing would have an empty line.
        let hints = diagnostic.hints.iter().map(|hint| format!("\nhint: {}", lines(hint)));
        return format!("{}{}\n\n", renderer.render(&groups), hints.collect::<String>());
    }
    let last = groups.pop().expect("invariant: the main group is always there");
    let hints = diagnostic.hints.iter().map(|hint| Level::HELP.with_name("hint").message(lines(hint)));
    groups.push(last.elements(hints));
    // The line is already cut to what matters, and a message is never cut.
    let drawn = renderer.term_width(10_000).render(&groups);
    format!("{}\n\n", excerpts.iter().fold(drawn, correct_column))
}

fn draw<'s>(group: Group<'s>, excerpt: &Excerpt<'s>, label: &'s str) -> Group<'s> {
    let mut annotation = AnnotationKind::Primary.span(excerpt.caret.clone());
    if !label.is_empty() {
        annotation = annotation.label(lines(label));
    }
    let snippet = Snippet::source(excerpt.text.clone()).line_start(excerpt.line).path(excerpt.path);
    group.element(snippet.annotation(annotation))
}

/// The drawing counts columns in the excerpt; people and editors need those of the file.
fn correct_column(drawn: String, excerpt: &Excerpt<'_>) -> String {
    let column = excerpt.text[..excerpt.caret.start].chars().count() + 1;
    if column == excerpt.column {
        return drawn;
    }
    let place = |column| format!("{}:{}:{column}", excerpt.path, excerpt.line);
    drawn.replacen(&place(column), &place(excerpt.column), 1)
}

fn excerpt(sources: &SourceMap, span: Span) -> Excerpt<'_> {
    let file = sources.file(span.file);
    let (line, column) = sources.line_column(span);
    let text = sources.line(span.file, line);
    let from = column - 1;
    // A span over several lines is marked to the end of its first one.
    let marked = sources.slice(span).lines().next().unwrap_or("").chars().count().max(1);

    let length = text.chars().count();
    let start = if length <= WIDTH { 0 } else { from.saturating_sub(WIDTH / 3).min(length - WIDTH) };
    let mut shown = String::new();
    let mut caret = None::<Range<usize>>;
    if start > 0 {
        shown.push('…');
    }
    for (at, character) in text.chars().enumerate().skip(start).take(WIDTH) {
        let before = shown.len();
        shown.push_str(&visible(character));
        if (from..from + marked).contains(&at) {
            caret = Some(caret.map_or(before, |caret| caret.start)..shown.len());
        }
    }
    if length > start + WIDTH {
        shown.push('…');
    }
    let end = shown.len();
    Excerpt { path: file.name.as_str(), line, column, text: shown, caret: caret.unwrap_or(end..end) }
}

/// A character as it may reach a terminal: controls, and what reorders text, come out escaped.
pub(super) fn visible(character: char) -> String {
    match character {
        '\t' => " ".to_owned(),
        _ if character.is_control() => character.escape_default().to_string(),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{F0000}' | '\u{F0001}' => {
            character.escape_unicode().to_string()
        }
        _ => character.to_string(),
    }
}

/// A message with its line breaks kept and every other control character escaped.
fn lines(text: &str) -> String {
    text.chars()
        .map(|character| if character == '\n' { "\n".to_owned() } else { visible(character) })
        .collect()
}

/// One diagnostic for machines.
pub(super) fn json(diagnostic: &Diagnostic, sources: &SourceMap) -> serde_json::Value {
    let related: Vec<_> = diagnostic
        .related
        .iter()
        .map(|(span, text)| json!({ "message": text, "place": place(sources, *span) }))
        .collect();
    json!({
        "code": diagnostic.code.to_string(),
        "name": code_info(diagnostic.code).map(|info| info.name),
        "severity": diagnostic.severity.word(),
        "message": diagnostic.message,
        "place": diagnostic.span.map(|span| place(sources, span)),
        "label": diagnostic.label,
        "related": related,
        "hints": diagnostic.hints,
    })
}

fn place(sources: &SourceMap, span: Span) -> serde_json::Value {
    let (line, column) = sources.line_column(span);
    let (end_line, end_column) = sources.line_column(Span { start: span.end, ..span });
    json!({
        "file": sources.file(span.file).name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Diagnostics;
    use super::super::codes::WRONG_TYPE;
    use super::*;

    fn shown(text: &str, start: usize, end: usize) -> String {
        let mut sources = SourceMap::default();
        let file = sources.add("runbooks/a.yaml", text);
        let mut diagnostics = Diagnostics::default();
        diagnostics
            .error(WRONG_TYPE, Span::new(file, start, end), "odd value")
            .label("here")
            .related(Span::new(file, 0, 1), "started here")
            .hint("write another");
        diagnostics.render(&sources, false)
    }

    #[test]
    fn a_diagnostic_shows_place_line_caret_label_and_hint() {
        insta::assert_snapshot!(shown("a: 1\nbcd: efg\n", 10, 13), @r#"
        error[RB0110]: odd value
         --> runbooks/a.yaml:2:6
          |
        2 | bcd: efg
          |      ^^^ here
          |
        note: started here
         --> runbooks/a.yaml:1:1
          |
        1 | a: 1
          | ^
          = hint: write another
        "#);
    }

    #[test]
    fn what_stands_in_no_file_has_no_empty_lines() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic {
            code: WRONG_TYPE,
            severity: Severity::Error,
            message: "odd".to_owned(),
            span: None,
            label: String::new(),
            related: Vec::new(),
            hints: vec!["write another".to_owned()],
        });
        let shown = diagnostics.render(&SourceMap::default(), false);
        assert_eq!(shown.trim_end(), "error[RB0110]: odd\nhint: write another");
    }

    #[test]
    fn carets_stand_under_wide_and_escaped_characters() {
        insta::assert_snapshot!(shown("名: x\x1b[0m y\n", 10, 11), @r#"
        error[RB0110]: odd value
         --> runbooks/a.yaml:1:9
          |
        1 | 名: x\u{1b}[0m y
          |               ^ here
          |
        note: started here
         --> runbooks/a.yaml:1:1
          |
        1 | 名: x\u{1b}[0m y
          | ^^
          = hint: write another
        "#);
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("key: {}MARK{}\n", "x".repeat(5000), "y".repeat(5000));
        let shown = shown(&text, 5005, 5009);
        assert!(shown.contains("MARK") && shown.contains("^^^^"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() < 180), "{shown}");
    }

    #[test]
    fn colour_is_there_only_when_asked_for() {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", "a: 1");
        let mut diagnostics = Diagnostics::default();
        diagnostics.error(WRONG_TYPE, Span::new(file, 3, 4), "odd");
        assert!(!diagnostics.render(&sources, false).contains('\x1b'));
        assert!(diagnostics.render(&sources, true).contains('\x1b'));
    }

    #[test]
    fn machines_get_every_field() {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", "a:\n  b\n");
        let mut diagnostics = Diagnostics::default();
        diagnostics.error(WRONG_TYPE, Span::new(file, 5, 6), "odd").hint("other");
        let json = diagnostics.to_json(&sources);
        assert_eq!(json[0]["code"], "RB0110");
        assert_eq!(json[0]["name"], "wrong-type");
        assert_eq!(json[0]["place"]["line"], 2);
        assert_eq!(json[0]["place"]["end_column"], 4);
        assert_eq!(json[0]["hints"][0], "other");
    }
}
