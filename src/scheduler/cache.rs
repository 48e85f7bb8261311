//! What the scheduler knows of nodes and of the pods on them: the snapshot each cycle works on.
//!
//! Follows `backend/cache/cache.go`, `node_tree.go` and `framework/types.go` (NodeInfo). A pod counts on its node from
//! the moment it is assumed there (SCHED-1) until its phase is final or its object is gone; terminating pods count
//! (SCHED-14). Everything is kept up to date change by change, so a cycle copies nothing: sums per node, its pods, its
//! claims and attachments, and the counters of [`super::counts`].
use super::claim_users::{ClaimUsers, VolumesHere};
use super::counts::{Counts, NONE, Place};
use super::score::Shapes;
use crate::api::labels::LabelsId;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::{Attachment, Effect, Node, Pod, PodSpecId, Taint};
use crate::api::pod_spec::PodSpec;
use crate::api::store::{HOSTNAME_LABEL, REGION_LABEL, Store, ZONE_LABEL};
use crate::kernel::{Id, U24, make_room};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Topology of the zone label: always there, implicit spreading asks for it.
pub(super) const ZONE: u32 = 0;
/// Topology of the hostname label.
pub(super) const HOST: u32 = 1;

/// A claim by namespace and name, as pods refer to it.
pub(super) type ClaimKey = (Sym, Name);

/// One node, and what is on it.
#[derive(Clone, Debug)]
pub(super) struct NodeInfo {
    /// The node exists; pods may be accounted to one that is gone.
    pub(super) present: bool,
    pub(super) name: Name,
    pub(super) labels: LabelsId,
    pub(super) zone: Sym,
    pub(super) region: Sym,
    pub(super) cpu: u64,
    pub(super) memory: u64,
    pub(super) pods: u32,
    pub(super) volumes: Option<u32>,
    pub(super) unschedulable: bool,
    pub(super) taints: Arc<[Taint]>,
    /// Has a taint of effect PreferNoSchedule.
    pub(super) discouraged: bool,
    pub(super) used_cpu: u64,
    pub(super) used_memory: u64,
    /// Requests with the defaults of containers that request nothing (SCHED-23).
    pub(super) scored_cpu: u64,
    pub(super) scored_memory: u64,
    /// Table indexes of the pods on it.
    pub(super) members: Vec<u32>,
    /// Priorities of the pods on it, with their number; sorted.
    pub(super) priorities: Vec<(i32, u32)>,
    /// Claims of the pods on it, and those whose volumes its VolumeAttachments attach.
    pub(super) volumes_here: VolumesHere,
    /// Host ports in use.
    pub(super) ports: Vec<(Sym, u16)>,
}

impl NodeInfo {
    fn new() -> NodeInfo {
        NodeInfo {
            present: false,
            name: Name::default(),
            labels: LabelsId::EMPTY,
            zone: Sym::EMPTY,
            region: Sym::EMPTY,
            cpu: 0,
            memory: 0,
            pods: 0,
            volumes: None,
            unschedulable: false,
            taints: Arc::new([]),
            discouraged: false,
            used_cpu: 0,
            used_memory: 0,
            scored_cpu: 0,
            scored_memory: 0,
            members: Vec::new(),
            priorities: Vec::new(),
            volumes_here: VolumesHere::default(),
            ports: Vec::new(),
        }
    }

    /// The lowest priority of a pod on it.
    pub(super) fn lowest_priority(&self) -> Option<i32> {
        self.priorities.first().map(|entry| entry.0)
    }

    /// Adds (or, with `false`, takes away) what a pod of this spec needs.
    pub(super) fn charge(&mut self, spec: &PodSpec, on: bool) {
        let change = |sum: &mut u64, by: u64| *sum = if on { *sum + by } else { sum.saturating_sub(by) };
        change(&mut self.used_cpu, spec.cpu);
        change(&mut self.used_memory, spec.memory);
        change(&mut self.scored_cpu, spec.scored_cpu);
        change(&mut self.scored_memory, spec.scored_memory);
        tally(&mut self.priorities, spec.priority, on);
        for port in spec.placement.iter().flat_map(|p| p.host_ports.iter()) {
            if on {
                self.ports.push(*port);
            } else if let Some(at) = self.ports.iter().position(|used| used == port) {
                self.ports.swap_remove(at);
            }
        }
    }
}

