//! PodDisruptionBudgets: the template that reads them, and the arithmetic of what an eviction may do now.
//!
//! The rules are those of the API server's eviction endpoint (pkg/registry/core/pod/storage/eviction.go of
//! kubernetes/kubernetes): pending, finished and terminating pods go without a budget; a pod under two budgets never
//! goes; a pod that is not Ready goes when its budget is met without it, or always with
//! `unhealthyPodEvictionPolicy: AlwaysAllow` (stable since 1.31).

use super::pod::PodRow;
use super::rows::{RowError, number, plain, rows};
use super::selector::LabelSelector;
use super::some_of;

/// `-o` argument that prints one line per budget of a list. kubectl finds policy/v1 or v1beta1 by discovery.
pub const BUDGETS: &str = concat!(
    "go-template={{range .items}}",
    r#"{{.apiVersion}}{{"\t"}}{{.metadata.namespace}}{{"\t"}}{{.metadata.name}}{{"\t"}}"#,
    r#"{{with .status}}{{.disruptionsAllowed}}{{"\t"}}{{.currentHealthy}}{{"\t"}}{{.desiredHealthy}}{{else}}{{"\t\t"}}{{end}}{{"\t"}}"#,
    r#"{{with .spec.unhealthyPodEvictionPolicy}}{{.}}{{end}}{{"\t"}}"#,
    // An empty selector is an empty mapping, which `if` takes for false: the specification's keys are asked instead.
    r#"{{range $key, $value := .spec}}{{if eq $key "selector"}}selector{{end}}{{end}}{{"\t"}}"#,
    r#"{{with .spec.selector}}{{range $key, $value := .matchLabels}}{{$key}}={{$value}},{{end}}{{end}}{{"\t"}}"#,
    r#"{{with .spec.selector}}{{range .matchExpressions}}{{.key}} {{.operator}} {{range .values}}{{.}}|{{end}};{{end}}{{end}}{{"\n"}}{{end}}"#,
);

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisruptionBudget {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `status.disruptionsAllowed`.
    pub allowed: i64,
    /// `status.currentHealthy`.
    pub healthy: i64,
    /// `status.desiredHealthy`.
    pub needed: i64,
    /// Whether `unhealthyPodEvictionPolicy` is `AlwaysAllow`.
    pub unhealthy_always_go: bool,
    selector: Option<LabelSelector>,
}

/// Reads the rows of [`BUDGETS`].
pub fn parse_budgets(text: &str) -> Result<Vec<DisruptionBudget>, RowError> {
    let budget = |row: Result<[&str; 10], RowError>| {
        let [api, namespace, name, allowed, healthy, needed, policy, selector, labels, expressions] = row?;
        let count = |text| number(text).ok_or_else(|| RowError::new("a count of pods is expected", text));
        let parsed = LabelSelector::parse(labels, expressions);
        let parsed = parsed.ok_or_else(|| RowError::new("a label selector is expected", expressions))?;
        // An empty selector means every pod of the namespace in policy/v1, and none in v1beta1.
        let selects_none = selector.is_empty() || (parsed.is_empty() && api == "policy/v1beta1");
        Ok(DisruptionBudget {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            allowed: count(allowed)?,
            healthy: count(healthy)?,
            needed: count(needed)?,
            unhealthy_always_go: plain(policy) == "AlwaysAllow",
            selector: (!selects_none).then_some(parsed),
        })
    };
    rows::<10>(text, "a PodDisruptionBudget").map(budget).collect()
}

impl DisruptionBudget {
    /// `namespace/name`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it is about this pod.
    pub fn covers(&self, pod: &PodRow) -> bool {
        self.namespace == pod.namespace
            && self.selector.as_ref().is_some_and(|selector| selector.selects(&pod.labels))
    }

    /// Whether fewer pods are healthy than it needs, before anything of ours.
    pub fn is_broken(&self) -> bool {
        self.healthy < self.needed
    }
}

/// What a budget says to the eviction of some pods at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// The budget's `namespace/name`.
    pub budget: String,
    /// Those of the pods that count against it, as `namespace/name`.
    pub pods: Vec<String>,
    /// How many of them may go now.
    pub allowed: i64,
    /// How many pods it needs healthy.
    pub needed: i64,
    /// How many are.
    pub healthy: i64,
}

impl Pressure {
    /// Whether none of the pods may go before another one is healthy elsewhere.
    pub fn blocks(&self) -> bool {
        self.allowed <= 0
    }
}

impl Pressure {
    /// What the budget lets go, in words.
    pub fn verdict(&self) -> String {
        let pods = some_of(&self.pods);
        match (self.blocks(), self.healthy < self.needed) {
            (false, _) => format!("lets {} of {pods} go at a time", self.allowed),
            (true, false) => format!("lets none of {pods} go now"),
            (true, true) => format!("lets none of {pods} go, and is broken already"),
        }
    }
}

