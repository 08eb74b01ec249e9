//! What apt and dpkg print, read into data. The formats are those of apt 2.6 and dpkg 1.21 with `LC_ALL=C`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::op::ProbeOutput;
use crate::step::build::{refused, unreadable};
use crate::step::{AssessError, Assessment};

/// A package as dpkg knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) version: String,
    /// Unpacked and configured; anything else is work left over.
    pub(super) configured: bool,
}

/// Reads `dpkg-query -W`: packages that are there, by name. Exit code 1 means that some are unknown, which is an answer.
pub(super) fn installed(answer: &ProbeOutput) -> Result<BTreeMap<String, Installed>, AssessError> {
    if answer.rc > 1 {
        return Err(unreadable("dpkg-query -W", "a list of packages", answer));
    }
    let mut packages = BTreeMap::new();
    for line in answer.stdout.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(version), Some(status)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(unreadable("dpkg-query -W", "name, version and status", answer));
        };
        // The second letter is the state: n not there, c only configuration files, i installed, others half-way.
        let state = status.chars().nth(1).unwrap_or('n');
        let broken = status.chars().nth(2) == Some('R');
        if !matches!(state, 'n' | 'c') {
            let configured = state == 'i' && !broken;
            packages.insert(name.to_owned(), Installed { version: version.to_owned(), configured });
        }
    }
    Ok(packages)
}

/// Reads `apt-mark showhold`: names of held packages.
pub(crate) fn holds(answer: &ProbeOutput) -> Result<BTreeSet<String>, AssessError> {
    if !answer.ok() {
        return Err(unreadable("apt-mark showhold", "names of packages", answer));
    }
    Ok(answer.stdout.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect())
}

/// A host without dpkg and apt: nothing that these kinds do would get anywhere there.
pub(crate) fn no_apt(answers: &[ProbeOutput]) -> Option<Assessment> {
    let absent = answers.iter().any(|answer| answer.rc == 127);
    absent.then(|| {
        refused("the host has no apt", "limit the phase to Debian hosts, such as by a group of the inventory")
    })
}

