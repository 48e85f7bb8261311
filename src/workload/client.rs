//! Clients: a pool of connections that are opened by name, kept until they break, and opened again.
//!
//! A group of clients is a fluid: its connections are [`SHARES`] equal shares, each of which is open to one instance or
//! waits to be opened. A name with several addresses is tried as libpq tries several hosts: writers take those that
//! accept writes (`target_session_attrs=read-write`), all equally often. The address of a service leads to each of its
//! endpoints equally often (SVC-9), whether or not that one is any good. Connections that are open stay where they are
//! when endpoints come and go.
//! Left out: pools that grow, requests that are queued instead of failed, connections closed because of their age.
use crate::api::names::Sym;
use crate::api::objects::{Ip, Node};
use crate::kernel::{Duration, Id, Time};
use crate::network::Network;
use crate::rule::mark;
use crate::workload::amount::{Amount, Flow, SHARES};
use crate::workload::member::{Member, Phase};
use crate::workload::names;
use crate::workload::sight::{Life, Sight};
use crate::workload::spec::{CacheTime, ClientSpec, From};
use crate::world::World;

/// Connections to one instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Connection {
    life: Life,
    node: Id<Node>,
    shares: u32,
    /// Its other end says nothing: it is given up then.
    silent_until: Option<Time>,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// A write is acknowledged, a read answered with the truth.
    Good,
    /// A read is answered with what was true once.
    Stale,
    /// An error, or none in time.
    Failed,
}

impl Answer {
    pub(super) fn of(writes: bool, member: &Member, accepts: bool, fresh: bool) -> Answer {
        match (writes, fresh) {
            (true, _) if accepts => Answer::Good,
            (true, _) => Answer::Failed,
            (false, _) if !member.serves() => Answer::Failed,
            (false, true) => Answer::Good,
            (false, false) => Answer::Stale,
        }
    }
}

/// What came of the requests of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Requests {
    /// Acknowledged writes, or reads answered with the truth.
    pub good: Amount,
    /// Reads answered with something old.
    pub stale: Amount,
    /// Those that failed.
    pub failed: Amount,
    /// How long none got through, since the first did.
    pub down: Duration,
}

/// A group of clients.
#[derive(Clone, Debug)]
pub struct Client {
    /// What the scenario says about it.
    pub spec: ClientSpec,
    /// What came of its requests.
    pub requests: Requests,
    /// Tells its caches from those of others.
    number: u32,
    /// It has got through once: from then on it offers its load.
    begun: bool,
    connections: Vec<Connection>,
    /// Shares that are not connected.
    waiting: u32,
    retry_at: Option<Time>,
    good: Flow,
    stale: Flow,
    failed: Flow,
}

/// The machine that clients run on; None: outside of the cluster.
type Place = Option<Id<Node>>;
/// Where a connection may go: an instance, if what is there is one that is good for it.
type Target = Option<(Life, Id<Node>)>;

impl Client {
    /// Clients that have not connected yet.
    pub(super) fn new(spec: ClientSpec, number: u32) -> Client {
        Client {
            number,
            spec,
            requests: Requests::default(),
            begun: false,
            connections: Vec::new(),
            waiting: SHARES,
            retry_at: None,
            good: Flow::ZERO,
            stale: Flow::ZERO,
            failed: Flow::ZERO,
        }
    }

    /// Time goes by at the present rates.
    pub(super) fn pass(&mut self, span: Duration) {
        self.requests.good += self.good.after(span);
        self.requests.stale += self.stale.after(span);
        self.requests.failed += self.failed.after(span);
        if self.begun && self.good.is_zero() && self.stale.is_zero() && !self.failed.is_zero() {
            self.requests.down = self.requests.down + span;
        }
    }

    /// The rates from now on; `answer` says what an instance answers to such a flow.
    pub(super) fn flow(&mut self, mut answer: impl FnMut(bool, Life, Flow) -> Answer) {
        (self.good, self.stale, self.failed) = (Flow::ZERO, Flow::ZERO, Flow::ZERO);
        let connected = |connection: &&Connection| connection.silent_until.is_none();
        for connection in self.connections.iter().filter(connected) {
            let flow = self.spec.rate.over(connection.shares);
            match answer(self.spec.writes, connection.life, flow) {
                Answer::Good => self.good += flow,
                Answer::Stale => self.stale += flow,
                Answer::Failed => self.failed += flow,
            }
        }
        // Before they first got through they are no users yet who could miss anything.
        self.begun |= !self.good.is_zero() || !self.stale.is_zero();
        if !self.begun {
            self.failed = Flow::ZERO;
            return;
        }
        let silent = self.connections.iter().filter(|connection| connection.silent_until.is_some());
        let silent: u32 = silent.map(|connection| connection.shares).sum();
        self.failed += self.spec.rate.over(self.waiting + silent);
    }

    /// Requests get through at the moment.
    pub(super) fn gets_through(&self) -> bool {
        !self.good.is_zero()
    }

    /// Shares of its connections that are open to an instance and not silent.
    pub(super) fn open_to(&self, life: Life) -> u32 {
        let open = self.connections.iter().filter(|c| c.life == life && c.silent_until.is_none());
        open.map(|connection| connection.shares).sum()
    }

    /// Where it is. None: on a machine that is not there, or dark.
    fn place(&self, world: &World, sight: &Sight) -> Option<Place> {
        let From::Node(name) = &self.spec.from else { return Some(None) };
        let name = world.store.names.known_name(name)?;
        let (node, _) = world.store.nodes.find(Sym::EMPTY, name)?;
        (!sight.is_dark(node)).then_some(Some(node))
    }

