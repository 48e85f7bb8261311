//! The API calls of the Deployment controller, and the Events that tell of them (DEP-22).
//!
//! A sync reads everything once, and its writes carry the versions it has read: a second write of the Deployment's
//! status in one sync is refused as stale, and the sync is tried again after a back-off, as in the real controller.
use super::status::{self, PROGRESSING};
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, Owner};
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::status::Status;
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{DeleteOptions, Request, World};
use std::sync::Arc;

/// One API call.
#[derive(Clone, Debug)]
pub enum Call {
    /// Makes the Deployment the managing owner of a ReplicaSet (DEP-6).
    Adopt(Id<ReplicaSet>, Uid),
    /// Takes the Deployment's owner reference off a ReplicaSet that no longer matches (DEP-6).
    Release(Id<ReplicaSet>, Uid),
    /// Creates the ReplicaSet of the present template (DEP-9).
    Create(Box<ReplicaSet>),
    /// Writes a ReplicaSet: size, annotations.
    Update(SetUpdate),
    /// Deletes a ReplicaSet, by name (DEP-15).
    Delete(Id<ReplicaSet>),
    /// Writes status and annotations of the Deployment.
    Status(Box<DeploymentStatus>, LabelsId),
}

/// What is written to a ReplicaSet.
#[derive(Clone, Copy, Debug)]
pub struct SetUpdate {
    /// The ReplicaSet.
    pub id: Id<ReplicaSet>,
    /// The version that was read; None: the one that an earlier call of this sync has written.
    pub read: Option<Revision>,
    /// spec.replicas.
    pub replicas: i32,
    /// spec.minReadySeconds.
    pub min_ready: u32,
    /// Annotations.
    pub annotations: LabelsId,
    /// A refusal counts as "nothing scaled" and only ends the scaling (DEP-11).
    pub tolerant: bool,
}

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub id: Id<Deployment>,
    /// The Deployment as the sync has read it.
    pub deployment: Deployment,
    /// What it has written of ReplicaSets.
    pub written: Vec<(Id<ReplicaSet>, Revision)>,
    /// A tolerated refusal has ended the scaling.
    pub stopped: bool,
}

impl UnderWay {
    pub(super) fn execute(&mut self, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        match call {
            Call::Adopt(set, uid) => self.adopt(*set, *uid, rule, world),
            Call::Release(set, uid) => self.release(*set, *uid, rule, world),
            Call::Create(set) => self.create(set, rule, world),
            Call::Update(update) if update.tolerant => {
                if !self.stopped {
                    self.stopped = self.update(*update, rule, world).is_err();
                }
                Ok(())
            }
            Call::Update(update) => self.update(*update, rule, world),
            Call::Delete(set) => match world.delete(*set, DeleteOptions::default(), rule) {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            },
            Call::Status(status, annotations) => self.status(status, *annotations, rule, world),
        }
    }

    fn reference(&self) -> Owner {
        let meta = &self.deployment.meta;
        Owner { kind: Kind::Deployment, controller: true, block: true, name: meta.name, uid: meta.uid }
    }

    /// A live look at the Deployment first: it must still be the same one, and not be being deleted.
    fn adopt(&self, id: Id<ReplicaSet>, uid: Uid, rule: Rule, world: &mut World) -> Result<(), Status> {
        let name = || world.store.name_of(self.deployment.meta.name);
        let Some(current) = world.store.deployments.get(self.id) else {
            return Err(Status::not_found(Kind::Deployment.resource(), &name()));
        };
        if current.meta.uid != self.deployment.meta.uid || current.meta.is_terminating() {
            return Err(Status::internal(format!("Deployment {} has just been deleted or replaced", name())));
        }
        let Some(set) = world.store.replica_sets.get_uid(id, uid) else { return Ok(()) };
        if world.store.controller_of(set.meta.owners).is_some() {
            let why =
                "metadata.ownerReferences: Invalid value: Only one reference can have Controller set to true";
            let text = world.store.name_of(set.meta.name);
            return Err(Status::invalid(Kind::ReplicaSet, &text, &[why.into()]));
        }
        let owners = world.store.owners.with(set.meta.owners, self.reference());
        world.patch(id, rule, |set| set.meta.owners = owners).map(drop)
    }

    fn release(&self, id: Id<ReplicaSet>, uid: Uid, rule: Rule, world: &mut World) -> Result<(), Status> {
        let Some(old) = world.store.replica_sets.get_uid(id, uid).map(|set| set.meta.owners) else {
            return Ok(());
        };
        let owners = world.store.owners.without(old, self.deployment.meta.uid);
        if owners == old {
            return Ok(());
        }
        world.patch(id, rule, |set| set.meta.owners = owners).map(drop)
    }

