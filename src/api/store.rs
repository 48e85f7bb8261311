//! etcd in miniature: one table per kind, and the past that somebody may still be looking at.
//!
//! A table slot stands for a *name*; the incarnations that bear it one after another share the slot, so an [`Id`] is
//! "this name of this kind" and lookups by name are one index. Every write keeps the state it replaced until no reader
//! can need it any more ([`Store::forget`]); so a reader is just a [`Revision`], and [`View`] shows the whole store as
//! of then. Informer caches, stale reads, a controller that is down and a watch that lags are positions, not copies.
//!
//! The store knows no rules: admission, deletion and finalizers are [`crate::world::World`]'s.
use crate::api::kind::Kind;
use crate::api::labels::{Interned, LabelsId, Owner, OwnersId};
use crate::api::names::{Interner, Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::pod_spec::{ClaimSpec, PodSpec, Template};
use crate::api::rare::{Rare, Rares};
pub use crate::api::table::Table;
use crate::kernel::hash::{inverse, mix64, unmix64};
use crate::kernel::{Id, Time, U24};
use crate::world::Actor;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Marks the number of a disk that was there before the run: the rest is the word of its handle.
const FOREIGN_DISK: u32 = 1 << 31;
/// Spreads the numbers of disks over their handles.
const DISK_MIXER: u64 = 0xd6e8_feb8_6659_fd93;

/// What a change did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verb {
    /// The object is new.
    Created,
    /// The object was written.
    Updated,
    /// The object is gone.
    Removed,
}

/// One entry of the change log.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// resourceVersion of this write.
    pub revision: Revision,
    /// When it was committed.
    pub time: Time,
    /// Kind of the object.
    pub kind: Kind,
    /// What happened to it.
    pub verb: Verb,
    /// Its table position: [`Change::id`] makes an id of it.
    pub index: u32,
    /// Its incarnation.
    pub uid: Uid,
    /// Who wrote.
    pub actor: Actor,
}

impl Change {
    /// The id of the object; `T` must be the type of [`Change::kind`].
    pub fn id<T: Object>(&self) -> Id<T> {
        debug_assert_eq!(T::KIND, self.kind);
        Id::from_index(self.index as usize)
    }
}

/// Everything the API server stores.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Words and names.
    pub names: Interner,
    /// Labels and annotations.
    pub labels: Interned<(Sym, Sym)>,
    /// Owner references.
    pub owners: Interned<Owner>,
    /// Lists of words: unusual finalizers.
    pub words: Interned<Sym>,
    /// The rarely set part of metadata.
    pub rares: Rares,
    /// Statuses of containers.
    pub statuses: Interned<ContainerStatus>,
    specs: Specs,
    spec_index: FxHashMap<String, u32>,
    /// Pods.
    pub pods: Table<Pod>,
    /// PersistentVolumeClaims.
    pub claims: Table<Claim>,
    /// PersistentVolumes.
    pub volumes: Table<Volume>,
    /// VolumeAttachments.
    pub attachments: Table<Attachment>,
    /// Nodes.
    pub nodes: Table<Node>,
    /// StatefulSets.
    pub stateful_sets: Table<StatefulSet>,
    /// ControllerRevisions.
    pub revisions: Table<ControllerRevision>,
    /// Deployments.
    pub deployments: Table<Deployment>,
    /// ReplicaSets.
    pub replica_sets: Table<ReplicaSet>,
    /// Services.
    pub services: Table<Service>,
    /// EndpointSlices.
    pub slices: Table<EndpointSlice>,
    /// PodDisruptionBudgets.
    pub budgets: Table<Budget>,
    /// StorageClasses.
    pub classes: Table<StorageClass>,
    /// PriorityClasses.
    pub priorities: Table<PriorityClass>,
    /// Namespaces.
    pub namespaces: Table<Namespace>,
    /// Everything that nothing acts on.
    pub inert: Table<Inert>,
    /// Messages of condition PodScheduled, of the pods where it is False.
    pub pod_messages: BTreeMap<(Id<Pod>, Uid), Sym>,
    log: VecDeque<Change>,
    /// Number of the first entry of `log`.
    log_base: u64,
    /// Number of changes so far, by kind.
    changes: [u64; Kind::ALL.len()],
    revision: u32,
    uid: u32,
    disks: u32,
    seed: u64,
}

/// A kind that has a table of its own in the store.
pub trait Stored: Object {
    /// Its table.
    fn table(store: &Store) -> &Table<Self>;
    /// Its table, to write.
    fn table_mut(store: &mut Store) -> &mut Table<Self>;
}

