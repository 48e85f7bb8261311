//! PodDisruptionBudgets, the eviction subresource, drain.
use crate::deployment::deployment;
use crate::drill::*;
use serde_json::{Value, json};

/// A budget `web` for pods with label `app: web`.
fn budget(field: &str, value: Value) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {field: value, "selector": {"matchLabels": {"app": "web"}}},
    })
}

fn bare(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
    })
}

const NEVER_READY: &str = "  behavior:\n  - {image: 'web:*', ready: never}\n";

/// allowed, currentHealthy, desiredHealthy, expectedPods.
fn numbers(drill: &mut Drill) -> [i64; 4] {
    let status = drill.field("pdb/web", "/status");
    ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]
        .map(|field| status[field].as_i64().unwrap_or(-1))
}

/// The condition DisruptionAllowed: status/reason.
fn allowed(drill: &mut Drill) -> String {
    let condition = drill.field("pdb/web", "/status/conditions/0");
    assert_eq!(condition["type"], "DisruptionAllowed");
    format!("{}/{}", condition["status"].as_str().unwrap_or(""), condition["reason"].as_str().unwrap_or(""))
}

const REFUSED: &str = "Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget.\n";

/// A step that asks for an eviction, with these options.
fn eviction(pod: &str, options: &Value) -> String {
    let metadata = json!({"name": pod, "namespace": "default"});
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options});
    let body = json!(body.to_string());
    format!("- kubectl: create --raw /api/v1/namespaces/default/pods/{pod}/eviction -f -\n  stdin: {body}\n")
}

/// Evicts a pod and lets things settle; the error, empty if it was allowed.
fn evict(drill: &mut Drill, pod: &str) -> String {
    drill.attempt(&eviction(pod, &json!({}))).stderr
}

fn patch_budget(drill: &mut Drill, spec: Value) {
    drill.kubectl(&format!("patch pdb web --type=merge -p '{}'", json!({"spec": spec})));
}

#[test]
fn t_pdb_001_min_available_counts_ready_pods() {
    let spec = format!("{STEADY}{NEVER_READY}");
    let parallel = with(set(4), "/spec/podManagementPolicy", json!("Parallel"));
    let mut drill = Drill::on(&spec, &[parallel, budget("minAvailable", json!(3))]);
    assert_eq!((numbers(&mut drill), allowed(&mut drill)), ([0, 0, 3, 4], "False/InsufficientPods".into()));
    for (ready, expected) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
        drill.step(&format!("- ready: pod/web-{}", ready - 1));
        assert_eq!(numbers(&mut drill), [expected, ready, 3, 4]);
    }
    assert_eq!(allowed(&mut drill), "True/SufficientPods");
    drill.step("- unready: pod/web-2");
    assert_eq!((numbers(&mut drill), allowed(&mut drill)), ([0, 3, 3, 4], "False/InsufficientPods".into()));
}

#[test]
fn t_pdb_002_without_pods_nothing_is_allowed() {
    for (field, value, desired) in
        [("minAvailable", json!(0), 0), ("maxUnavailable", json!(5), 0), ("minAvailable", json!("20%"), 0)]
    {
        let mut drill = Drill::on(STEADY, &[budget(field, value.clone())]);
        assert_eq!(numbers(&mut drill), [0, 0, desired, 0], "{field} {value}");
        assert_eq!(allowed(&mut drill), "False/InsufficientPods");
        assert_eq!(drill.messages("pdb/web"), ["Normal NoPods: No matching pods found"]);
    }
}

#[test]
fn t_pdb_003_004_max_unavailable_follows_the_scale_of_the_owner() {
    // Value, replicas, desired; then scaled to, desired. Percentages are rounded up.
    for (value, first, then) in [(json!(2), (7, 5), (5, 3)), (json!("30%"), (7, 4), (3, 2))] {
        for owner in [deployment(first.0), with(set(first.0), "/spec/podManagementPolicy", json!("Parallel"))]
        {
            let kind = owner["kind"].as_str().unwrap_or("").to_owned();
            let mut drill = Drill::on(STEADY, &[owner, budget("maxUnavailable", value.clone())]);
            assert_eq!(numbers(&mut drill), [first.0 - first.1, first.0, first.1, first.0], "{kind} {value}");
            drill.kubectl(&format!("scale {kind}/web --replicas={}", then.0));
            assert_eq!(numbers(&mut drill), [then.0 - then.1, then.0, then.1, then.0], "{kind} {value}");
        }
    }
}

