//! The control loop of the StatefulSet controller: creating, scaling, replacing, revisions, maxUnavailable.
//!
//! Unless an entry says otherwise each is played in both policies and in six variants of claim retention, with the
//! invariants of `peers` at every change.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

const POD_INDEX: &str = "/metadata/labels/apps.kubernetes.io~1pod-index";

#[test]
fn t_sts_001_creates_pods() {
    every(|variant| {
        // Slow and quick pods: which one is ready first is not which one was created first.
        let behavior = "  behavior:\n  - {pod: web-0, ready: 9s}\n  - {pod: web-1, ready: 20s}\n";
        let mut drill = Drill::on(&format!("{STEADY}{behavior}"), &[]);
        variant.watch(Peers::InOrder, &mut drill);
        drill.apply(&variant.set(3));
        assert_eq!(counters(&mut drill), [3; 5]);
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
        for (n, pod) in drill.list("pods").iter().enumerate() {
            assert_eq!(pod.pointer(POD_INDEX), Some(&json!(n.to_string())));
        }
        let ready: Vec<_> =
            drill.events_of("pod/").into_iter().filter(|event| event.ends_with(" ready")).collect();
        if variant.is_ordered() {
            assert_eq!(ready, ["pod/web-0 ready", "pod/web-1 ready", "pod/web-2 ready"]);
        } else {
            assert_eq!(ready, ["pod/web-2 ready", "pod/web-0 ready", "pod/web-1 ready"]);
        }
    });
}

#[test]
fn t_sts_002_scales_up() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 3);
        drill.kubectl("scale sts/web --replicas=4");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2", "web-3"]);
        assert_eq!(counters(&mut drill), [4; 5]);
        in_order(&drill.events(), &["pod/web-3 created", "pod/web-3 running", "pod/web-3 ready"]);
        assert_eq!(drill.events_of("pod/web-0"), [""; 0]);
    });
}

#[test]
fn t_sts_003_scales_down() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 3);
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(drill.names("pods"), [""; 0]);
        assert_eq!(counters(&mut drill), [0; 5]);
        let events = drill.events();
        if variant.is_ordered() {
            in_order(
                &events,
                &[
                    "pod/web-2 deleting",
                    "pod/web-2 deleted",
                    "pod/web-1 deleting",
                    "pod/web-1 deleted",
                    "pod/web-0 deleting",
                    "pod/web-0 deleted",
                ],
            );
        }
        let claims = drill.names("pvc");
        match variant.retention {
            Some((_, "Delete")) => assert_eq!(claims, [""; 0], "claims go with their pods"),
            _ => assert_eq!(claims, ["data-web-0", "data-web-1", "data-web-2"]),
        }
    });
}

#[test]
fn t_sts_004_replaces_pods_that_vanish() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 5);
        let before = [uid(&mut drill, "pod/web-0"), uid(&mut drill, "pod/web-1")];
        drill.kubectl("delete pod web-0 web-2 web-4 --force --grace-period=0 --wait=false");
        assert_eq!(counters(&mut drill), [5; 5]);
        assert_ne!(uid(&mut drill, "pod/web-0"), before[0]);
        assert_eq!(uid(&mut drill, "pod/web-1"), before[1]);
        let events = drill.events();
        for name in ["web-0", "web-2", "web-4"] {
            assert_eq!(count(&events, &format!("pod/{name} created")), 1, "{name}");
        }
        if variant.is_ordered() {
            in_order(
                &events,
                &[
                    "pod/web-0 created",
                    "pod/web-0 ready",
                    "pod/web-2 created",
                    "pod/web-2 ready",
                    "pod/web-4 created",
                ],
            );
        }
        for claim in drill.list("pvc") {
            let owners = claim["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            assert!(owners.iter().all(|owner| owner["kind"] != "Pod"), "{claim}");
        }
    });
}

/// Pod 0 comes to an end before it is ready; by then the ordered controller has created nothing else.
fn recreates_a_finished_pod(phase: &str, finish: &str) {
    every(|variant| {
        let never = "  behavior:\n  - {pod: web-0, ready: never}\n";
        let mut drill = Drill::on(&format!("{STEADY}{never}"), &[]);
        variant.watch(Peers::Sound, &mut drill);
        drill.apply(&variant.set(3));
        let before = uid(&mut drill, "pod/web-0");
        drill.step(finish);
        let events = drill.events_of("pod/web-0");
        in_order(&events, &[&format!("pod/web-0 {phase}"), "pod/web-0 deleted", "pod/web-0 created"]);
        assert_eq!(count(&events, "pod/web-0 deleted"), 1);
        assert_ne!(uid(&mut drill, "pod/web-0"), before);
        assert_eq!(drill.field("pod/web-0", "/status/phase"), "Running");
        let writes = controller_writes(&drill);
        assert_eq!(count(&writes, "Created Pod"), if variant.is_ordered() { 2 } else { 4 });
        assert_eq!(count(&writes, "Removed Pod"), 1, "one delete call, and the object is gone: {writes:?}");
        let deletes = "Normal SuccessfulDelete: Delete Pod web-0 in StatefulSet web successful";
        let messages = drill.messages("sts/web");
        assert_eq!(count(&messages, "Normal SuccessfulDelete"), 1);
        assert_eq!(count(&messages, deletes), 1);
    });
}

