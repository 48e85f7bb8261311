//! What nodes and budgets wait for: machines, networks, the node lifecycle controller, pods to spare.
use super::stopped;
use crate::api::objects::*;
use crate::event::{Event, KubeletEvent, NodesEvent, Process};
use crate::kernel::Id;
use crate::kubelet::Silence;
use crate::rule::Rule;
use crate::why::Wait;
use crate::why::look::Look;
use crate::why::thing::Thing;

/// What a node waits for.
pub(super) fn node(look: &Look<'_>, thing: &Thing, id: Id<Node>) -> Vec<Wait> {
    let Some(node) = look.store().nodes.get(id) else { return Vec::new() };
    let mut waits: Vec<Wait> = look
        .cluster
        .kubelets
        .silence(id)
        .map(|silence| machine(look, thing, id, silence))
        .into_iter()
        .collect();
    if !waits.is_empty() || node.ready != NodeReady::True {
        waits.extend(lifecycle(look, thing, id, node));
    }
    if waits.is_empty() && node.unschedulable {
        waits.extend(drain(look, thing, id));
    }
    waits
}

/// Why nothing is heard of the machine, and what would end that.
fn machine(look: &Look<'_>, thing: &Thing, id: Id<Node>, silence: Silence) -> Wait {
    let name = look.node(id);
    let back =
        look.due(|event| matches!(event, Event::Kubelet(KubeletEvent::Reconnected(node, _)) if *node == id));
    let healed = look.healed_at(id);
    let wait = |on: &str| Wait::new(look, thing, "the machine", on).by(Rule::node(5));
    let (on, then, unless) = match silence {
        Silence::NoMachine => {
            let gone =
                look.due(|event| matches!(event, Event::Nodes(NodesEvent::AskCloud(node, _)) if *node == id));
            let wait = wait("its Node object to be deleted: the machine is gone for good").by(Rule::node(29));
            return match gone {
                Some(_) => wait.until(gone, "the cloud controller asks the cloud and deletes it"),
                None => wait.never(format!("somebody deletes node/{name}")),
            };
        }
        Silence::Off => ("power", "it is switched on again", "somebody switches it on again"),
        Silence::Stopped => (
            "its kubelet, which is stopped",
            "its kubelet starts",
            "somebody starts the kubelet; containers run on meanwhile",
        ),
        Silence::CutOff => (
            "its network: it does not reach the API server",
            "the network is whole again",
            "the network is repaired; its containers run on meanwhile",
        ),
        Silence::Reconnecting => ("its kubelet to have its watches again", "it has", "it has"),
    };
    match back.or(healed) {
        Some(time) => wait(on).until(Some(time), then),
        None => wait(on).never(unless),
    }
}

/// What the node lifecycle controller has yet to do about a silent node.
fn lifecycle(look: &Look<'_>, thing: &Thing, id: Id<Node>, node: &Node) -> Option<Wait> {
    if let Some(wait) =
        stopped(look, thing, Process::ControllerManager, "somebody to notice that it is silent")
    {
        return Some(wait);
    }
    let wait = |on: &str| Wait::new(look, thing, "node lifecycle controller", on);
    let monitor =
        look.due(|event| matches!(event, Event::Nodes(NodesEvent::Monitor(other, _)) if *other == id));
    if node.ready == NodeReady::True {
        let wait = wait("its grace period: as far as the API knows, the node is Ready").by(Rule::node(7));
        return Some(wait.until(monitor, "it sets Ready to Unknown, and its pods to not Ready"));
    }
    let tainted = node.taints.iter().any(|taint| taint.effect == Effect::NoExecute);
    if tainted {
        return None;
    }
    let next = look.due(|event| matches!(event, Event::Nodes(NodesEvent::TaintNext(..))));
    Some(match next.or(monitor) {
        Some(time) => {
            wait("its turn to be tainted").by(Rule::node(13)).until(Some(time), "it is tainted NoExecute")
        }
        None => wait("its zone to be healthy enough for evictions")
            .by(Rule::node(14))
            .never("nodes of this zone come back: too many of them are down, and then nothing is evicted"),
    })
}

/// A cordoned node waits for pods whose eviction was refused.
fn drain(look: &Look<'_>, thing: &Thing, id: Id<Node>) -> Vec<Wait> {
    let mut waits = Vec::new();
    let here = look.store().pods.iter().filter(|(_, pod)| pod.node == id && !pod.is_terminal());
    for (pod, object) in here {
        if look.eviction_refused(pod, &object.meta).is_none() {
            continue;
        }
        let budgets = look.world().budgets_of(object);
        let name = Thing::of(pod).text(look);
        let wait = Wait::new(look, thing, "kubectl drain", format!("the eviction of {name}"));
        waits.push(match budgets.as_slice() {
            [] => continue,
            [budget] => wait.by(Rule::pdb(24)).then([Thing::of(*budget)]),
            _ => wait.by(Rule::pdb(14)).never("all but one of the budgets over that pod are deleted"),
        });
    }
    waits
}

/// What a budget waits for before it allows a disruption.
pub(super) fn budget(look: &Look<'_>, thing: &Thing, id: Id<Budget>) -> Vec<Wait> {
    let Some(budget) = look.store().budgets.get(id) else { return Vec::new() };
    let status = &budget.status;
    if status.allowed > 0 {
        return Vec::new();
    }
    if let Some(wait) = stopped(look, thing, Process::ControllerManager, "its status to be computed") {
        return vec![wait];
    }
    let wait = |on: String| Wait::new(look, thing, "disruption controller", on).by(Rule::pdb(8));
    if status.reason == "SyncFailed" {
        let why = look.event(crate::api::kind::Kind::Budget, &budget.meta, "CalculateExpectedPodCountFailed");
        let why = why.unwrap_or("the number of expected pods cannot be told");
        return vec![
            wait(why.to_owned()).by(Rule::pdb(9)).never("its pods have a controller whose scale is known"),
        ];
    }
    let matches = |pod: &Pod| {
        pod.meta.namespace == budget.meta.namespace
            && !pod.is_terminal()
            && budget.selector.as_ref().is_some_and(|selector| look.store().pod_matches(pod, selector))
    };
    let sick =
        look.store().pods.iter().filter(|(_, pod)| matches(pod) && (!pod.is_ready() || pod.is_terminating()));
    let sick: Vec<Thing> = sick.map(|(id, _)| Thing::of(id)).collect();
    let needed = format!("{} healthy pods, and one to spare; {} are", status.desired, status.healthy);
    vec![match sick.is_empty() {
        true => wait(needed).never("there are more pods than it needs, or it asks for less"),
        false => wait(needed).then(sick),
    }]
}
