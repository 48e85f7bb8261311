//! The states that Kubernetes does not leave by itself (`docs/semantics/invariants.md`, A.10), each with a predicate.
//!
//! A predicate is asked about one object; the objects asked are the one in question and those its waits lead to. What it
//! finds are the objects that somebody would have to do something about. The most general state, STUCK-17, is told only
//! where no other is.
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::api::store::REVISION_LABEL;
use crate::controllers::attach_detach::AttachWait;
use crate::controllers::plan::{Wait as ControllerWait, WaitOn};
use crate::event::{Event, NodesEvent, Process};
use crate::kernel::Id;
use crate::kubelet::KubeletWait;
use crate::rule::Rule;
use crate::scheduler::Standing;
use crate::why::look::Look;
use crate::why::thing::Thing;
use crate::why::waits::pods::zones_of;
use crate::why::{Until, Wait};

/// A state that is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stuck {
    /// Its number: STUCK-1.
    pub id: u8,
    /// What it is called.
    pub name: &'static str,
    /// Why it does not end by itself, one sentence.
    pub says: &'static str,
    /// What ends it, in general.
    pub way_out: &'static str,
    /// The objects that somebody would have to do something about.
    pub objects: Vec<Thing>,
    /// Their names.
    pub names: Vec<String>,
}

/// One state of the registry.
pub struct State {
    /// Its number.
    pub id: u8,
    /// What it is called.
    pub name: &'static str,
    /// Why it does not end by itself.
    pub says: &'static str,
    /// What ends it.
    pub way_out: &'static str,
    /// The objects to do something about, if an object is in this state.
    finds: fn(&Look<'_>, &Thing) -> Vec<Thing>,
}

macro_rules! states {
    ($($id:literal $finds:ident $name:literal: $says:literal, $way_out:literal;)*) => {
        /// All states but the circle of waits (STUCK-14), which is seen by the walk over waits.
        pub const STATES: &[State] = &[$(State {
            id: $id, name: $name, says: $says, way_out: $way_out, finds: $finds,
        }),*];
    };
}
states! {
    13 name_too_long "name too long":
        "the revision label of a pod has at most 63 characters, and the set's name takes more than 52 of them",
        "give the set a shorter name";
    15 ordinals_too_large "ordinals beyond 2^31-1":
        "start + replicas - 1 is no ordinal any more, and the API server refuses the pod",
        "lower ordinals.start or replicas";
    3 scale_down "ordered scale-down behind a bad pod":
        "an ordered set deletes no surplus pod while a pod that has to go later is not healthy",
        "repair the bad pod, or delete it";
    1 broken_revision "broken revision, OrderedReady":
        "an ordered set looks at its pods in order before it updates any, and stops at one that is not Ready; so it never \
         replaces the pod that a newer template would repair",
        "delete that pod";
    2 unavailable_used_up "maxUnavailable used up by broken pods":
        "the pods that the newer template would repair are themselves what is unavailable",
        "delete the broken pods";
    4 dead_node "Terminating on a dead node":
        "the object goes when the kubelet says that the containers have ended, and the kubelet is silent",
        "bring the node back; or, if it is surely off: the taint out-of-service, delete the Node, or delete the pod by force";
    5 finalizer "finalizer never removed":
        "the API server keeps a deleted object until its last finalizer is gone, and nobody here removes it",
        "bring back whoever owns the finalizer, or remove it by hand";
    7 attach_limit "attach limit":
        "a node where the volume could be has as many volumes as it can have",
        "add nodes, or move pods with volumes away";
    6 zone_without_node "the volume's zone has no node with room":
        "the volume lives in one zone, and no node of that zone takes the pod",
        "a node with room in that zone";
    18 two_budgets "two budgets over one pod":
        "the eviction subresource supports one PodDisruptionBudget per pod, and answers 500",
        "delete all but one of the budgets";
    8 drain_and_budget "drain against a budget":
        "the budget allows no disruption, so that the eviction is answered with 429 for ever",
        "repair pods, raise the number of pods, or change the budget";
    9 claim_terminating "the claim is terminating":
        "the set makes no pod on a claim that is being deleted, and the claim stays while somebody uses it",
        "let those who use the claim finish";
    10 stale_claim "stale owner of a claim":
        "the claim is owned by an earlier pod of that name and is to go with it",
        "remove what holds the claim, or the owner reference";
    11 multi_attach "Multi-Attach":
        "the disk can be at one node only, and the object of a pod on its present node still wants it there",
        "remove the old pod safely; use the strategy Recreate, or a StatefulSet";
    20 squatter "the name is taken":
        "a pod of the name that the set wants is there, and is not the set's",
        "delete that pod";
    12 refused "refused by the API server":
        "quota, admission or validation refuse what the controller sends, whatever it does",
        "remove the cause of the refusal";
    16 eviction_brake "eviction brake":
        "too many nodes of the zone are down, and then the node lifecycle controller evicts nothing",
        "bring nodes back";
    19 paused "rollout paused by partition or OnDelete":
        "the strategy leaves these pods on the old revision until somebody asks for more",
        "lower the partition, or delete the pods";
    17 environment "the environment does not permit it":
        "resources are missing, the image cannot be pulled, a disk cannot be attached, or what runs in the container never \
         gets ready",
        "repair that";
}

/// STUCK-14: what waits for itself.
const CIRCLE: State = State {
    id: 14,
    name: "bootstrap deadlock",
    says: "a pod gets ready only when it finds a peer, and the peer is only made, or only published, when the pod is ready",
    way_out: "publishNotReadyAddresses on the service, or podManagementPolicy Parallel",
    finds: |_, _| Vec::new(),
};

/// The state of this number.
pub fn state(id: u8) -> Option<&'static State> {
    STATES.iter().chain([&CIRCLE]).find(|state| state.id == id)
}