macro_rules! stored {
    ($($type:ty => $field:ident),* $(,)?) => {
        $(impl Stored for $type {
            fn table(store: &Store) -> &Table<Self> { &store.$field }
            fn table_mut(store: &mut Store) -> &mut Table<Self> { &mut store.$field }
        })*
        impl Store {
            /// Drops the past up to and including `until`: nobody reads the store as it was then or before.
            pub fn forget(&mut self, until: Revision) {
                $(self.$field.forget(until);)*
                while self.log.front().is_some_and(|change| change.revision <= until) {
                    self.log.pop_front();
                    self.log_base += 1;
                }
            }
            /// Number of objects of all kinds.
            pub fn objects(&self) -> usize {
                0 $(+ self.$field.len())*
            }
        }
    };
}
stored! {
    Pod => pods, Claim => claims, Volume => volumes, Attachment => attachments, Node => nodes,
    StatefulSet => stateful_sets, ControllerRevision => revisions, Deployment => deployments,
    ReplicaSet => replica_sets, Service => services, EndpointSlice => slices, Budget => budgets,
    StorageClass => classes, PriorityClass => priorities, Namespace => namespaces, Inert => inert,
}

impl Store {
    /// An empty store; uids and volume handles read differently for each seed.
    pub fn seeded(seed: u64) -> Store {
        Store { seed, ..Store::default() }
    }

    /// The text of any name.
    pub fn name_of(&self, name: Name) -> String {
        if let Some(uid) = name.provisioned_for() {
            return format!("pvc-{}", self.uid_text(uid));
        }
        let Some((volume, node)) = name.attachment() else { return self.names.render(name) };
        let handle = self.volumes.last_known(Id::from_index(volume as usize)).map_or(0, |v| v.disk);
        let node = self
            .nodes
            .last_known(Id::from_index(node as usize))
            .map_or_else(String::new, |n| self.name_of(n.meta.name));
        let mut hash = Sha256::new();
        hash.update(format!("{}ebs.csi.aws.com{node}", self.volume_handle(handle)));
        let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("csi-{digest}")
    }

