//! `stsim why`: why an object is as it is at a moment. The run is played again up to it, and looked at.
use crate::api::kind::Kind;
use crate::cli::args::Why;
use crate::cli::{Done, Exit, Refusal, files, run};
use crate::report::why as report;
use crate::run::{Blind, Ended};
use crate::why::{self, Thing, look::Look};
use std::io::Write;

/// Prints the answer.
pub(super) fn why(options: &Why, out: &mut dyn Write) -> Done {
    let scenario = files::opened(&options.play.file, &options.play.set)?.defaults()?;
    let mut play = run::start(&scenario, &options.play)?;
    let outcome = match &options.at {
        Some(at) => play.play_until(files::time_option("--at", at)?, &mut Blind),
        None => play.play(&mut Blind),
    };
    if let Some(failure) = outcome.failures.iter().find(|failure| failure.invalid) {
        return Err(Refusal::invalid(failure.message.clone()).into());
    }
    if let Ended::Limit(_) = outcome.ended {
        let text = "error: a limit was exceeded before that moment; `stsim run` says which".into();
        return Err(Refusal { text, exit: Exit::Undecided }.into());
    }
    if let Some(at) = &options.at {
        // Nothing happens between the last event and the moment; time passes all the same.
        play.cluster.world.pass(files::time_option("--at", at)?);
    }
    let thing = Thing::parse(&options.object, &options.namespace, &Look::new(&play))
        .map_err(|why| Refusal::invalid(format!("error: {why}")))?;
    let answer = if options.no_trial { why::explain(&play, &thing) } else { why::answer(&play, &thing) };
    // A pod that is not there is explained if it was there, or if somebody would make it.
    if let Thing::Absent(_, name) = &thing
        && answer.chain.is_empty()
        && answer.waits.is_empty()
    {
        let unknown = Thing::unknown(Kind::Pod, name, &Look::new(&play));
        return Err(Refusal::invalid(format!("error: {unknown}")).into());
    }
    match options.output {
        crate::cli::args::Answer::Text => {
            for line in report::text(&answer) {
                writeln!(out, "{line}")?;
            }
        }
        crate::cli::args::Answer::Json => {
            writeln!(out, "{}", serde_json::to_string_pretty(&report::json(&answer)).unwrap_or_default())?;
        }
    }
    Ok(Exit::Held)
}
