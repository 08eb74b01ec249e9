//! `upgrade:`: everything, or packages by name, to the newest versions that the host's lists offer. Never a removal, never
//! a package on hold. Pure.

use super::arguments::AptArgs;
use super::commands::{AptGet, simulating};
use super::name::{package_name, takes_host_out};
use super::output::{audit, holds, kept_back, kept_conffiles, missing_archives, simulation};
use crate::op::{Effect, ProbeOutput, Query};
use crate::step::build::{argv, change, exactly, query, query_of, refused, satisfied, would_change, wrong};
use crate::step::{AssessError, Assessment, Fidelity, LowerError};

/// Which packages.
#[derive(Clone, Debug, PartialEq, Eq)]
enum UpgradeScope {
    /// All but these.
    All { except: Vec<String> },
    /// These, where they are installed.
    Named(Vec<String>),
}

/// What a step asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UpgradeSpec {
    what: UpgradeScope,
    /// Fetches the archives and installs nothing.
    download_only: bool,
}

/// The word that stands for every package. Debian has no package of this name.
const ALL: &str = "all";

/// What other tools write for it.
const ALL_ELSEWHERE: [&str; 12] = [
    "*",
    "dist",
    "dist-upgrade",
    "everything",
    "full",
    "full-upgrade",
    "on",
    "safe",
    "safe-upgrade",
    "true",
    "upgrade",
    "yes",
];

/// What other tools write for no upgrade.
const NOTHING_ELSEWHERE: [&str; 4] = ["false", "no", "none", "off"];

