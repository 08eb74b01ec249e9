//! A step is tried with what is known when the file is loaded, so that a constant that no host could take is told at its
//! place. Values that are not known yet are stood in for in several ways; only what is wrong with all of them is told.

use crate::kubernetes::KubeCx;
use indexmap::IndexMap;

use super::ParseContext;
use super::common::CommonKeys;
use crate::runbook::place_of;
use crate::source::codes::STEP_MEANING;
use crate::source::{Entry, Span};
use crate::step::{LowerCx, LowerError, StepKind, Subject, lower};
use crate::template::{Arg, ArgKind};
use crate::value::{Duration, Percent, Size, Type, Value, Version};

/// Texts that stand in for one that is not known: a path, a word, an address, digits.
const TEXTS: [&str; 4] = ["/x", "x1", "https://x1:2379", "0644"];

/// Tries a step and reports what cannot be.
pub(super) fn check(
    entry: &Entry,
    kind: &'static dyn StepKind,
    args: &IndexMap<String, Arg>,
    common: &CommonKeys,
    cx: &mut ParseContext<'_>,
) {
    let known = args.values().all(|arg| arg.as_const().is_some());
    let trials = if known { 1 } else { TEXTS.len() };
    let mut told: Option<(LowerError, Span)> = None;
    for trial in 0..trials {
        let Err(error) = tried(kind, args, common, trial) else { return };
        // What is said of something unknown is said of what stands in for it.
        let place = place_of(&error, &entry.value, kind).filter(|(name, _)| {
            known
                || name
                    .as_ref()
                    .is_none_or(|name| args.get(*name).is_some_and(|arg| arg.as_const().is_some()))
        });
        let place = match place {
            Some((_, span)) => span,
            None if known => entry.key.span,
            None => continue,
        };
        match &told {
            Some((earlier, _)) if *earlier != error => return,
            _ => told = Some((error, place)),
        }
    }
    let Some((error, span)) = told else { return };
    let is_told = cx.errors.items().iter().any(|item| item.code == STEP_MEANING && item.span == Some(span));
    if !is_told {
        cx.errors.error(STEP_MEANING, span, error.message).hints.extend(error.hint);
    }
}

fn tried(
    kind: &'static dyn StepKind,
    args: &IndexMap<String, Arg>,
    common: &CommonKeys,
    trial: usize,
) -> Result<(), LowerError> {
    let values = args.iter().map(|(name, arg)| (name.clone(), stand_in(arg, trial))).collect();
    let subject = Subject { host: "host".to_owned(), node: Some("host".to_owned()), control_plane: false };
    let kube = KubeCx {
        kubeconfig: String::new(),
        context: String::new(),
        request_timeout: Duration::from_secs(30),
        r#become: true,
    };
    let timeout = match common.timeout.as_ref().and_then(Arg::as_const) {
        Some(Value::Duration(timeout)) => *timeout,
        // Longer than any wait, which may not be longer than its step.
        _ => Duration::from_secs(100 * 24 * 3600),
    };
    let env = common.env.iter().map(|(name, arg)| (name.clone(), stand_in(arg, trial).to_string())).collect();
    let cx = LowerCx {
        subject: &subject,
        kube: Some(&kube),
        r#become: true,
        timeout,
        env: &env,
        effect: common.effect,
        run_on: common.run_on,
    };
    lower(kind, &Value::Map(values), &cx).map(drop)
}

/// The value of an argument, or one that could be it.
fn stand_in(arg: &Arg, trial: usize) -> Value {
    match &arg.kind {
        ArgKind::Const(value) => value.clone(),
        ArgKind::Text(_) | ArgKind::Expr(_) => sample(&arg.ty, trial),
        ArgKind::Condition(expression) => Value::Map(IndexMap::from([
            ("text".to_owned(), Value::Str(expression.source.clone())),
            ("value".to_owned(), Value::Bool(true)),
        ])),
        ArgKind::List(items) => Value::List(items.iter().map(|item| stand_in(item, trial)).collect()),
        ArgKind::Map(entries) => {
            Value::Map(entries.iter().map(|(key, arg)| (key.clone(), stand_in(arg, trial))).collect())
        }
    }
}

/// A value of a type; each trial gives another one.
fn sample(ty: &Type, trial: usize) -> Value {
    let is_first = trial == 0;
    match ty {
        Type::Any | Type::Str | Type::Host => Value::Str(TEXTS[trial % TEXTS.len()].to_owned()),
        Type::Bool | Type::Expr => Value::Bool(is_first),
        Type::Int | Type::Amount => Value::Int(if is_first { 1 } else { 100 }),
        Type::Version => Value::Version(Version::parse("1.31.4").expect("invariant: a version")),
        Type::Duration => Value::Duration(Duration::from_secs(if is_first { 1 } else { 30 * 24 * 3600 })),
        Type::Size => Value::Size(Size(if is_first { 1 } else { 1 << 40 })),
        Type::Percent => Value::Percent(Percent::new(50).expect("invariant: at most 100")),
        Type::Enum(words) => {
            let word = if is_first { words.first() } else { words.last() };
            Value::Str(word.cloned().unwrap_or_default())
        }
        Type::List(inner) | Type::OneOrMany(inner) => Value::List(vec![sample(inner, trial)]),
        Type::Map(inner) => Value::Map(IndexMap::from([("x1".to_owned(), sample(inner, trial))])),
        Type::Record(fields) => {
            Value::Map(fields.iter().map(|field| (field.name.to_owned(), sample(&field.ty, trial))).collect())
        }
        Type::OneOf(types) => types.first().map_or(Value::Null, |ty| sample(ty, trial)),
        Type::Called(inner, _) | Type::Rendered(inner) => sample(inner, trial),
        // Of what only the runbook itself holds: no kind has such a field.
        _ => Value::Null,
    }
}
