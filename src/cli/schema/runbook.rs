//! The schemas of runbooks, fragments and inventories.

use serde_json::{Value as Json, json};

use super::keys::Tables;
use super::shapes::extend;
use super::steps;
use crate::{inventory, runbook};

/// Every editor understands it; what later drafts add is of no use here.
pub(super) const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

pub(super) fn runbook() -> Json {
    let tables = of_runbooks();
    let mut schema = head("Rollbook runbook");
    extend(&mut schema, tables.mapping(tables.at("a runbook")));
    schema["definitions"] = steps::definitions(&tables);
    schema
}

pub(super) fn fragment() -> Json {
    let tables = of_runbooks();
    let mut schema = head("Rollbook fragment");
    extend(&mut schema, tables.mapping(tables.at("a fragment")));
    // Nothing reads it: a fragment is named by its file.
    let metadata = &mut schema["properties"]["metadata"];
    metadata["additionalProperties"] = json!(true);
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("required");
    }
    schema["definitions"] = steps::definitions(&tables);
    schema
}

pub(super) fn inventory() -> Json {
    let all = inventory::tables();
    let tables = Tables { all: &all, connection: inventory::connection_keys().copied().collect() };
    let mut schema = head("Rollbook inventory");
    extend(&mut schema, tables.mapping(tables.at("an inventory")));
    schema
}

pub(super) fn of_runbooks() -> Tables<'static> {
    Tables { all: runbook::tables(), connection: Vec::new() }
}

pub(super) fn head(title: &str) -> Json {
    json!({ "$schema": DRAFT, "title": title })
}
