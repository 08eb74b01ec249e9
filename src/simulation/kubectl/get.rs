//! `kubectl get`.

use serde_json::{Value, json};

use super::super::objects::ObjectKey;
use super::super::pod::Pod;
use super::super::process::Output;
use super::super::world::World;
use super::rows::Rows;
use super::selector::{fields_match, labels_match};
use super::{KubectlCall, jsonpath, not_found, resource_and_names, rows, table};

/// `kubectl get RESOURCE [NAME…] [-o …]`.
pub(super) fn get(world: &World, call: &KubectlCall<'_>, out: &mut Output) -> i32 {
    if let Some(path) = call.option(&["--raw"]) {
        return raw(world, path, out);
    }
    let (resource, names) = resource_and_names(&call.args);
    match resource {
        "nodes" => nodes(world, call, &names, out),
        "pods" => pods(world, call, &names, out),
        "pdb" => budgets(world, call, &names, out),
        "namespaces" | "namespace" | "ns" => {
            out.line("NAME          STATUS   AGE\ndefault       Active   30d\nkube-system   Active   30d");
            0
        }
        _ => objects(world, call, resource, &names, out),
    }
}

fn raw(world: &World, path: &str, out: &mut Output) -> i32 {
    if path.contains("readyz") || path.contains("livez") || path.contains("healthz") {
        // etcd counts as reached while its member beside the API server runs.
        out.line(if path.contains("verbose") { "[+]ping ok\n[+]etcd ok\nreadyz check passed" } else { "ok" });
        return 0;
    }
    if path == "/version" {
        let version = world.api_server().map_or_else(String::new, |version| version.to_string());
        out.line(json!({"gitVersion": format!("v{version}")}).to_string());
        return 0;
    }
    out.unheard = true;
    out.complain("Error from server (NotFound): the server could not find the requested resource");
    1
}

fn nodes(world: &World, call: &KubectlCall<'_>, names: &[&str], out: &mut Output) -> i32 {
    let cluster = &world.cluster;
    let mut code = 0;
    let fields = call.option(&["--field-selector"]).unwrap_or_default();
    // A look at one node costs the same in a large cluster.
    let only = fields.strip_prefix("metadata.name=").filter(|rest| !rest.contains(','));
    let chosen: Vec<usize> = if let Some(name) = only {
        cluster.node_index(name).into_iter().collect()
    } else if names.is_empty() {
        let selector = call.option(&["--selector", "-l"]).unwrap_or_default();
        let matches = |index: &usize| {
            let node = &cluster.nodes[*index];
            let field = |key: &str| match key {
                "metadata.name" => node.name.as_str(),
                "spec.unschedulable" if node.unschedulable => "true",
                _ => "",
            };
            labels_match(selector, &node.labels) && fields_match(fields, field)
        };
        cluster.all_nodes().map(|(index, _)| index).filter(matches).collect()
    } else {
        let mut found = Vec::new();
        for name in names {
            if let Some(index) = cluster.node_index(name) {
                found.push(index);
            } else if !call.has("--ignore-not-found") {
                out.complain(not_found("nodes", name));
                code = 1;
            }
        }
        found
    };
    if names.len() == 1 && code != 0 {
        return code;
    }
    match call.output() {
        "" | "wide" => {
            let rows: Vec<Vec<String>> = chosen.iter().map(|index| table::node(world, *index)).collect();
            print_table(call, &["NAME", "STATUS", "ROLES", "AGE", "VERSION"], &rows, out);
        }
        "name" => chosen.iter().for_each(|index| out.line(format!("node/{}", cluster.nodes[*index].name))),
        template if Rows::of(template) == Some(Rows::Nodes) => {
            rows::nodes(world, &chosen, &mut out.stdout);
        }
        format => {
            let items = chosen.iter().map(|index| super::json::node(world, *index)).collect();
            return print_objects(format, items, names.len() == 1, out).max(code);
        }
    }
    code
}

