//! Versions as Kubernetes writes them, compared as versions.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// `1.31`, `1.31.4` or `1.31.4-rc.1`, with or without a leading `v`.
///
/// Two versions are equal when all of their parts are, the build included: `1.31.4+k3s1` is not `1.31.4`. Precedence
/// ignores the build, as semver says, so neither of those two is older; it is a method of its own and not `Ord`, which
/// would disagree with equality. A version without a patch, such as `1.31`, is a minor: it comes before every `1.31.x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number, where one was written.
    pub patch: Option<u32>,
    /// What follows the hyphen, such as `rc.1`.
    pub pre: Option<Box<str>>,
    /// What follows the plus sign, such as `k3s1`.
    pub build: Option<Box<str>>,
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version such as 1.31.4")]
pub struct VersionError(pub String);

impl Version {
    /// Reads a version.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (bare, build) = match bare.split_once('+') {
            Some((bare, build)) => (bare, Some(Box::from(build))),
            None => (bare, None),
        };
        let (numbers, pre) = match bare.split_once('-') {
            Some((_, "")) => return Err(wrong()),
            Some((numbers, pre)) => (numbers, Some(Box::from(pre))),
            None => (bare, None),
        };
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<u32>().map_err(|_| wrong()) } else { Err(wrong()) }
        });
        let major = parts.next().ok_or_else(wrong)??;
        let minor = parts.next().ok_or_else(wrong)??;
        let patch = parts.next().transpose()?;
        if parts.next().is_some() || ((pre.is_some() || build.is_some()) && patch.is_none()) {
            return Err(wrong());
        }
        let is_clean = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        if !pre.as_deref().is_none_or(is_clean)
            || !build.as_deref().is_none_or(|build: &str| !build.is_empty() && is_clean(build))
        {
            return Err(wrong());
        }
        Ok(Self { major, minor, patch, pre, build })
    }

    /// `1.31` of `1.31.4`.
    #[must_use]
    pub fn to_minor(&self) -> Self {
        Self { major: self.major, minor: self.minor, patch: None, pre: None, build: None }
    }

    /// Which of two versions is older, as semver 2.0.0 §11 says; the build plays no part.
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then_with(|| compare_pre(self.pre.as_deref(), other.pre.as_deref()))
    }

    /// Whether it comes before another.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.cmp_precedence(other).is_lt()
    }

    /// The revision of a package in a text that looks like a version: `1.1` of `1.31.4-1.1`. Packages count their
    /// revisions in numbers, and no release of Kubernetes has a pre-release of nothing but numbers.
    pub fn package_revision(text: &str) -> Option<&str> {
        let (_, revision) = text.split_once('-')?;
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (Self::parse(text).is_ok() && revision.split('.').all(is_number)).then_some(revision)
    }

    fn key(&self) -> (u32, u32, Option<u32>, bool) {
        // A release sorts after all of its pre-releases.
        (self.major, self.minor, self.patch, self.pre.is_none())
    }
}

/// Dot-separated identifiers, numbers as numbers and before words, as semver 2.0.0 §11 says.
fn compare_pre(left: Option<&str>, right: Option<&str>) -> Ordering {
    let (Some(left), Some(right)) = (left, right) else { return left.cmp(&right) };
    let mut rights = right.split('.');
    for left in left.split('.') {
        let Some(right) = rights.next() else { return Ordering::Greater };
        let order = match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    if rights.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{patch}")?;
        }
        if let Some(pre) = &self.pre {
            write!(f, "-{pre}")?;
        }
        if let Some(build) = &self.build {
            write!(f, "+{build}")?;
        }
        Ok(())
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
            assert!(low.is_older_than(&high), "{} < {}", pair[0], pair[1]);
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
