//! The order of merged lists: the patch's elements in the patch's order, the live ones that the patch does not
//! mention between them where the live order allows it (patch.go `normalizeElementOrder`, `mergeSortedSlice`).
use serde_json::Value;

use super::{DIRECTIVE, StrategicError, key_of};

/// The place of `element` in `list`: by key, or by equality in a list of scalars (`key` empty).
fn position(list: &[Value], element: &Value, key: &'static str) -> Option<usize> {
    list.iter().position(|other| {
        if key.is_empty() {
            other == element
        } else {
            element.get(key).is_some_and(|value| other.get(key) == Some(value))
        }
    })
}

fn is_deletion(element: &Value) -> bool {
    element.get(DIRECTIVE).and_then(Value::as_str) == Some("delete")
}

/// Sorts `list` by the order of `order`; deletions go to the end (`normalizeSliceOrder`).
pub(super) fn sort_by_order(
    list: Vec<Value>,
    order: &[Value],
    key: &'static str,
) -> Result<Vec<Value>, StrategicError> {
    if !key.is_empty() {
        for element in list.iter().chain(order) {
            key_of(element, key)?;
        }
    }
    let (deletions, mut sorted): (Vec<_>, Vec<_>) = list.into_iter().partition(is_deletion);
    sorted.sort_by_key(|element| position(order, element, key).unwrap_or(usize::MAX));
    sorted.extend(deletions);
    Ok(sorted)
}

/// Orders `merged`: what `order` names by `order`, the rest by `live`, and the rest before a named element only if
/// both are in `live` in that order.
pub(super) fn normalize(
    merged: Vec<Value>,
    order: &[Value],
    live: &[Value],
    key: &'static str,
) -> Result<Vec<Value>, StrategicError> {
    let (named, rest): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|element| position(order, element, key).is_some());
    let mut named = sort_by_order(named, order, key)?.into_iter().peekable();
    let mut rest = sort_by_order(rest, live, key)?.into_iter().peekable();
    let mut result = Vec::with_capacity(live.len() + order.len());
    while let (Some(right), Some(left)) = (named.peek(), rest.peek()) {
        let before = match (position(live, left, key), position(live, right, key)) {
            (Some(left), Some(right)) => left < right,
            _ => false,
        };
        result.extend(if before { rest.next() } else { named.next() });
    }
    result.extend(named);
    result.extend(rest);
    Ok(result)
}
