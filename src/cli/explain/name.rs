//! `rollbook explain NAME --host H`: what a name means for a host, where that comes from, and what it overrules.

use std::fmt::Write;
use std::sync::Arc;

use super::origins::{self, Layer, place};
use crate::app::AppError;
use crate::app::RunbookInput;
use crate::app::connections::{Connections, runtime, targets};
use crate::app::load::{Loaded, load, read_tree};
use crate::app::stage::offline;
use crate::cli::args::Explain as Args;
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::executor::{Depth, gather_facts};
use crate::inventory::{Host, HostName, Inventory};
use crate::op::show_symbols;
use crate::plan::{Action, DeferredStep, Forecast, Plan, Section, StepRef, id_as_written};
use crate::report::ExitKind;
use crate::runbook::{Phase, SecretSource};
use crate::source::{Diagnostics, Node, SourceMap, nearest};
use crate::step::StepKind;
use crate::template::Scope;
use crate::value::{Value, escape};

/// What is known without asking a host.
struct KnownFiles {
    sources: SourceMap,
    /// The inventory as written.
    tree: Node,
    inventory: Inventory,
    loaded: Option<Loaded>,
    /// Parameter files, weakest first.
    files: Vec<Node>,
}

/// One meaning of a name.
struct Meaning {
    /// `params.target`.
    name: String,
    value: String,
    /// The strongest first.
    layers: Vec<Layer>,
    /// More about it.
    notes: Vec<String>,
}

