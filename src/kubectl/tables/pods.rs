//! Pods (`printPod`).
use super::{Time, age, c, list, name, or_none, since, text, text_at, w};
use crate::api::wire::fields::{at, count, flag};
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
    let seen = look(status);
    let total = list(spec, "containers").len();
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
struct Seen<'p> {
    ready: usize,
    restarts: u32,
    /// Why a container does not run, the first one that has a reason.
    reason: &'p str,
    exit: String,
    running: bool,
    last_restart: &'p str,
}

fn look(status: &Value) -> Seen<'_> {
    let mut seen =
        Seen { ready: 0, restarts: 0, reason: "", exit: String::new(), running: false, last_restart: "" };
    for container in list(status, "containerStatuses").iter().rev() {
        seen.restarts = seen.restarts.saturating_add(count(container, "restartCount"));
        let ended = text_at(container, &["lastState", "terminated", "finishedAt"]);
        // Timestamps of the same form compare as texts.
        seen.last_restart = seen.last_restart.max(ended);
        let waiting = text_at(container, &["state", "waiting", "reason"]);
        if !waiting.is_empty() {
            (seen.reason, seen.exit) = (waiting, String::new());
        } else if let Some(terminated) = at(container, &["state", "terminated"]) {
            seen.reason = text(terminated, "reason");
            seen.exit = match count(terminated, "signal") {
                _ if !seen.reason.is_empty() => String::new(),
                0 => format!("ExitCode:{}", count(terminated, "exitCode")),
                signal => format!("Signal:{signal}"),
            };
        } else if flag(container, "ready") && at(container, &["state", "running"]).is_some() {
            seen.running = true;
            seen.ready += 1;
        }
    }
    seen
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
        seen.reason.clone_into(&mut reason);
    } else if !seen.exit.is_empty() {
        reason.clone_from(&seen.exit);
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
}
