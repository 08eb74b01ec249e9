//! The language by example, and against an oracle of plain sets.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use proptest::prelude::*;

use super::Selector;
use crate::inventory::{Become, Connection, Group, Host, HostName, Inventory};
use crate::source::{SourceMap, Span, Spanned};

fn span() -> Span {
    Span { file: SourceMap::default().add("inventory.yaml", ""), start: 0, end: 0 }
}

fn inventory(hosts: &[(&str, &[(&str, &str)])], groups: &[(&str, &[&str])]) -> Inventory {
    let name = |text: &str| HostName::parse(text).unwrap();
    let host = |host: &str, labels: &[(&str, &str)]| Host {
        name: name(host),
        address: host.to_owned(),
        node_name: None,
        connection: Connection::default(),
        r#become: Become::Sudo,
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        vars: IndexMap::new(),
        groups: Vec::new(),
        span: span(),
    };
    let everyone = hosts.iter().map(|(host, _)| *host).collect::<Vec<_>>();
    let group = |group: &str, members: &[&str]| {
        let spanned = Spanned { value: group.to_owned(), span: span() };
        (
            group.to_owned(),
            Group {
                name: spanned,
                hosts: members.iter().map(|host| name(host)).collect(),
                listed: Vec::new(),
            },
        )
    };
    Inventory {
        name: "test".to_owned(),
        hosts: hosts.iter().map(|(text, labels)| (name(text), host(text, labels))).collect(),
        groups: std::iter::once(group("all", &everyone))
            .chain(groups.iter().map(|(g, m)| group(g, m)))
            .collect(),
        etcd: None,
        params: Vec::new(),
    }
}

fn fleet() -> Inventory {
    inventory(
        &[
            ("cp1", &[("role", "cp")]),
            ("cp2", &[("role", "cp")]),
            ("cp3", &[("role", "cp")]),
            ("w01.eu", &[("role", "w"), ("zone", "a")]),
            ("w02.eu", &[("role", "w"), ("zone", "b")]),
            ("w03.eu", &[("role", "w"), ("zone", "b")]),
            ("gpu1", &[("gpu", "1.30")]),
        ],
        &[
            ("control_plane", &["cp1", "cp2", "cp3"]),
            ("workers", &["w01.eu", "w02.eu", "w03.eu"]),
            ("gpus", &["gpu1"]),
            ("solo", &["cp1"]),
            ("nobody", &[]),
            ("windows", &["gpu1"]),
        ],
    )
}

fn select(text: &str) -> Result<String, (usize, String, Option<String>)> {
    let chosen = Selector::parse(text).and_then(|selector| selector.select(&fleet()));
    let chosen = chosen.map_err(|error| (error.offset, error.message, error.hint))?;
    Ok(chosen.iter().map(HostName::as_str).collect::<Vec<_>>().join(" "))
}

#[test]
fn selectors_choose_in_the_inventorys_order() {
    for (text, hosts) in [
        ("all", "cp1 cp2 cp3 w01.eu w02.eu w03.eu gpu1"),
        ("gpu1 | cp2", "cp2 gpu1"),
        ("workers", "w01.eu w02.eu w03.eu"),
        ("nobody", ""),
        ("nobody[1:]", ""),
        ("cp*", "cp1 cp2 cp3"),
        ("*.eu", "w01.eu w02.eu w03.eu"),
        ("w0?.eu", "w01.eu w02.eu w03.eu"),
        ("control*", "cp1 cp2 cp3"),
        ("gpu*", "gpu1"),
        ("w[01:02].eu", "w01.eu w02.eu"),
        ("cp[1:2]", "cp1 cp2"),
        ("workers & label(zone=b)", "w02.eu w03.eu"),
        ("label(zone)", "w01.eu w02.eu w03.eu"),
        ("label( gpu = 1.30 )", "gpu1"),
        ("!workers", "cp1 cp2 cp3 gpu1"),
        ("! ! workers", "w01.eu w02.eu w03.eu"),
        ("workers & !label(zone=b)|gpu1", "w01.eu gpu1"),
        ("gpu1 | workers & label(zone=a)", "w01.eu gpu1"),
        ("(gpu1 | workers) & label(zone=a)", "w01.eu"),
        ("!gpu1 & !workers", "cp1 cp2 cp3"),
        ("control_plane[0]", "cp1"),
        ("control_plane[1:]", "cp2 cp3"),
        ("control_plane[:2]", "cp1 cp2"),
        ("control_plane[1:2]", "cp2"),
        ("control_plane[:]", "cp1 cp2 cp3"),
        ("solo[1:]", ""),
        ("control_plane[9:]", ""),
        ("(workers | cp3)[0]", "cp3"),
        ("(label(zone))[2:]", "w03.eu"),
        ("solo[1:] & workers", ""),
    ] {
        assert_eq!(select(text), Ok(hosts.to_owned()), "{text}");
    }
}

