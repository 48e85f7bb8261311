//! Pods on nodes without any controller: what the kubelets do, and when.
mod containers;

use super::*;
use crate::api::objects::{Containers, NodeReady, Phase};
use crate::behavior::{Exit, Glob, PodRule};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::kernel::{Latency, Time};
use crate::trace::record::{Note, Recorder};
use crate::world::DeleteOptions;
use serde_json::json;

/// A cluster whose only other process is the API server.
struct Lab {
    cluster: Cluster,
    node: Id<Node>,
}

impl Lab {
    fn new(config: Config) -> Lab {
        let mut cluster = Cluster::new(7, config);
        cluster.stop(crate::event::Process::ControllerManager);
        cluster.stop(crate::event::Process::Scheduler);
        cluster.world.recorder = Recorder::on();
        cluster.world.bootstrap().unwrap();
        let mut lab = Lab { cluster, node: Id::NONE };
        lab.node = lab.node("node-a");
        lab
    }

    fn node(&mut self, name: &str) -> Id<Node> {
        let status = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"capacity": status, "allocatable": status}});
        let node = self.cluster.world.rest_create(node).unwrap().id::<Node>();
        self.cluster.kubelets.add_node(node, &mut self.cluster.world);
        node
    }

    fn pod(&mut self, name: &str) -> Id<Pod> {
        self.pod_with(name, json!({}))
    }

    fn pod_with(&mut self, name: &str, more: serde_json::Value) -> Id<Pod> {
        let mut spec = json!({"containers": [{"name": "main", "image": "web:v1"}]});
        for (key, value) in more.as_object().unwrap() {
            spec[key.as_str()] = value.clone();
        }
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec});
        let id = self.cluster.world.rest_create(pod).unwrap().id::<Pod>();
        let node = self.node;
        self.cluster.world.update(id, crate::rule::Rule::NONE, |pod| pod.node = node);
        id
    }

    fn run(&mut self, seconds: u64) {
        let span = Duration::from_secs(seconds);
        let until = self.cluster.world.now() + span;
        // The clock moves with events only.
        self.cluster.world.background(span, Event::Runner(0));
        self.cluster.run_until(until);
    }

    fn object(&self, pod: Id<Pod>) -> Option<&Pod> {
        self.cluster.world.store.pods.get(pod)
    }

    fn delete(&mut self, pod: Id<Pod>, grace: Option<u32>) {
        let options = DeleteOptions { grace, ..DeleteOptions::default() };
        self.cluster.world.delete(pod, options, crate::rule::Rule::NONE).unwrap();
    }

    fn does(&mut self, rule: PodRule) {
        self.cluster.world.config.behavior.pods.push(rule);
    }

    fn kubelets(&mut self) -> (&mut Kubelets, &mut World) {
        (&mut self.cluster.kubelets, &mut self.cluster.world)
    }

    /// What the timeline says about a pod: milliseconds and note.
    fn notes(&self, pod: Id<Pod>) -> Vec<(u64, Note)> {
        let records = self.cluster.world.recorder.records().iter();
        let records = records.filter(|r| r.kind == crate::api::kind::Kind::Pod && r.index == pod.as_u32());
        records.map(|r| (r.time.as_nanos() / 1_000_000, r.note)).collect()
    }

    fn times(&self, pod: Id<Pod>, what: impl Fn(Note) -> bool) -> Vec<u64> {
        self.notes(pod).into_iter().filter(|(_, note)| what(*note)).map(|(time, _)| time).collect()
    }
}

fn ms(millis: u64) -> Latency {
    Latency::Constant(Duration::from_millis(millis))
}

fn rule() -> PodRule {
    PodRule { pod: Some(Glob("*".into())), ..PodRule::default() }
}

