//! What can be done to the cluster from outside: machines join, break and come back, networks are cut, processes stop
//! and start.
//!
//! One verb is one physical situation. A crash and a partition look alike to the API and have opposite consequences.
//! [`Cluster::carry_out`] does what a step of the vocabulary says and returns the [`Effect`]: what it did to whom, so
//! that `for:` can undo it and conditions can ask whether it lasts.
mod machines;
mod victims;

use crate::api::names::Uid;
use crate::api::objects::{Node, Pod};
use crate::behavior::Glob;
use crate::cluster::Cluster;
use crate::event::Process;
use crate::kernel::{Duration, Id, Latency};
use crate::scenario::faults::VolumeWork;
use crate::scenario::{Deed, Verb};
use crate::world::{Actor, Cut, CutId, Draw, Outcome, World, WriteFault};
pub use victims::Victims;

/// What a fault did.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Something that is over at once, or that undoes other things.
    Nothing,
    /// Containers of these pods were killed: it lasts until they run again or the pods are gone.
    Killed(Vec<(Id<Pod>, Uid)>),
    /// Nothing undoes it.
    Lasting,
    /// Pods or nodes were hit, and this verb undoes it.
    Hit(Verb, Victims),
    /// The network was cut.
    Cut(CutId),
    /// Processes were stopped.
    Stopped(Vec<Process>),
    /// A watch runs behind; before, it ran behind by this.
    Lagging(Process, Latency),
    /// Work with volumes is slow or hangs.
    Hindered(Vec<(VolumeWork, Glob)>),
    /// Nodes or pods are slow.
    Slowed(Victims),
    /// Writes go wrong.
    Disturbed(WriteFault),
    /// Processes end as soon as such a write has been made; and if they end for a while, these do.
    Ending(WriteFault, Vec<Process>),
}

impl Cluster {
    /// Does what a fault says.
    ///
    /// # Errors
    /// A sentence if a target names nothing.
    pub fn carry_out(&mut self, deed: &Deed) -> Result<Effect, String> {
        Ok(match deed {
            Deed::Hit(verb, targets) => {
                let victims = self.all_victims(targets)?;
                let effect = self.effect_of(*verb, &victims);
                self.inject(*verb, &victims);
                effect
            }
            Deed::Partition { targets, sides, direction } => {
                let nodes = self.nodes_of(targets)?;
                let cut = Cut { nodes: nodes.clone(), sides: *sides, direction: *direction };
                let id = self.world.links.cut(cut);
                self.relink(&nodes);
                Effect::Cut(id)
            }
            Deed::Stop(processes) => {
                processes.iter().for_each(|process| self.stop(*process));
                Effect::Stopped(processes.clone())
            }
            Deed::Start(processes) => {
                processes.iter().for_each(|process| self.start(*process));
                Effect::Nothing
            }
            Deed::Restart(processes) => {
                processes.iter().for_each(|process| self.stop(*process));
                processes.iter().for_each(|process| self.start(*process));
                Effect::Nothing
            }
            Deed::Lag(process, by) => {
                let before = self.world.extra_lag(*process);
                self.world.set_extra_lag(*process, *by);
                Effect::Lagging(*process, before)
            }
            Deed::Slow(targets, factor) => {
                let victims = self.all_victims(targets)?;
                self.slow(&victims, *factor);
                if *factor > 1 { Effect::Slowed(victims) } else { Effect::Nothing }
            }
            Deed::Hinder(works, by) => {
                for (work, claims) in works {
                    self.hinder(*work, claims, *by);
                }
                Effect::Hindered(works.clone())
            }
            Deed::Unhinder(works) => {
                self.unhinder(works);
                Effect::Nothing
            }
            Deed::Lose(claims) => {
                for volume in self.volumes_of(claims)? {
                    self.csi.lose_disk(volume, &self.world);
                }
                Effect::Lasting
            }
            Deed::WritesFail(fault) => {
                self.world.write_faults.push(fault.clone());
                match fault.outcome {
                    Outcome::Refused(_) | Outcome::Lost => Effect::Disturbed(fault.clone()),
                    Outcome::Stops(process) => Effect::Ending(fault.clone(), vec![process]),
                    Outcome::Restarts(_) => Effect::Ending(fault.clone(), Vec::new()),
                }
            }
            Deed::WritesPass => {
                self.world.write_faults.retain(|fault| !fault.is_of_server());
                Effect::Nothing
            }
        })
    }

    /// Whether there is anything that a fault would hit now.
    ///
    /// # Errors
    /// A sentence if a target names nothing.
    pub fn finds(&self, deed: &Deed) -> Result<(), String> {
        match deed {
            Deed::Hit(_, targets) | Deed::Slow(targets, _) | Deed::Partition { targets, .. } => {
                self.all_victims(targets).map(drop)
            }
            Deed::Lose(claims) => self.volumes_of(claims).map(drop),
            _ => Ok(()),
        }
    }

