//! `-o jsonpath=`: plain paths and literal text between them. Filters and ranges are not among what looks use.

use serde_json::Value;

/// Prints a template such as `{.data.ClusterConfiguration}{"\n"}`; `None` where it holds more than paths and text.
pub(super) fn print(template: &str, object: &Value) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, tail) = after.split_once('}')?;
        text.push_str(before);
        if let Some(literal) = inside.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')) {
            text.push_str(&literal.replace("\\n", "\n").replace("\\t", "\t"));
        } else {
            match find(inside, object)? {
                Value::Null => {}
                Value::String(found) => text.push_str(found),
                found => text.push_str(&found.to_string()),
            }
        }
        rest = tail;
    }
    text.push_str(rest);
    Some(text)
}

/// Stands for an escaped dot while a path is cut at its dots.
const DOT: &str = "\u{0}";

/// The value at `.a.b\.c.d`, null where there is none; `None` where the path is no plain path.
fn find<'a>(path: &str, object: &'a Value) -> Option<&'a Value> {
    if path.contains(['[', '*', '@', '?']) || !(path.starts_with('.') || path == "$") {
        return None;
    }
    let escaped = path.replace("\\.", DOT);
    let keys = escaped.split('.').filter(|key| !key.is_empty());
    Some(keys.fold(object, |at, key| at.get(key.replace(DOT, ".")).unwrap_or(&Value::Null)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_paths_are_printed() {
        let object = json!({"data": {"a.b": "x", "n": 3}, "spec": {"on": true}});
        let cases = [
            ("{.data.n}", Some("3")),
            ("{.data.a\\.b}{\"\\n\"}", Some("x\n")),
            ("{.spec.on} {.spec.off}", Some("true ")),
            ("{.items[*].x}", None),
        ];
        for (template, expected) in cases {
            assert_eq!(print(template, &object).as_deref(), expected, "{template}");
        }
    }
}
