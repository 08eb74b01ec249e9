//! Versions as Kubernetes writes them, compared as versions.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What people write where a version is asked for: one release, or a minor that stands for any of its releases.
///
/// There is no `Ord`: precedence ignores the build part and equality counts it. See [`KubeVersion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Version {
    /// `1.31`. It comes before every `1.31.x`.
    Minor(Minor),
    /// `1.31.4`.
    Release(KubeVersion),
}

/// Two numbers, such as `1.31`. Nothing can be installed from it: no program takes it for a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minor {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
}

/// One release: `1.31.4`, `1.31.4-rc.1` or `1.31.4+k3s1`, written with or without a leading `v`, printed without.
///
/// Two are equal when all of their parts are, the build included: `1.31.4+k3s1` is not `1.31.4`. Precedence ignores the
/// build, as semver says, so that neither of those two is older.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubeVersion {
    /// As written. Packages count revisions such as `1.20.2-00`, whose zeros semver does not allow.
    text: Box<str>,
    semver: semver::Version,
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version such as 1.31.4")]
pub struct VersionError(pub String);

impl Minor {
    /// `1.31` of 1 and 31.
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { major, minor }
    }

    /// The minor after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { minor: self.minor.saturating_add(1), ..self }
    }

    /// The minor before it; the first has none and gives itself.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self { minor: self.minor.saturating_sub(1), ..self }
    }

    /// Its first release: `1.31.0`.
    #[must_use]
    pub fn first_release(self) -> KubeVersion {
        let semver = semver::Version::new(self.major, self.minor, 0);
        KubeVersion { text: semver.to_string().into(), semver }
    }
}

impl Version {
    /// Reads a version.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        read(text).ok_or_else(|| VersionError(text.to_owned()))
    }

    /// `1.31` of `1.31.4`.
    pub fn minor(&self) -> Minor {
        match self {
            Self::Minor(minor) => *minor,
            Self::Release(release) => release.minor(),
        }
    }

    /// The release, where it names one.
    pub fn release(&self) -> Option<&KubeVersion> {
        match self {
            Self::Minor(_) => None,
            Self::Release(release) => Some(release),
        }
    }

    /// Whether a release is the one that is written, or any of the minor that is written.
    pub fn includes(&self, is: &KubeVersion) -> bool {
        match self {
            Self::Minor(minor) => is.minor() == *minor,
            Self::Release(release) => is == release,
        }
    }

    /// Which of two versions is older, as semver 2.0.0 §11 says; the build plays no part.
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        match (self.release(), other.release()) {
            (Some(ours), Some(theirs)) => ours.cmp_precedence(theirs),
            (ours, theirs) => self.minor().cmp(&other.minor()).then(ours.is_some().cmp(&theirs.is_some())),
        }
    }

    /// As [`Self::cmp_precedence`], but a minor is equal to each of its releases.
    pub fn cmp_loosely(&self, other: &Self) -> Ordering {
        match (self.release(), other.release()) {
            (Some(ours), Some(theirs)) => ours.cmp_precedence(theirs),
            _ => self.minor().cmp(&other.minor()),
        }
    }

    /// The revision of a package in a text that looks like a version: `1.1` of `1.31.4-1.1`. Packages count their
    /// revisions in numbers, and no release of Kubernetes has a pre-release of nothing but numbers.
    pub fn package_revision(text: &str) -> Option<&str> {
        let (_, revision) = text.split_once('-')?;
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (Self::parse(text).is_ok() && revision.split('.').all(is_number)).then_some(revision)
    }
}

impl KubeVersion {
    /// Reads a release. A minor is none.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        match read(text) {
            Some(Version::Release(release)) => Ok(release),
            Some(Version::Minor(_)) | None => Err(VersionError(text.to_owned())),
        }
    }

    /// `1.31` of `1.31.4`.
    pub fn minor(&self) -> Minor {
        Minor::new(self.semver.major, self.semver.minor)
    }

    /// `4` of `1.31.4`.
    pub fn patch(&self) -> u64 {
        self.semver.patch
    }

    /// Which of two releases is older, as semver 2.0.0 §11 says; the build plays no part.
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        self.semver.cmp_precedence(&other.semver)
    }

    /// Whether it comes before another.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.cmp_precedence(other).is_lt()
    }
}

fn read(text: &str) -> Option<Version> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (numbers, rest) = bare.split_at(end);
    let mut parts = numbers.split('.').map(|part| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok().map(u64::from)).flatten()
    });
    let minor = Minor { major: parts.next()??, minor: parts.next()?? };
    let patch = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let Some(patch) = patch else { return rest.is_empty().then_some(Version::Minor(minor)) };
    let mut semver = semver::Version::new(minor.major, minor.minor, patch?);
    let (pre, build) = match rest.split_once('+') {
        Some((pre, build)) => (pre, Some(build)),
        None => (rest, None),
    };
    if let Some(pre) = pre.strip_prefix('-') {
        semver.pre = pre_release(pre)?;
    }
    if let Some(build) = build.map(semver::BuildMetadata::new) {
        semver.build = build.ok().filter(|build| !build.is_empty())?;
    }
    let text = format!("{minor}.{}{rest}", semver.patch).into();
    Some(Version::Release(KubeVersion { text, semver }))
}

