//! Whole-cluster benches: creating and rolling one StatefulSet of 10^3, 10^5 and 10^6 replicas, and bringing up three.
//!
//! Run with `cargo bench --bench cluster`. Figures and how to read them: `docs/performance.md`.
#[path = "../examples/scale/one_set.rs"]
mod one_set;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use one_set::Shape;
use std::hint::black_box;
use std::time::Duration;
use stsim::cluster::Cluster;

fn created(shape: Shape) -> Cluster {
    let mut cluster = one_set::empty(shape.replicas);
    one_set::apply(&mut cluster, shape);
    one_set::settle(&mut cluster, shape.replicas);
    cluster
}

fn sizes(c: &mut Criterion) {
    for (parallel, name) in [(false, "ordered"), (true, "parallel")] {
        let mut group = c.benchmark_group(format!("create {name}"));
        group
            .sample_size(10)
            .measurement_time(Duration::from_secs(2))
            .warm_up_time(Duration::from_millis(100));
        for replicas in [1_000, 100_000, 1_000_000] {
            group.throughput(Throughput::Elements(replicas as u64));
            group.bench_function(BenchmarkId::from_parameter(replicas), |bencher| {
                bencher.iter(|| black_box(created(Shape { replicas, parallel, claims: false })));
            });
        }
        group.finish();
    }
    let mut group = c.benchmark_group("rolling update ordered");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(100));
    for replicas in [1_000, 100_000, 1_000_000] {
        group.throughput(Throughput::Elements(replicas as u64));
        let ready = created(Shape { replicas, parallel: false, claims: false });
        group.bench_function(BenchmarkId::from_parameter(replicas), |bencher| {
            let roll = |cluster: &mut Cluster| {
                one_set::change_image(cluster);
                one_set::settle(cluster, replicas);
            };
            bencher.iter_batched_ref(|| ready.clone(), roll, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn bring_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("bring-up of 3 replicas");
    group.throughput(Throughput::Elements(1));
    let empty = one_set::empty(3);
    for (claims, name) in [(false, "without claims"), (true, "with claims")] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || empty.clone(),
                |cluster| {
                    one_set::apply(cluster, Shape { replicas: 3, parallel: false, claims });
                    one_set::settle(cluster, 3);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bring_up, sizes);
criterion_main!(benches);
