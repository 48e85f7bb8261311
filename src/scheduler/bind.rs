//! From the decision to the binding: assume, PreBind, bind; and what is written of a failure.
//!
//! Follows `schedule_one.go` (assume, bindingCycle, handleSchedulingFailure), `plugins/volumebinding/binder.go`
//! (BindPodVolumes, checkBindings) and `plugins/defaultbinder` (SCHED-1, SCHED-3, SCHED-20, SCHED-21, VOL-15). The poll
//! of once a second is computed: an event is asked for at the first tick after something of the pod's claims changed.
//! Unlike the real scheduler, a pod that is deleted while it is being bound frees its place at once, not at the next tick.
use super::Scheduler;
use super::cache::{NodeInfo, State};
use super::hints::{ClusterEvent, claim_keys};
use super::volumes::Decisions;
use crate::api::labels::LabelsId;
use crate::api::names::{Sym, Uid};
use crate::api::objects::{
    Claim, ClaimRef, Disruption, Node, Phase, Pod, PodFlags, PodReason, Revision, Volume, VolumeState,
};
use crate::api::status::Status;
use crate::api::store::{REGION_LABEL, Store, ZONE_LABEL};
use crate::event::{Event, Process, SchedulerEvent};
use crate::kernel::{Duration, Id, Time};
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, Request, World};

/// How far a binding cycle with claims has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// nominatedNodeName is being written.
    Nominate,
    /// The n-th volume or claim is being written.
    Write(usize),
    /// Waits for the claims to be bound, since then.
    Wait(Time),
    /// The claims are bound, the pod's binding is being written.
    Bind,
}

/// A binding cycle that has claims to bind.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    node: Id<Node>,
    pub(super) decisions: Decisions,
    /// resourceVersions of what is to be written, as the scheduler read them.
    revisions: Vec<Revision>,
    stage: Stage,
    /// A look at the claims is due.
    armed: bool,
    class: u32,
}

/// A write of a pod's condition PodScheduled under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) uid: Uid,
    pub(super) reason: PodReason,
    pub(super) message: Sym,
    /// nominatedNodeName; None: it stays.
    pub(super) nominated: Option<Id<Node>>,
}

impl Scheduler {
    /// Reserves the node for the pod and starts the binding cycle. `delay`: the rest of the scheduling cycle.
    pub(super) fn assume(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class: u32,
        node: u32,
        delay: Duration,
        world: &mut World,
    ) {
        let node_id = Id::from_index(node as usize);
        let labels = self.labels_on(pod.meta.labels, node, &mut world.store);
        self.cache.account(id, pod, node, labels, &world.store);
        self.nominated.remove(id);
        self.tokens = self.tokens.wrapping_add(1);
        let token = self.tokens;
        mark!("SCHED-1");
        let slot = self.cache.slot_mut(id);
        slot.state = State::Binding;
        self.cycles.insert(id.as_u32(), token);
        let api = world.api_delay(Actor::Scheduler);
        if !self.scratch.needs.unbound() || self.classes.get(class).spec.claims.is_empty() {
            world.after(delay + api, Event::Scheduler(SchedulerEvent::Bind(id, token)));
            return;
        }
        let view = world.view(Process::Scheduler);
        let (scratch, info) = (&mut self.scratch, &self.cache.nodes[node as usize]);
        self.volumes.place_delayed(&scratch.needs, node_id, info, view, &mut scratch.decisions);
        let decisions = scratch.decisions.clone();
        let volumes = decisions.bindings.iter().map(|(volume, _)| view.get(*volume).map(|v| v.meta.revision));
        let claims = decisions.provisions.iter().map(|claim| view.get(*claim).map(|c| c.meta.revision));
        let revisions = volumes.chain(claims).map(Option::unwrap_or_default).collect();
        self.volumes.assume(&decisions, node_id);
        for claim in decisions.claims() {
            self.claim_waiters.entry(claim.as_u32()).or_default().push(id);
        }
        let binding =
            Binding { node: node_id, decisions, revisions, stage: Stage::Nominate, armed: true, class };
        self.bindings.insert(id.as_u32(), binding);
        world.after(delay + api, Event::Scheduler(SchedulerEvent::PreBind(id, token)));
    }

