//! Looks at the cluster all the time while something rolls: who is out, and does the workload answer.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value as Json;

use crate::lab::{Lab, Node, lab, text_at};

/// What was seen at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Nodes that are cordoned or not Ready.
    pub(crate) out: Vec<String>,
    /// Ready replicas of the Deployment, whose budget lets one of two be away.
    pub(crate) replicas: i64,
    /// What a request to the Service gave through the API server.
    pub(crate) service: Service,
}

/// How the Service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Answers,
    /// No pod stands behind it.
    Nobody,
    /// The request came to nothing: the API server that carried it was being replaced.
    Lost,
}

/// A watcher; ends when asked for what it saw.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Sample>>>,
}

impl Watch {
    /// Starts to look.
    pub(crate) fn start(lab: &Lab) -> Self {
        let name = lab.name.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                samples.extend(sample(&name));
                std::thread::sleep(Duration::from_millis(700));
            }
            samples
        });
        Self { stop, thread: Some(thread) }
    }

    /// What it saw, oldest first. Moments at which the API did not answer are no samples.
    pub(crate) fn end(mut self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it ends once").join().expect("the watcher ends well")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sample(name: &str) -> Option<Sample> {
    let output = kubectl(name, &["get", "nodes,deployments", "-n", "lab", "-o", "json"]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let json: Json = serde_json::from_slice(&output.stdout).ok()?;
    let out = Node::list(&json)
        .into_iter()
        .filter(|node| node.cordoned || !node.ready)
        .map(|node| node.name)
        .collect();
    let deployment =
        json.get("items")?.as_array()?.iter().find(|item| text_at(item, "/kind") == "Deployment")?;
    let replicas = deployment.pointer("/status/readyReplicas").and_then(Json::as_i64).unwrap_or(0);
    Some(Sample { out, replicas, service: service(name) })
}

fn service(name: &str) -> Service {
    let path = "/api/v1/namespaces/lab/services/web:80/proxy/";
    match kubectl(name, &["get", "--raw", path]).output() {
        Ok(output) if output.status.success() => Service::Answers,
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("no endpoints available") => {
            Service::Nobody
        }
        _ => Service::Lost,
    }
}

fn kubectl(name: &str, args: &[&str]) -> Command {
    let mut words = vec!["kubectl", "--request-timeout=5s"];
    words.extend_from_slice(args);
    let mut command = lab(name, &words);
    command.stderr(Stdio::piped());
    command
}

/// The most nodes that were out at once, of those whose names start with `prefix`.
pub(crate) fn most_out(samples: &[Sample], prefix: &str) -> usize {
    samples
        .iter()
        .map(|sample| sample.out.iter().filter(|name| name.starts_with(prefix)).count())
        .max()
        .unwrap_or(0)
}
