//! Writes that go wrong (`fail: api`), client by client: what each makes of it, and that nothing is left of it in the end.
use crate::drill::*;
use serde_json::{Value, json};

const ERRORS: [&str; 3] = ["500", "409", "timeout-but-applied"];

fn service(selector: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"clusterIP": "None", "selector": {"app": selector}, "ports": [{"port": 80}]},
    })
}

fn budget() -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    })
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    })
}

fn fail(writes: &str, error: &str) -> String {
    format!("- {{fail: api, writes: {writes}, error: {error}}}")
}

/// How many writes each fault would still hit.
fn left(drill: &Drill) -> Vec<Option<u32>> {
    drill.cluster().world.write_faults.iter().map(|fault| fault.writes.times).collect()
}

/// What there is, without what differs from run to run.
fn state(drill: &mut Drill) -> Vec<String> {
    let mut found = Vec::new();
    for kind in
        ["pods", "pvc", "pv", "volumeattachments", "rs", "pdb", "endpointslices", "controllerrevisions"]
    {
        for object in drill.list(kind) {
            let status = match kind {
                "pods" => json!([object["status"]["phase"], object["status"]["conditions"][1]["status"]]),
                "pvc" | "pv" => object["status"]["phase"].clone(),
                "volumeattachments" => object["status"]["attached"].clone(),
                "pdb" => json!([object["status"]["disruptionsAllowed"], object["status"]["currentHealthy"]]),
                "rs" => object["status"]["readyReplicas"].clone(),
                "endpointslices" => json!(object["endpoints"].as_array().map(Vec::len)),
                _ => object["revision"].clone(),
            };
            found.push(format!("{kind} {status}"));
        }
    }
    found.sort();
    found
}

/// Plays a story with and without each fault; in the end there is no difference, and every fault has hit.
fn overcome(begin: impl Fn() -> Drill, story: &dyn Fn(&mut Drill) -> Vec<String>, clients: &[&str]) {
    let undisturbed = story(&mut begin());
    for client in clients {
        for error in ERRORS {
            let mut drill = begin();
            drill.step(&fail(&format!("{{client: {client}, times: 3}}"), error));
            let ended = story(&mut drill);
            assert_eq!(left(&drill), [Some(0)], "{client} {error}: it writes");
            assert_eq!(ended, undisturbed, "{client} {error}");
        }
    }
}

/// Every client that has to do with pods and their volumes.
#[test]
fn pods_with_volumes_come_and_go() {
    let story = |drill: &mut Drill| {
        drill.apply(&set_with_claims(2));
        drill.sleep("5m");
        let there = state(drill);
        drill.kubectl("delete sts web");
        drill.sleep("5m");
        drill.kubectl("delete pvc --all");
        drill.sleep("5m");
        [there, state(drill)].concat()
    };
    overcome(
        || Drill::on(STEADY, &[]),
        &story,
        &[
            "statefulset-controller",
            "persistentvolume-controller",
            "attachdetach-controller",
            "external-provisioner",
            "external-attacher",
            "ebs-csi-controller",
            "kube-scheduler",
            "kubelet",
            "kubelet/node-*",
            "kube-controller-manager",
        ],
    );
}

/// T-ESR-004: exactly the wanted pods of one living ReplicaSet.
#[test]
fn t_esr_004_deployments_overcome_failing_writes() {
    let story = |drill: &mut Drill| {
        drill.apply(&deployment("web:v1"));
        drill.sleep("1m");
        drill.apply(&deployment("web:v2"));
        drill.sleep("20m");
        let there = state(drill);
        let owners = drill.list("pods");
        let owner = |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"].clone();
        assert!(owners.iter().all(|pod| owner(pod) == owner(&owners[0])), "{owners:?}");
        assert_eq!(owners.len(), 3);
        drill.kubectl("delete deployment web");
        drill.sleep("20m");
        [there, state(drill)].concat()
    };
    overcome(
        || Drill::on(STEADY, &[service("web"), budget()]),
        &story,
        &[
            "deployment-controller",
            "replicaset-controller",
            "endpointslice-controller",
            "disruption-controller",
            "garbage-collector-controller",
            "kube-controller-manager",
        ],
    );
}

/// The clients that look after nodes. What the pod garbage collector cannot do waits for two more runs and a quarantine.
#[test]
fn nodes_that_are_lost_and_come_back() {
    let story = |drill: &mut Drill| {
        drill.step("- crash: node/node-a");
        drill.sleep("15m");
        let lost = state(drill);
        drill.step("- recover: node/node-a");
        drill.sleep("10m");
        drill.step("- terminate: node/node-b");
        drill.sleep("15m");
        [lost, state(drill)].concat()
    };
    overcome(
        || Drill::on(STEADY, &[deployment("web:v1"), service("web")]),
        &story,
        &["node-controller", "taint-eviction-controller", "kubelet"],
    );
}

