//! The tree of a selector to a set of hosts, held as one flag per host of the inventory.

use super::SelectorError;
use super::syntax::{Expr, Slice, slice};
use crate::inventory::{HostName, Inventory, range};
use crate::source::nearest;
use crate::template::glob_matches;

/// One flag per host, in the inventory's order.
type Mask = Vec<bool>;

pub(super) fn evaluate(expr: &Expr, inventory: &Inventory) -> Result<Mask, SelectorError> {
    match expr {
        Expr::Name { text, offset } => name(text, *offset, inventory),
        Expr::Label { key, value, offset } => label(key, value.as_deref(), *offset, inventory),
        Expr::Not(inner) => Ok(evaluate(inner, inventory)?.into_iter().map(|chosen| !chosen).collect()),
        Expr::And(left, right) => combine(left, right, inventory, |a, b| a && b),
        Expr::Or(left, right) => combine(left, right, inventory, |a, b| a || b),
        Expr::Slice { of, slice, offset } => {
            let mask = evaluate(of, inventory)?;
            cut(mask, *slice, *offset, "the parenthesis")
        }
    }
}

/// What is wrong with each part by itself, from left to right.
pub(super) fn mistakes(expr: &Expr, inventory: &Inventory, found: &mut Vec<SelectorError>) {
    match expr {
        Expr::Name { .. } | Expr::Label { .. } => found.extend(evaluate(expr, inventory).err()),
        Expr::Not(inner) => mistakes(inner, inventory, found),
        Expr::And(left, right) | Expr::Or(left, right) => {
            mistakes(left, inventory, found);
            mistakes(right, inventory, found);
        }
        Expr::Slice { of, .. } => {
            let before = found.len();
            mistakes(of, inventory, found);
            // A slice of what is not known says nothing.
            if found.len() == before {
                found.extend(evaluate(expr, inventory).err());
            }
        }
    }
}

fn combine(
    left: &Expr,
    right: &Expr,
    inventory: &Inventory,
    operator: impl Fn(bool, bool) -> bool,
) -> Result<Mask, SelectorError> {
    let left = evaluate(left, inventory)?;
    let right = evaluate(right, inventory)?;
    Ok(left.into_iter().zip(right).map(|(a, b)| operator(a, b)).collect())
}

fn name(text: &str, offset: usize, inventory: &Inventory) -> Result<Mask, SelectorError> {
    if let Some(open) = text.find('[') {
        return bracketed(text, open, offset, inventory);
    }
    if text.contains(['*', '?']) {
        return glob(text, offset, inventory);
    }
    // A group that somebody wrote as `hosts: []` is meant to be empty; one by `select` that matches nothing never loads.
    if let Some(group) = inventory.groups.get(text) {
        return Ok(members(&group.hosts, inventory));
    }
    let index = inventory.hosts.get_index_of(text).ok_or_else(|| unknown(text, offset, inventory))?;
    let mut mask = vec![false; inventory.hosts.len()];
    mask[index] = true;
    Ok(mask)
}

fn members(hosts: &[HostName], inventory: &Inventory) -> Mask {
    let mut mask = vec![false; inventory.hosts.len()];
    for host in hosts {
        let index = inventory.hosts.get_index_of(host).expect("invariant: members of a group are hosts");
        mask[index] = true;
    }
    mask
}

/// `workers[1:3]` where `workers` is a group, else `w[1:3]` as a range of host names.
fn bracketed(text: &str, open: usize, offset: usize, inventory: &Inventory) -> Result<Mask, SelectorError> {
    let (stem, inside) = (&text[..open], &text[open + 1..]);
    if stem.contains(['*', '?']) || text[open..].contains(['*', '?']) {
        return Err(SelectorError::new(
            offset + open,
            "a slice stands only after a group or a closing parenthesis",
        )
        .hint(format!("put the glob in parentheses: `({stem}){}`", &text[open..])));
    }
    let only = inside.strip_suffix(']').filter(|inside| !inside.contains(['[', ']']));
    if inventory.groups.contains_key(stem) {
        let Some(inside) = only else {
            return Err(SelectorError::new(
                offset + open,
                format!("`{stem}` is a group: one slice may follow it"),
            ));
        };
        let slice = slice(inside, offset + open)?;
        return cut(
            members(&inventory.groups[stem].hosts, inventory),
            slice,
            offset + open,
            &format!("`{stem}`"),
        );
    }
    // What can only be a slice needs a group, or a closing parenthesis, before it.
    if let Some(inside) = only.filter(|inside| !is_range(inside)) {
        slice(inside, offset + open)?;
        if inventory.hosts.contains_key(stem) {
            return Err(SelectorError::new(
                offset + open,
                format!("`{stem}` is a host, and a slice needs a group"),
            ));
        }
        return Err(unknown_group(stem, offset, inventory));
    }
    let names = range::expand(text).map_err(|(at, message)| SelectorError::new(offset + at, message))?;
    let mut mask = vec![false; inventory.hosts.len()];
    for name in &names {
        let index = inventory.hosts.get_index_of(name.as_str()).ok_or_else(|| match only {
            Some(_) if mask.iter().all(|chosen| !chosen) => SelectorError {
                message: format!("no group is named `{stem}`, and no host `{name}`"),
                ..unknown_group(stem, offset, inventory)
            },
            _ => unknown(name, offset, inventory),
        })?;
        mask[index] = true;
    }
    Ok(mask)
}

