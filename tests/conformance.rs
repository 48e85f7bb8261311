//! The recorded corpus: what a real Kubernetes 1.36.2 control plane did, and whether we do the same.
//!
//! Every case of `tests/conformance` is played; `STSIM_SEEDS=20` adds drawn timings. Cases that do not agree yet are listed, each with
//! its reason, in `tests/conformance/open.txt`; the list may only shrink: a case on it that passes fails the test.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stsim::conform::judge_case;
use stsim::conform::trace::Agreed;
use stsim::scenario::read::{Loader, read};

struct NoFiles;
impl Loader for NoFiles {
    fn load(&mut self, relative: &str) -> Result<(String, Vec<u8>), String> {
        Err(format!("no file {relative}"))
    }
}

fn seeds() -> u64 {
    std::env::var("STSIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

fn cases(root: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<_> = std::fs::read_dir(root)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    cases
}

/// Case and reason, one a line: `name: reason`.
fn open(root: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root.join("open.txt")).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter_map(|line| line.split_once(": "))
        .map(|(name, reason)| (name.trim().to_owned(), reason.trim().to_owned()))
        .collect()
}

fn judge(path: &Path) -> Result<(), String> {
    let text = std::fs::read(path).expect("the scenario can be read");
    let scenario =
        read(&path.to_string_lossy(), &text, &mut NoFiles).map_err(|unreadable| unreadable.render())?;
    let trace = std::fs::read_to_string(path.with_extension("trace.json")).expect("the trace can be read");
    let agreed = Agreed::parse(&trace)?;
    for seed in 0..seeds() {
        judge_case(&scenario, &agreed, seed)
            .map_err(|d| format!("seed {seed}, segment {}: {}", d.segment, d.message))?;
    }
    Ok(())
}

#[test]
fn we_do_what_the_real_control_plane_did() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let known = open(&root);
    let cases = cases(&root);
    assert!(cases.len() >= 180, "only {} cases", cases.len());
    let (mut passed, mut wrong) = (0, Vec::new());
    for path in &cases {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        match (judge(path), known.get(&name)) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => wrong.push(format!("{name} passes: take it off open.txt")),
            (Err(why), None) => wrong.push(format!("{name}: {why}")),
            (Err(_), Some(reason)) => println!("open  {name}: {reason}"),
        }
    }
    println!("{passed} of {} cases agree under {} timings, {} are open", cases.len(), seeds(), known.len());
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
