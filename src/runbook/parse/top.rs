//! The top of a runbook: metadata, parameters, constants, secrets, policy, kubectl, defaults; then its phases.

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::declare::{Declarations, declarations};
use super::{
    ParseContext, StepScope, check_identifier, finish, foreign_keys, header, names, phase, tables,
    take_header,
};
use crate::inventory::Selector;
use crate::runbook::{Allow, KubeSpec, KubeVia, NewNodes, Phase, Policy, Runbook, SecretSource, Step};
use crate::source::codes::{BAD_SELECTOR, BAD_SETTING, NEEDS_KUBE, SECRET_IN_PUBLIC};
use crate::source::{
    Diagnostics, Entry, FromNode, Keyed, MapReader, Metadata, Node, NodeKind, Spanned, words, written,
};
use crate::template::{Arg, compile_arg};
use crate::value::{Duration, Type, escape};

pub(super) fn runbook(root: &Node, path: Utf8PathBuf, cx: &mut ParseContext<'_>) -> Option<Runbook> {
    if !header(root, "a runbook", "Runbook", &mut cx.errors) {
        return None;
    }
    let errors = &mut cx.errors;
    let mut reader = MapReader::open_table(root, &tables::RUNBOOK, errors)?
        .with_habits(|key| foreign_keys::instead(foreign_keys::TOP, key));
    let (name, description) = metadata(&mut reader, root, errors);
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
        cx.defaults = Defaults::from_entry(entry, &Defaults::ty(), &mut cx.errors).unwrap_or_default();
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

fn metadata(reader: &mut MapReader<'_>, root: &Node, errors: &mut Diagnostics) -> (String, String) {
    let Some(node) = take_header(reader) else {
        if reader.is_misspelt("metadata") {
            return Default::default();
        }
        let error = errors.error(
            crate::source::codes::MISSING_KEY,
            super::start(root.span),
            "a runbook needs `metadata`",
        );
        error.hint("write `metadata: { name: kubeadm-upgrade }`");
        return Default::default();
    };
    let Some(metadata) = Metadata::from_node(node, &Metadata::ty(), errors) else {
        return Default::default();
    };
    (escape(&metadata.name), metadata.description.unwrap_or_default())
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
    let Secret { env, file } = Secret::from_node(node, &Secret::ty(), errors)?;
    let is_later = matches!(&node.kind, NodeKind::Map(entries) if entries.iter().any(is_later));
    match (env, file) {
        (Some(env), None) => {
            let variable = |text: &str| super::is_identifier(text).then(|| text.to_owned());
            let env = env.value?;
            env.parsed("the name of an environment variable", errors, variable).map(SecretSource::Env)
        }
        (None, Some(file)) => {
            let path = |text: &str| (!text.is_empty()).then(|| text.into());
            file.value?.parsed("a path", errors, path).map(SecretSource::File)
        }
        (None, None) if is_later => None,
        (Some(_), Some(file)) => {
            let error = errors.wrong_type(node, &format!("one of {EXPECTED}"));
            error.related(file.key, "the second source").hint("keep the one that the secret comes from");
            None
        }
        _ => {
            errors.wrong_type(node, EXPECTED);
            None
        }
    }
}

written! {
    /// Where a secret is read, on the machine that runs Rollbook. Exactly one of the two.
    pub(super) struct Secret at "secrets.NAME", called "a secret", answers(answer_source) {
        /// Read from the environment.
        env: Option<Keyed<Node>> as (Type::Identifier.called("the name of an environment variable")),
        /// Read from a file; one line break at its end is cut off.
        file: Option<Keyed<Node>> as (Type::Str.called("a path")),
    }
}

/// A source of secrets that a later version may know.
fn is_later(entry: &Entry) -> bool {
    matches!(entry.key.value.as_str(), "command" | "vault" | "sops")
}

fn answer_source(entry: &Entry, errors: &mut Diagnostics) -> bool {
    let known = is_later(entry);
    if known {
        let message = format!("`{}` in a secret is not supported yet", entry.key.value);
        let error = errors.error(crate::source::codes::NOT_SUPPORTED_YET, entry.key.span, message);
        error.hint("run that tool before Rollbook, and pass its result in an environment variable or a file");
    }
    known
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

written! {
    /// What bounds the run as a whole.
    pub(super) struct PolicyKeys: Default at "policy", called "`policy`",
        answers(|entry, errors| foreign_keys::answer(foreign_keys::POLICY, entry, "`policy`", errors))
    {
        /// Who else may run at the same time.
        lock: Option<Lock>,
        /// Start no new host after this long.
        deadline: Option<Duration> where (|text| positive(text).map(Some)),
        /// Whether the Kubernetes API may be away while one or two control planes are upgraded.
        control_plane_outage: Outage = Outage::Refuse,
        /// Whether the machine that runs Rollbook may be restarted, as the last host of the run.
        accept_controller_reboot: bool where (|text| text.parse().ok()) = false,
        /// Rules of the linter that the runbook breaks on purpose, each with the reason.
        allow: Option<Vec<Allow>>,
    }
}

/// What becomes of an outage of the API. The word says what is accepted; a bare `true` would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// It is accepted.
    Accept,
    /// It is a mistake of the plan.
    Refuse,
}

words!(Outage { "accept" => Accept, "refuse" => Refuse });

written! {
    /// The lock of a cluster.
    pub(super) struct Lock at "policy.lock", called "`lock`" {
        /// `cluster` where the runbook has `kube:`, else `none`.
        scope: Option<Spanned<LockScope>>,
        /// How long a holder that died keeps it.
        ttl: Option<Duration> as (Type::Duration.called("a duration of at least 1m, such as 10m")) where (|text| ttl(text).map(Some)),
    }
}

/// What a run keeps others out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockScope {
    /// The whole cluster, by a Lease.
    Cluster,
    /// Nothing.
    None,
}

