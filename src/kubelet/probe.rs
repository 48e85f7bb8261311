//! When the readiness probe finds out (POD-27 to POD-30; pkg/kubelet/prober/worker.go).
//!
//! The first probe comes right when the kubelet notices the container running, then one every period from there; none
//! before the initial delay. Only the instants matter at which the verdict changes: they are computed, no probe runs.
use crate::api::pod_spec::Probe;
use crate::kernel::Duration;

/// How long after the start of a container its readiness probe has succeeded often enough, if the application answers
/// from `answers` on.
pub(super) fn ready_after(probe: Option<Probe>, answers: Duration) -> Duration {
    let Some(probe) = probe else { return answers };
    let delay = Duration::from_secs(u64::from(probe.initial_delay));
    tick_from(answers.max(delay), probe) + period(probe).times(u64::from(probe.success.max(1) - 1))
}

/// How long after its start a container whose answers change at `changed` (after its start) is known to have changed.
pub(super) fn noticed_after(probe: Option<Probe>, changed: Duration, ready: bool) -> Duration {
    let Some(probe) = probe else { return changed };
    if ready {
        return ready_after(Some(probe), changed);
    }
    tick_from(changed, probe) + period(probe).times(u64::from(probe.failure.max(1) - 1))
}

fn period(probe: Probe) -> Duration {
    Duration::from_secs(u64::from(probe.period.max(1)))
}

fn tick_from(from: Duration, probe: Probe) -> Duration {
    if from.is_never() {
        return from;
    }
    period(probe).times(from.as_nanos().div_ceil(period(probe).as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_fall_on_ticks() {
        let secs = Duration::from_secs;
        let probe = |initial_delay, success| {
            Some(Probe { initial_delay, period: 10, timeout: 1, success, failure: 3 })
        };
        for (given, answers, ready) in [
            (None, 0, 0),
            (None, 3, 3),
            (probe(0, 1), 0, 0),
            (probe(0, 1), 1, 10),
            (probe(0, 1), 10, 10),
            (probe(5, 1), 0, 10),
            (probe(0, 3), 0, 20),
        ] {
            assert_eq!(ready_after(given, secs(answers)), secs(ready), "{given:?} {answers}");
        }
        assert!(ready_after(probe(0, 1), Duration::NEVER).is_never());
        assert_eq!(noticed_after(probe(0, 1), secs(61), false), secs(90));
        assert_eq!(noticed_after(probe(0, 1), secs(61), true), secs(70));
        assert_eq!(noticed_after(None, secs(61), false), secs(61));
    }
}
