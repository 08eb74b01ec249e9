//! `for_each:`: a list or a mapping, of which each item becomes a step of its own. What is checked here needs no value;
//! the plan unrolls it.

use super::{ParseContext, StepScope, names};
use crate::runbook::MOST_ITEMS;
use crate::source::codes::{FOR_EACH, SECRET_IN_PUBLIC, TYPE_OF_EXPRESSION};
use crate::source::{Entry, Node, NodeKind};
use crate::template::{Arg, ArgKind, Expression, NameType, Names, compile_arg};
use crate::value::{Type, Value};

/// Reads the items, where they are written, and lets the expressions of the step see `each`.
pub(super) fn open(common: &[&Entry], place: &mut StepScope, cx: &mut ParseContext<'_>) -> Option<Arg> {
    let entry = common.iter().find(|entry| entry.key.value == "for_each")?;
    let items = items(&entry.value, place, cx);
    // Also where the items have mistakes: that `each` is there is known.
    let each = items.as_ref().map_or(NameType::Open, |items| each(items, &place.names));
    place.names.roots.insert("each".to_owned(), each);
    items
}

/// Ends what [`open`] began.
pub(super) fn close(place: &mut StepScope) {
    place.names.roots.shift_remove("each");
}

fn items(node: &Node, place: &StepScope, cx: &mut ParseContext<'_>) -> Option<Arg> {
    let (list, map) = (Type::List(Box::new(Type::Any)), Type::Map(Box::new(Type::Any)));
    if node.scalar().map_or(matches!(node.kind, NodeKind::Null), |text| !text.contains('{')) {
        let error = cx.errors.wrong_type(node, "a list or a mapping");
        error.hint("write `[a, b]`, a mapping, or exactly one `{{ … }}` that gives one");
        return None;
    }
    let items = compile_arg(node, &Type::OneOf(vec![list, map]), &place.names, &mut cx.errors)?;
    let errors = &mut cx.errors;
    match &items.kind {
        ArgKind::Text(_) => {
            let error = errors.wrong_type(node, "a list or a mapping");
            error.hint("text around `{{ … }}` gives text; write exactly one `{{ … }}` to keep the type");
            return None;
        }
        ArgKind::Expr(expression) => {
            let known = plain_name(expression).and_then(|_| place.names.find(&expression.references[0]));
            if let Some(NameType::Value(ty)) = known.filter(|known| contents(known).is_none()) {
                let message = format!(
                    "expected a list or a mapping, but `{}` is {}",
                    expression.source.trim(),
                    ty.expected()
                );
                errors.error(TYPE_OF_EXPRESSION, node.span, message);
                return None;
            }
        }
        _ => {}
    }
    if place.holds_secret(&items) {
        let error = errors.error(
            SECRET_IN_PUBLIC,
            node.span,
            "the items of `for_each` stand in the plan, and one is secret",
        );
        error.hint("name the secret in the step itself, in `stdin` or `content`");
        return None;
    }
    if let Some(late) = place.late_name(&items) {
        let message = format!("the items depend on `{late}`, which is known only when its step has run");
        let error = errors.error(FOR_EACH, node.span, message);
        error.hint("a plan shows every task: take the items from `params`, `vars`, `host` or `facts`, or write the loop in a `script`");
        return None;
    }
    let count = match &items.kind {
        ArgKind::Const(Value::List(items)) => items.len(),
        ArgKind::Const(Value::Map(map)) => map.len(),
        ArgKind::List(items) => items.len(),
        ArgKind::Map(entries) => entries.len(),
        _ => 0,
    };
    if count > MOST_ITEMS {
        let error =
            errors.error(FOR_EACH, super::start(node.span), format!("{count} items, more than {MOST_ITEMS}"));
        error.hint("nobody reviews so many tasks; write the loop in a `script`");
        return None;
    }
    // What an expression gives is looked at when the plan is made, and told in words of its own.
    let ty = if matches!(items.kind, ArgKind::Expr(_)) { Type::Any } else { items.ty };
    Some(Arg { ty, ..items })
}

/// The name that an expression consists of.
fn plain_name(expression: &Expression) -> Option<&str> {
    match expression.references.as_slice() {
        [name] if name.to_string() == expression.source.trim() => Some(expression.source.trim()),
        _ => None,
    }
}

/// What is known of an item.
fn each(items: &Arg, names: &Names) -> NameType {
    match &items.kind {
        ArgKind::Const(_) | ArgKind::List(_) | ArgKind::Map(_) => contents(&names::of_arg(items)),
        ArgKind::Expr(expression) if plain_name(expression).is_some() => {
            names.find(&expression.references[0]).and_then(|known| contents(&known))
        }
        _ => None,
    }
    .unwrap_or(NameType::Open)
}

/// What is known of an item of a value; `None` where the value has none.
fn contents(known: &NameType) -> Option<NameType> {
    let entry = |value| names::closed([("key", names::text()), ("value", value)]);
    Some(match known {
        NameType::List(item) => (**item).clone(),
        NameType::Open | NameType::Value(Type::Any | Type::OneOf(_)) => NameType::Open,
        NameType::Closed(members) => entry(names::common(members.values())),
        NameType::Value(Type::List(item) | Type::OneOrMany(item)) => NameType::Value((**item).clone()),
        NameType::Value(Type::Map(value)) => entry(NameType::Value((**value).clone())),
        NameType::Value(_) => return None,
    })
}
