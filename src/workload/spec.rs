//! What a scenario says about a database and its clients: values, checked when they are read.
use crate::kernel::Duration;
use crate::workload::amount::Flow;

/// A replicated database on a StatefulSet or Deployment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatabaseSpec {
    /// What reports and expressions call it.
    pub name: String,
    /// It runs on a StatefulSet; else on a Deployment.
    pub on_stateful_set: bool,
    /// Name of that.
    pub owner: String,
    /// Its namespace; names are resolved in it.
    pub namespace: String,
    /// When a write is acknowledged.
    pub replication: Replication,
    /// Who may be primary.
    pub primary: Primary,
    /// What happens if nobody knows a primary: who begins.
    pub bootstrap: Bootstrap,
    /// An asynchronous replica is behind by this much.
    pub lag: Duration,
    /// A replica that has been away catches up at this rate.
    pub catch_up: Flow,
    /// How long a copy of a whole volume takes.
    pub clone: Duration,
    /// How long other things take.
    pub takes: Takes,
    /// Its clients, writers first.
    pub clients: Vec<ClientSpec>,
}

/// How long things inside an instance take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Takes {
    /// From the start of the process until the data can be read: crash recovery.
    pub start: Duration,
    /// Initialising an empty volume.
    pub init: Duration,
    /// From the decision until a replica accepts writes.
    pub promote: Duration,
    /// Going back to the fork point of the primary's timeline.
    pub rewind: Duration,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replication {
    /// When the primary has it.
    Async,
    /// When at least one replica has it too.
    Sync,
    /// When a majority of all instances has it.
    Quorum,
}

impl Replication {
    /// All, as scenarios write them.
    pub const ALL: [(&'static str, Replication); 3] =
        [("async", Replication::Async), ("sync", Replication::Sync), ("quorum", Replication::Quorum)];

    /// As scenarios write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Replication::Async => "async",
            Replication::Sync => "sync",
            Replication::Quorum => "quorum",
        }
    }
}

/// Who may be primary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Primary {
    /// The pod with ordinal 0, always.
    OrdinalZero,
    /// Whoever holds a lease in the API server.
    Lease(LeaseSpec),
    /// The pod with ordinal 0 at first, and then whom the monitors beside the instances promote.
    Monitors(MonitorSpec),
}

/// Processes that watch the primary and replace it, as Redis Sentinel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MonitorSpec {
    /// They replace a primary that they have not found for this long.
    pub down_after: Duration,
    /// What they know instances by.
    pub remember: Remember,
}

/// What monitors know instances by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remember {
    /// The address at which they met it.
    Address,
    /// Its DNS name.
    Name,
}

impl Remember {
    /// All, as scenarios write them.
    pub const ALL: [(&'static str, Remember); 2] = [("address", Remember::Address), ("name", Remember::Name)];
}

/// A lease as client-go's leader election has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseSpec {
    /// Others may take it this long after its last renewal.
    pub duration: Duration,
    /// With fencing by lease, the holder gives up this long after its last renewal.
    pub renew: Duration,
    /// Everybody tries to renew or take it this often.
    pub retry: Duration,
    /// What keeps a holder that is cut off from accepting writes.
    pub fencing: Fencing,
}

/// What keeps a primary that is no longer primary from accepting writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fencing {
    /// Nothing: it learns it when it reaches the API server again.
    None,
    /// It stops when it could not renew its lease in time.
    Lease,
    /// A liveness probe fails when it reaches neither the API server nor another instance; then its container is
    /// stopped and started again.
    Isolation {
        /// periodSeconds of the probe.
        period: Duration,
        /// failureThreshold.
        threshold: u32,
    },
}

/// Who begins if no instance has met a primary since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bootstrap {
    /// Ordinal 0, with whatever it has.
    OrdinalZero,
    /// The first that finds no other by DNS.
    IfNoPeer,
    /// When all are there, the one with the highest position.
    MaxPosition,
}

impl Bootstrap {
    /// All, as scenarios write them.
    pub const ALL: [(&'static str, Bootstrap); 3] = [
        ("ordinal-0", Bootstrap::OrdinalZero),
        ("if-no-peer", Bootstrap::IfNoPeer),
        ("max-position", Bootstrap::MaxPosition),
    ];
}

/// A group of clients that behave alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSpec {
    /// What the report calls it.
    pub name: String,
    /// It writes; else it reads.
    pub writes: bool,
    /// Requests of all of them together.
    pub rate: Flow,
    /// The names they connect to; of several, each address is tried.
    pub via: Vec<String>,
    /// Where they run.
    pub from: From,
    /// How long they keep what DNS said.
    pub cache: CacheTime,
    /// They try again this long after a failure.
    pub retry: Duration,
    /// A connection whose other end is silent is given up after this.
    pub timeout: Duration,
}

/// Where clients run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum From {
    /// Outside of the cluster.
    Outside,
    /// On this node.
    Node(String),
}

/// How long a client keeps an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheTime {
    /// It asks for each connection.
    None,
    /// This long.
    For(Duration),
    /// As long as it lives.
    Forever,
}

impl DatabaseSpec {
    /// The lease, if there is one.
    pub fn lease(&self) -> Option<LeaseSpec> {
        match self.primary {
            Primary::OrdinalZero | Primary::Monitors(_) => None,
            Primary::Lease(lease) => Some(lease),
        }
    }

    /// The monitors, if there are any.
    pub fn monitors(&self) -> Option<MonitorSpec> {
        match self.primary {
            Primary::OrdinalZero | Primary::Lease(_) => None,
            Primary::Monitors(monitors) => Some(monitors),
        }
    }

    /// One line: what kind of database it is.
    pub fn describe(&self) -> String {
        let kind = if self.on_stateful_set { "statefulset" } else { "deployment" };
        let primary = match self.primary {
            Primary::OrdinalZero => "primary ordinal-0".to_owned(),
            Primary::Monitors(MonitorSpec { down_after, remember }) => {
                let what = if remember == Remember::Address { "addresses" } else { "names" };
                format!("primary by monitors (down after {down_after}) that remember {what}")
            }
            Primary::Lease(lease) => {
                let fencing = match lease.fencing {
                    Fencing::None => "no fencing".to_owned(),
                    Fencing::Lease => format!("fencing by lease ({})", lease.renew),
                    Fencing::Isolation { period, threshold } => {
                        format!("isolation check ({threshold} x {period})")
                    }
                };
                format!("primary by lease ({}), {fencing}", lease.duration)
            }
        };
        format!("{kind}/{}, {} replication, {primary}", self.owner, self.replication.as_str())
    }
}
