//! The project's own tasks; `cargo xtask` lists them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool that reads the source tree"
)]

mod tidy;

use std::{env, path::Path, process::ExitCode};

const HELP: &str = "\
usage: cargo xtask TASK

  tidy            check layers, file and function sizes, headers, names, links from docs to code
  tidy --bless    rewrite the ratchet of long functions (it may only shrink)
";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|task| task == "tidy") {
        let bless = arguments.iter().any(|argument| argument == "--bless");
        let findings = tidy::run(root, bless);
        for finding in &findings {
            eprintln!("{finding}");
        }
        if findings.is_empty() {
            println!("tidy: clean");
            ExitCode::SUCCESS
        } else {
            eprintln!("tidy: {} findings", findings.len());
            ExitCode::FAILURE
        }
    } else {
        eprint!("{HELP}");
        ExitCode::from(2)
    }
}
