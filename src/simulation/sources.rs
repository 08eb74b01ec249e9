//! apt's sources files on a simulated host: which repositories they name. One-line and deb822 formats.

use super::files::FileTree;

/// A suite of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SuiteSource {
    /// Its address, with a slash at the end.
    pub(super) uri: String,
    /// Its suite; `/` for a flat repository.
    pub(super) suite: String,
    /// The Kubernetes minor that the repository is for: `31` of `…/v1.31/deb/`.
    pub(super) minor: Option<u32>,
    /// Itself in `apt-cache madison`'s words.
    pub(super) origin: String,
}

impl SuiteSource {
    /// A suite at an address.
    pub(super) fn new(uri: &str, suite: &str) -> Self {
        let uri = uri.trim_end_matches('/');
        let minor = uri.split("/v1.").skip(1).find_map(|rest| rest.split('/').next()?.parse().ok());
        let origin = match minor {
            Some(_) => format!("{uri}  Packages"),
            None => format!("{uri} {suite}/main amd64 Packages"),
        };
        Self { uri: format!("{uri}/"), suite: suite.to_owned(), minor, origin }
    }

    /// Whether it holds the packages of the distribution.
    pub(super) fn is_distribution(&self) -> bool {
        self.minor.is_none()
    }
}

/// The suites that a host's sources files name, or those of one file.
pub(super) fn read(files: &FileTree, only: Option<&str>) -> Vec<SuiteSource> {
    if let Some(path) = only {
        return files.read(path).map(|text| parse(path, text)).unwrap_or_default();
    }
    let main =
        files.read("/etc/apt/sources.list").map(|text| parse("sources.list", text)).unwrap_or_default();
    let parts = files.below("/etc/apt/sources.list.d/").flat_map(|(path, file)| parse(path, &file.text));
    main.into_iter().chain(parts).collect()
}

/// The suites that a sources file of this name and text names.
pub(super) fn parse(path: &str, text: &str) -> Vec<SuiteSource> {
    // apt reads what ends so, in lower case only.
    match path.rsplit_once('.') {
        Some((_, "sources")) => deb822(text),
        Some((_, "list")) => text.lines().filter_map(one_line).collect(),
        _ => Vec::new(),
    }
}

/// `deb [options] URI SUITE COMPONENT…`.
fn one_line(line: &str) -> Option<SuiteSource> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let mut words = rest.split_whitespace();
    Some(SuiteSource::new(words.next()?, words.next()?))
}

/// Stanzas with `URIs:` and `Suites:`.
fn deb822(text: &str) -> Vec<SuiteSource> {
    let mut sources = Vec::new();
    for stanza in text.split("\n\n") {
        let values = |key: &str| -> Vec<&str> {
            let line = stanza.lines().find_map(|line| line.strip_prefix(key));
            line.into_iter().flat_map(str::split_whitespace).collect()
        };
        let suites = values("Suites:");
        for uri in values("URIs:") {
            sources.extend(suites.iter().map(|suite| SuiteSource::new(uri, suite)));
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_name_their_suites() {
        let community = SuiteSource::new("https://pkgs.k8s.io/core:/stable:/v1.31/deb", "/");
        let cases = [
            (
                "a.list",
                "# deb http://no/ x\ndeb [signed-by=/k a=b] https://pkgs.k8s.io/core:/stable:/v1.31/deb/ /\n",
            ),
            (
                "a.sources",
                "Types: deb\nURIs: https://pkgs.k8s.io/core:/stable:/v1.31/deb/\nSuites: /\nSigned-By: /k\n",
            ),
        ];
        for (path, text) in cases {
            assert_eq!(parse(path, text), std::slice::from_ref(&community), "{path}");
        }
        assert_eq!(community.minor, Some(31));
        assert!(parse("a.save", "deb http://a/ b c\n").is_empty());
        assert!(parse("a.list", "deb http://a/debian bookworm main\n")[0].is_distribution());
    }
}
