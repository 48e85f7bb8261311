//! Loops of the controller manager that run every so often from its start on: only the ticks at which something would
//! be found are simulated (DEF-C1).
use crate::kernel::{Duration, Time};
use crate::world::World;

/// When a loop runs. The first life's loop has a drawn phase; that of a restarted process runs at its start first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticks {
    start: Option<Time>,
}

impl Ticks {
    /// The loop of a process that starts now.
    pub fn from_now(world: &World) -> Ticks {
        Ticks { start: Some(world.now()) }
    }

    /// The first run after `time`. `key` tells loops apart.
    pub fn after(&mut self, period: Duration, key: u64, time: Time, world: &World) -> Time {
        let start = *self.start.get_or_insert_with(|| world.next_tick(period, key, 0, Time::ZERO));
        if time < start || period == Duration::ZERO {
            return start.max(time);
        }
        let runs = (time - start).as_nanos() / period.as_nanos() + 1;
        start + period.times(runs)
    }

    /// The first run at or after `time`.
    pub fn not_before(&mut self, period: Duration, key: u64, time: Time, world: &World) -> Time {
        let before = Time::from_nanos(time.as_nanos().saturating_sub(1));
        if time.is_never() { time } else { self.after(period, key, before, world).max(time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_restarted_loop_runs_at_once() {
        let world = World::new(1, Config::recorded());
        let (period, secs) = (Duration::from_secs(20), Time::from_secs);
        let mut ticks = Ticks { start: Some(secs(7)) };
        assert_eq!(ticks.not_before(period, 1, secs(7), &world), secs(7));
        assert_eq!(ticks.after(period, 1, secs(7), &world), secs(27));
        assert_eq!(ticks.not_before(period, 1, secs(47), &world), secs(47));
        assert_eq!(ticks.not_before(period, 1, secs(48), &world), secs(67));
        assert!(Ticks::default().after(period, 1, Time::ZERO, &world) <= secs(20));
    }
}
