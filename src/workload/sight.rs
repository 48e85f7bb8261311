//! What a database is told about the world at a moment: which of its processes really run, where, on which disk.
//!
//! This is node and cloud truth, not what the API says: a container that outlived its object is here, a pod that is
//! Ready on a dead machine is not. Who reaches whom is asked of `World::links`.
use crate::api::names::{Name, Uid};
use crate::api::objects::{Ip, Node, Pod, Volume};
use crate::kernel::{Id, Time};

/// A place where bytes stay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Storage {
    /// A disk in the cloud, by number: whichever PersistentVolume stands for it.
    Disk(u32),
    /// A volume that no driver attaches.
    Volume(Id<Volume>),
    /// No claim: what the pod has on its node, lost with the pod.
    Pod(Id<Pod>, Uid),
}

/// One life of a process: a container that restarts is another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Life {
    /// The pod.
    pub pod: Id<Pod>,
    /// Its incarnation.
    pub uid: Uid,
    /// When the container started.
    pub since: Time,
}

/// A database process that really runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// Which.
    pub life: Life,
    /// Name of the pod.
    pub name: Name,
    /// The machine.
    pub node: Id<Node>,
    /// Its address; `Ip::NONE` as long as none has been reported.
    pub ip: Ip,
    /// Where its data is.
    pub storage: Storage,
    /// Its disk answers: attached to this machine, and reachable.
    pub disk_works: bool,
    /// It lives and does nothing (fault `hang`).
    pub hung: bool,
    /// It has been told to stop: it takes no new connections.
    pub stopping: bool,
}

/// Everything a database sees.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Its processes, in order of lives.
    pub processes: Vec<Process>,
    /// Places whose content is gone for good.
    pub lost: Vec<Storage>,
    /// spec.replicas of the owner.
    pub replicas: usize,
    /// The first ordinal of the StatefulSet.
    pub first: u32,
    /// serviceName of the StatefulSet; empty: none.
    pub service: String,
    /// Machines without power, sorted: what ran there says no good-bye.
    pub dark: Vec<Id<Node>>,
}

impl Sight {
    /// The machine is dark.
    pub fn is_dark(&self, node: Id<Node>) -> bool {
        self.dark.binary_search(&node).is_ok()
    }
}
