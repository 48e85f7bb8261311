//! A database on a bench: tests say which processes run where, what is cut and when, and read off what came of it.
use crate::api::objects::{Ip, Node, Pod, Service};
use crate::config::Config;
use crate::kernel::{Duration, Id, Time};
use crate::network::Network;
use crate::network::testing::Net;
use crate::workload::Facts;
use crate::workload::amount::Flow;
use crate::workload::database::Database;
use crate::workload::sight::{Life, Process, Sight, Storage};
use crate::workload::spec::{
    Bootstrap, CacheTime, ClientSpec, DatabaseSpec, Fencing, From, LeaseSpec, Primary, Replication, Takes,
};
use crate::world::{Cut, Side, Sides};
use serde_json::json;

/// See the module documentation.
pub(super) struct Bench {
    pub(super) net: Net,
    pub(super) network: Network,
    pub(super) database: Database,
    pub(super) sight: Sight,
    pods: Vec<Id<Pod>>,
    service: Id<Service>,
    lives: u32,
}

/// A lease of 15 s with this fencing.
pub(super) fn lease(fencing: Fencing) -> Primary {
    let secs = Duration::from_secs;
    Primary::Lease(LeaseSpec { duration: secs(15), renew: secs(10), retry: secs(2), fencing })
}

/// Three instances of `web`, 100 writes a second by the name of the service.
pub(super) fn spec(replication: Replication, primary: Primary) -> DatabaseSpec {
    let secs = Duration::from_secs;
    DatabaseSpec {
        name: "pg".into(),
        on_stateful_set: true,
        owner: "web".into(),
        namespace: "default".into(),
        replication,
        primary,
        bootstrap: Bootstrap::MaxPosition,
        lag: Duration::from_millis(100),
        catch_up: Flow::per_second(1000),
        clone: secs(30),
        takes: Takes { start: secs(1), init: secs(3), promote: secs(1), rewind: secs(5) },
        clients: vec![ClientSpec {
            name: "writers".into(),
            writes: true,
            rate: Flow::per_second(100),
            via: vec!["web".into()],
            from: From::Outside,
            cache: CacheTime::None,
            retry: secs(1),
            timeout: secs(10),
        }],
    }
}

impl Bench {
    pub(super) fn new(spec: DatabaseSpec) -> Bench {
        let mut net = Net::new();
        let service = net.service("web", &json!({"clusterIP": "None", "selector": {"app": "web"}}));
        let pods: Vec<_> = (0..3).map(|n| net.pod(&format!("web-{n}"), "web")).collect();
        for (n, pod) in (1..).zip(&pods) {
            net.endpoint(service, *pod, n, |_| {});
        }
        net.catch_up();
        let sight = Sight { replicas: 3, service: "web".into(), ..Sight::default() };
        let network = Network::new(&Config::recorded());
        let database = Database::new(spec, 0);
        Bench { net, network, database, sight, pods, service, lives: 0 }
    }

    pub(super) fn node(n: usize) -> Id<Node> {
        Id::from_index(n)
    }

    /// The process of ordinal `n` starts on machine `n`.
    pub(super) fn start(&mut self, n: usize) {
        self.begins(n, Ip(u32::try_from(n).expect("small") + 1));
    }

    /// The same, with another address.
    pub(super) fn start_at(&mut self, n: usize, address: u32) {
        let pod = self.pods[n];
        self.net.edit(self.service, |endpoints| {
            endpoints.iter_mut().filter(|known| known.pod == pod).for_each(|known| known.ip = Ip(address));
        });
        self.net.catch_up();
        self.begins(n, Ip(address));
    }

    fn begins(&mut self, n: usize, ip: Ip) {
        let pod = self.pods[n];
        let object = self.net.world.store.get(pod).expect("a pod");
        let (uid, name) = (object.meta.uid, object.meta.name);
        self.lives += 1;
        let life = Life { pod, uid, since: self.net.world.now() };
        let storage = Storage::Disk(u32::try_from(n).expect("small") + 1);
        let node = Bench::node(n);
        self.sight.dark.retain(|dark| *dark != node);
        self.sight.lost.retain(|lost| *lost != storage);
        self.sight.processes.push(Process {
            life,
            name,
            node,
            ip,
            storage,
            disk_works: true,
            hung: false,
            stopping: false,
        });
        self.sight.processes.sort_by_key(|process| process.life);
        self.look();
    }

    /// Its machine loses power.
    pub(super) fn crash(&mut self, n: usize) {
        self.sight.processes.retain(|process| process.node != Bench::node(n));
        if !self.sight.is_dark(Bench::node(n)) {
            self.sight.dark.push(Bench::node(n));
            self.sight.dark.sort_unstable();
        }
        self.look();
    }

    /// Its disk is destroyed, too.
    pub(super) fn lose(&mut self, n: usize) {
        self.crash(n);
        self.sight.lost.push(Storage::Disk(u32::try_from(n).expect("small") + 1));
        self.look();
    }

    /// Its machine is cut off from the control plane and the others.
    pub(super) fn cut(&mut self, n: usize) {
        let sides = Sides::default().with(Side::ControlPlane).with(Side::Peers);
        let cut = Cut { nodes: vec![Bench::node(n)], sides, direction: Default::default() };
        self.net.world.links.cut(cut);
        self.look();
    }

    pub(super) fn heal(&mut self, n: usize) {
        self.net.world.links.heal(&[Bench::node(n)]);
        self.look();
    }

    /// Its name is taken out of DNS.
    pub(super) fn unready(&mut self, n: usize) {
        let pod = self.pods[n];
        self.net.edit(self.service, |endpoints| {
            endpoints
                .iter_mut()
                .filter(|endpoint| endpoint.pod == pod)
                .for_each(|endpoint| endpoint.ready = false);
        });
    }

    pub(super) fn look(&mut self) -> Vec<Life> {
        self.database.look(&self.net.world, &mut self.network, &self.sight)
    }

    /// Time passes; the database is looked at whenever it wants to be.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.net.world.now() + span;
        loop {
            let wake = self.database.wake(&self.network, &self.net.world);
            let next = wake.work.min(wake.retry).min(end);
            self.net.run_until(next);
            for killed in self.look() {
                self.sight.processes.retain(|process| process.life != killed);
                self.look();
            }
            if next >= end {
                return;
            }
        }
    }

    pub(super) fn secs(&mut self, secs: u64) {
        self.run(Duration::from_secs(secs));
    }

    pub(super) fn now(&self) -> Time {
        self.net.world.now()
    }

    pub(super) fn facts(&self) -> Facts {
        self.database.facts(&self.net.world.store)
    }
}
