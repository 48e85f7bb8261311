//! Changing objects: PUT, PATCH and the scale subresource.
//!
//! Follows staging/src/k8s.io/apiserver/pkg/registry/rest/update.go (BeforeUpdate), endpoints/handlers/patch.go and the
//! strategies under pkg/registry: a client cannot write system metadata; a write of the spec leaves the status alone
//! and the other way round (STS-10); a write that changes nothing is none.
use super::create::invalid;
use super::{ObjectRef, defaults, with_type};
use crate::api::admission;
use crate::api::kind::Kind;
use crate::api::manifest::{self, Segment};
use crate::api::objects::*;
use crate::api::patch::{self, PatchError, PatchType};
use crate::api::status::Status;
use crate::api::validation;
use crate::api::wire::Wire;
use crate::api::wire::fields::{at, ensure, int, list, text, text_at};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{Actor, Request, World};
use serde_json::{Value, json};
use std::sync::Arc;

/// Metadata that only the server writes.
const SYSTEM: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
];

/// What a request may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// metadata and spec.
    Main,
    /// status.
    Status,
}

impl World {
    /// Replaces an object. True if that changed anything.
    ///
    /// # Errors
    /// `Conflict` if the manifest carries a stale resourceVersion; whatever validation refuses.
    pub fn rest_update(&mut self, object: ObjectRef, new: Value) -> Result<bool, Status> {
        self.actor = Actor::User;
        if let Some(refusal) = manifest::decode_error(&new) {
            return Err(Status::bad_request(refusal));
        }
        with_type!(object.kind, T => self.update_as::<T>(object, new, Part::Main, Request::Update))
    }

    /// Patches an object, or its subresource `status` or `scale` (empty: the object itself). True if that changed
    /// anything.
    ///
    /// # Errors
    /// `BadRequest` and `Invalid` for what cannot be applied or decoded; whatever validation refuses.
    pub fn rest_patch(
        &mut self,
        object: ObjectRef,
        patch_type: PatchType,
        patch: &Value,
        subresource: &str,
    ) -> Result<bool, Status> {
        self.rest_patch_text(object, patch_type, &patch.to_string(), subresource)
    }

    /// As [`World::rest_patch`], with the patch as the user wrote it.
    ///
    /// # Errors
    /// See there.
    pub fn rest_patch_text(
        &mut self,
        object: ObjectRef,
        patch_type: PatchType,
        patch: &str,
        subresource: &str,
    ) -> Result<bool, Status> {
        self.actor = Actor::User;
        let part = match subresource {
            "" => Part::Main,
            "status" => Part::Status,
            "scale" => return self.patch_scale(object, patch_type, patch),
            _ => return Err(no_such_resource()),
        };
        let current = with_type!(object.kind, T => self.current::<T>(object)?.to_json(&self.store));
        let kind = text(&current, "kind").to_owned();
        let mut patched = patch::apply(&kind, &current, patch, patch_type).map_err(refused_patch)?;
        // The type is the URL's, whatever the patch says.
        let Some(fields) = patched.as_object_mut() else {
            return Err(Status::bad_request("a patched object must be an object".into()));
        };
        for field in ["apiVersion", "kind"] {
            fields.insert(field.into(), current.get(field).cloned().unwrap_or_default());
        }
        decode_patched(&mut patched)?;
        with_type!(object.kind, T => self.update_as::<T>(object, patched, part, Request::Patch))
    }

    /// The object as stored.
    fn current<T: Wire>(&self, object: ObjectRef) -> Result<&T, Status> {
        let id: Id<T> = object.id();
        T::table(&self.store).get_uid(id, object.uid).ok_or_else(|| self.gone::<T>(id))
    }

