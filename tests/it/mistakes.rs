//! Mistakes in files, told at their place and with what to write instead: a table of inputs, through the binary.

use super::language::{Files, phase};

/// What a file says, where the mistake stands, and words of its message or hints.
type Row = (&'static str, &'static str, &'static [&'static str]);

const TOP: &str = "kube: { via: all }\nparams:\n  target: { type: version, default: 1.31.4 }\n  text: { type: string, default: a }\n  \
    count: { type: int, default: 1 }\n  list: { type: list, items: string, default: [a] }\n";

/// The line on which the first step of a runbook of [`Files`] stands.
const FIRST_STEP: usize = 15;

fn check(rows: &[Row]) {
    for (steps, place, words) in rows {
        let files = Files::new(TOP, &phase(steps));
        let outcome = files.rollbook("validate", &["--strict"]);
        let said = &outcome.stderr;
        assert_eq!(outcome.code, 65, "{steps}\n{said}");
        let (line, column) = place.split_once(':').unwrap();
        let line = line.parse::<usize>().unwrap() + FIRST_STEP - 1;
        let place = format!("up.yaml:{line}:{column}\n");
        assert!(said.contains(&place), "{steps}: {place}{said}");
        for word in *words {
            assert!(said.contains(word), "{steps}: {word}\n{said}");
        }
    }
}

fn takes(steps: &[&str]) {
    for steps in steps {
        let files = Files::new(TOP, &phase(steps));
        let outcome = files.rollbook("validate", &[]);
        assert_eq!(outcome.code, 0, "{steps}\n{}", outcome.stderr);
    }
}

#[test]
fn constants_are_checked_when_the_file_is_loaded_at_their_field() {
    check(&[
        ("- kubeadm: { upgrade: node, version: 1.31 }", "1:44", &["patch"]),
        ("- kubeadm:\n    upgrade: node\n    version: 1.31", "3:20", &["patch"]),
        ("- copy: { content: a, dest: /etc/x, mode: u+x }", "1:49", &["octal"]),
        ("- copy:\n    content: \"{{ params.text }}\"\n    dest: /etc/x\n    mode: rwxr", "4:17", &["octal"]),
        ("- copy: { content: a, dest: etc/x }", "1:35", &["absolute"]),
        ("- copy:\n    content: \"{{ params.text }}\"\n    dest: etc/x", "3:17", &["absolute"]),
        ("- command: { argv: [ls], creates: var/x }", "1:41", &["absolute"]),
        ("- command: { argv: [ls], chdir: here }", "1:39", &["absolute"]),
        ("- command: []", "1:18", &["`argv` is empty"]),
        ("- command: { argv: [ls], unless: [] }", "1:40", &["`unless` is empty"]),
        ("- command: { argv: [ls], success: [] }", "1:41", &["`success` is empty"]),
        ("- apt: { install: { Kubelet: 1.31.4-1.1 } }", "1:27", &["no name of a package"]),
        ("- apt: { install: { kubelet: v1.31.4 } }", "1:36", &["no version of `kubelet`"]),
        (
            "- apt_mark: { hold: [kubelet, 'a b'] }\n- apt_mark: { unhold: [kubelet] }",
            "1:37",
            &["no name of a package"],
        ),
        ("- wait: { port: 0 }", "1:23", &["65535"]),
        ("- wait: { port: 22, for: 0s }", "1:32", &["`for` is 0s"]),
        ("- pause: { for: 0s }", "1:23", &["`for` is 0s"]),
        ("- script: { text: ls, interpreter: [] }", "1:42", &["`interpreter` is empty"]),
        ("- etcd_snapshot: { to: \"/a/{{ run.id }}.db\", keep: 0 }", "1:58", &["`keep` is below 1"]),
        ("- wait: { file: etc/x }", "1:23", &["absolute"]),
        ("- wait: { node: ready, for: 10s, stable_for: 20s }", "1:52", &["longer than `for`"]),
        ("- wait: { url: example.com }", "1:22", &["https://"]),
        ("- kubectl: { args: [] }", "1:26", &["`args` is empty"]),
        ("- assert: { that: facts.systemd }\n  env: { A: b }", "2:9", &["`env` has no meaning"]),
        ("- wait: { node: ready }\n  env:\n    A: b", "2:9", &["`env` has no meaning"]),
    ]);
    takes(&[
        "- copy: { content: \"{{ params.text }}\", dest: \"{{ params.text }}\", mode: \"{{ params.text }}\" }",
        "- wait: { node: ready, for: \"{{ host.vars.patience }}\", stable_for: 20s }",
        "- kubeadm: { upgrade: node, version: \"{{ params.target }}\" }",
        "- apt: { install: { \"kubelet\": \"{{ params.target }}-*\" } }",
        "- command: [\"{{ params.text }}\", a]",
        "- command: [ls]\n  env: { A: b }",
    ]);
}

