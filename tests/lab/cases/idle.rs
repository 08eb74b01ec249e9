//! A host is idle for longer than ssh keeps a connection, while the run goes on elsewhere. What the run gave it is gone from
//! it when the run has ended: no record of the launcher, and no secret. Hosts without a cluster.

use std::fs;

use super::Level;
use super::rollbook::{Files, start_with};
use crate::lab::{Lab, Stage};

const SECRET: &str = "correct-horse-battery-staple";
/// Finds the secret, and not the process that looks for it.
const LOOK: &str = "correct-horse-batter[y]-staple";

const RUNBOOK: &str = r#"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: idle }
defaults: { become: true }
secrets: { token: { file: TOKEN } }
phases:
  - name: first
    hosts: w1
    steps:
      - command: { argv: [cat], stdin: "{{ secrets.token }}" }
        effect: changes
  - name: second
    hosts: w2
    steps:
      - command: { argv: [sleep, "90"] }
        effect: changes
        timeout: 5m
"#;

pub(super) fn nothing_stays_on_an_idle_host(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, 2);
    let token = lab.kept.join("token");
    fs::write(&token, SECRET).unwrap();
    let runbook = RUNBOOK.replace("TOKEN", token.to_str().expect("UTF-8"));
    let files = Files::written(&lab, "idle", &runbook);
    start_with(&lab, &files, "idle", "run", &["--yes", "--verbose"]).wait().exits(0);
    for host in ["w1", "w2"] {
        let found = lab.root(
            host,
            &format!("grep -ral -D skip '{LOOK}' /var /run /etc /home /root /tmp; find /var/lib/rollbook -type f ! -name claim; true"),
        );
        assert_eq!(found, "", "left on {host}");
    }
}
