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
