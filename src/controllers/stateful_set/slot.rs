//! One pod in its place: what a sync asks about it, from one look at its object and its claims.
//!
//! The predicates are those of stateful_set_utils.go, as section 0 of the semantics words them.
use super::calls::Ordinal;
use super::claims::{self, PodRef};
use super::identity::{Frame, identity_matches, storage_matches};
use crate::api::names::Sym;
use crate::api::objects::{Phase, Pod};
use crate::api::store::View;
use crate::kernel::{Id, Time};
use crate::rule::mark;

/// What a slot says of its pod.
pub(super) mod flag {
    /// Phase Failed or Succeeded (STS-57).
    pub(crate) const TERMINAL: u8 = 1;
    /// deletionTimestamp is set.
    pub(crate) const TERMINATING: u8 = 1 << 1;
    /// Not running and ready.
    pub(crate) const NOT_READY: u8 = 1 << 2;
    /// Not available.
    pub(crate) const NOT_AVAILABLE: u8 = 1 << 3;
    /// Identity, storage or claim owners are not as they should be (STS-61).
    pub(crate) const NOT_CONFORMING: u8 = 1 << 4;
    /// Pending, with claims that need a hand (STS-23).
    pub(crate) const REPAIR: u8 = 1 << 5;
    /// Claims are wrongly owned (STS-28).
    pub(crate) const CLAIM_OWNERS: u8 = 1 << 6;

    /// Any of these stops the replica phase of an OrderedReady set, or asks for a call there.
    pub(crate) const BLOCKING: u8 = TERMINAL | TERMINATING | NOT_READY | NOT_AVAILABLE | NOT_CONFORMING;
}

/// A pod in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    pub(super) pod: Id<Pod>,
    /// Label `controller-revision-hash`.
    pub(super) revision: Sym,
    pub(super) flags: u8,
}

impl Slot {
    /// No pod. (An option would cost four bytes more, for each replica.)
    pub(super) const EMPTY: Slot = Slot { pod: Id::NONE, revision: Sym::EMPTY, flags: 0 };

    /// Any of these flags is set.
    pub(super) fn any(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Not available, or terminating.
    pub(super) fn is_unavailable(&self) -> bool {
        self.any(flag::NOT_AVAILABLE | flag::TERMINATING)
    }
}

/// What of a pod is looked at, from one look at its object and its claims; and when it will be available, in whole
/// seconds, if it is not and only has to stay ready until then.
pub(super) fn examine(
    frame: &Frame,
    cache: View<'_>,
    pod: (Id<Pod>, &Pod),
    revision: Sym,
    now: Time,
) -> (Slot, Option<u32>) {
    let (id, pod) = pod;
    let ordinal = frame.member(cache.store, pod.meta.name).unwrap_or(Ordinal::NONE);
    let condemned = ordinal.number().and_then(|number| frame.index_of(number)).is_none();
    let min_ready = frame.spec.min_ready;
    let available = pod.is_available(min_ready, now);
    let mut flags = 0;
    let mut set = |flag: u8, on: bool| flags |= if on { flag } else { 0 };
    set(flag::TERMINAL, pod.is_terminal());
    set(flag::TERMINATING, pod.is_terminating());
    set(flag::NOT_READY, !pod.is_running_and_ready());
    set(flag::NOT_AVAILABLE, !available);
    let mut owners = false;
    if !frame.claim_stems.is_empty() && ordinal != Ordinal::NONE {
        let owner = PodRef { name: Some(pod.meta.name), uid: pod.meta.uid, condemned };
        let needs = claims::needs(frame, cache, ordinal, owner);
        owners = needs.owners;
        set(flag::REPAIR, needs.repair && pod.phase == Phase::Pending);
        set(flag::CLAIM_OWNERS, owners);
        mark!("STS-24" if needs.repair && pod.phase != Phase::Pending);
    }
    let conforms = identity_matches(pod) && storage_matches(frame, cache.store, pod);
    // The claims of a Pending pod are seen to by the repair (STS-23), not a second time here.
    set(flag::NOT_CONFORMING, !conforms || (owners && pod.phase != Phase::Pending));
    let later = pod.available_at(min_ready).filter(|_| !available);
    let later = later.map(|at| u32::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX));
    (Slot { pod: id, revision, flags }, later)
}

/// Counters over pods with an ordinal (STS-77).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) replicas: i32,
    pub(super) ready: i32,
    pub(super) available: i32,
}

impl Tally {
    /// Adds or takes away one pod.
    pub(super) fn count(&mut self, slot: &Slot, by: i32) {
        self.replicas += by;
        if !slot.any(flag::NOT_READY) {
            self.ready += by;
            if !slot.any(flag::NOT_AVAILABLE) {
                self.available += by;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, SetOptions, bare_pod, set};
    use super::*;
    use crate::api::objects::{PodFlags, StatefulSet};
    use crate::event::Process;

    #[test]
    fn t_sts_126_running_and_ready_takes_both() {
        let mut bench = Bench::new();
        let id: Id<StatefulSet> =
            set(&mut bench.world, "web", &SetOptions { replicas: 0, ..SetOptions::default() });
        let object = bench.world.store.get(id).cloned().unwrap();
        let frame = Frame::new(&mut bench.world.store.names, id, &object, "web");
        let id = bare_pod(&mut bench.world, "web-0");
        let cache = bench.world.view(Process::ControllerManager);
        let mut pod = *bench.world.store.get(id).unwrap();
        for phase in [Phase::Pending, Phase::Running, Phase::Succeeded, Phase::Failed] {
            for ready in [false, true] {
                pod.phase = phase;
                pod.flags.set(PodFlags::READY, ready);
                let (slot, _) = examine(&frame, cache, (id, &pod), Sym::EMPTY, Time::ZERO);
                let expected = phase == Phase::Running && ready;
                assert_eq!(slot.any(flag::NOT_READY), !expected, "{phase:?} {ready}");
                assert_eq!(pod.is_running_and_ready(), expected, "{phase:?} {ready}");
            }
        }
    }
}
