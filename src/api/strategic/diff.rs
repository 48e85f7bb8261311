//! The patch between two objects, and the three-way patch of `kubectl apply`: additions and changes from the live
//! object to the manifest, deletions from the last applied manifest to the manifest (patch.go `diffMaps`,
//! `CreateThreeWayMergePatch` with overwrite on).
use serde_json::{Map, Value, json};

use super::super::text::go_format;
use super::order::sort_by_order;
use super::schema::{Rule, Schema};
use super::{
    DELETE_PREFIX, DIRECTIVE, ORDER_PREFIX, Object, RETAIN_KEYS, StrategicError, Target, key_of, merge_map,
    same_type,
};

/// Which half of the difference is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    /// What the second object adds or changes.
    Additions,
    /// What the second object no longer has.
    Deletions,
}

/// The patch that brings `current` to `modified` and removes what `original` (the last applied manifest, null if
/// there is none) had and `modified` has not. An empty object means that nothing changes.
pub fn three_way(
    kind: &str,
    original: &Value,
    modified: &Value,
    current: &Value,
) -> Result<Value, StrategicError> {
    let empty = Map::new();
    let object = |value: &Value| value.as_object().unwrap_or(&empty).clone();
    let (original, modified, current) = (object(original), object(modified), object(current));
    let schema = Schema::of_kind(kind);
    let additions = diff_maps(&current, &modified, schema, Half::Additions, false)?;
    let deletions = diff_maps(&original, &modified, schema, Half::Deletions, false)?;
    let patch = merge_map(deletions, additions, schema, Target::Patch)?;
    let renames = patch.get("metadata").and_then(|metadata| metadata.get("name")).is_some();
    if patch.contains_key("apiVersion") || patch.contains_key("kind") || renames {
        return Err(StrategicError::Identity);
    }
    Ok(Value::Object(patch))
}

fn diff_maps(
    original: &Object,
    modified: &Object,
    schema: &'static Schema,
    half: Half,
    retain_keys: bool,
) -> Result<Object, StrategicError> {
    let mut patch = Object::new();
    for (key, new) in modified {
        match original.get(key) {
            Some(old) if same_type(old, new) => {
                diff_values(key, old, new, schema.rule(key), half, &mut patch)?;
            }
            _ => add(&mut patch, key, new, half),
        }
    }
    if half == Half::Deletions {
        let gone = original.keys().filter(|key| !modified.contains_key(*key));
        patch.extend(gone.map(|key| (key.clone(), Value::Null)));
    }
    let retained = || modified.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
    if retain_keys && retained().next().is_some() {
        let stale = original.iter().any(|(key, value)| !value.is_null() && !modified.contains_key(key));
        if stale || !patch.is_empty() {
            patch.insert(RETAIN_KEYS.to_owned(), retained().cloned().collect());
        }
    }
    Ok(patch)
}

fn add(patch: &mut Object, key: &str, value: &Value, half: Half) {
    if half == Half::Additions {
        patch.insert(key.to_owned(), value.clone());
    }
}

fn diff_values(
    key: &str,
    old: &Value,
    new: &Value,
    rule: Rule,
    half: Half,
    patch: &mut Object,
) -> Result<(), StrategicError> {
    match (old, new, rule.merge_key) {
        (Value::Object(_), Value::Object(_), _) if rule.replace => add(patch, key, new, half),
        (Value::Object(old), Value::Object(new), _) => {
            let inner = diff_maps(old, new, rule.schema, half, rule.retain_keys)?;
            if !inner.is_empty() {
                patch.insert(key.to_owned(), Value::Object(inner));
            }
        }
        (Value::Array(old), Value::Array(new), Some(merge_key)) => {
            let lists = if old.is_empty() {
                Lists::all_new(new, half)
            } else if merge_key.is_empty() {
                diff_scalars(old, new, half)?
            } else {
                diff_keyed(old, new, merge_key, rule, half)?
            };
            let mut put = |key: String, list: Vec<Value>| {
                if !list.is_empty() {
                    patch.insert(key, Value::Array(list));
                }
            };
            put(key.to_owned(), lists.changed);
            put(format!("{DELETE_PREFIX}{key}"), lists.deleted);
            put(format!("{ORDER_PREFIX}{key}"), lists.order);
        }
        _ if old != new => add(patch, key, new, half),
        _ => {}
    }
    Ok(())
}