#[test]
fn a_mistake_says_what_where_and_what_to_write() {
    for (text, offset, message, hint) in [
        ("", 0, "a selector is not empty", Some("write `all` for every host")),
        ("workrs", 0, "no host and no group is named `workrs`", Some("did you mean `workers`?")),
        ("cp1 & w04.eu", 6, "no host and no group is named `w04.eu`", Some("did you mean `w01.eu`?")),
        ("x*", 0, "`x*` matches no host and no group", None),
        ("label(zon)", 0, "no host has the label `zon`", Some("did you mean `zone`?")),
        (
            "label(zone=c)",
            0,
            "no host has the label `zone` with the value `c`",
            Some("values of `zone`: `a`, `b`"),
        ),
        ("label(zone!=a)", 0, "`!=` is not part of the language", Some("write `!label(zone=a)`")),
        (
            "label()",
            0,
            "`label()` has no key or no clean value",
            Some("write `label(zone=a)`, or `label(zone)` for any value"),
        ),
        (
            "control_plane[-1]",
            13,
            "negative indices such as `-1` are not supported",
            Some("count from the start: `[0]` is the first, `[1:]` all but the first"),
        ),
        (
            "control_plane[3]",
            13,
            "`control_plane` has 3 hosts, and `[3]` is past the last",
            Some("indices count from zero"),
        ),
        (
            "(workers)[1:][0]",
            13,
            "unexpected `[`",
            Some("a slice stands only after a group or a closing parenthesis: `control_plane[0]`"),
        ),
        ("control_plane[2:1]", 13, "`[2:1]` runs backwards", None),
        (
            "control_plane[x]",
            13,
            "`x` is no index",
            Some("write a number counted from zero, such as `[0]` or `[1:]`"),
        ),
        ("control_plain[0]", 0, "no group is named `control_plain`", Some("did you mean `control_plane`?")),
        ("cp1[0]", 3, "`cp1` is a host, and a slice needs a group", None),
        ("w[01:04].eu", 0, "no host and no group is named `w04.eu`", Some("did you mean `w01.eu`?")),
        ("w[3:1].eu", 1, "`[3:1]` runs backwards", None),
        (
            "workres[0:1]",
            0,
            "no group is named `workres`, and no host `workres0`",
            Some("did you mean `workers`?"),
        ),
        (
            "w*[0]",
            2,
            "a slice stands only after a group or a closing parenthesis",
            Some("put the glob in parentheses: `(w*)[0]`"),
        ),
        (
            "label(zone)[0]",
            11,
            "a slice stands only after a group or a closing parenthesis",
            Some("put it in parentheses: `(label(zone))[0]`"),
        ),
        (
            "w*",
            0,
            "`w*` fits the host `w01.eu` and also the group `windows`, which has other hosts",
            Some("write the names of the groups or a longer glob"),
        ),
        (
            "workers & solo",
            0,
            "`workers & solo` matches no host",
            Some("every name in it exists, but no host satisfies all of it"),
        ),
        (
            "workers:gpus",
            7,
            "unexpected `:`",
            Some("write `workers | gpus`; `|` unites, `&` intersects, `!` excludes"),
        ),
        (
            "workers:&gpus:!cp1",
            7,
            "unexpected `:`",
            Some("write `workers & gpus & !cp1`; `|` unites, `&` intersects, `!` excludes"),
        ),
        (
            "cp1, control_plane[1:]",
            3,
            "unexpected `,`",
            Some("write `cp1 | control_plane[1:]`; `|` unites, `&` intersects, `!` excludes"),
        ),
        ("workers and gpus", 8, "unexpected `a`", Some("write `&`")),
        ("workers gpus", 8, "unexpected `g`", Some("join names with `|` (either) or `&` (both)")),
        ("workers && gpus", 8, "`&&` is no operator", Some("write a single `&`")),
        ("workers || gpus", 8, "`||` is no operator", Some("write a single `|`")),
        ("(workers", 0, "`(` is not closed", None),
        ("workers)", 7, "unexpected `)`", None),
        ("workers &", 9, "the selector ends where a group, a host or `(` is expected", None),
        (
            "workers - gpus",
            8,
            "unexpected `-`",
            Some("write `a & !b` for the hosts of `a` without those of `b`"),
        ),
        ("wörkers", 1, "unexpected `ö`", None),
    ] {
        assert_eq!(select(text), Err((offset, message.to_owned(), hint.map(str::to_owned))), "{text}");
    }
}

