//! Judgements of single objects as they are written: identity, phases, deletion, status, revisions.
use crate::api::objects::*;
use crate::api::pod_spec::{ClaimName, Hostname};
use crate::api::store::{Change, Verb};
use crate::event::Process;
use crate::invariants::Judge;
use crate::kernel::Id;
use crate::world::Actor;

/// INV-1: uids never repeat.
pub(super) fn judge_uid(judge: &mut Judge<'_>, change: &Change) {
    if change.verb == Verb::Created {
        let (last, uid) = (judge.checker.last_uid, change.uid.0);
        judge.holds(1, uid > last, || format!("uid {uid} was given after {last}"));
        judge.checker.last_uid = last.max(uid);
    }
}

/// INV-3, 5, 7, 28, 29, 49, 50.
pub(super) fn judge_pod(judge: &mut Judge<'_>, old: Option<&Pod>, new: Option<&Pod>) {
    let Some(pod) = new else { return };
    let world = judge.world;
    let name = judge.name(&pod.meta);
    let controllers = world.store.owners.get(pod.meta.owners).iter().filter(|owner| owner.controller).count();
    judge.holds(5, controllers <= 1, || format!("{name} has {controllers} controllers"));
    match old {
        None if judge.actor == Actor::StatefulSetController => created(judge, pod, &name),
        None => {}
        Some(old) => {
            judge.holds(7, old.meta.uid == pod.meta.uid, || {
                format!("{name} became another object in one write")
            });
            transition(judge, old, pod, &name);
        }
    }
}

fn transition(judge: &mut Judge<'_>, old: &Pod, pod: &Pod, name: &str) {
    let rank = |phase: Phase| match phase {
        Phase::Pending => 0,
        Phase::Running => 1,
        Phase::Succeeded | Phase::Failed => 2,
    };
    let by_hand = judge.actor == Actor::User;
    // Init containers that run again in place make their pod wait again (POD-10, POD-26, POD-51).
    let anew = old.phase == Phase::Running
        && pod.phase == Phase::Pending
        && !judge.world.store.pod_spec(pod.spec).inits.is_empty();
    let forward =
        anew || rank(pod.phase) >= rank(old.phase) && (!old.is_terminal() || pod.phase == old.phase);
    judge.holds(49, forward || by_hand, || format!("{name} went from {:?} to {:?}", old.phase, pod.phase));
    if old.is_terminating() {
        let [before, now] = [old, pod].map(|pod| judge.world.store.rare(&pod.meta));
        // A delete that asks for less when the time is up already makes that time now (POD-4).
        let latest = before.deleted.max(Seconds::of(judge.world.now()));
        let kept = pod.is_terminating() && now.deleted <= latest && now.grace <= before.grace;
        judge.holds(50, kept, || format!("the deletion of {name} was taken back or put off"));
    }
    let bound = old.node.is_none() || pod.node == old.node;
    judge.holds(52, bound, || format!("{name} was bound twice"));
    judge.holds(26, pod.meta.generation.get() >= old.meta.generation.get(), || {
        format!("the generation of {name} fell")
    });
}

fn created(judge: &mut Judge<'_>, pod: &Pod, name: &str) {
    let world = judge.world;
    let Some(owner) = world.store.controller_of(pod.meta.owners) else {
        judge.holds(3, false, || format!("{name} was created without owner"));
        return;
    };
    let set_text = world.store.name_of(owner.name);
    let view = world.view(Process::ControllerManager);
    let set = view.find::<StatefulSet>(pod.meta.namespace, owner.name).map(|(_, set)| set);
    let spec = world.store.pod_spec(pod.spec);
    let labels = pod.flags.has(PodFlags(PodFlags::NAME_LABEL.0 | PodFlags::INDEX_LABEL.0));
    let named = world.store.names.text(pod.meta.name.stem()) == set_text && pod.meta.name.ordinal().is_some();
    judge.holds(3, named && labels, || format!("{name} was created without its identity"));
    judge.holds(3, spec.hostname == Hostname::PodName, || format!("{name} has another hostname"));
    if let Some(set) = set.filter(|set| set.meta.uid == owner.uid) {
        let subdomain = spec.subdomain == set.spec.service_name;
        judge.holds(3, subdomain, || format!("{name} has another subdomain than the set's serviceName"));
    }
    let ordinal = pod.meta.name.ordinal().unwrap_or(0);
    for claim in &spec.claims {
        let ClaimName::PerOrdinal(stem) = claim.claim else { continue };
        let expected = format!("{}-{set_text}", world.store.names.text(claim.volume));
        let sticky = world.store.names.text(stem) == expected;
        let name_of_claim = world.store.names.known_name(&format!("{expected}-{ordinal}"));
        let seen = name_of_claim.and_then(|claim| view.find::<Claim>(pod.meta.namespace, claim));
        let dying = seen.is_some_and(|(_, claim)| claim.meta.is_terminating());
        judge.holds(29, !dying, || format!("{name} was created on the dying claim {expected}-{ordinal}"));
        judge.holds(28, sticky, || format!("{name} uses a claim other than {expected}-{ordinal}"));
    }
}

