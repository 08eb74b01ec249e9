//! What may be said of all hosts, of a group or of a host: connection, become, labels and variables. Each is kept as a
//! pair of key and value with its place, so that they are all settled by one rule: host over groups over top, and no
//! group over another.

use indexmap::IndexMap;

use super::root::BecomeKeys;
use super::tables;
use crate::inventory::{Become, Connection, HostKeyPolicy, TransportKind, is_open_to_all};
use crate::source::codes::BAD_SETTING;
use crate::source::{AsDefault, Diagnostics, FromNode, MapReader, Node, NodeKind, Span};
use crate::value::{Duration, Value};

/// Names one setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SettingKey {
    Label(String),
    Var(String),
    Connection(&'static str),
    Become,
}

impl std::fmt::Display for SettingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(key) => write!(f, "the label `{key}`"),
            Self::Var(key) => write!(f, "the variable `{key}`"),
            Self::Connection(key) => write!(f, "`connection.{key}`"),
            Self::Become => f.write_str("`become.method`"),
        }
    }
}

/// Settings with their places.
pub(super) type Settings = IndexMap<SettingKey, (Value, Span)>;

/// Where settings are written; labels of every host would select nothing that `all` does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Top,
    Group,
    Host,
}

/// Takes every key that holds settings.
pub(super) fn read(reader: &mut MapReader<'_>, level: Level, diagnostics: &mut Diagnostics) -> Settings {
    let mut settings = Settings::new();
    if let Some(entry) = reader.take("connection") {
        connection(&entry.value, &mut settings, diagnostics);
    }
    if let Some(entry) = reader.take("become") {
        r#become(&entry.value, &mut settings, diagnostics);
    }
    if level != Level::Top
        && let Some(entry) = reader.take("labels")
    {
        labels(&entry.value, &mut settings, diagnostics);
    }
    if let Some(entry) = reader.take("vars") {
        vars(&entry.value, &mut settings, diagnostics);
    }
    settings
}

/// What a text means, where it can be used.
type Reads = fn(&str) -> Option<Value>;

const CONNECTION: [(&str, Reads); 10] = [
    ("transport", |text| word(text, &["ssh", "local"])),
    ("user", |text| clean(text, "._-@+\\$")),
    ("port", port),
    ("jump", |text| clean(text, "._-@:,[]%")),
    ("identity_file", path),
    ("ssh_config", path),
    ("known_hosts", path),
    ("host_key", |text| word(text, &["strict", "accept_new"])),
    ("connect_timeout", |text| {
        Duration::parse(text).filter(|duration| *duration > Duration::ZERO).map(Value::Duration)
    }),
    ("remote_dir", remote_dir),
];

/// What stands below `reconnect:`, under the names by which settings are told apart.
const RECONNECT_RULES: [(&str, &str, Reads); 2] = [
    ("attempts", ATTEMPTS, |text| {
        let count = text.parse::<i64>().ok().filter(|count| (1..=1000).contains(count));
        count.filter(|count| count.to_string() == *text).map(Value::Int)
    }),
    ("max_delay", MAX_DELAY, |text| {
        let fits = |delay: &Duration| *delay >= Duration::from_secs(1);
        Duration::parse(text).filter(fits).map(Value::Duration)
    }),
];
const ATTEMPTS: &str = "reconnect.attempts";
const MAX_DELAY: &str = "reconnect.max_delay";

const CONNECTION_HABITS: [(&str, &str); 7] = [
    (
        "strict_host_key_checking",
        "write `host_key: strict` or `host_key: accept_new`; there is no way to switch it off",
    ),
    ("password", "passwords are not supported: use a key, an agent or a certificate"),
    ("proxy_jump", "write `jump: bastion.example.com`"),
    ("private_key_file", "write `identity_file:`"),
    ("key", "write `identity_file:`"),
    ("timeout", "write `connect_timeout:`"),
    ("host", "write `address:` at the host"),
];

