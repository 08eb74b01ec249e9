//! The namespaces that expressions see, with their types as far as they are known when a file is loaded.

use indexmap::IndexMap;

use super::declare::Declarations;
use crate::template::{Arg, ArgKind, NameType, Names};
use crate::value::{Field, Type, Value};

pub(super) fn closed<'k>(members: impl IntoIterator<Item = (&'k str, NameType)>) -> NameType {
    NameType::Closed(members.into_iter().map(|(key, ty)| (key.to_owned(), ty)).collect())
}

fn value(ty: Type) -> NameType {
    NameType::Value(ty)
}

pub(super) fn text() -> NameType {
    value(Type::Str)
}

fn flag() -> NameType {
    value(Type::Bool)
}

fn number() -> NameType {
    value(Type::Int)
}

/// Members that only the inventory, the host or a program knows.
fn open() -> NameType {
    NameType::Open
}

fn version() -> NameType {
    value(Type::Version)
}

fn texts() -> NameType {
    value(Type::List(Box::new(Type::Str)))
}

/// A mapping whose entries all have these members.
fn records(fields: impl IntoIterator<Item = (&'static str, Type)>) -> NameType {
    let fields = fields.into_iter().map(|(name, ty)| Field::optional(name, ty, ""));
    value(Type::Map(Box::new(Type::Record(fields.collect()))))
}

fn packages() -> NameType {
    records([("version", Type::Str), ("held", Type::Bool)])
}

fn disks() -> NameType {
    records([("total", Type::Size), ("free", Type::Size)])
}

fn units() -> NameType {
    records([("active", Type::Str), ("enabled", Type::Str), ("started", Type::Int)])
}

/// A member of a namespace: its name, its type, and what it is.
type NamespaceMember = (&'static str, fn() -> NameType, &'static str);

const RUN: &[NamespaceMember] = &[
    ("id", text, "The run's id; known only while it runs."),
    ("started", text, "When it began; known only while it runs."),
];

const HOST: &[NamespaceMember] = &[
    ("name", text, "As in the inventory."),
    ("address", text, "How it is reached; its name if nothing else is written."),
    ("labels", open, "Labels of the inventory: `host.labels.zone`."),
    ("groups", texts, "The groups that it is in."),
    ("vars", open, "Variables of the inventory: `host.vars.slow_disk`."),
];

/// A test holds them against the facts that are really read.
const FACTS: &[NamespaceMember] = &[
    ("os", text, "`ID` of /etc/os-release: `debian`."),
    ("os_version", text, "`VERSION_ID` of /etc/os-release."),
    ("kernel", text, "`uname -r`."),
    ("arch", text, "`uname -m`."),
    ("hostname", text, "The host's own name for itself."),
    ("boot_id", text, "Another after every boot."),
    ("machine_id", text, "/etc/machine-id."),
    ("packages", packages, "Packages of Kubernetes by name, each with `version` and `held`."),
    ("dpkg_broken", flag, "Whether dpkg has half-installed packages."),
    ("kubeadm", version, "Its version; nothing where it is not installed."),
    ("kubelet", version, "Its version; nothing where it is not installed."),
    ("swap_total", number, "Bytes of swap; 0 where it is off."),
    ("reboot_required", flag, "Whether the host asks for a reboot."),
    ("disks", disks, "By mount point, each with `total` and `free` in bytes."),
    ("units", units, "Units by name, each with `active` and `enabled`."),
    ("systemd", flag, "Whether PID 1 is systemd."),
    ("cgroup", text, "`v1` or `v2`."),
    ("clock", number, "Its time, in seconds since 1970."),
];

const STEP: &[NamespaceMember] = &[
    ("ran", flag, "Whether it was sent."),
    ("changed", flag, "Whether it changed anything."),
    ("satisfied", flag, "Whether its goal held before, or its check passed."),
    ("failed", flag, "Whether it failed, where `allow_failure` lets the run go on."),
    ("rc", number, "The exit code."),
    ("stdout", text, "Standard output, at most 64 KiB."),
    ("json", open, "Standard output read as JSON."),
];

const LOOP: &[NamespaceMember] = &[
    ("ran", flag, "Whether any of them was sent."),
    ("changed", flag, "Whether any of them changed anything."),
    ("satisfied", flag, "Whether the goals of all held before; false where there are none."),
    ("failed", flag, "Whether any of them failed, where `allow_failure` lets the run go on."),
    ("each", results, "What each came to, in the order of the items: `steps.ID.each[0].stdout`."),
];

fn results() -> NameType {
    NameType::List(Box::new(of_step()))
}

const FAILURE: &[NamespaceMember] = &[
    ("step", text, "The id of the step that failed; its kind where it has none."),
    (
        "cause",
        text,
        "The kind of cause: `unreachable`, `command`, `timed_out`, `verification`, `refused`, `output`, `privilege` or `busy`.",
    ),
    ("message", text, "What people are told of it."),
];

const RESULT: &[NamespaceMember] = &[
    ("rc", number, "The exit code."),
    ("stdout", text, "Standard output."),
    ("stderr", text, "Standard error."),
    ("json", open, "Standard output read as JSON."),
];

/// A namespace for the reference page: its name, what it is, and its members as far as they are always the same.
type Namespace = (&'static str, &'static str, &'static [NamespaceMember]);

/// Every namespace.
pub(in crate::runbook) const NAMESPACES: [Namespace; 13] = [
    ("params", "Parameters of the runbook, by their names. Not in a fragment.", &[]),
    ("vars", "Constants of the runbook, by their names. Not in a fragment.", &[]),
    ("args", "Arguments of the fragment, by their names. Only in a fragment.", &[]),
    ("host", "The host that the step is about.", HOST),
    ("facts", "What is true of that host.", FACTS),
    (
        "steps.ID",
        "An earlier step of the phase on that host; the steps of an include are `steps.INCLUDE.ID`.",
        STEP,
    ),
    ("steps.LOOP", "An earlier step with `for_each`, or one in an include that has it.", LOOP),
    (
        "each",
        "The item of `for_each`: only at a step or include that has it, and in its `with`. Of a list it is the item itself; \
         of a mapping `each.key` and `each.value`.",
        &[],
    ),
    ("failure", "What went wrong on the host. Only in `rescue`, and not in a fragment.", FAILURE),
    ("run", "The run.", RUN),
    ("groups", "Names of the hosts of a group: `groups.workers`. Not in a fragment.", &[]),
    (
        "secrets",
        "Secrets, by their names; only in `stdin` and `content`. Not in a fragment, which gets them as arguments.",
        &[],
    ),
    (
        "result",
        "What a command came to. Only in `changed_when` and `fail_when`, and nothing else is there.",
        RESULT,
    ),
];

fn members(members: &[NamespaceMember]) -> NameType {
    closed(members.iter().map(|(name, ty, _)| (*name, ty())))
}

/// `params` and `run`: all that constants of a runbook may name. `groups` is open, because only an inventory has them.
pub(super) fn of_constants(params: &Declarations) -> Names {
    let mut names = Names::default();
    names.roots.insert("params".to_owned(), declared(params));
    names.roots.insert("run".to_owned(), members(RUN));
    names.roots.insert("groups".to_owned(), NameType::Open);
    names
}

/// What steps of the runbook itself see; `steps` grows from step to step.
pub(super) fn of_runbook<'s>(
    params: &Declarations,
    vars: &IndexMap<String, Arg>,
    secrets: impl Iterator<Item = &'s String>,
) -> Names {
    let mut names = of_constants(params);
    let vars = vars.iter().map(|(name, arg)| (name.clone(), of_arg(arg))).collect();
    names.roots.insert("vars".to_owned(), NameType::Closed(vars));
    names
        .roots
        .insert("secrets".to_owned(), NameType::Closed(secrets.map(|name| (name.clone(), text())).collect()));
    of_a_host(&mut names);
    names
}

/// What steps of a fragment see: its arguments and the host, but nothing of the runbook around it.
pub(super) fn of_fragment(args: &Declarations) -> Names {
    let mut names = Names::default();
    names.roots.insert("args".to_owned(), declared(args));
    names.roots.insert("run".to_owned(), members(RUN));
    of_a_host(&mut names);
    names
}

/// What `changed_when` and `fail_when` judge.
pub(super) fn of_result() -> Names {
    Names { roots: IndexMap::from([("result".to_owned(), members(RESULT))]), ..Names::default() }
}

/// What a rescue knows of what went wrong.
pub(super) fn of_failure() -> NameType {
    members(FAILURE)
}

/// What is known of a step that stands earlier in the phase.
pub(super) fn of_step() -> NameType {
    members(STEP)
}

/// What is known of a step with `for_each`.
pub(super) fn of_loop() -> NameType {
    members(LOOP)
}

/// What the steps of a fragment are to those outside, where the include has `for_each`.
pub(super) fn repeated(steps: NameType) -> NameType {
    match steps {
        step if step == of_step() || step == of_loop() => of_loop(),
        NameType::Closed(steps) => {
            NameType::Closed(steps.into_iter().map(|(id, step)| (id, repeated(step))).collect())
        }
        other => other,
    }
}

/// What is known of a value that is one of these: members that any of them has.
pub(super) fn common<'t>(types: impl Iterator<Item = &'t NameType>) -> NameType {
    let common = types.cloned().reduce(|left, right| match (left, right) {
        (NameType::Closed(mut left), NameType::Closed(right)) => {
            for (name, ty) in right {
                let both = left.get(&name).map_or(ty.clone(), |known| common([known, &ty].into_iter()));
                left.insert(name, both);
            }
            NameType::Closed(left)
        }
        (left, right) if left == right => left,
        _ => NameType::Open,
    });
    common.unwrap_or(NameType::Open)
}

