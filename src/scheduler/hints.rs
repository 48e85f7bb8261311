//! Which unschedulable pods a cluster event brings back.
//!
//! Follows `EventsToRegister` and the queueing hints of the plugins (SCHED-8). A hint is asked once per class of pods and
//! set of rejecting plugins; events that no waiting pod's plugin registered for cost one look.
use super::Scheduler;
use super::cache::{Cache, ClaimKey};
use super::class::{Class, condition_of};
use super::messages::{Plugins, Reasons};
use super::score::{Request, fits};
use super::taints;
use crate::api::objects::{Pod, Taint};
use crate::api::pod_spec::{PodSpec, PodTerm};
use crate::api::store::Store;
use crate::event::Process;
use crate::kernel::Id;
use crate::rule::mark;
use crate::world::World;
use std::sync::Arc;

/// Something that may make a pod schedulable.
#[derive(Clone, Debug)]
pub(super) enum ClusterEvent {
    /// A node is new; with it its CSINode.
    NodeAdded(u32),
    /// A node has changed.
    NodeChanged(u32, NodeChange),
    /// A node is gone.
    NodeRemoved,
    /// A pod is on a node now.
    PodArrived(Pod),
    /// Labels of a pod on a node have changed: before, after.
    PodRelabelled(Pod, Pod),
    /// A pod on a node is gone or its phase is final.
    PodLeft(Pod),
    /// A volume has come or changed.
    Volume,
    /// A storage class has come or changed.
    StorageClass,
    /// A VolumeAttachment is gone.
    Detached,
}

/// What has changed of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeChange {
    /// Some allocatable resource is larger.
    pub(super) grown: bool,
    pub(super) relabelled: bool,
    /// The taints it had, if they are others now.
    pub(super) taints: Option<Arc<[Taint]>>,
    pub(super) uncordoned: bool,
    pub(super) more_volumes: bool,
}

impl NodeChange {
    /// True if no plugin would look at it.
    pub(super) fn is_nothing(&self) -> bool {
        !self.grown && !self.relabelled && self.taints.is_none() && !self.uncordoned && !self.more_volumes
    }
}

impl ClusterEvent {
    /// The plugins that registered for it.
    fn plugins(&self) -> Plugins {
        use Plugins as P;
        match self {
            ClusterEvent::NodeAdded(_) => Plugins(u16::MAX),
            ClusterEvent::NodeChanged(_, change) => {
                let labels = P::NODE_AFFINITY
                    | P::TOPOLOGY_SPREAD
                    | P::POD_AFFINITY
                    | P::VOLUME_BINDING
                    | P::VOLUME_ZONE;
                let parts = [
                    (change.grown, P::RESOURCES),
                    (change.relabelled, labels),
                    (change.taints.is_some(), P::TAINT_TOLERATION | P::TOPOLOGY_SPREAD),
                    (change.uncordoned, P::NODE_UNSCHEDULABLE),
                    (change.more_volumes, P::VOLUME_LIMITS),
                ];
                parts.iter().filter(|(on, _)| *on).fold(P::NONE, |all, (_, plugins)| all | *plugins)
            }
            ClusterEvent::NodeRemoved => P::TOPOLOGY_SPREAD,
            ClusterEvent::PodArrived(_) | ClusterEvent::PodRelabelled(..) => {
                P::TOPOLOGY_SPREAD | P::POD_AFFINITY
            }
            ClusterEvent::PodLeft(_) => {
                P::RESOURCES
                    | P::NODE_PORTS
                    | P::TOPOLOGY_SPREAD
                    | P::POD_AFFINITY
                    | P::VOLUME_LIMITS
                    | P::VOLUME_RESTRICTIONS
            }
            ClusterEvent::Volume => P::VOLUME_BINDING | P::VOLUME_ZONE,
            ClusterEvent::StorageClass => P::VOLUME_BINDING,
            ClusterEvent::Detached => P::VOLUME_LIMITS,
        }
    }
}

impl Scheduler {
    /// Brings back the pods that an event may have made schedulable.
    pub(super) fn wake(&mut self, event: &ClusterEvent, world: &mut World) {
        let registered = event.plugins();
        if !self.queue.is_waited_for(registered) {
            return;
        }
        let (classes, cache, store) = (&self.classes, &self.cache, &world.store);
        let helped = self.queue.helped(|class, rejecting| {
            let plugins = Plugins(rejecting.0 & registered.0);
            plugins.0 != 0 && helps(event, plugins, classes.get(class), cache, store)
        });
        mark!("SCHED-8" if !helped.is_empty());
        self.requeue_all(&helped, world);
    }

    /// Brings back the pods that wait for this claim: it has come or changed.
    pub(super) fn wake_for_claim(&mut self, claim: ClaimKey, world: &mut World) {
        let waiting = self.queue.waiting_for(claim);
        self.requeue_all(&waiting, world);
    }

    /// Brings back these unschedulable pods.
    pub(super) fn requeue_all(&mut self, pods: &[Id<Pod>], world: &mut World) {
        let now = world.now();
        for &id in pods {
            let Some(pod) = world.view(Process::Scheduler).get(id) else { continue };
            let spec = world.store.pod_spec(pod.spec);
            let claims = claim_keys(spec, pod);
            let timers = &world.config.timers;
            self.queue.requeue(id, spec.priority, claims, now, timers, &mut self.cache);
        }
    }
}

/// The claims of a pod by namespace and name.
pub(super) fn claim_keys<'a>(spec: &'a PodSpec, pod: &Pod) -> impl Iterator<Item = ClaimKey> + use<'a> {
    let namespace = pod.meta.namespace;
    spec.claims_of(pod.meta.name).map(move |name| (namespace, name))
}

