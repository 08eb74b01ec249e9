//! `topology:` of a rollout.

use std::num::NonZeroU32;

use super::{finish, tables};
use crate::runbook::TopologySpec;
use crate::source::{Diagnostics, MapReader, Node, Spanned};

const WHAT: &str = "`topology`";

pub(super) fn read(node: &Node, errors: &mut Diagnostics) -> Option<TopologySpec> {
    let mut reader = MapReader::open_table(node, &tables::TOPOLOGY, errors)?;
    let key = reader.require("key", WHAT, errors).and_then(|entry| {
        let value = entry.value.parsed(&tables::TOPOLOGY.expects("key"), errors, label)?;
        Some(Spanned { value: value.to_owned(), span: entry.value.span })
    });
    let max_domains = match reader.take("max_domains") {
        Some(entry) => entry
            .value
            .parsed(&tables::TOPOLOGY.expects("max_domains"), errors, |text| text.parse::<NonZeroU32>().ok()),
        None => Some(NonZeroU32::MIN),
    };
    finish(reader, WHAT, &[], errors);
    Some(TopologySpec { key: key?, max_domains: max_domains? })
}

fn label(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(text)
}
