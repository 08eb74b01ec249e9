//! Deeds of the typed step kinds, from their fields.

use super::files::reader_of;
use super::{Deed, Package, Verb, What, is_unit_file, minor_of};
use crate::lint::values::{Seen, Values};
use crate::op::Effect;
use crate::runbook::Step;
use crate::source::{SourceMap, Span};
use crate::template::{Arg, ArgKind};
use crate::value::Value;

pub(super) fn deeds(step: &Step, values: &Values<'_>, sources: &SourceMap) -> Vec<Deed> {
    let field = |name: &str| step.args.get(name);
    let span = |arg: Option<&Arg>| arg.and_then(|arg| arg.span).unwrap_or(step.origin.span);
    let whole = |what: What| vec![Deed { what, span: step.origin.span }];
    match step.kind.name() {
        "apt" => packages(step, values, sources),
        "apt_mark" => ["hold", "unhold"].iter().filter_map(|verb| holds(step, verb, values)).collect(),
        "apt_repo" => repository(step, values),
        "kubeadm" => {
            let verb = match values.text(step, "upgrade").as_deref() {
                Some("apply") => Verb::Apply,
                _ => Verb::Node,
            };
            let version = values.text(step, "version");
            vec![Deed { what: What::Upgrade { verb, version }, span: span(field("version")) }]
        }
        "cordon" => whole(What::Cordon),
        "drain" => whole(What::Drain),
        "etcd_snapshot" => whole(What::Snapshot),
        "uncordon" => whole(What::Uncordon),
        "reboot" => whole(What::Reboot),
        "wait" => vec![Deed { what: What::Look(values.text(step, "kubelet")), span: span(field("kubelet")) }],
        "copy" => match values.text(step, "dest") {
            Some(path) if is_unit_file(&path) => {
                vec![Deed { what: What::Unit(path), span: span(field("dest")) }]
            }
            Some(path) => {
                let unit = reader_of(&path).into_iter();
                unit.map(|unit| Deed {
                    what: What::Config { unit, path: path.clone() },
                    span: span(field("dest")),
                })
                .collect()
            }
            None => Vec::new(),
        },
        "systemctl" => systemctl(step, values),
        "command" | "script" | "kubectl" if step.effect == Some(Effect::Reads) => whole(What::Look(None)),
        _ => Vec::new(),
    }
}

/// The community's repository, also where its address is written out.
fn repository(step: &Step, values: &Values<'_>) -> Vec<Deed> {
    let deed = |minor: Option<String>, arg: &Arg| {
        vec![Deed { what: What::Repository(minor), span: arg.span.unwrap_or(step.origin.span) }]
    };
    if let Some(arg) = step.args.get("kubernetes") {
        return deed(values.see(step, arg).text(), arg);
    }
    let Some(arg) = step.args.get("uris") else { return Vec::new() };
    let minor = texts(step, arg, values).iter().find_map(|uri| minor_of(uri).map(str::to_owned));
    minor.map_or_else(Vec::new, |minor| deed(Some(minor), arg))
}

fn systemctl(step: &Step, values: &Values<'_>) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let never = Seen::Known(Value::Bool(false));
    if let Some(arg) = step.args.get("daemon_reload").filter(|arg| values.see(step, arg) != never) {
        deeds.push(Deed { what: What::Reload, span: arg.span.unwrap_or(step.origin.span) });
    }
    for field in ["stop", "start", "restart"] {
        let Some(arg) = step.args.get(field) else { continue };
        let units = texts(step, arg, values);
        let what = match field {
            "stop" => What::Stop(units),
            "start" => What::Start(units),
            _ => What::Restart(units),
        };
        deeds.push(Deed { what, span: arg.span.unwrap_or(step.origin.span) });
    }
    deeds
}

/// `hold` or `unhold` of the step `apt_mark`.
fn holds(step: &Step, verb: &str, values: &Values<'_>) -> Option<Deed> {
    let arg = step.args.get(verb)?;
    let names = texts(step, arg, values);
    let what = if verb == "hold" { What::Hold(names) } else { What::Unhold(names) };
    Some(Deed { what, span: arg.span.unwrap_or(step.origin.span) })
}

/// The texts of a list, or the one that stands for it.
fn texts(step: &Step, arg: &Arg, values: &Values<'_>) -> Vec<String> {
    match &arg.kind {
        ArgKind::List(items) => items.iter().filter_map(|item| values.see(step, item).text()).collect(),
        _ => match values.see(step, arg) {
            Seen::Known(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
            seen => seen.text().into_iter().collect(),
        },
    }
}

/// What `present` leaves open, `apt` leaves as it is.
const AS_IT_IS: &str = "present";

fn packages(step: &Step, values: &Values<'_>, sources: &SourceMap) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let is_fetched = step
        .args
        .get("download_only")
        .is_some_and(|arg| values.see(step, arg) == Seen::Known(Value::Bool(true)));
    if let Some(arg) = step.args.get("upgrade").filter(|_| !is_fetched)
        && texts(step, arg, values).iter().any(|name| name == "all")
    {
        deeds.push(Deed { what: What::UpgradeAll, span: arg.span.unwrap_or(step.origin.span) });
    }
    for job in ["install", "download"] {
        let Some(arg) = step.args.get(job) else { continue };
        for (name, version, span) in entries(step, arg, values, sources) {
            let Some(package) = Package::named(&name).filter(|_| version.as_deref() != Some(AS_IT_IS)) else {
                continue;
            };
            let what = match job {
                "install" => What::Install { package, version },
                _ => What::Download { package, version },
            };
            deeds.push(Deed { what, span });
        }
    }
    let holds = |arg: &&Arg| values.see(step, arg) != Seen::Known(Value::Bool(false));
    if let (Some(arg), Some(install)) = (step.args.get("hold").filter(holds), step.args.get("install")) {
        let listed = texts(step, install, values).into_iter();
        let named = entries(step, install, values, sources).into_iter().map(|(name, _, _)| name);
        let what = What::Hold(named.chain(listed).collect());
        deeds.push(Deed { what, span: arg.span.unwrap_or(step.origin.span) });
    }
    deeds
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
        Seen::Known(Value::Map(map)) => map
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
