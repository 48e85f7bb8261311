//! `stsim run` of a scenario with a `matrix:`: every cell is a play of its own, and the output is a table of them.
//!
//! The timeline of one cell is what `--set` of all its parameters prints.
use crate::api::text::escape;
use crate::cli::args::{Format, Run};
use crate::cli::files::Opened;
use crate::cli::{Done, Exit, Refusal, Trouble, report, run, verdict};
use crate::cluster::Cluster;
use crate::expect::{Answer, Expression};
use crate::kernel::Duration;
use crate::report::databases as figures;
use crate::report::timeline::clock;
use crate::report::verdicts::{self, Item};
use crate::report::{html, junit};
use crate::run::Blind;
use crate::scenario::params::Cell;
use crate::workload::Facts;
use std::io::Write;

/// How the play of a cell went.
struct Row {
    cell: Cell,
    exit: Exit,
    end: String,
    /// What is no pass.
    failures: Vec<Item>,
    databases: Vec<Facts>,
    /// The same, in full.
    told: Vec<String>,
    /// Titles and values of the scenario's own columns.
    columns: Vec<(String, Answer)>,
}

/// Plays every cell and prints one row, or one JSON object, for each. Exits as the worst of them.
pub(super) fn run(opened: &mut Opened, cells: &[Cell], options: &Run, out: &mut dyn Write) -> Done {
    if matches!(options.output, Format::Perfetto | Format::Mermaid | Format::Cast) {
        let help = "\n  = help: choose one with --set";
        return Err(Refusal::invalid(format!(
            "error: this output shows one play, and the scenario has several{help}"
        ))
        .into());
    }
    if options.output == Format::Html {
        let histories = report::histories(opened, cells, &options.play)?;
        write!(out, "{}", html::page(&histories))?;
        return Ok(Exit::Held);
    }
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
    match options.output {
        Format::Timeline => {
            if !options.quiet {
                heading(&about, out)?;
                table(&rows, out)?;
            }
            failures(&rows, out)?;
        }
        Format::Jsonl => {}
        Format::Json => {
            let all: Vec<_> = rows.iter().map(object).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&all).unwrap_or_default())?;
        }
        Format::Junit => {
            let cases: Vec<_> = rows.iter().map(|row| case(row, &options.play.file)).collect();
            write!(out, "{}", junit::document(&options.play.file, &cases))?;
        }
        Format::Html | Format::Perfetto | Format::Mermaid | Format::Cast => {}
    }
    Ok(rows.iter().map(|row| row.exit).max_by_key(|exit| badness(*exit)).unwrap_or(Exit::Held))
}

/// Plays one cell. What is no verdict about the cell (wrong input, our bug) ends the whole table.
fn play(opened: &mut Opened, cell: &Cell, options: &Run) -> Result<(Row, String), Trouble> {
    let scenario = opened.scenario(cell)?;
    let mut play = run::start(&scenario, &options.play)?;
    let outcome = play.play(&mut Blind);
    if let Some(refusal) = run::unplayable(&scenario, &outcome, &options.play) {
        let text = format!("{}\n  in the cell {}", refusal.text, named(cell));
        return Err(Refusal { text, ..refusal }.into());
    }
    let exit = verdict::exit(&outcome, options.strict);
    let Cluster { world, databases, .. } = &play.cluster;
    let mut failures = verdicts::items(&scenario, world, &outcome);
    failures.retain(|item| !item.is_pass());
    let value = |expression: &Expression| {
        let value = expression.value(&play.cluster);
        value.unwrap_or_else(|trouble| Answer::Other(format!("<{trouble}>")))
    };
    let columns =
        scenario.columns.iter().map(|(title, expression)| (title.clone(), value(expression))).collect();
    let row = Row {
        cell: cell.clone(),
        exit,
        end: clock(world.now()),
        failures,
        databases: databases.iter().map(|database| database.facts(&world.store)).collect(),
        columns,
        told: figures::json_lines(databases, world),
    };
    Ok((row, scenario.about.clone()))
}

