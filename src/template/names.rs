//! What names exist where an expression stands, so that a wrong one is found when the file is loaded.

use std::fmt;

use indexmap::IndexMap;

use crate::source::nearest;
use crate::value::Type;

/// A dotted name used by a template: `params.target`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The namespace: "params".
    pub root: String,
    /// The rest as far as it is static: `target`.
    pub path: Vec<String>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        self.path.iter().try_for_each(|member| write!(f, ".{member}"))
    }
}

/// What is known of a name before there are values.
#[derive(Clone, Debug, PartialEq)]
pub enum NameType {
    /// A value of this type.
    Value(Type),
    /// A mapping with these members and no others.
    Closed(IndexMap<String, NameType>),
    /// A list, of whose items this is known.
    List(Box<NameType>),
    /// A mapping whose members are known only later (host vars, labels, `json`).
    Open,
}

/// The namespaces of one place in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// By namespace.
    pub roots: IndexMap<String, NameType>,
    /// Ids of the steps that stand later in the same list: their results are not there yet.
    pub later: Vec<String>,
    /// Ids that no expression can name: they are reported where they stand, so their uses are not.
    pub broken: Vec<String>,
    /// Ids of steps of the phases before, whose results end with their phase.
    pub elsewhere: Vec<String>,
}

/// Names of other tools, and ours.
const OF_OTHER_TOOLS: [(&str, &str); 20] = [
    ("FALSE", "write `false`"),
    ("TRUE", "write `true`"),
    ("ansible_check_mode", "a plan is no run: leave the condition out"),
    ("ansible_default_ipv4", "write `host.address`"),
    ("ansible_distribution", "write `facts.os`"),
    ("ansible_facts", "write `facts`, such as `facts.os`"),
    ("ansible_fqdn", "write `host.name`"),
    ("ansible_host", "write `host.address`"),
    ("ansible_hostname", "write `host.name`"),
    ("ansible_nodename", "write `facts.hostname`"),
    ("ansible_os_family", "write `facts.os`"),
    ("group_names", "write `host.name in groups.NAME`"),
    ("hostvars", "write `host.vars`, which holds those of the step's own host"),
    ("inventory_hostname", "write `host.name`"),
    ("inventory_hostname_short", "write `host.name`"),
    ("no", "write `false`"),
    ("off", "write `false`"),
    ("on", "write `true`"),
    ("play_hosts", "write `groups.NAME`"),
    ("yes", "write `true`"),
];

/// A name that does not exist where it is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NameError {
    /// What is wrong: "unknown name `params.tarrget`".
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// How a hint begins that has nothing better to say than what there is.
const ALL_NAMES: &str = "names here start with";

impl NameError {
    /// Whether the hint says what was meant, not only what there is.
    pub fn knows_better(&self) -> bool {
        !self.hint.starts_with(ALL_NAMES)
    }
}

/// More names than this are a page of the reference, not a hint.
const MOST_LISTED: usize = 14;

impl Names {
    /// The type of a name as far as it is known; `Ok(None)` where its members are known only later.
    pub fn check(&self, name: &Reference) -> Result<Option<Type>, NameError> {
        let Some(mut at) = self.roots.get(&name.root) else {
            return Err(self.unknown_root(name));
        };
        let mut so_far = name.root.clone();
        let mut path = name.path.iter();
        loop {
            let members = match at {
                NameType::Open => return Ok(None),
                NameType::Value(ty) => return member_type(ty, &so_far, path.as_slice()),
                NameType::List(_) => {
                    return member_type(&Type::List(Box::new(Type::Any)), &so_far, path.as_slice());
                }
                NameType::Closed(members) => members,
            };
            let Some(member) = path.next() else { return Ok(Some(Type::Map(Box::new(Type::Any)))) };
            let known = || members.keys().map(String::as_str);
            at = members.get(member).ok_or_else(|| match so_far.as_str() {
                "steps" if self.later.contains(member) => later(member),
                "steps" if self.elsewhere.contains(member) => elsewhere(member),
                "steps" if members.is_empty() => no_steps(member),
                _ => unknown_member(&so_far, member, known()),
            })?;
            so_far = format!("{so_far}.{member}");
        }
    }

