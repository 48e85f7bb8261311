//! The ground all processes stand on: clock, queue, store, chance, and the one door through which the store is written.
//!
//! A component gets `&mut World` with the event it handles. It reads the store through the view of its process, asks
//! for events in the future, and writes through [`World::create`], [`World::update`] and [`World::delete`]. Each write
//! is one change of the log: it carries who wrote, by which rule, and the change that led to it, and it wakes the
//! watches. Nothing else in the simulator changes the store.
mod actor;

pub use actor::{Actor, Draw};

use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::{Change, Store, Stored, Verb, View};
use crate::config::Config;
use crate::decision::Moment;
use crate::event::{Event, Process};
use crate::kernel::{Chooser, Duration, Id, Latency, Queue, Scheduled, Time, Timer};
use crate::limits;
use crate::rule::{Rule, mark, marks};
use crate::trace::notes::Noted;
use crate::trace::record::Recorder;
use std::collections::BTreeSet;

mod delete;
mod faults;
mod judged;
mod links;
mod mounts;
mod retries;
mod write_faults;
pub use delete::{DeleteOptions, Deleted, Propagation};
pub use faults::{Faults, Record};
pub use links::{CONNECTION_TIMEOUT, Cut, CutId, Direction, Links, Side, Sides};
pub use mounts::Mounts;
pub use retries::Retries;
pub(crate) use write_faults::Attempt;
pub use write_faults::{Client, Outcome, Reason, Request, WriteFault, Writes};

/// The lease of a node. A renewal that changes nothing is no event: what matters is when renewals stopped or began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lease {
    /// The kubelet renews it.
    pub renewing: bool,
    /// Since when it has been renewed, or the last renewal before silence.
    pub since: Time,
}

/// A watch of one process: how far it has come in the change log.
#[derive(Clone, Debug)]
struct Watcher {
    running: bool,
    /// Grows at every stop, so that events of an earlier life are stale.
    epoch: u32,
    /// Log position of the next change to deliver.
    next: u64,
    /// Everything up to here has been delivered.
    at: Revision,
    /// A `Deliver` event is pending.
    armed: bool,
    /// Extra lag (fault `lag:`, perturbation).
    extra: Latency,
    /// Deliveries never overtake one another.
    last: Time,
    /// Changes shown so far; a new list of everything counts as one.
    shown: u64,
}

/// A limit that ended the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Objects in the store.
    Objects,
    /// Events handled.
    Events,
    /// Events at one instant: a zero-delay loop.
    EventsAtOneInstant,
}

