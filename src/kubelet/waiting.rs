//! What a kubelet waits for about a pod, for those who ask why nothing happens. Nothing here decides anything.
use super::Kubelets;
use super::worker::{Run, Stage, Step, What};
use crate::api::names::{Sym, Uid};
use crate::api::objects::{Node, Pod, Volume};
use crate::event::{Event, KubeletEvent};
use crate::kernel::{Id, Time};
use crate::world::World;
use std::sync::Arc;

/// What a kubelet waits for about a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KubeletWait {
    /// It knows nothing of the pod: it is off, cut off, or has not seen it yet.
    Unseen,
    /// Claims of the pod are not bound.
    Claims,
    /// These volumes are not reported as attached (VOL-41).
    Attach(Vec<Id<Volume>>),
    /// Volumes are being mounted.
    Mount,
    /// The sandbox is being made.
    Sandbox,
    /// A container's image is being pulled.
    Pull,
    /// Its pull has failed; the image (POD-19).
    PullBackoff(Sym),
    /// It is being started.
    Start,
    /// It has ended with this code, and is restarted after the back-off (POD-21).
    CrashBackoff(u8),
    /// It has ended and is about to be restarted.
    Restart,
    /// It runs and its readiness probe does not pass; the condition it depends on, if it has one.
    Readiness(Option<Arc<str>>),
    /// It runs and answers no probe: it hangs.
    Hung,
    /// It is kept unready from outside.
    HeldUnready,
    /// SIGTERM has been sent; SIGKILL follows at the end of the grace period (POD-33).
    Grace,
    /// Containers have stopped; volumes are being released (VOL-42).
    Unmount,
    /// All has stopped; the API server is to be told.
    Report,
    /// Nothing: it has done what there was to do.
    Nothing,
}

/// A wait of a kubelet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// For what.
    pub on: KubeletWait,
    /// When it will be over, if that is known.
    pub until: Option<Time>,
    /// The container it is about; empty: the whole pod.
    pub container: Sym,
}

/// Why nothing is heard of a kubelet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Silence {
    /// There is no such machine, or it is gone for good.
    NoMachine,
    /// The machine has no power.
    Off,
    /// The machine runs, its kubelet is stopped; containers run on.
    Stopped,
    /// It does not reach the API server, or is not reached; containers run on.
    CutOff,
    /// It has its network again, and not its watches yet.
    Reconnecting,
}

impl Kubelets {
    /// Why nothing is heard of the kubelet of a node; None: it reaches the API server and is reached.
    pub fn silence(&self, node: Id<Node>) -> Option<Silence> {
        let Some(machine) = self.machine(node).filter(|machine| !machine.gone) else {
            return Some(Silence::NoMachine);
        };
        match (machine.up, machine.stopped) {
            (false, _) => Some(Silence::Off),
            (true, true) => Some(Silence::Stopped),
            _ if machine.reaches() && machine.linked() => None,
            _ if machine.is_cut() => Some(Silence::CutOff),
            _ => Some(Silence::Reconnecting),
        }
    }

    /// What the kubelet of its node waits for about this incarnation of a pod.
    pub fn waiting(&self, pod: Id<Pod>, uid: Uid, world: &World) -> Waiting {
        let whole = |on| Waiting { on, until: None, container: Sym::EMPTY };
        let Some(slot) = self.workers.find(pod, uid) else { return whole(KubeletWait::Unseen) };
        let due = |whats: &[What], of: Option<usize>| self.due(slot, whats, of, world);
        let until = |on, whats: &[What]| Waiting { on, until: due(whats, None), container: Sym::EMPTY };
        match self.workers[slot].stage {
            Stage::Waiting => match self.unattached(slot, world) {
                volumes if volumes.is_empty() => until(KubeletWait::Claims, &[What::Claims]),
                volumes => whole(KubeletWait::Attach(volumes)),
            },
            Stage::Mounting => until(KubeletWait::Mount, &[What::Mounted]),
            Stage::Sandbox => until(KubeletWait::Sandbox, &[What::Sandbox]),
            Stage::Up => self.waiting_container(slot, world),
            Stage::Restarting => until(KubeletWait::Restart, &[What::AllStopped]),
            Stage::Stopping => until(KubeletWait::Grace, &[What::Stopped]),
            Stage::Stopped if self.workers.volumes(slot).is_empty() => {
                until(KubeletWait::Report, &[What::Delete])
            }
            Stage::Stopped => until(KubeletWait::Unmount, &[What::Unpublished, What::Delete]),
            Stage::Finished => whole(KubeletWait::Nothing),
        }
    }

