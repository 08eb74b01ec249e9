//! What an API server that forbids something means: that a right is missing, or that the server is starting. Until its
//! RBAC rules are read, which takes a second or two, it forbids everything to every account outside `system:masters`,
//! and kubeadm's admin.conf is such an account since 1.29 (kubernetes/kubernetes#121635). The two are told apart by
//! asking what every authenticated user may.

use serde_json::{Value, json};

use super::flags::KUBECTL_WITH_VALUES as WITH_VALUES;
use super::kubectl_errors::{KubectlError, causes};

/// Flags with which a call has another account, or asks another cluster, than `kube:` says.
const OF_ANOTHER_ACCOUNT: [&str; 14] = [
    "--kubeconfig",
    "--context",
    "--cluster",
    "--user",
    "--server",
    "-s",
    "--token",
    "--as",
    "--as-group",
    "--as-uid",
    "--username",
    "--password",
    "--client-certificate",
    "--client-key",
];

/// A right, as the API server names it where it forbids something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The account.
    pub user: String,
    /// `list`, `patch` and the like.
    pub verb: String,
    /// `nodes`, or with its subresource `pods/eviction`.
    pub resource: String,
    /// API group; empty for the core one.
    pub group: String,
    /// The namespace, unless it is about the whole cluster.
    pub namespace: Option<String>,
    /// The object, where it is about one alone: rules with `resourceNames` may give just that.
    pub name: Option<String>,
}

/// Whether kubectl failed because the API server forbids this to the account. That nobody is logged in is another thing.
pub fn is_forbidden(stderr: &str) -> bool {
    causes(stderr).first() == Some(&KubectlError::Forbidden) && stderr.contains("(Forbidden)")
}

/// Whether a failure may pass by itself because the API server has only just started: it forbids something, or kubectl
/// could not discover the resources because that was forbidden, and takes a type that every server has for unknown.
pub fn may_pass(stderr: &str) -> bool {
    is_forbidden(stderr) || stderr.contains("the server doesn't have a resource type \"")
}

impl Right {
    /// The right that is missing, by the words of a refusal; `None` where it is about something else, such as a quota.
    pub fn refused(text: &str) -> Option<Self> {
        let (user, rest) = between(text, "User \"", "\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let group = between(rest, "in API group \"", "\"").map_or("", |(group, _)| group);
        let namespace = between(rest, "in the namespace \"", "\"").map(|(name, _)| name.to_owned());
        let [user, verb, resource, group] = [user, verb, resource, group].map(str::to_owned);
        Some(Self { user, verb, resource, group, namespace, name: None })
    }

    /// For people: `list nodes`, `create leases.coordination.k8s.io in kube-system`.
    pub fn words(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let within = self.namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        let named = self.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{} {}{group}{named}{within}", self.verb, self.resource)
    }
}

/// Rights that a call of kubectl needs beyond a look at nodes, by its own words, without the program and what `kube:` adds.
/// What cannot be told from them is not asked: the rights of a call with an account of its own, and what a call does in the
/// namespace of its context.
pub fn needed_by(words: &[&str]) -> Vec<Right> {
    let call = CallWords::of(words);
    if call.is_of_another_account() || call.only_tries() {
        return Vec::new();
    }
    let nodes =
        || call.targets().into_iter().filter(|(kind, _)| is_kind(kind, "nodes")).map(|(_, name)| name);
    let on_nodes = |verb| nodes().map(|name| Right { name, ..right(verb, "nodes", "") }).collect();
    match call.bare.first().copied().unwrap_or_default() {
        "cordon" | "uncordon" => call.patch_each(),
        "patch" | "annotate" | "label" | "taint" => on_nodes("patch"),
        "delete" => {
            let mut rights: Vec<Right> = on_nodes("delete");
            rights.extend(call.deleted_pods());
            rights
        }
        // kubectl cordons by itself, and looks for what keeps each pod.
        "drain" => {
            let deletes =
                words.iter().any(|word| matches!(*word, "--disable-eviction" | "--disable-eviction=true"));
            let leave =
                if deletes { right("delete", "pods", "") } else { right("create", "pods/eviction", "") };
            let mut rights = call.patch_each();
            rights.extend([
                right("list", "pods", ""),
                right("get", "pods", ""),
                leave,
                right("get", "daemonsets", "apps"),
            ]);
            rights
        }
        _ => Vec::new(),
    }
}

/// The words of a call, told apart.
struct CallWords<'w> {
    /// The verb and what follows it.
    bare: Vec<&'w str>,
    /// Flags with their values; empty where they have none.
    flags: Vec<(&'w str, &'w str)>,
}

impl<'w> CallWords<'w> {
    fn of(words: &[&'w str]) -> Self {
        let (mut bare, mut flags) = (Vec::new(), Vec::new());
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            if word == "--" {
                bare.extend(words.by_ref());
            } else if !word.starts_with('-') {
                bare.push(word);
            } else if let Some((flag, value)) = word.split_once('=') {
                flags.push((flag, value));
            } else if WITH_VALUES.contains(&word) {
                flags.push((word, words.next().unwrap_or_default()));
            } else {
                // A short flag may have its value right behind it: `-nshop`.
                let mut short = WITH_VALUES.iter().filter(|flag| flag.len() == 2);
                let parted = short.find_map(|flag| Some((*flag, word.strip_prefix(flag)?)));
                flags.push(parted.unwrap_or((word, "")));
            }
        }
        Self { bare, flags }
    }

