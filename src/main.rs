//! Turns a result into an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollbook::cli::main(std::env::args_os())
}
