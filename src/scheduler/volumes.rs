//! Claims in the scheduler: which nodes a pod's volumes allow, and what has to be written once a node is chosen.
//!
//! Follows `framework/plugins/volumebinding/{volume_binding,binder}.go`, `volumerestrictions`, `nodevolumelimits/csi.go`
//! and `volumezone` (SCHED-17 to SCHED-19). All volumes that have a disk belong to the one CSI driver. Left out:
//! CSIStorageCapacity (EBS does not publish it), generic ephemeral volumes, in-tree plug-ins.
use super::cache::{Cache, ClaimKey, NodeInfo};
use super::messages::{Plugins, Reasons};
use crate::api::names::{Name, Sym};
use crate::api::objects::{
    BindingMode, Claim, ClaimPhase, ClaimRef, Node, Pod, StorageClass, Volume, VolumePhase,
};
use crate::api::pod_spec::{AccessModes, PodSpec};
use crate::api::store::{REGION_LABEL, Store, View, ZONE_LABEL};
use crate::kernel::Id;
use crate::rule::mark;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The provisioner whose volumes count against CSINode's limit.
const DRIVER: &str = "ebs.csi.aws.com";
/// A class that never provisions.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Why the claims of a pod reject all nodes at once (SCHED-17).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClaimError {
    Missing(Name),
    Terminating(Name),
    Lost(Name, Id<Volume>),
    UnboundImmediate,
}

impl ClaimError {
    /// The sentence in the pod's condition.
    pub(super) fn message(self, store: &Store) -> String {
        match self {
            ClaimError::Missing(name) => format!("persistentvolumeclaim {:?} not found", store.name_of(name)),
            ClaimError::Terminating(name) => {
                format!("persistentvolumeclaim {:?} is being deleted", store.name_of(name))
            }
            ClaimError::Lost(name, volume) => {
                let lost = store.volumes.last_known(volume);
                let volume = lost.map_or_else(String::new, |v| store.name_of(v.meta.name));
                let claim = store.name_of(name);
                format!("persistentvolumeclaim {claim:?} bound to non-existent persistentvolume {volume:?}")
            }
            ClaimError::UnboundImmediate => "pod has unbound immediate PersistentVolumeClaims".to_owned(),
        }
    }

    /// The plugin that rejects: its events bring the pod back.
    pub(super) fn plugin(self) -> Plugins {
        match self {
            ClaimError::Missing(_) => Plugins::VOLUME_RESTRICTIONS,
            _ => Plugins::VOLUME_BINDING,
        }
    }
}

/// A claim that waits for its first consumer.
#[derive(Clone, Debug)]
struct Delayed {
    id: Id<Claim>,
    bytes: u64,
    class: Sym,
    /// The node already chosen for it.
    selected: Id<Node>,
    /// Its class can provision.
    provisions: bool,
    zones: Arc<[Sym]>,
}

/// What the claims of the pod being scheduled ask of a node. Reused from cycle to cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    keys: Vec<ClaimKey>,
    /// Zones that bound volumes lie in.
    zones: Vec<Sym>,
    /// Labels `zone` and `region` of bound volumes: key and allowed values.
    labels: Vec<(Sym, Vec<Sym>)>,
    volume_is_missing: bool,
    delayed: Vec<Delayed>,
    /// A ReadWriteOncePod claim has another user (VOL-24).
    in_use: bool,
    /// Claims whose volumes count against the limit of a node.
    limited: Vec<ClaimKey>,
}

impl Needs {
    /// True if claims have to be bound before the pod can be (SCHED-20).
    pub(super) fn unbound(&self) -> bool {
        !self.delayed.is_empty()
    }

    /// Bound volumes keep the pod away from nodes in this zone.
    pub(super) fn are_elsewhere(&self, zone: Sym) -> bool {
        self.zones.iter().any(|needed| *needed != zone)
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.zones.clear();
        self.labels.clear();
        self.delayed.clear();
        self.limited.clear();
        self.volume_is_missing = false;
        self.in_use = false;
    }
}

/// What PreBind has to write for a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Decisions {
    /// Volumes to be claimed: volume, its claim.
    pub(super) bindings: Vec<(Id<Volume>, Id<Claim>)>,
    /// Claims that get the selected node.
    pub(super) provisions: Vec<Id<Claim>>,
}

