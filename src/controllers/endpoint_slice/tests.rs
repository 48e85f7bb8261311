//! The controller alone with a world: what users, kubelets and nodes do is written by the tests.
use super::*;
use crate::api::wire::Wire;
use crate::config::Config;
use crate::controllers::runner::Runner;
use crate::event::Event;
use crate::kernel::Time;
use crate::network::answer::RecordType;
use crate::network::dns::Zone;
use proptest::prelude::*;
use serde_json::{Value, json};

struct Bench {
    world: World,
    manager: Runner<Endpoints>,
}

impl Bench {
    fn new() -> Bench {
        let mut bench =
            Bench { world: World::new(7, Config::recorded()), manager: Runner::<Endpoints>::default() };
        bench.node("node-a");
        bench
    }

    fn create<T: Wire>(&mut self, json: &Value) -> Id<T> {
        let object = T::from_json(&mut self.world.store, json);
        self.world.create(object, Rule::NONE).expect("a new name")
    }

    fn node(&mut self, name: &str) -> Id<Node> {
        self.create(&json!({"metadata": {"name": name}}))
    }

    fn service(&mut self, name: &str, selector: &Value, publish: bool) -> Id<Service> {
        self.create(
            &json!({"metadata": {"name": name, "namespace": "default", "labels": {"team": "a"}}, "spec": {
            "clusterIP": "None", "selector": selector, "publishNotReadyAddresses": publish,
            "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}]}}),
        )
    }

    /// A pod of a StatefulSet whose service is `web`, on node-a.
    fn pod(&mut self, name: &str, app: &str) -> Id<Pod> {
        let pod = json!({"metadata": {"name": name, "namespace": "default", "labels": {"app": app}}, "spec": {
            "hostname": name, "subdomain": "web", "nodeName": "node-a", "containers": [
                {"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]}});
        let id = self.create::<Pod>(&pod);
        let node = self.node_id("node-a");
        self.set(id, |pod| {
            pod.node = node;
            pod.flags.set(PodFlags::NAME_LABEL, true);
        });
        id
    }

    fn node_id(&mut self, name: &str) -> Id<Node> {
        let name = self.world.store.names.name(name);
        self.world.store.nodes.id(Sym::EMPTY, name).expect("a node")
    }

    fn set(&mut self, id: Id<Pod>, change: impl FnOnce(&mut Pod)) {
        self.world.update(id, Rule::NONE, change);
    }

    fn start(&mut self, id: Id<Pod>, ip: u32, ready: bool) {
        self.set(id, |pod| {
            (pod.ip, pod.phase) = (Ip(ip), Phase::Running);
            pod.flags.set(PodFlags::READY, ready);
        });
    }

    fn terminate(&mut self, id: Id<Pod>) {
        let options = DeleteOptions { grace: Some(30), ..DeleteOptions::default() };
        self.world.delete(id, options, Rule::NONE).expect("a pod");
    }

    fn step(&mut self) {
        let Some(event) = self.world.pop() else { return };
        let world = &mut self.world;
        match event {
            Event::Deliver(process, _) => {
                while let Some(change) = world.next_delivery(process) {
                    if process == MANAGER {
                        self.manager.observe(&change, world);
                    }
                }
                world.delivered(process);
            }
            Event::Sync(_, key, _) => self.manager.sync(key, world),
            Event::Requeue(_, key, token) => self.manager.requeue(key, token, world),
            Event::Call(_, slot, _) => self.manager.call(slot, world),
            _ => {}
        }
    }

    fn run(&mut self, span: Duration) {
        self.run_until(self.world.now() + span);
    }

    fn run_until(&mut self, until: Time) {
        while self.world.next_time().is_some_and(|time| time <= until) {
            self.step();
        }
    }

    fn settle(&mut self) {
        self.run(Duration::from_secs(5));
    }

    /// The endpoints of a service as the recorded corpus writes them: `web-0:RS web-1:-`.
    fn endpoints(&self, service: Id<Service>) -> String {
        let mut texts: Vec<_> =
            self.slices(service).iter().flat_map(|s| &s.endpoints).map(|e| self.text(e)).collect();
        texts.sort();
        texts.join(" ")
    }

    fn text(&self, endpoint: &Endpoint) -> String {
        let name = self.world.store.pods.last_known(endpoint.pod).expect("a pod").meta.name;
        let flags = [(endpoint.ready, 'R'), (endpoint.serving, 'S'), (endpoint.terminating, 'T')];
        let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect();
        format!("{}:{}", self.world.store.name_of(name), if flags.is_empty() { "-".into() } else { flags })
    }

    fn slices(&self, service: Id<Service>) -> Vec<&EndpointSlice> {
        let all = self.world.store.slices.iter();
        all.map(|(_, slice)| slice).filter(|slice| slice.service == service).collect()
    }

    fn lens(&self, service: Id<Service>) -> Vec<usize> {
        let mut lens: Vec<_> = self.slices(service).iter().map(|slice| slice.endpoints.len()).collect();
        lens.sort_unstable();
        lens
    }
}

#[test]
fn conditions_follow_the_pod() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let all = bench.service("all", &json!({"app": "web"}), true);
    let one = bench.service("one", &json!({"statefulset.kubernetes.io/pod-name": "web-1"}), false);
    bench.settle();
    assert_eq!([bench.lens(web), bench.lens(all), bench.lens(one)], [[0], [0], [0]]);
    assert!(bench.slices(web)[0].ports.is_empty(), "the placeholder has no ports (SVC-5)");
    let [p0, p1] = ["web-0", "web-1"].map(|name| bench.pod(name, "web"));
    bench.pod("db-0", "db");
    bench.settle();
    assert_eq!(bench.endpoints(all), "", "without an IP a pod is no endpoint, published or not (SVC-1)");
    bench.start(p0, 1, true);
    bench.start(p1, 2, false);
    // What a change of the pods makes of the three services.
    type Change = fn(&mut Bench, Id<Pod>, Id<Pod>);
    let table: [(Change, &str, &str, &str); 6] = [
        (|_, _, _| {}, "web-0:RS web-1:-", "web-0:RS web-1:R", "web-1:-"),
        (|b, _, p1| b.start(p1, 2, true), "web-0:RS web-1:RS", "web-0:RS web-1:RS", "web-1:RS"),
        (|b, _, p1| b.terminate(p1), "web-0:RS web-1:ST", "web-0:RS web-1:RST", "web-1:ST"),
        (|b, p0, _| b.start(p0, 1, false), "web-0:- web-1:ST", "web-0:R web-1:RST", "web-1:ST"),
        (|b, _, p1| b.set(p1, |pod| pod.phase = Phase::Failed), "web-0:-", "web-0:R", ""),
        (|b, p0, p1| [p0, p1].into_iter().for_each(|p| _ = b.world.remove(p, Rule::NONE)), "", "", ""),
    ];
    for (change, of_web, of_all, of_one) in table {
        change(&mut bench, p0, p1);
        bench.settle();
        assert_eq!([web, all, one].map(|id| bench.endpoints(id)), [of_web, of_all, of_one]);
    }
    assert_eq!([bench.lens(web), bench.lens(all), bench.lens(one)], [[0], [0], [0]]);
}

#[test]
fn a_phase_alone_starts_no_sync() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let pod = bench.pod("web-0", "web");
    bench.start(pod, 1, false);
    bench.settle();
    bench.set(pod, |pod| pod.phase = Phase::Failed);
    bench.settle();
    assert_eq!(bench.endpoints(web), "web-0:-", "nobody looks (SVC-7)");
    let other = bench.pod("web-1", "web");
    bench.start(other, 2, false);
    bench.settle();
    assert_eq!(bench.endpoints(web), "web-1:-", "the next sync sees it");
}

#[test]
fn hostnames_only_in_the_service_of_the_subdomain() {
    let mut bench = Bench::new();
    let services = ["web", "other"].map(|name| bench.service(name, &json!({"app": "web"}), false));
    bench.settle();
    let pod = bench.pod("web-0", "web");
    bench.start(pod, 1, true);
    bench.settle();
    let hostname = services.map(|id| bench.slices(id)[0].endpoints[0].hostname);
    assert_eq!(hostname, [true, false], "SVC-4");
    let slice = bench.slices(services[0])[0];
    let store = &bench.world.store;
    let json = slice.to_json(store);
    let name = json["metadata"]["name"].as_str().expect("a name");
    let letters = name.strip_prefix("web-").expect("the service's name");
    assert!(
        letters.len() == 5 && letters.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)),
        "{name}"
    );
    let labels =
        json!({"team": "a", SERVICE_NAME_LABEL: "web", MANAGED_BY_LABEL: MANAGED_BY, HEADLESS_LABEL: ""});
    assert_eq!(json["metadata"]["labels"], labels);
    assert_eq!(json["metadata"]["ownerReferences"][0]["name"], "web");
    assert_eq!(json["endpoints"][0]["hostname"], "web-0");
    assert_eq!(json["metadata"]["generation"], 2, "the placeholder was written over");
    assert_eq!(json["ports"][0]["port"], 80);
}

#[test]
fn slices_of_at_most_a_hundred() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let pods: Vec<_> = (0..101).map(|i| bench.pod(&format!("web-{i}"), "web")).collect();
    for (i, pod) in pods.iter().enumerate() {
        bench.start(*pod, 1 + i as u32, true);
    }
    bench.settle();
    assert_eq!(bench.lens(web), [1, 100]);
    // A pod that leaves and one that comes at the same time share one write of one slice.
    let writes =
        |bench: &Bench| bench.slices(web).iter().map(|slice| slice.meta.generation.get()).collect::<Vec<_>>();
    let before = writes(&bench);
    bench.world.remove(pods[0], Rule::NONE);
    bench.settle();
    let again = bench.pod("web-0", "web");
    bench.start(again, 200, true);
    bench.settle();
    assert_eq!(bench.lens(web), [1, 100], "the slice nearest to full takes it");
    let written = writes(&bench).iter().zip(&before).filter(|(after, before)| after != before).count();
    assert_eq!(written, 1);
    for pod in &pods[1..] {
        bench.world.remove(*pod, Rule::NONE);
    }
    bench.settle();
    assert_eq!(bench.lens(web), [1]);
}

#[test]
fn another_selector_another_set_of_pods() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    for (i, (name, app)) in [("web-0", "web"), ("db-0", "db"), ("db-1", "db")].into_iter().enumerate() {
        let pod = bench.pod(name, app);
        bench.start(pod, 1 + i as u32, true);
    }
    bench.settle();
    assert_eq!(bench.endpoints(web), "web-0:RS");
    bench.world.update(web, Rule::NONE, |service| {
        service.selector = Some(Arc::new(crate::api::selector::Selector::from_pairs([("app", "db")])));
    });
    bench.settle();
    assert_eq!((bench.endpoints(web).as_str(), bench.lens(web)), ("db-0:RS db-1:RS", vec![2]));
    // Ports that go by the name of a container's port.
    bench.world.update(web, Rule::NONE, |service| {
        let mut port = service.ports[0].clone();
        (port.target, port.target_name) = (0, port.name);
        service.ports = Arc::from([port]);
    });
    bench.settle();
    assert!(bench.slices(web)[0].ports.is_empty(), "no container has a port without a name");
    let http = bench.world.store.names.word("http");
    bench.world.update(web, Rule::NONE, |service| {
        let mut port = service.ports[0].clone();
        port.target_name = http;
        service.ports = Arc::from([port]);
    });
    bench.settle();
    assert_eq!(bench.slices(web).iter().map(|slice| slice.ports[0].target).collect::<Vec<_>>(), [8080]);
}

#[test]
fn a_missing_node_is_retried() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let all = bench.service("all", &json!({"app": "web"}), true);
    let pods = ["web-0", "web-1"].map(|name| bench.pod(name, "web"));
    for (pod, ip) in pods.into_iter().zip([1, 2]) {
        bench.start(pod, ip, true);
    }
    bench.settle();
    let node = bench.node_id("node-a");
    bench.world.remove(node, Rule::NONE);
    bench.settle();
    assert_eq!(bench.endpoints(web), "web-0:RS web-1:RS", "a node starts no sync");
    bench.set(pods[0], |pod| pod.flags.set(PodFlags::READY, false));
    bench.settle();
    assert_eq!(bench.endpoints(web), "", "SVC-1");
    assert_eq!(bench.endpoints(all), "web-0:R web-1:RS", "but published addresses stay");
    assert_eq!(bench.manager.wait(web.as_u32()).map(|wait| wait.on), Some(WaitOn::Node(node)));
    bench.node("node-a");
    bench.run(Duration::from_secs(10));
    assert_eq!(bench.endpoints(web), "web-0:- web-1:RS", "found again by the retry (SVC-6)");
}

#[test]
fn a_slice_somebody_deletes_comes_back_a_second_later() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let pod = bench.pod("web-0", "web");
    bench.start(pod, 1, true);
    bench.settle();
    let slice = bench.world.store.slices.iter().next().expect("a slice").0;
    bench.world.remove(slice, Rule::NONE);
    let deleted = bench.world.now();
    bench.run_until(deleted + Duration::from_millis(990));
    assert_eq!(bench.lens(web), [0; 0]);
    bench.run_until(deleted + Duration::from_millis(1100));
    assert_eq!(bench.endpoints(web), "web-0:RS");
}

