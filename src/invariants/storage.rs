//! Judgements of claims, volumes and attachments: binding, zones, exclusive and safe attachment.
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::store::Store;
use crate::event::Process;
use crate::invariants::Judge;
use crate::kernel::Id;
use crate::storage::Csi;
use crate::world::Actor;

/// The volume behind a claim of this name, if it is bound.
fn volume_of(store: &Store, namespace: Sym, claim: Name) -> Option<(Id<Volume>, &Volume)> {
    let (_, claim) = store.claims.find(namespace, claim)?;
    store.volumes.get(claim.volume).map(|volume| (claim.volume, volume))
}

/// INV-38: a pod is bound only to nodes of the zones of its volumes.
pub(super) fn judge_pod(judge: &mut Judge<'_>, old: Option<&Pod>, new: Option<&Pod>) {
    let Some(pod) = new.filter(|pod| pod.is_bound() && old.is_none_or(|old| !old.is_bound())) else { return };
    let store = &judge.world.store;
    if judge.actor != Actor::Scheduler {
        return;
    }
    let zone = store.nodes.last_known(pod.node).map(|node| node.zone);
    let spec = store.pod_spec(pod.spec);
    let zones: Vec<_> = spec
        .claims_of(pod.meta.name)
        .filter_map(|claim| volume_of(store, pod.meta.namespace, claim))
        .map(|(_, v)| v.zone)
        .collect();
    let name = judge.name(&pod.meta);
    for volume_zone in zones {
        let fits = volume_zone.is_empty() || Some(volume_zone) == zone;
        judge.holds(38, fits, || format!("{name} was bound outside the zone of its volume"));
    }
}

/// INV-30, 33 to 36.
pub(super) fn judge_claim(judge: &mut Judge<'_>, old: Option<&Claim>, new: Option<&Claim>) {
    let world = judge.world;
    let (actor, store) = (judge.actor, &world.store);
    let Some(before) = old else { return };
    let name = judge.name(&before.meta);
    let dying = new.is_none_or(|claim| claim.meta.is_terminating()) && !before.meta.is_terminating();
    if dying {
        judge.holds(30, actor != Actor::StatefulSetController, || {
            format!("the set controller deleted claim {name}")
        });
        if actor == Actor::GarbageCollector {
            let owned = !before.meta.owners.is_empty();
            judge.holds(33, owned, || format!("claim {name} was collected although nothing owned it"));
        }
    }
    if new.is_none() && before.meta.is_terminating() {
        let user = store.pods.iter().find(|(_, pod)| {
            pod.is_bound()
                && pod.meta.namespace == before.meta.namespace
                && store.pod_spec(pod.spec).claims_of(pod.meta.name).any(|claim| claim == before.meta.name)
        });
        let by_hand = actor == Actor::User;
        judge.holds(34, user.is_none() || by_hand, || {
            format!("claim {name} went while a pod on a node uses it")
        });
    }
    if let Some(claim) =
        new.filter(|claim| claim.phase() == ClaimPhase::Bound && before.phase() != ClaimPhase::Bound)
    {
        let paired = store.volumes.get(claim.volume).is_some_and(|volume| volume.claim.uid == claim.meta.uid);
        judge.holds(35, paired, || format!("claim {name} is bound to a volume that is not bound to it"));
        legal(judge, claim);
    }
    if let Some(claim) = new
        && !before.volume.is_none()
        && actor != Actor::User
    {
        judge.holds(35, claim.volume == before.volume, || format!("claim {name} changed its volume"));
    }
}

/// A binding is legal (INV-36). What a user has bound by name is the user's: size and modes alone are looked at there
/// (VOL-6).
fn legal(judge: &mut Judge<'_>, claim: &Claim) {
    let store = &judge.world.store;
    let Some(volume) = store.volumes.get(claim.volume) else { return };
    let (asked, offered) = (store.claim_spec(claim.spec), store.claim_spec(volume.spec));
    let selected =
        asked.selector.as_ref().is_none_or(|selector| store.labels_match(volume.meta.labels, selector));
    let chosen = claim.has(ClaimState::BOUND_BY_CONTROLLER) && volume.has(VolumeState::BOUND_BY_CONTROLLER);
    let why = [
        ("it is too small", offered.bytes >= asked.bytes),
        ("it has not its access modes", offered.modes.has(asked.modes)),
        ("its volume mode is another", offered.block == asked.block),
        ("its class is another", !chosen || offered.class_word() == asked.class_word()),
        ("its labels are others", !chosen || selected),
    ];
    let name = judge.name(&claim.meta);
    for (why, holds) in why {
        judge.holds(36, holds, || format!("claim {name} is bound to a volume although {why}"));
    }
}

