//! Pods that are alike to the scheduler, and what their spec asks in terms of counters.
//!
//! Identical pods of one set ask the same questions: who tolerates what, which selectors spread them, which counters
//! answer for their affinity terms. A [`Class`] holds the answers once. The implicit constraints follow
//! `plugins/podtopologyspread/common.go` (buildDefaultConstraints) and `plugins/helper/spread.go` (SCHED-24).
use super::cache::{Cache, HOST, ZONE};
use super::counts::{Condition, Namespaces, looks_at_identity};
use super::taints;
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, OwnersId};
use crate::api::names::{Name, Sym};
use crate::api::objects::{Effect, Pod, PodFlags, PodSpecId, ReplicaSet, Service, StatefulSet, Taint};
use crate::api::pod_spec::{Placement, PodSpec, PodTerm, Spread};
use crate::api::selector::Selector;
use crate::api::store::{Store, View};
use crate::event::Process;
use crate::kernel::Id;
use crate::world::World;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The taint that a cordon stands for, although it may not be there yet (SCHED-13).
const UNSCHEDULABLE_TAINT: &str = "node.kubernetes.io/unschedulable";

/// A topology spread constraint with the counter that answers it.
#[derive(Clone, Debug)]
pub(super) struct Constraint {
    pub(super) counter: u32,
    pub(super) topology: u32,
    pub(super) max_skew: i32,
    pub(super) min_domains: i32,
    /// The pod is one of those counted.
    pub(super) matches_itself: bool,
    pub(super) honor_affinity: bool,
    pub(super) honor_taints: bool,
}

/// Pods to be near or far: where they are, by which topology, how much it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pull {
    pub(super) counter: u32,
    pub(super) topology: u32,
    /// Positive: near. 0 for a required term.
    pub(super) weight: i64,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) namespace: Sym,
    pub(super) spec: Arc<PodSpec>,
    pub(super) labels: LabelsId,
    /// What is remembered of nodes for its requests ([`super::score`]).
    pub(super) shape: u32,
    pub(super) tolerates_cordon: bool,
    /// Constraints with DoNotSchedule.
    pub(super) hard: Vec<Constraint>,
    /// Constraints with ScheduleAnyway, or the implicit ones.
    pub(super) soft: Vec<Constraint>,
    /// The soft constraints are its own: nodes without their labels are not scored.
    pub(super) needs_labels: bool,
    /// Required affinity; one counter for all terms.
    pub(super) affinity: Vec<Pull>,
    /// The pod meets its own required affinity.
    pub(super) attracts_itself: bool,
    /// Required anti-affinity.
    pub(super) anti_affinity: Vec<Pull>,
    /// Preferred terms of its own.
    pub(super) preferred: Vec<Pull>,
    /// Where pods are whose required anti-affinity keeps it away.
    pub(super) blockers: Vec<Pull>,
    /// Where pods are whose terms attract or repel it.
    pub(super) attracted: Vec<Pull>,
    /// Carriers looked at so far.
    carriers: usize,
    epoch: u32,
}

impl Class {
    /// True if nodeSelector or required node affinity leave out nodes.
    pub(super) fn selects_nodes(&self) -> bool {
        self.spec.placement.as_ref().is_some_and(|p| !p.node_selector.is_empty() || p.node_required.is_some())
    }

    /// True if only taints and resources can keep pods of the class from a node.
    pub(super) fn is_plain(&self) -> bool {
        let asks_nodes = self.selects_nodes()
            || self.spec.placement.as_ref().is_some_and(|placement| !placement.host_ports.is_empty());
        !asks_nodes && self.spec.claims.is_empty() && self.hard.is_empty() && !self.has_required_terms()
    }

    /// True if any term of inter-pod affinity has to be looked at in the filter.
    pub(super) fn has_required_terms(&self) -> bool {
        !self.affinity.is_empty() || !self.anti_affinity.is_empty() || !self.blockers.is_empty()
    }
}

type Key = (Sym, PodSpecId, LabelsId, OwnersId, Name);

/// All classes, and the services and sets whose selectors spread pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    list: Vec<Class>,
    index: FxHashMap<Key, u32>,
    last: Option<(Key, u32)>,
    /// Services by one of the labels they select.
    services: FxHashMap<(Sym, Sym, Sym), Vec<Id<Service>>>,
    /// Services that select by identity labels, by namespace.
    personal_services: FxHashMap<Sym, Vec<Id<Service>>>,
    /// Some selector looks at identity labels: pods of one set are not all alike.
    personal: bool,
    /// Grows when a selector comes or goes.
    epoch: u32,
    unschedulable: Option<Sym>,
}

impl Classes {
    /// The class with this number.
    pub(super) fn get(&self, class: u32) -> &Class {
        &self.list[class as usize]
    }

    /// True if a pod's spec or labels are others than those of the class it was tried as.
    pub(super) fn asks_otherwise(&self, pod: &Pod, class: Option<u32>, store: &Store) -> bool {
        class.is_none_or(|class| {
            let class = self.get(class);
            class.labels != pod.meta.labels || !Arc::ptr_eq(&class.spec, store.pod_spec(pod.spec))
        })
    }

