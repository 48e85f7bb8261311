//! Judging ourselves against traces recorded from a real control plane.
//!
//! A case is a scenario and what several recorded runs of it agree on, segment by segment: how often each event
//! occurred, which came before which, the settled state, what kubectl said, which Event reasons were seen. The same
//! scenario is played here, told in the same words ([`observe`]), and compared ([`judge`]).
pub mod judge;
pub mod observe;
pub mod trace;

use crate::config::{Config, Gates, Timers};
use crate::kernel::{Duration, Latency};
use crate::run::Play;
use crate::scenario::Scenario;
use crate::trace::record::Recorder;
use judge::Disagreement;
use trace::Agreed;

/// The corpus' notion of settled.
pub const WINDOW: Duration = Duration::from_millis(1500);

/// Plays a case with a seed and judges it. Seed 0 is the unperturbed set-up; every other one draws latencies.
///
/// # Errors
/// The first disagreement.
pub fn judge_case(scenario: &Scenario, agreed: &Agreed, seed: u64) -> Result<(), Box<Disagreement>> {
    let mut scenario = scenario.clone();
    scenario.settle_window = Some(WINDOW);
    let config = recorded_config(&scenario, seed);
    let mut observer = observe::Observer::default();
    let mut play = Play::with_config(&scenario, seed, config, Recorder::on())
        .map_err(|failure| Box::new(Disagreement::setup(failure.message)))?;
    play.play(&mut observer);
    observer.finish(&play.cluster);
    judge::compare(agreed, &observer.segments)
        .map_err(|disagreement| Box::new(disagreement.with_chain(&play.cluster)))
}

/// The recorded set-up with what the scenario changes of it, perturbed by the seed.
pub fn recorded_config(scenario: &Scenario, seed: u64) -> Config {
    let mut config = Config::recorded();
    let defaults = Timers::default();
    for ((name, given), default) in
        Timers::NAMES.iter().zip(scenario.config.timers.values()).zip(defaults.values())
    {
        if given != default {
            config.timers.set(name, given);
        }
    }
    config.gates = Gates { ..scenario.config.gates };
    config.behavior = scenario.config.behavior.clone();
    if seed != 0 {
        perturb(&mut config, seed);
    }
    config
}

/// Extra delay on one group of API clients, the watches or the kubelets, as the recording did it: up to 0.3 s.
fn perturb(config: &mut Config, seed: u64) {
    let upto = |ms| Latency::Uniform(Duration::ZERO, Duration::from_millis(ms));
    let group = usize::try_from(seed % 6).unwrap_or(0);
    match group {
        0..=3 => config.extra_api[group] = Some(upto(40)),
        4 => config.extra_api = [Some(upto(25)); 4],
        _ => {}
    }
    config.latency.watch = upto(if seed.is_multiple_of(5) { 30 } else { 6 });
    config.latency.api_write = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(6));
    let wider = |latency: Latency| match latency {
        Latency::Constant(d) if d > Duration::ZERO => {
            Latency::Uniform(d, d + Duration::from_millis(if seed.is_multiple_of(2) { 100 } else { 20 }))
        }
        other => other,
    };
    config.latency.container_start = wider(config.latency.container_start);
    config.latency.ready = wider(config.latency.ready);
    config.latency.container_stop = wider(config.latency.container_stop);
}
