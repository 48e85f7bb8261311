//! Services, EndpointSlices and PodDisruptionBudgets on the wire.
use super::fields::{at, count, flag, int, int32, list, object, pairs, text, text_at, texts};
use super::{Wire, head, meta, unless_empty, without_nulls};
use crate::api::objects::*;
use crate::api::selector::Selector;
use crate::api::store::Store;
use crate::kernel::Id;
use serde_json::{Value, json};
use std::sync::Arc;

const SERVICE_LABEL: &str = "kubernetes.io/service-name";

impl Wire for Service {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<Service>(store, &self.meta);
        json["spec"] = Value::clone(&self.spec);
        json["status"] = json!({"loadBalancer": {}});
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Service {
        let spec = json.get("spec").cloned().unwrap_or_else(|| json!({}));
        let selector = object(&spec, "selector").filter(|selector| !selector.is_empty());
        let cluster_ip = text(&spec, "clusterIP");
        Service {
            meta: meta::from_json(store, Service::KIND, json, |_, _| true),
            service_type: match (text(&spec, "type"), cluster_ip) {
                ("ExternalName", _) => ServiceType::ExternalName,
                (_, "None") => ServiceType::Headless,
                _ => ServiceType::ClusterIp,
            },
            cluster_ip: Ip::parse(cluster_ip).unwrap_or_default(),
            selector: selector.map(|_| Arc::new(Selector::from_pairs(pairs(&spec, "selector")))),
            publish_not_ready: flag(&spec, "publishNotReadyAddresses"),
            ports: list(&spec, "ports").iter().map(|port| service_port(store, port)).collect(),
            spec: Arc::new(spec),
        }
    }

    fn keep_status(&mut self, _: &Service) {}
}

fn service_port(store: &mut Store, port: &Value) -> ServicePort {
    let number = |value: i64| u16::try_from(value).unwrap_or(0);
    ServicePort {
        name: store.names.word(text(port, "name")),
        protocol: store.names.word(text(port, "protocol")),
        port: number(int(port, "port").unwrap_or(0)),
        target: number(int(port, "targetPort").unwrap_or(0)),
        target_name: store.names.word(text(port, "targetPort")),
    }
}

fn endpoint_to_json(store: &Store, endpoint: &Endpoint) -> Value {
    let pod = store.pods.last_known(endpoint.pod);
    let node = store.nodes.last_known(endpoint.node).filter(|_| !endpoint.node.is_none());
    without_nulls(json!({
        "addresses": [endpoint.ip.render()],
        "conditions": {
            "ready": endpoint.ready, "serving": endpoint.serving, "terminating": endpoint.terminating,
        },
        "hostname": endpoint.hostname_text(store),
        "nodeName": node.map(|node| store.name_of(node.meta.name)),
        "zone": node.map_or(Value::Null, |node| unless_empty(store.names.text(node.zone))),
        "targetRef": pod.map(|pod| json!({
            "kind": "Pod",
            "name": store.name_of(pod.meta.name),
            "namespace": store.names.text(pod.meta.namespace),
            "uid": store.uid_text(endpoint.uid),
        })),
    }))
}

fn endpoint_from_json(store: &Store, namespace: crate::api::names::Sym, json: &Value) -> Option<Endpoint> {
    let target = text_at(json, &["targetRef", "name"]);
    let pod = store.pods.id(namespace, store.known_name(target)?)?;
    let condition = |name| at(json, &["conditions", name]) == Some(&Value::Bool(true));
    let node = store.names.known_name(text(json, "nodeName"));
    let node = node.and_then(|name| store.nodes.id(crate::api::names::Sym::EMPTY, name));
    Some(Endpoint {
        pod,
        uid: store.uid_from_text(text_at(json, &["targetRef", "uid"])).unwrap_or_default(),
        ip: texts(json, "addresses").next().and_then(Ip::parse).unwrap_or_default(),
        node: node.unwrap_or(Id::NONE),
        ready: condition("ready"),
        serving: condition("serving"),
        terminating: condition("terminating"),
        hostname: !text(json, "hostname").is_empty(),
    })
}

