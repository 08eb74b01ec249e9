//! Which releases of Kubernetes the simulated community repository has, and which it is only taken to have.

use std::sync::LazyLock;

/// Newest patch release that is known of every minor, from the first minor on. A newer one may be out by now.
const KNOWN: [u32; 18] = [15, 14, 17, 17, 17, 16, 15, 16, 15, 15, 14, 14, 10, 6, 2, 4, 2, 0];
const FIRST: u32 = 20;
/// No minor ever had more patch releases.
const LAST_PATCH: u32 = 19;

/// Whether the repository serves a minor.
pub(super) fn has_minor(minor: u32) -> bool {
    releases(minor).is_some()
}

/// Versions of packages of a minor, newest first. Every question to apt of every host reads them.
pub(super) fn versions(minor: u32) -> &'static [String] {
    releases(minor).map_or(&[], |releases| &releases.known)
}

/// Versions that nobody knows, and that may be out by now, oldest first.
pub(super) fn possible(minor: u32) -> &'static [String] {
    releases(minor).map_or(&[], |releases| &releases.possible)
}

struct MinorReleases {
    known: Vec<String>,
    possible: Vec<String>,
}

fn releases(minor: u32) -> Option<&'static MinorReleases> {
    static ALL: LazyLock<Vec<MinorReleases>> = LazyLock::new(|| {
        let of = |(minor, newest): (u32, u32)| {
            let version = |patch| format!("1.{minor}.{patch}-1.1");
            MinorReleases {
                known: (0..=newest).rev().map(version).collect(),
                possible: (newest + 1..=LAST_PATCH).map(version).collect(),
            }
        };
        (FIRST..).zip(KNOWN).map(of).collect()
    });
    ALL.get(usize::try_from(minor.checked_sub(FIRST)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_only_possible() {
        assert_eq!(versions(31).first().map(String::as_str), Some("1.31.14-1.1"));
        assert_eq!(possible(31).first().map(String::as_str), Some("1.31.15-1.1"));
        assert_eq!(possible(31).last().map(String::as_str), Some("1.31.19-1.1"));
        assert!(has_minor(20) && !has_minor(19) && !has_minor(38));
        assert!(versions(99).is_empty());
    }
}
