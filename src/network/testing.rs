//! A world in which tests write services, pods and endpoints by hand.
use crate::api::names::Sym;
use crate::api::objects::{Endpoint, EndpointSlice, Ip, Meta, Namespace, Pod, Service};
use crate::api::store::View;
use crate::api::wire::Wire;
use crate::config::Config;
use crate::kernel::Id;
use crate::rule::Rule;
use crate::world::World;
use serde_json::{Value, json};

/// See the module documentation.
pub(super) struct Net {
    pub(super) world: World,
}

impl Net {
    pub(super) fn new() -> Net {
        let mut world = World::new(3, Config::recorded());
        let name = world.store.names.name("default");
        let default = Namespace { meta: Meta { name, ..Meta::default() } };
        world.create(default, Rule::NONE).expect("the first one");
        Net { world }
    }

    /// The present.
    pub(super) fn view(&self) -> View<'_> {
        self.world.store.view(self.world.store.revision())
    }

    fn create<T: Wire>(&mut self, json: &Value) -> Id<T> {
        let object = T::from_json(&mut self.world.store, json);
        self.world.create(object, Rule::NONE).expect("a new name")
    }

    /// A service with an empty slice.
    pub(super) fn service(&mut self, name: &str, spec: &Value) -> Id<Service> {
        let id: Id<Service> =
            self.create(&json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec}));
        let slice = self.world.store.names.name(&format!("{name}-slice"));
        let ports = self.world.store.get(id).map(|service| service.ports.clone()).unwrap_or_default();
        let meta = Meta { name: slice, namespace: Sym::DEFAULT, ..Meta::default() };
        let slice = EndpointSlice { meta, service: id, endpoints: Vec::new(), ports };
        self.world.create(slice, Rule::NONE).expect("a new name");
        id
    }

    /// A pod of a StatefulSet whose service is `web`.
    pub(super) fn pod(&mut self, name: &str, app: &str) -> Id<Pod> {
        self.create(&json!({"metadata": {"name": name, "namespace": "default", "labels": {"app": app}},
            "spec": {"hostname": name, "subdomain": "web", "containers": [{"name": "c", "image": "i"}]}}))
    }

    /// Adds a ready endpoint with the pod's hostname, changed as told.
    pub(super) fn endpoint(
        &mut self,
        service: Id<Service>,
        pod: Id<Pod>,
        ip: u32,
        change: impl FnOnce(&mut Endpoint),
    ) {
        let uid = self.world.store.get(pod).map(|pod| pod.meta.uid).unwrap_or_default();
        let mut endpoint = Endpoint {
            pod,
            uid,
            ip: Ip(ip),
            node: Id::NONE,
            ready: true,
            serving: true,
            terminating: false,
            hostname: true,
        };
        change(&mut endpoint);
        self.edit(service, |endpoints| endpoints.push(endpoint));
    }

    /// Changes the endpoints of a service.
    pub(super) fn edit(&mut self, service: Id<Service>, change: impl FnOnce(&mut Vec<Endpoint>)) {
        let all = self.world.store.slices.iter();
        let slice =
            all.filter(|(_, slice)| slice.service == service).map(|(id, _)| id).next().expect("a slice");
        self.world.update(slice, Rule::NONE, |slice| change(&mut slice.endpoints));
    }
}
