//! Claims, volumes, storage classes, attachments, CSI nodes and drivers.
use super::{Time, access_modes, age, c, list, name, or_none, text, text_at, w};
use crate::api::wire::fields::{at, texts};
use crate::kubectl::table::Column;
use serde_json::Value;

pub(super) const CLAIM_COLUMNS: &[Column] = &[
    c("Name"),
    c("Status"),
    c("Volume"),
    c("Capacity"),
    c("Access Modes"),
    c("StorageClass"),
    c("VolumeAttributesClass"),
    c("Age"),
    w("VolumeMode"),
];
pub(super) const VOLUME_COLUMNS: &[Column] = &[
    c("Name"),
    c("Capacity"),
    c("Access Modes"),
    c("Reclaim Policy"),
    c("Status"),
    c("Claim"),
    c("StorageClass"),
    c("VolumeAttributesClass"),
    c("Reason"),
    c("Age"),
    w("VolumeMode"),
];
pub(super) const CLASS_COLUMNS: &[Column] = &[
    c("Name"),
    c("Provisioner"),
    c("ReclaimPolicy"),
    c("VolumeBindingMode"),
    c("AllowVolumeExpansion"),
    c("Age"),
];
pub(super) const ATTACHMENT_COLUMNS: &[Column] =
    &[c("Name"), c("Attacher"), c("PV"), c("Node"), c("Attached"), c("Age")];
pub(super) const CSI_NODE_COLUMNS: &[Column] = &[c("Name"), c("Drivers"), c("Age")];
pub(super) const CSI_DRIVER_COLUMNS: &[Column] = &[
    c("Name"),
    c("AttachRequired"),
    c("PodInfoOnMount"),
    c("StorageCapacity"),
    c("TokenRequests"),
    c("RequiresRepublish"),
    c("Modes"),
    c("Age"),
];

/// Where classes were named before there was a field.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const DEFAULT_CLASS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// The class of a claim or volume.
pub(in crate::kubectl) fn class_of(object: &Value) -> &str {
    match text_at(object, &["metadata", "annotations", BETA_CLASS]) {
        "" => text_at(object, &["spec", "storageClassName"]),
        class => class,
    }
}

/// The class is the one of claims without class.
pub(in crate::kubectl) fn is_default_class(class: &Value) -> bool {
    DEFAULT_CLASS.iter().any(|key| text_at(class, &["metadata", "annotations", key]) == "true")
}

/// The phase, or that the object is being deleted.
pub(in crate::kubectl) fn phase(object: &Value) -> &str {
    match at(object, &["metadata", "deletionTimestamp"]) {
        Some(_) => "Terminating",
        None => text_at(object, &["status", "phase"]),
    }
}

fn attributes_class(object: &Value) -> String {
    match text_at(object, &["spec", "volumeAttributesClassName"]) {
        "" => "<unset>".to_owned(),
        class => class.to_owned(),
    }
}

fn volume_mode(object: &Value) -> String {
    match text_at(object, &["spec", "volumeMode"]) {
        "" => "<unset>".to_owned(),
        mode => mode.to_owned(),
    }
}

pub(super) fn claim_row(claim: &Value, now: Time) -> Vec<String> {
    let volume = text_at(claim, &["spec", "volumeName"]);
    // What is bound shows what it got.
    let (capacity, modes) = match volume {
        "" => (String::new(), String::new()),
        _ => (
            text_at(claim, &["status", "capacity", "storage"]).to_owned(),
            access_modes(claim.get("status").unwrap_or(&Value::Null)),
        ),
    };
    vec![
        name(claim),
        phase(claim).to_owned(),
        volume.to_owned(),
        capacity,
        modes,
        class_of(claim).to_owned(),
        attributes_class(claim),
        age(claim, now),
        volume_mode(claim),
    ]
}

pub(super) fn volume_row(volume: &Value, now: Time) -> Vec<String> {
    let claim = at(volume, &["spec", "claimRef"]);
    let claim = claim.map(|claim| format!("{}/{}", text(claim, "namespace"), text(claim, "name")));
    vec![
        name(volume),
        text_at(volume, &["spec", "capacity", "storage"]).to_owned(),
        access_modes(volume.get("spec").unwrap_or(&Value::Null)),
        text_at(volume, &["spec", "persistentVolumeReclaimPolicy"]).to_owned(),
        phase(volume).to_owned(),
        claim.unwrap_or_default(),
        class_of(volume).to_owned(),
        attributes_class(volume),
        text_at(volume, &["status", "reason"]).to_owned(),
        age(volume, now),
        volume_mode(volume),
    ]
}

