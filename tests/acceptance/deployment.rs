//! The Deployment controller: rollouts, scaling, history, conditions.
use crate::drill::*;
use serde_json::{Value, json};

/// A Deployment `web` of this many pods with label `app: web` and container `web:v1`.
pub(crate) fn deployment(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            },
        },
    })
}

/// The same with these bounds of a rolling update.
fn rolling(replicas: i64, surge: Value, unavailable: Value) -> Value {
    let bounds =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
    with(deployment(replicas), "/spec/strategy", bounds)
}

fn recreating(replicas: i64) -> Value {
    with(deployment(replicas), "/spec/strategy", json!({"type": "Recreate"}))
}

/// A ReplicaSet as somebody made it by hand, of version `n`: matches the Deployment `web`.
fn old_set(n: i64, replicas: i64, annotations: Value) -> Value {
    let labels = json!({"app": "web", "version": n.to_string()});
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": format!("web-v{n}"), "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(n)},
    })
}

fn template(n: i64) -> Value {
    json!({
        "metadata": {"labels": {"app": "web", "version": n.to_string()}},
        "spec": {"containers": [{"name": "web", "image": format!("web:v{n}")}]},
    })
}

/// A steady cluster whose pods of image `web:broken` never get ready.
fn cluster() -> String {
    format!("{STEADY}  behavior:\n  - {{image: 'web:broken', ready: never}}\n")
}

/// Sizes of the ReplicaSets by revision: (revision, spec.replicas).
fn sizes(drill: &mut Drill) -> Vec<(i64, i64)> {
    let number = |set: &Value| {
        let text = set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let mut sizes: Vec<_> = drill
        .list("rs")
        .iter()
        .map(|set| (number(set), set["spec"]["replicas"].as_i64().unwrap_or(-1)))
        .collect();
    sizes.sort_unstable();
    sizes
}

fn images(drill: &mut Drill) -> Vec<String> {
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap_or("").to_owned();
    let mut images: Vec<_> = drill.list("pods").iter().map(image).collect();
    images.sort();
    images
}

/// The condition of a type: status/reason.
fn condition(drill: &mut Drill, kind: &str) -> String {
    let conditions = drill.field("deploy/web", "/status/conditions");
    let found = conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == kind);
    found.map_or("none".into(), |c| {
        format!("{}/{}", c["status"].as_str().unwrap_or(""), c["reason"].as_str().unwrap_or(""))
    })
}

/// Whole seconds since midnight of a condition's time.
fn seconds_of(drill: &mut Drill, kind: &str, field: &str) -> i64 {
    let conditions = drill.field("deploy/web", "/status/conditions");
    let found = conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == kind);
    let text = found.and_then(|c| c[field].as_str()).expect("a time").to_owned();
    let clock: Vec<i64> =
        text[11..19].split(':').map(|part| part.parse().expect("digits of a clock")).collect();
    clock[0] * 3600 + clock[1] * 60 + clock[2]
}

fn complete(drill: &mut Drill, replicas: i64) {
    for counter in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(drill.field("deploy/web", &format!("/status/{counter}")), json!(replicas), "{counter}");
    }
    assert_eq!(condition(drill, "Progressing"), "True/NewReplicaSetAvailable");
    assert_eq!(condition(drill, "Available"), "True/MinimumReplicasAvailable");
    let observed = drill.field("deploy/web", "/status/observedGeneration");
    assert_eq!(observed, drill.field("deploy/web", "/metadata/generation"));
}

const SET_V2: &str = "set image deploy/web web=web:v2";
const SET_BROKEN: &str = "set image deploy/web web=web:broken";
const GRACE: &str = "/spec/template/spec/terminationGracePeriodSeconds";
const STOP: &str = "- stop: kube-controller-manager";
const START: &str = "- start: kube-controller-manager";

#[test]
fn t_dep_001_the_new_set_grows_within_the_surge() {
    // Surge, unavailable, size of the old set when the rollout begins => size at which the new one is made.
    for (surge, unavailable, old, new) in [(0, 1, 10, 0), (2, 0, 10, 2), (2, 0, 5, 7)] {
        let mut drill = Drill::on(&cluster(), &[rolling(10, json!(surge), json!(unavailable))]);
        drill.step(STOP);
        let set = drill.names("rs").remove(0);
        drill.kubectl(&format!("scale rs/{set} --replicas={old}"));
        drill.kubectl(SET_BROKEN);
        drill.step(START);
        let created = drill.events_of("rs/web-rs-2 created");
        assert_eq!(created, [format!("rs/web-rs-2 created replicas={new}")], "surge {surge}, old {old}");
        if unavailable == 0 {
            // Old and new together fill the surge: nothing more happens.
            assert_eq!(drill.events_of("rs/web-rs-2 scaled"), [""; 0], "surge {surge}, old {old}");
            assert_eq!(sizes(&mut drill), [(1, old), (2, new)]);
        }
    }
    let mut drill = Drill::on(&cluster(), &[rolling(10, json!(2), json!(0))]);
    let set = drill.names("rs").remove(0);
    drill.kubectl(&format!("scale rs/{set} --replicas=11"));
    assert_eq!(drill.events_of("rs/"), ["rs/web-rs-1 scaled 10->11", "rs/web-rs-1 scaled 11->10"]);
}

