//! Topology spread: the hard constraints as a filter, the soft and the implicit ones as a score.
//!
//! Follows `plugins/podtopologyspread/{filtering,scoring}.go` (SCHED-16, SCHED-23, SCHED-24). Where every node carries
//! the labels and none is excluded by policy, a domain's count is one look at a counter; else nodes are walked as the
//! real plugin does.
use super::cache::{Cache, HOST, ZONE};
use super::class::{Class, Constraint};
use super::counts::{NONE, Topology};
use super::messages::Reasons;
use super::score::{MAX_SCORE, WEIGHT_SPREAD};
use super::taints;
use crate::api::store::Store;
use crate::rule::mark;

/// A hard constraint in one cycle.
#[derive(Clone, Debug)]
struct Hard {
    counter: u32,
    topology: u32,
    /// The most matching pods that a domain may have for the pod to be one more.
    limit: i64,
    /// Matching pods by domain, where the counter cannot be used as it is.
    counts: Option<Vec<Option<u32>>>,
}

/// What spreading remembers during a cycle; the buffers are reused.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    hard: Vec<Hard>,
    marks: Vec<u32>,
    mark: u32,
    sums: Vec<f64>,
    ignored: Vec<bool>,
    raw: Vec<i64>,
    /// What a constraint adds in each domain.
    terms: Vec<f64>,
}

impl Scratch {
    /// PreFilter: how many matching pods a domain may have.
    pub(super) fn prepare(&mut self, class: &Class, cache: &Cache, store: &Store) {
        self.hard.clear();
        let plain = class.hard.iter().all(|constraint| is_plain(constraint, class, cache));
        for constraint in &class.hard {
            let counts = (!plain).then(|| walk(constraint, &class.hard, class, cache, store));
            let topology = &cache.counts.topologies[constraint.topology as usize];
            let counter = cache.counts.counter(constraint.counter);
            let (mut domains, mut least) = (0, u32::MAX);
            for domain in 0..topology.nodes.len() as u32 {
                let count = match &counts {
                    Some(counts) => counts[domain as usize],
                    None if topology.nodes[domain as usize] == 0 => None,
                    None => Some(counter.live_in(constraint.topology, domain)),
                };
                if let Some(count) = count {
                    domains += 1;
                    least = least.min(count);
                }
            }
            if domains < constraint.min_domains || least == u32::MAX {
                least = 0;
            }
            let own = i64::from(constraint.matches_itself);
            self.hard.push(Hard {
                counter: constraint.counter,
                topology: constraint.topology,
                limit: i64::from(constraint.max_skew) + i64::from(least) - own,
                counts,
            });
        }
    }

    /// Filter: what the hard constraints say of a node.
    pub(super) fn filter(&self, node: u32, cache: &Cache) -> Reasons {
        for hard in &self.hard {
            let domain = cache.counts.topologies[hard.topology as usize].domain(node);
            if domain == NONE {
                return Reasons::SPREAD_LABEL;
            }
            let count = match &hard.counts {
                Some(counts) => counts[domain as usize].unwrap_or(0),
                None => cache.counts.counter(hard.counter).live_in(hard.topology, domain),
            };
            if i64::from(count) > hard.limit {
                return Reasons::SPREAD;
            }
        }
        Reasons::NONE
    }

    /// PreScore, Score and NormalizeScore: adds to the totals of the feasible nodes.
    pub(super) fn score(
        &mut self,
        class: &Class,
        cache: &Cache,
        store: &Store,
        feasible: &[u32],
        totals: &mut [i64],
    ) {
        if class.soft.is_empty() {
            return;
        }
        if let [host, zone] = class.soft.as_slice()
            && !class.needs_labels
            && !excludes_nodes(zone, class)
        {
            self.score_implicit(host, zone, cache, feasible, totals);
        } else {
            self.score_each(class, cache, store, feasible, totals);
        }
    }

