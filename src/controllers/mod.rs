//! The controllers of kube-controller-manager.
//!
//! Each reads the view of its process and writes through [`crate::world::World`]; none knows another. Controllers that
//! work through a queue of keys are [`runner::Reconciler`]s; the others handle events of their own. This file is the
//! registry: which controllers there are, and which hears of what.
pub mod attach_detach;
pub mod claim_users;
pub mod cloud_nodes;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod garbage_collector;
pub mod node_lifecycle;
pub mod node_pods;
pub mod plan;
pub mod pod_gc;
pub mod protection;
pub mod replica_set;
pub mod runner;
pub mod stateful_set;
pub mod taint_eviction;
pub mod ticks;
pub mod volume_binder;

use crate::api::store::Change;
use crate::event::{BinderEvent, Controller, Event, NodesEvent, Process};
use crate::world::{Actor, World};
use runner::Runner;

/// kube-controller-manager.
#[derive(Clone, Debug, Default)]
pub struct ControllerManager {
    /// statefulset-controller.
    pub stateful_set: Runner<stateful_set::StatefulSets>,
    /// deployment-controller.
    pub deployment: Runner<deployment::Deployments>,
    /// replicaset-controller.
    pub replica_set: Runner<replica_set::ReplicaSets>,
    /// disruption-controller.
    pub disruption: Runner<disruption::Budgets>,
    /// endpointslice-controller.
    pub endpoint_slice: Runner<endpoint_slice::Endpoints>,
    /// Which pods are bound to which node: the index of the shared pod informer.
    pub node_pods: node_pods::NodePods,
    /// node-lifecycle-controller.
    pub node_lifecycle: node_lifecycle::NodeLifecycle,
    /// cloud-node-lifecycle-controller.
    pub cloud_nodes: cloud_nodes::CloudNodes,
    /// taint-eviction-controller.
    pub taint_eviction: taint_eviction::TaintEviction,
    /// pod-garbage-collector-controller.
    pub pod_gc: pod_gc::PodGc,
    /// Which pods use which claim: the index of the shared pod informer.
    pub claim_users: claim_users::ClaimUsers,
    /// persistentvolume-binder-controller.
    pub volume_binder: volume_binder::VolumeBinder,
    /// persistentvolume-attach-detach-controller.
    pub attach_detach: attach_detach::AttachDetach,
    /// persistentvolumeclaim- and persistentvolume-protection-controller.
    pub protection: protection::Protection,
    /// garbage-collector-controller.
    pub garbage_collector: garbage_collector::GarbageCollector,
}

macro_rules! each {
    ($self:ident, $name:ident => $action:expr) => {{
        {
            let $name = &mut $self.stateful_set;
            $action;
        }
        {
            let $name = &mut $self.deployment;
            $action;
        }
        {
            let $name = &mut $self.replica_set;
            $action;
        }
        {
            let $name = &mut $self.disruption;
            $action;
        }
        {
            let $name = &mut $self.endpoint_slice;
            $action;
        }
    }};
}

