//! What the looks at packages mean: before, whether there is anything to do and whether apt would do just that; after,
//! whether dpkg agrees. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::name::{Pattern, WantedPackage, takes_host_out};
use super::output::{
    AptSimulation, Installed, audit, holds, installed, missing_archives, offers, simulation,
};
use super::{AptJob, AptSpec};
use crate::op::{Effect, ProbeOutput};
use crate::step::build::{change, exactly, refused, satisfied, would_change};
use crate::step::{AssessError, Assessment, Change, Fidelity};
use crate::value::Duration;

/// Reads the answers to [`AptSpec::queries`].
pub(super) fn before(spec: &AptSpec, answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
    match &spec.job {
        AptJob::Install(packages) => before_install(spec, packages, answers),
        AptJob::Download(packages) => before_download(spec, packages, answers),
        AptJob::Remove(names) => before_remove(names, answers),
        AptJob::Upgrade(upgrade) => upgrade.before(answers),
        AptJob::Update(age) => before_update(*age, answers),
    }
}

/// Reads the answers to [`AptSpec::verify_queries`].
pub(super) fn after(spec: &AptSpec, answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
    let waiting = match &spec.job {
        AptJob::Install(packages) => after_install(spec, packages, answers)?,
        AptJob::Download(_) => {
            let missing = answers.iter().map(missing_archives).collect::<Result<Vec<_>, _>>()?;
            let problems = missing.into_iter().flat_map(|missing| match missing {
                Ok(files) => files.into_iter().map(|file| format!("{file} is not in the cache")).collect(),
                Err(errors) => errors,
            });
            problems.collect()
        }
        AptJob::Remove(names) => {
            let [versions] = exactly(answers)?;
            let left = installed(versions)?;
            names
                .iter()
                .filter(|name| left.contains_key(bare(name)))
                .map(|name| format!("{name} is still there"))
                .collect()
        }
        AptJob::Upgrade(upgrade) => upgrade.after(answers)?,
        AptJob::Update(_) => Vec::new(),
    };
    Ok(if waiting.is_empty() {
        satisfied(spec.title())
    } else {
        Assessment::NotYet { reason: waiting.join("; ") }
    })
}

