//! What volumes wait for on their way to a node and away from it: attach/detach controller, external-attacher, cloud.
use super::stopped;
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::controllers::attach_detach::AttachWait;
use crate::event::{Event, KubeletEvent, Process, StorageEvent};
use crate::kernel::{Id, Time};
use crate::rule::Rule;
use crate::storage::CloudCall;
use crate::why::Wait;
use crate::why::look::Look;
use crate::why::thing::Thing;

/// A pod waits for a volume to be attached to its node.
pub(super) fn unattached(look: &Look<'_>, of: (&Thing, &Pod), who: &str, volume: Id<Volume>) -> Wait {
    let (thing, pod) = of;
    let node = pod.node;
    let claim = look.claim_name(volume);
    let here = look.node(node);
    let wait = Wait::new(look, thing, who, format!("pvc/{claim} to be attached to {here}")).by(Rule::vol(41));
    let there = attachment_of(look, volume, node);
    if look.stopped(Process::ControllerManager) {
        let unless = "kube-controller-manager is started again: its attach/detach controller is stopped";
        return wait.never(unless);
    }
    match look.cluster.manager.attach_detach.waits(volume, node, look.world()) {
        Some(AttachWait::Elsewhere(other)) => {
            let on = format!(
                "pvc/{claim} to be attached to {here}; the disk is still at {} (Multi-Attach)",
                look.node(other)
            );
            let wait = Wait { on, ..wait }.by(Rule::vol(34));
            let next = attachment_of(look, volume, other).unwrap_or(Thing::of(other));
            wait.then([next])
        }
        Some(AttachWait::Backoff(until)) => {
            let on = match look.event(Kind::Pod, &pod.meta, "FailedAttachVolume") {
                Some(message) => format!("pvc/{claim} to be attached to {here}, which fails: {message}"),
                None => wait.on.clone(),
            };
            Wait { on, ..wait }.by(Rule::vol(35)).until(until, "the attach/detach controller tries again")
        }
        Some(AttachWait::Attaching) if there.is_some() => wait.then(there),
        None if there.is_some() => wait.until(None, "the kubelet sees it in the status of its node"),
        _ => wait.until(None, "the attach/detach controller has asked for it"),
    }
}

/// The VolumeAttachment of a volume and a node, if there is one.
pub(in crate::why) fn attachment_of(look: &Look<'_>, volume: Id<Volume>, node: Id<Node>) -> Option<Thing> {
    let name = Name::of_attachment(volume.as_u32(), node.as_u32());
    look.store().attachments.find(Sym::EMPTY, name).map(|(id, _)| Thing::of(id))
}

/// A kubelet releases the volumes of a pod whose containers have stopped.
pub(super) fn unmounting(
    look: &Look<'_>,
    wait: impl Fn(String) -> Wait,
    pod: &Pod,
    until: Option<Time>,
) -> Vec<Wait> {
    let claims = look.claims_of(pod).into_iter().filter_map(|(_, claim)| claim);
    let stuck = claims
        .filter(|(_, claim)| look.cluster.kubelets.unmount_is_stuck(pod.node, claim.volume))
        .map(|(_, claim)| look.name(&claim.meta))
        .next();
    let wait = wait("its volumes to be unmounted".into()).by(Rule::vol(42));
    vec![match stuck {
        Some(claim) => wait.never(format!("the unmount of pvc/{claim} returns: it hangs")),
        None => wait.until(until, "they are unmounted, and the object can go"),
    }]
}

/// What a VolumeAttachment waits for.
pub(super) fn attachment(look: &Look<'_>, thing: &Thing, id: Id<Attachment>) -> Vec<Wait> {
    let Some(attachment) = look.store().attachments.get(id).copied() else { return Vec::new() };
    if attachment.meta.is_terminating() {
        return vec![detaching(look, thing, id, &attachment)];
    }
    if !attachment.attached {
        return vec![attaching(look, thing, id, &attachment)];
    }
    // Attached: it stays as long as a pod on its node wants the volume.
    match look.cluster.manager.attach_detach.waits(attachment.volume, attachment.node, look.world()) {
        Some(AttachWait::Unmount { force_at, .. }) => vec![unmount(look, thing, &attachment, force_at)],
        _ => still_wanted(look, thing, &attachment),
    }
}

