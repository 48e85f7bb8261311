//! What the StatefulSet controller does when the API server refuses a write: it tells, stops there, and tries again. In
//! the end nothing is left of it.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

const TIMED_OUT: &str = "Internal error occurred: etcdserver: request timed out";

fn apply(manifest: &Value) -> String {
    format!("- apply: {}", json!(manifest.to_string()))
}

/// A cluster that refuses this from the start: `{writes: create, of: pod/web-1, times: 1}`.
fn refusing(refusal: &str) -> Drill {
    let mut drill = Drill::on(STEADY, &[]);
    refuse(&mut drill, refusal);
    drill
}

fn refuse(drill: &mut Drill, refusal: &str) {
    drill.step(&format!("- refuse: {refusal}"));
}

/// So many more of them would be refused.
fn left(drill: &Drill) -> Vec<Option<u32>> {
    drill.cluster().world.write_faults.iter().map(|fault| fault.writes.times).collect()
}

/// The Events about the set that warn, in order.
fn warnings(drill: &mut Drill) -> Vec<String> {
    drill.messages("sts/web").into_iter().filter(|message| message.starts_with("Warning")).collect()
}

/// Pod 0 comes to an end, and its deletion is refused once.
fn deletes_a_finished_pod_at_the_second_try(finish: &str) {
    every(|variant| {
        let never = "  behavior:\n  - {pod: web-0, ready: never}\n";
        let mut drill = Drill::on(&format!("{STEADY}{never}"), &[]);
        variant.watch(Peers::Sound, &mut drill);
        refuse(&mut drill, "{writes: delete, of: pod/web-0, times: 1}");
        drill.apply(&variant.set(3));
        let (before, writes) = (uid(&mut drill, "pod/web-0"), controller_writes(&drill).len());
        drill.step(finish);
        assert_eq!(left(&drill), [Some(0)]);
        let new = controller_writes(&drill).split_off(writes);
        let pods: Vec<_> = new.iter().filter(|write| write.contains(" Pod ")).collect();
        assert_eq!(pods, ["Removed Pod web-0", "Created Pod web-0"]);
        assert_ne!(uid(&mut drill, "pod/web-0"), before);
        let text =
            format!("Warning FailedDelete: Delete Pod web-0 in StatefulSet web failed error: {TIMED_OUT}");
        assert_eq!(count(&warnings(&mut drill), "Warning FailedDelete"), 1);
        assert_eq!(count(&warnings(&mut drill), &text), 1);
        assert_eq!(count(&drill.messages("sts/web"), "Normal SuccessfulDelete"), 1);
    });
}

#[test]
fn t_sts_007_a_failed_pod_is_deleted_at_the_second_try() {
    deletes_a_finished_pod_at_the_second_try("- fail: pod/web-0");
}

#[test]
fn t_sts_008_a_succeeded_pod_is_deleted_at_the_second_try() {
    deletes_a_finished_pod_at_the_second_try(
        r#"- kubectl: ["patch", "pod", "web-0", "--subresource=status", "-p", '{"status":{"phase":"Succeeded"}}']"#,
    );
}

#[test]
fn t_sts_009_a_pod_is_created_at_the_second_try() {
    every(|variant| {
        let mut drill = refusing("{writes: create, of: pod/*, skip: 1, times: 1}");
        variant.watch(Peers::InOrder, &mut drill);
        drill.apply(&variant.set(3));
        assert_eq!(left(&drill), [Some(0)]);
        let text =
            format!("Warning FailedCreate: Create Pod web-1 in StatefulSet web failed error: {TIMED_OUT}");
        assert_eq!(count(&warnings(&mut drill), &text), 1);
        assert_eq!(count(&controller_writes(&drill), "Created Pod"), 3);
        assert_eq!(counters(&mut drill), [3; 5]);
    });
}

#[test]
fn t_sts_010_071_a_repair_that_is_refused() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[variant.set(3)]);
        refuse(&mut drill, "{writes: update, of: pod/web-0}");
        let wrong = "label pod web-0 statefulset.kubernetes.io/pod-name=web-7 --overwrite";
        drill.during("1s", &format!("- kubectl: {wrong}"));
        let text =
            format!("Warning FailedUpdate: Update Pod web-0 in StatefulSet web failed error: {TIMED_OUT}");
        let updates = |drill: &mut Drill| {
            warnings(drill).into_iter().filter(|warning| warning.contains("FailedUpdate: Update Pod web-0"))
        };
        assert_eq!(updates(&mut drill).filter(|warning| *warning == text).count(), 1);
        let label = "/metadata/labels/statefulset.kubernetes.io~1pod-name";
        assert_eq!(
            drill.field("pod/web-0", label),
            "web-7",
            "neither the object nor the cached one is touched"
        );
        assert_eq!(counters(&mut drill), [3; 5], "otherwise it is complete");
        drill.step("- refuse: nothing");
        drill.kubectl("annotate sts/web look=again");
        assert_eq!(drill.field("pod/web-0", label), "web-0");
        assert_eq!(count(&drill.messages("sts/web"), "Normal SuccessfulUpdate: Update Pod web-0 "), 1);
    });
}

