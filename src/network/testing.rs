//! A world in which tests write services, pods and endpoints by hand.
use crate::api::names::Sym;
use crate::api::objects::{Endpoint, EndpointSlice, Ip, Meta, Namespace, Pod, Service};
use crate::api::store::View;
use crate::api::wire::Wire;
use crate::config::Config;
use crate::event::Event;
use crate::kernel::{Duration, Id, Time};
use crate::rule::Rule;
use crate::world::World;
use serde_json::{Value, json};

/// See the module documentation.
pub(crate) struct Net {
    pub(crate) world: World,
}

impl Net {
    pub(crate) fn new() -> Net {
        let mut world = World::new(3, Config::recorded());
        let name = world.store.names.name("default");
        let default = Namespace { meta: Meta { name, ..Meta::default() } };
        world.create(default, Rule::NONE).expect("the first one");
        Net { world }
    }

    /// The present.
    pub(crate) fn view(&self) -> View<'_> {
        self.world.store.view(self.world.store.revision())
    }

    /// Moves the clock to `until`; the servers' watches show all there is by then.
    pub(crate) fn run_until(&mut self, until: Time) {
        self.world.at(until, Event::Workload(0, 0));
        while self.world.next_time().is_some_and(|time| time <= until) {
            if let Some(Event::Deliver(process, _)) = self.world.pop() {
                while self.world.next_delivery(process).is_some() {}
                self.world.delivered(process);
            }
        }
    }

    /// Lets the watches show what has just been written.
    pub(crate) fn catch_up(&mut self) {
        self.run_until(self.world.now() + Duration::from_millis(100));
    }

    fn create<T: Wire>(&mut self, json: &Value) -> Id<T> {
        let object = T::from_json(&mut self.world.store, json);
        self.world.create(object, Rule::NONE).expect("a new name")
    }

    /// A service with an empty slice.
    pub(crate) fn service(&mut self, name: &str, spec: &Value) -> Id<Service> {
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
    pub(crate) fn pod(&mut self, name: &str, app: &str) -> Id<Pod> {
        self.create(&json!({"metadata": {"name": name, "namespace": "default", "labels": {"app": app}},
            "spec": {"hostname": name, "subdomain": "web", "containers": [{"name": "c", "image": "i"}]}}))
    }

    /// Adds a ready endpoint with the pod's hostname, changed as told.
    pub(crate) fn endpoint(
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
    pub(crate) fn edit(&mut self, service: Id<Service>, change: impl FnOnce(&mut Vec<Endpoint>)) {
        let all = self.world.store.slices.iter();
        let slice =
            all.filter(|(_, slice)| slice.service == service).map(|(id, _)| id).next().expect("a slice");
        self.world.update(slice, Rule::NONE, |slice| change(&mut slice.endpoints));
    }
}
