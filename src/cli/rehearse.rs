//! `rollbook rehearse`: the real plan, engine and reporters over a simulated cluster, in simulated time.

use std::rc::Rc;

use super::args::Rehearse as Args;
use super::compose::{Connections, now, targets};
use super::load::{Loaded, load};
use super::lock::{self, Begin};
use super::outcome::{Outcome, Stopped};
use super::roll::{can_resume, finish, reporters};
use super::stage::{live, refuse};
use super::terminal::Terminal;
use crate::executor::{Clock, InDoubt, Secrets, Setup, roll};
use crate::inventory::HostName;
use crate::plan::show::{bytes, digest};
use crate::report::{Pace, Reporter, exit};
use crate::runbook::KubeVia;
use crate::transport::simulated::{Simulated, SimulatedHost};
use crate::value::{Duration, Value, Version};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let loaded = load(&args.runbook, &args.input, terminal)?;
    let version = version(args, &loaded, terminal)?;
    // Nothing but the simulated hosts moves this clock: hours pass in milliseconds.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(anyhow::Error::from)?;
    runtime.block_on(rehearse(args, &loaded, version, terminal))
}

async fn rehearse(args: &Args, loaded: &Loaded, version: Version, terminal: &Terminal) -> Outcome {
    let simulated = Simulated::from_hosts(&hosts(loaded), &version, now(), args.seed);
    // Not even this machine is touched: commands of `run_on: controller` run on a simulated one, too.
    let (hosts, controller) = (Rc::new(simulated.clone()), Rc::new(simulated));
    let connections = Connections::over(hosts, targets(&loaded.inventory), controller);
    let plan = live(loaded, &args.input, &connections, terminal).await?;
    refuse(&plan, terminal)?;
    let (_stop, stops) = tokio::sync::mpsc::unbounded_channel();
    let digest = digest(&bytes(&plan));
    let run = format!("rehearsal-{}", args.seed);
    let plan = Rc::new(plan);
    let begin = Begin {
        plan: &plan,
        digest: &digest,
        run: &run,
        record: None,
        goes_on_since: None,
        is_saved: false,
        patience: Duration::ZERO,
    };
    let lock = lock::take(&begin, &connections, terminal).await?;
    let setup = Setup {
        plan: Rc::clone(&plan),
        digest: digest.clone(),
        run: run.clone(),
        pool: Rc::clone(&connections.pool),
        controller: Rc::clone(&connections.controller),
        record: Box::new(()),
        run_dir: None,
        reporters: paced(args, terminal)?,
        deadline: args.roll.deadline,
        // A rehearsal reaches nobody: it needs no secret's value.
        secrets: Secrets::none(),
        past: None,
        machine: String::new(),
        in_doubt: InDoubt::Leave,
        lock: lock.clone(),
        over: Vec::new(),
        clock: Clock::starting_at(now()),
        stops,
    };
    let result = roll(setup).await;
    if let Some(lock) = lock {
        lock::leave(&lock, can_resume(&result), &plan, terminal).await;
    }
    let outcome = finish(result, &plan, None, terminal);
    terminal.say("This was a rehearsal: no host was touched.");
    outcome
}

/// The reporters of a roll, after one that makes them wait where somebody wants to watch.
fn paced(args: &Args, terminal: &Terminal) -> anyhow::Result<Vec<Box<dyn Reporter>>> {
    let pace = args.speed.map(|speed| Box::new(Pace::new(speed)) as Box<dyn Reporter>);
    Ok(pace.into_iter().chain(reporters(&args.roll, args.speed, terminal)?).collect())
}

/// The version that the simulated cluster starts with: one minor below the target.
fn version(args: &Args, loaded: &Loaded, terminal: &Terminal) -> Result<Version, Stopped> {
    let usage = |message: &str| {
        terminal.error(message);
        Stopped::Told(exit::USAGE)
    };
    if let Some(text) = &args.kubernetes {
        return Version::parse(text).map_err(|error| usage(&format!("--kubernetes: {error}")));
    }
    let target = loaded.params.values().find_map(|value| match value {
        Value::Version(version) => Some(version.clone()),
        _ => None,
    });
    Ok(match target {
        Some(target) => {
            Version { minor: target.minor.saturating_sub(1), patch: Some(0), pre: None, ..target }
        }
        None => Version { major: 1, minor: 30, patch: Some(0), pre: None },
    })
}

fn hosts(loaded: &Loaded) -> Vec<SimulatedHost> {
    let control_planes = match loaded.runbook.kube.as_ref().map(|kube| &kube.via) {
        Some(KubeVia::Hosts(selector)) => selector.value.select(&loaded.inventory).unwrap_or_default(),
        _ => Vec::new(),
    };
    let in_cluster = loaded.runbook.kube.is_some();
    let hosts = loaded.inventory.hosts.values();
    let mut simulated: Vec<SimulatedHost> = hosts
        .map(|host| SimulatedHost {
            name: host.name.clone(),
            address: host.address.clone(),
            node_name: in_cluster
                .then(|| host.node_name.clone().unwrap_or_else(|| host.name.as_str().to_owned())),
            labels: host.labels.clone(),
            control_plane: control_planes.contains(&host.name),
        })
        .collect();
    let name = HostName::parse("controller").expect("invariant: a good host name");
    if !loaded.inventory.hosts.contains_key(&name) {
        let address = "localhost".to_owned();
        let labels = std::collections::BTreeMap::new();
        simulated.push(SimulatedHost { name, address, node_name: None, labels, control_plane: false });
    }
    simulated
}
