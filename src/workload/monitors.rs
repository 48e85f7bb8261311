//! A primary that monitors choose: processes beside the instances that watch it, as Redis Sentinel does.
//!
//! One monitor runs with each instance, and what a majority of them finds is what they know together. When they have not
//! found the primary for `downAfter` they promote the replica that is furthest, and from then on they send everybody
//! they know to the new one. What they remember is the point: an address, which is Sentinel's default, or a name
//! (`resolve-hostnames` and `announce-hostnames`). A pod that comes back has its name and another address (STS-16), so
//! monitors that know addresses neither find a primary that is back nor tell it that there is a new one.
//!
//! An instance that starts asks the monitors for the primary. If nobody answers where they send it, its own configuration
//! decides: the first ordinal is primary, as start scripts of charts have it.
//! Left out: that monitors start anew with their pods and learn of one another, votes, `min-replicas-to-write`, clients
//! that ask monitors, what resolvers of monitors cache.
use crate::api::names::Name;
use crate::api::objects::Ip;
use crate::kernel::Time;
use crate::workload::database::Database;
use crate::workload::member::{Member, Phase};
use crate::workload::names;
use crate::workload::spec::{MonitorSpec, Remember};
use crate::world::World;
use std::collections::BTreeSet;

/// What the monitors know.
#[derive(Clone, Debug, Default)]
pub(super) struct Monitors {
    /// The primary, as it was when they learnt of it.
    primary: Option<(Name, Ip)>,
    /// Addresses at which they know an instance: primaries, and replicas that have followed one.
    known: BTreeSet<Ip>,
    /// Since when they have not found the primary.
    down_since: Option<Time>,
}

impl Monitors {
    /// When they promote another one, if nothing changes.
    pub(super) fn wakes(&self, spec: Option<MonitorSpec>) -> Option<Time> {
        Some(self.down_since? + spec?.down_after)
    }
}

impl Database {
    /// What the monitors do now.
    pub(super) fn monitor_step(&mut self, world: &World) -> bool {
        let Some(spec) = self.spec.monitors() else { return false };
        if self.monitors.primary.is_none() {
            let first = self.members.iter().find(|member| {
                member.acts_as_primary() && member.process.ip != Ip::NONE && self.is_seen(member, world)
            });
            self.monitors.primary = first.map(|member| (member.process.name, member.process.ip));
        }
        if self.monitors.primary.is_none() {
            return false;
        }
        let is_there = |member: &Member| {
            matches!(member.phase, Phase::Primary | Phase::Promoting(_))
                && !member.process.hung
                && self.is_announced(member, world)
                && self.is_seen(member, world)
        };
        match self.members.iter().position(is_there) {
            Some(index) => {
                self.learn(index);
                self.send_others_to_it(spec, world)
            }
            None => self.replace(spec, world),
        }
    }

    /// An instance is the one that the monitors send everybody to.
    pub(super) fn is_announced(&self, member: &Member, world: &World) -> bool {
        let (Some(spec), Some((name, ip))) = (self.spec.monitors(), self.monitors.primary) else {
            return false;
        };
        let process = &member.process;
        match spec.remember {
            Remember::Address => process.ip == ip && ip != Ip::NONE,
            Remember::Name => {
                process.name == name && process.ip != Ip::NONE && {
                    let host = format!("{}.{}", world.store.name_of(name), self.service);
                    names::known(world, &self.spec.namespace, &host, None).contains(&process.ip)
                }
            }
        }
    }

    /// A majority of the monitors reaches an instance.
    fn is_seen(&self, member: &Member, world: &World) -> bool {
        let node = member.process.node;
        let reach = self.members.iter().filter(|other| world.links.nodes_reach(other.process.node, node));
        reach.count() >= self.majority()
    }

    /// The primary is there: its address, and those of its replicas, are known now.
    fn learn(&mut self, index: usize) {
        let process = self.members[index].process;
        let monitors = &mut self.monitors;
        monitors.down_since = None;
        monitors.primary = Some((process.name, process.ip));
        monitors.known.insert(process.ip);
        let follows = |member: &&Member| member.upstream == Some(process.life);
        monitors.known.extend(self.members.iter().filter(follows).map(|member| member.process.ip));
    }

    fn is_known(&self, spec: MonitorSpec, member: &Member) -> bool {
        spec.remember == Remember::Name || self.monitors.known.contains(&member.process.ip)
    }

    /// Other primaries that the monitors know of are told to follow.
    fn send_others_to_it(&mut self, spec: MonitorSpec, world: &World) -> bool {
        let mut acted = false;
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let is_other = member.phase == Phase::Primary && !self.is_announced(member, world);
            if is_other && !member.process.hung && self.is_known(spec, member) && self.is_seen(member, world)
            {
                acted |= self.steps_down(index);
            }
        }
        acted
    }

    /// The primary is not there: after a while another one is promoted.
    fn replace(&mut self, spec: MonitorSpec, world: &World) -> bool {
        let now = world.now();
        let since = *self.monitors.down_since.get_or_insert(now);
        if since + spec.down_after > now {
            return false;
        }
        let able = |index: &usize| {
            let member = &self.members[*index];
            member.phase == Phase::Replica
                && member.serves()
                && !member.process.stopping
                && self.content(member).is_some()
                && self.is_known(spec, member)
                && self.is_seen(member, world)
        };
        let chosen = (0..self.members.len()).filter(able).max_by_key(|index| self.fitness(*index));
        let Some(chosen) = chosen else { return false };
        let process = self.members[chosen].process;
        self.outages.mark(now, process.life, "found down");
        self.monitors.primary = Some((process.name, process.ip));
        self.monitors.down_since = None;
        let promote = self.spec.takes.promote;
        let member = &mut self.members[chosen];
        member.upstream = None;
        member.caught_up = false;
        member.phase = Phase::Promoting(now + promote);
        true
    }

    /// An instance that has just started finds out whether it is primary by its configuration: if nobody answers where
    /// the monitors send it, or that is itself. One that has followed somebody in this life is told.
    pub(super) fn is_primary_by_configuration(&self, member: &Member, world: &World) -> bool {
        if self.spec.monitors().is_none() {
            return true;
        }
        let node = member.process.node;
        let answers = |other: &Member| {
            other.process.life != member.process.life
                && matches!(other.phase, Phase::Primary | Phase::Promoting(_))
                && !other.process.hung
                && self.is_announced(other, world)
                && world.links.nodes_reach(node, other.process.node)
        };
        !member.warm && !self.members.iter().any(answers)
    }
}
