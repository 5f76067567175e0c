//! All SQL test files through all doors.
#![expect(clippy::disallowed_methods, reason = "a test reads its files from the source tree")]

use std::path::{Path, PathBuf};

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the test files are part of the source tree")
        .map(|entry| entry.expect("readable").path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|ending| ending == "slt") {
            found.push(entry);
        }
    }
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/slt");
    let mut found = Vec::new();
    files(&root, &mut found);
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, oxi_sqltest::trials(&root, &found)).exit();
}