#[test]
fn expressions_are_told_where_they_are_wrong() {
    check(&[
        ("- command: [ls]\n  when: facts.os = 'debian'", "2:24", &["write `==`"]),
        ("- command: [ls]\n  when: facts.systemd && facts.reboot_required", "2:29", &["write `and`"]),
        ("- command: [ls]\n  when: facts.systemd || true", "2:29", &["write `or`"]),
        ("- command: [ls]\n  when: '!facts.systemd'", "2:16", &["write `not`"]),
        ("- command: [ls]\n  when: facts.os == debian", "2:27", &["`\"debian\"`"]),
        ("- command: [ls]\n  when: facts.kubelet < 1.31", "2:15", &["version"]),
        ("- command: [ls]\n  when: params.target >= 1.31", "2:15", &["version"]),
        ("- command: [ls]\n  when: facts.swap_total == \"0\"", "2:15", &["cannot be compared"]),
        ("- command: [ls]\n  when: params.count == 'x' or facts.systemd", "2:15", &["cannot be compared"]),
        ("- command: [ls]\n  when: not (params.text == 3)", "2:20", &["cannot be compared"]),
        ("- command: [ls]\n  when: steps.b.changed\n- command: [ls]\n  id: b", "2:15", &["stands later"]),
        ("- command: [ls]\n  when: inventory_hostname == 'w1'", "2:15", &["`host.name`"]),
        ("- command: [\"{{ inventory_hostname }}\"]", "1:23", &["`host.name`"]),
        ("- command: [\"{{ ansible_hostname }}\"]", "1:23", &["`host.name`"]),
        (
            "- copy: { dest: /etc/x, content: \"{% if facts.systemd %}a\" }",
            "1:44",
            &["never closed", "endif"],
        ),
        ("- copy: { dest: /etc/x, content: \"a{% endfor %}\" }", "1:45", &["has no `{% for %}`"]),
        ("- copy: { dest: /etc/x, content: \"{{ params.text params.count }}\" }", "1:56", &["operator"]),
    ]);
    takes(&[
        "- command: [ls]\n  when: facts.kubelet < '1.31' and params.target >= facts.kubelet",
        "- command: [ls]\n  when: facts.swap_total == 0",
        "- command: [ls]\n  when: params.text == '1.31' or params.target == params.text",
        "- command: [ls]\n  when: host.vars.x == 3 or host.labels.a == 'b'",
        "- command: [\"{{ params.list | join(',') }}\"]",
    ]);
}

#[test]
fn a_command_line_is_split_into_words_in_the_hint() {
    check(&[
        ("- command: systemctl restart kubelet", "1:18", &["[systemctl, restart, kubelet]"]),
        ("- command: ls -l /var", "1:18", &["[ls, -l, /var]"]),
        ("- command: echo 'a b' true", "1:18", &["[echo, \"a b\", \"true\"]"]),
        ("- command: cat /a | grep b", "1:18", &["`script:"]),
        ("- kubectl: { args: get nodes }", "1:26", &["[get, nodes]"]),
        ("- command: echo {{ host.name }} x", "1:18", &["[echo, \"{{ host.name }}\", x]"]),
        ("- command: [cd, /etc]", "1:19", &["a word of the shell", "script"]),
        ("- command: [export, A=b]", "1:19", &["a word of the shell"]),
        ("- command: [ls, $HOME]", "1:23", &["no shell reads it", "script"]),
        ("- command: [cat, ~/x]", "1:24", &["no shell reads it"]),
        ("- command: [systemctl restart kubelet]", "1:19", &["[systemctl, restart, kubelet]"]),
        ("- command: [ls, -l, \"|\", wc]", "1:27", &["no shell reads it", "script"]),
        ("- command: [ls, '>', /tmp/x]", "1:23", &["script"]),
        ("- command: [ls, '&&', reboot]", "1:23", &["script"]),
        ("- command:\n    argv:\n      - ls\n      - '>/tmp/x'", "4:15", &["script"]),
        ("- command: { argv: [ls], unless: [ls, '|', wc] }", "1:45", &["script"]),
    ]);
    takes(&[
        "- command: [awk, '{ print $1 }', /x]",
        "- command: [sh, -c, 'ls | wc']",
        "- command: [find, /x, -name, a, ';']",
    ]);
}

