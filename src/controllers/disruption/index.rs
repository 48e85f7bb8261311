//! Pods per budget, change by change, at the position of the manager's watch.
//!
//! The real controller asks every budget about every pod event and lists the matching pods in every sync. Here pods are
//! counted per namespace and set of labels; which budgets such a group belongs to is asked once. A budget whose
//! selector names one of the labels that are a pod's own (its name, its ordinal) has no groups: its pods are looked at
//! one by one. While there is no budget nothing is counted.
use crate::api::labels::{LabelsId, Owner};
use crate::api::names::Sym;
use crate::api::objects::{Budget, Pod};
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, Store, View};
use crate::kernel::Id;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Pods of one namespace with the same labels.
#[derive(Clone, Debug)]
struct Group {
    namespace: Sym,
    labels: LabelsId,
    count: Count,
    /// Budgets that match, oldest first.
    budgets: Vec<Id<Budget>>,
}

/// What is counted of pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// In any phase (PDB-5).
    pub all: i32,
    /// Ready and not terminating (PDB-7); disruptedPods are not taken off.
    pub healthy: i32,
    /// Pods without a controller.
    pub unmanaged: i32,
    /// The controllers, with the number of their pods.
    pub owners: Vec<(Owner, i32)>,
}

impl Count {
    /// Counts a pod, or takes it off.
    pub(super) fn add(&mut self, store: &Store, pod: &Pod, by: i32) {
        self.all += by;
        if is_healthy(pod) {
            self.healthy += by;
        }
        let Some(owner) = store.controller_of(pod.meta.owners).copied() else {
            self.unmanaged += by;
            return;
        };
        match self.owners.iter().position(|(other, _)| other.uid == owner.uid) {
            Some(at) => {
                self.owners[at].1 += by;
                if self.owners[at].1 == 0 {
                    self.owners.remove(at);
                }
            }
            None => self.owners.push((owner, by)),
        }
    }

    fn merge(&mut self, other: &Count) {
        self.all += other.all;
        self.healthy += other.healthy;
        self.unmanaged += other.unmanaged;
        self.owners.extend(&other.owners);
    }
}

/// Ready and not terminating (PDB-7).
pub(super) fn is_healthy(pod: &Pod) -> bool {
    pod.is_ready() && !pod.is_terminating()
}

#[derive(Clone, Debug, Default)]
struct Known {
    groups: Vec<u32>,
    /// The selector names a label that is a pod's own.
    by_name: bool,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    groups: Vec<Group>,
    numbers: FxHashMap<(Sym, LabelsId), u32>,
    /// All budgets, oldest first: ids of a table grow with time but for names used again.
    budgets: BTreeMap<Id<Budget>, Known>,
}

/// True if the budget selects the pod: no selector selects none, an empty one all (PDB-2).
pub(super) fn selects(store: &Store, budget: &Budget, pod: &Pod) -> bool {
    budget.meta.namespace == pod.meta.namespace
        && budget.selector.as_ref().is_some_and(|selector| store.pod_matches(pod, selector))
}

fn selects_group(store: &Store, budget: &Budget, namespace: Sym, labels: LabelsId) -> bool {
    budget.meta.namespace == namespace
        && budget.selector.as_ref().is_some_and(|selector| store.labels_match(labels, selector))
}

fn is_by_name(budget: &Budget) -> bool {
    let own = |key: &str| key == POD_NAME_LABEL || key == POD_INDEX_LABEL;
    budget.selector.as_ref().is_some_and(|selector| selector.requirements().iter().any(|r| own(&r.key)))
}

impl Index {
    /// A budget changed. With the first one the pods are counted.
    pub(super) fn change_budget(&mut self, id: Id<Budget>, new: Option<&Budget>, view: View<'_>) {
        if let Some(known) = self.budgets.remove(&id) {
            for number in known.groups {
                self.groups[number as usize].budgets.retain(|other| *other != id);
            }
        }
        let Some(budget) = new else {
            if self.budgets.is_empty() {
                *self = Index::default();
            }
            return;
        };
        // Not if the only budget changed: its pods are counted already.
        if self.groups.is_empty() {
            for (_, pod) in view.iter::<Pod>() {
                let number = self.group(pod.meta.namespace, pod.meta.labels, view);
                self.groups[number as usize].count.add(view.store, pod, 1);
            }
        }
        let mut known = Known { groups: Vec::new(), by_name: is_by_name(budget) };
        if !known.by_name {
            for (number, group) in (0..).zip(&mut self.groups) {
                if selects_group(view.store, budget, group.namespace, group.labels) {
                    group.budgets.push(id);
                    sort(&mut group.budgets, view);
                    known.groups.push(number);
                }
            }
        }
        self.budgets.insert(id, known);
    }

    /// A pod changed.
    pub(super) fn change_pod(&mut self, old: Option<&Pod>, new: Option<&Pod>, view: View<'_>) {
        if self.budgets.is_empty() {
            return;
        }
        for (pod, by) in [(old, -1), (new, 1)] {
            if let Some(pod) = pod {
                let number = self.group(pod.meta.namespace, pod.meta.labels, view);
                self.groups[number as usize].count.add(view.store, pod, by);
            }
        }
    }

    fn group(&mut self, namespace: Sym, labels: LabelsId, view: View<'_>) -> u32 {
        if let Some(number) = self.numbers.get(&(namespace, labels)) {
            return *number;
        }
        let number = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let mut budgets = Vec::new();
        for (id, known) in self.budgets.iter_mut().filter(|(_, known)| !known.by_name) {
            let budget = view.get(*id);
            if budget.is_some_and(|budget| selects_group(view.store, budget, namespace, labels)) {
                budgets.push(*id);
                known.groups.push(number);
            }
        }
        sort(&mut budgets, view);
        self.groups.push(Group { namespace, labels, count: Count::default(), budgets });
        self.numbers.insert((namespace, labels), number);
        number
    }

    /// Budgets that select a pod, oldest first.
    pub(super) fn budgets_of(&self, pod: &Pod, view: View<'_>) -> Vec<Id<Budget>> {
        if self.budgets.is_empty() {
            return Vec::new();
        }
        let number = self.numbers.get(&(pod.meta.namespace, pod.meta.labels));
        let mut budgets =
            number.map_or_else(Vec::new, |number| self.groups[*number as usize].budgets.clone());
        let by_name = self.budgets.iter().filter(|(_, known)| known.by_name).map(|(id, _)| *id);
        let matching =
            by_name.filter(|id| view.get(*id).is_some_and(|budget| selects(view.store, budget, pod)));
        let before = budgets.len();
        budgets.extend(matching);
        if budgets.len() > before {
            sort(&mut budgets, view);
        }
        budgets
    }

    /// What the budget's pods come to.
    pub(super) fn count(&self, id: Id<Budget>, budget: &Budget, view: View<'_>) -> Count {
        let mut count = Count::default();
        let Some(known) = self.budgets.get(&id) else { return count };
        if known.by_name {
            for (_, pod) in view.iter::<Pod>().filter(|(_, pod)| selects(view.store, budget, pod)) {
                count.add(view.store, pod, 1);
            }
            return count;
        }
        for number in &known.groups {
            count.merge(&self.groups[*number as usize].count);
        }
        count
    }
}

fn sort(budgets: &mut [Id<Budget>], view: View<'_>) {
    budgets.sort_by_key(|id| view.get(*id).map(|budget| budget.meta.uid));
}
