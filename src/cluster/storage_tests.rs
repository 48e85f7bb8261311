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
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

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
        assert_eq!(self.world.store.get(claim).unwrap().phase, ClaimPhase::Bound);
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
                    self.manager.volume_binder.observe(&change, world);
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

#[test]
fn from_claim_to_disk_and_back() {
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let claim = rig.claim("data", "ebs".into());
    rig.run(10);
    let pod = rig.pod("web", None, &["data"]);
    rig.run(5_000);
    assert_eq!(
        rig.world.store.get(claim).unwrap().phase,
        ClaimPhase::Pending,
        "WFFC waits for a node (VOL-3)"
    );
    assert!(rig.world.store.volumes.is_empty());
    rig.world.update(claim, Rule::NONE, |claim| claim.selected_node = node);
    let took = rig.run_until(1_000, |rig| rig.world.store.get(claim).unwrap().phase == ClaimPhase::Bound);
    assert!((100..200).contains(&took), "{took}");
    let volume = rig.volume_of(claim);
    let made = *rig.world.store.get(volume).unwrap();
    assert_eq!(
        (made.phase, made.claim.uid),
        (VolumePhase::Bound, rig.world.store.get(claim).unwrap().meta.uid)
    );
    assert_eq!(rig.world.store.names.text(made.zone), "zone-a");
    rig.world.update(pod, Rule::NONE, |pod| pod.node = node);
    let took = rig.run_until(2_000, |rig| rig.is_attached(volume, node));
    assert!((500..800).contains(&took), "the controller looks after half a second (VOL-33): {took}");
    rig.in_use(node, &[volume]);
    rig.run(300);
    rig.force_delete(pod);
    rig.run(5_000);
    assert!(rig.is_attached(volume, node), "mounted: not detached (VOL-31)");
    rig.in_use(node, &[]);
    let took = rig.run_until(2_000, |rig| rig.attachments(volume).is_empty());
    assert!((100..400).contains(&took), "{took}");
    assert_eq!(rig.csi.node_of_disk(made.disk), None);
    let mut reasons = rig.reasons();
    reasons.dedup();
    assert_eq!(
        reasons,
        [
            "WaitForFirstConsumer",
            "ExternalProvisioning",
            "Provisioning",
            "ProvisioningSucceeded",
            "SuccessfulAttachVolume"
        ]
    );
    let name = rig.world.store.name_of(made.meta.name);
    assert_eq!(
        rig.message("SuccessfulAttachVolume"),
        format!("AttachVolume.Attach succeeded for volume \"{name}\" ")
    );
}

#[test]
fn immediate_claims_go_round_the_zones() {
    let mut rig = Rig::recorded();
    for zone in ["zone-c", "zone-a", "zone-b"] {
        rig.node(&zone.replace("zone", "node"), zone);
    }
    for n in 0..4 {
        rig.claim(&format!("data-web-{n}"), "now".into());
    }
    rig.run(1_000);
    let mut zones: Vec<_> = rig
        .world
        .store
        .volumes
        .iter()
        .map(|(_, v)| (rig.world.store.name_of(v.claim.name), rig.world.store.names.text(v.zone).to_owned()))
        .collect();
    zones.sort();
    let zones: Vec<&str> = zones.iter().map(|(_, zone)| zone.as_str()).collect();
    assert_eq!(zones, ["zone-a", "zone-b", "zone-c", "zone-a"]);
}

