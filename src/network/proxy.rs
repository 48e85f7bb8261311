//! The rules that the kube-proxy of each node has written: the backends of services as that node last saw them.
//!
//! Follows `pkg/proxy/iptables/proxier.go` (bounded frequency runner). All kube-proxies share one watch here, whose lag
//! is that of a typical one; what differs between nodes is who is cut off from the API server, or whose kube-proxy is
//! stopped: such a node keeps the rules it had (SVC-13), until its watch is back. Rules are written at most once a second (SVC-11, DEF-84).
//! Left out: the time that writing rules takes, and that each node begins its second at another instant.
use crate::api::objects::{Endpoint, EndpointSlice, Node, Service};
use crate::api::store::{Change, View};
use crate::event::Process;
use crate::kernel::{Duration, Id, Time};
use crate::rule::mark;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Least time between two writes of the rules (DEF-84).
const MIN_SYNC: Duration = Duration::from_secs(1);
/// Where a kube-proxy's tries to get its watch back draw from.
const WATCH: u64 = 1 << 63;

/// Backends by service.
type Rules = BTreeMap<Id<Service>, Vec<Endpoint>>;

/// A node that does not hear of changes.
#[derive(Clone, Debug)]
struct Frozen {
    rules: Arc<Rules>,
    since: Time,
    /// When its watch is back; None: it is still cut off.
    back: Option<Time>,
    /// How often the machine had been stopped before: rules do not survive that.
    stops: u32,
}

/// The rules of all nodes.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// When rules were last written.
    written: Time,
    /// Slices that have changed since, as they were then.
    before: BTreeMap<Id<EndpointSlice>, Option<EndpointSlice>>,
    frozen: BTreeMap<Id<Node>, Frozen>,
    /// Nodes whose own kube-proxy is stopped (fault `stop: kube-proxy/NODE`).
    without: BTreeSet<Id<Node>>,
    /// The rules of all nodes, while no kube-proxy runs.
    stopped: Option<Arc<Rules>>,
}

impl Proxies {
    /// Hears of a change that the watch shows.
    pub fn observe(&mut self, change: &Change, world: &World) {
        if change.kind != crate::api::kind::Kind::EndpointSlice {
            return;
        }
        let now = world.now();
        self.catch_up(now);
        if now >= self.written + MIN_SYNC || self.written == Time::ZERO {
            self.written = now;
            return;
        }
        mark!("SVC-11");
        let (before, _) = world.store.before_and_after::<EndpointSlice>(change);
        self.before.entry(change.id()).or_insert_with(|| before.cloned());
    }

    fn catch_up(&mut self, now: Time) {
        if !self.before.is_empty() && now >= self.written + MIN_SYNC {
            self.before.clear();
            self.written = self.written + MIN_SYNC;
        }
    }

    /// When the rules will be written next, if they do not say what the watch shows.
    pub fn due(&self, now: Time) -> Option<Time> {
        let next = self.written + MIN_SYNC;
        (!self.before.is_empty() && now < next).then_some(next)
    }

    /// No kube-proxy runs any more: rules stay as they are.
    pub fn stop(&mut self, world: &World) {
        self.stopped = Some(Arc::new(self.all(world)));
    }

    /// They run again.
    pub fn restart(&mut self, world: &World) {
        self.stopped = None;
        self.before.clear();
        self.written = world.now();
    }

    /// The kube-proxy of a node stops: its rules stay as they are.
    pub fn stop_on(&mut self, node: Id<Node>, world: &World) {
        if self.without.insert(node) {
            self.relink(node, world);
        }
    }

    /// It starts again and lists everything, if it reaches the API server.
    pub fn start_on(&mut self, node: Id<Node>, world: &World) {
        if self.without.remove(&node) && world.links.reaches_control_plane(node) {
            self.frozen.remove(&node);
        }
    }

    /// True if the kube-proxy of a node has been stopped alone.
    pub fn is_stopped_on(&self, node: Id<Node>) -> bool {
        self.without.contains(&node)
    }