pub(super) fn class_row(class: &Value, now: Time) -> Vec<String> {
    let default = if is_default_class(class) { " (default)" } else { "" };
    let or = |field: &str, default: &str| match text(class, field) {
        "" => default.to_owned(),
        given => given.to_owned(),
    };
    vec![
        format!("{}{default}", name(class)),
        text(class, "provisioner").to_owned(),
        or("reclaimPolicy", "Delete"),
        or("volumeBindingMode", "Immediate"),
        (class.get("allowVolumeExpansion") == Some(&Value::Bool(true))).to_string(),
        age(class, now),
    ]
}

pub(super) fn attachment_row(attachment: &Value, now: Time) -> Vec<String> {
    vec![
        name(attachment),
        text_at(attachment, &["spec", "attacher"]).to_owned(),
        text_at(attachment, &["spec", "source", "persistentVolumeName"]).to_owned(),
        text_at(attachment, &["spec", "nodeName"]).to_owned(),
        (at(attachment, &["status", "attached"]) == Some(&Value::Bool(true))).to_string(),
        age(attachment, now),
    ]
}

pub(super) fn csi_node_row(node: &Value, now: Time) -> Vec<String> {
    let drivers = list(node.get("spec").unwrap_or(&Value::Null), "drivers").len();
    vec![name(node), drivers.to_string(), age(node, now)]
}

pub(super) fn csi_driver_row(driver: &Value, now: Time) -> Vec<String> {
    let empty = Value::Null;
    let spec = driver.get("spec").unwrap_or(&empty);
    let is = |field: &str| (spec.get(field) == Some(&Value::Bool(true))).to_string();
    let modes: Vec<&str> = texts(spec, "volumeLifecycleModes").collect();
    vec![
        name(driver),
        is("attachRequired"),
        is("podInfoOnMount"),
        is("storageCapacity"),
        "<unset>".to_owned(),
        is("requiresRepublish"),
        or_none(&modes.join(",")),
        age(driver, now),
    ]
}

#[cfg(test)]
mod tests {
    use crate::kubectl::resource::ResourceKind;
    use crate::kubectl::tables::tests::printed;
    use serde_json::json;

    #[test]
    fn tables() {
        let created = "2026-01-01T00:00:06Z";
        let pending = json!({
            "metadata": {"name": "data-lost-0", "creationTimestamp": created},
            "spec": {"storageClassName": "nosuch", "volumeMode": "Filesystem"},
            "status": {"phase": "Pending"},
        });
        let bound = json!({
            "metadata": {"name": "data-web-0", "creationTimestamp": created},
            "spec": {"storageClassName": "ebs", "volumeMode": "Filesystem", "volumeName": "pvc-1"},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
        });
        assert_eq!(
            printed(ResourceKind::PersistentVolumeClaim, &[pending, bound]),
            "\
NAME          STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   VOLUMEATTRIBUTESCLASS   AGE   VOLUMEMODE
data-lost-0   Pending                                      nosuch         <unset>                 4s    Filesystem
data-web-0    Bound     pvc-1    1Gi        RWO            ebs            <unset>                 4s    Filesystem
"
        );
        let volume = json!({
            "metadata": {"name": "pvc-1", "creationTimestamp": created, "deletionTimestamp": created},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "ebs",
                "claimRef": {"namespace": "default", "name": "data-web-0"}, "volumeMode": "Filesystem",
                "persistentVolumeReclaimPolicy": "Delete",
            },
            "status": {"phase": "Bound"},
        });
        assert_eq!(
            printed(ResourceKind::PersistentVolume, &[volume]).lines().nth(1).unwrap_or_default(),
            "pvc-1   1Gi        RWO            Delete           Terminating   default/data-web-0   ebs            \
             <unset>                          4s    Filesystem"
        );
        let class = json!({
            "metadata": {
                "name": "ebs", "creationTimestamp": created,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Delete", "allowVolumeExpansion": true,
            "volumeBindingMode": "WaitForFirstConsumer",
        });
        assert_eq!(
            printed(ResourceKind::StorageClass, &[class]),
            "\
NAME            PROVISIONER       RECLAIMPOLICY   VOLUMEBINDINGMODE      ALLOWVOLUMEEXPANSION   AGE
ebs (default)   ebs.csi.aws.com   Delete          WaitForFirstConsumer   true                   4s
"
        );
    }
}
