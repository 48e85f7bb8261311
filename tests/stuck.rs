//! The states that Kubernetes does not leave by itself: each has a scenario that ends in it, its diagnosis names exactly it,
//! and the way out that `why` prints was tried and works. And: no pod of any shipped scenario waits for nothing.
mod common;

use common::{root, stsim};
use serde_json::Value;
use std::path::PathBuf;

/// By number: the scenario, what is asked about, and a line of a command that helps. The name of a set cannot be changed:
/// there is no way out of STUCK-13 but another set.
const STATES: [(u8, &str, &str, &str); 20] = [
    (1, "01-broken-revision", "sts/web", "kubectl delete pod web-1"),
    (2, "02-unavailable-used-up", "sts/web", "kubectl delete pod web-2"),
    (3, "03-scale-down", "sts/web", "kubectl delete pod web-0"),
    (4, "04-dead-node", "sts/web", "recover: node/node-b"),
    (5, "05-finalizer", "pod/lonely", "finalizers\":null"),
    (6, "06-zone-without-node", "sts/web", "addNode: {name: new-node, zone: us-east-1b}"),
    (7, "07-attach-limit", "pod/web-1", "addNode: {name: new-node, zone: us-east-1a}"),
    (8, "08-drain-and-budget", "node/node-a", "kubectl patch pdb web"),
    (9, "09-claim-terminating", "sts/web", "kubectl delete pod reader"),
    (10, "10-stale-claim", "sts/web", "kubectl patch pvc data-web-1"),
    (11, "11-multi-attach", "deploy/db", "out-of-service"),
    (12, "12-refused", "sts/web", "refuse: nothing"),
    (13, "13-name-too-long", "sts/weeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeb", ""),
    (14, "14-bootstrap-deadlock", "pod/web-0", "podManagementPolicy: Parallel"),
    (15, "15-ordinals-too-large", "sts/web", "ordinals"),
    (16, "16-eviction-brake", "sts/web", "recover: node/node-a"),
    (17, "17-environment", "deploy/web", "kubectl rollout undo deployment/web"),
    (18, "18-two-budgets", "node/node-a", "kubectl delete pdb two"),
    (19, "19-paused", "sts/web", "kubectl patch sts web"),
    (20, "20-squatter", "sts/web", "kubectl delete pod web-1"),
];

