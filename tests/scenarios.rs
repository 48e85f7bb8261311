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

/// The first line in which two texts differ.
fn difference(expected: &str, found: &str) -> String {
    let mut lines = expected.lines().zip(found.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((n, (a, b))) => format!("line {}\n  golden: {a}\n  now:    {b}", n + 1),
        None => format!("{} lines in the golden, {} now", expected.lines().count(), found.lines().count()),
    }
}

#[test]
fn every_scenario_prints_its_golden() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in scenarios() {
        let name = relative(&path);
        let output = stsim(&["run", &name]);
        let text = String::from_utf8(output.stdout).expect("text");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let failures: Vec<_> = text.lines().filter(|line| line.starts_with("FAIL")).collect();
            wrong.push(format!("{name}: {}\n{said}{}", output.status, failures.join("\n")));
            continue;
        }
        let golden = path.with_extension("golden");
        if bless {
            std::fs::write(&golden, &text).expect("the golden can be written");
            continue;
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if expected != text {
            wrong.push(format!("{name}: {}", difference(&expected, &text)));
        }
    }
    assert!(wrong.is_empty(), "{} scenarios differ:\n{}", wrong.len(), wrong.join("\n"));
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
