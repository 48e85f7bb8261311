//! The rows of the table, each read off what was observed, with the moments that show it.
//!
//! Every function here takes one run and knows not which of the two it is. [`course`] has those rows that are about the
//! order in which pods come and go.
mod course;

use crate::compare::effects::{Replaced, costs, segments};
use crate::compare::seen::{Life, Observed};
use crate::compare::{Cell, Moment, Row};
use crate::kernel::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Moments shown for one cell, at most.
const SHOWN: usize = 4;

/// All rows that say something about at least one of the runs.
pub fn rows(set: &Observed, twin: &Observed) -> Vec<Row> {
    let all: [(&'static str, fn(&Observed) -> Option<Cell>); 8] = [
        ("Pod names", names),
        ("Scaling", course::scaling),
        ("Storage", storage),
        ("Network identity", network),
        ("Replacement", replacement),
        ("Rolling update", course::rollout),
        ("Data", data),
        ("Use case", use_case),
    ];
    let unseen = || Cell { word: "not seen".into(), ..Cell::default() };
    all.into_iter()
        .filter_map(|(feature, look)| match (look(set), look(twin)) {
            (None, None) => None,
            (set, twin) => {
                Some(Row { feature, set: set.unwrap_or_else(unseen), twin: twin.unwrap_or_else(unseen) })
            }
        })
        .collect()
}

fn at(time: Time, what: String) -> Moment {
    Moment { time, what }
}

/// `a, b and c`, the rest counted.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= 4 => format!("{} and {last}", first.join(", ")),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => names.join(" and "),
    }
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// The number that a name adds to the workload's, as a StatefulSet would.
fn number(life: &Life, run: &Observed) -> Option<u32> {
    let suffix = life.name.strip_prefix(run.name.as_str())?.strip_prefix('-')?;
    suffix.parse::<u32>().ok().filter(|number| number.to_string() == suffix)
}

/// All pairs of a run.
fn replaced(run: &Observed) -> Vec<(Replaced, bool)> {
    let all = segments(run);
    let pairs =
        all.iter().flat_map(|segment| segment.pairs.iter().map(move |pair| (*pair, segment.rolls.is_some())));
    pairs.filter_map(|(pair, rollout)| Some((Replaced::of(run, pair)?, rollout))).collect()
}

// ---- Names -------------------------------------------------------------------------------------------------------------

/// Whether the names of pods form a sequence.
fn names(run: &Observed) -> Option<Cell> {
    let mut distinct: Vec<&str> = Vec::new();
    for life in &run.lives {
        if !distinct.contains(&life.name.as_str()) {
            distinct.push(&life.name);
        }
    }
    if distinct.is_empty() {
        return None;
    }
    let numbers: Option<BTreeSet<u32>> = run.lives.iter().map(|life| number(life, run)).collect();
    let word = match &numbers {
        None => "random".to_owned(),
        Some(numbers) => {
            let (first, last) = (numbers.first().copied()?, numbers.last().copied()?);
            let gaps = numbers.len() as u64 != u64::from(last - first) + 1;
            let from = if first == 0 { String::new() } else { format!(", from {first}") };
            format!("{}{from}", if gaps { "numbered, with gaps" } else { "ordered" })
        }
    };
    let shown = run.lives.iter().take(SHOWN).map(|life| at(life.created, format!("{} created", life.name)));
    Some(Cell { word, detail: listed(&distinct), shown: shown.collect() })
}

// ---- Storage -----------------------------------------------------------------------------------------------------------

/// Whether pods have claims of their own.
fn storage(run: &Observed) -> Option<Cell> {
    let pods: BTreeSet<&str> = run.lives.iter().map(|life| life.name.as_str()).collect();
    if pods.is_empty() {
        return None;
    }
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for life in &run.lives {
        for claim in &life.claims {
            users.entry(claim).or_default().insert(&life.name);
        }
    }
    let volumes: BTreeSet<&str> =
        run.lives.iter().flat_map(|life| &life.volumes).map(String::as_str).collect();
    let own = users.values().filter(|pods| pods.len() == 1).count();
    let word = match (own, users.len() - own) {
        (0, 0) => "none",
        (_, 0) if pods.len() == 1 => "one claim",
        (_, 0) => "per-pod claim",
        (0, _) => "shared claim",
        _ => "per-pod and shared claims",
    };
    let detail = match users.is_empty() {
        true => "what a pod has written is gone with it".to_owned(),
        false => {
            format!(
                "{}, {}, {}",
                plural(pods.len(), "pod"),
                plural(users.len(), "claim"),
                plural(volumes.len(), "volume")
            ) + &without(run)
        }
    };
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let first = run.lives.iter().filter(|life| !life.claims.is_empty() && told.insert(&life.name));
    let shown = first.take(SHOWN).map(|life| {
        let claims = life.claims.join(", ");
        match (life.ready, life.volumes.is_empty()) {
            (Some(ready), false) => {
                at(ready, format!("{} has {claims} on {}", life.name, life.volumes.join(", ")))
            }
            _ => at(life.created, format!("{} created; it never mounted {claims}", life.name)),
        }
    });
    let mut shown: Vec<Moment> = shown.collect();
    shown.sort_by_key(|moment| moment.time);
    Some(Cell { word: word.to_owned(), detail, shown })
}

