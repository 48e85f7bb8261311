//! Which claims the pods use that are accounted to nodes: anywhere, which ReadWriteOncePod asks (SCHED-17, VOL-24), and
//! on one node beside its attachments, which the attach limit asks (SCHED-18).
//!
//! Follows `usedPVCSet` (`backend/cache/snapshot.go`) and `nodevolumelimits/csi.go`. All pods of a StatefulSet are one
//! entry of [`ClaimUsers`], not one per pod; who asks looks for the pod of that ordinal.
use super::cache::ClaimKey;
use super::counts::NONE;
use crate::api::claim_stems::ClaimStems;
use crate::api::names::{Name, Sym};
use crate::api::objects::{Attachment, Pod, PodSpecId};
use crate::api::pod_spec::ClaimName;
use crate::api::store::Store;
use crate::kernel::{Id, make_room};
use rustc_hash::FxHashMap;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct ClaimUsers {
    /// Number of pods that name a claim outright.
    fixed: FxHashMap<ClaimKey, u32>,
    /// Pods that name their claims by ordinal.
    per_ordinal: ClaimStems,
}

impl ClaimUsers {
    /// A pod of this name and spec is accounted from now on, or no longer.
    pub(super) fn change(&mut self, store: &Store, namespace: Sym, pod: Name, spec: PodSpecId, on: bool) {
        for used in &store.pod_spec(spec).claims {
            match used.claim {
                ClaimName::Fixed(name) => {
                    let users = self.fixed.entry((namespace, name)).or_default();
                    *users = if on { *users + 1 } else { users.saturating_sub(1) };
                    if *users == 0 {
                        self.fixed.remove(&(namespace, name));
                    }
                }
                ClaimName::PerOrdinal(stem) => self.per_ordinal.change(namespace, stem, pod, on),
            }
        }
    }

    /// True if an accounted pod uses the claim. `placed`: the node a pod is accounted to, and its spec there.
    pub(super) fn has(
        &self,
        store: &Store,
        claim: ClaimKey,
        placed: impl Fn(Id<Pod>) -> (u32, PodSpecId),
    ) -> bool {
        if self.fixed.contains_key(&claim) {
            return true;
        }
        let (namespace, name) = claim;
        self.per_ordinal.pods_of(namespace, name).any(|pod| {
            let pod = store.pods.id(namespace, pod);
            pod.map(&placed).is_some_and(|(node, spec)| {
                let uses = |claim: ClaimName| matches!(claim, ClaimName::PerOrdinal(of) if of == name.stem());
                node != NONE && store.pod_spec(spec).claims.iter().any(|used| uses(used.claim))
            })
        })
    }
}

/// A claim that pods on a node use, or whose volume is attached there, or both.
#[derive(Clone, Copy, Debug)]
struct Here {
    claim: ClaimKey,
    /// Whether it has users ([`Here::USED`]), and the number of its attachment ([`Here::DETACHED`]: there is none). There
    /// is one of these for each claim of each pod, so that it is one word.
    state: u32,
}

impl Here {
    const USED: u32 = 1 << 31;
    const DETACHED: u32 = Here::USED - 1;

    fn is_used(self) -> bool {
        self.state & Here::USED != 0
    }

    fn set_used(&mut self, used: bool) {
        self.state = self.state & !Here::USED | if used { Here::USED } else { 0 };
    }

    /// `NONE`: its volume is not attached.
    fn attachment(self) -> Id<Attachment> {
        match self.state & !Here::USED {
            Here::DETACHED => Id::NONE,
            number => Id::from_index(number as usize),
        }
    }

    fn set_attachment(&mut self, id: Id<Attachment>) {
        let number = if id.is_none() { Here::DETACHED } else { id.as_u32() };
        debug_assert!(number <= Here::DETACHED, "there are fewer than two billion attachments");
        self.state = self.state & Here::USED | number;
    }
}

/// The claims that matter on one node.
#[derive(Clone, Debug, Default)]
pub(super) struct VolumesHere {
    /// In order of claims.
    claims: Vec<Here>,
    /// Further attachments of the same claim: one of its name was bound to another volume before.
    further: Vec<(ClaimKey, Id<Attachment>)>,
    /// Users beyond the first, of claims that pods share.
    sharers: Vec<(ClaimKey, u32)>,
    /// Claims with users.
    used: usize,
    /// Attachments.
    attached: usize,
    /// Attachments of claims with users.
    overlap: usize,
}

impl VolumesHere {
    fn find(&self, claim: ClaimKey) -> Result<usize, usize> {
        self.claims.binary_search_by_key(&claim, |here| here.claim)
    }

    /// The entry of a claim, which is there from now on.
    fn entry(&mut self, claim: ClaimKey) -> &mut Here {
        let at = self.find(claim).unwrap_or_else(|at| {
            make_room(&mut self.claims);
            self.claims.insert(at, Here { claim, state: Here::DETACHED });
            at
        });
        &mut self.claims[at]
    }

    fn drop_if_idle(&mut self, claim: ClaimKey) {
        if let Ok(at) = self.find(claim)
            && !self.claims[at].is_used()
            && self.claims[at].attachment().is_none()
        {
            self.claims.remove(at);
        }
    }

