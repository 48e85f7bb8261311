//! Pod specs, of pods and of templates.
//!
//! Follows ValidatePodSpec and what it calls in pkg/apis/core/validation/validation.go. Left out: security contexts,
//! environment, sources of volumes other than claims, host aliases, DNS settings.
use super::Errors;
use super::metadata::label_map;
use crate::api::quantity::Quantity;
use crate::api::selector::validate_label_selector;
use crate::api::text::{dns_label_errors, dns_subdomain_errors, label_key_errors, label_value_errors};
use crate::api::wire::fields::{at, int, list, object, text};
use crate::rule::mark;
use serde_json::Value;

const PORT: &str = "must be between 1 and 65535, inclusive";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// ValidatePodSpec at `path`. `claims` are names of volumes beside those of the spec.
pub(super) fn spec(errors: &mut Errors, spec: &Value, path: &str, claims: &[&str]) {
    let volumes = volumes(errors, spec, path, claims);
    if list(spec, "containers").is_empty() {
        errors.required(&format!("{path}.containers"), "");
    }
    let mut names = Vec::new();
    for field in ["containers", "initContainers"] {
        for (index, one) in list(spec, field).iter().enumerate() {
            let at = format!("{path}.{field}[{index}]");
            container(errors, one, &at, &volumes);
            lifecycle(errors, spec, one, &at, field == "initContainers");
            restart_rules(errors, one, &at);
            let name = text(one, "name");
            if names.contains(&name) && !name.is_empty() {
                errors.duplicate(&format!("{at}.name"), name);
            }
            names.push(name);
        }
    }
    errors.one_of(spec, "restartPolicy", path, &["Always", "OnFailure", "Never"]);
    errors.one_of(spec, "dnsPolicy", path, &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]);
    label_map(errors, spec, "nodeSelector", &format!("{path}.nodeSelector"));
    for field in ["hostname", "subdomain"] {
        let value = text(spec, field);
        if !value.is_empty() {
            errors.invalid_for(&format!("{path}.{field}"), value, dns_label_errors(value));
        }
    }
    for field in ["nodeName", "serviceAccountName", "priorityClassName"] {
        let value = text(spec, field);
        if !value.is_empty() {
            errors.invalid_for(&format!("{path}.{field}"), value, dns_subdomain_errors(value));
        }
    }
    if let Some(seconds) = int(spec, "activeDeadlineSeconds").filter(|seconds| *seconds < 1) {
        let at = format!("{path}.activeDeadlineSeconds");
        errors.invalid(&at, seconds, "must be between 1 and 2147483647, inclusive");
    }
    if let Some(affinity) = spec.get("affinity") {
        node_affinity(errors, affinity, &format!("{path}.affinity.nodeAffinity"));
        for kind in ["podAffinity", "podAntiAffinity"] {
            pod_affinity(errors, affinity, kind, &format!("{path}.affinity.{kind}"));
        }
    }
    for (index, one) in list(spec, "tolerations").iter().enumerate() {
        toleration(errors, one, &format!("{path}.tolerations[{index}]"));
    }
    spreads(errors, spec, &format!("{path}.topologySpreadConstraints"));
}

/// Checks the volumes; answers the names that containers may mount.
fn volumes<'a>(errors: &mut Errors, spec: &'a Value, path: &str, claims: &[&'a str]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    // Claim templates hide volumes of the same name (STS-7).
    let visible = |volume: &&Value| !claims.contains(&text(volume, "name"));
    mark!("STS-7" if list(spec, "volumes").iter().any(|volume| !visible(&volume)));
    for (index, volume) in list(spec, "volumes").iter().filter(visible).enumerate() {
        let at = format!("{path}.volumes[{}]", index + claims.len());
        let name = text(volume, "name");
        if name.is_empty() {
            errors.required(&format!("{at}.name"), "");
        } else if names.contains(&name) {
            errors.duplicate(&format!("{at}.name"), name);
        } else {
            errors.invalid_for(&format!("{at}.name"), name, dns_label_errors(name));
        }
        let mut sources = volume.as_object().into_iter().flatten().filter(|(field, _)| *field != "name");
        if let Some((second, _)) = sources.nth(1) {
            errors.forbidden(&format!("{at}.{second}"), "may not specify more than 1 volume type");
        }
        if let Some(claim) = object(volume, "persistentVolumeClaim")
            && claim.get("claimName").and_then(Value::as_str).unwrap_or_default().is_empty()
        {
            errors.required(&format!("{at}.persistentVolumeClaim.claimName"), "");
        }
        names.push(name);
    }
    for (index, claim) in claims.iter().enumerate() {
        let at = format!("{path}.volumes[{index}].name");
        if claim.is_empty() {
            errors.required(&at, "");
        } else if names.contains(claim) {
            errors.duplicate(&at, claim);
        } else {
            errors.invalid_for(&at, claim, dns_label_errors(claim));
        }
        names.push(claim);
    }
    names
}

