//! What a pod's containers do: the first matching rule of the scenario, or the cluster's defaults.
use super::worker::Worker;
use crate::api::pod_spec::Hook;
use crate::behavior::{Exit, PodRule, Who};
use crate::kernel::{Duration, Latency};
use crate::world::{Draw, World};
use std::sync::Arc;

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

/// What a container of a worker's pod does now. Looked up when something starts or stops: rules may be replaced.
pub(super) fn of(worker: &Worker, index: usize, world: &World) -> Does {
    rule(worker, index, world).map_or_else(Does::default, |rule| Does {
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

/// The rule that matches a container of a worker's pod now.
fn rule<'w>(worker: &Worker, index: usize, world: &'w World) -> Option<&'w PodRule> {
    let rules = &world.config.behavior;
    let store = &world.store;
    let spec = store.pod_spec(worker.spec);
    let container = spec.container(index).filter(|_| !rules.pods.is_empty())?;
    let pod = store.pods.last_known(worker.pod).map_or_else(String::new, |p| store.name_of(p.meta.name));
    let node = store.nodes.last_known(worker.node).map_or_else(String::new, |n| store.name_of(n.meta.name));
    let who = Who {
        pod: &pod,
        node: &node,
        container: store.names.text(container.name),
        image: store.names.text(container.image),
        init: index < spec.inits.len(),
    };
    rules.of_container(who)
}

/// The conditions of the rule that matches a container: when it is ready, when it ends.
pub(super) fn conditions(
    worker: &Worker,
    index: usize,
    world: &World,
) -> (Option<Arc<str>>, Option<Arc<str>>) {
    let has = |rule: &PodRule| rule.ready_when.is_some() || rule.exit_when.is_some();
    if !world.config.behavior.pods.iter().any(has) {
        return (None, None);
    }
    rule(worker, index, world).map_or((None, None), |rule| (rule.ready_when.clone(), rule.exit_when.clone()))
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
