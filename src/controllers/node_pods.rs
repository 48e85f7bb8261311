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
    /// By table position of the node, sorted.
    pods: Vec<Vec<Id<Pod>>>,
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

    /// The pods bound to a node, in order of their ids.
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
        let pods = &mut self.pods[node.index()];
        if let Err(place) = pods.binary_search(&pod) {
            make_room(pods);
            pods.insert(place, pod);
        }
    }

    fn take(&mut self, pod: Id<Pod>, node: Id<Node>) {
        let Some(pods) = self.pods.get_mut(node.index()) else { return };
        if let Ok(place) = pods.binary_search(&pod) {
            pods.remove(place);
        }
    }
}