pub(super) fn run(name: &str, host: &str, args: &Args, terminal: &Terminal) -> Outcome {
    let input = RunbookInput {
        inventory: args.inventory.clone(),
        params: args.params.clone(),
        params_file: args.params_file.clone(),
        ..RunbookInput::default()
    };
    let known = read(args, &input, terminal)?;
    let found = HostName::parse(host).ok().and_then(|name| known.inventory.hosts.get(&name));
    let Some(host) = found else {
        let near = nearest(host, known.inventory.hosts.keys().map(HostName::as_str));
        let hint = near.map_or_else(
            || "`rollbook inventory list` names them all".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the inventory has no host `{}`", escape(host));
        return Err(AppError::new(ExitKind::Invalid, message).hint(hint));
    };
    let meanings = match name.strip_prefix("facts.") {
        Some(path) => vec![fact(path, host, &known)?],
        None => known.meanings(name, host, args, &input, terminal)?,
    };
    if meanings.is_empty() {
        return Err(known.unknown(name, host));
    }
    let texts: Vec<String> = meanings.iter().map(|meaning| text(meaning, host)).collect();
    terminal.data(&texts.join("\n"))
}

fn read(args: &Args, input: &RunbookInput, terminal: &Terminal) -> Result<KnownFiles, AppError> {
    let Some(path) = &args.inventory else {
        return Err(
            AppError::new(ExitKind::Usage, "there is no inventory").hint("name one with `-i inventory.yaml`")
        );
    };
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let tree = read_tree(&mut sources, path, &mut diagnostics)?.map(|(_, tree)| tree);
    let inventory = tree.as_ref().and_then(|tree| crate::inventory::parse(tree, &mut diagnostics));
    let mut files = Vec::new();
    for path in &args.params_file {
        files.extend(read_tree(&mut sources, path, &mut diagnostics)?.map(|(_, tree)| tree));
    }
    let (Some(tree), Some(inventory), false) = (tree, inventory, diagnostics.has_errors()) else {
        terminal.diagnostics(&diagnostics, &sources);
        return Err(AppError::invalid());
    };
    let loaded = match &args.runbook {
        Some(runbook) => Some(load(runbook, input, terminal)?),
        None => None,
    };
    Ok(KnownFiles { sources, tree, inventory, loaded, files })
}

impl KnownFiles {
    /// Every meaning that a name has without asking the host. A name without its namespace may have several.
    fn meanings(
        &self,
        name: &str,
        host: &Host,
        args: &Args,
        input: &RunbookInput,
        terminal: &Terminal,
    ) -> Result<Vec<Meaning>, AppError> {
        let below =
            |namespace: &str| match name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('.')) {
                Some(rest) => Some(rest.to_owned()),
                None => (!NAMESPACES.iter().any(|other| name.starts_with(&format!("{other}."))))
                    .then(|| name.to_owned()),
            };
        let mut found = Vec::new();
        for (namespace, kind) in [("host.vars", "vars"), ("host.labels", "labels")] {
            if name == namespace {
                found.extend(self.all_of_host(namespace, kind, host));
            }
            let Some(short) = below(namespace) else { continue };
            found.extend(self.of_host(namespace, kind, &short, host));
        }
        if let Some(short) = below("groups") {
            found.extend(self.group(&short, host));
        }
        if let Some(loaded) = &self.loaded {
            found.extend(below("params").and_then(|short| self.param(&short, loaded, args)));
            found.extend(below("vars").and_then(|short| var(&short, loaded)));
            found.extend(below("secrets").and_then(|short| secret(&short, loaded)));
            let short = below("steps");
            let is_step = |short: &String| {
                let mut steps = loaded.runbook.phases.iter().flat_map(Phase::host_steps);
                steps.any(|step| step.id.as_deref() == Some(short))
            };
            if let Some(short) = short.filter(is_step) {
                let plan = offline(loaded, input, terminal)?;
                found.extend(steps(&short, host, &plan));
            }
        }
        Ok(found)
    }

    /// A label or a variable.
    fn of_host(&self, namespace: &str, kind: &str, name: &str, host: &Host) -> Option<Meaning> {
        let value = match kind {
            "vars" => host.vars.get(name).map(ToString::to_string),
            _ => host.labels.get(name).cloned(),
        };
        let layers = origins::of_host(&self.tree, host, kind, name, &self.sources);
        Some(Meaning { name: format!("{namespace}.{name}"), value: value?, layers, notes: Vec::new() })
    }

    /// Every label, or every variable.
    fn all_of_host(&self, namespace: &str, kind: &str, host: &Host) -> Vec<Meaning> {
        let names: Vec<&String> = match kind {
            "vars" => host.vars.keys().collect(),
            _ => host.labels.keys().collect(),
        };
        names.into_iter().filter_map(|name| self.of_host(namespace, kind, name, host)).collect()
    }

    fn group(&self, name: &str, host: &Host) -> Option<Meaning> {
        let group = self.inventory.groups.get(name)?;
        let is_in = group.hosts.contains(&host.name);
        let mut layers = Vec::new();
        if name != "all" {
            let what = origins::of_group(&self.tree, name, &self.sources).unwrap_or_default();
            layers.push(Layer {
                value: what,
                what: "the group's hosts".to_owned(),
                place: place(&self.sources, group.name.span),
            });
        }
        let value = if is_in { "the host is in it" } else { "the host is not in it" };
        let notes = vec![format!("{} hosts in all", group.hosts.len())];
        Some(Meaning { name: format!("groups.{name}"), value: value.to_owned(), layers, notes })
    }

    fn param(&self, name: &str, loaded: &Loaded, args: &Args) -> Option<Meaning> {
        let spec = loaded.runbook.params.get(name)?;
        let flags = args.params.iter().filter(|(key, _)| key == name).map(|(_, value)| Layer {
            value: value.clone(),
            what: "-p".to_owned(),
            place: String::new(),
        });
        let files = self.files.iter().filter_map(|file| {
            let node = origins::member(file, name)?;
            Some(Layer::of(node, "--params-file", &self.sources))
        });
        let fleet = self.inventory.params.iter().filter(|(key, _)| key.value == name);
        let fleet = fleet.map(|(_, node)| Layer::of(node, "params of the inventory", &self.sources));
        let default = spec.default.as_ref().map(|value| Layer {
            value: value.to_string(),
            what: "default".to_owned(),
            place: place(&loaded.sources, spec.span),
        });
        let mut layers: Vec<Layer> = default.into_iter().chain(fleet).chain(files).chain(flags).collect();
        layers.reverse();
        let value = loaded.params.get(name).map_or_else(|| "nothing".to_owned(), shown);
        let mut notes = Vec::new();
        if layers.is_empty() {
            notes.push(format!("declared at {}, without a value", place(&loaded.sources, spec.span)));
        }
        if !spec.description.is_empty() {
            notes.push(spec.description.clone());
        }
        Some(Meaning { name: format!("params.{name}"), value, layers, notes })
    }

    fn unknown(&self, name: &str, host: &Host) -> AppError {
        let mut names: Vec<String> = host.vars.keys().map(|name| format!("host.vars.{name}")).collect();
        names.extend(host.labels.keys().map(|name| format!("host.labels.{name}")));
        names.extend(self.inventory.groups.keys().map(|name| format!("groups.{name}")));
        if let Some(loaded) = &self.loaded {
            names.extend(loaded.runbook.params.keys().map(|name| format!("params.{name}")));
            names.extend(loaded.runbook.vars.keys().map(|name| format!("vars.{name}")));
            let steps = loaded.runbook.phases.iter().flat_map(Phase::host_steps);
            names.extend(steps.filter_map(|step| Some(format!("steps.{}", step.id.as_ref()?))));
        }
        let last = |full: &String| full.rsplit('.').next().unwrap_or_default().to_owned();
        let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned).or_else(|| {
            let short = last(&name.to_owned());
            names.iter().find(|full| nearest(&short, [last(full).as_str()]).is_some()).cloned()
        });
        let hint = match (near, &self.loaded) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, None) => "parameters, constants and steps need the runbook: `--runbook FILE`".to_owned(),
            (None, Some(_)) => {
                "write a parameter, a constant, `facts.…`, a label, a variable, a group or the id of a step"
                    .to_owned()
            }
        };
        let message = format!("`{}` names nothing that {} has", escape(name), host.name);
        AppError::new(ExitKind::Usage, message).hint(hint)
    }
}

