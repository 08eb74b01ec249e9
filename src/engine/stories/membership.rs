//! Which nodes a run itself takes out of its cluster and lets in.

use std::sync::Arc;

use super::*;
use crate::engine::Membership;
use crate::op::OpKind;

fn moved(words: &[&str], stdin: &str, began: bool) -> Vec<u32> {
    let mut story = story(3, "c", |_| {});
    for (number, host) in story.plan.hosts.iter_mut().enumerate() {
        host.subject.node = Some(format!("h{number}"));
    }
    let op = &mut Arc::make_mut(&mut story.plan.actions[0]).lowered.ops[0];
    op.kind = OpKind::Exec { argv: words.iter().map(|word| (*word).to_owned()).collect() };
    stdin.clone_into(&mut op.stdin);
    op.read_command();
    let (task, attempt, pass, op) = (TaskId { phase: 0, host: HostId(1), index: 0 }, 1, 0, 0);
    let mut membership = Membership::default();
    membership.note(&story.plan, &Event::OpStarted { task, attempt, pass, op, on: None, sent: None });
    if !began {
        membership.note(&story.plan, &Event::OpNotStarted { task, attempt, pass, op });
    }
    membership.hosts().into_iter().map(|host| host.0).collect()
}

#[test]
fn what_takes_a_node_out_or_lets_it_in_is_known_however_it_is_written() {
    let script = |text: &str| format!("{{ :; {text}\n}} </dev/null\n");
    let sh = &["/bin/sh", "-s", "--"][..];
    let cases: [(&[&str], String, &[u32]); 23] = [
        (&["kubectl", "--request-timeout=30s", "delete", "node", "h0"], String::new(), &[0]),
        (&["/usr/bin/kubectl", "delete", "nodes", "h0", "h1", "--wait"], String::new(), &[0, 1]),
        (&["kubectl", "delete", "node/h0", "node/h2"], String::new(), &[0, 2]),
        (&["kubectl", "delete", "pod", "h0"], String::new(), &[]),
        (&["kubectl", "get", "node", "h0"], String::new(), &[]),
        (&["kubeadm", "join", "10.0.0.1:6443", "--token", "x"], String::new(), &[1]),
        (&["/usr/bin/kubeadm", "reset", "-f"], String::new(), &[1]),
        (&["kubeadm", "upgrade", "node"], String::new(), &[]),
        (&["env", "-C", "/root", "--", "kubeadm", "reset", "-f"], String::new(), &[1]),
        (&["sh", "-c", "kubeadm reset -f && rm -rf /etc/cni"], String::new(), &[1]),
        (sh, script("set -e\nkubectl delete node \"h2\"; kubeadm join x"), &[1, 2]),
        (sh, script("kubectl delete node $(hostname)"), &[1]),
        (sh, script("echo join; kubeadm version"), &[]),
        (sh, script("# never kubeadm reset here\n  # kubectl delete node h0\necho ok"), &[]),
        (sh, script("# first of all\nkubeadm reset -f"), &[1]),
        (
            &["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "delete", "node", "h0"],
            String::new(),
            &[0],
        ),
        (&["kubectl", "-n", "x", "delete", "-n", "x", "no", "h2", "--timeout", "60s"], String::new(), &[2]),
        (sh, script("kubectl -n x delete --force node/h0"), &[0]),
        (&["kubectl", "delete", "nodes", "--all"], String::new(), &[0, 1, 2]),
        (&["kubectl", "--context", "c", "delete", "node", "-l", "old=yes"], String::new(), &[0, 1, 2]),
        (&["kubectl", "delete", "pod", "-l", "app=node"], String::new(), &[]),
        (&["kubectl", "delete", "pods", "--all", "-n", "node"], String::new(), &[]),
        (&["kubectl", "get", "pod", "delete", "node", "h0"], String::new(), &[]),
    ];
    for (words, stdin, expected) in cases {
        assert_eq!(moved(words, &stdin, true), expected, "{words:?} {stdin:?}");
        assert_eq!(moved(words, &stdin, false), [0_u32; 0], "it never began: {words:?} {stdin:?}");
    }
}

/// The token of a join comes from an earlier step.
#[test]
fn a_join_that_is_known_later_is_the_runs_own() {
    let moved = |kind: &str, field: &str, source: serde_json::Value| {
        let mut story = story(3, "c", |_| {});
        for (number, host) in story.plan.hosts.iter_mut().enumerate() {
            host.subject.node = Some(format!("h{number}"));
        }
        story.plan.deferred.push(crate::plan::DeferredStep {
            kind: kind.to_owned(),
            id: None,
            title: "join".to_owned(),
            item: String::new(),
            each: None,
            args: [(field.to_owned(), source)].into_iter().collect(),
            env: indexmap::IndexMap::new(),
            when: None,
            frames: Vec::new(),
            waits_for: vec!["steps.token.stdout".to_owned()],
            effect: crate::op::Effect::Changes,
            r#become: true,
            timeout: Duration::from_secs(60),
            run_on: None,
            retry: None,
            allow_failure: None,
            leave_cordoned: None,
            changed_when: None,
            fail_when: None,
            moves: Vec::new(),
            place: String::new(),
        });
        story.plan.deferred.iter_mut().for_each(crate::plan::DeferredStep::read_moves);
        for tasks in &mut story.plan.phases[0].hosts {
            tasks.tasks[0].step = StepRef::Deferred(crate::plan::DeferredId(0));
        }
        let (task, attempt, pass, op) = (TaskId { phase: 0, host: HostId(1), index: 0 }, 1, 0, 0);
        let mut membership = Membership::default();
        membership.note(&story.plan, &Event::OpStarted { task, attempt, pass, op, on: None, sent: None });
        let moved: Vec<u32> = membership.hosts().into_iter().map(|host| host.0).collect();
        membership.note(&story.plan, &Event::OpNotStarted { task, attempt, pass, op });
        assert_eq!(membership, Membership::default(), "it never began");
        moved
    };
    let word = |word: &str| serde_json::json!({ "const": { "str": word } });
    let token = serde_json::json!({ "expr": "steps.token.stdout" });
    let list = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|each| word(each)).chain([token.clone()]).collect();
        serde_json::json!({ "list": words })
    };
    let text = |text: &str| serde_json::json!({ "text": text });
    assert_eq!(moved("command", "argv", list(&["kubeadm", "join", "10.0.0.1:6443", "--token"])), [1]);
    assert_eq!(moved("command", "argv", list(&["kubeadm", "version"])), [0_u32; 0]);
    assert_eq!(
        moved("script", "text", text("set -e\nkubeadm join --token {{ steps.token.stdout }} h:6443")),
        [1]
    );
    assert_eq!(moved("script", "text", text("kubectl delete node h2 --token={{ steps.token.stdout }}")), [2]);
    assert_eq!(moved("kubectl", "args", list(&["delete", "node"])), [1]);
    assert_eq!(moved("script", "text", text("echo {{ steps.token.stdout }}; : kubeadm joined")), [0_u32; 0]);
}