#[test]
fn t_sts_011_a_status_that_is_refused_is_written_later() {
    every(|variant| {
        let mut drill = refusing("{writes: update, of: sts/web, skip: 1, times: 1}");
        variant.watch(Peers::InOrder, &mut drill);
        drill.apply(&variant.set(3));
        assert_eq!(left(&drill), [Some(0)]);
        assert_eq!(counters(&mut drill), [3; 5]);
        assert_eq!(drill.field("sts/web", "/status/observedGeneration"), 1);
    });
}

#[test]
fn t_sts_012_only_deletions_that_succeed_are_counted() {
    every(|variant| {
        let mut drill = variant.play(Peers::Counted, 3);
        refuse(&mut drill, "{writes: delete, of: pod/web-2, times: 1}");
        drill.apply(&with_image(variant.set(3), "v2"));
        assert_eq!(left(&drill), [Some(0)]);
        let status = "sts-status/web replicas=3 ready=3 available=3";
        in_order(
            &drill.events(),
            &[
                &format!("{status} current=3 updated=0 currentRevision=rev-1 updateRevision=rev-2"),
                "pod/web-2 deleting",
                &format!("{status} current=2 updated=0 currentRevision=rev-1 updateRevision=rev-2"),
                "pod/web-2 deleted",
            ],
        );
        assert_eq!(images(&mut drill), "0:v2 1:v2 2:v2");
    });
}

#[test]
fn t_sts_015_scales_down_at_the_second_try() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 3);
        refuse(&mut drill, "{writes: delete, of: pod/*, skip: 1, times: 1}");
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(left(&drill), [Some(0)]);
        assert_eq!(count(&warnings(&mut drill), "Warning FailedDelete: Delete Pod web-1 "), 1);
        assert_eq!(counters(&mut drill), [0; 5]);
        assert_eq!(drill.names("pods"), [""; 0]);
    });
}

#[test]
fn t_sts_037_the_history_is_limited_although_no_status_can_be_written() {
    let limit = 2;
    every(|variant| {
        let set = with(variant.set(2), "/spec/revisionHistoryLimit", json!(limit));
        let mut drill = variant.play_set(Peers::Sound, &set);
        refuse(&mut drill, "{writes: update, of: sts/web}");
        for n in 2..limit + 7 {
            drill.apply(&with_image(set.clone(), &format!("v{n}")));
            let revisions = drill.names("controllerrevisions").len();
            assert!(i64::try_from(revisions).is_ok_and(|n| n <= limit + 2), "{revisions} after update {n}");
            assert_eq!(images(&mut drill), format!("0:v{n} 1:v{n}"));
        }
        assert_eq!(drill.field("sts/web", "/status/observedGeneration"), 1);
    });
}

/// The first sync of a new set ends after 14 ms; what the next one writes comes 3 ms later.
#[test]
fn t_sts_048_the_status_is_written_once_whatever_fails() {
    every(|variant| {
        for (sync_fails, status_fails) in [(false, false), (true, false), (false, true), (true, true)] {
            let times = |fails: bool| if fails { 100 } else { 0 };
            let mut drill = refusing(&format!("{{writes: create, of: pod/*, times: {}}}", times(sync_fails)));
            refuse(&mut drill, &format!("{{writes: update, of: sts/web, times: {}}}", times(status_fails)));
            drill.during("16ms", &apply(&variant.set(1)));
            let tried = [sync_fails, status_fails].map(|fails| Some(times(fails) - u32::from(fails)));
            assert_eq!(left(&drill), tried, "each once: {sync_fails} {status_fails}");
            let writes = controller_writes(&drill);
            assert_eq!(count(&writes, "Updated StatefulSet web"), usize::from(!status_fails), "{writes:?}");
            assert_eq!(count(&writes, "Created Pod web-0"), usize::from(!sync_fails), "{writes:?}");
            // Either error is one of the sync: it is done again.
            drill.step("- refuse: nothing\n  settle: false");
            assert_eq!(counters(&mut drill), [1; 5]);
        }
    });
}

#[test]
fn t_sts_065_without_its_claim_there_is_no_pod() {
    every(|variant| {
        let mut drill = refusing("{writes: create, of: pvc/data-web-0}");
        drill.during("1s", &apply(&variant.set(1)));
        assert_eq!((drill.names("pods"), drill.names("pvc")), (vec![], vec![]));
        let claim = format!(
            "Warning FailedCreate: Create Claim data-web-0 for Pod web-0 in StatefulSet web failed error: {TIMED_OUT}"
        );
        let pod = format!(
            "Warning FailedCreate: Create Pod web-0 in StatefulSet web failed error: \
             failed to create PVC data-web-0: {TIMED_OUT}"
        );
        assert_eq!(drill.messages("sts/web"), [claim, pod]);
    });
}

