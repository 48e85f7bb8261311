//! What can break an invariant of the world although nobody reasoned wrongly.

/// A licence: opened by one event, for one object, until a closing event. That there was some fault in a run excuses
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Licence {
    /// A pod was removed with grace 0 while its containers ran.
    Forced,
    /// The pod garbage collector removed a pod whose Node object was missing while its machine lived.
    PodGc,
    /// The pod garbage collector removed a pod from a node out of service while its machine lived.
    OutOfService,
    /// A volume was detached while it was mounted: after six minutes, from a node out of service, or by hand.
    ForcedDetach,
    /// A person edited what a controller or the kubelet owns.
    Hand,
    /// A database is configured without fencing, or replicates asynchronously.
    NoFence,
    /// A disk was destroyed, or its claim deleted.
    Disk,
    /// A resolver keeps answers longer than they live.
    Cache,
}

impl Licence {
    /// All of them.
    pub const ALL: [Licence; 8] = [
        Licence::Forced,
        Licence::PodGc,
        Licence::OutOfService,
        Licence::ForcedDetach,
        Licence::Hand,
        Licence::NoFence,
        Licence::Disk,
        Licence::Cache,
    ];

    /// As the reference names it.
    pub fn name(self) -> &'static str {
        match self {
            Licence::Forced => "L-FORCE",
            Licence::PodGc => "L-PODGC",
            Licence::OutOfService => "L-OOS",
            Licence::ForcedDetach => "L-FDETACH",
            Licence::Hand => "L-HAND",
            Licence::NoFence => "L-NOFENCE",
            Licence::Disk => "L-DISK",
            Licence::Cache => "L-CACHE",
        }
    }
}
