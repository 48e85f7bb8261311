//! The free-running lane `faults:`: the same actions as in steps, on a clock of their own.
//!
//! An entry happens `at:` a virtual time, `every:` so often, at a drawn time `between:` two durations after the start or
//! the occurrence before, or `when:` a condition becomes true; `count:` says how often. Steps do not wait for the lane,
//! and it does not keep the cluster from settling; but a run does not end before every entry whose times are known has
//! happened as often as it says. Entries without an end (`every:` without `count:`) and those that wait for a condition
//! hold nothing up.
use crate::kernel::Duration;
use crate::scenario::faults::VERBS;
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Node, Step};

/// What an entry can say whatever its verb.
pub const LANE_OPTIONS: [&str; 6] = ["at", "every", "between", "when", "count", "name"];
/// Verbs of steps that the lane has not: they take time, or are said to succeed.
const STEPS_ONLY: [&str; 3] = ["kubectl", "apply", "sleep"];

/// The verbs of the lane.
pub fn verbs() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    VERBS.iter().copied().filter(|(verb, _)| !STEPS_ONLY.contains(verb))
}

/// An entry of the lane.
#[derive(Clone, Debug)]
pub struct LaneEntry {
    /// What it does; its start is the first occurrence, if that is a time or a condition.
    pub step: Step,
    /// From one occurrence to the next.
    pub every: Option<Duration>,
    /// The least and the most from one occurrence to the next, or from the start to the first.
    pub between: Option<(Duration, Duration)>,
    /// How often; None: without end.
    pub count: Option<u32>,
}

impl Reader<'_> {
    /// The `faults` list.
    pub fn lane(&self, node: &Node, source: usize) -> Read<Vec<LaneEntry>> {
        let items = self.items(node, "Scenario.spec.faults")?.iter().enumerate();
        items.map(|(n, item)| self.lane_entry(item, n, source)).collect()
    }

    /// One entry of the lane.
    pub fn lane_entry(&self, node: &Node, n: usize, source: usize) -> Read<LaneEntry> {
        let at = format!("fault {}", n + 1);
        if let Some((key, _)) = STEPS_ONLY.iter().find_map(|verb| node.entry(verb)) {
            let verb = key.key_text();
            return Err(
                self.error(key, format!("{at}: `{verb}` belongs into `steps`, the lane does not wait"))
            );
        }
        let step = self.step(node, &at, n, source, &LANE_OPTIONS)?;
        let mut given = ["at", "between", "when"].into_iter().filter_map(|name| node.entry(name));
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            let (first, second_name) = (first.key_text(), second.key_text());
            return Err(
                self.error(second, format!("{at}: it happens `{first}:` or `{second_name}:`, not both"))
            );
        }
        let every = node.get("every").map(|value| self.positive(value, &at)).transpose()?;
        let between = node.get("between").map(|value| self.span(value, &at)).transpose()?;
        if let (Some((key, _)), true) = (node.entry("between"), every.is_some()) {
            return Err(self.error(key, format!("{at}: it happens `every:` or `between:`, not both")));
        }
        if every.is_none() && between.is_none() && node.get("at").is_none() && node.get("when").is_none() {
            return Err(self
                .error(node, format!("{at}: nothing says when"))
                .with_help("say `at:`, `every:`, `between: [2m, 10m]` or `when:`"));
        }
        let count = node.get("count").map(|value| self.number(value, &at, 1, 1_000_000)).transpose()?;
        let count = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Ok(LaneEntry { step, every, between, count: count.or(every.is_none().then_some(1)) })
    }

    fn positive(&self, node: &Node, at: &str) -> Read<Duration> {
        let duration = self.duration(node, at)?;
        if duration == Duration::ZERO {
            return Err(self.error(node, format!("{at}: every 0s would be for ever at once")));
        }
        Ok(duration)
    }

    fn span(&self, node: &Node, at: &str) -> Read<(Duration, Duration)> {
        let [low, high] = self.items(node, at)? else {
            return Err(self.error(node, format!("{at}: between needs two durations")));
        };
        let (low, high) = (self.duration(low, at)?, self.duration(high, at)?);
        if high < low || high == Duration::ZERO {
            return Err(self.error(node, format!("{at}: there is no time between {low} and {high}")));
        }
        Ok((low, high))
    }
}
