//! Decisions of the StatefulSet controller, judged from the view it decided on (INV-4 to 20, 25, 27, 29).
use crate::api::names::Name;
use crate::api::objects::*;
use crate::api::store::{REVISION_LABEL, View};
use crate::decision::{Decision, Deed};
use crate::event::Process;
use crate::invariants::Judge;
use crate::kernel::{Id, Time};
use std::collections::BTreeMap;

/// The set and its pods as the controller sees them.
struct Seen<'a> {
    set: &'a StatefulSet,
    pods: BTreeMap<i64, &'a Pod>,
    now: Time,
    update: Option<Name>,
    view: View<'a>,
}

impl Seen<'_> {
    fn in_range(&self, ordinal: i64) -> bool {
        let start = i64::from(self.set.start());
        ordinal >= start && ordinal < start + i64::from(self.set.spec.replicas)
    }

    fn range(&self) -> std::ops::Range<i64> {
        let start = i64::from(self.set.start());
        start..start + i64::from(self.set.spec.replicas)
    }

    /// Running, ready, available and not terminating.
    fn is_healthy(&self, ordinal: i64) -> bool {
        self.pods.get(&ordinal).is_some_and(|pod| pod.is_running_and_ready() && self.is_good(pod))
    }

    /// Available and not terminating.
    fn is_good(&self, pod: &Pod) -> bool {
        pod.is_available(self.set.spec.min_ready, self.now) && !pod.is_terminating()
    }

    fn is_updated(&self, pod: &Pod) -> bool {
        let store = self.view.store;
        let label =
            store.names.known(REVISION_LABEL).and_then(|key| store.labels.value(pod.meta.labels, key));
        label.zip(self.update).is_some_and(|(label, name)| store.names.text(label) == store.name_of(name))
    }

    fn surplus(&self) -> impl DoubleEndedIterator<Item = (i64, &Pod)> {
        self.pods
            .iter()
            .filter(|(ordinal, _)| !self.in_range(**ordinal))
            .map(|(ordinal, pod)| (*ordinal, *pod))
    }

    fn rolling(&self) -> Option<RollingUpdate> {
        match self.set.spec.strategy {
            UpdateStrategy::RollingUpdate(block) => Some(block.unwrap_or_default()),
            UpdateStrategy::OnDelete => None,
        }
    }

    fn index(&self, ordinal: i64) -> i64 {
        ordinal - i64::from(self.set.start())
    }
}

/// Judges one decision.
pub(super) fn judge(judge: &mut Judge<'_>, decision: &Decision) {
    let world = judge.world;
    let view = world.view(Process::ControllerManager);
    let id: Id<StatefulSet> = Id::from_index(decision.key as usize);
    let Some(set) = view.get(id) else {
        let acts =
            decision.deeds.iter().any(|deed| matches!(deed, Deed::CreatePod { .. } | Deed::DeletePod { .. }));
        judge.holds(6, !acts, || "pods are touched for a set that is gone".into());
        return;
    };
    // Pods that it adopts in this very sync are its own already (STS-86), those it releases no longer (STS-87).
    let is_member = |pod: &Pod| {
        let claims = match view.store.controller_of(pod.meta.owners) {
            Some(owner) => owner.uid == set.meta.uid,
            None => !pod.is_terminating() && !set.meta.is_terminating(),
        };
        claims && view.store.pod_matches(pod, &set.spec.selector)
    };
    let pods = view
        .iter::<Pod>()
        .filter(|(_, pod)| is_member(pod))
        .filter(|(_, pod)| pod.meta.name.stem() == stem_of(set, &view) && pod.meta.name.ordinal().is_some())
        .map(|(_, pod)| (i64::from(pod.meta.name.ordinal().unwrap_or(0)), pod))
        .collect();
    let revisions = world.store.revisions.iter().map(|(_, revision)| revision);
    let update = revisions
        .filter(|revision| revision.template == set.spec.template)
        .filter(|revision| {
            view.store.controller_of(revision.meta.owners).is_some_and(|o| o.uid == set.meta.uid)
        })
        .max_by_key(|revision| revision.number)
        .map(|revision| revision.meta.name);
    let seen = Seen { set, pods, now: world.now(), update, view };
    creations(judge, &seen, decision);
    scale_down(judge, &seen, decision);
    updates(judge, &seen, decision);
    steps(judge, &seen, decision);
    parallel(judge, &seen, decision);
    status(judge, &seen, decision);
}

/// The stem of the names of the set's pods.
fn stem_of(set: &StatefulSet, view: &View<'_>) -> crate::api::names::Sym {
    let text = view.store.name_of(set.meta.name);
    view.store.names.known(&text).unwrap_or_default()
}

