//! Carries out what controllers decide: the work queue with its back-off, and plans under way.
//!
//! Follows client-go's `util/workqueue`: a key is queued once however often it is added; a key being worked on is only
//! marked and queued again afterwards (STS-104); failures wait 5 ms doubling to 1000 s, and all retries of a controller
//! share a bucket of 10 a second (STS-105). Calls of a plan go through the API latency one after another and through
//! the client's rate limit (STS-106).
use crate::api::status::Status;
use crate::api::store::Change;
use crate::controllers::plan::{Plan, Step, Then, Wait};
use crate::decision::{Decision, Moment};
use crate::event::{Controller, Event, Process};
use crate::kernel::{Duration, Time, Timer};
use crate::rule::{Rule, mark, marks};
use crate::world::{Actor, Draw, World};
use std::collections::VecDeque;

/// A controller that brings one object at a time closer to its spec.
pub trait Reconciler: Sized {
    /// Its API calls.
    type Call: Clone + std::fmt::Debug;
    /// Which one it is.
    const CONTROLLER: Controller;
    /// In whose name it writes.
    const ACTOR: Actor;
    /// Keys it works on at once.
    const WORKERS: usize;
    /// It gives up on a key after this many failures in a row, until the next change; None: never.
    const MAX_RETRIES: Option<u32> = None;
    /// Its back-off after a failure, doubling, and the limit of that, where it is not the usual one (STS-105).
    const BACKOFF: Option<(Duration, Duration)> = None;

    /// Hears of a change its watches show; queues the keys that it concerns.
    fn observe(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World);

    /// Decides what to do about a key, from what its caches show now.
    fn reconcile(&mut self, key: u32, world: &mut World) -> Plan<Self::Call>;

    /// A plan in the terms of those who judge decisions; None: nobody does.
    fn decision(&self, _key: u32, _plan: &Plan<Self::Call>) -> Option<Decision> {
        None
    }

    /// Carries out one call.
    ///
    /// # Errors
    /// What the API server answers; the rest of the plan is dropped.
    fn execute(&mut self, key: u32, call: &Self::Call, rule: Rule, world: &mut World) -> Result<(), Status>;

    /// The process has started and listed everything: rebuild what is kept in memory from the present.
    fn restart(&mut self, queue: &mut WorkQueue, world: &mut World);
}

/// The token of a deadline among the tokens of requeue events.
const DEADLINE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Key {
    queued: bool,
    processing: bool,
    dirty: bool,
    failures: u32,
    /// Guards against requeue events that a later, earlier one has replaced.
    token: u32,
    due: Option<Time>,
    /// A deadline that the next look may call off.
    deadline: Option<(Time, Timer)>,
    cause: crate::api::objects::Revision,
}

/// The work queue of one controller.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    controller: Controller,
    workers: usize,
    backoff: Option<(Duration, Duration)>,
    busy: usize,
    keys: Vec<Key>,
    /// Keys that wait for a free worker.
    waiting: VecDeque<u32>,
    retry_bucket: Bucket,
}

impl WorkQueue {
    fn of<R: Reconciler>() -> WorkQueue {
        WorkQueue {
            controller: R::CONTROLLER,
            workers: R::WORKERS,
            backoff: R::BACKOFF,
            busy: 0,
            keys: Vec::new(),
            waiting: VecDeque::new(),
            retry_bucket: Bucket::default(),
        }
    }

    fn key(&mut self, key: u32) -> &mut Key {
        let index = key as usize;
        if index >= self.keys.len() {
            self.keys.resize(index + 1, Key::default());
        }
        &mut self.keys[index]
    }

    /// Queues a key, at once.
    pub fn add(&mut self, key: u32, world: &mut World) {
        let cause = world.cause;
        let state = self.key(key);
        if state.processing {
            mark!("STS-104");
            state.dirty = true;
            state.cause = cause;
        } else if !state.queued {
            state.queued = true;
            state.cause = cause;
            let hop = world.draw(world.config.latency.queue_hop, Draw::Hop, u64::from(key), world.handled());
            world.after(hop, Event::Sync(self.controller, key, world.epoch(Process::ControllerManager)));
        }
    }

    /// Queues a key after a delay. Of several delays for one key the earliest counts (STS-100).
    pub fn add_after(&mut self, key: u32, delay: Duration, world: &mut World) {
        self.add_at(key, world.now() + delay, false, world);
    }

    fn add_at(&mut self, key: u32, due: Time, background: bool, world: &mut World) {
        let controller = self.controller;
        let state = self.key(key);
        if state.due.is_some_and(|earlier| earlier <= due) {
            return;
        }
        state.due = Some(due);
        state.token += 1;
        let event = Event::Requeue(controller, key, state.token);
        if background {
            world.background(due - world.now(), event);
        } else {
            world.at(due, event);
        }
    }

