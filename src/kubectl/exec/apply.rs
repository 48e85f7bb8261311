//! `apply`, `create`, `replace`, and the eviction that `create --raw` asks for.
//!
//! `apply` is client-side: a three-way patch of the manifest, what was applied last and the live object
//! (`pkg/cmd/apply/apply.go`, `patcher.go`). Every object is tried; errors are told at the end.
use crate::api::manifest;
use crate::api::objects::Revision;
use crate::api::patch::{self, LAST_APPLIED, PatchType};
use crate::api::status::Status;
use crate::api::text::{go_format, go_json};
use crate::api::wire::fields::{at, int, text_at, texts};
use crate::kernel::Time;
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::run::{Output, Progress};
use crate::kubectl::server;
use crate::kubectl::session::{Info, Input, STDIN, Session};
use crate::world::{DeleteOptions, World};
use serde_json::Value;
use std::collections::VecDeque;

/// What is done with each object of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Apply,
    Create { save_config: bool },
    Replace,
}

/// Objects that a command sends one by one: the next request follows the answer to the one before it.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    verb: Verb,
    objects: VecDeque<Info>,
    failures: Vec<Failure>,
    /// When the next one is sent.
    next: Time,
}

impl Sending {
    fn new(session: &mut Session<'_>, verb: Verb, what: &str) -> Result<Sending, Failure> {
        let (objects, failures) = session.manifests();
        if objects.is_empty() && failures.is_empty() {
            return Err(Failure::client(format!("no objects passed to {what}")));
        }
        Ok(Sending { verb, objects: objects.into(), failures, next: session.world.now() })
    }

    pub(super) fn poll(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        let mut session = Session::new(world, output, None, Input::Manifests(&[]));
        while self.next <= session.world.now() {
            let Some(info) = self.objects.pop_front() else {
                return Failure::all(std::mem::take(&mut self.failures)).map(|()| Progress::Done);
            };
            let sent = match self.verb {
                Verb::Apply => apply_one(&mut session, &info),
                Verb::Create { save_config } => create(&mut session, &info, save_config),
                Verb::Replace => replace(&mut session, &info),
            };
            match sent {
                Ok(line) => session.say(line),
                Err(failure) => self.failures.push(failure),
            }
            if !self.objects.is_empty() {
                self.next = session.world.now() + session.world.kubectl_delay();
            }
        }
        Ok(Progress::Waiting(Some(self.next)))
    }
}

/// `kubectl apply -f -`.
pub(crate) fn apply(session: &mut Session<'_>) -> Result<Task, Failure> {
    Sending::new(session, Verb::Apply, "apply").map(Task::Send)
}

/// `kubectl create -f -`.
pub(super) fn create_all(session: &mut Session<'_>, save_config: bool) -> Result<Task, Failure> {
    Sending::new(session, Verb::Create { save_config }, "create").map(Task::Send)
}

/// `kubectl replace -f -`.
pub(super) fn replace_all(session: &mut Session<'_>) -> Result<Task, Failure> {
    Sending::new(session, Verb::Replace, "replace").map(Task::Send)
}

fn apply_one(session: &mut Session<'_>, info: &Info) -> Result<String, Failure> {
    Ok(format!("{} {}", info.title(), apply_to_live(session, info)?))
}

