//! Replicas: how they find their primary, when they copy, go back, refuse or stream.
//!
//! A primary with a fixed ordinal is found by its DNS name; the holder of a lease by the lease and then, on a
//! StatefulSet, by the DNS name of that pod; one that monitors chose by what they remember of it. A connection lasts until one end is gone or cannot be reached.
//! Instances look as soon as something has changed; what their own resolvers may cache is left out.
use crate::api::objects::Ip;
use crate::workload::database::Database;
use crate::workload::member::{Member, Phase};
use crate::workload::names;
use crate::workload::sight::Life;
use crate::workload::spec::Remember;
use crate::world::World;

impl Database {
    /// Every instance that is not primary looks for the primary. True if anything changed.
    pub(super) fn follow(&mut self, world: &World) -> bool {
        let mut acted = false;
        for index in 0..self.members.len() {
            let member = &self.members[index];
            if !matches!(member.phase, Phase::Empty | Phase::Replica | Phase::Foreign) {
                continue;
            }
            if member.upstream.is_some() && !self.still_follows(member, world) {
                let member = &mut self.members[index];
                member.upstream = None;
                member.caught_up = false;
                acted = true;
            }
            let member = &self.members[index];
            if member.upstream.is_none()
                && !member.process.hung
                && member.process.disk_works
                && let Some(primary) = self.finds_primary(member, world)
            {
                acted |= self.follows(index, primary, world);
            }
        }
        acted
    }

    fn still_follows(&self, member: &Member, world: &World) -> bool {
        let Some(upstream) = member.upstream.and_then(|life| self.member(life)) else { return false };
        let replaced = self.spec.monitors().is_some() && !self.is_announced(upstream, world);
        let dismissed = self.spec.lease().is_some()
            && !self.lease.is_held_by(upstream.process.life)
            && world.links.reaches_control_plane(member.process.node)
            && self.lease.holder().is_some();
        let lives = |member: &Member| !member.process.hung && member.process.disk_works;
        lives(member)
            && lives(upstream)
            && upstream.phase == Phase::Primary
            && world.links.nodes_reach(member.process.node, upstream.process.node)
            && !dismissed
            && !replaced
    }

    /// The primary that an instance finds now.
    fn finds_primary(&self, member: &Member, world: &World) -> Option<Life> {
        let node = member.process.node;
        let wanted = |other: &&Member| match self.spec.lease() {
            Some(_) => self.lease.is_held_by(other.process.life) && world.links.reaches_control_plane(node),
            None if self.spec.monitors().is_some() => self.is_announced(other, world),
            None => self.is_first(other),
        };
        let mut primaries = self.members.iter().filter(wanted).filter(|other| {
            other.phase == Phase::Primary
                && !other.process.hung
                && !other.process.stopping
                && world.links.nodes_reach(node, other.process.node)
        });
        let by_address = self.spec.monitors().is_some_and(|spec| spec.remember == Remember::Address);
        let by_name = self.service_has_names() && !by_address;
        let found = primaries.find(|other| !by_name || self.resolves(member, other, world));
        found.map(|other| other.process.life)
    }

    fn service_has_names(&self) -> bool {
        self.spec.on_stateful_set && !self.service.is_empty()
    }

    /// DNS has the address of an instance under its name.
    fn resolves(&self, member: &Member, other: &Member, world: &World) -> bool {
        let name = format!("{}.{}", world.store.name_of(other.process.name), self.service);
        let known = names::known(world, &self.spec.namespace, &name, Some(member.process.node));
        other.process.ip != Ip::NONE && known.contains(&other.process.ip)
    }

    fn follows(&mut self, index: usize, primary: Life, world: &World) -> bool {
        let now = world.now();
        let member = &self.members[index];
        let theirs = self.member(primary).and_then(|primary| self.content(primary));
        let Some(theirs) = theirs else { return false };
        let storage = member.process.storage;
        let next = match self.content(member) {
            None => Phase::Cloning(primary, now + self.spec.clone),
            Some(own) if self.lineages.common(own, theirs).is_none() => Phase::Foreign,
            Some(own) if self.lineages.holds(theirs, own) => {
                if let Some(content) = self.disks.get_mut(&storage) {
                    content.timeline = theirs.timeline;
                }
                self.members[index].upstream = Some(primary);
                self.members[index].warm = true;
                let target = self.target(&self.members[index], now);
                self.members[index].caught_up = target.is_some_and(|target| own.position >= target);
                Phase::Replica
            }
            Some(_) => Phase::Rewinding(primary, now + self.spec.takes.rewind),
        };
        let changed = self.members[index].phase != next || next == Phase::Replica;
        self.members[index].phase = next;
        changed
    }
}
