//! Trying a remedy: the run forks at the moment, the remedy is carried out there, and it is seen whether the object gets
//! out of its wait, after how long, and what that costs.
//!
//! A fork is the same run with other steps: what the scenario would have done next does not happen. What comes to its end
//! without anybody's doing is found the same way, by a fork in which nothing is done.
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::store::Store;
use crate::cluster::Cluster;
use crate::kernel::{Duration, Id, Time};
use crate::run::{Outcome, Play, Watch};
use crate::scenario::Scenario;
use crate::scenario::read::{NoFiles, read};
use crate::why::look::Look;
use crate::why::remedy::{Candidate, Remedy, candidates};
use crate::why::thing::Thing;
use crate::why::{Answer, Until};
use serde_json::json;

/// How long a trial goes on.
const HORIZON: Duration = Duration::from_mins(60);
/// Candidates that are tried at most.
const MOST: usize = 8;
/// Remedies that are told at most.
const TOLD: usize = 3;
/// A cluster with more objects than this is not copied for trials.
pub const LARGEST: usize = 20_000;

/// What a trial is to reach: the object out of its wait.
#[derive(Clone, Debug)]
struct Goal {
    thing: Thing,
    /// The incarnation that was waiting, if it was being deleted: it is to be gone.
    going: Option<Uid>,
    /// All pods of a set are to have the newest revision, whatever its strategy says.
    updated: bool,
    /// Pods of a node whose eviction was refused: they are to leave it.
    leaving: Vec<(Id<Pod>, Uid)>,
}

/// Tries what could be done about an answer, and fills in what came of it: what helps, the safest first; else what was
/// tried in vain.
pub(super) fn try_all(play: &Play<'_>, answer: &mut Answer) {
    let look = Look::new(play);
    let goal = Goal::of(&look, answer);
    if look.store().objects() > LARGEST || goal.met(&play.cluster) {
        return;
    }
    answer.goal = goal.text(answer);
    let (by_itself, nothing) = attempt(play, &goal, &Candidate(Vec::new()));
    answer.by_itself = by_itself;
    let hopeless = |until: &Until| matches!(until, Until::Never(_));
    let open = by_itself.is_none() || answer.waits.iter().any(|wait| hopeless(&wait.until));
    if answer.stuck.is_empty() && !open {
        return;
    }
    let tried = &mut answer.remedies;
    for candidate in candidates(&look, &answer.stuck, &answer.waits).into_iter().take(MOST) {
        if tried.iter().filter(|remedy| remedy.helps.is_some()).count() == TOLD {
            break;
        }
        let candidate = goal.completed(&look, candidate);
        let (helps, after) = attempt(play, &goal, &candidate);
        // What helps no sooner than doing nothing does not help.
        let helps = helps.filter(|time| by_itself.is_none_or(|alone| *time < alone));
        let costs = helps.map_or_else(Vec::new, |_| costs(play, &nothing, &after));
        let notes = helps.map_or_else(Vec::new, |_| cautions(&look, &candidate));
        tried.push(Remedy { commands: candidate.commands(), helps, costs, notes });
    }
    if tried.iter().any(|remedy| remedy.helps.is_some()) {
        tried.retain(|remedy| remedy.helps.is_some());
    }
}

