//! In which order the hosts of a batch take their turns, and when the last of them ends: at most `parallel` of them are at
//! work before they take a slot, as many are out of service as there are slots, in no more domains than may be touched,
//! and no two members of one etcd together. The engine decides with what it sees; this is the same with times only.

use std::collections::BTreeSet;

use crate::plan::{HostId, Plan, PlannedPhase, Topology};
use crate::value::Duration;

/// What a host does in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Turn {
    /// Whose turn it is.
    pub(in crate::plan) host: HostId,
    /// Before it takes a slot.
    pub(in crate::plan) before: Duration,
    /// From its slot on; `None` for a host that takes none.
    pub(in crate::plan) out: Option<Duration>,
}

/// How many hosts of a phase may be at work together.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Room<'a> {
    slots: usize,
    parallel: usize,
    topology: Option<&'a Topology>,
    /// Members of an etcd on hosts of its own.
    members: &'a [HostId],
}

/// A host that is at work, until when.
type AtWork = (Turn, Duration);

impl<'a> Room<'a> {
    /// The room of a phase.
    pub(in crate::plan) fn of(plan: &'a Plan, phase: &'a PlannedPhase) -> Self {
        Self {
            slots: phase.rollout.slots().max(1) as usize,
            parallel: phase.rollout.parallel.max(1) as usize,
            topology: phase.topology.as_ref(),
            members: plan.etcd.as_ref().map_or(&[], |etcd| etcd.hosts.as_slice()),
        }
    }

    /// When the last of these hosts ends, which begin in this order.
    pub(in crate::plan) fn ends(&self, turns: &[Turn]) -> Duration {
        let (mut begin, mut now) = (turns.iter().copied(), Duration::ZERO);
        let (mut early, mut out): (Vec<AtWork>, Vec<AtWork>) = (Vec::new(), Vec::new());
        loop {
            out.retain(|(_, until)| *until > now);
            let begins = begin.by_ref().take(self.parallel.saturating_sub(early.len()));
            early.extend(begins.map(|turn| (turn, now.saturating_add(turn.before))));
            let goes_on = early.iter().position(|(turn, until)| *until <= now && self.fits(turn, &out));
            if let Some((turn, _)) = goes_on.map(|at| early.remove(at)) {
                out.extend(turn.out.map(|time| (turn, now.saturating_add(time))));
                continue;
            }
            let ends = early.iter().chain(&out).map(|(_, until)| *until).filter(|until| *until > now);
            match ends.min() {
                Some(next) => now = next,
                None => return now,
            }
        }
    }

    /// Whether a host goes on beside those that are out; one that takes no slot always does.
    fn fits(&self, turn: &Turn, out: &[AtWork]) -> bool {
        if turn.out.is_none() {
            return true;
        }
        let is_out = || out.iter().map(|(turn, _)| turn.host);
        let is_member = |host: HostId| self.members.contains(&host);
        let has_domain = || {
            self.topology.is_none_or(|topology| {
                let taken: BTreeSet<&str> = topology.domains_of(is_out());
                topology.domain(turn.host).is_none_or(|domain| topology.fits(&taken, domain))
            })
        };
        out.len() < self.slots && !(is_member(turn.host) && is_out().any(is_member)) && has_domain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(times: &[(u64, Option<u64>)]) -> Vec<Turn> {
        let secs = Duration::from_secs;
        (0..)
            .zip(times)
            .map(|(host, (before, out))| Turn {
                host: HostId(host),
                before: secs(*before),
                out: out.map(secs),
            })
            .collect()
    }

    fn room(slots: usize, parallel: usize) -> Room<'static> {
        Room { slots, parallel, topology: None, members: &[] }
    }

    #[test]
    fn slots_and_parallel_bound_what_goes_on_together() {
        let alike = |count: usize, turn| turns(&vec![turn; count]);
        let cases = [
            ("nobody", room(2, 5), Vec::new(), 0),
            ("one after the other", room(1, 5), alike(4, (0, Some(10))), 40),
            ("two slots", room(2, 5), alike(5, (0, Some(10))), 30),
            ("all ready while the first is out", room(1, 5), alike(4, (3, Some(10))), 43),
            ("one at a time is ready", room(2, 1), alike(3, (10, Some(10))), 40),
            ("without slots only `parallel` counts", room(1, 5), alike(10, (10, None)), 20),
            (
                "a short one makes room for the next",
                room(2, 5),
                turns(&[(0, Some(30)), (0, Some(10)), (0, Some(20))]),
                30,
            ),
            ("hosts without work take no time", room(1, 1), alike(7, (0, None)), 0),
            ("slots of no time", room(1, 2), alike(7, (0, Some(0))), 0),
        ];
        for (what, room, turns, expected) in cases {
            assert_eq!(room.ends(&turns), Duration::from_secs(expected), "{what}");
        }
    }

    #[test]
    fn domains_and_members_of_etcd_bound_it_further() {
        let zones = |pairs: &[(&str, &[u32])]| Topology {
            key: "zone".to_owned(),
            max_domains: 1,
            domains: pairs
                .iter()
                .map(|(zone, hosts)| ((*zone).to_owned(), hosts.iter().copied().map(HostId).collect()))
                .collect(),
        };
        let four = turns(&[(0, Some(10)); 4]);
        let apart = zones(&[("a", &[0]), ("b", &[1]), ("c", &[2]), ("d", &[3])]);
        let pairs = zones(&[("a", &[0, 2]), ("b", &[1, 3])]);
        for (what, topology, expected) in [("a zone each", &apart, 40), ("two zones", &pairs, 20)] {
            let room = Room { topology: Some(topology), ..room(4, 4) };
            assert_eq!(room.ends(&four), Duration::from_secs(expected), "{what}");
        }
        let members = [HostId(0), HostId(1), HostId(3)];
        let room = Room { members: &members, ..room(4, 4) };
        assert_eq!(room.ends(&four), Duration::from_secs(30), "members of etcd go one at a time");
    }
}
