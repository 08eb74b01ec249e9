//! `rollbook runs output`: what the commands of a run printed, from the files beside its journal.

use std::collections::BTreeSet;
use std::fmt::Write;

use camino::Utf8PathBuf;

use crate::app::AppError;
use crate::app::records::{Found, Which, find};
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::plan::{HostId, Plan, StepRef, TaskId, id_as_written};
use crate::report::ExitKind;
use crate::value::escape;

/// Whose output is asked for.
pub(super) struct OutputFilter<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) step: Option<&'a str>,
}

/// A file of output: the op that wrote it, in the order in which ops are sent to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OutputFile {
    phase: u16,
    host: HostId,
    index: u16,
    attempt: u32,
    pass: u32,
    op: u16,
}

pub(super) fn show(
    run: &str,
    wanted: &OutputFilter<'_>,
    state_dir: Option<&Utf8PathBuf>,
    terminal: &Terminal,
) -> Outcome {
    let found = find(state_dir, Some(run), Which::Newest)?.ok_or_else(|| AppError::told(ExitKind::Usage))?;
    let plan = found.read()?.plan;
    let all = files(&found, &plan)?;
    if let Some(host) = wanted.host {
        known("host", host, plan.hosts.iter().map(|host| host.name.to_string()))?;
    }
    let of_host =
        |printed: &&OutputFile| wanted.host.is_none_or(|host| plan.host(printed.host).name.as_str() == host);
    let of_host: Vec<OutputFile> = all.iter().filter(of_host).copied().collect();
    if let Some(step) = wanted.step
        && !of_host.iter().any(|printed| is_step(&plan, printed.task(), step))
    {
        let titles = of_host.iter().map(|printed| title(&plan, printed.task()));
        known("step with output", step, titles)?;
    }
    let of_step = |printed: &&OutputFile| wanted.step.is_none_or(|step| is_step(&plan, printed.task(), step));
    let mut text = String::new();
    for printed in of_host.iter().filter(of_step) {
        printed.write(&found, &plan, &mut text)?;
    }
    if text.is_empty() {
        terminal.say("no command of it printed anything");
    }
    terminal.data_as_it_is(&text)
}

/// Stops unless a name is one of those that there are.
fn known(what: &str, name: &str, there: impl Iterator<Item = String>) -> Result<(), AppError> {
    const SHOWN: usize = 10;
    let there: BTreeSet<String> = there.collect();
    if there.contains(name) {
        return Ok(());
    }
    let mut names: Vec<&str> = there.iter().take(SHOWN).map(String::as_str).collect();
    if there.len() > SHOWN {
        names.push("…");
    }
    let hint = if names.is_empty() {
        "no command printed anything there".to_owned()
    } else {
        format!("there is {}", names.join(", "))
    };
    Err(AppError::new(ExitKind::Usage, format!("the run has no {what} `{}`", escape(name))).hint(hint))
}

/// What was kept, in order. A file that no op of the plan wrote is none of ours.
fn files(found: &Found, plan: &Plan) -> Result<Vec<OutputFile>, AppError> {
    let folder = found.dir.output("");
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(anyhow::Error::from(error).context(format!("cannot read {folder}")).into()),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(anyhow::Error::from)?;
        all.extend(OutputFile::parse(entry.file_name()).filter(|printed| printed.is_of(plan)));
    }
    all.sort_unstable();
    Ok(all)
}

impl OutputFile {
    /// `w1.0-3-2-1-0-0.log`: host, then phase, host's number, task, attempt, go, op.
    fn parse(name: &str) -> Option<Self> {
        let (_, numbers) = name.strip_suffix(".log")?.rsplit_once('.')?;
        let numbers: Vec<u32> = numbers.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [phase, host, index, attempt, pass, op] = numbers.try_into().ok()?;
        let small = |number: u32| u16::try_from(number).ok();
        Some(Self {
            phase: small(phase)?,
            host: HostId(host),
            index: small(index)?,
            attempt,
            pass,
            op: small(op)?,
        })
    }

    fn is_of(self, plan: &Plan) -> bool {
        let phase = plan.phases.get(usize::from(self.phase));
        let tasks = phase.and_then(|phase| phase.tasks_of(self.host));
        tasks.is_some_and(|tasks| usize::from(self.index) < tasks.tasks.len())
    }

    fn task(self) -> TaskId {
        TaskId { phase: self.phase, host: self.host, index: self.index }
    }

    fn write(self, found: &Found, plan: &Plan, out: &mut String) -> Result<(), AppError> {
        let Self { phase, host, index, attempt, pass, op } = self;
        let name = &plan.host(host).name;
        let path = found.dir.output(&format!("{name}.{phase}-{}-{index}-{attempt}-{pass}-{op}.log", host.0));
        let bytes = std::fs::read(&path)
            .map_err(|error| anyhow::Error::from(error).context(format!("cannot read {path}")))?;
        let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        let _ = writeln!(out, "{name}  {}{again}", title(plan, self.task()));
        for line in String::from_utf8_lossy(&bytes).lines() {
            let _ = writeln!(out, "    {}", escape(line.trim_end()));
        }
        Ok(())
    }
}

fn title(plan: &Plan, task: TaskId) -> String {
    plan.spelled(plan.title(task), task.host)
}

/// Whether a step is called so, by its id, its title or its kind.
fn is_step(plan: &Plan, task: TaskId, name: &str) -> bool {
    let (id, kind) = match plan.task(task).step {
        StepRef::Action(action) => (&plan.action(action).id, &plan.action(action).kind),
        StepRef::Deferred(deferred) => {
            let step = &plan.deferred[deferred.0 as usize];
            (&step.id, &step.kind)
        }
    };
    let has_id = id.as_ref().is_some_and(|id| id_as_written(id) == name);
    has_id || kind == name || title(plan, task) == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_op_whatever_the_host_is_called() {
        let printed =
            |name: &str| OutputFile::parse(name).map(|it| (it.phase, it.host.0, it.index, it.attempt));
        assert_eq!(printed("w1.0-3-2-1-0-0.log"), Some((0, 3, 2, 1)));
        assert_eq!(printed("w1.example.org.1-0-0-2-0-1.log"), Some((1, 0, 0, 2)));
        for other in ["w1.log", "w1.0-3-2-1-0.log", "w1.0-3-x-1-0-0.log", "w1.0-99999999999-0-0-0-0.log"] {
            assert_eq!(printed(other), None, "{other}");
        }
    }
}
