//! The border between the JSON users see and the lean objects of the store.
//!
//! [`Wire::to_json`] shows an object as `kubectl get -o json` does on a real cluster; [`Wire::from_json`] reads what
//! has been defaulted, admitted and validated. Reading what was shown gives the same object back. One file per group
//! of kinds. What nothing acts on is kept as JSON inside the objects and shown again.
mod cluster;
pub(crate) mod fields;
mod meta;
mod network;
mod node;
mod pod;
mod storage;
mod workload;

pub(crate) use meta::is_namespaced;
pub use storage::intern_claim_spec;
pub use workload::intern_template;

use crate::api::objects::{Meta, Object};
use crate::api::store::Store;
use crate::trace::notes::Noted;
use serde_json::{Value, json};

/// A kind that has a form on the wire.
pub trait Wire: Noted {
    /// The whole object as the API server answers.
    fn to_json(&self, store: &Store) -> Value;
    /// The object this JSON describes: defaulted, admitted and valid.
    fn from_json(store: &mut Store, json: &Value) -> Self;
    /// Takes over from `old` what is not part of metadata and spec, and so is not changed by a write of these.
    fn keep_status(&mut self, old: &Self);
}

/// apiVersion, kind and metadata.
fn head<T: Object>(store: &Store, meta: &Meta) -> Value {
    json!({
        "apiVersion": T::KIND.api_version(),
        "kind": T::KIND.as_str(),
        "metadata": meta::to_json(store, T::KIND, meta),
    })
}

/// An object of these fields without those that are null.
fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

/// The number, or null for 0: Go's `omitempty`.
fn unless_zero(number: impl Into<i64>) -> Value {
    match number.into() {
        0 => Value::Null,
        number => number.into(),
    }
}

/// The text, or null if it is empty.
fn unless_empty(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.is_empty() { Value::Null } else { text.into() }
}
