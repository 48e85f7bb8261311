//! The controller at work, write by write: the worked traces of the semantics (STS-113 to STS-115) and the traps.
//!
//! `status 3 2 2 1!2` is a status write: replicas, ready, available, current, updated; `=` if both revisions are one.
use super::testing::{Bench, SetOptions, bare_pod, cut, healthy, report, respec, set};
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::api::rare::RareId;
use crate::api::store::Verb;
use crate::controllers::plan::{Wait, WaitOn};
use crate::decision::Moment;
use crate::kernel::{Id, Time};
use crate::rule::Rule;
use crate::trace::record::Recorder;
use std::collections::BTreeMap;

/// What the controller writes next, until it has settled.
macro_rules! expect {
    ($bench:expr, [$($write:literal),* $(,)?]) => {{
        let expected: Vec<&str> = vec![$($write),*];
        assert_eq!(cut(&$bench.run()), expected);
    }};
}

fn two() -> SetOptions {
    SetOptions { replicas: 2, ..SetOptions::default() }
}

/// The pod ends, and its object goes; what each step makes the controller write.
fn terminate(bench: &mut Bench, name: &str) -> (Vec<String>, Vec<String>) {
    bench.ended(name);
    let ended = bench.run();
    bench.gone(name);
    let gone = bench.run();
    (ended, gone)
}

#[test]
fn sts_113_create() {
    let mut bench = Bench::new();
    set(&mut bench.world, "web", &two());
    expect!(bench, ["revision 1", "create web-0", "status 0 0 0 0=0", "status 1 0 0 1=1"]);
    bench.unready("web-0");
    expect!(bench, []);
    bench.ready("web-0");
    expect!(bench, ["create web-1", "status 1 1 1 1=1", "status 2 1 1 2=2"]);
    bench.ready("web-1");
    expect!(bench, ["status 2 2 2 2=2"]);
    expect!(bench, []);
}

#[test]
fn sts_114_rolling_update() {
    let (mut bench, id) = healthy(&SetOptions::default());
    respec(&mut bench.world, id, &SetOptions { image: "web:v2", ..SetOptions::default() });
    expect!(bench, ["revision 2", "delete web-2", "status 3 3 3 2!0"]);
    bench.ended("web-2");
    expect!(bench, ["status 3 2 2 2!0"]);
    bench.gone("web-2");
    expect!(bench, ["gone web-2", "create web-2", "status 2 2 2 2!0", "status 3 2 2 2!1"]);
    bench.ready("web-2");
    expect!(bench, ["delete web-1", "status 3 3 3 1!1"]);
    terminate(&mut bench, "web-1");
    bench.ready("web-1");
    expect!(bench, ["delete web-0", "status 3 3 3 0!2"]);
    terminate(&mut bench, "web-0");
    bench.ready("web-0");
    expect!(bench, ["status 3 3 3 3=3"]);
}

#[test]
fn sts_115_scale_down() {
    let (mut bench, id) = healthy(&SetOptions::default());
    respec(&mut bench.world, id, &SetOptions { replicas: 1, ..SetOptions::default() });
    expect!(bench, ["delete web-2", "status 3 3 3 3=3", "status 3 3 3 2=2"]);
    bench.ended("web-2");
    expect!(bench, ["status 3 2 2 2=2"]);
    bench.gone("web-2");
    expect!(bench, ["gone web-2", "delete web-1", "status 2 2 2 2=2", "status 2 2 2 1=1"]);
    bench.ended("web-1");
    expect!(bench, ["status 2 1 1 1=1"]);
    bench.gone("web-1");
    expect!(bench, ["gone web-1", "status 1 1 1 1=1"]);
}

/// STS-69: condemned {3, 4, 5}; which of them are unhealthy, and which go in turn.
#[test]
fn sts_69_unhealthy_condemned() {
    let cases: [(&[&str], &[&str]); 3] = [
        (&["web-5"], &["web-5", "web-4", "web-3"]),
        (&["web-4"], &["web-5", "web-4", "web-3"]),
        (&["web-4", "web-5"], &[]),
    ];
    for (unhealthy, order) in cases {
        let six = SetOptions { replicas: 6, ..SetOptions::default() };
        let (mut bench, id) = healthy(&six);
        for name in unhealthy {
            bench.unready(name);
        }
        bench.run();
        respec(&mut bench.world, id, &SetOptions { replicas: 3, ..six });
        let mut gone = Vec::new();
        while let Some(name) =
            bench.run().iter().find_map(|write| write.strip_prefix("delete ").map(str::to_owned))
        {
            bench.gone(&name);
            gone.push(name);
        }
        assert_eq!(gone, order, "{unhealthy:?} unhealthy");
        if order.is_empty() {
            let wait = Wait { rule: Rule::sts(69), on: WaitOn::Readiness(bench.pod("web-5")) };
            assert_eq!(bench.runner.wait(id.as_u32()), Some(wait));
            bench.ready("web-4");
            assert!(bench.run().contains(&"delete web-5".to_owned()));
        }
    }
}