fn creations(judge: &mut Judge<'_>, seen: &Seen<'_>, decision: &Decision) {
    for deed in &decision.deeds {
        let Deed::CreatePod { ordinal, updated } = *deed else { continue };
        judge.holds(4, ordinal < 0 || seen.in_range(ordinal), || {
            format!("pod {ordinal} is created outside the range")
        });
        judge.holds(6, !seen.set.meta.is_terminating(), || {
            format!("pod {ordinal} is created for a dying set")
        });
        judge.holds(7, !seen.pods.contains_key(&ordinal), || {
            format!("pod {ordinal} is created while it exists")
        });
        for template in seen.set.spec.claims.iter() {
            let name = claim_of(seen, template, ordinal);
            let known = name.and_then(|name| seen.view.find::<Claim>(seen.set.meta.namespace, name));
            let made = decision.deeds.contains(&Deed::CreateClaim { ordinal });
            let first = made || known.is_some();
            judge.holds(29, ordinal < 0 || first, || format!("pod {ordinal} is created before its claims"));
        }
        if seen.set.is_ordered() {
            let before = seen.range().find(|lower| *lower < ordinal && !seen.is_healthy(*lower));
            judge.holds(9, ordinal < 0 || before.is_none(), || {
                format!("pod {ordinal} is created while pod {before:?} is not running, ready and available")
            });
        }
        let below = seen.rolling().is_some_and(|rolling| seen.index(ordinal) < i64::from(rolling.partition));
        let bare = seen.set.spec.strategy == UpdateStrategy::RollingUpdate(None);
        let current = below || bare && seen.index(ordinal) < i64::from(seen.set.status.current);
        judge.holds(19, ordinal < 0 || updated != current, || {
            format!("pod {ordinal} is created at the {} revision", if updated { "update" } else { "current" })
        });
        judge.holds(20, ordinal < 0 || !(updated && below), || {
            format!("pod {ordinal} below the partition is created updated")
        });
    }
}

/// The name of a pod's claim from this template, if any object was ever called so.
fn claim_of(seen: &Seen<'_>, template: &ClaimTemplate, ordinal: i64) -> Option<Name> {
    let store = seen.view.store;
    let (template, set) = (store.names.text(template.name), store.name_of(seen.set.meta.name));
    store.names.known_name(&format!("{template}-{set}-{ordinal}"))
}

fn scale_down(judge: &mut Judge<'_>, seen: &Seen<'_>, decision: &Decision) {
    if !seen.set.is_ordered() {
        return;
    }
    let deleted: Vec<i64> = decision.deletions().filter(|ordinal| !seen.in_range(*ordinal)).collect();
    for ordinal in deleted {
        let bad = seen.range().find(|lower| !seen.is_healthy(*lower));
        judge.holds(10, bad.is_none(), || {
            format!("pod {ordinal} is scaled away while pod {bad:?} is not healthy")
        });
        let higher = seen.surplus().rfind(|(other, _)| *other > ordinal).map(|(other, _)| other);
        judge.holds(10, higher.is_none(), || format!("pod {ordinal} is scaled away before pod {higher:?}"));
        let lowest_bad = seen.pods.iter().find(|(_, pod)| !seen.is_good(pod)).map(|(other, _)| *other);
        let good = seen.pods.get(&ordinal).is_some_and(|pod| seen.is_good(pod));
        judge.holds(10, good || lowest_bad == Some(ordinal), || {
            format!("the bad pod {ordinal} is scaled away, but the lowest bad one is {lowest_bad:?}")
        });
    }
}

fn updates(judge: &mut Judge<'_>, seen: &Seen<'_>, decision: &Decision) {
    let gate = judge.world.config.gates.max_unavailable_stateful_set;
    let victims: Vec<i64> = decision
        .deeds
        .iter()
        .filter_map(|deed| match deed {
            Deed::DeletePod { ordinal, update: true } => Some(*ordinal),
            _ => None,
        })
        .collect();
    let Some(rolling) = seen.rolling() else {
        if seen.pods.values().any(|pod| !seen.is_updated(pod)) {
            judge.holds(17, victims.is_empty(), || {
                format!("pods {victims:?} are deleted for an update under OnDelete")
            });
        }
        return;
    };
    if victims.is_empty() {
        return;
    }
    for &ordinal in &victims {
        let pod = seen.pods.get(&ordinal);
        // With updateStrategy `{type: RollingUpdate}` alone a pod can be created at the current revision and be deleted
        // for the update in the same sync (STS-48).
        let stale = match pod {
            Some(pod) => !seen.is_updated(pod) && !pod.is_terminating(),
            None => decision.deeds.contains(&Deed::CreatePod { ordinal, updated: false }),
        };
        let above = seen.index(ordinal) >= i64::from(rolling.partition);
        judge
            .holds(11, stale && above, || format!("pod {ordinal} is deleted for an update it does not need"));
        judge.holds(20, above, || format!("pod {ordinal} below the partition is updated"));
        if !gate || rolling.max_unavailable.is_none() {
            let higher = seen.range().filter(|other| *other > ordinal).find(|other| {
                !seen.pods.get(other).is_some_and(|pod| seen.is_updated(pod) && seen.is_good(pod))
            });
            judge.holds(11, higher.is_none(), || {
                format!("pod {ordinal} is updated before pod {higher:?} is done")
            });
        }
        if seen.set.is_ordered() {
            let bad = seen.range().find(|other| !seen.is_healthy(*other));
            judge.holds(11, bad.is_none(), || {
                format!("pod {ordinal} is updated while pod {bad:?} is not healthy")
            });
            judge.holds(13, seen.surplus().next().is_none(), || {
                format!("pod {ordinal} is updated before scaling is done")
            });
        }
    }
    let budget = match rolling.max_unavailable.filter(|_| gate) {
        Some(limit) => {
            let bad = seen.range().filter(|o| !seen.pods.get(o).is_some_and(|pod| seen.is_good(pod))).count();
            i64::from(limit.floor_of(seen.set.spec.replicas).max(1)) - i64::try_from(bad).unwrap_or(i64::MAX)
        }
        None => 1,
    };
    let invariant = if gate { 12 } else { 11 };
    let count = i64::try_from(victims.len()).unwrap_or(i64::MAX);
    judge.holds(invariant, count <= budget.max(0), || {
        format!("{count} pods are deleted for an update, {budget} may be")
    });
}