fn apply_to_live(session: &mut Session<'_>, info: &Info) -> Result<&'static str, Failure> {
    if info.name.is_empty() {
        let generated = text_at(&info.object, &["metadata", "generateName"]);
        if !generated.is_empty() {
            return Err(Failure::client(format!("from {generated}: cannot use generate name with apply")));
        }
        let doing = format!("retrieving current configuration of:\n{}\nfrom server for:", info.describe());
        return Err(Failure::client("resource name may not be empty").while_doing(&doing, STDIN));
    }
    let live = match server::get(session.world, info.kind, &info.namespace, &info.name) {
        Ok(live) => live,
        Err(status) if status.is_not_found() => {
            let manifest = without_nulls(patch::with_last_applied(&info.object));
            create_one(session, manifest)?;
            return Ok("created");
        }
        Err(status) => return Err(status.into()),
    };
    if patch::last_applied(&live).is_none() {
        session.complain(format!(
            "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. \
             kubectl apply should only be used on resources created declaratively by either kubectl create \
             --save-config or kubectl apply. The missing annotation will be patched automatically.",
            info.kind.plural, info.name
        ));
    }
    let changes = patch::apply_patch(info.kind.kind, &info.object, &live)
        .map_err(|error| Failure::client(error.to_string()))?;
    let is_deleted = at(&live, &["metadata", "deletionTimestamp"]).is_some();
    if changes.as_object().is_some_and(serde_json::Map::is_empty) {
        warn_if_deleting(session, info, is_deleted);
        return Ok("unchanged");
    }
    if let Err(status) = strict_patch(info, &live, &changes).and_then(|()| {
        let object = server::writable(session.world, info.kind, &info.namespace, &info.name)?;
        session.world.rest_patch(object, PatchType::Strategic, &changes, "").map(drop)
    }) {
        let doing = format!("applying patch:\n{}\nto:\n{}\nfor:", go_json(&changes), info.describe());
        return Err(Failure::from(status).while_doing("patching", STDIN).while_doing(&doing, STDIN));
    }
    warn_if_deleting(session, info, is_deleted);
    Ok("configured")
}

/// What is changed will soon be gone.
fn warn_if_deleting(session: &mut Session<'_>, info: &Info, is_deleted: bool) {
    if is_deleted {
        let name = &info.name;
        session.complain(format!(
            "Warning: Detected changes to resource {name} which is currently being deleted."
        ));
    }
}

/// Fields that the type does not have are refused in patches too: kubectl asks for strict validation.
fn strict_patch(info: &Info, live: &Value, changes: &Value) -> Result<(), Status> {
    let patched = patch::apply(info.kind.kind, live, &go_json(changes), PatchType::Strategic);
    // What cannot be patched or decoded at all is for the server to say.
    let checked = patched.ok().and_then(|patched| manifest::check(&patched).ok());
    match checked.and_then(|checked| checked.strict_error()) {
        Some(error) => {
            let cause = format!("patch: Invalid value: {}: {error}", Value::from(go_format(changes)));
            Err(Status::invalid_object("", "", "", vec![cause]))
        }
        None => Ok(()),
    }
}

/// An object without the fields that are null (`pruneNullsFromMap`).
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(field, value)| (field, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn create_one(session: &mut Session<'_>, manifest: Value) -> Result<Value, Failure> {
    let created = session.world.rest_create(manifest);
    let created = created.map_err(|status| Failure::from(status).while_doing("creating", STDIN))?;
    Ok(session.world.rest_get(created)?)
}

fn create(session: &mut Session<'_>, info: &Info, save_config: bool) -> Result<String, Failure> {
    let manifest = if save_config { patch::with_last_applied(&info.object) } else { info.object.clone() };
    let created = create_one(session, manifest)?;
    Ok(format!("{} created", server::object_name(info.kind, &created)))
}

fn replace(session: &mut Session<'_>, info: &Info) -> Result<String, Failure> {
    // An annotation that is there is kept true; none is added (`CreateOrUpdateAnnotation`).
    let annotated = at(&info.object, &["metadata", "annotations", LAST_APPLIED]).is_some();
    let object = if annotated { patch::with_last_applied(&info.object) } else { info.object.clone() };
    server::writable(session.world, info.kind, &info.namespace, &info.name)
        .and_then(|live| session.world.rest_update(live, object))
        .map_err(|status| Failure::from(status).while_doing("replacing", STDIN))?;
    Ok(format!("{} replaced", info.title()))
}

/// `kubectl create --raw /api/v1/namespaces/N/pods/P/eviction -f -`.
pub(super) fn evict(session: &mut Session<'_>, namespace: &str, pod: &str) -> Result<(), Failure> {
    let documents = match &session.input {
        Input::Stdin(text, read) => read(text.unwrap_or_default()).map_err(Failure::client)?,
        Input::Manifests(manifests) => manifests.to_vec(),
    };
    let asked = documents.first().and_then(|body| body.get("deleteOptions")).unwrap_or(&Value::Null);
    let grace = int(asked, "gracePeriodSeconds").and_then(|seconds| u32::try_from(seconds).ok());
    let store = &session.world.store;
    // What no object ever had is no uid.
    let uid = at(asked, &["preconditions", "uid"]).and_then(Value::as_str);
    let uid = uid.map(|text| store.uid_from_text(text).unwrap_or_default());
    let revision = at(asked, &["preconditions", "resourceVersion"]).and_then(Value::as_str);
    let revision = revision.map(|text| Revision(text.parse().unwrap_or(0)));
    let options = DeleteOptions { uid, revision, grace, ..DeleteOptions::default() };
    let kind = crate::kubectl::resource::ResourceKind::Pod.into();
    let pod = server::writable(session.world, kind, namespace, pod)?;
    if texts(asked, "dryRun").any(|what| what == "All") {
        // Nothing of it may stay: it is asked of a copy.
        session.world.clone().rest_evict(pod, options)?;
    } else {
        session.world.rest_evict(pod, options)?;
    }
    session.say(r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}"#);
    Ok(())
}
