//! The garbage collector: owners and dependents.
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::store::Change;
use crate::world::World;

/// The garbage collector: owners and dependents.
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector;

impl GarbageCollector {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, _change: &Change, _world: &mut World) {}

    /// Looks at one object.
    pub fn handle(&mut self, _kind: Kind, _index: u32, _uid: Uid, _world: &mut World) {}

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, _world: &mut World) {}
}
