use super::Bench;
use crate::api::names::Sym;
use crate::api::objects::{Claim, PodReason};
use crate::kernel::Duration;
use crate::rule::Rule;
use serde_json::{Value, json};

fn claim(bench: &mut Bench, name: &str, class: &str, mode: &str) {
    bench.create(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "accessModes": [mode],
            "storageClassName": class,
            "resources": {"requests": {"storage": "5Gi"}},
        },
    }));
}

fn volume(bench: &mut Bench, name: &str, size: &str, zone: &str) {
    volume_of(bench, name, "ebs", size, zone);
}

fn volume_of(bench: &mut Bench, name: &str, class: &str, size: &str, zone: &str) {
    bench.create(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": size},
            "storageClassName": class,
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{name}")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]},
            ]}]}},
        },
    }));
}

fn using(claim: &str) -> Value {
    json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]})
}

#[test]
fn dynamic_provisioning_takes_a_whole_number_of_seconds() {
    // SCHED-20, VOL-15
    let mut bench = Bench::three();
    claim(&mut bench, "data", "ebs", "ReadWriteOnce");
    bench.run(50);
    bench.pod("a", using("data"));
    let created = bench.now();
    bench.run(100);
    let (_, pod) = bench.find("a").unwrap();
    let chosen = bench.claim("data").unwrap().selected_node;
    assert!(!chosen.is_none() && pod.nominated == chosen && !pod.is_bound());
    bench.run(800);
    assert!(bench.claim("data").unwrap().is_fully_bound());
    assert!(!bench.find("a").unwrap().1.is_bound(), "before the first look");
    bench.run(150);
    assert_eq!(bench.find("a").unwrap().1.node, chosen);
    assert!(bench.now().elapsed_since(created) < Duration::from_millis(1100));
}

#[test]
fn the_smallest_volume_that_fits_is_taken() {
    // VOL-4
    let mut bench = Bench::three();
    volume(&mut bench, "pv-10", "10Gi", "zone-b");
    volume(&mut bench, "pv-8", "8Gi", "zone-b");
    volume(&mut bench, "pv-1", "1Gi", "zone-b");
    claim(&mut bench, "data", "ebs", "ReadWriteOnce");
    bench.run(100);
    let mut spec = using("data");
    spec["nodeSelector"] = json!({"topology.kubernetes.io/zone": "zone-b"});
    bench.pod("a", spec);
    bench.run(2500);
    assert_eq!(bench.place("a"), "node-b");
    let bound = bench.claim("data").unwrap().volume;
    let store = &bench.cluster.world.store;
    assert_eq!(store.name_of(store.volumes.get(bound).unwrap().meta.name), "pv-8");
}

#[test]
fn pods_that_share_a_claim_go_to_the_volume_reserved_for_it() {
    // VOL-4: a volume that is bound to the claim is taken, on a node that reaches it, and no other.
    let mut bench = Bench::three();
    bench.create(json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }));
    for zone in ["zone-a", "zone-b", "zone-c"] {
        volume_of(&mut bench, &format!("disk-{zone}"), "local", "8Gi", zone);
    }
    claim(&mut bench, "data", "local", "ReadWriteOnce");
    bench.run(100);
    for (name, zone) in [("a", "zone-a"), ("b", "zone-b")] {
        let mut spec = using("data");
        spec["nodeSelector"] = json!({"topology.kubernetes.io/zone": zone});
        bench.pod(name, spec);
    }
    bench.run(5000);
    assert_eq!(bench.place("a"), "node-a");
    assert!(!bench.find("b").unwrap().1.is_bound(), "the disk is in the other zone");
}

#[test]
fn a_bound_volume_holds_its_pod_in_the_zone() {
    // VOL-52
    let mut bench = Bench::three();
    claim(&mut bench, "data", "ebs", "ReadWriteOnce");
    bench.pod("a", using("data"));
    bench.run(3000);
    assert_eq!(bench.place("a"), "node-a");
    bench.delete("a", Some(0));
    let node = bench.name("node-a");
    let (id, _) = bench.cluster.world.store.nodes.find(Sym::EMPTY, node).unwrap();
    bench
        .cluster
        .world
        .update(id, Rule::NONE, |node: &mut crate::api::objects::Node| node.unschedulable = true);
    bench.run(100);
    bench.pod("b", using("data"));
    bench.run(100);
    let message = bench.message("b");
    assert!(
        message.contains("2 node(s) didn't match PersistentVolume's node affinity")
            && message.ends_with("3 Preemption is not helpful for scheduling."),
        "{message}"
    );
    bench.node("node-d", "zone-a", 8000);
    bench.run(100);
    assert_eq!(bench.place("b"), "node-d");
}

