//! A repository as written, and as found on a host.

use serde_json::json;

use super::*;
use crate::step::cases;

#[test]
fn cases_hold() {
    cases::run("apt_repo");
}

#[test]
fn what_would_end_a_line_or_an_option_early_is_refused() {
    let good =
        json!({ "name": "x", "uris": "https://a/b", "suites": "s", "components": "main", "signed_by": "/k" });
    assert!(cases::lower(&AptRepo, &good, &json!({})).is_ok());
    for (field, value) in [
        ("uris", "https://a b"),
        ("uris", "https://a\ndeb http://evil/ /"),
        ("suites", "s main #"),
        ("components", ""),
        ("signed_by", "/k] [trusted=yes"),
        ("signed_by", "relative"),
        ("name", "../x"),
        ("name", "-x"),
        ("file", "/etc/apt/sources.list.d/x.txt"),
        ("key", "not armored"),
        ("suites", "flat/"),
    ] {
        let mut args = good.clone();
        args[field] = json!(value);
        assert!(cases::lower(&AptRepo, &args, &json!({})).is_err(), "{field}: {value}");
    }
}

#[test]
fn check_wants_a_minor_or_a_whole_repository() {
    assert!(AptRepo.check(&["kubernetes", "base"]).is_empty());
    assert!(AptRepo.check(&["name", "uris", "suites"]).is_empty());
    assert_eq!(AptRepo.check(&["kubernetes", "uris"]).len(), 1);
    assert_eq!(AptRepo.check(&["signed_by"]).len(), 3);
}