/// Counts a key of a sorted multiset up or down.
fn tally<K: Ord + Copy>(set: &mut Vec<(K, u32)>, key: K, up: bool) {
    match (set.binary_search_by_key(&key, |entry| entry.0), up) {
        (Ok(at), true) => set[at].1 += 1,
        (Err(at), true) => set.insert(at, (key, 1)),
        (Ok(at), false) => {
            set[at].1 -= 1;
            if set[at].1 == 0 {
                set.remove(at);
            }
        }
        (Err(_), false) => {}
    }
}

/// Where a pod is in the life that the scheduler sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum State {
    /// Nothing to do with it.
    #[default]
    None,
    /// In activeQ.
    Active,
    /// In backoffQ.
    Backoff,
    /// Among the unschedulable pods.
    Unschedulable,
    /// Assumed on a node; its binding cycle runs.
    Binding,
    /// On a node.
    Assigned,
}

/// What the scheduler keeps of one pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) uid: Uid,
    /// The node it is accounted to, or [`NONE`].
    pub(super) node: u32,
    spec: PodSpecId,
    group: U24,
    group_position: u32,
    pub(super) state: State,
    terminating: bool,
}

/// No group: there are fewer, one for each set of labels in each namespace.
const NO_GROUP: U24 = U24::of(U24::MAX);

impl Slot {
    const EMPTY: Slot = Slot {
        uid: Uid::NONE,
        node: NONE,
        spec: PodSpecId(U24::of(0)),
        group: NO_GROUP,
        group_position: 0,
        state: State::None,
        terminating: false,
    };
}

#[derive(Clone, Debug)]
struct Zone {
    region: Sym,
    zone: Sym,
    nodes: Vec<u32>,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Cache {
    pub(super) nodes: Vec<NodeInfo>,
    /// Which nodes are schedulable and have no taint that keeps pods away.
    pub(super) open: Vec<bool>,
    /// The zone of each node, a column of its own for claims that are bound to a zone.
    pub(super) zone_of: Vec<Sym>,
    /// Number of nodes with a taint of effect PreferNoSchedule.
    pub(super) discouraged: usize,
    /// Grows with every change of a node's room: what is remembered of a node is valid for one stamp.
    pub(super) stamps: Vec<u32>,
    clock: u32,
    slots: Vec<Slot>,
    pub(super) counts: Counts,
    pub(super) shapes: Shapes,
    zones: Vec<Zone>,
    order: Vec<u32>,
    order_is_stale: bool,
    ranks: Vec<u32>,
    by_rank: Vec<u32>,
    ranks_are_stale: bool,
    claim_users: ClaimUsers,
    /// Pods with affinity terms, by namespace and spec: the counter of where they are.
    pub(super) carriers: Vec<Carrier>,
    carrier_of: FxHashMap<(Sym, PodSpecId), u32>,
    keys: Option<Keys>,
}

#[derive(Clone, Copy, Debug)]
struct Keys {
    zone: Sym,
    region: Sym,
    host: Sym,
}

/// Pods of one spec that have affinity terms, which other pods have to look at (SCHED-15).
#[derive(Clone, Debug)]
pub(super) struct Carrier {
    pub(super) namespace: Sym,
    pub(super) spec: Arc<PodSpec>,
    pub(super) counter: u32,
}

impl Cache {
    /// Interns the labels that have a meaning of their own.
    pub(super) fn prepare(&mut self, store: &mut Store) {
        if self.keys.is_none() {
            let mut word = |text| store.names.word(text);
            let keys =
                Keys { zone: word(ZONE_LABEL), region: word(REGION_LABEL), host: word(HOSTNAME_LABEL) };
            self.keys = Some(keys);
            self.topology(keys.zone, store);
            self.topology(keys.host, store);
        }
    }

    /// The number of the topology with this label.
    pub(super) fn topology(&mut self, key: Sym, store: &Store) -> u32 {
        let (nodes, keys) = (&self.nodes, self.keys);
        let present = (0..nodes.len() as u32).filter(|n| nodes[*n as usize].present);
        self.counts.topology(key, present, |n| label_value(&nodes[n as usize], n, key, keys, store))
    }

    /// The value of a node's label, as text; a node that does not carry its hostname as a label is asked by name.
    pub(super) fn label(&self, node: u32, key: Sym, store: &Store) -> Option<Sym> {
        let info = self.nodes.get(node as usize)?;
        store.labels.value(info.labels, key).or_else(|| well_known(info, key, self.keys))
    }

    // ---- Nodes -----------------------------------------------------------------------------------------------------

