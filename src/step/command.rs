//! `command`: a user's own command as an argument list. Never a shell line.

use std::sync::LazyLock;

use super::ahead::SourcesUse;
use super::arguments::arguments;
use super::build::exec;
use super::guard::{self, Guard, GuardArgs};
use super::kind::Kind;
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, Subject, Touches};
use crate::op::{Effect, ProbeOutput};
use crate::value::Duration;

/// The kind `command`.
pub(crate) struct Command;

arguments! {
    /// What is run, and when.
    pub(crate) struct CommandArgs with guard: GuardArgs {
        /// The program and its arguments, one item each.
        argv: Vec<String>,
        /// Text for its standard input.
        stdin: Option<String>,
    }
}

static BODY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "\
The arguments reach the program as they are written: no shell sees them, so quotes, `$`, `;` and spaces are plain
characters and nothing needs escaping. A line for a shell belongs in `script`.

{}",
        guard::DOC
    )
});

impl Kind for Command {
    type Args = CommandArgs;

    const NAME: &'static str = "command";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Runs a program with arguments, without a shell",
            body: BODY.as_str(),
            example: "- command: { argv: [update-grub], unless: [test, -e, /boot/grub/.done] }\n  effect: changes\n",
            shorthand: Some("argv"),
        }
    }

    fn touches(&self, _: Option<&CommandArgs>) -> Touches {
        guard::touches()
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn sources(&self, _: Option<&CommandArgs>) -> SourcesUse {
        SourcesUse::MayChange
    }

    fn lower(&self, args: &CommandArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let words = args.argv.clone();
        guard::runnable("argv", &words)?;
        let guard = Guard::read(&args.guard)?;
        let title = super::build::shown(&words);
        let mut op = exec(cx, title.clone(), guard.in_directory(words), Effect::Disrupts);
        op.stdin = args.stdin.clone().unwrap_or_default();
        guard::finish(&mut op, &args.guard)?;
        op.effect = cx.effect.unwrap_or(Effect::Disrupts);
        Ok(Lowered {
            title,
            role: Role::Goal,
            effect: op.effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: guard.probe(cx)?,
            poll: None,
            verify: guard.verify(cx),
            // What it does is not known; twice may be once too often. Reading twice is not.
            repeatable: op.effect == Effect::Reads,
            ops: vec![op],
        })
    }

    fn assess(
        &self,
        args: &CommandArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        read(args)?.assess(answers)
    }

    fn assess_verify(
        &self,
        args: &CommandArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        read(args)?.assess_verify(answers)
    }
}

fn read(args: &CommandArgs) -> Result<Guard, AssessError> {
    Guard::read(&args.guard)
        .map_err(|error| AssessError { command: "the probe".to_owned(), reason: error.message })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::op::{OpKind, secret_symbol};
    use crate::step::cases;

    #[test]
    fn cases_hold() {
        cases::run("command");
    }

    #[test]
    fn hostile_arguments_stay_single_elements() {
        let words =
            ["echo", "a b", "'", "\"", ";rm -rf /", "two\nlines", "$x", "$(id)", "%n", "-rf", "", "\\"];
        for cx in [json!({}), json!({ "env": { "A": "b c;$d" } })] {
            let args = json!({ "argv": words, "chdir": "/tmp", "unless": words });
            let lowered = cases::lower(&Command, &args, &cx).expect("lowers");
            let OpKind::Exec { argv } = &lowered.ops[0].kind else { panic!("an exec") };
            assert_eq!(argv[argv.len() - words.len()..], words);
            let probe = &lowered.probe.as_ref().expect("a probe").queries[0].argv;
            assert_eq!(probe[probe.len() - words.len()..], words);
        }
    }

    #[test]
    fn secrets_go_to_stdin_and_nowhere_else() {
        let secret = secret_symbol("db");
        for field in ["argv", "unless", "only_if", "check"] {
            let mut args = json!({ "argv": ["true"] });
            args[field] = json!(["mysql", format!("-p{secret}")]);
            let error = cases::lower(&Command, &args, &json!({})).expect_err(field);
            assert!(error.message.contains("secret"), "{field}: {error}");
        }
        let lowered = cases::lower(&Command, &json!({ "argv": ["cat"], "stdin": secret }), &json!({}));
        assert_eq!(lowered.expect("lowers").ops[0].stdin, secret);
    }

    #[test]
    fn a_probe_over_the_run_itself_makes_the_step_opaque() {
        let path = format!("/var/backups/{}.db", crate::op::run_symbol("id"));
        let lowered = cases::lower(&Command, &json!({ "argv": ["true"], "creates": path }), &json!({}));
        let lowered = lowered.expect("lowers");
        assert!(lowered.probe.is_none() && lowered.verify.is_none());
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for argv in [json!([]), json!([""]), json!(["-x"]), json!(["A=b", "ls"]), json!(["a\0b"])] {
            assert!(cases::lower(&Command, &json!({ "argv": argv }), &json!({})).is_err(), "{argv}");
        }
    }
}
