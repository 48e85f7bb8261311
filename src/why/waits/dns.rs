//! What names and services wait for, and which of them the condition of a container needs.
use crate::api::kind::Kind;
use crate::api::names::Name;
use crate::api::objects::*;
use crate::event::Process;
use crate::kernel::Id;
use crate::network::answer::Source;
use crate::network::{Asker, Network};
use crate::rule::Rule;
use crate::why::Wait;
use crate::why::look::Look;
use crate::why::thing::Thing;

/// A client outside of the cluster that remembers nothing.
const ANYBODY: Asker = Asker::Client(u32::MAX);

/// What a name gets for an answer now, in one sentence.
pub(in crate::why) fn state(look: &Look<'_>, namespace: &str, name: &str) -> String {
    let mut network: Network = look.cluster.network.clone();
    let told = network.resolve(ANYBODY, namespace, name, look.world());
    let addresses: Vec<String> = told.answer.addresses().map(Ip::render).collect();
    let from = match told.source {
        Source::Records | Source::Hosts => String::new(),
        cache => format!(", from {}", cache.as_str()),
    };
    match addresses.is_empty() {
        true => format!("resolves to nothing ({}{from})", told.answer.rcode.as_str()),
        false => format!("resolves to {}{from}", addresses.join(", ")),
    }
}

/// The service and, if it is a name of a pod, that pod, which a name stands for.
fn meant(look: &Look<'_>, namespace: &str, name: &str) -> Option<(Option<String>, String, String)> {
    let name = name.trim_end_matches('.');
    let labels: Vec<&str> = name.split('.').collect();
    let service =
        |name: &str, namespace: &str| Thing::find(Kind::Service, name, namespace, look.store()).is_some();
    let space = |place: usize| match labels.get(place) {
        None | Some(&"svc") => namespace,
        Some(word) => word,
    };
    match labels.as_slice() {
        [pod, svc, ..] if service(svc, space(2)) => {
            Some((Some((*pod).to_owned()), (*svc).to_owned(), space(2).to_owned()))
        }
        [svc, ..] if service(svc, space(1)) => Some((None, (*svc).to_owned(), space(1).to_owned())),
        [pod, svc, ..] => Some((Some((*pod).to_owned()), (*svc).to_owned(), space(2).to_owned())),
        _ => None,
    }
}

/// What a name waits for until it is answered.
pub(super) fn waits(look: &Look<'_>, thing: &Thing, namespace: &str, name: &str) -> Vec<Wait> {
    let wait = |who: &str, on: String| Wait::new(look, thing, who, on);
    if look.stopped(Process::CoreDns) {
        let on = "an answer: CoreDNS is stopped".to_owned();
        return vec![wait("coredns", on).by(Rule::dns(15)).never("coredns is started again")];
    }
    let mut network = look.cluster.network.clone();
    let told = network.resolve(ANYBODY, namespace, name, look.world());
    let cached = matches!(told.source, Source::Server | Source::Node);
    if told.answer.is_positive() && !cached {
        return Vec::new();
    }
    let mut waits = Vec::new();
    if cached {
        let what = if told.answer.is_positive() {
            "an answer that it keeps"
        } else {
            "an answer that says there is no such name"
        };
        let on = format!("{what} to be forgotten by {}", told.source.as_str());
        waits.push(wait("coredns", on).by(Rule::dns(13)).until(Some(told.until), "it asks anew"));
    }
    let Some((pod, service, space)) = meant(look, namespace, name) else { return waits };
    let found = Thing::find(Kind::Service, &service, &space, look.store());
    let Some(id) = found.and_then(|thing| thing.id::<Service>()) else {
        let on = format!("service {service}, which is not there");
        waits.push(wait("coredns", on).by(Rule::dns(3)).never(format!("somebody creates service {service}")));
        return waits;
    };
    if !told.answer.is_positive() {
        waits.extend(published(look, thing, id, pod.as_deref(), &space));
    }
    waits
}

/// Why a service does not publish a name.
fn published(look: &Look<'_>, thing: &Thing, id: Id<Service>, pod: Option<&str>, space: &str) -> Vec<Wait> {
    let Some(service) = look.store().services.get(id) else { return Vec::new() };
    let name = look.name(&service.meta);
    let wait = |on: String| Wait::new(look, thing, "coredns", on).by(Rule::dns(3));
    let Some(pod) = pod else {
        return vec![wait(format!("service {name} to have a ready endpoint")).then([Thing::of(id)])];
    };
    let there = Thing::find(Kind::Pod, pod, space, look.store());
    let Some(there) = there else {
        let absent = Thing::Absent(space.to_owned(), pod.to_owned());
        return vec![wait(format!("pod/{pod} to be there, and ready")).then([absent])];
    };
    let object = there.id::<Pod>().and_then(|id| look.store().pods.get(id));
    let ready = object.is_some_and(Pod::is_ready);
    match (ready, service.publish_not_ready) {
        (false, false) => {
            let on = format!(
                "pod/{pod} to be Ready: service {name} does not publish pods that are not (publishNotReadyAddresses)"
            );
            vec![wait(on).then([there])]
        }
        (false, true) => vec![wait(format!("pod/{pod} to have an address")).then([there])],
        (true, _) => vec![
            wait(format!("the endpoints of service {name} to name pod/{pod}"))
                .until(None, "the endpointslice controller and the watch of CoreDNS have come so far"),
        ],
    }
}

