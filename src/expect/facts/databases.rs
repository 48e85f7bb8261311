//! Databases and their clients: what has come of the requests so far.
use super::{Field, Get};
use crate::expect::types::Ty;

/// A database of the scenario.
pub(super) const DATABASE: &[Field] = &[
    Field::new(
        "writable",
        Ty::BOOL,
        Get::Database(|db| db.writable.into()),
        "a writer gets through; without writers: an instance accepts writes",
    ),
    Field::new(
        "primary",
        Ty::TEXT,
        Get::Database(|db| db.primary.into()),
        "pod of the rightful primary if it accepts writes, else of any that does; empty: none",
    ),
    Field::new("primaries", Ty::INT, Get::Database(|db| db.primaries.into()), "instances that accept writes"),
    Field::new(
        "acknowledged",
        Ty::INT,
        Get::Database(|db| db.acknowledged.into()),
        "writes acknowledged to clients",
    ),
    Field::new(
        "lostWrites",
        Ty::INT,
        Get::Database(|db| db.lost_writes.into()),
        "acknowledged writes that the surviving line does not have",
    ),
    Field::new("failedWrites", Ty::INT, Get::Database(|db| db.failed_writes.into()), "writes that failed"),
    Field::new("failedReads", Ty::INT, Get::Database(|db| db.failed_reads.into()), "reads that failed"),
    Field::new(
        "staleReads",
        Ty::INT,
        Get::Database(|db| db.stale_reads.into()),
        "reads answered by a replica that is behind or by a deposed primary",
    ),
    Field::new(
        "downtime",
        Ty::DURATION,
        Get::Database(|db| db.downtime.into()),
        "how long no writer got through, since one first did",
    ),
    Field::new(
        "withoutPrimary",
        Ty::DURATION,
        Get::Database(|db| db.without_primary.into()),
        "how long no instance accepted writes, since a writer first got through",
    ),
    Field::new(
        "splitBrain",
        Ty::DURATION,
        Get::Database(|db| db.split_brain.into()),
        "how long more than one instance accepted writes",
    ),
    Field::new(
        "lag",
        Ty::INT,
        Get::Database(|db| db.lag.into()),
        "by how many writes the running replica that is furthest behind is behind",
    ),
    Field::new(
        "recovery",
        Ty::DURATION,
        Get::Database(|db| db.recovery.into()),
        "how long the last outage took that is over",
    ),
];
