//! What questions are answered from: a run at a moment, and what is to come of it.
use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::Store;
use crate::cluster::Cluster;
use crate::event::{Event, Process};
use crate::fault::{Effect, Victims};
use crate::kernel::{Id, Time};
use crate::run::Play;
use crate::scenario::Scenario;
use crate::trace::happening::Happening;
use crate::world::World;

/// See the module documentation.
pub struct Look<'a> {
    /// The cluster at the moment.
    pub cluster: &'a Cluster,
    /// The scenario it comes from.
    pub scenario: &'a Scenario,
    /// The moment.
    pub now: Time,
    /// What will happen if nothing else does, in order.
    pub to_come: Vec<(Time, Event)>,
    /// What faults that end by themselves did, by number.
    repairs: &'a [Effect],
}

impl<'a> Look<'a> {
    /// A look at a run.
    pub fn new(play: &'a Play<'_>) -> Look<'a> {
        let cluster = &play.cluster;
        let to_come = cluster.world.to_come();
        Look {
            cluster,
            scenario: play.scenario(),
            now: cluster.world.now(),
            to_come,
            repairs: play.repairs(),
        }
    }

    /// A look at a cluster whose faults that end by themselves are over.
    pub fn of(cluster: &'a Cluster, scenario: &'a Scenario) -> Look<'a> {
        let to_come = cluster.world.to_come();
        Look { cluster, scenario, now: cluster.world.now(), to_come, repairs: &[] }
    }

    /// Clock, store and what else processes stand on.
    pub fn world(&self) -> &'a World {
        &self.cluster.world
    }

    /// All objects.
    pub fn store(&self) -> &'a Store {
        &self.cluster.world.store
    }

    /// When the first event that fits is due.
    pub fn due(&self, fits: impl Fn(&Event) -> bool) -> Option<Time> {
        self.to_come.iter().find(|(_, event)| fits(event)).map(|(time, _)| *time)
    }

    /// When a fault that silenced a node ends by itself.
    pub fn healed_at(&self, node: Id<Node>) -> Option<Time> {
        self.repaired_at(|effect| match effect {
            Effect::Hit(_, Victims::Nodes(nodes)) => nodes.contains(&node),
            Effect::Cut(id) => self.world().links.cut_off(*id).contains(&node),
            _ => false,
        })
    }

    /// When a fault that stopped a process ends by itself.
    pub fn started_at(&self, process: Process) -> Option<Time> {
        self.repaired_at(|effect| matches!(effect, Effect::Stopped(all) if all.contains(&process)))
    }

    fn repaired_at(&self, fits: impl Fn(&Effect) -> bool) -> Option<Time> {
        self.due(|event| {
            let Event::Runner(number) = event else { return false };
            self.repairs.get(*number as usize).is_some_and(&fits)
        })
    }

    /// The name of an object.
    pub fn name(&self, meta: &Meta) -> String {
        self.store().name_of(meta.name)
    }

    /// The name of a node.
    pub fn node(&self, id: Id<Node>) -> String {
        self.store().nodes.last_known(id).map_or_else(|| "no node".into(), |node| self.name(&node.meta))
    }

    /// The text of a word.
    pub fn word(&self, word: Sym) -> &'a str {
        self.store().names.text(word)
    }

    /// True if a process does not run.
    pub fn stopped(&self, process: Process) -> bool {
        !self.world().is_running(process)
    }

    /// The message of the latest Event with this reason about an object.
    pub fn event(&self, kind: Kind, meta: &Meta, reason: &str) -> Option<&'a str> {
        let events = &self.cluster.world.events;
        let about = events.iter().filter(|event| event.kind == kind && event.uid == meta.uid);
        about
            .filter(|event| event.reason == reason)
            .max_by_key(|event| event.last)
            .map(|e| e.message.as_str())
    }

    /// The last time the eviction of this incarnation of a pod was refused.
    pub fn eviction_refused(&self, pod: Id<Pod>, meta: &Meta) -> Option<Time> {
        let all = self.world().recorder.happenings().iter().rev();
        let what = Happening::EvictionRefused(pod, meta.uid);
        all.into_iter().find(|happened| happened.what == what).map(|happened| happened.time)
    }

    /// The pods that an object controls, in order of names.
    pub fn pods_of(&self, meta: &Meta) -> Vec<(Id<Pod>, Pod)> {
        let store = self.store();
        let owned =
            |pod: &Pod| store.controller_of(pod.meta.owners).is_some_and(|owner| owner.uid == meta.uid);
        let mut pods: Vec<_> =
            store.pods.iter().filter(|(_, pod)| owned(pod)).map(|(id, pod)| (id, *pod)).collect();
        pods.sort_by_cached_key(|(_, pod)| {
            (pod.meta.name.stem(), pod.meta.name.ordinal(), self.name(&pod.meta))
        });
        pods
    }

    /// The condition Ready of a node that there is.
    pub fn node_ready(&self, id: Id<Node>) -> bool {
        self.store().nodes.get(id).is_some_and(|node| node.ready == NodeReady::True)
    }

    /// A node has the out-of-service taint.
    pub fn out_of_service(&self, id: Id<Node>) -> bool {
        let key = self.store().names.known("node.kubernetes.io/out-of-service");
        let taints = self.store().nodes.get(id).map(|node| node.taints.clone());
        taints.is_some_and(|taints| taints.iter().any(|taint| Some(taint.key) == key))
    }

    /// The claims a pod uses, in order; those that are there.
    pub fn claims_of(&self, pod: &Pod) -> Vec<(String, Option<(Id<Claim>, Claim)>)> {
        let store = self.store();
        let names = store.pod_spec(pod.spec).claims_of(pod.meta.name);
        let found = names.map(|name| {
            let claim = store.claims.find(pod.meta.namespace, name).map(|(id, claim)| (id, *claim));
            (store.name_of(name), claim)
        });
        found.collect()
    }

    /// The claim a volume is for, by name.
    pub fn claim_name(&self, volume: Id<Volume>) -> String {
        let volume = self.store().volumes.last_known(volume);
        volume.map_or_else(|| "no claim".into(), |volume| self.store().name_of(volume.claim.name))
    }
}
