//! The facts of a cluster that an expression can name: one table per class, one line per field.
//!
//! A line is the path of the field as Kubernetes has it (or a short name users expect), its type, how it is read, and
//! what it means; type checker, evaluator and documentation take them from here. API truth (objects of the store) and
//! physical truth (processes, disks) are different classes, as they are different records. What is not set reads as
//! the zero of its type, as in the JSON of an object; `has()` tells.
mod databases;
mod here;
mod meta;
mod network;
mod pods;
mod storage;
mod workloads;

use super::reads::Reads;
use super::types::{AttachedDisk, Class, Found, Handle, Here, Labels, Running, StatusCondition, Ty, Value};
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::Store;
use crate::cluster::Cluster;
use crate::kernel::Id;
use std::borrow::Cow;

/// What values are read from.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) cluster: &'a Cluster,
    /// The container that looks, if it is one.
    pub(super) here: Option<Here>,
}

impl<'a> Look<'a> {
    pub(super) fn store(&self) -> &'a Store {
        &self.cluster.world.store
    }

    fn word(&self, word: Sym) -> Value<'a> {
        self.store().names.text(word).into()
    }

    fn name(&self, name: crate::api::names::Name) -> Value<'a> {
        let is_plain =
            name.ordinal().is_none() && name.provisioned_for().is_none() && name.attachment().is_none();
        if is_plain { self.word(name.stem()) } else { self.store().name_of(name).into() }
    }

    fn uid(&self, uid: crate::api::names::Uid) -> Value<'a> {
        self.store().uid_text(uid).into()
    }

    fn node_name(&self, node: Id<Node>) -> Value<'a> {
        self.store().nodes.last_known(node).map_or("".into(), |node| self.name(node.meta.name))
    }

    fn pod_name(&self, pod: Id<Pod>) -> Value<'a> {
        self.store().pods.last_known(pod).map_or("".into(), |pod| self.name(pod.meta.name))
    }

    fn volume_name(&self, volume: Id<Volume>) -> Value<'a> {
        self.store().volumes.last_known(volume).map_or("".into(), |volume| self.name(volume.meta.name))
    }

    /// The claim a volume is bound to or reserved for.
    fn claim_of(&self, volume: Id<Volume>) -> Value<'a> {
        let volume = self.store().volumes.last_known(volume).filter(|volume| volume.claim.is_set());
        volume.map_or("".into(), |volume| self.name(volume.claim.name))
    }

    fn ip(&self, ip: Ip) -> Value<'a> {
        if ip == Ip::NONE { "".into() } else { ip.render().into() }
    }

    /// The value of a label or annotation.
    pub(super) fn label(&self, labels: Labels<'a>, key: &str) -> Option<Cow<'a, str>> {
        use crate::api::store::LabelValue;
        let store = self.store();
        let set = match labels {
            Labels::Set(set) => set,
            Labels::Pod(pod) => {
                let value = match key {
                    crate::api::store::POD_NAME_LABEL if pod.flags.has(PodFlags::NAME_LABEL) => {
                        LabelValue::Name(pod.meta.name)
                    }
                    crate::api::store::POD_INDEX_LABEL if pod.flags.has(PodFlags::INDEX_LABEL) => {
                        LabelValue::Number(pod.meta.name.ordinal()?)
                    }
                    _ => store.pod_label(pod, store.names.known(key)?)?,
                };
                return Some(match value {
                    LabelValue::Word(word) => store.names.text(word).into(),
                    LabelValue::Name(name) => store.name_of(name).into(),
                    LabelValue::Number(number) => number.to_string().into(),
                });
            }
        };
        Some(store.names.text(store.labels.value(set, store.names.known(key)?)?).into())
    }

    /// How many labels or annotations there are.
    pub(super) fn count(&self, labels: Labels<'a>) -> usize {
        let flags = |pod: &Pod| {
            let both = [PodFlags::NAME_LABEL, PodFlags::INDEX_LABEL];
            both.into_iter().filter(|flag| pod.flags.has(*flag)).count()
        };
        match labels {
            Labels::Set(set) => self.store().labels.get(set).len(),
            Labels::Pod(pod) => self.store().labels.get(pod.meta.labels).len() + flags(pod),
        }
    }
}

