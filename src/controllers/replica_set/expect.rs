//! Expectations: creates and deletes a sync has asked for and the watch has not shown yet (RS-1).
//!
//! Follows pkg/controller/controller_utils.go, ControllerExpectations and UIDTrackingControllerExpectations: creates
//! are counted, deletes are known by name. While some are open nothing is created or deleted; after five minutes they
//! are given up.
use crate::api::objects::Pod;
use crate::kernel::{Duration, Id, Time};
use rustc_hash::FxHashSet;

/// How long an expectation holds (ExpectationsTimeout).
const TIMEOUT: Duration = Duration::from_secs(300);

/// What is expected of one ReplicaSet.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectations {
    creates: u32,
    deletes: FxHashSet<Id<Pod>>,
    since: Time,
}

impl Expectations {
    /// Expects this many pods to appear, and nothing else.
    pub(super) fn expect_creates(&mut self, creates: u32, now: Time) {
        *self = Expectations { creates, deletes: FxHashSet::default(), since: now };
    }

    /// Expects these pods to be deleted, and nothing else.
    pub(super) fn expect_deletes(&mut self, pods: &[Id<Pod>], now: Time) {
        *self = Expectations { creates: 0, deletes: pods.iter().copied().collect(), since: now };
    }

    /// So many creates have been seen, or will never be.
    pub(super) fn created(&mut self, creates: u32) {
        self.creates = self.creates.saturating_sub(creates);
    }

    /// The deletion of a pod has been seen, or will never be.
    pub(super) fn deleted(&mut self, pod: Id<Pod>) {
        self.deletes.remove(&pod);
    }

    /// Nothing is open, or it has been for too long.
    pub(super) fn are_satisfied(&self, now: Time) -> bool {
        (self.creates == 0 && self.deletes.is_empty()) || now > self.since + TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_until_seen_or_given_up() {
        let mut open = Expectations::default();
        let start = Time::from_secs(10);
        assert!(open.are_satisfied(start));
        open.expect_creates(2, start);
        open.created(1);
        assert!(!open.are_satisfied(start));
        open.created(1);
        assert!(open.are_satisfied(start));
        let pods = [Id::from_index(3), Id::from_index(4)];
        open.expect_deletes(&pods, start);
        open.deleted(pods[0]);
        open.deleted(pods[0]);
        open.created(1);
        assert!(!open.are_satisfied(start + TIMEOUT));
        assert!(open.are_satisfied(start + TIMEOUT + Duration::from_nanos(1)));
        open.deleted(pods[1]);
        assert!(open.are_satisfied(start));
    }
}
