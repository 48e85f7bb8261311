//! Statuses of containers: as they are kept, and on the wire.
//!
//! A pod holds a summary; what its containers say one by one is interned beside it, and only where it does not follow
//! from the summary. Left out: messages, exit signals, resources.
use super::fields::{at, count, flag, list, text, text_at};
use super::meta;
use super::pod::digest;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::pod_spec::{Container, PodSpec};
use crate::api::store::Store;
use serde_json::{Value, json};

impl Store {
    /// The statuses of a pod's containers, those of the init containers first; none before the first report.
    pub fn container_statuses(&self, pod: &Pod) -> Vec<ContainerStatus> {
        if pod.statuses.is_empty() {
            derived(pod, self.pod_spec(pod.spec))
        } else {
            self.statuses.get(pod.statuses).to_vec()
        }
    }

    /// How often the containers of a pod have been restarted, all together.
    pub fn restarts_of(&self, pod: &Pod) -> u32 {
        if pod.statuses.is_empty() {
            return pod.restarts.get();
        }
        self.statuses.get(pod.statuses).iter().fold(0, |sum, status| sum.saturating_add(status.restarts))
    }

    /// Sets the statuses of a pod's containers, and the summary that follows from them. The conditions and times of the
    /// pod are set before.
    pub fn set_container_statuses(&mut self, pod: &mut Pod, statuses: &[ContainerStatus]) {
        let spec = self.pod_spec(pod.spec).clone();
        let regular = statuses.get(spec.inits.len()..).unwrap_or_default();
        pod.containers = worst(statuses, spec.inits.len());
        pod.restarts =
            crate::kernel::U24::of(regular.iter().map(|status| status.restarts).max().unwrap_or(0));
        let some_run = regular.iter().any(|status| status.state.is_running());
        pod.flags.set(PodFlags::SOME_RUN, some_run && !pod.containers.is_running());
        pod.statuses = StatusesId::EMPTY;
        if derived(pod, &spec) != statuses {
            pod.statuses = self.statuses.intern(statuses);
        }
    }
}

/// The state that tells most: what is wrong, before what is still to come, before what runs.
fn worst(statuses: &[ContainerStatus], inits: usize) -> Containers {
    let rank = |state: Containers| match state {
        Containers::CrashLoopBackOff(_) => 6,
        Containers::ErrImagePull => 5,
        Containers::ImagePullBackOff => 4,
        Containers::Terminated(_) => 3,
        Containers::Creating => 2,
        Containers::Running => 1,
        Containers::Unreported => 0,
    };
    // Init containers that wait or have done their work are as they should be.
    let counts = |(index, status): &(usize, &ContainerStatus)| *index >= inits || rank(status.state) >= 4;
    let states = statuses.iter().enumerate().filter(counts).map(|(_, status)| status.state);
    states.fold(Containers::Unreported, |worst, state| if rank(state) > rank(worst) { state } else { worst })
}

/// What follows from the summary of a pod whose containers are all alike.
fn derived(pod: &Pod, spec: &PodSpec) -> Vec<ContainerStatus> {
    if pod.containers == Containers::Unreported {
        return Vec::new();
    }
    // A container that has ended made the pod unready when it did.
    let finished = if pod.ready_since.is_set() { pod.ready_since } else { pod.started };
    let end = |code| Ended { code, why: EndReason::ByCode, started: pod.started, finished };
    let runs = pod.containers.is_running();
    let status = ContainerStatus {
        state: pod.containers,
        started_at: if runs { pod.started } else { Seconds::NEVER },
        ended: if let Containers::Terminated(code) = pod.containers { end(code) } else { Ended::NONE },
        last: if let Containers::CrashLoopBackOff(code) = pod.containers { end(code) } else { Ended::NONE },
        restarts: pod.restarts.get(),
        ready: pod.flags.has(PodFlags::CONTAINERS_READY),
        started: runs,
    };
    vec![status; spec.container_count()]
}

/// The JSON of the statuses: of the init containers, of the regular ones.
pub(super) fn to_json(store: &Store, pod: &Pod, spec: &PodSpec) -> (Vec<Value>, Vec<Value>) {
    let statuses = store.container_statuses(pod);
    let waits = if spec.inits.is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let mut all: Vec<Value> = (0..)
        .zip(spec.all_containers().zip(&statuses))
        .map(|(index, (container, status))| one(store, pod.meta.uid, container, status, index, waits))
        .collect();
    let regular = all.split_off(spec.inits.len().min(all.len()));
    (all, regular)
}