#[test]
fn slices_of_others_are_left_alone() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let slice = |labels: Value| json!({"metadata": {"name": "by-hand", "namespace": "default", "labels": labels}, "addressType": "IPv4"});
    let labels = json!({SERVICE_NAME_LABEL: "nosuch", MANAGED_BY_LABEL: MANAGED_BY});
    let astray = bench.create::<EndpointSlice>(&slice(labels));
    bench.settle();
    assert!(bench.world.store.get(astray).is_some());
    bench.world.remove(astray, Rule::NONE);
    let by_hand = bench.create::<EndpointSlice>(&slice(json!({SERVICE_NAME_LABEL: "web"})));
    bench.world.update(web, Rule::NONE, |service| service.ports = Arc::from([]));
    bench.settle();
    assert!(bench.world.store.get(by_hand).is_some());
    let labels =
        slice_labels(&bench.world.store.get(web).cloned().expect("a service"), &mut bench.world.store);
    bench.world.update(by_hand, Rule::NONE, |slice| slice.meta.labels = labels);
    bench.settle();
    assert!(bench.world.store.get(by_hand).is_none(), "claimed by label, but not owned");
}

#[test]
fn a_new_service_of_an_old_name_does_not_inherit_slices() {
    let mut bench = Bench::new();
    let pod = bench.pod("web-0", "web");
    bench.start(pod, 1, true);
    let web = bench.service("web", &json!({"app": "web"}), false);
    bench.settle();
    let old = bench.world.store.slices.iter().next().expect("a slice").0;
    bench.world.remove(web, Rule::NONE);
    bench.settle();
    assert_eq!(bench.endpoints(web), "web-0:RS", "left to the garbage collector");
    let web = bench.service("web", &json!({"app": "web"}), false);
    bench.settle();
    assert_eq!(bench.endpoints(web), "web-0:RS");
    assert!(bench.world.store.get(old).is_none());
}