    fn update_as<T: Wire>(
        &mut self,
        object: ObjectRef,
        mut new: Value,
        part: Part,
        request: Request,
    ) -> Result<bool, Status> {
        let resource = self.rest_resource(object);
        let old = self.current::<T>(object)?.clone();
        let before = old.to_json(&self.store);
        let name = text_at(&before, &["metadata", "name"]).to_owned();
        check_identity(&resource.name(), &name, &before, &new)?;
        defaults::apply(text(&before, "kind"), &mut new, &self.config.gates);
        take_over(object.kind, part, &before, &mut new);
        if object.kind == Kind::Claim && part == Part::Main {
            admission::admit_claim_update(&self.store, &before, &new)?;
        }
        let errors = match part {
            Part::Main => validation::update(object.kind, &before, &new),
            Part::Status => validation::update_status(object.kind, &before, &new),
        };
        if !errors.is_empty() {
            return Err(invalid(resource, &name, errors));
        }
        if object.kind == Kind::Service {
            self.give_addresses(&mut new, &name)?;
        }
        let mut after = T::from_json(&mut self.store, &new);
        let meta = *old.meta();
        after.keep_identity(&meta, &mut self.store.rares);
        if part == Part::Main {
            after.keep_status(&old);
        }
        let mut shown = after.to_json(&self.store);
        if shown.get("spec") == before.get("spec") {
            after.keep_spec(&old);
            shown = after.to_json(&self.store);
        }
        if shown == before {
            return Ok(false);
        }
        let id = object.id::<T>();
        let write = |stored: &mut T| *stored = after;
        if meta.generation.get() > 0 && part == Part::Main && desires_more(object.kind, &before, &shown) {
            self.write_spec(request, id, Rule::NONE, write)?;
        } else {
            self.write(request, id, Rule::NONE, write)?;
        }
        Ok(true)
    }

    /// The Scale of a workload (STS-11).
    ///
    /// # Errors
    /// `NotFound` if it is gone or cannot be scaled.
    pub fn rest_get_scale(&self, object: ObjectRef) -> Result<Value, Status> {
        let (meta, replicas, created, selector) = match object.kind {
            Kind::StatefulSet => {
                let set = self.current::<StatefulSet>(object)?;
                (set.meta, set.spec.replicas, set.status.replicas, set.spec.selector.to_string())
            }
            Kind::Deployment => {
                let deployment = self.current::<Deployment>(object)?;
                let spec = &deployment.spec;
                (deployment.meta, spec.replicas, deployment.status.replicas, spec.selector.to_string())
            }
            Kind::ReplicaSet => {
                let set = self.current::<ReplicaSet>(object)?;
                (set.meta, set.spec.replicas, set.status.replicas, set.spec.selector.to_string())
            }
            _ => return Err(no_such_resource()),
        };
        let shown = with_type!(object.kind, T => self.current::<T>(object)?.to_json(&self.store));
        Ok(json!({
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {
                "name": self.store.name_of(meta.name),
                "namespace": self.store.names.text(meta.namespace),
                "uid": self.store.uid_text(meta.uid),
                "resourceVersion": meta.revision.0.to_string(),
                "creationTimestamp": shown["metadata"]["creationTimestamp"],
            },
            "spec": {"replicas": replicas},
            "status": {"replicas": created, "selector": selector},
        }))
    }

    /// Sets `spec.replicas` through the scale subresource. With `current`, only if that is how many are wanted now;
    /// with `resource_version`, only if nothing has been written since. True if that changed anything.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Conflict`, `Invalid` for negative numbers, `NotFound`.
    pub fn rest_scale(
        &mut self,
        object: ObjectRef,
        replicas: i32,
        current: Option<i32>,
        resource_version: Option<&str>,
    ) -> Result<bool, Status> {
        self.actor = Actor::User;
        // With a precondition the whole Scale is sent back.
        let whole = current.is_some() || resource_version.is_some();
        let request = if whole { Request::Update } else { Request::Patch };
        self.set_scale(object, replicas, current, resource_version, request)
    }

