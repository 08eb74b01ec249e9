//! The schemas hold all that the tables hold. How an editor reads them is tried with a real language server:
//! `scripts/schema-check`.

use super::keys::Tables;
use super::*;
use crate::{inventory, runbook as written, step};

#[test]
fn every_word_of_a_table_has_a_meaning() {
    let fleet = inventory::tables();
    let both = [
        Tables { all: written::tables(), connection: Vec::new() },
        Tables { all: &fleet, connection: inventory::connection_keys().copied().collect() },
    ];
    let mut unknown = Vec::new();
    for tables in &both {
        let connection = tables.connection.iter().map(|key| ("connection", key));
        let keys = tables.all.iter().flat_map(|table| table.keys.iter().map(|key| (table.path, key)));
        for (path, key) in keys.chain(connection) {
            if tables.shape(path, key).is_none() {
                unknown.push(format!("`{}` of `{path}`: {}", key.name, key.expects));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "say in src/cli/schema/keys.rs what these words mean:\n{}",
        unknown.join("\n")
    );
}

#[test]
fn every_kind_has_its_fields_with_their_texts() {
    let schema = super::runbook::runbook();
    for kind in step::all() {
        let definition = &schema["definitions"][kind.name()];
        assert!(definition["markdownDescription"].as_str().is_some_and(|text| text.contains("```yaml")));
        for field in kind.fields() {
            let shape = &definition["properties"][field.name];
            let text = shape["description"].as_str().unwrap_or_default();
            assert!(text.starts_with(field.doc), "{}.{}: {text}", kind.name(), field.name);
            assert_eq!(shape.get("default").is_some(), field.default.is_some(), "{}", field.name);
        }
        let required = kind.fields().iter().filter(|field| field.required).count();
        assert_eq!(definition["required"].as_array().map_or(0, Vec::len), required, "{}", kind.name());
        assert_eq!(definition["additionalProperties"], false);
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for kind in &KINDS {
        let schema = (kind.schema)();
        let text = schema.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().expect("a pointer");
            assert!(schema.pointer(pointer).is_some_and(Json::is_object), "{}: {pointer}", kind.name);
        }
    }
}

#[test]
fn a_template_may_stand_where_values_are_rendered_and_nowhere_else() {
    let schema = super::runbook::runbook();
    let pattern =
        |pointer: &str| schema.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
    for (pointer, is_rendered) in [
        ("/definitions/drain/properties/timeout/pattern", true),
        ("/definitions/step/properties/timeout/pattern", true),
        ("/properties/policy/properties/deadline/pattern", false),
        ("/properties/phases/items/properties/rollout/properties/soak/pattern", false),
    ] {
        let found = pattern(pointer);
        assert!(!found.is_empty(), "{pointer}");
        assert_eq!(found.contains("{%"), is_rendered, "{pointer}: {found}");
    }
}
