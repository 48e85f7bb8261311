//! One database: its instances, what is on its disks, who is primary, and what flows while nothing changes.
//!
//! [`Database::look`] is called when something may have changed: it integrates all rates since the last look, takes in
//! what really runs now, lets instances act ([`super::roles`], [`super::follow`]) and clients connect
//! ([`super::client`]), and says when it wants to look again. Between two looks all rates are constant.
use crate::kernel::{Duration, Time};
use crate::network::Network;
use crate::workload::amount::{Amount, Flow};
use crate::workload::client::{Answer, Client};
use crate::workload::facts::Tally;
use crate::workload::lineage::{Content, Lineages};
use crate::workload::member::{Member, Phase};
use crate::workload::monitors::Monitors;
use crate::workload::outage::Outages;
use crate::workload::roles::Lease;
use crate::workload::sight::{Life, Sight, Storage};
use crate::workload::spec::{DatabaseSpec, Replication};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Database {
    /// What the scenario says about it.
    pub spec: DatabaseSpec,
    /// Tells its loops from those of others.
    pub(super) key: u64,
    pub(super) lineages: Lineages,
    /// What is on each disk that is not empty.
    pub(super) disks: BTreeMap<Storage, Content>,
    /// Instances that run, in order of lives.
    pub(super) members: Vec<Member>,
    /// What each instance takes in, by client: parallel to `members`.
    pub(super) inflows: Vec<Vec<Flow>>,
    pub(super) lease: Lease,
    pub(super) monitors: Monitors,
    /// The disk of the last instance that rightfully became primary.
    pub(super) authority: Option<Storage>,
    pub(super) clients: Vec<Client>,
    pub(super) tally: Tally,
    pub(super) outages: Outages,
    /// Which instances have accepted writes, with the epoch of the timeline they wrote.
    pub(super) accepted: BTreeSet<(u64, Life)>,
    /// The last acknowledged write of a database that waits for replicas, and on how many volumes it should be.
    pub(super) promised: Option<(Content, usize)>,
    /// How many disks with content have been lost.
    pub(super) disks_lost: u32,
    /// How many of them were no pod's own directory.
    pub(super) volumes_lost: u32,
    /// spec.replicas, the first ordinal and the service of peers, as last seen.
    pub(super) replicas: usize,
    first: u32,
    pub(super) service: String,
    /// Everything up to here has been summed.
    now: Time,
}

/// When a database wants to be looked at again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wake {
    /// Something will happen then that the cluster is not settled without.
    pub work: Time,
    /// Clients try something again then.
    pub retry: Time,
}

impl Database {
    /// A database none of whose instances runs yet.
    pub fn new(spec: DatabaseSpec, key: u64) -> Database {
        let first = (u32::try_from(key).unwrap_or(0) + 1) << 16;
        let clients = (first..).zip(&spec.clients);
        let clients = clients.map(|(number, client)| Client::new(client.clone(), number)).collect();
        Database {
            spec,
            key,
            lineages: Lineages::default(),
            disks: BTreeMap::new(),
            members: Vec::new(),
            inflows: Vec::new(),
            lease: Lease::default(),
            monitors: Monitors::default(),
            authority: None,
            clients,
            tally: Tally::default(),
            outages: Outages::default(),
            accepted: BTreeSet::new(),
            promised: None,
            disks_lost: 0,
            volumes_lost: 0,
            replicas: 0,
            first: 0,
            service: String::new(),
            now: Time::ZERO,
        }
    }

    /// Something may have changed. Returns the instances whose liveness probes have failed now.
    pub fn look(&mut self, world: &World, network: &mut Network, sight: &Sight) -> Vec<Life> {
        let now = world.now();
        self.advance(now);
        (self.replicas, self.first) = (sight.replicas, sight.first);
        if self.service != sight.service {
            self.service.clone_from(&sight.service);
        }
        self.lose(sight);
        self.come_and_go(world, sight);
        // Each instance acts a few times at one instant at most: starts, finds itself, is followed.
        for _ in 0..16 {
            let acted = self.phases_end(now, world)
                | self.lease_step(world)
                | self.monitor_step(world)
                | self.begin(world)
                | self.follow(world);
            if !acted {
                break;
            }
        }
        let killed = self.killed(now);
        for index in 0..self.members.len() {
            let member = &self.members[index];
            self.members[index].blocked = member.acts_as_primary() && !self.accepts(member);
        }
        for client in &mut self.clients {
            client.act(&self.members, &self.spec.namespace, network, world, sight);
        }
        self.flows(now, world);
        killed
    }

    /// Sums what has flowed since the last look.
    pub(super) fn advance(&mut self, now: Time) {
        let span = now.elapsed_since(self.now);
        if span == Duration::ZERO {
            return;
        }
        let copies = self.replicas_needed() + 1;
        for (member, flows) in self.members.iter().zip(&self.inflows) {
            let flow: Flow = flows.iter().copied().sum();
            if flow.is_zero() {
                continue;
            }
            let Some(content) = self.disks.get_mut(&member.process.storage) else { continue };
            let to = content.position + flow.after(span);
            self.lineages.acknowledge(content.timeline, content.position, to, flows);
            content.position = to;
            if self.spec.replication != Replication::Async {
                self.promised = Some((*content, copies));
            }
        }
        for index in 0..self.members.len() {
            self.replicate(index, now, span);
        }
        self.tally.pass(span);
        for client in &mut self.clients {
            client.pass(span);
        }
        self.now = now;
    }

