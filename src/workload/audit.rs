//! What those who judge a database may ask of it: contents of volumes, who accepted writes, what was promised.
use crate::workload::amount::Amount;
use crate::workload::database::Database;
use crate::workload::lineage::Content;
use crate::workload::sight::{Process, Storage};
use crate::workload::spec::{Fencing, Replication};
use crate::world::World;

/// What a database has acknowledged, lost, and reports, at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ledger {
    /// Writes acknowledged so far.
    pub acknowledged: u64,
    /// Those that the surviving line does not have.
    pub lost: u64,
    /// What is reported: how far the instance that is furthest behind is behind.
    pub lag: u64,
    /// How many instances accept writes.
    pub accepting: usize,
    /// Some replica streams from the rightful primary, and has what it can have.
    pub streams: bool,
    /// Places with content that are gone.
    pub disks_lost: u32,
    /// Volumes among them.
    pub volumes_lost: u32,
}

impl Database {
    /// What is on each volume that is not empty, and whether an instance has it.
    pub fn volumes(&self) -> impl Iterator<Item = (Storage, Content, bool)> {
        self.disks.iter().map(|(storage, content)| {
            let held = self.members.iter().any(|member| member.process.storage == *storage);
            (*storage, *content, held)
        })
    }

    /// Something ensures that a primary that is cut off stops before another one begins (else: licence L-NOFENCE).
    pub fn is_fenced(&self) -> bool {
        self.spec.lease().is_some_and(|lease| lease.fencing == Fencing::Lease)
    }

    /// An epoch in which two instances have accepted writes.
    pub fn shared_epoch(&self) -> Option<u64> {
        let pairs = self.accepted.iter().zip(self.accepted.iter().skip(1));
        pairs.filter(|(a, b)| a.0 == b.0).map(|(a, _)| a.0).next()
    }

    /// How many epochs have seen writes.
    pub fn epochs(&self) -> usize {
        self.accepted.len()
    }

    /// With replication that waits for others: how many copies of the last acknowledged write there are on volumes,
    /// and how many there should be, the volumes that were lost (licence L-DISK) taken off.
    pub fn copies(&self) -> Option<(usize, usize)> {
        let (content, promised) = self.promised?;
        let holding = self.disks.values().filter(|disk| self.lineages.holds(**disk, content)).count();
        Some((holding, promised.saturating_sub(self.disks_lost as usize)))
    }

    /// With a quorum: whether the surviving line has the last acknowledged write. None: not promised, or more volumes
    /// were lost than a quorum tolerates.
    pub fn keeps_promise(&self) -> Option<bool> {
        let (content, promised) = self.promised?;
        let tolerated = self.spec.replication == Replication::Quorum && (self.disks_lost as usize) < promised;
        tolerated.then(|| self.surviving().is_some_and(|survivor| self.lineages.holds(survivor, content)))
    }

    /// Replicas are not waited for.
    pub fn is_async(&self) -> bool {
        self.spec.replication == Replication::Async
    }

    /// More volumes were lost than the rule of acknowledgement tolerates, and with them an acknowledged write (L-DISK).
    pub fn lost_with_disks(&self) -> bool {
        let Some((content, promised)) = self.promised else { return false };
        let kept = self.surviving().is_some_and(|survivor| self.lineages.holds(survivor, content));
        !kept && self.disks_lost as usize >= promised
    }

    /// What is on record at this moment.
    pub fn ledger(&self) -> Ledger {
        let requests =
            self.clients.iter().filter(|client| client.spec.writes).map(|client| client.requests.good);
        let streams = |member: &crate::workload::member::Member| {
            let upstream = member.upstream.and_then(|life| self.member(life));
            member.caught_up && upstream.is_some_and(|up| self.authority == Some(up.process.storage))
        };
        Ledger {
            acknowledged: requests.sum::<Amount>().requests(),
            lost: self.lost().into_iter().sum::<Amount>().requests(),
            lag: self.lag().requests(),
            accepting: self.members.iter().filter(|member| self.accepts(member)).count(),
            streams: self.members.iter().any(streams),
            disks_lost: self.disks_lost,
            volumes_lost: self.volumes_lost,
        }
    }

    /// The instances that acknowledge writes now, and whether each group of clients that they acknowledge them to
    /// reaches them.
    pub fn acknowledging(&self, world: &World) -> Vec<(Process, bool)> {
        let accepting = self.members.iter().filter(|member| self.accepts(member));
        let mut all = Vec::new();
        for member in accepting {
            let life = member.process.life;
            for client in self.clients.iter().filter(|client| client.spec.writes && client.open_to(life) > 0)
            {
                all.push((member.process, client.reaches(member.process.node, world)));
            }
        }
        all
    }
}

/// A bug of the simulator, planted to see that it is found.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bug {
    /// A volume that nobody has forgets its last writes.
    Forgets,
    /// Two instances accept writes in one epoch.
    SharedEpoch,
    /// All copies of the last acknowledged write but one are gone.
    LosesCopies,
    /// The instance that has nothing counts as the rightful primary.
    PromotesTheLast,
    /// A primary writes to a disk that is on another machine.
    WrongMachine,
}

#[cfg(test)]
impl Database {
    /// Plants it. False: there is no place for it at the moment.
    pub(crate) fn plant(&mut self, bug: Bug) -> bool {
        use crate::kernel::Id;
        let held: Vec<Storage> = self.members.iter().map(|member| member.process.storage).collect();
        match bug {
            Bug::Forgets => {
                let resting = self.disks.iter_mut().find(|(storage, _)| !held.contains(storage));
                let Some((_, content)) = resting else { return false };
                content.position = content.position - Amount::of(1);
            }
            Bug::SharedEpoch => {
                let Some((epoch, _)) = self.accepted.first().copied() else { return false };
                let Some(member) = self.members.last() else { return false };
                self.accepted.insert((epoch, member.process.life));
            }
            Bug::LosesCopies => {
                let authority = self.authority;
                self.disks.retain(|storage, _| Some(*storage) == authority);
            }
            Bug::PromotesTheLast => {
                let authority = self.authority;
                let Some((storage, content)) =
                    self.disks.iter_mut().find(|(storage, _)| Some(**storage) != authority)
                else {
                    return false;
                };
                content.position = Amount::ZERO;
                self.authority = Some(*storage);
            }
            Bug::WrongMachine => {
                let Some(member) = self.members.iter_mut().find(|member| member.acts_as_primary()) else {
                    return false;
                };
                member.process.node = Id::from_index(member.process.node.index() + 1);
            }
        }
        true
    }
}
