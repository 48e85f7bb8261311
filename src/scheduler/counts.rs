//! How many pods of a kind there are per node and per topology domain, kept up to date as pods come and go.
//!
//! Spreading and inter-pod affinity ask "how many pods that match this selector are in this zone" for every node of
//! every cycle. kube-scheduler counts by walking all pods of all nodes (`podtopologyspread/common.go`,
//! `interpodaffinity/filtering.go`); here a [`Counter`] holds the answer. Pods with equal labels form a [`Group`] that
//! knows its counters, so a pod that comes or goes costs one addition per counter that matches it.
//!
//! A selector that looks at a pod's own identity labels (STS-15) is asked for each pod; such selectors are rare.
use crate::api::labels::LabelsId;
use crate::api::names::Sym;
use crate::api::objects::Pod;
use crate::api::selector::{Operator, Selector};
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, Store};
use crate::kernel::Id;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// No domain, no node, no position.
pub(super) const NONE: u32 = u32::MAX;

/// Which namespaces a selector looks at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Namespaces {
    /// All of them.
    All,
    /// These.
    Some(Vec<Sym>),
}

impl Namespaces {
    fn has(&self, namespace: Sym) -> bool {
        match self {
            Namespaces::All => true,
            Namespaces::Some(list) => list.contains(&namespace),
        }
    }
}

/// One condition on a pod: its namespace and its labels.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) namespaces: Namespaces,
    pub(super) selector: Arc<Selector>,
}

impl Condition {
    /// True if a pod of this namespace and these labels meets it; identity labels are not looked at.
    pub(super) fn meets(&self, store: &Store, namespace: Sym, labels: LabelsId) -> bool {
        self.namespaces.has(namespace) && store.labels_match(labels, &self.selector)
    }

    /// True if this pod meets it.
    pub(super) fn meets_pod(&self, store: &Store, pod: &Pod) -> bool {
        self.namespaces.has(pod.meta.namespace) && store.pod_matches(pod, &self.selector)
    }

    fn key(&self, store: &Store) -> String {
        match &self.namespaces {
            Namespaces::All => format!("* {}", self.selector),
            Namespaces::Some(list) => {
                let mut names: Vec<&str> = list.iter().map(|word| store.names.text(*word)).collect();
                names.sort_unstable();
                format!("{} {}", names.join("/"), self.selector)
            }
        }
    }
}

/// True if the selector looks at the labels that differ from pod to pod of one set.
pub(super) fn looks_at_identity(selector: &Selector) -> bool {
    selector.requirements().iter().any(|r| r.key == POD_NAME_LABEL || r.key == POD_INDEX_LABEL)
}

/// Where the nodes are in terms of one label: its values are domains.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    /// The label.
    pub(super) key: Sym,
    /// Domain of each node; [`NONE`] if it has no such label or is gone.
    domain_of: Vec<u32>,
    values: FxHashMap<u64, u32>,
    /// Nodes in each domain.
    pub(super) nodes: Vec<u32>,
    /// Nodes without the label.
    pub(super) lacking: u32,
}

impl Topology {
    fn new(key: Sym) -> Topology {
        Topology { key, domain_of: Vec::new(), values: FxHashMap::default(), nodes: Vec::new(), lacking: 0 }
    }

    /// The domain of each node there ever was.
    pub(super) fn domains(&self) -> &[u32] {
        &self.domain_of
    }

    /// The domain of a node.
    pub(super) fn domain(&self, node: u32) -> u32 {
        self.domain_of.get(node as usize).copied().unwrap_or(NONE)
    }
}

/// Counts by domain of one topology.
#[derive(Clone, Debug)]
struct Domains {
    topology: u32,
    live: Vec<u32>,
    all: Vec<u32>,
}

/// How many pods meet some conditions.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    conditions: Vec<Condition>,
    /// Pods that are not terminating, by node.
    live: Vec<u32>,
    /// All pods, by node.
    all: Vec<u32>,
    /// All pods.
    pub(super) total: u32,
    domains: Vec<Domains>,
}

