//! The StatefulSet controller.
use crate::api::status::Status;
use crate::api::store::Change;
use crate::controllers::plan::Plan;
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::event::Controller;
use crate::rule::Rule;
use crate::world::{Actor, World};

/// The StatefulSet controller.
#[derive(Clone, Debug, Default)]
pub struct StatefulSets;

impl Reconciler for StatefulSets {
    type Call = ();
    const CONTROLLER: Controller = Controller::StatefulSet;
    const ACTOR: Actor = Actor::StatefulSetController;
    const WORKERS: usize = 5;

    fn observe(&mut self, _change: &Change, _queue: &mut WorkQueue, _world: &mut World) {}

    fn reconcile(&mut self, _key: u32, _world: &mut World) -> Plan<()> {
        Plan::default()
    }

    fn execute(&mut self, _key: u32, _call: &(), _rule: Rule, _world: &mut World) -> Result<(), Status> {
        Ok(())
    }

    fn restart(&mut self, _queue: &mut WorkQueue, _world: &mut World) {}
}
