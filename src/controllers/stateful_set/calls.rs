//! The API calls of a sync, carried out one by one.
//!
//! Follows stateful_pod_control.go (CreateStatefulPod, UpdateStatefulPod, DeleteStatefulPod and their claims),
//! stateful_set_status_updater.go, and the writes of controller_ref_manager.go and controller_history.go. A call is a
//! few words: whatever else it needs is in [`Underway`], the state of the sync it belongs to. Left out: the four or
//! five tries on a conflict, 10 ms apart; a write that would conflict either goes through, where the real one does on
//! its next try, or fails the sync, which looks again 5 ms later.
use super::claims::{self, PodRef};
use super::identity::{Frame, identity_matches, storage_matches};
use super::revision::{Choice, Target};
use super::status;
use super::view::Stamp;
use crate::api::kind::Kind;
use crate::api::labels::LabelsId;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL};
use crate::api::template_hash::{revision_hash, revision_name};
use crate::api::text::label_value_errors;
use crate::event::Process;
use crate::kernel::Id;
use crate::rule::Rule;
use crate::world::{DeleteOptions, World};
use std::fmt;
use std::sync::Arc;

/// Label of a revision with its hash (STS-36).
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The number in a pod's name as the controller reads it back (STS-14): -1 if it is beyond 2^31-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ordinal(i32);

impl Ordinal {
    /// No ordinal: what a number that is too large reads as.
    pub(super) const NONE: Ordinal = Ordinal(-1);

    pub(super) fn of(number: u32) -> Ordinal {
        Ordinal(i32::try_from(number).unwrap_or(-1))
    }

    pub(super) fn from_i64(number: i64) -> Ordinal {
        Ordinal(i32::try_from(number).unwrap_or(-1))
    }

    /// The number, unless it is none.
    pub(super) fn number(self) -> Option<u32> {
        u32::try_from(self.0).ok()
    }
}

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which revision a new pod is made from (STS-48).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The current one.
    Current,
    /// The update revision.
    Update,
}

/// On whose behalf claims are touched: decides which event a failure leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claims {
    /// Of a pod about to be created (STS-21).
    OfNewPod,
    /// Of a Pending pod (STS-23).
    OfPendingPod,
    /// Of a pod that does not conform (STS-61).
    OfUpdatedPod,
    /// Of a condemned pod (STS-28).
    OfCondemnedPod,
}

/// One API call of the StatefulSet controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// An ownerless revision gets the set as its owner (STS-88).
    AdoptRevision(Id<ControllerRevision>),
    /// An ownerless pod gets the set as its owner (STS-86).
    AdoptPod(Id<Pod>),
    /// A pod that does not match any more loses it (STS-87).
    ReleasePod(Id<Pod>),
    /// The update revision is created (STS-39).
    CreateRevision,
    /// An older revision becomes the newest (STS-46).
    RenumberRevision(Id<ControllerRevision>),
    /// A revision is forgotten (STS-43).
    DeleteRevision(Id<ControllerRevision>),
    /// A claim is created (STS-21); `last`: no further one for this pod.
    CreateClaim {
        /// Of which pod.
        ordinal: Ordinal,
        /// From which claim template.
        template: u16,
        /// No further claim of this pod is created.
        last: bool,
        /// Why.
        claims: Claims,
    },
    /// No call: fails if a claim of the pod could not be created or is being deleted (STS-23).
    DemandClaims(Ordinal),
    /// The owner references of a claim are written (STS-28).
    UpdateClaim {
        /// Of which pod.
        ordinal: Ordinal,
        /// Of which claim template.
        template: u16,
        /// Why.
        claims: Claims,
    },
    /// A pod is created (STS-58).
    CreatePod(Ordinal, Which),
    /// A pod is written as it should be (STS-61).
    UpdatePod(Ordinal),
    /// A pod is deleted, by name; for the rolling update or for another reason.
    DeletePod(Ordinal, bool),
    /// The status is written if it differs (STS-76).
    WriteStatus,
}

