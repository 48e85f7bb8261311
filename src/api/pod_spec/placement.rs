//! Node selection, affinity, spreading and host ports of a pod spec.
//!
//! Follows the v1 types (NodeSelectorRequirement, PodAffinityTerm, TopologySpreadConstraint). Left out:
//! `matchLabelKeys` and `mismatchLabelKeys`, which the API server merges into the selector of the single pod.
use super::{NodeOperator, NodeRequirement, NodeTerm, Placement, PodTerm, Spread};
use crate::api::selector::Selector;
use crate::api::store::Store;
use crate::api::wire::fields::{at, count, flag, int, int32, list, object, pairs, text, texts};
use serde_json::Value;
use std::sync::Arc;

/// What the scheduler looks at beyond resources; None if the spec has nothing of it.
pub(super) fn parse(store: &mut Store, spec: &Value) -> Option<Box<Placement>> {
    let word = |store: &mut Store, text: &str| store.names.word(text);
    let node_selector: Vec<_> =
        pairs(spec, "nodeSelector").map(|(key, value)| (word(store, key), word(store, value))).collect();
    let node = at(spec, &["affinity", "nodeAffinity"]);
    let required = node.and_then(|n| n.get("requiredDuringSchedulingIgnoredDuringExecution"));
    let required = required.filter(|required| required.is_object());
    let node_required =
        required.map(|r| list(r, "nodeSelectorTerms").iter().map(|t| term(store, t)).collect());
    let preferred = node.map_or(&[][..], |n| list(n, "preferredDuringSchedulingIgnoredDuringExecution"));
    let node_preferred: Vec<_> = preferred
        .iter()
        .filter_map(|p| Some((int32(p, "weight")?, term(store, p.get("preference")?))))
        .collect();
    let placement = Placement {
        node_selector: node_selector.into(),
        node_required,
        node_preferred: node_preferred.into(),
        affinity: pod_terms(store, spec, "podAffinity", false),
        affinity_preferred: pod_terms(store, spec, "podAffinity", true),
        anti_affinity: pod_terms(store, spec, "podAntiAffinity", false),
        anti_affinity_preferred: pod_terms(store, spec, "podAntiAffinity", true),
        spread: list(spec, "topologySpreadConstraints").iter().map(|c| spread(store, c)).collect(),
        host_ports: host_ports(store, spec),
    };
    (!is_empty(&placement)).then(|| Box::new(placement))
}

fn is_empty(placement: &Placement) -> bool {
    placement.node_selector.is_empty()
        && placement.node_required.is_none()
        && placement.node_preferred.is_empty()
        && placement.affinity.is_empty()
        && placement.affinity_preferred.is_empty()
        && placement.anti_affinity.is_empty()
        && placement.anti_affinity_preferred.is_empty()
        && placement.spread.is_empty()
        && placement.host_ports.is_empty()
}

/// A nodeSelectorTerm. Also how a volume's node affinity is written.
pub(crate) fn term(store: &mut Store, term: &Value) -> NodeTerm {
    let expressions = list(term, "matchExpressions").iter().map(|r| (r, false));
    let fields = list(term, "matchFields").iter().map(|r| (r, true));
    expressions.chain(fields).filter_map(|(r, field)| requirement(store, r, field)).collect()
}

fn requirement(store: &mut Store, requirement: &Value, field: bool) -> Option<NodeRequirement> {
    let operator = match text(requirement, "operator") {
        "In" => NodeOperator::In,
        "NotIn" => NodeOperator::NotIn,
        "Exists" => NodeOperator::Exists,
        "DoesNotExist" => NodeOperator::DoesNotExist,
        "Gt" => NodeOperator::Gt,
        "Lt" => NodeOperator::Lt,
        _ => return None,
    };
    let number = texts(requirement, "values").next().and_then(|value| value.parse().ok()).unwrap_or(0);
    Some(NodeRequirement {
        key: store.names.word(text(requirement, "key")),
        field,
        operator,
        values: texts(requirement, "values").map(|value| store.names.word(value)).collect(),
        number,
    })
}

fn pod_terms(store: &mut Store, spec: &Value, kind: &str, preferred: bool) -> Box<[PodTerm]> {
    let Some(affinity) = at(spec, &["affinity", kind]) else { return Box::default() };
    if preferred {
        list(affinity, "preferredDuringSchedulingIgnoredDuringExecution")
            .iter()
            .filter_map(|p| Some(pod_term(store, p.get("podAffinityTerm")?, int32(p, "weight")?)))
            .collect()
    } else {
        list(affinity, "requiredDuringSchedulingIgnoredDuringExecution")
            .iter()
            .map(|t| pod_term(store, t, 0))
            .collect()
    }
}

