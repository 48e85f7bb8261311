//! Names: what the cluster's DNS answers, and what a pod knows about itself.
use crate::drill::*;
use crate::endpoints::{headless, pod};
use serde_json::{Value, json};
use stsim::config::DnsPreset;
use stsim::network::answer::{Data, Rcode, RecordType};
use stsim::network::dns::Zone;
use stsim::network::lookup;
use stsim::network::resolver::{Profile, Servers};

/// Whether a name exists, and the data of the answer, sorted.
fn ask(drill: &Drill, name: &str, record_type: RecordType) -> (bool, Vec<String>) {
    let lookup = Zone::of(&drill.cluster().world).resolve("default", name, record_type);
    let mut data: Vec<_> = lookup.answer.records.iter().map(|record| record.data.render()).collect();
    data.sort();
    (lookup.answer.rcode == Rcode::NoError, data)
}

fn text(value: Value) -> String {
    value.as_str().expect("a text").to_owned()
}

const DOMAIN: &str = "default.svc.cluster.local";

#[test]
fn t_dns_001_services_and_their_ports_have_names() {
    let normal = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]},
    });
    let mut drill = Drill::on(STEADY, &[headless(), normal, set(2)]);
    let cluster_ip = text(drill.field("service/front", "/spec/clusterIP"));
    let mut pods = [0, 1].map(|n| text(drill.field(&format!("pod/web-{n}"), "/status/podIP")));
    pods.sort();
    for suffix in
        ["", ".default", ".default.svc", ".default.svc.cluster.local", ".default.svc.cluster.local."]
    {
        assert_eq!(drill.addresses(&format!("web{suffix}")), pods, "web{suffix}");
        assert_eq!(
            drill.addresses(&format!("front{suffix}")),
            std::slice::from_ref(&cluster_ip),
            "front{suffix}"
        );
        let srv = |name: &str| ask(&drill, &format!("{name}{suffix}"), RecordType::Srv);
        let targets = [0, 1].map(|n| format!("0 50 80 web-{n}.web.{DOMAIN}."));
        assert_eq!(srv("_http._tcp.web"), (true, targets.to_vec()), "{suffix}");
        assert_eq!(srv("_http._tcp.front"), (true, vec![format!("0 100 8080 front.{DOMAIN}.")]), "{suffix}");
        assert_eq!(srv("_dns._udp.front"), (true, vec![format!("0 100 53 front.{DOMAIN}.")]), "{suffix}");
        for unknown in ["_dns._tcp.front", "_other._tcp.web", "nobody"] {
            assert_eq!(srv(unknown), (false, vec![]), "{unknown}{suffix}");
        }
    }
    // Names exist without data of another family, and not at all where nobody is in.
    assert_eq!(ask(&drill, "web", RecordType::Aaaa), (true, vec![]));
    drill.kubectl("scale sts/web --replicas=0");
    assert_eq!(ask(&drill, "web", RecordType::A), (false, vec![]));
    assert_eq!(drill.addresses("front"), [cluster_ip]);
}

#[test]
fn t_dns_002_pods_with_hostname_and_subdomain_have_names() {
    let named = with(with(pod("a"), "/spec/hostname", json!("host")), "/spec/subdomain", json!("web"));
    let mut drill = Drill::on(STEADY, &[headless(), named]);
    let ip = text(drill.field("pod/a", "/status/podIP"));
    for name in ["host.web", "host.web.default", "host.web.default.svc.cluster.local"] {
        assert_eq!(drill.addresses(name), std::slice::from_ref(&ip), "{name}");
    }
    // Its short name is known in the pod alone.
    assert_eq!(drill.addresses("host"), [""; 0]);
    assert_eq!(hosts(&drill, "a"), Some((ip, vec![format!("host.web.{DOMAIN}"), "host".into()])));
    drill.step("- unready: pod/a");
    assert_eq!(ask(&drill, "host.web", RecordType::A), (false, vec![]));
}

/// What the pod's hosts file says about itself.
fn hosts(drill: &Drill, name: &str) -> Option<(String, Vec<String>)> {
    let store = &drill.cluster().world.store;
    let (_, pod) = store.pods.iter().find(|(_, pod)| store.name_of(pod.meta.name) == name).expect("a pod");
    lookup::hosts(store, pod).map(|(ip, names)| (ip.render(), names))
}

#[test]
fn t_dns_003_019_a_pod_knows_its_own_names() {
    let never = "  behavior:\n  - {image: 'web:*', ready: never}\n";
    let in_host = with(pod("in-host"), "/spec/hostNetwork", json!(true));
    let mut drill = Drill::on(&format!("{STEADY}{never}"), &[headless(), set(1), pod("plain"), in_host]);
    let ip = |drill: &mut Drill, name: &str| text(drill.field(&format!("pod/{name}"), "/status/podIP"));
    // The hostname is the name of the pod. Names are there before it is ready, and DNS knows nothing of them.
    let own = vec![format!("web-0.web.{DOMAIN}"), "web-0".to_owned()];
    assert_eq!(hosts(&drill, "web-0"), Some((ip(&mut drill, "web-0"), own)));
    assert_eq!(drill.addresses("web-0.web"), [""; 0]);
    assert_eq!(hosts(&drill, "plain"), Some((ip(&mut drill, "plain"), vec!["plain".into()])));
    // In the network of the node it has the node's file.
    assert_eq!(hosts(&drill, "in-host"), None);
}

#[test]
fn t_dns_004_changes_of_external_names_are_seen_after_a_while() {
    let external = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "ext"},
            "spec": {"type": "ExternalName", "externalName": name},
        })
    };
    let mut drill = Drill::on(STEADY, &[external("foo.example.com")]);
    let profile = Profile::of(DnsPreset::Cache30, DnsPreset::Cache30.ttl());
    let mut servers = Servers::new(&profile, 1);
    let name = format!("ext.{DOMAIN}.");
    let mut target = |drill: &Drill| {
        let answer = servers.query(&drill.cluster().world, 1, 1, &name, RecordType::Cname).answer;
        answer.records.iter().find_map(|record| match &record.data {
            Data::Cname(name) => Some(name.clone()),
            _ => None,
        })
    };
    assert_eq!(target(&drill).as_deref(), Some("foo.example.com."));
    drill.apply(&external("bar.example.com"));
    drill.during("20s", "");
    assert_eq!(target(&drill).as_deref(), Some("foo.example.com."), "cached");
    assert_eq!(ask(&drill, "ext", RecordType::Cname), (true, vec!["bar.example.com.".into()]));
    drill.during("15s", "");
    assert_eq!(target(&drill).as_deref(), Some("bar.example.com."));
    // It becomes an ordinary service.
    drill.patch(
        "service/ext",
        &json!({"spec": {"type": "ClusterIP", "externalName": null, "ports": [{"port": 80}]}}),
    );
    assert_eq!(drill.addresses("ext"), [text(drill.field("service/ext", "/spec/clusterIP"))]);
}

#[test]
fn t_dns_005_ten_thousand_services() {
    let service = |n: usize| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("svc-{n}")}, "spec": {"ports": [{"port": 80}]}});
    let services: Vec<Value> = (0..10_000).map(service).collect();
    let mut drill = Drill::on(STEADY, &[json!({"apiVersion": "v1", "kind": "List", "items": services})]);
    for n in (0..10_000).step_by(1_111) {
        let ip = text(drill.field(&format!("service/svc-{n}"), "/spec/clusterIP"));
        assert_eq!(drill.addresses(&format!("svc-{n}")), [ip], "svc-{n}");
    }
}