/// Pods that never had their volumes.
fn without(run: &Observed) -> String {
    let without = run.lives.iter().filter(|life| !life.claims.is_empty() && life.volumes.is_empty()).count();
    if without == 0 { String::new() } else { format!("; {} never mounted it", plural(without, "pod")) }
}

// ---- Network -----------------------------------------------------------------------------------------------------------

/// Whether DNS names outlive pods.
fn network(run: &Observed) -> Option<Cell> {
    let dns: BTreeSet<&str> = run.lives.iter().flat_map(|life| &life.dns).map(String::as_str).collect();
    let first = *dns.first()?;
    let pairs: Vec<Replaced> =
        replaced(run).into_iter().map(|(pair, _)| pair).filter(|pair| !pair.ips.1.is_empty()).collect();
    let kept = pairs.iter().filter(|pair| pair.same_dns).count();
    if pairs.is_empty() {
        let by_name = run
            .lives
            .iter()
            .all(|life| life.dns.iter().all(|name| name.split('.').next() == Some(&life.name)));
        let word = if by_name { "DNS by pod name" } else { "DNS by address" };
        return Some(Cell {
            word: word.into(),
            detail: format!("{first}; no pod was replaced"),
            shown: Vec::new(),
        });
    }
    let same_ip = pairs.iter().filter(|pair| pair.ips.0 == pair.ips.1).count();
    let word = match kept {
        0 => "random",
        n if n == pairs.len() => "stable DNS",
        _ => "partly stable DNS",
    };
    let addresses = match same_ip {
        0 => "the address is new each time".to_owned(),
        n => format!("{n} kept the address"),
    };
    let detail = format!("{kept} of {} replaced pods kept the DNS name; {addresses}", pairs.len());
    let shown = pairs.iter().take(SHOWN).map(|pair| {
        let life = run.lives.iter().find(|life| life.name == pair.names.1 && life.created == pair.created);
        let name = life.and_then(|life| life.dns.first()).map_or("no DNS name", String::as_str);
        let ready = life.and_then(|life| life.ready).unwrap_or(pair.created);
        let kept = if pair.same_dns { "again" } else { "for the first time" };
        at(ready, format!("{name} {kept}: {} was {}", pair.ips.1, pair.ips.0))
    });
    let mut shown: Vec<Moment> = shown.collect();
    shown.sort_by_key(|moment| moment.time);
    Some(Cell { word: word.into(), detail, shown })
}

// ---- Replacement -------------------------------------------------------------------------------------------------------

/// A lost pod comes back as whom, and when.
fn replacement(run: &Observed) -> Option<Cell> {
    let all = segments(run);
    let pairs: Vec<Replaced> =
        replaced(run).into_iter().filter(|(_, rollout)| !rollout).map(|(pair, _)| pair).collect();
    let missing: Vec<&Life> = all
        .last()
        .into_iter()
        .flat_map(|segment| &segment.missing)
        .filter_map(|n| run.lives.get(*n))
        .collect();
    if pairs.is_empty() {
        let life = missing.first()?;
        let detail = format!("{} left, and nobody came", listed(&[&life.name]));
        let shown = life.left().map(|time| at(time, format!("{} left", life.name)));
        return Some(Cell { word: "none".into(), detail, shown: shown.into_iter().collect() });
    }
    let same = pairs.iter().filter(|pair| pair.same_name()).count();
    let beside = pairs.iter().filter(|pair| pair.beside).count();
    let as_whom = match same {
        0 => "another name",
        n if n == pairs.len() => "same name",
        _ => "same or other name",
    };
    let when = match beside {
        0 => "when the old pod is gone",
        n if n == pairs.len() => "at once",
        _ => "mostly at once",
    };
    let longest = pairs.iter().filter_map(|pair| Some(pair.created - pair.left?)).max();
    let waits = longest.map_or_else(String::new, |longest| format!(", {} at most", after_it(longest)));
    let detail = format!(
        "{same} of {} with the old name, {beside} while the old pod was still there{waits}",
        pairs.len()
    );
    let shown = pairs.iter().take(SHOWN).map(|pair| {
        let wait = pair.left.map_or_else(String::new, |left| format!(", {}", after(pair.created - left)));
        at(pair.created, format!("{} created{wait} {} left", pair.names.1, pair.names.0))
    });
    Some(Cell { word: format!("{as_whom}, {when}"), detail, shown: shown.collect() })
}

