//! Back-off of crashing containers and failing image pulls (POD-19, POD-21, POD-22): the series, and the pod sync at
//! which a wait is found to be over (pkg/kubelet/kuberuntime/kuberuntime_manager.go doBackOff,
//! pkg/kubelet/pod_workers.go completeWork).
use crate::kernel::{Duration, Time};

/// The wait before the retry after `tries` earlier ones: nothing, then `first`, doubling up to `max`.
pub(super) fn wait(tries: u8, first: Duration, max: Duration) -> Duration {
    match tries {
        0 => Duration::ZERO,
        n if n > 32 => max,
        n => first.times(1 << (n - 1)).min(max),
    }
}

/// When a kubelet that last synced a pod at `now` finds that `due` has come: each wait is what remains, at most `most`,
/// stretched by up to a half, on a grid of pod syncs (POD-22). `stretch` gives 64 random bits for each wait, `grid` the
/// first instant of the grid not before the one given.
pub(super) fn syncs(
    now: Time,
    due: Time,
    wait: impl Fn(Duration) -> Duration,
    mut stretch: impl FnMut(u64) -> u64,
    grid: impl Fn(Time) -> Time,
) -> (Option<Time>, Time) {
    let (mut at, mut first, mut attempt) = (now, None, 0);
    while at < due {
        let span = wait(due - at).as_nanos().max(1);
        // span/2 fits, and so does its product with 32 random bits in 128.
        let extra = (u128::from(span / 2) * u128::from(stretch(attempt) >> 32)) >> 32;
        at = grid(at + Duration::from_nanos(span) + Duration::from_nanos(extra as u64));
        attempt += 1;
        if at < due && first.is_none() {
            first = Some(at);
        }
    }
    (first, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_series_of_the_reference() {
        let waits: Vec<u64> = (0..9).map(|n| wait(n, secs(10), secs(300)).as_secs()).collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(wait(u8::MAX, secs(10), secs(300)), secs(300));
    }

    proptest! {
        /// A restart lags the ideal one by at most half of the wait, and 30 s (POD-22).
        #[test]
        fn syncs_lag_by_at_most_half(due in 1_u64..300, bits in any::<u64>()) {
            let (now, due) = (Time::from_secs(1000), Time::from_secs(1000 + due));
            let grid = |time: Time| Time::from_secs(time.as_nanos().div_ceil(1_000_000_000));
            let (first, at) = syncs(now, due, |left| left.min(secs(60)), |n| bits.rotate_left(n as u32), grid);
            prop_assert!(at >= due);
            prop_assert!(first.is_none_or(|first| first < due));
            let lag = (at - due).as_nanos();
            prop_assert!(lag <= (due - now).as_nanos() / 2 + 1_000_000_000 && lag <= 31_000_000_000);
        }
    }
}
