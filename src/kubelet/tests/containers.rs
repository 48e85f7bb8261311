//! Pods with probes, init containers, sidecars and hooks, container by container.
use super::*;
use crate::api::objects::{ContainerStatus, EndReason, PodFlags};
use serde_json::Value;

impl Lab {
    /// A pod whose containers take one second to start and answer at once, on a node without other delays.
    fn quick() -> Lab {
        let mut config = Config::realistic();
        let latency = &mut config.latency;
        for zero in
            [&mut latency.api_write, &mut latency.watch, &mut latency.image_pull, &mut latency.sandbox]
        {
            *zero = ms(0);
        }
        (latency.container_start, latency.ready, latency.container_stop) = (ms(1_000), ms(0), ms(1_000));
        let mut lab = Lab::new(config);
        lab.cluster.world.events.turn_on();
        lab
    }

    fn statuses(&self, pod: Id<Pod>) -> Vec<ContainerStatus> {
        self.cluster.world.store.container_statuses(self.object(pod).unwrap())
    }

    /// The pod as kubectl shows it.
    fn json(&self, pod: Id<Pod>) -> Value {
        use crate::api::wire::Wire;
        self.object(pod).unwrap().to_json(&self.cluster.world.store)
    }

    fn said(&self, reason: &str) -> Vec<(u64, String)> {
        let events = self.cluster.world.events.iter().filter(|event| event.reason == reason);
        events.map(|event| (event.first.as_nanos() / 1_000_000_000, event.message.clone())).collect()
    }

    fn restarts(&self, pod: Id<Pod>) -> Vec<u64> {
        self.times(pod, |note| matches!(note, Note::Restarted(_))).iter().map(|at| at / 1_000).collect()
    }
}

fn of(container: &str) -> PodRule {
    PodRule { container: Some(Glob(container.into())), ..PodRule::default() }
}

fn exits(after: u64, code: u8, times: Option<u32>) -> Option<Exit> {
    Some(Exit { after: ms(after), code, times, oom: false })
}

fn main_with(more: Value) -> Value {
    let mut container = json!({"name": "main", "image": "web:v1"});
    for (key, value) in more.as_object().unwrap() {
        container[key.as_str()] = value.clone();
    }
    json!({"containers": [container]})
}

fn probe(more: Value) -> Value {
    let mut probe = json!({"tcpSocket": {"port": 80}});
    for (key, value) in more.as_object().unwrap() {
        probe[key.as_str()] = value.clone();
    }
    probe
}

#[test]
fn a_hang_costs_readiness_and_then_the_process() {
    let mut lab = Lab::quick();
    let spec = main_with(
        json!({"readinessProbe": probe(json!({"periodSeconds": 5})), "livenessProbe": probe(json!({}))}),
    );
    let pod = lab.pod_with("web-0", spec);
    lab.run(20);
    assert!(lab.object(pod).unwrap().is_running_and_ready());
    let uid = lab.object(pod).unwrap().meta.uid;
    let (kubelets, world) = lab.kubelets();
    kubelets.hang_pod(pod, true, world);
    lab.run(60);
    // Three failures in a row on the ticks of each probe, and the timeout of the last: within 11 to 16 s, 21 to 31 s.
    let unready = lab.times(pod, |note| note == Note::Unready)[0];
    let restarted = lab.restarts(pod)[0];
    assert!((31_000..=36_000).contains(&unready), "{unready}");
    assert!((42..=53).contains(&restarted), "{restarted}");
    let object = lab.object(pod).unwrap();
    assert_eq!((object.meta.uid, object.restarts.get(), object.is_ready()), (uid, 1, true));
    let status = lab.statuses(pod)[0];
    assert_eq!((status.last.code, status.last.why), (0, EndReason::ByCode));
    assert_eq!(lab.said("Killing")[0].1, "Container main failed liveness probe, will be restarted");
    assert_eq!(lab.said("Unhealthy").len(), 2);
}

#[test]
fn a_short_hang_goes_unnoticed() {
    let mut lab = Lab::quick();
    let spec = main_with(json!({"readinessProbe": probe(json!({})), "livenessProbe": probe(json!({}))}));
    let pod = lab.pod_with("web-0", spec);
    lab.run(30);
    for _ in 0..3 {
        let (kubelets, world) = lab.kubelets();
        kubelets.hang_pod(pod, true, world);
        lab.run(15);
        let (kubelets, world) = lab.kubelets();
        kubelets.hang_pod(pod, false, world);
        lab.run(15);
    }
    lab.run(100);
    assert_eq!((lab.said("Killing"), lab.object(pod).unwrap().is_ready()), (Vec::new(), true));
    assert!(lab.times(pod, |note| note == Note::Unready).is_empty());
}

