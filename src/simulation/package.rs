//! Packages: what is installed on a host, what repositories offer, what was downloaded. Pure tables and lookups.

use std::collections::{BTreeMap, BTreeSet};

use super::package_version::{compare, glob};
use super::releases;
use super::sources::SuiteSource;
use super::world::Millis;
use crate::value::{KubeVersion, Minor};

/// What every minor's repository holds in the minor's own version.
pub(super) const KUBERNETES_PACKAGES: [&str; 3] = ["kubeadm", "kubectl", "kubelet"];
/// Where a version comes from that is taken to be on offer, in the place of a repository.
const ASSUMED: &str = "assumed";
/// Bytes of one archive, for the texts.
pub(super) const ARCHIVE_BYTES: u64 = 19_300_000;

/// The distribution's own packages: name, installed at first, offered.
const DISTRIBUTION: [(&str, Option<&str>, &str); 14] = [
    ("bash", Some("5.2.15-2+b7"), "5.2.15-2+b8"),
    ("ca-certificates", Some("20230311"), "20230311+deb12u1"),
    ("chrony", None, "4.3-2+deb12u1"),
    ("containerd", Some("1.6.20~ds1-1+b1"), "1.6.20~ds1-1+deb12u1"),
    ("cri-tools", Some("1.30.0-1.1"), "1.30.0-1.1"),
    ("curl", Some("7.88.1-10+deb12u8"), "7.88.1-10+deb12u12"),
    ("jq", None, "1.6-2.1+deb12u1"),
    ("kubernetes-cni", Some("1.4.0-1.1"), "1.4.0-1.1"),
    ("linux-image-amd64", Some("6.1.119-1"), "6.1.140-1"),
    ("nginx", None, "1.22.1-9+deb12u2"),
    ("openssh-server", Some("1:9.2p1-2+deb12u3"), "1:9.2p1-2+deb12u6"),
    ("openssl", Some("3.0.15-1~deb12u1"), "3.0.16-1~deb12u1"),
    ("runc", Some("1.1.5+ds1-1+b1"), "1.1.5+ds1-1+deb12u1"),
    ("systemd", Some("252.31-1~deb12u1"), "252.38-1~deb12u1"),
];

/// Clusters of this minor or a newer one begin with containerd 2.
const CONTAINERD_2_FROM: Minor = Minor::new(1, 35);

/// Packages of one host, and the state of its apt.
#[derive(Clone, Debug)]
pub(super) struct Packages {
    installed: BTreeMap<String, InstalledPackage>,
    held: BTreeSet<String>,
    /// What `apt-get update` fetched last, by the directory of the lists.
    lists: BTreeMap<String, Vec<SuiteSource>>,
    /// Newer versions that the distribution's repository has got since, and what of them was fetched, as above.
    published: BTreeMap<String, String>,
    news: BTreeMap<String, BTreeMap<String, String>>,
    /// File names in /var/cache/apt/archives.
    pub(super) archives: BTreeSet<String>,
    /// An installation was killed between unpacking and configuring.
    pub(super) interrupted: Option<String>,
    /// Packages and beginnings of versions that the repositories lack.
    pub(super) missing: Vec<(String, String)>,
    /// Packages that somebody told of: versions by name, newest first, and where they come from.
    told: BTreeMap<String, Vec<(String, String)>>,
    /// Versions that nobody told of, and that are taken to be on offer.
    supposed: BTreeMap<String, Vec<String>>,
}

/// One installed package.
#[derive(Clone, Debug)]
pub(super) struct InstalledPackage {
    /// Its version, revision included.
    pub(super) version: String,
    /// When its files were put in place.
    pub(super) at: Millis,
}

/// A version that a repository offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'p> {
    /// Version with revision.
    pub(super) version: &'p str,
    /// The repository in `apt-cache madison`'s words.
    pub(super) origin: &'p str,
}

