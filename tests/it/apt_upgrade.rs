//! Upgrades of all packages by the real apt and dpkg of this machine, into a root of the test's own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::Deref;
use std::process::Command;

use indexmap::IndexMap;
use rollbook::op::{OpKind, ProbeOutput};
use rollbook::step::{Assessment, Lowered, StepKind, find};
use rollbook::value::Value;

use crate::support::root::{Root, answer, digest, lowered, worker};

/// A root with apt, dpkg's state and a repository beside it.
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
    /// `app`, `lib`, `held`, `clash` and `victim` at 1.0; the repository has 2.0 of all but the last. `app` then needs
    /// `fresh`, which is new; `clash` would need `victim` gone.
    fn new() -> Self {
        let host = Self { root: Root::new("rollbook-upgrade-") };
        host.make_for_apt("root");
        fs::create_dir(host.path("repo")).unwrap();
        let root = host.path("root").display().to_string();
        host.write("root/var/lib/dpkg/status", "");
        host.write(
            "apt.conf",
            &format!(
                "Dir \"{root}/\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\nAPT::Sandbox::User \"root\";\n\
                 DPkg::Options {{ \"--root={root}\"; \"--force-not-root\"; \"--log=/dev/null\"; }};\nAPT::Architecture \"amd64\";\n"
            ),
        );
        host.write(
            "root/etc/apt/sources.list",
            &format!("deb [trusted=yes] file://{}/ ./\n", host.path("repo").display()),
        );
        for name in ["app", "lib", "held", "clash", "victim"] {
            host.package(name, "1.0", "");
        }
        host.publish();
        host.apt(&["apt-get", "-q", "-y", "install", "app", "lib", "held", "clash", "victim"]);
        host.write("root/etc/app.conf", "edited\n");
        host.apt(&["apt-mark", "hold", "held"]);
        host.package("app", "2.0", "Depends: fresh\n");
        host.package("clash", "2.0", "Conflicts: victim\n");
        host.package("fresh", "1.0", "");
        for name in ["lib", "held"] {
            host.package(name, "2.0", "");
        }
        host.publish();
        host
    }

    /// Builds an archive with one configuration file.
    fn package(&self, name: &str, version: &str, more: &str) {
        let tree = self.path("tree");
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        fs::create_dir_all(tree.join("etc")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: m <m@test.invalid>\n{more}Description: d\n"
        );
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        fs::write(tree.join("DEBIAN/conffiles"), format!("/etc/{name}.conf\n")).unwrap();
        fs::write(tree.join(format!("etc/{name}.conf")), format!("{version}\n")).unwrap();
        let to = self.path(&format!("repo/{name}_{version}_all.deb"));
        let built = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build", tree.to_str().unwrap(), to.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    /// Makes the list of what is in the repository, and fetches it.
    fn publish(&self) {
        let mut packages = String::new();
        for entry in fs::read_dir(self.path("repo")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().extension().is_none_or(|extension| extension != "deb") {
                continue;
            }
            let control = Command::new("dpkg-deb").arg("-f").arg(entry.path()).output().unwrap();
            packages.push_str(&String::from_utf8(control.stdout).unwrap());
            let bytes = fs::read(entry.path()).unwrap();
            let digest = digest(&bytes);
            let _ = write!(packages, "Filename: ./{name}\nSize: {}\nSHA256: {digest}\n\n", bytes.len());
        }
        self.write("repo/Packages", &packages);
        self.apt(&["apt-get", "-q", "update"]);
    }

    fn run(&self, argv: &[String]) -> ProbeOutput {
        let mut command = Command::new(&argv[0]);
        // dpkg reads no apt.conf.
        if argv[0] == "dpkg" {
            command
                .arg(format!("--root={}", self.path("root").display()))
                .args(["--force-not-root", "--log=/dev/null"]);
        }
        let output = command
            .args(&argv[1..])
            .env("APT_CONFIG", self.path("apt.conf"))
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap();
        answer(&output)
    }

    fn apt(&self, words: &[&str]) {
        let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let answer = self.run(&argv);
        assert_eq!(answer.rc, 0, "{words:?}: {answer:?}");
    }

    fn look(&self, args: &Value) -> Assessment {
        let queries = lower(args).probe.unwrap().queries;
        let answers: Vec<ProbeOutput> = queries.iter().map(|query| self.run(&query.argv)).collect();
        kind().assess(args, &worker(), &answers).unwrap_or_else(|error| panic!("{error}: {answers:?}"))
    }

    fn changes(&self, args: &Value) -> Vec<String> {
        let Assessment::WouldChange { changes, .. } = self.look(args) else {
            panic!("{:?}", self.look(args))
        };
        changes.iter().map(|change| format!("{} {} → {}", change.what, change.before, change.after)).collect()
    }

    /// Runs the step's ops; gives what the last one said on standard error.
    fn carry_out(&self, args: &Value) -> String {
        let mut said = String::new();
        for op in lower(args).ops {
            let OpKind::Exec { argv } = &op.kind else { panic!("a command") };
            let answer = self.run(argv);
            assert_eq!(answer.rc, 0, "{argv:?}: {answer:?}");
            said = answer.stderr;
        }
        let verify = lower(args).verify.unwrap();
        let answers: Vec<ProbeOutput> =
            verify.probe.queries.iter().map(|query| self.run(&query.argv)).collect();
        let after = kind().assess_verify(args, &worker(), &answers).unwrap();
        assert!(matches!(after, Assessment::Satisfied { .. }), "{after:?}");
        said
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let argv = ["dpkg", "--list"].map(str::to_owned);
        let list = self.run(&argv).stdout;
        let rows = list.lines().filter(|line| line.contains("i  ")).map(str::split_whitespace);
        rows.filter_map(|mut words| Some((words.nth(1)?.to_owned(), words.next()?.to_owned()))).collect()
    }
}

