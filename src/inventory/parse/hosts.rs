//! `hosts:` of an inventory: ranges expanded, every name once, and the settings that its groups add.

use std::collections::BTreeMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::settings::{self, Level, SettingKey, Settings};
use super::tables;
use crate::inventory::{Group, Host, HostName, range};
use crate::source::codes::{BAD_HOST_NAME, BAD_SETTING, DUPLICATE_HOST, GROUPS_DISAGREE};
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind, Span, Spanned};
use crate::value::Value;

const HABITS: [(&str, &str); 10] = [
    ("ansible_host", "write `address:`"),
    ("ansible_user", "write `connection: { user: … }`"),
    ("ansible_port", "write `connection: { port: … }`"),
    ("ansible_connection", "write `connection: { transport: local }`"),
    ("ansible_ssh_private_key_file", "write `connection: { identity_file: … }`"),
    ("ansible_become", "write `become: { method: sudo }`"),
    ("ip", "write `address:`"),
    ("user", "write `connection: { user: … }`"),
    ("port", "write `connection: { port: … }`"),
    ("groups", "write the host, or a selector of it, below `groups:`"),
];

/// A host before its groups are known.
struct HostDraft {
    own: Rc<Settings>,
    address: Option<String>,
    node_name: Option<String>,
    /// What groups add, each with the group.
    added: IndexMap<SettingKey, (Value, Span, usize)>,
    span: Span,
}

/// Every host so far.
#[derive(Default)]
pub(super) struct Drafts {
    hosts: IndexMap<HostName, HostDraft>,
}

pub(super) fn read(node: &Node, diagnostics: &mut Diagnostics) -> Drafts {
    let mut drafts = Drafts::default();
    match &node.kind {
        NodeKind::Map(entries) if entries.is_empty() => {
            diagnostics.wrong_type(node, "at least one host");
        }
        NodeKind::Map(entries) => {
            for entry in entries {
                drafts.define(entry, diagnostics);
            }
        }
        NodeKind::Seq(_) => {
            let diagnostic =
                diagnostics.wrong_type(node, "a mapping from host names to what is known of each");
            diagnostic.hint("write `hosts: { w1.example.com: {}, w2.example.com: {} }`");
        }
        _ => {
            diagnostics.wrong_type(node, "a mapping from host names to what is known of each");
        }
    }
    drafts
}

