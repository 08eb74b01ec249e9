//! Template files of `copy`, through the binary and without hosts: which can be used, where their mistakes are told, and
//! what they come to.

use std::fs;
use std::path::Path;

use super::support::rollbook::{Outcome, Rollbook};

struct Files {
    dir: tempfile::TempDir,
}

const HEAD: &str = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\n";
const INVENTORY: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: two }\n\
    hosts:\n  w1: { vars: { port: 80 } }\n  w2: {}\n";

impl Files {
    /// `book/up.yaml` with one phase of these steps, and what lies beside the directory `book`.
    fn new(steps: &str) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        files.write("inventory.yaml", INVENTORY);
        let steps = steps.trim_end().replace('\n', "\n      ");
        let phases = format!("phases:\n  - name: roll\n    hosts: all\n    steps:\n      {steps}\n");
        files.write(
            "book/up.yaml",
            format!("{HEAD}params: {{ level: {{ type: int, default: 3 }} }}\n{phases}"),
        );
        files
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn rollbook(&self, verb: &str, more: &[&str]) -> Outcome {
        let args = [&[verb, "book/up.yaml", "-i", "inventory.yaml"], more].concat();
        Rollbook::new(args).dir(self.dir.path()).run()
    }
}

const COPY: &str = "- copy: { template: files/app.tmpl, dest: /etc/app.conf }\n";

#[test]
fn mistakes_are_told_in_the_template_with_their_line() {
    for (text, place, words) in [
        ("a\nname {{ host.nmae }}\n", "book/files/app.tmpl:2:9", "did you mean `host.name`?"),
        ("é {{ params.level\n", "book/files/app.tmpl:1:3", "never closed"),
        ("a\nb {{ params.level + }}\n", "book/files/app.tmpl:2:19", "needs a value behind it"),
        ("a\n\n  {% if facts.systemd %}\nb\n", "book/files/app.tmpl:3:6", "never closed"),
        ("a\n{{ facts.systemd }}\n", "book/files/app.tmpl:2:4", "true or false"),
        ("a\n{{ }}\n", "book/files/app.tmpl:2:1", "is empty"),
        ("a\n{% include \"b\" %}\n", "book/files/app.tmpl:2:4", "does not exist here"),
        ("a\tb\nc\0d\n", "book/files/app.tmpl:2:2", "text file"),
        ("a\n\u{F0000}secret:x\u{F0001}\n", "book/files/app.tmpl:2:1", "reserved"),
    ] {
        let files = Files::new(COPY);
        files.write("book/files/app.tmpl", text);
        let told = files.rollbook("validate", &[]).exits(65).stderr;
        assert!(told.contains(place) && told.contains(words), "{text:?}:\n{told}");
    }
    let files = Files::new(COPY);
    files.write("book/files/app.tmpl", b"caf\xe9\n");
    let told = files.rollbook("validate", &[]).exits(65).stderr;
    assert!(told.contains("book/files/app.tmpl:1:4") && told.contains("0xe9"), "{told}");
}

