//! What somebody could do about a state that does not end by itself: candidates, made from the state and its objects,
//! to be tried before anybody is told of them. The safest come first.
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::controllers::plan::WaitOn;
use crate::kernel::{Duration, Id};
use crate::kubelet::{KubeletWait, Silence};
use crate::scenario::NodeSpec;
use crate::storage::CloudCall;
use crate::why::Wait;
use crate::why::look::Look;
use crate::why::stuck::Stuck;
use crate::why::thing::{Thing, word};
use crate::why::waits::pods::zones_of;
use crate::world::{Actor, Client};
use serde_json::{Value, json};

/// Something that was tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remedy {
    /// What is done, in order: kubectl lines, and what a scenario would write as a step.
    pub commands: Vec<String>,
    /// After how long the object was out of its wait; None: it was not within the time of the trial.
    pub helps: Option<Duration>,
    /// What it costs, as seen in the trial; empty: nothing.
    pub costs: Vec<String>,
    /// What nobody sees from outside, and the simulator does: whether force is safe here.
    pub notes: Vec<String>,
}

/// Something to try: steps of a scenario.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Candidate(pub(super) Vec<Value>);

impl Candidate {
    /// As it is told.
    pub(super) fn commands(&self) -> Vec<String> {
        let told = |step: &Value| match step.as_object().and_then(|step| step.iter().next()) {
            Some((verb, Value::String(text))) if verb == "kubectl" => format!("kubectl {text}"),
            Some((verb, _)) if verb == "apply" => {
                "kubectl apply -f <the same set with podManagementPolicy: Parallel>".to_owned()
            }
            Some((verb, Value::String(text))) => format!("{verb}: {text}"),
            Some((verb, value)) => format!("{verb}: {}", flow(value)),
            None => String::new(),
        };
        self.0.iter().map(told).collect()
    }
}

/// A value as YAML in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            // The name first, as people write it.
            let mut fields: Vec<_> = fields.iter().collect();
            fields
                .sort_by_key(|(key, _)| ["name", "zone"].iter().position(|first| first == key).unwrap_or(2));
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn kubectl(line: impl Into<String>) -> Value {
    json!({"kubectl": line.into()})
}

fn only(step: Value) -> Candidate {
    Candidate(vec![step])
}

/// ` -n other`, for objects of another namespace than the default one.
fn in_namespace(look: &Look<'_>, meta: &Meta) -> String {
    match look.word(meta.namespace) {
        "" | "default" => String::new(),
        namespace => format!(" -n {namespace}"),
    }
}

/// What kubectl takes for an object: `pod web-1 -n other`.
fn named(look: &Look<'_>, thing: &Thing) -> Option<(String, Meta)> {
    let Thing::Object(kind, _) = thing else { return None };
    let meta = thing.meta(look.store())?;
    Some((format!("{} {}{}", word(*kind), look.name(&meta), in_namespace(look, &meta)), meta))
}

