//! The filter: which reasons keep a pod away from a node.
//!
//! Follows `schedule_one.go` (findNodesThatPassFilters) and the filter plugins in their default order (SCHED-10 to
//! SCHED-17): the first plugin that rejects a node has the word, with all its reasons.
use super::affinity;
use super::cache::Cache;
use super::class::Class;
use super::messages::{Plugins, Reasons, Tally};
use super::score::{Request, fits};
use super::spread;
use super::taints;
use super::volumes::{Decisions, Needs, Volumes};
use crate::api::objects::Pod;
use crate::api::pod_spec::PodSpec;
use crate::api::store::View;
use crate::kernel::Id;
use crate::rule::mark;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A pod to come, with what it asks for.
type Coming = (Id<Pod>, Arc<PodSpec>);

/// Pods that have a node in prospect and are not on it yet, by node (SCHED-12).
#[derive(Clone, Debug, Default)]
pub(super) struct Nominated {
    by_node: FxHashMap<u32, Vec<Coming>>,
    node_of: FxHashMap<u32, u32>,
}

impl Nominated {
    /// Notes that a pod has this node in prospect.
    pub(super) fn add(&mut self, pod: Id<Pod>, spec: &Arc<PodSpec>, node: u32) {
        self.remove(pod);
        self.node_of.insert(pod.as_u32(), node);
        self.by_node.entry(node).or_default().push((pod, spec.clone()));
    }

    /// The node a pod has in prospect.
    pub(super) fn node_of(&self, pod: Id<Pod>) -> Option<u32> {
        if self.node_of.is_empty() { None } else { self.node_of.get(&pod.as_u32()).copied() }
    }

    /// The pod has no node in prospect any more.
    pub(super) fn remove(&mut self, pod: Id<Pod>) {
        if self.node_of.is_empty() {
            return;
        }
        let Some(node) = self.node_of.remove(&pod.as_u32()) else { return };
        if let Some(list) = self.by_node.get_mut(&node) {
            list.retain(|(other, _)| *other != pod);
            if list.is_empty() {
                self.by_node.remove(&node);
            }
        }
    }

    /// The pods that have this node in prospect.
    pub(super) fn on(&self, node: u32) -> Vec<Id<Pod>> {
        self.by_node.get(&node).into_iter().flatten().map(|(pod, _)| *pod).collect()
    }

    /// Requests (cpu, memory, pods) of the other pods with at least this priority that are to come to a node.
    fn to_come(&self, node: u32, pod: Id<Pod>, priority: i32) -> (u64, u64, u32) {
        if self.by_node.is_empty() {
            return (0, 0, 0);
        }
        let others = self.by_node.get(&node).into_iter().flatten();
        let counted = others.filter(|(other, spec)| *other != pod && spec.priority >= priority);
        counted.fold((0, 0, 0), |(cpu, memory, pods), (_, spec)| {
            (cpu + spec.cpu, memory + spec.memory, pods + 1)
        })
    }
}

/// What one cycle works with. The buffers live on from cycle to cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// Nodes that pass.
    pub(super) feasible: Vec<u32>,
    /// Resource scores of these.
    pub(super) totals: Vec<i64>,
    /// The other nodes that were looked at, with the reasons if no node passes.
    pub(super) rejected: Vec<(u32, Reasons)>,
    pub(super) raw: Vec<i64>,
    pub(super) needs: Needs,
    pub(super) decisions: Decisions,
    pub(super) spread: spread::Scratch,
}

/// What a filter reads besides the cache.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) pod: Id<Pod>,
    pub(super) class: &'a Class,
    pub(super) view: View<'a>,
    pub(super) volumes: &'a Volumes,
    pub(super) nominated: &'a Nominated,
}

impl Scratch {
    /// How many nodes are rejected for each reason, and who rejected.
    pub(super) fn diagnosis(&self) -> (Tally, Plugins) {
        let (mut tally, mut all) = (Tally::default(), Reasons::NONE);
        for (_, reasons) in &self.rejected {
            tally.add(*reasons);
            all |= *reasons;
        }
        (tally, all.plugins())
    }

    /// Finds the nodes that pass, beginning at `start` of the nodes in order, until enough are found (SCHED-11).
    /// Returns how many nodes were looked at.
    pub(super) fn find_feasible(&mut self, cx: Context<'_>, cache: &mut Cache, start: usize) -> usize {
        self.feasible.clear();
        self.totals.clear();
        self.rejected.clear();
        let order = cache.take_order();
        let enough = enough_nodes(order.len());
        mark!("SCHED-10");
        mark!("SCHED-11" if enough < order.len());
        let (before, after) = order.split_at(start.min(order.len()));
        let plain = cx.class.is_plain() && cx.nominated.by_node.is_empty();
        let looked_at = self.look_at(cx, cache, after, enough, plain);
        let looked_at = looked_at + self.look_at(cx, cache, before, enough, plain);
        cache.put_order(order);
        if self.feasible.is_empty() {
            self.name_reasons(cx, cache);
        }
        looked_at
    }

    /// The reasons of nodes that were passed over because the pod's volumes lie elsewhere: a plugin before may have the
    /// word.
    fn name_reasons(&mut self, cx: Context<'_>, cache: &mut Cache) {
        for at in 0..self.rejected.len() {
            let (node, reasons) = self.rejected[at];
            if reasons == Reasons::NONE {
                self.rejected[at].1 = self.filter(cx, cache, node).0;
            }
        }
    }