#[test]
fn t_dep_002_003_004_old_sets_shrink_unhealthy_pods_first() {
    // maxUnavailable (1%: rounded down to none, then one), old pods not ready => size of the old set, and how many of
    // those that went were ready.
    for (unavailable, unready, old, ready_gone) in [
        (json!("1%"), 0, 9, 1),
        (json!(2), 0, 8, 2),
        (json!(2), 1, 8, 1),
        (json!(2), 2, 8, 0),
        (json!(2), 9, 8, 0),
        (json!(1), 2, 9, 0),
        (json!(3), 2, 7, 1),
    ] {
        let name = format!("unavailable {unavailable}, {unready} not ready");
        let mut drill = Drill::on(&cluster(), &[rolling(10, json!("0%"), unavailable)]);
        for pod in drill.names("pods").into_iter().take(unready) {
            drill.step(&format!("- unready: pod/{pod}"));
        }
        drill.kubectl(SET_BROKEN);
        let events = drill.events();
        let new = 10 - old;
        assert_eq!(sizes(&mut drill), [(1, old), (2, new)], "{name}");
        // The pods of the new set are not available: nothing further goes.
        let ready_left = drill.list("pods").iter().filter(|pod| is_ready(pod)).count();
        assert_eq!(ready_left, 10 - unready - ready_gone, "{name}");
        assert_eq!(events.iter().filter(|e| e.ends_with(" deleting")).count() as i64, new, "{name}");
    }
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// A paused Deployment of three hand-made ReplicaSets, oldest first, that were sized for `before`; then what their
/// sizes are. 0 of `surge` is a percentage of none. Negative: the set does not exist.
fn scaled(before: i64, replicas: i64, surge: (i64, i64), sets: [i64; 3]) -> [i64; 3] {
    let mut drill = Drill::on(&cluster(), &[]);
    drill.step(STOP);
    for (n, size) in (1..).zip(sets).filter(|(_, size)| *size >= 0) {
        let sized = json!({
            "deployment.kubernetes.io/desired-replicas": before.to_string(),
            "deployment.kubernetes.io/max-replicas": (before + surge.0).to_string(),
            "deployment.kubernetes.io/revision": n.to_string(),
        });
        drill.apply(&old_set(n, size, sized));
        drill.sleep("1s");
    }
    let newest = (1..).zip(sets).filter(|(_, size)| *size >= 0).map(|(n, _)| n).max().unwrap_or(1);
    let paused = with(rolling(replicas, json!(surge.1), json!(1)), "/spec/paused", json!(true));
    drill.apply(&with(paused, "/spec/template", template(newest)));
    drill.step(START);
    for (n, _) in (1..).zip(sets).filter(|(_, size)| *size >= 0) {
        let annotations = drill.field(&format!("rs/web-v{n}"), "/metadata/annotations");
        let size = drill.field(&format!("rs/web-v{n}"), "/spec/replicas");
        if size != json!(0) {
            let desired = &annotations["deployment.kubernetes.io/desired-replicas"];
            assert_eq!(desired, &json!(replicas.to_string()), "web-v{n}");
        }
    }
    [1, 2, 3].map(|n| {
        let set = drill.find(&format!("rs/web-v{n}"));
        set.map_or(-1, |set| set["spec"]["replicas"].as_i64().expect("a number"))
    })
}

#[test]
fn t_dep_006_scaling_is_proportional() {
    for (name, before, replicas, surge, sets, expected) in [
        ("one set up", 10, 12, (0, 0), [10, -1, -1], [12, -1, -1]),
        ("one set down", 10, 5, (0, 0), [10, -1, -1], [5, -1, -1]),
        ("in proportion up", 5, 10, (0, 0), [3, 2, -1], [6, 4, -1]),
        ("in proportion down", 5, 3, (0, 0), [3, 2, -1], [2, 1, -1]),
        ("a small one vanishes", 9, 4, (0, 0), [1, 8, -1], [0, 4, -1]),
        ("three up", 7, 10, (0, 0), [2, 3, 2], [3, 4, 3]),
        ("three down", 13, 8, (0, 0), [3, 8, 2], [2, 5, 1]),
        ("the rest to the newest", 3, 4, (0, 0), [1, 1, 1], [1, 1, 2]),
        ("the rest from the oldest", 3, 2, (0, 0), [1, 1, 1], [0, 1, 1]),
        ("three of one to six", 3, 6, (0, 0), [1, 1, 1], [2, 2, 2]),
        ("to zero", 7, 0, (0, 0), [1, 3, 3], [0, 0, 0]),
        ("from zero, all empty", 0, 6, (0, 0), [0, 0, 0], [0, 0, 6]),
        ("from zero, one set", 0, 6, (0, 0), [0, -1, -1], [6, -1, -1]),
        ("with surge pods", 10, 20, (2, 2), [6, 6, -1], [11, 11, -1]),
        ("surge and size", 10, 50, (3, 6), [5, 8, -1], [22, 34, -1]),
        ("size only, old sets of an older template", 10, 14, (0, 0), [3, 7, -1], [4, 10, -1]),
    ] {
        assert_eq!(scaled(before, replicas, surge, sets), expected, "{name}");
    }
}

/// What remains of the table: the new set is full but not available, so the old one is left alone; and a write that
/// did not come through is made up for.
#[test]
fn t_dep_006_a_broken_new_set_does_not_take_from_the_old_one() {
    let mut drill = Drill::on(&cluster(), &[rolling(2, json!(1), json!(1))]);
    drill.kubectl(SET_BROKEN);
    assert_eq!(sizes(&mut drill), [(1, 1), (2, 2)]);
    // The first of the two writes of a scaling came through, the second did not.
    let sized = |size: i64, desired: i64| {
        json!({
            "spec": {"replicas": size},
            "metadata": {"annotations": {
                "deployment.kubernetes.io/desired-replicas": desired.to_string(),
                "deployment.kubernetes.io/max-replicas": desired.to_string(),
            }},
        })
    };
    let mut drill = Drill::on(&cluster(), &[]);
    drill.step(STOP);
    for (n, size) in [(1, 4), (2, 2)] {
        drill.apply(&old_set(n, size, json!({})));
        let desired = if n == 1 { 5 } else { 3 };
        drill.kubectl(&format!("patch rs web-v{n} --type=merge -p '{}'", sized(size, desired)));
        drill.sleep("1s");
    }
    let paused = with(rolling(5, json!(0), json!(1)), "/spec/paused", json!(true));
    drill.apply(&with(paused, "/spec/template", template(2)));
    drill.step(START);
    // 4 of 5 stay in proportion, the rest of what is allowed is left to the one whose write is missing.
    assert_eq!(sizes(&mut drill).iter().map(|(_, size)| size).sum::<i64>(), 5);
    for n in [1, 2] {
        let annotations = drill.field(&format!("rs/web-v{n}"), "/metadata/annotations");
        assert_eq!(annotations["deployment.kubernetes.io/desired-replicas"], "5", "web-v{n}");
    }
}

#[test]
fn t_dep_007_rolling_update_takes_over_a_set_that_matches() {
    let old = old_set(1, 1, json!({"deployment.kubernetes.io/revision": "3546342826724305832"}));
    let mut drill = Drill::on(&cluster(), &[old]);
    let (uid, pod) = (drill.field("rs/web-v1", "/metadata/uid"), drill.names("pods").remove(0));
    drill.apply(&with(deployment(1), "/spec/template/spec/containers/0/image", json!("web:v2")));
    let owner = drill.field("rs/web-v1", "/metadata/ownerReferences/0");
    assert_eq!((&owner["kind"], &owner["controller"]), (&json!("Deployment"), &json!(true)));
    assert_eq!(drill.field("rs/web-v1", "/metadata/uid"), uid);
    assert_eq!(sizes(&mut drill), [(3_546_342_826_724_305_832, 0), (3_546_342_826_724_305_833, 1)]);
    let revision = drill.field("deploy/web", "/metadata/annotations/deployment.kubernetes.io~1revision");
    assert_eq!(revision, "3546342826724305833");
    assert!(drill.find(&format!("pod/{pod}")).is_none());
    assert_eq!(images(&mut drill), ["web:v2"]);
    // The new pod was ready before the old one went.
    in_order(
        &drill.events(),
        &["pod/web-rs-1-#1 created", "pod/web-rs-1-#1 ready", "pod/web-v1-#1 deleting"],
    );
    complete(&mut drill, 1);
}

#[test]
fn t_dep_008_recreate_has_no_new_pod_before_all_old_ones_are_gone() {
    let mut drill = Drill::on(&cluster(), &[recreating(3)]);
    drill.kubectl(SET_V2);
    let events = drill.events_of("pod/");
    let last_gone = events.iter().rposition(|event| event.ends_with(" deleted")).expect("pods went");
    let first_new = events.iter().position(|event| event.ends_with(" created")).expect("pods came");
    assert!(last_gone < first_new, "{events:#?}");
    assert_eq!(events.iter().filter(|event| event.ends_with(" deleted")).count(), 3);
    assert_eq!(images(&mut drill), ["web:v2"; 3]);
    complete(&mut drill, 3);
}

#[test]
fn t_dep_009_recreate_waits_for_old_pods_that_have_not_ended() {
    // The old pod ends slowly. In this phase => the rollout goes on.
    let spec = format!("{STEADY}  behavior:\n  - {{image: 'web:v1', stop: 1h}}\n");
    for (phase, goes_on) in [("Pending", false), ("Running", false), ("Failed", true), ("Succeeded", true)] {
        let mut drill = Drill::on(&spec, &[with(recreating(1), GRACE, json!(7200))]);
        let pod = drill.names("pods").remove(0);
        drill.during("2s", &format!("- kubectl: {SET_V2}"));
        assert_eq!((sizes(&mut drill), images(&mut drill)), (vec![(1, 0)], vec!["web:v1".into()]), "{phase}");
        let line =
            format!("patch pod {pod} --subresource=status -p '{{\"status\":{{\"phase\":\"{phase}\"}}}}'");
        drill.during("2s", &format!("- kubectl: {}\n  settle: false", json!(line)));
        assert_eq!(drill.field(&format!("pod/{pod}"), "/status/phase"), phase);
        assert_eq!(images(&mut drill).contains(&"web:v2".to_owned()), goes_on, "{phase}");
    }
}

#[test]
fn t_dep_010_old_sets_beyond_the_history_limit_are_deleted() {
    let old = old_set(1, 1, json!({}));
    let mut drill = Drill::on(&cluster(), &[old]);
    let limited = with(deployment(1), "/spec/revisionHistoryLimit", json!(0));
    drill.apply(&with(limited, "/spec/template/spec/containers/0/image", json!("web:v2")));
    let created: Vec<_> = drill.events_of("pod/").into_iter().filter(|e| e.ends_with(" created")).collect();
    assert_eq!(created, ["pod/web-rs-1-#1 created"]);
    assert_eq!((drill.names("rs").len(), images(&mut drill)), (1, vec!["web:v2".into()]));
    drill.kubectl("patch deploy web -p '{\"spec\":{\"revisionHistoryLimit\":2}}'");
    for version in 3..=7 {
        drill.kubectl(&format!("set image deploy/web web=web:v{version}"));
    }
    assert_eq!(sizes(&mut drill).iter().map(|(_, size)| *size).collect::<Vec<_>>(), [0, 0, 1]);
    complete(&mut drill, 1);
}

#[test]
fn t_dep_011_the_oldest_revisions_go_first_and_sets_in_use_stay() {
    // Limit, then the names left of five: the second has pods, the third is being deleted, the fifth is the new one.
    for (limit, left) in [
        (0, &["web-v2", "web-v3", "web-v5"][..]),
        (1, &["web-v2", "web-v3", "web-v4", "web-v5"]),
        (2, &["web-v2", "web-v3", "web-v4", "web-v5"]),
        (3, &["web-v1", "web-v2", "web-v3", "web-v4", "web-v5"]),
    ] {
        let mut drill = Drill::on(&cluster(), &[]);
        // Made in another order than that of their revisions.
        for n in [5, 3, 1, 4, 2] {
            let numbered = json!({"deployment.kubernetes.io/revision": n.to_string()});
            let size = i64::from(n == 2 || n == 5);
            let set = old_set(n, size, numbered);
            let kept = with(set.clone(), "/metadata/finalizers", json!(["example.com/keep"]));
            drill.apply(if n == 3 { &kept } else { &set });
            drill.sleep("1s");
        }
        drill.kubectl("delete rs web-v3 --wait=false");
        let paused = with(rolling(2, json!(0), json!(1)), "/spec/paused", json!(true));
        let limited = with(paused, "/spec/revisionHistoryLimit", json!(limit));
        drill.apply(&with(limited, "/spec/template", template(5)));
        assert_eq!(drill.names("rs"), left, "limit {limit}");
    }
}

#[test]
fn t_dep_012_a_second_change_in_the_middle_moves_all_old_sets_to_zero() {
    for middle in ["web:broken", "web:v2"] {
        let mut drill = Drill::on(&cluster(), &[rolling(4, json!(1), json!(0))]);
        drill.during("500ms", &format!("- kubectl: set image deploy/web web={middle}"));
        assert_eq!(sizes(&mut drill).len(), 2);
        assert!(sizes(&mut drill).iter().all(|(_, size)| *size > 0), "{middle}");
        drill.step("- kubectl: set image deploy/web web=web:v3\n  settle: false");
        assert_eq!(sizes(&mut drill), [(1, 0), (2, 0), (3, 4)], "{middle}");
        assert_eq!(images(&mut drill), ["web:v3"; 4]);
        complete(&mut drill, 4);
    }
}

#[test]
fn t_dep_013_any_mix_of_changes_ends_complete() {
    for seed in 0..6u64 {
        let mut drill = Drill::on(&cluster(), &[deployment(4)]);
        let mut state = seed;
        let mut draw = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let mut paused = false;
        for round in 0..20 {
            let choice = draw(6);
            let line = match choice {
                0 => format!("set image deploy/web web=web:v{}", 2 + draw(3)),
                1 => "rollout undo deploy/web".to_owned(),
                2 => format!("scale deploy/web --replicas={}", 1 + draw(8)),
                3 if paused => "rollout resume deploy/web".to_owned(),
                3 => "rollout pause deploy/web".to_owned(),
                4 => format!("label deploy/web round=r{round} --overwrite"),
                _ => "delete pods -l app=web --wait=false --ignore-not-found".to_owned(),
            };
            // There may be nothing to go back to, and no pods.
            let may_fail = choice == 1;
            if choice == 3 {
                paused = !paused;
            }
            if may_fail && (paused || drill.names("rs").len() < 2) {
                continue;
            }
            let pause = format!("{}ms", 20 + draw(700));
            drill.during(&pause, &format!("- kubectl: {}\n  settle: false", json!(line)));
        }
        if paused {
            drill.step("- kubectl: rollout resume deploy/web\n  settle: false");
        }
        drill.sleep("1s");
        let replicas = drill.field("deploy/web", "/spec/replicas").as_i64().expect("a number");
        complete(&mut drill, replicas);
        let active = sizes(&mut drill).into_iter().filter(|(_, size)| *size > 0).count();
        assert_eq!((active, drill.names("pods").len()), (1, replicas as usize), "seed {seed}");
    }
}

#[test]
fn t_dep_014_an_orphaned_set_is_taken_back() {
    let mut drill = Drill::on(&cluster(), &[deployment(2)]);
    let (set, pods) = (drill.list("rs").remove(0), drill.names("pods"));
    drill.kubectl("delete deploy web --cascade=orphan");
    assert_eq!((drill.names("deploy").len(), drill.names("pods")), (0, pods.clone()));
    let name = format!("rs/{}", set["metadata"]["name"].as_str().expect("a name"));
    assert_eq!(drill.field(&name, "/metadata/ownerReferences"), Value::Null);
    drill.apply(&deployment(2));
    assert_eq!((drill.names("rs").len(), drill.names("pods")), (1, pods));
    assert_eq!(drill.field(&name, "/metadata/uid"), set["metadata"]["uid"]);
    let owner = drill.field(&name, "/metadata/ownerReferences/0/uid");
    assert_eq!(owner, drill.field("deploy/web", "/metadata/uid"));
    complete(&mut drill, 2);
}

#[test]
fn t_dep_015_scale_subresource() {
    let mut drill = Drill::on(&cluster(), &[deployment(1)]);
    let scale = |drill: &mut Drill| -> Value {
        let text = drill.kubectl("get deploy web --subresource=scale -o json");
        serde_json::from_str(&text).expect("JSON")
    };
    let before = scale(&mut drill);
    assert_eq!((&before["kind"], &before["spec"]["replicas"]), (&json!("Scale"), &json!(1)));
    assert_eq!(before["status"], json!({"replicas": 1, "selector": "app=web"}));
    drill.kubectl("scale deploy/web --replicas=4");
    assert_eq!(scale(&mut drill)["spec"]["replicas"], 4);
    drill.kubectl("patch deploy web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":2}}'");
    let after = scale(&mut drill);
    assert_eq!((&after["spec"]["replicas"], &after["status"]["replicas"]), (&json!(2), &json!(2)));
    complete(&mut drill, 2);
}

