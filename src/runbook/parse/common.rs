//! The common keys of a step: what any kind may have beside its own fields.

use std::collections::BTreeMap;

use super::{ParseContext, StepScope, allow, names, tables};
use crate::op::{Effect, Site};
use crate::runbook::{Allow, Retry};
use crate::source::codes::{BAD_NAME, COMMON_KEY, DUPLICATE_NAME, SECRET_IN_PUBLIC};
use crate::source::{AsDefault, Diagnostics, Entry, FromNode, Node, NodeKind, shorten, written};
use crate::step::StepKind;
use crate::template::{Arg, ArgKind, Expression, Names, compile_arg};
use crate::value::{Duration, Type, Value, escape};

/// Keys that any step may have.
pub(super) fn keys() -> impl Iterator<Item = &'static str> + Clone {
    tables::STEP.names()
}

/// Fields whose text goes to a host as data, where nobody else can read it.
const SECRET_FIELDS: [&str; 2] = ["stdin", "content"];

/// Kinds that run what the user wrote, so that only the user knows what it does and how it ended.
const OWN_COMMANDS: [&str; 2] = ["command", "script"];

/// Whether `effect:` may be written: what the other kinds do is known.
pub(super) fn says_its_effect(kind: &str) -> bool {
    OWN_COMMANDS.contains(&kind) || kind == "kubectl"
}

/// Kinds that run no program for which a variable of the environment could mean anything.
fn takes_env(kind: &str) -> bool {
    !["assert", "copy", "node_support", "pause", "version_skew", "wait"].contains(&kind)
}

/// The common keys of a step.
#[derive(Default)]
pub(super) struct CommonKeys {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) when: Option<Expression>,
    pub(super) timeout: Option<Arg>,
    pub(super) retry: Option<Retry>,
    pub(super) r#become: Option<bool>,
    pub(super) env: BTreeMap<String, Arg>,
    pub(super) tags: Vec<String>,
    pub(super) run_on: Option<Site>,
    pub(super) effect: Option<Effect>,
    pub(super) allow_failure: Option<String>,
    pub(super) changed_when: Option<Expression>,
    pub(super) fail_when: Option<Expression>,
    pub(super) leave_cordoned: Option<String>,
    pub(super) allow: Vec<Allow>,
}

/// Reads the common keys. `None` when one of them is wrong; a step whose kind is not known is read for its mistakes.
pub(super) fn common(
    written: &[&Entry],
    kind: Option<&'static dyn StepKind>,
    place: &mut StepScope,
    cx: &mut ParseContext<'_>,
) -> Option<CommonKeys> {
    let before = cx.errors.items().len();
    let mut found = CommonKeys::default();
    for entry in written {
        let node = &entry.value;
        check_fits(entry, kind, cx);
        match entry.key.value.as_str() {
            "id" => found.id = id(entry, place, cx),
            "name" => found.name = node.text("a text", &mut cx.errors).map(|text| escape(text.trim())),
            "when" => found.when = condition(node, &place.names, place, cx),
            "timeout" => {
                found.timeout = compile_arg(node, &Type::Duration, &place.names, &mut cx.errors);
                let zero = Value::Duration(Duration::ZERO);
                if matches!(&found.timeout, Some(Arg { kind: ArgKind::Const(value), .. }) if *value == zero) {
                    cx.errors.wrong_type(node, "a duration above 0");
                }
            }
            "retry" => found.retry = retry(node, cx),
            "become" => found.r#become = node.boolean(&mut cx.errors),
            "env" => found.env = env(node, place, cx),
            "tags" => found.tags = tags(node, cx),
            "run_on" => {
                let words =
                    [("subject", Site::Subject), ("kube", Site::Kube), ("controller", Site::Controller)];
                found.run_on = node.word(&words, &mut cx.errors);
            }
            "effect" => {
                let words =
                    [("reads", Effect::Reads), ("changes", Effect::Changes), ("disrupts", Effect::Disrupts)];
                found.effect = node.word(&words, &mut cx.errors);
            }
            "allow_failure" => found.allow_failure = reason(entry, cx),
            "changed_when" => found.changed_when = condition(node, &names::of_result(), place, cx),
            "fail_when" => found.fail_when = condition(node, &names::of_result(), place, cx),
            "leave_cordoned" => found.leave_cordoned = reason(entry, cx),
            // Read before, because the others may name its items.
            "for_each" => {}
            "lint" => found.allow = allow::of_step(node, &mut cx.errors),
            other => unreachable!("invariant: `{other}` is in the table of common keys"),
        }
    }
    if let Some(id) = &found.id {
        let is_looped = written.iter().any(|entry| entry.key.value == "for_each");
        let result = if is_looped { names::of_loop() } else { names::of_step() };
        names::steps_of(&mut place.names).insert(id.clone(), result);
    }
    (cx.errors.items().len() == before).then_some(found)
}