/// STS-79: the deleted pod was at a third revision; one status write is refused, the next sync is right.
#[test]
fn sts_79_counter_below_zero() {
    let parallel = SetOptions { replicas: 1, policy: PodManagement::Parallel, ..SetOptions::default() };
    let (mut bench, id) = healthy(&parallel);
    respec(&mut bench.world, id, &SetOptions { image: "web:broken", ..parallel.clone() });
    assert!(bench.run().contains(&"delete web-0".to_owned()));
    terminate(&mut bench, "web-0");
    bench.unready("web-0");
    bench.run();
    respec(&mut bench.world, id, &SetOptions { image: "web:v3", ..parallel });
    expect!(bench, ["revision 3", "delete web-0", "status 1 0 0 0!0"]);
}

/// STS-84: the new top ordinals come first, then the old ones go from the top.
#[test]
fn sts_84_start_moves_up() {
    let (mut bench, id) = healthy(&SetOptions::default());
    respec(&mut bench.world, id, &SetOptions { start: Some(2), ..SetOptions::default() });
    let mut seen = Vec::new();
    for _ in 0..8 {
        for write in bench.run() {
            let (what, name) = write.split_once(' ').unwrap();
            let name = name.split(' ').next().unwrap().to_owned();
            match what {
                "create" => bench.ready(&name),
                "delete" => bench.gone(&name),
                _ => continue,
            }
            seen.push(format!("{what} {name}"));
        }
    }
    assert_eq!(seen, ["create web-3", "create web-4", "delete web-1", "delete web-0"]);
}

/// STS-64: batches of 1, 2, 4, all before the first of them is ready.
#[test]
fn sts_64_parallel_creates_in_batches() {
    let mut bench = Bench::new();
    let seven = SetOptions { replicas: 7, policy: PodManagement::Parallel, ..SetOptions::default() };
    let id = set(&mut bench.world, "web", &seven);
    let writes = cut(&bench.run());
    let names: Vec<&str> = writes.iter().filter_map(|write| write.strip_prefix("create ")).collect();
    assert_eq!(names, ["web-0", "web-1", "web-2", "web-3", "web-4", "web-5", "web-6"]);
    respec(&mut bench.world, id, &SetOptions { replicas: 2, ..seven });
    let writes = bench.run();
    let gone: Vec<&str> = writes.iter().filter_map(|write| write.strip_prefix("gone ")).collect();
    assert_eq!(gone, ["web-6", "web-5", "web-4", "web-3", "web-2"], "all at once, highest first (STS-70)");
}

/// Sizes of the batches in which pods were created or removed: what the API server got at one instant.
fn batches(bench: &mut Bench, until: u64) -> Vec<usize> {
    bench.world.recorder = Recorder::on();
    bench.run_for(until);
    let writes = bench.world.recorder.writes().iter();
    let of_pods = writes.filter(|write| write.kind == Kind::Pod && write.verb != Verb::Updated);
    let mut sizes: BTreeMap<Time, usize> = BTreeMap::new();
    for write in of_pods {
        *sizes.entry(write.time).or_default() += 1;
    }
    sizes.into_values().collect()
}

/// One sync does it all, many calls at a time: 1, 2, 4, ... up to 500 positions (STS-64). The pods that there are
/// already have their place in the batches.
#[test]
fn t_sts_049_050_051_052_parallel_scaling_takes_one_sync() {
    let doubling = [1, 2, 4, 8, 16, 32, 64, 128];
    let with = |rest: &[usize]| doubling.iter().chain(rest).copied().collect::<Vec<_>>();
    for (from, to, expected) in [
        (3, 30, vec![4, 8, 15]),
        (10, 1, vec![1, 2, 4, 2]),
        (501, 0, with(&[246])),
        (0, 1000, with(&[256, 489])),
        (0, 1600, with(&[256, 500, 500, 89])),
    ] {
        let options = SetOptions { replicas: from, policy: PodManagement::Parallel, ..SetOptions::default() };
        let (mut bench, id) = healthy_at_once(&options);
        bench.world.keep_moments(true);
        respec(&mut bench.world, id, &SetOptions { replicas: to, ..options });
        // The pods run nowhere: a delete removes them.
        assert_eq!(batches(&mut bench, 500), expected, "{from} to {to}");
        assert_eq!(bench.world.store.pods.len(), usize::try_from(to).unwrap());
        let acts =
            |moment: &Moment| matches!(moment, Moment::Decided(decision) if !decision.deeds.is_empty());
        let busy = bench.world.take_moments().iter().filter(|moment| acts(moment)).count();
        assert_eq!(busy, 1, "{from} to {to}");
    }
}

