//! The variants a test of the StatefulSet controller is played in, and what is to hold throughout (T-STS-059 to 062).
use crate::drill::*;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use stsim::api::kind::Kind;
use stsim::api::names::Sym;
use stsim::api::objects::{Pod, PodFlags, StatefulSet};
use stsim::api::pod_spec::{ClaimName, Hostname};
use stsim::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL, Store};
use stsim::cluster::Cluster;
use stsim::world::Actor;

/// How pods are managed, and what becomes of claims: whenDeleted and whenScaled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub(crate) policy: &'static str,
    pub(crate) retention: Option<(&'static str, &'static str)>,
}

/// The four policies, the default one said again, and none.
const RETENTIONS: [Option<(&str, &str)>; 6] = [
    Some(("Retain", "Retain")),
    Some(("Retain", "Delete")),
    Some(("Delete", "Retain")),
    Some(("Delete", "Delete")),
    Some(("Retain", "Retain")),
    None,
];

/// What is asked of the pods of a set at every change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peers {
    /// Identity, storage, claims and their owners: T-STS-060, T-STS-062.
    Sound,
    /// Besides, in order: contiguous, and nobody healthy after somebody who is not (T-STS-059). Holds while nothing
    /// but creation and scaling goes on.
    InOrder,
    /// Besides, the revisions that the status counts are there (T-STS-061). Holds while one update goes on.
    Counted,
}

/// Plays a test in both policies, and in all variants of retention.
pub(crate) fn every(test: impl Fn(Variant)) {
    for policy in ["OrderedReady", "Parallel"] {
        every_retention(policy, &test);
    }
}

/// Plays a test in all variants of retention.
pub(crate) fn every_retention(policy: &'static str, test: impl Fn(Variant)) {
    for retention in RETENTIONS {
        let variant = Variant { policy, retention };
        if catch_unwind(AssertUnwindSafe(|| test(variant))).is_err() {
            panic!("it failed in {variant:?}");
        }
    }
}

impl Variant {
    pub(crate) fn is_ordered(&self) -> bool {
        self.policy == "OrderedReady"
    }

    /// A set with claims in this variant.
    pub(crate) fn set(&self, replicas: i64) -> Value {
        let set = with(set_with_claims(replicas), "/spec/podManagementPolicy", json!(self.policy));
        match self.retention {
            None => set,
            Some((deleted, scaled)) => {
                let policy = json!({"whenDeleted": deleted, "whenScaled": scaled});
                with(set, "/spec/persistentVolumeClaimRetentionPolicy", policy)
            }
        }
    }

    /// That set, applied and settled, its pods watched from the first one on.
    pub(crate) fn play(&self, peers: Peers, replicas: i64) -> Drill {
        self.play_set(peers, &self.set(replicas))
    }

    /// A set of this variant, applied and settled, its pods watched from the first one on.
    pub(crate) fn play_set(&self, peers: Peers, set: &Value) -> Drill {
        let mut drill = Drill::on(STEADY, &[]);
        self.watch(peers, &mut drill);
        drill.apply(set);
        drill
    }

    /// Looks at the pods of the set at every change from now on.
    pub(crate) fn watch(&self, peers: Peers, drill: &mut Drill) {
        let variant = *self;
        drill.always(Box::new(move |cluster| variant.look(peers, cluster)));
    }

    fn look(&self, peers: Peers, cluster: &Cluster) {
        let store = &cluster.world.store;
        let Some((_, set)) = store.stateful_sets.iter().find(|(_, s)| store.name_of(s.meta.name) == "web")
        else {
            return;
        };
        let owned = |pod: &Pod| store.controller_of(pod.meta.owners).is_some_and(|o| o.uid == set.meta.uid);
        let mut pods: Vec<&Pod> = store.pods.iter().map(|(_, pod)| pod).filter(|pod| owned(pod)).collect();
        pods.sort_by_key(|pod| pod.meta.name.ordinal());
        for pod in &pods {
            has_identity(store, pod);
            self.claim_is_right(store, set, pod);
        }
        match peers {
            Peers::Sound => {}
            Peers::InOrder if self.is_ordered() => are_in_order(store, set, &pods),
            Peers::InOrder => {}
            Peers::Counted => are_counted(store, set, &pods),
        }
    }

    /// The claim is there, and owned as the policy wants it for a pod that is running and ready (T-STS-062).
    fn claim_is_right(&self, store: &Store, set: &StatefulSet, pod: &Pod) {
        let name = store.name_of(pod.meta.name);
        let known = store.known_name(&format!("data-{name}"));
        let found = known.and_then(|claim| store.claims.find(Sym::DEFAULT, claim));
        let Some((_, claim)) = found else { panic!("{name} has no claim") };
        let ordinal = i64::from(pod.meta.name.ordinal().unwrap_or(0));
        let start = i64::from(set.start());
        let in_range = (start..start + i64::from(set.spec.replicas)).contains(&ordinal);
        // Between the spec and the deletion of a condemned pod the controller rewrites the references.
        if !pod.is_running_and_ready() || !in_range && !pod.is_terminating() {
            return;
        }
        let of_set = (Kind::StatefulSet, set.meta.uid);
        let of_pod = (Kind::Pod, pod.meta.uid);
        let wanted = match (self.retention, in_range) {
            (None | Some(("Retain", "Retain")), _) => vec![],
            (Some(("Delete", "Retain")), _) => vec![of_set],
            (Some(("Retain", "Delete")), true) => vec![],
            (Some(("Delete", "Delete")), true) => vec![of_set],
            (Some(_), _) => vec![of_pod],
        };
        let owners: Vec<_> =
            store.owners.get(claim.meta.owners).iter().map(|owner| (owner.kind, owner.uid)).collect();
        assert_eq!(owners, wanted, "owners of the claim of {name}, in range: {in_range}");
    }
}

