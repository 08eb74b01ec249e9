//! `apt`: packages at a version, with their hold, downloaded, gone, or all of them as new as the lists have them. The
//! command lines are in [`commands`], what the tools print is read in [`output`], what it means is in [`verdict`] and, of
//! upgrades, in [`upgrade`].

mod arguments;
mod commands;
mod name;
mod output;
mod page;
mod upgrade;
mod verdict;

use self::arguments::{AptArgs, Conffiles, Packages, Update};
use self::commands::AptGet;
pub use self::commands::is_own_variable;
use self::name::{Pattern, WantedPackage, package_name, takes_host_out};
use self::upgrade::UpgradeSpec;
use super::ahead::SourcesUse;
use super::build::{exec, probe, wrong};
use super::kind::Kind;
use super::{
    AssessError, Assessment, BracketKey, Doc, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject,
    Touches, Verify,
};
use crate::op::{Effect, Op, ProbeOutput, Query, RunWhen, Temporary};
use crate::value::Duration;

use self::commands::update_argv;
pub(super) use self::name::package_name as checked_package_name;
pub(super) use self::output::{holds, lock_holder, no_apt};

/// The kind `apt`.
pub(crate) struct Apt;

/// What a step does; exactly one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AptJob {
    Install(Vec<WantedPackage>),
    Download(Vec<WantedPackage>),
    Remove(Vec<String>),
    Upgrade(UpgradeSpec),
    /// Only the lists: whenever it runs, or when they are older than this.
    Update(Option<Duration>),
}

/// What a step asks for.
#[derive(Clone, Debug)]
struct AptSpec {
    job: AptJob,
    /// `None`: holds stay what they are, and a held package is not touched.
    hold: Option<bool>,
    update_first: bool,
    apt: AptGet,
}

const JOBS: [&str; 4] = ["install", "download", "remove", "upgrade"];

impl Kind for Apt {
    type Args = AptArgs;

