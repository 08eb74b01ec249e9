//! The step `kubectl`: any other command of kubectl, told apart by its verb.

use super::arguments::arguments;
use super::build::{change, exactly, refuse_secrets, satisfied, would_change, wrong};
use super::kind::Kind;
use super::node_state::{kube, kubectl_op, kubectl_probe, kubectl_query};
use super::{
    AssessError, Assessment, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Role, Subject, Touches,
};
use crate::kubernetes::kubectl_errors;
use crate::op::{Effect, Op, ProbeOutput};

/// Runs kubectl.
pub(crate) struct Kubectl;

arguments! {
    /// What kubectl is told.
    pub(crate) struct KubectlArgs {
        /// The arguments after `kubectl`, the verb first. No shell reads them.
        args: Vec<String>,
        /// What kubectl reads, for `apply -f -`. May hold secrets, which `args` may not.
        stdin: Option<String>,
        /// Arguments of a reading command; where it ends with 0 there is nothing to do.
        unless: Option<Vec<String>>,
    }
}

/// Verbs that change nothing. A verb with a second word is told apart by both.
const READS: [&str; 18] = [
    "api-resources",
    "api-versions",
    "auth can-i",
    "cluster-info",
    "config current-context",
    "config get-contexts",
    "config view",
    "describe",
    "diff",
    "events",
    "explain",
    "get",
    "logs",
    "rollout history",
    "rollout status",
    "top",
    "version",
    "wait",
];

/// Verbs that need a person or never end, and what to do instead.
const REFUSED: [(&str, &str); 9] = [
    ("attach", "it needs a terminal"),
    ("cordon", "write the step `cordon`, which knows whose cordon it is"),
    ("debug", "it needs a terminal"),
    ("drain", "write the step `drain`, which foresees what it does"),
    ("edit", "it needs a terminal: use `patch` or `apply`"),
    ("port-forward", "it never ends"),
    ("proxy", "it never ends"),
    ("uncordon", "write the step `uncordon`, which leaves the cordons of others alone"),
    ("plugin", "it runs other programs: use `command`"),
];

impl Kind for Kubectl {
    type Args = KubectlArgs;