/// A list's part of a patch: the elements, the scalars to delete, the order of all.
#[derive(Default)]
struct Lists {
    changed: Vec<Value>,
    deleted: Vec<Value>,
    order: Vec<Value>,
}

impl Lists {
    fn all_new(new: &[Value], half: Half) -> Self {
        let changed = if half == Half::Additions { new.to_vec() } else { Vec::new() };
        Self { changed, ..Self::default() }
    }
}

fn diff_scalars(old: &[Value], new: &[Value], half: Half) -> Result<Lists, StrategicError> {
    let mut lists = Lists::default();
    if half == Half::Additions {
        let added = new.iter().filter(|value| !old.contains(value)).cloned().collect();
        lists.changed = sort_by_order(added, new, "")?;
    } else {
        let mut deleted: Vec<Value> = old.iter().filter(|value| !new.contains(value)).cloned().collect();
        deleted.sort_by_key(go_format);
        deleted.dedup();
        lists.deleted = deleted;
    }
    // Go sorts the old list in place before it compares, so a new list that is not sorted always counts as changed.
    let mut old_sorted = old.to_vec();
    old_sorted.sort_by_key(go_format);
    let changes = match half {
        Half::Additions => old_sorted != new,
        Half::Deletions => !lists.deleted.is_empty(),
    };
    if changes {
        lists.order = new.to_vec();
    }
    Ok(lists)
}

/// The elements of a list with the text of their merge key, sorted by it.
fn sorted<'a>(
    list: &'a [Value],
    key: &'static str,
) -> Result<Vec<(String, &'a Value, &'a Object)>, StrategicError> {
    let mut sorted = Vec::with_capacity(list.len());
    for element in list {
        let object = element.as_object().ok_or(StrategicError::MixedElements("scalar in a list of maps"))?;
        let value = key_of(element, key)?;
        sorted.push((go_format(value), value, object));
    }
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(sorted)
}

fn diff_keyed(
    old: &[Value],
    new: &[Value],
    key: &'static str,
    rule: Rule,
    half: Half,
) -> Result<Lists, StrategicError> {
    let (old_sorted, new_sorted) = (sorted(old, key)?, sorted(new, key)?);
    let mut old_rest = old_sorted.iter().peekable();
    let mut new_rest = new_sorted.iter().peekable();
    let (mut changed, mut deletions) = (Vec::new(), Vec::new());
    loop {
        let order = match (old_rest.peek(), new_rest.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.0.cmp(&new.0),
        };
        let gone = if order.is_le() { old_rest.next() } else { None };
        let came = if order.is_ge() { new_rest.next() } else { None };
        match (gone, came) {
            (Some((_, _, old)), Some((_, value, new))) => {
                let mut inner = diff_maps(old, new, rule.schema, half, rule.retain_keys)?;
                if !inner.is_empty() {
                    inner.insert(key.to_owned(), (*value).clone());
                    changed.push(Value::Object(inner));
                }
            }
            (Some((_, value, _)), None) if half == Half::Deletions => {
                deletions.push(json!({key: value, DIRECTIVE: "delete"}));
            }
            (None, Some((_, _, new))) if half == Half::Additions => {
                changed.push(Value::Object((*new).clone()));
            }
            _ => {}
        }
    }
    let mut changed = sort_by_order(changed, new, key)?;
    changed.extend(deletions);
    let same_order = old.len() == new.len() && old.iter().zip(new).all(|(a, b)| a.get(key) == b.get(key));
    let mut order = Vec::new();
    if !changed.is_empty() || (half == Half::Additions && !same_order) {
        for element in new {
            order.push(json!({key: key_of(element, key)?}));
        }
    }
    Ok(Lists { changed, deleted: Vec::new(), order })
}
