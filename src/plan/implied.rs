//! Steps that stand in no runbook: what the command line asks for, such as `--adopt-cordons`, and what undoes a run.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Action, PlannedKube};
use crate::step::{LowerCx, LowerError, Subject, find, lower};
use crate::value::{Duration, Value};

/// How long each op may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A step of this kind with one argument, for a host such as this one. Its place is the word that asked for it.
pub(super) fn action(
    kind: &str,
    (name, value): (&str, Value),
    of_host: &Subject,
    kube: Option<&PlannedKube>,
    place: &str,
) -> Result<Action, LowerError> {
    let kind = find(kind).expect("invariant: a registered kind");
    let args = Value::Map(IndexMap::from([(name.to_owned(), value)]));
    let cx = LowerCx {
        subject: &of_host.symbolic(),
        kube: kube.map(|kube| &kube.cx),
        // Package tools are root's; kubectl takes its own right.
        r#become: true,
        timeout: LIMIT,
        env: &BTreeMap::new(),
        effect: None,
        run_on: None,
    };
    let lowered = lower(kind, &args, &cx)?;
    Ok(Action {
        kind: kind.name().to_owned(),
        id: None,
        title: lowered.title.clone(),
        args,
        lowered,
        retry: None,
        allow_failure: None,
        leave_cordoned: None,
        changed_when: None,
        fail_when: None,
        place: place.to_owned(),
    })
}