impl Goal {
    fn of(look: &Look<'_>, answer: &Answer) -> Goal {
        let store = look.store();
        let meta = answer.thing.meta(store);
        let detaching = answer.thing.id::<Attachment>().is_some() && !answer.waits.is_empty();
        let attached = answer.thing.id::<Attachment>().and_then(|id| store.attachments.get(id));
        let leaves = detaching && attached.is_some_and(|attachment| attachment.attached);
        let released = answer.thing.id::<Volume>().and_then(|id| store.volumes.get(id));
        let released =
            released.is_some_and(|v| matches!(v.phase(), VolumePhase::Released | VolumePhase::Failed));
        let goes = meta.is_some_and(|meta| meta.is_terminating()) || leaves || released;
        let drained = answer.stuck.iter().any(|stuck| matches!(stuck.id, 8 | 18));
        let mut leaving = Vec::new();
        if drained {
            let of_thing = |id: Id<Pod>, pod: &Pod| match answer.thing.id::<Node>() {
                Some(node) => pod.node == node,
                None => answer.thing.id::<Pod>().is_none_or(|asked| asked == id),
            };
            let refused = store
                .pods
                .iter()
                .filter(|(id, pod)| look.eviction_refused(*id, &pod.meta).is_some() && of_thing(*id, pod));
            leaving = refused.map(|(id, pod)| (id, pod.meta.uid)).collect();
        }
        Goal {
            thing: answer.thing.clone(),
            going: meta.filter(|_| goes).map(|meta| meta.uid),
            updated: answer.stuck.iter().any(|stuck| stuck.id == 19),
            leaving,
        }
    }

    /// What a user would have to do again after the remedy to reach the goal: drain the node.
    fn completed(&self, look: &Look<'_>, mut candidate: Candidate) -> Candidate {
        let mut nodes: Vec<Id<Node>> = self
            .leaving
            .iter()
            .filter_map(|(pod, _)| look.store().pods.get(*pod))
            .map(|pod| pod.node)
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            candidate.0.push(json!({"kubectl": format!("drain {} --ignore-daemonsets", look.node(node))}));
        }
        candidate
    }

    /// What the goal is, as it is told.
    fn text(&self, answer: &Answer) -> String {
        let name = &answer.name;
        if !self.leaving.is_empty() {
            return "the pods whose eviction was refused are gone".to_owned();
        }
        if self.going.is_some() {
            return format!("{name} is gone");
        }
        match &self.thing {
            Thing::Absent(..) | Thing::Object(Kind::Pod | Kind::Node, _) => format!("{name} is Ready"),
            Thing::Name(..) => format!("{name} resolves"),
            Thing::Object(Kind::Claim | Kind::Volume, _) => format!("{name} is Bound"),
            Thing::Object(Kind::Attachment, _) => format!("{name} is attached"),
            Thing::Object(Kind::Budget, _) => format!("{name} allows a disruption"),
            Thing::Object(Kind::Service, _) => format!("all endpoints of {name} are ready"),
            Thing::Object(..) if self.updated => {
                format!("{name} has all its pods, Ready and of the new revision")
            }
            Thing::Object(..) => format!("{name} has all its pods, Ready"),
        }
    }

    fn met(&self, cluster: &Cluster) -> bool {
        let store = &cluster.world.store;
        if !self.leaving.is_empty() {
            return self.leaving.iter().all(|(pod, uid)| store.pods.get_uid(*pod, *uid).is_none());
        }
        if let Some(uid) = self.going {
            return self.thing.meta(store).is_none_or(|meta| meta.uid != uid);
        }
        match &self.thing {
            Thing::Absent(namespace, name) => {
                let found =
                    Thing::find(Kind::Pod, name, namespace, store).and_then(|thing| thing.id::<Pod>());
                found.and_then(|id| store.pods.get(id)).is_some_and(is_well)
            }
            Thing::Name(namespace, name) => {
                let mut network = cluster.network.clone();
                let asker = crate::network::Asker::Client(u32::MAX);
                network.resolve(asker, namespace, name, &cluster.world).answer.is_positive()
            }
            Thing::Object(kind, index) => self.object_is_well(*kind, *index as usize, cluster),
        }
    }

    fn object_is_well(&self, kind: Kind, index: usize, cluster: &Cluster) -> bool {
        let store = &cluster.world.store;
        match kind {
            Kind::Pod => match store.pods.get(Id::from_index(index)) {
                Some(pod) => is_well(pod),
                None => store.pods.last_known(Id::from_index(index)).is_some_and(|pod| succeeded(store, pod)),
            },
            Kind::StatefulSet => {
                let set = store.stateful_sets.get(Id::from_index(index));
                set.is_some_and(|set| set_is_well(set, self.updated))
            }
            Kind::Deployment => store.deployments.get(Id::from_index(index)).is_some_and(deployment_is_well),
            Kind::ReplicaSet => store.replica_sets.get(Id::from_index(index)).is_some_and(|set| {
                set.status.ready == set.spec.replicas && set.status.replicas == set.spec.replicas
            }),
            Kind::Claim => store.claims.get(Id::from_index(index)).is_some_and(Claim::is_fully_bound),
            Kind::Volume => store
                .volumes
                .get(Id::from_index(index))
                .is_some_and(|volume| volume.phase() == VolumePhase::Bound),
            Kind::Attachment => {
                store.attachments.get(Id::from_index(index)).is_some_and(|attachment| attachment.attached)
            }
            Kind::Node => {
                store.nodes.get(Id::from_index(index)).is_none_or(|node| node.ready == NodeReady::True)
            }
            Kind::Budget => store.budgets.get(Id::from_index(index)).is_none_or(|b| b.status.allowed > 0),
            Kind::Service => {
                let slices = store.slices.iter().filter(|(_, slice)| slice.service.index() == index);
                let mut endpoints = slices.flat_map(|(_, slice)| &slice.endpoints).peekable();
                endpoints.peek().is_some() && endpoints.all(|endpoint| endpoint.ready)
            }
            _ => true,
        }
    }
}

