//! Generated reference pages are what the code says. `UPDATE_DOCS=1 cargo test --test it docs` writes them anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::support::rollbook::Rollbook;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference")
}

fn check(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, expected).expect("written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run `just docs`", path.display());
}

#[test]
fn pages_of_step_kinds_are_fresh() {
    let mut index = String::from("# Step kinds\n\n");
    for kind in rollbook::step::all() {
        let page = Rollbook::new(["steps", kind.name()]).run().exits(0).stdout;
        check(&reference().join(format!("steps/{}.md", kind.name())), &page);
        writeln!(index, "- [`{0}`]({0}.md): {1}", kind.name(), kind.doc().summary).unwrap();
    }
    check(&reference().join("steps/README.md"), &index);
    let pages = std::fs::read_dir(reference().join("steps")).expect("there").count();
    assert_eq!(
        pages,
        rollbook::step::all().len() + 1,
        "a page of a kind that is gone stands in docs/reference/steps"
    );
}

#[test]
fn the_page_of_error_codes_is_fresh() {
    let mut page = String::from("# Error codes\n\nA code is never given a second meaning.\n");
    for info in rollbook::source::codes::CODES {
        writeln!(page, "\n## {} {}\n\n{}. {}", info.code, info.name, info.title, info.text).unwrap();
    }
    check(&reference().join("errors.md"), &page);
}

#[test]
fn generated_pages_are_fresh() {
    for (path, page) in rollbook::cli::reference_pages() {
        check(&reference().join(path), &page);
    }
}

#[test]
fn the_help_names_every_exit_code_of_the_table() {
    let table = std::fs::read_to_string(reference().join("exit-codes.md")).expect("there");
    let help = Rollbook::new(["--help"]).run().exits(0).stdout;
    let line =
        help.split("Exit codes:").nth(1).expect("a list").split_whitespace().collect::<Vec<_>>().join(" ");
    let rows =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
    let mut count = 0;
    for code in rows {
        assert!(format!("· {line}").contains(&format!("· {code} ")), "{code} is not in --help: {line}");
        count += 1;
    }
    assert_eq!(count, line.split('·').count(), "{line}");
}
