//! The API calls of the ReplicaSet controller, and the Events that tell of them (RS-8).
//!
//! Follows pkg/controller/controller_utils.go (RealPodControl), controller_ref_manager.go and replica_set_utils.go.
use super::ReplicaSets;
use super::index::Counts;
use crate::api::admission::pod_spec_for_template;
use crate::api::kind::Kind;
use crate::api::labels::Owner;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::event::Process;
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{DeleteOptions, World};

/// How often the API server draws a generated name before it gives up (DEP-5).
const NAME_ATTEMPTS: u64 = 8;

/// A status that could not be written is tried again so often at once (`statusUpdateRetries`).
const STATUS_RETRIES: u32 = 1;

/// One API call.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// Makes the set the managing owner of a pod (RS-2).
    Adopt(Id<Pod>, Uid),
    /// Takes the set's owner reference off a pod that no longer matches (RS-2).
    Release(Id<Pod>, Uid),
    /// Creates a pod (RS-3).
    Create,
    /// Deletes a pod, by name (RS-4).
    Delete(Id<Pod>),
    /// Writes the status (RS-6).
    Status {
        /// What was counted before creating or deleting.
        counts: Counts,
        /// The generation this is about.
        generation: u32,
        /// There were too few pods, not too many.
        short: bool,
    },
}

/// One ReplicaSet, as the sync under way has read it.
pub(super) struct Caller<'a> {
    pub controller: &'a mut ReplicaSets,
    pub id: Id<ReplicaSet>,
    pub set: ReplicaSet,
    pub world: &'a mut World,
}

