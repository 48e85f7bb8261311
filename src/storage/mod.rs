//! The CSI driver and the cloud behind it: external-provisioner, external-attacher, EBS.
//!
//! The two sidecars live in one process and forget everything when it stops; the cloud ([`ebs`]) goes on. They follow
//! `kubernetes-csi/external-provisioner` with sig-storage-lib, `kubernetes-csi/external-attacher` and the delays of
//! `aws-ebs-csi-driver`. How long the cloud takes is a rule of the scenario for the claim, or drawn.
mod attacher;
pub mod ebs;
mod provisioner;

use crate::api::kind::Kind;
use crate::api::names::{Name, Uid};
use crate::api::objects::{Attachment, Claim, Node, Volume};
use crate::api::store::Change;
use crate::behavior::{Glob, VolumeRule};
use crate::config::KubeletModel;
use crate::event::{Event, NodesEvent, Process, StorageEvent};
use crate::kernel::{Duration, Id, Latency};
use crate::rule::mark;
use crate::world::{Actor, Draw, World};
use ebs::Ebs;

/// A slow operation of the cloud.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CloudCall {
    /// CreateVolume.
    Provision,
    /// AttachVolume.
    Attach,
    /// DetachVolume.
    Detach,
}

/// What a fault does to calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hindrance {
    /// They take this much longer.
    Slow(Duration),
    /// They do not return.
    Stuck,
}

/// A call that hangs, to be continued when the fault is over.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Hanging {
    claim: String,
    call: CloudCall,
    event: StorageEvent,
}

/// The CSI controller with its sidecars, and EBS.
#[derive(Clone, Debug, Default)]
pub struct Csi {
    /// Cloud truth: outlives the process.
    pub cloud: Ebs,
    provisioner: provisioner::Provisioner,
    attacher: attacher::Attacher,
    hindrances: Vec<(CloudCall, Glob, Hindrance)>,
    hanging: Vec<Hanging>,
}