/// Reads `dpkg --audit`: packages that were left half-way. Their lines begin with a space, the explanations do not.
pub(super) fn audit(answer: &ProbeOutput) -> Vec<String> {
    let lines = answer.stdout.lines().filter(|line| line.starts_with(' '));
    lines.filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

/// Reads `apt-cache madison`: versions on offer by package, the newest first. Its exit code says nothing.
pub(super) fn offers(answer: &ProbeOutput) -> BTreeMap<&str, Vec<&str>> {
    let mut offers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in answer.stdout.lines() {
        let mut columns = line.split('|').map(str::trim);
        if let (Some(name), Some(version), Some(source)) = (columns.next(), columns.next(), columns.next())
            && !source.ends_with(" Sources")
        {
            let versions = offers.entry(name).or_default();
            // One version is often offered by several repositories.
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
    }
    offers
}

/// What apt-get would do, by its own simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AptSimulation {
    /// Name, version before (empty where it is new), version after.
    pub(super) installs: Vec<(String, String, String)>,
    /// Name and version.
    pub(super) removals: Vec<(String, String)>,
    /// Why apt-get refused, in its own words without `E: `; empty where it did not.
    pub(super) errors: Vec<String>,
}

/// Reads `apt-get -s`: `Inst kubelet [1.30.8-1.1] (1.31.4-1.1 repo [amd64])`, `Remv oldrt [1.0]`.
pub(super) fn simulation(answer: &ProbeOutput) -> Result<AptSimulation, AssessError> {
    let mut simulation = AptSimulation { errors: errors(answer), ..AptSimulation::default() };
    if !answer.ok() && simulation.errors.is_empty() {
        return Err(unreadable("apt-get -s", "a simulation or an error", answer));
    }
    for line in answer.stdout.lines() {
        let wrong = || unreadable("apt-get -s", &format!("`{}`, as it is,", line.escape_debug()), answer);
        if let Some(rest) = line.strip_prefix("Inst ") {
            let (name, rest) = rest.split_once(' ').ok_or_else(wrong)?;
            let (before, rest) = bracketed(rest);
            let after = rest.trim_start().strip_prefix('(').and_then(|rest| rest.split([' ', ')']).next());
            let after = after.ok_or_else(wrong)?;
            simulation.installs.push((name.to_owned(), before.to_owned(), after.to_owned()));
        } else if let Some(rest) = line.strip_prefix("Remv ").or_else(|| line.strip_prefix("Purg ")) {
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            simulation.removals.push((name.to_owned(), bracketed(rest).0.to_owned()));
        }
    }
    Ok(simulation)
}

/// `[1.0] rest` to `1.0` and ` rest`.
fn bracketed(text: &str) -> (&str, &str) {
    text.strip_prefix('[').and_then(|text| text.split_once(']')).unwrap_or(("", text))
}

/// Reads `apt-get --print-uris`: file names of archives that are not on the host yet, or why apt-get refused. What a
/// `file:` source has is installed from there and never copied to the cache, so apt lists it every time (apt 2.6).
pub(super) fn missing_archives(
    answer: &ProbeOutput,
) -> Result<Result<Vec<String>, Vec<String>>, AssessError> {
    if !answer.ok() {
        let errors = errors(answer);
        return if errors.is_empty() {
            Err(unreadable("apt-get --print-uris", "addresses of archives or an error", answer))
        } else {
            Ok(Err(errors))
        };
    }
    let lines = answer.stdout.lines().filter(|line| line.starts_with('\'') && !line.starts_with("'file:"));
    Ok(Ok(lines.filter_map(|line| line.split(' ').nth(1)).map(unescape).collect()))
}

/// Packages that `apt-get upgrade` leaves as they are, on hold or not: the lines below its announcement.
pub(super) fn kept_back(answer: &ProbeOutput) -> impl Iterator<Item = &str> {
    let after =
        answer.stdout.lines().skip_while(|line| *line != "The following packages have been kept back:");
    after.skip(1).take_while(|line| line.starts_with(' ')).flat_map(str::split_whitespace)
}

/// Configuration files that dpkg kept because they were edited, while the package has new ones. What it says of others,
/// such as those that it replaces, ends differently. It says so where it asks its questions, on standard error.
pub(super) fn kept_conffiles(stderr: &str) -> impl Iterator<Item = &str> {
    let mut current = None;
    stderr.lines().filter_map(move |line| {
        if let Some(rest) = line.strip_prefix("Configuration file '") {
            current = rest.split('\'').next();
        }
        let kept = line.starts_with(" ==> Keeping old config file as default")
            || line.starts_with(" ==> Using current old file as you requested");
        current.take_if(|_| kept)
    })
}

/// Archive names carry an epoch's colon as `%3a`.
fn unescape(name: &str) -> String {
    name.replace("%3a", ":")
}

/// Dependencies that cannot be met, which alone name the packages, and lines of apt that begin with `E: `.
fn errors(answer: &ProbeOutput) -> Vec<String> {
    let lines = answer.stderr.lines().chain(answer.stdout.lines());
    let unmet = unmet_dependencies(&answer.stdout).map(ToOwned::to_owned);
    unmet.chain(lines.filter_map(|line| line.strip_prefix("E: ")).map(ToOwned::to_owned)).collect()
}

/// ` kubelet : Depends: kubernetes-cni (>= 1.5) but 1.1.1-1.1 is to be installed`, without the space in front.
fn unmet_dependencies(stdout: &str) -> impl Iterator<Item = &str> {
    let after = stdout.lines().skip_while(|line| *line != "The following packages have unmet dependencies:");
    after.skip(1).take_while(|line| line.starts_with(' ')).map(str::trim)
}

/// Who holds a lock that apt or dpkg could not get, in apt's own words ("process 812 (apt-get)"). Such a failure passes
/// by itself: dpkg's locks are waited for by option, the one of the package lists is not.
pub(crate) fn lock_holder(stderr: &str) -> Option<String> {
    let line = stderr.lines().find(|line| {
        line.starts_with("E: Could not get lock ") || line.contains("is locked by another process")
    })?;
    let holder =
        line.split_once("held by ").or_else(|| line.split_once("with pid ")).map(|(_, holder)| holder);
    Some(
        holder.map_or_else(|| "another process".to_owned(), |holder| holder.trim_end_matches('.').to_owned()),
    )
}