#[test]
fn pods_of_a_terminated_machine_are_collected_in_spite_of_failures() {
    for (client, most) in [("pod-garbage-collector", 600), ("cloud-node-lifecycle-controller", 300)] {
        let mut drill = Drill::on(STEADY, &[set(3)]);
        drill.step(&fail(&format!("{{client: {client}, times: 2}}"), "500"));
        drill.during(&format!("{most}s"), "- terminate: node/node-a");
        drill.sleep("1m");
        assert_eq!(left(&drill), [Some(0)], "{client}");
        assert!(drill.find("node/node-a").is_none(), "{client}");
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
        assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 3, "{client}");
    }
}

/// An orphan is deleted and a foreground deletion ends although the collector fails at first.
#[test]
fn the_garbage_collector_tries_again() {
    for cascade in ["background", "foreground", "orphan"] {
        for error in ERRORS {
            let mut drill = Drill::on(STEADY, &[set(2)]);
            drill.step(&fail("{client: garbage-collector-controller, times: 3}", error));
            drill.kubectl(&format!("delete sts web --cascade={cascade}"));
            drill.sleep("1m");
            assert_eq!(left(&drill), [Some(0)], "{cascade} {error}");
            assert!(drill.find("sts/web").is_none(), "{cascade} {error}");
            let pods = if cascade == "orphan" { 2 } else { 0 };
            assert_eq!(drill.list("pods").len(), pods, "{cascade} {error}");
        }
    }
}

/// The status manager goes round every ten seconds; a change of the pod comes earlier.
#[test]
fn a_kubelet_reports_in_its_next_round() {
    let mut drill = Drill::on(STEADY, &[]);
    drill.step(&fail("{client: kubelet, verb: patch, kind: pod, name: web-0, nth: 2, times: 1}", "500"));
    let start = drill.seconds();
    drill.apply(&set(1));
    assert_eq!(left(&drill), [Some(0)], "ready is the second thing that it says");
    assert_ne!(drill.field("sts/web", "/status/readyReplicas"), 1, "nobody knows that it is ready");
    drill.sleep("11s");
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 1);
    assert!(drill.seconds() - start <= 13);
}

/// The final delete waits for the next round, too, and no container runs meanwhile.
#[test]
fn a_kubelet_deletes_in_its_next_round() {
    let mut drill = Drill::on(STEADY, &[set(1)]);
    drill.step(&fail("{client: kubelet, verb: delete, kind: pod, times: 1}", "500"));
    let before = uid(&mut drill, "pod/web-0");
    drill.during("3s", "- kubectl: delete pod web-0 --wait=false");
    assert_eq!(uid(&mut drill, "pod/web-0"), before);
    assert_eq!(drill.cluster().kubelets.running().count(), 0);
    drill.sleep("11s");
    assert_ne!(uid(&mut drill, "pod/web-0"), before);
}

/// A binding that fails puts the pod into back-off (SCHED-20); one whose answer is lost has happened.
#[test]
fn the_scheduler_tries_again() {
    for (error, warned) in [("500", true), ("409", true), ("timeout-but-applied", false)] {
        let mut drill = Drill::on(STEADY, &[]);
        drill.step(&fail("{client: kube-scheduler, verb: create, kind: pod, times: 1}", error));
        drill.apply(&set(1));
        drill.sleep("10s");
        assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 1, "{error}");
        let told = drill.messages("pod/web-0");
        let failed =
            told.iter().any(|text| text.starts_with("Warning FailedScheduling: running Bind plugin"));
        assert!(failed, "{told:?}");
        let again = told.iter().any(|text| text.starts_with("Normal Scheduled"));
        assert_eq!(again, warned, "{error}: {told:?}");
    }
}

/// Five tries, then the pod is forgotten until the taints of its node change (NODE-21).
#[test]
fn taint_eviction_gives_up_after_five_tries() {
    for (times, gone) in [(4, true), (5, false)] {
        let mut drill = Drill::on(STEADY, &[set(1)]);
        let node = drill.field("pod/web-0", "/spec/nodeName").as_str().unwrap_or_default().to_owned();
        let before = uid(&mut drill, "pod/web-0");
        drill.step(&fail(&format!("{{client: taint-eviction-controller, times: {times}}}"), "500"));
        drill.kubectl(&format!("taint node {node} away=now:NoExecute"));
        drill.sleep("10m");
        assert_eq!(left(&drill), [Some(0)]);
        assert_eq!(uid(&mut drill, "pod/web-0") != before, gone, "{times}");
        drill.kubectl(&format!("taint node {node} further=now:NoExecute"));
        drill.sleep("1m");
        assert_ne!(uid(&mut drill, "pod/web-0"), before, "{times}: new taints bring it back");
    }
}

