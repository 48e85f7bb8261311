//! What can be done to the cluster from outside: machines join, break and come back, processes stop and start.
//!
//! One verb is one physical situation. A crash and a partition look alike to the API and have opposite consequences.
use crate::api::names::Sym;
use crate::api::objects::{Node, NodeReady, Pod, Seconds, Taint};
use crate::api::store::{HOSTNAME_LABEL, REGION_LABEL, ZONE_LABEL};
use crate::behavior::Glob;
use crate::cluster::Cluster;
use crate::config::KubeletModel;
use crate::kernel::Id;
use crate::rule::Rule;
use crate::scenario::{NodeSpec, Target, Verb};
use crate::world::Actor;

/// What a fault hits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Victims {
    /// These pods.
    Pods(Vec<Id<Pod>>),
    /// These nodes.
    Nodes(Vec<Id<Node>>),
}

impl Cluster {
    /// Adds a machine. With `ready` it has been part of the cluster for a while: its kubelet has reported, and the
    /// taint every new node gets (NODE-11) is gone again.
    ///
    /// # Errors
    /// A sentence if there is a node of this name.
    pub fn add_node(&mut self, spec: &NodeSpec, ready: bool) -> Result<Id<Node>, String> {
        let store = &mut self.world.store;
        let mut labels = vec![(HOSTNAME_LABEL.to_owned(), spec.name.clone())];
        let region = region_of(&spec.zone);
        if !spec.zone.is_empty() {
            labels.push((ZONE_LABEL.to_owned(), spec.zone.clone()));
            labels.push((REGION_LABEL.to_owned(), region.clone()));
        }
        labels.extend(spec.labels.iter().cloned());
        let pairs = labels.iter().map(|(k, v)| (store.names.word(k), store.names.word(v))).collect();
        let mut taints: Vec<Taint> = Vec::new();
        for (key, value, effect) in &spec.taints {
            let (key, value) = (store.names.word(key), store.names.word(value));
            taints.push(Taint { key, value, effect: *effect, added: Seconds::NEVER });
        }
        if !ready {
            let key = store.names.word("node.kubernetes.io/not-ready");
            let effect = crate::api::objects::Effect::NoSchedule;
            taints.push(Taint { key, value: Sym::EMPTY, effect, added: Seconds::NEVER });
        }
        // The recorded kubelets registered their nodes with the first report in them.
        let reported = ready || self.world.config.kubelet == KubeletModel::Recorded;
        let now = Seconds::of(self.world.now());
        let store = &mut self.world.store;
        let mut node = Node {
            meta: Default::default(),
            zone: store.names.word(&spec.zone),
            region: store.names.word(&region),
            unschedulable: false,
            taints: taints.into(),
            cpu: spec.cpu,
            memory: spec.memory,
            pods: spec.pods,
            volumes: Some(spec.volumes),
            ready: if reported { NodeReady::True } else { NodeReady::Missing },
            ready_since: now,
            volumes_in_use: Default::default(),
            volumes_attached: Default::default(),
        };
        node.meta.name = store.names.name(&spec.name);
        node.meta.labels = store.labels.of(pairs);
        self.world.actor = Actor::Kubelet;
        let id = self.world.create(node, Rule::node(11)).map_err(|status| status.message)?;
        self.kubelets.add_node(id, &mut self.world);
        Ok(id)
    }

    /// Everything a target names now.
    ///
    /// # Errors
    /// A sentence naming what there is, if it names nothing.
    pub fn victims(&self, target: &Target) -> Result<Victims, String> {
        let store = &self.world.store;
        match target {
            Target::Pod(pattern) => {
                let glob = Glob(pattern.clone());
                let hit: Vec<_> = store
                    .pods
                    .iter()
                    .filter(|(_, pod)| glob.matches(&store.name_of(pod.meta.name)))
                    .map(|(id, _)| id)
                    .collect();
                if hit.is_empty() { Err(self.nothing_called("pod", pattern)) } else { Ok(Victims::Pods(hit)) }
            }
            Target::Node(pattern) => {
                let glob = Glob(pattern.clone());
                let hit = self.nodes_where(|name, _| glob.matches(name));
                if hit.is_empty() {
                    Err(self.nothing_called("node", pattern))
                } else {
                    Ok(Victims::Nodes(hit))
                }
            }
            Target::Zone(zone) => {
                let hit = self.nodes_where(|_, node| store.names.text(node.zone) == zone);
                if hit.is_empty() {
                    Err(format!("there is no node in zone `{zone}`"))
                } else {
                    Ok(Victims::Nodes(hit))
                }
            }
            Target::NodeOf(pod) => Ok(Victims::Nodes(vec![self.node_of(pod)?])),
            Target::ZoneOf(pod) => {
                let zone = store.nodes.get(self.node_of(pod)?).map(|node| node.zone);
                Ok(Victims::Nodes(self.nodes_where(|_, node| Some(node.zone) == zone)))
            }
        }
    }

