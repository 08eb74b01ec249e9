//! Keys that people bring along from other tools, and keys of this format that a later version will carry out: each is
//! recognised and answered with what to write, never ignored. Data only, and one function that looks it up.

use super::foreign_key;
use crate::source::codes::NOT_SUPPORTED_YET;
use crate::source::{Diagnostics, Entry};

/// A key and its answer.
pub(super) struct Habit {
    key: &'static str,
    instead: &'static str,
    later: bool,
}

const fn other(key: &'static str, instead: &'static str) -> Habit {
    Habit { key, instead, later: false }
}

const fn later(key: &'static str, instead: &'static str) -> Habit {
    Habit { key, instead, later: true }
}

/// At the top of a runbook.
pub(super) const TOP: &[Habit] = &[
    other("hosts", "`hosts` stands in each phase: `phases: [{ name: …, hosts: …, steps: […] }]`"),
    other("tasks", "write `phases: [{ name: …, hosts: …, steps: […] }]`"),
    other("steps", "write `phases: [{ name: …, hosts: …, steps: […] }]`"),
    other("pre_tasks", "write a phase of its own before the others"),
    other("post_tasks", "write a phase of its own after the others"),
    other("roles", "write a fragment and `include` it"),
    other("handlers", "write the step where it is needed, with `when: steps.ID.changed`"),
    other("serial", "write `rollout: { batches: […] }` in the phase"),
    other("strategy", "write `rollout:` in the phase"),
    other("gather_facts", "facts are read before the plan is made; use them as `facts.NAME`"),
    other("become", "write `defaults: { become: true }`"),
    other("timeout", "write `defaults: { timeout: 10m }`"),
    other("vars_files", "write `params:` and give a `--params-file`"),
    other("vars_prompt", "write `params:` with `required: true`; nothing is asked while it runs"),
    other("inventory", "give the inventory with `-i`"),
    other("kubernetes", "write `kube: { via: control_plane }`"),
    other("k8s", "write `kube: { via: control_plane }`"),
    other("cluster", "write `kube: { via: control_plane }`"),
    other("kubectl", "write `kube: { via: control_plane }`"),
    other("kubeconfig", "write `kube: { via: controller, kubeconfig: … }`"),
    other("spec", "there is no `spec:`; write its keys at the top"),
    later("notify", "run `rollbook run --ping-url URL`, or a `command` in a last phase"),
    later("hooks", "write a phase of its own"),
];

/// At the top of a fragment.
pub(super) const FRAGMENT: &[Habit] = &[
    other("params", "write `args:`; the runbook gives them with `include: { file: FILE, with: { … } }`"),
    other("vars", "write `args:` with defaults"),
    other("phases", "a fragment has `steps:` only; phases belong to the runbook"),
    other("hosts", "the phase that includes the fragment names the hosts"),
    other("tasks", "write `steps:`"),
    other("secrets", "declare secrets in the runbook and pass them with `with:`"),
];

/// In `policy:`.
pub(super) const POLICY: &[Habit] = &[
    later("window", "start the run from cron when the window opens, and bound it with `deadline:`"),
    later("approval", "save the plan with `rollbook plan -o FILE` and run that file once it is approved"),
    later("freeze", "start runs from cron, and comment the line out"),
];

