//! Judging ourselves against traces recorded from a real control plane.
//!
//! A case is a scenario and what several recorded runs of it agree on, segment by segment: how often each event
//! occurred, which came before which, the settled state, what kubectl said, which Event reasons were seen. The same
//! scenario is played here, told in the same words ([`observe`]), and compared ([`judge`]).
pub mod judge;
pub mod observe;
pub mod trace;

use crate::config::{Config, Gates, Timers};
use crate::event::Process;
use crate::kernel::{Duration, Latency};
use crate::run::Play;
use crate::scenario::Scenario;
use crate::trace::record::Recorder;
use judge::{Disagreement, Timing};
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
    let timing = if seed == 0 { Timing::Recorded } else { Timing::Drawn };
    judge::compare(agreed, &observer.segments, timing)
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

/// Draws timings as the recording did: each run had another mixture of slow kubelets and slow API writes of one group of
/// components. In addition one process' watch runs behind.
///
/// The ranges are those of the recorded runs: a start or stop of a container takes up to 0.11 s longer, at random or
/// biased to the long end; a write of the slow group takes 30 to 40 ms longer, 3 to 25 ms if all are slow.
fn perturb(config: &mut Config, seed: u64) {
    let between = |from, to| Latency::Uniform(Duration::from_millis(from), Duration::from_millis(to));
    let lot = |n: u64| usize::try_from(seed % n).unwrap_or(0);
    let slow = between(30, 40);
    config.extra_api = match lot(5) {
        1 => [Some(slow), None, None, None, None],
        2 => [None, Some(slow), None, None, None],
        3 => [None, None, Some(slow), None, None],
        4 => [Some(between(3, 25)); 5],
        _ => [None; 5],
    };
    config.latency.api_write = between(1, 6);
    config.latency.kubectl = between(1, 3);
    config.latency.watch = between(1, 4);
    config.slow_watch = Process::ALL.get(lot(7)).map(|process| (*process, between(0, 12)));
    let (least, most) = [(0, 10), (60, 110), (0, 110)][lot(3)];
    let extra = |latency: Latency| match latency {
        Latency::Constant(d) if d > Duration::ZERO => {
            Latency::Uniform(d + Duration::from_millis(least), d + Duration::from_millis(most))
        }
        other => other,
    };
    let latency = &mut config.latency;
    for delay in [&mut latency.container_start, &mut latency.ready, &mut latency.container_stop] {
        *delay = extra(*delay);
    }
}
