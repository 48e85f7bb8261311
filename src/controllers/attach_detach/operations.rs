//! Attach and detach operations of the attach/detach controller, step by step.
//!
//! Follows `operation_generator.go` (GenerateAttachVolumeFunc, GenerateDetachVolumeFunc) and `csi_attacher.go`: an
//! attach creates the VolumeAttachment and looks at it every half second; a detach takes the volume out of
//! node.status.volumesAttached, verifies, deletes the VolumeAttachment and waits for it to be gone.
use super::pairs::{Actual, Backoff, Operation, OperationKind, Pair};
use super::{AttachDetach, take_of};
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::event::{BinderEvent, Event, Process};
use crate::kernel::{Duration, Id, Time};
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, Draw, World};
use std::sync::Arc;

/// A wait for a VolumeAttachment ends after this (VOL-33).
const WAIT_LIMIT: Duration = Duration::from_secs(120);
/// The longest interval between two looks.
const LONGEST_POLL: Duration = Duration::from_secs(7);

/// The first look at a VolumeAttachment after `now`, for a wait that began at `since`: 0.5 s, then intervals x1.05,
/// each with 10 % of jitter (VOL-33, DEF-65).
fn next_poll(world: &World, key: u64, since: Time, now: Time) -> Time {
    let mut interval = world.config.timers.csi_poll;
    let mut look = since;
    for step in 0u64.. {
        let jitter = world.chooser.below(Draw::Jitter as u32, key, step, interval.as_nanos() / 10 + 1);
        look = look + interval + Duration::from_nanos(jitter);
        if look > now || interval == Duration::ZERO {
            break;
        }
        interval = Duration::from_nanos(interval.as_nanos() / 100 * 105).min(LONGEST_POLL);
    }
    look.max(now)
}

/// The VolumeAttachment of a pair as the watch shows it.
fn seen(world: &World, volume: Id<Volume>, node: Id<Node>) -> Option<&Attachment> {
    let name = Name::of_attachment(volume.as_u32(), node.as_u32());
    world.view(Process::ControllerManager).find::<Attachment>(Sym::EMPTY, name).map(|(_, found)| found)
}

impl AttachDetach {
    /// Begins an operation: its first write commits after the API's latency, counted from `from`.
    pub(super) fn begin(&mut self, slot: u32, operation: Operation, from: Time, world: &mut World) -> Time {
        let commits = from + world.api_delay(Actor::AttachDetach);
        self.go_on(slot, operation, commits, world);
        commits
    }

    /// Goes on with an operation at an instant.
    fn go_on(&mut self, slot: u32, operation: Operation, at: Time, world: &mut World) {
        self.tokens = self.tokens.wrapping_add(1);
        let token = self.tokens;
        if self.pairs.get(slot).is_some() {
            self.pairs.change_work(slot, |work| (work.operation, work.token) = (operation, token));
            if !at.is_never() {
                world.at(at, Event::Binder(BinderEvent::Pair(slot, token)));
            }
        }
    }

    /// The next step of a pair's operation is due, or its back-off is over.
    pub(super) fn step(&mut self, slot: u32, token: u32, world: &mut World) {
        let work = self.pairs.work(slot);
        let Some(pair) = self.pairs.get(slot).filter(|_| work.token == token) else { return };
        let (volume, node) = pair.key();
        match work.operation {
            Operation::None => self.look_at((volume, node), world),
            Operation::Create => self.create(slot, volume, node, world),
            Operation::AwaitAttached(_) => self.look_at_attach(slot, volume, node, world),
            Operation::Unreport(verify) => self.unreport(slot, verify, volume, node, world),
            Operation::Delete => self.delete(slot, volume, node, world),
            Operation::AwaitGone(_) => {
                if seen(world, volume, node).is_none() {
                    self.detached(slot, world);
                }
            }
        }
    }

