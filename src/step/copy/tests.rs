//! A file as wanted, and as found on a host.

use serde_json::json;

use super::*;
use crate::op::secret_symbol;
use crate::step::cases;

#[test]
fn cases_hold() {
    cases::run("copy");
}

#[test]
fn a_file_with_a_secret_is_never_read_back() {
    let args = json!({ "dest": "/etc/x", "content": format!("password={}\n", secret_symbol("db")) });
    let lowered = cases::lower(&Copy, &args, &json!({})).expect("lowers");
    let programs: Vec<_> =
        lowered.probe.expect("a probe").queries.into_iter().map(|query| query.argv[0].clone()).collect();
    assert_eq!(programs, ["stat"]);
}

#[test]
fn lines_of_a_file_that_others_may_not_read_are_not_fetched() {
    for (mode, programs) in [("0600", 2), ("0640", 2), ("0644", 3), ("0444", 3)] {
        let args = json!({ "dest": "/etc/x", "content": "a\n", "mode": mode });
        let lowered = cases::lower(&Copy, &args, &json!({})).expect("lowers");
        assert_eq!(lowered.probe.expect("a probe").queries.len(), programs, "{mode}");
    }
}

#[test]
fn what_is_no_file_mode_or_owner_is_refused() {
    let good = json!({ "dest": "/etc/x", "content": "" });
    for (field, value) in [
        ("dest", "etc/x"),
        ("dest", "/etc/"),
        ("dest", "/etc/../x"),
        ("dest", ""),
        ("dest", "/a\nb"),
        ("mode", "0999"),
        ("mode", "u+x"),
        ("mode", ""),
        ("mode", "17777"),
        ("mode", "+644"),
        ("owner", "-R"),
        ("owner", "a:b"),
        ("owner", ""),
        ("group", "root"),
    ] {
        let mut args = good.clone();
        args[field] = json!(value);
        assert!(cases::lower(&Copy, &args, &json!({})).is_err(), "{field}: {value}");
    }
}