    /// The labels a pod has once it is bound: those of its node's zone and region are added (since 1.35).
    fn labels_on(&mut self, labels: LabelsId, node: u32, store: &mut Store) -> LabelsId {
        let NodeInfo { zone, region, .. } = self.cache.nodes[node as usize];
        if let Some(known) = self.bound_labels.get(&(labels, zone, region)) {
            return *known;
        }
        let mut result = labels;
        for (key, value) in [(ZONE_LABEL, zone), (REGION_LABEL, region)] {
            if !value.is_empty() {
                let key = store.names.word(key);
                result = store.labels.with(result, key, value);
            }
        }
        self.bound_labels.insert((labels, zone, region), result);
        result
    }

    /// The pod's binding cycle is this one: events of earlier ones are stale.
    fn is_binding(&self, id: Id<Pod>, token: u32) -> bool {
        self.cache.slot(id).state == State::Binding && self.cycles.get(&id.as_u32()) == Some(&token)
    }

    /// The next step of a binding cycle with claims is due.
    pub(super) fn prebind(&mut self, id: Id<Pod>, token: u32, world: &mut World) {
        if !self.is_binding(id, token) {
            return;
        }
        let slot = self.cache.slot(id);
        let Some(binding) = self.bindings.get_mut(&id.as_u32()) else { return };
        binding.armed = false;
        let stage = binding.stage;
        let next = match stage {
            Stage::Nominate => {
                let node = binding.node;
                nominate(id, slot.uid, node, world);
                Ok(Some(Stage::Write(0)))
            }
            Stage::Write(number) => self.write_decision(id, number, world),
            Stage::Wait(_) => {
                self.claims_are_bound(id, slot.uid, world).map(|done| done.then_some(Stage::Bind))
            }
            Stage::Bind => Ok(None),
        };
        match next {
            Ok(None) => {}
            Ok(Some(next)) => self.go_on(id, token, next, world),
            Err(why) => {
                let message = format!("running PreBind plugin \"VolumeBinding\": {why}");
                self.binding_failed(id, &message, world);
            }
        }
    }

    fn go_on(&mut self, id: Id<Pod>, token: u32, next: Stage, world: &mut World) {
        let Some(binding) = self.bindings.get_mut(&id.as_u32()) else { return };
        binding.stage = next;
        let api = world.api_delay(Actor::Scheduler);
        match next {
            Stage::Wait(since) => {
                let deadline = since + world.config.timers.volume_bind_timeout;
                self.deadlines.push_back((deadline, id, token));
                if self.deadlines.len() == 1 {
                    self.ask_for_deadline(world);
                }
                self.look_at_next_tick(id, world);
            }
            Stage::Bind => world.after(api, Event::Scheduler(SchedulerEvent::Bind(id, token))),
            Stage::Nominate | Stage::Write(_) => {
                binding.armed = true;
                world.after(api, Event::Scheduler(SchedulerEvent::PreBind(id, token)));
            }
        }
    }

    /// Writes one volume or claim, if nobody wrote it since it was read (SCHED-20).
    fn write_decision(
        &mut self,
        id: Id<Pod>,
        number: usize,
        world: &mut World,
    ) -> Result<Option<Stage>, String> {
        let Some(binding) = self.bindings.get(&id.as_u32()) else { return Ok(None) };
        let seen = binding.revisions.get(number).copied().unwrap_or_default();
        let bindings = &binding.decisions.bindings;
        if let Some(&(volume, claim)) = bindings.get(number) {
            claim_volume(volume, claim, seen, world)?;
        } else if let Some(&claim) = binding.decisions.provisions.get(number - bindings.len()) {
            select_node(claim, binding.node, seen, world)?;
        }
        let now = world.now();
        let last = number + 1 >= binding.revisions.len();
        Ok(Some(if last { Stage::Wait(now) } else { Stage::Write(number + 1) }))
    }

