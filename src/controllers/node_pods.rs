//! Which pods are bound to a node: the index over the shared pod informer that the node controllers look things up in
//! (`spec.nodeName`; pkg/controller/nodelifecycle, tainteviction and podgc each ask it).
use crate::api::kind::Kind;
use crate::api::objects::{Node, Pod};
use crate::api::store::Change;
use crate::event::Process;
use crate::kernel::{Id, make_room};
use crate::world::World;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct NodePods {
    /// By table position of the node.
    pods: Vec<Vec<Id<Pod>>>,
    /// By table position of the pod: its place in the list of its node.
    places: Vec<u32>,
}

impl NodePods {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, world: &World) {
        if change.kind != Kind::Pod {
            return;
        }
        let (old, new) = world.store.before_and_after::<Pod>(change);
        let (old, new) = (old.map_or(Id::NONE, |pod| pod.node), new.map_or(Id::NONE, |pod| pod.node));
        if old != new {
            self.take(change.id(), old);
            self.put(change.id(), new);
        }
    }

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, world: &World) {
        *self = NodePods::default();
        for (id, pod) in world.view(Process::ControllerManager).iter::<Pod>() {
            self.put(id, pod.node);
        }
    }

    /// The pods bound to a node, in no meaningful order.
    pub fn on(&self, node: Id<Node>) -> &[Id<Pod>] {
        self.pods.get(node.index()).map_or(&[], |pods| pods)
    }

    fn put(&mut self, pod: Id<Pod>, node: Id<Node>) {
        if node.is_none() {
            return;
        }
        if node.index() >= self.pods.len() {
            self.pods.resize_with(node.index() + 1, Vec::new);
        }
        if pod.index() >= self.places.len() {
            self.places.resize(pod.index() + 1, 0);
        }
        let pods = &mut self.pods[node.index()];
        self.places[pod.index()] = u32::try_from(pods.len()).unwrap_or(u32::MAX);
        make_room(pods);
        pods.push(pod);
    }

    fn take(&mut self, pod: Id<Pod>, node: Id<Node>) {
        if node.is_none() {
            return;
        }
        let place = self.places[pod.index()];
        let pods = &mut self.pods[node.index()];
        pods.swap_remove(place as usize);
        if let Some(moved) = pods.get(place as usize) {
            self.places[moved.index()] = place;
        }
    }
}
