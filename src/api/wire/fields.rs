//! Reading JSON objects without ceremony: what is missing or of another type reads as nothing.
//!
//! Types are checked once, against the schema ([`crate::api::manifest`]); behind that border these do.
use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// The text of a field; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a path of fields; empty if there is none.
pub(crate) fn text_at<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The value at a path of fields; null is nothing.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, field| value.get(field)).filter(|found| !found.is_null())
}

/// The integer of a field.
pub(crate) fn int(value: &Value, field: &str) -> Option<i64> {
    value.get(field).and_then(Value::as_i64)
}

/// The 32-bit integer of a field.
pub(crate) fn int32(value: &Value, field: &str) -> Option<i32> {
    int(value, field).and_then(|n| i32::try_from(n).ok())
}

/// The integer of a field that counts something: 0 if missing or negative.
pub(crate) fn count(value: &Value, field: &str) -> u32 {
    int(value, field).map_or(0, |n| u32::try_from(n.max(0)).unwrap_or(u32::MAX))
}

/// True if the field is `true`.
pub(crate) fn flag(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// The items of a list; none if there is no list.
pub(crate) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list of texts.
pub(crate) fn texts<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    list(value, field).iter().filter_map(Value::as_str)
}

/// The object in a field.
pub(crate) fn object<'a>(value: &'a Value, field: &str) -> Option<&'a Object> {
    value.get(field).and_then(Value::as_object)
}

/// The pairs of a map of texts, in the map's order.
pub(crate) fn pairs<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    object(value, field)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

/// The object in a field, made if it is not there.
pub(crate) fn ensure<'a>(parent: &'a mut Value, field: &str) -> Option<&'a mut Object> {
    let parent = parent.as_object_mut()?;
    let entry = parent.entry(field).or_insert(Value::Null);
    if !entry.is_object() {
        *entry = Value::Object(Object::new());
    }
    entry.as_object_mut()
}

/// Sets a field that is not there.
pub(crate) fn set_default(parent: &mut Object, field: &str, value: impl Into<Value>) {
    let entry = parent.entry(field).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value.into();
    }
}

/// Sets a field whose zero value is the empty text: Go cannot tell that from absence.
pub(crate) fn set_default_text(parent: &mut Object, field: &str, value: &str) {
    if parent.get(field).is_none_or(|given| given.is_null() || given == "") {
        parent.insert(field.into(), value.into());
    }
}
