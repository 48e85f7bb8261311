//! Pods and their claims, written: the calls that concern one pod.
//!
//! Follows CreateStatefulPod, UpdateStatefulPod and DeleteStatefulPod of stateful_pod_control.go, with their Events
//! (STS-111), and what the API server has to say about a pod of a set.
use super::calls::{Call, Claims, Done, Ordinal, Outcome, Underway, Which, retried, wrote};
use super::claims::{self, PodRef};
use super::identity::{Frame, identity_matches, storage_matches};
use super::revision::Target;
use super::view::Stamp;
use crate::api::admission::{admit_claim_spec, pod_spec_for_set};
use crate::api::kind::Kind;
use crate::api::names::{Interner, Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL};
use crate::api::text::label_value_errors;
use crate::controllers::plan::Plan;
use crate::event::Process;
use crate::kernel::{Id, U24};
use crate::rule::{Rule, mark};
use crate::world::{DeleteOptions, World};

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

/// Tries of a pod write that conflicts (STS-61).
const POD_TRIES: u32 = 4;

/// Longest label value and host name.
const MAX_LABEL: usize = 63;

impl Underway {
    // ---- Claims ----------------------------------------------------------------------------------------------------

    pub(super) fn create_claim(
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
        let claim_spec = match self.claim_specs[index] {
            Some(admitted) => admitted,
            None => *self.claim_specs[index].insert(admit_claim_spec(&mut world.store, of.spec)),
        };
        let meta = Meta {
            name,
            namespace: self.frame.namespace,
            labels: of.labels,
            annotations: of.annotations,
            ..Meta::default()
        };
        let claim = Claim::new(meta, claim_spec);
        mark!("VOL-17");
        mark!("STS-19");
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

    /// A claim that is being deleted when the sync looks blocks its pod, even if it is gone by the time the pod would be
    /// created (STS-22).
    pub(super) fn see_terminating_claims(&mut self, plan: &Plan<Call>, world: &World) {
        if self.frame.claim_stems.is_empty() {
            return;
        }
        for step in &plan.steps {
            let (Call::CreatePod(ordinal, _) | Call::DemandClaims(ordinal)) = step.call else { continue };
            let found = self.terminating_claims(ordinal, world);
            self.claim_errors.extend(found.into_iter().map(|text| (ordinal, text)));
        }
    }

    fn terminating_claims(&self, ordinal: Ordinal, world: &World) -> Vec<String> {
        let cache = world.view(Process::ControllerManager);
        claims::of_ordinal(&self.frame, cache, ordinal)
            .filter_map(|(_, claim)| claim.filter(|(_, claim)| claim.meta.is_terminating()))
            .map(|(_, claim)| format!("pvc {} is being deleted", world.store.name_of(claim.meta.name)))
            .collect()
    }

    /// Why the claims of a pod are not all there (STS-21, STS-22): all reasons, as the real controller joins them.
    pub(super) fn claims_error(&self, ordinal: Ordinal, world: &World) -> Option<String> {
        let mut errors: Vec<String> =
            self.claim_errors.iter().filter(|(of, _)| *of == ordinal).map(|(_, text)| text.clone()).collect();
        for error in self.terminating_claims(ordinal, world) {
            mark!("STS-22");
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(format!("[{}]", errors.join(", "))),
        }
    }

    pub(super) fn update_claim(
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
            mark!("STS-33");
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
        mark!("STS-27");
        let rewritten = claims::rewritten(&self.frame, owners, pod);
        let live = world.store.claims.get(id).map(|claim| claim.meta.revision);
        let owners = world.store.owners.intern(&rewritten);
        let outcome = if live == Some(cached.meta.revision) {
            world.put(id, rule, |claim| claim.meta.owners = owners)
        } else {
            Err(Status::stale(Kind::Claim.resource(), &world.store.name_of(name)))
        };
        outcome.map(Done::Wrote).map_err(|mut error| {
            let text = world.store.name_of(name);
            error.message = format!("could not update claim {text} for delete policy ownerRefs: {error}");
            if claims != Claims::OfCondemnedPod {
                self.pod_event(PodEvent::Update, ordinal, &Err(error.clone()), world);
            }
            error
        })
    }

    fn pod_ref(&self, ordinal: Ordinal, claims: Claims, world: &World) -> PodRef {
        let cache = world.view(Process::ControllerManager);
        if claims == Claims::OfNewPod {
            return PodRef::not_created(&self.frame, cache, ordinal);
        }
        let name = self.frame.known_pod_name(&world.store.names, ordinal);
        let pod = name.and_then(|name| cache.find::<Pod>(self.frame.namespace, name));
        let uid = pod.map_or(Uid::NONE, |(_, pod)| pod.meta.uid);
        PodRef { name, uid, condemned: claims == Claims::OfCondemnedPod }
    }

    // ---- Pods ------------------------------------------------------------------------------------------------------

    pub(super) fn create_pod(
        &mut self,
        ordinal: Ordinal,
        which: Which,
        rule: Rule,
        world: &mut World,
    ) -> Outcome {
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
            mark!("STS-18");
            return Err(Status::already_exists(Kind::Pod.resource(), &world.store.name_of(name)));
        }
        refusal(world, name, ordinal, target.label)?;
        let stamp = self.stamp(which, world)?;
        let finalizers = world.store.template(target.template).finalizers;
        let rare = world.store.rares.of_finalizers(finalizers);
        let template = world.store.template(target.template);
        let meta = Meta {
            name,
            namespace: self.frame.namespace,
            labels: stamp.labels,
            annotations: template.annotations,
            owners: self.owners,
            rare,
            finalizers: Finalizers::NONE.and(finalizers),
            ..Meta::default()
        };
        let mut flags = PodFlags::default();
        flags.set(PodFlags::NAME_LABEL, true);
        flags.set(PodFlags::INDEX_LABEL, true);
        let mut pod = new_pod(meta, stamp.spec, flags);
        pod.node = given_node(world, stamp.spec);
        mark!("STS-14", "STS-15");
        let id = world.create(pod, rule)?;
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

    pub(super) fn update_pod(&self, ordinal: Ordinal, rule: Rule, world: &mut World) -> Outcome {
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
            mark!("STS-25");
            return Err(Status::invalid(Kind::Pod, &text(world), &[FIXED_SPEC.into()]));
        }
        let uid = cached.meta.uid;
        let Some(pod) = world.store.pods.get_uid(id, uid).copied() else {
            return Err(Status::not_found(Kind::Pod.resource(), &text(world)));
        };
        if identity_matches(&pod) {
            return Ok(Done::Quietly);
        }
        mark!("STS-16");
        let mut labels = pod.meta.labels;
        for key in [POD_NAME_LABEL, POD_INDEX_LABEL] {
            let key = world.store.names.word(key);
            labels = world.store.labels.without(labels, key);
        }
        retried(POD_TRIES, || {
            world.put(id, rule, |pod| {
                pod.meta.labels = labels;
                pod.flags.set(PodFlags::NAME_LABEL, true);
                pod.flags.set(PodFlags::INDEX_LABEL, true);
            })
        })
        .map(Done::Wrote)
    }

