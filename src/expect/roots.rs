//! Functions that lead into the cluster: `pod("web-0")`, `pods("app=web")`, `processes("web-0")`.
//!
//! Names of objects may have their namespace before them (`kube-system/coredns`), else it is `default`.
use super::facts::{Look, fields};
use super::reads::Reads;
use super::types::{AttachedDisk, Class, Found, Handle, Running, Ty, Value};
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::selector::Selector;
use crate::api::store::{Store, Stored};
use crate::kernel::Id;
use crate::network::answer::RecordType;
use crate::network::dns::Zone;
use std::cmp::Ordering;

/// What a function takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Takes {
    /// The name of an object.
    Name,
    /// The name of an object; without it, all.
    NameOrAll,
    /// A label selector in quotes; without it, all.
    Selector,
    /// `pod/web-0`; without it, all.
    Object,
    /// A name as a pod asks for it.
    Host,
    /// The name of a fault, in quotes.
    Fault,
    /// The name of a database, in quotes.
    Database,
}

/// What a function leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leads {
    /// One object, there or not.
    One(Class),
    /// Objects of a kind, sorted by namespace and name.
    All(Class),
    Endpoints,
    Attachments,
    Events,
    Processes,
    Disks,
    Dns,
    Fault,
    Database,
}

/// A function.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) names: &'static [&'static str],
    pub(super) takes: Takes,
    pub(super) leads: Leads,
    pub(super) about: &'static str,
}

const fn root(names: &'static [&'static str], takes: Takes, leads: Leads, about: &'static str) -> Root {
    Root { names, takes, leads, about }
}

/// All of them.
pub(super) const ROOTS: &[Root] = &[
    root(&["pod"], Takes::Name, Leads::One(Class::Pod), "the pod of this name"),
    root(&["pods"], Takes::Selector, Leads::All(Class::Pod), "pods with these labels"),
    root(
        &["sts", "statefulset"],
        Takes::Name,
        Leads::One(Class::StatefulSet),
        "the StatefulSet of this name",
    ),
    root(
        &["statefulsets"],
        Takes::Selector,
        Leads::All(Class::StatefulSet),
        "StatefulSets with these labels",
    ),
    root(&["deployment"], Takes::Name, Leads::One(Class::Deployment), "the Deployment of this name"),
    root(&["deployments"], Takes::Selector, Leads::All(Class::Deployment), "Deployments with these labels"),
    root(&["rs", "replicaset"], Takes::Name, Leads::One(Class::ReplicaSet), "the ReplicaSet of this name"),
    root(&["replicasets"], Takes::Selector, Leads::All(Class::ReplicaSet), "ReplicaSets with these labels"),
    root(&["node"], Takes::Name, Leads::One(Class::Node), "the node of this name"),
    root(&["nodes"], Takes::Selector, Leads::All(Class::Node), "nodes with these labels"),
    root(&["pvc"], Takes::Name, Leads::One(Class::Claim), "the claim of this name"),
    root(&["pvcs"], Takes::Selector, Leads::All(Class::Claim), "claims with these labels"),
    root(&["pv"], Takes::Name, Leads::One(Class::Volume), "the volume of this name"),
    root(&["pvs"], Takes::Selector, Leads::All(Class::Volume), "volumes with these labels"),
    root(&["pdb"], Takes::Name, Leads::One(Class::Budget), "the PodDisruptionBudget of this name"),
    root(&["service", "svc"], Takes::Name, Leads::One(Class::Service), "the service of this name"),
    root(&["services"], Takes::Selector, Leads::All(Class::Service), "services with these labels"),
    root(
        &["endpoints"],
        Takes::Name,
        Leads::Endpoints,
        "endpoints in the EndpointSlices of this service, sorted by the names of their pods",
    ),
    root(
        &["volumeAttachments"],
        Takes::NameOrAll,
        Leads::Attachments,
        "VolumeAttachments of the volume of this claim, or all",
    ),
    root(
        &["events"],
        Takes::Object,
        Leads::Events,
        "Kubernetes Events about an object, or all, by their first occurrence",
    ),
    root(
        &["processes"],
        Takes::NameOrAll,
        Leads::Processes,
        "sets of containers that really run, of any incarnation of this pod, or all, in order of nodes",
    ),
    root(
        &["attachments"],
        Takes::NameOrAll,
        Leads::Disks,
        "the disk of this claim as a machine really has it, gets it or loses it (none or one), or all",
    ),
    root(
        &["dns"],
        Takes::Host,
        Leads::Dns,
        "addresses that CoreDNS answers to a pod of namespace default that asks for this name now",
    ),
    root(&["db"], Takes::Database, Leads::Database, "the database of the scenario with this name"),
    root(&["fault"], Takes::Fault, Leads::Fault, "the fault of the scenario with this `name:`"),
];

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Root> {
    ROOTS.iter().find(|root| root.names.contains(&name))
}

