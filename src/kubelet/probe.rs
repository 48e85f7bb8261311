//! When probes find out (POD-27 to POD-30; pkg/kubelet/prober/worker.go).
//!
//! A probe worker asks on ticks, and only a row of equal answers changes its verdict. The instants at which a verdict
//! changes are computed; no probe runs. Left out: answers of single probes that are lost, probes that take longer than a
//! period.
use crate::api::pod_spec::Probe;
use crate::kernel::{Duration, Time};

/// The ticks of a probe worker, all of them: those before its origin never matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ticks {
    period: u64,
    phase: u64,
}

impl Ticks {
    /// The ticks of a probe whose worker began, or began anew, at `origin`.
    pub(super) fn of(probe: Probe, origin: Time) -> Ticks {
        let period = seconds(probe.period.max(1)).as_nanos();
        Ticks { period, phase: origin.as_nanos() % period }
    }

    /// The first tick not before `time`, and `more` ticks on.
    fn from(self, time: Time, more: u32) -> Time {
        if time.is_never() {
            return time;
        }
        let ticks = time.as_nanos().saturating_sub(self.phase).div_ceil(self.period);
        let nanos = ticks.saturating_add(u64::from(more)).saturating_mul(self.period);
        Time::from_nanos(nanos.saturating_add(self.phase))
    }
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(u64::from(n))
}

/// When a probe may first ask a container that started at `start` (POD-29).
pub(super) fn allowed(probe: Probe, start: Time) -> Time {
    start + seconds(probe.initial_delay)
}

/// When a probe that may ask from `allowed` on has succeeded often enough, if it is answered from `answers` on (POD-30).
pub(super) fn succeeds(probe: Probe, ticks: Ticks, allowed: Time, answers: Time) -> Time {
    ticks.from(allowed.max(answers), probe.success.max(1) - 1)
}

/// When a probe that may ask from `allowed` on has failed often enough, if it is refused until `answers`; None if it is
/// answered in time (POD-30).
pub(super) fn fails(probe: Probe, ticks: Ticks, allowed: Time, answers: Time) -> Option<Time> {
    let at = ticks.from(allowed, probe.failure.max(1) - 1);
    (at < answers).then_some(at)
}

/// When it is known that a container no longer answers, if it has not from `since` on: each probe ends with its timeout
/// (POD-30).
pub(super) fn misses(probe: Probe, ticks: Ticks, allowed: Time, since: Time) -> Time {
    ticks.from(allowed.max(since), probe.failure.max(1) - 1) + seconds(probe.timeout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod_spec::Handler;

    fn probe(initial_delay: u32, success: u32) -> Probe {
        Probe {
            initial_delay,
            period: 10,
            timeout: 1,
            success,
            failure: 3,
            grace: None,
            handler: Handler::Exec,
        }
    }

    #[test]
    fn verdicts_fall_on_ticks() {
        // A container that starts at 100 s; initial delay, successThreshold, origin of the ticks, and when it begins to
        // answer; then when it has succeeded and when it has failed.
        for (delay, success, origin, answers, succeeded, failed) in [
            (0, 1, 100, 100, 100, None),
            (0, 1, 100, 101, 110, None),
            (0, 1, 100, 110, 110, None),
            (5, 1, 100, 100, 110, None),
            (0, 3, 100, 100, 120, None),
            (0, 1, 97, 100, 107, None),
            (0, 1, 97, 126, 127, None),
            (0, 1, 97, 128, 137, Some(127)),
            (30, 1, 97, 128, 137, None),
            (30, 1, 97, 158, 167, Some(157)),
            (0, 1, 204, 100, 104, None),
        ] {
            let probe = probe(delay, success);
            let ticks = Ticks::of(probe, Time::from_secs(origin));
            let (from, answers) = (allowed(probe, Time::from_secs(100)), Time::from_secs(answers));
            assert_eq!(
                succeeds(probe, ticks, from, answers),
                Time::from_secs(succeeded),
                "{delay} {origin} {answers}"
            );
            assert_eq!(
                fails(probe, ticks, from, answers),
                failed.map(Time::from_secs),
                "{delay} {origin} {answers}"
            );
        }
        let ticks = Ticks::of(probe(0, 1), Time::from_secs(97));
        assert!(succeeds(probe(0, 1), ticks, Time::from_secs(100), Time::NEVER).is_never());
    }

    /// Default probes find a hang after 20 to 31 s (POD-30).
    #[test]
    fn a_hang_is_noticed_in_time() {
        let probe = probe(0, 1);
        let ticks = Ticks::of(probe, Time::from_secs(3));
        for since in 50..70 {
            let since = Time::from_secs(since);
            let took = misses(probe, ticks, Time::from_secs(3), since) - since;
            assert!((21..31).contains(&took.as_secs()), "{took}");
        }
    }
}