impl State {
    fn found(&self, look: &Look<'_>, objects: Vec<Thing>) -> Stuck {
        let names = objects.iter().map(|thing| thing.text(look)).collect();
        Stuck { id: self.id, name: self.name, says: self.says, way_out: self.way_out, objects, names }
    }
}

/// The states that an object and what its waits lead to are in, nearest to the object first.
pub fn found(look: &Look<'_>, thing: &Thing, waits: &[Wait], circle: &[String]) -> Vec<Stuck> {
    let mut things = vec![thing.clone()];
    for wait in waits {
        for thing in [&wait.thing].into_iter().chain(&wait.next) {
            if !things.contains(thing) {
                things.push(thing.clone());
            }
        }
    }
    let mut all: Vec<Stuck> = Vec::new();
    // Nobody but a pod waits for itself by what its containers need.
    if circle.iter().any(|name| name.starts_with("pod/")) {
        let services = things.iter().flat_map(|thing| services_of(look, thing));
        let mut services: Vec<Thing> = services.collect();
        services.dedup();
        all.push(CIRCLE.found(look, services));
    }
    for thing in &things {
        for state in STATES {
            let objects = (state.finds)(look, thing);
            if objects.is_empty() {
                continue;
            }
            let stuck = state.found(look, objects);
            match all.iter_mut().find(|known| known.id == state.id) {
                Some(known) => {
                    for (thing, name) in stuck.objects.into_iter().zip(stuck.names) {
                        if !known.objects.contains(&thing) {
                            known.objects.push(thing);
                            known.names.push(name);
                        }
                    }
                }
                None => all.push(stuck),
            }
        }
    }
    prune(&mut all, waits);
    all
}

