//! Words for syntax errors: what is wrong and what to do, in our own terms rather than the YAML specification's.

use granit_parser::ErrorKind;

/// A message and a hint, which may be empty.
pub(super) fn explain(kind: &ErrorKind) -> (String, &'static str) {
    let (message, hint) = match kind {
        tab if is_about_a_tab(tab) => ("a tab stands where YAML wants spaces", "indent with spaces only"),
        ErrorKind::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is never closed"), closing_hint(*open));
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), closing_hint(*open));
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            ("a closing bracket has no opening one", "remove it, or quote the text")
        }
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("a `,` or `}` is missing", "close the mapping with `}`, or separate its entries with `,`")
        }
        ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::UnexpectedEofFlowSequence => {
            ("a `,` or `]` is missing", "close the list with `]`, or separate its items with `,`")
        }
        ErrorKind::UnclosedQuotedScalar => ("a quoted text is never closed", "add the closing quote"),
        ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar => (
            "a quoted text goes on to this line, which is not indented enough",
            "is the closing quote missing above? otherwise indent this line",
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "something follows a closing quote",
            "put quotes around the whole value; inside single quotes write `''` for a quote, inside double ones `\\\"`",
        ),
        ErrorKind::UnknownQuotedScalarEscape => {
            ("unknown escape in double quotes", "write `\\\\` for a backslash, or use single quotes")
        }
        ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => {
            ("this escape names no character", "use single quotes for literal text")
        }
        ErrorKind::MappingValueNotAllowed => (
            "`: ` cannot start a mapping here",
            "quote text that holds `: `, or check the indentation of this line",
        ),
        ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace
        | ErrorKind::FlowMappingValueAdjacentCollection => {
            ("this `:` is out of place", "put a space after it, or quote the text that holds it")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey | ErrorKind::ExpectedBlockMappingKey => (
            "a `key: value` is expected here",
            "is the colon missing, or does the indentation not match the lines above?",
        ),
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::UnexpectedEofBlockSequence => {
            ("a list item (`- …`) is expected here", "items and keys cannot be mixed at one indentation")
        }
        ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::InvalidBlockEntryWhitespace => (
            "a list item cannot start here",
            "start the list on its own line, or write it as `[a, b]`; quote text that starts with `- `",
        ),
        ErrorKind::MappingKeyNotAllowed => ("a key cannot start here", "start it on its own line"),
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => {
            ("the indentation of this line matches no line above", "align it with what it belongs to")
        }
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => {
            ("something stands after the `|` or `>` of a block", "start the text on the next line")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            return (
                format!("text without quotes cannot start with `{character}`"),
                "put the text in quotes",
            );
        }
        ErrorKind::PlainScalarStartsWithDashFlowIndicator | ErrorKind::UnexpectedEndOfPlainScalar => {
            ("text without quotes cannot look like this", "put the text in quotes")
        }
        ErrorKind::MissingAnchorOrAliasName => {
            ("`*` or `&` without a name", "quote text that starts with `*` or `&`, such as a glob")
        }
        ErrorKind::DirectiveDisallowed => ("a `%` directive is not supported", "remove the line"),
        ErrorKind::CommentNotSeparated | ErrorKind::CommentInterceptedScalar => {
            ("`#` is out of place", "put a space before a comment, or quote the text")
        }
        ErrorKind::BomInsideDocument => ("a byte order mark in the middle of the file", "remove it"),
        ErrorKind::ExpectedDocumentStart | ErrorKind::InvalidDocumentEnd => (
            "something follows the end of the document",
            "a file holds one document; check the indentation of this line",
        ),
        ErrorKind::UndeclaredTagHandle
        | ErrorKind::ExpectedTagBang
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag => (
            "tags (`!name`) are not supported",
            "remove it, or quote text that starts with `!`, such as a selector",
        ),
        other => return (format!("this is not valid YAML: {other}"), ""),
    };
    (message.to_owned(), hint)
}

/// Whether a quote that is not closed is what is wrong, or what follows one that closed too early.
pub(super) fn is_about_a_quote(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar
            | ErrorKind::InvalidTrailingSingleQuotedScalar
            | ErrorKind::InvalidTrailingDoubleQuotedScalar
    )
}

/// Whether a tab is what is wrong.
pub(super) fn is_about_a_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

fn closing_hint(open: char) -> &'static str {
    if open == '{' { "close it with `}`" } else { "close it with `]`" }
}
