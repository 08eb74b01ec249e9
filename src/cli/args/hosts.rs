//! Hosts without a runbook: inventories, facts, single commands, and whether all is well.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::{DataFormat, Format, KubectlArgs, duration, version};
use crate::value::{Duration, Version};

#[derive(Debug, Args)]
pub(in crate::cli) struct Inventory {
    #[command(subcommand)]
    pub(in crate::cli) command: InventoryCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum InventoryCommand {
    /// List the hosts of a selector
    List {
        /// Which hosts.
        #[arg(default_value = "all")]
        selector: String,
        /// The inventory file.
        #[arg(short, long, value_name = "FILE")]
        inventory: Utf8PathBuf,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show the groups and the hosts of each
    Graph {
        /// The inventory file.
        #[arg(short, long, value_name = "FILE")]
        inventory: Utf8PathBuf,
    },
    /// Check for oddities: hosts that share an address, hosts in no group, groups without hosts
    Check {
        /// The inventory file.
        #[arg(short, long, value_name = "FILE")]
        inventory: Utf8PathBuf,
    },
    /// Show everything that is known of one host
    Show {
        /// The host.
        host: String,
        /// The inventory file.
        #[arg(short, long, value_name = "FILE")]
        inventory: Utf8PathBuf,
        /// How to print it.
        #[arg(short = 'o', long, value_enum, default_value_t = DataFormat::Json)]
        format: DataFormat,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Facts {
    /// Which hosts.
    #[arg(default_value = "all")]
    pub(in crate::cli) selector: String,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) inventory: Utf8PathBuf,
    /// Record hosts and cluster in this file, for `rollbook rehearse --from FILE`: as JSON where its
    /// name ends in `.json`, and as YAML otherwise. It holds no secrets.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) record: Option<Utf8PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten, next_help_heading = "With --record")]
    pub(in crate::cli) kubectl: KubectlArgs,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that people type")]
pub(in crate::cli) struct Exec {
    /// Which hosts.
    pub(in crate::cli) selector: String,
    /// The command: a program and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) inventory: Utf8PathBuf,
    /// Run it as root, using the inventory's `become`.
    #[arg(long)]
    pub(in crate::cli) r#become: bool,
    /// The command changes something: plan it, ask, take the lock, and record it as a run.
    #[arg(long)]
    pub(in crate::cli) change: bool,
    /// Hosts to run on at the same time.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = super::count)]
    pub(in crate::cli) parallel: u32,
    /// Kill it on a host after this long [default: 1m].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Group output by host, below its name.
    #[arg(long)]
    pub(in crate::cli) grouped: bool,
    /// Do not ask; with --change.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Never prompt; implied without a terminal.
    #[arg(long)]
    pub(in crate::cli) no_input: bool,
    /// Wait this long for another run of the cluster to end; with --change.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) wait_lock: Option<Duration>,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR", requires = "change")]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
    #[command(flatten, next_help_heading = "With --change")]
    pub(in crate::cli) kubectl: KubectlArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Doctor {
    /// Which hosts.
    #[arg(default_value = "all")]
    pub(in crate::cli) selector: String,
    /// Use only the environment that cron gives: no agent, no terminal, a short PATH.
    #[arg(long)]
    pub(in crate::cli) as_cron: bool,
    /// Kubernetes version that the hosts are to run; a host that cannot is a problem, not a note.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub(in crate::cli) target: Option<Version>,
    #[command(flatten)]
    pub(in crate::cli) kubectl: KubectlArgs,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) inventory: Utf8PathBuf,
}