/// A sync in progress: what its calls share.
#[derive(Clone, Debug)]
pub(super) struct Underway {
    pub(super) frame: Arc<Frame>,
    pub(super) choice: Choice,
    /// Owner references of new pods.
    pub(super) owners: OwnersIdOf,
    /// The set's annotations, for a new revision (STS-36).
    pub(super) annotations: LabelsId,
    /// Status as the cache had it when the sync began.
    pub(super) stored: StatefulSetStatus,
    /// Status to be written.
    pub(super) draft: StatefulSetStatus,
    /// What new pods of the current and of the update revision are made with, once known.
    pub(super) stamps: [Option<Stamp>; 2],
    /// Claims that could not be created.
    claim_errors: Vec<(Ordinal, String)>,
    /// Pods deleted by the rolling update (STS-79).
    deleted: i32,
    /// Failed before a status could be computed: neither status nor history are touched (STS-54).
    failed_early: bool,
}

/// Owner references that many pods share.
pub(super) type OwnersIdOf = crate::api::labels::OwnersId;

/// What a call did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    /// Nothing that would have to show in the caches.
    Quietly,
    /// A write that the next sync has to see (STS-102).
    Wrote(Revision),
}

type Outcome = Result<Done, Status>;

impl Underway {
    pub(super) fn new(
        frame: Arc<Frame>,
        choice: Choice,
        set: &StatefulSet,
        owners: OwnersIdOf,
        draft: StatefulSetStatus,
        stamps: [Option<Stamp>; 2],
    ) -> Underway {
        Underway {
            frame,
            choice,
            owners,
            annotations: set.meta.annotations,
            stored: set.status,
            draft,
            stamps,
            claim_errors: Vec::new(),
            deleted: 0,
            failed_early: false,
        }
    }

    /// Carries out a call.
    ///
    /// # Errors
    /// What the API server answers.
    pub(super) fn execute(&mut self, call: Call, rule: Rule, world: &mut World) -> Outcome {
        match call {
            Call::AdoptRevision(id) => {
                let done = self.adopt_revision(id, rule, world);
                self.early(done)
            }
            Call::AdoptPod(id) => {
                let done = self.adopt_pod(id, rule, world);
                self.early(done)
            }
            Call::ReleasePod(id) => self.release_pod(id, rule, world),
            Call::CreateRevision => {
                let done = self.create_revision(rule, world);
                self.early(done)
            }
            Call::RenumberRevision(id) => {
                let number = self.choice.number;
                let done = world.update(id, rule, |revision| revision.number = number);
                let gone = || {
                    Status::not_found(
                        Kind::Revision.resource(),
                        &world.store.name_of(self.choice.update.name),
                    )
                };
                let done = done.map(|_| Done::Quietly).ok_or_else(gone);
                self.early(done)
            }
            Call::DeleteRevision(id) => {
                if !self.failed_early && world.store.revisions.get(id).is_some() {
                    world.delete(id, DeleteOptions::default(), rule)?;
                }
                Ok(Done::Quietly)
            }
            Call::CreateClaim { ordinal, template, last, claims } => {
                self.create_claim(ordinal, template, last, claims, rule, world)
            }
            Call::DemandClaims(ordinal) => match self.claims_error(ordinal, world) {
                Some(error) => Err(Status::internal(error)),
                None => Ok(Done::Quietly),
            },
            Call::UpdateClaim { ordinal, template, claims } => {
                self.update_claim(ordinal, template, claims, rule, world)
            }
            Call::CreatePod(ordinal, which) => self.create_pod(ordinal, which, rule, world),
            Call::UpdatePod(ordinal) => self.update_pod(ordinal, rule, world),
            Call::DeletePod(ordinal, for_update) => self.delete_pod(ordinal, for_update, rule, world),
            Call::WriteStatus => self.write_status(rule, world),
        }
    }

    fn early(&mut self, outcome: Outcome) -> Outcome {
        self.failed_early |= outcome.is_err();
        outcome
    }

    // ---- Ownership -------------------------------------------------------------------------------------------------