impl Counter {
    /// Pods on a node that are not terminating.
    pub(super) fn live_on(&self, node: u32) -> u32 {
        self.live.get(node as usize).copied().unwrap_or(0)
    }

    /// Pods that are not terminating, by node; nodes beyond the end have none.
    pub(super) fn live_nodes(&self) -> &[u32] {
        &self.live
    }

    /// Pods in a domain that are not terminating. The topology was asked for with [`Counts::by_topology`].
    pub(super) fn live_in(&self, topology: u32, domain: u32) -> u32 {
        let found = self.domains.iter().find(|d| d.topology == topology);
        found.and_then(|d| d.live.get(domain as usize)).copied().unwrap_or(0)
    }

    /// Pods in a domain, terminating ones included.
    pub(super) fn all_in(&self, topology: u32, domain: u32) -> u32 {
        let found = self.domains.iter().find(|d| d.topology == topology);
        found.and_then(|d| d.all.get(domain as usize)).copied().unwrap_or(0)
    }

    fn apply(&mut self, topologies: &[Topology], node: u32, live: i32, all: i32) {
        self.total = self.total.wrapping_add_signed(all);
        add(&mut self.live, node, live);
        add(&mut self.all, node, all);
        for domains in &mut self.domains {
            let domain = topologies[domains.topology as usize].domain(node);
            if domain != NONE {
                add(&mut domains.live, domain, live);
                add(&mut domains.all, domain, all);
            }
        }
    }
}

fn add(column: &mut Vec<u32>, index: u32, delta: i32) {
    let index = index as usize;
    if index >= column.len() {
        column.resize(index + 1, 0);
    }
    column[index] = column[index].wrapping_add_signed(delta);
}

/// Pods with equal labels in one namespace.
#[derive(Clone, Debug)]
struct Group {
    namespace: Sym,
    labels: LabelsId,
    pods: Vec<u32>,
    counters: Vec<u32>,
}

/// What the counters need to know of an accounted pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) group: u32,
    pub(super) position: u32,
    pub(super) node: u32,
    pub(super) terminating: bool,
}

/// All counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) topologies: Vec<Topology>,
    counters: Vec<Counter>,
    by_key: FxHashMap<String, u32>,
    groups: Vec<Group>,
    group_of: FxHashMap<(Sym, LabelsId), u32>,
    /// Groups that carry a label.
    groups_with: FxHashMap<(Sym, Sym), Vec<u32>>,
    /// Counters that ask for a label, filed under one of those they ask for.
    counters_with: FxHashMap<(Sym, Sym), Vec<u32>>,
    /// Counters that ask for no exact label.
    loose: Vec<u32>,
    /// Counters that look at identity labels: asked for every pod.
    personal: Vec<u32>,
}

impl Counts {
    /// The counter with this number.
    pub(super) fn counter(&self, number: u32) -> &Counter {
        &self.counters[number as usize]
    }

    /// The topology of a label; `value` tells the value a node has for it. All nodes are asked.
    pub(super) fn topology(
        &mut self,
        key: Sym,
        nodes: impl Iterator<Item = u32>,
        value: impl Fn(u32) -> Option<u64>,
    ) -> u32 {
        if let Some(known) = self.topologies.iter().position(|topology| topology.key == key) {
            return known as u32;
        }
        self.topologies.push(Topology::new(key));
        let number = self.topologies.len() as u32 - 1;
        for node in nodes {
            self.move_node(number, node, false, Some(value(node)));
        }
        number
    }