/// A node whose condition cannot be written is passed over as a whole: no pod is marked, nobody is evicted.
#[test]
fn a_node_that_cannot_be_written_keeps_its_pods() {
    let mut drill = Drill::on(STEADY, &[set(1), service("web")]);
    let node = drill.field("pod/web-0", "/spec/nodeName").as_str().unwrap_or_default().to_owned();
    drill.step(&fail("{client: node-controller, verb: update, kind: node}", "500"));
    drill.during("5m", &format!("- crash: node/{node}"));
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 1, "it is dead, and nobody knows");
    drill.during("1m", "- {settle: false, heal: api}");
    assert_ne!(drill.field("sts/web", "/status/readyReplicas"), 1);
}

/// What cannot be said to be detached is not detached (T-VOL-005).
#[test]
fn t_vol_005_no_detach_while_node_status_cannot_be_written() {
    let mut drill = Drill::on(STEADY, &[set_with_claims(1)]);
    drill.step(&fail("{client: attachdetach-controller, verb: patch, kind: node}", "500"));
    drill.during("2m", "- {settle: false, kubectl: scale sts web --replicas=0}");
    assert_eq!(drill.names("pods"), [] as [&str; 0]);
    let attached = |drill: &mut Drill| {
        drill
            .list("volumeattachments")
            .iter()
            .filter(|va| va["metadata"]["deletionTimestamp"].is_null())
            .count()
    };
    assert_eq!(attached(&mut drill), 1, "the attachment stays, and nobody has asked for its end");
    drill.step("- {settle: false, heal: api}");
    drill.sleep("1m");
    assert_eq!(attached(&mut drill), 0);
}

/// The binder and the scheduler end after every single write of theirs, and what they began is finished (T-VOL-029).
#[test]
fn t_vol_029_the_binder_ends_after_each_of_its_writes() {
    let mut cut = 0;
    for nth in 1..=5 {
        let mut drill = Drill::on(STEADY, &[]);
        drill.step(&format!(
            "- restart: kube-controller-manager\n  afterWrite: {{client: persistentvolume-controller, nth: {nth}}}"
        ));
        drill.apply(&set_with_claims(1));
        drill.sleep("2m");
        cut += usize::from(left(&drill) == [Some(0)]);
        assert_eq!(drill.field("pvc/data-web-0", "/status/phase"), "Bound", "{nth}");
        assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 1, "{nth}");
        let volume = drill.field("pvc/data-web-0", "/spec/volumeName");
        let volume = format!("pv/{}", volume.as_str().unwrap_or_default());
        assert_eq!(drill.field(&volume, "/spec/claimRef/name"), "data-web-0");
        assert_eq!(drill.field(&volume, "/status/phase"), "Bound");
    }
    assert!(cut >= 4, "it ended {cut} times");
}

/// Between the claim and the pod: the next life finds the claim and makes the pod.
#[test]
fn a_controller_manager_that_ends_between_two_writes() {
    let mut drill = Drill::on(STEADY, &[]);
    let after = "afterWrite: {client: statefulset-controller, verb: create, kind: pvc, name: data-web-1}";
    drill.step(&format!("- stop: kube-controller-manager\n  name: gone\n  {after}"));
    drill.apply(&set_with_claims(2));
    assert_eq!(drill.names("pods"), ["web-0"]);
    assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-1"]);
    drill.step("- start: kube-controller-manager");
    drill.sleep("1m");
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 2);
}

#[test]
fn kubectl_prints_what_the_server_says() {
    let mut drill = Drill::on(STEADY, &[set(1)]);
    for (error, said, applied) in [
        (
            "500",
            "Error from server (InternalError): Internal error occurred: etcdserver: request timed out",
            false,
        ),
        (
            "409",
            "Error from server (Conflict): Operation cannot be fulfilled on statefulsets.apps \"web\"",
            false,
        ),
        ("403", "Error from server (Forbidden): admission webhook", false),
        (
            "timeout-but-applied",
            "Error from server (Timeout): Timeout: request did not complete within requested timeout",
            true,
        ),
    ] {
        drill.step(&fail("{client: kubectl, kind: sts, name: web, times: 1}", error));
        let told = drill.refused("scale sts web --replicas=2");
        assert!(told.starts_with(said), "{told}");
        assert_eq!(drill.field("sts/web", "/spec/replicas") == 2, applied, "{error}");
    }
}

