//! Every link of a page leads to something that is there.

use std::path::{Component, Path, PathBuf};

use super::page::{Page, root};

/// `a/../b` is `b`; nothing is asked of the disk, so that a link out of the repository is seen as one.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if out.file_name().is_some() => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Why a link of a page leads nowhere.
fn broken(page: &Page, link: &str) -> Option<&'static str> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let from = Path::new(&page.path);
    let target = if file.is_empty() {
        from.to_path_buf()
    } else {
        normal(&from.parent().expect("a folder").join(file))
    };
    // The book holds docs/ and nothing else, so a page of it that leads out leads nowhere there.
    if from.starts_with("docs") && !target.starts_with("docs") {
        return Some("leads out of the book");
    }
    if !root().join(&target).exists() {
        return Some("is not there");
    }
    let heading = || Page::read(&target.display().to_string()).anchors().iter().any(|found| found == anchor);
    (!anchor.is_empty() && !heading()).then_some("has no such heading")
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in Page::all() {
        for (line, link) in page.links() {
            count += 1;
            if let Some(why) = broken(&page, &link) {
                wrong.push(format!("{}:{line}: {link} {why}", page.path));
            }
        }
    }
    assert!(count > 90, "{count} links");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = |path: &str| Page { path: path.to_owned(), text: "# Here\n".to_owned() };
    let guide = page("docs/guide/x.md");
    for (link, found) in [
        ("first-runbook.md", None),
        ("../reference/exit-codes.md#exit-codes", None),
        ("https://example.com", None),
        ("gone.md", Some("is not there")),
        ("first-runbook.md#gone", Some("has no such heading")),
        ("../../README.md", Some("leads out of the book")),
        ("../../../x", Some("leads out of the book")),
    ] {
        assert_eq!(broken(&guide, link), found, "{link}");
    }
    assert_eq!(broken(&page("README.md"), "docs/architecture.md#the-way-of-a-run"), None);
}
