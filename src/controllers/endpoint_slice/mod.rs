//! The EndpointSlice controller: which pods stand behind a service (SVC-1 to SVC-7).
//!
//! Follows `pkg/controller/endpointslice/endpointslice_controller.go` and
//! `staging/src/k8s.io/endpointslice/{reconciler,utils}.go`. A sync of the real controller lists all pods and slices of
//! the service; here changes are gathered as the watch shows them ([`members`], [`selectors`]), and a sync looks at the
//! pods they concern and rewrites the slices these are in ([`draft`]).
//! Left out: the legacy Endpoints object (SVC-8), topology hints, dual stack, EndpointSlice mirroring.
mod draft;
mod members;
mod selectors;
#[cfg(test)]
mod tests;

pub use draft::{Call, Content};

use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, Owner};
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::pod_spec::{Hostname, PodSpec};
use crate::api::status::Status;
use crate::api::store::{Change, Store, Verb};
use crate::controllers::plan::{Plan, Then, Wait, WaitOn};
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::event::{Controller, Process};
use crate::kernel::{Duration, Id};
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, Draw, World};
use draft::Draft;
use members::Members;
use selectors::{Asks, Selectors};
use std::collections::BTreeSet;
use std::sync::Arc;

const MANAGER: Process = Process::ControllerManager;
/// Label of a slice: the service it belongs to.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// Label of a slice: who writes it.
pub const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`] of this controller's slices.
pub const MANAGED_BY: &str = "endpointslice-controller.k8s.io";
/// Label of the slices of headless services.
pub const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";
/// A sync caused by somebody else's write of a slice waits this long (SVC-6).
const FOREIGN_CHANGE_DELAY: Duration = Duration::from_secs(1);

/// The EndpointSlice controller.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    selectors: Selectors,
    members: Members,
}

/// What a pod should have in the slices of a service.
enum Wanted {
    Nothing,
    /// An endpoint, with the ports of this group.
    Endpoint(usize, Endpoint),
    /// Nothing for now: its node is not in the cache (SVC-1).
    NodeMissing(Id<Node>),
}

/// A service during a sync.
struct Subject {
    id: Id<Service>,
    service: Service,
    /// The service's name as one word: what a pod's subdomain is compared with.
    word: Option<Sym>,
    /// The sets of ports that its endpoints have.
    groups: Vec<Arc<[ServicePort]>>,
    /// The group of each pod spec met, if ports go by name.
    resolved: Vec<(PodSpecId, usize)>,
}

impl Reconciler for Endpoints {
    type Call = Call;
    const CONTROLLER: Controller = Controller::EndpointSlice;
    const ACTOR: Actor = Actor::EndpointSliceController;
    const WORKERS: usize = 5;
    const MAX_RETRIES: Option<u32> = Some(15);
    const BACKOFF: Option<(Duration, Duration)> = Some((Duration::from_secs(1), Duration::from_secs(1000)));

    fn observe(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        match change.kind {
            Kind::Pod => self.pod_changed(change, queue, world),
            Kind::Service => self.service_changed(change, queue, world),
            Kind::EndpointSlice => self.slice_changed(change, queue, world),
            // A node that comes or goes starts no sync; the next one sees it (SVC-1).
            Kind::Node if change.verb == Verb::Removed => self.members.node_gone(change.id()),
            _ => {}
        }
    }

    fn reconcile(&mut self, key: u32, world: &mut World) -> Plan<Call> {
        let id = Id::from_index(key as usize);
        let mut plan = Plan::default();
        let Some(service) = world.view(MANAGER).get(id).cloned() else { return plan };
        if self.selectors.asks(id).is_none() {
            return plan;
        }
        let (seen, now) = (world.seen(MANAGER), world.now());
        let unseen = self.members.of(id).own_writes.iter().filter(|(write, _)| *write > seen);
        if let Some(answered) = unseen.map(|(_, answered)| *answered).max() {
            mark!("SVC-6");
            // The worker that wrote is free once it has its answer; if the watch is slower than that, the sync fails:
            // "EndpointSlice informer cache is out of date" (SVC-6).
            plan.then = if answered > now { Then::After(answered.elapsed_since(now)) } else { Then::Retry };
            plan.wait = Some(Wait { rule: Rule::svc(6), on: WaitOn::OwnWrites });
            return plan;
        }
        self.sync(id, service, &mut plan, world);
        plan
    }

    fn execute(&mut self, key: u32, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        let id = Id::from_index(key as usize);
        match self.write(id, call, rule, world) {
            Ok(()) => {
                let written = world.store.revision();
                let latency = world.config.latency.api_write;
                let answer = world.draw(latency, Draw::ApiWrite, u64::from(key), u64::from(written.0));
                self.members.of(id).own_writes.push((written, world.now() + answer));
                Ok(())
            }
            Err(status) => {
                let member = self.members.of(id);
                (member.all_slices, member.all_pods) = (true, true);
                report(id, &status.message, world);
                Err(status)
            }
        }
    }

    fn restart(&mut self, queue: &mut WorkQueue, world: &mut World) {
        *self = Endpoints::default();
        let at = world.seen(MANAGER);
        let services: Vec<_> = world.view(MANAGER).iter::<Service>().map(|(id, s)| (id, s.clone())).collect();
        for (id, service) in &services {
            self.selectors.set(*id, selecting(service), &mut world.store);
        }
        let view = world.store.view(at);
        for (id, slice) in view.iter::<EndpointSlice>().filter(|(_, slice)| is_managed(slice, view.store)) {
            self.members.slice_changed(id, None, Some(slice));
        }
        let pods: Vec<_> = view.iter::<Pod>().map(|(id, _)| id).collect();
        for id in pods {
            let Some(pod) = world.store.view(at).get(id).copied() else { continue };
            for service in self.selectors.of_pod(&pod, &mut world.store) {
                self.members.of(service).dirty.insert(id);
            }
        }
        for (id, _) in services {
            self.members.of(id).all_slices = true;
            queue.add(id.as_u32(), world);
        }
    }
}

impl Endpoints {
    fn pod_changed(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        let id = change.id::<Pod>();
        let (old, new) = world.store.before_and_after::<Pod>(change);
        let (old, new) = (old.copied(), new.copied());
        let mut starts_sync = true;
        let mut relabeled = false;
        if let (Some(old), Some(new)) = (&old, &new) {
            starts_sync = is_noticed(old, new, &world.store);
            relabeled = old.meta.labels != new.meta.labels || identity(old) != identity(new);
            mark!("SVC-7" if !starts_sync);
            if !starts_sync && !relabeled && old.phase == new.phase && old.node == new.node {
                return;
            }
        }
        let before = old.filter(|_| relabeled || new.is_none());
        let before = before.map_or_else(Vec::new, |pod| self.selectors.of_pod(&pod, &mut world.store));
        let after = new.map_or_else(Vec::new, |pod| self.selectors.of_pod(&pod, &mut world.store));
        let services = before.iter().chain(after.iter().filter(|service| !before.contains(service)));
        for service in services {
            self.members.of(*service).dirty.insert(id);
            let joins_or_leaves = relabeled && before.contains(service) != after.contains(service);
            if starts_sync || joins_or_leaves {
                queue.add(service.as_u32(), world);
            }
        }
    }

    fn service_changed(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        let id = change.id::<Service>();
        let (old, new) = world.store.before_and_after::<Service>(change);
        let (old, new) = (old.cloned(), new.cloned());
        self.selectors.set(id, new.as_ref().and_then(selecting), &mut world.store);
        let Some(new) = new else { return self.members.service_gone(id) };
        let member = self.members.of(id);
        let reselects = old.as_ref().is_none_or(|old| {
            old.selector != new.selector
                || old.service_type != new.service_type
                || old.publish_not_ready != new.publish_not_ready
        });
        let rewrites = old.as_ref().is_none_or(|old| {
            old.ports != new.ports || old.meta.labels != new.meta.labels || old.cluster_ip != new.cluster_ip
        });
        member.all_pods |= reselects;
        member.all_slices |= reselects || rewrites;
        queue.add(id.as_u32(), world);
    }

    fn slice_changed(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        let (old, new) = world.store.before_and_after::<EndpointSlice>(change);
        let managed = |slice: &&EndpointSlice| is_managed(slice, &world.store);
        let (old, new) = (old.filter(managed), new.filter(managed));
        let Some(service) = old.or(new).map(|slice| slice.service) else { return };
        self.members.slice_changed(change.id(), old, new);
        let member = self.members.of(service);
        if let Some(at) = member.own_writes.iter().position(|(write, _)| *write == change.revision) {
            member.own_writes.remove(at);
            return;
        }
        member.all_slices = true;
        member.all_pods = true;
        if self.selectors.asks(service).is_some() {
            mark!("SVC-6");
            queue.add_after(service.as_u32(), FOREIGN_CHANGE_DELAY, world);
        }
    }

    /// Decides what to write for a service whose slices are as the cache shows them.
    fn sync(&mut self, id: Id<Service>, service: Service, plan: &mut Plan<Call>, world: &mut World) {
        let at = world.seen(MANAGER);
        let candidates = self.candidates(id, &service, world);
        let labels = slice_labels(&service, &mut world.store);
        let mut subject = Subject::new(id, service, &world.store);
        let mut wanted = Vec::with_capacity(candidates.len());
        let mut missing = Vec::new();
        for pod in candidates {
            let endpoint = match self.wanted(&mut subject, pod, world) {
                Wanted::Nothing => None,
                Wanted::Endpoint(group, endpoint) => Some((group, endpoint)),
                Wanted::NodeMissing(node) => {
                    missing.push((pod, node));
                    None
                }
            };
            wanted.push((pod, endpoint));
        }
        let view = world.store.view(at);
        let Some(member) = self.members.get(id) else { return };
        let mut draft = Draft::new(view, id, &subject.service, &self.members, member, &subject.groups);
        for (pod, endpoint) in wanted {
            draft.place(pod, endpoint);
        }
        if member.all_slices {
            draft.relabel(labels);
        }
        draft.finish(labels, plan);
        let member = self.members.of(id);
        (member.all_slices, member.all_pods) = (false, false);
        if let Some((_, node)) = missing.first() {
            plan.then = Then::Retry;
            plan.wait = Some(Wait { rule: Rule::svc(1), on: WaitOn::Node(*node) });
            let message = missing_text(&missing, &subject.service, &world.store);
            report(id, &message, world);
            self.members.of(id).dirty.extend(missing.iter().map(|(pod, _)| *pod));
        }
    }

    /// The pods to look at: those that have changed, or all that are or might be in the slices.
    fn candidates(&mut self, id: Id<Service>, service: &Service, world: &mut World) -> BTreeSet<Id<Pod>> {
        let at = world.seen(MANAGER);
        let member = self.members.of(id);
        let mut candidates = std::mem::take(&mut member.dirty);
        let lost_nodes = std::mem::take(&mut member.lost_nodes);
        let view = world.store.view(at);
        if member.all_slices || !lost_nodes.is_empty() {
            let endpoints = member.slices.iter().filter_map(|id| view.get(*id)).flat_map(|s| &s.endpoints);
            let concerned = endpoints.filter(|e| member.all_slices || lost_nodes.contains(&e.node));
            candidates.extend(concerned.map(|endpoint| endpoint.pod));
        }
        if !member.all_pods {
            return candidates;
        }
        let namespace = service.meta.namespace;
        match self.selectors.asks(id) {
            Some(Asks::Name(name)) if !self.selectors.names_by_hand => {
                candidates.extend(view.find::<Pod>(namespace, name).map(|(pod, _)| pod));
            }
            _ => {
                let all = view.iter::<Pod>().filter(|(_, pod)| pod.meta.namespace == namespace);
                let all: Vec<_> = all.map(|(id, _)| id).collect();
                candidates.extend(all.into_iter().filter(|pod| {
                    let pod = world.store.view(at).get(*pod).copied();
                    pod.is_some_and(|pod| self.selectors.of_pod(&pod, &mut world.store).contains(&id))
                }));
            }
        }
        candidates
    }

    /// The endpoint a pod should have now (SVC-1 to SVC-4).
    fn wanted(&mut self, subject: &mut Subject, id: Id<Pod>, world: &mut World) -> Wanted {
        let Some(pod) = world.view(MANAGER).get(id).copied() else { return Wanted::Nothing };
        let selected = self.selectors.of_pod(&pod, &mut world.store).contains(&subject.id);
        if !selected || pod.is_terminal() || pod.ip == Ip::NONE {
            return Wanted::Nothing;
        }
        let publish = subject.service.publish_not_ready;
        if !publish && world.view(MANAGER).get(pod.node).is_none() {
            return Wanted::NodeMissing(pod.node);
        }
        let spec = world.store.pod_spec(pod.spec);
        let hostname = spec.hostname != Hostname::None && subject.word == Some(spec.subdomain);
        let serving = pod.is_ready();
        let terminating = pod.is_terminating();
        mark!("SVC-3" if publish && (!serving || terminating));
        mark!("SVC-4" if hostname);
        let endpoint = Endpoint {
            pod: id,
            uid: pod.meta.uid,
            ip: pod.ip,
            node: pod.node,
            ready: publish || serving && !terminating,
            serving,
            terminating,
            hostname,
        };
        Wanted::Endpoint(subject.group(pod.spec, spec), endpoint)
    }

    fn write(&mut self, id: Id<Service>, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        match call {
            Call::Create(owner, content) => {
                let member = self.members.of(id);
                let Some(service) = world.store.services.last_known(id) else { return Ok(()) };
                let (service_name, namespace) = (service.meta.name, service.meta.namespace);
                let base = format!("{}-", world.store.name_of(service_name));
                let mut name;
                loop {
                    let text = world.generated_name(&base, u64::from(owner.0), member.names);
                    member.names += 1;
                    name = world.store.names.name(&text);
                    if world.store.slices.find(namespace, name).is_none() {
                        break;
                    }
                }
                let owner = Owner {
                    kind: Kind::Service,
                    controller: true,
                    block: true,
                    name: service_name,
                    uid: *owner,
                };
                let owners = world.store.owners.intern(&[owner]);
                let meta = Meta { name, namespace, labels: content.labels, owners, ..Meta::default() };
                let (endpoints, ports) = (content.endpoints.clone(), content.ports.clone());
                world.create(EndpointSlice { meta, service: id, endpoints, ports }, rule).map(drop)
            }
            Call::Update(slice, read, content) => {
                let name = |world: &World| {
                    let known = world.store.slices.last_known(*slice);
                    known.map_or_else(String::new, |slice| world.store.name_of(slice.meta.name))
                };
                let resource = Kind::EndpointSlice.resource();
                let Some(current) = world.store.get(*slice) else {
                    return Err(Status::not_found(resource, &name(world)));
                };
                if current.meta.revision != *read {
                    return Err(Status::stale(resource, &name(world)));
                }
                let respecified = current.endpoints != content.endpoints || current.ports != content.ports;
                let write = |slice: &mut EndpointSlice| {
                    slice.meta.labels = content.labels;
                    if respecified {
                        slice.meta.generation = slice.meta.generation.next();
                    }
                    slice.endpoints.clone_from(&content.endpoints);
                    slice.ports = content.ports.clone();
                };
                world.put(*slice, rule, write).map(drop)
            }
            Call::Delete(slice, uid) => {
                let options = DeleteOptions { uid: Some(*uid), ..DeleteOptions::default() };
                world.delete(*slice, options, rule).map(drop)
            }
        }
    }
}

impl Subject {
    fn new(id: Id<Service>, service: Service, store: &Store) -> Subject {
        let word = store.names.known(&store.name_of(service.meta.name));
        Subject { id, service, word, groups: Vec::new(), resolved: Vec::new() }
    }

    /// The number of the set of ports of pods with this spec.
    fn group(&mut self, id: PodSpecId, spec: &PodSpec) -> usize {
        let named = self.service.ports.iter().any(|port| port.target == 0);
        let known = self.resolved.iter().find(|(known, _)| !named || *known == id);
        if let Some((_, group)) = known {
            return *group;
        }
        let ports = self.service.ports.iter().filter_map(|port| resolve(port, spec));
        let ports: Arc<[ServicePort]> = ports.collect();
        let group = self.groups.iter().position(|group| *group == ports).unwrap_or_else(|| {
            self.groups.push(ports);
            self.groups.len() - 1
        });
        self.resolved.push((id, group));
        group
    }
}

/// The port as the endpoints of such pods have it; a port that goes by a name no container has is left out.
fn resolve(port: &ServicePort, spec: &PodSpec) -> Option<ServicePort> {
    let number = if port.target > 0 {
        port.target
    } else {
        let all = spec.containers.iter().flat_map(|container| container.ports.iter());
        let mut named =
            all.filter(|(name, protocol, _)| *name == port.target_name && *protocol == port.protocol);
        named.next()?.2
    };
    Some(ServicePort { port: number, target: number, target_name: Sym::EMPTY, ..port.clone() })
}

/// The service, if this controller makes slices for it: it has a selector and is not of type ExternalName (SVC-1).
fn selecting(service: &Service) -> Option<&Service> {
    (service.selector.is_some() && service.service_type != ServiceType::ExternalName).then_some(service)
}

/// True for a slice that says it is this controller's, and of which service it is.
fn is_managed(slice: &EndpointSlice, store: &Store) -> bool {
    if slice.service.is_none() {
        return false;
    }
    let value =
        store.names.known(MANAGED_BY_LABEL).and_then(|key| store.labels.value(slice.meta.labels, key));
    value.is_some_and(|value| store.names.text(value) == MANAGED_BY)
}

fn identity(pod: &Pod) -> u16 {
    pod.flags.0 & (PodFlags::NAME_LABEL.0 | PodFlags::INDEX_LABEL.0)
}

/// True if an update of a pod starts a sync of its services, whatever its labels (SVC-7).
fn is_noticed(old: &Pod, new: &Pod, store: &Store) -> bool {
    let host = |pod: &Pod| {
        let spec = store.pod_spec(pod.spec);
        (spec.hostname, spec.subdomain)
    };
    new.is_terminating()
        || old.is_ready() != new.is_ready()
        || old.ip != new.ip
        || old.spec != new.spec && host(old) != host(new)
}

/// The labels of a service's slices: the service's own, whose they are, and who writes them.
fn slice_labels(service: &Service, store: &mut Store) -> LabelsId {
    let name = store.name_of(service.meta.name);
    let mut word = |text: &str| store.names.word(text);
    let headless = word(HEADLESS_LABEL);
    let fixed = [(word(SERVICE_NAME_LABEL), word(&name)), (word(MANAGED_BY_LABEL), word(MANAGED_BY))];
    let mut pairs = store.labels.get(service.meta.labels).to_vec();
    pairs.retain(|(key, _)| *key != headless);
    pairs.extend(fixed);
    if service.service_type == ServiceType::Headless {
        pairs.push((headless, Sym::EMPTY));
    }
    store.labels.of(pairs)
}

fn missing_text(missing: &[(Id<Pod>, Id<Node>)], service: &Service, store: &Store) -> String {
    let texts = missing.iter().map(|(pod, node)| {
        let pod = store.pods.last_known(*pod).map_or_else(String::new, |pod| store.name_of(pod.meta.name));
        let node =
            store.nodes.last_known(*node).map_or_else(String::new, |node| store.name_of(node.meta.name));
        let (namespace, name) = (store.names.text(service.meta.namespace), store.name_of(service.meta.name));
        format!("skipping Pod {pod} for Service {namespace}/{name}: Node {node} Not Found")
    });
    let texts: Vec<_> = texts.collect();
    if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) }
}

/// The Event of a sync that failed.
fn report(id: Id<Service>, why: &str, world: &mut World) {
    world.emit(id, true, "FailedToUpdateEndpointSlices", |world| {
        let service = world.store.services.last_known(id);
        let name = service.map_or_else(String::new, |service| {
            let namespace = world.store.names.text(service.meta.namespace);
            format!("{namespace}/{}", world.store.name_of(service.meta.name))
        });
        format!("Error updating Endpoint Slices for Service {name}: {why}")
    });
}
