//! The step `wait`: its fields and what it looks at. What the looks mean is in [`seen`].

mod seen;

use super::arguments::{Arguments, FromValue, arguments, word_arguments};
use super::build::{absolute_path, argv, query, query_of, refuse_secrets, wrong};
use super::kind::Kind;
use super::label_selector::checked;
use super::node_state::{kube, kubectl_probe, kubectl_query, on_node};
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Poll, Role, Subject};
use crate::kubernetes::node::NODES;
use crate::kubernetes::pod::PODS;
use crate::op::{Effect, Probe, ProbeOutput, Query, Site};
use crate::value::{Duration, Type, Value, Version};

/// Waits until something is so.
pub(crate) struct Wait;

/// What can be waited for; exactly one.
const SUBJECTS: [&str; 7] = ["node", "nodes", "pods", "url", "port", "file", "command"];

arguments! {
    /// What is waited for, and how long.
    pub(crate) struct WaitArgs {
        /// The host's node is Ready.
        node: Option<Ready>,
        /// With `node`: and its kubelet reports this version.
        kubelet: Option<Version>,
        /// All nodes of the cluster are Ready.
        nodes: Option<Ready>,
        /// All pods of a selection are Ready, and there is at least one.
        pods: Option<WaitPods>,
        /// The host gets a success from this URL. Needs curl on the host.
        url: Option<String>,
        /// Something listens on this TCP port of the host.
        port: Option<i64>,
        /// This file is there on the host.
        file: Option<String>,
        /// This command ends with 0. It must change nothing.
        command: Option<Vec<String>>,
        /// How long it may take; then the host fails.
        within ("for"): Duration = Duration::from_secs(300),
        /// How long it must stay so without a break.
        stable_for: Duration = Duration::ZERO,
        /// Between the end of one look and the next.
        interval: Duration = Duration::from_secs(5),
    }
}

arguments! {
    /// Which pods are waited for.
    pub(crate) struct WaitPods {
        /// Their namespace.
        namespace: String,
        /// Their labels, such as `app=web`.
        selector: String,
    }
}

impl FromValue for WaitPods {
    fn ty() -> Type {
        Type::Record(Self::fields().to_vec())
    }

    fn from_value(value: &Value) -> Option<Self> {
        Self::read(value).ok()
    }
}

/// The only thing that a node can be waited for to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    Ready,
}

word_arguments!(Ready { "ready" => Ready });

impl Kind for Wait {
    type Args = WaitArgs;

    const NAME: &'static str = "wait";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Waits until a node, pods, a port, a file, a URL or a command is as it should be",
            body: "Looks again and again, changing nothing, and fails the host when the time is up, with what it last saw. After \
                   a kubelet restart give `stable_for`: the node may still show the Ready of before, and static pods show \
                   0/1 for 60 to 90 s though they are healthy. `kubelet:` makes sure that it is the new one that reports.",
            example: "- wait: { node: ready, kubelet: 1.31.4, for: 10m, stable_for: 20s }\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let subjects: Vec<_> = SUBJECTS.iter().filter(|subject| written.contains(subject)).collect();
        let mut messages = Vec::new();
        if subjects.len() != 1 {
            messages.push(format!("write exactly one of `{}`", SUBJECTS.join("`, `")));
        }
        if written.contains(&"kubelet") && !written.contains(&"node") {
            messages.push("`kubelet` is about `node: ready`, which is not written".to_owned());
        }
        messages
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn lower(&self, args: &WaitArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let poll = poll(args)?;
        let (title, probe) = look(args, cx)?;
        Ok(Lowered { probe: Some(probe), poll: Some(poll), ..Lowered::idle(title, Role::Check) })
    }

    fn assess(
        &self,
        args: &WaitArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        seen::assess(args, subject, answers)
    }
}

fn poll(args: &WaitArgs) -> Result<Poll, LowerError> {
    // Looking without a pause would load the API for nothing.
    let interval = args.interval.max(Duration::from_millis(500));
    let poll = Poll { interval, stable_for: args.stable_for, within: args.within };
    if args.interval == Duration::ZERO {
        return Err(wrong(
            "`interval` is 0s, and looks need a pause between them",
            "write a time such as `5s`",
        ));
    }
    if poll.within == Duration::ZERO {
        return Err(wrong("`for` is 0s, in which nothing comes about", "write a time such as `5m`"));
    }
    if poll.stable_for > poll.within {
        return Err(wrong(
            format!(
                "`stable_for` {} is longer than `for` {}: it could never end well",
                poll.stable_for, poll.within
            ),
            "raise `for` above it",
        ));
    }
    Ok(poll)
}

