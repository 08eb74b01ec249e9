//! Members of an etcd that runs on hosts of its own, outside the cluster's pods: which hosts they are, which cluster each
//! belongs to, and whether the others are well. etcd itself is asked. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::value::{Duration, escape};

/// How etcdctl reaches the member of its own host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdAccess {
    /// Certificate of the authority; empty where etcd speaks plain HTTP.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cacert: String,
    /// A client's certificate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cert: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
}

/// What etcd says of the member on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdMember {
    /// etcd's id of the cluster, in hexadecimal; empty where it could not be asked.
    pub cluster: String,
    /// Why the member must stay up.
    pub blocked: Option<String>,
}

/// What tells whether a host runs a member: its unit, and its processes.
pub fn etcd_presence() -> Vec<Query> {
    let query = |words: &[&str]| Query {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        ..Query::default()
    };
    vec![
        query(&["systemctl", "is-active", "etcd.service"]),
        query(&["ps", "-e", "-o", "comm=", "-o", "cgroup="]),
    ]
}

/// Reads the answers to [`etcd_presence`]. A process of a pod is a stacked member, which the API server knows; one that
/// somebody started by hand in a session is none that a cluster relies on.
pub fn runs_etcd(answers: &[ProbeOutput]) -> bool {
    let [unit, processes, ..] = answers else { return false };
    let is_active = matches!(unit.stdout.trim(), "active" | "activating" | "reloading" | "deactivating");
    let is_member = |line: &str| {
        let (name, cgroup) = line.trim().split_once(' ').unwrap_or_default();
        let of_service = ["system.slice", "machine.slice", "docker", "libpod"];
        name == "etcd" && !cgroup.contains("kubepods") && of_service.iter().any(|part| cgroup.contains(part))
    };
    is_active || processes.stdout.lines().any(is_member)
}

/// The look that [`read_etcd_member`] reads, for the host that runs the member.
pub fn etcd_member_probe(access: &EtcdAccess) -> Probe {
    let ask = |words: &[&str]| {
        let mut argv: Vec<String> =
            ["env", "ETCDCTL_API=3", "etcdctl", "--dial-timeout=5s", "--command-timeout=10s"]
                .map(str::to_owned)
                .into();
        if !access.cacert.is_empty() {
            argv.push("--endpoints=https://127.0.0.1:2379".to_owned());
            argv.push(format!("--cacert={}", access.cacert));
            argv.push(format!("--cert={}", access.cert));
            argv.push(format!("--key={}", access.key));
        }
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        argv.extend(["-w", "json"].map(str::to_owned));
        Query { argv, ..Query::default() }
    };
    Probe {
        site: Site::Subject,
        queries: vec![
            ask(&["endpoint", "status"]),
            ask(&["member", "list"]),
            ask(&["endpoint", "health", "--cluster"]),
        ],
        r#become: true,
        timeout: Duration::from_secs(60),
    }
}

/// What to do where etcd cannot be asked and no certificate is named.
const NAME_CERTIFICATES: &str = "see on the host whether etcd runs; where it speaks TLS, name its certificates in the inventory: `kube: { etcd: { hosts, \
     cacert, cert, key } }`";
/// The same where certificates are named.
const LOOK_AT_ETCD: &str =
    "see on the host whether etcd runs, and whether the certificates that `kube.etcd` names are its own";

/// Reads the answers to [`etcd_member_probe`] with the same `access`. `outage_is_accepted` where a cluster of one or two
/// members may stop.
pub fn read_etcd_member(
    answers: &[ProbeOutput],
    access: &EtcdAccess,
    outage_is_accepted: bool,
) -> EtcdMember {
    let hint = if access.cacert.is_empty() { NAME_CERTIFICATES } else { LOOK_AT_ETCD };
    let unknown = |reason: String| EtcdMember {
        cluster: String::new(),
        blocked: Some(format!("etcd cannot be asked: {reason}; {hint}")),
    };
    let [status, members, health] = answers else { return unknown("no answer came".to_owned()) };
    let read = || -> Result<EtcdMember, String> {
        let status = json(status)?;
        let header = &status[0]["Status"]["header"];
        let cluster = header["cluster_id"].as_u64().ok_or("its status names no cluster")?;
        let own = header["member_id"].as_u64().ok_or("its status names no member")?;
        let members = json(members)?;
        let members = members["members"].as_array().ok_or("it lists no members")?.clone();
        // It ends with 1 where any endpoint is not healthy; what it printed counts.
        let health: Json = serde_json::from_str(health.stdout.trim())
            .map_err(|_| format!("its health: {}", last_line(health)))?;
        let blocked = unwell(own, &members, &health).or_else(|| too_few(members.len(), outage_is_accepted));
        Ok(EtcdMember { cluster: format!("{cluster:x}"), blocked })
    };
    read().unwrap_or_else(unknown)
}

fn json(answer: &ProbeOutput) -> Result<Json, String> {
    if !answer.ok() {
        return Err(last_line(answer));
    }
    serde_json::from_str(answer.stdout.trim()).map_err(|_| "what etcdctl printed is no JSON".to_owned())
}

fn last_line(answer: &ProbeOutput) -> String {
    let last = |text: &str| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(escape);
    last(&answer.stderr)
        .or_else(|| last(&answer.stdout))
        .unwrap_or_else(|| format!("etcdctl ended with exit code {}", answer.rc))
}

