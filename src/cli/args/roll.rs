//! Plans, and runs: real ones, resumed ones, rehearsed ones, and what watches them.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use super::{RunbookArgs, duration, speed, whole_number};
use crate::value::Duration;

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PlanFormat {
    /// For people.
    Text,
    /// For a merge request or a ticket.
    Markdown,
    /// For programs, and for `rollbook run`.
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Plan {
    /// The runbook, or a saved plan, which is shown again.
    pub(in crate::cli) runbook: Utf8PathBuf,
    #[command(flatten)]
    pub(in crate::cli) input: RunbookArgs,
    /// Contact no host: show the order and the commands, not what would change.
    #[arg(long)]
    pub(in crate::cli) offline: bool,
    /// Save the plan, for review and for `rollbook run FILE`.
    #[arg(short, long, value_name = "FILE", conflicts_with = "offline")]
    pub(in crate::cli) output: Option<Utf8PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(in crate::cli) format: PlanFormat,
    /// Print only what differs from this saved plan.
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub(in crate::cli) diff: Option<Utf8PathBuf>,
    /// Exit 2 when changes are pending.
    #[arg(long)]
    pub(in crate::cli) detailed_exitcode: bool,
    /// Show every command.
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
    /// Where earlier runs are recorded, which tell how long it takes [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// A runbook, or a plan saved by `rollbook plan -o`.
    pub(in crate::cli) file: Utf8PathBuf,
    #[command(flatten)]
    pub(in crate::cli) input: RunbookArgs,
    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Never prompt; implied without a terminal.
    #[arg(long)]
    pub(in crate::cli) no_input: bool,
    /// Wait this long for another run of the cluster to end.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) wait_lock: Option<Duration>,
    /// What to do about an earlier run of the same runbook and inventory that has not ended and whose record is here.
    #[arg(long, value_enum, default_value_t = UnfinishedChoice::Refuse, value_name = "WHAT")]
    pub(in crate::cli) unfinished: UnfinishedChoice,
    #[command(flatten)]
    pub(in crate::cli) roll: Roll,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
}

/// What a new run does about an earlier one that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum UnfinishedChoice {
    /// Start nothing beside it.
    Refuse,
    /// Go on with it first, as `rollbook resume` does; then run what is still to be done.
    Resume,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// The run's id, or a directory with its record [default: the newest run that can be resumed].
    pub(in crate::cli) run: Option<String>,
    /// Approve the gate or pauses at which the run waits; later ones still ask.
    #[arg(long)]
    pub(in crate::cli) approve: bool,
    /// Never prompt; implied without a terminal.
    #[arg(long)]
    pub(in crate::cli) no_input: bool,
    /// How to treat an interrupted command whose outcome is unknown.
    #[arg(long, value_enum, default_value_t = InDoubtChoice::Leave, value_name = "WHAT")]
    pub(in crate::cli) in_doubt: InDoubtChoice,
    /// Take addresses and connections from this inventory, in place of the plan's; users and directories on hosts stay.
    #[arg(long, value_name = "INVENTORY")]
    pub(in crate::cli) connection: Option<Utf8PathBuf>,
    /// Allow the plan in a named directory to run commands on this machine.
    #[arg(long)]
    pub(in crate::cli) allow_commands: bool,
    #[command(flatten)]
    pub(in crate::cli) roll: Roll,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
}

/// What to do with a command that nothing can settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum InDoubtChoice {
    /// Leave its host as it is, and its state unknown.
    Leave,
    /// Run it again.
    Rerun,
    /// Take it as done.
    AssumeDone,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Watch {
    /// The run's id, or a directory with its record [default: the newest run].
    pub(in crate::cli) run: Option<String>,
    /// Print every task.
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
    /// Print plain lines on a terminal, too.
    #[arg(long)]
    pub(in crate::cli) plain: bool,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Roll {
    /// Also write every event to this file, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) events: Option<Utf8PathBuf>,
    /// Start no new host after this long.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) deadline: Option<Duration>,
    /// Print nothing but the summary.
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// Print every task.
    #[arg(short, long, conflicts_with = "quiet")]
    pub(in crate::cli) verbose: bool,
    /// Print plain lines on a terminal, too.
    #[arg(long)]
    pub(in crate::cli) plain: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rehearse {
    /// The runbook; a scenario may name it instead, and may stand here itself.
    #[arg(required_unless_present_any = ["scenario", "check"])]
    pub(in crate::cli) runbook: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) input: RunbookArgs,
    #[command(flatten)]
    pub(in crate::cli) roll: Roll,
    /// Kubernetes version that the simulated cluster starts with [default: below the highest version among the parameters, by a patch or a minor as the runbook needs].
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) kubernetes: Option<String>,
    /// Play it in time, this many times as fast: `--speed 60` makes a minute a second [default: at
    /// once].
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub(in crate::cli) speed: Option<f64>,
    /// The same seed gives the same rehearsal [default: 1].
    #[arg(long, value_parser = whole_number::<u64>)]
    pub(in crate::cli) seed: Option<u64>,
    /// Start from the hosts and the cluster that `rollbook facts --record FILE` recorded.
    #[arg(long, value_name = "FILE", conflicts_with = "kubernetes")]
    pub(in crate::cli) from: Option<Utf8PathBuf>,
    /// Inject the faults described in this file; it may also name the runbook, the inventory and
    /// parameters.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) scenario: Option<Utf8PathBuf>,
    /// Rehearse each of these scenarios and check its expectations, one line each.
    #[arg(long, value_name = "SCENARIO", num_args = 1.., conflicts_with_all = ["runbook", "scenario", "state_dir", "events"])]
    pub(in crate::cli) check: Vec<Utf8PathBuf>,
    /// Keep a record of the rehearsal, which `rollbook resume` can continue [default: only where
    /// the scenario
    /// leaves a killed controller, in $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<Utf8PathBuf>,
}
