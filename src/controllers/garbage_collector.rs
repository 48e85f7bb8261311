//! The garbage collector: deletes what no owner is left for, and carries out foreground and orphaning deletions.
//!
//! Follows `pkg/controller/garbagecollector` (STS-31, STS-89 to STS-91, INV-79). The graph is kept per *set of owner
//! references*: pods of one StatefulSet share theirs, so a dependent costs a counter, and only the end of an owner with
//! many dependents looks through a table. Few dependents (claims of one pod) are listed. Before a dependent is deleted,
//! each of its owners is looked up in the API once more. Left out: cluster-wide discovery; owners of kinds that nothing
//! here acts on (nobody knows whether they exist: their dependents stay, as they do where no API serves the kind); the
//! 20 workers; when orphaning, all references are taken off at once and only the end waits for the client's rate.
use crate::api::kind::Kind;
use crate::api::labels::{Owner, OwnersId};
use crate::api::names::{Sym, Uid};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::{Change, Stored, Verb, View};
use crate::controllers::runner::Bucket;
use crate::event::{Event, Process};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::trace::notes::Noted;
use crate::world::{Actor, DeleteOptions, Draw, Propagation, Retries, World};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// So many dependents of one set of references are listed; of more only the number is kept.
const LISTED: usize = 8;

/// Runs the body with `$type` as the type of `$kind`; nothing for kinds without owners or dependents.
macro_rules! with_type {
    ($kind:expr, $type:ident => $body:expr, else $other:expr) => {
        match $kind {
            Kind::Pod => {
                type $type = Pod;
                $body
            }
            Kind::Claim => {
                type $type = Claim;
                $body
            }
            Kind::Service => {
                type $type = Service;
                $body
            }
            Kind::StatefulSet => {
                type $type = StatefulSet;
                $body
            }
            Kind::Deployment => {
                type $type = Deployment;
                $body
            }
            Kind::ReplicaSet => {
                type $type = ReplicaSet;
                $body
            }
            Kind::Revision => {
                type $type = ControllerRevision;
                $body
            }
            Kind::EndpointSlice => {
                type $type = EndpointSlice;
                $body
            }
            Kind::Budget => {
                type $type = Budget;
                $body
            }
            _ => $other,
        }
    };
}

/// Kinds of [`with_type`].
const KINDS: [Kind; 9] = [
    Kind::Pod,
    Kind::Claim,
    Kind::Service,
    Kind::StatefulSet,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::Revision,
    Kind::EndpointSlice,
    Kind::Budget,
];

/// An object, by kind and table position.
type Thing = (Kind, u32);

/// The objects that carry one set of owner references.
#[derive(Clone, Debug, Default)]
struct Dependents {
    /// How many there are, by kind.
    counts: BTreeMap<Kind, u32>,
    /// All of them, while they are few.
    listed: Option<Vec<Thing>>,
    /// All owners were there when a dependent was last looked at.
    alive: bool,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector {
    sets: FxHashMap<usize, Dependents>,
    /// Sets of references that name this owner.
    by_owner: FxHashMap<Uid, Vec<OwnersId>>,
    /// Owners that wait for their dependents (STS-90), with the dependents that came after the deletion began: those
    /// are only deleted when the owner is looked at again.
    foreground: BTreeMap<Uid, (Thing, Vec<Thing>)>,
    /// Those of them that nothing blocked when they were last looked at: their finalizer is on its way out.
    released: BTreeSet<Uid>,
    client: Bucket,
    /// Objects about which a write has failed.
    retries: Retries<Uid>,
}

impl GarbageCollector {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        with_type!(change.kind, T => self.changed::<T>(change, world), else ());
    }

    fn changed<T: Stored>(&mut self, change: &Change, world: &mut World) {
        let (old, new) = world.store.before_and_after::<T>(change);
        let (old, new) = (old.map(|object| *object.meta()), new.map(|object| *object.meta()));
        let thing = (T::KIND, change.index);
        let before = old.map_or(OwnersId::EMPTY, |meta| meta.owners);
        let after = new.map_or(OwnersId::EMPTY, |meta| meta.owners);
        if before != after || change.verb == Verb::Created {
            self.leave(before, thing);
            self.join(after, thing, world);
        }
        if let Some(meta) = new.filter(|meta| !meta.owners.is_empty() && before != after) {
            self.look_for_owners(thing, &meta, world);
            self.note_latecomer(thing, &meta, world);
        }
        if before != after && old.is_some() && new.is_some() {
            self.look_at_waiting(before, world);
        }
        match new {
            None => self.gone(change.uid, before, world),
            Some(meta) => self.deletion_begins(thing, old.as_ref(), &meta, world),
        }
    }