    /// A node has come, has gone, or has another value of the label of a topology. `was`: it was there before;
    /// `now`: its value now, None if it is gone.
    pub(super) fn move_node(&mut self, topology: u32, node: u32, was: bool, now: Option<Option<u64>>) {
        let Some(t) = self.topologies.get_mut(topology as usize) else { return };
        let old = t.domain(node);
        let new = match now.flatten() {
            None => NONE,
            Some(value) => {
                let next = t.nodes.len() as u32;
                let domain = *t.values.entry(value).or_insert(next);
                if domain == next {
                    t.nodes.push(0);
                }
                domain
            }
        };
        t.lacking -= u32::from(was && old == NONE);
        t.lacking += u32::from(now.is_some() && new == NONE);
        if node as usize >= t.domain_of.len() {
            t.domain_of.resize(node as usize + 1, NONE);
        }
        if old == new {
            return;
        }
        t.domain_of[node as usize] = new;
        for (domain, delta) in [(old, -1), (new, 1)] {
            if domain != NONE {
                add(&mut t.nodes, domain, delta);
            }
        }
        for counter in &mut self.counters {
            let live = counter.live.get(node as usize).copied().unwrap_or(0) as i32;
            let all = counter.all.get(node as usize).copied().unwrap_or(0) as i32;
            for domains in counter.domains.iter_mut().filter(|d| d.topology == topology && all != 0) {
                for (domain, sign) in [(old, -1), (new, 1)] {
                    if domain != NONE {
                        add(&mut domains.live, domain, sign * live);
                        add(&mut domains.all, domain, sign * all);
                    }
                }
            }
        }
    }

    /// The counter of pods that meet all of these conditions; made, and filled from the pods there are, if it is new.
    /// `place` tells where an accounted pod is.
    pub(super) fn of(
        &mut self,
        conditions: Vec<Condition>,
        store: &mut Store,
        place: impl Fn(u32) -> Place,
    ) -> u32 {
        let mut keys: Vec<String> = conditions.iter().map(|c| c.key(store)).collect();
        keys.sort_unstable();
        let key = keys.join(" && ");
        if let Some(&known) = self.by_key.get(&key) {
            return known;
        }
        let number = self.counters.len() as u32;
        self.by_key.insert(key, number);
        let personal = conditions.iter().any(|c| looks_at_identity(&c.selector));
        let pair = self.rarest_pair(&conditions, store);
        let candidates: Vec<u32> = match pair {
            Some(pair) if !personal => self.groups_with.get(&pair).cloned().unwrap_or_default(),
            _ => (0..self.groups.len() as u32).collect(),
        };
        let mut counter = Counter { conditions, ..Counter::default() };
        for group in candidates {
            let g = &mut self.groups[group as usize];
            if !personal && !counter.conditions.iter().all(|c| c.meets(store, g.namespace, g.labels)) {
                continue;
            }
            if !personal {
                g.counters.push(number);
            }
            for &pod in &g.pods {
                if personal && !meets_all(&counter.conditions, store, pod, g.labels) {
                    continue;
                }
                let place = place(pod);
                counter.apply(&self.topologies, place.node, i32::from(!place.terminating), 1);
            }
        }
        self.counters.push(counter);
        match pair {
            _ if personal => self.personal.push(number),
            Some(pair) => self.counters_with.entry(pair).or_default().push(number),
            None => self.loose.push(number),
        }
        number
    }

    /// A counter that is added to by hand ([`Counts::add_to`]).
    pub(super) fn plain(&mut self) -> u32 {
        self.counters.push(Counter::default());
        self.counters.len() as u32 - 1
    }

    /// Adds to a counter made by [`Counts::plain`].
    pub(super) fn add_to(&mut self, counter: u32, node: u32, live: i32, all: i32) {
        self.counters[counter as usize].apply(&self.topologies, node, live, all);
    }

    /// The counter is going to be asked by domain of this topology.
    pub(super) fn by_topology(&mut self, counter: u32, topology: u32) {
        let c = &mut self.counters[counter as usize];
        if c.domains.iter().any(|d| d.topology == topology) {
            return;
        }
        let mut domains = Domains { topology, live: Vec::new(), all: Vec::new() };
        let t = &self.topologies[topology as usize];
        for node in 0..c.all.len() as u32 {
            let domain = t.domain(node);
            if domain != NONE {
                add(&mut domains.live, domain, c.live[node as usize] as i32);
                add(&mut domains.all, domain, c.all[node as usize] as i32);
            }
        }
        c.domains.push(domains);
    }

