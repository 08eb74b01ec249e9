//! `etcd_snapshot`: etcd saved into a file of the host, and opened again. One script does it (`snapshot.sh`), because
//! where etcdctl is shows only on the host; what its look prints is read in [`look`].

mod look;

use std::sync::LazyLock;

use self::look::SnapshotProbe;
use super::arguments::arguments;
use super::build::{change, exactly, exec, probe, refused, satisfied, unreadable, would_change, wrong};
use super::kind::Kind;
use super::{
    AssessError, Assessment, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject,
    Touches, Verify,
};
use crate::op::{Effect, ProbeOutput, Query, run_symbol, subject_symbol};
use crate::value::{Duration, Type};

/// The kind `etcd_snapshot`.
pub(crate) struct EtcdSnapshot;

/// What the simulated host knows the script by; also its name in a list of processes.
const NAME: &str = "rollbook-etcd-snapshot";

/// Without its comments, as one command whose input is empty: the shell has read all of it before anything runs.
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("snapshot.sh").lines().map(str::trim_start);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    format!("{{\n{}\n}} </dev/null\n", lines.join("\n"))
});

arguments! {
    /// Where the snapshot goes, and where etcd is.
    pub(crate) struct EtcdSnapshotArgs {
        /// The file, as an absolute path with `{{ run.id }}` in it: a snapshot of an earlier run is another one's.
        to: String,
        /// How many snapshots of this step stay in the directory, this one included; all where left out. Only files
        /// that it made itself are removed, the oldest first.
        keep: Option<i64>,
        /// Addresses of an etcd that does not run on this host. The first that answers is saved.
        endpoints: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// The CA of etcd's certificate, on the host.
        cacert: String = pki("ca.crt"),
        /// The certificate to show etcd, on the host.
        cert: String = pki("server.crt"),
        /// Its key, on the host.
        key: String = pki("server.key"),
    }
}

fn pki(file: &str) -> String {
    format!("/etc/kubernetes/pki/etcd/{file}")
}

impl Kind for EtcdSnapshot {
    type Args = EtcdSnapshotArgs;

    const NAME: &'static str = "etcd_snapshot";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Saves etcd, and opens what was saved",
            body: "\
Write it before the first `kubeadm upgrade apply`: a control plane cannot be downgraded, and a snapshot is the way back.

**Where etcdctl comes from.** From the host where it has one; else from etcd's own container, whose static pod kubeadm
makes, by `crictl exec`, or by `kubectl exec` where the host has no crictl. In a container it writes below etcd's data
directory, which the host shares, and the file is moved from there. An etcd elsewhere needs `endpoints` and etcdctl on the host.

**When a snapshot counts.** It was opened again: `etcdutl snapshot status`, or `etcdctl snapshot status` before etcd 3.6,
gave its hash, its revision and its number of keys, and the digest that etcd appends to it fits. These stand in the result,
in `steps.ID.json` (`file hash revision keys size sha256`), and in FILE.json beside the file, which is written last. A run
that is resumed does not save again where the file is there and has the digest of its record.

**The file** holds every secret of the cluster: it is 0600 from its first byte on, and a directory that is made for it is
0700. It is synced before it gets its name. The directory must belong to the user who writes, and to nobody else.

**Refused before anything is touched:** no etcdctl, no etcd on this host and no `endpoints`, a certificate that cannot be
read, and less free space than etcd's database takes and a tenth more.

`timeout` limits the saving. Restoring is not a step: see \"Operating etcd clusters\" in the Kubernetes documentation.",
            example: "- etcd_snapshot: { to: \"/var/backups/rollbook/{{ run.id }}.db\", keep: 5 }\n",
            shorthand: Some("to"),
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let pair = ["cert", "key"].map(|field| written.contains(&field));
        if pair[0] == pair[1] {
            return Vec::new();
        }
        let (there, missing) = if pair[0] { ("cert", "key") } else { ("key", "cert") };
        vec![format!("`{there}` is written without `{missing}`, which belongs to it")]
    }

    fn touches(&self, _: Option<&EtcdSnapshotArgs>) -> Touches {
        Touches::both(vec![Matter::Disks])
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn lower(&self, args: &EtcdSnapshotArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let spec = SnapshotSpec::read(args)?;
        let title = format!("save etcd to {}", spec.to);
        let call = |verb: &str| spec.call(verb, cx);
        let mut save = exec(cx, title.clone(), call("save"), Effect::Changes);
        SCRIPT.clone_into(&mut save.stdin);
        // Its etcdctl may be that of the member's pod.
        save.asks_api = true;
        // Gigabytes take their time, and a lost connection must not cut them off.
        save.long = true;
        let look = Query { stdin: SCRIPT.clone(), ..Query::of_kubectl(call("look")) };
        let look = probe(cx, vec![look]);
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::ZERO,
            within: Duration::from_secs(10),
        };
        Ok(Lowered {
            title,
            role: Role::Goal,
            effect: save.effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: Some(look.clone()),
            poll: None,
            ops: vec![save],
            verify: Some(Verify { probe: look, poll }),
            // A file without its record is not taken for one: it is saved anew.
            repeatable: true,
        })
    }

    fn assess(
        &self,
        _: &EtcdSnapshotArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let look = read(answers)?;
        if let Some(saved) = &look.saved {
            return Ok(satisfied(saved.show()));
        }
        if let Some((reason, hint)) = look.obstacle() {
            return Ok(refused(reason, hint));
        }
        let before = match look.state.as_str() {
            "absent" => "none of this run".to_owned(),
            trouble => format!("not to be relied on: {trouble}"),
        };
        Ok(would_change(vec![change("snapshot of etcd", before, "saved and opened again")], Fidelity::Exact))
    }

    fn assess_verify(
        &self,
        _: &EtcdSnapshotArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let look = read(answers)?;
        Ok(match &look.saved {
            Some(saved) => satisfied(saved.show()),
            None => Assessment::NotYet { reason: format!("the snapshot is {}", look.state) },
        })
    }

    fn outcome(&self, stdout: &str, _: &str) -> Option<String> {
        let record = stdout.lines().rev().find(|line| line.starts_with('{'))?;
        look::SnapshotRecord::read(record).map(|saved| saved.show())
    }
}