    // ---- The graph -------------------------------------------------------------------------------------------------

    fn join(&mut self, owners: OwnersId, thing: Thing, world: &World) {
        if owners.is_empty() {
            return;
        }
        let new = !self.sets.contains_key(&owners.index());
        let set = self
            .sets
            .entry(owners.index())
            .or_insert_with(|| Dependents { listed: Some(Vec::new()), ..Dependents::default() });
        *set.counts.entry(thing.0).or_default() += 1;
        if set.listed.as_ref().is_some_and(|listed| listed.len() >= LISTED) {
            set.listed = None;
        }
        if let Some(listed) = &mut set.listed {
            listed.push(thing);
        }
        if new {
            for owner in world.store.owners.get(owners) {
                self.by_owner.entry(owner.uid).or_default().push(owners);
            }
        }
    }

    fn leave(&mut self, owners: OwnersId, thing: Thing) {
        let Some(set) = self.sets.get_mut(&owners.index()) else { return };
        if let Some(count) = set.counts.get_mut(&thing.0) {
            *count -= 1;
            if *count == 0 {
                set.counts.remove(&thing.0);
            }
        }
        if let Some(listed) = &mut set.listed {
            listed.retain(|other| *other != thing);
        }
        if set.counts.is_empty() {
            set.listed = Some(Vec::new());
        }
    }

    /// The objects of the view that carry this set of references.
    fn carriers(&self, owners: OwnersId, view: View<'_>) -> Vec<Thing> {
        let Some(set) = self.sets.get(&owners.index()) else { return Vec::new() };
        if let Some(listed) = &set.listed {
            return listed.clone();
        }
        fn scan<T: Stored>(owners: OwnersId, view: View<'_>) -> Vec<Thing> {
            let carried = view.iter::<T>().filter(|(_, object)| object.meta().owners == owners);
            carried.map(|(id, _)| (T::KIND, id.as_u32())).collect()
        }
        let kinds = set.counts.keys();
        kinds.flat_map(|kind| with_type!(kind, T => scan::<T>(owners, view), else Vec::new())).collect()
    }

    /// All dependents of an owner, in order of kind and table position.
    fn dependents(&self, owner: Uid, view: View<'_>) -> Vec<Thing> {
        let sets = self.by_owner.get(&owner).into_iter().flatten();
        let mut found: Vec<Thing> = sets.flat_map(|set| self.carriers(*set, view)).collect();
        found.sort_unstable();
        found
    }

    /// A dependent is left that blocks the deletion of its owner (STS-90).
    fn is_blocked(&self, owner: Uid, world: &World) -> bool {
        self.by_owner.get(&owner).into_iter().flatten().any(|set| {
            let blocks = |other: &Owner| other.uid == owner && other.block;
            world.store.owners.get(*set).iter().any(blocks)
                && self.sets.get(&set.index()).is_some_and(|set| !set.counts.is_empty())
        })
    }

    // ---- What changes mean -----------------------------------------------------------------------------------------

    /// A new dependent whose owner the watch does not show may be garbage from the start.
    fn look_for_owners(&mut self, thing: Thing, meta: &Meta, world: &mut World) {
        let Some(set) = self.sets.get_mut(&meta.owners.index()).filter(|set| !set.alive) else { return };
        let view = world.view(Process::ControllerManager);
        let is_there = |o: &Owner| o.kind == Kind::Inert || find(view, meta.namespace, o).is_some();
        set.alive = view.store.owners.get(meta.owners).iter().all(is_there);
        if !set.alive {
            self.enqueue(thing, meta.uid, 2, world);
        }
    }