#[test]
fn nobody_restarts_what_is_not_probed() {
    let mut lab = Lab::quick();
    let pod = lab.pod("web-0");
    lab.run(5);
    let (kubelets, world) = lab.kubelets();
    kubelets.hang_pod(pod, true, world);
    lab.run(3600);
    let object = lab.object(pod).unwrap();
    assert!(object.is_ready() && object.restarts == 0);
}

#[test]
fn a_startup_probe_holds_the_others_back() {
    let liveness = json!({"periodSeconds": 5, "failureThreshold": 1});
    let startup = json!({"periodSeconds": 5, "failureThreshold": 12});
    for (startup, started) in [(Some(startup), true), (None, false)] {
        let mut lab = Lab::quick();
        lab.does(PodRule { ready: Some(ms(40_000)), stop: Some(ms(0)), ..rule() });
        let mut spec = json!({"livenessProbe": probe(liveness.clone()), "readinessProbe": probe(json!({"periodSeconds": 1}))});
        if let Some(startup) = startup {
            spec["startupProbe"] = probe(startup);
        }
        let pod = lab.pod_with("db-0", main_with(spec));
        lab.run(60);
        let object = lab.object(pod).unwrap();
        assert_eq!((object.is_ready(), object.restarts == 0), (started, started));
        let status = lab.json(pod)["status"]["containerStatuses"][0].clone();
        assert_eq!(status["started"], started || object.containers.is_running());
    }
}

#[test]
fn a_startup_probe_that_fails_restarts_with_a_late_back_off() {
    let mut lab = Lab::quick();
    lab.does(PodRule { up: Some(Latency::Never), stop: Some(ms(0)), ..rule() });
    let startup = probe(json!({"periodSeconds": 10, "failureThreshold": 3}));
    let pod = lab.pod_with("db-0", main_with(json!({"startupProbe": startup})));
    lab.run(600);
    // Dead after 20 to 30 s each time. The kubelet looks at the end before: the first restarts come at once, and only
    // when the back-off has grown beyond such a cycle does it wait.
    let gaps: Vec<u64> = lab.restarts(pod).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[..2].iter().all(|gap| (20..=41).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap > 60), "{gaps:?}");
    assert_eq!(lab.said("Killing")[0].1, "Container main failed startup probe, will be restarted");
    assert!(!lab.object(pod).unwrap().is_ready());
}

#[test]
fn probes_that_succeed_cost_nothing() {
    let mut lab = Lab::quick();
    let all = json!({"startupProbe": probe(json!({})), "readinessProbe": probe(json!({"periodSeconds": 1})), "livenessProbe": probe(json!({"periodSeconds": 1}))});
    let pod = lab.pod_with("web-0", main_with(all));
    lab.run(60);
    assert!(lab.object(pod).unwrap().is_ready());
    let before = lab.cluster.world.handled();
    lab.run(36_000);
    assert!(lab.cluster.world.handled() - before < 5, "{}", lab.cluster.world.handled() - before);
}

#[test]
fn init_containers_run_in_order_and_sidecars_run_on() {
    let mut lab = Lab::quick();
    lab.does(PodRule { exit: exits(5_000, 0, None), ..of("first") });
    lab.does(PodRule { exit: exits(2_000, 1, Some(1)), ..of("second") });
    lab.does(PodRule { up: Some(ms(10_000)), ..of("proxy") });
    let image = |name: &str| json!({"name": name, "image": "web:v1"});
    let mut proxy = image("proxy");
    proxy["restartPolicy"] = json!("Always");
    proxy["startupProbe"] = probe(json!({"periodSeconds": 1, "failureThreshold": 30}));
    let pod = lab.pod_with(
        "web-0",
        json!({
            "initContainers": [image("first"), proxy, image("second")],
            "containers": [image("main"), image("other")],
        }),
    );
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..40 {
        lab.run(1);
        let statuses = lab.statuses(pod);
        let states = statuses.iter().map(|status| match status.state {
            Containers::Running => 'r',
            Containers::Terminated(0) => 'd',
            Containers::Terminated(_) | Containers::CrashLoopBackOff(_) => 'x',
            _ => '-',
        });
        let states: String =
            states.chain([' ']).chain(lab.object(pod).unwrap().phase.as_str().chars()).collect();
        if seen.last() != Some(&states) {
            seen.push(states);
        }
    }
    let mut rest = seen.iter();
    for state in ["r---- Pending", "dr--- Pending", "drr-- Pending", "drx-- Pending", "drdrr Running"] {
        assert!(rest.any(|seen| seen == state), "{state} comes not, or too late: {seen:?}");
    }
    assert!(!seen.iter().any(|seen| seen.starts_with("drrr") || seen.starts_with("rr")), "{seen:?}");
    assert!(lab.object(pod).unwrap().is_ready());
    let initialized = lab.object(pod).unwrap().flags.has(PodFlags::INITIALIZED);
    assert!(initialized && lab.statuses(pod)[2].restarts == 1);
}

