//! Every mapping of a runbook and of a fragment, key by key: what the parsers read, and what the reference page shows.

use crate::source::{KeyInfo, Table};

const A_MAPPING: &str = "a mapping";

pub(super) const RUNBOOK: Table = Table {
    path: "",
    what: "a runbook",
    doc: "The top of the file.",
    keys: &[
        KeyInfo::required("apiVersion", "`rollbook/v1`", "The format of the file."),
        KeyInfo::required("kind", "`Runbook`", "What the file is."),
        KeyInfo::required("metadata", A_MAPPING, "Its name."),
        KeyInfo::optional(
            "params",
            "a mapping from names to declarations",
            "All that a caller may set. Values come from the default, from `params:` of the inventory, from `--params-file` and from `-p`; the later is stronger.",
        ),
        KeyInfo::optional(
            "secrets",
            "a mapping from names to where they are read",
            "Values that are never shown: `secrets.NAME` may stand only in `stdin` and `content`.",
        ),
        KeyInfo::optional(
            "vars",
            "a mapping from names to values",
            "Constants, seen as `vars.NAME`. They may name `params`, `run` and `groups`.",
        ),
        KeyInfo::optional(
            "kube",
            A_MAPPING,
            "Where kubectl runs. Left out, the runbook has nothing to do with Kubernetes.",
        ),
        KeyInfo::optional("policy", A_MAPPING, "What bounds the run as a whole."),
        KeyInfo::optional("defaults", A_MAPPING, "What steps are like that do not say otherwise."),
        KeyInfo::required("phases", "a list of phases", "What is done, in order."),
    ],
};

pub(super) const METADATA: Table = Table {
    path: "metadata",
    what: "`metadata`",
    doc: "What people call it.",
    keys: &[
        KeyInfo::required("name", "a name", "Stands in plans and records."),
        KeyInfo::optional("description", "a text", "For readers."),
    ],
};

pub(super) const DECLARATION: Table = Table {
    path: "params.NAME",
    what: "a declaration",
    doc: "A parameter of a runbook, or an argument of a fragment (`args.NAME`).",
    keys: &[
        KeyInfo::required("type", "the name of a type", "One of the types below."),
        KeyInfo::with_default("required", "`true` or `false`", "false", "Whether a value must be given."),
        KeyInfo::optional("default", "a constant of the type", "The value where none is given."),
        KeyInfo::optional("min", "a constant of the type", "The smallest value; for types with an order."),
        KeyInfo::optional("max", "a constant of the type", "The largest value; for types with an order."),
        KeyInfo::optional("example", "a constant of the type", "Shown where the value is missing or wrong."),
        KeyInfo::optional(
            "matches",
            "a glob such as `v*`",
            "What a text must look like; for `string` and `host`.",
        ),
        KeyInfo::optional("values", "a list of words", "The words of an `enum`."),
        KeyInfo::optional(
            "items",
            "the name of a type",
            "The type of the items of a `list`; `string` if not written.",
        ),
        KeyInfo::optional("description", "a text", "For readers, and where the value is missing."),
    ],
};

pub(super) const SECRET: Table = Table {
    path: "secrets.NAME",
    what: "a secret",
    doc: "Where a secret is read, on the machine that runs Rollbook. Exactly one of the two.",
    keys: &[
        KeyInfo::optional("env", "the name of an environment variable", "Read from the environment."),
        KeyInfo::optional("file", "a path", "Read from a file; one line break at its end is cut off."),
    ],
};

pub(super) const POLICY: Table = Table {
    path: "policy",
    what: "`policy`",
    doc: "What bounds the run as a whole.",
    keys: &[
        KeyInfo::optional("lock", A_MAPPING, "Who else may run at the same time."),
        KeyInfo::optional("deadline", "a duration such as 10m", "Start no new host after this long."),
        KeyInfo::with_default(
            "control_plane_outage",
            "`accept` or `refuse`",
            "refuse",
            "Whether the Kubernetes API may be away while one or two control planes are upgraded.",
        ),
        KeyInfo::with_default(
            "accept_controller_reboot",
            "`true` or `false`",
            "false",
            "Whether the machine that runs Rollbook may be restarted, as the last host of the run.",
        ),
        KeyInfo::optional(
            "allow",
            "a mapping from rules to reasons",
            "Rules of the linter that the runbook breaks on purpose, each with the reason.",
        ),
    ],
};

