//! What StatefulSets, Deployments and ReplicaSets wait for: the typed waits of their controllers, and the pods behind.
use super::stopped;
use crate::api::kind::Kind;
use crate::api::names::Name;
use crate::api::objects::*;
use crate::controllers::plan::{self, WaitOn};
use crate::event::Process;
use crate::kernel::Id;
use crate::rule::Rule;
use crate::why::Wait;
use crate::why::look::Look;
use crate::why::thing::Thing;

/// What a pod that is not there waits for: the controller that would make it.
pub(super) fn absent(look: &Look<'_>, thing: &Thing, namespace: &str, name: &str) -> Vec<Wait> {
    let store = look.store();
    let known = store.known_name(name).and_then(|name| Some((name, name.ordinal()?)));
    let space = store.names.known(namespace);
    let set = known.zip(space).and_then(|((name, ordinal), space)| {
        let set = store.known_name(look.word(name.stem()))?;
        let (id, set) = store.stateful_sets.find(space, set)?;
        Some((id, set, i64::from(ordinal)))
    });
    let Some((id, set, ordinal)) = set else { return Vec::new() };
    let set_thing = Thing::of(id);
    let who = "StatefulSet controller";
    let first = i64::from(set.start());
    let last = first + i64::from(set.spec.replicas);
    if set.meta.is_terminating() {
        let wait = Wait::new(look, thing, who, "nothing: its set is being deleted");
        return vec![wait.by(Rule::sts(41)).never("the set is created again")];
    }
    if ordinal < first || ordinal >= last {
        let text = set_thing.text(look);
        let wait =
            Wait::new(look, thing, who, format!("{text} to want it: its pods are {first} to {}", last - 1));
        return vec![wait.by(Rule::sts(10)).never(format!("{text} is scaled"))];
    }
    let wait = Wait::new(look, thing, who, format!("its turn in {}", set_thing.text(look)));
    let wait = wait.by(Rule::sts(58)).then([set_thing]);
    vec![wait]
}

/// What a StatefulSet waits for.
pub(super) fn set(look: &Look<'_>, thing: &Thing, id: Id<StatefulSet>) -> Vec<Wait> {
    let Some(set) = look.store().stateful_sets.get(id) else { return Vec::new() };
    if let Some(wait) = stopped(look, thing, Process::ControllerManager, "its controller") {
        return vec![wait];
    }
    let runner = &look.cluster.manager.stateful_set;
    if let Some(wait) = runner.wait(id.as_u32()) {
        let waits = of_controller(look, thing, id, set, wait);
        if !waits.is_empty() {
            return waits;
        }
    }
    let wait = |on: String| Wait::new(look, thing, "StatefulSet controller", on);
    let pods = look.pods_of(&set.meta);
    let sick: Vec<Thing> = pods
        .iter()
        .filter(|(_, pod)| !pod.is_ready() || pod.is_terminating())
        .map(|(id, _)| Thing::of(*id))
        .collect();
    let missing = missing(look, set);
    if !missing.is_empty() {
        let (next, failures) = runner.next_look(id.as_u32());
        let names: Vec<String> = missing.iter().take(3).map(|thing| thing.text(look)).collect();
        let on = match look.event(Kind::StatefulSet, &set.meta, "FailedCreate").filter(|_| failures > 0) {
            Some(message) => format!("{} to be created: {message}", names.join(", ")),
            None => format!("{} to be created", names.join(", ")),
        };
        return vec![wait(on).by(Rule::sts(58)).until(next, "it tries again")];
    }
    if sick.is_empty() {
        return Vec::new();
    }
    vec![wait("its pods to be Ready".into()).by(Rule::sts(76)).then(sick)]
}