    /// Looks at the claims as the scheduler sees them: all bound, not yet, or no use waiting.
    fn claims_are_bound(&self, id: Id<Pod>, uid: Uid, world: &World) -> Result<bool, String> {
        let Some(binding) = self.bindings.get(&id.as_u32()) else { return Ok(false) };
        let (view, store) = (world.view(Process::Scheduler), &world.store);
        let Some(node) = view.get(binding.node) else {
            let name =
                store.nodes.last_known(binding.node).map_or_else(String::new, |n| store.name_of(n.meta.name));
            return Err(format!("binding volumes: failed to get node {name:?}: node {name:?} not found"));
        };
        if view.get(id).is_none_or(|pod| pod.meta.uid != uid) {
            let name = store.pods.last_known(id).map_or_else(String::new, |p| store.name_of(p.meta.name));
            return Err(format!("binding volumes: pod does not exist any more: pod {name:?} not found"));
        }
        let reachable = |volume: &Volume| volume.zone.is_empty() || volume.zone == node.zone;
        let unreachable = |volume: &Volume| {
            let (pv, node) = (store.name_of(volume.meta.name), store.name_of(node.meta.name));
            format!(
                "binding volumes: pv {pv:?} node affinity doesn't match node {node:?}: no matching NodeSelectorTerms"
            )
        };
        let mut all = true;
        for (volume, claim) in &binding.decisions.bindings {
            let Some(pv) = view.get(*volume) else {
                return Err("binding volumes: failed to check binding: persistentvolume not found".to_owned());
            };
            if !reachable(pv) {
                return Err(unreachable(pv));
            }
            if pv.claim.uid.is_none() {
                let name = store.name_of(pv.meta.name);
                return Err(format!("binding volumes: ClaimRef got reset for pv {name:?}"));
            }
            all &= view.get(*claim).is_some_and(Claim::is_fully_bound);
        }
        for claim in &binding.decisions.provisions {
            let Some(pvc) = view.get(*claim) else {
                return Err("binding volumes: failed to check provisioning pvc: claim not found".to_owned());
            };
            if pvc.selected_node != binding.node {
                let name = store.name_of(pvc.meta.name);
                return Err(format!("binding volumes: provisioning failed for PVC {name:?}"));
            }
            if let Some(pv) = view.get(pvc.volume).filter(|pv| !reachable(pv)) {
                return Err(unreachable(pv));
            }
            all &= pvc.is_fully_bound();
        }
        Ok(all)
    }

    /// Something that a waiting binding cycle looks at has changed: it will see it at its next tick.
    pub(super) fn look_at_next_tick(&mut self, id: Id<Pod>, world: &mut World) {
        let Some(&token) = self.cycles.get(&id.as_u32()) else { return };
        let Some(binding) = self.bindings.get_mut(&id.as_u32()).filter(|binding| !binding.armed) else {
            return;
        };
        let Stage::Wait(since) = binding.stage else { return };
        let period = world.config.timers.volume_bind_poll.as_nanos().max(1);
        let waited = world.now().elapsed_since(since).as_nanos();
        let ticks = waited.div_ceil(period).max(1);
        mark!("VOL-15");
        binding.armed = true;
        let time = since + Duration::from_nanos(ticks.saturating_mul(period));
        world.at(time, Event::Scheduler(SchedulerEvent::PreBind(id, token)));
    }

    fn ask_for_deadline(&mut self, world: &mut World) {
        while let Some(&(deadline, id, token)) = self.deadlines.front() {
            if self.is_binding(id, token) {
                let epoch = world.epoch(Process::Scheduler);
                let delay = deadline.elapsed_since(world.now());
                world.background(delay, Event::Scheduler(SchedulerEvent::BindTimeout(epoch)));
                return;
            }
            self.deadlines.pop_front();
        }
    }

    /// The oldest wait for claims has lasted too long (DEF-59).
    pub(super) fn bind_timeout(&mut self, world: &mut World) {
        while let Some(&(deadline, id, token)) = self.deadlines.front() {
            if deadline > world.now() {
                break;
            }
            self.deadlines.pop_front();
            let waits =
                matches!(self.bindings.get(&id.as_u32()), Some(b) if matches!(b.stage, Stage::Wait(_)));
            if waits && self.is_binding(id, token) {
                let why =
                    "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded";
                self.binding_failed(id, why, world);
            }
        }
        self.ask_for_deadline(world);
    }

