//! The invariants by number: what each says, of which layer it is, and by which licences it may break.
//!
//! The full sentences, with their limits and how each is checked, are in `docs/semantics/invariants.md`; here stands what
//! a verdict prints. A number never changes its meaning.
use super::licence::Licence;

/// What an invariant judges.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Layer {
    /// A decision, from the view of whoever decides. No fault excuses it.
    Decision,
    /// What is in the store, at each write.
    Api,
    /// What really runs, is attached, answers.
    World,
    /// The simulator's own machinery.
    Engine,
    /// What must come about once nothing disturbs any more.
    Liveness,
}

/// An invariant.
#[derive(PartialEq, Eq, Debug)]
pub struct Invariant {
    /// `INV-<number>`.
    pub number: u8,
    /// What it is called.
    pub name: &'static str,
    /// What it judges.
    pub layer: Layer,
    /// What must hold, in one sentence.
    pub sentence: &'static str,
    /// What may break it without anybody having reasoned wrongly.
    pub licences: &'static [Licence],
}

impl Invariant {
    /// The invariant of a number.
    pub fn of(number: u8) -> Option<&'static Invariant> {
        INVARIANTS.binary_search_by_key(&number, |invariant| invariant.number).ok().map(|at| &INVARIANTS[at])
    }
}

const fn inv(number: u8, layer: Layer, name: &'static str, sentence: &'static str) -> Invariant {
    Invariant { number, name, layer, sentence, licences: &[] }
}

const fn breakable(
    number: u8,
    layer: Layer,
    licences: &'static [Licence],
    name: &'static str,
    sentence: &'static str,
) -> Invariant {
    Invariant { number, name, layer, sentence, licences }
}

use Layer::{Api, Decision, Engine, Liveness, World};
use Licence::{Cache, Disk, Forced, ForcedDetach, Hand, NoFence, OutOfService, PodGc};

