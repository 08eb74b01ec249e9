//! One command on many hosts. Without `--change` it is a look: nothing is recorded, and no root without
//! `--become`. With it, it is a run as any other, with a plan, the lock, the launcher and a record.

mod change;

use std::rc::Rc;

use camino::Utf8PathBuf;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

pub(crate) use change::change;

use super::connections::{Connections, runtime, targets};
use super::kube::KubectlChoice;
use super::load::{load_inventory, selected};
use super::{AppError, Tell};
use crate::executor::Pool;
use crate::inventory::{HostName, Inventory};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::report::ExitKind;
use crate::transport::SessionError;
use crate::value::{Duration, escape};

/// One command for many hosts.
#[derive(Clone, Debug)]
pub(crate) struct ExecRequest {
    pub(crate) inventory: Utf8PathBuf,
    pub(crate) selector: String,
    pub(crate) command: Vec<String>,
    /// As root.
    pub(crate) r#become: bool,
    /// Hosts at the same time.
    pub(crate) parallel: u32,
    /// How long it may take on a host, if not the usual time.
    pub(crate) timeout: Option<Duration>,
    /// Where kubectl runs, for the lock; of a command that changes something.
    pub(crate) kubectl: KubectlChoice,
}

/// Hears what a host said: its name, its output, its complaints.
pub(crate) type Hear<'a> = &'a dyn Fn(&HostName, (&str, &str)) -> Result<(), AppError>;

/// Runs the command, which changes nothing, and tells what each host said.
pub(crate) fn look(request: &ExecRequest, hear: Hear<'_>, tell: &dyn Tell) -> Result<ExitKind, AppError> {
    let (inventory, hosts) = request.hosts(tell)?;
    let ends = runtime()?.block_on(everywhere(request, &inventory, &hosts, hear))?;
    verdict(&ends)
}

impl ExecRequest {
    fn hosts(&self, tell: &dyn Tell) -> Result<(Inventory, Vec<HostName>), AppError> {
        let inventory = load_inventory(&self.inventory, tell)?;
        let hosts = selected(&self.selector, "the selector", &inventory)?;
        if hosts.is_empty() {
            return Err(AppError::new(ExitKind::Invalid, format!("`{}` has no hosts", self.selector)));
        }
        Ok((inventory, hosts))
    }
}

/// Refuses what no host could run.
pub(crate) fn refuse_program(command: &[String]) -> Result<(), AppError> {
    let program = command.first().map_or("", String::as_str);
    if program.is_empty() || program.starts_with('-') || program.contains('=') {
        return Err(AppError::new(ExitKind::Usage, format!("`{}` is no program", escape(program))).hint(
            "write the program and its arguments after `--`; no shell reads them: `-- sh -c '…'` for a line",
        ));
    }
    Ok(())
}

/// How it ended on a host.
enum ExecEnd {
    Code(i32),
    Failed(String),
    Unreachable(String),
}

/// Runs the command everywhere, and shows what each host said when it has ended there.
async fn everywhere(
    args: &ExecRequest,
    inventory: &Inventory,
    hosts: &[HostName],
    hear: Hear<'_>,
) -> Result<Vec<(HostName, ExecEnd)>, AppError> {
    let connections = Connections::real(targets(inventory))?;
    let query = Query { argv: args.command.clone(), ..Query::default() };
    let timeout = args.timeout.unwrap_or(USUAL_TIMEOUT);
    let probe =
        Rc::new(Probe { site: Site::Subject, queries: vec![query], r#become: args.r#become, timeout });
    let permits = Rc::new(Semaphore::new(args.parallel as usize));
    let mut ends = Vec::new();
    let shown = LocalSet::new()
        .run_until(async {
            let mut looks = JoinSet::new();
            for host in hosts.iter().cloned() {
                let (pool, permits) = (Rc::clone(&connections.pool), Rc::clone(&permits));
                let probe = Rc::clone(&probe);
                looks.spawn_local(async move {
                    let _permit = permits.acquire().await.expect("invariant: nobody closes the semaphore");
                    let answer = ask(&pool, &host, &probe).await;
                    (host, answer)
                });
            }
            while let Some(look) = looks.join_next().await {
                let (host, answer) = look.expect("invariant: a look does not panic");
                let end = match answer {
                    Ok(answer) => {
                        hear(&host, (&answer.stdout, &answer.stderr))?;
                        ExecEnd::Code(answer.rc)
                    }
                    Err(end) => end,
                };
                ends.push((host, end));
            }
            Ok::<(), AppError>(())
        })
        .await;
    connections.close().await;
    shown?;
    Ok(ends)
}

/// Of one command.
const USUAL_TIMEOUT: Duration = Duration::from_secs(60);

async fn ask(pool: &Pool, host: &HostName, probe: &Probe) -> Result<ProbeOutput, ExecEnd> {
    let session = pool.session(host).await.map_err(|error| ExecEnd::Unreachable(error.to_string()))?;
    match session.probe(probe).await {
        Ok(answers) => answers.into_iter().next().ok_or_else(|| ExecEnd::Failed("gave no answer".to_owned())),
        Err(error @ SessionError::Lost(_)) => Err(ExecEnd::Unreachable(error.to_string())),
        Err(error) => Err(ExecEnd::Failed(error.to_string())),
    }
}

/// A command that failed is worse than a host that nobody can reach: it may have done half of what it does.
fn verdict(ends: &[(HostName, ExecEnd)]) -> Result<ExitKind, AppError> {
    let (mut kind, mut problems) = (ExitKind::Ok, Vec::new());
    for (host, end) in ends {
        let (text, its) = match end {
            ExecEnd::Code(0) => continue,
            ExecEnd::Code(rc) => (words(*rc), ExitKind::Failed),
            ExecEnd::Failed(reason) => (reason.clone(), ExitKind::Failed),
            ExecEnd::Unreachable(reason) => (reason.clone(), ExitKind::Unreachable),
        };
        problems.push((format!("{host}: {text}"), ""));
        if kind != ExitKind::Failed {
            kind = its;
        }
    }
    AppError::all(kind, problems).map(|()| kind)
}

fn words(rc: i32) -> String {
    match rc {
        124 => "exit code 124: the time limit ended it, if it was not its own".to_owned(),
        127 => "exit code 127: there is no such program".to_owned(),
        rc => format!("exit code {rc}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_worse_than_a_host_out_of_reach() {
        let host = HostName::parse("h").expect("a name");
        let lost = || ExecEnd::Unreachable(String::new());
        for (ends, code) in [
            (vec![ExecEnd::Code(0)], ExitKind::Ok),
            (vec![ExecEnd::Code(0), lost()], ExitKind::Unreachable),
            (vec![ExecEnd::Code(3), lost()], ExitKind::Failed),
            (vec![lost(), ExecEnd::Failed(String::new()), lost()], ExitKind::Failed),
        ] {
            let ends: Vec<_> = ends.into_iter().map(|end| (host.clone(), end)).collect();
            let found = verdict(&ends).unwrap_or_else(|error| error.kind);
            assert_eq!(found, code);
        }
    }
}
