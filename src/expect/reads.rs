//! What an expression depends on, so that it is looked at only when something of that has changed.
use crate::api::kind::Kind;
use crate::cluster::Cluster;
use crate::event::Process;

/// A set of things an expression reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reads(u32);

impl Reads {
    /// Nothing: its value never changes.
    pub const NOTHING: Reads = Reads(0);
    /// The clock: its value may change whenever time passes.
    pub const TIME: Reads = Reads(1 << 16);
    /// Which containers really run.
    pub const PROCESSES: Reads = Reads(1 << 17);
    /// Where disks are in the cloud.
    pub const DISKS: Reads = Reads(1 << 18);
    /// What CoreDNS answers.
    pub const DNS: Reads = Reads(1 << 19);
    /// Kubernetes Events; they must be kept for that ([`crate::api::events::EventLog::turn_on`]).
    pub const EVENTS: Reads = Reads(1 << 20);
    /// Which named faults are active.
    pub const FAULTS: Reads = Reads(1 << 21);
    /// Databases and their clients.
    pub const DATABASES: Reads = Reads(1 << 22);
    /// Which machines have power.
    pub const MACHINES: Reads = Reads(1 << 23);

    /// Who can talk to whom.
    pub const LINKS: Reads = Reads(1 << 24);

    /// Objects of a kind.
    pub const fn kind(kind: Kind) -> Reads {
        Reads(1 << kind as u32)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Reads) -> Reads {
        Reads(self.0 | other.0)
    }

    /// Whether all of `other` is among it.
    pub const fn has(self, other: Reads) -> bool {
        self.0 & other.0 == other.0
    }

    /// A number that is another one whenever something that is read may have changed: the sum of counters that only
    /// grow.
    pub fn stamp(self, cluster: &Cluster) -> u64 {
        let world = &cluster.world;
        let kinds = Kind::ALL.into_iter().filter(|kind| self.has(Reads::kind(*kind)));
        let objects: u64 =
            if self.0 & KINDS == 0 { 0 } else { kinds.map(|kind| world.store.changes_of(kind)).sum() };
        let others = [
            (Reads::TIME, world.now().as_nanos()),
            (Reads::PROCESSES.and(Reads::MACHINES), cluster.kubelets.changes()),
            (Reads::DISKS, cluster.csi.cloud.changes()),
            (Reads::DNS, world.shown(Process::CoreDns) + u64::from(world.epoch(Process::CoreDns))),
            (Reads::LINKS, world.links.changes()),
            (Reads::EVENTS, world.events.added()),
            // Requests flow all the time: whenever anything happens, or time has passed.
            (Reads::DATABASES, world.handled().wrapping_add(world.now().as_nanos())),
            (Reads::FAULTS, world.faults.changes()),
        ];
        let read = others.into_iter().filter(|(what, _)| self.0 & what.0 != 0);
        read.fold(objects, |stamp, (_, count)| stamp.wrapping_add(count))
    }
}

/// The bits of kinds.
const KINDS: u32 = 0xffff;
