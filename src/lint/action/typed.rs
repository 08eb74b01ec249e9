//! Deeds of the typed step kinds, from their fields.

use super::files::reader_of;
use super::{ActionKind, Package, StepAction, UpgradeVerb, is_unit_file, minor_of};
use crate::lint::values::{KnownValue, Values};
use crate::op::Effect;
use crate::runbook::Step;
use crate::source::{SourceMap, Span};
use crate::template::{Arg, ArgKind};
use crate::value::Value;

pub(super) fn actions(step: &Step, values: &Values<'_>, sources: &SourceMap) -> Vec<StepAction> {
    let field = |name: &str| step.args.get(name);
    let span = |arg: Option<&Arg>| arg.and_then(|arg| arg.span).unwrap_or(step.origin.span);
    let whole = |what: ActionKind| vec![StepAction { what, span: step.origin.span }];
    match step.kind.name() {
        "apt" => packages(step, values, sources),
        "apt_mark" => ["hold", "unhold"].iter().filter_map(|verb| holds(step, verb, values)).collect(),
        "apt_repo" => repository(step, values),
        "kubeadm" => {
            let verb = match values.text(step, "upgrade").as_deref() {
                Some("apply") => UpgradeVerb::Apply,
                _ => UpgradeVerb::Node,
            };
            let version = values.text(step, "version");
            vec![StepAction { what: ActionKind::Upgrade { verb, version }, span: span(field("version")) }]
        }
        "cordon" => whole(ActionKind::Cordon),
        "drain" => whole(ActionKind::Drain),
        "etcd_snapshot" => whole(ActionKind::Snapshot),
        "uncordon" => whole(ActionKind::Uncordon),
        "reboot" => whole(ActionKind::Reboot),
        "wait" => vec![StepAction {
            what: ActionKind::Look(values.text(step, "kubelet")),
            span: span(field("kubelet")),
        }],
        "copy" => match values.text(step, "dest") {
            Some(path) if is_unit_file(&path) => {
                vec![StepAction { what: ActionKind::Unit(path), span: span(field("dest")) }]
            }
            Some(path) => {
                let unit = reader_of(&path).into_iter();
                unit.map(|unit| StepAction {
                    what: ActionKind::Config { unit, path: path.clone() },
                    span: span(field("dest")),
                })
                .collect()
            }
            None => Vec::new(),
        },
        "systemctl" => systemctl(step, values),
        "command" | "script" | "kubectl" if step.effect == Some(Effect::Reads) => {
            whole(ActionKind::Look(None))
        }
        _ => Vec::new(),
    }
}

/// The community's repository, also where its address is written out.
fn repository(step: &Step, values: &Values<'_>) -> Vec<StepAction> {
    let action = |minor: Option<String>, arg: &Arg| {
        vec![StepAction { what: ActionKind::Repository(minor), span: arg.span.unwrap_or(step.origin.span) }]
    };
    if let Some(arg) = step.args.get("kubernetes") {
        return action(values.see(step, arg).text(), arg);
    }
    let Some(arg) = step.args.get("uris") else { return Vec::new() };
    let minor = texts(step, arg, values).iter().find_map(|uri| minor_of(uri).map(str::to_owned));
    minor.map_or_else(Vec::new, |minor| action(Some(minor), arg))
}

fn systemctl(step: &Step, values: &Values<'_>) -> Vec<StepAction> {
    let mut actions = Vec::new();
    let never = KnownValue::Known(Value::Bool(false));
    if let Some(arg) = step.args.get("daemon_reload").filter(|arg| values.see(step, arg) != never) {
        actions.push(StepAction { what: ActionKind::Reload, span: arg.span.unwrap_or(step.origin.span) });
    }
    for field in ["stop", "start", "restart"] {
        let Some(arg) = step.args.get(field) else { continue };
        let units = texts(step, arg, values);
        let what = match field {
            "stop" => ActionKind::Stop(units),
            "start" => ActionKind::Start(units),
            _ => ActionKind::Restart(units),
        };
        actions.push(StepAction { what, span: arg.span.unwrap_or(step.origin.span) });
    }
    actions
}

