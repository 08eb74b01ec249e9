//! A command that changes something as a runbook of one step. So it is planned, shown, locked, recorded and told as any
//! other run is.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value as Json, json};

use super::{ExecRequest, Hear, USUAL_TIMEOUT};
use crate::app::connections::{Connections, run_id, runtime, state_dir, targets};
use crate::app::load::Loaded;
use crate::app::run::approved;
use crate::app::stage::{IfMissing, live};
use crate::app::{AppError, RunRequest, Tell};
use crate::inventory::{HostName, Inventory};
use crate::journal::runs;
use crate::plan::show::Saved;
use crate::report::ExitKind;
use crate::runbook::{FileReader, WrittenChoice, parse};
use crate::source::{Diagnostics, SourceMap};

/// Plans the command, asks, rolls it as a run, and tells what each host said.
pub(crate) fn change(
    request: &ExecRequest,
    run: &RunRequest<'_>,
    hear: Hear<'_>,
    tell: &dyn Tell,
) -> Result<ExitKind, AppError> {
    let (inventory, hosts) = request.hosts(tell)?;
    run.consent.refuse_nobody("run it with --yes")?;
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let file = sources.add("exec", runbook(request, &inventory, hosts.len()).to_string());
    let runbook = parse(&mut sources, file, &NoFiles, &mut diagnostics);
    tell.diagnostics(&diagnostics, &sources);
    let Some(runbook) = runbook else { return Err(AppError::invalid()) };
    let (params, choice) = (indexmap::IndexMap::new(), WrittenChoice::default());
    let loaded = Loaded { sources, runbook, inventory, params, limit: None, choice };
    let id = run_id();
    let outcome = runtime()?.block_on(rolled(run, &id, &loaded, tell));
    told(run, &id, &hosts, hear)?;
    outcome
}

async fn rolled(
    run: &RunRequest<'_>,
    id: &str,
    loaded: &Loaded,
    tell: &dyn Tell,
) -> Result<ExitKind, AppError> {
    let connections = Connections::real(targets(&loaded.inventory))?;
    let outcome = match live(loaded, &run.input, IfMissing::Stop, &connections, tell).await {
        Ok(plan) => approved(run, id, Saved::of(plan), false, &connections, tell).await,
        Err(stopped) => Err(stopped),
    };
    connections.close().await;
    outcome
}

/// What the hosts said, from the run's record.
fn told(request: &RunRequest<'_>, run: &str, hosts: &[HostName], hear: Hear<'_>) -> Result<(), AppError> {
    let all = runs(&state_dir(request.state_dir.as_ref())?).map_err(anyhow::Error::from)?;
    let Some(record) = all.into_iter().find(|record| record.id() == run) else { return Ok(()) };
    let mut files: Vec<Utf8PathBuf> = match record.path().join("output").read_dir_utf8() {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect(),
        // Nobody said anything.
        Err(_) => Vec::new(),
    };
    files.sort();
    for host in hosts {
        let mine = |path: &&Utf8PathBuf| {
            path.file_name().and_then(|name| name.strip_prefix(host.as_str())).is_some_and(is_of_an_op)
        };
        for path in files.iter().filter(mine) {
            hear(host, (&text_of(path)?, ""))?;
        }
    }
    Ok(())
}

/// `.0-0-1-0.log`: what stands behind the host's name, which may be the beginning of another one's.
fn is_of_an_op(rest: &str) -> bool {
    let op = rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(".log"));
    op.is_some_and(|op| op.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

/// As much as people read; the record has the rest.
const SHOWN: u64 = 64 << 10;

fn text_of(path: &Utf8Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(SHOWN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// As people would write it; JSON is YAML.
fn runbook(args: &ExecRequest, inventory: &Inventory, count: usize) -> Json {
    let words: Vec<String> = args.command.iter().map(|word| literal(word)).collect();
    let timeout = args.timeout.unwrap_or(USUAL_TIMEOUT).to_string();
    let mut runbook = json!({
        "apiVersion": "rollbook/v1",
        "kind": "Runbook",
        "metadata": { "name": "exec" },
        "defaults": { "become": args.r#become, "timeout": timeout },
        "phases": [{
            "name": "exec",
            "hosts": args.selector,
            // A host that failed keeps nobody else from the command; where all fail there is nobody left.
            "rollout": { "parallel": args.parallel, "max_unavailable": "100%", "max_failures": count - 1 },
            "steps": [{ "command": { "argv": words }, "effect": "changes" }],
        }],
    });
    if let Some(via) = args.kubectl.place(inventory) {
        let mut kube = json!({ "via": via });
        for (key, value) in [("kubeconfig", &args.kubectl.kubeconfig), ("context", &args.kubectl.context)] {
            if let Some(value) = value {
                kube[key] = json!(value);
            }
        }
        runbook["kube"] = kube;
    }
    runbook
}

/// A word in which nothing is a template.
fn literal(word: &str) -> String {
    if ["{{", "{%", "{#"].iter().any(|open| word.contains(open)) {
        word.replace('{', "{{ '{' }}")
    } else {
        word.to_owned()
    }
}

/// One step includes nothing.
struct NoFiles;

impl FileReader for NoFiles {
    fn read(&self, _: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        Err(format!("{path} is no part of a command"))
    }
}