    fn hinder(&mut self, work: VolumeWork, claims: &Glob, by: Option<Duration>) {
        match (work, by) {
            (VolumeWork::Cloud(call), None) => self.csi.stick(call, claims.clone()),
            (VolumeWork::Cloud(call), Some(by)) => self.csi.slow(call, claims.clone(), by),
            (VolumeWork::Unmount, by) => self.kubelets.hinder_unmount(claims.clone(), by),
        }
    }

    fn unhinder(&mut self, works: &[(VolumeWork, Glob)]) {
        for (work, claims) in works {
            match work {
                VolumeWork::Cloud(call) => {
                    self.world.actor = Actor::Provisioner;
                    self.csi.unstick(*call, claims, &mut self.world);
                }
                VolumeWork::Unmount => {
                    self.world.actor = Actor::Kubelet;
                    self.kubelets.free_unmount(claims, &mut self.world);
                }
            }
        }
    }

    /// How long a fault lasts that undoes itself; None: until it is undone.
    pub fn lasts_by_itself(&self, deed: &Deed, number: u64) -> Option<Duration> {
        let world = &self.world;
        let reboots = matches!(deed, Deed::Hit(Verb::Reboot, _));
        reboots.then(|| world.draw(world.config.latency.reboot, Draw::Start, 0, number))
    }

    fn effect_of(&self, verb: Verb, victims: &Victims) -> Effect {
        let back = match (verb, victims) {
            (Verb::Crash, Victims::Pods(pods)) => {
                let store = &self.world.store;
                let living = |id: &Id<Pod>| store.pods.get(*id).map(|pod| (*id, pod.meta.uid));
                return Effect::Killed(pods.iter().filter_map(living).collect());
            }
            (Verb::Crash | Verb::Reboot | Verb::Shutdown, _) => Verb::Recover,
            (Verb::Hang, _) => Verb::Unhang,
            (Verb::Unready, _) => Verb::Ready,
            (Verb::StopKubelet, _) => Verb::StartKubelet,
            (Verb::StopProxy, _) => Verb::StartProxy,
            (Verb::Fail | Verb::Terminate, _) => return Effect::Lasting,
            (
                Verb::Recover
                | Verb::Heal
                | Verb::RestartKubelet
                | Verb::StartKubelet
                | Verb::StartProxy
                | Verb::RestartProxy
                | Verb::Unhang
                | Verb::Ready,
                _,
            ) => {
                return Effect::Nothing;
            }
        };
        Effect::Hit(back, victims.clone())
    }

    /// Undoes what a fault did, as far as nothing else has.
    pub fn undo(&mut self, effect: &Effect) {
        match effect {
            Effect::Nothing | Effect::Lasting | Effect::Killed(_) => {}
            Effect::Hit(verb, victims) => self.inject(*verb, victims),
            Effect::Cut(id) => {
                let nodes = self.world.links.mend(*id);
                self.relink(&nodes);
            }
            Effect::Stopped(processes) => processes.iter().for_each(|process| self.start(*process)),
            Effect::Lagging(process, before) => self.world.set_extra_lag(*process, *before),
            Effect::Hindered(works) => self.unhinder(works),
            Effect::Slowed(victims) => self.slow(victims, 1),
            Effect::Disturbed(fault) => self.forget(fault),
            Effect::Ending(fault, processes) => {
                self.forget(fault);
                processes.iter().for_each(|process| self.start(*process));
            }
        }
    }

    /// True as long as what a fault did is not undone, whoever undoes it.
    pub fn still_lasts(&self, effect: &Effect) -> bool {
        let (world, kubelets) = (&self.world, &self.kubelets);
        match effect {
            Effect::Nothing => false,
            Effect::Lasting => true,
            Effect::Killed(pods) => pods.iter().any(|(pod, uid)| {
                world.store.pods.get_uid(*pod, *uid).is_some() && !kubelets.is_running(*pod, *uid)
            }),
            Effect::Hit(Verb::StartKubelet, Victims::Nodes(nodes)) => {
                nodes.iter().any(|node| kubelets.is_kubelet_stopped(*node))
            }
            Effect::Hit(Verb::StartProxy, Victims::Nodes(nodes)) => {
                nodes.iter().any(|node| self.network.is_proxy_stopped(*node))
            }
            Effect::Hindered(works) => works.iter().any(|(work, claims)| match work {
                VolumeWork::Cloud(call) => self.csi.is_hindered(*call, claims),
                VolumeWork::Unmount => kubelets.is_unmount_hindered(claims),
            }),
            Effect::Hit(_, Victims::Nodes(nodes)) => nodes.iter().any(|node| kubelets.is_node_down(*node)),
            Effect::Hit(back, Victims::Pods(pods)) => pods.iter().any(|pod| match back {
                Verb::Unhang => kubelets.is_hung(*pod),
                _ => kubelets.is_unready(*pod),
            }),
            Effect::Cut(id) => world.links.has(*id),
            Effect::Stopped(processes) => processes.iter().any(|process| !world.is_running(*process)),
            Effect::Lagging(process, before) => world.extra_lag(*process) != *before,
            Effect::Slowed(Victims::Nodes(nodes)) => nodes.iter().any(|node| kubelets.is_node_slow(*node)),
            Effect::Slowed(Victims::Pods(pods)) => pods.iter().any(|pod| kubelets.is_pod_slow(*pod)),
            Effect::Disturbed(fault) => is_pending(fault, world),
            Effect::Ending(fault, processes) => {
                is_pending(fault, world) || processes.iter().any(|process| !world.is_running(*process))
            }
        }
    }