impl Leads {
    pub(super) fn ty(self) -> Ty {
        match self {
            Leads::One(class) => Ty::object(class),
            Leads::All(class) => Ty::object(class).list(),
            Leads::Endpoints => Ty::object(Class::Endpoint).list(),
            Leads::Attachments => Ty::object(Class::VolumeAttachment).list(),
            Leads::Events => Ty::object(Class::Event).list(),
            Leads::Processes => Ty::object(Class::Process).list(),
            Leads::Disks => Ty::object(Class::Disk).list(),
            Leads::Dns => Ty::TEXT.list(),
            Leads::Fault => Ty::object(Class::Fault),
            Leads::Database => Ty::object(Class::Database),
        }
    }

    pub(super) fn reads(self) -> Reads {
        match self {
            Leads::One(class) | Leads::All(class) => class.kind().map_or(Reads::NOTHING, Reads::kind),
            Leads::Endpoints => Reads::kind(Kind::EndpointSlice).and(Reads::kind(Kind::Service)),
            Leads::Attachments => {
                Reads::kind(Kind::Attachment).and(Reads::kind(Kind::Claim)).and(Reads::kind(Kind::Volume))
            }
            Leads::Events => Reads::EVENTS,
            Leads::Processes => Reads::PROCESSES,
            Leads::Disks => Reads::DISKS.and(Reads::kind(Kind::Claim)).and(Reads::kind(Kind::Volume)),
            Leads::Dns => Reads::DNS,
            Leads::Fault => Reads::FAULTS,
            Leads::Database => Reads::DATABASES,
        }
    }
}

/// The name of an object, and what it is called inside a run once that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Called {
    namespace: String,
    name: String,
    known: Option<(Sym, Name)>,
}

impl Called {
    /// From `name` or `namespace/name`.
    pub(super) fn new(text: &str, namespaced: bool) -> Called {
        let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
        let namespace = if namespaced { namespace } else { "" };
        Called { namespace: namespace.to_owned(), name: name.to_owned(), known: None }
    }

    /// Looks the words up, so that [`Called::find`] need not. False: nothing in the run is called so yet.
    pub(super) fn learn(&mut self, store: &Store) -> bool {
        if self.known.is_none() {
            self.known = self.look_up(store);
        }
        self.known.is_some()
    }

    fn look_up(&self, store: &Store) -> Option<(Sym, Name)> {
        Some((store.names.known(&self.namespace)?, store.known_name(&self.name)?))
    }

    fn id<T: Stored>(&self, store: &Store) -> Option<Id<T>> {
        let (scope, name) = self.known.or_else(|| self.look_up(store))?;
        T::table(store).id(scope, name)
    }

    fn find<'a, T: Stored>(&self, store: &'a Store) -> Option<Found<'a, T>> {
        let id = self.id(store)?;
        store.get(id).map(|object| Found { id, object })
    }
}

/// The object of this class and name.
pub(super) fn one<'a>(look: &Look<'a>, class: Class, called: &Called) -> Handle<'a> {
    let store = look.store();
    let found = match class {
        Class::Pod => called.find(store).map(Handle::Pod),
        Class::StatefulSet => called.find(store).map(Handle::StatefulSet),
        Class::Deployment => called.find(store).map(Handle::Deployment),
        Class::ReplicaSet => called.find(store).map(Handle::ReplicaSet),
        Class::Node => called.find(store).map(Handle::Node),
        Class::Claim => called.find(store).map(Handle::Claim),
        Class::Volume => called.find(store).map(Handle::Volume),
        Class::Budget => called.find(store).map(Handle::Budget),
        Class::Service => called.find(store).map(Handle::Service),
        _ => None,
    };
    found.unwrap_or(Handle::Absent(class))
}

