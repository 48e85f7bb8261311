//! Attaching and detaching: moves, dead nodes, restarts, faults.
use super::*;
use proptest::prelude::*;

type Moved = (Rig, [Id<Node>; 2], Id<Claim>, Id<Volume>, Id<Pod>);

/// A pod on node-a with its volume attached and in use, and a second node of the zone.
fn moved() -> Moved {
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
    assert_eq!(rig.world.store.get(claim).unwrap().phase(), ClaimPhase::Bound);
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
    assert_eq!(rig.world.store.get(claim).unwrap().phase(), ClaimPhase::Pending);
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
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

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
