//! The live display, on a terminal of its own. `script` of util-linux makes one; what comes out of it is what the
//! terminal was told to show.

use std::process::Command;

use super::support::rollbook::Rollbook;

const ERASE: &str = "\u{1b}[J";
const REHEARSE: &str =
    "rehearse runbooks/kubeadm-upgrade.yaml -i inventory.example.yaml -p target=1.31.4 --speed 600";

/// What a terminal shows of a rehearsal with these arguments and this environment.
fn on_a_terminal(more: &str, env: &[(&str, &str)]) -> String {
    let line = format!("stty cols 100 rows 30; {} {REHEARSE} {more}", env!("CARGO_BIN_EXE_rollbook"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output =
        command.env("TERM", "xterm").env("LANG", "C.UTF-8").envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn a_terminal_shows_where_the_run_stands_and_keeps_what_happened() {
    let shown = on_a_terminal("", &[]);
    for sign in ["▶", "out of service ", "batch 1/", "\u{1b}[36m█"] {
        assert!(shown.contains(sign), "{sign:?} is missing in {shown}");
    }
    // The last thing drawn is taken away, and the last words stand below what scrolled by.
    let (_, kept) = shown.rsplit_once(ERASE).unwrap();
    assert!(kept.contains("17 hosts") || kept.contains("no host was touched"), "{kept}");
    assert!(!kept.contains('▶'), "{kept}");
}

#[test]
fn the_terminal_and_the_user_say_what_is_drawn() {
    let plain = on_a_terminal("--plain", &[]);
    assert!(!plain.contains(ERASE) && plain.contains("goes out of service"), "{plain}");
    let dumb = on_a_terminal("", &[("TERM", "dumb")]);
    assert!(!dumb.contains(ERASE), "{dumb}");
    let quiet = on_a_terminal("--quiet", &[]);
    assert!(!quiet.contains(ERASE) && !quiet.contains("goes out of service"), "{quiet}");
    let colourless = on_a_terminal("", &[("NO_COLOR", "1")]);
    assert!(colourless.contains(ERASE) && !colourless.contains("\u{1b}[3"), "{colourless}");
    let ascii = on_a_terminal("", &[("LANG", "C")]);
    assert!(ascii.contains(ERASE) && !ascii.contains('▶') && ascii.contains('#'), "{ascii}");
}

#[test]
fn a_pipe_gets_plain_lines() {
    let piped = Rollbook::new(REHEARSE.split(' ')).env("TERM", "xterm").run().exits(0);
    assert!(!piped.stderr.contains('\u{1b}'), "{}", piped.stderr);
}
