//! Reads every file of the tree and reports what breaks the rules of docs/dev/style.md.

mod docs;
mod layers;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Runs all checks; each finding is one line `path: what is wrong`.
pub(crate) fn run(root: &Path, bless: bool) -> Vec<String> {
    let mut findings = Vec::new();
    layers::check(root, &mut findings);
    source::check(root, bless, &mut findings);
    docs::check(root, &mut findings);
    findings
}

/// All files below `root` with one of the endings, build output and version control left out,
/// sorted by path.
fn files(root: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "oxibase-data") {
                    pending.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|e| endings.contains(&e.to_string_lossy().as_ref()))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The path relative to the root, for messages.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
