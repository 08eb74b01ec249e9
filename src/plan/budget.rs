//! The budget: who is out of service, and whether one more may go. Pure arithmetic over data: no state, no clock,
//! nobody is asked anything here.

use serde::{Deserialize, Serialize};

use super::HostId;
use crate::value::Amount;

/// Why a host counts as out of service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutCause {
    /// Between its first disrupting task and the end of its tasks in the phase.
    InWork,
    /// It failed in this run. Failed hosts keep counting: nobody has put them back.
    Failed,
    /// What happened on it is not known.
    Unknown,
    /// This run cordoned its node, and does not work on it now.
    LeftCordoned,
    /// Its node is not Ready; the condition's status.
    NotReady(String),
    /// Its node is cordoned by somebody else.
    Cordoned,
    /// It cannot be reached over SSH.
    Unreachable,
    /// Its node is not in the cluster any more.
    NodeGone,
}

/// A host that is out of service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutOfService {
    /// The host.
    pub host: HostId,
    /// Why.
    pub cause: OutCause,
}

/// The slots of a phase and who holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Hosts that may be out at the same time.
    pub slots: usize,
    /// Hosts that are out, each once, with the first cause known.
    pub out: Vec<OutOfService>,
}

/// Why a host may not go: the budget is spent, and who could give a slot back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} would be out of service where {slots} may: {in_work} in work, {failed} failed in this run, {cordoned} left cordoned by it, {others} for other reasons", in_work + failed + cordoned + others + 1)]
pub struct Spent {
    /// Hosts that may be out at the same time.
    pub slots: usize,
    /// Hosts out because the run works on them, without the one that asks.
    pub in_work: usize,
    /// Hosts out because they failed in this run or their state is not known, likewise.
    pub failed: usize,
    /// Hosts out because this run left their nodes cordoned, likewise.
    pub cordoned: usize,
    /// Hosts out because of somebody else, likewise.
    pub others: usize,
}

/// What would have to end before a slot can be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpentBy {
    /// The run's own work: waiting is enough.
    Work,
    /// Failures of this run and the nodes that it left cordoned, alone: no waiting helps.
    Failures,
    /// Others, with this run's failures or without: only they can help.
    Others,
}

impl Spent {
    /// Who spent it. Work is never to blame where failures and others fill the budget without it.
    pub fn by(&self) -> SpentBy {
        let lost = self.failed + self.cordoned;
        if lost + 1 > self.slots {
            SpentBy::Failures
        } else if lost + self.others + 1 > self.slots {
            SpentBy::Others
        } else {
            SpentBy::Work
        }
    }
}

impl Budget {
    /// Whether `host` may go out of service: all that are out, itself included, must fit the slots. A host that is
    /// out already is not counted twice, but it does not make room either. One that this run left cordoned takes nobody
    /// out: only what is at work or lost can hold it up, not others that were left like it.
    pub fn may_take(&self, host: HostId) -> Result<(), Spent> {
        let mut spent = Spent { slots: self.slots, in_work: 0, failed: 0, cordoned: 0, others: 0 };
        let is_left = |out: &OutOfService| out.cause == OutCause::LeftCordoned;
        let is_out = self.out.iter().any(|out| out.host == host && is_left(out));
        for out in self.out.iter().filter(|out| out.host != host && !(is_out && is_left(out))) {
            match out.cause {
                OutCause::InWork => spent.in_work += 1,
                OutCause::LeftCordoned => spent.cordoned += 1,
                OutCause::Failed | OutCause::Unknown => spent.failed += 1,
                OutCause::NotReady(_) | OutCause::Cordoned | OutCause::Unreachable | OutCause::NodeGone => {
                    spent.others += 1;
                }
            }
        }
        let out = spent.in_work + spent.failed + spent.cordoned + spent.others;
        if out < self.slots { Ok(()) } else { Err(spent) }
    }
}

