//! `script`: a user's own script text, given to its interpreter on standard input.

use std::sync::LazyLock;

use super::ahead::SourcesUse;
use super::arguments::arguments;
use super::build::{exec, has_symbol, wrong};
use super::guard::{self, Guard, GuardArgs};
use super::kind::Kind;
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, Subject, Touches, shown_line};
use crate::op::{Effect, ProbeOutput, is_shell};
use crate::value::Duration;

/// The kind `script`.
pub(crate) struct Script;

arguments! {
    /// What is run by which interpreter, and when.
    pub(crate) struct ScriptArgs with guard: GuardArgs {
        /// The script.
        text: String,
        /// What runs it, as a list; `[/bin/sh]` where left out.
        interpreter: Option<Vec<String>>,
        /// Arguments, `$1` and so on for a shell.
        args: Option<Vec<String>>,
    }
}

static BODY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "\
The text goes to the interpreter's standard input, not into a file and not into its arguments: it may be of any length. A shell is called with `-s -- ARGS`, any other interpreter (Python, Perl, Ruby, Node) with `- ARGS`.

A shell script is wrapped in `{{ … }} </dev/null`. So the shell has read all of it before the first command runs, and a
command that reads its input (`ssh`, `apt-get`, `read`) finds nothing there instead of eating the rest of the script.

**Values.** `env: {{ REASON: \"{{{{ params.reason }}}}\" }}` and `\"$REASON\"`, or `args` and `\"$1\"`, hand a value to a script. In
the text itself, `{{{{ params.reason | quote }}}}` is one word, whatever the value holds; a text that is neither quoted nor of
a type such as `int` or `version` is refused (`text-as-code`, RB0730), because the shell would run it.

`set -e` is yours to write. With `text: |` the script keeps its lines as they are.

{}",
        guard::DOC
    )
});

impl Kind for Script {
    type Args = ScriptArgs;

    const NAME: &'static str = "script";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Runs a script of your own",
            body: BODY.as_str(),
            example: "- script: { text: \"set -e; sync; fstrim -a\", check: [test, -e, /run/trimmed] }\n  effect: changes\n",
            shorthand: Some("text"),
        }
    }

    fn touches(&self, _: Option<&ScriptArgs>) -> Touches {
        guard::touches()
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn sources(&self, _: Option<&ScriptArgs>) -> SourcesUse {
        SourcesUse::MayChange
    }

    fn lower(&self, args: &ScriptArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let text = args.text.as_str();
        if text.trim().is_empty() {
            return Err(wrong("`text` is empty", "write it below `text: |`"));
        }
        let mut words = args.interpreter.clone().unwrap_or_else(|| vec!["/bin/sh".to_owned()]);
        guard::runnable("interpreter", &words)?;
        interpreter_fits(&words, text)?;
        // Shells take `-s -- ARGS`; others take `- ARGS`.
        let shell = is_shell(&words[0]);
        words.extend(super::build::argv(if shell { &["-s", "--"] } else { &["-"] }));
        words.extend(args.args.iter().flatten().cloned());
        guard::runnable("args", &words)?;
        let guard = Guard::read(&args.guard)?;
        let title = title(text);
        let mut op = exec(cx, title.clone(), guard.in_directory(words), Effect::Disrupts);
        op.stdin = if shell { wrapped(text) } else { text.to_owned() };
        guard::finish(&mut op, &args.guard)?;
        op.effect = cx.effect.unwrap_or(Effect::Disrupts);
        // Nobody knows how long a script takes.
        op.long = true;
        Ok(Lowered {
            title,
            role: Role::Goal,
            effect: op.effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: guard.probe(cx)?,
            poll: None,
            verify: guard.verify(cx),
            repeatable: op.effect == Effect::Reads,
            ops: vec![op],
        })
    }

    fn assess(
        &self,
        args: &ScriptArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        read(args)?.assess(answers)
    }

    fn assess_verify(
        &self,
        args: &ScriptArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        read(args)?.assess_verify(answers)
    }
}

