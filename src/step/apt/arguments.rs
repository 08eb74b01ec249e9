//! What may be written below `apt`.

use crate::step::arguments::{FromValue, arguments, word_arguments};
use crate::value::{Duration, Type, Value};

arguments! {
    /// What apt does with which packages.
    pub(crate) struct AptArgs {
        /// Packages with the versions to have: `{kubelet: "1.31.4-*"}`; `present` is any version, `latest` the
        /// newest that the host's apt prefers. A list stands for `present`.
        install: Option<Packages>,
        /// `all`: every package to the newest version that the lists have, with new packages that it needs and without
        /// any removal. Or names: these, where they are installed. Packages on hold stay.
        upgrade: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Packages that `upgrade: all` leaves at their versions, by name. Those that are not installed do not matter.
        except: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// `true`: the archives of `upgrade` are fetched into /var/cache/apt/archives, and nothing is installed.
        download_only: Option<bool>,
        /// The same, only fetched with all they need into /var/cache/apt/archives, so that installing needs no mirror.
        download: Option<Packages>,
        /// Packages to remove, by name. Configuration files stay.
        remove: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// `true`: the packages are on hold afterwards, also when installing fails. `false`: they are not. Left out:
        /// holds stay as they are, and apt refuses to change a held package.
        hold: Option<bool>,
        /// Fetch the package lists before anything else. On its own: always with `true`, or when the last success is
        /// longer ago than this.
        update: Option<Update>,
        /// Whether a lower version may be installed.
        allow_downgrade: bool = false,
        /// What happens to configuration files that were edited on the host and changed in the package.
        conffiles: Conffiles = Conffiles::Keep,
        /// How long dpkg's locks are waited for, such as while unattended-upgrades works.
        lock_timeout: Duration = Duration::from_secs(300),
    }
}

impl AptArgs {
    /// Whether something is done with packages, and not with the lists alone.
    pub(super) fn is_about_packages(&self) -> bool {
        self.install.is_some() || self.download.is_some() || self.remove.is_some() || self.upgrade.is_some()
    }

    pub(super) fn downloads_only(&self) -> bool {
        self.download_only == Some(true)
    }

    /// Whether the lists are fetched.
    pub(super) fn updates(&self) -> bool {
        !matches!(self.update, None | Some(Update::Given(false)))
    }
}

/// Packages, each with the version that is written for it.
#[derive(Clone, Debug)]
pub(crate) struct Packages(pub(super) Vec<(String, String)>);

impl FromValue for Packages {
    fn ty() -> Type {
        Type::OneOf(vec![Type::Str.mapped(), Type::Str.one_or_many()])
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Map(versions) = value {
            return Some(Self(
                versions.iter().map(|(name, version)| (name.clone(), version.to_string())).collect(),
            ));
        }
        let names = Vec::<String>::from_value(value)?;
        Some(Self(names.into_iter().map(|name| (name, "present".to_owned())).collect()))
    }
}

/// When the package lists are fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Update {
    /// Always, or never.
    Given(bool),
    /// Where they are older than this.
    Older(Duration),
}

impl FromValue for Update {
    fn ty() -> Type {
        Type::OneOf(vec![Type::Bool, Type::Duration])
    }

    fn from_value(value: &Value) -> Option<Self> {
        let age = || Duration::from_value(value).map(Self::Older);
        value.as_bool().map(Self::Given).or_else(age)
    }
}

/// Which configuration files stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conffiles {
    Keep,
    Replace,
}

word_arguments!(Conffiles { "keep" => Keep, "replace" => Replace });
