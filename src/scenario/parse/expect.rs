//! `expect:` of a scenario.

use super::{list, list_of, number, selector, selector_of, selector_type};
use crate::inventory::Selector;
use crate::scenario::{Expect, HostEnd, NodeExpect, StepExpect};
use crate::source::codes::BAD_EXPECTATION;
use crate::source::{Diagnostics, Entry, FromNode, MapReader, Node, NodeKind, Spanned, written};
use crate::value::{Type, Version};

const WHAT: &str = "`expect`";

pub(super) fn read(node: &Node, errors: &mut Diagnostics) -> Option<Expect> {
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let exit = number(reader.take("exit"), 0..=255, "an exit code from 0 to 255", errors);
    let stopped_by =
        reader.take("stopped_by").and_then(|entry| entry.value.text("a text, or `none`", errors));
    let slots = number(reader.take("slots"), 0..=1_000_000, "a number of hosts", errors);
    let hosts =
        by_selector(reader.take("hosts"), "a mapping from selectors to ends", errors, |node, errors| {
            node.word(&HostEnd::TABLE, errors)
        });
    let left = reader.take("left").and_then(|entry| match entry.value.scalar() {
        Some("none") => Some(None),
        _ => selector(&entry.value, errors).map(Some),
    });
    let ran = list(reader.take("ran"), "a list of steps", errors, step);
    let did_not_run = list(reader.take("did_not_run"), "a list of steps", errors, step);
    let says = list(reader.take("says"), "a list of texts", errors, |node, errors| {
        node.text("a text", errors).map(str::to_owned)
    });
    let nodes =
        by_selector(reader.take("nodes"), "a mapping from selectors to how nodes stand", errors, state);
    reader.finish(WHAT, errors);
    if matches!(&node.kind, NodeKind::Map(entries) if entries.is_empty()) {
        errors.error(BAD_EXPECTATION, node.span, "nothing is expected").hint("write at least `exit`");
    }
    Some(Expect {
        exit: exit.and_then(|exit| u8::try_from(exit).ok()),
        // What is absent is the empty text.
        stopped_by: stopped_by.map(|text| if text == "none" { String::new() } else { text.to_owned() }),
        hosts,
        left,
        ran,
        did_not_run,
        slots: slots.and_then(|slots| usize::try_from(slots).ok()),
        says,
        nodes,
    })
}

type BySelector<T> = Vec<(crate::source::Spanned<crate::inventory::Selector>, T)>;

fn by_selector<T>(
    entry: Option<&Entry>,
    expected: &str,
    errors: &mut Diagnostics,
    read: impl Fn(&Node, &mut Diagnostics) -> Option<T>,
) -> BySelector<T> {
    let Some(entry) = entry else { return Vec::new() };
    let NodeKind::Map(entries) = &entry.value.kind else {
        errors.wrong_type(&entry.value, expected);
        return Vec::new();
    };
    let entries = entries.iter().filter_map(|entry| {
        let (key, span) = (&entry.key.value, entry.key.span);
        let selector = selector_of(key, span, |offset| entry.key.at(offset), errors);
        let value = read(&entry.value, errors);
        Some((selector?, value?))
    });
    entries.collect()
}

written! {
    /// An item of `ran` and `did_not_run`.
    pub(in crate::scenario) struct ExpectedStep at "expect.ran[]", called "a step of `expect`" {
        /// A step's kind, id or name. A step ran where one of its commands was sent; a check, where it was looked at.
        step: Spanned<String> as (Type::Str.called("a step's kind, id or name")),
        /// A selector: on every one of these hosts. Where it is left out, on any host at all.
        host: Option<Spanned<Selector>> as (selector_type()),
        /// Only in this phase.
        phase: Option<Spanned<String>> as (Type::Str.called("the name of a phase")),
    }
}

fn step(node: &Node, errors: &mut Diagnostics) -> Option<StepExpect> {
    let ExpectedStep { step, host, phase } = ExpectedStep::from_node(node, &ExpectedStep::ty(), errors)?;
    Some(StepExpect { step, hosts: host, phase })
}

written! {
    /// A value of `nodes`.
    pub(in crate::scenario) struct ExpectedNode at "expect.nodes", called "a node of `expect`" {
        /// Whether it takes no new pods.
        cordoned: Option<bool>,
        /// Whether it is Ready.
        ready: Option<bool>,
        /// The version that its kubelet shows.
        kubelet: Option<Version>,
        /// Packages on hold, all of them.
        held: Option<Held>,
    }
}

fn state(node: &Node, errors: &mut Diagnostics) -> Option<NodeExpect> {
    let ExpectedNode { cordoned, ready, kubelet, held } =
        ExpectedNode::from_node(node, &ExpectedNode::ty(), errors)?;
    Some(NodeExpect { cordoned, ready, kubelet, held: held.map(|held| held.0) })
}

/// Names of packages.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Held(Vec<String>);

impl FromNode for Held {
    fn ty() -> Type {
        Type::Str.listed().called("a list of packages")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let package =
            |node: &Node, errors: &mut Diagnostics| node.text("a package", errors).map(str::to_owned);
        Some(Self(list_of(node, &ty.expected(), errors, package)))
    }
}
