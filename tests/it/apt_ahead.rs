//! The look at packages as they will be once a repository is switched, by the real apt and gpg of this machine (Debian's
//! `apt` and `gpg`) over an apt root of the test's own. Nothing of that root may change, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use indexmap::IndexMap;
use rollbook::op::{ProbeOutput, Query};
use rollbook::step::ahead::{self, StagedLists};
use rollbook::step::{Assessment, Lowered, SourcesUse, find};
use rollbook::value::Value;

use crate::support::ports::unused_port;
use crate::support::root::{Root, answer, digest, lowered, worker};

/// A host's apt: its configuration, lists and dpkg state below one directory, with kubelet 1.30.8 on hold, and beside
/// them repositories, whose lists are fetched for the old minor only.
struct Host {
    root: Root,
}

impl Deref for Host {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.root
    }
}

impl Host {
    fn new() -> Self {
        let host = Self { root: Root::new("rollbook-apt-") };
        fs::set_permissions(host.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        host.make_for_apt("");
        fs::create_dir(host.path("private")).unwrap();
        // Looks run as several users, as they do on hosts.
        fs::set_permissions(host.path("private"), fs::Permissions::from_mode(0o1777)).unwrap();
        let installed = |name: &str, version: &str, status: &str| {
            format!(
                "Package: {name}\nStatus: {status} ok installed\nArchitecture: all\nVersion: {version}\nMaintainer: m\nDescription: d\n\n"
            )
        };
        let status = installed("kubelet", "1.30.8-1.1", "hold") + &installed("libold", "1.0", "install");
        host.write("var/lib/dpkg/status", &status);
        let root = host.dir.path().display();
        // Hooks like those of Ubuntu and of container images: a look must not run them.
        host.write(
            "apt.conf",
            &format!(
                "Dir \"{root}/\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
                 APT::Update::Post-Invoke {{ \"touch {root}/var/cache/apt/hooked\"; }};\n\
                 APT::Update::Post-Invoke-Success {{ \"touch {root}/var/lib/apt/hooked\"; }};\n\
                 APT::Architecture \"amd64\";\n"
            ),
        );
        host.make_key();
        host.repository("debian", &[("libold", "1.0", ""), ("libnew", "2.0", "")]);
        host.repository("v1.30", &[("kubelet", "1.30.8-1.1", ""), ("kubelet", "1.30.9-1.1", "")]);
        let newer: Vec<(&str, String)> =
            (0..=19).map(|patch| ("kubelet", format!("1.31.{patch}-1.1"))).collect();
        let newer: Vec<(&str, &str, &str)> =
            newer.iter().map(|(name, version)| (*name, version.as_str(), "libnew (>= 2.0)")).collect();
        host.repository("v1.31", &newer);
        let keyring = host.path("trusted.asc");
        host.write(
            "etc/apt/sources.list",
            &format!("deb [signed-by={}] file://{root}/debian/ /\n", keyring.display()),
        );
        let old = format!("deb [signed-by={}] file://{root}/v1.30/ /\n", keyring.display());
        host.write("etc/apt/sources.list.d/kubernetes.list", &old);
        let update = host.command("apt-get", &["update", "-q"]).output().unwrap();
        assert!(update.status.success(), "{}", String::from_utf8_lossy(&update.stderr));
        for hooked in ["var/cache/apt/hooked", "var/lib/apt/hooked"] {
            fs::remove_file(host.path(hooked)).expect("the hooks work where nobody clears them");
        }
        host
    }

    fn gpg(&self, args: &[&str]) {
        let mut gpg = Command::new("gpg");
        gpg.env("GNUPGHOME", self.path("gnupg")).args(["--batch", "--quiet", "--yes"]).args(args);
        let output = gpg.output().expect("gpg, of Debian's package gpg, is there");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn make_key(&self) {
        fs::create_dir(self.path("gnupg")).unwrap();
        fs::set_permissions(self.path("gnupg"), fs::Permissions::from_mode(0o700)).unwrap();
        self.gpg(&[
            "--passphrase",
            "",
            "--quick-gen-key",
            "archive@test.invalid",
            "ed25519",
            "sign",
            "never",
        ]);
        let file = self.path("trusted.asc");
        self.gpg(&["--armor", "--output", file.to_str().unwrap(), "--export"]);
    }

    /// A flat, signed repository of packages that nobody will ever fetch.
    fn repository(&self, name: &str, packages: &[(&str, &str, &str)]) {
        let mut text = String::new();
        for (package, version, depends) in packages {
            let _ = write!(
                text,
                "Package: {package}\nVersion: {version}\nArchitecture: all\nMaintainer: m\nFilename: ./{package}_{version}_all.deb\n\
                 Size: 1\nSHA256: {}\n",
                digest(version.as_bytes())
            );
            if !depends.is_empty() {
                let _ = writeln!(text, "Depends: {depends}");
            }
            text.push_str("Description: d\n\n");
        }
        fs::create_dir(self.path(name)).unwrap();
        self.write(&format!("{name}/Packages"), &text);
        let digest = digest(text.as_bytes());
        let release = format!(
            "Origin: test\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: all amd64\nSHA256:\n {digest} {} Packages\n",
            text.len()
        );
        self.write(&format!("{name}/Release"), &release);
        let (release, signed) =
            (self.path(&format!("{name}/Release")), self.path(&format!("{name}/InRelease")));
        self.gpg(&["--clearsign", "--output", signed.to_str().unwrap(), release.to_str().unwrap()]);
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env("APT_CONFIG", self.path("apt.conf")).env("LC_ALL", "C");
        command
    }

    /// What is on the disk, byte by byte, with times.
    fn prints(&self) -> BTreeMap<PathBuf, String> {
        let mut prints = BTreeMap::new();
        let mut folders = vec![self.path("etc"), self.path("var")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                let times = (meta.mtime(), meta.mtime_nsec(), meta.mode(), meta.uid());
                prints.insert(path.clone(), format!("{times:?} {}", digest(&content)));
                if meta.is_dir() {
                    folders.push(path);
                }
            }
        }
        prints
    }

    fn must_be_as(&self, before: &BTreeMap<PathBuf, String>) {
        let after = self.prints();
        let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let changed: Vec<_> =
            paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).collect();
        assert!(changed.is_empty(), "the look changed {changed:?}");
    }

    fn key(&self) -> String {
        fs::read_to_string(self.path("trusted.asc")).unwrap()
    }

    /// Starts a look as a user, with its private directory where the test sees it.
    fn start(&self, query: &Query, user: User) -> Child {
        let here = format!("{}/rollbook-ahead", self.path("private").display());
        let argv: Vec<String> =
            query.argv.iter().map(|word| word.replace("/tmp/rollbook-ahead", &here)).collect();
        let mut command = match user {
            User::This => self.command(&argv[0], &[]),
            User::Nobody => {
                let mut command =
                    self.command("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups"]);
                command.arg(&argv[0]);
                command
            }
        };
        let mut child = command
            .args(&argv[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(query.stdin.as_bytes()).unwrap();
        child
    }

    fn look(&self, query: &Query, user: User) -> ProbeOutput {
        answer(&self.start(query, user).wait_with_output().unwrap())
    }

    /// No private directory outlives its look.
    fn must_be_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.path("private")).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    This,
    Nobody,
}

/// Root looks as root and as a user without any right; others as themselves.
fn users() -> &'static [User] {
    if rustix::process::geteuid().is_root() { &[User::This, User::Nobody] } else { &[User::This] }
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<IndexMap<_, _>>())
}