fn read(answers: &[ProbeOutput]) -> Result<SnapshotProbe, AssessError> {
    let [answer] = exactly(answers)?;
    SnapshotProbe::read(&answer.stdout)
        .filter(|_| answer.ok())
        .ok_or_else(|| unreadable("the look for a snapshot of etcd", "what is there", answer))
}

/// What a step asks for.
struct SnapshotSpec<'a> {
    to: &'a str,
    keep: i64,
    endpoints: &'a [String],
    /// CA, certificate, key.
    pki: [&'a str; 3],
}

impl<'a> SnapshotSpec<'a> {
    fn read(args: &'a EtcdSnapshotArgs) -> Result<Self, LowerError> {
        let keep = match args.keep {
            Some(keep) if keep >= 1 => keep,
            Some(_) => {
                return Err(wrong(
                    "`keep` is below 1",
                    "this snapshot stays: write 1 or more, or leave `keep` out",
                ));
            }
            None => 0,
        };
        let to = path("to", &args.to)?;
        if !to.contains(&run_symbol("id")) {
            let message = format!("`to` is `{to}`, the same file for every run");
            return Err(wrong(
                message,
                "put `{{ run.id }}` into its name: a snapshot of an earlier run says nothing of this one",
            ));
        }
        let endpoints = args.endpoints.as_deref().unwrap_or_default();
        for endpoint in endpoints {
            let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
            let known = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
            if host.is_none_or(|host| host.is_empty() || !host.chars().all(known)) {
                let message = format!("`{}` is no address of etcd", endpoint.escape_debug());
                return Err(wrong(message, "write it as `https://HOST:2379`"));
            }
        }
        let pki = [path("cacert", &args.cacert)?, path("cert", &args.cert)?, path("key", &args.key)?];
        Ok(Self { to, keep, endpoints, pki })
    }

    fn call(&self, verb: &str, cx: &LowerCx<'_>) -> Vec<String> {
        let mut argv = super::build::argv(&["sh", "-s", "--", NAME, verb, self.to]);
        argv.extend([self.keep.to_string(), cx.timeout.as_secs().max(1).to_string()]);
        argv.extend(self.pki.map(str::to_owned));
        argv.push(cx.subject.node.as_ref().map_or_else(String::new, |_| subject_symbol("node")));
        argv.push(self.endpoints.join(","));
        argv
    }
}

/// An absolute path that stands in a record as it is: nothing that JSON or a list of words would have to quote.
fn path<'a>(field: &str, path: &'a str) -> Result<&'a str, LowerError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    // What stands between the marks of a symbol is written by the run.
    let mut written = path.to_owned();
    for property in ["id", "started"] {
        written = written.replace(&run_symbol(property), "x");
    }
    let bad = !written.starts_with('/')
        || written.ends_with('/')
        || written.split('/').any(|part| part == "..")
        || !written.chars().all(plain);
    if bad {
        let shown = crate::op::show_symbols(path);
        let message = format!("`{field}` is `{}`, which names no file", shown.escape_debug());
        return Err(wrong(message, "write the absolute path of a file: letters, digits and `._-+@:`"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::step::cases;

    #[test]
    fn cases_hold() {
        cases::run("etcd_snapshot");
    }

    /// A case file holds text, and the symbol of a run is none that one can write.
    fn lower(mut args: serde_json::Value) -> Result<Lowered, LowerError> {
        let to = args["to"].as_str().map(|to| to.replace("RUN", &run_symbol("id")));
        args["to"] = json!(to);
        cases::lower(&EtcdSnapshot, &args, &json!({}))
    }

    #[test]
    fn what_could_be_read_as_something_else_is_refused() {
        let rows = [
            (json!({ "to": "/b/RUN \"x\".db" }), "`to` is"),
            (json!({ "to": "b/RUN.db" }), "`to` is"),
            (json!({ "to": "/b/../RUN.db" }), "`to` is"),
            (json!({ "to": "/b/etcd.db" }), "the same file for every run"),
            (json!({ "to": "/b/RUN.db", "keep": 0 }), "`keep` is below 1"),
            (json!({ "to": "/b/RUN.db", "endpoints": ["10.0.0.1:2379"] }), "no address of etcd"),
            (json!({ "to": "/b/RUN.db", "endpoints": ["https://a,b"] }), "no address of etcd"),
            (json!({ "to": "/b/RUN.db", "key": "pki/$(id)" }), "`key` is"),
        ];
        for (args, message) in rows {
            let error = lower(args.clone()).expect_err(message);
            assert!(error.message.contains(message), "{args}: {error}");
        }
        assert!(lower(json!({ "to": "/b/RUN.db", "endpoints": "https://[::1]:2379" })).is_ok());
    }

    #[test]
    fn a_certificate_and_its_key_are_written_together() {
        assert_eq!(EtcdSnapshot.check(&["to", "key"]).len(), 1);
        assert!(EtcdSnapshot.check(&["to", "cert", "key"]).is_empty());
    }
}
