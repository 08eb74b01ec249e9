//! Every filter, test and operator, with what it does and an example: the check when a file is loaded and the reference
//! page are made from these tables, and each example is evaluated by a test.

use std::ops::RangeInclusive;

/// A word of the language.
#[derive(Clone, Copy, Debug)]
pub struct LanguageWord {
    /// As written.
    pub name: &'static str,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// An expression without names.
    pub example: &'static str,
    /// What the example gives, as text.
    pub gives: &'static str,
}

const fn word(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    gives: &'static str,
) -> LanguageWord {
    LanguageWord { name, doc, example, gives }
}

/// Every filter, sorted.
pub const FILTERS: [LanguageWord; 21] = [
    word(
        "default",
        "The argument where the value is nothing or its name is not there.",
        "none | default(\"x\")",
        "x",
    ),
    word("duration", "A text as a duration.", "\"90s\" | duration", "1m30s"),
    word("first", "The first item of a list; an empty list is an error.", "[\"a\", \"b\"] | first", "a"),
    word(
        "glob",
        "The items of a list of texts that match a glob of `*` and `?`.",
        "[\"w1\", \"cp1\"] | glob(\"w*\")",
        "[w1]",
    ),
    word("int", "A text as a whole number.", "\"3\" | int", "3"),
    word(
        "join",
        "The items of a list as one text, with the argument between them.",
        "[\"a\", \"b\"] | join(\",\")",
        "a,b",
    ),
    word("last", "The last item of a list; an empty list is an error.", "[\"a\", \"b\"] | last", "b"),
    word("length", "Characters of a text, items of a list or keys of a mapping.", "\"abc\" | length", "3"),
    word("lower", "A text in lower case.", "\"ABC\" | lower", "abc"),
    word("major", "The first number of a version.", "\"1.31.4\" | major", "1"),
    word("minor", "A version without its third number.", "\"1.31.4\" | minor", "1.31"),
    word("patch", "The third number of a version; one that has none is an error.", "\"1.31.4\" | patch", "4"),
    word(
        "quote",
        "A text as one word of a shell, whatever it holds. It stands outside of quotes.",
        "\"it's; rm\" | quote",
        "'it'\\''s; rm'",
    ),
    word(
        "replace",
        "A text with every occurrence of the first argument replaced by the second.",
        "\"a-b\" | replace(\"-\", \"_\")",
        "a_b",
    ),
    word("sort", "A list in order; versions sort as versions.", "[\"b\", \"a\"] | sort", "[a, b]"),
    word(
        "split",
        "A text cut at the argument, or at white space where there is none.",
        "\"a,b\" | split(\",\")",
        "[a, b]",
    ),
    word("string", "A value as text.", "true | string", "true"),
    word("trim", "A text without white space around it.", "\" a \" | trim", "a"),
    word("unique", "A list without repetitions.", "[\"a\", \"b\", \"a\"] | unique", "[a, b]"),
    word("upper", "A text in upper case.", "\"abc\" | upper", "ABC"),
    word(
        "version",
        "A text as a version, so that it compares as one.",
        "\"1.9\" | version < \"1.31\" | version",
        "true",
    ),
];

/// Every test of `is` and `is not`, sorted.
pub const TESTS: [LanguageWord; 3] = [
    word("defined", "The name is there.", "1 is defined", "true"),
    word("matching", "A text matches a glob of `*` and `?`.", "\"w12\" is matching(\"w*\")", "true"),
    word("version", "A value is a version, or a text that could be one.", "\"1.31.4\" is version", "true"),
];

/// Every operator.
pub const OPERATORS: [LanguageWord; 9] = [
    word(
        "== !=",
        "Equal or not. Values of different types are never compared: that is an error.",
        "\"a\" != \"b\"",
        "true",
    ),
    word(
        "< <= > >=",
        "Order, of numbers, versions, durations, sizes and percentages; of texts that are no versions.",
        "2 < 10",
        "true",
    ),
    word("and or not", "Logic; each side must be a boolean.", "true and not false", "true"),
    word(
        "in, not in",
        "Whether a list holds a value, a mapping a key, or a text a part.",
        "\"a\" in [\"a\", \"b\"]",
        "true",
    ),
    word("x if c else y", "One of two values.", "\"a\" if 1 == 1 else \"b\"", "a"),
    word("~", "Two values as one text.", "\"w\" ~ 3", "w3"),
    word("+ - * // %", "Arithmetic of whole numbers; `//` divides and rounds down.", "7 // 2", "3"),
    word("\\|", "Applies a filter.", "\"1.31.4\" | minor", "1.31"),
    word("a.b, a[\"b\"], a[0]", "A member of a mapping, an item of a list.", "[\"a\", \"b\"][0]", "a"),
];

/// How many arguments a filter or a test takes, beside the value that it is about.
pub(super) fn arguments(name: &str) -> RangeInclusive<usize> {
    match name {
        "default" | "glob" | "matching" => 1..=1,
        "replace" => 2..=2,
        "join" | "split" => 0..=1,
        _ => 0..=0,
    }
}

/// Whether a table has a word.
pub(super) fn has(table: &[LanguageWord], name: &str) -> bool {
    table.iter().any(|word| word.name == name)
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, Scope};
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(FILTERS.is_sorted_by_key(|word| word.name) && TESTS.is_sorted_by_key(|word| word.name));
    }

    #[test]
    fn filters_take_as_many_arguments_as_the_table_says() {
        let calls = FILTERS.iter().map(|word| (word.name, "'a' | ")).chain([("matching", "'a' is ")]);
        for (name, before) in calls {
            for count in 0..3 {
                let source = format!("{before}{name}({})", vec!["'a'"; count].join(", "));
                let outcome =
                    Expression::compile(&source).and_then(|expression| expression.eval(&Scope::new()));
                let is_refused =
                    outcome.is_err_and(|error| error.message.contains("gives a filter or a test"));
                // `join` and `split` leave alone what is too much.
                let takes = arguments(name).contains(&count)
                    || *arguments(name).start() == 0 && *arguments(name).end() == 1;
                assert_eq!(!is_refused, takes, "{source}");
            }
        }
    }

    #[test]
    fn every_example_gives_what_the_reference_says() {
        for word in FILTERS.iter().chain(&TESTS).chain(&OPERATORS) {
            let value =
                Expression::compile(word.example).and_then(|expression| expression.eval(&Scope::new()));
            let shown = value.map(|value| value.to_string()).map_err(|error| error.message);
            assert_eq!(shown.as_deref(), Ok(word.gives), "{}", word.example);
        }
    }
}
