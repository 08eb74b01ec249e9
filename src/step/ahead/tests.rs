//! What is sent for a look ahead, and what its answers mean.

use super::*;
use crate::op::Site;

fn source(key: Option<&str>) -> PackageSource {
    let file = "/etc/apt/sources.list.d/kubernetes.list".to_owned();
    let keyring = if key.is_some() { PackageSource::key_path(&file) } else { "/etc/k.gpg".to_owned() };
    let lines = vec![format!("deb [signed-by={keyring}] https://mirror/v1.31/deb/ /")];
    PackageSource { file, lines, key: key.map(ToOwned::to_owned) }
}

fn probe() -> Probe {
    let query = |words: &[&str]| Query {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        ..Query::default()
    };
    let queries = vec![query(&["dpkg", "--audit"]), query(&["apt-cache", "madison", "--", "kubelet"])];
    Probe { site: Site::Subject, queries, r#become: true, timeout: Duration::from_secs(60) }
}

fn answered(stdout: &str) -> ProbeOutput {
    ProbeOutput { stdout: stdout.to_owned(), ..ProbeOutput::default() }
}

#[test]
fn files_keys_and_commands_travel_on_standard_input_only() {
    let query = query(&[source(Some("-----BEGIN\nabc\n"))], [("https_proxy", "http://p")], &[&probe()]);
    assert_eq!(query.argv[..4], ["env", "https_proxy=http://p", "sh", "-c"]);
    assert_eq!(query.argv[5..], [NAME, "90"]);
    assert_eq!(
        query.stdin,
        "key 2 kubernetes.list.asc\n-----BEGIN\nabc\n\
         source 1 /etc/apt/sources.list.d/kubernetes.list\n\
         deb [signed-by=@private@/kubernetes.list.asc] https://mirror/v1.31/deb/ /\n\
         run 2\ndpkg\n--audit\nrun 4\napt-cache\nmadison\n--\nkubelet\n"
    );
    let plain = super::query(&[source(None)], [], &[]);
    assert_eq!(plain.argv[0], "sh");
    assert!(plain.stdin.starts_with("source 1 "), "{}", plain.stdin);
    // A comment would be sent to every host; a directive of apt's configuration is none.
    assert!(!SCRIPT.contains("# ") && SCRIPT.contains("\n#clear APT::Update::Post-Invoke;\n"));
}

#[test]
fn answers_come_back_as_if_they_were_asked_one_by_one() {
    let seen = read(&answered("@ 0 1 0\nHit\n@ 1 0 1\nno\n@ 0 2 1\na\n@ b\nc\n"), 2);
    let answer = |rc, stdout: &str, stderr: &str| ProbeOutput {
        rc,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    };
    assert_eq!(seen, StagedLists::Answers(vec![answer(1, "", "no\n"), answer(0, "a\n@ b\n", "c\n")]));
}

#[test]
fn what_was_cut_off_or_never_began_is_unknown() {
    let ended = |rc, stderr: &str| ProbeOutput { rc, stdout: String::new(), stderr: stderr.to_owned() };
    let cases = [
        (answered("@ 0 1 0\nHit\n@ 0 2 0\na\n"), "the look was cut off"),
        (answered("@ 0 0 0\n@ 0 0 0\n"), "the look was cut off"),
        (answered("@ 124 0 0\n"), "fetching the package lists took too long"),
        (answered("@ 100 0 0\n"), "apt-get update ended with 100"),
        (ended(124, ""), "fetching the package lists took too long"),
        (ended(127, ""), "the host has no apt"),
        (ended(90, "mktemp: no space\n"), "no private directory can be made on the host: mktemp: no space"),
    ];
    for (answer, wanted) in cases {
        assert_eq!(read(&answer, 2), StagedLists::Unknown(wanted.to_owned()), "{answer:?}");
    }
}

#[test]
fn an_apt_that_only_warns_of_a_dead_mirror_is_not_believed() {
    let warned = "@ 0 0 2\nW: Failed to fetch http://m/InRelease  Could not connect\n\
                  W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
    assert_eq!(
        read(&answered(warned), 0),
        StagedLists::Unusable("Failed to fetch http://m/InRelease Could not connect".to_owned())
    );
    let harmless = "@ 0 0 1\nW: Download is performed unsandboxed as root\n";
    assert_eq!(read(&answered(harmless), 0), StagedLists::Answers(Vec::new()));
}