    /// Sets, moves or calls off the deadline of a key.
    fn set_deadline(&mut self, key: u32, deadline: Option<Time>, world: &mut World) {
        let controller = self.controller;
        let state = self.key(key);
        if state.deadline.map(|(time, _)| time) == deadline {
            return;
        }
        if let Some((_, timer)) = state.deadline.take() {
            world.cancel(timer);
        }
        if let Some(time) = deadline {
            let time = time.max(world.now());
            state.deadline = Some((time, world.timer(time, Event::Requeue(controller, key, DEADLINE))));
        }
    }

    /// Queues a key that failed, after its back-off (STS-105).
    fn add_rate_limited(&mut self, key: u32, world: &mut World) {
        mark!("STS-105");
        let usual = (world.config.timers.queue_backoff, world.config.timers.queue_backoff_max);
        let (base, most) = self.backoff.unwrap_or(usual);
        let failures = self.key(key).failures;
        self.key(key).failures = failures.saturating_add(1);
        let backoff = base.times(1u64.checked_shl(failures).unwrap_or(u64::MAX)).min(most);
        let bucket = self.retry_bucket.take(world.now(), 10, 100);
        // A back-off that has grown long is endless as far as "settled" goes: only a change from outside ends it.
        let background = backoff >= Duration::from_secs(2);
        self.add_at(key, (world.now() + backoff).max(bucket), background, world);
    }

    fn take(&mut self, key: u32) -> bool {
        if self.busy >= self.workers {
            self.waiting.push_back(key);
            return false;
        }
        let state = self.key(key);
        state.queued = false;
        state.processing = true;
        self.busy += 1;
        true
    }

    fn done(&mut self, key: u32, world: &mut World) {
        self.busy = self.busy.saturating_sub(1);
        let state = self.key(key);
        state.processing = false;
        if std::mem::take(&mut state.dirty) {
            let cause = world.cause;
            world.cause = state.cause;
            self.add(key, world);
            world.cause = cause;
        }
        if let Some(next) = self.waiting.pop_front() {
            let epoch = world.epoch(Process::ControllerManager);
            world.after(Duration::ZERO, Event::Sync(self.controller, next, epoch));
        }
    }
}

/// A token bucket, in exact nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// When the bucket would be full again.
    full_at: Time,
}

impl Bucket {
    /// Takes a token; the instant at which it is to be had.
    pub(super) fn take(&mut self, now: Time, per_second: u64, burst: u64) -> Time {
        if per_second == 0 {
            return now;
        }
        let one = Duration::from_nanos(1_000_000_000 / per_second);
        let filled = self.full_at.max(now) + one;
        self.full_at = filled;
        let slack = one.times(burst);
        Time::from_nanos(filled.as_nanos().saturating_sub(slack.as_nanos())).max(now)
    }
}

#[derive(Clone, Debug)]
struct Running<C> {
    key: u32,
    plan: Plan<C>,
    next: usize,
    /// When the calls of the present group were sent.
    sent: Time,
    /// Outcome of the calls so far; one bit a call, newest lowest.
    succeeded: u64,
    failed_group: Option<u32>,
}

/// A controller with its queue and its plans under way.
#[derive(Clone, Debug)]
pub struct Runner<R: Reconciler> {
    /// The controller.
    pub controller: R,
    /// Its queue.
    pub queue: WorkQueue,
    plans: Vec<Option<Running<R::Call>>>,
    free: Vec<u32>,
    client: Bucket,
    waits: Vec<Option<Wait>>,
}

impl<R: Reconciler + Default> Default for Runner<R> {
    fn default() -> Self {
        Runner {
            controller: R::default(),
            queue: WorkQueue::of::<R>(),
            plans: Vec::new(),
            free: Vec::new(),
            client: Bucket::default(),
            waits: Vec::new(),
        }
    }
}

