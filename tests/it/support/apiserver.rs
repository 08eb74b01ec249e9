//! A small API server for the real kubectl: it knows Leases with their resource versions, nodes with JSON patches, and who
//! may do what. It can keep an answer to itself. Its texts are those that kubectl 1.32.4 was seen to turn into its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// One that listens on loopback until the test ends.
pub(crate) struct ApiServer {
    port: u16,
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    version: u64,
    leases: BTreeMap<String, Value>,
    /// Runs that a Lease has named.
    runs: BTreeSet<String>,
    /// Verb and resource that nobody may use.
    denied: Option<(String, String)>,
    /// What is forbidden is called allowed by a review.
    lies: bool,
    nodes: BTreeMap<String, Value>,
    /// So many patches of nodes are applied, and nobody hears of it.
    to_be_lost: usize,
    /// Until then everything is forbidden.
    starts_until: Option<Instant>,
}

impl ApiServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let store = Arc::<Mutex<Store>>::default();
        let kept = Arc::clone(&store);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let store = Arc::clone(&kept);
                // A client that goes away in the middle is nobody's trouble.
                std::thread::spawn(move || drop(serve(&stream, &store)));
            }
        });
        Self { port, store }
    }

    /// Writes a kubeconfig that leads here.
    pub(crate) fn write_kubeconfig(&self, path: &Path) {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        });
        std::fs::write(path, config.to_string()).unwrap();
    }

    /// From now on nobody may do this: a verb, and a resource such as `pods/eviction`.
    pub(crate) fn deny(&self, denied: Option<(&str, &str)>) {
        let denied = denied.map(|(verb, resource)| (verb.to_owned(), resource.to_owned()));
        self.store.lock().unwrap().denied = denied;
    }

    /// From now on a review calls allowed what is forbidden, as one of another server would.
    pub(crate) fn lie(&self) {
        self.store.lock().unwrap().lies = true;
    }

    /// For so long from now everything is forbidden, as by a server that has not read its rules yet.
    pub(crate) fn starts(&self, lasting: Duration) {
        self.store.lock().unwrap().starts_until = Some(Instant::now() + lasting);
    }

    /// An annotation of the Lease.
    pub(crate) fn annotation(&self, key: &str) -> Option<String> {
        let store = self.store.lock().unwrap();
        Some(store.leases.get("rollbook")?["metadata"]["annotations"][key].as_str()?.to_owned())
    }

    /// Every run that a Lease has named so far.
    pub(crate) fn runs_named(&self) -> Vec<String> {
        self.store.lock().unwrap().runs.iter().cloned().collect()
    }

    /// A Ready node on the machine of this id.
    pub(crate) fn add_node(&self, name: &str, machine_id: &str) {
        self.add_node_of(name, machine_id, &format!("uid-{name}"));
    }

    /// What `kubectl delete node` does.
    pub(crate) fn delete_node(&self, name: &str) {
        self.store.lock().unwrap().nodes.remove(name);
    }

    /// A node of this UID, in place of another one of its name.
    pub(crate) fn add_node_of(&self, name: &str, machine_id: &str, uid: &str) {
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "uid": uid, "resourceVersion": "1", "annotations": {}},
            "spec": {},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {
                    "machineID": machine_id.trim(), "bootID": "boot", "kubeletVersion": "v1.31.4",
                    "containerRuntimeVersion": "containerd://1.7.0",
                },
            },
        });
        self.store.lock().unwrap().nodes.insert(name.to_owned(), node);
    }

    /// Applies so many patches of nodes without an answer: the connection ends instead.
    pub(crate) fn lose_answers(&self, count: usize) {
        self.store.lock().unwrap().to_be_lost = count;
    }

    /// What `kubectl uncordon` does: the annotation stays.
    pub(crate) fn uncordon(&self, name: &str) {
        self.store.lock().unwrap().nodes.get_mut(name).unwrap()["spec"] = json!({});
    }

    /// Nodes that are cordoned, and the run that their annotation names.
    pub(crate) fn cordons(&self) -> Vec<(String, String)> {
        let store = self.store.lock().unwrap();
        let cordoned = store.nodes.iter().filter(|(_, node)| node["spec"]["unschedulable"] == true);
        let by = |node: &Value| {
            node["metadata"]["annotations"]["rollbook.dev/cordoned-by"].as_str().map(str::to_owned)
        };
        cordoned.map(|(name, node)| (name.clone(), by(node).unwrap_or_default())).collect()
    }
}