/// All of them, by number.
#[rustfmt::skip]
pub static INVARIANTS: &[Invariant] = &[
    inv(1, Api, "unique names", "no two live objects of a kind share namespace and name, and uids never repeat"),
    breakable(2, World, &[Forced, PodGc, OutOfService], "at most one running instance per identity", "whatever runs belongs to a pod that still exists"),
    breakable(3, Api, &[Hand], "identity fields", "a set's pod has the name, hostname, subdomain, labels and owner of its identity"),
    inv(4, Decision, "ordinal range", "a pod is created only inside the range of ordinals"),
    inv(5, Api, "ownership", "an object has at most one controller, and nobody touches what somebody else controls"),
    inv(6, Decision, "nothing is created for the dying", "no pod is created or deleted for a set that is being deleted"),
    inv(7, Api, "one incarnation at a time", "a name is given again only after the object that had it is gone"),
    inv(8, Decision, "one writer per key", "a controller never runs two syncs of one key at once"),
    inv(9, Decision, "ordered creation", "a pod is created only when all before it are running, ready, available and not terminating"),
    inv(10, Decision, "ordered scale-down", "the highest surplus pod goes first, and only while all others are healthy"),
    inv(11, Decision, "rolling order", "pods are updated one at a time, the highest first, each only when all above are updated and good"),
    inv(12, Decision, "maxUnavailable bound", "an update never takes more pods than maxUnavailable leaves"),
    inv(13, Decision, "scaling before updating", "no pod is updated before scaling is done"),
    inv(14, Decision, "one destructive step", "an ordered sync creates or deletes at most one pod"),
    inv(15, Decision, "parallel does not wait", "a parallel set creates all that is missing and deletes all surplus at once, whatever their health"),
    inv(16, Decision, "finished pods", "a pod in range is deleted, other than for an update, only when it has finished"),
    inv(17, Decision, "OnDelete", "no pod is deleted for an update under OnDelete"),
    inv(18, Decision, "expectations", "a ReplicaSet does not manage pods while its own creates and deletes are not yet seen"),
    inv(19, Decision, "revision of a new pod", "a pod below the partition is created at the current revision, any other at the update revision"),
    inv(20, Decision, "partition is respected", "no pod below the partition gets the update revision"),
    inv(21, Api, "revision history", "revision numbers grow, live revisions are kept, the others within the limit"),
    inv(22, Api, "promotion", "currentRevision moves only when all pods are updated and ready, never under OnDelete"),
    inv(23, Decision, "no spurious roll", "an unchanged template makes no revision and deletes nothing"),
    breakable(24, Api, &[Hand], "status bounds", "0 <= available <= ready <= replicas, and current and updated <= replicas"),
    inv(25, Decision, "status is a true count of the view", "each counter of a status is what the controller saw"),
    breakable(26, Api, &[Hand], "monotone fields", "generation, observedGeneration, collisionCount and resourceVersion never go back"),
    inv(27, Decision, "no-op silence", "a sync of what is as it should be writes nothing"),
    inv(28, Api, "sticky claim", "a pod uses the claims of its ordinal"),
    inv(29, Decision, "claims first", "a pod is created only after its claims"),
    inv(30, Decision, "the set controller never deletes a claim", "claims are deleted by the garbage collector or a person"),
    inv(31, Decision, "stale claim blocks", "no pod is created on a claim that is owned by its predecessor"),
    breakable(32, Api, &[Hand], "retention refs", "the owners of a claim are those of its set's retention policy"),
    breakable(33, Api, &[Hand], "Retain means retain", "no claim goes because a set with Retain was scaled or deleted"),
    inv(34, Api, "in-use protection", "a claim or volume in use is not removed"),
    breakable(35, Api, &[Hand], "one to one binding", "a claim and its volume name each other, and a bound pair never rebinds"),
    inv(36, Decision, "binding is legal", "class, access modes, volume mode, capacity, selector and node affinity of a bound pair fit"),
    inv(37, Decision, "WaitForFirstConsumer", "such a claim gets its volume only after a pod that uses it has a node, and in that node's zone"),
    inv(38, World, "zone", "a zonal volume is attached only in its zone"),
    inv(39, World, "exclusive attach", "a disk is attached to at most one machine"),
    inv(40, Decision, "attach after detach", "an attach is asked for only when no other node is known to have the disk"),
    inv(41, Decision, "safe detach", "a disk is detached only when no pod wants it, and it is not in use or its time is up"),
    inv(42, Decision, "still wanted", "a terminating pod whose containers are reported running keeps its volumes"),
    breakable(43, World, &[ForcedDetach], "run after mount after attach", "containers start only when all their volumes are mounted, and a mounted volume is attached"),
    breakable(44, World, &[Forced], "single writer", "a disk is written only from the machine it is attached to, by one pod at a time"),
    breakable(45, World, &[Disk], "data sticks", "what was acknowledged on a volume is there at its next mount"),
    inv(46, World, "attach limit", "a node has no more volumes than its limit"),
    inv(47, Api, "reclaim", "a disk goes with its claim under Delete, and stays under Retain"),
    inv(48, Api, "size", "a claim never shrinks, and its volume is large enough"),
    breakable(49, Api, &[Hand], "phase moves forward", "a phase never goes back, and a final one never changes"),
    inv(50, Api, "deletion is one-way", "a deletion is never taken back or put off"),
    inv(51, World, "graceful removal", "a kubelet removes a pod only after its containers have stopped and its end is written"),
    inv(52, Api, "bound once", "a pod gets one node, once"),
    inv(53, World, "capacity", "what a kubelet admits fits its node"),
    inv(54, World, "restarts in place", "a crashed container starts again in the same pod, later each time"),
    breakable(55, Api, &[Hand], "who may set Ready", "Ready becomes true only by the kubelet, false also by the node controller"),
    inv(56, Decision, "taint eviction", "a pod is evicted only for a taint it does not tolerate, and not before its time"),
    inv(57, Decision, "disruption brakes", "nodes are given up no faster than the brake allows"),
    inv(58, Decision, "podgc", "the pod garbage collector removes only orphans, unscheduled terminating, out-of-service and the oldest finished pods"),
    inv(59, World, "dead machines do nothing", "nothing happens on a machine that is down, and nothing is heard of one that is cut off"),
    inv(60, Api, "status is authored by the node", "the reported state of a container is one that it was in, in order"),
    inv(61, Decision, "budget arithmetic", "disruptionsAllowed is healthy less desired"),
    inv(62, Api, "eviction is atomic", "a granted eviction is counted in the same write, and no more are granted than allowed"),
    inv(63, Api, "two budgets", "a pod under two budgets is not evicted"),
    inv(64, Api, "stale budget refuses", "a budget that was not yet seen grants nothing"),
    inv(65, Decision, "PDBs bind evictions only", "no other deletion asks a budget"),
    inv(66, Decision, "surge bound", "a rolling Deployment asks for no more than replicas and maxSurge"),
    inv(67, Decision, "availability bound", "a rolling Deployment keeps replicas less maxUnavailable available"),
    inv(68, Decision, "Recreate", "no new pod while an old one has not ended"),
    inv(69, Decision, "victim order", "a ReplicaSet deletes the least valuable pods first"),
    inv(70, Api, "template hash", "each template of a Deployment has one ReplicaSet and one hash"),
    inv(71, Api, "endpoint truth", "endpoints are the pods that a service selects, ready as they are, within the controller's lag"),
    inv(72, World, "DNS truth", "a name is answered with the addresses of its ready endpoints"),
    breakable(73, World, &[Cache], "caches expire", "no answer is used longer than its time to live"),
    inv(74, World, "addresses", "an address belongs to one running pod"),
    inv(75, Api, "optimistic concurrency", "an update of an old version is refused and changes nothing"),
    inv(76, Engine, "watch contract", "a watch shows every object's versions in order, none invented, and ends at the latest"),
    inv(77, Decision, "read your writes", "no sync before the controller sees what it wrote itself"),
    inv(78, Api, "immutables and validation", "what is accepted is valid, and what may not change does not"),
    inv(79, Api, "cascade", "dependents follow their owner, or are let go, as the deletion asked"),
    inv(80, Api, "finalizers", "no object with finalizers leaves the store"),
    inv(81, Engine, "events have causes", "every cause lies before its effect"),
    inv(82, Engine, "time", "virtual time never goes back"),
    inv(83, Engine, "determinism", "the same input and seed give the same bytes"),
    inv(84, Engine, "conservation", "what was scheduled is handled, cancelled or pending, and no wake-up is lost"),
    inv(85, Engine, "no residue", "after everything is deleted nothing is left but what was to be retained"),
    breakable(86, World, &[NoFence], "one primary per epoch", "in an epoch one instance accepts writes"),
    breakable(87, World, &[Disk, NoFence], "acknowledged is durable", "an acknowledged write survives as many lost disks as was promised"),
    inv(88, World, "clients see what the topology allows", "a write is acknowledged only by an instance that its client reaches and that has its disk"),
    inv(101, Liveness, "eventually stable reconciliation", "a set left alone comes to its spec and stays"),
    inv(102, Liveness, "partition", "pods below the partition stay at the current revision, the others come to the update revision"),
    inv(103, Liveness, "OnDelete", "count and identity come to the spec, whatever the revisions"),
    inv(104, Liveness, "scale to n", "all pods in range become good, and surplus pods go"),
    inv(105, Liveness, "replacement", "a pod that is gone is created again"),
    inv(106, Liveness, "deletion completes", "a terminating pod on a live node goes"),
    inv(107, Liveness, "node loss is noticed", "a silent node becomes Unknown, is tainted, and its pods are evicted in time"),
    inv(108, Liveness, "node return", "a node that returns is Ready and loses its taints"),
    inv(109, Liveness, "out-of-service", "terminating pods of a node out of service go, and its volumes are detached"),
    inv(110, Liveness, "scheduling", "a pending pod with a feasible node is bound"),
    inv(111, Liveness, "provision", "the claim of a pod that has a node is bound"),
    inv(112, Liveness, "attach", "a wanted and free volume is attached"),
    inv(113, Liveness, "detach", "an unwanted and unmounted volume is detached"),
    inv(114, Liveness, "readiness propagates", "a pod that passes its probes is ready, an endpoint and a name"),
    inv(115, Liveness, "resolvers agree", "every resolver says what the server says"),
    inv(116, Liveness, "budget converges", "a budget's status says what its pods are"),
    inv(117, Liveness, "drain completes", "a drain ends when its budgets allow"),
    inv(118, Liveness, "Deployment rollout", "a rollout completes, or says that it does not progress"),
    inv(119, Liveness, "old ReplicaSets", "old ReplicaSets come to 0 and are cleaned to the limit"),
    inv(120, Liveness, "cascade completes", "dependents of what is deleted go"),
    inv(121, Liveness, "claims with retention Delete", "claims go after scale-down or deletion as their set says"),
    inv(122, Liveness, "expansion", "a claim that asks for more gets it"),
    inv(123, Liveness, "workload", "a database with a majority up and connected has a primary and takes writes"),
    inv(124, Liveness, "level-triggered", "a controller that was stopped and started again leads to the same end"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Numbers and, where it gives one, names in the reference.
    fn reference() -> BTreeMap<u8, String> {
        let text = include_str!("../../docs/semantics/invariants.md");
        let bold = text.split("**").skip(1).step_by(2);
        bold.filter_map(|title| {
            let (number, name) = title.strip_prefix("INV-")?.split_once(' ').unwrap_or((&title[4..], ""));
            Some((number.parse().ok()?, name.to_owned()))
        })
        .collect()
    }

    #[test]
    fn the_registry_is_the_reference() {
        let reference = reference();
        let listed: Vec<u8> = INVARIANTS.iter().map(|invariant| invariant.number).collect();
        assert!(listed.is_sorted(), "by number");
        assert_eq!(listed, reference.keys().copied().collect::<Vec<_>>());
        for invariant in INVARIANTS.iter().filter(|invariant| invariant.number <= 88) {
            let named = &reference[&invariant.number];
            assert!(
                named == invariant.name || named.replace('V', "the view") == invariant.name,
                "INV-{}: {} is called {named}",
                invariant.number,
                invariant.name
            );
        }
    }

    #[test]
    fn only_the_world_and_what_hands_can_write_break_by_licence() {
        for invariant in INVARIANTS {
            let hands_only = invariant.licences.iter().all(|licence| *licence == Licence::Hand);
            match invariant.layer {
                Layer::World => {}
                Layer::Api => assert!(hands_only, "INV-{}", invariant.number),
                _ => assert!(invariant.licences.is_empty(), "INV-{}", invariant.number),
            }
        }
        assert_eq!(Invariant::of(39).map(|invariant| invariant.name), Some("exclusive attach"));
        assert_eq!(Invariant::of(99), None);
    }
}