    /// The live look before an adoption (STS-86).
    fn can_adopt(&self, world: &World) -> Result<(), Status> {
        let name = world.store.name_of(self.frame.name);
        let full = format!("{}/{name}", world.store.names.text(self.frame.namespace));
        match world.store.stateful_sets.get(self.frame.id) {
            None => Err(Status::not_found(Kind::StatefulSet.resource(), &name)),
            Some(set) if set.meta.uid != self.frame.uid => Err(Status::internal(format!(
                "original StatefulSet {full} is gone: got uid {}, wanted {}",
                world.store.uid_text(set.meta.uid),
                world.store.uid_text(self.frame.uid)
            ))),
            Some(set) if set.meta.is_terminating() => {
                Err(Status::internal(format!("{full} has just been deleted")))
            }
            Some(_) => Ok(()),
        }
    }

    fn adopt_revision(&self, id: Id<ControllerRevision>, rule: Rule, world: &mut World) -> Outcome {
        self.can_adopt(world)?;
        let Some(revision) = world.store.revisions.get(id) else { return Ok(Done::Quietly) };
        let before = revision.meta.owners;
        let owners = world.store.owners.with(before, self.frame.owner());
        if owners != before {
            world.update(id, rule, |revision| revision.meta.owners = owners);
        }
        Ok(Done::Quietly)
    }

    fn adopt_pod(&self, id: Id<Pod>, rule: Rule, world: &mut World) -> Outcome {
        self.can_adopt(world)?;
        let Some(cached) = world.view(Process::ControllerManager).get(id).map(|pod| pod.meta.uid) else {
            return Ok(Done::Quietly);
        };
        let Some(pod) = world.store.pods.get_uid(id, cached) else { return Ok(Done::Quietly) };
        let (before, name) = (pod.meta.owners, pod.meta.name);
        if world.store.controller_of(before).is_some_and(|owner| owner.uid != self.frame.uid) {
            let error = "metadata.ownerReferences: Invalid value: Only one reference can have Controller set to true.";
            return Err(Status::invalid(Kind::Pod, &world.store.name_of(name), &[error.into()]));
        }
        let owners = world.store.owners.with(before, self.frame.owner());
        if owners == before {
            return Ok(Done::Quietly);
        }
        Ok(wrote(world.update(id, rule, |pod| pod.meta.owners = owners)))
    }

    fn release_pod(&self, id: Id<Pod>, rule: Rule, world: &mut World) -> Outcome {
        let Some(pod) = world.store.pods.get(id) else { return Ok(Done::Quietly) };
        let before = pod.meta.owners;
        let owners = world.store.owners.without(before, self.frame.uid);
        if owners == before {
            return Ok(Done::Quietly);
        }
        Ok(wrote(world.update(id, rule, |pod| pod.meta.owners = owners)))
    }

    // ---- Revisions -------------------------------------------------------------------------------------------------

    /// Creates the update revision; on a name collision with other data at once under the next name (STS-42).
    fn create_revision(&mut self, rule: Rule, world: &mut World) -> Outcome {
        let set = world.store.name_of(self.frame.name);
        let template = world.store.template(self.choice.update.template).clone();
        let current_is_new = self.choice.current == self.choice.update;
        loop {
            let hash = revision_hash(&self.choice.data, self.choice.collisions);
            let text = revision_name(&set, &hash);
            let (name, label) = (world.store.names.name(&text), world.store.names.word(&text));
            let (key, hash) = (world.store.names.word(HASH_LABEL), world.store.names.word(&hash));
            let revision = ControllerRevision {
                meta: Meta {
                    name,
                    namespace: self.frame.namespace,
                    labels: world.store.labels.with(template.labels, key, hash),
                    annotations: self.annotations,
                    owners: world.store.owners.intern(&[self.frame.owner()]),
                    ..Meta::default()
                },
                data: self.choice.data.clone(),
                template: self.choice.update.template,
                number: self.choice.number,
            };
            self.choice.update = Target { label, name, ..self.choice.update };
            let live = world.store.revisions.find(self.frame.namespace, name);
            let same = live.map(|(_, live)| *live.data == *self.choice.data);
            if same == Some(false) {
                self.choice.collisions += 1;
                continue;
            }
            if same.is_none() {
                world.create(revision, rule)?;
            }
            break;
        }
        if current_is_new {
            self.choice.current = self.choice.update;
        }
        self.draft.current_revision = self.choice.current.name;
        self.draft.update_revision = self.choice.update.name;
        self.draft.collisions = Some(self.choice.collisions);
        Ok(Done::Quietly)
    }

