//! What a pod's containers do: the first matching rule of the scenario, or the cluster's defaults.
use super::worker::Worker;
use crate::behavior::Exit;
use crate::kernel::Latency;
use crate::world::World;

/// What the rules say about one pod. What they do not say is `None`.
#[derive(Clone, Copy, Default)]
pub(super) struct Does {
    pub(super) start: Option<Latency>,
    pub(super) ready: Option<Latency>,
    pub(super) stop: Option<Latency>,
    pub(super) exit: Option<Exit>,
    pub(super) pull_fails: bool,
}

/// The rule that matches a worker's pod now. Looked up when something starts or stops: rules may be replaced.
pub(super) fn of(worker: &Worker, world: &World) -> Does {
    let rules = &world.config.behavior;
    if rules.pods.is_empty() {
        return Does::default();
    }
    let store = &world.store;
    let pod = store.name_of(worker.name);
    let node = store.nodes.last_known(worker.node).map_or_else(String::new, |n| store.name_of(n.meta.name));
    let containers = &store.pod_spec(worker.spec).containers;
    let images = || containers.iter().map(|container| store.names.text(container.image)).collect();
    rules.pod(&pod, &node, images).map_or_else(Does::default, |rule| Does {
        start: rule.start,
        ready: rule.ready,
        stop: rule.stop,
        exit: rule.exit,
        pull_fails: rule.pull_fails,
    })
}
