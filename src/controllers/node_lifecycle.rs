//! Node lifecycle: health and taints of nodes.
use crate::api::store::Change;
use crate::event::NodesEvent;
use crate::world::World;

/// Node lifecycle: health and taints of nodes.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle;

impl NodeLifecycle {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, _change: &Change, _world: &mut World) {}

    /// Something of its own is due.
    pub fn handle(&mut self, _event: NodesEvent, _world: &mut World) {}

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, _world: &mut World) {}
}