#[test]
fn t_sts_005_recreates_a_failed_pod() {
    recreates_a_finished_pod("failed", "- fail: pod/web-0");
}

#[test]
fn t_sts_006_recreates_a_succeeded_pod() {
    let patch = r#"- kubectl: ["patch", "pod", "web-0", "--subresource=status", "-p", '{"status":{"phase":"Succeeded"}}']"#;
    recreates_a_finished_pod("succeeded", patch);
}

#[test]
fn t_sts_013_recreates_the_missing_claim_of_a_pending_pod() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[]);
        drill.kubectl("cordon node-a node-b node-c");
        drill.apply(&variant.set(1));
        let (pod, claim) = (uid(&mut drill, "pod/web-0"), uid(&mut drill, "pvc/data-web-0"));
        drill.kubectl("delete pvc data-web-0");
        assert_eq!(drill.names("pvc"), [""; 0], "no event of claims wakes the set");
        let writes = controller_writes(&drill).len();
        drill.kubectl("annotate sts/web look=again");
        assert_ne!(uid(&mut drill, "pvc/data-web-0"), claim);
        assert_eq!(uid(&mut drill, "pod/web-0"), pod);
        let new = controller_writes(&drill).split_off(writes);
        assert_eq!(count(&new, "Created PersistentVolumeClaim data-web-0"), 1, "{new:?}");
        assert!(new.iter().all(|write| !write.contains(" Pod ")), "{new:?}");
        drill.kubectl("uncordon node-a");
        assert_eq!(counters(&mut drill), [1; 5]);
        assert_eq!(uid(&mut drill, "pod/web-0"), pod);
    });
}

#[test]
fn t_sts_014_creates_pods_from_a_start_ordinal() {
    every(|variant| {
        let set = with(variant.set(3), "/spec/ordinals", json!({"start": 2}));
        let mut drill = variant.play_set(Peers::InOrder, &set);
        assert_eq!(drill.names("pods"), ["web-2", "web-3", "web-4"]);
        assert_eq!(counters(&mut drill), [3; 5]);
        assert_eq!(drill.names("pvc"), ["data-web-2", "data-web-3", "data-web-4"]);
    });
}

/// Names of the revisions by number, and what the status says: current, update.
fn revisions(drill: &mut Drill) -> (Vec<(i64, String)>, [String; 2]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = drill.list("controllerrevisions");
    let mut numbered: Vec<_> =
        all.iter().map(|r| (r["revision"].as_i64().unwrap_or(0), text(&r["metadata"]["name"]))).collect();
    numbered.sort();
    let status = drill.field("sts/web", "/status");
    (numbered, [text(&status["currentRevision"]), text(&status["updateRevision"])])
}

#[test]
fn t_sts_016_017_018_019_chooses_revisions() {
    every(|variant| {
        // OnDelete: the current revision stays what it was.
        let first = with(variant.set(1), "/spec/updateStrategy", json!({"type": "OnDelete"}));
        let mut drill = variant.play_set(Peers::Sound, &first);
        let (all, status) = revisions(&mut drill);
        let r1 = all[0].1.clone();
        assert_eq!(all, [(1, r1.clone())], "016");
        assert_eq!(status, [r1.clone(), r1.clone()], "016");

        drill.apply(&with_image(first.clone(), "v2"));
        let (all, status) = revisions(&mut drill);
        let r2 = all[1].1.clone();
        assert_eq!(all, [(1, r1.clone()), (2, r2.clone())], "017");
        assert_eq!(status, [r1.clone(), r2.clone()], "017");

        let writes = controller_writes(&drill).len();
        drill.kubectl("annotate sts/web look=again");
        drill.apply(&with(with_image(first.clone(), "v2"), "/spec/minReadySeconds", json!(1)));
        let new = controller_writes(&drill).split_off(writes);
        assert!(new.iter().all(|write| !write.contains("ControllerRevision")), "018: {new:?}");
        assert_eq!(revisions(&mut drill), (all, status), "018");

        drill.apply(&with_image(first.clone(), "v3"));
        let (all, _) = revisions(&mut drill);
        let r3 = all[2].1.clone();
        assert_eq!(all, [(1, r1.clone()), (2, r2.clone()), (3, r3.clone())], "019");
        drill.apply(&with_image(first, "v2"));
        let (all, status) = revisions(&mut drill);
        assert_eq!(all, [(1, r1.clone()), (3, r3), (4, r2.clone())], "019");
        assert_eq!(status, [r1, r2], "019");
    });
}

