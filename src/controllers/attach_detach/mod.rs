//! The attach/detach controller: has volumes attached where pods want them, and detached where none does any more
//! (VOL-27 to VOL-38, VOL-45 to VOL-47).
//!
//! Follows `pkg/controller/volume/attachdetach`. Its loop of 100 ms is simulated only at ticks at which a pair that
//! something has happened to is looked at: detaches first, then attaches, then node status (VOL-29). A volume without a
//! disk in the cloud needs no attaching (VOL-26). Left out: the populator's rounds of 1 and 3 min, which repair what
//! events have missed, and the node annotation of old kubelets.
mod operations;
mod pairs;

use crate::api::kind::Kind;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::store::{Change, View};
use crate::controllers::claim_users::{ClaimUsers, claims_of};
use crate::event::{BinderEvent, Event, Process};
use crate::kernel::{Duration, Id, Time};
use crate::rule::mark;
use crate::world::{Actor, World};
use pairs::{Actual, Key, Operation, OperationKind, Pair, Pairs};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The taint that says a node will not come back (VOL-46).
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Phase of the loop (DEF-C1).
const LOOP: u64 = 0x6164_636c;
/// Phase of the loop that verifies attachments.
const VERIFY_LOOP: u64 = 0x6164_6376;
/// Period of that loop (DEF-64).
const VERIFY_PERIOD: Duration = Duration::from_secs(60);

/// What a pod wants on its node.
#[derive(Clone, Copy, Debug, Default)]
struct Wants {
    /// None: nothing is known of the pod.
    uid: Uid,
    /// The pair of its one volume and its node; [`pairs::NONE`] if it wants none or several volumes.
    pair: u32,
}

/// What the controller waits for about a volume on a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachWait {
    /// The VolumeAttachment to say attached (VOL-30).
    Attaching,
    /// The VolumeAttachment to be gone (VOL-31).
    Detaching,
    /// The volume to be detached from this other node (VOL-34).
    Elsewhere(Id<Node>),
    /// Its back-off after a failure, until then (VOL-35).
    Backoff(Option<Time>),
    /// Nobody wants it there any more: the kubelet to unmount it (VOL-31), or the end of the wait for that if the node is
    /// not healthy then (VOL-45).
    Unmount {
        /// Since when.
        since: Option<Time>,
        /// When it is detached by force, if the node is not healthy then.
        force_at: Option<Time>,
    },
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct AttachDetach {
    pairs: Pairs,
    /// By table position of the pod.
    wants: Vec<Wants>,
    /// Node and volumes of pods that want none or more than one.
    several: FxHashMap<Id<Pod>, (Id<Node>, Box<[Id<Volume>]>)>,
    /// Pods of which not all claims were bound when they were looked at.
    incomplete: BTreeSet<Id<Pod>>,
    /// Pairs to look at in the next pass, each with the change that led to it.
    dirty: BTreeMap<Key, Revision>,
    pass_armed: bool,
    /// The loop waits for its own writes of node status.
    busy_until: Time,
    /// Volumes that have to go into or out of the volumesAttached of a node, at the end of the next pass.
    to_report: BTreeSet<(Id<Node>, Id<Volume>)>,
    /// Nodes for which that write is under way.
    reporting: BTreeSet<Id<Node>>,
    /// Attached since the last event of the node: taken for mounted until the next (VOL-32).
    fresh: BTreeSet<(Id<Node>, Id<Volume>)>,
    deadlines: VecDeque<(Time, u32, u32)>,
    deadline_armed: bool,
    /// Attached pairs whose VolumeAttachment no longer says so.
    suspects: BTreeSet<Key>,
    verify_armed: bool,
    tokens: u32,
}

/// The pod's containers are over as far as volumes go: earlier than "deleted" (IsPodTerminated, VOL-28).
fn is_terminated(pod: &Pod) -> bool {
    let stopped = pod.is_terminating() && !pod.has_running_container();
    mark!("VOL-28" if stopped);
    pod.is_terminal() || stopped
}

