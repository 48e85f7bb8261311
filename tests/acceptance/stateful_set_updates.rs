//! The control loop of the StatefulSet controller: updates, partitions, rollbacks, history.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

const ON_DELETE: &str = r#"{"type": "OnDelete"}"#;
const PARTITION: &str = r#"{"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}"#;

fn with_strategy(set: Value, strategy: &str) -> Value {
    with(set, "/spec/updateStrategy", serde_json::from_str(strategy).expect("a strategy"))
}

/// The order in which pods were deleted and got ready: `-2 +2 -1 +1`. Two new ones of a kind, created in parallel, get
/// ready in either order.
fn roll(drill: &Drill) -> String {
    let mut roll = Vec::new();
    for event in drill.events_of("pod/web-") {
        let rest = event.strip_prefix("pod/web-").unwrap_or_default();
        match rest.split_once(' ') {
            Some((n, "deleting")) => roll.push(format!("-{n}")),
            Some((n, "ready")) => roll.push(format!("+{n}")),
            _ => {}
        }
    }
    roll.join(" ").replace("+4 +3", "+3 +4")
}

/// From `before` pods to `after` with another image at the same time.
fn updates(policy: &'static str, before: i64, after: i64, expected_roll: &str) {
    every_retention(policy, |variant| {
        // While pods are taken away in parallel, the status also counts those.
        let counted = variant.is_ordered() || before <= after;
        let peers = if counted { Peers::Counted } else { Peers::Sound };
        let mut drill = variant.play(peers, before);
        drill.apply(&with_image(variant.set(after), "v2"));
        let expected: Vec<_> = (0..after).map(|n| format!("{n}:v2")).collect();
        assert_eq!(images(&mut drill), expected.join(" "));
        assert_eq!(counters(&mut drill), [after; 5]);
        assert_eq!(roll(&drill), expected_roll);
        let status = drill.field("sts/web", "/status");
        assert_eq!(status["currentRevision"], status["updateRevision"]);
        for pod in drill.list("pods") {
            assert_eq!(pod["metadata"]["labels"]["controller-revision-hash"], status["updateRevision"]);
        }
    });
}

#[test]
fn t_sts_023_updates_in_order() {
    updates("OrderedReady", 3, 3, "-2 +2 -1 +1 -0 +0");
}

#[test]
fn t_sts_024_updates_in_order_and_scales_up() {
    updates("OrderedReady", 3, 5, "+3 +4 -2 +2 -1 +1 -0 +0");
}

#[test]
fn t_sts_025_updates_in_order_and_scales_down() {
    updates("OrderedReady", 5, 3, "-4 -3 -2 +2 -1 +1 -0 +0");
}

#[test]
fn t_sts_026_updates_in_parallel() {
    updates("Parallel", 3, 3, "-2 +2 -1 +1 -0 +0");
}

#[test]
fn t_sts_027_updates_in_parallel_and_scales_up() {
    updates("Parallel", 3, 5, "+3 +4 -2 +2 -1 +1 -0 +0");
}

#[test]
fn t_sts_028_updates_in_parallel_and_scales_down() {
    updates("Parallel", 5, 3, "-4 -3 -2 +2 -1 +1 -0 +0");
}

/// Pods keep their image under OnDelete; new ones get the new one (STS-51); after a restart all have it.
fn on_delete(policy: &'static str, before: i64, after: i64, expected: &str) {
    every_retention(policy, |variant| {
        let mut drill = variant.play_set(Peers::Sound, &with_strategy(variant.set(before), ON_DELETE));
        drill.apply(&with_strategy(with_image(variant.set(after), "v2"), ON_DELETE));
        assert_eq!(images(&mut drill), expected);
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(images(&mut drill), "");
        drill.kubectl(&format!("scale sts/web --replicas={after}"));
        let renewed: Vec<_> = (0..after).map(|n| format!("{n}:v2")).collect();
        assert_eq!(images(&mut drill), renewed.join(" "));
        assert_eq!(counters(&mut drill)[..3], [after; 3]);
    });
}

#[test]
fn t_sts_029_on_delete_in_order() {
    on_delete("OrderedReady", 3, 3, "0:v1 1:v1 2:v1");
}

#[test]
fn t_sts_030_on_delete_in_order_scales_up() {
    on_delete("OrderedReady", 3, 5, "0:v1 1:v1 2:v1 3:v2 4:v2");
}

#[test]
fn t_sts_031_on_delete_in_order_scales_down() {
    on_delete("OrderedReady", 5, 3, "0:v1 1:v1 2:v1");
}

#[test]
fn t_sts_032_on_delete_in_parallel() {
    on_delete("Parallel", 3, 3, "0:v1 1:v1 2:v1");
    on_delete("Parallel", 3, 5, "0:v1 1:v1 2:v1 3:v2 4:v2");
    on_delete("Parallel", 5, 3, "0:v1 1:v1 2:v1");
}

