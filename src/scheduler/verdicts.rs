//! What the scheduler thinks of a pod now, node by node: for those who ask why it is not scheduled.
//!
//! It filters anew, on its own picture of the cluster (SCHED-10 to SCHED-17), and changes nothing.
use super::Scheduler;
use super::cache::State;
use super::filter::Context;
use super::messages::Reasons;
use crate::api::objects::{Node, Pod};
use crate::event::Process;
use crate::kernel::{Id, Time};
use crate::world::World;

/// What a plugin has against a node. A plugin that rejects a node has the last word about it, with all its reasons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The node.
    pub node: Id<Node>,
    /// The plugin; empty: nothing is wrong with the node.
    pub plugin: &'static str,
    /// Its reason.
    pub reason: &'static str,
}

/// Where a pod that has no node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is no pod of this scheduler: schedulerName names another.
    Foreign,
    /// It has scheduling gates (SCHED-2).
    Gated,
    /// Its turn comes at the next cycle.
    InQueue,
    /// An attempt ended with an error: tried again then (SCHED-7).
    Backoff(Time),
    /// No node passes: tried again when something changes that a rejecting plugin cares for (SCHED-5).
    Unschedulable,
    /// A node is chosen; it waits for its claims to be bound there (SCHED-20).
    Binding,
    /// It is not known to it (yet).
    Unknown,
}

impl Scheduler {
    /// Where a pod without a node is.
    pub fn standing(&self, id: Id<Pod>, world: &World) -> Standing {
        let Some(pod) = world.view(Process::Scheduler).get(id) else { return Standing::Unknown };
        let spec = world.store.pod_spec(pod.spec);
        if spec.foreign_scheduler {
            return Standing::Foreign;
        }
        if spec.gated {
            return Standing::Gated;
        }
        match self.cache.slot(id).state {
            State::Active => Standing::InQueue,
            State::Backoff => self.queue.error_until(id).map_or(Standing::InQueue, Standing::Backoff),
            State::Unschedulable => Standing::Unschedulable,
            State::Binding => Standing::Binding,
            State::None | State::Assigned => Standing::Unknown,
        }
    }

    /// What it has against each node, in order of names; the message if the claims of the pod rule out all nodes at once.
    ///
    /// # Errors
    /// That message.
    pub fn verdicts(&self, id: Id<Pod>, world: &World) -> Result<Vec<Rejection>, String> {
        let view = world.view(Process::Scheduler);
        let Some(pod) = view.get(id).copied() else { return Ok(Vec::new()) };
        // What follows fills caches and counts: that is done to a copy.
        let (mut scheduler, mut world) = (self.clone(), world.clone());
        let class_id = scheduler.classes.of(&pod, &mut scheduler.cache, &mut world);
        let view = world.view(Process::Scheduler);
        let class = scheduler.classes.get(class_id);
        let (cache, scratch) = (&mut scheduler.cache, &mut scheduler.scratch);
        cache.prepare_shape(class.shape);
        if !class.spec.claims.is_empty() {
            let looked = scheduler.volumes.prefilter(&pod, &class.spec, view, cache, &mut scratch.needs);
            looked.map_err(|error| error.message(&world.store))?;
        }
        if !class.hard.is_empty() {
            scratch.spread.prepare(class, cache, &world.store);
        }
        let cx =
            Context { pod: id, class, view, volumes: &scheduler.volumes, nominated: &scheduler.nominated };
        let mut nodes: Vec<_> =
            view.iter::<Node>().map(|(node, object)| (world.store.name_of(object.meta.name), node)).collect();
        nodes.sort_unstable();
        let mut found = Vec::new();
        for (_, node) in nodes {
            let reasons = scratch.filter(cx, cache, node.as_u32()).0;
            if reasons == Reasons::NONE {
                found.push(Rejection { node, plugin: "", reason: "" });
            }
            found.extend(reasons.named().map(|(plugin, reason)| Rejection { node, plugin, reason }));
        }
        Ok(found)
    }
}
