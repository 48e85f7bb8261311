//! From changes to sets: which set a pod, claim or revision belongs to, kept so that no change makes anybody look at
//! everything.
//!
//! Stands for the listers and indexers of stateful_set.go (getPodsForStatefulSet, resolveControllerRef,
//! getStatefulSetsForPod) and for the claiming half of controller_ref_manager.go: a pod is filed with the set that
//! owns it, or, ownerless, with the set whose name it bears.
use super::identity::{Frame, parent_of};
use super::revision::revision_label;
use super::view::{OwnedRevision, SetView};
use crate::api::kind::Kind;
use crate::api::names::{Sym, Uid};
use crate::api::objects::{Claim, ControllerRevision, Pod, StatefulSet};
use crate::api::store::View;
use crate::event::Process;
use crate::kernel::Id;
use crate::world::World;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NOWHERE: u32 = u32::MAX;

/// See the module documentation. Sets are named by their table index, which is also their key in the work queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    sets: Vec<Option<SetView>>,
    by_uid: FxHashMap<Uid, u32>,
    by_name: FxHashMap<(Sym, Sym), u32>,
    /// Sets by the stems of their claims' names. Two sets can share one: `a-b` of `c`, and `a` of `b-c`.
    by_claim: FxHashMap<(Sym, Sym), Vec<u32>>,
    by_namespace: BTreeMap<Sym, BTreeSet<u32>>,
    /// Where a pod is filed, by its table index.
    homes: Vec<u32>,
    /// Ownerless pods by namespace and the name of the set they could belong to.
    orphans: BTreeMap<(Sym, Sym), BTreeSet<Id<Pod>>>,
    /// Ownerless revisions by namespace.
    orphan_revisions: BTreeMap<Sym, BTreeSet<Id<ControllerRevision>>>,
}

impl Index {
    pub(super) fn set(&self, key: u32) -> Option<&SetView> {
        self.sets.get(key as usize)?.as_ref()
    }

    pub(super) fn set_mut(&mut self, key: u32) -> Option<&mut SetView> {
        self.sets.get_mut(key as usize)?.as_mut()
    }

    /// Ownerless revisions in a namespace.
    pub(super) fn orphan_revisions(&self, namespace: Sym) -> Vec<Id<ControllerRevision>> {
        self.orphan_revisions.get(&namespace).map_or_else(Vec::new, |ids| ids.iter().copied().collect())
    }

    /// The set that owns a pod (resolveControllerRef).
    pub(super) fn owner_of(&self, cache: View<'_>, pod: &Pod) -> Option<u32> {
        let owner = cache.store.controller_of(pod.meta.owners)?;
        if owner.kind != Kind::StatefulSet {
            return None;
        }
        self.by_uid.get(&owner.uid).copied()
    }

    /// The sets that would look at an ownerless pod (getStatefulSetsForPod).
    pub(super) fn selecting(&mut self, cache: View<'_>, pod: &Pod) -> Vec<u32> {
        let Some(keys) = self.by_namespace.get(&pod.meta.namespace) else { return Vec::new() };
        let sets = &mut self.sets;
        let mut selects = |key: u32| {
            sets.get_mut(key as usize).and_then(Option::as_mut).is_some_and(|set| set.selects(cache, pod))
        };
        keys.iter().copied().filter(|key| selects(*key)).collect()
    }

    // ---- Sets ------------------------------------------------------------------------------------------------------

    /// A set is new.
    pub(super) fn add_set(&mut self, key: u32, world: &mut World) {
        let id = Id::<StatefulSet>::from_index(key as usize);
        let Some(set) = world.view(Process::ControllerManager).get(id).cloned() else { return };
        let frame = frame(id, &set, world);
        let owners = world.store.owners.intern(&[frame.owner()]);
        let (namespace, stem) = (frame.namespace, frame.stem);
        self.by_uid.insert(frame.uid, key);
        self.by_name.insert((namespace, stem), key);
        self.by_namespace.entry(namespace).or_default().insert(key);
        for claim in &frame.claim_stems {
            self.by_claim.entry((namespace, *claim)).or_default().push(key);
        }
        if self.sets.len() <= key as usize {
            self.sets.resize(key as usize + 1, None);
        }
        self.sets[key as usize] = Some(SetView::new(frame, owners));
        let orphans = self.orphans.get(&(namespace, stem)).cloned().unwrap_or_default();
        self.refile(orphans, world);
    }

