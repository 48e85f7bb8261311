//! Judgements of databases: what volumes keep, who accepts writes, what acknowledged means (INV-45, INV-86 to INV-88).
use crate::invariants::Judge;
use crate::invariants::licence::Licence;
use crate::storage::Csi;
use crate::workload::Databases;
use crate::workload::audit::Ledger;
use crate::workload::database::Database;
use crate::workload::lineage::Content;
use crate::workload::sight::Storage;
use std::collections::BTreeMap;

/// What has been seen of databases.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By database and volume: what was on a volume that no instance had.
    resting: BTreeMap<(usize, Storage), Content>,
    /// By database: what was on record at the last look.
    ledgers: BTreeMap<usize, Ledger>,
}

/// Judges all databases as they are now.
pub(super) fn judge(judge: &mut Judge<'_>, databases: &Databases, csi: &Csi) {
    for (number, database) in databases.iter().enumerate() {
        volumes(judge, number, database);
        let now = database.ledger();
        let before = judge.checker.databases.ledgers.insert(number, now).unwrap_or(now);
        disks(judge, database, before, now);
        epochs(judge, database, now);
        promises(judge, database);
        loss(judge, database, before, now);
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

/// INV-45: a volume that is destroyed is read by nobody any more (L-DISK).
fn disks(judge: &mut Judge<'_>, database: &Database, before: Ledger, now: Ledger) {
    if now.volumes_lost > before.volumes_lost {
        let name = &database.spec.name;
        judge.broken_by(
            45,
            Licence::Disk,
            format!("{name}: {} of its volumes are destroyed", now.volumes_lost),
        );
    }
}

/// INV-86: an epoch has one writer, and there is one at a time; without fencing there may be more (L-NOFENCE).
fn epochs(judge: &mut Judge<'_>, database: &Database, now: Ledger) {
    let name = &database.spec.name;
    if !database.is_fenced() {
        if now.accepting > 1 {
            judge.broken_by(
                86,
                Licence::NoFence,
                format!("{name}: {} instances accept writes", now.accepting),
            );
        }
        return;
    }
    if database.epochs() == 0 {
        return;
    }
    let shared = database.shared_epoch();
    judge
        .holds(86, shared.is_none(), || format!("{name}: two instances accepted writes in epoch {shared:?}"));
    let primaries = now.accepting;
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

/// INV-87 without a promise: what asynchronous replication loses at once is at most the lag that was reported, and what
/// has been acknowledged since that report. More is lost only with the disks (L-DISK), if nobody streamed, or if two
/// accept writes (L-NOFENCE).
fn loss(judge: &mut Judge<'_>, database: &Database, before: Ledger, now: Ledger) {
    let name = &database.spec.name;
    let lost = now.lost.saturating_sub(before.lost);
    if database.lost_with_disks() {
        let message = format!("{name}: an acknowledged write was lost with {} volumes", now.disks_lost);
        judge.broken_by(87, Licence::Disk, message);
    }
    if !database.is_async() || now.acknowledged == 0 {
        return;
    }
    // Each of the figures is rounded down.
    let bound = before.lag + now.acknowledged.saturating_sub(before.acknowledged) + 2;
    let (over, apart) = (lost > bound, now.accepting > 1);
    if over && now.disks_lost > before.disks_lost {
        judge.broken_by(
            87,
            Licence::Disk,
            format!("{name}: {lost} acknowledged writes were lost with a volume"),
        );
    } else if over && !before.streams {
        let message = format!("{name}: {lost} acknowledged writes are lost, nobody streamed");
        judge.broken_by(87, Licence::NoFence, message);
    } else {
        if apart && lost > 0 {
            let message = format!("{name}: two instances accept writes, those of one are lost");
            judge.broken_by(87, Licence::NoFence, message);
        }
        judge.holds(87, !over, || {
            format!("{name}: {lost} acknowledged writes are lost at once, the reported lag allows {bound}")
        });
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

#[cfg(test)]
mod tests {
    use crate::invariants::licence::Licence;
    use crate::kernel::Time;
    use crate::run::{Blind, Play};
    use crate::scenario::Scenario;
    use crate::scenario::read::{Loader, read};
    use crate::trace::record::Recorder;
    use crate::workload::audit::Bug;

    const MANIFESTS: &str = include_str!("../../scenarios/database/postgres.yml");

    struct Shipped;
    impl Loader for Shipped {
        fn load(&mut self, relative: &str) -> Result<(String, Vec<u8>), String> {
            Ok((relative.to_owned(), MANIFESTS.as_bytes().to_vec()))
        }
    }

    /// The shipped database with fencing, and this; after eight minutes something happens.
    fn shipped(options: &str, step: &str) -> Scenario {
        let text = format!(
            "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {{name: judged}}\nspec:\n  manifests: [p]\n  \
            databases:\n  - {{name: pg, on: statefulset/postgres, primary: lease, {options}, \
            writes: {{rate: 10/s, via: postgres-headless}}}}\n  until: 20m\n  steps:\n  - at: 8m\n    {step}\n"
        );
        read("s.yaml", text.as_bytes(), &mut Shipped).unwrap_or_else(|wrong| panic!("{}", wrong.render()))
    }

    /// With a quorum; the machine of the primary dies.
    fn scenario() -> Scenario {
        shipped("replication: quorum", "crash: node-of(primary-of(pg))")
    }

    /// Invariants broken by a licence, in order, and whether that fails the run.
    fn breaches(options: &str, step: &str) -> (Vec<(u8, Licence)>, bool) {
        let scenario = shipped(options, step);
        let mut play = Play::new(&scenario, 0, Recorder::off()).expect("a cluster");
        let outcome = play.play(&mut Blind);
        assert!(outcome.findings.is_empty(), "{options} {:?}", outcome.findings);
        assert!(play.cluster.checker.judged(87) > 0 || !options.contains("lease"), "{options}: never judged");
        let all = play.cluster.checker.breaches().iter().map(|breach| (breach.invariant, breach.licence));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all.dedup();
        (all, !outcome.breaches.is_empty())
    }

    #[test]
    fn licences_cover_what_is_configured() {
        let cut = "{partition: node-of(primary-of(pg)), from: [control-plane, peers], for: 2m}";
        let cut = cut.trim_matches(['{', '}']).replace(", from", "\n    from").replace(", for", "\n    for");
        let crash = "crash: node-of(primary-of(pg))";
        let one = "lose: volume/data-postgres-0";
        for (options, step, expected) in [
            ("fencing: lease, replication: async", cut.as_str(), vec![]),
            ("fencing: lease, replication: async", crash, vec![]),
            (
                "fencing: none, replication: async",
                cut.as_str(),
                vec![(86, Licence::NoFence), (87, Licence::NoFence)],
            ),
            ("fencing: none, replication: quorum", cut.as_str(), vec![]),
            ("fencing: lease, replication: quorum", one, vec![(45, Licence::Disk)]),
            (
                "fencing: lease, replication: quorum",
                "lose: volume/data-postgres-*",
                vec![(45, Licence::Disk), (87, Licence::Disk)],
            ),
            (
                "fencing: lease, replication: async",
                "lose: volume/data-postgres-*",
                vec![(45, Licence::Disk), (87, Licence::Disk)],
            ),
        ] {
            assert_eq!(breaches(options, step), (expected, false), "{options} {step}");
        }
    }

    #[test]
    fn an_asynchronous_failover_loses_what_was_reported() {
        let scenario = shipped("replication: async", "crash: node-of(primary-of(pg))");
        let mut play = Play::new(&scenario, 0, Recorder::off()).expect("a cluster");
        let before = play.play_until(Time::from_secs(600), &mut Blind);
        assert!(before.findings.is_empty(), "{:?}", before.findings);
        let cluster = &mut play.cluster;
        let database = cluster.databases.get_mut("pg").expect("a database");
        assert!(database.plant(Bug::PromotesTheLast), "no place");
        let mut checker = cluster.checker.clone();
        checker.look(&mut cluster.world, &cluster.kubelets, &cluster.csi, &cluster.databases);
        let found: Vec<u8> = checker.findings().iter().map(|finding| finding.invariant).collect();
        assert!(found.contains(&87), "{found:?}");
    }

    #[test]
    fn a_quorum_that_is_fenced_holds() {
        let scenario = scenario();
        let mut play = Play::new(&scenario, 0, Recorder::off()).expect("a cluster");
        let outcome = play.play(&mut Blind);
        assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        let facts = play.cluster.databases.facts("pg", &play.cluster.world).expect("a database");
        assert!(facts.acknowledged > 5_000 && facts.lost_writes == 0, "{facts:?}");
        for invariant in [45, 86, 87, 88] {
            assert!(play.cluster.checker.judged(invariant) > 0, "INV-{invariant} was never judged");
        }
    }

    #[test]
    fn planted_bugs_are_found() {
        for (bug, invariant) in
            [(Bug::Forgets, 45), (Bug::SharedEpoch, 86), (Bug::LosesCopies, 87), (Bug::WrongMachine, 88)]
        {
            let scenario = scenario();
            let mut play = Play::new(&scenario, 0, Recorder::off()).expect("a cluster");
            // A while after the crash: a volume lies there that nobody has.
            let before = play.play_until(Time::from_secs(600), &mut Blind);
            assert!(before.findings.is_empty(), "{bug:?} {:?}", before.findings);
            let cluster = &mut play.cluster;
            let database = cluster.databases.get_mut("pg").expect("a database");
            assert!(database.plant(bug), "{bug:?} has no place");
            let mut checker = cluster.checker.clone();
            checker.look(&mut cluster.world, &cluster.kubelets, &cluster.csi, &cluster.databases);
            let found: Vec<u8> = checker.findings().iter().map(|finding| finding.invariant).collect();
            assert!(found.contains(&invariant), "{bug:?}: {found:?}");
        }
    }
}
