//! StatefulSets, Deployments, ReplicaSets and PodDisruptionBudgets.
use super::{Doc, controller, head, labels_and_annotations, part, rfc1123, template};
use crate::api::selector::Selector;
use crate::api::template_hash::revision_data;
use crate::api::wire::fields::{at, flag, int, list, text, text_at, texts};
use crate::kubectl::resource::ResourceKind;
use crate::kubectl::server;
use crate::kubectl::session::has_labels;
use crate::kubectl::tables::or_none;
use crate::world::World;
use serde_json::Value;

fn number(object: &Value, path: &str, field: &str) -> i64 {
    int(part(object, path), field).unwrap_or(0)
}

fn selector_of(object: &Value) -> Selector {
    let selector = at(object, &["spec", "selector"]);
    selector.and_then(|selector| Selector::from_label_selector(selector).ok()).unwrap_or_default()
}

/// A number or a percentage as text.
fn amount(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// How many pods of a controller are in which phase (`getPodStatusForController`).
fn pods_status(object: &Value, world: &World) -> String {
    let uid = text_at(object, &["metadata", "uid"]);
    let namespace = text_at(object, &["metadata", "namespace"]);
    let selector = selector_of(object);
    let is_owned = |pod: &Value| {
        let owners = list(part(pod, "metadata"), "ownerReferences");
        owners.iter().any(|owner| flag(owner, "controller") && text(owner, "uid") == uid)
    };
    let mut pods = server::list_all(world, ResourceKind::Pod.into(), Some(namespace));
    pods.retain(|pod| has_labels(pod, &selector) && is_owned(pod));
    let of = |phase: &str| pods.iter().filter(|pod| text_at(pod, &["status", "phase"]) == phase).count();
    let [running, waiting, succeeded, failed] = ["Running", "Pending", "Succeeded", "Failed"].map(of);
    format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed")
}

/// `describeStatefulSet`.
pub(super) fn set(doc: &mut Doc, set: &Value, world: &World) {
    let spec = part(set, "spec");
    head(doc, set);
    doc.field(0, "CreationTimestamp", rfc1123(text_at(set, &["metadata", "creationTimestamp"])));
    doc.field(0, "Selector", selector_of(set));
    labels_and_annotations(doc, set);
    let (desired, total) = (number(set, "spec", "replicas"), number(set, "status", "replicas"));
    doc.field(0, "Replicas", format!("{desired} desired | {total} total"));
    doc.field(0, "Update Strategy", text_at(spec, &["updateStrategy", "type"]));
    if let Some(partition) = at(spec, &["updateStrategy", "rollingUpdate", "partition"]) {
        doc.field(1, "Partition", partition);
    }
    doc.field(0, "Pods Status", pods_status(set, world));
    template::describe(doc, part(spec, "template"));
    claim_templates(doc, list(spec, "volumeClaimTemplates"));
}

fn claim_templates(doc: &mut Doc, templates: &[Value]) {
    doc.line(0, if templates.is_empty() { "Volume Claims:\t<none>" } else { "Volume Claims:" });
    for template in templates {
        let (metadata, spec) = (part(template, "metadata"), part(template, "spec"));
        doc.field(1, "Name", text(metadata, "name"));
        doc.field(1, "StorageClass", text(spec, "storageClassName"));
        doc.labels("  ", "Labels", metadata, "labels");
        doc.labels("  ", "Annotations", metadata, "annotations");
        let capacity = text_at(spec, &["resources", "requests", "storage"]);
        doc.field(1, "Capacity", if capacity.is_empty() { "<default>" } else { capacity });
        let modes: Vec<&str> = texts(spec, "accessModes").collect();
        doc.field(1, "Access Modes", format!("[{}]", modes.join(" ")));
    }
}

/// Conditions with their reasons; nothing if there are none.
fn conditions(doc: &mut Doc, object: &Value) {
    let conditions = list(part(object, "status"), "conditions");
    if conditions.is_empty() {
        return;
    }
    doc.line(0, "Conditions:");
    doc.line(1, "Type\tStatus\tReason");
    doc.line(1, "----\t------\t------");
    for condition in conditions {
        let of = |field| text(condition, field);
        doc.line(1, format!("{} \t{}\t{}", of("type"), of("status"), of("reason")));
    }
}

/// `describeDeployment`.
pub(super) fn deployment(doc: &mut Doc, deployment: &Value, world: &World) {
    let spec = part(deployment, "spec");
    head(doc, deployment);
    doc.field(0, "CreationTimestamp", rfc1123(text_at(deployment, &["metadata", "creationTimestamp"])));
    labels_and_annotations(doc, deployment);
    doc.field(0, "Selector", selector_of(deployment));
    let status = |field| number(deployment, "status", field);
    let replicas = format!(
        "{} desired | {} updated | {} total | {} available | {} unavailable",
        number(deployment, "spec", "replicas"),
        status("updatedReplicas"),
        status("replicas"),
        status("availableReplicas"),
        status("unavailableReplicas")
    );
    doc.field(0, "Replicas", replicas);
    doc.field(0, "StrategyType", text_at(spec, &["strategy", "type"]));
    doc.field(0, "MinReadySeconds", number(deployment, "spec", "minReadySeconds"));
    if let Some(rolling) = at(spec, &["strategy", "rollingUpdate"]) {
        let (unavailable, surge) = (amount(rolling.get("maxUnavailable")), amount(rolling.get("maxSurge")));
        doc.field(0, "RollingUpdateStrategy", format!("{unavailable} max unavailable, {surge} max surge"));
    }
    template::describe(doc, part(spec, "template"));
    conditions(doc, deployment);
    let (old, new) = replica_sets(deployment, world);
    if !old.is_empty() || !new.is_empty() {
        doc.field(0, "OldReplicaSets", or_none(&old.join(", ")));
        doc.field(0, "NewReplicaSet", or_none(&new.join(", ")));
    }
}

/// The ReplicaSets of a Deployment: the others, and the one of its present template.
fn replica_sets(deployment: &Value, world: &World) -> (Vec<String>, Vec<String>) {
    let uid = text_at(deployment, &["metadata", "uid"]);
    let namespace = text_at(deployment, &["metadata", "namespace"]);
    let mut sets = server::list_all(world, ResourceKind::ReplicaSet.into(), Some(namespace));
    sets.retain(|set| {
        let owners = list(part(set, "metadata"), "ownerReferences");
        owners.iter().any(|owner| flag(owner, "controller") && text(owner, "uid") == uid)
    });
    sets.sort_by(|a, b| {
        let of = |set: &Value| {
            let created = text_at(set, &["metadata", "creationTimestamp"]);
            (created.to_owned(), text_at(set, &["metadata", "name"]).to_owned())
        };
        of(a).cmp(&of(b))
    });
    let template = |object: &Value| {
        let mut template = at(object, &["spec", "template"]).cloned().unwrap_or_default();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("pod-template-hash");
        }
        revision_data(&template)
    };
    let wanted = template(deployment);
    let mut new = sets.iter().position(|set| template(set) == wanted);
    let (mut old_sets, mut new_sets) = (Vec::new(), Vec::new());
    for (n, set) in sets.iter().enumerate() {
        let (created, desired) = (number(set, "status", "replicas"), number(set, "spec", "replicas"));
        let name = text_at(set, &["metadata", "name"]);
        let told = format!("{name} ({created}/{desired} replicas created)");
        if new == Some(n) {
            new_sets.push(told);
            new = None;
        } else {
            old_sets.push(told);
        }
    }
    (old_sets, new_sets)
}

