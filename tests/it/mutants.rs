//! Every deliberate bug of `tests/mutants` still fits the tree, and what must catch it exists. That it is caught is for
//! `scripts/mutants` to see, which builds each of them.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

fn root() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is in a folder of the tree, in order.
fn entries(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

/// A patch, read strictly: a head for people, then files with hunks.
struct Mutant {
    name: String,
    head: String,
    /// `property budget`, or `test` and the path of a unit test.
    caught_by: Vec<String>,
    hunks: Vec<Hunk>,
}

#[derive(Default)]
struct Hunk {
    file: Utf8PathBuf,
    old: String,
    new: String,
}

impl Mutant {
    fn read(path: &Utf8Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (head, diff) = text.split_once("\n--- a/").unwrap_or((&text, ""));
        let caught_by = head.lines().filter_map(|line| line.strip_prefix("Caught by: ")).map(str::to_owned);
        let mut hunks: Vec<Hunk> = Vec::new();
        let mut file = Utf8PathBuf::new();
        for line in format!("--- a/{diff}").lines() {
            let Some((sign, rest)) = line.split_at_checked(1) else { panic!("{path}: an empty line") };
            match (sign, hunks.last_mut()) {
                _ if line.starts_with("--- a/") => file = root().join(&line["--- a/".len()..]),
                _ if line.starts_with("+++ b/") => assert!(file.ends_with(&line["+++ b/".len()..])),
                ("@", _) => hunks.push(Hunk { file: file.clone(), ..Hunk::default() }),
                (" ", Some(hunk)) => {
                    add_line(&mut hunk.old, rest);
                    add_line(&mut hunk.new, rest);
                }
                ("-", Some(hunk)) => add_line(&mut hunk.old, rest),
                ("+", Some(hunk)) => add_line(&mut hunk.new, rest),
                _ => panic!("{path}: `{line}`"),
            }
        }
        let name = path.file_stem().unwrap().to_owned();
        Self { name, head: head.to_owned(), caught_by: caught_by.collect(), hunks }
    }
}

fn add_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn mutants() -> Vec<Mutant> {
    entries(&root().join("tests/mutants")).iter().map(|path| Mutant::read(path)).collect()
}

/// All Rust below a folder, as one text.
fn sources(folder: &Utf8Path) -> String {
    let mut text = String::new();
    for path in entries(folder) {
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension() == Some("rs") {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    text
}

#[test]
fn every_mutant_fits_the_tree_at_one_place() {
    let mutants = mutants();
    assert!(mutants.len() >= 55, "{} are left", mutants.len());
    for mutant in mutants {
        assert!(!mutant.hunks.is_empty(), "{}: changes nothing", mutant.name);
        for Hunk { file, old, new } in mutant.hunks {
            let text =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {file}: {error}", mutant.name));
            let places = text.matches(&old).count();
            assert_eq!(places, 1, "{}: places in {file} that read\n{old}", mutant.name);
            assert_ne!(old, new, "{}: a hunk changes nothing", mutant.name);
        }
    }
}

#[test]
fn every_mutant_says_what_it_breaks_and_what_must_catch_it() {
    let model = sources(&root().join("src/engine/model"));
    let all = sources(&root().join("src"));
    for Mutant { name, head, caught_by, .. } in mutants() {
        assert!(
            head.split("\n\n").next().is_some_and(|what| what.ends_with('.')),
            "{name}: says what it breaks"
        );
        let [caught_by] = &caught_by[..] else { panic!("{name}: names one thing that must catch it") };
        let exists = match caught_by.split_once(' ') {
            Some(("property", property)) => model.contains(&format!("\"{property}\"")),
            Some(("test", test)) => {
                let function = test.rsplit("::").next().unwrap();
                all.contains(&format!("    fn {function}()")) || all.contains(&format!("\nfn {function}()"))
            }
            _ => false,
        };
        assert!(exists, "{name}: there is no {caught_by}");
    }
}