pub(super) const LOCK: Table = Table {
    path: "policy.lock",
    what: "`lock`",
    doc: "The lock of a cluster.",
    keys: &[
        KeyInfo::optional(
            "scope",
            "`cluster` or `none`",
            "`cluster` where the runbook has `kube:`, else `none`.",
        ),
        KeyInfo::optional(
            "ttl",
            "a duration of at least 1m, such as 10m",
            "How long a holder that died keeps it.",
        ),
    ],
};

pub(super) const KUBE: Table = Table {
    path: "kube",
    what: "`kube`",
    doc: "Where and how kubectl runs.",
    keys: &[
        KeyInfo::required(
            "via",
            "a selector such as `control_plane`, or `controller`",
            "Hosts of which one runs kubectl, preferring one that is not being worked on; or the machine that runs Rollbook.",
        ),
        KeyInfo::optional(
            "kubeconfig",
            "a text that does not begin with `-`",
            "Its path where kubectl runs: `/etc/kubernetes/admin.conf` on a host, kubectl's own choice on the controller.",
        ),
        KeyInfo::optional("context", "a text that does not begin with `-`", "A context of that file."),
        KeyInfo::with_default("request_timeout", "a duration such as 10m", "30s", "Of one request."),
        KeyInfo::with_default(
            "retry_for",
            "a duration such as 10m",
            "5m",
            "How long an API that is away is asked again.",
        ),
        KeyInfo::with_default(
            "new_nodes",
            "`warn` or `drift`",
            "warn",
            "What it means that the cluster has a node of no host that it did not have when the plan was made: a warning, or \
             drift, so that nothing begins.",
        ),
    ],
};

pub(super) const DEFAULTS: Table = Table {
    path: "defaults",
    what: "`defaults`",
    doc: "What steps are like that do not say otherwise.",
    keys: &[
        KeyInfo::with_default("become", "`true` or `false`", "true", "Whether steps run as root."),
        KeyInfo::with_default(
            "timeout",
            "a duration such as 10m",
            "10m",
            "How long an op of a step may take.",
        ),
    ],
};

pub(super) const PHASE: Table = Table {
    path: "phases[]",
    what: "a phase",
    doc: "Steps over a set of hosts. A phase begins when the one before it has ended.",
    keys: &[
        KeyInfo::required("name", "a name", "Stands in messages; used once."),
        KeyInfo::required(
            "hosts",
            "a selector such as `workers` or `control_plane[0]`",
            "Evaluated over the whole inventory.",
        ),
        KeyInfo::with_default(
            "mode",
            "`read_only` or `read_write`",
            "read_write",
            "In a `read_only` phase a step that changes anything is an error when the file is loaded.",
        ),
        KeyInfo::optional("rollout", A_MAPPING, "How the phase moves over its hosts."),
        KeyInfo::optional(
            "tags",
            "a word, or a list of them",
            "For `--only` and `--skip`: tags of each of its steps.",
        ),
        KeyInfo::required("steps", "a list of steps", "What is done on each host, in order."),
        KeyInfo::optional(
            "rescue",
            "a mapping such as `{ steps: […] }`",
            "What is done on a host that failed in the phase.",
        ),
        KeyInfo::optional(
            "always",
            "a list of steps",
            "What is done on every host in the end, whether it went well, failed or was rescued. Left out on a host on which nothing was sent that changes anything, and on one that a stop takes away.",
        ),
    ],
};

pub(super) const RESCUE: Table = Table {
    path: "phases[].rescue",
    what: "`rescue`",
    doc: "Steps for a host that failed in the phase, such as putting an old version back or collecting logs. Steps after the one that failed do not run. It is not tried on a host whose state is not known, nor on one that is not what the plan saw.",
    keys: &[
        KeyInfo::required(
            "steps",
            "a list of steps",
            "What is done on the host, in order. Expressions see `failure` beside all that steps see.",
        ),
        KeyInfo::with_default(
            "then",
            "`failed` or `ok`",
            "failed",
            "What the host counts as when these steps have gone well. With `ok` it is done, is named in the summary, and does not count as failed; whatever the phase cordons or unholds has to be put back by `rescue` or `always`.",
        ),
    ],
};