#[test]
fn the_smallest_volume_that_fits_is_bound() {
    let mut rig = Rig::recorded();
    rig.volume("big", json!({}));
    let small = rig.volume("small", json!({"capacity": {"storage": "8Gi"}}));
    rig.volume("tiny", json!({"capacity": {"storage": "1Gi"}}));
    rig.volume(
        "shared",
        json!({"accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": "6Gi"}}),
    );
    rig.run(100);
    let claim = rig.claim("data", "".into());
    rig.run(100);
    assert_eq!(rig.volume_of(claim), small, "fewest modes first, then the smallest (VOL-4)");
    let other = rig.claim("late", "".into());
    rig.run(100);
    rig.world.delete(other, DeleteOptions::default(), Rule::NONE).unwrap();
    rig.run(500);
    let released = rig.world.store.volumes.iter().filter(|(_, v)| v.phase == VolumePhase::Released).count();
    assert_eq!(released, 1, "Retain: it stays, Released (VOL-10)");
    let third = rig.claim("third", "".into());
    rig.run(100);
    assert_eq!(rig.world.store.get(third).unwrap().phase, ClaimPhase::Bound);
    let fourth = rig.claim("fourth", "".into());
    rig.run(20_000);
    assert_eq!(
        rig.world.store.get(fourth).unwrap().phase,
        ClaimPhase::Pending,
        "never a Released one (INV-35)"
    );
    assert_eq!(
        rig.message("FailedBinding"),
        "no persistent volumes available for this claim and no storage class is set"
    );
    let free = rig.volume("more", json!({}));
    let took = rig.run_until(16_000, |rig| rig.world.store.get(fourth).unwrap().phase == ClaimPhase::Bound);
    assert!(took <= 15_200, "the resync finds it (VOL-1): {took}");
    assert_eq!(rig.volume_of(fourth), free);
}

#[test]
fn a_claim_gets_the_default_class_that_appears_later() {
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let claim = rig.claim("data", Value::Null);
    rig.run(1_000);
    assert_eq!(rig.world.store.claim_spec(rig.world.store.get(claim).unwrap().spec).class, None);
    rig.create(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "ebs.csi.aws.com",
        "metadata": {"name": "std", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    }));
    let took = rig.run_until(16_000, |rig| rig.world.store.get(claim).unwrap().phase == ClaimPhase::Bound);
    assert!(took <= 15_500, "{took}");
    let spec = rig.world.store.claim_spec(rig.world.store.get(claim).unwrap().spec).clone();
    assert_eq!(rig.world.store.names.text(spec.class_word()), "std");
    assert!(rig.world.store.get(node).is_some());
}

#[test]
fn volumes_named_and_reserved() {
    let mut rig = Rig::recorded();
    let reserved = rig.volume("kept", json!({"claimRef": {"name": "mine", "namespace": "default"}}));
    rig.run(100);
    assert_eq!(rig.world.store.get(reserved).unwrap().phase, VolumePhase::Available);
    let other = rig.claim("other", "".into());
    rig.run(100);
    assert_eq!(rig.world.store.get(other).unwrap().phase, ClaimPhase::Pending);
    let mine = rig.claim("mine", "".into());
    rig.run(100);
    let volume = *rig.world.store.get(reserved).unwrap();
    assert_eq!((rig.volume_of(mine), volume.phase), (reserved, VolumePhase::Bound));
    assert!(!volume.bound_by_controller, "reserved by the user (VOL-6)");
    let named = |rig: &mut Rig, name: &str, volume: &str, size: &str| {
        rig.create(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}},
                "storageClassName": "", "volumeName": volume,
            },
        }))
        .id::<Claim>()
    };
    named(&mut rig, "taken", "kept", "1Gi");
    let early = named(&mut rig, "early", "soon", "1Gi");
    rig.run(100);
    assert_eq!(rig.told("FailedBinding"), 2, "{:?}", rig.reasons());
    rig.world.delete(other, DeleteOptions::default(), Rule::NONE).unwrap();
    let soon = rig.volume("soon", json!({}));
    rig.run_until(16_000, |rig| rig.world.store.get(early).unwrap().phase == ClaimPhase::Bound);
    assert_eq!(rig.volume_of(early), soon);
    rig.volume("small", json!({"storageClassName": "other"}));
    named(&mut rig, "greedy", "small", "1Gi");
    rig.run(100);
    assert_eq!(
        rig.message("VolumeMismatch"),
        "Cannot bind to requested volume \"small\": storageClassName does not match"
    );
}