#[test]
fn one_container_restarts_alone() {
    let mut lab = Lab::quick();
    lab.does(PodRule { exit: exits(3_000, 2, Some(2)), ..of("exporter") });
    let image = |name: &str| json!({"name": name, "image": "web:v1"});
    let pod = lab.pod_with("db-0", json!({"containers": [image("db"), image("exporter")]}));
    lab.run(8);
    let [db, exporter] = lab.statuses(pod)[..] else { panic!() };
    assert_eq!((db.restarts, exporter.restarts, exporter.last.code), (0, 1, 2));
    lab.run(4);
    let object = lab.object(pod).unwrap();
    assert_eq!((object.phase, object.containers), (Phase::Running, Containers::CrashLoopBackOff(2)));
    assert!(object.has_running_container() && !object.is_ready());
    lab.run(30);
    assert!(lab.object(pod).unwrap().is_ready());
    assert_eq!(lab.object(pod).unwrap().restarts, 2);
}

#[test]
fn how_a_pod_is_over() {
    // The pod's policy, a container's own, what its two containers exit with; then the phase and the restarts of the
    // second one after ten seconds.
    let rules = json!([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]);
    for (pod_policy, own, codes, phase, restarts) in [
        ("Never", json!({}), [0, 0], Phase::Succeeded, 0),
        ("Never", json!({}), [0, 1], Phase::Failed, 0),
        ("OnFailure", json!({}), [0, 0], Phase::Succeeded, 0),
        ("OnFailure", json!({}), [0, 1], Phase::Running, 1),
        ("Always", json!({}), [0, 0], Phase::Running, 1),
        ("Never", json!({"restartPolicy": "Always"}), [0, 0], Phase::Running, 1),
        ("Never", json!({"restartPolicy": "Never", "restartPolicyRules": rules}), [0, 42], Phase::Running, 1),
        ("Never", json!({"restartPolicy": "Never", "restartPolicyRules": rules}), [0, 41], Phase::Failed, 0),
    ] {
        let mut lab = Lab::quick();
        lab.does(PodRule { exit: exits(1_000, codes[0], None), ..of("one") });
        lab.does(PodRule { exit: exits(1_000, codes[1], None), ..of("two") });
        let mut two = json!({"name": "two", "image": "web:v1"});
        for (key, value) in own.as_object().unwrap() {
            two[key.as_str()] = value.clone();
        }
        let containers = json!([{"name": "one", "image": "web:v1"}, two]);
        let pod = lab.pod_with("job", json!({"restartPolicy": pod_policy, "containers": containers}));
        lab.run(10);
        let status = lab.statuses(pod)[1];
        assert_eq!(
            (lab.object(pod).unwrap().phase, status.restarts),
            (phase, restarts),
            "{pod_policy} {own} {codes:?}"
        );
    }
}

#[test]
fn an_init_container_that_fails_ends_a_pod_that_never_restarts() {
    let mut lab = Lab::quick();
    lab.does(PodRule { exit: exits(0, 3, None), ..of("setup") });
    let image = |name: &str| json!({"name": name, "image": "web:v1"});
    let pod = lab.pod_with(
        "job",
        json!({
            "restartPolicy": "Never", "initContainers": [image("setup")], "containers": [image("main")],
        }),
    );
    lab.run(10);
    assert_eq!(lab.object(pod).unwrap().phase, Phase::Failed);
    assert_eq!(lab.statuses(pod)[0].ended.code, 3);
}