/// In a phase.
pub(super) const PHASE: &[Habit] = &[
    other("tasks", "write `steps:`"),
    other("serial", "write `rollout: { batches: [1, 25%] }`"),
    other("host", "write `hosts:`"),
    other("targets", "write `hosts:`"),
    other("max_unavailable", "write `rollout: { max_unavailable: … }`"),
    other("batches", "write `rollout: { batches: … }`"),
    other("parallel", "write `rollout: { parallel: … }`"),
    other("max_fail_percentage", "write `rollout: { max_failures: … }`"),
    other("any_errors_fatal", "that is the default: `rollout: { on_failure: halt, max_failures: 0 }`"),
    other("roles", "write `steps: [include: FILE]`"),
    other("handlers", "write the step where it is needed, with `when: steps.ID.changed`"),
    other("gather_facts", "facts are read before the plan is made"),
    other("become", "write `become` at the steps, or `defaults: { become: true }` at the top"),
    other("timeout", "write `timeout` at the steps, or `defaults: { timeout: 10m }` at the top"),
    other("env", "write `env` at the steps"),
    other("vars", "write `vars:` at the top of the runbook"),
    other("when", "write `when` at the steps, or at an `include` of all of them"),
    other("strategy", "write `rollout:`"),
    other("on_error", "write `rescue: { steps: […] }`"),
    other("finally", "write `always: […]`"),
    later("for_each", "write a phase for each"),
    later("needs", "phases run in their order"),
];

/// In `rollout:`.
pub(super) const ROLLOUT: &[Habit] = &[
    other("serial", "write `batches: [1, 25%]`"),
    other("forks", "write `parallel:`"),
    other("max_fail_percentage", "write `max_failures:` with a count"),
    other("max_surge", "new hosts are not created; only `max_unavailable` bounds a roll"),
    other("maxSurge", "new hosts are not created; only `max_unavailable` bounds a roll"),
    other("pause", "write `gate: { duration: 5m }`, or `soak:` to watch the checks of `verify` meanwhile"),
    other("strategy", "write `batches:` and `max_unavailable:`"),
];

/// In a step, beside its kind.
pub(super) const STEP: &[Habit] = &[
    other("register", "write `id: NAME`, and read `steps.NAME.stdout`"),
    other(
        "delegate_to",
        "write `run_on: kube` or `run_on: controller` for a `command`; kubectl runs where `kube.via` says",
    ),
    other("local_action", "write `command:` with `run_on: controller`"),
    other("run_once", "write a phase with `hosts: GROUP[0]`"),
    other("notify", "write the step where it is needed, with `when: steps.ID.changed`"),
    other("listen", "write the step where it is needed, with `when: steps.ID.changed`"),
    other("ignore_errors", "write `allow_failure: \"the reason\"`"),
    other(
        "ignore_unreachable",
        "a host that cannot be reached has failed; `rollout: { max_failures: … }` bounds them",
    ),
    other("failed_when", "write `fail_when:`"),
    other("become_user", "steps become root; for another user write `sudo -u` in a `command`"),
    other("become_method", "write `become: { method: sudo }` in the inventory"),
    other("sudo", "write `become: true`"),
    other("environment", "write `env:`"),
    other("no_log", "read the value from `secrets:`; it is never shown"),
    other("check_mode", "`rollbook plan` is the dry run"),
    other("until", "write `retry: { attempts: 5, delay: 10s }`, or a `wait` step"),
    other("retries", "write `retry: { attempts: 5, delay: 10s }`"),
    other("delay", "write `retry: { attempts: 5, delay: 10s }`"),
    other("async", "write `timeout:`; a step outlives its connection by itself"),
    other("poll", "write `timeout:`; a step outlives its connection by itself"),
    other("throttle", "write `rollout: { parallel: … }` in the phase"),
    other("args", "write the arguments below the kind"),
    other("vars", "write `vars:` at the top of the runbook, or `with:` in an `include`"),
    other("hosts", "`hosts` belongs to the phase; write a phase of its own"),
    other("if", "write `when:`"),
    other("unless", "write `when: not …`; for a `command`, `unless` stands below it"),
    other("with", "write `include: { file: FILE, with: { … } }`"),
    other("with_items", "write `for_each:`, which gives each item as `each`"),
    other("with_list", "write `for_each:`, which gives each item as `each`"),
    other("with_dict", "write `for_each:`, which gives `each.key` and `each.value`"),
    other("loop", "write `for_each:`, which gives each item as `each`"),
    other("loop_control", "the plan names the item of every task by itself"),
    other("block", "write the steps into a fragment and `include` it, with `when` at the include"),
    other("rescue", "`rescue` belongs to the phase: `rescue: { steps: […] }` beside its `steps`"),
    other("always", "`always` belongs to the phase: `always: […]` beside its `steps`"),
];