#[test]
fn a_claim_whose_volume_is_gone_is_lost() {
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let claim = rig.bound("data", node);
    let volume = rig.volume_of(claim);
    rig.world.delete(volume, DeleteOptions::default(), Rule::NONE).unwrap();
    rig.run(1_000);
    assert!(rig.world.store.get(volume).is_some(), "bound: held by pv-protection (VOL-19)");
    rig.world.update(volume, Rule::NONE, |volume| volume.meta.finalizers = Finalizers::NONE);
    rig.run(100);
    assert!(rig.world.store.get(volume).is_none());
    assert_eq!(rig.world.store.get(claim).unwrap().phase, ClaimPhase::Lost);
    assert_eq!(rig.told("ClaimLost"), 1);
}

#[test]
fn a_deleted_claim_waits_for_its_pod_and_its_disk_for_the_detach() {
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let claim = rig.bound("data", node);
    let volume = rig.volume_of(claim);
    let disk = rig.world.store.get(volume).unwrap().disk;
    let pod = rig.pod("web", Some(node), &["data"]);
    rig.run_until(2_000, |rig| rig.is_attached(volume, node));
    rig.in_use(node, &[volume]);
    rig.world.delete(claim, DeleteOptions::default(), Rule::NONE).unwrap();
    rig.run(10_000);
    assert!(rig.world.store.get(claim).is_some(), "in use (VOL-18)");
    rig.force_delete(pod);
    let took = rig.run_until(100, |rig| rig.world.store.get(claim).is_none());
    assert!(took < 20, "{took}");
    rig.run(1_000);
    assert_eq!(rig.world.store.get(volume).unwrap().phase, VolumePhase::Released);
    assert!(rig.csi.cloud.disk(disk).is_some(), "still attached (VOL-16)");
    rig.in_use(node, &[]);
    rig.run(2_000);
    assert!(rig.world.store.get(volume).is_none() && rig.csi.cloud.disk(disk).is_none());
    let name = rig.world.store.name_of(rig.world.store.volumes.last_known(volume).unwrap().meta.name);
    assert_eq!(
        rig.message("VolumeFailedDelete"),
        format!("persistentvolume {name} is still attached to node node-a")
    );
}

/// A pod on node-a with its volume attached and in use, and a second node of the zone.
fn moved() -> (Rig, [Id<Node>; 2], Id<Claim>, Id<Volume>, Id<Pod>) {
    let mut rig = Rig::recorded();
    let nodes = [rig.node("node-a", "zone-a"), rig.node("node-b", "zone-a")];
    let claim = rig.bound("data", nodes[0]);
    let volume = rig.volume_of(claim);
    let pod = rig.pod("web", Some(nodes[0]), &["data"]);
    rig.run_until(2_000, |rig| rig.is_attached(volume, nodes[0]));
    rig.in_use(nodes[0], &[volume]);
    rig.run(100);
    (rig, nodes, claim, volume, pod)
}

#[test]
fn a_dead_node_loses_its_disk_six_minutes_after_the_pod() {
    let (mut rig, [a, b], _, volume, pod) = moved();
    rig.ready(a, NodeReady::Unknown);
    rig.run(600_000);
    assert!(rig.is_attached(volume, a), "the clock starts with the pod, not with the node (VOL-45)");
    rig.force_delete(pod);
    rig.pod("web-new", Some(b), &["data"]);
    let terminating = |rig: &Rig| rig.world.store.attachments.iter().any(|(_, va)| va.meta.is_terminating());
    let took = rig.run_until(400_000, terminating);
    assert!((360_000..360_300).contains(&took), "{took}");
    assert_eq!(rig.told("FailedAttachVolume"), 1, "one Multi-Attach event (VOL-34)");
    assert!(
        rig.message("FailedAttachVolume")
            .ends_with("Volume is already exclusively attached to one node and can't be attached to another")
    );
    let took = rig.run_until(5_000, |rig| rig.is_attached(volume, b));
    assert!((1_000..1_600).contains(&took), "{took}");
}