#[test]
fn a_stale_cache_costs_a_second() {
    let mut bench = Bench::new();
    let web = bench.service("web", &json!({"app": "web"}), false);
    let pod = bench.pod("web-0", "web");
    bench.settle();
    // The watch is slower than the answer to the controller's own write.
    bench.world.set_extra_lag(MANAGER, crate::kernel::Latency::Constant(Duration::from_millis(50)));
    bench.start(pod, 1, false);
    bench.world.after(Duration::from_millis(1), Event::Workload(0, 0));
    bench.run(Duration::from_millis(1));
    bench.start(pod, 1, true);
    let begin = bench.world.now();
    let mut at = Time::ZERO;
    while at == Time::ZERO && bench.world.now() < begin + Duration::from_secs(5) {
        bench.step();
        if bench.endpoints(web) == "web-0:RS" {
            at = bench.world.now();
        }
    }
    let lag = at.elapsed_since(begin);
    assert!(lag > Duration::from_secs(1) && lag < Duration::from_millis(1200), "{lag:?}");
}

/// The road of one readiness change: pod, slice, DNS.
#[test]
fn names_follow_the_pods() {
    let mut bench = Bench::new();
    bench.create::<Namespace>(&json!({"metadata": {"name": "default"}}));
    bench.service("web", &json!({"app": "postgres"}), false);
    bench.create::<Service>(&json!({"metadata": {"name": "postgres", "namespace": "default"}, "spec": {
        "clusterIP": "10.96.45.100", "selector": {"app": "postgres"}, "ports": [{"port": 5432, "protocol": "TCP"}]}}));
    let ask = |bench: &Bench, host: &str| {
        let lookup = Zone::of(&bench.world).resolve("default", host, RecordType::A);
        lookup.answer.addresses().map(Ip::render).collect::<Vec<_>>().join(" ")
    };
    let ip = |text| Ip::parse(text).expect("an address").0;
    let [first, second] = ["postgres-0", "postgres-1"].map(|name| bench.pod(name, "postgres"));
    bench.start(first, ip("10.244.1.5"), true);
    bench.start(second, ip("10.244.2.7"), false);
    bench.settle();
    assert_eq!(ask(&bench, "postgres-0.web.default.svc.cluster.local"), "10.244.1.5");
    assert_eq!(ask(&bench, "postgres-1.web"), "", "not ready, no name (DNS-2)");
    assert_eq!(ask(&bench, "postgres.default.svc.cluster.local"), "10.96.45.100");
    bench.start(second, ip("10.244.2.7"), true);
    bench.settle();
    assert_eq!(ask(&bench, "web"), "10.244.1.5 10.244.2.7");
    bench.terminate(second);
    bench.run(Duration::from_millis(100));
    assert_eq!(ask(&bench, "postgres-1.web"), "", "gone at the delete, not at the end (SVC-2)");
    bench.world.remove(second, Rule::NONE);
    let again = bench.pod("postgres-1", "postgres");
    bench.settle();
    assert_eq!(ask(&bench, "postgres-1.web"), "");
    bench.start(again, ip("10.244.3.2"), true);
    bench.settle();
    assert_eq!(ask(&bench, "postgres-1.web"), "10.244.3.2");
    assert_eq!(ask(&bench, "postgres"), "10.96.45.100", "the virtual address never moves (DNS-3)");
}

