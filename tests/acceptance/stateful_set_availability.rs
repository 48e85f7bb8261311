//! The control loop of the StatefulSet controller: minReadySeconds.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

fn with_min_ready(set: Value, seconds: i64) -> Value {
    with(set, "/spec/minReadySeconds", json!(seconds))
}

fn apply(set: &Value) -> String {
    format!("- apply: {}", json!(set.to_string()))
}

/// Nothing but the status changes for 8 s, in which the pods are ready but not for long enough.
fn nothing_for_a_while(variant: Variant, before: &Value, after: &Value, pods: i64) -> Drill {
    let mut drill = variant.play_set(Peers::Sound, before);
    let settled = counters(&mut drill);
    assert_eq!(settled, [pods; 5]);
    // The pods became ready while the cluster settled, and from now on that is not enough.
    drill.during("8s", &apply(after));
    assert_eq!(drill.events_of("pod/"), [""; 0]);
    assert_eq!(counters(&mut drill)[..3], [pods, pods, 0]);
    drill
}

#[test]
fn t_sts_046_047_available_after_min_ready_seconds() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[]);
        variant.watch(Peers::Sound, &mut drill);
        drill.during("30m", &apply(&with_min_ready(variant.set(1), 3600)));
        assert_eq!(counters(&mut drill), [1, 1, 0, 1, 1]);
        drill.during("90m", "");
        assert_eq!(counters(&mut drill), [1, 1, 1, 1, 1]);
    });
}

#[test]
fn t_sts_053_rolling_update_waits_for_availability() {
    every_retention("OrderedReady", |variant| {
        let after = with_min_ready(with_image(variant.set(2), "v2"), 30);
        let mut drill = nothing_for_a_while(variant, &variant.set(2), &after, 2);
        drill.during("50s", "");
        let events = drill.events();
        in_order(
            &events,
            &["sts-status/web replicas=2 ready=2 available=2", "pod/web-1 deleted", "pod/web-1 created"],
        );
        drill.step("");
        assert_eq!(images(&mut drill), "0:v2 1:v2");
    });
}

#[test]
fn t_sts_054_scale_down_waits_for_availability() {
    every_retention("OrderedReady", |variant| {
        let after = with_min_ready(variant.set(1), 30);
        let mut drill = nothing_for_a_while(variant, &variant.set(3), &after, 3);
        drill.step("");
        assert_eq!(drill.names("pods"), ["web-0"]);
    });
}

#[test]
fn t_sts_055_on_delete_does_not_wait_for_availability() {
    every(|variant| {
        let set = with(variant.set(2), "/spec/updateStrategy", json!({"type": "OnDelete"}));
        let after = with_min_ready(with_image(set.clone(), "v2"), 30);
        let mut drill = nothing_for_a_while(variant, &set, &after, 2);
        let status = drill.field("sts/web", "/status");
        assert_ne!(status["updateRevision"], status["currentRevision"]);
        assert_eq!(drill.names("controllerrevisions").len(), 2);
        assert_eq!(status["updatedReplicas"].as_i64().unwrap_or(0), 0);
    });
}

#[test]
fn t_sts_056_without_min_ready_seconds_ready_is_available() {
    every(|variant| {
        let mut drill = variant.play_set(Peers::InOrder, &with_min_ready(variant.set(3), 0));
        let written = drill.events_of("sts-status/web ");
        assert!(written.iter().any(|status| status.contains(" ready=3 ")), "{written:?}");
        for status in written {
            let value = |name: &str| {
                let words: Vec<_> = status.split(' ').filter_map(|word| word.strip_prefix(name)).collect();
                words.concat()
            };
            assert_eq!(value("ready="), value("available="), "{status}");
        }
        assert_eq!(counters(&mut drill), [3; 5]);
    });
}

#[test]
fn t_sts_057_a_partitioned_update_waits_for_availability() {
    every_retention("OrderedReady", |variant| {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        let set = with(variant.set(4), "/spec/updateStrategy", strategy);
        let after = with_min_ready(with_image(set.clone(), "v2"), 60);
        let mut drill = nothing_for_a_while(variant, &set, &after, 4);
        drill.step("");
        assert_eq!(images(&mut drill), "0:v1 1:v1 2:v2 3:v2");
    });
}
