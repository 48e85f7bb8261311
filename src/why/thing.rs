//! What can be asked about, and how it is called: `pod/web-1`, `pv/vol-0...`, `dns/web-0.web`.
use crate::api::kind::Kind;
use crate::api::manifest::nearest;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::store::Store;
use crate::kernel::Id;
use crate::kubectl::resource::ResourceKind;
use crate::why::look::Look;

/// Objects that are named where one was asked for that is not there.
const NAMED: usize = 8;

/// Something that can be asked about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thing {
    /// An object that is there, or was: its kind and table position.
    Object(Kind, u32),
    /// A pod that is not there, of a namespace, by name.
    Absent(String, String),
    /// A DNS name, as somebody in a namespace asks for it.
    Name(String, String),
}

/// The word kubectl and the timeline use for a kind.
pub fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Claim => "pvc",
        Kind::Volume => "pv",
        Kind::Attachment => "volumeattachment",
        Kind::StatefulSet => "sts",
        Kind::Deployment => "deploy",
        Kind::ReplicaSet => "rs",
        Kind::Revision => "controllerrevision",
        Kind::EndpointSlice => "endpointslice",
        Kind::Budget => "pdb",
        Kind::Node => "node",
        Kind::Pod => "pod",
        Kind::Service => "service",
        Kind::StorageClass => "storageclass",
        Kind::PriorityClass => "priorityclass",
        Kind::Namespace => "namespace",
        Kind::Inert => "object",
    }
}

/// Calls `$body` with the table of a kind.
macro_rules! with_table {
    ($store:expr, $kind:expr, $table:ident => $body:expr) => {{
        let store = $store;
        match $kind {
            Kind::Namespace => {
                let $table = &store.namespaces;
                $body
            }
            Kind::Node => {
                let $table = &store.nodes;
                $body
            }
            Kind::Pod => {
                let $table = &store.pods;
                $body
            }
            Kind::Claim => {
                let $table = &store.claims;
                $body
            }
            Kind::Volume => {
                let $table = &store.volumes;
                $body
            }
            Kind::Service => {
                let $table = &store.services;
                $body
            }
            Kind::StatefulSet => {
                let $table = &store.stateful_sets;
                $body
            }
            Kind::Deployment => {
                let $table = &store.deployments;
                $body
            }
            Kind::ReplicaSet => {
                let $table = &store.replica_sets;
                $body
            }
            Kind::Revision => {
                let $table = &store.revisions;
                $body
            }
            Kind::EndpointSlice => {
                let $table = &store.slices;
                $body
            }
            Kind::Budget => {
                let $table = &store.budgets;
                $body
            }
            Kind::StorageClass => {
                let $table = &store.classes;
                $body
            }
            Kind::Attachment => {
                let $table = &store.attachments;
                $body
            }
            Kind::PriorityClass => {
                let $table = &store.priorities;
                $body
            }
            Kind::Inert => {
                let $table = &store.inert;
                $body
            }
        }
    }};
}

impl Thing {
    /// An object.
    pub fn of<T: Object>(id: Id<T>) -> Thing {
        Thing::Object(T::KIND, id.as_u32())
    }

    /// Its position in the table of its kind, if it is an object of that kind.
    pub fn id<T: Object>(&self) -> Option<Id<T>> {
        match self {
            Thing::Object(kind, index) if *kind == T::KIND => Some(Id::from_index(*index as usize)),
            _ => None,
        }
    }

    /// Metadata of the object, if it is there.
    pub fn meta(&self, store: &Store) -> Option<Meta> {
        let Thing::Object(kind, index) = self else { return None };
        let index = *index as usize;
        with_table!(store, *kind, table => table.get(Id::from_index(index)).map(|object| *object.meta()))
    }

    /// Metadata of the object, or what was left of it.
    pub fn last_meta(&self, store: &Store) -> Option<Meta> {
        let Thing::Object(kind, index) = self else { return None };
        let index = *index as usize;
        with_table!(store, *kind, table => table.last_known(Id::from_index(index)).map(|object| *object.meta()))
    }

    /// As it is called: kind and name, with the namespace if that is not `default`.
    pub fn text(&self, look: &Look<'_>) -> String {
        let store = look.store();
        let (kind, index) = match self {
            Thing::Object(kind, index) => (*kind, *index),
            Thing::Absent(namespace, name) => return qualified(format!("pod/{name}"), namespace),
            Thing::Name(_, name) => return format!("dns/{name}"),
        };
        let Some(meta) = self.last_meta(store) else { return word(kind).to_owned() };
        let name = match kind {
            Kind::Volume => {
                let volume = store.volumes.last_known(Id::from_index(index as usize));
                let disk = volume.map_or(0, |volume| volume.disk);
                if disk == 0 { store.name_of(meta.name) } else { store.volume_handle(disk) }
            }
            Kind::Attachment => attachment(look, meta.name),
            _ => store.name_of(meta.name),
        };
        qualified(format!("{}/{name}", word(kind)), store.names.text(meta.namespace))
    }

