//! The real `create-work-item`, as a program of its own over the state and the vault of a bed.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use super::wire::{self, Answer, request};
use super::{Alert, CONNECTION, Delivered};

/// How long a program may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A running program. It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    /// Starts it with this environment and nothing else, and waits until it listens.
    #[expect(
        clippy::disallowed_methods,
        reason = "the bed owns the programs that it runs"
    )]
    pub(super) async fn start(environment: &[(&str, String)], log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        let child = Command::new(executable())
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .env("ITSMC_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(file)
            .spawn()
            .unwrap();
        let mut program = Self {
            child,
            address: super::LOOPBACK,
        };
        let listens = async {
            loop {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                if let Some(address) = said.lines().find_map(listening) {
                    return address;
                }
                wire::pause(Duration::from_millis(10)).await;
            }
        };
        let address = tokio::time::timeout(STARTS_WITHIN, listens).await;
        program.address =
            address.unwrap_or_else(|_| panic!("it does not listen: {}", log.display()));
        program
    }

    /// `kill -9`: it gets no chance to finish anything.
    pub(crate) fn kill(&mut self) {
        // One that has ended already cannot be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Delivers an alert; `None` if it died before it answered.
    pub(crate) async fn deliver(&self, alert: impl Into<Alert>) -> Option<Delivered> {
        let path = format!("/api/create-work-item/{CONNECTION}");
        let headers = ["Content-Type: application/json", "Connection: close"];
        let bytes = request("POST", &path, &headers, alert.into().text().as_bytes());
        let answer: Option<Answer> = wire::exchange(self.address, &bytes).await;
        answer.map(Delivered::from)
    }
}

/// The address in the line that says so.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
}

/// The program beside this test's own executable. Cargo builds it if it is not there or older than what it is made of.
#[expect(
    clippy::disallowed_methods,
    reason = "the bed owns the programs that it runs"
)]
fn executable() -> &'static PathBuf {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        let folder = this.parent().and_then(Path::parent).unwrap();
        let program = folder.join("create-work-item");
        let made = std::fs::metadata(&program).and_then(|made| made.modified());
        if made.is_ok_and(|made| made > last_change()) {
            return program;
        }
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "create-work-item"])
            .args(["--profile", profile, "--target-dir"])
            .arg(folder.parent().unwrap())
            .current_dir(ROOT)
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "`create-work-item` cannot be built"
        );
        program
    })
}

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// When anything that the program is made of was last changed.
fn last_change() -> SystemTime {
    let sources = [
        "src",
        "functions/create-work-item",
        "Cargo.toml",
        "Cargo.lock",
    ];
    let newest = sources
        .iter()
        .map(|source| newest(&Path::new(ROOT).join(source)));
    newest.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bed owns the programs that it runs"
)]
fn newest(path: &Path) -> SystemTime {
    if let Ok(entries) = std::fs::read_dir(path) {
        let entries = entries.flatten().map(|entry| newest(&entry.path()));
        return entries.max().unwrap_or(SystemTime::UNIX_EPOCH);
    }
    std::fs::metadata(path)
        .and_then(|file| file.modified())
        .unwrap()
}