/// All objects of this class with these labels, sorted.
pub(super) fn all<'a>(look: &Look<'a>, class: Class, selector: &Selector) -> Vec<Value<'a>> {
    match class {
        Class::Pod => pods(look, selector),
        Class::StatefulSet => selected(look, selector, Handle::StatefulSet),
        Class::Deployment => selected(look, selector, Handle::Deployment),
        Class::ReplicaSet => selected(look, selector, Handle::ReplicaSet),
        Class::Node => selected(look, selector, Handle::Node),
        Class::Claim => selected(look, selector, Handle::Claim),
        Class::Volume => selected(look, selector, Handle::Volume),
        Class::Service => selected(look, selector, Handle::Service),
        _ => Vec::new(),
    }
}

fn pods<'a>(look: &Look<'a>, selector: &Selector) -> Vec<Value<'a>> {
    let store = look.store();
    // What many pods have in common is judged once; labels that are flags are each pod's own.
    let own = |requirement: &crate::api::selector::Requirement| {
        [crate::api::store::POD_NAME_LABEL, crate::api::store::POD_INDEX_LABEL]
            .contains(&requirement.key.as_str())
    };
    let by_labels = !selector.requirements().iter().any(own);
    let mut last = None;
    let fits = |pod: &Pod| match last {
        Some((labels, verdict)) if by_labels && labels == pod.meta.labels => verdict,
        _ => {
            let verdict = store.pod_matches(pod, selector);
            last = Some((pod.meta.labels, verdict));
            verdict
        }
    };
    sorted(look, store.pods.iter(), fits, Handle::Pod)
}

fn selected<'a, T: Stored + 'a>(
    look: &Look<'a>,
    selector: &Selector,
    handle: fn(Found<'a, T>) -> Handle<'a>,
) -> Vec<Value<'a>> {
    let store = look.store();
    let fits = |object: &T| selector.is_empty() || store.labels_match(object.meta().labels, selector);
    sorted(look, T::table(store).iter(), fits, handle)
}

fn sorted<'a, T: Object + 'a>(
    look: &Look<'a>,
    objects: impl Iterator<Item = (Id<T>, &'a T)>,
    mut fits: impl FnMut(&T) -> bool,
    handle: fn(Found<'a, T>) -> Handle<'a>,
) -> Vec<Value<'a>> {
    let store = look.store();
    let mut found: Vec<_> = objects.filter(|(_, object)| fits(object)).collect();
    found.sort_by(|(_, a), (_, b)| by_name(store, a.meta(), b.meta()));
    found.into_iter().map(|(id, object)| Value::Object(handle(Found { id, object }))).collect()
}

/// By namespace and name; ordinals as numbers.
fn by_name(store: &Store, a: &Meta, b: &Meta) -> Ordering {
    let word =
        |a: Sym, b: Sym| if a == b { Ordering::Equal } else { store.names.text(a).cmp(store.names.text(b)) };
    word(a.namespace, b.namespace).then_with(|| {
        if a.name.stem() == b.name.stem() {
            return a.name.cmp(&b.name);
        }
        let is_plain = |name: Name| name.provisioned_for().is_none() && name.attachment().is_none();
        if is_plain(a.name) && is_plain(b.name) {
            word(a.name.stem(), b.name.stem())
        } else {
            store.name_of(a.name).cmp(&store.name_of(b.name))
        }
    })
}

/// Endpoints of a service, sorted by the names of their pods.
pub(super) fn endpoints<'a>(look: &Look<'a>, called: &Called) -> Vec<Value<'a>> {
    let store = look.store();
    let Some(service) = called.id::<Service>(store) else { return Vec::new() };
    let slices = store.slices.iter().filter(|(_, slice)| slice.service == service);
    let mut all: Vec<&Endpoint> = slices.flat_map(|(_, slice)| &slice.endpoints).collect();
    let meta =
        |endpoint: &Endpoint| store.pods.last_known(endpoint.pod).map(|pod| pod.meta).unwrap_or_default();
    all.sort_by(|a, b| by_name(store, &meta(a), &meta(b)).then(a.uid.cmp(&b.uid)));
    all.into_iter().map(|endpoint| Value::Object(Handle::Endpoint(endpoint))).collect()
}

/// The volume that a claim of this name has or had.
fn volume_of(store: &Store, called: &Called) -> Option<Id<Volume>> {
    let claim = called.id::<Claim>(store).and_then(|claim| store.claims.last_known(claim))?;
    (!claim.volume.is_none()).then_some(claim.volume)
}

