//! The PV controller: binds claims and volumes.
use crate::api::store::Change;
use crate::controllers::claim_users::ClaimUsers;
use crate::event::BinderEvent;
use crate::world::World;

/// The PV controller: binds claims and volumes.
#[derive(Clone, Debug, Default)]
pub struct VolumeBinder;

impl VolumeBinder {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, _change: &Change, _world: &mut World) {}

    /// Something of its own is due.
    pub fn handle(&mut self, _event: BinderEvent, _users: &ClaimUsers, _world: &mut World) {}

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, _world: &mut World) {}
}