    fn nodes_where(&self, fits: impl Fn(&str, &Node) -> bool) -> Vec<Id<Node>> {
        let store = &self.world.store;
        let named = store.nodes.iter().filter(|(_, node)| fits(&store.name_of(node.meta.name), node));
        named.map(|(id, _)| id).collect()
    }

    fn node_of(&self, pod: &str) -> Result<Id<Node>, String> {
        let store = &self.world.store;
        let found = store.names.known_name(pod).and_then(|name| store.pods.find(Sym::DEFAULT, name));
        match found {
            Some((_, pod)) if pod.is_bound() => Ok(pod.node),
            Some(_) => Err(format!("pod `{pod}` has no node")),
            None => Err(self.nothing_called("pod", pod)),
        }
    }

    fn nothing_called(&self, kind: &str, name: &str) -> String {
        let store = &self.world.store;
        let mut names: Vec<String> = if kind == "node" {
            store.nodes.iter().map(|(_, node)| store.name_of(node.meta.name)).collect()
        } else {
            store.pods.iter().map(|(_, pod)| store.name_of(pod.meta.name)).collect()
        };
        names.sort();
        let total = names.len();
        names.truncate(8);
        let more =
            if total > names.len() { format!(" and {} more", total - names.len()) } else { String::new() };
        if names.is_empty() {
            format!("there is no {kind} `{name}`; there is none at all")
        } else {
            format!("there is no {kind} `{name}`; the {kind}s are {}{more}", names.join(", "))
        }
    }

    /// Does it.
    pub fn inject(&mut self, verb: Verb, victims: &Victims) {
        match victims {
            Victims::Pods(pods) => {
                for &pod in pods {
                    self.hit_pod(verb, pod);
                }
            }
            Victims::Nodes(nodes) => {
                for &node in nodes {
                    self.hit_node(verb, node);
                }
            }
        }
    }

    fn hit_pod(&mut self, verb: Verb, pod: Id<Pod>) {
        let world = &mut self.world;
        world.actor = Actor::Kubelet;
        match verb {
            Verb::Crash => self.kubelets.crash_pod(pod, world),
            Verb::Fail => self.kubelets.fail_pod(pod, world),
            Verb::Hang => self.kubelets.hang_pod(pod, true, world),
            Verb::Unhang => self.kubelets.hang_pod(pod, false, world),
            Verb::Unready => self.kubelets.set_ready(pod, false, world),
            Verb::Ready => self.kubelets.set_ready(pod, true, world),
            Verb::Recover
            | Verb::Partition
            | Verb::Heal
            | Verb::Reboot
            | Verb::Shutdown
            | Verb::RestartKubelet => {}
        }
    }

    fn hit_node(&mut self, verb: Verb, node: Id<Node>) {
        let world = &mut self.world;
        world.actor = Actor::Kubelet;
        match verb {
            Verb::Crash | Verb::Reboot => self.kubelets.crash_node(node, world),
            Verb::Shutdown => self.kubelets.shut_down_node(node, world),
            Verb::RestartKubelet => self.kubelets.restart_kubelet(node, world),
            Verb::Recover => self.kubelets.recover_node(node, world),
            Verb::Partition => self.kubelets.partition_node(node, world),
            Verb::Heal => self.kubelets.heal_node(node, world),
            Verb::Fail | Verb::Hang | Verb::Unhang | Verb::Unready | Verb::Ready => {}
        }
    }
}

/// The region of a zone: `us-east-1` of `us-east-1a`; `region-1` of a zone not named so.
fn region_of(zone: &str) -> String {
    let Some(region) = zone.strip_suffix(|c: char| c.is_ascii_lowercase()) else { return "region-1".into() };
    if region.ends_with(|c: char| c.is_ascii_digit()) { region.to_owned() } else { "region-1".into() }
}