/// The volume behind a claim, if the claim is bound and the volume is one that is attached (VOL-27, VOL-26).
/// `Err`: the claim is not bound yet.
fn volume_of(view: View<'_>, pod: &Pod, claim: Name) -> Result<Option<Id<Volume>>, ()> {
    let claim = view.find::<Claim>(pod.meta.namespace, claim).map(|(_, claim)| claim);
    let claim = claim.filter(|claim| claim.phase() == ClaimPhase::Bound).ok_or(())?;
    let volume = view.get(claim.volume).filter(|volume| volume.claim.uid == claim.meta.uid).ok_or(())?;
    mark!("VOL-26" if volume.disk == 0);
    Ok((volume.disk != 0).then_some(claim.volume))
}

impl AttachDetach {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, users: &ClaimUsers, world: &mut World) {
        match change.kind {
            Kind::Pod => self.pod_changed(change.id(), world),
            Kind::Claim => self.claim_changed(change, users, world),
            Kind::Node => self.node_changed(change, world),
            Kind::Attachment => self.attachment_changed(change, world),
            _ => {}
        }
    }

    // ---- Desired state ---------------------------------------------------------------------------------------------

    fn pod_changed(&mut self, id: Id<Pod>, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        let pod = view.get(id).copied().filter(|pod| {
            pod.is_bound() && !is_terminated(pod) && !view.store.pod_spec(pod.spec).claims.is_empty()
        });
        let known = self.wants(id).map(|wants| (wants.uid, self.wanted(id, wants).0));
        if known == pod.map(|pod| (pod.meta.uid, pod.node)) {
            return;
        }
        self.remove_pod(id, world);
        if let Some(pod) = pod {
            self.add_pod(id, &pod, world);
        }
    }

    fn add_pod(&mut self, id: Id<Pod>, pod: &Pod, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        let found: Vec<_> = claims_of(view, pod).map(|claim| volume_of(view, pod, claim)).collect();
        let complete = found.iter().all(Result::is_ok);
        let mut volumes: Vec<Id<Volume>> = found.into_iter().flatten().flatten().collect();
        volumes.sort_unstable();
        volumes.dedup();
        let mut pair = pairs::NONE;
        for volume in &volumes {
            let key = (*volume, pod.node);
            mark!("VOL-27");
            pair = self.pairs.want(key, id);
            self.look_at(key, world);
        }
        if volumes.len() != 1 {
            pair = pairs::NONE;
            self.several.insert(id, (pod.node, volumes.into()));
        }
        if id.index() >= self.wants.len() {
            self.wants.resize(id.index() + 1, Wants::default());
        }
        self.wants[id.index()] = Wants { uid: pod.meta.uid, pair };
        if !complete {
            self.incomplete.insert(id);
        }
    }

    /// What a pod wants, if it has been looked at.
    fn wants(&self, id: Id<Pod>) -> Option<Wants> {
        self.wants.get(id.index()).copied().filter(|wants| !wants.uid.is_none())
    }

    /// The node of a pod, and its volumes there.
    fn wanted(&self, id: Id<Pod>, wants: Wants) -> (Id<Node>, &[Id<Volume>]) {
        match self.pairs.get(wants.pair) {
            Some(pair) => (pair.node(), std::slice::from_ref(&pair.volume)),
            None => self.several.get(&id).map_or((Id::NONE, &[]), |(node, volumes)| (*node, volumes)),
        }
    }

    fn remove_pod(&mut self, id: Id<Pod>, world: &mut World) {
        let Some(wants) = self.wants(id) else { return };
        let (node, volumes) = self.wanted(id, wants);
        let volumes = volumes.to_vec();
        self.wants[id.index()] = Wants::default();
        self.incomplete.remove(&id);
        self.several.remove(&id);
        for volume in volumes {
            let key = (volume, node);
            let Some(slot) = self.pairs.slot(key) else { continue };
            self.pairs.let_go(key, id);
            self.look_at(key, world);
            self.pairs.forget_if_idle(slot);
        }
    }

    /// Pods that came to a node before their claim was bound are looked at again.
    fn claim_changed(&mut self, change: &Change, users: &ClaimUsers, world: &mut World) {
        let (old, new) = world.store.before_and_after::<Claim>(change);
        let bound = |claim: Option<&Claim>| claim.is_some_and(|claim| claim.phase() == ClaimPhase::Bound);
        let Some(claim) = new.filter(|_| !bound(old) && bound(new)) else { return };
        let view = world.view(Process::ControllerManager);
        for pod in users.of_claim(view, claim) {
            if self.incomplete.contains(&pod) {
                self.remove_pod(pod, world);
                self.pod_changed(pod, world);
            }
        }
    }

    // ---- What it hears of nodes and attachments --------------------------------------------------------------------

    /// volumesInUse says what is mounted (VOL-32); readiness and taints decide about force (VOL-45, VOL-46).
    fn node_changed(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Node>();
        let (old, new) = world.store.before_and_after::<Node>(change);
        if let Some(new) = new {
            let before = old.map(|node| node.volumes_in_use.clone()).unwrap_or_default();
            let mut changed = differences(&before, &new.volumes_in_use);
            changed.extend(take_of(&mut self.fresh, id));
            for volume in changed {
                if let Some(pair) = self.pairs.slot((volume, id)).and_then(|slot| self.pairs.get_mut(slot)) {
                    mark!("VOL-32");
                    pair.set(Pair::MOUNTED, new.volumes_in_use.binary_search(&volume).is_ok());
                }
            }
        }
        let (created, gone) = (old.is_none(), new.is_none());
        if created {
            self.to_report.extend(self.pairs.volumes_of(id).iter().map(|volume| (id, *volume)));
        }
        let affected =
            if created || gone { self.pairs.volumes_of(id).to_vec() } else { self.pairs.unwanted_on(id) };
        for volume in affected {
            let key = (volume, id);
            if self.pairs.slot(key).is_some_and(|slot| self.pairs.work(slot).operation == Operation::None) {
                self.look_at(key, world);
            }
        }
    }

    fn attachment_changed(&mut self, change: &Change, world: &mut World) {
        let (old, new) = world.store.before_and_after::<Attachment>(change);
        let Some(Attachment { volume, node, .. }) = new.or(old).copied() else { return };
        let lost = new.is_none_or(|attachment| !attachment.attached);
        let Some(slot) = self.pairs.slot((volume, node)) else { return };
        self.attachment_seen(slot, world);
        if lost && self.is_settled(slot) {
            self.suspect((volume, node), world);
        }
    }

    /// The pair is attached, and nothing is under way about it.
    fn is_settled(&self, slot: u32) -> bool {
        let attached = self.pairs.get(slot).is_some_and(|pair| pair.actual() == Actual::Attached);
        attached && self.pairs.work(slot).operation == Operation::None
    }

    /// The next round of verification will look at this pair (VOL-37).
    fn suspect(&mut self, key: Key, world: &mut World) {
        self.suspects.insert(key);
        if !std::mem::replace(&mut self.verify_armed, true) {
            let epoch = world.epoch(Process::ControllerManager);
            let tick = world.next_tick(VERIFY_PERIOD, VERIFY_LOOP, epoch, world.now());
            world.at(tick, Event::Binder(BinderEvent::Verify(epoch)));
        }
    }

    /// Attached pairs whose VolumeAttachment is gone or not attached count as detached (VOL-37).
    fn verify(&mut self, world: &mut World) {
        self.verify_armed = false;
        for key in std::mem::take(&mut self.suspects) {
            let Some(slot) = self.pairs.slot(key).filter(|_| !is_seen_attached(world, key)) else { continue };
            if self.is_settled(slot) {
                mark!("VOL-37");
                self.detached(slot, world);
                self.to_report.insert((key.1, key.0));
            }
        }
    }

    // ---- The loop --------------------------------------------------------------------------------------------------

    /// Something has happened to a pair: the next pass of the loop looks at it (VOL-29).
    fn look_at(&mut self, key: Key, world: &mut World) {
        self.dirty.insert(key, world.cause);
        if std::mem::replace(&mut self.pass_armed, true) {
            return;
        }
        let epoch = world.epoch(Process::ControllerManager);
        let from = self.busy_until.max(world.now());
        let tick = world.next_tick(world.config.timers.attach_detach_loop, LOOP, epoch, from);
        world.at(tick, Event::Binder(BinderEvent::Pass(epoch)));
    }

    /// One pass: detaches, attaches, node status. The writes of node status that detaches need hold the loop up.
    fn pass(&mut self, world: &mut World) {
        self.pass_armed = false;
        let dirty = std::mem::take(&mut self.dirty);
        let mut done = world.now();
        for (key, cause) in &dirty {
            world.cause = *cause;
            done = self.consider_detach(*key, done, world);
        }
        for (key, cause) in &dirty {
            world.cause = *cause;
            self.consider_attach(*key, done, world);
        }
        let nodes: BTreeSet<Id<Node>> = self.to_report.iter().map(|(node, _)| *node).collect();
        for node in nodes {
            if self.reporting.insert(node) {
                done = done + world.api_delay(Actor::AttachDetach);
                let epoch = world.epoch(Process::ControllerManager);
                world.at(done, Event::Binder(BinderEvent::Report(node, epoch)));
            }
        }
        self.busy_until = done;
    }

    /// A volume that may be on one node only has one operation at a time over all its pairs (VOL-35).
    fn is_busy(&self, key: Key, many_nodes: bool) -> bool {
        let busy = |slot: u32| self.pairs.work(slot).operation != Operation::None;
        self.pairs.of_volume(key.0).any(|(slot, pair)| (!many_nodes || pair.node() == key.1) && busy(slot))
    }

    /// Detaches a pair that is attached and unwanted, if it may (VOL-31). The time at which the loop goes on.
    fn consider_detach(&mut self, key: Key, from: Time, world: &mut World) -> Time {
        let now = world.now();
        let many = allows_many_nodes(world, key.0);
        let Some(slot) = self.pairs.slot(key).filter(|_| !self.is_busy(key, many)) else { return from };
        let (Some(pair), mut work) = (self.pairs.get(slot).copied(), self.pairs.work(slot)) else {
            return from;
        };
        let unwanted = !pair.is_wanted() && pair.actual() != Actual::Detached;
        if !unwanted || work.is_backing_off(OperationKind::Detach, now) {
            return from;
        }
        if work.unwanted_since.is_never() {
            work.unwanted_since = now;
        }
        let longest = world.config.timers.max_wait_for_unmount;
        let (healthy, out_of_service) = node_state(world, key.1);
        let epoch = world.epoch(Process::ControllerManager);
        let overdue = now.elapsed_since(work.unwanted_since) > longest;
        let forced = overdue && !healthy;
        mark!("VOL-47" if pair.is(Pair::MOUNTED) && world.view(Process::ControllerManager).get(key.1).is_none());
        let waits = pair.is(Pair::MOUNTED) && !forced && !out_of_service;
        if waits && !overdue && work.timer.is_none() {
            // "Longer than": the loop finds the time over at the first tick after it (DEF-C4).
            let over = work.unwanted_since + longest + Duration::from_nanos(1);
            work.timer = Some(world.timer(over, Event::Binder(BinderEvent::Overdue(slot, epoch))));
        } else if !waits && let Some(timer) = work.timer.take() {
            world.cancel(timer);
        }
        self.pairs.change_work(slot, |known| *known = work);
        if waits {
            return from;
        }
        mark!("VOL-45" if pair.is(Pair::MOUNTED) && forced && !out_of_service);
        mark!("VOL-46" if out_of_service);
        if let Some(pair) = self.pairs.get_mut(slot) {
            pair.set(Pair::REPORTED, false);
        }
        self.begin(slot, Operation::Unreport(!forced && !out_of_service), from, world)
    }

    /// Attaches a pair that is wanted and not attached, if it may (VOL-30, VOL-34).
    fn consider_attach(&mut self, key: Key, from: Time, world: &mut World) {
        let now = world.now();
        let many = allows_many_nodes(world, key.0);
        let Some(slot) = self.pairs.slot(key).filter(|_| !self.is_busy(key, many)) else { return };
        let Some(pair) = self.pairs.get(slot).copied().filter(Pair::is_wanted) else { return };
        if pair.actual() != Actual::Detached {
            self.no_longer_unwanted(slot, world);
        }
        if pair.actual() == Actual::Attached || world.view(Process::ControllerManager).get(key.1).is_none() {
            return;
        }
        let backing_off = self.pairs.work(slot).is_backing_off(OperationKind::Attach, now);
        let elsewhere = |pair: &Pair| pair.node() != key.1 && pair.actual() == Actual::Attached;
        mark!("VOL-25" if many && self.pairs.of_volume(key.0).any(|(_, pair)| elsewhere(pair)));
        if !many && self.pairs.of_volume(key.0).any(|(_, pair)| elsewhere(pair)) {
            if !pair.is(Pair::MULTI_ATTACH_TOLD) {
                self.tell_multi_attach(slot, world);
            }
        } else if !backing_off {
            self.begin(slot, Operation::Create, from, world);
        }
    }

    /// The time that an unmount may take does not run, or no longer.
    pub(super) fn no_longer_unwanted(&mut self, slot: u32, world: &mut World) {
        self.pairs.change_work(slot, |work| {
            work.unwanted_since = Time::NEVER;
            if let Some(timer) = work.timer.take() {
                world.cancel(timer);
            }
        });
    }

    /// One event per pair says that the volume is held by another node (reportMultiAttachError, VOL-34).
    fn tell_multi_attach(&mut self, slot: u32, world: &mut World) {
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        mark!("VOL-34");
        pair.set(Pair::MULTI_ATTACH_TOLD, true);
        let key = pair.key();
        let others = self.pairs.of_volume(key.0).filter(|(_, pair)| pair.node() != key.1);
        let others: Vec<Id<Pod>> = others
            .filter(|(_, pair)| pair.actual() == Actual::Attached)
            .flat_map(|(slot, _)| self.pairs.pods(slot))
            .collect();
        for pod in self.pairs.pods(slot) {
            world
                .emit(pod, true, "FailedAttachVolume", |world| multi_attach_text(world, key.0, pod, &others));
        }
    }

    // ---- Questions -------------------------------------------------------------------------------------------------

    /// What it waits for about a volume on a node; None: nothing is wanted or under way there.
    pub fn waits(&self, volume: Id<Volume>, node: Id<Node>, world: &World) -> Option<AttachWait> {
        let slot = self.pairs.slot((volume, node))?;
        let (pair, work) = (self.pairs.get(slot)?, self.pairs.work(slot));
        let elsewhere = self.pairs.of_volume(volume).find(|(_, other)| {
            other.node() != node && other.actual() == Actual::Attached && !allows_many_nodes(world, volume)
        });
        Some(match (work.operation, pair.is_wanted()) {
            (Operation::Create | Operation::AwaitAttached(_), _) => AttachWait::Attaching,
            (Operation::Unreport(_) | Operation::Delete | Operation::AwaitGone(_), _) => {
                AttachWait::Detaching
            }
            (Operation::None, true) if pair.actual() == Actual::Attached => return None,
            (Operation::None, true) => match elsewhere {
                Some((_, other)) => AttachWait::Elsewhere(other.node()),
                None => AttachWait::Backoff(work.backoff.map(|backoff| backoff.until)),
            },
            (Operation::None, false) if pair.actual() == Actual::Detached => return None,
            (Operation::None, false) => {
                let longest = world.config.timers.max_wait_for_unmount;
                let since = (!work.unwanted_since.is_never()).then_some(work.unwanted_since);
                AttachWait::Unmount { force_at: since.map(|since| since + longest), since }
            }
        })
    }

    // ---- Life ------------------------------------------------------------------------------------------------------

    /// Something of its own is due.
    pub fn handle(&mut self, event: BinderEvent, world: &mut World) {
        let epoch = world.epoch(Process::ControllerManager);
        match event {
            BinderEvent::Pass(of) if of == epoch => self.pass(world),
            BinderEvent::Pair(slot, token) => self.step(slot, token, world),
            BinderEvent::Report(node, of) if of == epoch => {
                if self.report(node, world) {
                    self.reporting.remove(&node);
                } else {
                    // Every pass tries again.
                    let period = world.config.timers.attach_detach_loop;
                    let delay = period + world.api_delay(Actor::AttachDetach);
                    world.background(delay, Event::Binder(BinderEvent::Report(node, epoch)));
                }
            }
            BinderEvent::Deadline(of) if of == epoch => self.deadline(world),
            BinderEvent::Verify(of) if of == epoch => self.verify(world),
            BinderEvent::Overdue(slot, of) if of == epoch => self.overdue(slot, world),
            _ => {}
        }
    }

    /// A pair has been unwanted for as long as an unmount may take (VOL-45). A Ready node has reported its status in
    /// this time even if nothing has changed on it (every 5 min), so what was taken for mounted is known by now.
    fn overdue(&mut self, slot: u32, world: &mut World) {
        self.pairs.change_work(slot, |work| work.timer = None);
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        let (volume, node) = pair.key();
        let reported = world.view(Process::ControllerManager).get(node);
        if let Some(node) = reported.filter(|node| node.ready == NodeReady::True) {
            pair.set(Pair::MOUNTED, node.volumes_in_use.binary_search(&volume).is_ok());
        }
        self.look_at((volume, node), world);
    }

    /// The controller manager has started and listed everything: the state is rebuilt from node status and
    /// VolumeAttachments; all waits begin anew (VOL-38).
    pub fn restart(&mut self, world: &mut World) {
        mark!("VOL-38");
        *self = AttachDetach::default();
        // Numbers of events of earlier lives are not used again.
        self.tokens = world.epoch(Process::ControllerManager) << 24;
        let view = world.view(Process::ControllerManager);
        let attached: Vec<(Key, bool)> = view
            .iter::<Node>()
            .flat_map(|(id, node)| {
                let in_use = |volume: &Id<Volume>| node.volumes_in_use.binary_search(volume).is_ok();
                node.volumes_attached.iter().map(move |volume| ((*volume, id), in_use(volume)))
            })
            .collect();
        let attachments: Vec<Key> =
            view.iter::<Attachment>().map(|(_, attachment)| (attachment.volume, attachment.node)).collect();
        let pods: Vec<Id<Pod>> =
            view.iter::<Pod>().filter(|(_, pod)| pod.is_bound()).map(|(id, _)| id).collect();
        for (key, mounted) in attached {
            let slot = self.pairs.add(key);
            if let Some(pair) = self.pairs.get_mut(slot) {
                pair.set_actual(Actual::Attached);
                pair.set(Pair::REPORTED, true);
                pair.set(Pair::MOUNTED, mounted);
            }
        }
        for key in attachments {
            let slot = self.pairs.add(key);
            let in_use = world.store.nodes.last_known(key.1).map(|node| node.volumes_in_use.clone());
            if let Some(pair) = self.pairs.get_mut(slot).filter(|pair| pair.actual() == Actual::Detached) {
                pair.set_actual(Actual::Uncertain);
                pair.set(Pair::MOUNTED, in_use.is_none_or(|in_use| in_use.binary_search(&key.0).is_ok()));
            }
        }
        for key in self.pairs.keys() {
            self.look_at(key, world);
            // Only what is attached for certain is verified; the others are sorted out by being tried again.
            if !is_seen_attached(world, key) {
                self.suspect(key, world);
            }
        }
        pods.into_iter().for_each(|id| self.pod_changed(id, world));
    }
}

