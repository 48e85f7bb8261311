//! The control loop of the StatefulSet controller.
use crate::drill::*;
use serde_json::json;

#[test]
fn t_sts_002_scales_up() {
    let mut drill = Drill::new(&[set(3)]);
    drill.kubectl("scale sts/web --replicas=4");
    assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2", "web-3"]);
    for counter in ["replicas", "readyReplicas", "updatedReplicas"] {
        assert_eq!(drill.field("sts/web", &format!("/status/{counter}")), json!(4), "{counter}");
    }
    in_order(&drill.events(), &["pod/web-3 created", "pod/web-3 running", "pod/web-3 ready"]);
}
