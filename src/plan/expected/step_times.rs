//! How long steps took in earlier runs: by what they did, and by their kind where no run did the same.

use std::collections::BTreeMap;

use crate::value::Duration;

/// How long steps took.
#[derive(Clone, Debug, Default)]
pub struct StepTimes {
    runs: usize,
    /// By kind and the shape of the title.
    steps: BTreeMap<(String, String), Vec<Duration>>,
    kinds: BTreeMap<String, Vec<Duration>>,
}

impl StepTimes {
    /// One run more was read.
    pub fn learn_run(&mut self) {
        self.runs += 1;
    }

    /// A step took so long on a host.
    pub fn learn(&mut self, kind: &str, title: &str, took: Duration) {
        self.steps.entry((kind.to_owned(), shape(title))).or_default().push(took);
        self.kinds.entry(kind.to_owned()).or_default().push(took);
    }

    /// How many runs were read.
    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    /// How long a step took as a rule.
    pub(super) fn of(&self, kind: &str, title: &str) -> Option<Duration> {
        let known = self.steps.get(&(kind.to_owned(), shape(title))).or_else(|| self.kinds.get(kind));
        known.and_then(|times| median(times))
    }
}

/// A title without its numbers: the upgrade to the next version is the same work.
fn shape(title: &str) -> String {
    let mut shape = String::with_capacity(title.len());
    for character in title.chars() {
        let is_number = character.is_ascii_digit();
        match character {
            _ if is_number && shape.ends_with('0') => {}
            _ if is_number => shape.push('0'),
            other => shape.push(other),
        }
    }
    shape
}

/// The one in the middle: a step that waited an hour for somebody says little of the next run.
fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_once_took_long_does_not_count() {
        let mut times = StepTimes::default();
        for took in [40, 3600, 30] {
            times.learn("drain", "drain {node}", Duration::from_secs(took));
        }
        assert_eq!(times.of("drain", "drain {node}"), Some(Duration::from_secs(40)));
        assert_eq!(StepTimes::default().of("drain", "drain {node}"), None);
    }

    #[test]
    fn the_same_step_of_another_version_counts_before_its_kind() {
        let mut times = StepTimes::default();
        times.learn("kubeadm", "kubeadm upgrade apply v1.30.14", Duration::from_secs(120));
        times.learn("kubeadm", "kubeadm upgrade node", Duration::from_secs(20));
        times.learn("kubeadm", "kubeadm upgrade node", Duration::from_secs(22));
        assert_eq!(times.of("kubeadm", "kubeadm upgrade apply v1.31.4"), Some(Duration::from_secs(120)));
        assert_eq!(times.of("kubeadm", "something new"), Some(Duration::from_secs(22)), "its kind");
        assert_eq!(times.of("reboot", "reboot"), None);
    }
}
