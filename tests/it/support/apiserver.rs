//! A small API server for the real kubectl: it knows Leases with their resource versions, a cluster without nodes, and who
//! may do what.
//! Its texts are those that kubectl 1.32.4 was seen to turn into its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// One that listens on loopback until the test ends.
pub(crate) struct ApiServer {
    port: u16,
    leases: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    version: u64,
    leases: BTreeMap<String, Value>,
    /// Verb and resource that nobody may use.
    denied: Option<(String, String)>,
}

impl ApiServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let leases = Arc::<Mutex<Store>>::default();
        let store = Arc::clone(&leases);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let store = Arc::clone(&store);
                // A client that goes away in the middle is nobody's trouble.
                std::thread::spawn(move || drop(serve(&stream, &store)));
            }
        });
        Self { port, leases }
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
        self.leases.lock().unwrap().denied = denied;
    }

    /// An annotation of the Lease.
    pub(crate) fn annotation(&self, key: &str) -> Option<String> {
        let store = self.leases.lock().unwrap();
        Some(store.leases.get("rollbook")?["metadata"]["annotations"][key].as_str()?.to_owned())
    }
}

fn serve(stream: &TcpStream, store: &Mutex<Store>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (verb, path) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = path.split('?').next().unwrap_or_default();
    let (code, answer) = answer(&verb, path, &body, &mut store.lock().unwrap());
    let text = answer.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn answer(verb: &str, path: &str, body: &[u8], store: &mut Store) -> (u16, Value) {
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    if let Some(rest) = path.strip_prefix(leases) {
        return lease(verb, rest.trim_start_matches('/'), body, store);
    }
    if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
        return (201, review(body, store));
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
            (200, json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": []}))
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
        "status": { "allowed": !store.denied.as_ref().is_some_and(denied) },
    })
}

fn resources(group: &str, name: &str, kind: &str, namespaced: bool) -> Value {
    let verbs = ["create", "get", "list", "update"];
    let resource =
        json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs});
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": [resource]})
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
            object["metadata"]["resourceVersion"] = store.version.to_string().into();
            store.leases.insert(name, object.clone());
            (if verb == "POST" { 201 } else { 200 }, object)
        }
        _ => failure(404, "NotFound", &format!("leases.coordination.k8s.io \"{name}\" not found")),
    }
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
        "details": {"group": "coordination.k8s.io", "kind": "leases"},
    });
    (code, status)
}