/// What is in one of two sorted lists only.
fn differences(before: &Arc<Vec<Id<Volume>>>, after: &Arc<Vec<Id<Volume>>>) -> Vec<Id<Volume>> {
    if Arc::ptr_eq(before, after) {
        return Vec::new();
    }
    let mut changed = added_volumes(after, before);
    changed.extend(added_volumes(before, after));
    changed
}

/// Takes the volumes of a node out of a set.
fn take_of(set: &mut BTreeSet<(Id<Node>, Id<Volume>)>, node: Id<Node>) -> Vec<Id<Volume>> {
    let all = (node, Id::from_index(0))..=(node, Id::NONE);
    let taken: Vec<Id<Volume>> = set.range(all).map(|(_, volume)| *volume).collect();
    for volume in &taken {
        set.remove(&(node, *volume));
    }
    taken
}

/// The volume may be on several nodes at once: the guard is off (VOL-25).
fn allows_many_nodes(world: &World, volume: Id<Volume>) -> bool {
    world.store.volumes.last_known(volume).is_some_and(|volume| {
        let modes = world.store.claim_spec(volume.spec).modes;
        modes.0 == 0 || modes.allows_many_nodes()
    })
}

/// The watch shows a VolumeAttachment of the pair that is attached.
fn is_seen_attached(world: &World, key: Key) -> bool {
    let name = Name::of_attachment(key.0.as_u32(), key.1.as_u32());
    let found = world.view(Process::ControllerManager).find::<Attachment>(Sym::EMPTY, name);
    found.is_some_and(|(_, attachment)| attachment.attached)
}