    /// An object is gone: its dependents lose an owner, and an owner that waits for it may go on.
    fn gone(&mut self, uid: Uid, owners: OwnersId, world: &mut World) {
        self.foreground.remove(&uid);
        self.released.remove(&uid);
        let dependents = self.dependents(uid, world.view(Process::ControllerManager));
        for set in self.by_owner.remove(&uid).unwrap_or_default() {
            if let Some(known) = self.sets.get_mut(&set.index()) {
                known.alive = false;
                if known.counts.is_empty() {
                    self.sets.remove(&set.index());
                }
            }
        }
        for thing in dependents {
            if let Some(uid) = uid_of(world, thing) {
                self.enqueue(thing, uid, 2, world);
            }
        }
        if self.foreground.is_empty() {
            return;
        }
        for owner in world.store.owners.get(owners).to_vec() {
            let blocked = self.is_blocked(owner.uid, world);
            let Some((thing, late)) = self.foreground.get_mut(&owner.uid) else { continue };
            let (thing, late) = (*thing, std::mem::take(late));
            for dependent in late {
                if let Some(uid) = uid_of(world, dependent) {
                    self.enqueue(dependent, uid, 2, world);
                }
            }
            if !blocked {
                self.release(thing, owner.uid, world);
            }
        }
    }

    /// A dependent has let go of these owners, or does not block them any more.
    fn look_at_waiting(&mut self, owners: OwnersId, world: &mut World) {
        if self.foreground.is_empty() {
            return;
        }
        for owner in world.store.owners.get(owners).to_vec() {
            if let Some((thing, _)) = self.foreground.get(&owner.uid)
                && !self.is_blocked(owner.uid, world)
            {
                self.release(*thing, owner.uid, world);
            }
        }
    }

    /// Nothing blocks the owner: what is decided now is written a moment later, whatever has come meanwhile.
    fn release(&mut self, thing: Thing, owner: Uid, world: &mut World) {
        if self.released.insert(owner) {
            self.enqueue(thing, owner, 2, world);
        }
    }

    fn note_latecomer(&mut self, thing: Thing, meta: &Meta, world: &World) {
        if self.foreground.is_empty() {
            return;
        }
        for owner in world.store.owners.get(meta.owners) {
            if let Some((_, late)) = self.foreground.get_mut(&owner.uid) {
                late.push(thing);
            }
        }
    }

    fn deletion_begins(&mut self, thing: Thing, old: Option<&Meta>, new: &Meta, world: &mut World) {
        let asks = |meta: &Meta, finalizer| meta.is_terminating() && meta.finalizers.has(finalizer);
        let begins = |finalizer| asks(new, finalizer) && !old.is_some_and(|old| asks(old, finalizer));
        if begins(Finalizers::ORPHAN) {
            self.enqueue(thing, new.uid, 1, world);
        }
        if begins(Finalizers::FOREGROUND) {
            self.foreground.insert(new.uid, (thing, Vec::new()));
            for dependent in self.dependents(new.uid, world.view(Process::ControllerManager)) {
                if let Some(uid) = uid_of(world, dependent) {
                    self.enqueue(dependent, uid, 2, world);
                }
            }
            if !self.is_blocked(new.uid, world) {
                self.release(thing, new.uid, world);
            }
        }
    }

    /// A worker takes the object, within the rate of the client: `calls` requests are needed (STS-89).
    fn enqueue(&mut self, (kind, index): Thing, uid: Uid, calls: u32, world: &mut World) {
        let hop = world.draw(world.config.latency.queue_hop, Draw::Hop, u64::from(uid.0), world.handled());
        let (rate, burst) = (2 * u64::from(world.config.client_qps), u64::from(world.config.client_burst));
        let now = world.now() + hop;
        let mut commits = now;
        for _ in 0..calls {
            commits = self.client.take(now, rate, burst);
        }
        if calls == 2 {
            // A read comes before the write.
            let read = world.config.latency.api_write;
            commits = commits + world.draw(read, Draw::ApiWrite, u64::from(uid.0), world.handled());
        }
        commits = commits + world.api_delay(Actor::GarbageCollector);
        world.at(commits, Event::Collect(kind, index, uid));
    }

    // ---- Work ------------------------------------------------------------------------------------------------------