impl Drafts {
    /// Reads one entry, which may be a range of hosts.
    fn define(&mut self, entry: &Entry, diagnostics: &mut Diagnostics) {
        let names = names(&entry.key, diagnostics);
        let nothing = Node::new(NodeKind::Map(Vec::new()), entry.value.span);
        let node = if matches!(entry.value.kind, NodeKind::Null) { &nothing } else { &entry.value };
        let Some(mut reader) = MapReader::open_table(node, &tables::HOST, diagnostics) else { return };
        let one = names.len() <= 1;
        let address = own_text(&mut reader, "address", one, address, diagnostics);
        let node_name = own_text(&mut reader, "node_name", one, node_name, diagnostics);
        let own = Rc::new(settings::read(&mut reader, Level::Host, diagnostics));
        reader.finish_with_foreign_keys("a host", &HABITS, diagnostics);
        for name in names {
            if let Some(first) = self.hosts.get(&name) {
                let message = format!("the host `{name}` is defined twice");
                diagnostics
                    .error(DUPLICATE_HOST, entry.key.span, message)
                    .related(first.span, "first defined here");
                continue;
            }
            let draft = HostDraft {
                own: Rc::clone(&own),
                address: address.clone(),
                node_name: node_name.clone(),
                added: IndexMap::new(),
                span: entry.key.span,
            };
            self.hosts.insert(name, draft);
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &HostName> {
        self.hosts.keys()
    }

    pub(super) fn span_of(&self, name: &str) -> Option<Span> {
        self.hosts.get(name).map(|draft| draft.span)
    }

    /// Gives the members of a group its settings. A second group with another value for the same is reported, unless
    /// the host itself decides.
    pub(super) fn add(
        &mut self,
        settings: &Settings,
        group: (usize, &str),
        members: &[HostName],
        names_of_groups: &[String],
        diagnostics: &mut Diagnostics,
    ) {
        for (key, (value, span)) in settings {
            // One report per setting and pair of groups; the other hosts would only repeat it.
            let mut reported = Vec::new();
            for host in members {
                let draft = self.hosts.get_mut(host).expect("invariant: members of a group are hosts");
                if draft.own.contains_key(key) {
                    continue;
                }
                match draft.added.get(key) {
                    None => {
                        draft.added.insert(key.clone(), (value.clone(), *span, group.0));
                    }
                    Some((other, _, _)) if other == value => {}
                    Some((_, _, other)) if reported.contains(other) => {}
                    Some((_, other_span, other)) => {
                        reported.push(*other);
                        let (first, second) = (&names_of_groups[*other], group.1);
                        let message =
                            format!("the groups `{first}` and `{second}` disagree on {key} of `{host}`");
                        diagnostics
                            .error(GROUPS_DISAGREE, *span, message)
                            .related(*other_span, format!("the value of `{first}`"))
                            .hint(format!(
                                "write the value at the host `{host}`, or in one of the two groups only"
                            ));
                    }
                }
            }
        }
    }

    /// The hosts with their labels as far as groups gave them yet; all that a selector looks at.
    pub(super) fn snapshot(&self) -> IndexMap<HostName, Host> {
        self.hosts
            .iter()
            .map(|(name, draft)| (name.clone(), draft.host(name, &Settings::new(), &[])))
            .collect()
    }

    /// The hosts as everybody else sees them.
    pub(super) fn settle(
        &self,
        defaults: &Settings,
        groups: &IndexMap<String, Group>,
    ) -> IndexMap<HostName, Host> {
        let mut of_host: IndexMap<&HostName, Vec<String>> =
            self.hosts.keys().map(|name| (name, Vec::new())).collect();
        for (name, group) in groups.iter().filter(|(name, _)| *name != "all") {
            for host in &group.hosts {
                of_host[host].push(name.clone());
            }
        }
        let settle = |(name, draft): (&HostName, &HostDraft)| {
            (name.clone(), draft.host(name, defaults, &of_host[name]))
        };
        self.hosts.iter().map(settle).collect()
    }
}

impl HostDraft {
    fn host(&self, name: &HostName, defaults: &Settings, groups: &[String]) -> Host {
        let mut settings = defaults.clone();
        for (key, (value, span, _)) in &self.added {
            settings.insert(key.clone(), (value.clone(), *span));
        }
        settings.extend(self.own.iter().map(|(key, value)| (key.clone(), value.clone())));
        let mut labels = BTreeMap::new();
        let mut vars = IndexMap::new();
        for (key, (value, _)) in &settings {
            match key {
                SettingKey::Label(key) => drop(labels.insert(key.clone(), value.to_string())),
                SettingKey::Var(key) => drop(vars.insert(key.clone(), value.clone())),
                SettingKey::Connection(_) | SettingKey::Become => {}
            }
        }
        Host {
            name: name.clone(),
            address: self.address.clone().unwrap_or_else(|| name.as_str().to_owned()),
            node_name: self.node_name.clone(),
            connection: settings::connection_of(&settings),
            r#become: settings::become_of(&settings),
            labels,
            vars,
            groups: groups.to_vec(),
            span: self.span,
        }
    }
}

/// Every name that a key of `hosts:`, or an item of a group's `hosts:`, stands for.
pub(super) fn names(written: &Spanned<String>, diagnostics: &mut Diagnostics) -> Vec<HostName> {
    let texts = match range::expand(&written.value) {
        Ok(texts) => texts,
        Err((offset, message)) => {
            diagnostics.error(BAD_HOST_NAME, written.at(offset), message);
            return Vec::new();
        }
    };
    let mut names = Vec::with_capacity(texts.len());
    for text in texts {
        if text == "all" {
            let message = "`all` is no host name: it is the group of all hosts, which always exists";
            diagnostics.error(BAD_HOST_NAME, written.span, message).hint("give the host another name");
            return Vec::new();
        }
        if text == "controller" {
            let message = "`controller` is no host name: in `run_on` and in reports it is the machine that runs Rollbook";
            diagnostics.error(BAD_HOST_NAME, written.span, message).hint("give the host another name");
            return Vec::new();
        }
        match HostName::parse(&text) {
            Ok(name) => names.push(name),
            Err(message) => {
                let shown = crate::source::shorten(&text);
                diagnostics.error(
                    BAD_HOST_NAME,
                    written.span,
                    format!("`{shown}` is no host name: {message}"),
                );
                return Vec::new();
            }
        }
    }
    names
}

/// A text that only one host can have.
fn own_text(
    reader: &mut MapReader<'_>,
    key: &str,
    one: bool,
    check: fn(&str) -> Result<(), &'static str>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let entry = reader.take(key)?;
    if !one {
        let message = format!("`{key}` belongs to one host, and this is a range of them");
        diagnostics
            .error(BAD_SETTING, entry.key.span, message)
            .hint("write that host as an entry of its own");
    }
    let text = entry.value.text("a text", diagnostics)?;
    match check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(hint) => {
            let message = format!("`{}` is no {}", crate::source::shorten(text), key.replace('_', " "));
            diagnostics.error(BAD_SETTING, entry.value.span, message).hint(hint);
            None
        }
    }
}

/// An address ends up as an operand of ssh.
fn address(text: &str) -> Result<(), &'static str> {
    if text.contains('@') {
        return Err("write the user as `connection: { user: … }`");
    }
    if text.matches(':').count() == 1 {
        return Err("write the port as `connection: { port: … }`");
    }
    let clean = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':');
    if begins && text.chars().all(clean) {
        Ok(())
    } else {
        Err("write a DNS name, an IPv4 or an IPv6 address")
    }
}

/// What Kubernetes accepts as a node's name: a DNS subdomain in lower case.
fn node_name(text: &str) -> Result<(), &'static str> {
    let clean = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.len() <= 253 && text.starts_with(ends) && text.ends_with(ends) && text.chars().all(clean) {
        Ok(())
    } else {
        Err("write the name that `kubectl get nodes` shows")
    }
}