/// A state that another explains is not told.
fn prune(all: &mut Vec<Stuck>, waits: &[Wait]) {
    let has = |all: &[Stuck], id: u8| all.iter().any(|stuck| stuck.id == id);
    // What has a time comes to an end.
    let timed = |wait: &Wait| matches!(wait.until, Until::At(..));
    let only_time = !waits.is_empty() && waits.iter().filter(|wait| wait.next.is_empty()).all(timed);
    if only_time && !has(all, 12) && !has(all, 13) && !has(all, 15) && !has(all, 17) && !has(all, 14) {
        all.clear();
    }
    // Why each of these is told rather than the others: it is what keeps the others from ending.
    for (strong, weak) in [
        (7, 6),
        (11, 4),
        (14, 3),
        (14, 1),
        (18, 8),
        (3, 1),
        (6, 16),
        (16, 4),
        (13, 12),
        (15, 12),
        (9, 12),
        (10, 12),
        (9, 5),
        (10, 5),
        (20, 12),
    ] {
        if has(all, strong) {
            all.retain(|stuck| stuck.id != weak);
        }
    }
    if all.len() > 1 {
        all.retain(|stuck| stuck.id != 17);
    }
}

/// The services that publish the names in a circle.
fn services_of(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let store = look.store();
    let owner = thing.id::<Pod>().and_then(|id| store.pods.get(id)).and_then(|pod| {
        let owner = store.controller_of(pod.meta.owners).filter(|owner| owner.kind == Kind::StatefulSet)?;
        store.stateful_sets.find(pod.meta.namespace, owner.name).map(|(_, set)| set)
    });
    let set = thing.id::<StatefulSet>().and_then(|id| store.stateful_sets.get(id));
    let Some(set) = set.or(owner) else { return Vec::new() };
    let service = look.word(set.spec.service_name);
    Thing::find(Kind::Service, service, look.word(set.meta.namespace), look.store()).into_iter().collect()
}

// ---- Predicates: StatefulSets --------------------------------------------------------------------------------------

fn set_of<'a>(look: &Look<'a>, thing: &Thing) -> Option<(&'a StatefulSet, Option<ControllerWait>)> {
    let id = thing.id::<StatefulSet>()?;
    let wait = look.cluster.manager.stateful_set.wait(id.as_u32());
    look.store().stateful_sets.get(id).map(|set| (set, wait))
}

/// The pods of a set, with their ordinals, in order.
fn numbered(look: &Look<'_>, set: &StatefulSet) -> Vec<(i64, Id<Pod>, Pod)> {
    let pods = look.pods_of(&set.meta).into_iter();
    let mut pods: Vec<_> =
        pods.filter_map(|(id, pod)| Some((i64::from(pod.meta.name.ordinal()?), id, pod))).collect();
    pods.sort_by_key(|(ordinal, ..)| *ordinal);
    pods
}

fn is_in_range(set: &StatefulSet, ordinal: i64) -> bool {
    let first = i64::from(set.start());
    (first..first + i64::from(set.spec.replicas)).contains(&ordinal)
}

/// The pod is not of the newest revision of its set.
pub(in crate::why) fn is_stale(look: &Look<'_>, set: &StatefulSet, pod: &Pod) -> bool {
    let key = look.store().names.known(REVISION_LABEL);
    let label = key.and_then(|key| look.store().labels.value(pod.meta.labels, key));
    let update = look.store().name_of(set.status.update_revision);
    label.is_some_and(|label| look.word(label) != update)
}

fn one(pod: Id<Pod>) -> Vec<Thing> {
    vec![Thing::of(pod)]
}

fn broken_revision(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((set, Some(wait))) = set_of(look, thing) else { return Vec::new() };
    let (true, WaitOn::Readiness(id)) = (set.is_ordered() && wait.rule == Rule::sts(60), wait.on) else {
        return Vec::new();
    };
    let pod = look.store().pods.get(id);
    let stale =
        pod.is_some_and(|pod| is_stale(look, set, pod) && !pod.is_terminal() && !pod.is_terminating());
    let rolls = matches!(set.spec.strategy, UpdateStrategy::RollingUpdate(_));
    if stale && rolls { one(id) } else { Vec::new() }
}

