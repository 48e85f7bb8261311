//! What a container can see: other pods of its owner, and whether its own volumes are new.
use super::{Field, Get, Look};
use crate::api::kind::Kind;
use crate::api::names::Name;
use crate::api::objects::*;
use crate::expect::reads::Reads;
use crate::expect::types::{Here, Ty, Value};
use crate::kernel::Id;

/// Other pods of the same StatefulSet or ReplicaSet.
pub(super) const PEERS: &[Field] = &[
    Field::new(
        "running",
        Ty::INT,
        Get::Here(|look, here| count(look, here, |look, peer, _| runs(look, here, peer))),
        "peers whose containers really run, on nodes that its own node reaches",
    )
    .reading(PODS.and(Reads::PROCESSES).and(Reads::LINKS)),
    Field::new(
        "ready",
        Ty::INT,
        Get::Here(|look, here| count(look, here, |_, _, pod| pod.is_ready())),
        "peers whose condition Ready is True",
    )
    .reading(PODS),
    Field::new(
        "total",
        Ty::INT,
        Get::Here(|look, here| count(look, here, |_, _, _| true)),
        "peers that the API knows",
    )
    .reading(PODS),
];

const PODS: Reads =
    Reads::kind(Kind::Pod).and(Reads::kind(Kind::StatefulSet)).and(Reads::kind(Kind::ReplicaSet));

/// Its own volumes.
pub(super) const OWN_VOLUME: &[Field] = &[Field::new(
    "fresh",
    Ty::BOOL,
    Get::Here(|_, here| here.fresh.into()),
    "no container has run on them before this run of this one; of a pod without claims, its first run",
)];

fn runs(look: &Look<'_>, here: Here, peer: Id<Pod>) -> bool {
    let links = &look.cluster.world.links;
    look.cluster.kubelets.running_of(peer).any(|(node, _)| links.nodes_reach(here.node, node))
}

/// How many peers are so. Those of a StatefulSet are found by their names.
fn count<'a>(look: &Look<'a>, here: Here, fits: impl Fn(&Look<'a>, Id<Pod>, &Pod) -> bool) -> Value<'a> {
    let store = look.store();
    let owner = store.pods.last_known(here.pod).and_then(|pod| store.controller_of(pod.meta.owners));
    let (Some(own), Some(owner)) = (store.pods.last_known(here.pod), owner) else { return Value::Int(0) };
    let is_peer = |id: Id<Pod>, pod: &Pod| {
        id != here.pod && store.controller_of(pod.meta.owners).is_some_and(|other| other.uid == owner.uid)
    };
    let set =
        store.stateful_sets.find(own.meta.namespace, owner.name).filter(|_| owner.kind == Kind::StatefulSet);
    let found = match set {
        Some((_, set)) => {
            let first = u32::try_from(set.start()).unwrap_or(0);
            let last = first.saturating_add(u32::try_from(set.spec.replicas).unwrap_or(0));
            let names = (first..last).map(|ordinal| Name::numbered(own.meta.name.stem(), ordinal));
            let pods = names.filter_map(|name| store.pods.find(own.meta.namespace, name));
            pods.filter(|(id, pod)| is_peer(*id, pod) && fits(look, *id, pod)).count()
        }
        None => store.pods.iter().filter(|(id, pod)| is_peer(*id, pod) && fits(look, *id, pod)).count(),
    };
    Value::Int(i64::try_from(found).unwrap_or(i64::MAX))
}
