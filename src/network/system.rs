//! The network as somebody at a place in it finds it: which answer a name gets, which backend a connection.
//!
//! A question goes from the client's own cache to the cache on its node, if the cluster has such, and from there to a
//! CoreDNS replica, each with its own cache (DNS-11 to DNS-14). The replicas run on machines beside the nodes of the
//! scenario: a pod on a node that is cut off from its peers asks in vain, unless the cache of its node knows (DNS-12).
//! Left out: how long a question takes and that it is asked again; clients outside of the cluster are never cut off
//! from CoreDNS.
use crate::api::names::Uid;
use crate::api::objects::{Endpoint, Ip, Node, Pod, Service};
use crate::api::store::Change;
use crate::config::Config;
use crate::event::Process;
use crate::kernel::{Id, Time};
use crate::network::answer::{Answer, Data, Rcode, Record, RecordType, Source, Told};
use crate::network::dns::Zone;
use crate::network::lookup::{Lookup, hosts, search};
use crate::network::proxy::Proxies;
use crate::network::resolver::{Cache, Keeps, Profile, Servers};
use crate::network::service::{choose_among, eligible_among};
use crate::rule::mark;
use crate::world::{Side, World};
use std::collections::BTreeMap;

/// Who asks: each has a cache of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Asker {
    /// A process of this incarnation of a pod, wherever it runs.
    Pod(Id<Pod>, Uid),
    /// A client outside of the cluster.
    Client(u32),
    /// A client on a node that is no pod of the scenario.
    On(Id<Node>, u32),
}

impl Asker {
    /// What its draws are keyed by.
    fn key(self) -> u64 {
        match self {
            Asker::Pod(pod, uid) => u64::from(pod.as_u32()) << 32 | u64::from(uid.0),
            Asker::Client(number) => 1 << 62 | u64::from(number),
            Asker::On(_, number) => 1 << 61 | u64::from(number),
        }
    }
}

/// What a client remembers.
#[derive(Clone, Debug)]
struct Client {
    cache: Cache,
    questions: u64,
}

/// The cache on a node.
#[derive(Clone, Debug)]
struct NodeCache {
    cache: Cache,
    /// How often the machine had been stopped when it began.
    stops: u32,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Network {
    profile: Profile,
    servers: Servers,
    nodes: BTreeMap<Id<Node>, NodeCache>,
    clients: BTreeMap<Asker, Client>,
    proxies: Proxies,
}

impl Network {
    /// The network of a cluster that is set up so.
    pub fn new(config: &Config) -> Network {
        let profile = Profile::of(config.dns, config.timers.dns_ttl);
        let servers = Servers::new(&profile, config.dns_replicas);
        Network {
            profile,
            servers,
            nodes: BTreeMap::new(),
            clients: BTreeMap::new(),
            proxies: Proxies::default(),
        }
    }

    /// What a client keeps of the answers it gets, from now on; what it knew it forgets, if it kept otherwise before
    /// (DNS-14). A client that is not told keeps nothing.
    pub fn set_client_cache(&mut self, from: Asker, keeps: Keeps) {
        if self.clients.get(&from).is_some_and(|client| client.cache.keeps() == keeps) {
            return;
        }
        let questions = self.clients.get(&from).map_or(0, |client| client.questions);
        self.clients.insert(from, Client { cache: Cache::new(keeps), questions });
    }

    /// The process of a client is new and remembers nothing.
    pub fn restart_client(&mut self, from: Asker) {
        if let Some(client) = self.clients.get_mut(&from) {
            client.cache.clear();
        }
    }

    /// The kube-proxy of one node stops: connections from there go where its rules say now.
    pub fn stop_proxy(&mut self, node: Id<Node>, world: &World) {
        self.proxies.stop_on(node, world);
    }

    /// It starts again.
    pub fn start_proxy(&mut self, node: Id<Node>, world: &World) {
        self.proxies.start_on(node, world);
    }

    /// True if the kube-proxy of this node has been stopped alone.
    pub fn is_proxy_stopped(&self, node: Id<Node>) -> bool {
        self.proxies.is_stopped_on(node)
    }

    // ---- Names -----------------------------------------------------------------------------------------------------

    /// What a name gets for an answer, asked for now by somebody in a namespace: IPv4 addresses, through the hosts
    /// file, the search path and all caches (DNS-6, DNS-17).
    pub fn resolve(&mut self, from: Asker, namespace: &str, name: &str, world: &World) -> Lookup {
        if let Some(lookup) = own_name(from, name, world) {
            return lookup;
        }
        search(name, namespace, |candidate| self.query(from, candidate, RecordType::A, world))
    }