/// A set whose pods are all there and ready, bound to no node.
fn healthy_at_once(options: &SetOptions) -> (Bench, Id<StatefulSet>) {
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", options);
    bench.run();
    let pods: Vec<_> = bench.world.store.pods.iter().map(|(id, _)| id).collect();
    for pod in pods {
        report(&mut bench.world, pod, Phase::Running, true);
    }
    bench.run();
    (bench, id)
}

/// STS-64, STS-22: a claim in deletion fails its batch, and later batches are not tried.
#[test]
fn sts_22_terminating_claim_stops_later_batches() {
    let mut bench = Bench::new();
    let claim = {
        let one = SetOptions { replicas: 1, claims: 1, ..SetOptions::default() };
        let id = set(&mut bench.world, "other", &one);
        bench.run();
        let claims: Vec<_> = bench.world.store.claims.iter().map(|(_, claim)| *claim).collect();
        bench.world.remove(id, Rule::NONE);
        bench.run();
        claims[0]
    };
    let name = bench.world.store.names.name("data-web-5");
    let meta = Meta { name, namespace: claim.meta.namespace, ..Meta::default() };
    let stuck = bench.world.create(Claim { meta, ..claim }, Rule::NONE).unwrap();
    bench.world.delete(stuck, Default::default(), Rule::NONE).unwrap();
    bench.run();
    let eight =
        SetOptions { replicas: 8, claims: 1, policy: PodManagement::Parallel, ..SetOptions::default() };
    let id = set(&mut bench.world, "web", &eight);
    let writes = bench.run();
    let created = |name: &str| writes.iter().any(|write| write.starts_with(&format!("create {name} ")));
    let pods: Vec<bool> = (0..8).map(|n| created(&format!("web-{n}"))).collect();
    assert_eq!(pods, [true, true, true, true, true, false, true, false]);
    assert!(!writes.contains(&"create data-web-7".to_owned()));
    let text = "Create Pod web-5 in StatefulSet web failed error: pvc data-web-5 is being deleted";
    assert!(bench.events().contains(&("FailedCreate", text.to_owned())));
    let wait = Wait { rule: Rule::sts(22), on: WaitOn::Claim(stuck) };
    assert_eq!(bench.runner.wait(id.as_u32()), Some(wait));
}

/// STS-21, STS-19: claims first, then the pod; a second run of the same ordinal finds its claim.
#[test]
fn claims_come_before_their_pod_and_stay() {
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &SetOptions { replicas: 1, claims: 2, ..SetOptions::default() });
    expect!(
        bench,
        [
            "revision 1",
            "create data-web-0",
            "create logs-web-0",
            "create web-0",
            "status 0 0 0 0=0",
            "status 1 0 0 1=1",
        ]
    );
    bench.gone("web-0");
    expect!(bench, ["gone web-0", "create web-0", "status 0 0 0 0=0", "status 1 0 0 1=1"]);
    let text = "Create Claim data-web-0 Pod web-0 in StatefulSet web success";
    assert!(bench.events().contains(&("SuccessfulCreate", text.to_owned())));
    // STS-23: a Pending pod gets a missing claim back.
    let name = bench.world.store.names.name("logs-web-0");
    let namespace = bench.world.store.get(id).unwrap().meta.namespace;
    let (claim, _) = bench.world.store.claims.find(namespace, name).unwrap();
    bench.world.remove(claim, Rule::NONE);
    bench.run();
    assert!(bench.world.store.claims.get(claim).is_none(), "nothing watches claims (STS-99)");
    bench.unready("web-0");
    let pod = bench.pod("web-0");
    bench.world.update(pod, Rule::NONE, |pod| pod.phase = Phase::Pending);
    expect!(bench, ["create logs-web-0"]);
}

/// STS-57: a pod that has ended is deleted and made anew, whatever its exit code.
#[test]
fn sts_57_ended_pods_are_replaced() {
    let (mut bench, _) = healthy(&two());
    bench.ended("web-0");
    expect!(
        bench,
        ["gone web-0", "status 2 1 1 2=2", "create web-0", "status 1 1 1 1=1", "status 2 1 1 2=2",]
    );
}

/// STS-86, STS-16, STS-18: a bare pod of the right name is adopted, labelled, and replaced as outdated.
#[test]
fn sts_86_adoption() {
    let mut bench = Bench::new();
    bare_pod(&mut bench.world, "web-0");
    bare_pod(&mut bench.world, "web-x");
    bare_pod(&mut bench.world, "other-1");
    bench.ready("web-0");
    bench.run();
    set(&mut bench.world, "web", &two());
    expect!(
        bench,
        [
            "own web-0 [StatefulSet/web]",
            "revision 1",
            "label web-0",
            "create web-1",
            "status 1 1 1 0=0",
            "status 2 1 1 1=1",
        ]
    );
    bench.ready("web-1");
    expect!(bench, ["delete web-0", "status 2 2 2 0=1", "status 2 2 2 1=1"]);
}