fn is_well(pod: &Pod) -> bool {
    pod.phase == Phase::Succeeded || pod.is_ready() && !pod.is_terminating()
}

/// A pod of a ReplicaSet that is gone has a successor of another name: its Deployment tells.
fn succeeded(store: &Store, pod: &Pod) -> bool {
    let Some(owner) = store.controller_of(pod.meta.owners).filter(|owner| owner.kind == Kind::ReplicaSet)
    else {
        return false;
    };
    let Some((_, set)) = store.replica_sets.find(pod.meta.namespace, owner.name) else { return false };
    match store.controller_of(set.meta.owners) {
        Some(owner) => {
            let found = store.deployments.find(pod.meta.namespace, owner.name);
            found.is_some_and(|(_, deployment)| deployment_is_well(deployment))
        }
        None => set.status.ready == set.spec.replicas,
    }
}

fn deployment_is_well(deployment: &Deployment) -> bool {
    let (status, wanted) = (&deployment.status, deployment.spec.replicas);
    let seen = status.observed_generation >= deployment.meta.generation.get();
    seen && [status.replicas, status.updated, status.available].iter().all(|count| *count == wanted)
}

/// All pods that a set is to have are Ready, none is too many, and none is of an old revision unless the strategy keeps
/// it there.
fn set_is_well(set: &StatefulSet, updated: bool) -> bool {
    let (status, wanted) = (&set.status, set.spec.replicas);
    let seen = status.observed_generation >= set.meta.generation.get();
    let keeps = match set.spec.strategy {
        UpdateStrategy::OnDelete => true,
        UpdateStrategy::RollingUpdate(rolling) => rolling.is_some_and(|rolling| rolling.partition > 0),
    };
    let new = keeps && !updated || status.updated == wanted;
    seen && status.ready == wanted && status.replicas == wanted && new
}

/// A fork of the run after a remedy.
struct After {
    cluster: Cluster,
    outcome: Outcome,
}

fn scenario(candidate: &Candidate) -> Option<Scenario> {
    let steps: Vec<_> = candidate
        .0
        .iter()
        .map(|step| {
            let mut step = step.clone();
            step["settle"] = false.into();
            step
        })
        .collect();
    let document = json!({
        "apiVersion": "stsim/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "remedy"},
        "spec": {"steps": steps},
    });
    // JSON is YAML.
    read("remedy", document.to_string().as_bytes(), &mut NoFiles).ok()
}