/// `apt_repo` with the step's own key, over the file that the host has.
fn switch(host: &Host, uri: &str, key: Option<&str>) -> Value {
    let file = host.path("etc/apt/sources.list.d/kubernetes.list");
    let mut fields = IndexMap::from([
        ("name".to_owned(), text("kubernetes")),
        ("uris".to_owned(), Value::List(vec![text(uri)])),
        ("suites".to_owned(), Value::List(vec![text("/")])),
        ("file".to_owned(), text(file.to_str().unwrap())),
    ]);
    match key {
        Some(key) => fields.insert("key".to_owned(), text(key)),
        None => fields.insert("signed_by".to_owned(), text(host.path("trusted.asc").to_str().unwrap())),
    };
    Value::Map(fields)
}

fn install(pattern: &str) -> (Value, Lowered) {
    let args = map([("install", map([("kubelet", text(pattern))])), ("hold", Value::Bool(true))]);
    let lowered = lowered("apt", &args, &worker());
    (args, lowered)
}

fn query(switch: &Value, lowered: &Lowered) -> Query {
    let SourcesUse::Sets(source) = find("apt_repo").unwrap().sources(switch) else {
        panic!("apt_repo sets the sources");
    };
    ahead::query(&[source], [], &[lowered.probe.as_ref().unwrap()])
}

/// What an install means with the sources of `switch` in place, and whether it is out of reach.
fn foreseen(host: &Host, switch: &Value, pattern: &str, user: User) -> (Assessment, bool) {
    let (args, lowered) = install(pattern);
    let answer = host.look(&query(switch, &lowered), user);
    let StagedLists::Answers(answers) = ahead::read(&answer, lowered.probe.unwrap().queries.len()) else {
        panic!("{user:?}: {answer:?}");
    };
    // dpkg-query and apt-mark read this machine's own state; the test's is known.
    let mut answers = answers;
    answers[0] = ProbeOutput { stdout: "kubelet\t1.30.8-1.1\thi \n".to_owned(), ..ProbeOutput::default() };
    answers[1] = ProbeOutput { stdout: "kubelet\n".to_owned(), ..ProbeOutput::default() };
    answers[2] = ProbeOutput::default();
    let apt = find("apt").unwrap();
    (apt.assess(&args, &worker(), &answers).unwrap(), apt.is_out_of_reach(&args, &answers))
}