/// Labels, hostname, subdomain and volume are those of the ordinal.
fn has_identity(store: &Store, pod: &Pod) {
    let name = store.name_of(pod.meta.name);
    assert!(name.starts_with("web-") && pod.meta.name.ordinal().is_some(), "{name} is no member");
    assert!(pod.flags.has(PodFlags::NAME_LABEL), "{name} lacks {POD_NAME_LABEL}");
    assert!(pod.flags.has(PodFlags::INDEX_LABEL), "{name} lacks {POD_INDEX_LABEL}");
    let spec = store.pod_spec(pod.spec);
    assert_eq!(spec.hostname, Hostname::PodName, "hostname of {name}");
    assert_eq!(store.names.text(spec.subdomain), "web", "subdomain of {name}");
    let volumes: Vec<_> = spec.claims.iter().map(|used| store.names.text(used.volume)).collect();
    assert_eq!(volumes, ["data"], "volumes of {name}");
    for used in &spec.claims {
        let claim = match used.claim {
            ClaimName::PerOrdinal(stem) => {
                format!("{}-{}", store.names.text(stem), pod.meta.name.ordinal().unwrap_or(u32::MAX))
            }
            ClaimName::Fixed(claim) => store.name_of(claim),
        };
        assert_eq!(claim, format!("data-{name}"));
    }
}

/// T-STS-059: contiguous from the start, and healthy ones only before the first that is not.
fn are_in_order(store: &Store, set: &StatefulSet, pods: &[&Pod]) {
    for (n, pod) in pods.iter().enumerate() {
        let wanted = u32::try_from(set.start()).unwrap_or(0) + u32::try_from(n).unwrap_or(0);
        assert_eq!(pod.meta.name.ordinal(), Some(wanted), "contiguous: {}", names(store, pods));
    }
    for pair in pods.windows(2) {
        let [before, after] = pair else { continue };
        assert!(
            before.is_running_and_ready() || !after.is_running_and_ready(),
            "{} is ready and {} is not",
            store.name_of(after.meta.name),
            store.name_of(before.meta.name)
        );
    }
}

/// T-STS-061: the first currentReplicas pods are at the current revision, the last updatedReplicas at the update one.
fn are_counted(store: &Store, set: &StatefulSet, pods: &[&Pod]) {
    let status = &set.status;
    // Until the first status after a change of the spec the counters are about the revisions before it.
    if status.observed_generation != set.meta.generation.get() {
        return;
    }
    let count = |n: i32| usize::try_from(n).unwrap_or(0).min(pods.len());
    let revision = |pod: &Pod| {
        let key = store.names.known(REVISION_LABEL);
        key.and_then(|key| store.labels.value(pod.meta.labels, key)).map(|value| store.names.text(value))
    };
    let (current, update) = (store.name_of(status.current_revision), store.name_of(status.update_revision));
    for pod in &pods[..count(status.current)] {
        assert_eq!(revision(pod), Some(current.as_str()), "{} of the current ones", names(store, &[pod]));
    }
    for pod in &pods[pods.len() - count(status.updated)..] {
        assert_eq!(revision(pod), Some(update.as_str()), "{} of the updated ones", names(store, &[pod]));
    }
}

fn names(store: &Store, pods: &[&Pod]) -> String {
    pods.iter().map(|pod| store.name_of(pod.meta.name)).collect::<Vec<_>>().join(" ")
}

/// All counters of the status: replicas, ready, available, current, updated.
pub(crate) fn counters(drill: &mut Drill) -> [i64; 5] {
    let status = drill.field("sts/web", "/status");
    ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"]
        .map(|counter| status[counter].as_i64().unwrap_or(0))
}

/// Pods by ordinal with their images: `0:web:v1 1:web:v1`.
pub(crate) fn images(drill: &mut Drill) -> String {
    let mut pods: Vec<(u32, String)> = drill.list("pods").iter().map(ordinal_and_image).collect();
    pods.sort();
    pods.iter().map(|(n, image)| format!("{n}:{image}")).collect::<Vec<_>>().join(" ")
}

fn ordinal_and_image(pod: &Value) -> (u32, String) {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let ordinal = name.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX);
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    (ordinal, image.trim_start_matches("web:").to_owned())
}

/// What the StatefulSet controller has written so far, in order: `Created Pod web-0`, `Updated StatefulSet web`.
pub(crate) fn controller_writes(drill: &Drill) -> Vec<String> {
    let world = &drill.cluster().world;
    let writes = world.recorder.writes().iter().filter(|write| write.actor == Actor::StatefulSetController);
    writes
        .map(|write| {
            let name = world.store.name_of(write.name);
            format!("{:?} {} {name}", write.verb, write.kind.as_str())
        })
        .collect()
}

/// How many of these texts begin so.
pub(crate) fn count(texts: &[String], prefix: &str) -> usize {
    texts.iter().filter(|text| text.starts_with(prefix)).count()
}

/// The template of a set with another image.
pub(crate) fn with_image(set: Value, image: &str) -> Value {
    with(set, "/spec/template/spec/containers/0/image", json!(format!("web:{image}")))
}
