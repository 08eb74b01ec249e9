//! Whether a drained node still is: cordoned, and without a pod that the drain would move.

use super::{Drain, DrainArgs, IfDrainGone, OnNotReady, options, pods_query_as};
use crate::kubernetes::drain::forecast;
use crate::kubernetes::pod::{PodRow, TOLERATING_PODS, parse_tolerating_pods};
use crate::kubernetes::some_of;
use crate::op::{Probe, ProbeOutput};
use crate::step::build::exactly;
use crate::step::cordoned::{self, CordonNow, CordonSet, Cordons, IfUncordoned};
use crate::step::kind::{Kind, given, lowered};
use crate::step::node_state::{kubectl_probe, on_node, succeeded, unreadable_rows};
use crate::step::{AssessError, LowerCx, LowerError};
use crate::value::Value;

impl Cordons for Drain {
    fn look(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Probe, LowerError> {
        let on = on_node(cx, Self::NAME)?;
        let mut queries = cordoned::queries(cx, Self::NAME)?;
        queries.push(pods_query_as(&given::<Self>(args)?, on, TOLERATING_PODS));
        Ok(kubectl_probe(on.kube, queries))
    }

    fn read(&self, args: &Value, set: CordonSet, answers: &[ProbeOutput]) -> Result<CordonNow, AssessError> {
        let [nodes, run, pods] = exactly::<3>(answers)?;
        let args = lowered::<Self>(args)?;
        let (node, now) = cordoned::read(nodes, run, set)?;
        let Some(node) = node else { return Ok(now) };
        let skips = args.on_not_ready == OnNotReady::Skip;
        if !node.is_ready() && !set.changed && skips {
            // It was not drained, because it was not Ready, and is not now: its pods are left as they are.
            return Ok(CordonNow::Stands);
        }
        let came = came(&args, pods)?;
        let pods = if came.is_empty() { String::new() } else { some_of(&came) };
        let what = match now {
            CordonNow::Stands if came.is_empty() => return Ok(CordonNow::Stands),
            CordonNow::Stands => format!("pods came to {} after the drain: {pods}", node.name),
            CordonNow::Gone { what } if came.is_empty() => what,
            CordonNow::Gone { what } => format!("{what}, and pods came: {pods}"),
            lost @ CordonNow::Lost { .. } => return Ok(lost),
        };
        if node.is_ready() {
            return Ok(CordonNow::Gone { what });
        }
        let what = format!("{what}; the node is {}, so no kubelet would end its pods", node.condition());
        Ok(CordonNow::Lost { what, hint: "bring the node back, then plan again" })
    }

    fn if_uncordoned(&self, args: &Value) -> IfUncordoned {
        match given::<Self>(args).map(|args| args.if_uncordoned) {
            Ok(IfDrainGone::Fail) => IfUncordoned::Fail,
            Ok(IfDrainGone::Again) | Err(_) => IfUncordoned::Again,
        }
    }

    fn done_again(&self) -> &'static str {
        "drained"
    }
}

/// Pods that the drain would move, or would not be allowed to, and that a cordon keeps away.
fn came(args: &DrainArgs, answer: &ProbeOutput) -> Result<Vec<String>, AssessError> {
    let command = "kubectl get pods";
    succeeded(command, answer)?;
    let pods = parse_tolerating_pods(&answer.stdout).map_err(|error| unreadable_rows(command, &error))?;
    let kept_away = pods.into_iter().filter(|pod| !pod.tolerates_cordon).map(|pod| pod.pod);
    // Nothing is disrupted for one that has run to its end.
    let kept_away: Vec<PodRow> = kept_away.filter(|pod| !pod.is_finished()).collect();
    let told = forecast(&kept_away, options(args));
    let moved = told.evicted.iter().map(|pod| pod.path());
    Ok(moved.chain(told.daemonset).chain(told.local_data).chain(told.bare).collect())
}
