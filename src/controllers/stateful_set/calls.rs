//! The API calls of a sync, carried out one by one.
//!
//! Follows stateful_set_status_updater.go and the writes of controller_ref_manager.go and controller_history.go; those
//! of stateful_pod_control.go are in `pod_control`. A call is a few words: whatever else it needs is in [`Underway`],
//! the state of the sync it belongs to. Left out: the pauses between the four or five tries on a conflict (STS-61, STS-76): a
//! status or pod write is tried again at once, a claim write that conflicts fails the sync, which looks again 5 ms later.
use super::identity::Frame;
use super::revision::{Choice, Target};
use super::status;
use super::view::Stamp;
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, OwnersId};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::template_hash::{revision_hash, revision_name};
use crate::event::Process;
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{DeleteOptions, World};
use std::fmt;
use std::sync::Arc;

/// Tries of a status write that conflicts (STS-76).
const STATUS_TRIES: u32 = 5;

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

/// Tries a write again while somebody else wrote in between.
pub(super) fn retried<T>(tries: u32, mut write: impl FnMut() -> Result<T, Status>) -> Result<T, Status> {
    let mut outcome = write();
    for _ in 1..tries {
        if !outcome.as_ref().is_err_and(Status::is_conflict) {
            break;
        }
        outcome = write();
    }
    outcome
}

/// A sync in progress: what its calls share.
#[derive(Clone, Debug)]
pub(super) struct Underway {
    pub(super) frame: Arc<Frame>,
    pub(super) choice: Choice,
    /// Owner references of new pods.
    pub(super) owners: OwnersId,
    /// The set's annotations, for a new revision (STS-36).
    pub(super) annotations: LabelsId,
    /// Status as the cache had it when the sync began.
    pub(super) stored: StatefulSetStatus,
    /// Status to be written.
    pub(super) draft: StatefulSetStatus,
    /// What new pods of the current and of the update revision are made with, once known.
    pub(super) stamps: [Option<Stamp>; 2],
    /// Specs of new claims as admitted, by claim template, once known (VOL-5).
    pub(super) claim_specs: Box<[Option<ClaimSpecId>]>,
    /// Claims that could not be created.
    pub(super) claim_errors: Vec<(Ordinal, String)>,
    /// Pods deleted by the rolling update (STS-79).
    pub(super) deleted: i32,
    /// Failed before a status could be computed: neither status nor history are touched (STS-54).
    failed_early: bool,
}

/// What a call did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    /// Nothing that would have to show in the caches.
    Quietly,
    /// A write that the next sync has to see (STS-102).
    Wrote(Revision),
}

/// What the API server answers to a call.
pub(super) type Outcome = Result<Done, Status>;

impl Underway {
    pub(super) fn new(
        frame: Arc<Frame>,
        choice: Choice,
        set: &StatefulSet,
        owners: OwnersId,
        draft: StatefulSetStatus,
        stamps: [Option<Stamp>; 2],
    ) -> Underway {
        let claim_specs = vec![None; frame.claim_stems.len()].into_boxed_slice();
        Underway {
            frame,
            choice,
            owners,
            annotations: set.meta.annotations,
            stored: set.status,
            draft,
            stamps,
            claim_specs,
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
                let done = world.put(id, rule, |revision| revision.number = number);
                self.early(done.map(|_| Done::Quietly))
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
            world.patch(id, rule, |revision| revision.meta.owners = owners)?;
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
        world.patch(id, rule, |pod| pod.meta.owners = owners).map(Done::Wrote)
    }

    fn release_pod(&self, id: Id<Pod>, rule: Rule, world: &mut World) -> Outcome {
        let Some(pod) = world.store.pods.get(id) else { return Ok(Done::Quietly) };
        let before = pod.meta.owners;
        let owners = world.store.owners.without(before, self.frame.uid);
        if owners == before {
            return Ok(Done::Quietly);
        }
        world.patch(id, rule, |pod| pod.meta.owners = owners).map(Done::Wrote)
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
            mark!("STS-42" if same.is_some());
            if same == Some(false) {
                self.choice.collisions += 1;
                continue;
            }
            if same.is_none() {
                mark!("STS-36", "STS-44");
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

    // ---- Status ----------------------------------------------------------------------------------------------------

    fn write_status(&self, rule: Rule, world: &mut World) -> Outcome {
        if self.failed_early {
            return Ok(Done::Quietly);
        }
        let mut new = self.draft;
        mark!("STS-79" if self.deleted > 0);
        new.current -= self.deleted;
        status::complete(&self.frame.spec, &mut new);
        if !status::differs(&self.stored, &new) {
            return Ok(Done::Quietly);
        }
        let name = || world.store.name_of(self.frame.name);
        if world.store.stateful_sets.get_uid(self.frame.id, self.frame.uid).is_none() {
            return Err(Status::not_found(Kind::StatefulSet.resource(), &name()));
        }
        if let Some(why) = status::refusal(&new) {
            mark!("STS-9");
            return Err(Status::invalid(Kind::StatefulSet, &name(), &[why]));
        }
        retried(STATUS_TRIES, || {
            world.put(self.frame.id, rule, |set| {
                set.status = new;
                set.conditions = None;
            })
        })
        .map(Done::Wrote)
    }
}

pub(super) fn wrote(revision: Option<Revision>) -> Done {
    revision.map_or(Done::Quietly, Done::Wrote)
}
