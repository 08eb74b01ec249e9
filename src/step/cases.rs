//! Runs the cases of `tests/it/cases/steps/KIND/*.json` against the kinds: arguments to what is sent, answers to what
//! they mean. A case is one file; adding one is adding a file. With `ROLLBOOK_WRITE_CASES=1` the expected halves are
//! written instead of compared, to be read before they are committed.

use crate::kubernetes::KubeCx;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use crate::kubernetes::node::NODES;
use crate::kubernetes::pdb::BUDGETS;
use crate::kubernetes::pod::{COMPONENTS, PODS};
use crate::op::{Effect, Op, OpKind, Probe, ProbeOutput, Query, RunWhen, SYMBOL_CLOSE, SYMBOL_OPEN, Site};
use crate::step::{LowerCx, LowerError, Lowered, Poll, StepKind, Subject, find};
use crate::value::{Amount, Duration, Field, Percent, Size, Type, Value, Version};

/// What the reader of runbooks does with arguments, for tests: JSON to values of the fields' types.
pub(crate) fn typed_args(kind: &dyn StepKind, args: &Json) -> Value {
    record(kind.fields(), args).unwrap_or_else(|| panic!("{}: arguments do not fit: {args}", kind.name()))
}

fn record(fields: &[Field], args: &Json) -> Option<Value> {
    let args = args.as_object()?;
    let mut map = indexmap::IndexMap::new();
    for key in args.keys() {
        fields.iter().find(|field| field.name == key)?;
    }
    for field in fields {
        match args.get(field.name) {
            Some(value) => map.insert(field.name.to_owned(), typed(value, &field.ty)?),
            None if field.required => return None,
            None => field.default.clone().and_then(|default| map.insert(field.name.to_owned(), default)),
        };
    }
    Some(Value::Map(map))
}

fn typed(json: &Json, ty: &Type) -> Option<Value> {
    let text = || json.as_str().map(ToOwned::to_owned);
    let list = |ty: &Type| json.as_array()?.iter().map(|item| typed(item, ty)).collect::<Option<Vec<_>>>();
    match ty {
        Type::Bool => json.as_bool().map(Value::Bool),
        Type::Int => json.as_i64().map(Value::Int),
        Type::Str | Type::Host => text().map(Value::Str),
        Type::Enum(words) => text().filter(|word| words.contains(word)).map(Value::Str),
        Type::Version => Version::parse(&text()?).ok().map(Value::Version),
        Type::Duration => Duration::parse(&text()?).map(Value::Duration),
        Type::Size => Size::parse(&text()?).map(Value::Size),
        Type::Percent => Percent::parse(&text()?).map(Value::Percent),
        Type::Amount => match Amount::parse(&text()?)? {
            Amount::Count(count) => Some(Value::Int(count.into())),
            Amount::Percent(percent) => Some(Value::Percent(percent)),
        },
        Type::List(ty) => list(ty).map(Value::List),
        Type::OneOrMany(ty) => list(ty).or_else(|| Some(vec![typed(json, ty)?])).map(Value::List),
        Type::Map(ty) => {
            let entries = json.as_object()?.iter().map(|(key, value)| Some((key.clone(), typed(value, ty)?)));
            entries.collect::<Option<_>>().map(Value::Map)
        }
        Type::Record(fields) => record(fields, json),
        Type::OneOf(types) => types.iter().find_map(|ty| typed(json, ty)),
        // An expression renders to its text and its value.
        Type::Expr => {
            let value = json.get("value")?.as_bool().map(Value::Bool)?;
            let text = Value::Str(json.get("text")?.as_str()?.to_owned());
            Some(Value::Map([("text".to_owned(), text), ("value".to_owned(), value)].into_iter().collect()))
        }
        Type::Called(inner, _) => typed(json, inner),
        _ => None,
    }
}

/// The host that cases are about; `node` and `control_plane` of a case's `cx` change it.
pub(crate) fn subject(cx: &Json) -> Subject {
    let node = match cx.get("node") {
        Some(node) => node.as_str().map(ToOwned::to_owned),
        None => Some("w1".to_owned()),
    };
    let control_plane = cx.get("control_plane").and_then(Json::as_bool).unwrap_or(false);
    Subject { host: "w1".into(), node, control_plane }
}

/// kubectl as on a control plane of kubeadm, where a case's `cx` says `kube: true`.
fn kube(cx: &Json) -> Option<KubeCx> {
    cx.get("kube").and_then(Json::as_bool).unwrap_or(false).then(|| KubeCx {
        kubeconfig: "/etc/kubernetes/admin.conf".into(),
        context: String::new(),
        request_timeout: Duration::from_secs(30),
        r#become: true,
    })
}