fn pod_term(store: &mut Store, term: &Value, weight: i32) -> PodTerm {
    PodTerm {
        topology_key: store.names.word(text(term, "topologyKey")),
        selector: selector_or_nothing(term.get("labelSelector")),
        namespaces: texts(term, "namespaces").map(|namespace| store.names.word(namespace)).collect(),
        all_namespaces: object(term, "namespaceSelector").is_some_and(serde_json::Map::is_empty),
        weight,
    }
}

/// A label selector; a missing one selects nothing (metav1.LabelSelectorAsSelector), which is said by a requirement
/// that no label can meet.
fn selector_or_nothing(selector: Option<&Value>) -> Arc<Selector> {
    let found = selector.filter(|s| s.is_object()).and_then(|s| Selector::from_label_selector(s).ok());
    Arc::new(found.unwrap_or_else(|| Selector::from_pairs([("", " ")])))
}

fn spread(store: &mut Store, constraint: &Value) -> Spread {
    Spread {
        max_skew: int32(constraint, "maxSkew").unwrap_or(1),
        topology_key: store.names.word(text(constraint, "topologyKey")),
        hard: text(constraint, "whenUnsatisfiable") != "ScheduleAnyway",
        selector: selector_or_nothing(constraint.get("labelSelector")),
        min_domains: int(constraint, "minDomains").map_or(1, |n| i32::try_from(n).unwrap_or(i32::MAX)),
        honor_affinity: text(constraint, "nodeAffinityPolicy") != "Ignore",
        honor_taints: text(constraint, "nodeTaintsPolicy") == "Honor",
    }
}

fn host_ports(store: &mut Store, spec: &Value) -> Box<[(crate::api::names::Sym, u16)]> {
    let host_network = flag(spec, "hostNetwork");
    let sidecars =
        list(spec, "initContainers").iter().filter(|container| text(container, "restartPolicy") == "Always");
    let ports =
        list(spec, "containers").iter().chain(sidecars).flat_map(|container| list(container, "ports"));
    let mut found = Vec::new();
    for port in ports {
        let number = match count(port, "hostPort") {
            0 if host_network => count(port, "containerPort"),
            number => number,
        };
        if let Some(number) = u16::try_from(number).ok().filter(|number| *number > 0) {
            let protocol = match text(port, "protocol") {
                "" => "TCP",
                protocol => protocol,
            };
            found.push((store.names.word(protocol), number));
        }
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_none() {
        assert!(
            parse(&mut Store::default(), &json!({"containers": [{"ports": [{"containerPort": 80}]}]}))
                .is_none()
        );
    }

    #[test]
    fn everything_is_read() {
        let mut store = Store::default();
        let selector = json!({"matchLabels": {"app": "web"}});
        let spec = json!({
            "nodeSelector": {"disk": "ssd"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["4"]}],
                         "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-a"]}]}]},
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 7, "preference": {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}}],
                },
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}],
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 3, "podAffinityTerm": {"topologyKey": "zone", "namespaceSelector": {}}}],
                },
            },
            "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "zone", "labelSelector": selector,
                "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Honor"}],
            "containers": [{"ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}]}],
        });
        let placement = parse(&mut store, &spec).expect("something");
        let required = placement.node_required.as_deref().expect("required");
        assert_eq!(required.len(), 1);
        assert_eq!((required[0][0].operator, required[0][0].number), (NodeOperator::Gt, 4));
        assert!(required[0][1].field);
        assert_eq!(placement.node_preferred[0].0, 7);
        assert_eq!(placement.anti_affinity.len(), 1);
        assert!(placement.anti_affinity_preferred[0].all_namespaces);
        assert_eq!(placement.anti_affinity_preferred[0].weight, 3);
        // A term without a selector selects nothing.
        assert!(!placement.anti_affinity_preferred[0].selector.matches(|_| Some("x".into())));
        assert!(
            !placement.spread[0].hard
                && placement.spread[0].honor_taints
                && placement.spread[0].honor_affinity
        );
        assert_eq!(placement.host_ports[..], [(store.names.word("UDP"), 8080)]);
    }
}