#[test]
fn a_killed_process_says_why() {
    let mut lab = Lab::quick();
    lab.does(PodRule {
        exit: Some(Exit { after: ms(2_000), code: 137, times: Some(1), oom: true }),
        ..rule()
    });
    let pod = lab.pod("db-0");
    lab.run(10);
    let terminated = lab.json(pod)["status"]["containerStatuses"][0]["lastState"]["terminated"].clone();
    assert_eq!(
        (terminated["reason"].as_str(), terminated["exitCode"].as_u64()),
        (Some("OOMKilled"), Some(137))
    );
    // Power loss leaves containers that nobody saw end.
    let node = lab.node;
    let (kubelets, world) = lab.kubelets();
    kubelets.crash_node(node, world);
    lab.run(10);
    let (kubelets, world) = lab.kubelets();
    kubelets.recover_node(node, world);
    lab.run(400);
    let status = lab.statuses(pod)[0];
    assert_eq!((status.last.code, status.last.why, status.restarts), (255, EndReason::Unknown, 2));
}

#[test]
fn hooks_take_their_time() {
    let mut lab = Lab::quick();
    lab.does(PodRule { stop: Some(Latency::Never), ..rule() });
    let hooks =
        json!({"lifecycle": {"postStart": {"sleep": {"seconds": 5}}, "preStop": {"sleep": {"seconds": 8}}}});
    let mut spec = main_with(hooks);
    spec["terminationGracePeriodSeconds"] = json!(10);
    let pod = lab.pod_with("web-0", spec);
    lab.run(5);
    assert_eq!(lab.object(pod).unwrap().phase, Phase::Pending, "the kubelet waits for the hook");
    lab.run(5);
    assert!(lab.object(pod).unwrap().is_ready());
    let started = lab.statuses(pod)[0].started_at;
    assert!(started.0 <= 2, "{started:?}");
    lab.delete(pod, None);
    lab.run(9);
    assert!(lab.object(pod).unwrap().is_ready(), "readiness is not touched by the deletion (POD-31)");
    lab.run(2);
    assert!(lab.object(pod).is_none(), "killed at the end of its period");
    assert_eq!(lab.times(pod, |note| matches!(note, Note::Failed(_))).len(), 1);
}

#[test]
fn a_refused_pod_has_no_containers() {
    let mut lab = Lab::quick();
    let pod = lab.pod_with("elsewhere", json!({"nodeSelector": {"disk": "ssd"}}));
    lab.run(5);
    let status = lab.json(pod)["status"].clone();
    assert_eq!((status["phase"].as_str(), status["reason"].as_str()), (Some("Failed"), Some("NodeAffinity")));
    assert!(status.get("containerStatuses").is_none(), "{status}");
}

#[test]
fn one_exit_code_restarts_the_whole_pod() {
    let mut lab = Lab::quick();
    lab.does(PodRule { exit: exits(5_000, 88, Some(1)), ..of("main") });
    let image = |name: &str| json!({"name": name, "image": "web:v1"});
    let mut main = image("main");
    main["restartPolicy"] = json!("Never");
    main["restartPolicyRules"] =
        json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}}]);
    let spec = json!({"initContainers": [image("setup")], "containers": [main, image("other")]});
    let pod = lab.pod_with("web-0", spec);
    lab.run(30);
    let restarts: Vec<_> = lab.statuses(pod).iter().map(|status| status.restarts).collect();
    assert_eq!(restarts, [1, 1, 1]);
    let object = lab.object(pod).unwrap();
    assert!(object.is_ready() && object.phase == Phase::Running);
    assert_eq!(lab.cluster.kubelets.running().count(), 1);
}