/// A whole file by its name and text, the verb that reads it, the place and words.
type WholeFile = (&'static str, &'static str, &'static [&'static str], &'static str, &'static [&'static str]);

const FILES: &[WholeFile] = &[
    ("nbsp.yaml", "a:\n  - b:\n  \u{a0}  c: 1\n", &["validate"], "nbsp.yaml:3:3", &["U+00A0"]),
    ("quote.yaml", "a: 1\nb: \"open\nc: 2\n", &["validate"], "quote.yaml:2:4", &["quote"]),
    ("single.yaml", "a: 1\nb: 'open\nc: [1]\n", &["validate"], "single.yaml:2:4", &["quote"]),
    ("colon.yaml", "a:\n  b:1\n  c: 2\n", &["validate"], "colon.yaml:2:4", &["space"]),
    ("dash.yaml", "a:\n  -b: 1\n  - c: 2\n", &["validate"], "dash.yaml:2:3", &["space"]),
    ("hosts", "[masters]\ncp1 ansible_host=10.0.0.1\n", &["inventory", "list", "-i"], "hosts:1:1", &["INI"]),
    (
        "hosts2",
        "w1 ansible_user=ops\nw2 ansible_user=ops\n",
        &["inventory", "list", "-i"],
        "hosts2:1:1",
        &["INI"],
    ),
    ("p.json", "{\"digest\":\"sha256:5b\",\"plan\":{}}", &["validate"], "p.json:1:1", &["saved plan"]),
    (
        "q.json",
        "\u{feff}{\"digest\":\"sha256:5b\",\"plan\":{}}",
        &["inventory", "list", "-i"],
        "q.json:1:1",
        &["saved plan"],
    ),
    (
        "s.yaml",
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: s }\n",
        &["inventory", "list", "-i"],
        "s.yaml:2:7",
        &["rehearse --scenario"],
    ),
    (
        "s2.yaml",
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: s }\n",
        &["plan", "--offline", "-i", "inventory.yaml"],
        "s2.yaml:2:7",
        &["rehearse --scenario"],
    ),
];

#[test]
fn slips_of_the_keyboard_and_files_of_other_kinds_are_named() {
    let files = Files::new("", &phase("- command: [ls]"));
    for (name, text, verb, place, words) in FILES {
        files.write(name, text);
        let args = [*verb, &[*name]].concat();
        let outcome = super::support::rollbook::Rollbook::new(args).dir(files.dir.path()).run();
        assert_eq!(outcome.code, 65, "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(place), "{name}: {place}\n{}", outcome.stderr);
        for word in *words {
            assert!(outcome.stderr.contains(word), "{name}: {word}\n{}", outcome.stderr);
        }
        assert_eq!(outcome.stderr.matches("error[").count(), 1, "{name}: {}", outcome.stderr);
    }
}

#[test]
fn words_of_other_tools_and_times_for_people_are_told_when_the_file_is_loaded() {
    check(&[
        ("- apt: { upgrade: true }", "1:25", &["`upgrade` is `true`", "write `all`"]),
        ("- apt: { upgrade: dist }", "1:25", &["write `all`"]),
        ("- apt: { upgrade: 'no' }", "1:25", &["leave `upgrade` out"]),
        ("- apt: { install: [jq, yes] }", "1:30", &["no name of a package"]),
        ("- pause: 5m", "1:16", &["`pause: { for: 5m }`"]),
        ("- pause: { manual: 10 minutes }", "1:26", &["`pause: { for: 10m }`"]),
        ("- pause: 300", "1:16", &["`pause: { for: 5m }`"]),
        ("- systemctl: { restart: kubelet, newer_than: x }", "1:52", &["absolute"]),
        (
            "- systemctl: { restart: kubelet, stop: [a, kubelet.service] }",
            "1:31",
            &["no unit can be as both ask"],
        ),
        ("- systemctl: { enable: x, disable: x }", "1:42", &["no unit can be as both ask"]),
        ("- systemctl: { mask: x, start: x }", "1:38", &["no unit can be as both ask"]),
        ("- drain: { pod_selector: \"app=(web\" }\n- uncordon: {}", "1:32", &["no selector of labels"]),
        ("- wait: { pods: { namespace: a, selector: app=web; } }", "1:49", &["no selector of labels"]),
        ("- wait: { port: 22, interval: 0s }", "1:37", &["`interval` is 0s"]),
    ]);
    takes(&[
        "- apt: { upgrade: all }",
        "- pause: 5 minutes of looking at the dashboards",
        "- systemctl: { enable: kubelet, restart: kubelet, stop: [a] }",
        "- drain: { pod_selector: 'app!=ingress,tier in (a, b)' }\n- uncordon: {}",
    ]);
}

#[test]
fn what_is_empty_is_told_at_its_field() {
    check(&[
        ("- script: { text: '', interpreter: [bash] }", "1:25", &["`text` is empty"]),
        ("- script: ''", "1:17", &["`text` is empty"]),
        ("- apt: { install: [] }", "1:25", &["`install` is empty"]),
        ("- apt: { remove: [] }", "1:24", &["`remove` is empty"]),
        ("- apt_mark: { hold: [] }", "1:27", &["`hold` is empty"]),
        ("- systemctl: { restart: [] }", "1:31", &["`restart` is empty"]),
        ("- wait: { command: [] }", "1:26", &["`command` is empty"]),
    ]);
}

#[test]
fn a_time_in_the_place_of_what_a_person_looks_at_is_told_and_so_is_a_slice_of_nothing() {
    let rollout = phase("- command: [ls]")
        .replace("    steps:", "    rollout: { batches: [1], gate: { approve: 30m } }\n    steps:");
    let outcome = Files::new(TOP, &rollout).rollbook("validate", &[]);
    assert_eq!(outcome.code, 65, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("`gate: { duration: 30m }`"), "{}", outcome.stderr);
    for (selector, words) in [
        ("workers[1:0]", "runs backwards"),
        ("workers[b:a]", "runs backwards"),
        ("workers[0,1]", "`0,1` is no index"),
        ("workers[0:2:1]", "a slice has no step"),
        ("workers[1:b]", "neither of numbers"),
        ("(workers | all)[2:1]", "runs backwards"),
    ] {
        let text = phase("- command: [ls]").replace("hosts: all", &format!("hosts: \"{selector}\""));
        let outcome = Files::new(TOP, &text).rollbook("validate", &[]);
        assert_eq!(outcome.code, 65, "{selector} {text}\n{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{selector}\n{}", outcome.stderr);
    }
}

#[test]
fn hosts_that_are_one_node_or_the_controller_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let head = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\n";
    let steps = "phases:\n  - name: p\n    hosts: all\n    steps: [{ drain: {} }, { uncordon: {} }]\n";
    let runbook = format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: u }}\nkube: {{ via: all }}\n{steps}"
    );
    std::fs::write(dir.path().join("up.yaml"), runbook).unwrap();
    let run = |hosts: &str, args: &[&str]| {
        std::fs::write(dir.path().join("inv.yaml"), format!("{head}hosts: {hosts}\n")).unwrap();
        super::support::rollbook::Rollbook::new(args.iter().copied().chain(["-i", "inv.yaml"]))
            .dir(dir.path())
            .run()
    };
    let plan: &[&str] = &["plan", "up.yaml", "--offline"];
    let twice = "{ a: { node_name: n }, b: { node_name: n } }";
    for args in [plan, &["rehearse", "up.yaml"], &["inventory", "check"]] {
        run(twice, args).exits(65).says("RB0407").says("`a` and `b` are both node `n`").says("inv.yaml:4:31");
    }
    run("{ a: { node_name: b }, b: {} }", plan).exits(65).says("RB0407").says("both node `b`");
    run("{ controller: {} }", plan).exits(65).says("`controller` is no host name");
    let local = "{ connection: { transport: local } }";
    run(&format!("{{ a: {local}, b: {local} }}"), &["inventory", "check"])
        .exits(65)
        .says("both the machine that runs Rollbook");
    let outcome = run("{ W_1: {} }", plan).exits(65).says("the host is no node of the cluster (host `W_1`)");
    assert!(!outcome.stderr.contains("the host's name"), "{}", outcome.stderr);
}