#[test]
fn t_dep_016_scaling_a_stuck_rollout_keeps_the_shares() {
    let mut drill = Drill::on(&cluster(), &[rolling(10, json!(3), json!(2))]);
    drill.kubectl(SET_BROKEN);
    assert_eq!(sizes(&mut drill), [(1, 8), (2, 5)]);
    assert_eq!(drill.field("deploy/web", "/status/availableReplicas"), json!(8));
    drill.kubectl("scale deploy/web --replicas=30");
    assert_eq!(sizes(&mut drill), [(1, 20), (2, 13)]);
    assert_eq!(drill.field("deploy/web", "/status/replicas"), json!(33));
}

#[test]
fn t_dep_017_lifecycle_and_status() {
    let mut drill = Drill::on(&cluster(), &[deployment(1)]);
    let generation = |drill: &mut Drill| drill.field("deploy/web", "/metadata/generation");
    assert_eq!(generation(&mut drill), 1);
    // The status endpoint leaves the spec alone, and the other way round.
    drill.step(STOP);
    let patch = r#"{"spec":{"replicas":9},"status":{"readyReplicas":0}}"#;
    drill.kubectl(&format!("patch deploy web --subresource=status --type=merge -p '{patch}'"));
    assert_eq!(drill.field("deploy/web", "/spec/replicas"), 1);
    assert_eq!(drill.field("deploy/web", "/status/readyReplicas"), Value::Null);
    assert_eq!(generation(&mut drill), 1);
    drill.kubectl(
        r#"patch deploy web --type=merge -p '{"spec":{"replicas":3},"status":{"readyReplicas":7}}'"#,
    );
    assert_eq!(drill.field("deploy/web", "/status/readyReplicas"), Value::Null);
    assert_eq!(generation(&mut drill), 2);
    drill.step(START);
    complete(&mut drill, 3);
    drill.kubectl("label deploy/web tier=front");
    assert_eq!(drill.kubectl("get deploy -l tier=front -o name"), "deployment.apps/web\n");
    assert_eq!(generation(&mut drill), 2);
    // Annotations count as a change (DEP-3).
    drill.kubectl("annotate deploy/web note=x");
    assert_eq!(generation(&mut drill), 3);
    drill.kubectl("delete deploy -l tier=front");
    assert_eq!((drill.names("deploy").len(), drill.names("pods").len()), (0, 0));
}