/// What follows the hyphen, numbers with leading zeros included.
fn pre_release(text: &str) -> Option<semver::Prerelease> {
    let without_zeros = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let bare = part.trim_start_matches('0');
        (if !is_number {
            part
        } else if bare.is_empty() {
            "0"
        } else {
            bare
        })
        .to_owned()
    };
    let parts: Vec<String> = text.split('.').map(without_zeros).collect();
    semver::Prerelease::new(&parts.join(".")).ok().filter(|pre| !pre.is_empty())
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for KubeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => minor.fmt(f),
            Self::Release(release) => release.fmt(f),
        }
    }
}

impl From<KubeVersion> for Version {
    fn from(release: KubeVersion) -> Self {
        Self::Release(release)
    }
}

impl From<&KubeVersion> for Version {
    fn from(release: &KubeVersion) -> Self {
        Self::Release(release.clone())
    }
}

impl From<&Self> for Version {
    fn from(version: &Self) -> Self {
        version.clone()
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for KubeVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        Self::parse(&text)
    }
}

impl From<KubeVersion> for String {
    fn from(release: KubeVersion) -> Self {
        release.text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_versions() {
        let ordered = [
            "1.9",
            "1.9.0",
            "1.30",
            "1.30.0-alpha.1",
            "1.30.0-alpha.10",
            "1.30.0-rc.1",
            "1.30.0",
            "v1.30.2",
            "1.31.0+k3s1",
            "2.0",
        ];
        for pair in ordered.windows(2) {
            let (low, high) =
                (Version::parse(pair[0]).expect(pair[0]), Version::parse(pair[1]).expect(pair[1]));
            assert!(low.cmp_precedence(&high).is_lt(), "{} < {}", pair[0], pair[1]);
        }
        assert_eq!(Version::parse("v1.31.4"), Version::parse("1.31.4"));
    }

    #[test]
    fn the_build_tells_versions_apart_and_makes_neither_older() {
        let version = |text: &str| Version::parse(text).expect(text);
        let (first, second) = (version("v1.31.4+k3s1"), version("v1.31.4+k3s2"));
        assert_ne!(first, second);
        assert_ne!(first, version("1.31.4"));
        assert!(first.cmp_precedence(&second).is_eq() && first.cmp_precedence(&version("1.31.4")).is_eq());
        assert_eq!(first.to_string(), "1.31.4+k3s1");
        assert_eq!(version("1.31.4-rc.1+rke2r1").to_string(), "1.31.4-rc.1+rke2r1");
    }

    #[test]
    fn a_minor_is_no_release_and_includes_its_releases() {
        let release = KubeVersion::parse("v1.31.4-rc.1").expect("a release");
        assert!(KubeVersion::parse("1.31").is_err());
        assert_eq!((release.minor(), release.patch()), (Minor::new(1, 31), 4));
        for (wanted, included) in [
            ("1.31", true),
            ("1.31.4-rc.1", true),
            ("1.31.4", false),
            ("1.31.4-rc.1+k3s1", false),
            ("1.3", false),
        ] {
            assert_eq!(Version::parse(wanted).expect(wanted).includes(&release), included, "{wanted}");
        }
        assert_eq!(Minor::new(1, 31).first_release(), KubeVersion::parse("v1.31.0").expect("a release"));
    }

    #[test]
    fn versions_are_printed_as_they_are_written() {
        for (text, printed) in [
            ("v1.31.4+k3s1", "1.31.4+k3s1"),
            ("1.31", "1.31"),
            ("v1.20.2-00", "1.20.2-00"),
            ("1.31.4-rc.1+rke2r1", "1.31.4-rc.1+rke2r1"),
            ("1.31.4+k3s-1", "1.31.4+k3s-1"),
        ] {
            let version = Version::parse(text).expect(text);
            assert_eq!(version.to_string(), printed);
            let json = serde_json::to_string(&version).expect("a string");
            assert_eq!(json, format!("\"{printed}\""));
            assert_eq!(serde_json::from_str::<Version>(&json).expect(&json), version);
        }
    }

    #[test]
    fn revisions_of_packages_are_no_pre_releases() {
        let cases = [
            ("1.31.4-1.1", Some("1.1")),
            ("v1.20.2-00", Some("00")),
            ("1.31.4-150500.2.1", Some("150500.2.1")),
            ("1.31.4", None),
            ("1.31.4-rc.1", None),
            ("1.31.4+k3s1", None),
            ("1.31.4-eks-5e0fdde", None),
            ("a-1", None),
        ];
        for (text, revision) in cases {
            assert_eq!(Version::package_revision(text), revision, "{text}");
        }
    }

    #[test]
    fn text_that_only_looks_like_a_version_is_refused() {
        for text in [
            "",
            "1",
            "v",
            "1.",
            "1.31.",
            "1.31.x",
            "1.31-rc.1",
            "1.2.3.4",
            "1.31.0-",
            "1.31.0-00_1",
            " 1.31",
            "1.+2",
            "1.31+k3s1",
            "1.31.4+",
            "1.31.4+a b",
        ] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }
}
