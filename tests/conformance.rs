//! The recorded corpus: what a real Kubernetes 1.36.2 control plane did, and whether we do the same.
//!
//! Every case of `tests/conformance` is played at the recorded timing and under twenty drawn ones (`STSIM_SEEDS` plays
//! more). What does not agree is listed with its proof in `tests/conformance/open.txt`, and the list may only shrink:
//! a case on it that passes fails the test.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stsim::conform::judge_case;
use stsim::conform::trace::Agreed;
use stsim::scenario::read::{NoFiles, read};

fn seeds() -> u64 {
    std::env::var("STSIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
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

/// Case and proof, one a line: `name: proof`, or `name drawn: proof` for a case that agrees at the recorded timing but
/// whose outcome the real control plane does not decide under others.
fn open(root: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root.join("open.txt")).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter_map(|line| line.split_once(": "))
        .map(|(name, reason)| (name.trim().to_owned(), reason.trim().to_owned()))
        .collect()
}

/// Where a case disagrees first: at the recorded timing, and how often under drawn ones.
struct Verdict {
    recorded: Result<(), String>,
    drawn: Result<(), String>,
    failed: u64,
}

fn judge(path: &Path) -> Result<Verdict, String> {
    let text = std::fs::read(path).expect("the scenario can be read");
    let scenario =
        read(&path.to_string_lossy(), &text, &mut NoFiles).map_err(|unreadable| unreadable.render())?;
    let trace = std::fs::read_to_string(path.with_extension("trace.json")).expect("the trace can be read");
    let agreed = Agreed::parse(&trace)?;
    let under = |seed| {
        judge_case(&scenario, &agreed, seed)
            .map_err(|d| format!("seed {seed}, segment {}: {}", d.segment, d.message))
    };
    let (mut drawn, mut failed) = (Ok(()), 0);
    for seed in 1..=seeds() {
        let outcome = under(seed);
        failed += u64::from(outcome.is_err());
        drawn = drawn.and(outcome);
    }
    Ok(Verdict { recorded: under(0), drawn, failed })
}

/// All verdicts, on all processors: cases know nothing of one another.
fn judge_all(cases: &[PathBuf]) -> Vec<Result<Verdict, String>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = cases.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = cases
            .chunks(share)
            .map(|cases| scope.spawn(|| cases.iter().map(|path| judge(path)).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no case panics")).collect()
    })
}

#[test]
fn we_do_what_the_real_control_plane_did() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let known = open(&root);
    let cases = cases(&root);
    assert!(cases.len() >= 180, "only {} cases", cases.len());
    let (mut passed, mut wrong) = (0, Vec::new());
    for (path, verdict) in cases.iter().zip(judge_all(&cases)) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (recorded, drawn, failed) = match verdict {
            Ok(verdict) => (verdict.recorded, verdict.drawn, verdict.failed),
            Err(why) => (Err(why.clone()), Err(why), 0),
        };
        passed += u64::from(recorded.is_ok() && drawn.is_ok());
        for (outcome, listed) in [(recorded, name.clone()), (drawn, format!("{name} drawn"))] {
            match (outcome, known.get(&listed)) {
                (Ok(()), None) => {}
                (Ok(()), Some(_)) => wrong.push(format!("{listed} agrees: take it off open.txt")),
                (Err(why), None) => wrong.push(format!("{listed}: {why}")),
                (Err(_), Some(proof)) => {
                    println!("open  {listed} ({failed} of {} timings): {proof}", seeds());
                }
            }
        }
    }
    println!(
        "{passed} of {} cases agree at the recorded timing and under {} drawn ones, {} are open",
        cases.len(),
        seeds(),
        known.len()
    );
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
