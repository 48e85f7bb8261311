//! Nodes and pods that work more slowly (fault `slow:`): a busy machine, a throttled disk, a process without CPU.
//!
//! What the kubelet and the containers do takes so many times as long: pulls, mounts, sandboxes, starts, getting ready,
//! the answer to SIGTERM (but never longer than the grace period), unmounts, and the news of a pod on its way to the API.
//! What is under way keeps its pace. Left out: leases and node status, which a busy machine keeps up for longest, and
//! timeouts of single probes.
use super::Kubelets;
use super::worker::What;
use crate::api::objects::{Node, Pod};
use crate::kernel::{Duration, Id};
use std::collections::BTreeMap;

/// How many times as long things take, where that is not once.
#[derive(Clone, Debug, Default)]
pub(super) struct Slowness {
    nodes: BTreeMap<Id<Node>, u32>,
    pods: BTreeMap<Id<Pod>, u32>,
}

impl Kubelets {
    /// Everything on a node takes so many times as long; 1: as usual.
    pub fn slow_node(&mut self, node: Id<Node>, factor: u32) {
        self.slowness.nodes.remove(&node);
        if factor > 1 {
            self.slowness.nodes.insert(node, factor);
        }
    }

    /// Everything about the pod of this name takes so many times as long; 1: as usual.
    pub fn slow_pod(&mut self, pod: Id<Pod>, factor: u32) {
        self.slowness.pods.remove(&pod);
        if factor > 1 {
            self.slowness.pods.insert(pod, factor);
        }
    }

    /// True if `slow_node` has not ended.
    pub fn is_node_slow(&self, node: Id<Node>) -> bool {
        self.slowness.nodes.contains_key(&node)
    }

    /// True if `slow_pod` has not ended.
    pub fn is_pod_slow(&self, pod: Id<Pod>) -> bool {
        self.slowness.pods.contains_key(&pod)
    }

    /// How long what usually takes `usual` takes for a worker.
    pub(super) fn takes(&self, slot: u32, usual: Duration) -> Duration {
        let slow = &self.slowness;
        if slow.nodes.is_empty() && slow.pods.is_empty() {
            return usual;
        }
        let worker = &self.workers[slot];
        let pod = slow.pods.get(&worker.pod).copied().unwrap_or(1);
        self.work_on(worker.node, usual).times(u64::from(pod))
    }

    /// How long what usually takes `usual` takes on a node.
    pub(super) fn work_on(&self, node: Id<Node>, usual: Duration) -> Duration {
        usual.times(u64::from(self.slowness.nodes.get(&node).copied().unwrap_or(1)))
    }
}

impl What {
    /// It takes as long as the machine needs for it; everything else is a clock.
    pub(super) fn is_work(self) -> bool {
        use What::*;
        matches!(self, Mounted | Sandbox | Unpublished | Pulled | Started | Noticed)
    }
}
