//! Whether the Kubernetes API will be away, and whether that was accepted.

use super::{placeless, warning};
use crate::facts::ClusterFacts;
use crate::op::Effect;
use crate::plan::{Forecast, Plan};
use crate::source::{Diagnostics, codes};

/// With one or two control planes the API will be away for a while: that has to be accepted, never assumed. Asked after
/// the forecast, where there is one: control planes on which everything holds are not disrupted.
pub fn settle_outage(plan: &mut Plan, cluster: Option<&ClusterFacts>, diagnostics: &mut Diagnostics) {
    let control_planes = match cluster {
        Some(cluster) => cluster.nodes.values().filter(|node| node.control_plane).count(),
        None => plan.hosts.iter().filter(|host| host.subject.control_plane).count(),
    };
    if control_planes > 2 || !disrupts_control_planes(plan) {
        return;
    }
    let away = match control_planes {
        1 => "the only control plane is upgraded in place: the Kubernetes API will be away for some minutes"
            .to_owned(),
        n => format!(
            "{n} control planes have no quorum without each other: the Kubernetes API will be away for some minutes"
        ),
    };
    if plan.policy.control_plane_outage {
        plan.warnings.insert(0, warning(away, "accepted"));
    } else {
        let hint = "accept it with `policy: { control_plane_outage: accept }` in the runbook or --accept-control-plane-outage";
        diagnostics.push(placeless(codes::OUTAGE, away, Some(hint.to_owned())));
    }
}

fn disrupts_control_planes(plan: &Plan) -> bool {
    let phases = plan.phases.iter().filter(|phase| phase.rollout.control_planes);
    let mut hosts =
        phases.flat_map(|phase| &phase.hosts).filter(|tasks| plan.host(tasks.host).subject.control_plane);
    hosts.any(|tasks| {
        tasks.tasks.iter().any(|task| {
            let nothing = task.forecast.is_left_out()
                || matches!(
                    task.forecast,
                    Forecast::Holds { .. }
                        | Forecast::BracketHolds
                        | Forecast::IfFailed
                        | Forecast::IfTouched
                );
            task.effect == Effect::Disrupts && !nothing
        })
    })
}
