//! The Lease through kubectl, where the plan's `kube.via` points. Every write is conditional: the API server refuses it
//! where somebody else wrote since the Lease was read, so that an answer that was lost can be asked for again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::time::sleep;

use crate::executor::Pool;
use crate::executor::forbidden::{RefusalVerdict, Refusals, refusal, review, starting};
use crate::executor::look::{api_is_silent, ask, controller_name, why_lame};
use crate::inventory::HostName;
use crate::kubernetes::KubeCx;
use crate::kubernetes::kubectl_errors::{KubectlError, causes, explain, reason};
use crate::kubernetes::lease::{Lease, NAME, NAMESPACE, RESOURCE};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::value::Duration;

/// The way to the Lease of a cluster.
pub struct LeaseApi {
    pool: Rc<Pool>,
    /// Hosts of the pool that kubectl runs on, the preferred one first.
    via: Vec<HostName>,
    cx: KubeCx,
    /// What the API server forbade since it last answered, by kubectl's verb: that it may be read says nothing of writing.
    refusals: RefCell<BTreeMap<String, Refusals>>,
}

/// Why the Lease could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Nothing answers. That is no word about the lock.
    #[error("the API server does not answer: {0}")]
    Silent(String),
    /// It has only just started and forbids everything, or may have: the next try tells. No word about the lock either.
    #[error("{0}")]
    Starting(String),
    /// kubectl or the API server said no, or something that is no Lease.
    #[error("the Lease {NAMESPACE}/{NAME} cannot be used: {what}")]
    Refused {
        /// Why.
        what: String,
        /// What to do.
        hint: String,
    },
}

/// How a conditional write went.
pub(super) enum WriteOutcome {
    /// This is what is there now.
    Landed(Box<Lease>),
    /// Somebody else wrote first, or it is gone.
    Beaten,
}

/// The longest that one call may take: a renewal that hangs is a renewal that is late.
const CALL: Duration = Duration::from_secs(10);
/// Between two tries of an API server that is silent or starts.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

impl LeaseApi {
    /// Through the hosts of `via` in this order; without any, on the controller.
    pub fn new(pool: &Rc<Pool>, controller: &Rc<Pool>, cx: &KubeCx, via: &[HostName]) -> Self {
        let (pool, via) =
            if via.is_empty() { (controller, vec![controller_name()]) } else { (pool, via.to_vec()) };
        let cx = KubeCx { request_timeout: cx.request_timeout.min(CALL), ..cx.clone() };
        Self { pool: Rc::clone(pool), via, cx, refusals: RefCell::default() }
    }

    /// The Lease, or nothing where there is none. Waits for an API server that starts, and tells so once.
    pub async fn read(&self, tell: &mut dyn FnMut(&str)) -> Result<Option<Lease>, LeaseError> {
        let mut told = false;
        loop {
            match self.read_avoiding(&|_| false).await {
                Err(LeaseError::Starting(why)) => {
                    if !std::mem::replace(&mut told, true) {
                        tell(&format!("waiting: {why}"));
                    }
                    sleep(AGAIN.to_std()).await;
                }
                read => return read,
            }
        }
    }

    /// The same at once, through a host that is not busy if there is one.
    pub(super) async fn read_avoiding(
        &self,
        busy: &dyn Fn(&HostName) -> bool,
    ) -> Result<Option<Lease>, LeaseError> {
        let answer = self.call(&["get", RESOURCE, NAME, "--ignore-not-found"], "", busy).await?;
        if answer.rc != 0 {
            return Err(refused(&answer));
        }
        Lease::parse(&answer.stdout).map_err(|what| unreadable(&what))
    }

    /// Writes a Lease in the place of the version that it names, or makes one where it names none.
    pub(super) async fn write(
        &self,
        lease: &Lease,
        busy: &dyn Fn(&HostName) -> bool,
    ) -> Result<WriteOutcome, LeaseError> {
        let verb = if lease.version.is_empty() { "create" } else { "replace" };
        // To check a file, kubectl would fetch the API's whole schema first, megabytes of it, at every renewal.
        let words = [verb, "-f", "-", "--validate=false"];
        let answer = self.call(&words, &lease.manifest(), busy).await?;
        if answer.rc == 0 {
            let written = Lease::parse(&answer.stdout).map_err(|what| unreadable(&what))?;
            return written
                .map(Box::new)
                .map(WriteOutcome::Landed)
                .ok_or_else(|| unreadable("nothing was printed"));
        }
        match causes(&answer.stderr).first() {
            Some(KubectlError::Conflict | KubectlError::AlreadyExists | KubectlError::NotFound) => {
                Ok(WriteOutcome::Beaten)
            }
            _ => Err(refused(&answer)),
        }
    }