#[test]
fn a_file_that_cannot_be_used_is_told_at_its_step() {
    type Prepare = fn(&Files, &Path);
    let cases: [(&str, Prepare); 8] = [
        ("No such file or directory", |_, _| {}),
        ("it is a directory", |_, at| fs::create_dir(at).unwrap()),
        ("it is no regular file", |_, at| {
            rustix::fs::mkfifoat(rustix::fs::CWD, at, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        }),
        ("lies outside", |files, at| {
            files.write("secret.txt", "not for a template\n");
            std::os::unix::fs::symlink("../../secret.txt", at).unwrap();
        }),
        ("a link to gone.tmpl", |_, at| std::os::unix::fs::symlink("gone.tmpl", at).unwrap()),
        ("a link to app.tmpl", |_, at| std::os::unix::fs::symlink("app.tmpl", at).unwrap()),
        ("has 262145 bytes", |_, at| fs::write(at, "x".repeat((256 << 10) + 1)).unwrap()),
        ("has 16777216 bytes", |_, at| fs::File::create(at).unwrap().set_len(16 << 20).unwrap()),
    ];
    for (words, prepare) in cases {
        let files = Files::new(COPY);
        fs::create_dir(files.path("book/files")).unwrap();
        prepare(&files, &files.path("book/files/app.tmpl"));
        let told = files.rollbook("validate", &[]).exits(65).stderr;
        assert!(told.contains(words), "{words}:\n{told}");
        assert!(told.contains("book/up.yaml:9:27") && told.contains("hint: "), "{words}:\n{told}");
        assert!(!told.contains("not for a template"), "{told}");
    }
}

#[test]
fn a_link_inside_the_runbooks_directory_is_followed() {
    let files = Files::new(COPY);
    files.write("book/shared/app.tmpl", "level {{ params.level }}\n");
    fs::create_dir(files.path("book/files")).unwrap();
    std::os::unix::fs::symlink("../shared/app.tmpl", files.path("book/files/app.tmpl")).unwrap();
    files.rollbook("plan", &["--offline"]).exits(0);
}

/// The path stands relative to the fragment that names it, and the text sees what the fragment sees.
#[test]
fn a_template_of_a_fragment_lies_beside_it_and_sees_its_arguments() {
    let files = Files::new(
        "- include: { file: steps/app.yaml, with: { word: one } }\n\
         - include: { file: steps/app.yaml, with: { word: two } }\n",
    );
    files.write(
        "book/steps/app.yaml",
        "apiVersion: rollbook/v1\nkind: Steps\nargs: { word: { type: string, required: true } }\nsteps:\n  \
         - copy: { template: app.tmpl, dest: \"/etc/{{ each }}\" }\n    for_each: [a, b]\n",
    );
    files.write("book/steps/app.tmpl", "{{ args.word }} {{ each }} on {{ host.name }}");
    let plan = files.rollbook("plan", &["--offline", "--format", "json"]).exits(0).stdout;
    for text in ["one a on w1", "one b on w2", "two a on w2", "two b on w1"] {
        assert!(plan.contains(&format!("\"stdin\":\"{text}\"")), "{text}: {plan}");
    }
    files.write("book/steps/app.tmpl", "{{ params.level }}");
    let told = files.rollbook("validate", &[]).exits(65).stderr;
    assert!(told.contains("book/steps/app.tmpl:1:4") && told.contains("params"), "{told}");
    // Twice included, once told.
    assert_eq!(told.matches("app.tmpl:1:4").count(), 1, "{told}");
}

#[test]
fn a_value_that_one_host_does_not_have_is_told_with_its_place_in_the_template() {
    for text in ["a\nport {{ host.vars.port }}\n", "a\n{% if true %}port {{ host.vars.port }}{% endif %}\n"] {
        let files = Files::new(COPY);
        files.write("book/files/app.tmpl", text);
        let told = files.rollbook("plan", &["--offline"]).exits(65).stderr;
        let column = text.lines().nth(1).unwrap().find("host").unwrap() + 1;
        let words = format!("book/files/app.tmpl:2:{column}: `host.vars.port` is not defined (host `w2`)");
        assert!(told.contains(&words) && told.contains("book/up.yaml:9:9"), "{told}");
    }
}

#[test]
fn what_a_template_comes_to_is_explained() {
    let files = Files::new(
        "- copy: { template: files/app.tmpl, dest: /etc/app.conf }\n  id: app\n  when: host.name == 'w1'\n",
    );
    files.write("book/files/app.tmpl", "name {{ host.name }}\nlevel {{ params.level }}\n");
    let explain = |host: &str| {
        let args =
            ["explain", "steps.app", "--host", host, "-i", "inventory.yaml", "--runbook", "book/up.yaml"];
        Rollbook::new(args).dir(files.dir.path()).run().exits(0).stdout
    };
    let told = explain("w1");
    assert!(told.contains("  the template files/app.tmpl comes to:\n  | name w1\n  | level 3\n"), "{told}");
    assert!(!explain("w2").contains("comes to"));
}

#[test]
fn a_rehearsal_writes_the_file_and_finds_it_again() {
    let files = Files::new(COPY);
    files.write("book/files/app.tmpl", "name {{ host.name }}\n");
    let told = files.rollbook("rehearse", &[]).exits(0);
    assert!((told.stdout + &told.stderr).contains("write /etc/app.conf"));
}

/// What waits for an earlier step is shown in the author's words, and a private file not at all.
#[test]
fn a_step_that_is_known_later_is_shown_as_it_is_written() {
    let files = Files::new(
        "- command: [kubeadm, token, create]\n  id: token\n\
         - script: |\n    set -eu\n    join {{ steps.token.stdout | quote }}\n\
         - command: [join, \"{{ steps.token.stdout }}\", \"{{ params.level }}\"]\n\
         - copy: { content: \"hidden {{ steps.token.stdout }}\", dest: /etc/token, mode: \"0600\" }\n",
    );
    for more in [&["-v"][..], &["--format", "markdown"], &["--format", "markdown", "-v"]] {
        let args = [&["--offline", "--allow-commands"], more].concat();
        let plan = files.rollbook("plan", &args).exits(0).stdout;
        for words in [
            "| join {{ steps.token.stdout | quote }}",
            "[join, {{ steps.token.stdout }}, ",
            "dest: /etc/token",
        ] {
            assert!(plan.contains(words), "{words}:\n{plan}");
        }
        for words in ["\"const\"", "\"text\"", "\"list\"", "\"expr\"", "hidden {{"] {
            assert!(!plan.contains(words), "{words}:\n{plan}");
        }
    }
}
