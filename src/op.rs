//! The closed set of things done to a host, as data. Nothing here runs anything, and nothing here is a shell line:
//! a command is an argument vector, so that no value ever becomes syntax.

mod membership;
mod program;
mod temporary;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::Duration;

pub use membership::MovedNode;
pub use program::{base_name, calls_kubectl, command_behind, is_shell, only_runs_another};
pub use temporary::Temporary;

/// What running something may do to a host; the plan shows it and the budget counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Reads,
    /// Changes the host, while what runs on it keeps running.
    Changes,
    /// Takes the host, or what runs on it, out of service.
    Disrupts,
}

/// Where an op runs, seen from the host whose step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// On the host itself.
    Subject,
    /// Where kubectl runs: a control plane, or the controller when `kube.via` says so.
    Kube,
    /// On the machine that runs Rollbook.
    Controller,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// Run this argument vector, never through a shell.
    Exec {
        /// Program and arguments. May hold the `run.*` symbols, never a secret one.
        argv: Vec<String>,
    },
    /// Replace a file by write, sync and rename; the content is the op's stdin. Directories are not made.
    Write {
        /// Absolute path.
        path: String,
        /// Permission bits in octal, such as `0644`.
        mode: String,
        /// `user` or `user:group`; kept as it is when empty.
        owner: String,
    },
    /// Restart the machine; done when it is back with another boot id.
    Reboot,
}

/// When an op of a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunWhen {
    /// After every earlier op of the task succeeded.
    InOrder,
    /// Also when an earlier op of the task failed, such as putting a hold back.
    Always,
    /// Only when an earlier op of the task failed, or its verification did, such as taking back the cordon of a drain
    /// that did not finish.
    OnFailure,
}

/// One change sent to a host. Every one of them goes through the launcher.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own, and stands so in every plan"
)]
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Op {
    /// A few words for people, in the imperative: "install kubelet".
    pub title: String,
    /// Where it runs.
    pub site: Site,
    /// What it does.
    #[serde(rename = "deed")]
    pub kind: OpKind,
    /// Environment beyond the launcher's allow-list. Public, as argv is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Standard input. May hold secret symbols; the executor resolves them at the last moment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Whether it runs as root.
    pub r#become: bool,
    /// Enforced on the host.
    pub timeout: Duration,
    /// What it may do.
    pub effect: Effect,
    /// Whether it may take long: it then runs as a transient systemd unit where the host has systemd.
    pub long: bool,
    /// When it runs.
    pub when: RunWhen,
    /// Exit codes that mean success.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub success: Vec<i32>,
    /// 1 among them counts only where kubectl says that a test of its patch failed: then somebody else was first. It ends
    /// with 1 for everything else, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yields: bool,
    /// The command that takes it back, for the summary's last lines; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub undo: String,
    /// What it changes until something puts it back: a run that dies in between leaves this behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<Temporary>,
    /// What it puts back of that: cordons that its own task set, holds whoever took them off. A step that closes a bracket
    /// puts back what was opened there, and says nothing here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<Temporary>,
    /// Nodes that it takes out of the cluster or lets in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<MovedNode>,
    /// Whether it calls kubectl, so that how it fails may tell of the API server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_api: bool,
}

fn zero() -> Vec<i32> {
    vec![0]
}

fn is_zero(codes: &[i32]) -> bool {
    codes == [0]
}

impl Op {
    /// An op on the host itself, not as root, that changes something: it has a minute, runs in order and succeeds with 0.
    /// Whoever makes one states what differs.
    pub fn new(title: impl Into<String>, kind: OpKind) -> Self {
        Self {
            title: title.into(),
            site: Site::Subject,
            kind,
            env: BTreeMap::new(),
            stdin: String::new(),
            r#become: false,
            timeout: Duration::from_secs(60),
            effect: Effect::Changes,
            long: false,
            when: RunWhen::InOrder,
            success: zero(),
            yields: false,
            undo: String::new(),
            makes: Vec::new(),
            restores: Vec::new(),
            moves: Vec::new(),
            asks_api: false,
        }
    }