#[test]
fn t_dep_018_deleting_takes_sets_and_pods_along() {
    let mut drill = Drill::on(&cluster(), &[deployment(3)]);
    drill.kubectl(SET_V2);
    assert_eq!(drill.names("rs").len(), 2);
    drill.kubectl("delete deploy web");
    for kind in ["deploy", "rs", "pods"] {
        assert_eq!(drill.names(kind), [""; 0], "{kind}");
    }
    in_order(&drill.events(), &["deploy/web deleted", "rs/web-rs-2 deleted", "pod/web-rs-2-#1 deleting"]);
}

#[test]
fn t_dep_019_paused_scales_but_does_not_roll() {
    let mut drill = Drill::on(&cluster(), &[deployment(2)]);
    drill.kubectl("rollout pause deploy/web");
    assert_eq!(condition(&mut drill, "Progressing"), "Unknown/DeploymentPaused");
    drill.kubectl(SET_V2);
    assert_eq!((drill.names("rs").len(), images(&mut drill)), (1, vec!["web:v1".to_owned(); 2]));
    let observed = drill.field("deploy/web", "/status/observedGeneration");
    assert_eq!(observed, drill.field("deploy/web", "/metadata/generation"), "it was seen all the same");
    drill.kubectl("scale deploy/web --replicas=4");
    assert_eq!((drill.names("rs").len(), images(&mut drill)), (1, vec!["web:v1".to_owned(); 4]));
    assert_eq!(drill.field("deploy/web", "/status/updatedReplicas"), Value::Null);
    drill.kubectl("rollout resume deploy/web");
    assert_eq!((sizes(&mut drill), images(&mut drill)), (vec![(1, 0), (2, 4)], vec!["web:v2".to_owned(); 4]));
    complete(&mut drill, 4);
}

