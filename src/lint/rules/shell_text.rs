//! A text that is put into a script is a word there, never code.

use crate::lint::context::LintContext;
use crate::lint::quotes::{QuoteContext, Quotes, is_command_flag};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::lint::values::KnownValue;
use crate::op::{base_name, is_shell};
use crate::runbook::Step;
use crate::source::{Severity, Span, codes};
use crate::template::{Arg, ArgKind, Gives, Printed};
use crate::value::Value;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::TEXT_AS_CODE,
    severity: Severity::Error,
    needs_values: false,
    why: "\
A template is filled in before the shell reads the script, so `logger {{ params.reason }}` with the reason `x; reboot` is
two commands. The surest way is not to write the value into the script at all: give it by `env:` and write `\"$REASON\"`,
or by `args` and write `\"$1\"`. Where it has to stand in the text, the filter `quote` makes it one word, whatever it holds;
it stands outside of quotes, because inside of them its own quotes end the others.

Values of the types `int`, `bool`, `version`, `duration`, `size`, `percent`, `host` and `enum` mean nothing to a shell and
stand as they are, as do `host.name`, `host.address`, `host.node` and `run.id`. Shell text is the text of a `script`, and
what follows `sh -c` in any list of arguments, the conditions `check`, `unless` and `only_if` included.",
    bad: "\
- name: note
  hosts: workers
  steps:
    - script: \"logger upgraded for {{ host.vars.team }}\"
      effect: changes
",
    good: "\
- name: note
  hosts: workers
  steps:
    - script: \"logger upgraded for {{ host.vars.team | quote }} to {{ params.target }}\"
      effect: changes
    - script: 'logger \"upgraded for $TEAM\"'
      env: { TEAM: \"{{ host.vars.team }}\" }
      effect: changes
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let verify = cx.phases.iter().flat_map(|phase| &phase.verify);
    for view in cx.every_step().chain(verify) {
        let step = view.step;
        for (name, arg) in &step.args {
            if step.kind.name() == "script" && name == "text" {
                match other_interpreter(cx, step) {
                    Some(program) => other(cx, step, arg, &program, report),
                    None => shell(cx, step, arg, report),
                }
            } else {
                lists(cx, step, arg, report);
            }
        }
    }
}

/// The program that reads a script, where that is no shell.
fn other_interpreter(cx: &LintContext<'_>, step: &Step) -> Option<String> {
    let program = match cx.values.see(step, step.args.get("interpreter")?) {
        KnownValue::Known(Value::List(words)) => words.first()?.as_str()?.to_owned(),
        _ => return None,
    };
    (!is_shell(&program)).then(|| base_name(&program).to_owned())
}

/// Finds `sh -c TEXT` in lists of arguments, at any depth.
fn lists(cx: &LintContext<'_>, step: &Step, arg: &Arg, report: &mut Report) {
    match &arg.kind {
        ArgKind::Map(entries) => entries.iter().for_each(|(_, arg)| lists(cx, step, arg, report)),
        ArgKind::List(items) => {
            let word = |item: &Arg| cx.values.see(step, item).text().unwrap_or_default();
            let (mut shell_before, mut option_before) = (false, false);
            for (at, item) in items.iter().enumerate() {
                let text = word(item);
                if shell_before && is_command_flag(&text) {
                    if let Some(code) = items.get(at + 1) {
                        shell(cx, step, code, report);
                    }
                    shell_before = false;
                }
                let is_option = text.starts_with(['-', '+']) || option_before;
                shell_before = is_shell(&text) || shell_before && is_option;
                option_before = ["-o", "-O", "+o", "+O"].contains(&text.as_str());
                lists(cx, step, item, report);
            }
        }
        _ => {}
    }
}

/// The text of a script that a shell reads.
fn shell(cx: &LintContext<'_>, step: &Step, arg: &Arg, report: &mut Report) {
    let mut quotes = Quotes::default();
    for piece in pieces(arg) {
        match piece {
            ShellPiece::Text(text) => quotes.read(text),
            ShellPiece::Expression { gives, written, at } => {
                if let Some((message, hint)) = wrong(gives, written, &quotes) {
                    report.say(step, place(cx, step, arg, written, at), message).hint(hint);
                }
                quotes.value();
            }
        }
    }
}

