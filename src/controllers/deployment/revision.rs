//! Revisions: which ReplicaSet is the new one, its number and annotations, and what a new one is made of.
//!
//! Follows pkg/controller/deployment/util/deployment_util.go (FindNewReplicaSet, SetNewReplicaSetAnnotations) and
//! sync.go (getNewReplicaSet).
use crate::api::labels::LabelsId;
use crate::api::names::{Name, Sym};
use crate::api::objects::{Deployment, ReplicaSet, ReplicaSetSpec, TemplateId};
use crate::api::selector::Selector;
use crate::api::store::Store;
use crate::api::template_hash::pod_template_hash;
use crate::api::wire::intern_template;
use crate::trace::notes::REVISION_ANNOTATION;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// Label that tells the pods and ReplicaSets of one Deployment apart (DEP-4).
pub(super) const HASH_LABEL: &str = "pod-template-hash";
/// Annotation with the former numbers of a ReplicaSet (DEP-8).
const HISTORY_ANNOTATION: &str = "deployment.kubernetes.io/revision-history";
/// Annotation with spec.replicas of the Deployment, on each active ReplicaSet (DEP-6).
const DESIRED_ANNOTATION: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation with the most pods the Deployment may have, on each active ReplicaSet (DEP-13).
const MAX_ANNOTATION: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations that are not copied from a Deployment to its new ReplicaSet (DEP-8).
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION_ANNOTATION,
    HISTORY_ANNOTATION,
    DESIRED_ANNOTATION,
    MAX_ANNOTATION,
    "deprecated.deployment.rollback.to",
];
/// The history is kept to this many characters.
const MAX_HISTORY: usize = 2000;
/// Longest name of a ReplicaSet.
const MAX_NAME: usize = 253;

/// Templates without the hash label: what "the same template" compares (DEP-7).
#[derive(Clone, Debug, Default)]
pub(super) struct Templates {
    plain: FxHashMap<TemplateId, TemplateId>,
}

impl Templates {
    /// The template without the hash label.
    pub(super) fn plain(&mut self, template: TemplateId, store: &mut Store) -> TemplateId {
        if let Some(plain) = self.plain.get(&template) {
            return *plain;
        }
        let mut json = (*store.template(template).json).clone();
        let labels = json.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
        let plain = match labels.and_then(|labels| labels.remove(HASH_LABEL)) {
            Some(_) => intern_template(store, &json),
            None => template,
        };
        self.plain.insert(template, plain);
        plain
    }
}

fn annotation<'a>(store: &'a Store, annotations: LabelsId, key: &str) -> Option<&'a str> {
    let value = store.labels.value(annotations, store.names.known(key)?)?;
    Some(store.names.text(value))
}

fn annotate(store: &mut Store, annotations: LabelsId, key: &str, value: &str) -> LabelsId {
    let (key, value) = (store.names.word(key), store.names.word(value));
    store.labels.with(annotations, key, value)
}

/// The revision number of a ReplicaSet: 0 without the annotation, None if that is no number.
pub(super) fn number(store: &Store, set: &ReplicaSet) -> Option<i64> {
    match annotation(store, set.meta.annotations, REVISION_ANNOTATION) {
        Some(text) => text.parse().ok(),
        None => Some(0),
    }
}

/// Annotation desired-replicas, if it is a number.
pub(super) fn desired(store: &Store, set: &ReplicaSet) -> Option<i32> {
    annotation(store, set.meta.annotations, DESIRED_ANNOTATION)?.parse().ok()
}

/// Annotation max-replicas, if it is a number.
pub(super) fn max_replicas(store: &Store, set: &ReplicaSet) -> Option<i32> {
    annotation(store, set.meta.annotations, MAX_ANNOTATION)?.parse().ok()
}

/// The annotations with what the ReplicaSet is to know of the Deployment's size (DEP-13).
pub(super) fn with_sizes(store: &mut Store, annotations: LabelsId, desired: i32, most: i32) -> LabelsId {
    let annotations = annotate(store, annotations, DESIRED_ANNOTATION, &desired.to_string());
    annotate(store, annotations, MAX_ANNOTATION, &most.to_string())
}