/// INV-35, 37.
pub(super) fn judge_volume(judge: &mut Judge<'_>, old: Option<&Volume>, new: Option<&Volume>) {
    let world = judge.world;
    let store = &world.store;
    let Some(volume) = new else { return };
    let name = judge.name(&volume.meta);
    match old {
        None if judge.actor == Actor::Provisioner => {
            let Some((_, claim)) = store.claims.find(volume.claim.namespace, volume.claim.name) else {
                return;
            };
            let class = store.claim_spec(claim.spec).class_word();
            let class =
                store.classes.iter().find(|(_, c)| store.name_of(c.meta.name) == store.names.text(class));
            if class.is_some_and(|(_, class)| class.binding == BindingMode::WaitForFirstConsumer) {
                let node = store.nodes.last_known(claim.selected_node);
                let right = node.is_some_and(|node| node.zone == volume.zone || volume.zone.is_empty());
                judge.holds(37, right, || format!("{name} was made without a selected node, or elsewhere"));
            }
        }
        Some(old) if old.claim.is_set() && !old.claim.uid.is_none() && judge.actor != Actor::User => {
            let kept =
                volume.claim.uid == old.claim.uid || !volume.claim.is_set() || volume.claim.uid.is_none();
            judge.holds(35, kept, || format!("{name} was bound again by itself"));
        }
        _ => {}
    }
}

/// INV-38, 39, 40, 41, 42.
pub(super) fn judge_attachment(
    judge: &mut Judge<'_>,
    id: Id<Attachment>,
    old: Option<&Attachment>,
    new: Option<&Attachment>,
    csi: &Csi,
) {
    let world = judge.world;
    let store = &world.store;
    if let Some(attachment) = new.filter(|new| new.attached && old.is_none_or(|old| !old.attached)) {
        let zones = store
            .volumes
            .last_known(attachment.volume)
            .zip(store.nodes.last_known(attachment.node))
            .map(|(volume, node)| volume.zone.is_empty() || volume.zone == node.zone);
        let name = judge.name(&attachment.meta);
        judge.holds(38, zones.unwrap_or(true), || format!("{name}: attached outside the zone of the volume"));
        let shared = store
            .volumes
            .last_known(attachment.volume)
            .is_some_and(|volume| store.claim_spec(volume.spec).modes.allows_many_nodes());
        let disk = store.volumes.last_known(attachment.volume).map_or(0, |volume| volume.disk);
        let really = csi
            .cloud
            .disk(disk)
            .and_then(|disk| disk.state.node())
            .is_none_or(|node| node == attachment.node);
        judge.holds(39, really || shared, || format!("{name}: the disk is attached to another machine"));
    }
    if judge.actor != Actor::AttachDetach {
        return;
    }
    if let (None, Some(created)) = (old, new) {
        let other = store.attachments.iter().find(|(other, a)| {
            *other != id
                && a.volume == created.volume
                && a.node != created.node
                && a.attached
                && !a.meta.is_terminating()
        });
        let shared = store
            .volumes
            .last_known(created.volume)
            .is_some_and(|volume| store.claim_spec(volume.spec).modes.allows_many_nodes());
        let name = judge.name(&created.meta);
        judge.holds(40, other.is_none() || shared, || {
            format!("{name}: attach asked for before the detach elsewhere")
        });
    }
    let dying = new.is_none_or(|a| a.meta.is_terminating());
    if let Some(before) = old.filter(|old| dying && !old.meta.is_terminating()) {
        safe_detach(judge, before);
    }
}

/// A volume is taken from a node only when no pod there wants it any more (INV-41, INV-42).
fn safe_detach(judge: &mut Judge<'_>, attachment: &Attachment) {
    let world = judge.world;
    let view = world.view(Process::ControllerManager);
    let name = judge.name(&attachment.meta);
    let wanting = view.iter::<Pod>().find(|(_, pod)| {
        // A detach is several calls; a pod that came while they were on their way was not there when it was decided.
        let came_since = pod.meta.created.0 + 2 >= Seconds::of(world.now()).0;
        let done = came_since || pod.is_terminal() || pod.is_terminating() && !pod.has_running_container();
        pod.node == attachment.node
            && !done
            && view.store.pod_spec(pod.spec).claims_of(pod.meta.name).any(|claim| {
                view.find::<Claim>(pod.meta.namespace, claim)
                    .is_some_and(|(_, claim)| claim.volume == attachment.volume)
            })
    });
    let who = wanting.map(|(_, pod)| view.store.name_of(pod.meta.name));
    judge.holds(42, who.is_none(), || format!("{name} is detached while {who:?} still wants it"));
    let Some(node) = view.get(attachment.node) else { return };
    let in_use = node.volumes_in_use.contains(&attachment.volume);
    let out_of_service = node
        .taints
        .iter()
        .any(|taint| view.store.names.text(taint.key) == "node.kubernetes.io/out-of-service");
    let safe = !in_use || node.ready != NodeReady::True || out_of_service;
    judge.holds(41, safe, || format!("{name} is detached while a ready node has it mounted"));
}
