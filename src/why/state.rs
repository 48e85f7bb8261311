//! How an object is, in one sentence.
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::kernel::Id;
use crate::trace::tell;
use crate::why::look::Look;
use crate::why::thing::Thing;
use crate::why::waits::dns;

/// How a thing is now, without its name.
pub fn sentence(look: &Look<'_>, thing: &Thing) -> String {
    let gone = |text: &str| text.to_owned();
    match thing {
        Thing::Absent(..) => gone("there is no such pod"),
        Thing::Name(namespace, name) => dns::state(look, namespace, name),
        Thing::Object(..) if thing.meta(look.store()).is_none() => gone("is gone"),
        Thing::Object(kind, index) => of_object(look, *kind, *index as usize),
    }
}

fn of_object(look: &Look<'_>, kind: Kind, index: usize) -> String {
    let store = look.store();
    let text = match kind {
        Kind::Pod => store.pods.get(Id::from_index(index)).map(|pod| of_pod(look, pod)),
        Kind::StatefulSet => store.stateful_sets.get(Id::from_index(index)).map(|set| of_set(look, set)),
        Kind::Deployment => store.deployments.get(Id::from_index(index)).map(of_deployment),
        Kind::ReplicaSet => store.replica_sets.get(Id::from_index(index)).map(|set| {
            let status = &set.status;
            format!("{} of {} pods are there, {} Ready", status.replicas, set.spec.replicas, status.ready)
        }),
        Kind::Claim => store.claims.get(Id::from_index(index)).map(|claim| of_claim(look, claim)),
        Kind::Volume => store.volumes.get(Id::from_index(index)).map(|volume| of_volume(look, volume)),
        Kind::Attachment => store.attachments.get(Id::from_index(index)).map(of_attachment),
        Kind::Node => store.nodes.get(Id::from_index(index)).map(|node| of_node(look, node)),
        Kind::Budget => store.budgets.get(Id::from_index(index)).map(|budget| {
            let status = &budget.status;
            format!(
                "allows {} disruptions: {} of {} pods are healthy, {} have to be",
                status.allowed.max(0),
                status.healthy,
                status.expected,
                status.desired
            )
        }),
        Kind::Service => store.services.get(Id::from_index(index)).map(|_| of_service(look, index)),
        _ => None,
    };
    let meta = Thing::Object(kind, u32::try_from(index).unwrap_or(u32::MAX)).meta(store);
    let terminating = meta.is_some_and(|meta| meta.is_terminating());
    match text {
        Some(text) => text,
        None if terminating => "Terminating".into(),
        None => "is there".into(),
    }
}

fn of_pod(look: &Look<'_>, pod: &Pod) -> String {
    let place = if pod.is_bound() { format!(" on {}", look.node(pod.node)) } else { String::new() };
    if pod.is_terminating() {
        let runs = if pod.is_bound() && look.cluster.kubelets.is_running(id_of(look, pod), pod.meta.uid) {
            "; its containers really run"
        } else if pod.is_bound() {
            "; none of its containers really runs"
        } else {
            ""
        };
        return format!("Terminating{place}{runs}");
    }
    if pod.is_terminal() {
        return format!("{}{place}", pod.phase.as_str());
    }
    if !pod.is_bound() {
        let gated = pod.reason == PodReason::SchedulingGated;
        return if gated {
            "Pending, held by scheduling gates".into()
        } else {
            "Pending, not scheduled".into()
        };
    }
    let state = match pod.containers {
        Containers::Unreported | Containers::Creating => "ContainerCreating".into(),
        Containers::ErrImagePull => "ErrImagePull".into(),
        Containers::ImagePullBackOff => "ImagePullBackOff".into(),
        Containers::CrashLoopBackOff(code) => format!("CrashLoopBackOff, the last exit code was {code}"),
        Containers::Terminated(code) => format!("a container has ended with exit code {code}"),
        Containers::Running if pod.is_ready() => "Ready".into(),
        Containers::Running => "its containers run, it is not Ready".to_owned(),
    };
    format!("{}{place}: {state}", pod.phase.as_str())
}