/// How a field is read.
#[derive(Clone, Copy)]
pub(super) enum Get {
    /// Whether the object exists: the one field that an absent object has.
    Exists,
    Meta(for<'a> fn(&Look<'a>, &'a Meta) -> Value<'a>),
    Pod(for<'a> fn(&Look<'a>, Found<'a, Pod>) -> Value<'a>),
    StatefulSet(for<'a> fn(&Look<'a>, Found<'a, StatefulSet>) -> Value<'a>),
    Deployment(for<'a> fn(&Look<'a>, Found<'a, Deployment>) -> Value<'a>),
    ReplicaSet(for<'a> fn(&Look<'a>, Found<'a, ReplicaSet>) -> Value<'a>),
    Node(for<'a> fn(&Look<'a>, Found<'a, Node>) -> Value<'a>),
    Claim(for<'a> fn(&Look<'a>, Found<'a, Claim>) -> Value<'a>),
    Volume(for<'a> fn(&Look<'a>, Found<'a, Volume>) -> Value<'a>),
    Attachment(for<'a> fn(&Look<'a>, Found<'a, Attachment>) -> Value<'a>),
    Budget(for<'a> fn(&Look<'a>, Found<'a, Budget>) -> Value<'a>),
    Service(for<'a> fn(&Look<'a>, Found<'a, Service>) -> Value<'a>),
    Endpoint(for<'a> fn(&Look<'a>, &'a Endpoint) -> Value<'a>),
    Condition(fn(StatusCondition) -> Value<'static>),
    Container(for<'a> fn(&Look<'a>, Found<'a, Pod>, usize) -> Value<'a>),
    Taint(for<'a> fn(&Look<'a>, &'a Taint) -> Value<'a>),
    Event(for<'a> fn(&Look<'a>, &'a crate::api::events::ApiEvent) -> Value<'a>),
    Process(for<'a> fn(&Look<'a>, Running) -> Value<'a>),
    Disk(for<'a> fn(&Look<'a>, AttachedDisk) -> Value<'a>),
    Fault(for<'a> fn(&Look<'a>, &str) -> Value<'a>),
    Database(fn(crate::workload::Facts) -> Value<'static>),
    Here(for<'a> fn(&Look<'a>, Here) -> Value<'a>),
}

/// A field of a class.
pub(super) struct Field {
    /// Its path: `status.readyReplicas`.
    pub(super) path: &'static str,
    pub(super) ty: Ty,
    /// What it reads besides the object itself.
    pub(super) reads: Reads,
    pub(super) get: Get,
    /// One line for the documentation.
    pub(super) about: &'static str,
}

impl Field {
    const fn new(path: &'static str, ty: Ty, get: Get, about: &'static str) -> Field {
        Field { path, ty, reads: Reads::NOTHING, get, about }
    }

    const fn reading(self, reads: Reads) -> Field {
        Field { reads, ..self }
    }

    /// Its value; None: there is no such object.
    pub(super) fn of<'a>(&self, look: &Look<'a>, handle: Handle<'a>) -> Option<Value<'a>> {
        Some(match (self.get, handle) {
            (Get::Exists, handle) => handle.exists().into(),
            (_, Handle::Absent(_)) => return None,
            (Get::Meta(get), handle) => get(look, handle.meta()?),
            (Get::Pod(get), Handle::Pod(pod)) => get(look, pod),
            (Get::StatefulSet(get), Handle::StatefulSet(set)) => get(look, set),
            (Get::Deployment(get), Handle::Deployment(deployment)) => get(look, deployment),
            (Get::ReplicaSet(get), Handle::ReplicaSet(set)) => get(look, set),
            (Get::Node(get), Handle::Node(node)) => get(look, node),
            (Get::Claim(get), Handle::Claim(claim)) => get(look, claim),
            (Get::Volume(get), Handle::Volume(volume)) => get(look, volume),
            (Get::Attachment(get), Handle::Attachment(attachment)) => get(look, attachment),
            (Get::Budget(get), Handle::Budget(budget)) => get(look, budget),
            (Get::Service(get), Handle::Service(service)) => get(look, service),
            (Get::Endpoint(get), Handle::Endpoint(endpoint)) => get(look, endpoint),
            (Get::Condition(get), Handle::Condition(condition)) => get(condition),
            (Get::Container(get), Handle::Container(pod, index)) => get(look, pod, index.into()),
            (Get::Taint(get), Handle::Taint(taint)) => get(look, taint),
            (Get::Event(get), Handle::Event(event)) => get(look, event),
            (Get::Process(get), Handle::Process(process)) => get(look, process),
            (Get::Disk(get), Handle::Disk(disk)) => get(look, disk),
            (Get::Fault(get), Handle::Fault(name)) => get(look, name),
            (Get::Database(get), Handle::Database(database)) => get(database.facts(look.store())),
            (Get::Here(get), Handle::Here(_, here)) => get(look, here),
            // The checker has seen to it that field and object fit.
            _ => return None,
        })
    }
}

/// The fields of a class: its own, then those that all API objects have.
pub(super) fn fields(class: Class) -> impl Iterator<Item = &'static Field> + Clone {
    let own = match class {
        Class::Pod => pods::POD,
        Class::Condition => pods::CONDITION,
        Class::Container => pods::CONTAINER,
        Class::Process => pods::PROCESS,
        Class::StatefulSet => workloads::STATEFUL_SET,
        Class::Deployment => workloads::DEPLOYMENT,
        Class::ReplicaSet => workloads::REPLICA_SET,
        Class::Budget => workloads::BUDGET,
        Class::Node => network::NODE,
        Class::Taint => network::TAINT,
        Class::Service => network::SERVICE,
        Class::Endpoint => network::ENDPOINT,
        Class::Event => network::EVENT,
        Class::Fault => network::FAULT,
        Class::Claim => storage::CLAIM,
        Class::Volume => storage::VOLUME,
        Class::VolumeAttachment => storage::ATTACHMENT,
        Class::Disk => storage::DISK,
        Class::Database => databases::DATABASE,
        Class::Peers => here::PEERS,
        Class::OwnVolume => here::OWN_VOLUME,
        Class::Dns => &[],
    };
    let meta: &[Field] = if class.kind().is_some() { meta::META } else { &[] };
    own.iter().chain(meta)
}

/// The fields that all API objects have.
pub(super) fn common() -> impl Iterator<Item = &'static Field> {
    meta::META.iter()
}

