//! The schemas hold all that the tables hold. How an editor reads them is tried with a real language server:
//! `scripts/schema-check`.

use super::shapes::{self, Templates};
use super::*;
use crate::value::Type;
use crate::{inventory, runbook as written, step};

/// What a message or a reference page calls a value may be said better one day; what an editor accepts stays.
#[test]
fn no_word_of_a_message_decides_a_schema() {
    let tables = || written::tables().into_iter().chain(inventory::tables());
    let fields = tables().flat_map(|table: &'static crate::value::Table| table.fields.iter());
    let mut named = 0;
    for field in fields.chain(step::all().iter().flat_map(|kind| kind.fields())) {
        for templates in [Templates::Yes, Templates::No] {
            let in_other_words = shapes::of(&reworded(&field.ty), templates);
            assert_eq!(shapes::of(&field.ty, templates), in_other_words, "{}", field.name);
        }
        named += usize::from(matches!(field.ty, Type::Called(..)));
    }
    assert!(named > 40, "{named}");
}

/// The same type, by other words wherever it has words.
fn reworded(ty: &Type) -> Type {
    let within = |inner: &Type| Box::new(reworded(inner));
    match ty {
        Type::Called(inner, _) => reworded(inner).called("a list of steps"),
        Type::List(inner) => Type::List(within(inner)),
        Type::OneOrMany(inner) => Type::OneOrMany(within(inner)),
        Type::OneOrMore(inner) => Type::OneOrMore(within(inner)),
        Type::Map(inner) => Type::Map(within(inner)),
        Type::Rendered(inner) => Type::Rendered(within(inner)),
        Type::OneOf(types) => Type::OneOf(types.iter().map(reworded).collect()),
        other => other.clone(),
    }
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