/// What could be done about the states found, and about what else waits for somebody.
pub(super) fn candidates(look: &Look<'_>, stuck: &[Stuck], waits: &[Wait]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    for state in stuck {
        all.extend(of_state(look, state));
    }
    all.extend(of_faults(look, waits));
    let mut found: Vec<Candidate> = Vec::new();
    for candidate in all {
        if !candidate.0.is_empty() && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

fn of_state(look: &Look<'_>, stuck: &Stuck) -> Vec<Candidate> {
    let objects = &stuck.objects;
    match stuck.id {
        1 | 2 | 20 => vec![delete_all(look, objects, "")],
        3 => scale_down(look, objects),
        4 => objects.iter().flat_map(|pod| dead_node(look, pod)).collect(),
        5 => objects.iter().map(|object| only_if(no_finalizers(look, object))).collect(),
        6 => objects.iter().flat_map(|pod| zone(look, pod)).collect(),
        7 => objects.iter().flat_map(|pod| another_node(look, pod)).collect(),
        8 => objects.iter().flat_map(|budget| budgets(look, budget)).collect(),
        9 => objects.iter().flat_map(|claim| claims(look, claim)).collect(),
        10 => objects
            .iter()
            .flat_map(|claim| claims(look, claim))
            .map(|all| nudged(look, all, objects))
            .collect(),
        11 => multi_attach(look, objects),
        12 => Vec::new(),
        14 => {
            let published = objects.iter().filter_map(|service| publish(look, service));
            published.chain(objects.iter().filter_map(|service| parallel(look, service))).collect()
        }
        15 => objects.iter().filter_map(|set| lower_ordinals(look, set)).collect(),
        16 => {
            let nodes: Vec<Value> = objects.iter().filter_map(|node| bring_back(look, node.id()?)).collect();
            vec![Candidate(nodes)]
        }
        17 => environment(look, objects),
        18 => {
            objects.iter().skip(1).map(|budget| delete_all(look, std::slice::from_ref(budget), "")).collect()
        }
        19 => paused(look, objects),
        _ => Vec::new(),
    }
}

fn only_if(step: Option<Value>) -> Candidate {
    Candidate(step.into_iter().collect())
}

fn delete_all(look: &Look<'_>, things: &[Thing], options: &str) -> Candidate {
    let delete = |thing: &Thing| {
        let (name, _) = named(look, thing)?;
        Some(kubectl(format!("delete {name}{options}")))
    };
    Candidate(things.iter().filter_map(delete).collect())
}

fn scale_down(look: &Look<'_>, bad: &[Thing]) -> Vec<Candidate> {
    let undo = bad
        .iter()
        .filter_map(|pod| owner(look, pod))
        .next()
        .map(|owner| kubectl(format!("rollout undo {owner}")));
    let delete = delete_all(look, bad, "");
    let mut repaired = Candidate(undo.into_iter().collect());
    repaired.0.extend(delete.0.clone());
    vec![delete, repaired]
}

/// `statefulset/web`, the workload that a pod belongs to.
fn owner(look: &Look<'_>, pod: &Thing) -> Option<String> {
    let store = look.store();
    let meta = pod.meta(store)?;
    let owner = store.controller_of(meta.owners).copied()?;
    let namespace = in_namespace(look, &meta);
    match owner.kind {
        Kind::StatefulSet => Some(format!("statefulset/{}{namespace}", store.name_of(owner.name))),
        Kind::ReplicaSet => {
            let (_, set) = store.replica_sets.find(meta.namespace, owner.name)?;
            let owner = store.controller_of(set.meta.owners)?;
            Some(format!("deployment/{}{namespace}", store.name_of(owner.name)))
        }
        _ => None,
    }
}

/// What brings a silent machine back, by what silences it.
fn bring_back(look: &Look<'_>, node: Id<Node>) -> Option<Value> {
    let name = format!("node/{}", look.node(node));
    match look.cluster.kubelets.silence(node)? {
        Silence::Off => Some(json!({"recover": name})),
        Silence::CutOff => Some(json!({"heal": name})),
        Silence::Stopped => Some(json!({"start": format!("kubelet/{}", look.node(node))})),
        Silence::NoMachine | Silence::Reconnecting => None,
    }
}

fn out_of_service(look: &Look<'_>, node: Id<Node>) -> Value {
    kubectl(format!(
        "taint nodes {} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute",
        look.node(node)
    ))
}

fn dead_node(look: &Look<'_>, pod: &Thing) -> Vec<Candidate> {
    let Some(object) = pod.id::<Pod>().and_then(|id| look.store().pods.get(id)) else { return Vec::new() };
    let mut all = vec![only_if(bring_back(look, object.node)), only(out_of_service(look, object.node))];
    all.push(delete_all(look, std::slice::from_ref(pod), " --force --grace-period=0"));
    all
}

fn no_finalizers(look: &Look<'_>, thing: &Thing) -> Option<Value> {
    let (name, meta) = named(look, thing)?;
    // Those of components that are only stopped are theirs to remove.
    let own = meta.finalizers.has(Finalizers::OTHERS);
    let patch = r#"--type=merge -p '{"metadata":{"finalizers":null}}'"#;
    own.then(|| kubectl(format!("patch {name} {patch}")))
}

/// Room in the zone of a pod's volumes: nodes of the zone that could take it, or a new one; at last without the data.
fn zone(look: &Look<'_>, pod: &Thing) -> Vec<Candidate> {
    let Some(object) = pod.id::<Pod>().and_then(|id| look.store().pods.get(id).copied()) else {
        return Vec::new();
    };
    let zones = zones_of(look, &object);
    let mut all = Vec::new();
    for (id, node) in look.store().nodes.iter().filter(|(_, node)| zones.contains(&node.zone)) {
        if node.unschedulable {
            all.push(only(kubectl(format!("uncordon {}", look.node(id)))));
        }
        all.push(only_if(bring_back(look, id)));
    }
    if let Some(zone) = zones.first() {
        all.push(add_node(look, look.word(*zone)));
    }
    let claims = look.claims_of(&object).into_iter().filter_map(|(_, claim)| claim);
    let mut anew: Vec<Value> = claims
        .filter_map(|(id, _)| named(look, &Thing::of(id)))
        .map(|(name, _)| kubectl(format!("delete {name} --wait=false")))
        .collect();
    anew.extend(delete_all(look, std::slice::from_ref(pod), "").0);
    all.push(Candidate(anew));
    all
}

/// A node like the largest of the scenario, in a zone.
fn add_node(look: &Look<'_>, zone: &str) -> Candidate {
    let largest = look.scenario.nodes.iter().max_by_key(|node| (node.cpu, node.memory));
    let (cpu, memory) = largest.map_or((8000, 32 << 30), |node: &NodeSpec| (node.cpu, node.memory));
    let mut node = json!({"name": "new-node"});
    if !zone.is_empty() {
        node["zone"] = zone.into();
    }
    if (cpu, memory) != (8000, 32 << 30) {
        node["cpu"] = if cpu % 1000 == 0 { (cpu / 1000).to_string() } else { format!("{cpu}m") }.into();
        let whole = memory % (1 << 30) == 0;
        node["memory"] = if whole { format!("{}Gi", memory >> 30) } else { memory.to_string() }.into();
    }
    only(json!({"addNode": node}))
}

fn another_node(look: &Look<'_>, pod: &Thing) -> Vec<Candidate> {
    let Some(object) = pod.id::<Pod>().and_then(|id| look.store().pods.get(id).copied()) else {
        return Vec::new();
    };
    let zone = zones_of(look, &object).first().copied().map(|zone| look.word(zone));
    let first = look.store().nodes.iter().next().map_or("", |(_, node)| look.word(node.zone));
    vec![add_node(look, zone.unwrap_or(first))]
}

fn budgets(look: &Look<'_>, budget: &Thing) -> Vec<Candidate> {
    let Some((name, _)) = named(look, budget) else { return Vec::new() };
    let Some(object) = budget.id::<Budget>().and_then(|id| look.store().budgets.get(id)) else {
        return Vec::new();
    };
    let matches = |pod: &Pod| {
        pod.meta.namespace == object.meta.namespace
            && object.selector.as_ref().is_some_and(|selector| look.store().pod_matches(pod, selector))
    };
    let sick =
        look.store().pods.iter().find(|(_, pod)| matches(pod) && !pod.is_ready() && !pod.is_terminating());
    let mut all = Vec::new();
    if let Some((id, _)) = sick {
        let always = r#"{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}"#;
        all.push(only(kubectl(format!("patch {name} --type=merge -p '{always}'"))));
        all.push(delete_all(look, &[Thing::of(id)], ""));
    }
    let patch = match object.max_unavailable {
        Some(_) => r#"{"spec":{"maxUnavailable":1}}"#.to_owned(),
        None => format!(r#"{{"spec":{{"minAvailable":{}}}}}"#, (object.status.desired - 1).max(0)),
    };
    all.push(only(kubectl(format!("patch {name} --type=merge -p '{patch}'"))));
    all.push(delete_all(look, std::slice::from_ref(budget), ""));
    all
}

fn claims(look: &Look<'_>, claim: &Thing) -> Vec<Candidate> {
    let Some(object) = claim.id::<Claim>().and_then(|id| look.store().claims.get(id)) else {
        return Vec::new();
    };
    let uses = |pod: &Pod| {
        look.claims_of(pod)
            .iter()
            .any(|(_, c)| c.as_ref().is_some_and(|(_, c)| c.meta.uid == object.meta.uid))
    };
    let users = look.store().pods.iter().filter(|(_, pod)| uses(pod) && !pod.is_terminating());
    let users: Vec<Thing> = users.map(|(id, _)| Thing::of(id)).collect();
    let mut all = vec![delete_all(look, &users, "")];
    if object.meta.is_terminating() {
        all.push(only_if(no_finalizers(look, claim)));
    } else {
        all.push(delete_all(look, std::slice::from_ref(claim), " --wait=false"));
    }
    if let Some((name, _)) = named(look, claim) {
        all.push(only(kubectl(format!(
            r#"patch {name} --type=merge -p '{{"metadata":{{"ownerReferences":null}}}}'"#
        ))));
    }
    all
}

/// Nothing tells a set that a claim is gone (STS-99): whoever changes something about the set does.
fn nudged(look: &Look<'_>, mut candidate: Candidate, claims: &[Thing]) -> Candidate {
    let waits = |id: &Id<StatefulSet>| {
        let wait = look.cluster.manager.stateful_set.wait(id.as_u32());
        wait.is_some_and(|wait| matches!(wait.on, WaitOn::Claim(claim) if claims.contains(&Thing::of(claim))))
    };
    let set = look.store().stateful_sets.iter().map(|(id, _)| id).find(waits);
    if let Some((name, _)) = set.and_then(|set| named(look, &Thing::of(set)))
        && !candidate.0.is_empty()
    {
        candidate.0.push(kubectl(format!("annotate {name} looked-at=again --overwrite")));
    }
    candidate
}

fn multi_attach(look: &Look<'_>, old: &[Thing]) -> Vec<Candidate> {
    let mut all = Vec::new();
    for pod in old {
        let Some(object) = pod.id::<Pod>().and_then(|id| look.store().pods.get(id)) else { continue };
        if look.cluster.kubelets.silence(object.node).is_some() {
            all.extend(dead_node(look, pod));
        } else if !object.is_terminating() {
            all.push(delete_all(look, std::slice::from_ref(pod), ""));
        }
    }
    all
}

fn publish(look: &Look<'_>, service: &Thing) -> Option<Candidate> {
    let (name, _) = named(look, service)?;
    Some(only(kubectl(format!(
        r#"patch {name} --type=merge -p '{{"spec":{{"publishNotReadyAddresses":true}}}}'"#
    ))))
}

fn lower_ordinals(look: &Look<'_>, set: &Thing) -> Option<Candidate> {
    let (name, _) = named(look, set)?;
    Some(only(kubectl(format!(r#"patch {name} --type=merge -p '{{"spec":{{"ordinals":{{"start":0}}}}}}'"#))))
}

fn paused(look: &Look<'_>, objects: &[Thing]) -> Vec<Candidate> {
    let Some((set, pods)) = objects.split_first() else { return Vec::new() };
    let Some((name, _)) = named(look, set) else { return Vec::new() };
    let lower = r#"{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}"#;
    let strategy = set.id::<StatefulSet>().and_then(|id| look.store().stateful_sets.get(id));
    match strategy.map(|set| set.spec.strategy) {
        Some(UpdateStrategy::OnDelete) => vec![delete_all(look, pods, "")],
        _ => vec![only(kubectl(format!("patch {name} --type=merge -p '{lower}'")))],
    }
}

/// What pods lack that their environment does not give them.
fn environment(look: &Look<'_>, pods: &[Thing]) -> Vec<Candidate> {
    let mut all = Vec::new();
    let mut undone = Vec::new();
    for pod in pods {
        let Some((id, object)) = pod.id::<Pod>().and_then(|id| Some((id, *look.store().pods.get(id)?)))
        else {
            continue;
        };
        if !object.is_bound() {
            all.extend(room(look, pod));
            continue;
        }
        if look.cluster.kubelets.waiting(id, object.meta.uid, look.world()).on == KubeletWait::HeldUnready {
            all.push(only(json!({"ready": format!("pod/{}", look.name(&object.meta))})));
        }
        undone.extend(owner(look, pod).map(|owner| kubectl(format!("rollout undo {owner}"))));
    }
    undone.dedup();
    let delete = delete_all(look, pods, "");
    all.push(delete.clone());
    if !undone.is_empty() {
        all.push(Candidate(undone.clone()));
        all.push(Candidate(undone.into_iter().chain(delete.0).collect()));
    }
    all
}

/// Nodes for a pod that none takes: those that could come back, or a new one.
fn room(look: &Look<'_>, pod: &Thing) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (id, node) in look.store().nodes.iter() {
        if node.unschedulable {
            all.push(only(kubectl(format!("uncordon {}", look.node(id)))));
        }
        all.push(only_if(bring_back(look, id)));
    }
    all.extend(another_node(look, pod));
    all
}

/// The set behind a service made anew with podManagementPolicy Parallel, which cannot be changed; its pods stay.
fn parallel(look: &Look<'_>, service: &Thing) -> Option<Candidate> {
    let meta = service.meta(look.store())?;
    let name = look.store().names.known(&look.name(&meta))?;
    let behind = |set: &StatefulSet| {
        set.meta.namespace == meta.namespace && set.spec.service_name == name && set.is_ordered()
    };
    let (_, set) = look.store().stateful_sets.iter().find(|(_, set)| behind(set))?;
    let (set, namespace) = (look.name(&set.meta), look.word(meta.namespace));
    let object = look.world().rest_find(Kind::StatefulSet, namespace, &set)?;
    let mut manifest = look.world().rest_get(object).ok()?;
    manifest["spec"]["podManagementPolicy"] = "Parallel".into();
    let fields = manifest.as_object_mut()?;
    fields.remove("status");
    let metadata = fields.get_mut("metadata")?.as_object_mut()?;
    metadata.retain(|field, _| matches!(field.as_str(), "name" | "namespace" | "labels" | "annotations"));
    let delete = kubectl(format!("delete sts {set}{} --cascade=orphan", in_namespace(look, &meta)));
    Some(Candidate(vec![delete, json!({"apply": manifest.to_string()})]))
}

/// What undoes faults that keep things waiting.
fn of_faults(look: &Look<'_>, waits: &[Wait]) -> Vec<Candidate> {
    let mut all = Vec::new();
    for process in crate::event::Process::ALL.into_iter().filter(|process| look.stopped(*process)) {
        all.push(only(json!({"start": process.as_str()})));
    }
    let mut failing =
        look.world().write_faults.iter().filter(|fault| fault.is_of_server() && !fault.is_over());
    if let Some(first) = failing.next() {
        // Both words end all of them; the one that the scenario is likely to have used is the plainer one.
        let refused = first.writes.client == Client::Actor(Actor::StatefulSetController);
        all.push(only(if refused { json!({"refuse": "nothing"}) } else { json!({"heal": "api"}) }));
    }
    for wait in waits {
        all.extend(of_wait(look, &wait.thing));
    }
    all
}

fn of_wait(look: &Look<'_>, thing: &Thing) -> Vec<Candidate> {
    let mut all = Vec::new();
    if let Some(id) = thing.id::<Node>() {
        all.push(only_if(bring_back(look, id)));
        if look.cluster.kubelets.silence(id) == Some(Silence::Off) {
            all.push(only(out_of_service(look, id)));
        }
    }
    if let Some(deployment) = thing.id::<Deployment>().and_then(|id| look.store().deployments.get(id))
        && deployment.spec.paused
        && let Some((name, _)) = named(look, thing)
    {
        all.push(only(kubectl(format!("rollout resume {name}"))));
    }
    let claims = match (thing.id::<Attachment>(), thing.id::<Pod>()) {
        (Some(id), _) => {
            let attachment = look.store().attachments.get(id);
            attachment.map(|attachment| look.claim_name(attachment.volume)).into_iter().collect()
        }
        (_, Some(id)) => {
            let pod = look.store().pods.get(id);
            pod.map_or_else(Vec::new, |pod| look.claims_of(pod).into_iter().map(|(name, _)| name).collect())
        }
        _ => {
            let claim = thing.id::<Claim>().and_then(|id| look.store().claims.get(id));
            claim.map(|claim| look.name(&claim.meta)).into_iter().collect::<Vec<_>>()
        }
    };
    for claim in claims {
        for (word, call) in [
            ("attach", CloudCall::Attach),
            ("detach", CloudCall::Detach),
            ("provision", CloudCall::Provision),
        ] {
            if look.cluster.csi.is_stuck(call, &claim) {
                all.push(only(json!({"unstick": format!("{word}/{claim}")})));
            }
        }
        if look.cluster.kubelets.is_unmount_stuck(&claim) {
            all.push(only(json!({"unstick": format!("unmount/{claim}")})));
        }
    }
    all
}