impl<R: Reconciler> Runner<R> {
    /// Passes on a change.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        self.controller.observe(change, &mut self.queue, world);
    }

    /// What this controller waits for about a key, as of its last look.
    pub fn wait(&self, key: u32) -> Option<Wait> {
        self.waits.get(key as usize).copied().flatten()
    }

    /// When this controller looks at a key again by itself, and how often it has failed in a row.
    pub fn next_look(&self, key: u32) -> (Option<Time>, u32) {
        let state = self.queue.keys.get(key as usize).copied().unwrap_or_default();
        let deadline = state.deadline.map(|(time, _)| time);
        (state.due.into_iter().chain(deadline).min(), state.failures)
    }

    /// The process is gone: queue, back-offs and plans under way are lost.
    pub fn stop(&mut self) {
        self.queue = WorkQueue::of::<R>();
        self.plans.clear();
        self.free.clear();
        self.client = Bucket::default();
    }

    /// The process is back.
    pub fn restart(&mut self, world: &mut World) {
        self.controller.restart(&mut self.queue, world);
    }

    /// A delayed key is due.
    pub fn requeue(&mut self, key: u32, token: u32, world: &mut World) {
        let state = self.queue.key(key);
        if token == DEADLINE {
            state.deadline = None;
            self.queue.add(key, world);
        } else if state.token == token && state.due.is_some() {
            state.due = None;
            self.queue.add(key, world);
        }
    }

    /// A worker takes a key: the controller looks and decides.
    pub fn sync(&mut self, key: u32, world: &mut World) {
        if !self.queue.key(key).queued || !self.queue.take(key) {
            return;
        }
        world.actor = R::ACTOR;
        let plan = self.controller.reconcile(key, world);
        world.note(|| Moment::Began(R::CONTROLLER, key));
        if world.is_judged()
            && let Some(decision) = self.controller.decision(key, &plan)
        {
            world.note(|| Moment::Decided(decision));
        }
        let index = key as usize;
        if index >= self.waits.len() {
            self.waits.resize(index + 1, None);
        }
        if let Some(wait) = plan.wait {
            marks::note(wait.rule);
        }
        self.waits[index] = plan.wait;
        let sent = world.now();
        let running = Running { key, plan, next: 0, sent, succeeded: 0, failed_group: None };
        match self.free.pop() {
            Some(slot) => {
                self.plans[slot as usize] = Some(running);
                self.send_next(slot, world);
            }
            None => {
                self.plans.push(Some(running));
                self.send_next(u32::try_from(self.plans.len() - 1).unwrap_or(u32::MAX), world);
            }
        }
    }

    /// Sends the next call of a plan, or ends it.
    fn send_next(&mut self, slot: u32, world: &mut World) {
        let Some(running) = self.plans.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        while let Some(step) = running.plan.steps.get(running.next) {
            let dropped = !step.always && running.failed_group.is_some_and(|group| group < step.group);
            let needed = (1u64 << u32::from(step.needs).min(63)) - 1;
            if !dropped && running.succeeded & needed == needed {
                break;
            }
            running.next += 1;
            running.succeeded <<= 1;
        }
        let Some(step) = running.plan.steps.get(running.next) else {
            self.finish(slot, world);
            return;
        };
        let new_group = running.next == 0 || running.plan.steps[running.next - 1].group != step.group;
        if new_group {
            running.sent = world.now();
        }
        let (qps, burst) = (u64::from(world.config.client_qps), u64::from(world.config.client_burst));
        // A call that needs the one before it is sent when that has been answered.
        let sent = if step.needs > 0 { world.now() } else { running.sent };
        let allowed = self.client.take(sent, qps, burst);
        mark!("STS-106" if allowed > sent);
        let arrives = (allowed + world.api_delay(R::ACTOR)).max(world.now());
        world.at(arrives, Event::Call(R::CONTROLLER, slot, world.epoch(Process::ControllerManager)));
    }

    /// A call reaches the API server.
    pub fn call(&mut self, slot: u32, world: &mut World) {
        let Some(running) = self.plans.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let key = running.key;
        let Some(Step { call, rule, group, always, .. }) = running.plan.steps.get(running.next).cloned()
        else {
            return;
        };
        running.next += 1;
        let after_failure = always && running.failed_group.is_some();
        mark!("STS-78" if after_failure && R::CONTROLLER == Controller::StatefulSet);
        world.actor = R::ACTOR;
        let outcome = self.controller.execute(key, &call, rule, world);
        let Some(running) = self.plans.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        running.succeeded = running.succeeded << 1 | u64::from(outcome.is_ok());
        if outcome.is_err() && running.failed_group.is_none() {
            running.failed_group = Some(group);
        }
        self.send_next(slot, world);
    }

    fn finish(&mut self, slot: u32, world: &mut World) {
        let Some(running) = self.plans.get_mut(slot as usize).and_then(Option::take) else { return };
        self.free.push(slot);
        let key = running.key;
        world.note(|| Moment::Ended(R::CONTROLLER, key));
        let failed = running.failed_group.is_some() || running.plan.then == Then::Retry;
        if failed {
            let failures = self.queue.key(key).failures;
            if R::MAX_RETRIES.is_none_or(|most| failures < most) {
                self.queue.add_rate_limited(key, world);
                mark!("RS-10" if R::CONTROLLER == Controller::ReplicaSet);
            } else {
                mark!("DEP-21" if R::CONTROLLER == Controller::Deployment);
                self.queue.key(key).failures = 0;
            }
        } else {
            self.queue.key(key).failures = 0;
            match running.plan.then {
                Then::After(delay) => self.queue.add_after(key, delay, world),
                Then::At(time) => self.queue.add_at(key, time.max(world.now()), false, world),
                Then::Deadline(_) | Then::Done | Then::Retry => {}
            }
            let deadline = if let Then::Deadline(time) = running.plan.then { Some(time) } else { None };
            self.queue.set_deadline(key, deadline, world);
        }
        self.queue.done(key, world);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        let start = Time::from_secs(5);
        for _ in 0..30 {
            assert_eq!(bucket.take(start, 20, 30), start);
        }
        assert_eq!(bucket.take(start, 20, 30), start + Duration::from_millis(50));
        assert_eq!(bucket.take(start, 20, 30), start + Duration::from_millis(100));
    }
}
