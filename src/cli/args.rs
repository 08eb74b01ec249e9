//! What can be typed. Help, man page and completions are derived from here.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::value::{Amount, Duration};

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
    /// Write a runbook to begin with, its inventory, and a check for CI
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
    /// Go on with a run that was cut off or stopped
    #[command(
        after_help = "Examples:\n  rollbook resume\n  rollbook resume 20260105-220000-3f2a --in-doubt rerun\n\nWhat was in flight is taken up again: the hosts' own records say how it ended, and nothing that ended is\nrepeated. The runbook and the inventory are not read again; the plan of the run is rolled to its end."
    )]
    Resume(Resume),
    /// Follow a run that goes on, from another terminal
    #[command(
        after_help = "Examples:\n  rollbook watch\n  rollbook watch 20260105-220000-3f2a --plain\n\nReads the run's record and touches neither the run nor a host; Ctrl-C ends the watching, not the run."
    )]
    Watch(Watch),
    /// List, show and remove the records of runs
    Runs(Runs),
    /// Show and release the lock of a cluster
    Lock(Lock),
    /// Run against a built-in simulated cluster: the real plan, engine and reporters, and no host
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
    /// Run one command on many hosts: a look, or with --change a run with a record
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
pub(super) struct Input {
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) parallel: Option<u32>,
    /// Allow steps that run commands on this machine (`run_on: controller`).
    #[arg(long)]
    pub(super) allow_commands: bool,
    /// Accept that the Kubernetes API is away while one or two control planes are upgraded.
    #[arg(long)]
    pub(super) accept_control_plane_outage: bool,
    /// Take over the cordons that this earlier run left, and uncordon those nodes in the end.
    #[arg(long, value_name = "RUN")]
    pub(super) adopt_cordons: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Runbooks or inventories; their `kind:` tells. A fragment is checked with each runbook that includes it.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<Utf8PathBuf>,
    /// Also check selectors and parameters against this inventory.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<Utf8PathBuf>,
    /// Also check what `plan` would refuse of this choice of steps.
    #[arg(long, value_name = "WORDS")]
    pub(super) only: Vec<String>,
    /// Likewise.
    #[arg(long, value_name = "WORDS")]
    pub(super) skip: Vec<String>,
    /// Warnings count as errors.
    #[arg(long)]
    pub(super) strict: bool,
    /// How to print what is found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For people.
    Text,
    /// For a merge request or a ticket.
    Markdown,
    /// For programs, and for `rollbook run`.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The runbook, or a saved plan, which is shown again.
    pub(super) runbook: Utf8PathBuf,
    #[command(flatten)]
    pub(super) input: Input,
    /// Touch no host: show the order and the commands, not what would change.
    #[arg(long)]
    pub(super) offline: bool,
    /// Save the plan, for review and for `rollbook run FILE`.
    #[arg(short, long, value_name = "FILE", conflicts_with = "offline")]
    pub(super) output: Option<Utf8PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(super) format: PlanFormat,
    /// Print only what differs from this saved plan.
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub(super) diff: Option<Utf8PathBuf>,
    /// Exit 2 when changes are pending.
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Show every command.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// A runbook, or a plan saved by `rollbook plan -o`.
    pub(super) file: Utf8PathBuf,
    #[command(flatten)]
    pub(super) input: Input,
    /// Do not ask.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Never ask anything; implied without a terminal.
    #[arg(long)]
    pub(super) no_input: bool,
    /// Wait this long for another run of the cluster to end.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) wait_lock: Option<Duration>,
    #[command(flatten)]
    pub(super) roll: Roll,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The run's id, or a directory with its record [default: the newest run that can go on].
    pub(super) run: Option<String>,
    /// Pass the gate, or take the pauses as done, at which the run stands; what comes later is asked.
    #[arg(long)]
    pub(super) approve: bool,
    /// Never ask anything; implied without a terminal.
    #[arg(long)]
    pub(super) no_input: bool,
    /// What to do with a command that was interrupted on its host, and of which nothing can tell whether it is done.
    #[arg(long, value_enum, default_value_t = InDoubtChoice::Leave, value_name = "WHAT")]
    pub(super) in_doubt: InDoubtChoice,
    /// Take addresses and connections from this inventory, in place of the plan's; users and directories on hosts stay.
    #[arg(long, value_name = "INVENTORY")]
    pub(super) connection: Option<Utf8PathBuf>,
    /// Let the plan of a directory that is named run commands on this machine.
    #[arg(long)]
    pub(super) allow_commands: bool,
    #[command(flatten)]
    pub(super) roll: Roll,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<Utf8PathBuf>,
}

