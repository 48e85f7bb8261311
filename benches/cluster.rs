//! Whole-cluster benches: creating and rolling one StatefulSet of 10^3, 10^5 and 10^6 replicas, and bringing up three.
//!
//! Run with `cargo bench --bench cluster`. Figures and how to read them: `docs/performance.md`.
#![allow(clippy::disallowed_types, reason = "outside the simulator: a harness looks at the clock")]
#[path = "../examples/scale/one_set.rs"]
mod one_set;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use one_set::Shape;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};
use stsim::cluster::Cluster;

fn shape(replicas: usize, parallel: bool, claims: bool) -> Shape {
    Shape { replicas, per_node: one_set::PER_NODE, parallel, claims }
}

fn created(shape: Shape) -> Cluster {
    let mut cluster = one_set::empty(shape);
    one_set::apply(&mut cluster, shape);
    one_set::settle(&mut cluster, shape.replicas);
    cluster
}

/// What is sampled. The largest set is run once ([`million`]): ten samples of it would take a quarter of an hour.
const SIZES: [usize; 2] = [1_000, 100_000];

fn create(c: &mut Criterion) {
    for (parallel, name) in [(false, "ordered"), (true, "parallel")] {
        let mut group = c.benchmark_group(format!("create {name}"));
        group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(1));
        for replicas in SIZES {
            group.throughput(Throughput::Elements(replicas as u64));
            group.bench_function(BenchmarkId::from_parameter(replicas), |bencher| {
                bencher.iter(|| black_box(created(shape(replicas, parallel, false))));
            });
        }
        group.finish();
    }
}

fn rolled(cluster: &mut Cluster, replicas: usize) {
    one_set::change_image(cluster);
    one_set::settle(cluster, replicas);
}

fn roll(c: &mut Criterion) {
    let mut group = c.benchmark_group("rolling update ordered");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(1));
    for replicas in SIZES {
        group.throughput(Throughput::Elements(replicas as u64));
        let ready = created(shape(replicas, false, false));
        group.bench_function(BenchmarkId::from_parameter(replicas), |bencher| {
            let roll = |cluster: &mut Cluster| rolled(cluster, replicas);
            bencher.iter_batched_ref(|| ready.clone(), roll, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// A million replicas, created and rolled once.
fn million(_: &mut Criterion) {
    const REPLICAS: usize = 1_000_000;
    let start = Instant::now();
    let mut cluster = created(shape(REPLICAS, false, false));
    report("create ordered", REPLICAS, start);
    let start = Instant::now();
    rolled(&mut cluster, REPLICAS);
    report("rolling update ordered", REPLICAS, start);
}

fn report(what: &str, replicas: usize, start: Instant) {
    writeln!(std::io::stdout(), "{what}/{replicas} once: {:.1?}", start.elapsed())
        .expect("it can be printed");
}

fn bring_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("bring-up of 3 replicas");
    group.throughput(Throughput::Elements(1));
    let empty = one_set::empty(shape(3, false, false));
    for (claims, name) in [(false, "without claims"), (true, "with claims")] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || empty.clone(),
                |cluster| {
                    one_set::apply(cluster, shape(3, false, claims));
                    one_set::settle(cluster, 3);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bring_up, create, roll, million);
criterion_main!(benches);
