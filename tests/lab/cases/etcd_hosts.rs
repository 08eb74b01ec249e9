//! An etcd on three hosts of its own, outside any cluster: whatever the budget of a phase says, its members go out of service
//! one at a time, and none while another one is down or cannot be asked. Reboots are real, and etcd speaks TLS.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use super::Level;
use super::rollbook::{Files, Outcome, start_with};
use super::watch::Watch;
use crate::lab::{Lab, Stage, lab as lab_command};

const MEMBERS: [&str; 3] = ["w1", "w2", "w3"];

/// As many slots as there are members: what keeps them apart is etcd.
const RUNBOOK: &str = r"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: etcd-hosts }
defaults: { become: true, timeout: 5m }
phases:
  - name: members
    hosts: HOSTS
    rollout: { max_unavailable: 3, wait_for_budget: 20s }
    steps:
      - reboot: {}
";

const ACCESS: &str =
    "kube:\n  etcd: { hosts: workers, cacert: /etc/etcd/ca.crt, cert: CERT, key: /etc/etcd/tls.key }\n";

/// An authority, and one certificate that serves all members and every client.
const CERTIFICATES: &str = r"set -e
mkdir -p /etc/etcd && cd /etc/etcd
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=etcd-ca -keyout /root/ca.key -out ca.crt 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=etcd -keyout tls.key -out /root/tls.csr 2>/dev/null
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' NAMES >/root/ext
openssl x509 -req -in /root/tls.csr -CA ca.crt -CAkey /root/ca.key -CAcreateserial -CAserial /root/ca.srl -days 2 \
  -extfile /root/ext -out tls.crt 2>/dev/null
tar -cz ca.crt tls.crt tls.key | base64 -w0
";

/// The etcd of the cluster's image, as a unit of the host.
const MEMBER: &str = r"set -e
install -m 755 $(find /var/lib/rollbook-lab/store -path '*/usr/local/bin/etcd' | head -n 1) /usr/local/bin/etcd
mkdir -p /etc/etcd
echo PKI | base64 -d | tar -xz -C /etc/etcd
# Debian's own unit is masked in the lab.
rm -f /etc/systemd/system/etcd.service
cat >/etc/systemd/system/etcd.service <<END
[Unit]
After=network-online.target
Wants=network-online.target
[Service]
Type=notify
Restart=on-failure
ExecStart=/usr/local/bin/etcd --name NAME --data-dir /var/lib/etcd-own \
  --listen-client-urls https://0.0.0.0:2379 --advertise-client-urls https://ADDRESS:2379 \
  --listen-peer-urls https://0.0.0.0:2380 --initial-advertise-peer-urls https://ADDRESS:2380 \
  --initial-cluster CLUSTER --initial-cluster-state new --client-cert-auth --peer-client-cert-auth \
  --trusted-ca-file /etc/etcd/ca.crt --cert-file /etc/etcd/tls.crt --key-file /etc/etcd/tls.key \
  --peer-trusted-ca-file /etc/etcd/ca.crt --peer-cert-file /etc/etcd/tls.crt --peer-key-file /etc/etcd/tls.key
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable -q etcd
systemctl start --no-block etcd
";

pub(super) fn members_go_one_at_a_time(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, MEMBERS.len());
    let addresses = form_a_cluster(&lab);
    one_at_a_time(&lab, &addresses);
    none_while_another_is_down(&lab);
    none_that_cannot_be_asked(&lab);
}

fn one_at_a_time(lab: &Lab, addresses: &[String]) {
    let before = boots(lab);
    let watching = watch(lab, addresses);
    roll(lab, "one at a time", "workers", "/etc/etcd/tls.crt").exits(0);
    let samples = watching.end();
    let after = boots(lab);
    assert!(
        before.iter().zip(&after).all(|(before, after)| before != after),
        "every member rebooted: {after:?}"
    );
    let down: Vec<usize> = samples.iter().map(|up| MEMBERS.len() - up).collect();
    assert!(down.iter().all(|down| *down <= 1), "members down at once: {down:?}");
    let outages = down.windows(2).filter(|pair| pair[0] == 0 && pair[1] == 1).count();
    lab.stage.says(&format!("{} looks at etcd, {outages} outages of one member", samples.len()));
    assert!(outages >= 1, "no outage was seen: {down:?}");
}

