//! `stsim compare`: what it prints, that nothing of it is known beforehand, and that both runs have the same luck.
//!
//! `BLESS=1 cargo test --test compare` writes the golden of the lecture; look at the difference before you commit it.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and writes goldens"
)]
mod common;

use common::{root, stsim};
use proptest::prelude::*;
use serde_json::Value;
use std::process::Output;

const LECTURE: &str = "scenarios/compare/lecture.yaml";

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn compared(file: &str, more: &[&str]) -> Value {
    let output = stsim(&[&["compare", file, "-o", "json"], more].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{file}: {}", text(&output)))
}

/// What a row says of the StatefulSet and of the Deployment.
fn row<'v>(comparison: &'v Value, feature: &str) -> (&'v str, &'v str) {
    let rows = comparison["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["feature"] == feature).unwrap_or_else(|| panic!("no row {feature}"));
    let seen = |side: &str| row[side]["seen"].as_str().expect("a word");
    (seen("statefulSet"), seen("deployment"))
}

/// A file in the directory for temporary files of the tests.
fn file(name: &str, content: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("written");
    path.to_string_lossy().into_owned()
}

/// A scenario with one StatefulSet `web`: fields of its spec, of its pods' spec, and of the scenario.
fn scenario(spec: &str, pod: &str, more: &str) -> String {
    format!(
        "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {{name: x}}\nspec:\n  behavior:\n  - {{image: \"web:*\", start: 1s, \
         ready: 2s, stop: 1s}}\n{more}---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{clusterIP: None, selector: \
         {{app: web}}, ports: [{{port: 80}}]}}\n---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: web}}\nspec:\n  \
         serviceName: web\n  selector: {{matchLabels: {{app: web}}}}\n{spec}  template:\n    metadata: {{labels: {{app: web}}}}\n    \
         spec:\n{pod}      containers: [{{name: web, image: \"web:v1\"}}]\n"
    )
}

const CLAIMS: &str = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], storageClassName: \
                      ebs, resources: {requests: {storage: 1Gi}}}\n";

#[test]
fn the_lecture_is_compared_as_its_golden_says() {
    let output = stsim(&["compare", LECTURE]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let golden = root().join("scenarios/compare/lecture.compared");
    let found = String::from_utf8(output.stdout).expect("text");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &found).expect("the golden is written");
    }
    let expected = std::fs::read_to_string(&golden).expect("the golden is there");
    assert!(found == expected, "{LECTURE} is compared otherwise than its golden says:\n{found}");
    assert_eq!(found, text(&stsim(&["compare", LECTURE])), "the same bytes again");
}

#[test]
fn the_table_of_the_lecture() {
    let comparison = compared(LECTURE, &[]);
    for (feature, set, twin) in [
        ("Pod names", "ordered", "random"),
        ("Scaling", "sequential", "parallel"),
        ("Storage", "per-pod claim", "shared claim"),
        ("Network identity", "stable DNS", "random"),
        ("Use case", "databases, queues", "stateless apps over a shared volume"),
    ] {
        assert_eq!(row(&comparison, feature), (set, twin), "{feature}");
    }
    let comparison = compared(LECTURE, &["--storage", "none"]);
    assert_eq!(row(&comparison, "Storage").1, "none");
    assert_eq!(row(&comparison, "Use case").1, "stateless apps");
    assert!(row(&comparison, "Data").1.ends_with("writes lost"), "{:?}", row(&comparison, "Data"));
    assert_eq!(row(&comparison, "Data").0, "nothing lost");
}

/// Counterexamples: StatefulSets that are not as the lecture says, and what is seen of them.
#[test]
fn nothing_in_the_table_is_known_beforehand() {
    let steps = "  steps:\n  - kubectl: delete pod web-1\n";
    let kinds: [(&str, &str, &str, &str, &[(&str, &str)]); 6] = [
        (
            "parallel",
            "  replicas: 3\n  podManagementPolicy: Parallel\n",
            CLAIMS,
            steps,
            &[("Scaling", "parallel")],
        ),
        (
            "no-claims",
            "  replicas: 3\n",
            "",
            steps,
            &[
                ("Storage", "none"),
                ("Scaling", "sequential"),
                ("Use case", "members with names, data elsewhere"),
            ],
        ),
        (
            "one",
            "  replicas: 1\n",
            CLAIMS,
            "",
            &[
                ("Storage", "one claim"),
                ("Scaling", "nothing to order"),
                ("Use case", "cannot be told"),
                ("Network identity", "DNS by pod name"),
            ],
        ),
        (
            "from-five",
            "  replicas: 2\n  ordinals: {start: 5}\n",
            CLAIMS,
            "",
            &[("Pod names", "ordered, from 5")],
        ),
        (
            "on-delete",
            "  replicas: 2\n  updateStrategy: {type: OnDelete}\n",
            CLAIMS,
            "  steps:\n  - kubectl: set image sts/web web=web:v2\n",
            &[("Rolling update", "no pod replaced; not finished")],
        ),
        (
            "never-ready",
            "  replicas: 3\n",
            CLAIMS,
            "  - {pod: \"web-*\", ready: never}\n",
            &[("Scaling", "sequential")],
        ),
    ];
    for (name, spec, claims, more, expected) in kinds {
        // Rules of behaviour stand first, and the first that fits wins.
        let mut content =
            scenario(&format!("{spec}{claims}"), "", if more.starts_with("  steps") { more } else { "" });
        if more.starts_with("  - {") {
            content = content.replace("  behavior:\n", &format!("  behavior:\n{more}"));
        }
        let comparison = compared(&file(&format!("compare-{name}.yaml"), &content), &[]);
        for (feature, seen) in expected {
            assert_eq!(row(&comparison, feature).0, *seen, "{name}: {feature}\n{comparison:#}");
        }
    }
}