    const NAME: &'static str = "apt";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Installs, holds, upgrades, downloads and removes Debian packages",
            body: page::BODY,
            example: "- apt: { install: { kubelet: \"1.31.4-*\", kubectl: \"1.31.4-*\" }, hold: true }\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let jobs: Vec<_> = JOBS.into_iter().filter(|job| written.contains(job)).collect();
        let mut messages = Vec::new();
        match jobs.as_slice() {
            [] if written.contains(&"update") => {}
            [] => {
                messages.push(
                    "nothing to do: write `install`, `upgrade`, `download`, `remove` or `update`".to_owned(),
                );
            }
            [_] => {}
            several => messages
                .push(format!("`{}` exclude each other: write one step for each", several.join("` and `"))),
        }
        let belongs_to: [(&str, &[&str]); 5] = [
            ("hold", &["install"]),
            ("allow_downgrade", &["install"]),
            ("conffiles", &["install", "upgrade"]),
            ("except", &["upgrade"]),
            ("download_only", &["upgrade"]),
        ];
        for (field, jobs) in belongs_to {
            if written.contains(&field) && !jobs.iter().any(|job| written.contains(job)) {
                messages.push(format!("`{field}` is about `{}`, which is not written", jobs.join("` or `")));
            }
        }
        if written.contains(&"update") && written.contains(&"upgrade") {
            messages.push(
                "`update` decides what there is to upgrade: write `apt: { update: 1h }` as a step before this one"
                    .to_owned(),
            );
        }
        messages
    }

    fn touches(&self, args: Option<&AptArgs>) -> Touches {
        let Some(args) = args else { return Touches::both(vec![Matter::Anything]) };
        let spec = AptSpec::read(args).ok();
        let downloads = args.download.is_some() || args.downloads_only();
        let moves = !downloads && args.is_about_packages();
        let mut changes = Vec::new();
        if moves {
            // Dependencies move packages that the step does not name; maintainer scripts restart units and write files.
            changes.extend([Matter::Packages, Matter::Units, Matter::RebootRequired, Matter::Disks]);
            changes.push(Matter::file("/"));
        }
        if moves || downloads {
            changes.push(Matter::Archives);
        }
        if args.hold.is_some() || args.remove.is_some() {
            changes.push(Matter::Holds);
        }
        if args.updates() || !(moves || downloads) {
            changes.push(Matter::Lists);
        }
        let mut reads = Vec::new();
        if moves || downloads {
            reads.extend([Matter::Packages, Matter::Holds]);
        }
        if downloads {
            reads.push(Matter::Archives);
        }
        // An installed version that fits is there whatever else is offered. How old lists are is not read here: what
        // other steps do makes them younger at most.
        if spec.is_none_or(|spec| spec.wants_the_newest()) {
            reads.extend([Matter::Lists, Matter::file("/etc/apt")]);
        }
        Touches { changes, reads }
    }

    /// Lists grow older by themselves.
    fn is_steady(&self, args: &AptArgs) -> bool {
        args.is_about_packages()
    }

    fn transient(&self, stderr: &str) -> Option<String> {
        lock_holder(stderr).map(|holder| format!("the lock of apt or dpkg is held by {holder}"))
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(45)
    }

    fn sources(&self, args: Option<&AptArgs>) -> SourcesUse {
        let reads =
            |args: &AptArgs| args.install.is_some() || args.download.is_some() || args.upgrade.is_some();
        if args.is_some_and(reads) { SourcesUse::Reads } else { SourcesUse::Nothing }
    }

    fn is_out_of_reach(&self, args: &AptArgs, answers: &[ProbeOutput]) -> bool {
        AptSpec::read(args).is_ok_and(|spec| verdict::lacks_candidate(&spec, answers))
    }

    fn lower(&self, args: &AptArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let spec = AptSpec::read(args)?;
        let ops = spec.ops(cx);
        let verify = spec.verify_queries();
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::ZERO,
            within: Duration::from_secs(10),
        };
        let queries = spec.queries();
        Ok(Lowered {
            title: spec.title(),
            role: Role::Goal,
            effect: ops.iter().map(|op| op.effect).max().unwrap_or(Effect::Changes),
            opens: Vec::new(),
            // What an `unhold` before this step opened, `hold: true` closes.
            closes: spec.held_after().map(|name| BracketKey::Hold(name.to_owned())).collect(),
            probe: (!queries.is_empty()).then(|| probe(cx, queries)),
            poll: None,
            ops,
            verify: (!verify.is_empty()).then(|| Verify { probe: probe(cx, verify), poll }),
            // apt-get is asked for a state; asking again where it was cut off asks for the same one.
            repeatable: true,
        })
    }

    fn outcome(&self, _: &str, stderr: &str) -> Option<String> {
        upgrade::outcome(stderr)
    }

    fn assess(
        &self,
        args: &AptArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        no_apt(answers).map_or_else(|| verdict::before(&AptSpec::from_lowered(args)?, answers), Ok)
    }

    fn assess_verify(
        &self,
        args: &AptArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        verdict::after(&AptSpec::from_lowered(args)?, answers)
    }
}

impl AptSpec {
    fn read(args: &AptArgs) -> Result<Self, LowerError> {
        let job = if let Some(packages) = &args.install {
            AptJob::Install(wanted(packages)?)
        } else if let Some(packages) = &args.download {
            AptJob::Download(wanted(packages)?)
        } else if let Some(names) = &args.remove {
            let names = names.iter().map(|name| package_name(name).map(ToOwned::to_owned));
            AptJob::Remove(names.collect::<Result<_, _>>()?)
        } else if let Some(names) = &args.upgrade {
            AptJob::Upgrade(UpgradeSpec::read(names, args)?)
        } else {
            AptJob::Update(match args.update {
                Some(Update::Given(true)) => None,
                Some(Update::Older(age)) => Some(age),
                Some(Update::Given(false)) | None => {
                    return Err(wrong(
                        "nothing to do",
                        "write `install`, `upgrade`, `download`, `remove` or `update: true`",
                    ));
                }
            })
        };
        let nothing = match &job {
            AptJob::Install(packages) => packages.is_empty().then_some("install"),
            AptJob::Download(packages) => packages.is_empty().then_some("download"),
            AptJob::Remove(names) => names.is_empty().then_some("remove"),
            AptJob::Upgrade(upgrade) => upgrade.is_empty().then_some("upgrade"),
            AptJob::Update(_) => None,
        };
        if let Some(field) = nothing {
            return Err(wrong(
                format!("`{field}` is empty"),
                "name a package, or leave the step out with `when`",
            ));
        }
        let update_first = !matches!(job, AptJob::Update(_)) && args.updates();
        let apt = AptGet {
            allow_downgrade: args.allow_downgrade,
            // A held package may be changed only by a step that says what its hold is afterwards.
            change_held: args.hold.is_some(),
            replace_conffiles: args.conffiles == Conffiles::Replace,
            lock_timeout: args.lock_timeout,
        };
        Ok(Self { job, hold: args.hold, update_first, apt })
    }

