//! What a pod asks for: requests as the scheduler adds them up, and the QoS class.
//!
//! Follows staging/src/k8s.io/component-helpers/resource/helpers.go (PodRequests) and
//! pkg/apis/core/v1/helper/qos/qos.go. Left out: resources other than cpu and memory, requests of resized pods.
use crate::api::quantity::Quantity;
use crate::api::wire::fields::{at, list, text};
use serde_json::Value;

/// What scoring assumes of a container that requests no cpu (SCHED-23).
const ASSUMED_MILLI_CPU: u64 = 100;
/// What scoring assumes of a container that requests no memory (SCHED-23).
const ASSUMED_MEMORY: u64 = 200 * 1024 * 1024;

/// A resource that is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Cpu,
    Memory,
}

impl Counted {
    fn name(self) -> &'static str {
        match self {
            Counted::Cpu => "cpu",
            Counted::Memory => "memory",
        }
    }

    /// cpu in thousandths, memory in bytes; None if the list does not name it.
    fn of(self, resources: Option<&Value>) -> Option<u64> {
        let quantity = Quantity::from_json(resources?.get(self.name())?).ok()?;
        let amount = match self {
            Counted::Cpu => quantity.milli(),
            Counted::Memory => quantity.value(),
        };
        u64::try_from(amount).ok()
    }
}

/// Requests of a pod: (cpu, memory) as filtered, then (cpu, memory) as scored.
pub(super) fn requests(spec: &Value) -> ((u64, u64), (u64, u64)) {
    let filtered = (total(spec, Counted::Cpu, 0), total(spec, Counted::Memory, 0));
    let scored = (total(spec, Counted::Cpu, ASSUMED_MILLI_CPU), total(spec, Counted::Memory, ASSUMED_MEMORY));
    (filtered, scored)
}

/// The larger of what runs together and what any init container needs, plus overhead.
fn total(spec: &Value, resource: Counted, assumed: u64) -> u64 {
    let of = |container: &Value| resource.of(at(container, &["resources", "requests"])).unwrap_or(assumed);
    let mut sum: u64 = list(spec, "containers").iter().map(of).fold(0, u64::saturating_add);
    let mut sidecars: u64 = 0;
    let mut peak: u64 = 0;
    for container in list(spec, "initContainers") {
        let own = of(container);
        if text(container, "restartPolicy") == "Always" {
            sum = sum.saturating_add(own);
            sidecars = sidecars.saturating_add(own);
            peak = peak.max(sidecars);
        } else {
            peak = peak.max(own.saturating_add(sidecars));
        }
    }
    let containers = sum.max(peak);
    let pod_level = resource.of(at(spec, &["resources", "requests"]));
    pod_level.unwrap_or(containers).saturating_add(resource.of(spec.get("overhead")).unwrap_or(0))
}

/// QoS class: Guaranteed if all have equal requests and limits of both, BestEffort if none has any.
pub(super) fn qos(spec: &Value) -> &'static str {
    let pod_level = spec.get("resources").filter(|r| at(r, &["requests"]).or(at(r, &["limits"])).is_some());
    let resources: Vec<Option<&Value>> = match pod_level {
        Some(resources) => vec![Some(resources)],
        None => {
            let containers = list(spec, "containers").iter().chain(list(spec, "initContainers"));
            containers.map(|container| container.get("resources")).collect()
        }
    };
    let mut any = false;
    let mut guaranteed = true;
    for resources in resources {
        for resource in [Counted::Cpu, Counted::Memory] {
            let part = |field| resource.of(resources.and_then(|r| r.get(field))).filter(|n| *n > 0);
            let (request, limit) = (part("requests"), part("limits"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asks(cpu: &str, memory: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    #[test]
    fn requests_add_up_as_the_scheduler_does() {
        let mut sidecar = asks("100m", "1Mi");
        sidecar["restartPolicy"] = json!("Always");
        let cases = [
            (json!({"containers": [{}]}), (0, 0), (100, 200 << 20)),
            (
                json!({"containers": [asks("500m", "1Gi"), {}]}),
                (500, 1 << 30),
                (600, (1 << 30) + (200 << 20)),
            ),
            (
                json!({"containers": [asks("1", "1Mi")], "initContainers": [asks("3", "0")]}),
                (3000, 1 << 20),
                (3000, 1 << 20),
            ),
            (
                json!({"containers": [asks("1", "1Mi")], "initContainers": [sidecar, asks("1", "4Mi")]}),
                (1100, 5 << 20),
                (1100, 5 << 20),
            ),
            (
                json!({"containers": [asks("1", "1Mi")], "overhead": {"cpu": "1"}}),
                (2000, 1 << 20),
                (2000, 1 << 20),
            ),
        ];
        for (spec, filtered, scored) in cases {
            assert_eq!(requests(&spec), (filtered, scored), "{spec}");
        }
    }

    #[test]
    fn qos_classes() {
        let both = |requests: Value, limits: Value| json!({"containers": [{"resources": {"requests": requests, "limits": limits}}]});
        let all = json!({"cpu": "1", "memory": "1Gi"});
        let cases = [
            (json!({"containers": [{}]}), "BestEffort"),
            (json!({"containers": [asks("1", "1Gi")]}), "Burstable"),
            (both(all.clone(), all.clone()), "Guaranteed"),
            (both(json!({}), all.clone()), "Guaranteed"),
            (both(json!({"cpu": "1"}), json!({"cpu": "1"})), "Burstable"),
            (both(json!({"cpu": "0"}), json!({})), "BestEffort"),
        ];
        for (spec, expected) in cases {
            assert_eq!(qos(&spec), expected, "{spec}");
        }
    }
}
