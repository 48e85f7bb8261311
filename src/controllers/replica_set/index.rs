//! What is kept of ReplicaSets and their pods, change by change, at the position of the manager's watch.
//!
//! The real controller lists a namespace in every sync; here each pod event costs the same however many pods there are.
//! Pods are filed under the uid of their managing owner, and counted per set of labels: whether such a set matches the
//! selector (RS-2) or carries the template's labels (RS-6) is asked once per set, not per pod.
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, Owner};
use crate::api::names::{Sym, Uid};
use crate::api::objects::{Pod, PodFlags, PodSpecId, ReplicaSet, Revision, Seconds, TemplateId};
use crate::api::selector::Selector;
use crate::api::store::{Store, View};
use crate::controllers::replica_set::expect::Expectations;
use crate::kernel::{Id, Time};
use crate::rule::mark;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

const NOWHERE: u32 = u32::MAX;
const IDENTITY_LABELS: u16 = PodFlags::NAME_LABEL.0 | PodFlags::INDEX_LABEL.0;

/// How a pod counts for its ReplicaSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Neither ended nor being deleted: one of the replicas (RS-2).
    Active,
    /// Being deleted, its containers may still run: one of terminatingReplicas (RS-6).
    Terminating,
    /// Failed or Succeeded: left behind (RS-9).
    Ended,
}

impl Standing {
    /// Of a pod as it is.
    pub(super) fn of(pod: &Pod) -> Standing {
        if pod.is_terminal() {
            Standing::Ended
        } else if pod.is_terminating() {
            Standing::Terminating
        } else {
            Standing::Active
        }
    }
}

/// Pods of a ReplicaSet that carry the same labels.
#[derive(Clone, Copy, Debug)]
struct Group {
    labels: LabelsId,
    identity: u16,
    active: u32,
    terminating: u32,
}

/// The numbers a status is made of (RS-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Active pods.
    pub active: i32,
    /// Of them, those that carry all labels of the template.
    pub fully_labeled: i32,
    /// Of them, those that are ready.
    pub ready: i32,
    /// Of them, those that have been ready for minReadySeconds.
    pub available: i32,
    /// Pods being deleted.
    pub terminating: i32,
    /// When the next ready pod becomes available (RS-7).
    pub next_available: Option<Time>,
}

/// One ReplicaSet: its pods, and what the controller remembers of it beyond its caches.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    /// The set itself has been seen and is still there.
    pub known: bool,
    pods: Vec<Id<Pod>>,
    groups: Vec<Group>,
    ready: u32,
    /// Ready active pods by the second since which they are.
    ready_since: BTreeMap<Seconds, u32>,
    /// Creates and deletes not yet seen (RS-1).
    pub expectations: Expectations,
    /// The newest of its own writes that its caches have to show (RS-1).
    pub written: Option<Revision>,
    /// Creates of the sync under way that have not been tried.
    pub untried: u32,
    /// What made creating or deleting fail in the sync under way.
    pub error: Option<String>,
    /// Adopting or releasing failed in the sync under way.
    pub unclaimed: bool,
    /// Names drawn so far in this life of the manager.
    pub names: u32,
    /// The admitted spec of pods of this template.
    pub spec: Option<(TemplateId, PodSpecId)>,
}

impl Set {
    /// Ids of all pods whose managing owner this set is, whatever their state.
    pub(super) fn pods(&self) -> &[Id<Pod>] {
        &self.pods
    }