#[test]
fn what_only_a_shell_expands_is_told_where_no_shell_is() {
    check(&[
        (
            "- command: [rm, '/var/log/*.log']",
            "1:23",
            &["`/var/log/*.log` is the name of one file here", "`script`"],
        ),
        ("- command: [cat, '/etc/[ab].conf']", "1:24", &["`/etc/[ab].conf` is the name of one file here"]),
        (
            "- command: [echo, “hello”]",
            "1:25",
            &["the quotation marks of `“hello”` are part of the word", "plain quotes"],
        ),
        ("- command: [useradd, --comment=„x“, a]", "1:28", &["the quotation marks of `--comment=„x“`"]),
    ]);
    takes(&[
        "- command: [find, /var/log, -name, '*.log']",
        "- command: [apt-mark, showhold, 'kube*']",
        "- command: [ls, -I, '*.log', /var/log]",
        "- command: [stat, -c, '[%n]?', /etc/fstab]",
        "- script: rm /var/log/*.log",
        "- command: [sh, -c, 'rm /var/log/*.log']",
        "- command: [logger, 'it said “hello” again']",
    ]);
}

#[test]
fn comparisons_of_a_number_have_a_hint() {
    check(&[
        (
            "- assert: { that: facts.swap_total == '0', message: x }",
            "1:25",
            &["cannot be compared", "write `0` without quotes"],
        ),
        (
            "- assert: { that: facts.swap_total > '1GiB', message: x }",
            "1:25",
            &["cannot be compared", "1073741824 bytes"],
        ),
        (
            "- assert: { that: facts.swap_total > 1GiB, message: x }",
            "1:44",
            &["`1GiB` is no number", "in quotes"],
        ),
    ]);
}

#[test]
fn lists_of_steps_and_phases_are_told_as_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [
        ("- command: [ls]\n- include: b.yaml\n", "this is a list of steps"),
        ("- name: p\n  hosts: all\n  steps: []\n", "this is a list of phases"),
        ("- hosts: all\n  tasks: []\n", "Ansible playbook"),
        ("steps:\n  - command: [ls]\n", "this looks like a fragment"),
    ];
    for (text, words) in rows {
        std::fs::write(dir.path().join("up.yaml"), text).unwrap();
        super::support::rollbook::Rollbook::new(["validate", "up.yaml"])
            .dir(dir.path())
            .run()
            .exits(65)
            .says(words);
    }
}

