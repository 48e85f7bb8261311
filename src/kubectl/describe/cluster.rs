//! Nodes, services, EndpointSlices, namespaces and priority classes.
use super::{Doc, head, labels_and_annotations, part, rfc1123};
use crate::api::objects::Seconds;
use crate::api::quantity::{Format, Quantity};
use crate::api::text::timestamp_rfc1123;
use crate::api::wire::fields::{at, flag, int, list, pairs, text, text_at, texts};
use crate::kubectl::resource::ResourceKind;
use crate::kubectl::server;
use crate::kubectl::tables::{or_none, roles, shortened, since};
use crate::world::World;
use serde_json::Value;

/// `describeNode`.
pub(super) fn node(doc: &mut Doc, node: &Value, world: &World) {
    let (spec, status) = (part(node, "spec"), part(node, "status"));
    doc.field(0, "Name", text_at(node, &["metadata", "name"]));
    doc.field(0, "Roles", roles(node));
    labels_and_annotations(doc, node);
    doc.field(0, "CreationTimestamp", rfc1123(text_at(node, &["metadata", "creationTimestamp"])));
    taints(doc, spec);
    doc.field(0, "Unschedulable", flag(spec, "unschedulable"));
    lease(doc, node, world);
    let conditions = list(status, "conditions");
    if !conditions.is_empty() {
        doc.line(0, "Conditions:");
        doc.line(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
        doc.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let of = |field| text(condition, field);
        let (heartbeat, transition) = (rfc1123(of("lastHeartbeatTime")), rfc1123(of("lastTransitionTime")));
        let (kind, status, reason, message) = (of("type"), of("status"), of("reason"), of("message"));
        doc.line(1, format!("{kind} \t{status} \t{heartbeat} \t{transition} \t{reason} \t{message}"));
    }
    doc.line(0, "Addresses:");
    for address in list(status, "addresses") {
        doc.field(1, text(address, "type"), text(address, "address"));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let resources: Vec<_> = pairs(status, field).collect();
        if !resources.is_empty() {
            doc.line(0, format!("{title}:"));
            resources.iter().for_each(|(name, amount)| doc.field(1, name, amount));
        }
    }
    system_info(doc, part(status, "nodeInfo"));
    if !text(spec, "providerID").is_empty() {
        doc.field(0, "ProviderID", text(spec, "providerID"));
    }
    pods(doc, node, world);
}

/// Sorted by effect and key (`printNodeTaintsMultiline`).
fn taints(doc: &mut Doc, spec: &Value) {
    let mut all: Vec<&Value> = list(spec, "taints").iter().collect();
    all.sort_by_key(|taint| format!("{},{}", text(taint, "effect"), text(taint, "key")));
    let entry = |taint: &&Value| match (text(taint, "key"), text(taint, "value"), text(taint, "effect")) {
        (key, "", effect) => format!("{key}:{effect}"),
        (key, value, effect) => format!("{key}={value}:{effect}"),
    };
    doc.entries("", "Taints", &all.iter().map(entry).collect::<Vec<_>>());
}

/// The lease: when it was renewed last follows from when renewals began or stopped.
fn lease(doc: &mut Doc, node: &Value, world: &World) {
    let name = text_at(node, &["metadata", "name"]);
    let id = server::find(world, ResourceKind::Node.into(), "", name);
    let lease = id.and_then(|node| world.leases.get(node.index as usize)).copied().unwrap_or_default();
    let renewed = if lease.renewing { world.now() } else { lease.since };
    doc.line(0, "Lease:");
    doc.field(1, "HolderIdentity", name);
    doc.field(1, "AcquireTime", "<unset>");
    doc.field(1, "RenewTime", timestamp_rfc1123(Seconds::of(renewed).start().as_nanos()));
}

fn system_info(doc: &mut Doc, info: &Value) {
    doc.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ] {
        doc.field(1, title, text(info, field));
    }
}

/// What is asked for or allowed of a resource, in milli-units.
#[derive(Clone, Copy, Default)]
struct Amounts {
    requests: i64,
    limits: i64,
}

/// The sum over the containers of a pod.
fn amounts(pod: &Value, resource: &str) -> Amounts {
    let sum = |field: &str| {
        let containers = list(part(pod, "spec"), "containers").iter();
        let amount = |container: &Value| {
            let value = at(container, &["resources", field, resource])?;
            Quantity::from_json(value).ok().map(Quantity::milli)
        };
        containers.filter_map(amount).fold(0_i64, i64::saturating_add)
    };
    Amounts { requests: sum("requests"), limits: sum("limits") }
}

/// `250m (3%)`.
fn share(milli: i64, of: i64, format: Format) -> String {
    let quantity = match format {
        Format::BinarySi => Quantity::units(milli / 1000, Format::BinarySi),
        _ => Quantity::from_milli(milli),
    };
    let percent = if of == 0 { 0 } else { i128::from(milli) * 100 / i128::from(of) };
    format!("{quantity} ({percent}%)")
}