/// What the slices of a service should hold by SVC-1 to SVC-4, computed from the whole store.
fn naive(bench: &Bench, id: Id<Service>) -> Vec<Endpoint> {
    let store = &bench.world.store;
    let Some(service) = store.get(id) else { return Vec::new() };
    let Some(selector) = &service.selector else { return Vec::new() };
    let mut endpoints = Vec::new();
    for (pod_id, pod) in store.pods.iter().filter(|(_, pod)| store.pod_matches(pod, selector)) {
        let node_known = store.get(pod.node).is_some() || service.publish_not_ready;
        if pod.is_terminal() || pod.ip == Ip::NONE || !node_known {
            continue;
        }
        let (serving, terminating) = (pod.is_ready(), pod.is_terminating());
        endpoints.push(Endpoint {
            pod: pod_id,
            uid: pod.meta.uid,
            ip: pod.ip,
            node: pod.node,
            ready: service.publish_not_ready || (serving && !terminating),
            serving,
            terminating,
            hostname: store.name_of(service.meta.name) == "web",
        });
    }
    endpoints
}

#[derive(Clone, Debug)]
enum Act {
    Create(usize),
    Start(usize, bool),
    Terminate(usize),
    Remove(usize),
    Relabel(usize, bool),
    Reselect(usize, bool),
    Node(bool),
    Restart,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let pod = 0usize..8;
    prop_oneof![
        4 => pod.clone().prop_map(Act::Create),
        6 => (pod.clone(), any::<bool>()).prop_map(|(pod, ready)| Act::Start(pod, ready)),
        2 => pod.clone().prop_map(Act::Terminate),
        3 => pod.clone().prop_map(Act::Remove),
        2 => (pod.clone(), any::<bool>()).prop_map(|(pod, web)| Act::Relabel(pod, web)),
        1 => (0usize..4, any::<bool>()).prop_map(|(service, web)| Act::Reselect(service, web)),
        1 => any::<bool>().prop_map(Act::Node),
        1 => Just(Act::Restart),
        4 => (0u64..30).prop_map(Act::Wait),
    ]
}

