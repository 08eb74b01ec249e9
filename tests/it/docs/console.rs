//! A block of a console: commands after `$ `, each with what it prints. Output that is shown must be what is printed;
//! `…` stands for any text within a line, and for any lines where it is all of one. A command without output under it
//! only has to succeed. One that fails is followed by `$ echo $?`.

use std::path::Path;
use std::process::Command;

/// A command with what the page shows of its output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) command: String,
    pub(crate) output: String,
}

/// The commands of a block.
pub(crate) fn commands(text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            found.push(Shown { command: command.to_owned(), output: String::new() });
        } else {
            let shown = found.last_mut().expect("a block begins with a command");
            let part = if goes_on { &mut shown.command } else { &mut shown.output };
            part.push_str(if goes_on { "\n" } else { "" });
            part.push_str(line);
            part.push_str(if goes_on { "" } else { "\n" });
        }
        goes_on = (goes_on || line.starts_with("$ ")) && line.ends_with('\\');
    }
    found
}

/// The block as it stands in a page.
pub(crate) fn block(commands: &[Shown]) -> String {
    commands.iter().fold(String::new(), |text, shown| text + "$ " + &shown.command + "\n" + &shown.output)
}

/// Runs a command in `dir` as a reader would, after one that ended with `last`: its exit code, and all that it prints.
pub(crate) fn run(command: &str, dir: &Path, last: i32) -> (i32, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_rollbook")).parent().expect("a directory");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    // Whoever has a clone has no `rollbook` on the path yet.
    let command = command.replace("cargo run --release -- ", "rollbook ");
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; (exit {last})\n{command}")])
        .current_dir(dir)
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir.join("home"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("bash");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a page shows what was printed.
pub(crate) fn agrees(shown: &str, printed: &str) -> bool {
    let (shown, printed): (Vec<&str>, Vec<&str>) = (shown.lines().collect(), printed.lines().collect());
    lines_agree(&shown, &printed)
}

fn lines_agree(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=printed.len()).any(|skipped| lines_agree(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| line_agrees(line, first) && lines_agree(rest, others)),
    }
}

fn line_agrees(shown: &str, printed: &str) -> bool {
    let mut parts = shown.trim_end().split('…');
    let printed = printed.trim_end();
    let Some(mut left) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return left.is_empty() };
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[test]
fn commands_are_taken_out_of_a_block() {
    let text = "$ rollbook plan a.yaml \\\n    -i b.yaml\none\n\n$ echo $?\n0\n";
    let found = commands(text);
    let command =
        |command: &str, output: &str| Shown { command: command.to_owned(), output: output.to_owned() };
    assert_eq!(
        found,
        [command("rollbook plan a.yaml \\\n    -i b.yaml", "one\n\n"), command("echo $?", "0\n")]
    );
    assert_eq!(block(&found), text);
}

#[test]
fn shown_output_agrees_only_with_what_is_printed() {
    for (shown, printed, agree) in [
        ("a\nb\n", "a\nb\n", true),
        ("a\n", "a\nb\n", false),
        ("a\nb\n", "a\n", false),
        ("…\nb\n", "a\na\nb\n", true),
        ("…\nb\n", "b\n", true),
        ("…\nb\n", "b\nc\n", false),
        ("a\n…\n", "a\n", true),
        ("a … c\n", "a b c\n", true),
        ("a … c\n", "a b d\n", false),
        ("a …\n", "a b d\n", true),
        ("a … b … c\n", "a 1 b 2 c\n", true),
        ("a … b\n", "a b\n", false),
        ("a\n", "b\n", false),
    ] {
        assert_eq!(agrees(shown, printed), agree, "{shown:?} and {printed:?}");
    }
}

#[test]
fn a_command_sees_how_the_last_one_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(run("echo $?; echo also >&2; exit 4", dir.path(), 3), (4, "3\nalso\n".to_owned()));
}