    fn set_scale(
        &mut self,
        object: ObjectRef,
        replicas: i32,
        current: Option<i32>,
        resource_version: Option<&str>,
        request: Request,
    ) -> Result<bool, Status> {
        let scale = self.rest_get_scale(object)?;
        let wanted = at(&scale, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(0);
        let name = text_at(&scale, &["metadata", "name"]);
        if let Some(expected) = current.filter(|expected| i64::from(*expected) != wanted) {
            let text = format!("Expected replicas to be {expected}, was {wanted}");
            return Err(Status::new(412, "PreconditionFailed", text));
        }
        if resource_version.is_some_and(|given| given != text_at(&scale, &["metadata", "resourceVersion"])) {
            return Err(Status::stale(object.kind.resource(), name));
        }
        if replicas < 0 {
            let error =
                format!("spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0");
            return Err(Status::invalid_object("autoscaling", "Scale", name, vec![error]));
        }
        if i64::from(replicas) == wanted {
            return Ok(false);
        }
        match object.kind {
            Kind::StatefulSet => {
                self.write_spec(request, object.id(), Rule::sts(11), |set: &mut StatefulSet| {
                    Arc::make_mut(&mut set.spec).replicas = replicas;
                })
            }
            Kind::Deployment => {
                self.write_spec(request, object.id(), Rule::NONE, |deployment: &mut Deployment| {
                    Arc::make_mut(&mut deployment.spec).replicas = replicas;
                })
            }
            _ => self.write_spec(request, object.id(), Rule::NONE, |set: &mut ReplicaSet| {
                Arc::make_mut(&mut set.spec).replicas = replicas;
            }),
        }
        .map(|_| true)
    }

    fn patch_scale(&mut self, object: ObjectRef, patch_type: PatchType, patch: &str) -> Result<bool, Status> {
        let scale = self.rest_get_scale(object)?;
        let mut patched = patch::apply("Scale", &scale, patch, patch_type).map_err(refused_patch)?;
        decode_patched(&mut patched)?;
        let replicas = patched.get("spec").and_then(|spec| int(spec, "replicas")).unwrap_or(0);
        let version = text_at(&patched, &["metadata", "resourceVersion"]).to_owned();
        let replicas = i32::try_from(replicas).unwrap_or(-1);
        self.set_scale(object, replicas, None, Some(&version), Request::Patch)
    }
}

fn no_such_resource() -> Status {
    Status::new(404, "NotFound", "the server could not find the requested resource".into())
}

fn refused_patch(error: PatchError) -> Status {
    let message = error.to_string();
    match error {
        PatchError::BadRequest(_) => Status::bad_request(message),
        PatchError::Unprocessable(_) => Status::new(422, "Invalid", message),
        PatchError::TooLarge(_) => Status::new(413, "RequestEntityTooLarge", message),
        // A plain error: kubectl shows no reason.
        PatchError::Internal(_) => Status::new(500, "", message),
    }
}

/// A patched object has to be one of its kind; fields that the kind does not have are dropped.
fn decode_patched(patched: &mut Value) -> Result<(), Status> {
    match manifest::check(patched) {
        Ok(checked) => {
            for field in &checked.unknown_fields {
                remove(patched, &field.path);
            }
            Ok(())
        }
        Err(manifest::ManifestError { reason: manifest::Reason::WrongType(sentence), .. }) => {
            let quoted = Value::from(patched.to_string());
            let error = format!("patch: Invalid value: {quoted}: {sentence}");
            Err(Status::invalid_object("", "", "", vec![error]))
        }
        Err(error) => Err(Status::bad_request(error.to_string())),
    }
}

fn remove(value: &mut Value, path: &[Segment]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(value, |value, segment| match segment {
        Segment::Field(name) => value.get_mut(name),
        Segment::Index(index) => value.get_mut(*index),
    });
    if let (Some(fields), Segment::Field(name)) = (parent.and_then(Value::as_object_mut), last) {
        fields.remove(name);
    }
}

/// Name, namespace and, where given, uid and resourceVersion are those of the object.
fn check_identity(resource: &str, name: &str, before: &Value, new: &Value) -> Result<(), Status> {
    let given = text_at(new, &["metadata", "name"]);
    if given != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let of = |object, field| text_at(object, &["metadata", field]);
    if !of(new, "namespace").is_empty() && of(new, "namespace") != of(before, "namespace") {
        return Err(Status::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request ({} != {})",
            of(new, "namespace"),
            of(before, "namespace")
        )));
    }
    if !of(new, "uid").is_empty() && of(new, "uid") != of(before, "uid") {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            of(new, "uid"),
            of(before, "uid")
        );
        return Err(Status::conflict(resource, name, &why));
    }
    let version = of(new, "resourceVersion");
    if !version.is_empty() && version != of(before, "resourceVersion") {
        return Err(Status::stale(resource, name));
    }
    Ok(())
}

/// What this request may not change is as it was.
fn take_over(kind: Kind, part: Part, before: &Value, new: &mut Value) {
    if part == Part::Status {
        let status = new.get("status").cloned();
        *new = before.clone();
        if let (Some(status), Some(fields)) = (status, new.as_object_mut()) {
            fields.insert("status".into(), status);
        }
        return;
    }
    let old_metadata = before.get("metadata");
    if let Some(metadata) = ensure(new, "metadata") {
        metadata.remove("managedFields");
        metadata.remove("selfLink");
        for field in SYSTEM.into_iter().chain(["namespace", "resourceVersion"]) {
            match old_metadata.and_then(|metadata| metadata.get(field)) {
                Some(value) => metadata.insert(field.into(), value.clone()),
                None => metadata.remove(field),
            };
        }
    }
    if kind != Kind::Inert
        && let Some(fields) = new.as_object_mut()
    {
        match before.get("status") {
            Some(status) => fields.insert("status".into(), status.clone()),
            None => fields.remove("status"),
        };
    }
    if kind == Kind::Service {
        keep_addresses(before, new);
    }
}

