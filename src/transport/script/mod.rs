//! Composes the scripts that are sent to a host. Pure: values in, text out.
//!
//! A value becomes part of a script only through [`quote`], as one single-quoted word, and the script travels on
//! standard input alone. `docs/design/launcher.md` says why this and not length-prefixed data.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::{Launch, LaunchId};
use crate::inventory::is_open_to_all;
use crate::op::{Op, OpKind, Probe, Query};
use crate::value::Duration;

/// The launcher without comments and indentation: it is sent with every op.
static LAUNCHER: LazyLock<String> = LazyLock::new(|| strip(include_str!("launcher.sh")));
static WRITE: LazyLock<String> = LazyLock::new(|| strip(include_str!("write.sh")));
static REBOOT: LazyLock<String> = LazyLock::new(|| strip(include_str!("reboot.sh")));

/// Every op's environment before its own. A proxy is passed on where the host has one.
const ENVIRONMENT: &str = concat!(
    r#"PATH="$PATH" HOME="$HOME" USER="$USER" LOGNAME="$LOGNAME" LC_ALL=C"#,
    r#" ${http_proxy+"http_proxy=$http_proxy"} ${https_proxy+"https_proxy=$https_proxy"}"#,
    r#" ${no_proxy+"no_proxy=$no_proxy"} ${HTTP_PROXY+"HTTP_PROXY=$HTTP_PROXY"}"#,
    r#" ${HTTPS_PROXY+"HTTPS_PROXY=$HTTPS_PROXY"} ${NO_PROXY+"NO_PROXY=$NO_PROXY"}"#,
);

/// Where the kernel says which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A launch cannot be put into words for a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScriptError {
    /// No operating system passes one on.
    #[error("a NUL byte in {0} cannot be sent")]
    Nul(&'static str),
    /// There is nothing to run.
    #[error("the argument vector is empty")]
    NoProgram,
    /// `env` and `exec` would take it for something else.
    #[error("`{0}` cannot be the name of a program: it is empty, begins with `-` or holds `=`")]
    Program(String),
    /// Not a name of a variable.
    #[error("`{0}` is not the name of an environment variable")]
    Variable(String),
    /// Not what [`LaunchId`] promises.
    #[error("`{0}` cannot name a run or an op: only a-z, 0-9 and `-`")]
    Id(String),
    /// Not what [`OpKind::Write`] promises.
    #[error("cannot write `{path}`: {what}")]
    File {
        /// The path.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A directory that anybody may write to.
    #[error(
        "`{0}` cannot be the launcher's directory: it must be an absolute path outside /tmp, /var/tmp and /dev/shm"
    )]
    Root(String),
}

/// Where the launcher keeps its records on a host.
#[derive(Clone, Debug)]
pub(crate) struct RecordDir<'a> {
    /// The inventory's `remote_dir`.
    pub(crate) remote_dir: Option<&'a str>,
    /// Whether root does it.
    pub(crate) root: bool,
    /// The file with the boot id; tests have their own.
    pub(crate) boot_id: &'a str,
}

impl<'a> RecordDir<'a> {
    /// The place of an op that needs root or does not.
    pub(crate) fn new(remote_dir: Option<&'a str>, root: bool) -> Self {
        Self { remote_dir, root, boot_id: BOOT_ID }
    }

    fn expression(&self) -> Result<Cow<'static, str>, ScriptError> {
        let Some(path) = self.remote_dir else {
            return Ok(Cow::Borrowed(if self.root {
                "/var/lib/rollbook"
            } else {
                r#""${XDG_STATE_HOME:-$HOME/.local/state}/rollbook""#
            }));
        };
        let plain = path.starts_with('/')
            && path.len() > 1
            && !path.split('/').any(|part| part == "..")
            && !path.contains(|letter: char| letter.is_control() || letter.is_whitespace());
        if is_open_to_all(path) || !plain {
            return Err(ScriptError::Root(path.to_owned()));
        }
        Ok(Cow::Owned(quote(path, "remote_dir")?))
    }
}

/// One word of POSIX shell with exactly this value.
pub(crate) fn quote(value: &str, what: &'static str) -> Result<String, ScriptError> {
    if value.contains('\0') {
        return Err(ScriptError::Nul(what));
    }
    Ok(format!("'{}'", value.replace('\'', r"'\''")))
}

/// Starts an op, or attaches to it where it was started before.
pub(crate) fn launch(launch: &Launch<'_>, place: &RecordDir<'_>) -> Result<String, ScriptError> {
    let op = launch.op;
    let kind = if op.kind == OpKind::Reboot { "reboot" } else { "exec" };
    let mut head = about("launch", &launch.id, place)?;
    launch.over.iter().try_for_each(|run| check_id(run))?;
    let _ = writeln!(head, "rb_over={}", quote(&launch.over.join(" "), "a run's id")?);
    let _ = write!(
        head,
        "rb_kind={kind} rb_limit={} rb_long={} rb_stdin={}\nrb_exec() {{\nexec setsid env -i {ENVIRONMENT}",
        op.timeout.as_millis().div_ceil(10).max(1),
        u8::from(op.long),
        printf_b(&op.stdin)?,
    );
    for (name, value) in &op.env {
        let _ = write!(head, " {name}={}", quote(value, "the environment")?);
        if !is_variable(name) {
            return Err(ScriptError::Variable(name.clone()));
        }
    }
    for word in argv(op, &launch.id)? {
        let _ = write!(head, " {}", quote(&word, "the argument vector")?);
    }
    head.push_str("\n}\n");
    Ok(with_launcher(&head))
}

