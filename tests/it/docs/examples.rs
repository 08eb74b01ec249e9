//! Every example of a page is tried, in the order of the page, in a directory with the shipped files. A `yaml` block whose
//! first line is `# NAME` is that file, and so is a `jinja` block, which is a template; commands below use it, and a runbook has to be rehearsed by one of them. Any other
//! `yaml` block is a part of a file, and has to load in its place. `console` blocks are run. A page may begin where another
//! ends: `<!-- goes on from: first-runbook.md -->` brings the other's files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::console;
use super::page::{Block, Page, root};

/// How many blocks of a page are not tried, each with its reason beside it. One more has to be wanted.
const NOT_RUN: &[(&str, usize)] = &[
    ("README.md", 3),
    ("docs/concepts/frozen-and-live.md", 1),
    ("docs/concepts/ownership-and-locks.md", 1),
    ("docs/contributing/benchmarks.md", 3),
    ("docs/contributing/crash-tests.md", 1),
    ("docs/contributing/lab.md", 1),
    ("docs/guide/around-a-run.md", 2),
    ("docs/guide/editor.md", 1),
    ("docs/guide/first-runbook.md", 4),
    ("docs/guide/first-ten-minutes.md", 3),
    ("docs/guide/from-ansible.md", 2),
    ("docs/guide/from-shell.md", 1),
    ("docs/guide/install.md", 2),
    ("docs/guide/inventory-and-ssh.md", 1),
    ("docs/guide/rehearsals.md", 1),
    ("docs/guide/reviewing-a-plan.md", 1),
    ("docs/guide/unattended.md", 2),
    ("docs/guide/when-something-goes-wrong.md", 5),
];

/// Pages that are tried elsewhere: the reference by `reference.rs`, examples of errors by `explain.rs` and `lint.rs`.
const ELSEWHERE: &str = "docs/reference/";

/// What a page may run here: nothing that needs a host or root.
const PROGRAMS: &[&str] =
    &["rollbook", "cargo", "cat", "cp", "echo", "grep", "head", "ls", "mkdir", "sed", "tail"];

const RUNBOOK: &str =
    "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: part }\nkube: { via: control_plane }\n";
const PHASE: &str = "phases:\n  - name: part\n    hosts: workers\n";
const STEPS: &str = "    steps:\n      - command: [ls]\n";

/// The whole file of which a block is a part.
fn whole(text: &str) -> String {
    let indented = |by: &str| text.lines().fold(String::new(), |out, line| format!("{out}{by}{line}\n"));
    let key = text.split(':').next().unwrap_or_default();
    match key {
        "apiVersion" => text.to_owned(),
        "hosts" | "groups" | "connection" | "become" => {
            let hosts = if text.contains("hosts:") { "" } else { "hosts: { w1: {} }\n" };
            format!("apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: part }}\n{hosts}{text}")
        }
        "faults" | "expect" => format!(
            "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: {{ name: part }}\nrunbook: runbooks/kubeadm-upgrade.yaml\n\
             inventory: inventory.example.yaml\nparams: {{ target: 1.31.4 }}\n{text}"
        ),
        "kube" => format!("{}{text}{PHASE}{STEPS}", RUNBOOK.split("kube:").next().expect("a head")),
        "rollout" | "rescue" | "always" => format!("{RUNBOOK}{PHASE}{}{STEPS}", indented("    ")),
        "phases" => format!("{RUNBOOK}{text}"),
        key if key.starts_with("- ") => format!("{RUNBOOK}{PHASE}    steps:\n{}", indented("      ")),
        _ => format!("{RUNBOOK}{text}{PHASE}{STEPS}"),
    }
}

/// What the examples of one page came to.
#[derive(Default)]
struct Tried {
    wrong: String,
    not_run: usize,
    run: usize,
    /// Blocks to be written anew, by their text.
    anew: Vec<(String, String)>,
}

/// One page, its directory, and how the last command ended.
struct Trial<'a> {
    page: &'a Page,
    dir: &'a Path,
    tried: Tried,
    last: i32,
    /// Runbooks of the page, and whether a command rehearsed them, or showed their mistakes.
    runbooks: BTreeMap<String, bool>,
    /// Whether output that is shown in full is written anew.
    update: bool,
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("made");
        for entry in fs::read_dir(from).expect("a directory") {
            let path = entry.expect("an entry").path();
            copy(&path, &to.join(path.file_name().expect("a name")));
        }
    } else {
        fs::copy(from, to).expect("copied");
    }
}

