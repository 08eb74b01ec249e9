//! Looks at the cluster all the time while something rolls: who is out, and does the workload answer.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
pub(crate) struct Watch<S = Sample> {
    stop: Arc<AtomicBool>,
    /// How often it has looked and seen something.
    looks: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Vec<S>>>,
}

impl Watch {
    /// Starts to look at nodes and workload.
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::of(lab, PAUSE, sample)
    }

    /// Starts to look at nodes, where there is no workload.
    pub(crate) fn of_nodes(lab: &Lab) -> Self {
        Self::of(lab, PAUSE, |name| {
            Some(Sample { out: out(&state(name, "nodes")?), replicas: 0, service: Service::Nobody })
        })
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(700);

impl<S: Send + 'static> Watch<S> {
    /// Starts to look at the lab of this name, with such pauses.
    pub(crate) fn of(lab: &Lab, pause: Duration, look: impl Fn(&str) -> Option<S> + Send + 'static) -> Self {
        let name = lab.name.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let looks = Arc::new(AtomicUsize::new(0));
        let (stopped, looked) = (Arc::clone(&stop), Arc::clone(&looks));
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                samples.extend(look(&name));
                looked.store(samples.len(), Ordering::Relaxed);
                std::thread::sleep(pause);
            }
            samples
        });
        Self { stop, looks, thread: Some(thread) }
    }

    /// Waits until it has looked so many times more.
    pub(crate) fn sees(&self, more: usize) {
        let enough = self.looks.load(Ordering::Relaxed) + more;
        while self.looks.load(Ordering::Relaxed) < enough {
            assert!(self.thread.as_ref().is_some_and(|thread| !thread.is_finished()), "the watcher ended");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What it saw, oldest first. Moments at which the API did not answer are no samples.
    pub(crate) fn end(mut self) -> Vec<S> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it ends once").join().expect("the watcher ends well")
    }
}

impl<S> Drop for Watch<S> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sample(name: &str) -> Option<Sample> {
    let json = state(name, "nodes,deployments")?;
    let web =
        json.get("items")?.as_array()?.iter().find(|item| {
            text_at(item, "/kind") == "Deployment" && text_at(item, "/metadata/name") == "web"
        })?;
    let replicas = web.pointer("/status/readyReplicas").and_then(Json::as_i64).unwrap_or(0);
    Some(Sample { out: out(&json), replicas, service: service(name) })
}

fn state(name: &str, kinds: &str) -> Option<Json> {
    let output = kubectl(name, &["get", kinds, "-n", "lab", "-o", "json"]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

fn out(state: &Json) -> Vec<String> {
    let out = Node::list(state).into_iter().filter(|node| node.cordoned || !node.ready);
    out.map(|node| node.name).collect()
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

impl Sample {
    /// How many nodes were out, of those whose names start with `prefix`.
    pub(crate) fn out_of(&self, prefix: &str) -> usize {
        self.out.iter().filter(|name| name.starts_with(prefix)).count()
    }
}

/// Fails, and shows when, where something was so that never must be.
#[track_caller]
pub(crate) fn never(samples: &[Sample], what: &str, is: impl Fn(&Sample) -> bool) {
    let seen: Vec<(usize, &Sample)> = samples.iter().enumerate().filter(|(_, sample)| is(sample)).collect();
    assert!(
        seen.is_empty(),
        "{what} at {} of {} looks: {:?}",
        seen.len(),
        samples.len(),
        &seen[..seen.len().min(8)]
    );
}
