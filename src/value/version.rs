//! Versions as Kubernetes writes them, compared as versions.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// `1.31`, `1.31.4` or `1.31.4-rc.1`, with or without a leading `v`.
///
/// Equality and order look at numbers and pre-release, so `v1.31.4 == 1.31.4`. A version without a patch, such as
/// `1.31`, is a minor: it sorts before every `1.31.x`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number, where one was written.
    pub patch: Option<u32>,
    /// What follows the hyphen, such as `rc.1`.
    pub pre: Option<String>,
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version such as 1.31.4")]
pub struct VersionError(pub String);

impl Version {
    /// Reads a version; build metadata (`+…`) is dropped, as Kubernetes ignores it in comparisons.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let bare = bare.split_once('+').map_or(bare, |(version, _)| version);
        let (numbers, pre) = match bare.split_once('-') {
            Some((_, "")) => return Err(wrong()),
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (bare, None),
        };
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<u32>().map_err(|_| wrong()) } else { Err(wrong()) }
        });
        let major = parts.next().ok_or_else(wrong)??;
        let minor = parts.next().ok_or_else(wrong)??;
        let patch = parts.next().transpose()?;
        if parts.next().is_some() || (pre.is_some() && patch.is_none()) {
            return Err(wrong());
        }
        let pre_is_clean = pre
            .as_deref()
            .is_none_or(|pre| pre.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'));
        if !pre_is_clean {
            return Err(wrong());
        }
        Ok(Self { major, minor, patch, pre })
    }

    /// `1.31` of `1.31.4`.
    #[must_use]
    pub fn to_minor(&self) -> Self {
        Self { major: self.major, minor: self.minor, patch: None, pre: None }
    }

    fn key(&self) -> (u32, u32, Option<u32>, bool) {
        // A release sorts after all of its pre-releases.
        (self.major, self.minor, self.patch, self.pre.is_none())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then_with(|| compare_pre(self.pre.as_deref(), other.pre.as_deref()))
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

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{patch}")?;
        }
        if let Some(pre) = &self.pre {
            write!(f, "-{pre}")?;
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
            assert!(low < high, "{} < {}", pair[0], pair[1]);
        }
        assert_eq!(Version::parse("v1.31.4"), Version::parse("1.31.4"));
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
        ] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }
}
