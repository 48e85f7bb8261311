//! `stsim compare`: a workload as StatefulSet and as Deployment, same seed, faults and clients.
use crate::api::kind::Kind;
use crate::cli::args::{Compare, ComparedAs, Play as PlayOptions, TwinStorage};
use crate::cli::{Done, Exit, Refusal, files, run, verdict};
use crate::compare::observe::{Observed, Observer, Workload};
use crate::compare::twin::{Original, Storage, Twin, twin};
use crate::compare::{self as comparing};
use crate::report::compare as report;
use crate::run::Outcome;
use crate::scenario::Scenario;
use crate::scenario::read::{NoFiles, read};
use std::io::Write;

/// Plays both and prints what was seen.
pub(super) fn compare(options: &Compare, out: &mut dyn Write) -> Done {
    let mut opened = files::opened(&options.play.file, &options.play.set)?;
    let scenario = opened.defaults()?;
    let given = options.with.as_deref().map(given).transpose()?;
    let original = Original {
        name: scenario.name.clone(),
        own: opened.own(),
        manifests: scenario.manifests.iter().map(|manifest| manifest.value.clone()).collect(),
        params: scenario.params.clone(),
        given,
    };
    let storage = match options.storage {
        TwinStorage::Shared => Storage::Shared,
        TwinStorage::None => Storage::None,
    };
    let twin = twin(&original, options.workload.as_deref(), storage)
        .map_err(|why| Refusal::invalid(format!("error: {}: {why}", options.play.file)))?;
    if options.output == ComparedAs::Scenario {
        write!(out, "{}", twin.text)?;
        return Ok(Exit::Held);
    }
    let other = read(&format!("the twin of {}", options.play.file), twin.text.as_bytes(), &mut NoFiles)
        .map_err(|wrong| Refusal::invalid(wrong.render()))?;
    let of_set =
        Workload { kind: Kind::StatefulSet, namespace: twin.namespace.clone(), name: twin.names.set.clone() };
    let of_twin = Workload { kind: Kind::Deployment, name: twin.names.twin.clone(), ..of_set.clone() };
    let all = |count: usize| (0..count).collect::<Vec<_>>();
    let (steps, faults) = (all(scenario.steps.len()), all(scenario.faults.len()));
    let (set, outcome) = play(&scenario, of_set, steps, faults, &options.play)?;
    let Twin { steps, faults, remarks, .. } = twin;
    let (other, _) = play(&other, of_twin, steps, faults, &options.play)?;
    let seed = options.play.seed.unwrap_or(scenario.seed);
    let comparison = comparing::compare(&scenario.name, seed, set, other, remarks);
    match options.output {
        ComparedAs::Markdown => write!(out, "{}", report::markdown(&comparison))?,
        ComparedAs::Json => writeln!(out, "{:#}", report::json(&comparison))?,
        ComparedAs::Text | ComparedAs::Scenario => write!(out, "{}", report::text(&comparison))?,
    }
    Ok(verdict::exit(&outcome, false))
}

/// The manifests of a file with a Deployment to compare with.
fn given(path: &str) -> Result<Vec<serde_json::Value>, Refusal> {
    let scenario = files::scenario(path)?;
    Ok(scenario.manifests.into_iter().map(|manifest| manifest.value).collect())
}

/// Plays one of the two.
fn play(
    scenario: &Scenario,
    workload: Workload,
    steps: Vec<usize>,
    faults: Vec<usize>,
    options: &PlayOptions,
) -> Result<(Observed, Outcome), Refusal> {
    let mut play = run::start(scenario, options)?;
    let mut observer = Observer::new(scenario, workload, steps, faults);
    let outcome = play.play(&mut observer);
    if let Some(refusal) = run::broken(scenario, &outcome, options) {
        return Err(refusal);
    }
    Ok((observer.finish(&play.cluster, &outcome), outcome))
}
