//! The phase of a pod, from the statuses of its containers (POD-10; pkg/kubelet/kubelet_pods.go getPhase).
use crate::api::objects::{ContainerStatus, Containers, Ended, Phase};
use crate::api::pod_spec::{Container, PodSpec, RestartPolicy};

/// How many containers are in which state.
#[derive(Default)]
struct Counted {
    pending_inits: u32,
    failed_inits: u32,
    running: u32,
    waiting: u32,
    stopped: u32,
    succeeded: u32,
    may_restart: bool,
}

/// The phase. `statuses` are those of the init containers, then of the regular ones; `over`: the kubelet has ended the
/// pod, nothing restarts any more; `initialized`: regular containers have been started.
pub(super) fn phase(spec: &PodSpec, statuses: &[ContainerStatus], over: bool, initialized: bool) -> Phase {
    let mut counted = Counted::default();
    for (index, (container, status)) in spec.all_containers().zip(statuses).enumerate() {
        if index >= spec.inits.len() {
            counted.regular(container, status, spec.restart);
        } else if container.is_sidecar() {
            counted.sidecar(status, initialized);
        } else {
            counted.init(status);
        }
    }
    if counted.failed_inits > 0 && (spec.restart == RestartPolicy::Never || over) {
        return Phase::Failed;
    }
    if counted.pending_inits > 0 || counted.waiting > 0 {
        return if over { Phase::Failed } else { Phase::Pending };
    }
    match (counted.running, counted.stopped) {
        (0, 0) => Phase::Pending,
        (0, _) if !over && counted.may_restart => Phase::Running,
        (0, stopped) if stopped == counted.succeeded => Phase::Succeeded,
        (0, _) => Phase::Failed,
        _ => Phase::Running,
    }
}

impl Counted {
    fn init(&mut self, status: &ContainerStatus) {
        let end =
            if matches!(status.state, Containers::Terminated(_)) { &status.ended } else { &status.last };
        match status.state {
            Containers::Running => self.pending_inits += 1,
            _ if *end == Ended::NONE => self.pending_inits += 1,
            _ if end.code != 0 => self.failed_inits += 1,
            _ => {}
        }
    }

    fn sidecar(&mut self, status: &ContainerStatus, initialized: bool) {
        match status.state {
            Containers::Running => {
                self.running += 1;
                self.pending_inits += u32::from(!status.started && !initialized);
            }
            Containers::Terminated(_) => {}
            _ => self.pending_inits += u32::from(status.last == Ended::NONE && !initialized),
        }
    }

    fn regular(&mut self, container: &Container, status: &ContainerStatus, pod: RestartPolicy) {
        let end = match status.state {
            Containers::Running => {
                self.running += 1;
                return;
            }
            Containers::Terminated(_) => &status.ended,
            _ => &status.last,
        };
        if *end == Ended::NONE {
            self.waiting += 1;
            return;
        }
        // What waits and has run before counts as stopped.
        self.stopped += 1;
        self.succeeded += u32::from(end.code == 0);
        self.may_restart |= container.restarts_after(end.code, pod);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Name;
    use crate::api::objects::{EndReason, Seconds};
    use crate::api::pod_spec::Shared;
    use crate::api::store::Store;
    use serde_json::json;

    /// One container: `-` waits, `r` runs, `R` runs and has started up, `0` and `1` have ended so, `b` is in back-off.
    fn status(state: char) -> ContainerStatus {
        let end = |code| Ended { code, why: EndReason::ByCode, started: Seconds(1), finished: Seconds(2) };
        let (state, ended, last) = match state {
            'r' | 'R' => (Containers::Running, Ended::NONE, Ended::NONE),
            '0' => (Containers::Terminated(0), end(0), Ended::NONE),
            '1' => (Containers::Terminated(1), end(1), Ended::NONE),
            'b' => (Containers::CrashLoopBackOff(1), Ended::NONE, end(1)),
            _ => (Containers::Creating, Ended::NONE, Ended::NONE),
        };
        let started_at = Seconds::NEVER;
        ContainerStatus { state, started_at, ended, last, restarts: 0, ready: false, started: false }
    }

    #[test]
    fn phases() {
        use Phase::*;
        // Policy of the pod; init containers, sidecar, regular containers; whether it is over; the phase (POD-10).
        for (policy, inits, sidecar, regular, over, expected) in [
            ("Always", "", "", "-", false, Pending),
            ("Always", "", "", "r", false, Running),
            ("Always", "", "", "r-", false, Pending),
            ("Always", "", "", "rb", false, Running),
            ("Always", "", "", "b", false, Running),
            ("Always", "", "", "0", false, Running),
            ("Always", "", "", "0", true, Succeeded),
            ("Always", "", "", "1", true, Failed),
            ("OnFailure", "", "", "01", false, Running),
            ("OnFailure", "", "", "00", false, Succeeded),
            ("Never", "", "", "01", false, Failed),
            ("Never", "", "", "0r", false, Running),
            ("Never", "1", "", "-", false, Failed),
            ("Always", "b", "", "-", false, Pending),
            ("Always", "r", "", "0", false, Pending),
            ("Always", "0", "", "r", false, Running),
            ("Always", "", "r", "-", false, Pending),
            ("Always", "", "R", "r", false, Running),
            ("Never", "", "R", "0", false, Running),
            ("Never", "", "0", "0", true, Succeeded),
            ("Always", "-", "", "-", true, Failed),
        ] {
            let container = |name: String| json!({"name": name, "image": "x"});
            let of = |states: &str, letter: &str| -> Vec<_> {
                (0..states.len()).map(|n| container(format!("{letter}{n}"))).collect()
            };
            let mut init = of(inits, "i");
            init.extend(of(sidecar, "s").into_iter().map(|mut sidecar| {
                sidecar["restartPolicy"] = json!("Always");
                sidecar
            }));
            let spec =
                json!({"restartPolicy": policy, "initContainers": init, "containers": of(regular, "c")});
            let mut store = Store::default();
            let name: Name = store.names.name("web-0");
            let id = Shared::split(&mut store, name, spec).intern(&mut store);
            let states = inits.chars().chain(sidecar.chars()).chain(regular.chars());
            let statuses: Vec<_> =
                states.map(|state| ContainerStatus { started: state == 'R', ..status(state) }).collect();
            let initialized = regular.contains(['r', '0', '1', 'b']);
            let found = phase(store.pod_spec(id), &statuses, over, initialized);
            assert_eq!(found, expected, "{policy} {inits}/{sidecar}/{regular} {over}");
        }
    }
}