fn connection(node: &Node, settings: &mut Settings, diagnostics: &mut Diagnostics) {
    let table = &tables::CONNECTION_KEYS;
    let Some(mut reader) = MapReader::open_table(node, table, diagnostics) else { return };
    for (key, rule) in CONNECTION {
        let Some(entry) = reader.take(key) else { continue };
        if let Some(value) = entry.value.parsed(&table.expects(key), diagnostics, rule) {
            settings.insert(SettingKey::Connection(key), (value, entry.value.span));
        }
    }
    if let Some(entry) = reader.take("reconnect") {
        reconnect(&entry.value, settings, diagnostics);
    }
    reader.finish_with_foreign_keys("`connection`", &CONNECTION_HABITS, diagnostics);
}

fn reconnect(node: &Node, settings: &mut Settings, diagnostics: &mut Diagnostics) {
    let Some(mut reader) = MapReader::open_table(node, &tables::RECONNECT, diagnostics) else { return };
    for (key, name, rule) in RECONNECT_RULES {
        let Some(entry) = reader.take(key) else { continue };
        if let Some(value) = entry.value.parsed(&tables::RECONNECT.expects(key), diagnostics, rule) {
            settings.insert(SettingKey::Connection(name), (value, entry.value.span));
        }
    }
    let foreign_keys = [
        ("delay", "the first pause is 1 s, and each is twice as long; write `max_delay:`"),
        ("timeout", "write `connect_timeout:` beside `reconnect:`"),
        ("retries", "write `attempts:`"),
    ];
    reader.finish_with_foreign_keys("`reconnect`", &foreign_keys, diagnostics);
}

fn word(text: &str, words: &[&str]) -> Option<Value> {
    words.contains(&text).then(|| Value::Str(text.to_owned()))
}

/// Letters, digits and `extra`; never an option of ssh.
fn clean(text: &str, extra: &str) -> Option<Value> {
    let fits = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    (!text.is_empty() && !text.starts_with('-') && text.chars().all(fits))
        .then(|| Value::Str(text.to_owned()))
}

fn port(text: &str) -> Option<Value> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u16>().ok().filter(|port| digits && *port > 0).map(|port| Value::Int(i64::from(port)))
}

fn path(text: &str) -> Option<Value> {
    // The path is written into a configuration file of ssh, where quotes and line breaks would become syntax.
    let fits = !text.is_empty() && !text.starts_with('-') && !text.contains(['"', '\'']);
    (fits && !text.chars().any(char::is_control)).then(|| Value::Str(text.to_owned()))
}

pub(super) fn remote_dir(text: &str) -> Option<Value> {
    let clean = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let fits = text.starts_with('/') && text.len() > 1 && text.chars().all(clean) && !is_open_to_all(text);
    (fits && text.split('/').all(|part| part != "..")).then(|| Value::Str(text.to_owned()))
}

fn r#become(node: &Node, settings: &mut Settings, diagnostics: &mut Diagnostics) {
    if let Some(BecomeKeys { method }) = BecomeKeys::from_node(node, &BecomeKeys::ty(), diagnostics) {
        settings.insert(SettingKey::Become, (method.value.as_default(), method.span));
    }
}

fn labels(node: &Node, settings: &mut Settings, diagnostics: &mut Diagnostics) {
    let NodeKind::Map(entries) = &node.kind else {
        diagnostics.wrong_type(node, "a mapping from labels to values");
        return;
    };
    // What a selector can name: `label(topology.kubernetes.io/zone=a)`.
    let fits = |text: &str, extra: &str| {
        let clean = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        !text.is_empty() && text.chars().all(clean)
    };
    for entry in entries {
        let key = &entry.key;
        if !fits(&key.value, "._-/") {
            let message = format!("`{}` is no label", key.value.escape_debug());
            diagnostics
                .error(BAD_SETTING, key.span, message)
                .hint("use letters, digits, `.`, `_`, `-` and `/`");
        }
        let expected = "a label value of letters, digits, `.`, `_` and `-`";
        if let Some(text) =
            entry.value.parsed(expected, diagnostics, |text| fits(text, "._-").then_some(text))
        {
            settings.insert(
                SettingKey::Label(key.value.clone()),
                (Value::Str(text.to_owned()), entry.value.span),
            );
        }
    }
}

