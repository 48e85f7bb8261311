//! Databases on a bench, with figures computed by hand; and what holds whatever happens.
use super::bench::{Bench, lease, spec};
use crate::kernel::Duration;
use crate::workload::amount::Amount;
use crate::workload::sight::Storage;
use crate::workload::spec::{Bootstrap, Fencing, MonitorSpec, Primary, Remember, Replication};
use proptest::prelude::*;

/// Three instances that run and stream, with a primary that has taken writes for a while.
fn steady(replication: Replication, primary: Primary) -> Bench {
    let mut bench = Bench::new(spec(replication, primary));
    (0..3).for_each(|n| bench.start(n));
    bench.secs(60);
    let facts = bench.facts();
    assert!(facts.writable && facts.primary == "web-0", "{facts:?}");
    bench
}

#[test]
fn rates_become_writes() {
    let mut bench = Bench::new(spec(Replication::Async, Primary::OrdinalZero));
    (0..3).for_each(|n| bench.start(n));
    // One second to start, three to initialise; 96 seconds of 100 writes are left of 100.
    bench.secs(100);
    let facts = bench.facts();
    assert_eq!((facts.acknowledged, facts.failed_writes, facts.lost_writes), (9_600, 0, 0));
    // The others have copied the volume for 30 seconds and follow 100 ms behind.
    assert_eq!(facts.lag, 10);
}

#[test]
fn a_fixed_primary_comes_back_with_everything() {
    let mut bench = steady(Replication::Async, Primary::OrdinalZero);
    let before = bench.facts().acknowledged;
    bench.crash(0);
    bench.secs(30);
    assert_eq!(bench.facts().acknowledged, before);
    bench.start(0);
    bench.secs(30);
    let facts = bench.facts();
    // Out for 30 s, and one to start; clients retry on a grid of a second that began ten seconds (timeout) after the crash.
    assert_eq!((facts.lost_writes, facts.without_primary.as_secs()), (0, 31));
    assert_eq!((facts.downtime.as_secs(), facts.failed_writes), (31, 3_100));
    assert_eq!(facts.acknowledged, before + 2_900);
}

#[test]
fn what_fencing_costs_and_saves() {
    // Fencing and replication; then: are there two primaries, is anything lost.
    let isolation = Fencing::Isolation { period: Duration::from_secs(10), threshold: 3 };
    let table = [
        (Replication::Async, Fencing::None, true, true),
        (Replication::Async, isolation, true, true),
        (Replication::Async, Fencing::Lease, false, true),
        (Replication::Sync, Fencing::None, false, false),
        (Replication::Quorum, Fencing::None, false, false),
        (Replication::Quorum, Fencing::Lease, false, false),
    ];
    let mut lost = Vec::new();
    for (replication, fencing, two, loses) in table {
        let mut bench = steady(replication, lease(fencing));
        bench.cut(0);
        bench.secs(120);
        let facts = bench.facts();
        assert_eq!(facts.primary, "web-1", "{replication:?} {fencing:?}");
        bench.heal(0);
        bench.secs(60);
        let facts = bench.facts();
        assert_eq!(facts.split_brain > Duration::ZERO, two, "{replication:?} {fencing:?} {facts:?}");
        assert_eq!(facts.lost_writes > 0, loses, "{replication:?} {fencing:?} {facts:?}");
        assert!(facts.writable && facts.primaries == 1 && facts.lag <= 10, "{facts:?}");
        lost.push(facts.lost_writes);
    }
    assert!(lost[0] > lost[1] && lost[1] > lost[2], "each policy loses less than the one before: {lost:?}");
    // Without fencing everything is lost that was written in the 120 s of the cut, and on to the next try after it.
    assert!((12_000..=12_210).contains(&lost[0]), "{lost:?}");
    // A holder gives up 10 s after its last renewal, which was 0 to 2 s before the cut; plus 100 ms of lag.
    assert!((800..=1_010).contains(&lost[2]), "{lost:?}");
}

/// Three instances whose primary is watched by monitors, on their way for a minute.
fn monitored(remember: Remember) -> Bench {
    let down_after = Duration::from_secs(30);
    let mut spec = spec(Replication::Async, Primary::Monitors(MonitorSpec { down_after, remember }));
    spec.bootstrap = Bootstrap::OrdinalZero;
    let mut bench = Bench::new(spec);
    (0..3).for_each(|n| bench.start(n));
    bench.secs(60);
    assert!(bench.facts().writable && bench.facts().primary == "web-0");
    bench
}

