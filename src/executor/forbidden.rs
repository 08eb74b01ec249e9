//! Decides what a refusal of the API server means for whoever was refused: to ask again, or that the account has not the
//! right. Every look, every op of kubectl and the lock ask here.

use tokio::time::Instant;

use super::context::Shared;
use crate::engine::{Cause, Failure};
use crate::kubernetes::KubeCx;
use crate::kubernetes::rights::{self, REVIEW, Right, RightAnswer, RightState};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::transport::Session;
use crate::value::{Duration, escape};

/// How long an API server may forbid everything and count as one that starts.
pub(super) const STARTING: Duration = Duration::from_secs(60);

/// Between two questions to one that starts: its rules are read within a second or two.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);

/// So many unclear words in a row are taken as they are.
const UNCLEAR: u32 = 3;
/// A server that has read a part of its rules may say so, wrongly, once.
const MISSING: u32 = 2;

/// What the API server forbade, where one of these answers says so.
pub(super) fn refusal<'a>(probe: &Probe, answers: &'a [ProbeOutput]) -> Option<&'a str> {
    let mut asked = probe.queries.iter().zip(answers);
    let is_refused = |(query, answer): &(&Query, &ProbeOutput)| {
        !answer.ok() && query.asks_api && rights::may_pass(&answer.stderr)
    };
    asked.find(is_refused).map(|(_, answer)| answer.stderr.as_str())
}

/// What an API server that starts is called, with its own words.
pub(super) fn starting(stderr: &str) -> String {
    format!(
        "the API server is starting, and forbids everything until it has read its rules: {}",
        words(stderr)
    )
}

/// What an op is told to wait for that was forbidden under a right which the account has by now.
pub(super) fn given(stderr: &str) -> String {
    format!("the API server forbade it, and by now says that the account has the right: {}", words(stderr))
}

/// Whether kubectl said nothing but that it was forbidden. What it printed beside that, it has done; and where a program in
/// a pod was refused, kubectl adds how that ended.
pub(super) fn is_all_it_said(stdout: &str, stderr: &str) -> bool {
    let mut lines = stderr.lines().filter(|line| !line.trim().is_empty());
    stdout.trim().is_empty() && lines.next().is_some_and(rights::may_pass) && lines.next().is_none()
}

fn words(stderr: &str) -> String {
    escape(stderr.lines().rev().find(|line| rights::may_pass(line)).unwrap_or(stderr).trim())
}

/// Asks whether the account has the right that was refused, in the way in which it was refused.
pub(super) async fn review(
    kube: &KubeCx,
    stderr: &str,
    ask: impl AsyncFnOnce(Probe) -> Option<Vec<ProbeOutput>>,
) -> RightState {
    let right = Right::refused(stderr);
    let probe = probe(kube, vec![rights::review(right.as_ref())]);
    let Some(answers) = ask(probe).await else { return RightState::Unclear };
    let [review, version] = answers.as_slice() else { return RightState::Unclear };
    RightState::of(said(review), said(version), right.is_some())
}

/// The look that [`standings`] reads: whether the account has each of these rights.
pub(super) fn reviews(kube: &KubeCx, rights: &[Right]) -> Probe {
    probe(kube, rights.iter().map(|right| rights::review(Some(right))).collect())
}

/// What the answers to [`reviews`] say of each right.
pub(super) fn standings(answers: &[ProbeOutput]) -> Vec<RightState> {
    let Some((version, reviews)) = answers.split_last() else { return Vec::new() };
    reviews.iter().map(|review| RightState::of(said(review), said(version), true)).collect()
}

/// A review for each manifest, and last the server's version.
fn probe(kube: &KubeCx, manifests: Vec<String>) -> Probe {
    let query = |words: &[&str], stdin: String| {
        let mut argv = kube.argv();
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        Query { stdin, ..Query::of_kubectl(argv) }
    };
    let [review, version] = REVIEW;
    let mut queries: Vec<Query> = manifests.into_iter().map(|manifest| query(review, manifest)).collect();
    queries.push(query(version, String::new()));
    let calls = u64::try_from(queries.len()).unwrap_or(u64::MAX);
    let timeout = kube.request_timeout.saturating_mul(calls).saturating_add(Duration::from_secs(5));
    Probe { site: Site::Kube, queries, r#become: kube.r#become, timeout }
}

fn said(answer: &ProbeOutput) -> RightAnswer<'_> {
    RightAnswer { rc: answer.rc, stdout: &answer.stdout, stderr: &answer.stderr }
}

/// What follows from a refusal.
pub(super) enum RefusalVerdict {
    /// The question is asked again after this pause; with what people are told where the server is starting.
    Again { pause: Duration, starting: Option<String> },
    /// The right is missing: the refusal stands.
    Stands,
    /// The server has been starting for too long.
    Over(Failure),
}

/// Refusals of one question, one after the other.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Option<Instant>,
    unclear: u32,
    missing: u32,
}

