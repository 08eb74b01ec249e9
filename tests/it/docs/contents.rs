//! `docs/SUMMARY.md`, the table of contents: it names every page once. What is made from code or named by its own first
//! line (step kinds, error codes, decisions) is written into it by `UPDATE_DOCS=1`; the rest is written by hand.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;

use super::page::{Page, root};

/// The folders whose pages are listed by themselves, each with the line below which they stand, and how far in.
const LISTED: [(&str, &str, &str); 3] = [
    ("docs/reference/steps/", "- [Step kinds](reference/steps/README.md)", "  "),
    ("docs/reference/errors/", "- [Error codes](reference/errors/README.md)", "  "),
    ("docs/design/", "# Design decisions", ""),
];

/// The table with the lists as they have to be.
fn contents(written: &str, pages: &[Page]) -> String {
    let listed = |path: &str| {
        !path.ends_with("/README.md") && LISTED.iter().any(|(folder, ..)| path.starts_with(folder))
    };
    let target = |line: &str| Some(format!("docs/{}", line.split("](").nth(1)?.strip_suffix(')')?));
    let mut out = String::new();
    for line in written.lines().filter(|line| !target(line).is_some_and(|path| listed(&path))) {
        out.push_str(line);
        out.push('\n');
        let Some((folder, _, indent)) = LISTED.iter().find(|(_, above, _)| *above == line) else { continue };
        out.push_str(if indent.is_empty() { "\n" } else { "" });
        for page in pages.iter().filter(|page| page.path.starts_with(folder) && listed(&page.path)) {
            let title = page.text.lines().find_map(|line| line.strip_prefix("# ")).expect("a title");
            let path = page.path.strip_prefix("docs/").expect("below docs/");
            writeln!(out, "{indent}- [{title}]({path})").expect("a string takes it");
        }
    }
    // A list by hand ends with an empty line of its own, so two of them would grow with each writing.
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    format!("{}\n", out.trim_end())
}

/// Writes the lists anew, where that is asked for. Whoever writes pages says so when they are there.
pub(crate) fn update() {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _mine = ONE_AT_A_TIME.lock().expect("no writer panics");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = contents(&Page::read("docs/SUMMARY.md").text, &Page::all());
        std::fs::write(root().join("docs/SUMMARY.md"), text).expect("written");
    }
}

#[test]
fn the_table_of_contents_names_every_page_once() {
    update();
    let pages = Page::all();
    let expected = contents(&Page::read("docs/SUMMARY.md").text, &pages);
    let contents = Page::read("docs/SUMMARY.md");
    assert!(contents.text == expected, "docs/SUMMARY.md is stale: run `just docs`");

    let named: Vec<String> = contents.links().into_iter().map(|(_, link)| format!("docs/{link}")).collect();
    let once: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(once.len(), named.len(), "a page is named twice: {named:?}");
    let there: BTreeSet<&str> = pages
        .iter()
        .map(|page| page.path.as_str())
        .filter(|path| !matches!(*path, "README.md" | "docs/SUMMARY.md"))
        .collect();
    let missing: Vec<_> = there.difference(&once).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md does not name {missing:?}");
    let gone: Vec<_> = once.difference(&there).collect();
    assert!(gone.is_empty(), "docs/SUMMARY.md names what is not there: {gone:?}");
}

#[test]
fn lists_are_made_anew_and_the_rest_is_kept() {
    let page = |path: &str, text: &str| Page { path: path.to_owned(), text: text.to_owned() };
    let pages = [page("docs/design/a.md", "# A choice\n"), page("docs/guide/x.md", "# X\n")];
    let written = "# Guide\n\n- [By hand](guide/x.md)\n\n# Design decisions\n\n- [Gone](design/gone.md)\n";
    let expected = "# Guide\n\n- [By hand](guide/x.md)\n\n# Design decisions\n\n- [A choice](design/a.md)\n";
    assert_eq!(contents(written, &pages), expected);
    assert_eq!(contents(expected, &pages), expected);
}
