//! What the runner of the recorded corpus waited for besides changes and simulated delays.
use crate::api::objects::{Pod, PodReason};
use crate::kernel::{Duration, Time};
use crate::world::World;

/// How long a pod that waits for its volumes keeps the cluster from being settled.
const VOLUMES: Duration = Duration::from_secs(6);

/// A pod waits for a retry after a scheduling conflict, or, for not too long, for its volumes to be attached.
pub fn is_waiting(world: &World) -> bool {
    world.store.pods.iter().any(|(_, pod)| {
        !pod.is_terminating() && (pod.reason == PodReason::SchedulerError || waits_for_volumes(pod, world))
    })
}

fn waits_for_volumes(pod: &Pod, world: &World) -> bool {
    let Some(node) = world.store.nodes.get(pod.node) else { return false };
    if pod.phase != crate::api::objects::Phase::Pending || pod.started_waiting(world.now()) > VOLUMES {
        return false;
    }
    let spec = world.store.pod_spec(pod.spec);
    spec.claims_of(pod.meta.name).any(|name| {
        let claim = world.store.claims.find(pod.meta.namespace, name);
        claim.is_some_and(|(_, claim)| {
            !claim.volume.is_none() && !node.volumes_attached.contains(&claim.volume)
        })
    })
}

impl Pod {
    /// How long the pod has been waiting on its node, in whole seconds; its object was last written when it was bound.
    fn started_waiting(&self, now: Time) -> Duration {
        now.elapsed_since(self.started.start().min(now))
    }
}