fn container(errors: &mut Errors, container: &Value, path: &str, volumes: &[&str]) {
    let name = text(container, "name");
    if name.is_empty() {
        errors.required(&format!("{path}.name"), "");
    } else {
        errors.invalid_for(&format!("{path}.name"), name, dns_label_errors(name));
    }
    let image = text(container, "image");
    if image.is_empty() {
        errors.required(&format!("{path}.image"), "");
    } else if image.trim() != image {
        errors.invalid(&format!("{path}.image"), image, "must not have leading or trailing whitespace");
    }
    ports(errors, container, path);
    let mut paths = Vec::new();
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let at = format!("{path}.volumeMounts[{index}]");
        let name = text(mount, "name");
        if name.is_empty() {
            errors.required(&format!("{at}.name"), "");
        } else if !volumes.contains(&name) {
            errors.not_found(&format!("{at}.name"), name);
        }
        let mount_path = text(mount, "mountPath");
        if mount_path.is_empty() {
            errors.required(&format!("{at}.mountPath"), "");
        } else if paths.contains(&mount_path) {
            errors.invalid(&format!("{at}.mountPath"), mount_path, "must be unique");
        }
        paths.push(mount_path);
    }
    errors.one_of(container, "imagePullPolicy", path, &["Always", "IfNotPresent", "Never"]);
    resources(errors, container, &format!("{path}.resources"));
}

fn ports(errors: &mut Errors, container: &Value, path: &str) {
    let mut names = Vec::new();
    for (index, port) in list(container, "ports").iter().enumerate() {
        let at = format!("{path}.ports[{index}]");
        let name = text(port, "name");
        if !name.is_empty() {
            errors.invalid_for(&format!("{at}.name"), name, port_name_errors(name));
            if names.contains(&name) {
                errors.duplicate(&format!("{at}.name"), name);
            }
            names.push(name);
        }
        match int(port, "containerPort").unwrap_or(0) {
            0 => errors.required(&format!("{at}.containerPort"), ""),
            1..=65_535 => {}
            number => errors.invalid(&format!("{at}.containerPort"), number, PORT),
        }
        if let Some(number) = int(port, "hostPort").filter(|number| !(0..=65_535).contains(number)) {
            errors.invalid(&format!("{at}.hostPort"), number, PORT);
        }
        errors.one_of(port, "protocol", &at, &["SCTP", "TCP", "UDP"]);
    }
}

/// IsValidPortName.
pub(super) fn port_name_errors(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > 15 {
        errors.push("must be no more than 15 characters".to_owned());
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// Hooks and probes: init containers that are no sidecars have none.
fn lifecycle(errors: &mut Errors, spec: &Value, container: &Value, path: &str, init: bool) {
    let plain = init && text(container, "restartPolicy") != "Always";
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(one) = container.get(field) else { continue };
        let at = format!("{path}.{field}");
        if plain {
            errors.forbidden(&at, "may not be set for init containers without restartPolicy=Always");
        } else if field == "lifecycle" {
            for name in ["postStart", "preStop"] {
                if let Some(hook) = one.get(name) {
                    let grace = int(spec, "terminationGracePeriodSeconds").unwrap_or(30);
                    handler(errors, hook, grace, &format!("{at}.{name}"));
                }
            }
        } else {
            probe(errors, one, &at, field != "readinessProbe");
        }
    }
}

fn handler(errors: &mut Errors, hook: &Value, grace: i64, path: &str) {
    let given: Vec<&str> = ["exec", "httpGet", "tcpSocket", "sleep"]
        .into_iter()
        .filter(|kind| hook.get(kind).is_some())
        .collect();
    match given.as_slice() {
        [] => errors.required(path, "must specify a handler type"),
        [_, more @ ..] => {
            for kind in more {
                errors.forbidden(&format!("{path}.{kind}"), "may not specify more than 1 handler type");
            }
        }
    }
    if let Some(seconds) = at(hook, &["sleep"]).map(|sleep| int(sleep, "seconds").unwrap_or(0))
        && !(0..=grace).contains(&seconds)
    {
        let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.invalid(&format!("{path}.sleep"), seconds, &why);
    }
}

/// A container's own restart policy (POD-26).
fn restart_rules(errors: &mut Errors, container: &Value, path: &str) {
    let policy = text(container, "restartPolicy");
    let rules = list(container, "restartPolicyRules");
    if !policy.is_empty() {
        errors.one_of(container, "restartPolicy", path, &["Always", "Never", "OnFailure"]);
    } else if !rules.is_empty() {
        let at = format!("{path}.restartPolicy");
        errors.required(&at, "must specify restartPolicy when restart rules are used");
    }
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("{path}.restartPolicyRules[{index}]");
        match text(rule, "action") {
            "Restart" | "RestartAllContainers" => {}
            other => errors.unsupported(&format!("{at}.action"), other, &["Restart", "RestartAllContainers"]),
        }
        match rule.get("exitCodes") {
            None => errors.required(&format!("{at}.exitCodes"), "must be specified"),
            Some(codes) => match text(codes, "operator") {
                "In" | "NotIn" => {}
                other => errors.unsupported(&format!("{at}.exitCodes.operator"), other, &["In", "NotIn"]),
            },
        }
    }
}

