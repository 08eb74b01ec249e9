//! The digest of what the launcher receives for an op: what the journal holds of it when the host keeps nothing any more.
//! docs/design/sent-digests.md describes the form that it is over, for people who verify it by hand.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::op::{Op, OpKind};
use crate::plan::show;

/// The canonical form: compact JSON, keys in alphabetical order, each always there.
#[derive(Serialize)]
struct Form<'a> {
    r#become: bool,
    deed: Deed<'a>,
    env: &'a BTreeMap<String, String>,
    long: bool,
    stdin: &'a str,
    /// Milliseconds.
    timeout: u64,
}

/// As a plan writes it, with its keys in alphabetical order.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Deed<'a> {
    Exec { argv: &'a [String] },
    Write { mode: &'a str, owner: &'a str, path: &'a str },
    Reboot,
}

/// The digest, `sha256:…`, of an op whose symbols are resolved but for those of secrets.
pub(super) fn digest(op: &Op) -> String {
    show::digest(&form(op))
}

fn form(op: &Op) -> Vec<u8> {
    let deed = match &op.kind {
        OpKind::Exec { argv } => Deed::Exec { argv },
        OpKind::Write { path, mode, owner } => Deed::Write { mode, owner, path },
        OpKind::Reboot => Deed::Reboot,
    };
    let form = Form {
        r#become: op.r#become,
        deed,
        env: &op.env,
        long: op.long,
        stdin: &op.stdin,
        timeout: op.timeout.as_millis(),
    };
    serde_json::to_vec(&form).expect("invariant: strings and numbers serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Site, secret_symbol};
    use crate::value::Duration;

    fn op(kind: OpKind) -> Op {
        Op {
            env: BTreeMap::from([("B".to_owned(), "2".to_owned()), ("A".to_owned(), "1".to_owned())]),
            stdin: "a\"b\n\u{1}é".to_owned(),
            r#become: true,
            ..Op::new("try", kind)
        }
    }

    fn exec(argv: &[&str]) -> Op {
        op(OpKind::Exec { argv: argv.iter().map(|word| (*word).to_owned()).collect() })
    }

    fn write() -> OpKind {
        OpKind::Write { path: "/p".to_owned(), mode: "0644".to_owned(), owner: "root".to_owned() }
    }

    #[test]
    fn the_form_is_what_the_design_page_says() {
        let deeds = [
            (exec(&["echo", "a b"]), r#"{"exec":{"argv":["echo","a b"]}}"#),
            (op(write()), r#"{"write":{"mode":"0644","owner":"root","path":"/p"}}"#),
            (op(OpKind::Reboot), r#""reboot""#),
        ];
        for (op, deed) in deeds {
            let expected = format!(
                r#"{{"become":true,"deed":{deed},"env":{{"A":"1","B":"2"}},"long":false,"stdin":"a\"b\n\u0001é","timeout":60000}}"#
            );
            assert_eq!(String::from_utf8(form(&op)).expect("text"), expected);
            assert_eq!(digest(&op), show::digest(expected.as_bytes()));
        }
        let secret = Op { stdin: secret_symbol("token"), ..exec(&["x"]) };
        let form = String::from_utf8(form(&secret)).expect("text");
        assert!(form.contains("\"stdin\":\"\u{F0000}secret:token\u{F0001}\""), "{form}");
    }

    #[test]
    fn whatever_the_launcher_receives_counts_and_nothing_else() {
        let base = exec(&["echo", "ab"]);
        let write_to = |path: &str, mode: &str, owner: &str| {
            op(OpKind::Write { path: path.to_owned(), mode: mode.to_owned(), owner: owner.to_owned() })
        };
        let mut all = vec![
            digest(&base),
            digest(&exec(&["echo", "a", "b"])),
            digest(&exec(&["echo", "ac"])),
            digest(&Op { stdin: "a\"b\n\u{1}e".to_owned(), ..base.clone() }),
            digest(&Op { env: BTreeMap::new(), ..base.clone() }),
            digest(&Op { r#become: false, ..base.clone() }),
            digest(&Op { timeout: Duration::from_millis(60_001), ..base.clone() }),
            digest(&Op { long: true, ..base.clone() }),
            digest(&write_to("/p", "0644", "root")),
            digest(&write_to("/q", "0644", "root")),
            digest(&write_to("/p", "0600", "root")),
            digest(&write_to("/p", "0644", "")),
            digest(&op(OpKind::Reboot)),
        ];
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        let told = Op { title: "other".to_owned(), undo: "x".to_owned(), site: Site::Kube, ..base.clone() };
        assert_eq!(digest(&told), digest(&base));
    }
}
