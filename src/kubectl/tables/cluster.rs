//! Nodes, namespaces, priority classes, Events, and kinds that nothing acts on.
use super::{Time, age, c, list, name, or_none, since, text, text_at, w};
use crate::api::wire::fields::{at, flag, int, object, pairs};
use crate::kubectl::table::Column;
use serde_json::Value;

pub(super) const NODE_COLUMNS: &[Column] = &[
    c("Name"),
    c("Status"),
    c("Roles"),
    c("Age"),
    c("Version"),
    w("Internal-IP"),
    w("External-IP"),
    w("OS-Image"),
    w("Kernel-Version"),
    w("Container-Runtime"),
];
pub(super) const NAMESPACE_COLUMNS: &[Column] = &[c("Name"), c("Status"), c("Age")];
pub(super) const PRIORITY_COLUMNS: &[Column] =
    &[c("Name"), c("Value"), c("Global-Default"), c("Age"), c("PreemptionPolicy")];
pub(super) const EVENT_COLUMNS: &[Column] = &[
    c("Last Seen"),
    c("Type"),
    c("Reason"),
    c("Object"),
    w("Subobject"),
    w("Source"),
    c("Message"),
    w("First Seen"),
    w("Count"),
    w("Name"),
];
pub(super) const CONFIG_MAP_COLUMNS: &[Column] = &[c("Name"), c("Data"), c("Age")];
pub(super) const SECRET_COLUMNS: &[Column] = &[c("Name"), c("Type"), c("Data"), c("Age")];
pub(super) const ACCOUNT_COLUMNS: &[Column] = &[c("Name"), c("Secrets"), c("Age")];

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";

/// The roles that labels give a node, sorted (`findNodeRoles`).
pub(in crate::kubectl) fn roles(node: &Value) -> String {
    let labels = node.get("metadata").into_iter().flat_map(|metadata| pairs(metadata, "labels"));
    let mut roles: Vec<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None => (key == ROLE_LABEL).then_some(value),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    or_none(&roles.join(","))
}

fn address(node: &Value, kind: &str) -> String {
    let addresses = list(node.get("status").unwrap_or(&Value::Null), "addresses");
    or_none(addresses.iter().find(|a| text(a, "type") == kind).map_or("", |a| text(a, "address")))
}