#[test]
fn a_pod_starts_gets_ready_and_goes() {
    let mut lab = Lab::new(Config::recorded());
    let pod = lab.pod("web-0");
    lab.run(1);
    let object = lab.object(pod).unwrap();
    assert!(object.is_running_and_ready());
    assert_eq!((object.containers, object.ip.render().as_str()), (Containers::Running, "10.64.0.1"));
    let uid = object.meta.uid;
    assert!(lab.cluster.kubelets.is_running(pod, uid));
    // Watch 2 ms, start 200 ms, write 3 ms; ready 200 ms after the start, and another write.
    assert_eq!(lab.times(pod, |n| matches!(n, Note::Running(_))), [205]);
    assert_eq!(lab.times(pod, |n| n == Note::Ready), [405]);
    lab.delete(pod, None);
    let deleted = lab.cluster.world.now().as_nanos() / 1_000_000;
    lab.run(1);
    assert!(lab.object(pod).is_none());
    assert!(!lab.cluster.kubelets.is_running(pod, uid));
    assert_eq!(lab.cluster.kubelets.running().count(), 0);
    assert_eq!(lab.times(pod, |n| n == Note::Succeeded), [deleted + 205]);
    assert_eq!(lab.times(pod, |n| n == Note::Deleted), [deleted + 208]);
    assert!(lab.cluster.world.is_settled() && !lab.cluster.world.is_delayed());
}

#[test]
fn ready_at_once_is_one_write() {
    let mut lab = Lab::new(Config::recorded());
    lab.does(PodRule { ready: Some(ms(0)), ..rule() });
    let pod = lab.pod("web-0");
    lab.run(1);
    assert_eq!(lab.times(pod, |n| matches!(n, Note::Running(_))), [205]);
    assert_eq!(lab.times(pod, |n| n == Note::Ready), [205]);
}

#[test]
fn the_grace_period_ends_a_container_that_does_not_stop() {
    let mut lab = Lab::new(Config::recorded());
    lab.does(PodRule { stop: Some(Latency::Never), ..rule() });
    let [slow, cut, forced] = ["slow", "cut", "forced"].map(|name| lab.pod(name));
    lab.run(1);
    lab.delete(slow, Some(2));
    lab.delete(cut, None);
    lab.delete(forced, Some(0));
    lab.run(1);
    assert_eq!(lab.cluster.kubelets.running().count(), 3, "the forced one still runs");
    assert!(lab.cluster.world.is_delayed());
    // A second delete shortens the period of the second pod.
    lab.delete(cut, Some(4));
    lab.run(2);
    assert_eq!(lab.times(slow, |n| matches!(n, Note::Failed(_))).len(), 1);
    assert_eq!(lab.cluster.kubelets.running().count(), 1);
    lab.run(4);
    assert_eq!(lab.times(cut, |n| matches!(n, Note::Failed(_))).len(), 1);
    assert!([slow, cut, forced].iter().all(|pod| lab.object(*pod).is_none()));
}

#[test]
fn a_crashing_container_backs_off() {
    let mut lab = Lab::new(Config::recorded());
    lab.does(PodRule { exit: Some(Exit { after: ms(500), code: 1, times: None, oom: false }), ..rule() });
    let pod = lab.pod("web-0");
    lab.run(80);
    // Exit 500 ms after each start; restarts at once, then 10, 20, 40 s after the exit, and 200 ms of start.
    let restarts = lab.times(pod, |n| matches!(n, Note::Restarted(_)));
    assert_eq!(restarts, [905, 11605, 32305, 73005]);
    assert_eq!(lab.times(pod, |n| n == Note::CrashLoop), [1405, 12105, 32805, 73505]);
    let object = lab.object(pod).unwrap();
    assert_eq!((object.phase, object.containers), (Phase::Running, Containers::CrashLoopBackOff(1)));
    assert!(lab.cluster.world.is_settled(), "a back-off does not count");
    lab.delete(pod, None);
    lab.run(1);
    assert!(lab.object(pod).is_none(), "nothing runs: it goes at once");
}

#[test]
fn a_long_run_resets_the_back_off() {
    let mut lab = Lab::new(Config::recorded());
    lab.does(PodRule { exit: Some(Exit { after: ms(601_000), code: 1, times: None, oom: false }), ..rule() });
    let pod = lab.pod("web-0");
    lab.run(610);
    assert_eq!(lab.times(pod, |n| matches!(n, Note::Restarted(_))).len(), 1);
    lab.run(605);
    let restarts = lab.times(pod, |n| matches!(n, Note::Restarted(_)));
    assert_eq!(restarts.len(), 2);
    assert!(lab.times(pod, |n| n == Note::CrashLoop).is_empty());
}

#[test]
fn overrides_of_readiness_stay() {
    let mut lab = Lab::new(Config::recorded());
    let pod = lab.pod("web-0");
    lab.run(1);
    let (kubelets, world) = lab.kubelets();
    kubelets.set_ready(pod, false, world);
    lab.run(1);
    assert!(!lab.object(pod).unwrap().is_ready());
    let (kubelets, world) = lab.kubelets();
    kubelets.crash_pod(pod, world);
    lab.run(1);
    let object = lab.object(pod).unwrap();
    assert!(!object.is_ready() && object.restarts == 1);
    let (kubelets, world) = lab.kubelets();
    kubelets.set_ready(pod, true, world);
    lab.run(1);
    assert!(lab.object(pod).unwrap().is_ready());
}

