//! Claims, volumes and storage classes.
use super::{Doc, head, labels_and_annotations, lasts, part};
use crate::api::wire::fields::{at, flag, list, pairs, text, text_at, texts};
use crate::kernel::Time;
use crate::kubectl::resource::ResourceKind;
use crate::kubectl::server;
use crate::kubectl::tables::{access_modes, class_of, is_default_class, or_none};
use crate::world::World;
use serde_json::Value;

fn finalizers(object: &Value) -> String {
    let all: Vec<&str> = texts(part(object, "metadata"), "finalizers").collect();
    format!("[{}]", all.join(" "))
}

/// Labels in one line (`labels.FormatLabels`).
fn one_line(object: &Value, field: &str) -> String {
    let all: Vec<String> = pairs(object, field).map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&all.join(","))
}

/// `describePersistentVolumeClaim`.
pub(super) fn claim(doc: &mut Doc, claim: &Value, world: &World) {
    let (spec, status) = (part(claim, "spec"), part(claim, "status"));
    head(doc, claim);
    doc.field(0, "StorageClass", class_of(claim));
    let phase = lasts(claim, world.now()).unwrap_or_else(|| text(status, "phase").to_owned());
    doc.field(0, "Status", phase);
    let volume = text(spec, "volumeName");
    doc.field(0, "Volume", volume);
    labels_and_annotations(doc, claim);
    doc.field(0, "Finalizers", finalizers(claim));
    let is_bound = !volume.is_empty();
    doc.field(0, "Capacity", if is_bound { text_at(status, &["capacity", "storage"]) } else { "" });
    doc.field(0, "Access Modes", if is_bound { access_modes(status) } else { String::new() });
    if !text(spec, "volumeMode").is_empty() {
        doc.field(0, "VolumeMode", text(spec, "volumeMode"));
    }
    let name = text_at(claim, &["metadata", "name"]);
    let pods =
        server::list_all(world, ResourceKind::Pod.into(), Some(text_at(claim, &["metadata", "namespace"])));
    let uses = |pod: &&Value| {
        let volumes = list(part(pod, "spec"), "volumes");
        volumes.iter().any(|volume| text_at(volume, &["persistentVolumeClaim", "claimName"]) == name)
    };
    let users: Vec<String> =
        pods.iter().filter(uses).map(|pod| text_at(pod, &["metadata", "name"]).to_owned()).collect();
    doc.entries("", "Used By", &users);
}

/// `describePersistentVolume`.
pub(super) fn volume(doc: &mut Doc, volume: &Value, now: Time) {
    let (spec, status) = (part(volume, "spec"), part(volume, "status"));
    doc.field(0, "Name", text_at(volume, &["metadata", "name"]));
    labels_and_annotations(doc, volume);
    doc.field(0, "Finalizers", finalizers(volume));
    doc.field(0, "StorageClass", class_of(volume));
    doc.field(0, "Status", lasts(volume, now).unwrap_or_else(|| text(status, "phase").to_owned()));
    let claim = at(spec, &["claimRef"]);
    let claim = claim.map(|claim| format!("{}/{}", text(claim, "namespace"), text(claim, "name")));
    doc.field(0, "Claim", claim.unwrap_or_default());
    doc.field(0, "Reclaim Policy", text(spec, "persistentVolumeReclaimPolicy"));
    doc.field(0, "Access Modes", access_modes(spec));
    if !text(spec, "volumeMode").is_empty() {
        doc.field(0, "VolumeMode", text(spec, "volumeMode"));
    }
    doc.field(0, "Capacity", text_at(spec, &["capacity", "storage"]));
    node_affinity(doc, spec);
    doc.field(0, "Message", text(status, "message"));
    doc.line(0, "Source:");
    if let Some(csi) = at(spec, &["csi"]) {
        doc.field(2, "Type", "CSI (a Container Storage Interface (CSI) volume source)");
        doc.field(2, "Driver", text(csi, "driver"));
        doc.field(2, "FSType", text(csi, "fsType"));
        doc.field(2, "VolumeHandle", text(csi, "volumeHandle"));
        doc.field(2, "ReadOnly", flag(csi, "readOnly"));
        doc.labels("    ", "VolumeAttributes", csi, "volumeAttributes");
    } else if let Some(path) = at(spec, &["hostPath"]) {
        doc.field(2, "Type", "HostPath (bare host directory volume)");
        doc.field(2, "Path", text(path, "path"));
        doc.field(2, "HostPathType", text(path, "type"));
    } else if let Some(local) = at(spec, &["local"]) {
        doc.field(2, "Type", "LocalVolume (a persistent volume backed by local storage on a node)");
        doc.field(2, "Path", text(local, "path"));
    } else {
        doc.line(1, "<unknown>");
    }
}

fn node_affinity(doc: &mut Doc, spec: &Value) {
    let Some(required) = at(spec, &["nodeAffinity", "required"]) else {
        doc.line(0, "Node Affinity:\t<none>");
        return;
    };
    doc.line(0, "Node Affinity:\t");
    let terms = list(required, "nodeSelectorTerms");
    doc.line(1, if terms.is_empty() { "Required Terms:\t<none>" } else { "Required Terms:\t" });
    for (n, term) in terms.iter().enumerate() {
        let expression = |expression: &Value| {
            let (key, operator) = (text(expression, "key"), text(expression, "operator").to_lowercase());
            let values: Vec<&str> = texts(expression, "values").collect();
            let values = if values.is_empty() { String::new() } else { format!(" [{}]", values.join(", ")) };
            format!("{key} {operator}{values}")
        };
        let all: Vec<String> = list(term, "matchExpressions").iter().map(expression).collect();
        doc.entries("    ", &format!("Term {n}"), &all);
    }
}

/// `describeStorageClass`.
pub(super) fn class(doc: &mut Doc, class: &Value) {
    doc.field(0, "Name", text_at(class, &["metadata", "name"]));
    doc.field(0, "IsDefaultClass", if is_default_class(class) { "Yes" } else { "No" });
    doc.field(0, "Annotations", one_line(part(class, "metadata"), "annotations"));
    doc.field(0, "Provisioner", text(class, "provisioner"));
    doc.field(0, "Parameters", one_line(class, "parameters"));
    let expansion = match class.get("allowVolumeExpansion") {
        Some(Value::Bool(true)) => "True",
        Some(Value::Bool(false)) => "False",
        _ => "<unset>",
    };
    doc.field(0, "AllowVolumeExpansion", expansion);
    let options: Vec<&str> = texts(class, "mountOptions").collect();
    doc.line(0, if options.is_empty() { "MountOptions:\t<none>" } else { "MountOptions:" });
    options.iter().for_each(|option| doc.line(1, option));
    for (title, field) in [("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")] {
        if !text(class, field).is_empty() {
            doc.field(0, title, text(class, field));
        }
    }
}
