//! Operating systems by the words that labels and facts have for them: which ones a simulated host can be. That is Linux
//! with apt.

use std::collections::BTreeMap;

/// What a word for an operating system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux with apt, by its `ID` in /etc/os-release.
    Apt(&'static str),
    /// One without apt, which cannot be simulated.
    Other,
    /// It may be anything.
    Unknown,
}

/// Keys of labels whose values name a system, in small letters with underscores, without a domain.
const LABELS: [&str; 9] = [
    "distribution",
    "distro",
    "distro_id",
    "operating_system",
    "os",
    "os_distribution",
    "os_family",
    "os_id",
    "os_name",
];

/// Systems with apt: their own names and those of their releases, and their `ID`.
const APT: [(&str, &str); 30] = [
    ("armbian", "debian"),
    ("bionic", "ubuntu"),
    ("bookworm", "debian"),
    ("bullseye", "debian"),
    ("buster", "debian"),
    ("debian", "debian"),
    ("devuan", "devuan"),
    ("elementary", "elementary"),
    ("focal", "ubuntu"),
    ("forky", "debian"),
    ("jammy", "ubuntu"),
    ("kali", "kali"),
    ("kubuntu", "ubuntu"),
    // Which Linux it is, such a label does not say.
    ("linux", "debian"),
    ("linuxmint", "linuxmint"),
    ("mint", "linuxmint"),
    ("neon", "neon"),
    ("noble", "ubuntu"),
    ("plucky", "ubuntu"),
    ("pop", "pop"),
    ("proxmox", "debian"),
    ("pureos", "pureos"),
    ("pve", "debian"),
    ("questing", "ubuntu"),
    ("raspberry", "raspbian"),
    ("raspbian", "raspbian"),
    ("stretch", "debian"),
    ("trixie", "debian"),
    ("ubuntu", "ubuntu"),
    ("xenial", "ubuntu"),
];

/// Systems without apt, by the word that their names begin with. Digits behind it do not matter.
const OTHERS: [&str; 59] = [
    "aix",
    "al",
    "alma",
    "almalinux",
    "alpine",
    "altlinux",
    "amazon",
    "amazonlinux",
    "amzn",
    "anolis",
    "arch",
    "archlinux",
    "azurelinux",
    "bottlerocket",
    "centos",
    "chromeos",
    "clearlinux",
    "container-optimized",
    "coreos",
    "cos",
    "darwin",
    "el",
    "eurolinux",
    "fcos",
    "fedora",
    "flatcar",
    "freebsd",
    "gentoo",
    "macos",
    "mariner",
    "netbsd",
    "nixos",
    "ol",
    "openbsd",
    "openeuler",
    "opensuse",
    "opensuse-leap",
    "opensuse-microos",
    "oracle",
    "oraclelinux",
    "photon",
    "red",
    "redhat",
    "rhcos",
    "rhel",
    "rocky",
    "rockylinux",
    "scientific",
    "sl-micro",
    "slackware",
    "sle",
    "slem",
    "sles",
    "solaris",
    "suse",
    "talos",
    "void",
    "win",
    "windows",
];

impl System {
    /// What a word says, such as "Ubuntu 22.04", "rhel9" or "Windows Server 2022".
    pub fn of(word: &str) -> Self {
        let word = word.trim().to_ascii_lowercase();
        let first = word.split([' ', '_', '/', ':']).next().unwrap_or_default();
        let name = first.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        let is = |known: &str| {
            name == known || first.strip_prefix(known).is_some_and(|rest| rest.starts_with('-'))
        };
        if let Some((_, id)) = APT.iter().find(|(known, _)| is(known)) {
            return Self::Apt(id);
        }
        if OTHERS.iter().any(|known| is(known)) { Self::Other } else { Self::Unknown }
    }
}

/// The label that names a host's system, and what it says.
pub fn label_of_system(labels: &BTreeMap<String, String>) -> Option<(&str, &str)> {
    let is_of_system = |key: &str| {
        let plain = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase().replace(['-', '.'], "_");
        LABELS.contains(&plain.as_str())
    };
    let named = labels.iter().filter(|(key, _)| is_of_system(key));
    // `kubernetes.io/os: linux` says the least of all.
    let (key, value) = named.max_by_key(|(_, value)| value.as_str() != "linux")?;
    Some((key, value))
}

/// /etc/os-release of a host with these labels.
pub(super) fn release(labels: &BTreeMap<String, String>) -> String {
    let id = match label_of_system(labels).map(|(_, word)| System::of(word)) {
        Some(System::Apt(id)) => id,
        _ => "debian",
    };
    release_of(id, if id == "debian" { "12" } else { "" })
}

/// /etc/os-release with these values.
pub(super) fn release_of(id: &str, version: &str) -> String {
    if (id, version) == ("debian", "12") {
        return DEBIAN.to_owned();
    }
    format!(
        "PRETTY_NAME=\"{id} {version}\"\nNAME=\"{id}\"\nVERSION_ID=\"{version}\"\nID={id}\nID_LIKE=debian\n"
    )
}

const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
    VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_with_apt_are_told_from_others() {
        let other = [
            "rocky",
            "Rocky Linux 9",
            "rhel9",
            "rhel-8",
            "centos-stream-9",
            "windows",
            "Windows Server 2022",
            "win2019",
            "amzn2",
            "al2023",
            "CentOS",
            "red hat",
            "redhat",
            "RedHat",
            "talos",
            "sles15",
            "opensuse-leap",
            "ol8",
            "el9",
            "fedora",
            "flatcar",
            "FreeBSD",
            "oracle linux",
            "suse",
        ];
        for word in other {
            assert_eq!(System::of(word), System::Other, "{word}");
        }
        let apt = [
            ("ubuntu", "ubuntu"),
            ("Ubuntu 22.04", "ubuntu"),
            ("ubuntu-24.04", "ubuntu"),
            ("ubuntu2204", "ubuntu"),
            ("debian12", "debian"),
            ("Debian GNU/Linux", "debian"),
            ("linux", "debian"),
            ("jammy", "ubuntu"),
            ("raspbian", "raspbian"),
        ];
        for (word, id) in apt {
            assert_eq!(System::of(word), System::Apt(id), "{word}");
        }
        for word in ["", "golden-image-7", "22.04", "archive", "elastic", "winter"] {
            assert_eq!(System::of(word), System::Unknown, "{word}");
        }
        assert!(OTHERS.is_sorted() && APT.is_sorted() && LABELS.is_sorted());
    }

    #[test]
    fn labels_name_systems_whatever_their_keys_look_like() {
        let of = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            label_of_system(&labels).map(|(_, word)| word.to_owned())
        };
        assert_eq!(of(&[("kubernetes.io/os", "windows")]).as_deref(), Some("windows"));
        assert_eq!(of(&[("OS-Family", "RedHat")]).as_deref(), Some("RedHat"));
        assert_eq!(of(&[("kubernetes.io/os", "linux"), ("os", "rocky")]).as_deref(), Some("rocky"));
        assert_eq!(of(&[("role", "windows")]), None);
    }
}