/// What the scheduler keeps of volumes and claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    /// Volumes that are Available, by class, in order of their names.
    available: BTreeMap<Sym, Vec<Id<Volume>>>,
    /// Volumes reserved for claims of pods that are being bound.
    assumed_volumes: FxHashMap<u32, Id<Claim>>,
    /// The same by claim, with the number of these pods: another one with this claim has to go where the volume is.
    reserved: FxHashMap<u32, (Id<Volume>, u32)>,
    /// Number of Released volumes: their attachments count although their claims may have successors of the same name.
    released: usize,
    /// Claims of such pods, with the node chosen and the number of these pods.
    assumed_claims: FxHashMap<u32, (Id<Node>, u32)>,
}

impl Volumes {
    /// A volume has come, changed or gone.
    pub(super) fn observe(
        &mut self,
        id: Id<Volume>,
        store: &Store,
        old: Option<&Volume>,
        new: Option<&Volume>,
    ) {
        let is_released = |v: Option<&Volume>| v.is_some_and(|v| v.phase() == VolumePhase::Released);
        self.released += usize::from(is_released(new));
        self.released -= usize::from(is_released(old));
        let filed = |v: &Volume| {
            (v.phase() == VolumePhase::Available && !v.meta.is_terminating())
                .then(|| store.claim_spec(v.spec).class_word())
        };
        let (old_class, new_class) = (old.and_then(filed), new.and_then(filed));
        if old_class == new_class {
            return;
        }
        if let Some(list) = old_class.and_then(|class| self.available.get_mut(&class)) {
            list.retain(|other| *other != id);
        }
        if let (Some(class), Some(volume)) = (new_class, new) {
            let list = self.available.entry(class).or_default();
            let name = store.name_of(volume.meta.name);
            let name_of = |other: &Id<Volume>| {
                store.volumes.last_known(*other).map_or_else(String::new, |v| store.name_of(v.meta.name))
            };
            let at = list.partition_point(|other| name_of(other) < name);
            list.insert(at, id);
        }
    }

    /// Looks at the claims of a pod (PreFilter of the volume plugins).
    pub(super) fn prefilter(
        &self,
        pod: &Pod,
        spec: &PodSpec,
        view: View<'_>,
        cache: &Cache,
        needs: &mut Needs,
    ) -> Result<(), ClaimError> {
        needs.clear();
        let mut immediate = false;
        for name in spec.claims_of(pod.meta.name) {
            let key = (pod.meta.namespace, name);
            let Some((id, claim)) = view.find::<Claim>(key.0, key.1) else {
                return Err(ClaimError::Missing(name));
            };
            if claim.phase() == ClaimPhase::Lost {
                return Err(ClaimError::Lost(name, claim.volume));
            }
            if claim.meta.is_terminating() {
                mark!("VOL-20");
                return Err(ClaimError::Terminating(name));
            }
            needs.keys.push(key);
            let shape = view.store.claim_spec(claim.spec);
            needs.in_use |= shape.modes.has(AccessModes::RWOP) && cache.is_used(view.store, key);
            if counts_against_limit(view, claim) && !needs.limited.contains(&key) {
                needs.limited.push(key);
            }
            if claim.is_fully_bound() {
                needs.bound(view, claim.volume);
                continue;
            }
            let class = find_class(view, shape.class_word());
            let waits = class.is_some_and(|c| c.binding == BindingMode::WaitForFirstConsumer);
            if !waits || !claim.volume.is_none() || !shape.volume_name.is_empty() {
                immediate = true;
                continue;
            }
            let assumed = self.assumed_claims.get(&id.as_u32()).map(|entry| entry.0);
            let provisioner = class.map_or("", |c| view.store.names.text(c.provisioner));
            mark!("SCHED-19");
            needs.delayed.push(Delayed {
                id,
                bytes: shape.bytes,
                class: shape.class_word(),
                selected: assumed.unwrap_or(claim.selected_node),
                provisions: !provisioner.is_empty() && provisioner != NO_PROVISIONER,
                zones: class.map_or_else(|| Arc::new([]) as Arc<[Sym]>, |c| c.zones.clone()),
            });
        }
        // The smallest requests take the smallest volumes first.
        needs.delayed.sort_by_key(|delayed| delayed.bytes);
        if immediate { Err(ClaimError::UnboundImmediate) } else { Ok(()) }
    }