    /// A uid as text: a UUID of version 4.
    pub fn uid_text(&self, uid: Uid) -> String {
        let high = mix64(self.seed ^ u64::from(uid.0).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let low = mix64(high ^ u64::from(uid.0));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// Takes the number of a new disk (VOL-53).
    pub fn next_disk(&mut self) -> u32 {
        self.disks += 1;
        self.disks
    }

    /// The disk that a volume made by hand names by its handle: one provisioned in this run, or one that was there
    /// before. Equal handles are the same disk.
    pub fn disk_of_handle(&mut self, handle: &str) -> u32 {
        match self.disk_from_text(handle) {
            Some(disk) => disk,
            None => FOREIGN_DISK | self.names.word(handle).as_u32(),
        }
    }

    /// The disk with this handle, if there can be one. Undoes [`Store::volume_handle`].
    pub fn disk_from_text(&self, handle: &str) -> Option<u32> {
        let hex = handle.strip_prefix("vol-0").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let mixed = hex.map(|hex| unmix64(hex) ^ self.seed.rotate_left(17));
        let made = mixed.and_then(|mixed| u32::try_from(mixed.wrapping_mul(inverse(DISK_MIXER))).ok());
        let foreign = || self.names.known(handle).map(|word| FOREIGN_DISK | word.as_u32());
        made.filter(|disk| (1..=self.disks).contains(disk) && self.volume_handle(*disk) == handle)
            .or_else(foreign)
    }

    /// The uid with this text, if it is one of this run. Undoes [`Store::uid_text`].
    pub fn uid_from_text(&self, text: &str) -> Option<Uid> {
        let digits = |from: usize, to: usize| u64::from_str_radix(text.get(from..to)?, 16).ok();
        let known = digits(0, 8)? << 32 | digits(9, 13)? << 16 | digits(15, 18)?;
        // Four bits were replaced by the version number.
        (0..16).map(|lost| known | lost << 12).find_map(|high| {
            let number = (unmix64(high) ^ self.seed).wrapping_mul(inverse(0x9e37_79b9_7f4a_7c15));
            let uid = Uid(u32::try_from(number).ok()?);
            (!uid.is_none() && self.uid_text(uid) == text).then_some(uid)
        })
    }

    /// The name with this text, as [`Interner::name`], names of provisioned volumes included.
    pub fn name_from_text(&mut self, text: &str) -> Name {
        match text.strip_prefix("pvc-").and_then(|uid| self.uid_from_text(uid)) {
            Some(uid) => Name::of_provisioned_volume(uid),
            None => self.names.name(text),
        }
    }

    /// The name with this text, or None if nothing in the run can be called so.
    pub fn known_name(&self, text: &str) -> Option<Name> {
        match text.strip_prefix("pvc-").and_then(|uid| self.uid_from_text(uid)) {
            Some(uid) => Some(Name::of_provisioned_volume(uid)),
            None => self.names.known_name(text),
        }
    }

    /// True for a disk that was there before the run.
    pub fn is_foreign_disk(disk: u32) -> bool {
        disk & FOREIGN_DISK != 0
    }

    /// The EBS volume id of a disk.
    pub fn volume_handle(&self, disk: u32) -> String {
        if disk & FOREIGN_DISK != 0 {
            return self.names.text(Sym::from_u32(disk & !FOREIGN_DISK)).to_owned();
        }
        let hex = mix64(self.seed.rotate_left(17) ^ u64::from(disk).wrapping_mul(DISK_MIXER));
        format!("vol-0{hex:016x}")
    }

    /// The newest revision.
    pub fn revision(&self) -> Revision {
        Revision(self.revision)
    }

    /// Takes the next revision without writing anything: a fact of the world that later changes may point to.
    pub fn next_revision(&mut self) -> Revision {
        self.revision += 1;
        Revision(self.revision)
    }

    /// Takes the next uid.
    pub fn next_uid(&mut self) -> Uid {
        self.uid += 1;
        Uid(self.uid)
    }

    /// Appends to the change log.
    pub(crate) fn append(&mut self, change: Change) {
        self.changes[change.kind as usize] += 1;
        self.log.push_back(change);
    }

    /// How often objects of a kind have changed so far.
    pub fn changes_of(&self, kind: Kind) -> u64 {
        self.changes[kind as usize]
    }

    /// Position just past the newest log entry.
    pub fn log_end(&self) -> u64 {
        self.log_base + self.log.len() as u64
    }

    /// The log entry at a position.
    pub fn log_entry(&self, position: u64) -> Option<&Change> {
        self.log.get(usize::try_from(position.checked_sub(self.log_base)?).ok()?)
    }

    /// The object of type `T` as it is now.
    pub fn get<T: Stored>(&self, id: Id<T>) -> Option<&T> {
        T::table(self).get(id)
    }

    /// The store as of a revision.
    pub fn view(&self, at: Revision) -> View<'_> {
        View { store: self, at }
    }

    /// The object a change was about, before and after it.
    pub fn before_and_after<T: Stored>(&self, change: &Change) -> (Option<&T>, Option<&T>) {
        let (table, id) = (T::table(self), change.id::<T>());
        (table.at(id, Revision(change.revision.0 - 1)), table.at(id, change.revision))
    }

    /// An admitted pod spec.
    pub fn pod_spec(&self, id: PodSpecId) -> &Arc<PodSpec> {
        &self.specs.pods[id.0.get() as usize]
    }

    /// A pod template.
    pub fn template(&self, id: TemplateId) -> &Arc<Template> {
        &self.specs.templates[id.0 as usize]
    }

    /// The shape of a claim or volume.
    pub fn claim_spec(&self, id: ClaimSpecId) -> &Arc<ClaimSpec> {
        &self.specs.claims[id.0.get() as usize]
    }

    /// Interns a pod spec under a key that determines it.
    pub fn intern_pod_spec(&mut self, key: &str, make: impl FnOnce(&mut Store) -> PodSpec) -> PodSpecId {
        PodSpecId(U24::of(self.intern_spec("pod", key, |store| {
            let spec = make(store);
            store.specs.pods.push(Arc::new(spec));
            store.specs.pods.len()
        })))
    }

    /// Interns a template under a key that determines it.
    pub fn intern_template(&mut self, key: &str, make: impl FnOnce(&mut Store) -> Template) -> TemplateId {
        TemplateId(self.intern_spec("template", key, |store| {
            let template = make(store);
            store.specs.templates.push(Arc::new(template));
            store.specs.templates.len()
        }))
    }

    /// Interns the shape of a claim or volume under a key that determines it.
    pub fn intern_claim_spec(
        &mut self,
        key: &str,
        make: impl FnOnce(&mut Store) -> ClaimSpec,
    ) -> ClaimSpecId {
        ClaimSpecId(U24::of(self.intern_spec("claim", key, |store| {
            let spec = make(store);
            store.specs.claims.push(Arc::new(spec));
            store.specs.claims.len()
        })))
    }

    fn intern_spec(&mut self, what: &str, key: &str, make: impl FnOnce(&mut Store) -> usize) -> u32 {
        let key = format!("{what} {key}");
        if let Some(&number) = self.spec_index.get(&key) {
            return number;
        }
        let number = u32::try_from(make(self) - 1).unwrap_or(u32::MAX);
        self.spec_index.insert(key, number);
        number
    }

    /// The value of a label of a pod, its identity labels included (STS-15).
    pub fn pod_label(&self, pod: &Pod, key: Sym) -> Option<LabelValue> {
        if let Some(value) = self.labels.value(pod.meta.labels, key) {
            return Some(LabelValue::Word(value));
        }
        match self.names.text(key) {
            POD_NAME_LABEL if pod.flags.has(PodFlags::NAME_LABEL) => Some(LabelValue::Name(pod.meta.name)),
            POD_INDEX_LABEL if pod.flags.has(PodFlags::INDEX_LABEL) => {
                pod.meta.name.ordinal().map(LabelValue::Number)
            }
            _ => None,
        }
    }

    /// The labels of an object as text, sorted by key; a pod's identity labels included.
    pub fn label_texts(&self, labels: LabelsId) -> Vec<(&str, &str)> {
        let mut texts: Vec<_> =
            self.labels.get(labels).iter().map(|(k, v)| (self.names.text(*k), self.names.text(*v))).collect();
        texts.sort_unstable();
        texts
    }

    /// True if the pod's labels match the selector.
    pub fn pod_matches(&self, pod: &Pod, selector: &crate::api::selector::Selector) -> bool {
        selector.matches(|key| {
            let found = self.names.known(key).and_then(|key| self.labels.value(pod.meta.labels, key));
            if let Some(value) = found {
                return Some(self.names.text(value).into());
            }
            match key {
                POD_NAME_LABEL if pod.flags.has(PodFlags::NAME_LABEL) => {
                    Some(self.names.render(pod.meta.name).into())
                }
                POD_INDEX_LABEL if pod.flags.has(PodFlags::INDEX_LABEL) => {
                    pod.meta.name.ordinal().map(|n| n.to_string().into())
                }
                _ => None,
            }
        })
    }

    /// True if these labels match the selector.
    pub fn labels_match(&self, labels: LabelsId, selector: &crate::api::selector::Selector) -> bool {
        selector.matches(|key| {
            let value = self.labels.value(labels, self.names.known(key)?)?;
            Some(self.names.text(value).into())
        })
    }

    /// What the metadata of few objects says: deletion, unusual finalizers.
    pub fn rare(&self, meta: &Meta) -> Rare {
        self.rares.get(meta.rare)
    }

    /// The managing owner of an object.
    pub fn controller_of(&self, owners: OwnersId) -> Option<&Owner> {
        self.owners.controller(owners)
    }
}

/// Label `statefulset.kubernetes.io/pod-name`.
pub const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// Label `apps.kubernetes.io/pod-index`.
pub const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";
/// Label `controller-revision-hash` (STS-15).
pub const REVISION_LABEL: &str = "controller-revision-hash";
/// Label `topology.kubernetes.io/zone`.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// Label `topology.kubernetes.io/region`.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// Label `kubernetes.io/hostname`.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// The value of a label, not yet rendered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LabelValue {
    /// A word.
    Word(Sym),
    /// The name of a pod.
    Name(Name),
    /// An ordinal.
    Number(u32),
}

