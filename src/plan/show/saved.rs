//! A plan in a file: its body, and the digest over the exact bytes of it, so that a plan that somebody edited is not
//! taken for the one that was reviewed.

use super::{bytes, digest, parse};
use crate::plan::Plan;

/// A plan that was read from a file.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The plan.
    pub plan: Plan,
    /// The bytes that its digest is over.
    pub body: Vec<u8>,
    /// The digest.
    pub digest: String,
}

/// A file that holds no plan as it was saved.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is something else, or of another version.
    #[error("it is no plan that this version can read: {0}")]
    NotAPlan(String),
    /// The body is not what the digest was taken of.
    #[error("it was changed after it was saved: its digest says {written}, and what it holds has {found}")]
    Edited {
        /// The digest in the file.
        written: String,
        /// That of the body.
        found: String,
    },
}

impl Saved {
    /// A plan as it would be saved.
    pub fn of(plan: Plan) -> Self {
        let body = bytes(&plan);
        Self { plan, digest: digest(&body), body }
    }
}

const HEAD: &str = "{\"digest\":\"";
const MIDDLE: &str = "\",\"plan\":";

/// The file of a plan with this body.
pub fn saved(body: &[u8]) -> Vec<u8> {
    [HEAD.as_bytes(), digest(body).as_bytes(), MIDDLE.as_bytes(), body, b"}\n"].concat()
}

/// Reads such a file.
pub fn open(file: &[u8]) -> Result<Saved, SavedError> {
    let Some((written, body)) = parts(file) else { return Err(what_is_wrong(file)) };
    let found = digest(body);
    if found != written {
        return Err(SavedError::Edited { written: crate::source::shorten(&written), found });
    }
    let plan = parse(body).map_err(SavedError::NotAPlan)?;
    Ok(Saved { plan, body: body.to_vec(), digest: found })
}

/// The digest and the body, where the file is laid out as [`saved`] does it.
fn parts(file: &[u8]) -> Option<(String, &[u8])> {
    let rest = file.trim_ascii_end().strip_prefix(HEAD.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let body = rest[end..].strip_prefix(MIDDLE.as_bytes())?.strip_suffix(b"}")?;
    Some((String::from_utf8_lossy(&rest[..end]).into_owned(), body))
}

/// A file that was laid out anew is as good as edited: nothing says that only its white space is another.
fn what_is_wrong(file: &[u8]) -> SavedError {
    match serde_json::from_slice::<serde_json::Value>(file) {
        Ok(value) => match (value["digest"].as_str(), value.get("plan")) {
            (Some(written), Some(body)) => SavedError::Edited {
                written: crate::source::shorten(written),
                found: digest(body.to_string().as_bytes()) + ", and its layout is another",
            },
            _ => SavedError::NotAPlan(
                "it has no digest beside a plan; plan again with this version".to_owned(),
            ),
        },
        Err(error) => SavedError::NotAPlan(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Vec<u8> {
        br#"{"format":1,"runbook":"a","inventory":"b","params":{},"policy":{"deadline":null,"control_plane_outage":false,"lock_cluster":false,"lock_ttl":null},"hosts":[],"actions":[],"phases":[]}"#.to_vec()
    }

    #[test]
    fn a_saved_plan_is_read_back_with_the_same_bytes() {
        let saved = open(&saved(&plan())).unwrap();
        assert_eq!((saved.body, saved.plan.runbook.as_str()), (plan(), "a"));
        assert_eq!(saved.digest, digest(&plan()));
    }

    #[test]
    fn whatever_is_changed_in_it_is_noticed() {
        let text = String::from_utf8(saved(&plan())).unwrap();
        let pretty: serde_json::Value = serde_json::from_str(&text).unwrap();
        let edits = [
            text.replace("\"a\"", "\"x\""),
            text.replace("{\"format\"", "{ \"format\""),
            text.replace("sha256:", "sha256:0"),
            format!("{pretty:#}"),
        ];
        for edit in edits {
            assert!(matches!(open(edit.as_bytes()), Err(SavedError::Edited { .. })), "{edit}");
        }
        for other in [plan(), b"{}".to_vec(), b"{".to_vec(), saved(b"{\"format\":99}")] {
            assert!(
                matches!(open(&other), Err(SavedError::NotAPlan(_))),
                "{}",
                String::from_utf8_lossy(&other)
            );
        }
    }
}