    fn from_lowered(args: &AptArgs) -> Result<Self, AssessError> {
        Self::read(args).map_err(|error| AssessError { command: "apt-get".to_owned(), reason: error.message })
    }

    /// Whether its goal follows what the lists offer.
    fn wants_the_newest(&self) -> bool {
        match &self.job {
            AptJob::Install(packages) => packages.iter().any(|package| package.pattern == Pattern::Latest),
            AptJob::Download(_) | AptJob::Upgrade(_) => true,
            AptJob::Remove(_) | AptJob::Update(_) => false,
        }
    }

    /// Packages that this step puts on hold.
    fn held_after(&self) -> impl Iterator<Item = &str> {
        let packages = match &self.job {
            AptJob::Install(packages) if self.hold == Some(true) => packages.as_slice(),
            _ => &[],
        };
        packages.iter().map(|package| package.name.as_str())
    }

    fn title(&self) -> String {
        let all = |packages: &[WantedPackage]| {
            packages.iter().map(WantedPackage::show).collect::<Vec<_>>().join(", ")
        };
        match &self.job {
            AptJob::Install(packages) => match self.hold {
                Some(true) => format!("install and hold {}", all(packages)),
                Some(false) => format!("install and unhold {}", all(packages)),
                None => format!("install {}", all(packages)),
            },
            AptJob::Download(packages) => format!("download {}", all(packages)),
            AptJob::Remove(names) => format!("remove {}", names.join(", ")),
            AptJob::Upgrade(upgrade) => upgrade.title(),
            AptJob::Update(None) => "update the package lists".to_owned(),
            AptJob::Update(Some(age)) => format!("update package lists older than {age}"),
        }
    }

    fn ops(&self, cx: &LowerCx<'_>) -> Vec<Op> {
        let mut ops = Vec::new();
        if self.update_first || matches!(self.job, AptJob::Update(_)) {
            ops.push(update_op(cx));
        }
        match &self.job {
            AptJob::Install(packages) => {
                ops.extend(groups(packages).into_iter().map(|group| {
                    let shown: Vec<_> = group.iter().map(|package| package.show()).collect();
                    let effect = effect_of(group.iter().map(|package| package.name.as_str()));
                    let op =
                        apt_op(cx, format!("install {}", shown.join(", ")), self.apt.install(&group), effect);
                    // A held package loses its hold, and gets it back by the last op.
                    let held = self.held_after().map(|name| Temporary::Unhold(name.to_owned()));
                    Op { makes: held.collect(), ..op }
                }));
                ops.extend(self.hold.map(|hold| hold_op(cx, hold, &names(packages))));
            }
            AptJob::Download(packages) => ops.extend(groups(packages).into_iter().map(|group| {
                let shown: Vec<_> = group.iter().map(|package| package.show()).collect();
                apt_op(
                    cx,
                    format!("download {}", shown.join(", ")),
                    self.apt.download(&group),
                    Effect::Changes,
                )
            })),
            AptJob::Remove(names) => {
                let effect = effect_of(names.iter().map(String::as_str));
                ops.push(apt_op(cx, format!("remove {}", names.join(", ")), self.apt.remove(names), effect));
            }
            AptJob::Upgrade(upgrade) => {
                if !upgrade.is_download() {
                    let finish = "finish what dpkg left half-way".to_owned();
                    ops.push(apt_op(cx, finish, upgrade::configure(&self.apt), upgrade.effect()));
                }
                ops.push(apt_op(cx, upgrade.title(), upgrade.command(&self.apt), upgrade.effect()));
            }
            AptJob::Update(_) => {}
        }
        ops
    }