fn json(arguments: &[&str]) -> Value {
    let output = stsim(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn ids(value: &Value) -> Vec<String> {
    let all = value["stuck"].as_array().cloned().unwrap_or_default();
    all.iter().map(|stuck| stuck["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn each_state_is_named_and_its_way_out_works() {
    let mut wrong = Vec::new();
    for (id, stem, object, way_out) in STATES {
        let file = format!("scenarios/stuck/{stem}.yaml");
        let expected = [format!("STUCK-{id}")];
        let run = json(&["run", &file, "-o", "json"]);
        if ids(&run) != expected {
            wrong.push(format!("{stem}: the run is diagnosed as {:?}", ids(&run)));
        }
        let why = json(&["why", &file, object, "-o", "json"]);
        if ids(&why) != expected {
            wrong.push(format!("{stem}: why names {:?}", ids(&why)));
        }
        let remedies = why["remedies"].as_array().cloned().unwrap_or_default();
        let helps = |remedy: &&Value| remedy["helpsAfter"].is_u64();
        let said = |remedy: &Value| remedy["commands"].to_string().replace("\\\"", "\"");
        let found = remedies.iter().filter(helps).any(|remedy| said(remedy).contains(way_out));
        if found == way_out.is_empty() {
            wrong.push(format!("{stem}: `{way_out}` is not what helps: {:?}", why["remedies"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All scenarios that are meant to run.
fn scenarios() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().join("scenarios")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "invalid") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "golden") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every pod that is not Ready at the end of a scenario waits for something that `why` names.
#[test]
fn no_pod_waits_for_nothing() {
    let mut asked = 0;
    let mut wrong = Vec::new();
    for golden in scenarios() {
        let text = std::fs::read_to_string(&golden).expect("a golden");
        let Some(waiting) = text.lines().find_map(|line| line.strip_prefix("still waiting: ")) else {
            continue;
        };
        let pods = waiting.split("; ").filter_map(|part| part.split(' ').next());
        let file = golden.with_extension("yaml");
        let file = file.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        for pod in pods.filter(|name| name.starts_with("pod/")) {
            let why = json(&["why", &file, pod, "--no-trial", "-o", "json"]);
            asked += 1;
            let waits = why["waits"].as_array().cloned().unwrap_or_default();
            let named = waits.first().is_some_and(|wait| {
                ["who", "on"].iter().all(|field| !wait[field].as_str().unwrap_or_default().is_empty())
            });
            // Every chain of waits ends in a time, in something to be done, or in a circle.
            let leaf = |wait: &Value| !wait["until"].is_null();
            let circle = why["deadlock"].as_array().is_some_and(|circle| !circle.is_empty());
            if !named || !(waits.iter().any(leaf) || circle) {
                wrong.push(format!("{file}: {pod}: {}", why["waits"]));
            }
        }
    }
    assert!(asked > 20, "only {asked} pods wait");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// ---- The situations everybody meets --------------------------------------------------------------------------------

fn why(file: &str, object: &str, at: &str) -> String {
    let mut arguments = vec!["why", file, object];
    if !at.is_empty() {
        arguments.extend(["--at", at]);
    }
    let output = stsim(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Lines are wrapped for readers.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All of these are said, in this order.
fn says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else { panic!("`{part}` is not said, or not there:\n{text}") };
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn a_crashed_node_is_told_down_to_the_step() {
    let file = "scenarios/incidents/03-node-dies.yaml";
    let before = why(file, "pod/web-1", "3m");
    says(
        &before,
        &[
            "pod/web-1 not ready node-controller [NODE-8]",
            "step 2: crash node-of(pod/web-1)",
            "taint-eviction-controller waits for its toleration",
            "until 6m49",
            "node/node-c: the machine waits for power",
            "recover: node/node-c",
        ],
    );
    let after = why(file, "pod/web-1", "10m");
    says(&after, &["pod/web-1 deleting taint-eviction-controller", "STUCK-4", "safe only because nothing"]);
}

#[test]
fn the_six_minutes_are_named() {
    let file = "scenarios/incidents/06-multi-attach.yaml";
    let stuck = why(file, "deploy/db", "30m");
    says(&stuck, &["Multi-Attach", "node/node-a: the machine waits for power", "step 2: crash", "STUCK-11"]);
    // The operator has removed the pod object: now the six minutes run.
    let runs = why(file, "deploy/db", "1h1m");
    says(&runs, &["[VOL-45]", "until 1h06m00", "detaches it by force", "If nobody does anything"]);
    assert!(!runs.contains("STUCK-"), "what has a time is not stuck: {runs}");
}

#[test]
fn a_stuck_rollout_names_the_pod_to_delete() {
    let text = why("scenarios/statefulset/stuck-rollout.yaml", "sts/web", "11m");
    says(
        &text,
        &[
            "pod template changed",
            "step 4: kubectl rollout undo statefulset/web",
            "waits for pod/web-2 to be running and Ready [STS-60]",
            "readiness probe",
            "STUCK-1",
            "kubectl delete pod web-2",
            "sts/web has all its pods, Ready after",
        ],
    );
}

#[test]
fn a_zone_trap_shows_the_verdicts_of_the_scheduler() {
    let text = why("scenarios/faults/zone-trap.yaml", "pod/db-1", "8m");
    says(
        &text,
        &[
            "step 4: kubectl delete pod db-1 --force",
            "NODE ZONE PLUGIN REASON",
            "node-a us-east-1a VolumeBinding",
            "node-b us-east-1b TaintToleration",
            "for ever, unless a node in us-east-1b passes",
            "began at 46.578s with step 2: crash node/node-b",
            "STUCK-6",
            "addNode",
            "cost: the disk of pvc/data-db-1 is deleted, with its data",
        ],
    );
}

#[test]
fn a_drain_waits_for_its_budget() {
    let text = why("scenarios/incidents/12-budget-protects-a-dead-pod.yaml", "node/node-c", "3m");
    says(
        &text,
        &[
            "kubectl drain waits for the eviction of pod/web-2",
            "pdb/web",
            "pod/web-1",
            "STUCK-8",
            "AlwaysAllow",
        ],
    );
}

#[test]
fn a_finalizer_is_named() {
    let text = why("scenarios/faults/stuck-deletions.yaml", "pod/waiting", "40s");
    says(
        &text,
        &["step 3: kubectl delete pod waiting", "finalizer example.org/keep", "STUCK-5", "is gone after"],
    );
}

#[test]
fn a_deadlock_is_printed_as_a_circle() {
    let text = why("scenarios/stuck/14-bootstrap-deadlock.yaml", "pod/web-0", "");
    says(
        &text,
        &[
            "which it is when `dns.resolves(\"web-1.web\")`",
            "A circle",
            "pod/web-0 -> dns/web-1.web -> pod/web-1 -> sts/web -> pod/web-0",
            "STUCK-14",
        ],
    );
}

#[test]
fn names_claims_and_healthy_objects_are_told_too() {
    let zone = "scenarios/faults/zone-trap.yaml";
    let name = why(zone, "dns/db-1.db", "8m");
    says(&name, &["resolves to nothing", "coredns waits for", "pod/db-1"]);
    let claim = why(zone, "pvc/data-db-1", "8m");
    assert!(claim.contains("Bound to pv/vol-"), "{claim}");
    let healthy = why(zone, "sts/db", "");
    assert!(healthy.contains("3 of 3 pods are Ready") && !healthy.contains("waits for"), "{healthy}");
    let refused = stsim(&["why", zone, "sts/none"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("there is no sts/none at this moment; there are sts/db"), "{said}");
}

#[test]
fn describe_travels_in_time() {
    let output = stsim(&["describe", "scenarios/faults/zone-trap.yaml", "pod", "db-1", "--at", "8m"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("FailedScheduling") && text.contains("Pending"), "{text}");
}