fn vars(node: &Node, settings: &mut Settings, diagnostics: &mut Diagnostics) {
    let NodeKind::Map(entries) = &node.kind else {
        diagnostics.wrong_type(node, "a mapping from variables to values");
        return;
    };
    for entry in entries {
        if let Some(value) = constant(&entry.value, diagnostics) {
            settings.insert(SettingKey::Var(entry.key.value.clone()), (value, entry.value.span));
        }
    }
}

/// Plain YAML with no type of its own: `true` and `false` are booleans, whole numbers are numbers, the rest is text.
fn constant(node: &Node, diagnostics: &mut Diagnostics) -> Option<Value> {
    match &node.kind {
        NodeKind::Null => Some(Value::Null),
        NodeKind::Scalar { text, .. } if text.contains("{{") => {
            let diagnostic =
                diagnostics.error(BAD_SETTING, node.span, "variables of an inventory hold no templates");
            diagnostic
                .hint("write the value, or build it in the runbook from `host.name` and other variables");
            None
        }
        NodeKind::Scalar { text, .. } if node.is_plain() => Some(match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            // `007` and `+7` are text: whoever wrote them did not mean 7.
            _ => match text.parse::<i64>() {
                Ok(number) if number.to_string() == *text => Value::Int(number),
                _ => Value::Str(text.clone()),
            },
        }),
        NodeKind::Scalar { text, .. } => Some(Value::Str(text.clone())),
        NodeKind::Seq(items) => {
            let values: Vec<_> = items.iter().map(|item| constant(item, diagnostics)).collect();
            values.into_iter().collect::<Option<_>>().map(Value::List)
        }
        NodeKind::Map(entries) => {
            let values: Vec<_> = entries
                .iter()
                .map(|entry| Some((entry.key.value.clone(), constant(&entry.value, diagnostics)?)))
                .collect();
            values.into_iter().collect::<Option<_>>().map(Value::Map)
        }
    }
}

/// The connection that settings describe; what they leave out is as without any.
pub(super) fn connection_of(settings: &Settings) -> Connection {
    let mut connection = Connection::default();
    for (key, (value, _)) in settings {
        let SettingKey::Connection(key) = key else { continue };
        match (*key, value) {
            ("transport", Value::Str(text)) if text == "local" => connection.transport = TransportKind::Local,
            ("host_key", Value::Str(text)) if text == "accept_new" => {
                connection.host_key = HostKeyPolicy::AcceptNew;
            }
            ("user", Value::Str(text)) => connection.user = Some(text.clone()),
            ("port", Value::Int(port)) => connection.port = u16::try_from(*port).ok(),
            ("jump", Value::Str(text)) => connection.jump = Some(text.clone()),
            ("identity_file", Value::Str(text)) => connection.identity_file = Some(text.into()),
            ("ssh_config", Value::Str(text)) => connection.ssh_config = Some(text.into()),
            ("known_hosts", Value::Str(text)) => connection.known_hosts = Some(text.into()),
            ("remote_dir", Value::Str(text)) => connection.remote_dir = Some(text.clone()),
            ("connect_timeout", Value::Duration(duration)) => connection.connect_timeout = *duration,
            (ATTEMPTS, Value::Int(attempts)) => {
                connection.reconnect.attempts = u32::try_from(*attempts).unwrap_or(1);
            }
            (MAX_DELAY, Value::Duration(delay)) => connection.reconnect.max_delay = *delay,
            // `ssh` and `strict`, written at a host to overrule a group.
            _ => {}
        }
    }
    connection
}

/// How root is reached; by sudo unless written.
pub(super) fn become_of(settings: &Settings) -> Become {
    match settings.get(&SettingKey::Become) {
        Some((Value::Str(method), _)) if method == "none" => Become::None,
        _ => Become::Sudo,
    }
}