    const NAME: &'static str = "kubectl";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Runs kubectl where the runbook's `kube:` says",
            body: "Reading verbs (`get`, `describe`, `wait`, `rollout status` and the like) read; every other verb changes, unless \
                   the step says `effect:`. With `unless`, a change is a goal: it runs only where that command fails. Without \
                   it nothing can be said before it runs.\n\n\
                   Kubeconfig, context and request timeout come from `kube:`.",
            example: "- kubectl: { args: [label, node, w1, zone=a, --overwrite], unless: [get, node, w1, --output=name] }\n",
            shorthand: Some("args"),
        }
    }

    fn touches(&self, _: Option<&KubectlArgs>) -> Touches {
        // What a user's `unless` looks at shows more than what kubectl writes: the version of a kubelet, say.
        let reads = vec![Matter::Anything, Matter::Cluster];
        Touches { changes: vec![Matter::Cluster, Matter::Node, Matter::Cordon], reads }
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn lower(&self, args: &KubectlArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let kube = kube(cx, Self::NAME)?;
        let words = strs(&args.args);
        let reads = check_words("args", &words)?;
        let effect = cx.effect.unwrap_or(if reads { Effect::Reads } else { Effect::Changes });
        let unless = args.unless.as_deref().map(strs);
        if let Some(unless) = &unless
            && !check_words("unless", unless)?
        {
            return Err(wrong(
                format!("`unless` runs `kubectl {}`, which changes something", unless.join(" ")),
                "use a reading verb such as `get`",
            ));
        }
        let title = format!("kubectl {}", words.join(" "));
        let op = kubectl_op(cx, kube, title.clone(), &words, effect);
        let mut op = Op { stdin: args.stdin.clone().unwrap_or_default(), ..op };
        op.read_command();
        let probe = unless.map(|unless| kubectl_probe(kube, vec![kubectl_query(kube, &unless)]));
        Ok(Lowered {
            title,
            // What only reads has no state to reach: it runs where it stands, and only in a bracket that is needed.
            role: if reads && probe.is_none() { Role::Means } else { Role::Goal },
            effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe,
            poll: None,
            ops: vec![op],
            verify: None,
            repeatable: reads,
        })
    }

    fn assess(
        &self,
        args: &KubectlArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [answer] = exactly::<1>(answers)?;
        let unless = format!("kubectl {}", args.unless.as_deref().unwrap_or_default().join(" "));
        if answer.ok() {
            return Ok(satisfied(format!("`{unless}` succeeds")));
        }
        // A command that could not ask says nothing about what is.
        let causes = kubectl_errors::causes(&answer.stderr);
        let unknown = [
            kubectl_errors::KubectlError::ApiAway,
            kubectl_errors::KubectlError::Forbidden,
            kubectl_errors::KubectlError::Kubeconfig,
            kubectl_errors::KubectlError::Usage,
        ];
        if matches!(answer.rc, 124 | 127) || causes.iter().any(|cause| unknown.contains(cause)) {
            let reason = kubectl_errors::reason(answer.rc, &answer.stdout, &answer.stderr);
            return Err(AssessError { command: unless, reason });
        }
        let change = change(format!("`{unless}`"), format!("ends with {}", answer.rc), "the change is made");
        Ok(would_change(vec![change], Fidelity::Exact))
    }
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Refuses what cannot run unattended; says whether the verb only reads.
fn check_words(field: &str, words: &[&str]) -> Result<bool, LowerError> {
    let Some(verb) = words.first() else {
        return Err(wrong(format!("`{field}` is empty"), "write a verb such as `get`"));
    };
    if verb.starts_with('-') || verb.is_empty() {
        return Err(wrong(
            format!("`{field}` begins with `{}`", verb.escape_debug()),
            "write the verb first; options of kubectl itself come from `kube:`",
        ));
    }
    if *verb == "kubectl" {
        return Err(wrong(format!("`{field}` begins with `kubectl`, which is added"), "begin with the verb"));
    }
    if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| refused == verb) {
        return Err(wrong(format!("`kubectl {verb}` cannot be a step"), *instead));
    }
    if let Some(endless) = words.iter().find(|word| is_endless(verb, word)) {
        return Err(wrong(
            format!("`kubectl {verb} {endless}` never ends"),
            "leave it out, or use the step `wait`",
        ));
    }
    let owned: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    refuse_secrets(&owned)?;
    let both = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    Ok(READS.contains(verb) || READS.contains(&both.as_str()))
}

fn is_endless(verb: &str, word: &str) -> bool {
    match verb {
        "get" | "events" => matches!(word, "-w" | "--watch" | "--watch=true" | "--watch-only"),
        "logs" => matches!(word, "-f" | "--follow" | "--follow=true"),
        "exec" | "run" => matches!(word, "-i" | "-t" | "-it" | "-ti" | "--stdin" | "--tty"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_hold() {
        crate::step::cases::run("kubectl");
    }

    #[test]
    fn the_verb_decides_what_it_may_do() {
        for (words, reads) in [
            (&["get", "nodes"][..], true),
            (&["auth", "can-i", "get", "pods"], true),
            (&["auth", "reconcile"], false),
            (&["rollout", "status", "deploy/x"], true),
            (&["rollout", "restart", "deploy/x"], false),
            (&["config", "set-context", "x"], false),
            (&["delete", "node", "w1"], false),
            (&["frobnicate"], false),
        ] {
            assert_eq!(check_words("args", words), Ok(reads), "{words:?}");
        }
    }

    #[test]
    fn what_cannot_run_unattended_is_refused() {
        for words in [
            &[][..],
            &["--kubeconfig=x", "get"],
            &["kubectl", "get"],
            &["drain", "w1"],
            &["edit", "node"],
            &["get", "pods", "-w"],
            &["logs", "x", "-f"],
            &["exec", "-it", "x"],
        ] {
            assert!(check_words("args", words).is_err(), "{words:?}");
        }
        assert!(READS.is_sorted());
    }
}
