//! The reference page of `apt`: its fields and what it does.

use std::sync::LazyLock;

use crate::value::{Duration, Field, Type, Value};

pub(super) static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let text = || Box::new(Type::Str);
    let packages = || Type::OneOf(vec![Type::Map(text()), Type::OneOrMany(text())]);
    vec![
        Field::optional(
            "install",
            packages(),
            "Packages with the versions to have: `{kubelet: \"1.31.4-*\"}`; `present` is any version, `latest` the \
             newest that the host's apt prefers. A list stands for `present`.",
        ),
        Field::optional(
            "upgrade",
            Type::OneOrMany(text()),
            "`all`: every package to the newest version that the lists have, with new packages that it needs and without \
             any removal. Or names: these, where they are installed. Packages on hold stay.",
        ),
        Field::optional(
            "except",
            Type::OneOrMany(text()),
            "Packages that `upgrade: all` leaves at their versions, by name. Those that are not installed do not matter.",
        ),
        Field::optional(
            "download_only",
            Type::Bool,
            "`true`: the archives of `upgrade` are fetched into /var/cache/apt/archives, and nothing is installed.",
        ),
        Field::optional(
            "download",
            packages(),
            "The same, only fetched with all they need into /var/cache/apt/archives, so that installing needs no mirror.",
        ),
        Field::optional(
            "remove",
            Type::OneOrMany(text()),
            "Packages to remove, by name. Configuration files stay.",
        ),
        Field::optional(
            "hold",
            Type::Bool,
            "`true`: the packages are on hold afterwards, also when installing fails. `false`: they are not. Left out: \
             holds stay as they are, and apt refuses to change a held package.",
        ),
        Field::optional(
            "update",
            Type::OneOf(vec![Type::Bool, Type::Duration]),
            "Fetch the package lists before anything else. On its own: always with `true`, or when the last success is \
             longer ago than this.",
        ),
        Field::with_default(
            "allow_downgrade",
            Type::Bool,
            Value::Bool(false),
            "Whether a lower version may be installed.",
        ),
        Field::with_default(
            "conffiles",
            Type::Enum(vec!["keep".to_owned(), "replace".to_owned()]),
            Value::Str("keep".to_owned()),
            "What happens to configuration files that were edited on the host and changed in the package.",
        ),
        Field::with_default(
            "lock_timeout",
            Type::Duration,
            Value::Duration(Duration::from_secs(300)),
            "How long dpkg's locks are waited for, such as while unattended-upgrades works.",
        ),
    ]
});

pub(super) const BODY: &str = "\
**Version and hold are one goal.** `install` with `hold: true` holds when every package is installed at a version that
matches, is configured, and is on hold. Where it does not, the packages are installed in one transaction and the hold is
set again, also when installing fails: `apt-get --allow-change-held-packages` leaves a package without its hold
(kubernetes/website#30135).

**Versions** are apt's own patterns: with a trailing `*` a prefix, else exact; `1.31.4-*` finds `1.31.4-1.1`. A pattern
that no version of the host's repositories matches is refused before anything is touched, with what they do have. The
repository of another minor comes first, with `apt_repo` in a phase over all hosts.

**Nothing else goes.** The plan shows apt's own simulation. A transaction that would remove a package which the step does
not name is refused, and `--no-remove` refuses it again on the host. Lower versions need `allow_downgrade`. Recommended
packages are not installed along (`--no-install-recommends`): an upgrade should bring what it names and what that needs.

**Upgrades.** `upgrade: all` is `apt-get --with-new-pkgs upgrade`: new packages may come, none goes, and what would need a
removal is kept back and named. A package on hold stays, and one of `except` stays, by asking apt for its installed version
(`apt` 2.0 or newer; an excepted package that came as a dependency counts as installed by hand where something was upgraded).
The plan shows every package with both versions; the goal holds when apt would move none. First `dpkg --configure --pending`
finishes what a power cut left half-way. Edited configuration files are kept, and named in the report with their `.dpkg-dist`.
The lists decide what there is to do, so fetch them in a step before: `apt: { update: 1h }`. Only the security updates of a
distribution cannot be asked for with plain apt: write sources that have nothing else, or leave it to unattended-upgrades.

**Effect.** A transaction that touches kubelet, a container runtime, systemd or D-Bus takes the host out of service;
others change it. `download` only fetches.

**Locks.** dpkg's locks are waited for (`lock_timeout`). The lock of the package lists is not covered by that option: apt
fails at once with exit code 100 and names the holder (measured with apt 2.6.2). Such a failure passes by itself, and is
told apart from others so that the step's `retry:` makes sense for it.

**Lists.** `apt-get update` runs with `APT::Update::Error-Mode=any`, because it otherwise exits 0 and goes on with old
lists when a mirror does not answer. A success is stamped in /var/lib/apt/periodic/update-success-stamp, the file that
Ubuntu keeps for the same purpose; `update: 1h` reads it.

**Afterwards** dpkg itself must show the versions and holds, and `dpkg --audit` none of these packages.";