/// What the budgets say to the eviction of these pods: one entry for each budget that fewer than all of them may
/// pass at once, and the pods under more than one budget, which the eviction endpoint always refuses.
pub fn weigh(budgets: &[DisruptionBudget], pods: &[&PodRow]) -> (Vec<Pressure>, Vec<String>) {
    let mut pressures: Vec<Pressure> = Vec::new();
    let mut torn = Vec::new();
    for pod in pods.iter().filter(|pod| needs_a_budget(pod)) {
        let covering: Vec<&DisruptionBudget> = budgets.iter().filter(|budget| budget.covers(pod)).collect();
        let budget = match covering[..] {
            [] => continue,
            [budget] => budget,
            _ => {
                torn.push(pod.path());
                continue;
            }
        };
        if !pod.ready && unhealthy_may_go(budget) {
            continue;
        }
        let path = budget.path();
        match pressures.iter_mut().find(|pressure| pressure.budget == path) {
            Some(pressure) => pressure.pods.push(pod.path()),
            None => pressures.push(Pressure {
                budget: path,
                pods: vec![pod.path()],
                allowed: budget.allowed,
                needed: budget.needed,
                healthy: budget.healthy,
            }),
        }
    }
    let fits =
        |pressure: &Pressure| usize::try_from(pressure.allowed).is_ok_and(|n| n >= pressure.pods.len());
    pressures.retain(|pressure| !fits(pressure));
    (pressures, torn)
}

fn needs_a_budget(pod: &PodRow) -> bool {
    !pod.deleting && !pod.is_finished() && pod.phase != "Pending"
}

/// A pod that is not Ready costs nothing where the healthy ones suffice without it.
fn unhealthy_may_go(budget: &DisruptionBudget) -> bool {
    budget.unhealthy_always_go || (budget.needed > 0 && budget.healthy >= budget.needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(allowed: i64, healthy: i64, needed: i64, policy: &str) -> DisruptionBudget {
        let row = format!(
            "policy/v1\tdefault\tweb\t{allowed}\t{healthy}\t{needed}\t{policy}\tselector\tapp=web,\t\n"
        );
        parse_budgets(&row).expect("a budget").remove(0)
    }

    fn pod(name: &str, phase: &str, ready: bool) -> PodRow {
        PodRow {
            namespace: "default".into(),
            name: name.into(),
            phase: phase.into(),
            ready,
            labels: [("app".to_owned(), "web".to_owned())].into(),
            ..PodRow::default()
        }
    }

    #[test]
    fn a_budget_without_room_names_pod_need_and_state() {
        let (a, b) = (pod("web-1", "Running", true), pod("web-2", "Running", true));
        let (pressures, torn) = weigh(&[budget(0, 6, 6, "")], &[&a, &b]);
        assert!(torn.is_empty() && pressures[0].blocks());
        assert_eq!(pressures[0].verdict(), "lets none of default/web-1, default/web-2 go now");
        assert_eq!((pressures[0].needed, pressures[0].healthy), (6, 6));
        let (pressures, _) = weigh(&[budget(0, 4, 6, "")], &[&a]);
        assert!(pressures[0].verdict().ends_with("is broken already"), "{:?}", pressures[0]);
    }

    #[test]
    fn a_budget_with_room_for_all_is_not_mentioned() {
        let (a, b) = (pod("web-1", "Running", true), pod("web-2", "Running", true));
        assert!(weigh(&[budget(2, 6, 4, "")], &[&a, &b]).0.is_empty());
        let (pressures, _) = weigh(&[budget(1, 6, 5, "")], &[&a, &b]);
        assert_eq!(pressures[0].verdict(), "lets 1 of default/web-1, default/web-2 go at a time");
        assert!(!pressures[0].blocks());
    }

    #[test]
    fn pods_that_need_no_budget_cost_none() {
        for (phase, ready, deleting) in [
            ("Pending", false, false),
            ("Succeeded", false, false),
            ("Failed", false, false),
            ("Running", true, true),
        ] {
            let pod = PodRow { deleting, ..pod("web-1", phase, ready) };
            assert!(weigh(&[budget(0, 4, 6, "")], &[&pod]).0.is_empty(), "{phase}");
        }
    }

    #[test]
    fn an_unready_pod_goes_when_the_others_suffice_or_the_policy_says_so() {
        let sick = pod("web-1", "Running", false);
        for (healthy, needed, policy, blocked) in [
            (6, 6, "", false),
            (5, 6, "", true),
            (5, 6, "IfHealthyBudget", true),
            (5, 6, "AlwaysAllow", false),
            (0, 0, "", true),
        ] {
            let (pressures, _) = weigh(&[budget(0, healthy, needed, policy)], &[&sick]);
            assert_eq!(!pressures.is_empty(), blocked, "{healthy}/{needed} {policy}");
        }
    }

    #[test]
    fn a_pod_under_two_budgets_never_goes() {
        let a = pod("web-1", "Running", true);
        let other = DisruptionBudget { name: "web2".into(), ..budget(5, 6, 1, "") };
        let (pressures, torn) = weigh(&[budget(5, 6, 1, ""), other], &[&a]);
        assert!(pressures.is_empty());
        assert_eq!(torn, ["default/web-1"]);
    }

    #[test]
    fn an_empty_selector_means_all_in_v1_and_none_in_v1beta1() {
        let a = pod("web-1", "Running", true);
        for (api, selector, covers) in
            [("policy/v1", "selector", true), ("policy/v1beta1", "selector", false), ("policy/v1", "", false)]
        {
            let row = format!("{api}\tdefault\tweb\t0\t1\t1\t\t{selector}\t\t\n");
            let budget = parse_budgets(&row).expect("a budget").remove(0);
            assert_eq!(budget.covers(&a), covers, "{api} {selector}");
        }
    }

    #[test]
    fn a_budget_of_another_namespace_does_not_count() {
        let a = PodRow { namespace: "other".into(), ..pod("web-1", "Running", true) };
        assert!(weigh(&[budget(0, 6, 6, "")], &[&a]).0.is_empty());
    }
}