    /// The links of a node have changed.
    pub fn relink(&mut self, node: Id<Node>, world: &World) {
        let now = world.now();
        let cut = !world.links.reaches_control_plane(node) || self.without.contains(&node);
        let known =
            self.frozen.get(&node).filter(|frozen| frozen.back.is_none_or(|back| now < back)).is_some();
        match (cut, known) {
            (true, false) => {
                let rules = self.stopped.clone().unwrap_or_else(|| Arc::new(self.all(world)));
                let stops = world.machine_stops(node);
                self.frozen.insert(node, Frozen { rules, since: now, back: None, stops });
            }
            (true, true) => {
                if let Some(frozen) = self.frozen.get_mut(&node) {
                    frozen.back = None;
                }
            }
            (false, true) => {
                if let Some(frozen) = self.frozen.get_mut(&node) {
                    let key = WATCH | u64::from(node.as_u32()) << 32;
                    frozen.back = frozen.back.or_else(|| Some(world.watch_returns(key, frozen.since)));
                }
            }
            (false, false) => {
                self.frozen.remove(&node);
            }
        }
    }

    /// The backends of a service in the rules of a node; of one that sees all changes, if none is given.
    pub fn backends(&self, node: Option<Id<Node>>, service: Id<Service>, world: &World) -> Vec<Endpoint> {
        let now = world.now();
        let frozen = node.and_then(|node| Some((node, self.frozen.get(&node)?)));
        if let Some((node, frozen)) = frozen.filter(|(_, frozen)| frozen.back.is_none_or(|back| now < back)) {
            mark!("SVC-13");
            let old = frozen.stops == world.machine_stops(node);
            return if old { frozen.rules.get(&service).cloned().unwrap_or_default() } else { Vec::new() };
        }
        if let Some(rules) = &self.stopped {
            return rules.get(&service).cloned().unwrap_or_default();
        }
        let written = self.written_slices(world);
        written
            .filter(|slice| slice.service == service)
            .flat_map(|slice| slice.endpoints.iter().copied())
            .collect()
    }

    /// The slices as the rules have them.
    fn written_slices<'a>(&'a self, world: &'a World) -> impl Iterator<Item = &'a EndpointSlice> {
        let view: View<'a> = world.view(Process::KubeProxy);
        let held = if self.due(world.now()).is_some() { Some(&self.before) } else { None };
        let unchanged = view
            .iter::<EndpointSlice>()
            .filter(move |(id, _)| held.is_none_or(|held| !held.contains_key(id)))
            .map(|(_, slice)| slice);
        unchanged.chain(held.into_iter().flat_map(|held| held.values().flatten()))
    }

    fn all(&self, world: &World) -> Rules {
        let mut rules = Rules::new();
        for slice in self.written_slices(world) {
            rules.entry(slice.service).or_default().extend(slice.endpoints.iter().copied());
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::network::testing::Net;
    use crate::world::{Cut, Direction, Side, Sides};
    use serde_json::json;

    fn addresses(proxies: &Proxies, node: Option<Id<Node>>, service: Id<Service>, net: &Net) -> Vec<u32> {
        proxies.backends(node, service, &net.world).iter().map(|endpoint| endpoint.ip.0).collect()
    }

    #[test]
    fn a_node_cut_off_keeps_its_rules() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "10.96.0.9"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 1, |_| {});
        net.catch_up();
        let (near, far) = (Id::from_index(0), Id::from_index(1));
        let mut proxies = Proxies::default();
        let sides = Sides::default().with(Side::ControlPlane);
        net.world.links.cut(Cut { nodes: vec![far], sides, direction: Direction::Both });
        proxies.relink(far, &net.world);
        net.edit(web, |endpoints| endpoints[0].ip = crate::api::objects::Ip(2));
        net.run_until(Time::from_secs(100));
        let found = [near, far].map(|node| addresses(&proxies, Some(node), web, &net));
        assert_eq!(found, [vec![2], vec![1]], "SVC-13");
        net.world.links.heal(&[far]);
        proxies.relink(far, &net.world);
        assert_eq!(addresses(&proxies, Some(far), web, &net), [1], "its watch is not back yet");
        net.run_until(Time::from_secs(200));
        assert_eq!(addresses(&proxies, Some(far), web, &net), [2]);
    }

