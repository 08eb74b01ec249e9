//! Every mapping of a runbook and of a fragment, key by key: what the parsers read, and what the reference page shows.

use std::sync::LazyLock;

use super::declare::TYPES;
use crate::value::{Duration, Field, Table, Type, Value};

fn seconds(seconds: u64) -> Value {
    Value::Duration(Duration::from_secs(seconds))
}

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
            Field::required("metadata", METADATA.ty(), "Its name."),
            Field::optional(
                "params",
                DECLARATION.ty().mapped().called("a mapping from names to declarations"),
                "All that a caller may set. Values come from the default, from `params:` of the inventory, from `--params-file` and from `-p`; the later is stronger.",
            ),
            Field::optional(
                "secrets",
                SECRET.ty().mapped().called("a mapping from names to where they are read"),
                "Values that are never shown: `secrets.NAME` may stand only in `stdin` and `content`.",
            ),
            Field::optional(
                "vars",
                Type::Any.mapped().called("a mapping from names to values"),
                "Constants, seen as `vars.NAME`. They may name `params`, `run` and `groups`.",
            ),
            Field::optional(
                "kube",
                KUBE.ty(),
                "Where kubectl runs. Left out, the runbook has nothing to do with Kubernetes.",
            ),
            Field::optional("policy", POLICY.ty(), "What bounds the run as a whole."),
            Field::optional("defaults", DEFAULTS.ty(), "What steps are like that do not say otherwise."),
            Field::required(
                "phases",
                Type::OneOrMore(Box::new(PHASE.ty())).called("a list of phases"),
                "What is done, in order.",
            ),
        ]
    }),
};

pub(super) static METADATA: Table = Table {
    path: "metadata",
    what: "`metadata`",
    doc: "What people call it.",
    fields: LazyLock::new(|| {
        vec![
            Field::required("name", Type::Str.called("a name"), "Stands in plans and records."),
            Field::optional("description", Type::Str, "For readers."),
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

pub(super) static SECRET: Table = Table {
    path: "secrets.NAME",
    what: "a secret",
    doc: "Where a secret is read, on the machine that runs Rollbook. Exactly one of the two.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional(
                "env",
                Type::Identifier.called("the name of an environment variable"),
                "Read from the environment.",
            ),
            Field::optional(
                "file",
                Type::Str.called("a path"),
                "Read from a file; one line break at its end is cut off.",
            ),
        ]
    }),
};

pub(super) static POLICY: Table = Table {
    path: "policy",
    what: "`policy`",
    doc: "What bounds the run as a whole.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional("lock", LOCK.ty(), "Who else may run at the same time."),
            Field::optional("deadline", Type::Duration, "Start no new host after this long."),
            Field::with_default(
                "control_plane_outage",
                Type::either(&["accept", "refuse"]),
                word("refuse"),
                "Whether the Kubernetes API may be away while one or two control planes are upgraded.",
            ),
            Field::with_default(
                "accept_controller_reboot",
                Type::Bool.called("`true` or `false`"),
                Value::Bool(false),
                "Whether the machine that runs Rollbook may be restarted, as the last host of the run.",
            ),
            Field::optional(
                "allow",
                Type::LintRules,
                "Rules of the linter that the runbook breaks on purpose, each with the reason.",
            ),
        ]
    }),
};

pub(super) static LOCK: Table = Table {
    path: "policy.lock",
    what: "`lock`",
    doc: "The lock of a cluster.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional(
                "scope",
                Type::either(&["cluster", "none"]),
                "`cluster` where the runbook has `kube:`, else `none`.",
            ),
            Field::optional(
                "ttl",
                Type::Duration.called("a duration of at least 1m, such as 10m"),
                "How long a holder that died keeps it.",
            ),
        ]
    }),
};

pub(super) static KUBE: Table = Table {
    path: "kube",
    what: "`kube`",
    doc: "Where and how kubectl runs.",
    fields: LazyLock::new(|| {
        vec![
            Field::required(
                "via",
                Type::Str.called("a selector such as `control_plane`, or `controller`"),
                "Hosts of which one runs kubectl, preferring one that is not being worked on; or the machine that runs Rollbook.",
            ),
            Field::optional(
                "kubeconfig",
                Type::Str.called("a text that does not begin with `-`"),
                "Its path where kubectl runs: `/etc/kubernetes/admin.conf` on a host, kubectl's own choice on the controller.",
            ),
            Field::optional(
                "context",
                Type::Str.called("a text that does not begin with `-`"),
                "A context of that file.",
            ),
            Field::with_default("request_timeout", Type::Duration, seconds(30), "Of one request."),
            Field::with_default(
                "retry_for",
                Type::Duration,
                seconds(300),
                "How long an API that is away is asked again.",
            ),
            Field::with_default(
                "new_nodes",
                Type::either(&["warn", "drift"]),
                word("warn"),
                "What it means that the cluster has a node of no host that it did not have when the plan was made: a warning, or \
             drift, so that nothing begins.",
            ),
        ]
    }),
};