fn unavailable_used_up(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((set, Some(wait))) = set_of(look, thing) else { return Vec::new() };
    let gate = look.world().config.gates.max_unavailable_stateful_set;
    if !gate || set.is_ordered() || wait.rule != Rule::sts(81) || !matches!(wait.on, WaitOn::Readiness(_)) {
        return Vec::new();
    }
    let bad = numbered(look, set)
        .into_iter()
        .filter(|(ordinal, _, pod)| is_in_range(set, *ordinal) && !pod.is_ready() && !pod.is_terminating());
    let bad: Vec<_> = bad.collect();
    if !bad.iter().any(|(.., pod)| is_stale(look, set, pod)) {
        return Vec::new();
    }
    bad.into_iter().map(|(_, id, _)| Thing::of(id)).collect()
}

fn scale_down(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((set, Some(wait))) = set_of(look, thing) else { return Vec::new() };
    let surplus = numbered(look, set).into_iter().any(|(ordinal, ..)| !is_in_range(set, ordinal));
    let rules = [Rule::sts(60), Rule::sts(69)];
    match wait.on {
        WaitOn::Readiness(_) if set.is_ordered() && surplus && rules.contains(&wait.rule) => {
            let bad = numbered(look, set).into_iter().filter(|(.., pod)| !pod.is_ready());
            bad.map(|(_, id, _)| Thing::of(id)).collect()
        }
        _ => Vec::new(),
    }
}

fn claim_waited_for(look: &Look<'_>, thing: &Thing) -> Option<(Id<Claim>, Rule)> {
    let (_, wait) = set_of(look, thing)?;
    match wait? {
        ControllerWait { rule, on: WaitOn::Claim(claim) } => Some((claim, rule)),
        _ => None,
    }
}

fn claim_terminating(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((claim, rule)) = claim_waited_for(look, thing) else { return Vec::new() };
    let terminating = look.store().claims.get(claim).is_some_and(|claim| claim.meta.is_terminating());
    if terminating && rule != Rule::sts(32) { vec![Thing::of(claim)] } else { Vec::new() }
}

fn stale_claim(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let found = claim_waited_for(look, thing).filter(|(_, rule)| *rule == Rule::sts(32));
    found.map(|(claim, _)| Thing::of(claim)).into_iter().collect()
}

fn refused(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Thing::Object(kind, index) = thing else { return Vec::new() };
    let Some(meta) = thing.meta(look.store()) else { return Vec::new() };
    let failures = match kind {
        Kind::StatefulSet => look.cluster.manager.stateful_set.next_look(*index).1,
        Kind::ReplicaSet => look.cluster.manager.replica_set.next_look(*index).1,
        _ => return Vec::new(),
    };
    let told = look.event(*kind, &meta, "FailedCreate").is_some();
    if failures > 3 && told { vec![thing.clone()] } else { Vec::new() }
}

fn name_too_long(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let long = |meta: &Meta| look.name(meta).len() > 52;
    let set =
        set_of(look, thing).filter(|(set, _)| long(&set.meta) && set.status.replicas < set.spec.replicas);
    set.map(|_| thing.clone()).into_iter().collect()
}

fn ordinals_too_large(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let last = |set: &StatefulSet| i64::from(set.start()) + i64::from(set.spec.replicas) - 1;
    let set = set_of(look, thing).filter(|(set, _)| last(set) > i64::from(i32::MAX));
    set.map(|_| thing.clone()).into_iter().collect()
}

fn paused(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((set, Some(wait))) = set_of(look, thing) else { return Vec::new() };
    if !matches!(wait.on, WaitOn::ManualDeletion | WaitOn::Partition) {
        return Vec::new();
    }
    let stale = numbered(look, set).into_iter().filter(|(.., pod)| is_stale(look, set, pod));
    [thing.clone()].into_iter().chain(stale.map(|(_, id, _)| Thing::of(id))).collect()
}

