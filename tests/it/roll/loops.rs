//! `for_each` on real hosts: every item in its order, and what later steps see of all of them.

use super::fleet::Fleet;

#[test]
fn items_run_in_their_order_and_later_steps_see_what_they_came_to() {
    let fleet = Fleet::of(2);
    fleet.file("there.conf", "b\n");
    fleet.file(
        "each.yaml",
        r#"
apiVersion: rollbook/v1
kind: Steps
args: { name: { type: string, required: true }, dir: { type: string, required: true } }
steps:
  - command: [echo, "{{ args.name }}-{{ host.name }}"]
    id: say
    effect: reads
  - command: ["{{ args.dir }}work", "{{ host.name }}", "{{ steps.say.stdout | trim }}-{{ each }}", "0"]
    id: work
    for_each: [x, y]
    when: not (args.name == 'two' and each == 'y')
    effect: changes
"#,
    );
    fleet.runbook(
        "",
        "batches: [1]",
        r#"
- include: { file: each.yaml, with: { name: "{{ each }}", dir: "@" } }
  id: rounds
  for_each: [one, two]
- copy: { dest: "@{{ each.key }}-{{ host.name }}.conf", content: "{{ each.value }}\n" }
  id: conf
  for_each: { here: a, more: b }
- command: ["@work", "{{ host.name }}", "{{ steps.rounds.work.each | length }}-{{ steps.rounds.say.each[1].stdout | trim }}", "0"]
  when: steps.conf.changed
  effect: changes
- command: ["@work", "{{ host.name }}", never, "0"]
  when: steps.none.ran or steps.conf.failed
  effect: changes
"#
        .replace("\n- command: [\"@work\", \"{{ host.name }}\", never", "\n- command: [\"@work\", \"{{ host.name }}\", nobody, \"0\"]\n  id: none\n  for_each: []\n- command: [\"@work\", \"{{ host.name }}\", never")
        .as_str(),
    );
    fleet.run(&["--verbose"]).run().exits(0).says("(here)").says("skipped: `for_each` has no items");
    for host in ["h1", "h2"] {
        let number = host[1..].parse().unwrap();
        let done: Vec<String> =
            fleet.log(number).into_iter().filter(|line| line.begins).map(|line| line.step).collect();
        let expected = [
            format!("one-{host}-x"),
            format!("one-{host}-y"),
            format!("two-{host}-x"),
            format!("4-two-{host}"),
        ];
        assert_eq!(done, expected);
        let conf = std::fs::read_to_string(fleet.path(&format!("more-{host}.conf"))).unwrap();
        assert_eq!(conf, "b\n");
    }
    // The files are as asked by now, so nothing of it changes anything.
    fleet.run(&[]).run().exits(0);
    assert_eq!(fleet.log(1).iter().filter(|line| line.step.starts_with("4-")).count(), 2);
}