impl Csi {
    /// Hears of a change that its watches show.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        match change.kind {
            Kind::Node => self.provisioner.observe_node(change, world),
            Kind::Claim => self.claim_changed(change.id(), world),
            Kind::Volume => self.volume_changed(change.id(), world),
            Kind::Attachment => self.attachment_changed(change, world),
            _ => {}
        }
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: StorageEvent, world: &mut World) {
        world.actor = Actor::Provisioner;
        match event {
            StorageEvent::Provisioned(claim, uid) => self.provisioned(claim, uid, world),
            StorageEvent::ProvisionRetry(claim, uid) => self.provision_retry(claim, uid, world),
            StorageEvent::Delete(volume, uid) => self.delete_volume(volume, uid, world),
            StorageEvent::Deleted(volume, uid) => self.volume_deleted(volume, uid, world),
            StorageEvent::Terminated(node) => self.terminated(node, world),
            StorageEvent::Finalize(volume, uid) => self.finalize_volume(volume, uid, world),
            StorageEvent::Publish(..)
            | StorageEvent::Published(..)
            | StorageEvent::PublishRetry(..)
            | StorageEvent::Unpublished(..)
            | StorageEvent::Unmounted(..) => {
                world.actor = Actor::Attacher;
                self.handle_attacher(event, world);
            }
        }
    }

    /// The process is gone; the cloud stays as it is.
    pub fn stop(&mut self) {
        self.provisioner = provisioner::Provisioner::default();
        self.attacher = attacher::Attacher::default();
    }

    /// The process is back and has listed everything.
    pub fn restart(&mut self, world: &mut World) {
        self.provisioner.list_nodes(world);
        let view = world.view(Process::CsiController);
        let claims: Vec<Id<Claim>> = view.iter::<Claim>().map(|(id, _)| id).collect();
        let volumes: Vec<Id<Volume>> = view.iter::<Volume>().map(|(id, _)| id).collect();
        let attachments: Vec<(Id<Attachment>, Attachment)> =
            view.iter::<Attachment>().map(|(id, attachment)| (id, *attachment)).collect();
        for (id, attachment) in &attachments {
            self.attacher.index(*id, attachment);
        }
        world.actor = Actor::Attacher;
        for (id, _) in attachments {
            self.look_at_attachment(id, world);
        }
        world.actor = Actor::Provisioner;
        claims.into_iter().for_each(|id| self.claim_changed(id, world));
        volumes.into_iter().for_each(|id| self.volume_changed(id, world));
    }

    // ---- Queries ---------------------------------------------------------------------------------------------------

    /// The machine a disk is attached to, attaching to or detaching from.
    pub fn node_of_disk(&self, disk: u32) -> Option<Id<Node>> {
        self.cloud.disk(disk)?.state.node()
    }

    /// True if the disk of this volume is attached to this machine in the cloud.
    pub fn is_attached(&self, world: &World, volume: Id<Volume>, node: Id<Node>) -> bool {
        let disk = world.store.get(volume).map_or(0, |volume| volume.disk);
        self.cloud.disk(disk).is_some_and(|disk| {
            matches!(disk.state, ebs::DiskState::Attached(n) | ebs::DiskState::Detaching(n) if n == node)
        })
    }

    // ---- Faults ----------------------------------------------------------------------------------------------------

    /// Calls for volumes of matching claims do not return any more.
    pub fn stick(&mut self, call: CloudCall, claims: Glob) {
        self.hindrances.push((call, claims, Hindrance::Stuck));
    }

    /// Calls for volumes of matching claims take longer by this much.
    pub fn slow(&mut self, call: CloudCall, claims: Glob, by: Duration) {
        self.hindrances.push((call, claims, Hindrance::Slow(by)));
    }

    /// Ends what `stick` and `slow` began for the same target; calls that hang go on.
    pub fn unstick(&mut self, call: CloudCall, claims: &Glob, world: &mut World) {
        self.hindrances.retain(|(what, pattern, _)| *what != call || pattern != claims);
        let hanging = std::mem::take(&mut self.hanging);
        for stuck in hanging {
            if stuck.call == call && self.hindrance(call, &stuck.claim) != Some(Hindrance::Stuck) {
                let rule = world.config.behavior.volume(&stuck.claim);
                let latency = latency_of(world, call, rule);
                let delay = world.draw(latency, draw_of(call), 0, world.handled());
                world.delay(delay, Event::Storage(stuck.event));
            } else {
                self.hanging.push(stuck);
            }
        }
    }

    /// True if a call for the volume of this claim does not return (fault `stick`).
    pub fn is_stuck(&self, call: CloudCall, claim: &str) -> bool {
        self.hindrance(call, claim) == Some(Hindrance::Stuck)
    }

    /// True if `stick` or `slow` for this target is not undone.
    pub fn is_hindered(&self, call: CloudCall, claims: &Glob) -> bool {
        self.hindrances.iter().any(|(what, pattern, _)| *what == call && pattern == claims)
    }

    /// The machine is told to terminate; the cloud takes a while until it says that there is none (LAT-24).
    pub fn terminate(&mut self, node: Id<Node>, world: &mut World) {
        let latency = world.config.latency.terminate;
        let delay = world.draw(latency, Draw::Stop, u64::from(node.as_u32()) | 1 << 40, world.handled());
        world.delay(delay, Event::Storage(StorageEvent::Terminated(node)));
    }

    /// The cloud has no such machine any more, and lets go of the disks it had (LAT-17).
    fn terminated(&mut self, node: Id<Node>, world: &mut World) {
        world.terminated.insert(node);
        self.cloud.release(node);
        world.after(Duration::ZERO, Event::Nodes(NodesEvent::MachineChanged(node)));
    }

    /// The disk of a volume is gone, with all that was on it.
    pub fn lose_disk(&mut self, volume: Id<Volume>, world: &World) {
        if let Some(volume) = world.store.get(volume) {
            self.cloud.lose(volume.disk);
        }
    }

    fn hindrance(&self, call: CloudCall, claim: &str) -> Option<Hindrance> {
        self.hindrances
            .iter()
            .rev()
            .find(|(what, pattern, _)| *what == call && pattern.matches(claim))
            .map(|(_, _, hindrance)| *hindrance)
    }

    /// Starts a call of the cloud for a claim's volume; `event` comes when it has returned and the sidecar has written
    /// what follows. False: it hangs.
    fn call(
        &mut self,
        call: CloudCall,
        claim: Name,
        key: u64,
        event: StorageEvent,
        world: &mut World,
    ) -> bool {
        let matters = !world.config.behavior.volumes.is_empty() || !self.hindrances.is_empty();
        let claim = if matters { world.store.name_of(claim) } else { String::new() };
        let rule = world.config.behavior.volume(&claim);
        let latency = latency_of(world, call, rule);
        let mut delay = world.draw(latency, draw_of(call), key, world.handled());
        let drawn = matches!(latency, Latency::Uniform(..) | Latency::LogNormal { .. });
        if drawn && world.config.kubelet == KubeletModel::Realistic {
            mark!("VOL-53", "VOL-54");
            delay = noticed(call, delay);
        }
        match self.hindrance(call, &claim) {
            Some(Hindrance::Stuck) => {
                self.hanging.push(Hanging { claim, call, event });
                return false;
            }
            Some(Hindrance::Slow(by)) => delay = delay + by,
            None => {}
        }
        let write = world.api_delay(world.actor);
        world.delay(delay + write, Event::Storage(event));
        !delay.is_never()
    }
}

