//! Patching the operating system, planned while the package lists are old: what the plan could not know it calls known later,
//! never "nothing to do", and its run does nothing that was not announced.

use super::rollbook::{Files, call, start_with};
use super::{ACCEPT, Level, prints};
use crate::lab::{Lab, Shape, Stage};

/// A repository of the host's own, with a package that is installed.
const REPOSITORY: &str = r#"set -e
mkdir -p /srv/debs /tmp/lab-pkg/DEBIAN
publish() {
  printf 'Package: lab-tool\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@lab.invalid>\nDescription: lab\n' "$1" \
    >/tmp/lab-pkg/DEBIAN/control
  printf '#!/bin/sh\ntouch /run/reboot-required\n' >/tmp/lab-pkg/DEBIAN/postinst
  chmod 755 /tmp/lab-pkg/DEBIAN/postinst
  dpkg-deb --build /tmp/lab-pkg "/srv/debs/lab-tool_$1.deb" >/dev/null
  { dpkg-deb --field "/srv/debs/lab-tool_$1.deb"
    printf 'Filename: ./lab-tool_%s.deb\nSize: %s\nSHA256: %s\n\n' "$1" "$(stat -c %s "/srv/debs/lab-tool_$1.deb")" \
      "$(sha256sum "/srv/debs/lab-tool_$1.deb" | cut -d' ' -f1)"
  } >>/srv/debs/Packages
}
"#;

/// The host has version 1 and fresh lists, in which there is no other.
const INSTALLED: &str = r"publish 1
echo 'deb [trusted=yes] copy:/srv/debs ./' >/etc/apt/sources.list.d/lab.list
apt-get -qq update
apt-get -qq install lab-tool
rm -f /run/reboot-required
";

/// Version 2 is there, and the lists are of yesterday.
const PUBLISHED: &str = r"publish 2
find /var/lib/apt/lists -exec touch -h -d yesterday {} +
touch -d yesterday /var/lib/apt/lists /var/cache/apt/pkgcache.bin
";

pub(super) fn as_announced_with_old_lists(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    for host in lab.hosts() {
        lab.root(host, &format!("{REPOSITORY}{INSTALLED}"));
        lab.root(host, &format!("{REPOSITORY}{PUBLISHED}"));
    }
    let files = Files::patch(&lab);
    let saved = lab.kept.join("patch.plan.json").to_str().expect("UTF-8").to_owned();
    let planned = start_with(&lab, &files, "plan", "plan", &["-o", &saved, ACCEPT[0]]).wait();
    planned.exits(0);
    let quiet: Vec<&str> = planned
        .stdout
        .lines()
        .filter(|line| line.contains("drain") && line.contains("nothing to do"))
        .collect();
    assert!(quiet.is_empty(), "said to be done, and not known: {quiet:?}\n{}", planned.stdout);
    // That all of it was announced is seen of every run.
    call(&lab, "its run", &["run", &saved, "--yes", "--verbose"]).wait().exits(0);
    patched(&lab);
    a_second_run_changes_nothing(&lab, &files);
}

fn patched(lab: &Lab) {
    for host in lab.hosts() {
        assert_eq!(lab.root(host, "dpkg-query -W -f '${Version}' lab-tool"), "2", "{host}");
        assert_eq!(lab.root(host, "ls /run/reboot-required 2>/dev/null || true"), "", "{host} rebooted");
    }
    lab.all_ready();
    assert!(lab.nodes().iter().all(|node| !node.cordoned), "{:?}", lab.nodes());
}

fn a_second_run_changes_nothing(lab: &Lab, files: &Files) {
    let before = prints::of_hosts(lab);
    start_with(lab, files, "second run", "run", &["--yes", "--verbose", ACCEPT[0]]).wait().exits(0);
    prints::must_be_equal(&before, &prints::of_hosts(lab));
}
