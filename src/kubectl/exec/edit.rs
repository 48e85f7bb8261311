//! `label` and `annotate` (`pkg/cmd/label/label.go`, `pkg/cmd/annotate/annotate.go`): a merge patch of metadata.
use crate::api::patch::PatchType;
use crate::api::wire::fields::at;
use crate::kubectl::command::{Edit, Objects};
use crate::kubectl::failure::Failure;
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session};
use serde_json::{Map, Value, json};

/// An annotation that may always be overwritten.
pub(super) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// `kubectl label`.
pub(super) fn label(session: &mut Session<'_>, edit: &Edit) -> Result<(), Failure> {
    each(session, edit, |session, info| {
        let is = |key: &str| at(&info.object, &["metadata", "labels", key]).and_then(Value::as_str);
        for key in edit.remove.iter().filter(|key| is(key).is_none()) {
            session.say(format!("label {key:?} not found."));
        }
        if !edit.overwrite {
            let taken: Vec<Failure> = edit
                .set
                .iter()
                .filter_map(|(key, value)| {
                    let known = is(key).filter(|known| known != value)?;
                    let text = format!("'{key}' already has a value ({known}), and --overwrite is false");
                    Some(Failure::client(text))
                })
                .collect();
            Failure::all(taken)?;
        }
        let added = edit.set.iter().any(|(key, value)| is(key) != Some(value));
        let removed = edit.remove.iter().any(|key| is(key).is_some());
        if added || removed {
            write(session, info, edit, "labels")?;
        }
        Ok(match (added, removed) {
            (true, true) => "modified",
            (true, false) => "labeled",
            (false, true) => "unlabeled",
            (false, false) => "not labeled",
        })
    })
}

/// `kubectl annotate`.
pub(super) fn annotate(session: &mut Session<'_>, edit: &Edit) -> Result<(), Failure> {
    each(session, edit, |session, info| {
        let is = |key: &str| at(&info.object, &["metadata", "annotations", key]).and_then(Value::as_str);
        let declared = edit.set.iter().filter(|(key, _)| !edit.overwrite && key != CHANGE_CAUSE);
        let taken: Vec<String> = declared
            .filter_map(|(key, value)| Some((key, is(key).filter(|known| known != value)?)))
            .map(|(key, known)| format!("'{key}' already has a value ({known})"))
            .collect();
        if !taken.is_empty() {
            return Err(Failure::client(format!(
                "--overwrite is false but found the following declared annotation(s): {}",
                taken.join("; ")
            )));
        }
        write(session, info, edit, "annotations")?;
        Ok("annotated")
    })
}

fn each(
    session: &mut Session<'_>,
    edit: &Edit,
    change: impl Fn(&mut Session<'_>, &Info) -> Result<&'static str, Failure>,
) -> Result<(), Failure> {
    let (infos, mut failures) = session.resolve(&edit.objects, edit.all_namespaces);
    let single = matches!(&edit.objects, Objects::Named(names) if names.len() == 1) || infos.len() == 1;
    if edit.resource_version.is_some() && !single {
        return Err(Failure::client("--resource-version may only be used with a single resource"));
    }
    for info in infos {
        match change(session, &info) {
            Ok(what) => session.say(format!("{} {what}", info.title())),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)
}

fn write(session: &mut Session<'_>, info: &Info, edit: &Edit, field: &str) -> Result<(), Failure> {
    let removed = edit.remove.iter().filter(|key| at(&info.object, &["metadata", field, key]).is_some());
    let removed = removed.map(|key| (key.clone(), Value::Null));
    let set = edit.set.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    let changes: Map<String, Value> = set.chain(removed).collect();
    let mut patch = json!({"metadata": {field: changes}});
    if let Some(version) = &edit.resource_version {
        patch["metadata"]["resourceVersion"] = version.as_str().into();
    }
    let object = server::writable(session.world, info.kind, &info.namespace, &info.name)?;
    session.world.rest_patch(object, PatchType::Merge, &patch, "")?;
    Ok(())
}
