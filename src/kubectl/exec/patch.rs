//! `patch` and `set image` (`pkg/cmd/patch/patch.go`, `pkg/cmd/set/set_image.go`).
use crate::api::patch::PatchType;
use crate::api::text::go_json;
use crate::api::wire::fields::{at, list, text};
use crate::kubectl::command::Objects;
use crate::kubectl::failure::Failure;
use crate::kubectl::server::{self, Type};
use crate::kubectl::session::{Info, Input, Session};
use serde_json::{Value, json};

/// `kubectl patch`: the patch is JSON or YAML.
pub(super) fn patch(
    session: &mut Session<'_>,
    objects: &Objects,
    patch: &str,
    patch_type: PatchType,
    subresource: Option<&str>,
) -> Result<(), Failure> {
    let patch = to_json(session, patch)?;
    let (infos, mut failures) = session.resolve(objects, false);
    if infos.is_empty() && failures.is_empty() {
        return Err(Failure::client("no objects passed to patch"));
    }
    for info in infos {
        let changed =
            server::writable(session.world, info.kind, &info.namespace, &info.name).and_then(|object| {
                session.world.rest_patch_text(object, patch_type, &patch, subresource.unwrap_or_default())
            });
        match changed {
            Ok(true) => session.say(format!("{} patched", info.title())),
            Ok(false) => session.say(format!("{} patched (no change)", info.title())),
            Err(status) => failures.push(status.into()),
        }
    }
    Failure::all(failures)
}

/// JSON as it is; YAML as the JSON it means (`yaml.ToJSON`).
fn to_json(session: &Session<'_>, patch: &str) -> Result<String, Failure> {
    let is_json = patch.trim_start().starts_with('{') || serde_json::from_str::<Value>(patch).is_ok();
    match &session.input {
        _ if is_json => Ok(patch.to_owned()),
        Input::Stdin(_, read) => {
            let documents =
                read(patch).map_err(|why| Failure::client(format!("unable to parse {patch:?}: {why}")))?;
            Ok(documents.first().map_or_else(|| "null".to_owned(), go_json))
        }
        Input::Manifests(_) => Ok(patch.to_owned()),
    }
}

/// Where the spec of an object's pods is.
fn pod_spec_path(kind: Type) -> Option<&'static [&'static str]> {
    match kind.kind {
        "Pod" => Some(&["spec"]),
        "StatefulSet" | "Deployment" | "ReplicaSet" | "DaemonSet" => Some(&["spec", "template", "spec"]),
        _ => None,
    }
}

/// `kubectl set image`.
pub(super) fn set_image(
    session: &mut Session<'_>,
    objects: &Objects,
    images: &[(String, String)],
) -> Result<(), Failure> {
    if images.len() > 1 && images.iter().any(|(name, _)| name == "*") {
        return Err(Failure::client(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs",
        ));
    }
    let (infos, failures) = session.resolve(objects, false);
    Failure::all(failures)?;
    let mut failures = Vec::new();
    let mut patches = Vec::new();
    for info in infos {
        match image_patch(&info, images, &mut failures) {
            Ok(Some(patch)) => patches.push((info, patch)),
            Ok(None) => {}
            Err(failure) => failures.push(failure),
        }
    }
    for (info, patch) in patches {
        let patched = server::writable(session.world, info.kind, &info.namespace, &info.name)
            .and_then(|object| session.world.rest_patch(object, PatchType::Strategic, &patch, ""));
        match patched {
            Ok(_) => session.say(format!("{} image updated", info.title())),
            Err(status) => failures.push(Failure::client(format!(
                "failed to patch image update to pod template: {}",
                status.message
            ))),
        }
    }
    Failure::all(failures)
}

/// The patch that gives the containers their images; None if they have them already.
fn image_patch(
    info: &Info,
    images: &[(String, String)],
    failures: &mut Vec<Failure>,
) -> Result<Option<Value>, Failure> {
    let Some(path) = pod_spec_path(info.kind) else {
        let name = format!("{}/{}", info.kind.plural, info.name);
        let text = format!(
            "error: {name} the object is not a pod or does not have a pod template: {}",
            info.kind.kind
        );
        return Err(Failure::client(text));
    };
    let empty = Value::Null;
    let spec = at(&info.object, path).unwrap_or(&empty);
    let mut changes = serde_json::Map::new();
    for field in ["containers", "initContainers"] {
        let change = |container: &Value| {
            let name = text(container, "name");
            // The last one wins, as in a map.
            let image = images.iter().rev().find(|(wanted, _)| wanted == name || wanted == "*");
            let (_, image) = image.filter(|(_, image)| image != text(container, "image"))?;
            Some(json!({"name": name, "image": image}))
        };
        let changed: Vec<Value> = list(spec, field).iter().filter_map(change).collect();
        if !changed.is_empty() {
            changes.insert(field.into(), changed.into());
        }
    }
    for (name, _) in images {
        let mut containers = list(spec, "containers").iter().chain(list(spec, "initContainers"));
        if !containers.any(|container| name == "*" || text(container, "name") == name) {
            failures.push(Failure::client(format!("error: unable to find container named {name:?}")));
        }
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let patch = path.iter().rev().fold(Value::Object(changes), |inner, field| json!({*field: inner}));
    Ok(Some(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::resource::ResourceKind;

    #[test]
    fn images_that_differ_are_patched() {
        let pod = json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]});
        let set = Info::of(ResourceKind::StatefulSet.into(), json!({"spec": {"template": {"spec": pod}}}));
        let patch = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            let mut failures = Vec::new();
            let patch = image_patch(&set, &pairs, &mut failures).expect("has a template");
            (patch, failures.iter().map(Failure::printed).collect::<String>())
        };
        let in_template = |spec: Value| Some(json!({"spec": {"template": {"spec": spec}}}));
        assert_eq!(patch(&[("a", "a:1")]), (None, String::new()));
        assert_eq!(
            patch(&[("a", "a:2")]),
            (in_template(json!({"containers": [{"name": "a", "image": "a:2"}]})), String::new())
        );
        assert_eq!(
            patch(&[("*", "b:1")]).0,
            in_template(json!({"containers": [{"name": "a", "image": "b:1"}]}))
        );
        assert_eq!(
            patch(&[("c", "c:1")]),
            (None, "error: unable to find container named \"c\"\n".to_owned())
        );
    }
}
