//! The EndpointSlice controller.
use crate::api::status::Status;
use crate::api::store::Change;
use crate::controllers::plan::Plan;
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::event::Controller;
use crate::rule::Rule;
use crate::world::{Actor, World};

/// The EndpointSlice controller.
#[derive(Clone, Debug, Default)]
pub struct Endpoints;

impl Reconciler for Endpoints {
    type Call = ();
    const CONTROLLER: Controller = Controller::EndpointSlice;
    const ACTOR: Actor = Actor::EndpointSliceController;
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
