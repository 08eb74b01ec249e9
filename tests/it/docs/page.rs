//! A page of Markdown: its fenced blocks, headings and links. As much of Markdown as our pages use.

use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first line of text, from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
    /// Why it is not tried, from a comment `<!-- not run: … -->` right above it.
    pub(crate) not_run: Option<String>,
}

/// A page, by its path from the root of the repository.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub(crate) fn read(path: &str) -> Self {
        let text =
            std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    /// The README and every page below docs/.
    pub(crate) fn all() -> Vec<Self> {
        fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    found.push(path);
                }
            }
        }
        let mut paths = vec![root().join("README.md")];
        walk(&root().join("docs"), &mut paths);
        paths.sort();
        let name = |path: &PathBuf| path.strip_prefix(root()).expect("below it").display().to_string();
        paths.iter().map(|path| Self::read(&name(path))).collect()
    }

    /// Every line with its number from 1, and whether it stands in a block or fences one.
    fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut inside = false;
        self.text.lines().enumerate().map(move |(index, line)| {
            let fence = line.starts_with("```");
            let fenced = inside || fence;
            inside ^= fence;
            (index + 1, line, fenced)
        })
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut found: Vec<Block> = Vec::new();
        let mut open = false;
        let mut before = "";
        for (number, line, _) in self.lines() {
            match (line.strip_prefix("```"), open) {
                (Some(language), false) => {
                    let reason =
                        before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
                    found.push(Block {
                        line: number + 1,
                        language: language.to_owned(),
                        text: String::new(),
                        not_run: reason.map(str::to_owned),
                    });
                    open = true;
                }
                (Some(_), true) => open = false,
                (None, true) => {
                    let block = found.last_mut().expect("it is open");
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, false) => {}
            }
            before = line;
        }
        assert!(!open, "{}: a block is not closed", self.path);
        found
    }

    /// Where a link may lead within the page.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (_, line, fenced) in self.lines() {
            let heading = line.trim_start_matches('#');
            if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let slug = slug(heading.trim());
            let same = found.iter().filter(|other| **other == slug).count();
            found.push(if same == 0 { slug } else { format!("{slug}-{same}") });
        }
        found
    }

    /// The target of every link and picture, with its line.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line, fenced) in self.lines() {
            if fenced {
                continue;
            }
            // What stands between backticks is no link.
            let text: String = line
                .split('`')
                .enumerate()
                .map(|(index, part)| if index % 2 == 0 { part } else { "x" })
                .collect();
            for rest in text.split("](").skip(1) {
                found.push((number, rest.split(')').next().expect("a part").to_owned()));
            }
            for rest in text.split("src=\"").skip(1) {
                found.push((number, rest.split('"').next().expect("a part").to_owned()));
            }
        }
        found
    }
}

/// The anchor of a heading, as mdBook and forges make it.
pub(crate) fn slug(heading: &str) -> String {
    let keep = |letter: &char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' ');
    let text: String = heading.to_lowercase().chars().filter(keep).collect();
    text.replace(' ', "-")
}

#[test]
fn blocks_headings_and_links_are_found() {
    let text = "# A `b`: c\n\n[x](y.md#z) `[no](no.md)`\n<!-- not run: needs hosts -->\n```console\n$ ls\n# no heading\n```\n\n## Twice\n## Twice\n";
    let page = Page { path: "x.md".to_owned(), text: text.to_owned() };
    let block = Block {
        line: 6,
        language: "console".to_owned(),
        text: "$ ls\n# no heading\n".to_owned(),
        not_run: Some("needs hosts".to_owned()),
    };
    assert_eq!(page.blocks(), [block]);
    assert_eq!(page.anchors(), ["a-b-c", "twice", "twice-1"]);
    assert_eq!(page.links(), [(3, "y.md#z".to_owned())]);
}