/// The first other member that is not well.
fn unwell(own: u64, members: &[Json], health: &Json) -> Option<String> {
    let is_healthy = |url: &Json| {
        let mut entries = health.as_array().into_iter().flatten();
        entries.any(|entry| entry["endpoint"] == *url && entry["health"] == Json::Bool(true))
    };
    let sick = members.iter().filter(|member| member["ID"].as_u64() != Some(own)).find(|member| {
        let mut urls = member["clientURLs"].as_array().into_iter().flatten();
        !urls.any(is_healthy)
    })?;
    let name = sick["name"].as_str().filter(|name| !name.is_empty());
    Some(match name {
        Some(name) => format!("etcd member {} is not healthy", escape(name)),
        None => "a member of etcd was added and has not started".to_owned(),
    })
}

fn too_few(members: usize, outage_is_accepted: bool) -> Option<String> {
    (members < 3 && !outage_is_accepted).then(|| {
        let s = if members == 1 { "" } else { "s" };
        format!(
            "etcd has {members} member{s} and no majority without this one; accept that with `policy: {{ \
             control_plane_outage: accept }}`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(stdout: &str) -> ProbeOutput {
        ProbeOutput { rc: 0, stdout: stdout.to_owned(), stderr: String::new() }
    }

    #[test]
    fn a_member_is_known_by_its_unit_or_its_process() {
        let cases = [
            ("active\n", "", true),
            ("inactive\n", "", false),
            ("inactive\n", "etcd            0::/system.slice/docker-4f.scope\n", true),
            ("unknown\n", "sshd 0::/system.slice/ssh.service\netcd 0::/system.slice/etcd3.service\n", true),
            // A stacked member, a test, and something that only begins so.
            ("", "etcd            0::/kubepods.slice/kubepods-burstable.slice/cri-1.scope\n", false),
            ("", "etcd            0::/user.slice/user-0.slice/session-1.scope\netcd -\n", false),
            ("", "etcdkeeper      0::/system.slice/etcdkeeper.service\n", false),
        ];
        for (unit, processes, expected) in cases {
            assert_eq!(runs_etcd(&[answer(unit), answer(processes)]), expected, "{unit} {processes}");
        }
        assert!(!runs_etcd(&[]));
    }

    const STATUS: &str = r#"[{"Endpoint":"127.0.0.1:2379","Status":{"header":{"cluster_id":14841639068965178418,"member_id":1,"revision":1,"raft_term":2},"version":"3.4.30"}}]"#;

    fn members(third: &str) -> String {
        format!(
            r#"{{"header":{{"cluster_id":14841639068965178418}},"members":[{{"ID":1,"name":"e1","clientURLs":["http://a:1"]}},{{"ID":2,"name":"e2","clientURLs":["http://a:2","http://b:2"]}},{third}]}}"#
        )
    }

    const THIRD: &str = r#"{"ID":3,"name":"e3","clientURLs":["http://a:3"]}"#;

    fn health(healthy: &[&str]) -> ProbeOutput {
        let all = ["http://a:1", "http://a:2", "http://b:2", "http://a:3"]
            .map(|url| format!(r#"{{"endpoint":"{url}","health":{},"took":"1ms"}}"#, healthy.contains(&url)));
        ProbeOutput {
            rc: i32::from(healthy.len() < 4),
            stdout: format!("[{}]\n", all.join(",")),
            stderr: String::new(),
        }
    }

    fn read(third: &str, healthy: &[&str]) -> EtcdMember {
        read_etcd_member(
            &[answer(STATUS), answer(&members(third)), health(healthy)],
            &EtcdAccess::default(),
            false,
        )
    }

    #[test]
    fn a_member_may_go_while_every_other_one_is_well() {
        let well = read(THIRD, &["http://a:1", "http://b:2", "http://a:3"]);
        assert_eq!(well, EtcdMember { cluster: "cdf818194e3a8c32".to_owned(), blocked: None });
        // Its own health does not keep it up.
        assert_eq!(read(THIRD, &["http://a:2", "http://a:3"]).blocked, None);
        let sick = read(THIRD, &["http://a:1", "http://a:2"]).blocked;
        assert_eq!(sick.as_deref(), Some("etcd member e3 is not healthy"));
        let added = read(r#"{"ID":3,"name":""}"#, &["http://a:1", "http://a:2"]).blocked;
        assert_eq!(added.as_deref(), Some("a member of etcd was added and has not started"));
    }

    #[test]
    fn two_members_have_no_majority_without_each_other() {
        let two = r#"{"members":[{"ID":1,"name":"e1","clientURLs":["http://a:1"]},{"ID":2,"name":"e2","clientURLs":["http://a:2"]}]}"#;
        let answers = [answer(STATUS), answer(two), health(&["http://a:1", "http://a:2"])];
        assert!(
            read_etcd_member(&answers, &EtcdAccess::default(), false)
                .blocked
                .is_some_and(|why| why.contains("2 members"))
        );
        assert_eq!(read_etcd_member(&answers, &EtcdAccess::default(), true).blocked, None);
    }

    #[test]
    fn an_etcd_that_cannot_be_asked_keeps_its_member_up() {
        let failed = |stderr: &str| ProbeOutput { rc: 1, stdout: String::new(), stderr: stderr.to_owned() };
        let good = [answer(STATUS), answer(&members(THIRD)), health(&["http://a:2", "http://a:3"])];
        for broken in 0..3 {
            for bad in
                [failed("Error: context deadline exceeded"), answer("gibberish"), answer("[]"), failed("")]
            {
                let mut answers = good.clone();
                answers[broken] = bad.clone();
                // An empty list of health names nobody as healthy.
                let member = read_etcd_member(&answers, &EtcdAccess::default(), true);
                assert!(member.blocked.is_some(), "{broken} {bad:?}");
            }
        }
        assert!(read_etcd_member(&[], &EtcdAccess::default(), true).blocked.is_some());
    }
}
