//! kube-scheduler.
use crate::api::store::Change;
use crate::event::SchedulerEvent;
use crate::world::World;

/// kube-scheduler.
#[derive(Clone, Debug, Default)]
pub struct Scheduler;

impl Scheduler {
    /// Hears of a change that its watches show.
    pub fn observe(&mut self, _change: &Change, _world: &mut World) {}

    /// Something of its own is due.
    pub fn handle(&mut self, _event: SchedulerEvent, _world: &mut World) {}

    /// The process has started and listed everything; nothing of its former life is left.
    pub fn restart(&mut self, _world: &mut World) {}
}
