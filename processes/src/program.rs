//! The shipped program as a process: built, started, killed, stopped, limited.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::Trouble;

/// How long a process may take to listen, on a machine that has other things to do.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A file that grows beyond its limit kills its writer unless the signal is ignored; then it is an error like a full disk.
/// What a shell ignores stays ignored in what it turns into.
const IGNORE_THE_SIGNAL: &str = r#"trap "" XFSZ; exec "$0""#;

/// Builds the program and says where it is.
pub fn build(package: &str, profile: &str) -> Result<PathBuf, Trouble> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", package])
        .args(["--profile", profile, "--message-format", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .find_map(executable)
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("`{package}` cannot be built"))
}

fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    Some(message["executable"].as_str()?.into())
}

/// A running process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    address: SocketAddr,
    reader: Option<JoinHandle<()>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Program {
    /// Starts it with this environment and no other, and waits until it listens. What it logs is appended to a file.
    pub async fn start(
        binary: &Path,
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Self, Trouble> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", IGNORE_THE_SIGNAL])
            .arg(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .env("ITSMC_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let (listens, listening) = oneshot::channel();
        let reader = child.stdout.take().map(|stdout| {
            let log = log.to_owned();
            std::thread::spawn(move || read(stdout, &log, listens))
        });
        let mut program = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            reader,
        };
        match tokio::time::timeout(STARTS_WITHIN, listening).await {
            Ok(Ok(address)) => {
                program.address = address;
                Ok(program)
            }
            _ => Err(format!("it does not listen; see {}", log.display())),
        }
    }

    /// Starts one that listens nowhere.
    pub fn run(binary: &Path, environment: &[(&str, String)], log: &Path) -> Result<Self, Trouble> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log);
        let log = log.map_err(|error| error.to_string())?;
        let child = Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        Ok(Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            reader: None,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    /// It stands still, in the middle of whatever it does.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended.
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether its files may have any content. That needs no rights, and it fails each write as a full disk does.
    pub fn may_write(&self, may: bool) {
        let limit = Rlimit {
            current: (!may).then_some(0),
            maximum: None,
        };
        if let Some(pid) = self.pid() {
            // It may have ended.
            let _ = prlimit(Some(pid), Resource::Fsize, limit);
        }
    }

    /// The processor time that it has had so far, its own and the kernel's for it.
    pub fn processor_time(&self) -> Option<Duration> {
        /// Of the kernel towards programs, on every architecture of today.
        const TICKS_A_SECOND: u64 = 100;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        // Behind the name, which may have anything in it: the third field; the times are the 14th and 15th.
        let (_, behind) = stat.rsplit_once(')')?;
        let mut times = behind.split_ascii_whitespace().skip(11);
        let user: u64 = times.next()?.parse().ok()?;
        let system: u64 = times.next()?.parse().ok()?;
        Some(Duration::from_millis(
            (user + system) * 1000 / TICKS_A_SECOND,
        ))
    }

    /// The most memory that it ever had, in bytes, as the kernel counts it.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }
}

/// Takes every line, as a platform would, until the process ends.
fn read(stdout: ChildStdout, log: &Path, listens: oneshot::Sender<SocketAddr>) {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log);
    let (mut file, mut listens) = (file.ok(), Some(listens));
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Some(address) = listens.as_ref().and_then(|_| listening(&line))
            && let Some(listens) = listens.take()
        {
            // Nobody may wait for it any more.
            let _ = listens.send(address);
        }
        if let Some(file) = &mut file {
            // A log that cannot be kept is no reason to stop the process that writes it.
            let _ = writeln!(file, "{line}");
        }
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
}