    /// Of all exact labels asked for, the one that the fewest groups carry.
    fn rarest_pair(&self, conditions: &[Condition], store: &mut Store) -> Option<(Sym, Sym)> {
        let mut pairs = Vec::new();
        for requirement in conditions.iter().flat_map(|c| c.selector.requirements()) {
            let exact =
                matches!(requirement.operator, Operator::Equals | Operator::DoubleEquals | Operator::In);
            if let ([value], true) = (requirement.values.as_slice(), exact) {
                pairs.push((store.names.word(&requirement.key), store.names.word(value)));
            }
        }
        pairs.into_iter().min_by_key(|pair| self.groups_with.get(pair).map_or(0, Vec::len))
    }

    /// A pod is accounted; returns its group and its position there.
    pub(super) fn enter(
        &mut self,
        store: &Store,
        pod: (u32, &Pod),
        labels: LabelsId,
        node: u32,
        terminating: bool,
    ) -> (u32, u32) {
        let (index, pod) = pod;
        let group = self.group(store, pod.meta.namespace, labels);
        let g = &mut self.groups[group as usize];
        g.pods.push(index);
        let position = g.pods.len() as u32 - 1;
        self.apply_to_group(store, index, group, node, i32::from(!terminating), 1);
        (group, position)
    }

    /// A pod is accounted no more. Returns the pod that took its position in the group, if one did.
    pub(super) fn leave(&mut self, store: &Store, pod: u32, place: Place) -> Option<u32> {
        let live = -i32::from(!place.terminating);
        self.apply_to_group(store, pod, place.group, place.node, live, -1);
        let g = &mut self.groups[place.group as usize];
        g.pods.swap_remove(place.position as usize);
        g.pods.get(place.position as usize).copied()
    }

    /// An accounted pod begins to terminate.
    pub(super) fn terminate(&mut self, store: &Store, pod: u32, place: Place) {
        self.apply_to_group(store, pod, place.group, place.node, -1, 0);
    }

    /// The labels of a group's pods.
    pub(super) fn labels_of(&self, group: u32) -> LabelsId {
        self.groups.get(group as usize).map_or(LabelsId::EMPTY, |g| g.labels)
    }

    /// True if this group is that of pods with these labels.
    pub(super) fn is_group(&self, group: u32, namespace: Sym, labels: LabelsId) -> bool {
        self.groups.get(group as usize).is_some_and(|g| (g.namespace, g.labels) == (namespace, labels))
    }

    fn apply_to_group(&mut self, store: &Store, pod: u32, group: u32, node: u32, live: i32, all: i32) {
        let group = &self.groups[group as usize];
        for &counter in &group.counters {
            self.counters[counter as usize].apply(&self.topologies, node, live, all);
        }
        for &counter in &self.personal {
            let c = &mut self.counters[counter as usize];
            if meets_all(&c.conditions, store, pod, group.labels) {
                c.apply(&self.topologies, node, live, all);
            }
        }
    }

    fn group(&mut self, store: &Store, namespace: Sym, labels: LabelsId) -> u32 {
        if let Some(&known) = self.group_of.get(&(namespace, labels)) {
            return known;
        }
        let number = self.groups.len() as u32;
        let mut counters = Vec::new();
        let mut file = |candidates: &[u32], all: &[Counter]| {
            for &candidate in candidates {
                let conditions = &all[candidate as usize].conditions;
                if conditions.iter().all(|c| c.meets(store, namespace, labels)) {
                    counters.push(candidate);
                }
            }
        };
        for pair in store.labels.get(labels) {
            self.groups_with.entry(*pair).or_default().push(number);
            if let Some(candidates) = self.counters_with.get(pair) {
                file(candidates, &self.counters);
            }
        }
        file(&self.loose, &self.counters);
        self.groups.push(Group { namespace, labels, pods: Vec::new(), counters });
        self.group_of.insert((namespace, labels), number);
        number
    }
}

/// True if the pod with this table index, accounted with these labels, meets all conditions, those on its identity
/// labels included.
fn meets_all(conditions: &[Condition], store: &Store, pod: u32, labels: LabelsId) -> bool {
    let id: Id<Pod> = Id::from_index(pod as usize);
    let Some(mut pod) = store.pods.last_known(id).copied() else { return false };
    pod.meta.labels = labels;
    conditions.iter().all(|c| c.meets_pod(store, &pod))
}