/// `libc6` of `libc6:i386`: dpkg and apt-mark show the host's own architecture without its name.
fn bare(name: &str) -> &str {
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// Packages as they are.
struct PackageState {
    installed: BTreeMap<String, Installed>,
    held: BTreeSet<String>,
    /// Left half-way by dpkg.
    broken: Vec<String>,
}

impl PackageState {
    fn read(answers: &[ProbeOutput; 3]) -> Result<Self, AssessError> {
        let [versions, showhold, dpkg_audit] = answers;
        let held = holds(showhold)?.iter().map(|name| bare(name).to_owned()).collect();
        Ok(Self { installed: installed(versions)?, held, broken: audit(dpkg_audit) })
    }

    fn is_held(&self, package: &WantedPackage) -> bool {
        self.held.contains(bare(&package.name))
    }

    fn version_holds(&self, package: &WantedPackage) -> bool {
        let package_is = self.installed.get(bare(&package.name));
        package_is.is_some_and(|is| is.configured && package.pattern.matches(&is.version))
    }

    fn hold_holds(&self, package: &WantedPackage, spec: &AptSpec) -> bool {
        spec.hold.is_none_or(|hold| hold == self.is_held(package))
    }

    /// "1.31.4-1.1, held", "not installed".
    fn show(&self, package: &WantedPackage) -> String {
        let mut text = match self.installed.get(bare(&package.name)) {
            Some(is) if is.configured => is.version.clone(),
            Some(is) => format!("{} (left half-way by dpkg)", is.version),
            None => "not installed".to_owned(),
        };
        if self.is_held(package) {
            text.push_str(", held");
        }
        text
    }
}

fn before_install(
    spec: &AptSpec,
    packages: &[WantedPackage],
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    let Some((look, [madison, simulations @ ..])) = answers.split_first_chunk::<3>() else {
        return Err(too_few(answers));
    };
    let state = PackageState::read(look)?;
    let simulations = simulations.iter().map(simulation).collect::<Result<Vec<_>, _>>()?;
    let moves = |name: &str| {
        simulations.iter().flat_map(|simulation| &simulation.installs).any(|(moved, ..)| moved == name)
    };
    let is_latest =
        |package: &WantedPackage| package.pattern != Pattern::Latest || !moves(bare(&package.name));
    let done = |package: &&WantedPackage| {
        state.version_holds(package) && is_latest(package) && state.hold_holds(package, spec)
    };
    let pending: Vec<&WantedPackage> = packages.iter().filter(|package| !done(package)).collect();
    if pending.is_empty() {
        let shown: Vec<_> =
            packages.iter().map(|package| format!("{} {}", package.name, state.show(package))).collect();
        return Ok(satisfied(shown.join("; ")));
    }
    let foreign: Vec<_> = state
        .broken
        .iter()
        .filter(|name| !packages.iter().any(|package| bare(&package.name) == bare(name)))
        .collect();
    if !foreign.is_empty() {
        let names = foreign.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let reason = format!("dpkg left other packages half-way: {names}");
        return Ok(refused(
            reason,
            "look at `dpkg --audit` on the host, and finish it with `dpkg --configure -a`",
        ));
    }
    let unmatched: Vec<_> = pending.iter().copied().filter(|package| !state.version_holds(package)).collect();
    if let Some(refusal) = stopped(spec, &unmatched, madison, &simulations) {
        return Ok(refusal);
    }
    let mut changes: Vec<Change> =
        pending.iter().map(|package| pending_change(package, &state, spec, &simulations)).collect();
    let along = simulations.iter().flat_map(|simulation| &simulation.installs);
    let along = along.filter(|(name, ..)| !pending.iter().any(|package| bare(&package.name) == bare(name)));
    changes.extend(along.map(|(name, before, after)| {
        change(name, if before.is_empty() { "not installed" } else { before }, after)
    }));
    let touches =
        simulations.iter().flat_map(|simulation| &simulation.installs).any(|(name, ..)| takes_host_out(name));
    let only_holds = simulations.iter().all(|simulation| simulation.installs.is_empty());
    Ok(Assessment::WouldChange {
        changes,
        effect: touches.then_some(Effect::Disrupts),
        fidelity: if only_holds { Fidelity::Exact } else { Fidelity::Predicted },
    })
}

fn too_few(answers: &[ProbeOutput]) -> AssessError {
    let reason = format!("more answers are expected than the {} that came", answers.len());
    AssessError { command: "dpkg-query -W".to_owned(), reason }
}

/// One line of the plan for a package that the step names.
fn pending_change(
    package: &WantedPackage,
    state: &PackageState,
    spec: &AptSpec,
    simulations: &[AptSimulation],
) -> Change {
    let mut installs = simulations.iter().flat_map(|simulation| &simulation.installs);
    let moved =
        installs.find(|(name, ..)| bare(name) == bare(&package.name)).map(|(.., after)| after.as_str());
    let stays = state.installed.get(bare(&package.name)).map(|is| is.version.as_str());
    let mut after = moved.or(stays).unwrap_or(package.goal()).to_owned();
    if spec.hold == Some(true) {
        after.push_str(", held");
    } else if spec.hold == Some(false) && state.is_held(package) {
        after.push_str(", not held");
    }
    change(&package.name, state.show(package), after)
}

/// What keeps apt from doing what is asked, or from saying what it would do.
fn stopped(
    spec: &AptSpec,
    unmatched: &[&WantedPackage],
    madison: &ProbeOutput,
    simulations: &[AptSimulation],
) -> Option<Assessment> {
    let offers = offers(madison);
    let offered =
        |package: &WantedPackage| offers.get(bare(&package.name)).map(Vec::as_slice).unwrap_or_default();
    let errors: Vec<_> =
        simulations.iter().flat_map(|simulation| &simulation.errors).map(String::as_str).collect();
    // madison knows real packages only; where apt has found a way to a name without a version, there is one.
    let is_absent = |package: &&&WantedPackage| {
        let versioned = matches!(package.pattern, Pattern::Match(_));
        (versioned || !errors.is_empty())
            && !offered(package).iter().any(|version| package.pattern.matches(version))
    };
    let absent: Vec<_> = unmatched.iter().filter(is_absent).collect();
    if spec.update_first && (!absent.is_empty() || !errors.is_empty()) {
        // The step itself fetches new lists first; what they hold is not known yet.
        let unknown = unmatched
            .iter()
            .map(|package| change(&package.name, "unknown until the lists are updated", package.goal()));
        return Some(would_change(unknown.collect(), Fidelity::Deferred));
    }
    if let Some(package) = absent.first() {
        return Some(no_candidate(package, offered(package)));
    }
    if errors.iter().any(|error| error.contains("Packages were downgraded")) {
        let reason = "the wanted version is lower than the installed one";
        return Some(refused(reason, "write `allow_downgrade: true` if that is meant"));
    }
    if !errors.is_empty() {
        return Some(refused(
            format!("apt-get refuses: {}", errors.join("; ")),
            "run the same `apt-get -s install` on the host to see why; what somebody holds (`apt-mark showhold`) is not \
             changed along",
        ));
    }
    let removals: Vec<_> = simulations
        .iter()
        .flat_map(|simulation| &simulation.removals)
        .map(|(name, _)| name.as_str())
        .collect();
    if !removals.is_empty() {
        let reason = format!("apt would remove {}", removals.join(", "));
        return Some(refused(reason, "remove them by name in a step before this one if that is meant"));
    }
    None
}

/// Whether a package that is not there yet is wanted at a version that no repository offers. Reads the answers to
/// [`AptSpec::queries`], as [`before`] does.
pub(super) fn lacks_candidate(spec: &AptSpec, answers: &[ProbeOutput]) -> bool {
    let ((AptJob::Install(packages), [versions, _, _, madison, ..])
    | (AptJob::Download(packages), [versions, madison, ..])) = (&spec.job, answers)
    else {
        return false;
    };
    let Ok(installed) = installed(versions) else { return false };
    // An apt that could not read its lists says nothing of what they offer.
    let failed = |line: &str| line.starts_with("E: ") && !line.contains("Unable to locate package");
    if madison.stderr.lines().any(failed) {
        return false;
    }
    let offers = offers(madison);
    let has = |package: &WantedPackage, version: &str| package.pattern.matches(version);
    packages.iter().filter(|package| matches!(package.pattern, Pattern::Match(_))).any(|package| {
        let name = bare(&package.name);
        let is_there = installed.get(name).is_some_and(|is| is.configured && has(package, &is.version));
        let is_offered =
            offers.get(name).is_some_and(|versions| versions.iter().any(|version| has(package, version)));
        !is_there && !is_offered
    })
}

/// How many versions a refusal names on either side of the wanted one.
const NEIGHBOURS: usize = 3;

/// The offered versions around the wanted one, the newest first; all of them where there are few.
fn nearest<'o, 'v>(pattern: &Pattern, offered: &'o [&'v str]) -> &'o [&'v str] {
    if offered.len() <= 2 * NEIGHBOURS + 2 {
        return offered;
    }
    let Pattern::Match(wanted) = pattern else { return &offered[..2 * NEIGHBOURS] };
    let wanted = numbers(wanted);
    let older = offered.iter().position(|version| numbers(version) < wanted).unwrap_or(offered.len());
    let first = older.saturating_sub(NEIGHBOURS).min(offered.len() - 2 * NEIGHBOURS);
    &offered[first..first + 2 * NEIGHBOURS]
}