    /// A replica takes what its primary has had for long enough, as fast as it can.
    fn replicate(&mut self, index: usize, now: Time, span: Duration) {
        let member = &self.members[index];
        let Some(target) = self.target(member, now) else { return };
        let Some(content) = self.disks.get_mut(&member.process.storage) else { return };
        let most = content.position + self.spec.catch_up.after(span);
        content.position = content.position.max(target.min(most));
        self.members[index].caught_up = content.position >= target;
    }

    /// How far a replica can be at most: where its primary was a moment ago, or with acknowledged replication is now.
    pub(super) fn target(&self, member: &Member, now: Time) -> Option<Amount> {
        let upstream = self.member(member.upstream?)?;
        if self.spec.replication != Replication::Async {
            return self.content(upstream).map(|content| content.position);
        }
        let then = Time::from_nanos(now.as_nanos().saturating_sub(self.spec.lag.as_nanos()));
        Some(upstream.history.at(then))
    }

    /// Disks that are gone.
    fn lose(&mut self, sight: &Sight) {
        for storage in &sight.lost {
            if self.disks.remove(storage).is_some() {
                self.disks_lost += 1;
                self.volumes_lost += u32::from(!matches!(storage, Storage::Pod(..)));
            }
        }
    }

    /// Takes in which processes run now.
    fn come_and_go(&mut self, world: &World, sight: &Sight) {
        let runs = |life: Life| sight.processes.iter().find(|process| process.life == life);
        let mut leaving = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            let process = &member.process;
            let ended = runs(process.life).is_none();
            let in_good_order = process.stopping && !sight.is_dark(process.node);
            if ended && in_good_order && self.lease.is_held_by(process.life) {
                let reaches = world.links.reaches_control_plane(process.node);
                self.lease.release(reaches);
            }
            if ended && in_good_order && member.phase == Phase::Primary {
                leaving.push(index);
            }
        }
        leaving.into_iter().for_each(|index| self.hand_over(index));
        self.members.retain(|member| runs(member.process.life).is_some());
        for process in &sight.processes {
            match self.members.iter_mut().find(|member| member.process.life == process.life) {
                Some(member) => member.process = *process,
                None => {
                    let held = self.members.iter().any(|other| other.process.storage == process.storage);
                    let mut member = Member::new(*process, self.spec.takes.start);
                    if held {
                        member.phase = Phase::Locked;
                    }
                    self.members.push(member);
                }
            }
        }
        self.members.sort_by_key(|member| member.process.life);
        for index in 0..self.members.len() {
            let process = self.members[index].process;
            let holder = |member: &Member| {
                member.process.storage == process.storage
                    && member.process.life != process.life
                    && member.phase != Phase::Locked
            };
            if self.members[index].phase == Phase::Locked && !self.members.iter().any(holder) {
                self.members[index].phase = Phase::Starting(world.now() + self.spec.takes.start);
            }
        }
    }

    /// A primary that stops in good order sends the rest of its log to those that stream from it.
    fn hand_over(&mut self, index: usize) {
        let Some(content) = self.content(&self.members[index]) else { return };
        let life = self.members[index].process.life;
        for member in self.members.iter().filter(|other| other.upstream == Some(life) && other.caught_up) {
            self.disks.insert(member.process.storage, content);
        }
    }

    /// What an instance has on its disk.
    pub(super) fn content(&self, member: &Member) -> Option<Content> {
        self.disks.get(&member.process.storage).copied()
    }

    /// The instance of this life.
    pub(super) fn member(&self, life: Life) -> Option<&Member> {
        self.members.iter().find(|member| member.process.life == life)
    }

    /// How many replicas must have a write before it is acknowledged.
    pub(super) fn replicas_needed(&self) -> usize {
        match self.spec.replication {
            Replication::Async => 0,
            Replication::Sync => 1,
            Replication::Quorum => self.majority() - 1,
        }
    }

    /// It is the pod with the first ordinal.
    pub(super) fn is_first(&self, member: &Member) -> bool {
        self.spec.on_stateful_set && member.process.name.ordinal() == Some(self.first)
    }

    /// More than half of the instances there should be.
    pub(super) fn majority(&self) -> usize {
        self.replicas.max(1) / 2 + 1
    }

    /// It is primary, and enough replicas follow it: a write that reaches it is acknowledged.
    pub(super) fn accepts(&self, member: &Member) -> bool {
        let follows = |other: &&Member| other.upstream == Some(member.process.life) && other.caught_up;
        member.acts_as_primary()
            && self.content(member).is_some()
            && self.members.iter().filter(follows).count() >= self.replicas_needed()
    }

    /// What the survivors have: the disk of the last rightful primary, or the best of those that are left.
    pub(super) fn surviving(&self) -> Option<Content> {
        let best = || self.disks.values().copied().max_by_key(|content| self.lineages.rank(*content));
        self.authority.and_then(|storage| self.disks.get(&storage).copied()).or_else(best)
    }

    /// The rates from now on.
    fn flows(&mut self, now: Time, world: &World) {
        let accepting: Vec<bool> = self.members.iter().map(|member| self.accepts(member)).collect();
        let fresh: Vec<bool> = self.members.iter().map(|member| self.is_fresh(member)).collect();
        let clients = self.clients.len();
        self.inflows = vec![vec![Flow::ZERO; clients]; self.members.len()];
        for (number, client) in self.clients.iter_mut().enumerate() {
            let (members, inflows) = (&self.members, &mut self.inflows);
            client.flow(|writes, life, flow| {
                let place = members.iter().position(|member| member.process.life == life);
                let Some(at) = place else { return Answer::Failed };
                if writes && accepting[at] {
                    inflows[at][number] += flow;
                }
                Answer::of(writes, &members[at], accepting[at], fresh[at])
            });
        }
        for (index, accepts) in accepting.iter().enumerate() {
            let member = &self.members[index];
            let Some(content) = self.disks.get(&member.process.storage).copied() else { continue };
            let flow: Flow = self.inflows[index].iter().copied().sum();
            if *accepts && !flow.is_zero() {
                self.accepted.insert((self.lineages.epoch(content.timeline), member.process.life));
            }
            if member.phase == Phase::Primary {
                self.members[index].history.note(now, content.position, flow, self.spec.lag);
            }
        }
        self.judge_service(&accepting, world);
    }

    /// What clients and instances make of the moment: is there a primary, are there two, does any writer get through.
    fn judge_service(&mut self, accepting: &[bool], world: &World) {
        let primaries = accepting.iter().filter(|accepts| **accepts).count();
        let mut busiest: Option<(Flow, Life)> = None;
        for (member, flows) in self.members.iter().zip(&self.inflows) {
            let flow: Flow = flows.iter().copied().sum();
            if !flow.is_zero() && busiest.is_none_or(|(most, _)| flow > most) {
                busiest = Some((flow, member.process.life));
            }
        }
        let writers = self.clients.iter().any(|client| client.spec.writes);
        let server = if writers {
            busiest.map(|(_, life)| life)
        } else {
            let place = accepting.iter().position(|accepts| *accepts);
            place.and_then(|at| self.members.get(at)).map(|member| member.process.life)
        };
        self.tally.sees(primaries, server.is_some());
        let process = server.and_then(|life| self.member(life)).map(|member| member.process);
        self.outages.sees(process, world);
    }

    /// What it reads is what the rightful primary has, but for the moment that replication takes.
    fn is_fresh(&self, member: &Member) -> bool {
        let Some(content) = self.content(member) else { return false };
        if self.authority == Some(member.process.storage) {
            return true;
        }
        if member.phase == Phase::Primary {
            return false;
        }
        let Some(truth) = self.surviving() else { return false };
        let follows_it = member.upstream.and_then(|life| self.member(life));
        let follows_it = follows_it.is_some_and(|primary| self.authority == Some(primary.process.storage));
        follows_it && member.caught_up || self.lineages.holds(content, truth)
    }

    /// When something will happen by itself.
    pub fn wake(&self, network: &Network, world: &World) -> Wake {
        let now = self.now;
        let mut work = self.lease_wakes();
        let phases = self.members.iter().filter_map(|member| member.phase.until());
        let looks = self.members.iter().flat_map(|member| [member.looks_at, member.killed_at]).flatten();
        let catching = self.members.iter().filter(|member| !member.caught_up);
        let catching = catching.filter_map(|member| self.caught_up_at(member));
        let monitors = self.monitors.wakes(self.spec.monitors());
        for time in phases.chain(looks).chain(catching).chain(monitors).filter(|time| *time > now) {
            work = work.min(time);
        }
        let mut retry = Time::NEVER;
        for client in &self.clients {
            let (time, hopeful) = client.wake();
            if hopeful && client.has_hope(&self.members, &self.spec.namespace, network, world) {
                work = work.min(time);
            } else {
                retry = retry.min(time);
            }
        }
        Wake { work, retry }
    }

    /// When a replica that is behind will have caught up, if all goes on as it does.
    fn caught_up_at(&self, member: &Member) -> Option<Time> {
        let target = self.target(member, self.now)?;
        let content = self.content(member)?;
        let place = self.members.iter().position(|other| Some(other.process.life) == member.upstream)?;
        let flow: Flow = self.inflows.get(place)?.iter().copied().sum();
        let takes = (target - content.position).at(self.spec.catch_up.less(flow));
        Some(self.now + takes.max(Duration::from_millis(1)))
    }

    /// Up to when everything has been summed.
    pub fn summed_until(&self) -> Time {
        self.now
    }
}