#[test]
fn a_node_that_is_ready_again_keeps_its_disk() {
    let (mut rig, [a, _], _, volume, pod) = moved();
    rig.ready(a, NodeReady::Unknown);
    rig.force_delete(pod);
    rig.run(300_000);
    rig.ready(a, NodeReady::True);
    rig.run(600_000);
    assert!(rig.is_attached(volume, a), "never by force from a Ready node (VOL-45)");
    rig.ready(a, NodeReady::False);
    let took = rig.run_until(1_000, |rig| !rig.is_attached(volume, a));
    assert!(took <= 200, "the time is long over: {took}");
}

#[test]
fn out_of_service_detaches_at_once() {
    let (mut rig, [a, _], _, volume, pod) = moved();
    let key = rig.world.store.names.word("node.kubernetes.io/out-of-service");
    rig.world.update(a, Rule::NONE, |node| {
        let taint =
            Taint { key, value: Default::default(), effect: Effect::NoExecute, added: Seconds::NEVER };
        node.taints = Arc::new([taint]);
    });
    rig.run(1_000);
    assert!(rig.is_attached(volume, a), "still wanted (VOL-27)");
    rig.force_delete(pod);
    let took = rig.run_until(1_000, |rig| rig.attachments(volume).is_empty());
    assert!(took < 400, "{took}");
}

#[test]
fn a_restarted_manager_starts_the_clock_anew() {
    let (mut rig, [a, _], _, volume, pod) = moved();
    rig.ready(a, NodeReady::Unknown);
    rig.force_delete(pod);
    rig.run(300_000);
    rig.restart_manager();
    let took = rig.run_until(400_000, |rig| !rig.is_attached(volume, a));
    assert!((360_000..360_400).contains(&took), "all waits begin anew (VOL-38): {took}");
}

#[test]
fn a_second_node_is_told_once_and_waits() {
    let (mut rig, [a, b], _, volume, pod) = moved();
    rig.pod("web-2", Some(b), &["data"]);
    rig.run(30_000);
    assert_eq!(rig.attachments(volume), [(a, true)]);
    let events: Vec<_> = rig.world.events.iter().filter(|e| e.reason == "FailedAttachVolume").collect();
    assert_eq!((events.len(), events[0].count), (1, 1));
    assert!(events[0].message.ends_with(" Volume is already used by pod(s) web"), "{}", events[0].message);
    // The pod's containers have stopped: it wants its volume no more although the object is there (VOL-28).
    rig.world.delete(pod, DeleteOptions { grace: Some(30), ..DeleteOptions::default() }, Rule::NONE).unwrap();
    rig.run(1_000);
    assert_eq!(rig.attachments(volume), [(a, true)]);
    rig.world.update(pod, Rule::NONE, |pod| pod.containers = Containers::Terminated(0));
    rig.in_use(a, &[]);
    rig.run_until(3_000, |rig| rig.is_attached(volume, b));
    assert!(rig.world.store.get(pod).is_some());
}

#[test]
fn a_controller_that_stops_in_the_middle_takes_up_where_the_cloud_is() {
    let mut rig = Rig::recorded();
    rig.world.config.latency.attach = Latency::Constant(Duration::from_secs(3));
    let node = rig.node("node-a", "zone-a");
    let claim = rig.bound("data", node);
    let volume = rig.volume_of(claim);
    rig.pod("web", Some(node), &["data"]);
    rig.run(500);
    rig.world.stop(Process::CsiController);
    rig.csi.stop();
    rig.run(10_000);
    assert!(rig.csi.is_attached(&rig.world, volume, node), "the cloud goes on");
    assert_eq!(rig.attachments(volume), [(node, false)]);
    rig.world.start(Process::CsiController);
    rig.csi.restart(&mut rig.world);
    rig.run(100);
    assert_eq!(rig.attachments(volume), [(node, true)], "attached already: nothing to wait for");
}

