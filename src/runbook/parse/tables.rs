//! Every mapping of a runbook and of a fragment, key by key: what the parsers read, and what the reference page shows.

use std::sync::LazyLock;

use super::allow::Lint;
use super::common::RetryKeys;
use super::declare::TYPES;
use super::gate::Gate;
use super::phase::Rollout;
use super::rescue::RescueKeys;
use super::top::{Kube, Lock, PolicyKeys, Secret};
use crate::runbook::{Defaults, Include, Mode, TopologySpec};
use crate::source::{FromNode, Metadata};
use crate::value::{Field, Table, Type, Value};

fn word(word: &str) -> Value {
    Value::Str(word.to_owned())
}

/// Every type of a parameter, with what it is.
pub fn type_names() -> Vec<(&'static str, &'static str)> {
    TYPES.into_iter().map(|(name, _, doc)| (name, doc)).collect()
}

/// A runbook.
pub static RUNBOOK: Table = Table {
    path: "",
    what: "a runbook",
    doc: "The top of the file.",
    fields: LazyLock::new(|| {
        vec![
            Field::required("apiVersion", Type::words(&["rollbook/v1"]), "The format of the file."),
            Field::required("kind", Type::words(&["Runbook"]), "What the file is."),
            Field::required("metadata", Metadata::ty(), "Its name."),
            Field::optional(
                "params",
                DECLARATION.ty().mapped().called("a mapping from names to declarations"),
                "All that a caller may set. Values come from the default, from `params:` of the inventory, from `--params-file` and from `-p`; the later is stronger.",
            ),
            Field::optional(
                "secrets",
                Secret::ty().mapped().called("a mapping from names to where they are read"),
                "Values that are never shown: `secrets.NAME` may stand only in `stdin` and `content`.",
            ),
            Field::optional(
                "vars",
                Type::Any.mapped().called("a mapping from names to values"),
                "Constants, seen as `vars.NAME`. They may name `params`, `run` and `groups`.",
            ),
            Field::optional(
                "kube",
                Kube::ty(),
                "Where kubectl runs. Left out, the runbook has nothing to do with Kubernetes.",
            ),
            Field::optional("policy", PolicyKeys::ty(), "What bounds the run as a whole."),
            Field::optional("defaults", Defaults::ty(), "What steps are like that do not say otherwise."),
            Field::required(
                "phases",
                Type::OneOrMore(Box::new(PHASE.ty())).called("a list of phases"),
                "What is done, in order.",
            ),
        ]
    }),
};

pub(super) static DECLARATION: Table = Table {
    path: "params.NAME",
    what: "a declaration",
    doc: "A parameter of a runbook, or an argument of a fragment (`args.NAME`).",
    fields: LazyLock::new(|| {
        vec![
            Field::required(
                "type",
                Type::Explained(type_names()).called("the name of a type"),
                "One of the types below.",
            ),
            Field::with_default(
                "required",
                Type::Bool.called("`true` or `false`"),
                Value::Bool(false),
                "Whether a value must be given.",
            ),
            Field::optional(
                "default",
                Type::Any.called("a constant of the type"),
                "The value where none is given.",
            ),
            Field::optional(
                "min",
                Type::Any.called("a constant of the type"),
                "The smallest value; for types with an order.",
            ),
            Field::optional(
                "max",
                Type::Any.called("a constant of the type"),
                "The largest value; for types with an order.",
            ),
            Field::optional(
                "example",
                Type::Any.called("a constant of the type"),
                "Shown where the value is missing or wrong.",
            ),
            Field::optional(
                "matches",
                Type::Str.called("a glob such as `v*`"),
                "What a text must look like; for `string` and `host`.",
            ),
            Field::optional(
                "values",
                Type::Str.listed().called("a list of words"),
                "The words of an `enum`.",
            ),
            Field::optional(
                "items",
                Type::Explained(type_names()).called("the name of a type"),
                "The type of the items of a `list`; `string` if not written.",
            ),
            Field::optional("description", Type::Str, "For readers, and where the value is missing."),
        ]
    }),
};

pub(super) static PHASE: Table = Table {
    path: "phases[]",
    what: "a phase",
    doc: "Steps over a set of hosts. A phase begins when the one before it has ended.",
    fields: LazyLock::new(|| {
        vec![
            Field::required("name", Type::Str.called("a name"), "Stands in messages; used once."),
            Field::required(
                "hosts",
                Type::Str.called("a selector such as `workers` or `control_plane[0]`"),
                "Evaluated over the whole inventory.",
            ),
            Field::with_default(
                "mode",
                Mode::ty(),
                word("read_write"),
                "In a `read_only` phase a step that changes anything is an error when the file is loaded.",
            ),
            Field::optional("rollout", Rollout::ty(), "How the phase moves over its hosts."),
            Field::optional(
                "tags",
                Type::Str.one_or_many().called("a word, or a list of them"),
                "For `--only` and `--skip`: tags of each of its steps.",
            ),
            Field::required("steps", Type::steps(), "What is done on each host, in order."),
            Field::optional(
                "rescue",
                RescueKeys::ty().called("a mapping such as `{ steps: […] }`"),
                "What is done on a host that failed in the phase.",
            ),
            Field::optional(
                "always",
                Type::steps(),
                "What is done on every host in the end, whether it went well, failed or was rescued. Left out on a host on which nothing was sent that changes anything, and on one that a stop takes away.",
            ),
        ]
    }),
};