/// `describeReplicaSet`.
pub(super) fn replica_set(doc: &mut Doc, set: &Value, world: &World) {
    head(doc, set);
    doc.field(0, "Selector", selector_of(set).describe());
    labels_and_annotations(doc, set);
    if let Some(controller) = controller(set) {
        doc.field(0, "Controlled By", controller);
    }
    let (current, desired) = (number(set, "status", "replicas"), number(set, "spec", "replicas"));
    doc.field(0, "Replicas", format!("{current} current / {desired} desired"));
    doc.field(0, "Pods Status", pods_status(set, world));
    template::describe(doc, part(part(set, "spec"), "template"));
    conditions(doc, set);
}

/// `describePodDisruptionBudgetV1`.
pub(super) fn budget(doc: &mut Doc, budget: &Value) {
    head(doc, budget);
    let spec = part(budget, "spec");
    if let Some(least) = spec.get("minAvailable") {
        doc.field(0, "Min available", amount(Some(least)));
    } else if let Some(most) = spec.get("maxUnavailable") {
        doc.field(0, "Max unavailable", amount(Some(most)));
    }
    match at(spec, &["selector"]) {
        Some(_) => doc.field(0, "Selector", selector_of(budget).describe()),
        None => doc.field(0, "Selector", "<unset>"),
    }
    doc.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        doc.field(2, title, number(budget, "status", field));
    }
}
