//! Caches between a client and the records: what somebody still believes after the records have changed.
//!
//! Follows CoreDNS' plugin/cache and the Corefiles of kubeadm and NodeLocal DNSCache. A cache is a value: what is in it
//! at a moment is computed from the times of what was put there, no event ever expires an entry. [`Servers`] are the
//! CoreDNS replicas with a cache each (DNS-11); a [`Resolver`] is the chain in front of one client.
//! Left out: the limit of 9984 entries, prefetch, serving stale entries.
use crate::event::Process;
use crate::kernel::{Chooser, Duration, Time};
use crate::network::answer::{Answer, Rcode, RecordType};
use crate::network::dns::Zone;
use crate::network::lookup::{Lookup, search};
use crate::rule::mark;
use crate::world::{Draw, World};
use std::collections::BTreeMap;

/// Entries of a caching server live at least this long (DNS-11).
const LEAST: Duration = Duration::from_secs(5);

/// How long a cache keeps an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Not at all.
    Nothing,
    /// As long as its TTL says, between 5 s and this.
    Ttl(Duration),
    /// This long, whatever its TTL says.
    Fixed(Duration),
}

impl Keep {
    fn of(self, ttl: Duration) -> Duration {
        match self {
            Keep::Nothing => Duration::ZERO,
            Keep::Ttl(most) => ttl.min(most).max(LEAST),
            Keep::Fixed(time) => time,
        }
    }
}

/// What a cache keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keeps {
    /// Answers with records.
    pub success: Keep,
    /// Answers without (DNS-10).
    pub denial: Keep,
}

impl Keeps {
    /// No cache.
    pub const NOTHING: Keeps = Keeps { success: Keep::Nothing, denial: Keep::Nothing };
    /// A JVM with default settings (DNS-14).
    pub const JVM: Keeps =
        Keeps { success: Keep::Fixed(Duration::from_secs(30)), denial: Keep::Fixed(Duration::from_secs(10)) };
}

/// How DNS is set up in a cluster (DNS-12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// TTL of the records (DNS-9).
    pub ttl: Duration,
    /// The cache in each CoreDNS replica.
    pub server: Keeps,
    /// The cache on each node.
    pub node: Keeps,
}

impl Profile {
    /// Names of the profiles, as scenarios write them.
    pub const NAMES: &'static [&'static str] = &["kubeadm", "cache30", "nodelocal", "eks"];

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Profile> {
        let secs = Duration::from_secs;
        let both = |keep| Keeps { success: keep, denial: keep };
        mark!("DNS-12");
        Some(match name {
            // `cache 30` with the cluster's names taken out of it.
            "kubeadm" => Profile { ttl: secs(30), server: Keeps::NOTHING, node: Keeps::NOTHING },
            "cache30" => Profile { ttl: secs(30), server: both(Keep::Ttl(secs(30))), node: Keeps::NOTHING },
            "nodelocal" => Profile {
                ttl: secs(30),
                server: Keeps::NOTHING,
                node: Keeps { success: Keep::Ttl(secs(30)), denial: Keep::Ttl(secs(5)) },
            },
            "eks" => Profile { ttl: secs(5), server: both(Keep::Ttl(secs(30))), node: Keeps::NOTHING },
            _ => return None,
        })
    }
}

#[derive(Clone, Debug)]
struct Entry {
    answer: Answer,
    stored: Time,
    until: Time,
}

/// One cache.
#[derive(Clone, Debug)]
pub struct Cache {
    keeps: Keeps,
    entries: BTreeMap<(String, RecordType), Entry>,
}

impl Cache {
    /// An empty cache.
    pub fn new(keeps: Keeps) -> Cache {
        Cache { keeps, entries: BTreeMap::new() }
    }

    /// What the cache answers at `now`, its TTLs counted down; None: it has to ask.
    pub fn get(&self, now: Time, name: &str, record_type: RecordType) -> Option<Answer> {
        let entry = self.entries.get(&(name.to_ascii_lowercase(), record_type))?;
        if now >= entry.until {
            return None;
        }
        let mut answer = entry.answer.clone();
        let left = |ttl: Duration| ttl - now.elapsed_since(entry.stored).min(ttl);
        answer.ttl = left(answer.ttl);
        for record in &mut answer.records {
            record.ttl = left(record.ttl);
        }
        Some(answer)
    }