/// The pods of a set that are not there, in order.
fn missing(look: &Look<'_>, set: &StatefulSet) -> Vec<Thing> {
    let store = look.store();
    let first = u32::try_from(set.start()).unwrap_or(0);
    let last = first.saturating_add(u32::try_from(set.spec.replicas).unwrap_or(0));
    let Some(stem) = store.names.known(&store.name_of(set.meta.name)) else { return Vec::new() };
    let namespace = look.word(set.meta.namespace);
    let absent = (first..last).filter_map(|ordinal| {
        let name = Name::numbered(stem, ordinal);
        let there = store.pods.find(set.meta.namespace, name).is_some();
        (!there).then(|| Thing::Absent(namespace.to_owned(), store.name_of(name)))
    });
    absent.take(100).collect()
}

/// The wait that the controller itself names.
fn of_controller(
    look: &Look<'_>,
    thing: &Thing,
    id: Id<StatefulSet>,
    set: &StatefulSet,
    wait: plan::Wait,
) -> Vec<Wait> {
    let rule = wait.rule;
    let made = |on: String| Wait::new(look, thing, "StatefulSet controller", on).by(rule);
    let pod = |id: Id<Pod>| Thing::of(id).text(look);
    let (next, _) = look.cluster.manager.stateful_set.next_look(id.as_u32());
    let one = |wait: Wait| vec![wait];
    match wait.on {
        WaitOn::Termination(id) => one(made(format!("{} to be gone", pod(id))).then([Thing::of(id)])),
        WaitOn::Readiness(id) => {
            one(made(format!("{} to be running and Ready", pod(id))).then([Thing::of(id)]))
        }
        WaitOn::Availability(id, time) => {
            let on = format!("{} to have been Ready for minReadySeconds", pod(id));
            one(made(on).until(Some(time), "it goes on"))
        }
        WaitOn::Creation(_) | WaitOn::OwnWrites => creation(look, made, set, next),
        WaitOn::Claim(claim) => {
            let name = Thing::of(claim).text(look);
            let terminating = look.store().claims.get(claim).is_some_and(|claim| claim.meta.is_terminating());
            let on = if terminating {
                format!("{name} to be gone: it is being deleted")
            } else {
                format!("{name} to be gone: an earlier pod owns it")
            };
            let wait = made(on);
            one(if terminating {
                wait.then([Thing::of(claim)])
            } else {
                wait.never(format!("somebody deletes {name} or its owner reference"))
            })
        }
        WaitOn::Name(id) => {
            let owner = "and its owner is not this set";
            one(made(format!("the name of {} to be free: a pod has it {owner}", pod(id)))
                .never(format!("somebody deletes {}", pod(id))))
        }
        WaitOn::ManualDeletion => {
            one(made("somebody to delete the pods of the old revision (OnDelete)".into())
                .never("somebody deletes them"))
        }
        WaitOn::Partition => {
            one(made("somebody to lower the partition: the pods below it stay as they are".into())
                .never("somebody lowers it"))
        }
        WaitOn::Retry => {
            let message = look.event(Kind::StatefulSet, &set.meta, "FailedCreate");
            let on = match message {
                Some(message) => format!("the API server to accept what it refuses: {message}"),
                None => "the API server to accept what it refuses".to_owned(),
            };
            one(made(on)
                .until(next, "it tries again, and it is refused again as long as nothing has changed"))
        }
        WaitOn::Dependents => {
            one(made("the garbage collector to delete what it owns".into()).until(None, "they are gone"))
        }
        WaitOn::Node(_) | WaitOn::NewPods | WaitOn::OldPods => Vec::new(),
    }
}

fn creation(
    look: &Look<'_>,
    made: impl Fn(String) -> Wait,
    set: &StatefulSet,
    next: Option<crate::kernel::Time>,
) -> Vec<Wait> {
    let Some(missing) = missing(look, set).into_iter().next() else { return Vec::new() };
    let on = match look.event(Kind::StatefulSet, &set.meta, "FailedCreate").filter(|_| next.is_some()) {
        Some(message) => format!("{} to be created: {message}", missing.text(look)),
        None => format!("{} to be created", missing.text(look)),
    };
    vec![made(on).until(next, "it tries again")]
}