/// Nobody wants the volume there: the kubelet has to unmount it, or its node to be given up.
fn unmount(look: &Look<'_>, thing: &Thing, attachment: &Attachment, force_at: Option<Time>) -> Wait {
    let node = look.node(attachment.node);
    let on = format!("the kubelet of {node} to say that it has unmounted the volume (volumesInUse)");
    let wait = Wait::new(look, thing, "attach/detach controller", on);
    let stuck = look.cluster.kubelets.unmount_is_stuck(attachment.node, attachment.volume);
    let healthy = look.node_ready(attachment.node);
    if look.cluster.kubelets.silence(attachment.node).is_none() && healthy {
        return match stuck {
            true => wait
                .by(Rule::vol(31))
                .never("the unmount returns: it hangs, and a healthy node is never forced"),
            false => {
                let due = look.due(|event| {
                    matches!(event, Event::Kubelet(KubeletEvent::Unstaged(n, v, _)) if (*n, *v) == (attachment.node, attachment.volume))
                });
                wait.by(Rule::vol(31)).until(due, "the kubelet has unmounted it")
            }
        };
    }
    let then =
        "the attach/detach controller detaches it by force: the node is not Ready, and has had its 6 minutes";
    wait.by(Rule::vol(45)).until(force_at, then).then([Thing::of(attachment.node)])
}

/// Attached, and a pod object on the node still wants it.
fn still_wanted(look: &Look<'_>, thing: &Thing, attachment: &Attachment) -> Vec<Wait> {
    let uses = |pod: &Pod| {
        pod.node == attachment.node
            && !pod.is_terminal()
            && look
                .claims_of(pod)
                .iter()
                .any(|(_, claim)| claim.as_ref().is_some_and(|(_, claim)| claim.volume == attachment.volume))
    };
    let users = look.store().pods.iter().filter(|(_, pod)| uses(pod));
    let users: Vec<Thing> = users.map(|(id, _)| Thing::of(id)).collect();
    let Some(user) = users.first() else { return Vec::new() };
    let on =
        format!("{} to be gone: as long as the object is there, its node wants the volume", user.text(look));
    let wait = Wait::new(look, thing, "attach/detach controller", on).by(Rule::vol(28));
    let terminating =
        users.iter().any(|user| user.meta(look.store()).is_some_and(|meta| meta.is_terminating()));
    vec![if terminating {
        wait.then(users)
    } else {
        wait.never("that pod is deleted: it runs and nobody has asked it to go")
    }]
}

fn attaching(look: &Look<'_>, thing: &Thing, id: Id<Attachment>, attachment: &Attachment) -> Wait {
    let node = look.node(attachment.node);
    let claim = look.claim_name(attachment.volume);
    if let Some(wait) = stopped(look, thing, Process::CsiController, "the disk to be attached") {
        return wait;
    }
    let wait = Wait::new(look, thing, "external-attacher", format!("the cloud to attach the disk to {node}"));
    let wait = wait.by(Rule::vol(50));
    if look.cluster.csi.is_stuck(CloudCall::Attach, &claim) {
        return wait.never("AttachVolume returns: it hangs");
    }
    let done =
        look.due(|event| matches!(event, Event::Storage(StorageEvent::Published(other, _)) if *other == id));
    if done.is_some() {
        return wait.until(done, "the cloud has attached it");
    }
    let retry = look
        .due(|event| matches!(event, Event::Storage(StorageEvent::PublishRetry(other, _)) if *other == id));
    if attachment.attach_error.is_set() {
        let volume = look.store().volumes.last_known(attachment.volume);
        let disk = volume.map_or(0, |volume| volume.disk);
        let handle = look.store().volume_handle(disk);
        let error = attachment.attach_error.message(&handle, &claim, &node);
        let wait = Wait { on: format!("the next try: {error}"), ..wait };
        return wait.until(retry, "it tries again");
    }
    wait.until(retry, "the cloud has attached it")
}

fn detaching(look: &Look<'_>, thing: &Thing, id: Id<Attachment>, attachment: &Attachment) -> Wait {
    let node = look.node(attachment.node);
    if let Some(wait) = stopped(look, thing, Process::CsiController, "the disk to be detached") {
        return wait;
    }
    let on = format!("the cloud to take the disk from {node}");
    let wait = Wait::new(look, thing, "external-attacher", on).by(Rule::vol(50));
    if look.cluster.csi.is_stuck(CloudCall::Detach, &look.claim_name(attachment.volume)) {
        return wait.never("DetachVolume returns: it hangs");
    }
    let done = look
        .due(|event| matches!(event, Event::Storage(StorageEvent::Unpublished(other, _)) if *other == id));
    if done.is_none() && look.world().mounts.has(attachment.volume, attachment.node) {
        let unless = format!(
            "{node} unmounts the disk or loses power: it is busy, and the cloud does not take it from a live machine"
        );
        return wait.by(Rule::vol(57)).never(unless).then([Thing::of(attachment.node)]);
    }
    wait.until(done, "the cloud has let go of it")
}
