//! `rollbook facts`: what is true of hosts now. Reads only.

use camino::Utf8Path;

use crate::app::AppError;
use crate::app::facts::{FactsRequest, all_read, gather, record};
use crate::cli::args::{Facts as Args, Format};
use crate::cli::facts::text;
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::report::ExitKind;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let request = FactsRequest { inventory: args.inventory.clone(), selector: args.selector.clone() };
    if let Some(file) = &args.record {
        return recorded(args, file, &request, terminal);
    }
    if let Some((flag, _)) = args.kubectl.given().next() {
        // Mistakes in the inventory and the selector are told first.
        let inventory = crate::app::load::load_inventory(&args.inventory, terminal)?;
        crate::app::load::selected(&args.selector, "the selector", &inventory)?;
        return Err(AppError::new(ExitKind::Usage, format!("{flag} belongs to --record"))
            .hint("facts of hosts are asked without kubectl"));
    }
    let found = gather(&request, terminal)?;
    match args.format {
        Format::Text => terminal.data(&text(&found))?,
        Format::Json => {
            let json = serde_json::to_value(&found.hosts).map_err(anyhow::Error::from)?;
            terminal.data(&format!("{json:#}\n"))?
        }
    };
    all_read(&found.failed).map(|()| ExitKind::Ok)
}

fn recorded(args: &Args, file: &Utf8Path, request: &FactsRequest, terminal: &Terminal) -> Outcome {
    let recording = record(request, &args.kubectl.request(), terminal)?;
    let is_json = file.extension() == Some("json");
    let text = if is_json { recording.to_json() } else { recording.to_yaml() };
    std::fs::write(file, text).map_err(|error| anyhow::anyhow!("cannot write {file}: {error}"))?;
    let cluster = recording.cluster.as_ref().map_or_else(String::new, |cluster| {
        format!(", {} nodes and {} pods", cluster.facts.nodes.len(), cluster.pods.len())
    });
    terminal.say(&format!("{file} has {} hosts{cluster}", recording.hosts.len()));
    Ok(ExitKind::Ok)
}