/// What a Deployment waits for.
pub(super) fn deployment(look: &Look<'_>, thing: &Thing, id: Id<Deployment>) -> Vec<Wait> {
    let store = look.store();
    let Some(deployment) = store.deployments.get(id) else { return Vec::new() };
    let who = "Deployment controller";
    if let Some(wait) = stopped(look, thing, Process::ControllerManager, "its controller") {
        return vec![wait];
    }
    let status = &deployment.status;
    if deployment.spec.paused && status.updated < deployment.spec.replicas {
        let wait = Wait::new(look, thing, who, "somebody to resume it: it is paused");
        return vec![wait.by(Rule::dep(13)).never("kubectl rollout resume")];
    }
    let owned = |set: &ReplicaSet| {
        store.controller_of(set.meta.owners).is_some_and(|owner| owner.uid == deployment.meta.uid)
    };
    let sets = store.replica_sets.iter().filter(|(_, set)| owned(set));
    let busy = |set: &ReplicaSet| {
        let pods = look.pods_of(&set.meta);
        pods.len() as i64 != i64::from(set.spec.replicas)
            || pods.iter().any(|(_, pod)| !pod.is_ready() || pod.is_terminating())
    };
    let mut waiting: Vec<(bool, Thing)> =
        sets.filter(|(_, set)| busy(set)).map(|(id, set)| (set.spec.replicas == 0, Thing::of(id))).collect();
    waiting.sort();
    let waiting: Vec<Thing> = waiting.into_iter().map(|(_, thing)| thing).collect();
    let wait = look.cluster.manager.deployment.wait(id.as_u32());
    let (on, rule) = match wait.map(|wait| wait.on) {
        Some(WaitOn::OldPods) => ("the pods of the old template to be gone (Recreate)", Rule::dep(12)),
        Some(WaitOn::NewPods) => ("the pods of the new template to be available", Rule::dep(11)),
        _ if waiting.is_empty() => return Vec::new(),
        _ => ("its pods to be available", Rule::dep(16)),
    };
    let wait = Wait::new(look, thing, who, on).by(rule);
    vec![if waiting.is_empty() { wait.until(None, "they are") } else { wait.then(waiting) }]
}

/// What a ReplicaSet waits for.
pub(super) fn replica_set(look: &Look<'_>, thing: &Thing, id: Id<ReplicaSet>) -> Vec<Wait> {
    let Some(set) = look.store().replica_sets.get(id) else { return Vec::new() };
    if let Some(wait) = stopped(look, thing, Process::ControllerManager, "its controller") {
        return vec![wait];
    }
    let pods = look.pods_of(&set.meta);
    let wait = |on: String| Wait::new(look, thing, "ReplicaSet controller", on).by(Rule::rs(6));
    let active = pods.iter().filter(|(_, pod)| !pod.is_terminating() && !pod.is_terminal()).count();
    let mut waits = Vec::new();
    if (active as i64) < i64::from(set.spec.replicas) {
        let (next, _) = look.cluster.manager.replica_set.next_look(id.as_u32());
        let on = match look.event(Kind::ReplicaSet, &set.meta, "FailedCreate") {
            Some(message) => format!("pods to be created: {message}"),
            None => "pods to be created".to_owned(),
        };
        waits.push(wait(on).by(Rule::rs(10)).until(next, "it tries again"));
    }
    let sick = pods.iter().filter(|(_, pod)| !pod.is_terminal() && (!pod.is_ready() || pod.is_terminating()));
    // Those that are to come before those that are to go.
    let mut sick: Vec<(bool, Thing)> = sick.map(|(id, pod)| (pod.is_terminating(), Thing::of(*id))).collect();
    sick.sort();
    let sick: Vec<Thing> = sick.into_iter().map(|(_, thing)| thing).collect();
    if !sick.is_empty() {
        waits.push(wait("its pods to be Ready, or gone".into()).then(sick));
    }
    waits
}