    /// The same with an argument vector.
    pub fn exec(title: impl Into<String>, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(title, OpKind::Exec { argv: argv.into_iter().map(Into::into).collect() })
    }

    /// Whether a secret is sent with it: loading lets one stand in standard input only.
    pub fn is_given_a_secret(&self) -> bool {
        self.stdin.contains(&format!("{SYMBOL_OPEN}secret:"))
    }

    /// The same as a look, where it only reads: what is asked again and again needs no record of every time.
    pub fn as_look(&self) -> Option<Probe> {
        let OpKind::Exec { argv } = &self.kind else { return None };
        if self.effect != Effect::Reads {
            return None;
        }
        let mut full = Vec::new();
        if !self.env.is_empty() {
            full.extend(["env", "--"].map(str::to_owned));
            full.extend(self.env.iter().map(|(name, value)| format!("{name}={value}")));
        }
        full.extend(argv.iter().cloned());
        let query =
            Query { argv: full, stdin: self.stdin.clone(), asks_api: self.asks_api, ..Query::default() };
        Some(Probe { site: self.site, queries: vec![query], r#become: self.r#become, timeout: self.timeout })
    }
}

/// One read-only command of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Query {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Standard input, usually empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Where this one runs, if not at the probe's site: some states show only from two sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// Whether this one runs as root, if not as the probe does: kubectl on the controller must not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#become: Option<bool>,
    /// Whether it calls kubectl, so that how it fails may tell of the API server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_api: bool,
}

/// A read-only look at a host: commands that run one after the other, in one round trip for each site they name, none
/// of which may change anything. A query that fails does not stop the later ones. Answers keep the order of the queries.
/// A probe without queries is one whose verdict follows from the step's arguments alone: nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probe {
    /// Where it runs.
    pub site: Site,
    /// The commands, in order.
    pub queries: Vec<Query>,
    /// Whether they run as root.
    pub r#become: bool,
    /// For all of them together, enforced on the host.
    pub timeout: Duration,
}

impl Query {
    /// A call of kubectl.
    pub fn of_kubectl(argv: Vec<String>) -> Self {
        Self { argv, asks_api: true, ..Self::default() }
    }

    /// Whether a part of it is known only where it is sent, such as the name of the host that it is about.
    pub fn holds_symbols(&self) -> bool {
        self.argv.iter().chain([&self.stdin]).any(|text| text.contains(SYMBOL_OPEN))
    }
}

impl Probe {
    /// Whether it asks the cluster alone, and the same on behalf of every host. So are its answers the same then, and what
    /// they mean.
    pub fn is_same_for_every_host(&self) -> bool {
        let is_same = |query: &Query| query.site.unwrap_or(self.site) == Site::Kube && !query.holds_symbols();
        !self.queries.is_empty() && self.queries.iter().all(is_same)
    }
}

/// What one query gave.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProbeOutput {
    /// The exit code; 127 where there is no such program, 124 where the time limit ended it.
    pub rc: i32,
    /// Standard output, lossily decoded and cut at the transport's limit.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl ProbeOutput {
    /// Whether the exit code is zero.
    pub fn ok(&self) -> bool {
        self.rc == 0
    }
}

/// How a process on a host ended, by the launcher's own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By its time limit, with its whole process tree.
    TimedOut,
    /// Without a record: the host lost power, or something killed the launcher too.
    Interrupted,
}

/// Opens a symbol inside a string: a value that is known only where the op is sent. The two delimiters are
/// private-use characters, which the readers of users' files refuse.
pub const SYMBOL_OPEN: char = '\u{F0000}';
/// Closes a symbol.
pub const SYMBOL_CLOSE: char = '\u{F0001}';

/// The symbol of a secret: `secret:NAME` between the delimiters.
pub fn secret_symbol(name: &str) -> String {
    format!("{SYMBOL_OPEN}secret:{name}{SYMBOL_CLOSE}")
}

