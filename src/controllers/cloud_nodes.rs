//! Cloud node lifecycle: Nodes whose machines the cloud has no more are deleted (NODE-29;
//! staging/src/k8s.io/cloud-provider/controllers/nodelifecycle/node_lifecycle_controller.go).
//!
//! The real one runs in the cloud controller manager and asks about every node that is not ready, every five seconds; here
//! only the tick is simulated at which the answer would be that there is none. It stops and starts with
//! kube-controller-manager. Left out: the taint of machines that are shut down.
use super::ticks::Ticks;
use crate::api::kind::Kind;
use crate::api::objects::{Node, NodeReady};
use crate::api::store::Change;
use crate::event::{Event, NodesEvent, Process};
use crate::kernel::Id;
use crate::rule::Rule;
use crate::world::{Actor, DeleteOptions, World};

/// Key of the loop (DEF-C1).
const LOOP: u64 = 9 << 32;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct CloudNodes {
    ticks: Ticks,
}

impl CloudNodes {
    /// Hears of a change.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        if change.kind == Kind::Node && !world.terminated.is_empty() {
            self.consider(change.id(), world);
        }
    }

    /// A machine is gone, or the cloud is asked about one.
    pub fn handle(&mut self, event: NodesEvent, world: &mut World) {
        world.actor = Actor::CloudNodes;
        match event {
            NodesEvent::Terminated(node) => self.consider(node, world),
            NodesEvent::AskCloud(node, epoch)
                if epoch == world.epoch(Process::ControllerManager) && is_lost(node, world) =>
            {
                world.emit(node, false, "DeletingNode", |world| {
                    let name = world.store.nodes.last_known(node).map(|node| node.meta.name);
                    let name = world.store.name_of(name.unwrap_or_default());
                    format!("Deleting node {name} because it does not exist in the cloud provider")
                });
                // Whoever was faster has done the same; what has failed is tried again at the next tick.
                let deleted = world.delete(node, DeleteOptions::default(), Rule::node(29));
                if deleted.is_err_and(|error| !error.is_not_found()) {
                    self.consider(node, world);
                }
            }
            _ => {}
        }
    }

    /// At its next tick the cloud will be asked about a node that is not ready.
    fn consider(&mut self, node: Id<Node>, world: &mut World) {
        if !is_lost(node, world) {
            return;
        }
        let now = world.now();
        let tick = self.ticks.after(world.config.timers.cloud_node_period, LOOP, now, world);
        let epoch = world.epoch(Process::ControllerManager);
        let delay = tick - now + world.api_delay(Actor::CloudNodes);
        world.after(delay, Event::Nodes(NodesEvent::AskCloud(node, epoch)));
    }

    /// The process has started and listed everything.
    pub fn restart(&mut self, world: &mut World) {
        self.ticks = Ticks::from_now(world);
        for node in world.terminated.clone() {
            self.consider(node, world);
        }
    }
}

/// The node is not ready, and the cloud has no machine for it.
fn is_lost(node: Id<Node>, world: &World) -> bool {
    let view = world.view(Process::ControllerManager);
    world.terminated.contains(&node) && view.get(node).is_some_and(|node| node.ready != NodeReady::True)
}
