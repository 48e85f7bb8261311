//! What became of databases and their clients: a block at the end of a run, and the same as JSON.
use crate::api::text::escape;
use crate::kernel::Duration;
use crate::kubectl::table::Table;
use crate::report::timeline::clock;
use crate::workload::database::Database;
use crate::workload::outage::Outage;
use crate::workload::{Databases, Facts};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The block that `stsim run` ends with; empty if there is no database.
pub fn text(databases: &Databases, world: &World) -> String {
    let blocks: Vec<String> = databases.iter().map(|database| block(database, world)).collect();
    blocks.join("\n")
}

fn block(database: &Database, world: &World) -> String {
    let store = &world.store;
    let facts = database.facts(store);
    let mut out = format!("Database {} ({})\n", database.spec.name, database.spec.describe());
    let mut table = Table::new(["Clients", "Via", "OK", "Failed", "Stale", "Lost", "Down"]);
    for client in database.clients() {
        let requests = client.requests;
        let lost = if client.writes { client.lost.requests().to_string() } else { "-".to_owned() };
        let stale = if client.writes { "-".to_owned() } else { requests.stale.requests().to_string() };
        table.row([
            client.name,
            client.via,
            requests.good.requests().to_string(),
            requests.failed.requests().to_string(),
            stale,
            lost,
            seconds(requests.down),
        ]);
    }
    out += &table.render(true);
    let primary = match (facts.primaries, facts.primary.as_str()) {
        (0, _) => "no primary".to_owned(),
        (1, name) => format!("primary {name}"),
        (n, name) => format!("{n} PRIMARIES, {name} rightfully"),
    };
    out += &format!(
        "writes acknowledged {}, of them lost {}; failed {}; stale reads {}, failed reads {}\n",
        facts.acknowledged, facts.lost_writes, facts.failed_writes, facts.stale_reads, facts.failed_reads
    );
    out += &format!(
        "no writable primary for {}, two for {}; clients could not write for {}; now {primary}, lag {}\n",
        seconds(facts.without_primary),
        seconds(facts.split_brain),
        seconds(facts.downtime),
        facts.lag,
    );
    for (number, outage) in database.outages().iter().enumerate() {
        out += &told(number + 1, outage, world);
    }
    for instance in database.instances(store) {
        out += &format!("  {instance}\n");
    }
    escape_lines(&out)
}

/// One line for an outage: how long, and what on.
fn told(number: usize, outage: &Outage, world: &World) -> String {
    let from = clock(outage.from);
    let victim = world.store.name_of(outage.victim.name);
    let Some(to) = outage.to else {
        return format!(
            "outage {number}: since {from}, when {victim} could not be written to any more; not over\n"
        );
    };
    let parts: Vec<String> =
        outage.budget.iter().map(|(what, takes)| format!("{what} {}", seconds(*takes))).collect();
    let winner = outage.winner.map_or_else(String::new, |process| world.store.name_of(process.name));
    format!(
        "outage {number}: {from}, {victim} -> {winner}: {} = {}\n",
        seconds(to - outage.from),
        parts.join(" + ")
    )
}

/// Headings of [`row`].
pub const HEADINGS: [&str; 7] = ["ACKNOWLEDGED", "LOST", "FAILED", "STALE", "NO-PRIMARY", "TWO", "DOWN"];

/// What came of a database in one row: for comparing plays.
pub fn row(facts: &Facts) -> [String; 7] {
    [
        facts.acknowledged.to_string(),
        facts.lost_writes.to_string(),
        facts.failed_writes.to_string(),
        facts.stale_reads.to_string(),
        seconds(facts.without_primary),
        seconds(facts.split_brain),
        seconds(facts.downtime),
    ]
}

/// Seconds with three digits.
fn seconds(span: Duration) -> String {
    let millis = span.as_nanos() / 1_000_000;
    format!("{}.{:03}s", millis / 1000, millis % 1000)
}

fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape(line).into_owned() + "\n").collect()
}

/// The same as JSON lines: one object per database.
pub fn json_lines(databases: &Databases, world: &World) -> Vec<String> {
    databases.iter().map(|database| json_of(database, world).to_string()).collect()
}

