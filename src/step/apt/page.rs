//! What the reference page of `apt` says beside its arguments.

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