/// What to do with a command that nothing can settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum InDoubtChoice {
    /// Leave its host as it is, and its state unknown.
    Leave,
    /// Run it again.
    Rerun,
    /// Take it as done.
    AssumeDone,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// The run's id, or a directory with its record [default: the newest run].
    pub(super) run: Option<String>,
    /// Print every task.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Print plain lines on a terminal, too: nothing is drawn twice.
    #[arg(long)]
    pub(super) plain: bool,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) state_dir: Option<Utf8PathBuf>,
    #[command(subcommand)]
    pub(super) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
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
    /// Put back the cordons and holds that a run left which will not go on
    #[command(
        long_about = "Put back the cordons and holds that a run left which will not go on.\n\nOnly what that run did, as its \
                      journal says, and only where it still stands: a node whose cordon is somebody else's by now stays \
                      cordoned. What is put back is a run of its own, shown first and recorded. The run that is undone \
                      cannot be resumed afterwards; a new run does what is still to be done.",
        after_help = "Example:\n  rollbook runs undo 20260105-220000-3f2a"
    )]
    Undo(Undo),
    /// Remove the records of runs that are over and left nothing behind
    #[command(after_help = "Example:\n  rollbook runs prune --keep 20")]
    Prune {
        /// Keep this many of the newest runs, whatever they came to.
        #[arg(long, value_name = "N", default_value_t = 20)]
        keep: usize,
        /// Say what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Lock {
    #[command(subcommand)]
    pub(super) command: LockCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum LockCommand {
    /// Show who works on a cluster, and which run was begun there and has not ended
    #[command(after_help = "Example:\n  rollbook lock show -i inventory.yaml")]
    Show {
        #[command(flatten)]
        cluster: LockedCluster,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Give up a run that nobody will go on with, or take away what a dead controller left
    #[command(
        after_help = "Example:\n  rollbook lock release -i inventory.yaml --supersede 20260105-220000-3f2a --reason 'its disk is gone'\n\nA run that is given up can never go on: its hosts are left as they are, and refuse its commands. Without an\ninventory only the record in the state directory is given up, for fleets that are no cluster."
    )]
    Release {
        #[command(flatten)]
        cluster: LockedCluster,
        /// The run to give up.
        #[arg(long, value_name = "RUN")]
        supersede: Option<String>,
        /// Why, for whoever finds it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
        #[arg(long, value_name = "DIR")]
        state_dir: Option<Utf8PathBuf>,
    },
}