/// A pod whose answer is lost is there: the second create meets its name, and the set is complete all the same.
#[test]
fn a_lost_answer_is_met_by_the_retry() {
    let mut drill = Drill::on(STEADY, &[]);
    drill.step(&fail(
        "{client: statefulset-controller, verb: create, kind: pod, name: web-1, times: 1}",
        "timeout-but-applied",
    ));
    drill.apply(&set(2));
    drill.sleep("10s");
    let told = drill.messages("sts/web");
    let failed =
        told.iter().filter(|text| text.starts_with("Warning FailedCreate: Create Pod web-1")).count();
    assert_eq!(failed, 1, "{told:?}");
    assert!(!told.iter().any(|text| text.starts_with("Normal SuccessfulCreate: create Pod web-1")));
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 2);
}

/// A budget whose status could not be written allows nothing for a moment, and then what it should (PDB-9).
#[test]
fn a_budget_is_safe_after_a_failure() {
    let mut drill = Drill::on(STEADY, &[set(3)]);
    drill.step(&fail("{client: disruption-controller, verb: update, kind: pdb, times: 1}", "500"));
    drill.apply(&budget());
    assert_eq!(left(&drill), [Some(0)]);
    assert_eq!(drill.field("pdb/web", "/status/disruptionsAllowed"), 1);
    assert_eq!(drill.field("pdb/web", "/status/currentHealthy"), 3);
}

/// The fault ends by itself, and whoever asks by its name sees that.
#[test]
fn it_heals_by_time_by_count_and_by_step() {
    let mut drill = Drill::on(STEADY, &[set(1)]);
    let active = |drill: &Drill| drill.cluster().world.faults.active("down");
    drill.step("- {fail: api, writes: {client: kubectl, times: 1}, name: down}");
    assert!(active(&drill));
    drill.refused("scale sts web --replicas=2");
    drill.sleep("1s");
    assert!(!active(&drill), "its one write is over");
    drill.during("1s", "- {fail: api, for: 1m, name: down}");
    assert!(active(&drill));
    drill.sleep("2m");
    assert!(!active(&drill), "its minute is over");
    drill.during("1s", "- {fail: api, name: down}");
    drill.step("- heal: api");
    assert!(!active(&drill) && left(&drill).is_empty());
}

/// An unmount that is under way when the network is cut comes to its end; nobody waits six minutes for it.
#[test]
fn an_unmount_goes_on_while_the_node_is_cut_off() {
    let slow = STEADY.replace("publish: 0s", "publish: 5s");
    let mut drill = Drill::on(&slow, &[set_with_claims(1)]);
    let node = drill.field("pod/web-0", "/spec/nodeName").as_str().unwrap_or_default().to_owned();
    // Unpublished after five seconds, and cut off two seconds before the device would be unmounted.
    drill.during("8s", "- {settle: false, kubectl: scale sts web --replicas=0}");
    drill.during("20s", &format!("- {{settle: false, partition: node/{node}, for: 20s}}"));
    drill.sleep("1m");
    assert_eq!(drill.cluster().kubelets.running().count(), 0);
    assert_eq!(drill.list("volumeattachments").len(), 0);
    assert_eq!(drill.field(&format!("node/{node}"), "/status/volumesInUse"), Value::Null);
}

/// Start, readiness and stop take so many times as long on a slow node, or of a slow pod; then all is as before.
#[test]
fn slow_nodes_and_pods() {
    let took = |drill: &mut Drill, step: &str| {
        let before = drill.cluster().world.now();
        drill.step(step);
        drill.cluster().world.now().elapsed_since(before).as_millis()
    };
    for target in ["node/*", "pod/web-0"] {
        let mut drill = Drill::on(STEADY, &[set(1)]);
        let again = "- kubectl: delete pod web-0";
        let usual = took(&mut drill, again);
        drill.during("1ms", &format!("- {{settle: false, slow: {target}, factor: 20, name: busy}}"));
        let slow = took(&mut drill, again);
        assert!(slow > 8 * usual, "{target}: {slow} after {usual} ms");
        assert!(drill.cluster().world.faults.active("busy"));
        drill.step(&format!("- unslow: {target}"));
        assert!(!drill.cluster().world.faults.active("busy"));
        let after = took(&mut drill, again);
        assert!(after < 2 * usual, "{target}: {after} after {usual} ms");
    }
}
