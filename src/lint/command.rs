//! The commands that people wrote themselves, in `command`, `script`, `kubectl` and the looks around them: each as a
//! program with its arguments, whatever form it was written in.

use std::ops::Range;
use std::rc::Rc;

use super::shell;
use super::values::{KnownValue, Values, name_for};
use super::variables::{Variables, assignment};
use crate::op::{base_name, is_shell, only_runs_another};
use crate::runbook::Step;
use crate::source::{SourceMap, Span};
use crate::template::{Arg, ArgKind};
use crate::value::Value;

/// A program with its arguments. Never empty.
#[derive(Clone, Debug)]
pub(super) struct CommandLine {
    words: Vec<CommandWord>,
    /// Whether it is what the step does, not what it looks at.
    pub(super) acts: bool,
    /// The script that it stands in; `None` where no shell reads it.
    pub(super) script: Option<Rc<str>>,
}

/// A word and where it was written.
#[derive(Clone, Debug)]
pub(super) struct CommandWord {
    pub(super) text: String,
    place: WordSource,
}

#[derive(Clone, Debug)]
enum WordSource {
    /// It has a place of its own, or only that of what it stands in.
    At(Option<Span>),
    /// These bytes of a text, which begins somewhere in this span.
    In { span: Option<Span>, text: Rc<str>, range: Range<usize> },
}

impl CommandWord {
    /// Where it was written, or what it stands in where that is all that is known.
    pub(super) fn span(&self, step: &Step, sources: &SourceMap) -> Span {
        let of_step = step.origin.span;
        match &self.place {
            WordSource::At(span) => span.unwrap_or(of_step),
            WordSource::In { span: None, .. } => of_step,
            WordSource::In { span: Some(span), text, range } => {
                // The same bytes stand in the file unless YAML or a template changed them.
                let wanted = &text[range.clone()];
                let earlier = text[..range.start].matches(wanted).count();
                let written = sources.slice(*span);
                match written.match_indices(wanted).nth(earlier).filter(|_| !wanted.is_empty()) {
                    Some((at, _)) => {
                        let start = span.start as usize + at;
                        Span::new(span.file, start, start + wanted.len())
                    }
                    None => *span,
                }
            }
        }
    }
}

impl CommandLine {
    /// The program without its directory.
    pub(super) fn program(&self) -> &str {
        base_name(&self.words[0].text)
    }

    /// The word that names the program.
    pub(super) fn first(&self) -> &CommandWord {
        &self.words[0]
    }

    /// Everything, the program included.
    pub(super) fn words(&self) -> &[CommandWord] {
        &self.words
    }

    /// Everything after the program.
    pub(super) fn args(&self) -> &[CommandWord] {
        &self.words[1..]
    }

    /// The arguments that are neither options nor values of options: `get nodes` of `-n default get nodes`.
    pub(super) fn operands(&self) -> impl Iterator<Item = &CommandWord> {
        let values = options_with_values(self.program());
        let mut is_value = false;
        self.args().iter().filter(move |word| {
            let is_option = word.text.starts_with('-');
            let skipped = std::mem::replace(&mut is_value, values.contains(&word.text.as_str()));
            !is_option && !skipped
        })
    }

    /// The operands behind a verb; `None` where it is not given.
    pub(super) fn operands_of(&self, verb: &str) -> Option<impl Iterator<Item = &CommandWord>> {
        let mut operands = self.operands();
        operands.find(|word| word.text == verb)?;
        Some(operands)
    }

    /// Whether it is a `kubectl drain` that moves pods.
    pub(super) fn drains(&self) -> bool {
        self.acts && self.program() == "kubectl" && self.says(&["drain"]) && !self.is_trial()
    }

    /// Whether it only says what it would do.
    pub(super) fn is_trial(&self) -> bool {
        let is_on = |word: &CommandWord| !["--dry-run=none", "--dry-run=false"].contains(&word.text.as_str());
        TRIALS.iter().any(|flag| self.flag(flag).is_some_and(is_on))
            || matches!(self.program(), "apt" | "apt-get" | "apt-mark") && self.short('s')
    }

