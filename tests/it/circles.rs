//! Which files import each other in a circle. Rooms never do; the circles of files that are left are printed, and each
//! has its reason in `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The place of a file in the tree of modules: `["plan", "show", "text"]`.
type Place = Vec<String>;

/// Circles of files that may be: the room, or the place below which they lie, and the most files. None of them may grow.
const LEFT: &[(&str, usize)] = &[
    ("simulation", 40),
    ("plan", 20),
    ("executor", 15),
    ("runbook/parse", 12),
    ("template", 5),
    ("source", 6),
    ("step", 5),
    ("lint", 4),
    ("report", 3),
    ("value", 2),
    ("inventory/selector", 2),
    ("kubernetes", 2),
    ("plan/forecast", 2),
    ("source/yaml", 2),
    ("scenario/parse", 2),
    ("report", 2),
    ("plan/show", 4),
    ("cli", 2),
    ("cli/rehearse", 2),
];

/// What a file says of others.
#[derive(Default)]
struct Names {
    /// Names that it gives on: `pub use child::Name`.
    given_on: BTreeMap<String, Place>,
    /// What it imports or names by its path.
    named: Vec<Place>,
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a readable directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn place_of(path: &Path) -> Place {
    let mut place: Place =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if place.last().is_some_and(|last| last == "mod" || last == "lib") {
        place.pop();
    }
    place
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_named = name == "tests.rs" || name == "cases.rs" || name.ends_with("_tests.rs");
    let folders = ["engine/model", "engine/stories", "engine/model.rs", "engine/stories.rs"];
    is_named || path.iter().any(|part| part == "tests") || folders.iter().any(|below| path.starts_with(below))
}

/// Without comments and without tests.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    before_tests.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// `a::{b, c::d as e}` as each path with the name that it has afterwards.
fn expand(before: &[String], tree: &str, all: &mut Vec<(Place, String)>) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let path = tree[..open].split("::").map(str::trim).filter(|part| !part.is_empty());
        let before: Place = before.iter().cloned().chain(path.map(str::to_owned)).collect();
        let inner = tree[open + 1..].trim_end().trim_end_matches('}');
        let (mut depth, mut start) = (0_i32, 0);
        for (at, byte) in inner.bytes().enumerate() {
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            if byte == b',' && depth == 0 {
                expand(&before, &inner[start..at], all);
                start = at + 1;
            }
        }
        // The brace of a group that ends the list was trimmed with the list's own.
        let last = &inner[start..];
        let missing = last.matches('{').count().saturating_sub(last.matches('}').count());
        expand(&before, &format!("{last}{}", "}".repeat(missing)), all);
    } else if !tree.is_empty() {
        let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
        let mut place: Place =
            before.iter().cloned().chain(path.split("::").map(|part| part.trim().to_owned())).collect();
        if place.last().is_some_and(|last| last == "self") {
            place.pop();
        }
        let name = name.map(|name| name.trim().to_owned()).or_else(|| place.last().cloned());
        all.push((place, name.unwrap_or_default()));
    }
}

fn names(text: &str) -> Names {
    let mut names = Names::default();
    let mut rest = String::new();
    for statement in code(text).split_inclusive(';') {
        let start = statement.find("use ").filter(|at| {
            let before = statement[..*at].rsplit('\n').next().unwrap_or("").trim();
            before.is_empty() || before.starts_with("pub")
        });
        let Some(start) = start else {
            rest.push_str(statement);
            continue;
        };
        rest.push_str(&statement[..start]);
        let is_given_on = statement[..start].trim_end().rsplit('\n').next().unwrap_or("").contains("pub");
        let mut all = Vec::new();
        expand(&[], statement[start + 4..].trim_end_matches(';'), &mut all);
        for (place, name) in all {
            if is_given_on {
                names.given_on.insert(name, place);
            } else {
                names.named.push(place);
            }
        }
    }
    for root in ["crate::", "super::"] {
        for (at, _) in rest.match_indices(root) {
            let is_inside = rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':');
            let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            let path: String = rest[at..].chars().take_while(|c| is_path(*c)).collect();
            if !is_inside {
                names.named.push(path.split("::").map(str::to_owned).collect());
            }
        }
    }
    names
}

/// The file that a path leads to, past names that are given on.
fn resolve(of: &BTreeMap<Place, Names>, from: &Place, path: &[String], depth: usize) -> Option<Place> {
    let mut path = path;
    let mut at = match path.first()?.as_str() {
        "crate" => Place::new(),
        "super" | "self" => from.clone(),
        child => {
            let below: Place = from.iter().cloned().chain([child.to_owned()]).collect();
            if !of.contains_key(&below) {
                return None;
            }
            from.clone()
        }
    };
    if path[0] == "crate" {
        path = &path[1..];
    }
    while let Some(first) = path.first().filter(|first| *first == "super" || *first == "self") {
        if first == "super" {
            at.pop();
        }
        path = &path[1..];
    }
    while let Some(first) = path.first() {
        let below: Place = at.iter().cloned().chain([first.clone()]).collect();
        if of.contains_key(&below) {
            at = below;
            path = &path[1..];
        } else if let Some(given) =
            of.get(&at).and_then(|names| names.given_on.get(first)).filter(|_| depth < 12)
        {
            let whole: Place = given.iter().chain(&path[1..]).cloned().collect();
            return resolve(of, &at, &whole, depth + 1).or(Some(at));
        } else {
            break;
        }
    }
    Some(at)
}

