//! What runs leave: their records, and the lock of a cluster.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::{Format, Roll};

#[derive(Debug, Args)]
pub(in crate::cli) struct Runs {
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR", global = true)]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
    #[command(subcommand)]
    pub(in crate::cli) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RunsCommand {
    /// List runs, oldest first
    List {
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show what a run did and what it left
    Show {
        /// The run's id, or a directory with its record [default: the newest run].
        run: Option<String>,
        /// Print every task.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Show what the commands of a run printed
    #[command(
        long_about = "Show what the commands of a run printed.\n\nGrouped by host and step, in plan order. If a command was tried \
                      several times, every try is shown. Secrets are redacted before anything is stored.",
        after_help = "Examples:\n  rollbook runs output 20260105-220000-3f2a\n  rollbook runs output 20260105-220000-3f2a w1 disk"
    )]
    Output {
        /// The run's id, or a directory with its record.
        run: String,
        /// Only this host's.
        host: Option<String>,
        /// Only this step's: its `id`, its title, or its kind.
        step: Option<String>,
    },
    /// Revert the cordons and holds left by a run that will not be resumed
    #[command(
        long_about = "Revert the cordons and holds left by a run that will not be resumed.\n\nReverts only what that run did, \
                      according to its journal, and only where it still stands: a node that somebody else cordoned \
                      meanwhile stays cordoned. Reverting is a run of its own, shown first and recorded. The undone run \
                      cannot be resumed afterwards; a new run does what is left.",
        after_help = "Example:\n  rollbook runs undo 20260105-220000-3f2a"
    )]
    Undo(Undo),
    /// Remove the records of runs that are over and left nothing behind
    #[command(after_help = "Example:\n  rollbook runs prune --keep 20")]
    Prune {
        /// Keep this many of the newest runs, whatever their result.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = super::whole_number::<usize>)]
        keep: usize,
        /// Show what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Undo {
    /// The run's id, or a directory with its record.
    pub(in crate::cli) run: String,
    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Never prompt; implied without a terminal.
    #[arg(long)]
    pub(in crate::cli) no_input: bool,
    /// Take addresses and connections from this inventory, in place of the plan's; users and directories on hosts stay.
    #[arg(long, value_name = "INVENTORY")]
    pub(in crate::cli) connection: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) roll: Roll,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Lock {
    #[command(subcommand)]
    pub(in crate::cli) command: LockCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LockCommand {
    /// Show who holds the lock of a cluster, and which run there has not ended
    #[command(after_help = "Example:\n  rollbook lock show -i inventory.yaml")]
    Show {
        #[command(flatten)]
        cluster: LockedCluster,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Give up a run that will not be resumed, or release the lock of a dead controller
    #[command(
        after_help = "Example:\n  rollbook lock release -i inventory.yaml --supersede 20260105-220000-3f2a --reason 'its disk is gone'\n\nA run that is given up can never go on: its hosts are left as they are, and refuse its commands. Without an\ninventory only the record in the state directory is given up, for fleets that are no cluster."
    )]
    Release {
        #[command(flatten)]
        cluster: LockedCluster,
        /// The run to give up.
        #[arg(long, value_name = "RUN")]
        supersede: Option<String>,
        /// Why, for the next person.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
        #[arg(long, value_name = "DIR")]
        state_dir: Option<Utf8PathBuf>,
    },
}

/// How the API server of a cluster is reached without a runbook.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct LockedCluster {
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) inventory: Option<Utf8PathBuf>,
    /// Where kubectl runs: hosts of the inventory, or `controller` for this machine.
    #[arg(long, value_name = "SELECTOR", default_value = "control_plane")]
    pub(in crate::cli) via: String,
    /// Its kubeconfig there [default: /etc/kubernetes/admin.conf on hosts, kubectl's own on this machine].
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) kubeconfig: Option<String>,
    /// Its context [default: the current one].
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) context: Option<String>,
}
