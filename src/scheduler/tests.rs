//! Small clusters: where pods go, what is said of those that go nowhere, and what brings them back.
mod placement;
mod properties;
mod volumes;

use crate::api::names::{Name, Sym};
use crate::api::objects::{Claim, Node, Pod, PodFlags, PodReason};
use crate::api::store::View;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::event::{Event, Process};
use crate::kernel::{Duration, Id, Time};
use crate::scenario::NodeSpec;
use crate::world::DeleteOptions;
use serde_json::{Value, json};

/// A cluster to put pods on.
pub(super) struct Bench {
    pub(super) cluster: Cluster,
}

impl Bench {
    /// An empty cluster with the settings of the recorded corpus.
    pub(super) fn new() -> Bench {
        Bench::with(0, Config::recorded())
    }

    pub(super) fn with(seed: u64, config: Config) -> Bench {
        let mut cluster = Cluster::new(seed, config);
        cluster.bootstrap().expect("an empty cluster");
        Bench { cluster }
    }

    /// Three nodes, each in a zone of its own.
    pub(super) fn three() -> Bench {
        let mut bench = Bench::new();
        for zone in ["a", "b", "c"] {
            bench.node(&format!("node-{zone}"), &format!("zone-{zone}"), 8000);
        }
        bench
    }

    pub(super) fn node(&mut self, name: &str, zone: &str, cpu: u64) -> Id<Node> {
        self.node_with(name, zone, |node| node.cpu = cpu)
    }

    pub(super) fn node_with(
        &mut self,
        name: &str,
        zone: &str,
        change: impl FnOnce(&mut NodeSpec),
    ) -> Id<Node> {
        let mut spec = NodeSpec {
            name: name.into(),
            zone: zone.into(),
            cpu: 8000,
            memory: 32 << 30,
            pods: 110,
            volumes: 25,
            labels: Vec::new(),
            taints: Vec::new(),
        };
        change(&mut spec);
        self.cluster.add_node(&spec, true).expect("a new name")
    }

    pub(super) fn create(&mut self, object: Value) {
        self.cluster.world.rest_create(object).expect("a valid object");
    }

    /// A pod with label `app: web` and these fields of its spec.
    pub(super) fn pod(&mut self, name: &str, spec: Value) {
        self.pod_with(name, json!({"app": "web"}), spec);
    }

    pub(super) fn pod_with(&mut self, name: &str, labels: Value, spec: Value) {
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        });
        if let (Some(fields), Some(given)) = (pod["spec"].as_object_mut(), spec.as_object()) {
            fields.extend(given.clone());
        }
        self.create(pod);
    }

    /// The fields of a spec that requests so much cpu.
    pub(super) fn cpu(amount: &str) -> Value {
        json!({"containers": [
            {"name": "web", "image": "web:v1", "resources": {"requests": {"cpu": amount}}},
        ]})
    }

    pub(super) fn run(&mut self, millis: u64) {
        let until = self.cluster.world.now() + Duration::from_millis(millis);
        // Something to take the clock to the end.
        self.cluster.world.at(until, Event::Runner(0));
        self.cluster.run_until(until);
    }

    pub(super) fn find(&self, name: &str) -> Option<(Id<Pod>, Pod)> {
        let store = &self.cluster.world.store;
        let name = store.names.known_name(name)?;
        store.pods.find(Sym::DEFAULT, name).map(|(id, pod)| (id, *pod))
    }

    pub(super) fn claim(&self, name: &str) -> Option<Claim> {
        let store = &self.cluster.world.store;
        store.claims.find(Sym::DEFAULT, store.names.known_name(name)?).map(|(_, claim)| *claim)
    }

    /// The name of a pod's node; empty: it has none.
    pub(super) fn place(&self, pod: &str) -> String {
        let store = &self.cluster.world.store;
        let node = self.find(pod).and_then(|(_, pod)| store.nodes.last_known(pod.node));
        node.map_or_else(String::new, |node| store.name_of(node.meta.name))
    }

    pub(super) fn places(&self, pods: &[&str]) -> Vec<String> {
        pods.iter().map(|pod| self.place(pod)).collect()
    }

    /// Message of condition PodScheduled where it is False.
    pub(super) fn message(&self, pod: &str) -> String {
        let store = &self.cluster.world.store;
        let Some((id, pod)) = self.find(pod) else { return String::new() };
        let word = store.pod_messages.get(&(id, pod.meta.uid));
        assert_eq!(word.is_some(), pod.flags.has(PodFlags::UNSCHEDULABLE));
        word.map_or_else(String::new, |word| store.names.text(*word).to_owned())
    }

    pub(super) fn reason(&self, pod: &str) -> PodReason {
        self.find(pod).map_or(PodReason::None, |(_, pod)| pod.reason)
    }

    pub(super) fn delete(&mut self, pod: &str, grace: Option<u32>) {
        let Some((id, _)) = self.find(pod) else { return };
        let options = DeleteOptions { grace, ..DeleteOptions::default() };
        self.cluster.world.delete(id, options, crate::rule::Rule::NONE).expect("a pod");
    }

    pub(super) fn now(&self) -> Time {
        self.cluster.world.now()
    }

    pub(super) fn view(&self) -> View<'_> {
        self.cluster.world.view(Process::Scheduler)
    }

    pub(super) fn name(&mut self, text: &str) -> Name {
        self.cluster.world.store.names.name(text)
    }
}
