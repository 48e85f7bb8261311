//! Storage from claim to disk and back: the volume controllers, the CSI controller and the cloud together, with the
//! scheduler's and the kubelets' part played by the tests.
use crate::api::objects::*;
use crate::api::rest::ObjectRef;
use crate::config::{Config, KubeletModel};
use crate::controllers::ControllerManager;
use crate::event::{Event, Process};
use crate::kernel::{Duration, Id, Latency, Time};
use crate::rule::Rule;
use crate::storage::{CloudCall, Csi};
use crate::world::{DeleteOptions, Propagation, World};
use serde_json::{Value, json};
use std::sync::Arc;

mod attaching;
mod binding;
mod collecting;

/// The processes under test.
struct Rig {
    world: World,
    manager: ControllerManager,
    csi: Csi,
}

impl Rig {
    fn new(config: Config) -> Rig {
        let mut world = World::new(7, config);
        world.events.turn_on();
        world.bootstrap().unwrap();
        let mut rig = Rig { world, manager: ControllerManager::default(), csi: Csi::default() };
        for (name, mode) in [("ebs", "WaitForFirstConsumer"), ("now", "Immediate")] {
            rig.create(json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
                "provisioner": "ebs.csi.aws.com", "volumeBindingMode": mode,
            }));
        }
        rig.run(100);
        rig
    }

    fn recorded() -> Rig {
        Rig::new(Config::recorded())
    }

    fn create(&mut self, object: Value) -> ObjectRef {
        self.world.rest_create(object).unwrap()
    }

    fn node(&mut self, name: &str, zone: &str) -> Id<Node> {
        let id = self
            .create(json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}},
            }))
            .id::<Node>();
        self.ready(id, NodeReady::True);
        id
    }

    fn ready(&mut self, node: Id<Node>, ready: NodeReady) {
        self.world.update(node, Rule::NONE, |node| node.ready = ready);
    }

    fn claim(&mut self, name: &str, class: Value) -> Id<Claim> {
        self.create(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}},
                "storageClassName": class,
            },
        }))
        .id()
    }

    fn volume(&mut self, name: &str, spec: Value) -> Id<Volume> {
        let mut object = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}, "storageClassName": "",
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{name}")},
            },
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        self.create(object).id()
    }

    /// A pod on a node that runs with these claims.
    fn pod(&mut self, name: &str, node: Option<Id<Node>>, claims: &[&str]) -> Id<Pod> {
        let volume = |claim: &&str| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}});
        let volumes: Vec<Value> = claims.iter().map(volume).collect();
        let id = self
            .create(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}], "volumes": volumes},
            }))
            .id::<Pod>();
        if let Some(node) = node {
            self.world.update(id, Rule::NONE, |pod| {
                pod.node = node;
                pod.phase = Phase::Running;
                pod.containers = Containers::Running;
            });
        }
        id
    }

    /// A claim of class `ebs`, provisioned and bound as the scheduler would have it.
    fn bound(&mut self, name: &str, node: Id<Node>) -> Id<Claim> {
        let claim = self.claim(name, "ebs".into());
        self.world.update(claim, Rule::NONE, |claim| claim.selected_node = node);
        self.run(500);
        assert_eq!(self.world.store.get(claim).unwrap().phase(), ClaimPhase::Bound);
        claim
    }

    fn volume_of(&self, claim: Id<Claim>) -> Id<Volume> {
        self.world.store.get(claim).unwrap().volume
    }

    /// The kubelet reports what is in use, and has it mounted.
    fn in_use(&mut self, node: Id<Node>, volumes: &[Id<Volume>]) {
        let mut sorted = volumes.to_vec();
        sorted.sort();
        let before: Vec<_> = self.world.mounts.of(node).collect();
        before.into_iter().filter(|v| !volumes.contains(v)).for_each(|v| self.world.unmount(v, node));
        volumes.iter().for_each(|v| self.world.mount(*v, node));
        self.world.update(node, Rule::NONE, |node| node.volumes_in_use = Arc::new(sorted));
    }

    fn force_delete(&mut self, pod: Id<Pod>) {
        let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
        self.world.delete(pod, options, Rule::NONE).unwrap();
    }

    fn deliver(&mut self, process: Process) {
        let world = &mut self.world;
        while let Some(change) = world.next_delivery(process) {
            match process {
                Process::ControllerManager => {
                    self.manager.claim_users.observe(&change, world);
                    self.manager.volume_binder.observe(&change, &self.manager.claim_users, world);
                    self.manager.attach_detach.observe(&change, &self.manager.claim_users, world);
                    self.manager.protection.observe(&change, world);
                    self.manager.garbage_collector.observe(&change, world);
                }
                Process::CsiController => self.csi.observe(&change, world),
                _ => {}
            }
        }
        world.delivered(process);
    }

    fn step(&mut self) {
        match self.world.pop() {
            Some(Event::Deliver(process, epoch)) if epoch == self.world.epoch(process) => {
                self.deliver(process)
            }
            Some(event @ (Event::Binder(_) | Event::Collect(..)))
                if self.world.is_running(Process::ControllerManager) =>
            {
                self.manager.handle(event, &mut self.world);
            }
            Some(Event::Storage(event)) => self.csi.handle(event, &mut self.world),
            _ => {}
        }
    }

    fn run(&mut self, millis: u64) {
        let until = self.world.now() + Duration::from_millis(millis);
        self.world.background(Duration::from_millis(millis), Event::Runner(0));
        while self.world.next_time().is_some_and(|time| time <= until) {
            self.step();
        }
    }

    /// Runs until the condition holds; milliseconds it took.
    fn run_until(&mut self, limit: u64, done: impl Fn(&Rig) -> bool) -> u64 {
        let start = self.world.now();
        self.world.background(Duration::from_millis(limit), Event::Runner(0));
        while !done(self) {
            let late = self.world.next_time().is_none_or(|time| time > start + Duration::from_millis(limit));
            assert!(!late, "not within {limit} ms");
            self.step();
        }
        self.world.now().elapsed_since(start).as_millis()
    }

    fn restart_manager(&mut self) {
        self.world.stop(Process::ControllerManager);
        self.manager = ControllerManager::default();
        self.world.start(Process::ControllerManager);
        self.manager.claim_users.restart(&self.world);
        self.manager.volume_binder.restart(&mut self.world);
        self.manager.attach_detach.restart(&mut self.world);
        self.manager.protection.restart(&mut self.world);
        self.manager.garbage_collector.restart(&mut self.world);
    }

    /// Nodes the volume has a VolumeAttachment for, in order of creation of the names.
    fn attachments(&self, volume: Id<Volume>) -> Vec<(Id<Node>, bool)> {
        let all = self.world.store.attachments.iter().filter(|(_, attachment)| attachment.volume == volume);
        all.map(|(_, attachment)| (attachment.node, attachment.attached)).collect()
    }

    fn is_attached(&self, volume: Id<Volume>, node: Id<Node>) -> bool {
        let listed = self.world.store.get(node).is_some_and(|node| node.volumes_attached.contains(&volume));
        listed && self.csi.is_attached(&self.world, volume, node)
    }

    fn reasons(&self) -> Vec<&'static str> {
        self.world.events.iter().map(|event| event.reason).collect()
    }

    fn message(&self, reason: &str) -> String {
        let found = self.world.events.iter().find(|event| event.reason == reason);
        found.map_or_else(String::new, |event| event.message.clone())
    }

    fn told(&self, reason: &str) -> u32 {
        self.world.events.iter().filter(|event| event.reason == reason).map(|event| event.count).sum()
    }
}