    /// The binding reaches the API server (SCHED-21).
    pub(super) fn bind(&mut self, id: Id<Pod>, token: u32, world: &mut World) {
        if !self.is_binding(id, token) {
            return;
        }
        let slot = self.cache.slot(id);
        let store = &world.store;
        let refused = match store.pods.get_uid(id, slot.uid) {
            None => Some((None, "not found")),
            Some(pod) if pod.is_terminating() => {
                Some((Some(pod), "is being deleted, cannot be assigned to a host"))
            }
            Some(pod) if pod.is_bound() => Some((Some(pod), "is already assigned to a node")),
            Some(_) => None,
        };
        if let Some((pod, why)) = refused {
            let last = pod.or(store.pods.last_known(id));
            let name = last.map_or_else(String::new, |pod| store.name_of(pod.meta.name));
            let status = match pod {
                None => Status::not_found("pods", &name),
                Some(_) => Status::conflict("pods/binding", &name, &format!("pod {name} {why}")),
            };
            let message = format!("running Bind plugin \"DefaultBinder\": {}", status.message);
            self.binding_failed(id, &message, world);
            return;
        }
        let node = Id::from_index(slot.node as usize);
        let labels = store.pods.get(id).map_or(LabelsId::EMPTY, |pod| pod.meta.labels);
        let labels = self.labels_on(labels, slot.node, &mut world.store);
        mark!("SCHED-28" if world.leases.get(node.index()).is_some_and(|lease| !lease.renewing));
        // A create of pods/binding.
        let bound = world.write(Request::Create, id, Rule::sched(21), |pod: &mut Pod| {
            pod.node = node;
            pod.nominated = Id::NONE;
            pod.meta.labels = labels;
            pod.flags.set(PodFlags::SCHEDULED, true);
            pod.flags.set(PodFlags::UNSCHEDULABLE, false);
            pod.reason = PodReason::None;
        });
        if world.store.pods.get(id).is_some_and(Pod::is_bound) {
            world.store.pod_messages.remove(&(id, slot.uid));
        }
        if let Err(error) = bound {
            let message = format!("running Bind plugin \"DefaultBinder\": {error}");
            self.binding_failed(id, &message, world);
            return;
        }
        self.binding_over(id);
        world.emit(id, false, "Scheduled", |world| assigned(&world.store, id, node));
    }

    /// The claims of a pod are as the API has them from now on.
    pub(super) fn binding_over(&mut self, id: Id<Pod>) -> Option<Binding> {
        self.cycles.remove(&id.as_u32());
        let binding = self.bindings.remove(&id.as_u32())?;
        self.volumes.forget(&binding.decisions);
        for claim in binding.decisions.claims() {
            if let Some(list) = self.claim_waiters.get_mut(&claim.as_u32()) {
                list.retain(|other| *other != id);
                if list.is_empty() {
                    self.claim_waiters.remove(&claim.as_u32());
                }
            }
        }
        Some(binding)
    }

    /// A binding cycle failed: the pod gives its place back and is tried again after a back-off (SCHED-20).
    pub(super) fn binding_failed(&mut self, id: Id<Pod>, message: &str, world: &mut World) {
        let slot = self.cache.slot(id);
        let binding = self.binding_over(id);
        self.cache.unaccount(id, &world.store);
        let seen = world.view(Process::Scheduler).get(id).copied();
        let Some(pod) = seen.filter(|pod| pod.meta.uid == slot.uid && !pod.is_bound()) else {
            self.cache.clear(id);
            return;
        };
        let class = match binding {
            Some(binding) => binding.class,
            None => self.classes.of(&pod, &mut self.cache, world),
        };
        self.failed_with_error(id, &pod, class, PodReason::SchedulerError, message, Duration::ZERO, world);
        self.wake(&ClusterEvent::PodLeft(pod), world);
    }