pub(super) static DEFAULTS: Table = Table {
    path: "defaults",
    what: "`defaults`",
    doc: "What steps are like that do not say otherwise.",
    fields: LazyLock::new(|| {
        vec![
            Field::with_default(
                "become",
                Type::Bool.called("`true` or `false`"),
                Value::Bool(true),
                "Whether steps run as root.",
            ),
            Field::with_default(
                "timeout",
                Type::Duration,
                seconds(600),
                "How long an op of a step may take.",
            ),
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
                Type::either(&["read_only", "read_write"]),
                word("read_write"),
                "In a `read_only` phase a step that changes anything is an error when the file is loaded.",
            ),
            Field::optional("rollout", ROLLOUT.ty(), "How the phase moves over its hosts."),
            Field::optional(
                "tags",
                Type::Str.one_or_many().called("a word, or a list of them"),
                "For `--only` and `--skip`: tags of each of its steps.",
            ),
            Field::required("steps", Type::steps(), "What is done on each host, in order."),
            Field::optional(
                "rescue",
                RESCUE.ty().called("a mapping such as `{ steps: […] }`"),
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

pub(super) static RESCUE: Table = Table {
    path: "phases[].rescue",
    what: "`rescue`",
    doc: "Steps for a host that failed in the phase, such as putting an old version back or collecting logs. Steps after the one that failed do not run. It is not tried on a host whose state is not known, nor on one that is not what the plan saw.",
    fields: LazyLock::new(|| {
        vec![
            Field::required(
                "steps",
                Type::steps(),
                "What is done on the host, in order. Expressions see `failure` beside all that steps see.",
            ),
            Field::with_default(
                "then",
                Type::either(&["failed", "ok"]),
                word("failed"),
                "What the host counts as when these steps have gone well. With `ok` it is done, is named in the summary, and does not count as failed; whatever the phase cordons or unholds has to be put back by `rescue` or `always`.",
            ),
        ]
    }),
};

pub(super) static ROLLOUT: Table = Table {
    path: "phases[].rollout",
    what: "`rollout`",
    doc: "How a phase moves over its hosts.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional(
                "order",
                Type::either(&["inventory", "group", "reverse", "sorted"]),
                "How the phase's hosts follow each other: as the inventory has them, as the selector's groups list them, backwards, or by name. Where it is left out, a phase over one group takes its hosts as the group lists them. Slices such as `control_plane[0]` always count in the inventory's order.",
            ),
            Field::optional(
                "batches",
                Type::Amount
                    .one_or_many()
                    .called("a count such as 2, or a percentage such as 25%, or a list of them"),
                "Hosts of each batch; the last size repeats. A batch begins when the one before it has ended well. Left out: one batch of all.",
            ),
            Field::with_default(
                "max_unavailable",
                Type::Amount.called("a count such as 2, or a percentage such as 25%"),
                Value::Int(1),
                "Most hosts of the phase that may be out of service, including those that others took out.",
            ),
            Field::with_default(
                "max_failures",
                Type::Whole { least: 0, most: None }.called("a count of hosts such as 0"),
                Value::Int(0),
                "More failed hosts than this end the phase.",
            ),
            Field::with_default(
                "parallel",
                Type::Whole { least: 1, most: None }.called("a count of at least 1"),
                Value::Int(10),
                "Most hosts that are worked on at the same time.",
            ),
            Field::with_default(
                "on_failure",
                Type::either(&["halt", "freeze"]),
                word("halt"),
                "What happens when more hosts fail than `max_failures` allows: with `halt` no new host starts and those that are out finish, with `freeze` nothing new starts at all.",
            ),
            Field::with_default(
                "soak",
                Type::Duration.called("a duration such as 5m"),
                seconds(0),
                "Time between a batch and what follows it.",
            ),
            Field::with_default(
                "wait_for_budget",
                Type::Duration.called("a duration such as 5m"),
                seconds(600),
                "How long a host waits for a slot that others hold.",
            ),
            Field::optional(
                "topology",
                TOPOLOGY.ty().called("a mapping such as `{ key: zone, max_domains: 1 }`"),
                "How many zones, racks or the like may have hosts out of service at the same time.",
            ),
            Field::optional(
                "verify",
                Type::steps(),
                "Checks after every batch, before the next one: on the first host of the phase, or through kubectl. A `command`, \
             `script` or `kubectl` that only reads (`effect: reads`) runs each time, and its exit code decides, or its \
             `fail_when`.",
            ),
            Field::optional(
                "gate",
                GATE.ty().called("a mapping such as `{ approve: look at the dashboards }`"),
                "What stands between a batch that ended well and the next one.",
            ),
        ]
    }),
};

