//! The top of a runbook: metadata, parameters, constants, secrets, policy, kubectl, defaults; then its phases.

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::declare::{Declarations, declarations};
use super::{
    ParseContext, StepScope, allow, check_identifier, finish, foreign_keys, header, names, phase, tables,
    take_header,
};
use crate::inventory::Selector;
use crate::runbook::{Allow, KubeSpec, KubeVia, NewNodes, Phase, Policy, Runbook, SecretSource, Step};
use crate::source::codes::{BAD_SELECTOR, BAD_SETTING, NEEDS_KUBE, SECRET_IN_PUBLIC};
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind, Spanned};
use crate::template::{Arg, compile_arg};
use crate::value::{Duration, Type, escape};

/// Of a step without `timeout:`.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10 * 60);

pub(super) fn runbook(root: &Node, path: Utf8PathBuf, cx: &mut ParseContext<'_>) -> Option<Runbook> {
    if !header(root, "a runbook", "Runbook", &mut cx.errors) {
        return None;
    }
    let errors = &mut cx.errors;
    let mut reader = MapReader::open_table(root, &tables::RUNBOOK, errors)?;
    let (name, description) = metadata(take_header(&mut reader), root, errors);
    let params = match reader.take("params") {
        Some(entry) => declarations(&entry.value, "parameter", errors),
        None => Declarations::default(),
    };
    let secrets = reader.take("secrets").map(|entry| secrets(&entry.value, errors)).unwrap_or_default();
    let vars = reader.take("vars").map(|entry| vars(&entry.value, &params, errors)).unwrap_or_default();
    let written = reader.take("kube");
    let has_kube = written.is_some();
    let kube = written.and_then(|entry| kube(entry, errors));
    let (policy, allow) = policy(reader.take("policy"), has_kube, errors);
    if let Some(entry) = reader.take("defaults") {
        defaults(&entry.value, cx);
    }
    let place = StepScope {
        names: names::of_runbook(&params, &vars, secrets.keys()),
        frame: None,
        prefix: String::new(),
        tags: Vec::new(),
        secret_args: std::collections::HashSet::new(),
        late_args: std::collections::HashSet::new(),
        files: vec![path],
    };
    let phases = reader.require("phases", "a runbook", &mut cx.errors);
    let phases = phases.map(|entry| phase::phases(&entry.value, place, cx)).unwrap_or_default();
    if !has_kube && !reader.is_misspelt("kube") {
        kube_is_missing(&phases, &mut cx.errors);
    }
    finish(reader, "a runbook", foreign_keys::TOP, &mut cx.errors);
    let frames = std::mem::take(&mut cx.frames);
    let Declarations { specs: params, broken: broken_params } = params;
    Some(Runbook {
        name,
        description,
        params,
        broken_params,
        vars,
        secrets,
        policy,
        allow,
        kube,
        phases,
        frames,
    })
}

fn metadata(node: Option<&Node>, root: &Node, errors: &mut Diagnostics) -> (String, String) {
    let Some(node) = node else {
        let error = errors.error(
            crate::source::codes::MISSING_KEY,
            super::start(root.span),
            "a runbook needs `metadata`",
        );
        error.hint("write `metadata: { name: kubeadm-upgrade }`");
        return Default::default();
    };
    let Some(mut reader) = MapReader::open_table(node, &tables::METADATA, errors) else {
        return Default::default();
    };
    let name =
        reader.require("name", "`metadata`", errors).and_then(|entry| entry.value.text("a name", errors));
    let description = reader.take("description").and_then(|entry| entry.value.text("a text", errors));
    reader.finish("`metadata`", errors);
    (escape(name.unwrap_or_default()), description.unwrap_or_default().to_owned())
}

fn secrets(node: &Node, errors: &mut Diagnostics) -> IndexMap<String, SecretSource> {
    let mut secrets = IndexMap::new();
    let NodeKind::Map(entries) = &node.kind else {
        errors.wrong_type(node, "a mapping from secrets to where they are read");
        return secrets;
    };
    for entry in entries {
        check_identifier(&entry.key, "a secret", errors);
        // Also where it cannot be read, so that its uses are not reported as unknown names.
        let source = secret(&entry.value, errors).unwrap_or(SecretSource::Env(String::new()));
        secrets.insert(entry.key.value.clone(), source);
    }
    secrets
}