const NAMESPACES: [&str; 8] =
    ["host.vars", "host.labels", "groups", "params", "vars", "secrets", "steps", "facts"];

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    }
}

fn var(name: &str, loaded: &Loaded) -> Option<Meaning> {
    let arg = loaded.runbook.vars.get(name)?;
    let mut scope = Scope::new();
    scope.set("params", Value::Map(loaded.params.clone()));
    let names = |group: &crate::inventory::Group| {
        Value::List(group.hosts.iter().map(|host| Value::Str(host.to_string())).collect())
    };
    let groups = loaded.inventory.groups.iter().map(|(name, group)| (name.clone(), names(group)));
    scope.set("groups", Value::Map(groups.collect()));
    let value = arg.render(&Arc::new(scope));
    let layers = arg.span.map(|span| Layer {
        value: origins::written(&loaded.sources, span),
        what: "a constant of the runbook".to_owned(),
        place: place(&loaded.sources, span),
    });
    let value = value.map_or_else(|_| "known when the run begins".to_owned(), |value| shown(&value));
    Some(Meaning {
        name: format!("vars.{name}"),
        value,
        layers: layers.into_iter().collect(),
        notes: Vec::new(),
    })
}

/// Where it is read, and never what.
fn secret(name: &str, loaded: &Loaded) -> Option<Meaning> {
    let from = match loaded.runbook.secrets.get(name)? {
        SecretSource::Env(variable) => format!("read from the environment variable {variable}"),
        SecretSource::File(path) => format!("read from the file {path}"),
    };
    Some(Meaning {
        name: format!("secrets.{name}"),
        value: "‹never shown›".to_owned(),
        layers: Vec::new(),
        notes: vec![format!("{from}, on the machine that runs Rollbook")],
    })
}

