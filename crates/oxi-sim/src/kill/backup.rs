//! A backup that is being made while the server is killed: it is whole, or known not to be.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use super::{Options, server};

/// The process that makes it.
pub(super) struct Copying {
    child: Child,
    target: PathBuf,
    restored: PathBuf,
}

/// Begins a backup of the server.
pub(super) fn start(options: &Options, data: &Path, port: u16) -> Result<Copying, String> {
    let beside = |what: &str| data.with_extension(what);
    let (target, restored) = (beside("backup"), beside("restored"));
    remove(&target)?;
    remove(&restored)?;
    let child = Command::new(&options.binary)
        .arg("backup")
        .arg(format!("postgres://simulator@127.0.0.1:{port}/oxibase"))
        .arg(&target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("oxibase backup does not start: {error}"))?;
    Ok(Copying { child, target, restored })
}

impl Copying {
    /// What came of it, when the server is dead: a backup that was completed can be restored, any
    /// other is not taken for one.
    pub(super) fn finish(mut self, options: &Options) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| format!("oxibase backup: {error}"))?;
        let check = run(options, &["check"], &[&self.target])?;
        match (status.success(), check.status.success()) {
            (true, true) => {
                let restore = run(options, &["restore"], &[&self.target, &self.restored])?;
                if !restore.status.success() {
                    return Err(said("oxibase restore", &restore));
                }
                server::check(options, &self.restored)?;
            }
            (true, false) => return Err(said("oxibase check of a backup", &check)),
            (false, true) => return Err("a backup that failed passes for a whole one".to_owned()),
            (false, false) => {}
        }
        remove(&self.target)?;
        remove(&self.restored)
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(options: &Options, words: &[&str], paths: &[&Path]) -> Result<Output, String> {
    let run = Command::new(&options.binary).args(words).args(paths).stdin(Stdio::null()).output();
    run.map_err(|error| format!("oxibase {} does not start: {error}", words.join(" ")))
}

fn said(what: &str, output: &Output) -> String {
    format!(
        "{what} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[expect(clippy::disallowed_methods, reason = "a tree of files goes that was made here")]
fn remove(tree: &Path) -> Result<(), String> {
    if tree.exists() {
        std::fs::remove_dir_all(tree).map_err(|error| format!("{}: {error}", tree.display()))?;
    }
    Ok(())
}
