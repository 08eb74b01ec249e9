//! The texts that steps are given: scripts, standard input, environment, the content of files. A plan shows their first
//! lines and says how many there are; `-v`, Markdown and what compares two plans show all of them.

use std::fmt::{self, Write};

use super::terms::{of_action, rest_of_action};
use super::text::{Detail, Text, shown_argv};
use crate::op::{Op, show_symbols};
use crate::plan::{Action, ActionId, DeferredStep, Forecast, HostId, Task};
use crate::step::{is_own_variable, shown_line};
use crate::template::as_written;
use crate::value::{Value, reveal};

/// How much of a text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodies {
    /// The first lines of what the author wrote.
    First,
    /// All of all.
    All,
    /// All, and long ones apart from the tasks.
    Folded,
    /// All, and whatever else a plan holds.
    Compared,
}

/// Lines that are shown of a text, where not all are.
const FIRST: usize = 5;
/// Longer texts stand apart, where long ones do.
const SHORT: usize = 10;
/// Characters of a line that are shown, where not all are.
const WIDTH: usize = 160;

/// A long text that stands apart from its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
}

impl Text<'_> {
    /// What the ops of a task are given.
    pub(super) fn bodies_of_task(
        &mut self,
        action: &Action,
        task: &Task,
        title: &str,
        host: HostId,
    ) -> fmt::Result {
        let runs = !matches!(
            task.forecast,
            Forecast::Holds { .. } | Forecast::Excluded | Forecast::LeftOut { .. } | Forecast::BracketHolds
        );
        if matches!(self.bodies, Bodies::First | Bodies::Folded) && !runs {
            return Ok(());
        }
        // The lines of a file that come and go are shown above.
        let is_compared = matches!(&task.forecast, Forecast::Changes { changes, .. } if changes.iter().any(|change| change.diff.is_some()));
        self.bodies(action, is_compared, title, Some(host))
    }

    /// A check between batches: what it runs, and on which terms.
    pub(super) fn check(&mut self, check: Option<ActionId>) -> fmt::Result {
        let Some(check) = check else { return Ok(()) };
        let plan = self.plan;
        let action = plan.action(check);
        let mut lines = Vec::new();
        if self.bodies != Bodies::First {
            lines.extend(of_action(action));
        }
        if self.bodies == Bodies::Compared {
            lines.extend(rest_of_action(plan, action));
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "        {line}"))?;
        self.bodies(action, false, &show_symbols(&action.title), None)
    }

    fn bodies(
        &mut self,
        action: &Action,
        is_compared: bool,
        title: &str,
        host: Option<HostId>,
    ) -> fmt::Result {
        self.asks(action)?;
        let mut told = None;
        for op in &action.lowered.ops {
            if self.shows_op(action) {
                self.op(op)?;
            }
            // Ops of one step share their environment.
            if !op.env.is_empty() && told != Some(&op.env) {
                told = Some(&op.env);
                let is_first = self.bodies == Bodies::First;
                for (name, value) in op.env.iter().filter(|(name, _)| !is_first || !is_own_variable(name)) {
                    writeln!(self.out, "          {}={}", reveal(name), show_symbols(&reveal(value)))?;
                }
            }
            let is_own = is_text_of(&action.args, op);
            if self.bodies != Bodies::First || (is_own && !is_compared) {
                self.body_of(op, title, host)?;
            }
        }
        Ok(())
    }

    /// Whether an op is shown as it is sent: where all is shown, and where a command of the author's own hides behind a
    /// name, or is cut.
    fn shows_op(&self, action: &Action) -> bool {
        let is_told = !action.lowered.title.ends_with('…') && action.title.starts_with(&action.lowered.title);
        let is_hidden = action.kind == "command" && !is_told;
        let all = match self.bodies {
            Bodies::First => false,
            Bodies::Folded => action.has_its_own_words(),
            Bodies::All | Bodies::Compared => true,
        };
        self.detail == Detail::Verbose || all || is_hidden
    }

    /// The commands of the author's own that say whether there is anything to do.
    fn asks(&mut self, action: &Action) -> fmt::Result {
        let Some(probe) = action.lowered.probe.as_ref().filter(|_| action.has_its_own_words()) else {
            return Ok(());
        };
        if self.bodies == Bodies::First {
            return Ok(());
        }
        probe
            .queries
            .iter()
            .try_for_each(|query| writeln!(self.out, "        asks first: {}", shown_argv(&query.argv)))
    }

    fn body_of(&mut self, op: &Op, title: &str, host: Option<HostId>) -> fmt::Result {
        let Some(body) = op.body() else { return Ok(()) };
        let Some(text) = body.text else {
            let told = if op.body_holds_symbols() {
                "it holds what is known only later".to_owned()
            } else {
                format!("{} bytes, {}", op.stdin.len(), super::digest(op.stdin.as_bytes()))
            };
            return writeln!(
                self.out,
                "        {} not shown, the file is not for everybody: {told}",
                body.what
            );
        };
        let text = host.map_or_else(|| show_symbols(text), |host| self.plan.spelled(text, host));
        // A line that the title shows whole.
        if self.bodies == Bodies::First && text.lines().count() < 2 && title.contains(text.trim()) {
            return Ok(());
        }
        self.body(body.what, &text, title)
    }

    /// The arguments of a step that is lowered later, as they are written.
    pub(super) fn deferred_bodies(&mut self, step: &DeferredStep, title: &str) -> fmt::Result {
        for (name, value) in &step.env {
            writeln!(self.out, "          {}={}", reveal(name), show_symbols(&reveal(&as_written(value))))?;
        }
        let is_private = step.args.get("dest").map(as_written).is_some_and(|dest| {
            let mode = step.args.get("mode").map_or_else(|| "0644".to_owned(), as_written);
            !crate::step::may_be_shown(&dest, &mode)
        });
        let kind = crate::step::find(&step.kind);
        let is_usual = |name: &str, written: &str| {
            let field = kind.and_then(|kind| kind.fields().iter().find(|field| field.name == name));
            let default = field.and_then(|field| field.default.as_ref());
            default.is_some_and(|default| default.to_string() == written)
        };
        let all = self.bodies == Bodies::Compared;
        for (name, value) in
            step.args.iter().filter(|(name, value)| all || !is_usual(name, &as_written(value)))
        {
            let written = as_written(value);
            let name = &reveal(name);
            if is_text(name) && is_private {
                let digest = super::digest(written.as_bytes());
                writeln!(self.out, "        {name} not shown, the file is not for everybody: {digest}")?;
            } else if is_text(name) {
                self.body(name, &show_symbols(&written), title)?;
            } else {
                writeln!(self.out, "        {name}: {}", show_symbols(&reveal(&written)))?;
            }
        }
        Ok(())
    }

    /// The lines of a text below its task.
    fn body(&mut self, what: &str, text: &str, title: &str) -> fmt::Result {
        let lines: Vec<&str> = text.lines().collect();
        let count = lines.len();
        let (shown, widest) = match self.bodies {
            Bodies::First if count > FIRST + 1 => (FIRST, WIDTH),
            Bodies::First => (count, WIDTH),
            Bodies::Folded if count > SHORT => (0, usize::MAX),
            Bodies::All | Bodies::Folded | Bodies::Compared => (count, usize::MAX),
        };
        for line in &lines[..shown] {
            writeln!(self.out, "        | {}", shown_line(line, widest))?;
        }
        match self.bodies {
            Bodies::First if shown < count => {
                writeln!(self.out, "        … {what}: {count} lines; -v shows all of them")
            }
            Bodies::Folded if shown < count => {
                writeln!(self.out, "        {what}: {count} lines, below")?;
                let lines = lines.iter().map(|line| shown_line(line, usize::MAX)).collect();
                self.apart.push(Apart { title: format!("{title}: {what}, {count} lines"), lines });
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Fields of kinds that hold a text, which may have many lines.
fn is_text(field: &str) -> bool {
    matches!(field, "text" | "content" | "stdin")
}

/// Whether what an op is given stands in its step's arguments: what a kind makes up itself is for `-v`.
fn is_text_of(args: &Value, op: &Op) -> bool {
    let Value::Map(fields) = args else { return false };
    let written = fields.iter().filter(|(name, _)| is_text(name));
    written.filter_map(|(_, value)| value.as_str()).any(|text| !text.is_empty() && op.stdin.contains(text))
}
