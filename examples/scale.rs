//! How time and memory grow: one StatefulSet of N replicas is created and rolled, and its figures are printed.
//!
//! `cargo run --release --example scale -- 1000 100000 1000000 [--parallel] [--claims]`; with `--quiet-hours` a ready
//! cluster of three is left alone for one hour and for thirty days instead. Wall time is read here, outside the
//! simulator; the figures are ratios within one run.
#![allow(
    clippy::disallowed_types,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
use serde_json::{Value, json};
use std::io::Write;
use std::time::Instant;
use stsim::api::kind::Kind;
use stsim::cluster::Cluster;
use stsim::config::Config;
use stsim::kernel::{Duration, Time};
use stsim::scenario::NodeSpec;

/// Pods per node, the same at every size.
const PER_NODE: usize = 1000;

fn cluster(replicas: usize) -> Cluster {
    let mut config = Config::recorded();
    config.client_qps = 0;
    let mut cluster = Cluster::new(1, config);
    cluster.world.max_events = u64::MAX;
    cluster.bootstrap().expect("an empty cluster");
    for n in 0..(replicas / PER_NODE).max(3) {
        let room = u32::try_from(2 * PER_NODE).expect("small");
        let node = NodeSpec {
            name: format!("node-{n}"),
            zone: format!("zone-{}", n % 3),
            cpu: 1_000_000,
            memory: 1 << 50,
            pods: room,
            volumes: room,
            labels: Vec::new(),
            taints: Vec::new(),
        };
        cluster.add_node(&node, true).expect("a new node");
    }
    cluster.run_until_settled(Time::NEVER);
    cluster
}

fn set(replicas: usize, parallel: bool, claims: bool) -> Value {
    let claim = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "ebs", "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
        "spec": {
            "serviceName": "web", "replicas": replicas,
            "podManagementPolicy": if parallel { "Parallel" } else { "OrderedReady" },
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            },
            "volumeClaimTemplates": if claims { claim } else { json!([]) },
        },
    })
}

/// A field of /proc/self/status in kilobytes; 0 where there is no such file.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn phase(out: &mut impl Write, cluster: &mut Cluster, what: &str, replicas: usize) -> f64 {
    let (events, start) = (cluster.world.handled(), Instant::now());
    cluster.run_until_settled(Time::NEVER);
    let seconds = start.elapsed().as_secs_f64();
    let events = cluster.world.handled() - events;
    #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
    let (per_event, per_pod) = (seconds * 1e9 / events.max(1) as f64, seconds * 1e6 / replicas as f64);
    let ready: i32 = cluster.world.store.stateful_sets.iter().map(|(_, set)| set.status.ready).sum();
    writeln!(
        out,
        "{replicas:>9} {what:<7} {seconds:>8.3} s {per_pod:>7.2} us/pod {events:>11} events {per_event:>6.0} ns/event  \
         virtual {:<14} ready {ready}  peak {} MiB",
        cluster.world.now().to_string(),
        memory("VmHWM") / 1024,
    )
    .expect("it can be printed");
    seconds
}

fn main() {
    let mut out = std::io::stdout().lock();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    if has("--quiet-hours") {
        quiet(&mut out);
        return;
    }
    let mut before: Option<(usize, f64, f64)> = None;
    for replicas in arguments.iter().filter_map(|a| a.parse::<usize>().ok()) {
        let mut cluster = cluster(replicas);
        let empty = memory("VmRSS");
        cluster
            .world
            .rest_create(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]},
            }))
            .expect("a service");
        cluster.world.rest_create(set(replicas, has("--parallel"), has("--claims"))).expect("a set");
        let create = phase(&mut out, &mut cluster, "create", replicas);
        let used = memory("VmHWM").saturating_sub(empty) * 1024 / replicas as u64;
        let set = cluster.world.rest_list(Kind::StatefulSet, None)[0];
        let mut object = cluster.world.rest_get(set).expect("it is there");
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:v2");
        cluster.world.rest_update(set, object).expect("a new template");
        let roll = phase(&mut out, &mut cluster, "roll", replicas);
        writeln!(out, "{replicas:>9} peak memory per pod after create: {used} B").expect("it can be printed");
        if let Some((n, c, r)) = before {
            writeln!(out, "          {n} -> {replicas}: create {:.1}x, roll {:.1}x", create / c, roll / r)
                .expect("ok");
        }
        before = Some((replicas, create, roll));
    }
}

/// P10: what a quiet cluster costs does not grow with virtual time.
fn quiet(out: &mut impl Write) {
    for hours in [1, 24 * 30] {
        let mut cluster = cluster(3);
        cluster.world.rest_create(set(3, false, true)).expect("a set");
        cluster.run_until_settled(Time::NEVER);
        let before = cluster.world.handled();
        let start = Instant::now();
        let until = cluster.world.now() + Duration::from_secs(3600 * hours);
        cluster.run_until(until);
        let events = cluster.world.handled() - before;
        writeln!(out, "{hours:>4} quiet hours: {events} events, {:?}", start.elapsed())
            .expect("it can be printed");
    }
}
