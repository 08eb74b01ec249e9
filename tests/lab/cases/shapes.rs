//! Clusters of other shapes, and batches of other sizes.

use super::audit::{Turn, most_at_once, order, turns};
use super::rollbook::{BRISK, Files, roll, run_with};
use super::upgrade::{everything_is_at, stayed_within_budget};
use super::watch::{Watch, never};
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage};

/// Three control planes and nobody else: the phase of the workers has no hosts.
pub(super) fn control_planes_only(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 3, workers: 0, kubernetes: "1.20.2" });
    let files = Files::brisk(&lab);
    let began = lab.now();
    let watch = Watch::of_nodes(&lab);
    let upgraded = run_with(&lab, &files, "upgrade", "1.21.0", &[]);
    let samples = watch.end();
    upgraded.exits(0);
    everything_is_at(&lab, "1.21.0");
    assert!(samples.len() > 20, "only {} looks at the cluster", samples.len());
    never(&samples, "two control planes are out", |sample| sample.out_of("cp") > 1);
    let turns = turns(&lab.audit(&began));
    assert_eq!(order(&turns), ["cp1", "cp2", "cp3"], "{turns:?}");
}

/// Four workers in batches of one, two (half of them) and the last: nobody begins before the batch before has ended. All
/// packages are on the hosts before the first drain: a repository that dies in the second batch stops nothing.
pub(super) fn batches_of_one_and_half(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 4, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    let mut changes = vec![("batches: [1, 3, 25%]", "batches: [1, 50%]")];
    changes.extend_from_slice(BRISK);
    let files = Files::but(&lab, &changes);
    let began = lab.now();
    let watch = Watch::start(&lab);
    let mut running = roll(&lab, &files, "upgrade", "1.21.0", ACCEPT);
    running.until_it_says("batch 2/3: w2, w3");
    lab.run(&["repo", "break", "dead"]);
    let upgraded = running.wait();
    let samples = watch.end();
    upgraded.exits(0);
    everything_is_at(&lab, "1.21.0");
    stayed_within_budget(&lab, &samples, 2);
    let mut turns = turns(&lab.audit(&began));
    turns.retain(|turn| turn.node.starts_with('w'));
    assert_eq!(most_at_once(&turns, "w"), 2, "the second batch has two hosts: {turns:?}");
    let batches: Vec<Vec<&str>> = rounds(&turns);
    assert_eq!(batches, [vec!["w1"], vec!["w2", "w3"], vec!["w4"]], "{turns:?}");
}

/// Nodes that were out together, sorted; a round ends when all of them are back.
fn rounds(turns: &[Turn]) -> Vec<Vec<&str>> {
    let (mut rounds, mut round, mut out) = (Vec::new(), Vec::new(), 0_usize);
    for turn in turns {
        if turn.cordoned {
            out += 1;
            round.push(turn.node.as_str());
        } else {
            out -= 1;
            if out == 0 {
                round.sort_unstable();
                rounds.push(std::mem::take(&mut round));
            }
        }
    }
    rounds
}
