//! What apt and dpkg print, and what it means for a package.

use serde_json::json;

use super::*;
use crate::step::arguments::{Arguments, FromValue};
use crate::step::cases;
use crate::value::{Value, Version};

#[test]
fn cases_hold() {
    cases::run("apt");
}

#[test]
fn names_that_are_options_or_verbs_of_apt_are_refused() {
    let names = [
        "-y",
        "--force",
        "kubelet-",
        "kubelet=1",
        "kubelet/stable",
        "a",
        "",
        "Kubelet",
        "k b",
        "k;b",
        "k\nb",
        "$x",
        "kube*",
        "~i",
    ];
    for name in names {
        for field in ["install", "download", "remove"] {
            let error = cases::lower(&Apt, &json!({ field: [name] }), &json!({})).expect_err(name);
            assert!(error.message.contains("no name of a package"), "{name}: {error}");
        }
    }
    for name in ["g++", "libc6:i386", "containerd.io", "libstdc++6"] {
        assert!(cases::lower(&Apt, &json!({ "install": [name] }), &json!({})).is_ok(), "{name}");
    }
}

#[test]
fn versions_that_apt_would_read_as_something_else_are_refused() {
    for version in [
        "", "-", "1.31.4-", "1.31.4+", "/1.*/", "1.31 4", "1;2", "1\n2", "$x", "%n", "stable", "-y",
        "v1.31.4",
    ] {
        let error =
            cases::lower(&Apt, &json!({ "install": { "kubelet": version } }), &json!({})).expect_err(version);
        assert!(error.message.contains("no version of `kubelet`"), "{version}: {error}");
    }
}

/// Each row was tried with apt-get 2.6.2.
#[test]
fn patterns_match_as_apt_matches_them() {
    let rows = [
        ("1.31.4-*", "1.31.4-1.1", true),
        ("1.31.4-*", "1.31.40-1.1", false),
        ("1.31.4*", "1.31.40-1.1", true),
        ("1.31.?-*", "1.31.4-1.1", false),
        ("1.31.?-1.1", "1.31.4-1.1", true),
        ("1.31.[45]-1.1", "1.31.4-1.1", true),
        ("1.31.[!4]-1.1", "1.31.4-1.1", false),
        ("1.31.[3-5]-1.1", "1.31.4-1.1", true),
        ("1.*.4-1.1", "1.31.4-1.1", true),
        ("1.31.4", "1.31.4-1.1", false),
        ("1.31.4-1.1", "1.31.4-1.1", true),
        ("*", "2:3.0-1", true),
        ("1.31.[4-1.1", "1.31.4-1.1", false),
    ];
    for (pattern, version, expected) in rows {
        let read = Pattern::read("kubelet", pattern).expect(pattern);
        assert_eq!(read.matches(version), expected, "{pattern} against {version}");
    }
}

#[test]
fn check_wants_exactly_one_job() {
    assert_eq!(Apt.check(&[]).len(), 1);
    assert_eq!(Apt.check(&["install", "remove"]).len(), 1);
    assert_eq!(Apt.check(&["remove", "hold"]).len(), 1);
    assert!(Apt.check(&["install", "hold", "update", "conffiles"]).is_empty());
    assert!(Apt.check(&["update"]).is_empty());
}

#[test]
fn the_holder_of_a_lock_is_named() {
    let rows = [
        (
            "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/\n",
            Some("process 812 (apt-get)"),
        ),
        ("dpkg: error: dpkg frontend lock was locked by another process with pid 4711\n", None),
        ("dpkg: error: dpkg frontend lock is locked by another process with pid 4711\n", Some("4711")),
        ("E: Unable to locate package nosuch\n", None),
    ];
    for (stderr, holder) in rows {
        assert_eq!(lock_holder(stderr).as_deref(), holder, "{stderr}");
    }
}

#[test]
fn only_a_lock_makes_a_failure_pass_by_itself() {
    let lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)\n";
    assert_eq!(
        Apt.transient(lock).as_deref(),
        Some("the lock of apt or dpkg is held by process 812 (apt-get)")
    );
    assert_eq!(Apt.transient("E: Failed to fetch http://mirror/InRelease\n"), None);
}

#[test]
fn only_lists_that_were_read_put_a_version_out_of_reach() {
    let args = cases::typed_args(&Apt, &json!({ "download": { "kubelet": "1.31.9-*" } }));
    let args = AptArgs::read(&args).expect("complete");
    let madison = |stdout: &str, stderr: &str| {
        let none = ProbeOutput { rc: 1, ..ProbeOutput::default() };
        let offers = ProbeOutput { rc: 0, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        Apt.is_out_of_reach(&args, &[none, offers])
    };
    assert!(madison(" kubelet | 1.31.4-1.1 | https://m  Packages\n", ""));
    assert!(madison("", "N: Unable to locate package kubelet\n"));
    assert!(madison("", "E: Unable to locate package kubelet\n"));
    assert!(!madison(" kubelet | 1.31.9-1.1 | https://m  Packages\n", ""));
    assert!(!madison("", "E: Write error - write (28: No space left on device)\n"));
}

#[test]
fn packages_keep_their_order_and_versions_are_text() {
    let version = Value::Version(Version::parse("1.31.4").expect("a version"));
    let written = [("kubelet".to_owned(), version), ("a".to_owned(), Value::Str("1.*".to_owned()))];
    let packages = Packages::from_value(&Value::Map(written.into_iter().collect())).expect("packages");
    let expected = [("kubelet", "1.31.4"), ("a", "1.*")];
    assert_eq!(packages.0, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
}
