//! Who becomes primary, who stays it, and who stops being it.
//!
//! The lease is client-go's `tools/leaderelection`: a record in the API server that its holder renews every `retry`;
//! others may take it `duration` after the last renewal. Renewals that go well are no events: what is computed is the
//! moment of the last one before the holder was cut off. Candidates publish their positions in the API server, as
//! Patroni's and CloudNativePG's do, and the one that is furthest is promoted.
//! Left out: an API server that is down, clocks that run at different speeds.
use crate::kernel::{Duration, Time};
use crate::workload::amount::Amount;
use crate::workload::database::Database;
use crate::workload::lineage::Content;
use crate::workload::member::{Member, Phase};
use crate::workload::names;
use crate::workload::sight::Life;
use crate::workload::spec::{Bootstrap, Fencing, LeaseSpec, Replication};
use crate::world::World;
use std::cmp::Reverse;

/// Tells loops of databases from those of nodes.
const LOOP: u64 = 1 << 48;

/// The lease, as the API server has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Lease {
    holder: Option<Life>,
    acquired: Time,
    /// The last renewal, if it is no longer renewed.
    renewed: Option<Time>,
    /// When the next election is.
    elects_at: Option<Time>,
    /// With fencing by lease: when the holder gives up.
    fenced_at: Option<Time>,
}

impl Lease {
    pub(super) fn is_held_by(&self, life: Life) -> bool {
        self.holder == Some(life)
    }

    pub(super) fn holder(&self) -> Option<Life> {
        self.holder
    }

    /// The holder stops in good order: it gives the lease back, if that reaches the API server.
    pub(super) fn release(&mut self, reaches: bool) {
        if reaches {
            *self = Lease::default();
        }
    }

    /// From when on others may take it.
    fn free_at(&self, lease: LeaseSpec, now: Time) -> Time {
        match (self.holder, self.renewed) {
            (None, _) => now,
            (Some(_), Some(renewed)) => renewed + lease.duration,
            (Some(_), None) => Time::NEVER,
        }
    }
}

impl Database {
    fn tick_after(&self, period: Duration, time: Time, world: &World) -> Time {
        world.next_tick(period, LOOP | self.key, 0, time)
    }