pub(super) const ROLLOUT: Table = Table {
    path: "phases[].rollout",
    what: "`rollout`",
    doc: "How a phase moves over its hosts.",
    keys: &[
        KeyInfo::optional(
            "order",
            "`inventory`, `group`, `reverse` or `sorted`",
            "How the phase's hosts follow each other: as the inventory has them, as the selector's groups list them, backwards, or by name. Where it is left out, a phase over one group takes its hosts as the group lists them. Slices such as `control_plane[0]` always count in the inventory's order.",
        ),
        KeyInfo::optional(
            "batches",
            "a count such as 2, or a percentage such as 25%, or a list of them",
            "Hosts of each batch; the last size repeats. A batch begins when the one before it has ended well. Left out: one batch of all.",
        ),
        KeyInfo::with_default(
            "max_unavailable",
            "a count such as 2, or a percentage such as 25%",
            "1",
            "Most hosts of the phase that may be out of service, including those that others took out.",
        ),
        KeyInfo::with_default(
            "max_failures",
            "a count of hosts such as 0",
            "0",
            "More failed hosts than this end the phase.",
        ),
        KeyInfo::with_default(
            "parallel",
            "a count of at least 1",
            "10",
            "Most hosts that are worked on at the same time.",
        ),
        KeyInfo::with_default(
            "on_failure",
            "`halt` or `freeze`",
            "halt",
            "What happens when more hosts fail than `max_failures` allows: with `halt` no new host starts and those that are out finish, with `freeze` nothing new starts at all.",
        ),
        KeyInfo::with_default(
            "soak",
            "a duration such as 5m",
            "0s",
            "Time between a batch and what follows it.",
        ),
        KeyInfo::with_default(
            "wait_for_budget",
            "a duration such as 5m",
            "10m",
            "How long a host waits for a slot that others hold.",
        ),
        KeyInfo::optional(
            "topology",
            "a mapping such as `{ key: zone, max_domains: 1 }`",
            "How many zones, racks or the like may have hosts out of service at the same time.",
        ),
        KeyInfo::optional(
            "verify",
            "a list of steps",
            "Checks after every batch, before the next one: on the first host of the phase, or through kubectl. A `command`, \
             `script` or `kubectl` that only reads (`effect: reads`) runs each time, and its exit code decides, or its \
             `fail_when`.",
        ),
        KeyInfo::optional(
            "gate",
            "a mapping such as `{ approve: look at the dashboards }`",
            "What stands between a batch that ended well and the next one.",
        ),
    ],
};

pub(super) const GATE: Table = Table {
    path: "phases[].rollout.gate",
    what: "`gate`",
    doc: "Stands behind a batch, after its `soak` and its `verify`: exactly one of `approve`, `duration` and `check`. A gate that is not passed pauses the run, with exit code 15: every host is in service, and `rollbook resume RUN` comes to the same gate again, after the checks of `verify`; `rollbook resume RUN --approve` passes it. There is none behind the last batch; before a phase, write the step `pause`.",
    keys: &[
        KeyInfo::optional(
            "approve",
            "a text for a person",
            "A person has to say that the run goes on, and this is what they have to see to. On a terminal the run asks; where nobody is there to ask, or the answer is `no`, it pauses.",
        ),
        KeyInfo::optional("duration", "a duration such as 30m", "The run waits for so long."),
        KeyInfo::optional(
            "check",
            "a step that only looks, such as `{ wait: { nodes: ready } }`",
            "Looked at again and again until it holds, for as long as its own `stable_for` asks; its own `for` does not count.",
        ),
        KeyInfo::optional(
            "for",
            "a duration such as 1h",
            "How long the answer or the check is waited for; then the run pauses. A check needs it; without it, an answer is waited for without end.",
        ),
        KeyInfo::with_default(
            "after",
            "`each` or `first`",
            "each",
            "Behind each batch but the last, or behind the first only.",
        ),
    ],
};

pub(super) const TOPOLOGY: Table = Table {
    path: "phases[].rollout.topology",
    what: "`topology`",
    doc: "Where hosts of the phase may be out of service, including those that others took out. A host goes out only if all that are out, itself included, then stand in at most `max_domains` places; of the hosts that wait, the first that fits goes.",
    keys: &[
        KeyInfo::required(
            "key",
            "the name of a label, such as `zone`",
            "The label whose value is a host's place. Every host of the phase needs it.",
        ),
        KeyInfo::with_default(
            "max_domains",
            "a count of at least 1",
            "1",
            "Most values of the label that may have hosts out of service.",
        ),
    ],
};

pub(super) const FRAGMENT: Table = Table {
    path: "",
    what: "a fragment",
    doc: "Steps in a file of their own, which runbooks `include`. Its expressions see `args`, `host`, `facts`, `steps` and `run`.",
    keys: &[
        KeyInfo::required("apiVersion", "`rollbook/v1`", "The format of the file."),
        KeyInfo::required("kind", "`Steps`", "What the file is."),
        KeyInfo::optional("metadata", A_MAPPING, "For readers."),
        KeyInfo::optional(
            "args",
            "a mapping from names to declarations",
            "What an include gives with `with:`.",
        ),
        KeyInfo::required("steps", "a list of steps", "What stands in the place of the include."),
    ],
};

