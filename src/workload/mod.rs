//! Databases and their clients, on top of what really runs: consequences of what happens to pods, nodes and volumes.
//!
//! A fluid model: rates are integrated between changes, never one request after another, and all amounts are integers.
//! [`lineage`] is what is on disks; [`database`] one database at a moment; [`roles`] who is primary, [`monitors`] who watches it, [`follow`] who
//! streams from whom, [`client`] who connects where, [`outage`] and [`facts`] what came of it. [`Databases`] connects
//! them with the cluster: it reads node and cloud truth ([`sight`]) and writes nothing but the failure of a liveness probe.
//! PostgreSQL, Patroni, CloudNativePG and Galera are the models; `docs/databases.md` says what is left out.
pub mod amount;
pub(crate) mod audit;
#[cfg(test)]
mod bench;
pub mod client;
pub mod database;
pub mod facts;
mod follow;
pub mod lineage;
pub mod member;
mod monitors;
mod names;
pub mod outage;
pub mod roles;
pub mod sight;
pub mod spec;
#[cfg(test)]
mod tests;

pub use facts::{ClientFacts, Facts};

use crate::api::kind::Kind;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::{Ip, Node, Pod, Volume};
use crate::event::Event;
use crate::kernel::{Id, Time, Timer};
use crate::kubelet::Kubelets;
use crate::network::Network;
use crate::storage::Csi;
use crate::world::{Actor, World};
use database::Database;
use sight::{Life, Process, Sight, Storage};
use spec::DatabaseSpec;

/// All databases of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Databases {
    all: Vec<Running>,
}

/// A database, and when it wants to be looked at again.
#[derive(Clone, Debug)]
struct Running {
    database: Database,
    timer: Option<(Time, Timer)>,
    retry: Time,
    found: Found,
}

/// Where its processes are, as of the last change of that: most events of a cluster change nothing of it.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Changes of what really runs, of ReplicaSets and of nodes so far.
    stamp: Option<[u64; 3]>,
    /// Incarnations of its pods that have containers running, and where.
    pods: Vec<(Id<Node>, Id<Pod>, Uid)>,
    /// Machines without power, sorted.
    dark: Vec<Id<Node>>,
}

impl Databases {
    /// These databases; none of their instances runs yet.
    pub fn new(specs: &[DatabaseSpec]) -> Databases {
        let database = |(key, spec): (u64, &DatabaseSpec)| Running {
            database: Database::new(spec.clone(), key),
            timer: None,
            retry: Time::NEVER,
            found: Found::default(),
        };
        Databases { all: (0..).zip(specs).map(database).collect() }
    }

    /// There is none: nothing here costs anything.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, in order of the scenario.
    pub fn iter(&self) -> impl Iterator<Item = &Database> {
        self.all.iter().map(|running| &running.database)
    }

    /// The database of this name.
    pub fn get(&self, name: &str) -> Option<&Database> {
        self.iter().find(|database| database.spec.name == name)
    }

    /// The database of this name, to plant bugs in.
    #[cfg(test)]
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Database> {
        self.all.iter_mut().map(|running| &mut running.database).find(|database| database.spec.name == name)
    }

    /// What can be said about the database of this name now.
    pub fn facts(&self, name: &str, world: &World) -> Option<Facts> {
        Some(self.get(name)?.facts(&world.store))
    }

    /// Something may have changed: sums up what has flowed, lets instances and clients act, and asks for the next look.
    pub fn look(&mut self, world: &mut World, kubelets: &mut Kubelets, csi: &Csi, network: &mut Network) {
        for (index, running) in (0u32..).zip(&mut self.all) {
            running.find(world, kubelets);
            let sight = see(&running.database, &running.found, world, kubelets, csi);
            let killed = running.database.look(world, network, &sight);
            for life in killed {
                let actor = std::mem::replace(&mut world.actor, Actor::Kubelet);
                kubelets.fail_liveness(life.pod, life.uid, "the instance is isolated", world);
                world.actor = actor;
            }
            running.ask(index, network, world);
        }
    }
}

impl Running {
    /// Finds its processes anew, if some container has started or ended since, or something of their owners changed.
    fn find(&mut self, world: &World, kubelets: &Kubelets) {
        let store = &world.store;
        let stamp = [kubelets.changes(), store.changes_of(Kind::ReplicaSet), store.changes_of(Kind::Node)];
        if self.found.stamp == Some(stamp) {
            return;
        }
        let spec = &self.database.spec;
        let namespace = store.names.known(&spec.namespace).unwrap_or(Sym::EMPTY);
        let owner = store.names.known_name(&spec.owner).unwrap_or_default();
        let is_own = |pod: Id<Pod>| {
            store.pods.last_known(pod).is_some_and(|object| {
                object.meta.namespace == namespace && belongs(&self.database, object, owner, world)
            })
        };
        let pods = kubelets.running().filter(|(_, pod, _)| is_own(*pod)).collect();
        let nodes = store.nodes.iter().map(|(id, _)| id);
        let mut dark: Vec<_> = nodes.filter(|node| !kubelets.is_node_alive(*node)).collect();
        dark.sort_unstable();
        self.found = Found { stamp: Some(stamp), pods, dark };
    }

