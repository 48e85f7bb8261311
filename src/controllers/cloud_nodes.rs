//! Cloud node lifecycle: Nodes whose machines the cloud has no more are deleted, and those whose machines are shut down
//! are tainted (NODE-29; staging/src/k8s.io/cloud-provider/controllers/nodelifecycle/node_lifecycle_controller.go).
//!
//! The real one runs in the cloud controller manager and asks about every node that is not ready, every five seconds; here
//! only the ticks are simulated at which the answer would change something. What fails is done at the next tick. It stops
//! and starts with kube-controller-manager.
use super::ticks::Ticks;
use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::objects::{Effect, Node, NodeReady, Seconds, Taint};
use crate::api::status::Status;
use crate::api::store::Change;
use crate::event::{Event, NodesEvent, Process};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, World};
use std::collections::BTreeSet;

/// Key of the loop (DEF-C1).
const LOOP: u64 = 9 << 32;
/// The taint of a machine that is shut down (NODE-29).
const SHUTDOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct CloudNodes {
    ticks: Ticks,
    /// Nodes with the taint of a machine that is shut down.
    tainted: BTreeSet<Id<Node>>,
}

/// What is to be done about a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finding {
    /// The cloud has no machine for it.
    Lost,
    /// Its machine is shut down.
    Off,
    /// It is ready, and the taint is left over.
    Back,
}

impl CloudNodes {
    /// Hears of a change.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        let concerned =
            !(world.terminated.is_empty() && world.shut_down.is_empty() && self.tainted.is_empty());
        if change.kind == Kind::Node && concerned {
            let node = change.id();
            let seen = world.view(Process::ControllerManager).get::<Node>(node);
            if seen.is_some_and(|node| is_tainted(node, world)) {
                self.tainted.insert(node);
            } else {
                self.tainted.remove(&node);
            }
            self.consider(node, world);
        }
    }

    /// What the cloud says of a machine has changed, or it is asked about one.
    pub fn handle(&mut self, event: NodesEvent, world: &mut World) {
        world.actor = Actor::CloudNodes;
        match event {
            NodesEvent::MachineChanged(node) => self.consider(node, world),
            NodesEvent::AskCloud(node, epoch) if epoch == world.epoch(Process::ControllerManager) => {
                let done = match finding(node, world) {
                    Some(Finding::Lost) => delete(node, world),
                    Some(Finding::Off) => taint(node, true, world),
                    Some(Finding::Back) => taint(node, false, world),
                    None => Ok(()),
                };
                // Whoever was faster has done the same.
                if done.is_err_and(|error| !error.is_not_found()) {
                    self.consider(node, world);
                }
            }
            _ => {}
        }
    }

    /// At its next tick the cloud will be asked about a node.
    fn consider(&mut self, node: Id<Node>, world: &mut World) {
        if finding(node, world).is_none() {
            return;
        }
        let now = world.now();
        let tick = self.ticks.after(world.config.timers.cloud_node_period, LOOP, now, world);
        let epoch = world.epoch(Process::ControllerManager);
        let delay = tick - now + world.api_delay(Actor::CloudNodes);
        world.after(delay, Event::Nodes(NodesEvent::AskCloud(node, epoch)));
    }

    /// The process has started and listed everything.
    pub fn restart(&mut self, world: &mut World) {
        self.ticks = Ticks::from_now(world);
        let view = world.view(Process::ControllerManager);
        let tainted = view.iter::<Node>().filter(|(_, node)| is_tainted(node, world));
        self.tainted = tainted.map(|(id, _)| id).collect();
        let mut nodes: BTreeSet<Id<Node>> = world.terminated.union(&world.shut_down).copied().collect();
        nodes.extend(&self.tainted);
        for node in nodes {
            self.consider(node, world);
        }
    }
}

fn is_tainted(node: &Node, world: &World) -> bool {
    let key = world.store.names.known(SHUTDOWN);
    key.is_some_and(|key| node.taints.iter().any(|taint| taint.key == key))
}

/// What the controller would do about a node, as it sees it; only of nodes that are not ready the cloud is asked.
fn finding(node: Id<Node>, world: &World) -> Option<Finding> {
    let object = world.view(Process::ControllerManager).get(node)?;
    let tainted = is_tainted(object, world);
    if object.ready == NodeReady::True {
        return tainted.then_some(Finding::Back);
    }
    if world.terminated.contains(&node) {
        return Some(Finding::Lost);
    }
    (world.shut_down.contains(&node) && !tainted).then_some(Finding::Off)
}

