//! What is wrong when nothing happens any more: the goals that are not met, and the states that keep them from being met.
//!
//! Goals are what users ask for: StatefulSets and Deployments with all their pods, pods and ReplicaSets that nobody owns,
//! claims, drained nodes. A run that stands still with a goal unmet is in one of the states of [`stuck`], or waits for
//! something that [`waits`] names. A run that does not stand still and gets nowhere ends with a limit; what went on then
//! is seen from its last writes.
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::cluster::Cluster;
use crate::scenario::Scenario;
use crate::why::look::Look;
use crate::why::stuck::{self, Stuck};
use crate::why::thing::Thing;
use crate::why::{trial, waits};
use std::collections::BTreeMap;

/// A state that keeps goals from being met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnosis {
    /// The state, with the objects that somebody would have to do something about.
    pub stuck: Stuck,
    /// The goals that are not met because of it, by name: `sts/web`.
    pub goals: Vec<String>,
    /// The same as what can be asked about.
    pub things: Vec<Thing>,
}

/// The states that keep the goals of a cluster from being met, in order of their numbers.
pub fn diagnose(cluster: &Cluster, scenario: &Scenario) -> Vec<Diagnosis> {
    let look = Look::of(cluster, scenario);
    if look.store().objects() > trial::LARGEST {
        return Vec::new();
    }
    let mut found: BTreeMap<u8, Diagnosis> = BTreeMap::new();
    for goal in unmet(&look) {
        let (all, circle) = waits::all(&look, &goal);
        for stuck in stuck::found(&look, &goal, &all, &circle) {
            let new = Diagnosis { stuck: stuck.clone(), goals: Vec::new(), things: Vec::new() };
            let known = found.entry(stuck.id).or_insert(new);
            known.goals.push(goal.text(&look));
            known.things.push(goal.clone());
            for (thing, name) in stuck.objects.into_iter().zip(stuck.names) {
                if !known.stuck.objects.contains(&thing) {
                    known.stuck.objects.push(thing);
                    known.stuck.names.push(name);
                }
            }
        }
    }
    let mut found: Vec<Diagnosis> = found.into_values().collect();
    // What keeps another goal from being met is told there.
    let told: Vec<(u8, Vec<Thing>)> = found.iter().map(|d| (d.stuck.id, d.stuck.objects.clone())).collect();
    found.retain(|diagnosis| {
        let elsewhere = |goal: &Thing| {
            told.iter().any(|(id, objects)| *id != diagnosis.stuck.id && objects.contains(goal))
        };
        !diagnosis.things.iter().all(elsewhere)
    });
    found
}

/// What users have asked for and has not come: objects that wait, but for those whose owner tells.
pub fn unmet(look: &Look<'_>) -> Vec<Thing> {
    let store = look.store();
    let kinds = [
        Kind::StatefulSet,
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::Pod,
        Kind::Claim,
        Kind::Volume,
        Kind::Node,
    ];
    let mut all: Vec<Thing> = kinds.into_iter().flat_map(|kind| Thing::all(kind, look)).collect();
    all.retain(|thing| {
        let Some(meta) = thing.meta(store) else { return false };
        let owned = store.controller_of(meta.owners).is_some();
        match thing {
            Thing::Object(Kind::Node, _) => drains(look, thing),
            Thing::Object(Kind::Claim, _) => {
                claim_is_wanted(look, thing) && !waits::of(look, thing).is_empty()
            }
            Thing::Object(Kind::Volume, _) => meta.is_terminating() && !waits::of(look, thing).is_empty(),
            _ => !owned && !waits::of(look, thing).is_empty(),
        }
    });
    all
}

/// A node that is to be drained, and from which pods could not be evicted.
fn drains(look: &Look<'_>, thing: &Thing) -> bool {
    let Some(id) = thing.id::<Node>() else { return false };
    let cordoned = look.store().nodes.get(id).is_some_and(|node| node.unschedulable);
    let mut pods = look.store().pods.iter().filter(|(_, pod)| pod.node == id);
    cordoned && pods.any(|(pod, object)| look.eviction_refused(pod, &object.meta).is_some())
}

/// A claim that nobody uses yet, or one whose pod waits for it, is told by the pod; one that is deleted tells itself.
fn claim_is_wanted(look: &Look<'_>, thing: &Thing) -> bool {
    let Some(claim) = thing.id::<Claim>().and_then(|id| look.store().claims.get(id)) else { return false };
    claim.meta.is_terminating() || claim.phase() == ClaimPhase::Lost
}

/// Who wrote what over and over at the instant at which a run was ended by a limit: the loop, as the change log has it.
pub fn livelock(cluster: &Cluster, scenario: &Scenario) -> Vec<String> {
    let look = Look::of(cluster, scenario);
    let now = cluster.world.now();
    let writes = cluster.world.recorder.writes();
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for write in writes.iter().rev().take_while(|write| write.time == now) {
        let name = Thing::Object(write.kind, write.index).text(&look);
        *counts.entry((write.actor.as_str(), name)).or_default() += 1;
    }
    let mut all: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.iter().take(4).map(|((actor, name), count)| format!("{actor} writes {name} {count} times")).collect()
}

impl Diagnosis {
    /// One line: `STUCK-1 broken revision, OrderedReady: sts/web, for pod/web-2; delete that pod`.
    pub fn line(&self) -> String {
        let others: Vec<String> =
            self.stuck.names.iter().filter(|name| !self.goals.contains(name)).take(4).cloned().collect();
        let about =
            if others.is_empty() { String::new() } else { format!(" because of {}", others.join(", ")) };
        let goals = self.goals.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        format!(
            "STUCK-{} {}: {goals}{about}. The way out: {}",
            self.stuck.id, self.stuck.name, self.stuck.way_out
        )
    }
}