fn partitioned(policy: &'static str, after: i64, expected: &str, expected_roll: &str) {
    every_retention(policy, |variant| {
        let mut drill = variant.play_set(Peers::Counted, &with_strategy(variant.set(3), PARTITION));
        drill.apply(&with_strategy(with_image(variant.set(after), "v2"), PARTITION));
        assert_eq!(images(&mut drill), expected);
        assert_eq!(roll(&drill), expected_roll);
        assert_eq!(counters(&mut drill), [after, after, after, 2, after - 2]);
        let status = drill.field("sts/web", "/status");
        assert_ne!(status["currentRevision"], status["updateRevision"], "it is not complete");
    });
}

#[test]
fn t_sts_033_partition_in_order() {
    partitioned("OrderedReady", 3, "0:v1 1:v1 2:v2", "-2 +2");
}

#[test]
fn t_sts_034_partition_in_order_scales_up() {
    partitioned("OrderedReady", 5, "0:v1 1:v1 2:v2 3:v2 4:v2", "+3 +4 -2 +2");
}

#[test]
fn t_sts_035_partition_in_parallel() {
    partitioned("Parallel", 3, "0:v1 1:v1 2:v2", "-2 +2");
}

#[test]
fn t_sts_036_partition_in_parallel_scales_up() {
    partitioned("Parallel", 5, "0:v1 1:v1 2:v2 3:v2 4:v2", "+3 +4 -2 +2");
}

/// Ten updates; the number of revisions after each, for a history limit.
fn revisions_after_updates(variant: Variant, limit: i64) -> Vec<usize> {
    let set = with(variant.set(3), "/spec/revisionHistoryLimit", json!(limit));
    let mut drill = variant.play_set(Peers::Counted, &set);
    let mut numbers = Vec::new();
    for n in 2..12 {
        drill.apply(&with_image(set.clone(), &format!("v{n}")));
        assert_eq!(images(&mut drill), format!("0:v{n} 1:v{n} 2:v{n}"));
        numbers.push(drill.names("controllerrevisions").len());
    }
    numbers
}

/// Current and update revision are live and not counted; between updates they are one.
fn is_limited(variant: Variant, limit: i64) {
    let most = usize::try_from(limit).unwrap_or(0) + 2;
    let numbers = revisions_after_updates(variant, limit);
    assert!(numbers.iter().all(|n| *n <= most), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&(most - 1)), "the history is kept up to its limit");
}

#[test]
fn t_sts_038_the_history_is_limited() {
    every(|variant| is_limited(variant, 2));
}

#[test]
fn t_sts_039_040_041_the_history_is_limited_to_none_or_five_or_not_at_all() {
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: None };
        is_limited(variant, 0);
        is_limited(variant, 5);
        assert_eq!(revisions_after_updates(variant, -2), (2..12).collect::<Vec<usize>>());
    }
}

/// Back to the oldest revision, with another size at the same time.
fn rolls_back(policy: &'static str, before: i64, after: i64) {
    every_retention(policy, |variant| {
        let mut drill = variant.play(Peers::Sound, before);
        let oldest = drill.names("controllerrevisions");
        drill.apply(&with_image(variant.set(before), "v2"));
        drill.apply(&with_image(variant.set(before), "v3"));
        drill.step(&format!(
            "- kubectl: rollout undo sts/web --to-revision=1\n\
             - kubectl: scale sts/web --replicas={after}\n  settle: false"
        ));
        let expected: Vec<_> = (0..after).map(|n| format!("{n}:v1")).collect();
        assert_eq!(images(&mut drill), expected.join(" "));
        assert_eq!(counters(&mut drill), [after; 5]);
        assert_eq!(drill.field("sts/web", "/status/updateRevision"), json!(oldest[0]));
        assert_eq!(drill.field("sts/web", "/status/currentRevision"), json!(oldest[0]));
        assert_eq!(drill.names("controllerrevisions").len(), 3, "no new revision");
    });
}

#[test]
fn t_sts_042_rolls_back() {
    rolls_back("OrderedReady", 3, 3);
}

#[test]
fn t_sts_043_rolls_back_and_scales_up() {
    rolls_back("OrderedReady", 3, 5);
}

#[test]
fn t_sts_044_rolls_back_and_scales_down() {
    rolls_back("OrderedReady", 5, 3);
}

#[test]
fn t_sts_045_rolls_back_in_parallel() {
    rolls_back("Parallel", 3, 3);
    rolls_back("Parallel", 3, 5);
    rolls_back("Parallel", 5, 3);
}

#[test]
fn t_sts_059_062_pods_are_in_order_and_claims_owned_while_it_scales() {
    every_retention("OrderedReady", |variant| {
        let set = |replicas| with(variant.set(replicas), "/spec/ordinals", json!({"start": 3}));
        let mut drill = variant.play_set(Peers::InOrder, &set(2));
        for replicas in [5, 1, 3, 0] {
            drill.apply(&set(replicas));
            assert_eq!(counters(&mut drill), [replicas; 5]);
        }
    });
}

#[test]
fn t_sts_060_061_062_pods_are_sound_and_counted_while_it_updates_in_parallel() {
    every_retention("Parallel", |variant| {
        let mut drill = variant.play(Peers::Counted, 2);
        for (replicas, image) in [(2, "v2"), (4, "v3"), (5, "v3"), (5, "v4")] {
            drill.apply(&with_image(variant.set(replicas), image));
            assert_eq!(counters(&mut drill), [replicas; 5]);
        }
    });
}
