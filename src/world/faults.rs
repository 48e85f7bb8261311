//! Faults that have a name: which of them have been done, and which are not undone yet.
//!
//! A fault is active from the moment it is done until everything it did is undone, by its `for:` or by a later step;
//! one that nothing can undo (a lost disk, a container that was killed) stays active. Conditions ask by name, so the
//! names of all steps are declared before the first of them is carried out.
use crate::kernel::Time;
use std::collections::BTreeMap;

/// What is known of one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// How many faults of this name are active.
    pub active: u32,
    /// How many have been done so far.
    pub times: u32,
    /// When it became active, or else when it last was; None: it has not been done.
    pub since: Option<Time>,
}

/// The named faults of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    named: BTreeMap<String, Record>,
    changes: u64,
}

impl Faults {
    /// There is a fault of this name, which may be done some time.
    pub fn declare(&mut self, name: &str) {
        self.named.entry(name.to_owned()).or_default();
    }

    /// A fault of this name was done.
    pub fn begin(&mut self, name: &str, now: Time) {
        let record = self.named.entry(name.to_owned()).or_default();
        if record.active == 0 {
            record.since = Some(now);
        }
        record.active += 1;
        record.times += 1;
        self.changes += 1;
    }

    /// A fault of this name was undone.
    pub fn end(&mut self, name: &str, now: Time) {
        if let Some(record) = self.named.get_mut(name).filter(|record| record.active > 0) {
            record.active -= 1;
            if record.active == 0 {
                record.since = Some(now);
            }
            self.changes += 1;
        }
    }

    /// True if a fault of this name has been done and is not undone.
    pub fn active(&self, name: &str) -> bool {
        self.get(name).is_some_and(|record| record.active > 0)
    }

    /// What is known of a name; None: there is no such fault in the scenario.
    pub fn get(&self, name: &str) -> Option<Record> {
        self.named.get(name).copied()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// Grows whenever a fault begins or ends.
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_until_all_are_undone() {
        let mut faults = Faults::default();
        faults.declare("lost");
        assert_eq!((faults.active("lost"), faults.get("other")), (false, None));
        faults.begin("lost", Time::from_secs(1));
        faults.begin("lost", Time::from_secs(2));
        faults.end("lost", Time::from_secs(3));
        assert!(faults.active("lost"));
        assert_eq!(faults.get("lost").and_then(|record| record.since), Some(Time::from_secs(1)));
        faults.end("lost", Time::from_secs(4));
        faults.end("lost", Time::from_secs(5));
        let expected = Record { active: 0, times: 2, since: Some(Time::from_secs(4)) };
        assert_eq!((faults.get("lost"), faults.changes()), (Some(expected), 4));
        assert_eq!(faults.names().collect::<Vec<_>>(), ["lost"]);
    }
}
