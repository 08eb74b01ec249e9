//! Facts of a host, from what real and other hosts print.

use super::*;

fn ok(stdout: &str) -> ProbeOutput {
    ProbeOutput { stdout: stdout.to_owned(), ..ProbeOutput::default() }
}

fn absent() -> ProbeOutput {
    ProbeOutput { rc: 127, stderr: "not found".to_owned(), ..ProbeOutput::default() }
}

/// A worker with Debian 12; texts as the tools print them there.
fn debian() -> Vec<ProbeOutput> {
    vec![
        ok("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n"),
        ok("w1 6.1.0-18-amd64 x86_64\n"),
        ok("6f0f6f2e-8f0a-4c1b-9a57-3f6a5f1f0c11\n"),
        ok("0123456789abcdef0123456789abcdef\n"),
        ok("kubelet\nnginx\n"),
        ok(""),
        ok("v1.31.4\n"),
        ok("Kubernetes v1.30.8\n"),
        ok("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap\\040file                           file\t\t1048572\t\t0\t\t-2\n/dev/sda2                               partition\t2097148\t\t12\t\t-3\n"),
        ProbeOutput { rc: 1, ..ProbeOutput::default() },
        // /boot does not exist here: df says so, fails, and goes on.
        ProbeOutput {
            rc: 1,
            stdout: "File    1B-blocks       Avail\n/    270553174016 70250598400\n/var 270553174016 70250598400\n".into(),
            stderr: "df: /boot: No such file or directory\n".into(),
        },
        ok("systemd\n"),
        ok("cgroup2fs\n"),
        ok("1795181181\n"),
        ProbeOutput {
            rc: 1,
            stdout: "containerd\t1.6.20~ds1-1+b1\tii \nkubelet\t1.30.8-1.1\thi \nrunc\t1.1.5+ds1-1\trc \nkubeadm\t\tun \n".into(),
            stderr: "dpkg-query: no packages found matching cri-o\n".into(),
        },
        ok("Id=containerd.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nExecMainStartTimestampMonotonic=4711000\n\nId=crio.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nExecMainStartTimestampMonotonic=0\n\nId=kubelet.service\nLoadState=loaded\nActiveState=activating\nUnitFileState=enabled\nExecMainStartTimestampMonotonic=9000000\n"),
    ]
}

#[test]
fn a_debian_worker_is_read() {
    let facts = parse_host(&debian()).expect("facts");
    assert_eq!((facts.os.as_str(), facts.os_version.as_str()), ("debian", "12"));
    assert_eq!((facts.hostname.as_str(), facts.kernel.as_str()), ("w1", "6.1.0-18-amd64"));
    assert_eq!(facts.arch, "x86_64");
    assert_eq!(facts.machine_id, "0123456789abcdef0123456789abcdef");
    assert_eq!(facts.kubeadm, KubeVersion::parse("1.31.4").ok());
    assert_eq!(facts.kubelet, KubeVersion::parse("1.30.8").ok());
    assert_eq!(facts.swap_total, (1_048_572 + 2_097_148) * 1024);
    assert!(!facts.reboot_required && !facts.dpkg_broken && facts.systemd);
    assert_eq!((facts.cgroup.as_str(), facts.clock), ("v2", 1_795_181_181));
    let disk = Disk { total: 270_553_174_016, free: 70_250_598_400 };
    assert_eq!(facts.disks, BTreeMap::from([("/".to_owned(), disk), ("/var".to_owned(), disk)]));
    let version = |name: &str| facts.packages[name].version.as_str();
    // Configuration files left behind are no installation, and a package that dpkg never saw is one of the facts too.
    assert_eq!(
        [version("kubelet"), version("runc"), version("kubeadm"), version("cri-o")],
        ["1.30.8-1.1", "", "", ""]
    );
    assert!(
        facts.packages["kubelet"].held && facts.packages["nginx"].held && !facts.packages["containerd"].held
    );
    assert_eq!(facts.units.keys().collect::<Vec<_>>(), ["containerd", "kubelet"]);
    assert_eq!(facts.units["kubelet"].active, "activating");
}

#[test]
fn tools_that_a_host_does_not_have_leave_their_facts_empty() {
    let mut answers = debian();
    for index in [4, 5, 6, 7, 14, 15] {
        answers[index] = absent();
    }
    let facts = parse_host(&answers).expect("facts of an RPM host without systemd");
    assert!(facts.packages.is_empty() && facts.units.is_empty() && !facts.dpkg_broken);
    assert_eq!((facts.kubeadm, facts.kubelet), (None, None));
}

#[test]
fn a_half_installed_package_and_a_wanted_reboot_are_seen() {
    let mut answers = debian();
    answers[5] = ok(
        "The following packages are only half configured, probably due to problems\nconfiguring them the first time.:\n kubelet              x\n",
    );
    answers[9] = ok("");
    let facts = parse_host(&answers).expect("facts");
    assert!(facts.dpkg_broken && facts.reboot_required);
}

#[test]
fn answers_that_are_something_else_are_errors_that_name_the_command() {
    for (index, text, command) in [
        (1, "", "uname"),
        (8, "Filename\nx y z\n", "/proc/swaps"),
        (10, "File 1B-blocks Avail\n/ - -\n", "df"),
        (13, "soon\n", "date"),
        (14, "kubelet 1.30\n", "dpkg-query"),
    ] {
        let mut answers = debian();
        answers[index] = ok(text);
        let error = parse_host(&answers).expect_err(command);
        assert!(error.command.contains(command), "{error}");
    }
    assert!(parse_host(&debian()[..15]).is_err());
}

#[test]
fn the_probe_has_as_many_queries_as_there_are_answers_and_names_no_shell() {
    let probe = host_probe(Duration::from_secs(30));
    assert_eq!(probe.queries.len(), debian().len());
    assert!(probe.queries.iter().all(|query| !["sh", "bash", "env"].contains(&query.argv[0].as_str())));
}

#[test]
fn templates_see_every_fact_under_its_name() {
    let Value::Map(facts) = parse_host(&debian()).expect("facts").to_value() else { panic!("a mapping") };
    assert_eq!(facts.keys().collect::<Vec<_>>(), HOST_FACTS);
    assert_eq!(facts["swap_total"], Value::Int(3_145_720 * 1024));
    let kubelet = facts["packages"].get("kubelet").expect("kubelet");
    assert_eq!(kubelet.get("version"), Some(&Value::Str("1.30.8-1.1".into())));
}

/// The same commands on the machine that runs the tests, whatever it has.
#[test]
fn this_machine_can_be_read() {
    let run = |query: &Query| match std::process::Command::new(&query.argv[0])
        .args(&query.argv[1..])
        .env("LC_ALL", "C")
        .output()
    {
        Ok(output) => ProbeOutput {
            rc: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Err(_) => absent(),
    };
    let answers: Vec<_> = host_probe(Duration::from_secs(30)).queries.iter().map(run).collect();
    let facts = parse_host(&answers).expect("facts of this machine");
    assert!(facts.clock > 1_700_000_000 && !facts.kernel.is_empty() && facts.disks.contains_key("/"));
}