#[test]
fn a_gate_that_waits_for_nothing_and_a_word_that_is_nearly_right_are_told() {
    let rollout = |rollout: &str| {
        phase("- command: [ls]").replace("    steps:", &format!("    rollout: {rollout}\n    steps:"))
    };
    for (written, words) in [
        ("{ gate: { approve: look } }", "`gate` waits for nothing here"),
        ("{ batches: [100%], gate: { approve: look } }", "`gate` waits for nothing here"),
        ("{ order: reversed }", "did you mean `reverse`?"),
    ] {
        let outcome = Files::new(TOP, &rollout(written)).rollbook("validate", &["--strict"]);
        assert_eq!(outcome.code, 65, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{words}\n{}", outcome.stderr);
    }
    let outcome = Files::new(TOP, &rollout("{ batches: [1], gate: { approve: look } }"))
        .rollbook("validate", &["--strict"]);
    assert!(!outcome.stderr.contains("waits for nothing"), "{}", outcome.stderr);
}

#[test]
fn a_time_limit_beside_a_drain_is_told_only_where_it_was_written() {
    takes(&["- drain: { timeout: 25h }\n- uncordon: {}"]);
    let outcome =
        Files::new(TOP, &phase("- drain: { timeout: 25h }\n- uncordon: {}")).rollbook("validate", &[]);
    assert!(!outcome.stderr.contains("RB0711"), "{}", outcome.stderr);
    check(&[(
        "- drain: {}\n  timeout: 5m\n- uncordon: {}",
        "2:18",
        &["RB0711", "which the drain does not heed: it takes up to 10m"],
    )]);
    let outcome =
        Files::new(TOP, &phase("- drain: { timeout: 400d }\n- uncordon: {}")).rollbook("validate", &[]);
    assert_eq!(outcome.stderr.matches("write 365d at most").count(), 1, "{}", outcome.stderr);
}

#[test]
fn a_slip_in_the_place_of_a_step_is_named() {
    check(&[
        ("- command:\u{a0}[ls]", "1:9", &["U+00A0"]),
        ("- command:[ls]", "1:9", &["a space is missing", "`command: [ls]`"]),
        ("-command: [ls]", "1:7", &["a space is missing", "`- command`"]),
        ("\u{2013} command: [ls]", "1:7", &["U+2013", "write `-`"]),
        ("- com\u{200b}mand: [ls]\n  name: x", "1:9", &["U+200B"]),
        ("- drain:\n  on_not_ready: skip\n- uncordon: {}", "2:9", &["below `drain:`"]),
    ]);
}

#[test]
fn a_misspelt_key_that_must_be_written_is_not_missing_too() {
    let cases = [
        ("phases:", "phase:", "did you mean `phases`?"),
        ("    steps:", "    step:", "did you mean `steps`?"),
        ("    hosts:", "    hsots:", "did you mean `hosts`?"),
        ("kube:", "kuber:", "did you mean `kube`?"),
    ];
    let whole = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: a }\nkube: { via: all }\nphases:\n  - name: p\n    hosts: all\n    steps:\n      - drain: {}\n      - uncordon: {}\n";
    let files = Files::new("", &phase("- command: [ls]"));
    for (right, wrong, hint) in cases {
        files.write("m.yaml", &whole.replacen(right, wrong, 1));
        let run = super::support::rollbook::Rollbook::new(["validate", "m.yaml"]).dir(files.dir.path()).run();
        assert_eq!(run.stderr.matches("error[").count(), 1, "{wrong}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{wrong}: {}", run.stderr);
    }
}

#[test]
fn one_misspelt_key_is_one_error() {
    let files = Files::new("", &phase("- apt_repo: { kubernets: 1.31 }"));
    let outcome = files.rollbook("validate", &[]).exits(65).says("did you mean `kubernetes`?");
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{}", outcome.stderr);
}