fn probe(errors: &mut Errors, probe: &Value, path: &str, once: bool) {
    if !["exec", "httpGet", "tcpSocket", "grpc"].iter().any(|handler| probe.get(handler).is_some()) {
        errors.required(path, "must specify a handler type");
    }
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        errors.nonnegative(probe, field, path);
    }
    if let Some(count) = int(probe, "successThreshold").filter(|count| once && *count != 1) {
        errors.invalid(&format!("{path}.successThreshold"), count, "must be 1");
    }
    match int(probe, "terminationGracePeriodSeconds") {
        Some(seconds) if !once => {
            let at = format!("{path}.terminationGracePeriodSeconds");
            errors.invalid(&at, seconds, "must not be set for readinessProbes");
        }
        Some(seconds) if seconds <= 0 => {
            errors.invalid(
                &format!("{path}.terminationGracePeriodSeconds"),
                seconds,
                "must be greater than 0",
            );
        }
        _ => {}
    }
}

/// Amounts are not negative, and no request is above its limit.
fn resources(errors: &mut Errors, container: &Value, path: &str) {
    let of = |field| at(container, &["resources", field]).and_then(Value::as_object).into_iter().flatten();
    let amount = |value: &Value| Quantity::from_json(value).ok();
    for field in ["limits", "requests"] {
        for (name, value) in of(field).filter(|(_, value)| amount(value).is_some_and(|q| q < Quantity::ZERO))
        {
            errors.invalid(&format!("{path}.{field}[{name}]"), value.clone(), NOT_NEGATIVE);
        }
    }
    for (name, request) in of("requests") {
        let Some((_, limit)) = of("limits").find(|(limited, _)| *limited == name) else { continue };
        if let (Some(asked), Some(most)) = (amount(request), amount(limit))
            && asked > most
        {
            let detail = format!("must be less than or equal to {name} limit of {most}");
            errors.invalid(&format!("{path}.requests"), request.clone(), &detail);
        }
    }
}