    fn slow(&mut self, victims: &Victims, factor: u32) {
        match victims {
            Victims::Nodes(nodes) => nodes.iter().for_each(|node| self.kubelets.slow_node(*node, factor)),
            Victims::Pods(pods) => pods.iter().for_each(|pod| self.kubelets.slow_pod(*pod, factor)),
        }
    }

    fn forget(&mut self, fault: &WriteFault) {
        let faults = &mut self.world.write_faults;
        if let Some(place) = faults.iter().position(|other| other.is_like(fault)) {
            faults.remove(place);
        }
    }

    /// The kubelets of these nodes notice what has become of their links.
    fn relink(&mut self, nodes: &[Id<Node>]) {
        self.world.actor = Actor::Kubelet;
        for node in nodes {
            self.kubelets.relink(*node, &mut self.world);
            self.kubelets.work_goes_on(*node, &mut self.world);
            self.network.relink(*node, &self.world);
        }
    }

    /// Hits pods or nodes.
    pub fn inject(&mut self, verb: Verb, victims: &Victims) {
        match victims {
            Victims::Pods(pods) => {
                for &pod in pods {
                    self.hit_pod(verb, pod);
                }
            }
            Victims::Nodes(nodes) => {
                for &node in nodes {
                    self.hit_node(verb, node);
                }
            }
        }
    }

    fn hit_pod(&mut self, verb: Verb, pod: Id<Pod>) {
        let world = &mut self.world;
        world.actor = Actor::Kubelet;
        match verb {
            Verb::Crash => self.kubelets.crash_pod(pod, world),
            Verb::Fail => self.kubelets.fail_pod(pod, world),
            Verb::Hang => self.kubelets.hang_pod(pod, true, world),
            Verb::Unhang => self.kubelets.hang_pod(pod, false, world),
            Verb::Unready => self.kubelets.set_ready(pod, false, world),
            Verb::Ready => self.kubelets.set_ready(pod, true, world),
            Verb::Recover
            | Verb::Heal
            | Verb::Reboot
            | Verb::Shutdown
            | Verb::Terminate
            | Verb::StopKubelet
            | Verb::StartKubelet
            | Verb::RestartKubelet
            | Verb::StopProxy
            | Verb::StartProxy
            | Verb::RestartProxy => {}
        }
    }

    fn hit_node(&mut self, verb: Verb, node: Id<Node>) {
        let world = &mut self.world;
        world.actor = Actor::Kubelet;
        match verb {
            Verb::Crash | Verb::Reboot => self.kubelets.crash_node(node, world),
            Verb::Shutdown => self.kubelets.shut_down_node(node, world),
            Verb::Terminate => {
                self.kubelets.terminate_node(node, world);
                self.csi.terminate(node, world);
            }
            Verb::StopKubelet => self.kubelets.stop_kubelet(node, world),
            Verb::StartKubelet => self.kubelets.start_kubelet(node, world),
            Verb::RestartKubelet => self.kubelets.restart_kubelet(node, world),
            Verb::StopProxy => self.network.stop_proxy(node, world),
            Verb::StartProxy => self.network.start_proxy(node, world),
            Verb::RestartProxy => {
                self.network.stop_proxy(node, world);
                self.network.start_proxy(node, world);
            }
            Verb::Recover => self.kubelets.recover_node(node, world),
            Verb::Heal => {
                world.links.heal(&[node]);
                self.relink(&[node]);
            }
            Verb::Fail | Verb::Hang | Verb::Unhang | Verb::Unready | Verb::Ready => {}
        }
    }
}

/// Something is left of a fault of writes.
fn is_pending(fault: &WriteFault, world: &World) -> bool {
    world.write_faults.iter().any(|other| other.is_like(fault) && !other.is_over())
}