    // ---- Claims ----------------------------------------------------------------------------------------------------

    fn create_claim(
        &mut self,
        ordinal: Ordinal,
        template: u16,
        last: bool,
        claims: Claims,
        rule: Rule,
        world: &mut World,
    ) -> Outcome {
        let index = usize::from(template);
        let name = self.frame.claim_name(&mut world.store.names, index, ordinal);
        let of = &self.frame.spec.claims[index];
        let claim = Claim {
            meta: Meta {
                name,
                namespace: self.frame.namespace,
                labels: of.labels,
                annotations: of.annotations,
                ..Meta::default()
            },
            spec: admitted_claim(world, of.spec),
            volume: Id::NONE,
            selected_node: Id::NONE,
            phase: ClaimPhase::Pending,
            bind_completed: false,
            bound_by_controller: false,
            provisioner_set: false,
        };
        let outcome = world.create(claim, rule);
        let result = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        if !result.as_ref().is_err_and(Status::is_already_exists) {
            self.claim_event(ordinal, name, &result, world);
        }
        if let Err(error) = &result {
            let text = format!("failed to create PVC {}: {error}", world.store.name_of(name));
            self.claim_errors.push((ordinal, text));
        }
        if last && self.claim_errors.iter().any(|(of, _)| *of == ordinal) {
            let error = Status::internal(self.claims_error(ordinal, world).unwrap_or_default());
            match claims {
                Claims::OfNewPod => self.pod_event(PodEvent::Create, ordinal, &Err(error), world),
                Claims::OfUpdatedPod => self.pod_event(PodEvent::Update, ordinal, &Err(error), world),
                Claims::OfPendingPod | Claims::OfCondemnedPod => {}
            }
        }
        let id = outcome?;
        Ok(wrote(world.store.claims.get(id).map(|claim| claim.meta.revision)))
    }

