//! The schemas of runbooks, fragments and inventories.

use serde_json::{Value as Json, json};

use super::shapes::{extend, table};
use super::steps;
use crate::runbook::written::{FRAGMENT, RUNBOOK};
use crate::value::Table;

/// Every editor understands it; what later drafts add is of no use here.
pub(super) const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

pub(super) fn runbook() -> Json {
    let mut schema = file("Rollbook runbook", &RUNBOOK);
    schema["definitions"] = steps::definitions();
    schema
}

pub(super) fn fragment() -> Json {
    let mut schema = file("Rollbook fragment", &FRAGMENT);
    // Nothing reads it: a fragment is named by its file.
    let metadata = &mut schema["properties"]["metadata"];
    metadata["additionalProperties"] = json!(true);
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("required");
    }
    schema["definitions"] = steps::definitions();
    schema
}

pub(super) fn inventory() -> Json {
    file("Rollbook inventory", &crate::inventory::INVENTORY)
}

fn file(title: &str, top: &Table) -> Json {
    let mut schema = head(title);
    extend(&mut schema, table(top));
    schema
}

pub(super) fn head(title: &str) -> Json {
    json!({ "$schema": DRAFT, "title": title })
}