impl Caller<'_> {
    pub(super) fn execute(&mut self, call: Call, rule: Rule) -> Result<(), Status> {
        let uid = self.set.meta.uid;
        match call {
            Call::Adopt(pod, pod_uid) => {
                let outcome = self.adopt(pod, pod_uid, rule);
                self.controller.index.set_mut(uid).unclaimed |= outcome.is_err();
                outcome
            }
            Call::Release(pod, pod_uid) => {
                let outcome = self.release(pod, pod_uid, rule);
                self.controller.index.set_mut(uid).unclaimed |= outcome.is_err();
                outcome
            }
            Call::Create => {
                let outcome = self.create(rule);
                let memory = self.controller.index.set_mut(uid);
                memory.untried = memory.untried.saturating_sub(1);
                if let Err(error) = &outcome {
                    memory.expectations.created(1);
                    memory.error.get_or_insert_with(|| error.message.clone());
                }
                outcome
            }
            Call::Delete(pod) => {
                let outcome = self.delete(pod, rule);
                let memory = self.controller.index.set_mut(uid);
                if let Err(error) = &outcome {
                    memory.error.get_or_insert_with(|| error.message.clone());
                }
                outcome
            }
            Call::Status { counts, generation, short } => self.status(counts, generation, short, rule),
        }
    }

    fn reference(&self) -> Owner {
        Owner {
            kind: Kind::ReplicaSet,
            controller: true,
            block: true,
            name: self.set.meta.name,
            uid: self.set.meta.uid,
        }
    }

    fn wrote(&mut self, revision: Revision) {
        let memory = self.controller.index.set_mut(self.set.meta.uid);
        memory.written = memory.written.max(Some(revision));
    }

    /// A live look at the set first: it must still be the same one, and not be being deleted.
    fn adopt(&mut self, id: Id<Pod>, uid: Uid, rule: Rule) -> Result<(), Status> {
        let name = |world: &World, name: Name| world.store.name_of(name);
        let Some(set) = self.world.store.replica_sets.get(self.id) else {
            return Err(Status::not_found(
                Kind::ReplicaSet.resource(),
                &name(self.world, self.set.meta.name),
            ));
        };
        if set.meta.uid != self.set.meta.uid || set.meta.is_terminating() {
            let text = name(self.world, self.set.meta.name);
            return Err(Status::internal(format!("ReplicaSet {text} has just been deleted or replaced")));
        }
        // A pod that is gone by now is none of the set's, and that is no error.
        let Some(owners) = self.world.store.pods.get_uid(id, uid).map(|pod| pod.meta.owners) else {
            return Ok(());
        };
        if self.world.store.controller_of(owners).is_some() {
            let text = self
                .world
                .store
                .pods
                .last_known(id)
                .map_or_else(String::new, |p| name(self.world, p.meta.name));
            let why =
                "metadata.ownerReferences: Invalid value: Only one reference can have Controller set to true";
            return Err(Status::invalid(Kind::Pod, &text, &[why.into()]));
        }
        let owners = self.world.store.owners.with(owners, self.reference());
        let written = self.world.patch(id, rule, |pod| pod.meta.owners = owners)?;
        self.wrote(written);
        Ok(())
    }

    fn release(&mut self, id: Id<Pod>, uid: Uid, rule: Rule) -> Result<(), Status> {
        let Some(old) = self.world.store.pods.get_uid(id, uid).map(|pod| pod.meta.owners) else {
            return Ok(());
        };
        let owners = self.world.store.owners.without(old, self.set.meta.uid);
        if owners != old {
            let written = self.world.patch(id, rule, |pod| pod.meta.owners = owners)?;
            self.wrote(written);
        }
        Ok(())
    }

    fn create(&mut self, rule: Rule) -> Result<(), Status> {
        match self.post_pod(rule) {
            Ok(pod) => {
                if let Some(written) = self.world.store.pods.get(pod).map(|pod| pod.meta.revision) {
                    self.wrote(written);
                }
                mark!("RS-8");
                self.world.emit(self.id, false, "SuccessfulCreate", |world| {
                    format!("Created pod: {}", pod_name(world, pod))
                });
                Ok(())
            }
            Err(error) => {
                self.world.emit(self.id, true, "FailedCreate", |_| format!("Error creating: {error}"));
                Err(error)
            }
        }
    }

    fn post_pod(&mut self, rule: Rule) -> Result<Id<Pod>, Status> {
        let spec = self.pod_spec()?;
        let name = self.pod_name()?;
        let owner = self.reference();
        let store = &mut self.world.store;
        let owners = store.owners.intern(&[owner]);
        let template = store.template(self.set.spec.template).clone();
        let node = store.pod_spec(spec).node_name;
        let node = if node.is_empty() { None } else { store.names.known_name(store.names.text(node)) };
        let node = node.and_then(|node| store.nodes.id(Sym::EMPTY, node)).unwrap_or(Id::NONE);
        let meta = Meta {
            name,
            namespace: self.set.meta.namespace,
            labels: template.labels,
            annotations: template.annotations,
            owners,
            rare: store.rares.of_finalizers(template.finalizers),
            finalizers: Finalizers::NONE.and(template.finalizers),
            ..Meta::default()
        };
        let pod = Pod {
            meta,
            spec,
            node,
            nominated: Id::NONE,
            ip: Ip::NONE,
            ready_since: Seconds::NEVER,
            started: Seconds::NEVER,
            restarts: Default::default(),
            containers: Containers::Unreported,
            statuses: Default::default(),
            phase: Phase::Pending,
            flags: PodFlags::default(),
            reason: PodReason::None,
            disruption: Disruption::None,
        };
        mark!("DEP-5");
        self.world.create(pod, rule)
    }

    /// The admitted spec: the same for all pods of a template, so it is made once.
    fn pod_spec(&mut self) -> Result<PodSpecId, Status> {
        let template = self.set.spec.template;
        let memory = self.controller.index.set_mut(self.set.meta.uid);
        if let Some((_, spec)) = memory.spec.filter(|(of, _)| *of == template) {
            return Ok(spec);
        }
        let World { store, config, .. } = &mut *self.world;
        let name = format!("{}-", store.name_of(self.set.meta.name));
        let spec = pod_spec_for_template(store, config, template, &name)?;
        self.controller.index.set_mut(self.set.meta.uid).spec = Some((template, spec));
        Ok(spec)
    }

    /// A free name `<set>-xxxxx` (DEP-5).
    fn pod_name(&mut self) -> Result<Name, Status> {
        let base = format!("{}-", self.world.store.name_of(self.set.meta.name));
        let life = u64::from(self.world.epoch(Process::ControllerManager)) << 32;
        let memory = self.controller.index.set_mut(self.set.meta.uid);
        memory.names += 1;
        let first = life + u64::from(memory.names) * NAME_ATTEMPTS;
        let mut text = String::new();
        for attempt in first..first + NAME_ATTEMPTS {
            text = self.world.generated_name(&base, u64::from(self.set.meta.uid.0), attempt);
            let name = self.world.store.names.name(&text);
            if self.world.store.pods.find(self.set.meta.namespace, name).is_none() {
                return Ok(name);
            }
        }
        Err(Status::already_exists(Kind::Pod.resource(), &text))
    }

    fn delete(&mut self, id: Id<Pod>, rule: Rule) -> Result<(), Status> {
        let outcome = self.world.delete(id, DeleteOptions::default(), rule);
        if outcome.is_err() {
            self.controller.index.set_mut(self.set.meta.uid).expectations.deleted(id);
        }
        match outcome {
            Ok(_) => {
                self.world.emit(self.id, false, "SuccessfulDelete", |world| {
                    format!("Deleted pod: {}", pod_name(world, id))
                });
                Ok(())
            }
            // Somebody else was faster.
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                self.world.emit(self.id, true, "FailedDelete", |_| format!("Error deleting: {error}"));
                Err(error)
            }
        }
    }

    /// A write that fails is tried once more with the newest version; what was counted stays.
    fn status(&mut self, counts: Counts, generation: u32, short: bool, rule: Rule) -> Result<(), Status> {
        let memory = self.controller.index.set_mut(self.set.meta.uid);
        let untried = std::mem::take(&mut memory.untried);
        memory.expectations.created(untried);
        let error = memory.error.take();
        if std::mem::take(&mut memory.unclaimed) {
            return Ok(());
        }
        let Some(current) = self.world.store.replica_sets.get_uid(self.id, self.set.meta.uid) else {
            let name = self.world.store.name_of(self.set.meta.name);
            return Err(Status::not_found(Kind::ReplicaSet.resource(), &name));
        };
        let before = current.status.clone();
        let status = ReplicaSetStatus {
            observed_generation: generation,
            replicas: counts.active,
            fully_labeled: counts.fully_labeled,
            ready: counts.ready,
            available: counts.available,
            terminating: Some(counts.terminating),
            conditions: self.conditions(error, short),
        };
        if status != before {
            for attempt in 0..=STATUS_RETRIES {
                match self.world.put(self.id, rule, |set| set.status = status.clone()) {
                    Ok(written) => {
                        self.wrote(written);
                        break;
                    }
                    Err(error) if attempt == STATUS_RETRIES => return Err(error),
                    // The answer may be all that is lost.
                    Err(_) => {
                        let set = self.world.store.replica_sets.get(self.id);
                        if set.is_some_and(|set| set.status == status) {
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Condition ReplicaFailure is there while creating or deleting fails; its first message stays (RS-6).
    fn conditions(&mut self, error: Option<String>, short: bool) -> Vec<Condition> {
        let failing = self.set.status.conditions.iter().find(|c| c.kind == REPLICA_FAILURE).copied();
        let others = self.set.status.conditions.iter().filter(|c| c.kind != REPLICA_FAILURE).copied();
        let mut conditions: Vec<Condition> = others.collect();
        if let Some(error) = error {
            let now = Seconds::of(self.world.now());
            conditions.push(failing.unwrap_or_else(|| Condition {
                kind: REPLICA_FAILURE,
                status: "True",
                reason: if short { "FailedCreate" } else { "FailedDelete" },
                message: self.world.store.names.word(&error),
                updated: now,
                since: now,
            }));
        }
        conditions
    }
}

/// The condition of a set whose pods cannot be created or deleted.
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";

fn pod_name(world: &World, id: Id<Pod>) -> String {
    world.store.pods.last_known(id).map_or_else(String::new, |pod| world.store.name_of(pod.meta.name))
}
