//! The server's process.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use super::Options;

/// A running server; killed when dropped.
pub(super) struct Server {
    child: Mutex<Child>,
    /// Where it listens; 0 until it has said so.
    pub(super) port: u16,
}

impl Server {
    /// Starts the process without waiting for it.
    pub(super) fn launch(options: &Options, data: &Path) -> Result<Server, String> {
        let messages = if options.verbose { Stdio::inherit() } else { Stdio::null() };
        let child = Command::new(&options.binary)
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--pg", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(messages)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", options.binary.display()))?;
        Ok(Server { child: Mutex::new(child), port: 0 })
    }

    /// Starts the process and waits until clients can come.
    pub(super) fn start(options: &Options, data: &Path) -> Result<Server, String> {
        let mut server = Self::launch(options, data)?;
        let output = server.lock().stdout.take().ok_or("the server has no output")?;
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| format!("the server's output: {error}"))?;
            let Some(address) = line.strip_prefix("ready postgres://") else { continue };
            let port = address.trim_end_matches('/').rsplit(':').next();
            server.port = port
                .and_then(|port| port.parse().ok())
                .ok_or_else(|| format!("no port in \"{line}\""))?;
            return Ok(server);
        }
        let status = server.lock().wait();
        Err(format!("the server ended instead of recovering: {status:?} (see --verbose)"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SIGKILL, and wait until the process is gone.
    pub(super) fn kill(self) -> Result<(), String> {
        let mut child = self.lock();
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the server ended by itself: {status}"));
        }
        child.kill().and_then(|()| child.wait()).map_err(|error| format!("kill: {error}"))?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.lock();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Verifies the files of the dead server's database.
pub(super) fn check(options: &Options, data: &Path) -> Result<(), String> {
    let output = Command::new(&options.binary)
        .arg("check")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("oxibase check does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "oxibase check ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
