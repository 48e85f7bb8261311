//! EndpointSlices: who is in them, and with which conditions.
use crate::drill::*;
use serde_json::{Value, json};
use stsim::event::Process;
use stsim::network::service;

/// A headless service `web` for pods with label `app: web`.
pub(crate) fn headless() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    })
}

/// The same that shows pods which are not ready.
fn publishing() -> Value {
    let service = with(headless(), "/metadata/name", json!("peers"));
    with(service, "/spec/publishNotReadyAddresses", json!(true))
}

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
    })
}

/// The endpoints of a service, in order of the names of their pods.
fn endpoints(drill: &mut Drill, service: &str) -> Vec<Value> {
    let label = |slice: &Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service;
    let slices = drill.list("endpointslices");
    let mut all: Vec<Value> = slices
        .iter()
        .filter(|slice| label(slice))
        .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default())
        .collect();
    all.sort_by_key(|endpoint| endpoint["targetRef"]["name"].as_str().unwrap_or("").to_owned());
    all
}

/// `web-0:RS`: ready, serving, terminating.
fn flags(drill: &mut Drill, service: &str) -> Vec<String> {
    let told = |endpoint: &Value| {
        let conditions = [("ready", 'R'), ("serving", 'S'), ("terminating", 'T')];
        let on = conditions.iter().filter(|(name, _)| endpoint["conditions"][*name] == true);
        let name = endpoint["targetRef"]["name"].as_str().unwrap_or("");
        format!("{name}:{}", on.map(|(_, flag)| flag).collect::<String>())
    };
    endpoints(drill, service).iter().map(told).collect()
}

const SLOW: &str = "  behavior:\n  - {image: 'web:*', stop: 1h}\n";

fn patient(object: Value) -> Value {
    let at = if object["kind"] == "Pod" { "/spec" } else { "/spec/template/spec" };
    with(object, &format!("{at}/terminationGracePeriodSeconds"), json!(7200))
}

#[test]
fn t_dns_006_conditions_of_endpoints() {
    let mut drill = Drill::on(
        &format!("{STEADY}{SLOW}"),
        &[headless(), publishing(), patient(pod("a")), patient(pod("b"))],
    );
    let both = |drill: &mut Drill| [flags(drill, "web"), flags(drill, "peers")];
    assert_eq!(both(&mut drill), [["a:RS", "b:RS"], ["a:RS", "b:RS"]]);
    drill.step("- unready: pod/b");
    assert_eq!(both(&mut drill), [["a:RS", "b:"], ["a:RS", "b:R"]]);
    drill.during("5s", "- kubectl: delete pod a b --wait=false");
    assert_eq!(both(&mut drill), [["a:ST", "b:T"], ["a:RST", "b:RT"]]);
    let first = drill.events_of("endpoints/web").remove(0);
    // At the delete, not at the end; whether the second one is in it already is a matter of milliseconds.
    assert!(first.starts_with("endpoints/web [a:ST b:"), "{first}");
}

#[test]
fn t_dns_007_who_is_an_endpoint() {
    let mut drill = Drill::on(&format!("{STEADY}{SLOW}"), &[headless(), publishing()]);
    let pinned = with(pod("pending"), "/spec/nodeSelector", json!({"nowhere": "x"}));
    for manifest in [pinned, pod("failed"), pod("succeeded"), patient(pod("going")), pod("running")] {
        drill.apply(&manifest);
    }
    assert_eq!(drill.field("pod/pending", "/status/podIP"), Value::Null);
    for (name, phase) in [("failed", "Failed"), ("succeeded", "Succeeded")] {
        drill.patch_status(&format!("pod/{name}"), &json!({"phase": phase}));
        // A change of the phase alone is not looked at: it comes with readiness (SVC-7).
        drill.step(&format!("- unready: pod/{name}"));
    }
    drill.during("5s", "- kubectl: delete pod going --wait=false");
    for (service, expected) in [("web", ["going:ST", "running:RS"]), ("peers", ["going:RST", "running:RS"])] {
        assert_eq!(flags(&mut drill, service), expected, "{service}");
    }
    drill.sleep("1s");
    assert_eq!(flags(&mut drill, "web"), ["running:RS"]);
}

