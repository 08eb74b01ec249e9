//! `rollbook exec`: one command on many hosts. Without `--change` it is a look: nothing is recorded, and no root without
//! `--become`. With it, it is a run as any other, with a plan, the lock, the launcher and a record.

mod change;

use std::rc::Rc;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use super::args::Exec as Args;
use super::connections::{Connections, runtime, targets};
use super::load::{load_inventory, selected};
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::executor::Pool;
use crate::inventory::{HostName, Inventory};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::report::ExitKind;
use crate::transport::SessionError;
use crate::value::escape;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    refuse(args)?;
    let inventory = load_inventory(&args.inventory, terminal)?;
    let hosts = selected(&args.selector, "the selector", &inventory)?;
    if hosts.is_empty() {
        return Err(AppError::new(ExitKind::Invalid, format!("`{}` has no hosts", args.selector)));
    }
    if args.change {
        return change::run(args, inventory, &hosts, terminal);
    }
    let ends = runtime()?.block_on(look(args, &inventory, &hosts, terminal))?;
    verdict(&ends)
}

/// What would be ignored without a word, and what no host could run.
fn refuse(args: &Args) -> Result<(), AppError> {
    let given = [("--yes", args.yes), ("--wait-lock", args.wait_lock.is_some())];
    let given = given.into_iter().filter_map(|(flag, given)| given.then_some(flag));
    let mut only_changing = given.chain(args.kubectl.given().map(|(flag, _)| flag));
    if let Some(flag) = only_changing.next().filter(|_| !args.change) {
        return Err(AppError::new(ExitKind::Usage, format!("{flag} belongs to --change"))
            .hint("a command that changes nothing takes no lock and asks nothing"));
    }
    let program = args.command.first().map_or("", String::as_str);
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
async fn look(
    args: &Args,
    inventory: &Inventory,
    hosts: &[HostName],
    terminal: &Terminal,
) -> Result<Vec<(HostName, ExecEnd)>, AppError> {
    let connections = Connections::real(targets(inventory))?;
    let query = Query { argv: args.command.clone(), stdin: String::new(), site: None, r#become: None };
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
                        show(args, &host, (&answer.stdout, &answer.stderr), terminal)?;
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
pub(super) const USUAL_TIMEOUT: crate::value::Duration = crate::value::Duration::from_secs(60);

async fn ask(pool: &Pool, host: &HostName, probe: &Probe) -> Result<ProbeOutput, ExecEnd> {
    let session = pool.session(host).await.map_err(|error| ExecEnd::Unreachable(error.to_string()))?;
    match session.probe(probe).await {
        Ok(answers) => answers.into_iter().next().ok_or_else(|| ExecEnd::Failed("gave no answer".to_owned())),
        Err(error @ SessionError::Lost(_)) => Err(ExecEnd::Unreachable(error.to_string())),
        Err(error) => Err(ExecEnd::Failed(error.to_string())),
    }
}

/// What a host said: its output to stdout, its complaints to stderr, each line with its name, or below it.
fn show(args: &Args, host: &HostName, said: (&str, &str), terminal: &Terminal) -> Outcome {
    let (stdout, stderr) = said;
    let mut out = String::new();
    if args.grouped && !stdout.is_empty() {
        out = format!("{host}\n");
    }
    let before = if args.grouped { "  ".to_owned() } else { format!("{host}  ") };
    for line in stdout.lines() {
        out.push_str(&before);
        out.push_str(&escape(line));
        out.push('\n');
    }
    let code = terminal.data_as_it_is(&out)?;
    for line in stderr.lines() {
        terminal.say(&format!("{host}  {}", escape(line)));
    }
    Ok(code)
}

/// A command that failed is worse than a host that nobody can reach: it may have done half of what it does.
fn verdict(ends: &[(HostName, ExecEnd)]) -> Outcome {
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
