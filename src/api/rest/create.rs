//! Creating objects from manifests: the stages of a POST.
//!
//! Follows staging/src/k8s.io/apiserver/pkg/registry/rest/create.go (BeforeCreate), the strategies under pkg/registry,
//! and pkg/registry/core/service/ipallocator for addresses, which are given out in order here.
use super::{ObjectRef, Resource, defaults, with_type};
use crate::api::admission;
use crate::api::kind::Kind;
use crate::api::manifest;
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::validation;
use crate::api::wire::Wire;
use crate::api::wire::fields::{ensure, text, text_at};
use crate::rule::{Rule, mark};
use crate::world::{Actor, World};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Service addresses are 10.96.0.0/12; the first ones are left to those who ask for them.
const FIRST_SERVICE_IP: u32 = u32::from_be_bytes([10, 96, 0, 11]);
const LAST_SERVICE_IP: u32 = u32::from_be_bytes([10, 111, 255, 254]);
/// Node ports are 30000 to 32767.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;
/// How often a generated name is drawn again if it is taken.
const NAME_ATTEMPTS: u64 = 8;

impl World {
    /// Creates the object a manifest describes.
    ///
    /// # Errors
    /// Whatever the API server refuses it for, in its words.
    pub fn rest_create(&mut self, object: Value) -> Result<ObjectRef, Status> {
        self.actor = Actor::User;
        let checked = match manifest::check(&object) {
            Ok(checked) => checked,
            Err(error) => {
                let text = manifest::decode_error(&object).unwrap_or_else(|| error.to_string());
                return Err(Status::bad_request(text));
            }
        };
        if let Some(refusal) = manifest::decode_error(&object) {
            return Err(Status::bad_request(refusal));
        }
        self.create_checked(checked.kind.into(), object)
    }

    fn create_checked(&mut self, resource: Resource, mut object: Value) -> Result<ObjectRef, Status> {
        let kind = text(&object, "kind").to_owned();
        defaults::apply(&kind, &mut object, &self.config.gates);
        self.place(resource, &mut object)?;
        self.name(resource, &mut object);
        self.admit(resource, &mut object)?;
        prepare(resource.kind, &mut object);
        if !text_at(&object, &["metadata", "resourceVersion"]).is_empty() {
            return Err(Status::internal(
                "resourceVersion should not be set on objects to be created".into(),
            ));
        }
        let name = text_at(&object, &["metadata", "name"]).to_owned();
        let errors = validation::create(resource.kind, &object);
        if !errors.is_empty() {
            return Err(invalid(resource, &name, errors));
        }
        if resource.kind == Kind::Service {
            self.give_addresses(&mut object, &name)?;
        }
        if self.rest_find(resource, text_at(&object, &["metadata", "namespace"]), &name).is_some() {
            return Err(Status::already_exists(&resource.name(), &name));
        }
        with_type!(resource.kind, T => {
            let mut new = T::from_json(&mut self.store, &object);
            new.meta_mut().revision = Revision(0);
            let id = self.create(new, Rule::NONE)?;
            let found = self.store.get::<T>(id).map(|object| ObjectRef::of(id, object));
            found.ok_or_else(|| Status::internal(format!("{name} vanished")))
        })
    }

    /// The namespace: `default` if none is given, and it has to be there.
    fn place(&self, resource: Resource, object: &mut Value) -> Result<(), Status> {
        let given = text_at(object, &["metadata", "namespace"]).to_owned();
        let Some(metadata) = ensure(object, "metadata") else { return Ok(()) };
        if !resource.is_namespaced() {
            metadata.remove("namespace");
            return Ok(());
        }
        let namespace = if given.is_empty() { "default" } else { &given };
        metadata.insert("namespace".into(), namespace.into());
        let there = namespace == "default" || self.rest_find(Kind::Namespace, "", namespace).is_some();
        if there { Ok(()) } else { Err(Status::not_found("namespaces", namespace)) }
    }