#[test]
fn claims_that_reject_all_nodes() {
    // SCHED-17, SCHED-22
    let mut bench = Bench::three();
    bench.pod("a", using("data"));
    bench.run(50);
    assert_eq!(
        bench.message("a"),
        "0/3 nodes are available: persistentvolumeclaim \"data\" not found. not found"
    );
    claim(&mut bench, "data", "none-such", "ReadWriteOnce");
    bench.run(50);
    assert_eq!(
        bench.message("a"),
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    );
    let name = bench.name("data");
    let (id, _) = bench.cluster.world.store.claims.find(Sym::DEFAULT, name).unwrap();
    bench
        .cluster
        .world
        .update(id, Rule::NONE, |claim: &mut Claim| claim.set_phase(crate::api::objects::ClaimPhase::Lost));
    bench.run(50);
    let message = bench.message("a");
    assert!(
        message.contains("persistentvolumeclaim \"data\" bound to non-existent persistentvolume"),
        "{message}"
    );
}

#[test]
fn a_claim_written_meanwhile_is_a_conflict_and_a_real_back_off() {
    let mut bench = Bench::three();
    claim(&mut bench, "data", "ebs", "ReadWriteOnce");
    bench.run(400);
    bench.pod("a", using("data"));
    // The decision is made, the claim not yet written.
    bench.run(3);
    let name = bench.name("data");
    let (id, _) = bench.cluster.world.store.claims.find(Sym::DEFAULT, name).unwrap();
    bench.cluster.world.update(id, Rule::NONE, |_| ());
    bench.run(50);
    assert_eq!(bench.reason("a"), PodReason::SchedulerError);
    assert_eq!(
        bench.message("a"),
        "running PreBind plugin \"VolumeBinding\": Operation cannot be fulfilled on persistentvolumeclaims \"data\": \
         the object has been modified; please apply your changes to the latest version and try again"
    );
    assert!(bench.find("a").unwrap().1.nominated.is_none() && !bench.cluster.world.is_settled());
    // SCHED-6: one second, and on to the next whole one: from about 0.4 s to 2 s.
    bench.run(1450);
    assert!(bench.claim("data").unwrap().selected_node.is_none());
    bench.run(1500);
    assert_eq!(bench.place("a"), "node-a");
}

#[test]
fn a_read_write_once_pod_claim_has_one_pod() {
    // VOL-24
    let mut bench = Bench::three();
    claim(&mut bench, "data", "ebs", "ReadWriteOncePod");
    bench.pod("a", using("data"));
    bench.run(3000);
    bench.pod("b", using("data"));
    bench.run(100);
    assert_eq!(bench.places(&["a", "b"]), ["node-a", ""]);
    assert_eq!(
        bench.message("b"),
        "0/3 nodes are available: 3 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode \
         already in-use by another pod. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No \
         preemption victims found for incoming pod."
    );
    bench.delete("a", Some(0));
    bench.run(100);
    assert_eq!(bench.place("b"), "node-a");
}

#[test]
fn a_node_takes_as_many_volumes_as_it_can_attach() {
    // SCHED-18
    let mut bench = Bench::new();
    bench.node_with("node-a", "zone-a", |node| node.volumes = 1);
    for name in ["x", "y"] {
        claim(&mut bench, name, "ebs", "ReadWriteOnce");
    }
    bench.pod("a", using("x"));
    bench.run(3000);
    bench.pod("b", using("y"));
    bench.run(100);
    assert_eq!(bench.places(&["a", "b"]), ["node-a", ""]);
    let message = bench.message("b");
    assert!(message.starts_with("0/1 nodes are available: 1 node(s) exceed max volume count."), "{message}");
    // A second pod of the same claim needs no further volume.
    bench.pod("c", using("x"));
    bench.run(100);
    assert_eq!(bench.place("c"), "node-a");
    // The VolumeAttachment counts for as long as it is there, whatever became of the pods.
    bench.delete("c", Some(0));
    bench.delete("a", Some(0));
    bench.run(20);
    assert_eq!(
        (bench.view().iter::<crate::api::objects::Attachment>().count(), bench.place("b").as_str()),
        (1, "")
    );
    bench.run(3000);
    assert_eq!(bench.place("b"), "node-a");
}

#[test]
fn waiting_for_claims_ends_after_ten_minutes() {
    // DEF-59
    let mut config = crate::config::Config::recorded();
    config.latency.provision = crate::kernel::Latency::Never;
    let mut bench = Bench::with(0, config);
    bench.node("node-a", "zone-a", 8000);
    claim(&mut bench, "data", "ebs", "ReadWriteOnce");
    bench.pod("a", using("data"));
    bench.run(599_000);
    assert_eq!(bench.reason("a"), PodReason::None);
    bench.run(1_500);
    assert_eq!(bench.reason("a"), PodReason::SchedulerError);
    assert_eq!(
        bench.message("a"),
        "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded"
    );
}