words!(LockScope { "cluster" => Cluster, "none" => None });

/// The holder renews well within a ttl and stops at half of it; less leaves no room for a slow API.
fn ttl(text: &str) -> Option<Duration> {
    Duration::parse(text).filter(|ttl| *ttl >= Duration::from_secs(60))
}

fn policy(entry: Option<&Entry>, with_kube: bool, errors: &mut Diagnostics) -> (Policy, Vec<Allow>) {
    let written = entry.and_then(|entry| PolicyKeys::from_entry(entry, &PolicyKeys::ty(), errors));
    let written = written.unwrap_or_default();
    let (scope, lock_ttl) = written.lock.map_or((None, None), |lock| (lock.scope, lock.ttl));
    if let Some(scope) = scope.as_ref().filter(|scope| scope.value == LockScope::Cluster && !with_kube) {
        let message = "the lock of a cluster needs `kube:`, because it is a Lease of that cluster";
        errors.error(BAD_SETTING, scope.span, message).hint("write `kube: { via: control_plane }`");
    }
    let policy = Policy {
        deadline: written.deadline,
        control_plane_outage: written.control_plane_outage == Outage::Accept,
        accept_controller_reboot: written.accept_controller_reboot,
        lock_cluster: scope.map_or(with_kube, |scope| scope.value == LockScope::Cluster),
        lock_ttl,
    };
    (policy, written.allow.unwrap_or_default())
}

written! {
    /// Where and how kubectl runs.
    pub(super) struct Kube at "kube", called "`kube`" {
        /// Hosts of which one runs kubectl, preferring one that is not being worked on; or the machine that runs Rollbook.
        via: KubeVia,
        /// Its path where kubectl runs: `/etc/kubernetes/admin.conf` on a host, kubectl's own choice on the controller.
        kubeconfig: Option<String> as (Type::NoFlag),
        /// A context of that file.
        context: Option<String> as (Type::NoFlag),
        /// Of one request.
        request_timeout: Duration where (positive) = Duration::from_secs(30),
        /// How long an API that is away is asked again.
        retry_for: Duration where (positive) = Duration::from_secs(5 * 60),
        /// What it means that the cluster has a node of no host that it did not have when the plan was made: a warning, or
        /// drift, so that nothing begins.
        new_nodes: NewNodes = NewNodes::Warn,
    }
}

words!(NewNodes { "warn" => Warn, "drift" => Drift });

impl FromNode for KubeVia {
    fn ty() -> Type {
        Type::Str.called("a selector such as `control_plane`, or `controller`")
    }

    fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
        if node.scalar() == Some("controller") {
            return Some(Self::Controller);
        }
        selector(node, errors).map(Self::Hosts)
    }
}

fn kube(entry: &Entry, errors: &mut Diagnostics) -> Option<KubeSpec> {
    let written = Kube::from_entry(entry, &Kube::ty(), errors)?;
    let usual = match written.via {
        KubeVia::Controller => "",
        KubeVia::Hosts(_) => "/etc/kubernetes/admin.conf",
    };
    Some(KubeSpec {
        via: written.via,
        kubeconfig: written.kubeconfig.unwrap_or_else(|| usual.to_owned()),
        context: written.context.unwrap_or_default(),
        request_timeout: written.request_timeout,
        retry_for: written.retry_for,
        new_nodes: written.new_nodes,
    })
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

written! {
    /// What steps are like that do not say otherwise.
    pub struct Defaults: Default at "defaults", called "`defaults`", derive(PartialEq, Eq) {
        /// Whether steps run as root.
        r#become ("become"): bool = true,
        /// How long an op of a step may take.
        timeout: Duration where (positive) = Duration::from_secs(10 * 60),
    }
}

/// No time at all is no time limit that anybody wants.
pub(super) fn positive(text: &str) -> Option<Duration> {
    Duration::parse(text).filter(|duration| *duration > Duration::ZERO)
}

/// "steps/kubelet.yaml:9".
pub(super) fn place_text(file: &Utf8Path, line: usize) -> String {
    format!("{file}:{line}")
}