fn kind() -> &'static dyn StepKind {
    find("apt").unwrap()
}

fn lower(args: &Value) -> Lowered {
    lowered("apt", args, &worker())
}

fn args(fields: &[(&str, &[&str])]) -> Value {
    let texts =
        |texts: &[&str]| Value::List(texts.iter().map(|text| Value::Str((*text).to_owned())).collect());
    let fields = fields.iter().map(|(field, words)| ((*field).to_owned(), texts(words)));
    Value::Map(fields.collect::<IndexMap<_, _>>())
}

#[test]
fn everything_goes_up_but_what_is_held_and_what_would_need_a_removal() {
    let host = Host::new();
    let all = args(&[("upgrade", &["all"])]);
    assert_eq!(host.changes(&all), ["fresh not installed → 1.0", "app 1.0 → 2.0", "lib 1.0 → 2.0"]);
    let said = host.carry_out(&all);
    let outcome = kind().outcome("", &said).expect("an edited file was kept");
    assert!(outcome.contains(".dpkg-dist: /etc/app.conf"), "{outcome}");
    assert_eq!(fs::read_to_string(host.path("root/etc/app.conf")).unwrap(), "edited\n");
    assert_eq!(fs::read_to_string(host.path("root/etc/app.conf.dpkg-dist")).unwrap(), "2.0\n");
    assert_eq!(fs::read_to_string(host.path("root/etc/lib.conf")).unwrap(), "2.0\n", "nobody edited it");
    let Assessment::Satisfied { state } = host.look(&all) else { panic!("a second run has something to do") };
    assert_eq!(state, "nothing to upgrade; apt keeps back clash", "what is on hold is no news");
}

#[test]
fn what_is_excepted_stays_also_where_it_is_not_installed() {
    let host = Host::new();
    let most = args(&[("upgrade", &["all"]), ("except", &["lib", "nosuch"])]);
    assert_eq!(host.changes(&most), ["fresh not installed → 1.0", "app 1.0 → 2.0"]);
    host.carry_out(&most);
    let versions = host.versions();
    assert_eq!([&versions["app"], &versions["lib"]], ["2.0", "1.0"]);
    assert!(matches!(host.look(&most), Assessment::Satisfied { .. }));
}

#[test]
fn names_go_up_alone_and_never_at_the_price_of_another_package() {
    let host = Host::new();
    let one = args(&[("upgrade", &["lib"])]);
    assert_eq!(host.changes(&one), ["lib 1.0 → 2.0"]);
    host.carry_out(&one);
    assert_eq!(host.versions()["app"], "1.0");
    let refused = |name: &str| match host.look(&args(&[("upgrade", &[name])])) {
        Assessment::Refused { reason, .. } => reason,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(refused("clash"), "apt would remove victim");
    assert_eq!(refused("held"), "held is on hold");
    assert!(
        matches!(host.look(&args(&[("upgrade", &["fresh"])])), Assessment::Satisfied { .. }),
        "not installed"
    );
}

#[test]
fn archives_are_fetched_before_anything_is_installed() {
    let host = Host::new();
    let Value::Map(mut fields) = args(&[("upgrade", &["all"])]) else { panic!("a map") };
    fields.insert("download_only".to_owned(), Value::Bool(true));
    let fetch = Value::Map(fields);
    let before = host.versions();
    assert_eq!(lower(&fetch).ops.len(), 1);
    // What a `file:` repository has is on the host, and apt copies none of it.
    assert!(matches!(host.look(&fetch), Assessment::Satisfied { .. }), "{:?}", host.look(&fetch));
    host.carry_out(&fetch);
    assert_eq!(host.versions(), before);
    // A `copy:` repository is copied to the cache, as one over a network is fetched.
    let sources = host.path("root/etc/apt/sources.list");
    let copied = fs::read_to_string(&sources).unwrap().replace("file:", "copy:");
    fs::write(&sources, copied).unwrap();
    host.apt(&["apt-get", "-q", "update"]);
    assert!(host.changes(&fetch).iter().any(|change| change.starts_with("lib_2.0_all.deb not in the cache")));
    host.carry_out(&fetch);
    assert!(host.path("root/var/cache/apt/archives/lib_2.0_all.deb").exists());
    assert!(matches!(host.look(&fetch), Assessment::Satisfied { .. }), "{:?}", host.look(&fetch));
    assert_eq!(host.versions(), before);
}

#[test]
fn what_a_power_cut_left_half_way_is_finished() {
    let host = Host::new();
    let status = fs::read_to_string(host.path("root/var/lib/dpkg/status")).unwrap();
    let lib = status.find("Package: lib\n").unwrap();
    let broken = status[lib..].replacen("install ok installed", "install ok unpacked", 1);
    host.write("root/var/lib/dpkg/status", &(status[..lib].to_owned() + &broken));
    let all = args(&[("upgrade", &["all"])]);
    assert!(host.changes(&all).contains(&"lib left half-way by dpkg → configured".to_owned()));
    host.carry_out(&all);
    assert!(matches!(host.look(&all), Assessment::Satisfied { .. }));
}
