//! Pods (`printPod`).
use super::{Time, age, c, list, name, or_none, since, text, text_at, w};
use crate::api::wire::fields::{at, count, flag, int};
use crate::kubectl::table::Column;
use serde_json::Value;

pub(super) const COLUMNS: &[Column] = &[
    c("Name"),
    c("Ready"),
    c("Status"),
    c("Restarts"),
    c("Age"),
    w("IP"),
    w("Node"),
    w("Nominated Node"),
    w("Readiness Gates"),
];

pub(super) fn row(pod: &Value, now: Time) -> Vec<String> {
    let empty = Value::Null;
    let spec = pod.get("spec").unwrap_or(&empty);
    let status = pod.get("status").unwrap_or(&empty);
    let inits = list(spec, "initContainers");
    let sidecars: Vec<&str> =
        inits.iter().filter(|c| text(c, "restartPolicy") == "Always").map(|c| text(c, "name")).collect();
    let seen = look(status, inits.len(), &sidecars);
    let total = list(spec, "containers").len() + sidecars.len();
    vec![
        name(pod),
        format!("{}/{total}", seen.ready),
        shown_status(pod, &seen),
        restarts(&seen, now),
        age(pod, now),
        or_none(text(status, "podIP")),
        or_none(text(spec, "nodeName")),
        or_none(text(status, "nominatedNodeName")),
        readiness_gates(spec, status),
    ]
}

/// What the statuses of the containers say together.
#[derive(Default)]
struct Seen<'p> {
    ready: usize,
    restarts: u32,
    /// Why a container does not run, the first one that has a reason; while init containers run, how far they are.
    reason: String,
    running: bool,
    last_restart: &'p str,
}

impl<'p> Seen<'p> {
    fn restarted(&mut self, container: &'p Value) {
        self.restarts = self.restarts.saturating_add(count(container, "restartCount"));
        // Timestamps of the same form compare as texts.
        let ended = text_at(container, &["lastState", "terminated", "finishedAt"]);
        self.last_restart = self.last_restart.max(ended);
    }
}

fn look<'p>(status: &'p Value, inits: usize, sidecars: &[&str]) -> Seen<'p> {
    // Those of the init containers count until the pod is initialized; those of sidecars always.
    let (mut seen, mut of_sidecars) = (Seen::default(), Seen::default());
    let mut initializing = false;
    for (index, container) in list(status, "initContainerStatuses").iter().enumerate() {
        let is_sidecar = sidecars.contains(&text(container, "name"));
        seen.restarted(container);
        if is_sidecar {
            of_sidecars.restarted(container);
        }
        let ended = at(container, &["state", "terminated"]);
        if ended.is_some_and(|ended| int(ended, "exitCode") == Some(0)) {
            continue;
        }
        if is_sidecar && flag(container, "started") {
            let ready = usize::from(flag(container, "ready"));
            seen.ready += ready;
            of_sidecars.ready += ready;
            continue;
        }
        let waiting = text_at(container, &["state", "waiting", "reason"]);
        let why = match ended {
            Some(ended) => ended_as(ended),
            None if waiting.is_empty() || waiting == "PodInitializing" => format!("{index}/{inits}"),
            None => waiting.to_owned(),
        };
        seen.reason = format!("Init:{why}");
        initializing = true;
        break;
    }
    if initializing && !has_condition(status, "Initialized", "status", "True") {
        return seen;
    }
    let mut seen = Seen { reason: seen.reason, ..of_sidecars };
    for container in list(status, "containerStatuses").iter().rev() {
        seen.restarted(container);
        let waiting = text_at(container, &["state", "waiting", "reason"]);
        if !waiting.is_empty() {
            waiting.clone_into(&mut seen.reason);
        } else if let Some(terminated) = at(container, &["state", "terminated"]) {
            seen.reason = ended_as(terminated);
        } else if flag(container, "ready") && at(container, &["state", "running"]).is_some() {
            seen.running = true;
            seen.ready += 1;
        }
    }
    seen
}