/// Follows an op.
pub(crate) fn attach(id: &LaunchId, place: &RecordDir<'_>) -> Result<String, ScriptError> {
    Ok(with_launcher(&about("attach", id, place)?))
}

/// Ends an op.
pub(crate) fn stop(id: &LaunchId, place: &RecordDir<'_>) -> Result<String, ScriptError> {
    Ok(with_launcher(&about("stop", id, place)?))
}

/// Empties the output of an op that has ended.
pub(crate) fn hush(id: &LaunchId, place: &RecordDir<'_>) -> Result<String, ScriptError> {
    Ok(with_launcher(&about("hush", id, place)?))
}

/// Removes the records of these runs, but of none that goes on.
pub(crate) fn prune(runs: &[&str], place: &RecordDir<'_>) -> Result<String, ScriptError> {
    let nobody = LaunchId { run: "0".to_owned(), op: "0".to_owned() };
    let mut head = about("prune", &nobody, place)?;
    for run in runs {
        check_id(run)?;
    }
    let _ = writeln!(head, "rb_over={}", quote(&runs.join(" "), "a run's id")?);
    Ok(with_launcher(&head))
}

/// Asks the queries of a probe, each answered on both streams and ended by a mark with its exit code.
pub(crate) fn probe(probe: &Probe) -> Result<String, ScriptError> {
    let mut script = String::from(
        "{\nrb_q() { printf '\\n%s q %s\\n' \"$rb_n\" \"$1\"; printf '\\n%s q\\n' \"$rb_n\" >&2; }\n",
    );
    for Query { argv, stdin, .. } in &probe.queries {
        if !stdin.is_empty() {
            let _ = write!(script, "printf '%b' {} 2>/dev/null | ", printf_b(stdin)?);
        }
        script.push_str("(exec");
        for word in check_argv(argv)? {
            let _ = write!(script, " {}", quote(word, "the argument vector")?);
        }
        script.push_str(if stdin.is_empty() { ") </dev/null\nrb_q $?\n" } else { ")\nrb_q $?\n" });
    }
    script.push_str("}\n");
    Ok(script)
}

/// The time limit of a probe in whole seconds, as `timeout` everywhere understands it.
pub(crate) fn whole_seconds(limit: Duration) -> u64 {
    limit.as_millis().div_ceil(1000).max(1)
}

/// What every verb of the launcher needs to know.
fn about(verb: &str, id: &LaunchId, place: &RecordDir<'_>) -> Result<String, ScriptError> {
    check_id(&id.run)?;
    check_id(&id.op)?;
    let LaunchId { run, op } = id;
    let root = place.expression()?;
    let boot = quote(place.boot_id, "a path")?;
    Ok(format!(
        "rb_verb=${{rb_verb:-{verb}}}\n[ -n \"$rb_root\" ] || rb_root={root}\nrb_run={run} rb_op={op} rb_boot_file={boot}\n"
    ))
}

/// In one brace group, so that a script that was cut off does not parse and nothing of it runs.
fn with_launcher(head: &str) -> String {
    ["{\n", head, &LAUNCHER, "}\n"].concat()
}

fn strip(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn check_id(id: &str) -> Result<(), ScriptError> {
    let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.is_empty() || id.len() > 100 || id.starts_with('-') || !id.bytes().all(clean) {
        return Err(ScriptError::Id(id.to_owned()));
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_argv(argv: &[String]) -> Result<&[String], ScriptError> {
    let program = argv.first().ok_or(ScriptError::NoProgram)?;
    if program.is_empty() || program.starts_with('-') || program.contains('=') {
        return Err(ScriptError::Program(program.clone()));
    }
    Ok(argv)
}

/// What runs on the host for this kind of op.
fn argv(op: &Op, id: &LaunchId) -> Result<Vec<String>, ScriptError> {
    let shell = |script: &str, rest: &[&str]| {
        ["/bin/sh", "-c", script, "sh"].iter().chain(rest).map(|word| (*word).to_owned()).collect()
    };
    match &op.kind {
        OpKind::Exec { argv } => check_argv(argv).map(<[String]>::to_vec),
        OpKind::Reboot => Ok(shell(&REBOOT, &[])),
        OpKind::Write { path, mode, owner } => {
            let bad = |what| Err(ScriptError::File { path: path.clone(), what });
            let octal =
                (3..=4).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
            let ids = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
            match () {
                () if !path.starts_with('/') || path.ends_with('/') => {
                    bad("the path is not an absolute path of a file")
                }
                () if !octal => bad("the mode is not three or four octal digits"),
                () if !owner.bytes().all(ids) || owner.starts_with('-') => {
                    bad("the owner is not `user` or `user:group`")
                }
                () => Ok(shell(&WRITE, &[path, mode, owner, &id.op])),
            }
        }
    }
}

/// A word that `printf %b` gives back as `text`; unlike all else, standard input may hold NUL.
fn printf_b(text: &str) -> Result<String, ScriptError> {
    quote(&text.replace('\\', r"\\").replace('\0', r"\0000"), "standard input")
}

#[cfg(test)]
mod tests;
