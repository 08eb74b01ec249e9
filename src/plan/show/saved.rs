//! A plan in a file: its body, and the digest over the exact bytes of it, so that a plan that somebody edited is not
//! taken for the one that was reviewed.

use serde::Serialize;
use serde::de::IgnoredAny;

use super::{bytes, digest, parse};
use crate::plan::{Expected, Plan, Span};
use crate::value::Duration;

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
    /// What it holds is the plan of its digest, written in another way.
    #[error(
        "it was laid out anew after it was saved: it holds the plan of its digest with other white space or in another order, \
         and a digest is over the exact bytes"
    )]
    LaidOut,
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

/// Where a machine's own words on how long the plan takes stand, behind the plan and outside of its digest.
const TIMES: &str = ",\"times\":";

/// The file of a plan with this body.
pub fn saved(body: &[u8]) -> Vec<u8> {
    [HEAD.as_bytes(), digest(body).as_bytes(), MIDDLE.as_bytes(), body, b"}\n"].concat()
}

/// The same for a program that also wants to know how long it is expected to take. It can be run as well.
pub fn json(saved: &Saved, expected: &Expected) -> Vec<u8> {
    let times = Times::of(&saved.plan, expected);
    let times = serde_json::to_vec(&times).expect("invariant: numbers and texts serialise");
    let Saved { body, digest, .. } = saved;
    [HEAD.as_bytes(), digest.as_bytes(), MIDDLE.as_bytes(), body, TIMES.as_bytes(), &times, b"}\n"].concat()
}

/// How long a plan is expected to take, in milliseconds.
#[derive(Serialize)]
struct Times<'a> {
    expected: Duration,
    at_most: Duration,
    deadline: Option<Duration>,
    /// In words.
    source: String,
    earlier_runs: usize,
    /// What people take their time for.
    not_counted: &'a [String],
    phases: Vec<PhaseTimes<'a>>,
}

#[derive(Serialize)]
struct PhaseTimes<'a> {
    name: &'a str,
    expected: Duration,
    at_most: Duration,
}

impl<'a> Times<'a> {
    fn of(plan: &'a Plan, expected: &'a Expected) -> Self {
        let phases = plan.phases.iter().zip(&expected.phases);
        let phases = phases.map(|(phase, &Span { expected, at_most, .. })| PhaseTimes {
            name: &phase.name,
            expected,
            at_most,
        });
        Self {
            expected: expected.whole.expected,
            at_most: expected.whole.at_most,
            deadline: expected.deadline,
            source: expected.source(),
            earlier_runs: expected.runs,
            not_counted: &expected.people,
            phases: phases.collect(),
        }
    }
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

/// The digest and the body, where the file is laid out as [`saved`] or [`json`] does it.
fn parts(file: &[u8]) -> Option<(String, &[u8])> {
    let rest = file.trim_ascii_end().strip_prefix(HEAD.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let behind = rest[end..].strip_prefix(MIDDLE.as_bytes())?.strip_suffix(b"}")?;
    let mut values = serde_json::Deserializer::from_slice(behind).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (body, times) = behind.split_at_checked(values.byte_offset())?;
    let is_times = |times: &[u8]| {
        let times = times.strip_prefix(TIMES.as_bytes());
        times.is_some_and(|times| serde_json::from_slice::<IgnoredAny>(times).is_ok())
    };
    (times.is_empty() || is_times(times)).then(|| (String::from_utf8_lossy(&rest[..end]).into_owned(), body))
}

/// A file that was laid out anew does not run: a digest is over bytes. It is told apart from one that was edited.
fn what_is_wrong(file: &[u8]) -> SavedError {
    match serde_json::from_slice::<serde_json::Value>(file) {
        Ok(value) => match (value["digest"].as_str(), value.get("plan")) {
            (Some(written), Some(body)) if is_of(written, body) => SavedError::LaidOut,
            (Some(written), Some(body)) => SavedError::Edited {
                written: crate::source::shorten(written),
                found: digest(body.to_string().as_bytes()) + ", and its layout is another",
            },
            _ => SavedError::NotAPlan(
                "it has no digest beside a plan; plan again with this version".to_owned(),
            ),
        },
        Err(error) => SavedError::NotAPlan(crate::value::reveal(&error.to_string())),
    }
}

/// Whether a body is the one of a digest, but for its layout and its order.
fn is_of(written: &str, body: &serde_json::Value) -> bool {
    let plan = serde_json::from_value::<Plan>(body.clone());
    digest(body.to_string().as_bytes()) == written || plan.is_ok_and(|plan| digest(&bytes(&plan)) == written)
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
        ];
        let sorted: std::collections::BTreeMap<_, _> = pretty["plan"].as_object().unwrap().iter().collect();
        let sorted = serde_json::json!({ "plan": sorted, "digest": pretty["digest"] });
        let crlf = text.replace(",\"plan\"", ",\r\n\"plan\"");
        for again in [format!("{pretty:#}"), sorted.to_string(), crlf] {
            assert!(matches!(open(again.as_bytes()), Err(SavedError::LaidOut)), "{again}");
        }
        let edited = format!("{pretty:#}").replace("\"a\"", "\"x\"");
        for edit in edits.into_iter().chain([edited]) {
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