fn pods(world: &World, call: &KubectlCall<'_>, names: &[&str], out: &mut Output) -> i32 {
    let all = call.has("-A") || call.has("--all-namespaces");
    let namespace = call.namespace.unwrap_or("default");
    let selector = call.option(&["--selector", "-l"]).unwrap_or_default();
    let fields = call.option(&["--field-selector"]).unwrap_or_default();
    let matches = |pod: &Pod| {
        let field = |key: &str| match key {
            "spec.nodeName" => pod.node.map_or("", |node| world.cluster.nodes[node].name.as_str()),
            "status.phase" => pod.phase(),
            "metadata.name" => pod.name.as_str(),
            "metadata.namespace" => pod.namespace.as_str(),
            _ => "",
        };
        (all || pod.namespace == namespace)
            && (names.is_empty() || names.contains(&pod.name.as_str()))
            && labels_match(selector, &pod.labels)
            && fields_match(fields, field)
    };
    // A look at one node's pods goes through that node, so that it costs the same in a large cluster.
    let on_node = fields.split(',').find_map(|term| term.strip_prefix("spec.nodeName="));
    let chosen: Vec<&Pod> = match on_node.map(|name| world.cluster.node_index(name)) {
        Some(None) => Vec::new(),
        Some(Some(node)) => {
            world.cluster.pods_on(node).map(|(_, pod)| pod).filter(|pod| matches(pod)).collect()
        }
        None => world.cluster.pods.values().filter(|pod| matches(pod)).collect(),
    };
    if let Some(missing) = names.iter().find(|name| !chosen.iter().any(|pod| pod.name == **name)) {
        out.complain(not_found("pods", missing));
        return 1;
    }
    let look = Rows::of(call.output());
    match call.output() {
        "" | "wide" if chosen.is_empty() => {
            out.complain(if all {
                "No resources found".to_owned()
            } else {
                format!("No resources found in {namespace} namespace.")
            });
        }
        "" | "wide" => {
            let header = ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"];
            let rows: Vec<Vec<String>> = chosen.iter().map(|pod| table::pod(world, pod, all)).collect();
            print_table(call, if all { &header } else { &header[1..] }, &rows, out);
        }
        "name" => chosen.iter().for_each(|pod| out.line(format!("pod/{}", pod.name))),
        _ if look == Some(Rows::Pods) => {
            for pod in chosen {
                rows::pod(pod, &mut out.stdout);
            }
        }
        _ if look == Some(Rows::Tolerating) => {
            for pod in chosen {
                rows::tolerating(pod, &mut out.stdout);
            }
        }
        _ if look == Some(Rows::Owned) => {
            for pod in chosen {
                rows::owned(world, pod, &mut out.stdout);
            }
        }
        _ if look == Some(Rows::Components) => {
            for pod in chosen {
                rows::component(pod, &mut out.stdout);
            }
        }
        format => {
            let items = chosen.iter().map(|pod| super::json::pod(world, pod)).collect();
            return print_objects(format, items, names.len() == 1, out);
        }
    }
    0
}

fn budgets(world: &World, call: &KubectlCall<'_>, names: &[&str], out: &mut Output) -> i32 {
    let all = call.has("-A") || call.has("--all-namespaces");
    let namespace = call.namespace.unwrap_or("default");
    let chosen: Vec<_> = world
        .cluster
        .budgets
        .iter()
        .filter(|budget| all || budget.namespace == namespace)
        .filter(|budget| names.is_empty() || names.contains(&budget.name.as_str()))
        .collect();
    match call.output() {
        template if Rows::of(template) == Some(Rows::Budgets) => {
            for budget in chosen {
                rows::budget(world, budget, &mut out.stdout);
            }
            0
        }
        "" | "wide" => {
            let cells = |budget: &&super::super::budget::SimulatedBudget| {
                let status = world.cluster.status_of(budget);
                vec![budget.namespace.clone(), budget.name.clone(), status.allowed().to_string()]
            };
            let rows: Vec<Vec<String>> = chosen.iter().map(cells).collect();
            print_table(call, &["NAMESPACE", "NAME", "ALLOWED DISRUPTIONS"], &rows, out);
            0
        }
        format => {
            let items = chosen.iter().map(|budget| super::json::budget(world, budget)).collect();
            print_objects(format, items, names.len() == 1, out)
        }
    }
}

/// ConfigMaps of kubeadm, and what was made through kubectl.
fn objects(world: &World, call: &KubectlCall<'_>, resource: &str, names: &[&str], out: &mut Output) -> i32 {
    let namespace = call.namespace.unwrap_or("default");
    let singular = singular(resource);
    let mut items = Vec::new();
    for name in names {
        let kubeadm = (singular == "configmap" && namespace == "kube-system")
            .then(|| super::json::kubeadm_config_map(world, name))
            .flatten();
        let key = ObjectKey {
            resource: singular.clone(),
            namespace: namespace.to_owned(),
            name: (*name).to_owned(),
        };
        match kubeadm.or_else(|| world.cluster.objects.get(&key).cloned()) {
            Some(object) => items.push(object),
            None if call.has("--ignore-not-found") => return 0,
            None => {
                out.complain(not_found(resource, name));
                return 1;
            }
        }
    }
    match call.output() {
        "" | "wide" | "name" => {
            for name in names {
                out.line(format!("{resource}/{name}"));
            }
            0
        }
        format => print_objects(format, items, names.len() == 1, out),
    }
}

/// `lease` of `leases.coordination.k8s.io`.
pub(super) fn singular(resource: &str) -> String {
    let plain = resource.split('.').next().unwrap_or(resource);
    plain.strip_suffix('s').unwrap_or(plain).to_owned()
}

fn print_table(call: &KubectlCall<'_>, header: &[&str], rows: &[Vec<String>], out: &mut Output) {
    let text = table::print(header, rows);
    let skip = usize::from(call.has("--no-headers"));
    text.lines().skip(skip).for_each(|line| out.line(line));
}

fn print_objects(format: &str, mut items: Vec<Value>, single: bool, out: &mut Output) -> i32 {
    let object = if single && items.len() == 1 {
        items.remove(0)
    } else {
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    };
    if format == "json" {
        out.line(format!("{object:#}"));
        return 0;
    }
    if let Some(text) =
        format.strip_prefix("jsonpath=").and_then(|template| jsonpath::print(template, &object))
    {
        out.stdout.push_str(&text);
        return 0;
    }
    out.unheard = true;
    out.complain(format!("error: the simulated kubectl does not know the output format \"{format}\""));
    1
}
