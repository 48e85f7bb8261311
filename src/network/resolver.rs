//! Caches between a client and the records: what somebody still believes after the records have changed.
//!
//! Follows CoreDNS' plugin/cache and the Corefiles of kubeadm and NodeLocal DNSCache. A cache is a value: what is in it
//! at a moment is computed from the times of what was put there, no event ever expires an entry. [`Servers`] are the
//! CoreDNS replicas with a cache each (DNS-11); the caches in front of them belong to [`super::Network`].
//! Left out: the limit of 9984 entries, prefetch, serving stale entries.
use crate::config::DnsPreset;
use crate::event::Process;
use crate::kernel::{Duration, Time};
use crate::network::answer::{Answer, Rcode, RecordType, Source, Told};
use crate::network::dns::Zone;
use crate::rule::mark;
use crate::world::{Draw, World};
use std::collections::BTreeMap;

/// Entries of a caching server live at least this long (DNS-11).
const LEAST: Duration = Duration::from_secs(5);
/// Somebody who was told no asks again after this at the earliest.
const RETRY: Duration = Duration::from_secs(1);
/// A server that starts waits this long for its watches before it serves (DEF-90).
const SYNC_WAIT: Duration = Duration::from_secs(5);

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
    /// What clients keep, with the names in scenarios (DNS-14).
    pub const ALL: [(&'static str, Keeps); 4] =
        [("none", Keeps::NOTHING), ("ttl", Keeps::TTL), ("jvm", Keeps::JVM), ("forever", Keeps::FOR_EVER)];
    /// As long as records live, as nscd and systemd-resolved do.
    pub const TTL: Keeps = Keeps { success: Keep::Ttl(Duration::NEVER), denial: Keep::Ttl(Duration::NEVER) };
    /// A pool that looks a name up once.
    pub const FOR_EVER: Keeps = Keeps { success: Keep::Fixed(Duration::NEVER), denial: Keep::Nothing };
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
    /// The profile of a preset; `ttl` is that of the records.
    pub fn of(preset: DnsPreset, ttl: Duration) -> Profile {
        let secs = Duration::from_secs;
        let both = |keep| Keeps { success: keep, denial: keep };
        mark!("DNS-12");
        match preset {
            // `cache 30` with the cluster's names taken out of it.
            DnsPreset::Kubeadm => Profile { ttl, server: Keeps::NOTHING, node: Keeps::NOTHING },
            DnsPreset::Cache30 => Profile { ttl, server: both(Keep::Ttl(secs(30))), node: Keeps::NOTHING },
            DnsPreset::NodeLocal => Profile {
                ttl,
                server: Keeps::NOTHING,
                node: Keeps { success: Keep::Ttl(secs(30)), denial: Keep::Ttl(secs(5)) },
            },
            DnsPreset::Eks => Profile { ttl, server: both(Keep::Ttl(secs(30))), node: Keeps::NOTHING },
        }
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

    /// What the cache answers at `now`, its TTLs counted down, and until when; None: it has to ask.
    pub fn get(&self, now: Time, name: &str, record_type: RecordType) -> Option<(Answer, Time)> {
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
        Some((answer, entry.until))
    }

    /// Until when it answers a question by itself; None: it has to ask.
    pub fn until(&self, now: Time, name: &str, record_type: RecordType) -> Option<Time> {
        let entry = self.entries.get(&(name.to_ascii_lowercase(), record_type))?;
        (now < entry.until).then_some(entry.until)
    }

    /// Keeps an answer that arrived at `now`, as long as this cache keeps such answers.
    pub fn put(&mut self, now: Time, name: &str, record_type: RecordType, answer: &Answer) {
        let keep = if answer.is_positive() { self.keeps.success } else { self.keeps.denial };
        let span = keep.of(answer.ttl);
        if span == Duration::ZERO || !answer.is_known() {
            return;
        }
        mark!("DNS-13" if !answer.is_positive());
        let entry = Entry { answer: answer.clone(), stored: now, until: now + span };
        self.entries.insert((name.to_ascii_lowercase(), record_type), entry);
    }

    /// What it keeps.
    pub fn keeps(&self) -> Keeps {
        self.keeps
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
    /// When the process started: it has to list everything before it answers.
    started: Option<Time>,
    /// When it has.
    synced: Time,
}

impl Servers {
    /// This many replicas, at least one.
    pub fn new(profile: &Profile, replicas: usize) -> Servers {
        let caches = vec![Cache::new(profile.server); replicas.max(1)];
        Servers { ttl: profile.ttl, caches, started: None, synced: Time::ZERO }
    }

    /// The processes are new: they remember nothing, and list everything first.
    pub fn restart(&mut self, world: &World) {
        self.caches.iter_mut().for_each(Cache::clear);
        let now = world.now();
        let key = u64::from(world.epoch(Process::CoreDns));
        let lag = world.draw(world.config.latency.watch, Draw::Watch, key, Process::CoreDns as u64)
            + world.draw(world.extra_lag(Process::CoreDns), Draw::Watch, !key, Process::CoreDns as u64);
        (self.started, self.synced) = (Some(now), now + lag);
    }

    /// When they have listed everything after a start, if they have not yet.
    pub fn syncs_at(&self, now: Time) -> Option<Time> {
        (self.started.is_some() && now < self.synced).then_some(self.synced)
    }

    /// When somebody who asks again may get another answer, although the records are the same: the first cache forgets
    /// it, or another replica is met that does not have it. None: there is no cache.
    pub fn forget_at(&self, now: Time, name: &str, record_type: RecordType) -> Option<Time> {
        let caches = self.caches.iter().filter(|cache| cache.keeps() != Keeps::NOTHING);
        caches.map(|cache| cache.until(now, name, record_type).unwrap_or(now + RETRY)).min()
    }

    /// A query for an absolute name: kube-proxy picks a replica for it (DNS-11). A stopped CoreDNS does not answer; one
    /// that has lost the API server answers from what it last saw; one that has just started waits for its watches, and
    /// after 5 s says that it cannot know (DNS-15). `client` and `number` say who asks and for the how-manieth time.
    pub fn query(
        &mut self,
        world: &World,
        client: u64,
        number: u64,
        name: &str,
        record_type: RecordType,
    ) -> Told {
        let (chooser, now) = (&world.chooser, world.now());
        let waiting = self.started.filter(|_| now < self.synced);
        if !world.is_running(Process::CoreDns) || waiting.is_some_and(|since| now < since + SYNC_WAIT) {
            mark!("DNS-15");
            return Told::failed(Rcode::Timeout, now);
        }
        if waiting.is_some() {
            mark!("DNS-15");
            return Told::failed(Rcode::ServFail, now);
        }
        let zone = Zone { view: world.view(Process::CoreDns), ttl: self.ttl };
        mark!("DNS-11");
        let count = u64::try_from(self.caches.len()).unwrap_or(1);
        let draw = chooser.below(Draw::Answer as u32, !client, number, count);
        let cache = usize::try_from(draw).ok().and_then(|place| self.caches.get_mut(place));
        let Some(cache) = cache else { return Told::failed(Rcode::Timeout, now) };
        let mut told = match cache.get(now, name, record_type) {
            Some((answer, until)) => Told { answer, source: Source::Server, until },
            None => {
                let answer = zone.query(name, record_type);
                cache.put(now, name, record_type, &answer);
                Told { answer, source: Source::Records, until: now }
            }
        };
        told.answer = told.answer.shuffled(chooser, client, number);
        told
    }
}
