//! Which ReplicaSets belong to which Deployment, and how many pods each has, at the position of the manager's watch.
use crate::api::kind::Kind;
use crate::api::labels::Owner;
use crate::api::names::{Sym, Uid};
use crate::api::objects::{Pod, ReplicaSet};
use crate::api::store::Store;
use crate::kernel::Id;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Pods of one ReplicaSet, terminating ones included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Pods {
    /// All.
    pub all: u32,
    /// Those that have not ended: what Recreate waits for (DEP-12).
    pub running: u32,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    owned: FxHashMap<Uid, Vec<Id<ReplicaSet>>>,
    orphans: BTreeSet<(Sym, Id<ReplicaSet>)>,
    pods: FxHashMap<Uid, Pods>,
}

/// The managing owner of a ReplicaSet, if it is a Deployment.
pub(super) fn owner(store: &Store, set: &ReplicaSet) -> Option<Owner> {
    store.controller_of(set.meta.owners).copied().filter(|owner| owner.kind == Kind::Deployment)
}

fn set_of(store: &Store, pod: &Pod) -> Option<Uid> {
    let owner = store.controller_of(pod.meta.owners)?;
    (owner.kind == Kind::ReplicaSet).then_some(owner.uid)
}

impl Index {
    /// A ReplicaSet changed.
    pub(super) fn change_set(
        &mut self,
        id: Id<ReplicaSet>,
        old: Option<&ReplicaSet>,
        new: Option<&ReplicaSet>,
        store: &Store,
    ) {
        let uid = |set: &ReplicaSet| owner(store, set).map(|owner| owner.uid);
        let (before, after) = (old.and_then(uid), new.and_then(uid));
        if before != after {
            if let Some(owned) = before.and_then(|uid| self.owned.get_mut(&uid)) {
                owned.retain(|other| *other != id);
            }
            if let Some(uid) = after {
                self.owned.entry(uid).or_default().push(id);
            }
            if let Some(uid) = before.filter(|uid| self.owned.get(uid).is_some_and(Vec::is_empty)) {
                self.owned.remove(&uid);
            }
        }
        let orphan = |set: &ReplicaSet| store.controller_of(set.meta.owners).is_none();
        if let Some(set) = old.filter(|set| orphan(set)) {
            self.orphans.remove(&(set.meta.namespace, id));
        }
        if let Some(set) = new.filter(|set| orphan(set)) {
            self.orphans.insert((set.meta.namespace, id));
        }
    }

    /// A pod changed.
    pub(super) fn change_pod(&mut self, old: Option<&Pod>, new: Option<&Pod>, store: &Store) {
        let place = |pod: Option<&Pod>| pod.and_then(|pod| Some((set_of(store, pod)?, !pod.is_terminal())));
        let (before, after) = (place(old), place(new));
        if before == after {
            return;
        }
        if let Some((uid, running)) = after {
            let pods = self.pods.entry(uid).or_default();
            pods.all += 1;
            pods.running += u32::from(running);
        }
        if let Some((uid, running)) = before
            && let Some(pods) = self.pods.get_mut(&uid)
        {
            pods.all = pods.all.saturating_sub(1);
            pods.running = pods.running.saturating_sub(u32::from(running));
            if pods.all == 0 {
                self.pods.remove(&uid);
            }
        }
    }

    /// ReplicaSets whose managing owner is this.
    pub(super) fn owned(&self, owner: Uid) -> &[Id<ReplicaSet>] {
        self.owned.get(&owner).map_or(&[], |ids| ids)
    }

    /// ReplicaSets of this namespace that nobody manages.
    pub(super) fn orphans(&self, namespace: Sym) -> impl Iterator<Item = Id<ReplicaSet>> + '_ {
        self.orphans.range((namespace, Id::from_index(0))..=(namespace, Id::NONE)).map(|(_, id)| *id)
    }

    /// Pods of the ReplicaSet of this uid.
    pub(super) fn pods(&self, set: Uid) -> Pods {
        self.pods.get(&set).copied().unwrap_or_default()
    }
}
