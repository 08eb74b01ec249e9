//! The command lines of apt and dpkg: plain, read-only where they look, noninteractive where they change. Pure.

use super::name::{Pattern, WantedPackage};
use crate::op::Query;
use crate::step::build::{argv, query, query_of};
use crate::value::Duration;

/// Nobody answers questions: debconf, needrestart (list only, restart nothing) and apt-listchanges keep quiet.
pub(super) const ENVIRONMENT: [(&str, &str); 3] =
    [("APT_LISTCHANGES_FRONTEND", "none"), ("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_MODE", "l")];

/// Whether every apt step sets this variable itself.
pub fn is_own_variable(name: &str) -> bool {
    ENVIRONMENT.iter().any(|(own, _)| *own == name)
}

/// When the lists were last fetched with success. Ubuntu keeps this file by itself, Debian only through us.
const UPDATE_STAMP: &str = "/var/lib/apt/periodic/update-success-stamp";

/// `name<TAB>version<TAB>status`, one line per package; dpkg-query reads the escapes itself.
const VERSION_FORMAT: &str = "-f=${Package}\\t${Version}\\t${db:Status-Abbrev}\\n";

/// What an apt-get call may do beyond the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AptGet {
    pub(super) allow_downgrade: bool,
    pub(super) change_held: bool,
    pub(super) replace_conffiles: bool,
    pub(super) lock_timeout: Duration,
}

impl AptGet {
    pub(super) fn install(&self, packages: &[&WantedPackage]) -> Vec<String> {
        let mut command = self.changing();
        // Belt and braces: what the simulation did not show must not happen either.
        command.extend(argv(&["--no-remove", "--no-install-recommends"]));
        self.with_packages(command, self.change_held, packages)
    }

    pub(super) fn download(&self, packages: &[&WantedPackage]) -> Vec<String> {
        let mut command = self.changing();
        command.extend(argv(&["--no-remove", "--no-install-recommends", "--download-only"]));
        // Nothing is installed, so no hold is lost.
        self.with_packages(command, true, packages)
    }

    pub(super) fn remove(&self, names: &[String]) -> Vec<String> {
        let mut command = self.changing();
        command.extend(argv(&["remove", "--"]));
        command.extend(names.iter().cloned());
        command
    }

    /// What [`Self::install`] would do. Holds never stop a simulation: when a bracket is looked at before it is opened,
    /// the package is still held, and will not be.
    pub(super) fn simulate_install(&self, packages: &[&WantedPackage]) -> Query {
        let mut command = simulating();
        command.push("--no-install-recommends".to_owned());
        query_of(self.with_packages(command, true, packages))
    }

    /// Prints the archives that [`Self::download`] would fetch, whole and intact ones in the cache left out.
    pub(super) fn missing(&self, packages: &[&WantedPackage]) -> Query {
        let command =
            argv(&["apt-get", "--print-uris", "-q", "-y", "--no-install-recommends", "--download-only"]);
        query_of(self.with_packages(command, true, packages))
    }

    pub(super) fn changing(&self) -> Vec<String> {
        let mut command = argv(&["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]);
        command.push("-o".to_owned());
        command.push(format!("DPkg::Lock::Timeout={}", self.lock_timeout.as_secs()));
        for option in self.conffile_options() {
            command.push("-o".to_owned());
            command.push(format!("Dpkg::Options::={option}"));
        }
        command
    }

    /// Options of dpkg that answer its questions about configuration files.
    pub(super) fn conffile_options(&self) -> &'static [&'static str] {
        if self.replace_conffiles { &["--force-confnew"] } else { &["--force-confdef", "--force-confold"] }
    }

    fn with_packages(
        &self,
        mut command: Vec<String>,
        change_held: bool,
        packages: &[&WantedPackage],
    ) -> Vec<String> {
        if change_held {
            command.push("--allow-change-held-packages".to_owned());
        }
        if self.allow_downgrade {
            command.push("--allow-downgrades".to_owned());
        }
        if packages.iter().all(|package| package.pattern == Pattern::Present) {
            command.push("--no-upgrade".to_owned());
        }
        command.extend(argv(&["install", "--"]));
        command.extend(packages.iter().map(|package| package.operand()));
        command
    }
}

/// Where root runs it, even a simulation leaves its plan in /var/log/apt/eipp.log.xz (measured with apt 2.6.2).
pub(super) fn simulating() -> Vec<String> {
    argv(&["apt-get", "-s", "-q", "-y", "-o", "Dir::Log::Planner=/dev/null"])
}

/// What [`AptGet::remove`] would do; holds do not stop this either.
pub(super) fn simulate_remove(names: &[&str]) -> Query {
    let mut command = simulating();
    command.extend(argv(&["--allow-change-held-packages", "remove", "--"]));
    command.extend(argv(names));
    query_of(command)
}

/// Fetches the package lists. A mirror that does not answer is an error, and only a success is stamped.
pub(in crate::step) fn update_argv() -> Vec<String> {
    let stamp = format!("APT::Update::Post-Invoke-Success::=touch {UPDATE_STAMP}");
    argv(&["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "-o", &stamp, "update"])
}

/// Installed versions and states.
pub(super) fn versions(names: &[&str]) -> Query {
    let mut command = argv(&["dpkg-query", "-W", VERSION_FORMAT, "--"]);
    command.extend(argv(names));
    query_of(command)
}

/// Everything that a goal is about: versions, holds, packages that dpkg left half-way.
pub(super) fn state(names: &[&str]) -> Vec<Query> {
    vec![versions(names), query(&["apt-mark", "showhold"]), query(&["dpkg", "--audit"])]
}

/// Versions on offer.
pub(super) fn madison(names: &[&str]) -> Query {
    let mut command = argv(&["apt-cache", "madison", "--"]);
    command.extend(argv(names));
    query_of(command)
}

/// When the lists were fetched, and what time it is there.
pub(super) fn lists_age() -> Vec<Query> {
    vec![query(&["stat", "-c", "%Y", "--", UPDATE_STAMP]), query(&["date", "+%s"])]
}