/// `describeNodeResource`.
fn pods(doc: &mut Doc, node: &Value, world: &World) {
    let name = text_at(node, &["metadata", "name"]);
    let mut pods = server::list_all(world, ResourceKind::Pod.into(), None);
    pods.retain(|pod| {
        text_at(pod, &["spec", "nodeName"]) == name
            && !matches!(text_at(pod, &["status", "phase"]), "Succeeded" | "Failed")
    });
    let allocatable = |resource: &str| {
        let amount = at(node, &["status", "allocatable", resource]);
        amount.and_then(|amount| Quantity::from_json(amount).ok()).map_or(0, Quantity::milli)
    };
    let resources =
        [("cpu", Format::DecimalSi), ("memory", Format::BinarySi), ("ephemeral-storage", Format::BinarySi)];
    let of = resources.map(|(resource, _)| allocatable(resource));
    let mut totals = [Amounts::default(); 3];
    doc.field(0, "Non-terminated Pods", format!("({} in total)", pods.len()));
    doc.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    doc.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    for pod in &pods {
        let mut shares = Vec::new();
        for (n, (resource, format)) in resources.into_iter().enumerate() {
            let amounts = amounts(pod, resource);
            if let (Some(total), Some(of)) = (totals.get_mut(n), of.get(n)) {
                total.requests = total.requests.saturating_add(amounts.requests);
                total.limits = total.limits.saturating_add(amounts.limits);
                shares.push(share(amounts.requests, *of, format));
                shares.push(share(amounts.limits, *of, format));
            }
        }
        shares.truncate(4);
        let metadata = part(pod, "metadata");
        let age = since(text(metadata, "creationTimestamp"), world.now());
        let (namespace, name) = (text(metadata, "namespace"), text(metadata, "name"));
        doc.line(1, format!("{namespace}\t{name}\t\t{}\t{age}", shares.join("\t")));
    }
    doc.line(0, "Allocated resources:");
    doc.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    doc.line(1, "Resource\tRequests\tLimits");
    doc.line(1, "--------\t--------\t------");
    for ((resource, format), (total, of)) in resources.into_iter().zip(totals.into_iter().zip(of)) {
        let (requests, limits) = (share(total.requests, of, format), share(total.limits, of, format));
        doc.line(1, format!("{resource}\t{requests}\t{limits}"));
    }
}

/// `describeService`.
pub(super) fn service(doc: &mut Doc, service: &Value, world: &World) {
    let spec = part(service, "spec");
    head(doc, service);
    labels_and_annotations(doc, service);
    let selector: Vec<String> =
        pairs(spec, "selector").map(|(key, value)| format!("{key}={value}")).collect();
    doc.field(0, "Selector", or_none(&selector.join(",")));
    doc.field(0, "Type", text(spec, "type"));
    let joined = |field: &str| texts(spec, field).collect::<Vec<_>>().join(",");
    if !text(spec, "ipFamilyPolicy").is_empty() {
        doc.field(0, "IP Family Policy", text(spec, "ipFamilyPolicy"));
    }
    doc.field(0, "IP Families", or_none(&joined("ipFamilies")));
    doc.field(0, "IP", text(spec, "clusterIP"));
    doc.field(0, "IPs", or_none(&joined("clusterIPs")));
    if !joined("externalIPs").is_empty() {
        doc.field(0, "External IPs", joined("externalIPs"));
    }
    if !text(spec, "externalName").is_empty() {
        doc.field(0, "External Name", text(spec, "externalName"));
    }
    let slices = slices_of(service, world);
    for port in list(spec, "ports") {
        let name = match text(port, "name") {
            "" => "<unset>",
            name => name,
        };
        let protocol = text(port, "protocol");
        doc.line(0, format!("Port:\t{name}\t{}/{protocol}", int(port, "port").unwrap_or(0)));
        let target = match port.get("targetPort") {
            Some(Value::String(name)) => name.clone(),
            Some(number) => number.to_string(),
            None => "0".to_owned(),
        };
        doc.field(0, "TargetPort", format!("{target}/{protocol}"));
        if let Some(node) = int(port, "nodePort").filter(|port| *port > 0) {
            doc.line(0, format!("NodePort:\t{name}\t{node}/{protocol}"));
        }
        doc.field(0, "Endpoints", endpoints(&slices, text(port, "name")));
    }
    doc.field(0, "Session Affinity", text(spec, "sessionAffinity"));
    for (title, field) in [
        ("External Traffic Policy", "externalTrafficPolicy"),
        ("Internal Traffic Policy", "internalTrafficPolicy"),
        ("Traffic Distribution", "trafficDistribution"),
    ] {
        if !text(spec, field).is_empty() {
            doc.field(0, title, text(spec, field));
        }
    }
}

fn slices_of(service: &Value, world: &World) -> Vec<Value> {
    let namespace = text_at(service, &["metadata", "namespace"]);
    let mut slices = server::list_all(world, ResourceKind::EndpointSlice.into(), Some(namespace));
    slices.retain(|slice| {
        let name = text_at(slice, &["metadata", "labels", "kubernetes.io/service-name"]);
        name == text_at(service, &["metadata", "name"])
    });
    slices
}

