//! The CSI driver and the cloud behind it: external-provisioner, external-attacher, EBS.
use crate::api::store::Change;
use crate::event::StorageEvent;
use crate::world::World;

/// The CSI controller with its sidecars, and EBS.
#[derive(Clone, Debug, Default)]
pub struct Csi;

impl Csi {
    /// Hears of a change that its watches show.
    pub fn observe(&mut self, _change: &Change, _world: &mut World) {}

    /// Something of its own is due.
    pub fn handle(&mut self, _event: StorageEvent, _world: &mut World) {}

    /// The process is gone; the cloud stays as it is.
    pub fn stop(&mut self) {}

    /// The process is back and has listed everything.
    pub fn restart(&mut self, _world: &mut World) {}
}