/// Addresses and node ports that a replacing manifest does not mention stay (patchAllocatedValues).
fn keep_addresses(before: &Value, new: &mut Value) {
    let empty = Value::Null;
    let old = before.get("spec").unwrap_or(&empty);
    let Some(spec) = new.get_mut("spec") else { return };
    if text(old, "type") == "ExternalName" || text(spec, "type") == "ExternalName" {
        return;
    }
    if text(spec, "clusterIP").is_empty() {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if let Some(value) = old.get(field) {
                spec[field] = value.clone();
            }
        }
    }
    let node_ports = defaults::wants_node_ports(old) && defaults::wants_node_ports(spec);
    for port in
        spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten().filter(|_| node_ports)
    {
        let same = |known: &&Value| known["port"] == port["port"] && known["protocol"] == port["protocol"];
        let known = list(old, "ports").iter().find(same).and_then(|known| known.get("nodePort"));
        if let Some(known) = known.filter(|_| port.get("nodePort").is_none()) {
            port["nodePort"] = known.clone();
        }
    }
}

/// The write changes what is desired: the generation grows (STS-10); of a Deployment also its annotations (DEP-3).
fn desires_more(kind: Kind, before: &Value, after: &Value) -> bool {
    let annotations = |object| at(object, &["metadata", "annotations"]).cloned();
    let spec = before.get("spec") != after.get("spec");
    mark!("STS-10" if kind == Kind::StatefulSet);
    mark!("PDB-3" if kind == Kind::Budget && spec);
    mark!("DEP-3" if kind == Kind::Deployment && !spec && annotations(before) != annotations(after));
    spec || (kind == Kind::Deployment && annotations(before) != annotations(after))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{created, world};
    use super::*;
    use serde_json::json;

    fn set(world: &mut World) -> ObjectRef {
        created(
            world,
            json!({
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": {"name": "web"},
                "spec": {
                    "selector": {"matchLabels": {"app": "web"}},
                    "serviceName": "web",
                    "template": {
                        "metadata": {"labels": {"app": "web"}},
                        "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
                    },
                },
            }),
        )
    }

    fn generation(world: &World, object: ObjectRef) -> Value {
        world.rest_get(object).expect("there")["metadata"]["generation"].clone()
    }

    #[test]
    fn what_changes_nothing_is_no_write() {
        let mut world = world();
        let set = set(&mut world);
        let revision = world.store.revision();
        let shown = world.rest_get(set).expect("there");
        assert_eq!(world.rest_update(set, shown), Ok(false));
        let patch = json!({"spec": {"replicas": 1, "template": {"spec": {"restartPolicy": "Always"}}}});
        for kind in [PatchType::Merge, PatchType::Strategic] {
            assert_eq!(world.rest_patch(set, kind, &patch, ""), Ok(false));
        }
        assert_eq!(world.store.revision(), revision);
    }

    #[test]
    fn only_the_spec_raises_the_generation() {
        let mut world = world();
        let set = set(&mut world);
        let mut patch = |patch: Value, part: &str| {
            let changed = world.rest_patch(set, PatchType::Merge, &patch, part).expect("valid");
            (changed, generation(&world, set))
        };
        assert_eq!(patch(json!({"metadata": {"labels": {"a": "b"}}}), ""), (true, json!(1)));
        assert_eq!(patch(json!({"spec": {"replicas": 3}}), ""), (true, json!(2)));
        assert_eq!(patch(json!({"status": {"replicas": 3}}), ""), (false, json!(2)));
        assert_eq!(
            patch(json!({"status": {"replicas": 3}, "spec": {"replicas": 9}}), "status"),
            (true, json!(2))
        );
        assert_eq!(patch(json!({"spec": {"replicas": 5}}), "scale"), (true, json!(3)));
        let stored = world.store.stateful_sets.get(set.id()).expect("there");
        assert_eq!((stored.spec.replicas, stored.status.replicas), (5, 3));
        // STS-2: without a block there is none, whatever was there before.
        let nil = json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": null}}});
        assert_eq!(world.rest_patch(set, PatchType::Merge, &nil, ""), Ok(true));
        let shown = world.rest_get(set).expect("there");
        assert_eq!(shown["spec"]["updateStrategy"], json!({"type": "RollingUpdate"}));
    }

    #[test]
    fn stale_writes_are_refused() {
        let mut world = world();
        let set = set(&mut world);
        let mut shown = world.rest_get(set).expect("there");
        world.rest_scale(set, 2, Some(1), None).expect("scaled");
        shown["metadata"]["labels"] = json!({"a": "b"});
        let refused = world.rest_update(set, shown.clone()).expect_err("stale");
        assert_eq!(
            refused.message,
            "Operation cannot be fulfilled on statefulsets.apps \"web\": the object has been modified; please apply \
             your changes to the latest version and try again"
        );
        shown["metadata"]["resourceVersion"] = Value::Null;
        assert_eq!(world.rest_update(set, shown), Ok(true));
    }

    #[test]
    fn scale_has_preconditions() {
        let mut world = world();
        let set = set(&mut world);
        let refused = |result: Result<bool, Status>| result.expect_err("refused").message;
        assert_eq!(refused(world.rest_scale(set, 3, Some(5), None)), "Expected replicas to be 5, was 1");
        assert_eq!(
            refused(world.rest_scale(set, 3, None, Some("1"))),
            Status::stale("statefulsets.apps", "web").message
        );
        assert_eq!(
            refused(world.rest_scale(set, -1, None, None)),
            "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
        assert_eq!(world.rest_scale(set, 1, None, None), Ok(false));
        let scale = world.rest_get_scale(set).expect("there");
        assert_eq!(
            (&scale["spec"]["replicas"], &scale["status"]["selector"]),
            (&json!(1), &json!("app=web"))
        );
    }

    #[test]
    fn wrong_types_and_unknown_fields_in_patches() {
        let mut world = world();
        let set = set(&mut world);
        let wrong = json!({"spec": {"replicas": "three"}});
        let refused = world.rest_patch(set, PatchType::Merge, &wrong, "").expect_err("refused");
        let details = refused.details.expect("details");
        assert!(details.kind.is_empty());
        assert!(details.causes[0].starts_with("patch: Invalid value: \"{\\\"apiVersion\\\":"), "{details:?}");
        assert!(
            details.causes[0].ends_with(
                "json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32"
            ),
            "{details:?}"
        );
        let unknown = json!({"spec": {"replica": 3}});
        assert_eq!(world.rest_patch(set, PatchType::Merge, &unknown, ""), Ok(false));
        let refused = world.rest_patch_text(set, PatchType::Merge, "{", "").expect_err("refused");
        assert_eq!(refused.message, "error decoding patch: unexpected end of JSON input");
    }

    #[test]
    fn identity_labels_of_pods_are_flags_and_labels_all_the_same() {
        let mut world = world();
        let pod = created(
            &mut world,
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web-0", "labels": {"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            }),
        );
        let spec = world.store.pods.get(pod.id()).expect("there").spec;
        assert!(world.store.pods.get(pod.id()).expect("there").flags.has(PodFlags::NAME_LABEL));
        for (value, on) in [(json!(null), false), (json!("web-1"), false), (json!("web-0"), true)] {
            let patch = json!({"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": value}}});
            assert_eq!(world.rest_patch(pod, PatchType::Strategic, &patch, ""), Ok(true));
            let stored = *world.store.pods.get(pod.id()).expect("there");
            assert_eq!((stored.flags.has(PodFlags::NAME_LABEL), stored.spec), (on, spec));
            let shown = world.rest_get(pod).expect("there");
            assert_eq!(
                shown["metadata"]["labels"].get("statefulset.kubernetes.io/pod-name"),
                Some(&value).filter(|v| !v.is_null())
            );
        }
    }

    #[test]
    fn dropping_the_last_finalizer_removes_what_is_being_deleted() {
        let mut world = world();
        let pod = created(
            &mut world,
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "a", "finalizers": ["example.com/hold"]},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            }),
        );
        world.rest_delete(pod, Default::default()).expect("deleted");
        assert!(world.rest_get(pod).expect("held")["metadata"].get("deletionTimestamp").is_some());
        let patch = json!({"metadata": {"finalizers": null}});
        assert_eq!(world.rest_patch(pod, PatchType::Merge, &patch, ""), Ok(true));
        assert_eq!(world.rest_get(pod).expect_err("gone").message, "pods \"a\" not found");
    }

    #[test]
    fn services_keep_their_addresses() {
        let mut world = world();
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "front"},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]},
        });
        let service = created(&mut world, manifest.clone());
        let shown = world.rest_get(service).expect("there");
        assert_eq!(shown["spec"]["clusterIP"], "10.96.0.11");
        assert_eq!(shown["spec"]["ports"][0]["nodePort"], 30_000);
        assert_eq!(world.rest_update(service, manifest), Ok(false));
    }
}
