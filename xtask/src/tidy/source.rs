//! Rust files: headers, names, sizes of files and functions.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use syn::{spanned::Spanned, visit::Visit};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const RATCHET: &str = "xtask/long-functions.toml";
const BANNED_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "misc", "manager"];
const LIB_HEADINGS: [&str; 4] = ["# Purpose", "# Start reading at", "# Invariants", "# Not here"];

/// Checks every Rust file; with `bless` rewrites the ratchet instead of reporting long functions.
pub(super) fn check(root: &Path, bless: bool, findings: &mut Vec<String>) {
    let allowed: BTreeMap<String, usize> = fs::read_to_string(root.join(RATCHET))
        .ok()
        .and_then(|text| toml::from_str(&text).ok())
        .unwrap_or_default();
    let mut long = BTreeMap::new();
    for path in super::files(root, &["rs"]) {
        let at = super::relative(root, &path);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if at.contains("/generated/") {
            continue;
        }
        check_header_and_name(&at, &text, findings);
        let is_test = at.contains("/tests/") || at.ends_with("/tests.rs");
        if !is_test && text.lines().count() > FILE_LINES_MAX {
            let lines = text.lines().count();
            findings.push(format!("{at}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
        match syn::parse_file(&text) {
            Ok(file) => {
                let mut functions = Functions { at: &at, long: &mut long };
                functions.visit_file(&file);
            }
            Err(error) => findings.push(format!("{at}: {error}")),
        }
    }
    if bless {
        write_ratchet(root, &long, &allowed);
        return;
    }
    for (function, lines) in &long {
        if allowed.get(function).is_none_or(|limit| lines > limit) {
            findings.push(format!("{function}: {lines} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
}

fn write_ratchet(root: &Path, long: &BTreeMap<String, usize>, allowed: &BTreeMap<String, usize>) {
    let mut text = String::from(
        "# Functions longer than the limit. An entry may shrink or go, never grow or come.\n",
    );
    for (function, lines) in long {
        let limit = allowed.get(function).map_or(*lines, |limit| (*limit).min(*lines));
        let _ = writeln!(text, "{function:?} = {limit}");
    }
    let _ = fs::write(root.join(RATCHET), text);
}

fn check_header_and_name(at: &str, text: &str, findings: &mut Vec<String>) {
    if !text.starts_with("//!") {
        findings.push(format!("{at}: the first line does not say (`//!`) what the file is for"));
    }
    let stem = Path::new(at).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if at.ends_with("/mod.rs") {
        findings.push(format!("{at}: use foo.rs beside foo/ instead of mod.rs"));
    }
    if BANNED_NAMES.contains(&stem.as_str()) || stem.ends_with("_v2") {
        findings.push(format!("{at}: the name says nothing"));
    }
    if at.starts_with("crates/") && at.ends_with("/src/lib.rs") {
        for heading in LIB_HEADINGS {
            if !text.contains(heading) {
                findings.push(format!("{at}: the crate's doc lacks the heading `{heading}`"));
            }
        }
    }
}

struct Functions<'a> {
    at: &'a str,
    long: &'a mut BTreeMap<String, usize>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, signature: proc_macro2::Span, end: proc_macro2::Span) {
        let lines = end.end().line + 1 - signature.start().line;
        let is_test = self.at.contains("/tests/") || self.at.ends_with("/tests.rs");
        if lines > FUNCTION_LINES_MAX && !is_test {
            let longest = self.long.entry(format!("{} {name}", self.at)).or_default();
            *longest = lines.max(*longest);
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, item.sig.span(), item.block.span());
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, item.sig.span(), item.block.span());
        syn::visit::visit_impl_item_fn(self, item);
    }
}