#[test]
fn a_busy_disk_is_refused_elsewhere_until_the_machine_lets_go() {
    let (mut rig, [a, b], claim, volume, pod) = moved();
    rig.world.config.kubelet = KubeletModel::Realistic;
    let disk = rig.world.store.get(volume).unwrap().disk;
    // The kubelet is dead, the machine lives: force in the API's terms does not move the disk (VOL-57).
    rig.ready(a, NodeReady::Unknown);
    rig.force_delete(pod);
    rig.pod("web-new", Some(b), &["data"]);
    rig.run(360_000 + 115_000);
    assert_eq!(rig.csi.node_of_disk(disk), Some(a));
    assert_eq!(rig.told("FailedAttachVolume"), 1);
    rig.run(60_000);
    assert!(rig.told("FailedAttachVolume") > 1, "uncertain: the guard is off, the cloud refuses (VOL-36)");
    assert!(rig.world.events.iter().any(|event| event.message.contains("already attached to an instance")));
    assert_eq!(rig.attachments(volume).len(), 2);
    assert_eq!(rig.csi.node_of_disk(disk), Some(a));
    rig.world.machine_stopped(a);
    rig.run_until(400_000, |rig| rig.is_attached(volume, b));
    assert_eq!(rig.world.store.get(claim).unwrap().phase, ClaimPhase::Bound);
}

#[test]
fn a_full_zone_sends_the_claim_back_to_the_scheduler() {
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let zone = rig.world.store.get(node).unwrap().zone;
    rig.csi.cloud.set_zone_full(zone, true);
    let claim = rig.claim("data", "ebs".into());
    rig.world.update(claim, Rule::NONE, |claim| claim.selected_node = node);
    rig.run(500);
    assert!(rig.world.store.get(claim).unwrap().selected_node.is_none(), "rescheduled (VOL-14)");
    assert_eq!(rig.told("ProvisioningFailed"), 1);
    rig.csi.cloud.set_zone_full(zone, false);
    rig.world.update(claim, Rule::NONE, |claim| claim.selected_node = node);
    rig.run(500);
    assert_eq!(rig.world.store.get(claim).unwrap().phase, ClaimPhase::Bound);
}

#[test]
fn stuck_and_slow_calls_go_on_when_the_fault_is_over() {
    use crate::behavior::Glob;
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let all = || Glob("data*".into());
    rig.csi.stick(CloudCall::Provision, all());
    let claim = rig.claim("data", "ebs".into());
    rig.world.update(claim, Rule::NONE, |claim| claim.selected_node = node);
    rig.run(100_000);
    assert_eq!(rig.world.store.get(claim).unwrap().phase, ClaimPhase::Pending);
    rig.csi.unstick(CloudCall::Provision, &all(), &mut rig.world);
    rig.run(500);
    let volume = rig.volume_of(claim);
    rig.csi.slow(CloudCall::Attach, all(), Duration::from_secs(5));
    rig.pod("web", Some(node), &["data"]);
    let took = rig.run_until(20_000, |rig| rig.is_attached(volume, node));
    assert!((5_000..7_000).contains(&took), "{took}");
    let disk = rig.world.store.get(volume).unwrap().disk;
    rig.csi.lose_disk(volume, &rig.world);
    assert!(rig.csi.cloud.disk(disk).is_none());
}