#[test]
fn t_pdb_005_min_available_percentage_rounds_up() {
    let mut drill = Drill::on(STEADY, &[budget("minAvailable", json!("34%"))]);
    assert_eq!(numbers(&mut drill), [0, 0, 0, 0], "unknown until a pod exists");
    drill.step("- stop: kube-scheduler");
    drill.apply(&set(3));
    assert_eq!(numbers(&mut drill), [0, 0, 2, 3], "one pod exists");
    drill.step("- start: kube-scheduler");
    assert_eq!(numbers(&mut drill), [1, 3, 2, 3]);
}

#[test]
fn t_pdb_006_pods_without_controller() {
    for (field, value, expected) in [
        ("minAvailable", json!("50%"), [0, 2, 0, 0]),
        ("maxUnavailable", json!(1), [0, 2, 0, 0]),
        ("maxUnavailable", json!("50%"), [0, 2, 0, 0]),
        ("minAvailable", json!(1), [1, 2, 1, 2]),
    ] {
        let mut drill = Drill::on(STEADY, &[bare("a"), bare("b"), budget(field, value.clone())]);
        assert_eq!(numbers(&mut drill), expected, "{field} {value}");
        let messages = drill.messages("pdb/web");
        let told = messages.iter().any(|text| text.starts_with("Warning UnmanagedPods: "));
        assert_eq!(told, expected[0] == 0, "{messages:?}");
    }
}

#[test]
fn t_pdb_007_an_owner_that_has_no_scale() {
    // A kind that nobody serves, and one that has no scale.
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w-1", "controller": true});
    let mut drill = Drill::on(STEADY, &[bare("service")]);
    let uid = drill.field("pod/service", "/metadata/uid");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "name": "service", "uid": uid, "controller": true});
    drill.apply(&budget("maxUnavailable", json!(1)));
    drill.apply(&bare("b"));
    for (owner, error) in [
        (widget, "found no controllers for pod \"a\""),
        (pod, "pods does not implement the scale subresource"),
    ] {
        drill.apply(&with(bare("a"), "/metadata/ownerReferences", json!([owner])));
        assert_eq!((numbers(&mut drill)[0], allowed(&mut drill)), (0, "False/SyncFailed".into()));
        let expected = format!(
            "Warning CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: {error}"
        );
        let messages = drill.messages("pdb/web");
        assert!(messages.contains(&expected), "{messages:?}");
        assert_eq!(drill.field("pdb/web", "/status/conditions/0/message"), error);
        drill.kubectl("delete pod a");
    }
    drill.apply(&with(
        bare("a"),
        "/metadata/ownerReferences",
        json!([{
            "apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w-1", "controller": true,
        }]),
    ));
    assert_eq!(evict(&mut drill, "b"), REFUSED);
}

#[test]
fn t_pdb_008_two_controllers_under_one_budget_add_up() {
    let mut drill = Drill::on(STEADY, &[deployment(4), set(3), budget("maxUnavailable", json!("30%"))]);
    // 30% of 7, rounded up.
    assert_eq!(numbers(&mut drill), [3, 7, 4, 7]);
    drill.kubectl("scale deploy/web --replicas=1");
    assert_eq!(numbers(&mut drill), [2, 4, 2, 4]);
}

