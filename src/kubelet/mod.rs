//! The kubelets and what really runs under them.
use crate::api::objects::{Node, Pod};
use crate::event::KubeletEvent;
use crate::kernel::Id;
use crate::world::World;

/// All kubelets.
#[derive(Clone, Debug, Default)]
pub struct Kubelets;

impl Kubelets {
    /// Something is due on a node.
    pub fn handle(&mut self, _event: KubeletEvent, _world: &mut World) {}

    /// A machine with a kubelet joins: the Node object exists, the kubelet starts.
    pub fn add_node(&mut self, _node: Id<Node>, _world: &mut World) {}

    /// Power loss: the kubelet is silent, containers are dead.
    pub fn crash_node(&mut self, _node: Id<Node>, _world: &mut World) {}

    /// A crashed machine comes back and finds no containers.
    pub fn recover_node(&mut self, _node: Id<Node>, _world: &mut World) {}

    /// The node is cut off from the API server; containers run on.
    pub fn partition_node(&mut self, _node: Id<Node>, _world: &mut World) {}

    /// The node reaches the API server again.
    pub fn heal_node(&mut self, _node: Id<Node>, _world: &mut World) {}

    /// The containers of a pod exit with 137 and restart in place.
    pub fn crash_pod(&mut self, _pod: Id<Pod>, _world: &mut World) {}

    /// The kubelet evicts the pod: phase Failed, reason Evicted.
    pub fn fail_pod(&mut self, _pod: Id<Pod>, _world: &mut World) {}

    /// Readiness of the pod goes to this value and stays there.
    pub fn set_ready(&mut self, _pod: Id<Pod>, _ready: bool, _world: &mut World) {}
}