/// Whether it has both bounds of a range, so that it may stand in a host name.
fn is_range(inside: &str) -> bool {
    inside.split_once(':').is_some_and(|(first, last)| {
        !first.is_empty() && !last.is_empty() && !first.starts_with('-') && !last.starts_with('-')
    })
}

/// Hosts whose name, or the name of whose group, fits.
fn glob(pattern: &str, offset: usize, inventory: &Inventory) -> Result<Mask, SelectorError> {
    let mut mask: Mask = inventory.hosts.keys().map(|host| glob_matches(pattern, host.as_str())).collect();
    let some_host = mask.iter().position(|chosen| *chosen);
    for (name, group) in &inventory.groups {
        // `a*` is meant for names that somebody wrote.
        if name == "all" || !glob_matches(pattern, name) {
            continue;
        }
        let of_group = members(&group.hosts, inventory);
        let more = of_group.iter().zip(&mask).any(|(of_group, chosen)| *of_group && !chosen);
        // `w*` may be meant for w01 … w12, and would then also roll the group `windows`.
        if let Some((host, true)) = some_host.map(|index| (&inventory.hosts[index].name, more)) {
            let message = format!(
                "`{pattern}` fits the host `{host}` and also the group `{name}`, which has other hosts"
            );
            return Err(
                SelectorError::new(offset, message).hint("write the names of the groups or a longer glob")
            );
        }
        mask = mask.into_iter().zip(of_group).map(|(a, b)| a || b).collect();
    }
    if mask.contains(&true) {
        return Ok(mask);
    }
    Err(SelectorError::new(offset, format!("`{pattern}` matches no host and no group")))
}

fn label(
    key: &str,
    value: Option<&str>,
    offset: usize,
    inventory: &Inventory,
) -> Result<Mask, SelectorError> {
    let fits = |found: Option<&String>| match (found, value) {
        (Some(found), Some(value)) => found == value,
        (found, None) => found.is_some(),
        (None, Some(_)) => false,
    };
    let mask: Mask = inventory.hosts.values().map(|host| fits(host.labels.get(key))).collect();
    if mask.contains(&true) {
        return Ok(mask);
    }
    let mut values: Vec<&str> =
        inventory.hosts.values().filter_map(|host| host.labels.get(key)).map(String::as_str).collect();
    values.sort_unstable();
    values.dedup();
    if let Some(value) = value.filter(|_| !values.is_empty()) {
        let error =
            SelectorError::new(offset, format!("no host has the label `{key}` with the value `{value}`"));
        let shown = values.iter().take(8).map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        let more = if values.len() > 8 { ", …" } else { "" };
        return Err(error.hint(format!("values of `{key}`: {shown}{more}")));
    }
    let error = SelectorError::new(offset, format!("no host has the label `{key}`"));
    let keys = inventory.hosts.values().flat_map(|host| host.labels.keys().map(String::as_str));
    Err(match nearest(key, keys) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    })
}

/// Keeps what the slice names of the hosts that are set. A slice past the end is empty; an index past it is an error,
/// because it names one host.
fn cut(mask: Mask, slice: Slice, offset: usize, of: &str) -> Result<Mask, SelectorError> {
    let count = mask.iter().filter(|chosen| **chosen).count();
    let (start, end) = match slice {
        Slice::Index(index) if index >= count => {
            let hosts = if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") };
            return Err(SelectorError::new(
                offset,
                format!("{of} has {hosts}, and `[{index}]` is past the last"),
            )
            .hint("indices count from zero"));
        }
        Slice::Index(index) => (index, index + 1),
        Slice::Span(start, end) => (start.unwrap_or(0), end.unwrap_or(count)),
    };
    let mut seen = 0;
    let keep = |chosen: bool| {
        let kept = chosen && (start..end).contains(&seen);
        seen += usize::from(chosen);
        kept
    };
    Ok(mask.into_iter().map(keep).collect())
}

fn unknown(name: &str, offset: usize, inventory: &Inventory) -> SelectorError {
    let error = SelectorError::new(offset, format!("no host and no group is named `{name}`"));
    // `w07` of `w07.example.com`: people leave the domain out.
    let short = |host: &&str| host.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    if let Some(host) = inventory.hosts.keys().map(HostName::as_str).find(short) {
        return error.hint(format!("did you mean `{host}`?"));
    }
    let names =
        inventory.groups.keys().map(String::as_str).chain(inventory.hosts.keys().map(HostName::as_str));
    suggest(error, name, names)
}

fn unknown_group(name: &str, offset: usize, inventory: &Inventory) -> SelectorError {
    let error = SelectorError::new(offset, format!("no group is named `{name}`"));
    suggest(error, name, inventory.groups.keys().map(String::as_str))
}

fn suggest<'n>(error: SelectorError, name: &str, names: impl Iterator<Item = &'n str>) -> SelectorError {
    match nearest(name, names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}
