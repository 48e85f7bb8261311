//! What a picture needs to know of an object: the cells of kubectl's table, and how it hangs together with others.
use crate::api::kind::Kind;
use crate::api::objects::{Claim, Pod, StatefulSet, Volume};
use crate::api::store::{Store, ZONE_LABEL};
use crate::api::wire::fields::{at, list, text_at};
use crate::cluster::Cluster;
use crate::kernel::Id;
use crate::kubectl;
use crate::report::unready;
use serde_json::Value;

/// Titles and values of what is told of an object.
pub(super) type Facts = Vec<(&'static str, String)>;

/// What is told of an object that is there, from its JSON and its table position.
pub(super) fn facts(kind: Kind, index: u32, object: &Value, cluster: &Cluster) -> Facts {
    let store = &cluster.world.store;
    let index = index as usize;
    let mut facts: Facts = kubectl::cells_of(object, cluster.world.now());
    // Ages pass without anything being written.
    facts.retain(|(title, _)| !matches!(*title, "Name" | "Age" | "Last Seen"));
    for (title, cell) in &mut facts {
        if *title == "Restarts" {
            *cell = cell.split(' ').next().unwrap_or_default().to_owned();
        }
    }
    facts.push(("deleting", flag(at(object, &["metadata", "deletionTimestamp"]).is_some())));
    facts.push(("owner", owner(object)));
    match kind {
        Kind::Pod => pod(Id::from_index(index), object, store, &mut facts),
        Kind::Claim => claim(Id::from_index(index), store, &mut facts),
        Kind::Volume => volume(Id::from_index(index), store, &mut facts),
        Kind::Node => {
            facts.push(("zone", text_at(object, &["metadata", "labels", ZONE_LABEL]).to_owned()));
            facts.push(("taints", taints(object)));
        }
        Kind::StatefulSet => set(Id::from_index(index), object, cluster, &mut facts),
        Kind::Deployment | Kind::ReplicaSet => {
            facts.push((
                "replicas",
                at(object, &["spec", "replicas"]).map(Value::to_string).unwrap_or_default(),
            ));
        }
        Kind::EndpointSlice => {
            let service = ["metadata", "labels", "kubernetes.io/service-name"];
            facts.push(("service", text_at(object, &service).to_owned()));
            let (ready, members) = members(object);
            facts.push(("ready", ready.to_string()));
            facts.push(("members", members.to_string()));
        }
        _ => {}
    }
    facts
}

fn flag(on: bool) -> String {
    if on { "1".to_owned() } else { String::new() }
}

fn owner(object: &Value) -> String {
    let owners = at(object, &["metadata", "ownerReferences"]).and_then(Value::as_array);
    let first = owners.and_then(|owners| owners.first());
    first.map_or_else(String::new, |owner| {
        format!("{}/{}", text_at(owner, &["kind"]), text_at(owner, &["name"]))
    })
}

fn pod(id: Id<Pod>, object: &Value, store: &Store, facts: &mut Facts) {
    let Some(pod) = store.pods.get(id) else { return };
    let volumes = list(object.get("spec").unwrap_or(&Value::Null), "volumes");
    let claims: Vec<_> = volumes
        .iter()
        .map(|volume| text_at(volume, &["persistentVolumeClaim", "claimName"]))
        .filter(|name| !name.is_empty())
        .collect();
    let waits = if pod.is_ready() && !pod.is_terminating() || pod.is_terminal() {
        String::new()
    } else {
        unready::waits_for(id, pod, store)
    };
    facts.push(("claims", claims.join(",")));
    facts.push(("ready", flag(pod.is_ready())));
    facts.push(("waits", waits));
    facts.push(("revision", text_at(object, &["metadata", "labels", "controller-revision-hash"]).to_owned()));
}

fn claim(id: Id<Claim>, store: &Store, facts: &mut Facts) {
    let claim = store.claims.get(id);
    let volume = claim.and_then(|claim| store.volumes.last_known(claim.volume));
    facts.push(("volume", volume.map(|volume| store.name_of(volume.meta.name)).unwrap_or_default()));
}

fn volume(id: Id<Volume>, store: &Store, facts: &mut Facts) {
    let Some(volume) = store.volumes.get(id) else { return };
    let disk = if volume.disk == 0 { String::new() } else { store.volume_handle(volume.disk) };
    facts.push(("disk", disk));
    facts.push(("zone", store.names.text(volume.zone).to_owned()));
    facts.push(("claim", store.name_of(volume.claim.name)));
}

fn taints(object: &Value) -> String {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let taints = list(spec, "taints").iter();
    let taints = taints.map(|taint| format!("{}:{}", text_at(taint, &["key"]), text_at(taint, &["effect"])));
    taints.collect::<Vec<_>>().join(" ")
}

fn set(id: Id<StatefulSet>, object: &Value, cluster: &Cluster, facts: &mut Facts) {
    facts.push(("replicas", at(object, &["spec", "replicas"]).map(Value::to_string).unwrap_or_default()));
    facts.push(("service", text_at(object, &["spec", "serviceName"]).to_owned()));
    facts.push(("waits", unready::controller_waits(id, cluster).unwrap_or_default()));
}

/// How many endpoints are ready, and how many there are.
fn members(object: &Value) -> (usize, usize) {
    let ready = |endpoint: &&Value| at(endpoint, &["conditions", "ready"]) == Some(&Value::Bool(true));
    let endpoints = list(object, "endpoints");
    (endpoints.iter().filter(ready).count(), endpoints.len())
}
