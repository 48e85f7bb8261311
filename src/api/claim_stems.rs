//! Which pods may use a claim, where pods name their claims by ordinal: for indexes of claims' users.
//!
//! Pods of a StatefulSet name their claims by ordinal, so a whole set is one entry, not one per pod. What comes out are
//! names of pods that may use a claim; who asks looks whether there is such a pod and whether it does.
use crate::api::names::{Name, Sym};
use rustc_hash::FxHashMap;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct ClaimStems {
    /// By namespace and stem of the claims: stems of the pods that use them, with the number of such pods.
    users: FxHashMap<(Sym, Sym), Vec<(Sym, u32)>>,
}

impl ClaimStems {
    /// One more pod of this name uses claims of a stem, or one less.
    pub fn change(&mut self, namespace: Sym, claims: Sym, pod: Name, on: bool) {
        let stems = self.users.entry((namespace, claims)).or_default();
        match stems.iter_mut().find(|(stem, _)| *stem == pod.stem()) {
            Some((_, pods)) => *pods = if on { *pods + 1 } else { pods.saturating_sub(1) },
            None if on => stems.push((pod.stem(), 1)),
            None => {}
        }
        stems.retain(|(_, pods)| *pods > 0);
        if stems.is_empty() {
            self.users.remove(&(namespace, claims));
        }
    }

    /// The names of the pods that may use this claim.
    pub fn pods_of(&self, namespace: Sym, claim: Name) -> impl Iterator<Item = Name> {
        let ordinal = claim.ordinal();
        let stems = ordinal.and_then(|_| self.users.get(&(namespace, claim.stem())));
        let named = move |(stem, _): &(Sym, u32)| ordinal.map(|ordinal| Name::numbered(*stem, ordinal));
        stems.into_iter().flatten().filter_map(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Interner;

    #[test]
    fn a_set_is_one_entry_until_its_last_pod_goes() {
        let mut names = Interner::default();
        let (namespace, stem) = (names.word("default"), names.word("data-web"));
        let (pods, claim) = ([0, 1].map(|n| names.name(&format!("web-{n}"))), names.name("data-web-7"));
        let mut stems = ClaimStems::default();
        pods.iter().for_each(|pod| stems.change(namespace, stem, *pod, true));
        let seventh = names.name("web-7");
        assert_eq!(stems.pods_of(namespace, claim).collect::<Vec<_>>(), [seventh]);
        assert_eq!(stems.pods_of(stem, claim).count(), 0, "another namespace");
        stems.change(namespace, stem, pods[0], false);
        assert_eq!(stems.pods_of(namespace, claim).count(), 1);
        stems.change(namespace, stem, pods[1], false);
        assert_eq!(stems.pods_of(namespace, claim).count(), 0);
    }
}