fn secret(node: &Node, errors: &mut Diagnostics) -> Option<SecretSource> {
    const EXPECTED: &str = "`{ env: VARIABLE }` or `{ file: PATH }`";
    if node.scalar().is_some() {
        let error = errors.error(SECRET_IN_PUBLIC, node.span, "a secret is not written into a runbook");
        error.hint(format!("write where it is read: {EXPECTED}"));
        return None;
    }
    let mut reader = MapReader::open_table(node, &tables::SECRET, errors)?;
    let env = reader.take("env");
    let file = reader.take("file");
    let later = |key: &str| matches!(key, "command" | "vault" | "sops");
    let is_later =
        matches!(&node.kind, NodeKind::Map(entries) if entries.iter().any(|entry| later(&entry.key.value)));
    let source = match (env, file) {
        (Some(env), None) => {
            let variable = |text| super::is_identifier(text).then(|| text.to_owned());
            env.value.parsed("the name of an environment variable", errors, variable).map(SecretSource::Env)
        }
        (None, Some(file)) => file
            .value
            .parsed("a path", errors, |text| (!text.is_empty()).then(|| text.into()))
            .map(SecretSource::File),
        (None, None) if is_later => None,
        (Some(_), Some(file)) => {
            let error = errors.wrong_type(node, &format!("one of {EXPECTED}"));
            error.related(file.key.span, "the second source").hint("keep the one that the secret comes from");
            None
        }
        _ => {
            errors.wrong_type(node, EXPECTED);
            None
        }
    };
    reader.finish_with("a secret", errors, |entry, errors| {
        let known = later(&entry.key.value);
        if known {
            let message = format!("`{}` in a secret is not supported yet", entry.key.value);
            let error = errors.error(crate::source::codes::NOT_SUPPORTED_YET, entry.key.span, message);
            error.hint(
                "run that tool before Rollbook, and pass its result in an environment variable or a file",
            );
        }
        known
    });
    source
}

fn vars(node: &Node, params: &Declarations, errors: &mut Diagnostics) -> IndexMap<String, Arg> {
    let mut vars = IndexMap::new();
    let NodeKind::Map(entries) = &node.kind else {
        errors.wrong_type(node, "a mapping from names to values");
        return vars;
    };
    let names = names::of_constants(params);
    for entry in entries {
        check_identifier(&entry.key, "a variable", errors);
        if let Some(arg) = compile_arg(&entry.value, &Type::Any, &names, errors) {
            vars.insert(entry.key.value.clone(), arg);
        }
    }
    vars
}

fn policy(entry: Option<&Entry>, with_kube: bool, errors: &mut Diagnostics) -> (Policy, Vec<Allow>) {
    let mut policy = Policy { lock_cluster: with_kube, ..Policy::default() };
    let Some(mut reader) =
        entry.and_then(|entry| MapReader::open_table(&entry.value, &tables::POLICY, errors))
    else {
        return (policy, Vec::new());
    };
    if let Some(entry) = reader.take("lock") {
        lock(&entry.value, with_kube, &mut policy, errors);
    }
    if let Some(entry) = reader.take("deadline") {
        policy.deadline = entry.value.parsed(&tables::POLICY.expects("deadline"), errors, positive);
    }
    if let Some(entry) = reader.take("control_plane_outage") {
        // The word says what is accepted; a bare `true` would not.
        policy.control_plane_outage =
            entry.value.word(&[("accept", true), ("refuse", false)], errors) == Some(true);
    }
    if let Some(entry) = reader.take("accept_controller_reboot") {
        policy.accept_controller_reboot =
            entry.value.word(&[("true", true), ("false", false)], errors) == Some(true);
    }
    let allow = reader.take("allow").map(|entry| allow::rules(&entry.value, errors)).unwrap_or_default();
    finish(reader, "`policy`", foreign_keys::POLICY, errors);
    (policy, allow)
}

fn lock(node: &Node, with_kube: bool, policy: &mut Policy, errors: &mut Diagnostics) {
    let Some(mut reader) = MapReader::open_table(node, &tables::LOCK, errors) else { return };
    if let Some(entry) = reader.take("scope")
        && let Some(cluster) = entry.value.word(&[("cluster", true), ("none", false)], errors)
    {
        policy.lock_cluster = cluster;
        if cluster && !with_kube {
            let message = "the lock of a cluster needs `kube:`, because it is a Lease of that cluster";
            errors.error(BAD_SETTING, entry.value.span, message).hint("write `kube: { via: control_plane }`");
        }
    }
    if let Some(entry) = reader.take("ttl") {
        policy.lock_ttl = entry.value.parsed(&tables::LOCK.expects("ttl"), errors, |text| {
            // The holder renews well within a ttl and stops at half of it; less leaves no room for a slow API.
            Duration::parse(text).filter(|ttl| *ttl >= Duration::from_secs(60))
        });
    }
    reader.finish("`lock`", errors);
}

