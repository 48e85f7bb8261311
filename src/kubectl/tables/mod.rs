//! The tables of `kubectl get`, as the API server makes them.
//!
//! Follows `pkg/printers/internalversion/printers.go` of Kubernetes 1.36: which columns a kind has and what stands in
//! them, from the object as JSON. Left out: init containers in READY and STATUS of pods, load balancers.
mod cluster;
mod network;
mod pods;
mod storage;
mod workloads;

pub(super) use cluster::{occurrences, roles};
pub(super) use network::shortened;
pub(super) use storage::{class_of, is_default_class};

use super::human;
use super::resource::ResourceKind;
use super::table::Column;
use crate::api::text::parse_timestamp;
use crate::api::wire::fields::{list, text, text_at};
use crate::kernel::Time;
use serde_json::Value;

/// Makes the cells of one object, one for each column.
type Row = fn(&Value, Time) -> Vec<String>;

/// What a kind's table shows.
pub(super) struct Printer {
    /// The columns.
    pub(super) columns: &'static [Column],
    /// The cells.
    pub(super) row: Row,
}

const fn c(name: &'static str) -> Column {
    Column::new(name)
}

const fn w(name: &'static str) -> Column {
    Column::wide(name)
}

/// What kinds without a table of their own show.
const PLAIN: &[Column] = &[c("Name"), c("Age")];

/// The table of a kind.
pub(super) fn printer(kind: Option<ResourceKind>) -> Printer {
    use ResourceKind as K;
    let (columns, row): (&'static [Column], Row) = match kind {
        Some(K::Pod) => (pods::COLUMNS, pods::row),
        Some(K::StatefulSet) => (workloads::SET_COLUMNS, workloads::set_row),
        Some(K::Deployment) => (workloads::DEPLOYMENT_COLUMNS, workloads::deployment_row),
        Some(K::ReplicaSet) => (workloads::REPLICA_SET_COLUMNS, workloads::replica_set_row),
        Some(K::ControllerRevision) => (workloads::REVISION_COLUMNS, workloads::revision_row),
        Some(K::PodDisruptionBudget) => (workloads::BUDGET_COLUMNS, workloads::budget_row),
        Some(K::PersistentVolumeClaim) => (storage::CLAIM_COLUMNS, storage::claim_row),
        Some(K::PersistentVolume) => (storage::VOLUME_COLUMNS, storage::volume_row),
        Some(K::StorageClass) => (storage::CLASS_COLUMNS, storage::class_row),
        Some(K::VolumeAttachment) => (storage::ATTACHMENT_COLUMNS, storage::attachment_row),
        Some(K::CsiNode) => (storage::CSI_NODE_COLUMNS, storage::csi_node_row),
        Some(K::CsiDriver) => (storage::CSI_DRIVER_COLUMNS, storage::csi_driver_row),
        Some(K::Service) => (network::SERVICE_COLUMNS, network::service_row),
        Some(K::EndpointSlice) => (network::SLICE_COLUMNS, network::slice_row),
        Some(K::Endpoints) => (network::ENDPOINTS_COLUMNS, network::endpoints_row),
        Some(K::Node) => (cluster::NODE_COLUMNS, cluster::node_row),
        Some(K::Namespace) => (cluster::NAMESPACE_COLUMNS, cluster::namespace_row),
        Some(K::PriorityClass) => (cluster::PRIORITY_COLUMNS, cluster::priority_row),
        Some(K::Event) => (cluster::EVENT_COLUMNS, cluster::event_row),
        Some(K::ConfigMap) => (cluster::CONFIG_MAP_COLUMNS, cluster::config_map_row),
        Some(K::Secret) => (cluster::SECRET_COLUMNS, cluster::secret_row),
        Some(K::ServiceAccount) => (cluster::ACCOUNT_COLUMNS, cluster::account_row),
        None => (PLAIN, |object, now| vec![name(object), age(object, now)]),
    };
    Printer { columns, row }
}

/// The instant of a timestamp.
fn instant(text: &str) -> Option<Time> {
    parse_timestamp(text).ok().map(Time::from_nanos)
}

/// How long ago a timestamp is (`translateTimestampSince`).
pub(super) fn since(text: &str, now: Time) -> String {
    human::age(instant(text), now)
}

fn name(object: &Value) -> String {
    text_at(object, &["metadata", "name"]).to_owned()
}

fn age(object: &Value, now: Time) -> String {
    since(text_at(object, &["metadata", "creationTimestamp"]), now)
}

/// The text, or `<none>`.
pub(super) fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text.to_owned() }
}

/// Names and images of the containers of a pod spec, with commas.
fn containers(spec: &Value) -> [String; 2] {
    let all = list(spec, "containers");
    ["name", "image"]
        .map(|field| all.iter().map(|container| text(container, field)).collect::<Vec<_>>().join(","))
}

/// `ReadWriteOnce` as `RWO` (`GetAccessModesAsString`).
pub(super) fn access_modes(object: &Value) -> String {
    let modes = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    let short = ["RWO", "ROX", "RWX", "RWOP"];
    let has = |mode: &str| list(object, "accessModes").iter().any(|known| known == mode);
    modes
        .iter()
        .zip(short)
        .filter(|(mode, _)| has(mode))
        .map(|(_, short)| short)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
pub(in crate::kubectl) mod tests {
    use super::*;
    use crate::kubectl::table::Table;
    use serde_json::json;

    /// The table of one kind at second 10, all columns.
    pub(in crate::kubectl) fn printed(kind: ResourceKind, objects: &[Value]) -> String {
        let Printer { columns, row } = printer(Some(kind));
        let mut table = Table::of_columns(columns, true);
        for object in objects {
            table.row_of(columns, true, row(object, Time::from_secs(10)));
        }
        table.render(true)
    }

    #[test]
    fn every_kind_fills_its_columns() {
        for kind in ResourceKind::EVERY {
            let printer = printer(Some(kind));
            let object = json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:04Z"}});
            let row = (printer.row)(&object, Time::from_secs(10));
            assert_eq!(row.len(), printer.columns.len(), "{kind}");
            assert!(printer.columns.iter().any(|column| column.name == "Name"), "{kind}");
            if let Some(at) = printer.columns.iter().position(|column| column.name == "Age") {
                assert_eq!(row[at], "6s", "{kind}");
            }
        }
    }

    #[test]
    fn access_modes_in_their_order() {
        let object = json!({"accessModes": ["ReadWriteMany", "ReadWriteOnce", "ReadWriteOnce"]});
        assert_eq!(access_modes(&object), "RWO,RWX");
        assert_eq!(access_modes(&json!({})), "");
    }
}