    /// Puts a pod into back-off after an error and tells why. Returns when what is written is written.
    #[expect(clippy::too_many_arguments, reason = "all that makes up one failure")]
    pub(super) fn failed_with_error(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class: u32,
        reason: PodReason,
        message: &str,
        delay: Duration,
        world: &mut World,
    ) -> Duration {
        let (now, uid) = (world.now(), pod.meta.uid);
        let priority = self.classes.get(class).spec.priority;
        let timers = &world.config.timers;
        let again = self.queue.fail((id, uid), class, priority, now, timers, &mut self.cache);
        let event = Event::Scheduler(SchedulerEvent::BackoffOver(id, uid));
        if reason == PodReason::SchedulerError {
            world.at(again, event);
        } else {
            world.background(again.elapsed_since(now), event);
        }
        self.tell(id, pod, reason, message, Some(Id::NONE), delay, world)
    }

    /// Tells why a pod was not scheduled: an Event, and the condition PodScheduled if it says something else so far
    /// (SCHED-3). Returns how long the API call takes; the scheduling cycle waits for it.
    #[expect(clippy::too_many_arguments, reason = "all that is told of one failure")]
    pub(super) fn tell(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        reason: PodReason,
        message: &str,
        nominated: Option<Id<Node>>,
        delay: Duration,
        world: &mut World,
    ) -> Duration {
        world.emit(id, true, "FailedScheduling", |_| message.to_owned());
        if nominated == Some(Id::NONE) {
            self.nominated.remove(id);
        }
        let uid = pod.meta.uid;
        let message = world.store.names.word(message);
        let same = pod.flags.has(PodFlags::UNSCHEDULABLE)
            && pod.reason == reason
            && world.store.pod_messages.get(&(id, uid)) == Some(&message)
            && nominated.is_none_or(|node| node == pod.nominated);
        if same {
            return Duration::ZERO;
        }
        self.verdicts.insert(id.as_u32(), Verdict { uid, reason, message, nominated });
        let api = world.api_delay(Actor::Scheduler);
        world.after(delay + api, Event::Scheduler(SchedulerEvent::Verdict(id, uid)));
        api
    }

    /// The write of a pod's condition reaches the API server.
    pub(super) fn write_verdict(&mut self, id: Id<Pod>, uid: Uid, world: &mut World) {
        let Some(verdict) = self.verdicts.remove(&id.as_u32()).filter(|verdict| verdict.uid == uid) else {
            return;
        };
        if !world
            .store
            .pods
            .get_uid(id, uid)
            .is_some_and(|pod| !pod.is_bound() && pod.phase == Phase::Pending)
        {
            return;
        }
        let before = world.store.pod_messages.insert((id, uid), verdict.message);
        let revision = world.store.pods.get(id).map(|pod| pod.meta.revision);
        // A write that fails is only logged: the next attempt says it again.
        let written = world.patch(id, Rule::sched(3), |pod: &mut Pod| {
            pod.flags.set(PodFlags::UNSCHEDULABLE, true);
            pod.reason = verdict.reason;
            pod.nominated = verdict.nominated.unwrap_or(pod.nominated);
        });
        if written.is_err() && world.store.pods.get(id).map(|pod| pod.meta.revision) == revision {
            match before {
                Some(message) => drop(world.store.pod_messages.insert((id, uid), message)),
                None => drop(world.store.pod_messages.remove(&(id, uid))),
            }
        }
    }

    /// A victim of preemption: its condition is written, then it is deleted (SCHED-27).
    pub(super) fn evict(&mut self, id: Id<Pod>, uid: Uid, world: &mut World) {
        let Some(pod) = world.store.pods.get_uid(id, uid).filter(|pod| !pod.is_terminating()) else { return };
        if pod.disruption == Disruption::ByScheduler {
            let options = DeleteOptions { uid: Some(uid), ..DeleteOptions::default() };
            // Gone already is as good.
            if world.delete(id, options, Rule::sched(27)).is_err_and(|error| !error.is_not_found()) {
                self.preemption_failed(id, uid, world);
            }
            return;
        }
        let marked = world.patch(id, Rule::sched(27), |pod: &mut Pod| {
            pod.flags.set(PodFlags::DISRUPTION_TARGET, true);
            pod.disruption = Disruption::ByScheduler;
        });
        if marked.is_err() {
            self.preemption_failed(id, uid, world);
            return;
        }
        let api = world.api_delay(Actor::Scheduler);
        world.after(api, Event::Scheduler(SchedulerEvent::Evict(id, uid)));
    }