#[test]
fn a_restarted_kubelet_leaves_its_pods_alone() {
    let mut lab = Lab::quick();
    let probed = main_with(json!({"readinessProbe": probe(json!({})), "livenessProbe": probe(json!({}))}));
    let [steady, gone] = ["steady", "gone"].map(|name| lab.pod_with(name, probed.clone()));
    lab.run(15);
    lab.does(PodRule {
        exit: exits(1_000, 1, Some(2)),
        pod: Some(Glob("crashing".into())),
        ..PodRule::default()
    });
    let crashing = lab.pod("crashing");
    lab.run(8);
    assert!(matches!(lab.object(crashing).unwrap().containers, Containers::CrashLoopBackOff(1)));
    let node = lab.node;
    let (kubelets, world) = lab.kubelets();
    kubelets.restart_kubelet(node, world);
    lab.run(3);
    // The back-off is forgotten; what was ready is ready, under the same container.
    assert!(lab.object(crashing).unwrap().is_ready());
    lab.run(60);
    assert!(lab.times(steady, |note| note == Note::Unready).is_empty());
    assert!(lab.object(steady).unwrap().is_ready() && lab.object(steady).unwrap().restarts == 0);
    // A hang is still found.
    let (kubelets, world) = lab.kubelets();
    kubelets.hang_pod(steady, true, world);
    lab.run(60);
    assert_eq!(lab.object(steady).unwrap().restarts, 1);
    // Behind a partition a restarted kubelet has forgotten who was there: the minimum, not the full period.
    lab.does(PodRule { stop: Some(Latency::Never), ..rule() });
    lab.cluster.world.config.behavior.pods.reverse();
    let (kubelets, world) = lab.kubelets();
    kubelets.partition_node(node, world);
    lab.delete(gone, Some(0));
    lab.run(5);
    let (kubelets, world) = lab.kubelets();
    kubelets.restart_kubelet(node, world);
    kubelets.heal_node(node, world);
    lab.run(4);
    assert_eq!(lab.cluster.kubelets.running().count(), 2);
}

#[test]
fn a_kubelet_that_restarts_admits_anew() {
    let mut lab = Lab::quick();
    let pod = lab.pod_with("web-0", json!({"nodeSelector": {"kubernetes.io/os": "linux"}}));
    lab.run(5);
    let node = lab.node;
    assert_eq!(lab.object(pod).unwrap().phase, Phase::Failed, "this node has no such label");
    let labels = |lab: &mut Lab, os: &str| {
        let store = &mut lab.cluster.world.store;
        let labels = store.labels.of(vec![(store.names.word("kubernetes.io/os"), store.names.word(os))]);
        lab.cluster.world.update(node, crate::rule::Rule::NONE, |node| node.meta.labels = labels);
    };
    labels(&mut lab, "linux");
    let pod = lab.pod_with("web-1", json!({"nodeSelector": {"kubernetes.io/os": "linux"}}));
    lab.run(5);
    assert!(lab.object(pod).unwrap().is_ready());
    labels(&mut lab, "plan9");
    lab.run(5);
    assert!(lab.object(pod).unwrap().is_ready(), "nobody looks until the kubelet restarts");
    let (kubelets, world) = lab.kubelets();
    kubelets.restart_kubelet(node, world);
    lab.run(5);
    let object = lab.object(pod).unwrap();
    assert_eq!((object.phase, object.reason.as_str()), (Phase::Failed, "NodeAffinity"));
    assert_eq!(lab.cluster.kubelets.running().count(), 0);
}

#[test]
fn a_shutdown_in_good_order_tells_the_api() {
    for (period, reason) in [(30, "Terminated"), (0, "")] {
        let mut lab = Lab::quick();
        lab.cluster.world.config.timers.shutdown_grace = Duration::from_secs(period);
        let pod = lab.pod("db-0");
        lab.run(5);
        let node = lab.node;
        let (kubelets, world) = lab.kubelets();
        kubelets.shut_down_node(node, world);
        let late = lab.pod("late");
        lab.run(10);
        assert!(!lab.cluster.kubelets.is_node_alive(node));
        assert_eq!(lab.cluster.kubelets.running().count(), 0);
        let object = lab.object(pod).unwrap();
        assert_eq!((object.is_terminal(), object.reason.as_str()), (period > 0, reason));
        assert_eq!(object.flags.has(PodFlags::DISRUPTION_TARGET), period > 0);
        let ready = lab.cluster.world.store.nodes.get(node).unwrap().ready;
        assert_eq!(ready, if period > 0 { NodeReady::False } else { NodeReady::True });
        assert_eq!(lab.object(late).unwrap().reason.as_str(), if period > 0 { "NodeShutdown" } else { "" });
        let (kubelets, world) = lab.kubelets();
        kubelets.recover_node(node, world);
        lab.run(400);
        assert_eq!(lab.cluster.world.store.nodes.get(node).unwrap().ready, NodeReady::True);
        assert_eq!(lab.object(pod).unwrap().is_ready(), period == 0, "the same pod, if nobody had ended it");
    }
}
