//! Judgements of databases: what volumes keep, who accepts writes, what acknowledged means (INV-45, INV-86 to INV-88).
use crate::invariants::Judge;
use crate::storage::Csi;
use crate::workload::Databases;
use crate::workload::database::Database;
use crate::workload::lineage::Content;
use crate::workload::sight::Storage;
use std::collections::BTreeMap;

/// What has been seen of databases.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By database and volume: what was on a volume that no instance had.
    resting: BTreeMap<(usize, Storage), Content>,
}

/// Judges all databases as they are now.
pub(super) fn judge(judge: &mut Judge<'_>, databases: &Databases, csi: &Csi) {
    for (number, database) in databases.iter().enumerate() {
        volumes(judge, number, database);
        epochs(judge, database);
        promises(judge, database);
        reach(judge, database, csi);
    }
}

/// INV-45: what lies on a volume that nobody has is what the next one finds. Volumes that are gone are not there to be
/// judged (L-DISK).
fn volumes(judge: &mut Judge<'_>, number: usize, database: &Database) {
    let before = std::mem::take(&mut judge.checker.databases.resting);
    let (own, mut resting): (BTreeMap<_, _>, BTreeMap<_, _>) =
        before.into_iter().partition(|((other, _), _)| *other == number);
    for (storage, content, held) in database.volumes() {
        if let Some(left) = own.get(&(number, storage)) {
            let kept = if held { content.position >= left.position } else { content == *left };
            judge.holds(45, kept, || {
                format!("{}: {storage:?} had {left:?} on it, and now {content:?}", database.spec.name)
            });
        }
        if !held {
            resting.insert((number, storage), content);
        }
    }
    judge.checker.databases.resting = resting;
}

/// INV-86: an epoch has one writer, and there is one at a time.
fn epochs(judge: &mut Judge<'_>, database: &Database) {
    if !database.is_fenced() || database.epochs() == 0 {
        return;
    }
    let shared = database.shared_epoch();
    let name = &database.spec.name;
    judge
        .holds(86, shared.is_none(), || format!("{name}: two instances accepted writes in epoch {shared:?}"));
    let primaries = database.facts(&judge.world.store).primaries;
    judge.holds(86, primaries <= 1, || {
        format!("{name}: {primaries} instances accept writes, although fenced")
    });
}

/// INV-87: what was acknowledged under a rule is where the rule says, and survives what the rule tolerates.
fn promises(judge: &mut Judge<'_>, database: &Database) {
    let name = &database.spec.name;
    if let Some((copies, promised)) = database.copies() {
        judge.holds(87, copies >= promised, || {
            format!("{name}: the last acknowledged write is on {copies} volumes, not on {promised}")
        });
    }
    if let Some(kept) = database.keeps_promise() {
        judge.holds(87, kept, || format!("{name}: a write that a majority had is not on the surviving line"));
    }
}

/// INV-88: who acknowledges a write is reachable, and has its disk.
fn reach(judge: &mut Judge<'_>, database: &Database, csi: &Csi) {
    for (process, reaches) in database.acknowledging(judge.world) {
        let name = judge.world.store.name_of(process.name);
        judge.holds(88, reaches, || format!("{name} acknowledges writes of clients that do not reach it"));
        if let Storage::Disk(disk) = process.storage {
            let has = csi.node_of_disk(disk) == Some(process.node);
            judge.holds(88, has, || format!("{name} acknowledges writes without its disk"));
        }
    }
}