    /// Why the claims of a pod are not all there (STS-21, STS-22): all reasons, as the real controller joins them.
    fn claims_error(&self, ordinal: Ordinal, world: &World) -> Option<String> {
        let cache = world.view(Process::ControllerManager);
        let mut errors: Vec<String> =
            self.claim_errors.iter().filter(|(of, _)| *of == ordinal).map(|(_, text)| text.clone()).collect();
        for (_, claim) in claims::of_ordinal(&self.frame, cache, ordinal) {
            if let Some((_, claim)) = claim.filter(|(_, claim)| claim.meta.is_terminating()) {
                errors.push(format!("pvc {} is being deleted", world.store.name_of(claim.meta.name)));
            }
        }
        match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(format!("[{}]", errors.join(", "))),
        }
    }

    fn update_claim(
        &self,
        ordinal: Ordinal,
        template: u16,
        claims: Claims,
        rule: Rule,
        world: &mut World,
    ) -> Outcome {
        let cache = world.view(Process::ControllerManager);
        let Some(name) = self.frame.known_claim_name(&world.store.names, usize::from(template), ordinal)
        else {
            return Ok(Done::Quietly);
        };
        let Some((id, cached)) = cache.find::<Claim>(self.frame.namespace, name) else {
            return Ok(Done::Quietly);
        };
        let cached = *cached;
        let pod = self.pod_ref(ordinal, claims, world);
        let owners = world.store.owners.get(cached.meta.owners);
        if claims::has_unexpected_controller(&self.frame, owners, pod) {
            world.emit(self.frame.id, true, "ConflictingController", |world| {
                format!(
                    "PersistentVolumeClaim {} has a conflicting OwnerReference that acts as a manging controller, \
                     the retention policy is ignored for this claim",
                    world.store.name_of(name)
                )
            });
        }
        let owners = world.store.owners.get(cached.meta.owners);
        if claims::owners_match(&self.frame, owners, pod) {
            return Ok(Done::Quietly);
        }
        let rewritten = claims::rewritten(&self.frame, owners, pod);
        if world.store.claims.get(id).is_none_or(|claim| claim.meta.revision != cached.meta.revision) {
            let text = world.store.name_of(name);
            let mut error = Status::stale(Kind::Claim.resource(), &text);
            error.message = format!("could not update claim {text} for delete policy ownerRefs: {error}");
            if claims != Claims::OfCondemnedPod {
                self.pod_event(PodEvent::Update, ordinal, &Err(error.clone()), world);
            }
            return Err(error);
        }
        let owners = world.store.owners.intern(&rewritten);
        Ok(wrote(world.update(id, rule, |claim| claim.meta.owners = owners)))
    }

    fn pod_ref(&self, ordinal: Ordinal, claims: Claims, world: &World) -> PodRef {
        let cache = world.view(Process::ControllerManager);
        if claims == Claims::OfNewPod {
            return PodRef::not_created(&self.frame, cache, ordinal);
        }
        let name = self.frame.known_pod_name(&world.store.names, ordinal);
        let pod = name.and_then(|name| cache.find::<Pod>(self.frame.namespace, name));
        let uid = pod.map_or(crate::api::names::Uid::NONE, |(_, pod)| pod.meta.uid);
        PodRef { name, uid, condemned: claims == Claims::OfCondemnedPod }
    }

    // ---- Pods ------------------------------------------------------------------------------------------------------

    fn create_pod(&mut self, ordinal: Ordinal, which: Which, rule: Rule, world: &mut World) -> Outcome {
        if let Some(error) = self.claims_error(ordinal, world) {
            let error = Status::internal(error);
            self.pod_event(PodEvent::Create, ordinal, &Err(error.clone()), world);
            return Err(error);
        }
        let outcome = self.post_pod(ordinal, which, rule, world);
        if !outcome.as_ref().is_err_and(Status::is_already_exists) {
            let result = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
            self.pod_event(PodEvent::Create, ordinal, &result, world);
        }
        outcome
    }

    fn post_pod(&mut self, ordinal: Ordinal, which: Which, rule: Rule, world: &mut World) -> Outcome {
        let target = self.target(which);
        let name = self.frame.pod_name(&mut world.store.names, ordinal);
        if world.store.pods.find(self.frame.namespace, name).is_some() {
            return Err(Status::already_exists(Kind::Pod.resource(), &world.store.name_of(name)));
        }
        refusal(world, name, ordinal, target.label)?;
        let stamp = self.stamp(which, world)?;
        let template = world.store.template(target.template);
        let meta = Meta {
            name,
            namespace: self.frame.namespace,
            labels: stamp.labels,
            annotations: template.annotations,
            owners: self.owners,
            other_finalizers: template.finalizers,
            ..Meta::default()
        };
        let mut flags = PodFlags::default();
        flags.set(PodFlags::NAME_LABEL, true);
        flags.set(PodFlags::INDEX_LABEL, true);
        let id = world.create(new_pod(meta, stamp.spec, flags), rule)?;
        Ok(wrote(world.store.pods.get(id).map(|pod| pod.meta.revision)))
    }

    fn target(&self, which: Which) -> Target {
        match which {
            Which::Current => self.choice.current,
            Which::Update => self.choice.update,
        }
    }

    /// Labels and spec of new pods: made once per revision.
    fn stamp(&mut self, which: Which, world: &mut World) -> Result<Stamp, Status> {
        if let Some(stamp) = self.stamps[which as usize] {
            return Ok(stamp);
        }
        let target = self.target(which);
        let key = world.store.names.word(REVISION_LABEL);
        let labels = world.store.template(target.template).labels;
        let labels = world.store.labels.with(labels, key, target.label);
        let spec = pod_spec(world, &self.frame, target.template)?;
        let stamp = Stamp { labels, spec };
        self.stamps[which as usize] = Some(stamp);
        Ok(stamp)
    }

    fn update_pod(&self, ordinal: Ordinal, rule: Rule, world: &mut World) -> Outcome {
        let outcome = self.put_pod(ordinal, rule, world);
        let result = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        self.pod_event(PodEvent::Update, ordinal, &result, world);
        outcome
    }

    fn put_pod(&self, ordinal: Ordinal, rule: Rule, world: &mut World) -> Outcome {
        let name = self.frame.pod_name(&mut world.store.names, ordinal);
        let text = |world: &World| world.store.name_of(name);
        let cache = world.view(Process::ControllerManager);
        let Some((id, cached)) = cache.find::<Pod>(self.frame.namespace, name) else {
            return Err(Status::not_found(Kind::Pod.resource(), &text(world)));
        };
        if !storage_matches(&self.frame, &world.store, cached) {
            if let Some(error) = self.claims_error(ordinal, world) {
                return Err(Status::internal(error));
            }
            // The volumes of a pod cannot change (STS-25).
            return Err(Status::invalid(Kind::Pod, &text(world), &[FIXED_SPEC.into()]));
        }
        let uid = cached.meta.uid;
        let Some(pod) = world.store.pods.get_uid(id, uid).copied() else {
            return Err(Status::not_found(Kind::Pod.resource(), &text(world)));
        };
        if identity_matches(&pod) {
            return Ok(Done::Quietly);
        }
        let mut labels = pod.meta.labels;
        for key in [POD_NAME_LABEL, POD_INDEX_LABEL] {
            let key = world.store.names.word(key);
            labels = world.store.labels.without(labels, key);
        }
        Ok(wrote(world.update_uid(id, uid, rule, |pod| {
            pod.meta.labels = labels;
            pod.flags.set(PodFlags::NAME_LABEL, true);
            pod.flags.set(PodFlags::INDEX_LABEL, true);
        })))
    }

    /// By name, without any precondition (STS-71, STS-103). That the pod is gone already is success.
    fn delete_pod(&mut self, ordinal: Ordinal, for_update: bool, rule: Rule, world: &mut World) -> Outcome {
        let name = self.frame.pod_name(&mut world.store.names, ordinal);
        if let Some((id, _)) = world.store.pods.find(self.frame.namespace, name) {
            world.delete(id, DeleteOptions::default(), rule)?;
            self.pod_event(PodEvent::Delete, ordinal, &Ok(()), world);
        }
        self.deleted += i32::from(for_update);
        Ok(Done::Quietly)
    }

    // ---- Status ----------------------------------------------------------------------------------------------------

    fn write_status(&self, rule: Rule, world: &mut World) -> Outcome {
        if self.failed_early {
            return Ok(Done::Quietly);
        }
        let mut new = self.draft;
        new.current -= self.deleted;
        status::complete(&self.frame.spec, &mut new);
        if !status::differs(&self.stored, &new) {
            return Ok(Done::Quietly);
        }
        let name = || world.store.name_of(self.frame.name);
        let live = world.store.stateful_sets.get_uid(self.frame.id, self.frame.uid);
        let Some(live) = live else {
            return Err(Status::not_found(Kind::StatefulSet.resource(), &name()));
        };
        if let Some(why) = status::refusal(&new) {
            return Err(Status::invalid(Kind::StatefulSet, &name(), &[why]));
        }
        let cached = world.view(Process::ControllerManager).get(self.frame.id);
        if cached.is_none_or(|cached| cached.meta.revision != live.meta.revision) {
            return Err(Status::stale(Kind::StatefulSet.resource(), &name()));
        }
        Ok(wrote(world.update(self.frame.id, rule, |set| set.status = new)))
    }

    // ---- Events (STS-111) ------------------------------------------------------------------------------------------

    fn pod_event(&self, what: PodEvent, ordinal: Ordinal, result: &Result<(), Status>, world: &mut World) {
        let (verb, done, failed) = match what {
            PodEvent::Create => ("Create", "SuccessfulCreate", "FailedCreate"),
            PodEvent::Update => ("Update", "SuccessfulUpdate", "FailedUpdate"),
            PodEvent::Delete => ("Delete", "SuccessfulDelete", "FailedDelete"),
        };
        let reason = if result.is_ok() { done } else { failed };
        world.emit(self.frame.id, result.is_err(), reason, |world| {
            let set = world.store.names.text(self.frame.stem);
            match result {
                Ok(()) => format!("{verb} Pod {set}-{ordinal} in StatefulSet {set} successful"),
                Err(error) => {
                    format!("{verb} Pod {set}-{ordinal} in StatefulSet {set} failed error: {error}")
                }
            }
        });
    }

    fn claim_event(&self, ordinal: Ordinal, claim: Name, result: &Result<(), Status>, world: &mut World) {
        let reason = if result.is_ok() { "SuccessfulCreate" } else { "FailedCreate" };
        world.emit(self.frame.id, result.is_err(), reason, |world| {
            let (set, claim) = (world.store.names.text(self.frame.stem), world.store.name_of(claim));
            match result {
                Ok(()) => format!("Create Claim {claim} Pod {set}-{ordinal} in StatefulSet {set} success"),
                Err(error) => format!(
                    "Create Claim {claim} for Pod {set}-{ordinal} in StatefulSet {set} failed error: {error}"
                ),
            }
        });
    }
}

