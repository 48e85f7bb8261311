//! What a target names at the moment at which a fault is due.
use crate::api::names::Sym;
use crate::api::objects::{Node, Pod, Volume};
use crate::behavior::Glob;
use crate::cluster::Cluster;
use crate::kernel::Id;
use crate::scenario::{Target, aliases};

/// What a fault hits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Victims {
    /// These pods.
    Pods(Vec<Id<Pod>>),
    /// These nodes.
    Nodes(Vec<Id<Node>>),
}

impl Cluster {
    /// Everything that targets name now: pods, if the first of them names pods.
    ///
    /// # Errors
    /// A sentence naming what there is, if one of them names nothing.
    pub fn all_victims(&self, targets: &[Target]) -> Result<Victims, String> {
        let (mut pods, mut nodes) = (Vec::new(), Vec::new());
        for target in targets {
            match self.victims(target)? {
                Victims::Pods(hit) => {
                    pods.extend(hit.into_iter().filter(|pod| !pods.contains(pod)).collect::<Vec<_>>())
                }
                Victims::Nodes(hit) => {
                    nodes.extend(hit.into_iter().filter(|node| !nodes.contains(node)).collect::<Vec<_>>())
                }
            }
        }
        Ok(if pods.is_empty() { Victims::Nodes(nodes) } else { Victims::Pods(pods) })
    }

    /// The nodes that targets name now.
    ///
    /// # Errors
    /// As [`Cluster::all_victims`].
    pub fn nodes_of(&self, targets: &[Target]) -> Result<Vec<Id<Node>>, String> {
        match self.all_victims(targets)? {
            Victims::Nodes(nodes) => Ok(nodes),
            Victims::Pods(_) => Err("a node or a zone is needed, and these are pods".into()),
        }
    }

    /// Everything a target names now.
    ///
    /// # Errors
    /// A sentence naming what there is, if it names nothing.
    pub fn victims(&self, target: &Target) -> Result<Victims, String> {
        let store = &self.world.store;
        match target {
            Target::Pod(pattern) => {
                let pattern = &aliases::resolve_by_age(pattern, store);
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
            Target::PrimaryOf(database) => Ok(Victims::Pods(vec![self.primary_of(database)?])),
            Target::NodeOf(pods) => Ok(Victims::Nodes(self.nodes_below(pods)?)),
            Target::ZoneOf(pods) => {
                let nodes = self.nodes_below(pods)?;
                let zones: Vec<Sym> =
                    nodes.iter().filter_map(|node| store.nodes.get(*node)).map(|node| node.zone).collect();
                Ok(Victims::Nodes(self.nodes_where(|_, node| zones.contains(&node.zone))))
            }
        }
    }

    /// The pod of the primary of a database.
    fn primary_of(&self, name: &str) -> Result<Id<Pod>, String> {
        let Some(database) = self.databases.get(name) else {
            let names: Vec<&str> = self.databases.iter().map(|other| other.spec.name.as_str()).collect();
            return Err(match names.as_slice() {
                [] => format!("there is no database `{name}`; there is none at all"),
                names => format!("there is no database `{name}`; the databases are {}", names.join(", ")),
            });
        };
        database.primary().map(|(pod, _)| pod).ok_or_else(|| format!("database `{name}` has no primary"))
    }

    fn nodes_where(&self, fits: impl Fn(&str, &Node) -> bool) -> Vec<Id<Node>> {
        let store = &self.world.store;
        let named = store.nodes.iter().filter(|(_, node)| fits(&store.name_of(node.meta.name), node));
        named.map(|(id, _)| id).collect()
    }

    /// The nodes that pods are bound to.
    fn nodes_below(&self, pods: &Target) -> Result<Vec<Id<Node>>, String> {
        let Victims::Pods(pods) = self.victims(pods)? else { return Err("a pod is needed".into()) };
        let store = &self.world.store;
        let mut nodes = Vec::new();
        for pod in pods.iter().filter_map(|pod| store.pods.get(*pod)) {
            if pod.is_bound() && !nodes.contains(&pod.node) {
                nodes.push(pod.node);
            }
        }
        match pods.first().and_then(|pod| store.pods.get(*pod)) {
            Some(pod) if nodes.is_empty() => {
                Err(format!("pod `{}` has no node", store.name_of(pod.meta.name)))
            }
            _ => Ok(nodes),
        }
    }

    /// The volumes of claims of these names.
    pub(super) fn volumes_of(&self, claims: &[Glob]) -> Result<Vec<Id<Volume>>, String> {
        let store = &self.world.store;
        let mut volumes = Vec::new();
        for glob in claims {
            let mut hit =
                store.claims.iter().filter(|(_, claim)| glob.matches(&store.name_of(claim.meta.name)));
            let before = volumes.len();
            volumes.extend(hit.by_ref().map(|(_, claim)| claim.volume).filter(|volume| !volume.is_none()));
            if volumes.len() == before {
                return Err(self.nothing_called("claim with a volume", &glob.0));
            }
        }
        Ok(volumes)
    }

    fn nothing_called(&self, kind: &str, name: &str) -> String {
        let store = &self.world.store;
        let mut names: Vec<String> = match kind {
            "node" => store.nodes.iter().map(|(_, node)| store.name_of(node.meta.name)).collect(),
            "pod" => store.pods.iter().map(|(_, pod)| store.name_of(pod.meta.name)).collect(),
            _ => store.claims.iter().map(|(_, claim)| store.name_of(claim.meta.name)).collect(),
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
}