/// w2 is down for good: w1 and w3 are the majority.
fn none_while_another_is_down(lab: &Lab) {
    lab.root("w2", "systemctl stop etcd");
    let before = boots(lab);
    let refused = roll(lab, "w2 is down", "workers & !w2", "/etc/etcd/tls.crt");
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    refused.ends_with("etcd member w2 is not healthy");
    assert_eq!(boots(lab), before, "a member rebooted");
    // Nor is w2: what cannot be asked stays as it is.
    let refused = roll(lab, "w2 itself", "w2", "/etc/etcd/tls.crt");
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    refused.ends_with("see on the host whether etcd runs");
    assert_eq!(boots(lab), before, "a member rebooted");
    lab.root("w2", "systemctl start etcd");
    lab.eventually("etcd has all members", |lab| well(lab, "w1") == MEMBERS.len());
}

fn none_that_cannot_be_asked(lab: &Lab) {
    let before = boots(lab);
    let refused = roll(lab, "no certificate", "workers", "/etc/etcd/none.crt");
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    refused.ends_with("etcd cannot be asked");
    assert_eq!(boots(lab), before, "a member rebooted");
}

/// Makes the members; their addresses.
fn form_a_cluster(lab: &Lab) -> Vec<String> {
    let addresses: Vec<String> = MEMBERS
        .iter()
        .map(|host| {
            lab.root("cp1", &format!("getent hosts {host}")).split_whitespace().next().unwrap().to_owned()
        })
        .collect();
    let names: Vec<String> = addresses.iter().map(|address| format!("IP:{address}")).collect();
    let names = format!("IP:127.0.0.1,{}", names.join(","));
    let pki = lab.root("w1", &CERTIFICATES.replace("NAMES", &names));
    let cluster: Vec<String> = MEMBERS
        .iter()
        .zip(&addresses)
        .map(|(host, address)| format!("{host}=https://{address}:2380"))
        .collect();
    for (host, address) in MEMBERS.iter().zip(&addresses) {
        let script = MEMBER
            .replace("PKI", &pki)
            .replace("NAME", host)
            .replace("ADDRESS", address)
            .replace("CLUSTER", &cluster.join(","));
        lab.root(host, &script);
    }
    lab.eventually("etcd has all members", |lab| well(lab, "w1") == MEMBERS.len());
    // cp1 is no member: from there etcd is watched.
    lab.root("cp1", &format!("mkdir -p /etc/etcd && echo {pki} | base64 -d | tar -xz -C /etc/etcd"));
    addresses
}

fn roll(lab: &Lab, name: &str, hosts: &str, cert: &str) -> Outcome {
    let mut files = Files::written(lab, name, &RUNBOOK.replace("HOSTS", &format!("{hosts:?}")));
    let inventory = fs::read_to_string(lab.inventory()).unwrap() + &ACCESS.replace("CERT", cert);
    files.inventory = lab.kept.join(name).with_extension("inventory.yaml");
    fs::write(&files.inventory, inventory).unwrap();
    start_with(lab, &files, name, "run", &["--yes", "--verbose"]).wait()
}

fn boots(lab: &Lab) -> Vec<String> {
    MEMBERS.iter().map(|host| lab.root(host, "cat /proc/sys/kernel/random/boot_id")).collect()
}

const ETCDCTL: &str = "ETCDCTL_API=3 etcdctl --cacert=/etc/etcd/ca.crt --cert=/etc/etcd/tls.crt --key=/etc/etcd/tls.key \
    --command-timeout=2s";

/// How many members a member calls healthy.
fn well(lab: &Lab, host: &str) -> usize {
    let health = format!("{ETCDCTL} --endpoints=https://127.0.0.1:2379 endpoint health --cluster 2>&1; true");
    lab.root(host, &health).matches("is healthy").count()
}

/// Looks from cp1 again and again how many members answer. While a new leader is elected nobody is healthy, so they are asked
/// for their status.
fn watch(lab: &Lab, addresses: &[String]) -> Watch<usize> {
    let endpoints: Vec<String> = addresses.iter().map(|address| format!("https://{address}:2379")).collect();
    let status = format!("{ETCDCTL} --endpoints={} endpoint status 2>/dev/null; true", endpoints.join(","));
    Watch::of(lab, Duration::from_millis(100), move |name| {
        let mut look = lab_command(name, &["ssh", "-n", "-l", "root", "cp1", &status]);
        let said = look.stderr(Stdio::null()).output().expect("the lab's ssh starts");
        Some(String::from_utf8_lossy(&said.stdout).matches("https://").count())
    })
}