    /// A set was written.
    pub(super) fn change_set(&mut self, key: u32, world: &mut World) {
        let id = Id::<StatefulSet>::from_index(key as usize);
        let Some(set) = world.view(Process::ControllerManager).get(id).cloned() else { return };
        let Some(view) = self.set(key) else { return };
        let same =
            Arc::ptr_eq(&view.frame.spec, &set.spec) && view.frame.deleting == set.meta.is_terminating();
        if same {
            return;
        }
        let frame = frame(id, &set, world);
        let Some(view) = self.set_mut(key) else { return };
        let moved = view.reframe(frame);
        self.refile(moved, world);
    }

    /// A set is gone. Its pods stay filed under its key, where nobody looks for them.
    pub(super) fn remove_set(&mut self, key: u32) {
        let Some(view) = self.sets.get_mut(key as usize).and_then(Option::take) else { return };
        let frame = &view.frame;
        self.by_uid.remove(&frame.uid);
        self.by_name.remove(&(frame.namespace, frame.stem));
        if let Some(keys) = self.by_namespace.get_mut(&frame.namespace) {
            keys.remove(&key);
        }
        for claim in &frame.claim_stems {
            if let Some(keys) = self.by_claim.get_mut(&(frame.namespace, *claim)) {
                keys.retain(|other| *other != key);
            }
        }
    }

    // ---- Pods ------------------------------------------------------------------------------------------------------

    /// A pod came, changed or went.
    pub(super) fn change_pod(&mut self, id: Id<Pod>, old: Option<Pod>, new: Option<Pod>, world: &mut World) {
        if let Some(pod) = old.filter(|pod| is_ownerless(pod, world)) {
            self.note_orphan(id, &pod, false, world);
        }
        if let Some(pod) = new.filter(|pod| is_ownerless(pod, world)) {
            self.note_orphan(id, &pod, true, world);
        }
        self.file(id, new, world);
    }

    fn note_orphan(&mut self, id: Id<Pod>, pod: &Pod, present: bool, world: &mut World) {
        let Some(parent) = parent_of(&mut world.store.names, pod.meta.name) else { return };
        let key = (pod.meta.namespace, parent);
        if present {
            self.orphans.entry(key).or_default().insert(id);
        } else if let Some(orphans) = self.orphans.get_mut(&key) {
            orphans.remove(&id);
            if orphans.is_empty() {
                self.orphans.remove(&key);
            }
        }
    }

    /// Files pods again, as the cache shows them.
    pub(super) fn refile(&mut self, ids: impl IntoIterator<Item = Id<Pod>>, world: &mut World) {
        for id in ids {
            if let Some(pod) = world.view(Process::ControllerManager).get(id).copied() {
                self.file(id, Some(pod), world);
            }
        }
    }

    /// Files a pod with the set it belongs to now, and with no other.
    fn file(&mut self, id: Id<Pod>, pod: Option<Pod>, world: &mut World) {
        let orphan = pod.filter(|pod| is_ownerless(pod, world));
        let parent = orphan.and_then(|pod| parent_of(&mut world.store.names, pod.meta.name));
        let (cache, now) = (world.view(Process::ControllerManager), world.now());
        if self.homes.len() <= id.index() {
            self.homes.resize(id.index() + 1, NOWHERE);
        }
        let old = self.homes[id.index()];
        let name = pod.or_else(|| cache.store.pods.last_known(id).copied()).map(|pod| pod.meta.name);
        if let Some(view) = self.sets.get_mut(old as usize).and_then(Option::as_mut) {
            let ordinal = name.and_then(|name| view.frame.member(cache.store, name));
            view.unfile(id, ordinal);
        }
        let home = pod.and_then(|pod| match cache.store.controller_of(pod.meta.owners) {
            Some(_) => self.owner_of(cache, &pod),
            None => self.by_name.get(&(pod.meta.namespace, parent?)).copied(),
        });
        self.homes[id.index()] = home.unwrap_or(NOWHERE);
        if let (Some(home), Some(pod)) = (home, pod)
            && let Some(view) = self.set_mut(home)
        {
            view.file(cache, id, &pod, now);
        }
    }

    // ---- Claims and revisions --------------------------------------------------------------------------------------

    /// A claim came, changed or went: what it means for the pod of its ordinal may have changed.
    pub(super) fn change_claim(&mut self, claim: &Claim, world: &mut World) {
        let Some(number) = claim.meta.name.ordinal() else { return };
        let namespace = claim.meta.namespace;
        let Some(keys) = self.by_claim.get(&(namespace, claim.meta.name.stem())).cloned() else { return };
        for key in keys {
            let Some(view) = self.set(key) else { continue };
            let ordinal = super::calls::Ordinal::of(number);
            let Some(name) = view.frame.known_pod_name(&world.store.names, ordinal) else { continue };
            let pod = world.view(Process::ControllerManager).find::<Pod>(namespace, name).map(|(id, _)| id);
            self.refile(pod, world);
        }
    }

