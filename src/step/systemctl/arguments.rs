//! What may be written below `systemctl`.

use crate::step::arguments::arguments;
use crate::value::{Duration, Type};

arguments! {
    /// What units should be like.
    pub(crate) struct SystemctlArgs {
        /// Have systemd read its unit files again, before anything else. Holds when no unit needs it.
        daemon_reload: bool = false,
        /// Units that must not be masked.
        unmask: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Units that must be masked.
        mask: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Units that must start at boot.
        enable: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Units that must not start at boot.
        disable: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Units that must not run.
        stop: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Units that must run.
        start: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Units whose process must be newer than its binary, its unit files and its configuration.
        restart: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Further files that a process of `restart` must be newer than. Absolute paths.
        newer_than: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Restart whatever the host looks like. The step is then opaque: a plan cannot say whether it is needed.
        always: bool = false,
        /// How long units may take to get where they should be.
        within ("for"): Duration = Duration::from_secs(60),
        /// How long started and restarted units must then stay active.
        stable_for: Duration = Duration::from_secs(3),
    }
}