    /// What takes its time is over for some instances.
    pub(super) fn phases_end(&mut self, now: Time, world: &World) -> bool {
        let mut acted = false;
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let source = match member.phase {
                Phase::Cloning(source, _) | Phase::Rewinding(source, _) => Some(source),
                _ => None,
            };
            let content = self.content(member);
            let broken = source.is_some_and(|source| !self.can_copy(member, source, world));
            let next = match member.phase {
                Phase::Cloning(..) if broken => Phase::Empty,
                Phase::Rewinding(..) if broken => Phase::Replica,
                phase if phase.until().is_none_or(|until| until > now) => continue,
                Phase::Starting(_) if content.is_some() => Phase::Replica,
                Phase::Starting(_) => Phase::Empty,
                Phase::Bootstrapping(_) => self.becomes_primary(index, None, now),
                Phase::Promoting(_) => self.becomes_primary(index, content, now),
                Phase::Cloning(source, _) | Phase::Rewinding(source, _) => self.copied(index, source),
                phase => phase,
            };
            let member = &mut self.members[index];
            self.outages.mark(now, member.process.life, member.phase.takes_for());
            member.phase = next;
            acted = true;
        }
        acted
    }

    fn becomes_primary(&mut self, index: usize, content: Option<Content>, now: Time) -> Phase {
        let content = match content {
            Some(content) => self.lineages.fork(content, now),
            None => self.lineages.found(now),
        };
        let storage = self.members[index].process.storage;
        self.disks.insert(storage, content);
        self.authority = Some(storage);
        let member = &mut self.members[index];
        member.warm = true;
        member.upstream = None;
        member.caught_up = false;
        member.looks_at = None;
        member.history = Default::default();
        Phase::Primary
    }

    /// The source of a copy is still there and has something.
    fn can_copy(&self, member: &Member, source: Life, world: &World) -> bool {
        self.member(source).is_some_and(|source| {
            source.serves()
                && self.content(source).is_some()
                && world.links.nodes_reach(member.process.node, source.process.node)
        })
    }

    fn copied(&mut self, index: usize, source: Life) -> Phase {
        let Some(source) = self.member(source).cloned() else { return Phase::Empty };
        let (Some(theirs), own) = (self.content(&source), self.content(&self.members[index])) else {
            return Phase::Empty;
        };
        let own = match own {
            Some(own) => self
                .lineages
                .common(theirs, own)
                .map_or(theirs, |common| Content { timeline: theirs.timeline, position: common.position }),
            None => theirs,
        };
        self.disks.insert(self.members[index].process.storage, own);
        Phase::Replica
    }

    // ---- Ordinal 0 -------------------------------------------------------------------------------------------------

    /// With a fixed primary: the instance that is it begins.
    pub(super) fn begin(&mut self, world: &World) -> bool {
        if self.spec.lease().is_some() {
            return false;
        }
        let now = world.now();
        let mut acted = false;
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let process = member.process;
            let chosen = self.is_first(member) && self.is_primary_by_configuration(member, world);
            if !chosen || process.hung || !process.disk_works {
                continue;
            }
            let next = match member.phase {
                Phase::Replica => match self.better_peer(member, world) {
                    Some(peer) => Phase::Cloning(peer, now + self.spec.clone),
                    None => {
                        let content = self.content(member);
                        self.becomes_primary(index, content, now)
                    }
                },
                Phase::Empty => match self.first_source(member, world) {
                    Some(Some(peer)) => Phase::Cloning(peer, now + self.spec.clone),
                    Some(None) => Phase::Bootstrapping(now + self.spec.takes.init),
                    None => continue,
                },
                _ => continue,
            };
            if matches!(next, Phase::Cloning(..)) {
                self.disks.remove(&process.storage);
            }
            self.members[index].phase = next;
            acted = true;
        }
        acted
    }

    /// With `max-position`: another instance that runs has more, or something else.
    fn better_peer(&self, member: &Member, world: &World) -> Option<Life> {
        if self.spec.bootstrap != Bootstrap::MaxPosition {
            return None;
        }
        let own = self.content(member)?;
        let best = self.best_peer(member, world)?;
        let theirs = self.content(self.member(best)?)?;
        (!self.lineages.holds(own, theirs) && self.lineages.rank(theirs) > self.lineages.rank(own))
            .then_some(best)
    }

    /// The other instance with the highest position that can be asked.
    fn best_peer(&self, member: &Member, world: &World) -> Option<Life> {
        let others = self.members.iter().filter(|other| {
            other.process.life != member.process.life
                && other.serves()
                && world.links.nodes_reach(member.process.node, other.process.node)
        });
        let ranked = others.filter_map(|other| Some((self.lineages.rank(self.content(other)?), other)));
        ranked.max_by_key(|(rank, _)| *rank).map(|(_, other)| other.process.life)
    }

    /// Ordinal 0 with an empty volume: whom it copies from, or nobody, if it initialises. None: it waits.
    fn first_source(&self, member: &Member, world: &World) -> Option<Option<Life>> {
        match self.spec.bootstrap {
            Bootstrap::OrdinalZero => Some(None),
            Bootstrap::IfNoPeer => {
                let known = self.peers_by_name(member, world);
                let found = self.members.iter().any(|other| known.contains(&other.process.ip));
                Some(self.best_peer(member, world).filter(|_| found))
            }
            Bootstrap::MaxPosition => {
                let all = self.members.iter().filter(|other| !matches!(other.phase, Phase::Starting(_)));
                (all.count() >= self.replicas).then(|| self.best_peer(member, world))
            }
        }
    }

    /// Addresses of other instances as DNS has them under the name of the service.
    fn peers_by_name(&self, member: &Member, world: &World) -> Vec<crate::api::objects::Ip> {
        let mut known = names::known(world, &self.spec.namespace, &self.service, Some(member.process.node));
        known.retain(|ip| *ip != member.process.ip);
        known
    }

    // ---- Lease -----------------------------------------------------------------------------------------------------

    /// Renewals, fencing, elections.
    pub(super) fn lease_step(&mut self, world: &World) -> bool {
        let Some(spec) = self.spec.lease() else { return false };
        let now = world.now();
        self.renew(spec, world);
        let fenced = self.fence(spec, now);
        let demoted = self.demote(spec, world);
        self.isolate(spec, world);
        let elected = self.elect(spec, world);
        fenced | demoted | elected
    }

    /// The holder renews, if it can.
    fn renew(&mut self, spec: LeaseSpec, world: &World) {
        let now = world.now();
        let Some(holder) = self.lease.holder else { return };
        let able = self.member(holder).is_some_and(|member| {
            let leads =
                matches!(member.phase, Phase::Primary | Phase::Promoting(_) | Phase::Bootstrapping(_));
            leads && !member.process.hung && world.links.reaches_control_plane(member.process.node)
        });
        match self.lease.renewed {
            Some(_) if able => {
                self.lease.renewed = None;
                self.lease.fenced_at = None;
            }
            None if !able => {
                let next = self.tick_after(spec.retry, now, world);
                let last = Time::from_nanos(next.as_nanos().saturating_sub(spec.retry.as_nanos()));
                let last = last.max(self.lease.acquired);
                self.lease.renewed = Some(last);
                self.lease.fenced_at = (spec.fencing == Fencing::Lease).then_some(last + spec.renew);
            }
            _ => {}
        }
    }

    /// The holder has not renewed in time, and gives up.
    fn fence(&mut self, spec: LeaseSpec, now: Time) -> bool {
        let due = spec.fencing == Fencing::Lease && self.lease.fenced_at.is_some_and(|time| time <= now);
        if !due {
            return false;
        }
        self.lease.fenced_at = None;
        let holder = self.lease.holder;
        match self.members.iter().position(|member| Some(member.process.life) == holder) {
            Some(index) => self.steps_down(index),
            None => false,
        }
    }

    /// A primary is one no more.
    pub(super) fn steps_down(&mut self, index: usize) -> bool {
        let has_data = self.content(&self.members[index]).is_some();
        let member = &mut self.members[index];
        if !matches!(member.phase, Phase::Primary | Phase::Promoting(_) | Phase::Bootstrapping(_)) {
            return false;
        }
        member.phase = if has_data { Phase::Replica } else { Phase::Empty };
        member.looks_at = None;
        member.killed_at = None;
        true
    }

    /// Primaries that have lost the lease learn it at their next try to renew it that gets through.
    fn demote(&mut self, spec: LeaseSpec, world: &World) -> bool {
        let now = world.now();
        let tick = self.tick_after(spec.retry, now, world);
        let mut acted = false;
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let process = member.process;
            let lost = member.phase == Phase::Primary && !self.lease.is_held_by(process.life);
            if !lost || process.hung || !world.links.reaches_control_plane(process.node) {
                member.looks_at = None;
                continue;
            }
            match member.looks_at {
                Some(time) if time <= now => acted |= self.steps_down(index),
                Some(_) => {}
                None => member.looks_at = Some(tick),
            }
        }
        acted
    }

    /// Liveness probes that ask whether the instance is alone begin to fail, or no longer do.
    fn isolate(&mut self, spec: LeaseSpec, world: &World) {
        let Fencing::Isolation { period, threshold } = spec.fencing else { return };
        let now = world.now();
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let node = member.process.node;
            let meets = |other: &Member| {
                other.process.life.pod != member.process.life.pod
                    && world.links.nodes_reach(node, other.process.node)
            };
            let alone = member.phase == Phase::Primary
                && !member.process.stopping
                && !world.links.reaches_control_plane(node)
                && !self.members.iter().any(meets);
            let fails_at = match (alone, member.killed_at) {
                (false, _) => None,
                (true, Some(time)) => Some(time),
                (true, None) => {
                    let key = LOOP << 1 | self.key << 32 | u64::from(node.as_u32());
                    let first = world.next_tick(period, key, member.process.life.uid.0, now);
                    Some(first + period.times(u64::from(threshold.saturating_sub(1))))
                }
            };
            self.members[index].killed_at = fails_at;
        }
    }

    /// The instances whose liveness probes have failed often enough now.
    pub(super) fn killed(&mut self, now: Time) -> Vec<Life> {
        let due = |member: &Member| member.killed_at.is_some_and(|time| time <= now);
        let killed =
            self.members.iter().filter(|member| due(member)).map(|member| member.process.life).collect();
        for member in self.members.iter_mut().filter(|member| due(member)) {
            // Until the process really stops it is not asked again.
            member.process.stopping = true;
            member.killed_at = None;
        }
        killed
    }

    /// Somebody takes a lease that is free, at its next try.
    fn elect(&mut self, spec: LeaseSpec, world: &World) -> bool {
        let now = world.now();
        let free_at = self.lease.free_at(spec, now);
        let chosen = if free_at.is_never() { None } else { self.choose(world) };
        let Some(chosen) = chosen else {
            self.lease.elects_at = None;
            return false;
        };
        let at = match self.lease.elects_at {
            Some(at) if at >= free_at || at <= now && free_at <= now => at,
            _ => self.tick_after(spec.retry, free_at.max(now), world),
        };
        self.lease.elects_at = Some(at);
        if at > now {
            return false;
        }
        let life = self.members[chosen].process.life;
        self.outages.mark(free_at.min(now), life, "lease expiry");
        self.outages.mark(now, life, "election");
        self.lease = Lease { holder: Some(life), acquired: now, ..Lease::default() };
        let has_data = self.content(&self.members[chosen]).is_some();
        let takes = self.spec.takes;
        let member = &mut self.members[chosen];
        member.upstream = None;
        member.caught_up = false;
        member.phase = if has_data {
            Phase::Promoting(now + takes.promote)
        } else {
            Phase::Bootstrapping(now + takes.init)
        };
        true
    }

    /// Who would be promoted now. None: nobody may.
    fn choose(&self, world: &World) -> Option<usize> {
        let candidates: Vec<usize> = (0..self.members.len())
            .filter(|index| {
                let member = &self.members[*index];
                let process = &member.process;
                matches!(member.phase, Phase::Replica | Phase::Empty)
                    && !process.hung
                    && !process.stopping
                    && process.disk_works
                    && world.links.reaches_control_plane(process.node)
            })
            .collect();
        let is_warm = |index: &&usize| self.members[**index].warm;
        if self.spec.replication == Replication::Quorum && candidates.len() < self.majority() {
            return None;
        }
        if candidates.iter().any(|index| is_warm(&index)) {
            return candidates.into_iter().max_by_key(|index| self.fitness(*index));
        }
        match self.spec.bootstrap {
            Bootstrap::OrdinalZero => {
                candidates.into_iter().find(|index| self.is_first(&self.members[*index]))
            }
            Bootstrap::IfNoPeer => candidates.iter().copied().find(|index| {
                let known = self.peers_by_name(&self.members[*index], world);
                let fitness = self.fitness(*index);
                let met = candidates.iter().filter(|other| known.contains(&self.members[**other].process.ip));
                met.into_iter().all(|other| self.fitness(*other) <= fitness)
            }),
            Bootstrap::MaxPosition if candidates.len() < self.replicas => None,
            Bootstrap::MaxPosition => candidates.into_iter().max_by_key(|index| self.fitness(*index)),
        }
    }

    /// Orders candidates: data first, the later timeline, the higher position, the lower name.
    pub(super) fn fitness(&self, index: usize) -> (bool, u64, Amount, Reverse<u64>) {
        let member = &self.members[index];
        let content = self.content(member);
        let (epoch, position) = content.map_or((0, Amount::ZERO), |content| self.lineages.rank(content));
        (content.is_some(), epoch, position, Reverse(member.process.name.key()))
    }

    /// When something happens to the lease by itself.
    pub(super) fn lease_wakes(&self) -> Time {
        let held = self.lease.holder.is_some_and(|holder| self.member(holder).is_some());
        let fenced = self.lease.fenced_at.filter(|_| held);
        [self.lease.elects_at, fenced].into_iter().flatten().min().unwrap_or(Time::NEVER)
    }
}