/// Refuses an interpreter that is a whole command line, and one that another language is given to.
fn interpreter_fits(words: &[String], text: &str) -> Result<(), LowerError> {
    let command: Vec<&str> = words[0].split_whitespace().collect();
    if words.len() == 1 && command.len() > 1 {
        return Err(wrong(
            format!("`interpreter` is one word, `{}`", words[0].escape_debug()),
            format!("write each word as an item: `[{}]`", command.join(", ")),
        ));
    }
    let Some(named) = text.strip_prefix("#!").and_then(|rest| rest.lines().next()) else { return Ok(()) };
    let of_another = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or_default();
        ["python", "perl", "ruby", "node", "awk", "php"].iter().any(|other| name.starts_with(other))
    };
    if is_shell(&words[0]) && named.split_whitespace().take(2).any(of_another) {
        return Err(wrong(
            format!("`text` begins with `#!{}`, and `{}` runs it", named.trim().escape_debug(), words[0]),
            format!("write `interpreter: [{}]`", named.split_whitespace().collect::<Vec<_>>().join(", ")),
        ));
    }
    Ok(())
}

fn read(args: &ScriptArgs) -> Result<Guard, AssessError> {
    Guard::read(&args.guard)
        .map_err(|error| AssessError { command: "the probe".to_owned(), reason: error.message })
}

/// The whole text as one command whose input is empty. It begins on the first line, so that the shell's messages count
/// lines as the author does; the colon lets a script of comments alone be one.
fn wrapped(text: &str) -> String {
    format!("{{ :; {text}\n}} </dev/null\n")
}

/// The script that [`wrapped`] was given.
pub(super) fn unwrapped(stdin: &str) -> Option<&str> {
    stdin.strip_prefix("{ :; ")?.strip_suffix("\n} </dev/null\n")
}

/// The first line that says something, for people; a line with a symbol might be about a secret.
fn title(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.find(|line| !line.starts_with("set -") && !has_symbol(line)).unwrap_or("");
    if first.is_empty() { "script".to_owned() } else { format!("script: {}", shown_line(first, 60)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::op::OpKind;
    use crate::step::cases;

    #[test]
    fn cases_hold() {
        cases::run("script");
    }

    #[test]
    fn arguments_are_never_options_of_the_shell() {
        let args = json!({ "text": "echo \"$1\"", "args": ["-c", "id; $x", "two\nlines"] });
        let lowered = cases::lower(&Script, &args, &json!({})).expect("lowers");
        let OpKind::Exec { argv } = &lowered.ops[0].kind else { panic!("an exec") };
        assert_eq!(argv, &["/bin/sh", "-s", "--", "-c", "id; $x", "two\nlines"]);
    }

    /// What the wrapping promises, by a real shell.
    #[test]
    fn a_wrapped_script_keeps_its_input_and_its_exit_code() {
        let rows = [
            ("read x; echo \"[$x]\"\necho more", "[]\nmore\n", 0),
            ("#!/bin/sh\nset -e\nfalse\necho never", "", 1),
            ("# nothing but a comment", "", 0),
            ("cat <<'E'\n} </dev/null\nE", "} </dev/null\n", 0),
            ("exit 7", "", 7),
        ];
        for (text, stdout, code) in rows {
            use std::io::Write as _;
            use std::process::{Command, Stdio};
            let mut command = Command::new("/bin/sh");
            command.args(["-s", "--"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().expect("a shell");
            child.stdin.take().expect("its input").write_all(wrapped(text).as_bytes()).expect("takes it");
            let output = child.wait_with_output().expect("ends");
            assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{text}");
            assert_eq!(output.status.code(), Some(code), "{text}");
            assert_eq!(unwrapped(&wrapped(text)), Some(text));
        }
    }
}