/// The store as of a revision: what a reader whose watch has come that far sees.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The store; for interned things, which have no versions.
    pub store: &'a Store,
    /// How far the reader has come.
    pub at: Revision,
}

impl<'a> View<'a> {
    /// An object as the reader sees it.
    pub fn get<T: Stored>(&self, id: Id<T>) -> Option<&'a T> {
        T::table(self.store).at(id, self.at)
    }

    /// The object of this name as the reader sees it.
    pub fn find<T: Stored>(&self, scope: Sym, name: Name) -> Option<(Id<T>, &'a T)> {
        let id = T::table(self.store).id(scope, name)?;
        self.get(id).map(|object| (id, object))
    }

    /// The StorageClass called by this word.
    pub fn class(&self, name: Sym) -> Option<&'a StorageClass> {
        let name = self.store.names.known_name(self.store.names.text(name))?;
        self.find(Sym::EMPTY, name).map(|(_, class)| class)
    }

    /// All objects of a kind as the reader sees them. A scan: not for what runs at every event.
    pub fn iter<T: Stored + 'a>(&self) -> impl Iterator<Item = (Id<T>, &'a T)> + use<'a, T> {
        T::table(self.store).iter_at(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_and_disks_are_the_same_thing() {
        for seed in [0, 1, u64::MAX] {
            let mut store = Store::seeded(seed);
            let disks: Vec<u32> = (0..9).map(|_| store.next_disk()).collect();
            let foreign = store.disk_of_handle("vol-by-hand");
            for disk in disks.iter().copied().chain([foreign]) {
                let handle = store.volume_handle(disk);
                assert_eq!(
                    (store.disk_from_text(&handle), store.disk_of_handle(&handle)),
                    (Some(disk), disk)
                );
            }
            assert!(Store::is_foreign_disk(foreign));
            let next = store.volume_handle(10);
            assert_eq!([next.as_str(), "vol-", "vol-0zz"].map(|text| store.disk_from_text(text)), [None; 3]);
        }
    }
}
