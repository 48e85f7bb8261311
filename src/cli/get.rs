//! `stsim get` and `stsim describe`: time travel. The run is played again up to the moment, and kubectl looks.
use crate::cli::args::{Describe, Get, Play};
use crate::cli::{Done, Exit, Refusal, files, run};
use crate::kubectl::run as kubectl;
use crate::run::{Blind, Ended};
use crate::scenario::yaml;
use std::io::Write;

/// Prints what `kubectl get` would have shown.
pub(super) fn get(options: &Get, out: &mut dyn Write) -> Done {
    look(&options.play, options.at.as_deref(), &words(options), out)
}

/// Prints what `kubectl describe` would have shown.
pub(super) fn describe(options: &Describe, out: &mut dyn Write) -> Done {
    let mut words = vec!["describe".to_owned(), options.kind.clone()];
    words.extend(options.name.clone());
    look(&options.play, options.at.as_deref(), &words, out)
}

fn look(play: &Play, at: Option<&str>, words: &[String], out: &mut dyn Write) -> Done {
    kubectl::check(words)
        .map_err(|why| Refusal::invalid(format!("error: {}", why.replace('\n', "\n  = help: "))))?;
    let scenario = files::opened(&play.file, &play.set)?.defaults()?;
    let mut play = run::start(&scenario, play)?;
    let outcome = match at {
        Some(at) => play.play_until(files::time_option("--at", at)?, &mut Blind),
        None => play.play(&mut Blind),
    };
    if let Some(failure) = outcome.failures.iter().find(|failure| failure.invalid) {
        return Err(Refusal::invalid(failure.message.clone()).into());
    }
    if let Ended::Limit(_) = outcome.ended {
        return Err(Refusal {
            text: "error: a limit was exceeded before that moment".into(),
            exit: Exit::Undecided,
        }
        .into());
    }
    let output = kubectl::start(words, None, yaml::documents, &mut play.cluster).output;
    out.write_all(output.stdout.as_bytes())?;
    out.flush()?;
    if output.exit != 0 {
        return Err(Refusal { text: output.stderr.trim_end().to_owned(), exit: Exit::Failed }.into());
    }
    Ok(Exit::Held)
}

fn words(options: &Get) -> Vec<String> {
    let mut words = vec!["get".to_owned(), options.kind.clone()];
    words.extend(options.name.clone());
    if let Some(output) = &options.output {
        words.extend(["-o".to_owned(), output.clone()]);
    }
    words
}
