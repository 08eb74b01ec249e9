//! What a command said on a host, for people.

use super::args::Exec as Args;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::inventory::HostName;
use crate::value::escape;

/// What a host said: its output to stdout, its complaints to stderr, each line with its name, or below it.
pub(super) fn show(
    args: &Args,
    host: &HostName,
    said: (&str, &str),
    terminal: &Terminal,
) -> Result<(), AppError> {
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
    terminal.data_as_it_is(&out)?;
    for line in stderr.lines() {
        terminal.say(&format!("{host}  {}", escape(line)));
    }
    Ok(())
}
