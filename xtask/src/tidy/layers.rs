//! Crates import only what `layers.toml` allows, and declare no features of their own.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

#[derive(Deserialize)]
struct Layers {
    external: BTreeMap<String, Vec<String>>,
    #[serde(rename = "crate")]
    crates: BTreeMap<String, Layer>,
}

#[derive(Deserialize)]
struct Layer {
    layer: u32,
    may: Vec<String>,
}

/// Checks every member's manifest.
pub(super) fn check(root: &Path, findings: &mut Vec<String>) {
    let layers: Layers = match fs::read_to_string(root.join("xtask/layers.toml"))
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str(&text).map_err(|error| error.to_string()))
    {
        Ok(layers) => layers,
        Err(error) => {
            findings.push(format!("xtask/layers.toml: {error}"));
            return;
        }
    };
    let Ok(entries) = fs::read_dir(root.join("crates")) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(text) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        match text.parse::<toml::Table>() {
            Ok(manifest) => check_crate(&name, &manifest, &layers, findings),
            Err(error) => findings.push(format!("crates/{name}/Cargo.toml: {error}")),
        }
    }
}

fn check_crate(name: &str, manifest: &toml::Table, layers: &Layers, findings: &mut Vec<String>) {
    let at = format!("crates/{name}/Cargo.toml");
    if manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str()) != Some(name) {
        findings.push(format!("{at}: the directory is not named after the crate"));
    }
    let Some(own) = layers.crates.get(name) else {
        findings.push(format!("{at}: the crate has no place in xtask/layers.toml"));
        return;
    };
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(section).and_then(|d| d.as_table()) else {
            continue;
        };
        for (dependency, declared) in dependencies {
            // Own crates may be asked for a feature, and others be optional behind one.
            let besides =
                if layers.crates.contains_key(dependency) { "features" } else { "optional" };
            let plain = declared.as_table().is_some_and(|table| {
                table.contains_key("workspace")
                    && table.keys().all(|key| key == "workspace" || key == besides)
            });
            if !plain {
                findings.push(format!(
                    "{at}: `{dependency}` must be `.workspace = true` and at most `{besides}`"
                ));
            }
            if section == "dependencies" {
                check_edge(&at, name, own, dependency, layers, findings);
            }
        }
    }
}

fn check_edge(
    at: &str,
    name: &str,
    own: &Layer,
    dependency: &str,
    layers: &Layers,
    findings: &mut Vec<String>,
) {
    if let Some(other) = layers.crates.get(dependency) {
        let listed = own.may.iter().any(|m| m == dependency || m == "*");
        if !listed {
            findings.push(format!("{at}: may not import `{dependency}` (xtask/layers.toml)"));
        }
        // Within a layer crates are siblings; the foundation's world-on-base edge is the exception.
        if listed && other.layer >= own.layer && own.layer > 0 {
            findings.push(format!("{at}: `{dependency}` is not in a lower layer"));
        }
    } else if let Some(owners) = layers.external.get(dependency)
        && !owners.iter().any(|owner| owner == name)
        && !own.may.iter().any(|m| m == "*")
    {
        findings.push(format!("{at}: `{dependency}` belongs to {}", owners.join(", ")));
    }
}
