//! Which services select a pod, without asking them all.
//!
//! Follows `endpointslice/util/controller_utils.go` (ServiceSelectorCache, GetPodServiceMemberships), which asks every
//! service of the namespace at every pod event. Here the answer is remembered per set of labels, which all pods of a
//! template share. Selectors that ask for a pod's own identity labels (STS-15) cannot be answered per set: those that
//! name one pod, `statefulset.kubernetes.io/pod-name: web-1`, are found by that name; the rare others are asked one
//! by one.
use crate::api::labels::LabelsId;
use crate::api::names::{Name, Sym};
use crate::api::objects::{Pod, Service};
use crate::api::selector::{Operator, Selector};
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, Store};
use crate::kernel::Id;
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::Arc;

/// How the pods of a selector are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asks {
    /// By labels that pods of one template share.
    Shared,
    /// By the name of one pod (and perhaps more).
    Name(Name),
    /// By other identity labels.
    Identity,
}

#[derive(Clone, Debug)]
struct Watched {
    namespace: Sym,
    selector: Arc<Selector>,
    asks: Asks,
}

/// What is remembered of a set of labels.
#[derive(Clone, Debug, Default)]
struct Labelled {
    /// The services that select it, among those that ask for shared labels.
    services: Vec<Id<Service>>,
    /// The pod name that the set itself has as a label, put there by hand: identity labels are no part of the set.
    name: Option<Name>,
}

/// The selectors of all services, as the controller's watch shows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Selectors {
    services: Vec<Option<Watched>>,
    by_labels: IndexMap<(Sym, LabelsId), Labelled, FxBuildHasher>,
    /// Some pod has the label of a pod name in its set of labels.
    pub(super) names_by_hand: bool,
    by_name: FxHashMap<(Sym, Name), Vec<Id<Service>>>,
    by_identity: FxHashMap<Sym, Vec<Id<Service>>>,
}

impl Selectors {
    /// Takes over the selector of a service; None: it has none any more.
    pub(super) fn set(&mut self, id: Id<Service>, service: Option<&Service>, store: &mut Store) {
        self.forget(id);
        let Some(selector) = service.and_then(|service| service.selector.clone()) else { return };
        let namespace = service.map_or(Sym::EMPTY, |service| service.meta.namespace);
        let asks = asks(&selector, store);
        match asks {
            Asks::Shared => {
                for ((scope, labels), labelled) in &mut self.by_labels {
                    if *scope == namespace && store.labels_match(*labels, &selector) {
                        insert(&mut labelled.services, id);
                    }
                }
            }
            Asks::Name(name) => insert(self.by_name.entry((namespace, name)).or_default(), id),
            Asks::Identity => insert(self.by_identity.entry(namespace).or_default(), id),
        }
        if id.index() >= self.services.len() {
            self.services.resize(id.index() + 1, None);
        }
        self.services[id.index()] = Some(Watched { namespace, selector, asks });
    }

    fn forget(&mut self, id: Id<Service>) {
        let Some(old) = self.services.get_mut(id.index()).and_then(Option::take) else { return };
        match old.asks {
            Asks::Shared => self.by_labels.values_mut().for_each(|all| remove(&mut all.services, id)),
            Asks::Name(name) => {
                if let Some(services) = self.by_name.get_mut(&(old.namespace, name)) {
                    remove(services, id);
                }
            }
            Asks::Identity => {
                if let Some(services) = self.by_identity.get_mut(&old.namespace) {
                    remove(services, id);
                }
            }
        }
    }

    /// How the pods of a service are found; None: it selects none.
    pub(super) fn asks(&self, id: Id<Service>) -> Option<Asks> {
        self.services.get(id.index())?.as_ref().map(|watched| watched.asks)
    }

    /// The services that select a pod, in order of their ids.
    pub(super) fn of_pod(&mut self, pod: &Pod, store: &mut Store) -> Vec<Id<Service>> {
        let namespace = pod.meta.namespace;
        let services = &self.services;
        let watched = |id: &Id<Service>| services.get(id.index()).and_then(Option::as_ref);
        let labelled = self.by_labels.entry((namespace, pod.meta.labels)).or_insert_with(|| {
            let all = services.iter().enumerate().filter_map(|(index, watched)| {
                let watched = watched.as_ref()?;
                let selects = watched.namespace == namespace
                    && watched.asks == Asks::Shared
                    && store.labels_match(pod.meta.labels, &watched.selector);
                selects.then(|| Id::from_index(index))
            });
            Labelled { services: all.collect(), name: name_by_hand(pod.meta.labels, store) }
        });
        self.names_by_hand |= labelled.name.is_some();
        let mut found = labelled.services.clone();
        let own = self.by_name.get(&(namespace, pod.meta.name));
        let by_hand = labelled.name.and_then(|name| self.by_name.get(&(namespace, name)));
        let identity = self.by_identity.get(&namespace);
        for id in own.into_iter().chain(by_hand).chain(identity).flatten() {
            if watched(id).is_some_and(|watched| store.pod_matches(pod, &watched.selector)) {
                insert(&mut found, *id);
            }
        }
        found
    }
}

/// The value of the pod-name label inside a set of labels.
fn name_by_hand(labels: LabelsId, store: &mut Store) -> Option<Name> {
    let value = store.labels.value(labels, store.names.known(POD_NAME_LABEL)?)?;
    let text = store.names.text(value).to_owned();
    Some(store.names.name(&text))
}

/// How the pods of this selector are found.
fn asks(selector: &Selector, store: &mut Store) -> Asks {
    let mut asks = Asks::Shared;
    for requirement in selector.requirements() {
        match (requirement.key.as_str(), requirement.operator, requirement.values.as_slice()) {
            (POD_NAME_LABEL, Operator::Equals | Operator::DoubleEquals | Operator::In, [name]) => {
                return Asks::Name(store.names.name(name));
            }
            (POD_NAME_LABEL | POD_INDEX_LABEL, ..) => asks = Asks::Identity,
            _ => {}
        }
    }
    asks
}

fn insert(services: &mut Vec<Id<Service>>, id: Id<Service>) {
    if let Err(at) = services.binary_search(&id) {
        services.insert(at, id);
    }
}

fn remove(services: &mut Vec<Id<Service>>, id: Id<Service>) {
    if let Ok(at) = services.binary_search(&id) {
        services.remove(at);
    }
}
