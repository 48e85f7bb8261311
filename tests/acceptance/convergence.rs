//! What is proved of controllers elsewhere, and the patterns of their bugs: the same end, whatever happens on the way.
use crate::deployment::deployment;
use crate::drill::*;
use serde_json::{Value, json};
use stsim::trace::record::Note;
use stsim::world::Actor;

/// What matters of a cluster at the end: pods with images, claims, sizes. Random names of pods are left out.
fn state(drill: &mut Drill) -> Vec<String> {
    let mut state = Vec::new();
    for pod in drill.list("pods") {
        let owner = &pod["metadata"]["ownerReferences"][0];
        let name = if owner["kind"] == "StatefulSet" { &pod["metadata"]["name"] } else { &owner["kind"] };
        let (image, phase) = (&pod["spec"]["containers"][0]["image"], &pod["status"]["phase"]);
        state
            .push(format!("pod {name} {image} {phase} {}", pod["metadata"]["deletionTimestamp"].is_string()));
    }
    for claim in drill.list("pvc") {
        state.push(format!("claim {} {}", claim["metadata"]["name"], claim["status"]["phase"]));
    }
    for set in drill.list("sts") {
        let status = &set["status"];
        state.push(format!(
            "set {} {}",
            status["readyReplicas"],
            status["currentRevision"] == status["updateRevision"]
        ));
    }
    for set in drill.list("rs") {
        state.push(format!("rs {} {}", set["spec"]["replicas"], set["status"]["readyReplicas"]));
    }
    state.sort();
    state
}

/// The same change in another size and another version, of a set with claims and of a Deployment.
fn changes() -> String {
    let both = |manifest: Value| {
        let bigger = with(manifest, "/spec/replicas", json!(4));
        with(bigger, "/spec/template/spec/containers/0/image", json!("web:v2"))
    };
    let front = with(deployment(3), "/metadata/name", json!("front"));
    let set = json!(both(set_with_claims(3)).to_string());
    format!("- apply: {set}\n- apply: {}\n  settle: false\n", json!(both(front).to_string()))
}

fn begin() -> Drill {
    Drill::on(STEADY, &[set_with_claims(3), with(deployment(3), "/metadata/name", json!("front"))])
}

fn undisturbed() -> Vec<String> {
    let mut drill = begin();
    drill.step(&changes());
    let state = state(&mut drill);
    assert_eq!(
        state.iter().filter(|line| line.starts_with("pod \"web-") && line.contains("web:v2")).count(),
        4
    );
    assert_eq!(
        state.iter().filter(|line| line.starts_with("pod \"ReplicaSet\"") && line.contains("web:v2")).count(),
        4
    );
    state
}

#[test]
fn t_esr_003_a_set_touches_nothing_but_its_own() {
    let bare = |name: &str, labels: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [{"name": "web", "image": "web:v0"}]},
        })
    };
    // One has the name of a member to come, one the labels of another set's members.
    let front = with(deployment(2), "/metadata/name", json!("front"));
    let mut drill = Drill::on(STEADY, &[bare("web-3", json!({"app": "x"})), front, set_with_claims(3)]);
    drill.during("60s", &changes());
    drill.during("60s", "- kubectl: scale sts/web --replicas=1\n  settle: false");
    let world = &drill.cluster().world;
    let store = &world.store;
    let by_set =
        world.recorder.records().iter().filter(|record| record.actor == Actor::StatefulSetController);
    let mut touched: Vec<String> = by_set
        .filter(|record| {
            matches!(record.note, Note::Created(_) | Note::Deleting | Note::Deleted | Note::Owners(_))
        })
        .filter(|record| record.kind == stsim::api::kind::Kind::Pod)
        .map(|record| store.name_of(record.name))
        .collect();
    touched.sort();
    touched.dedup();
    assert_eq!(touched, ["web-0", "web-1", "web-2"]);
    assert_eq!(drill.field("pod/web-3", "/spec/containers/0/image"), "web:v0");
    assert_eq!(drill.field("pod/web-3", "/metadata/ownerReferences"), Value::Null);
}

#[test]
fn t_esr_007_killed_after_any_write_the_end_is_the_same() {
    let expected = undisturbed();
    // The first syncs write every few milliseconds: the manager dies between any two of their writes, and later.
    for after in (1..40).chain([60, 120, 250, 410, 430, 640, 800, 1100, 1500, 2200]) {
        let mut drill = begin();
        drill.during(&format!("{after}ms"), &changes());
        drill.step("- restart: kube-controller-manager\n  settle: false");
        assert_eq!(state(&mut drill), expected, "after {after} ms");
    }
}

#[test]
fn t_esr_008_what_is_missed_on_the_way_does_not_matter() {
    let expected = undisturbed();
    // While nobody looks: pods go, versions and sizes come and go.
    for mode in ["- stop: kube-controller-manager\n", "- lag: kube-controller-manager\n  by: 20s\n"] {
        let mut drill = begin();
        let churn = "- kubectl: set image sts/web web=web:v7\n  settle: false
- kubectl: scale sts/web --replicas=1\n  settle: false
- kubectl: scale deploy/front --replicas=9\n  settle: false
- kubectl: delete pods --all --wait=false\n  settle: false\n";
        drill.during(
            "5s",
            &format!(
                "{mode}{churn}{}",
                changes().replace("- apply", "- settle: false\n  apply").replace("\n  settle: false\n", "\n")
            ),
        );
        let back = if mode.contains("stop") {
            "- start: kube-controller-manager\n  settle: false"
        } else {
            "- lag: kube-controller-manager\n  by: 0s\n  settle: false"
        };
        drill.step(back);
        let state: Vec<_> = state(&mut drill);
        assert_eq!(state, expected, "{mode}");
    }
}
