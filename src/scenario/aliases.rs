//! Stable names for what gets random ones: `{{web-rs-1-#2}}` is the second pod of the first ReplicaSet of Deployment
//! `web`, `{{web-rs-1}}` that ReplicaSet.
use crate::api::kind::Kind;
use crate::cluster::Cluster;
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
