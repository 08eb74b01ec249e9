//! apt's preferences on a simulated host: which version of a package apt wants where nobody names one.

use super::super::files::FileTree;
use super::super::package::Packages;
use super::super::package_version::{compare, glob};

/// Priority of a version that a repository offers, of one that is only installed, and from which a downgrade is meant.
const OFFERED: i64 = 500;
const INSTALLED: i64 = 100;
const DOWNGRADES: i64 = 1000;

/// What a stanza of a preferences file says.
#[derive(Debug, PartialEq, Eq)]
struct Pin {
    packages: Vec<String>,
    versions: PinnedVersions,
    priority: i64,
}

/// Which versions it speaks of.
#[derive(Debug, PartialEq, Eq)]
enum PinnedVersions {
    Like(String),
    /// Those of a host.
    Origin(String),
    /// By fields of Release files, which nobody here has.
    Release,
}

/// The version that apt wants of a package.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Nothing where no version may be installed.
    pub(super) version: Option<String>,
    /// Whether a pin speaks of the package that nobody here can judge.
    pub(super) is_unheard: bool,
}

/// The version of the highest priority, of several the newest. No lower one than what is installed, unless it is pinned
/// to be.
pub(super) fn wanted(files: &FileTree, packages: &Packages, name: &str, lists: &str) -> Wanted {
    let pins: Vec<Pin> = read(files).into_iter().filter(|pin| pin.names(name)).collect();
    let current = packages.installed(name).map(|installed| installed.version.as_str());
    let offered = packages.candidates(name, lists).unwrap_or_default();
    let offers = offered.iter().map(|candidate| (candidate.version, candidate.origin, OFFERED));
    let all = offers.chain(current.map(|version| (version, "", INSTALLED)));
    let judged = all.map(|(version, origin, usual)| {
        let pin = pins.iter().find(|pin| pin.is_of(version, origin));
        (pin.map_or(usual, |pin| pin.priority), version)
    });
    let may = |(priority, version): &(i64, &str)| {
        let is_lower = current.is_some_and(|current| compare(version, current).is_lt());
        *priority >= 0 && (!is_lower || *priority > DOWNGRADES)
    };
    let best = judged.filter(may).max_by(|(priority, version), (other_priority, other)| {
        priority.cmp(other_priority).then_with(|| compare(version, other))
    });
    Wanted {
        version: best.map(|(_, version)| version).or(current).map(str::to_owned),
        is_unheard: pins.iter().any(|pin| pin.versions == PinnedVersions::Release),
    }
}

impl Pin {
    fn names(&self, name: &str) -> bool {
        self.packages.iter().any(|pattern| glob(pattern, name))
    }

    fn is_of(&self, version: &str, origin: &str) -> bool {
        match &self.versions {
            PinnedVersions::Like(pattern) => glob(pattern, version),
            PinnedVersions::Origin(host) => {
                let address = origin.split_once("://").map_or(origin, |(_, address)| address);
                address.split('/').next() == Some(host)
            }
            PinnedVersions::Release => false,
        }
    }
}

/// The preferences of a host, in the order in which apt reads them.
fn read(files: &FileTree) -> Vec<Pin> {
    // apt reads files without an ending, or with this one.
    let is_read = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').is_none_or(|(_, ending)| ending == "pref")
    };
    let parts = files.below("/etc/apt/preferences.d/").filter(|(path, _)| is_read(path));
    let main = files.read("/etc/apt/preferences");
    let texts = main.into_iter().chain(parts.map(|(_, file)| file.text.as_str()));
    texts.flat_map(|text| text.split("\n\n")).filter_map(stanza).collect()
}

fn stanza(text: &str) -> Option<Pin> {
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
        })
    };
    let (kind, what) = value("Pin")?.split_once(' ')?;
    let what = what.trim().trim_matches('"').to_owned();
    let versions = match kind {
        "version" => PinnedVersions::Like(what),
        "origin" => PinnedVersions::Origin(what),
        _ => PinnedVersions::Release,
    };
    let packages = value("Package")?.split_whitespace().map(str::to_owned).collect();
    Some(Pin { packages, versions, priority: value("Pin-Priority")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::super::super::sources::SuiteSource;
    use super::*;

    #[test]
    fn the_highest_priority_wins_and_a_downgrade_must_be_meant() {
        let cases = [
            ("", Some("3.0.16-1~deb12u1")),
            ("Package: openssl\nPin: version 3.0.15*\nPin-Priority: 1001\n", Some("3.0.15-1~deb12u1")),
            ("Package: open*\nPin: version 3.0.15*\nPin-Priority: 600\n", Some("3.0.15-1~deb12u1")),
            ("Package: openssl\nPin: version 3.0.15*\nPin-Priority: 200\n", Some("3.0.16-1~deb12u1")),
            ("Package: openssl\nPin: version 3.0.16*\nPin-Priority: -1\n", Some("3.0.15-1~deb12u1")),
            ("Package: *\nPin: origin deb.debian.org\nPin-Priority: -1\n", Some("3.0.15-1~deb12u1")),
            ("Package: *\nPin: origin \"other\"\nPin-Priority: -1\n", Some("3.0.16-1~deb12u1")),
            ("Package: curl\nPin: version 3.0.15*\nPin-Priority: 1001\n", Some("3.0.16-1~deb12u1")),
        ];
        for (text, expected) in cases {
            let mut packages = Packages::new(None, 0);
            let source = SuiteSource::new("http://deb.debian.org/debian", "bookworm");
            packages.fetched(String::new(), vec![source]);
            let mut files = FileTree::default();
            files.put("/etc/apt/preferences.d/pins", text.to_owned(), "644", 0);
            files.put(
                "/etc/apt/preferences.d/pins.bak",
                "Package: *\nPin: version *\nPin-Priority: -1\n".to_owned(),
                "644",
                0,
            );
            let found = wanted(&files, &packages, "openssl", "");
            assert_eq!(found.version.as_deref(), expected, "{text}");
        }
    }
}