impl UpgradeSpec {
    pub(super) fn read(upgrade: &[String], args: &AptArgs) -> Result<Self, LowerError> {
        let names = |names: &[String]| -> Result<Vec<String>, LowerError> {
            names.iter().map(|name| package_name(name).map(ToOwned::to_owned)).collect()
        };
        let except = names(args.except.as_deref().unwrap_or_default())?;
        if let Some(name) = except.iter().find(|name| name.contains(':')) {
            return Err(wrong(format!("`except` has `{name}`"), "write the name without its architecture"));
        }
        let words: Vec<&str> = upgrade.iter().map(String::as_str).collect();
        let what = match words.as_slice() {
            [word] if ALL_ELSEWHERE.contains(word) => {
                return Err(wrong(
                    format!("`upgrade` is `{word}`, and takes names of packages, or `all`"),
                    "write `all`: every package, and none is removed for it",
                ));
            }
            [word] if NOTHING_ELSEWHERE.contains(word) => {
                return Err(wrong(
                    format!("`upgrade` is `{word}`, and takes names of packages, or `all`"),
                    "leave `upgrade` out",
                ));
            }
            [ALL] => UpgradeScope::All { except },
            several if several.contains(&ALL) => {
                return Err(wrong("`upgrade` names packages beside `all`", "write `all`, or names"));
            }
            _ if !except.is_empty() => {
                return Err(wrong("`except` goes with `upgrade: all`", "leave the packages out of the list"));
            }
            _ => UpgradeScope::Named(names(upgrade)?),
        };
        Ok(Self { what, download_only: args.downloads_only() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.what == UpgradeScope::Named(Vec::new())
    }

    pub(super) fn title(&self) -> String {
        let verb = if self.download_only { "download upgrades of" } else { "upgrade" };
        match &self.what {
            UpgradeScope::All { except } if except.is_empty() => format!("{verb} all packages"),
            UpgradeScope::All { except } => format!("{verb} all packages but {}", except.join(", ")),
            UpgradeScope::Named(names) => format!("{verb} {}", names.join(", ")),
        }
    }

    /// As far as it shows before apt is asked.
    pub(super) fn effect(&self) -> Effect {
        match &self.what {
            UpgradeScope::Named(names)
                if !self.download_only && names.iter().any(|name| takes_host_out(name)) =>
            {
                Effect::Disrupts
            }
            _ => Effect::Changes,
        }
    }

    pub(super) fn is_download(&self) -> bool {
        self.download_only
    }

    /// The change. `upgrade` keeps back what would need a removal; `install` of a name would not, so it is forbidden to.
    pub(super) fn command(&self, apt: &AptGet) -> Vec<String> {
        let mut command = apt.changing();
        command.extend(argv(&["--no-remove", "--no-install-recommends"]));
        if self.download_only {
            command.push("--download-only".to_owned());
        }
        self.with_packages(command, self.download_only)
    }

    /// The look before and after; read by [`Self::before`] and [`Self::after`].
    pub(super) fn queries(&self) -> Vec<Query> {
        if self.download_only {
            let uris = ["apt-get", "--print-uris", "-q", "-y", "--no-install-recommends", "--download-only"];
            return vec![query_of(self.with_packages(argv(&uris), true))];
        }
        let mut simulate = simulating();
        simulate.push("--no-install-recommends".to_owned());
        // Holds do not stop a simulation: a bracket around the step may take one off before its turn comes.
        let simulate = query_of(self.with_packages(simulate, true));
        vec![query(&["dpkg", "--audit"]), query(&["apt-mark", "showhold"]), simulate]
    }

    fn with_packages(&self, mut command: Vec<String>, change_held: bool) -> Vec<String> {
        match &self.what {
            UpgradeScope::All { except } => {
                command.extend(argv(&["--with-new-pkgs", "upgrade", "--"]));
                // The version that is installed is the wanted one. The pattern finds nothing where the package is not
                // there, which a plain name would make an error (apt 2.6).
                command.extend(except.iter().map(|name| format!("?installed?exact-name({name})/now")));
            }
            UpgradeScope::Named(names) => {
                if change_held {
                    command.push("--allow-change-held-packages".to_owned());
                }
                command.extend(argv(&["--only-upgrade", "install", "--"]));
                command.extend(names.iter().cloned());
            }
        }
        command
    }

    pub(super) fn before(&self, answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
        if self.download_only {
            let [uris] = exactly(answers)?;
            return Ok(match missing_archives(uris)? {
                Ok(files) if files.is_empty() => satisfied("all archives are on the host"),
                Ok(files) => {
                    let changes =
                        files.into_iter().map(|file| change(file, "not in the cache", "in the cache"));
                    would_change(changes.collect(), Fidelity::Exact)
                }
                Err(errors) => self.refusal(&errors),
            });
        }
        let [dpkg_audit, showhold, simulated] = exactly(answers)?;
        let (held, broken) = (holds(showhold)?, audit(dpkg_audit));
        let found = simulation(simulated)?;
        if !found.errors.is_empty() {
            return Ok(self.refusal(&found.errors));
        }
        if let Some((name, _)) = found.removals.first() {
            let reason = format!("apt would remove {name}");
            return Ok(refused(
                reason,
                "`upgrade: all` keeps back what needs a removal; remove it by name if that is meant",
            ));
        }
        if let Some((name, ..)) = found.installs.iter().find(|(name, ..)| held.contains(name)) {
            return Ok(refused(
                format!("{name} is on hold"),
                "take the hold off with `apt_mark: { unhold: … }` before this step, or leave the package out",
            ));
        }
        let mut changes: Vec<_> =
            broken.iter().map(|name| change(name, "left half-way by dpkg", "configured")).collect();
        changes.extend(found.installs.iter().map(|(name, before, after)| {
            change(name, if before.is_empty() { "not installed" } else { before }, after)
        }));
        if changes.is_empty() {
            return Ok(satisfied(self.up_to_date(kept_back(simulated).filter(|name| !held.contains(*name)))));
        }
        let touched = found.installs.iter().map(|(name, ..)| name).chain(&broken);
        let effect = touched.into_iter().any(|name| takes_host_out(name)).then_some(Effect::Disrupts);
        Ok(Assessment::WouldChange { changes, effect, fidelity: Fidelity::Predicted })
    }

    /// What is still to be done.
    pub(super) fn after(&self, answers: &[ProbeOutput]) -> Result<Vec<String>, AssessError> {
        Ok(match self.before(answers)? {
            Assessment::Satisfied { .. } => Vec::new(),
            Assessment::WouldChange { changes, .. } => {
                changes.iter().map(|left| format!("{} is still {}", left.what, left.before)).collect()
            }
            Assessment::NotYet { reason } | Assessment::Refused { reason, .. } => vec![reason],
        })
    }

    fn up_to_date<'n>(&self, kept: impl Iterator<Item = &'n str>) -> String {
        let kept: Vec<_> = match &self.what {
            UpgradeScope::All { except } => {
                kept.filter(|name| !except.iter().any(|except| except == name)).collect()
            }
            UpgradeScope::Named(_) => Vec::new(),
        };
        match kept.as_slice() {
            [] => "nothing to upgrade".to_owned(),
            names => format!("nothing to upgrade; apt keeps back {}", names.join(", ")),
        }
    }

    fn refusal(&self, errors: &[String]) -> Assessment {
        let same = match &self.what {
            UpgradeScope::All { .. } => "apt-get -s --with-new-pkgs upgrade",
            UpgradeScope::Named(_) => "apt-get -s --only-upgrade install",
        };
        let hint = format!("run the same `{same}` on the host to see why");
        refused(format!("apt-get refuses: {}", errors.join("; ")), hint)
    }
}

/// Finishes what a transaction before left half-way, such as one that a power cut ended; nothing where there is nothing.
pub(super) fn configure(apt: &AptGet) -> Vec<String> {
    let mut command = vec!["dpkg".to_owned()];
    command.extend(apt.conffile_options().iter().map(|option| (*option).to_owned()));
    command.extend(argv(&["--configure", "--pending"]));
    command
}

/// Configuration files that were kept, for the report of a transaction.
pub(super) fn outcome(stderr: &str) -> Option<String> {
    let kept: Vec<_> = kept_conffiles(stderr).collect();
    match kept.as_slice() {
        [] => None,
        files => Some(format!(
            "kept as edited, with the new version beside it as .dpkg-dist: {}",
            files.join(", ")
        )),
    }
}