pub(super) fn node_row(node: &Value, now: Time) -> Vec<String> {
    let empty = Value::Null;
    let status = node.get("status").unwrap_or(&empty);
    let ready = list(status, "conditions").iter().find(|condition| text(condition, "type") == "Ready");
    let mut states = vec![match ready.map(|condition| text(condition, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if at(node, &["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        states.push("SchedulingDisabled");
    }
    let info = |field: &str| match text_at(status, &["nodeInfo", field]) {
        "" => "<unknown>".to_owned(),
        known => known.to_owned(),
    };
    vec![
        name(node),
        states.join(","),
        roles(node),
        age(node, now),
        text_at(status, &["nodeInfo", "kubeletVersion"]).to_owned(),
        address(node, "InternalIP"),
        address(node, "ExternalIP"),
        info("osImage"),
        format!("{} ({})", info("kernelVersion"), info("architecture")),
        info("containerRuntimeVersion"),
    ]
}

pub(super) fn namespace_row(namespace: &Value, now: Time) -> Vec<String> {
    vec![name(namespace), text_at(namespace, &["status", "phase"]).to_owned(), age(namespace, now)]
}

pub(super) fn priority_row(class: &Value, now: Time) -> Vec<String> {
    vec![
        name(class),
        int(class, "value").unwrap_or(0).to_string(),
        flag(class, "globalDefault").to_string(),
        age(class, now),
        text(class, "preemptionPolicy").to_owned(),
    ]
}

/// Who reported an event: component and host, as far as given (`formatEventSource`).
pub(in crate::kubectl) fn source(event: &Value) -> String {
    let component = match text_at(event, &["source", "component"]) {
        "" => text(event, "reportingComponent"),
        component => component,
    };
    let host = match text_at(event, &["source", "host"]) {
        "" => text(event, "reportingInstance"),
        host => host,
    };
    [component, host].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// First and last occurrence of an event, as timestamps, and how often it occurred.
pub(in crate::kubectl) fn occurrences(event: &Value) -> (&str, &str, i64) {
    let either = |field: &str| match text(event, field) {
        "" => text(event, "eventTime"),
        given => given,
    };
    let first = either("firstTimestamp");
    match at(event, &["series"]) {
        Some(series) => (first, text(series, "lastObservedTime"), int(series, "count").unwrap_or(1)),
        None => (first, either("lastTimestamp"), int(event, "count").unwrap_or(1).max(1)),
    }
}

pub(super) fn event_row(event: &Value, now: Time) -> Vec<String> {
    let empty = Value::Null;
    let about = event.get("involvedObject").unwrap_or(&empty);
    let (first, last, count) = occurrences(event);
    vec![
        since(last, now),
        text(event, "type").to_owned(),
        text(event, "reason").to_owned(),
        format!("{}/{}", text(about, "kind").to_lowercase(), text(about, "name")),
        text(about, "fieldPath").to_owned(),
        source(event),
        text(event, "message").trim().to_owned(),
        since(first, now),
        count.to_string(),
        name(event),
    ]
}

fn keys(value: &Value, field: &str) -> usize {
    object(value, field).map_or(0, serde_json::Map::len)
}

pub(super) fn config_map_row(map: &Value, now: Time) -> Vec<String> {
    vec![name(map), (keys(map, "data") + keys(map, "binaryData")).to_string(), age(map, now)]
}

pub(super) fn secret_row(secret: &Value, now: Time) -> Vec<String> {
    vec![name(secret), text(secret, "type").to_owned(), keys(secret, "data").to_string(), age(secret, now)]
}

pub(super) fn account_row(account: &Value, now: Time) -> Vec<String> {
    vec![name(account), list(account, "secrets").len().to_string(), age(account, now)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::resource::ResourceKind;
    use crate::kubectl::tables::tests::printed;
    use serde_json::json;

    #[test]
    fn nodes() {
        let node = |name: &str, ready: &str, unschedulable: bool| {
            json!({
                "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:03Z", "labels": {
                    "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/db": "",
                }},
                "spec": {"unschedulable": unschedulable},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}],
                    "conditions": [{"type": "Ready", "status": ready}],
                    "nodeInfo": {"kubeletVersion": "v1.36.2", "architecture": "amd64"},
                },
            })
        };
        let nodes = [node("a", "True", true), node("b", "Unknown", false)];
        let table = printed(ResourceKind::Node, &nodes);
        let rows: Vec<Vec<&str>> =
            table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0][..5], ["a", "Ready,SchedulingDisabled", "db,worker", "7s", "v1.36.2"]);
        assert_eq!(rows[1][..2], ["b", "NotReady"]);
        assert_eq!(rows[1][5..], ["172.18.0.2", "<none>", "<unknown>", "<unknown>", "(amd64)", "<unknown>"]);
    }

    #[test]
    fn events_of_both_apis() {
        let old = json!({
            "metadata": {"name": "web.1"}, "type": "Normal", "reason": "SuccessfulCreate", "message": "made ",
            "involvedObject": {"kind": "StatefulSet", "name": "web"}, "source": {"component": "sts"},
            "firstTimestamp": "2026-01-01T00:00:01Z", "lastTimestamp": "2026-01-01T00:00:05Z", "count": 2,
        });
        let new = json!({
            "metadata": {"name": "web-0.1"}, "type": "Warning", "reason": "FailedScheduling", "message": "no",
            "involvedObject": {"kind": "Pod", "name": "web-0"}, "reportingComponent": "default-scheduler",
            "eventTime": "2026-01-01T00:00:02Z",
            "series": {"count": 3, "lastObservedTime": "2026-01-01T00:00:09Z"},
        });
        let row = |event: &Value| event_row(event, Time::from_secs(10)).join("|");
        assert_eq!(row(&old), "5s|Normal|SuccessfulCreate|statefulset/web||sts|made|9s|2|web.1");
        assert_eq!(row(&new), "1s|Warning|FailedScheduling|pod/web-0||default-scheduler|no|8s|3|web-0.1");
    }
}