/// Forgets the steps of a phase, but not that there were some.
pub(super) fn leave_phase(names: &mut Names) {
    let left: Vec<String> = steps_of(names).drain(..).map(|(id, _)| id).collect();
    names.elsewhere.extend(left);
}

/// The steps that `names` knows.
pub(super) fn steps_of(names: &mut Names) -> &mut IndexMap<String, NameType> {
    let steps = names.roots.entry("steps".to_owned()).or_insert_with(|| closed([]));
    let NameType::Closed(steps) = steps else { unreachable!("invariant: `steps` is always closed") };
    steps
}

fn declared(declarations: &Declarations) -> NameType {
    let member = |(name, spec): (&String, &crate::runbook::ParamSpec)| (name.clone(), value(spec.ty.clone()));
    let mut members: IndexMap<String, NameType> = declarations.specs.iter().map(member).collect();
    // A declaration with a mistake is reported once, not again wherever it is used.
    members.extend(declarations.broken.iter().map(|name| (name.clone(), value(Type::Any))));
    NameType::Closed(members)
}

fn of_a_host(names: &mut Names) {
    names.roots.insert("host".to_owned(), members(HOST));
    names.roots.insert("facts".to_owned(), members(FACTS));
    names.roots.insert("steps".to_owned(), closed([]));
}

/// As much of a constant's type as can be seen: maps by their keys, so that `vars.paths.etcd` is checked too.
pub(super) fn of_arg(arg: &Arg) -> NameType {
    match &arg.kind {
        ArgKind::Map(members) => {
            NameType::Closed(members.iter().map(|(key, arg)| (key.clone(), of_arg(arg))).collect())
        }
        ArgKind::Const(constant) => of_value(constant),
        ArgKind::List(items) => {
            let items: Vec<NameType> = items.iter().map(of_arg).collect();
            NameType::List(Box::new(common(items.iter())))
        }
        ArgKind::Text(_) => text(),
        ArgKind::Expr(_) | ArgKind::Condition(_) => value(Type::Any),
    }
}

fn of_value(constant: &Value) -> NameType {
    match constant {
        Value::Map(map) => {
            NameType::Closed(map.iter().map(|(key, value)| (key.clone(), of_value(value))).collect())
        }
        Value::List(items) => {
            let items: Vec<NameType> = items.iter().map(of_value).collect();
            NameType::List(Box::new(common(items.iter())))
        }
        Value::Bool(_) => value(Type::Bool),
        Value::Int(_) => value(Type::Int),
        Value::Str(_) => text(),
        _ => value(Type::Any),
    }
}
