//! The same end whatever comes between: crashes of controllers, refused writes, late news.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

/// What is compared: pods, claims, revisions, counters.
#[derive(PartialEq, Eq, Debug)]
struct End {
    images: String,
    claims: Vec<String>,
    revisions: Vec<String>,
    counters: [i64; 5],
    update: Value,
}

fn end(drill: &mut Drill) -> End {
    End {
        images: images(drill),
        claims: drill.names("pvc"),
        revisions: drill.names("controllerrevisions"),
        counters: counters(drill),
        update: drill.field("sts/web", "/status/updateRevision"),
    }
}

/// Three pods, then a new image and a fourth pod.
fn begin(policy: &'static str) -> (Drill, String) {
    let variant = Variant { policy, retention: Some(("Delete", "Delete")) };
    let drill = variant.play(Peers::Sound, 3);
    let change = format!("- apply: {}", json!(with_image(variant.set(4), "v2").to_string()));
    (drill, change)
}

fn now(drill: &Drill) -> u64 {
    drill.cluster().world.now().as_nanos()
}

#[test]
fn t_esr_007_a_crash_after_any_write_changes_nothing_in_the_end() {
    for policy in ["OrderedReady", "Parallel"] {
        let (mut drill, change) = begin(policy);
        let (start, before) = (now(&drill), controller_writes(&drill).len());
        drill.step(&change);
        let undisturbed = end(&mut drill);
        assert_eq!(undisturbed.images, "0:v2 1:v2 2:v2 3:v2");
        let writes = drill.cluster().world.recorder.writes().iter();
        let of_set =
            writes.filter(|write| write.actor == stsim::world::Actor::StatefulSetController).skip(before);
        let times: Vec<u64> = of_set.map(|write| write.time.as_nanos() - start).collect();
        assert!(times.len() > 15, "{times:?}");
        for (k, time) in times.iter().enumerate() {
            let (mut drill, change) = begin(policy);
            drill.during(&format!("{time}ns"), &change);
            assert!(controller_writes(&drill).len() > before + k, "write {k} has been made");
            drill.step("- restart: kube-controller-manager\n  settle: false");
            assert_eq!(end(&mut drill), undisturbed, "{policy}, crash after write {k}");
        }
    }
}

/// Stability in the end: pods 0 to n-1 as they are wanted, all claims, and nobody beyond.
#[test]
fn t_esr_001_refusals_crashes_and_late_news_are_overcome() {
    let steps = [
        "- refuse: {writes: create, of: pod/*, skip: 1, times: 3}",
        "- refuse: {writes: create, of: pvc/*, times: 2, error: Forbidden}",
        "- refuse: {writes: update, of: pvc/*, times: 4, error: Conflict}",
        "- refuse: {writes: delete, of: pod/*, times: 3, error: TooManyRequests}",
        "- refuse: {writes: update, of: sts/web, skip: 2, times: 3}",
        "- refuse: {writes: create, of: controllerrevision/*, times: 2}",
        "- lag: kube-controller-manager\n  by: 700ms",
        "- crash: pod/web-1",
        "- fail: pod/web-0",
        "- restart: kube-controller-manager",
        "- restart: kube-scheduler",
    ];
    for policy in ["OrderedReady", "Parallel"] {
        let (mut drill, change) = begin(policy);
        drill.step(&change);
        let undisturbed = end(&mut drill);
        for disturbance in steps {
            let (mut drill, change) = begin(policy);
            drill.step(&format!("{disturbance}\n{change}\n  settle: false"));
            let refusals = &drill.cluster().world.refusals;
            assert!(refusals.iter().all(|refusal| refusal.times == Some(0)), "{refusals:?}");
            assert_eq!(end(&mut drill), undisturbed, "{policy}: {disturbance}");
            for pod in drill.list("pods") {
                assert_eq!(pod["metadata"]["labels"]["app"], "web");
                assert_eq!(pod["metadata"]["ownerReferences"][0]["name"], "web");
            }
        }
    }
}

#[test]
fn t_esr_003_only_what_it_owns_is_written() {
    let foreign = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        })
    };
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: Some(("Delete", "Delete")) };
        // The labels match, the names do not: members of nobody.
        let mut drill = Drill::on(STEADY, &[foreign("web-x"), foreign("web2-0"), variant.set(3)]);
        let mine = |drill: &mut Drill| [uid(drill, "pod/web-x"), uid(drill, "pod/web2-0")];
        let before = mine(&mut drill);
        drill.apply(&with_image(variant.set(2), "v2"));
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(mine(&mut drill), before);
        for write in controller_writes(&drill) {
            let (kind, name) = (write.split(' ').nth(1).unwrap_or(""), write.split(' ').nth(2).unwrap_or(""));
            let own = match kind {
                "Pod" => ["web-0", "web-1", "web-2"].contains(&name),
                "PersistentVolumeClaim" => ["data-web-0", "data-web-1", "data-web-2"].contains(&name),
                "StatefulSet" => name == "web",
                _ => kind == "ControllerRevision" && name.starts_with("web-"),
            };
            assert!(own, "{write}");
        }
    }
}

/// What happens while the controller is down reaches it as one state, not as events.
#[test]
fn t_esr_008_events_that_were_missed_do_not_matter() {
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: None };
        let mut drill = variant.play(Peers::Sound, 3);
        let kept = uid(&mut drill, "pod/web-2");
        drill.step("- stop: kube-controller-manager");
        drill.kubectl("scale sts/web --replicas=1");
        drill.kubectl("delete pod web-0");
        drill.kubectl("scale sts/web --replicas=4");
        drill.kubectl("delete pod web-1");
        assert_eq!(drill.names("pods"), ["web-2"]);
        drill.step("- start: kube-controller-manager");
        assert_eq!(counters(&mut drill), [4; 5]);
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2", "web-3"]);
        assert_eq!(uid(&mut drill, "pod/web-2"), kept);
    }
}