    /// Looks at these nodes one after the other until enough are found; returns at how many. `plain`: only taints and
    /// resources matter, so that nodes about which nothing new is known pass by two looks at a column.
    fn look_at(
        &mut self,
        cx: Context<'_>,
        cache: &mut Cache,
        nodes: &[u32],
        enough: usize,
        plain: bool,
    ) -> usize {
        let zonal = !cx.class.spec.claims.is_empty();
        let mut at = 0;
        while at < nodes.len() && self.feasible.len() < enough {
            if plain {
                let most = nodes.len().min(at + enough - self.feasible.len());
                let passed = cache.known_to_pass(cx.class.shape, &nodes[at..most], &mut self.totals);
                self.feasible.extend_from_slice(&nodes[at..at + passed]);
                at += passed;
                if at == most {
                    continue;
                }
            }
            if zonal && self.needs.are_elsewhere(cache.zone_of[nodes[at] as usize]) {
                self.rejected.push((nodes[at], Reasons::NONE));
                at += 1;
                continue;
            }
            let (reasons, score) = self.filter(cx, cache, nodes[at]);
            if reasons == Reasons::NONE {
                self.feasible.push(nodes[at]);
                self.totals.push(score);
            } else {
                self.rejected.push((nodes[at], reasons));
            }
            at += 1;
        }
        at
    }

    /// What the plugins say of one node, and its resource score.
    pub(super) fn filter(&mut self, cx: Context<'_>, cache: &mut Cache, node: u32) -> (Reasons, i64) {
        let class = cx.class;
        let info = &cache.nodes[node as usize];
        if !cache.open[node as usize] {
            if info.unschedulable && !class.tolerates_cordon {
                mark!("SCHED-13");
                mark!("NODE-31", "PDB-28");
                return (Reasons::CORDONED, 0);
            }
            if taints::repels(&info.taints, &class.spec.tolerations) {
                mark!("SCHED-13");
                return (Reasons::TAINTED, 0);
            }
        }
        if let Some(placement) = class.spec.placement.as_deref() {
            if class.selects_nodes() && !taints::node_fits(placement, node, cache, cx.view.store) {
                mark!("SCHED-13");
                return (Reasons::NODE_AFFINITY, 0);
            }
            if placement.host_ports.iter().any(|port| info.ports.contains(port)) {
                mark!("SCHED-13");
                return (Reasons::PORTS, 0);
            }
        }
        let (mut reasons, score) = cache.fit(class.shape, node);
        if reasons == Reasons::NONE {
            let extra = cx.nominated.to_come(node, cx.pod, class.spec.priority);
            if extra.2 > 0 {
                reasons = fits(&cache.nodes[node as usize], &Request::of(&class.spec), extra);
            }
        }
        if reasons == Reasons::NONE {
            reasons = self.filter_by_others(cx, cache, node);
        } else {
            mark!("SCHED-14");
        }
        (reasons, score)
    }

    /// The plugins after NodeResourcesFit: volumes, spreading, affinity.
    fn filter_by_others(&mut self, cx: Context<'_>, cache: &Cache, node: u32) -> Reasons {
        let class = cx.class;
        if !class.spec.claims.is_empty() {
            let (id, info) = (Id::from_index(node as usize), &cache.nodes[node as usize]);
            let reasons = cx.volumes.filter(&self.needs, id, info, cx.view, &mut self.decisions);
            if reasons != Reasons::NONE {
                mark!("SCHED-17");
                return reasons;
            }
        }
        if !class.hard.is_empty() {
            let reasons = self.spread.filter(node, cache);
            mark!("SCHED-16");
            if reasons != Reasons::NONE {
                return reasons;
            }
        }
        if !class.has_required_terms() {
            return Reasons::NONE;
        }
        mark!("SCHED-15");
        affinity::filter(class, node, cache)
    }

    /// Adds to the resource scores what the other plugins say of the feasible nodes (SCHED-23).
    pub(super) fn score(&mut self, class: &Class, cache: &Cache, view: View<'_>) {
        let is_discouraged = |node: &u32| cache.nodes[*node as usize].discouraged;
        if cache.discouraged > 0 && self.feasible.iter().any(is_discouraged) {
            let tolerations = &class.spec.tolerations;
            let count = |node: &u32| taints::discourages(&cache.nodes[*node as usize].taints, tolerations);
            self.raw.clear();
            self.raw.extend(self.feasible.iter().map(count));
            super::score::normalize(&self.raw, true, super::score::WEIGHT_TAINTS, &mut self.totals);
        }
        let placement = class.spec.placement.as_deref();
        if let Some(placement) = placement.filter(|p| !p.node_preferred.is_empty()) {
            let preference = |node: &u32| taints::node_preference(placement, *node, cache, view.store);
            self.raw.clear();
            self.raw.extend(self.feasible.iter().map(preference));
            super::score::normalize(&self.raw, false, super::score::WEIGHT_NODE_AFFINITY, &mut self.totals);
        }
        self.spread.score(class, cache, view.store, &self.feasible, &mut self.totals);
        affinity::score(class, cache, &self.feasible, &mut self.raw, &mut self.totals);
    }
}

/// How many feasible nodes are enough among so many (SCHED-11).
fn enough_nodes(nodes: usize) -> usize {
    if nodes < 100 {
        return nodes;
    }
    let percent = 50_usize.saturating_sub(nodes / 125).max(5);
    (nodes * percent / 100).max(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling() {
        for (nodes, enough) in
            [(0, 0), (3, 3), (99, 99), (100, 100), (250, 120), (1000, 420), (5000, 500), (20_000, 1000)]
        {
            assert_eq!(enough_nodes(nodes), enough, "{nodes} nodes");
        }
    }
}