    /// A service has come, changed or gone.
    pub(super) fn observe_service(
        &mut self,
        id: Id<Service>,
        store: &mut Store,
        old: Option<(Sym, Arc<Selector>)>,
        new: Option<(Sym, Arc<Selector>)>,
    ) {
        if let (Some((_, old)), Some((_, new))) = (&old, &new)
            && Arc::ptr_eq(old, new)
        {
            return;
        }
        self.epoch += 1;
        for (entry, add) in [(old, false), (new, true)] {
            let Some((namespace, selector)) = entry else { continue };
            let Some(first) = selector.requirements().first() else { continue };
            let personal = looks_at_identity(&selector);
            self.personal |= personal;
            let list = if personal {
                self.personal_services.entry(namespace).or_default()
            } else {
                let value = first.values.first().map_or("", String::as_str);
                let pair = (namespace, store.names.word(&first.key), store.names.word(value));
                self.services.entry(pair).or_default()
            };
            if add {
                list.push(id);
            } else {
                list.retain(|other| *other != id);
            }
        }
    }

    /// A StatefulSet or ReplicaSet is gone: pods it leaves behind are not spread by its selector any more.
    pub(super) fn set_removed(&mut self) {
        self.epoch += 1;
    }

    /// The class of a pod.
    pub(super) fn of(&mut self, pod: &Pod, cache: &mut Cache, world: &mut World) -> u32 {
        let name = if self.personal && pod.flags.has(PodFlags::NAME_LABEL) {
            pod.meta.name
        } else {
            Name::default()
        };
        let key = (pod.meta.namespace, pod.spec, pod.meta.labels, pod.meta.owners, name);
        let known = match self.last {
            Some((last, class)) if last == key => Some(class),
            _ => self.index.get(&key).copied(),
        };
        let class = match known {
            Some(class) if self.list[class as usize].epoch == self.epoch => class,
            Some(class) => {
                self.list[class as usize] = self.make(pod, cache, world);
                class
            }
            None => {
                let class = self.make(pod, cache, world);
                self.list.push(class);
                self.index.insert(key, self.list.len() as u32 - 1);
                self.list.len() as u32 - 1
            }
        };
        self.last = Some((key, class));
        let entry = &mut self.list[class as usize];
        if entry.carriers < cache.carriers.len() {
            look_at_carriers(entry, pod, cache, &world.store);
        }
        class
    }

    fn make(&mut self, pod: &Pod, cache: &mut Cache, world: &mut World) -> Class {
        let spec = world.store.pod_spec(pod.spec).clone();
        let word = *self.unschedulable.get_or_insert_with(|| world.store.names.word(UNSCHEDULABLE_TAINT));
        let cordon = Taint {
            key: word,
            value: Sym::EMPTY,
            effect: Effect::NoSchedule,
            added: crate::api::objects::Seconds::NEVER,
        };
        let mut class = Class {
            namespace: pod.meta.namespace,
            labels: pod.meta.labels,
            shape: cache.shapes.of(&spec),
            tolerates_cordon: taints::tolerates(&spec.tolerations, &cordon),
            hard: Vec::new(),
            soft: Vec::new(),
            needs_labels: false,
            affinity: Vec::new(),
            attracts_itself: true,
            anti_affinity: Vec::new(),
            preferred: Vec::new(),
            blockers: Vec::new(),
            attracted: Vec::new(),
            carriers: 0,
            epoch: self.epoch,
            spec: spec.clone(),
        };
        let none = Placement::default();
        let placement = spec.placement.as_deref().unwrap_or(&none);
        self.spread(&mut class, pod, placement, cache, world);
        self.terms(&mut class, pod, placement, cache, &mut world.store);
        class
    }

    fn spread(
        &mut self,
        class: &mut Class,
        pod: &Pod,
        placement: &Placement,
        cache: &mut Cache,
        world: &mut World,
    ) {
        for spread in &placement.spread {
            let constraint = self.constraint(pod, spread, cache, &mut world.store);
            if spread.hard { &mut class.hard } else { &mut class.soft }.push(constraint);
        }
        class.needs_labels = !placement.spread.is_empty();
        if !placement.spread.is_empty() {
            return;
        }
        let selectors = self.default_selectors(pod, world.view(Process::Scheduler));
        if selectors.iter().all(|selector| selector.is_empty()) {
            return;
        }
        let conditions: Vec<Condition> = selectors
            .into_iter()
            .map(|selector| Condition { namespaces: Namespaces::Some(vec![pod.meta.namespace]), selector })
            .collect();
        let matches_itself = conditions.iter().all(|c| c.meets_pod(&world.store, pod));
        let counter = cache.counter_of(conditions, &mut world.store);
        cache.counts.by_topology(counter, ZONE);
        for (topology, max_skew) in [(HOST, 3), (ZONE, 5)] {
            class.soft.push(Constraint {
                counter,
                topology,
                max_skew,
                min_domains: 1,
                matches_itself,
                honor_affinity: true,
                honor_taints: false,
            });
        }
    }

