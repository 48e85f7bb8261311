//! How long a cluster was not whole: a StatefulSet or Deployment had fewer ready pods than it is to have.
use crate::api::kind::Kind;
use crate::api::objects::{Deployment, StatefulSet};
use crate::api::store::Change;
use crate::cluster::Cluster;
use crate::kernel::{Duration, Time};
use crate::run::Watch;
use std::collections::BTreeSet;

/// Watches the status of workloads. Before all were ready once nothing counts.
#[derive(Debug, Default)]
pub(super) struct Wholeness {
    position: u64,
    short: BTreeSet<(Kind, u32)>,
    /// Some workload was there.
    any: bool,
    /// All were ready at the last look, or since then not all are.
    since: Option<Since>,
    total: Duration,
    longest: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Since {
    Whole,
    Short(Time),
}

impl Wholeness {
    /// How long not all workloads were ready, in all and at most at once, after they first were; None: they never were.
    pub(super) fn finish(mut self, now: Time) -> Option<(Duration, Duration)> {
        if let Some(Since::Short(from)) = self.since {
            self.over(from, now);
        }
        self.since.map(|_| (self.total, self.longest))
    }

    fn over(&mut self, from: Time, to: Time) {
        let span = to.elapsed_since(from);
        self.total = self.total + span;
        self.longest = self.longest.max(span);
    }

    fn take_in(&mut self, change: &Change, cluster: &Cluster) {
        let store = &cluster.world.store;
        let short = match change.kind {
            Kind::StatefulSet => {
                let (_, set) = store.before_and_after::<StatefulSet>(change);
                set.map(|set| set.status.ready < set.spec.replicas)
            }
            Kind::Deployment => {
                let (_, deployment) = store.before_and_after::<Deployment>(change);
                deployment.map(|deployment| deployment.status.ready < deployment.spec.replicas)
            }
            _ => return,
        };
        let key = (change.kind, change.index);
        self.any |= short.is_some();
        if short == Some(true) {
            self.short.insert(key);
        } else {
            self.short.remove(&key);
        }
    }
}

impl Watch for Wholeness {
    fn happened(&mut self, cluster: &Cluster) {
        let store = &cluster.world.store;
        let end = store.log_end();
        while self.position < end {
            if let Some(change) = store.log_entry(self.position) {
                self.take_in(change, cluster);
            }
            self.position += 1;
        }
        let now = cluster.world.now();
        match (self.since, self.short.is_empty()) {
            (None, true) if self.any => self.since = Some(Since::Whole),
            (Some(Since::Whole), false) => self.since = Some(Since::Short(now)),
            (Some(Since::Short(from)), true) => {
                self.over(from, now);
                self.since = Some(Since::Whole);
            }
            _ => {}
        }
    }
}
