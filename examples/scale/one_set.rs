//! One StatefulSet on a cluster that is as large as it needs: what `examples/scale` and `benches/cluster.rs` measure.
use serde_json::{Value, json};
use stsim::api::kind::Kind;
use stsim::cluster::Cluster;
use stsim::config::Config;
use stsim::kernel::Time;
use stsim::scenario::NodeSpec;

/// Pods per node unless asked otherwise, the same at every size. A kubelet takes 110.
pub(crate) const PER_NODE: usize = 100;

/// The set that is measured, and its cluster.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Pods per node.
    pub(crate) per_node: usize,
    /// spec.replicas.
    pub(crate) replicas: usize,
    /// podManagementPolicy Parallel, not OrderedReady.
    pub(crate) parallel: bool,
    /// A volumeClaimTemplate.
    pub(crate) claims: bool,
}

impl Shape {
    fn manifest(self) -> Value {
        let claim = json!([{
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "ebs",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }]);
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {
                "serviceName": "web", "replicas": self.replicas,
                "podManagementPolicy": if self.parallel { "Parallel" } else { "OrderedReady" },
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
                },
                "volumeClaimTemplates": if self.claims { claim } else { json!([]) },
            },
        })
    }
}

/// A settled cluster with nodes for the set, and nothing on them. Half of each node's room stays free.
pub(crate) fn empty(shape: Shape) -> Cluster {
    let mut config = Config::recorded();
    config.client_qps = 0;
    let mut cluster = Cluster::new(1, config);
    cluster.world.max_events = u64::MAX;
    cluster.bootstrap().expect("an empty cluster");
    for number in 0..(shape.replicas / shape.per_node).max(3) {
        add_node(&mut cluster, shape, &format!("node-{number}"), number % 3);
    }
    cluster.run_until_settled(Time::NEVER);
    cluster
}

/// Adds a node to a zone.
pub(crate) fn add_node(cluster: &mut Cluster, shape: Shape, name: &str, zone: usize) {
    let room = u32::try_from(2 * shape.per_node).expect("small");
    let node = NodeSpec {
        name: name.to_owned(),
        zone: format!("zone-{zone}"),
        cpu: 1_000_000,
        memory: 1 << 50,
        pods: room,
        volumes: room,
        labels: Vec::new(),
        taints: Vec::new(),
    };
    cluster.add_node(&node, true).expect("a new node");
}

/// Asks for the set, and for its service. The cluster has not begun to work on it.
pub(crate) fn apply(cluster: &mut Cluster, shape: Shape) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    cluster.world.rest_create(service).expect("a service");
    cluster.world.rest_create(shape.manifest()).expect("a set");
}

/// Asks for another image.
pub(crate) fn change_image(cluster: &mut Cluster) {
    let set = cluster.world.rest_list(Kind::StatefulSet, None)[0];
    let mut object = cluster.world.rest_get(set).expect("it is there");
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:v2");
    cluster.world.rest_update(set, object).expect("a new template");
}

/// Runs until there is nothing left to do, and makes sure that all pods are ready then.
pub(crate) fn settle(cluster: &mut Cluster, replicas: usize) {
    cluster.run_until_settled(Time::NEVER);
    let ready: i32 = cluster.world.store.stateful_sets.iter().map(|(_, set)| set.status.ready).sum();
    assert_eq!(usize::try_from(ready), Ok(replicas), "all pods are ready");
}
