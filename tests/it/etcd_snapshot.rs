//! A real etcd (Debian's `etcd-server` and `etcd-client`) saved by the script that hosts get, with its tools on the host
//! and in a container.

use std::fs;
use std::io::Write as _;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use indexmap::IndexMap;
use rollbook::op::{OpKind, ProbeOutput, resolve_symbols, run_symbol};
use rollbook::step::{Assessment, Lowered, StepKind, Subject, find};
use rollbook::value::Value;

use crate::support::ports::unused_port;
use crate::support::root::{Root, answer, lowered};

/// An etcd that listens on loopback with TLS, and a host's directories around it. It ends with the test.
struct Host {
    root: Root,
    etcd: Child,
    endpoint: String,
}

impl Deref for Host {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.root
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.etcd.kill();
        let _ = self.etcd.wait();
    }
}

impl Host {
    fn new() -> Self {
        let root = Root::new("rollbook-etcd-");
        let at = |name: &str| root.path(name).to_str().unwrap().to_owned();
        let made = Command::new("openssl")
            .args(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=etcd -days 2"
                    .split(' '),
            )
            .args("-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:TRUE".split(' '))
            .args(["-keyout", &at("key.pem"), "-out", &at("crt.pem")])
            .output()
            .expect("openssl, of Debian's package openssl, is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (client, peer) = (unused_port(), unused_port());
        let endpoint = format!("https://127.0.0.1:{client}");
        let etcd = Command::new("etcd")
            .args([
                "--data-dir",
                &at("data"),
                "--listen-client-urls",
                &endpoint,
                "--advertise-client-urls",
                &endpoint,
            ])
            .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer}"))
            .arg(format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"))
            .arg(format!("--initial-cluster=default=http://127.0.0.1:{peer}"))
            .args([
                "--cert-file",
                &at("crt.pem"),
                "--key-file",
                &at("key.pem"),
                "--trusted-ca-file",
                &at("crt.pem"),
            ])
            .arg("--client-cert-auth")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd, of Debian's package etcd-server, is there");
        let mut host = Self { root, etcd, endpoint };
        let manifest = format!("spec:\n    - --data-dir={}\n", host.path("data").display());
        fs::write(host.path("etcd.yaml"), manifest).unwrap();
        // It answers once it has elected itself.
        while !host.etcdctl(&["put", "a", "b"]) {
            let end = host.etcd.try_wait().unwrap();
            assert!(end.is_none(), "etcd ended: {end:?}");
        }
        host
    }

    fn etcdctl(&self, args: &[&str]) -> bool {
        let pki = |flag: &str, name: &str| format!("--{flag}={}", self.path(name).display());
        let mut etcdctl = Command::new("etcdctl");
        etcdctl.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", self.endpoint));
        etcdctl.args([pki("cacert", "crt.pem"), pki("cert", "crt.pem"), pki("key", "key.pem")]).args(args);
        let output = etcdctl.output().expect("etcdctl, of Debian's package etcd-client, is there");
        output.status.success()
    }

    /// The step's arguments; `name` is the snapshot's, after the run.
    fn args(&self, more: &[(&str, Value)]) -> Value {
        let text = |name: &str| Value::Str(self.path(name).to_str().unwrap().to_owned());
        let to = format!("{}/snapshots/{}.db", self.dir.path().display(), run_symbol("id"));
        let mut fields = IndexMap::from([
            ("to".to_owned(), Value::Str(to)),
            ("endpoints".to_owned(), Value::List(vec![Value::Str(self.endpoint.clone())])),
        ]);
        fields.extend(
            [("cacert", "crt.pem"), ("cert", "crt.pem"), ("key", "key.pem")]
                .map(|(field, name)| (field.to_owned(), text(name))),
        );
        fields.extend(more.iter().map(|(field, value)| ((*field).to_owned(), value.clone())));
        Value::Map(fields)
    }

    /// Runs what a host would get in `run`; where `boxed`, no etcdctl is on its path, but a crictl is.
    fn send(&self, argv: &[String], stdin: &str, run: &str, boxed: bool) -> ProbeOutput {
        let resolve = |text: &str| {
            let Ok(text) = resolve_symbols(text, |_| Ok::<_, std::convert::Infallible>(run.to_owned()));
            text
        };
        let script =
            stdin.replace("/etc/kubernetes/manifests/etcd.yaml", self.path("etcd.yaml").to_str().unwrap());
        let mut command = Command::new("/bin/sh");
        command.args(argv[1..].iter().map(|word| resolve(word)));
        if boxed {
            command.env("PATH", self.path("bin"));
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        answer(&output)
    }

    fn look(&self, args: &Value, run: &str, boxed: bool) -> Assessment {
        let query = lower(args).probe.unwrap().queries.remove(0);
        let answer = self.send(&query.argv, &query.stdin, run, boxed);
        kind()
            .assess(args, &subject(), std::slice::from_ref(&answer))
            .unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    fn save(&self, args: &Value, run: &str, boxed: bool) -> ProbeOutput {
        let op = lower(args).ops.remove(0);
        let OpKind::Exec { argv } = &op.kind else { panic!("a command") };
        self.send(argv, &op.stdin, run, boxed)
    }

    /// Programs of the base system without etcd's, and a crictl that runs those of its only container.
    fn put_into_a_box(&self) {
        let bin = self.path("bin");
        fs::create_dir(&bin).unwrap();
        for folder in ["/usr/bin", "/bin"] {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if !entry.file_name().to_string_lossy().starts_with("etcd") {
                    // The same program stands in both.
                    let _ = std::os::unix::fs::symlink(entry.path(), bin.join(entry.file_name()));
                }
            }
        }
        let _ = fs::remove_file(bin.join("crictl"));
        let crictl = "#!/bin/sh\ncase $1 in\nps) echo c0ffee ;;\nexec) [ \"$2\" = c0ffee ] || exit 1\n  shift 2\n  \
                      ETCDCTL_API=3 PATH=/usr/bin:/bin exec \"$@\" ;;\n*) exit 1 ;;\nesac\n";
        fs::write(bin.join("crictl"), crictl).unwrap();
        fs::set_permissions(bin.join("crictl"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Names in the directory of snapshots.
    fn snapshots(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("snapshots")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn kind() -> &'static dyn StepKind {
    find("etcd_snapshot").unwrap()
}

fn subject() -> Subject {
    Subject { host: "cp1".to_owned(), node: Some("cp1".to_owned()), control_plane: true }
}

fn lower(args: &Value) -> Lowered {
    lowered("etcd_snapshot", args, &subject())
}

fn is_satisfied(assessment: &Assessment) -> bool {
    matches!(assessment, Assessment::Satisfied { .. })
}

#[test]
fn a_snapshot_is_saved_opened_again_and_private() {
    let host = Host::new();
    let args = host.args(&[]);
    assert!(matches!(host.look(&args, "r1", false), Assessment::WouldChange { .. }));
    assert!(!host.path("snapshots").exists(), "a look changes nothing");
    let saved = host.save(&args, "r1", false);
    assert_eq!(saved.rc, 0, "{saved:?}");
    let outcome = kind().outcome(&saved.stdout, "").expect("it says what was saved");
    assert!(outcome.contains("r1.db: hash ") && outcome.contains("revision 2"), "{outcome}");
    assert!(is_satisfied(&host.look(&args, "r1", false)));
    let mode = |name: &str| fs::metadata(host.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("snapshots"), mode("snapshots/r1.db")], [0o700, 0o600]);
    assert_eq!(host.snapshots(), ["r1.db", "r1.db.json"], "nothing else is left");

    // etcd's own tool restores it.
    let (db, to) = (host.path("snapshots/r1.db"), host.path("restored"));
    let to = format!("--data-dir={}", to.display());
    assert!(host.etcdctl(&["snapshot", "restore", db.to_str().unwrap(), &to]));

    let before = fs::metadata(&db).unwrap().modified().unwrap();
    let again = host.save(&args, "r1", false);
    assert!(again.rc == 0 && again.stdout.starts_with("it is saved already"), "{again:?}");
    assert_eq!(fs::metadata(&db).unwrap().modified().unwrap(), before, "it is not saved twice");
}

#[test]
fn a_file_that_is_not_what_was_saved_is_saved_anew() {
    let host = Host::new();
    let args = host.args(&[]);
    assert_eq!(host.save(&args, "r1", false).rc, 0);
    let db = host.path("snapshots/r1.db");
    let whole = fs::read(&db).unwrap();
    fs::write(&db, &whole[..whole.len() - 512]).unwrap();
    assert!(matches!(host.look(&args, "r1", false), Assessment::WouldChange { .. }), "cut short");
    assert_eq!(host.save(&args, "r1", false).rc, 0);
    assert!(is_satisfied(&host.look(&args, "r1", false)));
    fs::remove_file(host.path("snapshots/r1.db.json")).unwrap();
    assert!(matches!(host.look(&args, "r1", false), Assessment::WouldChange { .. }), "without its record");
    fs::set_permissions(host.path("snapshots"), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = host.save(&args, "r1", false);
    assert!(refused.rc == 1 && refused.stderr.contains("others may write to it"), "{refused:?}");
}

#[test]
fn etcdctl_of_the_container_writes_where_the_host_sees_it() {
    let host = Host::new();
    host.put_into_a_box();
    let args = host.args(&[]);
    assert!(matches!(host.look(&args, "r1", true), Assessment::WouldChange { .. }));
    let saved = host.save(&args, "r1", true);
    assert_eq!(saved.rc, 0, "{saved:?}");
    assert!(is_satisfied(&host.look(&args, "r1", true)));
    assert_eq!(host.snapshots(), ["r1.db", "r1.db.json"]);
    let data: Vec<_> =
        fs::read_dir(host.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(data, ["member"], "nothing is left in etcd's own directory");
    fs::remove_file(host.path("bin/crictl")).unwrap();
    let Assessment::Refused { reason, .. } = host.look(&args, "r2", true) else {
        panic!("no etcdctl anywhere")
    };
    assert!(reason.contains("there is no etcdctl"), "{reason}");
}

#[test]
fn only_its_own_older_snapshots_go() {
    let host = Host::new();
    let args = host.args(&[("keep", Value::Int(2))]);
    assert_eq!(host.save(&args, "r1", false).rc, 0);
    fs::write(host.path("snapshots/mine.db"), "x").unwrap();
    fs::write(host.path("snapshots/mine.db.json"), "{}").unwrap();
    // Two of one second go by their names.
    for run in ["r2", "r3"] {
        assert_eq!(host.save(&args, run, false).rc, 0);
    }
    assert_eq!(host.snapshots(), ["mine.db", "mine.db.json", "r2.db", "r2.db.json", "r3.db", "r3.db.json"]);
}

#[test]
fn an_etcd_that_does_not_answer_leaves_nothing() {
    let host = Host::new();
    let nobody = format!("https://127.0.0.1:{}", unused_port());
    let args = host.args(&[("endpoints", Value::Str(nobody.clone()))]);
    let failed = host.save(&args, "r1", false);
    assert_eq!(failed.rc, 1);
    assert!(failed.stderr.contains(&format!("etcd does not answer at {nobody}")), "{}", failed.stderr);
    assert!(host.snapshots().is_empty(), "{:?}", host.snapshots());
}