/// `formatEndpointSlices`: ready addresses with the port of this name.
fn endpoints(slices: &[Value], port_name: &str) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for slice in slices {
        let ready = list(slice, "endpoints")
            .iter()
            .filter(|endpoint| at(endpoint, &["conditions", "ready"]) != Some(&Value::Bool(false)));
        let addresses: Vec<&str> = ready.filter_map(|endpoint| texts(endpoint, "addresses").next()).collect();
        if list(slice, "ports").is_empty() {
            all.extend(addresses.iter().map(|ip| (*ip).to_owned()));
        }
        for port in list(slice, "ports").iter().filter(|port| text(port, "name") == port_name) {
            let number = int(port, "port").unwrap_or(0);
            all.extend(addresses.iter().map(|ip| format!("{ip}:{number}")));
        }
    }
    shortened(&all, "")
}

/// `describeEndpointSliceV1`.
pub(super) fn slice(doc: &mut Doc, slice: &Value) {
    let or_unset = |text: &str| if text.is_empty() { "<unset>".to_owned() } else { text.to_owned() };
    head(doc, slice);
    labels_and_annotations(doc, slice);
    doc.field(0, "AddressType", text(slice, "addressType"));
    let ports = list(slice, "ports");
    if ports.is_empty() {
        doc.line(0, "Ports: <unset>");
    } else {
        doc.line(0, "Ports:");
        doc.line(1, "Name\tPort\tProtocol");
        doc.line(1, "----\t----\t--------");
    }
    for port in ports {
        let number = int(port, "port").map_or_else(|| "<unset>".to_owned(), |port| port.to_string());
        doc.line(1, format!("{}\t{number}\t{}", or_unset(text(port, "name")), text(port, "protocol")));
    }
    let endpoints = list(slice, "endpoints");
    doc.line(0, if endpoints.is_empty() { "Endpoints: <none>" } else { "Endpoints:" });
    for endpoint in endpoints {
        let addresses: Vec<&str> = texts(endpoint, "addresses").collect();
        doc.field(1, "- Addresses", or_none(&addresses.join(", ")));
        doc.line(2, "Conditions:");
        let ready = at(endpoint, &["conditions", "ready"]);
        doc.field(3, "Ready", ready.map_or_else(|| "<unset>".to_owned(), ToString::to_string));
        doc.field(2, "Hostname", or_unset(text(endpoint, "hostname")));
        if let Some(target) = at(endpoint, &["targetRef"]) {
            doc.field(2, "TargetRef", format!("{}/{}", text(target, "kind"), text(target, "name")));
        }
        doc.field(2, "NodeName", or_unset(text(endpoint, "nodeName")));
        doc.field(2, "Zone", or_unset(text(endpoint, "zone")));
    }
}

/// `describeNamespace`.
pub(super) fn namespace(doc: &mut Doc, namespace: &Value) {
    doc.field(0, "Name", text_at(namespace, &["metadata", "name"]));
    labels_and_annotations(doc, namespace);
    doc.field(0, "Status", text_at(namespace, &["status", "phase"]));
    doc.line(0, "");
    doc.line(0, "No resource quota.");
    doc.line(0, "");
    doc.line(0, "No LimitRange resource.");
}

/// `describePriorityClass`.
pub(super) fn priority_class(doc: &mut Doc, class: &Value) {
    doc.field(0, "Name", text_at(class, &["metadata", "name"]));
    doc.field(0, "Value", int(class, "value").unwrap_or(0));
    doc.field(0, "GlobalDefault", flag(class, "globalDefault"));
    doc.field(0, "PreemptionPolicy", text(class, "preemptionPolicy"));
    doc.field(0, "Description", text(class, "description"));
    let metadata = part(class, "metadata");
    let annotations: Vec<String> =
        pairs(metadata, "annotations").map(|(key, value)| format!("{key}={value}")).collect();
    doc.field(0, "Annotations", or_none(&annotations.join(",")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shares_of_a_node() {
        assert_eq!(share(0, 8000, Format::DecimalSi), "0 (0%)");
        assert_eq!(share(250, 8000, Format::DecimalSi), "250m (3%)");
        assert_eq!(share(1000 << 30, 32_000 << 30, Format::BinarySi), "1Gi (3%)");
    }

    #[test]
    fn only_ready_addresses_are_endpoints() {
        let endpoint = |ip: &str, ready: bool| json!({"addresses": [ip], "conditions": {"ready": ready}});
        let slice = json!({
            "ports": [{"name": "", "port": 80}, {"name": "db", "port": 5432}],
            "endpoints": [endpoint("10.0.0.1", true), endpoint("10.0.0.2", false), endpoint("10.0.0.3", true)],
        });
        assert_eq!(endpoints(std::slice::from_ref(&slice), "db"), "10.0.0.1:5432,10.0.0.3:5432");
        assert_eq!(endpoints(&[slice], "other"), "");
        assert_eq!(endpoints(&[], ""), "<none>");
    }
}