    /// What an absolute name gets for an answer: the nearest cache that knows it answers, and those before it learn.
    pub fn query(&mut self, from: Asker, name: &str, record_type: RecordType, world: &World) -> Told {
        let now = world.now();
        let new = || Client { cache: Cache::new(Keeps::NOTHING), questions: 0 };
        let client = self.clients.entry(from).or_insert_with(new);
        client.questions += 1;
        let number = client.questions;
        if let Some((answer, until)) = client.cache.get(now, name, record_type) {
            mark!("DNS-14");
            return Told { answer, source: Source::Client, until };
        }
        let told = self.ask_beyond_the_client(from, number, name, record_type, world);
        if let Some(client) = self.clients.get_mut(&from) {
            client.cache.put(now, name, record_type, &told.answer);
        }
        told
    }

    fn ask_beyond_the_client(
        &mut self,
        from: Asker,
        number: u64,
        name: &str,
        record_type: RecordType,
        world: &World,
    ) -> Told {
        let (now, node) = (world.now(), node_of(from, world));
        let cached = self.profile.node != Keeps::NOTHING;
        if let Some(node) = node.filter(|_| cached)
            && let Some((answer, until)) = self.node_cache(node, world).get(now, name, record_type)
        {
            mark!("DNS-12");
            return Told { answer, source: Source::Node, until };
        }
        if node.is_some_and(|node| !world.links.reaches(node, Side::Peers)) {
            // The node's cache waits for CoreDNS in vain and says so; without one nobody says anything.
            let rcode = if cached { Rcode::ServFail } else { Rcode::Timeout };
            return Told::failed(rcode, now);
        }
        let told = self.servers.query(world, from.key(), number, name, record_type);
        if let Some(node) = node.filter(|_| cached) {
            self.node_cache(node, world).put(now, name, record_type, &told.answer);
        }
        told
    }

    fn node_cache(&mut self, node: Id<Node>, world: &World) -> &mut Cache {
        let (stops, keeps) = (world.machine_stops(node), self.profile.node);
        let new = || NodeCache { cache: Cache::new(keeps), stops };
        let entry = self.nodes.entry(node).or_insert_with(new);
        if entry.stops != stops {
            *entry = new();
        }
        &mut entry.cache
    }

    /// The addresses that a name has for somebody who asks past all caches, sorted; None: nobody could tell.
    pub fn uncached(&self, from: Asker, namespace: &str, name: &str, world: &World) -> Option<Vec<Ip>> {
        let mut addresses: Vec<Ip> = match own_name(from, name, world) {
            Some(own) => own.answer.addresses().collect(),
            None => {
                let reached = node_of(from, world).is_none_or(|node| world.links.reaches(node, Side::Peers));
                if !reached
                    || !world.is_running(Process::CoreDns)
                    || self.servers.syncs_at(world.now()).is_some()
                {
                    return None;
                }
                Zone::of(world).resolve(namespace, name, RecordType::A).answer.addresses().collect()
            }
        };
        addresses.sort_unstable();
        Some(addresses)
    }

    /// When the same question may get another answer than `found` although nothing in the cluster changes: caches on
    /// the way forget what they know, servers that start have listed everything. None: never.
    pub fn news(&self, from: Asker, found: &Lookup, world: &World) -> Option<Time> {
        if found.source == Source::Hosts {
            return None;
        }
        let (now, a, node) = (world.now(), RecordType::A, node_of(from, world));
        let of_node = node.and_then(|node| Some((self.nodes.get(&node)?, world.machine_stops(node))));
        let of_node = of_node.filter(|(known, stops)| known.stops == *stops).map(|(known, _)| &known.cache);
        let of_client = self.clients.get(&from).map(|client| &client.cache);
        let forgets = |name: &str| {
            let near = of_client.into_iter().chain(of_node).find_map(|cache| cache.until(now, name, a));
            near.or_else(|| self.servers.forget_at(now, name, a))
        };
        let known = found.answer.is_known();
        let forgotten = found.asked.iter().filter(|_| known).filter_map(|(name, _)| forgets(name)).min();
        forgotten.into_iter().chain(self.servers.syncs_at(now)).min()
    }

    // ---- Services --------------------------------------------------------------------------------------------------

    /// The pods that a new connection to a service's address may get, in the rules of a node (SVC-10, SVC-13); as all
    /// other nodes have it, if none is given.
    pub fn backends(&self, node: Option<Id<Node>>, service: Id<Service>, world: &World) -> Vec<Endpoint> {
        eligible_among(self.proxies.backends(node, service, world))
    }

    /// The pod that a new connection gets: all backends are equally likely (SVC-9). None: refused at once.
    pub fn choose(
        &self,
        node: Option<Id<Node>>,
        service: Id<Service>,
        client: u64,
        connection: u64,
        world: &World,
    ) -> Option<Endpoint> {
        choose_among(self.backends(node, service, world), &world.chooser, client, connection)
    }

