//! Taint-based eviction (pkg/controller/tainteviction/taint_eviction.go and timed_workers.go; NODE-18 to NODE-22).
//!
//! Pods of a node with NoExecute taints are deleted: at once if a taint is not tolerated, else when the shortest of the
//! matching tolerationSeconds is over, counted from when this process heard of it. Timers are keyed by name, as the real
//! ones; so is the delete. A pod whose deletion has failed five times is forgotten until the taints of its node or its
//! tolerations change (NODE-21).
use crate::api::kind::Kind;
use crate::api::names::Name;
use crate::api::objects::{Disruption, Effect, Node, Pod, PodFlags, Taint};
use crate::api::pod_spec::Toleration;
use crate::api::store::{Change, Verb};
use crate::controllers::node_pods::NodePods;
use crate::event::{Event, EvictStep, NodesEvent, Process};
use crate::kernel::{Duration, Id, Timer};
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Taint eviction.
#[derive(Clone, Debug, Default)]
pub struct TaintEviction {
    /// Nodes with NoExecute taints.
    tainted: BTreeSet<Id<Node>>,
    /// Work by name of the pod. `None`: done; it stays until the pod is gone, so that it is not done twice.
    work: BTreeMap<Id<Pod>, Option<Timer>>,
    /// Deletions under way: the name, for the table position may come to mean another one.
    under_way: BTreeMap<Id<Pod>, UnderWay>,
}

/// A deletion under way.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    name: Name,
    /// How often it has failed.
    failures: u32,
}

/// A deletion is tried this often (`retries`), with this pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// What taints and tolerations of a pod come to (NODE-18).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// Some taint is not tolerated.
    Now,
    /// After this long.
    After(Duration),
    /// Tolerated for ever.
    Never,
}

fn verdict(taints: &[Taint], tolerations: &[Toleration]) -> Verdict {
    let mut shortest: Option<i64> = None;
    for taint in taints.iter().filter(|taint| taint.effect == Effect::NoExecute) {
        let Some(toleration) = tolerations.iter().find(|toleration| toleration.tolerates(taint)) else {
            return Verdict::Now;
        };
        if let Some(seconds) = toleration.seconds {
            shortest = Some(shortest.map_or(seconds, |other| other.min(seconds)));
        }
    }
    match shortest {
        None => Verdict::Never,
        Some(seconds) => Verdict::After(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
    }
}

fn is_tainted(node: &Node) -> bool {
    node.taints.iter().any(|taint| taint.effect == Effect::NoExecute)
}

fn event(pod: Id<Pod>, step: EvictStep, world: &World) -> Event {
    Event::Nodes(NodesEvent::Evict(pod, step, world.epoch(Process::ControllerManager)))
}

impl TaintEviction {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, pods: &NodePods, world: &mut World) {
        match change.kind {
            Kind::Node => {
                let (old, new) = world.store.before_and_after::<Node>(change);
                let same = old.zip(new).is_some_and(|(old, new)| Arc::ptr_eq(&old.taints, &new.taints));
                let matters = old.is_some_and(is_tainted) || new.is_some_and(is_tainted);
                if !same && matters {
                    world.actor = Actor::TaintEviction;
                    self.node_changed(change.id(), pods, world);
                }
            }
            Kind::Pod if !self.tainted.is_empty() || !self.work.is_empty() => {
                world.actor = Actor::TaintEviction;
                self.pod_changed(change, world);
            }
            _ => {}
        }
    }

    fn node_changed(&mut self, node: Id<Node>, pods: &NodePods, world: &mut World) {
        let Some(object) = world.view(Process::ControllerManager).get(node) else {
            self.tainted.remove(&node);
            return;
        };
        if is_tainted(object) {
            self.tainted.insert(node);
            for pod in pods.on(node) {
                self.judge(*pod, node, world);
            }
        } else {
            self.tainted.remove(&node);
            for pod in pods.on(node) {
                self.cancel(*pod, world);
            }
        }
    }

    fn pod_changed(&mut self, change: &Change, world: &mut World) {
        let pod = change.id::<Pod>();
        if change.verb == Verb::Removed {
            self.cancel(pod, world);
            return;
        }
        let (old, Some(new)) = world.store.before_and_after::<Pod>(change) else { return };
        let same = old.is_some_and(|old| old.node == new.node && old.spec == new.spec);
        let node = new.node;
        if !same && self.tainted.contains(&node) {
            self.judge(pod, node, world);
        }
    }

    /// What the taints of its node mean for a pod (processPodOnNode).
    fn judge(&mut self, pod: Id<Pod>, node: Id<Node>, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        let (Some(object), Some(node)) = (view.get(pod), view.get(node)) else { return };
        match verdict(&node.taints, &world.store.pod_spec(object.spec).tolerations) {
            Verdict::Now => {
                self.cancel(pod, world);
                self.due(pod, world);
            }
            Verdict::Never => self.cancel(pod, world),
            // A timer that runs keeps its start and its end (NODE-19).
            Verdict::After(_) if self.work.contains_key(&pod) => mark!("NODE-19"),
            Verdict::After(Duration::ZERO) => self.due(pod, world),
            Verdict::After(span) => {
                mark!("NODE-18");
                let timer = world.timer(world.now() + span, event(pod, EvictStep::Due, world));
                self.work.insert(pod, Some(timer));
            }
        }
    }

    fn cancel(&mut self, pod: Id<Pod>, world: &mut World) {
        if let Some(Some(timer)) = self.work.remove(&pod) {
            world.cancel(timer);
            tell(pod, "Cancelling deletion of Pod", world);
        }
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: NodesEvent, world: &mut World) {
        let NodesEvent::Evict(pod, step, epoch) = event else { return };
        if epoch != world.epoch(Process::ControllerManager) {
            return;
        }
        match step {
            EvictStep::Due => self.due(pod, world),
            EvictStep::Mark => self.mark(pod, world),
            EvictStep::Delete => self.delete(pod, world),
        }
    }

    /// The pod's time is over (NODE-21).
    fn due(&mut self, pod: Id<Pod>, world: &mut World) {
        self.work.insert(pod, None);
        let Some(name) = world.store.pods.last_known(pod).map(|pod| pod.meta.name) else { return };
        tell(pod, "Marking for deletion Pod", world);
        self.under_way.insert(pod, UnderWay { name, failures: 0 });
        world.after(world.api_delay(Actor::TaintEviction), event(pod, EvictStep::Mark, world));
    }

    fn mark(&mut self, pod: Id<Pod>, world: &mut World) {
        let name = self.under_way.get(&pod).map(|deletion| deletion.name);
        let Some(object) = world.store.pods.get(pod).filter(|pod| Some(pod.meta.name) == name) else {
            self.under_way.remove(&pod);
            return;
        };
        if object.disruption == Disruption::ByTaintManager {
            self.delete(pod, world);
            return;
        }
        let marked = world.patch(pod, Rule::node(21), |pod| {
            pod.flags.set(PodFlags::DISRUPTION_TARGET, true);
            pod.disruption = Disruption::ByTaintManager;
        });
        if marked.is_err() {
            self.failed(pod, world);
            return;
        }
        world.after(world.api_delay(Actor::TaintEviction), event(pod, EvictStep::Delete, world));
    }

    fn delete(&mut self, pod: Id<Pod>, world: &mut World) {
        let name = self.under_way.get(&pod).map(|deletion| deletion.name);
        let found = world.store.pods.get(pod).filter(|pod| Some(pod.meta.name) == name);
        if let Some(object) = found {
            mark!("NODE-24" if world.leases.get(object.node.index()).is_some_and(|lease| !lease.renewing));
            let deleted = world.delete(pod, DeleteOptions::default(), Rule::node(21));
            // Not found would be forgotten too.
            if deleted.is_err_and(|error| !error.is_not_found()) {
                self.failed(pod, world);
                return;
            }
        }
        self.under_way.remove(&pod);
    }

    /// A call has failed: both are tried again, a few times; then the pod is forgotten.
    fn failed(&mut self, pod: Id<Pod>, world: &mut World) {
        let Some(deletion) = self.under_way.get_mut(&pod) else { return };
        deletion.failures += 1;
        if deletion.failures < TRIES {
            let delay = PAUSE + world.api_delay(Actor::TaintEviction);
            world.after(delay, event(pod, EvictStep::Mark, world));
        } else {
            self.under_way.remove(&pod);
            self.work.remove(&pod);
        }
    }

    /// The controller manager has started and listed everything: all timers start anew (NODE-18, DEF-C3).
    pub fn restart(&mut self, pods: &NodePods, world: &mut World) {
        *self = TaintEviction::default();
        world.actor = Actor::TaintEviction;
        let view = world.view(Process::ControllerManager);
        let nodes: Vec<Id<Node>> =
            view.iter::<Node>().filter(|(_, n)| is_tainted(n)).map(|(id, _)| id).collect();
        for node in nodes {
            self.node_changed(node, pods, world);
        }
    }
}