fn draw_of(call: CloudCall) -> Draw {
    match call {
        CloudCall::Provision => Draw::Provision,
        CloudCall::Attach => Draw::Attach,
        CloudCall::Detach => Draw::Detach,
    }
}

fn latency_of(world: &World, call: CloudCall, rule: Option<&VolumeRule>) -> Latency {
    let latency = &world.config.latency;
    let (given, default) = match call {
        CloudCall::Provision => (rule.and_then(|rule| rule.provision), latency.provision),
        CloudCall::Attach => (rule.and_then(|rule| rule.attach), latency.attach),
        CloudCall::Detach => (rule.and_then(|rule| rule.detach), latency.detach),
    };
    given.unwrap_or(default)
}

/// When the driver notices that the cloud is done: it polls after 1.25 s and then 0.5 s x1.5^n (create), or at once and
/// then 1 s x1.8^n (attach, detach) (VOL-54, DEF-72, DEF-73).
fn noticed(call: CloudCall, done: Duration) -> Duration {
    let (first, step, factor) = match call {
        CloudCall::Provision => (1_250, 500, 15),
        CloudCall::Attach | CloudCall::Detach => (0, 1_000, 18),
    };
    let (mut look, mut step) = (Duration::from_millis(first), step);
    for _ in 0..13 {
        if look >= done {
            break;
        }
        look = look + Duration::from_millis(step);
        step = step * factor / 10;
    }
    look.max(done)
}

/// The back-off after this many failures in a row (VOL-14, VOL-50).
fn backoff(world: &World, failures: u32) -> Duration {
    let timers = &world.config.timers;
    timers.csi_backoff.times(1u64.checked_shl(failures).unwrap_or(u64::MAX)).min(timers.csi_backoff_max)
}

/// A key for draws about an incarnation of an object.
fn draw_key(index: u32, uid: Uid) -> u64 {
    u64::from(index) << 32 | u64::from(uid.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_notices_at_its_polls() {
        let ms = Duration::from_millis;
        for (call, done, seen) in [
            (CloudCall::Attach, 0, 0),
            (CloudCall::Attach, 900, 1_000),
            (CloudCall::Attach, 1_500, 2_800),
            (CloudCall::Detach, 3_000, 6_040),
            (CloudCall::Detach, 6_100, 11_872),
            (CloudCall::Provision, 900, 1_250),
            (CloudCall::Provision, 1_600, 1_750),
            (CloudCall::Provision, 1_800, 2_500),
        ] {
            assert_eq!(noticed(call, ms(done)), ms(seen), "{call:?} {done}");
        }
    }
}