    /// Whether a letter is given as an option, alone or among others: `-y`, `-qy`.
    pub(super) fn short(&self, letter: char) -> bool {
        self.args()
            .iter()
            .filter_map(|word| word.text.strip_prefix('-'))
            .any(|letters| letters.contains(letter) && letters.bytes().all(|byte| byte.is_ascii_alphabetic()))
    }

    /// Whether its operands begin with these words.
    pub(super) fn says(&self, verbs: &[&str]) -> bool {
        let mut operands = self.operands();
        verbs.iter().all(|verb| operands.next().is_some_and(|word| word.text == *verb))
    }

    /// The word of a flag, `--flag` or `--flag=value`.
    pub(super) fn flag(&self, flag: &str) -> Option<&CommandWord> {
        self.args().iter().find(|word| {
            word.text.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }
}

/// Flags with which a program shows what it would do, or how it is used.
const TRIALS: [&str; 8] = [
    "--dry-run",
    "--simulate",
    "--just-print",
    "--no-act",
    "--assume-no",
    "--assumeno",
    "--print-uris",
    "--help",
];

/// The options of a program whose value may be the next word.
fn options_with_values(program: &str) -> &'static [&'static str] {
    match program {
        "kubectl" => &crate::kubernetes::flags::KUBECTL_WITH_VALUES,
        "apt" | "apt-get" => &["-o", "-t", "-c", "-a"],
        "kubeadm" => &["--config", "--kubeconfig", "--rootfs", "-v"],
        "systemctl" => &["-H", "-M", "-t", "-p", "-n", "-o", "-s"],
        _ => &[],
    }
}

/// The commands of a step, in order.
pub(super) fn of_step(step: &Step, values: &Values<'_>) -> Vec<CommandLine> {
    let mut found = Vec::new();
    let field = |name: &str| step.args.get(name);
    let mut list = |name: &str, program: Option<&str>, acts: bool| {
        let Some(arg) = field(name) else { return };
        let mut words = words_of_list(step, arg, values);
        if let Some(program) = program {
            let place = WordSource::At(words.first().and_then(|word| match &word.place {
                WordSource::At(span) => *span,
                WordSource::In { span, .. } => *span,
            }));
            words.insert(0, CommandWord { text: program.to_owned(), place });
        }
        add(words, acts, None, &mut found);
    };
    match step.kind.name() {
        "command" => {
            list("argv", None, true);
            for name in LOOKS {
                list(name, None, false);
            }
        }
        "kubectl" => {
            list("args", Some("kubectl"), true);
            list("unless", Some("kubectl"), false);
        }
        "wait" => list("command", None, false),
        "script" => {
            for name in LOOKS {
                list(name, None, false);
            }
            if let Some(text) = field("text").filter(|_| reads_shell(step, values)) {
                let script: Rc<str> = text_of_script(step, text, values).into();
                let env = step
                    .env
                    .iter()
                    .filter_map(|(name, arg)| Some((name.as_str(), values.see(step, arg).text()?)));
                add_script(&script, text.span, env, &mut found);
            }
        }
        _ => {}
    }
    found
}

/// Commands around a step that tell whether it is needed.
const LOOKS: [&str; 3] = ["check", "unless", "only_if"];

fn reads_shell(step: &Step, values: &Values<'_>) -> bool {
    let Some(interpreter) = step.args.get("interpreter") else { return true };
    match values.see(step, interpreter) {
        KnownValue::Known(Value::List(words)) => {
            let program = words.first().and_then(Value::as_str).unwrap_or_default();
            is_shell(program)
        }
        _ => false,
    }
}

fn words_of_list(step: &Step, arg: &Arg, values: &Values<'_>) -> Vec<CommandWord> {
    if let ArgKind::List(items) = &arg.kind {
        let word = |item: &Arg| CommandWord {
            text: values.see(step, item).text().unwrap_or_else(|| name_for("?")),
            place: WordSource::At(item.span.or(arg.span)),
        };
        return items.iter().map(word).collect();
    }
    let KnownValue::Known(Value::List(items)) = values.see(step, arg) else { return Vec::new() };
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    // Words stand in the file in this order; joined, the count of equal ones before each is the same as there.
    let joined: Rc<str> = texts.join(" ").into();
    let mut at = 0;
    let word = |text: String| {
        let range = at..at + text.len();
        at = range.end + 1;
        CommandWord { text, place: WordSource::In { span: arg.span, text: Rc::clone(&joined), range } }
    };
    texts.into_iter().map(word).collect()
}

/// A script's text, with names for what is not known. Where nothing can be said of a template, the rest still can.
fn text_of_script(step: &Step, arg: &Arg, values: &Values<'_>) -> String {
    if let Some(text) = values.see(step, arg).text() {
        return text;
    }
    let ArgKind::Text(template) = &arg.kind else { return String::new() };
    let mut text = String::new();
    let mut rest = template.source.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}").unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&name_for(inside.trim()));
        rest = behind;
    }
    text.push_str(rest);
    text
}