#[test]
fn monitors_replace_what_they_do_not_find() {
    // What they remember, for how many seconds the primary is away, its address afterwards; then how many primaries
    // there are, who was the last to become one, and whether the clients of another one write for nothing.
    let table = [
        (Remember::Address, 10, 7, 2, "web-1", true),
        (Remember::Address, 10, 1, 1, "web-0", false),
        (Remember::Address, 60, 7, 1, "web-1", false),
        (Remember::Name, 10, 7, 1, "web-0", false),
        (Remember::Name, 60, 7, 1, "web-1", false),
    ];
    for (remember, away, address, primaries, primary, loses) in table {
        let case = format!("{remember:?} {away} {address}");
        let mut bench = monitored(remember);
        bench.crash(0);
        bench.secs(away);
        bench.start_at(0, address);
        bench.secs(120);
        let facts = bench.facts();
        assert_eq!((facts.primaries, facts.primary.as_str()), (primaries, primary), "{case} {facts:?}");
        assert_eq!(facts.split_brain > Duration::from_secs(60), primaries == 2, "{case} {facts:?}");
        assert_eq!(facts.lost_writes > 5_000, loses, "{case} {facts:?}");
    }
}

#[test]
fn monitors_dismiss_a_primary_that_they_know() {
    for remember in [Remember::Address, Remember::Name] {
        let mut bench = monitored(remember);
        bench.cut(0);
        bench.secs(100);
        let facts = bench.facts();
        assert_eq!((facts.primaries, facts.primary.as_str()), (2, "web-1"), "{remember:?} {facts:?}");
        bench.heal(0);
        bench.secs(30);
        let facts = bench.facts();
        assert_eq!((facts.primaries, facts.primary.as_str()), (1, "web-1"), "{remember:?} {facts:?}");
        // Two of three are needed to replace one.
        bench.crash(1);
        bench.crash(2);
        bench.secs(100);
        assert_eq!(bench.facts().primaries, 0, "{remember:?}");
    }
}

#[test]
fn who_begins_after_a_power_cut() {
    for (bootstrap, loses) in [(Bootstrap::OrdinalZero, true), (Bootstrap::MaxPosition, false)] {
        let mut spec = spec(Replication::Async, lease(Fencing::Lease));
        spec.bootstrap = bootstrap;
        let mut bench = Bench::new(spec);
        (0..3).for_each(|n| bench.start(n));
        bench.secs(60);
        bench.crash(0);
        bench.secs(60);
        let at_the_top = bench.facts().acknowledged;
        assert_eq!(bench.facts().primary, "web-1");
        (1..3).for_each(|n| bench.crash(n));
        bench.secs(60);
        (0..3).for_each(|n| bench.start(n));
        bench.secs(30);
        let facts = bench.facts();
        let since = at_the_top - bench.database.lineages.acknowledged_on(first_line(&bench)).requests();
        assert_eq!(facts.lost_writes >= since, loses, "{bootstrap:?} {facts:?}, {since} since");
        // An asynchronous failover before that has cost the lag.
        assert_eq!(facts.lost_writes <= 10, !loses, "{bootstrap:?} {facts:?}");
    }
}

/// The end of the first line, whatever has become of it.
fn first_line(bench: &Bench) -> crate::workload::lineage::Content {
    let content = bench.database.disks[&Storage::Disk(1)];
    let mut line = content;
    while let Some(earlier) = bench.database.lineages.parent(line.timeline) {
        line = earlier;
    }
    line
}

#[test]
fn an_empty_volume_is_copied_or_a_trap() {
    // Ordinal 0 has lost its disk. What it does then, and what is left of 40 s of writes.
    for (bootstrap, survives) in
        [(Bootstrap::OrdinalZero, false), (Bootstrap::IfNoPeer, true), (Bootstrap::MaxPosition, true)]
    {
        let mut spec = spec(Replication::Async, Primary::OrdinalZero);
        spec.bootstrap = bootstrap;
        let mut bench = Bench::new(spec);
        (0..3).for_each(|n| bench.start(n));
        bench.secs(60);
        let before = bench.facts().acknowledged;
        bench.lose(0);
        bench.secs(10);
        bench.start(0);
        bench.secs(60);
        let facts = bench.facts();
        assert!(facts.writable, "{bootstrap:?} {facts:?}");
        let lost = if survives { 10 } else { before };
        assert_eq!(facts.lost_writes, lost, "{bootstrap:?}");
    }
}