/// Six pods from the third on updated two at a time; the feature gate is on.
fn two_at_a_time(variant: Variant, behavior: &str) -> (Drill, Value) {
    let gate = "  featureGates: {MaxUnavailableStatefulSet: true}\n";
    let mut drill = Drill::on(&format!("{STEADY}{gate}{behavior}"), &[]);
    variant.watch(Peers::Sound, &mut drill);
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 3, "maxUnavailable": 2}});
    let set = with(variant.set(6), "/spec/updateStrategy", strategy);
    drill.apply(&set);
    (drill, set)
}

/// The first two to go, before any of them is gone.
fn first_deletions(events: &[String]) -> Vec<&str> {
    let before = events.iter().take_while(|event| !event.ends_with(" deleted"));
    before.filter_map(|event| event.strip_suffix(" deleting")).collect()
}

fn nothing_happened_below(events: &[String], ordinal: u32) {
    for n in 0..ordinal {
        assert_eq!(count(events, &format!("pod/web-{n} ")), 0, "below the partition: {n}");
    }
}

#[test]
fn t_sts_020_max_unavailable_in_order() {
    every_retention("OrderedReady", |variant| {
        let (mut drill, set) = two_at_a_time(variant, "");
        drill.apply(&with_image(set, "v2"));
        let events = drill.events_of("pod/");
        assert_eq!(first_deletions(&events), ["pod/web-5", "pod/web-4"]);
        in_order(
            &events,
            &[
                "pod/web-4 created",
                "pod/web-4 ready",
                "pod/web-5 created",
                "pod/web-5 ready",
                "pod/web-3 deleting",
                "pod/web-3 ready",
            ],
        );
        let from = events.iter().position(|event| event.starts_with("pod/web-4 ready")).unwrap_or(0);
        assert_eq!(count(&events[..from], "pod/web-5 created"), 0, "one at a time");
        nothing_happened_below(&events, 3);
        assert_eq!(images(&mut drill), "0:v1 1:v1 2:v1 3:v2 4:v2 5:v2");
    });
}

#[test]
fn t_sts_021_max_unavailable_in_parallel() {
    every_retention("Parallel", |variant| {
        let slow = "  behavior:\n  - {pod: web-5, image: 'web:v2', ready: 20s}\n";
        let (mut drill, set) = two_at_a_time(variant, slow);
        drill.apply(&with_image(set, "v2"));
        let events = drill.events_of("pod/");
        assert_eq!(first_deletions(&events), ["pod/web-5", "pod/web-4"]);
        let ready = events.iter().position(|event| event.ends_with(" ready")).unwrap_or(0);
        for name in ["web-4", "web-5"] {
            assert_eq!(count(&events[..ready], &format!("pod/{name} created")), 1, "together: {name}");
        }
        in_order(&events, &["pod/web-4 ready", "pod/web-3 deleting", "pod/web-3 ready", "pod/web-5 ready"]);
        nothing_happened_below(&events, 3);
        assert_eq!(images(&mut drill), "0:v1 1:v1 2:v1 3:v2 4:v2 5:v2");
    });
}

#[test]
fn t_sts_022_every_unavailable_pod_counts() {
    let cases: [(&[u32], &[&str]); 10] = [
        (&[], &["pod/web-5", "pod/web-4"]),
        (&[5], &["pod/web-4"]),
        (&[3], &["pod/web-5"]),
        (&[4], &["pod/web-5"]),
        (&[5, 4], &[]),
        (&[5, 3], &[]),
        (&[4, 3], &[]),
        (&[5, 4, 3], &[]),
        (&[2], &["pod/web-5"]),
        (&[1], &["pod/web-5"]),
    ];
    for (terminating, deleted) in cases {
        // In order an unavailable pod stops everything before; what counts is what Parallel makes of it.
        let variant = Variant { policy: "Parallel", retention: None };
        let (mut drill, set) = two_at_a_time(variant, "");
        for n in terminating {
            let hold = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
            drill.kubectl(&format!("patch pod web-{n} -p '{hold}'"));
            drill.kubectl(&format!("delete pod web-{n} --wait=false"));
        }
        drill.during("100ms", &format!("- apply: {}", json!(with_image(set, "v2").to_string())));
        let events = drill.events_of("pod/");
        assert_eq!(first_deletions(&events), deleted, "terminating: {terminating:?}");
    }
}