    /// The selectors of the services that select the pod, and of the set that owns it (SCHED-24).
    fn default_selectors(&self, pod: &Pod, view: View<'_>) -> Vec<Arc<Selector>> {
        let namespace = pod.meta.namespace;
        let by_label = view.store.labels.get(pod.meta.labels).iter();
        let filed = by_label.filter_map(|(key, value)| self.services.get(&(namespace, *key, *value)));
        let candidates = filed.chain(self.personal_services.get(&namespace)).flatten();
        let mut selectors: Vec<Arc<Selector>> = candidates
            .filter_map(|id| view.get(*id)?.selector.clone())
            .filter(|selector| view.store.pod_matches(pod, selector))
            .collect();
        if let Some(owner) = view.store.controller_of(pod.meta.owners) {
            let selector = match owner.kind {
                Kind::StatefulSet => {
                    view.find::<StatefulSet>(namespace, owner.name).map(|(_, set)| set.spec.selector.clone())
                }
                Kind::ReplicaSet => {
                    view.find::<ReplicaSet>(namespace, owner.name).map(|(_, set)| set.spec.selector.clone())
                }
                _ => None,
            };
            selectors.extend(selector);
        }
        selectors
    }

    fn constraint(&mut self, pod: &Pod, spread: &Spread, cache: &mut Cache, store: &mut Store) -> Constraint {
        self.personal |= looks_at_identity(&spread.selector);
        let condition = Condition {
            namespaces: Namespaces::Some(vec![pod.meta.namespace]),
            selector: spread.selector.clone(),
        };
        let matches_itself = condition.meets_pod(store, pod);
        let topology = cache.topology(spread.topology_key, store);
        let counter = cache.counter_of(vec![condition], store);
        cache.counts.by_topology(counter, topology);
        Constraint {
            counter,
            topology,
            max_skew: spread.max_skew,
            min_domains: spread.min_domains,
            matches_itself,
            honor_affinity: spread.honor_affinity,
            honor_taints: spread.honor_taints,
        }
    }

    /// The pod's own affinity terms (SCHED-15).
    fn terms(
        &mut self,
        class: &mut Class,
        pod: &Pod,
        placement: &Placement,
        cache: &mut Cache,
        store: &mut Store,
    ) {
        let namespace = pod.meta.namespace;
        let lists = [
            &placement.affinity,
            &placement.anti_affinity,
            &placement.affinity_preferred,
            &placement.anti_affinity_preferred,
        ];
        self.personal |= lists.iter().any(|list| list.iter().any(|term| looks_at_identity(&term.selector)));
        if !placement.affinity.is_empty() {
            let all: Vec<_> = placement.affinity.iter().map(|term| condition_of(term, namespace)).collect();
            class.attracts_itself = all.iter().all(|c| c.meets_pod(store, pod));
            let counter = cache.counter_of(all, store);
            for term in &placement.affinity {
                class.affinity.push(pull(counter, term, 0, cache, store));
            }
        }
        let mut one = |term: &PodTerm, weight: i64| {
            let counter = cache.counter_of(vec![condition_of(term, namespace)], store);
            pull(counter, term, weight, cache, store)
        };
        class.anti_affinity = placement.anti_affinity.iter().map(|term| one(term, 0)).collect();
        for (list, sign) in [(&placement.affinity_preferred, 1), (&placement.anti_affinity_preferred, -1)] {
            class.preferred.extend(list.iter().map(|term| one(term, sign * i64::from(term.weight))));
        }
    }
}

/// The condition of an affinity term of a pod in this namespace.
pub(super) fn condition_of(term: &PodTerm, namespace: Sym) -> Condition {
    let namespaces = if term.all_namespaces {
        Namespaces::All
    } else if term.namespaces.is_empty() {
        Namespaces::Some(vec![namespace])
    } else {
        Namespaces::Some(term.namespaces.to_vec())
    };
    Condition { namespaces, selector: term.selector.clone() }
}

fn pull(counter: u32, term: &PodTerm, weight: i64, cache: &mut Cache, store: &Store) -> Pull {
    let topology = cache.topology(term.topology_key, store);
    cache.counts.by_topology(counter, topology);
    Pull { counter, topology, weight }
}

/// Other pods' terms that concern pods of this class: the specs that carry any are few.
fn look_at_carriers(class: &mut Class, pod: &Pod, cache: &mut Cache, store: &Store) {
    for number in class.carriers..cache.carriers.len() {
        let carrier = cache.carriers[number].clone();
        let Some(placement) = carrier.spec.placement.as_deref() else { continue };
        let lists = [
            (&placement.anti_affinity, 0),
            // hardPodAffinityWeight: 1 (DEF-58).
            (&placement.affinity, 1),
            (&placement.affinity_preferred, 1),
            (&placement.anti_affinity_preferred, -1),
        ];
        for (list, sign) in lists {
            for term in list.iter().filter(|t| condition_of(t, carrier.namespace).meets_pod(store, pod)) {
                let weight = sign * i64::from(term.weight.max(1));
                let pull = pull(carrier.counter, term, weight, cache, store);
                if sign == 0 { &mut class.blockers } else { &mut class.attracted }.push(pull);
            }
        }
    }
    class.carriers = cache.carriers.len();
}