#[derive(Clone, Copy)]
enum PodEvent {
    Create,
    Update,
    Delete,
}

/// What the API server says to a change of a pod's volumes.
const FIXED_SPEC: &str = "spec: Forbidden: pod updates may not change fields other than \
    `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
    additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
    previously negative)";

/// Longest label value and host name.
const MAX_LABEL: usize = 63;

fn wrote(revision: Option<Revision>) -> Done {
    revision.map_or(Done::Quietly, Done::Wrote)
}

/// What the API server would have against the labels and the host name of a new pod (STS-5, STUCK-13, STUCK-15).
pub(super) fn refused(
    names: &crate::api::names::Interner,
    name: Name,
    ordinal: Ordinal,
    revision: Sym,
) -> bool {
    ordinal == Ordinal::NONE || names.len_of(name) > MAX_LABEL || names.text(revision).len() > MAX_LABEL
}

fn refusal(world: &World, name: Name, ordinal: Ordinal, revision: Sym) -> Result<(), Status> {
    let names = &world.store.names;
    if !refused(names, name, ordinal, revision) {
        return Ok(());
    }
    let text = world.store.name_of(name);
    let mut errors = Vec::new();
    for value in [&ordinal.to_string(), names.text(revision), &text] {
        let found = label_value_errors(value);
        errors
            .extend(found.into_iter().map(|why| format!("metadata.labels: Invalid value: {value:?}: {why}")));
    }
    if text.len() > MAX_LABEL {
        errors
            .push(format!("spec.hostname: Invalid value: {text:?}: must be no more than {MAX_LABEL} bytes"));
    }
    Err(Status::invalid(Kind::Pod, &text, &errors))
}

pub(super) fn new_pod(meta: Meta, spec: PodSpecId, flags: PodFlags) -> Pod {
    Pod {
        meta,
        spec,
        node: Id::NONE,
        nominated: Id::NONE,
        ip: Ip::NONE,
        ready_since: Seconds::NEVER,
        started: Seconds::NEVER,
        restarts: 0,
        containers: Containers::Unreported,
        phase: Phase::Pending,
        flags,
        reason: PodReason::None,
        disruption: Disruption::None,
    }
}

fn admitted_claim(world: &mut World, spec: ClaimSpecId) -> ClaimSpecId {
    crate::api::admission::admit_claim_spec(&mut world.store, spec)
}

fn pod_spec(world: &mut World, frame: &Frame, template: TemplateId) -> Result<PodSpecId, Status> {
    let World { store, config, .. } = world;
    let spec = &frame.spec;
    crate::api::admission::pod_spec_for_set(
        store,
        config,
        template,
        &spec.claims,
        frame.stem,
        spec.service_name,
    )
}