pub(super) static GATE: Table = Table {
    path: "phases[].rollout.gate",
    what: "`gate`",
    doc: "Stands behind a batch, after its `soak` and its `verify`: exactly one of `approve`, `duration` and `check`. A gate that is not passed pauses the run, with exit code 15: every host is in service, and `rollbook resume RUN` comes to the same gate again, after the checks of `verify`; `rollbook resume RUN --approve` passes it. There is none behind the last batch; before a phase, write the step `pause`.",
    fields: LazyLock::new(|| {
        vec![
            Field::optional(
                "approve",
                Type::Str.called("a text for a person"),
                "A person has to say that the run goes on, and this is what they have to see to. On a terminal the run asks; where nobody is there to ask, or the answer is `no`, it pauses.",
            ),
            Field::optional(
                "duration",
                Type::Duration.called("a duration such as 30m"),
                "The run waits for so long.",
            ),
            Field::optional(
                "check",
                Type::Step.called("a step that only looks, such as `{ wait: { nodes: ready } }`"),
                "Looked at again and again until it holds, for as long as its own `stable_for` asks; its own `for` does not count.",
            ),
            Field::optional(
                "for",
                Type::Duration.called("a duration such as 1h"),
                "How long the answer or the check is waited for; then the run pauses. A check needs it; without it, an answer is waited for without end.",
            ),
            Field::with_default(
                "after",
                Type::either(&["each", "first"]),
                word("each"),
                "Behind each batch but the last, or behind the first only.",
            ),
        ]
    }),
};

pub(super) static TOPOLOGY: Table = Table {
    path: "phases[].rollout.topology",
    what: "`topology`",
    doc: "Where hosts of the phase may be out of service, including those that others took out. A host goes out only if all that are out, itself included, then stand in at most `max_domains` places; of the hosts that wait, the first that fits goes.",
    fields: LazyLock::new(|| {
        vec![
            Field::required(
                "key",
                Type::Str.called("the name of a label, such as `zone`"),
                "The label whose value is a host's place. Every host of the phase needs it.",
            ),
            Field::with_default(
                "max_domains",
                Type::Whole { least: 1, most: None }.called("a count of at least 1"),
                Value::Int(1),
                "Most values of the label that may have hosts out of service.",
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
            Field::optional("metadata", METADATA.ty(), "For readers."),
            Field::optional(
                "args",
                DECLARATION.ty().mapped().called("a mapping from names to declarations"),
                "What an include gives with `with:`.",
            ),
            Field::required("steps", Type::steps(), "What stands in the place of the include."),
        ]
    }),
};

/// An include.
pub static INCLUDE: Table = Table {
    path: "include",
    what: "an `include`, such as `{ file: steps/kubelet.yaml }`",
    doc: "A fragment's steps in the place of one. `include: FILE` is short for `include: { file: FILE }`. Beside it only `id`, `name`, `when`, `for_each` and `tags` may stand; `when` holds for every step of the fragment, and with `for_each` all of the steps run for one item before the next.",
    fields: LazyLock::new(|| {
        vec![
            Field::required(
                "file",
                Type::Str.called("the path of a fragment"),
                "Relative to the file that includes, and below the runbook's directory.",
            ),
            Field::optional(
                "with",
                Type::Any.mapped().called("a mapping from arguments to values"),
                "Values for the fragment's `args`.",
            ),
        ]
    }),
};

pub(super) static RETRY: Table = Table {
    path: "retry",
    what: "`retry`, such as `{ attempts: 3, delay: 10s }`",
    doc: "How a step that failed is tried again.",
    fields: LazyLock::new(|| {
        vec![
            Field::required(
                "attempts",
                Type::Whole { least: 2, most: Some(100) }.called("a count of tries from 2 to 100"),
                "With the first.",
            ),
            Field::with_default(
                "delay",
                Type::Duration.called("a duration such as 10s"),
                seconds(10),
                "Before the second try.",
            ),
            Field::with_default(
                "backoff",
                Type::Decimal { least: 1, most: 10 }.called("a factor from 1 to 10, such as 2 or 1.5"),
                Value::Int(1),
                "By which the delay grows.",
            ),
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
            Field::optional("retry", RETRY.ty(), "How a step that failed is tried again."),
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
                LINT.ty().called("a mapping with `allow`, such as `{ allow: { RULE: reason } }`"),
                "Rules of the linter that this step breaks on purpose, each with the reason.",
            ),
        ]
    }),
};

pub(super) static LINT: Table = Table {
    path: "lint",
    what: "`lint`, such as `{ allow: { RULE: reason } }`",
    doc: "What the linter is told at a step.",
    fields: LazyLock::new(|| {
        vec![Field::required("allow", Type::LintRules, "Rules by their names, each with the reason.")]
    }),
};

/// In the order of the reference page.
pub static ALL: [&Table; 18] = [
    &RUNBOOK,
    &METADATA,
    &DECLARATION,
    &SECRET,
    &KUBE,
    &POLICY,
    &LOCK,
    &DEFAULTS,
    &PHASE,
    &RESCUE,
    &ROLLOUT,
    &TOPOLOGY,
    &GATE,
    &STEP,
    &RETRY,
    &LINT,
    &INCLUDE,
    &FRAGMENT,
];
