//! What pods wait for: the scheduler, their kubelet, eviction, the garbage collector of pods.
use super::{dns, stopped, volumes};
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::event::{Event, EvictStep, NodesEvent, Process};
use crate::kernel::Id;
use crate::kubelet::{KubeletWait, Silence};
use crate::rule::Rule;
use crate::scheduler::Standing;
use crate::why::look::Look;
use crate::why::thing::Thing;
use crate::why::{Verdict, Wait};

/// What a pod that is there waits for.
pub(super) fn waits(look: &Look<'_>, thing: &Thing, id: Id<Pod>) -> Vec<Wait> {
    let Some(pod) = look.store().pods.get(id).copied() else { return Vec::new() };
    if pod.is_terminating() {
        return terminating(look, thing, id, &pod);
    }
    if pod.is_terminal() {
        return finished(look, thing, &pod);
    }
    if !pod.is_bound() {
        return unscheduled(look, thing, id, &pod);
    }
    let mut waits = eviction(look, thing, id);
    if !pod.is_ready() {
        let silent = silent_node(look, pod.node);
        match silent {
            Some(_) => {
                let on = format!("the kubelet of {} to report", look.node(pod.node));
                waits.push(of_silent_kubelet(look, thing, &pod, &on));
            }
            None => waits.extend(kubelet(look, thing, id, &pod)),
        }
    } else if silent_node(look, pod.node).is_some() && waits.is_empty() {
        waits.push(of_silent_kubelet(look, thing, &pod, "somebody to notice that its node is silent"));
    }
    waits
}

/// The node of a pod, if nothing is heard of it.
fn silent_node(look: &Look<'_>, node: Id<Node>) -> Option<Silence> {
    look.cluster.kubelets.silence(node)
}

fn of_silent_kubelet(look: &Look<'_>, thing: &Thing, pod: &Pod, on: &str) -> Wait {
    Wait::new(look, thing, "API server", on).by(Rule::node(24)).then([Thing::of(pod.node)])
}

/// The timer of a taint-based eviction.
fn eviction(look: &Look<'_>, thing: &Thing, id: Id<Pod>) -> Vec<Wait> {
    let due = look
        .due(|event| matches!(event, Event::Nodes(NodesEvent::Evict(pod, EvictStep::Due, _)) if *pod == id));
    let Some(due) = due else { return Vec::new() };
    let on = "its toleration of the taints of its node to end (tolerationSeconds)";
    let wait = Wait::new(look, thing, "taint-eviction-controller", on);
    vec![wait.by(Rule::node(18)).until(Some(due), "it deletes the pod, and asks no budget")]
}

fn terminating(look: &Look<'_>, thing: &Thing, id: Id<Pod>, pod: &Pod) -> Vec<Wait> {
    if !pod.is_bound() {
        return Vec::new();
    }
    let node = look.node(pod.node);
    let collected = look.store().nodes.get(pod.node).is_none()
        || look.out_of_service(pod.node) && !look.node_ready(pod.node);
    if collected {
        let due = look.due(|event| matches!(event, Event::Nodes(NodesEvent::PodGc(_))));
        let why = if look.store().nodes.get(pod.node).is_none() {
            format!("its next round: node/{node} is gone")
        } else {
            format!("its next round: node/{node} is out of service")
        };
        let wait = Wait::new(look, thing, "pod garbage collector", why).by(Rule::node(26));
        return match stopped(look, thing, Process::ControllerManager, "the pod garbage collector") {
            Some(wait) => vec![wait],
            None => vec![wait.until(due, "it removes the pod with grace 0")],
        };
    }
    if silent_node(look, pod.node).is_some() {
        let on =
            format!("the kubelet of {node} to say that the containers have ended: only then the object goes");
        return vec![of_silent_kubelet(look, thing, pod, &on)];
    }
    kubelet(look, thing, id, pod)
}