#[test]
fn t_dep_021_lack_of_progress_shows_and_can_still_end_well() {
    let spec = format!("{STEADY}  behavior:\n  - {{image: 'web:*', ready: never}}\n");
    let manifest = with(deployment(2), "/spec/progressDeadlineSeconds", json!(3));
    let mut drill = Drill::on(&spec, &[manifest]);
    assert_eq!(condition(&mut drill, "Progressing"), "False/ProgressDeadlineExceeded");
    assert_eq!(condition(&mut drill, "Available"), "False/MinimumReplicasUnavailable");
    let message = drill.field("deploy/web", "/status/conditions").to_string();
    let set = drill.names("rs").remove(0);
    let text = json!(format!("ReplicaSet \"{set}\" has timed out progressing.")).to_string();
    assert!(message.contains(&text), "{message}");
    let stderr = drill.refused("rollout status deploy/web");
    assert_eq!(stderr, "error: deployment \"web\" exceeded its progress deadline\n");
    drill.step("- ready: pod/*");
    assert_eq!(condition(&mut drill, "Progressing"), "True/NewReplicaSetAvailable");
    complete(&mut drill, 2);
}

#[test]
fn t_dep_022_a_stuck_deployment_is_looked_at_when_the_deadline_has_passed() {
    let spec = format!("{STEADY}  behavior:\n  - {{image: 'web:*', ready: never}}\n");
    // With less than a second left it is looked at until then, else a second later.
    for (deadline, noticed) in [(1, 1), (3, 4), (600, 601)] {
        let mut drill =
            Drill::on(&spec, &[with(deployment(1), "/spec/progressDeadlineSeconds", json!(100_000))]);
        assert_eq!(condition(&mut drill, "Progressing"), "False/ProgressDeadlineExceeded");
        let changed = with(deployment(1), "/spec/progressDeadlineSeconds", json!(deadline));
        let changed = with(changed, "/spec/template/spec/containers/0/image", json!("web:v2"));
        let line = format!("- apply: {}", json!(changed.to_string()));
        drill.during("700ms", &line);
        assert_eq!(condition(&mut drill, "Progressing"), "True/ReplicaSetUpdated", "deadline {deadline}");
        let last = seconds_of(&mut drill, "Progressing", "lastUpdateTime");
        drill.sleep("1s");
        assert_eq!(condition(&mut drill, "Progressing"), "False/ProgressDeadlineExceeded");
        assert_eq!(seconds_of(&mut drill, "Progressing", "lastUpdateTime") - last, noticed);
        assert_eq!(seconds_of(&mut drill, "Progressing", "lastTransitionTime") - last, noticed);
        // It is looked at no more.
        drill.sleep("5000s");
        assert_eq!(drill.events_of("deploy-status/web"), [""; 0]);
    }
    // Nothing to wait for: no deadline, complete, paused; and a Deployment that was complete loses a pod.
    let never = with(deployment(1), "/spec/progressDeadlineSeconds", json!(i32::MAX));
    let paused = with(deployment(1), "/spec/paused", json!(true));
    for (name, spec, manifest, expected) in [
        ("no deadline", spec.as_str(), never, "none"),
        ("paused", &spec, paused, "Unknown/DeploymentPaused"),
        ("complete", STEADY, deployment(1), "True/NewReplicaSetAvailable"),
    ] {
        let mut drill = Drill::on(spec, &[with(manifest, "/spec/revisionHistoryLimit", json!(0))]);
        assert!(drill.seconds() < 10, "{name}: settled without a deadline to come");
        drill.sleep("5000s");
        assert_eq!(condition(&mut drill, "Progressing"), expected, "{name}");
    }
    let mut drill = Drill::on(STEADY, &[deployment(1)]);
    drill.step("- unready: pod/*");
    drill.sleep("5000s");
    assert_eq!(condition(&mut drill, "Progressing"), "True/NewReplicaSetAvailable");
    assert_eq!(condition(&mut drill, "Available"), "False/MinimumReplicasUnavailable");
}

