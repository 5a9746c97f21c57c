//! A function as a process: started, looked at, stopped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::bench::{self, State};
use super::product::Product;

/// A running function. It ends with this value.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// What the kernel says of a process's memory, in MB (10^6 bytes).
#[derive(Debug, Clone, Copy)]
pub(super) struct Resident {
    pub(super) now: f64,
    pub(super) peak: f64,
}

impl Process {
    /// Starts a function with this environment and no other.
    pub(super) fn start(binary: &Path, environment: &[(String, String)]) -> Result<Self, String> {
        let child = Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        Ok(Self {
            child,
            reader: None,
        })
    }

    /// Starts it as the local host, and waits until it says where it listens. What it logs is read and thrown away.
    pub(super) fn serve(
        binary: &Path,
        vault: &Path,
        state: &State,
        product: &Product,
    ) -> Result<(Self, SocketAddr), String> {
        let mut environment = bench::environment(vault, state, product);
        environment.push(("ITSMC_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let Some(stdout) = child.stdout.take() else {
            return Err("no output of the function".to_owned());
        };
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        let address = lines
            .read_line(&mut first)
            .ok()
            .and_then(|_| serde_json::from_str::<serde_json::Value>(&first).ok())
            .and_then(|line| line.get("address")?.as_str()?.parse().ok());
        let mut running = Self {
            child,
            reader: None,
        };
        let Some(address) = address else {
            return Err(format!("the function does not listen: {first}"));
        };
        running.reader = Some(std::thread::spawn(move || {
            // As a platform would: every line is taken, whatever becomes of it.
            let _ = std::io::copy(&mut lines, &mut std::io::sink());
        }));
        Ok((running, address))
    }

    /// What it holds now, and what it held at most.
    pub(super) fn resident(&self) -> Result<Resident, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{path}: {error} (memory is measured on Linux only)"))?;
        let field = |name| megabytes(&text, name).ok_or_else(|| format!("{path}: no {name}"));
        Ok(Resident {
            now: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A line such as `VmRSS:      5120 kB`; the kernel's kB has 1,024 bytes.
fn megabytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_lines() {
        let status = "Name:\tx\nVmHWM:\t    6000 kB\nVmRSS:\t    5120 kB\n";
        assert_eq!(megabytes(status, "VmRSS:"), Some(5.242_88));
        assert_eq!(megabytes(status, "VmHWM:"), Some(6.144));
        assert_eq!(megabytes(status, "VmSwap:"), None);
    }
}