fn perform(bench: &mut Bench, act: &Act, services: &[Id<Service>], ip: u32) {
    let find = |bench: &mut Bench, pod: usize| {
        let name = bench.world.store.names.name(&format!("web-{pod}"));
        bench.world.store.pods.find(Sym::DEFAULT, name).map(|(id, _)| id)
    };
    let app = |web: bool| if web { "web" } else { "db" };
    match *act {
        Act::Create(pod) => {
            if find(bench, pod).is_none() {
                bench.pod(&format!("web-{pod}"), "web");
            }
        }
        Act::Start(pod, ready) => {
            if let Some(id) = find(bench, pod) {
                let ip = bench.world.store.get(id).map(|pod| pod.ip.0).filter(|ip| *ip > 0).unwrap_or(ip);
                bench.start(id, ip, ready);
            }
        }
        Act::Terminate(pod) => {
            if let Some(id) = find(bench, pod) {
                bench.terminate(id);
            }
        }
        Act::Remove(pod) => {
            if let Some(id) = find(bench, pod) {
                bench.world.remove(id, Rule::NONE);
            }
        }
        Act::Relabel(pod, web) => {
            if let Some(id) = find(bench, pod) {
                let store = &mut bench.world.store;
                let pair = (store.names.word("app"), store.names.word(app(web)));
                let labels = store.labels.of(vec![pair]);
                bench.set(id, |pod| pod.meta.labels = labels);
            }
        }
        Act::Reselect(service, web) => {
            let selector = Arc::new(crate::api::selector::Selector::from_pairs([("app", app(web))]));
            bench.world.update(services[service], Rule::NONE, |service| service.selector = Some(selector));
        }
        Act::Node(present) => {
            let node = bench.node_id("node-a");
            match bench.world.store.get(node) {
                Some(_) if !present => _ = bench.world.remove(node, Rule::NONE),
                None if present => _ = bench.node("node-a"),
                _ => {}
            }
        }
        Act::Restart => {
            bench.world.stop(MANAGER);
            bench.manager = Runner::default();
            bench.world.start(MANAGER);
            bench.manager.restart(&mut bench.world);
        }
        Act::Wait(millis) => bench.run(Duration::from_millis(millis)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn slices_are_what_a_full_look_would_make_them(acts in prop::collection::vec(act(), 1..60)) {
        let mut bench = Bench::new();
        let services = [
            bench.service("web", &json!({"app": "web"}), false),
            bench.service("published", &json!({"app": "web"}), true),
            bench.service("one", &json!({"statefulset.kubernetes.io/pod-name": "web-3"}), false),
            bench.service("dbs", &json!({"app": "db"}), false),
        ];
        for (number, act) in acts.iter().enumerate() {
            perform(&mut bench, act, &services, 1 + number as u32);
        }
        // Long enough for a failing sync to be tried again; then one more look at everything.
        perform(&mut bench, &Act::Node(true), &services, 0);
        for id in services {
            bench.world.update(id, Rule::NONE, |_| {});
        }
        bench.run(Duration::from_secs(70));
        for id in services {
            let mut expected = naive(&bench, id);
            let mut found: Vec<_> = bench.slices(id).iter().flat_map(|s| s.endpoints.clone()).collect();
            expected.sort_by_key(|e| e.pod);
            found.sort_by_key(|e| e.pod);
            prop_assert_eq!(found, expected);
            let slices = bench.slices(id);
            prop_assert!(!slices.is_empty() && (slices.len() == 1 || slices.iter().all(|s| !s.endpoints.is_empty())));
        }
    }
}
