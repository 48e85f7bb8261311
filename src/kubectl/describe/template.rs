//! Containers, volumes and tolerations, of pods and of pod templates.
use super::{Doc, part, rfc1123};
use crate::api::selector::Selector;
use crate::api::wire::fields::{at, count, flag, int, list, object, pairs, text, text_at, texts};
use crate::kubectl::tables::or_none;
use serde_json::Value;

/// `DescribePodTemplate`.
pub(super) fn describe(doc: &mut Doc, template: &Value) {
    let (metadata, spec) = (part(template, "metadata"), part(template, "spec"));
    doc.line(0, "Pod Template:");
    doc.labels("", "  Labels", metadata, "labels");
    if object(metadata, "annotations").is_some_and(|annotations| !annotations.is_empty()) {
        doc.annotations("  Annotations", metadata);
    }
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        doc.field(1, "Service Account", account);
    }
    for (title, field) in [("Init Containers", "initContainers"), ("Containers", "containers")] {
        if field == "containers" || !list(spec, field).is_empty() {
            containers(doc, title, list(spec, field), &[], "  ");
        }
    }
    volumes(doc, list(spec, "volumes"), "  ");
    spread_constraints(doc, spec, "  ");
    let class = text(spec, "priorityClassName");
    if !class.is_empty() {
        doc.field(1, "Priority Class Name", class);
    }
    doc.labels("", "  Node-Selectors", spec, "nodeSelector");
    tolerations(doc, "  Tolerations", spec);
}

/// `describeContainers`; `space` is set in templates, which indent a little more.
pub(super) fn containers(doc: &mut Doc, title: &str, all: &[Value], statuses: &[Value], space: &str) {
    let none = if all.is_empty() { " <none>" } else { "" };
    doc.line(0, format!("{space}{title}:{none}"));
    let indent = if space.is_empty() { "" } else { " " };
    for container in all {
        let name = text(container, "name");
        let status = statuses.iter().find(|status| text(status, "name") == name);
        doc.line(1, format!("{indent}{name}:"));
        basics(doc, container, status);
        for (title, field) in [("Command", "command"), ("Args", "args")] {
            let words: Vec<&str> = texts(container, field).flat_map(|word| word.split('\n')).collect();
            if !words.is_empty() {
                doc.line(2, format!("{title}:"));
                words.iter().for_each(|word| doc.line(3, word));
            }
        }
        if let Some(status) = status {
            state(doc, "State", part(status, "state"));
            if at(status, &["lastState", "terminated"]).is_some() {
                state(doc, "Last State", part(status, "lastState"));
            }
            doc.field(2, "Ready", if flag(status, "ready") { "True" } else { "False" });
            doc.field(2, "Restart Count", count(status, "restartCount"));
        }
        for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
            let amounts: Vec<_> = pairs(part(container, "resources"), field).collect();
            if !amounts.is_empty() {
                doc.line(2, format!("{title}:"));
                amounts.iter().for_each(|(name, amount)| doc.field(3, name, amount));
            }
        }
        for (title, field) in
            [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")]
        {
            if let Some(found) = at(container, &[field]) {
                doc.field(2, title, probe(found));
            }
        }
        environment(doc, container);
        mounts(doc, container);
    }
}

fn basics(doc: &mut Doc, container: &Value, status: Option<&Value>) {
    if let Some(status) = status {
        doc.field(2, "Container ID", text(status, "containerID"));
    }
    doc.field(2, "Image", text(container, "image"));
    if let Some(status) = status {
        doc.field(2, "Image ID", text(status, "imageID"));
    }
    for (title, field) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let port = |port: &Value| {
            let protocol = match text(port, "protocol") {
                "" => "TCP",
                protocol => protocol,
            };
            let number = int(port, field).unwrap_or(0);
            match text(port, "name") {
                "" => format!("{number}/{protocol}"),
                name => format!("{number}/{protocol} ({name})"),
            }
        };
        let ports: Vec<String> = list(container, "ports").iter().map(port).collect();
        let plural = if ports.len() > 1 { "s" } else { "" };
        doc.field(2, &format!("{title}{plural}"), or_none(&ports.join(", ")));
    }
}

/// `describeStatus`.
fn state(doc: &mut Doc, title: &str, state: &Value) {
    let reason = |doc: &mut Doc, of: &Value| {
        if !text(of, "reason").is_empty() {
            doc.field(3, "Reason", text(of, "reason"));
        }
    };
    if let Some(running) = at(state, &["running"]) {
        doc.field(2, title, "Running");
        doc.field(3, "Started", rfc1123(text(running, "startedAt")));
    } else if let Some(terminated) = at(state, &["terminated"]) {
        doc.field(2, title, "Terminated");
        reason(doc, terminated);
        if !text(terminated, "message").is_empty() {
            doc.field(3, "Message", text(terminated, "message"));
        }
        doc.field(3, "Exit Code", int(terminated, "exitCode").unwrap_or(0));
        if let Some(signal) = int(terminated, "signal").filter(|signal| *signal > 0) {
            doc.field(3, "Signal", signal);
        }
        doc.field(3, "Started", rfc1123(text(terminated, "startedAt")));
        doc.field(3, "Finished", rfc1123(text(terminated, "finishedAt")));
    } else {
        doc.field(2, title, "Waiting");
        reason(doc, part(state, "waiting"));
    }
}