    /// What is asked about: `KIND/NAME` as kubectl writes it.
    ///
    /// # Errors
    /// One sentence: there is no such kind, or no such object at this moment and before.
    pub fn parse(text: &str, namespace: &str, look: &Look<'_>) -> Result<Thing, String> {
        let Some((kind, name)) = text.split_once('/').filter(|(_, name)| !name.is_empty()) else {
            return Err(format!(
                "`{text}` is no object: write KIND/NAME, such as pod/web-1 or dns/web-0.web"
            ));
        };
        if kind == "dns" {
            return Ok(Thing::Name(namespace.to_owned(), name.to_owned()));
        }
        let kind = match ResourceKind::parse(kind) {
            Some(ResourceKind::Endpoints) => Some(Kind::Service),
            Some(resource) => resource.stored(),
            None if kind == "attachment" => Some(Kind::Attachment),
            None => None,
        };
        let Some(kind) = kind.filter(|kind| *kind != Kind::Inert) else {
            return Err(format!("there is nothing to explain about `{text}`: no component waits for it"));
        };
        if let Some(thing) = Thing::find(kind, name, namespace, look.store()) {
            return Ok(thing);
        }
        let known = |thing: &Thing| thing.text(look).split('/').nth(1) == Some(name);
        let all = (0..with_table!(look.store(), kind, table => table.capacity()))
            .map(|index| Thing::Object(kind, u32::try_from(index).unwrap_or(u32::MAX)));
        if let Some(thing) = all.clone().find(|thing| thing.meta(look.store()).is_some() && known(thing)) {
            return Ok(thing);
        }
        if kind == Kind::Pod {
            return Ok(Thing::Absent(namespace.to_owned(), name.to_owned()));
        }
        if let Some(thing) = all.clone().find(known) {
            return Ok(thing);
        }
        Err(Thing::unknown(kind, name, look))
    }

    /// That there is no such object, the nearest name, and what there is.
    pub fn unknown(kind: Kind, name: &str, look: &Look<'_>) -> String {
        let names: Vec<String> = Thing::all(kind, look).iter().map(|thing| thing.text(look)).collect();
        let there = match names.as_slice() {
            [] => "there are none".to_owned(),
            some => format!("there are {}", some.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")),
        };
        let wrong = format!("{}/{name}", word(kind));
        let help = nearest(&wrong, names.iter().map(String::as_str));
        let help = help.map_or_else(String::new, |near| format!("\n  = help: did you mean `{near}`?"));
        format!("there is no {wrong} at this moment; {there}{help}")
    }

    /// The object of this kind and name, if it is there.
    pub fn find(kind: Kind, name: &str, namespace: &str, store: &Store) -> Option<Thing> {
        let name = store.known_name(name)?;
        let scope = if kind.is_namespaced() { store.names.known(namespace)? } else { Sym::EMPTY };
        let index = with_table!(store, kind, table => table.find(scope, name).map(|(id, _)| id.as_u32()))?;
        Some(Thing::Object(kind, index))
    }

    /// All objects of a kind that are there, in order of names.
    pub fn all(kind: Kind, look: &Look<'_>) -> Vec<Thing> {
        let capacity = with_table!(look.store(), kind, table => table.capacity());
        let every = (0..capacity).map(|index| Thing::Object(kind, u32::try_from(index).unwrap_or(u32::MAX)));
        let mut all: Vec<Thing> = every.filter(|thing| thing.meta(look.store()).is_some()).collect();
        all.sort_by_cached_key(|thing| {
            let meta = thing.meta(look.store()).unwrap_or_default();
            (thing.text(look).trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), meta.name.ordinal())
        });
        all
    }
}

fn qualified(text: String, namespace: &str) -> String {
    if namespace.is_empty() || namespace == "default" {
        text
    } else {
        format!("{text} of namespace {namespace}")
    }
}

/// `data-web-0@node-a`.
fn attachment(look: &Look<'_>, name: Name) -> String {
    let Some((volume, node)) = name.attachment() else { return look.store().name_of(name) };
    let claim = look.claim_name(Id::from_index(volume as usize));
    format!("{claim}@{}", look.node(Id::from_index(node as usize)))
}
