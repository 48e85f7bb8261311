//! Judgements of what really runs: at most one process per identity, graceful removal, mounts before containers.
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::invariants::Judge;
use crate::invariants::licence::Licence;
use crate::kernel::Id;
use crate::kubelet::Kubelets;
use crate::world::Actor;
use std::collections::{BTreeMap, BTreeSet};

/// What has been seen of the world.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Container sets that were running at the last look.
    running: BTreeSet<(u32, u32)>,
    /// Incarnations whose object went while they may still run: licences of INV-2.
    orphans: BTreeMap<(u32, u32), Licence>,
}

/// INV-51, and the licences of INV-2: a pod's object goes.
pub(super) fn judge_pod(
    judge: &mut Judge<'_>,
    id: Id<Pod>,
    old: Option<&Pod>,
    new: Option<&Pod>,
    kubelets: &Kubelets,
) {
    let (Some(gone), None) = (old, new) else { return };
    let uid = gone.meta.uid;
    let running = kubelets.is_running(id, uid);
    if judge.actor == Actor::Kubelet {
        let name = judge.name(&gone.meta);
        judge.holds(51, !running && gone.is_terminal(), || {
            format!("the kubelet removed {name} before its containers had stopped and its end was written")
        });
    } else {
        let licence = licence(judge, gone);
        judge.checker.world.orphans.insert((id.as_u32(), uid.0), licence);
    }
}

/// By which licence the containers of a pod live on after somebody other than their kubelet removed it.
fn licence(judge: &Judge<'_>, gone: &Pod) -> Licence {
    let store = &judge.world.store;
    match (judge.actor, store.nodes.get(gone.node)) {
        (Actor::PodGc, None) => Licence::PodGc,
        (Actor::PodGc, Some(_)) => Licence::OutOfService,
        _ => Licence::Forced,
    }
}

/// INV-2, the famous form: two sets of containers run under one identity. No controller is to blame: one of them was
/// taken for dead.
fn judge_twins(judge: &mut Judge<'_>, now: &[(Id<Node>, Id<Pod>, Uid)]) {
    let store = &judge.world.store;
    let mut of_pod: BTreeMap<u32, Vec<(Id<Node>, Uid)>> = BTreeMap::new();
    for (node, pod, uid) in now {
        of_pod.entry(pod.as_u32()).or_default().push((*node, *uid));
    }
    let mut twins = Vec::new();
    for (pod, sets) in of_pod.iter().filter(|(_, sets)| sets.len() > 1) {
        let licence = sets.iter().find_map(|(_, uid)| judge.checker.world.orphans.get(&(*pod, uid.0)));
        let name =
            store.pods.last_known(Id::from_index(*pod as usize)).map(|pod| store.name_of(pod.meta.name));
        let on: Vec<_> = sets
            .iter()
            .map(|(node, _)| {
                store.nodes.last_known(*node).map_or_else(String::new, |n| store.name_of(n.meta.name))
            })
            .collect();
        let name = name.unwrap_or_default();
        twins.push((
            *licence.unwrap_or(&Licence::Forced),
            format!("{} processes run as {name}, on {}", on.len(), on.join(" and ")),
        ));
    }
    judge.stands(2, twins);
}

/// INV-2, INV-43: what runs now.
pub(super) fn judge(judge: &mut Judge<'_>, kubelets: &Kubelets) {
    let store = &judge.world.store;
    let now: Vec<(Id<Node>, Id<Pod>, Uid)> = kubelets.running().collect();
    let keys: BTreeSet<(u32, u32)> = now.iter().map(|(_, pod, uid)| (pod.as_u32(), uid.0)).collect();
    if keys == judge.checker.world.running {
        return;
    }
    let mut mounts = Vec::new();
    for (node, pod, uid) in &now {
        let key = (pod.as_u32(), uid.0);
        let known = store.pods.get_uid(*pod, *uid);
        let covered = known.is_some() || judge.checker.world.orphans.contains_key(&key);
        let text = || format!("containers of {:?} run on a node, and there is no such pod", pod);
        judge.holds(2, covered, text);
        if judge.checker.world.running.contains(&key) {
            continue;
        }
        if let Some(object) = known {
            let mounted: Vec<_> = kubelets.mounted(*node).collect();
            let all = store.pod_spec(object.spec).claims_of(object.meta.name).all(|claim| {
                store
                    .claims
                    .find(object.meta.namespace, claim)
                    .is_some_and(|(_, claim)| mounted.contains(&claim.volume))
            });
            mounts.push((store.name_of(object.meta.name), all));
        }
    }
    for (name, all) in mounts {
        judge.holds(43, all, || format!("containers of {name} started before its volumes were mounted"));
    }
    judge_twins(judge, &now);
    judge.checker.world.running = keys;
}