fn ended_as(terminated: &Value) -> String {
    match (text(terminated, "reason"), count(terminated, "signal")) {
        ("", 0) => format!("ExitCode:{}", count(terminated, "exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn has_condition(status: &Value, kind: &str, field: &str, value: &str) -> bool {
    list(status, "conditions").iter().any(|c| text(c, "type") == kind && text(c, field) == value)
}

fn shown_status(pod: &Value, seen: &Seen<'_>) -> String {
    let empty = Value::Null;
    let status = pod.get("status").unwrap_or(&empty);
    let phase = text(status, "phase");
    let mut reason = match text(status, "reason") {
        "" => phase.to_owned(),
        reason => reason.to_owned(),
    };
    if has_condition(status, "PodScheduled", "reason", "SchedulingGated") {
        "SchedulingGated".clone_into(&mut reason);
    }
    if !seen.reason.is_empty() {
        reason.clone_from(&seen.reason);
    }
    if reason == "Completed" && seen.running {
        let ready = has_condition(status, "Ready", "status", "True");
        reason = if ready { "Running" } else { "NotReady" }.to_owned();
    }
    if at(pod, &["metadata", "deletionTimestamp"]).is_some() {
        if text(status, "reason") == "NodeLost" {
            return "Unknown".to_owned();
        }
        if !matches!(phase, "Succeeded" | "Failed") {
            return "Terminating".to_owned();
        }
    }
    reason
}

fn restarts(seen: &Seen<'_>, now: Time) -> String {
    if seen.restarts == 0 || seen.last_restart.is_empty() {
        return seen.restarts.to_string();
    }
    format!("{} ({} ago)", seen.restarts, since(seen.last_restart, now))
}

fn readiness_gates(spec: &Value, status: &Value) -> String {
    let gates = list(spec, "readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met =
        gates.iter().filter(|gate| has_condition(status, text(gate, "conditionType"), "status", "True"));
    format!("{}/{}", met.count(), gates.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(metadata: Value, status: Value) -> Value {
        json!({"metadata": metadata, "spec": {"containers": [{"name": "web"}]}, "status": status})
    }

    #[test]
    fn states_of_pods() {
        let container = |state: Value, ready: bool| json!({"phase": "Running", "containerStatuses": [{"state": state, "ready": ready, "restartCount": 0}]});
        let crashed = json!({
            "phase": "Running",
            "containerStatuses": [{
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"finishedAt": "2026-01-01T00:00:05Z"}},
                "restartCount": 2,
            }],
        });
        let deleted = json!({"deletionTimestamp": "2026-01-01T00:00:30Z"});
        let running = || json!({"running": {}});
        let failed =
            json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "Error"}}}]});
        let cases = [
            (pod(json!({}), json!({"phase": "Pending"})), ["0/1", "Pending", "0"]),
            (
                pod(json!({}), container(json!({"waiting": {"reason": "ContainerCreating"}}), false)),
                ["0/1", "ContainerCreating", "0"],
            ),
            (pod(json!({}), container(running(), true)), ["1/1", "Running", "0"]),
            (pod(json!({}), container(running(), false)), ["0/1", "Running", "0"]),
            (pod(json!({}), crashed), ["0/1", "CrashLoopBackOff", "2 (5s ago)"]),
            (
                pod(json!({}), container(json!({"terminated": {"exitCode": 3}}), false)),
                ["0/1", "ExitCode:3", "0"],
            ),
            (
                pod(json!({}), container(json!({"terminated": {"signal": 9}}), false)),
                ["0/1", "Signal:9", "0"],
            ),
            (pod(deleted.clone(), container(running(), true)), ["1/1", "Terminating", "0"]),
            (pod(deleted, failed), ["0/1", "Error", "0"]),
            (pod(json!({}), json!({"phase": "Failed", "reason": "Evicted"})), ["0/1", "Evicted", "0"]),
            (
                pod(
                    json!({}),
                    json!({
                        "phase": "Pending",
                        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
                    }),
                ),
                ["0/1", "SchedulingGated", "0"],
            ),
        ];
        for (pod, expected) in cases {
            assert_eq!(row(&pod, Time::from_secs(10))[1..4], expected, "{pod}");
        }
    }

    #[test]
    fn gates() {
        let spec = json!({"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]});
        let status =
            json!({"conditions": [{"type": "a", "status": "True"}, {"type": "b", "status": "False"}]});
        assert_eq!(readiness_gates(&spec, &status), "1/2");
    }
    #[test]
    fn init_containers_and_sidecars() {
        let spec = json!({
            "initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
            "containers": [{"name": "web"}],
        });
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        let status = |name: &str, state: Value, up: bool| json!({"name": name, "state": state, "started": up, "ready": up, "restartCount": 1});
        let (done, runs) =
            (json!({"terminated": {"exitCode": 0, "reason": "Completed"}}), json!({"running": {}}));
        let failed = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let initializing = || waiting("PodInitializing");
        let cases = [
            (initializing(), initializing(), initializing(), false, ["0/2", "Init:0/2", "1"]),
            (runs.clone(), initializing(), initializing(), false, ["0/2", "Init:0/2", "1"]),
            (failed, initializing(), initializing(), false, ["0/2", "Init:Error", "1"]),
            (
                waiting("CrashLoopBackOff"),
                initializing(),
                initializing(),
                false,
                ["0/2", "Init:CrashLoopBackOff", "1"],
            ),
            (done.clone(), runs.clone(), initializing(), false, ["0/2", "Init:1/2", "2"]),
            (done.clone(), runs.clone(), runs.clone(), true, ["2/2", "Running", "2"]),
        ];
        for (setup, proxy, web, up, expected) in cases {
            let conditions = json!([{"type": "Initialized", "status": if up { "True" } else { "False" }}]);
            let pod = json!({"spec": spec, "status": {
                "phase": if up { "Running" } else { "Pending" },
                "conditions": conditions,
                "initContainerStatuses": [status("setup", setup, false), status("proxy", proxy, up)],
                "containerStatuses": [status("web", web, up)],
            }});
            let mut pod = pod;
            if !up {
                pod["status"]["containerStatuses"][0]["restartCount"] = json!(0);
            }
            assert_eq!(row(&pod, Time::from_secs(10))[1..4], expected, "{pod}");
        }
    }
}
