//! metadata of every kind: to JSON and back.
//!
//! uids and the names of provisioned volumes are numbers inside; their texts are a function of the seed that can be
//! undone ([`Store::uid_from_text`]). `generateName` is not kept: it follows from the owner (STS-15). Left out:
//! managedFields, selfLink.
use super::fields::{Object, count, flag, list, pairs, text, texts};
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, Owner, OwnersId, WordsId};
use crate::api::names::Sym;
use crate::api::objects::{Finalizers, Generation, Meta, Revision, Seconds};
use crate::api::rare::Rare;
use crate::api::store::Store;
use crate::api::text::{parse_timestamp, timestamp};
use serde_json::{Value, json};

/// A timestamp as objects carry it.
pub(crate) fn time(seconds: Seconds) -> Value {
    if seconds.is_set() { timestamp(seconds.start().as_nanos()).into() } else { Value::Null }
}

/// The whole second of a timestamp in a field.
pub(crate) fn seconds(value: &Value, field: &str) -> Seconds {
    match parse_timestamp(text(value, field)) {
        Ok(nanos) => Seconds(u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX - 1)),
        Err(_) => Seconds::NEVER,
    }
}

/// Labels or annotations as a JSON object.
pub(crate) fn labels_to_json(store: &Store, labels: LabelsId) -> Object {
    let pairs = store.label_texts(labels);
    pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
}

/// Labels or annotations from pairs of texts.
pub(crate) fn labels_from<'a>(
    store: &mut Store,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> LabelsId {
    let pairs = pairs.into_iter().map(|(k, v)| (store.names.word(k), store.names.word(v))).collect();
    store.labels.of(pairs)
}

/// metadata of an object of this kind, without what the kind keeps elsewhere.
pub(crate) fn to_json(store: &Store, kind: Kind, meta: &Meta) -> Object {
    let mut json = Object::new();
    json.insert("name".into(), store.name_of(meta.name).into());
    if !meta.namespace.is_empty() {
        json.insert("namespace".into(), store.names.text(meta.namespace).into());
    }
    json.insert("uid".into(), store.uid_text(meta.uid).into());
    json.insert("resourceVersion".into(), meta.revision.0.to_string().into());
    json.insert("creationTimestamp".into(), time(meta.created));
    if meta.generation.get() > 0 {
        json.insert("generation".into(), meta.generation.get().into());
    }
    let (labels, annotations) = (labels_to_json(store, meta.labels), labels_to_json(store, meta.annotations));
    for (field, map) in [("labels", labels), ("annotations", annotations)] {
        if !map.is_empty() {
            json.insert(field.into(), map.into());
        }
    }
    let owners = owners_to_json(store, meta.owners);
    if !owners.is_empty() {
        json.insert("ownerReferences".into(), owners.into());
    }
    if let Some(name) = generate_name(store, kind, meta) {
        json.insert("generateName".into(), name.into());
    }
    let finalizers = finalizers_to_json(store, meta);
    if !finalizers.is_empty() {
        json.insert("finalizers".into(), finalizers.into());
    }
    if meta.is_terminating() {
        let rare = store.rare(meta);
        json.insert("deletionTimestamp".into(), time(rare.deleted));
        json.insert("deletionGracePeriodSeconds".into(), rare.grace.into());
    }
    json
}

/// Pods carry the prefix their controller made their name of.
fn generate_name(store: &Store, kind: Kind, meta: &Meta) -> Option<String> {
    let owner = store.controller_of(meta.owners).filter(|_| kind == Kind::Pod)?;
    let prefix = format!("{}-", store.name_of(owner.name));
    store.name_of(meta.name).starts_with(&prefix).then_some(prefix)
}

fn owners_to_json(store: &Store, owners: OwnersId) -> Vec<Value> {
    let owners = store.owners.get(owners).iter().map(|owner| {
        let (api_version, kind) = type_of_owner(store, owner);
        let mut json = json!({
            "apiVersion": api_version,
            "kind": kind,
            "name": store.name_of(owner.name),
            "uid": store.uid_text(owner.uid),
        });
        for (field, on) in [("controller", owner.controller), ("blockOwnerDeletion", owner.block)] {
            if on {
                json[field] = true.into();
            }
        }
        json
    });
    owners.collect()
}