#[test]
fn t_sts_073_without_its_claim_a_pod_is_not_updated() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[variant.set(1)]);
        drill.kubectl("delete sts web --cascade=orphan");
        refuse(&mut drill, "{writes: create, of: pvc/logs-*}");
        let first = variant.set(1)["spec"]["volumeClaimTemplates"][0].clone();
        let second = with(first.clone(), "/metadata/name", json!("logs"));
        let again = with(variant.set(1), "/spec/volumeClaimTemplates", json!([first, second]));
        drill.during("1s", &apply(&again));
        assert_eq!(drill.names("pvc"), ["data-web-0"]);
        let warnings = warnings(&mut drill);
        let claim =
            "Warning FailedCreate: Create Claim logs-web-0 for Pod web-0 in StatefulSet web failed error: ";
        let pod =
            "Warning FailedUpdate: Update Pod web-0 in StatefulSet web failed error: failed to create PVC ";
        assert_eq!((count(&warnings, claim), count(&warnings, pod)), (1, 1), "{warnings:?}");
    });
}

#[test]
fn t_sts_074_an_update_that_conflicts_is_tried_again_at_once() {
    every(|variant| {
        // Four tries; the fifth is one of the next sync.
        for (conflicts, failed) in [(1, 0), (3, 0), (4, 1)] {
            let mut drill = Drill::on(STEADY, &[variant.set(1)]);
            let before = warnings(&mut drill);
            refuse(
                &mut drill,
                &format!("{{writes: update, of: pod/web-0, error: Conflict, times: {conflicts}}}"),
            );
            drill.kubectl("label pod web-0 statefulset.kubernetes.io/pod-name=web-7 --overwrite");
            assert_eq!(left(&drill), [Some(0)]);
            let label = "/metadata/labels/statefulset.kubernetes.io~1pod-name";
            assert_eq!(drill.field("pod/web-0", label), "web-0");
            assert_eq!(count(&drill.messages("sts/web"), "Normal SuccessfulUpdate: Update Pod web-0 "), 1);
            assert_eq!(warnings(&mut drill).len() - before.len(), failed, "{conflicts} conflicts");
        }
    });
}

#[test]
fn t_sts_077_tells_of_a_deletion_that_failed() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 2);
        refuse(&mut drill, "{writes: delete, of: pod/web-1}");
        drill.during("1s", "- kubectl: scale sts/web --replicas=1");
        assert_eq!(drill.names("pods"), ["web-0", "web-1"]);
        let text =
            format!("Warning FailedDelete: Delete Pod web-1 in StatefulSet web failed error: {TIMED_OUT}");
        let messages = drill.messages("sts/web");
        assert_eq!(count(&messages, &text), 1, "{messages:?}");
        assert_eq!(count(&messages, "Normal SuccessfulDelete"), 0, "{messages:?}");
    });
}

/// All counters are written; on a conflict at once again, five times in all; then the sync has failed.
#[test]
fn t_sts_135_the_status_is_written_in_five_tries() {
    for (conflicts, written) in [(0, true), (1, true), (4, true), (5, false)] {
        let variant = Variant { policy: "Parallel", retention: None };
        let mut drill =
            refusing(&format!("{{writes: update, of: sts/web, error: Conflict, times: {conflicts}}}"));
        drill.during("16ms", &apply(&variant.set(1)));
        assert_eq!(left(&drill), [Some(0)]);
        let status = drill.field("sts/web", "/status/observedGeneration");
        assert_eq!(status == json!(1), written, "{conflicts} conflicts");
        drill.step("");
        assert_eq!(counters(&mut drill), [1; 5]);
    }
    // Any other error is not tried again in the same sync.
    let mut drill = refusing("{writes: update, of: sts/web, times: 2}");
    drill.during("16ms", &apply(&set_with_claims(1)));
    assert_eq!(left(&drill), [Some(1)]);
}

#[test]
fn t_sts_156_the_status_counts_the_pods_there_are() {
    every(|variant| {
        let mut drill = refusing("{writes: create, of: pod/*, skip: 2, error: Forbidden}");
        variant.watch(Peers::InOrder, &mut drill);
        drill.during("60s", &apply(&variant.set(4)));
        assert_eq!(drill.names("pods"), ["web-0", "web-1"]);
        assert_eq!(counters(&mut drill), [2; 5]);
        let text = "Warning FailedCreate: Create Pod web-2 in StatefulSet web failed error: \
                    admission webhook \"refuse.example.com\" denied the request";
        assert_eq!(count(&warnings(&mut drill), text), 1);
    });
}

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
            let faults = &drill.cluster().world.write_faults;
            assert!(faults.iter().all(|fault| fault.writes.times == Some(0)), "{faults:?}");
            assert_eq!(end(&mut drill), undisturbed, "{policy}: {disturbance}");
            for pod in drill.list("pods") {
                assert_eq!(pod["metadata"]["labels"]["app"], "web");
                assert_eq!(pod["metadata"]["ownerReferences"][0]["name"], "web");
            }
        }
    }
}