fn owned(rig: &mut Rig, kind: &str, name: &str, owner: Option<(&str, &str, &str)>) -> Value {
    let api = match kind {
        "ReplicaSet" | "Deployment" => "apps/v1",
        _ => "v1",
    };
    let mut object =
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "default"}});
    object["spec"] = match kind {
        "Pod" => json!({"containers": [{"name": "web", "image": "web:v1"}]}),
        "PersistentVolumeClaim" => json!({
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}},
        }),
        _ => json!({
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            },
        }),
    };
    if let Some((kind, name, uid)) = owner {
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true,
            "blockOwnerDeletion": true,
        }]);
    }
    let created = rig.create(object);
    rig.world.rest_get(created).unwrap()
}

/// A Deployment of this name with two ReplicaSets of ten pods each.
fn tree(rig: &mut Rig) -> Id<Deployment> {
    let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap().to_owned();
    let root = uid(&owned(rig, "Deployment", "web", None));
    for set in ["web-a", "web-b"] {
        let parent = uid(&owned(rig, "ReplicaSet", set, Some(("Deployment", "web", &root))));
        for n in 0..10 {
            owned(rig, "Pod", &format!("{set}-{n}"), Some(("ReplicaSet", set, &parent)));
        }
    }
    rig.run(100);
    rig.world.rest_find(crate::api::kind::Kind::Deployment, "default", "web").unwrap().id()
}

#[test]
fn owners_take_their_dependents_along() {
    for (propagation, pods_left, sets_left) in
        [(Propagation::Background, 0, 0), (Propagation::Foreground, 0, 0), (Propagation::Orphan, 20, 2)]
    {
        let mut rig = Rig::recorded();
        let root = tree(&mut rig);
        let revision = rig.world.store.revision();
        rig.world
            .delete(root, DeleteOptions { propagation, ..DeleteOptions::default() }, Rule::NONE)
            .unwrap();
        assert_eq!(rig.world.store.get(root).is_none(), propagation == Propagation::Background);
        rig.run(500);
        let store = &rig.world.store;
        assert!(store.get(root).is_none(), "{propagation:?}");
        assert_eq!((store.pods.len(), store.replica_sets.len()), (pods_left, sets_left), "{propagation:?}");
        let ownerless = store.replica_sets.iter().filter(|(_, set)| set.meta.owners.is_empty()).count();
        assert_eq!(ownerless, sets_left);
        let owned = store.pods.iter().filter(|(_, pod)| !pod.meta.owners.is_empty()).count();
        assert_eq!(owned, pods_left, "{propagation:?}: only direct dependents are released");
        assert!(store.revision() > revision);
    }
}

#[test]
fn a_dependent_of_nobody_is_collected_and_one_of_two_owners_stays() {
    let mut rig = Rig::recorded();
    let ghost = "11111111-2222-4333-8444-555555555555";
    owned(&mut rig, "Pod", "stray", Some(("ReplicaSet", "gone", ghost)));
    let keeper = owned(&mut rig, "Pod", "keeper", None);
    let uid = keeper["metadata"]["uid"].as_str().unwrap().to_owned();
    owned(&mut rig, "PersistentVolumeClaim", "data", Some(("Pod", "keeper", &uid)));
    rig.run(200);
    let names = |rig: &Rig| {
        let store = &rig.world.store;
        let mut names: Vec<_> = store.pods.iter().map(|(_, pod)| store.name_of(pod.meta.name)).collect();
        names.extend(store.claims.iter().map(|(_, claim)| store.name_of(claim.meta.name)));
        names
    };
    assert_eq!(names(&rig), ["keeper", "data"]);
    let keeper = rig.world.rest_find(crate::api::kind::Kind::Pod, "default", "keeper").unwrap().id::<Pod>();
    rig.force_delete(keeper);
    rig.run(200);
    assert_eq!(names(&rig), [""; 0], "the claim follows its pod (STS-31)");
}