/// apiVersion and kind of an owner; those of an inert one are read from the object, while it is there.
fn type_of_owner<'a>(store: &'a Store, owner: &Owner) -> (&'a str, &'a str) {
    let inert = || store.inert.iter().find(|(_, object)| object.meta.uid == owner.uid);
    match (owner.kind == Kind::Inert).then(inert).flatten() {
        Some((_, object)) => object.type_of(store),
        None => (owner.kind.api_version(), owner.kind.as_str()),
    }
}

fn finalizers_to_json(store: &Store, meta: &Meta) -> Vec<Value> {
    let known = Finalizers::ALL.iter().filter(|(f, _)| meta.finalizers.has(*f)).map(|(_, text)| *text);
    let others =
        store.words.get(store.rare(meta).other_finalizers).iter().map(|word| store.names.text(*word));
    known.chain(others).map(Value::from).collect()
}

/// metadata from JSON. `keep` decides which labels and annotations are stored as such; the others are fields of the
/// kind.
pub(crate) fn from_json(
    store: &mut Store,
    kind: Kind,
    object: &Value,
    keep: impl Fn(&str, &str) -> bool,
) -> Meta {
    let empty = Value::Null;
    let json = object.get("metadata").unwrap_or(&empty);
    let (finalizers, other_finalizers) = finalizers_from(store, json);
    let rare = store.rares.intern(Rare {
        deleted: seconds(json, "deletionTimestamp"),
        grace: count(json, "deletionGracePeriodSeconds"),
        other_finalizers,
    });
    let namespace = match text(json, "namespace") {
        _ if !is_namespaced(kind, object) => Sym::EMPTY,
        "" => Sym::DEFAULT,
        namespace => store.names.word(namespace),
    };
    let kept = |field| pairs(json, field).filter(|(key, value)| keep(key, value));
    Meta {
        name: store.name_from_text(text(json, "name")),
        namespace,
        uid: store.uid_from_text(text(json, "uid")).unwrap_or_default(),
        revision: Revision(text(json, "resourceVersion").parse().unwrap_or(0)),
        created: seconds(json, "creationTimestamp"),
        generation: Generation::of(count(json, "generation")),
        labels: labels_from(store, kept("labels")),
        annotations: labels_from(store, kept("annotations")),
        owners: owners_from(store, json),
        rare,
        finalizers,
    }
}

/// True if objects like this live in a namespace.
pub(crate) fn is_namespaced(kind: Kind, object: &Value) -> bool {
    match kind {
        Kind::Inert => crate::api::manifest::find_kind(text(object, "apiVersion"), text(object, "kind"))
            .is_none_or(|kind| kind.namespaced),
        kind => kind.is_namespaced(),
    }
}

fn finalizers_from(store: &mut Store, metadata: &Value) -> (Finalizers, WordsId) {
    let mut known = Finalizers::NONE;
    let mut others = Vec::new();
    for text in texts(metadata, "finalizers") {
        match Finalizers::ALL.iter().find(|(_, known)| *known == text) {
            Some((finalizer, _)) => known = known.with(*finalizer),
            None => others.push(store.names.word(text)),
        }
    }
    let others = store.words.intern(&others);
    (known.and(others), others)
}

/// Owner references. A uid that is none of this run gets a number that no object has.
fn owners_from(store: &mut Store, metadata: &Value) -> OwnersId {
    let owners: Vec<Owner> = list(metadata, "ownerReferences")
        .iter()
        .map(|owner| Owner {
            kind: Kind::parse(text(owner, "kind"))
                .filter(|kind| kind.api_version() == text(owner, "apiVersion"))
                .unwrap_or(Kind::Inert),
            controller: flag(owner, "controller"),
            block: flag(owner, "blockOwnerDeletion"),
            name: store.name_from_text(text(owner, "name")),
            uid: store.uid_from_text(text(owner, "uid")).unwrap_or_else(|| store.next_uid()),
        })
        .collect();
    store.owners.intern(&owners)
}