/// `hold` or `unhold` of the step `apt_mark`.
fn holds(step: &Step, verb: &str, values: &Values<'_>) -> Option<StepAction> {
    let arg = step.args.get(verb)?;
    let names = texts(step, arg, values);
    let what = if verb == "hold" { ActionKind::Hold(names) } else { ActionKind::Unhold(names) };
    Some(StepAction { what, span: arg.span.unwrap_or(step.origin.span) })
}

/// The texts of a list, or the one that stands for it.
fn texts(step: &Step, arg: &Arg, values: &Values<'_>) -> Vec<String> {
    match &arg.kind {
        ArgKind::List(items) => items.iter().filter_map(|item| values.see(step, item).text()).collect(),
        _ => match values.see(step, arg) {
            KnownValue::Known(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
            seen => seen.text().into_iter().collect(),
        },
    }
}

/// What `present` leaves open, `apt` leaves as it is.
const AS_IT_IS: &str = "present";

fn packages(step: &Step, values: &Values<'_>, sources: &SourceMap) -> Vec<StepAction> {
    let mut actions = Vec::new();
    let is_fetched = step
        .args
        .get("download_only")
        .is_some_and(|arg| values.see(step, arg) == KnownValue::Known(Value::Bool(true)));
    if let Some(arg) = step.args.get("upgrade").filter(|_| !is_fetched)
        && texts(step, arg, values).iter().any(|name| name == "all")
    {
        actions.push(StepAction { what: ActionKind::UpgradeAll, span: arg.span.unwrap_or(step.origin.span) });
    }
    for job in ["install", "download"] {
        let Some(arg) = step.args.get(job) else { continue };
        for (name, version, span) in entries(step, arg, values, sources) {
            let Some(package) = Package::named(&name).filter(|_| version.as_deref() != Some(AS_IT_IS)) else {
                continue;
            };
            let what = match job {
                "install" => ActionKind::Install { package, version },
                _ => ActionKind::Download { package, version },
            };
            actions.push(StepAction { what, span });
        }
    }
    let holds = |arg: &&Arg| values.see(step, arg) != KnownValue::Known(Value::Bool(false));
    if let (Some(arg), Some(install)) = (step.args.get("hold").filter(holds), step.args.get("install")) {
        let listed = texts(step, install, values).into_iter();
        let named = entries(step, install, values, sources).into_iter().map(|(name, _, _)| name);
        let what = ActionKind::Hold(named.chain(listed).collect());
        actions.push(StepAction { what, span: arg.span.unwrap_or(step.origin.span) });
    }
    actions
}

/// The entries of a mapping from packages to versions; the names of a list, which stand for `present`.
fn entries(
    step: &Step,
    arg: &Arg,
    values: &Values<'_>,
    sources: &SourceMap,
) -> Vec<(String, Option<String>, Span)> {
    let whole = arg.span.unwrap_or(step.origin.span);
    if let ArgKind::Map(entries) = &arg.kind {
        let entry = |(name, version): &(String, Arg)| {
            // Something unknown is a version all the same, and `None` would say that none is written.
            let text = values.see(step, version).text();
            let text = text.unwrap_or_else(|| crate::lint::values::name_for("?"));
            (name.clone(), Some(text), version.span.unwrap_or(whole))
        };
        return entries.iter().map(entry).collect();
    }
    match values.see(step, arg) {
        KnownValue::Known(Value::Map(map)) => map
            .iter()
            .map(|(name, version)| {
                let text = version.to_string();
                let place = place_of_entry(name, &text, whole, sources);
                (name.clone(), Some(text), place)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Where a version stands in a mapping that is constant as a whole.
fn place_of_entry(name: &str, version: &str, whole: Span, sources: &SourceMap) -> Span {
    let written = sources.slice(whole);
    let found = written.find(name).and_then(|at| {
        let behind = at + name.len();
        Some(behind + written[behind..].find(version)?)
    });
    match found {
        Some(at) if !version.is_empty() => {
            let start = whole.start as usize + at;
            Span::new(whole.file, start, start + version.len())
        }
        _ => whole,
    }
}