#[test]
fn hostnames_and_services_make_the_identity() {
    // Without a headless service no pod has a DNS name, whatever owns it.
    let content = scenario("  replicas: 2\n", "", "  steps:\n  - kubectl: delete pod web-1\n");
    let content = content.replace("clusterIP: None, ", "");
    let comparison = compared(&file("compare-no-headless.yaml", &content), &[]);
    let rows = comparison["rows"].as_array().expect("rows");
    assert!(!rows.iter().any(|row| row["feature"] == "Network identity"), "{comparison:#}");
    assert_eq!(row(&comparison, "Replacement").0, "same name, when the old pod is gone");
    assert_eq!(row(&comparison, "Replacement").1, "another name, at once");
}

#[test]
fn the_twin_is_a_scenario_that_runs() {
    let output = stsim(&["compare", LECTURE, "-o", "scenario"]);
    let twin = String::from_utf8(output.stdout).expect("text");
    for part in
        ["kind: Deployment", "claimName: data-postgres", "kind: PersistentVolumeClaim", "deployment/postgres"]
    {
        assert!(twin.contains(part), "`{part}` is missing\n{twin}");
    }
    for part in ["StatefulSet\n", "serviceName", "volumeClaimTemplates"] {
        assert!(!twin.contains(part), "`{part}` is there\n{twin}");
    }
    let output = stsim(&["run", &file("compare-twin.yaml", &twin), "-q"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn what_cannot_be_said_of_a_deployment_is_said_plainly() {
    let steps = "  steps:\n  - kubectl: patch sts web -p '{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":2}}}}'\n  \
                 - refuse: {writes: create, of: pod/web-1}\n  - {lose: volume/data-web-1, after: 1m}\n  \
                 - {fail: api, writes: {name: web-1}}\n  expect:\n  - order: [web-0 ready, web-1 ready]\n  - finally: 'pod(\"web-1\").exists'\n";
    let content = scenario(&format!("  replicas: 2\n{CLAIMS}"), "", steps);
    let output = stsim(&["compare", &file("compare-untold.yaml", &content), "--storage", "none"]);
    let text = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "left out: it patches updateStrategy, and a Deployment has none",
        "left out: it refuses writes of the StatefulSet controller (pod/web-1)",
        "left out: `data-web-1` is a claim, and the pods of the twin have none",
        "left out: it fails writes of `web-1`, and the twin has nothing of that name",
        "left out: it orders pods by their names, and the twin's are random",
        "left out: it speaks of `web-1`, and the twin has nothing of that name",
        "serviceName: dropped, a Deployment has no such field",
        "volumeClaimTemplate data: an emptyDir, which goes with its pod",
    ] {
        assert!(text.contains(part), "`{part}` is missing\n{text}");
    }
}

#[test]
fn a_deployment_of_ones_own() {
    let content =
        scenario(&format!("  replicas: 3\n{CLAIMS}"), "", "  steps:\n  - kubectl: delete pod web-1\n");
    let own = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: front}\nspec:\n  replicas: 2\n  strategy: {type: Recreate}\n  \
               selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, \
               image: \"web:v1\"}]}\n";
    let comparison =
        compared(&file("compare-own.yaml", &content), &["--with", &file("compare-own-deployment.yaml", own)]);
    assert_eq!(comparison["deployment"]["workload"], "Deployment front");
    assert_eq!(row(&comparison, "Storage"), ("per-pod claim", "none"));
    assert_eq!(row(&comparison, "Replacement").1, "another name, at once");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let deployment = "scenarios/deployment/pod-deleted.yaml";
    let two = scenario("  replicas: 1\n", "", "");
    let (_, set) = two.rsplit_once("---\n").expect("documents");
    let two = format!("{two}---\n{}", set.replace("name: web}", "name: other}"));
    let two = file("compare-two.yaml", &two);
    for (arguments, says) in [
        (&["compare", deployment][..], "there is no StatefulSet in it"),
        (&["compare", &two][..], "say which with --workload NAME"),
        (&["compare", &two, "--workload", "third"][..], "there is web, other"),
        (&["compare", "scenarios/none.yaml"][..], "cannot read"),
        (&["compare", &two, "--workload", "web", "--with", "Cargo.toml"][..], "error"),
    ] {
        let output = stsim(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(says), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(stsim(&["compare", &two, "--workload", "other"]).status.code(), Some(0));
}

#[test]
fn markdown_is_one_table_and_lists() {
    let text = text(&stsim(&["compare", LECTURE, "-o", "markdown"]));
    assert!(
        text.contains("| Seen | Deployment postgres | StatefulSet postgres |\n| --- | --- | --- |\n"),
        "{text}"
    );
    let table = text.lines().filter(|line| line.starts_with('|'));
    for line in table {
        let bars = line.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 4, "{line}");
    }
}

