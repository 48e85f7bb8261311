//! How time and memory grow: a StatefulSet of N replicas is created and rolled, then a tenth of its nodes loses power
//! and is replaced.
//!
//! `cargo run --release --example scale -- 1000 100000 1000000 [--parallel] [--claims] [--per-node=1000]
//! [--best-of=1]`. With `--memory=100000` a set is only created, in a process that has done nothing else, and the memory
//! that it takes is printed; with `--quiet-hours` a ready cluster of three is left alone for one hour and for thirty
//! days. Seconds are those that the process had a core, so that other work on the machine disturbs less; only ratios
//! within one run count.
#![allow(
    clippy::disallowed_types,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod one_set;

use one_set::Shape;
use serde_json::json;
use std::io::Write;
use std::time::Instant;
use stsim::api::kind::Kind;
use stsim::api::objects::Node;
use stsim::cluster::Cluster;
use stsim::fault::Victims;
use stsim::kernel::{Duration, Id, Time};
use stsim::scenario::Verb;

fn main() {
    let mut out = std::io::stdout().lock();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    if has("--quiet-hours") {
        quiet(&mut out);
        return;
    }
    let number =
        |option: &str| arguments.iter().find_map(|a| a.strip_prefix(option)?.strip_prefix('=')?.parse().ok());
    let per_node = number("--per-node").unwrap_or(one_set::PER_NODE);
    let shape = |replicas| Shape { replicas, per_node, parallel: has("--parallel"), claims: has("--claims") };
    if let Some(replicas) = number("--memory") {
        memory_of(&mut out, shape(replicas));
        return;
    }
    let mut before: Option<(usize, [f64; 3])> = None;
    let best_of = number("--best-of").unwrap_or(1);
    for replicas in arguments.iter().filter_map(|a| a.parse::<usize>().ok()) {
        let shape = shape(replicas);
        let mut times = measure(&mut out, shape);
        for _ in 1..best_of {
            let again = measure(&mut out, shape);
            times = std::array::from_fn(|phase| times[phase].min(again[phase]));
        }
        if let Some((n, earlier)) = before {
            let ratios: Vec<_> = times.iter().zip(&earlier).map(|(t, e)| format!("{:.1}x", t / e)).collect();
            writeln!(out, "          {n} -> {replicas}: {}", ratios.join(", ")).expect("it can be printed");
        }
        before = Some((replicas, times));
    }
}

/// Creates a set; the peak of memory beyond that of the empty cluster. What an earlier set left to the allocator would
/// count as the empty cluster's: it has to be the only one.
fn memory_of(out: &mut impl Write, shape: Shape) {
    let mut cluster = one_set::empty(shape);
    let empty = memory("VmRSS");
    one_set::apply(&mut cluster, shape);
    one_set::settle(&mut cluster, shape.replicas);
    let used = memory("VmHWM").saturating_sub(empty) * 1024 / shape.replicas.max(1) as u64;
    writeln!(out, "{:>9} peak memory per pod after create: {used} B", shape.replicas)
        .expect("it can be printed");
}

/// Creates, rolls and breaks a set; the seconds that each takes.
fn measure(out: &mut impl Write, shape: Shape) -> [f64; 3] {
    let mut cluster = one_set::empty(shape);
    one_set::apply(&mut cluster, shape);
    let create = phase(out, &mut cluster, "create", shape.replicas);
    one_set::change_image(&mut cluster);
    let roll = phase(out, &mut cluster, "roll", shape.replicas);
    let start = cpu_seconds();
    let crashed = crash_nodes(&mut cluster);
    // Until the pods are evicted: terminating, and held by a kubelet that is silent.
    cluster.run_until_settled(Time::NEVER);
    replace_nodes(&mut cluster, shape, &crashed);
    phase(out, &mut cluster, "failure", shape.replicas);
    [create, roll, cpu_seconds() - start]
}

fn phase(out: &mut impl Write, cluster: &mut Cluster, what: &str, replicas: usize) -> f64 {
    let (events, start) = (cluster.world.handled(), cpu_seconds());
    one_set::settle(cluster, replicas);
    let seconds = cpu_seconds() - start;
    let events = cluster.world.handled() - events;
    #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
    let (per_event, per_pod) = (seconds * 1e9 / events.max(1) as f64, seconds * 1e6 / replicas as f64);
    writeln!(
        out,
        "{replicas:>9} {what:<7} {seconds:>8.3} s {per_pod:>7.2} us/pod {events:>11} events {per_event:>6.0} ns/event  \
         virtual {:<14} peak {} MiB",
        cluster.world.now().to_string(),
        memory("VmHWM") / 1024,
    )
    .expect("it can be printed");
    seconds
}

/// Every tenth node loses power.
fn crash_nodes(cluster: &mut Cluster) -> Vec<Id<Node>> {
    let nodes: Vec<Id<Node>> = cluster.world.store.nodes.iter().map(|(id, _)| id).step_by(10).collect();
    cluster.inject(Verb::Crash, &Victims::Nodes(nodes.clone()));
    nodes
}

/// Dead nodes are declared out of service, as an operator does it, and new ones join in their zones.
fn replace_nodes(cluster: &mut Cluster, shape: Shape, crashed: &[Id<Node>]) {
    for node in crashed {
        let name = cluster.world.store.nodes.last_known(*node).map(|node| node.meta.name);
        let name = cluster.world.store.name_of(name.expect("it was there"));
        let object = cluster.world.rest_find(Kind::Node, "", &name).expect("it is still there");
        let mut json = cluster.world.rest_get(object).expect("it is still there");
        let taint = json!({"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"});
        json["spec"]["taints"].as_array_mut().expect("it is tainted as unreachable").push(taint);
        cluster.world.rest_update(object, json).expect("one more taint");
        one_set::add_node(cluster, shape, &format!("new-{}", node.index()), node.index() % 3);
    }
}

/// Seconds for which the process has had a core; 0 where /proc/self/schedstat does not say.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// A field of /proc/self/status in kilobytes; 0 where there is no such file.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// What a quiet cluster costs does not grow with virtual time.
fn quiet(out: &mut impl Write) {
    for hours in [1, 24 * 30] {
        let shape = Shape { replicas: 3, per_node: one_set::PER_NODE, parallel: false, claims: true };
        let mut cluster = one_set::empty(shape);
        one_set::apply(&mut cluster, shape);
        one_set::settle(&mut cluster, 3);
        let before = cluster.world.handled();
        let start = Instant::now();
        let until = cluster.world.now() + Duration::from_secs(3600 * hours);
        cluster.run_until(until);
        let events = cluster.world.handled() - before;
        writeln!(out, "{hours:>4} quiet hours: {events} events, {:?}", start.elapsed())
            .expect("it can be printed");
    }
}
