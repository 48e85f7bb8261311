//! Namespaces, priority classes, and objects of kinds that nothing here acts on.
use super::fields::{flag, int32, text};
use super::{Wire, head, meta, without_nulls};
use crate::api::objects::*;
use crate::api::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;

/// Everything of an object but apiVersion, kind and metadata.
pub(super) fn body(json: &Value) -> Arc<Value> {
    let fields = json.as_object().into_iter().flatten();
    let kept = fields.filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
    Arc::new(kept.map(|(field, value)| (field.clone(), value.clone())).collect())
}

impl Wire for Namespace {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<Namespace>(store, &self.meta);
        json["spec"] = json!({"finalizers": ["kubernetes"]});
        json["status"] = json!({"phase": if self.meta.is_terminating() { "Terminating" } else { "Active" }});
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Namespace {
        Namespace { meta: meta::from_json(store, Namespace::KIND, json, |_, _| true) }
    }

    fn keep_status(&mut self, _: &Namespace) {}
}

impl Wire for PriorityClass {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<PriorityClass>(store, &self.meta);
        for (field, value) in self.body.as_object().into_iter().flatten() {
            json[field] = value.clone();
        }
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> PriorityClass {
        PriorityClass {
            meta: meta::from_json(store, PriorityClass::KIND, json, |_, _| true),
            value: int32(json, "value").unwrap_or(0),
            global_default: flag(json, "globalDefault"),
            preempts: text(json, "preemptionPolicy") != "Never",
            body: body(json),
        }
    }

    fn keep_status(&mut self, _: &PriorityClass) {}
}

/// What the name of an inert object is unique in: `apiVersion/kind/namespace`.
pub(crate) fn inert_scope(api_version: &str, kind: &str, namespace: &str) -> String {
    format!("{api_version}/{kind}/{namespace}")
}

impl Inert {
    /// apiVersion and kind.
    pub fn type_of<'a>(&self, store: &'a Store) -> (&'a str, &'a str) {
        let scope = store.names.text(self.scope);
        let Some((rest, _)) = scope.rsplit_once('/') else { return ("", "") };
        rest.rsplit_once('/').unwrap_or_default()
    }
}

impl Wire for Inert {
    fn to_json(&self, store: &Store) -> Value {
        let (api_version, kind) = self.type_of(store);
        let mut json = without_nulls(json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": meta::to_json(store, Inert::KIND, &self.meta),
        }));
        for (field, value) in self.body.as_object().into_iter().flatten() {
            json[field] = value.clone();
        }
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Inert {
        let meta = meta::from_json(store, Inert::KIND, json, |_, _| true);
        let namespace = store.names.text(meta.namespace).to_owned();
        let scope = inert_scope(text(json, "apiVersion"), text(json, "kind"), &namespace);
        Inert { meta, scope: store.names.word(&scope), body: body(json) }
    }

    fn keep_status(&mut self, _: &Inert) {}
}