    fn count(&mut self, pod: &Pod, up: bool) {
        let step = |n: &mut u32| *n = if up { *n + 1 } else { n.saturating_sub(1) };
        let standing = Standing::of(pod);
        if standing == Standing::Ended {
            mark!("RS-9");
            return;
        }
        let (labels, identity) = (pod.meta.labels, pod.flags.0 & IDENTITY_LABELS);
        let found = self.groups.iter().position(|g| g.labels == labels && g.identity == identity);
        let at = found.unwrap_or_else(|| {
            self.groups.push(Group { labels, identity, active: 0, terminating: 0 });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        match standing {
            Standing::Active => step(&mut group.active),
            _ => step(&mut group.terminating),
        }
        if group.active == 0 && group.terminating == 0 {
            self.groups.swap_remove(at);
        }
        if standing == Standing::Active && pod.is_ready() {
            step(&mut self.ready);
            let since = self.ready_since.entry(pod.ready_since).or_default();
            step(since);
            if *since == 0 {
                self.ready_since.remove(&pod.ready_since);
            }
        }
    }

    /// The numbers of this set if all its pods match its selector; None: somebody has to look at the pods one by one.
    pub(super) fn counts(&self, set: &ReplicaSet, store: &Store, now: Time) -> Option<Counts> {
        let matches =
            |group: &Group| group.identity == 0 && store.labels_match(group.labels, &set.spec.selector);
        if !self.groups.iter().all(matches) {
            return None;
        }
        let mut counts = Counts { ready: number(self.ready), ..Counts::default() };
        let wanted = store.template(set.spec.template).labels;
        for group in &self.groups {
            counts.active += number(group.active);
            counts.terminating += number(group.terminating);
            if carries(store, group.labels, wanted) {
                counts.fully_labeled += number(group.active);
            }
        }
        counts.available = counts.ready;
        for (since, pods) in self.ready_since.iter().rev() {
            let Some(at) = available_at(*since, set.spec.min_ready).filter(|at| *at > now) else { break };
            counts.available -= number(*pods);
            counts.next_available = Some(at);
        }
        Some(counts)
    }
}

/// When a pod ready since this second is available; None: it is at once.
pub(super) fn available_at(since: Seconds, min_ready: u32) -> Option<Time> {
    (min_ready > 0).then(|| Time::from_secs(u64::from(since.0) + u64::from(min_ready)))
}

pub(super) fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// True if `labels` has every pair of `wanted`.
pub(super) fn carries(store: &Store, labels: LabelsId, wanted: LabelsId) -> bool {
    labels == wanted
        || store
            .labels
            .get(wanted)
            .iter()
            .all(|(key, value)| store.labels.value(labels, *key) == Some(*value))
}

/// The managing owner of a pod, if it is a ReplicaSet.
pub(super) fn owner(store: &Store, pod: &Pod) -> Option<Owner> {
    store.controller_of(pod.meta.owners).copied().filter(|owner| owner.kind == Kind::ReplicaSet)
}

/// All ReplicaSets, their pods, and the pods that nobody manages.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    sets: FxHashMap<Uid, Set>,
    /// Where in the list of its set a pod is, by table position.
    places: Vec<u32>,
    /// Pods without a managing owner, by namespace: what could be adopted.
    orphans: BTreeSet<(Sym, Id<Pod>)>,
    /// ReplicaSets by the uid of their managing owner.
    siblings: FxHashMap<Uid, Vec<Uid>>,
}

impl Index {
    /// The ReplicaSet of this uid.
    pub(super) fn set(&self, uid: Uid) -> Option<&Set> {
        self.sets.get(&uid)
    }

    /// The ReplicaSet of this uid; made if there is nothing yet.
    pub(super) fn set_mut(&mut self, uid: Uid) -> &mut Set {
        self.sets.entry(uid).or_default()
    }

    /// A ReplicaSet changed.
    pub(super) fn change_set(&mut self, old: Option<&ReplicaSet>, new: Option<&ReplicaSet>, store: &Store) {
        let owner = |set: &ReplicaSet| store.controller_of(set.meta.owners).map(|owner| owner.uid);
        let (before, after) = (old.and_then(owner), new.and_then(owner));
        if let (Some(owner), Some(set)) = (before, old)
            && (before != after || new.is_none())
            && let Some(siblings) = self.siblings.get_mut(&owner)
        {
            siblings.retain(|uid| *uid != set.meta.uid);
            if siblings.is_empty() {
                self.siblings.remove(&owner);
            }
        }
        if let (Some(owner), Some(set)) = (after, new)
            && (before != after || old.is_none())
        {
            self.siblings.entry(owner).or_default().push(set.meta.uid);
        }
        match (old, new) {
            (_, Some(set)) => self.set_mut(set.meta.uid).known = true,
            (Some(set), None) => {
                let memory = self.set_mut(set.meta.uid);
                // A successor of the name starts clean.
                let pods = Set {
                    known: false,
                    expectations: Expectations::default(),
                    written: None,
                    ..std::mem::take(memory)
                };
                *memory = pods;
                self.forget_if_empty(set.meta.uid);
            }
            (None, None) => {}
        }
    }

