//! The StatefulSet controller between its queue and its sets: scaling, and what is being deleted.
use crate::drill::*;
use crate::peers::*;
use serde_json::json;

const HOLD: &str = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;

/// Gives an object a finalizer and deletes it: it stays, terminating.
fn hold(drill: &mut Drill, object: &str) {
    drill.step(&format!(
        "- kubectl: {}\n- kubectl: delete {object} --wait=false",
        json!(["patch", object, "--type=merge", "-p", HOLD])
    ));
    assert_ne!(drill.field(object, "/metadata/deletionTimestamp"), json!(null));
}

fn release(drill: &mut Drill, object: &str) {
    let patch = json!({"metadata": {"finalizers": null}}).to_string();
    drill.step(&format!("- kubectl: {}", json!(["patch", object, "--type=merge", "-p", patch])));
}

#[test]
fn t_sts_085_086_scales_up_and_down_by_its_queue() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 0);
        assert_eq!(counters(&mut drill), [0; 5]);
        drill.kubectl("scale sts/web --replicas=3");
        assert_eq!(counters(&mut drill), [3; 5]);
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(counters(&mut drill), [0; 5]);
        assert_eq!(drill.names("pods"), [""; 0]);
    });
}

#[test]
fn t_sts_087_pods_that_are_terminating_are_left_alone() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 5);
        hold(&mut drill, "pod/web-3");
        hold(&mut drill, "pod/web-4");
        let writes = controller_writes(&drill).len();
        drill.kubectl("scale sts/web --replicas=3");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2", "web-3", "web-4"]);
        let new = controller_writes(&drill).split_off(writes);
        assert!(new.iter().all(|write| !write.contains(" Pod ")), "{new:?}");
        release(&mut drill, "pod/web-3");
        release(&mut drill, "pod/web-4");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
        assert_eq!(counters(&mut drill), [3; 5]);
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(counters(&mut drill), [0; 5]);
    });
}

#[test]
fn t_sts_088_a_terminating_pod_blocks_scaling_up() {
    every_retention("OrderedReady", |variant| {
        let mut drill = variant.play(Peers::Sound, 3);
        let before = uid(&mut drill, "pod/web-0");
        hold(&mut drill, "pod/web-0");
        drill.kubectl("scale sts/web --replicas=5");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
        assert_eq!(uid(&mut drill, "pod/web-0"), before);
        release(&mut drill, "pod/web-0");
        in_order(
            &drill.events(),
            &[
                "pod/web-0 deleted",
                "pod/web-0 created",
                "pod/web-0 ready",
                "pod/web-3 created",
                "pod/web-3 ready",
                "pod/web-4 created",
            ],
        );
        assert_eq!(counters(&mut drill), [5; 5]);
    });
}

#[test]
fn t_sts_089_a_set_that_is_being_deleted_creates_no_pod() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 3);
        hold(&mut drill, "sts/web");
        let writes = controller_writes(&drill).len();
        drill.kubectl("delete pod web-1");
        drill.kubectl("annotate sts/web look=again");
        drill.step("- restart: kube-controller-manager");
        assert_eq!(drill.names("pods"), ["web-0", "web-2"]);
        let new = controller_writes(&drill).split_off(writes);
        assert!(new.iter().all(|write| write == "Updated StatefulSet web"), "{new:?}");
        assert_eq!(counters(&mut drill)[..3], [2; 3], "its status is kept");
    });
}
