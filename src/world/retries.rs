//! Back-offs of clients whose work queue is not modelled as a whole: a key whose write has failed is tried again after 5 ms, doubling
//! to 1000 s (client-go's `DefaultTypedControllerRateLimiter`, STS-105), until it succeeds. Only keys that fail are
//! remembered. Left out: the bucket of 10 retries a second that each queue has besides.
use crate::event::Event;
use crate::kernel::Duration;
use crate::rule::mark;
use crate::world::World;
use std::collections::BTreeMap;

/// From this on a back-off is endless as far as "settled" goes: only a change from outside ends it.
const ENDLESS: Duration = Duration::from_secs(2);

/// How often keys have failed in a row.
#[derive(Clone, Debug)]
pub struct Retries<K>(BTreeMap<K, u32>);

impl<K> Default for Retries<K> {
    fn default() -> Self {
        Retries(BTreeMap::new())
    }
}

impl<K: Ord> Retries<K> {
    /// A write about the key has failed: `event` comes after the back-off.
    pub fn failed(&mut self, key: K, event: Event, world: &mut World) {
        mark!("STS-105");
        let failures = self.0.entry(key).or_default();
        let factor = 1u64.checked_shl(*failures).unwrap_or(u64::MAX);
        *failures = failures.saturating_add(1);
        let timers = &world.config.timers;
        let delay = timers.queue_backoff.times(factor).min(timers.queue_backoff_max);
        if delay >= ENDLESS {
            world.background(delay, event);
        } else {
            world.after(delay, event);
        }
    }

    /// A write about the key has succeeded, or is not needed any more.
    pub fn succeeded(&mut self, key: &K) {
        if !self.0.is_empty() {
            self.0.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn waits_double_and_begin_anew() {
        let mut world = World::new(1, Config::recorded());
        let mut retries = Retries::default();
        let mut due = Vec::new();
        for round in 0..4 {
            retries.failed("a", Event::Runner(round), &mut world);
            if round == 2 {
                retries.succeeded(&"a");
            }
            let start = world.now();
            due.push((world.next_time().expect("due") - start).as_millis());
            world.pop();
        }
        assert_eq!(due, [5, 10, 20, 5]);
    }
}