    /// The VolumeAttachment of a pair has changed: a waiting operation notices at its next look.
    pub(super) fn attachment_seen(&mut self, slot: u32, world: &mut World) {
        let work = self.pairs.work(slot);
        let Some(pair) = self.pairs.get(slot).filter(|_| work.operation != Operation::None) else { return };
        let found = seen(world, pair.volume, pair.node());
        let (since, due) = match work.operation {
            Operation::AwaitAttached(since) => (
                since,
                found.is_some_and(|va| va.attached || va.attach_error.is_set() || va.meta.is_terminating()),
            ),
            Operation::AwaitGone(since) => (since, found.is_none()),
            _ => return,
        };
        if due {
            let key = u64::from(pair.volume.as_u32()) << 32 | u64::from(pair.node().as_u32());
            mark!("VOL-33");
            let look = next_poll(world, key ^ since.as_nanos(), since, world.now());
            world.at(look, Event::Binder(BinderEvent::Pair(slot, work.token)));
        }
    }

    // ---- Attach ----------------------------------------------------------------------------------------------------

    /// The VolumeAttachment is created (VOL-30).
    fn create(&mut self, slot: u32, volume: Id<Volume>, node: Id<Node>, world: &mut World) {
        let name = Name::of_attachment(volume.as_u32(), node.as_u32());
        let attachment = Attachment {
            meta: Meta { name, ..Meta::default() },
            volume,
            node,
            attached: false,
            attach_error: AttachError::None,
        };
        // One that exists already is waited for all the same.
        if world.store.attachments.find(Sym::EMPTY, name).is_none()
            && let Err(error) = world.create(attachment, Rule::vol(30))
        {
            self.attach_failed(slot, &format!("attacher.Attach failed: {error}"), world);
            return;
        }
        self.wait(slot, Operation::AwaitAttached(world.now()), world);
    }

    fn wait(&mut self, slot: u32, operation: Operation, world: &mut World) {
        self.go_on(slot, operation, Time::NEVER, world);
        self.deadlines.push_back((world.now() + WAIT_LIMIT, slot, self.tokens));
        self.arm_deadline(world);
        self.attachment_seen(slot, world);
    }

    fn look_at_attach(&mut self, slot: u32, volume: Id<Volume>, node: Id<Node>, world: &mut World) {
        let Some(found) = seen(world, volume, node) else { return };
        if found.meta.is_terminating() {
            self.attach_failed(slot, "volume attachment is being deleted", world);
        } else if found.attach_error.is_set() {
            let (handle, volume) =
                world.store.volumes.last_known(volume).map_or_else(Default::default, |volume| {
                    (world.store.volume_handle(volume.disk), world.store.name_of(volume.meta.name))
                });
            let node = world.store.nodes.last_known(node).map(|node| node.meta.name);
            let node = world.store.name_of(node.unwrap_or_default());
            let message = found.attach_error.message(&handle, &volume, &node);
            self.attach_failed(slot, &message, world);
        } else if found.attached {
            self.attached(slot, world);
        }
    }

    fn attached(&mut self, slot: u32, world: &mut World) {
        self.operation_done(slot);
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        pair.set(Pair::REPORTED, true);
        let key = pair.key();
        self.to_report.insert((key.1, key.0));
        self.comes_to_node(slot, Actual::Attached);
        let name = world.store.volumes.last_known(key.0).map(|volume| volume.meta.name);
        for pod in self.pairs.pods(slot) {
            world.emit(pod, false, "SuccessfulAttachVolume", |world| {
                let name = world.store.name_of(name.unwrap_or_default());
                format!("AttachVolume.Attach succeeded for volume \"{name}\" ")
            });
        }
        self.operation_ended(key.0, world);
    }

    /// The volume may be on the node now; from then on it is taken for mounted until the node's next event (VOL-32).
    fn comes_to_node(&mut self, slot: u32, actual: Actual) {
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        let before = pair.actual();
        pair.set_actual(actual);
        if before == Actual::Detached {
            pair.set(Pair::MOUNTED, true);
            let (volume, node) = pair.key();
            self.fresh.insert((node, volume));
        }
    }

    /// No operation is under way about a pair any more, nor a back-off.
    fn operation_done(&mut self, slot: u32) {
        self.pairs.change_work(slot, |work| {
            (work.operation, work.token, work.backoff) = (Operation::None, 0, None);
        });
    }

