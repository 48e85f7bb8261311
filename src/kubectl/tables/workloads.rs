//! StatefulSets, Deployments, ReplicaSets, ControllerRevisions and PodDisruptionBudgets.
use super::{Time, age, c, containers, list, name, text, w};
use crate::api::selector::Selector;
use crate::api::wire::fields::{at, flag, int};
use crate::kubectl::table::Column;
use serde_json::Value;

pub(super) const SET_COLUMNS: &[Column] = &[c("Name"), c("Ready"), c("Age"), w("Containers"), w("Images")];
pub(super) const DEPLOYMENT_COLUMNS: &[Column] = &[
    c("Name"),
    c("Ready"),
    c("Up-to-date"),
    c("Available"),
    c("Age"),
    w("Containers"),
    w("Images"),
    w("Selector"),
];
pub(super) const REPLICA_SET_COLUMNS: &[Column] = &[
    c("Name"),
    c("Desired"),
    c("Current"),
    c("Ready"),
    c("Age"),
    w("Containers"),
    w("Images"),
    w("Selector"),
];
pub(super) const REVISION_COLUMNS: &[Column] = &[c("Name"), c("Controller"), c("Revision"), c("Age")];
pub(super) const BUDGET_COLUMNS: &[Column] =
    &[c("Name"), c("Min Available"), c("Max Unavailable"), c("Allowed Disruptions"), c("Age")];

fn number(object: &Value, part: &str, field: &str) -> i64 {
    object.get(part).and_then(|part| int(part, field)).unwrap_or(0)
}

fn of_template(object: &Value) -> [String; 2] {
    containers(at(object, &["spec", "template", "spec"]).unwrap_or(&Value::Null))
}

/// A label selector as tables show it.
fn selector(object: &Value) -> String {
    let selector = at(object, &["spec", "selector"]).and_then(|s| Selector::from_label_selector(s).ok());
    selector.map_or_else(|| "<none>".to_owned(), |selector| selector.describe())
}

pub(super) fn set_row(set: &Value, now: Time) -> Vec<String> {
    let [containers, images] = of_template(set);
    let ready = format!("{}/{}", number(set, "status", "readyReplicas"), number(set, "spec", "replicas"));
    vec![name(set), ready, age(set, now), containers, images]
}

pub(super) fn deployment_row(deployment: &Value, now: Time) -> Vec<String> {
    let [containers, images] = of_template(deployment);
    let status = |field| number(deployment, "status", field);
    vec![
        name(deployment),
        format!("{}/{}", status("readyReplicas"), number(deployment, "spec", "replicas")),
        status("updatedReplicas").to_string(),
        status("availableReplicas").to_string(),
        age(deployment, now),
        containers,
        images,
        selector(deployment),
    ]
}

pub(super) fn replica_set_row(set: &Value, now: Time) -> Vec<String> {
    let [containers, images] = of_template(set);
    vec![
        name(set),
        number(set, "spec", "replicas").to_string(),
        number(set, "status", "replicas").to_string(),
        number(set, "status", "readyReplicas").to_string(),
        age(set, now),
        containers,
        images,
        selector(set),
    ]
}

pub(super) fn revision_row(revision: &Value, now: Time) -> Vec<String> {
    let owners = list(revision.get("metadata").unwrap_or(&Value::Null), "ownerReferences");
    let controller = owners.iter().find(|owner| flag(owner, "controller"));
    let controller = controller.map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let kind = text(owner, "kind").to_lowercase();
            let group = text(owner, "apiVersion").split_once('/').map(|(group, _)| format!(".{group}"));
            format!("{kind}{}/{}", group.unwrap_or_default(), text(owner, "name"))
        },
    );
    let number = int(revision, "revision").unwrap_or(0);
    vec![name(revision), controller, number.to_string(), age(revision, now)]
}

pub(super) fn budget_row(budget: &Value, now: Time) -> Vec<String> {
    let limit = |field| match at(budget, &["spec", field]) {
        Some(Value::String(percent)) => percent.clone(),
        Some(number) => number.to_string(),
        None => "N/A".to_owned(),
    };
    vec![
        name(budget),
        limit("minAvailable"),
        limit("maxUnavailable"),
        number(budget, "status", "disruptionsAllowed").to_string(),
        age(budget, now),
    ]
}

#[cfg(test)]
mod tests {
    use crate::kubectl::resource::ResourceKind;
    use crate::kubectl::tables::tests::printed;
    use serde_json::json;

    #[test]
    fn tables() {
        let metadata = |name: &str| json!({"name": name, "creationTimestamp": "2026-01-01T00:00:03Z"});
        let template = json!({"spec": {"containers": [{"name": "web", "image": "web:v1"}]}});
        let selector = json!({"matchLabels": {"app": "front"}});
        let front = json!({
            "metadata": metadata("front"),
            "spec": {"replicas": 2, "template": template, "selector": selector},
            "status": {"readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2},
        });
        assert_eq!(
            printed(ResourceKind::Deployment, std::slice::from_ref(&front)),
            "\
NAME    READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES   SELECTOR
front   2/2     2            2           7s    web          web:v1   app=front
"
        );
        assert_eq!(
            printed(ResourceKind::ReplicaSet, std::slice::from_ref(&front)),
            "\
NAME    DESIRED   CURRENT   READY   AGE   CONTAINERS   IMAGES   SELECTOR
front   2         2         2       7s    web          web:v1   app=front
"
        );
        assert_eq!(
            printed(ResourceKind::StatefulSet, &[front]),
            "NAME    READY   AGE   CONTAINERS   IMAGES\nfront   2/2     7s    web          web:v1\n"
        );
        let budget = json!({
            "metadata": metadata("web"), "spec": {"maxUnavailable": 1}, "status": {"disruptionsAllowed": 1},
        });
        assert_eq!(
            printed(ResourceKind::PodDisruptionBudget, &[budget]),
            "\
NAME   MIN AVAILABLE   MAX UNAVAILABLE   ALLOWED DISRUPTIONS   AGE
web    N/A             1                 1                     7s
"
        );
        let mut revision = json!({"metadata": metadata("web-6659db9746"), "revision": 1});
        revision["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "controller": true}]);
        assert_eq!(
            printed(ResourceKind::ControllerRevision, &[revision]),
            "\
NAME             CONTROLLER             REVISION   AGE
web-6659db9746   statefulset.apps/web   1          7s
"
        );
    }
}
