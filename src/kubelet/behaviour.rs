//! What a pod's containers do: the first matching rule of the scenario, or the cluster's defaults.
use super::worker::Worker;
use crate::api::pod_spec::Hook;
use crate::behavior::{Exit, Who};
use crate::kernel::{Duration, Latency};
use crate::world::{Draw, World};

/// What the rules say about one container. What they do not say is `None`.
#[derive(Clone, Copy, Default)]
pub(super) struct Does {
    pub(super) start: Option<Latency>,
    pub(super) up: Option<Latency>,
    pub(super) ready: Option<Latency>,
    pub(super) stop: Option<Latency>,
    pub(super) exit: Option<Exit>,
    pub(super) post_start: Option<Latency>,
    pub(super) pre_stop: Option<Latency>,
    pub(super) pull_fails: bool,
}

/// The rule that matches a container of a worker's pod now. Looked up when something starts or stops: rules may be
/// replaced.
pub(super) fn of(worker: &Worker, index: usize, world: &World) -> Does {
    let rules = &world.config.behavior;
    let store = &world.store;
    let spec = store.pod_spec(worker.spec);
    let Some(container) = spec.container(index).filter(|_| !rules.pods.is_empty()) else {
        return Does::default();
    };
    let pod = store.pods.last_known(worker.pod).map_or_else(String::new, |p| store.name_of(p.meta.name));
    let node = store.nodes.last_known(worker.node).map_or_else(String::new, |n| store.name_of(n.meta.name));
    let who = Who {
        pod: &pod,
        node: &node,
        container: store.names.text(container.name),
        image: store.names.text(container.image),
        init: index < spec.inits.len(),
    };
    rules.of_container(who).map_or_else(Does::default, |rule| Does {
        start: rule.start,
        up: rule.up,
        ready: rule.ready,
        stop: rule.stop,
        exit: rule.exit,
        post_start: rule.post_start,
        pre_stop: rule.pre_stop,
        pull_fails: rule.pull_fails,
    })
}

/// How long a lifecycle hook takes: `sleep` says it itself, of others the rules do; else no time at all.
pub(super) fn hook(
    hook: Option<Hook>,
    given: Option<Latency>,
    purpose: Draw,
    key: (u64, u64),
    world: &World,
) -> Duration {
    match hook {
        None => Duration::ZERO,
        Some(Hook::Sleep(seconds)) => Duration::from_secs(u64::from(seconds)),
        Some(Hook::Runs) => given.map_or(Duration::ZERO, |given| world.draw(given, purpose, key.0, key.1)),
    }
}
