//! `expect:` of a scenario.

use super::{list, number, selector, selector_of, spanned, version};
use crate::scenario::{Expect, HostEnd, NodeExpect, StepExpect};
use crate::source::codes::BAD_EXPECTATION;
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind};

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

fn step(node: &Node, errors: &mut Diagnostics) -> Option<StepExpect> {
    const WHAT: &str = "a step of `expect`";
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let step = reader.require("step", WHAT, errors);
    let step = step.and_then(|entry| spanned(entry, "a step's kind, id or name", errors));
    let hosts = reader.take("host").and_then(|entry| selector(&entry.value, errors));
    let phase = reader.take("phase").and_then(|entry| spanned(entry, "the name of a phase", errors));
    reader.finish(WHAT, errors);
    Some(StepExpect { step: step?, hosts, phase })
}

fn state(node: &Node, errors: &mut Diagnostics) -> Option<NodeExpect> {
    const WHAT: &str = "a node of `expect`";
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let mut flag =
        |key: &str, errors: &mut Diagnostics| reader.take(key).and_then(|entry| entry.value.boolean(errors));
    let (cordoned, ready) = (flag("cordoned", errors), flag("ready", errors));
    let kubelet = reader.take("kubelet").and_then(|entry| version(entry, errors));
    let held = reader.take("held").map(|entry| {
        list(Some(entry), "a list of packages", errors, |node, errors| {
            node.text("a package", errors).map(str::to_owned)
        })
    });
    reader.finish(WHAT, errors);
    Some(NodeExpect { cordoned, ready, kubelet, held })
}