/// The annotations of the new ReplicaSet, whose number is to be `revision` unless it has a higher one (DEP-8).
pub(super) fn with_revision(
    store: &mut Store,
    deployment: LabelsId,
    annotations: LabelsId,
    revision: i64,
) -> LabelsId {
    let copied = |store: &Store, key: Sym| !NOT_COPIED.contains(&store.names.text(key));
    let pairs: Vec<_> =
        store.labels.get(deployment).iter().copied().filter(|(key, _)| copied(store, *key)).collect();
    let mut result = annotations;
    for (key, value) in pairs {
        result = store.labels.with(result, key, value);
    }
    let old = annotation(store, annotations, REVISION_ANNOTATION).map(str::to_owned);
    let number = match old.as_deref() {
        None | Some("") => 0,
        Some(text) => match text.parse::<i64>() {
            Ok(number) => number,
            Err(_) => return result,
        },
    };
    if number >= revision {
        return result;
    }
    result = annotate(store, result, REVISION_ANNOTATION, &revision.to_string());
    if let Some(old) = old {
        let history = annotation(store, annotations, HISTORY_ANNOTATION).unwrap_or_default();
        if let Some(history) = longer_history(history, &old) {
            result = annotate(store, result, HISTORY_ANNOTATION, &history);
        }
    }
    result
}

/// The history with one more number; the oldest ones give way if it gets too long.
fn longer_history(history: &str, number: &str) -> Option<String> {
    if history.is_empty() || history.starts_with(',') {
        return Some(number.to_owned());
    }
    let mut rest = history;
    while rest.len() + number.len() + 1 > MAX_HISTORY {
        rest = rest.split_once(',')?.1;
    }
    Some(format!("{rest},{number}"))
}

/// The Deployment's annotations with its revision number.
pub(super) fn of_deployment(store: &mut Store, annotations: LabelsId, set: LabelsId) -> LabelsId {
    let number = annotation(store, set, REVISION_ANNOTATION).unwrap_or_default().to_owned();
    annotate(store, annotations, REVISION_ANNOTATION, &number)
}

/// A ReplicaSet for the present template of a Deployment: its name, labels and spec, with no replicas (DEP-4).
pub(super) fn new_set(store: &mut Store, deployment: &Deployment) -> (Name, LabelsId, ReplicaSetSpec) {
    let spec = &deployment.spec;
    let template = store.template(spec.template).clone();
    let hash = pod_template_hash(&template.json, deployment.status.collisions);
    let mut json = (*template.json).clone();
    json["metadata"]["labels"][HASH_LABEL] = json!(hash);
    let (key, value) = (store.names.word(HASH_LABEL), store.names.word(&hash));
    let labels = store.labels.with(template.labels, key, value);
    let mut selector_json = (*spec.selector_json).clone();
    selector_json["matchLabels"][HASH_LABEL] = json!(hash);
    // Adding an exact value to a selector that could be read gives one that can be read.
    let selector = Selector::from_label_selector(&selector_json).unwrap_or_else(|_| (*spec.selector).clone());
    let mut name = store.name_of(deployment.meta.name);
    while name.len() + hash.len() + 1 > MAX_NAME {
        name.pop();
    }
    let name = store.names.name(&format!("{name}-{hash}"));
    let spec = ReplicaSetSpec {
        replicas: 0,
        selector: Arc::new(selector),
        selector_json: Arc::new(selector_json),
        template: intern_template(store, &json),
        min_ready: spec.min_ready,
    };
    (name, labels, spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DEP-8.
    #[test]
    fn numbers_grow_and_are_remembered() {
        let mut store = Store::seeded(1);
        let first = with_revision(&mut store, LabelsId::EMPTY, LabelsId::EMPTY, 1);
        let text = |store: &Store, set, key| annotation(store, set, key).map(str::to_owned);
        assert_eq!(text(&store, first, REVISION_ANNOTATION).as_deref(), Some("1"));
        assert_eq!(text(&store, first, HISTORY_ANNOTATION), None);
        assert_eq!(with_revision(&mut store, LabelsId::EMPTY, first, 1), first);
        let third = with_revision(&mut store, LabelsId::EMPTY, first, 3);
        let fifth = with_revision(&mut store, LabelsId::EMPTY, third, 5);
        assert_eq!(text(&store, fifth, REVISION_ANNOTATION).as_deref(), Some("5"));
        assert_eq!(text(&store, fifth, HISTORY_ANNOTATION).as_deref(), Some("1,3"));
    }

    #[test]
    fn only_the_users_annotations_are_copied() {
        let mut store = Store::seeded(1);
        let mut deployment = LabelsId::EMPTY;
        for key in ["team", "kubernetes.io/change-cause"].iter().chain(&NOT_COPIED) {
            deployment = annotate(&mut store, deployment, key, "x");
        }
        let set = with_revision(&mut store, deployment, LabelsId::EMPTY, 1);
        let keys: Vec<_> = store.label_texts(set).iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, [REVISION_ANNOTATION, "kubernetes.io/change-cause", "team"]);
    }

    #[test]
    fn a_long_history_loses_its_oldest() {
        let history = vec!["1234"; 400].join(",");
        assert_eq!(history.len(), 1999);
        let longer = longer_history(&history, "77").unwrap();
        assert_eq!((longer.len(), longer.ends_with(",1234,77")), (1997, true));
        assert_eq!(longer_history("", "3").as_deref(), Some("3"));
    }
}