/// In the place of a step's kind.
pub(super) const KINDS: &[Habit] = &[
    other("shell", "write `command:` with a list of arguments, or `script:` where a shell is needed"),
    other("raw", "write `command:` with a list of arguments"),
    other("run", "write `command:` with a list of arguments, or `script:` where a shell is needed"),
    other("service", "write `systemctl:`"),
    other("systemd", "write `systemctl:`"),
    other("systemd_service", "write `systemctl:`"),
    other("package", "write `apt:`"),
    other("apt_get", "write `apt:`"),
    other("apt_repository", "write `apt_repo:`"),
    other("apt_key", "write `apt_repo:` with the key's path"),
    other("deb822_repository", "write `apt_repo:`"),
    other("dpkg_selections", "write `apt_mark: { hold: […] }`"),
    other("template", "write `copy: { template: FILE, dest: … }`"),
    other("file", "write `copy:` for a file; for directories and links write `command:`"),
    other("lineinfile", "write the whole file with `copy:`"),
    other("blockinfile", "write the whole file with `copy:`"),
    other("replace", "write the whole file with `copy:`"),
    other("debug", "values are shown by `rollbook plan` and `rollbook explain`"),
    other("fail", "write `assert: { that: …, message: … }`"),
    other("set_fact", "write `vars:` at the top of the runbook"),
    other("wait_for", "write `wait:`"),
    other("pod_wait", "write `wait:`"),
    other("sleep", "write `wait:` for what you wait for, `pause: { for: 30s }`, or `soak:` in the rollout"),
    other("include_tasks", "write `include:`"),
    other("import_tasks", "write `include:`"),
    other("include_role", "write `include:`"),
    other("import_playbook", "write `include:` in a phase"),
    other("k8s_drain", "write `drain:`"),
    other("k8s", "write `kubectl:`"),
    other("meta", "there is nothing to flush or to end"),
    other("gate", "write `gate` in the phase's `rollout`, or the step `pause: { manual: … }`"),
    later("dnf", "write a `command` with `dnf`, and `unless:` to see whether it is needed"),
    later("yum", "write a `command` with `dnf`, and `unless:` to see whether it is needed"),
];

/// What is said of a key, if it is in the table.
pub(super) fn instead(foreign_keys: &[Habit], key: &str) -> Option<&'static str> {
    foreign_keys.iter().find(|foreign_key| foreign_key.key == key).map(|found| found.instead)
}

/// Answers a key, if it is in the table.
pub(super) fn answer(foreign_keys: &[Habit], entry: &Entry, what: &str, errors: &mut Diagnostics) -> bool {
    let key = entry.key.value.as_str();
    let Some(found) = foreign_keys.iter().find(|foreign_key| foreign_key.key == key) else { return false };
    if found.later {
        let message = format!("`{key}` in {what} is not supported yet");
        errors.error(NOT_SUPPORTED_YET, entry.key.span, message).hint(found.instead);
    } else {
        foreign_key(entry.key.span, format!("{what} has no `{key}`"), found.instead, errors);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_answered_twice() {
        for table in [TOP, FRAGMENT, POLICY, PHASE, ROLLOUT, STEP, KINDS] {
            let mut keys: Vec<_> = table.iter().map(|foreign_key| foreign_key.key).collect();
            keys.sort_unstable();
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
        }
    }

    #[test]
    fn no_answer_hides_a_step_kind() {
        for foreign_key in KINDS.iter().filter(|foreign_key| !foreign_key.later) {
            assert!(crate::step::find(foreign_key.key).is_none(), "{}", foreign_key.key);
        }
    }
}