#[test]
fn nesting_and_length_are_bounded() {
    for text in ["(".repeat(100_000), "!".repeat(100_000) + "all", "all|".repeat(100_000) + "all"] {
        assert!(Selector::parse(&text).is_err());
    }
}

/// A selector as the oracle knows it; shares nothing with the parser's tree.
#[derive(Clone, Debug)]
enum Model {
    Group(usize),
    Host(usize),
    Zone(usize),
    Not(Box<Model>),
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
    Tail(Box<Model>, usize),
}

const GROUPS: [(&str, &[usize]); 3] = [("odd", &[1, 3, 5, 7]), ("low", &[0, 1, 2]), ("ends", &[0, 7])];
const ZONES: [&str; 2] = ["a", "b"];

impl Model {
    fn text(&self) -> String {
        match self {
            Self::Group(index) => GROUPS[*index].0.to_owned(),
            Self::Host(index) => format!("h{index}"),
            Self::Zone(index) => format!("label(zone={})", ZONES[*index]),
            Self::Not(inner) => match **inner {
                Self::And(..) | Self::Or(..) => format!("!({})", inner.text()),
                _ => format!("!{}", inner.text()),
            },
            // Only the parentheses that precedence asks for, so that the precedence itself is tested.
            Self::And(left, right) => {
                let side = |model: &Self| match model {
                    Self::Or(..) => format!("({})", model.text()),
                    _ => model.text(),
                };
                format!("{} & {}", side(left), side(right))
            }
            Self::Or(left, right) => format!("{}|{}", left.text(), right.text()),
            Self::Tail(inner, from) => format!("({})[{from}:]", inner.text()),
        }
    }

    fn hosts(&self) -> BTreeSet<usize> {
        match self {
            Self::Group(index) => GROUPS[*index].1.iter().copied().collect(),
            Self::Host(index) => BTreeSet::from([*index]),
            Self::Zone(index) => (0..8).filter(|host| host % 2 == *index).collect(),
            Self::Not(inner) => &(0..8).collect() - &inner.hosts(),
            Self::And(left, right) => &left.hosts() & &right.hosts(),
            Self::Or(left, right) => &left.hosts() | &right.hosts(),
            Self::Tail(inner, from) => inner.hosts().into_iter().skip(*from).collect(),
        }
    }
}

fn models() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        (0..GROUPS.len()).prop_map(Model::Group),
        (0..8_usize).prop_map(Model::Host),
        (0..ZONES.len()).prop_map(Model::Zone),
    ];
    leaf.prop_recursive(5, 32, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Model::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Model::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Model::Or(Box::new(a), Box::new(b))),
            (inner, 0..3_usize).prop_map(|(a, from)| Model::Tail(Box::new(a), from)),
        ]
    })
}

proptest! {
    /// Made red once by swapping the precedence of `&` and `|`, and by an off-by-one in `cut`.
    #[test]
    fn selectors_agree_with_plain_sets(model in models()) {
        let names: Vec<String> = (0..8).map(|index| format!("h{index}")).collect();
        let zones: Vec<[(&str, &str); 1]> = (0..8).map(|index| [("zone", ZONES[index % 2])]).collect();
        let hosts: Vec<(&str, &[(&str, &str)])> =
            names.iter().zip(&zones).map(|(name, zone)| (name.as_str(), zone.as_slice())).collect();
        let groups: Vec<(&str, Vec<&str>)> = GROUPS
            .iter()
            .map(|(group, members)| (*group, members.iter().map(|index| names[*index].as_str()).collect()))
            .collect();
        let groups: Vec<(&str, &[&str])> = groups.iter().map(|(name, members)| (*name, members.as_slice())).collect();
        let chosen = Selector::parse(&model.text()).unwrap().select(&inventory(&hosts, &groups));
        let expected: Vec<String> = model.hosts().into_iter().map(|index| format!("h{index}")).collect();
        match chosen {
            Ok(chosen) => prop_assert_eq!(chosen.iter().map(HostName::as_str).collect::<Vec<_>>(), expected),
            Err(error) => prop_assert!(expected.is_empty(), "{}: {}", model.text(), error),
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z0-9\\[\\]():&|!*?,=~ -]{0,40}|\\PC{0,20}") {
        if let Ok(selector) = Selector::parse(&text) {
            let _ = selector.select(&fleet());
        }
    }
}