#[test]
fn t_dep_023_what_the_condition_progressing_says() {
    let mut drill = Drill::on(&cluster(), &[]);
    drill.sleep("1500ms");
    let slow = format!(
        "- behavior:\n  - {{image: 'web:*', ready: 5s}}\n- apply: {}",
        json!(deployment(2).to_string())
    );
    drill.step(&slow);
    let reasons = |drill: &Drill| {
        let all = drill.events_of("deploy-status/web condition Progressing=");
        all.iter().map(|event| event.rsplit('=').next().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    let rollout = ["True/NewReplicaSetCreated", "True/ReplicaSetUpdated", "True/NewReplicaSetAvailable"];
    assert_eq!(reasons(&drill), rollout);
    // The status was True all along: the transition is that of the creation, the update that of the end.
    let since = seconds_of(&mut drill, "Progressing", "lastTransitionTime");
    let updated = seconds_of(&mut drill, "Progressing", "lastUpdateTime");
    assert!(updated - since >= 5, "{since} {updated}");
    // Another size with only one set is no rollout: nothing is estimated, nothing is touched.
    drill.kubectl("scale deploy/web --replicas=3");
    assert_eq!(reasons(&drill), [""; 0]);
    assert_eq!(seconds_of(&mut drill, "Progressing", "lastUpdateTime"), updated);
    // Another template: a new set, updates, the end; still no transition.
    drill.kubectl(SET_V2);
    let mut seen = reasons(&drill);
    seen.dedup();
    assert_eq!(seen, rollout);
    assert_eq!(seconds_of(&mut drill, "Progressing", "lastTransitionTime"), since);
    assert!(seconds_of(&mut drill, "Progressing", "lastUpdateTime") > updated);
    // A set that was there already is found, if nothing said anything before.
    drill.kubectl("patch deploy web -p '{\"spec\":{\"progressDeadlineSeconds\":2147483647}}'");
    assert_eq!(condition(&mut drill, "Progressing"), "none");
    drill.kubectl("patch deploy web -p '{\"spec\":{\"progressDeadlineSeconds\":600}}'");
    assert_eq!(condition(&mut drill, "Progressing"), "True/NewReplicaSetAvailable");
    assert_eq!(reasons(&drill)[0], "True/FoundNewReplicaSet");
}

#[test]
fn t_dep_024_available_counts_only_pods_that_were_ready_long_enough() {
    let mut drill = Drill::on(STEADY, &[]);
    let slow = with(deployment(10), "/spec/minReadySeconds", json!(3600));
    let slow = with(slow, "/spec/progressDeadlineSeconds", json!(7200));
    drill.during("60s", &format!("- apply: {}", json!(slow.to_string())));
    assert_eq!(drill.field("deploy/web", "/status/readyReplicas"), 10);
    assert_eq!(drill.field("deploy/web", "/status/availableReplicas"), Value::Null);
    assert_eq!(drill.field("deploy/web", "/status/unavailableReplicas"), 10);
    assert_eq!(condition(&mut drill, "Available"), "False/MinimumReplicasUnavailable");
    let line = json!("patch deploy web -p '{\"spec\":{\"minReadySeconds\":1}}'");
    drill.during("2s", &format!("- kubectl: {line}\n  settle: false"));
    assert_eq!(condition(&mut drill, "Available"), "True/MinimumReplicasAvailable");
    complete(&mut drill, 10);
}

#[test]
fn t_dep_025_deployments_with_the_same_selector_keep_their_own_sets() {
    let other = with(deployment(2), "/metadata/name", json!("other"));
    let other = with(other, "/spec/template/spec/containers/0/image", json!("other:v1"));
    let mut drill = Drill::on(STEADY, &[deployment(1), other]);
    let owned = |drill: &mut Drill| {
        let owner =
            |set: &Value| set["metadata"]["ownerReferences"][0]["name"].as_str().unwrap_or("").to_owned();
        let sets = drill.list("rs");
        let mut owned: Vec<_> =
            sets.iter().map(|s| (owner(s), s["spec"]["replicas"].as_i64().unwrap_or(-1))).collect();
        owned.sort();
        owned
    };
    assert_eq!(owned(&mut drill), [("other".into(), 2), ("web".into(), 1)]);
    drill.kubectl("scale deploy/web --replicas=2");
    drill.kubectl("set image deploy/other web=other:v2");
    assert_eq!(owned(&mut drill), [("other".into(), 0), ("other".into(), 2), ("web".into(), 2)]);
    assert_eq!(images(&mut drill), ["other:v2", "other:v2", "web:v1", "web:v1"]);
    complete(&mut drill, 2);
}

#[test]
fn t_dep_026_another_size_and_image_at_once_in_the_middle_of_a_rollout() {
    for replicas in [5, 20] {
        let mut drill = Drill::on(&cluster(), &[rolling(10, json!(3), json!(2))]);
        drill.kubectl(SET_BROKEN);
        let both = with(
            rolling(replicas, json!(3), json!(2)),
            "/spec/template/spec/containers/0/image",
            json!("web:v3"),
        );
        drill.apply(&both);
        complete(&mut drill, replicas);
        assert_eq!(sizes(&mut drill), [(1, 0), (2, 0), (3, replicas)]);
        for set in drill.list("rs").iter().filter(|set| set["spec"]["replicas"] != 0) {
            let desired = &set["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"];
            assert_eq!(desired, &json!(replicas.to_string()), "{}", set["metadata"]["name"]);
        }
        let available = drill.events_of("deploy-status/web replicas=");
        // From the first status that counts the new size.
        let least = 8.min(replicas - 2);
        for event in &available {
            let count =
                event.split("available=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a count");
            assert!(count.parse::<i64>().expect("a number") >= least, "{event}");
        }
        // The first thing that happens is the new size, for all sets (DEP-6).
        let first = drill.events_of("rs/").remove(0);
        assert!(first.starts_with("rs/web-rs-1 scaled"), "{first}");
    }
}

#[test]
fn t_dep_027_the_selector_is_immutable() {
    let mut drill = Drill::on(STEADY, &[deployment(1)]);
    let changed =
        r#"{"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}}}}}"#;
    let stderr = drill.refused(&format!("patch deploy web --type=merge -p '{changed}'"));
    assert_eq!(
        stderr,
        "The Deployment \"web\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"x\"}}: field is immutable\n"
    );
    assert_eq!(drill.field("deploy/web", "/spec/selector/matchLabels/app"), "web");
}

#[test]
fn t_dep_028_label_changes_orphan_and_readopt_sets() {
    let mut drill = Drill::on(STEADY, &[deployment(1)]);
    let set = drill.names("rs").remove(0);
    let uid = drill.field(&format!("rs/{set}"), "/metadata/uid");
    drill.kubectl(&format!("label rs {set} app=none --overwrite"));
    assert_eq!(drill.field(&format!("rs/{set}"), "/metadata/ownerReferences"), Value::Null);
    // The hash gives the same name again, which is taken: a collision, and another name (DEP-18).
    assert_eq!(drill.field("deploy/web", "/status/collisionCount"), 1);
    assert_eq!((drill.names("rs").len(), drill.names("pods").len()), (2, 2));
    drill.kubectl(&format!("label rs {set} app=web --overwrite"));
    assert_eq!(drill.field(&format!("rs/{set}"), "/metadata/uid"), uid);
    let owner = drill.field(&format!("rs/{set}"), "/metadata/ownerReferences/0/name");
    assert_eq!(owner, "web");
    // Both have the wanted template: the older one is the new set.
    assert_eq!(drill.field(&format!("rs/{set}"), "/spec/replicas"), 1);
    assert_eq!(drill.names("pods").len(), 1);
    complete(&mut drill, 1);
}

fn stopping_slowly() -> String {
    format!(
        "{STEADY}  behavior:\n  - {{image: 'web:broken', ready: never}}\n  - {{image: 'web:v1', stop: 1h}}\n"
    )
}

/// Takes an hour to stop, and has two.
fn slow(manifest: Value) -> Value {
    with(manifest, GRACE, json!(7200))
}

#[test]
fn t_dep_029_terminating_replicas_are_told_but_not_counted() {
    let mut drill = Drill::on(&stopping_slowly(), &[slow(deployment(3))]);
    assert_eq!(drill.field("deploy/web", "/status/terminatingReplicas"), 0);
    drill.during("5s", "- kubectl: scale deploy/web --replicas=1");
    let set = format!("rs/{}", drill.names("rs").remove(0));
    for object in ["deploy/web", &set] {
        assert_eq!(drill.field(object, "/status/replicas"), 1, "{object}");
        assert_eq!(drill.field(object, "/status/terminatingReplicas"), 2, "{object}");
    }
    drill.during("5s", "- kubectl: set image deploy/web web=web:v2\n  settle: false");
    complete(&mut drill, 1);
    assert_eq!(drill.field("deploy/web", "/status/terminatingReplicas"), 3);
    assert_eq!(drill.names("pods").len(), 4);
    drill.sleep("1s");
    assert_eq!(drill.field("deploy/web", "/status/terminatingReplicas"), 0);
    assert_eq!(drill.names("pods").len(), 1);
}

#[test]
fn t_dep_030_recreate_waits_for_terminating_pods_in_a_rollout_only() {
    // A deleted pod, or another size, is not a rollout.
    let mut drill = Drill::on(&stopping_slowly(), &[slow(recreating(2))]);
    let pod = drill.names("pods").remove(0);
    drill.during("5s", &format!("- kubectl: delete pod {pod} --wait=false"));
    assert_eq!(
        (drill.names("pods").len(), drill.field("deploy/web", "/status/readyReplicas")),
        (3, json!(2))
    );
    drill.during("5s", "- kubectl: scale deploy/web --replicas=4\n  settle: false");
    assert_eq!(
        (drill.names("pods").len(), drill.field("deploy/web", "/status/readyReplicas")),
        (5, json!(4))
    );
    // A rollout waits for all five.
    drill.during("5s", "- kubectl: set image deploy/web web=web:v2\n  settle: false");
    assert_eq!(images(&mut drill), ["web:v1"; 5]);
    assert_eq!(drill.field("deploy/web", "/status/terminatingReplicas"), 5);
    drill.during("5s", "- kubectl: scale deploy/web --replicas=3\n  settle: false");
    assert_eq!(images(&mut drill), ["web:v1"; 5]);
    drill.sleep("1s");
    assert_eq!(images(&mut drill), ["web:v2"; 3]);
    complete(&mut drill, 3);
}

#[test]
fn t_dep_031_rolling_update_does_not_wait_for_terminating_pods() {
    let mut drill = Drill::on(&stopping_slowly(), &[slow(rolling(100, json!(20), json!(0)))]);
    let pods = drill.names("pods")[..15].join(" ");
    drill.during("20s", &format!("- kubectl: delete pod {pods} --wait=false"));
    assert_eq!(drill.field("deploy/web", "/status/terminatingReplicas"), 15);
    assert_eq!(drill.field("deploy/web", "/status/readyReplicas"), 100);
    drill.during("20s", &format!("- kubectl: {SET_BROKEN}\n  settle: false"));
    assert_eq!(sizes(&mut drill), [(1, 100), (2, 20)]);
    drill.during("20s", "- kubectl: scale deploy/web --replicas=120\n  settle: false");
    assert_eq!(sizes(&mut drill), [(1, 117), (2, 23)]);
    assert_eq!(drill.field("deploy/web", "/status/replicas"), 140);
    assert_eq!(drill.field("deploy/web", "/status/terminatingReplicas"), 15);
}
