//! Where words go: data to stdout, everything for people to stderr. Knows about colour, terminals and closed pipes.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};

use super::args::ColorChoice;
use super::outcome::Outcome;
use crate::app::{AppError, Problem, Tell};
use crate::executor::Redactor;
use crate::op::show_symbols;
use crate::plan::show::{Detail, PlanStyle, text};
use crate::plan::{Expected, Plan};
use crate::report::{ExitKind, TerminalStyle};
use crate::source::{Diagnostics, Severity, SourceMap};
use crate::value::laid_out;

/// Which of the two streams has colours.
#[derive(Clone, Copy, Debug)]
struct Color {
    /// Standard error: words for people.
    words: bool,
    /// Standard output.
    data: bool,
}

impl Tell for Terminal {
    fn say(&self, text: &str) {
        Self::say(self, text);
    }

    fn hint(&self, text: &str) {
        Self::hint(self, text);
    }

    fn error(&self, error: &AppError) {
        self.tell(error);
    }

    fn diagnostics(&self, diagnostics: &Diagnostics, sources: &SourceMap) {
        Self::diagnostics(self, diagnostics, sources);
    }

    fn hide(&self, redactor: Redactor) {
        Self::hide(self, redactor);
    }

    fn plan(&self, plan: &Plan, digest: &str, expected: &Expected) {
        let style = PlanStyle { detail: Detail::Normal, color: self.color.words };
        Self::say(self, &text(plan, digest, style, expected));
    }

    fn confirm(&self, question: &str) -> bool {
        Self::confirm(self, question)
    }
}

/// The two streams and what they can do.
#[derive(Debug)]
pub(super) struct Terminal {
    color: Color,
    look: Option<TerminalStyle>,
    interactive: bool,
    redactor: RefCell<Redactor>,
    /// What was said, where somebody wants to know.
    heard: Option<RefCell<String>>,
    /// Nobody reads along.
    silent: bool,
}

impl Terminal {
    pub(super) fn new(choice: ColorChoice) -> Self {
        let stderr = std::io::stderr().is_terminal();
        let wanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let color_on = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && !wanted("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let color = Color { words: color_on(stderr), data: color_on(std::io::stdout().is_terminal()) };
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let utf8 = |name: &str| {
            std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| {
                let value = value.to_ascii_lowercase();
                value.ends_with("utf-8") || value.ends_with("utf8")
            })
        };
        let unicode = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(utf8).unwrap_or(false);
        let look = (stderr && !dumb).then_some(TerminalStyle { color: color.words, unicode });
        let interactive = stderr && std::io::stdin().is_terminal();
        Self { color, look, interactive, redactor: RefCell::default(), heard: None, silent: false }
    }

    /// The same, for a rehearsal whose words are judged; a silent one prints none.
    pub(super) fn listening(&self, silent: bool) -> Self {
        let Self { color, look, .. } = *self;
        Self {
            color,
            look,
            interactive: false,
            redactor: RefCell::default(),
            heard: Some(RefCell::default()),
            silent,
        }
    }

    /// Whether data may have colours.
    pub(super) fn colors_data(&self) -> bool {
        self.color.data
    }

    /// Whether nobody reads along.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// What was said so far.
    pub(super) fn heard(&self) -> String {
        self.heard.as_ref().map(|heard| heard.borrow().clone()).unwrap_or_default()
    }

    /// From here on, secrets that this filter knows are not printed.
    pub(super) fn hide(&self, redactor: Redactor) {
        *self.redactor.borrow_mut() = redactor;
    }

    /// What can be shown to somebody who watches, if standard error is a terminal that can move its cursor.
    pub(super) fn look(&self) -> Option<TerminalStyle> {
        self.look
    }

    /// Whether somebody is there to answer a question.
    pub(super) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Data for stdout, in words where it is a value that only a run knows. A reader that went away (`| head`) is no error.
    pub(super) fn data(&self, text: &str) -> Outcome {
        self.data_as_it_is(&laid_out(&show_symbols(text), self.color.data))
    }

    /// Data whose bytes are somebody else's: a plan's file, or what a host printed.
    pub(super) fn data_as_it_is(&self, text: &str) -> Outcome {
        let mut out = std::io::stdout().lock();
        let text = self.redactor.borrow().text(text);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(anyhow::Error::from(error).context("cannot write to stdout").into())
            }
            _ => Ok(ExitKind::Ok),
        }
    }

    /// Words for people: without secrets, without what stands in a plan for values that only a run knows, and without
    /// anything that moves a cursor.
    fn shown(&self, text: &str) -> String {
        laid_out(&show_symbols(&self.redactor.borrow().text(text)), self.color.words)
    }

    /// A line for people. One that cannot be written has nobody to read it.
    pub(super) fn say(&self, text: &str) {
        let text = self.shown(text);
        if let Some(heard) = &self.heard {
            let mut heard = heard.borrow_mut();
            heard.push_str(&text);
            heard.push('\n');
        }
        if !self.silent {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    /// An error, for people.
    pub(super) fn error(&self, text: &str) {
        let (red, plain) = if self.color.words { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
        self.say(&format!("{red}error:{plain} {text}"));
    }

    /// What to do about it.
    pub(super) fn hint(&self, text: &str) {
        if !text.is_empty() {
            self.say(&format!("hint: {text}"));
        }
    }

    /// Tells why a use case did not do its work, and gives the kind of its end.
    pub(super) fn tell(&self, error: &AppError) -> ExitKind {
        for Problem { message, hint } in &error.problems {
            self.error(message);
            self.hint(hint);
        }
        error.kind
    }

    /// Mistakes in files, and where more is said of them.
    pub(super) fn diagnostics(&self, diagnostics: &Diagnostics, sources: &SourceMap) {
        if !diagnostics.items().is_empty() {
            self.say(diagnostics.render(sources, self.color.words).trim_end());
        }
        if let Some(first) = diagnostics.in_order().into_iter().find(|item| item.severity == Severity::Error)
        {
            self.say(&format!("\n`rollbook explain {}` says more.", first.code));
        }
    }

    /// Asks for a line; an empty one is the usual answer. `None` where nobody answers any more.
    pub(super) fn ask(&self, question: &str, usual: &str) -> Option<String> {
        let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        let question = self.shown(question);
        let _ = write!(std::io::stderr().lock(), "{question}{shown}: ");
        let mut answer = String::new();
        match std::io::stdin().read_line(&mut answer) {
            Ok(read) if read > 0 => Some(match answer.trim() {
                "" => usual.to_owned(),
                answer => answer.to_owned(),
            }),
            _ => None,
        }
    }

    /// Asks; only `yes` is a yes.
    pub(super) fn confirm(&self, question: &str) -> bool {
        let question = self.shown(question);
        let _ = write!(std::io::stderr().lock(), "{question} Only `yes` goes on: ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
    }
}
