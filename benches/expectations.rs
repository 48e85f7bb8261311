//! What expectations cost: one evaluation of a condition, the look whether it has to be evaluated, and a whole run with
//! and without expectations.
//!
//! Run with `cargo bench --bench expectations`. Figures: `docs/performance.md`.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use stsim::cluster::Cluster;
use stsim::expect::{Condition, Scope};
use stsim::run::{Blind, Play};
use stsim::scenario::read::{self, NoFiles};
use stsim::trace::record::Recorder;

/// A set of so many pods that is scaled up and down, with these expectations.
fn scenario(replicas: usize, expect: &str) -> stsim::scenario::Scenario {
    let nodes = replicas.div_ceil(50).max(3);
    let text = format!(
        r#"
apiVersion: stsim/v1alpha1
kind: Scenario
spec:
  cluster: {{nodes: [{{name: node, count: {nodes}, zones: [a, b, c]}}]}}
  steps:
  - kubectl: rollout restart sts/web
  expect: [{expect}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{clusterIP: None, selector: {{app: web}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: web}}
spec:
  serviceName: web
  replicas: {replicas}
  podManagementPolicy: Parallel
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "web:v1"}}]}}
"#
    );
    read::read("bench", text.as_bytes(), &mut NoFiles).unwrap_or_else(|wrong| panic!("{}", wrong.render()))
}

fn played(scenario: &stsim::scenario::Scenario) -> Cluster {
    let mut play =
        Play::new(scenario, 0, Recorder::off()).unwrap_or_else(|wrong| panic!("{}", wrong.message));
    play.play(&mut Blind);
    play.cluster
}

const CONDITIONS: [&str; 6] = [
    "pod(\"web-0\").ready",
    "sts(\"web\").status.readyReplicas == 3",
    "size(processes(\"web-0\")) <= 1",
    "pod(\"web-0\").phase == \"Running\" && pod(\"web-0\").node != \"\"",
    "pods(\"app=web\").all(p, p.ready)",
    "pods(\"app=web\").all(p, size(processes(p.name)) <= 1)",
];

fn evaluate(c: &mut Criterion) {
    for replicas in [3, 100] {
        let cluster = played(&scenario(replicas, ""));
        let mut group = c.benchmark_group(format!("condition, {replicas} pods"));
        for text in CONDITIONS {
            let mut condition =
                Condition::read(text, Scope::default()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
            condition.learn(&cluster);
            group.bench_function(text, |bencher| bencher.iter(|| black_box(condition.holds(&cluster))));
        }
        let condition =
            Condition::read(CONDITIONS[5], Scope::default()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        group.bench_function("whether to look", |bencher| {
            bencher.iter(|| black_box(condition.reads().stamp(&cluster)))
        });
        group.finish();
    }
}

fn run(c: &mut Criterion) {
    let mut group = c.benchmark_group("run of 100 pods, per event");
    group.sample_size(20);
    let one = "{always: 'sts(\"web\").status.readyReplicas <= 100'}";
    let named: Vec<String> =
        (0..10).map(|n| format!("{{always: 'size(processes(\"web-{n}\")) <= 1'}}")).collect();
    let all = "{always: 'pods(\"app=web\").all(p, p.restarts == 0)'}";
    for (name, expect) in [
        ("no expectation", ""),
        ("one", one),
        ("ten about pods", &named.join(", ")),
        ("one about all pods", all),
    ] {
        let scenario = scenario(100, expect);
        group.throughput(Throughput::Elements(played(&scenario).world.handled()));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(played(&scenario))));
    }
    group.finish();
}

criterion_group!(benches, evaluate, run);
criterion_main!(benches);
