//! The step `wait`: its fields and what it looks at. What the looks mean is in [`seen`].

mod seen;

use std::sync::LazyLock;

use super::args::Args;
use super::build::{absolute_path, argv, query, query_of, refuse_secrets, wrong};
use super::label_selector::checked;
use super::node_state::{kube, kubectl_probe, kubectl_query, on_node};
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Poll, Role, StepKind, Subject};
use crate::kubernetes::node::NODES;
use crate::kubernetes::pod::PODS;
use crate::op::{Effect, Probe, ProbeOutput, Query, Site};
use crate::value::{Duration, Field, Type, Value};

/// Waits until something is so.
pub(crate) struct Wait;

/// What can be waited for; exactly one.
const SUBJECTS: [&str; 7] = ["node", "nodes", "pods", "url", "port", "file", "command"];

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let ready = || Type::Enum(vec!["ready".to_owned()]);
    let pods = Type::Record(vec![
        Field::required("namespace", Type::Str, "Their namespace."),
        Field::required("selector", Type::Str, "Their labels, such as `app=web`."),
    ]);
    vec![
        Field::optional("node", ready(), "The host's node is Ready."),
        Field::optional("kubelet", Type::Version, "With `node`: and its kubelet reports this version."),
        Field::optional("nodes", ready(), "All nodes of the cluster are Ready."),
        Field::optional("pods", pods, "All pods of a selection are Ready, and there is at least one."),
        Field::optional("url", Type::Str, "The host gets a success from this URL. Needs curl on the host."),
        Field::optional("port", Type::Int, "Something listens on this TCP port of the host."),
        Field::optional("file", Type::Str, "This file is there on the host."),
        Field::optional(
            "command",
            Type::List(Box::new(Type::Str)),
            "This command ends with 0. It must change nothing.",
        ),
        Field::with_default(
            "for",
            Type::Duration,
            Value::Duration(Duration::from_secs(300)),
            "How long it may take; then the host fails.",
        ),
        Field::with_default(
            "stable_for",
            Type::Duration,
            Value::Duration(Duration::ZERO),
            "How long it must stay so without a break.",
        ),
        Field::with_default(
            "interval",
            Type::Duration,
            Value::Duration(Duration::from_secs(5)),
            "Between the end of one look and the next.",
        ),
    ]
});

impl StepKind for Wait {
    fn name(&self) -> &'static str {
        "wait"
    }

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

    fn fields(&self) -> &'static [Field] {
        &FIELDS
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

    fn lower(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let args = Args(args);
        let poll = poll(args)?;
        let (title, probe) = look(args, cx)?;
        Ok(Lowered { probe: Some(probe), poll: Some(poll), ..Lowered::idle(title, Role::Check) })
    }

    fn assess(
        &self,
        args: &Value,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        seen::assess(Args(args), subject, answers)
    }
}

fn poll(args: Args<'_>) -> Result<Poll, LowerError> {
    let or = |field: &str, default: u64| args.duration(field).unwrap_or(Duration::from_secs(default));
    // Looking without a pause would load the API for nothing.
    let interval = or("interval", 5).max(Duration::from_millis(500));
    let poll = Poll { interval, stable_for: or("stable_for", 0), within: or("for", 300) };
    if args.duration("interval") == Some(Duration::ZERO) {
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
fn look(args: Args<'_>, cx: &LowerCx<'_>) -> Result<(String, Probe), LowerError> {
    if args.has("node") {
        let on = on_node(cx, "wait")?;
        let kubelet =
            args.version("kubelet").map(|version| format!(" with kubelet {version}")).unwrap_or_default();
        let title = format!("wait for {} to be Ready{kubelet}", on.node);
        return Ok((title, kubectl_probe(on.kube, vec![on.node_query()])));
    }
    if args.has("nodes") {
        let kube = kube(cx, "wait")?;
        let words = ["get", "nodes", "--chunk-size=500", "-o", NODES];
        let title = "wait for all nodes to be Ready".to_owned();
        return Ok((title, kubectl_probe(kube, vec![kubectl_query(kube, &words)])));
    }
    if let Some(pods) = args.get("pods") {
        return look_at_pods(Args(pods), cx);
    }
    let (title, queries) = look_at_host(args)?;
    let site = cx.run_on.unwrap_or(Site::Subject);
    let timeout = cx.timeout.min(Duration::from_secs(60));
    Ok((title, Probe { site, queries, r#become: cx.r#become, timeout }))
}

fn look_at_pods(pods: Args<'_>, cx: &LowerCx<'_>) -> Result<(String, Probe), LowerError> {
    let kube = kube(cx, "wait")?;
    let (namespace, selector) =
        (pods.text("namespace").unwrap_or("default"), pods.text("selector").unwrap_or_default());
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

fn look_at_host(args: Args<'_>) -> Result<(String, Vec<Query>), LowerError> {
    if let Some(url) = args.text("url") {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong(
                format!("`url` is `{}`", url.escape_debug()),
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
    if let Some(Value::Int(port)) = args.get("port") {
        if !(1..=65535).contains(port) {
            return Err(wrong(format!("`port` is {port}"), "write a number from 1 to 65535"));
        }
        // The kernel's own tables: no program beyond the base system, and no connection that the service would see.
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| query(&["cat", table]));
        return Ok((format!("wait for port {port}"), tables.into()));
    }
    if let Some(file) = args.text("file") {
        return Ok((format!("wait for {file}"), vec![query(&["test", "-e", absolute_path("file", file)?])]));
    }
    let command: Vec<String> = args.texts("command").iter().map(|word| (*word).to_owned()).collect();
    if command.first().is_none_or(String::is_empty) {
        if args.has("command") {
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