    /// A node is new, or has changed.
    pub(super) fn set_node(&mut self, id: Id<Node>, node: &Node, store: &Store) {
        self.ensure_node(id.as_u32());
        let index = id.as_u32();
        let info = &mut self.nodes[id.index()];
        let was = std::mem::replace(&mut info.present, true);
        let moved = !was || (info.region, info.zone) != (node.region, node.zone);
        let relabelled = moved || info.labels != node.meta.labels;
        if moved && was {
            self.leave_zone(index);
        }
        let info = &mut self.nodes[id.index()];
        info.name = node.meta.name;
        info.labels = node.meta.labels;
        (info.zone, info.region) = (node.zone, node.region);
        self.zone_of[id.index()] = node.zone;
        let info = &mut self.nodes[id.index()];
        (info.cpu, info.memory, info.pods) = (node.cpu, node.memory, node.pods);
        info.volumes = node.volumes;
        info.unschedulable = node.unschedulable;
        info.taints = node.taints.clone();
        self.open[id.index()] =
            !node.unschedulable && !node.taints.iter().any(|t| t.effect != Effect::PreferNoSchedule);
        let info = &mut self.nodes[id.index()];
        self.discouraged -= usize::from(info.discouraged);
        info.discouraged = node.taints.iter().any(|t| t.effect == Effect::PreferNoSchedule);
        self.discouraged += usize::from(info.discouraged);
        self.bump(index);
        if moved {
            self.enter_zone(index);
            self.ranks_are_stale = true;
        }
        if relabelled {
            self.locate(index, was, true, store);
        }
    }

    /// A node is gone. Pods on it stay accounted until they are gone too.
    pub(super) fn remove_node(&mut self, id: Id<Node>, store: &Store) {
        let index = id.as_u32();
        if !self.nodes.get(id.index()).is_some_and(|info| info.present) {
            return;
        }
        self.nodes[id.index()].present = false;
        self.open[id.index()] = false;
        self.discouraged -= usize::from(std::mem::take(&mut self.nodes[id.index()].discouraged));
        self.leave_zone(index);
        self.ranks_are_stale = true;
        self.locate(index, true, false, store);
        self.bump(index);
    }

    /// Tells the topologies where a node is now.
    fn locate(&mut self, node: u32, was: bool, is: bool, store: &Store) {
        for topology in 0..self.counts.topologies.len() as u32 {
            let key = self.counts.topologies[topology as usize].key;
            let info = &self.nodes[node as usize];
            let value = is.then(|| label_value(info, node, key, self.keys, store));
            self.counts.move_node(topology, node, was, value);
        }
    }

    fn ensure_node(&mut self, node: u32) {
        while self.nodes.len() <= node as usize {
            self.nodes.push(NodeInfo::new());
            self.open.push(false);
            self.zone_of.push(Sym::EMPTY);
            self.stamps.push(0);
        }
    }

    fn bump(&mut self, node: u32) {
        self.clock = self.clock.wrapping_add(1);
        self.stamps[node as usize] = self.clock;
    }

    fn enter_zone(&mut self, node: u32) {
        let (region, zone) = (self.nodes[node as usize].region, self.nodes[node as usize].zone);
        match self.zones.iter_mut().find(|z| (z.region, z.zone) == (region, zone)) {
            Some(found) => found.nodes.push(node),
            None => self.zones.push(Zone { region, zone, nodes: vec![node] }),
        }
        self.order_is_stale = true;
    }

    fn leave_zone(&mut self, node: u32) {
        for zone in &mut self.zones {
            zone.nodes.retain(|n| *n != node);
        }
        self.zones.retain(|zone| !zone.nodes.is_empty());
        self.order_is_stale = true;
    }

    /// All nodes, round-robin over zones in order of first appearance (SCHED-10). Given back with
    /// [`Cache::put_order`].
    pub(super) fn take_order(&mut self) -> Vec<u32> {
        if std::mem::take(&mut self.order_is_stale) {
            self.order.clear();
            let longest = self.zones.iter().map(|zone| zone.nodes.len()).max().unwrap_or(0);
            for round in 0..longest {
                self.order.extend(self.zones.iter().filter_map(|zone| zone.nodes.get(round)));
            }
        }
        std::mem::take(&mut self.order)
    }

    /// Gives back what [`Cache::take_order`] lent.
    pub(super) fn put_order(&mut self, order: Vec<u32>) {
        self.order = order;
    }

    /// Number of nodes.
    pub(super) fn node_count(&self) -> usize {
        self.zones.iter().map(|zone| zone.nodes.len()).sum()
    }