    /// What is known of what stands at a name, members and items included; `None` where the name is wrong.
    pub fn find(&self, name: &Reference) -> Option<NameType> {
        let mut at = self.roots.get(&name.root)?;
        let mut path = name.path.as_slice();
        loop {
            match (at, path) {
                (_, []) => return Some(at.clone()),
                (NameType::Closed(members), [member, rest @ ..]) => {
                    at = members.get(member)?;
                    path = rest;
                }
                (NameType::Open, _) => return Some(NameType::Open),
                (NameType::Value(ty), path) => {
                    return Some(member_type(ty, "", path).ok()?.map_or(NameType::Open, NameType::Value));
                }
                (NameType::List(_), _) => return None,
            }
        }
    }

    /// The members of a mapping that are known.
    pub(super) fn members(&self, name: &Reference) -> Vec<String> {
        match self.find(name) {
            Some(NameType::Closed(members)) => members.into_keys().collect(),
            Some(NameType::Value(Type::Record(fields))) => {
                fields.iter().map(|field| field.name.to_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What was meant by a name without its namespace, as far as it exists.
    fn below(&self, root: &str, name: &Reference) -> String {
        let whole = |length: usize| Reference {
            root: root.to_owned(),
            path: std::iter::once(&name.root).chain(&name.path[..length]).cloned().collect(),
        };
        let known = (0..=name.path.len()).rev().find(|length| self.check(&whole(*length)).is_ok());
        let known = known.unwrap_or_default();
        let (value, rest) = (whole(known), &name.path[known..]);
        let is_version = matches!(self.check(&value), Ok(Some(Type::Version)));
        match rest {
            [part] if is_version && ["major", "minor", "patch"].contains(&part.as_str()) => {
                format!("did you mean `{value} | {part}`?")
            }
            _ => format!("did you mean `{value}`?"),
        }
    }

    fn unknown_root(&self, name: &Reference) -> NameError {
        let message = format!("unknown name `{name}`");
        if let Some((_, hint)) = OF_OTHER_TOOLS.iter().find(|(other, _)| *other == name.root) {
            return NameError { message, hint: (*hint).to_owned() };
        }
        // `target` for `params.target` is the commonest slip of people who come from other tools.
        let member = self.roots.iter().find_map(|(root, names)| match names {
            NameType::Closed(members) if members.contains_key(&name.root) => Some(root),
            _ => None,
        });
        // Other tools call it `item`.
        if name.root == "item" || name.root == "each" {
            let each = Reference { root: "each".to_owned(), path: name.path.clone() };
            let hint = if self.roots.contains_key("each") {
                format!("write `{each}`")
            } else {
                "`each` is an item of `for_each`, which the step does not have: write `for_each: [a, b]` beside it".to_owned()
            };
            return NameError { message, hint };
        }
        let hint = match (member, nearest(&name.root, self.roots.keys().map(String::as_str))) {
            (Some(root), _) => self.below(root, name),
            (None, Some(root)) => {
                let near = Reference { root: root.to_owned(), path: name.path.clone() };
                format!("did you mean `{near}`?")
            }
            (None, None) if self.roots.is_empty() => "no name is known here".to_owned(),
            (None, None) => list(ALL_NAMES, self.roots.keys().map(String::as_str)),
        };
        NameError { message, hint }
    }
}

fn elsewhere(step: &str) -> NameError {
    NameError {
        message: format!("the step `{step}` stands in another phase, whose results end with it"),
        hint: "a step reads results of its own phase only: move one of the two, or ask the host again"
            .to_owned(),
    }
}

fn no_steps(step: &str) -> NameError {
    NameError {
        message: format!("unknown name `steps.{step}`"),
        hint: format!(
            "no step before this one has an `id`: write `id: {step}` at the step whose result is meant"
        ),
    }
}

fn unknown_member<'n>(parent: &str, member: &str, known: impl Iterator<Item = &'n str> + Clone) -> NameError {
    let hint = match nearest(member, known.clone()) {
        Some(nearest) => format!("did you mean `{parent}.{nearest}`?"),
        None => list(&format!("`{parent}` has"), known),
    };
    NameError { message: format!("unknown name `{parent}.{member}`"), hint }
}

fn later(step: &str) -> NameError {
    NameError {
        message: format!("the step `{step}` stands later, and its result is not there yet"),
        hint: "a step reads results of earlier steps only: move it behind that step".to_owned(),
    }
}

fn list<'n>(intro: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
    match known.len() {
        0 => format!("{intro} nothing"),
        1..=MOST_LISTED => format!("{intro} {}", known.join(", ")),
        more => format!("{intro} {} and {} more", known[..MOST_LISTED].join(", "), more - MOST_LISTED),
    }
}

/// The type of what stands at `path` below a value of this type.
fn member_type(ty: &Type, so_far: &str, path: &[String]) -> Result<Option<Type>, NameError> {
    let Some((member, rest)) = path.split_first() else { return Ok(Some(ty.clone())) };
    match ty {
        Type::Any | Type::OneOf(_) => Ok(None),
        Type::Map(inner) => member_type(inner, &format!("{so_far}.{member}"), rest),
        Type::Record(fields) => match fields.iter().find(|field| field.name == member) {
            Some(field) => member_type(&field.ty, &format!("{so_far}.{member}"), rest),
            None => Err(unknown_member(so_far, member, fields.iter().map(|field| field.name))),
        },
        _ => Err(NameError {
            message: format!("`{so_far}` has no member `{member}`"),
            hint: no_member(ty, so_far, member),
        }),
    }
}

/// What to write where a value has no members: a filter of that name, or `in` for an item of a list.
fn no_member(ty: &Type, so_far: &str, member: &str) -> String {
    let kind = format!("`{so_far}` is {}", ty.expected());
    match ty {
        Type::Version if ["major", "minor", "patch"].contains(&member) => {
            format!("write `{so_far} | {member}`")
        }
        Type::List(_) | Type::OneOrMany(_) if member == "length" => format!("write `{so_far} | length`"),
        Type::List(_) | Type::OneOrMany(_) if so_far == "host.groups" => {
            format!("write `host.name in groups.{member}`")
        }
        Type::List(_) | Type::OneOrMany(_) => {
            format!("{kind}: write `'{member}' in {so_far}`, all of it in double quotes")
        }
        _ => kind,
    }
}

/// Whether one dotted name is the other or stands above it: `packages` and `packages.kubelet.version`.
pub fn overlaps(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    short.is_empty() || long == short || long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let params = [
            ("target".to_owned(), NameType::Value(Type::Version)),
            ("tree".to_owned(), NameType::Value(Type::Map(Box::new(Type::Int)))),
        ];
        Names {
            roots: [
                ("params".to_owned(), NameType::Closed(params.into_iter().collect())),
                ("host".to_owned(), NameType::Open),
            ]
            .into_iter()
            .collect(),
            ..Names::default()
        }
    }

    fn check(dotted: &str) -> Result<Option<Type>, NameError> {
        let mut parts = dotted.split('.').map(str::to_owned);
        let root = parts.next().expect("a root");
        names().check(&Reference { root, path: parts.collect() })
    }

    #[test]
    fn names_are_known_as_deep_as_types_go() {
        assert_eq!(check("params.target"), Ok(Some(Type::Version)));
        assert_eq!(check("params.tree.anything"), Ok(Some(Type::Int)));
        assert_eq!(check("host.vars.anything"), Ok(None));
        assert_eq!(check("params"), Ok(Some(Type::Map(Box::new(Type::Any)))));
    }

    #[test]
    fn unknown_names_get_the_nearest_one() {
        let cases = [
            ("params.tarrget", "did you mean `params.target`?"),
            ("target", "did you mean `params.target`?"),
            ("parms.target", "did you mean `params.target`?"),
            ("params.qqqqqq", "`params` has `target`, `tree`"),
            ("facts.x", "names here start with `params`, `host`"),
            ("params.target.minor", "write `params.target | minor`"),
            ("params.target.name", "`params.target` is a version such as 1.31.4"),
            ("target.minor", "did you mean `params.target | minor`?"),
            ("target.version", "did you mean `params.target`?"),
            (
                "item",
                "`each` is an item of `for_each`, which the step does not have: write `for_each: [a, b]` beside it",
            ),
        ];
        for (name, hint) in cases {
            assert_eq!(check(name).expect_err(name).hint, hint, "{name}");
        }
    }
}
