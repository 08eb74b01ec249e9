//! `groups:` of an inventory. Groups that list hosts come first; groups that select follow from top to bottom, and see
//! the groups before them with their labels.

use indexmap::IndexMap;

use super::hosts::{self, Drafts};
use super::settings::{self, Level, SettingKey, Settings};
use super::tables;
use crate::inventory::{Group, HostName, Inventory, Selector};
use crate::source::codes::{BAD_GROUP, BAD_SELECTOR, SELECTS_NOTHING, UNKNOWN_HOST};
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind, Span, Spanned, nearest};

/// Names that no host of this inventory has are compared with all of them; this many times at most.
const MOST_SUGGESTIONS: usize = 20;

const HABITS: [(&str, &str); 2] = [
    ("children", "write `select: \"a | b\"` with the names of the groups"),
    ("label", "write `select: \"label(key=value)\"` to choose hosts, or `labels:` to give them some"),
];

/// A group as written.
struct GroupDraft<'n> {
    name: &'n Spanned<String>,
    settings: Settings,
    hosts: Option<&'n Node>,
    select: Option<&'n Node>,
}

/// Reads the groups, and gives their settings to their hosts.
pub(super) fn read(
    node: &Node,
    drafts: &mut Drafts,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Group> {
    let mut groups = only_all(drafts, node.span);
    let entries = match &node.kind {
        NodeKind::Map(entries) => entries.as_slice(),
        NodeKind::Null => &[],
        _ => {
            diagnostics.wrong_type(node, "a mapping from group names to groups");
            &[]
        }
    };
    let written: Vec<_> = entries.iter().filter_map(|entry| draft(entry, drafts, diagnostics)).collect();
    // Written order is what people see; members are filled in below.
    for group in &written {
        groups.insert(
            group.name.value.clone(),
            Group { name: group.name.clone(), hosts: Vec::new(), listed: Vec::new() },
        );
    }
    let names: Vec<String> = groups.keys().cloned().collect();
    let mut suggestions = 0;
    let before = diagnostics.items().len();
    for group in written.iter().filter(|group| group.hosts.is_some()) {
        let members = group.hosts.map(|list| listed(list, drafts, &names, &mut suggestions, diagnostics));
        fill(group, members.unwrap_or_default(), &names, &mut groups, drafts, diagnostics);
    }
    let broken = diagnostics.items().len() > before;
    let lists = |name: &str| written.iter().all(|group| group.name.value != name || group.hosts.is_some());
    let mut so_far = Inventory {
        name: String::new(),
        hosts: drafts.snapshot(),
        groups: groups.iter().filter(|(name, _)| lists(name)).map(|(n, g)| (n.clone(), g.clone())).collect(),
        etcd: None,
        params: Vec::new(),
    };
    for group in written.iter().filter(|group| group.hosts.is_none()) {
        let members = group.select.and_then(|node| selected(node, &so_far, broken, diagnostics));
        fill(group, members.unwrap_or_default(), &names, &mut groups, drafts, diagnostics);
        so_far.groups.insert(group.name.value.clone(), groups[&group.name.value].clone());
        if group.settings.keys().any(|key| matches!(key, SettingKey::Label(_))) {
            so_far.hosts = drafts.snapshot();
        }
    }
    groups
}

/// The group that always exists.
pub(super) fn only_all(drafts: &Drafts, span: Span) -> IndexMap<String, Group> {
    let name = Spanned { value: "all".to_owned(), span };
    let hosts: Vec<HostName> = drafts.names().cloned().collect();
    IndexMap::from([("all".to_owned(), Group { name, listed: hosts.clone(), hosts })])
}

fn draft<'n>(entry: &'n Entry, drafts: &Drafts, diagnostics: &mut Diagnostics) -> Option<GroupDraft<'n>> {
    let name = &entry.key;
    let good = good_name(name, drafts, diagnostics);
    let mut reader = MapReader::open_table(&entry.value, &tables::GROUP, diagnostics)?
        .with_habits(|key| HABITS.iter().find(|(habit, _)| *habit == key).map(|(_, instead)| *instead));
    let hosts = reader.take("hosts").map(|entry| &entry.value);
    let select = reader.take("select");
    let settings = settings::read(&mut reader, Level::Group, diagnostics);
    let is_misspelt = reader.is_misspelt("hosts") || reader.is_misspelt("select");
    reader.finish_with_foreign_keys("a group", &HABITS, diagnostics);
    match (hosts, select) {
        (None, None) if !is_misspelt => {
            let diagnostic =
                diagnostics.error(BAD_GROUP, name.span, format!("the group `{}` has no hosts", name.value));
            diagnostic.hint("write `hosts: [w1, w2]` or `select: \"label(role=worker)\"`");
        }
        (Some(_), Some(select)) => {
            let message = format!("the group `{}` has both `hosts` and `select`", name.value);
            let diagnostic = diagnostics.error(BAD_GROUP, select.key.span, message);
            diagnostic.hint("keep one of them; `select` can name hosts too: `label(role=worker) | w1`");
        }
        _ => {}
    }
    good.then_some(GroupDraft { name, settings, hosts, select: select.map(|entry| &entry.value) })
}

