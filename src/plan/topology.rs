//! Topology: where the hosts of a phase stand, and whether one more place may have hosts out of service. Pure arithmetic
//! over data, beside that of the budget.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{HostId, OutCause, OutOfService};

/// `rollout.topology` with the place of every host of the population.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The label whose value is a host's domain: "zone".
    pub key: String,
    /// So many domains may have hosts out of service.
    pub max_domains: u32,
    /// The hosts of each domain, sorted.
    pub domains: BTreeMap<String, Vec<HostId>>,
}

/// Why a host may not go: too many other domains have hosts out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainsTaken {
    /// The label.
    pub key: String,
    /// The host's own domain.
    pub domain: String,
    /// The domains that have hosts out of service.
    pub taken: Vec<String>,
}

impl Topology {
    /// The domain of a host of the population.
    pub fn domain(&self, host: HostId) -> Option<&str> {
        let found = self.domains.iter().find(|(_, hosts)| hosts.binary_search(&host).is_ok());
        found.map(|(domain, _)| domain.as_str())
    }

    /// The domains of these hosts, each once.
    pub fn domains_of(&self, hosts: impl Iterator<Item = HostId>) -> BTreeSet<&str> {
        hosts.filter_map(|host| self.domain(host)).collect()
    }

    /// Whether a host of `domain` may go where hosts of the domains `taken` are out of service: all of them, its own
    /// included, must fit. A host that is out already adds no domain, but it does not make room either.
    pub fn fits(&self, taken: &BTreeSet<&str>, domain: &str) -> bool {
        let count = taken.len() + usize::from(!taken.contains(domain));
        count <= self.max_domains as usize
    }

    /// Why `host` may not go while these are out of service; `None` where it may.
    pub fn stands_in_the_way(&self, host: HostId, out: &[OutOfService]) -> Option<DomainsTaken> {
        let domain = self.domain(host)?;
        let taken = self.domains_of(out.iter().map(|out| out.host));
        if self.fits(&taken, domain) {
            return None;
        }
        let taken = taken.into_iter().filter(|taken| *taken != domain).map(str::to_owned).collect();
        Some(DomainsTaken { key: self.key.clone(), domain: domain.to_owned(), taken })
    }

    /// Why `host` can never go in this run: hosts that failed in it hold the domains, and no waiting helps.
    pub fn lost_to(&self, host: HostId, out: &[OutOfService]) -> Option<DomainsTaken> {
        let failed = |out: &&OutOfService| {
            matches!(out.cause, OutCause::Failed | OutCause::Unknown | OutCause::LeftCordoned)
        };
        let lost: Vec<_> = out.iter().filter(failed).cloned().collect();
        self.stands_in_the_way(host, &lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts 0 to 2 stand in a, 3 and 4 in b, 5 in c.
    fn topology(max_domains: u32) -> Topology {
        let hosts = |ids: &[u32]| ids.iter().copied().map(HostId).collect();
        let domains = [("a", hosts(&[0, 1, 2])), ("b", hosts(&[3, 4])), ("c", hosts(&[5]))];
        let domains = domains.map(|(name, hosts): (&str, Vec<HostId>)| (name.to_owned(), hosts)).into();
        Topology { key: "zone".to_owned(), max_domains, domains }
    }

    fn out(hosts: &[u32], cause: &OutCause) -> Vec<OutOfService> {
        hosts.iter().map(|host| OutOfService { host: HostId(*host), cause: cause.clone() }).collect()
    }

    #[test]
    fn the_domains_of_all_that_are_out_and_the_host_itself_must_fit() {
        let cases: [(u32, &[u32], u32, bool); 10] = [
            (1, &[], 3, true),
            (1, &[0], 1, true),
            (1, &[0, 1], 2, true),
            (1, &[0], 3, false),
            (2, &[0], 3, true),
            (2, &[0, 3], 5, false),
            (2, &[0, 3], 4, true),
            // It is out already: no new domain.
            (1, &[3], 3, true),
            // Others broke the rule before: that it is among them makes no room.
            (1, &[0, 3], 3, false),
            // No host of the population.
            (1, &[9], 3, true),
        ];
        for (max, taken, host, may) in cases {
            let found = topology(max).stands_in_the_way(HostId(host), &out(taken, &OutCause::InWork));
            assert_eq!(found.is_none(), may, "{max} domains, {taken:?} out, host {host}: {found:?}");
        }
    }

    #[test]
    fn what_stands_in_the_way_is_named_without_the_host_s_own_domain() {
        let found = topology(1).stands_in_the_way(HostId(3), &out(&[0, 4, 5], &OutCause::Cordoned));
        let expected = DomainsTaken {
            key: "zone".to_owned(),
            domain: "b".to_owned(),
            taken: vec!["a".to_owned(), "c".to_owned()],
        };
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn only_failures_of_this_run_are_for_good() {
        for (cause, lost) in [
            (OutCause::Failed, true),
            (OutCause::Unknown, true),
            (OutCause::LeftCordoned, true),
            (OutCause::InWork, false),
            (OutCause::Cordoned, false),
        ] {
            assert_eq!(topology(1).lost_to(HostId(3), &out(&[0], &cause)).is_some(), lost, "{cause:?}");
        }
    }
}