#[test]
fn t_dns_008_hostnames_of_endpoints() {
    let named = |name: &str, hostname: Option<&str>, subdomain: Option<&str>| {
        let mut pod = pod(name);
        for (field, value) in [("hostname", hostname), ("subdomain", subdomain)] {
            if let Some(value) = value {
                pod["spec"][field] = value.into();
            }
        }
        pod
    };
    let mut drill = Drill::on(STEADY, &[headless(), publishing()]);
    for (name, hostname, subdomain, expected) in [
        ("a", Some("host"), Some("web"), json!("host")),
        ("b", Some("host"), Some("peers"), Value::Null),
        ("c", Some("host"), None, Value::Null),
        ("d", None, Some("web"), Value::Null),
        ("e", None, None, Value::Null),
    ] {
        drill.apply(&named(name, hostname, subdomain));
        let endpoint = endpoints(&mut drill, "web").pop().expect("an endpoint");
        assert_eq!(
            (&endpoint["targetRef"]["name"], &endpoint["hostname"]),
            (&json!(name), &expected),
            "{name}"
        );
    }
    // The same names in another namespace are another service's.
    let other = with(headless(), "/metadata/namespace", json!("other"));
    let elsewhere = with(named("f", Some("host"), Some("web")), "/metadata/namespace", json!("other"));
    drill.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}));
    drill.apply(&other);
    drill.apply(&elsewhere);
    assert_eq!(endpoints(&mut drill, "web").len(), 5);
    let text = drill.kubectl("get endpointslices -n other -o json");
    let list: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(list["items"][0]["endpoints"][0]["hostname"], "host");
    // Pods of a StatefulSet have theirs in the slices of their own service only (SVC-4).
    let mut drill = Drill::on(STEADY, &[headless(), publishing(), set(2)]);
    let hostnames = |drill: &mut Drill, service: &str| {
        endpoints(drill, service).iter().map(|e| e["hostname"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(hostnames(&mut drill, "web"), [json!("web-0"), json!("web-1")]);
    assert_eq!(hostnames(&mut drill, "peers"), [Value::Null, Value::Null]);
}

/// The pods that a new connection to a service may reach, as kube-proxy knows them.
fn reachable(drill: &Drill, service: &str) -> Vec<String> {
    let view = drill.cluster().world.view(Process::KubeProxy);
    let store = view.store;
    let (id, _) = view
        .iter::<stsim::api::objects::Service>()
        .find(|(_, found)| store.name_of(found.meta.name) == service)
        .expect("a service");
    let pod = |ip| {
        let found = store.pods.iter().find(|(_, pod)| pod.ip == ip);
        found.map_or_else(String::new, |(_, pod)| store.name_of(pod.meta.name))
    };
    let all = service::endpoints(view, id).map(|(endpoint, _)| endpoint).collect();
    service::eligible_among(all).iter().map(|endpoint| pod(endpoint.ip)).collect()
}

fn with_address(service: Value) -> Value {
    let mut service = service;
    service["spec"].as_object_mut().expect("a spec").remove("clusterIP");
    service
}

#[test]
fn t_dns_009_unready_pods_are_reached_through_publishing_services_only() {
    let services = [with_address(headless()), with_address(publishing())];
    let mut drill = Drill::on(&format!("{STEADY}{SLOW}"), &services);
    drill.apply(&patient(pod("a")));
    let both = |drill: &Drill| [reachable(drill, "web"), reachable(drill, "peers")];
    assert_eq!(both(&drill), [["a"], ["a"]]);
    drill.step("- unready: pod/a");
    assert_eq!(both(&drill), [vec![], vec!["a"]]);
    // The same when it terminates.
    drill.during("5s", "- kubectl: delete pod a --wait=false");
    assert_eq!(both(&drill), [vec![], vec!["a"]]);
    drill.sleep("1s");
    assert_eq!(both(&drill), [[""; 0]; 2]);
}

#[test]
fn t_dns_010_services_without_selector_or_about_to_go_are_left_alone() {
    let mut plain = headless();
    plain["spec"].as_object_mut().expect("a spec").remove("selector");
    let mut drill = Drill::on(STEADY, &[plain, pod("a")]);
    assert_eq!(drill.names("endpointslices"), [""; 0]);
    // While it goes no slice is made any more; the one it has stays true.
    let kept = with(headless(), "/metadata/finalizers", json!(["example.com/keep"]));
    let mut drill = Drill::on(STEADY, &[kept, pod("a")]);
    drill.kubectl("delete service web --wait=false");
    drill.apply(&pod("b"));
    assert_eq!(flags(&mut drill, "web"), ["a:RS", "b:RS"]);
    let slice = drill.names("endpointslices").remove(0);
    drill.kubectl(&format!("delete endpointslice {slice}"));
    drill.kubectl("delete pod a");
    assert_eq!(drill.names("endpointslices"), [""; 0]);
}

#[test]
fn t_dns_011_membership_follows_labels() {
    let mut drill = Drill::on(STEADY, &[headless(), pod("a"), pod("b")]);
    assert_eq!(flags(&mut drill, "web"), ["a:RS", "b:RS"]);
    drill.kubectl("label pod a app=other --overwrite");
    assert_eq!(flags(&mut drill, "web"), ["b:RS"]);
    drill.kubectl("label pod a app=web --overwrite");
    assert_eq!(flags(&mut drill, "web"), ["a:RS", "b:RS"]);
    drill.kubectl("label pod b tier=front");
    drill.patch("service/web", &json!({"spec": {"selector": {"tier": "front"}}}));
    assert_eq!(flags(&mut drill, "web"), ["b:RS"]);
    // One slice all along, changed in place.
    assert_eq!(drill.names("endpointslices").len(), 1);
    assert!(drill.list("endpointslices")[0]["metadata"]["generation"].as_i64() > Some(3));
}

#[test]
fn t_dns_014_an_address_that_a_finished_pod_still_has() {
    let mut drill = Drill::on(STEADY, &[headless(), pod("done"), pod("live")]);
    let ip = drill.field("pod/live", "/status/podIP");
    drill.patch_status("pod/done", &json!({"phase": "Succeeded", "podIP": ip, "podIPs": [{"ip": ip}]}));
    assert_eq!(flags(&mut drill, "web"), ["live:RS"]);
    assert_eq!(drill.addresses("web"), [ip.as_str().expect("an address")]);
    // The finished one goes: nothing happens to the other.
    drill.kubectl("delete pod done");
    assert_eq!(flags(&mut drill, "web"), ["live:RS"]);
}

#[test]
fn t_dns_015_an_empty_service_has_an_empty_slice() {
    let mut drill = Drill::on(STEADY, &[headless()]);
    let slices = drill.list("endpointslices");
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0]["endpoints"].as_array().map(Vec::len), Some(0));
    assert_eq!(
        slices[0]["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"],
        "endpointslice-controller.k8s.io"
    );
    let owner = &slices[0]["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["name"]), (&json!("Service"), &json!("web")));
    drill.kubectl("delete service web");
    assert_eq!(drill.names("endpointslices"), [""; 0]);
}

#[test]
fn t_dns_016_slices_come_and_go_with_pods() {
    let parallel = with(set(101), "/spec/podManagementPolicy", json!("Parallel"));
    let mut drill = Drill::on(STEADY, &[headless(), parallel]);
    assert_eq!(endpoints(&mut drill, "web").len(), 101);
    // At most a hundred to a slice.
    assert_eq!(drill.names("endpointslices").len(), 2);
    let endpoint = endpoints(&mut drill, "web").remove(0);
    let pod = drill.object("pod/web-0");
    assert_eq!(endpoint["addresses"], json!([pod["status"]["podIP"]]));
    assert_eq!(endpoint["nodeName"], pod["spec"]["nodeName"]);
    assert_eq!(endpoint["targetRef"]["uid"], pod["metadata"]["uid"]);
    assert_eq!(endpoint["conditions"], json!({"ready": true, "serving": true, "terminating": false}));
    drill.kubectl("scale sts/web --replicas=1");
    assert_eq!(flags(&mut drill, "web"), ["web-0:RS"]);
    assert_eq!(drill.names("endpointslices").len(), 1);
    drill.kubectl("delete sts web");
    assert_eq!((flags(&mut drill, "web").len(), drill.names("endpointslices").len()), (0, 1));
    drill.kubectl("delete service web");
    assert_eq!(drill.names("endpointslices"), [""; 0]);
}

#[test]
fn t_dns_017_traffic_falls_back_to_terminating_endpoints() {
    let mut drill = Drill::on(&format!("{STEADY}{SLOW}"), &[with_address(headless())]);
    drill.apply(&patient(pod("a")));
    drill.apply(&pod("b"));
    drill.during("5s", "- kubectl: delete pod a --wait=false");
    assert_eq!(reachable(&drill, "web"), ["b"], "there is a ready one");
    drill.during("5s", "- unready: pod/b\n  settle: false");
    assert_eq!(reachable(&drill, "web"), ["a"], "it still serves");
    drill.during("5s", "- ready: pod/b\n  settle: false");
    assert_eq!(reachable(&drill, "web"), ["b"]);
    drill.during("5s", "- kubectl: delete pod b --wait=false --grace-period=0 --force\n  settle: false");
    assert_eq!(reachable(&drill, "web"), ["a"]);
    drill.sleep("1s");
    assert_eq!(reachable(&drill, "web"), [""; 0]);
}

#[test]
fn t_dns_018_endpoints_move_with_their_pods() {
    let mut drill = Drill::on(STEADY, &[headless(), set(1)]);
    let place = |drill: &mut Drill| {
        let endpoint = endpoints(drill, "web").remove(0);
        (endpoint["nodeName"].clone(), endpoint["zone"].clone(), endpoint["addresses"][0].clone())
    };
    let (node, zone, address) = place(&mut drill);
    assert_eq!(node, drill.field("pod/web-0", "/spec/nodeName"));
    let letter = node.as_str().and_then(|name| name.chars().last()).expect("a name");
    assert_eq!(zone, format!("zone-{letter}"));
    drill.kubectl(&format!("drain {} --ignore-daemonsets", node.as_str().expect("a name")));
    let (other_node, other_zone, other_address) = place(&mut drill);
    assert_ne!((&other_node, &other_address), (&node, &address));
    assert_eq!(other_node, drill.field("pod/web-0", "/spec/nodeName"));
    let letter = other_node.as_str().and_then(|name| name.chars().last()).expect("a name");
    assert_eq!(other_zone, format!("zone-{letter}"));
}
