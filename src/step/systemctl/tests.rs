//! What `systemctl show` and its neighbours mean for the goals.

use serde_json::json;

use super::*;
use crate::step::cases;

#[test]
fn cases_hold() {
    cases::run("systemctl");
}

#[test]
fn names_that_are_options_paths_or_patterns_are_refused() {
    for name in
        ["-H root@other", "--now", "", "*", "kube*", "a b", "a;b", "a\nb", "$x", "/etc/x.service", "a[b]"]
    {
        let error = cases::lower(&Systemctl, &json!({ "stop": name }), &json!({})).expect_err(name);
        assert!(error.message.contains("no name of a unit"), "{name}: {error}");
    }
}

#[test]
fn a_bare_name_is_a_service_and_a_full_one_stays() {
    for (name, full) in [
        ("kubelet", "kubelet.service"),
        ("fstrim.timer", "fstrim.timer"),
        ("getty@tty1", "getty@tty1.service"),
        ("a.b", "a.b.service"),
    ] {
        assert_eq!(units::full_name(name).expect(name), full);
    }
}

#[test]
fn check_wants_something_to_do() {
    assert_eq!(Systemctl.check(&["for"]).len(), 1);
    assert_eq!(Systemctl.check(&["start", "always"]).len(), 1);
    assert!(Systemctl.check(&["restart", "always", "newer_than"]).is_empty());
}
