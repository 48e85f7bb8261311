//! Which claims the pods use that are accounted to nodes: ReadWriteOncePod asks (SCHED-17, VOL-24).
//!
//! Follows `usedPVCSet` and `isPVCUsedByPods` (`backend/cache/snapshot.go`). Pods of a StatefulSet name their claims by
//! ordinal, so all of a set are one entry here, not one per pod; who asks looks for the pod of that ordinal.
use super::cache::ClaimKey;
use super::counts::NONE;
use crate::api::names::{Name, Sym};
use crate::api::objects::{Pod, PodSpecId};
use crate::api::pod_spec::ClaimName;
use crate::api::store::Store;
use crate::kernel::Id;
use rustc_hash::FxHashMap;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct ClaimUsers {
    /// Number of pods that name a claim outright.
    fixed: FxHashMap<ClaimKey, u32>,
    /// By namespace and stem of the claims: stems of the pods that use them, with the number of such pods.
    per_ordinal: FxHashMap<(Sym, Sym), Vec<(Sym, u32)>>,
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
                ClaimName::PerOrdinal(stem) => {
                    let stems = self.per_ordinal.entry((namespace, stem)).or_default();
                    match stems.iter_mut().find(|entry| entry.0 == pod.stem()) {
                        Some((_, pods)) => *pods = if on { *pods + 1 } else { pods.saturating_sub(1) },
                        None if on => stems.push((pod.stem(), 1)),
                        None => {}
                    }
                    stems.retain(|(_, pods)| *pods > 0);
                }
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
        let Some(ordinal) = name.ordinal() else { return false };
        let stems = self.per_ordinal.get(&(namespace, name.stem()));
        stems.into_iter().flatten().any(|(stem, _)| {
            let pod = store.pods.id(namespace, Name::numbered(*stem, ordinal));
            pod.map(&placed).is_some_and(|(node, spec)| {
                let uses = |claim: ClaimName| matches!(claim, ClaimName::PerOrdinal(of) if of == name.stem());
                node != NONE && store.pod_spec(spec).claims.iter().any(|used| uses(used.claim))
            })
        })
    }
}