fn toleration(errors: &mut Errors, toleration: &Value, path: &str) {
    let key = text(toleration, "key");
    let operator = text(toleration, "operator");
    if !key.is_empty() {
        errors.invalid_for(&format!("{path}.key"), key, label_key_errors(key));
    } else if operator != "Exists" {
        errors.invalid(
            &format!("{path}.operator"),
            operator,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if toleration.get("tolerationSeconds").is_some() && text(toleration, "effect") != "NoExecute" {
        errors.invalid(
            &format!("{path}.effect"),
            text(toleration, "effect"),
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    match operator {
        "" | "Equal" => {
            let value = text(toleration, "value");
            errors.invalid_for(&format!("{path}.operator"), value, label_value_errors(value));
        }
        "Exists" if !text(toleration, "value").is_empty() => errors.invalid(
            &format!("{path}.operator"),
            text(toleration, "value"),
            "value must be empty when `operator` is 'Exists'",
        ),
        "Exists" => {}
        other => errors.unsupported(&format!("{path}.operator"), other, &["Equal", "Exists"]),
    }
    effect(errors, toleration, path, true);
}

/// The effect of a toleration, or of a taint, which has to have one.
pub(super) fn effect(errors: &mut Errors, parent: &Value, path: &str, optional: bool) {
    match text(parent, "effect") {
        "" if optional => {}
        "" => errors.required(&format!("{path}.effect"), ""),
        _ => errors.one_of(parent, "effect", path, &["NoExecute", "NoSchedule", "PreferNoSchedule"]),
    }
}

fn node_affinity(errors: &mut Errors, affinity: &Value, path: &str) {
    let required = at(affinity, &["nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
    if let Some(required) = required {
        let path = format!("{path}.requiredDuringSchedulingIgnoredDuringExecution");
        node_selector(errors, required, &path);
    }
    let preferred = at(affinity, &["nodeAffinity"])
        .map_or(&[][..], |affinity| list(affinity, "preferredDuringSchedulingIgnoredDuringExecution"));
    for (index, one) in preferred.iter().enumerate() {
        let path = format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}]");
        weight(errors, one, &path);
        if let Some(term) = one.get("preference") {
            node_term(errors, term, &format!("{path}.preference"));
        }
    }
}

/// ValidateNodeSelector.
pub(super) fn node_selector(errors: &mut Errors, selector: &Value, path: &str) {
    if list(selector, "nodeSelectorTerms").is_empty() {
        errors.required(&format!("{path}.nodeSelectorTerms"), "must have at least one node selector term");
    }
    for (index, term) in list(selector, "nodeSelectorTerms").iter().enumerate() {
        node_term(errors, term, &format!("{path}.nodeSelectorTerms[{index}]"));
    }
}

fn node_term(errors: &mut Errors, term: &Value, path: &str) {
    for (index, one) in list(term, "matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = list(one, "values");
        match text(one, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                errors.required(
                    &format!("{path}.values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                );
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                errors.forbidden(
                    &format!("{path}.values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "Gt" | "Lt" if values.len() != 1 => {
                errors.required(
                    &format!("{path}.values"),
                    "must be specified single value when `operator` is 'Lt' or 'Gt'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => errors.invalid(&format!("{path}.operator"), other, "not a valid selector operator"),
        }
        errors.invalid_for(&format!("{path}.key"), text(one, "key"), label_key_errors(text(one, "key")));
    }
}

fn weight(errors: &mut Errors, preferred: &Value, path: &str) {
    let weight = int(preferred, "weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        errors.invalid(&format!("{path}.weight"), weight, "must be in the range 1-100");
    }
}

fn pod_affinity(errors: &mut Errors, affinity: &Value, kind: &str, path: &str) {
    let Some(affinity) = affinity.get(kind) else { return };
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    for (index, term) in list(affinity, required).iter().enumerate() {
        pod_term(errors, term, &format!("{path}.{required}[{index}]"));
    }
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (index, one) in list(affinity, preferred).iter().enumerate() {
        let path = format!("{path}.{preferred}[{index}]");
        weight(errors, one, &path);
        if let Some(term) = one.get("podAffinityTerm") {
            pod_term(errors, term, &format!("{path}.podAffinityTerm"));
        }
    }
}

fn pod_term(errors: &mut Errors, term: &Value, path: &str) {
    if let Some(selector) = term.get("labelSelector") {
        errors.0.extend(validate_label_selector(selector, &format!("{path}.labelSelector")));
    }
    topology_key(errors, term, path);
}

fn topology_key(errors: &mut Errors, parent: &Value, path: &str) {
    let key = text(parent, "topologyKey");
    if key.is_empty() {
        errors.required(&format!("{path}.topologyKey"), "can not be empty");
    } else {
        errors.invalid_for(&format!("{path}.topologyKey"), key, label_key_errors(key));
    }
}

fn spreads(errors: &mut Errors, spec: &Value, path: &str) {
    let mut known = Vec::new();
    for (index, one) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(skew) = int(one, "maxSkew").filter(|skew| *skew <= 0) {
            errors.invalid(&format!("{path}.maxSkew"), skew, "must be greater than zero");
        }
        topology_key(errors, one, &path);
        errors.one_of(one, "whenUnsatisfiable", &path, &["DoNotSchedule", "ScheduleAnyway"]);
        let pair = (text(one, "topologyKey"), text(one, "whenUnsatisfiable"));
        if known.contains(&pair) {
            let both = format!("{{{}, {}}}", pair.0, pair.1);
            errors.duplicate(&format!("{path}.{{topologyKey, whenUnsatisfiable}}"), &both);
        }
        known.push(pair);
        if let Some(domains) = int(one, "minDomains").filter(|domains| *domains <= 0) {
            errors.invalid(&format!("{path}.minDomains"), domains, "must be greater than 0");
        }
        if let Some(selector) = one.get("labelSelector") {
            errors.0.extend(validate_label_selector(selector, &format!("{path}.labelSelector")));
        }
    }
}