#[test]
fn both_runs_are_on_one_page() {
    let page = text(&stsim(&["compare", LECTURE, "-o", "html"]));
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for part in ["lecture", "lecture-deployment", "postgres-0", "postgres-dcf86f475-"] {
        assert!(page.contains(part), "`{part}` is missing");
    }
}

/// When which node was first found not ready, in order.
fn missed(path: &str, seed: u64) -> Vec<(String, u64)> {
    let output = stsim(&["run", path, "-o", "jsonl", "--seed", &seed.to_string()]);
    let mut missed: Vec<(String, u64)> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let of_node = value["kind"] == "Node" && value["what"].to_string().contains("Ready Unknown");
        let name = value["name"].as_str().unwrap_or_default();
        if of_node && !missed.iter().any(|(known, _)| known == name) {
            missed.push((name.to_owned(), value["time"].as_u64().expect("a time")));
        }
    }
    missed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Both runs have the same luck with machines: a machine that loses power at the same moment is missed at the same
    /// tick of the same clock, and what the lane draws happens at the same times, whoever owns the pods.
    #[test]
    fn both_have_the_same_luck_with_machines(seed in 0_u64..100_000) {
        let lane = "  faults:\n  - {between: [1m, 9m], crash: node/node-c, for: 10m}\n  steps:\n  - {at: 5m, crash: node/node-b}\n  \
                    until: 12m\n";
        let original = scenario(&format!("  replicas: 3\n{CLAIMS}"), "", lane);
        let original = file(&format!("compare-luck-{seed}.yaml"), &original);
        let twin = String::from_utf8(stsim(&["compare", &original, "-o", "scenario"]).stdout).expect("text");
        let twin = file(&format!("compare-luck-{seed}-twin.yaml"), &twin);
        let (ours, theirs) = (missed(&original, seed), missed(&twin, seed));
        prop_assert_eq!(ours.len(), 2, "both machines are missed: {:?}", &ours);
        prop_assert_eq!(theirs.len(), 2);
        for ((node, time), (other, then)) in ours.iter().zip(&theirs) {
            prop_assert_eq!(node, other);
            // What the write takes is drawn for the request, which is another one.
            prop_assert!(time.abs_diff(*then) < 500_000_000, "{node}: {time} and {then}");
        }
    }

    /// Scaling is seen as sequential if and only if it is: OrderedReady, and more than one pod.
    #[test]
    fn scaling_is_what_the_policy_makes_of_it(
        replicas in 1_u32..5,
        parallel in any::<bool>(),
        claims in any::<bool>(),
        start in 0_u32..3,
        seed in 0_u64..1000,
        until in 0_u32..6,
    ) {
        let policy = if parallel { "Parallel" } else { "OrderedReady" };
        let spec = format!("  replicas: {replicas}\n  podManagementPolicy: {policy}\n  ordinals: {{start: {start}}}\n");
        let spec = spec + if claims { CLAIMS } else { "" };
        let steps = format!("  steps:\n  - kubectl: scale sts/web --replicas={until}\n");
        let name = format!("compare-{replicas}-{parallel}-{claims}-{start}-{seed}-{until}.yaml");
        let comparison = compared(&file(&name, &scenario(&spec, "", &steps)), &["--seed", &seed.to_string()]);
        let several = replicas > 1 || until > replicas + 1;
        let expected = match (several, parallel) {
            (false, _) => "nothing to order",
            (true, true) => "parallel",
            (true, false) => "sequential",
        };
        prop_assert_eq!(row(&comparison, "Scaling").0, expected);
        prop_assert_eq!(row(&comparison, "Scaling").1, if several { "parallel" } else { "nothing to order" });
        let first = if start == 0 { "ordered".to_owned() } else { format!("ordered, from {start}") };
        prop_assert_eq!(row(&comparison, "Pod names").0, first);
    }
}