/// The symbol of a property of the run, such as `run.id`. A frozen plan holds no run id.
pub fn run_symbol(property: &str) -> String {
    format!("{SYMBOL_OPEN}run:{property}{SYMBOL_CLOSE}")
}

/// The symbol of a property of the step's own host, such as `node`: one lowered step serves every host of a phase.
pub fn subject_symbol(property: &str) -> String {
    format!("{SYMBOL_OPEN}subject:{property}{SYMBOL_CLOSE}")
}

/// Whether a text is one symbol and nothing else.
pub fn is_symbol(text: &str) -> bool {
    text.strip_prefix(SYMBOL_OPEN)
        .and_then(|rest| rest.strip_suffix(SYMBOL_CLOSE))
        .is_some_and(|inside| !inside.contains(SYMBOL_OPEN))
}

/// Replaces each symbol of `text` by what `resolve` gives for its inside (`secret:NAME`, `run:PROPERTY`,
/// `subject:PROPERTY`).
pub fn resolve_symbols<E>(
    text: &str,
    mut resolve: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, E> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(SYMBOL_OPEN) {
        let (symbol, tail) = after.split_once(SYMBOL_CLOSE).unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&resolve(symbol)?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// Stands for a run's id where people read of a plan.
pub const RUN_ID_WORDS: &str = "(the run's id)";

/// What a symbol stands for, in words, where nobody can know its value.
pub fn symbol_words(symbol: &str) -> String {
    match symbol {
        "run:id" => RUN_ID_WORDS.to_owned(),
        "run:started" => "(the time of the run)".to_owned(),
        "subject:node" => "(the host's node)".to_owned(),
        "subject:host" => "(the host's name)".to_owned(),
        other => match other.strip_prefix("secret:") {
            Some(name) => format!("(the secret {name})"),
            None => format!("({other})"),
        },
    }
}

/// Text for people: words in place of its symbols, also of those that were escaped on the way.
pub fn show_symbols(text: &str) -> String {
    let text = unescaped_symbols(text);
    if !text.contains([SYMBOL_OPEN, SYMBOL_CLOSE]) {
        return text.into_owned();
    }
    let Ok(text) = resolve_symbols(&text, |symbol| Ok::<_, std::convert::Infallible>(symbol_words(symbol)));
    text.replace(SYMBOL_CLOSE, "")
}

/// The same text with its symbols as they were before it was escaped for people.
pub fn unescaped_symbols(text: &str) -> Cow<'_, str> {
    const ESCAPED: [(&str, char); 2] = [("\\u{f0000}", SYMBOL_OPEN), ("\\u{f0001}", SYMBOL_CLOSE)];
    if !text.contains(ESCAPED[0].0) {
        return Cow::Borrowed(text);
    }
    let plain = ESCAPED.iter().fold(text.to_owned(), |text, (escaped, delimiter)| {
        text.replace(escaped, delimiter.encode_utf8(&mut [0; 4]))
    });
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_words_and_never_a_symbol() {
        let id = run_symbol("id");
        let cases = [
            (format!("/b/{id}.db"), "/b/(the run's id).db"),
            (format!("`{}` is no path", id.escape_debug()), "`(the run's id)` is no path"),
            (secret_symbol("db"), "(the secret db)"),
            (
                format!("{} on {}", subject_symbol("node"), subject_symbol("host")),
                "(the host's node) on (the host's name)",
            ),
            (format!("{SYMBOL_OPEN}facts.kubelet{SYMBOL_CLOSE}"), "(facts.kubelet)"),
            // Cut on the way.
            (format!("a {SYMBOL_OPEN}run:i"), "a (run:i)"),
            (format!("d{SYMBOL_CLOSE} b"), "d b"),
            ("plain ‹text›".to_owned(), "plain ‹text›"),
        ];
        for (text, shown) in cases {
            assert_eq!(show_symbols(&text), shown, "{text:?}");
        }
    }
}