impl Packages {
    /// A host as it stands before an upgrade: the distribution's packages and, on a node, Kubernetes on hold.
    pub(super) fn new(kubernetes: Option<&KubeVersion>, at: Millis) -> Self {
        let mut packages = Self {
            installed: BTreeMap::new(),
            held: BTreeSet::new(),
            lists: BTreeMap::new(),
            published: BTreeMap::new(),
            news: BTreeMap::new(),
            archives: BTreeSet::new(),
            interrupted: None,
            missing: Vec::new(),
            told: BTreeMap::new(),
            supposed: BTreeMap::new(),
        };
        for (name, installed, _) in DISTRIBUTION {
            if let Some(version) = installed {
                packages.put(name, version, at);
            }
        }
        if let Some(version) = kubernetes {
            // Newer kubelets are at home with containerd 2, which this distribution does not have.
            if version.minor() >= CONTAINERD_2_FROM {
                packages.remove("containerd");
                packages.put("containerd.io", "2.1.9-1~debian.12~bookworm", at);
            }
            for name in KUBERNETES_PACKAGES {
                packages.put(name, &format!("{version}-1.1"), at);
                packages.held.insert(name.to_owned());
            }
        }
        packages
    }

    /// The installed package of that name.
    pub(super) fn installed(&self, name: &str) -> Option<&InstalledPackage> {
        self.installed.get(name)
    }

