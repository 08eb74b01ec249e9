//! Plans that were written before step kinds said of each op what it changes for a while, what it puts back, which nodes it
//! moves, and whether it calls kubectl. Here alone this is told from the commands of ops; a plan of today says it all, and
//! stays as it is.

use std::sync::Arc;

use super::{DeferredStep, Plan};
use crate::op::{Effect, Op, OpKind, Probe, RunWhen, Temporary, calls_kubectl};
use crate::step::{BracketKey, Lowered};

/// Adds what an older plan does not say.
pub(super) fn complete(plan: &mut Plan) {
    for action in &mut plan.actions {
        self::lowered(&mut Arc::make_mut(action).lowered);
    }
    plan.deferred.iter_mut().for_each(DeferredStep::read_moves);
}

fn lowered(lowered: &mut Lowered) {
    let verify = lowered.verify.as_mut().map(|verify| &mut verify.probe);
    lowered.probe.iter_mut().chain(verify).for_each(probe);
    let says = |op: &Op| !op.makes.is_empty() || !op.restores.is_empty() || op.asks_api;
    if lowered.ops.iter().any(says) {
        return;
    }
    let cordons = lowered.opens.contains(&BracketKey::Cordon);
    let closes = lowered.closes.iter().filter_map(|key| match key {
        BracketKey::Hold(package) => Some(Temporary::Unhold(package.clone())),
        BracketKey::Cordon => None,
    });
    let held: Vec<Temporary> = closes.collect();
    // The first way back is that of the cordon; what follows it, such as a drain, names the same one.
    let sets_cordon = lowered.ops.iter().position(|op| cordons && !op.undo.is_empty());
    for (index, op) in lowered.ops.iter_mut().enumerate() {
        op.read_command();
        if is_about_holds(op) {
            continue;
        }
        if cordons {
            op.makes.extend((sets_cordon == Some(index)).then_some(Temporary::Cordon));
            op.restores.extend((op.when == RunWhen::OnFailure).then_some(Temporary::Cordon));
        } else if !op.undo.is_empty() {
            op.makes.push(Temporary::Undo);
        } else if op.effect > Effect::Reads {
            // Whoever moves a held package takes its hold off, and puts it back as the last thing.
            op.makes.extend_from_slice(&held);
        }
    }
}

fn is_about_holds(op: &Op) -> bool {
    matches!(&op.kind, OpKind::Exec { argv } if argv.first().is_some_and(|program| program == "apt-mark"))
}

fn probe(probe: &mut Probe) {
    for query in &mut probe.queries {
        query.asks_api |= calls_kubectl(&query.argv, &query.stdin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{all, cases};

    /// What a plan says today without the words that older ones lack.
    fn as_before(of: &Lowered) -> Lowered {
        let mut lowered = of.clone();
        for op in &mut lowered.ops {
            (op.makes, op.restores, op.moves, op.asks_api) = (Vec::new(), Vec::new(), Vec::new(), false);
        }
        let verify = lowered.verify.as_mut().map(|verify| &mut verify.probe);
        for query in lowered.probe.iter_mut().chain(verify).flat_map(|probe| &mut probe.queries) {
            query.asks_api = false;
        }
        lowered
    }

    #[test]
    fn a_plan_of_today_stays_as_it_is_and_an_older_one_comes_to_the_same() {
        for kind in all() {
            let lowered = cases::all_lowered(kind.name());
            for (case, of_today) in lowered {
                let mut kept = of_today.clone();
                super::lowered(&mut kept);
                assert_eq!(kept, of_today, "{case}");
                let mut older = as_before(&of_today);
                super::lowered(&mut older);
                // An older plan takes an update of package lists for one that moves held packages, too.
                for (op, today) in older.ops.iter_mut().zip(&of_today.ops) {
                    if today.title == "update the package lists" {
                        op.makes.clear();
                    }
                }
                assert_eq!(older, of_today, "{case}");
            }
        }
    }
}
