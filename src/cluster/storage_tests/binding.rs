//! Claims and volumes: matching, provisioning, loss, deletion.
use super::*;

#[test]
fn from_claim_to_disk_and_back() {
    let mut rig = Rig::recorded();
    let node = rig.node("node-a", "zone-a");
    let claim = rig.claim("data", "ebs".into());
    rig.run(10);
    let pod = rig.pod("web", None, &["data"]);
    rig.run(5_000);
    assert_eq!(
        rig.world.store.get(claim).unwrap().phase(),
        ClaimPhase::Pending,
        "WFFC waits for a node (VOL-3)"
    );
    assert!(rig.world.store.volumes.is_empty());
    rig.world.update(claim, Rule::NONE, |claim| claim.selected_node = node);
    let took = rig.run_until(1_000, |rig| rig.world.store.get(claim).unwrap().phase() == ClaimPhase::Bound);
    assert!((100..200).contains(&took), "{took}");
    let volume = rig.volume_of(claim);
    let made = *rig.world.store.get(volume).unwrap();
    assert_eq!(
        (made.phase(), made.claim.uid),
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
    let released = rig.world.store.volumes.iter().filter(|(_, v)| v.phase() == VolumePhase::Released).count();
    assert_eq!(released, 1, "Retain: it stays, Released (VOL-10)");
    let third = rig.claim("third", "".into());
    rig.run(100);
    assert_eq!(rig.world.store.get(third).unwrap().phase(), ClaimPhase::Bound);
    let fourth = rig.claim("fourth", "".into());
    rig.run(20_000);
    assert_eq!(
        rig.world.store.get(fourth).unwrap().phase(),
        ClaimPhase::Pending,
        "never a Released one (INV-35)"
    );
    assert_eq!(
        rig.message("FailedBinding"),
        "no persistent volumes available for this claim and no storage class is set"
    );
    let free = rig.volume("more", json!({}));
    let took = rig.run_until(16_000, |rig| rig.world.store.get(fourth).unwrap().phase() == ClaimPhase::Bound);
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
    let took = rig.run_until(16_000, |rig| rig.world.store.get(claim).unwrap().phase() == ClaimPhase::Bound);
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
    assert_eq!(rig.world.store.get(reserved).unwrap().phase(), VolumePhase::Available);
    let other = rig.claim("other", "".into());
    rig.run(100);
    assert_eq!(rig.world.store.get(other).unwrap().phase(), ClaimPhase::Pending);
    let mine = rig.claim("mine", "".into());
    rig.run(100);
    let volume = *rig.world.store.get(reserved).unwrap();
    assert_eq!((rig.volume_of(mine), volume.phase()), (reserved, VolumePhase::Bound));
    assert!(!volume.has(VolumeState::BOUND_BY_CONTROLLER), "reserved by the user (VOL-6)");
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
    rig.run_until(16_000, |rig| rig.world.store.get(early).unwrap().phase() == ClaimPhase::Bound);
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
    assert_eq!(rig.world.store.get(claim).unwrap().phase(), ClaimPhase::Lost);
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
    assert_eq!(rig.world.store.get(volume).unwrap().phase(), VolumePhase::Released);
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
    assert_eq!(rig.world.store.get(claim).unwrap().phase(), ClaimPhase::Bound);
}