    /// Notices broken connections and opens new ones.
    pub(super) fn act(
        &mut self,
        members: &[Member],
        namespace: &str,
        network: &mut Network,
        world: &World,
        sight: &Sight,
    ) {
        let Some(place) = self.place(world, sight) else {
            // Nobody is there who could ask for anything.
            self.connections.clear();
            (self.waiting, self.retry_at, self.begun) = (SHARES, None, false);
            return;
        };
        let now = world.now();
        if self.heed(members, place, world, sight) || self.waiting > 0 && self.retry_at.is_none() {
            self.retry_at = Some(now);
        }
        if self.waiting == 0 || self.retry_at.is_none_or(|time| time > now) {
            return;
        }
        let mut addresses: Vec<Ip> = Vec::new();
        let asker = names::asker(self.number, place);
        network.set_client_cache(asker, names::keeps(self.spec.cache));
        for via in &self.spec.via {
            let found = network.resolve(asker, namespace, via, world);
            for address in found.answer.addresses() {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        let targets = self.targets(&addresses, members, place, network, world);
        self.connect(&targets);
        self.retry_at = (self.waiting > 0).then_some(now + self.spec.retry);
    }

    /// Looks at every connection. True if one has broken.
    fn heed(&mut self, members: &[Member], place: Place, world: &World, sight: &Sight) -> bool {
        let now = world.now();
        let (writes, timeout) = (self.spec.writes, self.spec.timeout);
        let mut broken = 0;
        self.connections.retain_mut(|connection| {
            let member = members.iter().find(|member| member.process.life == connection.life);
            let reaches = reaches(place, connection.node, world);
            let answers = match member {
                // The machine says that nobody listens there any more.
                None => reaches && !sight.is_dark(connection.node),
                Some(member) => {
                    let hangs = member.process.hung || !member.process.disk_works || writes && member.blocked;
                    reaches && !hangs
                }
            };
            if answers {
                connection.silent_until = None;
                let usable =
                    member.is_some_and(
                        |member| {
                            if writes { member.phase == Phase::Primary } else { member.serves() }
                        },
                    );
                if !usable {
                    broken += connection.shares;
                }
                return usable;
            }
            let until = *connection.silent_until.get_or_insert(now + timeout);
            if until <= now {
                broken += connection.shares;
            }
            until > now
        });
        self.waiting += broken;
        broken > 0
    }

    /// What is behind these addresses. An address of a pod that is no good is left out: the next one is tried; behind
    /// the address of a service it is one of several that the connection may get.
    fn targets(
        &self,
        addresses: &[Ip],
        members: &[Member],
        place: Place,
        network: &Network,
        world: &World,
    ) -> Vec<Target> {
        let good = |member: &&Member| {
            let fits = if self.spec.writes { member.acts_as_primary() } else { member.serves() };
            fits && !member.process.stopping && reaches(place, member.process.node, world)
        };
        let target = |member: &Member| (member.process.life, member.process.node);
        let mut direct = Vec::new();
        let mut balanced = Vec::new();
        for address in addresses {
            let Some(backends) = names::backends(network, place, *address, world) else {
                let here = members.iter().filter(|member| member.process.ip == *address);
                direct.extend(here.filter(good).map(|member| Some(target(member))));
                continue;
            };
            for (pod, uid) in backends {
                mark!("SVC-9");
                let here = members.iter().filter(|m| m.process.life.pod == pod && m.process.life.uid == uid);
                balanced.push(here.filter(good).map(target).next());
            }
        }
        if direct.is_empty() { balanced } else { direct }
    }

    /// Opens what waits, evenly to all targets; what comes to one that is no good goes on waiting.
    fn connect(&mut self, targets: &[Target]) {
        let Ok(count) = u32::try_from(targets.len()) else { return };
        if count == 0 {
            return;
        }
        let (each, mut rest) = (self.waiting / count, self.waiting % count);
        for target in targets {
            let shares = each + u32::from(rest > 0);
            rest = rest.saturating_sub(1);
            let Some((life, node)) = *target else { continue };
            if shares == 0 {
                continue;
            }
            self.waiting -= shares;
            let open =
                |connection: &&mut Connection| connection.life == life && connection.silent_until.is_none();
            match self.connections.iter_mut().find(open) {
                Some(connection) => connection.shares += shares,
                None => self.connections.push(Connection { life, node, shares, silent_until: None }),
            }
        }
    }

    /// When it does something by itself, and whether it is only a matter of time until it gets through, as far as its
    /// own memory goes: a client that never asks DNS again may try for ever.
    pub(super) fn wake(&self) -> (Time, bool) {
        let silent = self.connections.iter().filter_map(|connection| connection.silent_until).min();
        let retry = self.retry_at.filter(|_| self.waiting > 0);
        let time = [silent, retry].into_iter().flatten().min().unwrap_or(Time::NEVER);
        (time, self.spec.cache != CacheTime::Forever)
    }

    /// Somebody who asked DNS now, without any cache, would be connected to a good instance.
    pub(super) fn has_hope(
        &self,
        members: &[Member],
        namespace: &str,
        network: &Network,
        world: &World,
    ) -> bool {
        let Some(place) = self.place(world, &Sight::default()) else { return false };
        let known = self.spec.via.iter().flat_map(|via| names::known(world, namespace, via, place));
        let addresses: Vec<Ip> = known.collect();
        self.targets(&addresses, members, place, network, world).iter().any(Option::is_some)
    }

    /// A request from here comes to that machine, and an answer back.
    pub(super) fn reaches(&self, node: Id<Node>, world: &World) -> bool {
        self.place(world, &Sight::default()).is_some_and(|place| reaches(place, node, world))
    }
}

fn reaches(place: Place, node: Id<Node>, world: &World) -> bool {
    match place {
        None => world.links.client_reaches(node),
        Some(place) => place == node || world.links.nodes_reach(place, node),
    }
}