/// How the API server of a cluster is reached without a runbook.
#[derive(Debug, Args)]
pub(super) struct LockedCluster {
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<Utf8PathBuf>,
    /// Where kubectl runs: hosts of the inventory, or `controller` for this machine.
    #[arg(long, value_name = "SELECTOR", default_value = "control_plane")]
    pub(super) via: String,
    /// Its kubeconfig there [default: /etc/kubernetes/admin.conf on hosts, kubectl's own on this machine].
    #[arg(long, value_name = "PATH")]
    pub(super) kubeconfig: Option<String>,
    /// Its context [default: the current one].
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Undo {
    /// The run's id, or a directory with its record.
    pub(super) run: String,
    /// Do not ask.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Never ask anything; implied without a terminal.
    #[arg(long)]
    pub(super) no_input: bool,
    /// Take addresses and connections from this inventory, in place of the plan's; users and directories on hosts stay.
    #[arg(long, value_name = "INVENTORY")]
    pub(super) connection: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(super) roll: Roll,
}

#[derive(Debug, Args)]
pub(super) struct Roll {
    /// Also write every event to this file, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<Utf8PathBuf>,
    /// Start no new host after this long.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) deadline: Option<Duration>,
    /// Print nothing but the summary.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Print every task.
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Print plain lines on a terminal, too: nothing is drawn twice.
    #[arg(long)]
    pub(super) plain: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rehearse {
    /// The runbook; a scenario may name it instead.
    #[arg(required_unless_present_any = ["scenario", "check"])]
    pub(super) runbook: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(super) input: Input,
    #[command(flatten)]
    pub(super) roll: Roll,
    /// Kubernetes version that the simulated cluster starts with [default: one minor below the `target` parameter].
    #[arg(long, value_name = "VERSION")]
    pub(super) kubernetes: Option<String>,
    /// Show it as it would happen, so many times as fast: `--speed 60` makes a minute a second [default: at once].
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub(super) speed: Option<f64>,
    /// The same seed gives the same rehearsal [default: 1].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Begin as the hosts and the cluster were that `rollbook facts --record FILE` wrote down.
    #[arg(long, value_name = "FILE", conflicts_with = "kubernetes")]
    pub(super) from: Option<Utf8PathBuf>,
    /// Let go wrong what this file says; it may also name the runbook, the inventory and parameters.
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<Utf8PathBuf>,
    /// Rehearse each of these scenarios, and say whether what they expect came true: one line for each.
    #[arg(long, value_name = "SCENARIO", num_args = 1.., conflicts_with_all = ["runbook", "scenario", "state_dir", "events"])]
    pub(super) check: Vec<Utf8PathBuf>,
    /// Keep a record of the rehearsal, from which `rollbook resume` can go on [default: only where the scenario
    /// leaves a killed controller, in $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Inventory {
    #[command(subcommand)]
    pub(super) command: InventoryCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum InventoryCommand {
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
    /// Look for what is odd: hosts that share an address, hosts in no group, groups without hosts
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
    },
}

#[derive(Debug, Args)]
pub(super) struct Facts {
    /// Which hosts.
    #[arg(default_value = "all")]
    pub(super) selector: String,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Utf8PathBuf,
    /// Write hosts and cluster to this file, from which `rollbook rehearse --from FILE` begins. It holds no secrets.
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<Utf8PathBuf>,
    /// Where kubectl runs for `--record`: hosts of the inventory, `controller` for this machine, `none` for no cluster
    /// [default: control_plane where the inventory has it].
    #[arg(long, value_name = "SELECTOR", requires = "record")]
    pub(super) via: Option<String>,
    /// Its kubeconfig there [default: /etc/kubernetes/admin.conf on hosts, kubectl's own on this machine].
    #[arg(long, value_name = "PATH", requires = "record")]
    pub(super) kubeconfig: Option<String>,
    /// Its context [default: the current one].
    #[arg(long, value_name = "NAME", requires = "record")]
    pub(super) context: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Steps {
    /// A step kind, such as `drain`.
    pub(super) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of which file.
    #[arg(value_parser = super::schema::kinds())]
    pub(super) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A code, such as RB0103, or its name; with --host, a name of the host.
    pub(super) code: Option<String>,
    /// Explain what the name means for this host.
    #[arg(long, value_name = "HOST", requires = "code")]
    pub(super) host: Option<String>,
    /// The runbook, for parameters, constants and steps.
    #[arg(long, value_name = "FILE", requires = "host")]
    pub(super) runbook: Option<Utf8PathBuf>,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE", requires = "host")]
    pub(super) inventory: Option<Utf8PathBuf>,
    /// A parameter; may be given several times.
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = key_value, requires = "runbook")]
    pub(super) params: Vec<(String, String)>,
    /// A YAML file of parameters; may be given several times.
    #[arg(long, value_name = "FILE", requires = "runbook")]
    pub(super) params_file: Vec<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// What it is for; asked on a terminal.
    #[arg(value_enum)]
    pub(super) kind: Option<NewKind>,
    /// Its name, from which its file has its own [default: that of its kind].
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Its hosts, separated by commas, with ranges such as `w[1:12].example.com`; of a cluster, its workers.
    #[arg(long, value_name = "HOSTS")]
    pub(super) hosts: Option<String>,
    /// The control planes of a cluster, likewise.
    #[arg(long, value_name = "HOSTS")]
    pub(super) control_planes: Option<String>,
    /// Who logs in [default: ssh's own choice].
    #[arg(long)]
    pub(super) user: Option<String>,
    /// The unit to restart.
    #[arg(long, value_name = "UNIT")]
    pub(super) service: Option<String>,
    /// The Kubernetes version to reach.
    #[arg(long, value_name = "VERSION")]
    pub(super) target: Option<String>,
    /// Where to write; it is made where it is missing.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) dir: Utf8PathBuf,
    /// Never ask anything; implied without a terminal.
    #[arg(long)]
    pub(super) no_input: bool,
}

/// What a new runbook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum NewKind {
    /// Upgrade a kubeadm cluster by one minor version.
    KubeadmUpgrade,
    /// Upgrade the packages of a cluster's hosts, and reboot where that is asked for.
    OsPatch,
    /// The same on machines without Kubernetes.
    OsPatchHosts,
    /// Restart a unit on every host, one host first.
    ServiceRestart,
}