/// A step of this id, in every phase that has one.
fn steps(id: &str, host: &Host, plan: &Plan) -> Vec<Meaning> {
    let mut found = Vec::new();
    for phase in &plan.phases {
        for tasks in &phase.hosts {
            let is_host = plan.host(tasks.host).name == host.name;
            for (index, task) in (0..).zip(&tasks.tasks).filter(|_| is_host) {
                let (its_id, title, kind, place, may_fail) = match task.step {
                    StepRef::Action(action) => {
                        let Action { id, title, kind, place, allow_failure, .. } = &**plan.action(action);
                        (id, title, kind, place, allow_failure)
                    }
                    StepRef::Deferred(step) => {
                        let DeferredStep { id, title, kind, place, allow_failure, .. } =
                            &plan.deferred[step.0 as usize];
                        (id, title, kind, place, allow_failure)
                    }
                };
                if its_id.as_deref().map(id_as_written).as_deref() != Some(id) {
                    continue;
                }
                let section = match tasks.section_of(index) {
                    Section::Steps => "",
                    Section::Rescue => ", in its `rescue`: only where the host fails",
                    Section::Always => ", in its `always`: in the end, also where the host fails",
                };
                let mut notes = vec![format!("phase {}{section}", phase.name)];
                match &task.forecast {
                    Forecast::Excluded => notes.push("does not run here: `when` is false".to_owned()),
                    Forecast::LeftOut { why } => notes.push(format!("does not run here: {why}")),
                    _ => {
                        if let StepRef::Action(action) = task.step {
                            notes.extend(rendered(plan.action(action)));
                        }
                    }
                }
                notes.extend(
                    may_fail.iter().map(|reason| format!("may fail, and the run goes on then: {reason}")),
                );
                found.push(Meaning {
                    name: format!("steps.{id}"),
                    value: plan.spelled(title, tasks.host),
                    layers: vec![Layer {
                        value: kind.clone(),
                        what: "a step".to_owned(),
                        place: place.clone(),
                    }],
                    notes,
                });
            }
        }
    }
    if found.is_empty() {
        found.push(Meaning {
            name: format!("steps.{id}"),
            value: "no step of this host".to_owned(),
            layers: Vec::new(),
            notes: vec!["the phases that have it do not work on the host".to_owned()],
        });
    }
    found
}

/// What a template file comes to for the host, as far as a screen takes it.
fn rendered(action: &Action) -> Vec<String> {
    const SHOWN: usize = 40;
    let fields = crate::step::find(&action.kind).and_then(StepKind::template_file);
    let text = |field: &str| action.args.get(field).and_then(Value::as_str);
    let Some((Some(path), Some(content))) = fields.map(|(path, content)| (text(path), text(content))) else {
        return Vec::new();
    };
    let mut notes = vec![format!("the template {path} comes to:")];
    notes.extend(content.lines().take(SHOWN).map(|line| format!("| {}", show_symbols(line))));
    let more = content.lines().count().saturating_sub(SHOWN);
    notes.extend((more > 0).then(|| format!("… {more} more lines")));
    notes
}

/// What the host says now.
fn fact(path: &str, host: &Host, known: &KnownFiles) -> Result<Meaning, AppError> {
    let hosts = [host.name.clone()];
    let found = runtime()?.block_on(async {
        let connections = Connections::real(targets(&known.inventory))?;
        let (pool, controller) = (&connections.pool, &connections.controller);
        let found = gather_facts(pool, controller, &hosts, Depth::Facts, None, &mut |_, _| {}).await;
        connections.close().await;
        Ok::<_, anyhow::Error>(found)
    })?;
    if let Some(failure) = found.failed.values().next() {
        return Err(AppError::new(ExitKind::Unreachable, &failure.message).hint(&failure.hint));
    }
    let facts = found.hosts[&host.name].to_value();
    let value = path.split('.').try_fold(&facts, |value, part| value.get(part));
    let Some(value) = value else {
        return Err(AppError::new(ExitKind::Usage, format!("there is no fact `{}`", escape(path)))
            .hint("`rollbook facts HOST` shows them all"));
    };
    Ok(Meaning {
        name: format!("facts.{path}"),
        value: shown(value),
        layers: Vec::new(),
        notes: vec!["read from the host just now".to_owned()],
    })
}

fn text(meaning: &Meaning, host: &Host) -> String {
    const WRITES: &str = "invariant: writing to a string works";
    let mut out = format!("{} = {}  for {}\n", meaning.name, escape(&meaning.value), host.name);
    let width = |cell: fn(&Layer) -> &str| {
        meaning.layers.iter().map(|layer| cell(layer).chars().count()).max().unwrap_or(0)
    };
    let (values, places) = (width(|layer| &layer.value), width(|layer| &layer.place));
    for (number, Layer { value, what, place }) in meaning.layers.iter().enumerate() {
        let overruled = if number == 0 { "" } else { ", overruled" };
        let value = escape(value);
        writeln!(out, "  {value:values$}  {place:places$}  {what}{overruled}").expect(WRITES);
    }
    for note in &meaning.notes {
        writeln!(out, "  {}", escape(note)).expect(WRITES);
    }
    out
}