/// Tarjan's strongly connected components, those of one member left out.
struct Tarjan<'g, T> {
    graph: &'g BTreeMap<T, BTreeSet<T>>,
    index: BTreeMap<&'g T, usize>,
    low: BTreeMap<&'g T, usize>,
    stack: Vec<&'g T>,
    circles: Vec<BTreeSet<T>>,
}

impl<'g, T: Ord + Clone> Tarjan<'g, T> {
    fn circles(graph: &'g BTreeMap<T, BTreeSet<T>>) -> Vec<BTreeSet<T>> {
        let mut tarjan = Self {
            graph,
            index: BTreeMap::new(),
            low: BTreeMap::new(),
            stack: Vec::new(),
            circles: Vec::new(),
        };
        for node in graph.keys() {
            if !tarjan.index.contains_key(node) {
                tarjan.visit(node);
            }
        }
        tarjan.circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        tarjan.circles
    }

    fn visit(&mut self, node: &'g T) {
        let own = self.index.len();
        self.index.insert(node, own);
        self.low.insert(node, own);
        self.stack.push(node);
        for next in self.graph.get(node).into_iter().flatten() {
            let reached = match self.index.get(next) {
                None => {
                    self.visit(next);
                    self.low.get(next).copied()
                }
                Some(index) => self.stack.contains(&next).then_some(*index),
            };
            if let (Some(reached), Some(low)) = (reached, self.low.get_mut(node)) {
                *low = (*low).min(reached);
            }
        }
        if self.low[node] == own {
            let at = self.stack.iter().position(|other| *other == node).expect("it was pushed");
            let circle: BTreeSet<T> = self.stack.split_off(at).into_iter().cloned().collect();
            if circle.len() > 1 {
                self.circles.push(circle);
            }
        }
    }
}

/// Each file with those that it imports.
fn imports() -> BTreeMap<Place, BTreeSet<Place>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let mut of = BTreeMap::new();
    for path in &found {
        let below = path.strip_prefix(&root).expect("below src");
        if !is_test(below) && below != Path::new("main.rs") {
            of.insert(place_of(below), names(&std::fs::read_to_string(path).expect("UTF-8")));
        }
    }
    let edges = |(place, names): (&Place, &Names)| {
        let there = names.named.iter().filter_map(|path| resolve(&of, place, path, 0));
        (place.clone(), there.filter(|other| other != place).collect())
    };
    of.iter().map(edges).collect()
}

#[test]
fn no_circle_of_files_is_new_and_none_grows() {
    let mut left = LEFT.to_vec();
    let mut wrong = Vec::new();
    for circle in Tarjan::circles(&imports()) {
        let names: Vec<String> = circle.iter().map(|place| place.join("/")).collect();
        println!("{} files: {}", names.len(), names.join(" "));
        let is_this = |(below, most): &(&str, usize)| {
            let is_below = |place: &Place| place.join("/").starts_with(below);
            circle.iter().all(is_below) && circle.len() <= *most
        };
        match left.iter().position(is_this) {
            Some(at) => drop(left.remove(at)),
            None => wrong.push(names.join(" ")),
        }
    }
    assert!(wrong.is_empty(), "these import each other in a circle:\n{}", wrong.join("\n"));
}

#[test]
fn rooms_import_each_other_in_no_circle() {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (place, others) in imports() {
        let Some(room) = place.first() else { continue };
        let others = others.iter().filter_map(|other| other.first()).filter(|other| *other != room);
        rooms.entry(room.clone()).or_default().extend(others.cloned());
    }
    assert!(rooms["cli"].contains("app"), "imports are found");
    let circles = Tarjan::circles(&rooms);
    assert!(circles.is_empty(), "rooms that import each other: {circles:?}");
}

#[test]
fn a_circle_is_found_through_names_that_are_given_on() {
    let of = [("a", "use crate::b::Name;"), ("b", "pub use c::Name;"), ("b/c", "use crate::{a::{self}};")];
    let of: BTreeMap<Place, Names> =
        of.map(|(place, text)| (place.split('/').map(str::to_owned).collect(), names(text))).into();
    let to = |place: &str, names: &Names| {
        let place: Place = place.split('/').map(str::to_owned).collect();
        resolve(&of, &place, &names.named[0], 0).expect("a file").join("/")
    };
    assert_eq!(to("a", &of[&vec!["a".to_owned()]]), "b/c");
    assert_eq!(to("b/c", &of[&vec!["b".to_owned(), "c".to_owned()]]), "a");
    let graph =
        [(1, BTreeSet::from([2])), (2, BTreeSet::from([3])), (3, BTreeSet::from([1])), (4, [1].into())];
    assert_eq!(Tarjan::circles(&graph.into()), [BTreeSet::from([1, 2, 3])]);
}
