//! What `kubectl drain` would do to the pods of a node: the filters of its source (staging/src/k8s.io/kubectl/pkg/drain/filters.go),
//! in their order.

use super::pod::PodRow;
use super::some_of;

/// The options that decide what goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainOptions {
    /// DaemonSet pods stay and are no obstacle.
    pub ignore_daemonsets: bool,
    /// Pods with `emptyDir` volumes go, and the data with them.
    pub delete_emptydir_data: bool,
    /// Pods without a controller go, for good.
    pub force: bool,
}

/// The pods of a node, told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainForecast<'p> {
    /// What would be evicted.
    pub evicted: Vec<&'p PodRow>,
    /// What stays because it cannot be evicted in a way that lasts: DaemonSet pods and mirror pods.
    pub staying: Vec<&'p PodRow>,
    /// Pods of a DaemonSet, where they are not to be ignored.
    pub daemonset: Vec<String>,
    /// Pods with local data, where it is not to be deleted.
    pub local_data: Vec<String>,
    /// Pods without a controller, where they are not to be deleted.
    pub bare: Vec<String>,
    /// How many of the last two are being deleted already.
    pub ending: usize,
}

/// Tells the pods of a node apart.
pub fn forecast(pods: &[PodRow], options: DrainOptions) -> DrainForecast<'_> {
    let mut told = DrainForecast::default();
    for pod in pods {
        // Finished pods always go, whoever owns them; a DaemonSet's pod that is finished is still a DaemonSet's.
        let finished = pod.is_finished();
        if pod.mirror {
            told.staying.push(pod);
        } else if pod.controller == "DaemonSet" && !finished {
            if options.ignore_daemonsets {
                told.staying.push(pod);
            } else {
                told.daemonset.push(pod.path());
            }
        // One that is being deleted is refused like any other: kubectl's filters do not ask.
        } else if !finished && pod.empty_dir && !options.delete_emptydir_data {
            told.local_data.push(pod.path());
            told.ending += usize::from(pod.deleting);
        } else if !finished && pod.controller.is_empty() && !options.force {
            told.bare.push(pod.path());
            told.ending += usize::from(pod.deleting);
        } else {
            told.evicted.push(pod);
        }
    }
    told
}

impl DrainForecast<'_> {
    /// Why kubectl would refuse, with what to write instead; `None` where it would not. kubectl names all causes, and
    /// leaves the node cordoned.
    pub fn refusal(&self) -> Option<(String, String)> {
        let causes = [
            (
                &self.daemonset,
                "of a DaemonSet",
                "keep `ignore_daemonsets: true`: their controller would start them again",
            ),
            (
                &self.local_data,
                "with `emptyDir` data",
                "move the data, or accept its loss by `delete_emptydir_data: true` with a `reason:`",
            ),
            (
                &self.bare,
                "without a controller",
                "delete them by hand, or accept their loss by `force: true` with a `reason:`",
            ),
        ];
        let found: Vec<_> = causes.iter().filter(|(pods, ..)| !pods.is_empty()).collect();
        if found.is_empty() {
            return None;
        }
        let reasons: Vec<_> =
            found.iter().map(|(pods, what, _)| format!("pods {what}: {}", some_of(pods))).collect();
        let mut hints: Vec<_> = found.iter().map(|(.., hint)| *hint).collect();
        if self.ending > 0 {
            hints.push("those that are terminating already: wait until they are gone, and where one stays, look at its finalizers and at the kubelet");
        }
        Some((reasons.join("; "), hints.join("; ")))
    }

    /// What goes for good, in words; empty where everything comes back somewhere else.
    pub fn losses(&self) -> Vec<String> {
        let living = || self.evicted.iter().filter(|pod| !pod.is_finished() && !pod.deleting);
        let bare: Vec<_> = living().filter(|pod| pod.controller.is_empty()).map(|pod| pod.path()).collect();
        let data: Vec<_> = living().filter(|pod| pod.empty_dir).map(|pod| pod.path()).collect();
        let mut losses = Vec::new();
        if !bare.is_empty() {
            losses.push(format!("pods without a controller are gone for good: {}", some_of(&bare)));
        }
        if !data.is_empty() {
            losses.push(format!("`emptyDir` data is deleted: {}", some_of(&data)));
        }
        losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, controller: &str) -> PodRow {
        PodRow {
            namespace: "default".into(),
            name: name.into(),
            phase: "Running".into(),
            controller: controller.into(),
            ready: true,
            ..PodRow::default()
        }
    }

    const PLAIN: DrainOptions =
        DrainOptions { ignore_daemonsets: true, delete_emptydir_data: false, force: false };

    fn node() -> Vec<PodRow> {
        vec![
            pod("web", "ReplicaSet"),
            pod("agent", "DaemonSet"),
            PodRow { mirror: true, ..pod("etcd", "Node") },
            PodRow { empty_dir: true, ..pod("scratch", "ReplicaSet") },
            pod("bare", ""),
            PodRow { phase: "Succeeded".into(), ..pod("done", "") },
        ]
    }

    fn names(pods: &[&PodRow]) -> Vec<String> {
        pods.iter().map(|pod| pod.name.clone()).collect()
    }

    #[test]
    fn pods_are_told_apart_as_kubectl_does() {
        let pods = node();
        let told = forecast(&pods, PLAIN);
        assert_eq!(names(&told.evicted), ["web", "done"]);
        assert_eq!(names(&told.staying), ["agent", "etcd"]);
        assert_eq!(
            (told.local_data.as_slice(), told.bare.as_slice()),
            (&["default/scratch".into()][..], &["default/bare".into()][..])
        );
        let (reason, hint) = told.refusal().expect("a refusal");
        assert_eq!(
            reason,
            "pods with `emptyDir` data: default/scratch; pods without a controller: default/bare"
        );
        assert!(hint.contains("delete_emptydir_data") && hint.contains("force"));
    }

    #[test]
    fn pods_that_are_being_deleted_are_refused_like_others() {
        let ending = |pod: PodRow| PodRow { deleting: true, ..pod };
        let pods = [
            ending(pod("bare", "")),
            ending(PodRow { empty_dir: true, ..pod("scratch", "ReplicaSet") }),
            ending(pod("web", "ReplicaSet")),
        ];
        let told = forecast(&pods, PLAIN);
        assert_eq!(names(&told.evicted), ["web"]);
        let (reason, hint) = told.refusal().expect("a refusal");
        assert!(reason.contains("default/bare") && reason.contains("default/scratch"), "{reason}");
        assert!(hint.contains("wait until they are gone") && hint.contains("finalizers"), "{hint}");
        let forced = DrainOptions { delete_emptydir_data: true, force: true, ..PLAIN };
        // What is on its way out already is no loss of this drain.
        assert!(forecast(&pods, forced).refusal().is_none() && forecast(&pods, forced).losses().is_empty());
    }

    #[test]
    fn what_is_accepted_is_no_refusal_but_a_loss() {
        let pods = node();
        let told = forecast(&pods, DrainOptions { delete_emptydir_data: true, force: true, ..PLAIN });
        assert!(told.refusal().is_none());
        assert_eq!(told.losses().len(), 2, "{:?}", told.losses());
        assert_eq!(names(&told.evicted), ["web", "scratch", "bare", "done"]);
    }

    #[test]
    fn daemonset_pods_refuse_where_they_are_not_ignored() {
        let pods = node();
        let told = forecast(&pods, DrainOptions { ignore_daemonsets: false, ..PLAIN });
        assert!(told.refusal().expect("a refusal").0.contains("of a DaemonSet: default/agent"));
    }
}