#[test]
fn a_realistic_collector_deletes_twenty_a_second() {
    let mut config = Config::realistic();
    config.kubelet = KubeletModel::Recorded;
    let mut rig = Rig::new(config);
    let root = tree(&mut rig);
    for n in 0..80 {
        owned(&mut rig, "Pod", &format!("bare-{n}"), None);
    }
    rig.run(5_000);
    let start = rig.world.now();
    rig.world.delete(root, DeleteOptions::default(), Rule::NONE).unwrap();
    rig.run_until(20_000, |rig| rig.world.store.pods.len() == 80);
    let took = rig.world.now().elapsed_since(start);
    assert!(took > Duration::from_millis(300), "22 deletes, a burst of 15, then 20 a second: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(start > Time::ZERO);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Pod(usize, usize),
    Stop(usize),
    Use(usize),
    Unuse(usize),
    Health(usize, bool),
    Restart,
    Csi,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..2usize, 0..3usize).prop_map(|(claim, node)| Act::Pod(claim, node)),
        (0..4usize).prop_map(Act::Stop),
        (0..3usize).prop_map(Act::Use),
        (0..3usize).prop_map(Act::Unuse),
        (0..3usize, any::<bool>()).prop_map(|(node, well)| Act::Health(node, well)),
        Just(Act::Restart),
        Just(Act::Csi),
        (1..5_000u64).prop_map(Act::Wait),
        Just(Act::Wait(500_000)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever pods, kubelets and machines do: a disk is on one machine of its zone, the API never shows it attached
    /// to two nodes, and when all is quiet and nothing is wanted, everything is detached.
    #[test]
    fn disks_are_never_in_two_places(acts in prop::collection::vec(act(), 1..25)) {
        let mut rig = Rig::recorded();
        rig.world.config.timers.max_wait_for_unmount = Duration::from_secs(15);
        let nodes = [rig.node("node-a", "zone-a"), rig.node("node-b", "zone-a"), rig.node("node-c", "zone-a")];
        let claims = ["data", "logs"];
        let volumes = claims.map(|name| { let claim = rig.bound(name, nodes[0]); rig.volume_of(claim) });
        let mut pods = Vec::new();
        for (n, act) in acts.into_iter().enumerate() {
            match act {
                Act::Pod(claim, node) => pods.push(rig.pod(&format!("p{n}"), Some(nodes[node]), &[claims[claim]])),
                Act::Stop(which) if which < pods.len() => { let pod = pods.remove(which); rig.force_delete(pod); }
                Act::Stop(_) => {}
                Act::Use(node) => {
                    let attached = rig.world.store.get(nodes[node]).unwrap().volumes_attached.to_vec();
                    rig.in_use(nodes[node], &attached);
                }
                Act::Unuse(node) => rig.in_use(nodes[node], &[]),
                Act::Health(node, well) => {
                    rig.ready(nodes[node], if well { NodeReady::True } else { NodeReady::Unknown });
                }
                Act::Restart => rig.restart_manager(),
                Act::Csi => {
                    rig.world.stop(Process::CsiController);
                    rig.csi.stop();
                    rig.run(50);
                    rig.world.start(Process::CsiController);
                    rig.csi.restart(&mut rig.world);
                }
                Act::Wait(millis) => rig.run(millis),
            }
            rig.run(20);
            for volume in volumes {
                let attached = rig.attachments(volume).into_iter().filter(|(_, attached)| *attached).count();
                prop_assert!(attached <= 1);
                let listed = nodes.iter().filter(|node| rig.is_attached(volume, **node)).count();
                prop_assert!(listed <= 1);
            }
        }
        pods.into_iter().for_each(|pod| rig.force_delete(pod));
        nodes.into_iter().for_each(|node| { rig.ready(node, NodeReady::True); rig.in_use(node, &[]); });
        rig.run(900_000);
        prop_assert!(rig.world.store.attachments.is_empty());
        for node in nodes {
            prop_assert!(rig.world.store.get(node).unwrap().volumes_attached.is_empty());
            prop_assert_eq!(rig.csi.cloud.on_node(node), 0);
        }
    }
}
