//! What is not as it should be although nothing more happens: pods that are not ready and what they wait for, and what
//! the controllers that wait for them say. A settled cluster is not a healthy one.
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::Store;
use crate::cluster::Cluster;
use crate::controllers::plan::WaitOn;
use crate::kernel::Id;

/// Pods that are named; the rest is counted.
const NAMED: usize = 5;

/// One line, or nothing if nobody waits: `pod/web-1 (running on node-b, not ready); sts/web for pod/web-1 to be ready
/// [STS-60]`.
pub fn unready(cluster: &Cluster) -> Option<String> {
    let store = &cluster.world.store;
    let mut pods: Vec<(String, String)> = Vec::new();
    for (id, pod) in store.pods.iter() {
        if pod.is_ready() && !pod.is_terminating() || pod.is_terminal() && !pod.is_terminating() {
            continue;
        }
        pods.push((pod_name(&pod.meta, store), waits_for(id, pod, store)));
    }
    pods.sort_unstable();
    let mut parts: Vec<String> =
        pods.iter().take(NAMED).map(|(name, why)| format!("{name} ({why})")).collect();
    if pods.len() > NAMED {
        parts.push(format!("and {} more pods", pods.len() - NAMED));
    }
    let mut sets: Vec<String> =
        store.stateful_sets.iter().filter_map(|(id, set)| set_waits(id, set, cluster)).collect();
    sets.sort_unstable();
    parts.extend(sets);
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn pod_name(meta: &Meta, store: &Store) -> String {
    let name = store.name_of(meta.name);
    if meta.namespace == Sym::DEFAULT {
        format!("pod/{name}")
    } else {
        format!("pod/{name} of namespace {}", store.names.text(meta.namespace))
    }
}

/// What a pod that is not as it should be waits for.
pub(crate) fn waits_for(id: Id<Pod>, pod: &Pod, store: &Store) -> String {
    if !pod.is_bound() {
        let message = store.pod_messages.get(&(id, pod.meta.uid)).map(|word| store.names.text(*word));
        // What follows is about claims of devices and preemption, which is no news here.
        let message = message.map(|text| text.split(" no new claims").next().unwrap_or(text).trim_end());
        return match message {
            Some(text) if !text.is_empty() => format!("unschedulable: {}", text.trim_end_matches('.')),
            _ if pod.is_terminating() => "terminating".to_owned(),
            _ => "not scheduled".to_owned(),
        };
    }
    let node = store.nodes.last_known(pod.node);
    let name = node.map_or_else(String::new, |node| store.name_of(node.meta.name));
    let present = store.nodes.get(pod.node);
    let place = match present.map(|node| node.ready) {
        None => format!("{name}, which is no node any more"),
        Some(NodeReady::True) => name,
        Some(_) => format!("{name}, which is not ready"),
    };
    if pod.is_terminating() {
        return format!("terminating on {place}");
    }
    match pod.containers {
        Containers::Unreported | Containers::Creating => format!("ContainerCreating on {place}"),
        Containers::ErrImagePull | Containers::ImagePullBackOff => format!("ImagePullBackOff on {place}"),
        Containers::CrashLoopBackOff(code) => format!("CrashLoopBackOff on {place}, exit code {code}"),
        Containers::Terminated(code) => format!("ended on {place}, exit code {code}"),
        Containers::Running => format!("running on {place}, not ready"),
    }
}

/// What the StatefulSet controller waits for, if somebody else has to do something.
fn set_waits(id: Id<StatefulSet>, set: &StatefulSet, cluster: &Cluster) -> Option<String> {
    let store = &cluster.world.store;
    let on = controller_waits(id, cluster)?;
    Some(format!("sts/{} for {on}", store.name_of(set.meta.name)))
}

/// For what the controller waits that keeps a StatefulSet, with the rule.
pub(crate) fn controller_waits(id: Id<StatefulSet>, cluster: &Cluster) -> Option<String> {
    let store = &cluster.world.store;
    let wait = cluster.manager.stateful_set.wait(id.as_u32())?;
    let pod = |id: Id<Pod>| {
        store.pods.last_known(id).map_or_else(|| "a pod".to_owned(), |pod| pod_name(&pod.meta, store))
    };
    let claim = |id: Id<Claim>| {
        let claim = store.claims.last_known(id);
        claim.map_or_else(|| "a claim".to_owned(), |claim| format!("pvc/{}", store.name_of(claim.meta.name)))
    };
    let on = match wait.on {
        WaitOn::Termination(id) => format!("{} to be gone", pod(id)),
        WaitOn::Readiness(id) => format!("{} to be ready", pod(id)),
        WaitOn::Availability(id, _) => format!("{} to be available", pod(id)),
        WaitOn::Creation(id) => format!("{} to appear", pod(id)),
        WaitOn::Claim(id) => format!("{} to go", claim(id)),
        WaitOn::Name(id) => format!("the name of {} to be free", pod(id)),
        WaitOn::ManualDeletion => "somebody to delete outdated pods".to_owned(),
        WaitOn::Partition => "somebody to lower the partition".to_owned(),
        WaitOn::Retry => "a refused request to succeed".to_owned(),
        WaitOn::Dependents => "what it owns to be collected".to_owned(),
        WaitOn::OwnWrites | WaitOn::Node(_) | WaitOn::NewPods | WaitOn::OldPods => return None,
    };
    Some(format!("{on} [{}]", wait.rule))
}