    /// The first answer of an API server through any of the hosts.
    async fn call(
        &self,
        words: &[&str],
        stdin: &str,
        busy: &dyn Fn(&HostName) -> bool,
    ) -> Result<ProbeOutput, LeaseError> {
        let mut argv = self.cx.argv();
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        argv.extend([format!("--namespace={NAMESPACE}"), "--output=json".to_owned()]);
        let query = Query { stdin: stdin.to_owned(), ..Query::of_kubectl(argv) };
        let timeout = self.cx.request_timeout.saturating_add(Duration::from_secs(5));
        let probe = Probe { site: Site::Kube, queries: vec![query], r#become: self.cx.r#become, timeout };
        let mut via: Vec<&HostName> = self.via.iter().collect();
        via.sort_by_key(|host| busy(host));
        let mut api_away = "there is no host to ask".to_owned();
        let (mut lame, mut is_silent) = (None, false);
        for host in via {
            let said = match ask(&self.pool, host, &probe).await {
                Ok(answers) => match answers.into_iter().next() {
                    Some(answer) if api_is_silent(answer.rc, &answer.stderr) || answer.rc == 124 => {
                        reason(answer.rc, &answer.stdout, &answer.stderr)
                    }
                    // Nothing is wrong with the cluster: another host may have what this one lacks.
                    Some(answer) if why_lame(&answer).is_some() => {
                        lame.get_or_insert(answer);
                        continue;
                    }
                    Some(answer) => return self.weighed(words[0], host, &probe, answer).await,
                    None => format!("{host} gave no answer"),
                },
                Err(failure) => failure.message,
            };
            (api_away, is_silent) = (said, true);
        }
        // Whoever does not answer may have what the others lack: only where all were asked is it for people to mend.
        match lame {
            Some(answer) if !is_silent => Ok(answer),
            _ => Err(LeaseError::Silent(api_away)),
        }
    }

    /// The answer, unless the API server forbade it and may not mean it.
    async fn weighed(
        &self,
        verb: &str,
        host: &HostName,
        probe: &Probe,
        answer: ProbeOutput,
    ) -> Result<ProbeOutput, LeaseError> {
        let answers = [answer];
        let Some(stderr) = refusal(probe, &answers) else {
            self.refusals.borrow_mut().remove(verb);
            let [answer] = answers;
            return Ok(answer);
        };
        loop {
            let standing =
                review(&self.cx, stderr, async |probe| ask(&self.pool, host, &probe).await.ok()).await;
            let verdict =
                self.refusals.borrow_mut().entry(verb.to_owned()).or_default().weigh(standing, stderr);
            match verdict {
                RefusalVerdict::Again { pause: Duration::ZERO, .. } => {}
                RefusalVerdict::Again { .. } => return Err(LeaseError::Starting(starting(stderr))),
                RefusalVerdict::Over(failure) => {
                    return Err(LeaseError::Refused { what: failure.message, hint: failure.hint });
                }
                RefusalVerdict::Stands => {
                    let [answer] = answers;
                    return Ok(answer);
                }
            }
        }
    }
}

fn refused(answer: &ProbeOutput) -> LeaseError {
    let (what, hint) = match answer.rc {
        127 => (
            reason(answer.rc, &answer.stdout, &answer.stderr),
            "install kubectl where `kube.via` points".to_owned(),
        ),
        _ => explain(&answer.stdout, &answer.stderr),
    };
    let hint = if causes(&answer.stderr).first() == Some(&KubectlError::Forbidden) {
        format!(
            "let the account of `kube.kubeconfig` get, create and update leases in {NAMESPACE}, or write `policy: {{ lock: {{ scope: none }} }}`"
        )
    } else {
        hint
    };
    LeaseError::Refused { what, hint }
}

fn unreadable(what: &str) -> LeaseError {
    LeaseError::Refused {
        what: what.escape_debug().to_string(),
        hint: format!("look at it with `kubectl -n {NAMESPACE} get lease {NAME} -o yaml`"),
    }
}