    fn attach_failed(&mut self, slot: u32, why: &str, world: &mut World) {
        let Some(pair) = self.pairs.get(slot) else { return };
        let key = pair.key();
        mark!("VOL-36");
        self.comes_to_node(slot, Actual::Uncertain);
        let name = world.store.volumes.last_known(key.0).map(|volume| volume.meta.name);
        for pod in self.pairs.pods(slot) {
            world.emit(pod, true, "FailedAttachVolume", |world| {
                let name = world.store.name_of(name.unwrap_or_default());
                format!("AttachVolume.Attach failed for volume \"{name}\" : {why}")
            });
        }
        self.failed(slot, OperationKind::Attach, world);
    }

    // ---- Detach ----------------------------------------------------------------------------------------------------

    /// node.status.volumesAttached is written, then the node is looked at once more (VOL-31 steps 3 and 4).
    fn unreport(&mut self, slot: u32, verify: bool, volume: Id<Volume>, node: Id<Node>, world: &mut World) {
        self.to_report.insert((node, volume));
        if !self.report(node, world) {
            self.still_reported(slot);
            self.next_pass_looks(slot, world);
            return;
        }
        let in_use = world
            .store
            .nodes
            .get(node)
            .is_some_and(|node| verify && node.volumes_in_use.binary_search(&volume).is_ok());
        if !in_use {
            let read = world.config.latency.api_write;
            let read = world.draw(read, Draw::ApiWrite, u64::from(slot), world.handled());
            self.begin(slot, Operation::Delete, world.now() + read, world);
            return;
        }
        self.still_reported(slot);
        self.failed(slot, OperationKind::Detach, world);
    }

    /// A detach has not come about: the volume goes back into the status of its node.
    fn still_reported(&mut self, slot: u32) {
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        pair.set(Pair::REPORTED, pair.actual() == Actual::Attached);
        let (volume, node) = pair.key();
        self.to_report.insert((node, volume));
    }

    /// The operation is off without a back-off: the next pass of the loop decides anew.
    fn next_pass_looks(&mut self, slot: u32, world: &mut World) {
        self.tokens = self.tokens.wrapping_add(1);
        let token = self.tokens;
        self.pairs.change_work(slot, |work| (work.operation, work.token) = (Operation::None, token));
        world.background(
            world.config.timers.attach_detach_loop,
            Event::Binder(BinderEvent::Pair(slot, token)),
        );
    }

    /// The VolumeAttachment is deleted (VOL-31 step 5).
    fn delete(&mut self, slot: u32, volume: Id<Volume>, node: Id<Node>, world: &mut World) {
        let name = Name::of_attachment(volume.as_u32(), node.as_u32());
        if let Some((id, _)) = world.store.attachments.find(Sym::EMPTY, name)
            && world
                .delete(id, DeleteOptions::default(), Rule::vol(31))
                .is_err_and(|error| !error.is_not_found())
        {
            self.still_reported(slot);
            self.failed(slot, OperationKind::Detach, world);
            return;
        }
        self.wait(slot, Operation::AwaitGone(world.now()), world);
    }

    /// The pair counts as detached from now on.
    pub(super) fn detached(&mut self, slot: u32, world: &mut World) {
        self.operation_done(slot);
        self.no_longer_unwanted(slot, world);
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        pair.set_actual(Actual::Detached);
        pair.set(Pair::REPORTED, false);
        let volume = pair.volume;
        self.operation_ended(volume, world);
        self.pairs.forget_if_idle(slot);
    }

    // ---- Failures --------------------------------------------------------------------------------------------------

    /// The same kind of operation is tried again after the back-off (VOL-35).
    fn failed(&mut self, slot: u32, kind: OperationKind, world: &mut World) {
        let timers = world.config.timers;
        self.tokens = self.tokens.wrapping_add(1);
        let token = self.tokens;
        let Some(volume) = self.pairs.get(slot).map(|pair| pair.volume) else { return };
        let before = self.pairs.work(slot).backoff.filter(|backoff| backoff.kind == kind);
        let delay = before.map_or(timers.volume_backoff, |b| b.delay.times(2).min(timers.volume_backoff_max));
        mark!("VOL-35");
        let backoff = Backoff { kind, delay, until: world.now() + delay };
        self.pairs.change_work(slot, |work| {
            (work.operation, work.token, work.backoff) = (Operation::None, token, Some(backoff));
        });
        world.background(delay, Event::Binder(BinderEvent::Pair(slot, token)));
        self.operation_ended(volume, world);
    }