    /// Keeps an answer that arrived at `now`, as long as this cache keeps such answers.
    pub fn put(&mut self, now: Time, name: &str, record_type: RecordType, answer: &Answer) {
        let keep = if answer.is_positive() { self.keeps.success } else { self.keeps.denial };
        let span = keep.of(answer.ttl);
        if span == Duration::ZERO || answer.rcode == Rcode::Timeout {
            return;
        }
        mark!("DNS-13" if !answer.is_positive());
        let entry = Entry { answer: answer.clone(), stored: now, until: now + span };
        self.entries.insert((name.to_ascii_lowercase(), record_type), entry);
    }

    /// Forgets everything: the process is new.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The CoreDNS replicas behind the cluster's DNS address.
#[derive(Clone, Debug)]
pub struct Servers {
    ttl: Duration,
    caches: Vec<Cache>,
    queries: u64,
}

impl Servers {
    /// This many replicas, at least one.
    pub fn new(profile: &Profile, replicas: usize) -> Servers {
        let caches = vec![Cache::new(profile.server); replicas.max(1)];
        Servers { ttl: profile.ttl, caches, queries: 0 }
    }

    /// Sends a query for an absolute name; kube-proxy picks a replica for it (DNS-11). A stopped CoreDNS does not
    /// answer; one that has lost the API server answers from what it last saw (DNS-15).
    pub fn query(&mut self, world: &World, name: &str, record_type: RecordType) -> Answer {
        let nothing = Answer { rcode: Rcode::Timeout, records: Vec::new(), ttl: Duration::ZERO };
        if !world.is_running(Process::CoreDns) {
            mark!("DNS-15");
            return nothing;
        }
        let zone = Zone { view: world.view(Process::CoreDns), ttl: self.ttl };
        let (chooser, now) = (&world.chooser, world.now());
        self.queries += 1;
        mark!("DNS-11");
        let Some(cache) = self.replica(chooser) else { return nothing };
        let answer = match cache.get(now, name, record_type) {
            Some(answer) => answer,
            None => {
                let answer = zone.query(name, record_type);
                cache.put(now, name, record_type, &answer);
                answer
            }
        };
        answer.shuffled(chooser, u64::MAX, self.queries)
    }

    fn replica(&mut self, chooser: &Chooser) -> Option<&mut Cache> {
        let count = u64::try_from(self.caches.len()).unwrap_or(1);
        let draw = chooser.below(Draw::Answer as u32, u64::MAX - 1, self.queries, count);
        self.caches.get_mut(usize::try_from(draw).ok()?)
    }
}

/// The caches in front of one client, the client's own first.
#[derive(Clone, Debug)]
pub struct Resolver {
    caches: Vec<Cache>,
}

impl Resolver {
    /// A client that keeps answers as told, on a node with the caches of this profile.
    pub fn new(profile: &Profile, client: Keeps) -> Resolver {
        Resolver { caches: vec![Cache::new(client), Cache::new(profile.node)] }
    }

    /// The client's process is new and remembers nothing; the cache of the node stays.
    pub fn restart_client(&mut self) {
        if let Some(client) = self.caches.first_mut() {
            client.clear();
        }
    }

    /// Asks for an absolute name: the nearest cache that knows answers, and the ones before it learn.
    pub fn query(
        &mut self,
        servers: &mut Servers,
        world: &World,
        name: &str,
        record_type: RecordType,
    ) -> Answer {
        let now = world.now();
        let known = self.caches.iter().enumerate().find_map(|(level, cache)| {
            let answer = cache.get(now, name, record_type)?;
            Some((level, answer))
        });
        let (level, answer) = known.unwrap_or_else(|| {
            let answer = servers.query(world, name, record_type);
            (self.caches.len(), answer)
        });
        for cache in self.caches.iter_mut().take(level) {
            cache.put(now, name, record_type, &answer);
        }
        answer
    }

