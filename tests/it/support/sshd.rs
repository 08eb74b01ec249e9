//! Throwaway sshds on loopback, each with its own port, host key, user key and known-hosts file. They need Debian's
//! `openssh-server`; as root `/run/sshd` is made. Users with other login shells are made and removed, as root only.
//! What is missing fails the test and says what to install.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::ports::unused_port;

/// A running sshd; ended when dropped.
pub(crate) struct Sshd {
    /// Where it listens.
    pub(crate) port: u16,
    /// Everything of it.
    pub(crate) dir: TempDir,
    child: Child,
    /// Where it listens itself, whatever stands before it.
    listens_on: u16,
    extra: String,
    machine: Machine,
}

impl Sshd {
    /// Starts one that lets in whoever has its user key, with these lines added to its configuration.
    pub(crate) fn start(extra: &str) -> Self {
        Self::start_in(extra, Machine::Ours)
    }

    /// Starts one that looks like a machine of its own: it has another `/etc/machine-id` and swap of its own. Needs root,
    /// because it gets a mount namespace.
    pub(crate) fn start_machine(extra: &str) -> Self {
        assert!(rustix::process::geteuid().is_root(), "machines of their own are mounted: run as root");
        Self::start_in(extra, Machine::OfItsOwn)
    }

    fn start_in(extra: &str, machine: Machine) -> Self {
        let dir = tempfile::Builder::new().prefix("rollbook-sshd-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for key in ["host_key", "user_key"] {
            let path = dir.path().join(key);
            succeed(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path));
        }
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        // A port that was free a moment ago may be taken; sshd says so and we try another.
        for _ in 0..20 {
            let port = unused_port();
            if let Some(child) = listen(dir.path(), port, extra, machine) {
                let sshd = Self { port, dir, child, listens_on: port, extra: extra.to_owned(), machine };
                sshd.remember_key(&fs::read_to_string(sshd.path("host_key.pub")).unwrap());
                return sshd;
            }
        }
        panic!("no port for sshd");
    }

    /// A file of its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives a machine of its own another `/etc/machine-id`, as if another machine had its address now; the old one.
    pub(crate) fn become_another_machine(&self) -> String {
        let path = self.path("machine-id");
        let old = fs::read_to_string(&path).unwrap();
        // Written in place: the file is mounted by its inode.
        fs::write(&path, format!("{}\n", uuid::Uuid::now_v7().simple())).unwrap();
        old.trim().to_owned()
    }

    /// Gives a machine of its own 1 GiB of swap, or takes it away.
    pub(crate) fn swap(&self, on: bool) {
        let swap = "/swapfile                               file\t\t1048572\t\t0\t\t-2\n";
        fs::write(self.path("swaps"), format!("{NO_SWAP}{}", if on { swap } else { "" })).unwrap();
    }

    /// Freezes or thaws what serves the sessions that are open now; new ones are let in.
    pub(crate) fn signal_sessions(&self, signal: rustix::process::Signal) {
        let parent = |id: i32| -> Option<u32> {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
        };
        let ids =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let sessions: Vec<i32> = ids.filter(|id| parent(*id) == Some(self.child.id())).collect();
        assert!(!sessions.is_empty(), "nobody is connected");
        for session in sessions.into_iter().filter_map(rustix::process::Pid::from_raw) {
            match rustix::process::kill_process(session, signal) {
                // It ended by itself since it was listed.
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => panic!("cannot signal {session:?}: {error}"),
            }
        }
    }

    /// Ends it with everything that it serves, as a host does that loses its network: by the ids of its processes.
    pub(crate) fn stop(&mut self) {
        self.signal_sessions(rustix::process::Signal::KILL);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it listen where it did, as the same machine.
    pub(crate) fn go_on(&mut self) {
        let again = listen(self.dir.path(), self.listens_on, &self.extra, self.machine);
        self.child = again.expect("the port is still free");
    }

    /// What is reached at another port from now on, such as through a [`super::proxy::Proxy`].
    pub(crate) fn move_to(&mut self, port: u16) {
        self.port = port;
        self.remember_key(&fs::read_to_string(self.path("host_key.pub")).unwrap());
    }

    /// Makes `key` what clients expect.
    pub(crate) fn remember_key(&self, key: &str) {
        fs::write(self.path("known_hosts"), format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// /proc/swaps of a machine without swap.
const NO_SWAP: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

/// Which machine a session sees.
#[derive(Clone, Copy)]
enum Machine {
    Ours,
    OfItsOwn,
}

/// Starts sshd and waits until it says that it listens; `None` if it cannot.
fn listen(dir: &Path, port: u16, extra: &str, machine: Machine) -> Option<Child> {
    let d = dir.display();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {d}/host_key\nAuthorizedKeysFile {d}/user_key.pub\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nPrintMotd no\nLogLevel INFO\n{extra}\n"
    );
    let file = dir.join(format!("sshd_config-{port}"));
    fs::write(&file, config).unwrap();
    let sshd = program("/usr/sbin/sshd", "openssh-server");
    let mut command = match machine {
        Machine::Ours => Command::new(sshd),
        Machine::OfItsOwn => {
            let id = dir.join("machine-id");
            if !id.exists() {
                fs::write(&id, format!("{}\n", uuid::Uuid::now_v7().simple())).unwrap();
            }
            // Every program is replaced by the next, so that the child is sshd itself.
            let mut command = Command::new("unshare");
            let swaps = dir.join("swaps");
            fs::write(&swaps, NO_SWAP).unwrap();
            let script = "mount --bind \"$1\" /etc/machine-id && mount --bind \"$2\" /proc/swaps && shift 2 && exec \"$@\"";
            command.args(["--mount", "sh", "-c", script, "sh"]).arg(id).arg(swaps).arg(sshd);
            command
        }
    };
    let mut child = command
        .args(["-D", "-e", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if line.contains("Server listening") {
            // Somebody must read on, or sshd blocks on its log.
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return Some(child);
        }
    }
    child.wait().unwrap();
    assert!(line.contains("Address already in use"), "sshd does not start: {line}");
    None
}

/// How many users this process has made.
static USERS: AtomicUsize = AtomicUsize::new(0);

/// A throwaway user with a login shell whose start-up files print noise; removed when dropped.
pub(crate) struct User {
    /// Its name.
    pub(crate) name: String,
    sudoers: Option<PathBuf>,
}

impl User {
    /// Makes one. `shell` is a program; `sudo` lets it become root without a password.
    pub(crate) fn make(shell: &str, package: &str, sudo: bool) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "login shells are tested with users of their own: run as root"
        );
        // Tests of one process may want users with the same shell at the same time.
        let number = USERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("rb-{}-{}-{number}", shell.rsplit('/').next().unwrap(), std::process::id());
        succeed(Command::new("useradd").args(["-m", "-p", "*", "-s", &program(shell, package), &name]));
        let home = PathBuf::from(format!("/home/{name}"));
        let noise = "echo 'Welcome! $x `y` \"z\"'\n";
        fs::create_dir_all(home.join(".config/fish")).unwrap();
        for file in [".bashrc", ".profile", ".cshrc", ".tcshrc", ".config/fish/config.fish"] {
            fs::write(home.join(file), noise).unwrap();
        }
        succeed(Command::new("chown").args(["-R", &name, &home.to_string_lossy()]));
        let sudoers = sudo.then(|| {
            program("/usr/bin/sudo", "sudo");
            let path = PathBuf::from(format!("/etc/sudoers.d/{name}"));
            let rights =
                format!("{name} ALL=(ALL) NOPASSWD: ALL\nDefaults:{name} logfile=/home/{name}/sudo.log\n");
            fs::write(&path, rights).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
            path
        });
        Self { name, sudoers }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(path) = &self.sudoers {
            let _ = fs::remove_file(path);
        }
        let _ = Command::new("userdel").args(["-f", "-r", &self.name]).stderr(Stdio::null()).status();
    }
}

fn program(path: &str, package: &str) -> String {
    assert!(Path::new(path).exists(), "{path} is missing: apt-get install {package}");
    path.to_owned()
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