    /// Of these nodes the one that is the n-th in the order of names. `bits`: a buffer.
    pub(super) fn nth_by_name(&mut self, nodes: &[u32], n: usize, bits: &mut Vec<u64>, store: &Store) -> u32 {
        if std::mem::take(&mut self.ranks_are_stale) {
            self.rank(store);
        }
        bits.clear();
        bits.resize(self.by_rank.len().div_ceil(64), 0);
        for node in nodes {
            let rank = self.ranks[*node as usize] as usize;
            bits[rank / 64] |= 1 << (rank % 64);
        }
        let mut left = n as u32;
        for (index, word) in bits.iter_mut().enumerate() {
            if left >= word.count_ones() {
                left -= word.count_ones();
                continue;
            }
            for _ in 0..left {
                *word &= *word - 1;
            }
            return self.by_rank[index * 64 + word.trailing_zeros() as usize];
        }
        nodes.first().copied().unwrap_or(NONE)
    }

    /// Sorts the nodes by name.
    fn rank(&mut self, store: &Store) {
        let present = self.nodes.iter().enumerate().filter(|(_, info)| info.present);
        let mut names: Vec<_> =
            present.map(|(index, info)| (store.name_of(info.name), index as u32)).collect();
        names.sort_unstable();
        self.ranks.clear();
        self.ranks.resize(self.nodes.len(), NONE);
        self.by_rank.clear();
        for (rank, (_, node)) in names.iter().enumerate() {
            self.ranks[*node as usize] = rank as u32;
            self.by_rank.push(*node);
        }
    }

    /// A VolumeAttachment of a node has come. `claim`: that of its volume.
    pub(super) fn attach(&mut self, id: Id<Attachment>, node: Id<Node>, claim: ClaimKey) {
        if node.is_none() {
            return;
        }
        self.ensure_node(node.as_u32());
        self.nodes[node.index()].volumes_here.attach(claim, id);
    }

    /// A VolumeAttachment of a node is gone.
    pub(super) fn detach(&mut self, id: Id<Attachment>, node: Id<Node>) {
        if let Some(info) = self.nodes.get_mut(node.index()) {
            info.volumes_here.detach(id);
        }
    }

    // ---- Pods ------------------------------------------------------------------------------------------------------

    /// What is kept of a pod; the empty slot if nothing is.
    pub(super) fn slot(&self, pod: Id<Pod>) -> Slot {
        self.slots.get(pod.index()).copied().unwrap_or(Slot::EMPTY)
    }

    /// What is kept of a pod, to change.
    pub(super) fn slot_mut(&mut self, pod: Id<Pod>) -> &mut Slot {
        if self.slots.len() <= pod.index() {
            self.slots.resize(pod.index() + 1, Slot::EMPTY);
        }
        &mut self.slots[pod.index()]
    }

    /// Forgets a pod that is accounted nowhere.
    pub(super) fn clear(&mut self, pod: Id<Pod>) {
        if let Some(slot) = self.slots.get_mut(pod.index()) {
            *slot = Slot::EMPTY;
        }
    }

    /// Puts a pod on a node: it is assumed there, or seen there. `labels`: those it has or will have there.
    pub(super) fn account(&mut self, id: Id<Pod>, pod: &Pod, node: u32, labels: LabelsId, store: &Store) {
        self.ensure_node(node);
        let spec = &**store.pod_spec(pod.spec);
        let terminating = pod.is_terminating();
        let entry = (id.as_u32(), pod);
        let (group, group_position) = self.counts.enter(store, entry, labels, node, terminating);
        if let Some(carrier) = self.carrier(pod.meta.namespace, pod.spec, store) {
            self.counts.add_to(carrier, node, i32::from(!terminating), 1);
        }
        let info = &mut self.nodes[node as usize];
        info.charge(spec, true);
        if let Err(place) = info.members.binary_search(&id.as_u32()) {
            make_room(&mut info.members);
            info.members.insert(place, id.as_u32());
        }
        for name in spec.claims_of(pod.meta.name) {
            info.volumes_here.change_users((pod.meta.namespace, name), true);
        }
        self.claim_users.change(store, pod.meta.namespace, pod.meta.name, pod.spec, true);
        self.bump(node);
        let slot = self.slot_mut(id);
        slot.uid = pod.meta.uid;
        (slot.node, slot.spec, slot.group) = (node, pod.spec, U24::of(group));
        (slot.group_position, slot.terminating) = (group_position, terminating);
    }

