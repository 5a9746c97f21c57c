//! A folder of its own, the binary in it, and what it printed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use itsm_connector::domain::timestamp::Timestamp;
use serde_json::Value;

/// A desk's folder that goes away with the test.
pub(crate) struct Bed {
    folder: tempfile::TempDir,
}

/// What a run of the command left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `itsmc up`, up.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// What it printed until it was ready.
    pub(crate) printed: String,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("desk")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_itsmc"));
        for variable in [
            "ITSMC_VAULT",
            "ITSMC_STATE",
            "ITSMC_ALLOW_HOSTS",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
            "IDENTITY_ENDPOINT",
            "RUST_LOG",
        ] {
            command.env_remove(variable);
        }
        command
            .arg("--data")
            .arg(self.data())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command with nothing on standard input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "", &[])
    }

    /// The command, not run yet.
    pub(crate) fn command_of(&self, arguments: &[&str]) -> Command {
        self.command(arguments)
    }

    /// A text on its standard input, and its end.
    pub(crate) fn give(&self, child: &mut Child, input: &str) {
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
    }

    /// Runs the command with a text on standard input and variables in its environment.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        command.envs(env.iter().copied()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that needs no input may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts `itsmc up` on free ports and waits until it is ready.
    pub(crate) fn up(&self) -> Running {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut child = self
            .command(&["up", "--listen", "127.0.0.1:0"])
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.ends_with("ready\n") {
            assert!(
                stdout.read_line(&mut printed).unwrap() > 0,
                "it ended before it was ready:\n{printed}"
            );
        }
        Running {
            child,
            stdout,
            printed,
        }
    }

    /// The simulator's records become a day older.
    pub(crate) fn ages_the_records(&self) {
        let file = self.data().join("servicenow.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let (_, behind) = text.split_once("\"opened_at\":\"").unwrap();
        let today = &behind[..10];
        let day = Duration::from_secs(86_400);
        let midnight = Timestamp::parse_lenient(&format!("{today}T00:00:00Z")).unwrap();
        let yesterday = midnight.minus(day).to_string();
        std::fs::write(&file, text.replace(today, &yesterday[..10])).unwrap();
    }

    /// All files below the folder, with their text.
    pub(crate) fn files(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                    found.push((path, text));
                }
            }
        }
        found
    }

    /// A file beside the desk's folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Ran {
    /// It did it, and had nothing to say.
    #[track_caller]
    pub(crate) fn did_it(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// It did not, said so and what to do, and printed no data.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        for text in said {
            assert!(
                self.stderr.contains(text),
                "no {text:?} in\n{}",
                self.stderr
            );
        }
        let last = self.stderr.lines().last().unwrap();
        assert!(
            last.starts_with("hint: "),
            "no hint at the end of\n{}",
            self.stderr
        );
        self
    }

    /// The one document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Running {
    /// The first word after a label, among what it printed.
    pub(crate) fn address(&self, label: &str) -> String {
        let line = self
            .printed
            .lines()
            .find(|line| line.starts_with(label))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Stops it politely and returns its exit code.
    #[cfg(unix)]
    pub(crate) fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The permission bits of a file or folder.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
