//! Markdown: sizes, links to files, and the functions that docs/dev/journeys.md names.

use std::{fs, path::Path};

const MARKDOWN_LINES_MAX: usize = 500;

/// Checks every markdown file.
pub(super) fn check(root: &Path, findings: &mut Vec<String>) {
    for path in super::files(root, &["md"]) {
        let at = super::relative(root, &path);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let lines = text.lines().count();
        if lines > MARKDOWN_LINES_MAX {
            findings.push(format!("{at}: {lines} lines, at most {MARKDOWN_LINES_MAX}"));
        }
        for target in link_targets(&text) {
            let target = target.split('#').next().unwrap_or_default();
            let directory = path.parent().unwrap_or(root);
            if !target.is_empty() && !target.contains("://") && !directory.join(target).exists() {
                findings.push(format!("{at}: the link to {target} leads nowhere"));
            }
        }
    }
    check_journeys(root, findings);
}

fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Every `` `crate/src/file.rs` `function` `` pair of the journeys must exist, and no journey may
/// have more than twelve hops.
fn check_journeys(root: &Path, findings: &mut Vec<String>) {
    let at = "docs/dev/journeys.md";
    let Ok(text) = fs::read_to_string(root.join(at)) else {
        findings.push(format!("{at}: missing"));
        return;
    };
    let mut hops_seen = 0;
    for (number, line) in text.lines().enumerate() {
        let code: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        for (index, file) in code.iter().enumerate().filter(|(_, c)| is_rust_file(c)) {
            hops_seen += 1;
            let Ok(source) = fs::read_to_string(root.join("crates").join(file)) else {
                findings.push(format!("{at}:{}: no file crates/{file}", number + 1));
                continue;
            };
            let Some(function) = code.get(index + 1).filter(|c| !is_rust_file(c)) else {
                findings.push(format!("{at}:{}: {file} names no function", number + 1));
                continue;
            };
            let name = function.rsplit("::").next().unwrap_or(function);
            if !source.contains(&format!("fn {name}")) {
                findings.push(format!("{at}:{}: {file} has no fn {name}", number + 1));
            }
        }
        let step = line.split('.').next().and_then(|n| n.trim().parse::<u32>().ok());
        if step.is_some_and(|step| step > 12) {
            findings.push(format!("{at}:{}: more than twelve hops", number + 1));
        }
    }
    if hops_seen == 0 {
        findings.push(format!("{at}: names no file"));
    }
}

fn is_rust_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "rs")
}