/// Whether a common key means anything for this kind; one that nothing reads would be silently ignored.
fn check_fits(entry: &Entry, kind: Option<&'static dyn StepKind>, cx: &mut ParseContext<'_>) {
    let Some(name) = kind.map(StepKind::name) else { return };
    let (fits, belongs) = match entry.key.value.as_str() {
        "changed_when" | "fail_when" | "run_on" => (OWN_COMMANDS.contains(&name), "`command` and `script`"),
        "effect" => (says_its_effect(name), "`command`, `script` and `kubectl`"),
        "leave_cordoned" => (matches!(name, "drain" | "cordon"), "`drain` and `cordon`"),
        "env" => (takes_env(name), "kinds that run a program"),
        _ => return,
    };
    if !fits {
        let key = &entry.key.value;
        let message = format!("`{key}` has no meaning for `{name}`");
        cx.errors.error(COMMON_KEY, entry.key.span, message).hint(format!("it belongs to {belongs}"));
    }
}

/// An id, which must be new among the steps before it.
pub(super) fn id(entry: &Entry, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Option<String> {
    let text = entry.value.text("a name", &mut cx.errors)?;
    if !super::is_identifier(text) {
        let error = cx.errors.error(BAD_NAME, entry.value.span, format!("`{}` is no id", shorten(text)));
        error.hint("write a letter followed by letters, digits and `_`, because `steps.ID` names it");
        place.names.broken.push(text.to_owned());
        return None;
    }
    if names::steps_of(&mut place.names).contains_key(text) {
        let error =
            cx.errors.error(DUPLICATE_NAME, entry.value.span, format!("the id `{text}` is used twice"));
        error.hint("an id names one step of its phase");
        return None;
    }
    Some(text.to_owned())
}

/// An expression that decides; a secret in it could be guessed from what happens.
pub(super) fn condition(
    node: &Node,
    names: &Names,
    place: &StepScope,
    cx: &mut ParseContext<'_>,
) -> Option<Expression> {
    let arg = compile_arg(node, &Type::Expr, names, &mut cx.errors)?;
    if place.holds_secret(&arg) {
        let error =
            cx.errors.error(SECRET_IN_PUBLIC, node.span, "a condition on a secret would show it in the plan");
        error.hint("decide by a parameter instead");
    }
    match arg.kind {
        ArgKind::Condition(expression) => Some(expression),
        _ => unreachable!("invariant: an expression compiles to a condition"),
    }
}

fn env(node: &Node, place: &StepScope, cx: &mut ParseContext<'_>) -> BTreeMap<String, Arg> {
    let mut env = BTreeMap::new();
    let NodeKind::Map(entries) = &node.kind else {
        cx.errors.wrong_type(node, "a mapping from environment variables to texts");
        return env;
    };
    for entry in entries {
        super::check_identifier(&entry.key, "an environment variable", &mut cx.errors);
        let Some(arg) = compile_arg(&entry.value, &Type::Str, &place.names, &mut cx.errors) else { continue };
        check_secret(&arg, &entry.key.value, "`env`", &entry.value, place, cx);
        env.insert(entry.key.value.clone(), arg);
    }
    env
}

/// Words of which a command line may name several, separated by commas.
pub(super) fn tags(node: &Node, cx: &mut ParseContext<'_>) -> Vec<String> {
    let items = match &node.kind {
        NodeKind::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut tags = Vec::with_capacity(items.len());
    for item in items {
        let Some(tag) = item.text("a word", &mut cx.errors) else { continue };
        let is_word = |c: char| c.is_alphanumeric() || "_-.".contains(c);
        if tag.is_empty() || !tag.chars().all(is_word) {
            let error = cx.errors.error(BAD_NAME, item.span, format!("`{}` is no tag", shorten(tag)));
            error.hint("write letters, digits, `_`, `-` and `.`; a list holds several tags");
        }
        tags.push(tag.to_owned());
    }
    tags
}

/// A reason is asked for, because whoever reviews the plan will ask for it too.
fn reason(entry: &Entry, cx: &mut ParseContext<'_>) -> Option<String> {
    let key = &entry.key.value;
    let bare =
        entry.value.is_plain() && matches!(entry.value.scalar(), Some("true" | "false" | "yes" | "no"));
    let text = |text: &str| (!bare && !text.trim().is_empty()).then(|| escape(text.trim()));
    let reason = entry.value.parsed(&tables::STEP.expects(key), &mut cx.errors, text);
    if reason.is_none()
        && let Some(error) = cx.errors.last_mut()
    {
        error.hint(format!("write `{key}: \"why\"`; the plan and the summary show it"));
    }
    reason
}

written! {
    /// How a step that failed is tried again.
    pub(super) struct RetryKeys at "retry", called "`retry`, such as `{ attempts: 3, delay: 10s }`" {
        /// With the first.
        attempts: u32 as (Type::Whole { least: 2, most: Some(100) }.called("a count of tries from 2 to 100")),
        /// Before the second try.
        delay: Duration as (Type::Duration.called("a duration such as 10s")) = Duration::from_secs(10),
        /// By which the delay grows.
        backoff: Backoff = Backoff { percent: 100 },
    }
}

/// A factor, kept without a float: `1.5` is 150.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    percent: u32,
}

impl FromNode for Backoff {
    fn ty() -> Type {
        Type::Decimal { least: 1, most: 10 }.called("a factor from 1 to 10, such as 2 or 1.5")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        node.parsed(&ty.expected(), errors, backoff_percent).map(|percent| Self { percent })
    }
}

impl AsDefault for Backoff {
    fn as_default(&self) -> Value {
        Value::Int(i64::from(self.percent / 100))
    }
}

fn retry(node: &Node, cx: &mut ParseContext<'_>) -> Option<Retry> {
    let RetryKeys { attempts, delay, backoff } =
        RetryKeys::from_node(node, &RetryKeys::ty(), &mut cx.errors)?;
    Some(Retry { attempts, delay, backoff_percent: backoff.percent })
}

/// `1.5` is 150, without a float.
fn backoff_percent(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let hundredths = if part.len() == 1 { part.parse::<u32>().ok()? * 10 } else { part.parse().ok()? };
    Some(whole.parse::<u32>().ok()? * 100 + hundredths).filter(|percent| (100..=1000).contains(percent))
}

/// The item or the entry that holds a secret.
fn place_of_secret(arg: &Arg, place: &StepScope) -> Option<crate::source::Span> {
    let inner: Vec<&Arg> = match &arg.kind {
        ArgKind::List(items) => items.iter().collect(),
        ArgKind::Map(entries) => entries.iter().map(|(_, arg)| arg).collect(),
        _ => return arg.span,
    };
    inner.into_iter().find(|arg| place.holds_secret(arg)).and_then(|arg| place_of_secret(arg, place))
}

/// Reports a secret where other users of the host could read it.
pub(super) fn check_secret(
    arg: &Arg,
    field: &str,
    what: &str,
    node: &Node,
    place: &StepScope,
    cx: &mut ParseContext<'_>,
) {
    if place.holds_secret(arg) && !SECRET_FIELDS.contains(&field) {
        let message = format!("`{field}` of {what} would show a secret to every user of the host");
        let error =
            cx.errors.error(SECRET_IN_PUBLIC, place_of_secret(arg, place).unwrap_or(node.span), message);
        error.hint("pass it as `stdin` of a `command`, or write it to a file with `content` of `copy`");
    }
}