fn serve(stream: &TcpStream, store: &Mutex<Store>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (verb, path) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => is_chunked = true,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    while is_chunked {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        body.extend_from_slice(&chunk[..size]);
        is_chunked = size > 0;
    }
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let mut store = store.lock().unwrap();
    let (code, answer) = answer(&verb, path, query, &body, &mut store);
    if verb == "PATCH" && store.to_be_lost > 0 {
        store.to_be_lost -= 1;
        return Ok(());
    }
    drop(store);
    let text = answer.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn answer(verb: &str, path: &str, query: &str, body: &[u8], store: &mut Store) -> (u16, Value) {
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    if store.starts_until.is_some_and(|until| Instant::now() < until) {
        let message =
            format!("forbidden: User \"kubernetes-admin\" cannot {} path \"{path}\"", verb.to_lowercase());
        return forbidden(&message);
    }
    if path.starts_with(leases)
        && verb == "PUT"
        && store.denied == Some(("update".to_owned(), "leases".to_owned()))
    {
        return forbidden(
            "leases.coordination.k8s.io \"rollbook\" is forbidden: User \"ops\" cannot update resource \"leases\" in API \
             group \"coordination.k8s.io\" in the namespace \"kube-system\"",
        );
    }
    if let Some(rest) = path.strip_prefix(leases) {
        return lease(verb, rest.trim_start_matches('/'), body, store);
    }
    if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
        return (201, review(body, store));
    }
    if let Some(name) = path.strip_prefix("/api/v1/nodes/") {
        return node(verb, name, body, store);
    }
    match path {
        "/version" => (200, json!({"major": "1", "minor": "32", "gitVersion": "v1.32.4"})),
        "/api" => (200, json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/api/v1" => (200, resources("v1", "nodes", "Node", false)),
        "/apis" => {
            let version = json!({"groupVersion": "coordination.k8s.io/v1", "version": "v1"});
            let group = json!({"name": "coordination.k8s.io", "versions": [version.clone()], "preferredVersion": version});
            (200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}))
        }
        "/apis/coordination.k8s.io/v1" => (200, resources("coordination.k8s.io/v1", "leases", "Lease", true)),
        "/api/v1/nodes" => {
            let wanted =
                query.split('&').find_map(|pair| pair.strip_prefix("fieldSelector=metadata.name%3D"));
            let is_wanted = |(name, _): &(&String, &Value)| wanted.is_none_or(|wanted| wanted == *name);
            let items: Vec<&Value> = store.nodes.iter().filter(is_wanted).map(|(_, node)| node).collect();
            (200, json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": items}))
        }
        _ => failure(404, "NotFound", "the server could not find the requested resource"),
    }
}

/// Whether one may do what a review asks for. kubectl asks in JSON or in protobuf, as its version has it: the words stand
/// in either.
fn review(body: &[u8], store: &Store) -> Value {
    let has = |word: &str| body.windows(word.len()).any(|part| part == word.as_bytes());
    let denied = |(verb, resource): &(String, String)| has(verb) && resource.split('/').all(has);
    json!({
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {},
        "status": { "allowed": store.lies || !store.denied.as_ref().is_some_and(denied) },
    })
}

fn resources(group: &str, name: &str, kind: &str, namespaced: bool) -> Value {
    let verbs = ["create", "get", "list", "update"];
    let resource =
        json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs});
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": [resource]})
}

/// A node: read, or changed by a JSON patch whose tests all hold.
fn node(verb: &str, name: &str, body: &[u8], store: &mut Store) -> (u16, Value) {
    let Some(current) = store.nodes.get(name).cloned() else {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404,
            "message": format!("nodes \"{name}\" not found"), "reason": "NotFound",
            "details": {"name": name, "kind": "nodes"},
        });
        return (404, status);
    };
    if verb != "PATCH" {
        return (200, current);
    }
    let patch: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    let Some(mut patched) = patch.iter().try_fold(current, step_of_patch) else {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 422,
            "message": "the server rejected our request due to an error in our request", "reason": "Invalid",
        });
        return (422, status);
    };
    store.version += 1;
    patched["metadata"]["resourceVersion"] = store.version.to_string().into();
    if patched["spec"]["unschedulable"] == false {
        patched["spec"] = json!({});
    }
    store.nodes.insert(name.to_owned(), patched.clone());
    (200, patched)
}

/// One operation of a JSON patch (RFC 6902); nothing where it fails. As the API server does, `test` with null holds where
/// the path is missing.
fn step_of_patch(mut object: Value, step: &Value) -> Option<Value> {
    let path = step["path"].as_str()?;
    let (parent, key) = path.rsplit_once('/')?;
    let key = key.replace("~1", "/");
    match step["op"].as_str()? {
        "test" => (object.pointer(path).unwrap_or(&Value::Null) == &step["value"]).then_some(object),
        "add" => {
            object.pointer_mut(parent)?.as_object_mut()?.insert(key, step["value"].clone());
            Some(object)
        }
        "remove" => {
            object.pointer_mut(parent)?.as_object_mut()?.remove(&key)?;
            Some(object)
        }
        _ => None,
    }
}

fn lease(verb: &str, name: &str, body: &[u8], store: &mut Store) -> (u16, Value) {
    let object: Option<Value> = serde_json::from_slice(body).ok();
    let name = match (&object, verb) {
        (Some(object), "POST") => object["metadata"]["name"].as_str().unwrap_or_default(),
        _ => name,
    }
    .to_owned();
    let current = store.leases.get(&name).cloned();
    match (verb, object, current) {
        ("GET", _, Some(current)) => (200, current),
        ("POST", _, Some(_)) => {
            failure(409, "AlreadyExists", &format!("leases.coordination.k8s.io \"{name}\" already exists"))
        }
        ("PUT", Some(object), Some(current))
            if object["metadata"]["resourceVersion"] != current["metadata"]["resourceVersion"] =>
        {
            let message = format!(
                "Operation cannot be fulfilled on leases.coordination.k8s.io \"{name}\": the object has been modified; \
                 please apply your changes to the latest version and try again"
            );
            failure(409, "Conflict", &message)
        }
        ("POST", Some(mut object), None) | ("PUT", Some(mut object), Some(_)) => {
            store.version += 1;
            let run = object["metadata"]["annotations"]["rollbook.dev/run"].as_str();
            store.runs.extend(run.filter(|run| !run.is_empty()).map(str::to_owned));
            object["metadata"]["resourceVersion"] = store.version.to_string().into();
            store.leases.insert(name, object.clone());
            (if verb == "POST" { 201 } else { 200 }, object)
        }
        _ => failure(404, "NotFound", &format!("leases.coordination.k8s.io \"{name}\" not found")),
    }
}

fn forbidden(message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Forbidden", "code": 403, "details": {},
    });
    (403, status)
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
        "details": {"group": "coordination.k8s.io", "kind": "leases"},
    });
    (code, status)
}
