//! What claims and volumes wait for: consumers, the PV binder, the provisioner, those who use them.
use super::{stopped, volumes};
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::event::{Event, Process, StorageEvent};
use crate::kernel::Id;
use crate::rule::Rule;
use crate::storage::CloudCall;
use crate::why::Wait;
use crate::why::look::Look;
use crate::why::thing::Thing;

/// What a claim waits for.
pub(super) fn claim(look: &Look<'_>, thing: &Thing, id: Id<Claim>) -> Vec<Wait> {
    let Some(claim) = look.store().claims.get(id).copied() else { return Vec::new() };
    if claim.meta.is_terminating() {
        return protected(look, thing, &claim);
    }
    match claim.phase() {
        ClaimPhase::Bound => Vec::new(),
        ClaimPhase::Lost => {
            let wait = Wait::new(
                look,
                thing,
                "persistentvolume-controller",
                "a volume: the one it was bound to is gone",
            );
            vec![wait.by(Rule::vol(8)).never("the claim is deleted and made anew; its data is lost")]
        }
        ClaimPhase::Pending => vec![pending(look, thing, id, &claim)],
    }
}

/// The pods that use a claim, in order.
fn users(look: &Look<'_>, claim: &Claim) -> Vec<(Thing, Pod)> {
    let uses = |pod: &Pod| {
        pod.meta.namespace == claim.meta.namespace
            && look.store().pod_spec(pod.spec).claims_of(pod.meta.name).any(|name| name == claim.meta.name)
    };
    let mut users: Vec<_> = look
        .store()
        .pods
        .iter()
        .filter(|(_, pod)| uses(pod))
        .map(|(id, pod)| (Thing::of(id), *pod))
        .collect();
    users.sort_by_cached_key(|(thing, _)| thing.text(look));
    users
}

/// pvc-protection holds a claim that scheduled pods use.
fn protected(look: &Look<'_>, thing: &Thing, claim: &Claim) -> Vec<Wait> {
    if !claim.meta.finalizers.has(Finalizers::CLAIM_PROTECTION) {
        return Vec::new();
    }
    if let Some(wait) =
        stopped(look, thing, Process::ControllerManager, "the finalizer pvc-protection to be removed")
    {
        return vec![wait];
    }
    let users: Vec<_> = users(look, claim).into_iter().filter(|(_, pod)| pod.is_bound()).collect();
    let who = "pvc-protection-controller";
    let Some((first, _)) = users.first() else {
        return vec![
            Wait::new(look, thing, who, "its look at the claim")
                .by(Rule::vol(18))
                .until(None, "it takes its finalizer off"),
        ];
    };
    let on = format!("{} to be gone: a claim that a pod uses stays", first.text(look));
    let wait = Wait::new(look, thing, who, on).by(Rule::vol(18));
    vec![if users.iter().any(|(_, pod)| pod.is_terminating()) {
        wait.then(users.into_iter().map(|(thing, _)| thing))
    } else {
        wait.never(format!("{} is deleted: it runs and nobody has asked it to go", first.text(look)))
    }]
}

fn pending(look: &Look<'_>, thing: &Thing, id: Id<Claim>, claim: &Claim) -> Wait {
    if let Some(wait) = stopped(look, thing, Process::ControllerManager, "a volume") {
        return wait;
    }
    let store = look.store();
    let spec = store.claim_spec(claim.spec);
    let binder = |on: String| Wait::new(look, thing, "persistentvolume-controller", on);
    let word = look.word(spec.class_word());
    let view = store.view(store.revision());
    let class = view.class(spec.class_word());
    let Some(class) = class else {
        let available = "a volume that fits is created by hand";
        return match word {
            "" => binder("a volume: it names no storage class".into()).by(Rule::vol(5)).never(available),
            name => binder(format!("storage class {name}, which is not there"))
                .by(Rule::vol(5))
                .never(format!("somebody creates storage class {name}, or {available}")),
        };
    };
    if claim.has(ClaimState::PROVISIONER_SET) {
        return provisioning(look, thing, id, claim);
    }
    if class.binding == BindingMode::WaitForFirstConsumer && claim.selected_node.is_none() {
        let users = users(look, claim);
        let waiting: Vec<Thing> = users
            .iter()
            .filter(|(_, pod)| !pod.is_bound() && !pod.is_terminating())
            .map(|(t, _)| t.clone())
            .collect();
        let wait = binder("a pod that uses it to get a node (WaitForFirstConsumer)".into()).by(Rule::vol(3));
        return match waiting.first() {
            Some(_) => wait.then(waiting),
            None => wait.never("a pod uses it: there is none that waits for a node"),
        };
    }
    if class.provisioner == look.store().names.known("kubernetes.io/no-provisioner").unwrap_or_default() {
        return binder("a volume that fits: its class makes none".into())
            .by(Rule::vol(6))
            .never("somebody creates such a volume");
    }
    binder("the binder's next look at it".into())
        .by(Rule::vol(1))
        .until(None, "it is bound, or handed to the provisioner")
}