fn tell(pod: Id<Pod>, what: &str, world: &mut World) {
    world.emit(pod, false, "TaintManagerEviction", |world| {
        let store = &world.store;
        store.pods.last_known(pod).map_or_else(String::new, |pod| {
            format!("{what} {}/{}", store.names.text(pod.meta.namespace), store.name_of(pod.meta.name))
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::{Interner, Sym};
    use crate::api::objects::Seconds;

    #[test]
    fn tolerations_decide() {
        let mut names = Interner::default();
        let [a, b] = ["a", "b"].map(|word| names.word(word));
        let taint = |key| Taint { key, value: Sym::EMPTY, effect: Effect::NoExecute, added: Seconds::NEVER };
        let tolerates = |key, seconds| Toleration {
            key,
            exists: true,
            value: Sym::EMPTY,
            effect: Some(Effect::NoExecute),
            seconds,
        };
        let soft = Taint { effect: Effect::NoSchedule, ..taint(b) };
        let secs = |n| Verdict::After(Duration::from_secs(n));
        let cases: [(&[Taint], &[Toleration], Verdict); 9] = [
            (&[taint(a)], &[], Verdict::Now),
            (&[taint(a), soft], &[tolerates(a, Some(3))], secs(3)),
            (&[taint(a)], &[tolerates(a, None)], Verdict::Never),
            (&[taint(a)], &[tolerates(b, None)], Verdict::Now),
            (&[taint(a)], &[tolerates(Sym::EMPTY, None)], Verdict::Never),
            (&[taint(a), taint(b)], &[tolerates(a, Some(300)), tolerates(b, Some(5))], secs(5)),
            (&[taint(a), taint(b)], &[tolerates(a, None), tolerates(b, Some(5))], secs(5)),
            (&[taint(a)], &[tolerates(a, Some(-1))], secs(0)),
            // Only the first toleration that matches a taint counts.
            (&[taint(a)], &[tolerates(a, Some(300)), tolerates(a, Some(5))], secs(300)),
        ];
        for (taints, tolerations, expected) in cases {
            assert_eq!(verdict(taints, tolerations), expected, "{taints:?} {tolerations:?}");
        }
    }
}