#[test]
fn mistakes_come_by_place_and_fifty_of_them_at_most() {
    let steps: String = (0..60).map(|_| "- drian: {}\n").collect();
    let files = Files::new("", &phase(&steps));
    let outcome = files.rollbook("validate", &[]).exits(65).says("and 10 more");
    let places = outcome.stderr.lines().filter_map(|line| line.trim().strip_prefix("--> up.yaml:"));
    let lines: Vec<usize> = places.map(|place| place.split(':').next().unwrap().parse().unwrap()).collect();
    assert_eq!(lines.len(), 50);
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn a_pipe_is_read_like_a_file() {
    let files = Files::new("", &phase("- command: [ls]"));
    let rollbook = super::support::rollbook::Rollbook::new(["validate", "-"]).dir(files.dir.path());
    let mut command = rollbook.command();
    command.stdin(std::fs::File::open(files.dir.path().join("up.yaml")).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_a_plan_finds_in_values_stands_at_the_field() {
    let plan = |steps: &str, more: &[&str]| {
        Files::new(TOP, &phase(steps)).rollbook("plan", &[&["--offline"], more].concat()).exits(65)
    };
    plan("- copy:\n    content: a\n    dest: /etc/x\n    mode: \"{{ params.text }}\"", &[])
        .says("up.yaml:18:17")
        .says("octal");
    plan("- command: [ls]\n  when: host.vars.slow", &[]).says("up.yaml:16:15").says("host.vars.slow");
    plan("- command:\n    argv: [ls, \"{{ host.vars.slow }}\"]", &[])
        .says("up.yaml:16:26")
        .says("host.vars.slow");
    plan("- command: [ls]", &["-p", "target=1.31.4-1.1"])
        .says("version of a package")
        .says("-p target=1.31.4");
}

#[test]
fn a_budget_of_nothing_is_refused_on_the_command_line_too() {
    for amount in ["0", "0%"] {
        let files = Files::new("", &phase("- command: [ls]"));
        let outcome = files.rollbook("plan", &["--offline", "--max-unavailable", amount]);
        assert_eq!(outcome.code, 64, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("lets no host start"), "{}", outcome.stderr);
    }
}

#[test]
fn the_build_of_a_version_is_kept_in_a_plan() {
    let steps = "- command: [install, \"{{ params.target }}\"]\n- wait: { node: ready, kubelet: \"{{ params.target }}\" }";
    let files = Files::new(TOP, &phase(steps));
    let plan = files.rollbook("plan", &["--offline", "-p", "target=v1.31.4+k3s1"]).exits(0);
    assert!(plan.stdout.contains("install 1.31.4+k3s1"), "{}", plan.stdout);
    assert!(plan.stdout.contains("kubelet 1.31.4+k3s1"), "{}", plan.stdout);
}

#[test]
fn selectors_with_words_for_numbers_are_refused_by_themselves() {
    for hosts in ["all[first]", "workers[last]", "all[0:one]"] {
        let files = Files::new("", "");
        let text = format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: up }}\nphases:\n  - name: roll\n    hosts: \"{hosts}\"\n    steps:\n      - command: [ls]\n"
        );
        files.write("up.yaml", &text);
        let outcome =
            super::support::rollbook::Rollbook::new(["validate", "up.yaml"]).dir(files.dir.path()).run();
        outcome.exits(65).says("number");
    }
}

#[test]
fn a_repeated_include_is_judged_round_by_round() {
    let top = "params: { targets: { type: list, items: version, default: [1.30.8, 1.31.4] } }";
    let include = "- include: { file: fetch.yaml, with: { version: \"{{ each }}\" } }\n  for_each: \"{{ params.targets }}\"";
    let files = Files::new(top, &phase(include));
    let fetch = |repository: &str| {
        format!(
            "apiVersion: rollbook/v1\nkind: Steps\nargs: {{ version: {{ type: version, required: true }} }}\nsteps:\n  \
             - apt_repo: {{ kubernetes: \"{repository}\" }}\n  - apt: {{ download: {{ kubeadm: \"{{{{ args.version }}}}-*\" }} }}\n"
        )
    };
    files.write("fetch.yaml", &fetch("{{ args.version | minor }}"));
    files.rollbook("plan", &["--offline"]).exits(0);
    files.write("fetch.yaml", &fetch("1.31"));
    files.rollbook("plan", &["--offline"]).exits(65).says("kubeadm 1.30.8 is not in the repository of 1.31");
}

