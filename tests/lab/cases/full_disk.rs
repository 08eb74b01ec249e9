//! A disk that fills up under apt: what a person reads names the disk, and with room again the roll goes on.

use super::Level;
use super::rollbook::{Files, start_with};
use crate::lab::{Lab, Stage};

/// `packages NAME MIB POSTINST`: a repository of the host's own, with a package of random bytes.
const REPOSITORY: &str = r#"set -e
mkdir -p /srv/debs
publish() {
  rm -rf /tmp/lab-pkg
  mkdir -p /tmp/lab-pkg/DEBIAN /tmp/lab-pkg/opt
  printf 'Package: %s\nVersion: 1\nArchitecture: all\nInstalled-Size: %s\nMaintainer: lab <lab@lab.invalid>\nDescription: lab\n' \
    "$1" "$(($2 * 1024))" >/tmp/lab-pkg/DEBIAN/control
  printf '#!/bin/sh\nset -e\n%s\n' "$3" >/tmp/lab-pkg/DEBIAN/postinst
  chmod 755 /tmp/lab-pkg/DEBIAN/postinst
  head -c "$2M" /dev/urandom >"/tmp/lab-pkg/opt/$1"
  dpkg-deb -Znone --build /tmp/lab-pkg "/srv/debs/$1_1.deb" >/dev/null
  rm -rf /tmp/lab-pkg
  { dpkg-deb --field "/srv/debs/$1_1.deb"
    printf 'Filename: ./%s_1.deb\nSize: %s\nSHA256: %s\n\n' "$1" "$(stat -c %s "/srv/debs/$1_1.deb")" \
      "$(sha256sum "/srv/debs/$1_1.deb" | cut -d' ' -f1)"
  } >>/srv/debs/Packages
}
publish lab-large 48 :
publish lab-greedy 1 'head -c 1G /dev/zero >/var/lib/greedy; echo done'
echo 'deb [trusted=yes] copy:/srv/debs ./' >/etc/apt/sources.list.d/lab.list
apt-get -qq update
"#;

pub(super) fn is_what_a_person_reads(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, 4);
    for host in lab.hosts() {
        lab.root(host, REPOSITORY);
    }
    // apt looks for room before it fetches; dpkg meets the end of the disk when it unpacks, and tidies up; a package's own
    // script fills it; and there was none before anything began.
    installs(
        &lab,
        "w1",
        "lab-large",
        "20000",
        "You don't have enough free space in /var/cache/apt/archives/",
    );
    installs(&lab, "w2", "lab-large", "70000", FULL);
    installs(&lab, "w3", "lab-greedy", "60000", FULL);
    installs(&lab, "w4", "lab-large", "0", FULL);
}

const FULL: &str = "No space left on device";

/// With so many KiB left the install fails and says why; with room again, the same roll ends well.
fn installs(lab: &Lab, host: &str, package: &str, room: &str, reason: &str) {
    let steps = format!("      - apt: {{ install: {{ {package}: \"1\" }} }}\n");
    let text = format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: full }}\ndefaults: {{ become: true }}\n\
         phases:\n  - name: work\n    hosts: {host}\n    steps:\n{steps}"
    );
    let files = Files::written(lab, &format!("full-{host}"), &text);
    let run = |name: &str| {
        start_with(lab, &files, &format!("{name}-{host}"), "run", &["--yes", "--verbose"]).wait()
    };
    lab.run(&["fill", host, room]);
    let full = run("full");
    assert!([10, 11].contains(&full.code), "{full:?}");
    full.ends_with(&format!("{host}  failed at `install {package} 1`")).ends_with(reason).ends_with("disk");
    lab.run(&["heal", host]);
    lab.root(host, "rm -f /var/lib/greedy");
    let again = run("again");
    if again.code != 0 {
        // dpkg could not even write down how far it came: its own words say what mends that.
        again.ends_with("dpkg --configure -a");
        lab.root(host, "dpkg --configure -a");
        run("mended").exits(0);
    }
    assert_eq!(lab.root(host, &format!("dpkg-query -W -f '${{db:Status-Abbrev}}' {package}")), "ii ");
}