    /// By name, without any precondition (STS-71, STS-103). That the pod is gone already is success.
    pub(super) fn delete_pod(
        &mut self,
        ordinal: Ordinal,
        for_update: bool,
        rule: Rule,
        world: &mut World,
    ) -> Outcome {
        let name = self.frame.pod_name(&mut world.store.names, ordinal);
        mark!("STS-71");
        let mut outcome = Ok(());
        if let Some((id, pod)) = world.store.pods.find(self.frame.namespace, name) {
            mark!("STS-103" if pod.is_terminating());
            outcome = world.delete(id, DeleteOptions::default(), rule).map(|_| ());
        }
        self.pod_event(PodEvent::Delete, ordinal, &outcome, world);
        outcome?;
        self.deleted += i32::from(for_update);
        Ok(Done::Quietly)
    }

    // ---- Events (STS-111) ------------------------------------------------------------------------------------------

    fn pod_event(&self, what: PodEvent, ordinal: Ordinal, result: &Result<(), Status>, world: &mut World) {
        let (verb, done, failed) = match what {
            PodEvent::Create => ("Create", "SuccessfulCreate", "FailedCreate"),
            PodEvent::Update => ("Update", "SuccessfulUpdate", "FailedUpdate"),
            PodEvent::Delete => ("Delete", "SuccessfulDelete", "FailedDelete"),
        };
        let reason = if result.is_ok() { done } else { failed };
        mark!("STS-111");
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

/// What the API server would have against the labels and the host name of a new pod (STS-5, STUCK-13, STUCK-15).
pub(super) fn refused(names: &Interner, name: Name, ordinal: Ordinal, revision: Sym) -> bool {
    ordinal == Ordinal::NONE || names.len_of(name) > MAX_LABEL || names.text(revision).len() > MAX_LABEL
}

fn refusal(world: &World, name: Name, ordinal: Ordinal, revision: Sym) -> Result<(), Status> {
    let names = &world.store.names;
    if !refused(names, name, ordinal, revision) {
        return Ok(());
    }
    mark!("STS-5");
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

/// The node that the template names itself, past the scheduler.
fn given_node(world: &World, spec: PodSpecId) -> Id<Node> {
    let name = world.store.pod_spec(spec).node_name;
    if name.is_empty() {
        return Id::NONE;
    }
    let name = world.store.names.known_name(world.store.names.text(name));
    name.and_then(|name| world.store.nodes.id(Sym::EMPTY, name)).unwrap_or(Id::NONE)
}

/// A pod as it is stored: Pending, with nothing reported yet.
pub(super) fn new_pod(meta: Meta, spec: PodSpecId, flags: PodFlags) -> Pod {
    Pod {
        meta,
        spec,
        node: Id::NONE,
        nominated: Id::NONE,
        ip: Ip::NONE,
        ready_since: Seconds::NEVER,
        started: Seconds::NEVER,
        restarts: U24::default(),
        containers: Containers::Unreported,
        statuses: Default::default(),
        phase: Phase::Pending,
        flags,
        reason: PodReason::None,
        disruption: Disruption::None,
    }
}

fn pod_spec(world: &mut World, frame: &Frame, template: TemplateId) -> Result<PodSpecId, Status> {
    let World { store, config, .. } = world;
    let spec = &frame.spec;
    pod_spec_for_set(store, config, template, &spec.claims, frame.stem, spec.service_name)
}