impl NewKind {
    /// Every kind, in the order in which they are offered.
    pub(super) const ALL: [Self; 4] =
        [Self::KubeadmUpgrade, Self::OsPatch, Self::OsPatchHosts, Self::ServiceRestart];

    /// As typed.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::KubeadmUpgrade => "kubeadm-upgrade",
            Self::OsPatch => "os-patch",
            Self::OsPatchHosts => "os-patch-hosts",
            Self::ServiceRestart => "service-restart",
        }
    }

    /// In a sentence.
    pub(super) fn doc(self) -> &'static str {
        match self {
            Self::KubeadmUpgrade => "upgrade a kubeadm cluster by one minor version",
            Self::OsPatch => "upgrade the packages of a cluster's hosts, and reboot where that is asked for",
            Self::OsPatchHosts => "the same on machines without Kubernetes",
            Self::ServiceRestart => "restart a unit on every host, one host first",
        }
    }

    /// Whether its hosts are the control planes and workers of a cluster.
    pub(super) fn is_for_cluster(self) -> bool {
        matches!(self, Self::KubeadmUpgrade | Self::OsPatch)
    }
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that people type")]
pub(super) struct Exec {
    /// Which hosts.
    pub(super) selector: String,
    /// The command: a program and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Utf8PathBuf,
    /// Run it as root, by the inventory's `become`.
    #[arg(long)]
    pub(super) r#become: bool,
    /// It changes something: plan it, ask, take the lock, and record it as a run.
    #[arg(long)]
    pub(super) change: bool,
    /// On so many hosts at the same time.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) parallel: u32,
    /// End it on a host after this long [default: 1m].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Print what a host says below its name, not behind it.
    #[arg(long)]
    pub(super) grouped: bool,
    /// Do not ask; with --change.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Never ask anything; implied without a terminal.
    #[arg(long)]
    pub(super) no_input: bool,
    /// Wait this long for another run of the cluster to end; with --change.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) wait_lock: Option<Duration>,
    /// Where kubectl runs for the lock of the cluster: hosts, `controller`, or `none` where there is no cluster
    /// [default: control_plane, where the inventory has that group].
    #[arg(long, value_name = "SELECTOR", requires = "change")]
    pub(super) via: Option<String>,
    /// Its kubeconfig there.
    #[arg(long, value_name = "PATH", requires = "change")]
    pub(super) kubeconfig: Option<String>,
    /// Its context.
    #[arg(long, value_name = "NAME", requires = "change")]
    pub(super) context: Option<String>,
    /// Where runs are recorded [default: $XDG_STATE_HOME/rollbook].
    #[arg(long, value_name = "DIR", requires = "change")]
    pub(super) state_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Which hosts.
    #[arg(default_value = "all")]
    pub(super) selector: String,
    /// With no more of an environment than cron gives: no agent, no terminal, a short PATH.
    #[arg(long)]
    pub(super) as_cron: bool,
    /// Where kubectl will run: hosts of the inventory, `controller` for this machine, `none` for no cluster
    /// [default: control_plane where the inventory has it].
    #[arg(long, value_name = "SELECTOR")]
    pub(super) via: Option<String>,
    /// Its kubeconfig there [default: /etc/kubernetes/admin.conf on hosts, kubectl's own on this machine].
    #[arg(long, value_name = "PATH")]
    pub(super) kubeconfig: Option<String>,
    /// Its context [default: the current one].
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Utf8PathBuf,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as `-p target=1.31.4`".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('x').unwrap_or(text).parse::<f64>();
    number
        .ok()
        .filter(|speed| (0.01..=1_000_000.0).contains(speed))
        .ok_or_else(|| "write a number such as 10 or 0.5".to_owned())
}

fn amount(text: &str) -> Result<Amount, String> {
    Amount::parse(text).ok_or_else(|| "write a count such as 2 or a percentage such as 25%".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| "write a duration such as 90s, 10m or 1h30m".to_owned())
}