#[test]
fn an_evicted_pod_fails_and_stays() {
    let mut lab = Lab::new(Config::recorded());
    let pod = lab.pod("web-0");
    lab.run(1);
    let (kubelets, world) = lab.kubelets();
    kubelets.fail_pod(pod, world);
    lab.run(1);
    let object = lab.object(pod).unwrap();
    assert_eq!((object.phase, object.reason), (Phase::Failed, crate::api::objects::PodReason::Evicted));
    lab.delete(pod, None);
    lab.run(1);
    assert!(lab.object(pod).is_none());
}

#[test]
fn a_recovered_node_restarts_what_stays_and_ends_what_goes() {
    let mut lab = Lab::new(Config::recorded());
    let [stays, goes, forced] = ["stays", "goes", "forced"].map(|name| lab.pod(name));
    lab.run(1);
    let node = lab.node;
    let (kubelets, world) = lab.kubelets();
    kubelets.crash_node(node, world);
    assert_eq!(kubelets.running().count(), 0);
    assert!(!kubelets.is_node_alive(node));
    lab.delete(goes, None);
    lab.delete(forced, Some(0));
    let missed = lab.pod("missed");
    lab.run(20);
    assert!(lab.object(goes).unwrap().is_terminating(), "nobody confirms");
    assert_eq!(lab.object(missed).unwrap().phase, Phase::Pending);
    let address = lab.object(stays).unwrap().ip;
    let (kubelets, world) = lab.kubelets();
    kubelets.recover_node(node, world);
    lab.run(1);
    let object = lab.object(stays).unwrap();
    assert!(object.is_running_and_ready() && object.restarts == 1 && object.ip != address);
    assert!(lab.object(goes).is_none());
    assert_eq!(lab.times(goes, |n| matches!(n, Note::Failed(_))).len(), 1);
    assert!(lab.object(missed).unwrap().is_running_and_ready());
    assert_eq!(lab.object(missed).unwrap().restarts, 0);
}

#[test]
fn containers_run_on_behind_a_partition() {
    let mut lab = Lab::new(Config::recorded());
    let [stays, goes, forced] = ["stays", "goes", "forced"].map(|name| lab.pod(name));
    lab.run(1);
    let node = lab.node;
    let (kubelets, world) = lab.kubelets();
    kubelets.partition_node(node, world);
    lab.delete(goes, None);
    lab.delete(forced, Some(0));
    lab.run(20);
    assert_eq!(lab.cluster.kubelets.running().count(), 3);
    assert!(lab.object(forced).is_none());
    let (kubelets, world) = lab.kubelets();
    kubelets.heal_node(node, world);
    let healed = lab.cluster.world.now().as_nanos() / 1_000_000;
    lab.run(3);
    assert_eq!(lab.cluster.kubelets.running().count(), 1);
    assert_eq!(lab.times(goes, |n| n == Note::Succeeded), [healed + 203]);
    assert_eq!(lab.object(stays).unwrap().restarts, 0);
}

#[test]
fn a_successor_on_the_same_node_runs_beside_what_stops() {
    let mut lab = Lab::new(Config::recorded());
    lab.does(PodRule { stop: Some(ms(1_500)), ..rule() });
    let pod = lab.pod("web-0");
    lab.run(1);
    lab.delete(pod, Some(0));
    assert_eq!(lab.pod("web-0"), pod);
    lab.run(1);
    assert_eq!(lab.cluster.kubelets.running().count(), 2);
    lab.run(1);
    assert_eq!(lab.cluster.kubelets.running().count(), 1);
    assert!(lab.object(pod).unwrap().is_running_and_ready());
}

