//! The StatefulSet controller between its queue and its sets: scaling, and what is being deleted.
use crate::drill::*;
use crate::peers::*;
use serde_json::json;

/// Holds an object and deletes it: it stays, terminating.
fn delete_held(drill: &mut Drill, object: &str) {
    hold(drill, object);
    drill.kubectl(&format!("delete {object} --wait=false"));
    assert_ne!(drill.field(object, "/metadata/deletionTimestamp"), json!(null));
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
        delete_held(&mut drill, "pod/web-3");
        delete_held(&mut drill, "pod/web-4");
        let writes = controller_writes(&drill).len();
        drill.kubectl("scale sts/web --replicas=3");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2", "web-3", "web-4"]);
        let new = controller_writes(&drill).split_off(writes);
        assert!(new.iter().all(|write| !write.contains(" Pod ")), "{new:?}");
        let_go(&mut drill, "pod/web-3");
        let_go(&mut drill, "pod/web-4");
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
        delete_held(&mut drill, "pod/web-0");
        drill.kubectl("scale sts/web --replicas=5");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
        assert_eq!(uid(&mut drill, "pod/web-0"), before);
        let_go(&mut drill, "pod/web-0");
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
        delete_held(&mut drill, "sts/web");
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