    /// All installed packages, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &InstalledPackage)> {
        self.installed.iter().map(|(name, installed)| (name.as_str(), installed))
    }

    /// Puts a version in place.
    pub(super) fn put(&mut self, name: &str, version: &str, at: Millis) {
        self.installed.insert(name.to_owned(), InstalledPackage { version: version.to_owned(), at });
    }

    /// Makes every package of the distribution as new as its repository has it.
    pub(super) fn bring_up_to_date(&mut self, at: Millis) {
        for (name, _, newest) in DISTRIBUTION {
            if self.installed.contains_key(name) {
                self.put(name, newest, at);
            }
        }
    }

    /// Takes a package away.
    pub(super) fn remove(&mut self, name: &str) {
        self.installed.remove(name);
        self.held.remove(name);
    }

    /// Whether it is on hold.
    pub(super) fn is_held(&self, name: &str) -> bool {
        self.held.contains(name)
    }

    /// These are on hold, and no others.
    pub(super) fn hold_exactly(&mut self, names: &[String]) {
        self.held = names.iter().cloned().collect();
    }

    /// Puts it on hold; whether that changed anything.
    pub(super) fn hold(&mut self, name: &str) -> bool {
        self.held.insert(name.to_owned())
    }

    /// Takes it off hold; whether that changed anything.
    pub(super) fn unhold(&mut self, name: &str) -> bool {
        self.held.remove(name)
    }

    /// Names of all packages on hold.
    pub(super) fn held(&self) -> impl Iterator<Item = &str> {
        self.held.iter().map(String::as_str)
    }

    /// The Kubernetes version of an installed package, without its revision.
    pub(super) fn kubernetes_version(&self, name: &str) -> Option<KubeVersion> {
        let version = &self.installed.get(name)?.version;
        KubeVersion::parse(version.split_once('-').map_or(version.as_str(), |(upstream, _)| upstream)).ok()
    }

    /// Remembers what an update fetched into a directory of lists.
    pub(super) fn fetched(&mut self, lists: String, from: Vec<SuiteSource>) {
        self.news.insert(lists.clone(), self.published.clone());
        self.lists.insert(lists, from);
    }

    /// The distribution's repository offers a newer version from now on; who has old lists does not know it.
    pub(super) fn publish(&mut self, name: &str, version: &str) {
        self.published.insert(name.to_owned(), version.to_owned());
    }

    /// Forgets what was fetched into a directory of lists that is gone.
    pub(super) fn forget(&mut self, lists: &str) {
        self.lists.remove(lists);
    }

    /// Whether lists of that suite were fetched.
    pub(super) fn has_lists_of(&self, lists: &str, source: &SuiteSource) -> bool {
        self.lists.get(lists).is_some_and(|fetched| fetched.contains(source))
    }

    /// Offers a version of a package from now on, whatever lists were fetched. Of such a package nothing else is known.
    pub(super) fn offer(&mut self, name: &str, version: &str, origin: &str) {
        let versions = self.told.entry(name.to_owned()).or_default();
        if !versions.iter().any(|(known, _)| known == version) {
            versions.push((version.to_owned(), origin.to_owned()));
            versions.sort_by(|(left, _), (right, _)| compare(right, left));
        }
    }

    /// Takes a package to be on offer in a version that fits, where nobody knows better. What somebody told of is known in
    /// full; of the distribution's packages, the version of its table.
    pub(super) fn suppose(&mut self, name: &str, pattern: Option<&str>, lists: &str) {
        if self.told.contains_key(name) {
            return;
        }
        let fits = |version: &str| pattern.is_none_or(|pattern| glob(pattern, version));
        let fitting = match (self.candidates(name, lists), self.installed(name)) {
            // The distribution's lists were not fetched, or lack it: that is how it is.
            (None, _) if is_of_distribution(name) => return,
            (Some(offered), _) if offered.iter().any(|candidate| fits(candidate.version)) => return,
            _ if KUBERNETES_PACKAGES.contains(&name) => match self.possible_release(lists, fits) {
                Some(version) => version.to_owned(),
                None => return,
            },
            (_, Some(installed)) if fits(&installed.version) => installed.version.clone(),
            _ => fitting(pattern.unwrap_or_default()),
        };
        if !self.is_missing(name, &fitting) {
            let versions = self.supposed.entry(name.to_owned()).or_default();
            versions.push(fitting);
            versions.sort_by(|left, right| compare(right, left));
        }
    }

    /// A release of Kubernetes that nobody knows, in a repository that was fetched.
    fn possible_release(&self, lists: &str, fits: impl Fn(&str) -> bool) -> Option<&'static str> {
        let mut possible = self.minors(lists).flat_map(releases::possible).map(String::as_str);
        possible.find(|version| fits(version))
    }

    /// Minors of Kubernetes whose repositories were fetched.
    fn minors(&self, lists: &str) -> impl Iterator<Item = u32> {
        self.lists.get(lists).into_iter().flatten().filter_map(|source| source.minor)
    }

    /// Whether nobody knows anything of a package of this name.
    pub(super) fn is_unheard(&self, name: &str) -> bool {
        !(KUBERNETES_PACKAGES.contains(&name) || is_of_distribution(name) || self.told.contains_key(name))
    }

    /// Whether this version is only taken to be on offer.
    pub(super) fn is_supposed(&self, name: &str, version: &str) -> bool {
        self.supposed.get(name).is_some_and(|versions| versions.iter().any(|known| known == version))
    }

    /// What the fetched lists offer for a package, newest first, and then what is taken to be on offer. `None`: no list
    /// knows the name.
    pub(super) fn candidates(&self, name: &str, lists: &str) -> Option<Vec<Candidate<'_>>> {
        // A release of Kubernetes comes from the repository of its minor alone.
        let is_offered = |version: &&String| {
            !KUBERNETES_PACKAGES.contains(&name)
                || self.minors(lists).any(|minor| releases::possible(minor).contains(version))
        };
        let supposed = self.supposed.get(name).map(|versions| versions.iter().filter(is_offered));
        let supposed =
            supposed.map(|versions| versions.map(|version| Candidate { version, origin: ASSUMED }));
        match (self.listed(name, lists), supposed) {
            (listed, None) => listed,
            (listed, Some(supposed)) => {
                let all: Vec<Candidate> = listed.into_iter().flatten().chain(supposed).collect();
                (!all.is_empty()).then_some(all)
            }
        }
    }

    fn listed(&self, name: &str, lists: &str) -> Option<Vec<Candidate<'_>>> {
        if let Some(told) = self.told.get(name) {
            let offered = told.iter().filter(|(version, _)| !self.is_missing(name, version));
            let offered: Vec<Candidate> =
                offered.map(|(version, origin)| Candidate { version, origin }).collect();
            return (!offered.is_empty()).then_some(offered);
        }
        let fetched = self.lists.get(lists)?;
        if KUBERNETES_PACKAGES.contains(&name) {
            let mut repositories: Vec<(u32, &str)> =
                fetched.iter().filter_map(|source| Some((source.minor?, source.origin.as_str()))).collect();
            repositories.sort_by_key(|(minor, _)| std::cmp::Reverse(*minor));
            let offers = |(minor, origin)| {
                releases::versions(minor).iter().map(move |version| Candidate { version, origin })
            };
            let offered: Vec<Candidate> = repositories
                .into_iter()
                .flat_map(offers)
                .filter(|candidate| !self.is_missing(name, candidate.version))
                .collect();
            return (!offered.is_empty()).then_some(offered);
        }
        let (_, _, first) = DISTRIBUTION.iter().find(|(known, _, _)| *known == name)?;
        let version = self.news.get(lists).and_then(|news| news.get(name)).map_or(*first, String::as_str);
        if self.is_missing(name, version) {
            return None;
        }
        let source = fetched.iter().find(|source| source.is_distribution())?;
        Some(vec![Candidate { version, origin: &source.origin }])
    }

    fn is_missing(&self, name: &str, version: &str) -> bool {
        self.missing.iter().any(|(package, prefix)| package == name && version.starts_with(prefix.as_str()))
    }
}

