//! `rollout history` and `rollout undo` (`pkg/polymorphichelpers/{history,rollback}.go`; STS-13, DEP-19).
use super::status::revision_of;
use crate::api::patch::{LAST_APPLIED, PatchType};
use crate::api::selector::Selector;
use crate::api::strategic;
use crate::api::template_hash::revision_data;
use crate::api::wire::fields::{at, flag, int, list, object, text, text_at};
use crate::kubectl::describe;
use crate::kubectl::exec::edit::CHANGE_CAUSE;
use crate::kubectl::failure::Failure;
use crate::kubectl::resource::ResourceKind;
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session, has_labels};
use crate::rule::mark;
use crate::world::World;
use serde_json::{Map, Value, json};

/// Annotations that a Deployment keeps when it goes back.
const KEPT_ANNOTATIONS: [&str; 6] = [
    LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];
const HASH_LABEL: &str = "pod-template-hash";

/// One revision of a workload.
struct Entry {
    number: i64,
    /// The ControllerRevision or ReplicaSet.
    object: Value,
}

/// The revisions of a workload that have a number, oldest first.
fn history_of(world: &World, info: &Info) -> Option<Vec<Entry>> {
    let kind = match info.kind.kind {
        "StatefulSet" => ResourceKind::ControllerRevision,
        "Deployment" => ResourceKind::ReplicaSet,
        _ => return None,
    };
    let selector = at(&info.object, &["spec", "selector"]);
    let selector = selector.and_then(|s| Selector::from_label_selector(s).ok()).unwrap_or_default();
    let uid = text_at(&info.object, &["metadata", "uid"]);
    let is_owned = |object: &Value| {
        let owners = list(object.get("metadata").unwrap_or(&Value::Null), "ownerReferences");
        owners.iter().any(|owner| flag(owner, "controller") && text(owner, "uid") == uid)
    };
    let mut objects = server::list_all(world, kind.into(), Some(&info.namespace));
    objects.retain(|object| is_owned(object) && has_labels(object, &selector));
    let mut entries: Vec<Entry> = objects
        .into_iter()
        .filter_map(|object| {
            let number = if kind == ResourceKind::ReplicaSet {
                revision_of(&object)
            } else {
                int(&object, "revision")
            };
            Some(Entry { number: number?, object })
        })
        .collect();
    entries.sort_by_key(|entry| entry.number);
    Some(entries)
}

/// `Kind` or `Kind.group`.
fn group_kind(info: &Info) -> String {
    let group = info.kind.group;
    if group.is_empty() { info.kind.kind.to_owned() } else { format!("{}.{group}", info.kind.kind) }
}

/// What `rollout history` says after the object's name.
pub(super) fn history(session: &Session<'_>, info: &Info, revision: i64) -> Result<String, Failure> {
    let Some(entries) = history_of(session.world, info) else {
        let text = format!("no history viewer has been implemented for {:?}", group_kind(info));
        return Err(Failure::client(text));
    };
    let with = if revision > 0 { format!("with revision #{revision}") } else { String::new() };
    if entries.is_empty() {
        return Ok(format!("{with}\nNo rollout history found."));
    }
    if revision > 0 {
        let Some(entry) = entries.iter().find(|entry| entry.number == revision) else {
            return Err(Failure::client("unable to find the specified revision"));
        };
        return Ok(format!("{with}\n{}", describe::template_text(&template_of(info, entry)?)));
    }
    let cause = |entry: &Entry| match text_at(&entry.object, &["metadata", "annotations", CHANGE_CAUSE]) {
        "" => "<none>".to_owned(),
        cause => cause.to_owned(),
    };
    let rows = entries.iter().map(|entry| format!("{}\t{}\n", entry.number, cause(entry)));
    let table = describe::aligned(&format!("REVISION\tCHANGE-CAUSE\n{}", rows.collect::<String>()));
    Ok(format!("{with}\n{table}"))
}

