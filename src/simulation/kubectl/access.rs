//! How a simulated kubectl finds the API server, and what the account may do there: whoever has admin.conf everything but
//! the rights that a fault took away, other accounts nothing, and nobody anything while the API server starts.

use serde_json::{Value, json};

use super::super::command::Invocation;
use super::super::world::World;
use super::{KubectlCall, resource_and_names};

/// Path of a review of one's own rights.
const REVIEWS: &str = "--raw=/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// The user of kubeadm's admin.conf.
const ADMIN: &str = "kubernetes-admin";

/// Whether a call asks for a review of one's own rights, which changes nothing.
pub(super) fn is_review(command: &Invocation) -> bool {
    command.args().iter().any(|arg| arg == REVIEWS)
}

/// Whether the API server can be talked to from here, and lets this pass; kubectl's words where it does not.
pub(super) fn reach(world: &World, call: &KubectlCall<'_>, verb: &str) -> Result<(), String> {
    let command = call.command;
    let path = kubeconfig(world, command)?;
    let host = &world.hosts[command.host];
    match host.files.get(&path) {
        // What the administrator's own machine holds, a rehearsal does not look at.
        _ if host.is_controller() => {}
        None => return Err(format!("error: stat {path}: no such file or directory")),
        Some(file) if !command.root && file.mode.ends_with("00") => {
            return Err(format!(
                "error: error loading config file \"{path}\": open {path}: permission denied"
            ));
        }
        Some(_) => {}
    }
    if world.api_server().is_none() {
        let first = world.cluster.control_planes.first().map(|index| world.cluster.nodes[*index].host);
        let address = first.map_or("localhost", |host| world.hosts[host].address.as_str());
        return Err(refused(&format!("{address}:6443")));
    }
    let user = user(world, command, &path);
    let lacks = lacks(world, command, asked(call, verb));
    let may_all = user == ADMIN && !lacks && !world.api_server_starts();
    let may_ask = !world.api_server_starts() && (is_review(command) || verb == "version");
    if may_all || may_ask { Ok(()) } else { Err(forbidden(call, verb, &user)) }
}

/// Whether a fault took this right away: a verb, and a resource without its group.
fn lacks(world: &World, command: &Invocation, (verb, resource): (&str, &str)) -> bool {
    let plain = resource.split('.').next();
    let missing = &world.hosts[command.host].active_faults.missing_rights;
    missing.iter().any(|(without, of)| without == verb && Some(of.as_str()) == plain)
}

fn kubeconfig(world: &World, command: &Invocation) -> Result<String, String> {
    let host = &world.hosts[command.host];
    let named =
        command.option("--kubeconfig").map(str::to_owned).or_else(|| command.env.get("KUBECONFIG").cloned());
    match named {
        _ if host.is_controller() => Ok("admin.conf".to_owned()),
        Some(path) => Ok(path),
        // Root's own configuration is kept as kubeadm's documentation says: a copy of admin.conf.
        None if host.control_plane && command.root => Ok("/etc/kubernetes/admin.conf".to_owned()),
        None => Err(refused("localhost:8080")),
    }
}

fn user(world: &World, command: &Invocation, path: &str) -> String {
    let host = &world.hosts[command.host];
    if path.contains("admin.conf") { ADMIN.to_owned() } else { format!("system:node:{}", host.hostname) }
}

fn refused(server: &str) -> String {
    format!("The connection to the server {server} was refused - did you specify the right host or port?")
}

/// As the API server says it.
fn forbidden(call: &KubectlCall<'_>, verb: &str, user: &str) -> String {
    if verb == "version" || call.command.args().iter().any(|arg| arg == "--raw=/version") {
        return format!(
            "Error from server (Forbidden): forbidden: User \"{user}\" cannot get path \"/version\""
        );
    }
    let (verb, resource) = asked(call, verb);
    let (_, names) = resource_and_names(&call.args);
    let name = names.first().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let (plain, group) = resource.split_once('.').unwrap_or((resource, ""));
    let scope = match call.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    format!(
        "Error from server (Forbidden): {resource}{name} is forbidden: User \"{user}\" cannot {verb} resource \"{plain}\" in \
         API group \"{group}\" {scope}"
    )
}

/// The right that a call asks for first: a verb, and a resource with its group.
fn asked<'a>(call: &KubectlCall<'a>, verb: &'a str) -> (&'a str, &'a str) {
    let (resource, names) = resource_and_names(&call.args);
    let resource = if resource == "pdb" { "poddisruptionbudgets.policy" } else { resource };
    match verb {
        _ if is_review(call.command) => ("create", "selfsubjectaccessreviews.authorization.k8s.io"),
        "create" | "replace" | "apply" => {
            (if verb == "create" { verb } else { "get" }, "leases.coordination.k8s.io")
        }
        "get" | "wait" if names.is_empty() => ("list", resource),
        "get" | "wait" | "delete" | "patch" => (if verb == "wait" { "get" } else { verb }, resource),
        _ => ("get", "nodes"),
    }
}

/// The answer to a review of one's own rights, or to the question for the version.
pub(super) fn raw(world: &World, call: &KubectlCall<'_>, verb: &str) -> Option<String> {
    if is_review(call.command) && verb == "create" {
        let review: Value = serde_json::from_str(&call.command.stdin).unwrap_or_default();
        let of = |key: &str| review["spec"]["resourceAttributes"][key].as_str().unwrap_or_default();
        let lacks = lacks(world, call.command, (of("verb"), of("resource")));
        let is_admin = |path: String| user(world, call.command, &path) == ADMIN;
        let allowed = !lacks && kubeconfig(world, call.command).is_ok_and(is_admin);
        return Some(
            json!({ "kind": "SelfSubjectAccessReview", "status": { "allowed": allowed } }).to_string(),
        );
    }
    let version = world.api_server()?;
    let asks = call.command.args().iter().any(|arg| arg == "--raw=/version");
    asks.then(|| json!({ "gitVersion": format!("v{version}") }).to_string())
}
