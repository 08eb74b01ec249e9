//! Steps that stand in no runbook: what the command line asks for, such as `--adopt-cordons`, and what undoes a run.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Action, PlannedKube};
use crate::op::subject_symbol;
use crate::step::{LowerCx, LowerError, Subject, find};
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
    // One action serves every host: names of the host are symbols until the op is sent.
    let subject = Subject {
        host: subject_symbol("host"),
        node: of_host.node.as_ref().map(|_| subject_symbol("node")),
        control_plane: of_host.control_plane,
    };
    let cx = LowerCx {
        subject: &subject,
        kube: kube.map(|kube| &kube.cx),
        // Package tools are root's; kubectl takes its own right.
        r#become: true,
        timeout: LIMIT,
        env: &BTreeMap::new(),
        effect: None,
        run_on: None,
    };
    let lowered = kind.lower(&args, &cx)?;
    Ok(Action {
        kind: kind.name().to_owned(),
        id: None,
        title: lowered.title.clone(),
        args,
        lowered,
        retry: None,
        allow_failure: None,
        changed_when: None,
        fail_when: None,
        place: place.to_owned(),
    })
}
