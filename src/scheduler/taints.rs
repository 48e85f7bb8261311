//! Taints and tolerations, node selectors and node affinity: what a pod's spec says of a node by itself.
//!
//! Follows `staging/src/k8s.io/component-helpers/scheduling/corev1` (toleration matching, nodeaffinity), as the plugins
//! `tainttoleration` and `nodeaffinity` use it (SCHED-13).
use super::cache::Cache;
use crate::api::names::Sym;
use crate::api::objects::{Effect, Taint};
use crate::api::pod_spec::{NodeOperator, NodeRequirement, NodeTerm, Placement, Toleration};
use crate::api::store::Store;

/// True if one of the tolerations tolerates the taint.
pub(super) fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|t| {
        t.effect.is_none_or(|effect| effect == taint.effect)
            && (t.key.is_empty() || t.key == taint.key)
            && (t.exists || t.value == taint.value)
    })
}

/// True if a taint keeps the pod away.
pub(super) fn repels(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    taints.iter().any(|t| t.effect != Effect::PreferNoSchedule && !tolerates(tolerations, t))
}

/// Number of taints that would rather not have the pod.
pub(super) fn discourages(taints: &[Taint], tolerations: &[Toleration]) -> i64 {
    let soft = taints.iter().filter(|t| t.effect == Effect::PreferNoSchedule);
    // Only tolerations of that effect, or of all, count here.
    soft.filter(|taint| !tolerates(tolerations, taint)).count() as i64
}

/// True if the node has what nodeSelector and required node affinity ask for.
pub(super) fn node_fits(placement: &Placement, node: u32, cache: &Cache, store: &Store) -> bool {
    let selected =
        placement.node_selector.iter().all(|(key, value)| cache.label(node, *key, store) == Some(*value));
    let terms = placement.node_required.as_deref();
    selected && terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, node, cache, store)))
}

/// Sum of the weights of the preferred node affinity terms that the node meets.
pub(super) fn node_preference(placement: &Placement, node: u32, cache: &Cache, store: &Store) -> i64 {
    let met = placement.node_preferred.iter().filter(|(_, term)| term_matches(term, node, cache, store));
    met.map(|(weight, _)| i64::from(*weight)).sum()
}

/// All requirements of a term hold. A term without any matches nothing.
fn term_matches(term: &NodeTerm, node: u32, cache: &Cache, store: &Store) -> bool {
    !term.is_empty() && term.iter().all(|requirement| requirement_holds(requirement, node, cache, store))
}

fn requirement_holds(requirement: &NodeRequirement, node: u32, cache: &Cache, store: &Store) -> bool {
    if requirement.field {
        let Some(info) = cache.nodes.get(node as usize) else { return false };
        let name = store.name_of(info.name);
        let listed = requirement.values.iter().any(|value| store.names.text(*value) == name);
        return listed == (requirement.operator == NodeOperator::In);
    }
    let label = cache.label(node, requirement.key, store);
    let listed = |value: Sym| requirement.values.contains(&value);
    let number = || label.and_then(|value| store.names.text(value).parse::<i64>().ok());
    match requirement.operator {
        NodeOperator::In => label.is_some_and(listed),
        NodeOperator::NotIn => !label.is_some_and(listed),
        NodeOperator::Exists => label.is_some(),
        NodeOperator::DoesNotExist => label.is_none(),
        NodeOperator::Gt => number().is_some_and(|n| n > requirement.number),
        NodeOperator::Lt => number().is_some_and(|n| n < requirement.number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Interner;
    use crate::api::objects::Seconds;

    #[test]
    fn tolerations() {
        let mut names = Interner::default();
        let [a, b, x] = ["a", "b", "x"].map(|word| names.word(word));
        let taint = |key, value, effect| Taint { key, value, effect, added: Seconds::NEVER };
        let t = |key, exists, value, effect| Toleration { key, exists, value, effect, seconds: None };
        let (no, away) = (Effect::NoSchedule, Effect::NoExecute);
        let cases = [
            (t(a, false, x, Some(no)), taint(a, x, no), true),
            (t(a, false, x, Some(no)), taint(a, x, away), false),
            (t(a, false, x, None), taint(a, x, away), true),
            (t(a, false, b, None), taint(a, x, no), false),
            (t(a, true, Sym::EMPTY, None), taint(a, x, no), true),
            (t(a, true, Sym::EMPTY, None), taint(b, x, no), false),
            (t(Sym::EMPTY, true, Sym::EMPTY, None), taint(b, x, no), true),
            (t(Sym::EMPTY, true, Sym::EMPTY, Some(away)), taint(b, x, no), false),
        ];
        for (toleration, taint, expected) in cases {
            assert_eq!(tolerates(&[toleration], &taint), expected, "{toleration:?} {taint:?}");
        }
        let soft = taint(a, x, Effect::PreferNoSchedule);
        assert!(!repels(&[soft], &[]) && repels(&[soft, taint(b, x, no)], &[]));
        assert_eq!(discourages(&[soft, taint(b, x, no)], &[]), 1);
        assert_eq!(discourages(&[soft], &[t(a, true, x, None)]), 0);
    }
}