    /// Takes a pod off its node.
    pub(super) fn unaccount(&mut self, id: Id<Pod>, store: &Store) {
        let slot = self.slot(id);
        let Some(known) = store.pods.last_known(id).filter(|_| slot.node != NONE) else { return };
        let (namespace, known_name) = (known.meta.namespace, known.meta.name);
        let moved = self.counts.leave(store, id.as_u32(), slot.place());
        if let Some(moved) = moved {
            self.slots[moved as usize].group_position = slot.group_position;
        }
        if let Some(carrier) = self.carrier(namespace, slot.spec, store) {
            self.counts.add_to(carrier, slot.node, -i32::from(!slot.terminating), -1);
        }
        let spec = &**store.pod_spec(slot.spec);
        let info = &mut self.nodes[slot.node as usize];
        info.charge(spec, false);
        if let Ok(place) = info.members.binary_search(&id.as_u32()) {
            info.members.remove(place);
        }
        for name in spec.claims_of(known_name) {
            info.volumes_here.change_users((namespace, name), false);
        }
        self.claim_users.change(store, namespace, known_name, slot.spec, false);
        self.bump(slot.node);
        self.slots[id.index()].node = NONE;
    }

    /// An accounted pod has been written: its labels, its spec or its deletionTimestamp may be others now.
    pub(super) fn refresh(&mut self, id: Id<Pod>, pod: &Pod, store: &Store) {
        let slot = self.slot(id);
        let labels_differ = !self.counts.is_group(slot.group.get(), pod.meta.namespace, pod.meta.labels);
        if slot.spec != pod.spec || labels_differ {
            self.unaccount(id, store);
            self.account(id, pod, slot.node, pod.meta.labels, store);
        } else if pod.is_terminating() && !slot.terminating {
            self.counts.terminate(store, id.as_u32(), slot.place());
            if let Some(carrier) = self.carrier(pod.meta.namespace, pod.spec, store) {
                self.counts.add_to(carrier, slot.node, -1, 0);
            }
            self.slots[id.index()].terminating = true;
        }
    }

    /// The labels that an accounted pod is accounted with.
    pub(super) fn labels_of(&self, pod: Id<Pod>) -> LabelsId {
        self.counts.labels_of(self.slot(pod).group.get())
    }

    /// A pod that is accounted to some node uses this claim.
    pub(super) fn is_used(&self, store: &Store, claim: ClaimKey) -> bool {
        self.claim_users.has(store, claim, |pod| {
            let slot = self.slot(pod);
            (slot.node, slot.spec)
        })
    }

    /// The counter of where a pod of a set is, for [`Counts::of`].
    pub(super) fn counter_of(&mut self, conditions: Vec<super::counts::Condition>, store: &mut Store) -> u32 {
        let slots = &self.slots;
        self.counts.of(conditions, store, |pod| slots[pod as usize].place())
    }

    fn carrier(&mut self, namespace: Sym, id: PodSpecId, store: &Store) -> Option<u32> {
        let spec = store.pod_spec(id);
        let placement = spec.placement.as_ref()?;
        if placement.affinity.is_empty()
            && placement.affinity_preferred.is_empty()
            && placement.anti_affinity.is_empty()
            && placement.anti_affinity_preferred.is_empty()
        {
            return None;
        }
        if let Some(&known) = self.carrier_of.get(&(namespace, id)) {
            return Some(self.carriers[known as usize].counter);
        }
        let counter = self.counts.plain();
        self.carrier_of.insert((namespace, id), self.carriers.len() as u32);
        self.carriers.push(Carrier { namespace, spec: spec.clone(), counter });
        Some(counter)
    }
}

impl Slot {
    fn place(&self) -> Place {
        Place {
            group: self.group.get(),
            position: self.group_position,
            node: self.node,
            terminating: self.terminating,
        }
    }
}

fn well_known(info: &NodeInfo, key: Sym, keys: Option<Keys>) -> Option<Sym> {
    let keys = keys?;
    let value = if key == keys.zone {
        info.zone
    } else if key == keys.region {
        info.region
    } else {
        return None;
    };
    (!value.is_empty()).then_some(value)
}

/// A number for the value of a node's label. A node without a hostname label is its own host.
fn label_value(info: &NodeInfo, index: u32, key: Sym, keys: Option<Keys>, store: &Store) -> Option<u64> {
    if let Some(value) = store.labels.value(info.labels, key).or_else(|| well_known(info, key, keys)) {
        return Some(u64::from(value.as_u32()));
    }
    keys.filter(|keys| keys.host == key).map(|_| 1 << 32 | u64::from(index))
}