    /// Forgets a set that is gone and whose pods are.
    pub(super) fn forget_if_empty(&mut self, uid: Uid) {
        if self.sets.get(&uid).is_some_and(|set| !set.known && set.pods.is_empty()) {
            self.sets.remove(&uid);
        }
    }

    /// A pod changed.
    pub(super) fn change_pod(&mut self, id: Id<Pod>, old: Option<&Pod>, new: Option<&Pod>, store: &Store) {
        let managed = |pod: &Pod| store.controller_of(pod.meta.owners).is_some();
        if let Some(pod) = old.or(new) {
            let orphan = new.is_some_and(|pod| !managed(pod));
            if orphan {
                self.orphans.insert((pod.meta.namespace, id));
            } else if old.is_some_and(|pod| !managed(pod)) {
                self.orphans.remove(&(pod.meta.namespace, id));
            }
        }
        let before = old.and_then(|pod| owner(store, pod)).map(|owner| owner.uid);
        let after = new.and_then(|pod| owner(store, pod)).map(|owner| owner.uid);
        if let (Some(uid), Some(pod)) = (before, old) {
            self.set_mut(uid).count(pod, false);
            if before != after {
                self.take_out(uid, id);
                self.forget_if_empty(uid);
            }
        }
        if let (Some(uid), Some(pod)) = (after, new) {
            self.set_mut(uid).count(pod, true);
            if before != after {
                self.put_in(uid, id);
            }
        }
    }

    fn put_in(&mut self, uid: Uid, id: Id<Pod>) {
        if id.index() >= self.places.len() {
            self.places.resize(id.index() + 1, NOWHERE);
        }
        let set = self.sets.entry(uid).or_default();
        self.places[id.index()] = u32::try_from(set.pods.len()).unwrap_or(NOWHERE);
        set.pods.push(id);
    }

    fn take_out(&mut self, uid: Uid, id: Id<Pod>) {
        let Some(set) = self.sets.get_mut(&uid) else { return };
        let Some(place) = self.places.get_mut(id.index()) else { return };
        let at = std::mem::replace(place, NOWHERE) as usize;
        if set.pods.get(at) != Some(&id) {
            return;
        }
        set.pods.swap_remove(at);
        if let Some(moved) = set.pods.get(at) {
            self.places[moved.index()] = u32::try_from(at).unwrap_or(NOWHERE);
        }
    }

    /// Pods of this namespace that the selector matches and nobody manages, to adopt (RS-2).
    pub(super) fn adoptable(&self, namespace: Sym, selector: &Selector, view: View<'_>) -> Vec<Id<Pod>> {
        let range = (namespace, Id::from_index(0))..=(namespace, Id::NONE);
        let wanted = |id: &Id<Pod>| {
            view.get(*id).is_some_and(|pod| {
                Standing::of(pod) == Standing::Active && view.store.pod_matches(pod, selector)
            })
        };
        self.orphans.range(range).map(|(_, id)| *id).filter(wanted).collect()
    }

    /// Pods of all ReplicaSets with this managing owner (RS-5).
    pub(super) fn related(&self, owner: Uid) -> impl Iterator<Item = Id<Pod>> + '_ {
        let siblings = self.siblings.get(&owner).map_or(&[][..], |uids| uids);
        siblings.iter().filter_map(|uid| self.sets.get(uid)).flat_map(|set| set.pods.iter().copied())
    }
}