fn good_name(name: &Spanned<String>, drafts: &Drafts, diagnostics: &mut Diagnostics) -> bool {
    let text = name.value.as_str();
    if text == "all" {
        let diagnostic =
            diagnostics.error(BAD_GROUP, name.span, "the group `all` always exists and cannot be defined");
        diagnostic.hint("variables of every host stand in `vars:` at the top");
        return false;
    }
    if let Err(message) = HostName::parse(text) {
        let message = format!(
            "`{}` is no group name: {}",
            crate::source::shorten(text),
            message.replace("host", "group")
        );
        diagnostics.error(BAD_GROUP, name.span, message);
        return false;
    }
    if let Some(host) = drafts.span_of(text) {
        let diagnostic =
            diagnostics.error(BAD_GROUP, name.span, format!("`{text}` is the name of a host and of a group"));
        diagnostic.related(host, "the host").hint("a selector could not tell them apart: rename the group");
        return false;
    }
    true
}

/// The hosts that a list names, each once.
fn listed(
    node: &Node,
    drafts: &Drafts,
    groups: &[String],
    suggestions: &mut usize,
    diagnostics: &mut Diagnostics,
) -> Vec<HostName> {
    let mut members = Vec::new();
    for item in node.items("a list of hosts", diagnostics).unwrap_or_default() {
        let Some(text) = item.text("the name of a host", diagnostics) else { continue };
        if groups.iter().any(|group| group == text) || text.contains(['*', '?', '(']) {
            let message = format!("`{}` is no host", crate::source::shorten(text));
            let diagnostic = diagnostics.error(UNKNOWN_HOST, item.span, message);
            diagnostic.hint(format!("`hosts` lists hosts; write `select: \"{text}\"` instead"));
            continue;
        }
        let written = Spanned { value: text.to_owned(), span: item.span };
        let names = hosts::names(&written, diagnostics);
        if let Some(missing) = names.iter().find(|name| drafts.span_of(name.as_str()).is_none()) {
            let message = format!("the host `{missing}` is not defined");
            let diagnostic = diagnostics.error(UNKNOWN_HOST, item.span, message);
            *suggestions += 1;
            let near = (*suggestions <= MOST_SUGGESTIONS)
                .then(|| nearest(missing.as_str(), drafts.names().map(HostName::as_str)))
                .flatten();
            diagnostic.hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "define it below `hosts:`".to_owned(),
            });
            continue;
        }
        members.extend(names);
    }
    members
}

/// The hosts that a selector gives, where it may name the groups resolved so far. Where some of those are `broken`,
/// what it does not find may only be the consequence of that.
fn selected(
    node: &Node,
    so_far: &Inventory,
    broken: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<HostName>> {
    let text = node.text("a selector such as `label(role=worker)`", diagnostics)?;
    let (code, error) = match Selector::parse(text) {
        Err(error) => (BAD_SELECTOR, error),
        Ok(selector) => match selector.select(so_far) {
            Ok(members) => return Some(members),
            Err(_) if broken => return None,
            Err(error) => (SELECTS_NOTHING, error),
        },
    };
    let diagnostic = diagnostics.error(code, node.at(error.offset), error.message);
    diagnostic.hints.extend(error.hint);
    if code == SELECTS_NOTHING {
        diagnostic.hint("a `select` sees the groups that list `hosts`, and the groups above it");
    }
    None
}

/// Sets a group's members, in the inventory's order, and gives them its settings.
fn fill(
    group: &GroupDraft<'_>,
    members: Vec<HostName>,
    names: &[String],
    groups: &mut IndexMap<String, Group>,
    drafts: &mut Drafts,
    diagnostics: &mut Diagnostics,
) {
    let listed: indexmap::IndexSet<HostName> = members.into_iter().collect();
    let chosen = &listed;
    let ordered: Vec<HostName> = drafts.names().filter(|name| chosen.contains(*name)).cloned().collect();
    let index = groups.get_index_of(&group.name.value).expect("invariant: the group was inserted");
    drafts.add(&group.settings, (index, &group.name.value), &ordered, names, diagnostics);
    groups[index].hosts = ordered;
    groups[index].listed = listed.into_iter().collect();
}
