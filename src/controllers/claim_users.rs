//! Which pods use a claim: the index over the shared pod informer that the volume controllers look things up in.
//!
//! Follows `pkg/controller/volume/common` (`AddPodPVCIndexerIfNotPresent`). Pods of a StatefulSet name their claims by
//! ordinal, so a whole set is one entry here, not one per pod; who asks gets the pods that really use the claim.
use crate::api::claim_stems::ClaimStems;
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym};
use crate::api::objects::{Claim, Pod};
use crate::api::pod_spec::ClaimName;
use crate::api::store::{Change, View};
use crate::event::Process;
use crate::kernel::Id;
use crate::world::World;
use rustc_hash::FxHashMap;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct ClaimUsers {
    /// Pods that name a claim outright, by namespace and name of the claim; in order of pod id.
    fixed: FxHashMap<(Sym, Name), Vec<Id<Pod>>>,
    /// Pods that name their claims by ordinal.
    per_ordinal: ClaimStems,
}

/// The names of all claims of a pod.
pub fn claims_of(view: View<'_>, pod: &Pod) -> impl Iterator<Item = Name> {
    let spec = view.store.pod_spec(pod.spec).clone();
    let pod = *pod;
    (0..spec.claims.len()).filter_map(move |i| spec.claims[i].claim.of(pod.meta.name))
}

impl ClaimUsers {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, world: &World) {
        if change.kind != Kind::Pod {
            return;
        }
        let (old, new) = world.store.before_and_after::<Pod>(change);
        let id = change.id::<Pod>();
        if let (Some(old), Some(new)) = (old, new)
            && old.spec == new.spec
        {
            return;
        }
        if let Some(old) = old {
            self.remove(world, id, old);
        }
        if let Some(new) = new {
            self.add(world, id, new);
        }
    }

    fn add(&mut self, world: &World, id: Id<Pod>, pod: &Pod) {
        for claim in &world.store.pod_spec(pod.spec).claims {
            match claim.claim {
                ClaimName::Fixed(name) => {
                    let pods = self.fixed.entry((pod.meta.namespace, name)).or_default();
                    if let Err(at) = pods.binary_search(&id) {
                        pods.insert(at, id);
                    }
                }
                ClaimName::PerOrdinal(stem) => {
                    self.per_ordinal.change(pod.meta.namespace, stem, pod.meta.name, true);
                }
            }
        }
    }

    fn remove(&mut self, world: &World, id: Id<Pod>, pod: &Pod) {
        for claim in &world.store.pod_spec(pod.spec).claims {
            match claim.claim {
                ClaimName::Fixed(name) => {
                    let key = (pod.meta.namespace, name);
                    let Some(pods) = self.fixed.get_mut(&key) else { continue };
                    pods.retain(|other| *other != id);
                    if pods.is_empty() {
                        self.fixed.remove(&key);
                    }
                }
                ClaimName::PerOrdinal(stem) => {
                    self.per_ordinal.change(pod.meta.namespace, stem, pod.meta.name, false);
                }
            }
        }
    }

    /// The pods of the view that use the claim of this namespace and name.
    pub fn of(&self, view: View<'_>, namespace: Sym, claim: Name) -> Vec<Id<Pod>> {
        let mut found: Vec<Id<Pod>> = self.fixed.get(&(namespace, claim)).cloned().unwrap_or_default();
        for pod in self.per_ordinal.pods_of(namespace, claim) {
            if let Some((id, _)) = view.find::<Pod>(namespace, pod)
                && !found.contains(&id)
            {
                found.push(id);
            }
        }
        found.retain(|id| view.get(*id).is_some_and(|pod| claims_of(view, pod).any(|name| name == claim)));
        found
    }

    /// The pods that use this claim, as `view` shows them.
    pub fn of_claim(&self, view: View<'_>, claim: &Claim) -> Vec<Id<Pod>> {
        self.of(view, claim.meta.namespace, claim.meta.name)
    }

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, world: &World) {
        *self = ClaimUsers::default();
        for (id, pod) in world.view(Process::ControllerManager).iter::<Pod>() {
            self.add(world, id, pod);
        }
    }
}
