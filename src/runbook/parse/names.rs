//! The namespaces that expressions see, with their types as far as they are known when a file is loaded.

use indexmap::IndexMap;

use super::declare::Declarations;
use crate::template::{Arg, ArgKind, NameType, Names};
use crate::value::{Type, Value};

fn closed<'k>(members: impl IntoIterator<Item = (&'k str, NameType)>) -> NameType {
    NameType::Closed(members.into_iter().map(|(key, ty)| (key.to_owned(), ty)).collect())
}

fn value(ty: Type) -> NameType {
    NameType::Value(ty)
}

fn text() -> NameType {
    value(Type::Str)
}

/// `params` and `run`: all that constants of a runbook may name. `groups` is open, because only an inventory has them.
pub(super) fn of_constants(params: &Declarations) -> Names {
    let mut names = Names::default();
    names.roots.insert("params".to_owned(), declared(params));
    names.roots.insert("run".to_owned(), run());
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
    names.roots.insert("run".to_owned(), run());
    of_a_host(&mut names);
    names
}

/// What `changed_when` and `fail_when` judge.
pub(super) fn of_result() -> Names {
    let members =
        [("rc", value(Type::Int)), ("stdout", text()), ("stderr", text()), ("json", NameType::Open)];
    Names { roots: IndexMap::from([("result".to_owned(), closed(members))]) }
}

/// What is known of a step that stands earlier in the phase.
pub(super) fn of_step() -> NameType {
    let flag = || value(Type::Bool);
    closed([
        ("ran", flag()),
        ("changed", flag()),
        ("satisfied", flag()),
        ("failed", flag()),
        ("rc", value(Type::Int)),
        ("stdout", text()),
        ("json", NameType::Open),
    ])
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

fn run() -> NameType {
    closed([("id", text()), ("started", text())])
}

fn of_a_host(names: &mut Names) {
    let host = closed([
        ("name", text()),
        ("address", text()),
        ("labels", NameType::Open),
        ("groups", value(Type::List(Box::new(Type::Str)))),
        ("vars", NameType::Open),
    ]);
    names.roots.insert("host".to_owned(), host);
    names.roots.insert("facts".to_owned(), facts());
    names.roots.insert("steps".to_owned(), closed([]));
}

/// Members of `facts`; a test holds them against the facts that are really read.
fn facts() -> NameType {
    let flag = || value(Type::Bool);
    let number = || value(Type::Int);
    closed([
        ("os", text()),
        ("os_version", text()),
        ("kernel", text()),
        ("arch", text()),
        ("hostname", text()),
        ("boot_id", text()),
        ("machine_id", text()),
        ("packages", NameType::Open),
        ("dpkg_broken", flag()),
        ("kubeadm", value(Type::Version)),
        ("kubelet", value(Type::Version)),
        ("swap_total", number()),
        ("reboot_required", flag()),
        ("disks", NameType::Open),
        ("units", NameType::Open),
        ("systemd", flag()),
        ("cgroup", text()),
        ("clock", number()),
    ])
}

/// As much of a constant's type as can be seen: maps by their keys, so that `vars.paths.etcd` is checked too.
fn of_arg(arg: &Arg) -> NameType {
    match &arg.kind {
        ArgKind::Map(members) => {
            NameType::Closed(members.iter().map(|(key, arg)| (key.clone(), of_arg(arg))).collect())
        }
        ArgKind::Const(constant) => of_value(constant),
        ArgKind::Text(_) => text(),
        ArgKind::Expr(_) | ArgKind::Condition(_) | ArgKind::List(_) => value(Type::Any),
    }
}

fn of_value(constant: &Value) -> NameType {
    match constant {
        Value::Map(map) => {
            NameType::Closed(map.iter().map(|(key, value)| (key.clone(), of_value(value))).collect())
        }
        Value::Bool(_) => value(Type::Bool),
        Value::Int(_) => value(Type::Int),
        Value::Str(_) => text(),
        _ => value(Type::Any),
    }
}