// ---- Data --------------------------------------------------------------------------------------------------------------

/// What came of databases; without one, of volumes.
fn data(run: &Observed) -> Option<Cell> {
    if run.databases.is_empty() {
        return None;
    }
    let lost: u64 = run.databases.iter().map(|(_, facts)| facts.lost_writes).sum();
    let acknowledged: u64 = run.databases.iter().map(|(_, facts)| facts.acknowledged).sum();
    let down = run.databases.iter().map(|(_, facts)| facts.downtime).max().unwrap_or(Duration::ZERO);
    let word = match (lost, acknowledged) {
        (0, 0) => "nothing was written".to_owned(),
        (0, _) => "nothing lost".to_owned(),
        (lost, all) if lost == all => "all lost".to_owned(),
        (lost, _) => format!("{lost} writes lost"),
    };
    let detail =
        format!("{lost} of {acknowledged} acknowledged writes are lost; no writes for {}", told(down));
    let costs = run.marks.iter().enumerate().filter_map(|(n, mark)| {
        let costs = costs(run, mark, run.marks.get(n + 1));
        let lost: u64 = costs.iter().map(|cost| cost.lost).sum();
        let down = costs.iter().map(|cost| cost.down).max().unwrap_or(Duration::ZERO);
        let worth = lost > 0 || down > Duration::ZERO;
        worth.then(|| {
            at(mark.time, format!("{}: {lost} writes lost, none possible for {}", mark.title, told(down)))
        })
    });
    Some(Cell { word, detail, shown: costs.take(SHOWN).collect() })
}

// ---- What it is good for -----------------------------------------------------------------------------------------------

/// What kind of application this behaviour suits, judged by what replaced pods had kept.
fn use_case(run: &Observed) -> Option<Cell> {
    if run.lives.is_empty() {
        return None;
    }
    let pairs: Vec<Replaced> = replaced(run).into_iter().map(|(pair, _)| pair).collect();
    if pairs.is_empty() {
        let detail = "no pod was replaced in this run".to_owned();
        return Some(Cell { word: "cannot be told".into(), detail, shown: Vec::new() });
    }
    let all = pairs.len();
    let named = pairs.iter().filter(|pair| pair.same_name()).count();
    let kept = pairs.iter().filter(|pair| pair.same_volumes == Some(true)).count();
    let lost: u64 = run.databases.iter().map(|(_, facts)| facts.lost_writes).sum();
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for life in &run.lives {
        for volume in &life.volumes {
            users.entry(volume).or_default().insert(&life.name);
        }
    }
    let own = !users.is_empty() && users.values().all(|pods| pods.len() == 1);
    let word = match (named == all, kept == all, own) {
        (true, true, true) => "databases, queues",
        (true, true, false) => "members with names and shared data",
        (true, false, _) => "members with names, data elsewhere",
        (false, true, _) => "stateless apps over a shared volume",
        (false, false, _) => "stateless apps",
    };
    let spoilt = if lost > 0 { format!("; but {lost} acknowledged writes were lost") } else { String::new() };
    let detail =
        format!("{} replaced: {named} kept the name, {kept} kept the data{spoilt}", plural(all, "pod"));
    Some(Cell { word: word.into(), detail, shown: Vec::new() })
}

/// So long after the old one left.
fn after_it(span: Duration) -> String {
    if span < Duration::from_millis(100) {
        "at once".to_owned()
    } else {
        format!("{} after it left", told(span))
    }
}

/// So long after something.
pub fn after(span: Duration) -> String {
    if span < Duration::from_millis(100) { "as soon as".to_owned() } else { format!("{} after", told(span)) }
}

