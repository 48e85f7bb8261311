//! `stsim conform`: judge ourselves against recorded traces of a real control plane.
use crate::api::text::escape;
use crate::cli::args::{Conform, Lines};
use crate::cli::{Done, Exit, Refusal, files};
use crate::conform::judge::Disagreement;
use crate::conform::judge_case;
use crate::conform::trace::Agreed;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Judges every case of a directory.
pub(super) fn conform(options: &Conform, out: &mut dyn Write) -> Done {
    let mut cases = cases(Path::new(&options.directory))?;
    if let Some(only) = &options.case {
        cases.retain(|case| case.file_stem().is_some_and(|stem| stem.to_string_lossy() == *only));
    }
    if cases.is_empty() {
        let which = options.case.as_deref().unwrap_or("with a .trace.json beside it");
        return Err(Refusal::invalid(format!(
            "error: there is no case {} in {}",
            escape(which),
            options.directory
        ))
        .into());
    }
    let (mut passed, mut failed) = (0u32, 0u32);
    for path in cases {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let outcome = judge(&path, options.seeds)?;
        if outcome.is_ok() {
            passed += 1;
        } else {
            failed += 1;
        }
        print(&name, &outcome, options, out)?;
    }
    if options.output == Lines::Text {
        writeln!(out, "{passed} passed, {failed} failed")?;
    }
    Ok(if failed == 0 { Exit::Held } else { Exit::Failed })
}

type Outcome = Result<(), (u64, Box<Disagreement>)>;

fn judge(path: &Path, seeds: u64) -> Result<Outcome, Refusal> {
    let scenario = files::scenario(&path.to_string_lossy())?;
    let trace = path.with_extension("trace.json");
    let text = std::fs::read_to_string(&trace)
        .map_err(|error| Refusal::invalid(format!("error: cannot read {}: {error}", trace.display())))?;
    let agreed =
        Agreed::parse(&text).map_err(|why| Refusal::invalid(format!("error: {}: {why}", trace.display())))?;
    for seed in 0..seeds.max(1) {
        if let Err(disagreement) = judge_case(&scenario, &agreed, seed) {
            return Ok(Err((seed, disagreement)));
        }
    }
    Ok(Ok(()))
}

fn print(name: &str, outcome: &Outcome, options: &Conform, out: &mut dyn Write) -> std::io::Result<()> {
    if options.output == Lines::Jsonl {
        let value = match outcome {
            Ok(()) => serde_json::json!({"case": name, "passed": true}),
            Err((seed, d)) => serde_json::json!({
                "case": name, "passed": false, "seed": seed, "segment": d.segment, "message": d.message,
            }),
        };
        return writeln!(out, "{value}");
    }
    match outcome {
        Ok(()) => writeln!(out, "ok    {name}"),
        Err((seed, d)) => {
            let first = d.message.lines().next().unwrap_or_default();
            writeln!(out, "FAIL  {name}: segment {}, seed {seed}: {}", d.segment, escape(first))?;
            if options.case.is_none() {
                return Ok(());
            }
            writeln!(out, "{}", d.message)?;
            for line in &d.details {
                writeln!(out, "      {}", escape(line))?;
            }
            Ok(())
        }
    }
}

fn cases(directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let unreadable = |error: std::io::Error| {
        Refusal::invalid(format!("error: cannot read {}: {error}", directory.display()))
    };
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml")
            && path.with_extension("trace.json").exists()
        {
            cases.push(path);
        }
    }
    cases.sort();
    Ok(cases)
}