fn one(
    store: &Store,
    uid: Uid,
    container: &Container,
    status: &ContainerStatus,
    index: u64,
    waits: &str,
) -> Value {
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let state = match status.state {
        Containers::Unreported | Containers::Creating => waiting(waits),
        Containers::ErrImagePull => waiting("ErrImagePull"),
        Containers::ImagePullBackOff => waiting("ImagePullBackOff"),
        Containers::CrashLoopBackOff(_) => waiting("CrashLoopBackOff"),
        Containers::Running => json!({"running": {"startedAt": meta::time(status.started_at)}}),
        Containers::Terminated(_) => json!({"terminated": ended(&status.ended)}),
    };
    let last =
        if status.last == Ended::NONE { json!({}) } else { json!({"terminated": ended(&status.last)}) };
    let never_ran = status.ended.why == EndReason::NeverRan && !status.ended.started.is_set();
    let runs_or_ran =
        status.state.is_running() || (matches!(status.state, Containers::Terminated(_)) && !never_ran);
    let has_run = runs_or_ran || status.restarts > 0;
    let run = u64::from(uid.0) << 32 | index << 24 | u64::from(status.restarts);
    json!({
        "name": store.names.text(container.name),
        "image": store.names.text(container.image),
        "imageID": if has_run { digest("", u64::from(container.image.as_u32())) } else { String::new() },
        "containerID": if has_run { digest("containerd://", run) } else { String::new() },
        "state": state,
        "lastState": last,
        "ready": status.ready,
        "started": status.started,
        "restartCount": status.restarts,
    })
}

fn ended(end: &Ended) -> Value {
    json!({
        "exitCode": end.code,
        "reason": end.why.as_str(end.code),
        "startedAt": meta::time(end.started),
        "finishedAt": meta::time(end.finished),
    })
}

/// The statuses that a pod's status shows, init containers first.
pub(super) fn from_json(status: &Value) -> Vec<ContainerStatus> {
    let lists = list(status, "initContainerStatuses").iter().chain(list(status, "containerStatuses"));
    lists.map(read).collect()
}

fn read(json: &Value) -> ContainerStatus {
    let (ended, last) = (read_end(json, "state"), read_end(json, "lastState"));
    let running = at(json, &["state", "running"]);
    let state = match (running, at(json, &["state", "terminated"])) {
        (Some(_), _) => Containers::Running,
        (None, Some(_)) => Containers::Terminated(ended.code),
        (None, None) => match text_at(json, &["state", "waiting", "reason"]) {
            "ErrImagePull" => Containers::ErrImagePull,
            "ImagePullBackOff" => Containers::ImagePullBackOff,
            "CrashLoopBackOff" => Containers::CrashLoopBackOff(last.code),
            _ => Containers::Creating,
        },
    };
    ContainerStatus {
        state,
        started_at: running.map_or(Seconds::NEVER, |running| meta::seconds(running, "startedAt")),
        ended,
        last,
        restarts: count(json, "restartCount"),
        ready: flag(json, "ready"),
        started: flag(json, "started"),
    }
}

fn read_end(json: &Value, of: &str) -> Ended {
    let Some(end) = at(json, &[of, "terminated"]) else { return Ended::NONE };
    let code = u8::try_from(count(end, "exitCode")).unwrap_or(u8::MAX);
    let known = [EndReason::OomKilled, EndReason::Unknown, EndReason::NeverRan];
    Ended {
        code,
        why: known.into_iter().find(|why| why.as_str(code) == text(end, "reason")).unwrap_or_default(),
        started: meta::seconds(end, "startedAt"),
        finished: meta::seconds(end, "finishedAt"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: Containers) -> ContainerStatus {
        ContainerStatus {
            state,
            started_at: Seconds::NEVER,
            ended: Ended::NONE,
            last: Ended::NONE,
            restarts: 0,
            ready: false,
            started: false,
        }
    }

    #[test]
    fn the_summary_tells_what_is_wrong() {
        use Containers::*;
        for (inits, states, expected) in [
            (0, vec![Running], Running),
            (0, vec![Running, Creating], Creating),
            (0, vec![Running, CrashLoopBackOff(1), Terminated(0)], CrashLoopBackOff(1)),
            (1, vec![Terminated(0), Creating], Creating),
            (1, vec![CrashLoopBackOff(1), Creating], CrashLoopBackOff(1)),
            (1, vec![Running, Creating], Creating),
            (0, vec![], Unreported),
        ] {
            let statuses: Vec<_> = states.iter().map(|state| status(*state)).collect();
            assert_eq!(worst(&statuses, inits), expected, "{states:?}");
        }
    }

    #[test]
    fn statuses_read_back() {
        let end = |code, why| Ended { code, why, started: Seconds(5), finished: Seconds(7) };
        let cases = [
            ContainerStatus {
                started_at: Seconds(9),
                restarts: 2,
                ready: true,
                started: true,
                last: end(137, EndReason::OomKilled),
                ..status(Containers::Running)
            },
            ContainerStatus {
                ended: end(255, EndReason::Unknown),
                last: end(0, EndReason::ByCode),
                ..status(Containers::Terminated(255))
            },
            ContainerStatus {
                last: end(3, EndReason::ByCode),
                restarts: 1,
                ..status(Containers::CrashLoopBackOff(3))
            },
            status(Containers::Creating),
        ];
        let store = Store::default();
        let container = Container {
            name: Default::default(),
            image: Default::default(),
            ports: Box::default(),
            restart: None,
            restart_rules: Box::default(),
            startup: None,
            liveness: None,
            readiness: None,
            post_start: None,
            pre_stop: None,
        };
        for case in cases {
            let json = one(&store, Uid(1), &container, &case, 0, "ContainerCreating");
            assert_eq!(read(&json), case, "{json}");
        }
    }
}