/// A span in words.
pub fn told(span: Duration) -> String {
    let millis = span.as_nanos() / 1_000_000;
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}.{}s", millis / 1000, millis % 1000 / 100);
    match minutes {
        0 => seconds,
        _ => format!("{minutes}m{:02}s", millis / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::seen::testing::{Story, run};

    /// What a row says of a story.
    fn said(look: fn(&Observed) -> Option<Cell>, story: &[Story]) -> String {
        look(&run(3, story)).map_or_else(|| "nothing".to_owned(), |cell| cell.word)
    }

    #[test]
    fn names_are_ordered_only_if_they_form_a_sequence() {
        let pod = |name| Story::pod(name, 0);
        for (names_of_pods, expected) in [
            (vec!["web-0", "web-1", "web-2"], "ordered"),
            (vec!["web-5", "web-6"], "ordered, from 5"),
            (vec!["web-0", "web-2"], "numbered, with gaps"),
            (vec!["web-0", "web-01"], "random"),
            (vec!["web-7b84f6f67d-zmw8h", "web-7b84f6f67d-22222"], "random"),
            (vec!["other-0", "other-1"], "random"),
            (vec![], "nothing"),
        ] {
            let story: Vec<Story> = names_of_pods.iter().map(|name| pod(name)).collect();
            assert_eq!(said(names, &story), expected, "{names_of_pods:?}");
        }
    }

    #[test]
    fn storage_is_whose_claims_are_mounted() {
        let pod = |name, claims: &'static [&'static str]| Story::pod(name, 0).claims(claims);
        for (story, expected) in [
            (vec![pod("web-0", &["data-0"]), pod("web-1", &["data-1"])], "per-pod claim"),
            (vec![pod("a", &["data"]), pod("b", &["data"])], "shared claim"),
            (
                vec![pod("web-0", &["data-0", "all"]), pod("web-1", &["data-1", "all"])],
                "per-pod and shared claims",
            ),
            (vec![pod("web-0", &["data-0"])], "one claim"),
            (vec![pod("web-0", &[]), pod("web-1", &[])], "none"),
        ] {
            assert_eq!(said(storage, &story), expected);
        }
        // A pod that comes back to its claim does not share it with itself.
        let back = [
            pod("web-0", &["data-0"]).left(20, 21),
            pod("web-0", &["data-0"]).from(22),
            pod("web-1", &["data-1"]),
        ];
        assert_eq!(said(storage, &back), "per-pod claim");
    }

    #[test]
    fn identity_is_what_outlives_a_pod() {
        let old = |name, dns| Story::pod(name, 0).dns(dns, "10.0.0.1").left(20, 25);
        let new = |name, dns, ip| Story::pod(name, 26).dns(dns, ip);
        for (story, expected) in [
            (vec![old("web-0", "web-0.web"), new("web-0", "web-0.web", "10.0.0.2")], "stable DNS"),
            (vec![old("a", "10-0-0-1.web"), new("b", "10-0-0-2.web", "10.0.0.2")], "random"),
            // With the network of its node a pod may come back to the address, and so to the name.
            (vec![old("a", "10-0-0-1.web"), new("b", "10-0-0-1.web", "10.0.0.1")], "stable DNS"),
            (vec![Story::pod("web-0", 0).dns("web-0.web", "10.0.0.1")], "DNS by pod name"),
            (vec![Story::pod("a", 0).dns("10-0-0-1.web", "10.0.0.1")], "DNS by address"),
            (vec![Story::pod("web-0", 0)], "nothing"),
        ] {
            assert_eq!(said(network, &story), expected);
        }
    }

    #[test]
    fn a_use_follows_from_what_was_kept() {
        let old = |name, claims: &'static [&'static str]| Story::pod(name, 0).claims(claims).left(20, 21);
        let new = |name, claims: &'static [&'static str]| Story::pod(name, 22).claims(claims);
        for (story, replaced, used) in [
            (
                vec![old("web-0", &["d-0"]), new("web-0", &["d-0"])],
                "same name, when the old pod is gone",
                "databases, queues",
            ),
            (
                vec![old("web-0", &[]), new("web-0", &[])],
                "same name, when the old pod is gone",
                "members with names, data elsewhere",
            ),
            (
                vec![old("a", &["d"]), Story::pod("b", 20).claims(&["d"])],
                "another name, at once",
                "stateless apps over a shared volume",
            ),
            (vec![old("a", &[]), Story::pod("b", 20)], "another name, at once", "stateless apps"),
            (vec![old("a", &[])], "none", "cannot be told"),
            (vec![Story::pod("a", 0)], "nothing", "cannot be told"),
        ] {
            assert_eq!(said(replacement, &story), replaced);
            assert_eq!(said(use_case, &story), used);
        }
    }

    #[test]
    fn spans_in_words() {
        for (millis, expected) in [(0, "0.0s"), (2_149, "2.1s"), (60_000, "1m00s"), (716_900, "11m56s")] {
            assert_eq!(told(Duration::from_millis(millis)), expected);
        }
    }
}