/// The numbers of a version without epoch and revision, enough to tell what stands beside what.
fn numbers(version: &str) -> Vec<u64> {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let upstream = upstream.split('-').next().unwrap_or_default();
    upstream.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

fn no_candidate(package: &WantedPackage, offered: &[&str]) -> Assessment {
    let wanted = match &package.pattern {
        Pattern::Match(pattern) => format!("{}={pattern}", package.name),
        Pattern::Present | Pattern::Latest => package.name.clone(),
    };
    let near = nearest(&package.pattern, offered);
    let have = match offered.len() - near.len() {
        _ if offered.is_empty() => "it knows no version of it".to_owned(),
        0 => format!("it has {}", near.join(", ")),
        others => format!("it has {} and {others} others", near.join(", ")),
    };
    let lacks_revision = |version: &&str| {
        let Pattern::Match(pattern) = &package.pattern else { return false };
        version.strip_prefix(pattern.as_str()).is_some_and(|revision| revision.starts_with('-'))
    };
    let hint = if offered.iter().any(lacks_revision) {
        format!("add the Debian revision: `{}-*`", package.goal())
    } else {
        "switch the repository with `apt_repo` in an earlier phase, or fetch new lists with `update: true`"
            .to_owned()
    };
    refused(format!("{wanted} is in no repository of this host: {have}"), hint)
}

fn before_download(
    spec: &AptSpec,
    packages: &[WantedPackage],
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    let [versions, madison, missing @ ..] = answers else { return Err(too_few(answers)) };
    let installed = installed(versions)?;
    let is_there = |package: &&WantedPackage| {
        let pinned = matches!(package.pattern, Pattern::Match(_) | Pattern::Present);
        pinned && installed.get(bare(&package.name)).is_some_and(|is| package.pattern.matches(&is.version))
    };
    let pending: Vec<&WantedPackage> = packages.iter().filter(|package| !is_there(package)).collect();
    if pending.is_empty() {
        return Ok(satisfied("installed already"));
    }
    let (mut files, mut simulations) = (Vec::new(), Vec::new());
    for answer in missing {
        match missing_archives(answer)? {
            Ok(names) => files.extend(names),
            Err(errors) => simulations.push(AptSimulation { errors, ..AptSimulation::default() }),
        }
    }
    if let Some(refusal) = stopped(spec, &pending, madison, &simulations) {
        return Ok(refusal);
    }
    if files.is_empty() {
        return Ok(satisfied("all archives are on the host"));
    }
    let changes = files.into_iter().map(|file| change(file, "not in the cache", "in the cache"));
    Ok(would_change(changes.collect(), Fidelity::Exact))
}

fn before_remove(names: &[String], answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
    let [versions, simulated] = exactly(answers)?;
    let installed = installed(versions)?;
    let present: Vec<_> = names.iter().filter_map(|name| Some((name, installed.get(bare(name))?))).collect();
    if present.is_empty() {
        return Ok(satisfied("not installed"));
    }
    let simulated = simulation(simulated)?;
    if !simulated.errors.is_empty() {
        let reason = format!("apt-get refuses: {}", simulated.errors.join("; "));
        return Ok(refused(reason, "run the same `apt-get -s remove` on the host to see why"));
    }
    let is_named = |removed: &str| names.iter().any(|name| bare(name) == bare(removed));
    let others: Vec<_> =
        simulated.removals.iter().map(|(name, _)| name.as_str()).filter(|name| !is_named(name)).collect();
    if !others.is_empty() {
        let reason = format!("apt would also remove {}", others.join(", "));
        return Ok(refused(reason, "name them too if that is meant"));
    }
    let touches = simulated.removals.iter().any(|(name, _)| takes_host_out(name));
    let changes = present.into_iter().map(|(name, is)| change(name, &is.version, "not installed")).collect();
    let effect = touches.then_some(Effect::Disrupts);
    Ok(Assessment::WouldChange { changes, effect, fidelity: Fidelity::Predicted })
}

fn before_update(age: Option<Duration>, answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
    let [stamp, clock] = exactly(answers)?;
    let seconds = |answer: &ProbeOutput| answer.stdout.trim().parse::<u64>().ok();
    let now = seconds(clock).ok_or_else(|| crate::step::build::unreadable("date +%s", "seconds", clock))?;
    let limit = age.unwrap_or(Duration::ZERO);
    let wanted = format!("updated within {limit}");
    let Some(updated) = seconds(stamp).filter(|_| stamp.ok()) else {
        return Ok(would_change(
            vec![change("package lists", "no success on record", wanted)],
            Fidelity::Exact,
        ));
    };
    // A stamp from the future is a clock that was set back: its age is unknown, so it counts as old.
    match now.checked_sub(updated).map(Duration::from_secs) {
        Some(old) if old <= limit => Ok(satisfied(format!("updated {old} ago"))),
        Some(old) => Ok(would_change(
            vec![change("package lists", format!("updated {old} ago"), wanted)],
            Fidelity::Exact,
        )),
        None => {
            Ok(would_change(vec![change("package lists", "updated in the future", wanted)], Fidelity::Exact))
        }
    }
}

/// What dpkg does not show yet after an install.
fn after_install(
    spec: &AptSpec,
    packages: &[WantedPackage],
    answers: &[ProbeOutput],
) -> Result<Vec<String>, AssessError> {
    let state = PackageState::read(exactly(answers)?)?;
    let mut waiting = Vec::new();
    for package in packages {
        if !state.version_holds(package) {
            waiting.push(format!("{} is {}, not {}", package.name, state.show(package), package.goal()));
        } else if !state.hold_holds(package, spec) {
            let is = if state.is_held(package) { "still held" } else { "not held" };
            waiting.push(format!("{} is {is}", package.name));
        }
    }
    let broken = state.broken.iter().map(|name| format!("dpkg left {name} half-way"));
    waiting.extend(broken);
    Ok(waiting)
}
