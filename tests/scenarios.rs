//! Every shipped scenario against its golden: what `stsim run` prints, byte for byte.
//!
//! `BLESS=1 cargo test --test scenarios` writes the goldens; look at the difference before you commit it.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;

use common::{root, stsim};
use std::path::{Path, PathBuf};

/// All scenario files, those meant to be refused left out.
fn scenarios() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().join("scenarios")];
    while let Some(directory) = directories.pop() {
        for entry in
            std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                if entry.file_name().is_some_and(|name| name != "invalid") {
                    directories.push(entry);
                }
            } else if entry.extension().is_some_and(|extension| extension == "yaml") {
                found.push(entry);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 20, "only {} scenarios", found.len());
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

/// `stsim test` judges them all: what each prints, and what each expects.
#[test]
fn every_scenario_prints_its_golden() {
    let bless = std::env::var_os("BLESS").is_some();
    let arguments: &[&str] =
        if bless { &["test", "scenarios", "--bless"] } else { &["test", "scenarios", "--strict"] };
    let output = stsim(arguments);
    let text = String::from_utf8(output.stdout).expect("text");
    let wrong: Vec<_> = text.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{}\n{}", wrong.join("\n"), String::from_utf8_lossy(&output.stderr));
    for path in scenarios() {
        let line = format!("ok    {}", relative(&path));
        assert!(text.lines().any(|found| found == line), "no `{line}`: has it a golden?");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for path in scenarios().iter().step_by(3) {
        let name = relative(path);
        let log = |seed: &str| stsim(&["run", &name, "-o", "jsonl", "--seed", seed]).stdout;
        let (first, again) = (log("7"), log("7"));
        assert!(!first.is_empty(), "{name}");
        assert!(first == again, "{name}: two runs with seed 7 differ");
    }
}

#[test]
fn no_golden_is_left_without_its_scenario() {
    let mut directories = vec![root().join("scenarios")];
    while let Some(directory) = directories.pop() {
        for entry in
            std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                directories.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "golden") {
                assert!(entry.with_extension("yaml").exists(), "{} has no scenario", relative(&entry));
            }
        }
    }
}