/// The pod template of a revision.
fn template_of(info: &Info, entry: &Entry) -> Result<Value, Failure> {
    if info.kind.kind == "Deployment" {
        let mut template = at(&entry.object, &["spec", "template"]).cloned().unwrap_or_default();
        let cause = text_at(&entry.object, &["metadata", "annotations", CHANGE_CAUSE]);
        if !cause.is_empty() {
            template["metadata"]["annotations"][CHANGE_CAUSE] = cause.into();
        }
        return Ok(template);
    }
    let data = entry.object.get("data").cloned().unwrap_or_default();
    let name = text_at(&entry.object, &["metadata", "name"]);
    let applied = strategic::merge(info.kind.kind, info.object.clone(), data)
        .map_err(|_| Failure::client(format!("unable to parse history {name}")))?;
    Ok(at(&applied, &["spec", "template"]).cloned().unwrap_or_default())
}

/// What `rollout undo` says after the object's name.
pub(super) fn undo(session: &mut Session<'_>, info: &Info, to: i64) -> Result<String, Failure> {
    let Some(entries) = history_of(session.world, info) else {
        let text = format!("no rollbacker has been implemented for {:?}", group_kind(info));
        return Err(Failure::client(text));
    };
    let is_set = info.kind.kind == "StatefulSet";
    mark!("STS-13" if is_set);
    if is_set && to == 0 && entries.len() <= 1 {
        return Err(Failure::client("no last revision to roll back to"));
    }
    // The last one but one.
    let entry = match to {
        0 => entries.iter().rev().nth(1),
        to => entries.iter().find(|entry| entry.number == to),
    };
    let Some(entry) = entry else {
        return Err(Failure::client(match to {
            0 => format!("no rollout history found for deployment {:?}", info.name),
            to => format!("unable to find specified revision {to} in history"),
        }));
    };
    let patch = if is_set { set_patch(info, entry) } else { deployment_patch(info, entry)? };
    let Some((patch_type, patch)) = patch else {
        return Ok(format!("skipped rollback (current template already matches revision {to})"));
    };
    let object = server::writable(session.world, info.kind, &info.namespace, &info.name)?;
    let patched = session.world.rest_patch(object, patch_type, &patch, "");
    patched
        .map_err(|status| Failure::client(format!("failed restoring revision {to}: {}", status.message)))?;
    Ok("rolled back".to_owned())
}

/// The data of the revision is the patch. None if the template is that already.
fn set_patch(info: &Info, entry: &Entry) -> Option<(PatchType, Value)> {
    let data = entry.object.get("data").cloned().unwrap_or_default();
    let template = at(&info.object, &["spec", "template"]).cloned().unwrap_or_default();
    let current: Value = serde_json::from_str(&revision_data(&template)).unwrap_or_default();
    (current != data).then_some((PatchType::Strategic, data))
}

fn deployment_patch(info: &Info, entry: &Entry) -> Result<Option<(PatchType, Value)>, Failure> {
    mark!("DEP-19");
    if at(&info.object, &["spec", "paused"]) == Some(&Value::Bool(true)) {
        return Err(Failure::client(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
        ));
    }
    let without_hash = |template: Option<&Value>| {
        let mut template = template.cloned().unwrap_or_default();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove(HASH_LABEL);
        }
        template
    };
    let template = without_hash(at(&entry.object, &["spec", "template"]));
    if template == without_hash(at(&info.object, &["spec", "template"])) {
        return Ok(None);
    }
    let empty = Map::new();
    let of = |owner: &'_ Value| {
        owner.get("metadata").and_then(|m| object(m, "annotations")).unwrap_or(&empty).clone()
    };
    let kept = of(&info.object).into_iter().filter(|(key, _)| KEPT_ANNOTATIONS.contains(&key.as_str()));
    let back = of(&entry.object).into_iter().filter(|(key, _)| !KEPT_ANNOTATIONS.contains(&key.as_str()));
    let annotations: Map<String, Value> = kept.chain(back).collect();
    let patch = json!([
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]);
    Ok(Some((PatchType::Json, patch)))
}