fn is_of_distribution(name: &str) -> bool {
    DISTRIBUTION.iter().any(|(known, _, _)| *known == name)
}

/// A version that fits a pattern of apt's: the pattern, with something in place of its wildcards.
fn fitting(pattern: &str) -> String {
    let version = pattern.replace(['*', '?'], "0");
    if version.starts_with(|first: char| first.is_ascii_digit()) && version != "0" {
        version
    } else {
        "1.0-1".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_on_offer_as_it_is_asked_for() {
        let version = KubeVersion::parse("1.30.2").expect("a version");
        let mut packages = Packages::new(Some(&version), 0);
        let debian = SuiteSource::new("http://deb.debian.org/debian", "bookworm");
        packages.fetched(String::new(), vec![SuiteSource::new("https://mirror/v1.30/deb/", "/"), debian]);
        packages.missing.push(("gone".to_owned(), "1.".to_owned()));
        packages.offer("told", "1.6.9-1", "docker");
        packages.put("ours", "2.4-1", 0);
        let cases = [
            ("containerd.io", Some("1.7.*"), Some("1.7.0")),
            ("linux-image-generic", None, Some("1.0-1")),
            ("runc", Some("1.2.*"), Some("1.2.0")),
            ("ours", None, Some("2.4-1")),
            // These are known as they are.
            ("containerd", Some("1.6.*"), None),
            ("jq", None, None),
            ("kubelet", Some("1.31.*"), None),
            ("kubelet", Some("1.30.14-*"), None),
            ("kubelet", Some("1.30.99-*"), None),
            // Of a known minor, and newer than what is known of it.
            ("kubeadm", Some("1.30.17-*"), Some("1.30.17-1.1")),
            ("told", Some("1.7.*"), None),
            ("gone", Some("1.2-*"), None),
        ];
        for (name, pattern, expected) in cases {
            packages.suppose(name, pattern, "");
            let supposed = packages.supposed.get(name).and_then(|versions| versions.first());
            assert_eq!(supposed.map(String::as_str), expected, "{name} {pattern:?}");
        }
        let offered = packages.candidates("runc", "").expect("known");
        assert_eq!(
            offered.first().map(|first| first.origin != ASSUMED),
            Some(true),
            "what is known goes first"
        );
    }

    #[test]
    fn only_what_was_fetched_is_offered() {
        let version = KubeVersion::parse("1.30.2").expect("a version");
        let mut packages = Packages::new(Some(&version), 0);
        assert_eq!(packages.candidates("kubelet", ""), None, "nothing was fetched");
        let source = |minor: u32| SuiteSource::new(&format!("https://mirror/v1.{minor}/deb/"), "/");
        packages.fetched(String::new(), vec![source(31), source(30)]);
        let offered = packages.candidates("kubelet", "").expect("known");
        assert_eq!(offered[0].version, "1.31.14-1.1", "the newest first");
        assert!(offered.iter().any(|candidate| candidate.version == "1.30.0-1.1"));
        assert_eq!(packages.candidates("nosuch", ""), None);
        assert_eq!(packages.candidates("jq", ""), None, "the distribution's lists were not fetched");
    }
}