    /// How many attachments the claim has.
    fn attachments(&self, claim: ClaimKey) -> usize {
        let first = self.find(claim).is_ok_and(|at| !self.claims[at].attachment().is_none());
        usize::from(first) + self.further.iter().filter(|further| further.0 == claim).count()
    }

    /// One more user of a claim, or one less.
    pub(super) fn change_users(&mut self, claim: ClaimKey, on: bool) {
        let was_used = self.entry(claim).is_used();
        let sharers = self.sharers.iter().position(|sharers| sharers.0 == claim);
        match (was_used, on, sharers) {
            (false, true, _) => {
                self.entry(claim).set_used(true);
                self.used += 1;
                self.overlap += self.attachments(claim);
            }
            (true, true, Some(at)) => self.sharers[at].1 += 1,
            (true, true, None) => self.sharers.push((claim, 1)),
            (true, false, Some(at)) if self.sharers[at].1 > 1 => self.sharers[at].1 -= 1,
            (true, false, Some(at)) => {
                self.sharers.swap_remove(at);
            }
            (true, false, None) => {
                self.entry(claim).set_used(false);
                self.used -= 1;
                self.overlap -= self.attachments(claim);
            }
            (false, false, _) => {}
        }
        self.drop_if_idle(claim);
    }

    /// A VolumeAttachment of this claim's volume has come.
    pub(super) fn attach(&mut self, claim: ClaimKey, id: Id<Attachment>) {
        let here = self.entry(claim);
        if here.attachment() == id || self.further.contains(&(claim, id)) {
            return;
        }
        let here = self.entry(claim);
        let is_used = here.is_used();
        if here.attachment().is_none() {
            here.set_attachment(id);
        } else {
            self.further.push((claim, id));
        }
        self.attached += 1;
        self.overlap += usize::from(is_used);
    }

    /// A VolumeAttachment is gone.
    pub(super) fn detach(&mut self, id: Id<Attachment>) {
        let claim = if let Some(at) = self.further.iter().position(|further| further.1 == id) {
            self.further.remove(at).0
        } else if let Some(here) = self.claims.iter_mut().find(|here| here.attachment() == id) {
            let claim = here.claim;
            let next = self.further.iter().position(|further| further.0 == claim);
            here.set_attachment(next.map_or(Id::NONE, |next| self.further.remove(next).1));
            claim
        } else {
            return;
        };
        self.attached -= 1;
        self.overlap -= usize::from(self.uses(claim));
        self.drop_if_idle(claim);
    }

    /// The most volumes that may be attached or about to be. `careful`: an attachment need not be that of the volume
    /// of the claim it is filed under.
    pub(super) fn at_most(&self, careful: bool) -> usize {
        self.used + self.attached - if careful { 0 } else { self.overlap }
    }

    /// A pod on the node uses the claim.
    pub(super) fn uses(&self, claim: ClaimKey) -> bool {
        self.find(claim).is_ok_and(|at| self.claims[at].is_used())
    }

    /// The claims that pods on the node use.
    pub(super) fn used(&self) -> impl Iterator<Item = ClaimKey> {
        self.claims.iter().filter(|here| here.is_used()).map(|here| here.claim)
    }

    /// The attachments of the node.
    pub(super) fn attached(&self) -> impl Iterator<Item = Id<Attachment>> {
        let first = self.claims.iter().map(|here| here.attachment()).filter(|id| !id.is_none());
        first.chain(self.further.iter().map(|further| further.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        /// Users and attachments come and go in any order: the sums are those of two plain lists.
        #[test]
        fn sums_are_those_of_lists(steps in prop::collection::vec((0u8..4, 0u32..4, 0usize..6), 0..120)) {
            let mut here = VolumesHere::default();
            let mut users: BTreeMap<ClaimKey, u32> = BTreeMap::new();
            let mut attached: BTreeSet<(ClaimKey, Id<Attachment>)> = BTreeSet::new();
            for (what, claim, attachment) in steps {
                let claim = (Sym::DEFAULT, Name::numbered(Sym::DEFAULT, claim));
                let id = Id::from_index(attachment);
                match what {
                    0 => {
                        here.change_users(claim, true);
                        *users.entry(claim).or_default() += 1;
                    }
                    1 if users.get(&claim).is_some_and(|count| *count > 0) => {
                        here.change_users(claim, false);
                        *users.entry(claim).or_default() -= 1;
                    }
                    2 if !attached.iter().any(|(other, of)| *of == id && *other != claim) => {
                        here.attach(claim, id);
                        attached.insert((claim, id));
                    }
                    3 => {
                        here.detach(id);
                        attached.retain(|(_, other)| *other != id);
                    }
                    _ => {}
                }
                users.retain(|_, count| *count > 0);
                let overlap = attached.iter().filter(|(claim, _)| users.contains_key(claim)).count();
                prop_assert_eq!(here.at_most(true), users.len() + attached.len());
                prop_assert_eq!(here.at_most(false), users.len() + attached.len() - overlap);
                prop_assert!(here.used().eq(users.keys().copied()));
                let ids: BTreeSet<_> = here.attached().collect();
                prop_assert_eq!(ids, attached.iter().map(|(_, id)| *id).collect::<BTreeSet<_>>());
            }
        }
    }
}
