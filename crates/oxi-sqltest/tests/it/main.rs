//! All SQL test files through all doors, and the SQL of the documentation.
#![expect(clippy::disallowed_methods, reason = "a test reads its files from the source tree")]

mod corpus;

use std::path::{Path, PathBuf};

/// The files below a directory whose names end so.
fn files(directory: &Path, wanted: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the test files are part of the source tree")
        .map(|entry| entry.expect("readable").path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, wanted, found);
        } else if entry.extension().is_some_and(|ending| ending == wanted) {
            found.push(entry);
        }
    }
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let slt = root.join("tests/slt");
    let mut found = Vec::new();
    files(&slt, "slt", &mut found);
    let mut trials = oxi_sqltest::trials(&slt, &found);
    if let Some(address) = oxi_world::process::env_var("OXIBASE_TEST_POSTGRES") {
        trials.extend(oxi_sqltest::oracle_trials(&slt, &found, &address));
    }

    let names = ["README.md", "COMPAT.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    let mut documents: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
    files(&root.join("docs"), "md", &mut documents);
    let documents: Vec<(PathBuf, String)> = documents
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("documents are part of the tree");
            (path, text)
        })
        .collect();
    trials.extend(oxi_sqltest::doc_trials(&root, &documents));

    let corpora = root.join("tests/corpus");
    trials.extend(corpus::sqlite::trials(&corpora));
    trials.extend(corpus::postgresql::trials(&corpora));
    trials.extend(corpus::tpch::trials(&corpora));

    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials).exit();
}