/// A fragment.
pub static FRAGMENT: Table = Table {
    path: "",
    what: "a fragment",
    doc: "Steps in a file of their own, which runbooks `include`. Its expressions see `args`, `host`, `facts`, `steps` and `run`.",
    fields: LazyLock::new(|| {
        vec![
            Field::required("apiVersion", Type::words(&["rollbook/v1"]), "The format of the file."),
            Field::required("kind", Type::words(&["Steps"]), "What the file is."),
            Field::optional("metadata", Metadata::ty(), "For readers."),
            Field::optional(
                "args",
                DECLARATION.ty().mapped().called("a mapping from names to declarations"),
                "What an include gives with `with:`.",
            ),
            Field::required("steps", Type::steps(), "What stands in the place of the include."),
        ]
    }),
};

/// Keys that any step may have beside its kind.
pub static STEP: Table = Table {
    path: "steps[]",
    what: "a step",
    doc: "A step is exactly one kind, such as `drain`, or an `include`, and these keys beside it.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional(
                "id",
                Type::Str.called("a name"),
                "For expressions of later steps of the phase: `steps.ID.changed`.",
            ),
            Field::optional("name", Type::Str, "What people read instead of the step's own words."),
            Field::optional("when", Type::Expr, "The step runs only where it is true."),
            Field::optional(
                "for_each",
                Type::OneOf(vec![Type::Any.listed(), Type::Any.mapped()])
                    .called("a list, a mapping, or one `{{ … }}` that gives one"),
                "A task for each item, seen as `each`; of a mapping as `each.key` and `each.value`. `when` is asked for each. The plan shows every one, so the items must be known then: no `steps`.",
            ),
            Field::optional(
                "timeout",
                Type::Rendered(Box::new(Type::Duration)),
                "How long an op may take; enforced on the host.",
            ),
            Field::optional("retry", RetryKeys::ty(), "How a step that failed is tried again."),
            Field::optional("become", Type::Bool.called("`true` or `false`"), "Whether it runs as root."),
            Field::optional(
                "env",
                Type::Str.mapped().called("a mapping from environment variables to texts"),
                "Public: no secrets.",
            ),
            Field::optional(
                "tags",
                Type::Str.one_or_many().called("a word, or a list of them"),
                "Words by which `--only` and `--skip` name it. Those of an include and of a phase are for each of its steps.",
            ),
            Field::with_default(
                "run_on",
                Type::either(&["subject", "kube", "controller"]),
                word("subject"),
                "Where a `command` or `script` runs: on the host that the step is about, where kubectl runs, or on the machine that runs Rollbook.",
            ),
            Field::optional(
                "effect",
                Type::either(&["reads", "changes", "disrupts"]),
                "What a `command`, `script` or `kubectl` does; one that `disrupts` takes a slot of the budget.",
            ),
            Field::optional(
                "allow_failure",
                Type::NotEmpty.called("the reason, as a text"),
                "The run goes on without it, and the summary names it.",
            ),
            Field::optional(
                "changed_when",
                Type::Expr,
                "Whether a `command` or `script` changed anything. Sees `result`.",
            ),
            Field::optional(
                "fail_when",
                Type::Expr,
                "Whether a `command` or `script` failed. Sees `result`.",
            ),
            Field::optional(
                "leave_cordoned",
                Type::NotEmpty.called("the reason, as a text"),
                "At a `drain` or `cordon`: the phase has no `uncordon` for it, on purpose.",
            ),
            Field::optional(
                "lint",
                Lint::ty().called("a mapping with `allow`, such as `{ allow: { RULE: reason } }`"),
                "Rules of the linter that this step breaks on purpose, each with the reason.",
            ),
        ]
    }),
};

/// In the order of the reference page.
pub fn all() -> [&'static Table; 18] {
    [
        &RUNBOOK,
        Metadata::table(),
        &DECLARATION,
        Secret::table(),
        Kube::table(),
        PolicyKeys::table(),
        Lock::table(),
        Defaults::table(),
        &PHASE,
        RescueKeys::table(),
        Rollout::table(),
        TopologySpec::table(),
        Gate::table(),
        &STEP,
        RetryKeys::table(),
        Lint::table(),
        Include::table(),
        &FRAGMENT,
    ]
}