/// INV-22, 24, 26.
pub(super) fn judge_set(judge: &mut Judge<'_>, old: Option<&StatefulSet>, new: Option<&StatefulSet>) {
    let (Some(old), Some(set)) = (old, new) else { return };
    let name = judge.name(&set.meta);
    let by_hand = judge.actor == Actor::User;
    let status = &set.status;
    if old.status != *status && !by_hand {
        let counters = [status.replicas, status.ready, status.available, status.current, status.updated];
        let bounded = counters.iter().all(|counter| (0..=status.replicas).contains(counter))
            && status.available <= status.ready;
        judge.holds(24, bounded, || format!("the status of {name} is out of bounds: {status:?}"));
        let grown = status.observed_generation >= old.status.observed_generation
            && status.observed_generation <= set.meta.generation.get();
        judge.holds(26, grown, || format!("observedGeneration of {name} went back or ahead"));
        if old.status.current_revision != status.current_revision
            && old.status.current_revision != Default::default()
        {
            let promoted = matches!(set.spec.strategy, UpdateStrategy::RollingUpdate(_))
                && status.current_revision == status.update_revision;
            judge.holds(22, promoted, || {
                format!("currentRevision of {name} moved before the update was complete")
            });
        }
    }
    let spec_changed = !std::sync::Arc::ptr_eq(&old.spec, &set.spec);
    if !spec_changed && !set.meta.is_terminating() {
        judge.holds(26, old.meta.generation.get() == set.meta.generation.get(), || {
            format!("the generation of {name} changed without its spec")
        });
    }
}

/// INV-21, 23.
pub(super) fn judge_revision(
    judge: &mut Judge<'_>,
    id: Id<ControllerRevision>,
    old: Option<&ControllerRevision>,
    new: Option<&ControllerRevision>,
) {
    let world = judge.world;
    if judge.actor != Actor::StatefulSetController {
        return;
    }
    let store = &world.store;
    let owner_of =
        |revision: &ControllerRevision| store.controller_of(revision.meta.owners).map(|owner| owner.uid);
    if let (None, Some(new)) = (old, new) {
        let siblings = store.revisions.iter().filter(|(other, revision)| {
            *other != id && owner_of(revision).is_some() && owner_of(revision) == owner_of(new)
        });
        let (mut highest, mut twin) = (0, false);
        for (_, sibling) in siblings {
            highest = highest.max(sibling.number);
            twin |= sibling.data == new.data;
        }
        let name = judge.name(&new.meta);
        judge.holds(21, new.number > highest, || {
            format!("{name} has number {}, not above {highest}", new.number)
        });
        judge.holds(23, !twin, || format!("{name} was created although an equal revision exists"));
    }
    if let (Some(gone), None) = (old, new) {
        let name = judge.name(&gone.meta);
        let live = store.stateful_sets.iter().any(|(_, set)| {
            Some(set.meta.uid) == owner_of(gone)
                && (set.status.current_revision == gone.meta.name
                    || set.status.update_revision == gone.meta.name)
        });
        judge.holds(21, !live, || format!("{name} was forgotten although the set still names it"));
    }
}