/// STS-87: a pod relabelled away keeps its name; creation fails until the name is free.
#[test]
fn sts_87_release() {
    let (mut bench, id) = healthy(&two());
    let pod = bench.pod("web-1");
    let word = bench.world.store.names.word("app");
    let other = bench.world.store.names.word("other");
    let labels = bench.world.store.get(pod).unwrap().meta.labels;
    let labels = bench.world.store.labels.with(labels, word, other);
    bench.world.update(pod, Rule::NONE, |pod| pod.meta.labels = labels);
    expect!(bench, ["own web-1 []", "status 1 1 1 1=1"]);
    assert_eq!(bench.runner.wait(id.as_u32()), Some(Wait { rule: Rule::sts(87), on: WaitOn::Name(pod) }));
    assert!(bench.events().iter().all(|(reason, _)| *reason != "FailedCreate"));
    bench.gone("web-1");
    bench.run_for(2_000);
    assert!(super::testing::pod(&bench.world, "web-1").is_some(), "the next try finds the name free");
}

/// STUCK-15: ordinals beyond 2^31-1 read back as -1, and the API server refuses the label.
#[test]
fn ordinals_beyond_the_parser() {
    let huge = SetOptions { replicas: 3, start: Some(2_147_483_646), ..SetOptions::default() };
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &huge);
    bench.run();
    bench.ready("web-2147483646");
    bench.run();
    bench.ready("web-2147483647");
    expect!(bench, ["status 2 2 2 2=2"]);
    let (reason, text) = bench.events().pop().unwrap();
    assert_eq!(reason, "FailedCreate");
    let start = "Create Pod web--1 in StatefulSet web failed error: Pod \"web--1\" is invalid: metadata.labels: Invalid \
                 value: \"-1\": a valid label must be";
    assert!(text.starts_with(start), "{text}");
    assert_eq!(bench.runner.wait(id.as_u32()).unwrap().rule, Rule::sts(5));
}

/// STS-5, STUCK-13: with 53 characters the revision label is too long.
#[test]
fn names_that_are_too_long() {
    let mut bench = Bench::new();
    set(&mut bench.world, &"n".repeat(53), &two());
    expect!(bench, ["revision 1", "status 0 0 0 0=0"]);
    let (reason, text) = bench.events().pop().unwrap();
    assert_eq!(reason, "FailedCreate");
    assert!(text.contains("must be no more than 63 bytes"), "{text}");
}

/// STS-46, STS-43: back to an older template its revision rises; what is left over is forgotten.
#[test]
fn revisions_are_reused_and_forgotten() {
    let none = SetOptions { replicas: 0, history_limit: 1, ..SetOptions::default() };
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &none);
    expect!(bench, ["revision 1", "status 0 0 0 0=0"]);
    respec(&mut bench.world, id, &SetOptions { image: "web:v2", ..none.clone() });
    expect!(bench, ["revision 2", "status 0 0 0 0=0"]);
    respec(&mut bench.world, id, &none);
    expect!(bench, ["revision 1->3", "status 0 0 0 0=0"]);
    respec(&mut bench.world, id, &SetOptions { image: "web:v3", ..none });
    expect!(bench, ["revision 4", "status 0 0 0 0=0", "forget revision 2"]);
}

/// STS-90: a set being deleted keeps its status current and does nothing else.
#[test]
fn sts_90_being_deleted() {
    let (mut bench, id) = healthy(&two());
    let rare = bench.world.store.rares.ending(RareId::default(), Seconds(0), 0);
    bench.world.update(id, Rule::NONE, |set| {
        set.meta.rare = rare;
        set.meta.finalizers = Finalizers::FOREGROUND;
        set.meta.generation = set.meta.generation.next();
    });
    expect!(bench, ["status 2 2 2 2=2"]);
    bench.gone("web-0");
    expect!(bench, ["gone web-0", "status 1 1 1 1=1"]);
}

/// STS-100, STS-101: the next pod comes when the first has been ready for minReadySeconds.
#[test]
fn sts_100_availability() {
    let patient = SetOptions { min_ready: 3, ..two() };
    let mut bench = Bench::new();
    set(&mut bench.world, "web", &patient);
    bench.run();
    bench.ready("web-0");
    expect!(bench, ["status 1 1 0 1=1"]);
    let writes = cut(&bench.run_for(3_000));
    assert_eq!(writes, ["create web-1", "status 1 1 1 1=1", "status 2 1 1 2=2"]);
}