/// VolumeAttachments of the volume of a claim, or all.
pub(super) fn volume_attachments<'a>(look: &Look<'a>, called: Option<&Called>) -> Vec<Value<'a>> {
    let store = look.store();
    let volume = called.map(|called| volume_of(store, called));
    let fits = |attachment: &Attachment| volume.is_none_or(|volume| volume == Some(attachment.volume));
    let mut found: Vec<_> = store.attachments.iter().filter(|(_, attachment)| fits(attachment)).collect();
    found.sort_by_key(|(_, attachment)| (attachment.volume, attachment.node));
    found.into_iter().map(|(id, object)| Value::Object(Handle::Attachment(Found { id, object }))).collect()
}

/// Disks of volumes that some machine has, gets or loses: that of a claim, or all.
pub(super) fn disks<'a>(look: &Look<'a>, called: Option<&Called>) -> Vec<Value<'a>> {
    use crate::storage::ebs::DiskState;
    let store = look.store();
    let cloud = &look.cluster.csi.cloud;
    let attached = |volume: Id<Volume>| {
        let disk = store.volumes.last_known(volume)?.disk;
        let state = cloud.disk(disk)?.state;
        let text = match state {
            DiskState::Available => return None,
            DiskState::Attaching(_) => "attaching",
            DiskState::Attached(_) => "attached",
            DiskState::Detaching(_) => "detaching",
        };
        let disk = AttachedDisk { volume, disk, node: state.node()?, state: text };
        Some(Value::Object(Handle::Disk(disk)))
    };
    match called {
        Some(called) => volume_of(store, called).and_then(attached).into_iter().collect(),
        None => store.volumes.iter().filter_map(|(id, _)| attached(id)).collect(),
    }
}

/// Containers that really run: those of a pod, or all.
pub(super) fn processes<'a>(look: &Look<'a>, called: Option<&Called>) -> Vec<Value<'a>> {
    let kubelets = &look.cluster.kubelets;
    let value = |node, pod, uid| Value::Object(Handle::Process(Running { node, pod, uid }));
    match called {
        Some(called) => match called.id::<Pod>(look.store()) {
            Some(pod) => kubelets.running_of(pod).map(|(node, uid)| value(node, pod, uid)).collect(),
            None => Vec::new(),
        },
        None => kubelets.running().map(|(node, pod, uid)| value(node, pod, uid)).collect(),
    }
}

/// Kinds by the words that `events()` knows them by.
pub(super) const KINDS: [(&str, Kind); 10] = [
    ("pod", Kind::Pod),
    ("sts", Kind::StatefulSet),
    ("statefulset", Kind::StatefulSet),
    ("deployment", Kind::Deployment),
    ("rs", Kind::ReplicaSet),
    ("replicaset", Kind::ReplicaSet),
    ("node", Kind::Node),
    ("pvc", Kind::Claim),
    ("pv", Kind::Volume),
    ("pdb", Kind::Budget),
];

/// Kubernetes Events about `kind/name`, or all. What is no kind has none.
pub(super) fn events<'a>(look: &Look<'a>, about: Option<&str>) -> Vec<Value<'a>> {
    let store = look.store();
    let wanted = about.map(|text| {
        let (kind, name) = text.split_once('/')?;
        let (_, kind) = KINDS.into_iter().find(|(word, _)| *word == kind)?;
        let called = Called::new(name, kind.is_namespaced());
        called.look_up(store).map(|(scope, name)| (kind, scope, name))
    });
    let fits = |event: &crate::api::events::ApiEvent| {
        wanted.is_none_or(|wanted| wanted == Some((event.kind, event.namespace, event.name)))
    };
    let all = look.cluster.world.events.iter().filter(|event| fits(event));
    all.map(|event| Value::Object(Handle::Event(event))).collect()
}

/// Addresses that CoreDNS has for a name, as a pod of namespace `default` asks for it.
pub(super) fn dns<'a>(look: &Look<'a>, name: &str) -> Vec<Value<'a>> {
    let lookup = Zone::of(&look.cluster.world).resolve("default", name, RecordType::A);
    lookup.answer.addresses().map(|ip| ip.render().into()).collect()
}

/// Fields of a class, as far as the next dot below a prefix: what may follow it.
pub(super) fn next_words(class: Class, prefix: &str) -> impl Iterator<Item = &'static str> + Clone {
    let skip = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
    let prefix = prefix.to_owned();
    let below = fields(class).map(|field| field.path).filter(move |path| {
        prefix.is_empty() || path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'))
    });
    below.filter_map(move |path| path.get(skip..)?.split('.').next())
}