    /// What the claims say of one node, in the order of the plugins: VolumeRestrictions, NodeVolumeLimits,
    /// VolumeBinding, VolumeZone. The first plugin that rejects has the word.
    pub(super) fn filter(
        &self,
        needs: &Needs,
        node: Id<Node>,
        info: &NodeInfo,
        view: View<'_>,
        decisions: &mut Decisions,
    ) -> Reasons {
        if needs.in_use {
            mark!("VOL-24");
            return Reasons::CLAIM_IN_USE;
        }
        let most = info.volumes_here.at_most(self.released > 0) + needs.limited.len();
        if info.volumes.is_some_and(|limit| most > limit as usize && exceeds(limit, needs, info, view)) {
            mark!("SCHED-18");
            return Reasons::MAX_VOLUMES;
        }
        let mut reasons = Reasons::NONE;
        if needs.are_elsewhere(info.zone) {
            mark!("VOL-52");
            reasons |= Reasons::VOLUME_AFFINITY;
        }
        if needs.volume_is_missing {
            reasons |= Reasons::VOLUME_MISSING;
        }
        if !needs.delayed.is_empty() && !self.place_delayed(needs, node, info, view, decisions) {
            reasons |= Reasons::NO_VOLUME;
        }
        if reasons == Reasons::NONE && !zone_labels_fit(needs, info, view.store) {
            return Reasons::VOLUME_ZONE;
        }
        reasons
    }

    /// Finds volumes for the unbound claims on this node (SCHED-19). False if one of them cannot be had there.
    pub(super) fn place_delayed(
        &self,
        needs: &Needs,
        node: Id<Node>,
        info: &NodeInfo,
        view: View<'_>,
        decisions: &mut Decisions,
    ) -> bool {
        decisions.bindings.clear();
        decisions.provisions.clear();
        for claim in &needs.delayed {
            if !claim.selected.is_none() && claim.selected != node {
                return false;
            }
            let matching = if claim.selected.is_none() {
                self.matching(claim, info, view, &decisions.bindings)
            } else {
                None
            };
            if let Some(volume) = matching {
                decisions.bindings.push((volume, claim.id));
                continue;
            }
            let here = claim.zones.is_empty() || claim.zones.contains(&info.zone);
            if !claim.provisions || !here {
                return false;
            }
            decisions.provisions.push(claim.id);
        }
        true
    }

    /// The volume that would be bound to this claim on this node: one reserved for it, or the smallest that fits
    /// (VOL-4).
    fn matching(
        &self,
        delayed: &Delayed,
        info: &NodeInfo,
        view: View<'_>,
        taken: &[(Id<Volume>, Id<Claim>)],
    ) -> Option<Id<Volume>> {
        let reachable = |volume: &Volume| volume.zone.is_empty() || volume.zone == info.zone;
        if let Some((volume, _)) = self.reserved.get(&delayed.id.as_u32()) {
            return view.get(*volume).is_some_and(reachable).then_some(*volume);
        }
        let candidates = self.available.get(&delayed.class)?;
        let claim = view.get(delayed.id)?;
        let wanted = view.store.claim_spec(claim.spec);
        let mut smallest: Option<(u64, Id<Volume>)> = None;
        for &id in candidates {
            let Some(volume) = view.get(id) else { continue };
            let shape = view.store.claim_spec(volume.spec);
            let is_taken = self.assumed_volumes.contains_key(&id.as_u32())
                || taken.iter().any(|(other, _)| *other == id);
            let is_ours = reserved_for(&volume.claim, claim);
            if is_taken
                || (volume.claim.is_set() && !is_ours)
                || shape.bytes < wanted.bytes
                || shape.block != wanted.block
            {
                continue;
            }
            if is_ours {
                return reachable(volume).then_some(id);
            }
            let selected =
                wanted.selector.as_ref().is_none_or(|s| view.store.labels_match(volume.meta.labels, s));
            let better = smallest.is_none_or(|(bytes, _)| shape.bytes < bytes);
            if reachable(volume) && selected && shape.modes.has(wanted.modes) && better {
                smallest = Some((shape.bytes, id));
            }
        }
        mark!("VOL-4" if smallest.is_some());
        smallest.map(|(_, id)| id)
    }

    /// Reserves what was decided for a pod on a node: later cycles see it as done.
    pub(super) fn assume(&mut self, decisions: &Decisions, node: Id<Node>) {
        for (volume, claim) in &decisions.bindings {
            self.assumed_volumes.insert(volume.as_u32(), *claim);
            self.reserved.entry(claim.as_u32()).or_insert((*volume, 0)).1 += 1;
        }
        for claim in &decisions.provisions {
            self.assumed_claims.entry(claim.as_u32()).or_insert((node, 0)).1 += 1;
        }
    }

