//! The Lease `rollbook` in kube-system: who works on the cluster, and which run was begun there and not ended. What it
//! holds, how it is read and how it is written; pure.
//!
//! `spec` is liveness, as Kubernetes' own components use it. The annotations are a record that does not expire.

use serde_json::{Map, Value, json};

use crate::value::Duration;

/// Where it lies.
pub const NAMESPACE: &str = "kube-system";
/// Its name.
pub const NAME: &str = "rollbook";
/// As kubectl is asked for it.
pub const RESOURCE: &str = "leases.coordination.k8s.io";

const RUN: &str = "rollbook.dev/run";
const PLAN: &str = "rollbook.dev/plan";
const STATE: &str = "rollbook.dev/state";
const SINCE: &str = "rollbook.dev/since";
const BY: &str = "rollbook.dev/by";
const JOURNAL: &str = "rollbook.dev/journal";
const MACHINE: &str = "rollbook.dev/machine";
const STOPPED_BY: &str = "rollbook.dev/stopped-by";
const LEFT: &str = "rollbook.dev/left";
const SUPERSEDED: &str = "rollbook.dev/superseded";
const SUPERSEDED_WHY: &str = "rollbook.dev/superseded-why";
const USED_PLANS: &str = "rollbook.dev/used-plans";

/// So many superseded runs and used plans are remembered: annotations are small.
const REMEMBERED: usize = 32;
/// Of a Lease that does not say: longer than any that this program writes by itself.
const UNKNOWN_TTL: Duration = Duration::from_secs(3600);

/// The Lease, as it was read or as it shall be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// `metadata.resourceVersion`; empty for one that is not there yet.
    pub version: String,
    /// Which process holds it; empty where none does.
    pub holder: String,
    /// For how long a holder may be silent.
    pub ttl: Duration,
    /// When the holder last spoke, by its own clock: for people only.
    pub renewed: String,
    /// The run that was begun and has not ended.
    pub unfinished: Option<Unfinished>,
    /// Runs that somebody gave up, oldest first: they may never go on.
    pub superseded: Vec<String>,
    /// Who gave up the last one, and why.
    pub superseded_why: String,
    /// Digests of saved plans that were rolled here, oldest first.
    pub used_plans: Vec<String>,
    /// The object as it was read: what others wrote into it stays.
    pub object: Value,
}

/// A run that was begun on the cluster and has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Its id.
    pub run: String,
    /// Digest of its plan.
    pub plan: String,
    /// Whether its controller works or has stopped.
    pub state: Progress,
    /// When it began, in RFC 3339.
    pub since: String,
    /// Who began it: `ops@bastion`.
    pub by: String,
    /// Where its record lies: `bastion:/home/ops/.local/state/rollbook/runs/…`.
    pub journal: String,
    /// Machine id of its controller, or empty.
    pub machine: String,
    /// Why it stopped, where it did.
    pub stopped_by: String,
    /// Hosts that it left out of service or half-changed when it stopped, for people; empty where it left none.
    pub left: String,
}

/// Whether a run's controller works on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// It does, or it died.
    #[default]
    Running,
    /// It stopped, and the run can go on.
    Paused,
}

impl Progress {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
        }
    }
}

impl Lease {
    /// One that is not there yet.
    pub fn new() -> Self {
        let object = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": NAME, "namespace": NAMESPACE },
        });
        Self {
            version: String::new(),
            holder: String::new(),
            ttl: UNKNOWN_TTL,
            renewed: String::new(),
            unfinished: None,
            superseded: Vec::new(),
            superseded_why: String::new(),
            used_plans: Vec::new(),
            object,
        }
    }

    /// Reads what `kubectl get -o json` prints; `None` where it printed nothing because there is none.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let object: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if object["kind"] != "Lease" {
            return Err("it is no Lease".to_owned());
        }
        let note = |key: &str| object["metadata"]["annotations"][key].as_str().unwrap_or_default().to_owned();
        let list = |key: &str| note(key).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&object["metadata"]["resourceVersion"]);
        if version.is_empty() {
            return Err("it has no resourceVersion".to_owned());
        }
        let state = if note(STATE) == Progress::Paused.word() { Progress::Paused } else { Progress::Running };
        let unfinished = Unfinished {
            run: note(RUN),
            plan: note(PLAN),
            state,
            since: note(SINCE),
            by: note(BY),
            journal: note(JOURNAL),
            machine: note(MACHINE),
            stopped_by: note(STOPPED_BY),
            left: note(LEFT),
        };
        let spec = &object["spec"];
        Ok(Some(Self {
            version,
            holder: text(&spec["holderIdentity"]),
            ttl: spec["leaseDurationSeconds"].as_u64().map_or(UNKNOWN_TTL, Duration::from_secs),
            renewed: text(&spec["renewTime"]),
            unfinished: (!unfinished.run.is_empty()).then_some(unfinished),
            superseded: list(SUPERSEDED),
            superseded_why: note(SUPERSEDED_WHY),
            used_plans: list(USED_PLANS),
            object,
        }))
    }

    /// What is given to `kubectl create` or `replace`. Its resourceVersion makes the API server refuse it where somebody
    /// else wrote since.
    pub fn manifest(&self) -> String {
        let mut object = self.object.clone();
        let unfinished = self.unfinished.clone().unwrap_or_default();
        let state = if self.unfinished.is_some() { unfinished.state.word() } else { "" };
        let (superseded, used) = (newest(&self.superseded), newest(&self.used_plans));
        let notes = [
            (RUN, unfinished.run.as_str()),
            (PLAN, &unfinished.plan),
            (STATE, state),
            (SINCE, &unfinished.since),
            (BY, &unfinished.by),
            (JOURNAL, &unfinished.journal),
            (MACHINE, &unfinished.machine),
            (STOPPED_BY, &unfinished.stopped_by),
            (LEFT, &unfinished.left),
            (SUPERSEDED, &superseded),
            (SUPERSEDED_WHY, &self.superseded_why),
            (USED_PLANS, &used),
        ];
        let metadata = member(&mut object, "metadata");
        // The API server's own bookkeeping, half a page of it, is the API server's to write.
        metadata.shift_remove("managedFields");
        if !self.version.is_empty() {
            metadata.insert("resourceVersion".to_owned(), self.version.clone().into());
        }
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        for (key, value) in notes {
            set(annotations, key, Value::from(value));
        }
        let mut spec = object.get("spec").cloned().unwrap_or_else(|| json!({}));
        // A holder that is not there is left out: an empty one is not valid everywhere.
        set(&mut spec, "holderIdentity", Value::from(self.holder.as_str()));
        set(&mut spec, "renewTime", Value::from(self.renewed.as_str()));
        set(&mut spec, "leaseDurationSeconds", Value::from(self.ttl.as_secs().max(1)));
        object["spec"] = spec;
        object.to_string()
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

fn newest(list: &[String]) -> String {
    list[list.len().saturating_sub(REMEMBERED)..].join(" ")
}

fn member<'o>(object: &'o mut Value, key: &str) -> &'o mut Map<String, Value> {
    if !object[key].is_object() {
        object[key] = json!({});
    }
    object[key].as_object_mut().expect("invariant: made an object above")
}