/// One destructive step at a time, finished pods, silence.
fn steps(judge: &mut Judge<'_>, seen: &Seen<'_>, decision: &Decision) {
    let creates = decision.deeds.iter().filter(|deed| matches!(deed, Deed::CreatePod { .. })).count();
    let deletes = decision.deletions().count();
    let gate = judge.world.config.gates.max_unavailable_stateful_set;
    if seen.set.is_ordered() && !gate && creates + deletes > 0 {
        judge.holds(14, creates + deletes == 1, || {
            format!("{creates} creates and {deletes} deletes in one sync")
        });
    }
    for deed in &decision.deeds {
        if let Deed::DeletePod { ordinal, update: false } = *deed
            && seen.in_range(ordinal)
        {
            let finished =
                seen.pods.get(&ordinal).is_some_and(|pod| pod.is_terminal() && !pod.is_terminating());
            judge.holds(16, finished, || {
                format!("pod {ordinal} in range is deleted although it has not finished")
            });
        }
    }
    let status = &seen.set.status;
    let quiet = seen.range().all(|ordinal| {
        seen.is_healthy(ordinal) && seen.pods.get(&ordinal).is_some_and(|pod| seen.is_updated(pod))
    }) && seen.surplus().next().is_none()
        && seen.pods.len() == usize::try_from(seen.set.spec.replicas).unwrap_or(0)
        && status.current_revision == status.update_revision
        && Some(status.update_revision) == seen.update
        && status.observed_generation == seen.set.meta.generation.get()
        && [status.ready, status.available, status.current, status.updated, status.replicas]
            .iter()
            .all(|counter| *counter == seen.set.spec.replicas);
    if quiet {
        judge.holds(27, creates + deletes == 0, || {
            "pods are touched although everything is as it should be".into()
        });
    }
}

/// The status is a true count of what the controller sees (INV-25).
fn status(judge: &mut Judge<'_>, seen: &Seen<'_>, decision: &Decision) {
    let Some(status) = decision.status else { return };
    let store = seen.view.store;
    let count = |test: &dyn Fn(&Pod) -> bool| {
        i32::try_from(seen.pods.values().filter(|pod| test(pod)).count()).unwrap_or(i32::MAX)
    };
    let at = |revision: Name| {
        let revision = store.name_of(revision);
        let key = store.names.known(REVISION_LABEL);
        let of = |pod: &Pod| key.and_then(|key| store.labels.value(pod.meta.labels, key));
        count(&|pod| {
            !pod.is_terminating() && of(pod).is_some_and(|label| store.names.text(label) == revision)
        })
    };
    let ready = |pod: &Pod| pod.is_running_and_ready();
    let available = |pod: &Pod| ready(pod) && pod.is_available(seen.set.spec.min_ready, seen.now);
    let counted = [
        ("replicas", status.replicas, count(&|_| true)),
        ("readyReplicas", status.ready, count(&ready)),
        ("availableReplicas", status.available, count(&available)),
        ("currentReplicas", status.current, at(status.current_revision)),
        ("updatedReplicas", status.updated, at(status.update_revision)),
    ];
    for (field, claimed, counted) in counted {
        judge.holds(25, claimed == counted, || format!("{field} is counted {claimed}, and it is {counted}"));
    }
}

/// Parallel does not wait (INV-15).
fn parallel(judge: &mut Judge<'_>, seen: &Seen<'_>, decision: &Decision) {
    if seen.set.is_ordered() || seen.set.meta.is_terminating() || decision.deeds.is_empty() {
        return;
    }
    let created: Vec<i64> = decision
        .deeds
        .iter()
        .filter_map(|deed| match deed {
            Deed::CreatePod { ordinal, .. } => Some(*ordinal),
            _ => None,
        })
        .collect();
    if created.is_empty() || seen.set.spec.when_scaled == Retention::Delete {
        return;
    }
    let missing = seen.range().find(|ordinal| !seen.pods.contains_key(ordinal) && !created.contains(ordinal));
    judge.holds(15, missing.is_none(), || {
        format!("pod {missing:?} is missing and is not created with the others")
    });
}
