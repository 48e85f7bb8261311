//! Taint eviction: pods leave nodes they do not tolerate.
use crate::api::store::Change;
use crate::event::NodesEvent;
use crate::world::World;

/// Taint eviction: pods leave nodes they do not tolerate.
#[derive(Clone, Debug, Default)]
pub struct TaintEviction;

impl TaintEviction {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, _change: &Change, _world: &mut World) {}

    /// Something of its own is due.
    pub fn handle(&mut self, _event: NodesEvent, _world: &mut World) {}

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, _world: &mut World) {}
}
