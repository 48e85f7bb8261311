//! Pods (`describePod`).
use super::template::{containers, spread_constraints, tolerations, volumes};
use super::{Doc, controller, head, labels_and_annotations, lasts, part, rfc1123};
use crate::api::wire::fields::{int, list, text};
use crate::kernel::Time;
use serde_json::Value;

pub(super) fn describe(doc: &mut Doc, pod: &Value, now: Time) {
    let (spec, status) = (part(pod, "spec"), part(pod, "status"));
    head(doc, pod);
    if let Some(priority) = int(spec, "priority") {
        doc.field(0, "Priority", priority);
    }
    for (title, field) in [
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ] {
        if !text(spec, field).is_empty() {
            doc.field(0, title, text(spec, field));
        }
    }
    match text(spec, "nodeName") {
        "" => doc.field(0, "Node", "<none>"),
        node => doc.field(0, "Node", format!("{node}/{}", text(status, "hostIP"))),
    }
    if !text(status, "startTime").is_empty() {
        doc.field(0, "Start Time", rfc1123(text(status, "startTime")));
    }
    labels_and_annotations(doc, pod);
    let phase = text(status, "phase");
    match lasts(pod, now).filter(|_| !matches!(phase, "Failed" | "Succeeded")) {
        Some(lasts) => {
            doc.field(0, "Status", lasts);
            let grace = int(part(pod, "metadata"), "deletionGracePeriodSeconds").unwrap_or(0);
            doc.field(0, "Termination Grace Period", format!("{grace}s"));
        }
        None => doc.field(0, "Status", phase),
    }
    for (title, field) in [("Reason", "reason"), ("Message", "message")] {
        if !text(status, field).is_empty() {
            doc.field(0, title, text(status, field));
        }
    }
    doc.field(0, "IP", text(status, "podIP"));
    let addresses = list(status, "podIPs");
    doc.line(0, if addresses.is_empty() { "IPs:\t<none>" } else { "IPs:" });
    for address in addresses {
        doc.field(1, "IP", text(address, "ip"));
    }
    if let Some(controller) = controller(pod) {
        doc.field(0, "Controlled By", controller);
    }
    if !text(status, "nominatedNodeName").is_empty() {
        doc.field(0, "NominatedNodeName", text(status, "nominatedNodeName"));
    }
    let init = list(spec, "initContainers");
    if !init.is_empty() {
        containers(doc, "Init Containers", init, list(status, "initContainerStatuses"), "");
    }
    containers(doc, "Containers", list(spec, "containers"), list(status, "containerStatuses"), "");
    conditions(doc, spec, status);
    volumes(doc, list(spec, "volumes"), "");
    doc.field(0, "QoS Class", text(status, "qosClass"));
    doc.labels("", "Node-Selectors", spec, "nodeSelector");
    tolerations(doc, "Tolerations", spec);
    spread_constraints(doc, spec, "");
}

fn conditions(doc: &mut Doc, spec: &Value, status: &Value) {
    let conditions = list(status, "conditions");
    let gates = list(spec, "readinessGates");
    if !gates.is_empty() {
        doc.line(0, "Readiness Gates:");
        doc.line(1, "Type\tStatus");
    }
    for gate in gates {
        let kind = text(gate, "conditionType");
        let met = conditions.iter().find(|condition| text(condition, "type") == kind);
        let met = met.map_or("<none>", |condition| text(condition, "status"));
        doc.line(1, format!("{kind} \t{met} "));
    }
    if !conditions.is_empty() {
        doc.line(0, "Conditions:");
        doc.line(1, "Type\tStatus");
    }
    for condition in conditions {
        doc.line(1, format!("{} \t{} ", text(condition, "type"), text(condition, "status")));
    }
}
