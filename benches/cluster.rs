//! Whole-cluster benches: creating and rolling one StatefulSet of 10^3, 10^5 and 10^6 replicas, and bringing up three.
//!
//! Run with `cargo bench --bench cluster`. Figures and how to read them: `docs/performance.md`.
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Duration;
use stsim::cluster::Cluster;
use stsim::config::Config;
use stsim::kernel::Time;
use stsim::scenario::NodeSpec;

/// Pods per node: the scheduler's and the kubelets' per-node work stays the same at every size.
const PER_NODE: usize = 1000;

fn cluster(replicas: usize) -> Cluster {
    let mut config = Config::recorded();
    config.client_qps = 0;
    let mut cluster = Cluster::new(1, config);
    cluster.world.max_events = u64::MAX;
    cluster.bootstrap().expect("an empty cluster");
    for n in 0..(replicas / PER_NODE).max(3) {
        let node = NodeSpec {
            name: format!("node-{n}"),
            zone: format!("zone-{}", n % 3),
            cpu: 1_000_000,
            memory: 1 << 50,
            pods: u32::try_from(2 * PER_NODE).expect("small"),
            volumes: u32::try_from(2 * PER_NODE).expect("small"),
            labels: Vec::new(),
            taints: Vec::new(),
        };
        cluster.add_node(&node, true).expect("a new node");
    }
    cluster.run_until_settled(Time::NEVER);
    cluster
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

fn set(replicas: usize, policy: &str, claims: bool) -> Value {
    let claim = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "ebs", "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
        "spec": {
            "serviceName": "web", "replicas": replicas, "podManagementPolicy": policy,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            },
            "volumeClaimTemplates": if claims { claim } else { json!([]) },
        },
    })
}

fn created(replicas: usize, policy: &str, claims: bool) -> Cluster {
    let mut cluster = cluster(replicas);
    cluster.world.rest_create(service()).expect("a service");
    cluster.world.rest_create(set(replicas, policy, claims)).expect("a set");
    cluster.run_until_settled(Time::NEVER);
    let ready = cluster.world.store.stateful_sets.iter().map(|(_, set)| set.status.ready).sum::<i32>();
    assert_eq!(usize::try_from(ready), Ok(replicas), "all pods are ready");
    cluster
}

fn roll(cluster: &mut Cluster) {
    let set = cluster.world.rest_list(stsim::api::kind::Kind::StatefulSet, None)[0];
    let mut object = cluster.world.rest_get(set).expect("it is there");
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:v2");
    cluster.world.rest_update(set, object).expect("a new template");
    cluster.run_until_settled(Time::NEVER);
}

fn sizes(c: &mut Criterion) {
    for (policy, name) in [("OrderedReady", "ordered"), ("Parallel", "parallel")] {
        let mut group = c.benchmark_group(format!("create {name}"));
        group
            .sample_size(10)
            .measurement_time(Duration::from_secs(2))
            .warm_up_time(Duration::from_millis(100));
        for replicas in [1_000, 100_000, 1_000_000] {
            group.throughput(Throughput::Elements(replicas as u64));
            group.bench_function(BenchmarkId::from_parameter(replicas), |bencher| {
                bencher.iter(|| black_box(created(replicas, policy, false)));
            });
        }
        group.finish();
    }
    let mut group = c.benchmark_group("rolling update ordered");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(100));
    for replicas in [1_000, 100_000, 1_000_000] {
        group.throughput(Throughput::Elements(replicas as u64));
        let ready = created(replicas, "Parallel", false);
        group.bench_function(BenchmarkId::from_parameter(replicas), |bencher| {
            bencher.iter_batched_ref(|| ready.clone(), roll, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn bring_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("bring-up of 3 replicas");
    group.throughput(Throughput::Elements(1));
    let empty = cluster(3);
    for (claims, name) in [(false, "without claims"), (true, "with claims")] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || empty.clone(),
                |cluster| {
                    cluster.world.rest_create(service()).expect("a service");
                    cluster.world.rest_create(set(3, "OrderedReady", claims)).expect("a set");
                    cluster.run_until_settled(Time::NEVER);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bring_up, sizes);
criterion_main!(benches);
