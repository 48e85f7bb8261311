//! Machines that join the cluster.
use crate::api::names::Sym;
use crate::api::objects::{Node, NodeReady, Seconds, Taint};
use crate::api::store::{HOSTNAME_LABEL, REGION_LABEL, ZONE_LABEL};
use crate::cluster::Cluster;
use crate::config::KubeletModel;
use crate::kernel::Id;
use crate::rule::Rule;
use crate::scenario::NodeSpec;
use crate::world::Actor;

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
        let id = self.world.store_new(node, Rule::node(11)).map_err(|status| status.message)?;
        self.kubelets.add_node(id, &mut self.world);
        Ok(id)
    }
}

/// The region of a zone: `us-east-1` of `us-east-1a`; `region-1` of a zone not named so.
fn region_of(zone: &str) -> String {
    let Some(region) = zone.strip_suffix(|c: char| c.is_ascii_lowercase()) else { return "region-1".into() };
    if region.ends_with(|c: char| c.is_ascii_digit()) { region.to_owned() } else { "region-1".into() }
}