    /// When rules will be written that do not yet say what the API does; None: they all do, but for those of nodes
    /// that are cut off (SVC-11).
    pub fn rules_due(&self, now: Time) -> Option<Time> {
        self.proxies.due(now)
    }

    // ---- Changes ---------------------------------------------------------------------------------------------------

    /// The watch of the kube-proxies shows a change.
    pub fn observe(&mut self, change: &Change, world: &World) {
        self.proxies.observe(change, world);
    }

    /// The links of a node have changed.
    pub fn relink(&mut self, node: Id<Node>, world: &World) {
        self.proxies.relink(node, world);
    }

    /// CoreDNS or kube-proxy is about to stop.
    pub fn stop(&mut self, process: Process, world: &World) {
        if process == Process::KubeProxy {
            self.proxies.stop(world);
        }
    }

    /// CoreDNS or kube-proxy has started.
    pub fn restart(&mut self, process: Process, world: &World) {
        match process {
            Process::CoreDns => self.servers.restart(world),
            Process::KubeProxy => self.proxies.restart(world),
            _ => {}
        }
    }
}

/// The node a question comes from.
fn node_of(from: Asker, world: &World) -> Option<Id<Node>> {
    let pod = match from {
        Asker::Pod(pod, _) => pod,
        Asker::On(node, _) => return Some(node),
        Asker::Client(_) => return None,
    };
    world.store.pods.last_known(pod).filter(|pod| pod.is_bound()).map(|pod| pod.node)
}

/// What the hosts file of a pod says of a name: only the pod itself is in it (DNS-6).
fn own_name(from: Asker, name: &str, world: &World) -> Option<Lookup> {
    let Asker::Pod(pod, _) = from else { return None };
    let (ip, names) = hosts(&world.store, world.store.pods.last_known(pod)?)?;
    let wanted = name.trim_end_matches('.');
    if !names.iter().any(|own| own.eq_ignore_ascii_case(wanted)) {
        return None;
    }
    let ttl = Default::default();
    let record = Record { name: format!("{wanted}."), data: Data::A(ip), ttl };
    let answer = Answer { rcode: Rcode::NoError, records: vec![record], ttl };
    Some(Lookup { answer, source: Source::Hosts, until: world.now(), asked: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DnsPreset;
    use crate::kernel::Duration;
    use crate::network::testing::Net;
    use crate::rule::Rule;
    use crate::world::{Cut, Direction, Sides};
    use DnsPreset::{Cache30, Eks, Kubeadm, NodeLocal};
    use serde_json::json;

    const NAME: &str = "web-0.web.default.svc.cluster.local.";

    /// A world with pod web-0 that no service knows yet, a pod that asks, and the network between them.
    struct Lab {
        net: Net,
        network: Network,
        web: Id<Service>,
        pod: Id<Pod>,
        asker: Asker,
        node: Id<Node>,
    }

    impl Lab {
        fn new(preset: DnsPreset, replicas: usize, client: Keeps) -> Lab {
            let mut net = Net::new();
            let web = net.service("web", &json!({"clusterIP": "None"}));
            let pod = net.pod("web-0", "web");
            let client_pod = net.pod("client", "client");
            let node = Id::from_index(0);
            net.world.update(client_pod, Rule::NONE, |pod| pod.node = node);
            let mut config = Config { dns: preset, dns_replicas: replicas, ..Config::recorded() };
            config.timers.dns_ttl = preset.ttl();
            let mut network = Network::new(&config);
            let asker = Asker::Pod(client_pod, Uid(7));
            network.set_client_cache(asker, client);
            Lab { net, network, web, pod, asker, node }
        }

        fn ask(&mut self) -> Told {
            self.network.query(self.asker, NAME, RecordType::A, &self.net.world)
        }

        /// web-0 has an endpoint, and the servers know.
        fn publish(&mut self, ip: u32) {
            self.net.endpoint(self.web, self.pod, ip, |_| {});
            self.net.catch_up();
        }
    }

    #[test]
    fn asking_too_early_costs_what_the_caches_keep() {
        // Preset, the client's cache, an early question, and the second at which a client that asks each second finds
        // a name that is there from second 10 on (DNS-12, DNS-13).
        let table = [
            (Kubeadm, Keeps::NOTHING, Some(9), 11),
            (Cache30, Keeps::NOTHING, None, 11),
            (Cache30, Keeps::NOTHING, Some(9), 39),
            (NodeLocal, Keeps::NOTHING, Some(9), 14),
            (Eks, Keeps::NOTHING, Some(9), 14),
            (Kubeadm, Keeps::JVM, Some(9), 19),
        ];
        for (preset, client, early, expected) in table {
            let mut lab = Lab::new(preset, 1, client);
            let found = (0..100).find(|second| {
                lab.net.run_until(Time::from_secs(*second));
                if *second == 10 {
                    lab.publish(1);
                }
                (early == Some(*second) || *second > 10) && lab.ask().answer.is_positive()
            });
            assert_eq!(found, Some(expected), "{preset:?} {client:?} {early:?}");
        }
    }

    #[test]
    fn an_old_address_lives_on_in_caches() {
        // The second at which a client that asks each second gets the address of a pod that moved at 10 (DNS-8).
        let table = [
            (Kubeadm, Keeps::NOTHING, Some(10)),
            (Cache30, Keeps::NOTHING, Some(31)),
            (NodeLocal, Keeps::NOTHING, Some(31)),
            (Eks, Keeps::NOTHING, Some(11)),
            (Kubeadm, Keeps::JVM, Some(31)),
            (Kubeadm, Keeps::FOR_EVER, None),
        ];
        for (preset, client, expected) in table {
            let mut lab = Lab::new(preset, 1, client);
            lab.publish(1);
            let found = (1..100).find(|second| {
                lab.net.run_until(Time::from_secs(*second));
                if *second == 10 {
                    lab.net.edit(lab.web, |endpoints| endpoints[0].ip = Ip(2));
                    lab.net.catch_up();
                }
                let told = lab.ask();
                assert!(told.answer.ttl <= preset.ttl(), "TTLs only count down");
                assert!(told.until >= lab.net.world.now());
                told.answer.addresses().next() == Some(Ip(2))
            });
            assert_eq!(found, expected, "{preset:?} {client:?}");
        }
    }

    #[test]
    fn each_replica_has_its_own_cache() {
        let mut lab = Lab::new(Cache30, 2, Keeps::NOTHING);
        lab.net.catch_up();
        assert_eq!(lab.ask().answer.rcode, Rcode::NxDomain);
        lab.publish(1);
        let mut seen = [0, 0];
        for _ in 0..20 {
            seen[usize::from(lab.ask().answer.is_positive())] += 1;
        }
        assert!(seen[0] > 3 && seen[1] > 3, "answers flap (DNS-11): {seen:?}");
    }

    #[test]
    fn without_its_peers_a_node_has_its_own_cache_only() {
        for (preset, near, far) in
            [(Kubeadm, Rcode::Timeout, Rcode::Timeout), (NodeLocal, Rcode::NoError, Rcode::ServFail)]
        {
            let mut lab = Lab::new(preset, 2, Keeps::NOTHING);
            lab.publish(1);
            assert!(lab.ask().answer.is_positive());
            let sides = Sides::default().with(Side::Peers);
            lab.net.world.links.cut(Cut { nodes: vec![lab.node], sides, direction: Direction::Both });
            assert_eq!(lab.ask().answer.rcode, near, "{preset:?}");
            lab.net.run_until(Time::from_secs(60));
            assert_eq!(lab.ask().answer.rcode, far, "{preset:?}");
        }
    }

    #[test]
    fn a_server_that_starts_waits_for_its_watches() {
        let mut lab = Lab::new(Kubeadm, 1, Keeps::NOTHING);
        lab.publish(1);
        let lag = crate::kernel::Latency::Constant(Duration::from_secs(8));
        lab.net.world.set_extra_lag(Process::CoreDns, lag);
        lab.net.world.stop(Process::CoreDns);
        assert_eq!(lab.ask().answer.rcode, Rcode::Timeout);
        lab.net.world.start(Process::CoreDns);
        lab.network.restart(Process::CoreDns, &lab.net.world);
        let begun = lab.net.world.now();
        // Seconds since the start, and the answer (DNS-15, DEF-90).
        for (second, rcode) in [(4, Rcode::Timeout), (6, Rcode::ServFail), (9, Rcode::NoError)] {
            lab.net.run_until(begun + Duration::from_secs(second));
            assert_eq!(lab.ask().answer.rcode, rcode, "after {second} s");
        }
    }

    #[test]
    fn a_pod_knows_itself_without_asking() {
        let mut lab = Lab::new(Kubeadm, 1, Keeps::NOTHING);
        lab.net.world.update(lab.pod, Rule::NONE, |pod| pod.ip = Ip(5));
        lab.net.world.stop(Process::CoreDns);
        let own = Asker::Pod(lab.pod, Uid(1));
        // The name, and the address it has (DNS-6).
        let table = [("web-0", Some(Ip(5))), (NAME, Some(Ip(5))), ("web-0.web", None)];
        for (name, expected) in table {
            let lookup = lab.network.resolve(own, "default", name, &lab.net.world);
            assert_eq!(lookup.answer.addresses().next(), expected, "{name}");
        }
    }
}