/// The field with this path.
pub(super) fn field(class: Class, path: &str) -> Option<&'static Field> {
    fields(class).find(|field| field.path == path)
}

/// The name an element of a list is told by.
pub(super) fn name_of<'a>(look: &Look<'a>, handle: Handle<'a>) -> Option<Cow<'a, str>> {
    let path = match handle {
        Handle::Absent(_) => return None,
        Handle::Endpoint(_) => "pod",
        Handle::Condition(_) => "type",
        Handle::Container(..) | Handle::Fault(_) => "name",
        Handle::Taint(_) => "key",
        Handle::Event(_) => "reason",
        Handle::Process(_) | Handle::Disk(_) => "node",
        Handle::Database(database) => return Some(database.spec.name.as_str().into()),
        Handle::Here(..) => return None,
        _ => "name",
    };
    let class = class_of(handle);
    match field(class, path)?.of(look, handle)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn class_of(handle: Handle<'_>) -> Class {
    match handle {
        Handle::Absent(class) => class,
        Handle::Pod(_) => Class::Pod,
        Handle::StatefulSet(_) => Class::StatefulSet,
        Handle::Deployment(_) => Class::Deployment,
        Handle::ReplicaSet(_) => Class::ReplicaSet,
        Handle::Node(_) => Class::Node,
        Handle::Claim(_) => Class::Claim,
        Handle::Volume(_) => Class::Volume,
        Handle::Attachment(_) => Class::VolumeAttachment,
        Handle::Budget(_) => Class::Budget,
        Handle::Service(_) => Class::Service,
        Handle::Endpoint(_) => Class::Endpoint,
        Handle::Condition(_) => Class::Condition,
        Handle::Container(..) => Class::Container,
        Handle::Taint(_) => Class::Taint,
        Handle::Event(_) => Class::Event,
        Handle::Process(_) => Class::Process,
        Handle::Disk(_) => Class::Disk,
        Handle::Fault(_) => Class::Fault,
        Handle::Database(_) => Class::Database,
        Handle::Here(class, _) => class,
    }
}

/// A list of objects.
fn list<'a>(handles: impl Iterator<Item = Handle<'a>>) -> Value<'a> {
    Value::List(handles.map(Value::Object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tables_are_well_formed() {
        for class in Class::ALL {
            let mut paths = BTreeSet::new();
            for field in fields(class) {
                assert!(paths.insert(field.path), "{}.{} twice", class.name(), field.path);
                assert!(
                    !field.about.is_empty() && (!field.about.ends_with('.') || field.about.ends_with(" ..."))
                );
            }
            assert!(!paths.is_empty() || class == Class::Dns, "{}", class.name());
            // A path is a field or leads to fields, never both.
            for path in &paths {
                let below = format!("{path}.");
                assert!(!paths.iter().any(|other| other.starts_with(&below)), "{path}");
            }
        }
    }
}
