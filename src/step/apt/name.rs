//! Names of packages and patterns of versions, read so that neither can become an option or a verb of apt. Pure.

use crate::step::LowerError;
use crate::step::build::wrong;

/// Packages whose change stops what runs on a host: their services restart, or their processes die.
const TAKES_HOST_OUT: [&str; 16] = [
    "containerd",
    "containerd.io",
    "cri-o",
    "cri-o-runc",
    "crun",
    "dbus",
    "docker-ce",
    "docker.io",
    "kubelet",
    "libc6",
    "moby-containerd",
    "moby-engine",
    "moby-runc",
    "runc",
    "systemd",
    "systemd-sysv",
];

/// Whether changing this package takes the host out of service.
pub(crate) fn takes_host_out(package: &str) -> bool {
    let name = package.split_once(':').map_or(package, |(name, _)| name);
    TAKES_HOST_OUT.contains(&name)
}

/// What YAML and its readers take for true or false; Debian has no packages of these names.
const IS_OR_IS_NOT: [&str; 6] = ["false", "no", "off", "on", "true", "yes"];

/// A package's name, perhaps with an architecture (`libc6:i386`), as Debian policy §5.6.1 allows it. What apt would read
/// as something else is refused: `kubelet-` removes, `kubelet/stable` and `kubelet=1` choose, `-y` is an option.
pub(crate) fn package_name(name: &str) -> Result<&str, LowerError> {
    let (bare, arch) = name.split_once(':').unwrap_or((name, "any"));
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = bare.len() >= 2
        && !IS_OR_IS_NOT.contains(&bare)
        && bare.starts_with(lower)
        && bare.chars().all(|c| lower(c) || "+-.".contains(c))
        && !bare.ends_with('-')
        && !arch.is_empty()
        && arch.chars().all(|c| lower(c) || c == '-');
    if good {
        return Ok(name);
    }
    let hint = "packages are written as `dpkg -l` shows them; a version goes into a mapping: `{kubelet: \"1.31.4-*\"}`";
    Err(wrong(format!("`{}` is no name of a package", name.escape_debug()), hint))
}

/// Which version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Any; left as it is where it is installed.
    Present,
    /// The one that the host's apt prefers.
    Latest,
    /// One that matches.
    Match(String),
}

impl Pattern {
    pub(super) fn read(package: &str, text: &str) -> Result<Self, LowerError> {
        match text {
            "present" => return Ok(Self::Present),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        let known = |c: char| c.is_ascii_alphanumeric() || ".+~:-*?[]!".contains(c);
        // apt takes a hyphen at the very end of an argument for "remove this", and a plus sign for "install this".
        let good = text.starts_with(|c: char| c.is_ascii_digit() || c == '*')
            && text.chars().all(known)
            && !text.ends_with(['-', '+']);
        if good {
            return Ok(Self::Match(text.to_owned()));
        }
        let message = format!("`{}` is no version of `{package}`", text.escape_debug());
        Err(wrong(
            message,
            "write a version with a `*` for the Debian revision (`1.31.4-*`), `present` or `latest`",
        ))
    }

    /// Whether an installed or offered version is what was asked for. `Latest` cannot be told from a version alone.
    ///
    /// This is apt's rule (pkgVersionMatch of apt 2.6): a trailing `*` makes the rest a literal prefix; otherwise the
    /// text is equal, or a shell pattern that matches as a whole. `1.31.?-*` therefore finds nothing, as with apt.
    pub(super) fn matches(&self, version: &str) -> bool {
        match self {
            Self::Present | Self::Latest => true,
            Self::Match(pattern) => match pattern.strip_suffix('*') {
                Some(prefix) => version.starts_with(prefix) || glob(prefix.as_bytes(), version.as_bytes()),
                None => version == pattern || glob(pattern.as_bytes(), version.as_bytes()),
            },
        }
    }
}

/// A package and the version to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WantedPackage {
    pub(super) name: String,
    pub(super) pattern: Pattern,
}

impl WantedPackage {
    /// As one operand of apt-get.
    pub(super) fn operand(&self) -> String {
        match &self.pattern {
            Pattern::Present | Pattern::Latest => self.name.clone(),
            Pattern::Match(pattern) => format!("{}={pattern}", self.name),
        }
    }

    /// For people: "kubelet 1.31.4-*", "kubelet (latest)".
    pub(super) fn show(&self) -> String {
        match &self.pattern {
            Pattern::Present => self.name.clone(),
            Pattern::Latest => format!("{} (latest)", self.name),
            Pattern::Match(pattern) => format!("{} {pattern}", self.name),
        }
    }

    /// The wanted version for people.
    pub(super) fn goal(&self) -> &str {
        match &self.pattern {
            Pattern::Present => "present",
            Pattern::Latest => "latest",
            Pattern::Match(pattern) => pattern,
        }
    }
}

/// fnmatch(3) without flags over bytes, for `*`, `?` and `[…]` with ranges and `!`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        [b'?', rest @ ..] => text.split_first().is_some_and(|(_, tail)| glob(rest, tail)),
        [b'[', rest @ ..] => {
            let Some((&byte, tail)) = text.split_first() else { return false };
            match bracket(rest, byte) {
                Some((hit, after)) => hit && glob(after, tail),
                None => byte == b'[' && glob(rest, tail),
            }
        }
        [literal, rest @ ..] => {
            text.split_first().is_some_and(|(byte, tail)| byte == literal && glob(rest, tail))
        }
    }
}

/// Whether a byte is in the bracket expression that begins here, and what follows it; `None` when it does not end.
fn bracket(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, set) = match pattern {
        [b'!', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    // A `]` in the first place is a member.
    let end = set.iter().skip(1).position(|byte| *byte == b']')? + 1;
    let (mut members, mut hit) = (&set[..end], false);
    while let [first, rest @ ..] = members {
        if let [b'-', last, rest @ ..] = rest {
            hit |= (*first..=*last).contains(&byte);
            members = rest;
        } else {
            hit |= *first == byte;
            members = rest;
        }
    }
    Some((hit != negated, &set[end + 1..]))
}