    /// Scores one constraint after the other.
    pub(super) fn score_each(
        &mut self,
        class: &Class,
        cache: &Cache,
        store: &Store,
        feasible: &[u32],
        totals: &mut [i64],
    ) {
        self.sums.clear();
        self.sums.resize(feasible.len(), 0.0);
        self.ignored.clear();
        let lacks = |node: u32| {
            class.soft.iter().any(|c| cache.counts.topologies[c.topology as usize].domain(node) == NONE)
        };
        self.ignored.extend(feasible.iter().map(|node| class.needs_labels && lacks(*node)));
        for constraint in &class.soft {
            self.add(constraint, class, cache, store, feasible);
        }
        self.raw.clear();
        self.raw.extend(self.sums.iter().map(|sum| round(*sum)));
        let scored = self.raw.iter().zip(&self.ignored).filter(|(_, ignored)| !**ignored);
        let (mut min, mut max) = (i64::MAX, 0);
        for (raw, _) in scored {
            min = min.min(*raw);
            max = max.max(*raw);
        }
        for ((raw, ignored), total) in self.raw.iter().zip(&self.ignored).zip(totals) {
            *total += if *ignored { 0 } else { WEIGHT_SPREAD * normalized(*raw, min, max) };
        }
    }

    /// The same for the two implicit constraints (SCHED-24), which most pods have: one walk over the nodes.
    fn score_implicit(
        &mut self,
        host: &Constraint,
        zone: &Constraint,
        cache: &Cache,
        feasible: &[u32],
        totals: &mut [i64],
    ) {
        mark!("SCHED-24");
        let zones = &cache.counts.topologies[ZONE as usize];
        let counter = cache.counts.counter(host.counter);
        self.ignored.clear();
        self.ignored.resize(feasible.len(), false);
        let domains = self.distinct(feasible, zones);
        let weights = [feasible.len(), domains].map(|size| libm::log((size + 2) as f64));
        let skews = [host, zone].map(|constraint| f64::from(constraint.max_skew - 1));
        self.terms.clear();
        self.terms.extend(
            (0..zones.nodes.len() as u32)
                .map(|domain| f64::from(counter.live_in(ZONE, domain)) * weights[1] + skews[1]),
        );
        let (on_node, domain_of) = (counter.live_nodes(), zones.domains());
        let (mut min, mut max) = (i64::MAX, 0);
        self.raw.clear();
        for node in feasible {
            let node = *node as usize;
            let count = if node < on_node.len() { on_node[node] } else { 0 };
            let of_node = f64::from(count) * weights[0] + skews[0];
            // A node without a zone has no share of that constraint.
            let of_zone = self.terms.get(domain_of[node] as usize).copied().unwrap_or(0.0);
            let raw = round(of_node + of_zone);
            min = min.min(raw);
            max = max.max(raw);
            self.raw.push(raw);
        }
        // Raw scores repeat: few divisions are made.
        let mut known = [(-1, 0); 32];
        for (raw, total) in self.raw.iter().zip(totals) {
            let entry = &mut known[(*raw & 31) as usize];
            if entry.0 != *raw {
                *entry = (*raw, WEIGHT_SPREAD * normalized(*raw, min, max));
            }
            *total += entry.1;
        }
    }

    /// One soft constraint: matching pods in each node's domain, weighted by the number of domains.
    fn add(
        &mut self,
        constraint: &Constraint,
        class: &Class,
        cache: &Cache,
        store: &Store,
        feasible: &[u32],
    ) {
        let topology = &cache.counts.topologies[constraint.topology as usize];
        let counter = cache.counts.counter(constraint.counter);
        let own_node = constraint.topology == HOST;
        let domains = if own_node {
            self.ignored.iter().filter(|ignored| !**ignored).count()
        } else {
            self.distinct(feasible, topology)
        };
        let weight = libm::log((domains + 2) as f64);
        let plain = own_node || is_plain_soft(constraint, class, topology.lacking);
        let counts = (!plain).then(|| walk(constraint, &class.soft, class, cache, store));
        let skew = f64::from(constraint.max_skew - 1);
        for ((node, sum), ignored) in feasible.iter().zip(&mut self.sums).zip(&self.ignored) {
            let domain = topology.domain(*node);
            if domain == NONE || *ignored {
                continue;
            }
            let count = match &counts {
                _ if own_node => counter.live_on(*node),
                Some(counts) => counts[domain as usize].unwrap_or(0),
                None => counter.live_in(constraint.topology, domain),
            };
            *sum += f64::from(count) * weight + skew;
        }
    }