    /// DEP-18: a name that is taken is a collision, unless it is this Deployment's own with the same template: then the
    /// next sync will see it.
    fn create(&mut self, set: &ReplicaSet, rule: Rule, world: &mut World) -> Result<(), Status> {
        let mut set = set.clone();
        set.meta.owners = world.store.owners.intern(&[self.reference()]);
        let (namespace, name, replicas) = (set.meta.namespace, set.meta.name, set.spec.replicas);
        let template = set.spec.template;
        match world.create(set, rule) {
            Ok(id) => {
                self.wrote(id, world);
                if replicas > 0 {
                    self.tell_scaled(id, 0, replicas, world);
                }
                Ok(())
            }
            Err(error) if error.is_already_exists() => {
                mark!("DEP-18");
                let own = world.store.replica_sets.find(namespace, name).is_some_and(|(_, other)| {
                    let owner = world.store.controller_of(other.meta.owners);
                    owner.is_some_and(|o| o.uid == self.deployment.meta.uid)
                        && other.spec.template == template
                });
                if !own {
                    let mut status = self.deployment.status.clone();
                    status.collisions = Some(status.collisions.unwrap_or(0).saturating_add(1));
                    // If this is refused the same name collides once more.
                    let _ = self.status(&status, self.deployment.meta.annotations, rule, world);
                }
                Err(error)
            }
            Err(error) => {
                let text =
                    format!("Failed to create new replica set {:?}: {error}", world.store.name_of(name));
                let mut status = self.deployment.status.clone();
                if status::has_deadline(&self.deployment) {
                    let message = world.store.names.word(&text);
                    let failed = status::condition(
                        PROGRESSING,
                        "False",
                        "ReplicaSetCreateError",
                        message,
                        world.now(),
                    );
                    status::set(&mut status, failed);
                    let _ = self.status(&status, self.deployment.meta.annotations, rule, world);
                }
                world.emit(self.id, true, "ReplicaSetCreateError", |_| text);
                Err(error)
            }
        }
    }

    fn wrote(&mut self, id: Id<ReplicaSet>, world: &World) {
        if let Some(set) = world.store.replica_sets.get(id) {
            self.written.retain(|(other, _)| *other != id);
            self.written.push((id, set.meta.revision));
        }
    }

    fn update(&mut self, update: SetUpdate, rule: Rule, world: &mut World) -> Result<(), Status> {
        let id = update.id;
        let name = || {
            world
                .store
                .replica_sets
                .last_known(id)
                .map_or_else(String::new, |s| world.store.name_of(s.meta.name))
        };
        let Some(set) = world.store.replica_sets.get(id) else {
            return Err(Status::not_found(Kind::ReplicaSet.resource(), &name()));
        };
        let own = || self.written.iter().find(|(written, _)| *written == id).map(|(_, revision)| *revision);
        if update.read.or_else(own) != Some(set.meta.revision) {
            return Err(Status::stale(Kind::ReplicaSet.resource(), &name()));
        }
        let from = set.spec.replicas;
        let same_spec = from == update.replicas && set.spec.min_ready == update.min_ready;
        if same_spec && set.meta.annotations == update.annotations {
            return Ok(());
        }
        if same_spec {
            world.put(id, rule, |set| set.meta.annotations = update.annotations)?;
        } else {
            world.write_spec(Request::Update, id, rule, |set: &mut ReplicaSet| {
                let spec = Arc::make_mut(&mut set.spec);
                (spec.replicas, spec.min_ready) = (update.replicas, update.min_ready);
                set.meta.annotations = update.annotations;
            })?;
        }
        self.wrote(id, world);
        if from != update.replicas {
            self.tell_scaled(id, from, update.replicas, world);
        }
        Ok(())
    }

    fn tell_scaled(&self, id: Id<ReplicaSet>, from: i32, to: i32, world: &mut World) {
        mark!("DEP-22");
        world.emit(self.id, false, "ScalingReplicaSet", |world| {
            let name = world
                .store
                .replica_sets
                .last_known(id)
                .map_or_else(String::new, |s| world.store.name_of(s.meta.name));
            let direction = if from < to { "up" } else { "down" };
            format!("Scaled {direction} replica set {name} from {from} to {to}")
        });
    }

    fn status(
        &self,
        status: &DeploymentStatus,
        annotations: LabelsId,
        rule: Rule,
        world: &mut World,
    ) -> Result<(), Status> {
        let name = || world.store.name_of(self.deployment.meta.name);
        let Some(current) = world.store.deployments.get(self.id) else {
            return Err(Status::not_found(Kind::Deployment.resource(), &name()));
        };
        if current.meta.revision != self.deployment.meta.revision {
            return Err(Status::stale(Kind::Deployment.resource(), &name()));
        }
        if current.status == *status && current.meta.annotations == annotations {
            return Ok(());
        }
        let write = |deployment: &mut Deployment| {
            deployment.status = status.clone();
            deployment.meta.annotations = annotations;
        };
        world.put(self.id, rule, write).map(drop)
    }
}
