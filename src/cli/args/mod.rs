//! What can be typed. Help, man page and completions are derived from here: here what several commands share, below
//! the commands, by what they are about.

mod author;
mod hosts;
mod records;
mod roll;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::RunbookInput;
use crate::value::{Amount, Duration, Version};

pub(super) use author::{Explain, New, NewKind, Schema, Steps, Validate};
pub(super) use hosts::{Doctor, Exec, Facts, Inventory, InventoryCommand};
pub(super) use records::{Lock, LockCommand, LockedCluster, Runs, RunsCommand, Undo};
pub(super) use roll::{
    InDoubtChoice, Plan, PlanFormat, Rehearse, Resume, Roll, Run, UnfinishedChoice, Watch,
};

/// Rolls upgrade runbooks over a fleet: in ordered batches, over plain SSH, never with more hosts out of service
/// than `max_unavailable`.
#[derive(Debug, Parser)]
#[command(name = "rollbook", version, max_term_width = 100, after_help = after_help())]
pub(super) struct Cli {
    /// When to use colour; NO_COLOR is respected.
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true)]
    pub(super) color: ColorChoice,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  rollbook rehearse runbooks/kubeadm-upgrade.yaml -i inventory.yaml -p target=1.31.4
  rollbook plan     runbooks/kubeadm-upgrade.yaml -i inventory.yaml -p target=1.31.4 -o up.plan.json
  rollbook run      up.plan.json";

fn after_help() -> String {
    format!("{EXAMPLES}\n\nExit codes: {}", super::exit_codes::line())
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a starter runbook, its inventory and a check for CI
    #[command(
        after_help = "Examples:\n  rollbook new\n  rollbook new service-restart --service nginx.service --hosts 'web[1:4].example.com' --dir web\n\nWhat is written validates and rehearses as it is. Nothing that exists is touched."
    )]
    New(New),
    /// Check runbooks, and inventories, without touching any host
    #[command(after_help = "Example:\n  rollbook validate runbooks/*.yaml -i inventory.yaml")]
    Validate(Validate),
    /// Show what a run would change, reading from the hosts and changing nothing
    #[command(
        after_help = "Examples:\n  rollbook plan up.yaml -i inventory.yaml -p target=1.31.4\n  rollbook plan up.yaml -i inventory.yaml -p target=1.31.4 --offline\n  rollbook plan up.yaml -i inventory.yaml -p target=1.31.4 -o up.plan.json\n  rollbook plan up.plan.json --diff last-week.plan.json"
    )]
    Plan(Plan),
    /// Roll a runbook, or a saved plan, over its hosts
    #[command(
        after_help = "Examples:\n  rollbook run up.yaml -i inventory.yaml -p target=1.31.4\n  rollbook run up.plan.json --yes        # from cron"
    )]
    Run(Run),
    /// Continue an interrupted or stopped run
    #[command(
        after_help = "Examples:\n  rollbook resume\n  rollbook resume 20260105-220000-3f2a --in-doubt rerun\n\nWhat was in flight is taken up again: the hosts' own records say how it ended, and nothing that ended is\nrepeated. The runbook and the inventory are not read again; the plan of the run is rolled to its end."
    )]
    Resume(Resume),
    /// Follow a run in progress from another terminal
    #[command(
        after_help = "Examples:\n  rollbook watch\n  rollbook watch 20260105-220000-3f2a --plain\n\nReads the run's record and touches neither the run nor a host; Ctrl-C ends the watching, not the run."
    )]
    Watch(Watch),
    /// List, show and remove the records of runs
    Runs(Runs),
    /// Show and release the lock of a cluster
    Lock(Lock),
    /// Simulate a run on a built-in cluster: real plan, engine and output, and no host is contacted
    #[command(
        after_help = "Examples:\n  rollbook rehearse up.yaml -i inventory.yaml -p target=1.31.4\n  rollbook rehearse up.yaml -i inventory.yaml -p target=1.31.4 --scenario scenarios/mirror-dies.yaml\n  rollbook rehearse --check scenarios/*.yaml   # 0: all as expected, 10: not"
    )]
    Rehearse(Rehearse),
    /// List and show the hosts of an inventory
    Inventory(Inventory),
    /// Read facts of hosts
    Facts(Facts),
    /// List step kinds, or show one with its fields and an example
    Steps(Steps),
    /// Print the JSON Schema of a kind of file, for editors, or list them
    #[command(
        after_help = "Examples:\n  rollbook schema runbook > runbook.schema.json\n\nAn editor with the YAML language server takes it from the first line of a file:\n  # yaml-language-server: $schema=runbook.schema.json"
    )]
    Schema(Schema),
    /// Explain an error code, or list them all; or what a name means for a host, and where that comes from
    #[command(
        after_help = "Examples:\n  rollbook explain RB0103\n  rollbook explain duplicate-key\n  rollbook explain zone --host w1 -i inventory.yaml\n  rollbook explain params.drain_timeout --host w1 -i inventory.yaml --runbook up.yaml -p target=1.31.4\n\nNames of a host: params.X, vars.X, host.vars.X, host.labels.X, groups.X, steps.ID, secrets.X, or X alone; facts.X asks the host."
    )]
    Explain(Explain),
    /// Check that hosts can be reached and worked on
    Doctor(Doctor),
    /// Run one command on many hosts (read-only; with --change a recorded run)
    #[command(
        after_help = "Examples:\n  rollbook exec workers -i inventory.yaml -- uptime\n  rollbook exec all -i inventory.yaml --become --change -- systemctl restart chrony\n\nNo shell reads the command. Without --change nothing is recorded: give it commands that only read.\nExit codes: 0 on every host, 10 where it failed on one, 12 where one cannot be reached; with --change those of a run,\nso that a failed change is 11: its host may be half-changed."
    )]
    Exec(Exec),
    /// Print a completion script
    Completions {
        /// For this shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or that of a command
    #[command(after_help = "Examples:\n  rollbook man | man -l -\n  rollbook man runs list | man -l -")]
    Man {
        /// The command; the whole program if none is named.
        command: Vec<String>,
    },
}