/// Whether a node is Ready, and whether it carries the out-of-service taint. A missing node is neither.
fn node_state(world: &World, node: Id<Node>) -> (bool, bool) {
    let Some(node) = world.view(Process::ControllerManager).get(node) else { return (false, false) };
    let key = world.store.names.known(OUT_OF_SERVICE);
    let out_of_service = node.taints.iter().any(|taint| Some(taint.key) == key);
    (node.ready == NodeReady::True, out_of_service)
}

fn multi_attach_text(world: &World, volume: Id<Volume>, pod: Id<Pod>, others: &[Id<Pod>]) -> String {
    let store = &world.store;
    let name = store.volumes.last_known(volume).map(|volume| volume.meta.name);
    let name = store.name_of(name.unwrap_or_default());
    let namespace = |pod: Id<Pod>| store.pods.last_known(pod).map(|pod| pod.meta.namespace);
    let local: Vec<String> = others
        .iter()
        .filter(|other| namespace(**other) == namespace(pod))
        .filter_map(|other| store.pods.last_known(*other))
        .map(|other| store.name_of(other.meta.name))
        .collect();
    let foreign = others.len() - local.len();
    let why = match (local.is_empty(), foreign) {
        (true, 0) => {
            "Volume is already exclusively attached to one node and can't be attached to another".to_owned()
        }
        (true, n) => format!("Volume is already used by {n} pod(s) in different namespaces"),
        (false, 0) => format!("Volume is already used by pod(s) {}", local.join(", ")),
        (false, n) => {
            format!(
                "Volume is already used by pod(s) {} and {n} pod(s) in different namespaces",
                local.join(", ")
            )
        }
    };
    format!("Multi-Attach error for volume \"{name}\" {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_lists() {
        for (before, after, changed) in [
            (vec![], vec![], vec![]),
            (vec![], vec![1, 2], vec![1, 2]),
            (vec![1, 2, 5], vec![2, 3], vec![1, 5, 3]),
            (vec![7, 9], vec![7, 8, 9], vec![8]),
        ] {
            let ids = |list: Vec<usize>| Arc::new(list.into_iter().map(Id::from_index).collect::<Vec<_>>());
            assert_eq!(differences(&ids(before), &ids(after)), *ids(changed));
        }
    }
}