/// What is wrong with an expression at a place of a shell script, and what to write.
fn wrong(gives: Gives, written: &str, quotes: &Quotes) -> Option<(String, String)> {
    let by_env = "give the value by `env:` and write `\"$NAME\"`, or by `args` and write `\"$1\"`";
    let is_code = quotes.is_code();
    match (gives, quotes.around()) {
        (Gives::Plain, _) => None,
        (Gives::Text | Gives::Quoted, QuoteContext::Words) if is_code => {
            Some((format!("the shell runs the text of `{written}` as code"), by_env.to_owned()))
        }
        (Gives::Quoted, QuoteContext::Words) => None,
        (Gives::Quoted, QuoteContext::Quotes) => Some((
            format!("`{written}` stands inside quotes, which its own quotes end"),
            format!(
                "write it outside of the quotes, as in `\"upgraded for \"{{{{ {written} }}}}`; or {by_env}"
            ),
        )),
        (Gives::Quoted, _) => Some((
            format!("the quotes of `{written}` protect nothing in a comment or a here-document"),
            format!("take it out; or {by_env}"),
        )),
        (Gives::Text, around) => {
            let message = format!("the shell reads the text of `{written}` as code");
            let filtered = format!("`{{{{ {written} | quote }}}}`");
            let hint = match around {
                QuoteContext::Words if written.contains('~') || written.contains(" if ") => {
                    format!("write `{{{{ ({written}) | quote }}}}`, or {by_env}")
                }
                QuoteContext::Words => format!("write {filtered}, or {by_env}"),
                QuoteContext::Quotes => format!("write {filtered} outside of the quotes, or {by_env}"),
                QuoteContext::Comment | QuoteContext::HereDocument => {
                    format!("a line break in it ends the place; {by_env}")
                }
            };
            Some((message, hint))
        }
    }
}

/// The text of a script that something else than a shell reads.
fn other(cx: &LintContext<'_>, step: &Step, arg: &Arg, program: &str, report: &mut Report) {
    for piece in pieces(arg) {
        let ShellPiece::Expression { gives, written, at } = piece else { continue };
        let message = match gives {
            Gives::Plain => continue,
            Gives::Quoted => format!("`quote` is for shells, and `{program}` reads this script"),
            Gives::Text => format!("`{program}` reads the text of `{written}` as code"),
        };
        report.say(step, place(cx, step, arg, written, at), message).hint(format!(
            "give the value by `args` or by `env:`, and let the script read its arguments or its environment ({})",
            match program {
                name if name.starts_with("python") => "`sys.argv[1]`, `os.environ[\"NAME\"]`",
                name if name.starts_with("perl") => "`$ARGV[0]`, `$ENV{NAME}`",
                name if name.starts_with("ruby") => "`ARGV[0]`, `ENV[\"NAME\"]`",
                name if name.starts_with("node") => "`process.argv[2]`, `process.env.NAME`",
                _ => "the manual of the program says how",
            }
        ));
    }
}

#[derive(Clone, Copy)]
enum ShellPiece<'a> {
    Text(&'a str),
    Expression { gives: Gives, written: &'a str, at: usize },
}

/// The pieces of an argument, each expression with its place in the source.
fn pieces(arg: &Arg) -> Vec<ShellPiece<'_>> {
    match &arg.kind {
        ArgKind::Text(template) => template
            .printed
            .iter()
            .map(|piece| match piece {
                Printed::Text(text) => ShellPiece::Text(text),
                Printed::Expression { gives, range } => {
                    let written = &template.source[range.clone()];
                    ShellPiece::Expression { gives: *gives, written, at: range.start }
                }
            })
            .collect(),
        ArgKind::Expr(expression) => {
            let written = expression.source.trim();
            vec![ShellPiece::Expression { gives: expression.gives, written, at: 0 }]
        }
        _ => Vec::new(),
    }
}

/// Where an expression stands in the file; the argument where that cannot be told.
fn place(cx: &LintContext<'_>, step: &Step, arg: &Arg, written: &str, at: usize) -> Span {
    let Some(span) = arg.span else { return step.origin.span };
    let source = match &arg.kind {
        ArgKind::Text(template) => template.source.as_str(),
        _ => "",
    };
    let earlier = source.get(..at).map_or(0, |before| before.matches(written).count());
    let found = cx.sources.slice(span).match_indices(written).nth(earlier);
    found.map_or(span, |(at, _)| {
        let start = span.start as usize + at;
        Span::new(span.file, start, start + written.len())
    })
}