    /// Looks at one object (attemptToDeleteItem), and does what is due about it.
    pub fn handle(&mut self, kind: Kind, index: u32, uid: Uid, world: &mut World) {
        let done =
            with_type!(kind, T => self.collect(Id::<T>::from_index(index as usize), uid, world), else Ok(()));
        match done {
            Ok(()) => self.retries.succeeded(&uid),
            // Somebody else was faster: there is nothing left to do.
            Err(error) if error.is_not_found() => self.retries.succeeded(&uid),
            Err(_) => self.retries.failed(uid, Event::Collect(kind, index, uid), world),
        }
    }

    /// # Errors
    /// What the API server answers; the object is looked at again later (AddRateLimited).
    fn collect<T: Stored + Noted>(&mut self, id: Id<T>, uid: Uid, world: &mut World) -> Result<(), Status> {
        let Some(meta) = T::table(&world.store).get_uid(id, uid).map(|object| *object.meta()) else {
            return Ok(());
        };
        let thing = (T::KIND, id.as_u32());
        if meta.is_terminating() {
            if meta.finalizers.has(Finalizers::ORPHAN) {
                return self.orphan_dependents::<T>(id, uid, world);
            }
            if meta.finalizers.has(Finalizers::FOREGROUND) && self.released.contains(&uid) {
                return drop_finalizer::<T>(id, uid, Finalizers::FOREGROUND, Rule::sts(90), world);
            }
            return Ok(());
        }
        let live = world.store.view(world.store.revision());
        let (mut solid, mut waiting, mut dangling) = (false, false, Vec::new());
        for owner in world.store.owners.get(meta.owners) {
            match find(live, meta.namespace, owner) {
                None if owner.kind == Kind::Inert => return Ok(()),
                None => dangling.push(owner.uid),
                Some(found) if found.is_terminating() && found.finalizers.has(Finalizers::FOREGROUND) => {
                    waiting = true;
                    dangling.push(owner.uid);
                }
                Some(_) => solid = true,
            }
        }
        if dangling.is_empty() {
            return Ok(());
        }
        if solid {
            return drop_references::<T>(id, &dangling, Rule::sts(89), world);
        }
        let has_dependents = self.by_owner.get(&uid).is_some_and(|sets| {
            sets.iter().any(|set| self.sets.get(&set.index()).is_some_and(|set| !set.counts.is_empty()))
        });
        let propagation = if waiting && has_dependents || meta.finalizers.has(Finalizers::FOREGROUND) {
            Propagation::Foreground
        } else if meta.finalizers.has(Finalizers::ORPHAN) {
            Propagation::Orphan
        } else {
            Propagation::Background
        };
        if waiting && has_dependents && self.is_in_a_circle(uid, world) {
            unblock::<T>(id, world)?;
        }
        mark!("DEP-23" if thing.0 == Kind::ReplicaSet);
        let rule = match thing.0 {
            Kind::Claim => Rule::sts(31),
            _ if waiting => Rule::sts(90),
            _ => Rule::sts(89),
        };
        let options = DeleteOptions { uid: Some(uid), propagation, ..DeleteOptions::default() };
        world.delete(id, options, rule).map(drop)
    }

    /// A dependent of the object waits for its own dependents already: if one of those is the object, nobody would ever
    /// go first.
    fn is_in_a_circle(&self, uid: Uid, world: &World) -> bool {
        self.foreground.values().any(|((kind, index), _)| {
            let owners = with_type!(*kind, T => owners_of::<T>(world, *index), else OwnersId::EMPTY);
            world.store.owners.get(owners).iter().any(|owner| owner.uid == uid)
        })
    }