    fn flag(&self, names: &[&str]) -> Option<&'w str> {
        self.flags.iter().rev().find(|(flag, _)| names.contains(flag)).map(|(_, value)| *value)
    }

    fn is_of_another_account(&self) -> bool {
        self.flag(&OF_ANOTHER_ACCOUNT).is_some()
    }

    fn only_tries(&self) -> bool {
        matches!(self.flag(&["--dry-run"]), Some("" | "client" | "true"))
    }

    /// Kinds with names, as `KIND NAME…` or `KIND/NAME…`; no name where labels or all are meant.
    fn targets(&self) -> Vec<(&'w str, Option<String>)> {
        let [_, first, rest @ ..] = self.bare.as_slice() else { return Vec::new() };
        if first.contains('/') {
            let each = std::iter::once(first).chain(rest).filter_map(|word| word.split_once('/'));
            return each.map(|(kind, name)| (kind, Some(name.to_owned()))).collect();
        }
        // Labels, annotations and taints stand behind the names.
        let names = rest.iter().take_while(|word| !word.contains('=') && !word.ends_with('-'));
        let targets: Vec<_> = names.map(|name| (*first, Some((*name).to_owned()))).collect();
        if targets.is_empty() { vec![(*first, None)] } else { targets }
    }

    /// Of the nodes that `cordon` and `drain` name.
    fn patch_each(&self) -> Vec<Right> {
        let patch = || right("patch", "nodes", "");
        match self.bare.get(1..) {
            Some(names @ [_, ..]) => {
                let bare = |name: &&str| name.rsplit('/').next().map(str::to_owned);
                names.iter().map(|name| Right { name: bare(name), ..patch() }).collect()
            }
            _ => vec![patch()],
        }
    }

    fn deleted_pods(&self) -> Vec<Right> {
        let delete = || right("delete", "pods", "");
        let pods = self.targets().into_iter().filter(|(kind, _)| is_kind(kind, "pods"));
        if self.flag(&["-A", "--all-namespaces"]).is_some_and(|value| value != "false") {
            return pods.take(1).map(|_| delete()).collect();
        }
        let Some(namespace) = self.flag(&["-n", "--namespace"]) else { return Vec::new() };
        pods.map(|(_, name)| Right { name, namespace: Some(namespace.to_owned()), ..delete() }).collect()
    }
}

/// Whether a word stands for nodes or pods.
fn is_kind(word: &str, plural: &str) -> bool {
    word == plural || plural.strip_suffix('s') == Some(word) || plural.get(..2) == Some(word)
}

/// What the lock of a cluster needs: to make its Lease only where it is known that there is none.
pub fn needed_by_lock(has_lease: Option<bool>) -> Vec<Right> {
    let on_lease = |verb| {
        let namespace = Some(super::lease::NAMESPACE.to_owned());
        // Nobody is given the right to make one of a name.
        let name = (verb != "create").then(|| super::lease::NAME.to_owned());
        Right { namespace, name, ..right(verb, "leases", "coordination.k8s.io") }
    };
    let verbs: &[&str] =
        if has_lease == Some(false) { &["get", "create", "update"] } else { &["get", "update"] };
    verbs.iter().map(|verb| on_lease(*verb)).collect()
}

/// Over every object of a kind, in all namespaces.
fn right(verb: &str, resource: &str, group: &str) -> Right {
    let [verb, resource, group] = [verb, resource, group].map(str::to_owned);
    Right { user: String::new(), verb, resource, group, namespace: None, name: None }
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<(&'t str, &'t str)> {
    text.split_once(open)?.1.split_once(close)
}

/// What kubectl is asked, behind its global flags: a review of the account's own right, with the manifest on standard
/// input, and the server's version. Each is one request that needs no discovery.
pub const REVIEW: [&[&str]; 2] = [
    &["create", "--raw=/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "-f", "-"],
    &["get", "--raw=/version"],
];

/// The manifest of the review: of this right, or, where a refusal names none, of any.
pub fn review(right: Option<&Right>) -> String {
    let attributes = match right {
        Some(right) => {
            let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
            json!({
                "verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource,
                "namespace": right.namespace.as_deref().unwrap_or_default(),
                "name": right.name.as_deref().unwrap_or_default(),
            })
        }
        None => json!({ "verb": "list", "resource": "nodes" }),
    };
    json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": attributes },
    })
    .to_string()
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightState {
    /// The API server forbids everything: it has not read its rules yet.
    Starting,
    /// It knows its rules, and they do not give this right.
    Missing,
    /// It knows its rules by now, and they give this right.
    Given,
    /// It cannot say.
    Unclear,
}

/// One answer of kubectl.
#[derive(Clone, Copy, Debug)]
pub struct RightAnswer<'a> {
    /// Its exit code.
    pub rc: i32,
    /// What it printed.
    pub stdout: &'a str,
    /// Its errors.
    pub stderr: &'a str,
}

impl RightState {
    /// From the answers to [`REVIEW`]; `named`: the refusal named the right that the review is about.
    pub fn of(review: RightAnswer<'_>, version: RightAnswer<'_>, named: bool) -> Self {
        let forbidden = |said: RightAnswer<'_>| said.rc != 0 && is_forbidden(said.stderr);
        let away = |said: RightAnswer<'_>| {
            said.rc != 0 && causes(said.stderr).first() == Some(&KubectlError::ApiAway)
        };
        if away(review) || away(version) {
            return Self::Unclear;
        }
        match (forbidden(review), forbidden(version)) {
            (true, true) => return Self::Starting,
            // It read its rules between the two, or one of them is kept from everybody.
            (true, false) => return Self::Unclear,
            (false, _) => {}
        }
        let answer = serde_json::from_str::<Value>(review.stdout).ok();
        match answer.as_ref().and_then(|answer| answer.pointer("/status/allowed")?.as_bool()) {
            Some(true) if named => Self::Given,
            Some(false) if named => Self::Missing,
            _ => Self::Unclear,
        }
    }
}

#[cfg(test)]
mod tests;
