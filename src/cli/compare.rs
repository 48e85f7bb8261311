//! `stsim compare`: a workload as StatefulSet and as Deployment, same seed, faults and clients.
use crate::api::kind::Kind;
use crate::cli::args::{Compare, ComparedAs, Play as PlayOptions, TwinStorage};
use crate::cli::{Done, Exit, Refusal, files, run, verdict};
use crate::cluster::Cluster;
use crate::compare::observe::Observer;
use crate::compare::seen::{Observed, Workload};
use crate::compare::twin::{Original, Storage, Twin, twin};
use crate::compare::{self as comparing};
use crate::kubectl::run::Output;
use crate::report::compare as report;
use crate::report::history::{Collector, History};
use crate::report::html;
use crate::run::{Outcome, Watch};
use crate::scenario::read::{NoFiles, read};
use crate::scenario::{Scenario, Step};
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
    let seed = options.play.seed.unwrap_or(scenario.seed);
    let html = options.output == ComparedAs::Html;
    let collector = |scenario| html.then(|| Collector::new(scenario, seed));
    let ours =
        Both { observer: Observer::new(&scenario, of_set, steps, faults), collector: collector(&scenario) };
    let (set, our_history, outcome) = play(&scenario, ours, &options.play)?;
    let Twin { steps, faults, remarks, .. } = twin;
    let theirs =
        Both { observer: Observer::new(&other, of_twin, steps, faults), collector: collector(&other) };
    let (other, their_history, _) = play(&other, theirs, &options.play)?;
    if html {
        let histories: Vec<History> = [their_history, our_history].into_iter().flatten().collect();
        write!(out, "{}", html::page(&histories))?;
        return Ok(verdict::exit(&outcome, false));
    }
    let comparison = comparing::compare(&scenario.name, seed, set, other, remarks);
    match options.output {
        ComparedAs::Markdown => write!(out, "{}", report::markdown(&comparison))?,
        ComparedAs::Json => writeln!(out, "{:#}", report::json(&comparison))?,
        ComparedAs::Text | ComparedAs::Scenario | ComparedAs::Html => {
            write!(out, "{}", report::text(&comparison))?
        }
    }
    Ok(verdict::exit(&outcome, false))
}

/// The manifests of a file with a Deployment to compare with.
fn given(path: &str) -> Result<Vec<serde_json::Value>, Refusal> {
    let scenario = files::scenario(path)?;
    Ok(scenario.manifests.into_iter().map(|manifest| manifest.value).collect())
}

/// What looks at a run: for the comparison, and for the page if there is to be one.
struct Both<'s> {
    observer: Observer<'s>,
    collector: Option<Collector<'s>>,
}

impl Both<'_> {
    fn each(&mut self, tell: impl Fn(&mut dyn Watch)) {
        tell(&mut self.observer);
        if let Some(collector) = &mut self.collector {
            tell(collector);
        }
    }
}

impl Watch for Both<'_> {
    fn happened(&mut self, cluster: &Cluster) {
        self.each(|watch| watch.happened(cluster));
    }
    fn step(&mut self, cluster: &Cluster, step: Option<&Step>) {
        self.each(|watch| watch.step(cluster, step));
    }
    fn output(&mut self, cluster: &Cluster, step: Option<&Step>, output: &Output) {
        self.each(|watch| watch.output(cluster, step, output));
    }
    fn settled(&mut self, cluster: &Cluster) {
        self.each(|watch| watch.settled(cluster));
    }
}

/// Plays one of the two.
fn play(
    scenario: &Scenario,
    mut watch: Both<'_>,
    options: &PlayOptions,
) -> Result<(Observed, Option<History>, Outcome), Refusal> {
    let mut play = run::start(scenario, options)?;
    let outcome = play.play(&mut watch);
    if let Some(refusal) = run::broken(scenario, &outcome, options) {
        return Err(refusal);
    }
    let history = watch.collector.map(|collector| collector.finish(&play.cluster, &outcome));
    Ok((watch.observer.finish(&play.cluster, &outcome), history, outcome))
}