    /// The binding cycle is over, well or badly: what was reserved is as the API has it.
    pub(super) fn forget(&mut self, decisions: &Decisions) {
        for (volume, claim) in &decisions.bindings {
            let Some(entry) = self.reserved.get_mut(&claim.as_u32()) else { continue };
            entry.1 -= 1;
            if entry.1 == 0 {
                self.reserved.remove(&claim.as_u32());
                self.assumed_volumes.remove(&volume.as_u32());
            }
        }
        for claim in &decisions.provisions {
            if let Some(entry) = self.assumed_claims.get_mut(&claim.as_u32()) {
                entry.1 -= 1;
                if entry.1 == 0 {
                    self.assumed_claims.remove(&claim.as_u32());
                }
            }
        }
    }
}

impl Needs {
    /// Takes note of a bound volume.
    fn bound(&mut self, view: View<'_>, id: Id<Volume>) {
        let Some(volume) = view.get(id) else {
            self.volume_is_missing = true;
            return;
        };
        if !volume.zone.is_empty() && !self.zones.contains(&volume.zone) {
            self.zones.push(volume.zone);
        }
        if volume.meta.labels.is_empty() {
            return;
        }
        for key in [ZONE_LABEL, REGION_LABEL] {
            let Some(key) = view.store.names.known(key) else { continue };
            let Some(value) = view.store.labels.value(volume.meta.labels, key) else { continue };
            let allowed = view.store.names.text(value).split("__");
            self.labels.push((key, allowed.filter_map(|text| view.store.names.known(text)).collect()));
        }
    }
}

/// The claim that a volume's claimRef names; the empty key if there is none.
pub(super) fn claim_of(view: View<'_>, volume: Id<Volume>) -> ClaimKey {
    view.get(volume).map_or_else(ClaimKey::default, |volume| (volume.claim.namespace, volume.claim.name))
}

/// claimRef names this claim, with its uid or without one.
fn reserved_for(reference: &ClaimRef, claim: &Claim) -> bool {
    reference.is_set()
        && reference.name == claim.meta.name
        && reference.namespace == claim.meta.namespace
        && (reference.uid.is_none() || reference.uid == claim.meta.uid)
}

fn find_class<'a>(view: View<'a>, class: Sym) -> Option<&'a StorageClass> {
    if class.is_empty() {
        return None;
    }
    let name = view.store.names.known_name(view.store.names.text(class))?;
    view.find::<StorageClass>(Sym::EMPTY, name).map(|(_, class)| class)
}

/// True if the volume of this claim, there or to come, is attached by the CSI driver.
fn counts_against_limit(view: View<'_>, claim: &Claim) -> bool {
    if !claim.volume.is_none() {
        return view.get(claim.volume).is_some_and(|volume| volume.disk != 0);
    }
    let class = view.store.claim_spec(claim.spec).class_word();
    find_class(view, class).is_some_and(|c| view.store.names.text(c.provisioner) == DRIVER)
}

/// True if the node could not attach the pod's volumes beside those it has (SCHED-18).
fn exceeds(limit: u32, needs: &Needs, info: &NodeInfo, view: View<'_>) -> bool {
    if needs.limited.is_empty() {
        return false;
    }
    let used = |key: &ClaimKey| info.volumes_here.uses(*key);
    let attachable = |key: &ClaimKey| {
        view.find::<Claim>(key.0, key.1).is_some_and(|(_, claim)| counts_against_limit(view, claim))
    };
    let by_pods = info.volumes_here.used().filter(attachable).count();
    let mut new = needs.limited.iter().filter(|key| !used(key)).count();
    let mut detaching = 0;
    for attachment in info.volumes_here.attached().filter_map(|id| view.get(id)) {
        let claim = view.get(attachment.volume).map(|volume| (volume.claim.namespace, volume.claim.name));
        let current = claim.filter(|key| {
            view.find::<Claim>(key.0, key.1).is_some_and(|(_, c)| c.volume == attachment.volume)
        });
        match current {
            Some(key) if used(&key) => {}
            other => {
                detaching += 1;
                new -= usize::from(other.is_some_and(|key| needs.limited.contains(&key)));
            }
        }
    }
    new > 0 && by_pods + detaching + new > limit as usize
}

/// VolumeZone: the zone and region labels of bound volumes, where they have any.
fn zone_labels_fit(needs: &Needs, info: &NodeInfo, store: &Store) -> bool {
    needs.labels.iter().all(|(key, allowed)| {
        store.labels.value(info.labels, *key).is_none_or(|value| allowed.contains(&value))
    })
}
