//! `stsim run` of a scenario with a `matrix:`: every cell is a play of its own, and the output is a table of them.
//!
//! The timeline of one cell is what `--set` of all its parameters prints.
use crate::api::text::escape;
use crate::cli::args::{Format, Run};
use crate::cli::files::Opened;
use crate::cli::{Done, Exit, Refusal, Trouble, run};
use crate::report::timeline::clock;
use crate::run::{Blind, Ended, Failure};
use crate::scenario::params::Cell;
use std::io::Write;

/// How the play of a cell went.
struct Row {
    cell: Cell,
    exit: Exit,
    end: String,
    failures: Vec<Failure>,
}

/// Plays every cell and prints one row, or one JSON object, for each. Exits as the worst of them.
pub(super) fn run(opened: &mut Opened, cells: &[Cell], options: &Run, out: &mut dyn Write) -> Done {
    let mut rows = Vec::with_capacity(cells.len());
    let mut about = String::new();
    for cell in cells {
        let (row, line) = play(opened, cell, options)?;
        if options.output == Format::Jsonl {
            writeln!(out, "{}", object(&row))?;
        }
        about = line;
        rows.push(row);
    }
    if options.output == Format::Timeline {
        if !options.quiet {
            heading(&about, out)?;
            table(&rows, out)?;
        }
        failures(&rows, out)?;
    }
    Ok(rows.iter().map(|row| row.exit).max_by_key(|exit| badness(*exit)).unwrap_or(Exit::Held))
}

/// Plays one cell. What is no verdict about the cell (wrong input, our bug) ends the whole table.
fn play(opened: &mut Opened, cell: &Cell, options: &Run) -> Result<(Row, String), Trouble> {
    let scenario = opened.scenario(cell)?;
    let mut play = run::start(&scenario, &options.play)?;
    let outcome = play.play(&mut Blind);
    if let Some(refusal) = run::unplayable(&scenario, &outcome, options) {
        let text = format!("{}\n  in the cell {}", refusal.text, named(cell));
        return Err(Refusal { text, ..refusal }.into());
    }
    let exit = match outcome.ended {
        _ if !outcome.failures.is_empty() => Exit::Failed,
        Ended::Limit(_) => Exit::Undecided,
        _ => Exit::Held,
    };
    let end = clock(play.cluster.world.now());
    Ok((Row { cell: cell.clone(), exit, end, failures: outcome.failures }, scenario.about.clone()))
}

/// Which of two ends is worse: ours over the input's over the cluster's.
fn badness(exit: Exit) -> u8 {
    match exit {
        Exit::Held => 0,
        Exit::Undecided => 1,
        Exit::Failed => 2,
        Exit::Invalid => 3,
        Exit::Bug => 4,
    }
}

fn verdict(exit: Exit) -> &'static str {
    match exit {
        Exit::Held => "held",
        Exit::Failed => "FAILED",
        Exit::Undecided => "undecided",
        Exit::Invalid => "invalid",
        Exit::Bug => "bug",
    }
}

fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn named(cell: &Cell) -> String {
    let pairs: Vec<_> = cell.varied.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    escape(&pairs.join(" ")).into_owned()
}

fn object(row: &Row) -> serde_json::Value {
    let params: serde_json::Map<_, _> = row.cell.varied.iter().cloned().collect();
    let failure = |failure: &Failure| {
        serde_json::json!({
            "step": failure.step.map(|n| n + 1),
            "time": clock(failure.time),
            "message": failure.message,
        })
    };
    serde_json::json!({
        "params": params,
        "verdict": verdict(row.exit).to_lowercase(),
        "end": row.end,
        "failures": row.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn heading(about: &str, out: &mut dyn Write) -> std::io::Result<()> {
    if about.is_empty() { Ok(()) } else { writeln!(out, "# {}\n", escape(about)) }
}

/// kubectl's layout: columns as wide as their widest cell, three blanks between them.
fn table(rows: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut lines = vec![first.cell.varied.iter().map(|(name, _)| name.to_uppercase()).collect::<Vec<_>>()];
    lines[0].extend(["VERDICT", "END", "FAILURES"].map(str::to_owned));
    for row in rows {
        let mut line: Vec<_> =
            row.cell.varied.iter().map(|(_, value)| escape(&shown(value)).into_owned()).collect();
        line.extend([verdict(row.exit).to_owned(), row.end.clone(), row.failures.len().to_string()]);
        lines.push(line);
    }
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
    for line in &lines {
        let cells: Vec<_> = line.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        writeln!(out, "{}", cells.join("   ").trim_end())?;
    }
    Ok(())
}

fn failures(rows: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
    for row in rows {
        for failure in &row.failures {
            let step = failure.step.map_or(0, |n| n + 1);
            let (time, message) = (clock(failure.time), escape(&failure.message));
            writeln!(out, "FAIL {}: step {step} at {time}: {message}", named(&row.cell))?;
        }
    }
    Ok(())
}