/// True if the hint of one of these plugins says that the event may help pods of this class.
fn helps(event: &ClusterEvent, plugins: Plugins, class: &Class, cache: &Cache, store: &Store) -> bool {
    let has = |plugin| plugins.meets(plugin);
    match event {
        ClusterEvent::NodeAdded(node) => {
            has(Plugins::NODE_PORTS | Plugins::POD_AFFINITY | Plugins::TOPOLOGY_SPREAD | Plugins::VOLUMES)
                || has(Plugins::NODE_UNSCHEDULABLE) && !cache.nodes[*node as usize].unschedulable
                || has(Plugins::TAINT_TOLERATION) && tolerates_all(class, *node, cache)
                || has(Plugins::NODE_AFFINITY) && selects(class, *node, cache, store)
                || has(Plugins::RESOURCES) && fits_when_empty(class, *node, cache)
        }
        ClusterEvent::NodeChanged(node, change) => {
            let bearable = |old: &Arc<[Taint]>| {
                taints::repels(old, &class.spec.tolerations) && tolerates_all(class, *node, cache)
            };
            has(Plugins::VOLUMES | Plugins::NODE_UNSCHEDULABLE | Plugins::POD_AFFINITY)
                || has(Plugins::TOPOLOGY_SPREAD) && (change.relabelled || class.counts_by_taints())
                || has(Plugins::TAINT_TOLERATION) && change.taints.as_ref().is_some_and(bearable)
                || has(Plugins::NODE_AFFINITY) && selects(class, *node, cache, store)
                || has(Plugins::RESOURCES) && fits_when_empty(class, *node, cache)
        }
        ClusterEvent::PodArrived(pod) => {
            has(Plugins::TOPOLOGY_SPREAD) && is_spread_with(class, pod, store)
                || has(Plugins::POD_AFFINITY) && is_named(class, pod, store, |p| &p.affinity, true)
        }
        ClusterEvent::PodRelabelled(old, new) => {
            let differ = |a: bool, b: bool| a != b;
            has(Plugins::TOPOLOGY_SPREAD)
                && differ(is_spread_with(class, old, store), is_spread_with(class, new, store))
                || has(Plugins::POD_AFFINITY)
                    && (is_named(class, new, store, |p| &p.affinity, true)
                        || is_named(class, old, store, |p| &p.anti_affinity, false))
        }
        ClusterEvent::PodLeft(pod) => {
            let shares_claims = || {
                let theirs = store.pod_spec(pod.spec);
                pod.meta.namespace == class.namespace && !theirs.claims.is_empty()
            };
            has(Plugins::RESOURCES)
                || has(Plugins::NODE_PORTS)
                || has(Plugins::TOPOLOGY_SPREAD) && is_spread_with(class, pod, store)
                || has(Plugins::POD_AFFINITY)
                    && (is_named(class, pod, store, |p| &p.anti_affinity, false)
                        || kept_away(class, pod, store))
                || has(Plugins::VOLUME_LIMITS) && !store.pod_spec(pod.spec).claims.is_empty()
                || has(Plugins::VOLUME_RESTRICTIONS) && shares_claims()
        }
        ClusterEvent::NodeRemoved
        | ClusterEvent::Volume
        | ClusterEvent::StorageClass
        | ClusterEvent::Detached => true,
    }
}

impl Class {
    /// True if a constraint leaves out nodes by their taints.
    fn counts_by_taints(&self) -> bool {
        self.hard.iter().any(|constraint| constraint.honor_taints)
    }
}

fn tolerates_all(class: &Class, node: u32, cache: &Cache) -> bool {
    !taints::repels(&cache.nodes[node as usize].taints, &class.spec.tolerations)
}

fn selects(class: &Class, node: u32, cache: &Cache, store: &Store) -> bool {
    class.spec.placement.as_ref().is_none_or(|p| taints::node_fits(p, node, cache, store))
}

/// The pod would fit if nothing else were on the node.
fn fits_when_empty(class: &Class, node: u32, cache: &Cache) -> bool {
    let info = &cache.nodes[node as usize];
    !fits(info, &Request::of(&class.spec), (0, 0, 0)).has(Reasons::HOPELESS) && info.pods > 0
}

/// A hard constraint of the class counts this pod.
fn is_spread_with(class: &Class, pod: &Pod, store: &Store) -> bool {
    let placement = class.spec.placement.as_deref();
    let mut hard = placement.into_iter().flat_map(|p| p.spread.iter()).filter(|spread| spread.hard);
    pod.meta.namespace == class.namespace && hard.any(|spread| store.pod_matches(pod, &spread.selector))
}

/// Terms of the class name this pod: all of them, or one.
fn is_named(
    class: &Class,
    pod: &Pod,
    store: &Store,
    terms: impl Fn(&crate::api::pod_spec::Placement) -> &Box<[PodTerm]>,
    all: bool,
) -> bool {
    let Some(placement) = class.spec.placement.as_deref() else { return false };
    let meets = |term: &PodTerm| condition_of(term, class.namespace).meets_pod(store, pod);
    let terms = terms(placement);
    if all { !terms.is_empty() && terms.iter().all(meets) } else { terms.iter().any(meets) }
}

/// The required anti-affinity of this pod names pods of the class.
fn kept_away(class: &Class, pod: &Pod, store: &Store) -> bool {
    let theirs = store.pod_spec(pod.spec);
    let terms = theirs.placement.iter().flat_map(|p| p.anti_affinity.iter());
    let mut conditions = terms.map(|term| condition_of(term, pod.meta.namespace));
    conditions.any(|condition| condition.meets(store, class.namespace, class.labels))
}