    /// A revision came, changed or went.
    pub(super) fn change_revision(
        &mut self,
        id: Id<ControllerRevision>,
        old: Option<&ControllerRevision>,
        new: Option<&ControllerRevision>,
        world: &mut World,
    ) {
        let owner = |revision: &ControllerRevision| world.store.controller_of(revision.meta.owners).copied();
        let old = old.map(|revision| (revision.meta.namespace, owner(revision)));
        let new = new.map(|revision| (revision.meta.namespace, owner(revision)));
        if old == new {
            return;
        }
        match old {
            Some((_, Some(owner))) => {
                if let Some(view) = self.by_uid.get(&owner.uid).copied().and_then(|key| self.set_mut(key)) {
                    view.owned_revisions.retain(|owned| owned.id != id);
                }
            }
            Some((namespace, None)) => {
                if let Some(orphans) = self.orphan_revisions.get_mut(&namespace) {
                    orphans.remove(&id);
                }
            }
            None => {}
        }
        match new {
            Some((_, Some(owner))) => {
                let label = revision_label(id, world);
                if let Some(view) = self.by_uid.get(&owner.uid).copied().and_then(|key| self.set_mut(key)) {
                    view.owned_revisions.push(OwnedRevision { id, label });
                }
            }
            Some((namespace, None)) => {
                self.orphan_revisions.entry(namespace).or_default().insert(id);
            }
            None => {}
        }
    }

    // ---- All of it -------------------------------------------------------------------------------------------------

    /// Everything anew from the caches. Returns the sets.
    pub(super) fn rebuild(&mut self, world: &mut World) -> Vec<u32> {
        *self = Index::default();
        let cache = world.view(Process::ControllerManager);
        let sets: Vec<u32> = cache.iter::<StatefulSet>().map(|(id, _)| id.as_u32()).collect();
        let revisions: Vec<_> =
            cache.iter::<ControllerRevision>().map(|(id, revision)| (id, revision.clone())).collect();
        let pods: Vec<_> = cache.iter::<Pod>().map(|(id, pod)| (id, *pod)).collect();
        for key in &sets {
            self.add_set(*key, world);
        }
        for (id, revision) in revisions {
            self.change_revision(id, None, Some(&revision), world);
        }
        for (id, pod) in pods {
            self.change_pod(id, None, Some(pod), world);
        }
        sets
    }
}

fn frame(id: Id<StatefulSet>, set: &StatefulSet, world: &mut World) -> Frame {
    let name = world.store.name_of(set.meta.name);
    Frame::new(&mut world.store.names, id, set, &name)
}

fn is_ownerless(pod: &Pod, world: &World) -> bool {
    world.store.controller_of(pod.meta.owners).is_none()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, SetOptions, set};
    use super::*;

    /// From the name of a claim to the pods that would use it, of those sets whose claims are called so.
    #[test]
    fn t_sts_111_the_pod_of_a_claim() {
        let mut bench = Bench::new();
        for name in ["my-set", "set", "volume-my-set"] {
            set(&mut bench.world, name, &SetOptions { replicas: 0, claims: 2, ..SetOptions::default() });
        }
        bench.run();
        let Bench { mut world, .. } = bench;
        let mut index = Index::default();
        index.rebuild(&mut world);
        let pods = |claim: &str, world: &mut World| -> Vec<String> {
            let name = world.store.names.name(claim);
            let Some(number) = name.ordinal() else { return Vec::new() };
            let keys = index.by_claim.get(&(Sym::DEFAULT, name.stem())).cloned().unwrap_or_default();
            let ordinal = super::super::calls::Ordinal::of(number);
            let names = &mut world.store.names;
            let mut pod = |set: &SetView| {
                let name = set.frame.pod_name(names, ordinal);
                names.render(name)
            };
            keys.iter().filter_map(|key| index.set(*key)).map(&mut pod).collect()
        };
        let cases: [(&str, &[&str]); 8] = [
            ("data-my-set-2", &["my-set-2"]),
            ("logs-my-set-0", &["my-set-0"]),
            ("data-set-2", &["set-2"]),
            ("data-volume-my-set-3", &["volume-my-set-3"]),
            ("my-set-2-data", &[]),
            ("my-set-data-2", &[]),
            ("data-other-2", &[]),
            ("data-my-set", &[]),
        ];
        for (claim, expected) in cases {
            assert_eq!(pods(claim, &mut world), expected, "{claim}");
        }
    }
}