/// The API's text of this many seconds from the start.
fn instant(drill: &mut Drill, name: &str, seconds: u64) -> String {
    let created = drill.field(name, "/metadata/creationTimestamp");
    let day = created.as_str().and_then(|text| text.get(..11)).expect("a date").to_owned();
    format!("{day}{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[test]
fn t_pdb_009_entries_of_disrupted_pods_end() {
    let slow = format!("{STEADY}  behavior:\n  - {{image: 'web:*', stop: 1h}}\n");
    let patient = with(set(4), "/spec/template/spec/terminationGracePeriodSeconds", json!(7200));
    let mut drill = Drill::on(&slow, &[patient, budget("minAvailable", json!(1))]);
    assert_eq!(numbers(&mut drill), [3, 4, 1, 4]);
    let now = drill.seconds();
    let at = instant(&mut drill, "pod/web-0", now);
    // Evictions of these three were approved. One goes on its way, one was never there, one stays.
    let noted = json!({"status": {"disruptedPods": {"web-1": at, "web-2": at, "nobody": at}}});
    let steps = format!(
        "- stop: kube-controller-manager\n- kubectl: patch pdb web --subresource=status --type=merge -p '{noted}'
- kubectl: delete pod web-2 --wait=false\n- start: kube-controller-manager
  settle: false"
    );
    drill.during("5s", &steps);
    let entries = |drill: &mut Drill| drill.field("pdb/web", "/status/disruptedPods");
    assert_eq!(entries(&mut drill), json!({"web-1": at}));
    assert_eq!(numbers(&mut drill), [1, 2, 1, 4], "web-1 counts as gone, web-2 is going");
    drill.during("110s", "");
    assert_eq!(numbers(&mut drill), [1, 2, 1, 4]);
    drill.during("10s", "");
    assert_eq!((entries(&mut drill), numbers(&mut drill)), (Value::Null, [2, 3, 1, 4]));
    let told = drill.messages("pod/web-1");
    let expected = "Warning NotDeleted: Pod was expected by PDB default/default to be deleted but it wasn't";
    assert!(told.iter().any(|text| text == expected), "{told:?}");
}

#[test]
fn t_pdb_010_a_stale_disruption_target_is_taken_back() {
    let mut drill = Drill::on(STEADY, &[set(1)]);
    let patch = json!({"status": {"conditions": [{
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting", "lastTransitionTime": instant(&mut drill, "pod/web-0", 1),
    }]}});
    let is_target = |drill: &mut Drill| {
        let conditions = drill.field("pod/web-0", "/status/conditions");
        conditions
            .as_array()
            .into_iter()
            .flatten()
            .any(|c| c["type"] == "DisruptionTarget" && c["status"] == "True")
    };
    let line = json!(format!("patch pod web-0 --subresource=status --type=strategic -p '{patch}'"));
    drill.during("115s", &format!("- kubectl: {line}"));
    assert!(is_target(&mut drill));
    drill.during("10s", "");
    assert!(!is_target(&mut drill));
    assert_eq!(drill.field("pod/web-0", "/status/phase"), "Running");
}

#[test]
fn t_pdb_011_evictions_are_refused_at_the_limit() {
    let mut drill = Drill::on(STEADY, &[set(3), budget("minAvailable", json!(3))]);
    let uid = |drill: &mut Drill, pod: &str| drill.field(&format!("pod/{pod}"), "/metadata/uid");
    let first = uid(&mut drill, "web-0");
    assert_eq!(evict(&mut drill, "web-0"), REFUSED);
    assert_eq!(uid(&mut drill, "web-0"), first);
    patch_budget(&mut drill, json!({"minAvailable": 2}));
    assert_eq!(evict(&mut drill, "web-0"), "");
    assert_ne!(uid(&mut drill, "web-0"), first, "evicted, and made again");
    patch_budget(&mut drill, json!({"minAvailable": null, "maxUnavailable": 0}));
    let second = uid(&mut drill, "web-1");
    assert_eq!(evict(&mut drill, "web-1"), REFUSED);
    assert_eq!(uid(&mut drill, "web-1"), second);
    drill.kubectl("delete pdb web");
    assert_eq!(evict(&mut drill, "web-1"), "");
    assert_ne!(uid(&mut drill, "web-1"), second);
}

#[test]
fn t_pdb_012_who_may_be_evicted() {
    // One pod to a node: of ten, three have room.
    let exclusive = |replicas| {
        let terms = json!([{"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}]);
        let affinity = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
        with(deployment(replicas), "/spec/template/spec/affinity", affinity)
    };
    let bares = |n: usize| (0..n).map(|n| bare(&format!("p{n}"))).collect::<Vec<_>>();
    for (name, mut manifests, budgeted, denied) in [
        ("no budget", bares(1), None, false),
        ("too few, absolute", bares(2), Some(("minAvailable", json!(2))), true),
        ("enough, absolute", bares(3), Some(("minAvailable", json!(2))), false),
        ("enough, percentage", vec![deployment(10)], Some(("minAvailable", json!("90%"))), false),
        ("too few, percentage", vec![exclusive(10)], Some(("minAvailable", json!("90%"))), true),
        ("percentage of unavailable", vec![deployment(10)], Some(("maxUnavailable", json!("10%"))), false),
        ("too many unavailable", vec![exclusive(10)], Some(("maxUnavailable", json!(1))), true),
    ] {
        manifests.extend(budgeted.map(|(field, value)| budget(field, value)));
        let mut drill = Drill::on(STEADY, &manifests);
        let pods = drill.list("pods");
        let running = pods.iter().find(|pod| pod["status"]["phase"] == "Running").expect("a pod that runs");
        let pod = running["metadata"]["name"].as_str().expect("a name");
        assert_eq!(evict(&mut drill, pod), if denied { REFUSED } else { "" }, "{name}");
        assert_eq!(drill.find(&format!("pod/{pod}")).is_some(), denied, "{name}");
    }
}

#[test]
fn t_pdb_013_pods_that_do_not_run_are_not_protected() {
    for phase in ["Pending", "Succeeded", "Failed", "Running"] {
        let mut drill = Drill::on(STEADY, &[bare("a"), bare("b"), budget("minAvailable", json!(2))]);
        let patch = json!({"status": {"phase": phase}});
        drill.kubectl(&format!("patch pod a --subresource=status --type=merge -p '{patch}'"));
        let left = numbers(&mut drill);
        assert_eq!(left[0], 0);
        assert_eq!(evict(&mut drill, "a"), if phase == "Running" { REFUSED } else { "" }, "{phase}");
        assert_eq!(drill.find("pod/a").is_some(), phase == "Running", "{phase}");
        assert_eq!(
            drill.field("pdb/web", "/status/disruptedPods"),
            Value::Null,
            "{phase}: nothing was spent"
        );
    }
    // A pod that is being deleted.
    let slow = format!("{STEADY}  behavior:\n  - {{image: 'web:*', stop: 1h}}\n");
    let patient = with(bare("a"), "/spec/terminationGracePeriodSeconds", json!(7200));
    let mut drill = Drill::on(&slow, &[patient, bare("b"), budget("minAvailable", json!(2))]);
    let again = eviction("a", &json!({"gracePeriodSeconds": 1})) + "  settle: false\n";
    drill.during("60s", &("- kubectl: delete pod a --wait=false\n".to_owned() + &again));
    assert!(drill.find("pod/a").is_none(), "the second grace period counts");
}

#[test]
fn t_pdb_014_pods_that_are_not_ready() {
    // Policy, minAvailable, ready pods of three, and whether one that is not ready may go.
    for (policy, least, ready, goes) in [
        (None, 2, 2, true),
        (None, 2, 1, false),
        (None, 0, 1, false),
        (Some("IfHealthyBudget"), 2, 2, true),
        (Some("IfHealthyBudget"), 2, 1, false),
        (Some("AlwaysAllow"), 2, 2, true),
        (Some("AlwaysAllow"), 2, 0, true),
    ] {
        let name = format!("{policy:?}, {least}, {ready} ready");
        let budgeted = match policy {
            Some(policy) => {
                with(budget("minAvailable", json!(least)), "/spec/unhealthyPodEvictionPolicy", json!(policy))
            }
            None => budget("minAvailable", json!(least)),
        };
        let pods = ["p0", "p1", "p2"].map(bare);
        let mut manifests = pods.to_vec();
        manifests.push(budgeted);
        let mut drill = Drill::on(&format!("{STEADY}{NEVER_READY}"), &manifests);
        for n in 0..ready {
            drill.step(&format!("- ready: pod/p{n}"));
        }
        let before = numbers(&mut drill);
        if least == 0 {
            // desiredHealthy of 0 protects nobody's application: the pod is treated like a ready one, and may go.
            assert_eq!((evict(&mut drill, "p2"), before[0]), (String::new(), 1), "{name}");
            continue;
        }
        assert_eq!(evict(&mut drill, "p2"), if goes { "" } else { REFUSED }, "{name}");
        assert_eq!(drill.find("pod/p2").is_some(), !goes, "{name}");
        assert_eq!(numbers(&mut drill)[..2], before[..2], "{name}: nothing was spent");
    }
}

#[test]
fn t_pdb_015_two_budgets_for_a_pod() {
    let other = with(budget("maxUnavailable", json!(1)), "/metadata/name", json!("other"));
    let mut drill = Drill::on(STEADY, &[set(3), budget("maxUnavailable", json!(1)), other]);
    assert_eq!(numbers(&mut drill), [1, 3, 2, 3]);
    assert_eq!(
        evict(&mut drill, "web-0"),
        "Error from server: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.\n"
    );
    assert_eq!(drill.events(), [""; 0]);
    let told = drill.messages("pod/web-0");
    assert!(told.iter().any(|text| text.starts_with("Warning MultiplePodDisruptionBudgets: ")), "{told:?}");
}

#[test]
fn t_pdb_016_a_budget_that_is_not_up_to_date_refuses() {
    let mut drill = Drill::on(STEADY, &[set(3), budget("maxUnavailable", json!(1))]);
    drill.step("- stop: kube-controller-manager");
    patch_budget(&mut drill, json!({"maxUnavailable": 2}));
    assert_eq!(numbers(&mut drill), [1, 3, 2, 3]);
    assert_eq!(evict(&mut drill, "web-0"), REFUSED);
    drill.step("- start: kube-controller-manager");
    assert_eq!(numbers(&mut drill), [2, 3, 1, 3]);
    assert_eq!(evict(&mut drill, "web-0"), "");
}

#[test]
fn t_pdb_017_many_evictions_at_once_spend_no_more_than_the_budget() {
    let parallel = with(set(9), "/spec/podManagementPolicy", json!("Parallel"));
    let mut drill = Drill::on(STEADY, &[parallel, budget("maxUnavailable", json!(2))]);
    // All in one instant: two pass.
    let mut steps = String::new();
    for n in 0..9 {
        steps += &eviction(&format!("web-{n}"), &json!({}));
        steps += if n < 2 {
            "  settle: false\n"
        } else {
            "  settle: false\n  fails: Cannot evict pod as it would\n"
        };
    }
    drill.step(&steps);
    assert_eq!(drill.events().iter().filter(|event| event.ends_with(" deleting")).count(), 2);
    assert_eq!(numbers(&mut drill), [2, 9, 7, 9]);
    // Two drains side by side, trying again: never more than two pods are missing.
    let before: Vec<_> = drill.list("pods").iter().map(|pod| pod["metadata"]["uid"].clone()).collect();
    let on = |drill: &mut Drill, node: &str| {
        drill.list("pods").iter().filter(|pod| pod["spec"]["nodeName"] == node).count()
    };
    let moved = on(&mut drill, "node-a") + on(&mut drill, "node-b");
    assert!(moved > 2);
    drill.step(
        "- kubectl: drain node-a --ignore-daemonsets\n  background: true\n- kubectl: drain node-b --ignore-daemonsets\n  settle: false",
    );
    assert_eq!(on(&mut drill, "node-a") + on(&mut drill, "node-b"), 0);
    let mut missing: i64 = 0;
    for event in drill.events_of("pod/") {
        missing += i64::from(event.ends_with(" deleting")) - i64::from(event.ends_with(" ready"));
        assert!(missing <= 2, "{event}");
    }
    let kept = drill.list("pods").iter().filter(|pod| before.contains(&pod["metadata"]["uid"])).count();
    assert_eq!((kept, numbers(&mut drill)), (9 - moved, [2, 9, 7, 9]));
}

#[test]
fn t_pdb_018_preconditions_are_honoured() {
    let mut drill = Drill::on(STEADY, &[bare("a"), bare("b")]);
    let of = |drill: &mut Drill, pod: &str, field: &str| drill.field(pod, &format!("/metadata/{field}"));
    let (uid, other) = (of(&mut drill, "pod/a", "uid"), of(&mut drill, "pod/b", "uid"));
    let version = of(&mut drill, "pod/a", "resourceVersion");
    let why = "Error from server (Conflict): Operation cannot be fulfilled on Pod \"a\": the ";
    for (preconditions, refused) in [
        (json!({"uid": other}), "UID in the precondition ("),
        (
            json!({"uid": uid, "resourceVersion": "1"}),
            "ResourceVersion in the precondition (1) does not match",
        ),
        (json!({"resourceVersion": "1"}), "ResourceVersion in the precondition (1) does not match"),
        (json!({"uid": uid, "resourceVersion": version}), ""),
    ] {
        let stderr = drill.attempt(&eviction("a", &json!({"preconditions": preconditions}))).stderr;
        assert_eq!(stderr.starts_with(&format!("{why}{refused}")), !refused.is_empty(), "{stderr}");
        assert_eq!(drill.find("pod/a").is_some(), !refused.is_empty(), "{preconditions}");
        assert_eq!(drill.events().is_empty(), !refused.is_empty(), "{preconditions}");
    }
}

#[test]
fn t_pdb_019_evictions_of_pods_with_finalizers_and_dry_runs() {
    let kept = with(bare("a"), "/metadata/finalizers", json!(["example.com/keep"]));
    let mut drill = Drill::on(STEADY, &[kept, bare("b"), budget("minAvailable", json!(1))]);
    let before = drill.object("pod/a");
    drill.step(&eviction("a", &json!({"dryRun": ["All"]})));
    assert_eq!((drill.object("pod/a"), numbers(&mut drill)), (before, [1, 2, 1, 2]));
    assert_eq!(drill.events(), [""; 0]);
    assert_eq!(evict(&mut drill, "a"), "");
    let pod = drill.object("pod/a");
    assert!(pod["metadata"]["deletionTimestamp"].is_string());
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let target = conditions.iter().find(|c| c["type"] == "DisruptionTarget").expect("the condition");
    assert_eq!((&target["status"], &target["reason"]), (&json!("True"), &json!("EvictionByEvictionAPI")));
    assert_eq!(target["message"], "Eviction API: evicting");
    in_order(&drill.events(), &["pod/a disruption-target reason=EvictionByEvictionAPI", "pod/a deleting"]);
}

#[test]
fn t_pdb_020_status_endpoint() {
    let mut drill = Drill::on(STEADY, &[set(3), budget("maxUnavailable", json!(1))]);
    drill.step("- stop: kube-controller-manager");
    let generation = drill.field("pdb/web", "/metadata/generation");
    let patch =
        json!({"status": {"disruptionsAllowed": 0, "currentHealthy": 1}, "spec": {"maxUnavailable": 3}});
    drill.kubectl(&format!("patch pdb web --subresource=status --type=merge -p '{patch}'"));
    assert_eq!(numbers(&mut drill), [0, 1, 2, 3]);
    assert_eq!(drill.field("pdb/web", "/spec/maxUnavailable"), 1);
    assert_eq!(drill.field("pdb/web", "/metadata/generation"), generation);
    drill.kubectl(&format!(
        "patch pdb web --type=merge -p '{}'",
        json!({"status": {"disruptionsAllowed": 3}})
    ));
    assert_eq!(numbers(&mut drill), [0, 1, 2, 3]);
    // What it says is what counts.
    assert_eq!(evict(&mut drill, "web-0"), REFUSED);
    drill.step("- start: kube-controller-manager");
    assert_eq!(numbers(&mut drill), [1, 3, 2, 3], "computed anew");
}

#[test]
fn t_pdb_021_drain_tries_again_every_five_seconds() {
    let spec =
        "  cluster:\n    nodes:\n    - {name: node-a, zone: zone-a}\n    - {name: node-b, zone: zone-a}\n";
    let spec = STEADY.replace(&STEADY[..STEADY.find("    latency").expect("latencies")], spec);
    let pinned = with(set(2), "/spec/podManagementPolicy", json!("Parallel"));
    let mut drill = Drill::on(&spec, &[]);
    drill.kubectl("cordon node-b");
    drill.apply(&pinned);
    drill.apply(&budget("maxUnavailable", json!(1)));
    drill.kubectl("uncordon node-b");
    let start = drill.seconds();
    let output = drill.step("- kubectl: drain node-a --ignore-daemonsets");
    // Both are asked for at once. One is refused, and asked for again after five seconds, when the other is back.
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("evicting pod default/web-")).count(),
        3,
        "{lines:#?}"
    );
    assert_eq!(
        output.stderr.matches("(will retry after 5s): Cannot evict pod").count(),
        1,
        "{}",
        output.stderr
    );
    assert!((5..=8).contains(&(drill.seconds() - start)), "{}", drill.seconds() - start);
    assert_eq!(lines.iter().filter(|line| line.ends_with(" evicted")).count(), 2, "{lines:#?}");
    assert_eq!(lines.last(), Some(&"node/node-a drained"));
    in_order(&drill.events(), &["pod/web-", "pod/web-"]);
    for pod in ["pod/web-0", "pod/web-1"] {
        assert_eq!(drill.field(pod, "/spec/nodeName"), "node-b");
    }
    // Refused for ever: every five seconds, until the time is up.
    patch_budget(&mut drill, json!({"maxUnavailable": 0}));
    let output = drill.step("- kubectl: drain node-b --ignore-daemonsets --timeout=12s\n  fails: true");
    assert_eq!(
        output.stderr.matches("pods/\"web-0\" -n \"default\" (will retry after 5s)").count(),
        3,
        "{}",
        output.stderr
    );
}