#[test]
fn realistic_pods_pull_start_and_get_ready_by_their_probe() {
    let mut lab = Lab::new(Config::realistic());
    lab.cluster.world.events.turn_on();
    let probe = json!({"containers": [{"name": "main", "image": "web:v1",
        "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 10}}]});
    lab.does(PodRule { start: Some(ms(1_000)), ready: Some(ms(2_000)), ..rule() });
    let pod = lab.pod_with("web-0", probe);
    lab.run(300);
    let start = lab.times(pod, |n| matches!(n, Note::Running(_)))[0];
    let ready = lab.times(pod, |n| n == Note::Ready)[0];
    assert!((9_000..11_500).contains(&(ready - start)), "{start} {ready}");
    let reasons: Vec<_> = lab.cluster.world.events.iter().map(|e| e.reason).collect();
    assert_eq!(reasons, ["Pulling", "Pulled", "Created", "Started"]);
    assert_eq!(lab.cluster.world.store.nodes.get(lab.node).unwrap().ready, NodeReady::True);
}

#[test]
fn a_failing_pull_backs_off() {
    let mut lab = Lab::new(Config::realistic());
    lab.does(PodRule { pull_fails: true, ..rule() });
    let pod = lab.pod("web-0");
    lab.cluster.world.events.turn_on();
    lab.run(60);
    assert!(matches!(
        lab.object(pod).unwrap().containers,
        Containers::ErrImagePull | Containers::ImagePullBackOff
    ));
    let pulls = |lab: &Lab| {
        let pulling = lab.cluster.world.events.iter().filter(|e| e.reason == "Pulling");
        pulling.map(|e| e.count).sum::<u32>()
    };
    // 0, 10 to 15, 30 to 45 s.
    assert!((3..=4).contains(&pulls(&lab)), "{}", pulls(&lab));
    lab.cluster.world.config.behavior.pods.clear();
    lab.run(120);
    assert!(lab.object(pod).unwrap().is_running_and_ready());
}

#[test]
fn a_node_refuses_what_does_not_fit() {
    let mut lab = Lab::new(Config::realistic());
    let big = |cpu: &str| json!({"containers": [{"name": "main", "image": "web:v1", "resources": {"requests": {"cpu": cpu}}}]});
    let fits = lab.pod_with("fits", big("3"));
    let not = lab.pod_with("not", big("2"));
    let elsewhere = lab.pod_with("elsewhere", json!({"nodeSelector": {"disk": "ssd"}}));
    lab.run(300);
    assert!(lab.object(fits).unwrap().is_running_and_ready());
    let refused = [not, elsewhere].map(|pod| lab.object(pod).unwrap().reason);
    use crate::api::objects::PodReason;
    assert_eq!(refused, [PodReason::OutOfCpu, PodReason::NodeAffinity]);
    assert_eq!(lab.object(not).unwrap().phase, Phase::Failed);
}

#[test]
fn a_healed_kubelet_has_its_watches_within_a_minute() {
    let mut lab = Lab::new(Config::realistic());
    let pod = lab.pod("web-0");
    lab.run(60);
    for outage in [10, 50, 300, 100_000] {
        let node = lab.node;
        let (kubelets, world) = lab.kubelets();
        kubelets.partition_node(node, world);
        assert!(!kubelets.is_node_linked(node));
        lab.run(outage);
        let (kubelets, world) = lab.kubelets();
        kubelets.heal_node(node, world);
        assert!(!lab.cluster.kubelets.is_node_linked(node));
        lab.run(61);
        assert!(lab.cluster.kubelets.is_node_linked(node), "after {outage} s");
        assert!(lab.object(pod).unwrap().is_ready());
    }
    let lease = lab.cluster.world.leases[lab.node.index()];
    assert!(lease.renewing && lease.since > Time::ZERO);
}

impl Lab {
    /// A pod with a claim that is bound to a volume.
    fn pod_with_volume(&mut self, name: &str) -> (Id<Pod>, Id<Volume>) {
        use crate::api::objects::{Claim, ClaimPhase, ClaimRef};
        let world = &mut self.cluster.world;
        let modes = json!(["ReadWriteOnce"]);
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"accessModes": modes, "resources": {"requests": {"storage": "1Gi"}}}});
        let claim = world.rest_create(claim).unwrap().id::<Claim>();
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"accessModes": modes, "capacity": {"storage": "1Gi"},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": name}}});
        let volume = world.rest_create(volume).unwrap().id::<Volume>();
        let rule = crate::rule::Rule::NONE;
        world.update(claim, rule, |claim| {
            claim.volume = volume;
            claim.annotate(crate::api::objects::ClaimState::BIND_COMPLETED);
            claim.set_phase(ClaimPhase::Bound);
        });
        let meta = world.store.claims.get(claim).unwrap().meta;
        world.update(volume, rule, |volume| {
            volume.claim = ClaimRef { name: meta.name, namespace: meta.namespace, uid: meta.uid };
        });
        let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
        (self.pod_with(name, json!({"volumes": volumes})), volume)
    }

    /// What the attach/detach controller says is attached.
    fn attached(&mut self, volumes: &[Id<Volume>]) {
        let volumes = std::sync::Arc::new(volumes.to_vec());
        let node = self.node;
        self.cluster.world.update(node, crate::rule::Rule::NONE, |node| node.volumes_attached = volumes);
    }

    fn in_use(&self) -> Vec<Id<Volume>> {
        self.cluster.world.store.nodes.get(self.node).unwrap().volumes_in_use.to_vec()
    }
}

#[test]
fn a_pod_waits_for_its_volume_and_lets_go_of_it_first() {
    let mut lab = Lab::new(Config::recorded());
    let (pod, volume) = lab.pod_with_volume("data");
    lab.run(2);
    assert_eq!(lab.in_use(), [volume]);
    assert_eq!(lab.object(pod).unwrap().phase, Phase::Pending);
    assert!(lab.cluster.world.is_delayed(), "not settled for six seconds");
    lab.run(5);
    assert!(!lab.cluster.world.is_delayed());
    lab.attached(&[volume]);
    lab.run(1);
    assert!(lab.object(pod).unwrap().is_running_and_ready());
    assert_eq!(lab.cluster.kubelets.mounted(lab.node).collect::<Vec<_>>(), [volume]);
    lab.delete(pod, None);
    while lab.object(pod).is_some() {
        let before = lab.in_use();
        lab.cluster.step();
        let gone = lab.object(pod).is_none();
        assert!(!gone || before.is_empty(), "the volume leaves volumesInUse before the pod goes");
    }
    assert_eq!(lab.cluster.kubelets.mounted(lab.node).count(), 0);
}

#[test]
fn the_node_status_tick_gates_mount_and_detach() {
    let mut waits = Vec::new();
    for run in 0..8 {
        let mut lab = Lab::new(Config::realistic());
        lab.run(60 + run);
        let (pod, volume) = lab.pod_with_volume("data");
        let bound = lab.cluster.world.now();
        lab.attached(&[volume]);
        while lab.in_use().is_empty() {
            lab.cluster.step();
        }
        let reported = lab.cluster.world.now();
        waits.push((reported - bound).as_millis());
        lab.run(200);
        assert!(lab.object(pod).unwrap().is_running_and_ready());
        lab.delete(pod, None);
        while lab.object(pod).is_some() {
            lab.cluster.step();
        }
        assert_eq!(lab.in_use(), [volume], "the pod is gone before the volume is reported unused");
        lab.run(20);
        assert!(lab.in_use().is_empty());
    }
    assert!(waits.iter().all(|wait| *wait <= 10_500) && waits.iter().max() > waits.iter().min(), "{waits:?}");
}

#[test]
fn a_volume_that_another_pod_keeps_mounted_is_there_at_once() {
    let mut lab = Lab::new(Config::realistic());
    let (pod, volume) = lab.pod_with_volume("data");
    lab.attached(&[volume]);
    lab.run(200);
    assert!(lab.object(pod).unwrap().is_running_and_ready());
    lab.does(PodRule { start: Some(ms(0)), ready: Some(ms(0)), ..rule() });
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    let second = lab.pod_with("second", json!({"volumes": volumes}));
    lab.run(3);
    assert!(lab.object(second).unwrap().is_running_and_ready(), "no tick, no stage");
    lab.delete(pod, None);
    lab.run(60);
    assert_eq!(lab.in_use(), [volume]);
}

#[test]
fn volumes_are_reported_anew_after_a_reboot() {
    let mut lab = Lab::new(Config::recorded());
    let (pod, volume) = lab.pod_with_volume("data");
    lab.attached(&[volume]);
    lab.run(2);
    let node = lab.node;
    let (kubelets, world) = lab.kubelets();
    kubelets.crash_node(node, world);
    assert_eq!(kubelets.mounted(node).count(), 0);
    lab.run(2);
    assert_eq!(lab.in_use(), [volume]);
    let (kubelets, world) = lab.kubelets();
    kubelets.recover_node(node, world);
    lab.run(2);
    assert!(lab.object(pod).unwrap().is_running_and_ready());
    assert_eq!((lab.object(pod).unwrap().restarts.get(), lab.in_use()), (1, vec![volume]));
}