    /// Volumes of a worker that are not reported as attached to its node.
    fn unattached(&self, slot: u32, world: &World) -> Vec<Id<Volume>> {
        let node = world.store.nodes.get(self.workers[slot].node);
        let attached = node.map(|node| node.volumes_attached.clone()).unwrap_or_default();
        let volumes = self.workers.volumes(slot).iter().copied();
        volumes.filter(|volume| attached.binary_search(volume).is_err()).collect()
    }

    /// The container that keeps a pod from being ready: the first in order.
    fn waiting_container(&self, slot: u32, world: &World) -> Waiting {
        let spec = world.store.pod_spec(self.workers[slot].spec);
        let name = |index| spec.container(index).map_or(Sym::EMPTY, |container| container.name);
        for (index, run) in self.workers.runs(slot).iter().enumerate() {
            let wait = |on, whats: &[What]| Waiting {
                on,
                until: self.due(slot, whats, Some(index), world),
                container: name(index),
            };
            return match run.step {
                Step::Pulling => wait(KubeletWait::Pull, &[What::Pulled]),
                Step::PullFailed | Step::PullBackoff => {
                    let image = spec.container(index).map_or(Sym::EMPTY, |container| container.image);
                    wait(KubeletWait::PullBackoff(image), &[What::PullRetry])
                }
                Step::Starting => wait(KubeletWait::Start, &[What::Started, What::Hooked]),
                Step::Exited => wait(KubeletWait::Restart, &[What::Noticed]),
                Step::Killing => wait(KubeletWait::Restart, &[What::Exit]),
                Step::Backoff => wait(KubeletWait::CrashBackoff(run.code()), &[What::Restart]),
                Step::Running if run.is(Run::HUNG) => wait(KubeletWait::Hung, &[What::Dead]),
                Step::Running if !run.is(Run::READY) => {
                    let pod = (self.workers[slot].pod, self.workers[slot].uid, index);
                    let asks = self.asking.get(&pod).and_then(|asking| asking.ready_when.clone());
                    let asks = asks.filter(|_| run.is(Run::CLOSED));
                    if asks.is_none() && self.is_unready(self.workers[slot].pod) {
                        return wait(KubeletWait::HeldUnready, &[]);
                    }
                    wait(KubeletWait::Readiness(asks), &[What::Ready, What::StartedUp])
                }
                Step::Idle | Step::Done | Step::Running => continue,
            };
        }
        if self.is_unready(self.workers[slot].pod) {
            return Waiting { on: KubeletWait::HeldUnready, until: None, container: Sym::EMPTY };
        }
        Waiting { on: KubeletWait::Nothing, until: None, container: Sym::EMPTY }
    }

    /// When the first of these will have happened to a worker, or to one of its containers.
    fn due(&self, slot: u32, whats: &[What], of: Option<usize>, world: &World) -> Option<Time> {
        let worker = &self.workers[slot];
        world.to_come().into_iter().find_map(|(time, event)| {
            let Event::Kubelet(KubeletEvent::Stage(pod, uid, token, index)) = event else { return None };
            let index = usize::from(index);
            let mine = (pod, uid) == (worker.pod, worker.uid) && of.is_none_or(|of| of == index);
            let what = if mine { self.workers.read(slot, index, token)? } else { return None };
            whats.contains(&what).then_some(time)
        })
    }

    /// The condition on which a container of this pod ends by itself, if it has one.
    pub fn exits_when(&self, pod: Id<Pod>, uid: Uid) -> Option<Arc<str>> {
        let of_pod = (pod, uid, 0)..=(pod, uid, usize::MAX);
        self.asking.range(of_pod).find_map(|(_, asking)| asking.exit_when.clone())
    }

    /// True if unmounting this volume from a machine hangs.
    pub fn unmount_is_stuck(&self, node: Id<Node>, volume: Id<Volume>) -> bool {
        let hangs =
            |machine: &super::Machine| machine.hanging.contains(&super::hindered::Hanging::Unmount(volume));
        self.machine(node).is_some_and(hangs)
    }
}