    /// Stopped alone, cut off as well, healed, and started: only then the rules are new.
    #[test]
    fn a_node_without_kube_proxy_keeps_its_rules() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "10.96.0.9"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 1, |_| {});
        net.catch_up();
        let (near, far) = (Id::from_index(0), Id::from_index(1));
        let mut proxies = Proxies::default();
        proxies.stop_on(far, &net.world);
        net.edit(web, |endpoints| endpoints[0].ip = crate::api::objects::Ip(2));
        net.run_until(Time::from_secs(100));
        let found = [near, far].map(|node| addresses(&proxies, Some(node), web, &net));
        assert_eq!(found, [vec![2], vec![1]]);
        let sides = Sides::default().with(Side::ControlPlane);
        net.world.links.cut(Cut { nodes: vec![far], sides, direction: Direction::Both });
        proxies.relink(far, &net.world);
        net.world.links.heal(&[far]);
        proxies.relink(far, &net.world);
        net.run_until(Time::from_secs(300));
        assert_eq!(
            addresses(&proxies, Some(far), web, &net),
            [1],
            "the network is whole, and nobody writes rules"
        );
        assert!(proxies.is_stopped_on(far));
        proxies.start_on(far, &net.world);
        assert_eq!(addresses(&proxies, Some(far), web, &net), [2]);
        assert!(!proxies.is_stopped_on(far));
    }

    /// Started while cut off it knows nothing new until the network is whole and its watch is back.
    #[test]
    fn a_kube_proxy_that_starts_cut_off() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "10.96.0.9"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 1, |_| {});
        net.catch_up();
        let far = Id::from_index(1);
        let mut proxies = Proxies::default();
        proxies.stop_on(far, &net.world);
        let sides = Sides::default().with(Side::ControlPlane);
        net.world.links.cut(Cut { nodes: vec![far], sides, direction: Direction::Both });
        proxies.relink(far, &net.world);
        net.edit(web, |endpoints| endpoints[0].ip = crate::api::objects::Ip(2));
        net.run_until(Time::from_secs(100));
        proxies.start_on(far, &net.world);
        assert_eq!(addresses(&proxies, Some(far), web, &net), [1]);
        net.world.links.heal(&[far]);
        proxies.relink(far, &net.world);
        net.run_until(Time::from_secs(200));
        assert_eq!(addresses(&proxies, Some(far), web, &net), [2]);
    }

    #[test]
    fn rules_are_written_once_a_second() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "10.96.0.9"}));
        let pod = net.pod("web-0", "web");
        net.catch_up();
        net.run_until(Time::from_secs(10));
        let mut proxies = Proxies::default();
        // A new endpoint, and a tenth of a second in which the watches show it.
        let change = |net: &mut Net, proxies: &mut Proxies, ip| {
            net.endpoint(web, pod, ip, |_| {});
            let until = net.world.now() + Duration::from_millis(100);
            net.world.at(until, Event::Workload(0, 0));
            while net.world.next_time().is_some_and(|time| time <= until) {
                let Some(Event::Deliver(process, _)) = net.world.pop() else { continue };
                while let Some(change) = net.world.next_delivery(process) {
                    if process == Process::KubeProxy {
                        proxies.observe(&change, &net.world);
                    }
                }
                net.world.delivered(process);
            }
        };
        change(&mut net, &mut proxies, 1);
        assert_eq!(addresses(&proxies, None, web, &net), [1], "the first is written at once");
        change(&mut net, &mut proxies, 2);
        change(&mut net, &mut proxies, 3);
        assert_eq!(addresses(&proxies, None, web, &net), [1]);
        let due = proxies.due(net.world.now()).expect("something waits");
        assert!(due > Time::from_secs(11) && due < Time::from_nanos(11_100_000_000), "{due}");
        net.run_until(due);
        assert_eq!(addresses(&proxies, None, web, &net), [1, 2, 3]);
    }

    #[test]
    fn rules_stay_while_no_kube_proxy_runs() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "10.96.0.9"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 1, |_| {});
        net.catch_up();
        let mut proxies = Proxies::default();
        proxies.stop(&net.world);
        net.world.stop(Process::KubeProxy);
        net.edit(web, Vec::clear);
        net.catch_up();
        assert_eq!(addresses(&proxies, None, web, &net), [1]);
        net.world.start(Process::KubeProxy);
        proxies.restart(&net.world);
        assert!(addresses(&proxies, None, web, &net).is_empty());
    }
}