/// What is waited for, in words, and the look at it.
fn look(args: &WaitArgs, cx: &LowerCx<'_>) -> Result<(String, Probe), LowerError> {
    if args.node.is_some() {
        let on = on_node(cx, "wait")?;
        let kubelet =
            args.kubelet.as_ref().map(|version| format!(" with kubelet {version}")).unwrap_or_default();
        let title = format!("wait for {} to be Ready{kubelet}", on.node);
        return Ok((title, kubectl_probe(on.kube, vec![on.node_query()])));
    }
    if args.nodes.is_some() {
        let kube = kube(cx, "wait")?;
        let words = ["get", "nodes", "--chunk-size=500", "-o", NODES];
        let title = "wait for all nodes to be Ready".to_owned();
        return Ok((title, kubectl_probe(kube, vec![kubectl_query(kube, &words)])));
    }
    if let Some(pods) = &args.pods {
        return look_at_pods(pods, cx);
    }
    let (title, queries) = look_at_host(args)?;
    let site = cx.run_on.unwrap_or(Site::Subject);
    let timeout = cx.timeout.min(Duration::from_secs(60));
    Ok((title, Probe { site, queries, r#become: cx.r#become, timeout }))
}

fn look_at_pods(pods: &WaitPods, cx: &LowerCx<'_>) -> Result<(String, Probe), LowerError> {
    let kube = kube(cx, "wait")?;
    let WaitPods { namespace, selector } = pods;
    if selector.is_empty() {
        return Err(wrong(
            "`pods.selector` is empty, which selects every pod",
            "write labels such as `app=web`",
        ));
    }
    checked("pods.selector", selector)?;
    let words = [
        "get",
        "pods",
        &format!("--namespace={namespace}"),
        &format!("--selector={selector}"),
        "--chunk-size=500",
        "-o",
        PODS,
    ];
    let query = kubectl_query(kube, &words);
    refuse_secrets(&query.argv)?;
    Ok((format!("wait for pods {selector} of {namespace} to be Ready"), kubectl_probe(kube, vec![query])))
}

fn look_at_host(args: &WaitArgs) -> Result<(String, Vec<Query>), LowerError> {
    if let Some(url) = &args.url {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong(
                format!("`url` is `{}`, which is no address of a web server", url.escape_debug()),
                "write it with `https://` or `http://`",
            ));
        }
        let words = [
            "curl",
            "--fail",
            "--silent",
            "--show-error",
            "--output",
            "/dev/null",
            "--max-time",
            "10",
            "--url",
            url,
        ];
        refuse_secrets(&argv(&words))?;
        return Ok((format!("wait for {url}"), vec![query(&words)]));
    }
    if let Some(port) = args.port {
        if !(1..=65535).contains(&port) {
            return Err(wrong(
                format!("`port` is {port}, which is no port"),
                "write a number from 1 to 65535",
            ));
        }
        // The kernel's own tables: no program beyond the base system, and no connection that the service would see.
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| query(&["cat", table]));
        return Ok((format!("wait for port {port}"), tables.into()));
    }
    if let Some(file) = &args.file {
        return Ok((format!("wait for {file}"), vec![query(&["test", "-e", absolute_path("file", file)?])]));
    }
    let command = args.command.clone().unwrap_or_default();
    if command.first().is_none_or(String::is_empty) {
        if args.command.is_some() {
            return Err(wrong(
                "`command` is empty",
                "write a program and its arguments, such as `[test, -e, /run/x]`",
            ));
        }
        return Err(wrong(
            format!("`wait` has nothing to wait for: write exactly one of `{}`", SUBJECTS.join("`, `")),
            "an empty `command` is none",
        ));
    }
    refuse_secrets(&command)?;
    Ok((format!("wait for `{}`", command.join(" ")), vec![query_of(command)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_thing_is_waited_for() {
        for (written, messages) in [
            (&["node", "kubelet", "for"][..], 0),
            (&["port"], 0),
            (&["node", "port"], 1),
            (&["for"], 1),
            (&["port", "kubelet"], 1),
            (&["kubelet"], 2),
        ] {
            assert_eq!(Wait.check(written).len(), messages, "{written:?}");
        }
    }

    #[test]
    fn cases_hold() {
        crate::step::cases::run("wait");
    }
}
