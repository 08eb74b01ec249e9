//! What only ssh has: login shells, sudo, host keys, jump hosts, limits of sshd.

use rollbook::inventory::{Become, Connection, HostKeyPolicy, HostName};
use rollbook::op::{Exit, Op};
use rollbook::transport::{ConnectError, Launch, SessionError, SshTransport, Target, Transport};
use rollbook::value::Duration;

use super::bench::{Seen, connection_to, exec, launch_id, probe, run, sh};
use crate::support::sshd::{Sshd, User};

fn target(connection: Connection, method: Become) -> Target {
    Target {
        host: HostName::parse("h1").unwrap(),
        address: "127.0.0.1".to_owned(),
        connection,
        r#become: method,
    }
}

fn transport(base: &tempfile::TempDir) -> SshTransport {
    SshTransport::new(base.path()).unwrap()
}

#[test]
fn every_login_shell_with_noise_runs_ops_and_probes_as_root() {
    let sshd = Sshd::start("");
    let base = tempfile::tempdir().unwrap();
    let root = tempfile::Builder::new().prefix("rollbook-test-").tempdir_in("/var/lib").unwrap();
    for (shell, package) in
        [("/bin/bash", "bash"), ("/bin/dash", "dash"), ("/usr/bin/fish", "fish"), ("/usr/bin/tcsh", "tcsh")]
    {
        let user = User::make(shell, package, true);
        let remote_dir = root.path().join(&user.name).to_str().unwrap().to_owned();
        run(async {
            let transport = transport(&base);
            let connection = Connection {
                user: Some(user.name.clone()),
                remote_dir: Some(remote_dir),
                ..connection_to(&sshd)
            };
            let session = transport.connect(&target(connection, Become::Sudo)).await.unwrap();
            let op =
                Op { r#become: true, stdin: "in\n".to_owned(), ..sh("id -u; cat; echo '$x' >&2; exit 7") };
            let launch = Launch { id: launch_id("1"), op: &op, over: &[] };
            let result = session.launch(&launch, &mut Seen::default()).await.unwrap();
            assert_eq!(
                (result.exit, &*result.stdout, &*result.stderr),
                (Exit::Code(7), "0\nin\n", "$x\n"),
                "{shell}"
            );
            let question = probe(&[&["whoami"]], Duration::from_secs(5));
            let name = session.probe(&question).await.unwrap().remove(0).stdout;
            assert_eq!(name.trim(), user.name, "{shell}");
            let root = rollbook::op::Probe { r#become: true, ..question };
            assert_eq!(session.probe(&root).await.unwrap()[0].stdout, "root\n", "{shell}");
            drop(session);
            transport.close().await;
        });
    }
}

#[test]
fn without_sudo_rights_its_own_words_are_said() {
    let sshd = Sshd::start("");
    let base = tempfile::tempdir().unwrap();
    let user = User::make("/bin/sh", "dash", false);
    run(async {
        let transport = transport(&base);
        let connection = Connection { user: Some(user.name.clone()), ..connection_to(&sshd) };
        let session = transport.connect(&target(connection, Become::Sudo)).await.unwrap();
        let op = Op { r#become: true, ..exec(&["true"]) };
        let refused =
            session.launch(&Launch { id: launch_id("1"), op: &op, over: &[] }, &mut Seen::default()).await;
        let Err(SessionError::Privilege(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("password is required"), "{why}");
        // Without a need for root nothing is escalated, and the records are below the user's home.
        let op = exec(&["whoami"]);
        let result = session
            .launch(&Launch { id: launch_id("1"), op: &op, over: &[] }, &mut Seen::default())
            .await
            .unwrap();
        assert_eq!(result.stdout.trim(), user.name);
        let record = format!("/home/{}/.local/state/rollbook/run-1/1/status", user.name);
        // Its room was there before the op began, blank.
        assert_eq!(std::fs::read_to_string(record).unwrap().trim_end(), "code 0");
    });
}

#[test]
fn a_host_that_is_not_trusted_not_open_or_not_there_is_told_apart() {
    let sshd = Sshd::start("");
    let base = tempfile::tempdir().unwrap();
    let transport = transport(&base);
    let connect =
        |connection: Connection| run(transport.connect(&target(connection, Become::None))).map(|_| ());

    std::fs::write(sshd.path("empty"), "").unwrap();
    let unknown =
        Connection { known_hosts: Some(sshd.path("empty").to_str().unwrap().into()), ..connection_to(&sshd) };
    assert!(matches!(connect(unknown.clone()), Err(ConnectError::HostKey { .. })));
    let stranger = Sshd::start("");
    let key = stranger.path("user_key").to_str().unwrap().into();
    let error = connect(Connection { identity_file: Some(key), ..connection_to(&sshd) });
    assert!(matches!(error, Err(ConnectError::Authentication { .. })), "{error:?}");
    let closed = Connection { port: Some(1), ..connection_to(&sshd) };
    assert!(matches!(connect(closed), Err(ConnectError::Unreachable { .. })));

    connect(Connection { host_key: HostKeyPolicy::AcceptNew, ..unknown }).unwrap();
    assert!(
        std::fs::read_to_string(sshd.path("empty")).unwrap().contains("ssh-ed25519"),
        "the key is remembered"
    );
    // A changed key is refused by either policy.
    sshd.remember_key(&std::fs::read_to_string(stranger.path("host_key.pub")).unwrap());
    for host_key in [HostKeyPolicy::Strict, HostKeyPolicy::AcceptNew] {
        let error = connect(Connection { host_key, ..connection_to(&sshd) });
        assert!(matches!(error, Err(ConnectError::HostKey { .. })), "{error:?}");
    }
}

#[test]
fn the_users_configuration_applies_where_it_is_not_overridden() {
    let sshd = Sshd::start("");
    let base = tempfile::tempdir().unwrap();
    let config = sshd.path("config");
    let text = format!(
        "Host alias\nHostName 127.0.0.1\nPort {}\nIdentityFile {}\nRemoteCommand false\nRequestTTY force\n\
         StrictHostKeyChecking no\nPermitLocalCommand yes\nLocalCommand touch {}\n",
        sshd.port,
        sshd.path("user_key").display(),
        sshd.path("local-command-ran").display(),
    );
    std::fs::write(&config, text).unwrap();
    let connection = Connection {
        ssh_config: Some(config.to_str().unwrap().into()),
        port: None,
        identity_file: None,
        ..connection_to(&sshd)
    };
    run(async {
        let transport = transport(&base);
        let target = Target { address: "alias".to_owned(), ..target(connection, Become::None) };
        let session = transport.connect(&target).await.unwrap();
        let answers = session.probe(&probe(&[&["tty"]], Duration::from_secs(5))).await.unwrap();
        assert_eq!(answers[0].stdout, "not a tty\n");
        assert!(!sshd.path("local-command-ran").exists());
    });
}

#[test]
fn a_jump_host_is_jumped_over() {
    let (jump, sshd) = (Sshd::start(""), Sshd::start(""));
    let base = tempfile::tempdir().unwrap();
    let keys = [&jump, &sshd].map(|sshd| std::fs::read_to_string(sshd.path("known_hosts")).unwrap()).concat();
    std::fs::write(sshd.path("known_hosts"), keys).unwrap();
    let config = sshd.path("config");
    std::fs::write(&config, format!("IdentityFile {}\n", jump.path("user_key").display())).unwrap();
    run(async {
        let transport = transport(&base);
        let connection = Connection {
            jump: Some(format!("127.0.0.1:{}", jump.port)),
            ssh_config: Some(config.to_str().unwrap().into()),
            ..connection_to(&sshd)
        };
        let session = transport.connect(&target(connection, Become::None)).await.unwrap();
        let answers = session.probe(&probe(&[&["echo", "hi"]], Duration::from_secs(5))).await.unwrap();
        assert_eq!(answers[0].stdout, "hi\n");
    });
}

#[test]
fn few_sessions_and_dropped_handshakes_are_waited_out() {
    // Sessions are refused past two, and half of all handshakes are dropped while two are under way.
    let hosts: Vec<Sshd> = (0..5).map(|_| Sshd::start("MaxSessions 2\nMaxStartups 2:50:10")).collect();
    let base = tempfile::tempdir().unwrap();
    run(async {
        let transport = std::rc::Rc::new(transport(&base));
        let mut set = tokio::task::JoinSet::new();
        for sshd in &hosts {
            let (transport, target) = (transport.clone(), target(connection_to(sshd), Become::None));
            set.spawn_local(async move {
                let session = transport.connect(&target).await.unwrap();
                let mut asked = tokio::task::JoinSet::new();
                for number in 0..8 {
                    let session = session.clone();
                    asked.spawn_local(async move {
                        let text = number.to_string();
                        let answers = session
                            .probe(&probe(&[&["echo", &text]], Duration::from_secs(30)))
                            .await
                            .unwrap();
                        assert_eq!(answers[0].stdout.trim(), text);
                    });
                }
                while let Some(done) = asked.join_next().await {
                    done.unwrap();
                }
            });
        }
        while let Some(done) = set.join_next().await {
            done.unwrap();
        }
        transport.close().await;
    });
    assert_eq!(
        std::fs::read_dir(base.path()).unwrap().count(),
        0,
        "nothing is left of the control directory"
    );
}