#[test]
fn the_new_minor_is_seen_and_nothing_of_the_host_changes() {
    let host = Host::new();
    let before = host.prints();
    let root = host.dir.path().display();
    let key = host.key();
    for key in [Some(key.as_str()), None] {
        let switch = switch(&host, &format!("file://{root}/v1.31/"), key);
        for user in users() {
            let (found, _) = foreseen(&host, &switch, "1.31.4-*", *user);
            let Assessment::WouldChange { changes, .. } = &found else { panic!("{user:?}: {found:?}") };
            let shown: Vec<_> = changes
                .iter()
                .map(|change| format!("{} {} → {}", change.what, change.before, change.after))
                .collect();
            // What comes along is in another repository, whose lists the host has already.
            assert_eq!(
                shown,
                ["kubelet 1.30.8-1.1, held → 1.31.4-1.1, held", "libnew not installed → 2.0"],
                "{user:?}"
            );

            let (found, out_of_reach) = foreseen(&host, &switch, "1.31.99-*", *user);
            let Assessment::Refused { reason, .. } = &found else { panic!("{user:?}: {found:?}") };
            assert!(out_of_reach);
            assert!(
                reason
                    .starts_with("kubelet=1.31.99-* is in no repository of this host: it has 1.31.19-1.1, "),
                "{reason}"
            );
            // The old minor is gone with the switch.
            let (found, out_of_reach) = foreseen(&host, &switch, "1.30.9-*", *user);
            assert!(out_of_reach, "{found:?}");
        }
    }
    host.must_be_as(&before);
    host.must_be_clean();
}

#[test]
fn what_makes_a_repository_useless_is_said_in_apts_words() {
    let host = Host::new();
    let before = host.prints();
    let root = host.dir.path().display().to_string();
    let stranger = Host::new().key();
    let port = unused_port();
    let good = format!("file://{root}/v1.31/");
    let cases = [
        ("an unknown key", switch(&host, &good, Some(&stranger)), "NO_PUBKEY"),
        ("no such minor", switch(&host, &format!("file://{root}/v1.99/"), None), "v1.99"),
        // Nobody listens there any more.
        (
            "a dead mirror",
            switch(&host, &format!("http://127.0.0.1:{port}/v1.31/"), None),
            "Could not connect",
        ),
    ];
    let (_, lowered) = install("1.31.4-*");
    for (name, switch, wanted) in cases {
        for user in users() {
            let answer = host.look(&query(&switch, &lowered), *user);
            let StagedLists::Unusable(reason) = ahead::read(&answer, 5) else { panic!("{name}: {answer:?}") };
            assert!(reason.contains(wanted), "{name} as {user:?}: {reason}");
            host.must_be_clean();
        }
    }
    host.must_be_as(&before);
}

#[test]
fn a_mirror_that_never_answers_is_given_up_and_leaves_nothing() {
    let host = Host::new();
    let before = host.prints();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/v1.31/", listener.local_addr().unwrap());
    let (_, lowered) = install("1.31.4-*");
    let asking = |uri: &str| query(&switch(&host, uri, None), &lowered);
    let mut query = asking(&uri);
    *query.argv.last_mut().unwrap() = "1".to_owned();
    let answer = host.look(&query, User::This);
    let StagedLists::Unknown(reason) = ahead::read(&answer, 5) else { panic!("{answer:?}") };
    assert_eq!(reason, "fetching the package lists took too long");
    host.must_be_clean();

    // And where the whole look is ended from outside, as its own time limit does.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut query = asking(&format!("http://{}/v1.31/", listener.local_addr().unwrap()));
    *query.argv.last_mut().unwrap() = "600".to_owned();
    let child = host.start(&query, User::This);
    let connection = listener.accept().expect("apt asks the mirror");
    assert!(fs::read_dir(host.path("private")).unwrap().next().is_some());
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(connection);
    assert!(!output.status.success());
    host.must_be_clean();
    host.must_be_as(&before);
}

#[test]
fn a_link_to_the_hosts_own_file_is_never_written_through() {
    let host = Host::new();
    // The sources file is a link into a directory that configuration management owns.
    let (linked, target) =
        (host.path("etc/apt/sources.list.d/kubernetes.list"), host.path("etc/managed.list"));
    fs::rename(&linked, &target).unwrap();
    std::os::unix::fs::symlink(&target, &linked).unwrap();
    let before = host.prints();
    let switch = switch(&host, &format!("file://{}/v1.31/", host.dir.path().display()), None);
    let (found, _) = foreseen(&host, &switch, "1.31.4-*", User::This);
    assert!(matches!(found, Assessment::WouldChange { .. }), "{found:?}");
    host.must_be_as(&before);
}
