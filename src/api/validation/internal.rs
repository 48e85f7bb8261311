//! A pod spec as the API server's internal Go type prints, and the difference of two of them.
//!
//! The sentence about fixed fields of a pod ends in such a difference (k8s.io/apimachinery/pkg/util/diff: indented
//! JSON, unified, three lines around). Follows pkg/apis/core/types.go. Left out: the inner fields of affinity, of
//! volume sources other than claims, of security contexts and lifecycle handlers print as given, names capitalised.
use serde_json::Value;

/// How a field prints, and how it prints when it is not there.
#[derive(Clone, Copy)]
enum Go {
    /// Text: `""`.
    Text,
    /// A number: `0`.
    Number,
    /// `false`.
    Flag,
    /// A pointer, map or list of plain values: `null`.
    Plain,
    /// A pointer or list of something not told here: `null`.
    Other,
    /// A struct.
    Struct(&'static [Field]),
    /// A pointer to a struct, or a list of structs: `null`.
    Structs(&'static [Field]),
}

/// Name in Go, name in JSON, how it prints.
type Field = (&'static str, &'static str, Go);

const SPEC: &[Field] = &[
    ("Volumes", "volumes", Go::Structs(VOLUME)),
    ("InitContainers", "initContainers", Go::Structs(CONTAINER)),
    ("Containers", "containers", Go::Structs(CONTAINER)),
    ("EphemeralContainers", "ephemeralContainers", Go::Other),
    ("RestartPolicy", "restartPolicy", Go::Text),
    ("TerminationGracePeriodSeconds", "terminationGracePeriodSeconds", Go::Plain),
    ("ActiveDeadlineSeconds", "activeDeadlineSeconds", Go::Plain),
    ("DNSPolicy", "dnsPolicy", Go::Text),
    ("NodeSelector", "nodeSelector", Go::Plain),
    ("ServiceAccountName", "serviceAccountName", Go::Text),
    ("AutomountServiceAccountToken", "automountServiceAccountToken", Go::Plain),
    ("NodeName", "nodeName", Go::Text),
    ("SecurityContext", "securityContext", Go::Structs(SECURITY)),
    ("ImagePullSecrets", "imagePullSecrets", Go::Other),
    ("Hostname", "hostname", Go::Text),
    ("Subdomain", "subdomain", Go::Text),
    ("SetHostnameAsFQDN", "setHostnameAsFQDN", Go::Plain),
    ("Affinity", "affinity", Go::Other),
    ("SchedulerName", "schedulerName", Go::Text),
    ("Tolerations", "tolerations", Go::Structs(TOLERATION)),
    ("HostAliases", "hostAliases", Go::Other),
    ("PriorityClassName", "priorityClassName", Go::Text),
    ("Priority", "priority", Go::Plain),
    ("PreemptionPolicy", "preemptionPolicy", Go::Plain),
    ("DNSConfig", "dnsConfig", Go::Other),
    ("ReadinessGates", "readinessGates", Go::Other),
    ("RuntimeClassName", "runtimeClassName", Go::Plain),
    ("Overhead", "overhead", Go::Plain),
    ("EnableServiceLinks", "enableServiceLinks", Go::Plain),
    ("TopologySpreadConstraints", "topologySpreadConstraints", Go::Structs(SPREAD)),
    ("OS", "os", Go::Other),
    ("SchedulingGates", "schedulingGates", Go::Other),
    ("ResourceClaims", "resourceClaims", Go::Other),
    ("Resources", "resources", Go::Structs(RESOURCES)),
    ("HostnameOverride", "hostnameOverride", Go::Plain),
];

const CONTAINER: &[Field] = &[
    ("Name", "name", Go::Text),
    ("Image", "image", Go::Text),
    ("Command", "command", Go::Plain),
    ("Args", "args", Go::Plain),
    ("WorkingDir", "workingDir", Go::Text),
    ("Ports", "ports", Go::Structs(PORT)),
    ("EnvFrom", "envFrom", Go::Other),
    ("Env", "env", Go::Structs(VARIABLE)),
    ("Resources", "resources", Go::Struct(RESOURCES)),
    ("ResizePolicy", "resizePolicy", Go::Other),
    ("RestartPolicy", "restartPolicy", Go::Plain),
    ("RestartPolicyRules", "restartPolicyRules", Go::Other),
    ("VolumeMounts", "volumeMounts", Go::Structs(MOUNT)),
    ("VolumeDevices", "volumeDevices", Go::Other),
    ("LivenessProbe", "livenessProbe", Go::Structs(PROBE)),
    ("ReadinessProbe", "readinessProbe", Go::Structs(PROBE)),
    ("StartupProbe", "startupProbe", Go::Structs(PROBE)),
    ("Lifecycle", "lifecycle", Go::Other),
    ("TerminationMessagePath", "terminationMessagePath", Go::Text),
    ("TerminationMessagePolicy", "terminationMessagePolicy", Go::Text),
    ("ImagePullPolicy", "imagePullPolicy", Go::Text),
    ("SecurityContext", "securityContext", Go::Other),
    ("Stdin", "stdin", Go::Flag),
    ("StdinOnce", "stdinOnce", Go::Flag),
    ("TTY", "tty", Go::Flag),
];

const PORT: &[Field] = &[
    ("Name", "name", Go::Text),
    ("HostPort", "hostPort", Go::Number),
    ("ContainerPort", "containerPort", Go::Number),
    ("Protocol", "protocol", Go::Text),
    ("HostIP", "hostIP", Go::Text),
];

const VARIABLE: &[Field] =
    &[("Name", "name", Go::Text), ("Value", "value", Go::Text), ("ValueFrom", "valueFrom", Go::Other)];

const RESOURCES: &[Field] =
    &[("Limits", "limits", Go::Plain), ("Requests", "requests", Go::Plain), ("Claims", "claims", Go::Other)];

const MOUNT: &[Field] = &[
    ("Name", "name", Go::Text),
    ("ReadOnly", "readOnly", Go::Flag),
    ("RecursiveReadOnly", "recursiveReadOnly", Go::Plain),
    ("MountPath", "mountPath", Go::Text),
    ("SubPath", "subPath", Go::Text),
    ("MountPropagation", "mountPropagation", Go::Plain),
    ("SubPathExpr", "subPathExpr", Go::Text),
];

const PROBE: &[Field] = &[
    ("Exec", "exec", Go::Other),
    ("HTTPGet", "httpGet", Go::Structs(HTTP_GET)),
    ("TCPSocket", "tcpSocket", Go::Structs(TCP_SOCKET)),
    ("GRPC", "grpc", Go::Other),
    ("InitialDelaySeconds", "initialDelaySeconds", Go::Number),
    ("TimeoutSeconds", "timeoutSeconds", Go::Number),
    ("PeriodSeconds", "periodSeconds", Go::Number),
    ("SuccessThreshold", "successThreshold", Go::Number),
    ("FailureThreshold", "failureThreshold", Go::Number),
    ("TerminationGracePeriodSeconds", "terminationGracePeriodSeconds", Go::Plain),
];

const HTTP_GET: &[Field] = &[
    ("Path", "path", Go::Text),
    ("Port", "port", Go::Number),
    ("Host", "host", Go::Text),
    ("Scheme", "scheme", Go::Text),
    ("HTTPHeaders", "httpHeaders", Go::Other),
];

const TCP_SOCKET: &[Field] = &[("Port", "port", Go::Number), ("Host", "host", Go::Text)];

const VOLUME: &[Field] = &[
    ("Name", "name", Go::Text),
    ("HostPath", "hostPath", Go::Other),
    ("EmptyDir", "emptyDir", Go::Structs(EMPTY_DIR)),
    ("GCEPersistentDisk", "gcePersistentDisk", Go::Other),
    ("AWSElasticBlockStore", "awsElasticBlockStore", Go::Other),
    ("GitRepo", "gitRepo", Go::Other),
    ("Secret", "secret", Go::Other),
    ("NFS", "nfs", Go::Other),
    ("ISCSI", "iscsi", Go::Other),
    ("Glusterfs", "glusterfs", Go::Other),
    ("PersistentVolumeClaim", "persistentVolumeClaim", Go::Structs(CLAIM)),
    ("RBD", "rbd", Go::Other),
    ("Quobyte", "quobyte", Go::Other),
    ("FlexVolume", "flexVolume", Go::Other),
    ("Cinder", "cinder", Go::Other),
    ("CephFS", "cephfs", Go::Other),
    ("Flocker", "flocker", Go::Other),
    ("DownwardAPI", "downwardAPI", Go::Other),
    ("FC", "fc", Go::Other),
    ("AzureFile", "azureFile", Go::Other),
    ("ConfigMap", "configMap", Go::Other),
    ("VsphereVolume", "vsphereVolume", Go::Other),
    ("AzureDisk", "azureDisk", Go::Other),
    ("PhotonPersistentDisk", "photonPersistentDisk", Go::Other),
    ("Projected", "projected", Go::Other),
    ("PortworxVolume", "portworxVolume", Go::Other),
    ("ScaleIO", "scaleIO", Go::Other),
    ("StorageOS", "storageos", Go::Other),
    ("CSI", "csi", Go::Other),
    ("Ephemeral", "ephemeral", Go::Other),
    ("Image", "image", Go::Other),
];

const EMPTY_DIR: &[Field] = &[("Medium", "medium", Go::Text), ("SizeLimit", "sizeLimit", Go::Plain)];
const CLAIM: &[Field] = &[("ClaimName", "claimName", Go::Text), ("ReadOnly", "readOnly", Go::Flag)];

/// The first five are fields of the spec itself in JSON.
const SECURITY: &[Field] = &[
    ("HostNetwork", "hostNetwork", Go::Flag),
    ("HostPID", "hostPID", Go::Flag),
    ("HostIPC", "hostIPC", Go::Flag),
    ("ShareProcessNamespace", "shareProcessNamespace", Go::Plain),
    ("HostUsers", "hostUsers", Go::Plain),
    ("SELinuxOptions", "seLinuxOptions", Go::Other),
    ("WindowsOptions", "windowsOptions", Go::Other),
    ("RunAsUser", "runAsUser", Go::Plain),
    ("RunAsGroup", "runAsGroup", Go::Plain),
    ("RunAsNonRoot", "runAsNonRoot", Go::Plain),
    ("SupplementalGroups", "supplementalGroups", Go::Plain),
    ("SupplementalGroupsPolicy", "supplementalGroupsPolicy", Go::Plain),
    ("FSGroup", "fsGroup", Go::Plain),
    ("FSGroupChangePolicy", "fsGroupChangePolicy", Go::Plain),
    ("Sysctls", "sysctls", Go::Other),
    ("SeccompProfile", "seccompProfile", Go::Other),
    ("AppArmorProfile", "appArmorProfile", Go::Other),
];

const TOLERATION: &[Field] = &[
    ("Key", "key", Go::Text),
    ("Operator", "operator", Go::Text),
    ("Value", "value", Go::Text),
    ("Effect", "effect", Go::Text),
    ("TolerationSeconds", "tolerationSeconds", Go::Plain),
];

const SPREAD: &[Field] = &[
    ("MaxSkew", "maxSkew", Go::Number),
    ("TopologyKey", "topologyKey", Go::Text),
    ("WhenUnsatisfiable", "whenUnsatisfiable", Go::Text),
    ("LabelSelector", "labelSelector", Go::Plain),
    ("MinDomains", "minDomains", Go::Plain),
    ("NodeAffinityPolicy", "nodeAffinityPolicy", Go::Plain),
    ("NodeTaintsPolicy", "nodeTaintsPolicy", Go::Plain),
    ("MatchLabelKeys", "matchLabelKeys", Go::Plain),
];

/// How two pod specs differ, as the server's sentence ends.
pub(super) fn pod_spec_diff(old: &Value, new: &Value) -> String {
    let [old, new] = [old, new].map(|spec| {
        let mut printed = String::new();
        print_struct(&mut printed, SPEC, &with_host_fields(spec), 0);
        printed
    });
    unified(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>())
}

/// The host fields stand in the security context of the internal type.
fn with_host_fields(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for (_, field, _) in SECURITY.iter().take(5) {
        if let Some(value) = spec.get(*field).cloned() {
            spec["securityContext"][*field] = value;
        }
    }
    spec
}

fn indent(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', depth));
}

fn print_struct(text: &mut String, fields: &[Field], value: &Value, depth: usize) {
    text.push('{');
    for (index, (name, json, go)) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        indent(text, depth + 1);
        text.push_str(&format!("\"{name}\": "));
        print_field(text, *go, value.get(*json).unwrap_or(&Value::Null), depth + 1);
    }
    indent(text, depth);
    text.push('}');
}

fn print_field(text: &mut String, go: Go, value: &Value, depth: usize) {
    match (go, value) {
        (Go::Struct(fields), value) => print_struct(text, fields, value, depth),
        (Go::Text, Value::Null) => text.push_str("\"\""),
        (Go::Number, Value::Null) => text.push('0'),
        (Go::Flag, Value::Null) => text.push_str("false"),
        (Go::Structs(fields), Value::Object(_)) => print_struct(text, fields, value, depth),
        (Go::Structs(_) | Go::Other | Go::Plain, Value::Array(items)) if !items.is_empty() => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                indent(text, depth + 1);
                match go {
                    Go::Structs(fields) => print_struct(text, fields, item, depth + 1),
                    go => print_field(text, go, item, depth + 1),
                }
            }
            indent(text, depth);
            text.push(']');
        }
        (go, Value::Object(fields)) if !fields.is_empty() => {
            text.push('{');
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                indent(text, depth + 1);
                let key = if matches!(go, Go::Other) { capitalised(key) } else { key.clone() };
                text.push_str(&format!("{}: ", Value::from(key)));
                print_field(text, go, value, depth + 1);
            }
            indent(text, depth);
            text.push('}');
        }
        (_, value) => text.push_str(&value.to_string()),
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A unified difference: what is common at both ends is left out but for three lines around each change.
fn unified(old: &[&str], new: &[&str]) -> String {
    const AROUND: usize = 3;
    let operations = operations(old, new);
    let changed: Vec<usize> = (0..operations.len()).filter(|i| operations[*i].0 != ' ').collect();
    let mut text = String::new();
    let mut next = 0;
    while let Some(&first) = changed.get(next) {
        let mut last = first;
        while let Some(&more) = changed.get(next).filter(|more| **more <= last + 2 * AROUND) {
            last = more;
            next += 1;
        }
        let from = first.saturating_sub(AROUND);
        let until = (last + AROUND + 1).min(operations.len());
        let hunk = &operations[from..until];
        let before = |mark| operations[..from].iter().filter(|(m, _)| *m != mark).count() + 1;
        let within = |mark| hunk.iter().filter(|(m, _)| *m != mark).count();
        text.push_str(&format!("@@ -{},{} +{},{} @@\n", before('+'), within('+'), before('-'), within('-')));
        for (mark, line) in hunk {
            text.push(*mark);
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The lines of both with `-`, `+` or a blank in front, by the longest common subsequence.
fn operations<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut operations = Vec::with_capacity(old.len().max(new.len()));
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            operations.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j >= new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            operations.push(('-', old[i]));
            i += 1;
        } else {
            operations.push(('+', new[j]));
            j += 1;
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The recorded sentences of api-pod-immutable, and of errors with its claim and mount.
    #[test]
    fn differences_as_recorded() {
        let recorded = |line: u32| {
            format!(
                "@@ -{line},7 +{line},7 @@\n  \"NodeSelector\": null,\n  \"ServiceAccountName\": \"\",\n  \
                 \"AutomountServiceAccountToken\": null,\n- \"NodeName\": \"node-a\",\n+ \"NodeName\": \"x\",\n  \
                 \"SecurityContext\": {{\n   \"HostNetwork\": false,\n   \"HostPID\": false,\n"
            )
        };
        let mut pod = json!({
            "spec": {"nodeName": "node-a", "containers": [{"name": "web", "image": "web:v1"}]},
        });
        crate::api::template_defaults::default_pod(&mut pod);
        let diff = |pod: &Value| {
            let mut changed = pod["spec"].clone();
            changed["nodeName"] = json!("x");
            pod_spec_diff(&pod["spec"], &changed)
        };
        assert_eq!(diff(&pod), recorded(42));
        pod["spec"]["volumes"] =
            json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        assert_eq!(diff(&pod), recorded(89));
    }

    #[test]
    fn distant_changes_make_hunks_of_their_own() {
        let old: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        let mut new = old.clone();
        new[3] = "x".into();
        new.remove(20);
        let [old, new] = [&old, &new].map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
        let text = unified(&old, &new);
        assert_eq!(
            text,
            "@@ -1,7 +1,7 @@\n 0\n 1\n 2\n-3\n+x\n 4\n 5\n 6\n@@ -18,7 +18,6 @@\n 17\n 18\n 19\n-20\n 21\n 22\n 23\n"
        );
    }
}