fn squatter(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((_, Some(wait))) = set_of(look, thing) else { return Vec::new() };
    match wait.on {
        WaitOn::Name(pod) => one(pod),
        _ => Vec::new(),
    }
}

// ---- Predicates: pods and nodes ------------------------------------------------------------------------------------

fn pod_of(look: &Look<'_>, thing: &Thing) -> Option<(Id<Pod>, Pod)> {
    let id = thing.id::<Pod>()?;
    look.store().pods.get(id).map(|pod| (id, *pod))
}

fn dead_node(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((id, pod)) = pod_of(look, thing).filter(|(_, pod)| pod.is_terminating() && pod.is_bound())
    else {
        return Vec::new();
    };
    let there = look.store().nodes.get(pod.node).is_some();
    let dead = there && !look.node_ready(pod.node) && !look.out_of_service(pod.node);
    let silent = look.cluster.kubelets.silence(pod.node).is_some() && look.healed_at(pod.node).is_none();
    if dead && silent { one(id) } else { Vec::new() }
}

fn finalizer(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some(meta) = thing.meta(look.store()).filter(Meta::is_terminating) else { return Vec::new() };
    let protections =
        Finalizers::CLAIM_PROTECTION.with(Finalizers::VOLUME_PROTECTION).with(Finalizers::FOREGROUND);
    let drivers = Finalizers::ATTACHER.with(Finalizers::PROVISIONER);
    let any = |of: Finalizers| meta.finalizers.0 & of.0 != 0;
    let held = any(Finalizers::OTHERS)
        || any(protections) && look.stopped(Process::ControllerManager)
        || any(drivers) && look.stopped(Process::CsiController);
    if held { vec![thing.clone()] } else { Vec::new() }
}

/// The plugins that reject nodes for an unschedulable pod, with the zones of the nodes.
fn rejections(
    look: &Look<'_>,
    thing: &Thing,
) -> Option<(Id<Pod>, Pod, Vec<(Id<Node>, &'static str, &'static str)>)> {
    let (id, pod) = pod_of(look, thing).filter(|(_, pod)| !pod.is_bound() && !pod.is_terminating())?;
    if look.cluster.scheduler.standing(id, look.world()) != Standing::Unschedulable {
        return None;
    }
    let verdicts = look.cluster.scheduler.verdicts(id, look.world()).ok()?;
    Some((id, pod, verdicts.into_iter().map(|r| (r.node, r.plugin, r.reason)).collect()))
}

fn zone_without_node(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((id, pod, all)) = rejections(look, thing) else { return Vec::new() };
    let affinity = all.iter().any(|(_, _, reason)| reason.contains("PersistentVolume's node affinity"));
    if affinity && !zones_of(look, &pod).is_empty() { one(id) } else { Vec::new() }
}

fn attach_limit(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((id, _, all)) = rejections(look, thing) else { return Vec::new() };
    if all.iter().any(|(_, plugin, _)| *plugin == "NodeVolumeLimits") { one(id) } else { Vec::new() }
}

/// The budgets over each pod whose eviction was refused: of this pod, on this node, or under this budget.
fn refusing(look: &Look<'_>, thing: &Thing) -> Vec<Vec<Id<Budget>>> {
    let (pod, node, budget) = (thing.id::<Pod>(), thing.id::<Node>(), thing.id::<Budget>());
    if pod.is_none() && node.is_none() && budget.is_none() {
        return Vec::new();
    }
    let refused = look.store().pods.iter().filter(|(id, object)| {
        pod.is_none_or(|pod| pod == *id)
            && node.is_none_or(|node| node == object.node)
            && !object.is_terminating()
            && look.eviction_refused(*id, &object.meta).is_some()
    });
    let mut all: Vec<_> = refused.map(|(_, object)| look.world().budgets_of(object)).collect();
    all.retain(|budgets| budget.is_none_or(|budget| budgets.contains(&budget)));
    all
}