fn provisioning(look: &Look<'_>, thing: &Thing, id: Id<Claim>, claim: &Claim) -> Wait {
    let name = look.name(&claim.meta);
    if let Some(wait) = stopped(look, thing, Process::CsiController, "a volume") {
        return wait;
    }
    let wait = Wait::new(look, thing, "external-provisioner", "the cloud to make the disk").by(Rule::vol(13));
    if look.cluster.csi.is_stuck(CloudCall::Provision, &name) {
        return wait.never("CreateVolume returns: it hangs");
    }
    let done = look
        .due(|event| matches!(event, Event::Storage(StorageEvent::Provisioned(other, _)) if *other == id));
    if done.is_some() {
        return wait.until(done, "the disk and its volume object are there");
    }
    let retry = look
        .due(|event| matches!(event, Event::Storage(StorageEvent::ProvisionRetry(other, _)) if *other == id));
    match look.event(Kind::Claim, &claim.meta, "ProvisioningFailed") {
        Some(message) => Wait { on: format!("the next try: {message}"), ..wait }
            .by(Rule::vol(14))
            .until(retry, "it tries again"),
        None => wait.until(retry, "the provisioner begins"),
    }
}

/// What a volume waits for.
pub(super) fn volume(look: &Look<'_>, thing: &Thing, id: Id<Volume>) -> Vec<Wait> {
    let Some(volume) = look.store().volumes.get(id).copied() else { return Vec::new() };
    let attached: Vec<Thing> = look
        .store()
        .attachments
        .iter()
        .filter(|(_, attachment)| attachment.volume == id)
        .map(|(id, _)| Thing::of(id))
        .collect();
    let claim = look.store().claims.find(volume.claim.namespace, volume.claim.name);
    let claim = claim.filter(|(_, claim)| claim.meta.uid == volume.claim.uid).map(|(id, _)| Thing::of(id));
    let protected = volume.meta.is_terminating() && volume.meta.finalizers.has(Finalizers::VOLUME_PROTECTION);
    if let Some(claim) = claim.filter(|_| protected) {
        let on = format!("{} to be gone: a bound volume stays", claim.text(look));
        let wait = Wait::new(look, thing, "pv-protection-controller", on).by(Rule::vol(19));
        let waits = claim.meta(look.store()).is_some_and(|meta| meta.is_terminating());
        return vec![if waits { wait.then([claim]) } else { wait.never("that claim is deleted") }];
    }
    match volume.phase() {
        VolumePhase::Released | VolumePhase::Failed if volume.reclaim() == Reclaim::Retain => {
            let wait =
                Wait::new(look, thing, "persistentvolume-controller", "somebody to decide about its data");
            vec![
                wait.by(Rule::vol(10))
                    .never("somebody deletes it, or takes its claimRef off (reclaim policy Retain)"),
            ]
        }
        VolumePhase::Released | VolumePhase::Failed => vec![deleting(look, thing, id, attached)],
        VolumePhase::Available | VolumePhase::Pending => {
            let wait = Wait::new(look, thing, "persistentvolume-controller", "a claim that fits");
            vec![wait.by(Rule::vol(6)).never("somebody creates one")]
        }
        VolumePhase::Bound => attached
            .into_iter()
            .flat_map(|attachment| {
                let node = attachment.id::<Attachment>().and_then(|id| look.store().attachments.get(id));
                let wanted = node.and_then(|a| volumes::attachment_of(look, a.volume, a.node));
                let busy = node.is_some_and(|a| !a.attached || a.meta.is_terminating());
                busy.then(|| {
                    let on = format!("{} to come to its end", attachment.text(look));
                    Wait::new(look, thing, "attach/detach controller", on).then(wanted)
                })
            })
            .collect(),
    }
}

fn deleting(look: &Look<'_>, thing: &Thing, id: Id<Volume>, attached: Vec<Thing>) -> Wait {
    if let Some(wait) = stopped(look, thing, Process::CsiController, "the disk to be deleted") {
        return wait;
    }
    let wait = Wait::new(look, thing, "external-provisioner", "the disk to be deleted").by(Rule::vol(16));
    if !attached.is_empty() {
        return Wait { on: "the disk to be deleted: it is still attached".into(), ..wait }.then(attached);
    }
    let done = look.due(|event| {
        matches!(event, Event::Storage(
            StorageEvent::Deleted(other, _) | StorageEvent::Delete(other, _) | StorageEvent::Finalize(other, _)
        ) if *other == id)
    });
    wait.until(done, "the cloud has deleted it")
}