/// A runbook with its inventory and parameters.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct RunbookArgs {
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<Utf8PathBuf>,
    /// A parameter; may be given several times.
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) params: Vec<(String, String)>,
    /// A YAML file of parameters; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(super) params_file: Vec<Utf8PathBuf>,
    /// Work only on these hosts; the others still count against the budget.
    #[arg(long, value_name = "SELECTOR")]
    pub(super) limit: Option<String>,
    /// Only these steps: tags, ids of steps or includes, names of phases, with commas between. Checks in front of them
    /// stay, and what belongs together is not taken apart.
    #[arg(long, value_name = "WORDS")]
    pub(super) only: Vec<String>,
    /// All but these steps, named in the same way.
    #[arg(long, value_name = "WORDS")]
    pub(super) skip: Vec<String>,
    /// Lower the budget of every phase.
    #[arg(long, value_name = "N|N%", value_parser = amount)]
    pub(super) max_unavailable: Option<Amount>,
    /// Lower the number of hosts prepared at the same time.
    #[arg(long, value_name = "N", value_parser = count)]
    pub(super) parallel: Option<u32>,
    /// Allow steps that run commands on this machine (`run_on: controller`).
    #[arg(long)]
    pub(super) allow_commands: bool,
    /// Accept that the Kubernetes API is unavailable while one or two control planes are upgraded.
    #[arg(long)]
    pub(super) accept_control_plane_outage: bool,
    /// Accept that the machine that runs Rollbook is restarted, as the last host; `rollbook resume` then continues the run.
    #[arg(long)]
    pub(super) accept_controller_reboot: bool,
    /// Adopt the cordons that this earlier run left, and uncordon those nodes at the end.
    #[arg(long, value_name = "RUN")]
    pub(super) adopt_cordons: Option<String>,
}

impl RunbookArgs {
    /// As use cases take it.
    pub(super) fn request(&self) -> RunbookInput {
        let Self { inventory, params, params_file, limit, only, skip, .. } = self.clone();
        RunbookInput {
            inventory,
            params,
            params_file,
            limit,
            only,
            skip,
            max_unavailable: self.max_unavailable,
            parallel: self.parallel,
            allow_commands: self.allow_commands,
            accept_control_plane_outage: self.accept_control_plane_outage,
            accept_controller_reboot: self.accept_controller_reboot,
            adopt_cordons: self.adopt_cordons.clone(),
        }
    }
}

/// Where and how kubectl runs, where no runbook says it.
#[derive(Debug, Default, Args)]
pub(super) struct KubectlArgs {
    /// Where kubectl runs: hosts of the inventory, `controller` for this machine, `none` for no cluster
    /// [default: control_plane where the inventory has it].
    #[arg(long, value_name = "SELECTOR")]
    pub(super) via: Option<String>,
    /// Its kubeconfig there [default: /etc/kubernetes/admin.conf on hosts, kubectl's own on this machine].
    #[arg(long, value_name = "PATH")]
    pub(super) kubeconfig: Option<String>,
    /// Its context [default: the current one].
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How data of some depth is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DataFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as `-p target=1.31.4`".to_owned()),
    }
}

fn whole_number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number such as 3".to_owned())
}

fn count(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number from 1 on".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('x').unwrap_or(text).parse::<f64>();
    number
        .ok()
        .filter(|speed| (0.01..=1_000_000.0).contains(speed))
        .ok_or_else(|| "write a number such as 10 or 0.5".to_owned())
}

fn amount(text: &str) -> Result<Amount, String> {
    if text.trim_end_matches('%').bytes().all(|byte| byte == b'0') && !text.is_empty() {
        return Err("a budget of 0 lets no host start: write 1 for one host at a time".to_owned());
    }
    Amount::parse(text).ok_or_else(|| "write a count such as 2 or a percentage such as 25%".to_owned())
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|_| "write a version such as 1.36 or 1.36.2".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text)
        .ok_or_else(|| format!("write a duration such as 90s, 10m or 1h30m, {} at most", Duration::LONGEST))
}
