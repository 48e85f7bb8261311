//! Stable names for what gets random ones: `{{web-rs-1-#2}}` is the second pod of the first ReplicaSet of Deployment
//! `web`, `{{web-rs-1}}` that ReplicaSet. `{{web#1}}` is the second oldest pod of Deployment `web` that lives when it is
//! asked for, whatever its ReplicaSet.
use crate::api::kind::Kind;
use crate::api::objects::Pod;
use crate::api::store::Store;
use crate::cluster::Cluster;
use crate::kernel::Id;
use crate::trace::record::Note;
use std::collections::BTreeMap;

/// What is called how, learned from the records of a run.
#[derive(Clone, Debug, Default)]
pub struct Aliases {
    /// From the real name to the alias.
    names: BTreeMap<String, String>,
    sets_of: BTreeMap<String, u32>,
    pods_of: BTreeMap<String, u32>,
}

impl Aliases {
    /// Learns from the records written since the last look.
    pub fn learn(&mut self, cluster: &Cluster, seen: &mut usize) {
        let store = &cluster.world.store;
        let records = cluster.world.recorder.records();
        while let Some(record) = records.get(*seen) {
            *seen += 1;
            if !matches!(record.note, Note::Created(_) | Note::CreatedWith(_)) {
                continue;
            }
            let owner =
                |owners| store.controller_of(owners).map(|owner| (owner.kind, store.name_of(owner.name)));
            let id = record.index as usize;
            let name = store.name_of(record.name);
            match record.kind {
                Kind::ReplicaSet => {
                    let set = store.replica_sets.last_known(crate::kernel::Id::from_index(id));
                    if let Some((Kind::Deployment, deployment)) = set.and_then(|set| owner(set.meta.owners)) {
                        let n = self.sets_of.entry(deployment.clone()).or_default();
                        *n += 1;
                        self.names.insert(name, format!("{deployment}-rs-{n}"));
                    }
                }
                Kind::Pod => {
                    let pod = store.pods.last_known(crate::kernel::Id::from_index(id));
                    if let Some((Kind::ReplicaSet, set)) = pod.and_then(|pod| owner(pod.meta.owners)) {
                        let set = self.names.get(&set).cloned().unwrap_or(set);
                        let n = self.pods_of.entry(set.clone()).or_default();
                        *n += 1;
                        self.names.insert(name, format!("{set}-#{n}"));
                    }
                }
                _ => {}
            }
        }
    }

    /// The alias of a real name, or the name itself.
    pub fn alias<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, String::as_str)
    }

    /// A text with aliases in place of real names; longer names first, so that a pod is not taken for its set.
    pub fn tell(&self, text: &str) -> String {
        let mut told = text.to_owned();
        for (name, alias) in self.names.iter().rev() {
            told = told.replace(name.as_str(), alias);
        }
        told
    }

    /// Puts real names where a text has `{{alias}}`.
    pub fn resolve(&self, text: &str) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        let mut resolved = text.to_owned();
        for (name, alias) in &self.names {
            resolved = resolved.replace(&format!("{{{{{alias}}}}}"), name);
        }
        resolved
    }
}

/// How the name of a pod by its age begins.
const BY_AGE: &str = "{{";

/// The pods of the Deployments of this name that live, neither terminal nor marked for deletion, the oldest first.
pub fn pods_by_age(store: &Store, deployment: &str) -> Vec<Id<Pod>> {
    let is_ours = |pod: &Pod| {
        let set = store.controller_of(pod.meta.owners).filter(|owner| owner.kind == Kind::ReplicaSet)?;
        let (_, set) = store.replica_sets.find(pod.meta.namespace, set.name)?;
        let owner = store.controller_of(set.meta.owners).filter(|owner| owner.kind == Kind::Deployment)?;
        (store.name_of(owner.name) == deployment).then_some(())
    };
    let living = store.pods.iter().filter(|(_, pod)| !pod.is_terminating() && !pod.is_terminal());
    let mut ours: Vec<_> = living.filter(|(_, pod)| is_ours(pod).is_some()).collect();
    ours.sort_by_key(|(_, pod)| pod.meta.uid);
    ours.into_iter().map(|(id, _)| id).collect()
}

/// Puts the names of pods where a text has `{{NAME#INDEX}}`; what names nothing stays as it is.
pub fn resolve_by_age(text: &str, store: &Store) -> String {
    let mut resolved = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BY_AGE) {
        let (before, found) = rest.split_at(at);
        resolved.push_str(before);
        let inner = found.split_once("}}").map(|(inner, after)| (inner.get(BY_AGE.len()..), after));
        let named = inner.and_then(|(inner, after)| {
            let (deployment, index) = inner?.split_once('#')?;
            let pod = *pods_by_age(store, deployment).get(index.parse::<usize>().ok()?)?;
            Some((store.name_of(store.pods.get(pod)?.meta.name), after))
        });
        match named {
            Some((name, after)) => {
                resolved.push_str(&name);
                rest = after;
            }
            None => {
                resolved.push_str(BY_AGE);
                rest = found.get(BY_AGE.len()..).unwrap_or_default();
            }
        }
    }
    resolved + rest
}