fn add_script<'s>(
    script: &Rc<str>,
    span: Option<Span>,
    env: impl Iterator<Item = (&'s str, String)>,
    found: &mut Vec<CommandLine>,
) {
    let commands = shell::commands(script);
    let variables = Variables::new(&commands, env);
    for command in commands {
        let words = command.into_iter().map(|word| CommandWord {
            text: variables.fill(&word.text),
            place: WordSource::In { span, text: Rc::clone(script), range: word.range },
        });
        add(words.collect(), true, Some(script), found);
    }
}

/// Adds a command without what only stands before it: `sudo -n`, `env A=b`, `if`; and what `sh -c` runs.
fn add(words: Vec<CommandWord>, acts: bool, script: Option<&Rc<str>>, found: &mut Vec<CommandLine>) {
    let words = without_prefix(words);
    let Some(first) = words.first() else { return };
    let line = words.iter().position(|word| word.text == "-c" || word.text == "-ec").map(|at| at + 1);
    if let Some(line) = line.and_then(|at| words.get(at)).filter(|_| is_shell(&first.text)) {
        let span = match &line.place {
            WordSource::At(span) => *span,
            WordSource::In { span, .. } => *span,
        };
        let inner: Rc<str> = line.text.as_str().into();
        for command in shell::commands(&inner) {
            let words = command.into_iter().map(|word| CommandWord {
                text: word.text,
                place: WordSource::In { span, text: Rc::clone(&inner), range: word.range },
            });
            add(words.collect(), acts, Some(&inner), found);
        }
        return;
    }
    found.push(CommandLine { words, acts, script: script.map(Rc::clone) });
}

/// Words of the shell that stand before a command and leave it what it is, and `xargs`, which adds to it.
const SHELL_WORDS: [&str; 11] =
    ["if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "xargs"];

fn without_prefix(words: Vec<CommandWord>) -> Vec<CommandWord> {
    let mut at = 0;
    let mut inside = false;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        let takes_value = inside && ["-u", "-g", "-n", "-k", "-s", "-C", "-I", "-L"].contains(&text);
        // `sudo -n` takes none, `nice -n 5` does; a number after it settles that.
        let number = words.get(at + 1).is_some_and(|next| next.text.parse::<f64>().is_ok());
        if only_runs_another(text) || SHELL_WORDS.contains(&base_name(text)) {
            inside = true;
        } else if takes_value && (text != "-n" || number) {
            at += 1;
        } else if !(assignment(text).is_some() || inside && (text.starts_with('-') || is_duration(text))) {
            break;
        }
        at += 1;
    }
    words.into_iter().skip(at).collect()
}

/// `timeout 30s kubectl …`
fn is_duration(text: &str) -> bool {
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