/// The name of the file that a block is.
fn name(block: &Block) -> Option<&str> {
    let name = block.text.lines().next()?.strip_prefix("# ")?;
    let end = match block.language.as_str() {
        "yaml" => "yaml",
        "jinja" => "tmpl",
        _ => return None,
    };
    let is_name = Path::new(name).extension().is_some_and(|found| found == end) && !name.contains(' ');
    is_name.then_some(name)
}

/// The last lines of what was printed, which say what it came to.
fn end(printed: &str) -> String {
    let lines: Vec<&str> = printed.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

impl Trial<'_> {
    fn complain(&mut self, line: usize, what: &str) {
        writeln!(self.tried.wrong, "{}:{line}: {what}", self.page.path).expect("a string takes it");
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// The files of another page.
    fn bring(&self, other: &str) {
        let folder = Path::new(&self.page.path).parent().expect("a folder");
        let other = Page::read(&folder.join(other).display().to_string());
        for block in other.blocks().iter().filter(|block| block.not_run.is_none()) {
            if let Some(name) = name(block) {
                self.write(name, &block.text);
            }
        }
    }

    fn block(&mut self, block: &Block) {
        match (block.language.as_str(), &block.not_run, name(block)) {
            (_, Some(reason), _) => {
                self.tried.not_run += 1;
                if reason.split(' ').count() < 3 {
                    self.complain(block.line, "say in a few words why it is not run");
                }
            }
            ("yaml", None, Some(name)) => {
                self.write(name, &block.text);
                if block.text.contains("\nkind: Runbook\n") {
                    self.runbooks.insert(name.to_owned(), false);
                }
                self.tried.run += 1;
            }
            ("jinja", None, Some(name)) => self.write(name, &block.text),
            ("yaml", None, None) => self.part(block),
            ("console", None, _) => self.console(block),
            ("text" | "", None, _) => {}
            (language, None, _) => {
                self.complain(block.line, &format!("nothing tries a block of `{language}`"));
            }
        }
    }

    fn part(&mut self, block: &Block) {
        self.tried.run += 1;
        let text = whole(&block.text);
        if text.contains("kind: Runbook") && block.text.starts_with("apiVersion") {
            self.complain(
                block.line,
                "a whole runbook begins with `# NAME.yaml`, and a command rehearses it",
            );
        }
        self.write("part.yaml", &text);
        let command = if text.contains("kind: Scenario") {
            "rollbook rehearse --scenario part.yaml --plain"
        } else {
            "rollbook validate part.yaml -i inventory.example.yaml"
        };
        let (code, printed) = console::run(command, self.dir, 0);
        // A scenario of an excerpt may expect nothing that comes true; it has to be one.
        let loads = if command.contains("rehearse") { code != 65 } else { code == 0 };
        if !loads {
            self.complain(block.line, &format!("does not load:\n{printed}"));
        }
    }

    fn console(&mut self, block: &Block) {
        if !block.text.starts_with("$ ") {
            self.complain(block.line, "a `console` block begins with `$ ` and a command");
            return;
        }
        let mut commands = console::commands(&block.text);
        let mut stale = false;
        for index in 0..commands.len() {
            let shown = &commands[index];
            let program = shown.command.split(' ').find(|word| !word.contains('=')).unwrap_or_default();
            if !PROGRAMS.contains(&program) {
                self.complain(
                    block.line,
                    &format!("`{program}` is not run by this test; say why it is not run"),
                );
                return;
            }
            let (code, printed) = console::run(&shown.command, self.dir, self.last);
            self.tried.run += 1;
            for (name, rehearsed) in &mut self.runbooks {
                let used =
                    shown.command.contains("rehearse") || shown.command.contains("validate") && code != 0;
                *rehearsed |= used && shown.command.contains(name.as_str());
            }
            let asked = commands.get(index + 1).is_some_and(|next| next.command == "echo $?");
            let (differs, elided) = (
                !shown.output.is_empty() && !console::agrees(&shown.output, &printed),
                shown.output.contains('…'),
            );
            let command = shown.command.clone();
            if code != 0 && !asked {
                self.complain(block.line, &format!("`{command}` ends with {code}:\n{}", end(&printed)));
            } else if differs && self.update && !elided {
                commands[index].output = printed;
                stale = true;
            } else if differs {
                self.complain(
                    block.line,
                    &format!("`{command}` prints something else (`just docs`):\n{printed}"),
                );
            }
            self.last = code;
        }
        if stale {
            self.tried.anew.push((block.text.clone(), console::block(&commands)));
        }
    }
}

fn tried(page: &Page, update: bool) -> Tried {
    let dir = tempfile::tempdir().expect("a directory");
    for shipped in ["runbooks", "scenarios", "inventory.example.yaml"] {
        copy(&root().join(shipped), &dir.path().join(shipped));
    }
    let mut trial =
        Trial { page, dir: dir.path(), tried: Tried::default(), last: 0, runbooks: BTreeMap::new(), update };
    if let Some(other) = page.text.split("<!-- goes on from: ").nth(1) {
        trial.bring(other.split(" -->").next().expect("a page"));
    }
    for block in page.blocks() {
        trial.block(&block);
    }
    for (name, _) in trial.runbooks.clone().iter().filter(|(_, rehearsed)| !**rehearsed) {
        trial.complain(1, &format!("no command rehearses {name}"));
    }
    trial.tried
}

#[test]
fn every_example_of_a_page_works_as_it_says() {
    let pages: Vec<Page> = Page::all().into_iter().filter(|page| !page.path.starts_with(ELSEWHERE)).collect();
    let mut wrong = String::new();
    let mut run = 0;
    for page in &pages {
        let mut tried = tried(page, std::env::var_os("UPDATE_DOCS").is_some());
        let allowed = NOT_RUN.iter().find(|(path, _)| *path == page.path).map_or(0, |(_, count)| *count);
        if tried.not_run != allowed {
            writeln!(tried.wrong, "{}: {} blocks are not run, {allowed} were", page.path, tried.not_run)
                .expect("a string takes it");
        }
        if !tried.anew.is_empty() {
            let text = tried.anew.iter().fold(page.text.clone(), |text, (old, new)| text.replace(old, new));
            fs::write(root().join(&page.path), text).expect("written");
        }
        wrong += &tried.wrong;
        run += tried.run;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(run > 20, "{run} examples");
}

#[test]
fn an_example_that_does_not_work_is_found() {
    let says = |text: &str| {
        let page = Page { path: "docs/guide/x.md".to_owned(), text: text.to_owned() };
        tried(&page, false).wrong
    };
    let runbook = "```yaml\n# up.yaml\napiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\nphases: [{ name: p, hosts: workers, steps: [command: [ls]] }]\n```\n";
    for (text, found) in [
        ("```console\n$ rollbook steps | head -1\nsomething\n```\n", "prints something else"),
        ("```console\n$ rollbook gone\n```\n", "ends with 64"),
        ("```console\n$ sudo reboot\n```\n", "`sudo` is not run by this test"),
        ("```yaml\n- drian: {}\n```\n", "unknown step kind"),
        ("```yaml\nhosts: { \"a b\": {} }\n```\n", "does not load"),
        ("```yaml\nfaults: [{ fault: gone }]\n```\n", "does not load"),
        ("```console\nrollout: {}\n```\n", "begins with `$ ` and a command"),
        ("```ini\nx\n```\n", "nothing tries a block of `ini`"),
        ("<!-- not run: because -->\n```ini\nx\n```\n", "say in a few words why"),
        (runbook, "no command rehearses up.yaml"),
        (&runbook.replace("# up.yaml\n", ""), "a whole runbook begins with"),
    ] {
        assert!(says(text).contains(found), "{text}\n{}", says(text));
    }
    let good = format!(
        "{runbook}```console\n$ rollbook rehearse up.yaml -i inventory.example.yaml\n$ rollbook gone\n…\n$ echo $?\n64\n```\n"
    );
    assert_eq!(says(&good), "");
}
