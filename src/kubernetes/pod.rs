//! Pods: the templates that read them, and what a row says.

use std::collections::BTreeMap;

use super::rows::{RowError, number, pairs, rows, unquote};

/// What a drain asks of a pod, up to the end of its line: the columns that [`pod_row`] reads.
macro_rules! pod_columns {
    () => {
        concat!(
            r#"{{.metadata.namespace}}{{"\t"}}{{.metadata.name}}{{"\t"}}{{with .status}}{{printf "%q" .phase}}{{end}}{{"\t"}}"#,
            r#"{{if .metadata.deletionTimestamp}}deleting{{end}}{{"\t"}}"#,
            r#"{{range .metadata.ownerReferences}}{{if .controller}}{{printf "%q" .kind}}{{end}}{{end}}{{"\t"}}"#,
            r#"{{with .metadata.annotations}}{{if index . "kubernetes.io/config.mirror"}}mirror{{end}}{{end}}{{"\t"}}"#,
            // An `emptyDir: {}` is an empty mapping, which `if` takes for false: the volume's keys are asked instead.
            r#"{{range .spec.volumes}}{{range $key, $value := .}}{{if eq $key "emptyDir"}}emptyDir {{end}}{{end}}{{end}}{{"\t"}}"#,
            r#"{{range .status.conditions}}{{if eq .type "Ready"}}{{printf "%q" .status}}{{end}}{{end}}{{"\t"}}"#,
            r#"{{range $key, $value := .metadata.labels}}{{$key}}={{$value}},{{end}}{{"\n"}}{{end}}"#,
        )
    };
}

/// `-o` argument that prints one line per pod of a list, with what a drain asks of it.
pub const PODS: &str = concat!("go-template={{range .items}}", pod_columns!());

/// `-o` argument that prints one line per pod of a list, with its node and the name of its controller before the columns
/// of [`PODS`].
pub const OWNED_PODS: &str = concat!(
    "go-template={{range .items}}",
    r#"{{with .spec.nodeName}}{{printf "%q" .}}{{end}}{{"\t"}}"#,
    r#"{{range .metadata.ownerReferences}}{{if .controller}}{{printf "%q" .name}}{{end}}{{end}}{{"\t"}}"#,
    pod_columns!(),
);

/// `-o` argument that prints one line per pod of a list, with its tolerations before the columns of [`PODS`].
pub const TOLERATING_PODS: &str = concat!(
    "go-template={{range .items}}",
    // Old versions of `eq` fail on a key that is not there, so the fields are printed and judged here.
    r"{{range .spec.tolerations}}{{with .key}}{{.}}{{end}}:{{with .operator}}{{.}}{{end}}:",
    r#"{{with .value}}{{.}}{{end}}:{{with .effect}}{{.}}{{end}},{{end}}{{"\t"}}"#,
    pod_columns!(),
);

/// `-o` argument that prints one line per control-plane pod of a list: what tells a component that runs from one that
/// crashes in a loop. The image is the specification's: the status lags behind.
pub const COMPONENTS: &str = concat!(
    "go-template={{range .items}}",
    r#"{{.metadata.name}}{{"\t"}}{{with .metadata.labels}}{{with index . "component"}}{{.}}{{end}}{{end}}{{"\t"}}"#,
    r#"{{range .status.conditions}}{{if eq .type "Ready"}}{{printf "%q" .status}}{{end}}{{end}}{{"\t"}}"#,
    r#"{{with .spec.containers}}{{with index . 0}}{{printf "%q" .image}}{{end}}{{end}}{{"\t"}}"#,
    r#"{{range .status.containerStatuses}}{{.restartCount}} {{end}}{{"\t"}}"#,
    r#"{{range .status.containerStatuses}}{{with .state}}{{with .waiting}}{{printf "%q" .reason}}{{end}}{{end}}{{end}}{{"\n"}}{{end}}"#,
);

/// A pod, as a drain sees it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a filter of kubectl's own, and they combine freely"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRow {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// "Pending", "Running", "Succeeded", "Failed" or "Unknown".
    pub phase: String,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// The kind of its controller; empty for a bare pod.
    pub controller: String,
    /// Whether it mirrors a static pod, which only the kubelet can stop.
    pub mirror: bool,
    /// Whether it has an `emptyDir` volume, whose content goes with it.
    pub empty_dir: bool,
    /// Whether its condition Ready is true.
    pub ready: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl PodRow {
    /// `namespace/name`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it has run to its end.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// A static pod of the control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentRow {
    /// The pod's name.
    pub name: String,
    /// Its label `component`: "kube-apiserver", "etcd".
    pub component: String,
    /// Whether its condition Ready is true.
    pub ready: bool,
    /// The image of its container.
    pub image: String,
    /// How often its containers were restarted, together.
    pub restarts: i64,
    /// Why a container waits, such as "CrashLoopBackOff"; empty where none does.
    pub waiting: String,
}

/// A pod with what it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedPod {
    /// Its node; empty while it has none.
    pub node: String,
    /// The name of its controller; empty for a bare pod.
    pub owner: String,
    /// The rest.
    pub pod: PodRow,
}

/// A pod with what it tolerates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToleratingPod {
    /// Whether it may be scheduled to a node that is cordoned.
    pub tolerates_cordon: bool,
    /// The rest.
    pub pod: PodRow,
}

/// Reads the rows of [`PODS`].
pub fn parse_pods(text: &str) -> Result<Vec<PodRow>, RowError> {
    rows::<9>(text, "a pod").map(|row| row.map(pod_row)).collect()
}