    /// The look before; read by [`verdict::before`].
    fn queries(&self) -> Vec<Query> {
        match &self.job {
            AptJob::Install(packages) => {
                let mut queries = commands::state(&names(packages));
                queries.push(commands::madison(&names(packages)));
                queries.extend(groups(packages).iter().map(|group| self.apt.simulate_install(group)));
                queries
            }
            AptJob::Download(packages) => {
                let mut queries =
                    vec![commands::versions(&names(packages)), commands::madison(&names(packages))];
                queries.extend(groups(packages).iter().map(|group| self.apt.missing(group)));
                queries
            }
            AptJob::Remove(names) => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                vec![commands::versions(&names), commands::simulate_remove(&names)]
            }
            AptJob::Upgrade(upgrade) => upgrade.queries(),
            AptJob::Update(None) => Vec::new(),
            AptJob::Update(Some(_)) => commands::lists_age(),
        }
    }

    /// The look after; read by [`verdict::after`].
    fn verify_queries(&self) -> Vec<Query> {
        match &self.job {
            AptJob::Install(packages) => commands::state(&names(packages)),
            AptJob::Download(packages) => {
                groups(packages).iter().map(|group| self.apt.missing(group)).collect()
            }
            AptJob::Remove(names) => {
                vec![commands::versions(&names.iter().map(String::as_str).collect::<Vec<_>>())]
            }
            AptJob::Upgrade(upgrade) => upgrade.queries(),
            // Its exit code says it: with `Error-Mode=any` it counts.
            AptJob::Update(_) => Vec::new(),
        }
    }
}

/// The packages of a field: a mapping to versions, or a list that stands for `present`.
fn wanted(packages: &Packages) -> Result<Vec<WantedPackage>, LowerError> {
    let wanted = packages.0.iter().map(|(name, version)| {
        Ok(WantedPackage { name: package_name(name)?.to_owned(), pattern: Pattern::read(name, version)? })
    });
    wanted.collect()
}

/// `present` packages go into a call of their own: its `--no-upgrade` would hold for the others too.
fn groups(packages: &[WantedPackage]) -> Vec<Vec<&WantedPackage>> {
    let (present, versioned): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| package.pattern == Pattern::Present);
    [versioned, present].into_iter().filter(|group| !group.is_empty()).collect()
}

fn names(packages: &[WantedPackage]) -> Vec<&str> {
    packages.iter().map(|package| package.name.as_str()).collect()
}

fn effect_of<'a>(mut names: impl Iterator<Item = &'a str>) -> Effect {
    if names.any(takes_host_out) { Effect::Disrupts } else { Effect::Changes }
}

/// An op of apt: noninteractive, and long, so that a lost connection never leaves dpkg half-way.
fn apt_op(cx: &LowerCx<'_>, title: String, argv: Vec<String>, effect: Effect) -> Op {
    let mut op = exec(cx, title, argv, effect);
    for (name, value) in commands::ENVIRONMENT {
        op.env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    op.long = true;
    op
}

/// `apt-get update` that fails when a mirror does not answer.
pub(super) fn update_op(cx: &LowerCx<'_>) -> Op {
    apt_op(cx, "update the package lists".to_owned(), update_argv(), Effect::Changes)
}

/// Puts a hold on or takes it off. On: also when what came before it failed, because a package that is left without its
/// hold moves with the next unattended upgrade.
pub(super) fn hold_op(cx: &LowerCx<'_>, hold: bool, names: &[&str]) -> Op {
    let (verb, back) = if hold { ("hold", "unhold") } else { ("unhold", "hold") };
    let mut argv = super::build::argv(&["apt-mark", verb, "--"]);
    argv.extend(super::build::argv(names));
    let mut op = exec(cx, format!("{verb} {}", names.join(", ")), argv, Effect::Changes);
    op.when = if hold { RunWhen::Always } else { RunWhen::InOrder };
    op.undo = format!("apt-mark {back} {}", names.join(" "));
    let packages = names.iter().map(|name| Temporary::Unhold((*name).to_owned())).collect();
    if hold {
        op.restores = packages;
    } else {
        op.makes = packages;
    }
    op
}

#[cfg(test)]
mod tests;