    /// Looks a name up as a pod of this namespace does, through its caches (DNS-17).
    pub fn resolve(
        &mut self,
        servers: &mut Servers,
        world: &World,
        namespace: &str,
        name: &str,
        record_type: RecordType,
    ) -> Lookup {
        search(name, namespace, |candidate| self.query(servers, world, candidate, record_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::{Ip, Service};
    use crate::kernel::Id;
    use crate::network::testing::Net;
    use serde_json::json;

    const NAME: &str = "web-0.web.default.svc.cluster.local.";

    /// A world where web-0 is unknown, and known from second 10 on; what a client that asks at `early` (if it does)
    /// and then each second finds out when.
    fn first_success(profile: &str, client: Keeps, early: Option<u64>) -> u64 {
        let profile = Profile::named(profile).expect("a profile");
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "None"}));
        let pod = net.pod("web-0", "web");
        let mut servers = Servers::new(&profile, 1);
        let mut resolver = Resolver::new(&profile, client);
        for second in 0..100 {
            net.run_until(Time::from_secs(second));
            if second == 10 {
                net.endpoint(web, pod, 1, |_| {});
                net.catch_up();
            }
            if early == Some(second) || second > 10 {
                let answer = resolver.query(&mut servers, &net.world, NAME, RecordType::A);
                if answer.is_positive() {
                    return second;
                }
            }
        }
        u64::MAX
    }

    #[test]
    fn asking_too_early_costs_what_the_caches_keep() {
        // Profile, the client's cache, an early query, and the second at which the name is found (DNS-12, DNS-13).
        let table = [
            ("kubeadm", Keeps::NOTHING, Some(9), 11),
            ("cache30", Keeps::NOTHING, None, 11),
            ("cache30", Keeps::NOTHING, Some(9), 39),
            ("nodelocal", Keeps::NOTHING, Some(9), 14),
            ("eks", Keeps::NOTHING, Some(9), 14),
            ("kubeadm", Keeps::JVM, Some(9), 19),
        ];
        for (profile, client, early, expected) in table {
            assert_eq!(first_success(profile, client, early), expected, "{profile} {client:?} {early:?}");
        }
    }

    /// Second at which a client of this kind, asking each second, gets the new address of a pod that moved at 10.
    fn moved(profile: &str, client: Keeps) -> u64 {
        let profile = Profile::named(profile).expect("a profile");
        let mut net = Net::new();
        let web: Id<Service> = net.service("web", &json!({"clusterIP": "None"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 1, |_| {});
        let mut servers = Servers::new(&profile, 1);
        let mut resolver = Resolver::new(&profile, client);
        for second in 1..100 {
            net.run_until(Time::from_secs(second));
            if second == 10 {
                net.edit(web, |endpoints| endpoints[0].ip = Ip(2));
                net.catch_up();
            }
            let answer = resolver.query(&mut servers, &net.world, NAME, RecordType::A);
            if answer.addresses().next() == Some(Ip(2)) {
                return second;
            }
            assert!(answer.ttl <= profile.ttl, "TTLs only count down");
        }
        u64::MAX
    }

    #[test]
    fn an_old_address_lives_on_in_caches() {
        // The client first asks in second 1 (DNS-8).
        let table = [
            ("kubeadm", Keeps::NOTHING, 10),
            ("cache30", Keeps::NOTHING, 31),
            ("nodelocal", Keeps::NOTHING, 31),
            ("eks", Keeps::NOTHING, 11),
            ("kubeadm", Keeps::JVM, 31),
            ("kubeadm", Keeps { success: Keep::Fixed(Duration::NEVER), denial: Keep::Nothing }, u64::MAX),
        ];
        for (profile, client, expected) in table {
            assert_eq!(moved(profile, client), expected, "{profile} {client:?}");
        }
        assert!(Profile::NAMES.iter().all(|name| Profile::named(name).is_some()));
    }

    #[test]
    fn each_replica_has_its_own_cache() {
        let profile = Profile::named("cache30").expect("a profile");
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "None"}));
        let pod = net.pod("web-0", "web");
        net.catch_up();
        let mut servers = Servers::new(&profile, 2);
        let early = servers.query(&net.world, NAME, RecordType::A);
        assert_eq!(early.rcode, Rcode::NxDomain);
        net.endpoint(web, pod, 1, |_| {});
        net.catch_up();
        let mut seen = [0, 0];
        for _ in 0..20 {
            let answer = servers.query(&net.world, NAME, RecordType::A);
            seen[usize::from(answer.is_positive())] += 1;
        }
        assert!(seen[0] > 3 && seen[1] > 3, "answers flap (DNS-11): {seen:?}");
        net.world.stop(Process::CoreDns);
        assert_eq!(servers.query(&net.world, NAME, RecordType::A).rcode, Rcode::Timeout);
    }
}