    /// Number of different domains among nodes that are scored; having no label counts as one.
    fn distinct(&mut self, nodes: &[u32], topology: &Topology) -> usize {
        self.mark = self.mark.wrapping_add(1);
        self.marks.resize(topology.nodes.len().max(self.marks.len()), 0);
        let occupied = topology.nodes.iter().filter(|nodes| **nodes > 0).count();
        let most = occupied + usize::from(topology.lacking > 0);
        let (mut distinct, mut without) = (0, false);
        for (node, ignored) in nodes.iter().zip(&self.ignored) {
            if distinct == most {
                break;
            }
            let domain = topology.domain(*node);
            if *ignored {
                continue;
            }
            distinct += usize::from(match self.marks.get_mut(domain as usize) {
                Some(mark) => std::mem::replace(mark, self.mark) != self.mark,
                None => !std::mem::replace(&mut without, true),
            });
        }
        distinct
    }
}

/// Half away from zero, as Go's math.Round; the scores are not negative.
fn round(sum: f64) -> i64 {
    let whole = sum as i64;
    whole + i64::from(sum - whole as f64 >= 0.5)
}

/// The fewer pods the better, in percent of the most.
fn normalized(raw: i64, min: i64, max: i64) -> i64 {
    if max == 0 { MAX_SCORE } else { MAX_SCORE * (max + min - raw) / max }
}

/// True if no node is left out of the counts of this hard constraint.
fn is_plain(constraint: &Constraint, class: &Class, cache: &Cache) -> bool {
    !excludes_nodes(constraint, class) && cache.counts.topologies[constraint.topology as usize].lacking == 0
}

/// The same for a soft constraint: nodes without the labels matter only if the pod asked for the labels itself.
fn is_plain_soft(constraint: &Constraint, class: &Class, lacking: u32) -> bool {
    !excludes_nodes(constraint, class) && (lacking == 0 || !class.needs_labels)
}

/// True if the policies of the constraint leave out nodes (SCHED-16).
fn excludes_nodes(constraint: &Constraint, class: &Class) -> bool {
    constraint.honor_taints || (constraint.honor_affinity && class.selects_nodes())
}

/// Matching pods by domain, over the nodes that count for the constraint; None: no such node is in the domain.
fn walk(
    constraint: &Constraint,
    all: &[Constraint],
    class: &Class,
    cache: &Cache,
    store: &Store,
) -> Vec<Option<u32>> {
    let topology = &cache.counts.topologies[constraint.topology as usize];
    let counter = cache.counts.counter(constraint.counter);
    let mut counts = vec![None; topology.nodes.len()];
    for (node, info) in cache.nodes.iter().enumerate().filter(|(_, info)| info.present) {
        let node = node as u32;
        let labelled = all.iter().all(|c| cache.counts.topologies[c.topology as usize].domain(node) != NONE);
        if (class.needs_labels && !labelled)
            || (constraint.honor_taints && taints::repels(&info.taints, &class.spec.tolerations))
        {
            continue;
        }
        let excluded = constraint.honor_affinity
            && class.spec.placement.as_ref().is_some_and(|p| !taints::node_fits(p, node, cache, store));
        let domain = topology.domain(node);
        if excluded || domain == NONE {
            continue;
        }
        *counts[domain as usize].get_or_insert(0) += counter.live_on(node);
    }
    counts
}
