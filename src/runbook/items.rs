//! The items of a `for_each`: what `each` is for every one of them, and what people call it.

use indexmap::IndexMap;

use crate::source::shorten;
use crate::value::Value;

/// For every item what it is called and what `each` is; nothing of a value that is neither a list nor a mapping.
pub fn each_of(items: &Value) -> Vec<(String, Value)> {
    match items {
        Value::List(items) => {
            (1..).zip(items).map(|(number, item)| (label(item, number), item.clone())).collect()
        }
        Value::Map(map) => map.iter().map(|(key, value)| (shorten(key), entry(key, value))).collect(),
        _ => Vec::new(),
    }
}

fn entry(key: &str, value: &Value) -> Value {
    let entry = [("key", Value::Str(key.to_owned())), ("value", value.clone())];
    Value::Map(entries(entry))
}

fn entries<const N: usize>(entries: [(&str, Value); N]) -> IndexMap<String, Value> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A scalar by its text, a mapping by its `name`, anything else by its number.
fn label(item: &Value, number: usize) -> String {
    match item {
        Value::Null | Value::List(_) => format!("#{number}"),
        Value::Map(map) => match map.get("name") {
            Some(Value::Str(name)) if !name.is_empty() => shorten(name),
            _ => format!("#{number}"),
        },
        scalar => shorten(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_called_by_what_it_is() {
        let text = |text: &str| Value::Str(text.to_owned());
        let named = Value::Map(entries([("name", text("etcd")), ("port", Value::Int(2379))]));
        let nameless = Value::Map(entries([("port", Value::Int(2379))]));
        let list = Value::List(vec![text("kubelet"), Value::Int(3), named, nameless, Value::Null]);
        let labels: Vec<String> = each_of(&list).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["kubelet", "3", "etcd", "#4", "#5"]);

        let map = Value::Map(entries([("kubelet", text("1.31.4"))]));
        let each = Value::Map(entries([("key", text("kubelet")), ("value", text("1.31.4"))]));
        assert_eq!(each_of(&map), [("kubelet".to_owned(), each)]);
        assert_eq!(each_of(&text("kubelet")), []);
    }
}