/// Marks in the cause word of a queue entry.
const BACKGROUND: u32 = 1 << 31;
const DELAY: u32 = 1 << 30;
const CAUSE: u32 = DELAY - 1;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct World {
    /// All objects.
    pub store: Store,
    /// Chance.
    pub chooser: Chooser,
    /// Timers, latencies, gates, behaviour.
    pub config: Config,
    /// What is kept for the timeline and for `why`.
    pub recorder: Recorder,
    /// Kubernetes Events.
    pub events: crate::api::events::EventLog,
    /// Who is acting now; set by the dispatcher.
    pub actor: Actor,
    /// The change that led to what is being done now, or the mark of what happened in between
    /// ([`crate::trace::happening`]).
    pub cause: Revision,
    /// What a user's commands are caused by: the mark of the step they stand in.
    pub step: Revision,
    /// The leases of nodes, by table index: whether they are being renewed (NODE-2). Renewals are computed.
    pub leases: Vec<Lease>,
    /// What is really mounted where.
    pub mounts: Mounts,
    /// Who can talk to whom (fault `partition:`).
    pub links: Links,
    /// Machines that the cloud has no more (fault `terminate:`).
    pub terminated: BTreeSet<Id<Node>>,
    /// Machines that were shut down and are off: the cloud knows (fault `shutdown:`).
    pub shut_down: BTreeSet<Id<Node>>,
    /// Which named faults are active.
    pub faults: Faults,
    /// Writes that go wrong (faults `fail: api`, `refuse:`, and `afterWrite:` of `stop:`).
    pub write_faults: Vec<WriteFault>,
    /// Processes that end as soon as what is being done now is done; true: they start again at once.
    pub(crate) ends: Vec<(Process, bool)>,
    /// Events that may be handled before the run ends with a limit; [`limits::MAX_EVENTS`] unless set otherwise.
    pub max_events: u64,
    /// A limit was reached: the run ends.
    pub exceeded: Option<Limit>,
    /// What controllers did since the last look, kept only while something judges it.
    moments: Option<Vec<Moment>>,
    queue: Queue<Event>,
    watchers: [Watcher; Process::ALL.len()],
    foreground: usize,
    delays: usize,
    handled: u64,
    at_this_instant: u32,
    last_change: Time,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, config: Config) -> World {
        let watcher = Watcher {
            running: true,
            epoch: 0,
            next: 0,
            at: Revision(0),
            armed: false,
            extra: Latency::Constant(Duration::ZERO),
            last: Time::ZERO,
            shown: 0,
        };
        let mut watchers: [Watcher; Process::ALL.len()] = std::array::from_fn(|_| watcher.clone());
        if let Some((process, lag)) = config.slow_watch {
            watchers[process as usize].extra = lag;
        }
        World {
            store: Store::seeded(seed),
            chooser: Chooser::seeded(seed),
            config,
            recorder: Recorder::off(),
            events: crate::api::events::EventLog::default(),
            actor: Actor::User,
            cause: Revision(0),
            step: Revision(0),
            leases: Vec::new(),
            mounts: Mounts::default(),
            links: Links::default(),
            terminated: BTreeSet::new(),
            shut_down: BTreeSet::new(),
            faults: Faults::default(),
            write_faults: Vec::new(),
            ends: Vec::new(),
            max_events: limits::MAX_EVENTS,
            exceeded: None,
            moments: None,
            queue: Queue::new(),
            watchers,
            foreground: 0,
            delays: 0,
            handled: 0,
            at_this_instant: 0,
            last_change: Time::ZERO,
        }
    }

    // ---- Time ------------------------------------------------------------------------------------------------------

    /// Virtual now.
    pub fn now(&self) -> Time {
        self.queue.now()
    }

    /// Asks for an event after a delay.
    pub fn after(&mut self, delay: Duration, event: Event) {
        self.push(self.now() + delay, event, 0);
    }

    /// Asks for an event at an instant.
    pub fn at(&mut self, time: Time, event: Event) {
        self.push(time, event, 0);
    }

    /// Asks for an event that is periodic or an endless back-off: it does not keep the cluster from being settled.
    pub fn background(&mut self, delay: Duration, event: Event) {
        self.push(self.now() + delay, event, BACKGROUND);
    }

    /// Asks for an event that ends a simulated delay of the outside world (start, ready, stop, attach, detach,
    /// provision): the recorded corpus' notion of settled waits for these.
    pub fn delay(&mut self, delay: Duration, event: Event) {
        self.push(self.now() + delay, event, DELAY);
    }

    /// Asks for an event that may be cancelled: long timers that recovery calls off.
    pub fn timer(&mut self, time: Time, event: Event) -> Timer {
        self.foreground += 1;
        self.queue.push_timer(time, self.cause.0 & CAUSE, event)
    }

    /// Calls a timer off. False if it has fired.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        let cancelled = self.queue.cancel(timer);
        if cancelled {
            self.foreground -= 1;
        }
        cancelled
    }

    /// Something of the outside world is under way whose end is not one event: until [`World::release`] the cluster is
    /// not settled.
    pub fn hold(&mut self) {
        self.foreground += 1;
        self.delays += 1;
    }

    /// The end of what [`World::hold`] began.
    pub fn release(&mut self) {
        self.foreground -= 1;
        self.delays -= 1;
    }

    fn push(&mut self, time: Time, event: Event, marks: u32) {
        if time.is_never() {
            return;
        }
        if marks & BACKGROUND == 0 {
            self.foreground += 1;
        }
        if marks & DELAY != 0 {
            self.delays += 1;
        }
        self.queue.push(time, (self.cause.0 & CAUSE) | marks, event);
    }

    /// Everything that is to come, in order: what will happen if nothing else does.
    pub fn to_come(&self) -> Vec<(Time, Event)> {
        let mut all: Vec<_> = self.queue.iter().map(|due| (due.time, due.event)).collect();
        all.sort_by_key(|(time, _)| *time);
        all
    }

    /// Takes the next event; time moves to it.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let before = self.queue.now();
        let Scheduled { time, cause, event } = self.queue.pop()?;
        if cause & BACKGROUND == 0 {
            self.foreground -= 1;
        }
        if cause & DELAY != 0 {
            self.delays -= 1;
        }
        self.cause = Revision(cause & CAUSE);
        self.handled += 1;
        self.at_this_instant = if time == before { self.at_this_instant + 1 } else { 0 };
        if self.handled > self.max_events && self.exceeded.is_none() {
            self.exceeded = Some(Limit::Events);
        }
        if self.at_this_instant > limits::MAX_EVENTS_AT_ONE_INSTANT && self.exceeded.is_none() {
            self.exceeded = Some(Limit::EventsAtOneInstant);
        }
        Some(event)
    }

    /// Lets the clock run to an instant before the next event: nothing happens, it is only later.
    pub(crate) fn pass(&mut self, time: Time) {
        self.queue.pass(time);
    }

    /// When the next event is due.
    pub fn next_time(&mut self) -> Option<Time> {
        self.queue.peek_time()
    }

    /// Number of events handled so far.
    pub fn handled(&self) -> u64 {
        self.handled
    }

    /// Number of pending events.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Nothing is left to happen but periodic work and endless back-off.
    pub fn is_settled(&self) -> bool {
        self.foreground == 0
    }

    /// A simulated delay of the outside world is running.
    pub fn is_delayed(&self) -> bool {
        self.delays > 0
    }

    /// When an object last changed.
    pub fn last_change(&self) -> Time {
        self.last_change
    }

    // ---- Chance ----------------------------------------------------------------------------------------------------

    /// Draws how long something takes, for this purpose, object and attempt.
    pub fn draw(&self, latency: Latency, purpose: Draw, object: u64, attempt: u64) -> Duration {
        match latency {
            Latency::Constant(duration) => duration,
            Latency::Never => Duration::NEVER,
            drawn => drawn.sample(self.chooser.keyed(purpose as u32, object, attempt)),
        }
    }

    /// How long an API write of this actor takes from call to commit (LAT-1).
    pub fn api_delay(&self, actor: Actor) -> Duration {
        let key = u64::from(self.store.revision().0) << 8 | actor as u64;
        self.draw(self.config.latency.api_write, Draw::ApiWrite, key, self.handled)
            + self.draw(self.config.extra_api(actor), Draw::ApiWrite, !key, self.handled)
    }

    /// How long kubectl takes from one object of a command to the next.
    pub fn kubectl_delay(&self) -> Duration {
        self.draw(
            self.config.latency.kubectl,
            Draw::ApiWrite,
            u64::from(self.store.revision().0),
            self.handled,
        )
    }

    /// A name made from `metadata.generateName`: the base, cut to 58 characters, and five random letters
    /// (`apiserver/pkg/storage/names`). They depend on the seed, the owner's key and the attempt only.
    pub fn generated_name(&self, base: &str, object: u64, attempt: u64) -> String {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut name: String = base.chars().take(58).collect();
        for position in 0..5 {
            let draw = self.chooser.below(Draw::Name as u32, object, attempt * 5 + position, 27);
            name.push(char::from(LETTERS[usize::try_from(draw).unwrap_or(0)]));
        }
        name
    }

    /// The first tick of a loop with this period, strictly after `after`. Each loop has its own phase (DEF-C1).
    pub fn next_tick(&self, period: Duration, loop_key: u64, epoch: u32, after: Time) -> Time {
        if period == Duration::ZERO {
            return after;
        }
        let phase = self.chooser.below(Draw::Phase as u32, loop_key, u64::from(epoch), period.as_nanos());
        let passed = after.as_nanos().saturating_sub(phase);
        let ticks = if after.as_nanos() < phase { 0 } else { passed / period.as_nanos() + 1 };
        Time::from_nanos(phase.saturating_add(ticks.saturating_mul(period.as_nanos())))
    }

    // ---- Watches ---------------------------------------------------------------------------------------------------

    /// The store as this process sees it.
    pub fn view(&self, process: Process) -> View<'_> {
        self.store.view(self.watchers[process as usize].at)
    }

    /// How far this process' watch has come.
    pub fn seen(&self, process: Process) -> Revision {
        self.watchers[process as usize].at
    }

    /// How many changes this process' watch has shown it so far.
    pub fn shown(&self, process: Process) -> u64 {
        self.watchers[process as usize].shown
    }

    /// True if the process runs.
    pub fn is_running(&self, process: Process) -> bool {
        self.watchers[process as usize].running
    }

    /// The life of the process: grows at every stop. Events of an earlier life are stale.
    pub fn epoch(&self, process: Process) -> u32 {
        self.watchers[process as usize].epoch
    }

    /// Sets an additional lag of a process' watch.
    pub fn set_extra_lag(&mut self, process: Process, extra: Latency) {
        self.watchers[process as usize].extra = extra;
    }

    /// The additional lag of a process' watch.
    pub fn extra_lag(&self, process: Process) -> Latency {
        self.watchers[process as usize].extra
    }

    /// The process is gone; what it knew is lost.
    pub(crate) fn stop(&mut self, process: Process) {
        let watcher = &mut self.watchers[process as usize];
        watcher.running = false;
        watcher.armed = false;
        watcher.epoch += 1;
    }

    /// The process is back and has listed everything: its view is the present.
    pub(crate) fn start(&mut self, process: Process) {
        let (end, revision) = (self.store.log_end(), self.store.revision());
        let watcher = &mut self.watchers[process as usize];
        watcher.running = true;
        watcher.armed = false;
        watcher.next = end;
        watcher.at = revision;
        watcher.shown += 1;
    }

    /// Takes the next change that this process' watch has due now; the process' view moves to it.
    pub(crate) fn next_delivery(&mut self, process: Process) -> Option<Change> {
        let change = loop {
            let watcher = &mut self.watchers[process as usize];
            let change = *self.store.log_entry(watcher.next)?;
            if process.watches(change.kind) {
                break change;
            }
            watcher.next += 1;
            watcher.at = change.revision;
        };
        if self.delivery_time(process, &change) > self.now() {
            return None;
        }
        let now = self.now();
        let watcher = &mut self.watchers[process as usize];
        watcher.next += 1;
        watcher.at = change.revision;
        watcher.last = now;
        watcher.shown += 1;
        self.cause = change.revision;
        Some(change)
    }

    fn delivery_time(&self, process: Process, change: &Change) -> Time {
        let watcher = &self.watchers[process as usize];
        let key = u64::from(change.revision.0);
        let lag = self.draw(self.config.latency.watch, Draw::Watch, key, process as u64)
            + self.draw(watcher.extra, Draw::Watch, !key, process as u64);
        (change.time + lag).max(watcher.last)
    }

    /// After a delivery: asks for the next one, and lets go of the past that nobody needs any more.
    pub(crate) fn delivered(&mut self, process: Process) {
        self.watchers[process as usize].armed = false;
        self.arm(process);
        self.forget();
    }

    fn arm(&mut self, process: Process) {
        let watcher = &mut self.watchers[process as usize];
        if !watcher.running || watcher.armed {
            return;
        }
        // What the process does not watch costs it nothing.
        let change = loop {
            let Some(change) = self.store.log_entry(watcher.next) else { return };
            if process.watches(change.kind) {
                break *change;
            }
            watcher.next += 1;
            watcher.at = change.revision;
        };
        let epoch = watcher.epoch;
        let time = self.delivery_time(process, &change);
        self.watchers[process as usize].armed = true;
        let cause = self.cause;
        self.cause = change.revision;
        self.push(time, Event::Deliver(process, epoch), 0);
        self.cause = cause;
    }

    fn forget(&mut self) {
        let until = self.watchers.iter().filter(|w| w.running).map(|w| w.at).min();
        self.store.forget(until.unwrap_or(self.store.revision()));
    }

    // ---- Writing ---------------------------------------------------------------------------------------------------

    /// Stores a new object. Its uid, creation time, generation and resourceVersion are set here.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken (INV-1); the answer of a [`WriteFault`].
    pub fn create<T: Stored + Noted>(&mut self, object: T, rule: Rule) -> Result<Id<T>, Status> {
        let name = object.meta().name;
        let told = self.let_pass(Attempt { request: Request::Create, kind: T::KIND, name, index: None })?;
        let made = self.store_new(object, rule);
        told.map_or(made, Err)
    }

    /// As [`World::create`], past all faults of writes.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken (INV-1).
    pub(crate) fn store_new<T: Stored + Noted>(
        &mut self,
        mut object: T,
        rule: Rule,
    ) -> Result<Id<T>, Status> {
        let (scope, name) = (object.scope(), object.meta().name);
        if T::table(&self.store).find(scope, name).is_some() {
            return Err(Status::already_exists(T::KIND.resource(), &self.store.name_of(name)));
        }
        if self.store.objects() >= limits::MAX_OBJECTS {
            self.exceeded = Some(Limit::Objects);
            return Err(Status::internal("object limit of the simulation reached".into()));
        }
        let uid = self.store.next_uid();
        let created = Seconds::of(self.now());
        let others = self.store.rare(object.meta()).other_finalizers;
        let meta = object.meta_mut();
        meta.uid = uid;
        meta.created = created;
        meta.rare = self.store.rares.of_finalizers(others);
        meta.generation = Generation::of(u32::from(has_generation(T::KIND)));
        meta.finalizers = meta.finalizers.with(T::PROTECTION);
        let revision = self.store.next_revision();
        let Some(id) = T::table_mut(&mut self.store).insert(object, revision) else {
            return Err(Status::already_exists(T::KIND.resource(), &self.store.name_of(name)));
        };
        self.committed::<T>(id, uid, Verb::Created, None, revision, rule);
        Ok(id)
    }

    /// A client replaces an object or its status: PUT.
    ///
    /// # Errors
    /// `NotFound`; the answer of a [`WriteFault`].
    pub fn put<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Result<Revision, Status> {
        self.write(Request::Update, id, rule, change)
    }

    /// A client writes part of an object or of its status: PATCH.
    ///
    /// # Errors
    /// `NotFound`; the answer of a [`WriteFault`].
    pub fn patch<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Result<Revision, Status> {
        self.write(Request::Patch, id, rule, change)
    }

    /// A client writes an object.
    ///
    /// # Errors
    /// As [`World::put`].
    pub(crate) fn write<T: Stored + Noted>(
        &mut self,
        request: Request,
        id: Id<T>,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Result<Revision, Status> {
        let Some(name) = T::table(&self.store).get(id).map(|object| object.meta().name) else {
            let name = T::table(&self.store).last_known(id).map(|object| object.meta().name);
            return Err(Status::not_found(T::KIND.resource(), &self.store.name_of(name.unwrap_or_default())));
        };
        let told = self.let_pass(Attempt { request, kind: T::KIND, name, index: Some(id.as_u32()) })?;
        let written = self.update(id, rule, change);
        match told {
            None => written.ok_or_else(|| Status::not_found(T::KIND.resource(), &self.store.name_of(name))),
            Some(told) => Err(told),
        }
    }

    /// A client writes the desired state of an object: as [`World::write`], and the generation grows (STS-10).
    ///
    /// # Errors
    /// As [`World::put`].
    pub(crate) fn write_spec<T: Stored + Noted>(
        &mut self,
        request: Request,
        id: Id<T>,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Result<Revision, Status> {
        self.write(request, id, rule, |object| {
            change(object);
            let meta = object.meta_mut();
            meta.generation = meta.generation.next();
        })
    }

    /// Writes an object, past all faults of writes: as the API server itself does in the course of a request. If that
    /// takes away the last thing that held a terminating object, it is removed instead (POD-6). None if there is no such
    /// object.
    pub fn update<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Option<Revision> {
        let old = T::table(&self.store).get(id)?.clone();
        let mut new = old.clone();
        change(&mut new);
        let uid = old.meta().uid;
        let meta = new.meta();
        let released = meta.is_terminating()
            && !meta.has_finalizers()
            && old.meta().has_finalizers()
            && self.store.rare(meta).grace == 0;
        let revision = self.store.next_revision();
        if released {
            mark!("POD-6");
            T::table_mut(&mut self.store).replace(id, new, revision);
            let revision = self.store.next_revision();
            T::table_mut(&mut self.store).take(id, revision);
            self.committed::<T>(id, uid, Verb::Removed, Some(&old), revision, rule);
            return Some(revision);
        }
        T::table_mut(&mut self.store).replace(id, new, revision);
        self.committed::<T>(id, uid, Verb::Updated, Some(&old), revision, rule);
        Some(revision)
    }

    /// Writes an object only if it is still this incarnation.
    pub fn update_uid<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        uid: Uid,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Option<Revision> {
        T::table(&self.store).get_uid(id, uid)?;
        self.update(id, rule, change)
    }

    /// Writes the desired state of an object: as [`World::update`], and the generation grows (STS-10).
    pub fn update_spec<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        rule: Rule,
        change: impl FnOnce(&mut T),
    ) -> Option<Revision> {
        self.update(id, rule, |object| {
            change(object);
            let meta = object.meta_mut();
            meta.generation = meta.generation.next();
        })
    }

    /// Takes an object out of the store at once.
    pub(crate) fn remove<T: Stored + Noted>(&mut self, id: Id<T>, rule: Rule) -> Option<T> {
        let uid = T::table(&self.store).get(id)?.meta().uid;
        let revision = self.store.next_revision();
        let old = T::table_mut(&mut self.store).take(id, revision)?;
        self.committed::<T>(id, uid, Verb::Removed, Some(&old), revision, rule);
        Some(old)
    }

    fn committed<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        uid: Uid,
        verb: Verb,
        old: Option<&T>,
        revision: Revision,
        rule: Rule,
    ) {
        let now = self.now();
        self.store.append(Change {
            revision,
            time: now,
            kind: T::KIND,
            verb,
            index: id.as_u32(),
            uid,
            actor: self.actor,
        });
        self.last_change = now;
        marks::note(rule);
        if self.recorder.is_on() {
            let new = T::table(&self.store).get(id);
            self.recorder.write(&self.store, now, revision, self.cause, self.actor, rule, id, old, new);
        }
        if T::KIND == Kind::Pod || T::KIND == Kind::Node {
            self.tell_kubelets::<T>(id, uid, old);
        }
        for process in Process::ALL {
            self.arm(process);
        }
    }

    /// Kubelets watch the pods bound to them and their own node; a change that concerns them reaches them after the
    /// lag of a watch.
    fn tell_kubelets<T: Stored + Noted>(&mut self, id: Id<T>, uid: Uid, old: Option<&T>) {
        let new = T::table(&self.store).get(id);
        let Some(event) = T::kubelet_event(id, uid, old, new, &self.store) else { return };
        let key = u64::from(id.as_u32()) << 32 | u64::from(uid.0);
        let lag = self.draw(self.config.latency.watch, Draw::Watch, key, u64::from(self.store.revision().0));
        let cause = std::mem::replace(&mut self.cause, self.store.revision());
        self.after(lag, Event::Kubelet(event));
        self.cause = cause;
    }
}

/// Kinds whose objects count generations.
fn has_generation(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Pod
            | Kind::StatefulSet
            | Kind::Deployment
            | Kind::ReplicaSet
            | Kind::Budget
            | Kind::EndpointSlice
    )
}