#[test]
fn a_name_that_is_not_published_leads_nowhere() {
    let mut bench = steady(Replication::Async, Primary::OrdinalZero);
    bench.crash(0);
    bench.secs(20);
    bench.unready(0);
    bench.secs(1);
    bench.start(0);
    bench.secs(20);
    let facts = bench.facts();
    assert!(facts.primaries == 1 && !facts.writable, "it accepts writes, and nobody finds it: {facts:?}");
}

/// Something that happens to a cluster, to one of the three.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Crash(usize),
    Start(usize),
    Cut(usize),
    Heal(usize),
}

fn blows() -> impl Strategy<Value = Vec<(Blow, u64)>> {
    let which = 0..3usize;
    let blow = prop_oneof![
        which.clone().prop_map(Blow::Crash),
        which.clone().prop_map(Blow::Start),
        which.clone().prop_map(Blow::Cut),
        which.prop_map(Blow::Heal),
    ];
    proptest::collection::vec((blow, 1..40u64), 1..12)
}

fn play(replication: Replication, primary: Primary, blows: &[(Blow, u64)]) -> Bench {
    let mut bench = steady(replication, primary);
    for (blow, secs) in blows {
        match *blow {
            Blow::Crash(n) => bench.crash(n),
            Blow::Start(n) if bench.sight.processes.iter().all(|p| p.node != Bench::node(n)) => {
                bench.start(n)
            }
            Blow::Start(_) => {}
            Blow::Cut(n) => bench.cut(n),
            Blow::Heal(n) => bench.heal(n),
        }
        bench.secs(*secs);
    }
    bench
}

/// What survives of what was acknowledged, counted on the surviving line itself.
fn surviving(bench: &Bench) -> Amount {
    bench.database.surviving().map_or(Amount::ZERO, |content| bench.database.lineages.kept_by(content))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every write that a client was told of is on the surviving line or lost, to the last part of one; every request
    /// is acknowledged or failed; the same blows have the same consequences.
    #[test]
    fn nothing_is_created_or_forgotten(blows in blows(), policy in 0..6usize) {
        let policies = [
            (Replication::Async, Primary::OrdinalZero),
            (Replication::Async, lease(Fencing::None)),
            (Replication::Async, lease(Fencing::Lease)),
            (Replication::Sync, lease(Fencing::Lease)),
            (Replication::Quorum, lease(Fencing::None)),
            (Replication::Quorum, lease(Fencing::Lease)),
        ];
        let (replication, primary) = policies[policy];
        let bench = play(replication, primary, &blows);
        let database = &bench.database;
        let told = database.clients[0].requests;
        let lost: Amount = database.lost().into_iter().sum();
        prop_assert_eq!(told.good, database.lineages.acknowledged());
        prop_assert_eq!(told.good, surviving(&bench) + lost);
        let offered = told.good + told.failed;
        prop_assert!(offered.requests() <= bench.now().as_nanos() / 10_000_000, "no more than 100/s");
        if replication == Replication::Quorum {
            prop_assert_eq!(lost, Amount::ZERO, "disks survive, so a majority always knows");
        }
        if primary == lease(Fencing::Lease) {
            prop_assert_eq!(bench.facts().split_brain, Duration::ZERO);
            prop_assert_eq!(database.shared_epoch(), None);
        }
        let again = play(replication, primary, &blows);
        prop_assert_eq!(again.facts(), bench.facts());
    }

    /// With everything whole again there is a primary, writes are acknowledged and replicas catch up (INV-123).
    #[test]
    fn it_comes_back(blows in blows(), quorum in any::<bool>()) {
        let replication = if quorum { Replication::Quorum } else { Replication::Async };
        let mut bench = play(replication, lease(Fencing::Lease), &blows);
        for n in 0..3 {
            bench.heal(n);
            if bench.sight.processes.iter().all(|process| process.node != Bench::node(n)) {
                bench.start(n);
            }
        }
        bench.secs(120);
        let facts = bench.facts();
        prop_assert!(facts.writable && facts.primaries == 1 && facts.lag <= 10, "{:?}", facts);
    }
}
