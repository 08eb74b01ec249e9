//! `rollbook lock`: who works on a cluster, and what a run left there that nobody goes on with.

use crate::app::connections::who;
use crate::app::lock::{LockedCluster, Release, read, words};
use crate::cli::args::{self, Format, Lock as Args, LockCommand};
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    match &args.command {
        LockCommand::Show { cluster, format } => {
            let lease = read(&located(cluster), terminal)?;
            terminal.data(&match format {
                Format::Text => words::shown(lease.as_ref()),
                Format::Json => format!("{:#}\n", words::as_json(lease.as_ref())),
            })
        }
        LockCommand::Release { cluster, supersede, reason, state_dir } => {
            let why = format!("{}: {reason}", who());
            let release = Release { run: supersede.as_deref(), why: &why, state_dir: state_dir.as_ref() };
            release.run(&located(cluster), terminal)
        }
    }
}

fn located(cluster: &args::LockedCluster) -> LockedCluster {
    let args::LockedCluster { inventory, via, kubeconfig, context } = cluster.clone();
    LockedCluster { inventory, via, kubeconfig, context }
}
