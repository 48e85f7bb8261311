//! `stsim report`, and `stsim run` with an output that shows the whole run at once: played to the end, then written.
use crate::api::text::escape;
use crate::cli::args::{Format, Play as PlayOptions, Report, Run};
use crate::cli::files::Opened;
use crate::cli::{Done, Exit, Refusal, Trouble, files, matrix, run, verdict};
use crate::report::history::{Collector, History};
use crate::report::{html, mermaid, perfetto};
use crate::scenario::Scenario;
use crate::scenario::params::Cell;
use std::io::Write;

/// Writes the report of a scenario, or of all plays of its matrix.
pub(super) fn report(options: &Report, out: &mut dyn Write) -> Done {
    let mut opened = files::opened(&options.play.file, &options.play.set)?;
    let histories = match opened.cells() {
        Some(cells) => histories(&mut opened, &cells, &options.play)?,
        None => vec![history(&opened.defaults()?, &options.play)?],
    };
    let page = html::page(&histories);
    if options.output == "-" {
        write!(out, "{page}")?;
    } else {
        files::write(&options.output, &page)?;
    }
    Ok(Exit::Held)
}

fn history(scenario: &Scenario, options: &PlayOptions) -> Result<History, Trouble> {
    let mut play = run::start(scenario, options)?;
    let mut collector = Collector::new(scenario, options.seed.unwrap_or(scenario.seed));
    let outcome = play.play(&mut collector);
    match run::unplayable(scenario, &outcome, options) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(collector.finish(&play.cluster, &outcome)),
    }
}

/// The histories of the cells of a matrix, each called by its cell.
pub(super) fn histories(
    opened: &mut Opened,
    cells: &[Cell],
    options: &PlayOptions,
) -> Result<Vec<History>, Trouble> {
    let played = cells.iter().map(|cell| {
        let scenario = opened.scenario(cell)?;
        let mut history = history(&scenario, options)?;
        history.name = format!("{} {}", scenario.name, matrix::named(cell));
        Ok(history)
    });
    played.collect()
}

/// Prints what `run` was asked for, and exits as the run did.
pub(super) fn print(scenario: &Scenario, options: &Run, out: &mut dyn Write) -> Done {
    let mut play = run::start(scenario, &options.play)?;
    let mut collector = Collector::new(scenario, options.play.seed.unwrap_or(scenario.seed));
    let outcome = play.play(&mut collector);
    if let Some(refusal) = run::unplayable(scenario, &outcome, &options.play) {
        return Err(refusal.into());
    }
    let history = collector.finish(&play.cluster, &outcome);
    match (options.output, &options.object) {
        (Format::Perfetto, _) => writeln!(out, "{}", perfetto::trace(&history))?,
        (Format::Mermaid, None) => write!(out, "{}", mermaid::gantt(&history))?,
        (Format::Mermaid, Some(object)) => {
            let diagram = mermaid::sequence(&history, object);
            let refuse = |why: String| Refusal::invalid(format!("error: --object: {}", escape(&why)));
            write!(out, "{}", diagram.map_err(refuse)?)?;
        }
        _ => write!(out, "{}", html::page(&[history]))?,
    }
    verdict::verdict(scenario, &play.cluster, &outcome, options, out)
}