    /// Takes the owner's references off its dependents, then lets it go (STS-91).
    fn orphan_dependents<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        uid: Uid,
        world: &mut World,
    ) -> Result<(), Status> {
        let dependents = self.dependents(uid, world.view(Process::ControllerManager));
        let named = |world: &World, (kind, index): Thing| {
            let owners = with_type!(kind, T => owners_of::<T>(world, index), else OwnersId::EMPTY);
            world.store.owners.get(owners).iter().any(|owner| owner.uid == uid)
        };
        let dependents: Vec<Thing> = dependents.into_iter().filter(|thing| named(world, *thing)).collect();
        if dependents.is_empty() {
            return drop_finalizer::<T>(id, uid, Finalizers::ORPHAN, Rule::sts(91), world);
        }
        // All are tried; the owner stays until all have succeeded.
        let mut outcome = Ok(());
        for (kind, index) in &dependents {
            let dropped = with_type!(
                kind,
                T => drop_references(Id::<T>::from_index(*index as usize), &[uid], Rule::sts(91), world),
                else Ok(())
            );
            outcome = outcome.and(dropped);
        }
        outcome?;
        let calls = u32::try_from(dependents.len()).unwrap_or(u32::MAX);
        self.enqueue((T::KIND, id.as_u32()), uid, calls, world);
        Ok(())
    }

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, world: &mut World) {
        *self = GarbageCollector::default();
        fn list<T: Stored>(view: View<'_>) -> Vec<(Thing, Meta)> {
            view.iter::<T>().map(|(id, object)| ((T::KIND, id.as_u32()), *object.meta())).collect()
        }
        let view = world.view(Process::ControllerManager);
        let all: Vec<(Thing, Meta)> = KINDS
            .into_iter()
            .flat_map(|kind| with_type!(kind, T => list::<T>(view), else Vec::new()))
            .collect();
        for (thing, meta) in &all {
            self.join(meta.owners, *thing, world);
        }
        for (thing, meta) in &all {
            if !meta.owners.is_empty() {
                self.look_for_owners(*thing, meta, world);
            }
            self.deletion_begins(*thing, None, meta, world);
        }
    }
}

/// The owner that a reference means, as `view` shows it.
fn find<'a>(view: View<'a>, namespace: Sym, owner: &Owner) -> Option<&'a Meta> {
    fn of<'a, T: Stored + 'a>(view: View<'a>, scope: Sym, owner: &Owner) -> Option<&'a Meta> {
        view.find::<T>(scope, owner.name).map(|(_, object)| object.meta())
    }
    let found = match owner.kind {
        Kind::Node => of::<Node>(view, Sym::EMPTY, owner),
        kind => with_type!(kind, T => of::<T>(view, namespace, owner), else None),
    };
    found.filter(|meta| meta.uid == owner.uid)
}

fn owners_of<T: Stored>(world: &World, index: u32) -> OwnersId {
    T::table(&world.store).get(Id::from_index(index as usize)).map_or(OwnersId::EMPTY, |o| o.meta().owners)
}

/// The incarnation of an object as the watch shows it.
fn uid_of(world: &World, (kind, index): Thing) -> Option<Uid> {
    fn of<T: Stored>(view: View<'_>, index: u32) -> Option<Uid> {
        view.get(Id::<T>::from_index(index as usize)).map(|object| object.meta().uid)
    }
    let view = world.view(Process::ControllerManager);
    with_type!(kind, T => of::<T>(view, index), else None)
}

fn drop_finalizer<T: Stored + Noted>(
    id: Id<T>,
    uid: Uid,
    finalizer: Finalizers,
    rule: Rule,
    world: &mut World,
) -> Result<(), Status> {
    if T::table(&world.store).get_uid(id, uid).is_none() {
        return Ok(());
    }
    let write = |object: &mut T| {
        let meta = object.meta_mut();
        meta.finalizers = meta.finalizers.without(finalizer);
    };
    world.patch(id, rule, write).map(drop)
}

/// The object blocks none of its owners any more (STS-90).
fn unblock<T: Stored + Noted>(id: Id<T>, world: &mut World) -> Result<(), Status> {
    let Some(before) = T::table(&world.store).get(id).map(|object| object.meta().owners) else {
        return Ok(());
    };
    let owners = world.store.owners.get(before).iter();
    let after: Vec<Owner> = owners.map(|owner| Owner { block: false, ..*owner }).collect();
    let after = world.store.owners.intern(&after);
    if after == before {
        return Ok(());
    }
    world.patch(id, Rule::sts(90), |object| object.meta_mut().owners = after).map(drop)
}

fn drop_references<T: Stored + Noted>(
    id: Id<T>,
    owners: &[Uid],
    rule: Rule,
    world: &mut World,
) -> Result<(), Status> {
    let Some(before) = T::table(&world.store).get(id).map(|object| object.meta().owners) else {
        return Ok(());
    };
    let after = owners.iter().fold(before, |set, owner| world.store.owners.without(set, *owner));
    if after == before {
        return Ok(());
    }
    world.patch(id, rule, |object| object.meta_mut().owners = after).map(drop)
}