    /// A victim could not be marked or deleted: the pods for whom it was to go are tried again (Activate). If that was
    /// an answer lost, the victim goes on its way.
    fn preemption_failed(&mut self, victim: Id<Pod>, uid: Uid, world: &mut World) {
        let Some(node) = world.store.pods.get_uid(victim, uid).map(|pod| pod.node) else { return };
        let hoping = self.nominated.on(node.as_u32());
        self.requeue_all(&hoping, world);
    }

    /// Takes an unscheduled pod out of the queue.
    pub(super) fn forget_waiting(&mut self, id: Id<Pod>, pod: &Pod, world: &World) {
        let spec = world.store.pod_spec(pod.spec);
        self.queue.forget(id, claim_keys(spec, pod));
        self.nominated.remove(id);
    }
}

impl Decisions {
    /// The claims that have to be bound.
    fn claims(&self) -> impl Iterator<Item = Id<Claim>> {
        self.bindings.iter().map(|(_, claim)| *claim).chain(self.provisions.iter().copied())
    }
}

/// Writes nominatedNodeName of a pod that waits for its claims (SCHED-20).
fn nominate(id: Id<Pod>, uid: Uid, node: Id<Node>, world: &mut World) {
    if world.store.pods.get_uid(id, uid).is_some_and(|pod| !pod.is_bound() && pod.nominated != node) {
        // One that fails is only logged.
        let _ = world.patch(id, Rule::sched(20), |pod: &mut Pod| pod.nominated = node);
    }
}

/// Static binding: the volume gets its claimRef (VOL-4).
fn claim_volume(
    volume: Id<Volume>,
    claim: Id<Claim>,
    seen: Revision,
    world: &mut World,
) -> Result<(), String> {
    let store = &world.store;
    let name = store.volumes.last_known(volume).map_or_else(String::new, |v| store.name_of(v.meta.name));
    let Some(current) = store.volumes.get(volume) else {
        return Err(Status::not_found("persistentvolumes", &name).message);
    };
    if current.meta.revision != seen {
        return Err(Status::stale("persistentvolumes", &name).message);
    }
    let Some(pvc) = world.view(Process::Scheduler).get(claim) else { return Ok(()) };
    let reference = ClaimRef { name: pvc.meta.name, namespace: pvc.meta.namespace, uid: pvc.meta.uid };
    if current.claim != reference {
        let chosen = !current.claim.is_set();
        let written = world.put(volume, Rule::sched(20), |volume: &mut Volume| {
            volume.claim = reference;
            if chosen {
                volume.annotate(VolumeState::BOUND_BY_CONTROLLER);
            }
        });
        written.map_err(|error| error.message)?;
    }
    Ok(())
}

/// Dynamic provisioning: the claim gets the annotation that the provisioner waits for (VOL-11).
fn select_node(claim: Id<Claim>, node: Id<Node>, seen: Revision, world: &mut World) -> Result<(), String> {
    let store = &world.store;
    let name = store.claims.last_known(claim).map_or_else(String::new, |c| store.name_of(c.meta.name));
    let Some(current) = store.claims.get(claim) else {
        return Err(Status::not_found("persistentvolumeclaims", &name).message);
    };
    if current.selected_node == node && current.meta.revision == seen {
        return Ok(());
    }
    if current.meta.revision != seen {
        return Err(Status::stale("persistentvolumeclaims", &name).message);
    }
    let written = world.put(claim, Rule::sched(20), |claim: &mut Claim| claim.selected_node = node);
    written.map(drop).map_err(|error| error.message)
}

/// "Successfully assigned ns/pod to node" (SCHED-3).
fn assigned(store: &Store, pod: Id<Pod>, node: Id<Node>) -> String {
    let pod = store.pods.last_known(pod).map_or_else(String::new, |pod| {
        format!("{}/{}", store.names.text(pod.meta.namespace), store.name_of(pod.meta.name))
    });
    let node = store.nodes.last_known(node).map_or_else(String::new, |node| store.name_of(node.meta.name));
    format!("Successfully assigned {pod} to {node}")
}