    /// Asks for the next look, if it is not asked for already.
    fn ask(&mut self, index: u32, network: &Network, world: &mut World) {
        let wake = self.database.wake(network, world);
        let event = Event::Workload(index, 0);
        if self.timer.is_none_or(|(time, _)| time != wake.work || time <= world.now()) {
            if let Some((_, timer)) = self.timer.take() {
                world.cancel(timer);
            }
            if !wake.work.is_never() {
                self.timer = Some((wake.work, world.timer(wake.work, event)));
            }
        }
        if wake.retry != self.retry {
            self.retry = wake.retry;
            if !wake.retry.is_never() {
                world.background(wake.retry - world.now(), event);
            }
        }
    }
}

/// What a database sees of the world now.
fn see(database: &Database, found: &Found, world: &World, kubelets: &Kubelets, csi: &Csi) -> Sight {
    let spec = &database.spec;
    let store = &world.store;
    let mut sight = Sight::default();
    let namespace = store.names.known(&spec.namespace).unwrap_or(Sym::EMPTY);
    let owner = store.names.known_name(&spec.owner).unwrap_or_default();
    if spec.on_stateful_set {
        if let Some((_, set)) = store.stateful_sets.find(namespace, owner) {
            sight.replicas = usize::try_from(set.spec.replicas).unwrap_or(0);
            sight.first = u32::try_from(set.start()).unwrap_or(0);
            sight.service = store.names.text(set.spec.service_name).to_owned();
        }
    } else if let Some((_, deployment)) = store.deployments.find(namespace, owner) {
        sight.replicas = usize::try_from(deployment.spec.replicas).unwrap_or(0);
    }
    for (node, pod, uid) in found.pods.iter().copied() {
        let Some(object) = store.pods.last_known(pod) else { continue };
        let Some(process) = kubelets.process(pod, uid, world) else { continue };
        let life = Life { pod, uid, since: process.since };
        let (storage, disk_works) = storage_of(pod, uid, node, process.volumes, world, csi);
        let known = store.pods.get_uid(pod, uid).map(|object| object.ip).filter(|ip| *ip != Ip::NONE);
        let before = || database.member(life).map_or(Ip::NONE, |member| member.process.ip);
        sight.processes.push(Process {
            life,
            name: object.meta.name,
            node,
            ip: known.unwrap_or_else(before),
            storage,
            disk_works,
            hung: process.hung,
            stopping: process.stopping,
        });
    }
    sight.processes.sort_by_key(|process| process.life);
    sight.lost =
        database.disks.keys().copied().filter(|storage| is_lost(*storage, world, kubelets, csi)).collect();
    sight.dark.clone_from(&found.dark);
    sight
}

/// The pod is one of the owner's.
fn belongs(database: &Database, pod: &Pod, owner: Name, world: &World) -> bool {
    let store = &world.store;
    if database.spec.on_stateful_set {
        // Names of pods of a set are its own; an orphan that still runs is an instance as before.
        return pod.meta.name.ordinal().is_some()
            && store.names.text(pod.meta.name.stem()) == database.spec.owner;
    }
    let Some(controller) = store.controller_of(pod.meta.owners) else { return false };
    let set = store.replica_sets.find(pod.meta.namespace, controller.name);
    let known = set.and_then(|(_, set)| store.controller_of(set.meta.owners));
    known.is_some_and(|deployment| deployment.name == owner)
}

/// Where a pod has its data, and whether that answers.
fn storage_of(
    pod: Id<Pod>,
    uid: Uid,
    node: Id<Node>,
    volumes: &[Id<Volume>],
    world: &World,
    csi: &Csi,
) -> (Storage, bool) {
    let Some(volume) = volumes.first().copied() else { return (Storage::Pod(pod, uid), true) };
    match world.store.volumes.last_known(volume).map_or(0, |volume| volume.disk) {
        0 => (Storage::Volume(volume), true),
        disk => {
            let works = csi.cloud.disk(disk).is_some()
                && csi.node_of_disk(disk) == Some(node)
                && world.links.reaches_storage(node);
            (Storage::Disk(disk), works)
        }
    }
}

/// What was there is gone for good.
fn is_lost(storage: Storage, world: &World, kubelets: &Kubelets, csi: &Csi) -> bool {
    match storage {
        Storage::Disk(disk) => csi.cloud.disk(disk).is_none(),
        Storage::Volume(_) => false,
        Storage::Pod(pod, uid) => {
            world.store.pods.get_uid(pod, uid).is_none() && !kubelets.is_running(pod, uid)
        }
    }
}