pub(super) const INCLUDE: Table = Table {
    path: "include",
    what: "an `include`, such as `{ file: steps/kubelet.yaml }`",
    doc: "A fragment's steps in the place of one. `include: FILE` is short for `include: { file: FILE }`. Beside it only `id`, `name`, `when`, `for_each` and `tags` may stand; `when` holds for every step of the fragment, and with `for_each` all of the steps run for one item before the next.",
    keys: &[
        KeyInfo::required(
            "file",
            "the path of a fragment",
            "Relative to the file that includes, and below the runbook's directory.",
        ),
        KeyInfo::optional("with", "a mapping from arguments to values", "Values for the fragment's `args`."),
    ],
};

pub(super) const RETRY: Table = Table {
    path: "retry",
    what: "`retry`, such as `{ attempts: 3, delay: 10s }`",
    doc: "How a step that failed is tried again.",
    keys: &[
        KeyInfo::required("attempts", "a count of tries from 2 to 100", "With the first."),
        KeyInfo::with_default("delay", "a duration such as 10s", "10s", "Before the second try."),
        KeyInfo::with_default(
            "backoff",
            "a factor from 1 to 10, such as 2 or 1.5",
            "1",
            "By which the delay grows.",
        ),
    ],
};

/// Keys that any step may have beside its kind.
pub(super) const COMMON: Table = Table {
    path: "steps[]",
    what: "a step",
    doc: "A step is exactly one kind, such as `drain`, or an `include`, and these keys beside it.",
    keys: &[
        KeyInfo::optional("id", "a name", "For expressions of later steps of the phase: `steps.ID.changed`."),
        KeyInfo::optional("name", "a text", "What people read instead of the step's own words."),
        KeyInfo::optional("when", "an expression without braces", "The step runs only where it is true."),
        KeyInfo::optional(
            "for_each",
            "a list, a mapping, or one `{{ … }}` that gives one",
            "A task for each item, seen as `each`; of a mapping as `each.key` and `each.value`. `when` is asked for each. The plan shows every one, so the items must be known then: no `steps`.",
        ),
        KeyInfo::optional(
            "timeout",
            "a duration such as 10m",
            "How long an op may take; enforced on the host.",
        ),
        KeyInfo::optional("retry", A_MAPPING, "How a step that failed is tried again."),
        KeyInfo::optional("become", "`true` or `false`", "Whether it runs as root."),
        KeyInfo::optional("env", "a mapping from environment variables to texts", "Public: no secrets."),
        KeyInfo::optional(
            "tags",
            "a word, or a list of them",
            "Words by which `--only` and `--skip` name it. Those of an include and of a phase are for each of its steps.",
        ),
        KeyInfo::with_default(
            "run_on",
            "`subject` or `kube` or `controller`",
            "subject",
            "Where a `command` or `script` runs: on the host that the step is about, where kubectl runs, or on the machine that runs Rollbook.",
        ),
        KeyInfo::optional(
            "effect",
            "`reads` or `changes` or `disrupts`",
            "What a `command`, `script` or `kubectl` does; one that `disrupts` takes a slot of the budget.",
        ),
        KeyInfo::optional(
            "allow_failure",
            "the reason, as a text",
            "The run goes on without it, and the summary names it.",
        ),
        KeyInfo::optional(
            "changed_when",
            "an expression without braces",
            "Whether a `command` or `script` changed anything. Sees `result`.",
        ),
        KeyInfo::optional(
            "fail_when",
            "an expression without braces",
            "Whether a `command` or `script` failed. Sees `result`.",
        ),
        KeyInfo::optional(
            "leave_cordoned",
            "the reason, as a text",
            "At a `drain` or `cordon`: the phase has no `uncordon` for it, on purpose.",
        ),
        KeyInfo::optional(
            "lint",
            "a mapping with `allow`, such as `{ allow: { RULE: reason } }`",
            "Rules of the linter that this step breaks on purpose, each with the reason.",
        ),
    ],
};

/// In the order of the reference page.
pub(in crate::runbook) const ALL: [&Table; 17] = [
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
    &COMMON,
    &RETRY,
    &INCLUDE,
    &FRAGMENT,
];