fn as_things(mut budgets: Vec<Id<Budget>>) -> Vec<Thing> {
    budgets.sort_unstable();
    budgets.dedup();
    budgets.into_iter().map(Thing::of).collect()
}

fn two_budgets(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    as_things(refusing(look, thing).into_iter().filter(|budgets| budgets.len() > 1).flatten().collect())
}

fn drain_and_budget(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let allows_none = |id: &Id<Budget>| look.store().budgets.get(*id).is_some_and(|b| b.status.allowed <= 0);
    let single = refusing(look, thing).into_iter().filter(|budgets| budgets.len() == 1);
    as_things(single.flatten().filter(allows_none).collect())
}

fn multi_attach(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((id, pod)) = pod_of(look, thing).filter(|(_, pod)| pod.is_bound()) else { return Vec::new() };
    let claims = look.claims_of(&pod).into_iter().filter_map(|(_, claim)| claim);
    let mut old = Vec::new();
    for (_, claim) in claims {
        let wait = look.cluster.manager.attach_detach.waits(claim.volume, pod.node, look.world());
        let Some(AttachWait::Elsewhere(other)) = wait else { continue };
        let users = look.store().pods.iter().filter(|(user, object)| {
            *user != id
                && object.node == other
                && look
                    .claims_of(object)
                    .iter()
                    .any(|(_, c)| c.as_ref().is_some_and(|(_, c)| c.volume == claim.volume))
        });
        old.extend(users.map(|(id, _)| Thing::of(id)));
    }
    old
}

fn eviction_brake(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let braked = |id: Id<Node>| {
        let node = look.store().nodes.get(id);
        let silent = look.cluster.kubelets.silence(id).is_some();
        let known = node.is_some_and(|node| {
            node.ready == NodeReady::Unknown
                && node.taints.iter().all(|taint| taint.effect != Effect::NoExecute)
        });
        let to_come = look.due(|event| match event {
            Event::Nodes(NodesEvent::TaintNext(..)) => true,
            Event::Nodes(NodesEvent::Monitor(node, _)) => *node == id,
            _ => false,
        });
        silent && known && to_come.is_none() && !look.stopped(Process::ControllerManager)
    };
    let node = match pod_of(look, thing) {
        Some((_, pod)) => pod.node,
        None => thing.id::<Node>().unwrap_or(Id::NONE),
    };
    if node.is_none() || !braked(node) {
        return Vec::new();
    }
    let nodes = look.store().nodes.iter().filter(|(id, _)| braked(*id));
    nodes.map(|(id, _)| Thing::of(id)).collect()
}

fn environment(look: &Look<'_>, thing: &Thing) -> Vec<Thing> {
    let Some((id, pod)) = pod_of(look, thing) else { return Vec::new() };
    if pod.is_terminating() || pod.is_ready() || pod.is_terminal() {
        return Vec::new();
    }
    if !pod.is_bound() {
        let standing = look.cluster.scheduler.standing(id, look.world());
        let open = matches!(standing, Standing::Unschedulable | Standing::Gated | Standing::Foreign);
        return if open { one(id) } else { Vec::new() };
    }
    if look.cluster.kubelets.silence(pod.node).is_some() {
        return Vec::new();
    }
    let waiting = look.cluster.kubelets.waiting(id, pod.meta.uid, look.world());
    let hopeless = match waiting.on {
        KubeletWait::PullBackoff(_) | KubeletWait::CrashBackoff(_) | KubeletWait::HeldUnready => true,
        KubeletWait::Hung | KubeletWait::Readiness(_) => waiting.until.is_none(),
        // The cloud refuses again and again.
        KubeletWait::Attach(volumes) => volumes.into_iter().any(|volume| {
            let wait = look.cluster.manager.attach_detach.waits(volume, pod.node, look.world());
            matches!(wait, Some(AttachWait::Backoff(Some(_))))
        }),
        _ => false,
    };
    if hopeless { one(id) } else { Vec::new() }
}
