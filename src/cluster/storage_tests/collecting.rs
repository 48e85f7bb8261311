//! Owners and dependents.
use super::*;

fn owned(rig: &mut Rig, kind: &str, name: &str, owner: Option<(&str, &str, &str)>) -> Value {
    let api = |kind: &str| match kind {
        "ReplicaSet" | "Deployment" => "apps/v1",
        _ => "v1",
    };
    let mut object =
        json!({"apiVersion": api(kind), "kind": kind, "metadata": {"name": name, "namespace": "default"}});
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
            "apiVersion": api(kind), "kind": kind, "name": name, "uid": uid, "controller": true,
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