impl Wire for EndpointSlice {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<EndpointSlice>(store, &self.meta);
        let service = store.services.last_known(self.service).filter(|_| !self.service.is_none());
        if let Some(service) = service {
            json["metadata"]["generateName"] = format!("{}-", store.name_of(service.meta.name)).into();
        }
        json["addressType"] = "IPv4".into();
        json["endpoints"] = self.endpoints.iter().map(|endpoint| endpoint_to_json(store, endpoint)).collect();
        json["ports"] = self
            .ports
            .iter()
            .map(|port| {
                without_nulls(json!({
                    "name": store.names.text(port.name),
                    "port": if port.target == 0 { port.port } else { port.target },
                    "protocol": store.names.text(port.protocol),
                }))
            })
            .collect();
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> EndpointSlice {
        let meta = meta::from_json(store, EndpointSlice::KIND, json, |_, _| true);
        let service = store.names.known_name(text_at(json, &["metadata", "labels", SERVICE_LABEL]));
        let endpoints = list(json, "endpoints").iter();
        EndpointSlice {
            service: service.and_then(|name| store.services.id(meta.namespace, name)).unwrap_or(Id::NONE),
            endpoints: endpoints.filter_map(|e| endpoint_from_json(store, meta.namespace, e)).collect(),
            ports: list(json, "ports").iter().map(|port| service_port(store, port)).collect(),
            meta,
        }
    }

    fn keep_status(&mut self, old: &EndpointSlice) {
        self.ports = old.ports.clone();
    }
}

/// Reasons of condition DisruptionAllowed.
const ALLOWED_REASONS: [&str; 3] = ["SufficientPods", "InsufficientPods", "SyncFailed"];

fn budget_status(store: &Store, budget: &Budget) -> Value {
    let status = &budget.status;
    let disrupted: serde_json::Map<String, Value> =
        status.disrupted.iter().map(|(name, time)| (store.name_of(*name), meta::time(*time))).collect();
    let condition = (!status.reason.is_empty()).then(|| {
        json!([{
            "type": "DisruptionAllowed",
            "status": if status.reason == "SufficientPods" { "True" } else { "False" },
            "reason": status.reason,
            "message": store.names.text(status.message),
            "lastTransitionTime": meta::time(status.since),
            "observedGeneration": status.observed_generation,
        }])
    });
    without_nulls(json!({
        "currentHealthy": status.healthy,
        "desiredHealthy": status.desired,
        "disruptionsAllowed": status.allowed,
        "expectedPods": status.expected,
        "observedGeneration": super::unless_zero(status.observed_generation),
        "disruptedPods": if disrupted.is_empty() { Value::Null } else { disrupted.into() },
        "conditions": condition,
    }))
}

fn budget_status_from(store: &mut Store, json: &Value) -> BudgetStatus {
    let Some(status) = json.get("status") else { return BudgetStatus::default() };
    let condition = list(status, "conditions").iter().find(|c| text(c, "type") == "DisruptionAllowed");
    let reason = condition.map_or("", |condition| text(condition, "reason"));
    let number = |field| int32(status, field).unwrap_or(0);
    let disrupted = object(status, "disruptedPods").into_iter().flatten();
    BudgetStatus {
        observed_generation: count(status, "observedGeneration"),
        allowed: number("disruptionsAllowed"),
        healthy: number("currentHealthy"),
        desired: number("desiredHealthy"),
        expected: number("expectedPods"),
        disrupted: disrupted
            .map(|(name, _)| {
                let at = meta::seconds(status.get("disruptedPods").unwrap_or(&Value::Null), name);
                (store.name_from_text(name), at)
            })
            .collect(),
        reason: ALLOWED_REASONS.into_iter().find(|known| *known == reason).unwrap_or_default(),
        message: store.names.word(condition.map_or("", |condition| text(condition, "message"))),
        since: condition.map_or(Seconds::NEVER, |condition| meta::seconds(condition, "lastTransitionTime")),
    }
}

impl Wire for Budget {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<Budget>(store, &self.meta);
        json["spec"] = Value::clone(&self.spec);
        json["status"] = budget_status(store, self);
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Budget {
        let spec = json.get("spec").cloned().unwrap_or_else(|| json!({}));
        let selector = spec.get("selector").filter(|selector| selector.is_object());
        Budget {
            meta: meta::from_json(store, Budget::KIND, json, |_, _| true),
            selector: selector.and_then(|s| Selector::from_label_selector(s).ok()).map(Arc::new),
            min_available: IntOrPercent::from_json(spec.get("minAvailable")),
            max_unavailable: IntOrPercent::from_json(spec.get("maxUnavailable")),
            unhealthy: match text(&spec, "unhealthyPodEvictionPolicy") {
                "AlwaysAllow" => Some(UnhealthyEviction::AlwaysAllow),
                "IfHealthyBudget" => Some(UnhealthyEviction::IfHealthyBudget),
                _ => None,
            },
            status: budget_status_from(store, json),
            spec: Arc::new(spec),
        }
    }

    fn keep_status(&mut self, old: &Budget) {
        self.status = old.status.clone();
    }
}
