//! `stsim coverage`: which rules of the semantics reference scenarios exercise.
use crate::api::names::Sym;
use crate::api::text::escape;
use crate::cli::args::{Coverage as Options, Listing};
use crate::cli::{Done, Exit, Refusal, files};
use crate::conform::{WINDOW, recorded_config};
use crate::report::coverage::{find, json, json_of, markdown, rule, text};
use crate::report::dns::dns_records;
use crate::rule::marks::{self, Marks};
use crate::run::{Blind, Play};
use crate::scenario::Scenario;
use crate::trace::coverage::Coverage;
use crate::trace::record::Recorder;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Plays everything below the paths and prints the rules.
pub(super) fn coverage(options: &Options, out: &mut dyn Write) -> Done {
    if let Some(id) = &options.rule {
        // A wrong id costs no play.
        find(&Coverage::new(Vec::new()), id).ok_or_else(|| no_rule(id))?;
    }
    let coverage = Coverage::new(plays(&options.paths)?);
    match (&options.rule, options.output) {
        (None, Listing::Text) => write!(out, "{}", text(&coverage))?,
        (None, Listing::Json) => writeln!(out, "{}", json(&coverage))?,
        (None, Listing::Markdown) => write!(out, "{}", markdown(&coverage))?,
        (Some(id), format) => {
            let definition = find(&coverage, id).ok_or_else(|| no_rule(id))?;
            match format {
                Listing::Json => writeln!(out, "{}", json_of(&coverage, definition))?,
                Listing::Text | Listing::Markdown => write!(out, "{}", rule(&coverage, definition))?,
            }
        }
    }
    Ok(Exit::Held)
}

fn no_rule(id: &str) -> Refusal {
    Refusal::invalid(format!("error: --rule: there is no rule `{}` in docs/semantics", escape(id)))
}

/// Plays every scenario and returns the marks of each: our own scenarios before recorded ones, short before long, and
/// last those that are meant to be refused, which teach little.
fn plays(paths: &[String]) -> Result<Vec<(String, Marks)>, Refusal> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        below(Path::new(path), &mut found)?;
        if found.len() == before {
            return Err(Refusal::invalid(format!("error: there is no scenario in {path}")));
        }
    }
    found.sort();
    found.dedup();
    let mut plays = Vec::new();
    for path in found {
        let name = path.with_extension("").to_string_lossy().into_owned();
        let recorded = path.with_extension("trace.json").exists();
        let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let refused = path.with_extension("expected").exists();
        plays.push(((refused, recorded, length), name, play(&path, recorded)?));
    }
    plays.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    Ok(plays.into_iter().map(|(_, name, marks)| (name, marks)).collect())
}

/// Every YAML file at or below a path.
fn below(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), Refusal> {
    let unreadable =
        |error: std::io::Error| Refusal::invalid(format!("error: cannot read {}: {error}", path.display()));
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "yaml") {
            below(&entry, found)?;
        }
    }
    Ok(())
}

/// The marks of one scenario; a recorded case is played in the set-up in which it was recorded. A file that is meant
/// to be refused has a `NAME.expected` beside it, and refusing it is what it exercises.
fn play(path: &Path, recorded: bool) -> Result<Marks, Refusal> {
    marks::collect();
    let played = play_cells(path, recorded);
    let marks = marks::collected();
    if !path.with_extension("expected").exists() {
        played?;
    }
    Ok(marks)
}

/// Every cell of a matrix is a play.
fn play_cells(path: &Path, recorded: bool) -> Result<(), Refusal> {
    let mut opened = files::opened(&path.to_string_lossy(), &[])?;
    match opened.cells() {
        None => play_scenario(opened.defaults()?, recorded),
        Some(cells) => cells.iter().try_for_each(|cell| play_scenario(opened.scenario(cell)?, recorded)),
    }
}

fn play_scenario(mut scenario: Scenario, recorded: bool) -> Result<(), Refusal> {
    let config = if recorded {
        scenario.settle_window = Some(WINDOW);
        recorded_config(&scenario, 0)
    } else {
        scenario.config.clone()
    };
    let seed = if recorded { 0 } else { scenario.seed };
    let mut play = Play::with_config(&scenario, seed, config, Recorder::on())
        .map_err(|failure| Refusal::invalid(format!("error: {}", failure.message)))?;
    play.play(&mut Blind);
    // `stsim run` shows the records of the DNS server at the end; they are read for their marks.
    let _ = dns_records(&play.cluster.world, Sym::EMPTY);
    Ok(())
}
