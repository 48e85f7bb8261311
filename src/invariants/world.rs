//! Judgements of what really runs: at most one process per identity, graceful removal, mounts before containers.
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::invariants::Judge;
use crate::kernel::Id;
use crate::kubelet::Kubelets;
use crate::world::Actor;
use std::collections::BTreeSet;

/// What has been seen of the world.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Container sets that were running at the last look.
    running: BTreeSet<(u32, u32)>,
    /// Incarnations whose object went while they may still run: licences of INV-2.
    orphans: BTreeSet<(u32, u32)>,
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
        judge.checker.world.orphans.insert((id.as_u32(), uid.0));
    }
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
        let covered = known.is_some() || judge.checker.world.orphans.contains(&key);
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
    judge.checker.world.running = keys;
}