/// A value as a table shows it.
fn answer(value: &Answer) -> String {
    match value {
        Answer::Bool(value) => value.to_string(),
        Answer::Int(value) => value.to_string(),
        Answer::Double(value) => format!("{value:?}"),
        Answer::Duration(nanos) if *nanos < 0 => format!("-{}", Duration::from_nanos(nanos.unsigned_abs())),
        Answer::Duration(nanos) => Duration::from_nanos(nanos.unsigned_abs()).to_string(),
        Answer::Text(text) | Answer::Other(text) => text.clone(),
    }
}

fn answer_json(value: &Answer) -> serde_json::Value {
    match value {
        Answer::Bool(value) => (*value).into(),
        Answer::Int(value) => (*value).into(),
        Answer::Double(value) => (*value).into(),
        _ => answer(value).into(),
    }
}

/// Which of two ends is worse: ours over the input's over the cluster's.
fn badness(exit: Exit) -> u8 {
    match exit {
        Exit::Held => 0,
        Exit::Undecided => 1,
        Exit::Failed => 2,
        Exit::Invalid => 3,
        // A play is not interrupted, a sweep is.
        Exit::Bug | Exit::Interrupted => 4,
    }
}

fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Held => "held",
        Exit::Failed => "FAILED",
        Exit::Undecided => "undecided",
        Exit::Invalid => "invalid",
        Exit::Bug | Exit::Interrupted => "bug",
    }
}

fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values of a cell: `policy=none`.
pub(super) fn named(cell: &Cell) -> String {
    let pairs: Vec<_> = cell.varied.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    escape(&pairs.join(" ")).into_owned()
}

fn object(row: &Row) -> serde_json::Value {
    let params: serde_json::Map<_, _> = row.cell.varied.iter().cloned().collect();
    let columns: serde_json::Map<_, _> =
        row.columns.iter().map(|(title, value)| (title.clone(), answer_json(value))).collect();
    let failure = |item: &Item| {
        serde_json::json!({
            "verdict": item.word,
            "what": item.what,
            "time": item.time.map(clock),
            "message": item.why,
        })
    };
    serde_json::json!({
        "params": params,
        "verdict": word(row.exit).to_lowercase(),
        "end": row.end,
        "failures": row.failures.iter().map(failure).collect::<Vec<_>>(),
        "databases": row.told.iter().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<serde_json::Value>>(),
        "columns": columns,
    })
}

/// A cell as a case of a JUnit suite.
fn case(row: &Row, file: &str) -> junit::Case {
    let details: Vec<_> = row.failures.iter().map(|item| format!("{}: {}", item.what, item.why)).collect();
    let result = match row.exit {
        Exit::Held => junit::Result::Passed,
        Exit::Undecided => junit::Result::Error(details.join("; ")),
        _ => junit::Result::Failure(format!("{} failed", details.len()), details),
    };
    junit::Case { class: file.to_owned(), name: named(&row.cell), result }
}

fn heading(about: &str, out: &mut dyn Write) -> std::io::Result<()> {
    if about.is_empty() { Ok(()) } else { writeln!(out, "# {}\n", escape(about)) }
}

/// kubectl's layout: columns as wide as their widest cell, three blanks between them.
fn table(rows: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut lines = vec![first.cell.varied.iter().map(|(name, _)| name.to_uppercase()).collect::<Vec<_>>()];
    lines[0].extend(["VERDICT", "END", "FAILURES"].map(str::to_owned));
    lines[0].extend(first.databases.iter().flat_map(|_| figures::HEADINGS).map(str::to_owned));
    lines[0].extend(first.columns.iter().map(|(title, _)| escape(&title.to_uppercase()).into_owned()));
    for row in rows {
        let mut line: Vec<_> =
            row.cell.varied.iter().map(|(_, value)| escape(&shown(value)).into_owned()).collect();
        line.extend([word(row.exit).to_owned(), row.end.clone(), row.failures.len().to_string()]);
        line.extend(row.databases.iter().flat_map(figures::row));
        line.extend(row.columns.iter().map(|(_, value)| escape(&answer(value)).into_owned()));
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
        for item in &row.failures {
            let (word, named) = (if item.word == "fail" { "FAIL" } else { item.word }, named(&row.cell));
            let time = item.time.map_or_else(String::new, |time| format!(" at {}", clock(time)));
            writeln!(out, "{word} {named}: {}{time}: {}", escape(&item.what), escape(&item.why))?;
        }
    }
    Ok(())
}