/// A pod of a StatefulSet that has finished is deleted by its controller; others stay as they are.
fn finished(look: &Look<'_>, thing: &Thing, pod: &Pod) -> Vec<Wait> {
    let owner = look.store().controller_of(pod.meta.owners);
    if owner.is_none_or(|owner| owner.kind != Kind::StatefulSet) {
        return Vec::new();
    }
    let on = "its turn to be deleted: it has finished, and a new pod is to take its place";
    if let Some(wait) = stopped(look, thing, Process::ControllerManager, on) {
        return vec![wait];
    }
    let wait = Wait::new(look, thing, "StatefulSet controller", on).by(Rule::sts(57));
    vec![wait.until(None, "its controller looks at it")]
}

// ---- The scheduler -------------------------------------------------------------------------------------------------

fn unscheduled(look: &Look<'_>, thing: &Thing, id: Id<Pod>, pod: &Pod) -> Vec<Wait> {
    if let Some(wait) = stopped(look, thing, Process::Scheduler, "a node") {
        return vec![wait];
    }
    let wait = |on: &str| Wait::new(look, thing, "default-scheduler", on);
    let one = |wait: Wait| vec![wait];
    match look.cluster.scheduler.standing(id, look.world()) {
        Standing::Foreign => one(Wait::new(look, thing, "another scheduler", "it to choose a node")
            .by(Rule::sched(2))
            .never("the scheduler that its schedulerName names runs; there is none")),
        Standing::Gated => {
            let unless = "whoever set its scheduling gates takes them off";
            one(wait("its scheduling gates to be removed").by(Rule::sched(2)).never(unless))
        }
        Standing::InQueue => one(wait("its turn in the scheduling queue").by(Rule::sched(4)).until(
            look.due(|event| matches!(event, Event::Scheduler(crate::event::SchedulerEvent::Cycle(_)))),
            "the next scheduling cycle begins",
        )),
        Standing::Backoff(time) => one(wait("its back-off after an attempt that ended with an error")
            .by(Rule::sched(6))
            .until(Some(time), "it is tried again")),
        Standing::Binding => {
            let claims = look.claims_of(pod).into_iter().filter_map(|(_, claim)| claim);
            let unbound = claims.filter(|(_, claim)| !claim.is_fully_bound());
            let unbound: Vec<Thing> = unbound.map(|(id, _)| Thing::of(id)).collect();
            let wait = wait("its claims to be bound, before it binds the pod").by(Rule::sched(20));
            one(if unbound.is_empty() {
                wait.until(None, "the binding is written")
            } else {
                wait.then(unbound)
            })
        }
        Standing::Unschedulable => one(unschedulable(look, thing, id, pod)),
        Standing::Unknown => {
            one(wait("its watch to show the pod").by(Rule::sched(1)).until(None, "its watch delivers"))
        }
    }
}

/// No node passes: the verdicts, and what would have to change.
fn unschedulable(look: &Look<'_>, thing: &Thing, id: Id<Pod>, pod: &Pod) -> Wait {
    let verdicts = match look.cluster.scheduler.verdicts(id, look.world()) {
        Ok(verdicts) => verdicts,
        Err(message) => {
            let wait = Wait::new(look, thing, "default-scheduler", format!("its claims: {message}"));
            let claims = look.claims_of(pod);
            let mut missing = claims.iter().filter(|(_, claim)| claim.is_none()).map(|(name, _)| name);
            let wait = wait.by(Rule::sched(17));
            if let Some(name) = missing.next() {
                return wait.never(format!("somebody creates pvc/{name}, which is not there"));
            }
            let claims = claims.iter().filter_map(|(_, claim)| claim.as_ref());
            let open = claims.filter(|(_, c)| !c.is_fully_bound() || c.meta.is_terminating());
            return wait.then(open.map(|(id, _)| Thing::of(*id)).collect::<Vec<_>>());
        }
    };
    let nodes = look.store().nodes.len();
    let none = format!("a node that passes; of {nodes} none does");
    let mut wait = Wait::new(look, thing, "default-scheduler", none).by(Rule::sched(22));
    for rejection in &verdicts {
        let node = look.node(rejection.node);
        if let Some(last) = wait.verdicts.last_mut().filter(|last| last.node == node) {
            last.reason.push_str(&format!(", {}", rejection.reason));
            continue;
        }
        let zone = look.store().nodes.get(rejection.node).map_or("", |node| look.word(node.zone));
        wait.verdicts.push(Verdict {
            node,
            zone: zone.to_owned(),
            plugin: rejection.plugin.to_owned(),
            reason: rejection.reason.to_owned(),
        });
    }
    // A node that is kept out by what is wrong with it, and not by what the pod asks for, is part of the story.
    let sick = |plugin: &str| matches!(plugin, "TaintToleration" | "NodeUnschedulable");
    let zones: Vec<_> = zones_of(look, pod);
    let sick_nodes =
        verdicts.iter().filter(|rejection| sick(rejection.plugin)).map(|rejection| rejection.node);
    let in_zone = |node: &Id<Node>| {
        let zone = look.store().nodes.get(*node).map(|node| node.zone);
        zones.is_empty() || zone.is_some_and(|zone| zones.contains(&zone))
    };
    let mut next: Vec<Thing> = sick_nodes.filter(in_zone).map(Thing::of).collect();
    next.dedup();
    let unless = match zones.first() {
        Some(zone) => format!("a node in {} passes: its volume can be nowhere else", look.word(*zone)),
        None => {
            "a node passes: it is tried again when something changes that these plugins care for".to_owned()
        }
    };
    wait.then(next).never(unless)
}