/// Lowers JSON arguments with the common keys that `cx` has: `become`, `timeout`, `env`, `effect`,
/// `kube`, `node`, `control_plane`.
pub(crate) fn lower(kind: &dyn StepKind, args: &Json, cx: &Json) -> Result<Lowered, LowerError> {
    let env: BTreeMap<String, String> =
        serde_json::from_value(cx.get("env").cloned().unwrap_or(json!({}))).expect("env is text by text");
    let effect: Option<Effect> =
        serde_json::from_value(cx.get("effect").cloned().unwrap_or(Json::Null)).expect("an effect");
    let timeout = cx.get("timeout").and_then(Json::as_str).unwrap_or("10m");
    let (subject, kube) = (subject(cx), kube(cx));
    let cx = LowerCx {
        subject: &subject,
        kube: kube.as_ref(),
        r#become: cx.get("become").and_then(Json::as_bool).unwrap_or(true),
        timeout: Duration::parse(timeout).expect("a duration"),
        env: &env,
        effect,
        run_on: None,
    };
    kind.lower(&typed_args(kind, args), &cx)
}

fn show_probe(probe: &Probe) -> Json {
    let query = |query: &Query| match query.site {
        Some(site) => json!({ "argv": shown(&query.argv), "site": site, "become": query.r#become }),
        None => json!(shown(&query.argv)),
    };
    let queries: Json = probe.queries.iter().map(query).collect();
    match probe.site {
        Site::Subject => queries,
        site => json!({ "site": site, "queries": queries }),
    }
}

/// An argument vector with its symbols made visible, and the templates of `kubernetes` by their names.
fn shown(argv: &[String]) -> Vec<String> {
    let templates = [(NODES, "NODES"), (PODS, "PODS"), (COMPONENTS, "COMPONENTS"), (BUDGETS, "BUDGETS")];
    let show = |word: &String| match templates.iter().find(|(template, _)| template == word) {
        Some((_, name)) => format!("<{name}>"),
        None => word.replace(SYMBOL_OPEN, "‹").replace(SYMBOL_CLOSE, "›"),
    };
    argv.iter().map(show).collect()
}

fn show_op(op: &Op) -> Json {
    let mut shown = Map::new();
    shown.insert("title".into(), json!(op.title));
    match &op.kind {
        OpKind::Exec { argv } => shown.insert("argv".into(), json!(self::shown(argv))),
        OpKind::Write { path, mode, owner } => {
            shown.insert("write".into(), json!({ "path": path, "mode": mode, "owner": owner }))
        }
        OpKind::Reboot => shown.insert("reboot".into(), json!(true)),
    };
    shown.insert("effect".into(), json!(op.effect));
    // What is usual is left out, so that a case shows what its step is about.
    let unusual = [
        ("env", !op.env.is_empty(), json!(op.env)),
        ("stdin", !op.stdin.is_empty(), json!(if is_ours(&op.stdin) { "<script>" } else { &op.stdin })),
        ("become", !op.r#become, json!(op.r#become)),
        ("timeout", op.timeout != Duration::from_secs(600), json!(op.timeout.to_string())),
        ("long", op.long, json!(op.long)),
        ("when", op.when != RunWhen::InOrder, json!(op.when)),
        ("success", op.success != [0], json!(op.success)),
        ("yields", op.yields, json!(op.yields)),
        ("undo", !op.undo.is_empty(), json!(op.undo)),
        ("makes", !op.makes.is_empty(), json!(op.makes)),
        ("restores", !op.restores.is_empty(), json!(op.restores)),
        ("moves", !op.moves.is_empty(), json!(op.moves)),
        ("asks_api", op.asks_api, json!(true)),
        ("site", op.site != Site::Subject, json!(op.site)),
    ];
    shown.extend(unusual.into_iter().filter(|(_, is, _)| *is).map(|(key, _, value)| (key.to_owned(), value)));
    Json::Object(shown)
}

/// One of Rollbook's own scripts, which has tests of its own.
fn is_ours(stdin: &str) -> bool {
    stdin.lines().count() > 50
}

fn show_lowered(lowered: &Lowered) -> Json {
    let mut shown = Map::new();
    shown.insert("title".into(), json!(lowered.title));
    shown.insert("role".into(), json!(lowered.role));
    shown.insert("effect".into(), json!(lowered.effect));
    shown.insert("repeatable".into(), json!(lowered.repeatable));
    for (key, brackets) in [("opens", &lowered.opens), ("closes", &lowered.closes)] {
        if !brackets.is_empty() {
            shown.insert(key.into(), json!(brackets));
        }
    }
    shown.insert("probe".into(), lowered.probe.as_ref().map_or(Json::Null, show_probe));
    shown.insert("ops".into(), lowered.ops.iter().map(show_op).collect());
    let times = |poll: &Poll| {
        format!("every {}, stable for {}, within {}", poll.interval, poll.stable_for, poll.within)
    };
    if let Some(poll) = &lowered.poll {
        shown.insert("poll".into(), json!(times(poll)));
    }
    if let Some(verify) = &lowered.verify {
        shown.insert(
            "verify".into(),
            json!({ "probe": show_probe(&verify.probe), "poll": times(&verify.poll) }),
        );
    }
    Json::Object(shown)
}

/// Computes the expected halves of a case from its given ones.
fn solve(kind: &dyn StepKind, case: &Json) -> Json {
    let mut solved = case.as_object().expect("a case is a mapping").clone();
    let empty = json!({});
    let cx = case.get("cx").unwrap_or(&empty);
    let lowered = match lower(kind, &case["args"], cx) {
        Ok(lowered) => lowered,
        Err(error) => {
            solved.insert("error".into(), json!({ "message": error.message, "hint": error.hint }));
            return Json::Object(solved);
        }
    };
    solved.insert("lowered".into(), show_lowered(&lowered));
    let args = typed_args(kind, &case["args"]);
    let mut elsewhere = cx.clone();
    elsewhere["node"] = json!("other");
    let for_another = lower(kind, &case["args"], &elsewhere).unwrap_or_else(|_| lowered.clone());
    let probe_of: fn(&Lowered) -> Option<&Probe> = |lowered| lowered.probe.as_ref();
    let verify_of: fn(&Lowered) -> Option<&Probe> =
        |lowered| lowered.verify.as_ref().map(|verify| &verify.probe);
    for (key, verifies, probe) in [("looks", false, probe_of), ("verify_looks", true, verify_of)] {
        let Some(looks) = solved.get_mut(key).and_then(Json::as_array_mut) else { continue };
        for look in looks {
            let answers: Vec<ProbeOutput> =
                look["answers"].as_array().expect("answers").iter().map(answer).collect();
            let assess = if verifies { StepKind::assess_verify } else { StepKind::assess };
            let means = |subject: &Subject| match assess(kind, &args, subject, &answers) {
                Ok(assessment) => json!(assessment),
                Err(error) => json!({ "error": error.to_string() }),
            };
            look["means"] = means(&subject(cx));
            // Cases lower for one host by its name, where a plan lowers for all by a symbol.
            let is_common = probe(&lowered) == probe(&for_another);
            if is_common && probe(&lowered).is_some_and(Probe::is_same_for_every_host) {
                let name = kind.name();
                assert_eq!(means(&subject(&elsewhere)), look["means"], "{name}: asked once for all hosts");
            }
        }
    }
    Json::Object(solved)
}

/// An answer: a string is the output of a success, `[rc, stderr]` a failure, a list of three has all.
fn answer(json: &Json) -> ProbeOutput {
    if let Some(stdout) = json.as_str() {
        return ProbeOutput { stdout: stdout.to_owned(), ..ProbeOutput::default() };
    }
    let parts = json.as_array().expect("an answer is text or a list");
    let text = |index: usize| parts.get(index).and_then(Json::as_str).unwrap_or_default().to_owned();
    let rc = parts[0].as_i64().and_then(|rc| i32::try_from(rc).ok()).expect("an exit code");
    match parts.len() {
        2 => ProbeOutput { rc, stdout: String::new(), stderr: text(1) },
        _ => ProbeOutput { rc, stdout: text(1), stderr: text(2) },
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// What the cases of a kind come to when they are lowered, each with the name of its file.
pub(crate) fn all_lowered(name: &str) -> Vec<(String, Lowered)> {
    let kind = find(name).unwrap_or_else(|| panic!("no kind `{name}`"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/steps").join(name);
    let lowered = files(&folder).into_iter().filter_map(|file| {
        let text = std::fs::read_to_string(&file).expect("a readable case");
        let case: Json = serde_json::from_str(&text).expect("a case is JSON");
        let cx = case.get("cx").cloned().unwrap_or(json!({}));
        Some((file.display().to_string(), lower(kind, &case["args"], &cx).ok()?))
    });
    lowered.collect()
}

/// Runs every case of a kind's folder, and fails with all that differ.
pub(crate) fn run(name: &str) {
    let kind = find(name).unwrap_or_else(|| panic!("no kind `{name}`"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/steps").join(name);
    let write = std::env::var_os("ROLLBOOK_WRITE_CASES").is_some();
    let mut wrong = Vec::new();
    let files = files(&folder);
    assert!(!files.is_empty(), "{name} has no cases");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable case");
        let case: Json =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let solved = solve(kind, &case);
        if write {
            let text = serde_json::to_string_pretty(&solved).expect("JSON") + "\n";
            std::fs::write(&file, text).expect("a writable case");
        } else if solved != case {
            let (case, solved) = (pretty(&case), pretty(&solved));
            let diff = similar::TextDiff::from_lines(&case, &solved);
            wrong.push(format!("{}\n{}", file.display(), diff.unified_diff().context_radius(2)));
        }
    }
    assert!(wrong.is_empty(), "cases differ (- the file says, + the code says):\n{}", wrong.join("\n"));
}

fn pretty(json: &Json) -> String {
    serde_json::to_string_pretty(json).expect("JSON")
}