impl ControllerManager {
    /// Every controller hears of a change.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        each!(self, controller => controller.observe(change, world));
        self.node_pods.observe(change, world);
        self.node_lifecycle.observe(change, world);
        self.cloud_nodes.observe(change, world);
        self.taint_eviction.observe(change, &self.node_pods, world);
        self.pod_gc.observe(change, &self.node_pods, world);
        self.claim_users.observe(change, world);
        self.volume_binder.observe(change, &self.claim_users, world);
        self.attach_detach.observe(change, &self.claim_users, world);
        self.protection.observe(change, world);
        self.garbage_collector.observe(change, world);
    }

    /// Handles an event of one of the controllers.
    pub fn handle(&mut self, event: Event, world: &mut World) {
        let current = |epoch: u32| epoch == world.epoch(Process::ControllerManager);
        match event {
            Event::Sync(which, key, epoch) if current(epoch) => self.sync(which, key, world),
            Event::Call(which, slot, epoch) if current(epoch) => self.call(which, slot, world),
            Event::Requeue(which, key, token) => self.requeue(which, key, token, world),
            Event::Nodes(event) => self.nodes(event, world),
            Event::Binder(event) => self.volumes(event, world),
            Event::Collect(kind, index, uid) => {
                world.actor = Actor::GarbageCollector;
                self.garbage_collector.handle(kind, index, uid, world);
            }
            _ => {}
        }
    }

    fn sync(&mut self, which: Controller, key: u32, world: &mut World) {
        match which {
            Controller::StatefulSet => self.stateful_set.sync(key, world),
            Controller::Deployment => self.deployment.sync(key, world),
            Controller::ReplicaSet => self.replica_set.sync(key, world),
            Controller::Disruption => self.disruption.sync(key, world),
            Controller::EndpointSlice => self.endpoint_slice.sync(key, world),
        }
    }

    fn call(&mut self, which: Controller, slot: u32, world: &mut World) {
        match which {
            Controller::StatefulSet => self.stateful_set.call(slot, world),
            Controller::Deployment => self.deployment.call(slot, world),
            Controller::ReplicaSet => self.replica_set.call(slot, world),
            Controller::Disruption => self.disruption.call(slot, world),
            Controller::EndpointSlice => self.endpoint_slice.call(slot, world),
        }
    }

    fn requeue(&mut self, which: Controller, key: u32, token: u32, world: &mut World) {
        match which {
            Controller::StatefulSet => self.stateful_set.requeue(key, token, world),
            Controller::Deployment => self.deployment.requeue(key, token, world),
            Controller::ReplicaSet => self.replica_set.requeue(key, token, world),
            Controller::Disruption => self.disruption.requeue(key, token, world),
            Controller::EndpointSlice => self.endpoint_slice.requeue(key, token, world),
        }
    }

    fn nodes(&mut self, event: NodesEvent, world: &mut World) {
        match event {
            NodesEvent::Evict(..) => {
                world.actor = Actor::TaintEviction;
                self.taint_eviction.handle(event, world);
            }
            NodesEvent::MachineChanged(_) | NodesEvent::AskCloud(..) => self.cloud_nodes.handle(event, world),
            NodesEvent::PodGc(_) | NodesEvent::PodGcCall(..) => {
                world.actor = Actor::PodGc;
                self.pod_gc.handle(event, &self.node_pods, world);
            }
            _ => {
                world.actor = Actor::NodeController;
                self.node_lifecycle.handle(event, &self.node_pods, world);
            }
        }
    }

    fn volumes(&mut self, event: BinderEvent, world: &mut World) {
        match event {
            BinderEvent::Claims(_)
            | BinderEvent::Volumes(_)
            | BinderEvent::HandOver(..)
            | BinderEvent::Resync(_) => {
                world.actor = Actor::VolumeController;
                self.volume_binder.handle(event, &self.claim_users, world);
            }
            BinderEvent::ProtectClaim(..)
            | BinderEvent::ProtectVolume(..)
            | BinderEvent::ClaimFinalizer(..)
            | BinderEvent::VolumeFinalizer(..) => {
                world.actor = Actor::VolumeController;
                self.protection.handle(event, &self.claim_users, world);
            }
            _ => {
                world.actor = Actor::AttachDetach;
                self.attach_detach.handle(event, world);
            }
        }
    }

    /// The process is gone: everything in memory is lost (DEF-C3).
    pub fn stop(&mut self) {
        *self = ControllerManager::default();
    }

    /// The process is back and has listed everything; each controller rebuilds what it keeps from its view.
    pub fn restart(&mut self, world: &mut World) {
        each!(self, controller => controller.restart(world));
        self.node_pods.restart(world);
        self.node_lifecycle.restart(world);
        self.cloud_nodes.restart(world);
        self.taint_eviction.restart(&self.node_pods, world);
        self.pod_gc.restart(&self.node_pods, world);
        self.claim_users.restart(world);
        self.volume_binder.restart(world);
        self.attach_detach.restart(world);
        self.protection.restart(world);
        self.garbage_collector.restart(world);
    }
}