/// The zones that the bound volumes of a pod tie it to.
pub(in crate::why) fn zones_of(look: &Look<'_>, pod: &Pod) -> Vec<crate::api::names::Sym> {
    let claims = look.claims_of(pod).into_iter().filter_map(|(_, claim)| claim);
    let volumes = claims.filter_map(|(_, claim)| look.store().volumes.get(claim.volume));
    let mut zones: Vec<_> = volumes.map(|volume| volume.zone).filter(|zone| !zone.is_empty()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

// ---- The kubelet ---------------------------------------------------------------------------------------------------

/// What the kubelet of a pod says that it waits for.
fn kubelet(look: &Look<'_>, thing: &Thing, id: Id<Pod>, pod: &Pod) -> Vec<Wait> {
    let waiting = look.cluster.kubelets.waiting(id, pod.meta.uid, look.world());
    let who = format!("kubelet of {}", look.node(pod.node));
    let container = match look.word(waiting.container) {
        "" => "its containers".to_owned(),
        name => format!("container {name}"),
    };
    let wait = |on: String| Wait::new(look, thing, who.clone(), on);
    let until = waiting.until;
    let one = |wait: Wait| vec![wait];
    match waiting.on {
        // It has done its part: what holds the object is not the kubelet's.
        KubeletWait::Unseen if pod.is_terminating() && pod.meta.has_finalizers() => Vec::new(),
        KubeletWait::Unseen => {
            one(wait("its watch to show the pod".into()).by(Rule::pod(16)).until(None, "the kubelet sees it"))
        }
        KubeletWait::Claims => unbound_claims(look, wait("the claims of the pod to be bound".into()), pod),
        KubeletWait::Attach(volumes) => {
            volumes.into_iter().map(|volume| volumes::unattached(look, (thing, pod), &who, volume)).collect()
        }
        KubeletWait::Mount => {
            let wait = wait("its volumes to be mounted".into()).by(Rule::vol(41));
            one(match until {
                Some(_) => wait.until(until, "they are mounted"),
                None => wait.never("the disk answers: the node is cut off from its storage"),
            })
        }
        KubeletWait::Sandbox => one(wait("the sandbox".into()).by(Rule::pod(17)).until(until, "it is there")),
        KubeletWait::Pull => {
            one(wait(format!("the image of {container}")).by(Rule::pod(19)).until(until, "it is pulled"))
        }
        KubeletWait::PullBackoff(image) => {
            let on = format!("image {} of {container}, which cannot be pulled; back-off", look.word(image));
            one(wait(on).by(Rule::pod(19)).until(until, "it tries again, and as it is in vain"))
        }
        KubeletWait::Start => {
            one(wait(format!("{container} to start")).by(Rule::pod(17)).until(until, "it runs"))
        }
        KubeletWait::Restart => {
            one(wait(format!("{container} to be restarted")).by(Rule::pod(20)).until(until, "it is"))
        }
        KubeletWait::CrashBackoff(code) => crash(look, wait, id, pod, &container, code, until),
        KubeletWait::Hung => {
            let wait = wait(format!("{container} to answer its probes: it hangs")).by(Rule::pod(29));
            one(match until {
                Some(_) => {
                    wait.until(until, "its liveness probe has failed often enough and it is restarted")
                }
                None => wait.never("it answers again, or is restarted; it has no liveness probe"),
            })
        }
        KubeletWait::HeldUnready => {
            let on = "the pod to be Ready: its readiness is taken away by a fault of the scenario".to_owned();
            one(wait(on).by(Rule::pod(14)).never("that fault is undone (`ready:`)"))
        }
        KubeletWait::Readiness(None) => {
            let wait = wait(format!("{container} to pass its readiness probe")).by(Rule::pod(29));
            one(match until {
                Some(_) => wait.until(until, "it does"),
                None => wait.never("the container becomes ready; what runs in it never does"),
            })
        }
        KubeletWait::Readiness(Some(condition)) => {
            let on = format!("{container} to be ready, which it is when `{condition}`");
            let needs = dns::needs(look, id, pod, &condition);
            let wait = wait(on).by(Rule::pod(29));
            one(if needs.is_empty() {
                wait.never(format!("`{condition}` becomes true"))
            } else {
                wait.then(needs)
            })
        }
        KubeletWait::Grace => one(wait(format!("{container} to end after SIGTERM"))
            .by(Rule::pod(33))
            .until(until, "they have ended, by SIGKILL if the grace period is over by then")),
        KubeletWait::Unmount => volumes::unmounting(look, wait, pod, until),
        KubeletWait::Report => {
            let wait = wait("the API server to take its last report and the final delete".into());
            one(wait.by(Rule::pod(36)).until(until, "the object goes"))
        }
        KubeletWait::Nothing if pod.is_terminating() => Vec::new(),
        KubeletWait::Nothing => one(wait("its next report of the pod's status".into())
            .by(Rule::pod(16))
            .until(None, "it is written")),
    }
}

fn unbound_claims(look: &Look<'_>, wait: Wait, pod: &Pod) -> Vec<Wait> {
    let wait = wait.by(Rule::vol(40));
    let claims = look.claims_of(pod);
    if let Some((name, _)) = claims.iter().find(|(_, claim)| claim.is_none()) {
        return vec![wait.never(format!("somebody creates pvc/{name}, which is not there"))];
    }
    let open = claims.iter().filter_map(|(_, claim)| claim.as_ref()).filter(|(_, c)| !c.is_fully_bound());
    let open: Vec<Thing> = open.map(|(id, _)| Thing::of(*id)).collect();
    vec![if open.is_empty() { wait.until(None, "the kubelet looks again") } else { wait.then(open) }]
}

/// CrashLoopBackOff: until when, and what the container would need to find so as not to end again.
fn crash(
    look: &Look<'_>,
    wait: impl Fn(String) -> Wait,
    id: Id<Pod>,
    pod: &Pod,
    container: &str,
    code: u8,
    until: Option<crate::kernel::Time>,
) -> Vec<Wait> {
    let on = format!(
        "the back-off of {container} to end: it has ended with exit code {code}, {} restarts so far",
        pod.restarts.get()
    );
    let mut waits = vec![wait(on).by(Rule::pod(21)).until(until, "it is restarted")];
    if let Some(condition) = dns::exit_condition(look, id, pod) {
        let needs = dns::needs(look, id, pod, &condition);
        let on = format!("what {container} needs to live: it ends when `{condition}`");
        let wait = wait(on).by(Rule::pod(21));
        waits.push(match needs.is_empty() {
            true => wait.never("that is no longer so"),
            false => wait.then(needs),
        });
    }
    waits
}