/// `DescribeProbe`.
fn probe(probe: &Value) -> String {
    let number = |field: &str, default: i64| int(probe, field).unwrap_or(default);
    let attributes = format!(
        "delay={}s timeout={}s period={}s successThreshold={} failureThreshold={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    );
    let port = |of: &Value| match of.get("port") {
        Some(Value::String(name)) => name.clone(),
        Some(number) => number.to_string(),
        None => String::new(),
    };
    if let Some(exec) = at(probe, &["exec"]) {
        return format!("exec [{}] {attributes}", texts(exec, "command").collect::<Vec<_>>().join(" "));
    }
    if let Some(get) = at(probe, &["httpGet"]) {
        let scheme = match text(get, "scheme") {
            "" => "http".to_owned(),
            scheme => scheme.to_lowercase(),
        };
        return format!(
            "http-get {scheme}://{}:{}{} {attributes}",
            text(get, "host"),
            port(get),
            text(get, "path")
        );
    }
    if let Some(socket) = at(probe, &["tcpSocket"]) {
        return format!("tcp-socket {}:{} {attributes}", text(socket, "host"), port(socket));
    }
    if let Some(grpc) = at(probe, &["grpc"]) {
        return format!("grpc <pod>:{} {} {attributes}", port(grpc), text(grpc, "service"));
    }
    format!("unknown {attributes}")
}

fn environment(doc: &mut Doc, container: &Value) {
    let from = list(container, "envFrom");
    if !from.is_empty() {
        doc.line(2, "Environment Variables from:");
    }
    for source in from {
        let (kind, reference) = match (at(source, &["configMapRef"]), at(source, &["secretRef"])) {
            (Some(map), _) => ("ConfigMap", map),
            (None, Some(secret)) => ("Secret", secret),
            (None, None) => continue,
        };
        let prefix = match text(source, "prefix") {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let optional = flag(reference, "optional");
        doc.line(3, format!("{}\t{kind}{prefix}\tOptional: {optional}", text(reference, "name")));
    }
    let variables = list(container, "env");
    doc.line(2, if variables.is_empty() { "Environment:\t<none>" } else { "Environment:" });
    for variable in variables {
        let name = text(variable, "name");
        let value_from = part(variable, "valueFrom");
        let key = |of: &Value, between: &str| {
            let optional = flag(of, "optional");
            let (key, source) = (text(of, "key"), text(of, "name"));
            format!("<set to the key '{key}' {between} '{source}'>\tOptional: {optional}")
        };
        let value = if let Some(field) = at(value_from, &["fieldRef"]) {
            let version = match text(field, "apiVersion") {
                "" => "v1",
                version => version,
            };
            format!(" ({version}:{})", text(field, "fieldPath"))
        } else if let Some(resource) = at(value_from, &["resourceFieldRef"]) {
            format!(" ({})", text(resource, "resource"))
        } else if let Some(secret) = at(value_from, &["secretKeyRef"]) {
            key(secret, "in secret")
        } else if let Some(map) = at(value_from, &["configMapKeyRef"]) {
            key(map, "of config map")
        } else {
            let mut lines = text(variable, "value").split('\n');
            doc.field(3, name, lines.next().unwrap_or_default());
            lines.for_each(|line| doc.line(3, format!("\t{line}")));
            continue;
        };
        doc.field(3, name, value);
    }
}

fn mounts(doc: &mut Doc, container: &Value) {
    let mut mounts: Vec<&Value> = list(container, "volumeMounts").iter().collect();
    mounts.sort_by(|a, b| text(a, "mountPath").cmp(text(b, "mountPath")));
    doc.line(2, if mounts.is_empty() { "Mounts:\t<none>" } else { "Mounts:" });
    for mount in mounts {
        let mode = if flag(mount, "readOnly") { "ro" } else { "rw" };
        let path = match text(mount, "subPath") {
            "" => String::new(),
            path => format!(",path={path:?}"),
        };
        doc.line(3, format!("{} from {} ({mode}{path})", text(mount, "mountPath"), text(mount, "name")));
    }
    let mut devices: Vec<&Value> = list(container, "volumeDevices").iter().collect();
    devices.sort_by(|a, b| text(a, "devicePath").cmp(text(b, "devicePath")));
    if !devices.is_empty() {
        let none = if list(container, "volumeMounts").is_empty() { "\t<none>" } else { "" };
        doc.line(2, format!("Devices:{none}"));
    }
    for device in devices {
        doc.line(3, format!("{} from {}", text(device, "devicePath"), text(device, "name")));
    }
}

/// `describeVolumes`: claims, empty directories, config maps, secrets and projections; others by their kind.
pub(super) fn volumes(doc: &mut Doc, volumes: &[Value], space: &str) {
    if volumes.is_empty() {
        doc.line(0, format!("{space}Volumes:\t<none>"));
        return;
    }
    doc.line(0, format!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        doc.line(1, format!("{indent}{}:", text(volume, "name")));
        if let Some(claim) = at(volume, &["persistentVolumeClaim"]) {
            doc.field(
                2,
                "Type",
                "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
            );
            doc.field(2, "ClaimName", text(claim, "claimName"));
            doc.field(2, "ReadOnly", flag(claim, "readOnly"));
        } else if let Some(directory) = at(volume, &["emptyDir"]) {
            doc.field(2, "Type", "EmptyDir (a temporary directory that shares a pod's lifetime)");
            doc.field(2, "Medium", text(directory, "medium"));
            let limit = text(directory, "sizeLimit");
            doc.field(2, "SizeLimit", if limit.is_empty() { "<unset>" } else { limit });
        } else if let Some(map) = at(volume, &["configMap"]) {
            doc.field(2, "Type", "ConfigMap (a volume populated by a ConfigMap)");
            doc.field(2, "Name", text(map, "name"));
            doc.field(2, "Optional", flag(map, "optional"));
        } else if let Some(secret) = at(volume, &["secret"]) {
            doc.field(2, "Type", "Secret (a volume populated by a Secret)");
            doc.field(2, "SecretName", text(secret, "secretName"));
            doc.field(2, "Optional", flag(secret, "optional"));
        } else if let Some(path) = at(volume, &["hostPath"]) {
            doc.field(2, "Type", "HostPath (bare host directory volume)");
            doc.field(2, "Path", text(path, "path"));
            doc.field(2, "HostPathType", text(path, "type"));
        } else {
            doc.line(1, "<unknown>");
        }
    }
}

/// `printPodTolerationsMultiline`: by key.
pub(super) fn tolerations(doc: &mut Doc, title: &str, spec: &Value) {
    let mut all: Vec<&Value> = list(spec, "tolerations").iter().collect();
    all.sort_by(|a, b| text(a, "key").cmp(text(b, "key")));
    let entry = |toleration: &&Value| {
        let (key, value, effect) =
            (text(toleration, "key"), text(toleration, "value"), text(toleration, "effect"));
        let mut entry = key.to_owned();
        if !value.is_empty() {
            entry.push_str(&format!("={value}"));
        }
        if !effect.is_empty() {
            entry.push_str(&format!(":{effect}"));
        }
        if text(toleration, "operator") == "Exists" && value.is_empty() {
            entry.push_str(if entry.is_empty() { "op=Exists" } else { " op=Exists" });
        }
        if let Some(seconds) = int(toleration, "tolerationSeconds") {
            entry.push_str(&format!(" for {seconds}s"));
        }
        entry
    };
    doc.entries("", title, &all.iter().map(entry).collect::<Vec<_>>());
}

/// `describeTopologySpreadConstraints`: nothing if there are none.
pub(super) fn spread_constraints(doc: &mut Doc, spec: &Value, space: &str) {
    let mut all: Vec<&Value> = list(spec, "topologySpreadConstraints").iter().collect();
    if all.is_empty() {
        return;
    }
    all.sort_by(|a, b| text(a, "topologyKey").cmp(text(b, "topologyKey")));
    let entry = |constraint: &&Value| {
        let selector = at(constraint, &["labelSelector"]);
        let selector = selector.and_then(|s| Selector::from_label_selector(s).ok());
        let selector = selector.map(|s| format!(" for selector {}", s.describe())).unwrap_or_default();
        format!(
            "{}:{} when max skew {} is exceeded{selector}",
            text(constraint, "topologyKey"),
            text_at(constraint, &["whenUnsatisfiable"]),
            int(constraint, "maxSkew").unwrap_or(0)
        )
    };
    doc.entries(space, "Topology Spread Constraints", &all.iter().map(entry).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn probes() {
        let cases = [
            (json!({"exec": {"command": ["cat", "/x"]}}), "exec [cat /x]"),
            (json!({"httpGet": {"path": "/", "port": 80}}), "http-get http://:80/"),
            (json!({"tcpSocket": {"port": "db"}}), "tcp-socket :db"),
            (json!({}), "unknown"),
        ];
        for (json, begins) in cases {
            let told = probe(&json);
            let rest = " delay=0s timeout=1s period=10s successThreshold=1 failureThreshold=3";
            assert_eq!(told, format!("{begins}{rest}"));
        }
    }

    #[test]
    fn templates_with_tabs() {
        let template = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [{
                    "name": "web", "image": "web:v2", "ports": [{"containerPort": 80}, {"containerPort": 81}],
                    "env": [{"name": "A", "value": "b"}], "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }],
                "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
            },
        });
        let mut doc = Doc::default();
        describe(&mut doc, &template);
        assert_eq!(
            doc.text,
            "\
Pod Template:
  Labels:\tapp=web
  Containers:
   web:
    Image:\tweb:v2
    Ports:\t80/TCP, 81/TCP
    Host Ports:\t0/TCP, 0/TCP
    Environment:
      A:\tb
    Mounts:
      /data from data (rw)
  Volumes:\t<none>
  Node-Selectors:\t<none>
  Tolerations:\top=Exists
\ta=b:NoSchedule
"
        );
    }
}