fn delete(node: Id<Node>, world: &mut World) -> Result<(), Status> {
    world.emit(node, false, "DeletingNode", |world| {
        let name = world.store.nodes.last_known(node).map(|node| node.meta.name);
        let name = world.store.name_of(name.unwrap_or_default());
        format!("Deleting node {name} because it does not exist in the cloud provider")
    });
    world.delete(node, DeleteOptions::default(), Rule::node(29)).map(drop)
}

/// Puts the taint on, or takes it off; the node is read first.
fn taint(node: Id<Node>, on: bool, world: &mut World) -> Result<(), Status> {
    let key = world.store.names.word(SHUTDOWN);
    let Some(object) = world.store.nodes.get(node).filter(|node| is_tainted(node, world) != on) else {
        return Ok(());
    };
    mark!("NODE-29");
    let mut taints: Vec<Taint> = object.taints.iter().filter(|taint| taint.key != key).copied().collect();
    if on {
        taints.push(Taint { key, value: Sym::EMPTY, effect: Effect::NoSchedule, added: Seconds::NEVER });
    }
    world.patch(node, Rule::node(29), |node| node.taints = taints.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;
    use crate::config::Config;
    use crate::kernel::{Duration, Time};
    use crate::scenario::NodeSpec;

    /// A cluster of one node, ten seconds old.
    fn cluster() -> (Cluster, Id<Node>) {
        let mut cluster = Cluster::new(1, Config::realistic());
        let spec = NodeSpec {
            name: "a".into(),
            zone: String::new(),
            cpu: 4_000,
            memory: 1 << 33,
            pods: 110,
            volumes: 25,
            labels: Vec::new(),
            taints: Vec::new(),
        };
        let node = cluster.add_node(&spec, true).expect("a node");
        cluster.run_until(Time::from_secs(10));
        (cluster, node)
    }

    fn later(cluster: &mut Cluster, seconds: u64) {
        let until = cluster.world.now() + Duration::from_secs(seconds);
        cluster.run_until(until);
    }

    fn tainted(cluster: &Cluster, node: Id<Node>) -> Option<bool> {
        cluster.world.store.nodes.get(node).map(|node| is_tainted(node, &cluster.world))
    }

    #[test]
    fn a_terminated_machine_takes_its_node_along_once_that_is_not_ready() {
        let (mut cluster, node) = cluster();
        cluster.kubelets.terminate_node(node, &mut cluster.world);
        cluster.csi.terminate(node, &mut cluster.world);
        later(&mut cluster, 30);
        assert_eq!(tainted(&cluster, node), Some(false), "the node still looks ready");
        later(&mut cluster, 120);
        assert_eq!(tainted(&cluster, node), None);
    }

    #[test]
    fn a_machine_that_is_shut_down_is_tainted_until_it_is_ready_again() {
        let (mut cluster, node) = cluster();
        cluster.kubelets.shut_down_node(node, &mut cluster.world);
        later(&mut cluster, 30);
        assert_eq!(tainted(&cluster, node), Some(false), "nobody asks about a node that is ready");
        later(&mut cluster, 90);
        assert_eq!(tainted(&cluster, node), Some(true));
        cluster.kubelets.recover_node(node, &mut cluster.world);
        later(&mut cluster, 180);
        assert_eq!(tainted(&cluster, node), Some(false));
    }

    /// A power cut is none of the cloud's business: the machine runs, as far as it knows.
    #[test]
    fn a_crashed_machine_is_neither_deleted_nor_tainted() {
        let (mut cluster, node) = cluster();
        cluster.kubelets.crash_node(node, &mut cluster.world);
        later(&mut cluster, 600);
        assert_eq!(tainted(&cluster, node), Some(false));
        assert_eq!(cluster.world.store.nodes.get(node).map(|node| node.ready), Some(NodeReady::Unknown));
    }

    /// What a former life of the process would have done the next one does.
    #[test]
    fn a_restart_asks_again() {
        let (mut cluster, node) = cluster();
        cluster.kubelets.shut_down_node(node, &mut cluster.world);
        later(&mut cluster, 45);
        cluster.stop(Process::ControllerManager);
        later(&mut cluster, 60);
        assert_eq!(tainted(&cluster, node), Some(false));
        cluster.start(Process::ControllerManager);
        later(&mut cluster, 90);
        assert_eq!(tainted(&cluster, node), Some(true));
    }
}
