//! Files that people write, good and bad. `cases/valid` loads; in `cases/invalid` the file's name says the fault, and
//! its first line lists every expected code with its place: `# expect: RB0301 8:9`. Adding a case is adding a file.
//! Further lines name an inventory of `cases/valid` (`# inventory: fleet.yaml`) and parameters (`# param: n=3`).

use std::fs;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use rollbook::inventory::{self, Inventory};
use rollbook::runbook::{self, FileReader, ParamSources, Runbook, resolve_params};
use rollbook::scenario;
use rollbook::source::{self, Diagnostics, Limits, SourceMap, read_utf8};

/// Fragments stand beside the file that includes them.
struct Beside;

impl FileReader for Beside {
    fn read(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        let (path, bytes) = self.bytes(from, path)?;
        Ok((path, read_utf8(bytes).map_err(|error| error.to_string())?))
    }

    fn bytes(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, Vec<u8>), String> {
        if path.contains("..") && !from.as_str().contains("/fragments/") {
            return Err("it lies outside the runbook's directory".to_owned());
        }
        let path = from.parent().expect("a file stands in a directory").join(path);
        let bytes = fs::read(&path).map_err(|_| "no such file".to_owned())?;
        Ok((path, bytes))
    }
}

fn cases(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(folder);
    let mut files: Vec<_> = fs::read_dir(&root)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

fn inventory(path: &Path, diagnostics: &mut Diagnostics, sources: &mut SourceMap) -> Option<Inventory> {
    let file = sources
        .add(Utf8Path::from_path(path).expect("a path in UTF-8"), fs::read_to_string(path).expect("a case"));
    let tree = source::parse(sources, file, Limits::default(), diagnostics)?;
    inventory::parse(&tree, diagnostics)
}

/// What was found in a file.
struct Found {
    sources: SourceMap,
    diagnostics: Diagnostics,
}

impl Found {
    /// Every code with its place, as the first line of a case writes them.
    fn codes(&self) -> Vec<String> {
        let place = |span| {
            let (line, column) = self.sources.line_column(span);
            format!("{line}:{column}")
        };
        let items = self.diagnostics.items().iter();
        items
            .map(|item| format!("{} {}", item.code, item.span.map_or_else(|| "-".to_owned(), place)))
            .collect()
    }
}

/// Loads a case as far as it goes: the file, then its parameters, then its selectors.
fn load(path: &Path) -> (Option<Runbook>, Found) {
    let mut found = Found { sources: SourceMap::default(), diagnostics: Diagnostics::default() };
    let Found { sources, diagnostics } = &mut found;
    let text = read_utf8(fs::read(path).expect("a case")).expect("a case in UTF-8");
    let option = |name: &str| {
        let prefix = format!("# {name}: ");
        text.lines().filter_map(move |line| line.strip_prefix(&prefix).map(str::to_owned)).collect::<Vec<_>>()
    };
    if text.contains("kind: Inventory") || text.contains("\nall:") {
        inventory(path, diagnostics, sources);
        return (None, found);
    }
    let file = sources.add(Utf8Path::from_path(path).expect("a path in UTF-8"), text.as_str());
    if text.contains("kind: Scenario") {
        if let Some(tree) = source::parse(sources, file, Limits::default(), diagnostics) {
            scenario::parse(&tree, diagnostics);
        }
        return (None, found);
    }
    let runbook = runbook::parse(sources, file, &Beside, diagnostics);
    if let (Some(runbook), [fleet]) = (&runbook, option("inventory").as_slice()) {
        let fleet = path.ancestors().nth(2).expect("a folder").join("valid").join(fleet);
        let fleet = inventory(&fleet, diagnostics, sources).expect("the inventory of a case is good");
        let flags = option("param")
            .iter()
            .map(|flag| flag.split_once('=').expect("`name=value`"))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let params = ParamSources { inventory: Some(&fleet), files: Vec::new(), flags, incomplete: false };
        resolve_params(runbook, &params, diagnostics);
        runbook.check_selection(&fleet, diagnostics);
    }
    (runbook, found)
}

#[test]
fn every_invalid_file_gives_exactly_the_expected_codes() {
    // People see them by place, whichever was found first.
    let sorted = |codes: &str| {
        let mut codes: Vec<String> = codes.split(", ").map(str::to_owned).collect();
        codes.sort_unstable();
        codes
    };
    let mut wrong = Vec::new();
    let files = cases("invalid");
    assert!(files.len() >= 40, "{} cases", files.len());
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        let expected =
            first.strip_prefix("# expect:").unwrap_or_else(|| panic!("{name}: no `# expect:`")).trim();
        let (actual, shown) = if let Err(error) = read_utf8(bytes) {
            (format!("RB0113 {}:{}", error.line, error.column), error.to_string())
        } else {
            let (_, found) = load(&path);
            (found.codes().join(", "), found.diagnostics.render(&found.sources, false))
        };
        if sorted(&actual) != sorted(expected) || actual.is_empty() {
            wrong.push(format!("== {name}\n# expect: {expected}\n   found: {actual}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes of what is not known or not ours: their answer is a hint.
const NEED_A_HINT: [u16; 9] = [201, 300, 301, 302, 304, 308, 310, 311, 803];

#[test]
fn messages_are_one_line_and_say_what_to_write_instead() {
    for path in cases("invalid") {
        if read_utf8(fs::read(&path).unwrap()).is_err() {
            continue;
        }
        let (_, found) = load(&path);
        for item in found.diagnostics.items() {
            let place = path.file_stem().unwrap().display();
            assert!(
                !item.message.ends_with('.') && !item.message.contains('\n'),
                "{place}: {}",
                item.message
            );
            assert!(
                !NEED_A_HINT.contains(&item.code.0) || !item.hints.is_empty(),
                "{place}: {}",
                item.message
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is cut out of a good runbook or moved within it: an answer, and never silence about a failure.
    #[test]
    fn a_damaged_runbook_is_answered(from in 300..3000_usize, length in 0..60_usize, to in 0..3000_usize) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/kubeadm-upgrade.yaml");
        let mut text: Vec<char> = fs::read_to_string(&path).unwrap().chars().collect();
        let from = from.min(text.len());
        let end = (from + length).min(text.len());
        let piece: Vec<char> = text.splice(from..end, []).collect();
        let to = to.min(text.len());
        text.splice(to..to, piece);
        let text: String = text.into_iter().collect();
        let mut found = Found { sources: SourceMap::default(), diagnostics: Diagnostics::default() };
        let file = found.sources.add(Utf8Path::from_path(&path).unwrap(), text);
        let runbook = runbook::parse(&mut found.sources, file, &Beside, &mut found.diagnostics);
        prop_assert_eq!(runbook.is_none(), found.diagnostics.has_errors());
        found.diagnostics.render(&found.sources, true);
    }
}

#[test]
fn every_valid_file_loads_without_a_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = [root.join("runbooks/kubeadm-upgrade.yaml"), root.join("inventory.example.yaml")];
    for path in cases("valid").into_iter().chain(shipped) {
        let (_, found) = load(&path);
        assert!(found.diagnostics.items().is_empty(), "{}", found.diagnostics.render(&found.sources, false));
    }
}

#[test]
fn the_shipped_runbook_fits_small_and_large_fleets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (runbook, _) = load(&root.join("runbooks/kubeadm-upgrade.yaml"));
    let runbook = runbook.unwrap();
    for (fleet, expected) in [
        ("inventory.example.yaml", [17, 17, 1, 2, 14]),
        ("tests/it/cases/valid/fleet.yaml", [7, 7, 1, 2, 4]),
        ("tests/it/cases/valid/single_control_plane.yaml", [2, 2, 1, 0, 1]),
    ] {
        let mut found = Found { sources: SourceMap::default(), diagnostics: Diagnostics::default() };
        let fleet = inventory(&root.join(fleet), &mut found.diagnostics, &mut found.sources).unwrap();
        runbook.check_selection(&fleet, &mut found.diagnostics);
        assert!(found.diagnostics.items().is_empty(), "{}", found.diagnostics.render(&found.sources, false));
        let hosts: Vec<_> =
            runbook.phases.iter().map(|phase| phase.hosts.value.select(&fleet).unwrap().len()).collect();
        assert_eq!(hosts, expected);
    }
}

#[test]
fn a_hundred_thousand_lines_are_read_and_the_last_mistake_is_found() {
    let head = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: long }\nphases:\n  - name: roll\n    hosts: all\n    steps:\n";
    let step = "      - command:\n          argv:\n            - echo\n            - a\n            - \"{{ host.name }}\"\n        effect: reads\n";
    let text = format!("{head}{}      - comand: [ls]\n", step.repeat(16_700));
    let mut found = Found { sources: SourceMap::default(), diagnostics: Diagnostics::default() };
    let file = found.sources.add("long.yaml", text.as_str());
    assert!(runbook::parse(&mut found.sources, file, &Beside, &mut found.diagnostics).is_none());
    assert_eq!(found.codes(), [format!("RB0301 {}:9", text.lines().count())]);
}

#[test]
fn every_fact_of_a_host_can_be_named() {
    let facts = rollbook::facts::HostFacts::default().to_value();
    let rollbook::value::Value::Map(facts) = facts else { panic!("facts are a mapping") };
    assert!(!facts.is_empty());
    for name in facts.keys() {
        let text = format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nphases:\n  - {{ name: p, hosts: all, steps: [assert: {{ that: facts.{name} is defined }}] }}\n"
        );
        let mut found = Found { sources: SourceMap::default(), diagnostics: Diagnostics::default() };
        let file = found.sources.add("facts.yaml", text);
        runbook::parse(&mut found.sources, file, &Beside, &mut found.diagnostics);
        assert!(found.diagnostics.items().is_empty(), "{}", found.diagnostics.render(&found.sources, false));
    }
}