/// A step, the words that must be said of it, and the step when the hint is followed.
type Mended = (&'static str, &'static str, &'static str);

const MENDED: &[Mended] = &[
    ("- wait: {node:ready}", "write `node: ready`", "- wait: {node: ready}"),
    ("- {command: [ls], when:true}", "write `when: true`", "- {command: [ls], when: true}"),
    ("- wait:{ node: ready }", "write `wait: { … }`", "- wait: { node: ready }"),
    ("- copy: {dest:/etc/x, content: a}", "write `dest: /etc/x`", "- copy: {dest: /etc/x, content: a}"),
    ("- drain: { grace_period: -1 }\n- uncordon: {}", "leave the key out", "- drain: {}\n- uncordon: {}"),
    ("- command: \"\"", "such as `[a, b]`", "- command: [a, b]"),
    ("- com\u{200b}mand: [ls]", "U+200B is a character that nobody sees: remove it", "- command: [ls]"),
    ("- command\u{ff1a} [ls]", "looks like `:`", "- command: [ls]"),
    ("- copy: { content: a\u{ff0c} dest: /etc/x }", "looks like `,`", "- copy: { content: a, dest: /etc/x }"),
    ("- command: [ls]\u{2028}  when: true", "press Enter", "- command: [ls]\n  when: true"),
    (
        "- command: [ls]\n  when: kubelet == '1.31.4'",
        "did you mean `facts.kubelet`?",
        "- command: [ls]\n  when: facts.kubelet == '1.31.4'",
    ),
    (
        "- command: [ls]\n  when: kubelet.version == '1.31.4'",
        "did you mean `facts.kubelet`?",
        "- command: [ls]\n  when: facts.kubelet == '1.31.4'",
    ),
    (
        "- command: [ls]\n  when: params.target.minor == '1.31'",
        "write `params.target | minor`",
        "- command: [ls]\n  when: params.target | minor == '1.31'",
    ),
    (
        "- command: [ls]\n  when: host.groups.workers",
        "write `host.name in groups.workers`",
        "- command: [ls]\n  when: host.name in groups.workers",
    ),
    (
        "- command: [ls]\n  changed_when: result.stdout.contains('x')",
        "write `result.stdout is matching('*x*')`",
        "- command: [ls]\n  changed_when: result.stdout is matching('*x*')",
    ),
    (
        "- command: [ls]\n  id: s\n- command: [ls]\n  when: steps.s is changed",
        "write `steps.ID.changed`",
        "- command: [ls]\n  id: s\n- command: [ls]\n  when: steps.s.changed",
    ),
    (
        "- command: [ls]\n  id: s\n- command: [ls]\n  when: steps.s.stdout.startswith('a')",
        "write `steps.s.stdout is matching('a*')`",
        "- command: [ls]\n  id: s\n- command: [ls]\n  when: steps.s.stdout is matching('a*')",
    ),
    (
        "- command: [ls]\n  when: facts.os is match('deb')",
        "write `VALUE is matching('w*')`",
        "- command: [ls]\n  when: facts.os is matching('deb*')",
    ),
    ("- command: [ls]\n  when: yes", "write `true`", "- command: [ls]\n  when: true"),
    (
        "- command: [echo, \"{{ item }}\"]",
        "write `for_each: [a, b]` beside it",
        "- command: [echo, \"{{ each }}\"]\n  for_each: [a, b]",
    ),
    (
        "- command: [ls]\n  when: \"facts.os == debian\"",
        "a text needs quotes: `'debian'`",
        "- command: [ls]\n  when: \"facts.os == 'debian'\"",
    ),
    (
        "- command: [ls]\n  when: facts.os == debian",
        "a text needs quotes: `\"debian\"`",
        "- command: [ls]\n  when: facts.os == \"debian\"",
    ),
    ("- command: [ls]\n  effect: read", "did you mean `reads`?", "- command: [ls]\n  effect: reads"),
];

#[test]
fn one_mistake_is_one_error_whose_hint_works_when_it_is_followed() {
    for (steps, hint, mended) in MENDED {
        let outcome = Files::new(TOP, &phase(steps)).rollbook("validate", &[]);
        assert_eq!(outcome.code, 65, "{steps}\n{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches("error[").count(), 1, "{steps}\n{}", outcome.stderr);
        assert!(outcome.stderr.contains(hint), "{steps}: {hint}\n{}", outcome.stderr);
        let inventory = Files::new(TOP, &phase(mended));
        inventory.write("inventory.yaml", WITH_WORKERS);
        let outcome = inventory.rollbook("validate", &[]);
        assert_eq!(outcome.code, 0, "{mended}\n{}", outcome.stderr);
    }
}

const WITH_WORKERS: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: w }\n\
    hosts:\n  w07.example.com: {}\ngroups:\n  workers: { hosts: [w07.example.com] }\n";

#[test]
fn the_right_hint_is_not_followed_by_one_about_quotes() {
    let files = Files::new(TOP, &phase("- command: [ls]\n  when: facts.os == inventory_hostname"));
    let outcome = files.rollbook("validate", &[]).exits(65).says("write `host.name`");
    assert!(!outcome.stderr.contains("needs quotes"), "{}", outcome.stderr);
}

/// A whole runbook below its header with one mistake, and what is said of it.
const WHOLE: &[(&str, &str)] = &[
    (
        "metadata:{ name: up }\nkube: { via: all }\nphases: [{ name: p, hosts: all, steps: [command: [ls]] }]\n",
        "`metadata: { … }`",
    ),
    (
        "metadata: { name: up }\nkubernets: { via: all }\nphases: [{ name: p, hosts: all, steps: [drain: {}, uncordon: {}] }]\n",
        "did you mean `kube`?",
    ),
    (
        "metadata: { name: up }\ncluster: { via: all }\nphases: [{ name: p, hosts: all, steps: [drain: {}, uncordon: {}] }]\n",
        "write `kube: { via: control_plane }`",
    ),
    ("metadata: { name: up }\nphases: [{ name: p, hosts: all, tasks: [command: [ls]] }]\n", "write `steps:`"),
    (
        "metadata: { name: up }\nphases: [{ name: p, targets: all, steps: [command: [ls]] }]\n",
        "write `hosts:`",
    ),
    (
        "metadata: { name: up }\nphases: [{ name: p, hosts: all }]\n",
        "such as `steps: [command: [systemctl, restart, kubelet]]`",
    ),
    (
        "metadata: { name: up }\nphases: [{ name: p, hosts: not workers, steps: [command: [ls]] }]\n",
        "write `!workers`",
    ),
    (
        "metadata: { name: up }\nkube: { via: all }\nphases: [{ name: p, hosts: all, rollout: { batches: [1], gate: { for: 1h, check: [wait: { nodes: ready }] } }, steps: [command: [ls]] }]\n",
        "write it without a list: `check: { wait: { nodes: ready } }`",
    ),
    (
        "metadata: { name: up }\nphases: [{ name: p, hosts: all, rollout: { soak: 5 }, steps: [command: [ls]] }]\n",
        "a number needs a unit: write `5s`",
    ),
    (
        "metadata: { name: up }\nphases: [{ name: a, hosts: all, steps: [{ command: [ls], id: s }] }, { name: b, hosts: all, steps: [{ command: [ls], when: steps.s.changed }] }]\n",
        "stands in another phase",
    ),
];

#[test]
fn one_mistake_in_a_phase_or_at_the_top_is_one_error() {
    let files = Files::new("", "");
    for (text, hint) in WHOLE {
        files.write("whole.yaml", &format!("apiVersion: rollbook/v1\nkind: Runbook\n{text}"));
        let run =
            super::support::rollbook::Rollbook::new(["validate", "whole.yaml"]).dir(files.dir.path()).run();
        assert_eq!(run.code, 65, "{text}: {}", run.stderr);
        assert_eq!(run.stderr.matches("error[").count(), 1, "{text}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{text}: {hint}\n{}", run.stderr);
    }
}

#[test]
fn a_host_without_its_domain_is_known() {
    let files = Files::new(TOP, &phase("- command: [ls]").replace("hosts: all", "hosts: w07"));
    files.write("inventory.yaml", WITH_WORKERS);
    files.rollbook("plan", &["--offline"]).exits(65).says("did you mean `w07.example.com`?");
}

/// A file of another kind, the verb that it is given to, and what is said of it, once.
const OF_OTHER_KINDS: &[(&str, &str, &[&str], &str)] = &[
    (
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\n",
        &["validate", "pod.yaml"],
        "a manifest of Kubernetes (`kind: Pod`)",
    ),
    ("c.yaml", "services:\n  web: { image: a }\n", &["validate", "c.yaml"], "a file of Docker Compose"),
    ("a.json", "{\"a\": 1, \"b\": [2]}\n", &["validate", "a.json"], "a file that begins with `a`"),
    ("b.bin", "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}ab\n", &["validate", "b.bin"], "this is no text"),
    (
        "web.yaml",
        "web:\n  hosts:\n    h1:\nungrouped:\n  hosts:\n    h2:\n",
        &["inventory", "list", "-i", "web.yaml"],
        "inventory of Ansible",
    ),
    ("names", "h1\nh2\n", &["inventory", "list", "-i", "names"], "a list of host names"),
    (
        "x",
        "",
        &["plan", "--offline", "up.yaml", "-i", "inventory.yaml", "--params-file", "up.yaml"],
        "no list of parameters but has `kind: Runbook`",
    ),
];

#[test]
fn a_file_of_another_kind_is_one_error() {
    let files = Files::new("", &phase("- command: [ls]"));
    for (name, text, args, words) in OF_OTHER_KINDS {
        files.write(name, text);
        let run = super::support::rollbook::Rollbook::new(args.iter().copied()).dir(files.dir.path()).run();
        assert_eq!(run.code, 65, "{name}: {}", run.stderr);
        assert_eq!(run.stderr.matches("error[").count(), 1, "{name}: {}", run.stderr);
        assert!(run.stderr.contains(words) && run.stderr.contains("hint"), "{name}: {words}\n{}", run.stderr);
    }
}

#[test]
fn an_interpreter_and_a_destination_that_cannot_be_are_told() {
    check(&[
        ("- script: { text: ls, interpreter: [\"bash -e\"] }", "1:43", &["`[bash, -e]`"]),
        (
            "- script:\n    text: |\n      #!/usr/bin/env python3\n      print(1)",
            "3:13",
            &["`interpreter: [/usr/bin/env, python3]`"],
        ),
        ("- copy: { content: a, dest: /etc/x/ }", "1:35", &["the name of the file behind"]),
        ("- copy: { content: a, dest: \"/etc/x\\n\" }", "1:35", &["remove the line break"]),
    ]);
    takes(&[
        "- script: { text: ls, interpreter: [bash, -e] }",
        "- script:\n    text: |\n      #!/usr/bin/env python3\n      print(1)\n    interpreter: [/usr/bin/env, python3]",
        "- script:\n    text: |\n      #!/bin/bash\n      ls",
        "- copy: { content: a, dest: /etc/x/app.conf }",
    ]);
}