impl Refusals {
    /// What follows from one more.
    pub(super) fn weigh(&mut self, standing: RightState, stderr: &str) -> RefusalVerdict {
        let since = *self.since.get_or_insert_with(Instant::now);
        match standing {
            RightState::Missing => self.missing += 1,
            RightState::Given | RightState::Unclear => self.unclear += 1,
            RightState::Starting => (self.unclear, self.missing) = (0, 0),
        }
        if self.missing >= MISSING || self.unclear > UNCLEAR {
            return RefusalVerdict::Stands;
        }
        match standing {
            RightState::Missing => RefusalVerdict::Again { pause: Duration::ZERO, starting: None },
            RightState::Starting if since.elapsed() >= STARTING.to_std() => {
                RefusalVerdict::Over(still_starting(stderr))
            }
            RightState::Starting => {
                RefusalVerdict::Again { pause: ASK_AGAIN, starting: Some(starting(stderr)) }
            }
            RightState::Given | RightState::Unclear => {
                RefusalVerdict::Again { pause: ASK_AGAIN, starting: None }
            }
        }
    }

    /// What follows for an op, which is sent again only for a good reason: what nobody can explain stands at once, be it a
    /// quota, a policy or a webhook.
    pub(super) fn weigh_op(&mut self, standing: RightState, stderr: &str) -> RefusalVerdict {
        if standing == RightState::Unclear {
            return RefusalVerdict::Stands;
        }
        self.weigh(standing, stderr)
    }
}

/// What follows where the API server forbade one of these questions; it stands where it did not.
pub(super) async fn weigh(
    shared: &Shared,
    refusals: &mut Refusals,
    probe: &Probe,
    answers: &[ProbeOutput],
    session: &dyn Session,
) -> RefusalVerdict {
    let (Some(stderr), Some(kube)) = (refusal(probe, answers), &shared.plan.kube) else {
        return RefusalVerdict::Stands;
    };
    let standing = review(&kube.cx, stderr, async |probe| session.probe(&probe).await.ok()).await;
    let verdict = refusals.weigh(standing, stderr);
    if let RefusalVerdict::Again { starting: Some(reason), .. } = &verdict {
        shared.cluster_is_starting(reason.clone());
    }
    verdict
}

fn still_starting(stderr: &str) -> Failure {
    Failure {
        cause: Cause::TimedOut,
        message: format!("the API server has forbidden everything for {STARTING}: {}", words(stderr)),
        hint: "look at the log of kube-apiserver, and at the ClusterRoleBindings `system:basic-user` and that of the \
               account: `kubectl auth whoami`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "Error from server (Forbidden): nodes is forbidden: User \"kubernetes-admin\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";

    /// How often a question is asked again, and how it ends.
    fn weighed(standings: impl IntoIterator<Item = (u64, RightState)>) -> (u32, &'static str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let (mut refusals, mut again) = (Refusals::default(), 0);
            for (after, standing) in standings {
                tokio::time::advance(std::time::Duration::from_secs(after)).await;
                match refusals.weigh(standing, NODES) {
                    RefusalVerdict::Again { .. } => again += 1,
                    RefusalVerdict::Stands => return (again, "stands"),
                    RefusalVerdict::Over(failure) => {
                        assert!(failure.message.contains("for 1m: Error from server"), "{}", failure.message);
                        return (again, "over");
                    }
                }
            }
            (again, "answered")
        })
    }

    #[test]
    fn a_server_that_starts_is_asked_again_for_a_minute_and_a_missing_right_is_named_at_once() {
        use RightState::{Given, Missing, Starting, Unclear};
        assert_eq!(weighed(std::iter::repeat_n((1, Starting), 100)), (60, "over"));
        assert_eq!(weighed([(0, Missing), (0, Missing)]), (1, "stands"));
        assert_eq!(weighed([(0, Starting), (1, Missing), (0, Starting), (1, Given)]), (4, "answered"));
        assert_eq!(weighed([(0, Given), (1, Unclear), (1, Given), (1, Given)]), (3, "stands"));
    }

    #[test]
    fn an_op_is_sent_again_only_for_a_good_reason() {
        let weighed = |standing| Refusals::default().weigh_op(standing, NODES);
        assert!(matches!(weighed(RightState::Unclear), RefusalVerdict::Stands));
        assert!(matches!(weighed(RightState::Starting), RefusalVerdict::Again { starting: Some(_), .. }));
        assert!(matches!(weighed(RightState::Given), RefusalVerdict::Again { starting: None, .. }));
    }

    #[test]
    fn what_kubectl_says_beside_a_refusal_may_be_work_that_it_did() {
        let program =
            "Error from server (Forbidden): pods is forbidden\ncommand terminated with exit code 1\n";
        for (stdout, stderr, expected) in [
            ("", NODES, true),
            ("\n", &format!("\n{NODES}\n"), true),
            ("configmap/a created\n", NODES, false),
            ("", program, false),
            ("", "", false),
        ] {
            assert_eq!(is_all_it_said(stdout, stderr), expected, "{stdout}{stderr}");
        }
    }
}