/// Cuts hosts into batches: the sizes in order, the last one repeating; a percentage is of `population`, rounded
/// down, at least one. No sizes: one batch of everything. No hosts: no batch.
///
/// A size of zero is cut as one: the reader of runbooks refuses it, and an endless row of empty batches helps nobody.
pub fn cut_batches(hosts: &[HostId], sizes: &[Amount], population: usize) -> Vec<Vec<HostId>> {
    let Some(last) = sizes.last() else {
        return if hosts.is_empty() { Vec::new() } else { vec![hosts.to_vec()] };
    };
    let mut sizes = sizes.iter().chain(std::iter::repeat(last));
    let mut rest = hosts;
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(last).of(population).clamp(1, rest.len());
        let (batch, tail) = rest.split_at(size);
        batches.push(batch.to_vec());
        rest = tail;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: u32) -> Vec<HostId> {
        (0..count).map(HostId).collect()
    }

    #[test]
    fn batches_follow_their_sizes_and_the_last_size_repeats() {
        let cases: [(&str, u32, usize, &[usize]); 11] = [
            ("1 3 25%", 12, 12, &[1, 3, 3, 3, 2]),
            ("1", 3, 3, &[1, 1, 1]),
            ("10%", 40, 40, &[4; 10]),
            // The population counts for the percentage, not the hosts left after `--limit`.
            ("50%", 5, 20, &[5]),
            // Rounded down, at least one: 10 % of 9 is not nothing.
            ("10%", 3, 9, &[1, 1, 1]),
            ("100%", 7, 7, &[7]),
            ("5", 3, 3, &[3]),
            ("2 1", 5, 5, &[2, 1, 1, 1]),
            ("0", 2, 2, &[1, 1]),
            ("", 4, 4, &[4]),
            ("1 2", 0, 9, &[]),
        ];
        for (sizes, count, population, expected) in cases {
            let amounts: Vec<_> =
                sizes.split_whitespace().map(|size| Amount::parse(size).expect("an amount")).collect();
            let batches = cut_batches(&hosts(count), &amounts, population);
            let cut: Vec<_> = batches.iter().map(Vec::len).collect();
            assert_eq!(cut, expected, "`{sizes}` of {count} hosts, population {population}");
            assert_eq!(batches.concat(), hosts(count), "`{sizes}` keeps every host once and in order");
        }
    }

    fn out(text: &str) -> Vec<OutOfService> {
        text.split_whitespace()
            .map(|word| {
                let (host, cause) = word.split_once(':').expect("host:cause");
                let cause = match cause {
                    "work" => OutCause::InWork,
                    "failed" => OutCause::Failed,
                    "unknown" => OutCause::Unknown,
                    "cordoned" => OutCause::Cordoned,
                    "unreachable" => OutCause::Unreachable,
                    "gone" => OutCause::NodeGone,
                    "left" => OutCause::LeftCordoned,
                    other => OutCause::NotReady(other.to_owned()),
                };
                OutOfService { host: HostId(host.parse().expect("a number")), cause }
            })
            .collect()
    }

    #[test]
    fn a_host_may_go_only_while_all_that_are_out_and_itself_fit() {
        use SpentBy::{Failures, Others, Work};
        let cases = [
            (1, "", None),
            (2, "1:work", None),
            (1, "1:work", Some(Work)),
            (2, "1:work 2:work", Some(Work)),
            (1, "1:failed", Some(Failures)),
            (1, "1:unknown", Some(Failures)),
            (2, "1:failed", None),
            (2, "1:failed 2:unknown", Some(Failures)),
            (2, "1:failed 2:work", Some(Work)),
            (1, "1:cordoned", Some(Others)),
            (2, "1:failed 2:gone", Some(Others)),
            (2, "1:False 2:unreachable", Some(Others)),
            // Its own work is not to blame when others fill the budget without it.
            (1, "1:work 2:cordoned", Some(Others)),
            // Failures that fill the budget alone end the wait for everybody.
            (1, "1:failed 2:cordoned", Some(Failures)),
            // Host 9 itself is out: it costs no second slot, and makes no room.
            (1, "9:False", None),
            (2, "1:work 9:unreachable", None),
            (1, "1:work 9:unreachable", Some(Work)),
            (0, "", Some(Failures)),
            (1, "1:left", Some(Failures)),
            (2, "1:left 2:failed", Some(Failures)),
            (2, "1:left 2:cordoned", Some(Others)),
            // Host 9 was left out itself: nobody else goes out with it.
            (1, "9:left", None),
            (1, "9:left 1:left", None),
            (1, "9:left 1:work", Some(Work)),
        ];
        for (slots, text, expected) in cases {
            let verdict = Budget { slots, out: out(text) }.may_take(HostId(9));
            assert_eq!(verdict.err().map(|spent| spent.by()), expected, "{slots} slots, out: {text}");
        }
    }

    #[test]
    fn the_explanation_counts_who_is_out() {
        let spent = Budget { slots: 3, out: out("1:work 2:failed 3:cordoned") }.may_take(HostId(9));
        assert_eq!(
            spent.expect_err("three are out").to_string(),
            "4 would be out of service where 3 may: 1 in work, 1 failed in this run, 0 left cordoned by it, 1 for other reasons"
        );
    }
}