/// Sets a member, or takes it away where there is nothing to say.
fn set(object: &mut Value, key: &str, value: Value) {
    if value == "" {
        if let Some(members) = object.as_object_mut() {
            members.shift_remove(key);
        }
    } else {
        object[key] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Lease {
        let unfinished = Unfinished {
            run: "20260105-220000-3f2a".to_owned(),
            plan: "sha256:ab".to_owned(),
            state: Progress::Paused,
            since: "2026-01-05T22:00:00Z".to_owned(),
            by: "ops@bastion".to_owned(),
            journal: "bastion:/state/runs/20260105-220000-3f2a".to_owned(),
            machine: "4711".to_owned(),
            stopped_by: "Ctrl-C".to_owned(),
            left: "w1, w2".to_owned(),
        };
        Lease {
            holder: "ops@bastion, process 7".to_owned(),
            ttl: Duration::from_secs(90),
            renewed: "2026-01-05T22:10:00.000000Z".to_owned(),
            unfinished: Some(unfinished),
            superseded: vec!["a".to_owned(), "b".to_owned()],
            superseded_why: "eve@desk: its disk is gone".to_owned(),
            used_plans: vec!["sha256:cd".to_owned()],
            ..Lease::new()
        }
    }

    /// As the API server gives it back.
    fn stored(lease: &Lease, version: &str) -> Lease {
        let mut object: Value = serde_json::from_str(&lease.manifest()).expect("JSON");
        object["metadata"]["resourceVersion"] = version.into();
        Lease::parse(&object.to_string()).expect("a lease").expect("there")
    }

    #[test]
    fn what_is_written_is_read_back() {
        let lease = held();
        let back = stored(&lease, "7");
        assert_eq!(Lease { version: String::new(), object: lease.object.clone(), ..back }, lease);
    }

    #[test]
    fn what_is_over_leaves_nothing_behind() {
        let mut lease = stored(&held(), "7");
        lease.holder.clear();
        lease.renewed.clear();
        lease.unfinished = None;
        let object: Value = serde_json::from_str(&lease.manifest()).expect("JSON");
        let keys: Vec<&String> =
            object["metadata"]["annotations"].as_object().expect("some").keys().collect();
        assert_eq!(keys, [SUPERSEDED, SUPERSEDED_WHY, USED_PLANS]);
        assert!(object["spec"].get("holderIdentity").is_none());
        assert_eq!(object["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn what_others_wrote_stays() {
        let theirs = r#"{"kind":"Lease","metadata":{"name":"rollbook","resourceVersion":"3","labels":{"a":"b"},
            "annotations":{"team":"x"},"managedFields":[{}]},"spec":{"leaseTransitions":4}}"#;
        let lease = Lease::parse(theirs).expect("a lease").expect("there");
        assert_eq!((lease.unfinished.as_ref(), lease.holder.as_str()), (None, ""));
        let object: Value = serde_json::from_str(&lease.manifest()).expect("JSON");
        assert_eq!(object["metadata"]["labels"]["a"], "b");
        assert_eq!(object["metadata"]["annotations"]["team"], "x");
        assert_eq!(object["spec"]["leaseTransitions"], 4);
        assert!(object["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn what_is_no_lease_is_not_taken_for_a_free_one() {
        assert_eq!(Lease::parse("\n"), Ok(None));
        for text in ["{", "{}", r#"{"kind":"List","items":[]}"#, r#"{"kind":"Lease","metadata":{}}"#] {
            assert!(Lease::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let lease = Lease { superseded: (0..40).map(|n| n.to_string()).collect(), ..Lease::new() };
        let back = stored(&lease, "1");
        assert_eq!((back.superseded.len(), back.superseded[0].as_str()), (32, "8"));
    }
}