/// Reads the rows of [`OWNED_PODS`].
pub fn parse_owned_pods(text: &str) -> Result<Vec<OwnedPod>, RowError> {
    let owned = |row: Result<[&str; 11], RowError>| {
        let [node, owner, pod @ ..] = row?;
        let (node, owner) = (unquote(node).to_owned(), unquote(owner).to_owned());
        Ok(OwnedPod { node, owner, pod: pod_row(pod) })
    };
    rows::<11>(text, "a pod").map(owned).collect()
}

/// Reads the rows of [`TOLERATING_PODS`].
pub fn parse_tolerating_pods(text: &str) -> Result<Vec<ToleratingPod>, RowError> {
    let tolerating = |row: Result<[&str; 10], RowError>| {
        let [tolerations, pod @ ..] = row?;
        let tolerates_cordon = tolerations.split(',').any(tolerates_cordon);
        Ok(ToleratingPod { tolerates_cordon, pod: pod_row(pod) })
    };
    rows::<10>(text, "a pod").map(tolerating).collect()
}

/// Whether `key:operator:value:effect` tolerates the taint of a cordon, `node.kubernetes.io/unschedulable:NoSchedule`
/// (the rules of `Toleration.ToleratesTaint` in k8s.io/api/core/v1).
fn tolerates_cordon(toleration: &str) -> bool {
    let parts: Vec<&str> = toleration.split(':').collect();
    let [key, operator, value, effect] = parts[..] else { return false };
    let of_effect = matches!(effect, "" | "NoSchedule");
    let of_key = match operator {
        "Exists" => matches!(key, "" | "node.kubernetes.io/unschedulable"),
        "" | "Equal" => key == "node.kubernetes.io/unschedulable" && value.is_empty(),
        _ => false,
    };
    of_effect && of_key
}

fn pod_row(columns: [&str; 9]) -> PodRow {
    let [namespace, name, phase, deleting, controller, mirror, volumes, ready, labels] = columns;
    PodRow {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        phase: unquote(phase).to_owned(),
        deleting: !deleting.is_empty(),
        controller: unquote(controller).to_owned(),
        mirror: !mirror.is_empty(),
        empty_dir: !volumes.is_empty(),
        ready: unquote(ready) == "True",
        labels: pairs(labels).map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

/// Reads the rows of [`COMPONENTS`].
pub fn parse_components(text: &str) -> Result<Vec<ComponentRow>, RowError> {
    let component = |row: Result<[&str; 6], RowError>| {
        let [name, component, ready, image, restarts, waiting] = row?;
        let counts = restarts.split(' ').filter(|count| !count.is_empty());
        let restarts: Option<i64> = counts.map(number).sum();
        Ok(ComponentRow {
            name: name.to_owned(),
            component: component.to_owned(),
            ready: unquote(ready) == "True",
            image: unquote(image).to_owned(),
            restarts: restarts.ok_or_else(|| RowError::new("restart counts are expected", name))?,
            waiting: unquote(waiting).to_owned(),
        })
    };
    rows::<6>(text, "a static pod").map(component).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_read_with_what_a_drain_asks_of_it() {
        let text = "default\tweb-1\t\"Running\"\t\t\"ReplicaSet\"\t\temptyDir \t\"True\"\tapp=web,\n\
                    kube-system\tetcd-cp1\t\"Running\"\tdeleting\t\"Node\"\tmirror\t\t\"False\"\t\n";
        let pods = parse_pods(text).expect("two pods");
        assert_eq!(pods[0].path(), "default/web-1");
        assert!(pods[0].empty_dir && pods[0].ready && !pods[0].mirror && !pods[0].deleting);
        assert!(pods[1].mirror && pods[1].deleting && !pods[1].ready && !pods[1].empty_dir);
        assert_eq!(pods[1].controller, "Node");
    }

    #[test]
    fn a_pod_that_tolerates_a_cordon_is_told_from_one_that_does_not() {
        let cases = [
            ("", false),
            ("node.kubernetes.io/unschedulable:Exists::NoSchedule,", true),
            (
                "node.kubernetes.io/not-ready:Exists::NoExecute,node.kubernetes.io/unschedulable:Exists::,",
                true,
            ),
            (":Exists::,", true),
            (":Exists::NoExecute,", false),
            ("node.kubernetes.io/unschedulable:::NoSchedule,", true),
            ("node.kubernetes.io/unschedulable:Equal:x:NoSchedule,", false),
            ("node.kubernetes.io/unschedulable:Exists::NoExecute,", false),
            ("node.kubernetes.io/not-ready:Exists::,node.kubernetes.io/unreachable:Exists::,", false),
        ];
        for (tolerations, expected) in cases {
            let text = format!(
                "{tolerations}\tdefault\tweb-1\t\"Running\"\t\t\"ReplicaSet\"\t\t\t\"True\"\tapp=web,\n"
            );
            let pods = parse_tolerating_pods(&text).expect("a pod");
            assert_eq!(
                (pods[0].tolerates_cordon, pods[0].pod.path()),
                (expected, "default/web-1".into()),
                "{tolerations}"
            );
        }
    }

    #[test]
    fn a_crash_loop_shows_in_the_component() {
        let text = "kube-scheduler-cp1\tkube-scheduler\t\"False\"\t\"k8s.gcr.io/kube-scheduler:v1.21.0\"\t3 \t\"CrashLoopBackOff\"\n";
        let rows = parse_components(text).expect("a component");
        assert_eq!(
            (rows[0].restarts, rows[0].waiting.as_str(), rows[0].ready),
            (3, "CrashLoopBackOff", false)
        );
        assert!(parse_components("a\tb\t\"True\"\t\"i\"\tmany \t\n").is_err());
    }
}