    /// An operation on a volume is over: others may begin.
    fn operation_ended(&mut self, volume: Id<Volume>, world: &mut World) {
        let keys: Vec<_> = self.pairs.of_volume(volume).map(|(_, pair)| pair.key()).collect();
        keys.into_iter().for_each(|key| self.look_at(key, world));
    }

    fn arm_deadline(&mut self, world: &mut World) {
        if let Some((time, ..)) = self.deadlines.front()
            && !std::mem::replace(&mut self.deadline_armed, true)
        {
            let epoch = world.epoch(Process::ControllerManager);
            world.background(time.elapsed_since(world.now()), Event::Binder(BinderEvent::Deadline(epoch)));
        }
    }

    /// Waits that have lasted too long fail; the pair is uncertain then (VOL-36).
    pub(super) fn deadline(&mut self, world: &mut World) {
        self.deadline_armed = false;
        while let Some((time, slot, token)) = self.deadlines.front().copied() {
            let work = self.pairs.work(slot);
            let pair = self.pairs.get(slot).filter(|_| work.token == token);
            let waits = pair.map(|pair| (work.operation, pair.key()));
            let waiting = matches!(waits, Some((Operation::AwaitAttached(_) | Operation::AwaitGone(_), _)));
            if waiting && time > world.now() {
                break;
            }
            self.deadlines.pop_front();
            match waits {
                Some((Operation::AwaitAttached(_), (volume, _))) => {
                    let disk = world.store.volumes.last_known(volume).map_or(0, |volume| volume.disk);
                    let why = format!(
                        "timed out waiting for external-attacher of ebs.csi.aws.com CSI driver to attach volume {}",
                        world.store.volume_handle(disk)
                    );
                    self.attach_failed(slot, &why, world);
                }
                Some((Operation::AwaitGone(_), _)) => {
                    if let Some(pair) = self.pairs.get_mut(slot) {
                        mark!("VOL-36");
                        pair.set_actual(Actual::Uncertain);
                    }
                    self.failed(slot, OperationKind::Detach, world);
                }
                _ => {}
            }
        }
        self.arm_deadline(world);
    }

    // ---- node.status.volumesAttached -------------------------------------------------------------------------------

    /// Writes what has changed about what is attached to a node into its status (VOL-29); a missing node is ignored.
    /// False if that has failed: it is still to be written.
    pub(super) fn report(&mut self, node: Id<Node>, world: &mut World) -> bool {
        let changed = take_of(&mut self.to_report, node);
        let Some(mut attached) = world.store.get(node).map(|node| Vec::clone(&node.volumes_attached)) else {
            return true;
        };
        let mut writes = false;
        attached.reserve_exact(changed.len());
        for &volume in &changed {
            let pair = self.pairs.slot((volume, node)).and_then(|slot| self.pairs.get(slot));
            let listed = pair.is_some_and(|pair| pair.is(Pair::REPORTED));
            match attached.binary_search(&volume) {
                Ok(at) if !listed => {
                    attached.remove(at);
                }
                Err(at) if listed => attached.insert(at, volume),
                _ => continue,
            }
            writes = true;
        }
        if writes
            && world.patch(node, Rule::vol(29), |node| node.volumes_attached = Arc::new(attached)).is_err()
        {
            self.to_report.extend(changed.into_iter().map(|volume| (node, volume)));
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn looks_come_every_half_second_and_then_more_slowly() {
        let world = World::new(1, Config::recorded());
        let since = Time::from_secs(10);
        let mut now = since;
        let mut looks = Vec::new();
        for _ in 0..40 {
            now = next_poll(&world, 7, since, now);
            looks.push(now);
        }
        let gaps: Vec<u64> = std::iter::once(since)
            .chain(looks.iter().copied())
            .zip(&looks)
            .map(|(a, b)| b.elapsed_since(a).as_millis())
            .collect();
        assert!((500..=550).contains(&gaps[0]), "{gaps:?}");
        assert!((525..=578).contains(&gaps[1]), "{gaps:?}");
        assert!(gaps[39] > 3_000 && gaps[39] <= 7_700, "{gaps:?}");
    }
}