fn id_of(look: &Look<'_>, pod: &Pod) -> Id<Pod> {
    look.store().pods.id(pod.meta.namespace, pod.meta.name).unwrap_or(Id::NONE)
}

fn of_set(look: &Look<'_>, set: &StatefulSet) -> String {
    let s = &set.status;
    let mut text = format!("{} of {} pods are Ready", s.ready, set.spec.replicas);
    if s.current_revision != s.update_revision {
        text.push_str(&format!(", {} have the new revision", s.updated));
    }
    if s.replicas > set.spec.replicas {
        text.push_str(&format!(", {} are there", s.replicas));
    }
    if set.meta.is_terminating() {
        text.push_str("; it is being deleted");
    }
    let broken = set.spec.strategy == UpdateStrategy::OnDelete && s.current_revision != s.update_revision;
    if broken {
        text.push_str("; strategy OnDelete");
    }
    let _ = look;
    text
}

fn of_deployment(deployment: &Deployment) -> String {
    let s = &deployment.status;
    let paused = if deployment.spec.paused { "; it is paused" } else { "" };
    format!(
        "{} of {} pods are available, {} have the new template{paused}",
        s.available, deployment.spec.replicas, s.updated
    )
}

fn of_claim(look: &Look<'_>, claim: &Claim) -> String {
    let phase = match claim.phase() {
        ClaimPhase::Pending => "Pending: no volume is bound to it".to_owned(),
        ClaimPhase::Lost => "Lost: its volume is gone".to_owned(),
        ClaimPhase::Bound => format!("Bound to {}", Thing::of(claim.volume).text(look)),
    };
    if claim.meta.is_terminating() { format!("Terminating; it is {phase}") } else { phase }
}

fn of_volume(look: &Look<'_>, volume: &Volume) -> String {
    let phase = match volume.phase() {
        VolumePhase::Pending => "Pending".into(),
        VolumePhase::Available => "Available: no claim has it".to_owned(),
        VolumePhase::Bound => format!("Bound to pvc/{}", look.store().name_of(volume.claim.name)),
        VolumePhase::Released => "Released: its claim is gone".into(),
        VolumePhase::Failed => "Failed".into(),
    };
    let zone = look.word(volume.zone);
    let zone = if zone.is_empty() { String::new() } else { format!(", in {zone}") };
    let at = look.cluster.csi.node_of_disk(volume.disk);
    let at = at.map_or_else(String::new, |node| format!(", its disk is at {}", look.node(node)));
    let terminating = if volume.meta.is_terminating() { "Terminating; " } else { "" };
    format!("{terminating}{phase}{zone}{at}")
}

fn of_attachment(attachment: &Attachment) -> String {
    match (attachment.meta.is_terminating(), attachment.attached) {
        (true, _) => "being detached".into(),
        (false, true) => "attached".into(),
        (false, false) => "not attached yet".into(),
    }
}

fn of_node(look: &Look<'_>, node: &Node) -> String {
    let mut text = format!("Ready {}", tell::ready_text(node.ready));
    if node.unschedulable {
        text.push_str(", cordoned");
    }
    let taints: Vec<String> = node
        .taints
        .iter()
        .filter(|taint| taint.effect == Effect::NoExecute)
        .map(|taint| tell::taint(taint, look.store()))
        .collect();
    if !taints.is_empty() {
        text.push_str(&format!(", tainted {}", taints.join(", ")));
    }
    text
}

fn of_service(look: &Look<'_>, index: usize) -> String {
    let id: Id<Service> = Id::from_index(index);
    let view = look.store().view(look.store().revision());
    let all = crate::network::service::slices(view, id).flat_map(|slice| slice.endpoints.iter());
    let (ready, all) = all.fold((0, 0), |(ready, all), e| (ready + u32::from(e.ready), all + 1));
    format!("{ready} of {all} endpoints are ready")
}
