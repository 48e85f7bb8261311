//! Services and PodDisruptionBudgets (PDB-1).
//!
//! Follows ValidateService of pkg/apis/core/validation/validation.go, pkg/registry/core/service/ipallocator for the
//! range, and pkg/apis/policy/validation/validation.go.
use super::metadata::label_map;
use super::{Errors, go_json};
use crate::api::objects::Ip;
use crate::api::selector::validate_label_selector;
use crate::api::text::{dns_label_errors, dns_subdomain_errors};
use crate::api::wire::fields::{int, list, text};
use serde_json::{Value, json};

const PORT: &str = "must be between 1 and 65535, inclusive";
/// 10.96.0.0/12.
const RANGE: (u32, u32) = (u32::from_be_bytes([10, 96, 0, 0]), 0xfff0_0000);

fn spec_of(object: &Value) -> &Value {
    object.get("spec").unwrap_or(&Value::Null)
}

/// ValidateService.
pub(super) fn service(errors: &mut Errors, service: &Value) {
    let spec = spec_of(service);
    let kind = text(spec, "type");
    let address = text(spec, "clusterIP");
    let ports = list(spec, "ports");
    if kind != "ExternalName" && address != "None" && ports.is_empty() {
        errors.required("spec.ports", "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if address == "None" => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.invalid("spec.clusterIPs[0]", "None", &detail);
        }
        "ExternalName" => {
            if !address.is_empty() {
                errors.forbidden("spec.clusterIP", "may not be set when `type` is 'ExternalName'");
            }
            let name = text(spec, "externalName").trim_end_matches('.');
            if name.is_empty() {
                errors.required("spec.externalName", "");
            } else {
                errors.invalid_for("spec.externalName", name, dns_subdomain_errors(name));
            }
        }
        _ => {}
    }
    for (index, port) in ports.iter().enumerate() {
        service_port(errors, port, &format!("spec.ports[{index}]"), ports.len() > 1);
        let earlier = ports.iter().take(index);
        let same = |field: &str| earlier.clone().any(|known| known.get(field) == port.get(field));
        if !text(port, "name").is_empty() && same("name") {
            errors.duplicate(&format!("spec.ports[{index}].name"), text(port, "name"));
        }
        if earlier.clone().any(|known| known["port"] == port["port"] && known["protocol"] == port["protocol"])
        {
            let both = format!("{{\"Port\":{},\"Protocol\":{}}}", port["port"], port["protocol"]);
            errors.0.push(format!("spec.ports[{index}]: Duplicate value: {both}"));
        }
    }
    label_map(errors, spec, "selector", "spec.selector");
    errors.one_of(spec, "sessionAffinity", "spec", &["ClientIP", "None"]);
    errors.one_of(spec, "type", "spec", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    cluster_ip(errors, address);
}

fn cluster_ip(errors: &mut Errors, address: &str) {
    if matches!(address, "" | "None") {
        return;
    }
    match Ip::parse(address) {
        None => errors.invalid(
            "spec.clusterIPs[0]",
            address,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        Some(ip) if ip.0 & RANGE.1 != RANGE.0 => errors.invalid(
            "spec.clusterIPs",
            json!([address]),
            &format!(
                "failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. The range of \
                 valid IPs is 10.96.0.0/12"
            ),
        ),
        Some(_) => {}
    }
}

fn service_port(errors: &mut Errors, port: &Value, path: &str, named: bool) {
    let name = text(port, "name");
    if name.is_empty() {
        if named {
            errors.required(&format!("{path}.name"), "");
        }
    } else {
        errors.invalid_for(&format!("{path}.name"), name, dns_label_errors(name));
    }
    let number = int(port, "port").unwrap_or(0);
    if !(1..=65_535).contains(&number) {
        errors.invalid(&format!("{path}.port"), number, PORT);
    }
    errors.one_of(port, "protocol", path, &["SCTP", "TCP", "UDP"]);
    match port.get("targetPort") {
        Some(Value::Number(target)) if target.as_i64().is_none_or(|n| !(1..=65_535).contains(&n)) => {
            errors.invalid(&format!("{path}.targetPort"), target.as_i64(), PORT);
        }
        Some(Value::String(target)) => {
            errors.invalid_for(&format!("{path}.targetPort"), target, super::pod::port_name_errors(target));
        }
        _ => {}
    }
}

/// A service that has an address keeps it.
pub(super) fn service_update(errors: &mut Errors, old: &Value, new: &Value) {
    let (before, after) = (spec_of(old), spec_of(new));
    let (was, is) = (text(before, "clusterIP"), text(after, "clusterIP"));
    let external = text(before, "type") == "ExternalName" || text(after, "type") == "ExternalName";
    if !external && !was.is_empty() && was != is {
        errors.invalid("spec.clusterIPs[0]", json!([is]), "may not change once set");
    }
}

/// ValidatePodDisruptionBudgetSpec.
pub(super) fn budget(errors: &mut Errors, budget: &Value) {
    let spec = spec_of(budget);
    let part = |field| spec.get(field).map_or_else(|| "null".to_owned(), go_json);
    if spec.get("minAvailable").is_some() && spec.get("maxUnavailable").is_some() {
        errors.0.push(format!(
            "spec: Invalid value: {{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\
             \"UnhealthyPodEvictionPolicy\":{}}}: minAvailable and maxUnavailable cannot be both set",
            part("minAvailable"),
            part("selector"),
            part("maxUnavailable"),
            part("unhealthyPodEvictionPolicy")
        ));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        errors.int_or_percent(spec, field, "spec");
        errors.at_most_100_percent(spec, field, "spec");
    }
    if let Some(selector) = spec.get("selector") {
        errors.0.extend(validate_label_selector(selector, "spec.selector"));
    }
    if spec.get("unhealthyPodEvictionPolicy").is_some() {
        errors.one_of(spec, "unhealthyPodEvictionPolicy", "spec", &["AlwaysAllow", "IfHealthyBudget"]);
    }
}