/// Forks, does it, and says after how long the goal was reached for good.
fn attempt(play: &Play<'_>, goal: &Goal, candidate: &Candidate) -> (Option<Duration>, Option<After>) {
    let Some(mut scenario) = scenario(candidate) else { return (None, None) };
    let from = play.cluster.world.now();
    // What is settled may still be in a back-off that comes to an end.
    scenario.until = Some(from + HORIZON);
    let mut fork = play.fork(&scenario, from + HORIZON);
    let mut lookout = Lookout { goal, since: None };
    let outcome = fork.play(&mut lookout);
    let failed = outcome.failures.iter().any(|failure| failure.step.is_some());
    let since = lookout.since.filter(|_| goal.met(&fork.cluster) && !failed);
    (since.map(|since| since.elapsed_since(from)), Some(After { cluster: fork.cluster, outcome }))
}

/// What a remedy costs: what is gone after it and would not be without it.
fn costs(play: &Play<'_>, nothing: &Option<After>, after: &Option<After>) -> Vec<String> {
    let (Some(after), Some(nothing)) = (after, nothing) else { return Vec::new() };
    let look = Look::new(play);
    let store = look.store();
    let mut costs = Vec::new();
    for (id, volume) in store.volumes.iter() {
        let kept = |cluster: &Cluster| cluster.csi.cloud.disk(volume.disk).is_some();
        if kept(&play.cluster) && kept(&nothing.cluster) && !kept(&after.cluster) {
            costs.push(format!("the disk of pvc/{} is deleted, with its data", look.claim_name(id)));
        }
    }
    let known: Vec<_> = play.cluster.checker.breaches().iter().chain(&nothing.outcome.breaches).collect();
    for breach in &after.outcome.breaches {
        if !known.iter().any(|other| other.message == breach.message) {
            costs.push(format!(
                "breaks INV-{}: {} ({})",
                breach.invariant,
                breach.message,
                breach.licence.name()
            ));
        }
    }
    let mut restarted: Vec<String> = Vec::new();
    for (id, pod) in store.pods.iter().filter(|(_, pod)| pod.is_ready() && !pod.is_terminating()) {
        let stays = |cluster: &Cluster| cluster.world.store.pods.get_uid(id, pod.meta.uid).is_some();
        if stays(&nothing.cluster) && !stays(&after.cluster) {
            restarted.push(Thing::of(id).text(&look));
        }
    }
    restarted.sort();
    match restarted.as_slice() {
        [] => {}
        all if all.len() <= 3 => costs.push(format!("{} was Ready and goes", all.join(", "))),
        all => costs.push(format!("{} pods that were Ready go", all.len())),
    }
    costs
}

/// What nobody can see from outside, and the simulator can: whether force is safe.
fn cautions(look: &Look<'_>, candidate: &Candidate) -> Vec<String> {
    let mut all = Vec::new();
    let forced = |name: &str| {
        candidate.commands().iter().any(|line| {
            let force = line.contains("--force") && line.split(' ').any(|word| word == name);
            force || line.contains("out-of-service") || line.starts_with("kubectl delete node ")
        })
    };
    for (id, pod) in look.store().pods.iter().filter(|(_, pod)| pod.is_terminating() && pod.is_bound()) {
        let name = look.name(&pod.meta);
        if !forced(&name) || look.cluster.kubelets.silence(pod.node).is_none() {
            continue;
        }
        let node = look.node(pod.node);
        all.push(match look.cluster.kubelets.is_running(id, pod.meta.uid) {
            true => format!(
                "DANGER: the containers of pod/{name} still run on {node}, and go on beside the new ones"
            ),
            false => format!("safe only because nothing of pod/{name} really runs on {node}"),
        });
    }
    all
}

/// Sees when the goal is reached, and whether it stays.
struct Lookout<'g> {
    goal: &'g Goal,
    since: Option<Time>,
}

impl Watch for Lookout<'_> {
    fn happened(&mut self, cluster: &Cluster) {
        if self.goal.met(cluster) {
            self.since.get_or_insert(cluster.world.now());
        } else {
            self.since = None;
        }
    }
}