    /// A name made of `generateName`, if there is no other.
    fn name(&self, resource: Resource, object: &mut Value) {
        let namespace = text_at(object, &["metadata", "namespace"]).to_owned();
        let base = text_at(object, &["metadata", "generateName"]).to_owned();
        if base.is_empty() || !text_at(object, &["metadata", "name"]).is_empty() {
            return;
        }
        let key = u64::from(self.store.revision().0);
        let free = |name: &String| self.rest_find(resource, &namespace, name).is_none();
        let mut names = (0..NAME_ATTEMPTS).map(|attempt| self.generated_name(&base, key, attempt));
        if let (Some(name), Some(metadata)) = (names.find(free), ensure(object, "metadata")) {
            metadata.insert("name".into(), name.into());
        }
    }

    fn admit(&mut self, resource: Resource, object: &mut Value) -> Result<(), Status> {
        match resource.kind {
            Kind::Pod => {
                let name = text_at(object, &["metadata", "name"]).to_owned();
                admission::admit_pod(&self.store, &self.config, object, &name)?;
            }
            Kind::Claim => admission::admit_claim(&self.store, object),
            Kind::Node => admission::admit_node(object),
            _ => {}
        }
        Ok(())
    }

    /// Cluster IP and node ports of a service that is otherwise valid.
    pub(super) fn give_addresses(&self, object: &mut Value, name: &str) -> Result<(), Status> {
        let refused = |error: String| Err(Status::invalid(Kind::Service, name, &[error]));
        let own = self.store.uid_from_text(text_at(object, &["metadata", "uid"])).unwrap_or_default();
        let others = || {
            let services = self.store.services.iter().map(|(_, service)| service);
            services.filter(|service| service.meta.uid != own)
        };
        let Some(spec) = object.get_mut("spec") else { return Ok(()) };
        let given = text(spec, "clusterIP").to_owned();
        if defaults::wants_address(spec) {
            // In order already, but for addresses that were chosen by hand or came free.
            let mut used: Vec<Ip> = others().map(|service| service.cluster_ip).collect();
            used.sort_unstable();
            let mut free = Ip(FIRST_SERVICE_IP);
            for ip in used {
                free = if ip == free { Ip(free.0 + 1) } else { free };
            }
            let Some(free) = Some(free).filter(|ip| ip.0 <= LAST_SERVICE_IP) else {
                return Err(Status::internal(format!("failed to allocate IP for \"{name}\": range is full")));
            };
            spec["clusterIP"] = free.render().into();
        } else if let Some(ip) = Ip::parse(&given)
            && others().any(|service| service.cluster_ip == ip)
        {
            return refused(format!(
                "spec.clusterIPs: Invalid value: [\"{given}\"]: failed to allocate IP {given}: provided IP is already \
                 allocated"
            ));
        }
        if defaults::wants_node_ports(spec) {
            let mut used: BTreeSet<i64> = others().flat_map(node_ports_of).collect();
            used.extend(defaults::node_ports(spec));
            for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                let asked = port.get("nodePort").and_then(Value::as_i64).is_some_and(|port| port > 0);
                if let Some(free) = NODE_PORTS.clone().find(|port| !used.contains(port)).filter(|_| !asked) {
                    used.insert(free);
                    port["nodePort"] = free.into();
                }
            }
        }
        if let Some(spec) =
            spec.as_object_mut().filter(|spec: &&mut Map<_, _>| spec.contains_key("clusterIP"))
        {
            defaults::service_families(spec);
        }
        Ok(())
    }
}

fn node_ports_of(service: &Service) -> Vec<i64> {
    defaults::node_ports(&service.spec).collect()
}

/// 422 about an object of this resource.
pub(super) fn invalid(resource: Resource, name: &str, errors: Vec<String>) -> Status {
    match resource.manifest {
        Some(kind) => Status::invalid_object(kind.group(), kind.kind, name, errors),
        None => Status::invalid(resource.kind, name, &errors),
    }
}

/// What a creator may not set: system metadata, and the status of all kinds but nodes (STS-10, POD-1).
fn prepare(kind: Kind, object: &mut Value) {
    mark!("POD-1" if kind == Kind::Pod);
    if let Some(metadata) = ensure(object, "metadata") {
        for field in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "selfLink",
            "managedFields",
        ] {
            metadata.remove(field);
        }
    }
    if kind != Kind::Node
        && kind != Kind::Inert
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
    }
}
