//! Whether an object may be stored, in the API server's own sentences.
use crate::api::kind::Kind;
use crate::api::store::Store;
use serde_json::Value;

/// What is wrong with a new object, defaulted and admitted; empty if nothing.
pub fn create(_store: &Store, _kind: Kind, _object: &Value) -> Vec<String> {
    Vec::new()
}

/// What is wrong with a change of metadata and spec; empty if nothing.
pub fn update(_store: &Store, _kind: Kind, _old: &Value, _new: &Value) -> Vec<String> {
    Vec::new()
}

/// What is wrong with a change of status; empty if nothing.
pub fn update_status(_kind: Kind, _old: &Value, _new: &Value) -> Vec<String> {
    Vec::new()
}