fn json_of(database: &Database, world: &World) -> Value {
    let facts = database.facts(&world.store);
    let clients: Vec<Value> = database
        .clients()
        .into_iter()
        .map(|client| {
            json!({
                "name": client.name,
                "writes": client.writes,
                "ok": client.requests.good.requests(),
                "failed": client.requests.failed.requests(),
                "stale": client.requests.stale.requests(),
                "lost": client.lost.requests(),
                "down": client.requests.down.as_nanos(),
            })
        })
        .collect();
    let outages: Vec<Value> = database
        .outages()
        .iter()
        .map(|outage| {
            // What comes twice is counted together, so that all of it is the length of the outage.
            let mut budget: BTreeMap<&str, u64> = BTreeMap::new();
            for (what, takes) in &outage.budget {
                *budget.entry(what).or_default() += takes.as_nanos();
            }
            json!({
                "from": outage.from.as_nanos(),
                "to": outage.to.map(|time| time.as_nanos()),
                "budget": budget,
            })
        })
        .collect();
    json!({
        "database": database.spec.name,
        "time": world.now().as_nanos(),
        "primary": facts.primary,
        "primaries": facts.primaries,
        "writable": facts.writable,
        "acknowledged": facts.acknowledged,
        "lostWrites": facts.lost_writes,
        "failedWrites": facts.failed_writes,
        "failedReads": facts.failed_reads,
        "staleReads": facts.stale_reads,
        "downtime": facts.downtime.as_nanos(),
        "withoutPrimary": facts.without_primary.as_nanos(),
        "splitBrain": facts.split_brain.as_nanos(),
        "lag": facts.lag,
        "recovery": facts.recovery.as_nanos(),
        "clients": clients,
        "outages": outages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Blind, Play};
    use crate::scenario::read::{Loader, read};
    use crate::trace::record::Recorder;

    /// What a crash with an operator who deletes the pod is spent on.
    const STEPS: [&str; 11] = [
        "detection",
        "toleration",
        "operator",
        "recreation",
        "scheduling",
        "wait for unmount",
        "detach",
        "attach",
        "container start",
        "readiness",
        "clients reconnect",
    ];

    struct Shipped;
    impl Loader for Shipped {
        fn load(&mut self, relative: &str) -> Result<(String, Vec<u8>), String> {
            let manifests = include_str!("../../scenarios/database/postgres.yml");
            Ok((relative.to_owned(), manifests.as_bytes().to_vec()))
        }
    }

    /// The shipped crash of a machine: each client, the totals, and where the time went, to the nanosecond.
    #[test]
    fn everything_is_accounted_for() {
        let file = include_str!("../../scenarios/database/node-crash.yaml");
        let scenario =
            read("s.yaml", file.as_bytes(), &mut Shipped).unwrap_or_else(|e| panic!("{}", e.render()));
        let mut play = Play::new(&scenario, 0, Recorder::on()).expect("a cluster");
        play.play(&mut Blind);
        let (databases, world) = (&play.cluster.databases, &play.cluster.world);
        let database = databases.iter().next().expect("a database");
        let (facts, clients) = (database.facts(&world.store), database.clients());
        let printed = text(databases, world);
        for client in &clients {
            assert!(printed.lines().any(|line| line.starts_with(&client.name)), "{printed}");
        }
        let lost: u64 = clients.iter().map(|client| client.lost.requests()).sum();
        assert!(facts.lost_writes.abs_diff(lost) < clients.len() as u64, "{facts:?} {clients:?}");
        assert!(printed.contains(&format!("writes acknowledged {}", facts.acknowledged)), "{printed}");
        let json = json_of(database, world);
        let outages = json["outages"].as_array().expect("outages");
        assert!(!outages.is_empty(), "{json}");
        for outage in outages.iter().filter(|outage| !outage["to"].is_null()) {
            let budget = outage["budget"].as_object().expect("a budget");
            let sum: u64 = budget.values().filter_map(Value::as_u64).sum();
            let length = outage["to"].as_u64().zip(outage["from"].as_u64()).map(|(to, from)| to - from);
            assert_eq!(Some(sum), length, "{outage}");
        }
        for step in STEPS {
            assert!(printed.contains(step), "no {step} in {printed}");
        }
    }
}
