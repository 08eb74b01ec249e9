//! A runbook against an inventory: what it selects and which groups it names, before any plan is made.

use super::{GateOpensBy, KubeVia, Phase, Runbook, Step};
use crate::inventory::{Host, Inventory, Selector, SelectorError};
use crate::source::codes::{LIMIT, NO_DOMAIN, SELECTS_NOTHING, UNKNOWN_NAME};
use crate::source::{Diagnostic, Diagnostics, Severity, Span, Spanned, nearest};
use crate::template::Reference;

impl Runbook {
    /// Reports selectors that match nothing in this inventory, and groups that expressions name and it does not have.
    pub fn check_selection(&self, inventory: &Inventory, diagnostics: &mut Diagnostics) {
        if let Some(KubeVia::Hosts(selector)) = self.kube.as_ref().map(|kube| &kube.via) {
            check(selector, inventory, diagnostics);
            if selector.value.select(inventory).is_ok_and(|hosts| hosts.is_empty()) {
                let message =
                    format!("`{}` has no hosts, and kubectl needs one to run on", selector.value.source);
                diagnostics.error(SELECTS_NOTHING, selector.span, message);
            }
        }
        for phase in &self.phases {
            check(&phase.hosts, inventory, diagnostics);
            check_topology(phase, inventory, diagnostics);
            let check = phase.rollout.gate.as_ref().and_then(|gate| match &gate.opens {
                GateOpensBy::Check { step, .. } => Some(step.as_ref()),
                _ => None,
            });
            for step in phase.all_steps().chain(check) {
                check_groups(step, inventory, diagnostics);
            }
        }
        for arg in self.vars.values() {
            let references = arg.references();
            check_references(references.into_iter(), arg.span, inventory, diagnostics);
        }
    }
}

/// Reports everything that is wrong with `--limit` for this inventory.
pub fn check_limit(limit: &Selector, inventory: &Inventory, diagnostics: &mut Diagnostics) {
    for error in limit.mistakes(inventory) {
        diagnostics.push(limit_error(error));
    }
}

/// A mistake of `--limit`, which stands in no file.
pub fn limit_error(error: SelectorError) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(LIMIT, Severity::Error, format!("--limit: {error}"));
    diagnostic.hints.extend(error.hint);
    diagnostic
}

fn check(selector: &Spanned<Selector>, inventory: &Inventory, diagnostics: &mut Diagnostics) {
    for error in selector.value.mistakes(inventory) {
        let place = Spanned { value: selector.value.source.clone(), span: selector.span }.at(error.offset);
        diagnostics.error(SELECTS_NOTHING, place, error.message).hints.extend(error.hint);
    }
}

/// Reports the hosts of a phase that do not say in which place they stand.
fn check_topology(phase: &Phase, inventory: &Inventory, diagnostics: &mut Diagnostics) {
    let (Some(topology), Ok(hosts)) = (&phase.rollout.topology, phase.hosts.value.select(inventory)) else {
        return;
    };
    let key = &topology.key;
    let without = |host: &&Host| !host.labels.contains_key(&key.value);
    let without: Vec<&Host> =
        hosts.iter().filter_map(|host| inventory.hosts.get(host)).filter(without).collect();
    let Some(first) = without.first() else { return };
    let more = without.len() - 1;
    let message = match more {
        0 => format!("host `{}` has no label `{}`", first.name, key.value),
        more => format!("host `{}` and {more} more of the phase have no label `{}`", first.name, key.value),
    };
    let error = diagnostics.error(NO_DOMAIN, key.span, message);
    error.related(first.span, "the host");
    error.hint(format!("give it one, such as `labels: {{ {}: a }}`, at the host or at a group", key.value));
}

fn check_groups(step: &Step, inventory: &Inventory, diagnostics: &mut Diagnostics) {
    for arg in step.args.values().chain(step.env.values()).chain(&step.timeout).chain(&step.for_each) {
        check_references(arg.references().into_iter(), arg.span, inventory, diagnostics);
    }
    let when = step.when.iter().flat_map(|when| &when.references);
    check_references(when, Some(step.origin.span), inventory, diagnostics);
}

fn check_references<'r>(
    references: impl Iterator<Item = &'r Reference>,
    span: Option<Span>,
    inventory: &Inventory,
    diagnostics: &mut Diagnostics,
) {
    for reference in references.filter(|reference| reference.root == "groups") {
        let (Some(group), Some(span)) = (reference.path.first(), span) else { continue };
        if inventory.groups.contains_key(group) {
            continue;
        }
        let error = diagnostics.error(UNKNOWN_NAME, span, format!("unknown name `groups.{group}`"));
        if let Some(near) = nearest(group, inventory.groups.keys().map(String::as_str)) {
            error.hint(format!("did you mean `groups.{near}`?"));
        }
    }
}
