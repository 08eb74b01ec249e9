//! Who may import whom. The table of `docs/architecture.md`, as a test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module with the modules it may name. `op::…`, `value::…` and `edits::…` are plain data below everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("source", &["value"]),
    ("value", &[]),
    ("op", &["value"]),
    ("edits", &[]),
    ("kubernetes", &["value"]),
    ("template", &["source", "value", "op"]),
    ("inventory", &["source", "value", "template"]),
    ("facts", &["value", "op", "kubernetes"]),
    ("step", &["source", "value", "op", "edits", "template", "kubernetes", "facts"]),
    ("runbook", &["source", "value", "op", "template", "inventory", "step", "kubernetes"]),
    (
        "plan",
        &[
            "source",
            "value",
            "op",
            "edits",
            "template",
            "inventory",
            "step",
            "runbook",
            "facts",
            "kubernetes",
        ],
    ),
    // A step is looked at as it is written: by the name of its kind and its fields.
    ("lint", &["source", "value", "op", "template", "inventory", "step", "runbook", "kubernetes"]),
    // Steps are data here: roles, assessments and brackets, never a kind.
    ("engine", &["plan", "op", "value", "step", "runbook"]),
    ("journal", &["engine", "plan", "value"]),
    ("report", &["engine", "plan", "op", "value", "step"]),
    ("scenario", &["source", "value", "inventory", "plan", "engine", "report"]),
    ("transport", &["inventory", "op", "value", "kubernetes"]),
    ("simulation", &["inventory", "kubernetes", "op", "value", "transport"]),
    (
        "executor",
        &[
            "engine",
            "journal",
            "transport",
            "report",
            "plan",
            "op",
            "inventory",
            "kubernetes",
            "step",
            "facts",
            "value",
            "template",
            "runbook",
        ],
    ),
    // The use cases. Neither the command line nor the terminal is known here.
    (
        "app",
        &[
            "source",
            "value",
            "op",
            "kubernetes",
            "inventory",
            "facts",
            "step",
            "runbook",
            "lint",
            "plan",
            "engine",
            "journal",
            "transport",
            "report",
            "executor",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "source",
            "value",
            "op",
            "kubernetes",
            "template",
            "inventory",
            "facts",
            "step",
            "runbook",
            "lint",
            "plan",
            "engine",
            "journal",
            "transport",
            "simulation",
            "report",
            "scenario",
            "executor",
        ],
    ),
];

/// External crates that only one module may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("granit_parser", &["source/yaml"]),
    ("serde_yaml", &["value/yaml"]),
    ("minijinja", &["template/"]),
    ("openssh", &["transport/"]),
    ("annotate_snippets", &["source/"]),
    ("clap", &["cli/"]),
    ("anyhow", &["app/", "cli/"]),
    ("console", &["report/live/", "cli/"]),
    ("tokio", &["transport/", "simulation/", "executor/", "app/", "cli/"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(dir).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let relative = |path: &Path| path.strip_prefix(&root).expect("below src").to_path_buf();
    found.iter().map(|(path, text)| (relative(path), text.clone())).collect()
}

fn module_of(path: &Path) -> String {
    let first = path.components().next().expect("a path").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Code without comments and string literals' doc links.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or("");
    (1..).zip(before_tests.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// What an op does is said by its step kind. Who decides by the words of a command decides by what a person may have written.
#[test]
fn the_engine_reads_no_command() {
    let is_decision = |path: &Path| {
        let text = path.to_string_lossy();
        text.starts_with("engine/") && !text.contains("/stories") && !text.contains("/model")
    };
    for (path, text) in sources().iter().filter(|(path, _)| is_decision(path)) {
        let words = ["OpKind", "argv", "stdin", "base_name", "command_behind"];
        let reads = code_lines(text).find(|(_, line)| words.iter().any(|word| line.contains(word)));
        assert_eq!(reads, None, "{}", path.display());
    }
}

#[test]
fn modules_import_only_what_stands_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        // The engine's model makes random plans for its properties; it is compiled for tests only.
        if path.starts_with("engine/model") {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            assert!(
                ["lib", "main"].contains(&module.as_str()),
                "src/{} belongs to no module of the table",
                path.display()
            );
            continue;
        };
        for (number, line) in code_lines(&text) {
            for part in line.split("crate::").skip(1) {
                let named: String =
                    part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !named.is_empty() && named != module && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("src/{}:{number} names crate::{named}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_external_crate_has_its_place() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let shown = path.to_string_lossy().into_owned();
        for (number, line) in code_lines(&text) {
            for (name, places) in ONLY_IN {
                let named = line.contains(&format!("{name}::")) || line.contains(&format!("use {name};"));
                if named && !places.iter().any(|place| shown.starts_with(place)) {
                    wrong.push(format!("src/{shown}:{number} names {name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_lives_there() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a `//!` header: {}", silent.join(", "));
}

#[test]
fn the_table_and_the_tree_name_the_same_modules() {
    let tree: BTreeSet<String> = sources().iter().map(|(path, _)| module_of(path)).collect();
    let table: BTreeSet<String> = MAY_IMPORT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let tree: BTreeSet<String> = tree.into_iter().filter(|name| name != "lib" && name != "main").collect();
    assert_eq!(tree, table);
}

/// What writes to the terminal, or reads from it.
const TERMINAL: [&str; 6] = ["println!", "print!", "eprint", "stdout()", "stderr()", "stdin()"];

#[test]
fn only_the_command_line_prints() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        // The engine's model shows what its properties noticed; it is compiled for tests only.
        if path.starts_with("cli") || path.starts_with("engine/model.rs") || path.starts_with("engine/model")
        {
            continue;
        }
        for (number, line) in code_lines(&text) {
            if TERMINAL.iter().any(|word| line.contains(word)) {
                wrong.push(format!("src/{}:{number} prints: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "a use case tells what it does through `app::Tell`:\n{}", wrong.join("\n"));
}

/// Most lines of a verb: a request from arguments, the use case, and its outcome in words.
const VERB: usize = 60;

#[test]
fn a_verb_is_short() {
    let mut verbs = 0;
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("cli/verbs")) {
        verbs += 1;
        let lines = text.lines().count();
        assert!(
            lines <= VERB,
            "src/{} has {lines} lines: what it does belongs in a use case",
            path.display()
        );
    }
    assert!(verbs > 0, "no verbs were found");
}