/// What the endpoints of a service wait for: pods that it selects and that are not ready.
pub(super) fn service(look: &Look<'_>, thing: &Thing, id: Id<Service>) -> Vec<Wait> {
    let Some(service) = look.store().services.get(id) else { return Vec::new() };
    let Some(selector) = &service.selector else { return Vec::new() };
    let selected = |pod: &Pod| {
        pod.meta.namespace == service.meta.namespace
            && !pod.is_terminal()
            && look.store().pod_matches(pod, selector)
    };
    let pods: Vec<_> = look.store().pods.iter().filter(|(_, pod)| selected(pod)).collect();
    let wait = |on: &str| Wait::new(look, thing, "endpointslice controller", on).by(Rule::svc(1));
    if pods.is_empty() {
        return vec![
            wait("a pod that its selector matches")
                .never("somebody creates such a pod, or corrects the selector"),
        ];
    }
    let sick: Vec<Thing> = pods
        .iter()
        .filter(|(_, pod)| !pod.is_ready() || pod.is_terminating())
        .map(|(id, _)| Thing::of(*id))
        .collect();
    if let Some(due) = look.cluster.network.rules_due(look.now) {
        return vec![
            Wait::new(look, thing, "kube-proxy", "its rules to be written")
                .by(Rule::svc(13))
                .until(Some(due), "it has"),
        ];
    }
    if sick.is_empty() { Vec::new() } else { vec![wait("its pods to be Ready").then(sick)] }
}

// ---- What the condition of a container needs -----------------------------------------------------------------------

/// The condition on which a container of a pod ends by itself, as its rule in the scenario says it.
pub(super) fn exit_condition(look: &Look<'_>, id: Id<Pod>, pod: &Pod) -> Option<String> {
    if let Some(condition) = look.cluster.kubelets.exits_when(id, pod.meta.uid) {
        return Some(condition.to_string());
    }
    let store = look.store();
    let (name, node) = (look.name(&pod.meta), look.node(pod.node));
    let spec = store.pod_spec(pod.spec);
    let mut containers = spec.all_containers();
    let rule = containers.find_map(|container| {
        look.world().config.behavior.of_container(crate::behavior::Who {
            pod: &name,
            node: &node,
            container: look.word(container.name),
            image: look.word(container.image),
            init: false,
        })
    });
    rule.and_then(|rule| rule.exit_when.as_ref().map(ToString::to_string))
}

/// The names and the peers that a condition speaks of and that are not (yet) there for this pod.
pub(super) fn needs(look: &Look<'_>, id: Id<Pod>, pod: &Pod, condition: &str) -> Vec<Thing> {
    let namespace = look.word(pod.meta.namespace);
    let mut network = look.cluster.network.clone();
    let mut found = Vec::new();
    // `pod.name + ".db"` is the name of this pod.
    let own = look.name(&pod.meta);
    let said =
        condition.replace("pod.name + \"", &format!("\"{own}")).replace("pod.name + '", &format!("'{own}"));
    for name in names_in(&said) {
        let told = network.resolve(Asker::Pod(id, pod.meta.uid), namespace, &name, look.world());
        if !told.answer.is_positive() {
            found.push(Thing::Name(namespace.to_owned(), name));
        }
    }
    if condition.contains("peers.") {
        let ready = condition.contains("peers.ready");
        found.extend(missing_peers(look, id, pod, ready));
    }
    found
}

/// The texts that a condition hands to functions of `dns`.
fn names_in(condition: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = condition;
    while let Some(at) = rest.find("dns") {
        rest = rest.get(at + 3..).unwrap_or_default();
        let call = rest.find(')').and_then(|end| rest.get(..end)).unwrap_or_default();
        let Some(start) = call.find(['"', '\'']) else { continue };
        let quote = call.get(start..start + 1).unwrap_or("\"");
        let text = call.get(start + 1..).unwrap_or_default();
        if let Some(end) = text.find(quote) {
            found.extend(text.get(..end).map(str::to_owned));
        }
    }
    found.dedup();
    found
}

/// Peers of a pod of a StatefulSet that do not run, or are not ready.
fn missing_peers(look: &Look<'_>, id: Id<Pod>, pod: &Pod, ready: bool) -> Vec<Thing> {
    let store = look.store();
    let Some(owner) = store.controller_of(pod.meta.owners).copied() else { return Vec::new() };
    let Some((_, set)) = store.stateful_sets.find(pod.meta.namespace, owner.name) else { return Vec::new() };
    let first = u32::try_from(set.start()).unwrap_or(0);
    let last = first.saturating_add(u32::try_from(set.spec.replicas).unwrap_or(0));
    let mut found = Vec::new();
    for ordinal in first..last {
        let name = Name::numbered(pod.meta.name.stem(), ordinal);
        match store.pods.find(pod.meta.namespace, name) {
            Some((other, _)) if other == id => {}
            Some((other, peer)) => {
                let runs = look.cluster.kubelets.is_running(other, peer.meta.uid);
                if !runs || ready && !peer.is_ready() {
                    found.push(Thing::of(other));
                }
            }
            None => found.push(Thing::Absent(look.word(pod.meta.namespace).to_owned(), store.name_of(name))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_conditions() {
        for (condition, names) in [
            ("dns.resolves(\"db-0.db\") && peers.running >= 2", vec!["db-0.db"]),
            ("dns.resolves('a') || dns.resolves(\"b.c\")", vec!["a", "b.c"]),
            ("size(dns(\"x\")) > 0", vec!["x"]),
            ("peers.ready == 1", vec![]),
        ] {
            assert_eq!(names_in(condition), names, "{condition}");
        }
    }
}