fn kube(entry: &Entry, errors: &mut Diagnostics) -> Option<KubeSpec> {
    let mut reader = MapReader::open_table(&entry.value, &tables::KUBE, errors)?;
    let via = reader.require("via", "`kube`", errors).and_then(|entry| via(&entry.value, errors));
    let usual = match via {
        Some(KubeVia::Controller) => "",
        _ => "/etc/kubernetes/admin.conf",
    };
    let text = |key: &str, reader: &mut MapReader<'_>, errors: &mut Diagnostics| {
        let clean = |text: &str| (!text.is_empty() && !text.starts_with('-')).then(|| text.to_owned());
        reader.take(key).and_then(|entry| entry.value.parsed(&tables::KUBE.expects(key), errors, clean))
    };
    let kubeconfig = text("kubeconfig", &mut reader, errors).unwrap_or_else(|| usual.to_owned());
    let context = text("context", &mut reader, errors).unwrap_or_default();
    let duration = |key: &str, usual: u64, reader: &mut MapReader<'_>, errors: &mut Diagnostics| {
        let written = reader
            .take(key)
            .and_then(|entry| entry.value.parsed(&tables::KUBE.expects(key), errors, positive));
        written.unwrap_or(Duration::from_secs(usual))
    };
    let request_timeout = duration("request_timeout", 30, &mut reader, errors);
    let retry_for = duration("retry_for", 5 * 60, &mut reader, errors);
    let words = [("warn", NewNodes::Warn), ("drift", NewNodes::Drift)];
    let new_nodes = reader.take("new_nodes").and_then(|entry| entry.value.word(&words, errors));
    let new_nodes = new_nodes.unwrap_or_default();
    reader.finish("`kube`", errors);
    Some(KubeSpec { via: via?, kubeconfig, context, request_timeout, retry_for, new_nodes })
}

/// Kinds that call kubectl, with the fields that make them do so; all of them where none is listed.
const KUBE_KINDS: [(&str, &[&str]); 8] = [
    ("cordon", &[]),
    ("drain", &[]),
    ("kubeadm", &[]),
    ("kubectl", &[]),
    ("node_support", &[]),
    ("uncordon", &[]),
    ("version_skew", &[]),
    ("wait", &["node", "nodes", "pods"]),
];

/// Reports the first step that needs what is not written; the others need the same.
fn kube_is_missing(phases: &[Phase], errors: &mut Diagnostics) {
    let needs = |step: &&Step| {
        let row = KUBE_KINDS.iter().find(|(kind, _)| *kind == step.kind.name());
        row.is_some_and(|(_, fields)| {
            fields.is_empty() || fields.iter().any(|field| step.args.contains_key(*field))
        })
    };
    let mut steps = phases.iter().flat_map(Phase::all_steps);
    if let Some(step) = steps.find(needs) {
        let message = format!("`{}` calls kubectl, and the runbook does not say where", step.kind.name());
        let error = errors.error(NEEDS_KUBE, super::start(step.origin.span), message);
        error.hint("write `kube: { via: control_plane }` with a group of the inventory, or `kube: { via: controller }`");
    }
}

fn via(node: &Node, errors: &mut Diagnostics) -> Option<KubeVia> {
    if node.scalar() == Some("controller") {
        return Some(KubeVia::Controller);
    }
    selector(node, errors).map(KubeVia::Hosts)
}

/// A selector, as far as it can be read without an inventory.
pub(super) fn selector(node: &Node, errors: &mut Diagnostics) -> Option<Spanned<Selector>> {
    if let NodeKind::Seq(_) = node.kind {
        let error = errors.wrong_type(node, "a selector");
        error.hint("write one text: `hosts: w1 | w2`, or a group of the inventory");
        return None;
    }
    let text = node.text("a selector such as `workers` or `control_plane[0]`", errors)?;
    match Selector::parse(text) {
        Ok(selector) => Some(Spanned { value: selector, span: node.span }),
        Err(error) => {
            errors.error(BAD_SELECTOR, node.at(error.offset), error.message).hints.extend(error.hint);
            None
        }
    }
}

fn defaults(node: &Node, cx: &mut ParseContext<'_>) {
    let Some(mut reader) = MapReader::open_table(node, &tables::DEFAULTS, &mut cx.errors) else { return };
    if let Some(entry) = reader.take("become")
        && let Some(value) = entry.value.boolean(&mut cx.errors)
    {
        cx.defaults.r#become = value;
    }
    if let Some(entry) = reader.take("timeout")
        && let Some(value) =
            entry.value.parsed(&tables::DEFAULTS.expects("timeout"), &mut cx.errors, positive)
    {
        cx.defaults.timeout = value;
    }
    reader.finish("`defaults`", &mut cx.errors);
}

/// No time at all is no time limit that anybody wants.
pub(super) fn positive(text: &str) -> Option<Duration> {
    Duration::parse(text).filter(|duration| *duration > Duration::ZERO)
}

/// "steps/kubelet.yaml:9".
pub(super) fn place_text(file: &Utf8Path, line: usize) -> String {
    format!("{file}:{line}")
}
