//! Services, EndpointSlices and Endpoints.
use super::{Time, age, c, list, name, or_none, text, text_at, w};
use crate::api::wire::fields::{at, int, pairs, texts};
use crate::kubectl::table::Column;
use serde_json::Value;

pub(super) const SERVICE_COLUMNS: &[Column] =
    &[c("Name"), c("Type"), c("Cluster-IP"), c("External-IP"), c("Port(s)"), c("Age"), w("Selector")];
pub(super) const SLICE_COLUMNS: &[Column] =
    &[c("Name"), c("AddressType"), c("Ports"), c("Endpoints"), c("Age")];
pub(super) const ENDPOINTS_COLUMNS: &[Column] = &[c("Name"), c("Endpoints"), c("Age")];

/// How many addresses or ports are shown.
const SHOWN: usize = 3;

/// The first few of a list, and how many more there are.
pub(in crate::kubectl) fn shortened(all: &[String], none: &str) -> String {
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(",");
    match all.len().saturating_sub(SHOWN) {
        _ if all.is_empty() => none.to_owned(),
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

pub(super) fn service_row(service: &Value, now: Time) -> Vec<String> {
    let empty = Value::Null;
    let spec = service.get("spec").unwrap_or(&empty);
    let kind = text(spec, "type");
    let external = match kind {
        "ExternalName" => text(spec, "externalName").to_owned(),
        _ => {
            let given: Vec<&str> = texts(spec, "externalIPs").collect();
            match (kind, given.is_empty()) {
                (_, false) => given.join(","),
                ("LoadBalancer", true) => "<pending>".to_owned(),
                _ => "<none>".to_owned(),
            }
        }
    };
    let ports: Vec<String> = list(spec, "ports")
        .iter()
        .map(|port| {
            let number = int(port, "port").unwrap_or(0);
            let protocol = text(port, "protocol");
            match int(port, "nodePort").filter(|port| *port > 0) {
                Some(node) => format!("{number}:{node}/{protocol}"),
                None => format!("{number}/{protocol}"),
            }
        })
        .collect();
    let selector: Vec<String> =
        pairs(spec, "selector").map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        name(service),
        kind.to_owned(),
        or_none(text(spec, "clusterIP")),
        external,
        or_none(&ports.join(",")),
        age(service, now),
        or_none(&selector.join(",")),
    ]
}

pub(super) fn slice_row(slice: &Value, now: Time) -> Vec<String> {
    let port = |port: &Value| match (int(port, "port"), text(port, "name")) {
        (Some(number), _) => number.to_string(),
        (None, "") => "*".to_owned(),
        (None, name) => name.to_owned(),
    };
    let ports: Vec<String> = list(slice, "ports").iter().map(port).collect();
    let endpoints: Vec<String> = list(slice, "endpoints")
        .iter()
        .flat_map(|endpoint| texts(endpoint, "addresses").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    vec![
        name(slice),
        text(slice, "addressType").to_owned(),
        shortened(&ports, "<unset>"),
        shortened(&endpoints, "<unset>"),
        age(slice, now),
    ]
}

pub(super) fn endpoints_row(endpoints: &Value, now: Time) -> Vec<String> {
    let mut all = Vec::new();
    for subset in list(endpoints, "subsets") {
        let addresses = list(subset, "addresses").iter().map(|address| text(address, "ip"));
        let addresses: Vec<&str> = addresses.collect();
        if list(subset, "ports").is_empty() {
            all.extend(addresses.iter().map(|ip| (*ip).to_owned()));
        }
        for port in list(subset, "ports") {
            let number = at(port, &["port"]).and_then(Value::as_i64).unwrap_or(0);
            all.extend(addresses.iter().map(|ip| format!("{ip}:{number}")));
        }
    }
    vec![text_at(endpoints, &["metadata", "name"]).to_owned(), shortened(&all, "<none>"), age(endpoints, now)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::resource::ResourceKind;
    use crate::kubectl::tables::tests::printed;
    use serde_json::json;

    #[test]
    fn tables() {
        let metadata = json!({"name": "web", "creationTimestamp": "2026-01-01T00:00:03Z"});
        let service = json!({
            "metadata": metadata,
            "spec": {
                "type": "NodePort", "clusterIP": "None", "selector": {"app": "web"},
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 443, "nodePort": 30001, "protocol": "TCP"}],
            },
        });
        assert_eq!(
            printed(ResourceKind::Service, &[service]),
            "\
NAME   TYPE       CLUSTER-IP   EXTERNAL-IP   PORT(S)                AGE   SELECTOR
web    NodePort   None         <none>        80/TCP,443:30001/TCP   7s    app=web
"
        );
        let endpoint = |n: u8| json!({"addresses": [format!("10.64.0.{n}")]});
        let slice = |count: u8| {
            let endpoints: Vec<Value> = (1..=count).map(endpoint).collect();
            json!({
                "metadata": metadata, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": endpoints,
            })
        };
        assert_eq!(
            printed(ResourceKind::EndpointSlice, &[slice(2), slice(5), slice(0)]),
            "\
NAME   ADDRESSTYPE   PORTS   ENDPOINTS                                   AGE
web    IPv4          80      10.64.0.1,10.64.0.2                         7s
web    IPv4          80      10.64.0.1,10.64.0.2,10.64.0.3 + 2 more...   7s
web    IPv4          80      <unset>                                     7s
"
        );
    }
}
